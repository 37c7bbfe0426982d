use unmask_core::{Draws, Task};

use super::*;
use crate::testing::{self, Bundle, DIGEST};

/// Reads the right manifest with one text in it replaced.
fn reading(from: &str, to: &str) -> Result<Manifest, BundleError> {
    let bundle = Bundle::new("model", "1").spoil(from, to);
    read(&bundle.manifest.replace(DIGEST, &"0".repeat(64)), "model", "1")
}

/// Violations of the right manifest after one text in it is replaced, as `field: message`.
fn check(from: &str, to: &str) -> Vec<String> {
    let error = reading(from, to).unwrap_err();
    let BundleError::Manifest { violations } = error else { panic!("{from:?} -> {to:?}: {error}") };
    violations.into_iter().map(|v| format!("{}: {}", v.field, v.message)).collect()
}

const IDENTIFIER: &str =
    "1 to 64 characters of a-z, 0-9, dot, underscore and dash, the first a letter or digit";
const HEX: &str = "64 lower-case hexadecimal digits, as sha256sum prints them";

#[test]
fn each_way_of_being_wrong_is_said_with_field_value_and_bounds() {
    let identifier = |got: &str| format!("name: {got}, allowed is {IDENTIFIER}");
    for (from, to, reason) in [
        ("schema = 1", "schema = 2", "schema: got 2, allowed is 1"),
        ("schema = 1", "", "schema: missing, allowed is 1"),
        ("name = \"model\"", "", &identifier("missing")),
        ("name = \"model\"", "name = \"Model\"", &identifier("got \"Model\"")),
        ("name = \"model\"", "name = \"../model\"", &identifier("got \"../model\"")),
        (
            "name = \"model\"",
            "name = \"other\"",
            "name: got \"other\", but the directory is called \"model\": rename one",
        ),
        (
            "version = \"1\"",
            "version = \"2\"",
            "version: got \"2\", but the directory is called \"1\": rename one",
        ),
        ("\"tells nothing apart\"", "\" \"", "summary: got \" \", allowed is one line of text"),
        ("licence = \"Apache-2.0\"", "", "licence: missing, allowed is one line of text"),
        (DIGEST, "0A", &format!("sha256: got \"0A\", allowed is {HEX}")),
        ("name = \"picture\"", "name = \"\"", "input.name: got \"\", allowed is one line of text"),
        ("\"NCHW\"", "\"CHW\"", "input.layout: got \"CHW\", allowed is one of \"NCHW\", \"NHWC\""),
        ("width = 10", "width = 7", "input.width: got 7, allowed is 8 to 896"),
        ("width = 10", "width = -10", "input.width: got -10, allowed is 8 to 896"),
        ("height = 8", "height = 897", "input.height: got 897, allowed is 8 to 896"),
        ("\"BGR\"", "\"bgr\"", "input.colour: got \"bgr\", allowed is one of \"RGB\", \"BGR\""),
        (
            "[0, 255]",
            "[255, 0]",
            "input.range: got [255.0, 0.0], allowed is two finite numbers, the first below the second",
        ),
        (
            "[0, 255]",
            "[0]",
            "input.range: got [0.0], allowed is two finite numbers, the first below the second",
        ),
        (
            "[1.0, 2.0, 3.0]",
            "[1, 2]",
            "input.mean: got [1.0, 2.0], allowed is three finite numbers, one per channel",
        ),
        (
            "[1.0, 2.0, 3.0]",
            "[1, 2, inf]",
            "input.mean: got [1.0, 2.0, inf], allowed is three finite numbers, one per channel",
        ),
        (
            "[4.0, 5.0, 6.0]",
            "[4, 5, 0]",
            "input.std: got [4.0, 5.0, 0.0], allowed is three finite numbers above 0, one per channel",
        ),
        (
            "[4.0, 5.0, 6.0]",
            "[4, 5, nan]",
            "input.std: got [4.0, 5.0, NaN], allowed is three finite numbers above 0, one per channel",
        ),
        (
            "\"bicubic\"",
            "\"area\"",
            "input.resize: got \"area\", allowed is one of \"nearest\", \"bilinear\", \"bicubic\", \"lanczos3\"",
        ),
        ("antialias = false", "", "input.antialias: missing, allowed is true or false"),
        ("\"face\"", "\"eyes\"", "input.picture: got \"eyes\", allowed is one of \"whole\", \"face\""),
        (
            "\"face\"",
            "\"whole\"",
            "input.face_factor: got 1.35, allowed only with picture \"face\": remove it",
        ),
        ("face_factor = 1.35", "", "input.face_factor: missing, allowed is 0.5 to 4 with picture \"face\""),
        ("1.35", "0.4", "input.face_factor: got 0.4, allowed is 0.5 to 4 with picture \"face\""),
        (
            "\"softmax\"",
            "\"relu\"",
            "output.activation: got \"relu\", allowed is one of \"none\", \"softmax\", \"sigmoid\"",
        ),
        (
            "\"softmax\"",
            "\"sigmoid\"",
            "output.single: missing, necessary with activation \"sigmoid\": give the label that the graph's one value speaks for",
        ),
        (
            "real = \"real\"",
            "real = \"genuine\"",
            "output.real: got \"genuine\", allowed is a label: \"blend\", \"real\", \"swap\"",
        ),
        ("real = \"real\"", "", "output.real: missing, allowed is a label: \"blend\", \"real\", \"swap\""),
        (
            "\"swap\"]\nreal",
            "\"real\"]\nreal",
            "output.labels: got \"real\" more than once, allowed is 2 to 1000 different labels",
        ),
        (
            "\"swap\", \"blend\"]",
            "\"morph\"]",
            "groups.fake: got \"morph\", allowed is a label: \"blend\", \"real\", \"swap\"",
        ),
        ("[\"swap\", \"blend\"]", "[]", "groups.fake: got no labels, allowed is at least one"),
        (
            "[\"swap\", \"blend\"]",
            "[\"swap\", \"swap\"]",
            "groups.fake: got \"swap\" more than once, name each label once",
        ),
        ("fake = ", "\"\" = ", "groups: got a group without a name, give it one"),
        (
            "\"golden.npy\"",
            "\"../golden.npy\"",
            "golden.input: got \"../golden.npy\", allowed is the name of a file in the bundle, without a directory",
        ),
        (
            "\"golden.npy\"",
            "\"..\"",
            "golden.input: got \"..\", allowed is the name of a file in the bundle, without a directory",
        ),
        (
            "[[0.0, 1.0, 2.0], [3, 4, 5]]",
            "[]",
            "golden.scores: got 0 rows, allowed is 1 to 16, one per picture",
        ),
        ("[3, 4, 5]", "[3, 4]", "golden.scores: got 2 values in row 1, allowed is 3, one per label"),
        ("[3, 4, 5]", "[3, 4, nan]", "golden.scores: got NaN in row 1, allowed is a finite float32"),
        ("[3, 4, 5]", "[3, 4, 1e39]", "golden.scores: got 1e39 in row 1, allowed is a finite float32"),
        ("1e-3", "0", "golden.tolerance: got 0, allowed is a number above 0 and at most 0.1"),
        ("1e-3", "0.2", "golden.tolerance: got 0.2, allowed is a number above 0 and at most 0.1"),
        ("1e-3", "nan", "golden.tolerance: got NaN, allowed is a number above 0 and at most 0.1"),
    ] {
        let reasons = check(from, to);
        assert!(reasons.iter().any(|r| r == reason), "{from:?} -> {to:?}: {reasons:#?}\nnot {reason}");
    }
}

