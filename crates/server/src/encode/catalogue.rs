//! Methods, fills, segmentations and presets as the catalogue tells them.

use unmask_core::{Kind, Param, Value};
use unmask_explainer::catalogue::Descriptor;
use unmask_explainer::fill::FILLS;
use unmask_explainer::methods::{METHODS, Method, Reveal};
use unmask_explainer::quality::{self, Quality};
use unmask_explainer::segment::SEGMENTATIONS;
use unmask_protocol::v1;

use super::resolved;

/// The catalogue.
pub(crate) fn methods() -> v1::ListMethodsResponse {
    let entries = |list: &[Descriptor]| list.iter().map(entry).collect();
    v1::ListMethodsResponse {
        methods: entries(METHODS),
        fills: entries(FILLS),
        segmentations: entries(SEGMENTATIONS),
        presets: quality::qualities().into_iter().map(preset).collect(),
    }
}

fn preset(quality: Quality) -> v1::PresetEntry {
    let Quality { preset, summary, search } = quality;
    let kind = resolved::method_kind(&Method::Reveal(Reveal::default()));
    v1::PresetEntry {
        name: preset.name().into(),
        summary: summary.into(),
        method: Some(v1::Method { kind: Some(kind), preset: preset.name().into() }),
        fill: Some(v1::Fill { kind: Some(v1::fill::Kind::Adversarial(resolved::bounded(&search))) }),
        is_default: preset == quality::USUAL,
    }
}

pub(super) fn entry(descriptor: &Descriptor) -> v1::CatalogueEntry {
    v1::CatalogueEntry {
        name: descriptor.name.into(),
        summary: descriptor.summary.into(),
        citation: descriptor.citation.into(),
        parameters: descriptor.params.iter().map(parameter).collect(),
        passes: descriptor.passes.into(),
    }
}

fn parameter(param: &Param) -> v1::Parameter {
    let (default_value, allowed) = match param.kind {
        Kind::Integer { default, min, max } => (default.to_string(), format!("{min} to {max}")),
        Kind::Real { default, min, max } => (default.to_string(), format!("{min} to {max}")),
        Kind::Choice(words) => (words[0].to_owned(), words.join(", ")),
        Kind::Flag(default) => (default.to_string(), "true, false".to_owned()),
        Kind::Numbers(allowed) => (String::new(), allowed.to_owned()),
        Kind::Picture => (String::new(), "a picture file".to_owned()),
    };
    v1::Parameter {
        name: param.name.into(),
        unit: param.unit.into(),
        default_value,
        allowed,
        help: param.help.into(),
        source: param.source.into(),
        paper_value: param.paper.map_or_else(String::new, |value| match value {
            Value::Integer(value) => value.to_string(),
            Value::Real(value) => value.to_string(),
            Value::Flag(value) => value.to_string(),
        }),
    }
}
