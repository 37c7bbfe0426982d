//! Two answers, field by field. Fields are those of the contract's JSON, so that a new one needs no code here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::kept::Kept;

/// What belongs to a request and not to what it asked.
const NOT_COMPARED: [&str; 3] = ["request_id", "timings", "cost"];

/// What is asked after an explanation, for which one that a deadline ended had no time.
const AFTER: [&str; 4] = ["checks", "counterfactual", "steadiness", "sentences"];

/// Numbers that differ by no more than this, relative to the larger one where that is above 1, differ in their last digits.
const SMALL: f64 = 1e-4;

/// What came of a comparison.
pub(super) struct Comparison {
    fields: Vec<Field>,
    /// Passes run, then and now.
    passes: (u64, u64),
}

struct Field {
    name: String,
    difference: Option<Difference>,
}

/// How a field differs.
struct Difference {
    /// The first value that differs, with both.
    at: String,
    then: Json,
    now: Json,
    /// How many values differ, digests among them.
    values: usize,
    /// The largest difference of two numbers, where numbers differ.
    largest: Option<f64>,
    /// Whether numbers differ in their last digits, and nothing else but digests.
    small: bool,
}

pub(super) fn compare(then: &Kept, now: &Kept) -> Comparison {
    let names = [&then.json, &now.json].into_iter().filter_map(Json::as_object).flat_map(|o| o.keys());
    let mut seen = BTreeSet::new();
    // The model stands first: from another one, all the rest follows.
    let names = std::iter::once("model").chain(names.map(String::as_str));
    let was_late = then.json["truncated_by"] == "TRUNCATION_DEADLINE";
    let is_left_out = |name: &str| NOT_COMPARED.contains(&name) || (was_late && AFTER.contains(&name));
    let names = names.filter(|name| !is_left_out(name) && seen.insert(*name));
    let field = |name: &str| {
        let difference = difference(&timeless(name, &then.json[name]), &timeless(name, &now.json[name]));
        let difference = difference.map(|difference| match (name, &then.map, &now.map) {
            ("map", Some(then), Some(now)) => with_values(difference, then, now),
            _ => difference,
        });
        Field { name: name.to_owned(), difference }
    };
    let run = |kept: &Kept| kept.answer.cost.as_ref().map_or(0, |cost| cost.run);
    Comparison { fields: names.map(field).collect(), passes: (run(then), run(now)) }
}

/// A field without what tells only who ended an explanation: what a deadline ended is asked for with a budget.
fn timeless(name: &str, value: &Json) -> Json {
    match (name, value) {
        ("warnings", Json::Array(warnings)) => {
            let ended =
                |w: &&Json| !w.as_str().is_some_and(|text| text.contains(" ended the explanation after "));
            warnings.iter().filter(ended).cloned().collect()
        }
        ("resolved", Json::Object(resolved)) => {
            let mut resolved = resolved.clone();
            let target = value["budget"]["target_error"].clone();
            resolved.insert("budget".into(), target);
            resolved.into()
        }
        ("truncated_by", by) => (by != "TRUNCATION_UNSPECIFIED").into(),
        _ => value.clone(),
    }
}

fn difference(then: &Json, now: &Json) -> Option<Difference> {
    let (then, now) = (leaves(then), leaves(now));
    let paths: BTreeSet<_> = then.keys().chain(now.keys()).collect();
    let value = |leaves: &BTreeMap<String, Json>, path: &str| leaves.get(path).cloned().unwrap_or_default();
    let differ: Vec<_> = paths
        .into_iter()
        .map(|path| (path.clone(), value(&then, path), value(&now, path)))
        .filter(|(_, then, now)| then != now)
        .collect();
    let apart = |then: &Json, now: &Json| {
        let (then, now) = (then.as_f64()?, now.as_f64()?);
        Some(((then - now).abs(), then.abs().max(now.abs()).max(1.0)))
    };
    let numbers = differ.iter().filter(|(path, ..)| !is_digest(path));
    let numbers: Vec<_> = numbers.map(|(_, then, now)| apart(then, now)).collect();
    let small = |number: &Option<(f64, f64)>| number.is_some_and(|(apart, of)| apart <= SMALL * of);
    let largest = numbers.iter().flatten().map(|(apart, _)| *apart).reduce(f64::max);
    let (at, then, now) = differ.first().cloned()?;
    let small = !numbers.is_empty() && numbers.iter().all(small);
    Some(Difference { at, then, now, values: differ.len(), largest, small })
}

/// Whether a value only follows others: it is altogether another one where they differ in the last digit.
fn is_digest(path: &str) -> bool {
    path.ends_with("sha256") || path == "bytes"
}

