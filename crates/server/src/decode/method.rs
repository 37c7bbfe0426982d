//! The method's message to its parameters.

use unmask_core::{ModelSpec, Preset, Violation};
use unmask_explainer::methods::kernel_shap::Sampling;
use unmask_explainer::methods::{
    Hipe, Hsic, KernelShap, Lime, Method, Mode, Occlusion, PartitionShap, Reveal, Rise, Sobol, hipe, hsic,
    kernel_shap, lime, occlusion, partition_shap, reveal, rise, sobol,
};
use unmask_explainer::quality;
use unmask_protocol::v1::{self, method::Kind};

use super::shown;

/// The method of the presets of quality.
const REVEAL: &str = "reveal";

/// The method with its parameters, and what stands where one was not given; where one is wrong, its default stands and
/// the violation is recorded.
pub(super) fn method(
    method: Option<v1::Method>,
    spec: Option<&ModelSpec>,
    violations: &mut Vec<Violation>,
) -> (Method, Preset) {
    let usual = || v1::Method { kind: None, preset: quality::USUAL.name().to_owned() };
    let message = method.unwrap_or_else(usual);
    let preset = preset(&message.preset, violations);
    let kind = match message.kind {
        None if quality::search(preset).is_some() => Some(Kind::Reveal(v1::Reveal::default())),
        Some(kind) if quality::search(preset).is_some() && name(&kind) != REVEAL => {
            let message = format!(
                "preset {} explains by {REVEAL} and not by the method that is named; leave one of the two out",
                preset.name()
            );
            violations.push(Violation::new("method.preset", message));
            return (Method::Reveal(Reveal::default()), preset);
        }
        kind => kind,
    };
    let mut reader = Reader { preset, violations };
    let method = match kind {
        Some(Kind::Rise(rise)) => Method::Rise(reader.rise(&rise)),
        Some(Kind::Occlusion(occlusion)) => Method::Occlusion(reader.occlusion(&occlusion)),
        Some(Kind::Lime(lime)) => Method::Lime(reader.lime(&lime)),
        Some(Kind::Sobol(sobol)) => Method::Sobol(reader.sobol(&sobol)),
        Some(Kind::PartitionShap(shap)) => Method::PartitionShap(reader.partition_shap(&shap)),
        Some(Kind::KernelShap(shap)) => Method::KernelShap(reader.kernel_shap(&shap)),
        Some(Kind::Reveal(reveal)) => Method::Reveal(reader.reveal(&reveal)),
        Some(Kind::Hsic(hsic)) => Method::Hsic(reader.hsic(&hsic)),
        Some(Kind::Hipe(hipe)) => Method::Hipe(reader.hipe(&hipe)),
        None => {
            let message = "is not set or not known to this server, see ListMethods";
            violations.push(Violation::new("method.kind", message));
            return (Method::Reveal(Reveal::default()), preset);
        }
    };
    fits(&method, spec, violations);
    (method, preset)
}

/// The name of a method, as in the contract.
pub(super) fn name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Rise(_) => "rise",
        Kind::Occlusion(_) => "occlusion",
        Kind::Lime(_) => "lime",
        Kind::Sobol(_) => "sobol",
        Kind::PartitionShap(_) => "partition_shap",
        Kind::KernelShap(_) => "kernel_shap",
        Kind::Reveal(_) => REVEAL,
        Kind::Hsic(_) => "hsic",
        Kind::Hipe(_) => "hipe",
    }
}

fn preset(name: &str, violations: &mut Vec<Violation>) -> Preset {
    Preset::named(name).unwrap_or_else(|| {
        let names = Preset::NAMED.map(Preset::name).join(", ");
        let message =
            format!("got \"{}\", allowed are {names}, each also without its version, and \"\"", shown(name));
        violations.push(Violation::new("method.preset", message));
        Preset::Clean
    })
}

/// A lattice finer than the pixels under it has cells that nothing can be said of.
fn fits(method: &Method, spec: Option<&ModelSpec>, violations: &mut Vec<Violation>) {
    let (path, grid) = match method {
        Method::Rise(rise) => ("method.rise.grid", rise.grid),
        Method::Occlusion(occlusion) => ("method.occlusion.grid", occlusion.grid),
        Method::Sobol(sobol) => ("method.sobol.grid", sobol.grid),
        Method::Reveal(reveal) => ("method.reveal.grid", reveal.grid),
        Method::Hsic(hsic) => ("method.hsic.grid", hsic.grid),
        Method::Hipe(hipe) => ("method.hipe.cells", hipe.cells),
        Method::Lime(_) | Method::PartitionShap(_) | Method::KernelShap(_) => return,
    };
    if let Some(side) = spec.map(|spec| spec.input.height.min(spec.input.width))
        && grid > side
    {
        let message = format!("got {grid}, which is more cells than the model's frame has pixels ({side})");
        violations.push(Violation::new(path, message));
    }
}

struct Reader<'a> {
    preset: Preset,
    violations: &'a mut Vec<Violation>,
}

