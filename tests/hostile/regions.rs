//! Wrong segmentations and targets.

use unmask_protocol::v1;
use unmask_tests::request;

use crate::requests::*;
use crate::{Case, case};

pub(crate) fn of_segments() -> Vec<Case> {
    use v1::segmentation::Kind::{Grid, Labels, Quickshift, Slic};
    let slic = |segments, compactness| {
        with_segments(Slic(v1::SlicSegmentation { segments, compactness, normalised: None }))
    };
    let quickshift = |kernel_size, max_distance, ratio| {
        with_segments(Quickshift(v1::QuickshiftSegmentation { kernel_size, max_distance, ratio }))
    };
    let over_segments =
        v1::Method { kind: Some(v1::method::Kind::Lime(v1::Lime::default())), ..Default::default() };
    vec![
        case("segmentation without a kind", "segmentation.kind", "is not set", {
            v1::ExplainRequest { segmentation: Some(v1::Segmentation { kind: None }), ..request() }
        }),
        case("grid without rows", "segmentation.grid.rows", "got 0, allowed is 1 to 64", {
            with_segments(Grid(v1::GridSegmentation { rows: Some(0), cols: None }))
        }),
        case("more cells than LIME takes", "segmentation.grid", "got 64 x 64 cells", {
            let grid = with_segments(Grid(v1::GridSegmentation { rows: Some(64), cols: Some(64) }));
            v1::ExplainRequest { method: Some(over_segments), ..grid }
        }),
        case("one region", "segmentation.slic.segments", "got 1, allowed is 2 to 1024", slic(Some(1), None)),
        case(
            "more regions than pixels",
            "segmentation.slic.segments",
            "got 1000000000",
            slic(Some(1_000_000_000), None),
        ),
        case("compactness of NaN", "segmentation.slic.compactness", "got NaN", slic(None, Some(f64::NAN))),
        case(
            "negative kernel size",
            "segmentation.quickshift.kernel_size",
            "got -4",
            quickshift(Some(-4.0), None, None),
        ),
        case(
            "negative distance",
            "segmentation.quickshift.max_distance",
            "got -1",
            quickshift(None, Some(-1.0), None),
        ),
        case(
            "ratio of NaN",
            "segmentation.quickshift.ratio",
            "got NaN",
            quickshift(None, None, Some(f64::NAN)),
        ),
        case(
            "a label map of another size",
            "segmentation.labels.height",
            "got 64 rows of 64",
            with_labels(64, 64, |x, _| x as u16),
        ),
        case(
            "a label map of another width",
            "segmentation.labels.width",
            "got 128 rows of 64",
            with_labels(64, 128, |x, _| x as u16),
        ),
        case(
            "a label map of one number",
            "segmentation.labels.values",
            "got 1 different numbers",
            with_labels(128, 128, |_, _| 7),
        ),
        case(
            "a label map of too many numbers",
            "segmentation.labels.values",
            "allowed is 2 to 1024",
            with_labels(128, 128, |x, y| (x + y * 128) as u16),
        ),
        case(
            "a label map whose crop has one number",
            "segmentation.labels.values",
            "got 1 different numbers",
            {
                let crop = Some(v1::Box { x: 64, y: 0, width: 64, height: 64 });
                v1::ExplainRequest { crop, ..with_labels(128, 128, |x, _| u16::from(x >= 64)) }
            },
        ),
        case(
            "a label map cut short",
            "segmentation.labels.values",
            "got 3 bytes, 2 x 128 x 128 = 32768 are needed",
            {
                with_segments(Labels(v1::LabelSegmentation {
                    height: 128,
                    width: 128,
                    values: vec![0; 3],
                    sha256: String::new(),
                }))
            },
        ),
    ]
}

pub(crate) fn of_targets() -> Vec<Case> {
    let labels = "the model's labels are real, blend, swap, mouth, eyes";
    let groups = "the model's groups are part, whole, fake";
    vec![
        case("unknown label", "target.label", labels, with_target(label("nose"), None, 0)),
        case("unknown group", "target.group", groups, with_target(group("nose"), None, 0)),
        case(
            "unknown label against",
            "target.against_label",
            labels,
            with_target(label("mouth"), against_label("chin"), 0),
        ),
        case(
            "unknown group against",
            "target.against_group",
            groups,
            with_target(label("mouth"), against_group("chin"), 0),
        ),
        case("a class against itself", "target.against_label", "shares mouth with target.label", {
            with_target(label("mouth"), against_label("mouth"), 0)
        }),
        case("groups that overlap", "target.against_group", "shares mouth, eyes with target.group", {
            with_target(group("fake"), against_group("part"), 0)
        }),
        case(
            "against without a kind",
            "target.kind",
            "set label or group",
            with_target(None, against_label("eyes"), 0),
        ),
        case(
            "unknown scale",
            "target.scale",
            "got 9, allowed are SCALE_LOG_ODDS (1)",
            with_target(label("mouth"), None, 9),
        ),
        case("negative scale", "target.scale", "got -1, allowed are", with_target(None, None, -1)),
    ]
}
