//! Checks of single values. Each returns the value, or reports what was got and what is allowed and returns a stand-in,
//! so that the checks after it still run; nothing is built from a manifest with a report.

use std::ops::RangeInclusive;

use unmask_core::Violation;

use crate::words::{listed, quoted};

const IDENTIFIER: &str =
    "1 to 64 characters of a-z, 0-9, dot, underscore and dash, the first a letter or digit";

/// The reports so far.
#[derive(Debug, Default)]
pub(super) struct Checks {
    pub(super) violations: Vec<Violation>,
}

impl Checks {
    pub(super) fn refuse(&mut self, field: &str, message: impl Into<String>) {
        self.violations.push(Violation::new(field, message));
    }

    /// The value where it is there and passes; a stand-in otherwise.
    fn value<T>(
        &mut self,
        field: &str,
        value: Option<T>,
        passes: impl Fn(&T) -> bool,
        show: impl Fn(&T) -> String,
        allowed: &str,
    ) -> Option<T> {
        match value {
            None => self.refuse(field, format!("missing, allowed is {allowed}")),
            Some(value) if passes(&value) => return Some(value),
            Some(value) => self.refuse(field, format!("got {}, allowed is {allowed}", show(&value))),
        }
        None
    }

    /// A name or version: it becomes part of paths, URLs and labels of metrics.
    pub(super) fn identifier(&mut self, field: &str, value: Option<String>) -> String {
        self.value(field, value, |v| is_identifier(v), |v| quoted(v), IDENTIFIER).unwrap_or_default()
    }

    /// Text on one line.
    pub(super) fn line(&mut self, field: &str, value: Option<String>) -> String {
        let passes = |v: &String| !v.trim().is_empty() && !v.chars().any(char::is_control);
        self.value(field, value, passes, |v| quoted(v), "one line of text").unwrap_or_default()
    }

    pub(super) fn digest(&mut self, field: &str, value: Option<String>) -> String {
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let passes = |v: &String| v.len() == 64 && v.bytes().all(hex);
        self.value(
            field,
            value,
            passes,
            |v| quoted(v),
            "64 lower-case hexadecimal digits, as sha256sum prints them",
        )
        .unwrap_or_default()
    }

    /// The name of a file beside the manifest.
    pub(super) fn file_name(&mut self, field: &str, value: Option<String>) -> String {
        let passes = |v: &String| {
            !matches!(v.as_str(), "" | "." | "..")
                && !v.contains(['/', '\\'])
                && !v.chars().any(char::is_control)
        };
        self.value(
            field,
            value,
            passes,
            |v| quoted(v),
            "the name of a file in the bundle, without a directory",
        )
        .unwrap_or_default()
    }

    /// A word of a closed list, and what it stands for.
    pub(super) fn word<T: Copy>(
        &mut self,
        field: &str,
        value: Option<String>,
        words: &[(&str, T)],
    ) -> Option<T> {
        let find = |v: &String| words.iter().find(|(word, _)| word == v).map(|(_, meaning)| *meaning);
        let allowed = listed(words.iter().map(|(word, _)| word));
        let allowed = if words.len() > 1 { format!("one of {allowed}") } else { allowed };
        let word = self.value(field, value, |v| find(v).is_some(), |v| quoted(v), &allowed)?;
        find(&word)
    }

    pub(super) fn whole(&mut self, field: &str, value: Option<i64>, allowed: &RangeInclusive<i64>) -> usize {
        let words = format!("{} to {}", allowed.start(), allowed.end());
        let whole = self.value(field, value, |v| allowed.contains(v), i64::to_string, &words);
        whole.and_then(|v| usize::try_from(v).ok()).unwrap_or_default()
    }

    /// A number for which `passes` holds.
    pub(super) fn real(
        &mut self,
        field: &str,
        value: Option<f64>,
        passes: impl Fn(f64) -> bool,
        allowed: &str,
    ) -> f64 {
        self.value(field, value, |v| passes(*v), f64::to_string, allowed).unwrap_or_default()
    }

    /// Exactly `N` numbers for which `passes` holds together.
    pub(super) fn reals<const N: usize>(
        &mut self,
        field: &str,
        value: Option<Vec<f64>>,
        passes: impl Fn(&[f64]) -> bool,
        allowed: &str,
    ) -> [f64; N] {
        let passes = |v: &Vec<f64>| v.len() == N && v.iter().all(|x| (*x as f32).is_finite()) && passes(v);
        let show = |v: &Vec<f64>| match v.len() {
            0..=8 => format!("{v:?}"),
            n => format!("{n} numbers"),
        };
        let value = self.value(field, value, passes, show, allowed);
        value.and_then(|v| v.try_into().ok()).unwrap_or([0.0; N])
    }

    pub(super) fn flag(&mut self, field: &str, value: Option<bool>) -> bool {
        self.value(field, value, |_| true, bool::to_string, "true or false").unwrap_or_default()
    }
}

fn is_identifier(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= 64
        && text.bytes().next().is_some_and(letter)
        && text.bytes().all(|byte| letter(byte) || matches!(byte, b'.' | b'_' | b'-'))
}
