//! An answer that was kept as JSON: as `unmask explain` writes and prints it, with digests in place of arrays, or as a gRPC client
//! such as grpcurl prints it, with base64.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::Value as Json;
use unmask_protocol::v1;
use unmask_registry::sha256;

use super::{npy, values};
use crate::{fields, files};

/// An answer, kept or new.
pub(super) struct Kept {
    /// Its message; arrays that were kept as digests are empty.
    pub(super) answer: v1::ExplainResponse,
    /// Its message as JSON, arrays as digests.
    pub(super) json: Json,
    /// The values of its map, where they are known.
    pub(super) map: Option<Vec<f32>>,
}

/// Fields that hold an array, as the contract names them and as JSON of a message does.
const ARRAYS: [(&str, &str); 4] = [
    ("map", "map"),
    ("picture_map", "pictureMap"),
    ("labels", "labels"),
    ("standard_errors", "standardErrors"),
];
/// Fields that are a picture.
const PICTURES: [(&str, &str); 3] =
    [("heat_map_png", "heatMapPng"), ("overlay_png", "overlayPng"), ("fill_png", "fillPng")];

impl Kept {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        let json: Json = serde_json::from_str(&text).with_context(|| format!("{name} is no JSON"))?;
        let (answer, json) = understood(json).with_context(|| format!("{name} is no answer of Explain"))?;
        if answer.resolved.is_none() {
            bail!("{name} holds no resolved parameters, so that it cannot be asked for again");
        }
        let map = values(answer.map.as_ref()).or_else(|| beside(path, &json));
        Ok(Self { answer, json, map })
    }
}

/// The message, and its JSON as it is written today.
fn understood(mut json: Json) -> anyhow::Result<(v1::ExplainResponse, Json)> {
    let mut digests = Vec::new();
    for (name, other) in ARRAYS {
        for spelled in [name, other] {
            let values = json.get_mut(spelled).and_then(|array| array.get_mut("values"));
            if let Some(values) = values.filter(|values| values.is_object()) {
                digests.push((name, Some("values"), values.take()));
            }
        }
    }
    if let Some(found) = json.get_mut("counterfactual") {
        for spelled in ["image_png", "imagePng"] {
            if let Some(picture) = found.get_mut(spelled).filter(|picture| picture.is_object()) {
                digests.push(("counterfactual", Some("image_png"), picture.take()));
            }
        }
    }
    for (name, other) in PICTURES {
        for spelled in [name, other] {
            if let Some(picture) = json.get_mut(spelled).filter(|picture| picture.is_object()) {
                digests.push((name, None, picture.take()));
            }
        }
    }
    let answer: v1::ExplainResponse = fields::message("ExplainResponse", &json)?;
    let mut json = files::summary(&answer)?;
    for (name, below, digest) in digests {
        match below {
            Some(below) => json[name][below] = digest,
            None => json[name] = digest,
        }
    }
    Ok((answer, json))
}

/// The map that `unmask explain` wrote beside the answer, where it is still that map.
fn beside(path: &Path, json: &Json) -> Option<Vec<f32>> {
    let (_, values) = npy::<f32>(&path.with_extension("npy")).ok()?;
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    (json["map"]["values"]["sha256"] == sha256(&bytes)).then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> v1::ExplainResponse {
        v1::ExplainResponse {
            map: Some(v1::Map {
                height: 1,
                width: 2,
                values: vec![0, 0, 128, 63, 0, 0, 0, 0],
                ..Default::default()
            }),
            overlay_png: vec![1, 2, 3],
            resolved: Some(v1::Resolved { seed: 1 << 60, ..Default::default() }),
            ..Default::default()
        }
    }

    #[test]
    fn an_answer_reads_the_same_as_this_tool_writes_it_and_as_a_grpc_client_prints_it() {
        let ours = files::summary(&answer()).unwrap();
        let theirs = serde_json::json!({
            "map": { "height": 1, "width": 2, "values": "AACAPwAAAAA=" },
            "overlayPng": "AQID",
            "resolved": { "seed": "1152921504606846976" },
        });
        let (short, from_ours) = understood(ours.clone()).unwrap();
        let (long, from_theirs) = understood(theirs).unwrap();
        assert_eq!((&from_ours, &from_theirs), (&ours, &ours));
        assert_eq!(long, answer());
        assert_eq!(values(long.map.as_ref()), Some(vec![1.0, 0.0]));
        assert_eq!(short.resolved, answer().resolved);
        assert!(short.map.unwrap().values.is_empty() && short.overlay_png.is_empty());
    }

    #[test]
    fn a_map_beside_the_answer_is_taken_only_where_it_is_the_answers_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = files::write(dir.path(), "own", &answer()).unwrap().remove(0);
        assert_eq!(Kept::read(&path).unwrap().map, Some(vec![1.0, 0.0]));
        let other = v1::Map { height: 1, width: 2, values: vec![0; 8], ..Default::default() };
        let other = v1::ExplainResponse { map: Some(other), ..answer() };
        files::write(dir.path(), "other", &other).unwrap();
        std::fs::copy(dir.path().join("other.npy"), dir.path().join("own.npy")).unwrap();
        assert_eq!(Kept::read(&path).unwrap().map, None);
    }

    #[test]
    fn what_is_no_answer_of_explain_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        for (text, words) in [
            ("no json", "x.json is no JSON"),
            ("[1]", "x.json is no answer of Explain"),
            ("{\"evaluated\": []}", "unrecognized field name 'evaluated'"),
            ("{\"map\": {\"values\": 7}}", "x.json is no answer of Explain"),
            ("{}", "x.json holds no resolved parameters"),
            ("{\"prediction\": {\"label\": \"real\"}}", "x.json holds no resolved parameters"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = format!("{:#}", Kept::read(&path).err().unwrap());
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
