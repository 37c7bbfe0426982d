//! Numbers of a page, each with the field of the answer that it is.

use std::fmt::Display;

use maud::{Markup, html};

/// A place among the answers, such as `pictures[0].subjects[1].explanation`.
#[derive(Clone)]
pub(super) struct At(String);

impl At {
    pub(super) fn picture(picture: usize) -> Self {
        Self(format!("pictures[{picture}]"))
    }

    /// A place below this one.
    pub(super) fn field(&self, field: &str) -> Self {
        Self(format!("{}.{field}", self.0))
    }

    /// A place below this one, among several of its name.
    pub(super) fn item(&self, field: &str, index: usize) -> Self {
        Self(format!("{}.{field}[{index}]", self.0))
    }

    /// The number of that field as it is shown; as it is it stands beside, for machines.
    pub(super) fn number(&self, field: &str, value: impl Display, shown: String) -> Markup {
        html! { data value=(value) data-field=(self.field(field).0) { (shown) } }
    }

    pub(super) fn percent(&self, field: &str, share: f64) -> Markup {
        self.number(field, share, percent(share))
    }

    pub(super) fn three(&self, field: &str, value: f64) -> Markup {
        self.number(field, value, three(value))
    }

    /// A whole number.
    pub(super) fn count(&self, field: &str, value: impl Into<u64>) -> Markup {
        let value = value.into();
        self.number(field, value, value.to_string())
    }
}

/// `71.0 %`, with a space at which no line breaks.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1}\u{a0}%", share * 100.0)
}

/// Three decimals; what rounds to 0 has no sign.
pub(super) fn three(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = if text == "-0.000" { "0.000" } else { &text };
    text.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_beside_what_is_shown_of_it() {
        let at = At::picture(0).item("subjects", 1).field("explanation");
        assert_eq!(
            at.item("parts", 2).percent("evidence_share", 0.7123).into_string(),
            "<data value=\"0.7123\" data-field=\"pictures[0].subjects[1].explanation.parts[2].evidence_share\">71.2\u{a0}%</data>"
        );
        assert_eq!([three(-0.0001), three(-1.5), three(2.0)], ["0.000", "\u{2212}1.500", "2.000"]);
    }
}
