//! The strip below a drawing: what the colours mean, how large the values are.

use std::convert::Infallible;

use embedded_graphics::Drawable;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle, iso_8859_1 as fonts};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};
use image::{Rgb, RgbImage};

use super::palette::Palette;
use super::{Scale, Scene};

/// The narrowest strip: 30 letters of the smallest font. Narrower drawings get a white margin on their right.
const NARROWEST: u32 = 200;
/// Lines of text that the caller's legend may take before it is shortened.
const LINES: usize = 4;
const PAPER: Rgb<u8> = Rgb([255; 3]);
const INK: Rgb<u8> = Rgb([34; 3]);

/// The drawing with its legend; `unseen` explains the part outside the crop, where there is one.
pub(super) fn attach(drawing: RgbImage, scene: &Scene<'_>, scale: Scale, unseen: &str) -> RgbImage {
    let width = drawing.width().max(NARROWEST);
    let (font, pad) = match width {
        ..360 => (&fonts::FONT_6X10, 8),
        360..720 => (&fonts::FONT_8X13, 10),
        _ => (&fonts::FONT_9X15, 12),
    };
    let letters = ((width - 2 * pad) / font.character_size.width) as usize;
    let mut title = wrap(scene.legend, letters, LINES);
    if scale.is_flat() {
        title.extend(wrap("flat: the map is the same everywhere", letters, LINES));
    }
    let (model, displayed) = (scene.frame.crop, scene.frame.displayed);
    let part = (model.width, model.height) != displayed;
    let notes = if part { wrap(unseen, letters, LINES) } else { Vec::new() };

    let line = font.character_size.height + 3;
    let bar = if scale.is_flat() { 0 } else { font.character_size.height + TICK + line };
    let height = 2 * pad + line * (title.len() + notes.len()) as u32 + bar;
    let mut strip = Strip::below(drawing, width, height, font, pad);
    title.iter().for_each(|text| strip.text(text, Alignment::Left));
    if !scale.is_flat() {
        strip.bar(scale);
    }
    notes.iter().for_each(|text| strip.text(text, Alignment::Left));
    strip.image
}

/// Length of the marks under the bar.
const TICK: u32 = 4;

struct Strip<'a> {
    image: RgbImage,
    font: &'a MonoFont<'static>,
    pad: u32,
    /// Where the next line goes.
    y: u32,
}

impl<'a> Strip<'a> {
    fn below(drawing: RgbImage, width: u32, height: u32, font: &'a MonoFont<'static>, pad: u32) -> Self {
        let y = drawing.height() + pad;
        let mut image = RgbImage::from_pixel(width, drawing.height() + height, PAPER);
        image::imageops::replace(&mut image, &drawing, 0, 0);
        Self { image, font, pad, y }
    }

    fn text(&mut self, text: &str, alignment: Alignment) {
        self.words(text, alignment);
        self.y += self.font.character_size.height + 3;
    }

    fn words(&mut self, text: &str, alignment: Alignment) {
        let x = match alignment {
            Alignment::Left => self.pad,
            Alignment::Center => self.image.width() / 2,
            Alignment::Right => self.image.width() - self.pad,
        };
        let ink = Rgb888::new(INK[0], INK[1], INK[2]);
        let place = Point::new(x as i32, self.y as i32);
        let style = TextStyleBuilder::new().alignment(alignment).baseline(Baseline::Top).build();
        let letters = MonoTextStyle::new(self.font, ink);
        let Ok(_) = Text::with_text_style(text, place, letters, style).draw(&mut Canvas(&mut self.image));
    }

    /// The colours from one end of the scale to the other, with marks and values below.
    fn bar(&mut self, scale: Scale) {
        let palette = Palette::new();
        let (first, last) = (self.pad, self.image.width() - self.pad - 1);
        let thickness = self.font.character_size.height;
        for x in first..=last {
            let part = f64::from(x - first) / f64::from(last - first);
            let colour = Rgb(palette.colour(scale.along(part)));
            (0..thickness).for_each(|y| self.image[(x, self.y + y)] = colour);
        }
        for x in [first, (first + last) / 2, last] {
            (0..TICK).for_each(|y| self.image[(x, self.y + thickness + y)] = INK);
        }
        self.y += thickness + TICK + 1;
        self.words(&signed(scale.low), Alignment::Left);
        self.words(&signed((scale.low + scale.high) / 2.0), Alignment::Center);
        self.text(&signed(scale.high), Alignment::Right);
    }
}

/// A number with its sign; 0 has none.
fn signed(value: f64) -> String {
    match value.partial_cmp(&0.0) {
        Some(std::cmp::Ordering::Less) => format!("-{}", figure(-value)),
        Some(std::cmp::Ordering::Greater) => format!("+{}", figure(value)),
        Some(std::cmp::Ordering::Equal) | None => "0".to_owned(),
    }
}

