//! Checks that every metric of the list passes, on a detector whose evidence lies in three known segments.

use std::sync::Arc;

use unmask_core::{LabelMap, Map, Reading, Scale, Target, Tensor};

use super::planted::Planted;
use super::*;
use crate::fill::adversarial::{Bounded, Paper, Search};
use crate::segment::grid;

const SIDE: usize = 16;
/// Rows and columns of segments, and pixels of a segment's side.
const CELLS: usize = 4;
const CELL: usize = SIDE / CELLS;
/// Segments with their weight. A shift by one segment to the right leaves none of them where it was.
const EVIDENCE: [(usize, f32); 3] = [(1, 6.0), (7, 3.0), (12, 1.0)];

fn bounded() -> Search {
    Search::Bounded(Bounded { grid: 8, max_passes: 400, ..Bounded::default() })
}

/// Every metric, as it is asked for by default but for smaller steps on the small frame.
fn all() -> Vec<Box<dyn Metric>> {
    vec![
        Box::new(AdversarialSufficiency { regions: 3, attack: bounded() }),
        Box::new(Stability { regions: 3, change: 0.1, attack: bounded() }),
        Box::new(Deletion { step: 8 }),
        Box::new(Insertion { step: 8 }),
        Box::new(PixelFlipping { patch: 4, regions: 100 }),
        Box::new(Road { impute: false }),
        Box::new(AverageDrop {}),
        Box::new(Comprehensiveness {}),
        Box::new(Sufficiency {}),
        Box::new(CompletenessGap {}),
        Box::new(PointingGame { tolerance: 0 }),
        Box::new(RelevanceMass {}),
        Box::new(RelevanceRank {}),
        Box::new(Iou { share: 0.0 }),
        Box::new(Auroc {}),
        Box::new(AveragePrecision {}),
        Box::new(Sparseness {}),
        Box::new(Entropy {}),
        Box::new(EffectiveComplexity { threshold: 1e-5 }),
        Box::new(TotalVariation {}),
        Box::new(Spread {}),
        Box::new(Centredness {}),
        Box::new(MaxSensitivity { draws: 3, radius: 0.2 }),
        Box::new(Rfxg { score: RfxgScore::Fitting, as_coded: false }),
    ]
}

/// Every metric, and those whose parameters take another way.
fn every() -> Vec<Box<dyn Metric>> {
    let paper = Search::Paper(Paper { steps: 3, ..Paper::default() });
    let mut every = all();
    every.push(Box::new(Road { impute: true }));
    every.push(Box::new(Stability { regions: 3, change: 0.1, attack: paper.clone() }));
    every.push(Box::new(AdversarialSufficiency { regions: 3, attack: paper }));
    every.push(Box::new(Rfxg { score: RfxgScore::Cgs, as_coded: true }));
    every
}

/// A detector whose log-odds of "fake" rise with the weighted mean of the evidence: +2 on the picture, -3 on the fill.
fn planted() -> Planted {
    let segments = grid(SIDE, SIDE, CELLS, CELLS);
    let weight = |i: &usize| {
        let label = segments.labels()[*i] as usize;
        EVIDENCE.iter().find(|(segment, _)| *segment == label).map_or(0.0, |(_, weight)| *weight)
    };
    let map: Vec<f32> = (0..SIDE * SIDE).map(|i| weight(&i)).collect();
    let (weights, sum) = (map.clone(), map.iter().sum::<f32>());
    let logits = move |x: &[f32]| {
        let mean: f32 = weights.iter().zip(x).map(|(w, x)| w * x).sum::<f32>() / sum;
        vec![0.0, 100.0 * (mean - 0.5) + 2.0]
    };
    let mut planted = Planted::new(SIDE, SIDE, &["real", "fake"], map, logits);
    planted.image = Arc::new(Tensor::constant(&[0.5; 3], SIDE, SIDE));
    planted.fill = Arc::new(Tensor::constant(&[0.45; 3], SIDE, SIDE));
    planted.target = Target::new(vec![1], Some(vec![0]), 2, Scale::Probability);
    planted.mask = Some((0..SIDE * SIDE).map(|i| weight(&i) > 0.0).collect());
    planted.truth = Some(1);
    planted.total = Some(Total { expected: 5.0, sum: 4.0 });
    planted.segments = Arc::new(segments);
    planted
}

fn wrong(map: &Map, wrong: Wrong, seed: u64) -> Map {
    let data = match wrong {
        Wrong::Inverted => map.data.iter().map(|v| -v).collect(),
        Wrong::Random => controls::random(SIDE, SIDE, seed).data,
        Wrong::Shifted => {
            let from = |i: usize| i / SIDE * SIDE + (i % SIDE + SIDE - CELL) % SIDE;
            (0..map.data.len()).map(|i| map.data[from(i)]).collect()
        }
    };
    Map { data, ..map.clone() }
}

/// How good the first figure is: higher is better whatever its direction; minus infinity where it has no value.
fn goodness(planted: &Planted, metric: &dyn Metric) -> f64 {
    let figure = planted.measure(metric).figures.remove(0);
    match (figure.value, figure.better) {
        (Err(_), _) => f64::NEG_INFINITY,
        (Ok(value), Better::Higher) => value,
        (Ok(value), Better::Lower) => -value,
        (Ok(_), Better::Neither) => 0.0,
    }
}

