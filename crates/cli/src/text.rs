//! Answers as a person reads them: computed values only.

use std::fmt::Write as _;

use unmask_protocol::v1;

/// `mouth (manipulated with 99.8 %)`.
pub(crate) fn verdict(prediction: &v1::Prediction) -> String {
    format!("{} (manipulated: {})", prediction.label, percent(prediction.fake_probability))
}

/// All classes, the most probable first.
pub(crate) fn scores(prediction: &v1::Prediction) -> String {
    let mut scores: Vec<_> = prediction.scores.iter().collect();
    scores.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    scores.iter().map(|s| format!("{} {}", s.label, percent(s.probability))).collect::<Vec<_>>().join(", ")
}

/// The readable summary of an explanation.
pub(crate) fn explanation(name: &str, answer: &v1::ExplainResponse) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let prediction = answer.prediction.clone().unwrap_or_default();
    let target = answer.target.clone().unwrap_or_default();
    let fill = answer.fill_prediction.clone().unwrap_or_default();
    writeln!(text, "{name}: {}", verdict(&prediction))?;
    for sentence in &answer.sentences {
        writeln!(text, "  {}", sentence.text)?;
    }
    writeln!(text, "  scores: {}", scores(&prediction))?;
    writeln!(
        text,
        "  explained: {}, {} {:+.2} on the picture, {:+.2} on the fill alone (called {})",
        target.label,
        scale(target.scale()),
        target.value,
        target.fill_value.unwrap_or_default(),
        fill.label
    )?;
    if let Some(search) = &answer.adversarial {
        writeln!(text, "  {}", adversarial(search))?;
    }
    figures(&mut text, &answer.figures.unwrap_or_default())?;
    let what = match answer.reading() {
        v1::Reading::Importance => "importance",
        v1::Reading::Evidence | v1::Reading::Unspecified => "evidence",
    };
    for region in answer.regions.iter().filter(|region| region.mean > 0.0) {
        let b = region.r#box.unwrap_or_default();
        let error = region.standard_error.map(|error| format!("; mean {:+.3} +- {error:.3}", region.mean));
        writeln!(
            text,
            "  {}. {} x {} at ({}, {}): {} of the {} in {} of the area{}",
            region.rank,
            b.width,
            b.height,
            b.x,
            b.y,
            percent(region.evidence_share),
            what,
            percent(region.area_share),
            error.unwrap_or_default()
        )?;
    }
    if let Some(error) = answer.error {
        let enough = if answer.converged { ", as small as was asked for" } else { "" };
        writeln!(text, "  largest standard error of a region: {} of their range{enough}", percent(error))?;
    }
    let foot = Foot {
        cost: answer.cost.as_ref(),
        timings: answer.timings,
        model: answer.model.as_ref(),
        seed: answer.resolved.as_ref().map_or(0, |r| r.seed),
        warnings: &answer.warnings,
    };
    Ok(text + &foot.lines())
}

/// The readable summary of why a face was seen.
pub(crate) fn face(name: &str, answer: &v1::ExplainFaceResponse) -> String {
    let face = answer.face.clone().unwrap_or_default();
    let (across, down) = (face.right - face.left, face.bottom - face.top);
    let error = answer.inside_error.map(|error| format!(" +- {error:.4}")).unwrap_or_default();
    let foot = Foot {
        cost: answer.cost.as_ref(),
        timings: answer.timings,
        model: answer.face_model.as_ref(),
        seed: answer.resolved.map_or(0, |resolved| resolved.seed),
        warnings: &answer.warnings,
    };
    format!(
        "{name}: a face of {across:.0} x {down:.0} pixels at ({:.0}, {:.0}), seen with a score of {:.3}\n  \
         {} of the evidence for it lies in its box, which is {} of the picture; mean inside {:+.4}{error}\n  \
         of its {:.3} of overlap x score, {:.3} is left on average where random parts of the picture are hidden\n{}",
        face.left,
        face.top,
        face.score,
        percent(answer.evidence_share),
        percent(answer.area_share),
        answer.inside_mean,
        face.score,
        answer.masked_mean,
        foot.lines()
    )
}

/// What stands below every answer that costs passes.
pub(crate) struct Foot<'a> {
    pub(crate) cost: Option<&'a v1::Cost>,
    pub(crate) timings: Option<v1::Timings>,
    pub(crate) model: Option<&'a v1::ModelVersion>,
    pub(crate) seed: u64,
    pub(crate) warnings: &'a [String],
}

impl Foot<'_> {
    pub(crate) fn lines(&self) -> String {
        let cost = self.cost.cloned().unwrap_or_default();
        let model = self.model.cloned().unwrap_or_default();
        let seconds = self.timings.unwrap_or_default().total_ms / 1e3;
        let mut text = format!(
            "  {} passes of {} announced in {seconds:.2} s; {}@{} sha256 {:.12}; seed {}\n",
            cost.run, cost.announced, model.name, model.version, model.sha256, self.seed
        );
        self.warnings.iter().for_each(|warning| text += &format!("  note: {warning}\n"));
        text
    }
}

/// `adversarial fill: flipped in 3 steps, 64 passes; margin +3.10 to -2.40; largest change 12.0, mean 8.1 of 255`.
fn adversarial(search: &v1::AdversarialSample) -> String {
    format!(
        "adversarial fill: {} in {} steps, {} passes; margin {:+.2} to {:+.2}; largest change {:.1}, mean {:.1} of 255",
        if search.flipped { "flipped" } else { "not flipped" },
        search.steps,
        search.passes,
        search.margin_before,
        search.margin_after,
        search.largest_change,
        search.mean_change
    )
}

/// What the method knows besides its map, where it knows something.
fn figures(text: &mut String, figures: &v1::Figures) -> Result<(), std::fmt::Error> {
    let known = [
        ("intercept", figures.intercept),
        ("local R2", figures.r2),
        ("picture less fill", figures.total),
        ("variance", figures.variance),
    ];
    let known: Vec<_> =
        known.iter().filter_map(|(name, value)| value.map(|v| format!("{name} {v:+.4}"))).collect();
    if !known.is_empty() {
        writeln!(text, "  {}", known.join(", "))?;
    }
    Ok(())
}

/// A scale in words.
pub(crate) fn scale(scale: v1::Scale) -> &'static str {
    match scale {
        v1::Scale::LogOdds | v1::Scale::Unspecified => "log-odds",
        v1::Scale::Probability => "probability",
        v1::Scale::DoubleSoftmax => "double softmax",
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
