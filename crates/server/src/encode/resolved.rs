//! Every parameter as it was used.

use unmask_explainer::fill::Made;
use unmask_explainer::fill::adversarial::{Bounded, Paper, Search};
use unmask_explainer::methods::kernel_shap::Sampling;
use unmask_explainer::methods::{Method, Mode};
use unmask_explainer::segment::Segmentation;
use unmask_protocol::v1::{self, fill, method, segmentation};

use super::rect;
use crate::decode::{Budget, Cut, ExplainJob, FillChoice, Whose};

pub(crate) fn resolved(job: &ExplainJob) -> v1::Resolved {
    let Budget { max_passes, target_error } = job.budget;
    v1::Resolved {
        method: Some(v1::Method { kind: Some(method_kind(&job.method)), preset: job.preset.name().into() }),
        fill: Some(v1::Fill { kind: Some(fill_kind(&job.fill)) }),
        seed: job.seed,
        crop: Some(rect(job.subject.crop)),
        segmentation: Some(v1::Segmentation { kind: Some(segmentation_kind(&job.cut)) }),
        budget: (job.budget != Budget::default()).then_some(v1::Budget { max_passes, target_error }),
        landmarks: job.landmarks.map(super::faces::landmarks),
        counterfactual: job.counterfactual.map(|change| v1::CounterfactualSearch {
            regions: Some(change.search.regions as u32),
            max_passes: Some(change.search.passes as u32),
            parts: change.parts,
        }),
        face_sought: matches!(job.face, Whose::Sought { .. }),
        language: if job.outputs.sentences { job.language.tag().into() } else { String::new() },
    }
}

pub(super) fn method_kind(method: &Method) -> method::Kind {
    match method {
        Method::Rise(rise) => method::Kind::Rise(v1::Rise {
            masks: Some(rise.masks as u32),
            grid: Some(rise.grid as u32),
            keep_probability: Some(rise.keep_probability),
            centred: Some(rise.centred),
            paired: Some(rise.paired),
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
        Method::Lime(lime) => method::Kind::Lime(v1::Lime {
            samples: Some(lime.samples as u32),
            kernel_width: Some(lime.kernel_width),
            ridge: Some(lime.ridge),
        }),
        Method::Sobol(sobol) => method::Kind::Sobol(v1::Sobol {
            grid: Some(sobol.grid as u32),
            design: Some(sobol.design as u32),
            scrambled: Some(sobol.scrambled),
        }),
        Method::PartitionShap(shap) => method::Kind::PartitionShap(v1::PartitionShap {
            evaluations: Some(shap.evaluations as u32),
            channels: Some(shap.channels),
        }),
        Method::KernelShap(shap) => method::Kind::KernelShap(v1::KernelShap {
            samples: Some(shap.samples as u32),
            sampling: match shap.sampling {
                Sampling::Kernel => v1::KernelShapSampling::Kernel,
                Sampling::Leverage => v1::KernelShapSampling::Leverage,
            }
            .into(),
        }),
        Method::Hsic(hsic) => {
            method::Kind::Hsic(v1::Hsic { grid: Some(hsic.grid as u32), masks: Some(hsic.masks as u32) })
        }
        Method::Reveal(reveal) => method::Kind::Reveal(v1::Reveal {
            grid: Some(reveal.grid as u32),
            smoothing: Some(reveal.smoothing),
        }),
        Method::Hipe(hipe) => method::Kind::Hipe(v1::Hipe {
            cells: Some(hipe.cells as u32),
            levels: Some(hipe.levels as u32),
            passes: Some(hipe.passes as u32),
        }),
    }
}

pub(super) fn fill_kind(choice: &FillChoice) -> fill::Kind {
    match choice {
        FillChoice::Image(bytes) => image(bytes),
        FillChoice::Search(search) => search_kind(search),
        FillChoice::Made(made) => match made {
            Made::Constant([red, green, blue]) => fill::Kind::Constant(v1::ConstantFill {
                red: Some(*red),
                green: Some(*green),
                blue: Some(*blue),
            }),
            Made::Mean => fill::Kind::Mean(v1::MeanFill {}),
            Made::Blur(sigma) => fill::Kind::Blur(v1::BlurFill { sigma: Some(*sigma) }),
            Made::SegmentMean => fill::Kind::SegmentMean(v1::SegmentMeanFill {}),
            Made::BoxBlur(width) => fill::Kind::BoxBlur(v1::BoxBlurFill { width: Some(*width as u32) }),
            Made::Noise(strength) => fill::Kind::Noise(v1::NoiseFill { strength: Some(*strength) }),
            Made::Zero => fill::Kind::Zero(v1::ZeroFill {}),
            // A decoded picture has no bytes of its own to name; decode always keeps the file.
            Made::Image(_) => image(&[]),
        },
    }
}

fn search_kind(search: &Search) -> fill::Kind {
    match search {
        Search::Bounded(bounded) => fill::Kind::Adversarial(self::bounded(bounded)),
        Search::Paper(paper) => fill::Kind::AdversarialPaper(self::paper(paper)),
    }
}

pub(super) fn bounded(bounded: &Bounded) -> v1::AdversarialFill {
    v1::AdversarialFill {
        max_passes: Some(bounded.max_passes as u32),
        bound: Some(bounded.bound),
        margin: Some(bounded.margin),
        pairs: Some(bounded.pairs as u32),
        grid: Some(bounded.grid as u32),
        sigma: Some(bounded.sigma),
        step: Some(bounded.step),
        momentum: Some(bounded.momentum),
    }
}

pub(super) fn paper(paper: &Paper) -> v1::AdversarialPaperFill {
    v1::AdversarialPaperFill {
        steps: Some(paper.steps as u32),
        pairs: Some(paper.pairs as u32),
        sigma: Some(paper.sigma),
        step: Some(paper.step),
    }
}

pub(super) fn segmentation_kind(cut: &Cut) -> segmentation::Kind {
    match &cut.segmentation {
        Segmentation::Grid(rows, cols) => segmentation::Kind::Grid(v1::GridSegmentation {
            rows: Some(*rows as u32),
            cols: Some(*cols as u32),
        }),
        Segmentation::Slic(slic) => segmentation::Kind::Slic(v1::SlicSegmentation {
            segments: Some(slic.segments as u32),
            compactness: Some(slic.compactness),
            normalised: Some(slic.normalised),
        }),
        Segmentation::Quickshift(quickshift) => segmentation::Kind::Quickshift(v1::QuickshiftSegmentation {
            kernel_size: Some(quickshift.kernel_size),
            max_distance: Some(quickshift.max_distance),
            ratio: Some(quickshift.ratio),
        }),
        Segmentation::Labels(map) => {
            // A map that nobody sent has no digest; decode always keeps what was sent.
            let (height, width, sha256) = match &cut.sent {
                Some(sent) => (sent.height, sent.width, sent.sha256.clone()),
                None => (map.height() as u32, map.width() as u32, String::new()),
            };
            segmentation::Kind::Labels(v1::LabelSegmentation { height, width, values: Vec::new(), sha256 })
        }
        Segmentation::Parts(_) => segmentation::Kind::Parts(v1::PartSegmentation {}),
    }
}

fn image(bytes: &[u8]) -> fill::Kind {
    fill::Kind::Image(v1::ImageFill { image: Vec::new(), sha256: unmask_registry::sha256(bytes) })
}
