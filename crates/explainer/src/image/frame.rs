//! Where a pixel of the model's input lies in the picture, as displayed and as stored.
//!
//! Coordinates are continuous: (0, 0) is the corner of the first pixel, whose centre is (0.5, 0.5).

/// A rectangle in whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

impl Rect {
    /// All of a picture of this size.
    pub fn whole(width: u32, height: u32) -> Self {
        Self { x: 0, y: 0, width, height }
    }

    /// Whether the rectangle has an area and lies in a picture of this size.
    pub fn within(&self, width: u32, height: u32) -> bool {
        let fits = |at: u32, length: u32, side: u32| {
            length > 0 && at.checked_add(length).is_some_and(|end| end <= side)
        };
        fits(self.x, self.width, width) && fits(self.y, self.height, height)
    }
}

/// A map of the plane: `x' = xx x + xy y + x0`, `y' = yx x + yy y + y0`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// Factor of x in x'.
    pub xx: f64,
    /// Factor of y in x'.
    pub xy: f64,
    /// Offset of x', in pixels.
    pub x0: f64,
    /// Factor of x in y'.
    pub yx: f64,
    /// Factor of y in y'.
    pub yy: f64,
    /// Offset of y', in pixels.
    pub y0: f64,
}

impl Affine {
    /// Where a point goes.
    pub fn apply(&self, x: f64, y: f64) -> (f64, f64) {
        (self.xx * x + self.xy * y + self.x0, self.yx * x + self.yy * y + self.y0)
    }

    /// The map back; `None` where this one leaves no area.
    pub fn inverse(&self) -> Option<Self> {
        let area = self.xx * self.yy - self.xy * self.yx;
        let (xx, xy, yx, yy) = (self.yy / area, -self.xy / area, -self.yx / area, self.xx / area);
        let back =
            Self { xx, xy, x0: -xx * self.x0 - xy * self.y0, yx, yy, y0: -yx * self.x0 - yy * self.y0 };
        let is_finite = [xx, xy, back.x0, yx, yy, back.y0].iter().all(|v| v.is_finite());
        is_finite.then_some(back)
    }

    /// This map, then `next`.
    pub fn then(&self, next: &Self) -> Self {
        let (x0, y0) = next.apply(self.x0, self.y0);
        Self {
            xx: next.xx * self.xx + next.xy * self.yx,
            xy: next.xx * self.xy + next.xy * self.yy,
            x0,
            yx: next.yx * self.xx + next.yy * self.yx,
            yy: next.yx * self.xy + next.yy * self.yy,
            y0,
        }
    }
}

/// How the model's input was cut from a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What the model sees, in pixels as displayed.
    pub crop: Rect,
    /// Width and height as displayed, in pixels.
    pub displayed: (u32, u32),
    /// EXIF orientation of the file, 1 to 8.
    pub orientation: u8,
    /// Width and height of the model's input, in pixels.
    pub model: (u32, u32),
}

impl Frame {
    /// From the model's input to the picture as displayed.
    pub fn to_displayed(&self) -> Affine {
        let Rect { x, y, width, height } = self.crop;
        Affine {
            xx: f64::from(width) / f64::from(self.model.0),
            xy: 0.0,
            x0: x.into(),
            yx: 0.0,
            yy: f64::from(height) / f64::from(self.model.1),
            y0: y.into(),
        }
    }

    /// From the model's input to the picture as stored in the file.
    pub fn to_stored(&self) -> Affine {
        self.to_displayed().then(&self.displayed_to_stored())
    }

    /// The smallest rectangle of whole displayed pixels, within the crop, that covers the model's pixels
    /// `x0..x1`, `y0..y1`.
    pub fn rect_to_displayed(&self, x0: u32, y0: u32, x1: u32, y1: u32) -> Rect {
        let (x, width) = outwards(x0, x1, self.crop.width, self.model.0);
        let (y, height) = outwards(y0, y1, self.crop.height, self.model.1);
        Rect { x: self.crop.x + x, y: self.crop.y + y, width, height }
    }

    /// Undoes the orientation: each row says which stored coordinate x and y of the display are.
    fn displayed_to_stored(&self) -> Affine {
        let (width, height) = (f64::from(self.displayed.0), f64::from(self.displayed.1));
        let along = |xx, x0, yy, y0| Affine { xx, xy: 0.0, x0, yx: 0.0, yy, y0 };
        let across = |xy, x0, yx, y0| Affine { xx: 0.0, xy, x0, yx, yy: 0.0, y0 };
        match self.orientation {
            2 => along(-1.0, width, 1.0, 0.0),
            3 => along(-1.0, width, -1.0, height),
            4 => along(1.0, 0.0, -1.0, height),
            5 => across(1.0, 0.0, 1.0, 0.0),
            6 => across(1.0, 0.0, -1.0, width),
            7 => across(-1.0, height, -1.0, width),
            8 => across(-1.0, height, 1.0, 0.0),
            _ => along(1.0, 0.0, 1.0, 0.0),
        }
    }
}

