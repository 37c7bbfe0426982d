//! AUROC against passes, as a picture that a browser and a page of Markdown can show.

use std::fmt::Write as _;

use super::page::Line;

/// Sizes in pixels.
const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 520.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 50.0;
/// Decades of passes.
const PASSES: [f64; 6] = [50.0, 100.0, 500.0, 1000.0, 5000.0, 20_000.0];

pub(super) fn plot(lines: &[Line]) -> String {
    let shown: Vec<(&Line, f64)> = lines
        .iter()
        .filter(|line| line.passes > 0.0)
        .filter_map(|line| Some((line, line.means[0]?)))
        .collect();
    let lowest = shown.iter().map(|(_, y)| *y).fold(1.0, f64::min);
    let (low, high) = ((lowest * 10.0).floor() / 10.0, 1.0);
    let (first, last) = (PASSES[0].ln(), PASSES[PASSES.len() - 1].ln());
    let x = |passes: f64| LEFT + (passes.ln() - first) / (last - first) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\" \
         font-size=\"12\" font-family=\"sans-serif\"><title>AUROC against forward passes</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for passes in PASSES {
        let x = x(passes);
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\" stroke=\"#ddd\"/><text x=\"{x:.1}\" y=\"{:.1}\" \
             text-anchor=\"middle\" fill=\"#555\">{passes}</text>",
            HEIGHT - BOTTOM,
            HEIGHT - BOTTOM + 18.0
        );
    }
    let steps = ((high - low) * 10.0).round() as usize;
    for value in (0..=steps).map(|step| low + step as f64 / 10.0) {
        let y = y(value);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" \
             text-anchor=\"end\" fill=\"#555\">{value:.1}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            y + 4.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"18\" font-weight=\"bold\">AUROC, mean over the families</text><text x=\"{:.1}\" y=\"{:.1}\" \
         text-anchor=\"middle\" fill=\"#555\">forward passes, search included</text>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 10.0
    );
    let mut labels: Vec<f64> = Vec::new();
    let mut ordered = shown;
    ordered.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (line, value) in ordered {
        let colour = match (line.is_preset(), line.is_paper()) {
            (true, _) => "#c0392b",
            (_, true) => "#1f5fa8",
            (false, false) => "#555",
        };
        let (x, y) = (x(line.passes), y(value));
        // Names stand in a column of their own, each below the last, and a thin line leads to the dot.
        let label = labels.last().map_or(y, |last| y.max(last + 14.0));
        labels.push(label);
        let edge = WIDTH - RIGHT;
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{label:.1}\" stroke=\"{colour}\" stroke-width=\"0.4\"/>\
             <circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
            edge + 8.0,
            edge + 12.0,
            label + 4.0,
            line.name.replace('&', "&amp;").replace('<', "&lt;")
        );
    }
    svg + "</svg>\n"
}
