//! Passes and times.

use std::time::Duration;

use unmask_core::Ended;
use unmask_protocol::v1::{self, SavingReason};

use crate::run::Bill;

pub(super) fn cost(bill: &Bill) -> v1::Cost {
    let left = bill.announced.saturating_sub(bill.meter.run);
    let reason = match bill.ended {
        Ended::All => None,
        Ended::Stopped => Some(SavingReason::Converged),
        Ended::Deadline => Some(SavingReason::Deadline),
        Ended::Budget => Some(SavingReason::Budget),
    };
    let saved = reason.filter(|_| left > 0).map(|reason| v1::Saving { reason: reason.into(), passes: left });
    v1::Cost {
        announced: bill.announced,
        asked: bill.meter.asked,
        run: bill.meter.run,
        saved: saved.into_iter().collect(),
    }
}

pub(super) fn timings(bill: &Bill) -> v1::Timings {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    v1::Timings {
        decode_ms: ms(bill.decode),
        queue_ms: ms(bill.meter.queue),
        forward_ms: ms(bill.meter.forward),
        fold_ms: ms(bill.meter.fold),
        render_ms: ms(bill.render),
        total_ms: ms(bill.total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unmask_pool::Meter;

    #[test]
    fn what_was_announced_is_run_and_saved_together() {
        let bill = |run, ended| Bill {
            announced: 402,
            meter: Meter { asked: run, run, ..Meter::default() },
            ended,
            decode: Duration::ZERO,
            render: Duration::ZERO,
            total: Duration::ZERO,
        };
        for (run, ended) in [(402, Ended::All), (130, Ended::Budget), (200, Ended::Deadline)] {
            let cost = cost(&bill(run, ended));
            let saved: u64 = cost.saved.iter().map(|s| s.passes).sum();
            assert_eq!(cost.announced, cost.run + saved, "{ended:?}");
        }
    }
}
