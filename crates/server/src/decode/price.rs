//! What a job costs at most, known before its first pass and before a pixel is decoded.

use unmask_core::InputSpec;
use unmask_explainer::image;
use unmask_explainer::metrics::Size;
use unmask_explainer::segment::Segmentation;

use super::evaluation::CONTROLS;
use super::{
    EvaluateJob, ExplainJob, FaceBoxJob, FacesJob, FillChoice, Kind, Outputs, Plan, REFERENCE_PASSES, Subject,
};
use crate::admission::Price;
use crate::run::{CHECKS, LOOKS, again_announced};

/// A job that costs something.
pub(crate) trait Priced {
    /// Its price, where pictures are read under these limits.
    fn price(&self, limits: &image::Limits) -> Price;
}

impl Priced for Subject {
    fn price(&self, limits: &image::Limits) -> Price {
        Price { passes: 1, bytes: decoding(&self.image, limits) }
    }
}

impl Priced for FacesJob {
    fn price(&self, limits: &image::Limits) -> Price {
        Price { passes: LOOKS, bytes: decoding(&self.image, limits) }
    }
}

impl Priced for FaceBoxJob {
    fn price(&self, limits: &image::Limits) -> Price {
        let outputs = Outputs { overlay: self.overlay, ..Outputs::default() };
        let bytes = decoding(&self.image, limits) + outputs.bytes(self.pixels);
        Price { passes: self.announced(), bytes }
    }
}

impl Priced for ExplainJob {
    fn price(&self, limits: &image::Limits) -> Price {
        let own = self.announced() - self.beside() - self.face.announced();
        let own = self.budget.max_passes.map_or(own, |most| most.min(own));
        let passes = own + self.beside() + self.face.announced();
        let pictures = decoding(&self.subject.image, limits) + fill(&self.fill, limits);
        // A changed picture in the model's frame, as pixels and as a file.
        let input = &self.subject.served.spec().input;
        let changed = self.counterfactual.map_or(0, |_| 8 * (input.height * input.width) as u64);
        Price { passes, bytes: pictures + changed + self.outputs.bytes(self.subject.pixels()) }
    }
}

impl Priced for EvaluateJob {
    fn price(&self, limits: &image::Limits) -> Price {
        let fills = self.plan.fills().map(|choice| fill(choice, limits));
        let mask = self.mask.as_ref().map(|mask| decoding(mask, limits));
        // One after the other, each let go of before the next.
        let beside = fills.chain(mask).max().unwrap_or_default();
        let passes = if self.dry_run { 0 } else { self.announced() };
        Price { passes, bytes: decoding(&self.subject.image, limits) + beside }
    }
}

impl Outputs {
    /// Bytes that what is asked for takes beside the picture: a map and its message, an overlay and its file.
    fn bytes(self, pixels: u64) -> u64 {
        let map = if self.picture_map { 8 } else { 0 };
        let overlay = if self.overlay { 8 } else { 0 };
        pixels * (map + overlay)
    }
}

/// What decoding a picture takes; what is no picture is not decoded.
fn decoding(bytes: &[u8], limits: &image::Limits) -> u64 {
    image::inspect(bytes, limits).map_or(0, |header| header.decoding_bytes())
}

fn fill(fill: &FillChoice, limits: &image::Limits) -> u64 {
    match fill {
        FillChoice::Image(bytes) => decoding(bytes, limits),
        FillChoice::Made(_) | FillChoice::Search(_) => 0,
    }
}

impl FaceBoxJob {
    /// Upper bound of the passes: the picture's own, and the masks'.
    pub(crate) fn announced(&self) -> u64 {
        1 + self.drise.announced()
    }
}

impl ExplainJob {
    /// Upper bound of the passes.
    pub(crate) fn announced(&self) -> u64 {
        REFERENCE_PASSES
            + self.fill.announced()
            + self.method.announced()
            + self.beside()
            + self.face.announced()
    }

    /// Upper bound of the passes after the explanation, which its budget does not bound.
    pub(crate) fn beside(&self) -> u64 {
        let checks = if self.outputs.sentences { CHECKS } else { 0 };
        let counterfactual = self.counterfactual.map_or(0, |change| change.search.passes);
        let again = if self.outputs.steadiness { again_announced(self) } else { 0 };
        checks + counterfactual + again
    }

    /// Whether the regions are the parts of a face.
    pub(crate) fn is_cut_by_parts(&self) -> bool {
        matches!(self.cut.segmentation, Segmentation::Parts(_))
    }
}

impl EvaluateJob {
    /// Upper bound of all passes.
    pub(crate) fn announced(&self) -> u64 {
        self.plan.announced(&self.subject.served.spec().input)
    }
}

impl Plan {
    /// Upper bound of all passes of a picture. What explanations share is counted once.
    pub(crate) fn announced(&self, input: &InputSpec) -> u64 {
        let mut searches: Vec<&FillChoice> = Vec::new();
        for fill in self.fills() {
            if fill.announced() > 0 && !searches.contains(&fill) {
                searches.push(fill);
            }
        }
        let searches: u64 = searches.iter().map(|fill| fill.announced()).sum();
        let explanations: u64 = self
            .candidates
            .iter()
            .map(|candidate| match &candidate.kind {
                Kind::Made(making) => making.announced() - making.fill.announced(),
                Kind::Supplied(_) => 0,
            })
            .sum();
        let controls = if self.controls { CONTROLS.len() } else { 0 };
        let metrics: u64 = (0..self.candidates.len() + controls)
            .flat_map(|at| self.measures.iter().map(move |m| m.metric.announced(&self.size(input, at))))
            .sum();
        1 + searches + explanations + metrics
    }

    /// Upper bound of the passes of an explanation's own; the controls come after the candidates.
    pub(crate) fn own(&self, at: usize) -> u64 {
        match self.candidates.get(at).map(|candidate| &candidate.kind) {
            Some(Kind::Made(making)) => making.announced(),
            Some(Kind::Supplied(_)) | None => 0,
        }
    }

    /// What the cost of the metrics of an explanation depends on.
    pub(crate) fn size(&self, input: &InputSpec, at: usize) -> Size {
        let again = match self.candidates.get(at).map(|candidate| &candidate.kind) {
            // The changed picture's own score as well.
            Some(Kind::Made(making)) => Some(1 + making.announced()),
            Some(Kind::Supplied(_)) => None,
            // A control says the same of every picture.
            None => Some(0),
        };
        Size { height: input.height, width: input.width, again }
    }

    fn fills(&self) -> impl Iterator<Item = &FillChoice> {
        let own = self.candidates.iter().filter_map(|candidate| match &candidate.kind {
            Kind::Made(making) => Some(&making.fill),
            Kind::Supplied(_) => None,
        });
        own.chain(self.measures.iter().filter_map(|m| m.fill.as_ref()))
    }
}
