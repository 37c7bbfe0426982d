//! Wrong requests: each gets one clear error that names every wrong field, and costs no forward pass.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use tonic::{Code, Request};
use unmask_protocol::v1::explanation_service_server::ExplanationService as _;
use unmask_protocol::v1::{
    self,
    target::{Against, Kind},
};
use unmask_server::status_of;
use unmask_tests::{Root, explain, image_fill, model, png, request, sample};

/// A wrong request, the code it gets, and each wrong field with words of its message.
struct Case {
    name: &'static str,
    wrong: v1::ExplainRequest,
    code: Code,
    fields: Vec<(&'static str, &'static str)>,
}

fn case(name: &'static str, field: &'static str, words: &'static str, wrong: v1::ExplainRequest) -> Case {
    Case { name, wrong, code: Code::InvalidArgument, fields: vec![(field, words)] }
}

fn with_image(image: Vec<u8>) -> v1::ExplainRequest {
    v1::ExplainRequest { image, fill: None, ..request() }
}

fn with_rise(masks: Option<u32>, grid: Option<u32>, keep_probability: Option<f64>) -> v1::ExplainRequest {
    with_method(v1::method::Kind::Rise(v1::Rise { masks, grid, keep_probability, centred: None }))
}

fn with_occlusion(grid: Option<u32>, window: Option<u32>, mode: i32) -> v1::ExplainRequest {
    with_method(v1::method::Kind::Occlusion(v1::Occlusion { grid, window, mode }))
}

fn with_method(kind: v1::method::Kind) -> v1::ExplainRequest {
    v1::ExplainRequest { method: Some(v1::Method { kind: Some(kind), preset: String::new() }), ..request() }
}

fn with_segments(kind: v1::segmentation::Kind) -> v1::ExplainRequest {
    v1::ExplainRequest { segmentation: Some(v1::Segmentation { kind: Some(kind) }), ..request() }
}

/// A label map of these sides whose number at (x, y) is given.
fn with_labels(width: u32, height: u32, number: impl Fn(u32, u32) -> u16) -> v1::ExplainRequest {
    let numbers = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let values = numbers.flat_map(|(x, y)| number(x, y).to_le_bytes()).collect();
    with_segments(v1::segmentation::Kind::Labels(v1::LabelSegmentation {
        height,
        width,
        values,
        sha256: String::new(),
    }))
}

fn with_target(kind: Option<Kind>, against: Option<Against>, scale: i32) -> v1::ExplainRequest {
    v1::ExplainRequest { target: Some(v1::Target { kind, against, scale }), ..request() }
}

fn label(name: &str) -> Option<Kind> {
    Some(Kind::Label(name.into()))
}

fn group(name: &str) -> Option<Kind> {
    Some(Kind::Group(name.into()))
}

fn against_label(name: &str) -> Option<Against> {
    Some(Against::AgainstLabel(name.into()))
}

fn against_group(name: &str) -> Option<Against> {
    Some(Against::AgainstGroup(name.into()))
}

fn with_budget(max_passes: u64, wrong: v1::ExplainRequest) -> v1::ExplainRequest {
    v1::ExplainRequest { budget: Some(v1::Budget { max_passes: Some(max_passes) }), ..wrong }
}

fn with_fill(kind: v1::fill::Kind) -> v1::ExplainRequest {
    v1::ExplainRequest { fill: Some(v1::Fill { kind: Some(kind) }), ..request() }
}

fn with_crop(x: u32, y: u32, width: u32, height: u32) -> v1::ExplainRequest {
    v1::ExplainRequest { crop: Some(v1::Box { x, y, width, height }), ..request() }
}

fn jpeg() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::load_from_memory(&sample("astronaut-real.png"))
        .unwrap()
        .to_rgb8()
        .write_to(&mut bytes, image::ImageFormat::Jpeg)
        .unwrap();
    bytes.into_inner()
}

/// A PNG whose header says that it is this large; its checksum is right.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = png(16, 16, |_, _| [0, 0, 0]);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = bytes[12..29].iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    });
    bytes[29..33].copy_from_slice(&(!crc).to_be_bytes());
    bytes
}

