//! The fill's message to a fill; a caller's image is checked by its header here and decoded by the job.

use unmask_core::{Preset, Violation};
use unmask_explainer::fill::adversarial::{Bounded, Paper, Search, bounded, paper};
use unmask_explainer::fill::{BLUE, GREEN, Made, RED, SIGMA, STRENGTH, WIDTH};
use unmask_explainer::image::{self, Header};
use unmask_explainer::methods::Method;
use unmask_explainer::quality;
use unmask_protocol::v1::{self, fill::Kind};

/// A fill that may still be a file or has still to be found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FillChoice {
    /// Made from the picture.
    Made(Made),
    /// Searched for with forward passes.
    Search(Search),
    /// The bytes of a picture of the caller's.
    Image(Vec<u8>),
}

impl FillChoice {
    /// Forward passes that a search asks for at most.
    pub(crate) fn announced(&self) -> u64 {
        match self {
            Self::Search(search) => search.announced(),
            Self::Made(_) | Self::Image(_) => 0,
        }
    }

    /// Whether the fill depends on the segmentation.
    pub(crate) fn needs_segments(&self) -> bool {
        match self {
            Self::Made(made) => made.needs_segments(),
            Self::Search(_) | Self::Image(_) => false,
        }
    }
}

/// What stands where the caller names no fill.
pub(super) fn default(method: &Method, preset: Preset) -> FillChoice {
    let own = (preset == Preset::Clean && matches!(method, Method::Reveal(_))).then(Bounded::default);
    if let Some(search) = own.or_else(|| quality::search(preset)) {
        return FillChoice::Search(Search::Bounded(search));
    }
    FillChoice::Made(match (preset, method) {
        (Preset::Clean | Preset::Fast | Preset::Balanced | Preset::Thorough, _) => Made::Mean,
        (Preset::Paper, Method::Lime(_)) => Made::SegmentMean,
        (Preset::Paper, Method::PartitionShap(_)) => {
            Made::BoxBlur(WIDTH.integer(None, preset, "fill.box_blur", &mut Vec::new()) as usize)
        }
        (Preset::Paper, Method::Rise(_) | Method::Sobol(_)) => Made::Zero,
        (
            Preset::Paper,
            Method::Occlusion(_)
            | Method::KernelShap(_)
            | Method::Reveal(_)
            | Method::Hsic(_)
            | Method::Hipe(_),
        ) => Made::Mean,
    })
}

/// The name of a fill, as in the contract.
pub(super) fn name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Mean(_) => "mean",
        Kind::Zero(_) => "zero",
        Kind::SegmentMean(_) => "segment_mean",
        Kind::Constant(_) => "constant",
        Kind::Blur(_) => "blur",
        Kind::BoxBlur(_) => "box_blur",
        Kind::Noise(_) => "noise",
        Kind::Adversarial(_) => "adversarial",
        Kind::AdversarialPaper(_) => "adversarial_paper",
        Kind::Image(_) => "image",
    }
}

/// The fill, or `None` with a violation.
pub(super) fn fill(
    fill: v1::Fill,
    header: Option<&Header>,
    limits: &image::Limits,
    wrong: &mut Vec<Violation>,
) -> Option<FillChoice> {
    // A preset is one of the method's; fills have none.
    let clean = Preset::Clean;
    let made = match fill.kind {
        Some(Kind::Mean(_)) => Made::Mean,
        Some(Kind::Zero(_)) => Made::Zero,
        Some(Kind::SegmentMean(_)) => Made::SegmentMean,
        Some(Kind::Constant(c)) => Made::Constant([
            RED.real(c.red, clean, "fill.constant", wrong),
            GREEN.real(c.green, clean, "fill.constant", wrong),
            BLUE.real(c.blue, clean, "fill.constant", wrong),
        ]),
        Some(Kind::Blur(blur)) => Made::Blur(SIGMA.real(blur.sigma, clean, "fill.blur", wrong)),
        Some(Kind::BoxBlur(blur)) => {
            Made::BoxBlur(WIDTH.integer(blur.width.map(u64::from), clean, "fill.box_blur", wrong) as usize)
        }
        Some(Kind::Noise(noise)) => Made::Noise(STRENGTH.real(noise.strength, clean, "fill.noise", wrong)),
        Some(Kind::Adversarial(search)) => {
            return Some(FillChoice::Search(search_within(&search, "fill.adversarial", wrong)));
        }
        Some(Kind::AdversarialPaper(search)) => {
            return Some(FillChoice::Search(search_as_paper(&search, "fill.adversarial_paper", wrong)));
        }
        Some(Kind::Image(fill)) => return caller_image(fill.image, header, limits, wrong),
        None => {
            wrong
                .push(Violation::new("fill.kind", "is not set or not known to this server, see ListMethods"));
            return None;
        }
    };
    Some(FillChoice::Made(made))
}

