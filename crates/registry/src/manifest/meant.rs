//! What a manifest means: each table of it checked and turned into the part of the model's spec that it describes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use unmask_core::{
    Activation, Colour, Group, InputSpec, Layout, ModelSpec, OutputSpec, PictureKind, Resize, Task, Violation,
};

use super::checks::Checks;
use super::{Expected, Listed, Manifest, faces, typed};
use crate::bundle::{MANIFEST, MODEL, identity};
use crate::words::{listed, quoted};

/// Pixels of one side; at 896 a default answer, a float32 map of that size, stays under 4 MiB.
const SIDE: RangeInclusive<i64> = 8..=896;
const FACE_FACTOR: RangeInclusive<f64> = 0.5..=4.0;
const LABELS: RangeInclusive<usize> = 2..=1000;
pub(super) const GOLDEN_ROWS: RangeInclusive<usize> = 1..=16;
/// Files of external data.
const FILES: usize = 16;
/// Bytes of one of them, and of all together.
const FILE_BYTES: RangeInclusive<i64> = 1..=8 << 30;
/// Above this a golden score no longer tells one model from another.
const LOOSEST: f64 = 0.1;

pub(super) fn read(typed: typed::Manifest, name: &str, version: &str) -> Result<Manifest, Vec<Violation>> {
    let mut checks = Checks::default();
    if typed.schema != Some(1) {
        let got = typed.schema.map_or_else(|| "missing".into(), |schema| format!("got {schema}"));
        checks.refuse("schema", format!("{got}, allowed is 1"));
    }
    let name = directory(&mut checks, "name", typed.name, name);
    let version = directory(&mut checks, "version", typed.version, version);
    let summary = checks.line("summary", typed.summary);
    let licence = checks.line("licence", typed.licence);
    let sha256 = checks.digest("sha256", typed.sha256);
    let external = external(&mut checks, typed.external);
    let input = input(&mut checks, typed.input);
    // What is meant by a word that is none is seen from what follows it.
    let finds_faces = task(&mut checks, typed.task).unwrap_or(typed.output.faces.is_some());
    let (task, output) = if finds_faces {
        faces::output(&mut checks, typed.output)
    } else {
        (Task::Classes, output(&mut checks, typed.output))
    };
    let spec = ModelSpec {
        name,
        version,
        summary,
        licence,
        digest: identity(&sha256, &external),
        task,
        input,
        output,
        groups: Vec::new(),
    };
    if spec.task != Task::Classes {
        faces::rest(&mut checks, &spec.input, typed.groups.is_empty());
    }
    let groups = groups(&mut checks, typed.groups, &spec.output.labels);
    let spec = ModelSpec { groups, ..spec };
    let golden = golden(&mut checks, typed.golden, &spec);
    if checks.violations.is_empty() {
        Ok(Manifest { spec, sha256, external, golden })
    } else {
        Err(checks.violations)
    }
}

/// Whether the model finds faces; `None` where that cannot be told.
fn task(checks: &mut Checks, typed: Option<String>) -> Option<bool> {
    match typed {
        None => Some(false),
        typed => checks.word("task", typed, &[("classes", false), ("faces", true)]),
    }
}

/// A name or version, which the directory repeats so that neither can be mistaken.
fn directory(checks: &mut Checks, field: &str, value: Option<String>, directory: &str) -> String {
    let value = checks.identifier(field, value);
    if !value.is_empty() && value != directory {
        checks.refuse(
            field,
            format!("got {}, but the directory is called {}: rename one", quoted(&value), quoted(directory)),
        );
    }
    value
}

fn external(checks: &mut Checks, typed: Vec<typed::External>) -> Vec<Listed> {
    if typed.len() > FILES {
        checks.refuse("external", format!("got {} files, allowed are at most {FILES}", typed.len()));
        return Vec::new();
    }
    let mut files = Vec::new();
    for (i, file) in typed.into_iter().enumerate() {
        let field = |key: &str| format!("external[{i}].{key}");
        files.push(Listed {
            file: checks.file_name(&field("file"), file.file),
            sha256: checks.digest(&field("sha256"), file.sha256),
            bytes: checks.whole(&field("bytes"), file.bytes, &FILE_BYTES) as u64,
        });
    }
    files.sort_by(|a, b| a.file.cmp(&b.file));
    let mut seen = BTreeSet::from([MANIFEST, MODEL]);
    let twice: Vec<&str> = files.iter().map(|f| f.file.as_str()).filter(|name| !seen.insert(name)).collect();
    if !twice.is_empty() {
        checks.refuse(
            "external",
            format!("got {}, list each file of weights once, and no other file", listed(twice)),
        );
    }
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    if bytes > FILE_BYTES.end().cast_unsigned() {
        checks.refuse(
            "external",
            format!("got {bytes} bytes in all files, allowed are at most {}", FILE_BYTES.end()),
        );
    }
    files
}

