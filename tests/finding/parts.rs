//! Parts of the face as regions.

use unmask_protocol::v1::{self, segmentation};
use unmask_tests::{assert_adds_up, explain, image_fill, sample};

use super::{every_method, service};

fn by_parts() -> Option<v1::Segmentation> {
    Some(v1::Segmentation { kind: Some(segmentation::Kind::Parts(v1::PartSegmentation {})) })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_can_work_on_the_parts_of_the_face() {
    let service = service();
    for kind in every_method() {
        let request = v1::ExplainRequest {
            image: sample("astronaut-mouth.png"),
            method: Some(v1::Method { kind: Some(kind), preset: String::new() }),
            fill: Some(image_fill(sample("astronaut-real.png"))),
            segmentation: by_parts(),
            outputs: vec![v1::Output::Labels.into()],
            top_regions: Some(64),
            ..Default::default()
        };
        let answer = explain(&service, request).await.unwrap();
        assert_adds_up(answer.cost.as_ref().unwrap());
        let labels: Vec<i32> = answer.regions.iter().map(|region| region.label as i32).collect();
        assert!(labels.iter().all(|label| v1::FacePart::try_from(*label).is_ok_and(|part| part as i32 > 0)));
        // Regions and parts are the same, and told twice.
        for region in &answer.regions {
            let part = answer.parts.iter().find(|part| part.part == region.label as i32).unwrap();
            assert_eq!((part.mean, part.evidence_share), (region.mean, region.evidence_share), "{kind:?}");
        }
        let values = answer.labels.unwrap().values;
        assert!(
            values.chunks_exact(2).all(|v| labels.contains(&i32::from(u16::from_le_bytes([v[0], v[1]]))))
        );
        // Over the untouched original, the mouth is among what carries the evidence.
        let mouth = answer.parts.iter().find(|part| part.part() == v1::FacePart::Mouth).unwrap();
        assert!(mouth.stands_out, "{kind:?}: {:?}", answer.parts);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_resolved_asks_for_the_same_parts() {
    let service = service();
    let request = v1::ExplainRequest {
        image: sample("astronaut-mouth.png"),
        segmentation: by_parts(),
        ..Default::default()
    };
    let answer = explain(&service, request.clone()).await.unwrap();
    let resolved = answer.resolved.clone().unwrap();
    let landmarks = resolved.landmarks.map(v1::face_choice::Kind::Landmarks);
    let again = v1::ExplainRequest {
        segmentation: resolved.segmentation,
        face: Some(v1::FaceChoice { kind: landmarks }),
        ..request
    };
    let again = explain(&service, again).await.unwrap();
    assert_eq!((again.map, again.parts, again.regions), (answer.map, answer.parts, answer.regions));
}
