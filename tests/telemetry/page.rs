//! `docs/telemetry.md`, `deploy/metrics.txt` and what is registered are the same.

use std::collections::BTreeMap;

use unmask_protocol::v1;
use unmask_tests::project;
use unmask_tests::started::Started;

use super::scrape::Scrape;
use super::{ADMIN, masks};

/// Kinds and labels of metrics by their names.
type Metrics = BTreeMap<String, (String, Vec<String>)>;

/// The rows of the page's table of metrics.
fn page() -> Metrics {
    let text = std::fs::read_to_string(project("docs/telemetry.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let read = |row: &str| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, name, kind, labels, _, ""] = cells[..] else { panic!("{row}") };
        let labels = labels.split(',').map(|label| label.trim().trim_matches('`').to_owned());
        let mut labels: Vec<_> = labels.filter(|label| !label.is_empty()).collect();
        labels.sort();
        (name.trim_matches('`').to_owned(), (kind.to_owned(), labels))
    };
    rows.map(read).collect()
}

/// What rules, dashboard and chart may use.
fn listed() -> Metrics {
    let text = std::fs::read_to_string(project("deploy/metrics.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let read = |line: &str| {
        let mut words = line.split(' ').map(ToOwned::to_owned);
        let (name, kind) = (words.next().unwrap(), words.next().unwrap());
        let mut labels: Vec<_> = words.collect();
        labels.sort();
        (name, (kind, labels))
    };
    lines.map(read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_the_list_have_every_metric_with_its_labels_and_no_other() {
    let server = Started::with(&[ADMIN]).await;
    let fill = v1::fill::Kind::Adversarial(v1::AdversarialFill::default());
    let request = v1::ExplainRequest { fill: Some(v1::Fill { kind: Some(fill) }), ..masks(128) };
    server.client().await.explain(request).await.unwrap();
    let seen = Scrape::of(server.admin.unwrap()).await;
    let mut registered = Metrics::new();
    for (name, kind) in &seen.kinds {
        // What OpenTelemetry says of the process itself; its labels are the operator's.
        if name != "target_info" {
            registered.insert(name.clone(), (kind.clone(), seen.labels_of(name)));
        }
    }
    assert_eq!(page(), registered);
    assert_eq!(listed(), registered);
}
