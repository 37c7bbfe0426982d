//! Pictures of a page. The file of the user and each heat map stand in it once, and are shown from there as often as needed.

use maud::{Markup, html};
use unmask_protocol::v1;

use super::{address, words};
use crate::report::Picture;

/// A picture that is shown: its file, and its size as displayed.
pub(super) struct Shown<'a> {
    id: String,
    name: &'a str,
    file: &'a [u8],
    kind: &'static str,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// A rectangle on a picture, in pixels as displayed.
pub(super) struct Mark {
    pub(super) rect: [f64; 4],
    pub(super) label: String,
}

impl Mark {
    pub(super) fn of_box(label: String, b: v1::Box) -> Self {
        Self { rect: [b.x, b.y, b.width, b.height].map(f64::from), label }
    }
}

impl<'a> Shown<'a> {
    /// Nothing where no answer tells of the picture: then nobody has read it as one.
    pub(super) fn new(i: usize, picture: &'a Picture) -> Option<Self> {
        let found = picture.found.as_ref().map(|found| (found.displayed_width, found.displayed_height));
        let answered = picture.subjects.iter().filter_map(|subject| subject.explained.as_ref().ok());
        let mapped =
            answered.filter_map(|answer| answer.transform).map(|t| (t.displayed_width, t.displayed_height));
        let (width, height) = found.into_iter().chain(mapped).find(|(width, height)| width * height > 0)?;
        let kind = kind(&picture.file)?;
        Some(Self {
            id: format!("file-{}", i + 1),
            name: &picture.name,
            file: &picture.file,
            kind,
            width,
            height,
        })
    }

    /// The file, to be shown elsewhere in the page.
    pub(super) fn store(&self) -> Markup {
        store(html! {
            image id=(self.id) href=(address(self.kind, self.file)) width=(self.width) height=(self.height) preserveAspectRatio="none" {}
        })
    }

    fn whole(&self) -> v1::Box {
        v1::Box { x: 0, y: 0, width: self.width, height: self.height }
    }
}

/// What is shown elsewhere in the page.
fn store(defined: Markup) -> Markup {
    html! { svg.store width="0" height="0" aria-hidden="true" { defs { (defined) } } }
}

/// The media type of a file by how it begins; those that a server reads.
fn kind(file: &[u8]) -> Option<&'static str> {
    match file {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// The picture as displayed, with its faces.
pub(super) fn whole(shown: &Shown<'_>, picture: &Picture) -> Markup {
    let faces = picture.found.as_ref().map_or(&[][..], |found| &found.faces);
    let marks: Vec<_> = faces
        .iter()
        .zip(1..)
        .map(|(f, number)| Mark {
            rect: [f.left, f.top, f.right - f.left, f.bottom - f.top],
            label: number.to_string(),
        })
        .collect();
    let count = match faces.len() {
        0 => "no face marked".to_owned(),
        1 => "1 face marked".to_owned(),
        n => format!("{n} faces marked"),
    };
    let (width, height) = (shown.width, shown.height);
    let alt = format!("The picture {}, {width} by {height} pixels, {count}", shown.name);
    html! {
        figure.whole {
            (frame(shown.whole(), &alt, html! { use href=(format!("#{}", shown.id)) {} (outlines(shown.whole(), &marks)) }))
            figcaption { (width) " \u{d7} " (height) " pixels as displayed, " (count) "." }
        }
    }
}

/// What is shown inside a part of the picture, and nothing beside it, whatever the shape of the place on the page.
fn frame(part: v1::Box, alt: &str, content: Markup) -> Markup {
    let v1::Box { x, y, width, height } = part;
    let view = format!("{x} {y} {width} {height}");
    html! {
        svg.frame role="img" aria-label=(alt) viewBox=(view) width=(width) height=(height) preserveAspectRatio="xMinYMin" {
            svg x=(x) y=(y) width=(width) height=(height) viewBox=(view) { (content) }
        }
    }
}

/// Rectangles with their labels, as large on the page whatever the part's size.
fn outlines(part: v1::Box, marks: &[Mark]) -> Markup {
    let size = f64::from(part.width.max(part.height)) / 22.0;
    html! {
        @for Mark { rect: [x, y, width, height], label } in marks {
            @for class in ["under", "over"] {
                rect class=(class) x=(x) y=(y) width=(width) height=(height) {}
            }
            text x=(x + size * 0.25) y=(y + size) font-size=(size) stroke-width=(size * 0.2) { (label) }
        }
    }
}

/// A heat map in the frame of its picture, and what it tells.
pub(super) struct Heat<'a> {
    pub(super) shown: &'a Shown<'a>,
    /// What tells it from all others of the page, such as `1-2`.
    pub(super) id: &'a str,
    pub(super) png: &'a [u8],
    /// What the model saw.
    pub(super) crop: v1::Box,
    pub(super) reading: v1::Reading,
    pub(super) target: &'a str,
    /// What stands out.
    pub(super) marks: &'a [Mark],
    /// The same in words.
    pub(super) told: &'a str,
}

