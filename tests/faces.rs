//! Faces in pictures as they are uploaded, through the real server and the face detector that ships.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use image::RgbImage;
use image::imageops::{FilterType, crop_imm, replace, resize};
use tonic::{Code, Request};
use unmask_protocol::v1;
use unmask_protocol::v1::explanation_service_server::ExplanationService as _;
use unmask_protocol::v1::model_service_server::ModelService as _;
use unmask_server::Service;
use unmask_tests::crowd::{GREY, SQUARES, crowd, file, iou, read, stored};
use unmask_tests::{Root, assert_adds_up, explain, model, png, sample};

fn service() -> Service {
    Root::new(&[]).with_faces().service(&[])
}

async fn faces(service: &Service, image: Vec<u8>) -> v1::DetectFacesResponse {
    let request = v1::DetectFacesRequest { image, ..Default::default() };
    service.detect_faces(Request::new(request)).await.unwrap().into_inner()
}

type Corners = [f64; 4];

fn corners(face: &v1::Face) -> Corners {
    [face.left, face.top, face.right, face.bottom]
}

fn square(square: v1::Box) -> Corners {
    let v1::Box { x, y, width, height } = square;
    [x.into(), y.into(), (x + width).into(), (y + height).into()]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_face_of_a_crowd_is_found_and_cut_out_as_the_detector_wants_it() {
    let answer = faces(&service(), file(&crowd())).await;
    assert_eq!(answer.faces.len(), SQUARES.len(), "{:?}", answer.faces);
    assert_eq!((answer.displayed_width, answer.displayed_height), (840, 560));
    assert_eq!(answer.face_model.unwrap().name, "centerface");
    assert_eq!(answer.model.unwrap().name, "selfblend-mobilenetv2");
    let cost = answer.cost.unwrap();
    assert_adds_up(&cost);
    assert_eq!(cost.run, 1);
    for (face, (x, y, side)) in answer.faces.iter().zip(SQUARES) {
        let wanted = square(v1::Box { x, y, width: side, height: side });
        let overlap = iou(square(face.crop.unwrap()), wanted);
        assert!(overlap > 0.7, "{overlap:.2} of {wanted:?}: {face:?}");
        let marks = face.landmarks.unwrap();
        let [left, right, nose, mouth] =
            [marks.left_eye, marks.right_eye, marks.nose, marks.mouth_left].map(Option::unwrap);
        assert!(left.x < nose.x && nose.x < right.x && left.y < nose.y && nose.y < mouth.y, "{marks:?}");
        assert_eq!(face.warnings.len(), 0, "{face:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faces_are_in_the_same_place_however_the_picture_is_stored() {
    let service = service();
    let upright = faces(&service, file(&crowd())).await;
    for orientation in [6, 8] {
        let bytes = stored(&crowd(), orientation);
        assert_eq!(faces(&service, bytes).await.faces, upright.faces, "{orientation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_at_another_size_or_cut_keeps_its_faces() {
    let (service, crowd) = (service(), crowd());
    let upright = faces(&service, file(&crowd)).await.faces;
    for scale in [0.75, 1.5] {
        let side = |length: u32| (f64::from(length) * scale).round() as u32;
        let small = resize(&crowd, side(crowd.width()), side(crowd.height()), FilterType::Triangle);
        let found = faces(&service, file(&small)).await.faces;
        assert_eq!(found.len(), upright.len(), "{scale}");
        for (found, face) in found.iter().zip(&upright) {
            let overlap = iou(corners(found).map(|v| v / scale), corners(face));
            assert!(overlap >= 0.8, "{scale}: {overlap:.2} of {face:?}");
        }
    }
    let cut = crop_imm(&crowd, 30, 40, 780, 500).to_image();
    let found = faces(&service, file(&cut)).await.faces;
    assert_eq!(found.len(), upright.len());
    for (found, face) in found.iter().zip(&upright) {
        let [left, top, right, bottom] = corners(found);
        let overlap = iou([left + 30.0, top + 40.0, right + 30.0, bottom + 40.0], corners(face));
        assert!(overlap >= 0.8, "{overlap:.2} of {face:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_crop_of_a_face_is_explained_where_it_lies() {
    let service = service();
    let image = file(&crowd());
    let found = faces(&service, image.clone()).await.faces;
    // The third is the one whose mouth was manipulated.
    let crop = found[2].crop;
    let request = v1::ExplainRequest { image, crop, ..Default::default() };
    let answer = explain(&service, request).await.unwrap();
    assert!(answer.prediction.unwrap().fake);
    let best = answer.regions[0].r#box.unwrap();
    let (x, y, side) = SQUARES[2];
    let (across, down) = (best.x + best.width / 2 - x, best.y + best.height / 2 - y);
    assert!(across > side / 4 && across < 3 * side / 4 && down > side / 2 && down < side, "{best:?}");
    // A crop was given: nothing is said of one that is missing.
    assert_eq!(answer.warnings, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_without_a_face_has_none_and_a_tiny_one_is_told() {
    let service = service();
    let grey = png(300, 200, |x, y| [(x % 256) as u8, (y % 256) as u8, 128]);
    assert_eq!(faces(&service, grey).await.faces, []);
    let mut canvas = RgbImage::from_pixel(200, 200, GREY);
    replace(&mut canvas, &resize(&read("astronaut-real.png"), 48, 48, FilterType::Triangle), 76, 76);
    let found = faces(&service, file(&canvas)).await.faces;
    assert_eq!(found.len(), 1);
    assert!(found[0].warnings[0].contains("128 x 128"), "{found:?}");
    // However small a face is, its crop is one that is taken.
    let strict = Root::new(&[]).with_faces().service(&[("image.min_side", "100")]);
    let found = faces(&strict, file(&canvas)).await.faces;
    let request = v1::PredictRequest { image: file(&canvas), crop: found[0].crop, ..Default::default() };
    assert_eq!(found[0].crop.unwrap().width, 100);
    assert!(strict.predict(Request::new(request)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_asked_for_what_they_can_say() {
    let service = service();
    let models = service.list_models(Request::new(v1::ListModelsRequest::default())).await.unwrap();
    let tasks: Vec<_> = models
        .into_inner()
        .models
        .iter()
        .map(|model| (model.task(), model.is_default, model.labels.len()))
        .collect();
    assert_eq!(tasks, [(v1::ModelTask::Faces, true, 0), (v1::ModelTask::Classes, true, 5)]);
    let predict = v1::PredictRequest {
        image: sample("astronaut-real.png"),
        model: model("centerface"),
        ..Default::default()
    };
    let refused = service.predict(Request::new(predict)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert!(refused.message().contains("model.name: got \"centerface\", which finds faces"), "{refused}");
    let detect = |image: Vec<u8>, face_model: &str| {
        let request = v1::DetectFacesRequest { image, face_model: model(face_model), ..Default::default() };
        service.detect_faces(Request::new(request))
    };
    let refused = detect(sample("astronaut-real.png"), "selfblend-mobilenetv2").await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert!(
        refused.message().contains("face_model.name") && refused.message().contains("finds no faces"),
        "{refused}"
    );
    let refused = detect(b"no picture".to_vec(), "").await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("image"), "{refused}");
    assert_eq!(service.passes(), 0);
    // Where no model finds faces, that is said.
    let without = Root::new(&[]).service(&[]);
    let request = v1::DetectFacesRequest { image: sample("astronaut-real.png"), ..Default::default() };
    let refused = without.detect_faces(Request::new(request)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert!(refused.message().contains("choose one of none"), "{refused}");
}
