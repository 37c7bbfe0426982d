//! The segmentation's message to a segmentation; a caller's label map is brought to the model's frame here, because only
//! then it is known which of its regions are left.

use std::collections::BTreeSet;
use std::sync::Arc;

use unmask_core::{InputSpec, LabelMap, ModelSpec, Param, Preset, Violation};
use unmask_explainer::image::{Rect, nearest};
use unmask_explainer::methods::Method;
use unmask_explainer::segment::{
    COLS, MOST_SEGMENTS, Quickshift, ROWS, Segmentation, Slic, quickshift, slic,
};
use unmask_protocol::v1::{self, segmentation::Kind};

use super::subject::Pictured;

/// How the picture is cut, and what of a caller's label map stands in the answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cut {
    pub(crate) segmentation: Segmentation,
    pub(crate) sent: Option<Sent>,
}

/// A label map as the caller sent it, without its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) height: u32,
    pub(crate) width: u32,
    pub(crate) sha256: String,
}

/// What stands where the caller names no segmentation; `needed` says whether method or fill work on segments. The paper's code
/// cuts the colours for LIME and the normalised values for scoring the maps of all others.
pub(super) fn default(method: &Method, preset: Preset, needed: bool) -> Cut {
    let segmentation = match preset {
        Preset::Paper => {
            let normalised = !matches!(method, Method::Lime(_));
            Segmentation::Slic(Slic { normalised, ..Slic::default() })
        }
        Preset::Clean | Preset::Fast | Preset::Balanced | Preset::Thorough if needed => {
            Segmentation::Slic(Slic::default())
        }
        Preset::Clean | Preset::Fast | Preset::Balanced | Preset::Thorough => {
            grid(None, None, &mut Vec::new())
        }
    };
    Cut { segmentation, sent: None }
}

/// The segmentation, or `None` with a violation; `needed` says whether method or fill work on its segments.
pub(super) fn segmentation(
    message: v1::Segmentation,
    needed: bool,
    picture: Option<&Pictured>,
    spec: Option<&ModelSpec>,
    wrong: &mut Vec<Violation>,
) -> Option<Cut> {
    let input = spec.map(|spec| &spec.input);
    let clean = Preset::Clean;
    let segmentation = match message.kind {
        Some(Kind::Grid(message)) => {
            let segmentation = grid(message.rows, message.cols, wrong);
            if let (Some(input), Segmentation::Grid(rows, cols)) = (input, &segmentation) {
                fits("segmentation.grid.rows", *rows, input.height, "the model's frame has rows", wrong);
                fits("segmentation.grid.cols", *cols, input.width, "the model's frame has columns", wrong);
                if needed && rows * cols > MOST_SEGMENTS {
                    let message = format!(
                        "got {rows} x {cols} cells, a method or fill that works on segments takes at most {MOST_SEGMENTS}"
                    );
                    wrong.push(Violation::new("segmentation.grid", message));
                }
            }
            segmentation
        }
        Some(Kind::Slic(message)) => {
            let path = "segmentation.slic";
            let segments =
                slic::SEGMENTS.integer(message.segments.map(u64::from), clean, path, wrong) as usize;
            if let Some(input) = input {
                let pixels = input.height * input.width;
                fits("segmentation.slic.segments", segments, pixels, "the model's frame has pixels", wrong);
            }
            Segmentation::Slic(Slic {
                segments,
                compactness: slic::COMPACTNESS.real(message.compactness, clean, path, wrong),
                normalised: slic::NORMALISED.flag(message.normalised, clean),
            })
        }
        Some(Kind::Quickshift(message)) => {
            let path = "segmentation.quickshift";
            Segmentation::Quickshift(Quickshift {
                kernel_size: quickshift::KERNEL_SIZE.real(message.kernel_size, clean, path, wrong),
                max_distance: quickshift::MAX_DISTANCE.real(message.max_distance, clean, path, wrong),
                ratio: quickshift::RATIO.real(message.ratio, clean, path, wrong),
            })
        }
        Some(Kind::Labels(message)) => return labels(&message, picture, input, wrong),
        // Where they are is known once the face is.
        Some(Kind::Parts(v1::PartSegmentation {})) => Segmentation::Parts(None),
        None => {
            let message = "is not set or not known to this server, see ListMethods";
            wrong.push(Violation::new("segmentation.kind", message));
            return None;
        }
    };
    Some(Cut { segmentation, sent: None })
}

/// Regions by colour, as they are where nobody says otherwise.
pub(super) fn slic() -> Cut {
    Cut { segmentation: Segmentation::Slic(Slic::default()), sent: None }
}