/// An extended WebP with the animation flag and one frame.
fn animated_webp() -> Vec<u8> {
    let chunk = |name: &[u8; 4], body: &[u8]| {
        let padding = vec![0; body.len() % 2];
        [name.as_slice(), &(body.len() as u32).to_le_bytes(), body, &padding].concat()
    };
    let side = 63u32.to_le_bytes();
    let canvas = [&[0b10, 0, 0, 0], &side[..3], &side[..3]].concat();
    let frame = [&[0; 6], &side[..3], &side[..3], &[100, 0, 0, 0]].concat();
    let body =
        [b"WEBP".to_vec(), chunk(b"VP8X", &canvas), chunk(b"ANIM", &[0; 6]), chunk(b"ANMF", &frame)].concat();
    chunk(b"RIFF", &body)
}

fn cases() -> Vec<Case> {
    [of_pictures_and_first_methods(), of_methods(), of_searches(), of_segments(), of_targets()]
        .into_iter()
        .flatten()
        .collect()
}

fn of_methods() -> Vec<Case> {
    use v1::method::Kind::{KernelShap, Lime, PartitionShap, Sobol};
    let lime = |samples, kernel_width, ridge| with_method(Lime(v1::Lime { samples, kernel_width, ridge }));
    let sobol = |grid, design| with_method(Sobol(v1::Sobol { grid, design, scrambled: None }));
    let partition = |evaluations| {
        with_method(PartitionShap(v1::PartitionShap { evaluations: Some(evaluations), channels: None }))
    };
    let kernel = |samples| with_method(KernelShap(v1::KernelShap { samples: Some(samples) }));
    vec![
        case(
            "LIME without samples",
            "method.lime.samples",
            "got 0, allowed is 128 to 20000",
            lime(Some(0), None, None),
        ),
        case(
            "LIME of 10^9 samples",
            "method.lime.samples",
            "got 1000000000",
            lime(Some(1_000_000_000), None, None),
        ),
        case(
            "negative kernel",
            "method.lime.kernel_width",
            "got -1, allowed is 0.01 to 100",
            lime(None, Some(-1.0), None),
        ),
        case("kernel of NaN", "method.lime.kernel_width", "got NaN", lime(None, Some(f64::NAN), None)),
        case(
            "negative ridge",
            "method.lime.ridge",
            "got -0.1, allowed is 0 to 1000",
            lime(None, None, Some(-0.1)),
        ),
        case("infinite ridge", "method.lime.ridge", "got inf", lime(None, None, Some(f64::INFINITY))),
        case(
            "SOBOL without points",
            "method.sobol.design",
            "got 0, allowed is 2 to 1024",
            sobol(None, Some(0)),
        ),
        case(
            "SOBOL of 10^9 points",
            "method.sobol.design",
            "got 1000000000",
            sobol(None, Some(1_000_000_000)),
        ),
        case("SOBOL of one cell", "method.sobol.grid", "got 1, allowed is 2 to 16", sobol(Some(1), None)),
        case("SOBOL of too many cells", "method.sobol.grid", "got 17", sobol(Some(17), None)),
        case(
            "no evaluations",
            "method.partition_shap.evaluations",
            "got 0, allowed is 128 to 100000",
            partition(0),
        ),
        case(
            "10^9 evaluations",
            "method.partition_shap.evaluations",
            "got 1000000000",
            partition(1_000_000_000),
        ),
        case("no sets", "method.kernel_shap.samples", "got 0, allowed is 128 to 100000", kernel(0)),
        case("10^9 sets", "method.kernel_shap.samples", "got 1000000000", kernel(1_000_000_000)),
        Case {
            name: "a grid finer than the picture",
            wrong: v1::ExplainRequest {
                image: png(32, 32, |_, _| [9, 9, 9]),
                model: model("planted-linear"),
                fill: None,
                segmentation: Some(v1::Segmentation {
                    kind: Some(v1::segmentation::Kind::Grid(v1::GridSegmentation {
                        rows: Some(33),
                        cols: Some(64),
                    })),
                }),
                ..with_occlusion(Some(64), None, 0)
            },
            code: Code::InvalidArgument,
            fields: vec![
                (
                    "method.occlusion.grid",
                    "got 64, which is more cells than the model's frame has pixels (32)",
                ),
                ("segmentation.grid.rows", "got 33, which is more than the model's frame has rows (32)"),
                ("segmentation.grid.cols", "got 64, which is more than the model's frame has columns (32)"),
            ],
        },
    ]
}

