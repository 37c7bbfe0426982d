//! The binary as its user runs it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{MOUTH, REAL, project, run, serve, text, unmask};

#[test]
fn explain_writes_its_files_and_is_the_same_in_process_and_remote() {
    let (_server, address) = serve(&[]);
    let url = format!("http://{address}");
    let dir = tempfile::tempdir().unwrap();
    let mut maps = Vec::new();
    for (name, place) in [("local", None), ("remote", Some(url.as_str()))] {
        let out = dir.path().join(name);
        let mut command = unmask();
        command
            .args([
                "explain",
                MOUTH,
                "--method",
                "rise",
                "--param",
                "masks=200",
                "--fill-image",
                REAL,
                "--seed",
                "5",
                "--out",
            ])
            .arg(&out);
        command.args(place.into_iter().flat_map(|url| ["--server", url]));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("207 passes of 207 announced"), "{}", text(&output.stdout));
        let json = std::fs::read_to_string(out.join("astronaut-mouth.json")).unwrap();
        assert!(
            json.contains("\"shape\": [") && json.contains("\"sha256\"") && json.len() < 20_000,
            "{json}"
        );
        assert!(std::fs::read(out.join("astronaut-mouth.overlay.png")).unwrap().starts_with(b"\x89PNG"));
        maps.push(std::fs::read(out.join("astronaut-mouth.npy")).unwrap());
    }
    assert!(maps[0] == maps[1], "in process and remote give the same bytes");
}

