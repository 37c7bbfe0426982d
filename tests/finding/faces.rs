//! The face that is meant, in pictures as they are uploaded.

use image::imageops::{FilterType, crop_imm, flip_horizontal, resize};
use image::{Rgb, RgbImage};
use unmask_protocol::v1::{self, FacePart};
use unmask_server::Service;
use unmask_tests::crowd::{crowd, file, iou, read, stored, tilted, together};
use unmask_tests::{Root, assert_adds_up, explain, grey_fill, model, target};

use super::{detected, first, known, search, service};

/// Every face of a picture explained, the largest first.
async fn explained(service: &Service, picture: &RgbImage) -> Vec<(v1::Face, v1::ExplainResponse)> {
    let image = file(picture);
    let mut answers = Vec::new();
    for face in detected(service, image.clone()).await {
        let request = v1::ExplainRequest {
            image: image.clone(),
            crop: face.crop,
            face: known(&face),
            ..Default::default()
        };
        answers.push((face, explain(service, request).await.unwrap()));
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn each_face_of_a_crowd_has_an_explanation_in_its_place() {
    let answers = explained(&service(), &crowd()).await;
    assert_eq!(answers.len(), 4);
    for (face, answer) in &answers {
        let crop = face.crop.unwrap();
        assert_eq!(answer.resolved.as_ref().unwrap().crop.unwrap(), crop);
        for part in &answer.parts {
            let b = part.r#box.unwrap();
            assert!(b.x >= crop.x && b.y >= crop.y, "{part:?}");
            assert!(
                b.x + b.width <= crop.x + crop.width && b.y + b.height <= crop.y + crop.height,
                "{part:?}"
            );
        }
        // Parts divide the frame, and so the evidence.
        let sum = |of: &dyn Fn(&v1::Part) -> f64| answer.parts.iter().map(of).sum::<f64>();
        assert!((sum(&|part| part.area_share) - 1.0).abs() < 1e-9);
        assert!((sum(&|part| part.evidence_share) - 1.0).abs() < 1e-9);
        assert_eq!(answer.face, None, "none was looked for");
    }
    // The third has another mouth, and the size that it was made at; of the others the detector sees no trace.
    assert!(answers[2].1.prediction.as_ref().unwrap().fake);
    assert_eq!(first(&answers[2].1), FacePart::Mouth);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_stored_turned_has_the_same_map_and_the_same_sentences() {
    let service = service();
    let asked = |image| v1::ExplainRequest {
        image,
        face: search(),
        outputs: vec![v1::Output::Sentences.into()],
        ..v1::ExplainRequest::default()
    };
    let upright = explain(&service, asked(file(&crowd()))).await.unwrap();
    for orientation in [6, 8] {
        let turned = explain(&service, asked(stored(&crowd(), orientation))).await.unwrap();
        assert_eq!(turned.map, upright.map);
        assert_eq!((&turned.parts, &turned.sentences), (&upright.parts, &upright.sentences));
        assert_eq!((&turned.face, &turned.regions), (&upright.face, &upright.regions));
        assert_eq!(turned.transform.unwrap().orientation, u32::from(orientation));
    }
}

/// The untouched sample with a patch in which red is blue, so that it stays a face: left, top, width and height.
fn painted((x, y, width, height): (u32, u32, u32, u32)) -> RgbImage {
    let mut picture = read("astronaut-real.png");
    for (x, y) in (y..y + height).flat_map(|y| (x..x + width).map(move |x| (x, y))) {
        let Rgb([red, green, blue]) = *picture.get_pixel(x, y);
        picture.put_pixel(x, y, Rgb([blue, green, red]));
    }
    picture
}

/// What a detector of blue says of every face of a picture.
async fn blue(service: &Service, picture: &RgbImage) -> Vec<(v1::Face, FacePart)> {
    let image = file(picture);
    let reveal = v1::Reveal { grid: Some(16), smoothing: Some(0.3) };
    let mut found = Vec::new();
    for face in detected(service, image.clone()).await {
        let request = v1::ExplainRequest {
            image: image.clone(),
            model: model("planted-blue"),
            crop: face.crop,
            face: known(&face),
            target: Some(target("fake")),
            method: Some(v1::Method { kind: Some(v1::method::Kind::Reveal(reveal)), preset: String::new() }),
            fill: Some(grey_fill()),
            ..v1::ExplainRequest::default()
        };
        let answer = explain(service, request).await.unwrap();
        assert!(answer.parts[0].stands_out, "{:?}", answer.parts);
        found.push((face, first(&answer)));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_at_another_size_or_cut_keeps_each_face_and_the_part_that_comes_first() {
    let service = Root::new(&["planted-blue"]).with_faces().service(&[]);
    let crowd = together(&[
        // An eye, on the other side in the mirror.
        flip_horizontal(&painted((32, 38, 22, 12))),
        tilted(&painted((80, 56, 16, 16)), 12.0),
        painted((46, 76, 34, 16)),
        painted((28, 56, 16, 16)),
    ]);
    let wanted = [FacePart::RightEye, FacePart::RightCheek, FacePart::Mouth, FacePart::LeftCheek];
    let upright = blue(&service, &crowd).await;
    assert_eq!(upright.iter().map(|(_, part)| *part).collect::<Vec<_>>(), wanted);
    let resized = |scale: f64| {
        let side = |length: u32| (f64::from(length) * scale).round() as u32;
        resize(&crowd, side(crowd.width()), side(crowd.height()), FilterType::Triangle)
    };
    let cut = crop_imm(&crowd, 30, 40, 780, 500).to_image();
    for (picture, scale, (left, top)) in
        [(resized(0.75), 0.75, (0.0, 0.0)), (resized(1.5), 1.5, (0.0, 0.0)), (cut, 1.0, (30.0, 40.0))]
    {
        let found = blue(&service, &picture).await;
        assert_eq!(found.iter().map(|(_, part)| *part).collect::<Vec<_>>(), wanted, "{scale}");
        for ((face, _), (before, _)) in found.iter().zip(&upright) {
            let back = |v: f64, by: f64| v / scale + by;
            let corners =
                [back(face.left, left), back(face.top, top), back(face.right, left), back(face.bottom, top)];
            let overlap = iou(corners, [before.left, before.top, before.right, before.bottom]);
            assert!(overlap >= 0.8, "{scale}: {overlap:.2}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_face_that_is_looked_for_is_the_largest_or_the_one_that_the_crop_shows() {
    let service = service();
    let (image, faces) = (file(&crowd()), detected(&service, file(&crowd())).await);
    let asked = |crop, face| v1::ExplainRequest { image: image.clone(), crop, face, ..Default::default() };
    let largest = explain(&service, asked(None, search())).await.unwrap();
    assert_eq!(largest.face.as_ref(), Some(&faces[0]));
    assert_eq!(largest.face_model.as_ref().unwrap().name, "centerface");
    assert_eq!(largest.resolved.as_ref().unwrap().crop, faces[0].crop);
    assert_adds_up(largest.cost.as_ref().unwrap());
    let third = explain(&service, asked(faces[2].crop, search())).await.unwrap();
    assert_eq!(third.face.as_ref(), Some(&faces[2]));
    // At most two passes of the face model more than with the landmarks that it finds, and the same answer.
    let told = explain(&service, asked(faces[2].crop, known(&faces[2]))).await.unwrap();
    assert_eq!((&told.map, &told.parts), (&third.map, &third.parts));
    assert_eq!(told.cost.unwrap().announced + 2, third.cost.unwrap().announced);
    // Where the crop shows none, there are no parts, and that is said.
    let nobody = explain(&service, asked(Some(v1::Box { x: 700, y: 10, width: 100, height: 100 }), search()));
    let nobody = nobody.await.unwrap();
    assert!(nobody.parts.is_empty() && nobody.face.is_none());
    assert!(nobody.warnings.iter().any(|w| w.starts_with("no face was found in what the model sees")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_is_a_face_has_parts_unasked_where_sentences_are_wanted() {
    let service = service();
    let image = file(&read("astronaut-mouth.png"));
    let plain = v1::ExplainRequest { image: image.clone(), ..Default::default() };
    assert!(explain(&service, plain.clone()).await.unwrap().parts.is_empty());
    let outputs = vec![v1::Output::Sentences.into()];
    let told = explain(&service, v1::ExplainRequest { outputs, ..plain }).await.unwrap();
    assert_eq!(first(&told), FacePart::Mouth);
    assert_eq!(told.resolved.unwrap().landmarks, told.face.unwrap().landmarks);
}
