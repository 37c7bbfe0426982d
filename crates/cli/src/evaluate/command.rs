//! The command that remakes a report.

use crate::args::Evaluate;
use crate::shell::quoted;

/// What was typed, as a shell reads it, without where it was worked out and where it was written to.
pub(super) fn command(args: &Evaluate) -> String {
    let mut words = vec!["unmask".to_owned(), "evaluate".to_owned(), quoted(&args.path.to_string_lossy())];
    let mut flag = |name: &str, value: &str| words.extend([name.to_owned(), quoted(value)]);
    if let Some(list) = &args.list {
        flag("--list", &list.to_string_lossy());
    }
    if let Some(model) = &args.model {
        flag("--model", model);
    }
    match &args.plan {
        Some(plan) => flag("--plan", &plan.to_string_lossy()),
        None => {
            args.methods.iter().for_each(|method| flag("--method", method));
            args.fills.iter().for_each(|fill| flag("--fill", fill));
            args.metrics.iter().for_each(|metric| flag("--metric", metric));
            let given = [
                ("--preset", Some(args.preset.clone()).filter(|preset| !preset.is_empty())),
                ("--segments", args.segments.clone()),
                ("--scale", args.scale.clone()),
                ("--seed", Some(args.seed).filter(|seed| *seed != 0).map(|seed| seed.to_string())),
            ];
            given
                .iter()
                .filter_map(|(name, value)| Some((name, value.as_ref()?)))
                .for_each(|(n, v)| flag(n, v));
        }
    }
    args.families.iter().for_each(|family| flag("--family", family));
    let numbers = [
        ("--per-family", args.per_family.map(|n| n.to_string())),
        ("--resamples", args.resamples.map(|n| n.to_string())),
        ("--confidence", args.confidence.map(|n| n.to_string())),
    ];
    numbers.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).for_each(|(n, v)| flag(n, v));
    words.extend(args.called_fake.then(|| "--called-fake".to_owned()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Args, Command};

    fn of(typed: &[&str]) -> String {
        let Command::Evaluate(args) = Args::parse_from(typed).command else { panic!("{typed:?}") };
        command(&args)
    }

    #[test]
    fn what_was_typed_is_told_and_read_again_as_the_same() {
        let typed = [
            "unmask",
            "evaluate",
            "a folder",
            "--list",
            "it's.csv",
            "--method",
            "rise:masks=500",
            "--fill",
            "default",
            "--metric",
            "auroc",
            "--preset",
            "paper",
            "--seed",
            "3",
            "--per-family",
            "2",
            "--confidence",
            "0.9",
            "--called-fake",
        ];
        let more = ["--out", "x", "--server", "http://127.0.0.1:1"];
        let told = of(&[&typed[..], &more].concat());
        let expected = "unmask evaluate 'a folder' --list 'it'\\''s.csv' --method rise:masks=500 --fill default \
                        --metric auroc --preset paper --seed 3 --per-family 2 --confidence 0.9 --called-fake";
        assert_eq!(told, expected);
        assert_eq!(of(&["unmask", "evaluate", "d", "--plan", "p.json"]), "unmask evaluate d --plan p.json");
    }
}
