//! Wrong parameters of the searches for a fill.

use tonic::Code;
use unmask_protocol::v1;

use crate::requests::*;
use crate::{Case, case};

pub(crate) fn of_searches() -> Vec<Case> {
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
            "a search that may not take a step",
            "fill.adversarial.max_passes",
            "got 21, a step of 10 pairs takes 22; allow more passes or ask for fewer pairs",
            over(Adversarial(v1::AdversarialFill { max_passes: Some(21), ..Default::default() })),
        ),
        case(
            "a budget with which a search takes no step",
            "budget.max_passes",
            "got 151, this method over this fill has no answer with fewer than 152 passes",
            with_budget(151, over(Adversarial(v1::AdversarialFill::default()))),
        ),
    ]
}
