//! What workers, batches and neighbours must never change, and how jobs end.

use super::*;

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
    assert_eq!((job.meter().run, job.meter().used), (15, 25), "what others ran is not this job's");
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
    assert_eq!(job.meter().used, 2, "a round that came too late is run and not used");
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
fn a_job_that_is_hurried_ends_with_what_it_has_folded() {
    let served = served(1, 4);
    let cancel = Cancel::default();
    let job = served.job(Limits { cancel: cancel.clone(), ..Limits::default() }).unwrap();
    let mut folded = 0;
    let ended = job.run(&mut std::iter::repeat_with(|| round(5, 0.0)), &mut |_, _| {
        folded += 1;
        if folded == 3 {
            cancel.hurry();
        }
        ControlFlow::Continue(())
    });
    assert_eq!((ended, folded), (Ok(Ended::Deadline), 3));
    assert_eq!(
        job.scores(round(5, 0.0)),
        Err(ForwardError::Unanswered(Ended::Deadline)),
        "nor does it begin"
    );
    drop(job);
    assert_eq!((served.waiting(), served.jobs()), (0, 0));
    let late = served.job(Limits { cancel, ..Limits::default() }).unwrap();
    assert_eq!(late.scores(round(5, 0.0)), Err(ForwardError::Unanswered(Ended::Deadline)));
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
    let meter = job.meter();
    assert_eq!((meter.run, meter.duplicate, meter.used), (2, 3, 5));
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
