use serde_json::json;

use super::*;

/// A rendering in which everything fits.
fn whole() -> Vec<Value> {
    let labels = json!({ "app": "unmask" });
    let container = json!({
        "name": "unmask",
        "ports": [{ "name": "grpc" }, { "name": "admin" }],
        "startupProbe": { "httpGet": { "port": "admin" } },
        "livenessProbe": { "httpGet": { "port": "admin" } },
        "readinessProbe": { "httpGet": { "port": "admin" } },
        "lifecycle": { "preStop": { "sleep": { "seconds": 5 } } },
        "securityContext": { "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false },
        "volumeMounts": [{ "name": "tmp" }],
    });
    let pod = json!({
        "securityContext": { "runAsNonRoot": true },
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": 50,
        "containers": [container],
        "volumes": [{ "name": "tmp" }],
    });
    let deployment = json!({
        "kind": "Deployment",
        "metadata": { "name": "unmask" },
        "spec": { "selector": { "matchLabels": labels }, "template": { "metadata": { "labels": labels }, "spec": pod } },
    });
    let service = json!({
        "kind": "Service",
        "metadata": { "name": "unmask-admin", "labels": labels },
        "spec": { "selector": labels, "ports": [{ "name": "admin", "targetPort": "admin" }] },
    });
    let monitor = json!({
        "kind": "ServiceMonitor",
        "metadata": { "name": "unmask" },
        "spec": { "selector": { "matchLabels": labels } },
    });
    let toml = "[drain]\nnotice_seconds = 5\ngrace_seconds = 30\n";
    vec![deployment, service, monitor, json!({ "kind": "ConfigMap", "data": { "unmask.toml": toml } })]
}

/// The only fault after a change.
fn fault_after(change: impl FnOnce(&mut Vec<Value>)) -> String {
    let mut documents = whole();
    change(&mut documents);
    let faults = faults_of(&documents);
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults[0].clone()
}

#[test]
fn what_fits_together_has_no_fault() {
    assert!(faults_of(&whole()).is_empty(), "{:?}", faults_of(&whole()));
    assert_eq!(faults_of(&[]), ["there is no Deployment"]);
}

#[test]
fn a_pod_lives_as_long_as_it_drains() {
    let fault =
        fault_after(|all| all[0]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = json!(40));
    assert_eq!(fault, "40 s until a pod is killed, and it takes 40 s to drain");
    let fault = fault_after(|all| {
        let pod = &mut all[0]["spec"]["template"]["spec"];
        pod["terminationGracePeriodSeconds"] = Value::Null;
    });
    assert_eq!(fault, "30 s until a pod is killed, and it takes 40 s to drain");
}

#[test]
fn services_select_the_pods_and_name_their_ports() {
    let fault = fault_after(|all| all[1]["spec"]["selector"] = json!({ "app": "other" }));
    assert_eq!(fault, "Service/unmask-admin does not select the pods");
    let fault = fault_after(|all| all[1]["spec"]["ports"][0]["targetPort"] = json!("http"));
    assert_eq!(fault, "Service/unmask-admin wants port \"http\", which no container has");
    let fault = fault_after(|all| all[2]["spec"]["selector"]["matchLabels"] = json!({ "app": "x" }));
    assert_eq!(fault, "ServiceMonitor/unmask does not select the one Service with the admin port");
}

#[test]
fn the_pod_of_helm_test_gets_no_requests() {
    let fault = fault_after(|all| {
        let mut pod = all[0]["spec"]["template"].clone();
        pod["kind"] = json!("Pod");
        pod["metadata"]["name"] = json!("unmask-test");
        all[0]["spec"]["selector"]["matchLabels"]["component"] = json!("server");
        all[0]["spec"]["template"]["metadata"]["labels"]["component"] = json!("server");
        all.push(pod);
    });
    assert_eq!(fault, "Service/unmask-admin selects the pod of helm test");
}

#[test]
fn one_says_how_many_replicas_there_are() {
    let scaler = json!({
        "kind": "HorizontalPodAutoscaler",
        "metadata": { "name": "unmask" },
        "spec": { "scaleTargetRef": { "name": "unmask" } },
    });
    let fault = fault_after(|all| {
        all[0]["spec"]["replicas"] = json!(2);
        all.push(scaler);
    });
    assert_eq!(fault, "the Deployment says how many replicas there are, and so does its autoscaler");
}

#[test]
fn pods_have_no_more_rights_than_they_need() {
    let pod = |all: &mut Vec<Value>, path: &str, value: Value| {
        *all[0]["spec"]["template"]["spec"].pointer_mut(path).unwrap() = value;
    };
    let cases = [
        ("/securityContext/runAsNonRoot", "may run as root"),
        ("/automountServiceAccountToken", "gets a token of its account"),
        ("/enableServiceLinks", "gets UNMASK_... of Services in its environment, which are no keys"),
        (
            "/containers/0/securityContext/readOnlyRootFilesystem",
            "unmask may write to its root or gain privileges",
        ),
    ];
    for (path, expected) in cases {
        let fault = fault_after(|all| pod(all, path, Value::Null));
        assert_eq!(fault, format!("the Deployment's pod: {expected}"));
    }
    let fault = fault_after(|all| {
        pod(all, "/containers/0/volumeMounts", json!([{ "name": "tmp" }, { "name": "keys" }]))
    });
    assert_eq!(fault, "the Deployment's pod: unmask mounts \"keys\", which is no volume");
    let fault = fault_after(|all| pod(all, "/volumes", json!([{ "name": "tmp" }, { "name": "keys" }])));
    assert_eq!(fault, "the Deployment's pod: nobody mounts the volume \"keys\"");
}