fn of_searches() -> Vec<Case> {
    use v1::fill::Kind::{Adversarial, AdversarialPaper};
    let all = v1::AdversarialFill {
        max_passes: Some(20),
        bound: Some(0.5),
        margin: Some(-1.0),
        pairs: Some(65),
        grid: Some(1),
        sigma: Some(f64::NAN),
        step: Some(0.0),
        momentum: Some(1.0),
    };
    let paper = v1::AdversarialPaperFill {
        steps: Some(0),
        pairs: Some(1_000_000_000),
        sigma: Some(0.0),
        step: Some(f64::NEG_INFINITY),
    };
    let over = |kind| v1::ExplainRequest {
        fill: Some(v1::Fill { kind: Some(kind) }),
        ..with_rise(Some(256), None, None)
    };
    vec![
        Case {
            name: "a search of which everything is wrong",
            wrong: over(Adversarial(all)),
            code: Code::InvalidArgument,
            fields: vec![
                ("fill.adversarial.max_passes", "got 20, allowed is 21 to 20000"),
                ("fill.adversarial.bound", "got 0.5, allowed is 1 to 64"),
                ("fill.adversarial.margin", "got -1, allowed is 0 to 20"),
                ("fill.adversarial.pairs", "got 65, allowed is 1 to 63"),
                ("fill.adversarial.grid", "got 1, allowed is 2 to 256"),
                ("fill.adversarial.sigma", "got NaN"),
                ("fill.adversarial.step", "got 0, allowed is 0.1 to 64"),
                ("fill.adversarial.momentum", "got 1, allowed is 0 to 0.99"),
            ],
        },
        Case {
            name: "the paper's search of which everything is wrong",
            wrong: over(AdversarialPaper(paper)),
            code: Code::InvalidArgument,
            fields: vec![
                ("fill.adversarial_paper.steps", "got 0, allowed is 1 to 1000"),
                ("fill.adversarial_paper.pairs", "got 1000000000, allowed is 1 to 63"),
                ("fill.adversarial_paper.sigma", "got 0, allowed is 0.000001 to 10"),
                ("fill.adversarial_paper.step", "got -inf"),
            ],
        },
        case(
            "a budget below what a search announces",
            "budget.max_passes",
            "got 2129, this method over this fill has no answer with fewer than 2130 passes",
            with_budget(2129, over(Adversarial(v1::AdversarialFill::default()))),
        ),
    ]
}

