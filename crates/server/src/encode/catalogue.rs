//! Methods and fills as the catalogue tells them.

use unmask_core::{Kind, Param};
use unmask_explainer::catalogue::Descriptor;
use unmask_explainer::fill::FILLS;
use unmask_explainer::methods::METHODS;
use unmask_protocol::v1;

/// The catalogue.
pub(crate) fn methods() -> v1::ListMethodsResponse {
    let entries = |list: &[Descriptor]| list.iter().map(entry).collect();
    v1::ListMethodsResponse { methods: entries(METHODS), fills: entries(FILLS) }
}

fn entry(descriptor: &Descriptor) -> v1::CatalogueEntry {
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
        Kind::Picture => (String::new(), "a picture file".to_owned()),
    };
    v1::Parameter {
        name: param.name.into(),
        unit: param.unit.into(),
        default_value,
        allowed,
        help: param.help.into(),
        source: param.source.into(),
    }
}