/// The part that the model saw, as it is and under the map.
pub(super) fn pair(heat: &Heat<'_>) -> Markup {
    let Heat { shown, id, crop, .. } = *heat;
    let (layer, map, picture) = (format!("layer-{id}"), format!("heat-{id}"), format!("#{}", shown.id));
    let Some((width, height)) = png_size(heat.png) else { return html! {} };
    // The map's picture comes at a size of its own, with the legend below it.
    let drawn = drawn_size((shown.width, shown.height));
    let scale = [(shown.width, drawn.0), (shown.height, drawn.1)]
        .map(|(own, drawn)| f64::from(own) / f64::from(drawn));
    let outlined =
        if heat.marks.is_empty() { "" } else { "Outlined: what stands out, numbered as in the table below." };
    let what = words::reading(heat.reading);
    let alt = format!(
        "What the model saw of {}: {} by {} pixels at ({}, {})",
        shown.name, crop.width, crop.height, crop.x, crop.y
    );
    html! {
        (store(html! { image id=(map) href=(address("image/png", heat.png)) width=(width) height=(height) {} }))
        div.pair {
            figure {
                (frame(crop, &alt, html! { use href=(picture) {} (outlines(crop, heat.marks)) }))
                figcaption { "What the model saw. " (outlined) }
            }
            figure {
                (frame(crop, &format!("The same under the map of {what}. {}", heat.told), html! {
                    use href=(picture) {}
                    g.layer id=(layer) {
                        use href=(picture) filter="url(#pale)" {}
                        use.map href=(format!("#{map}")) transform=(format!("scale({} {})", scale[0], scale[1])) {}
                    }
                }))
                // Without a script the map is shown as it is.
                div.fade hidden {
                    label for=(format!("fade-{id}")) { "Opacity of the map" }
                    input type="range" id=(format!("fade-{id}")) min="0" max="100" step="5" value="100" data-layer=(layer);
                    output for=(format!("fade-{id}")) { "100 %" }
                }
                figcaption {
                    @match heat.reading {
                        v1::Reading::Importance => {
                            "Warm: matters most to what the model says of " (heat.target) ", in either direction. Grey: matters least."
                        }
                        v1::Reading::Evidence | v1::Reading::Unspecified => {
                            "Warm: speaks for " (heat.target) ". Cool: speaks against it. Grey: neither."
                        }
                    }
                }
            }
        }
        @let below = height.saturating_sub(drawn.1);
        div.scroll tabindex="0" role="group" aria-label="Legend" {
            svg.legend role="img" aria-label="Legend of the map: its colours with their values" width=(width) height=(below)
                viewBox=(format!("0 {} {width} {below}", drawn.1)) { use href=(format!("#{map}")) {} }
        }
    }
}

/// Takes the colour from a photograph, and its dark parts up, so that a map can be seen on it.
pub(super) fn pale() -> Markup {
    store(html! {
        filter id="pale" color-interpolation-filters="sRGB" x="0" y="0" width="1" height="1" {
            feColorMatrix type="saturate" values="0.1" {}
            feComponentTransfer {
                feFuncR type="linear" slope="0.62" intercept="0.42" {}
                feFuncG type="linear" slope="0.62" intercept="0.42" {}
                feFuncB type="linear" slope="0.62" intercept="0.42" {}
            }
        }
    })
}

/// Width and height of a PNG by its header.
pub(super) fn png_size(png: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| Some(u32::from_be_bytes(png.get(at..at + 4)?.try_into().ok()?));
    Some((number(16)?, number(20)?))
}

/// The size of the picture in a heat map: its longest side is brought to 512 to 1024 pixels.
fn drawn_size((width, height): (u32, u32)) -> (u32, u32) {
    let longest = width.max(height).max(1);
    let ratio = f64::from(longest.clamp(512, 1024)) / f64::from(longest);
    let side = |side: u32| ((f64::from(side) * ratio).round() as u32).max(1);
    (side(width), side(height))
}
