//! Pictures cut into regions, and regions ranked by a map.

mod grid;
mod lab;
mod merge;
pub mod quickshift;
mod rank;
pub mod slic;

use std::sync::Arc;

use unmask_core::{InputSpec, Kind, LabelMap, Param, Tensor};

use crate::catalogue::Descriptor;
pub use grid::grid;
pub use quickshift::Quickshift;
pub use rank::{Ranked, rank};
pub use slic::Slic;

/// Most regions of a segmentation.
pub const MOST_SEGMENTS: usize = 1024;

/// How a picture is cut into regions.
#[derive(Clone, Debug, PartialEq)]
pub enum Segmentation {
    /// Equal rectangles: rows, columns.
    Grid(usize, usize),
    /// Regions of one colour and about one size.
    Slic(Slic),
    /// Regions of one colour.
    Quickshift(Quickshift),
    /// Regions of the caller's, in the model's frame.
    Labels(Arc<LabelMap>),
    /// The parts of a face, in the model's frame, once it is known where they are.
    Parts(Option<Arc<LabelMap>>),
}

impl Segmentation {
    /// The regions of `image`, which is in the units of `input`. `seed` breaks ties where the algorithm draws lots.
    pub fn segment(&self, image: &Tensor, input: &InputSpec, seed: u64) -> Arc<LabelMap> {
        match self {
            Self::Grid(rows, cols) => Arc::new(grid(image.height(), image.width(), *rows, *cols)),
            Self::Slic(slic) => Arc::new(slic.segment(image, input)),
            Self::Quickshift(quickshift) => Arc::new(quickshift.segment(image, input, seed)),
            Self::Labels(labels) | Self::Parts(Some(labels)) => Arc::clone(labels),
            // Of a face that nobody has seen there is one part, which is everything.
            Self::Parts(None) => Arc::new(grid(image.height(), image.width(), 1, 1)),
        }
    }
}

/// One side of a grid.
const fn side(name: &'static str, help: &'static str) -> Param {
    let kind = Kind::Integer { default: 8, min: 1, max: 64 };
    Param { name, unit: "cells", kind, paper: None, help, source: "ours: that of occlusion and SOBOL" }
}

/// Rows of a grid.
pub const ROWS: Param = side("rows", "Rows of rectangles.");
/// Columns of a grid.
pub const COLS: Param = side("cols", "Columns of rectangles.");
/// A caller's numbers.
pub const VALUES: Param = Param {
    name: "values",
    unit: "little-endian uint16",
    kind: Kind::Numbers("2 to 1024 different numbers"),
    paper: None,
    help: "A number for each pixel of the picture as displayed or of the model's frame; pixels of one number are one region.",
    source: "",
};

/// All segmentations, in the order of the contract.
pub const SEGMENTATIONS: &[Descriptor] = &[
    Descriptor {
        name: "grid",
        summary: "Equal rectangles, numbered row by row.",
        citation: "",
        params: &[ROWS, COLS],
        passes: "0",
    },
    slic::DESCRIPTOR,
    quickshift::DESCRIPTOR,
    Descriptor {
        name: "labels",
        summary: "Regions of the caller's.",
        citation: "",
        params: &[VALUES],
        passes: "0",
    },
    Descriptor {
        name: "parts",
        summary: "Parts of the face: eyes, nose, mouth, cheeks, jaw line, chin, forehead, hair line, background.",
        citation: "",
        params: &[],
        passes: "0",
    },
];
