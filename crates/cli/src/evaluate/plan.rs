//! The plan, from a file or from flags: every method over every fill, by every metric.

use anyhow::{Context as _, bail};
use unmask_protocol::v1::{self, candidate};

use crate::args::Evaluate;
use crate::client::selector;
use crate::fields;

/// A method's own fill.
const OWN: &str = "default";
/// Presets that stand for a method, and can be named in its place.
const QUALITIES: [&str; 3] = ["fast", "balanced", "thorough"];

pub(super) fn plan(args: &Evaluate) -> anyhow::Result<v1::EvaluationPlan> {
    if let Some(path) = &args.plan {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let json = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
        let plan: v1::EvaluationPlan =
            fields::message("EvaluationPlan", &json).with_context(|| path.display().to_string())?;
        return Ok(v1::EvaluationPlan {
            model: selector(args.model.as_deref()).or(plan.model.clone()),
            ..plan
        });
    }
    if args.metrics.is_empty() {
        bail!("name at least one --metric; `unmask metrics` lists them");
    }
    let own = [OWN.to_owned()];
    let fills = if args.fills.is_empty() { &own[..] } else { &args.fills };
    let mut candidates = Vec::new();
    for method in &args.methods {
        for fill in fills {
            candidates.push(candidate(method, fill, &args.preset)?);
        }
    }
    name(&mut candidates, &args.methods, fills);
    let metric = |text: &String| fields::said::<v1::Metric>("Metric", text);
    let scale = fields::scale(args.scale.as_deref())?;
    let segmentation = args.segments.as_ref().map(|text| fields::said("Segmentation", text)).transpose()?;
    Ok(v1::EvaluationPlan {
        model: selector(args.model.as_deref()),
        candidates,
        metrics: args.metrics.iter().map(metric).collect::<Result<_, _>>()?,
        scale: scale.into(),
        seed: args.seed,
        segmentation,
        ..Default::default()
    })
}

fn candidate(text: &str, fill: &str, preset: &str) -> anyhow::Result<v1::Candidate> {
    let kind = Some(candidate::Kind::Method(method(text, preset)?));
    let fill = if fill == OWN { None } else { Some(fields::said("Fill", fill)?) };
    Ok(v1::Candidate { kind, fill, ..Default::default() })
}

/// A method by its word, which may be a preset of quality.
pub(crate) fn method(text: &str, preset: &str) -> anyhow::Result<v1::Method> {
    let is_quality = text.split('@').next().is_some_and(|name| QUALITIES.contains(&name));
    if !is_quality {
        return Ok(v1::Method { preset: preset.to_owned(), ..fields::said("Method", text)? });
    }
    if !preset.is_empty() {
        bail!("{text} is a preset itself; leave out --preset {preset}");
    }
    Ok(v1::Method { kind: None, preset: text.to_owned() })
}

/// Candidates that differ in parameters alone are named as they were typed; the others by the server, after method and fill.
fn name(candidates: &mut [v1::Candidate], methods: &[String], fills: &[String]) {
    let kind = |text: &str| text.split(':').next().unwrap_or(text).to_owned();
    let typed: Vec<_> =
        methods.iter().flat_map(|method| fills.iter().map(move |fill| (method, fill))).collect();
    let kinds: Vec<_> = typed.iter().map(|(method, fill)| (kind(method), kind(fill))).collect();
    for ((candidate, (method, fill)), own) in candidates.iter_mut().zip(typed).zip(&kinds) {
        if kinds.iter().filter(|other| *other == own).count() > 1 {
            candidate.name = if fill == OWN { method.clone() } else { format!("{method} over {fill}") };
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Args, Command};

    fn of(flags: &[&str]) -> anyhow::Result<v1::EvaluationPlan> {
        let Command::Evaluate(args) =
            Args::parse_from(["unmask", "evaluate", "dir"].iter().chain(flags)).command
        else {
            unreachable!("it was typed")
        };
        plan(&args)
    }

    #[test]
    fn every_method_is_taken_over_every_fill() {
        let flags =
            ["--method", "rise:masks=500", "--method", "lime", "--fill", "default", "--fill", "blur:sigma=3"];
        let plan =
            of(&[&flags[..], &["--metric", "deletion:step=9,fill=zero", "--seed", "4"]].concat()).unwrap();
        assert_eq!((plan.candidates.len(), plan.seed), (4, 4));
        assert!(plan.candidates[0].fill.is_none() && plan.candidates[3].fill.is_some());
        let Some(v1::metric::Kind::Deletion(deletion)) = &plan.metrics[0].kind else { panic!("{plan:?}") };
        assert_eq!(deletion.step, Some(9));
        assert_eq!(deletion.fill.as_ref().unwrap().kind, Some(v1::fill::Kind::Zero(v1::ZeroFill {})));
    }

    #[test]
    fn a_preset_of_quality_stands_for_its_method() {
        let plan = of(&["--metric", "auroc"]).unwrap();
        let preset = |name: &str| v1::Method { kind: None, preset: name.into() };
        assert_eq!(plan.candidates[0].kind, Some(candidate::Kind::Method(preset("balanced"))));
        let plan = of(&["--metric", "auroc", "--method", "fast", "--method", "rise"]).unwrap();
        assert_eq!(plan.candidates[0].kind, Some(candidate::Kind::Method(preset("fast"))));
        let error = of(&["--metric", "auroc", "--method", "fast", "--preset", "paper"]).unwrap_err();
        assert_eq!(error.to_string(), "fast is a preset itself; leave out --preset paper");
    }

    #[test]
    fn candidates_that_differ_in_parameters_alone_have_names_of_their_own() {
        let flags = ["--method", "rise:masks=500", "--method", "rise:masks=900", "--method", "lime"];
        let plan =
            of(&[&flags[..], &["--fill", "default", "--fill", "blur:sigma=3", "--metric", "auroc"]].concat());
        let names: Vec<_> = plan.unwrap().candidates.into_iter().map(|candidate| candidate.name).collect();
        let blur = |method: &str| format!("{method} over blur:sigma=3");
        let (few, many) = ("rise:masks=500", "rise:masks=900");
        assert_eq!(names, [few, &blur(few), many, &blur(many), "", ""]);
    }

    #[test]
    fn a_choice_within_a_metric_has_parameters_of_its_own() {
        let plan =
            of(&["--metric", "adversarial_sufficiency:regions=2,attack=paper,attack.steps=7"]).unwrap();
        let Some(v1::metric::Kind::AdversarialSufficiency(metric)) = &plan.metrics[0].kind else { panic!() };
        let Some(v1::attack::Kind::Paper(paper)) = &metric.attack.as_ref().unwrap().kind else { panic!() };
        assert_eq!((metric.regions, paper.steps), (Some(2), Some(7)));
    }

    #[test]
    fn a_wrong_word_is_told_what_there_is() {
        let error = |flags: &[&str]| format!("{:#}", of(flags).unwrap_err());
        assert!(
            error(&["--metric", "beauty"])
                .starts_with("no metric \"beauty\", there are adversarial_sufficiency")
        );
        assert!(error(&["--metric", "deletion:size=1"]).contains("has no parameter \"size\""));
        assert!(error(&["--metric", "deletion:fill=gold"]).contains("no fill \"gold\", there are"));
        assert!(error(&["--metric", "deletion:step"]).contains("KEY=VALUE is needed"));
        assert!(error(&[]).starts_with("name at least one --metric"));
    }
}
