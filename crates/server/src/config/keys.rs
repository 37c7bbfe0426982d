//! Every key that there is, with its default, its bounds and what it means, as the types of the configuration say it: what the
//! reference page lists, what a strange key is held against, and what a value must lie within.

use std::collections::VecDeque;
use std::sync::LazyLock;

use ::config::{Value, ValueKind};
use schemars::generate::SchemaSettings;
use serde_json::Value as Json;

use super::Config;

/// A key of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Its section and its name, such as `pool.batch`; NAME stands for a name of the reader's.
    pub path: String,
    /// What it is where nobody says anything, as TOML; empty where it then has no value.
    pub default: String,
    /// What is allowed, where that is not any word or path.
    pub allowed: String,
    /// What it means.
    pub about: String,
}

/// What stands for a name that whoever configures chooses.
const NAME: &str = "NAME";

static SCHEMA: LazyLock<Json> = LazyLock::new(|| {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Config>().to_value()
});

/// The JSON Schema of the configuration (draft 2020-12).
pub fn schema() -> &'static Json {
    &SCHEMA
}

/// Every key, by section.
pub fn keys() -> Vec<Key> {
    let mut keys = Vec::new();
    each(schema(), String::new(), &mut |path, node| {
        let about = node["description"].as_str().unwrap_or_default();
        let about = about.split_whitespace().collect::<Vec<_>>().join(" ");
        keys.push(Key { path, default: default(node), allowed: allowed(node), about });
    });
    keys
}

/// Keys of a configuration that there are not, each with what may be meant, and values of another kind than their keys have; each
/// with where it stands.
pub(super) fn faults(given: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    strange(given, schema(), String::new(), &mut faults);
    faults
}

/// Values that lie outside of their bounds, each with where it was given.
pub(super) fn out_of_bounds(config: &Config, given: Option<&Value>) -> Vec<String> {
    // What cannot be told as JSON would be a bug of ours, which the test of every key finds.
    let values = serde_json::to_value(config).unwrap_or_default();
    let mut faults = Vec::new();
    outside(&values, given, schema(), String::new(), &mut faults);
    faults
}

/// The part of a schema that says something: of what may also be missing, that which it is otherwise.
fn meant(node: &Json) -> &Json {
    let parts = node["anyOf"].as_array().into_iter().flatten();
    parts.into_iter().find(|part| part["type"] != "null").unwrap_or(node)
}

/// Whether a node is of a kind; what may be missing is of two.
fn is(node: &Json, kind: &str) -> bool {
    let of = &node["type"];
    *of == *kind || of.as_array().is_some_and(|kinds| kinds.contains(&kind.into()))
}

/// The node below a table's node that a name leads to.
fn below<'a>(node: &'a Json, name: &str) -> Option<&'a Json> {
    let named = meant(node)["properties"].get(name);
    named.or_else(|| Some(&meant(node)["additionalProperties"]).filter(|inner| inner.is_object()))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn is_section(node: &Json) -> bool {
    is(meant(node), "object")
}

/// Every section, in the order of the page.
fn sections(node: &Json, path: &str) -> Vec<String> {
    let properties = meant(node)["properties"].as_object().into_iter().flatten();
    let inner = properties.filter(|(_, property)| is_section(property)).flat_map(|(name, property)| {
        let path = join(path, name);
        let below = sections(property, &path);
        std::iter::once(path).chain(below)
    });
    inner.collect()
}

/// Goes through all keys that hold a value.
fn each(node: &Json, path: String, see: &mut impl FnMut(String, &Json)) {
    let inner = meant(node);
    let properties = inner["properties"].as_object();
    for (name, property) in properties.into_iter().flatten() {
        each(property, join(&path, name), see);
    }
    let free = &inner["additionalProperties"];
    match (properties, free.is_object()) {
        (None, true) if free["properties"].is_object() => each(free, join(&path, NAME), see),
        // A value for each name: what it means is said of the table.
        (None, true) => see(join(&path, NAME), node),
        (None, false) => see(path, node),
        (Some(_), _) => {}
    }
}

fn default(node: &Json) -> String {
    match &node["default"] {
        Json::Array(values) if values.is_empty() => String::new(),
        // Of a table each key has its own.
        Json::Null | Json::Object(_) => String::new(),
        given @ (Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_)) => given.to_string(),
    }
}

