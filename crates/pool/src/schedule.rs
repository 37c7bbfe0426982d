//! Who gets the next places in a batch: start-time fair queueing at the grain of one pass.
//!
//! Each job has a virtual time that a pass moves on by the inverse of the job's weight, and the job that is furthest behind
//! goes next. A job that comes, or comes back, starts at the time of the one that went last: it gains nothing by having been
//! away and waits for nobody's turn to end. Goyal, Vin and Cheng, "Start-time Fair Queueing", SIGCOMM 1996, DOI
//! 10.1145/248156.248171.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use unmask_core::{Perturbation, Round};

use crate::answers::Answers;

/// Virtual time of a pass of a job of weight 1.
const PASS: u64 = 1 << 20;

/// One perturbation that a worker is to run.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) round: Arc<Round>,
    pub(crate) index: usize,
    pub(crate) number: u64,
    pub(crate) answers: Arc<Answers>,
    /// Times that a batch with it has failed.
    pub(crate) failures: u32,
    /// When its round was asked for.
    pub(crate) since: Instant,
}

impl Item {
    pub(crate) fn perturbation(&self) -> &Perturbation {
        &self.round.items[self.index]
    }
}

/// The jobs of a model and what they wait for.
#[derive(Default)]
pub(crate) struct Fair {
    jobs: HashMap<u64, Job>,
    /// Jobs that wait for something, the one that is furthest behind first.
    order: BTreeSet<(u64, u64)>,
    now: u64,
    next_id: u64,
    passes: usize,
}

struct Job {
    answers: Arc<Answers>,
    weight: u32,
    time: u64,
    rounds: VecDeque<Ticket>,
}

/// A round of which the first rows have been handed out.
struct Ticket {
    round: Arc<Round>,
    number: u64,
    next: usize,
    since: Instant,
}

