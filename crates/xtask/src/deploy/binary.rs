//! Chart and image against the binary: every key that they configure and every flag that they give exist.
//!
//! The other way round holds by construction: `.Values.config` is a free map that becomes TOML unread, so whatever key the binary has or
//! will have can be said through it; and `env` carries `UNMASK_...`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::manifests::Documents;
use super::{dockerfile, structure, tools, work};
use crate::tools::{cargo, root, run, target};

/// What `unmask config check` ends with where a configuration is refused (EX_CONFIG).
const REFUSED: i32 = 78;

/// Every configuration of the chart and that of the image is accepted, one with a wrong key is not, and every flag is known: by the binary
/// that is given, else by one that is built.
pub(super) fn check(unmask: Option<&Path>, all: &[Documents]) -> anyhow::Result<Vec<String>> {
    let built = || {
        run(cargo().args(["build", "--quiet", "--locked", "-p", "unmask-cli"]))?;
        anyhow::Ok(target().join("debug/unmask"))
    };
    let unmask = unmask.map_or_else(built, |unmask| Ok(std::path::absolute(unmask)?))?;
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for rendered in all {
        let Some(text) = structure::configuration_text(&rendered.documents) else {
            faults.push(format!("{}: no unmask.toml in a ConfigMap", rendered.name));
            continue;
        };
        // The same text for each version of Kubernetes need not be checked three times.
        if seen.insert(text) {
            let file = work().join(format!("{}.toml", rendered.name));
            std::fs::write(&file, text)?;
            faults.extend(refusal(&unmask, &file, &[])?.map(|said| format!("{}: {said}", rendered.name)));
        }
    }
    let image = root().join("deploy/image/unmask.toml");
    // It leaves to its user how it is guarded.
    faults.extend(
        refusal(&unmask, &image, &["--insecure"])?.map(|said| format!("deploy/image/unmask.toml: {said}")),
    );
    // A check that accepts everything would pass all of the above.
    let wrong = work().join("wrong.toml");
    std::fs::write(&wrong, "[server]\nlisten = \"0.0.0.0:50051\"\ninsecure = true\nlissten = \"\"\n")?;
    if refusal(&unmask, &wrong, &[])?.is_none() {
        faults.push("unmask config check accepts server.lissten".into());
    }
    faults.extend(flags(&unmask, all)?);
    Ok(faults)
}

/// What `unmask config check` has against a file.
fn refusal(unmask: &Path, file: &Path, flags: &[&str]) -> anyhow::Result<Option<String>> {
    let mut command = Command::new(unmask);
    command.args(["config", "check", "--config"]).arg(file).args(flags).env_clear();
    let output = tools::ask(&mut command)?;
    let said = || tools::words(&output);
    match output.status.code() {
        Some(0) => Ok(None),
        Some(REFUSED) => Ok(Some(said())),
        _ => anyhow::bail!("unmask config check --config FILE ended with {}: {}", output.status, said()),
    }
}

/// Flags that the subcommand's help does not have.
fn flags(unmask: &Path, all: &[Documents]) -> anyhow::Result<Vec<String>> {
    let mut commands: BTreeSet<_> = all.iter().flat_map(|rendered| commands(&rendered.documents)).collect();
    commands.extend(dockerfile::commands()?);
    let mut faults = Vec::new();
    for command in commands {
        let Some((subcommand, arguments)) = command.split_first() else { continue };
        let help = tools::ask(Command::new(unmask).args([subcommand, "--help"]))?;
        if !help.status.success() {
            faults.push(format!("unmask has no {subcommand}"));
            continue;
        }
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        let unknown =
            arguments.iter().filter(|argument| argument.starts_with("--") && !knows(&help, argument));
        faults.extend(unknown.map(|flag| format!("unmask {subcommand} has no {flag}")));
    }
    Ok(faults)
}

/// What the server's image is asked to do: arguments of containers that leave its entry point alone.
fn commands(documents: &[Value]) -> Vec<Vec<String>> {
    let pods = structure::pods(documents).map(|(_, pod)| pod);
    let containers = pods.flat_map(structure::containers);
    let ours = containers.filter(|container| {
        let image = container["image"].as_str().unwrap_or_default();
        image.starts_with("unmask:") && container["command"].is_null()
    });
    let words = |container: &Value| {
        let arguments = container["args"].as_array().into_iter().flatten();
        arguments.filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    ours.map(words).collect()
}

/// Whether a help text has a flag, as a word.
fn knows(help: &str, flag: &str) -> bool {
    let flag = flag.split('=').next().unwrap_or(flag);
    help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).any(|word| word == flag)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_flag_is_a_word_of_the_help() {
        let help = "  --config <FILE>\n      --listen <ADDRESS>";
        assert!(knows(help, "--config") && knows(help, "--listen=0.0.0.0:1"));
        assert!(!knows(help, "--conf") && !knows(help, "--listener"));
    }

    #[test]
    fn only_what_the_image_itself_is_asked_counts() {
        let pod = json!({ "kind": "Pod", "spec": {
            "initContainers": [{ "image": "fetcher:3", "args": ["bundles"] }],
            "containers": [
                { "image": "unmask:1", "args": ["serve", "--config", "x"] },
                { "image": "unmask:1", "command": ["/bin/bash"], "args": ["-c"] },
            ],
        } });
        assert_eq!(commands(&[pod]), [["serve", "--config", "x"]]);
    }

    #[test]
    fn a_refusal_is_told_and_anything_else_is_an_error() {
        let dir = std::env::temp_dir().join(format!("unmask-binary-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let stand_in = |code: i32| {
            let file = dir.join(format!("unmask-{code}"));
            std::fs::write(&file, format!("#!/bin/sh\necho \"$1 $2 $3\"\nexit {code}\n")).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
            refusal(&file, Path::new("x.toml"), &[])
        };
        assert_eq!(stand_in(0).unwrap(), None);
        assert_eq!(stand_in(78).unwrap(), Some("config check --config".into()));
        assert!(stand_in(2).is_err(), "a binary without the subcommand refuses nothing");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
