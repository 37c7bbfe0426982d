//! The method's message to its parameters.

use std::sync::Arc;

use unmask_core::Violation;
use unmask_explainer::methods::{Method, Mode, Occlusion, Rise, occlusion, rise};
use unmask_pool::Served;
use unmask_protocol::v1::{self, method::Kind};

/// The method with its parameters; where one is wrong, its default stands and the violation is recorded.
pub(super) fn method(
    method: Option<v1::Method>,
    served: Option<&Arc<Served>>,
    violations: &mut Vec<Violation>,
) -> Method {
    let method = match method.map(|m| m.kind) {
        None => Method::Rise(Rise::default()),
        Some(Some(Kind::Rise(rise))) => Method::Rise(decode_rise(&rise, violations)),
        Some(Some(Kind::Occlusion(occlusion))) => Method::Occlusion(decode_occlusion(&occlusion, violations)),
        Some(None) => {
            violations.push(Violation::new(
                "method.kind",
                "is not set or not known to this server, see ListMethods",
            ));
            Method::Rise(Rise::default())
        }
    };
    let (path, grid) = match &method {
        Method::Rise(rise) => ("method.rise.grid", rise.grid),
        Method::Occlusion(occlusion) => ("method.occlusion.grid", occlusion.grid),
    };
    if let Some(input) = served.map(|s| &s.spec().input) {
        let side = input.height.min(input.width);
        if grid > side {
            let message =
                format!("got {grid}, which is more cells than the model's frame has pixels ({side})");
            violations.push(Violation::new(path, message));
        }
    }
    method
}

fn decode_rise(message: &v1::Rise, violations: &mut Vec<Violation>) -> Rise {
    let path = "method.rise";
    Rise {
        masks: rise::MASKS.integer(message.masks.map(u64::from), path, violations),
        grid: rise::GRID.integer(message.grid.map(u64::from), path, violations) as usize,
        keep_probability: rise::KEEP_PROBABILITY.real(message.keep_probability, path, violations),
    }
}

fn decode_occlusion(message: &v1::Occlusion, violations: &mut Vec<Violation>) -> Occlusion {
    let path = "method.occlusion";
    let grid = occlusion::GRID.integer(message.grid.map(u64::from), path, violations) as usize;
    let mut window = occlusion::WINDOW.integer(message.window.map(u64::from), path, violations) as usize;
    if window >= grid {
        let message = format!("got {window}, which must be less than grid ({grid})");
        violations.push(Violation::new("method.occlusion.window", message));
        window = 1;
    }
    let mode = match v1::OcclusionMode::try_from(message.mode) {
        Ok(v1::OcclusionMode::Unspecified | v1::OcclusionMode::Hide) => Mode::Hide,
        Ok(v1::OcclusionMode::Show) => Mode::Show,
        Ok(v1::OcclusionMode::Both) => Mode::Both,
        Err(_) => {
            let allowed = "OCCLUSION_MODE_HIDE (1), OCCLUSION_MODE_SHOW (2) and OCCLUSION_MODE_BOTH (3)";
            let message = format!("got {}, allowed are {allowed}", message.mode);
            violations.push(Violation::new("method.occlusion.mode", message));
            Mode::Hide
        }
    };
    Occlusion { grid, window, mode }
}
