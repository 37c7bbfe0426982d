//! Checks that hold for every method of the list, on models whose answer is known. A method is added to [`every`].

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;

use unmask_core::{
    Ended, Forward, ForwardError, FromFn, ModelSpec, Preset, ROUND, Reading, Round, Scores, Target, Tensor,
};

use super::kernel_shap::Sampling;
use super::{
    Context, Explanation, Hipe, Hsic, KernelShap, Lime, METHODS, Method, Mode, Occlusion, PartitionShap,
    Reveal, Rise, Sobol,
};
use crate::segment::{grid, rank};

pub(super) const SIDE: usize = 16;
/// Weights of the 4 x 4 cells of a linear model: all different, both signs.
const WEIGHTS: [f32; 16] =
    [5.0, -3.0, 1.0, -7.0, 9.0, -11.0, 3.0, 13.0, -1.0, 7.0, -5.0, 11.0, -9.0, 15.0, -13.0, 17.0];

fn every() -> Vec<Method> {
    vec![
        Method::Rise(Rise { masks: 300, ..Rise::default() }),
        Method::Occlusion(Occlusion::default()),
        Method::Occlusion(Occlusion { grid: 8, window: 2, mode: Mode::Both }),
        Method::Rise(Rise { masks: 300, ..Rise::preset(Preset::Paper) }),
        Method::Rise(Rise { masks: 301, paired: true, ..Rise::default() }),
        Method::Lime(Lime { samples: 400, ..Lime::default() }),
        Method::Sobol(Sobol { grid: 4, design: 32, ..Sobol::default() }),
        Method::Sobol(Sobol { grid: 4, design: 32, ..Sobol::preset(Preset::Paper) }),
        Method::PartitionShap(PartitionShap { evaluations: 500, ..PartitionShap::default() }),
        Method::PartitionShap(PartitionShap { evaluations: 500, ..PartitionShap::preset(Preset::Paper) }),
        Method::KernelShap(KernelShap { samples: 400, ..KernelShap::default() }),
        Method::KernelShap(KernelShap { samples: 400, sampling: Sampling::Leverage }),
        Method::Reveal(Reveal { smoothing: 0.4, ..Reveal::default() }),
        Method::Hsic(Hsic { grid: 4, masks: 300 }),
        Method::Hipe(Hipe { cells: 4, ..Hipe::default() }),
        Method::Hipe(Hipe { cells: 3, levels: 3, passes: 128 }),
    ]
}

fn spec() -> ModelSpec {
    ModelSpec::plain("planted", SIDE, SIDE, &["real", "fake"])
}

/// The weight of the cell that each pixel lies in.
pub(super) fn weights_per_pixel() -> impl Iterator<Item = f32> {
    (0..SIDE * SIDE).map(|i| WEIGHTS[i / SIDE / 4 * 4 + i % SIDE / 4])
}

/// The linear model: a cell that shows adds its weight.
fn linear(x: &[f32]) -> Vec<f32> {
    vec![0.0, x[..SIDE * SIDE].iter().zip(weights_per_pixel()).map(|(x, w)| x * w / 16.0).sum()]
}

fn ask(
    method: &Method,
    seed: u64,
    image_score: f64,
    fill_score: f64,
    forward: &dyn Forward,
) -> Result<Explanation, ForwardError> {
    method.explain(&Context {
        image: &Arc::new(Tensor::constant(&[1.0; 3], SIDE, SIDE)),
        fill: &Arc::new(Tensor::constant(&[0.0; 3], SIDE, SIDE)),
        target: &Target::class(1, 2),
        segments: &Arc::new(grid(SIDE, SIDE, 4, 4)),
        seed,
        image_score,
        fill_score,
        forward,
        watch: &(),
    })
}

/// Explains a white picture over a black fill.
pub(super) fn explain(method: &Method, seed: u64, logits: impl Fn(&[f32]) -> Vec<f32>) -> Explanation {
    let score = |value: f32| Target::class(1, 2).value(&logits(&[value; 3 * SIDE * SIDE]));
    ask(method, seed, score(1.0), score(0.0), &FromFn::new(spec(), &logits)).unwrap()
}

