//! Why a face was seen where it was, through the real server and the face detector that ships.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Cursor;
use std::time::Duration;

use image::codecs::png::PngEncoder;
use image::imageops::{FilterType, replace, resize, rotate270};
use image::{ImageEncoder as _, Rgb, RgbImage};
use tonic::{Code, Request, Status};
use unmask_protocol::v1;
use unmask_protocol::v1::explanation_service_server::ExplanationService as _;
use unmask_server::{Service, status_of};
use unmask_tests::started::Started;
use unmask_tests::{PATIENCE, Root, assert_adds_up, model, png, sample, until, values};

fn service(settings: &[(&str, &str)]) -> Service {
    Root::new(&[]).with_faces().service(settings)
}

fn read(name: &str) -> RgbImage {
    image::load_from_memory(&sample(name)).unwrap().to_rgb8()
}

fn file(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Two faces at several sizes on grey, the larger one on the right.
fn party() -> RgbImage {
    let mut canvas = RgbImage::from_pixel(840, 560, Rgb([128; 3]));
    for (name, x, y, side) in [("astronaut-real.png", 60, 260, 220), ("astronaut-mouth.png", 480, 60, 300)] {
        let picture = resize(&read(name), side, side, FilterType::Triangle);
        replace(&mut canvas, &picture, x, y);
    }
    canvas
}

fn request(image: Vec<u8>, masks: u32) -> v1::ExplainFaceRequest {
    v1::ExplainFaceRequest { image, masks: Some(masks), ..Default::default() }
}

async fn explain(
    service: &Service,
    request: v1::ExplainFaceRequest,
) -> Result<v1::ExplainFaceResponse, Status> {
    service.explain_face(Request::new(request)).await.map(tonic::Response::into_inner)
}

/// Everything of an answer that must not depend on time, load or batches.
fn timeless(answer: v1::ExplainFaceResponse) -> v1::ExplainFaceResponse {
    v1::ExplainFaceResponse { timings: None, request_id: String::new(), ..answer }
}

fn corners(face: &v1::Face) -> v1::FaceBox {
    let v1::Face { left, top, right, bottom, .. } = *face;
    v1::FaceBox { left, top, right, bottom }
}

/// The pixel of the displayed picture that has the highest value of the map.
fn best(answer: &v1::ExplainFaceResponse) -> (f64, f64) {
    let map = answer.map.as_ref().unwrap();
    let values = values(map);
    let at = (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap() as u32;
    let to = answer.transform.as_ref().unwrap().to_displayed.unwrap();
    (to.xx * (f64::from(at % map.width) + 0.5) + to.x0, to.yy * (f64::from(at / map.width) + 0.5) + to.y0)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_evidence_for_a_face_lies_in_its_box() {
    let dir = tempfile::tempdir().unwrap();
    let record = dir.path().join("audit.jsonl");
    let service = service(&[("audit.file", record.to_str().unwrap())]);
    let party = file(&party());
    let asked = v1::DetectFacesRequest { image: party.clone(), ..Default::default() };
    let faces = service.detect_faces(Request::new(asked)).await.unwrap().into_inner().faces;
    assert_eq!(faces.len(), 2);
    let alone = v1::ExplainFaceRequest { overlay: true, ..request(sample("astronaut-mouth.png"), 192) };
    let of =
        |face: &v1::Face| v1::ExplainFaceRequest { face: Some(corners(face)), ..request(party.clone(), 192) };
    // A box that is most of its picture cannot have much more of the evidence than of the picture.
    let cases =
        [(alone, (128, 128), 1.05), (of(&faces[0]), (840, 560), 1.5), (of(&faces[1]), (840, 560), 1.5)];
    for (request, displayed, factor) in cases {
        let answer = explain(&service, request.clone()).await.unwrap();
        let (face, map) = (answer.face.as_ref().unwrap(), answer.map.as_ref().unwrap());
        let (inside, area) = (answer.evidence_share, answer.area_share);
        assert!(
            inside > factor * area && inside <= 1.0,
            "{inside:.3} of the evidence in {area:.3} of the picture"
        );
        let (error, mean) = (answer.inside_error.unwrap(), answer.inside_mean);
        assert!(error > 0.0 && mean > 2.0 * error, "{mean} {error}");
        assert!(answer.masked_mean > 0.0 && answer.masked_mean < face.score, "{answer:?}");
        let (x, y) = best(&answer);
        assert!(face.left < x && x < face.right && face.top < y && y < face.bottom, "({x}, {y}) of {face:?}");
        // The longer side fills the frame, and the map is of the picture alone.
        assert_eq!(map.width, 512);
        assert_eq!(map.height, (512.0 * f64::from(displayed.1) / f64::from(displayed.0)).round() as u32);
        let transform = answer.transform.as_ref().unwrap();
        assert_eq!((transform.displayed_width, transform.displayed_height), displayed);
        let cost = answer.cost.as_ref().unwrap();
        assert_adds_up(cost);
        assert_eq!((cost.announced, cost.run), (193, 193));
        assert_eq!(answer.face_model.as_ref().unwrap().name, "centerface");
        assert_eq!(answer.overlay_png.is_empty(), !request.overlay);
        if let Some(wanted) = request.face {
            assert_eq!(corners(face), wanted);
        } else {
            let drawn = image::load_from_memory(&answer.overlay_png).unwrap();
            assert_eq!(drawn.width(), 512);
        }
        let resolved = answer.resolved.unwrap();
        assert_eq!((resolved.masks, resolved.grid, resolved.keep_probability), (192, 16, 0.5));
        assert_eq!(resolved.face, request.face);
        assert_eq!(answer.truncated_by(), v1::Truncation::Unspecified);
    }
    // What is on record of it, beside the faces that were looked for.
    let lines = std::fs::read_to_string(record).unwrap();
    let said: serde_json::Value = serde_json::from_str(lines.lines().nth(3).unwrap()).unwrap();
    assert_eq!((&said["call"], &said["code"]), (&"explain_face".into(), &"OK".into()));
    assert_eq!((&said["resolved"]["masks"], &said["passes"]["run"]), (&192.into(), &193.into()));
    assert!(said["map_sha256"].is_string() && said["model"]["name"] == "centerface", "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_gets_the_same_bytes_in_any_batch_and_however_the_picture_is_stored() {
    let asked = |image: Vec<u8>| v1::ExplainFaceRequest {
        seed: 3,
        grid: Some(8),
        overlay: true,
        ..request(image, 128)
    };
    let one = service(&[("pool.batch", "1")]);
    let first = timeless(explain(&one, asked(file(&party()))).await.unwrap());
    let other = service(&[("pool.batch", "4"), ("pool.workers", "1")]);
    assert!(timeless(explain(&other, asked(file(&party()))).await.unwrap()) == first);
    // Orientation 6 is shown turned to the right.
    let stored = rotate270(&party());
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([6, 0, 0, 0, 0, 0, 0, 0]);
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(&mut bytes);
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(&stored, stored.width(), stored.height(), image::ExtendedColorType::Rgb8).unwrap();
    let turned = explain(&other, asked(bytes)).await.unwrap();
    assert!(turned.map == first.map && turned.overlay_png == first.overlay_png);
    assert_eq!(turned.transform.unwrap().orientation, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_field_is_named_and_costs_no_pass() {
    let service = service(&[]);
    let right = || request(sample("astronaut-mouth.png"), 128);
    let boxed = |left: f64, top: f64, right: f64, bottom: f64| v1::ExplainFaceRequest {
        face: Some(v1::FaceBox { left, top, right, bottom }),
        ..self::request(sample("astronaut-mouth.png"), 128)
    };
    let cases = [
        (v1::ExplainFaceRequest { masks: Some(127), ..right() }, "masks", "got 127, allowed is 128 to 20000"),
        (v1::ExplainFaceRequest { masks: Some(u32::MAX), ..right() }, "masks", "got 4294967295"),
        (v1::ExplainFaceRequest { grid: Some(3), ..right() }, "grid", "got 3, allowed is 4 to 32"),
        (v1::ExplainFaceRequest { grid: Some(33), ..right() }, "grid", "got 33"),
        (
            v1::ExplainFaceRequest { keep_probability: Some(f64::NAN), ..right() },
            "keep_probability",
            "got NaN, allowed is 0.01 to 0.99",
        ),
        (v1::ExplainFaceRequest { keep_probability: Some(1.0), ..right() }, "keep_probability", "got 1"),
        (boxed(-1.0, 0.0, 9.0, 9.0), "face.left", "got -1.0, allowed is 0 to 128"),
        (boxed(0.0, f64::NAN, 9.0, 9.0), "face.top", "got NaN"),
        (boxed(9.0, 0.0, 9.0, 9.0), "face.right", "got 9.0, allowed is more than left, at most 128"),
        (boxed(0.0, 0.0, 129.0, 9.0), "face.right", "got 129.0"),
        (boxed(0.0, 0.0, 9.0, 1e300), "face.bottom", "got 1.0e300, allowed is more than top, at most 128"),
        (boxed(0.0, 0.0, f64::INFINITY, 9.0), "face.right", "got inf"),
        (v1::ExplainFaceRequest { image: b"no picture".to_vec(), ..right() }, "image", ""),
        (v1::ExplainFaceRequest { image: png(15, 64, |_, _| [9; 3]), ..right() }, "image", ""),
        (v1::ExplainFaceRequest { priority: 77, ..right() }, "priority", "got 77"),
        (v1::ExplainFaceRequest { request_id: "a\nb".into(), ..right() }, "request_id", "printable ASCII"),
    ];
    for (wrong, field, words) in cases {
        let status = explain(&service, wrong).await.unwrap_err();
        let (code, _, fields) = status_of(&status);
        assert_eq!(code, Code::InvalidArgument, "{field}: {status}");
        assert!(
            fields.iter().any(|(f, message)| f == field && message.contains(words)),
            "{field}: {fields:?}"
        );
    }
    let everything = v1::ExplainFaceRequest {
        image: Vec::new(),
        masks: Some(0),
        grid: Some(0),
        keep_probability: Some(7.0),
        face_model: model("nobody"),
        ..boxed(1.0, f64::NAN, 0.5, -1.0)
    };
    let (_, _, fields) = status_of(&explain(&service, everything).await.unwrap_err());
    let named: Vec<_> = fields.iter().map(|(field, _)| field.as_str()).collect();
    let expected = [
        "image",
        "face.top",
        "face.right",
        "face.bottom",
        "masks",
        "grid",
        "keep_probability",
        "face_model.name",
    ];
    assert_eq!(named, expected);
    let other = v1::ExplainFaceRequest { face_model: model("selfblend-mobilenetv2"), ..right() };
    let refused = explain(&service, other).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert!(refused.message().contains("finds no faces"), "{refused}");
    assert_eq!(service.passes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_face_that_is_not_there_is_named_with_those_that_are() {
    let service = service(&[]);
    let nowhere = v1::FaceBox { left: 10.0, top: 10.0, right: 60.0, bottom: 70.0 };
    let asked = v1::ExplainFaceRequest { face: Some(nowhere), ..request(file(&party()), 128) };
    let refused = explain(&service, asked).await.unwrap_err();
    let (code, _, fields) = status_of(&refused);
    assert_eq!((code, fields.len(), fields[0].0.as_str()), (Code::InvalidArgument, 1, "face"));
    assert!(
        fields[0].1.contains("shares 0.00 of the area") && fields[0].1.matches("left ").count() == 3,
        "{fields:?}"
    );
    // Looking for it is all that it has cost.
    assert_eq!(service.passes(), 1);
    for (width, height) in [(300, 200), (16, 16), (16, 900)] {
        let grey = png(width, height, |x, y| [(x % 256) as u8, (y % 256) as u8, 128]);
        let (code, _, fields) = status_of(&explain(&service, request(grey, 128)).await.unwrap_err());
        assert_eq!((code, fields[0].0.as_str()), (Code::InvalidArgument, "face"));
        assert!(fields[0].1.starts_with("no face was found in the picture"), "{fields:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_face_is_explained_and_said_to_be_small() {
    let mut canvas = RgbImage::from_pixel(600, 300, Rgb([128; 3]));
    replace(&mut canvas, &resize(&read("astronaut-real.png"), 56, 56, FilterType::Triangle), 500, 30);
    let asked = v1::ExplainFaceRequest { grid: Some(4), ..request(file(&canvas), 128) };
    let answer = explain(&service(&[]), asked).await.unwrap();
    let small = |warning: &String| warning.starts_with("the face is smaller");
    assert!(answer.warnings.iter().any(small), "{:?}", answer.warnings);
    assert_eq!((answer.map.as_ref().unwrap().height, answer.map.as_ref().unwrap().width), (256, 512));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_gives_the_map_so_far_and_a_caller_who_leaves_frees_the_place() {
    let root = Root::new(&[]).with_faces();
    let server = Started::over(&root.config(&[("pool.workers", "1")])).await;
    let endless = || request(sample("astronaut-mouth.png"), 20_000);
    // A machine that does much else has not one round in a short time: it gets more.
    let mut seconds = 4;
    let answer = loop {
        let mut timed = Request::new(endless());
        timed.set_timeout(Duration::from_secs(seconds));
        match server.client().await.explain_face(timed).await {
            Ok(answer) => break answer.into_inner(),
            // The client's own clock may be the first, which is Cancelled.
            Err(status) => {
                assert!(matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled), "{status}");
            }
        }
        seconds *= 2;
        assert!(seconds < PATIENCE.as_secs());
    };
    assert_eq!(answer.truncated_by(), v1::Truncation::Deadline);
    let cost = answer.cost.unwrap();
    assert_adds_up(&cost);
    assert_eq!(cost.announced, 20_001);
    assert!(cost.saved.iter().any(|saving| saving.reason() == v1::SavingReason::Deadline), "{cost:?}");
    // Whole rounds of 32 masks after the picture's own pass.
    assert!(cost.used > 1 && cost.used % 32 == 1, "{cost:?}");
    assert!(answer.warnings.iter().any(|w| w.starts_with("the deadline ended the explanation")));

    let before = server.service.passes();
    let mut client = server.client().await;
    let call = tokio::spawn(async move { client.explain_face(endless()).await });
    until(|| server.service.passes() > before).await;
    call.abort();
    until(|| server.service.waiting() == (0, 0)).await;
    assert!(server.service.passes() < 20_000);
}
