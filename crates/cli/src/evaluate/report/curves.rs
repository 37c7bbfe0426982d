//! Mean curves: what is behind an area, over all items.
//!
//! Curves of one metric and name are brought to a common grid by linear interpolation, where all of them are, and averaged.

use std::fmt::Write as _;

use unmask_protocol::v1::{self, dataset_row};

use super::html::escaped;
use super::table::three;

/// Points of the common grid.
const POINTS: usize = 101;
/// Sizes in pixels.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 28.0;
const LINE: f64 = 18.0;
/// Colours of explanations, and dashes where there are more; controls are grey and dashed.
const COLOURS: [&str; 8] =
    ["#1f5fa8", "#c2410c", "#15803d", "#7e22ce", "#b91c1c", "#0e7490", "#a16207", "#be185d"];
const DASHES: [&str; 4] = ["", "6 3", "2 3", "8 3 2 3"];

/// The mean curves of one name of one metric.
pub(super) struct Curves<'a> {
    /// Place of the metric in the plan.
    metric: usize,
    name: &'a str,
    lines: Vec<Line<'a>>,
}

/// The curves of an explanation.
struct Line<'a> {
    name: &'a str,
    control: bool,
    curves: Vec<&'a v1::Curve>,
}

/// The curves of all items, by metric and name, in the order in which they come.
pub(super) fn curves<'a>(rows: &[&'a v1::DatasetRow]) -> Vec<Curves<'a>> {
    let mut all: Vec<Curves<'a>> = Vec::new();
    for row in rows {
        let Some(dataset_row::Kind::Answer(answer)) = &row.kind else { continue };
        for evaluated in &answer.evaluated {
            for (metric, result) in evaluated.results.iter().enumerate() {
                for curve in result.curves.iter().filter(|curve| is_sound(curve)) {
                    let own = at(
                        &mut all,
                        |c| c.metric == metric && c.name == curve.name,
                        || Curves { metric, name: &curve.name, lines: Vec::new() },
                    );
                    let line = at(
                        &mut own.lines,
                        |line| line.name == evaluated.name,
                        || Line { name: &evaluated.name, control: evaluated.control, curves: Vec::new() },
                    );
                    line.curves.push(curve);
                }
            }
        }
    }
    all.sort_by_key(|curves| curves.metric);
    all
}

/// The one that fits, put at the end where there is none yet.
fn at<T>(all: &mut Vec<T>, fits: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> &mut T {
    let place = all.iter().position(fits).unwrap_or_else(|| {
        all.push(make());
        all.len() - 1
    });
    &mut all[place]
}

/// Whether a curve can be read anywhere between its ends.
fn is_sound(curve: &v1::Curve) -> bool {
    let finite = curve.x.iter().chain(&curve.y).all(|value| value.is_finite());
    finite && curve.x.len() == curve.y.len() && curve.x.len() > 1 && curve.x.is_sorted()
}

impl Curves<'_> {
    /// Where all curves are.
    fn support(&self) -> Option<(f64, f64)> {
        let curves = self.lines.iter().flat_map(|line| &line.curves);
        let ends = curves.map(|curve| (curve.x[0], curve.x[curve.x.len() - 1]));
        let (low, high) =
            ends.fold((f64::NEG_INFINITY, f64::INFINITY), |(l, h), (a, b)| (l.max(a), h.min(b)));
        (low < high && low.is_finite() && high.is_finite()).then_some((low, high))
    }

    /// The picture; empty where the curves have nowhere in common.
    pub(super) fn svg(&self, metrics: &[String]) -> String {
        let Some((from, to)) = self.support() else { return String::new() };
        let grid: Vec<f64> =
            (0..POINTS).map(|i| from + (to - from) * i as f64 / (POINTS - 1) as f64).collect();
        let means: Vec<Vec<f64>> = self.lines.iter().map(|line| line.mean(&grid)).collect();
        let (low, high) = means
            .iter()
            .flatten()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), value| (l.min(*value), h.max(*value)));
        let range = if high > low { high - low } else { 1.0 };
        let across = |x: f64| LEFT + (x - from) / (to - from) * (WIDTH - LEFT - 10.0);
        let up = |y: f64| TOP + (high - y) / range * (HEIGHT - TOP - 40.0);
        let metric = metrics.get(self.metric).map_or("", String::as_str);
        let is_its_own = metric.split(':').next() == Some(self.name);
        let title = if is_its_own { metric.to_owned() } else { format!("{metric}: {}", self.name) };
        let height = HEIGHT + LINE * self.lines.len() as f64;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" font-size=\"12\" \
             font-family=\"sans-serif\"><title>{0}</title><text x=\"0\" y=\"14\" font-weight=\"bold\">{0}, mean of all items</text>\n",
            escaped(&title)
        );
        let (bottom, right) = (up(high - range), across(to));
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {TOP}V{bottom:.1}H{right:.1}\" fill=\"none\" stroke=\"#999\"/>\
             <text x=\"{0:.1}\" y=\"{1:.1}\" text-anchor=\"end\" fill=\"#555\">{2}</text>\
             <text x=\"{0:.1}\" y=\"{bottom:.1}\" text-anchor=\"end\" fill=\"#555\">{3}</text>\
             <text x=\"{LEFT}\" y=\"{4:.1}\" fill=\"#555\">{5}</text>\
             <text x=\"{right:.1}\" y=\"{4:.1}\" text-anchor=\"end\" fill=\"#555\">{6} of the pixels</text>",
            LEFT - 6.0,
            TOP + 10.0,
            three(high),
            three(high - range),
            bottom + 16.0,
            three(from),
            three(to),
        );
        let mut counts = [0, 0];
        for (i, (line, mean)) in self.lines.iter().zip(&means).enumerate() {
            let own = counts[usize::from(line.control)];
            counts[usize::from(line.control)] += 1;
            let (colour, dash) = match line.control {
                true => ("#888", DASHES[1 + own % 3]),
                false => (COLOURS[own % COLOURS.len()], DASHES[own / COLOURS.len() % DASHES.len()]),
            };
            let points: Vec<String> =
                grid.iter().zip(mean).map(|(x, y)| format!("{:.1},{:.1}", across(*x), up(*y))).collect();
            let y = HEIGHT + LINE * (i as f64 + 0.5);
            let style =
                format!("stroke=\"{colour}\" stroke-dasharray=\"{dash}\" stroke-width=\"2\" fill=\"none\"");
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" {style}/><path d=\"M{LEFT} {:.1}h30\" {style}/><text x=\"{}\" y=\"{y:.1}\">{}</text>",
                points.join(" "),
                y - 4.0,
                LEFT + 38.0,
                escaped(line.name)
            );
        }
        svg + "</svg>\n"
    }
}