fn allowed(node: &Json) -> String {
    let inner = meant(node);
    let below = ["additionalProperties", "items"].map(|name| &inner[name]);
    let of = below.into_iter().find(|below| below.is_object()).unwrap_or(inner);
    match (&of["minimum"], &of["maximum"]) {
        (Json::Number(least), Json::Number(most)) => format!("{least} to {most}"),
        _ => match of["format"].as_str() {
            // Numbers have formats too, those of Rust's types.
            Some(format) if is(of, "string") => format.to_owned(),
            Some(_) | None => words(of).collect::<Vec<_>>().join(", "),
        },
    }
}

/// The words that a node allows, where it is a choice of them.
fn words(node: &Json) -> impl Iterator<Item = &str> {
    let own = node["enum"].as_array().into_iter().flatten();
    // Each with its own description.
    let told = node["oneOf"].as_array().into_iter().flatten();
    let told = told.flat_map(|word| word["enum"].as_array().into_iter().flatten().chain(word.get("const")));
    own.chain(told).filter_map(Json::as_str)
}

fn strange(given: &Value, node: &Json, path: String, faults: &mut Vec<String>) {
    if let Some(wanted) = wanted(&given.kind, node) {
        faults.push(format!("{path}{}: got {}, allowed {wanted}", place(given), shown(&given.kind)));
        return;
    }
    if let ValueKind::Array(values) = &given.kind {
        let inner = &meant(node)["items"];
        values
            .iter()
            .enumerate()
            .for_each(|(i, value)| strange(value, inner, format!("{path}[{i}]"), faults));
    }
    let ValueKind::Table(table) = &given.kind else { return };
    let mut names: Vec<_> = table.iter().collect();
    names.sort_by_key(|(name, _)| *name);
    for (name, value) in names {
        let path = join(&path, name);
        match below(node, name) {
            Some(inner) => strange(value, inner, path, faults),
            None => {
                let hint = hint(&path, matches!(value.kind, ValueKind::Table(_)), node);
                faults.push(format!("{path}{}: there is no such key, {hint}", place(value)));
            }
        }
    }
}

/// What a value should be, where it is something else. Outside of a file all values are words, of which numbers are made.
fn wanted(given: &ValueKind, node: &Json) -> Option<String> {
    let is = |kind: &str| is(meant(node), kind);
    let text = given.to_string();
    let mut words = words(meant(node)).peekable();
    let (fits, wanted) = if words.peek().is_some() {
        (words.any(|word| word == text), "are")
    } else if is("integer") {
        (text.parse::<u64>().is_ok(), "is a whole number,")
    } else if is("number") {
        (text.parse::<f64>().is_ok(), "is a number,")
    } else if is("boolean") {
        (matches!(text.as_str(), "true" | "false"), "is true or false")
    } else if is("array") {
        (matches!(given, ValueKind::Array(_)), "is a list of words")
    } else if is("string") {
        let formed = !allowed(node).is_empty();
        (matches!(given, ValueKind::String(_)), if formed { "is" } else { "is a word" })
    } else {
        (matches!(given, ValueKind::Table(_)), "is a section")
    };
    (!fits).then(|| format!("{wanted} {}", allowed(node)).trim_end().to_owned())
}

/// A value as its reader wrote it.
fn shown(given: &ValueKind) -> String {
    match given {
        ValueKind::String(word) => format!("{:?}", super::telemetry::masked(word)),
        ValueKind::Array(_) => "a list".into(),
        ValueKind::Table(_) => "a section".into(),
        ValueKind::Nil | ValueKind::Boolean(_) | ValueKind::Float(_) => given.to_string(),
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => given.to_string(),
    }
}

/// Where a value, or the first one below it, was said.
fn place(value: &Value) -> String {
    let mut left = VecDeque::from([value]);
    while let Some(value) = left.pop_front() {
        if let Some(origin) = value.origin() {
            return format!(" (in {origin})");
        }
        if let ValueKind::Table(table) = &value.kind {
            left.extend(table.values());
        }
    }
    String::new()
}