#[test]
fn a_preset_segments_and_an_adversarial_fill_are_told_and_the_fill_is_saved() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = unmask();
    command.args(["explain", MOUTH, "--method", "lime", "--preset", "paper", "--param", "samples=128"]);
    command.args(["--segments", "slic", "--segments-param", "segments=20", "--group", "fake"]);
    command.args(["--fill", "adversarial", "--fill-param", "max_passes=1000", "--save-fill", "--out"]);
    let output = command.arg(dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    for words in
        ["explained: fake, double softmax", "adversarial fill: flipped in", "of 255", "intercept", "R2"]
    {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    assert!(std::fs::read(dir.path().join("astronaut-mouth.fill.png")).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn json_is_one_object_per_picture() {
    let output = run(&["predict", MOUTH, REAL, "--json"]);
    assert!(output.status.success());
    let lines: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["prediction"]["label"], "mouth");
    assert_eq!(lines[1]["prediction"]["fake"], false);
}

#[test]
fn faces_are_found_and_each_is_scored_or_explained() {
    // The sample twice on grey, the second time at half the size.
    let face = image::open(project().join(MOUTH)).unwrap().to_rgb8();
    let mut canvas = image::RgbImage::from_pixel(400, 240, image::Rgb([128; 3]));
    image::imageops::replace(&mut canvas, &face, 30, 40);
    let small = image::imageops::thumbnail(&face, 80, 80);
    image::imageops::replace(&mut canvas, &small, 260, 60);
    let dir = tempfile::tempdir().unwrap();
    let picture = dir.path().join("party.png");
    canvas.save(&picture).unwrap();
    let picture = picture.to_str().unwrap();

    let output = run(&["faces", picture]);
    let printed = text(&output.stdout);
    assert!(output.status.success() && printed.contains("party.png: 2 faces\n"), "{printed}");
    assert_eq!(printed.matches("--crop ").count(), 2, "{printed}");
    let json: serde_json::Value = serde_json::from_slice(&run(&["faces", picture, "--json"]).stdout).unwrap();
    assert_eq!(json["faces"].as_array().unwrap().len(), 2);

    let output = run(&["predict", picture, "--face", "all"]);
    let printed = text(&output.stdout);
    assert!(printed.contains("party.png, face 1: ") && printed.contains("party.png, face 2: "), "{printed}");

    let out = dir.path().join("out");
    let explain = |which: &str| {
        run(&["explain", picture, "--face", which, "--preset", "fast", "--out", out.to_str().unwrap()])
    };
    assert!(explain("largest").status.success() && out.join("party.json").is_file());
    assert!(explain("all").status.success());
    let of = |file: &str| std::fs::read(out.join(file)).unwrap();
    assert!(of("party-1.npy") == of("party.npy") && of("party-2.npy") != of("party.npy"));

    let blank = dir.path().join("blank.png");
    image::RgbImage::from_pixel(64, 64, image::Rgb([9; 3])).save(&blank).unwrap();
    let output = run(&["explain", blank.to_str().unwrap(), "--face", "largest"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no face was found; say --crop"), "{}", text(&output.stderr));
    let folder = run(&["explain", dir.path().to_str().unwrap(), "--face", "all"]);
    assert!(text(&folder.stderr).contains("--face is for pictures that are named one by one"));
}

#[test]
fn why_a_face_was_seen_is_told_and_written() {
    let face = image::open(project().join(MOUTH)).unwrap().to_rgb8();
    let mut canvas = image::RgbImage::from_pixel(400, 240, image::Rgb([128; 3]));
    image::imageops::replace(&mut canvas, &face, 30, 40);
    image::imageops::replace(&mut canvas, &image::imageops::thumbnail(&face, 80, 80), 260, 60);
    let dir = tempfile::tempdir().unwrap();
    let (picture, out) = (dir.path().join("party.png"), dir.path().join("out"));
    canvas.save(&picture).unwrap();
    let (picture, out) = (picture.to_str().unwrap(), out.to_str().unwrap());

    let output = run(&["faces", picture, "--why", "2", "--masks", "128", "--out", out]);
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(printed.contains("of the evidence for it lies in its box, which is "), "{printed}");
    assert!(printed.contains("129 passes of 129 announced"), "{printed}");
    let written = |ending: &str| Path::new(out).join(format!("party.face-2.{ending}"));
    assert!(written("npy").is_file() && written("overlay.png").is_file());
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(written("json")).unwrap()).unwrap();
    assert_eq!(json["resolved"]["masks"], 128);
    // The smaller one, on the right.
    assert!(json["face"]["left"].as_f64().unwrap() > 250.0, "{json}");
    assert_eq!(json["map"]["values"]["shape"], serde_json::json!([307, 512]));

    let refused = run(&["faces", picture, "--why", "3", "--out", out]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("there are 2 faces in it"), "{}", text(&refused.stderr));
    for wrong in [
        &["faces", "--why", picture][..],
        &["faces", picture, "--why", "0"],
        &["faces", picture, "--masks", "500"],
    ] {
        assert_eq!(run(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn one_bad_picture_is_named_and_the_others_are_done() {
    let output = run(&["predict", "README.md", "nowhere.png", REAL]);
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(errors.contains("README.md: image: ") && errors.contains("nowhere.png: cannot read"), "{errors}");
    assert!(text(&output.stdout).contains("astronaut-real.png: real"));
}

#[test]
fn a_wrong_command_line_is_two_and_names_what_is_wrong() {
    for args in [&["explain"][..], &["explain", MOUTH, "--crop", "1,2"], &["serve", "--bogus"], &[]] {
        assert_eq!(run(args).status.code(), Some(2), "{args:?}");
    }
    let output = run(&["explain", MOUTH, "--method", "rise", "--param", "bogus=1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("its parameters are: masks, grid, keep_probability"));
    let output = run(&["explain", MOUTH, "--param", "masks=200"]);
    assert!(text(&output.stderr).contains("--param is for the method that --method names"));
}

#[test]
fn a_folder_is_no_picture_among_others() {
    for folder in [".", "models/.."] {
        let output = run(&["explain", folder, MOUTH]);
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        assert!(
            said.contains(&format!("{folder} is a folder")) && said.contains("name the pictures"),
            "{said}"
        );
    }
}

#[test]
fn a_server_is_named_by_its_url_or_by_host_and_port() {
    let (_server, address) = serve(&[]);
    for server in [address.clone(), format!("http://{address}")] {
        let output = run(&["models", "--server", &server]);
        assert!(output.status.success(), "{server}: {}", text(&output.stderr));
    }
    let help = text(&run(&["predict", "--help"]).stdout);
    assert!(help.contains("--server <URL|HOST:PORT>"), "{help}");
}

#[test]
fn a_server_that_is_not_one_is_told_once() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let url = format!("http://{nobody}");
    let cases = [
        (&*nobody, format!("cannot reach {url}: Connection refused (os error 111)")),
        (&*url, format!("cannot reach {url}: Connection refused (os error 111)")),
        ("ftp://here", "--server ftp://here: a URL with http:// or https://, or HOST:PORT, is needed".into()),
        ("http://", "--server http://: a URL with http:// or https://, or HOST:PORT, is needed".into()),
        ("no host", "--server no host: a URL with http:// or https://, or HOST:PORT, is needed".into()),
    ];
    for (server, wanted) in cases {
        let output = run(&["models", "--server", server]);
        assert_eq!(output.status.code(), Some(1), "{server}");
        assert_eq!(text(&output.stderr), format!("unmask: {wanted}\n"));
    }
}

/// Takes connections one after the other, and closes each when most of a sample has come.
fn breaking() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            // An error is a client that has gone first.
            let _ = connection.read_exact(&mut [0; 20_000]);
        }
    });
    address
}

#[test]
fn a_connection_that_is_lost_is_called_that_and_not_held_against_the_picture() {
    let server = breaking().to_string();
    let dir = tempfile::tempdir().unwrap();
    let mut command = unmask();
    command.args(["explain", MOUTH, REAL, "--server", &server, "--out"]).arg(dir.path());
    for command in [&mut command, unmask().args(["predict", MOUTH, REAL, "--server", &server])] {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        assert_eq!(said.lines().count(), 2, "{said}");
        for line in said.lines() {
            assert!(line.contains(": the connection to the server was lost: "), "{said}");
            assert!(line.ends_with("; it is safe to ask again"), "{said}");
        }
    }
}

#[test]
fn a_wrong_configuration_does_not_start() {
    let output = run(&["serve"]);
    assert_eq!(output.status.code(), Some(78));
    let said = text(&output.stderr);
    assert!(said.contains("without TLS everybody on the way can read pictures"), "{said}");
    assert!(said.contains("whoever reaches the port may ask") && said.contains("say --insecure"), "{said}");
    let output = run(&["serve", "--insecure", "--models", "/nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("/nowhere"), "{}", text(&output.stderr));
}

#[test]
fn lists_say_what_there_is() {
    let models = text(&run(&["models"]).stdout);
    let (faces, detector) = models.split_once("selfblend-mobilenetv2@1 (default)").expect("the detector");
    assert!(faces.starts_with("centerface@1 (default)") && !faces.contains("classes"), "{models}");
    assert!(detector.contains("  classes real, "), "{models}");
    let listed = text(&run(&["methods"]).stdout);
    assert!(listed.contains("keep_probability = 0.5 (paper: 0.539827837277029)"), "{listed}");
    assert!(listed.contains("segmentation slic: "), "{listed}");
    let balanced = listed.split("preset balanced@1 (default): ").nth(1).expect("the default is marked");
    assert!(balanced.lines().nth(1).is_some_and(|line| line.starts_with("  reveal:grid=8,")), "{balanced}");
    let methods = run(&["methods", "--format", "json"]);
    let methods: serde_json::Value = serde_json::from_slice(&methods.stdout).unwrap();
    assert_eq!(methods["methods"][0]["name"], "rise");
}

#[test]
fn a_signal_ends_the_server_with_success() {
    let (mut server, _) = serve(&[]);
    let kill = Command::new("kill").args(["-TERM", &server.0.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_hangup_makes_the_server_look_for_models() {
    let root = tempfile::tempdir().unwrap();
    let add = |version: &str| {
        let (from, to) =
            (project().join("models/selfblend-mobilenetv2/1"), root.path().join("selfblend-mobilenetv2"));
        let to = to.join(version);
        std::fs::create_dir_all(&to).unwrap();
        for file in ["model.onnx", "golden.npy"] {
            std::fs::copy(from.join(file), to.join(file)).unwrap();
        }
        let manifest = std::fs::read_to_string(from.join("model.toml")).unwrap();
        let manifest = manifest.replace("version = \"1\"", &format!("version = \"{version}\""));
        std::fs::write(to.join("model.toml"), manifest).unwrap();
    };
    add("1");
    let models = root.path().to_str().unwrap();
    let deaf = ["--set", "models.poll_seconds=0", "--set", "models.watch=false"];
    let (mut server, address) = serve(&[&["--models", models][..], &deaf].concat());
    let url = format!("http://{address}");
    let listed = || text(&run(&["models", "--server", &url]).stdout);
    add("2");
    assert!(listed().starts_with("selfblend-mobilenetv2@1 (default)"), "nothing was looked for");
    let kill = Command::new("kill").args(["-HUP", &server.0.id().to_string()]).status().unwrap();
    assert!(kill.success());
    while !listed().starts_with("selfblend-mobilenetv2@2 (default)") {
        assert!(server.0.try_wait().unwrap().is_none(), "a hangup does not end the server");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// A folder with a list of the samples, each under several names.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut list = "id,file,family,mask\n".to_owned();
    for family in ["mouth", "eyes", "blend"] {
        for ending in ["png", "mask.png"] {
            let name = format!("astronaut-{family}.{ending}");
            std::fs::copy(project().join("models/samples").join(&name), dir.path().join(&name)).unwrap();
        }
        for i in 0..3 {
            list += &format!("{family}-{i},astronaut-{family}.png,{family},astronaut-{family}.mask.png\n");
        }
    }
    std::fs::write(dir.path().join("broken.png"), b"no picture").unwrap();
    list += "broken,broken.png,mouth,astronaut-mouth.mask.png\n";
    std::fs::write(dir.path().join("items.csv"), list).unwrap();
    dir
}

/// `unmask evaluate` of a folder, into a folder of its own beside the list.
fn evaluating(dir: &Path, out: &str) -> Command {
    let mut command = unmask();
    command.arg("evaluate").arg(dir).arg("--out").arg(dir.join(out)).args(["--method", "occlusion"]);
    command.args(["--metric", "auroc", "--metric", "deletion:step=1024", "--resamples", "200"]);
    command
}

/// Rows without what differs from run to run.
fn rows(dir: &Path, out: &str) -> Vec<serde_json::Value> {
    let lines = std::fs::read_to_string(dir.join(out).join("rows.jsonl")).unwrap();
    let strip = |line: &str| {
        let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
        if let Some(answer) = row.get_mut("answer").and_then(|answer| answer.as_object_mut()) {
            answer.remove("timings");
            answer.remove("cost");
        }
        row
    };
    lines.lines().map(strip).collect()
}

#[test]
fn an_evaluation_that_was_killed_goes_on_to_the_same_bytes() {
    let dir = folder();
    let whole = evaluating(dir.path(), "whole").output().unwrap();
    assert_eq!(whole.status.code(), Some(1), "{}", text(&whole.stderr));
    assert!(text(&whole.stdout).starts_with("10 items, 1 failed, 0 known"), "{}", text(&whole.stdout));
    let mut killed = evaluating(dir.path(), "killed").stdout(Stdio::null()).spawn().unwrap();
    let path = dir.path().join("killed/rows.jsonl");
    let begun = || std::fs::read_to_string(&path).is_ok_and(|lines| lines.lines().count() > 3);
    while !begun() && killed.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let resumed = evaluating(dir.path(), "killed").output().unwrap();
    assert_eq!(resumed.status.code(), Some(1), "{}", text(&resumed.stderr));
    assert!(!text(&resumed.stdout).contains(" 0 known from before"), "{}", text(&resumed.stdout));
    assert_eq!(rows(dir.path(), "killed"), rows(dir.path(), "whole"));
    for name in ["summary.json", "summary.md", "summary.html"] {
        let read = |out: &str| std::fs::read(dir.path().join(out).join(name)).unwrap();
        assert!(read("killed") == read("whole"), "{name}");
    }
    let page = std::fs::read_to_string(dir.path().join("whole/summary.md")).unwrap();
    assert!(page.contains("## auroc (higher is better)"), "{page}");
    assert!(page.contains("\n| image: ") && page.contains(" | 1 | broken |"), "{page}");
    // Rows of another plan are not mixed in.
    let other = evaluating(dir.path(), "whole").args(["--seed", "5"]).output().unwrap();
    assert!(
        !other.status.success() && text(&other.stderr).contains("rows of another plan"),
        "{}",
        text(&other.stderr)
    );
}

#[test]
fn an_evaluation_through_a_server_is_the_one_in_process() {
    let (_server, address) = serve(&[]);
    let dir = folder();
    let remote =
        evaluating(dir.path(), "remote").args(["--server", &format!("http://{address}")]).output().unwrap();
    assert_eq!(remote.status.code(), Some(1), "{}", text(&remote.stderr));
    assert_eq!(evaluating(dir.path(), "here").output().unwrap().status.code(), Some(1));
    assert_eq!(rows(dir.path(), "remote"), rows(dir.path(), "here"));
}

#[test]
fn what_an_evaluation_would_cost_is_told_without_a_pass() {
    let dir = folder();
    let told = evaluating(dir.path(), "none").arg("--dry-run").output().unwrap();
    assert!(text(&told.stdout).contains("passes an item"), "{}", text(&told.stderr));
    assert!(!dir.path().join("none/rows.jsonl").exists());
}

#[test]
fn every_item_and_every_metric_takes_part_in_the_report() {
    let dir = folder();
    let list =
        "id,file,family\na,astronaut-mouth.png,mouth\nb,astronaut-eyes.png,eyes\nc,astronaut-blend.png,\n";
    std::fs::write(dir.path().join("items.csv"), list).unwrap();
    let mut command = unmask();
    command.arg("evaluate").arg(dir.path()).arg("--out").arg(dir.path().join("out"));
    command.args(["--method", "occlusion:grid=3", "--method", "occlusion:grid=4", "--resamples", "100"]);
    command.args(["--metric", "deletion:step=5000", "--metric", "deletion:step=5000,fill=blur"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let values: Vec<f64> = rows(dir.path(), "out")[1..]
        .iter()
        .map(|row| row["answer"]["evaluated"][1]["results"][1]["figures"][0]["value"].as_f64().unwrap())
        .collect();
    let mean = values.iter().sum::<f64>() / 3.0;
    let page = std::fs::read_to_string(dir.path().join("out/summary.md")).unwrap();
    assert!(page.contains("Items: 1 mouth, 1 eyes, 3 in all."), "{page}");
    let (_, second) = page.split_once("## deletion:step=5000,fill=blur (lower is better)").unwrap();
    let row = second.lines().find(|line| line.starts_with("| `occlusion:grid=4` |")).unwrap();
    let row = row.replace(" †", "");
    assert!(row.contains(&format!("| {:.3} | {:.3} | {mean:.3} [", values[0], values[1])), "{row}");
    let html = std::fs::read_to_string(dir.path().join("out/summary.html")).unwrap();
    assert_eq!(
        html.matches("<polyline").count(),
        2 * 5,
        "two metrics of two explanations and three controls"
    );
}

#[test]
fn a_shorter_list_keeps_the_rows_of_the_longer_one_and_a_dry_run_writes_nothing() {
    let dir = folder();
    let told = |more: &[&str]| {
        let output = evaluating(dir.path(), "out").args(more).output().unwrap();
        let told = text(&output.stdout);
        let failed = told.contains(" 1 failed");
        assert_eq!(output.status.code(), Some(i32::from(failed)), "{}", text(&output.stderr));
        told
    };
    assert!(told(&["--dry-run", "--called-fake"]).contains("for 10 items"));
    assert!(!dir.path().join("out").exists());
    assert!(told(&[]).starts_with("10 items, 1 failed, 0 known"));
    assert!(told(&["--per-family", "1"]).starts_with("3 items, 0 failed, 3 known"));
    assert!(told(&["--called-fake"]).contains("1 failed, 9 known"), "a broken picture is a row, not an end");
}

#[test]
fn one_picture_is_evaluated_and_printed() {
    let mask = "models/samples/astronaut-mouth.mask.png";
    let args = ["evaluate", MOUTH, "--mask", mask, "--method", "occlusion", "--metric", "auroc"];
    let output = run(&args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    assert!(
        printed.contains("read on: mouth, probability") && printed.contains("uniform (control)"),
        "{printed}"
    );
    let json = run(&[&args[..], &["--json"]].concat());
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["evaluated"][0]["results"][0]["metric"], "auroc");
    let refused = run(&[&args[..], &["--per-family", "2"]].concat());
    assert!(text(&refused.stderr).contains("--per-family is for a folder"), "{}", text(&refused.stderr));
}

#[test]
fn a_doctor_without_patients_says_so() {
    let output = run(&["doctor", "--models", "/nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("/nowhere"), "{}", text(&output.stderr));
}
