//! D-RISE: why a face model saw a face where it did.
//!
//! Petsiuk, Jain, Manjunatha, Morariu, Mehra, Ordonez, Saenko, "Black-box Explanation of Object Detectors via Saliency Maps", CVPR 2021,
//! arXiv 2006.03204.
//!
//! Masks are those of RISE ([`crate::methods::rise`]) over the model's frame. With b the box of the face on the untouched picture and
//! (b_k, o_k) the boxes and scores that the model tells of the picture under mask M_i, however low they are,
//!
//! ```text
//! s_i = max_k IoU(b, b_k) o_k,    0 to 1
//! ```
//!
//! and the map is the centred fold of RISE, `S(x) = sum_i (s_i - s) M_i(x) / sum_i M_i(x)`, -1 to 1: how much higher overlap times score is,
//! on average, when pixel x shows. Cost: N passes.
//!
//! Departures from the paper: a face model has one class, so that the similarity of class vectors is 1, and the score of the explained
//! face, which is the same for all masks, is left out. The paper sums `s_i M_i(x)`, in which whatever a score is on average paints the
//! sum of the masks; the mean is taken off, and each pixel is divided by how often it has shown, as our RISE does. Cells are square: of a
//! picture that is not, the longer side has `grid` of them. What is hidden is grey, halfway between black and white: the paper multiplies
//! normalised values by the mask, whose 0 is about that grey, and for a model that takes pixels as they are 0 would be the black that is
//! beside the picture. That black is never masked.

use std::ops::ControlFlow;
use std::sync::Arc;

use unmask_core::{
    Ended, Forward, ForwardError, InputSpec, Kind, LabelMap, Map, Param, Preset, Reading, Tensor,
};

use super::Face;
use super::find::{Fit, read};
use crate::image::fitted;
use crate::methods::Rise;
use crate::methods::rise::{Masked, Masking};
use crate::segment::rank;

/// Number of masks.
pub const MASKS: Param = Param {
    name: "masks",
    unit: "masks",
    kind: Kind::Integer { default: 2000, min: 128, max: 20_000 },
    paper: None,
    help: "Number of random masks; the error falls with its square root.",
    source: "ours; Petsiuk et al., arXiv 2006.03204, take 5000",
};
/// Rows and columns of the lattice.
pub const GRID: Param = Param {
    name: "grid",
    unit: "cells",
    kind: Kind::Integer { default: 16, min: 4, max: 32 },
    paper: None,
    help: "Cells of the random lattice along the picture's longer side; more find smaller parts and need more masks.",
    source: "Petsiuk et al., arXiv 2006.03204",
};
/// Probability that a cell shows the picture.
pub const KEEP_PROBABILITY: Param = Param {
    name: "keep_probability",
    unit: "probability",
    kind: Kind::Real { default: 0.5, min: 0.01, max: 0.99 },
    paper: None,
    help: "Probability that a cell shows the picture.",
    source: "Petsiuk et al., arXiv 2006.03204",
};

/// Masks in a round. A pass of a face model is dear, and an answer ends between two rounds: fewer than a method's.
const ROUND: usize = 32;
/// The pixel value of what is hidden.
const GREY: f64 = 127.5;
/// Numbers of the pixels beside the box and in it.
const BESIDE: u32 = 0;
const INSIDE: u32 = 1;

/// Parameters of D-RISE.
#[derive(Clone, Debug, PartialEq)]
pub struct Drise {
    /// Number of masks.
    pub masks: u64,
    /// Cells of the lattice along the picture's longer side.
    pub grid: usize,
    /// Probability that a cell shows the picture.
    pub keep_probability: f64,
}

impl Default for Drise {
    fn default() -> Self {
        let wrong = &mut Vec::new();
        Self {
            masks: MASKS.integer(None, Preset::Clean, "", wrong),
            grid: GRID.integer(None, Preset::Clean, "", wrong) as usize,
            keep_probability: KEEP_PROBABILITY.real(None, Preset::Clean, "", wrong),
        }
    }
}

/// Which face is explained, and whom it asks.
pub struct Question<'a> {
    /// The picture [fitted](crate::image::to_fit) into the model's frame.
    pub image: &'a Arc<Tensor>,
    /// Width and height of the picture as displayed.
    pub displayed: (u32, u32),
    /// The face as the model tells of it in that picture.
    pub face: &'a Face,
    /// Seed of the masks.
    pub seed: u64,
    /// The face model.
    pub forward: &'a dyn Forward,
}

