//! What `explain` and `faces --why` write beside a picture's name.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use npyz::WriterBuilder as _;
use serde_json::{Value as Json, json};
use unmask_protocol::v1;
use unmask_registry::sha256;

use crate::fields;

/// The answer as JSON, each array replaced by its shape and SHA-256.
pub(crate) fn summary(answer: &v1::ExplainResponse) -> anyhow::Result<Json> {
    let mut json = fields::json("ExplainResponse", answer)?;
    for (name, map) in [
        ("map", &answer.map),
        ("picture_map", &answer.picture_map),
        ("standard_errors", &answer.standard_errors),
    ] {
        if let Some(map) = map {
            json[name]["values"] = shape_of(map);
        }
    }
    if let Some(labels) = &answer.labels {
        json["labels"]["values"] = json!({
            "dtype": "<u2", "shape": [labels.height, labels.width], "sha256": sha256(&labels.values),
        });
    }
    if let Some(found) = answer.counterfactual.as_ref().filter(|found| !found.image_png.is_empty()) {
        json["counterfactual"]["image_png"] = digest_of(&found.image_png);
    }
    let pictures = [
        ("heat_map_png", &answer.heat_map_png),
        ("overlay_png", &answer.overlay_png),
        ("fill_png", &answer.fill_png),
    ];
    for (name, png) in pictures {
        json[name] = digest_of(png);
    }
    Ok(json)
}

/// The same of an explained face.
pub(crate) fn face_summary(answer: &v1::ExplainFaceResponse) -> anyhow::Result<Json> {
    let mut json = fields::json("ExplainFaceResponse", answer)?;
    if let Some(map) = &answer.map {
        json["map"]["values"] = shape_of(map);
    }
    json["overlay_png"] = digest_of(&answer.overlay_png);
    Ok(json)
}

fn shape_of(map: &v1::Map) -> Json {
    json!({ "dtype": "<f4", "shape": [map.height, map.width], "sha256": sha256(&map.values) })
}

fn digest_of(png: &[u8]) -> Json {
    match png {
        [] => Json::Null,
        png => json!({ "bytes": png.len(), "sha256": sha256(png) }),
    }
}

/// Writes STEM.json, STEM.npy, STEM.overlay.png and, where the answer has them, STEM.errors.npy, STEM.fill.png and
/// STEM.counterfactual.png, and gives their paths.
pub(crate) fn write(dir: &Path, stem: &str, answer: &v1::ExplainResponse) -> anyhow::Result<Vec<PathBuf>> {
    let map = answer.map.as_ref().context("the answer has no map")?;
    let text = serde_json::to_string_pretty(&summary(answer)?)? + "\n";
    let mut files = vec![
        (dir.join(format!("{stem}.json")), text.into_bytes()),
        (dir.join(format!("{stem}.npy")), npy(map)?),
        (dir.join(format!("{stem}.overlay.png")), answer.overlay_png.clone()),
    ];
    if let Some(errors) = &answer.standard_errors {
        files.push((dir.join(format!("{stem}.errors.npy")), npy(errors)?));
    }
    if !answer.fill_png.is_empty() {
        files.push((dir.join(format!("{stem}.fill.png")), answer.fill_png.clone()));
    }
    if let Some(found) = answer.counterfactual.as_ref().filter(|found| !found.image_png.is_empty()) {
        files.push((dir.join(format!("{stem}.counterfactual.png")), found.image_png.clone()));
    }
    keep_all(files)
}

/// Writes STEM.json, STEM.npy and STEM.overlay.png of an explained face, and gives their paths.
pub(crate) fn write_face(
    dir: &Path,
    stem: &str,
    answer: &v1::ExplainFaceResponse,
) -> anyhow::Result<Vec<PathBuf>> {
    let map = answer.map.as_ref().context("the answer has no map")?;
    let text = serde_json::to_string_pretty(&face_summary(answer)?)? + "\n";
    keep_all(vec![
        (dir.join(format!("{stem}.json")), text.into_bytes()),
        (dir.join(format!("{stem}.npy")), npy(map)?),
        (dir.join(format!("{stem}.overlay.png")), answer.overlay_png.clone()),
    ])
}

