//! What is wrong is told by its field, and costs nothing.

use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use unmask_protocol::v1;
use unmask_tests::{Root, explain, png, sample};

use super::{of_kind, search, service, told};

fn fields(status: &Status) -> Vec<(String, String)> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = status.get_error_details();
    let wrong = details.bad_request().unwrap();
    wrong.field_violations.iter().map(|v| (v.field.clone(), v.description.clone())).collect()
}

fn landmarks() -> v1::Landmarks {
    let point = |x, y| Some(v1::Point { x, y });
    v1::Landmarks {
        left_eye: point(45.0, 50.0),
        right_eye: point(85.0, 50.0),
        nose: point(65.0, 70.0),
        mouth_left: point(48.0, 90.0),
        mouth_right: point(82.0, 90.0),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_wrong_is_named() {
    let service = service();
    let known = |landmarks| Some(v1::FaceChoice { kind: Some(v1::face_choice::Kind::Landmarks(landmarks)) });
    let outside = v1::Landmarks {
        nose: Some(v1::Point { x: f64::NAN, y: 1.0 }),
        left_eye: Some(v1::Point { x: 1e300, y: -1.0 }),
        mouth_left: None,
        ..landmarks()
    };
    let request = v1::ExplainRequest {
        face: known(outside),
        counterfactual: Some(v1::CounterfactualSearch {
            regions: Some(17),
            max_passes: Some(1),
            parts: None,
        }),
        language: "tlh".into(),
        top_regions: Some(0),
        ..told("astronaut-mouth.png")
    };
    let wrong = fields(&explain(&service, request).await.unwrap_err());
    let names: Vec<&str> = wrong.iter().map(|(field, _)| field.as_str()).collect();
    for expected in [
        "face.landmarks.left_eye",
        "face.landmarks.nose",
        "face.landmarks.mouth_left",
        "counterfactual.regions",
        "counterfactual.max_passes",
        "language",
        "top_regions",
    ] {
        assert!(names.contains(&expected), "{expected} is not in {wrong:?}");
    }
    assert_eq!(wrong.len(), 7, "{wrong:?}");
    // A face of which the model sees nothing.
    let aside = v1::Box { x: 0, y: 100, width: 20, height: 20 };
    let request =
        v1::ExplainRequest { face: known(landmarks()), crop: Some(aside), ..told("astronaut-mouth.png") };
    let same = v1::Point { x: 50.0, y: 50.0 };
    let line = v1::Landmarks {
        left_eye: Some(same),
        right_eye: Some(same),
        nose: Some(same),
        mouth_left: Some(same),
        mouth_right: Some(same),
    };
    let on_a_line = v1::ExplainRequest { face: known(line), ..told("astronaut-mouth.png") };
    for request in [request, on_a_line] {
        assert_eq!(fields(&explain(&service, request).await.unwrap_err())[0].0, "face.landmarks");
    }
    let nothing = v1::ExplainRequest { face: Some(v1::FaceChoice::default()), ..told("astronaut-mouth.png") };
    assert_eq!(fields(&explain(&service, nothing).await.unwrap_err())[0].0, "face.kind");
    assert_eq!(service.passes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_face_that_is_not_there_is_told() {
    let service = service();
    let nobody = png(300, 200, |x, y| [(x % 256) as u8, (y % 256) as u8, 128]);
    let sought = v1::ExplainRequest { image: nobody.clone(), face: search(), ..Default::default() };
    let wrong = fields(&explain(&service, sought).await.unwrap_err());
    assert_eq!(wrong[0].0, "face.search");
    assert!(wrong[0].1.contains("leave face out for the whole picture"), "{wrong:?}");
    let parts = v1::segmentation::Kind::Parts(v1::PartSegmentation {});
    let segmentation = Some(v1::Segmentation { kind: Some(parts) });
    let request = v1::ExplainRequest { image: nobody.clone(), segmentation, ..Default::default() };
    let wrong = fields(&explain(&service, request.clone()).await.unwrap_err());
    assert_eq!(wrong[0].0, "segmentation.parts");
    let counterfactual = Some(v1::CounterfactualSearch { parts: Some(true), ..Default::default() });
    let changed = v1::ExplainRequest { segmentation: None, counterfactual, ..request.clone() };
    let wrong = fields(&explain(&service, changed).await.unwrap_err());
    assert_eq!(wrong[0].0, "counterfactual.parts");
    // Sentences speak of regions where there is no face.
    let outputs = vec![v1::Output::Sentences.into()];
    let whole =
        explain(&service, v1::ExplainRequest { segmentation: None, outputs, ..request }).await.unwrap();
    assert!(whole.parts.is_empty());
    assert!(of_kind(&whole, v1::SentenceKind::Limit)[0].text.starts_with("Parts are not named"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_face_model_explains_in_sentences_of_regions() {
    let service = Root::new(&[]).service(&[]);
    let answer = explain(&service, told("astronaut-mouth.png")).await.unwrap();
    assert!(answer.parts.is_empty() && answer.face.is_none());
    let evidence = &of_kind(&answer, v1::SentenceKind::Evidence)[0].text;
    assert!(
        evidence.contains("16 x 16 pixels at") || evidence.starts_with("No part stands out"),
        "{evidence}"
    );
    let parts = v1::segmentation::Kind::Parts(v1::PartSegmentation {});
    let request = v1::ExplainRequest {
        segmentation: Some(v1::Segmentation { kind: Some(parts) }),
        ..told("astronaut-mouth.png")
    };
    let wrong = fields(&explain(&service, request).await.unwrap_err());
    assert!(
        wrong[0].0 == "segmentation.parts" && wrong[0].1.contains("no face model is served"),
        "{wrong:?}"
    );
    let request =
        v1::ExplainRequest { image: sample("astronaut-mouth.png"), face: search(), ..Default::default() };
    let refused = explain(&service, request).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert!(refused.message().contains("face.search.face_model"), "{refused}");
}
