//! The dashboard: its queries are asked as rules, so that promtool reads them, and every panel has the data source that is chosen.

use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use super::{tools, work};
use crate::tools::root;

/// What stands for a variable of the dashboard while promtool reads a query.
const VARIABLES: [(&str, &str); 5] =
    [("$__rate_interval", "5m"), ("$namespace", "x"), ("$instance", "x"), ("$model", "x"), ("$method", "x")];

/// What Grafana would only tell whoever looks.
pub(super) fn check() -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(root().join("deploy/grafana/unmask.json"))?;
    let dashboard: Value = serde_json::from_str(&text).context("deploy/grafana/unmask.json")?;
    let mut faults = faults(&dashboard);
    let rules = as_rules(&queries(&dashboard));
    let file = work().join("dashboard-rules.json");
    std::fs::write(&file, serde_json::to_vec_pretty(&rules)?)?;
    faults.extend(tools::faults_of(Command::new(tools::promtool()?).args(["check", "rules"]).arg(file))?);
    Ok(faults)
}

/// Title of the panel and query.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let panels = dashboard["panels"].as_array().into_iter().flatten();
    let of = |panel: &Value| {
        let title = panel["title"].as_str().unwrap_or_default().to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        let query = |target: Value| Some((title.clone(), target["expr"].as_str()?.to_owned()));
        targets.into_iter().filter_map(query).collect::<Vec<_>>()
    };
    panels.flat_map(of).collect()
}

/// JSON is YAML, which is what promtool reads.
fn as_rules(queries: &[(String, String)]) -> Value {
    let plain =
        |query: &str| VARIABLES.iter().fold(query.to_owned(), |text, (from, to)| text.replace(from, to));
    let rule = |(at, (_, query)): (usize, &(String, String))| serde_json::json!({ "record": format!("panel:{at}"), "expr": plain(query) });
    let rules: Vec<_> = queries.iter().enumerate().map(rule).collect();
    serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] })
}

fn faults(dashboard: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut ids = Vec::new();
    for panel in dashboard["panels"].as_array().into_iter().flatten() {
        let title = panel["title"].as_str().unwrap_or("a panel without a title");
        if ids.contains(&&panel["id"]) {
            faults.push(format!("{title} has the id of another panel"));
        }
        ids.push(&panel["id"]);
        if panel["type"] == "row" {
            continue;
        }
        let mut sources = vec![&panel["datasource"]["uid"]];
        let targets = panel["targets"].as_array();
        sources.extend(targets.into_iter().flatten().map(|target| &target["datasource"]["uid"]));
        if sources.iter().any(|source| **source != "${datasource}") {
            faults.push(format!("{title} does not ask the data source that is chosen"));
        }
        if panel["description"].as_str().is_none_or(str::is_empty) {
            faults.push(format!("{title} does not say what it shows"));
        }
    }
    for (title, query) in queries(dashboard) {
        let variables: Vec<_> = query.match_indices('$').map(|(at, _)| &query[at..]).collect();
        let unknown = variables.iter().any(|rest| !VARIABLES.iter().any(|(name, _)| rest.starts_with(name)));
        if unknown {
            faults.push(format!("{title} uses a variable that is not known here: {query}"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_panel_asks_the_chosen_source_and_says_what_it_shows() {
        let panel = |source: &str, query: &str| {
            json!({
                "id": 1, "type": "stat", "title": "P", "description": "d", "datasource": { "uid": "${datasource}" },
                "targets": [{ "datasource": { "uid": source }, "expr": query }],
            })
        };
        let of = |panel: Value| faults(&json!({ "panels": [panel] }));
        assert!(of(panel("${datasource}", "rate(a{model=~\"$model\"}[$__rate_interval])")).is_empty());
        assert_eq!(of(panel("mine", "a")), ["P does not ask the data source that is chosen"]);
        assert_eq!(of(panel("${datasource}", "a{b=\"$pod\"}")).len(), 1);
    }
}
