//! The queue under every order in which threads can reach its locks (loom, after Norris and Demsky, OOPSLA 2013).
//!
//! What is proved of these small worlds: no wakeup is lost, whoever waits is answered once, with scores or with the reason, and
//! nothing is run twice or lost on the ways through close, cancel, failure and loss of a worker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use loom::thread::{self, JoinHandle};
use unmask_core::{ForwardError, Perturbation, Round, Tensor};

use crate::answers::{Answers, Waited};
use crate::probe::Batching;
use crate::queue::{Place, Queue};
use crate::schedule::Item;

/// Switches between threads that are explored at places where none has to wait; all orders of so few are enough for what goes
/// wrong between two.
const SWITCHES: usize = 3;

fn explore(world: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(SWITCHES);
    model.check(world);
}

fn round(rows: usize) -> Round {
    let picture = |i| Arc::new(Tensor::constant(&[i as f32; 3], 1, 1));
    let items = (0..rows).map(|i| Perturbation::Dense(picture(i))).collect();
    Round { image: picture(0), fill: picture(0), items }
}

fn answer(items: &[Item]) {
    for item in items {
        item.answers.row(item.number, item.index, &[item.index as f32], Duration::ZERO, Instant::now());
    }
}

/// A worker that answers until the queue is closed, and counts.
fn worker(queue: &Arc<Queue>, number: usize) -> JoinHandle<usize> {
    let queue = Arc::clone(queue);
    thread::spawn(move || {
        let mut run = 0;
        while let Some(items) = queue.take(number, Batching::Any(2)) {
            answer(&items);
            run += items.len();
        }
        run
    })
}

/// A job with a place.
fn enter(queue: &Arc<Queue>) -> (Arc<Answers>, Place) {
    let answers = Arc::new(Answers::default());
    let place = queue.enter(&answers, 1).unwrap();
    (answers, place)
}

/// Asks for so many rows and waits for them.
fn ask(answers: &Answers, place: &Place, rows: usize) -> Result<Waited, ForwardError> {
    answers.expect(0, rows, 1);
    place.submit(0, round(rows))?;
    answers.wait(0)
}

fn is_scores(waited: &Result<Waited, ForwardError>, rows: usize) -> bool {
    matches!(waited, Ok(Waited::Scores(scores)) if scores.len() == rows
        && scores.rows().enumerate().all(|(i, row)| row == [i as f32]))
}

#[test]
fn every_row_is_run_once_and_the_job_is_woken() {
    explore(|| {
        let queue = Queue::new("m".into(), 2, 1);
        let worker = worker(&queue, 0);
        let (answers, place) = enter(&queue);
        assert!(is_scores(&ask(&answers, &place, 3), 3));
        drop(place);
        queue.close("over");
        assert_eq!(worker.join().unwrap(), 3);
    });
}

#[test]
fn a_close_is_heard_by_workers_and_by_whoever_waits() {
    explore(|| {
        let queue = Queue::new("m".into(), 2, 1);
        let worker = worker(&queue, 0);
        let (answers, place) = enter(&queue);
        let closing = Arc::clone(&queue);
        let closer = thread::spawn(move || closing.close("over"));
        // Taken before the close, it is answered; else it is told.
        let waited = ask(&answers, &place, 1);
        assert!(is_scores(&waited, 1) || matches!(waited, Err(ForwardError::Backend { .. })));
        closer.join().unwrap();
        worker.join().unwrap();
    });
}

#[test]
fn a_cancelled_job_ends_whatever_its_workers_do() {
    explore(|| {
        let queue = Queue::new("m".into(), 2, 1);
        let worker = worker(&queue, 0);
        let (answers, place) = enter(&queue);
        let cancelling = Arc::clone(&answers);
        let canceller = thread::spawn(move || cancelling.cancel());
        let waited = ask(&answers, &place, 1);
        assert!(is_scores(&waited, 1) || matches!(waited, Err(ForwardError::Cancelled)));
        canceller.join().unwrap();
        drop(place);
        queue.close("over");
        assert!(worker.join().unwrap() <= 1);
    });
}

#[test]
fn what_one_worker_could_not_run_is_run_by_another() {
    explore(|| {
        let queue = Queue::new("m".into(), 2, 2);
        let failing = Arc::clone(&queue);
        // It takes what it gets first, fails, and is lost.
        let lost = thread::spawn(move || {
            if let Some(mut items) = failing.take(0, Batching::Any(2)) {
                items.iter_mut().for_each(|item| item.failures += 1);
                failing.give_back(items);
            }
            failing.worker_gone(0, "lost");
        });
        let (answers, place) = enter(&queue);
        let worker = worker(&queue, 1);
        assert!(is_scores(&ask(&answers, &place, 2), 2));
        drop(place);
        queue.close("over");
        assert_eq!(worker.join().unwrap(), 2);
        lost.join().unwrap();
    });
}

#[test]
fn nobody_waits_for_a_model_whose_last_worker_is_down() {
    explore(|| {
        let queue = Queue::new("m".into(), 2, 1);
        let failing = Arc::clone(&queue);
        let worker = thread::spawn(move || {
            if let Some(items) = failing.take(0, Batching::Any(2)) {
                failing.give_back(items);
            }
            failing.worker_replacing(0);
            failing.worker_down(0, "no session");
            failing.worker_up(0);
            while let Some(items) = failing.take(0, Batching::Any(2)) {
                answer(&items);
            }
        });
        let (answers, place) = enter(&queue);
        let waited = ask(&answers, &place, 1);
        assert!(is_scores(&waited, 1) || matches!(waited, Err(ForwardError::Backend { .. })));
        drop(place);
        queue.close("over");
        worker.join().unwrap();
    });
}
