//! The summary as files: JSON, Markdown, and a page with plots. They hold no time and no cost, so that a run that was cut off
//! and went on gives the same bytes as an unbroken one.

mod curves;
mod html;
mod markdown;
mod plot;
mod table;

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value as Json;
use unmask_protocol::v1;

use table::Table;
pub(super) use table::three as three_decimals;

/// What is reported.
pub(super) struct Report<'a> {
    pub(super) summary: &'a v1::DatasetSummary,
    /// The metrics of the plan, each with its parameters.
    pub(super) metrics: &'a [String],
    /// What remakes it.
    pub(super) command: &'a str,
    /// Rows in the list's order; their curves are drawn.
    pub(super) rows: &'a [&'a v1::DatasetRow],
    /// Items that failed, with the reason.
    pub(super) failures: &'a [(String, String)],
    /// Items that were left out because the detector does not call them fake.
    pub(super) passed_over: &'a [String],
}

impl Report<'_> {
    /// Writes the files and gives their names.
    pub(super) fn write(&self, dir: &Path, json: &Json) -> anyhow::Result<Vec<String>> {
        let files = [
            ("summary.json", format!("{json:#}\n")),
            ("summary.md", markdown::page(self)),
            ("summary.html", html::page(self)),
        ];
        let mut names = Vec::new();
        for (name, text) in files {
            let path = dir.join(name);
            put(&path, &text)?;
            names.push(path.display().to_string());
        }
        Ok(names)
    }

    /// One line on what was evaluated.
    fn head(&self) -> String {
        let model = self.summary.model.clone().unwrap_or_default();
        format!(
            "{} items, {} failed; model {}@{} sha256 {}; seed {}; {} % intervals of {} resamples.",
            self.summary.items,
            self.summary.failed,
            model.name,
            model.version,
            model.sha256,
            self.summary.resolved.as_ref().map_or(0, |plan| plan.seed),
            (1000.0 * self.summary.confidence).round() / 10.0,
            self.summary.resamples
        )
    }

    /// How many items have been evaluated: `3 mouth, 2 eyes, 5 in all`.
    fn counts(&self) -> String {
        let families = table::families(&self.summary.means);
        let first = self.summary.means.iter().take(families.len());
        let count = |mean: &v1::DatasetMean| {
            let family = if mean.family.is_empty() { "in all" } else { &mean.family };
            format!("{} {family}", mean.items + mean.missing)
        };
        first.map(count).collect::<Vec<_>>().join(", ")
    }

    /// Why items failed, each reason with its items, in the order in which they come.
    fn reasons(&self) -> Vec<(&str, Vec<&str>)> {
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for (item, why) in self.failures {
            match reasons.iter_mut().find(|(reason, _)| reason == why) {
                Some((_, items)) => items.push(item),
                None => reasons.push((why, vec![item])),
            }
        }
        reasons
    }

    fn tables(&self) -> Vec<Table<'_>> {
        table::tables(&self.summary.means)
    }
}