#[test]
fn files_of_external_data_have_plain_names_digests_and_sizes() {
    let table = |file: &str, bytes: &str| {
        format!("[[external]]\nfile = {file:?}\nsha256 = \"{}\"\nbytes = {bytes}\n", "0".repeat(64))
    };
    let checked = |tables: &[String]| check("[input]", &format!("{}[input]", tables.concat()));
    let plain = "the name of a file in the bundle, without a directory";
    for name in ["../weights.bin", "/etc/passwd", "sub/weights.bin", "..", ""] {
        let reason = format!("external[0].file: got {name:?}, allowed is {plain}");
        assert_eq!(checked(&[table(name, "1")]), [reason]);
    }
    let sizes = "allowed is 1 to 8589934592";
    assert_eq!(checked(&[table("w", "0")]), [format!("external[0].bytes: got 0, {sizes}")]);
    assert_eq!(checked(&[table("w", "8589934593")]), [format!("external[0].bytes: got 8589934593, {sizes}")]);
    assert_eq!(
        checked(&["[[external]]\n".into()]),
        [
            format!("external[0].file: missing, allowed is {plain}"),
            format!("external[0].sha256: missing, allowed is {HEX}"),
            format!("external[0].bytes: missing, {sizes}"),
        ]
    );
    let once = "list each file of weights once, and no other file";
    assert_eq!(checked(&[table("w", "1"), table("w", "1")]), [format!("external: got \"w\", {once}")]);
    assert_eq!(checked(&[table("model.onnx", "1")]), [format!("external: got \"model.onnx\", {once}")]);
    assert_eq!(
        checked(&[table("v", "8589934592"), table("w", "1")]),
        ["external: got 8589934593 bytes in all files, allowed are at most 8589934592"]
    );
    let many: Vec<String> = (0..17).map(|i| table(&format!("w{i}"), "1")).collect();
    assert_eq!(checked(&many), ["external: got 17 files, allowed are at most 16"]);
}

