//! Whether the parts of a rendering fit together: what schemas cannot say, because it stands in two documents.

use serde_json::Value;

use super::manifests::Documents;

/// Faults of all renderings.
pub(super) fn faults(all: &[Documents]) -> Vec<String> {
    let one = |rendered: &Documents| {
        let named = |fault| format!("{}: {fault}", rendered.name);
        faults_of(&rendered.documents).into_iter().map(named).collect::<Vec<_>>()
    };
    all.iter().flat_map(one).collect()
}

/// Pods of a rendering: that of the Deployment, and that of `helm test`.
pub(super) fn pods(documents: &[Value]) -> impl Iterator<Item = (&Value, &Value)> {
    documents.iter().filter_map(|document| match document["kind"].as_str() {
        Some("Deployment") => {
            Some((&document["spec"]["template"]["metadata"], &document["spec"]["template"]["spec"]))
        }
        Some("Pod") => Some((&document["metadata"], &document["spec"])),
        _ => None,
    })
}

/// Containers of a pod, those of its beginning first.
pub(super) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers"].into_iter().flat_map(|kind| list(&pod[kind]))
}

fn faults_of(documents: &[Value]) -> Vec<String> {
    let mut faults = Vec::new();
    let kind = |kind: &'static str| documents.iter().filter(move |document| document["kind"] == kind);
    let Some(deployment) = kind("Deployment").next() else {
        return vec!["there is no Deployment".into()];
    };
    let template = &deployment["spec"]["template"];
    let (labels, server) = (&template["metadata"]["labels"], &template["spec"]["containers"][0]);
    let ports: Vec<_> = list(&server["ports"]).map(|port| &port["name"]).collect();

    let selectors = [
        ("Deployment", "/spec/selector/matchLabels"),
        ("Service", "/spec/selector"),
        ("PodDisruptionBudget", "/spec/selector/matchLabels"),
        ("NetworkPolicy", "/spec/podSelector/matchLabels"),
    ];
    for (of, path) in selectors {
        for document in kind(of) {
            let selector = document.pointer(path).unwrap_or(&Value::Null);
            let name = named(document);
            if !selects(selector, labels) {
                faults.push(format!("{name} does not select the pods"));
            }
            if kind("Pod").any(|pod| selects(selector, &pod["metadata"]["labels"])) {
                faults.push(format!("{name} selects the pod of helm test"));
            }
        }
    }
    for service in kind("Service") {
        for port in list(&service["spec"]["ports"]).filter(|port| !ports.contains(&&port["targetPort"])) {
            faults.push(format!(
                "{} wants port {}, which no container has",
                named(service),
                port["targetPort"]
            ));
        }
    }
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        if !ports.contains(&&server[probe]["httpGet"]["port"]) {
            faults.push(format!("{probe} asks a port that the container does not have"));
        }
    }
    for monitor in kind("ServiceMonitor") {
        let selector = &monitor["spec"]["selector"]["matchLabels"];
        let mut found = kind("Service").filter(|service| selects(selector, &service["metadata"]["labels"]));
        let admin = |service: &Value| list(&service["spec"]["ports"]).any(|port| port["name"] == "admin");
        if !found.next().is_some_and(admin) || found.next().is_some() {
            faults.push(format!("{} does not select the one Service with the admin port", named(monitor)));
        }
    }
    for scaler in kind("HorizontalPodAutoscaler") {
        if scaler["spec"]["scaleTargetRef"]["name"] != deployment["metadata"]["name"] {
            faults.push(format!("{} scales something else", named(scaler)));
        }
        if !deployment["spec"]["replicas"].is_null() {
            faults.push("the Deployment says how many replicas there are, and so does its autoscaler".into());
        }
    }
    faults.extend(drain_fault(documents, &template["spec"]));
    for (metadata, pod) in pods(documents) {
        let of = metadata["name"].as_str().unwrap_or("the Deployment's pod");
        faults.extend(pod_faults(pod).into_iter().map(|fault| format!("{of}: {fault}")));
    }
    faults
}

/// A pod is ended only after preStop, notice and grace.
fn drain_fault(documents: &[Value], pod: &Value) -> Option<String> {
    let config = configuration(documents)?;
    let seconds = |key: &str| config.get("drain")?.get(key)?.as_integer();
    let sleep = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"].as_i64().unwrap_or(0);
    let wanted = sleep + seconds("notice_seconds")? + seconds("grace_seconds")?;
    let given = pod["terminationGracePeriodSeconds"].as_i64().unwrap_or(30);
    (given <= wanted).then(|| format!("{given} s until a pod is killed, and it takes {wanted} s to drain"))
}

/// What the ConfigMap configures.
pub(super) fn configuration(documents: &[Value]) -> Option<toml::Table> {
    toml::from_str(configuration_text(documents)?).ok()
}

/// The same as it is written.
pub(super) fn configuration_text(documents: &[Value]) -> Option<&str> {
    documents.iter().find_map(|document| document["data"]["unmask.toml"].as_str())
}

fn pod_faults(pod: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    if pod["securityContext"]["runAsNonRoot"] != true {
        faults.push("may run as root".into());
    }
    if pod["automountServiceAccountToken"] != false {
        faults.push("gets a token of its account".into());
    }
    if pod["enableServiceLinks"] != false {
        faults.push("gets UNMASK_... of Services in its environment, which are no keys".into());
    }
    let volumes: Vec<_> = list(&pod["volumes"]).map(|volume| &volume["name"]).collect();
    let mut mounted = Vec::new();
    for container in containers(pod) {
        let name = container["name"].as_str().unwrap_or_default();
        let own = &container["securityContext"];
        if own["readOnlyRootFilesystem"] != true || own["allowPrivilegeEscalation"] != false {
            faults.push(format!("{name} may write to its root or gain privileges"));
        }
        for mount in list(&container["volumeMounts"]) {
            mounted.push(&mount["name"]);
            if !volumes.contains(&&mount["name"]) {
                faults.push(format!("{name} mounts {}, which is no volume", mount["name"]));
            }
        }
    }
    let idle = volumes.iter().filter(|volume| !mounted.contains(volume));
    faults.extend(idle.map(|volume| format!("nobody mounts the volume {volume}")));
    faults
}

/// Whether labels have all that a selector wants; one that wants nothing selects nothing that is meant.
fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector.as_object();
    wanted.is_some_and(|wanted| !wanted.is_empty() && wanted.iter().all(|(key, value)| labels[key] == *value))
}

fn named(document: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{}/{}", text(&document["kind"]), text(&document["metadata"]["name"]))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
#[path = "structure_tests.rs"]
mod tests;
