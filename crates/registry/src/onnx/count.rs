//! How many parts a model file has, counted before anything is decoded. A part takes two bytes in the file and a hundred
//! times as many once it is decoded, so that a file within its limit could take all of the memory.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// Most parts of a model: nodes, names, attributes, tensors, sizes. Models of hundreds of layers have tens of thousands.
pub(super) const MOST: usize = 1_000_000;

/// Messages within messages beyond this are left to the decoder, which refuses them.
const DEEPEST: u32 = 100;

/// The messages of ONNX whose parts are decoded.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Training,
    Function,
    Graph,
    Node,
    Attribute,
    Tensor,
    Sparse,
}

/// A field of a message: another message, a part without parts, or one that is never decoded.
enum Child {
    Message(Kind),
    Part,
    Skipped,
}

/// The tags of `proto.rs`.
fn child(kind: Kind, tag: u32) -> Child {
    let message = match (kind, tag) {
        (Kind::Model, 7) | (Kind::Training, 1 | 2) | (Kind::Attribute, 6 | 11) => Kind::Graph,
        (Kind::Model, 20) => Kind::Training,
        (Kind::Model, 25) => Kind::Function,
        (Kind::Graph, 1) | (Kind::Function, 7) => Kind::Node,
        (Kind::Node, 5) | (Kind::Function, 11) => Kind::Attribute,
        (Kind::Graph, 5) | (Kind::Attribute, 5 | 10) | (Kind::Sparse, 1) => Kind::Tensor,
        (Kind::Graph, 15) | (Kind::Attribute, 22 | 23) => Kind::Sparse,
        (Kind::Model, 8)
        | (Kind::Function, 1 | 9 | 10)
        | (Kind::Graph, 11 | 12)
        | (Kind::Node, 1..=4 | 7)
        | (Kind::Attribute, 8)
        | (Kind::Tensor, 1 | 4..=11 | 13) => return Child::Part,
        (
            Kind::Model
            | Kind::Training
            | Kind::Function
            | Kind::Graph
            | Kind::Node
            | Kind::Attribute
            | Kind::Tensor
            | Kind::Sparse,
            _,
        ) => return Child::Skipped,
    };
    Child::Message(message)
}

/// Whether a model file has more than [`MOST`] parts. What is no protobuf has few: the decoder says what it is.
pub(super) fn too_many(bytes: &[u8]) -> bool {
    let mut left = MOST;
    count(bytes, Kind::Model, DEEPEST, &mut left);
    left == 0
}

/// Takes the parts of a message from `left`; ends at the first byte that is none of a protobuf, and when nothing is left.
fn count(mut bytes: &[u8], kind: Kind, depth: u32, left: &mut usize) -> Option<()> {
    while !bytes.is_empty() && *left > 0 {
        let (tag, wire) = decode_key(&mut bytes).ok()?;
        let child = child(kind, tag);
        let within = match wire {
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut bytes).ok()?).ok()?;
                let (within, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                within
            }
            WireType::Varint
            | WireType::SixtyFourBit
            | WireType::ThirtyTwoBit
            | WireType::StartGroup
            | WireType::EndGroup => {
                skip_field(wire, tag, &mut bytes, DecodeContext::default()).ok()?;
                &[]
            }
        };
        match child {
            Child::Message(kind) => {
                *left -= 1;
                if depth > 0 {
                    count(within, kind, depth - 1, left)?;
                }
            }
            // Numbers may stand packed, of which each is as much as one that stands alone.
            Child::Part if matches!((kind, tag), (Kind::Tensor, 1) | (Kind::Attribute, 8)) => {
                *left = left.saturating_sub(within.len().max(1));
            }
            Child::Part => *left -= 1,
            Child::Skipped => {}
        }
    }
    Some(())
}