#[test]
fn one_mistake_is_reported_once() {
    for (from, to) in [("width = 10", ""), ("1.35", "9"), ("\"softmax\"", "\"relu\""), ("1e-3", "1")] {
        assert_eq!(check(from, to).len(), 1, "{:?}", check(from, to));
    }
    let missing = check("labels = [\"blend\", \"real\", \"swap\"]", "");
    assert_eq!(missing, ["output.labels: missing, allowed is 2 to 1000 different labels"]);
}

#[test]
fn an_empty_manifest_names_every_key_that_is_missing() {
    let BundleError::Manifest { violations } = read("", "model", "1").unwrap_err() else { panic!() };
    let fields: Vec<_> = violations.iter().map(|v| v.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "schema",
            "name",
            "version",
            "summary",
            "licence",
            "sha256",
            "input.name",
            "input.layout",
            "input.width",
            "input.height",
            "input.colour",
            "input.range",
            "input.mean",
            "input.std",
            "input.resize",
            "input.antialias",
            "input.picture",
            "output.name",
            "output.activation",
            "output.labels",
            "golden.input",
            "golden.scores",
            "golden.tolerance",
        ]
    );
}

#[test]
fn all_mistakes_are_on_one_line() {
    let bundle = Bundle::new("model", "1").spoil("width = 10", "width = 1").spoil("\"BGR\"", "\"RBG\"");
    let error = read(&bundle.manifest.replace(DIGEST, &"0".repeat(64)), "model", "1").unwrap_err();
    assert_eq!(
        error.reason(),
        "model.toml: input.width: got 1, allowed is 8 to 896; \
         input.colour: got \"RBG\", allowed is one of \"RGB\", \"BGR\""
    );
}

#[test]
fn what_is_no_manifest_at_all_is_said_with_its_line() {
    for (from, to, reason) in [
        ("schema = 1", "schema = ", "model.toml, line 1: "),
        ("width = 10", "width = \"10\"", "model.toml, line 11: invalid type: string \"10\", expected i64"),
        (
            "width = 10",
            "widht = 10",
            "model.toml, line 11: unknown field `widht`, expected one of `name`, `layout`",
        ),
        ("[golden]", "[gold]", "model.toml, line 31: unknown field `gold`, expected one of `schema`, "),
        ("width = 10", "width = 10\nwidth = 10", "model.toml, line 12: duplicate key"),
    ] {
        let error = reading(from, to).unwrap_err();
        assert!(error.reason().starts_with(reason), "{}", error.reason());
        assert_eq!(error.reason().lines().count(), 1);
    }
}

#[test]
fn a_graph_of_one_value_speaks_for_one_of_two_labels() {
    let single = |activation: &str, labels: &str, scores: &str| {
        let bundle = Bundle::new("model", "1")
            .spoil("\"softmax\"", activation)
            .spoil("[\"blend\", \"real\", \"swap\"]", &format!("{labels}\nsingle = \"swap\""))
            .spoil("[\"swap\", \"blend\"]", "[\"swap\"]")
            .spoil("[[0.0, 1.0, 2.0], [3, 4, 5]]", scores);
        read(&bundle.manifest.replace(DIGEST, &"0".repeat(64)), "model", "1")
    };
    let two = "[\"real\", \"swap\"]";
    for activation in ["\"sigmoid\"", "\"none\""] {
        let manifest = single(activation, two, "[[1], [2]]").unwrap();
        assert_eq!((manifest.spec.output.single, manifest.spec.output_len()), (Some(1), 1));
        assert_eq!(manifest.golden.scores, [1.0, 2.0]);
    }
    for (activation, labels, scores, reason) in [
        (
            "\"softmax\"",
            two,
            "[[1]]",
            "model.toml: output.single: got one with activation \"softmax\", allowed is \"sigmoid\" or \"none\": \
             a softmax over one value is always 1",
        ),
        (
            "\"sigmoid\"",
            "[\"real\", \"swap\", \"blend\"]",
            "[[1]]",
            "model.toml: output.labels: got 3 labels, allowed with single are exactly 2: \
             the one it speaks for and its complement",
        ),
        (
            "\"sigmoid\"",
            two,
            "[[1, 2]]",
            "model.toml: golden.scores: got 2 values in row 0, allowed is 1, the graph's one value",
        ),
    ] {
        assert_eq!(single(activation, labels, scores).unwrap_err().reason(), reason);
    }
}

