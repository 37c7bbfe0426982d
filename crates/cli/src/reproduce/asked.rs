//! The request that an answer was to, from what the answer holds.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use unmask_protocol::v1::{self, fill, segmentation};
use unmask_registry::sha256;

use super::kept::Kept;
use super::npy;
use crate::args::Reproduce;

pub(super) fn request(kept: &Kept, args: &Reproduce) -> anyhow::Result<v1::ExplainRequest> {
    let answer = &kept.answer;
    let resolved = answer.resolved.clone().context("the answer holds no resolved parameters")?;
    let model = answer.model.clone().context("the answer names no model")?;
    let asked = answer.target.as_ref().context("the answer names no target")?;
    let passes = cut_short(answer);
    anyhow::ensure!(
        passes != Some(0),
        "the answer was cut short and does not say of how many passes it is made"
    );
    let read = |path: &Path| {
        std::fs::read(path).with_context(|| format!("cannot read the picture {}", path.display()))
    };
    Ok(v1::ExplainRequest {
        image: read(&args.image)?,
        model: Some(v1::ModelSelector { name: model.name, version: model.version }),
        crop: resolved.crop.filter(|crop| !is_whole(crop, answer)),
        target: Some(target(asked)),
        method: resolved.method,
        fill: resolved.fill.map(|fill| with_image(fill, args)).transpose()?,
        seed: resolved.seed,
        budget: budget(resolved.budget, passes),
        outputs: outputs(kept),
        top_regions: Some(answer.regions.len() as u32),
        segmentation: resolved.segmentation.map(|cut| with_labels(cut, args)).transpose()?,
        face: face(answer, resolved.landmarks),
        counterfactual: resolved.counterfactual,
        language: resolved.language,
        ..v1::ExplainRequest::default()
    })
}

/// The budget that was given, and where the answer was cut short, the passes of which it is made.
fn budget(given: Option<v1::Budget>, passes: Option<u64>) -> Option<v1::Budget> {
    let given = given.unwrap_or_default();
    let budget = v1::Budget { max_passes: passes.or(given.max_passes), ..given };
    (budget != v1::Budget::default()).then_some(budget)
}

/// The face that was meant: looked for again where it was looked for.
fn face(answer: &v1::ExplainResponse, landmarks: Option<v1::Landmarks>) -> Option<v1::FaceChoice> {
    use v1::face_choice::Kind;
    let resolved = answer.resolved.as_ref()?;
    let crop = resolved.crop;
    let kind = if resolved.face_sought {
        // Unasked, because sentences or a counterfactual were wanted, which they are again.
        if crop.is_none_or(|crop| is_whole(&crop, answer)) {
            return None;
        }
        let model = |model: &v1::ModelVersion| v1::ModelSelector {
            name: model.name.clone(),
            version: model.version.clone(),
        };
        Kind::Search(v1::FaceSearch { face_model: answer.face_model.as_ref().map(model) })
    } else {
        Kind::Landmarks(landmarks?)
    };
    Some(v1::FaceChoice { kind: Some(kind) })
}

/// Whether nobody gave this crop: an answer has the whole picture's then, and where the model expects a face, it says so.
fn is_whole(crop: &v1::Box, answer: &v1::ExplainResponse) -> bool {
    let shown = answer.transform.unwrap_or_default();
    let whole = v1::Box { x: 0, y: 0, width: shown.displayed_width, height: shown.displayed_height };
    *crop == whole && answer.warnings.iter().any(|warning| warning.starts_with("no crop was given"))
}

/// The decision by its sides: a class where the name is the only class of its side, else a group.
fn target(asked: &v1::ExplainedTarget) -> v1::Target {
    use v1::target::{Against, Kind};
    let (pro, contra) = match asked.label.split_once(" against ") {
        Some((pro, contra)) => (pro, Some(contra)),
        None => (asked.label.as_str(), None),
    };
    let is_class = |name: &str, classes: &[String]| matches!(classes, [only] if only == name);
    let kind = if is_class(pro, &asked.pro) { Kind::Label(pro.into()) } else { Kind::Group(pro.into()) };
    let against = contra.map(|name| match is_class(name, &asked.contra) {
        true => Against::AgainstLabel(name.into()),
        false => Against::AgainstGroup(name.into()),
    });
    v1::Target { kind: Some(kind), against, scale: asked.scale }
}

/// Where an answer was cut short by its deadline or budget, the passes of which it is made: as a budget they end it after the same
/// round.
pub(super) fn cut_short(answer: &v1::ExplainResponse) -> Option<u64> {
    use v1::SavingReason::{Budget, Deadline};
    let cost = answer.cost.as_ref()?;
    let is_cut = cost.saved.iter().any(|saving| matches!(saving.reason(), Budget | Deadline));
    is_cut.then_some(cost.used)
}