/// Why a face was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Over the picture, at the size that it has in the model's frame.
    pub map: Map,
    /// What lies in the face's box.
    pub inside: Inside,
    /// The mean of overlap times score over the masks, 0 to 1: how much of the face is left when about half of the picture shows.
    pub mean: f64,
    /// Why the masks are over.
    pub ended: Ended,
}

/// The part of a map that lies in a box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inside {
    /// Mean of the map.
    pub mean: f64,
    /// Standard error of the mean, over seeds; none where there are too few masks to tell.
    pub error: Option<f64>,
    /// Share of the positive part of the map; 0 where there is none.
    pub evidence_share: f64,
    /// Share of the picture.
    pub area_share: f64,
}

impl Drise {
    /// Forward passes that [`Drise::explain`] asks for.
    pub fn announced(&self) -> u64 {
        self.masks
    }

    /// Explains a face.
    ///
    /// # Errors
    /// As [`Forward::run`], and [`ForwardError::Unanswered`] when the rounds ended before there was an answer.
    pub fn explain(&self, question: &Question<'_>) -> Result<Evidence, ForwardError> {
        self.explain_by(ROUND, question)
    }

    fn explain_by(&self, round: usize, question: &Question<'_>) -> Result<Evidence, ForwardError> {
        let Question { image, displayed, face, seed, forward } = *question;
        let input = &forward.spec().input;
        let (size, scale) = fitted(displayed, input);
        let segments = split(face, size, displayed);
        let fit = Fit { input, scale, displayed };
        let masking = Masking {
            image,
            fill: &Arc::new(hidden(image, input, size)),
            shape: (size.1 as usize, size.0 as usize),
            segments: &segments,
            seed,
            round,
            forward,
        };
        // The untouched picture's is taken off first: a model that never changes its mind then adds exact zeros.
        let left = |row: &[f32]| similarity(row, fit, face) - face.score;
        let Masked { map, errors, mean, ended } =
            self.rise().masked(&masking, left, |_, _| ControlFlow::Continue(()))?;
        let inside = |label: usize| segments.name(label) == INSIDE;
        let ranked = rank(&map, Reading::Evidence, &segments).into_iter().find(|r| inside(r.label));
        let ranked = ranked.expect("a box has at least one pixel");
        let inside = Inside {
            mean: ranked.mean,
            error: errors.map(|errors| errors.regions[ranked.label]),
            evidence_share: ranked.evidence_share,
            area_share: ranked.area_share,
        };
        Ok(Evidence { map, inside, mean: mean + face.score, ended })
    }

    fn rise(&self) -> Rise {
        let Self { masks, grid, keep_probability } = *self;
        Rise { masks, grid, keep_probability, centred: true, paired: false }
    }
}

/// The largest overlap times score of what a row tells of, 0 to 1; 0 where it tells of nothing.
fn similarity(row: &[f32], fit: Fit<'_>, face: &Face) -> f64 {
    read(row, fit).map(|other| face.overlap(&other) * other.score).fold(0.0, f64::max)
}

/// What stands where the picture is hidden: grey on its `size`, and beside it what is there.
fn hidden(image: &Tensor, input: &InputSpec, size: (u32, u32)) -> Tensor {
    let (width, height) = (size.0 as usize, size.1 as usize);
    let mut data = image.data().to_vec();
    for (channel, values) in data.chunks_exact_mut(input.height * input.width).enumerate() {
        let grey = input.units(channel, GREY);
        values.chunks_exact_mut(input.width).take(height).for_each(|row| row[..width].fill(grey));
    }
    Tensor::new(image.channels(), image.height(), image.width(), data).expect("each value stays in its place")
}

/// The pixels of a picture of this size whose centres lie in the face's box, and the others. The pixel under the middle of the box is
/// always in it.
fn split(face: &Face, size: (u32, u32), displayed: (u32, u32)) -> LabelMap {
    let [left, top, right, bottom] = face.corners;
    let span = |from: f64, to: f64, pixels: u32, length: u32| {
        let along = f64::from(pixels) / f64::from(length);
        let middle = (((from + to) / 2.0 * along) as u32).min(pixels - 1);
        move |i: u32| i == middle || (from * along..to * along).contains(&(f64::from(i) + 0.5))
    };
    let (across, down) = (span(left, right, size.0, displayed.0), span(top, bottom, size.1, displayed.1));
    let numbers: Vec<u32> = (0..size.1)
        .flat_map(|y| (0..size.0).map(move |x| (x, y)))
        .map(|(x, y)| if across(x) && down(y) { INSIDE } else { BESIDE })
        .collect();
    LabelMap::new(size.1 as usize, size.0 as usize, &numbers).expect("a number for each pixel")
}