/// The right manifest of a model that finds faces.
fn of_faces() -> String {
    let face: Vec<String> = (0..15).map(|i| format!("0.{i:02}")).collect();
    let bundle = Bundle::new("model", "1")
        .spoil("schema = 1", "schema = 1\ntask = \"faces\"")
        .spoil("picture = \"face\"\nface_factor = 1.35", "picture = \"whole\"")
        .spoil(
            "activation = \"softmax\"\nlabels = [\"blend\", \"real\", \"swap\"]\nreal = \"real\"",
            "faces = 3\nface_drop = 0.25",
        )
        .spoil("[groups]\nfake = [\"swap\", \"blend\"]\n", "")
        .spoil("scores = [[0.0, 1.0, 2.0], [3, 4, 5]]", &format!("faces = [[[{}]], []]", face.join(", ")));
    bundle.manifest.replace(DIGEST, &"0".repeat(64))
}

#[test]
fn a_model_that_finds_faces_has_rows_of_faces_and_no_classes() {
    let manifest = read(&of_faces(), "model", "1").unwrap();
    assert_eq!(manifest.spec.task, Task::Faces { most: 3, scale: 1.0, drop: 0.25 });
    assert_eq!((manifest.spec.row_len(), manifest.spec.output_len()), (45, 45));
    assert_eq!((manifest.golden.rows, manifest.golden.scores.len()), (2, 90));
    assert_eq!((manifest.golden.scores[14], manifest.golden.scores[15]), (0.14, 0.0));
    for (from, to, reason) in [
        ("\"faces\"", "\"boxes\"", "task: got \"boxes\", allowed is one of \"classes\", \"faces\""),
        ("faces = 3", "faces = 0", "output.faces: got 0, allowed is 1 to 256"),
        ("faces = 3\n", "", "output.faces: missing, allowed is 1 to 256"),
        (
            "faces = 3\nface_drop = 0.25",
            "faces = 3\nreal = \"real\"",
            "output.real: got one, a model with task \"faces\" has no classes: remove it",
        ),
        (
            "\"whole\"",
            "\"face\"\nface_factor = 1.35",
            "input.picture: got \"face\", a model with task \"faces\" sees the \"whole\" picture",
        ),
        (
            "[golden]",
            "[groups]\na = [\"b\"]\n[golden]",
            "groups: got some, a model with task \"faces\" has no classes: remove them",
        ),
        ("0.13, 0.14", "0.13", "golden.faces: got 14 values for a face of picture 0, allowed is 15"),
        ("0.14", "nan", "golden.faces: got NaN in picture 0, allowed is a finite float32"),
        (
            "]], []]",
            &format!("]]{}]", ", []".repeat(16)),
            "golden.faces: got faces of 17 pictures, allowed is 1 to 16",
        ),
    ] {
        let text = of_faces().replacen(from, to, 1);
        let got = read(&text, "model", "1").unwrap_err().reason();
        assert_eq!(got, format!("model.toml: {reason}"));
    }
    let classes = check("[output]", "[output]\nfaces = 3");
    assert_eq!(classes, ["output.faces: got one, allowed only with task \"faces\": remove it"]);
}

#[test]
fn the_count_of_labels_has_bounds() {
    let labels = |n: usize| (0..n).map(|i| format!("\"l{i}\"")).collect::<Vec<_>>().join(", ");
    for n in [0, 1, 1001] {
        let reasons = check("\"blend\", \"real\", \"swap\"", &labels(n));
        let reason = format!("output.labels: got {n} labels, allowed is 2 to 1000 different labels");
        assert!(reasons.contains(&reason), "{reasons:?}");
    }
}

#[test]
fn no_text_panics() {
    let right = testing::manifest("model", "1");
    for index in 0..2_000 {
        let mut draws = Draws::new(13, index);
        let mut bytes = right.clone().into_bytes();
        for _ in 0..1 + draws.below(4) {
            let at = draws.below(bytes.len() as u32) as usize;
            bytes[at] = draws.word() as u8;
        }
        if let Err(error) = read(&String::from_utf8_lossy(&bytes), "model", "1") {
            assert!(!error.reason().is_empty());
        }
    }
}