/// Writes files, the first of which is the JSON. It comes last and whole: where it is, the others are.
fn keep_all(files: Vec<(PathBuf, Vec<u8>)>) -> anyhow::Result<Vec<PathBuf>> {
    for (path, bytes) in files.iter().skip(1).chain(files.first()) {
        keep(path, bytes)?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

/// Writes STEM.skipped.json.
pub(crate) fn write_skipped(dir: &Path, stem: &str, skipped: &Json) -> anyhow::Result<()> {
    keep(
        &dir.join(format!("{stem}.skipped.json")),
        (serde_json::to_string_pretty(skipped)? + "\n").as_bytes(),
    )
}

/// Whether what came of a picture has been written.
pub(crate) fn is_done(dir: &Path, stem: &str) -> bool {
    ["json", "skipped.json"].iter().any(|ending| dir.join(format!("{stem}.{ending}")).exists())
}

/// Writes a file so that it is there whole or not at all. What is no file, such as a pipe or a device, is written to as it is; of a
/// link it is the file that it leads to.
pub(crate) fn keep(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let there = std::fs::metadata(path);
        if there.as_ref().is_ok_and(|there| !there.is_file()) {
            return std::fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
        }
        let path = if there.is_ok() { path.canonicalize()? } else { path.to_path_buf() };
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // As any other file: what the user's mask leaves.
        let mut part = tempfile::Builder::new()
            .prefix(".unmask-")
            .suffix(".part")
            .permissions(std::fs::Permissions::from_mode(0o666))
            .tempfile_in(dir)?;
        part.write_all(bytes)?;
        part.persist(&path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn npy(map: &v1::Map) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let shape = [u64::from(map.height), u64::from(map.width)];
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd()?;
    writer.extend(map.values.chunks_exact(4).map(|v| f32::from_le_bytes([v[0], v[1], v[2], v[3]])))?;
    writer.finish()?;
    Ok(bytes)
}

/// The endings of everything that is written beside a picture's name.
const ENDINGS: [&str; 7] =
    [".json", ".npy", ".overlay.png", ".errors.npy", ".fill.png", ".counterfactual.png", ".skipped.json"];

/// Whether a file in the folder of the answers has a name that an answer of this stem may get, of a face's number too.
pub(crate) fn is_written(file: &str, stem: &str) -> bool {
    let Some(rest) = file.strip_prefix(stem) else { return false };
    let rest =
        rest.strip_prefix('-').map_or(rest, |number| number.trim_start_matches(|c: char| c.is_ascii_digit()));
    ENDINGS.contains(&rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_answers_are_known() {
        for (file, expected) in [
            ("a.overlay.png", true),
            ("a-12.fill.png", true),
            ("a.png", false),
            ("ab.json", false),
            ("a-b.json", false),
        ] {
            assert_eq!(is_written(file, "a"), expected, "{file}");
        }
    }

    #[test]
    fn a_file_is_written_whole_and_what_is_no_file_stays_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("a"), dir.path().join("l"));
        keep(&file, b"one").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        // Somebody else's, and no way in.
        std::os::unix::fs::symlink(&file, dir.path().join("a.part")).unwrap();
        keep(&link, b"two").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"two");
        assert!(link.is_symlink() && std::fs::read_dir(dir.path()).unwrap().count() == 3);
        keep(Path::new("/dev/null"), b"three").unwrap();
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
        assert!(keep(&dir.path().join("none/a"), b"four").is_err());
    }

    #[test]
    fn a_map_is_written_as_numpy_reads_it() {
        let values = [1.0f32, -2.5, 3.0, 0.0, 5.0, 6.0];
        let map = v1::Map {
            height: 2,
            width: 3,
            values: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            sha256: String::new(),
        };
        let bytes = npy(&map).unwrap();
        let read = npyz::NpyFile::new(&bytes[..]).unwrap();
        assert_eq!(read.shape(), [2, 3]);
        assert_eq!(read.into_vec::<f32>().unwrap(), values);
    }
}