fn input(checks: &mut Checks, typed: typed::Input) -> InputSpec {
    let layouts = [("NCHW", Layout::Nchw), ("NHWC", Layout::Nhwc)];
    let colours = [("RGB", Colour::Rgb), ("BGR", Colour::Bgr)];
    let filters = [
        ("nearest", Resize::Nearest),
        ("bilinear", Resize::Bilinear),
        ("bicubic", Resize::Bicubic),
        ("lanczos3", Resize::Lanczos3),
    ];
    InputSpec {
        name: checks.line("input.name", typed.name),
        layout: checks.word("input.layout", typed.layout, &layouts).unwrap_or(Layout::Nchw),
        width: checks.whole("input.width", typed.width, &SIDE),
        height: checks.whole("input.height", typed.height, &SIDE),
        colour: checks.word("input.colour", typed.colour, &colours).unwrap_or(Colour::Rgb),
        range: range(checks, typed.range),
        mean: checks.reals("input.mean", typed.mean, |_| true, "three finite numbers, one per channel"),
        std: checks.reals(
            "input.std",
            typed.std,
            |v| v.iter().all(|x| *x as f32 > 0.0),
            "three finite numbers above 0, one per channel",
        ),
        resize: checks.word("input.resize", typed.resize, &filters).unwrap_or(Resize::Bilinear),
        antialias: checks.flag("input.antialias", typed.antialias),
        picture: picture(checks, typed.picture, typed.face_factor),
    }
}

fn range(checks: &mut Checks, typed: Option<Vec<f64>>) -> (f64, f64) {
    let [low, high] =
        checks.reals("input.range", typed, |v| v[0] < v[1], "two finite numbers, the first below the second");
    (low, high)
}

fn picture(checks: &mut Checks, typed: Option<String>, factor: Option<f64>) -> PictureKind {
    const FIELD: &str = "input.face_factor";
    match checks.word("input.picture", typed, &[("whole", false), ("face", true)]) {
        Some(true) => {
            let allowed = format!("{} to {} with picture \"face\"", FACE_FACTOR.start(), FACE_FACTOR.end());
            PictureKind::Face { factor: checks.real(FIELD, factor, |v| FACE_FACTOR.contains(&v), &allowed) }
        }
        Some(false) => {
            if let Some(factor) = factor {
                checks.refuse(FIELD, format!("got {factor}, allowed only with picture \"face\": remove it"));
            }
            PictureKind::Whole
        }
        None => PictureKind::Whole,
    }
}

fn output(checks: &mut Checks, typed: typed::Output) -> OutputSpec {
    let of_faces = [
        ("output.faces", typed.faces.is_some()),
        ("output.face_scale", typed.face_scale.is_some()),
        ("output.face_drop", typed.face_drop.is_some()),
    ];
    for (field, _) in of_faces.iter().filter(|(_, is_there)| *is_there) {
        checks.refuse(field, "got one, allowed only with task \"faces\": remove it");
    }
    let activations =
        [("none", Activation::None), ("softmax", Activation::Softmax), ("sigmoid", Activation::Sigmoid)];
    let name = checks.line("output.name", typed.name);
    let activation = checks.word("output.activation", typed.activation, &activations);
    let labels = labels(checks, typed.labels);
    let real = index(checks, "output.real", typed.real.as_deref(), &labels);
    let single =
        typed.single.is_some().then(|| index(checks, "output.single", typed.single.as_deref(), &labels));
    match (activation, single) {
        (Some(Activation::Softmax), Some(_)) => checks.refuse(
            "output.single",
            "got one with activation \"softmax\", allowed is \"sigmoid\" or \"none\": a softmax over one value is always 1",
        ),
        (Some(Activation::Sigmoid), None) => checks.refuse(
            "output.single",
            "missing, necessary with activation \"sigmoid\": give the label that the graph's one value speaks for",
        ),
        (Some(Activation::None | Activation::Softmax), None)
        | (Some(Activation::None | Activation::Sigmoid), Some(_))
        | (None, _) => {}
    }
    if single.is_some() && LABELS.contains(&labels.len()) && labels.len() != 2 {
        checks.refuse(
            "output.labels",
            format!(
                "got {} labels, allowed with single are exactly 2: the one it speaks for and its complement",
                labels.len()
            ),
        );
    }
    OutputSpec { name, activation: activation.unwrap_or(Activation::None), labels, real, single }
}

