use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Scope, ScopedJoinHandle, scope, yield_now};
use std::time::Instant;

use unmask_core::{Ended, ForwardError};

use super::*;

type Values = Shared<u8, Vec<u8>>;
type Answer = Result<(Arc<Vec<u8>>, Paid), RequestError>;

fn values(max_bytes: u64, ttl: Duration) -> Values {
    Shared::new(Policy { max_bytes, ttl }, Vec::len)
}

fn keeping() -> Values {
    values(1 << 20, Duration::from_secs(3600))
}

/// Only keeps a broken test from hanging.
const PATIENCE: Duration = Duration::from_secs(20);

/// A run that tells when it has started and goes on when it is told to, or ends when it is cancelled.
struct Planted {
    started: Receiver<Cancel>,
    go: Sender<Result<Vec<u8>, RequestError>>,
}

fn planted() -> (Planted, impl FnOnce(Cancel) -> Result<Vec<u8>, RequestError> + Send + 'static) {
    let ((tell, started), (go, gone)) = (channel(), channel());
    let run = move |cancel: Cancel| {
        tell.send(cancel.clone()).unwrap();
        let patience = Instant::now() + PATIENCE;
        loop {
            match gone.try_recv() {
                Ok(answer) => return answer,
                Err(_) if cancel.is_cancelled() || Instant::now() > patience => {
                    return Err(ForwardError::Cancelled.into());
                }
                Err(_) => yield_now(),
            }
        }
    };
    (Planted { started, go }, run)
}

fn never(_: Cancel) -> Result<Vec<u8>, RequestError> {
    unreachable!("it is under way or kept already")
}

fn spawn<'s>(
    scope: &'s Scope<'s, '_>,
    values: &'s Values,
    caller: &Caller,
    run: impl FnOnce(Cancel) -> Result<Vec<u8>, RequestError> + Send + 'static,
) -> ScopedJoinHandle<'s, Answer> {
    let caller = caller.clone();
    scope.spawn(move || values.get(&7, &caller, run))
}

/// Until so many wait for the run.
fn until_waiting(values: &Values, count: usize) {
    let patience = Instant::now() + PATIENCE;
    while values.board.waiting(&7) != count {
        assert!(Instant::now() < patience, "{count} callers wait in the end");
        yield_now();
    }
}

#[test]
fn two_callers_at_the_same_time_are_one_run_and_the_next_gets_what_was_kept() {
    let (values, (plant, run)) = (keeping(), planted());
    scope(|scope| {
        let first = spawn(scope, &values, &Caller::default(), run);
        plant.started.recv().unwrap();
        let second = spawn(scope, &values, &Caller::default(), never);
        until_waiting(&values, 2);
        plant.go.send(Ok(vec![1, 2])).unwrap();
        let (found, paid) = first.join().unwrap().unwrap();
        assert_eq!((found.as_slice(), paid), (&[1, 2][..], Paid::Here));
        let (shared, paid) = second.join().unwrap().unwrap();
        assert!(Arc::ptr_eq(&found, &shared) && paid == Paid::Shared);
        let (kept, paid) = values.get(&7, &Caller::default(), never).unwrap();
        assert!(Arc::ptr_eq(&found, &kept) && paid == Paid::Cached);
    });
}

#[test]
fn the_run_outlives_the_one_who_started_it_while_another_waits() {
    let late = Caller { deadline: Some(Instant::now()), ..Caller::default() };
    let gone = Caller::default();
    gone.cancel.cancel();
    for (leaver, error) in
        [(gone, ForwardError::Cancelled), (late, ForwardError::Unanswered(Ended::Deadline))]
    {
        let (values, (plant, run)) = (keeping(), planted());
        scope(|scope| {
            let anchor = spawn(scope, &values, &Caller::default(), run);
            let cancel = plant.started.recv().unwrap();
            assert_eq!(values.get(&7, &leaver, never).unwrap_err(), error.into());
            assert!(!cancel.is_cancelled());
            plant.go.send(Ok(vec![3])).unwrap();
            assert_eq!(anchor.join().unwrap().unwrap().0.as_slice(), [3]);
        });
    }
    let (values, (plant, run)) = (keeping(), planted());
    scope(|scope| {
        let starter = Caller::default();
        let first = spawn(scope, &values, &starter, run);
        plant.started.recv().unwrap();
        let second = spawn(scope, &values, &Caller::default(), never);
        until_waiting(&values, 2);
        starter.cancel.cancel();
        assert_eq!(first.join().unwrap().unwrap_err(), ForwardError::Cancelled.into());
        plant.go.send(Ok(vec![4])).unwrap();
        let (found, paid) = second.join().unwrap().unwrap();
        assert_eq!((found.as_slice(), paid), (&[4][..], Paid::Shared));
    });
}