/// A difference of two maps whose values are known.
fn with_values(difference: Difference, then: &[f32], now: &[f32]) -> Difference {
    let apart = then.iter().zip(now).map(|(a, b)| f64::from((a - b).abs())).reduce(f64::max);
    let peak = then.iter().map(|v| f64::from(v.abs())).fold(0.0, f64::max);
    let small = then.len() == now.len() && apart.is_some_and(|apart| apart > 0.0 && apart <= SMALL * peak);
    Difference { largest: apart.filter(|apart| *apart > 0.0), small, ..difference }
}

/// Every value by its path.
fn leaves(json: &Json) -> BTreeMap<String, Json> {
    fn walk(json: &Json, path: String, leaves: &mut BTreeMap<String, Json>) {
        let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match json {
            Json::Object(object) => object.iter().for_each(|(key, value)| walk(value, below(key), leaves)),
            Json::Array(array) => {
                array.iter().enumerate().for_each(|(i, value)| walk(value, format!("{path}[{i}]"), leaves));
            }
            Json::Null => {}
            Json::Bool(_) | Json::Number(_) | Json::String(_) => {
                leaves.insert(path, json.clone());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(json, String::new(), &mut found);
    found
}

impl Comparison {
    pub(super) fn same(&self) -> bool {
        self.differ().next().is_none()
    }

    fn differ(&self) -> impl Iterator<Item = (&str, &Difference)> {
        self.fields.iter().filter_map(|field| Some((field.name.as_str(), field.difference.as_ref()?)))
    }

    pub(super) fn json(&self) -> Json {
        let field = |Field { name, difference }: &Field| match difference {
            None => json!({ "field": name, "same": true }),
            Some(Difference { at, then, now, values, largest, .. }) => json!({
                "field": name, "same": false, "at": at, "then": then, "now": now, "values": values,
                "largest_difference": largest,
            }),
        };
        json!({
            "same": self.same(),
            "sentence": self.sentence(),
            "fields": self.fields.iter().map(field).collect::<Vec<_>>(),
        })
    }

    /// The table, and the sentence at its end.
    pub(super) fn text(&self, name: &str) -> String {
        let width = self.fields.iter().map(|field| field.name.len()).max().unwrap_or_default();
        let mut text = format!("{name}: asked again\n");
        for Field { name, difference } in &self.fields {
            let told = difference.as_ref().map_or_else(|| "same".to_owned(), Difference::text);
            text += &format!("  {name:width$}  {told}\n");
        }
        let (then, now) = self.passes;
        text += &format!("  not compared: {}; {then} passes then, {now} now\n", NOT_COMPARED.join(", "));
        text + &self.sentence() + "\n"
    }

    fn sentence(&self) -> String {
        let differ: Vec<_> = self.differ().collect();
        let names: Vec<_> = differ.iter().map(|(name, _)| *name).collect();
        let named = |name: &str| names.contains(&name);
        if names.is_empty() {
            return format!("the same answer: all {} fields agree", self.fields.len());
        }
        let known = |(_, difference): &&(&str, &Difference)| !difference.only_digests();
        let small = differ.iter().filter(known).all(|(_, difference)| difference.small);
        if named("model") {
            "another answer: another model answered, and the rest follows from that".into()
        } else if small && differ.iter().any(|(_, difference)| difference.small) {
            let largest = differ.iter().filter_map(|(_, difference)| difference.largest).fold(0.0, f64::max);
            format!(
                "another answer, but only in last digits (at most {largest:.1e}): {}; another ONNX Runtime or another kind of \
                 processor computes such",
                names.join(", ")
            )
        } else if named("prediction") || named("transform") {
            format!(
                "another answer: {} differ; what the model says of the picture alone differs already, so that this is another \
                 picture (answers hold no digest of theirs) or another ONNX Runtime",
                names.join(", ")
            )
        } else {
            let verb = if names.len() == 1 { "differs" } else { "differ" };
            format!("another answer: {} {verb}", names.join(", "))
        }
    }
}

impl Difference {
    fn text(&self) -> String {
        let Self { at, then, now, values, largest, .. } = self;
        let at = if at.is_empty() { String::new() } else { format!("{at} was ") };
        let more = if *values > 1 { format!("; {values} values differ") } else { String::new() };
        let largest = largest.map(|most| format!("; largest difference {most:.3e}")).unwrap_or_default();
        format!("differs: {at}{then}, is {now}{more}{largest}")
    }

    /// Whether all that is known is that digests differ.
    fn only_digests(&self) -> bool {
        self.largest.is_none() && is_digest(&self.at) && self.values <= 2
    }
}

#[cfg(test)]
mod tests {
    use unmask_protocol::v1;

    use super::*;

    fn kept(json: Json, map: Option<Vec<f32>>) -> Kept {
        Kept { answer: v1::ExplainResponse::default(), json, map }
    }

    fn answer() -> Json {
        json!({
            "request_id": "a",
            "prediction": { "label": "mouth", "scores": [{ "logit": 2.0 }, { "logit": -1.0 }] },
            "map": { "height": 1, "values": { "sha256": "aa" } },
            "model": { "sha256": "m" },
            "overlay_png": { "bytes": 10, "sha256": "bb" },
            "regions": [{ "mean": 0.5 }, { "mean": 0.25 }],
            "heat_map_png": null,
            "warnings": ["w", "the deadline ended the explanation after 5 of 9 passes"],
        })
    }

    /// The names of fields that differ, and the sentence.
    fn changed(
        change: impl FnOnce(&mut Json),
        maps: (Option<Vec<f32>>, Option<Vec<f32>>),
    ) -> (String, String) {
        let mut now = answer();
        change(&mut now);
        let compared = compare(&kept(answer(), maps.0), &kept(now, maps.1));
        (compared.differ().map(|(name, _)| name).collect::<Vec<_>>().join(" "), compared.sentence())
    }

    #[test]
    fn what_belongs_to_the_request_is_no_difference() {
        let change = |now: &mut Json| {
            now["request_id"] = "b".into();
            now["warnings"][1] = "the budget ended the explanation after 5 of 9 passes".into();
        };
        assert_eq!(
            changed(change, (None, None)),
            (String::new(), "the same answer: all 7 fields agree".into())
        );
    }

    #[test]
    fn every_field_that_differs_is_named_whatever_kind_it_is() {
        for (name, pointer, value) in [
            ("prediction", "/prediction/scores/1/logit", json!(7.0)),
            ("map", "/map/values/sha256", json!("ab")),
            ("overlay_png", "/overlay_png", json!(null)),
            ("heat_map_png", "/heat_map_png", json!({ "bytes": 1, "sha256": "x" })),
            ("regions", "/regions", json!([{ "mean": 0.5 }])),
            ("warnings", "/warnings/0", json!("other")),
        ] {
            let (names, sentence) = changed(|now| *now.pointer_mut(pointer).unwrap() = value, (None, None));
            assert_eq!(names, name);
            assert!(sentence.starts_with("another answer: ") && sentence.contains(name), "{sentence}");
        }
        let (names, _) = changed(|now| now["new"] = json!({ "x": 1 }), (None, None));
        assert_eq!(names, "new");
    }

    #[test]
    fn another_model_is_said_before_anything_that_follows_from_it() {
        let change = |now: &mut Json| {
            now["model"]["sha256"] = "n".into();
            now["prediction"]["label"] = "eyes".into();
        };
        let (names, sentence) = changed(change, (None, None));
        assert_eq!(names, "model prediction");
        assert!(sentence.contains("another model answered"), "{sentence}");
    }

    #[test]
    fn last_digits_are_told_from_other_numbers() {
        let with = |logit: f64, map: f32| {
            let change = move |now: &mut Json| {
                now["prediction"]["scores"][0]["logit"] = logit.into();
                now["map"]["values"]["sha256"] = "ab".into();
                now["overlay_png"] = json!({ "bytes": 11, "sha256": "bc" });
            };
            changed(change, (Some(vec![1.0, 0.5]), Some(vec![1.0, map]))).1
        };
        assert!(
            with(2.000001, 0.500_001).contains("only in last digits (at most 1.0e-6)"),
            "{}",
            with(2.000001, 0.500_001)
        );
        for (logit, map) in [(2.1, 0.500_001), (2.000001, 0.6)] {
            assert!(!with(logit, map).contains("last digits"), "{logit} {map}");
        }
        let (_, digest) = changed(|now| now["map"]["values"]["sha256"] = "ab".into(), (None, None));
        assert_eq!(digest, "another answer: map differs", "a digest alone does not tell how far");
    }

    #[test]
    fn a_difference_is_told_with_both_values_and_the_largest_one() {
        let mut now = answer();
        now["regions"] = json!([{ "mean": 0.75 }, { "mean": 0.375 }]);
        let compared = compare(&kept(answer(), None), &kept(now, None));
        let text = compared.text("x.json");
        let line = "  regions       differs: [0].mean was 0.5, is 0.75; 2 values differ; largest difference 2.500e-1\n";
        assert!(text.contains(line), "{text}");
        assert!(
            text.contains("  model         same\n") && text.ends_with("another answer: regions differs\n"),
            "{text}"
        );
        let json = compared.json();
        assert_eq!((&json["same"], &json["fields"][0]["field"]), (&false.into(), &"model".into()));
        let field = json["fields"].as_array().unwrap().iter().find(|f| f["field"] == "regions").unwrap();
        assert_eq!(field["largest_difference"], 0.25);
    }
}
