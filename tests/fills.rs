//! Fills that are searched for: they change the decision, cost once, and never change an answer by being shared.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use unmask_protocol::v1::{self, SavingReason, method};
use unmask_server::Service;
use unmask_tests::{Root, assert_adds_up, explain, request, rise, unpaid, until};

fn searched(method: v1::Method, search: v1::AdversarialFill) -> v1::ExplainRequest {
    let fill = Some(v1::Fill { kind: Some(v1::fill::Kind::Adversarial(search)) });
    let outputs = vec![v1::Output::Fill.into()];
    v1::ExplainRequest { method: Some(method), fill, outputs, ..request() }
}

fn small() -> v1::AdversarialFill {
    v1::AdversarialFill { max_passes: Some(600), ..v1::AdversarialFill::default() }
}

fn occlusion() -> v1::Method {
    let kind = method::Kind::Occlusion(v1::Occlusion::default());
    v1::Method { kind: Some(kind), preset: String::new() }
}

/// Passes that were saved for a reason.
fn saved(answer: &v1::ExplainResponse, reason: SavingReason) -> u64 {
    let cost = answer.cost.as_ref().unwrap();
    cost.saved.iter().filter(|s| s.reason() == reason).map(|s| s.passes).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adversarial_fill_changes_the_decision_within_its_bound_and_is_paid_for_once() {
    let service = Root::new(&[]).service(&[]);
    let first = explain(&service, searched(rise(256), v1::AdversarialFill::default())).await.unwrap();
    let (sample, cost) = (first.adversarial.unwrap(), first.cost.clone().unwrap());
    assert!(sample.flipped && first.prediction.as_ref().unwrap().fake, "{sample:?}");
    assert!(!first.fill_prediction.as_ref().unwrap().fake);
    assert!(sample.margin_before > 0.0 && sample.margin_after < 0.0, "{sample:?}");
    assert!(sample.largest_change <= 16.001 && sample.mean_change <= sample.largest_change, "{sample:?}");
    assert!(first.fill_png.starts_with(b"\x89PNG"));
    assert_eq!((cost.announced, cost.run), (2 + 2000 + 256, 2 + sample.passes + 256));
    assert_eq!(saved(&first, SavingReason::Flipped), 2000 - sample.passes);
    assert_adds_up(&cost);

    let passes = service.passes();
    let second = explain(&service, searched(occlusion(), v1::AdversarialFill::default())).await.unwrap();
    assert_eq!(service.passes() - passes, 2 + 64);
    assert_eq!(saved(&second, SavingReason::Cached), sample.passes);
    assert_eq!((second.adversarial, &second.fill_png), (Some(sample), &first.fill_png));
    assert_adds_up(second.cost.as_ref().unwrap());

    let fresh = Root::new(&[]).service(&[]);
    let alone = explain(&fresh, searched(occlusion(), v1::AdversarialFill::default())).await.unwrap();
    assert!(unpaid(alone) == unpaid(second), "a kept fill is the one that would have been found");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_the_same_time_share_one_search() {
    let service = Root::new(&[]).service(&[("pool.workers", "1")]);
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move { explain(&service, searched(occlusion(), small())).await.unwrap() })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    let passes = answers[0].adversarial.unwrap().passes;
    assert_eq!(service.passes(), passes + 4 * (2 + 64));
    let others = |a: &v1::ExplainResponse| saved(a, SavingReason::Shared) + saved(a, SavingReason::Cached);
    assert_eq!(answers.iter().map(others).sum::<u64>(), 3 * passes);
    for answer in &answers {
        assert_adds_up(answer.cost.as_ref().unwrap());
        assert!(unpaid(answer.clone()) == unpaid(answers[0].clone()));
    }
    assert_eq!(service.waiting(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_ends_with_the_last_who_waits_and_not_with_the_first() {
    let service = Root::new(&[]).service(&[("pool.workers", "1")]);
    // A margin that is not reached keeps the search going to its last pass.
    let endless = || {
        let search =
            v1::AdversarialFill { max_passes: Some(20_000), margin: Some(20.0), ..Default::default() };
        searched(occlusion(), search)
    };
    let ask = |service: &Service| {
        let service = service.clone();
        tokio::spawn(async move { explain(&service, endless()).await })
    };
    let first = ask(&service);
    until(|| service.passes() > 1).await;
    let second = ask(&service);
    // Two requests and their search have places.
    until(|| service.waiting().1 == 3).await;
    first.abort();
    until(|| service.waiting().1 == 2).await;
    let passes = service.passes();
    until(|| service.passes() > passes).await;
    second.abort();
    until(|| service.waiting() == (0, 0)).await;
    assert!(service.passes() < 20_000);
    assert!(explain(&service, searched(occlusion(), small())).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_ends_the_method_at_the_same_pass_whoever_paid_for_the_search() {
    let service = Root::new(&[]).service(&[]);
    // Room for whole rounds of 128, so that even a short search costs one of them.
    let most = 2 + 6 * 128;
    let budget = Some(v1::Budget { max_passes: Some(most), ..Default::default() });
    let cut = || v1::ExplainRequest { budget, ..searched(rise(10_000), small()) };
    let paid = explain(&service, cut()).await.unwrap();
    let kept = explain(&service, cut()).await.unwrap();
    let search = paid.adversarial.unwrap().passes;
    assert_eq!(saved(&kept, SavingReason::Cached), search);
    let rounds = (most - 2 - search) / 128;
    assert_eq!(paid.cost.as_ref().unwrap().run, 2 + search + 128 * rounds);
    assert_eq!(kept.cost.as_ref().unwrap().run, 2 + 128 * rounds);
    assert!(paid.map == kept.map);
    for answer in [&paid, &kept] {
        assert!(saved(answer, SavingReason::Budget) > 0);
        assert_adds_up(answer.cost.as_ref().unwrap());
    }
    let used = paid.cost.as_ref().unwrap().used;
    assert_eq!((used, kept.cost.as_ref().unwrap().used), (2 + search + 128 * rounds, used));
    let budget = Some(v1::Budget { max_passes: Some(used), ..Default::default() });
    let again = explain(&service, v1::ExplainRequest { budget, ..searched(rise(10_000), small()) }).await;
    assert!(again.unwrap().map == paid.map, "what it is made of is a budget that gives the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_a_budget_cuts_short_leaves_the_method_an_answer() {
    let service = Root::new(&[]).service(&[]);
    // A margin that no search reaches.
    let far = v1::AdversarialFill { margin: Some(10.0), pairs: Some(10), ..small() };
    let asked = |most| {
        let budget = Some(v1::Budget { max_passes: Some(most), ..Default::default() });
        v1::ExplainRequest { budget, ..searched(rise(10_000), far) }
    };
    let whole = explain(&service, asked(2 + 128 + 200)).await.unwrap();
    let cost = whole.cost.as_ref().unwrap();
    let search = whole.adversarial.as_ref().unwrap().passes;
    assert!(search <= 200 && cost.run == 2 + search + 128, "{cost:?}");
    assert!(saved(&whole, SavingReason::Budget) > 0 && saved(&whole, SavingReason::Converged) == 0);
    assert_adds_up(cost);
    let again = explain(&service, asked(cost.used)).await.unwrap();
    assert!(again.map == whole.map && again.fill_prediction == whole.fill_prediction);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_kept_where_no_bytes_are_allowed() {
    let service = Root::new(&[]).service(&[("fills.max_bytes", "0")]);
    for _ in 0..2 {
        let answer = explain(&service, searched(occlusion(), small())).await.unwrap();
        assert_eq!(saved(&answer, SavingReason::Cached), 0);
        assert_eq!(answer.cost.unwrap().run, 2 + answer.adversarial.unwrap().passes + 64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_without_success_says_so() {
    let service = Root::new(&[]).service(&[]);
    let short = v1::AdversarialFill { max_passes: Some(30), bound: Some(1.0), ..Default::default() };
    let stuck = explain(&service, searched(occlusion(), short)).await.unwrap();
    assert!(!stuck.adversarial.unwrap().flipped);
    let words = "without changing the decision";
    assert!(stuck.warnings.iter().any(|w| w.contains(words)), "{:?}", stuck.warnings);

    let paper = v1::fill::Kind::AdversarialPaper(v1::AdversarialPaperFill::default());
    let real = v1::ExplainRequest {
        image: unmask_tests::sample("astronaut-real.png"),
        fill: Some(v1::Fill { kind: Some(paper) }),
        ..searched(occlusion(), small())
    };
    let real = explain(&service, real).await.unwrap();
    let sample = real.adversarial.unwrap();
    assert_eq!((sample.steps, sample.passes, sample.largest_change), (0, 1, 0.0));
    assert!(
        real.warnings.iter().any(|w| w.starts_with("the fill is the picture itself")),
        "{:?}",
        real.warnings
    );
    assert_adds_up(real.cost.as_ref().unwrap());
}
