//! ONNX Runtime alone, as `unmask models calibrate` times it: sessions on the golden pictures, with nothing of the server around them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::deploy::tools::{ask, words};
use crate::tools::root;

/// Sessions, threads of each, and most pictures in a batch.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq, Debug)]
pub(super) struct Layout {
    pub(super) workers: u32,
    pub(super) threads: u32,
    pub(super) batch: u32,
}

/// What one calibration has found.
pub(super) struct Bare {
    pub(super) layout: Layout,
    speeds: Vec<Speed>,
}

#[derive(Deserialize)]
struct Answer {
    models: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    serving: Option<Serving>,
}

#[derive(Deserialize)]
struct Serving {
    layout: Layout,
    speeds: Vec<Speed>,
}

#[derive(Deserialize)]
struct Speed {
    layout: Layout,
    passes_per_second: f64,
}

impl Bare {
    /// Passes a second at a layout; NaN where it was not timed.
    pub(super) fn of(&self, layout: Layout) -> f64 {
        let own = self.speeds.iter().find(|speed| speed.layout == layout);
        own.map_or(f64::NAN, |speed| speed.passes_per_second)
    }
}

/// Times it; what is kept of it lies in `work`, so that nobody's own calibration is replaced.
pub(super) fn calibrate(unmask: &Path, library: &Path, work: &Path) -> anyhow::Result<Bare> {
    let mut command = Command::new(unmask);
    command.current_dir(root()).args(["models", "calibrate", "--models", "models", "--format", "json"]);
    command.arg("--onnxruntime").arg(library).env("UNMASK_POOL__CACHE", work.join("cache"));
    let output = ask(&mut command)?;
    if !output.status.success() {
        bail!("unmask models calibrate: {}", words(&output));
    }
    read(&String::from_utf8_lossy(&output.stdout))
}

fn read(text: &str) -> anyhow::Result<Bare> {
    let answer: Answer =
        serde_json::from_str(text).context("unmask models calibrate has answered something else")?;
    let serving = answer.models.into_iter().find_map(|model| model.serving).context("no model serves")?;
    Ok(Bare { layout: serving.layout, speeds: serving.speeds })
}

/// What the binary says.
pub(super) fn said(unmask: &Path, flag: &str) -> anyhow::Result<String> {
    Ok(words(&ask(Command::new(unmask).arg(flag))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_in_use_is_found_among_those_that_were_timed() {
        let layout = |batch| serde_json::json!({"workers": 2, "threads": 1, "batch": batch});
        let speed = |batch, rate| serde_json::json!({"layout": layout(batch), "passes_per_second": rate});
        let serving = serde_json::json!({"layout": layout(4), "speeds": [speed(1, 10.0), speed(4, 20.0)]});
        let answer = serde_json::json!({"models": [{"reason": "refused"}, {"serving": serving}]});
        let bare = read(&answer.to_string()).unwrap();
        assert_eq!((bare.layout.batch, bare.of(bare.layout)), (4, 20.0));
        assert_eq!(bare.of(Layout { batch: 1, ..bare.layout }), 10.0);
        assert!(bare.of(Layout { batch: 2, ..bare.layout }).is_nan());
    }
}
