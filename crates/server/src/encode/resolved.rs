//! Every parameter as it was used.

use unmask_explainer::fill::Fill;
use unmask_explainer::methods::{Method, Mode};
use unmask_protocol::v1::{self, fill, method};

use super::rect;
use crate::decode::{ExplainJob, FillChoice};

pub(super) fn resolved(job: &ExplainJob) -> v1::Resolved {
    v1::Resolved {
        method: Some(v1::Method { kind: Some(method_kind(&job.method)) }),
        fill: Some(v1::Fill { kind: Some(fill_kind(&job.fill)) }),
        seed: job.seed,
        crop: Some(rect(job.subject.crop)),
    }
}

fn method_kind(method: &Method) -> method::Kind {
    match method {
        Method::Rise(rise) => method::Kind::Rise(v1::Rise {
            masks: Some(rise.masks as u32),
            grid: Some(rise.grid as u32),
            keep_probability: Some(rise.keep_probability),
        }),
        Method::Occlusion(occlusion) => method::Kind::Occlusion(v1::Occlusion {
            grid: Some(occlusion.grid as u32),
            window: Some(occlusion.window as u32),
            mode: match occlusion.mode {
                Mode::Hide => v1::OcclusionMode::Hide,
                Mode::Show => v1::OcclusionMode::Show,
                Mode::Both => v1::OcclusionMode::Both,
            }
            .into(),
        }),
    }
}

fn fill_kind(choice: &FillChoice) -> fill::Kind {
    match choice {
        FillChoice::Image(bytes) => image(bytes),
        FillChoice::Made(made) => match made {
            Fill::Constant([red, green, blue]) => fill::Kind::Constant(v1::ConstantFill {
                red: Some(*red),
                green: Some(*green),
                blue: Some(*blue),
            }),
            Fill::Mean => fill::Kind::Mean(v1::MeanFill {}),
            Fill::Blur(sigma) => fill::Kind::Blur(v1::BlurFill { sigma: Some(*sigma) }),
            // A decoded picture has no bytes of its own to name; decode always keeps the file.
            Fill::Image(_) => image(&[]),
        },
    }
}

fn image(bytes: &[u8]) -> fill::Kind {
    fill::Kind::Image(v1::ImageFill { image: Vec::new(), sha256: unmask_registry::sha256(bytes) })
}
