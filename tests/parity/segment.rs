//! SLIC and quickshift against scikit-image.

use image::DynamicImage;
use unmask_core::{Colour, InputSpec, LabelMap, ModelSpec, Tensor};
use unmask_explainer::image::{Picture, Rect, to_tensor};
use unmask_explainer::segment::{Quickshift, Slic};

use crate::{golden, path};

/// Share of pixels that may belong to another region: none. Golden files made on a processor without AVX-512 would need one
/// in ten thousand, since scikit-image's own float32 colours then differ in their last bits.
const OTHERWISE: f64 = 0.0;

fn open(name: &str) -> DynamicImage {
    image::open(path(&format!("segment/{name}.png"))).unwrap()
}

/// The tensor of a case's picture, and the model's input it is in the units of.
fn tensor(case: &serde_json::Value) -> (Tensor, InputSpec) {
    let pixels = open(case["picture"].as_str().unwrap()).into_rgb8();
    let (width, height) = pixels.dimensions();
    let mut input = ModelSpec::plain("m", height as usize, width as usize, &["real", "fake"]).input;
    if case["mean"].is_array() {
        let three = |key: &str| [0, 1, 2].map(|i| case[key][i].as_f64().unwrap());
        (input.mean, input.std) = (three("mean"), three("std"));
        input.colour = if case["colour"] == "bgr" { Colour::Bgr } else { Colour::Rgb };
    }
    (to_tensor(&Picture::new(pixels), Rect::whole(width, height), &input), input)
}

/// Share of pixels whose label is not the peer's.
fn differing(ours: &LabelMap, case: &serde_json::Value) -> f64 {
    let peers = open(case["labels"].as_str().unwrap()).into_luma16();
    assert_eq!(peers.len(), ours.labels().len());
    let differ =
        ours.labels().iter().zip(peers.iter()).filter(|(ours, peer)| **ours != u32::from(**peer)).count();
    differ as f64 / peers.len() as f64
}

fn all_agree(algorithm: &str, segment: impl Fn(&serde_json::Value, &Tensor, &InputSpec) -> LabelMap) {
    for case in golden("segment")[algorithm].as_array().unwrap() {
        let (image, input) = tensor(case);
        let differing = differing(&segment(case, &image, &input), case);
        assert!(differing <= OTHERWISE, "{algorithm} of {}: {differing}", case["labels"]);
    }
}

#[test]
fn slic_gives_the_labels_of_scikit_image() {
    all_agree("slic", |case, image, input| {
        let slic = Slic {
            segments: case["segments"].as_u64().unwrap() as usize,
            compactness: case["compactness"].as_f64().unwrap(),
            normalised: case["normalised"].as_bool().unwrap(),
        };
        slic.segment(image, input)
    });
}

#[test]
fn quickshift_gives_the_labels_of_scikit_image() {
    all_agree("quickshift", |case, image, input| {
        let quickshift = Quickshift {
            kernel_size: case["kernel_size"].as_f64().unwrap(),
            max_distance: case["max_distance"].as_f64().unwrap(),
            ratio: case["ratio"].as_f64().unwrap(),
        };
        quickshift.segment(image, input, case["seed"].as_u64().unwrap())
    });
}
