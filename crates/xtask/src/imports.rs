//! Who may import whom, checked against the manifests, and what the pure rooms may not name, checked against their sources. The
//! table is the one of ARCHITECTURE.md.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::tools::{root, say};

/// What a crate may use of ours, and what of others' it must never know. `dev-dependencies` are free but for the second.
struct Rule {
    name: &'static str,
    ours: &'static [&'static str],
    never: &'static [&'static str],
}

const WIRE: &[&str] = &["tonic", "prost", "tower", "http"];

const RULES: &[Rule] = &[
    Rule { name: "protocol", ours: &[], never: &["ort", "image"] },
    Rule { name: "core", ours: &[], never: &["tokio", "ort", "tonic", "prost", "image", "tracing"] },
    Rule {
        name: "explainer",
        ours: &["core"],
        never: &["tokio", "ort", "tonic", "prost", "tracing", "rand"],
    },
    Rule { name: "registry", ours: &["core"], never: &["tokio", "ort", "tonic", "image"] },
    Rule { name: "pool", ours: &["core", "registry"], never: &["tokio", "tonic", "prost", "image"] },
    Rule {
        name: "server",
        ours: &["core", "explainer", "registry", "pool", "protocol"],
        never: &["ort", "ndarray", "fast_image_resize", "clap"],
    },
    Rule { name: "cli", ours: &["server", "registry", "protocol"], never: &["ort", "image"] },
    Rule { name: "xtask", ours: &[], never: WIRE },
];

/// Rooms without clock, files, sockets, threads or environment, in tests and benches as well: what needs one stands in `tests`.
const PURE: &[&str] = &["core", "explainer"];
const IMPURE: &[&str] =
    &["std::fs", "std::net", "std::process", "std::time", "std::thread", "std::env", "env!(", "SystemTime"];

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    dependencies: BTreeMap<String, toml::Value>,
    #[serde(default, rename = "build-dependencies")]
    build: BTreeMap<String, toml::Value>,
}

/// Fails on an edge that the table does not have.
pub(crate) fn check() -> anyhow::Result<()> {
    let crates = root().join("crates");
    let mut faults = Vec::new();
    for entry in std::fs::read_dir(&crates)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
            faults.push(format!("crates/{name} is not in the import table"));
            continue;
        };
        let path = crates.join(&name).join("Cargo.toml");
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        faults.extend(faults_of(rule, &toml::from_str(&text)?));
        if PURE.contains(&rule.name) {
            sources(&crates.join(&name), &mut |path, text| faults.extend(impurities(path, text)))?;
        }
    }
    if !faults.is_empty() {
        bail!("imports:\n  {}", faults.join("\n  "));
    }
    say("imports: every edge is in the table");
    Ok(())
}

/// Shows every Rust file below a folder.
fn sources(dir: &Path, each: &mut dyn FnMut(&str, &str)) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, each)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            each(&path.display().to_string(), &std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

fn impurities(path: &str, text: &str) -> Vec<String> {
    let named = IMPURE.iter().filter(|word| text.contains(**word));
    named.map(|word| format!("{path} names {word}, and its room is pure")).collect()
}

fn faults_of(rule: &Rule, manifest: &Manifest) -> Vec<String> {
    let mut faults = Vec::new();
    for dependency in manifest.dependencies.keys().chain(manifest.build.keys()) {
        match dependency.strip_prefix("unmask-") {
            Some(own) if !rule.ours.contains(&own) => {
                faults.push(format!("{} may not use unmask-{own}", rule.name));
            }
            Some(_) => {}
            None if rule.never.contains(&dependency.as_str()) => {
                faults.push(format!("{} must not know {dependency}", rule.name));
            }
            None => {}
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_outside_the_table_is_a_fault() {
        let manifest: Manifest = toml::from_str(
            "[dependencies]\nunmask-core.workspace = true\nunmask-pool.workspace = true\ntokio = \"1\"\nimage = \"0\"\n",
        )
        .unwrap();
        let rule = RULES.iter().find(|rule| rule.name == "explainer").unwrap();
        assert_eq!(
            faults_of(rule, &manifest),
            ["explainer must not know tokio", "explainer may not use unmask-pool"]
        );
    }

    #[test]
    fn a_pure_room_names_no_file_and_no_clock() {
        let text = "use std::time::Duration;\nlet path = env!(\"X\");\n";
        let expected = ["std::time", "env!("].map(|word| format!("a.rs names {word}, and its room is pure"));
        assert_eq!(impurities("a.rs", text), expected);
        assert!(impurities("a.rs", "use std::sync::Arc;\n").is_empty());
    }

    #[test]
    fn the_project_has_no_such_edge() {
        check().unwrap();
    }
}