fn grid(rows: Option<u32>, cols: Option<u32>, wrong: &mut Vec<Violation>) -> Segmentation {
    let mut side = |param: &Param, given: Option<u32>| {
        param.integer(given.map(u64::from), Preset::Clean, "segmentation.grid", wrong) as usize
    };
    Segmentation::Grid(side(&ROWS, rows), side(&COLS, cols))
}

fn fits(path: &str, got: usize, most: usize, of_what: &str, wrong: &mut Vec<Violation>) {
    if got > most {
        wrong.push(Violation::new(path, format!("got {got}, which is more than {of_what} ({most})")));
    }
}

/// A caller's label map in the model's frame: as it is, or the crop of one over the picture as displayed.
fn labels(
    message: &v1::LabelSegmentation,
    picture: Option<&Pictured>,
    input: Option<&InputSpec>,
    wrong: &mut Vec<Violation>,
) -> Option<Cut> {
    let (height, width) = (message.height, message.width);
    let mut refuse = |field: &str, message: String| {
        wrong.push(Violation::new(format!("segmentation.labels.{field}"), message));
    };
    let needed = 2 * u128::from(height) * u128::from(width);
    let whole = message.values.len() as u128 == needed;
    if !whole {
        let got = message.values.len();
        refuse("values", format!("got {got} bytes, 2 x {height} x {width} = {needed} are needed"));
    }
    let (picture, input) = (picture?, input?);
    let displayed = (picture.header.height, picture.header.width);
    let frame = (input.height as u32, input.width as u32);
    let crop = if (height, width) == displayed {
        picture.crop
    } else if (height, width) == frame {
        Rect::whole(width, height)
    } else {
        let field = if [displayed.0, frame.0].contains(&height) { "width" } else { "height" };
        let message = format!(
            "got {height} rows of {width}, allowed are those of the picture as displayed ({} of {}) and of the model's frame ({} of {})",
            displayed.0, displayed.1, frame.0, frame.1
        );
        refuse(field, message);
        return None;
    };
    if !whole {
        return None;
    }
    let numbers = numbers(&message.values, width, crop, frame);
    let different = numbers.iter().collect::<BTreeSet<_>>().len();
    if !(2..=MOST_SEGMENTS).contains(&different) {
        let message = format!(
            "got {different} different numbers inside the crop at the model's size, allowed is 2 to {MOST_SEGMENTS}"
        );
        refuse("values", message);
        return None;
    }
    let map = LabelMap::new(input.height, input.width, &numbers)
        .expect("there is one number per pixel of the frame");
    let sent = Sent { height, width, sha256: unmask_registry::sha256(&message.values) };
    Some(Cut { segmentation: Segmentation::Labels(Arc::new(map)), sent: Some(sent) })
}

/// The crop of a map of little-endian uint16 in the model's frame: for each pixel the number under its centre.
fn numbers(values: &[u8], width: u32, crop: Rect, frame: (u32, u32)) -> Vec<u32> {
    let across: Vec<u32> = nearest(crop.x, crop.width, frame.1 as usize).collect();
    let mut numbers = Vec::with_capacity(frame.0 as usize * frame.1 as usize);
    for y in nearest(crop.y, crop.height, frame.0 as usize) {
        numbers.extend(across.iter().map(|x| {
            let at = 2 * (y as usize * width as usize + *x as usize);
            u32::from(u16::from_le_bytes([values[at], values[at + 1]]))
        }));
    }
    numbers
}

#[cfg(test)]
mod tests {
    use unmask_explainer::image;
    use unmask_explainer::methods::{Lime, Rise};

    use super::*;

    const CROP: Rect = Rect { x: 4, y: 2, width: 16, height: 16 };

    /// A picture of 24 x 18 pixels as displayed and a model of 8 x 8.
    fn cut(kind: Kind) -> Result<Cut, Vec<(String, String)>> {
        // A header says all that is asked here: 24 x 18 pixels of eight bits, red, green and blue.
        let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\x0DIHDR\0\0\0\x18\0\0\0\x12\x08\x02\0\0\0****".to_vec();
        file.extend(b"\0\0\0\0IDAT****\0\0\0\0IEND****");
        let header = image::inspect(&file, &image::Limits::default()).unwrap();
        let picture = Pictured { image: Vec::new(), header, crop: CROP, crop_given: true };
        let spec = ModelSpec::plain("m", 8, 8, &["real", "fake"]);
        let mut wrong = Vec::new();
        let message = v1::Segmentation { kind: Some(kind) };
        let cut = segmentation(message, true, Some(&picture), Some(&spec), &mut wrong);
        match wrong.as_slice() {
            [] => Ok(cut.unwrap()),
            wrong => Err(wrong.iter().map(|v| (v.field.clone(), v.message.clone())).collect()),
        }
    }

