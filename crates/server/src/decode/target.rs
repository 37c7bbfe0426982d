//! The target's message to the scalar that is explained. The predicted class is known only when the picture has been
//! scored, so that a target without a kind is resolved by the job.

use unmask_core::{ModelSpec, Scale, Target, Violation};
use unmask_protocol::v1::{
    self,
    target::{Against, Kind},
};

use super::shown;

/// The decision that is explained.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Question {
    /// Why the predicted class.
    Predicted(Scale),
    /// Why what the caller names.
    Named(Named),
}

/// A decision with its name, such as "mouth", "fake" or "mouth against eyes".
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Named {
    pub(crate) label: String,
    pub(crate) target: Target,
}

impl Question {
    /// The scale of its scalar.
    pub(crate) fn scale(&self) -> Scale {
        match self {
            Self::Predicted(scale) => *scale,
            Self::Named(named) => named.target.scale(),
        }
    }

    /// The decision, where `class` is the predicted one.
    pub(crate) fn about(&self, class: usize, spec: &ModelSpec) -> Named {
        match self {
            Self::Named(named) => named.clone(),
            Self::Predicted(scale) => Named {
                label: spec.output.labels[class].clone(),
                target: Target::new(vec![class], None, spec.classes(), *scale),
            },
        }
    }
}

/// The group that every model has: all classes but the real one.
const FAKE: &str = "fake";

/// The decision; where something is wrong with it, the violation is recorded. `usual` is the scale where none is given.
pub(super) fn target(
    target: Option<v1::Target>,
    usual: Scale,
    spec: Option<&ModelSpec>,
    violations: &mut Vec<Violation>,
) -> Question {
    let Some(message) = target else { return Question::Predicted(usual) };
    let scale = scale(message.scale, usual, "target.scale", violations);
    let predicted = Question::Predicted(scale);
    let Some(kind) = message.kind else {
        if message.against.is_some() {
            let message = "is not set; with something to hold it against, set label or group";
            violations.push(Violation::new("target.kind", message));
        }
        return predicted;
    };
    let Some(spec) = spec else { return predicted };
    let pro = match &kind {
        Kind::Label(name) => class(name, "target.label", spec, violations),
        Kind::Group(name) => group(name, "target.group", spec, violations),
    };
    let contra = match &message.against {
        None => None,
        Some(Against::AgainstLabel(name)) => Some(class(name, "target.against_label", spec, violations)),
        Some(Against::AgainstGroup(name)) => Some(group(name, "target.against_group", spec, violations)),
    };
    let (Some(pro), contra) = (pro, contra) else { return predicted };
    let contra = match contra {
        None => None,
        Some(None) => return predicted,
        Some(Some(contra)) => Some(contra),
    };
    if let Some(violation) = impossible(&pro, contra.as_ref(), spec) {
        violations.push(violation);
        return predicted;
    }
    let label = match &contra {
        None => pro.name,
        Some(contra) => format!("{} against {}", pro.name, contra.name),
    };
    let target = Target::new(pro.classes, contra.map(|side| side.classes), spec.classes(), scale);
    Question::Named(Named { label, target })
}

/// One side of a decision.
struct Side {
    path: &'static str,
    name: String,
    classes: Vec<usize>,
}

fn class(name: &str, path: &'static str, spec: &ModelSpec, violations: &mut Vec<Violation>) -> Option<Side> {
    let labels = &spec.output.labels;
    let found = labels.iter().position(|label| label == name);
    if found.is_none() {
        let message = format!("got \"{}\", the model's labels are {}", shown(name), labels.join(", "));
        violations.push(Violation::new(path, message));
    }
    found.map(|class| Side { path, name: name.to_owned(), classes: vec![class] })
}

fn group(name: &str, path: &'static str, spec: &ModelSpec, violations: &mut Vec<Violation>) -> Option<Side> {
    let fake = || (0..spec.classes()).filter(|class| *class != spec.output.real).collect();
    let declared = spec.groups.iter().find(|group| group.name == name).map(|group| group.classes.clone());
    let found = declared.or_else(|| (name == FAKE).then(fake));
    let message = match &found {
        Some(classes) if classes.is_empty() => format!("the group \"{}\" has no classes", shown(name)),
        Some(_) => return found.map(|classes| Side { path, name: name.to_owned(), classes }),
        None => {
            let mut names: Vec<&str> = spec.groups.iter().map(|group| group.name.as_str()).collect();
            if !names.contains(&FAKE) {
                names.push(FAKE);
            }
            format!("got \"{}\", the model's groups are {}", shown(name), names.join(", "))
        }
    };
    violations.push(Violation::new(path, message));
    None
}

/// Why two sides are no decision.
fn impossible(pro: &Side, contra: Option<&Side>, spec: &ModelSpec) -> Option<Violation> {
    let Some(contra) = contra else {
        let all = (0..spec.classes()).all(|class| pro.classes.contains(&class));
        let message = "holds every class of the model, so that none is left to speak against it; set against_label or against_group";
        return all.then(|| Violation::new(pro.path, message));
    };
    let both: Vec<&str> = pro
        .classes
        .iter()
        .filter(|class| contra.classes.contains(class))
        .map(|class| spec.output.labels[*class].as_str())
        .collect();
    let message = || {
        format!("shares {} with {}, the two sides must have no class in common", both.join(", "), pro.path)
    };
    (!both.is_empty()).then(|| Violation::new(contra.path, message()))
}

