//! `cargo xtask image`: builds the Dockerfile's target `cpu` with buildah, and runs it as a cluster would: as nobody in particular, on a
//! root that cannot be written. Minutes, as root; no part of the tests.
//!
//! Where the images that it is built from cannot be pulled, it makes do and says so: a minimal Debian stands in for the base, and the
//! binary is built here instead of in the builder's image.

mod build;
mod inside;

use anyhow::Context as _;
use serde_json::Value;

use self::build::Buildah;
use crate::tools::{say, target};

pub(crate) fn run() -> anyhow::Result<()> {
    let buildah = Buildah::find()?;
    let built = build::image(&buildah)?;
    let inspected = buildah.ask(&["inspect", "--type", "image", &built.name])?;
    let image = Image::read(&serde_json::from_str(&inspected)?)?;
    say(&format!("{}: user {}, {:?} {:?}", built.name, image.user, image.entrypoint, image.command));

    let container = buildah.ask(&["from", "--pull-never", &built.name])?;
    let outcome = buildah.ask(&["mount", &container]).and_then(|root| inside::check(&image, root.as_ref()));
    // It is in the way of nothing if it stays.
    let _ = buildah.ask(&["rm", &container]);
    outcome?;
    for makeshift in built.makeshift {
        say(&format!("MAKESHIFT: {makeshift}"));
    }
    say(&format!("the image is {} in {}", built.name, target().join("image/storage").display()));
    Ok(())
}

/// What an image says of itself.
pub(crate) struct Image {
    /// Numbers, so that a cluster can see that it is not root.
    pub(crate) user: String,
    pub(crate) environment: Vec<String>,
    pub(crate) entrypoint: Vec<String>,
    pub(crate) command: Vec<String>,
}

impl Image {
    fn read(inspected: &Value) -> anyhow::Result<Self> {
        let config = &inspected["OCIv1"]["config"];
        let words = |key: &str| {
            let list = config[key].as_array().into_iter().flatten();
            list.filter_map(|word| word.as_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        let user = config["User"].as_str().unwrap_or_default().to_owned();
        let number = |part: &str| part.parse::<u32>().is_ok_and(|number| number > 0);
        let parts = user.split_once(':').context("the image's user is not UID:GID")?;
        anyhow::ensure!(
            number(parts.0) && number(parts.1),
            "the image's user is {user}, not numbers above 0"
        );
        anyhow::ensure!(config["StopSignal"] == "SIGTERM", "the image does not say that SIGTERM stops it");
        for port in ["50051/tcp", "9464/tcp"] {
            anyhow::ensure!(config["ExposedPorts"][port].is_object(), "the image does not expose {port}");
        }
        for label in ["title", "licenses", "version", "revision"] {
            let value = &config["Labels"][format!("org.opencontainers.image.{label}")];
            anyhow::ensure!(value.as_str().is_some_and(|v| !v.is_empty()), "the image has no label {label}");
        }
        let (environment, entrypoint, command) = (words("Env"), words("Entrypoint"), words("Cmd"));
        anyhow::ensure!(entrypoint.len() == 1, "the image's entry point is {entrypoint:?}, not one program");
        Ok(Self { user, environment, entrypoint, command })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn inspected() -> Value {
        let label = |name: &str| format!("org.opencontainers.image.{name}");
        let labels = ["title", "licenses", "version", "revision"].map(|name| (label(name), json!("x")));
        json!({ "OCIv1": { "config": {
            "User": "65532:65532",
            "Env": ["A=b"],
            "Entrypoint": ["/unmask"],
            "Cmd": ["serve"],
            "StopSignal": "SIGTERM",
            "ExposedPorts": { "50051/tcp": {}, "9464/tcp": {} },
            "Labels": labels.into_iter().collect::<serde_json::Map<_, _>>(),
        } } })
    }

    #[test]
    fn an_image_says_who_it_runs_as_and_how_it_is_stopped() {
        let image = Image::read(&inspected()).unwrap();
        assert_eq!(
            (image.user.as_str(), image.command.as_slice()),
            ("65532:65532", ["serve".to_owned()].as_slice())
        );
        let wrong = [
            ("/OCIv1/config/User", json!("unmask:unmask")),
            ("/OCIv1/config/User", json!("0:0")),
            ("/OCIv1/config/StopSignal", json!("SIGKILL")),
            ("/OCIv1/config/ExposedPorts/9464~1tcp", Value::Null),
            ("/OCIv1/config/Entrypoint", json!(["/bin/sh", "-c", "unmask"])),
            ("/OCIv1/config/Labels/org.opencontainers.image.version", json!("")),
        ];
        for (path, value) in wrong {
            let mut changed = inspected();
            *changed.pointer_mut(path).unwrap() = value;
            assert!(Image::read(&changed).is_err(), "{path}");
        }
    }
}
