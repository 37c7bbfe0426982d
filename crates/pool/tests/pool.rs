//! The pool over closed-form models: what workers, batches and neighbours must never change, and how jobs end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;

use unmask_core::{
    Basis, Block, Direction, Ended, Forward, ForwardError, Map, ModelSpec, Noise, Perturbation, Round,
    Target, Tensor,
};
use unmask_explainer::methods::{Context, Method, Rise};
use unmask_explainer::segment::grid;
use unmask_pool::{BackendError, Cancel, Job, Limits, Opener, Planted, Served};

const SIDE: usize = 16;

fn spec() -> ModelSpec {
    ModelSpec::plain("planted", SIDE, SIDE, &["real", "fake"])
}

/// A model that is not linear, so that a wrong neighbour would be seen.
fn logits(x: &[f32]) -> Vec<f32> {
    let sum: f32 = x.iter().enumerate().map(|(i, v)| v * ((i * 37 % 101) as f32 / 50.0 - 1.0)).sum();
    vec![(sum * 0.3).sin(), sum.tanh() * 2.0]
}

fn honest() -> Opener {
    Planted::opener(|x| Ok(logits(x)))
}

fn served(workers: usize, batch: usize) -> Served {
    Served::planted(spec(), (0..workers).map(|_| honest()).collect(), batch, 8).unwrap()
}

fn picture(value: f32) -> Arc<Tensor> {
    let data = (0..3 * SIDE * SIDE).map(|i| value + i as f32 * 1e-3).collect();
    Arc::new(Tensor::new(3, SIDE, SIDE, data).unwrap())
}

fn round(rows: usize, value: f32) -> Round {
    let items = (0..rows).map(|i| Perturbation::Dense(picture(value + i as f32))).collect();
    Round { image: picture(value), fill: picture(0.0), items }
}

fn explain(job: &Job, value: f32, seed: u64) -> Map {
    let method = Method::Rise(Rise { masks: 700, ..Rise::default() });
    let context = Context {
        image: &picture(value),
        fill: &picture(0.0),
        target: &Target::class(1, 2),
        segments: &Arc::new(grid(SIDE, SIDE, 4, 4)),
        seed,
        image_score: 0.0,
        fill_score: 0.0,
        forward: job,
    };
    method.explain(&context).unwrap().map
}

#[test]
fn batch_size_and_workers_never_change_a_map() {
    let expected = explain(&served(1, 1).job(Limits::default()).unwrap(), 1.0, 7);
    for workers in [1, 2] {
        for batch in [1, 3, 7, 64] {
            let served = served(workers, batch);
            let map = explain(&served.job(Limits::default()).unwrap(), 1.0, 7);
            assert_eq!(map, expected, "{workers} workers, batch {batch}");
        }
    }
}