/// What had been asked for is what there is.
fn outputs(kept: &Kept) -> Vec<i32> {
    let drawn = |name: &str| !kept.json[name].is_null();
    let wanted = [
        (drawn("heat_map_png"), v1::Output::HeatMap),
        (drawn("overlay_png"), v1::Output::Overlay),
        (kept.answer.picture_map.is_some(), v1::Output::PictureMap),
        (drawn("fill_png"), v1::Output::Fill),
        (kept.answer.labels.is_some(), v1::Output::Labels),
        (kept.answer.standard_errors.is_some(), v1::Output::StandardErrors),
        (!kept.answer.sentences.is_empty(), v1::Output::Sentences),
        (kept.answer.steadiness.is_some(), v1::Output::Steadiness),
    ];
    wanted.into_iter().filter(|(wanted, _)| *wanted).map(|(_, output)| output.into()).collect()
}

/// The fill; one that was a picture holds its digest, and needs the picture.
fn with_image(fill: v1::Fill, args: &Reproduce) -> anyhow::Result<v1::Fill> {
    let Some(fill::Kind::Image(kept)) = &fill.kind else {
        ensure!(
            args.fill_image.is_none(),
            "--fill-image is for an answer whose fill was a picture, this one's was not"
        );
        return Ok(fill);
    };
    let Some(path) = &args.fill_image else {
        bail!("the fill was a picture (sha256 {}), name its file with --fill-image", kept.sha256)
    };
    let image = std::fs::read(path).with_context(|| format!("cannot read the fill {}", path.display()))?;
    same_digest(path, &sha256(&image), &kept.sha256)?;
    Ok(v1::Fill { kind: Some(fill::Kind::Image(v1::ImageFill { image, sha256: String::new() })) })
}

/// The segmentation; one that was a label map holds its digest, and needs the map.
fn with_labels(cut: v1::Segmentation, args: &Reproduce) -> anyhow::Result<v1::Segmentation> {
    let Some(segmentation::Kind::Labels(kept)) = &cut.kind else {
        ensure!(
            args.labels.is_none(),
            "--labels is for an answer whose regions were a label map, this one's were not"
        );
        return Ok(cut);
    };
    let Some(path) = &args.labels else {
        let shape = format!("{} x {} uint16", kept.height, kept.width);
        bail!(
            "the regions were a label map ({shape}, sha256 {}), name it as a .npy file with --labels",
            kept.sha256
        )
    };
    let (shape, labels) = npy::<u16>(path)?;
    ensure!(
        shape == [u64::from(kept.height), u64::from(kept.width)],
        "{} has the shape {shape:?}, the label map of the answer had [{}, {}]",
        path.display(),
        kept.height,
        kept.width
    );
    let values: Vec<u8> = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
    same_digest(path, &sha256(&values), &kept.sha256)?;
    let labels = v1::LabelSegmentation { values, sha256: String::new(), ..kept.clone() };
    Ok(v1::Segmentation { kind: Some(segmentation::Kind::Labels(labels)) })
}

fn same_digest(path: &Path, got: &str, kept: &str) -> anyhow::Result<()> {
    ensure!(got == kept, "{} is another one: its sha256 is {got}, that of the answer {kept}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_asked_for_by_the_words_it_was_answered_by() {
        use v1::target::{Against, Kind};
        let asked = |label: &str, pro: &[&str], contra: &[&str]| {
            let own = |classes: &[&str]| classes.iter().map(|c| (*c).to_owned()).collect();
            let asked = v1::ExplainedTarget {
                label: label.into(),
                pro: own(pro),
                contra: own(contra),
                scale: v1::Scale::Probability.into(),
                ..Default::default()
            };
            let v1::Target { kind, against, scale } = target(&asked);
            assert_eq!(scale, asked.scale);
            (kind.unwrap(), against)
        };
        let (mouth, fake) = (Kind::Label("mouth".into()), Kind::Group("fake".into()));
        assert_eq!(asked("mouth", &["mouth"], &["real", "eyes"]), (mouth.clone(), None));
        assert_eq!(asked("fake", &["mouth", "eyes"], &["real"]), (fake.clone(), None));
        // A group of one class that has another name.
        assert_eq!(asked("fake", &["swap"], &["real"]), (fake.clone(), None));
        let eyes = Some(Against::AgainstLabel("eyes".into()));
        assert_eq!(asked("mouth against eyes", &["mouth"], &["eyes"]), (mouth, eyes));
        let parts = Some(Against::AgainstGroup("parts".into()));
        assert_eq!(asked("fake against parts", &["swap", "blend"], &["mouth", "eyes"]), (fake, parts));
    }

    #[test]
    fn what_an_answer_is_made_of_is_its_budget_where_it_was_cut_short() {
        use v1::SavingReason::{Budget, Cached, Converged, Deadline, Duplicate, Flipped};
        let cut = |saved: &[v1::SavingReason]| {
            let saving = |reason: &v1::SavingReason| v1::Saving { reason: (*reason).into(), passes: 9 };
            let saved = saved.iter().map(saving).collect();
            let cost = Some(v1::Cost { asked: 258, run: 140, saved, used: 130, ..Default::default() });
            cut_short(&v1::ExplainResponse { cost, ..Default::default() })
        };
        assert_eq!(cut(&[Converged, Duplicate, Cached]), None);
        assert_eq!(cut(&[Budget]), Some(130));
        assert_eq!(cut(&[Flipped, Deadline]), Some(130));
    }
}
