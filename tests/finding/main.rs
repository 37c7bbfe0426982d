//! What an explanation comes to for a person: the face that is meant, its parts, what was tried, sentences. Through the real server, the
//! detector and the face detector that ship.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod counterfactual;
mod faces;
mod parts;
mod refused;
mod sentences;

use tonic::Request;
use unmask_protocol::v1;
use unmask_protocol::v1::explanation_service_server::ExplanationService as _;
use unmask_server::Service;
use unmask_tests::{Root, sample};

fn service() -> Service {
    Root::new(&[]).with_faces().service(&[])
}

/// A sample in sentences, by the default preset.
fn told(name: &str) -> v1::ExplainRequest {
    v1::ExplainRequest {
        image: sample(name),
        outputs: vec![v1::Output::Sentences.into()],
        ..v1::ExplainRequest::default()
    }
}

/// All methods, with few passes.
fn every_method() -> [v1::method::Kind; 9] {
    use v1::method::Kind;
    [
        Kind::Rise(v1::Rise { masks: Some(256), ..Default::default() }),
        Kind::Occlusion(v1::Occlusion { grid: Some(6), ..Default::default() }),
        Kind::Lime(v1::Lime { samples: Some(256), ..Default::default() }),
        Kind::Sobol(v1::Sobol { grid: Some(4), design: Some(8), ..Default::default() }),
        Kind::PartitionShap(v1::PartitionShap { evaluations: Some(256), ..Default::default() }),
        Kind::KernelShap(v1::KernelShap { samples: Some(256), ..Default::default() }),
        Kind::Reveal(v1::Reveal::default()),
        Kind::Hsic(v1::Hsic { masks: Some(256), ..Default::default() }),
        Kind::Hipe(v1::Hipe { passes: Some(256), ..Default::default() }),
    ]
}

/// The face that is looked for, the largest where there is no crop.
fn search() -> Option<v1::FaceChoice> {
    let kind = v1::face_choice::Kind::Search(v1::FaceSearch::default());
    Some(v1::FaceChoice { kind: Some(kind) })
}

/// A face by its landmarks.
fn known(face: &v1::Face) -> Option<v1::FaceChoice> {
    Some(v1::FaceChoice { kind: face.landmarks.map(v1::face_choice::Kind::Landmarks) })
}

async fn detected(service: &Service, image: Vec<u8>) -> Vec<v1::Face> {
    let request = v1::DetectFacesRequest { image, ..v1::DetectFacesRequest::default() };
    service.detect_faces(Request::new(request)).await.unwrap().into_inner().faces
}

/// The part that comes first.
fn first(answer: &v1::ExplainResponse) -> v1::FacePart {
    answer.parts[0].part()
}

fn of_kind(answer: &v1::ExplainResponse, kind: v1::SentenceKind) -> Vec<&v1::Sentence> {
    answer.sentences.iter().filter(|sentence| sentence.kind() == kind).collect()
}
