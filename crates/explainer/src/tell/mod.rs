//! An explanation in sentences.
//!
//! A sentence is chosen by comparing computed values and filled with computed values, so that the same explanation is always told in
//! the same words, and nothing is said that the numbers do not say; after the search-based verbalisation of Feldhus et al. (arXiv
//! 2210.07222), with parts of a face in place of spans of text, and with the share of the area beside the share of the evidence, since
//! a large part holds much of anything. Every number of a sentence is told with what it is.

mod facts;
mod language;
mod number;

use unmask_core::Reading;

pub use self::facts::{Area, Change, Facts, Name, Side, Told, Trial, Where};
pub use self::language::Language;
use self::language::filled;
pub use self::number::Quantity;
use self::number::{Words, rounded};

/// What a sentence speaks of, in the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// What the model says.
    Decision,
    /// Where the evidence is.
    Evidence,
    /// What it says when that is replaced, or all else.
    Effect,
    /// And when as much in the middle is.
    Control,
    /// What has to be replaced for another decision.
    Counterfactual,
    /// How sure the explanation is.
    Certainty,
    /// What it does not show.
    Limit,
}

/// A sentence with its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Sentence {
    /// What it speaks of.
    pub subject: Subject,
    /// The sentence.
    pub text: String,
    /// What each number in it is, and how it is shown.
    pub numbers: Vec<(Quantity, String)>,
}

/// The explanation in sentences.
pub fn sentences(facts: &Facts<'_>) -> Vec<Sentence> {
    let teller = Teller { facts, told: Vec::new() };
    teller.all()
}

struct Teller<'a> {
    facts: &'a Facts<'a>,
    told: Vec<Sentence>,
}