/// The labels as they are; a wrong count leaves the checks that look for a label something to look in.
fn labels(checks: &mut Checks, typed: Option<Vec<String>>) -> Vec<String> {
    const FIELD: &str = "output.labels";
    let allowed = format!("{} to {} different labels", LABELS.start(), LABELS.end());
    let Some(labels) = typed else {
        checks.refuse(FIELD, format!("missing, allowed is {allowed}"));
        return Vec::new();
    };
    if !LABELS.contains(&labels.len()) {
        checks.refuse(FIELD, format!("got {} labels, allowed is {allowed}", labels.len()));
    }
    let empty = labels.iter().filter(|label| label.trim().is_empty()).count();
    if empty > 0 {
        checks.refuse(FIELD, format!("got {empty} without text, allowed is {allowed}"));
    }
    let twice = repeated(&labels);
    if !twice.is_empty() {
        checks.refuse(FIELD, format!("got {} more than once, allowed is {allowed}", listed(twice)));
    }
    labels
}

fn index(checks: &mut Checks, field: &str, label: Option<&str>, labels: &[String]) -> usize {
    let found = labels.iter().position(|known| Some(known.as_str()) == label);
    // Labels that are missing have been reported; every label would then be reported too, and wrongly.
    if found.is_none() && !labels.is_empty() {
        let got = label.map_or_else(|| "missing".into(), |label| format!("got {}", quoted(label)));
        checks.refuse(field, format!("{got}, allowed is a label: {}", listed(labels)));
    }
    found.unwrap_or_default()
}

fn groups(checks: &mut Checks, typed: BTreeMap<String, Vec<String>>, labels: &[String]) -> Vec<Group> {
    let mut groups = Vec::new();
    for (name, members) in typed {
        let field = format!("groups.{}", name.escape_debug());
        if name.trim().is_empty() {
            checks.refuse("groups", "got a group without a name, give it one");
        }
        if members.is_empty() {
            checks.refuse(&field, "got no labels, allowed is at least one");
        }
        let twice = repeated(&members);
        if !twice.is_empty() {
            checks.refuse(&field, format!("got {} more than once, name each label once", listed(twice)));
        }
        let members: BTreeSet<String> = members.into_iter().collect();
        let classes: BTreeSet<usize> =
            members.iter().map(|label| index(checks, &field, Some(label), labels)).collect();
        groups.push(Group { name, classes: classes.into_iter().collect() });
    }
    groups
}

fn golden(checks: &mut Checks, typed: typed::Golden, spec: &ModelSpec) -> Expected {
    let file = checks.file_name("golden.input", typed.input);
    let (rows, scores) = match spec.task {
        Task::Classes => {
            if typed.faces.is_some() {
                checks.refuse("golden.faces", "got some, allowed only with task \"faces\": remove it");
            }
            scores(checks, typed.scores, spec)
        }
        Task::Faces { most, .. } => {
            if typed.scores.is_some() {
                checks.refuse(
                    "golden.scores",
                    "got some, a model with task \"faces\" has golden.faces: remove it",
                );
            }
            faces::golden(checks, typed.faces, most)
        }
    };
    let allowed = format!("a number above 0 and at most {LOOSEST}");
    let close = |v: f64| v as f32 > 0.0 && v <= LOOSEST;
    let tolerance = checks.real("golden.tolerance", typed.tolerance, close, &allowed) as f32;
    Expected { file, rows, scores, tolerance }
}

fn scores(checks: &mut Checks, typed: Option<Vec<Vec<f64>>>, spec: &ModelSpec) -> (usize, Vec<f32>) {
    const FIELD: &str = "golden.scores";
    let rows = typed.unwrap_or_default();
    if !GOLDEN_ROWS.contains(&rows.len()) {
        let (low, high) = (GOLDEN_ROWS.start(), GOLDEN_ROWS.end());
        checks.refuse(FIELD, format!("got {} rows, allowed is {low} to {high}, one per picture", rows.len()));
        return (0, Vec::new());
    }
    let width = spec.output_len();
    let per = if spec.output.single.is_some() { "the graph's one value" } else { "one per label" };
    for (row, values) in rows.iter().enumerate() {
        // Without labels nobody knows how many values a row should have, and that they are missing has been said.
        if values.len() != width && !spec.output.labels.is_empty() {
            checks.refuse(
                FIELD,
                format!("got {} values in row {row}, allowed is {width}, {per}", values.len()),
            );
        }
        if let Some(value) = values.iter().find(|value| !(**value as f32).is_finite()) {
            checks.refuse(FIELD, format!("got {value:?} in row {row}, allowed is a finite float32"));
        }
    }
    (rows.len(), rows.into_iter().flatten().map(|value| value as f32).collect())
}

/// The texts that occur more than once, each once.
fn repeated(texts: &[String]) -> BTreeSet<&String> {
    let mut seen = BTreeSet::new();
    texts.iter().filter(|text| !seen.insert(*text)).collect()
}
