//! A tensor against its own words: the data that is there is the data that its type and shape need. Lengths are looked
//! at, numbers are not.

use prost::bytes::Bytes;

use super::proto::Tensor;

/// Where a tensor of one type keeps its values when they are not raw bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Float,
    Int32,
    Int64,
    Double,
    Uint64,
    Text,
}

/// Bits of an element, the field for its values, and how many values of the field an element takes.
struct Element {
    bits: u64,
    field: Field,
    values: u64,
}

/// `TensorProto.DataType`.
fn element(data_type: i32) -> Option<Element> {
    let (bits, field, values) = match data_type {
        1 => (32, Field::Float, 1),
        14 => (64, Field::Float, 2),
        11 => (64, Field::Double, 1),
        15 => (128, Field::Double, 2),
        7 => (64, Field::Int64, 1),
        12 => (32, Field::Uint64, 1),
        13 => (64, Field::Uint64, 1),
        8 => (0, Field::Text, 1),
        6 => (32, Field::Int32, 1),
        4 | 5 | 10 | 16 => (16, Field::Int32, 1),
        2 | 3 | 9 | 17..=20 | 24 => (8, Field::Int32, 1),
        21..=23 => (4, Field::Int32, 1),
        25 | 26 => (2, Field::Int32, 1),
        _ => return None,
    };
    Some(Element { bits, field, values })
}

/// The size of a tensor as its type and shape say it.
pub(super) struct Size {
    element: Element,
    elements: u64,
    /// Bytes of its data, raw.
    pub(super) bytes: u64,
}

impl Size {
    /// Whether the elements are texts, which have no size of their own.
    pub(super) fn is_text(&self) -> bool {
        self.element.field == Field::Text
    }
}

/// What type and shape say, or what is wrong with them.
pub(super) fn size(tensor: &Tensor) -> Result<Size, String> {
    let element = element(tensor.data_type)
        .ok_or_else(|| format!("has element type {}, which ONNX does not know", tensor.data_type))?;
    let overflows =
        || format!("has shape {}, which has more elements than can be counted", shape(&tensor.dims));
    let elements = elements(&tensor.dims)
        .ok_or_else(|| format!("has shape {}, allowed are sizes from 0", shape(&tensor.dims)))?
        .ok_or_else(overflows)?;
    let bits = elements.checked_mul(element.bits).ok_or_else(overflows)?;
    Ok(Size { element, elements, bytes: bits.div_ceil(8) })
}

/// The number of elements of a shape: nothing where a size is negative, and nothing within where it cannot be counted.
pub(super) fn elements(dims: &[i64]) -> Option<Option<u64>> {
    let sizes: Vec<u64> = dims.iter().map(|dim| u64::try_from(*dim).ok()).collect::<Option<_>>()?;
    Some(sizes.iter().try_fold(1u64, |product, size| product.checked_mul(*size)))
}

/// A shape in words, cut after eight axes.
pub(super) fn shape(dims: &[i64]) -> String {
    let shown: Vec<String> = dims.iter().take(8).map(i64::to_string).collect();
    format!("[{}{}]", shown.join(", "), if dims.len() > 8 { ", ..." } else { "" })
}

/// What is wrong with a tensor that keeps its data in the file, if anything.
pub(super) fn fault(tensor: &Tensor) -> Option<String> {
    let size = match size(tensor) {
        Ok(size) => size,
        Err(fault) => return Some(fault),
    };
    let mut kept = values(tensor);
    let raw = tensor.raw_data.len() as u64;
    let (is, needs, unit) = match (kept.pop(), raw) {
        (Some(_), 1..) => return Some("holds its data twice, raw and as numbers".into()),
        (Some(_), 0) if !kept.is_empty() => {
            return Some("holds its data twice, as numbers of two types".into());
        }
        (Some((field, is)), 0) if field == size.element.field => {
            // Elements under a byte share one value as they share one byte.
            let elements = if (1..8).contains(&size.element.bits) { size.bytes } else { size.elements };
            let unit = if size.is_text() { "texts" } else { "values" };
            (is, elements.saturating_mul(size.element.values), unit)
        }
        (Some(_), 0) => return Some("holds numbers of another type than its own".into()),
        (None, _) if size.is_text() => (0, size.elements, "texts"),
        (None, raw) => (raw, size.bytes, "bytes"),
    };
    (is != needs)
        .then(|| format!("has shape {}, which needs {needs} {unit}, but holds {is}", shape(&tensor.dims)))
}

/// The fields that hold values, with how many.
fn values(tensor: &Tensor) -> Vec<(Field, u64)> {
    let bytes = |parts: &[Bytes]| parts.iter().map(|part| part.len() as u64).sum::<u64>();
    // The last byte of a varint is the one without the highest bit.
    let varints = |parts: &[Bytes]| {
        parts.iter().map(|part| part.iter().filter(|byte| **byte < 0x80).count() as u64).sum::<u64>()
    };
    let fields = [
        (Field::Float, bytes(&tensor.float_data) / 4),
        (Field::Int32, varints(&tensor.int32_data)),
        (Field::Int64, varints(&tensor.int64_data)),
        (Field::Double, bytes(&tensor.double_data) / 8),
        (Field::Uint64, varints(&tensor.uint64_data)),
        (Field::Text, tensor.string_data.len() as u64),
    ];
    fields.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// Whether any value stands in the file.
pub(super) fn holds_data(tensor: &Tensor) -> bool {
    !tensor.raw_data.is_empty() || !values(tensor).is_empty()
}

/// The values of a tensor that can be a shape: at most a few int64 that stand in the file.
pub(super) fn integers(tensor: &Tensor) -> Option<Vec<i64>> {
    const INT64: i32 = 7;
    const MOST: u64 = 64;
    if tensor.data_type != INT64 || fault(tensor).is_some() || size(tensor).ok()?.elements > MOST {
        return None;
    }
    if !tensor.raw_data.is_empty() {
        return Some(tensor.raw_data.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect());
    }
    let mut values = Vec::new();
    for mut part in tensor.int64_data.iter().cloned() {
        while !part.is_empty() {
            values.push(prost::encoding::decode_varint(&mut part).ok()?.cast_signed());
        }
    }
    Some(values)
}