#[cfg(test)]
mod tests {
    use unmask_core::{FromFn, ModelSpec, Perturbation, Round, Scores, Task};

    use super::super::find;
    use super::*;

    const SIDE: usize = 32;
    /// Columns and rows of what the planted model looks at: the eyes of its face.
    const SEEN: (std::ops::Range<usize>, std::ops::Range<usize>) = (8..16, 4..8);
    /// The box that it tells, as parts of the frame.
    const BOX: [f32; 4] = [0.125, 0.125, 0.625, 0.5];
    /// A picture of half the frame's height, twice as large.
    const DISPLAYED: (u32, u32) = (64, 32);

    fn spec() -> ModelSpec {
        let task = Task::Faces { most: 2, scale: 1.0, drop: 0.0 };
        ModelSpec { task, ..ModelSpec::plain("faces", SIDE, SIDE, &[]) }
    }

    /// A row of one face.
    fn face(score: f32, corners: [f32; 4]) -> Vec<f32> {
        [&[score][..], &corners, &[0.3; 10], &[0.0; 15]].concat()
    }

    /// As sure as what it looks at is white.
    fn looks(x: &[f32]) -> Vec<f32> {
        let (cols, rows) = SEEN;
        let seen = |y: usize| x[y * SIDE..][cols.clone()].iter().sum::<f32>();
        face(rows.clone().map(seen).sum::<f32>() / (cols.len() * rows.len()) as f32, BOX)
    }

    /// White above black.
    fn picture() -> Arc<Tensor> {
        let white = |i: usize| if i % (SIDE * SIDE) < SIDE * SIDE / 2 { 1.0 } else { 0.0 };
        Arc::new(Tensor::new(3, SIDE, SIDE, (0..3 * SIDE * SIDE).map(white).collect()).unwrap())
    }

    /// The face of the untouched picture.
    fn found(image: &Arc<Tensor>, model: &dyn Forward) -> Face {
        let items = vec![Perturbation::Dense(Arc::clone(image))];
        let round = Round { image: Arc::clone(image), fill: Arc::clone(image), items };
        find(model.scores(round).unwrap().row(0), &spec().input, 2.0, DISPLAYED).remove(0)
    }

    fn asked(drise: &Drise, seed: u64, round: usize, model: impl Fn(&[f32]) -> Vec<f32>) -> Evidence {
        let (image, model) = (picture(), FromFn::new(spec(), model));
        let face = &found(&image, &model);
        let question = Question { image: &image, displayed: DISPLAYED, face, seed, forward: &model };
        drise.explain_by(round, &question).unwrap()
    }

