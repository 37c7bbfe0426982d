//! Messages as JSON under the contract's own field names, without any bytes: pixels, label maps and map values are bytes, so that
//! none of them can stand in a record.

use std::sync::LazyLock;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, SerializeOptions, Value};
use serde_json::Value as Json;

static CONTRACT: LazyLock<Result<DescriptorPool, String>> = LazyLock::new(|| {
    DescriptorPool::decode(unmask_protocol::DESCRIPTOR_SET).map_err(|error| error.to_string())
});

/// The message; where it cannot be told, which would be a bug of ours, why.
pub(super) fn json<M: Message>(name: &str, message: &M) -> Json {
    told(name, message).unwrap_or_else(|reason| Json::String(format!("cannot be told: {reason}")))
}

fn told<M: Message>(name: &str, message: &M) -> Result<Json, String> {
    let contract = CONTRACT.as_ref().map_err(Clone::clone)?;
    let descriptor =
        contract.get_message_by_name(&format!("unmask.v1.{name}")).ok_or_else(|| format!("no {name}"))?;
    let bytes = message.encode_to_vec();
    let mut dynamic = DynamicMessage::decode(descriptor, bytes.as_slice()).map_err(|e| e.to_string())?;
    strip(&mut dynamic);
    let options = SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
    dynamic
        .serialize_with_options(serde_json::value::Serializer, &options.skip_default_fields(true))
        .map_err(|e| e.to_string())
}

/// Takes all bytes out.
fn strip(message: &mut DynamicMessage) {
    let bytes: Vec<_> =
        message.fields().map(|(field, _)| field).filter(|field| field.kind() == Kind::Bytes).collect();
    for field in bytes {
        message.clear_field(&field);
    }
    for (_, value) in message.fields_mut() {
        strip_value(value);
    }
}

fn strip_value(value: &mut Value) {
    match value {
        Value::Message(message) => strip(message),
        Value::List(list) => list.iter_mut().for_each(strip_value),
        Value::Map(map) => map.values_mut().for_each(strip_value),
        Value::Bool(_)
        | Value::I32(_)
        | Value::I64(_)
        | Value::U32(_)
        | Value::U64(_)
        | Value::F32(_)
        | Value::F64(_)
        | Value::String(_)
        | Value::Bytes(_)
        | Value::EnumNumber(_) => {}
    }
}

/// JSON in printable ASCII alone, so that no reader of lines sees more than one, and no terminal obeys it. Text outside of strings
/// is ASCII anyway, so that every other character may be escaped.
pub(super) fn ascii(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    for character in json.chars() {
        if matches!(character, ' '..='~') {
            line.push(character);
            continue;
        }
        let mut units = [0; 2];
        for unit in character.encode_utf16(&mut units) {
            line += &format!("\\u{unit:04x}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use unmask_protocol::v1;

    use super::*;

    #[test]
    fn bytes_are_left_out_however_deep_they_lie() {
        let image = v1::ImageFill { image: vec![7; 64], sha256: "abc".into() };
        let fill = || Some(v1::Fill { kind: Some(v1::fill::Kind::Image(image.clone())) });
        let map = v1::Map { height: 1, width: 1, values: vec![7; 4], sha256: "def".into() };
        let map = v1::SuppliedMap { map: Some(map), reading: v1::Reading::Evidence.into() };
        let plan = v1::EvaluationPlan {
            candidates: vec![v1::Candidate {
                name: "mine".into(),
                kind: Some(v1::candidate::Kind::Map(map)),
                fill: fill(),
                segmentation: None,
            }],
            metrics: vec![v1::Metric { kind: Some(v1::metric::Kind::Road(v1::Road { fill: fill() })) }],
            ..v1::EvaluationPlan::default()
        };
        let expected = serde_json::json!({
            "candidates": [{
                "name": "mine",
                "map": { "map": { "height": 1, "width": 1, "sha256": "def" }, "reading": "READING_EVIDENCE" },
                "fill": { "image": { "sha256": "abc" } },
            }],
            "metrics": [{ "road": { "fill": { "image": { "sha256": "abc" } } } }],
        });
        assert_eq!(json("EvaluationPlan", &plan), expected);
    }

    #[test]
    fn a_message_that_there_is_not_is_told_and_not_left_out() {
        assert_eq!(json("Nothing", &v1::Cost::default()), "cannot be told: no Nothing");
    }

    #[test]
    fn a_line_is_printable_ascii_and_reads_as_before() {
        let text = "mouth \u{7f} \u{85} \u{2028} né 𝄞 \n\t\r\" \\ \u{1b}[31m";
        let line = ascii(&serde_json::to_string(text).unwrap());
        assert!(line.bytes().all(|b| (b' '..=b'~').contains(&b)), "{line}");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }
}
