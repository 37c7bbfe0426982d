//! The same numbers as the peers: the golden files of the scripts beside this file, compared at named tolerances.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod blur;
mod hsic;
mod kernel_shap;
mod lime;
mod metrics;
mod partition_shap;
mod rise;
mod segment;
mod sobol;

use std::path::{Path, PathBuf};

/// A golden file.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("parity/golden").join(name)
}

/// A golden file of values.
fn golden(name: &str) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(path(&format!("{name}.json"))).unwrap()).unwrap()
}

/// An array of numbers.
fn numbers(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// A string of zeros and ones.
fn bits(value: &serde_json::Value) -> Vec<bool> {
    value.as_str().unwrap().bytes().map(|bit| bit == b'1').collect()
}