/// Three figures of a positive number.
fn figure(value: f64) -> String {
    if !(1e-3..1e4).contains(&value) {
        return format!("{value:.1e}");
    }
    let decimals = (2.0 - value.log10().floor()).clamp(0.0, 5.0) as usize;
    format!("{value:.decimals$}")
}

/// Breaks text between words into lines of at most `letters`, a longer word within; what exceeds `lines` is
/// shortened to three dots.
fn wrap(text: &str, letters: usize, lines: usize) -> Vec<String> {
    let mut wrapped: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        match wrapped.last_mut() {
            Some(line) if line.chars().count() + 1 + word.len() <= letters => {
                line.push(' ');
                line.extend(word);
                continue;
            }
            _ => {}
        }
        while word.len() > letters {
            wrapped.push(word.drain(..letters).collect());
        }
        wrapped.push(word.into_iter().collect());
    }
    if wrapped.len() > lines {
        wrapped.truncate(lines);
        if let Some(last) = wrapped.last_mut() {
            *last = last.chars().take(letters.saturating_sub(3)).chain("...".chars()).collect();
        }
    }
    wrapped
}

/// Lets text be drawn on an image; what falls outside is left out.
struct Canvas<'a>(&'a mut RgbImage);

impl OriginDimensions for Canvas<'_> {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Canvas<'_> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(point, colour) in pixels {
            if let (Ok(x), Ok(y)) = (u32::try_from(point.x), u32::try_from(point.y))
                && let Some(pixel) = self.0.get_pixel_mut_checked(x, y)
            {
                *pixel = Rgb([colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use unmask_core::{Map, Reading};

    use super::*;
    use crate::image::{Frame, Rect};

    fn strip(width: u32, legend: &str, values: Vec<f32>, crop: Rect) -> RgbImage {
        let map = Map { height: 1, width: values.len(), data: values };
        let frame = Frame { crop, displayed: (width, 10), orientation: 1, model: (1, 1) };
        let scene = Scene { map: &map, reading: Reading::Evidence, frame: &frame, legend };
        let scale = Scale::new(&map, Reading::Evidence);
        attach(RgbImage::new(width, 10), &scene, scale, "dimmed: not seen by the model")
    }

    #[test]
    fn numbers_have_three_figures() {
        let shown =
            [0.0012345, 0.5, 1.0, 1.2345, 12.345, 123.45, 1234.5, 12345.0, 0.0001, 1e-45, 3.4e38].map(figure);
        assert_eq!(
            shown,
            [
                "0.00123", "0.500", "1.00", "1.23", "12.3", "123", "1234", "1.2e4", "1.0e-4", "1.0e-45",
                "3.4e38"
            ]
        );
    }

    #[test]
    fn numbers_have_a_sign_and_zero_has_none() {
        assert_eq!([-1.5, 0.0, -0.0, 0.25].map(signed), ["-1.50", "0", "0", "+0.250"]);
    }

    #[test]
    fn text_breaks_between_words_and_long_words_break_within() {
        assert_eq!(wrap("evidence for mouth (log-odds)", 12, 4), ["evidence for", "mouth", "(log-odds)"]);
        assert_eq!(wrap("a  b\nc", 20, 4), ["a b c"]);
        assert_eq!(wrap("abcdefghij", 4, 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("one two three four", 5, 2), ["one", "tw..."]);
        assert_eq!(wrap("", 5, 2), Vec::<String>::new());
    }

    #[test]
    fn nothing_is_written_into_the_margin() {
        let legend = "a legend of many words that takes several lines in a narrow strip and ends in a_very_long_word_indeed";
        for width in [10, 200, 360, 720, 1024] {
            let image = strip(width, legend, vec![1.0], Rect { x: 0, y: 0, width: 5, height: 5 });
            let (right, bottom) = (image.width(), image.height());
            assert_eq!(right, width.max(NARROWEST));
            let blank = |x, y| image[(x, y)] == PAPER;
            assert!((10..bottom).all(|y| (0..8).all(|i| blank(i, y) && blank(right - 1 - i, y))));
            assert!((0..right).all(|x| (1..8).all(|i| blank(x, bottom - i))));
        }
    }

    #[test]
    fn a_flat_map_says_so_instead_of_showing_a_bar() {
        let image = strip(300, "evidence", vec![0.0], Rect::whole(300, 10));
        assert!(image.rows().skip(10).flatten().all(|p| p[0] == p[1] && p[1] == p[2]));
        let sloped = strip(300, "evidence", vec![0.1], Rect::whole(300, 10));
        assert!(sloped.rows().skip(10).flatten().any(|p| p[0] != p[2]));
    }

    #[test]
    fn the_dimmed_part_is_explained_only_where_there_is_one() {
        let whole = strip(300, "evidence", vec![1.0], Rect::whole(300, 10));
        let part = strip(300, "evidence", vec![1.0], Rect { x: 5, y: 5, width: 5, height: 5 });
        assert_eq!(part.height(), whole.height() + 13);
    }
}