/// What is meant by a key or a section that there is not, or which there are beside it.
fn hint(path: &str, section: bool, node: &Json) -> String {
    /// Likeness of a slip of the pen.
    const ALIKE: f64 = 0.7;
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let alike = |key: &str| {
        let whole = strsim::normalized_damerau_levenshtein(path, key);
        // The right name in another section, or in none.
        let tail = strsim::normalized_damerau_levenshtein(&last(path), &last(key)) - 0.1;
        whole.max(tail)
    };
    let known =
        if section { sections(schema(), "") } else { keys().into_iter().map(|key| key.path).collect() };
    // Of those that are equally alike the first counts, which is the last one from behind.
    let scored = known.into_iter().rev().map(|key| (alike(&key), key));
    match scored.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((score, key)) if score >= ALIKE => format!("did you mean {key}?"),
        Some(_) | None => {
            let names =
                meant(node)["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
            format!("there are {}", names.collect::<Vec<_>>().join(", "))
        }
    }
}

fn outside(value: &Json, given: Option<&Value>, node: &Json, path: String, faults: &mut Vec<String>) {
    let of = meant(node);
    let place = || given.map(place).unwrap_or_default();
    match value {
        Json::Object(table) => {
            let given = |name: &str| match given.map(|given| &given.kind) {
                Some(ValueKind::Table(table)) => table.get(name),
                Some(_) | None => None,
            };
            for (name, value) in table {
                if let Some(inner) = below(node, name) {
                    outside(value, given(name), inner, join(&path, name), faults);
                }
            }
        }
        Json::Number(_) => {
            let beyond = |bound: &str, is: fn(f64, f64) -> bool| {
                value.as_f64().zip(of[bound].as_f64()).is_some_and(|(value, bound)| is(value, bound))
            };
            if beyond("minimum", |value, least| value < least)
                || beyond("maximum", |value, most| value > most)
            {
                let (least, most, place) = (&of["minimum"], &of["maximum"], place());
                faults.push(format!("{path}{place} is {value}, allowed is {least} to {most}"));
            }
        }
        Json::Array(values) => {
            let bound = |name: &str| of[name].as_u64();
            let count = values.len() as u64;
            let few = bound("minItems").is_some_and(|least| count < least);
            if few || bound("maxItems").is_some_and(|most| count > most) {
                let (least, most, place) = (&of["minItems"], &of["maxItems"], place());
                faults.push(format!("{path}{place} has {count} values, allowed are {least} to {most}"));
            }
        }
        Json::Null | Json::Bool(_) | Json::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_says_what_it_means_and_every_number_what_is_allowed() {
        let keys = keys();
        let paths: Vec<_> = keys.iter().map(|key| key.path.as_str()).collect();
        for path in
            ["server.listen", "pool.weights.bulk", "tenants.NAME.burst", "models.workers.NAME", "audit.file"]
        {
            assert!(paths.contains(&path), "{path} of {paths:?}");
        }
        for key in &keys {
            assert!(!key.about.is_empty(), "{} has no words", key.path);
        }
        let mut numbers = Vec::new();
        each(schema(), String::new(), &mut |path, node| {
            let kind = meant(node)["type"].to_string();
            if (kind.contains("integer") || kind.contains("number")) && allowed(node).is_empty() {
                numbers.push(path);
            }
        });
        assert!(numbers.is_empty(), "{numbers:?} have no bounds");
    }

    #[test]
    fn defaults_lie_within_their_bounds() {
        assert_eq!(out_of_bounds(&Config::default(), None), Vec::<String>::new());
        assert_eq!(out_of_bounds(&Config::default().serving(), None), Vec::<String>::new());
    }

    #[test]
    fn a_slip_of_the_pen_is_told_with_what_was_meant() {
        let hint = |path: &str| hint(path, false, &schema()["properties"]["pool"]);
        assert_eq!(hint("pool.batches"), "did you mean pool.batch?");
        assert_eq!(hint("batch"), "did you mean pool.batch?");
        assert_eq!(hint("http2.max_stream"), "did you mean http2.max_streams?");
        assert_eq!(
            hint("pool.colour"),
            "there are workers, threads, batch, calibration, cache, weights, devices, fallback"
        );
        assert_eq!(hint("listen"), "did you mean server.listen?");
    }

    #[test]
    fn a_section_that_there_is_not_is_held_against_sections() {
        assert_eq!(sections(schema(), "")[..3], ["server", "http2", "tls"]);
        for (path, meant) in [
            ("sever", "server"),
            ("tenant", "tenants"),
            ("weights", "pool.weights"),
            ("models.worker", "models.workers"),
        ] {
            assert_eq!(hint(path, true, schema()), format!("did you mean {meant}?"));
        }
        assert!(hint("batch", true, schema()).starts_with("there are server, "));
    }
}
