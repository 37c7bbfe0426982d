//! What somebody typed into `model.toml`. Every key may be missing here, so that the next stage can name all that are;
//! a key that is not listed here is refused, because a misspelt one would otherwise be silently without effect.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Manifest {
    pub(super) schema: Option<i64>,
    pub(super) task: Option<String>,
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) summary: Option<String>,
    pub(super) licence: Option<String>,
    pub(super) sha256: Option<String>,
    pub(super) external: Vec<External>,
    pub(super) input: Input,
    pub(super) output: Output,
    pub(super) groups: BTreeMap<String, Vec<String>>,
    pub(super) golden: Golden,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct External {
    pub(super) file: Option<String>,
    pub(super) sha256: Option<String>,
    pub(super) bytes: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Input {
    pub(super) name: Option<String>,
    pub(super) layout: Option<String>,
    pub(super) width: Option<i64>,
    pub(super) height: Option<i64>,
    pub(super) colour: Option<String>,
    pub(super) range: Option<Vec<f64>>,
    pub(super) mean: Option<Vec<f64>>,
    pub(super) std: Option<Vec<f64>>,
    pub(super) resize: Option<String>,
    pub(super) antialias: Option<bool>,
    pub(super) picture: Option<String>,
    pub(super) face_factor: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Output {
    pub(super) name: Option<String>,
    pub(super) activation: Option<String>,
    pub(super) labels: Option<Vec<String>>,
    pub(super) real: Option<String>,
    pub(super) single: Option<String>,
    pub(super) faces: Option<i64>,
    pub(super) face_scale: Option<f64>,
    pub(super) face_drop: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Golden {
    pub(super) input: Option<String>,
    pub(super) scores: Option<Vec<Vec<f64>>>,
    pub(super) faces: Option<Vec<Vec<Vec<f64>>>>,
    pub(super) tolerance: Option<f64>,
}
