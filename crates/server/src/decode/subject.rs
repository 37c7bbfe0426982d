//! The picture and its crop.

use std::sync::Arc;

use unmask_core::Violation;
use unmask_explainer::image::{self, Header, Rect};
use unmask_pool::Served;
use unmask_protocol::v1;

/// A picture and the model that is asked about it.
pub(crate) struct Subject {
    pub(crate) image: Vec<u8>,
    pub(crate) crop: Rect,
    pub(crate) crop_given: bool,
    pub(crate) served: Arc<Served>,
    displayed: (u32, u32),
}

impl Subject {
    /// Pixels of the picture.
    pub(crate) fn pixels(&self) -> u64 {
        u64::from(self.displayed.0) * u64::from(self.displayed.1)
    }

    /// Takes this part of the picture, as if the caller had sent it.
    pub(crate) fn choose(&mut self, crop: Rect) {
        (self.crop, self.crop_given) = (crop, true);
    }

    /// Whether the picture as displayed has so many rows and columns.
    pub(crate) fn is_displayed(&self, height: usize, width: usize) -> bool {
        (self.displayed.1 as usize, self.displayed.0 as usize) == (height, width)
    }
}

/// A picture whose model is not known yet.
pub(super) struct Pictured {
    pub(super) image: Vec<u8>,
    pub(super) header: Header,
    pub(super) crop: Rect,
    pub(super) crop_given: bool,
}

impl Pictured {
    pub(super) fn of(self, served: Arc<Served>) -> Subject {
        let Self { image, crop, crop_given, header } = self;
        let displayed = (header.width, header.height);
        Subject { image, crop, crop_given, served, displayed }
    }
}

/// The picture and its crop, judged by its header; `None` with a violation.
pub(super) fn subject(
    bytes: Vec<u8>,
    crop: Option<v1::Box>,
    limits: &image::Limits,
    violations: &mut Vec<Violation>,
) -> Option<Pictured> {
    let header = match image::inspect(&bytes, limits) {
        Ok(header) => header,
        Err(error) => {
            violations.push(Violation::new("image", error.to_string()));
            return None;
        }
    };
    let whole = Rect::whole(header.width, header.height);
    let crop_given = crop.is_some();
    let crop = crop.map_or(whole, |b| Rect { x: b.x, y: b.y, width: b.width, height: b.height });
    if crop.width < limits.min_side || crop.height < limits.min_side {
        let message =
            format!("got {} x {} pixels, each side is at least {}", crop.width, crop.height, limits.min_side);
        violations.push(Violation::new("crop", message));
        return None;
    }
    if !crop.within(header.width, header.height) {
        let Rect { x, y, width, height } = crop;
        let message = format!(
            "got {width} x {height} at ({x}, {y}), which is not inside the picture of {} x {} pixels as displayed",
            header.width, header.height
        );
        violations.push(Violation::new("crop", message));
        return None;
    }
    Some(Pictured { image: bytes, header, crop, crop_given })
}
