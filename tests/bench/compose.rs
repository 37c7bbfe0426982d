//! How long one perturbation takes to become pixels, by kind, for a frame of 128 x 128.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use unmask_core::{
    Basis, Block, Cells, Direction, Draws, Filter, LabelMap, Layout, Noise, Perturbation, Ranks, Tensor,
};

const SIDE: usize = 128;

fn picture(seed: u64) -> Arc<Tensor> {
    let mut draws = Draws::new(seed, 0);
    let data = (0..3 * SIDE * SIDE).map(|_| draws.unit()).collect();
    Arc::new(Tensor::new(3, SIDE, SIDE, data).expect("the shape is the picture's"))
}

fn cells(grid: usize, filter: Filter) -> Perturbation {
    let mut draws = Draws::new(1, 1);
    let values = (0..grid * grid).map(|_| draws.unit().round()).collect();
    Perturbation::Cells(Cells { rows: grid, cols: grid, values, plane: (152, 152), offset: (7, 9), filter })
}

fn noise(basis: Basis) -> Perturbation {
    let direction = Arc::new(Direction::new(1, 2, basis, (3, SIDE, SIDE)));
    Perturbation::Noise(Noise { direction, scale: [0.1; 3], region: None })
}

fn kinds() -> Vec<(&'static str, Perturbation)> {
    let labels: Vec<u32> = (0..SIDE * SIDE).map(|i| (i / SIDE / 19 * 7 + i % SIDE / 19) as u32).collect();
    let labels = Arc::new(LabelMap::new(SIDE, SIDE, &labels).expect("one label per pixel"));
    let shown = (0..labels.count()).map(|i| i % 3 != 0).collect();
    let ranks = Arc::new(Ranks::new(picture(3).channel(0)));
    let block = |at| Block { rows: at..at + 32, cols: at..at + 64, channels: 0..3 };
    vec![
        ("cells, bilinear", cells(7, Filter::Bilinear)),
        ("cells, nearest", cells(8, Filter::Nearest)),
        ("segments", Perturbation::Segments { labels, shown }),
        ("ranked", Perturbation::Ranked { ranks, top: 4000, shown: false }),
        ("blocks", Perturbation::Blocks([block(0), block(16), block(40)].into())),
        ("noise, grid of 64", noise(Basis::Grid(64))),
        ("noise, plane", noise(Basis::Plane)),
        ("dense", Perturbation::Dense(picture(4))),
    ]
}

fn draw(criterion: &mut Criterion) {
    criterion.bench_function("deviates, grid of 64", |b| {
        b.iter(|| Direction::new(black_box(1), 2, Basis::Grid(64), (3, SIDE, SIDE)).deviates().len());
    });
}

fn compose(criterion: &mut Criterion) {
    let (image, fill) = (picture(1), picture(2));
    let mut out = vec![0.0; 3 * SIDE * SIDE];
    for (layout, name) in [(Layout::Nchw, "nchw"), (Layout::Nhwc, "nhwc")] {
        let mut group = criterion.benchmark_group(name);
        for (kind, perturbation) in kinds() {
            group.bench_function(kind, |b| {
                b.iter(|| black_box(&perturbation).expand(&image, &fill, layout, black_box(&mut out)));
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(std::time::Duration::from_millis(300)).measurement_time(std::time::Duration::from_secs(1)).sample_size(20);
    targets = compose, draw
}
criterion_main!(benches);