    fn labels(height: u32, width: u32, number: impl Fn(u32, u32) -> u16) -> v1::LabelSegmentation {
        let number = &number;
        let values = (0..height).flat_map(|y| (0..width).flat_map(move |x| number(y, x).to_le_bytes()));
        v1::LabelSegmentation { height, width, values: values.collect(), sha256: String::new() }
    }

    #[test]
    fn a_map_over_the_picture_is_cut_and_brought_to_the_models_frame() {
        let message = labels(18, 24, |y, x| (100 * y + x) as u16);
        let cut = cut(Kind::Labels(message)).unwrap();
        let Segmentation::Labels(map) = cut.segmentation else { panic!("it stays a label map") };
        assert_eq!((map.height(), map.width(), map.count()), (8, 8, 64));
        for (i, label) in map.labels().iter().enumerate() {
            // Two pixels of the crop to one of the frame; the centre lies in the second.
            let (y, x) = (2 + 2 * (i / 8) + 1, 4 + 2 * (i % 8) + 1);
            assert_eq!(map.name(*label as usize) as usize, 100 * y + x);
        }
        let sent = cut.sent.unwrap();
        assert_eq!((sent.height, sent.width, sent.sha256.len()), (18, 24, 64));
    }

    #[test]
    fn a_map_over_the_models_frame_is_taken_as_it_is() {
        let cut = cut(Kind::Labels(labels(8, 8, |y, _| 500 * (y / 4) as u16))).unwrap();
        let Segmentation::Labels(map) = cut.segmentation else { panic!("it stays a label map") };
        assert_eq!((map.count(), map.name(0), map.name(1)), (2, 0, 500));
        assert_eq!(map.labels()[31..33], [0, 1]);
    }

    #[test]
    fn what_is_no_segmentation_is_refused_with_what_is_allowed() {
        let short = v1::LabelSegmentation { values: vec![0; 9], ..labels(8, 8, |_, _| 0) };
        let endless = v1::LabelSegmentation { height: u32::MAX, width: u32::MAX, ..short.clone() };
        for (kind, fields, words) in [
            (Kind::Labels(short), &["labels.values"][..], "got 9 bytes, 2 x 8 x 8 = 128 are needed"),
            (Kind::Labels(endless), &["labels.values", "labels.height"], "got 9 bytes"),
            (
                Kind::Labels(labels(8, 24, |_, x| x as u16)),
                &["labels.width"],
                "(18 of 24) and of the model's frame (8 of 8)",
            ),
            (Kind::Labels(labels(9, 8, |_, x| x as u16)), &["labels.height"], "got 9 rows of 8"),
            (Kind::Labels(labels(8, 8, |_, _| 3)), &["labels.values"], "got 1 different numbers"),
            (
                Kind::Labels(labels(18, 24, |y, _| u16::from(y > 0))),
                &["labels.values"],
                "got 1 different numbers",
            ),
            (
                Kind::Grid(v1::GridSegmentation { rows: Some(9), cols: Some(64) }),
                &["grid.rows", "grid.cols"],
                "got 9, which is more than the model's frame has rows (8)",
            ),
            (
                Kind::Grid(v1::GridSegmentation { rows: Some(0), cols: None }),
                &["grid.rows"],
                "got 0, allowed is 1 to 64",
            ),
            (
                Kind::Slic(v1::SlicSegmentation { segments: Some(65), ..Default::default() }),
                &["slic.segments"],
                "got 65, which is more than the model's frame has pixels (64)",
            ),
            (
                Kind::Quickshift(v1::QuickshiftSegmentation { ratio: Some(f64::NAN), ..Default::default() }),
                &["quickshift.ratio"],
                "got NaN",
            ),
        ] {
            let wrong = cut(kind).unwrap_err();
            let got: Vec<_> =
                wrong.iter().map(|(field, _)| field.strip_prefix("segmentation.").unwrap()).collect();
            assert_eq!(got, fields, "{wrong:?}");
            assert!(wrong[0].1.contains(words), "{wrong:?}");
        }
    }

    #[test]
    fn segments_are_cut_by_colour_where_they_are_needed_and_as_the_paper_does_under_its_preset() {
        let (rise, lime) = (Method::Rise(Rise::default()), Method::Lime(Lime::default()));
        let cut = |method, preset, needed| default(method, preset, needed).segmentation;
        let slic = |normalised| Segmentation::Slic(Slic { normalised, ..Slic::default() });
        assert_eq!(cut(&lime, Preset::Clean, true), slic(false));
        assert_eq!(cut(&rise, Preset::Clean, false), Segmentation::Grid(8, 8));
        assert_eq!(cut(&lime, Preset::Paper, true), slic(false));
        assert_eq!(cut(&rise, Preset::Paper, false), slic(true));
    }
}