/// Writes a file in one step, so that nobody sees half of it.
pub(super) fn put(path: &Path, text: &str) -> anyhow::Result<()> {
    let half = path.with_extension("part");
    let cannot = || format!("cannot write {}", path.display());
    std::fs::write(&half, text).with_context(cannot)?;
    std::fs::rename(&half, path).with_context(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(name: &str, figure: &str, family: &str, mean: f64) -> v1::DatasetMean {
        v1::DatasetMean {
            name: name.into(),
            metric_index: 0,
            control: name == "uniform",
            metric: "adversarial_sufficiency".into(),
            figure: figure.into(),
            better: v1::Better::Higher.into(),
            family: family.into(),
            items: 3,
            missing: 1,
            mean: Some(mean),
            low: Some(mean - 0.1),
            high: Some(mean + 0.1),
        }
    }

    fn summary() -> v1::DatasetSummary {
        let mut means = Vec::new();
        for name in ["<lime>", "uniform"] {
            for figure in ["sufficiency_1", "sufficiency_2"] {
                means.extend([mean(name, figure, "mouth", 0.25), mean(name, figure, "", 0.5)]);
            }
        }
        v1::DatasetSummary {
            items: 4,
            failed: 1,
            means,
            confidence: 0.95,
            resamples: 100,
            ..Default::default()
        }
    }

    fn report<'a>(summary: &'a v1::DatasetSummary, failures: &'a [(String, String)]) -> Report<'a> {
        Report { summary, metrics: &[], command: "unmask evaluate d", rows: &[], failures, passed_over: &[] }
    }

    #[test]
    fn figures_of_one_stem_share_a_table() {
        let summary = summary();
        let failures =
            [("x", "a | b"), ("y", "c"), ("z", "a | b")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let report = Report { passed_over: &["y".to_owned()], ..report(&summary, &failures) };
        let page = markdown::page(&report);
        assert!(
            page.contains("\nunmask evaluate d\n") && page.contains("Items: 4 mouth, 4 in all."),
            "{page}"
        );
        assert!(page.contains("## adversarial_sufficiency: sufficiency_K (higher is better)"), "{page}");
        assert!(page.contains("| explanation | mouth 1 | mouth 2 | all 1 | all 2 |"), "{page}");
        // As good as the control is no better.
        assert!(page.contains("| `<lime>` | 0.250 [0.150, 0.350] (n = 3) † |"), "{page}");
        assert!(page.contains("| `uniform` (control) |"), "{page}");
        assert!(
            page.contains("| a \\| b | 2 | x, z |\n| c | 1 | y |") && page.contains("passed over (1): y"),
            "{page}"
        );
    }

    #[test]
    fn metrics_that_differ_in_parameters_alone_have_tables_of_their_own() {
        let mut means = Vec::new();
        for name in ["lime", "uniform"] {
            for (metric_index, (figures, value)) in (0..).zip([(1, 0.1), (1, 0.2), (2, 0.3)]) {
                for k in 1..=figures {
                    let of = |family| {
                        let figure = format!("sufficiency_{k}");
                        v1::DatasetMean { metric_index, ..mean(name, &figure, family, value) }
                    };
                    means.extend([of("mouth"), of("")]);
                }
            }
        }
        let summary = v1::DatasetSummary { means, ..Default::default() };
        let metrics = ["a:x=1", "a:x=2", "a:x=3"].map(|m| m.replace('a', "adversarial_sufficiency"));
        let page = markdown::page(&Report { metrics: &metrics, ..report(&summary, &[]) });
        let expected = "\n## adversarial_sufficiency:x=1: sufficiency_K (higher is better)\n\n\
                        | explanation | mouth 1 | all 1 |\n|---|---|---|\n\
                        | `lime` | 0.100 [0.000, 0.200] (n = 3) † | 0.100 [0.000, 0.200] (n = 3) † |\n\
                        | `uniform` (control) | 0.100 [0.000, 0.200] (n = 3) | 0.100 [0.000, 0.200] (n = 3) |\n\
                        \n## adversarial_sufficiency:x=2: sufficiency_K (higher is better)\n\n\
                        | explanation | mouth 1 | all 1 |\n|---|---|---|\n\
                        | `lime` | 0.200 [0.100, 0.300] (n = 3) † |";
        assert!(page.contains(expected), "{page}");
        assert!(
            page.contains("x=3: sufficiency_K (higher is better)\n\n| explanation | mouth 1 | mouth 2 |"),
            "{page}"
        );
    }

    #[test]
    fn only_an_explanation_that_beats_every_control_is_left_unmarked() {
        let marked = |own: f64, better: v1::Better| {
            let of =
                |name: &str, value| v1::DatasetMean { better: better.into(), ..mean(name, "b", "", value) };
            let means = vec![of("lime", own), of("uniform", 0.5)];
            let summary = v1::DatasetSummary { means, ..Default::default() };
            let page = markdown::page(&report(&summary, &[]));
            let html = html::page(&report(&summary, &[]));
            assert_eq!(page.matches(" † |").count(), html.matches(" †</td>").count());
            page.contains(" † |")
        };
        let (higher, lower) = (v1::Better::Higher, v1::Better::Lower);
        assert!(marked(0.4, higher) && marked(0.5, higher) && !marked(0.6, higher));
        assert!(!marked(0.4, lower) && marked(0.5, lower) && marked(0.6, lower));
        assert!(!marked(0.4, v1::Better::Neither));
    }

    #[test]
    fn names_of_others_do_no_harm_in_markdown() {
        let summary = summary();
        let name = "![x](http://a/x.png) [y](javascript:z)\r# w".to_owned();
        let failures = [(name.clone(), "<b>".to_owned())];
        let command = "unmask evaluate 'd\n```\n# e'";
        let own = report(&summary, &failures);
        let page = markdown::page(&Report { passed_over: &[name], command, ..own });
        assert!(page.starts_with("# How far the explanations can be trusted\n\n````sh\nunmask"), "{page}");
        let below = page.split("````\n").last().unwrap();
        assert!(!below.contains("![") && !below.contains(" [y]") && !below.contains('\r'), "{below}");
        assert!(below.contains("!\\[x\\](http://a/x.png) \\[y\\](javascript:z) # w"), "{below}");
    }

    #[test]
    fn names_of_others_do_no_harm_in_the_page() {
        let summary = summary();
        let failures = [("<script>".to_owned(), "\"&\"".to_owned())];
        let page = html::page(&report(&summary, &failures));
        assert!(page.contains("&lt;lime&gt;") && !page.contains("<lime>"), "{page}");
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
        assert_eq!(page.matches("<svg").count(), 2, "a plot for each figure");
    }

    #[test]
    fn a_mean_that_is_missing_is_a_dash() {
        let none = v1::DatasetMean { mean: None, low: None, high: None, items: 0, ..mean("a", "b", "", 0.0) };
        let summary = v1::DatasetSummary { means: vec![none], ..Default::default() };
        let report = report(&summary, &[]);
        assert!(markdown::page(&report).contains("| `a` | - |"));
        assert!(html::page(&report).contains("<td>-</td>"));
    }
}
