//! How many parts a message has, counted on the wire before anything is made of it.
//!
//! An empty message takes two bytes on the wire and hundreds in memory, so that a message of a few megabytes can become one of
//! gigabytes. What is counted is every field that is there, and every number of a packed list.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use prost::Message as _;
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FileDescriptorSet};

use crate::DESCRIPTOR_SET;

/// Parts of a request: thirty-two candidates and as many metrics, each with all that can be said of it, are a tenth of it.
const MOST: u64 = 10_000;
/// Parts of a message that may bring a row of a dataset, which has every figure of every explanation.
const MOST_OF_ROWS: u64 = 200_000;
const WITH_ROWS: &str = "unmask.v1.EvaluateDatasetRequest";
/// The field of it that brings a plan and no row.
const PLAN: u64 = 1;

/// How deep messages of the contract nest at most, generously.
const DEEPEST: usize = 32;

/// Fields of a message that hold more than themselves.
type Fields = BTreeMap<u32, Inside>;

/// What a field holds.
enum Inside {
    /// A message of this name.
    Message(String),
    /// Numbers of varying length, which may stand packed.
    Varints,
}

/// Looks whether a message, of which the contract's full name is given, has more parts than one of its kind may have. A message
/// that cannot be read is somebody else's matter.
///
/// # Errors
/// What is too much.
pub fn check(name: &str, bytes: &[u8]) -> Result<(), String> {
    let most = if name == WITH_ROWS && !has(bytes, PLAN) { MOST_OF_ROWS } else { MOST };
    let mut left = most;
    match walk(name, bytes, DEEPEST, &mut left) {
        Some(()) => Ok(()),
        None => Err(format!("the message has more than {most} fields and numbers, which no request needs")),
    }
}

/// Counts down from `left`; `None` once there are too many.
fn walk(name: &str, mut bytes: &[u8], depth: usize, left: &mut u64) -> Option<()> {
    let fields = contract().get(name);
    while !bytes.is_empty() {
        *left = left.checked_sub(1)?;
        let Some(tag) = varint(&mut bytes) else { return Some(()) };
        let inside = u32::try_from(tag >> 3).ok().and_then(|number| fields?.get(&number));
        let skipped = match tag & 7 {
            0 => varint(&mut bytes).map(|_| ()),
            1 => skip(&mut bytes, 8).map(|_| ()),
            5 => skip(&mut bytes, 4).map(|_| ()),
            2 => match varint(&mut bytes).and_then(|length| skip(&mut bytes, length)) {
                None => None,
                Some(held) => {
                    match inside {
                        Some(Inside::Message(of)) if depth > 0 => walk(of, held, depth - 1, left)?,
                        Some(Inside::Varints) => *left = left.checked_sub(held.len() as u64)?,
                        Some(Inside::Message(_)) | None => {}
                    }
                    Some(())
                }
            },
            // What stands in a group, which no message of ours has, is counted like what stands around it.
            3 | 4 => Some(()),
            _ => None,
        };
        if skipped.is_none() {
            return Some(());
        }
    }
    Some(())
}

/// Whether a message has a field of this number.
fn has(mut bytes: &[u8], number: u64) -> bool {
    while let Some(tag) = varint(&mut bytes) {
        let skipped = match tag & 7 {
            0 => varint(&mut bytes).map(|_| ()),
            1 => skip(&mut bytes, 8).map(|_| ()),
            5 => skip(&mut bytes, 4).map(|_| ()),
            2 => varint(&mut bytes).and_then(|length| skip(&mut bytes, length)).map(|_| ()),
            3 | 4 => Some(()),
            _ => None,
        };
        if tag >> 3 == number {
            return true;
        }
        if skipped.is_none() {
            return false;
        }
    }
    false
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn skip<'a>(bytes: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (held, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(held)
}

/// The contract's messages by their full names.
fn contract() -> &'static HashMap<String, Fields> {
    static CONTRACT: OnceLock<HashMap<String, Fields>> = OnceLock::new();
    CONTRACT.get_or_init(|| {
        let set = FileDescriptorSet::decode(DESCRIPTOR_SET).unwrap_or_default();
        let mut messages = HashMap::new();
        for file in &set.file {
            file.message_type.iter().for_each(|message| add(file.package(), message, &mut messages));
        }
        messages
    })
}

