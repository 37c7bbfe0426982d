//! Who gets the next places in a batch.

use std::collections::VecDeque;
use std::sync::Arc;

use unmask_core::{Perturbation, Round};

use crate::answers::Answers;
use crate::queue::Ticket;

/// One perturbation that a worker is to run.
pub(crate) struct Item {
    pub(crate) round: Arc<Round>,
    pub(crate) index: usize,
    pub(crate) number: u64,
    pub(crate) answers: Arc<Answers>,
}

impl Item {
    pub(crate) fn perturbation(&self) -> &Perturbation {
        &self.round.items[self.index]
    }
}

/// The next batch: one perturbation of each waiting round in turn, until it is full. Rounds whose job has ended leave.
pub(crate) fn next(waiting: &mut VecDeque<Ticket>, batch: usize) -> Vec<Item> {
    waiting.retain(|ticket| ticket.answers.wanted());
    let mut items = Vec::with_capacity(batch);
    while items.len() < batch {
        let Some(mut ticket) = waiting.pop_front() else { break };
        items.push(Item {
            round: Arc::clone(&ticket.round),
            index: ticket.next,
            number: ticket.number,
            answers: Arc::clone(&ticket.answers),
        });
        ticket.next += 1;
        if ticket.next < ticket.round.items.len() {
            waiting.push_back(ticket);
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use unmask_core::Tensor;

    fn ticket(rows: usize, answers: &Arc<Answers>) -> Ticket {
        let picture = Arc::new(Tensor::constant(&[0.0; 3], 1, 1));
        let items = vec![Perturbation::Dense(Arc::clone(&picture)); rows];
        let round = Arc::new(Round { image: Arc::clone(&picture), fill: picture, items });
        Ticket { round, number: 0, next: 0, answers: Arc::clone(answers) }
    }

    fn owners(items: &[Item], jobs: &[&Arc<Answers>]) -> Vec<usize> {
        items.iter().map(|i| jobs.iter().position(|j| Arc::ptr_eq(j, &i.answers)).unwrap()).collect()
    }

    #[test]
    fn jobs_take_turns_at_the_grain_of_one_pass() {
        let (a, b) = (Arc::default(), Arc::default());
        let mut waiting = VecDeque::from([ticket(5, &a), ticket(2, &b)]);
        assert_eq!(owners(&next(&mut waiting, 3), &[&a, &b]), [0, 1, 0]);
        assert_eq!(owners(&next(&mut waiting, 9), &[&a, &b]), [1, 0, 0, 0]);
        assert!(next(&mut waiting, 9).is_empty());
    }

    #[test]
    fn a_cancelled_job_leaves_before_it_costs_a_pass() {
        let (a, b): (Arc<Answers>, Arc<Answers>) = (Arc::default(), Arc::default());
        let mut waiting = VecDeque::from([ticket(5, &a), ticket(2, &b)]);
        a.cancel();
        assert_eq!(owners(&next(&mut waiting, 9), &[&a, &b]), [1, 1]);
    }
}
