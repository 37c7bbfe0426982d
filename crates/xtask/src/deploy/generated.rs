//! What is made from something else, made again and compared: the chart's README.md, its copies of rules and dashboard, and the plain
//! manifests.

use std::path::PathBuf;

use super::helm::{self, KUBERNETES};
use super::{chart, readme};
use crate::tools::{root, say};

const PLAIN: &str = "\
# Rendered from the chart with helm/unmask/ci/cpu-values.yaml, without what needs the Prometheus operator or Grafana, by
# `cargo xtask check-deploy --write`. For a closed network: it serves without TLS, to whoever reaches it (`insecure = true`). The image is one
# that you have built and pushed, and registry.example is nowhere:
#   kubectl create namespace unmask
#   sed 's|registry.example/unmask:0.1.0|YOUR.REGISTRY/unmask:0.1.0|' unmask.yaml | kubectl apply --namespace unmask --filename -
# Anything else is a value of the chart: render your own with `helm template`.
";

/// Faults where a file is not what it is made from; with `write`, it is made so.
pub(super) fn check(write: bool) -> anyhow::Result<Vec<String>> {
    let deploy = root().join("deploy");
    let copy = |from: &str, to: &str| -> anyhow::Result<_> {
        Ok((chart().join("files").join(to), std::fs::read_to_string(deploy.join(from))?))
    };
    // The manifests come last, as the chart renders the copies.
    let copies =
        [copy("prometheus/rules.yaml", "rules.yaml")?, copy("grafana/unmask.json", "dashboard.json")?];
    let values = std::fs::read_to_string(chart().join("values.yaml"))?;
    let mut faults = Vec::new();
    for (path, text) in copies {
        faults.extend(settle(path, &text, write)?);
    }
    match readme::of(&values) {
        Ok(text) => faults.extend(settle(chart().join("README.md"), &text, write)?),
        Err(faulty) => faults.extend(faulty),
    }
    faults.extend(settle(deploy.join("kubernetes/unmask.yaml"), &plain()?, write)?);
    Ok(faults)
}

fn settle(path: PathBuf, text: &str, write: bool) -> anyhow::Result<Option<String>> {
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    if found == text {
        return Ok(None);
    }
    let name = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
    if write {
        std::fs::write(&path, text)?;
        say(&format!("wrote {name}"));
        return Ok(None);
    }
    Ok(Some(format!("{name} is not what it is made from: cargo xtask check-deploy --write")))
}

fn plain() -> anyhow::Result<String> {
    let without = "serviceMonitor.enabled=false,prometheusRule.enabled=false,grafanaDashboard.enabled=false";
    let newest = KUBERNETES[KUBERNETES.len() - 1];
    let rendered = helm::template("cpu", newest, &["--no-hooks", "--set", without])?;
    Ok(format!("{PLAIN}{}", unhelmed(&rendered)))
}

/// Without what only Helm would look at.
fn unhelmed(rendered: &str) -> String {
    let helms = ["# Source: ", "helm.sh/chart: ", "app.kubernetes.io/managed-by: Helm"];
    let ours = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !helms.iter().any(|word| line.starts_with(word))
    };
    rendered.lines().filter(ours).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_manifests_do_not_claim_to_be_helms() {
        let rendered = "---\n# Source: unmask/x.yaml\nlabels:\n  a: b\n  app.kubernetes.io/managed-by: Helm\n  helm.sh/chart: c\n\n";
        assert_eq!(unhelmed(rendered), "---\nlabels:\n  a: b\n");
    }
}
