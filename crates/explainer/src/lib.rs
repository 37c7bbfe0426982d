//! The science of Unmask: pixels to tensors and back, fills, explanation methods, regions and rendering.
//!
//! Pure and synchronous: no clock, files, sockets, async runtime, ONNX Runtime or global randomness. A method is a
//! plain function over [`unmask_core::Forward`] and reads like its paper.

pub mod catalogue;
pub mod counterfactual;
pub mod face;
pub mod fill;
pub mod image;
pub mod methods;
pub mod metrics;
pub mod quality;
pub mod render;
pub mod segment;
pub mod tell;
