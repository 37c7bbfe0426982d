//! The same bytes whatever the pool looks like and whoever shares it, with the shipped detector.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use unmask_protocol::v1;
use unmask_tests::{Root, explain, model, request, timeless};

fn wanted() -> v1::ExplainRequest {
    let outputs = [
        v1::Output::Overlay,
        v1::Output::HeatMap,
        v1::Output::PictureMap,
        v1::Output::Fill,
        v1::Output::Labels,
    ];
    let outputs = outputs.map(i32::from).into();
    v1::ExplainRequest { seed: 42, outputs, ..request() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_gives_the_same_bytes_for_every_layout_of_the_pool() {
    let root = Root::new(&[]);
    let mut first: Option<v1::ExplainResponse> = None;
    for (workers, threads, batch) in [
        ("1", "1", "1"),
        ("1", "1", "7"),
        ("1", "2", "64"),
        ("2", "1", "1"),
        ("2", "1", "7"),
        ("2", "2", "64"),
    ] {
        let layout = [("pool.workers", workers), ("pool.threads", threads), ("pool.batch", batch)];
        let answer = timeless(explain(&root.service(&layout), wanted()).await.unwrap());
        let expected = first.get_or_insert_with(|| answer.clone());
        assert!(answer == *expected, "{layout:?}");
    }
    let other = v1::ExplainRequest { seed: 43, ..wanted() };
    let other = explain(&root.service(&[]), other).await.unwrap();
    assert!(other.map != first.unwrap().map, "another seed gives another map");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_do_not_change_each_others_bytes() {
    let root = Root::new(&["planted-linear"]);
    let service = root.service(&[("pool.batch", "7"), ("pool.weights.interactive", "999")]);
    let requests: Vec<v1::ExplainRequest> = (0..4)
        .map(|i| v1::ExplainRequest {
            seed: i,
            // Each class once, and the usual one.
            priority: i as i32,
            model: if i == 3 { model("planted-linear") } else { None },
            method: Some(unmask_tests::rise(200 + 60 * i as u32)),
            ..request()
        })
        .collect();
    let mut alone = Vec::new();
    for request in &requests {
        alone.push(timeless(explain(&service, request.clone()).await.unwrap()));
    }
    let together: Vec<_> = requests
        .iter()
        .map(|request| {
            let (service, request) = (service.clone(), request.clone());
            tokio::spawn(async move { timeless(explain(&service, request).await.unwrap()) })
        })
        .collect();
    for (expected, task) in alone.iter().zip(together) {
        assert!(task.await.unwrap() == *expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_gives_the_bytes_of_the_explanation_that_ends_there() {
    let service = Root::new(&[]).service(&[]);
    let budget = Some(v1::Budget { max_passes: Some(2 + 128 + 100), ..Default::default() });
    let cut = explain(&service, v1::ExplainRequest { budget, ..request() }).await.unwrap();
    let short = v1::ExplainRequest { method: Some(unmask_tests::rise(128)), ..request() };
    let short = explain(&service, short).await.unwrap();
    assert!(cut.map == short.map);
    let cost = cut.cost.unwrap();
    assert_eq!((cost.announced, cost.asked, cost.run), (258, 130, 130));
    assert_eq!(cost.saved, [v1::Saving { reason: v1::SavingReason::Budget.into(), passes: 128 }]);
    assert!(
        cut.warnings.iter().any(|w| w.contains("the budget ended the explanation after 130 of 258 passes"))
    );
}