/// A search within a bound; what is wrong with it is recorded under `path`.
pub(super) fn search_within(message: &v1::AdversarialFill, path: &str, wrong: &mut Vec<Violation>) -> Search {
    let clean = Preset::Clean;
    let search = Bounded {
        max_passes: bounded::MAX_PASSES.integer(message.max_passes.map(u64::from), clean, path, wrong),
        bound: bounded::BOUND.real(message.bound, clean, path, wrong),
        margin: bounded::MARGIN.real(message.margin, clean, path, wrong),
        pairs: bounded::PAIRS.integer(message.pairs.map(u64::from), clean, path, wrong) as usize,
        grid: bounded::GRID.integer(message.grid.map(u64::from), clean, path, wrong) as usize,
        sigma: bounded::SIGMA.real(message.sigma, clean, path, wrong),
        step: bounded::STEP.real(message.step, clean, path, wrong),
        momentum: bounded::MOMENTUM.real(message.momentum, clean, path, wrong),
    };
    let least = Bounded::least(search.pairs);
    if search.max_passes < least {
        let message = format!(
            "got {}, a step of {} pairs takes {least}; allow more passes or ask for fewer pairs",
            search.max_passes, search.pairs
        );
        wrong.push(Violation::new(format!("{path}.max_passes"), message));
    }
    Search::Bounded(search)
}

/// The paper's search; what is wrong with it is recorded under `path`.
pub(super) fn search_as_paper(
    message: &v1::AdversarialPaperFill,
    path: &str,
    wrong: &mut Vec<Violation>,
) -> Search {
    let clean = Preset::Clean;
    Search::Paper(Paper {
        steps: paper::STEPS.integer(message.steps.map(u64::from), clean, path, wrong),
        pairs: paper::PAIRS.integer(message.pairs.map(u64::from), clean, path, wrong) as usize,
        sigma: paper::SIGMA.real(message.sigma, clean, path, wrong),
        step: paper::STEP.real(message.step, clean, path, wrong),
    })
}

fn caller_image(
    bytes: Vec<u8>,
    header: Option<&Header>,
    limits: &image::Limits,
    violations: &mut Vec<Violation>,
) -> Option<FillChoice> {
    let mut refuse = |message: String| {
        violations.push(Violation::new("fill.image.image", message));
        None
    };
    let own = match image::inspect(&bytes, limits) {
        Ok(own) => own,
        Err(error) => return refuse(error.to_string()),
    };
    match header {
        Some(picture) if (own.width, own.height) != (picture.width, picture.height) => refuse(format!(
            "got {} x {} pixels as displayed, the explained picture has {} x {}; send one of the same size",
            own.width, own.height, picture.width, picture.height
        )),
        Some(_) | None => Some(FillChoice::Image(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use unmask_explainer::methods::{Hipe, Hsic, KernelShap, Lime, Occlusion, PartitionShap, Rise, Sobol};

    use super::*;

    #[test]
    fn a_preset_brings_the_fill_of_the_papers_code() {
        let name = |method: &Method, preset| match default(method, preset) {
            FillChoice::Made(made) => format!("{made:?}"),
            FillChoice::Search(_) | FillChoice::Image(_) => unreachable!("a default is made"),
        };
        for (method, paper) in [
            (Method::Rise(Rise::default()), "Zero"),
            (Method::Occlusion(Occlusion::default()), "Mean"),
            (Method::Lime(Lime::default()), "SegmentMean"),
            (Method::Sobol(Sobol::default()), "Zero"),
            (Method::PartitionShap(PartitionShap::default()), "BoxBlur(128)"),
            (Method::KernelShap(KernelShap::default()), "Mean"),
            (Method::Hsic(Hsic::default()), "Mean"),
            (Method::Hipe(Hipe::default()), "Mean"),
        ] {
            assert_eq!(
                (name(&method, Preset::Clean).as_str(), name(&method, Preset::Paper).as_str()),
                ("Mean", paper)
            );
        }
    }
}
