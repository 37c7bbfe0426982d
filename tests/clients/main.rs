//! The clients of docs/clients.md, each as it stands there, against a real server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod go;
#[path = "../identity/keys.rs"]
#[allow(dead_code, reason = "the tests of identity need more of it")]
mod keys;
mod python;
mod refused;
mod safe;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::task::block_in_place;
use unmask_protocol::v1::{self, SavingReason};
use unmask_server::Service;
use unmask_tests::started::Started;
use unmask_tests::{Root, explain, project, sample, values};

/// Passes with which the search for a fill is cut short: picture, fill and windows have theirs first, and two steps are left.
const FEW: u64 = 180;
/// No fill is kept, for whoever asks first would pay for those who come after.
const FORGETFUL: (&str, &str) = ("fills.max_bytes", "0");
/// The words with which a client says that it will ask again, and after how long.
const AGAIN: &str = "; asking again in ";
/// How a client ends that has been answered with an error or has nothing to ask about, and one whose options are wrong.
const ANSWERED: i32 = 1;
const OPTIONS: i32 = 2;

/// What a client prints of an answer. A number may be written in more ways than one, such as 1 and 1.0.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Line {
    label: String,
    probability: f64,
    top_share: f64,
    passes: u64,
    truncated: bool,
    map_sha256: String,
    warnings: Vec<String>,
}

/// A client and how it is run.
struct Client {
    language: &'static str,
    program: PathBuf,
    before: Vec<PathBuf>,
    stubs: Option<PathBuf>,
}

impl Client {
    /// Those for which the tools are there.
    fn all() -> Vec<Self> {
        let (script, stubs) = python::client();
        let python = unmask_tests::from_set_up("TEST_PYTHON");
        let rust = PathBuf::from(env!("CARGO_BIN_EXE_rust-client"));
        let mut all = vec![
            Self { language: "Python", program: python, before: vec![script], stubs: Some(stubs) },
            Self { language: "Rust", program: rust, before: Vec::new(), stubs: None },
        ];
        let go = go::client().clone();
        all.extend(go.map(|program| Self { language: "Go", program, before: Vec::new(), stubs: None }));
        all
    }

    /// Asks about the mouth sample.
    fn command(&self, address: &str, options: &[&str]) -> Command {
        self.about(&project("models/samples/astronaut-mouth.png"), address, options)
    }

    fn about(&self, image: &Path, address: &str, options: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.before).args(options).arg(address).arg(image);
        command.envs(self.stubs.iter().map(|stubs| ("PYTHONPATH", stubs)));
        // A proxy that the machine has for others is not asked for what runs here.
        command.env("no_proxy", "127.0.0.1,localhost").env("NO_PROXY", "127.0.0.1,localhost");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What it prints where it succeeds.
    fn line(&self, address: &str, options: &[&str]) -> Line {
        self.said(&output(self.command(address, options)))
    }

    fn said(&self, output: &Output) -> Line {
        let (printed, told) = words(output);
        assert!(output.status.success(), "{}: {printed}{told}", self.language);
        line(&printed)
    }

    /// What it tells where it has to fail like this, at the first try.
    fn fails(&self, command: Command, like: i32) -> String {
        let output = output(command);
        let (printed, told) = words(&output);
        assert_eq!((output.status.code(), &*printed), (Some(like), ""), "{}: {told}", self.language);
        assert!(!told.contains(AGAIN), "{}: {told}", self.language);
        told
    }
}

/// What is printed, which is one line and no more.
fn line(printed: &str) -> Line {
    let line = printed.strip_suffix('\n').filter(|line| !line.contains('\n'));
    serde_json::from_str(line.unwrap_or_else(|| panic!("not one line: {printed}"))).unwrap()
}

/// Runs a client to its end.
fn output(mut command: Command) -> Output {
    block_in_place(|| command.output()).unwrap()
}

/// What is printed, and what is told on standard error.
fn words(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// The answer in process to what the clients ask, and what they have to print of it.
async fn expected(service: &Service, passes: Option<u64>) -> (v1::ExplainResponse, Line) {
    let mode = v1::OcclusionMode::Both.into();
    let method = v1::method::Kind::Occlusion(v1::Occlusion { mode, ..v1::Occlusion::default() });
    let fill = v1::fill::Kind::Adversarial(v1::AdversarialFill::default());
    let request = v1::ExplainRequest {
        image: sample("astronaut-mouth.png"),
        method: Some(v1::Method { kind: Some(method), preset: String::new() }),
        fill: Some(v1::Fill { kind: Some(fill) }),
        outputs: vec![v1::Output::Overlay.into()],
        budget: passes.map(|passes| v1::Budget { max_passes: Some(passes), ..Default::default() }),
        ..v1::ExplainRequest::default()
    };
    let answer = explain(service, request).await.unwrap();
    let (prediction, cost) = (answer.prediction.clone().unwrap(), answer.cost.clone().unwrap());
    let map = Sha256::digest(&answer.map.as_ref().unwrap().values);
    let cut = [SavingReason::Budget, SavingReason::Deadline];
    let line = Line {
        probability: prediction.scores.iter().find(|s| s.label == prediction.label).unwrap().probability,
        label: prediction.label,
        top_share: answer.regions[0].evidence_share,
        passes: cost.run,
        truncated: cost.saved.iter().any(|saving| cut.contains(&saving.reason())),
        map_sha256: map.iter().map(|byte| format!("{byte:02x}")).collect(),
        warnings: answer.warnings.clone(),
    };
    (answer, line)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_print_the_values_of_an_answer_in_process_and_write_its_overlay() {
    let server = Started::with(&[FORGETFUL]).await;
    let address = server.address.to_string();
    let (answer, line) = expected(&server.service, Some(FEW)).await;
    assert!(line.label == "mouth" && line.truncated, "{line:?}");
    let dir = tempfile::tempdir().unwrap();
    for client in Client::all() {
        let overlay = dir.path().join(format!("{}.png", client.language));
        let options = ["--passes", &FEW.to_string(), "--overlay", overlay.to_str().unwrap()];
        let output = output(client.command(&address, &options));
        assert_eq!(client.said(&output), line, "{}", client.language);
        assert_eq!(words(&output).1, "", "{}", client.language);
        assert_eq!(std::fs::read(&overlay).unwrap(), answer.overlay_png, "{}", client.language);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_explanation_is_not_called_truncated() {
    let root = Root::new(&["planted-linear"]);
    let server = Started::over(&root.config(&[("models.default", "planted-linear"), FORGETFUL])).await;
    let (_, line) = expected(&server.service, None).await;
    assert!(!line.truncated, "{line:?}");
    for client in Client::all() {
        assert_eq!(client.line(&server.address.to_string(), &[]), line, "{}", client.language);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flat_map_is_printed_as_well() {
    let root = Root::new(&["planted-constant"]);
    let server = Started::over(&root.config(&[("models.default", "planted-constant"), FORGETFUL])).await;
    let (answer, line) = expected(&server.service, Some(FEW)).await;
    assert!(values(answer.map.as_ref().unwrap()).iter().all(|value| *value == 0.0), "{line:?}");
    for client in Client::all() {
        let few = ["--passes", &FEW.to_string()];
        assert_eq!(client.line(&server.address.to_string(), &few), line, "{}", client.language);
    }
}
