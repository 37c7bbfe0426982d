//! Whether the sentence names the part that was manipulated, on fakes whose mask is a mouth or eyes; and whether faces of a crowd are
//! found and kept.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use image::RgbImage;
use image::imageops::{FilterType, crop_imm, replace, resize};
use serde::{Deserialize, Serialize};
use tonic::Request;
use unmask_core::{LabelMap, Map, Reading};
use unmask_explainer::metrics::controls;
use unmask_explainer::segment::rank;
use unmask_protocol::v1::explanation_service_server::ExplanationService as _;
use unmask_protocol::v1::{self, FacePart};
use unmask_server::Service;
use unmask_tests::crowd::{GREY, file, iou};
use unmask_tests::evalset::Item;
use unmask_tests::{explain, values};

/// Families whose masks are of one part, and what is right to name first.
const RIGHT: [(&str, &[FacePart]); 2] =
    [("mouth", &[FacePart::Mouth]), ("eyes", &[FacePart::LeftEye, FacePart::RightEye])];
/// What has seen neither picture nor detector.
const CONTROLS: [&str; 3] = ["centred Gaussian", "uniform", "random"];
/// "No part stands out", or no face was found.
const NOBODY: &str = "none";

/// What was named first of a fake.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Named {
    model: String,
    id: String,
    family: String,
    passes: u64,
    /// By the sentence, and by each control under the same rule.
    sentence: String,
    controls: Vec<String>,
}

/// Runs what is not there yet, and writes the page.
pub(crate) async fn study(
    service: &Service,
    model: &str,
    items: &[Item],
    (kept, report): (&Path, &Path),
    faces: Option<&Path>,
) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(kept).unwrap_or_default();
    // A last line that was cut off is run again.
    let mut rows: Vec<Named> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    rows.retain(|row| row.model == model);
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(kept)?;
    if !text.is_empty() && !text.ends_with('\n') {
        writeln!(file)?;
    }
    for item in items.iter().filter(|item| RIGHT.iter().any(|(family, _)| *family == item.family)) {
        if rows.iter().any(|row| row.id == item.id) {
            continue;
        }
        let row = named(service, model, item).await.with_context(|| item.id.clone())?;
        println!("{}: {}", row.id, row.sentence);
        writeln!(file, "{}", serde_json::to_string(&row)?)?;
        rows.push(row);
    }
    let crowds = match faces {
        Some(dir) => Some(crowds(service, dir).await?),
        None => None,
    };
    std::fs::write(report, page(&rows, crowds.as_ref()))
        .with_context(|| format!("cannot write {}", report.display()))
}

async fn named(service: &Service, model: &str, item: &Item) -> anyhow::Result<Named> {
    let request = v1::ExplainRequest {
        image: item.image.clone(),
        outputs: vec![v1::Output::Sentences.into()],
        ..v1::ExplainRequest::default()
    };
    let answer = explain(service, request.clone()).await.map_err(|e| anyhow!(e))?;
    let controls = if answer.parts.is_empty() {
        vec![NOBODY.to_owned(); CONTROLS.len()]
    } else {
        let parts = v1::segmentation::Kind::Parts(v1::PartSegmentation {});
        let request = v1::ExplainRequest {
            segmentation: Some(v1::Segmentation { kind: Some(parts) }),
            outputs: vec![v1::Output::Labels.into()],
            ..request
        };
        let labels = explain(service, request).await.map_err(|e| anyhow!(e))?.labels;
        controlled(&labels.context("labels were asked for")?, item.number)?
    };
    Ok(Named {
        model: model.to_owned(),
        id: item.id.clone(),
        family: item.family.clone(),
        passes: answer.cost.as_ref().map_or(0, |cost| cost.run),
        sentence: first_named(&answer),
        controls,
    })
}

/// The part that the sentence names first: the first of which it tells a number.
fn first_named(answer: &v1::ExplainResponse) -> String {
    let evidence = answer.sentences.iter().find(|sentence| sentence.kind() == v1::SentenceKind::Evidence);
    let field = evidence.and_then(|sentence| sentence.numbers.first()).map(|number| number.field.as_str());
    let at = field.and_then(|field| field.strip_prefix("parts[")?.split(']').next()?.parse::<usize>().ok());
    let part = at.and_then(|at| answer.parts.get(at)).map(v1::Part::part);
    part.map_or_else(|| NOBODY.to_owned(), |part| part.as_str_name().to_owned())
}

/// What each control would name first, by the rule of the sentence.
fn controlled(labels: &v1::LabelSegmentation, seed: u64) -> anyhow::Result<Vec<String>> {
    let (height, width) = (labels.height as usize, labels.width as usize);
    let numbers: Vec<u32> =
        labels.values.chunks_exact(2).map(|v| u32::from(u16::from_le_bytes([v[0], v[1]]))).collect();
    let parts = LabelMap::new(height, width, &numbers)?;
    let maps = [
        controls::centre(height, width),
        controls::uniform(height, width),
        controls::random(height, width, seed),
    ];
    let first = |map: &Map| {
        let mut ranked = rank(map, Reading::Evidence, &parts);
        ranked.retain(|part| part.stands_out());
        let best = ranked.into_iter().max_by(|a, b| a.excess().total_cmp(&b.excess()));
        let part = best.and_then(|best| FacePart::try_from(parts.name(best.label) as i32).ok());
        part.map_or_else(|| NOBODY.to_owned(), |part| part.as_str_name().to_owned())
    };
    Ok(maps.iter().map(first).collect())
}