pub(super) fn explain_linear(method: &Method, seed: u64) -> Explanation {
    explain(method, seed, linear)
}

pub(super) fn assert_ranks_a_linear_model(method: &Method) {
    let map = explain_linear(method, 11).map;
    let found: Vec<usize> =
        rank(&map, Reading::Evidence, &grid(SIDE, SIDE, 4, 4)).iter().map(|r| r.label).collect();
    let mut expected: Vec<usize> = (0..16).collect();
    expected.sort_by(|a, b| WEIGHTS[*b].total_cmp(&WEIGHTS[*a]));
    assert_eq!(found, expected);
}

/// Counts what is asked, and may end early.
struct Counting<'a> {
    inner: &'a dyn Forward,
    asked: Cell<u64>,
    after: usize,
    ended: Result<Ended, ForwardError>,
}

impl Forward for Counting<'_> {
    fn spec(&self) -> &ModelSpec {
        self.inner.spec()
    }

    fn run(
        &self,
        rounds: &mut dyn Iterator<Item = Round>,
        fold: &mut dyn FnMut(usize, Scores) -> ControlFlow<()>,
    ) -> Result<Ended, ForwardError> {
        let mut run = 0;
        let mut taken = rounds.take(self.after).inspect(|round| {
            run += 1;
            assert!(round.items.len() <= ROUND, "a round is at most {ROUND}");
            self.asked.set(self.asked.get() + round.items.len() as u64);
        });
        let ended = self.inner.run(&mut taken, fold)?;
        if run < self.after { Ok(ended) } else { self.ended.clone() }
    }
}

/// A model whose deadline comes after some rounds.
pub(super) fn until_deadline(inner: &dyn Forward, rounds: usize) -> impl Forward {
    Counting { after: rounds, ended: Ok(Ended::Deadline), ..counting(inner) }
}

fn counting(inner: &dyn Forward) -> Counting<'_> {
    Counting { inner, asked: Cell::new(0), after: usize::MAX, ended: Ok(Ended::All) }
}

#[test]
fn the_list_of_checks_names_every_method() {
    for descriptor in METHODS {
        let name = |m: &Method| match m {
            Method::Rise(_) => "rise",
            Method::Occlusion(_) => "occlusion",
            Method::Lime(_) => "lime",
            Method::Sobol(_) => "sobol",
            Method::PartitionShap(_) => "partition_shap",
            Method::KernelShap(_) => "kernel_shap",
            Method::Reveal(_) => "reveal",
            Method::Hsic(_) => "hsic",
            Method::Hipe(_) => "hipe",
        };
        assert!(
            every().iter().any(|m| name(m) == descriptor.name),
            "{} has no common check",
            descriptor.name
        );
    }
}

