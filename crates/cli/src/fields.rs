//! Messages by name: `--method rise --param masks=1000` becomes a `Method`, and answers become JSON, through the
//! contract's descriptors, so that a new method or field needs no code here.

use anyhow::{Context as _, anyhow, bail};
use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, SerializeOptions, Value,
};
use serde_json::Value as Json;
use unmask_protocol::{DESCRIPTOR_SET, v1};

fn descriptor(message: &str) -> anyhow::Result<MessageDescriptor> {
    let pool = DescriptorPool::decode(DESCRIPTOR_SET).context("the contract's descriptors are broken")?;
    pool.get_message_by_name(&format!("unmask.v1.{message}")).with_context(|| format!("no message {message}"))
}

/// A message with one `oneof`, such as `Method`: the case `name` with its fields.
pub(crate) fn choice<M: Message + Default>(
    message: &str,
    name: &str,
    fields: &[(String, String)],
) -> anyhow::Result<M> {
    Ok(choose(&descriptor(message)?, name, fields)?.transcode_to()?)
}

/// The same as one word: `NAME` or `NAME:KEY=VALUE,KEY=VALUE`.
pub(crate) fn said<M: Message + Default>(message: &str, text: &str) -> anyhow::Result<M> {
    let (name, rest) = text.split_once(':').unwrap_or((text, ""));
    let pair = |text: &str| match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err(anyhow!("KEY=VALUE is needed after {name}:, got \"{text}\"")),
    };
    let fields: Vec<_> =
        rest.split(',').filter(|part| !part.is_empty()).map(pair).collect::<Result<_, _>>()?;
    choice(message, name, &fields)
}