impl Reader<'_> {
    fn rise(&mut self, message: &v1::Rise) -> Rise {
        let (preset, path, wrong) = (self.preset, "method.rise", &mut *self.violations);
        let mut rise = Rise {
            masks: rise::MASKS.integer(message.masks.map(u64::from), preset, path, wrong),
            grid: rise::GRID.integer(message.grid.map(u64::from), preset, path, wrong) as usize,
            keep_probability: rise::KEEP_PROBABILITY.real(message.keep_probability, preset, path, wrong),
            centred: rise::CENTRED.flag(message.centred, preset),
            paired: rise::PAIRED.flag(message.paired, preset),
        };
        if rise.paired && rise.keep_probability != 0.5 {
            let message = format!(
                "got true with a keep_probability of {}, it must be 0.5 for complements to be as likely as masks",
                rise.keep_probability
            );
            wrong.push(Violation::new("method.rise.paired", message));
            rise.paired = false;
        }
        rise
    }

    fn lime(&mut self, message: &v1::Lime) -> Lime {
        let (preset, path, wrong) = (self.preset, "method.lime", &mut *self.violations);
        Lime {
            samples: lime::SAMPLES.integer(message.samples.map(u64::from), preset, path, wrong),
            kernel_width: lime::KERNEL_WIDTH.real(message.kernel_width, preset, path, wrong),
            ridge: lime::RIDGE.real(message.ridge, preset, path, wrong),
        }
    }

    fn sobol(&mut self, message: &v1::Sobol) -> Sobol {
        let (preset, path, wrong) = (self.preset, "method.sobol", &mut *self.violations);
        Sobol {
            grid: sobol::GRID.integer(message.grid.map(u64::from), preset, path, wrong) as usize,
            design: sobol::DESIGN.integer(message.design.map(u64::from), preset, path, wrong),
            scrambled: sobol::SCRAMBLED.flag(message.scrambled, preset),
        }
    }

    fn partition_shap(&mut self, message: &v1::PartitionShap) -> PartitionShap {
        let (preset, path, wrong) = (self.preset, "method.partition_shap", &mut *self.violations);
        let evaluations = message.evaluations.map(u64::from);
        PartitionShap {
            evaluations: partition_shap::EVALUATIONS.integer(evaluations, preset, path, wrong),
            channels: partition_shap::CHANNELS.flag(message.channels, preset),
        }
    }

    fn kernel_shap(&mut self, message: &v1::KernelShap) -> KernelShap {
        let (preset, path, wrong) = (self.preset, "method.kernel_shap", &mut *self.violations);
        let samples = message.samples.map(u64::from);
        let samples = kernel_shap::SAMPLES.integer(samples, preset, path, wrong);
        let sampling = match v1::KernelShapSampling::try_from(message.sampling) {
            Ok(v1::KernelShapSampling::Unspecified | v1::KernelShapSampling::Kernel) => Sampling::Kernel,
            Ok(v1::KernelShapSampling::Leverage) => Sampling::Leverage,
            Err(_) => {
                let allowed = "KERNEL_SHAP_SAMPLING_KERNEL (1) and KERNEL_SHAP_SAMPLING_LEVERAGE (2)";
                let message = format!("got {}, allowed are {allowed}", message.sampling);
                wrong.push(Violation::new("method.kernel_shap.sampling", message));
                Sampling::Kernel
            }
        };
        KernelShap { samples, sampling }
    }

    fn hsic(&mut self, message: &v1::Hsic) -> Hsic {
        let (preset, path, wrong) = (self.preset, "method.hsic", &mut *self.violations);
        Hsic {
            grid: hsic::GRID.integer(message.grid.map(u64::from), preset, path, wrong) as usize,
            masks: hsic::MASKS.integer(message.masks.map(u64::from), preset, path, wrong),
        }
    }

    fn hipe(&mut self, message: &v1::Hipe) -> Hipe {
        let (preset, path, wrong) = (self.preset, "method.hipe", &mut *self.violations);
        Hipe {
            cells: hipe::CELLS.integer(message.cells.map(u64::from), preset, path, wrong) as usize,
            levels: hipe::LEVELS.integer(message.levels.map(u64::from), preset, path, wrong) as usize,
            passes: hipe::PASSES.integer(message.passes.map(u64::from), preset, path, wrong),
        }
    }

    fn reveal(&mut self, message: &v1::Reveal) -> Reveal {
        let (preset, path, wrong) = (self.preset, "method.reveal", &mut *self.violations);
        Reveal {
            grid: reveal::GRID.integer(message.grid.map(u64::from), preset, path, wrong) as usize,
            smoothing: reveal::SMOOTHING.real(message.smoothing, preset, path, wrong),
        }
    }

    fn occlusion(&mut self, message: &v1::Occlusion) -> Occlusion {
        let (preset, path, wrong) = (self.preset, "method.occlusion", &mut *self.violations);
        let grid = occlusion::GRID.integer(message.grid.map(u64::from), preset, path, wrong) as usize;
        let window = message.window.map(u64::from);
        let mut window = occlusion::WINDOW.integer(window, preset, path, wrong) as usize;
        if window >= grid {
            let message = format!("got {window}, which must be less than grid ({grid})");
            wrong.push(Violation::new("method.occlusion.window", message));
            window = 1;
        }
        let mode = match v1::OcclusionMode::try_from(message.mode) {
            Ok(v1::OcclusionMode::Unspecified | v1::OcclusionMode::Hide) => Mode::Hide,
            Ok(v1::OcclusionMode::Show) => Mode::Show,
            Ok(v1::OcclusionMode::Both) => Mode::Both,
            Err(_) => {
                let allowed = "OCCLUSION_MODE_HIDE (1), OCCLUSION_MODE_SHOW (2) and OCCLUSION_MODE_BOTH (3)";
                let message = format!("got {}, allowed are {allowed}", message.mode);
                wrong.push(Violation::new("method.occlusion.mode", message));
                Mode::Hide
            }
        };
        Occlusion { grid, window, mode }
    }
}