fn add(scope: &str, message: &DescriptorProto, messages: &mut HashMap<String, Fields>) {
    let name = format!("{scope}.{}", message.name());
    message.nested_type.iter().for_each(|nested| add(&name, nested, messages));
    let fields = message.field.iter().filter_map(|field| {
        let number = u32::try_from(field.number()).ok()?;
        let inside = match field.r#type() {
            Type::Message => Inside::Message(field.type_name().trim_start_matches('.').to_owned()),
            Type::Int32
            | Type::Int64
            | Type::Uint32
            | Type::Uint64
            | Type::Sint32
            | Type::Sint64
            | Type::Bool
            | Type::Enum => Inside::Varints,
            Type::Double
            | Type::Float
            | Type::Fixed32
            | Type::Fixed64
            | Type::Sfixed32
            | Type::Sfixed64
            | Type::String
            | Type::Bytes
            | Type::Group => return None,
        };
        Some((number, inside))
    });
    messages.insert(name, fields.collect());
}

#[cfg(test)]
mod tests {
    use prost::Name as _;

    use super::*;
    use crate::v1;

    fn refused<T: prost::Message + prost::Name>(message: &T) -> bool {
        check(&T::full_name(), &message.encode_to_vec()).is_err()
    }

    #[test]
    fn messages_without_end_inside_a_message_are_too_many_and_bytes_are_not() {
        let metrics = vec![v1::Metric::default(); MOST as usize];
        let plan = v1::EvaluationPlan { metrics, ..v1::EvaluationPlan::default() };
        assert!(refused(&v1::EvaluateRequest { plan: Some(plan), ..Default::default() }));
        let image = vec![0x0A; 1 << 20];
        assert!(!refused(&v1::EvaluateRequest { image, ..Default::default() }));
    }

    #[test]
    fn packed_and_unpacked_numbers_are_counted() {
        let outputs = vec![1; MOST as usize];
        assert!(refused(&v1::ExplainRequest { outputs, ..Default::default() }));
        let name = v1::ExplainRequest::full_name();
        let outputs = v1::ExplainRequest { outputs: vec![1], ..Default::default() }.encode_to_vec();
        let unpacked = [outputs[0] & !7, 1].repeat(MOST as usize + 1);
        assert!(check(&name, &unpacked).is_err());
        assert!(check(&name, &unpacked[2..]).is_ok());
    }

    #[test]
    fn unknown_fields_and_groups_are_counted_and_nonsense_is_left_to_others() {
        let name = v1::ExplainRequest::full_name();
        assert!(check(&name, &[0xFA, 0x3F, 0].repeat(MOST as usize + 1)).is_err());
        assert!(check(&name, &[0xFB, 0x3F].repeat(MOST as usize + 1)).is_err());
        for nonsense in [&[0xFF; 20][..], &[0x0A, 0xFF, 0xFF], &[0x07], &[0x0A, 5, 1]] {
            assert!(check(&name, nonsense).is_ok());
        }
    }

    #[test]
    fn a_plan_has_no_more_parts_than_any_other_request() {
        let candidates = vec![v1::Candidate::default(); MOST as usize];
        let plan = Some(v1::EvaluationPlan { candidates, ..Default::default() });
        let plan = v1::DatasetPlan { plan, ..Default::default() };
        let kind = Some(v1::evaluate_dataset_request::Kind::Plan(plan));
        assert!(refused(&v1::EvaluateDatasetRequest { kind }));
    }

    #[test]
    fn the_largest_row_is_read_and_a_larger_one_is_not() {
        let figure = v1::Figure {
            name: "comprehensiveness_10".into(),
            value: Some(0.5),
            better: 1,
            ..Default::default()
        };
        let result = v1::Result {
            metric: "m".into(),
            figures: vec![figure; 12],
            announced: 9,
            run: 9,
            ..Default::default()
        };
        let evaluated = v1::Evaluated { name: "c".into(), results: vec![result; 32], ..Default::default() };
        for (explanations, fits) in [(35, true), (350, false)] {
            let evaluated = vec![evaluated.clone(); explanations];
            let answer = v1::EvaluateResponse { evaluated, ..Default::default() };
            let kind = Some(v1::dataset_row::Kind::Answer(answer));
            let row = v1::DatasetRow { id: "i".into(), kind, ..Default::default() };
            let item = v1::DatasetItem { kind: Some(v1::dataset_item::Kind::Row(row)), ..Default::default() };
            let kind = Some(v1::evaluate_dataset_request::Kind::Item(item));
            assert_eq!(refused(&v1::EvaluateDatasetRequest { kind }), !fits);
        }
    }
}
