//! Partition SHAP: Owen values over a tree that halves the picture again and again.
//!
//! Lundberg and Lee, "A Unified Approach to Interpreting Model Predictions", NIPS 2017, arXiv 1705.07874; Owen, "Values of
//! Games with a Priori Unions", 1977, DOI 10.1007/978-3-642-45494-3_7; the recursion is that of the partition explainer of
//! shap.
//!
//! A block of pixels is halved across its longer side (rows where they are equal), down to single pixels. With f(S) the
//! explained scalar when only S shows over the fill, a block B with halves L and R that is entered in the context C, with
//! C hidden-or-shown already decided, is credited through both orders:
//!
//! ```text
//! value(L) += ((f(C + L) - f(C)) + (f(C + L + R) - f(C + R))) / 2        value(R) likewise
//! ```
//!
//! and so on inside L and R, each in two contexts at half the weight. Blocks wait by |f(C + B) - f(C)| times their weight,
//! the largest first, the earlier of equals; 25 of them are asked about at a time. What is left when the passes are spent is
//! spread evenly over its block. The map `[H, W]` is in the unit of the scalar, and its sum is the score of the picture less
//! the score of the fill, whenever it ends. A block whose parts cancel exactly looks as if nothing were in it, and is the last
//! to be halved. Cost: at most `evaluations` less the two known scores.
//!
//! Departures from shap: equals are taken in turn and not by lot; without `channels` the tree ends at pixels, because a
//! region is hidden in all its channels.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::rc::Rc;

use unmask_core::{Block, Ended, ForwardError, Kind, Map, Param, Perturbation, Preset, Reading, Value};

use super::{Context, Explanation, Figures};
use crate::catalogue::Descriptor;

/// Masked pictures that are asked about at a time (shap's default in arXiv 2502.03957).
const BATCH: usize = 50;

/// Most masked pictures, picture and fill included.
pub const EVALUATIONS: Param = Param {
    name: "evaluations",
    unit: "passes",
    kind: Kind::Integer { default: 2000, min: 128, max: 100_000 },
    paper: None,
    help: "Most masked pictures, picture and fill included.",
    source: "arXiv 2502.03957",
};
/// Whether the tree goes on from pixels to their channels.
pub const CHANNELS: Param = Param {
    name: "channels",
    unit: "",
    kind: Kind::Flag(false),
    paper: Some(Value::Flag(true)),
    help: "Whether the tree goes on from pixels to their channels.",
    source: "ours: a region is hidden in all its channels",
};

pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    name: "partition_shap",
    summary: "Owen values over a tree that halves the picture again and again; they sum to the score.",
    citation: "Lundberg and Lee, NIPS 2017, arXiv 1705.07874",
    params: &[EVALUATIONS, CHANNELS],
    passes: "at most evaluations",
};

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionShap {
    /// Most masked pictures, picture and fill included.
    pub evaluations: u64,
    /// Whether the tree goes on from pixels to their channels.
    pub channels: bool,
}

impl PartitionShap {
    pub(super) fn announced(&self) -> u64 {
        // The scores of picture and fill are known, and halves are asked about in pairs.
        (self.evaluations - 2).next_multiple_of(2)
    }

    pub(super) fn least(&self) -> u64 {
        // The halves of the whole picture.
        self.announced().min(2)
    }

    pub(super) fn explain(&self, context: &Context<'_>) -> Result<Explanation, ForwardError> {
        let (values, ended) = self.values(context)?;
        Ok(found(&values, context, ended))
    }

    /// One value for each value of the picture, `[channels, height, width]`, and why there are no more passes.
    ///
    /// # Errors
    /// As [`super::Method::explain`].
    pub fn values(&self, context: &Context<'_>) -> Result<(Vec<f64>, Ended), ForwardError> {
        let mut walk = Walk::new(self, context);
        let most = self.announced();
        let mut asked = 0;
        let mut ended = Ended::All;
        while asked < most {
            let work = walk.take(((most - asked) as usize).min(BATCH) / 2);
            if work.is_empty() {
                ended = Ended::Stopped;
                break;
            }
            let items = work.iter().flat_map(|task| task.halves_shown()).collect::<Vec<_>>();
            let count = items.len() as u64;
            let scores = match context.forward.scores(context.round(items)) {
                Ok(scores) => scores,
                Err(ForwardError::Unanswered(early)) if asked > 0 => {
                    work.into_iter().for_each(|task| walk.credit(&task.node));
                    ended = early;
                    break;
                }
                Err(error) => return Err(error),
            };
            asked += count;
            let values: Vec<f64> = scores.rows().map(|row| context.target.value(row)).collect();
            for (task, pair) in work.into_iter().zip(values.chunks_exact(2)) {
                walk.enter(task, pair[0], pair[1]);
            }
            let so_far = || Some(found(&walk.clone().finish(), context, Ended::Budget));
            if context.shown(asked, so_far).is_break() {
                ended = Ended::Stopped;
                break;
            }
        }
        Ok((walk.finish(), ended))
    }
}

