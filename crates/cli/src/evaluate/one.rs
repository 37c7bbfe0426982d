//! One picture: its figures as a person reads them, or as JSON.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use indicatif::ProgressBar;
use unmask_protocol::v1;

use crate::args::Evaluate;
use crate::client::{Client, crop};
use crate::{fields, text};

pub(super) async fn run(args: &Evaluate, plan: v1::EvaluationPlan) -> anyhow::Result<ExitCode> {
    let of_folders = [
        ("--list", args.list.is_some()),
        ("--family", !args.families.is_empty()),
        ("--per-family", args.per_family.is_some()),
        ("--called-fake", args.called_fake),
        ("--resamples", args.resamples.is_some()),
        ("--confidence", args.confidence.is_some()),
    ];
    let name = args.path.display().to_string();
    for (flag, given) in of_folders {
        ensure!(!given, "{flag} is for a folder, and {name} is a picture");
    }
    let metrics: Vec<_> =
        plan.metrics.iter().map(|metric| fields::word("Metric", metric)).collect::<Result<_, _>>()?;
    let read =
        |path| std::fs::read(path).with_context(|| format!("cannot read {}", std::path::Path::display(path)));
    let request = v1::EvaluateRequest {
        image: read(&args.path)?,
        crop: crop(args.crop),
        plan: Some(plan),
        mask: args.mask.as_deref().map(read).transpose()?.map(|image| v1::Mask { image }),
        label: args.label.clone().unwrap_or_default(),
        priority: crate::args::priority(args.priority),
        ..Default::default()
    };
    let client = Client::open(&args.place).await?;
    if args.dry_run {
        return super::cost::announce(&client, request, 1).await;
    }
    let waiting = ProgressBar::new_spinner();
    waiting.enable_steady_tick(Duration::from_millis(200));
    let answer = client.evaluate(request).await;
    waiting.finish_and_clear();
    let answer = answer.with_context(|| name.clone())?;
    let printed = if args.json {
        fields::json("EvaluateResponse", &answer)?.to_string() + "\n"
    } else {
        evaluation(&name, &metrics, &answer)?
    };
    std::io::stdout().write_all(printed.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The readable answer: a table for each metric, explanations and controls below each other.
fn evaluation(
    name: &str,
    metrics: &[String],
    answer: &v1::EvaluateResponse,
) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let prediction = answer.prediction.clone().unwrap_or_default();
    let target = answer.target.clone().unwrap_or_default();
    writeln!(text, "{name}: {}", text::verdict(&prediction))?;
    writeln!(text, "  scores: {}", text::scores(&prediction))?;
    writeln!(text, "  read on: {}, {} {:+.3}", target.label, text::scale(target.scale()), target.value)?;
    for (i, metric) in metrics.iter().enumerate() {
        table(&mut text, metric, i, answer)?;
    }
    for evaluated in answer.evaluated.iter().filter(|evaluated| !evaluated.missing.is_empty()) {
        writeln!(text, "  no {}: {}", evaluated.name, evaluated.missing)?;
    }
    let foot = text::Foot {
        cost: answer.cost.as_ref(),
        timings: answer.timings,
        model: answer.model.as_ref(),
        seed: answer.resolved.as_ref().map_or(0, |plan| plan.seed),
        warnings: &answer.warnings,
    };
    Ok(text + &foot.lines())
}

/// The figures of the plan's metric `i`, those of one direction side by side, and why there are none where there are none.
fn table(
    text: &mut String,
    metric: &str,
    i: usize,
    answer: &v1::EvaluateResponse,
) -> Result<(), std::fmt::Error> {
    let of = |evaluated: &v1::Evaluated| evaluated.results.get(i).cloned().unwrap_or_default().figures;
    let heads = answer.evaluated.iter().map(of).find(|figures| !figures.is_empty()).unwrap_or_default();
    let label = |evaluated: &v1::Evaluated| {
        format!("{}{}", evaluated.name, if evaluated.control { " (control)" } else { "" })
    };
    let wide = answer.evaluated.iter().map(|evaluated| label(evaluated).len()).max().unwrap_or_default();
    for side_by_side in heads.chunk_by(|a, b| a.better == b.better) {
        let better = match side_by_side[0].better() {
            v1::Better::Higher => ", higher is better",
            v1::Better::Lower => ", lower is better",
            v1::Better::Neither | v1::Better::Unspecified => "",
        };
        writeln!(text, "  {metric}{better}")?;
        let names = side_by_side.iter().map(|head| format!("  {:>7}", head.name)).collect::<String>();
        writeln!(text, "    {:wide$}{names}", "")?;
        for evaluated in &answer.evaluated {
            let figures = of(evaluated);
            write!(text, "    {:wide$}", label(evaluated))?;
            for head in side_by_side {
                let value =
                    figures.iter().find(|figure| figure.name == head.name).and_then(|figure| figure.value);
                let value = value.map_or_else(|| "-".to_owned(), super::report::three_decimals);
                write!(text, "  {value:>width$}", width = head.name.len().max(7))?;
            }
            writeln!(text)?;
        }
    }
    for evaluated in answer.evaluated.iter().filter(|evaluated| evaluated.missing.is_empty()) {
        let mut reasons: Vec<String> = of(evaluated).into_iter().map(|figure| figure.missing).collect();
        reasons.retain(|reason| !reason.is_empty());
        reasons.dedup();
        for reason in reasons {
            writeln!(text, "    {} without a figure: {reason}", evaluated.name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explanations_and_controls_stand_below_each_other_and_what_is_missing_is_told() {
        let figure = |name: &str, value: Option<f64>, better: v1::Better| v1::Figure {
            name: name.into(),
            value,
            better: better.into(),
            missing: if value.is_none() { "the map is flat".into() } else { String::new() },
        };
        let evaluated = |name: &str, control: bool, figures: Vec<v1::Figure>| v1::Evaluated {
            name: name.into(),
            control,
            results: vec![v1::Result { figures, ..Default::default() }],
            ..Default::default()
        };
        let (higher, lower) = (v1::Better::Higher, v1::Better::Lower);
        let own =
            [("drop_9", Some(0.25), lower), ("drop_1", Some(-1.0), lower), ("gain", Some(10.0), higher)];
        let none = [("drop_9", None, lower), ("drop_1", None, lower), ("gain", Some(1.0), higher)];
        let of = |figures: [(&str, _, _); 3]| {
            figures.map(|(name, value, better)| figure(name, value, better)).to_vec()
        };
        let answer = v1::EvaluateResponse {
            evaluated: vec![evaluated("rise", false, of(own)), evaluated("uniform", true, of(none))],
            ..Default::default()
        };
        let text = evaluation("a.png", &["drop:fill=zero".to_owned()], &answer).unwrap();
        let expected = "  drop:fill=zero, lower is better\n\
                        \x20                       drop_9   drop_1\n\
                        \x20   rise                 0.250   -1.000\n\
                        \x20   uniform (control)        -        -\n\
                        \x20 drop:fill=zero, higher is better\n\
                        \x20                         gain\n\
                        \x20   rise                10.000\n\
                        \x20   uniform (control)    1.000\n\
                        \x20   uniform without a figure: the map is flat\n";
        assert!(text.contains(expected), "{text}");
    }
}
