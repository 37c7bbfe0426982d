//! The commands that make a page, and its maps, again.

use crate::args::{How, Report, Which};
use crate::shell::quoted;
use unmask_protocol::v1;

/// What was typed, as a shell reads it, without where it was worked out and where it was written to; the models are those that answered.
pub(super) fn report(
    args: &Report,
    model: Option<&v1::ModelVersion>,
    finder: Option<&v1::ModelVersion>,
) -> String {
    let mut words = Words::of("report");
    words.flag("--model", model.map(version).or_else(|| args.model.clone()));
    words.flag("--crop", args.crop.map(|crop| crop.map(|n| n.to_string()).join(",")));
    words.flag("--face", args.face.map(|which| which_word(which).to_owned()));
    words.flag("--face-model", finder.map(version).or_else(|| args.face_model.clone()));
    words.how(&args.how);
    args.compare.iter().for_each(|method| words.flag("--compare", Some(method.clone())));
    if args.no_compare {
        words.0.push("--no-compare".to_owned());
    }
    args.metrics.iter().for_each(|metric| words.flag("--metric", Some(metric.clone())));
    words.flag("--title", args.title.clone());
    let images: Vec<_> = args.images.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    words.files(&images)
}

/// The command that makes the same map.
pub(super) fn explain(args: &Report, name: &str, answer: &v1::ExplainResponse) -> String {
    let mut words = Words::of("explain");
    words.flag("--model", answer.model.as_ref().map(version).or_else(|| args.model.clone()));
    let crop = answer.resolved.as_ref().and_then(|resolved| resolved.crop);
    words.flag("--crop", crop.map(|b| format!("{},{},{},{}", b.x, b.y, b.width, b.height)));
    words.how(&args.how);
    words.files(&[name.to_owned()])
}

fn version(model: &v1::ModelVersion) -> String {
    format!("{}@{}", model.name, model.version)
}

fn which_word(which: Which) -> &'static str {
    match which {
        Which::Largest => "largest",
        Which::All => "all",
    }
}

struct Words(Vec<String>);

impl Words {
    fn of(command: &str) -> Self {
        Self(vec!["unmask".to_owned(), command.to_owned()])
    }

    /// A value that begins with a dash would be read as a flag of its own.
    fn flag(&mut self, name: &str, value: Option<String>) {
        match value {
            Some(value) if value.starts_with('-') => self.0.push(format!("{name}={}", quoted(&value))),
            Some(value) => self.0.extend([name.to_owned(), quoted(&value)]),
            None => {}
        }
    }

    fn pairs(&mut self, name: &str, pairs: &[(String, String)]) {
        pairs.iter().for_each(|(key, value)| self.flag(name, Some(format!("{key}={value}"))));
    }

    fn how(&mut self, how: &How) {
        self.flag("--method", how.method.clone());
        self.pairs("--param", &how.params);
        self.flag("--preset", Some(how.preset.clone()).filter(|preset| !preset.is_empty()));
        self.flag("--fill", how.fill.clone());
        self.pairs("--fill-param", &how.fill_params);
        self.flag("--fill-image", how.fill_image.as_ref().map(|path| path.to_string_lossy().into_owned()));
        self.flag("--segments", how.segments.clone());
        self.pairs("--segments-param", &how.segments_params);
        self.flag("--target", how.target.clone());
        self.flag("--group", how.group.clone());
        self.flag("--against", how.against.clone());
        self.flag("--against-group", how.against_group.clone());
        self.flag("--scale", how.scale.clone());
        self.flag("--seed", Some(how.seed.to_string()));
        self.flag("--max-passes", how.max_passes.map(|n| n.to_string()));
        self.flag("--target-error", how.target_error.map(|share| share.to_string()));
        self.flag("--language", Some(how.language.clone()).filter(|language| !language.is_empty()));
    }

    /// The line, with these files at its end.
    fn files(mut self, files: &[String]) -> String {
        if files.iter().any(|file| file.starts_with('-')) {
            self.0.push("--".to_owned());
        }
        self.0.extend(files.iter().map(|file| quoted(file)));
        self.0.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Args, Command};

    fn of(typed: &[&str]) -> Report {
        let Command::Report(args) = Args::parse_from(["unmask", "report"].iter().chain(typed)).command else {
            panic!("{typed:?}")
        };
        *args
    }

    #[test]
    fn what_was_typed_is_told_and_read_again_as_the_same() {
        let typed = "--crop 1,2,30,40 --method rise --param masks=500 --param paired=true --fill blur --fill-param sigma=3 \
                     --segments slic --segments-param segments=20 --group fake --against real --scale probability --seed 3 \
                     --max-passes 900 --target-error 0.05 --language de --compare occlusion --metric deletion --metric insertion";
        let mut words: Vec<_> = typed.split_whitespace().collect();
        words.extend(["--title", "it's <b>", "a b.png", "c.png"]);
        let told = report(&of(&[&words[..], &["-o", "x.html"]].concat()), None, None);
        assert_eq!(told, format!("unmask report {typed} --title 'it'\\''s <b>' 'a b.png' c.png"));
    }

    #[test]
    fn models_are_those_that_answered() {
        let model =
            |name: &str| v1::ModelVersion { name: name.into(), version: "2".into(), ..Default::default() };
        let told = report(&of(&["--face", "all", "a.png"]), Some(&model("m")), Some(&model("f")));
        assert_eq!(told, "unmask report --model m@2 --face all --face-model f@2 --seed 0 a.png");
    }

    #[test]
    fn what_begins_with_a_dash_is_no_flag() {
        let told = report(&of(&["--no-compare", "--title=-t", "--", "-a.png"]), None, None);
        assert_eq!(told, "unmask report --seed 0 --no-compare --title=-t -- -a.png");
        let answer = v1::ExplainResponse {
            resolved: Some(v1::Resolved {
                crop: Some(v1::Box { x: 1, y: 2, width: 30, height: 40 }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let told = explain(&of(&["--preset", "fast", "b.png"]), "b.png", &answer);
        assert_eq!(told, "unmask explain --crop 1,2,30,40 --preset fast --seed 0 b.png");
    }
}
