//! The order of versions.

use std::cmp::Ordering;

/// Orders versions so that the latest comes first.
///
/// A version is cut at dots and dashes. Parts of digits compare as numbers of any length, so `10` is later than `9` and
/// `1.10` than `1.9`; other parts compare as text. Where one version has ended, a number makes the other later
/// (`1.0.1` than `1.0`) and a text makes it earlier (`1.0-rc1` than `1.0`); a number is later than a text. Versions
/// that are equal part by part (`1.0` and `1-00`) fall back to their spelling, so that only equal texts are equal.
pub fn latest_first(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (parts(a), parts(b));
    loop {
        let (l, r) = (left.next().unwrap_or(Part::End), right.next().unwrap_or(Part::End));
        match r.cmp(&l) {
            Ordering::Equal if l == Part::End => return b.cmp(a),
            Ordering::Equal => {}
            decided @ (Ordering::Less | Ordering::Greater) => return decided,
        }
    }
}

/// A part of a version, from earlier to later.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Text(&'a str),
    End,
    /// Count of digits and the digits, without leading zeros: a number of any size without overflow.
    Number(usize, &'a str),
}

fn parts(version: &str) -> impl Iterator<Item = Part<'_>> {
    version.split(['.', '-']).map(|part| {
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            let digits = part.trim_start_matches('0');
            Part::Number(digits.len(), digits)
        } else {
            Part::Text(part)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_as_people_count() {
        let latest = [
            "99999999999999999999999",
            "2024.11-2",
            "2024.2",
            "10",
            "9",
            "1.10",
            "1.9",
            "1.0.1",
            "1.0",
            "1-00",
            "1.0-rc2",
            "1.0-rc1",
            "1",
            "0",
            "b",
            "a",
            "",
        ];
        for (i, a) in latest.iter().enumerate() {
            for (j, b) in latest.iter().enumerate() {
                assert_eq!(latest_first(a, b), i.cmp(&j), "{a:?} and {b:?}");
            }
        }
    }
}
