//! The fill's message to a fill; a caller's image is checked by its header here and decoded by the job.

use unmask_core::Violation;
use unmask_explainer::fill::{BLUE, Fill, GREEN, RED, SIGMA};
use unmask_explainer::image::{self, Header};
use unmask_protocol::v1::{self, fill::Kind};

/// A fill that may still be a file.
pub(crate) enum FillChoice {
    /// Made from the picture.
    Made(Fill),
    /// The bytes of a picture of the caller's.
    Image(Vec<u8>),
}

/// The fill, or `None` with a violation.
pub(super) fn fill(
    fill: Option<v1::Fill>,
    header: Option<&Header>,
    limits: &image::Limits,
    violations: &mut Vec<Violation>,
) -> Option<FillChoice> {
    let made = match fill.map(|f| f.kind) {
        None | Some(Some(Kind::Mean(_))) => Fill::Mean,
        Some(Some(Kind::Constant(c))) => Fill::Constant([
            RED.real(c.red, "fill.constant", violations),
            GREEN.real(c.green, "fill.constant", violations),
            BLUE.real(c.blue, "fill.constant", violations),
        ]),
        Some(Some(Kind::Blur(blur))) => Fill::Blur(SIGMA.real(blur.sigma, "fill.blur", violations)),
        Some(Some(Kind::Image(fill))) => return caller_image(fill.image, header, limits, violations),
        Some(None) => {
            violations
                .push(Violation::new("fill.kind", "is not set or not known to this server, see ListMethods"));
            return None;
        }
    };
    Some(FillChoice::Made(made))
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
