//! The words that labels are made of.

use unmask_core::{Ended, ForwardError};

use crate::error::{RequestError, Shortage};
use crate::fills::Paid;
use crate::run::Why;

/// Why a request was refused before its first pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reject {
    Places,
    Passes,
    Memory,
    Quota,
    TooDear,
    Invalid,
    Unauthenticated,
    Forbidden,
    Draining,
}

impl Reject {
    pub(crate) const ALL: [Self; 9] = [
        Self::Places,
        Self::Passes,
        Self::Memory,
        Self::Quota,
        Self::TooDear,
        Self::Invalid,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::Draining,
    ];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Places => "places",
            Self::Passes => "passes",
            Self::Memory => "memory",
            Self::Quota => "quota",
            Self::TooDear => "too_dear",
            Self::Invalid => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::Draining => "draining",
        }
    }

    /// The reason that an error stands for; an error that comes later than that stands for none.
    pub(crate) fn of(error: &RequestError) -> Option<Self> {
        match error {
            RequestError::Invalid(_) | RequestError::NoModel(_) => Some(Self::Invalid),
            RequestError::Full(Shortage::Places) | RequestError::Forward(ForwardError::Overloaded { .. }) => {
                Some(Self::Places)
            }
            RequestError::Full(Shortage::Passes) => Some(Self::Passes),
            RequestError::Full(Shortage::Memory) | RequestError::NoRoom { .. } => Some(Self::Memory),
            RequestError::Full(Shortage::Quota { .. }) => Some(Self::Quota),
            RequestError::TooDear { .. } => Some(Self::TooDear),
            RequestError::Unknown(_) => Some(Self::Unauthenticated),
            RequestError::Forbidden(_) => Some(Self::Forbidden),
            RequestError::Draining => Some(Self::Draining),
            RequestError::Missed(_)
            | RequestError::Silent
            | RequestError::Forward(
                ForwardError::Cancelled
                | ForwardError::Backend { .. }
                | ForwardError::Unanswered(_)
                | ForwardError::Malformed(_),
            )
            | RequestError::Unrecorded
            | RequestError::Panicked => None,
        }
    }
}

/// Why passes that were announced were not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saved {
    /// Of a request that was answered.
    Answered(Why),
    /// Of a request whose caller has gone.
    Cancelled,
}

impl Saved {
    pub(super) const ALL: [Self; 8] = [
        Self::Answered(Why::Converged),
        Self::Answered(Why::Flipped),
        Self::Answered(Why::Deadline),
        Self::Answered(Why::Budget),
        Self::Answered(Why::Duplicate),
        Self::Answered(Why::Cached),
        Self::Answered(Why::Shared),
        Self::Cancelled,
    ];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Answered(Why::Converged) => "converged",
            Self::Answered(Why::Flipped) => "flipped",
            Self::Answered(Why::Deadline) => "deadline",
            Self::Answered(Why::Budget) => "budget",
            Self::Answered(Why::Duplicate) => "duplicate",
            Self::Answered(Why::Cached) => "cached",
            Self::Answered(Why::Shared) => "shared",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Where an adversarial fill came from.
pub(super) fn paid(by: Paid) -> &'static str {
    match by {
        Paid::Here => "searched",
        Paid::Shared => "shared",
        Paid::Cached => "cached",
    }
}

/// What ended a method's rounds.
pub(super) fn ended(why: Ended) -> &'static str {
    match why {
        Ended::All => "all",
        Ended::Stopped => "stopped",
        Ended::Deadline => "deadline",
        Ended::Budget => "budget",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_has_a_word_of_its_own() {
        let words: BTreeSet<_> = Reject::ALL.iter().map(|reject| reject.word()).collect();
        assert_eq!(words.len(), Reject::ALL.len());
        let words: BTreeSet<_> = Saved::ALL.iter().map(|saved| saved.word()).collect();
        assert_eq!(words.len(), Saved::ALL.len());
    }

    #[test]
    fn what_comes_after_the_first_pass_is_no_refusal() {
        for error in [RequestError::Panicked, RequestError::Silent, ForwardError::Cancelled.into()] {
            assert_eq!(Reject::of(&error), None, "{error:?}");
        }
        assert_eq!(Reject::of(&Shortage::Memory.into()), Some(Reject::Memory));
        assert_eq!(Reject::of(&RequestError::TooDear { announced: 2, most: 1 }), Some(Reject::TooDear));
    }
}