impl Teller<'_> {
    fn all(mut self) -> Vec<Sentence> {
        self.decision();
        self.evidence();
        self.effects();
        self.counterfactual();
        self.certainty();
        self.limits();
        self.told
    }

    fn say(&mut self, subject: Subject, key: &str, words: Words<'_>) {
        let section = match subject {
            Subject::Decision => "decision",
            Subject::Evidence if self.facts.reading == Reading::Importance => "importance",
            Subject::Evidence => "evidence",
            Subject::Effect => "effect",
            Subject::Control => "control",
            Subject::Counterfactual => "counterfactual",
            Subject::Certainty => "certainty",
            Subject::Limit => "limit",
        };
        let text = filled(self.facts.language.text(section, key), &words.pairs());
        self.told.push(Sentence { subject, text, numbers: words.into_numbers() });
    }

    fn words(&self) -> Words<'static> {
        Words::new(self.facts.language)
    }

    fn decision(&mut self) {
        let facts = self.facts;
        let words = self.words().text("label", facts.label).percent("fake", facts.fake, Quantity::Fake);
        self.say(Subject::Decision, if facts.is_fake { "fake" } else { "real" }, words);
    }

    fn evidence(&mut self) {
        let facts = self.facts;
        let found = facts.found;
        let words = self.words().text("target", facts.target);
        let total: f64 = found.iter().map(|area| area.evidence_share).sum();
        let key = match (facts.is_flat, found.is_empty()) {
            (true, _) => "flat",
            (false, true) if facts.is_unlisted => "unlisted",
            (false, true) => "none",
            (false, false) if total >= 0.5 => "most",
            (false, false) => "some",
        };
        let areas = self.shares(found);
        self.say(Subject::Evidence, key, words.nested("areas", areas));
    }

    fn effects(&mut self) {
        let facts = self.facts;
        let Some([found, rest, middle]) = facts.trials else { return };
        let key = match (facts.is_fake, found.is_fake) {
            (true, false) => "changes_to_real",
            (false, true) => "changes_to_fake",
            (true, true) => "stays_fake",
            (false, false) => "stays_real",
        };
        let names = self.names(facts.found.iter().map(|area| area.name));
        let words = self.words().nested("areas", names);
        let words = words.percent("before", facts.fake, Quantity::Fake);
        self.say(Subject::Effect, key, words.percent("after", found.fake, Quantity::Trial(0)));
        let words = self.words().percent("after", rest.fake, Quantity::Trial(1));
        self.say(Subject::Effect, if rest.is_fake { "rest_fake" } else { "rest_real" }, words);
        if facts.is_of_decision {
            let words = self.words().percent("before", facts.fake, Quantity::Fake);
            let words = words.percent("middle", middle.fake, Quantity::Trial(2));
            let words = words.percent("after", found.fake, Quantity::Trial(0));
            // As they are shown: what reads as equal is no better.
            let shown = |fake: f64| if facts.is_fake { rounded(fake) } else { -rounded(fake) };
            let after = shown(found.fake);
            let is_better = after < shown(middle.fake) && after < shown(facts.fake);
            self.say(Subject::Control, if is_better { "better" } else { "worse" }, words);
            return;
        }
        // What matters for or against need not lower the score.
        if facts.reading == Reading::Importance {
            return;
        }
        let words = self.words().text("target", facts.target).signed("before", facts.value, Quantity::Value);
        let words = words.signed("middle", middle.value, Quantity::TrialValue(2));
        let words = words.signed("after", found.value, Quantity::TrialValue(0));
        let lower = |a: f64, b: f64| (100.0 * a).round() < (100.0 * b).round();
        let is_better = lower(found.value, middle.value) && lower(found.value, facts.value);
        self.say(Subject::Control, if is_better { "score_better" } else { "score_worse" }, words);
    }

    fn counterfactual(&mut self) {
        let facts = self.facts;
        let Some(change) = &facts.change else { return };
        let (key, words) = match change {
            Change::Found { names, area_share, smallest, candidates } => {
                let key = match (smallest, facts.is_fake) {
                    (true, true) => "smallest_fake",
                    (true, false) => "smallest_real",
                    (false, true) => "found_fake",
                    (false, false) => "found_real",
                };
                let words = self.words().nested("areas", self.names(names.iter().copied()));
                let words = words.percent("size", *area_share, Quantity::ChangedArea);
                (key, words.count("candidates", *candidates as u64, Quantity::Candidates))
            }
            Change::None { candidates, all } => {
                let words = self.words().count("candidates", *candidates as u64, Quantity::Candidates);
                (if *all { "none" } else { "passes" }, words)
            }
            Change::Late => ("late", self.words()),
        };
        self.say(Subject::Counterfactual, key, words);
    }

    fn certainty(&mut self) {
        let facts = self.facts;
        if let Some(key) = facts.cut_short {
            let words = self.words().count("used", facts.used, Quantity::Used);
            let key = match key {
                Told::Deadline => "deadline",
                Told::Budget => "budget",
            };
            self.say(Subject::Certainty, key, words);
        }
        let error = facts.error.filter(|error| error.is_finite());
        if let Some(error) = error {
            let words = self.words().percent("error", error, Quantity::Error);
            self.say(Subject::Certainty, "error", words);
        }
        match facts.steady {
            Some((_, None)) => self.say(Subject::Certainty, "flat", self.words()),
            Some((correlation, Some(same))) => {
                let words = self.words().plain("correlation", correlation, Quantity::Correlation);
                self.say(Subject::Certainty, if same { "same" } else { "other" }, words);
            }
            None if error.is_none() => self.say(Subject::Certainty, "unknown", self.words()),
            None => {}
        }
    }

    fn limits(&mut self) {
        let facts = self.facts;
        if !facts.is_named {
            self.say(Subject::Limit, "unnamed", self.words());
        }
        let (fill, is_fake) = facts.fill;
        if is_fake == facts.is_fake {
            let words = self.words().percent("fill", fill, Quantity::Fill);
            self.say(Subject::Limit, if is_fake { "fill_fake" } else { "fill_real" }, words);
        }
        self.say(Subject::Limit, "always", self.words());
    }

    /// Areas with their shares, as a list.
    fn shares(&self, areas: &[Area]) -> Words<'static> {
        let one = |area: &Area| {
            let words = self.words().nested("area", self.name(area.name));
            let words = words.percent("evidence", area.evidence_share, Quantity::Evidence(area.at));
            words.percent("size", area.area_share, Quantity::Area(area.at)).filled("part", "share")
        };
        self.list(areas.iter().map(one).collect())
    }

    fn names(&self, names: impl Iterator<Item = Name>) -> Words<'static> {
        self.list(names.map(|name| self.name(name)).collect())
    }

    fn name(&self, name: Name) -> Words<'static> {
        match name {
            Name::Part(part) => self.words().filled("part", part.key()),
            Name::Region(rect, place) => {
                let side = |side| Quantity::Box(place, side);
                let words = self.words().count("width", rect.width.into(), side(Side::Width));
                let words = words.count("height", rect.height.into(), side(Side::Height));
                let words = words.count("x", rect.x.into(), side(Side::X));
                words.count("y", rect.y.into(), side(Side::Y)).filled("part", "region")
            }
        }
    }

    /// Some things one after the other, as the language has it.
    fn list(&self, mut items: Vec<Words<'static>>) -> Words<'static> {
        let Some(last) = items.pop() else { return self.words() };
        let Some(before) = items.pop() else { return last };
        let pair = |key, first, second| {
            self.words().nested("first", first).nested("second", second).filled("list", key)
        };
        let end = pair("two", before, last);
        items.into_iter().rev().fold(end, |end, item| pair("more", item, end))
    }
}

#[cfg(test)]
mod tests;
