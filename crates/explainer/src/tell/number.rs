//! Numbers in sentences: how they are shown, and what they are.

use super::facts::{Side, Where};
use super::language::{Language, filled};

/// What a number in a sentence is: a value of the answer that the sentence comes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// The picture's probability of being manipulated.
    Fake,
    /// The explained scalar on the picture.
    Value,
    /// The share of the evidence of an area, by its place in the answer.
    Evidence(Where),
    /// Its share of the frame.
    Area(Where),
    /// A side of a box.
    Box(Where, Side),
    /// The probability of being manipulated after a trial, by its place in the answer.
    Trial(usize),
    /// The explained scalar after it.
    TrialValue(usize),
    /// The share of the frame that a counterfactual replaces.
    ChangedArea,
    /// The regions that it might have replaced.
    Candidates,
    /// The largest standard error of a region, as a share.
    Error,
    /// The correlation with another explanation.
    Correlation,
    /// The fill's probability of being manipulated.
    Fill,
    /// Passes that the explanation is made of.
    Used,
}

/// Words that a text is filled with, and the numbers among them.
#[derive(Clone, Debug)]
pub(super) struct Words<'a> {
    language: Language,
    pairs: Vec<(&'a str, String)>,
    numbers: Vec<(Quantity, String)>,
    /// What was made of the words, where something was.
    whole: String,
}

impl Words<'_> {
    pub(super) fn new(language: Language) -> Self {
        Self { language, pairs: Vec::new(), numbers: Vec::new(), whole: String::new() }
    }

    pub(super) fn pairs(&self) -> Vec<(&str, &str)> {
        self.pairs.iter().map(|(word, value)| (*word, value.as_str())).collect()
    }

    pub(super) fn into_numbers(self) -> Vec<(Quantity, String)> {
        self.numbers
    }
}

impl<'a> Words<'a> {
    pub(super) fn text(mut self, word: &'a str, value: &str) -> Self {
        self.pairs.push((word, value.to_owned()));
        self
    }

    /// A share as a percentage: whole numbers from 10 on, else one decimal.
    pub(super) fn percent(self, word: &'a str, share: f64, what: Quantity) -> Self {
        let number = self.decimal(percent(share));
        let text = filled(self.language.text("number", "percent"), &[("number", &number)]);
        self.number(word, text, what)
    }

    /// A value with its sign and two decimals.
    pub(super) fn signed(self, word: &'a str, value: f64, what: Quantity) -> Self {
        let text = self.decimal(format!("{:+.2}", positive_zero(value)));
        self.number(word, text, what)
    }

    /// A value with two decimals.
    pub(super) fn plain(self, word: &'a str, value: f64, what: Quantity) -> Self {
        let text = self.decimal(format!("{:.2}", positive_zero(value)));
        self.number(word, text, what)
    }

    pub(super) fn count(self, word: &'a str, count: u64, what: Quantity) -> Self {
        self.number(word, count.to_string(), what)
    }

    /// What was made of other words.
    pub(super) fn nested(mut self, word: &'a str, other: Words<'_>) -> Self {
        self.numbers.extend(other.numbers);
        self.pairs.push((word, other.whole));
        self
    }

    /// These words in a text.
    pub(super) fn filled(mut self, section: &str, key: &str) -> Self {
        self.whole = filled(self.language.text(section, key), &self.pairs());
        self
    }

    fn number(mut self, word: &'a str, text: String, what: Quantity) -> Self {
        self.pairs.push((word, text.clone()));
        self.numbers.push((what, text));
        self
    }

    fn decimal(&self, number: String) -> String {
        number.replace('.', self.language.text("number", "decimal"))
    }
}

/// A share in percent, as it is shown.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    let decimals = if percent >= 9.95 { 0 } else { 1 };
    format!("{percent:.decimals$}")
}

/// The same as a number again.
pub(super) fn rounded(share: f64) -> f64 {
    percent(share).parse().unwrap_or(100.0 * share)
}

/// What is shown as 0 has no sign.
fn positive_zero(value: f64) -> f64 {
    if value.abs() < 0.005 { 0.0 } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(language: Language, make: impl Fn(Words<'static>) -> Words<'static>) -> String {
        make(Words::new(language)).into_numbers()[0].1.clone()
    }

    #[test]
    fn numbers_are_shown_as_their_language_has_them() {
        for (share, english, german) in [
            (0.712, "71 %", "71 %"),
            (0.0996, "10 %", "10 %"),
            (0.0994, "9.9 %", "9,9 %"),
            (0.0, "0.0 %", "0,0 %"),
            (1.0, "100 %", "100 %"),
        ] {
            let make = |words: Words<'static>| words.percent("w", share, Quantity::Fake);
            assert_eq!(
                (shown(Language::English, make), shown(Language::German, make)),
                (english.into(), german.into())
            );
        }
        let signed = |value| shown(Language::German, move |words| words.signed("w", value, Quantity::Value));
        assert_eq!(
            (signed(-1.234), signed(2.0), signed(-0.001)),
            ("-1,23".into(), "+2,00".into(), "+0,00".into())
        );
    }
}
