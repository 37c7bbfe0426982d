//! A plot of one figure: for each explanation its mean over all items as a dot, with its interval as a line.

use std::fmt::Write as _;

use unmask_protocol::v1;

use super::html::escaped;

/// Sizes in pixels.
const WIDTH: f64 = 760.0;
const LEFT: f64 = 300.0;
const RIGHT: f64 = 40.0;
const LINE: f64 = 22.0;

pub(super) fn plot(figure: &str, means: &[&v1::DatasetMean]) -> String {
    let ends =
        means.iter().filter_map(|m| m.mean.map(|mean| (m.low.unwrap_or(mean), m.high.unwrap_or(mean))));
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), (a, b)| (l.min(a), h.max(b)));
    if low > high {
        return String::new();
    }
    let range = if high > low { high - low } else { 1.0 };
    let place = |value: f64| LEFT + (value - low) / range * (WIDTH - LEFT - RIGHT);
    let height = LINE * (means.len() as f64 + 2.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" font-size=\"12\" \
         font-family=\"sans-serif\"><title>{0}</title><text x=\"0\" y=\"14\" font-weight=\"bold\">{0}, all items</text>\n",
        escaped(figure)
    );
    for (i, mean) in means.iter().enumerate() {
        let y = LINE * (i as f64 + 1.5);
        let colour = if mean.control { "#999" } else { "#1f5fa8" };
        let _ = writeln!(
            svg,
            "<text x=\"0\" y=\"{:.0}\" fill=\"{colour}\">{}</text>",
            y + 4.0,
            escaped(&mean.name)
        );
        if let (Some(low), Some(high)) = (mean.low, mean.high) {
            let (from, to) = (place(low), place(high));
            let _ = writeln!(
                svg,
                "<line x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"{colour}\" stroke-width=\"2\"/>"
            );
        }
        if let Some(value) = mean.mean {
            let _ =
                writeln!(svg, "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>", place(value));
        }
    }
    let y = height - 6.0;
    for (value, anchor) in [(low, "start"), (high, "end")] {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#555\">{value:.3}</text>",
            place(value)
        );
    }
    svg + "</svg>\n"
}