/// What the values of all numbers of the picture come to.
fn found(values: &[f64], context: &Context<'_>, ended: Ended) -> Explanation {
    let (height, width) = (context.image.height(), context.image.width());
    let plane = height * width;
    let data = (0..plane).map(|i| values.iter().skip(i).step_by(plane).sum::<f64>() as f32).collect();
    let total = Some(context.image_score - context.fill_score);
    Explanation {
        map: Map { height, width, data },
        reading: Reading::Evidence,
        figures: Figures { total, ..Figures::default() },
        errors: None,
        ended,
    }
}

/// Blocks that show besides the one that is looked at, as a list that shares its tail.
type Shown = Option<Rc<Link>>;

struct Link {
    block: Block,
    rest: Shown,
}

/// A block in a context.
#[derive(Clone)]
struct Node {
    block: Block,
    context: Shown,
    /// The scalar with the context alone.
    without: f64,
    /// The scalar with the context and the block.
    with: f64,
    weight: f64,
    /// Order of arrival.
    number: u64,
}

/// A block that is to be halved.
struct Task {
    node: Node,
    halves: [Block; 2],
}

/// The walk down the tree.
#[derive(Clone)]
struct Walk {
    waiting: BinaryHeap<Node>,
    values: Vec<f64>,
    shape: (usize, usize),
    split_channels: bool,
    entered: u64,
}

impl Node {
    fn priority(&self) -> f64 {
        (self.with - self.without).abs() * self.weight
    }
}

impl Task {
    /// The context with either half.
    fn halves_shown(&self) -> [Perturbation; 2] {
        [0, 1].map(|half| {
            let mut blocks = vec![self.halves[half].clone()];
            let mut link = &self.node.context;
            while let Some(shown) = link {
                blocks.push(shown.block.clone());
                link = &shown.rest;
            }
            Perturbation::Blocks(blocks.into())
        })
    }
}

impl Walk {
    fn new(shap: &PartitionShap, context: &Context<'_>) -> Self {
        let image = context.image;
        let block = Block { rows: 0..image.height(), cols: 0..image.width(), channels: 0..image.channels() };
        let mut walk = Self {
            waiting: BinaryHeap::new(),
            values: vec![0.0; image.data().len()],
            shape: (image.height(), image.width()),
            split_channels: shap.channels,
            entered: 0,
        };
        walk.wait(block, None, (context.fill_score, context.image_score), 1.0);
        walk
    }

    fn wait(&mut self, block: Block, context: Shown, (without, with): (f64, f64), weight: f64) {
        self.waiting.push(Node { block, context, without, with, weight, number: self.entered });
        self.entered += 1;
    }

    /// At most `count` blocks that can be halved, the most urgent first; those that cannot are credited on the way.
    fn take(&mut self, count: usize) -> Vec<Task> {
        let mut tasks = Vec::new();
        while tasks.len() < count {
            let Some(node) = self.waiting.pop() else { break };
            match halves(&node.block, self.split_channels) {
                Some(halves) => tasks.push(Task { node, halves }),
                None => self.credit(&node),
            }
        }
        tasks
    }

    /// Each half is entered with the other hidden and with the other shown.
    fn enter(&mut self, task: Task, left_alone: f64, right_alone: f64) {
        let Task { node, halves: [left, right] } = task;
        let with = |block: &Block| Some(Rc::new(Link { block: block.clone(), rest: node.context.clone() }));
        let (beside_left, beside_right) = (with(&left), with(&right));
        let weight = node.weight / 2.0;
        self.wait(left.clone(), node.context.clone(), (node.without, left_alone), weight);
        self.wait(right.clone(), node.context.clone(), (node.without, right_alone), weight);
        self.wait(left, beside_right, (right_alone, node.with), weight);
        self.wait(right, beside_left, (left_alone, node.with), weight);
    }

    /// Spreads a block's value evenly over it.
    fn credit(&mut self, node: &Node) {
        let (height, width) = self.shape;
        let each = (node.with - node.without) * node.weight / node.block.size() as f64;
        for c in node.block.channels.clone() {
            for row in node.block.rows.clone() {
                let start = (c * height + row) * width;
                self.values[start + node.block.cols.start..start + node.block.cols.end]
                    .iter_mut()
                    .for_each(|value| *value += each);
            }
        }
    }

