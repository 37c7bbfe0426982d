//! Wrong parameters of methods.

use tonic::Code;
use unmask_protocol::v1;
use unmask_tests::{model, png, request};

use crate::requests::*;
use crate::{Case, case};

pub(crate) fn of_rise_and_occlusion() -> Vec<Case> {
    vec![
        case("method without a kind", "method.kind", "is not set", {
            v1::ExplainRequest { method: Some(v1::Method::default()), ..request() }
        }),
        case(
            "unknown preset",
            "method.preset",
            "got \"paper@2\", allowed are paper@1, fast@1, balanced@1, thorough@1",
            {
                let method = v1::Method { preset: "paper@2".into(), ..unmask_tests::rise(256) };
                v1::ExplainRequest { method: Some(method), ..request() }
            },
        ),
        case("another method than the preset's", "method.preset", "preset fast@1 explains by reveal", {
            let method = v1::Method { preset: "fast".into(), ..unmask_tests::rise(256) };
            v1::ExplainRequest { method: Some(method), ..request() }
        }),
        case("patches on one cell", "method.reveal.grid", "got 1, allowed is 2 to 64", {
            with_method(v1::method::Kind::Reveal(v1::Reveal { grid: Some(1), smoothing: None }))
        }),
        case("smoothing by no number", "method.reveal.smoothing", "got NaN", {
            with_method(v1::method::Kind::Reveal(v1::Reveal { grid: None, smoothing: Some(f64::NAN) }))
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
        case(
            "pairs of unlike halves",
            "method.rise.paired",
            "got true with a keep_probability of 0.3, it must be 0.5",
            {
                let rise =
                    v1::Rise { keep_probability: Some(0.3), paired: Some(true), ..v1::Rise::default() };
                with_method(v1::method::Kind::Rise(rise))
            },
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
    ]
}

pub(crate) fn of_the_others() -> Vec<Case> {
    use v1::method::Kind::{Hipe, Hsic, KernelShap, Lime, PartitionShap, Sobol};
    let lime = |samples, kernel_width, ridge| with_method(Lime(v1::Lime { samples, kernel_width, ridge }));
    let sobol = |grid, design| with_method(Sobol(v1::Sobol { grid, design, scrambled: None }));
    let partition = |evaluations| {
        with_method(PartitionShap(v1::PartitionShap { evaluations: Some(evaluations), channels: None }))
    };
    let kernel =
        |samples| with_method(KernelShap(v1::KernelShap { samples: Some(samples), ..Default::default() }));
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
        case(
            "sampling that nobody knows",
            "method.kernel_shap.sampling",
            "got 3, allowed are KERNEL_SHAP_SAMPLING_KERNEL (1) and KERNEL_SHAP_SAMPLING_LEVERAGE (2)",
            with_method(KernelShap(v1::KernelShap { samples: None, sampling: 3 })),
        ),
        case(
            "HSIC of too few masks",
            "method.hsic.masks",
            "got 127, allowed is 128 to 2048",
            with_method(Hsic(v1::Hsic { grid: None, masks: Some(127) })),
        ),
        case(
            "HSIC of one cell",
            "method.hsic.grid",
            "got 1, allowed is 2 to 16",
            with_method(Hsic(v1::Hsic { grid: Some(1), masks: None })),
        ),
        case(
            "HiPe of too many cells",
            "method.hipe.cells",
            "got 11, allowed is 2 to 10",
            with_method(Hipe(v1::Hipe { cells: Some(11), ..Default::default() })),
        ),
        case(
            "HiPe without levels",
            "method.hipe.levels",
            "got 0, allowed is 1 to 6",
            with_method(Hipe(v1::Hipe { levels: Some(0), ..Default::default() })),
        ),
        case(
            "HiPe of 10^9 passes",
            "method.hipe.passes",
            "got 1000000000",
            with_method(Hipe(v1::Hipe { passes: Some(1_000_000_000), ..Default::default() })),
        ),
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
