//! Attacks on the best regions of an explanation, shared by all explanations of one request: those that name the same regions
//! pay for one search.

use std::cell::Cell;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use unmask_core::{Ended, Forward, ForwardError, ModelSpec, Round, Scores, Stream, Tensor};

use super::Case;
use crate::fill::adversarial::{Sample, Search};
use crate::segment::rank;

/// Attacks that have been made.
#[derive(Debug, Default)]
pub struct Shared {
    attacks: Mutex<HashMap<Key, Attacked>>,
}

/// What an attack is of; picture, model and seed are the request's own.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    region: Arc<[bool]>,
    search: String,
}

/// What an attack came to.
#[derive(Clone, Debug)]
pub(super) struct Attacked {
    /// The attacked picture.
    pub(super) picture: Arc<Tensor>,
    /// Its logits.
    pub(super) after: Vec<f32>,
    /// Whether the detector decides otherwise on it.
    pub(super) flipped: bool,
    /// Passes.
    pub(super) passes: u64,
}

impl Shared {
    /// The attack on `region`, and whether it was made for another explanation.
    pub(super) fn attack(
        &self,
        case: &Case<'_>,
        search: &Search,
        region: Arc<[bool]>,
    ) -> Result<(Attacked, bool), ForwardError> {
        // Numbers are written with as many digits as tell them apart.
        let key = Key { region, search: format!("{search:?}") };
        let attacks = || self.attacks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = attacks().get(&key) {
            return Ok((known.clone(), true));
        }
        let Sample { tensor, after, flipped, passes, .. } = whole(case, search, &key.region, &mut |_, _| ())?;
        let attacked = Attacked { picture: tensor, after, flipped, passes };
        attacks().insert(key, attacked.clone());
        Ok((attacked, false))
    }
}

/// A search that has run to its own end: one that a deadline or budget has cut off is no attack. Its directions are its own:
/// along those of a search for a fill, the regions that this search happened to follow would be easier to attack.
pub(super) fn whole(
    case: &Case<'_>,
    search: &Search,
    region: &Arc<[bool]>,
    each: &mut dyn FnMut(&Arc<Tensor>, &[f32]),
) -> Result<Sample, ForwardError> {
    let watched = Watched { forward: case.forward, cut_off: Cell::new(None) };
    let sample = search.run(case.image, Some(region), Stream::Attack.seed(case.seed), &watched, each);
    match (sample, watched.cut_off.get()) {
        // What has cut it off is known here, also where it came before the first score.
        (Ok(_) | Err(ForwardError::Unanswered(_)), Some(ended)) => Err(ForwardError::Unanswered(ended)),
        (sample, _) => sample,
    }
}

/// The best `count` regions, or as many as the picture has, each as the pixels of all up to it.
pub(super) fn regions(case: &Case<'_>, count: usize) -> Vec<Arc<[bool]>> {
    let ranked = rank(case.map, case.reading, case.segments);
    let labels = case.segments.labels();
    let mut region = vec![false; labels.len()];
    let union = |best: &crate::segment::Ranked| {
        let own = labels.iter().map(|label| *label as usize == best.label);
        region.iter_mut().zip(own).for_each(|(free, own)| *free |= own);
        Arc::from(region.as_slice())
    };
    ranked.iter().take(count).map(union).collect()
}

/// Notes that a deadline or budget has cut something off.
struct Watched<'a> {
    forward: &'a dyn Forward,
    cut_off: Cell<Option<Ended>>,
}

impl Forward for Watched<'_> {
    fn spec(&self) -> &ModelSpec {
        self.forward.spec()
    }

    fn run(
        &self,
        rounds: &mut dyn Iterator<Item = Round>,
        fold: &mut dyn FnMut(usize, Scores) -> ControlFlow<()>,
    ) -> Result<Ended, ForwardError> {
        let ended = self.forward.run(rounds, fold)?;
        match ended {
            Ended::All | Ended::Stopped => {}
            Ended::Deadline | Ended::Budget => self.cut_off.set(Some(ended)),
        }
        Ok(ended)
    }
}