    /// A model whose deadline comes after some rounds.
    struct Until<'a>(&'a dyn Forward, usize);

    impl Forward for Until<'_> {
        fn spec(&self) -> &ModelSpec {
            self.0.spec()
        }

        fn run(
            &self,
            rounds: &mut dyn Iterator<Item = Round>,
            fold: &mut dyn FnMut(usize, Scores) -> ControlFlow<()>,
        ) -> Result<Ended, ForwardError> {
            self.0.run(&mut rounds.take(self.1), fold).map(|_| Ended::Deadline)
        }
    }

    fn small() -> Drise {
        Drise { masks: 400, grid: 8, ..Drise::default() }
    }

    #[test]
    fn what_the_model_looks_at_stands_out_and_the_map_is_of_the_picture_alone() {
        let evidence = asked(&Drise { masks: 2000, ..small() }, 1, 32, looks);
        let map = &evidence.map;
        assert_eq!((map.height, map.width), (SIDE / 2, SIDE));
        let (cols, rows) = SEEN;
        let mean = |inside: bool| {
            let values = map
                .data
                .iter()
                .enumerate()
                .filter(|(i, _)| (cols.contains(&(i % SIDE)) && rows.contains(&(i / SIDE))) == inside);
            let values: Vec<f64> = values.map(|(_, v)| f64::from(*v)).collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        assert!(mean(true) > 0.05 && mean(false).abs() < 0.02, "{} {}", mean(true), mean(false));
        let best = (0..map.data.len()).max_by(|a, b| map.data[*a].total_cmp(&map.data[*b])).unwrap();
        assert!(cols.contains(&(best % SIDE)) && rows.contains(&(best / SIDE)), "{best}");
        // Grey is half as white: what is left is three quarters on average.
        assert!((evidence.mean - 0.75).abs() < 0.02, "{}", evidence.mean);
        let Inside { mean, error, evidence_share, area_share } = evidence.inside;
        assert_eq!(area_share, 16.0 * 12.0 / (32.0 * 16.0));
        assert!(evidence_share > 1.6 * area_share && mean > 5.0 * error.unwrap(), "{:?}", evidence.inside);
    }

    #[test]
    fn a_face_that_moves_away_is_another_though_it_is_as_sure() {
        // Told where it was while what it looks at shows, and beside that otherwise.
        let moves = |x: &[f32]| {
            let is_there = looks(x)[0] > 0.75;
            face(0.9, if is_there { BOX } else { BOX.map(|part| (part + 0.3).min(1.0)) })
        };
        let evidence = asked(&small(), 1, 32, moves);
        assert!(evidence.mean < 0.7 && evidence.inside.evidence_share > 0.6, "{evidence:?}");
    }

    #[test]
    fn a_face_that_is_always_seen_has_a_flat_map() {
        let evidence = asked(&small(), 0, 32, |_| face(0.7, BOX));
        assert!(evidence.map.data.iter().all(|v| *v == 0.0));
        assert!((evidence.mean - f64::from(0.7f32)).abs() < 1e-12);
        assert_eq!((evidence.inside.evidence_share, evidence.inside.mean), (0.0, 0.0));
    }

    #[test]
    fn the_map_is_the_same_whatever_the_rounds_are_and_another_with_another_seed() {
        let first = asked(&small(), 5, 32, looks);
        for round in [1, 7, 128] {
            assert_eq!(asked(&small(), 5, round, looks), first, "{round}");
        }
        assert!(asked(&small(), 6, 32, looks).map != first.map);
    }

    #[test]
    fn what_is_beside_the_picture_is_never_touched() {
        let black = |x: &[f32]| {
            let touched = (0..3)
                .any(|c| x[(c * SIDE + SIDE / 2) * SIDE..(c + 1) * SIDE * SIDE].iter().any(|v| *v != 0.0));
            face(if touched { 0.0 } else { 0.8 }, BOX)
        };
        let evidence = asked(&small(), 0, 32, black);
        assert!((evidence.mean - f64::from(0.8f32)).abs() < 1e-12);
    }

    #[test]
    fn what_is_cut_short_is_what_fewer_masks_are() {
        let (image, model) = (picture(), FromFn::new(spec(), looks));
        let face = &found(&image, &model);
        let ask = |drise: &Drise, forward: &dyn Forward| {
            drise.explain(&Question { image: &image, displayed: DISPLAYED, face, seed: 3, forward })
        };
        let cut = ask(&small(), &Until(&model, 4)).unwrap();
        assert_eq!(cut.ended, Ended::Deadline);
        let few = ask(&Drise { masks: 4 * ROUND as u64, ..small() }, &model).unwrap();
        assert_eq!(cut.map, few.map);
        let none = ask(&small(), &Until(&model, 0)).unwrap_err();
        assert_eq!(none, ForwardError::Unanswered(Ended::Deadline));
    }

    #[test]
    fn rows_that_are_no_numbers_count_as_nothing() {
        let wild = |value: f32| {
            move |x: &[f32]| {
                let is_whole = x[..SIDE * SIDE / 2].iter().all(|v| *v == 1.0);
                if is_whole { face(0.9, BOX) } else { vec![value; 30] }
            }
        };
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let evidence = asked(&small(), 0, 32, wild(value));
            assert!(evidence.map.data.iter().all(|v| v.is_finite()), "{value}");
            assert!(evidence.mean < 1e-9, "{value}: {}", evidence.mean);
        }
    }

    #[test]
    fn a_box_smaller_than_a_pixel_has_one() {
        let tiny = Face { score: 0.9, corners: [10.1, 10.1, 10.2, 10.3], landmarks: [(0.0, 0.0); 5] };
        let segments = split(&tiny, (32, 16), DISPLAYED);
        assert_eq!(
            segments.labels().iter().filter(|label| segments.name(**label as usize) == INSIDE).count(),
            1
        );
        // One that covers everything leaves nothing beside it.
        let whole = Face { corners: [0.0, 0.0, 64.0, 32.0], ..tiny };
        assert_eq!(split(&whole, (32, 16), DISPLAYED).count(), 1);
    }
}
