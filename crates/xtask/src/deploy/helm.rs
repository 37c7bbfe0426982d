//! The chart as Helm sees it: lint, renderings of every set of values, and values that must be refused.

use std::path::PathBuf;
use std::process::Command;

use super::{chart, tools, work};

/// Sets of values in `helm/unmask/ci`.
pub(super) const SETS: [&str; 6] = ["minimal", "cpu", "gpu", "tls-jwt", "hpa", "sized"];
/// The newest versions of Kubernetes, for which every set is rendered and checked.
pub(super) const KUBERNETES: [&str; 3] = ["1.35", "1.36", "1.37"];

/// Values that are wrong, and a part of what is said about them. The schema refuses the first ones, templates the rest.
const REFUSED: &[(&str, &str)] = &[
    ("insecure=true,replicas=two", "got string, want integer"),
    ("insecure=true,replica=2", "additional properties 'replica' not allowed"),
    ("insecure=true,image.pullPolicy=Sometimes", "value must be one of 'Always', 'IfNotPresent', 'Never'"),
    ("insecure=true,image.digest=sha256:abc", "does not match pattern"),
    ("insecure=true,models.source=s3", "value must be one of 'image', 'pvc', 'imageVolume', 'initContainer'"),
    ("insecure=true,gpu.count=0", "minimum: got 0, want 1"),
    ("insecure=true,config.pool=8", "want object"),
    ("insecure=true,address=localhost", "value must be one of '0.0.0.0', '[::]'"),
    ("insecure=true,service.port=70000", "maximum: got 70,000, want 65,535"),
    ("insecure=true,tls.secretName=Not_A_Name", "does not match pattern"),
    ("replicas=1", "choose how the server is guarded"),
    ("tls.secretName=tls", "choose how the server is guarded"),
    ("auth.jwks.secretName=keys,auth.audience=unmask", "choose how the server is guarded"),
    ("tls.secretName=tls,auth.jwks.secretName=keys", "auth.audience is missing"),
    ("insecure=true,tls.clientCa.secretName=ca", "without tls.secretName"),
    ("insecure=true,config.server.listen=0.0.0.0:1", "config.server.listen is the chart's to set"),
    ("insecure=true,config.drain.grace_seconds=1", "config.drain.grace_seconds is the chart's to set"),
    ("insecure=true,models.source=pvc", "set models.pvc.claimName"),
    ("insecure=true,models.source=initContainer", "set models.initContainer.image"),
    ("insecure=true,models.source=imageVolume", "set models.imageVolume.reference"),
    (
        "insecure=true,autoscaling.enabled=true,autoscaling.minReplicas=20",
        "more than autoscaling.maxReplicas",
    ),
];

/// Values that somebody may take away.
const ACCEPTED: &str = "insecure=true,config=null,resources=null,tolerations=null,nodeSelector=null,gpu.tolerations=null,gpu.enabled=true";

/// A rendering of a set of values for a version of Kubernetes.
pub(super) struct Rendered {
    pub(super) version: &'static str,
    pub(super) file: PathBuf,
}

/// `helm lint --strict` on every set.
pub(super) fn lint() -> anyhow::Result<Vec<String>> {
    let helm = tools::helm()?;
    let mut faults = Vec::new();
    for set in SETS {
        let mut lint = Command::new(&helm);
        faults.extend(tools::faults_of(
            lint.args(["lint", "--strict"]).arg(chart()).arg("--values").arg(values(set)),
        )?);
    }
    Ok(faults)
}

/// Every set for every version, with the pod of `helm test`.
pub(super) fn render() -> anyhow::Result<Vec<Rendered>> {
    let mut rendered = Vec::new();
    for version in KUBERNETES {
        for set in SETS {
            let file = work().join(format!("{set}-{version}.yaml"));
            std::fs::write(&file, template(set, version, &[])?)?;
            rendered.push(Rendered { version, file });
        }
    }
    Ok(rendered)
}

/// What `helm template` makes of a set of values.
pub(super) fn template(set: &str, version: &str, more: &[&str]) -> anyhow::Result<String> {
    let mut helm = Command::new(tools::helm()?);
    helm.args(["template", "unmask"]).arg(chart()).arg("--values").arg(values(set));
    helm.args(["--namespace", "unmask", "--kube-version", &format!("{version}.0")]).args(more);
    let output = tools::ask(&mut helm)?;
    anyhow::ensure!(output.status.success(), "{set} for Kubernetes {version}: {}", tools::words(&output));
    Ok(String::from_utf8(output.stdout)?)
}

/// Wrong values are refused, and it is said why; defaults can be taken away.
pub(super) fn refusals() -> anyhow::Result<Vec<String>> {
    let helm = tools::helm()?;
    let mut faults = Vec::new();
    for (values, reason) in REFUSED {
        let output = tools::ask(
            Command::new(&helm).args(["template", "unmask"]).arg(chart()).args(["--set", values]),
        )?;
        let said = tools::words(&output);
        if output.status.success() {
            faults.push(format!("{values} is not refused"));
        } else if !said.contains(reason) {
            faults.push(format!("{values} is refused, but not because \"{reason}\": {said}"));
        }
    }
    let mut without = Command::new(&helm);
    without.args(["template", "unmask"]).arg(chart()).args(["--set", ACCEPTED]);
    faults.extend(tools::faults_of(&mut without)?.into_iter().map(|said| format!("{ACCEPTED}: {said}")));
    Ok(faults)
}

fn values(set: &str) -> PathBuf {
    chart().join("ci").join(format!("{set}-values.yaml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_values_that_lies_there_is_checked() {
        let files = std::fs::read_dir(chart().join("ci")).unwrap();
        let mut found: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        let mut listed = SETS.map(values).to_vec();
        found.sort();
        listed.sort();
        assert_eq!(found, listed);
    }
}
