//! What every request has: outputs, budget, id, model; and everything wrong at once.

use tonic::Code;
use unmask_protocol::v1;
use unmask_tests::{model, request};

use crate::requests::*;
use crate::{Case, case};

pub(crate) fn of_all() -> Vec<Case> {
    vec![
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
            v1::ExplainRequest {
                budget: Some(v1::Budget { max_passes: Some(0), ..Default::default() }),
                ..request()
            }
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
                outputs: vec![77],
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
                ("outputs[0]", "got 77"),
                ("top_regions", "got 1000"),
                ("model.name", "got \"x\""),
            ],
        },
    ]
}