#[test]
fn the_checks_run_over_every_metric_of_the_list() {
    let names = |list: &[&About]| list.iter().map(|about| about.entry.name).collect::<Vec<_>>();
    let checked: Vec<&About> = all().iter().map(|metric| metric.about()).collect();
    assert_eq!(names(METRICS), names(&checked));
}

#[test]
fn a_wrong_explanation_scores_worse_in_every_metric_that_claims_to_tell() {
    for metric in all() {
        let about = metric.about();
        let right = goodness(&planted(), &*metric);
        for kind in about.tells {
            // Three draws, so that none passes by luck.
            for seed in 0..3 {
                let map = wrong(&planted().map, *kind, seed);
                let worse = goodness(&Planted { map, ..planted() }, &*metric);
                assert!(
                    worse < right,
                    "{} does not tell {kind:?}: {worse} against {right}",
                    about.entry.name
                );
            }
        }
    }
}

#[test]
fn figures_are_those_that_are_declared_and_no_more_passes_are_run_than_announced() {
    for metric in every() {
        let (planted, about) = (planted(), metric.about());
        let before = planted.passes();
        let measured = planted.measure(&*metric);
        let run = planted.passes() - before;
        let size = Size { height: SIDE, width: SIDE, again: Some(0) };
        // The picture's own score, which the planted case asks for, is not the metric's; the planted explanation costs none.
        assert!(run <= metric.announced(&size) + 1, "{}: {run}", about.entry.name);
        for figure in &measured.figures {
            let declared = |a: &&FigureAbout| match a.name.strip_suffix('K') {
                Some(stem) => figure.name.strip_prefix(stem).is_some_and(|k| k.parse::<u64>().is_ok()),
                None => figure.name == a.name,
            };
            let declared = about.figures.iter().find(declared);
            let declared =
                declared.unwrap_or_else(|| panic!("{} declares {}", about.entry.name, figure.name));
            // What is added up as the authors' code has it is better neither way.
            let neither = figure.better == Better::Neither;
            assert!(neither || declared.better == figure.better, "{}", figure.name);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_figures() {
    for metric in every() {
        assert_eq!(planted().measure(&*metric), planted().measure(&*metric), "{}", metric.about().entry.name);
    }
}

#[test]
fn odd_maps_have_finite_figures_or_a_reason() {
    let flat = |value: f32| vec![value; SIDE * SIDE];
    let mut one = flat(0.0);
    one[37] = f32::MAX;
    let tiny = (0..SIDE * SIDE).map(|i| i as f32 * f32::MIN_POSITIVE).collect();
    let huge = (0..SIDE * SIDE).map(|i| if i % 2 == 0 { f32::MAX } else { f32::MIN }).collect();
    for data in [flat(0.0), flat(-1.0), flat(f32::MAX), one, tiny, huge] {
        for reading in [Reading::Evidence, Reading::Importance] {
            let map = Map { height: SIDE, width: SIDE, data: data.clone() };
            let odd = Planted { map, reading, ..planted() };
            for metric in every() {
                for figure in odd.measure(&*metric).figures {
                    let finite = figure.value.is_ok_and(f64::is_finite) || figure.value.is_err();
                    assert!(finite, "{} of {:?}: {figure:?}", metric.about().entry.name, &data[..4]);
                }
            }
        }
    }
}

#[test]
fn a_detector_that_says_the_same_of_everything_has_finite_figures_or_a_reason() {
    let constant = || Planted {
        model: Planted::new(SIDE, SIDE, &["real", "fake"], Vec::new(), |_| vec![0.0, 3.0]).model,
        ..planted()
    };
    for metric in every() {
        for figure in constant().measure(&*metric).figures {
            assert!(figure.value.is_err() || figure.value.is_ok_and(f64::is_finite), "{figure:?}");
        }
    }
}

#[test]
fn what_a_metric_cannot_do_without_is_a_reason_and_costs_nothing() {
    for metric in every() {
        let about = metric.about();
        let without = |need: Need| match need {
            Need::Mask => Planted { mask: None, ..planted() },
            Need::Method => Planted { explains_again: false, ..planted() },
            Need::Fill => planted(),
        };
        for need in about.needs.iter().filter(|need| **need != Need::Fill) {
            let planted = without(*need);
            let before = planted.passes();
            let measured = planted.measure(&*metric);
            let reason = if *need == Need::Mask { NO_MASK } else { SUPPLIED };
            assert!(measured.figures.iter().all(|f| f.value == Err(reason)), "{measured:?}");
            assert_eq!(measured.figures.len(), about.figures.len());
            // The picture's own score is not the metric's.
            assert_eq!(planted.passes() - before, 1, "{}", about.entry.name);
        }
    }
}

#[test]
fn segments_of_a_map_over_a_label_map_of_one_region_are_one() {
    let whole = LabelMap::new(SIDE, SIDE, &[0; SIDE * SIDE]).unwrap();
    let one = Planted { segments: Arc::new(whole), ..planted() };
    let value = one.value(&AdversarialSufficiency { regions: 1, attack: bounded() });
    assert!(value > 0.5, "{value}");
}
