//! Rules: promtool's checks and tests, names of metrics against deploy/metrics.txt, and that every alert is tested and told.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::manifests::Documents;
use super::{manifests, tools, work};
use crate::tools::root;

/// `promtool check rules`, `check config` and `test rules`.
pub(super) fn rules() -> anyhow::Result<Vec<String>> {
    let promtool = tools::promtool()?;
    let mut faults = Vec::new();
    for arguments in [["check", "rules", "rules.yaml"], ["test", "rules", "rules_test.yaml"]] {
        faults.extend(tools::faults_of(Command::new(&promtool).current_dir(folder()).args(arguments))?);
    }
    faults.extend(config(&promtool)?);
    Ok(faults)
}

/// `promtool check config`. Debian's is built without Kubernetes: all but where pods are asked of it can be held against that one.
fn config(promtool: &Path) -> anyhow::Result<Vec<String>> {
    let check = |dir: &Path| {
        tools::faults_of(Command::new(promtool).current_dir(dir).args(["check", "config", "prometheus.yaml"]))
    };
    let faults = check(&folder())?;
    if !faults.iter().any(|said| said.contains("field kubernetes_sd_configs not found")) {
        return Ok(faults);
    }
    let text = std::fs::read_to_string(folder().join("prometheus.yaml"))?;
    std::fs::copy(folder().join("rules.yaml"), work().join("rules.yaml"))?;
    std::fs::write(work().join("prometheus.yaml"), without_kubernetes(&text))?;
    check(&work())
}

/// The same configuration with an address in place of what Kubernetes would tell.
fn without_kubernetes(text: &str) -> String {
    let mut without = String::new();
    let mut inside = None;
    for line in text.lines() {
        let words = line.trim_start();
        let depth = line.len() - words.len();
        if inside.is_some_and(|outer| depth > outer) {
            continue;
        }
        inside = words.starts_with("kubernetes_sd_configs:").then_some(depth);
        let fixed =
            inside.map(|depth| format!("{:depth$}static_configs: [{{ targets: [localhost:9464] }}]", ""));
        without.extend([fixed.as_deref().unwrap_or(line), "\n"]);
    }
    without
}

/// Rules, tests, dashboard and adapter name only metrics that there are.
pub(super) fn names() -> anyhow::Result<Vec<String>> {
    let listed = std::fs::read_to_string(root().join("deploy/metrics.txt"))?;
    let there = exposed(&listed);
    let mut faults = Vec::new();
    let files = [
        "prometheus/rules.yaml",
        "prometheus/rules_test.yaml",
        "prometheus/adapter.yaml",
        "grafana/unmask.json",
    ];
    for file in files {
        let text = std::fs::read_to_string(root().join("deploy").join(file))?;
        let unknown: BTreeSet<_> = named(&text).filter(|name| !there.contains(*name)).collect();
        faults.extend(
            unknown
                .into_iter()
                .map(|name| format!("{file} names {name}, which is not in deploy/metrics.txt")),
        );
    }
    Ok(faults)
}

/// Every alert is in the tests and under its name in docs/operating.md, where its link leads.
pub(super) fn alerts() -> anyhow::Result<Vec<String>> {
    let rules = manifests::read(&folder().join("rules.yaml"))?;
    let tests = std::fs::read_to_string(folder().join("rules_test.yaml"))?;
    let guide = std::fs::read_to_string(root().join("docs/operating.md"))?;
    Ok(rules.iter().flat_map(alerts_of).flat_map(|alert| alert_faults(&alert, &tests, &guide)).collect())
}

/// Pod metrics by which the chart scales are those that the adapter makes.
pub(super) fn autoscaling(all: &[Documents]) -> anyhow::Result<Vec<String>> {
    let adapter = std::fs::read_to_string(folder().join("adapter.yaml"))?;
    let made: BTreeSet<_> = adapter.lines().filter_map(|line| line.trim().strip_prefix("as: ")).collect();
    let scalers = all
        .iter()
        .flat_map(|r| &r.documents)
        .filter(|document| document["kind"] == "HorizontalPodAutoscaler");
    let metrics = scalers.flat_map(|scaler| scaler["spec"]["metrics"].as_array().into_iter().flatten());
    let asked: BTreeSet<_> = metrics.filter_map(|metric| metric["pods"]["metric"]["name"].as_str()).collect();
    let unknown = asked.difference(&made).map(|name| format!("adapter.yaml does not make {name}"));
    let idle = made.difference(&asked).map(|name| format!("no set of values scales on {name}"));
    Ok(unknown.chain(idle).collect())
}

/// Labels by which the adapter finds pods are those that Prometheus gives to what it reads.
pub(super) fn labels() -> anyhow::Result<Vec<String>> {
    let adapter = manifests::read(&folder().join("adapter.yaml"))?;
    let prometheus = manifests::read(&folder().join("prometheus.yaml"))?;
    Ok(adapter.iter().zip(&prometheus).flat_map(|(adapter, given)| label_faults(adapter, given)).collect())
}

fn label_faults(adapter: &Value, prometheus: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let jobs = list(&prometheus["scrape_configs"]);
    let relabelings = jobs.iter().flat_map(|job| list(&job["relabel_configs"]));
    let given: BTreeSet<_> =
        relabelings.filter_map(|relabeling| relabeling["target_label"].as_str().map(str::to_owned)).collect();
    let rules = list(&adapter["rules"]);
    let overrides = rules.iter().filter_map(|rule| rule["resources"]["overrides"].as_object());
    let wanted: BTreeSet<_> = overrides.flat_map(|labels| labels.keys().cloned()).collect();
    if wanted.is_empty() {
        return vec!["adapter.yaml finds pods by no label".into()];
    }
    let missing = wanted.difference(&given);
    missing
        .map(|label| format!("prometheus.yaml does not give the label {label}, which adapter.yaml wants"))
        .collect()
}