/// Start and length of `first..end`, scaled from `model` to `crop` pixels; whole numbers keep the rounding exact.
fn outwards(first: u32, end: u32, crop: u32, model: u32) -> (u32, u32) {
    let (crop, model) = (u64::from(crop), u64::from(model).max(1));
    let start = (u64::from(first) * crop / model).min(crop);
    let end = (u64::from(end) * crop).div_ceil(model).clamp(start, crop);
    // Both are at most `crop`, which is 32 bits wide.
    (start as u32, (end - start) as u32)
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::super::{Limits, decode, samples};
    use super::*;

    fn frame(crop: Rect, model: (u32, u32)) -> Frame {
        Frame { crop, displayed: (400, 300), orientation: 1, model }
    }

    // A stored picture with one red pixel is written under every orientation; the displayed position of the red pixel,
    // mapped back, must be where it was stored.
    #[test]
    fn every_orientation_maps_a_displayed_pixel_to_where_it_is_stored() {
        for (sx, sy) in [(0, 0), (23, 0), (0, 16), (23, 16), (5, 11)] {
            let mut stored = RgbImage::from_pixel(24, 17, Rgb([0, 0, 255]));
            stored[(sx, sy)] = Rgb([255, 0, 0]);
            for orientation in 1..=8 {
                let exif = Some(samples::exif(orientation));
                let bytes = samples::encode(stored.clone().into(), image::ImageFormat::Png, exif);
                let picture = decode(&bytes, &Limits::default()).unwrap();
                assert_eq!(picture.width() == 24, orientation < 5);
                let red = picture.pixels().enumerate_pixels().find(|(_, _, p)| p[0] == 255).unwrap();
                let displayed = (picture.width(), picture.height());
                // The model's input is the displayed picture at three times its size.
                let frame = Frame {
                    crop: Rect::whole(displayed.0, displayed.1),
                    displayed,
                    orientation: picture.orientation(),
                    model: (displayed.0 * 3, displayed.1 * 3),
                };
                let centre = (3.0 * (f64::from(red.0) + 0.5), 3.0 * (f64::from(red.1) + 0.5));
                let (x, y) = frame.to_stored().apply(centre.0, centre.1);
                let expected = (f64::from(sx) + 0.5, f64::from(sy) + 0.5);
                assert!(
                    (x - expected.0).abs() < 1e-9 && (y - expected.1).abs() < 1e-9,
                    "{orientation}: {x} {y}"
                );
            }
        }
    }

    #[test]
    fn the_viewer_sees_the_first_stored_pixel_where_exif_says() {
        // EXIF 2.32, table 5: the displayed corner that holds the pixel of row 0, column 0.
        let corners = [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0), (1, 0), (1, 1), (0, 1)];
        let mut stored = RgbImage::new(24, 17);
        stored[(0, 0)] = Rgb([255; 3]);
        for (orientation, (right, bottom)) in (1..).zip(corners) {
            let exif = Some(samples::exif(orientation));
            let bytes = samples::encode(stored.clone().into(), image::ImageFormat::Png, exif);
            let picture = decode(&bytes, &Limits::default()).unwrap();
            let at = (right * (picture.width() - 1), bottom * (picture.height() - 1));
            assert_eq!(picture.pixels()[at], Rgb([255; 3]), "{orientation}");
        }
    }

    #[test]
    fn the_corners_of_the_input_are_the_corners_of_the_crop() {
        let to = frame(Rect { x: 37, y: 11, width: 101, height: 203 }, (224, 224)).to_displayed();
        assert_eq!(to.apply(0.0, 0.0), (37.0, 11.0));
        let (x, y) = to.apply(224.0, 224.0);
        assert!((x - 138.0).abs() < 1e-9 && (y - 214.0).abs() < 1e-9);
    }

    #[test]
    fn maps_compose_in_the_order_they_are_said() {
        let double = Affine { xx: 2.0, xy: 0.0, x0: 0.0, yx: 0.0, yy: 2.0, y0: 0.0 };
        let turn = Affine { xx: 0.0, xy: -1.0, x0: 5.0, yx: 1.0, yy: 0.0, y0: 7.0 };
        assert_eq!(double.then(&turn).apply(1.0, 3.0), turn.apply(2.0, 6.0));
        assert_eq!(turn.then(&double).apply(1.0, 3.0), (4.0, 16.0));
    }

    #[test]
    fn a_box_is_rounded_outwards_and_stays_in_the_crop() {
        let frame = frame(Rect { x: 10, y: 20, width: 100, height: 50 }, (224, 224));
        assert_eq!(frame.rect_to_displayed(0, 0, 224, 224), frame.crop);
        assert_eq!(frame.rect_to_displayed(1, 1, 3, 3), Rect { x: 10, y: 20, width: 2, height: 1 });
        assert_eq!(frame.rect_to_displayed(223, 223, 224, 224), Rect { x: 109, y: 69, width: 1, height: 1 });
        assert_eq!(
            frame.rect_to_displayed(112, 112, u32::MAX, u32::MAX),
            Rect { x: 60, y: 45, width: 50, height: 25 }
        );
        assert_eq!(frame.rect_to_displayed(300, 300, 200, 200).width, 0);
    }

    #[test]
    fn a_rectangle_beyond_all_numbers_is_not_within() {
        assert!(Rect::whole(4, 3).within(4, 3));
        assert!(!Rect { x: 1, y: 0, width: 4, height: 3 }.within(4, 3));
        assert!(!Rect { x: u32::MAX, y: 0, width: 2, height: 1 }.within(u32::MAX, 1));
        assert!(!Rect::whole(0, 3).within(4, 3));
    }
}