#[test]
fn neighbours_never_change_a_map() {
    let served = served(2, 7);
    let alone: Vec<Map> =
        (0..4).map(|i| explain(&served.job(Limits::default()).unwrap(), i as f32, i)).collect();
    let together: Vec<Map> = std::thread::scope(|scope| {
        let served = &served;
        let threads: Vec<_> = (0..4)
            .map(|i| scope.spawn(move || explain(&served.job(Limits::default()).unwrap(), i as f32, i)))
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(alone, together);
}

#[test]
fn a_batch_mixes_jobs() {
    // The only worker is held at its first picture until both jobs wait; the next batches then hold both of them.
    let (held, release) = (Arc::new(AtomicUsize::new(0)), mpsc::channel::<()>());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (go, (sender, receiver), log) = (Arc::clone(&held), release, Arc::clone(&seen));
    let backend = Planted::opener(move |x| {
        if go.fetch_add(1, Ordering::SeqCst) == 0 {
            receiver.recv().unwrap();
        }
        log.lock().unwrap().push(x[0] as usize / 1000);
        Ok(logits(x))
    });
    let served = Served::planted(spec(), vec![backend], 4, 8).unwrap();
    std::thread::scope(|scope| {
        for owner in [1.0, 2.0] {
            let job = served.job(Limits::default()).unwrap();
            scope.spawn(move || job.scores(round(30, owner * 1000.0)).unwrap());
        }
        while served.waiting() < 2 {
            std::thread::yield_now();
        }
        sender.send(()).unwrap();
    });
    let seen = seen.lock().unwrap();
    assert!(
        seen.windows(2).any(|pair| pair == [1, 2]) && seen.windows(2).any(|pair| pair == [2, 1]),
        "{seen:?}"
    );
}

#[test]
fn scores_come_in_the_order_of_the_questions() {
    let served = served(2, 3);
    let job = served.job(Limits::default()).unwrap();
    let scores = job.scores(round(50, 1.0)).unwrap();
    for (i, row) in scores.rows().enumerate() {
        assert_eq!(row, logits(picture(1.0 + i as f32).data()));
    }
}

#[test]
fn a_budget_ends_between_rounds_and_keeps_what_was_folded() {
    let served = served(1, 4);
    let job = served.job(Limits { passes: Some(25), ..Limits::default() }).unwrap();
    let mut folded = 0;
    let ended = job.run(&mut (0..5).map(|_| round(10, 0.0)), &mut |_, scores| {
        folded += scores.len();
        ControlFlow::Continue(())
    });
    assert_eq!((ended, folded), (Ok(Ended::Budget), 20));
    assert_eq!((job.meter().asked, job.meter().run), (20, 20));
}

#[test]
fn passes_of_a_search_count_against_the_budget_and_in_the_progress() {
    let served = served(1, 4);
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let progress: Arc<dyn Fn(u64) + Send + Sync> = Arc::new(move |folded| tell.lock().unwrap().push(folded));
    let limits = Limits { passes: Some(25), progress: Some(progress), ..Limits::default() };
    let job = served.job(limits).unwrap();
    assert!(job.scores(round(10, 0.0)).is_ok());
    job.charge(10);
    assert_eq!(job.scores(round(6, 0.0)), Err(ForwardError::Unanswered(Ended::Budget)));
    assert!(job.scores(round(5, 0.0)).is_ok());
    assert_eq!(*told.lock().unwrap(), [10, 25]);
    assert_eq!(job.meter().run, 15, "what others ran is not this job's");
}

#[test]
fn a_deadline_ends_the_wait_and_frees_the_queue() {
    let (sender, receiver) = mpsc::channel::<()>();
    let stuck = Planted::opener(move |x| {
        receiver.recv().unwrap();
        Ok(logits(x))
    });
    let served = Served::planted(spec(), vec![stuck], 1, 8).unwrap();
    let due = Err(ForwardError::Unanswered(Ended::Deadline));
    // One that has passed asks for nothing; one that comes while the worker is stuck ends the wait.
    let past = served.job(Limits { deadline: Some(Instant::now()), ..Limits::default() }).unwrap();
    assert_eq!((past.scores(round(9, 0.0)), past.meter().asked), (due.clone(), 0));
    let deadline = Some(Instant::now() + std::time::Duration::from_millis(30));
    let job = served.job(Limits { deadline, ..Limits::default() }).unwrap();
    assert_eq!((job.scores(round(9, 0.0)), job.meter().asked), (due, 9));
    assert_eq!(served.waiting(), 0);
    drop(sender);
}

#[test]
fn a_deadline_is_seen_even_when_rounds_come_faster_than_they_are_folded() {
    let served = served(2, 8);
    let deadline = Instant::now() + std::time::Duration::from_secs(2);
    let job = served.job(Limits { deadline: Some(deadline), ..Limits::default() }).unwrap();
    let mut folded = 0;
    let ended = job.run(&mut (0..50).map(|_| round(2, 0.0)), &mut |_, _| {
        folded += 1;
        while Instant::now() < deadline || job.meter().run < 4 {
            std::thread::yield_now();
        }
        ControlFlow::Continue(())
    });
    assert_eq!((ended, folded), (Ok(Ended::Deadline), 1));
}

#[test]
fn stopping_takes_back_the_round_that_was_asked_ahead() {
    let served = served(1, 4);
    let job = served.job(Limits::default()).unwrap();
    let mut rounds = 0;
    let ended = job.run(&mut std::iter::repeat_with(|| round(4, 0.0)), &mut |_, _| {
        rounds += 1;
        ControlFlow::Break(())
    });
    assert_eq!((ended, rounds), (Ok(Ended::Stopped), 1));
    assert!(job.meter().run <= 8, "{:?}", job.meter());
}

#[test]
fn a_cancelled_job_ends_and_runs_at_most_the_batch_that_was_running() {
    let (sender, receiver) = mpsc::channel::<()>();
    let entered = Arc::new(AtomicUsize::new(0));
    let (count, receiver) = (Arc::clone(&entered), Mutex::new(receiver));
    let slow = Planted::opener(move |x| {
        count.fetch_add(1, Ordering::SeqCst);
        receiver.lock().unwrap().recv().unwrap();
        Ok(logits(x))
    });
    let served = Served::planted(spec(), vec![slow], 1, 8).unwrap();
    let cancel = Cancel::default();
    let job = served.job(Limits { cancel: cancel.clone(), ..Limits::default() }).unwrap();
    let result = std::thread::scope(|scope| {
        let running = scope.spawn(|| job.scores(round(50, 0.0)));
        while entered.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        cancel.cancel();
        running.join().unwrap()
    });
    assert_eq!(result, Err(ForwardError::Cancelled));
    drop(job);
    assert_eq!((served.waiting(), served.jobs()), (0, 0));
    sender.send(()).unwrap();
    drop(served);
    assert_eq!(entered.load(Ordering::SeqCst), 1);
}

#[test]
fn a_request_that_has_gone_before_its_job_starts_costs_no_pass() {
    let served = served(1, 4);
    let cancel = Cancel::default();
    cancel.cancel();
    let job = served.job(Limits { cancel, ..Limits::default() }).unwrap();
    assert_eq!(job.scores(round(50, 0.0)), Err(ForwardError::Cancelled));
    drop(job);
    assert_eq!((served.waiting(), served.jobs()), (0, 0));
}

/// A backend whose call number `i` does what `at(i)` says.
fn scripted(mut at: impl FnMut(usize, &[f32]) -> Result<Vec<f32>, String> + Send + 'static) -> Opener {
    let mut calls = 0;
    Planted::opener(move |x| {
        calls += 1;
        at(calls, x)
    })
}

#[test]
fn a_batch_that_fails_once_is_run_again_and_nobody_sees_it() {
    for fault in ["error", "panic", "short"] {
        let backend = scripted(move |call, x| match (call, fault) {
            (3, "error") => Err("out of memory".to_owned()),
            (3, "panic") => panic!("a bug in the backend"),
            (3, _) => Ok(Vec::new()),
            _ => Ok(logits(x)),
        });
        let served = Served::planted(spec(), vec![backend], 4, 8).unwrap();
        let job = served.job(Limits::default()).unwrap();
        let scores = job.scores(round(20, 1.0)).unwrap();
        for (i, row) in scores.rows().enumerate() {
            assert_eq!(row, logits(picture(1.0 + i as f32).data()), "{fault} {i}");
        }
        assert_eq!((job.meter().asked, job.meter().run), (20, 20), "{fault}");
        assert!(served.is_ready());
    }
}

#[test]
fn a_hundred_faults_of_a_backend_leave_every_job_with_one_answer_and_the_pool_whole() {
    let faults = Arc::new(AtomicUsize::new(0));
    let faulty = || {
        let faults = Arc::clone(&faults);
        let mut pass = 0usize;
        Planted::opener(move |x| {
            pass += 1;
            // Now and then, in every way, until there have been a hundred.
            if !pass.is_multiple_of(97) || faults.fetch_add(1, Ordering::Relaxed) >= 100 {
                return Ok(logits(x));
            }
            match pass / 97 % 4 {
                0 => Err("out of memory".to_owned()),
                1 => panic!("a bug in the backend"),
                2 => Ok(Vec::new()),
                _ => Ok(vec![f32::NAN; 2]),
            }
        })
    };
    let served = Served::planted(spec(), vec![faulty(), faulty()], 8, 16).unwrap();
    let (right, wrong) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (served, right, wrong) = (&served, &right, &wrong);
            scope.spawn(move || {
                for i in 0..40 {
                    let value = (client * 100 + i) as f32 / 7.0;
                    let job = served.job(Limits::default()).unwrap();
                    match job.scores(round(40, value)) {
                        Ok(scores) => {
                            let rows = scores.rows().enumerate();
                            let all = rows.fold(true, |all, (i, row)| {
                                all && row == logits(picture(value + i as f32).data())
                            });
                            assert!(all, "{client} {i}");
                            right.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(ForwardError::Backend { .. }) => {
                            wrong.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    let (right, wrong) = (right.into_inner(), wrong.into_inner());
    assert!(faults.load(Ordering::Relaxed) >= 100);
    assert_eq!(right + wrong, 320);
    // A score that is no number is its picture's own; every other fault is made good, but for a picture that meets two.
    assert!((1..=60).contains(&wrong), "{wrong}");
    assert_eq!((served.workers(), served.jobs(), served.waiting()), ((2, 2), 0, 0));
    assert!(served.job(Limits::default()).unwrap().scores(round(20, 1.0)).is_ok());
}

#[test]
fn a_picture_that_breaks_the_backend_costs_its_own_job_alone() {
    let poison = picture(666.0).data()[0];
    let backend = Planted::opener(move |x| match x[0] == poison {
        true => Err("this picture is too much".to_owned()),
        false => Ok(logits(x)),
    });
    let served = Served::planted(spec(), vec![backend], 8, 8).unwrap();
    std::thread::scope(|scope| {
        let served = &served;
        let good: Vec<_> = (0..3)
            .map(|i| {
                scope
                    .spawn(move || served.job(Limits::default()).unwrap().scores(round(100, 10.0 * i as f32)))
            })
            .collect();
        let bad = served.job(Limits::default()).unwrap().scores(round(10, 660.0));
        let error =
            ForwardError::Backend { model: "planted@1".into(), reason: "this picture is too much".into() };
        assert_eq!(bad, Err(error));
        good.into_iter().for_each(|thread| assert!(thread.join().unwrap().is_ok()));
    });
    assert!(served.job(Limits::default()).unwrap().scores(round(1, 0.0)).is_ok());
}

#[test]
fn a_score_that_is_no_number_costs_its_own_job_alone() {
    let bad = picture(666.0).data()[0];
    let backend = Planted::opener(move |x| Ok(if x[0] == bad { vec![f32::NAN, 0.0] } else { logits(x) }));
    let served = Served::planted(spec(), vec![backend], 8, 8).unwrap();
    let error = ForwardError::Backend { model: "planted@1".into(), reason: "got a score of NaN".into() };
    std::thread::scope(|scope| {
        let served = &served;
        let good = scope.spawn(|| served.job(Limits::default()).unwrap().scores(round(100, 0.0)));
        assert_eq!(served.job(Limits::default()).unwrap().scores(round(10, 660.0)), Err(error));
        assert!(good.join().unwrap().is_ok());
    });
}

/// A session that fails at its first picture, and cannot be opened again until it is told so.
fn fragile(may_open: &Arc<AtomicUsize>) -> Opener {
    let may_open = Arc::clone(may_open);
    let mut opened = 0;
    Box::new(move || {
        opened += 1;
        if opened > 1 && may_open.load(Ordering::SeqCst) == 0 {
            return Err(BackendError::Run("the device is lost".into()));
        }
        let first = opened == 1;
        Ok(Planted::boxed(move |x| if first { Err("it fell off the bus".into()) } else { Ok(logits(x)) }))
    })
}

#[test]
fn a_model_whose_last_worker_is_down_says_so_until_it_is_up_again() {
    let may_open = Arc::new(AtomicUsize::new(0));
    let served = Served::planted(spec(), vec![fragile(&may_open)], 4, 8).unwrap();
    assert!(served.is_ready() && served.workers() == (1, 1));
    let lost = ForwardError::Backend { model: "planted@1".into(), reason: "the device is lost".into() };
    assert_eq!(served.job(Limits::default()).unwrap().scores(round(20, 0.0)), Err(lost.clone()));
    assert!(!served.is_ready() && served.workers() == (0, 1));
    assert_eq!(served.job(Limits::default()).err(), Some(lost));
    may_open.store(1, Ordering::SeqCst);
    while !served.is_ready() {
        std::thread::yield_now();
    }
    assert!(served.job(Limits::default()).unwrap().scores(round(20, 0.0)).is_ok());
}

#[test]
fn a_worker_that_is_down_leaves_its_work_to_the_others() {
    let may_open = Arc::new(AtomicUsize::new(0));
    let served = Served::planted(spec(), vec![fragile(&may_open), honest()], 4, 8).unwrap();
    let answered = |i: usize| {
        let scores = served.job(Limits::default()).unwrap().scores(round(30, i as f32)).unwrap();
        assert_eq!(scores.row(29), logits(picture(i as f32 + 29.0).data()));
    };
    // Until the fragile one has been given something, and then without it.
    (0..).take_while(|_| served.workers() == (2, 2)).for_each(answered);
    (0..5).for_each(answered);
    assert!(served.is_ready() && served.workers() == (1, 2));
}

#[test]
fn what_is_asked_twice_in_a_round_is_run_once() {
    let served = served(2, 4);
    let job = served.job(Limits::default()).unwrap();
    let items: Vec<_> = round(6, 1.0).items;
    let twice: Vec<_> = items.iter().flat_map(|item| [item.clone(), item.clone()]).collect();
    let scores = job.scores(Round { items: twice, ..round(1, 1.0) }).unwrap();
    for (i, row) in scores.rows().enumerate() {
        assert_eq!(row, logits(picture(1.0 + (i / 2) as f32).data()));
    }
    assert_eq!((job.meter().asked, job.meter().run, job.meter().duplicate), (12, 6, 6));
}

#[test]
fn a_whole_picture_is_scored_once_however_it_is_asked_for() {
    let served = served(1, 4);
    let job = served.job(Limits::default()).unwrap();
    let (image, fill) = (picture(5.0), picture(0.0));
    let segments = Arc::new(grid(SIDE, SIDE, 2, 2));
    let shown =
        |shows: bool| Perturbation::Segments { labels: Arc::clone(&segments), shown: [shows; 4].into() };
    let ask = |items: Vec<Perturbation>| {
        job.scores(Round { image: Arc::clone(&image), fill: Arc::clone(&fill), items }).unwrap()
    };
    let first = ask(vec![Perturbation::Dense(Arc::clone(&image)), shown(false)]);
    assert_eq!(job.meter().run, 2);
    let again = ask(vec![shown(false), shown(true), Perturbation::Dense(Arc::clone(&fill))]);
    assert_eq!((again.row(0), again.row(1), again.row(2)), (first.row(1), first.row(0), first.row(1)));
    assert_eq!((job.meter().run, job.meter().duplicate), (2, 3));
    // The request's own picture stays known, whatever is scored in between.
    for i in 0..20 {
        ask(vec![Perturbation::Dense(picture(100.0 + i as f32))]);
    }
    assert_eq!(ask(vec![shown(true)]).row(0), first.row(0));
    assert_eq!(job.meter().run, 22);
}

#[test]
fn after_a_cancel_at_most_the_running_and_the_composed_batch_of_each_worker_are_run() {
    let (workers, batch) = (2, 4);
    let seen = Arc::new(AtomicUsize::new(0));
    let openers = (0..workers).map(|_| {
        let seen = Arc::clone(&seen);
        Planted::opener(move |x| {
            seen.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(1));
            Ok(logits(x))
        })
    });
    let served = Served::planted(spec(), openers.collect(), batch, 8).unwrap();
    let cancel = Cancel::default();
    let job = served.job(Limits { cancel: cancel.clone(), ..Limits::default() }).unwrap();
    let before = std::thread::scope(|scope| {
        let running = scope
            .spawn(|| job.run(&mut (0..100).map(|_| round(100, 0.0)), &mut |_, _| ControlFlow::Continue(())));
        while seen.load(Ordering::SeqCst) < 150 {
            std::thread::yield_now();
        }
        let before = seen.load(Ordering::SeqCst);
        cancel.cancel();
        assert_eq!(running.join().unwrap(), Err(ForwardError::Cancelled));
        before
    });
    drop((job, served));
    let after = seen.load(Ordering::SeqCst);
    assert!(after - before <= 2 * workers * batch, "{before} {after}");
}

#[test]
fn a_full_pool_refuses_and_a_finished_job_frees_its_place() {
    let served = Served::planted(spec(), vec![honest()], 4, 2).unwrap();
    let first = served.job(Limits::default()).unwrap();
    let _second = served.job(Limits::default()).unwrap();
    let full = ForwardError::Overloaded { model: "planted@1".into(), jobs: 2, limit: 2 };
    assert_eq!(served.job(Limits::default()).err(), Some(full));
    drop(first);
    assert!(served.job(Limits::default()).is_ok());
}

#[test]
fn a_malformed_round_is_refused_before_it_reaches_a_worker() {
    let served = served(1, 4);
    let job = served.job(Limits::default()).unwrap();
    let small = Arc::new(Tensor::constant(&[0.0; 3], 2, 2));
    let with = |item| Round { items: vec![item], ..round(1, 0.0) };
    let block = |cols| Block { rows: 0..SIDE, cols, channels: 0..3 };
    let noise = |basis, region: Option<usize>| {
        let region = region.map(|pixels| vec![true; pixels].into());
        let direction = Arc::new(Direction::new(0, 0, basis, (3, SIDE, SIDE)));
        Noise { direction, scale: [1.0; 3], region }
    };
    let wrong = [
        round(0, 0.0),
        round(129, 0.0),
        Round { items: vec![Perturbation::Dense(Arc::clone(&small))], ..round(1, 0.0) },
        Round { fill: small, ..round(1, 0.0) },
        with(Perturbation::Segments {
            labels: Arc::new(grid(SIDE, SIDE, 2, 2)),
            shown: vec![true; 3].into(),
        }),
        with(Perturbation::Segments { labels: Arc::new(grid(8, 8, 2, 2)), shown: vec![true; 4].into() }),
        with(Perturbation::Blocks([block(0..SIDE + 1)].into())),
        with(Perturbation::Blocks([block(Range { start: 3, end: 2 })].into())),
        with(Perturbation::Noise(noise(Basis::Grid(0), None))),
        with(Perturbation::Noise(noise(Basis::Plane, Some(9)))),
    ];
    for round in wrong {
        assert!(matches!(job.scores(round), Err(ForwardError::Malformed(_))));
    }
    assert_eq!(job.meter().run, 0);
}