/// The scale, or the usual one where none is given; one that is not known is recorded under `path`.
pub(super) fn scale(number: i32, usual: Scale, path: &str, violations: &mut Vec<Violation>) -> Scale {
    match v1::Scale::try_from(number) {
        Ok(v1::Scale::Unspecified) => usual,
        Ok(v1::Scale::LogOdds) => Scale::LogOdds,
        Ok(v1::Scale::Probability) => Scale::Probability,
        Ok(v1::Scale::DoubleSoftmax) => Scale::DoubleSoftmax,
        Err(_) => {
            let allowed = "SCALE_LOG_ODDS (1), SCALE_PROBABILITY (2) and SCALE_DOUBLE_SOFTMAX (3)";
            let message = format!("got {number}, allowed are {allowed}");
            violations.push(Violation::new(path, message));
            usual
        }
    }
}

#[cfg(test)]
mod tests {
    use unmask_core::Group;

    use super::*;

    fn spec() -> ModelSpec {
        let group = |name: &str, classes: &[usize]| Group { name: name.into(), classes: classes.into() };
        let groups = vec![group("part", &[2, 3]), group("none", &[]), group("all", &[0, 1, 2, 3])];
        ModelSpec { groups, ..ModelSpec::plain("m", 4, 4, &["real", "swap", "mouth", "eyes"]) }
    }

    fn label(name: &str) -> Option<Kind> {
        Some(Kind::Label(name.into()))
    }

    fn group(name: &str) -> Option<Kind> {
        Some(Kind::Group(name.into()))
    }

    fn asked(
        kind: Option<Kind>,
        against: Option<Against>,
        spec: &ModelSpec,
    ) -> Result<Question, Vec<Violation>> {
        let mut violations = Vec::new();
        let message = v1::Target { kind, against, scale: 0 };
        let question = target(Some(message), Scale::LogOdds, Some(spec), &mut violations);
        if violations.is_empty() { Ok(question) } else { Err(violations) }
    }

    fn against(name: &str) -> Option<Against> {
        Some(Against::AgainstLabel(name.into()))
    }

    fn against_group(name: &str) -> Option<Against> {
        Some(Against::AgainstGroup(name.into()))
    }

    #[test]
    fn classes_and_groups_speak_for_and_against() {
        let spec = spec();
        for (kind, against, name, pro, contra) in [
            (label("mouth"), None, "mouth", &[2][..], &[0, 1, 3][..]),
            (group("part"), None, "part", &[2, 3], &[0, 1]),
            (group("fake"), None, "fake", &[1, 2, 3], &[0]),
            (label("mouth"), against("eyes"), "mouth against eyes", &[2], &[3]),
            (group("part"), against_group("part"), "", &[], &[]),
            (label("swap"), against_group("part"), "swap against part", &[1], &[2, 3]),
            (group("fake"), against("real"), "fake against real", &[1, 2, 3], &[0]),
        ] {
            match asked(kind, against, &spec) {
                Ok(Question::Named(named)) => {
                    assert_eq!(named.label, name);
                    assert_eq!((named.target.pro(), named.target.contra()), (pro, contra), "{name}");
                }
                other => assert!(name.is_empty(), "{other:?}"),
            }
        }
    }

    #[test]
    fn a_model_may_have_a_group_fake_of_its_own() {
        let own = vec![Group { name: "fake".into(), classes: vec![1] }];
        let spec = ModelSpec { groups: own, ..spec() };
        let Ok(Question::Named(named)) = asked(group("fake"), None, &spec) else { panic!("it is known") };
        assert_eq!(named.target.pro(), [1]);
    }

    #[test]
    fn what_is_no_decision_is_refused_with_what_there_is() {
        let spec = spec();
        for (kind, against, field, words) in [
            (
                label("nose"),
                None,
                "target.label",
                "got \"nose\", the model's labels are real, swap, mouth, eyes",
            ),
            (
                group("nose"),
                None,
                "target.group",
                "got \"nose\", the model's groups are part, none, all, fake",
            ),
            (group("none"), None, "target.group", "the group \"none\" has no classes"),
            (group("all"), None, "target.group", "holds every class of the model"),
            (label("mouth"), against("mouth"), "target.against_label", "shares mouth with target.label"),
            (
                group("fake"),
                against_group("part"),
                "target.against_group",
                "shares mouth, eyes with target.group",
            ),
            (None, against("mouth"), "target.kind", "set label or group"),
        ] {
            let violations = asked(kind, against, &spec).unwrap_err();
            assert_eq!(violations.len(), 1, "{violations:?}");
            assert_eq!(violations[0].field, field);
            assert!(violations[0].message.contains(words), "{violations:?}");
        }
        let both = asked(label("nose"), against_group("chin"), &spec).unwrap_err();
        assert_eq!(
            both.iter().map(|v| v.field.as_str()).collect::<Vec<_>>(),
            ["target.label", "target.against_group"]
        );
    }

    #[test]
    fn the_predicted_class_is_explained_where_nothing_is_named() {
        let question = asked(None, None, &spec()).unwrap();
        let named = question.about(3, &spec());
        assert_eq!((named.label.as_str(), named.target), ("eyes", Target::class(3, 4)));
    }
}
