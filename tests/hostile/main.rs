//! Wrong requests: each gets one clear error that names every wrong field, and costs no forward pass.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;
mod files;
mod fills;
mod methods;
mod pictures;
mod regions;
mod requests;

use tonic::{Code, Request};
use unmask_protocol::v1;
use unmask_protocol::v1::explanation_service_server::ExplanationService as _;
use unmask_server::status_of;
use unmask_tests::{Root, explain, png, request};

use files::{jpeg, png_header};
use requests::{with_crop, with_image, with_labels, with_target};

/// A wrong request, the code it gets, and each wrong field with words of its message.
struct Case {
    name: &'static str,
    wrong: v1::ExplainRequest,
    code: Code,
    fields: Vec<(&'static str, &'static str)>,
}
fn case(name: &'static str, field: &'static str, words: &'static str, wrong: v1::ExplainRequest) -> Case {
    Case { name, wrong, code: Code::InvalidArgument, fields: vec![(field, words)] }
}

fn cases() -> Vec<Case> {
    [
        pictures::of_pictures(),
        fills::of_searches(),
        methods::of_rise_and_occlusion(),
        methods::of_the_others(),
        regions::of_segments(),
        regions::of_targets(),
        common::of_all(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_request_gets_one_clear_error_and_costs_nothing() {
    let service = Root::new(&["planted-linear"]).service(&[]);
    for Case { name, wrong, code, fields } in cases() {
        let status = explain(&service, wrong).await.expect_err(name);
        let (got, message, found) = status_of(&status);
        assert_eq!(got, code, "{name}: {message}");
        assert_eq!(
            found.iter().map(|(field, _)| field.as_str()).collect::<Vec<_>>(),
            fields.iter().map(|(field, _)| *field).collect::<Vec<_>>(),
            "{name}: {message}"
        );
        for ((_, message), (_, words)) in found.iter().zip(&fields) {
            assert!(message.contains(words), "{name}: {message}");
        }
        assert!(message.len() < 2000, "{name}: an error does not grow with the request");
        assert_eq!((service.passes(), service.waiting()), (0, (0, 0)), "{name}");
    }
    // The same service still answers.
    assert!(explain(&service, request()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_picture_is_refused_by_predict_as_well() {
    let service = Root::new(&[]).service(&[]);
    for image in [Vec::new(), b"words".to_vec(), png_header(30_000, 30_000), jpeg()[..900].to_vec()] {
        let request = v1::PredictRequest { image, ..v1::PredictRequest::default() };
        let (code, _, fields) = status_of(&service.predict(Request::new(request)).await.unwrap_err());
        assert_eq!((code, fields[0].0.as_str()), (Code::InvalidArgument, "image"));
    }
    assert_eq!(service.passes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_looks_odd_but_is_allowed_is_answered() {
    let service = Root::new(&[]).service(&[]);
    let portrait = png(40, 400, |x, y| [x as u8, y as u8, 7]);
    let odd = [
        ("a JPEG", with_image(jpeg())),
        ("a narrow picture", with_image(portrait)),
        ("no regions", v1::ExplainRequest { top_regions: Some(0), ..request() }),
        (
            "the class it is not",
            v1::ExplainRequest { target: Some(unmask_tests::target("real")), ..request() },
        ),
        ("a target without a kind", with_target(None, None, v1::Scale::Probability.into())),
        ("a label map of extreme numbers", with_labels(128, 128, |x, _| if x < 9 { 0 } else { u16::MAX })),
        ("a crop of the least size", with_crop(50, 50, 16, 16)),
        ("all defaults", v1::ExplainRequest { method: Some(unmask_tests::rise(128)), ..with_image(jpeg()) }),
    ];
    for (name, request) in odd {
        let answer = explain(&service, request).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        let map = unmask_tests::values(&answer.map.unwrap());
        assert!(map.iter().all(|v| v.is_finite()), "{name}");
    }
}
