//! How long the parts of an explanation take that ask no model: decoding, segments, the fold of RISE, pictures.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use unmask_core::{Cells, Draws, Filter, InputSpec, Map, ModelSpec, Reading, Tensor};
use unmask_explainer::image::{self, Frame, Limits, Rect};
use unmask_explainer::methods::rise::Fold;
use unmask_explainer::render::{self, Scene};
use unmask_explainer::segment::{Quickshift, Segmentation, Slic};
use unmask_tests::sample;

fn spec(side: usize) -> InputSpec {
    ModelSpec::plain("m", side, side, &["real", "fake"]).input
}

fn parts(criterion: &mut Criterion) {
    let bytes = sample("astronaut-mouth.png");
    let picture = image::decode(&bytes, &Limits::default()).expect("it is a picture");
    let whole = Rect { x: 0, y: 0, width: picture.width(), height: picture.height() };
    criterion.bench_function("decode a PNG of 128 x 128 to a tensor", |b| {
        b.iter(|| {
            let picture = image::decode(black_box(&bytes), &Limits::default()).expect("it is a picture");
            image::to_tensor(&picture, whole, &spec(128))
        });
    });
    for side in [128, 224] {
        let input = spec(side);
        let tensor: Tensor = image::to_tensor(&picture, whole, &input);
        for (name, segmentation) in [
            ("SLIC into 50", Segmentation::Slic(Slic { segments: 50, ..Slic::default() })),
            ("quickshift", Segmentation::Quickshift(Quickshift::default())),
        ] {
            criterion.bench_function(&format!("{name}, {side} x {side}"), |b| {
                b.iter(|| segmentation.segment(black_box(&tensor), &input, 0));
            });
        }
    }
    let mut draws = Draws::new(1, 1);
    let masks: Vec<Cells> = (0..4000)
        .map(|_| Cells {
            rows: 7,
            cols: 7,
            values: (0..49).map(|_| draws.unit().round()).collect(),
            plane: (152, 152),
            offset: (draws.below(19) as usize, draws.below(19) as usize),
            filter: Filter::Bilinear,
        })
        .collect();
    criterion.bench_function("fold of RISE-4000, 128 x 128", |b| {
        b.iter(|| {
            let mut fold = Fold::new(128, 128);
            masks.iter().for_each(|mask| fold.add(0.5, mask));
            fold.finish(true)
        });
    });
    let map = Map { height: 128, width: 128, data: (0..128 * 128).map(|i| (i % 37) as f32 - 18.0).collect() };
    let frame = Frame {
        crop: whole,
        displayed: (picture.width(), picture.height()),
        orientation: picture.orientation(),
        model: (128, 128),
    };
    let scene = Scene { map: &map, reading: Reading::Evidence, frame: &frame, legend: "evidence" };
    criterion.bench_function("overlay as a PNG", |b| b.iter(|| render::overlay(black_box(&scene), &picture)));
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20);
    targets = parts
}
criterion_main!(benches);
