//! The rounds of SLIC: each pixel joins the nearest centre within reach, each centre moves to the mean of its pixels.
//! All arithmetic is float32 and all sums run in raster order, as in scikit-image.

use super::seeds::Lattice;

/// Rounds are never fewer: distances start anew in each, so that every pixel is claimed again.
const ROUNDS: usize = 10;

/// A picture ready for clustering: three planes, row-major `[height, width]`, already divided by the compactness.
pub(super) struct Planes {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) colour: [Vec<f32>; 3],
}

#[derive(Clone, Copy)]
struct Centre {
    y: f32,
    x: f32,
    colour: [f32; 3],
}

/// How far a centre looks, in rows and columns, and what a squared pixel of distance weighs.
struct Reach {
    rows: f32,
    cols: f32,
    weight: f32,
}

/// The centre of each pixel so far, and its squared distance.
struct Claims {
    centre: Vec<u32>,
    distance: Vec<f32>,
}

/// The centre of each pixel, and how many centres were sown; about `segments`.
///
/// The squared distance is (dy^2 + dx^2) / step^2 + |colour - centre|^2 within two steps of a centre; the first of equally
/// near centres wins. Centres start with colour zero, not with that of their pixel. A centre that loses its last pixel is
/// gone (a division by zero in scikit-image, whose window of NaN holds no pixel).
pub(super) fn cluster(planes: &Planes, segments: usize) -> (Vec<u32>, usize) {
    let (height, width) = (planes.height, planes.width);
    let lattice = Lattice::new(height, width, segments);
    let at = |(y, x)| Some(Centre { y: y as f32, x: x as f32, colour: [0.0; 3] });
    let mut centres: Vec<Option<Centre>> = lattice.seeds(height, width).map(at).collect();
    let (rows, cols) = lattice.steps();
    let step = rows.max(cols) as f32;
    // The windows follow from the seeds sown, which are not always as many as were asked for.
    let (rows, cols) = Lattice::new(height, width, centres.len()).steps();
    let reach = Reach { rows: (2 * rows) as f32, cols: (2 * cols) as f32, weight: 1.0 / (step * step) };
    let mut claims = Claims { centre: vec![0; height * width], distance: vec![0.0; height * width] };
    for _ in 0..ROUNDS {
        claims.distance.fill(f32::INFINITY);
        for (k, centre) in (0..).zip(&centres) {
            if let Some(centre) = centre {
                claim(planes, centre, k, &reach, &mut claims);
            }
        }
        move_to_means(planes, &claims.centre, &mut centres);
    }
    (claims.centre, centres.len())
}

/// Gives centre `k` the pixels within reach that are nearer to it than to any before.
fn claim(planes: &Planes, centre: &Centre, k: u32, reach: &Reach, claims: &mut Claims) {
    let (top, bottom) = window(centre.y, reach.rows, planes.height);
    let (left, right) = window(centre.x, reach.cols, planes.width);
    let columns: Vec<f32> = (left..right).map(|x| centre.x - x as f32).map(|dx| dx * dx).collect();
    let mut squared = vec![0.0; columns.len()];
    for y in top..bottom {
        let dy = centre.y - y as f32;
        let row = y * planes.width + left..y * planes.width + right;
        let colour = planes.colour.each_ref().map(|plane| &plane[row.clone()]);
        measure(centre, dy * dy, reach.weight, &columns, colour, &mut squared);
        let claimed = claims.centre[row.clone()].iter_mut().zip(&mut claims.distance[row]);
        for ((nearest, distance), squared) in claimed.zip(&squared) {
            let nearer = *distance > *squared;
            *nearest = if nearer { k } else { *nearest };
            *distance = if nearer { *squared } else { *distance };
        }
    }
}

/// Squared distances of the pixels of a row, apart from the claims so that the compiler takes several pixels at once.
fn measure(centre: &Centre, dy: f32, weight: f32, columns: &[f32], colour: [&[f32]; 3], squared: &mut [f32]) {
    let [first, second, third] = colour;
    let pixels = first.iter().zip(second).zip(third).zip(columns);
    for (squared, (((first, second), third), dx)) in squared.iter_mut().zip(pixels) {
        let (a, b, c) = (first - centre.colour[0], second - centre.colour[1], third - centre.colour[2]);
        *squared = (dy + dx) * weight + (a * a + b * b + c * c);
    }
}

/// First pixel of a side within reach of a centre, and past the last.
fn window(centre: f32, reach: f32, side: usize) -> (usize, usize) {
    ((centre - reach).max(0.0) as usize, (centre + reach + 1.0).min(side as f32) as usize)
}

fn move_to_means(planes: &Planes, nearest: &[u32], centres: &mut [Option<Centre>]) {
    let mut sums = vec![([0.0f32; 5], 0u32); centres.len()];
    let [first, second, third] = &planes.colour;
    for (y, row) in nearest.chunks_exact(planes.width.max(1)).enumerate() {
        let start = y * planes.width;
        for (x, k) in row.iter().enumerate() {
            let i = start + x;
            let (sum, pixels) = &mut sums[*k as usize];
            for (sum, value) in sum.iter_mut().zip([y as f32, x as f32, first[i], second[i], third[i]]) {
                *sum += value;
            }
            *pixels += 1;
        }
    }
    for (centre, (sum, pixels)) in centres.iter_mut().zip(sums) {
        let [y, x, first, second, third] = sum.map(|sum| sum / pixels as f32);
        *centre = (pixels > 0).then_some(Centre { y, x, colour: [first, second, third] });
    }
}
