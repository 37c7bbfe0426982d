//! The smallest set of regions whose replacement by the fill changes the decision.
//!
//! With regions R, a picture x and a fill t, it is the set S of fewest regions, and of these the one of least area, for which the model
//! decides otherwise on
//!
//! ```text
//! t in the regions of S, x everywhere else
//! ```
//!
//! A greedy search finds a set: first every region alone, then always the region whose replacement brings the decision nearest to the
//! other side is added, until it changes; whatever of the set is not needed is put back. Then every set that is no larger is tried, the
//! smallest first and the most promising of a size first, as far as the passes reach. What is found is so the smallest set of the regions
//! that may be replaced where they reach, and says whether they did. Nothing is assumed of how regions act together: a set may change the decision that
//! none of its parts and no larger one does.
//!
//! Passes: one for each set that is tried and one for each that is checked, at most `passes` in all. After arXiv 1904.07451 (Goyal
//! et al., ICML 2019: greedy and exhaustive search for the least edit), with the adversarial version of the face in place of another's.

use std::collections::HashMap;
use std::sync::Arc;

use unmask_core::{
    Ended, Forward, ForwardError, Kind, LabelMap, Param, Perturbation, Preset, ROUND, Round, Tensor,
};

/// Regions that may be replaced.
pub const REGIONS: Param = Param {
    name: "regions",
    unit: "regions",
    kind: Kind::Integer { default: 12, min: 2, max: 16 },
    paper: None,
    help: "Parts or regions that may be replaced, those with the most evidence.",
    source: "ours: all parts of a face",
};
/// Most passes.
pub const PASSES: Param = Param {
    name: "max_passes",
    unit: "passes",
    kind: Kind::Integer { default: 400, min: 32, max: 10_000 },
    paper: None,
    help: "Most passes.",
    source: "ours: all sets of up to three of 12 regions are 298",
};

/// How long it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counterfactual {
    /// Regions that may be replaced.
    pub regions: usize,
    /// Most sets that are tried and checked.
    pub passes: u64,
}

impl Default for Counterfactual {
    fn default() -> Self {
        let ignored = &mut Vec::new();
        Self {
            regions: REGIONS.integer(None, Preset::Clean, "", ignored) as usize,
            passes: PASSES.integer(None, Preset::Clean, "", ignored),
        }
    }
}

/// What is searched.
pub struct Scene<'a> {
    /// The picture.
    pub image: &'a Arc<Tensor>,
    /// What replaces it.
    pub fill: &'a Arc<Tensor>,
    /// The regions.
    pub labels: &'a Arc<LabelMap>,
    /// How far the decision is on the other side: positive exactly where it is another one.
    pub over: &'a dyn Fn(&[f32]) -> f64,
}

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This set of labels, in ascending order, and whether every set of fewer of the regions that may be replaced was tried.
    Found(Vec<usize>, bool),
    /// Every set was tried, and none changes the decision.
    None,
    /// The passes ran out before a set that changes it.
    Passes,
    /// The deadline came first.
    Deadline,
}

/// Whoever checks a set of labels: whether it stands, or nothing where there was no time to ask.
pub type Check<'a> = dyn FnMut(&[usize]) -> Result<Option<bool>, ForwardError> + 'a;

impl Counterfactual {
    /// Looks for it among the first regions of `order`. What is found has to stand `check`, which may ask the model once; a set that does
    /// not is no answer, and others are. With the outcome comes how many passes it took.
    ///
    /// # Errors
    /// What [`Forward`] and `check` answer.
    pub fn search(
        &self,
        scene: &Scene<'_>,
        order: &[usize],
        forward: &dyn Forward,
        check: &mut Check<'_>,
    ) -> Result<(Outcome, u64), ForwardError> {
        let order = &order[..order.len().min(self.regions)];
        let mut areas = vec![0; scene.labels.count()];
        scene.labels.labels().iter().for_each(|label| areas[*label as usize] += 1);
        let areas = order.iter().map(|label| areas[*label]).collect();
        let (known, stood, left) = (HashMap::new(), HashMap::new(), self.passes);
        let (ended, open) = (false, false);
        let mut tried = Tried { scene, order, areas, forward, check, known, stood, left, ended, open };
        let outcome = match tried.smallest()? {
            Some((set, smallest)) => {
                let mut labels = tried.labels(set);
                labels.sort_unstable();
                // A smaller set that nobody had time to check may stand.
                Outcome::Found(labels, smallest && !tried.open)
            }
            None if tried.ended => Outcome::Deadline,
            None if tried.open => Outcome::Passes,
            None => Outcome::None,
        };
        Ok((outcome, self.passes - tried.left))
    }
}

/// Some of the regions: one bit for each of the order.
type Set = u32;

struct Tried<'a> {
    scene: &'a Scene<'a>,
    order: &'a [usize],
    areas: Vec<u64>,
    forward: &'a dyn Forward,
    check: &'a mut Check<'a>,
    /// How far over each set is.
    known: HashMap<Set, f64>,
    /// Whether a set stood the check.
    stood: HashMap<Set, bool>,
    /// Passes that are left.
    left: u64,
    /// Whether the deadline has come.
    ended: bool,
    /// Whether something that might have been an answer was not tried, or not checked.
    open: bool,
}

