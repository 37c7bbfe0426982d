//! How well a map agrees with an exact mask, and trivial maps to hold it against. Pure functions of map and mask.
//!
//! A number of these says little alone: on a centred face a map that knows nothing but the centre does well, so every table
//! has the [`controls`] beside it.

pub mod controls;
mod localisation;

pub use localisation::{auroc, iou, mass, pointing};