/// What became of the faces of canvases of four portraits.
#[derive(Debug, Default)]
struct Crowds {
    faces: usize,
    found: usize,
    /// Of what was found, at 0.75 and 1.5 times the size and cut.
    again: usize,
    kept: usize,
    /// And the part that has most of the evidence.
    same: usize,
}

/// Left, top and side of the portraits on a canvas of 1000 x 760.
const PLACES: [(u32, u32, u32); 4] = [(20, 20, 420), (460, 30, 320), (470, 400, 240), (760, 460, 180)];

/// Untouched portraits, four on a canvas, and nothing of them is kept.
async fn crowds(service: &Service, dir: &Path) -> anyhow::Result<Crowds> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .with_context(|| {
            format!("cannot read {}; it is the folder of portraits of models/training", dir.display())
        })?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "jpg"))
        .collect();
    files.sort();
    let mut crowds = Crowds::default();
    // Every ninth, so that a study is of minutes.
    let chosen: Vec<_> = files.into_iter().step_by(9).collect();
    for (number, four) in chosen.chunks_exact(PLACES.len()).enumerate() {
        println!("canvas {number}");
        let mut canvas = RgbImage::from_pixel(1000, 760, GREY);
        for (path, (x, y, side)) in four.iter().zip(PLACES) {
            let portrait = image::load_from_memory(&std::fs::read(path)?)?.to_rgb8();
            replace(&mut canvas, &resize(&portrait, side, side, FilterType::Triangle), x.into(), y.into());
        }
        let upright = explained(service, &canvas).await?;
        crowds.faces += four.len();
        crowds.found +=
            PLACES.iter().filter(|place| upright.iter().any(|(face, _)| lies(face, place))).count();
        let scaled = |scale: f64| {
            let side = |length: u32| (f64::from(length) * scale).round() as u32;
            resize(&canvas, side(1000), side(760), FilterType::Triangle)
        };
        let cut = crop_imm(&canvas, 16, 16, 960, 730).to_image();
        for (picture, scale, by) in [(scaled(0.75), 0.75, 0.0), (scaled(1.5), 1.5, 0.0), (cut, 1.0, 16.0)] {
            let found = explained(service, &picture).await?;
            for (before, was) in &upright {
                crowds.again += 1;
                let back = |corners: [f64; 4]| corners.map(|v| v / scale + by);
                let same = found.iter().find(|(face, _)| iou(back(corners(face)), corners(before)) >= 0.8);
                crowds.kept += usize::from(same.is_some());
                crowds.same += usize::from(same.is_some_and(|(_, part)| part == was));
            }
        }
    }
    Ok(crowds)
}

fn corners(face: &v1::Face) -> [f64; 4] {
    [face.left, face.top, face.right, face.bottom]
}

/// Whether the middle of a face lies in the middle half of a portrait.
fn lies(face: &v1::Face, (x, y, side): &(u32, u32, u32)) -> bool {
    let within = |at: f64, from: u32| (0.25..0.75).contains(&((at - f64::from(from)) / f64::from(*side)));
    within((face.left + face.right) / 2.0, *x) && within((face.top + face.bottom) / 2.0, *y)
}

/// Every face with the part that comes first.
async fn explained(service: &Service, picture: &RgbImage) -> anyhow::Result<Vec<(v1::Face, i32)>> {
    let image = file(picture);
    let request = v1::DetectFacesRequest { image: image.clone(), ..v1::DetectFacesRequest::default() };
    let faces = service.detect_faces(Request::new(request)).await.map_err(|e| anyhow!(e))?.into_inner().faces;
    let mut answers = Vec::new();
    for face in faces {
        let known = face.landmarks.map(v1::face_choice::Kind::Landmarks);
        let request = v1::ExplainRequest {
            image: image.clone(),
            crop: face.crop,
            face: Some(v1::FaceChoice { kind: known }),
            ..v1::ExplainRequest::default()
        };
        let answer = explain(service, request).await.map_err(|e| anyhow!(e))?;
        anyhow::ensure!(!values(&answer.map.unwrap_or_default()).is_empty(), "an answer without a map");
        answers.push((face, answer.parts.first().map_or(0, |part| part.part)));
    }
    Ok(answers)
}

/// Names on fakes from the 44th of a family on were looked at while the rule was made.
const LOOKED_AT: usize = 44;

