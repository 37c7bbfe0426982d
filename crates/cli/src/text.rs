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
    writeln!(text, "  scores: {}", scores(&prediction))?;
    writeln!(
        text,
        "  explained: {}, log-odds {:+.2} on the picture, {:+.2} on the fill alone (called {})",
        target.label, target.value, target.fill_value, fill.label
    )?;
    for region in answer.regions.iter().filter(|region| region.mean > 0.0) {
        let b = region.r#box.unwrap_or_default();
        writeln!(
            text,
            "  {}. {} x {} at ({}, {}): {} of the evidence in {} of the area",
            region.rank,
            b.width,
            b.height,
            b.x,
            b.y,
            percent(region.evidence_share),
            percent(region.area_share)
        )?;
    }
    let cost = answer.cost.clone().unwrap_or_default();
    let model = answer.model.clone().unwrap_or_default();
    let seed = answer.resolved.as_ref().map_or(0, |r| r.seed);
    writeln!(
        text,
        "  {} passes of {} announced in {:.2} s; {}@{} sha256 {:.12}; seed {seed}",
        cost.run,
        cost.announced,
        answer.timings.unwrap_or_default().total_ms / 1e3,
        model.name,
        model.version,
        model.sha256,
    )?;
    for warning in &answer.warnings {
        writeln!(text, "  note: {warning}")?;
    }
    Ok(text)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
