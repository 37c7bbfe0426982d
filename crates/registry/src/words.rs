//! Words of a bundle inside messages: quoted, and shortened where a hostile or careless file makes them long.

use std::fmt::Display;

const LONGEST: usize = 80;
const MOST: usize = 8;

/// The text in quotes, control characters escaped, cut after 80 characters.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}...", &text[..end]),
    }
}

/// The texts in quotes with commas between; "none" where there are none, and the count of those after the eighth.
pub(crate) fn listed<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> String {
    let mut texts = texts.into_iter();
    let mut shown: Vec<String> = texts.by_ref().take(MOST).map(|text| quoted(text.as_ref())).collect();
    match texts.count() {
        0 if shown.is_empty() => "none".into(),
        0 => shown.join(", "),
        rest => {
            shown.push(format!("and {rest} more"));
            shown.join(", ")
        }
    }
}

/// Several findings as one line.
pub(crate) fn joined<T: Display>(findings: impl Iterator<Item = T>) -> String {
    findings.map(|finding| finding.to_string()).collect::<Vec<_>>().join("; ")
}

/// Findings of which only the first eight are kept and the rest counted, for files that can hold millions.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    kept: Vec<String>,
    rest: usize,
}

impl Findings {
    /// Adds a finding; its words are only made where it is kept.
    pub(crate) fn push(&mut self, finding: impl FnOnce() -> String) {
        if self.kept.len() < MOST {
            self.kept.push(finding());
        } else {
            self.rest += 1;
        }
    }

    /// The findings, the last of which counts the rest where there are more than eight.
    pub(crate) fn finish(mut self) -> Vec<String> {
        if self.rest > 0 {
            self.kept.push(format!("and {} more of the kind", self.rest));
        }
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_strange_words_are_cut_and_escaped() {
        assert_eq!(quoted("a\"b\n"), r#""a\"b\n""#);
        assert_eq!(quoted(&"é".repeat(81)), format!("\"{}\"...", "é".repeat(80)));
    }

    #[test]
    fn long_lists_are_counted() {
        assert_eq!(listed::<&str>([]), "none");
        assert_eq!(listed(["a", "b"]), r#""a", "b""#);
        assert!(listed(["a"; 11]).ends_with(r#""a", and 3 more"#));
    }

    #[test]
    fn findings_after_the_eighth_are_counted() {
        let mut findings = Findings::default();
        (0..10).for_each(|i| findings.push(|| i.to_string()));
        assert_eq!(findings.finish()[7..], ["7", "and 2 more of the kind"]);
    }
}