impl Line<'_> {
    fn mean(&self, grid: &[f64]) -> Vec<f64> {
        let sum = |x: &f64| self.curves.iter().map(|curve| read(curve, *x)).sum::<f64>();
        grid.iter().map(|x| sum(x) / self.curves.len() as f64).collect()
    }
}

/// The curve at `x`, linear between its points.
fn read(curve: &v1::Curve, x: f64) -> f64 {
    let after = curve.x.partition_point(|at| *at < x).clamp(1, curve.x.len() - 1);
    let (a, b) = (curve.x[after - 1], curve.x[after]);
    let share = if b > a { ((x - a) / (b - a)).clamp(0.0, 1.0) } else { 1.0 };
    curve.y[after - 1] + share * (curve.y[after] - curve.y[after - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(curves: &[(&str, &[f64], &[f64])]) -> v1::DatasetRow {
        let curve =
            |(_, x, y): &(&str, &[f64], &[f64])| v1::Curve { name: "c".into(), x: x.to_vec(), y: y.to_vec() };
        let evaluated = curves.iter().map(|own| v1::Evaluated {
            name: own.0.into(),
            control: own.0 == "uniform",
            results: vec![
                v1::Result::default(),
                v1::Result { curves: vec![curve(own)], ..Default::default() },
            ],
            ..Default::default()
        });
        let answer = v1::EvaluateResponse { evaluated: evaluated.collect(), ..Default::default() };
        v1::DatasetRow { kind: Some(dataset_row::Kind::Answer(answer)), ..Default::default() }
    }

    #[test]
    fn the_mean_is_taken_where_all_curves_are_whatever_their_points() {
        let rows = [
            row(&[("<a>", &[0.0, 1.0], &[0.0, 1.0]), ("uniform", &[0.0, 1.0], &[2.0, 2.0])]),
            row(&[("<a>", &[0.0, 0.25, 0.5], &[1.0, 0.0, 1.0]), ("uniform", &[0.0, 1.0], &[4.0, 4.0])]),
            row(&[("<a>", &[0.0], &[9.0])]),
            row(&[("<a>", &[0.0, 1.0], &[f64::NAN, 9.0])]),
        ];
        let rows: Vec<_> = rows.iter().collect();
        let all = curves(&rows);
        assert_eq!((all.len(), all[0].metric, all[0].support()), (1, 1, Some((0.0, 0.5))));
        assert_eq!(all[0].lines[0].mean(&[0.0, 0.125, 0.25, 0.5]), [0.5, 0.3125, 0.125, 0.75]);
        assert_eq!(all[0].lines[1].mean(&[0.0, 0.5]), [3.0, 3.0]);
        let svg = all[0].svg(&["auroc".to_owned(), "deletion".to_owned()]);
        assert!(
            svg.contains("deletion: c, mean") && svg.contains("&lt;a&gt;") && !svg.contains("<a>"),
            "{svg}"
        );
        assert!(svg.matches("<polyline").count() == 2 && !svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn curves_without_a_place_in_common_are_not_drawn() {
        let rows = [row(&[("a", &[0.0, 0.4], &[1.0, 1.0])]), row(&[("a", &[0.5, 1.0], &[1.0, 1.0])])];
        let rows: Vec<_> = rows.iter().collect();
        assert_eq!(curves(&rows)[0].svg(&[]), "");
        assert!(curves(&[]).is_empty());
    }
}
