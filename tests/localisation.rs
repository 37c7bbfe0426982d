//! What the shipped detector's explanations find on the samples that ship, whose masks are exact.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use unmask_explainer::metrics::pointing_game::hit;
use unmask_protocol::v1;
use unmask_server::Service;
use unmask_tests::{Root, above_mean, explain, grey_fill, image_fill, rise, sample, values};

/// Where a map's evidence lies, against the exact mask.
#[derive(Debug)]
struct Found {
    /// Share of the positive part of the map less its own mean that lies inside, over the mask's area share.
    concentration: f64,
    /// Whether the highest value lies inside.
    hit: bool,
}

fn mask(family: &str) -> Vec<bool> {
    let png = sample(&format!("astronaut-{family}.mask.png"));
    let mask = image::load_from_memory(&png).unwrap().to_luma8();
    let size = mask.width();
    // The map's frame is 128 x 128; the nearest pixel of the mask decides.
    (0..128 * 128).map(|i| mask.get_pixel(i % 128 * size / 128, i / 128 * size / 128).0[0] > 127).collect()
}

async fn find(service: &Service, family: &str, fill: v1::Fill) -> Found {
    let request = v1::ExplainRequest {
        image: sample(&format!("astronaut-{family}.png")),
        method: Some(rise(2000)),
        fill: Some(fill),
        ..v1::ExplainRequest::default()
    };
    let answer = explain(service, request).await.unwrap();
    assert!(answer.prediction.unwrap().fake, "the {family} sample is called manipulated");
    let (map, mask) = (values(&answer.map.unwrap()), mask(family));
    let area = mask.iter().filter(|m| **m).count() as f64 / mask.len() as f64;
    Found { concentration: above_mean(&map, &mask) / area, hit: hit(&map, &mask, 128, 0) }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_untouched_original_rise_points_at_mouth_and_eyes() {
    let service = Root::new(&[]).service(&[]);
    for family in ["mouth", "eyes", "blend"] {
        let found = find(&service, family, image_fill(sample("astronaut-real.png"))).await;
        let grey = find(&service, family, grey_fill()).await;
        println!("{family}: original {found:?}, grey {grey:?}");
        // A whole-face mask covers too much of the picture for twice its share; its figures are printed only.
        if family != "blend" {
            assert!(found.hit && found.concentration >= 2.0, "{family}: {found:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_untouched_portrait_is_called_real() {
    let service = Root::new(&[]).service(&[]);
    let request = v1::ExplainRequest { image: sample("astronaut-real.png"), ..unmask_tests::request() };
    let prediction = explain(&service, request).await.unwrap().prediction.unwrap();
    assert!(!prediction.fake && prediction.label == "real", "{prediction:?}");
}
