//! What is known of an explanation when it is told.

use unmask_core::Reading;

use super::Language;
use crate::face::Part;
use crate::image::Rect;

/// Everything that may be told, in the order of the answer.
pub struct Facts<'a> {
    /// The language to tell it in.
    pub language: Language,
    /// The class with the highest score.
    pub label: &'a str,
    /// Whether it is another than the real one.
    pub is_fake: bool,
    /// Probability of being manipulated.
    pub fake: f64,
    /// What is explained.
    pub target: &'a str,
    /// The explained scalar.
    pub value: f64,
    /// Whether it tells manipulated from real, and not kinds of manipulation from each other.
    pub is_of_decision: bool,
    /// How the map reads.
    pub reading: Reading,
    /// Whether areas are parts of a face.
    pub is_named: bool,
    /// Whether nothing speaks for the target.
    pub is_flat: bool,
    /// Parts or regions that carry the evidence and are in the answer, best first.
    pub found: &'a [Area],
    /// Whether others do that are not.
    pub is_unlisted: bool,
    /// What was found replaced, all else replaced, as much in the middle replaced.
    pub trials: Option<[Trial; 3]>,
    /// What a search for another decision came to.
    pub change: Option<Change>,
    /// The largest standard error of a region, as a share.
    pub error: Option<f64>,
    /// The correlation with another explanation, and whether the same area comes first; nothing comes first where either is flat.
    pub steady: Option<(f64, Option<bool>)>,
    /// What ended the explanation early.
    pub cut_short: Option<Told>,
    /// Passes that it is made of.
    pub used: u64,
    /// The fill's probability of being manipulated, and whether it is called so.
    pub fill: (f64, bool),
}

/// What ended an explanation early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Its deadline.
    Deadline,
    /// Its budget.
    Budget,
}

/// A part or region with its evidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// How it is called.
    pub name: Name,
    /// Where it stands in the answer.
    pub at: Where,
    /// Its share of the evidence.
    pub evidence_share: f64,
    /// Its share of the frame.
    pub area_share: f64,
}

/// How an area is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// A part of the face.
    Part(Part),
    /// A region by its box in the picture, which stands there in the answer.
    Region(Rect, Where),
}

/// A place in the answer, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// Among the parts.
    Parts(usize),
    /// Among the regions.
    Regions(usize),
    /// Among what a counterfactual replaces.
    Changed(usize),
}

/// A side of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Left edge.
    X,
    /// Top edge.
    Y,
    /// Width.
    Width,
    /// Height.
    Height,
}

/// What the model says where something was replaced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// Whether it is called manipulated.
    pub is_fake: bool,
    /// Probability of being manipulated.
    pub fake: f64,
    /// The explained scalar.
    pub value: f64,
}

/// What a search for another decision came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// These replaced change it.
    Found {
        /// What is replaced.
        names: Vec<Name>,
        /// Share of the frame.
        area_share: f64,
        /// Whether every set of fewer of the candidates was tried.
        smallest: bool,
        /// Regions that might have been replaced.
        candidates: usize,
    },
    /// Nothing that was tried does.
    None {
        /// Regions that might have been replaced.
        candidates: usize,
        /// Whether every set of them was tried.
        all: bool,
    },
    /// There was no time.
    Late,
}
