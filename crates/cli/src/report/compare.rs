//! What the explanation is held against, and by what.

use unmask_protocol::v1::{self, candidate};

use crate::args::Report;
use crate::{evaluate, fields};

/// Methods that stand where none is named, in this order; the explanation's own is passed over.
const METHODS: [&str; 3] = ["rise:masks=1000", "lime:samples=1000", "occlusion"];
/// How many of them.
const OTHERS: usize = 2;
/// Metrics that stand where none is named: those that cost tens of passes, and that tell a right map from a shifted, an inverted and a
/// random one (docs/metrics.md). 1568 pixels are a 32nd of a frame of 224 x 224.
const METRICS: [&str; 4] = ["deletion:step=1568", "insertion:step=1568", "comprehensiveness", "sufficiency"];
/// The explanation's name among those that are compared.
pub(super) const OWN: &str = "this explanation";

/// The comparison that was asked for.
pub(super) struct Plan {
    /// Those that were named, each with its word.
    methods: Vec<(String, v1::Method)>,
    metrics: Vec<v1::Metric>,
    /// The request that is compared.
    template: v1::ExplainRequest,
}

impl Plan {
    /// Nothing where nothing is to be compared.
    pub(super) fn new(args: &Report, template: &v1::ExplainRequest) -> anyhow::Result<Option<Self>> {
        if args.no_compare {
            return Ok(None);
        }
        let metrics: Vec<_> = match args.metrics.as_slice() {
            [] => METRICS.map(str::to_owned).to_vec(),
            given => given.to_vec(),
        };
        Ok(Some(Self {
            methods: args.compare.iter().map(named).collect::<Result<_, _>>()?,
            metrics: metrics.iter().map(|text| fields::said("Metric", text)).collect::<Result<_, _>>()?,
            template: template.clone(),
        }))
    }

    /// The request that compares this explanation of this picture with others and with the controls.
    pub(super) fn request(
        &self,
        image: Vec<u8>,
        answer: &v1::ExplainResponse,
    ) -> anyhow::Result<v1::EvaluateRequest> {
        let resolved = answer.resolved.clone().unwrap_or_default();
        let mut candidates = vec![self.own(answer)];
        let others = match self.methods.as_slice() {
            [] => self.defaults(&resolved.method.unwrap_or_default())?,
            given => given.to_vec(),
        };
        candidates.extend(others.into_iter().map(|(name, method)| v1::Candidate {
            name,
            kind: Some(candidate::Kind::Method(method)),
            fill: self.template.fill.clone(),
            segmentation: None,
        }));
        let model = answer.model.clone().unwrap_or_default();
        Ok(v1::EvaluateRequest {
            image,
            crop: resolved.crop,
            plan: Some(v1::EvaluationPlan {
                model: Some(v1::ModelSelector { name: model.name, version: model.version }),
                target: self.template.target.clone(),
                candidates,
                metrics: self.metrics.clone(),
                seed: self.template.seed,
                segmentation: self.regions(answer, self.template.segmentation.clone()),
                ..v1::EvaluationPlan::default()
            }),
            priority: self.template.priority,
            ..v1::EvaluateRequest::default()
        })
    }

    /// Regions of an evaluation, which looks for no face: the parts of one are sent as the labels that they were.
    fn regions(
        &self,
        answer: &v1::ExplainResponse,
        asked: Option<v1::Segmentation>,
    ) -> Option<v1::Segmentation> {
        if !is_parts(asked.as_ref()) {
            return asked;
        }
        let labels = answer.labels.clone().map(v1::segmentation::Kind::Labels);
        Some(v1::Segmentation { kind: labels })
    }

    /// The very map of the answer; where a metric explains again, its method.
    fn own(&self, answer: &v1::ExplainResponse) -> v1::Candidate {
        let explains = |metric: &v1::Metric| {
            matches!(metric.kind, Some(v1::metric::Kind::Stability(_) | v1::metric::Kind::MaxSensitivity(_)))
        };
        let resolved = answer.resolved.clone().unwrap_or_default();
        let (kind, fill, segmentation) = if self.metrics.iter().any(explains) {
            let method = self.template.method.clone().or(resolved.method).unwrap_or_default();
            let regions = self.regions(answer, resolved.segmentation);
            (candidate::Kind::Method(method), self.template.fill.clone(), regions)
        } else {
            let map = v1::SuppliedMap { map: answer.map.clone(), reading: answer.reading };
            (candidate::Kind::Map(map), None, None)
        };
        v1::Candidate { name: OWN.to_owned(), kind: Some(kind), fill, segmentation }
    }

    fn defaults(&self, own: &v1::Method) -> anyhow::Result<Vec<(String, v1::Method)>> {
        let own = fields::word("Method", own)?;
        let kind = |word: &str| word.split(':').next().map(str::to_owned);
        let others = METHODS.iter().filter(|word| kind(word) != kind(&own));
        others.take(OTHERS).map(named).collect()
    }
}

/// Whether these regions are the parts of a face.
pub(super) fn is_parts(regions: Option<&v1::Segmentation>) -> bool {
    matches!(regions.and_then(|regions| regions.kind.as_ref()), Some(v1::segmentation::Kind::Parts(_)))
}

fn named(word: impl AsRef<str>) -> anyhow::Result<(String, v1::Method)> {
    Ok((word.as_ref().to_owned(), evaluate::method(word.as_ref(), "")?))
}
