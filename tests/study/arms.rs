//! What is compared: methods, each over several fills.

use unmask_protocol::v1::{self, fill, method};

/// One column of the study.
#[derive(Clone, Debug)]
pub(crate) struct Arm {
    pub(crate) method: &'static str,
    pub(crate) fill: &'static str,
    pub(crate) message: v1::Method,
    /// `None` where the fill is the untouched original.
    pub(crate) over: Option<v1::Fill>,
}

/// Fills, in the order of the tables.
pub(crate) const FILLS: [&str; 5] = ["classic", "grey", "adversarial_paper", "adversarial", "original"];
/// Methods, in the order of the tables.
pub(crate) const METHODS: [&str; 7] = [
    "lime (paper)",
    "partition_shap (paper)",
    "sobol (paper)",
    "rise (paper)",
    "rise",
    "kernel_shap",
    "occlusion (both)",
];
/// "Method" of a search that nothing follows.
pub(crate) const ALONE: &str = "search alone";

impl Arm {
    /// Passes of the method as its message says, which tells a short study's rows from a long one's.
    pub(crate) fn announced(&self) -> u64 {
        let number = match self.message.kind.as_ref() {
            Some(method::Kind::Rise(m)) => m.masks,
            Some(method::Kind::Lime(m)) => m.samples,
            Some(method::Kind::Sobol(m)) => m.design.map(|n| n * 66),
            Some(method::Kind::PartitionShap(m)) => m.evaluations,
            Some(method::Kind::KernelShap(m)) => m.samples,
            Some(method::Kind::Hsic(m)) => m.masks,
            Some(method::Kind::Hipe(m)) => m.passes,
            Some(method::Kind::Occlusion(_) | method::Kind::Reveal(_)) | None => None,
        };
        u64::from(number.unwrap_or(0))
    }
}

/// Each search alone, as an occlusion of four windows over its sample: the cheapest question that has one.
pub(crate) fn searches() -> Vec<Arm> {
    let occlusion = v1::Occlusion { grid: Some(2), ..Default::default() };
    let message = v1::Method { kind: Some(method::Kind::Occlusion(occlusion)), ..Default::default() };
    adversarial()
        .map(|(fill, kind)| Arm {
            method: ALONE,
            fill,
            message: message.clone(),
            over: Some(v1::Fill { kind: Some(kind) }),
        })
        .into()
}

fn adversarial() -> [(&'static str, fill::Kind); 2] {
    [
        ("adversarial_paper", fill::Kind::AdversarialPaper(v1::AdversarialPaperFill::default())),
        ("adversarial", fill::Kind::Adversarial(v1::AdversarialFill::default())),
    ]
}

/// All arms. `share` scales the passes of every method: 1 is the paper's number.
pub(crate) fn arms(share: f64) -> Vec<Arm> {
    let scaled = |passes: u32| Some(((f64::from(passes) * share).round() as u32).max(128));
    let paper = "paper";
    let lime = v1::Lime { samples: scaled(2000), ..Default::default() };
    let shap = v1::PartitionShap { evaluations: scaled(2000), ..Default::default() };
    let sobol = v1::Sobol { design: Some(((32.0 * share).round() as u32).max(2)), ..Default::default() };
    let rise = v1::Rise { masks: scaled(4000), ..Default::default() };
    let both = v1::Occlusion { mode: v1::OcclusionMode::Both.into(), ..Default::default() };
    let methods = [
        ("lime (paper)", paper, method::Kind::Lime(lime), classic_segments()),
        ("partition_shap (paper)", paper, method::Kind::PartitionShap(shap), None),
        ("sobol (paper)", paper, method::Kind::Sobol(sobol), None),
        ("rise (paper)", paper, method::Kind::Rise(rise), None),
        ("rise", "", method::Kind::Rise(rise), Some(fill::Kind::Zero(v1::ZeroFill {}))),
        (
            "kernel_shap",
            "",
            method::Kind::KernelShap(v1::KernelShap { samples: scaled(2000), ..Default::default() }),
            classic_segments(),
        ),
        ("occlusion (both)", "", method::Kind::Occlusion(both), Some(fill::Kind::Mean(v1::MeanFill {}))),
    ];
    let mut arms = Vec::new();
    for (name, preset, kind, classic) in methods {
        let message = v1::Method { kind: Some(kind), preset: preset.into() };
        // Under the preset, a request without a fill gets the paper's own.
        let searched = adversarial().map(|(fill, kind)| (fill, Some(kind)));
        for (fill, kind) in [("classic", classic)].into_iter().chain(searched) {
            let over = Some(v1::Fill { kind });
            arms.push(Arm { method: name, fill, message: message.clone(), over });
        }
        if name == "rise" {
            let grey = fill::Kind::Constant(v1::ConstantFill::default());
            let over = Some(v1::Fill { kind: Some(grey) });
            arms.push(Arm { method: name, fill: "grey", message: message.clone(), over });
            arms.push(Arm { method: name, fill: "original", message, over: None });
        }
    }
    arms
}

fn classic_segments() -> Option<fill::Kind> {
    Some(fill::Kind::SegmentMean(v1::SegmentMeanFill {}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_show_every_arm() {
        let arms = arms(1.0);
        assert!(arms.iter().all(|arm| METHODS.contains(&arm.method) && FILLS.contains(&arm.fill)));
        assert!(METHODS.iter().all(|method| arms.iter().filter(|arm| arm.method == *method).count() >= 3));
    }

    #[test]
    fn a_share_of_the_passes_makes_other_rows() {
        let announced = |share| arms(share).iter().map(Arm::announced).collect::<Vec<_>>();
        assert_eq!(announced(1.0)[..3], [2000; 3]);
        assert_eq!(announced(0.5)[..3], [1000; 3]);
        assert_eq!(announced(0.001)[..3], [128; 3]);
    }
}