#[test]
fn a_map_has_the_models_frame_and_is_finite() {
    for method in every() {
        let map = explain_linear(&method, 1).map;
        assert_eq!((map.height, map.width, map.data.len()), (SIDE, SIDE, SIDE * SIDE), "{method:?}");
        assert!(map.data.iter().all(|v| v.is_finite()), "{method:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_map() {
    for method in every() {
        assert_eq!(explain_linear(&method, 5), explain_linear(&method, 5), "{method:?}");
    }
}

#[test]
fn another_seed_changes_a_random_method() {
    for method in every() {
        let random = match &method {
            Method::Rise(_) | Method::Lime(_) | Method::Hsic(_) => true,
            Method::Sobol(sobol) => sobol.scrambled,
            // With 16 segments there are more sets than samples.
            Method::KernelShap(_) => true,
            Method::Occlusion(_) | Method::PartitionShap(_) | Method::Reveal(_) | Method::Hipe(_) => false,
        };
        // Not the linear model: Kernel SHAP has its exact values whatever it draws.
        let curved = |seed| explain(&method, seed, |x| vec![0.0, (linear(x)[1] / 8.0).sin()]);
        assert_eq!(curved(5) != curved(6), random, "{method:?}");
    }
}

#[test]
fn a_constant_model_has_a_flat_map() {
    for method in every() {
        let map = explain(&method, 1, |_| vec![0.3, 1.7]).map;
        // The paper's fold of RISE keeps the constant score times the mean mask: flat only in expectation.
        if !matches!(&method, Method::Rise(rise) if !rise.centred) {
            assert!(map.data.iter().all(|v| *v == 0.0), "{method:?}");
        }
    }
}

#[test]
fn what_is_announced_is_asked() {
    let model = FromFn::new(spec(), linear);
    for method in every() {
        let forward = counting(&model);
        // A method that needs fewer passes than it announced says so.
        let explanation = ask(&method, 1, 0.0, 0.0, &forward).unwrap();
        let all = forward.asked.get() == method.announced();
        assert_eq!(all, explanation.ended == Ended::All, "{method:?}: {}", forward.asked.get());
        assert!(forward.asked.get() <= method.announced(), "{method:?}");
        assert!(method.least() <= method.announced(), "{method:?}");
    }
}

#[test]
fn planted_evidence_is_found() {
    // Only the cell in row 1, column 2 of four by four matters.
    for method in every() {
        let map = explain(&method, 1, |x| vec![0.0, x[5 * SIDE + 9] + x[6 * SIDE + 10]]).map;
        let best = rank(&map, Reading::Evidence, &grid(SIDE, SIDE, 4, 4))[0].label;
        assert_eq!(best, 6, "{method:?}");
    }
}

#[test]
fn an_end_before_the_first_round_is_an_error_and_not_a_map() {
    let model = FromFn::new(spec(), linear);
    for method in every() {
        let forward = Counting { after: 0, ended: Ok(Ended::Deadline), ..counting(&model) };
        let error = ask(&method, 1, 0.0, 0.0, &forward).unwrap_err();
        assert_eq!(error, ForwardError::Unanswered(Ended::Deadline), "{method:?}");
    }
}

#[test]
fn a_cancelled_run_is_an_error() {
    let model = FromFn::new(spec(), linear);
    for method in every() {
        let forward = Counting { after: 0, ended: Err(ForwardError::Cancelled), ..counting(&model) };
        assert_eq!(ask(&method, 1, 0.0, 0.0, &forward).unwrap_err(), ForwardError::Cancelled, "{method:?}");
    }
}

#[test]
fn a_random_method_keeps_what_was_folded_when_its_budget_ends() {
    let model = FromFn::new(spec(), linear);
    let rise = |masks| Method::Rise(Rise { masks, ..Rise::default() });
    let lime = |samples| Method::Lime(Lime { samples, ..Lime::default() });
    for (long, short) in [(rise(300), rise(128)), (lime(300), lime(128))] {
        let forward = Counting { after: 1, ended: Ok(Ended::Budget), ..counting(&model) };
        let cut = ask(&long, 1, 0.0, 0.0, &forward).unwrap();
        let short = ask(&short, 1, 0.0, 0.0, &model).unwrap();
        assert_eq!(cut.ended, Ended::Budget);
        assert_eq!((cut.map, cut.figures), (short.map, short.figures));
    }
}

#[test]
fn kernel_shap_has_an_exact_sum_when_its_budget_ends() {
    let model = FromFn::new(spec(), linear);
    let forward = Counting { after: 1, ended: Ok(Ended::Budget), ..counting(&model) };
    let cut = ask(
        &Method::KernelShap(KernelShap { samples: 400, ..KernelShap::default() }),
        1,
        32.0,
        0.0,
        &forward,
    )
    .unwrap();
    assert_eq!(cut.ended, Ended::Budget);
    assert!((cut.map.mean() * 16.0 - 32.0).abs() < 1e-4, "{}", cut.map.mean());
}
