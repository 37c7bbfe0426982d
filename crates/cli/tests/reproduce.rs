//! `unmask reproduce` as its user runs it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use common::{MOUTH, REAL, project, run, serve, text, unmask};
use npyz::WriterBuilder as _;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::{Value as Json, json};
use unmask_protocol::v1;
use unmask_protocol::v1::explanation_service_client::ExplanationServiceClient;

/// Explains the mouth sample and gives the path of what was written.
fn explained(dir: &Path, more: &[&str]) -> PathBuf {
    let out = dir.to_str().unwrap();
    let output = run(&[&["explain", MOUTH, "--seed", "5", "--out", out], more].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    dir.join("astronaut-mouth.json")
}

fn reproduce(path: &Path, more: &[&str]) -> Output {
    unmask().arg("reproduce").arg(path).args(more).output().unwrap()
}

/// Writes the answer beside itself under another name, changed.
fn changed(path: &Path, change: impl FnOnce(&mut Json)) -> PathBuf {
    let mut json: Json = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut json);
    let other = path.with_file_name("changed.json");
    std::fs::write(&other, json.to_string()).unwrap();
    std::fs::copy(path.with_extension("npy"), other.with_extension("npy")).unwrap();
    other
}

/// What was said, of an answer that is another one.
fn told(output: &Output) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{out}{err}");
    out + &err
}

#[test]
fn an_answer_asked_again_is_the_same_in_process_and_through_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let (_server, address) = serve(&[]);
    let url = format!("http://{address}");
    let short = [
        "--method",
        "rise",
        "--param",
        "masks=400",
        "--fill-image",
        REAL,
        "--group",
        "fake",
        "--max-passes",
        "300",
    ];
    let path = explained(
        dir.path(),
        &[
            &short[..],
            &["--save-fill", "--save-errors", "--crop", "10,8,100,110"],
            &["--counterfactual", "--steadiness", "--language", "de"],
        ]
        .concat(),
    );
    for place in [&[][..], &["--server", &url]] {
        let output = reproduce(&path, &[&["--image", MOUTH, "--fill-image", REAL], place].concat());
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
        assert!(said.ends_with("the same answer: all 25 fields agree\n"), "{said}");
        assert!(
            said.contains("  map              same\n") && said.contains("  counterfactual   same\n"),
            "{said}"
        );
        // Those of the face model, of the checks, of the counterfactual and of the second explanation are among them.
        let passes = said.rsplit("; ").next().and_then(|rest| rest.lines().next()).unwrap_or_default();
        let (then, now) = passes.split_once(" passes then, ").unwrap();
        assert_eq!(Some(then), now.strip_suffix(" now"), "{passes}");
        assert!(then.parse::<u64>().unwrap() > 2 * 258, "{passes}");
    }
    let missing = told(&reproduce(&path, &["--image", MOUTH]));
    assert!(missing.contains("name its file with --fill-image"), "{missing}");
    let wrong = told(&reproduce(&path, &["--image", MOUTH, "--fill-image", MOUTH]));
    assert!(wrong.contains("astronaut-mouth.png is another one: its sha256 is"), "{wrong}");
    let needless = told(&reproduce(&path, &["--image", MOUTH, "--fill-image", REAL, "--labels", MOUTH]));
    assert!(needless.contains("--labels is for an answer whose regions were a label map"), "{needless}");
    assert_eq!(reproduce(&path, &[]).status.code(), Some(2), "no picture is a wrong command line");
}