impl Tried<'_> {
    fn smallest(&mut self) -> Result<Option<(Set, bool)>, ForwardError> {
        if self.order.is_empty() {
            return Ok(None);
        }
        let greedy = self.greedy()?;
        // No set is larger than all regions.
        let most = greedy.map_or(self.order.len(), |set| set.count_ones() as usize);
        for size in 1..=most {
            let mut sets = self.of_size(size);
            let promise = |set: &Set| -> f64 { self.ones(*set).filter_map(|one| self.known.get(&one)).sum() };
            sets.sort_by(|a, b| promise(b).total_cmp(&promise(a)));
            let whole = self.ask(&sets)?;
            if let Some(best) = self.best(&sets)? {
                return Ok(Some((best, true)));
            }
            if !whole {
                self.open |= greedy.is_none();
                // Not every set of this size was tried, so that those of one region more may not be the fewest.
                return Ok(greedy.map(|set| (set, size >= most)));
            }
        }
        Ok(None)
    }

    /// Regions are added until the decision changes; what is not needed of them is put back.
    fn greedy(&mut self) -> Result<Option<Set>, ForwardError> {
        let all: Vec<Set> = self.ones(self.all()).collect();
        let mut set: Set = 0;
        while set != self.all() {
            let next: Vec<Set> = all.iter().filter(|one| set & **one == 0).map(|one| set | one).collect();
            let whole = self.ask(&next)?;
            if let Some(found) = self.best(&next)? {
                return self.reduced(found).map(Some);
            }
            let over = |set: &Set| self.known.get(set).copied().unwrap_or(f64::NEG_INFINITY);
            let Some(nearest) = next.iter().copied().reduce(|a, b| if over(&b) > over(&a) { b } else { a })
            else {
                return Ok(None);
            };
            if !whole {
                return Ok(None);
            }
            set = nearest;
        }
        Ok(None)
    }

    /// A set without the regions that it does not need.
    fn reduced(&mut self, mut set: Set) -> Result<Set, ForwardError> {
        loop {
            let less: Vec<Set> = self.ones(set).map(|one| set & !one).filter(|less| *less != 0).collect();
            self.ask(&less)?;
            match self.best(&less)? {
                Some(found) => set = found,
                None => return Ok(set),
            }
        }
    }

    /// The set of least area among those that change the decision and stand the check; of equal ones the first.
    fn best(&mut self, sets: &[Set]) -> Result<Option<Set>, ForwardError> {
        let area = |set: Set| -> u64 { self.places(set).map(|at| self.areas[at]).sum() };
        let mut over: Vec<Set> =
            sets.iter().copied().filter(|set| self.known.get(set).is_some_and(|over| *over > 0.0)).collect();
        over.sort_by_key(|set| area(*set));
        for set in over {
            if self.stands(set)? {
                return Ok(Some(set));
            }
        }
        Ok(None)
    }

    fn stands(&mut self, set: Set) -> Result<bool, ForwardError> {
        if let Some(stood) = self.stood.get(&set) {
            return Ok(*stood);
        }
        if self.left == 0 || self.ended {
            self.open = true;
            return Ok(false);
        }
        self.left -= 1;
        let labels = self.labels(set);
        let Some(stands) = (self.check)(&labels)? else {
            (self.ended, self.open) = (true, true);
            return Ok(false);
        };
        self.stood.insert(set, stands);
        Ok(stands)
    }

    /// Tries the sets that are not known yet; whether passes and time were enough for all.
    fn ask(&mut self, sets: &[Set]) -> Result<bool, ForwardError> {
        let mut new: Vec<Set> = sets.iter().copied().filter(|set| !self.known.contains_key(set)).collect();
        let wanted = new.len();
        // One is left to check what is found.
        new.truncate(usize::try_from(self.left.saturating_sub(1)).unwrap_or(usize::MAX));
        for sets in new.chunks(ROUND) {
            if self.ended {
                return Ok(false);
            }
            let round = Round {
                image: Arc::clone(self.scene.image),
                fill: Arc::clone(self.scene.fill),
                items: sets.iter().map(|set| self.replaced(*set)).collect(),
            };
            let scores = match self.forward.scores(round) {
                Ok(scores) => scores,
                Err(ForwardError::Unanswered(Ended::Deadline)) => {
                    self.ended = true;
                    return Ok(false);
                }
                Err(error) => return Err(error),
            };
            self.left -= sets.len() as u64;
            self.known
                .extend(sets.iter().zip(scores.rows()).map(|(set, row)| (*set, (self.scene.over)(row))));
        }
        Ok(new.len() == wanted)
    }

    fn replaced(&self, set: Set) -> Perturbation {
        hidden(self.scene.labels, &self.labels(set))
    }

    fn labels(&self, set: Set) -> Vec<usize> {
        self.places(set).map(|at| self.order[at]).collect()
    }

    fn all(&self) -> Set {
        (1 << self.order.len()) - 1
    }

    /// Each region of a set alone.
    fn ones(&self, set: Set) -> impl Iterator<Item = Set> + use<> {
        places(set, self.order.len()).map(|at| 1 << at)
    }

    fn places(&self, set: Set) -> impl Iterator<Item = usize> + use<> {
        places(set, self.order.len())
    }

    fn of_size(&self, size: usize) -> Vec<Set> {
        (1..=self.all()).filter(|set| set.count_ones() as usize == size).collect()
    }
}

fn places(set: Set, count: usize) -> impl Iterator<Item = usize> {
    (0..count).filter(move |at| set & (1 << at) != 0)
}

/// These labels replaced by the fill, and nothing else.
pub fn hidden(labels: &Arc<LabelMap>, which: &[usize]) -> Perturbation {
    let mut shown = vec![true; labels.count()].into_boxed_slice();
    which.iter().for_each(|label| shown[*label] = false);
    Perturbation::Segments { labels: Arc::clone(labels), shown }
}

#[cfg(test)]
mod tests;
