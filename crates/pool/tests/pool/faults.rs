//! Backends that fail, panic, say nonsense or go down.

use super::*;

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