fn choose(
    outer: &MessageDescriptor,
    name: &str,
    fields: &[(String, String)],
) -> anyhow::Result<DynamicMessage> {
    let what = outer.name().to_lowercase();
    // Fields beside the oneof, such as a preset, are no case of it.
    let cases = || outer.fields().filter(|f| f.containing_oneof().is_some());
    let names = || cases().map(|f| f.name().to_owned()).collect::<Vec<_>>().join(", ");
    let case = cases()
        .find(|f| f.name() == name)
        .ok_or_else(|| anyhow!("no {what} \"{name}\", there are {}", names()))?;
    let Kind::Message(inner) = case.kind() else { bail!("{what} {name} has no parameters") };
    let mut parameters = DynamicMessage::new(inner.clone());
    // `attack=paper,attack.steps=7`: what is behind the dot belongs to the choice before it.
    for (key, value) in fields.iter().filter(|(key, _)| !key.contains('.')) {
        let field = inner.get_field_by_name(key).ok_or_else(|| {
            let known: Vec<_> = inner.fields().map(|f| f.name().to_owned()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            anyhow!("{what} {name} has no parameter \"{key}\", its parameters are: {known}")
        })?;
        let context = || format!("parameter {key} of {what} {name}");
        let value = if let Kind::Message(choice) = field.kind() {
            let own = |(k, v): &(String, String)| {
                Some((k.strip_prefix(key)?.strip_prefix('.')?.to_owned(), v.clone()))
            };
            let below: Vec<_> = fields.iter().filter_map(own).collect();
            Value::Message(choose(&choice, value, &below).with_context(context)?)
        } else {
            parse(&field, value).with_context(context)?
        };
        parameters.set_field(&field, value);
    }
    let said = |prefix: &str| fields.iter().any(|(key, _)| key == prefix);
    if let Some((key, _)) =
        fields.iter().find(|(k, _)| k.split_once('.').is_some_and(|(prefix, _)| !said(prefix)))
    {
        bail!("{what} {name}: \"{key}\" belongs to a choice that is not made");
    }
    let mut chosen = DynamicMessage::new(outer.clone());
    chosen.set_field(&case, Value::Message(parameters));
    Ok(chosen)
}

/// A scale by its word; the server's own where none is given.
pub(crate) fn scale(word: Option<&str>) -> anyhow::Result<v1::Scale> {
    let Some(word) = word else { return Ok(v1::Scale::Unspecified) };
    v1::Scale::from_str_name(&format!("SCALE_{}", word.to_uppercase())).with_context(|| {
        format!("--scale is \"{word}\", allowed are log_odds, probability and double_softmax")
    })
}

/// A message with one `oneof` as the word that makes it: `NAME:KEY=VALUE,KEY=VALUE`.
pub(crate) fn word<M: Message>(message: &str, chosen: &M) -> anyhow::Result<String> {
    let outer = DynamicMessage::decode(descriptor(message)?, chosen.encode_to_vec().as_slice())?;
    let Some((name, fields)) = chosen_case(&outer) else { return Ok(String::new()) };
    let mut words = Vec::new();
    spell(&fields, "", &mut words);
    Ok(if words.is_empty() { name } else { format!("{name}:{}", words.join(",")) })
}

/// The case of the `oneof` with its fields.
fn chosen_case(outer: &DynamicMessage) -> Option<(String, DynamicMessage)> {
    outer
        .fields()
        .filter(|(field, _)| field.containing_oneof().is_some())
        .find_map(|(field, value)| Some((field.name().to_owned(), value.as_message()?.clone())))
}

fn spell(fields: &DynamicMessage, prefix: &str, words: &mut Vec<String>) {
    for (field, value) in fields.fields() {
        let key = format!("{prefix}{}", field.name());
        match (value.as_message().and_then(chosen_case), field.kind(), value) {
            (Some((name, below)), ..) => {
                words.push(format!("{key}={name}"));
                spell(&below, &format!("{key}."), words);
            }
            (None, Kind::Enum(all), Value::EnumNumber(number)) => {
                let name = all.get_value(*number).map(|value| value.name().to_owned());
                words.push(format!("{key}={}", name.unwrap_or_else(|| number.to_string())));
            }
            // What cannot be typed cannot be told in a word.
            (None, Kind::Bytes | Kind::Message(_), _) => {}
            (None, _, Value::String(text)) => words.push(format!("{key}={text}")),
            (None, _, value) => words.push(format!("{key}={value}")),
        }
    }
}

fn parse(field: &FieldDescriptor, text: &str) -> anyhow::Result<Value> {
    let wanted = |what: &str| format!("got \"{text}\", {what} is needed");
    Ok(match field.kind() {
        Kind::Uint32 => Value::U32(text.parse().with_context(|| wanted("a whole number"))?),
        Kind::Uint64 => Value::U64(text.parse().with_context(|| wanted("a whole number"))?),
        Kind::Double => Value::F64(text.parse().with_context(|| wanted("a number"))?),
        Kind::Bool => Value::Bool(text.parse().with_context(|| wanted("true or false"))?),
        Kind::String => Value::String(text.to_owned()),
        Kind::Enum(words) => {
            // OCCLUSION_MODE_SHOW may be typed as "show".
            let said = text.to_uppercase();
            let word = words.values().find(|v| v.name() == said || v.name().ends_with(&format!("_{said}")));
            let known = || words.values().map(|v| v.name().to_owned()).collect::<Vec<_>>().join(", ");
            Value::EnumNumber(word.ok_or_else(|| anyhow!(wanted(&format!("one of {}", known()))))?.number())
        }
        Kind::Float
        | Kind::Int32
        | Kind::Int64
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Fixed32
        | Kind::Fixed64
        | Kind::Sfixed32
        | Kind::Sfixed64
        | Kind::Bytes
        | Kind::Message(_) => bail!("cannot be given as text"),
    })
}

/// A message from its JSON.
pub(crate) fn message<M: Message + Default>(message: &str, json: &Json) -> anyhow::Result<M> {
    Ok(DynamicMessage::deserialize(descriptor(message)?, json)?.transcode_to()?)
}

/// An answer as JSON, under the contract's own field names.
pub(crate) fn json<M: Message>(message: &str, answer: &M) -> anyhow::Result<Json> {
    let dynamic = DynamicMessage::decode(descriptor(message)?, answer.encode_to_vec().as_slice())?;
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
        .stringify_64_bit_integers(false)
        .skip_default_fields(false);
    Ok(dynamic.serialize_with_options(serde_json::value::Serializer, &options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
    }

    #[test]
    fn a_method_is_made_from_its_name_and_parameters() {
        let method: v1::Method =
            choice("Method", "occlusion", &pairs(&[("grid", "4"), ("mode", "show")])).unwrap();
        let expected = v1::Occlusion { grid: Some(4), window: None, mode: v1::OcclusionMode::Show.into() };
        assert_eq!(method.kind, Some(v1::method::Kind::Occlusion(expected)));
    }

    #[test]
    fn a_choice_is_told_in_the_word_that_makes_it() {
        for text in [
            "auroc",
            "deletion:step=9,fill=blur,fill.sigma=3.5",
            "adversarial_sufficiency:regions=2,attack=paper,attack.steps=7",
            "rfxg:score=RFXG_SCORE_CGC,as_coded=true",
        ] {
            let metric: v1::Metric = said("Metric", text).unwrap();
            assert_eq!(word("Metric", &metric).unwrap(), text);
        }
    }

    #[test]
    fn a_wrong_name_key_or_value_is_told_what_there_is() {
        let error = |name, fields: &[(&str, &str)]| {
            format!("{:#}", choice::<v1::Method>("Method", name, &pairs(fields)).unwrap_err())
        };
        let expected = "no method \"gradcam\", there are rise, occlusion, lime, sobol, partition_shap, kernel_shap, reveal, hsic, hipe";
        assert_eq!(error("gradcam", &[]), expected);
        assert!(error("preset", &[]).starts_with("no method \"preset\""));
        let expected = "method rise has no parameter \"n\", its parameters are: masks, grid, keep_probability, centred, paired";
        assert_eq!(error("rise", &[("n", "1")]), expected);
        assert!(error("rise", &[("masks", "-1")]).contains("got \"-1\", a whole number is needed"));
        assert!(error("occlusion", &[("mode", "x")]).contains("OCCLUSION_MODE_HIDE"));
    }
}
