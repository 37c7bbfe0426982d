//! The `.npy` format of NumPy (NEP 1, versions 1 to 3) as far as one plain array needs it.
//!
//! The header is a Python dictionary. General readers of Python literals take time exponential in nested brackets or
//! multiply sizes without a check, and a model directory must not be able to do that to a server; this one reads the
//! three keys that NumPy writes, in any order, and nothing else.

const MAGIC: &[u8] = b"\x93NUMPY";
/// NumPy writes 118 bytes for an array of four axes.
const LONGEST_HEADER: usize = 4096;

/// What an array file says, unread beyond its header.
#[derive(Debug, PartialEq)]
pub(super) struct Array<'a> {
    /// NumPy's name of the element type, such as `<f4`; empty for a record of several.
    pub(super) descr: &'a str,
    pub(super) fortran: bool,
    pub(super) shape: Vec<u64>,
    /// Everything after the header.
    pub(super) data: &'a [u8],
}

/// Reads the header, or says what is wrong with it.
pub(super) fn read(bytes: &[u8]) -> Result<Array<'_>, &'static str> {
    const SHORT: &str = "it ends inside its header";
    let rest = bytes.strip_prefix(MAGIC).ok_or("it does not begin as one, save the array with numpy.save")?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or(SHORT)?;
    let (length, rest) = match version[0] {
        1 => {
            let (length, rest) = rest.split_first_chunk().ok_or(SHORT)?;
            (usize::from(u16::from_le_bytes(*length)), rest)
        }
        2 | 3 => {
            let (length, rest) = rest.split_first_chunk().ok_or(SHORT)?;
            (u32::from_le_bytes(*length) as usize, rest)
        }
        _ => return Err("its format version is unknown, allowed are 1 to 3"),
    };
    if length > LONGEST_HEADER {
        return Err("its header has more than 4096 bytes, save one plain array");
    }
    let (header, data) = rest.split_at_checked(length).ok_or(SHORT)?;
    let header = std::str::from_utf8(header).map_err(|_| "its header is not text")?;
    let (descr, fortran, shape) = dictionary(header).ok_or(
        "its header is not the dictionary that numpy.save writes, with descr, fortran_order and shape",
    )?;
    Ok(Array { descr, fortran, shape, data })
}

fn dictionary(header: &str) -> Option<(&str, bool, Vec<u64>)> {
    let (mut descr, mut fortran, mut shape) = (None, None, None);
    let mut rest = header.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    while !rest.is_empty() {
        let (key, after) = quoted(rest)?;
        let value = after.trim_start().strip_prefix(':')?.trim_start();
        let after = match key {
            "descr" => {
                let (name, after) = quoted(value).or_else(|| record(value))?;
                descr = Some(name);
                after
            }
            "fortran_order" => {
                let yes = value.starts_with("True");
                fortran = Some(yes);
                value.strip_prefix(if yes { "True" } else { "False" })?
            }
            "shape" => {
                let (sides, after) = value.strip_prefix('(')?.split_once(')')?;
                shape = Some(numbers(sides)?);
                after
            }
            _ => return None,
        };
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(next) => next.trim_start(),
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some((descr?, fortran?, shape?))
}

/// A text in quotes and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

/// A list of fields, skipped up to the next key: which fields does not matter, as no record is allowed.
fn record(text: &str) -> Option<(&str, &str)> {
    let list = text.strip_prefix('[')?;
    Some(("", &list[list.rfind(']')? + 1..]))
}

fn numbers(text: &str) -> Option<Vec<u64>> {
    let text = text.trim();
    let text = text.strip_suffix(',').unwrap_or(text);
    if text.is_empty() {
        return Some(Vec::new());
    }
    text.split(',').map(|side| side.trim().parse().ok()).collect()
}
