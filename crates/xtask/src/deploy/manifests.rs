//! YAML, read and checked against the schemas of Kubernetes by `deploy/check/manifests.py`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::helm::{KUBERNETES, Rendered};
use super::tools;
use crate::tools::root;

/// The documents of a rendering.
pub(super) struct Documents {
    /// Such as `cpu-1.37`.
    pub(super) name: String,
    pub(super) documents: Vec<Value>,
}

#[derive(Deserialize)]
struct Answer {
    faults: Vec<String>,
    documents: Map<String, Value>,
}

/// Renderings as documents, and what the schemas of their version of Kubernetes have against them.
pub(super) fn validate(rendered: &[Rendered]) -> anyhow::Result<(Vec<Documents>, Vec<String>)> {
    let (mut all, mut faults) = (Vec::new(), Vec::new());
    for version in KUBERNETES {
        let files: Vec<_> =
            rendered.iter().filter(|r| r.version == version).map(|r| r.file.clone()).collect();
        let answer = ask(&files, version)?;
        faults.extend(answer.faults);
        for (path, documents) in answer.documents {
            let name = Path::new(&path).file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let documents = documents.as_array().cloned().unwrap_or_default();
            all.push(Documents { name, documents });
        }
    }
    Ok((all, faults))
}

/// The plain manifests are good for every version as well.
pub(super) fn plain() -> anyhow::Result<Vec<String>> {
    Ok(ask(&[root().join("deploy/kubernetes/unmask.yaml")], &KUBERNETES.join(","))?.faults)
}

/// Pipelines of the collector name only what is there, and all of it.
pub(super) fn collector() -> anyhow::Result<Vec<String>> {
    let documents = read(&root().join("deploy/otel/collector.yaml"))?;
    Ok(documents.first().map(collector_faults).unwrap_or_default())
}

/// The documents of a file that is no manifest.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<Value>> {
    let answer = ask(&[file.to_owned()], "")?;
    anyhow::ensure!(answer.faults.is_empty(), "{}", answer.faults.join("; "));
    let documents = answer.documents.into_iter().next().map(|(_, documents)| documents);
    Ok(documents.and_then(|documents| documents.as_array().cloned()).unwrap_or_default())
}

fn ask(files: &[PathBuf], versions: &str) -> anyhow::Result<Answer> {
    let mut python = Command::new(tools::python()?);
    python.arg(root().join("deploy/check/manifests.py")).args(["--kubernetes", versions]).args(files);
    let output = tools::ask(&mut python)?;
    anyhow::ensure!(output.status.success(), "manifests.py: {}", tools::words(&output));
    serde_json::from_slice(&output.stdout).context("manifests.py says something else than it should")
}

fn collector_faults(collector: &Value) -> Vec<String> {
    const KINDS: [&str; 3] = ["receivers", "processors", "exporters"];
    let mut faults = Vec::new();
    let none = Map::new();
    let map = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let pipelines = collector["service"]["pipelines"].as_object().unwrap_or(&none);
    for kind in KINDS {
        let there = map(&collector[kind]);
        let mut used = Vec::new();
        for (pipeline, parts) in pipelines {
            for name in parts[kind].as_array().into_iter().flatten().filter_map(Value::as_str) {
                used.push(name.to_owned());
                if !there.contains_key(name) {
                    faults.push(format!("pipeline {pipeline} names {name}, which is not among {kind}"));
                }
            }
        }
        let idle = there.keys().filter(|name| !used.contains(name));
        faults.extend(idle.map(|name| format!("{name} of {kind} is in no pipeline")));
    }
    if pipelines.is_empty() {
        faults.push("there is no pipeline".into());
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pipeline_names_what_is_there() {
        let mut collector = json!({
            "receivers": { "otlp": {} }, "processors": { "batch": {} }, "exporters": { "debug": {} },
            "service": { "pipelines": { "traces": { "receivers": ["otlp"], "processors": ["batch"], "exporters": ["debug"] } } },
        });
        assert!(collector_faults(&collector).is_empty());
        collector["service"]["pipelines"]["traces"]["exporters"] = json!(["debugg"]);
        assert_eq!(
            collector_faults(&collector),
            [
                "pipeline traces names debugg, which is not among exporters",
                "debug of exporters is in no pipeline"
            ]
        );
        assert_eq!(collector_faults(&json!({})), ["there is no pipeline"]);
    }
}
