//! What the explanations of one request share, and maps that the caller brings.

use tonic::Code;
use unmask_protocol::v1::{self, candidate, fill};
use unmask_tests::{Root, assert_adds_up, sample, target};

use crate::{adversarial, evaluate, figures, made, metric, metrics, occlusion, planned, quick, request};

fn saved(cost: &v1::Cost, reason: v1::SavingReason) -> u64 {
    cost.saved.iter().filter(|s| s.reason() == reason).map(|s| s.passes).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn explanations_of_one_request_share_a_search_and_attacks_on_the_same_regions() {
    let service = Root::new(&[]).service(&[]);
    let over = || Some(fill::Kind::Adversarial(adversarial()));
    let attack = v1::Attack { kind: Some(v1::attack::Kind::Bounded(adversarial())) };
    let sufficiency = v1::AdversarialSufficiency { regions: Some(1), attack: Some(attack) };
    let both = planned(request(vec![metric(metric::Kind::AdversarialSufficiency(sufficiency))]), |plan| {
        let named = |name: &str| v1::Candidate { name: name.into(), ..made(occlusion(), over()) };
        plan.candidates = vec![named("one"), named("two")];
        plan.no_controls = true;
    });
    let answer = evaluate(&service, both.clone()).await.unwrap();
    let cost = answer.cost.unwrap();
    assert_adds_up(&cost);
    let [one, two] = answer.evaluated.as_slice() else { panic!("two explanations") };
    assert_eq!(figures(one), figures(two));
    assert_eq!(one.adversarial, two.adversarial);
    // The second asks for its own explanation alone; its attack is the first one's.
    assert!(one.results[0].run > 0 && two.results[0].run == 0, "{answer:?}", answer = (one, two));
    // Known as well: the picture's score where the attack begins, once for the one that runs it and once within what the
    // second shares, and the fill's score for the second.
    assert_eq!(saved(&cost, v1::SavingReason::Duplicate), one.results[0].run + 3);
    assert_eq!(saved(&cost, v1::SavingReason::Cached), 0);
    // Another request finds the fill that was kept.
    let cost = evaluate(&service, both).await.unwrap().cost.unwrap();
    assert_adds_up(&cost);
    assert_eq!(saved(&cost, v1::SavingReason::Cached), one.adversarial.as_ref().unwrap().passes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supplied_map_is_judged_as_the_same_map_that_was_made() {
    let service = Root::new(&[]).service(&[]);
    let explained = v1::ExplainRequest {
        image: sample("astronaut-mouth.png"),
        target: Some(target("mouth")),
        method: Some(v1::Method { kind: Some(occlusion()), ..Default::default() }),
        fill: Some(unmask_tests::image_fill(sample("astronaut-real.png"))),
        seed: 3,
        ..Default::default()
    };
    let map = unmask_tests::explain(&service, explained).await.unwrap().map.unwrap();
    let supplied = v1::SuppliedMap { map: Some(map), reading: 0 };
    let both = planned(request(metrics()), |plan| {
        plan.candidates
            .push(v1::Candidate { kind: Some(candidate::Kind::Map(supplied)), ..Default::default() });
    });
    let answer = evaluate(&service, both).await.unwrap();
    assert_adds_up(answer.cost.as_ref().unwrap());
    assert_eq!(answer.evaluated[1].name, "supplied");
    let again = ["completeness_gap", "stability", "max_sensitivity", "average_sensitivity"];
    for (own, other) in figures(&answer.evaluated[0]).iter().zip(figures(&answer.evaluated[1])) {
        if again.contains(&own.1) {
            assert!(own.2.is_some() && other.2.is_none(), "{own:?} {other:?}");
        } else {
            assert_eq!(*own, other);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_leaves_figures_out_and_says_which() {
    let service = Root::new(&[]).service(&[]);
    let attack = v1::Attack { kind: Some(v1::attack::Kind::Paper(v1::AdversarialPaperFill::default())) };
    let slow = v1::AdversarialSufficiency { regions: Some(3), attack: Some(attack) };
    let wanted = planned(request(quick()), |plan| {
        plan.metrics.push(metric(metric::Kind::AdversarialSufficiency(slow)));
    });
    let mut message = tonic::Request::new(wanted);
    message.set_timeout(std::time::Duration::from_secs(3));
    use unmask_protocol::v1::evaluation_service_server::EvaluationService as _;
    let answer = service.evaluate(message).await.unwrap().into_inner();
    assert_adds_up(answer.cost.as_ref().unwrap());
    let own = &answer.evaluated[0].results;
    assert!(own[0].figures[0].value.is_some() && own[0].missing.is_empty());
    assert!(own[2].figures.is_empty() && own[2].missing == "the deadline came first", "{:?}", own[2]);
    assert!(answer.warnings.iter().any(|w| w.contains("deadline")), "{:?}", answer.warnings);
    // What costs no pass is still told of the controls.
    assert!(
        answer.evaluated[2].results[1].figures[0].value.is_some()
            || answer.evaluated[2].results[1].missing.is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_is_called_real_is_evaluated_as_well() {
    let service = Root::new(&[]).service(&[]);
    let wanted = planned(request(metrics()), |plan| plan.target = None);
    let real = v1::EvaluateRequest {
        image: sample("astronaut-real.png"),
        label: "real".into(),
        mask: Some(v1::Mask { image: sample("astronaut-mouth.mask.png") }),
        ..planned(wanted, |plan| plan.candidates = vec![made(occlusion(), None)])
    };
    let answer = evaluate(&service, real).await.unwrap();
    assert_adds_up(answer.cost.as_ref().unwrap());
    assert_eq!(answer.target.unwrap().label, "real");
    let own = figures(&answer.evaluated[0]);
    assert_eq!(own.iter().find(|(_, name, _)| *name == "accuracy_0").unwrap().2, Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_frees_everything() {
    let service = Root::new(&[]).service(&[]);
    let long = planned(request(metrics()), |plan| {
        let attack = v1::Attack { kind: Some(v1::attack::Kind::Paper(v1::AdversarialPaperFill::default())) };
        let slow = v1::AdversarialSufficiency { regions: Some(16), attack: Some(attack) };
        plan.metrics = vec![metric(metric::Kind::AdversarialSufficiency(slow))];
    });
    let asked = evaluate(&service, long);
    let left = tokio::time::timeout(std::time::Duration::from_millis(300), asked).await;
    assert!(left.is_err());
    unmask_tests::until(|| service.waiting() == (0, 0)).await;
    let refused = evaluate(&service, request(Vec::new())).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}