    fn finish(mut self) -> Vec<f64> {
        while let Some(node) = self.waiting.pop() {
            self.credit(&node);
        }
        self.values
    }
}

/// The two halves of a block, or `None` where it is as small as the tree goes. The far half is the smaller one of an odd
/// length and is asked about first, because the leaves of shap's tree are numbered from the end.
fn halves(block: &Block, split_channels: bool) -> Option<[Block; 2]> {
    let (rows, cols) = (block.rows.len(), block.cols.len());
    let (mut first, mut second) = (block.clone(), block.clone());
    if rows >= cols && rows > 1 {
        let middle = block.rows.end - rows / 2;
        (first.rows.start, second.rows.end) = (middle, middle);
    } else if cols > 1 {
        let middle = block.cols.end - cols / 2;
        (first.cols.start, second.cols.end) = (middle, middle);
    } else if split_channels && block.channels.len() > 1 {
        let middle = block.channels.end - block.channels.len() / 2;
        (first.channels.start, second.channels.end) = (middle, middle);
    } else {
        return None;
    }
    Some([first, second])
}

impl Ord for Node {
    fn cmp(&self, other: &Self) -> Ordering {
        self.priority().total_cmp(&other.priority()).then(other.number.cmp(&self.number))
    }
}

impl PartialOrd for Node {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Node {}

impl Default for PartitionShap {
    fn default() -> Self {
        Self::preset(Preset::Clean)
    }
}

impl PartitionShap {
    /// The parameters of a preset.
    pub fn preset(preset: Preset) -> Self {
        let ignored = &mut Vec::new();
        Self {
            evaluations: EVALUATIONS.integer(None, preset, "", ignored),
            channels: CHANNELS.flag(None, preset),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::Method;
    use crate::methods::common_checks as planted;

    fn shap(evaluations: u64) -> Method {
        Method::PartitionShap(PartitionShap { evaluations, ..PartitionShap::default() })
    }

    #[test]
    fn an_additive_model_is_explained_by_its_weights() {
        // Enough for every cell of 4 x 4 pixels; the largest are gone into first.
        let map = planted::explain_linear(&shap(6000), 0).map;
        for (value, weight) in map.data.iter().zip(planted::weights_per_pixel()) {
            assert!((value - weight / 16.0).abs() < 1e-4, "{value} {weight}");
        }
    }

    #[test]
    fn two_pixels_that_count_only_together_share_the_credit() {
        let map = planted::explain(&shap(3000), 0, |x| vec![0.0, 6.0 * x[3] * x[200]]).map;
        assert!((map.data[3] - 3.0).abs() < 1e-4 && (map.data[200] - 3.0).abs() < 1e-4);
        assert!((map.data.iter().map(|v| v.abs()).sum::<f32>() - 6.0).abs() < 1e-3);
    }

    #[test]
    fn values_sum_to_the_score_whenever_they_end() {
        let model = |x: &[f32]| vec![0.0, (x[3] + 2.0 * x[70]) * (1.0 + x[200]) - x[9] * x[10]];
        let total = model(&[1.0; 768])[1] - model(&[0.0; 768])[1];
        for evaluations in [128, 130, 177, 500, 2000] {
            for preset in [Preset::Clean, Preset::Paper] {
                let shap = PartitionShap { evaluations, ..PartitionShap::preset(preset) };
                let answer = planted::explain(&Method::PartitionShap(shap), 0, model);
                let sum: f32 = answer.map.data.iter().sum();
                assert!((sum - total).abs() < 1e-5 * total.abs().max(1.0), "{evaluations}: {sum} {total}");
                assert!((answer.figures.total.unwrap() - f64::from(total)).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn the_paper_asks_for_1998_pictures() {
        assert_eq!(Method::PartitionShap(PartitionShap::preset(Preset::Paper)).announced(), 1998);
        assert_eq!(shap(129).announced(), 128);
    }

    #[test]
    fn a_block_is_halved_across_its_longer_side_and_channels_come_last() {
        let block = |rows, cols| Block { rows: 0..rows, cols: 0..cols, channels: 0..3 };
        let first = |block: &Block, channels| halves(block, channels).map(|[first, _]| first);
        let far = |rows, cols| Some(Block { rows, cols, channels: 0..3 });
        assert_eq!(first(&block(5, 5), true), far(3..5, 0..5));
        assert_eq!(first(&block(4, 5), true), far(0..4, 3..5));
        assert_eq!(first(&block(1, 1), false), None);
        let pixel = first(&block(1, 1), true).unwrap();
        assert_eq!(pixel.channels, 2..3);
    }
}