#[test]
fn an_answer_under_a_preset_over_a_search_that_names_no_crop_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let fill = ["--fill", "adversarial", "--fill-param", "max_passes=1000"];
    let method = ["--method", "lime", "--preset", "paper", "--param", "samples=128"];
    let path = explained(dir.path(), &[&fill[..], &method].concat());
    let output = reproduce(&path, &["--image", MOUTH]);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn what_differs_is_named_with_both_values() {
    let dir = tempfile::tempdir().unwrap();
    let path = explained(dir.path(), &["--method", "rise", "--param", "masks=128"]);
    let said = told(&reproduce(&path, &["--image", REAL]));
    assert!(
        said.contains("  prediction       differs: ") && said.contains("this is another picture"),
        "{said}"
    );

    let seed = changed(&path, |json| json["resolved"]["seed"] = 6.into());
    let said = told(&reproduce(&seed, &["--image", MOUTH]));
    assert!(said.contains("  prediction       same\n"), "{said}");
    assert!(said.contains("  map              differs: values.sha256 was \""), "{said}");
    assert!(said.contains("; largest difference ") && said.contains("another answer: map, "), "{said}");

    let tampered = changed(&path, |json| json["map"]["values"]["sha256"] = "00".into());
    let output = reproduce(&tampered, &["--image", MOUTH, "--json"]);
    let json: Json = serde_json::from_str(&told(&output)).unwrap();
    assert_eq!((&json["same"], &json["sentence"]), (&false.into(), &"another answer: map differs".into()));
    let field = json["fields"].as_array().unwrap().iter().find(|f| f["same"] == false).unwrap();
    assert_eq!((&field["field"], &field["then"]), (&"map".into(), &"00".into()));

    let model = changed(&path, |json| json["model"]["sha256"] = "00".into());
    assert!(told(&reproduce(&model, &["--image", MOUTH])).contains("another model answered"));
    let version = changed(&path, |json| json["model"]["version"] = "99".into());
    let said = told(&reproduce(&version, &["--image", MOUTH]));
    assert!(said.contains("served versions of selfblend-mobilenetv2 are"), "{said}");

    for (broken, words) in
        [(json!([1]), "is no answer of Explain"), (json!({}), "holds no resolved parameters")]
    {
        let broken = changed(&path, |json| *json = broken);
        let said = told(&reproduce(&broken, &["--image", MOUTH]));
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_client_kept_of_a_label_map_and_a_deadline_is_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let (_server, address) = serve(&[]);
    let url = format!("http://{address}");
    let labels: Vec<u16> = (0..128 * 128).map(|i| 7 + (i / 128 / 25 * 6 + i % 128 / 25) as u16).collect();
    let cut = v1::LabelSegmentation {
        height: 128,
        width: 128,
        values: labels.iter().flat_map(|label| label.to_le_bytes()).collect(),
        sha256: String::new(),
    };
    let rise = v1::Rise { masks: Some(100_000), ..Default::default() };
    let outputs = [
        v1::Output::HeatMap,
        v1::Output::Overlay,
        v1::Output::PictureMap,
        v1::Output::Fill,
        v1::Output::Labels,
        v1::Output::StandardErrors,
    ];
    let request = v1::ExplainRequest {
        image: std::fs::read(project().join(MOUTH)).unwrap(),
        method: Some(v1::Method { kind: Some(v1::method::Kind::Rise(rise)), preset: String::new() }),
        segmentation: Some(v1::Segmentation { kind: Some(v1::segmentation::Kind::Labels(cut)) }),
        outputs: outputs.map(i32::from).into(),
        top_regions: Some(3),
        ..Default::default()
    };
    let channel = tonic::transport::Channel::from_shared(url.clone()).unwrap().connect().await.unwrap();
    let mut client = ExplanationServiceClient::new(channel).max_decoding_message_size(64 << 20);
    let mut seconds = 4;
    // A machine that does other things too may need more time for the first round.
    let answer = loop {
        let mut asked = tonic::Request::new(request.clone());
        asked.set_timeout(Duration::from_secs(seconds));
        match client.explain(asked).await {
            Ok(answer) => break answer.into_inner(),
            Err(status) => assert!(seconds < 200, "{status}"),
        }
        seconds *= 2;
    };
    let reasons: Vec<_> = answer.cost.as_ref().unwrap().saved.iter().map(v1::Saving::reason).collect();
    assert_eq!(reasons, [v1::SavingReason::Deadline]);

    // As a gRPC client prints it: camel case, base64, whole numbers of 64 bits as text, defaults left out.
    let pool = DescriptorPool::decode(unmask_protocol::DESCRIPTOR_SET).unwrap();
    let descriptor = pool.get_message_by_name("unmask.v1.ExplainResponse").unwrap();
    let message = DynamicMessage::decode(descriptor, answer.encode_to_vec().as_slice()).unwrap();
    let path = dir.path().join("answer.json");
    let printed = serde_json::to_string(&message).unwrap();
    assert!(printed.contains("\"heatMapPng\":\""));
    std::fs::write(&path, printed).unwrap();
    let npy = |name: &str, shape: &[u64], values: &[u16]| {
        let path = dir.path().join(name);
        let file = std::fs::File::create(&path).unwrap();
        let mut writer =
            npyz::WriteOptions::new().default_dtype().shape(shape).writer(file).begin_nd().unwrap();
        writer.extend(values.iter().copied()).unwrap();
        writer.finish().unwrap();
        path.to_str().unwrap().to_owned()
    };
    let right = npy("labels.npy", &[128, 128], &labels);
    let output = reproduce(&path, &["--image", MOUTH, "--labels", &right, "--server", &url]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));

    let missing = told(&reproduce(&path, &["--image", MOUTH]));
    assert!(missing.contains("name it as a .npy file with --labels"), "{missing}");
    let shape = npy("shape.npy", &[64, 256], &labels);
    let wrong = told(&reproduce(&path, &["--image", MOUTH, "--labels", &shape]));
    assert!(wrong.contains("has the shape [64, 256], the label map of the answer had [128, 128]"), "{wrong}");
    let other = npy("other.npy", &[128, 128], &vec![1; 128 * 128]);
    let wrong = told(&reproduce(&path, &["--image", MOUTH, "--labels", &other]));
    assert!(wrong.contains("other.npy is another one"), "{wrong}");
}
