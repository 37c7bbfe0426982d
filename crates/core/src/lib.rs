//! The words every room of Unmask shares: pictures as tensors, compact perturbations and their expansion, rounds
//! of questions and their scores, maps, model specs and the one contract between science and machine, [`Forward`].
//!
//! Nothing here reads a clock, a file, a socket or a global source of randomness.

mod blocks;
mod cells;
mod forward;
mod from_fn;
mod labels;
mod map;
mod noise;
mod param;
mod perturbation;
mod ranks;
mod rng;
mod round;
mod same;
mod scores;
mod spec;
mod target;
mod tensor;
mod upsample;

pub use blocks::Block;
pub use cells::{Cells, Filter, Tap};
pub use forward::{Ended, Forward, ForwardError};
pub use from_fn::FromFn;
pub use labels::LabelMap;
pub use map::{Map, Reading};
pub use noise::{Basis, Direction, Noise};
pub use param::{Kind, Param, Preset, Value, Violation};
pub use perturbation::Perturbation;
pub use ranks::{Ranks, order};
pub use rng::{Draws, Stream, philox4x32};
pub use round::{ROUND, Round};
pub use scores::{Scores, highest, log_sum_exp, softmax};
pub use spec::{
    Activation, Colour, FACE_VALUES, Group, InputSpec, Layout, ModelSpec, OutputSpec, PictureKind, Resize,
    Task,
};
pub use target::{Scale, Target};
pub use tensor::{ShapeError, Tensor};
pub use upsample::cubic;