fn of_segments() -> Vec<Case> {
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

fn of_targets() -> Vec<Case> {
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

fn of_pictures_and_first_methods() -> Vec<Case> {
    let jpeg = jpeg();
    let not_inside = "which is not inside the picture of 128 x 128 pixels";
    vec![
        case("empty image", "image", "has no bytes", with_image(Vec::new())),
        case("truncated JPEG", "image", "JPEG", with_image(jpeg[..jpeg.len() / 2].to_vec())),
        case("JPEG without its end", "image", "JPEG", with_image(jpeg[..jpeg.len() - 2].to_vec())),
        case("truncated PNG", "image", "PNG", with_image(sample("astronaut-real.png")[..5000].to_vec())),
        case(
            "text file",
            "image",
            "JPEG, PNG",
            with_image(b"this is no picture at all, only words".to_vec()),
        ),
        case("1x1 picture", "image", "1 x 1", with_image(png(1, 1, |_, _| [0, 0, 0]))),
        case("30000x30000 header", "image", "30000 x 30000", with_image(png_header(30_000, 30_000))),
        case("header beyond all numbers", "image", "x", with_image(png_header(u32::MAX, u32::MAX))),
        case("animated WebP", "image", "animated", with_image(animated_webp())),
        case("crop to the right of the picture", "crop", not_inside, with_crop(100, 0, 64, 64)),
        case("crop whose end overflows", "crop", not_inside, with_crop(u32::MAX, u32::MAX, 64, 64)),
        case("crop without area", "crop", "got 0 x 0 pixels", with_crop(0, 0, 0, 0)),
        case("crop of one column", "crop", "each side is at least 16", with_crop(0, 0, 1, 64)),
        case("method without a kind", "method.kind", "is not set", {
            v1::ExplainRequest { method: Some(v1::Method::default()), ..request() }
        }),
        case(
            "unknown preset",
            "method.preset",
            "got \"paper@2\", allowed are \"\", \"paper\" and \"paper@1\"",
            {
                let method = v1::Method { preset: "paper@2".into(), ..unmask_tests::rise(256) };
                v1::ExplainRequest { method: Some(method), ..request() }
            },
        ),
        case("fill without a kind", "fill.kind", "is not set", {
            v1::ExplainRequest { fill: Some(v1::Fill { kind: None }), ..request() }
        }),
        case(
            "no masks",
            "method.rise.masks",
            "got 0, allowed is 128 to 100000",
            with_rise(Some(0), None, None),
        ),
        case("too many masks", "method.rise.masks", "got 4294967295", with_rise(Some(u32::MAX), None, None)),
        case("grid of one cell", "method.rise.grid", "allowed is 2 to 32", with_rise(None, Some(1), None)),
        case(
            "probability of nothing",
            "method.rise.keep_probability",
            "got NaN",
            with_rise(None, None, Some(f64::NAN)),
        ),
        case(
            "negative probability",
            "method.rise.keep_probability",
            "got -0.5",
            with_rise(None, None, Some(-0.5)),
        ),
        case(
            "infinite probability",
            "method.rise.keep_probability",
            "got inf",
            with_rise(None, None, Some(f64::INFINITY)),
        ),
        case("grid of 65", "method.occlusion.grid", "allowed is 2 to 64", with_occlusion(Some(65), None, 0)),
        case(
            "window as wide as the grid",
            "method.occlusion.window",
            "less than grid (4)",
            with_occlusion(Some(4), Some(4), 0),
        ),
        case("unknown mode", "method.occlusion.mode", "got 77, allowed are", with_occlusion(None, None, 77)),
        case("negative mode", "method.occlusion.mode", "got -1, allowed are", with_occlusion(None, None, -1)),
        case("blur of nothing", "fill.blur.sigma", "got 0, allowed is 0.5 to 100", {
            with_fill(v1::fill::Kind::Blur(v1::BlurFill { sigma: Some(0.0) }))
        }),
        case("blur of NaN", "fill.blur.sigma", "got NaN", {
            with_fill(v1::fill::Kind::Blur(v1::BlurFill { sigma: Some(f64::NAN) }))
        }),
        case("colour out of range", "fill.constant.green", "got 256, allowed is 0 to 255", {
            with_fill(v1::fill::Kind::Constant(v1::ConstantFill { green: Some(256.0), ..Default::default() }))
        }),
        case("empty fill image", "fill.image.image", "has no bytes", {
            v1::ExplainRequest { fill: Some(image_fill(Vec::new())), ..request() }
        }),
        case(
            "fill image of another size",
            "fill.image.image",
            "got 64 x 64 pixels as displayed, the explained picture has 128 x 128",
            v1::ExplainRequest { fill: Some(image_fill(png(64, 64, |_, _| [9, 9, 9]))), ..request() },
        ),
        case("truncated fill image", "fill.image.image", "PNG", {
            v1::ExplainRequest {
                fill: Some(image_fill(sample("astronaut-real.png")[..9000].to_vec())),
                ..request()
            }
        }),
        case("box of one pixel", "fill.box_blur.width", "got 1, allowed is 2 to 256", {
            with_fill(v1::fill::Kind::BoxBlur(v1::BoxBlurFill { width: Some(1) }))
        }),
        case("noise without strength", "fill.noise.strength", "got 0, allowed is 0.01 to 10", {
            with_fill(v1::fill::Kind::Noise(v1::NoiseFill { strength: Some(0.0) }))
        }),
        case("unknown output", "outputs[1]", "got 99, allowed are", {
            v1::ExplainRequest { outputs: vec![2, 99], ..request() }
        }),
        case("unspecified output", "outputs[0]", "got 0, allowed are", {
            v1::ExplainRequest { outputs: vec![0], ..request() }
        }),
        case("an output twice", "outputs[1]", "is there twice", {
            v1::ExplainRequest { outputs: vec![1, 1], ..request() }
        }),
        case("too many regions", "top_regions", "got 65, allowed is 0 to 64", {
            v1::ExplainRequest { top_regions: Some(65), ..request() }
        }),
        case("budget of nothing", "budget.max_passes", "no answer with fewer than 130 passes", {
            v1::ExplainRequest { budget: Some(v1::Budget { max_passes: Some(0) }), ..request() }
        }),
        case("request id of control characters", "request_id", "printable ASCII", {
            v1::ExplainRequest { request_id: "a\nb".into(), ..request() }
        }),
        case("endless request id", "request_id", "got 129 bytes", {
            v1::ExplainRequest { request_id: "x".repeat(129), ..request() }
        }),
        Case {
            name: "unknown model",
            wrong: v1::ExplainRequest { model: model("resnet"), ..request() },
            code: Code::NotFound,
            fields: vec![("model.name", "got \"resnet\", served are planted-linear, selfblend-mobilenetv2")],
        },
        Case {
            name: "unknown version",
            wrong: v1::ExplainRequest {
                model: Some(v1::ModelSelector { name: String::new(), version: "9".into() }),
                ..request()
            },
            code: Code::NotFound,
            fields: vec![("model.version", "got \"9\", served versions of selfblend-mobilenetv2 are 1")],
        },
        Case {
            name: "everything at once",
            wrong: v1::ExplainRequest {
                request_id: "\u{7f}".into(),
                image: Vec::new(),
                model: model("x"),
                outputs: vec![7],
                top_regions: Some(1000),
                fill: Some(v1::Fill { kind: Some(v1::fill::Kind::Blur(v1::BlurFill { sigma: Some(-1.0) })) }),
                ..with_rise(Some(1), Some(0), Some(2.0))
            },
            code: Code::InvalidArgument,
            fields: vec![
                ("request_id", "got 1 bytes"),
                ("image", "has no bytes"),
                ("method.rise.masks", "got 1"),
                ("method.rise.grid", "got 0"),
                ("method.rise.keep_probability", "got 2"),
                ("fill.blur.sigma", "got -1"),
                ("outputs[0]", "got 7"),
                ("top_regions", "got 1000"),
                ("model.name", "got \"x\""),
            ],
        },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_request_gets_one_clear_error_and_costs_nothing() {
    let service = Root::new(&["planted-linear"]).service(&[]);
    for Case { name, wrong, code, fields } in cases() {
        let status = explain(&service, wrong).await.expect_err(name);
        let (got, message, found) = status_of(&status);
        assert_eq!(got, code, "{name}: {message}");
        assert_eq!(
            found.iter().map(|(field, _)| field.as_str()).collect::<Vec<_>>(),
            fields.iter().map(|(field, _)| *field).collect::<Vec<_>>(),
            "{name}: {message}"
        );
        for ((_, message), (_, words)) in found.iter().zip(&fields) {
            assert!(message.contains(words), "{name}: {message}");
        }
        assert!(message.len() < 2000, "{name}: an error does not grow with the request");
        assert_eq!((service.passes(), service.waiting()), (0, (0, 0)), "{name}");
    }
    // The same service still answers.
    assert!(explain(&service, request()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_picture_is_refused_by_predict_as_well() {
    let service = Root::new(&[]).service(&[]);
    for image in [Vec::new(), b"words".to_vec(), png_header(30_000, 30_000), jpeg()[..900].to_vec()] {
        let request = v1::PredictRequest { image, ..v1::PredictRequest::default() };
        let (code, _, fields) = status_of(&service.predict(Request::new(request)).await.unwrap_err());
        assert_eq!((code, fields[0].0.as_str()), (Code::InvalidArgument, "image"));
    }
    assert_eq!(service.passes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_looks_odd_but_is_allowed_is_answered() {
    let service = Root::new(&[]).service(&[]);
    let portrait = png(40, 400, |x, y| [x as u8, y as u8, 7]);
    let odd = [
        ("a JPEG", with_image(jpeg())),
        ("a narrow picture", with_image(portrait)),
        ("no regions", v1::ExplainRequest { top_regions: Some(0), ..request() }),
        (
            "the class it is not",
            v1::ExplainRequest { target: Some(unmask_tests::target("real")), ..request() },
        ),
        ("a target without a kind", with_target(None, None, v1::Scale::Probability.into())),
        ("a label map of extreme numbers", with_labels(128, 128, |x, _| if x < 9 { 0 } else { u16::MAX })),
        ("a crop of the least size", with_crop(50, 50, 16, 16)),
        ("all defaults", v1::ExplainRequest { method: Some(unmask_tests::rise(128)), ..with_image(jpeg()) }),
    ];
    for (name, request) in odd {
        let answer = explain(&service, request).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        let map = unmask_tests::values(&answer.map.unwrap());
        assert!(map.iter().all(|v| v.is_finite()), "{name}");
    }
}
