//! Passes and times.

use std::time::Duration;

use unmask_protocol::v1::{self, SavingReason};

use crate::run::{Bill, Why};

pub(super) fn cost(bill: &Bill) -> v1::Cost {
    let saved = bill.savings.iter().map(|saving| {
        let reason = match saving.why {
            Why::Converged => SavingReason::Converged,
            Why::Flipped => SavingReason::Flipped,
            Why::Deadline => SavingReason::Deadline,
            Why::Budget => SavingReason::Budget,
            Why::Duplicate => SavingReason::Duplicate,
            Why::Cached => SavingReason::Cached,
            Why::Shared => SavingReason::Shared,
        };
        v1::Saving { reason: reason.into(), passes: saving.passes }
    });
    v1::Cost {
        announced: bill.announced,
        asked: bill.meter.asked,
        run: bill.meter.run,
        saved: saved.collect(),
        used: bill.meter.used,
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
