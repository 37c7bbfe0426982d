//! The chart's README.md, whose table is made from the comments of values.yaml.

use std::fmt::Write as _;

const HEAD: &str = "\
# The chart `unmask`

A gRPC service that explains what a deepfake detector has seen. For Kubernetes 1.30 or newer, Helm 3 or 4. There is no public image: build
one with the project's `Dockerfile` and push it to where your cluster pulls from.

```sh
helm install unmask helm/unmask --namespace unmask --create-namespace \\
    --set image.repository=registry.example/unmask --set insecure=true      # a closed network
helm test unmask --namespace unmask
```

A server that is not in a closed network wants TLS, and tokens or clients' certificates; the chart refuses to render without a choice:

```sh
helm install unmask helm/unmask --namespace unmask --set image.repository=registry.example/unmask \\
    --set tls.secretName=unmask-tls --set auth.jwks.configMapName=unmask-keys --set auth.audience=unmask
```

Sets of values that are rendered and checked for the newest versions of Kubernetes lie in [`ci`](ci): the least, processors, GPUs, TLS with tokens,
autoscaling, and [`sized`](ci/sized-values.yaml), the worked example of `docs/operating.md` as a whole, to begin with.

* **Configuration.** `config` has every key of `docs/configuration.md`, as it stands in TOML. The chart's checks hold it against the binary.
  `unmask config check --config FILE` does the same for a rendered ConfigMap. Pods are replaced when it changes. Certificates and keys are read again without that.
* **Balancing.** A gRPC client keeps one connection, and a Service keeps it on one pod. Clients that balance use the headless Service
  (`dns:///unmask-headless.NAMESPACE.svc:50051`, `round_robin`); others go through a proxy or mesh that knows HTTP/2, which `appProtocol` tells.
  `config.http2.age_seconds` makes clients connect anew now and then, so that new pods get their share.
* **Going down.** A pod leaves its Services during preStop, says so by health and /readyz for `drain.noticeSeconds`, finishes what is open
  for `drain.graceSeconds`, and is killed only after the sum of these. Give it as long as your longest request takes.
* **Autoscaling** on passes a second, or on passes that wait, needs an adapter for pod metrics; `deploy/prometheus/adapter.yaml` has the rules.
  The processor's share needs none, and is at its limit on processors as soon as there is any work: as the metric that asks for most pods
  counts, switch `autoscaling.cpu` off where there is an adapter. While a metric that is enabled cannot be read, no pod is taken away.
* **Metrics** are at port 9464, which never leaves the cluster; `serviceMonitor`, `prometheusRule` and `grafanaDashboard` bring what the
  Prometheus operator and Grafana's sidecar want.

## Values

| key | default | what |
|---|---|---|
";

/// A value: where it stands, what it is where nothing else is said, and what for.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    key: String,
    default: String,
    what: String,
}

/// The text, or the keys that nothing is said about.
pub(super) fn of(values: &str) -> Result<String, Vec<String>> {
    let rows = rows(values);
    let bare = rows.iter().filter(|row| row.what.is_empty());
    let bare: Vec<_> = bare.map(|row| format!("values.yaml: {} has no comment", row.key)).collect();
    if !bare.is_empty() {
        return Err(bare);
    }
    let mut text = HEAD.to_owned();
    for Row { key, default, what } in rows {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "| `{key}` | {default} | {} |", what.replace('|', "\\|"));
    }
    Ok(text)
}

/// Rows in the order of the file, which is block style with two spaces a level; a comment belongs to the key under it. A key with a comment
/// and keys below it, such as a default map, is one row, and so is a list.
fn rows(values: &str) -> Vec<Row> {
    let lines: Vec<_> = values.lines().collect();
    let (mut rows, mut path, mut comment) = (Vec::<Row>::new(), Vec::<&str>::new(), Vec::<&str>::new());
    // Lines that are deeper than this belong to the row before.
    let mut inside = None;
    for line in &lines {
        let text = line.trim_start();
        let depth = (line.len() - text.len()) / 2;
        if text.is_empty() {
            comment.clear();
            continue;
        }
        if inside.is_some_and(|row| depth > row) {
            if let Some(row) = rows.last_mut() {
                let gap = if row.default.is_empty() { "" } else { " " };
                row.default += &format!("{gap}{text}");
            }
            continue;
        }
        inside = None;
        if let Some(words) = text.strip_prefix('#') {
            comment.push(words.trim());
            continue;
        }
        let (key, value) = text.split_once(':').unwrap_or((text, ""));
        path.truncate(depth);
        path.push(key);
        let value = value.trim();
        if value.is_empty() && comment.is_empty() {
            continue;
        }
        if value.is_empty() {
            inside = Some(depth);
        }
        rows.push(Row { key: path.join("."), default: value.to_owned(), what: comment.join(" ") });
        comment.clear();
    }
    for row in &mut rows {
        row.default = if row.default.is_empty() { String::new() } else { format!("`{}`", row.default) };
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_become_rows() {
        let values = "\
# About the file

# How many
replicas: 2

image:
  # Where it lies
  repository: unmask
  pull:
    # When
    policy: Always

# Free
config:
  log:
    format: json

# Taints
taints:
  - key: a
    effect: b
";
        let row = |key: &str, default: &str, what: &str| Row {
            key: key.into(),
            default: default.into(),
            what: what.into(),
        };
        assert_eq!(
            rows(values),
            [
                row("replicas", "`2`", "How many"),
                row("image.repository", "`unmask`", "Where it lies"),
                row("image.pull.policy", "`Always`", "When"),
                row("config", "`log: format: json`", "Free"),
                row("taints", "`- key: a effect: b`", "Taints"),
            ]
        );
    }

    #[test]
    fn a_value_that_nothing_is_said_about_is_a_fault() {
        assert_eq!(of("# Said\na: 1\nb: 2\n").unwrap_err(), ["values.yaml: b has no comment"]);
    }
}
