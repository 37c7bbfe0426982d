//! The presets of quality: Reveal over a sample that is searched for in one of three ways, chosen by what they find and cost on the
//! evaluation set (docs/frontier.md, which has the command).
//!
//! A preset is versioned. Whoever changes a number here gives it another version in [`Preset::name`].

use unmask_core::Preset;

use crate::fill::adversarial::Bounded;

/// What stands where nothing is named.
pub const USUAL: Preset = Preset::Balanced;

/// A preset that stands for a method and a fill; the method is Reveal with its defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Quality {
    /// Which.
    pub preset: Preset,
    /// One sentence.
    pub summary: &'static str,
    /// The search for the fill.
    pub search: Bounded,
}

/// All of them, the cheapest first.
pub fn qualities() -> [Quality; 3] {
    let search = Bounded::default();
    [
        Quality {
            preset: Preset::Fast,
            summary: "The fewest passes with which an explanation is still good: the sample is changed by larger steps, and searched briefly.",
            search: Bounded {
                max_passes: 200,
                bound: 24.0,
                margin: 2.0,
                pairs: 6,
                grid: 96,
                step: 8.0,
                ..search.clone()
            },
        },
        Quality {
            preset: Preset::Balanced,
            summary: "What most want: the sample is searched until it is clearly called otherwise.",
            search: Bounded { max_passes: 800, margin: 3.0, grid: 96, ..search.clone() },
        },
        Quality {
            preset: Preset::Thorough,
            summary: "The best explanation: the sample is searched with more probes, and further.",
            search: Bounded { max_passes: 4000, margin: 4.0, grid: 96, pairs: 20, ..search },
        },
    ]
}

/// The search for the fill of a preset of quality; `None` for any other preset.
pub fn search(preset: Preset) -> Option<Bounded> {
    qualities().into_iter().find(|quality| quality.preset == preset).map(|quality| quality.search)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_of_quality_have_a_search_each_and_the_others_have_none() {
        assert_eq!(qualities().map(|quality| quality.preset.name()), ["fast@1", "balanced@1", "thorough@1"]);
        let most = qualities().map(|quality| quality.search.max_passes);
        assert!(most.is_sorted() && search(USUAL).is_some(), "{most:?}");
        assert!(search(Preset::Clean).is_none() && search(Preset::Paper).is_none());
    }
}
