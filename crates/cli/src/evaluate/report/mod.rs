//! The summary as files: JSON, Markdown, and a page with plots. They hold no time and no cost, so that a run that was cut off
//! and went on gives the same bytes as an unbroken one.

mod html;
mod markdown;
mod plot;
mod table;

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value as Json;
use unmask_protocol::v1;

use table::Table;

/// What is reported.
pub(super) struct Report<'a> {
    pub(super) summary: &'a v1::DatasetSummary,
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
            "{} items, {} failed; model {}@{} sha256 {}; seed {}; {:.3} % intervals of {} resamples.",
            self.summary.items,
            self.summary.failed,
            model.name,
            model.version,
            model.sha256,
            self.summary.resolved.as_ref().map_or(0, |plan| plan.seed),
            100.0 * self.summary.confidence,
            self.summary.resamples
        )
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

    #[test]
    fn figures_of_one_stem_share_a_table() {
        let summary = summary();
        let failures = [("x".to_owned(), "a | b".to_owned())];
        let report = Report { summary: &summary, failures: &failures, passed_over: &["y".to_owned()] };
        let page = markdown::page(&report);
        assert!(page.contains("## adversarial_sufficiency: sufficiency_K (higher is better)"), "{page}");
        assert!(page.contains("| explanation | mouth 1 | mouth 2 | all 1 | all 2 |"), "{page}");
        assert!(page.contains("| `<lime>` | 0.250 [0.150, 0.350] |"), "{page}");
        assert!(page.contains("| `uniform` (control) |"), "{page}");
        assert!(page.contains("| x | a \\| b |") && page.contains("passed over: y"), "{page}");
    }

    #[test]
    fn names_of_others_do_no_harm_in_the_page() {
        let summary = summary();
        let failures = [("<script>".to_owned(), "\"&\"".to_owned())];
        let report = Report { summary: &summary, failures: &failures, passed_over: &[] };
        let page = html::page(&report);
        assert!(page.contains("&lt;lime&gt;") && !page.contains("<lime>"), "{page}");
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
        assert_eq!(page.matches("<svg").count(), 2, "a plot for each figure");
    }

    #[test]
    fn a_mean_that_is_missing_is_a_dash() {
        let none = v1::DatasetMean { mean: None, low: None, high: None, items: 0, ..mean("a", "b", "", 0.0) };
        let summary = v1::DatasetSummary { means: vec![none], ..Default::default() };
        let report = Report { summary: &summary, failures: &[], passed_over: &[] };
        assert!(markdown::page(&report).contains("| `a` | - |"));
        assert!(html::page(&report).contains("<td>-</td>"));
    }
}
