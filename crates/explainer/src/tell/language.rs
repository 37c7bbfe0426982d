//! Languages, and the texts of each.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// A language that explanations are told in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// German.
    German,
}

impl Language {
    /// All languages.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// Its tag of BCP 47.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The language of a tag, such as "en" or "en-GB": what comes behind the first part is left out of account.
    pub fn named(tag: &str) -> Option<Self> {
        // As long as tags get (RFC 5646, section 4.4.1).
        let is_tag = tag.len() <= 35 && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let language = tag.split('-').next().filter(|_| is_tag).unwrap_or_default();
        Self::ALL.into_iter().find(|one| one.tag().eq_ignore_ascii_case(language))
    }

    fn file(self) -> &'static str {
        match self {
            Self::English => include_str!("en.toml"),
            Self::German => include_str!("de.toml"),
        }
    }

    /// The text of a section and a key; all files have all texts.
    pub(super) fn text(self, section: &str, key: &str) -> &'static str {
        static TEXTS: LazyLock<Vec<Texts>> =
            LazyLock::new(|| Language::ALL.iter().map(|language| read(language.file())).collect());
        let texts = TEXTS.get(self as usize);
        texts.and_then(|texts| texts.0.get(section)?.get(key)).map_or("", String::as_str)
    }
}

/// Texts by section and key.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Texts(pub(super) BTreeMap<String, BTreeMap<String, String>>);

pub(super) fn read(file: &str) -> Texts {
    // The files are part of the program, and a test reads them.
    toml::from_str(file).unwrap_or_default()
}

/// A text with its words in braces replaced.
pub(super) fn filled(text: &str, words: &[(&str, &str)]) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{')
        && let Some((word, behind)) = behind.split_once('}')
    {
        whole += before;
        whole += words.iter().find(|(name, _)| *name == word).map_or("", |(_, value)| value);
        rest = behind;
    }
    whole + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words in braces of a text, in their order.
    fn words(text: &str) -> Vec<&str> {
        let mut words: Vec<_> =
            text.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0)).collect();
        words.sort_unstable();
        words
    }

    #[test]
    fn every_language_has_every_text_with_the_same_words() {
        let english: Texts = toml::from_str(Language::English.file()).unwrap();
        for language in Language::ALL {
            let texts: Texts = toml::from_str(language.file()).unwrap();
            let keys = |texts: &Texts| -> Vec<(String, String)> {
                let pairs = |(section, texts): (&String, &BTreeMap<String, String>)| {
                    texts.keys().map(|key| (section.clone(), key.clone())).collect::<Vec<_>>()
                };
                texts.0.iter().flat_map(pairs).collect()
            };
            assert_eq!(keys(&texts), keys(&english), "{language:?}");
            for (section, key) in keys(&english) {
                let (own, other) = (&texts.0[&section][&key], &english.0[&section][&key]);
                assert_eq!(words(own), words(other), "{language:?} {section}.{key}");
                assert!(!own.trim().is_empty(), "{language:?} {section}.{key}");
                assert_eq!(language.text(&section, &key), own);
            }
        }
    }

    #[test]
    fn a_language_is_known_by_its_tag() {
        for (tag, language) in [
            ("en", Some(Language::English)),
            ("de-AT", Some(Language::German)),
            ("EN", Some(Language::English)),
        ] {
            assert_eq!(Language::named(tag), language, "{tag}");
        }
        for tag in ["fr", "", "en-\n", "../en", "en_GB"] {
            assert_eq!(Language::named(tag), None, "{tag}");
        }
    }

    #[test]
    fn words_in_braces_are_replaced_and_values_are_not_read_again() {
        assert_eq!(filled("a {b} c {d}", &[("b", "{d}"), ("d", "x")]), "a {d} c x");
        assert_eq!(filled("open { brace", &[]), "open { brace");
    }
}