fn page(rows: &[Named], crowds: Option<&Crowds>) -> String {
    let mut text = String::from(
        "# Whether the right part is named\n\nWritten by `cargo xtask study --names --evalset EVALSET --faces DIR`, which keeps every row and goes on where it was \
         stopped; `EVALSET` is what `models/training/evalset.py --faces DIR` writes, people that the detector was never trained on.\n\n\
         A fake whose mask is a mouth or eyes, and that the detector calls fake, is explained by the default preset, in sentences. The part that the sentence on the \
         evidence names first is right where it is the mouth, or either eye; where no part stands out, or no face is found, it is wrong. A control is a map \
         that has seen neither picture nor detector, told by the same rule. The rule (the largest share of the evidence less the share of the area) was chosen on the fakes from the \
         44th of each family on; the first 44 were not looked at then.\n\n\
         | fakes | number | passes | sentence |",
    );
    for control in CONTROLS {
        let _ = write!(text, " {control} |");
    }
    text += "\n|---|---|---|---|---|---|---|\n";
    let number = |row: &Named| row.id.rsplit('-').next().and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
    type Chosen<'a> = Vec<&'a Named>;
    let mut line = |name: String, chosen: &Chosen<'_>| {
        let right = |row: &Named, said: &str| {
            let parts =
                RIGHT.iter().find(|(family, _)| *family == row.family).map_or(&[][..], |(_, parts)| *parts);
            parts.iter().any(|part| part.as_str_name() == said)
        };
        let share = |said: &dyn Fn(&Named) -> String| {
            let hits = chosen.iter().filter(|row| right(row, &said(row))).count();
            format!("{:.1} %", 100.0 * hits as f64 / chosen.len().max(1) as f64)
        };
        let passes = chosen.iter().map(|row| row.passes).sum::<u64>() as f64 / chosen.len().max(1) as f64;
        let _ = write!(
            text,
            "| {name} | {} | {passes:.0} | {} |",
            chosen.len(),
            share(&|row| row.sentence.clone())
        );
        for control in 0..CONTROLS.len() {
            let said = |row: &Named| row.controls.get(control).cloned().unwrap_or_default();
            let _ = write!(text, " {} |", share(&said));
        }
        text.push('\n');
    };
    for (family, _) in RIGHT {
        let of = |row: &&Named| row.family == family;
        line(
            format!("{family}, not looked at"),
            &rows.iter().filter(of).filter(|r| number(r) < LOOKED_AT).collect(),
        );
        line(format!("{family}, all"), &rows.iter().filter(of).collect());
    }
    line("both, not looked at".into(), &rows.iter().filter(|r| number(r) < LOOKED_AT).collect());
    line("both, all".into(), &rows.iter().collect());
    if let Some(Crowds { faces, found, again, kept, same }) = crowds {
        let _ = writeln!(
            text,
            "\n## Faces of a crowd\n\nUntouched portraits, four on a canvas at sides of 420, 320, 240 and 180 pixels: {found} of {faces} faces are found. At 0.75 and \
             1.5 times the size and cut by 16 pixels, {kept} of {again} boxes lie where they were (IoU of at least 0.8), and {same} of {again} have the same part first. \
             Most of these portraits are called real, and what speaks for that is spread: that the part stays is tested on a detector that looks for one thing (`tests/finding/faces.rs`)."
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_part_of_which_a_sentence_tells_is_the_one_that_it_names() {
        let part = |part: FacePart| v1::Part { part: part.into(), ..v1::Part::default() };
        let said = |field: &str| v1::Sentence {
            kind: v1::SentenceKind::Evidence.into(),
            numbers: vec![v1::Number { field: field.into(), shown: String::new() }],
            ..v1::Sentence::default()
        };
        let answer = |field: &str| v1::ExplainResponse {
            parts: vec![part(FacePart::Nose), part(FacePart::Mouth)],
            sentences: vec![said(field)],
            ..v1::ExplainResponse::default()
        };
        assert_eq!(first_named(&answer("parts[1].evidence_share")), "FACE_PART_MOUTH");
        assert_eq!(first_named(&answer("regions[0].evidence_share")), NOBODY);
        assert_eq!(first_named(&v1::ExplainResponse::default()), NOBODY);
    }

    #[test]
    fn rights_are_counted_by_family() {
        let row = |id: &str, family: &str, sentence: &str| Named {
            model: String::new(),
            id: id.into(),
            family: family.into(),
            passes: 300,
            sentence: sentence.into(),
            controls: vec!["FACE_PART_NOSE".into(), NOBODY.into(), "FACE_PART_MOUTH".into()],
        };
        let rows = [
            row("mouth-000", "mouth", "FACE_PART_MOUTH"),
            row("mouth-001", "mouth", "none"),
            row("eyes-050", "eyes", "FACE_PART_LEFT_EYE"),
        ];
        let page = page(&rows, None);
        assert!(page.contains("| mouth, all | 2 | 300 | 50.0 % | 0.0 % | 0.0 % | 100.0 % |"), "{page}");
        assert!(page.contains("| eyes, not looked at | 0 |"), "{page}");
        assert!(page.contains("| both, all | 3 | 300 | 66.7 % |"), "{page}");
    }
}