impl Fair {
    /// A new job.
    pub(crate) fn enter(&mut self, answers: &Arc<Answers>, weight: u32) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let job = Job {
            answers: Arc::clone(answers),
            weight: weight.max(1),
            time: self.now,
            rounds: VecDeque::new(),
        };
        self.jobs.insert(id, job);
        id
    }

    /// The job has gone, with everything that it still waited for.
    pub(crate) fn leave(&mut self, id: u64) {
        self.withdraw(id);
        self.jobs.remove(&id);
    }

    /// A round of a job; one of a job that has left is nobody's.
    pub(crate) fn submit(&mut self, id: u64, number: u64, round: Arc<Round>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if job.rounds.is_empty() {
            job.time = job.time.max(self.now);
            self.order.insert((job.time, id));
        }
        self.passes += round.items.len();
        job.rounds.push_back(Ticket { round, number, next: 0, since: Instant::now() });
    }

    /// Takes back what a job still waits for.
    pub(crate) fn withdraw(&mut self, id: u64) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        self.order.remove(&(job.time, id));
        let left = |ticket: &Ticket| ticket.round.items.len() - ticket.next;
        self.passes -= job.rounds.iter().map(left).sum::<usize>();
        job.rounds.clear();
    }

    /// The next pass, if any. What nobody wants any more is taken back.
    pub(crate) fn next(&mut self) -> Option<Item> {
        loop {
            let (time, id) = *self.order.first()?;
            let Some(job) = self.jobs.get_mut(&id).filter(|job| job.answers.wanted()) else {
                self.withdraw(id);
                self.order.remove(&(time, id));
                continue;
            };
            self.order.remove(&(time, id));
            self.now = self.now.max(time);
            job.time = time + PASS / u64::from(job.weight);
            let Some(ticket) = job.rounds.front_mut() else { continue };
            let item = Item {
                round: Arc::clone(&ticket.round),
                index: ticket.next,
                number: ticket.number,
                answers: Arc::clone(&job.answers),
                failures: 0,
                since: ticket.since,
            };
            ticket.next += 1;
            self.passes -= 1;
            if ticket.next == ticket.round.items.len() {
                job.rounds.pop_front();
            }
            if !job.rounds.is_empty() {
                self.order.insert((job.time, id));
            }
            return Some(item);
        }
    }

    /// Passes that wait.
    pub(crate) fn passes(&self) -> usize {
        self.passes
    }

    /// When the oldest of them was asked for.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.jobs.values().filter_map(|job| job.rounds.front()).map(|ticket| ticket.since).min()
    }

    /// Rounds that wait, in whole or in part.
    pub(crate) fn rounds(&self) -> usize {
        self.jobs.values().map(|job| job.rounds.len()).sum()
    }

    /// Jobs that have a place.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs.len()
    }

    /// Everybody who waits, whose rounds are taken back.
    pub(crate) fn give_up(&mut self) -> Vec<Arc<Answers>> {
        let waiting: Vec<u64> = self.order.iter().map(|(_, id)| *id).collect();
        waiting.iter().for_each(|id| self.withdraw(*id));
        waiting.iter().filter_map(|id| self.jobs.get(id)).map(|job| Arc::clone(&job.answers)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unmask_core::Tensor;

    fn round(rows: usize) -> Arc<Round> {
        let picture = Arc::new(Tensor::constant(&[0.0; 3], 1, 1));
        let items = vec![Perturbation::Dense(Arc::clone(&picture)); rows];
        Arc::new(Round { image: Arc::clone(&picture), fill: picture, items })
    }

    struct World {
        fair: Fair,
        answers: Vec<Arc<Answers>>,
        ids: Vec<u64>,
    }

    fn world(weights: &[u32]) -> World {
        let mut fair = Fair::default();
        let answers: Vec<_> = weights.iter().map(|_| Arc::new(Answers::default())).collect();
        let ids = answers.iter().zip(weights).map(|(a, weight)| fair.enter(a, *weight)).collect();
        World { fair, answers, ids }
    }

    impl World {
        fn ask(&mut self, job: usize, rows: usize) {
            self.fair.submit(self.ids[job], 0, round(rows));
        }

        /// Whose the next passes are.
        fn take(&mut self, count: usize) -> Vec<usize> {
            let owner = |item: Item| self.answers.iter().position(|a| Arc::ptr_eq(a, &item.answers)).unwrap();
            (0..count).map_while(|_| self.fair.next()).map(owner).collect()
        }
    }

    #[test]
    fn equal_jobs_take_turns() {
        let mut world = world(&[1, 1]);
        world.ask(0, 5);
        world.ask(1, 2);
        assert_eq!(world.take(3), [0, 1, 0]);
        assert_eq!(world.fair.passes(), 4);
        assert_eq!(world.take(9), [1, 0, 0, 0]);
        assert_eq!((world.fair.passes(), world.fair.rounds(), world.fair.jobs()), (0, 0, 2));
    }

    #[test]
    fn shares_are_those_of_the_weights_and_spread() {
        let mut world = world(&[16, 4, 1]);
        (0..3).for_each(|job| world.ask(job, 2000));
        let owners = world.take(2100);
        for window in owners.chunks_exact(210) {
            for (job, expected) in [(0, 160), (1, 40), (2, 10)] {
                let got = window.iter().filter(|owner| **owner == job).count();
                assert!(got.abs_diff(expected) <= 1, "{job}: {got}");
            }
        }
        // No long run of one where another is due: the second comes every five passes or so.
        let longest = owners.split(|owner| *owner != 0).map(<[usize]>::len).max().unwrap();
        assert!(longest <= 5, "{longest}");
    }

    #[test]
    fn whoever_comes_late_starts_at_once_and_gains_nothing_by_it() {
        let mut world = world(&[1, 1]);
        world.ask(0, 1000);
        assert_eq!(world.take(100), vec![0; 100]);
        world.ask(1, 1000);
        let owners = world.take(100);
        assert_eq!(owners[..4], [1, 0, 1, 0]);
        assert_eq!(owners.iter().filter(|owner| **owner == 1).count(), 50);
        // The same for one that comes back.
        world.fair.withdraw(world.ids[1]);
        world.take(100);
        world.ask(1, 100);
        assert_eq!(world.take(40).iter().filter(|owner| **owner == 1).count(), 20);
    }

    #[test]
    fn a_cancelled_job_leaves_before_it_costs_a_pass() {
        let mut world = world(&[1, 1]);
        world.ask(0, 5);
        world.ask(1, 2);
        world.answers[0].cancel();
        assert_eq!(world.take(9), [1, 1]);
        assert_eq!((world.fair.passes(), world.fair.rounds()), (0, 0));
    }

    #[test]
    fn what_is_given_up_is_known_and_gone() {
        let mut world = world(&[1, 1, 1]);
        world.ask(0, 5);
        world.ask(2, 5);
        assert_eq!(world.fair.give_up().len(), 2);
        assert!(world.take(1).is_empty() && world.fair.passes() == 0);
        world.fair.leave(world.ids[0]);
        world.ask(0, 1);
        assert!(world.take(1).is_empty(), "of a job that has left");
        world.ask(2, 1);
        assert_eq!(world.take(9), [2]);
    }
}
