//! The presets of quality: a method and a fill, chosen by what they find and cost on the evaluation set (docs/frontier.md).
//!
//! A preset is versioned. Whoever changes a number here gives it another version in `unmask_core::Preset`.

use unmask_core::Preset;
use unmask_explainer::methods::Method;
use unmask_protocol::v1::{self, method};

use super::FillChoice;

/// What stands where a request names neither a method nor a preset.
pub(super) const USUAL: Preset = Preset::Balanced;

/// What a preset of quality stands for; `None` for any other preset.
fn chosen(preset: Preset) -> Option<(v1::Reveal, v1::AdversarialFill)> {
    let search = v1::AdversarialFill::default();
    let reveal = v1::Reveal::default();
    match preset {
        Preset::Clean | Preset::Paper => None,
        Preset::Fast => {
            let (max_passes, pairs, grid) = (Some(105), Some(8), Some(96));
            let (margin, bound, step) = (Some(2.0), Some(32.0), Some(10.0));
            Some((reveal, v1::AdversarialFill { max_passes, bound, margin, pairs, grid, step, ..search }))
        }
        Preset::Balanced => {
            let (max_passes, margin) = (Some(1500), Some(3.0));
            Some((reveal, v1::AdversarialFill { max_passes, margin, ..search }))
        }
        Preset::Thorough => {
            let (max_passes, margin, grid, pairs) = (Some(4000), Some(4.0), Some(96), Some(20));
            Some((reveal, v1::AdversarialFill { max_passes, margin, grid, pairs, ..search }))
        }
    }
}

/// What `preset` is for, in one sentence.
fn summary(preset: Preset) -> &'static str {
    match preset {
        Preset::Clean | Preset::Paper => "",
        Preset::Fast => {
            "The fewest passes with which an explanation is still good: Reveal over a sample that is changed by larger steps and searched briefly."
        }
        Preset::Balanced => {
            "What most want: Reveal over a sample that is searched until it is called otherwise."
        }
        Preset::Thorough => {
            "The best explanation: Reveal over a sample that is searched far beyond the change of the decision."
        }
    }
}

/// A preset of quality as the catalogue tells it.
pub(crate) struct Quality {
    pub(crate) preset: Preset,
    pub(crate) summary: &'static str,
    pub(crate) method: Method,
    pub(crate) fill: FillChoice,
    /// Whether it stands where a request names neither a method nor a preset.
    pub(crate) is_default: bool,
}

/// All of them, the cheapest first.
pub(crate) fn qualities() -> Vec<Quality> {
    [Preset::Fast, Preset::Balanced, Preset::Thorough]
        .map(|preset| {
            let message = v1::Method { kind: None, preset: preset.name().to_owned() };
            let (method, _) = super::method::method(Some(message), None, &mut Vec::new());
            let fill = super::fill::default(&method, preset);
            Quality { preset, summary: summary(preset), method, fill, is_default: preset == USUAL }
        })
        .into()
}

/// The kind of a method under its preset: the preset's own where none is named, and its values where the caller gives none of
/// his. The name of the preset's method where another is named.
pub(super) fn kind(
    given: Option<method::Kind>,
    preset: Preset,
) -> Result<Option<method::Kind>, &'static str> {
    let Some((own, _)) = chosen(preset) else { return Ok(given) };
    match given {
        None => Ok(Some(method::Kind::Reveal(own))),
        Some(method::Kind::Reveal(given)) => Ok(Some(method::Kind::Reveal(v1::Reveal {
            grid: given.grid.or(own.grid),
            smoothing: given.smoothing.or(own.smoothing),
        }))),
        Some(
            method::Kind::Rise(_)
            | method::Kind::Occlusion(_)
            | method::Kind::Lime(_)
            | method::Kind::Sobol(_)
            | method::Kind::PartitionShap(_)
            | method::Kind::KernelShap(_)
            | method::Kind::Hsic(_)
            | method::Kind::Hipe(_),
        ) => Err("reveal"),
    }
}

/// The search for the fill of a preset of quality.
pub(super) fn search(preset: Preset) -> Option<v1::AdversarialFill> {
    chosen(preset).map(|(_, search)| search)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_brings_its_method_and_its_fill() {
        let all = qualities();
        let names: Vec<_> = all.iter().map(|quality| quality.preset.name()).collect();
        assert_eq!(names, ["fast@1", "balanced@1", "thorough@1"]);
        assert_eq!(all.iter().filter(|quality| quality.is_default).count(), 1);
        for quality in all {
            assert!(
                matches!(quality.method, Method::Reveal(_)) && matches!(quality.fill, FillChoice::Search(_))
            );
            assert!(!quality.summary.is_empty());
        }
    }

    #[test]
    fn what_the_caller_gives_stands_and_another_method_is_refused() {
        let reveal = |grid| method::Kind::Reveal(v1::Reveal { grid, ..v1::Reveal::default() });
        for preset in [Preset::Fast, Preset::Balanced, Preset::Thorough] {
            assert_eq!(kind(Some(reveal(Some(5))), preset), Ok(Some(reveal(Some(5)))));
            assert_eq!(kind(Some(method::Kind::Lime(v1::Lime::default())), preset), Err("reveal"));
        }
        let lime = Some(method::Kind::Lime(v1::Lime::default()));
        assert_eq!((kind(lime, Preset::Paper), kind(None, Preset::Clean)), (Ok(lime), Ok(None)));
    }
}