#[test]
fn a_run_for_which_nobody_waits_any_more_is_cancelled_and_the_next_one_is_new() {
    let (values, (plant, run)) = (keeping(), planted());
    scope(|scope| {
        let callers = [Caller::default(), Caller::default()];
        let first = spawn(scope, &values, &callers[0], run);
        let cancel = plant.started.recv().unwrap();
        let second = spawn(scope, &values, &callers[1], never);
        until_waiting(&values, 2);
        callers[0].cancel.cancel();
        first.join().unwrap().unwrap_err();
        assert!(!cancel.is_cancelled());
        callers[1].cancel.cancel();
        second.join().unwrap().unwrap_err();
        assert!(cancel.is_cancelled());
        let (found, paid) = values.get(&7, &Caller::default(), |_| Ok(vec![5])).unwrap();
        assert_eq!((found.as_slice(), paid), (&[5][..], Paid::Here));
    });
}

#[test]
fn a_failure_answers_all_who_wait_and_is_not_kept() {
    let error =
        RequestError::from(ForwardError::Backend { model: "m@1".into(), reason: "out of memory".into() });
    let (values, (plant, run)) = (keeping(), planted());
    scope(|scope| {
        let first = spawn(scope, &values, &Caller::default(), run);
        plant.started.recv().unwrap();
        let second = spawn(scope, &values, &Caller::default(), never);
        until_waiting(&values, 2);
        plant.go.send(Err(error.clone())).unwrap();
        assert_eq!(first.join().unwrap().unwrap_err(), error);
        assert_eq!(second.join().unwrap().unwrap_err(), error);
    });
    assert_eq!(values.get(&7, &Caller::default(), |_| Ok(vec![6])).unwrap().1, Paid::Here);
}

#[test]
fn a_panic_answers_whoever_waits_and_is_not_kept() {
    let values = keeping();
    let answer = values.get(&7, &Caller::default(), |_| panic!("a bug in the search"));
    assert_eq!(answer.unwrap_err(), RequestError::Panicked);
    assert_eq!(values.get(&7, &Caller::default(), |_| Ok(vec![8])).unwrap().1, Paid::Here);
}

#[test]
fn what_has_expired_or_must_not_be_kept_is_made_again() {
    for values in [values(1 << 20, Duration::from_nanos(1)), values(0, Duration::from_secs(3600))] {
        for _ in 0..2 {
            assert_eq!(values.get(&7, &Caller::default(), |_| Ok(vec![9])).unwrap().1, Paid::Here);
        }
    }
}

#[test]
fn no_more_bytes_are_kept_than_allowed_and_the_oldest_go_first() {
    let values = values(100, Duration::from_secs(3600));
    let runs = AtomicUsize::new(0);
    let get = |key: u8, bytes: usize| {
        let paid = values.get(&key, &Caller::default(), move |_| Ok(vec![0; bytes])).unwrap().1;
        runs.fetch_add(usize::from(paid == Paid::Here), Ordering::Relaxed);
        let kept = values.kept.as_ref().unwrap();
        assert!(kept.weighted_size() <= 100, "{}", kept.weighted_size());
        paid
    };
    for key in 0..10 {
        assert_eq!(get(key, 40), Paid::Here);
    }
    assert_eq!((get(9, 40), get(8, 40), get(0, 40)), (Paid::Cached, Paid::Cached, Paid::Here));
    assert_eq!((get(20, 101), get(20, 101)), (Paid::Here, Paid::Here), "what is too large is not kept");
}

#[test]
fn a_key_tells_pictures_models_parameters_and_seeds_apart() {
    use unmask_explainer::fill::adversarial::{Bounded, Paper};
    let spec = |name| ModelSpec::plain(name, 2, 2, &["real", "fake"]);
    let image = |v| Tensor::constant(&[v; 3], 2, 2);
    let search = Search::Bounded(Bounded::default());
    let other = Search::Bounded(Bounded { sigma: 11.500_000_000_000_002, ..Bounded::default() });
    let keys = [
        Key::new("", &image(0.0), &spec("a"), &search, 0),
        Key::new("", &image(f32::from_bits(1)), &spec("a"), &search, 0),
        Key::new("", &image(0.0), &spec("b"), &search, 0),
        Key::new("", &image(0.0), &spec("a"), &other, 0),
        Key::new("", &image(0.0), &spec("a"), &Search::Paper(Paper::default()), 0),
        Key::new("", &image(0.0), &spec("a"), &search, 1),
        Key::new("another", &image(0.0), &spec("a"), &search, 0),
    ];
    for (i, key) in keys.iter().enumerate() {
        assert!(keys[..i].iter().all(|other| other != key), "{i}");
    }
    assert_eq!(keys[0], Key::new("", &image(0.0), &spec("a"), &search, 0));
}
