//! What a finished job has cost, and why that is less than was announced.

use std::time::Duration;

use unmask_core::Ended;
use unmask_explainer::fill::adversarial::Sample;
use unmask_pool::Meter;

use crate::fills::{Found, Paid};

/// Passes and times of a finished job. What was announced is what was run and all that was saved together.
#[derive(Clone, Debug)]
pub(crate) struct Bill {
    pub(crate) announced: u64,
    pub(crate) meter: Meter,
    pub(crate) savings: Vec<Saving>,
    pub(crate) decode: Duration,
    pub(crate) render: Duration,
    pub(crate) total: Duration,
}

/// Passes that were announced and not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Saving {
    pub(crate) why: Why,
    pub(crate) passes: u64,
}

/// Why passes were not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The method needed no more, or the search could go no further.
    Converged,
    /// The search had reached its goal.
    Flipped,
    /// The deadline was near.
    Deadline,
    /// The budget was spent.
    Budget,
    /// The same had been asked in this request.
    Duplicate,
    /// They were run for an earlier request.
    Cached,
    /// They were run for another request at the same time.
    Shared,
}

impl Why {
    /// What ended a method's rounds before the last one that was announced.
    pub(super) fn of(ended: Ended) -> Self {
        match ended {
            Ended::All | Ended::Stopped => Self::Converged,
            Ended::Deadline => Self::Deadline,
            Ended::Budget => Self::Budget,
        }
    }
}

/// The passes of a method: those announced for it and for its references, and those run.
pub(super) fn method(announced: u64, meter: &Meter, ended: Ended) -> Vec<Saving> {
    let unused = announced.saturating_sub(meter.run + meter.duplicate);
    let savings = [
        Saving { why: Why::Duplicate, passes: meter.duplicate },
        Saving { why: Why::of(ended), passes: unused },
    ];
    savings.into_iter().filter(|saving| saving.passes > 0).collect()
}

/// The passes of a search, of which `announced` were announced and a budget left `allowed`.
pub(super) fn search(announced: u64, allowed: u64, sample: &Sample, paid: Paid) -> Vec<Saving> {
    let unused = Saving {
        why: match sample.flipped {
            _ if !sample.done && allowed < announced => Why::Budget,
            true => Why::Flipped,
            false => Why::Converged,
        },
        passes: announced.saturating_sub(sample.passes),
    };
    let others = match paid {
        Paid::Here => None,
        Paid::Shared => Some(Saving { why: Why::Shared, passes: sample.passes }),
        Paid::Cached => Some(Saving { why: Why::Cached, passes: sample.passes }),
    };
    [Some(unused), others].into_iter().flatten().filter(|saving| saving.passes > 0).collect()
}

/// The job's own meter with that of a search which it has paid for.
pub(super) fn together(own: Meter, found: &Found) -> Meter {
    let search = found.meter;
    Meter {
        asked: own.asked + search.asked,
        run: own.run + search.run,
        duplicate: own.duplicate + search.duplicate,
        // The job is charged with its search, whoever paid for it.
        used: own.used,
        queue: own.queue,
        forward: own.forward + search.forward,
        fold: own.fold + search.fold,
    }
}

/// Savings of one reason in one line, in the order in which reasons come first.
pub(super) fn by_reason(savings: impl IntoIterator<Item = Saving>) -> Vec<Saving> {
    let mut sums: Vec<Saving> = Vec::new();
    for saving in savings {
        match sums.iter_mut().find(|sum| sum.why == saving.why) {
            Some(sum) => sum.passes += saving.passes,
            None => sums.push(saving),
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use unmask_core::Tensor;

    fn meter(run: u64) -> Meter {
        Meter { asked: run, run, ..Meter::default() }
    }

    #[test]
    fn what_was_announced_is_run_and_saved_together() {
        let tensor = Arc::new(Tensor::constant(&[0.0; 3], 1, 1));
        for (own, ended, why) in [
            (402, Ended::All, None),
            (130, Ended::Budget, Some(Why::Budget)),
            (200, Ended::Deadline, Some(Why::Deadline)),
            (300, Ended::Stopped, Some(Why::Converged)),
        ] {
            let saved = method(402, &meter(own), ended);
            assert_eq!(saved.first().map(|s| s.why), why);
            for (flipped, passes) in [(true, 141), (false, 2000), (false, 1990)] {
                let (before, after) = (Vec::new(), Vec::new());
                let sample = Sample {
                    tensor: Arc::clone(&tensor),
                    flipped,
                    done: flipped,
                    steps: 7,
                    passes,
                    before,
                    after,
                };
                let found = Found { sample, meter: meter(passes) };
                for paid in [Paid::Here, Paid::Shared, Paid::Cached] {
                    let savings = search(2000, 2000, &found.sample, paid);
                    let run = match paid {
                        Paid::Here => together(meter(own), &found).run,
                        Paid::Shared | Paid::Cached => own,
                    };
                    let saved: u64 = savings.iter().chain(&saved).map(|s| s.passes).sum();
                    assert_eq!(2402, run + saved, "{ended:?} {flipped} {paid:?}");
                }
            }
        }
    }

    #[test]
    fn what_was_asked_twice_is_a_saving_of_its_own() {
        let own = Meter { duplicate: 30, ..meter(300) };
        let savings = method(402, &own, Ended::Budget);
        assert_eq!(
            savings,
            [(Why::Duplicate, 30), (Why::Budget, 72)].map(|(why, passes)| Saving { why, passes })
        );
    }

    #[test]
    fn a_search_says_why_it_cost_less() {
        let tensor = Arc::new(Tensor::constant(&[0.0; 3], 1, 1));
        let (before, after) = (Vec::new(), Vec::new());
        let flipped = Sample { tensor, flipped: true, done: true, steps: 7, passes: 141, before, after };
        let shared = [(Why::Flipped, 1859), (Why::Shared, 141)].map(|(why, passes)| Saving { why, passes });
        assert_eq!(search(2000, 2000, &flipped, Paid::Shared), shared);
        let stuck = Sample { flipped: false, done: false, passes: 1999, ..flipped };
        assert_eq!(search(2000, 2000, &stuck, Paid::Here), [Saving { why: Why::Converged, passes: 1 }]);
        assert!(search(1999, 1999, &stuck, Paid::Here).is_empty());
        assert_eq!(search(2000, 1999, &stuck, Paid::Here), [Saving { why: Why::Budget, passes: 1 }]);
        // It has crossed, and would have gone on.
        let near = Sample { flipped: true, ..stuck };
        assert_eq!(search(2000, 1999, &near, Paid::Here), [Saving { why: Why::Budget, passes: 1 }]);
    }
}
