//! Writes small right requests into `fuzz/seeds`, for fuzzing to begin behind the headers:
//! `cargo run -p unmask-fuzz-targets --example seeds`.

use std::path::Path;

use prost::Message;
use unmask_fuzz_targets::{PICTURE, asked, plan};
use unmask_protocol::v1;

fn main() -> std::io::Result<()> {
    let rise = v1::method::Kind::Rise(v1::Rise { masks: Some(100), ..Default::default() });
    let lime = v1::method::Kind::Lime(v1::Lime::default());
    let target = v1::Target { kind: Some(v1::target::Kind::Label("fake".into())), ..Default::default() };
    for (name, kind) in [("rise", rise), ("lime", lime)] {
        let request = v1::ExplainRequest {
            request_id: "seed".into(),
            image: PICTURE.to_vec(),
            crop: Some(v1::Box { x: 2, y: 1, width: 16, height: 16 }),
            method: Some(v1::Method { kind: Some(kind), ..Default::default() }),
            target: Some(target.clone()),
            fill: Some(v1::Fill { kind: Some(v1::fill::Kind::Blur(v1::BlurFill { sigma: Some(2.0) })) }),
            outputs: vec![1, 2],
            ..Default::default()
        };
        write("request", name, &[&[0], request.encode_to_vec().as_slice()].concat())?;
    }
    let evaluate = v1::EvaluateRequest {
        image: PICTURE.to_vec(),
        plan: Some(plan(Vec::new())),
        mask: Some(v1::Mask { image: PICTURE.to_vec() }),
        label: "fake".into(),
        ..Default::default()
    };
    write("request", "evaluate", &[&[1], evaluate.encode_to_vec().as_slice()].concat())?;
    let predict = v1::PredictRequest { image: PICTURE.to_vec(), ..Default::default() };
    write("request", "predict", &[&[2], predict.encode_to_vec().as_slice()].concat())?;
    write("request", "dataset", &[&[3], asked(plan(Vec::new())).encode_to_vec().as_slice()].concat())?;

    let only_if = Some(v1::OnlyIf { fake_probability: Some(0.5) });
    let request = v1::ExplainRequest {
        request_id: "seed".into(),
        image: PICTURE.to_vec(),
        method: Some(v1::Method { preset: "fast".into(), ..Default::default() }),
        ..Default::default()
    };
    let many = v1::ExplainManyRequest { request: Some(request), only_if };
    write("request", "many", &[&[4], many.encode_to_vec().as_slice()].concat())?;

    let faces = v1::DetectFacesRequest { image: PICTURE.to_vec(), ..Default::default() };
    write("request", "faces", &[&[5], faces.encode_to_vec().as_slice()].concat())?;

    let face = v1::ExplainFaceRequest {
        image: PICTURE.to_vec(),
        face: Some(v1::FaceBox { left: 2.5, top: 1.0, right: 20.0, bottom: 17.5 }),
        masks: Some(500),
        keep_probability: Some(0.6),
        overlay: true,
        ..Default::default()
    };
    write("request", "face", &[&[6], face.encode_to_vec().as_slice()].concat())?;

    let failure = v1::DatasetFailure { code: "INVALID_ARGUMENT".into(), message: "no picture".into() };
    let row = |kind| v1::DatasetRow {
        id: "a".into(),
        family: "eyes".into(),
        kind: Some(kind),
        ..Default::default()
    };
    write("dataset_row", "failure", &row(v1::dataset_row::Kind::Failure(failure)).encode_to_vec())?;
    let answer = v1::EvaluateResponse::default();
    write("dataset_row", "answer", &row(v1::dataset_row::Kind::Answer(answer)).encode_to_vec())?;

    let (across, down) = (24, 18);
    let values = (0..across * down).flat_map(|i: u32| ((i % across / 6) as u16).to_le_bytes()).collect();
    let segmentation = v1::LabelSegmentation { values, width: across, height: down, ..Default::default() };
    write("label_map", "displayed", &segmentation.encode_to_vec())?;
    let values = (0..across * down).flat_map(|i: u32| (i as f32).to_le_bytes()).collect();
    let map = v1::Map { values, width: across, height: down, ..Default::default() };
    write("map", "displayed", &v1::SuppliedMap { map: Some(map), ..Default::default() }.encode_to_vec())
}

fn write(target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds").join(target);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(name), bytes)
}