fn folder() -> PathBuf {
    root().join("deploy/prometheus")
}

/// Names as Prometheus has them: a histogram is three series.
fn exposed(listed: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in listed.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some(name), Some("histogram")) => {
                names.extend(["_bucket", "_sum", "_count"].map(|part| format!("{name}{part}")));
            }
            (Some(name), _) => drop(names.insert(name.to_owned())),
            (None, _) => {}
        }
    }
    names
}

/// Words that look like metrics of ours; recorded ones have a colon, and pod metrics of the adapter stand after `as:`.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter(|line| !line.trim().starts_with("as: ") && !line.trim().starts_with('#'));
    let words =
        lines.flat_map(|line| line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')));
    words.filter(|word| {
        let ours = ["unmask_", "process_", "rpc_server_"].iter().any(|prefix| word.starts_with(prefix));
        ours && !word.contains(':')
    })
}

fn alerts_of(document: &Value) -> Vec<Value> {
    let groups = document["groups"].as_array().into_iter().flatten();
    let rules = groups.flat_map(|group| group["rules"].as_array().into_iter().flatten());
    rules.filter(|rule| rule["alert"].is_string()).cloned().collect()
}

fn alert_faults(alert: &Value, tests: &str, guide: &str) -> Vec<String> {
    let name = alert["alert"].as_str().unwrap_or_default();
    let mut faults = Vec::new();
    if !tests.contains(&format!("alertname=\"{name}\"")) {
        faults.push(format!("{name} is not in rules_test.yaml"));
    }
    if !["critical", "warning"].contains(&alert["labels"]["severity"].as_str().unwrap_or_default()) {
        faults.push(format!("{name} is neither critical nor a warning"));
    }
    let missing =
        ["summary", "description"].into_iter().filter(|key| !alert["annotations"][*key].is_string());
    faults.extend(missing.map(|key| format!("{name} has no {key}")));
    if alert["annotations"]["runbook_url"] != format!("docs/operating.md#{}", name.to_lowercase()) {
        faults.push(format!("{name} does not lead to its own part of docs/operating.md"));
    }
    if !guide.lines().any(|line| line.trim_start_matches('#').trim() == name && line.starts_with('#')) {
        faults.push(format!("docs/operating.md has no heading {name}"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_told_from_labels_and_recorded_series() {
        let text = "expr: rate(unmask_passes_total[5m]) / unmask:passes:rate5m and process_open_fds{job=\"unmask\"}\n# unmask_old\nas: unmask_new";
        assert_eq!(named(text).collect::<Vec<_>>(), ["unmask_passes_total", "process_open_fds"]);
    }

    #[test]
    fn what_kubernetes_would_tell_can_be_left_out() {
        let text = "jobs:\n  - name: a\n    kubernetes_sd_configs:\n      - role: pod\n        more: 1\n    rest: 2\n";
        let without =
            "jobs:\n  - name: a\n    static_configs: [{ targets: [localhost:9464] }]\n    rest: 2\n";
        assert_eq!(without_kubernetes(text), without);
    }

    #[test]
    fn what_the_adapter_wants_is_given() {
        let adapter = json!({ "rules": [{ "resources": { "overrides": { "namespace": {}, "pod": {} } } }] });
        let relabeled = |labels: &[&str]| {
            let configs: Vec<_> = labels.iter().map(|label| json!({ "target_label": label })).collect();
            json!({ "scrape_configs": [{ "relabel_configs": configs }] })
        };
        assert!(label_faults(&adapter, &relabeled(&["pod", "namespace"])).is_empty());
        let fault = "prometheus.yaml does not give the label pod, which adapter.yaml wants";
        assert_eq!(label_faults(&adapter, &relabeled(&["namespace"])), [fault]);
        assert_eq!(label_faults(&json!({}), &relabeled(&[])), ["adapter.yaml finds pods by no label"]);
    }

    #[test]
    fn a_histogram_is_three_series_and_not_itself() {
        let names = exposed("# text\nunmask_a gauge model\nunmask_b histogram\n");
        let expected = ["unmask_a", "unmask_b_bucket", "unmask_b_count", "unmask_b_sum"];
        assert_eq!(names.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_alert_is_tested_graded_worded_and_explained() {
        let alert = json!({
            "alert": "UnmaskDown",
            "labels": { "severity": "critical" },
            "annotations": { "summary": "s", "description": "d", "runbook_url": "docs/operating.md#unmaskdown" },
        });
        let (tests, guide) = ("ALERTS{alertname=\"UnmaskDown\"}", "# Alerts\n### UnmaskDown\n");
        assert!(alert_faults(&alert, tests, guide).is_empty());
        assert_eq!(alert_faults(&alert, "", guide), ["UnmaskDown is not in rules_test.yaml"]);
        assert_eq!(
            alert_faults(&alert, tests, "UnmaskDown"),
            ["docs/operating.md has no heading UnmaskDown"]
        );
        assert_eq!(alert_faults(&json!({ "alert": "UnmaskDown" }), tests, guide).len(), 4);
    }
}
