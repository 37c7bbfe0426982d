//! Settings of the bounded search: each differs from the defaults in one thing, and is judged by what it costs and by what
//! RISE finds over it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use unmask_protocol::v1::{self, fill, method};

use crate::arms::Arm;
use crate::report::median;
use crate::row::{Row, Search};

/// "Method" of a row that judges a setting.
pub(crate) const SETTING: &str = "setting";
/// Masks of RISE: enough for a mean over many pictures.
const MASKS: u32 = 500;

/// All settings, in the order of the table.
pub(crate) fn settings() -> Vec<Arm> {
    let of = |change: &dyn Fn(&mut v1::AdversarialFill)| {
        let mut setting = v1::AdversarialFill::default();
        change(&mut setting);
        setting
    };
    let settings = [
        ("the defaults", of(&|_| {})),
        ("grid 16", of(&|s| s.grid = Some(16))),
        ("grid 32", of(&|s| s.grid = Some(32))),
        ("grid 48", of(&|s| s.grid = Some(48))),
        ("grid 128", of(&|s| s.grid = Some(128))),
        ("momentum 0", of(&|s| s.momentum = Some(0.0))),
        ("momentum 0.7", of(&|s| s.momentum = Some(0.7))),
        ("sigma 2", of(&|s| s.sigma = Some(2.0))),
        ("sigma 12", of(&|s| s.sigma = Some(12.0))),
        ("pairs 5", of(&|s| s.pairs = Some(5))),
        ("pairs 20", of(&|s| s.pairs = Some(20))),
        ("step 2", of(&|s| s.step = Some(2.0))),
        ("step 8", of(&|s| s.step = Some(8.0))),
        ("margin 0", of(&|s| s.margin = Some(0.0))),
        ("margin 1", of(&|s| s.margin = Some(1.0))),
        ("margin 4", of(&|s| s.margin = Some(4.0))),
    ];
    let rise = v1::Rise { masks: Some(MASKS), ..Default::default() };
    let message = v1::Method { kind: Some(method::Kind::Rise(rise)), preset: String::new() };
    let arm = |(name, setting)| Arm {
        method: SETTING,
        fill: name,
        message: message.clone(),
        over: Some(v1::Fill { kind: Some(fill::Kind::Adversarial(setting)) }),
    };
    settings.into_iter().map(arm).collect()
}

/// The table, from the rows that judge settings.
pub(crate) fn table(text: &mut String, rows: &[&Row]) {
    let _ = writeln!(
        text,
        "AUROC is that of RISE with {MASKS} masks over the sample: over all families, and over mouths and eyes alone.\n\n\
         | setting | fakes | flipped | median passes | mean passes | mean change of 255 | AUROC | mouth and eyes |\n\
         |---|---|---|---|---|---|---|---|"
    );
    let mut lines: BTreeMap<&str, Vec<(&Row, &Search)>> = BTreeMap::new();
    for (row, search) in rows.iter().filter_map(|row| Some((*row, row.search.as_ref()?))) {
        lines.entry(row.fill.as_str()).or_default().push((row, search));
    }
    let lines = settings().into_iter().filter_map(|arm| Some((arm.fill, lines.remove(arm.fill)?)));
    for (name, rows) in lines.collect::<Vec<_>>() {
        let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let of = |value: &dyn Fn(&Search) -> f64| rows.iter().map(|(_, s)| value(s)).collect::<Vec<_>>();
        let auroc = |local: bool| {
            let chosen =
                rows.iter().filter(|(r, _)| !local || ["mouth", "eyes"].contains(&r.family.as_str()));
            mean(chosen.filter_map(|(r, _)| r.auroc).collect())
        };
        let _ = writeln!(
            text,
            "| {name} | {} | {:.1} % | {:.0} | {:.0} | {:.1} | {:.3} | {:.3} |",
            rows.len(),
            100.0 * mean(of(&|s| f64::from(u8::from(s.flipped)))),
            median(of(&|s| s.passes as f64)).unwrap_or(0.0),
            mean(of(&|s| s.passes as f64)),
            mean(of(&|s| s.mean_change)),
            auroc(false),
            auroc(true),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unmask_tests::evalset::Item;

    #[test]
    fn every_setting_is_another_and_is_in_the_table() {
        let arms = settings();
        for (i, arm) in arms.iter().enumerate() {
            assert!(
                arms[..i].iter().all(|other| other.fill != arm.fill && other.over != arm.over),
                "{}",
                arm.fill
            );
        }
        let search = |flipped, passes| Search {
            flipped,
            passes,
            margin_before: 1.0,
            margin_after: -1.0,
            largest_change: 3.0,
            mean_change: 2.0,
        };
        let row = |family: &str, auroc, found| {
            let (id, family) = (format!("{family}-000"), family.to_owned());
            let item = Item { id, family, ..Item::default() };
            Row { auroc: Some(auroc), search: Some(found), ..Row::new(&item, SETTING, "grid 16", 1) }
        };
        let rows = [row("eyes", 0.9, search(true, 22)), row("swap", 0.5, search(false, 2000))];
        let mut text = String::new();
        table(&mut text, &rows.iter().collect::<Vec<_>>());
        assert!(text.contains("| grid 16 | 2 | 50.0 % | 1011 | 1011 | 2.0 | 0.700 | 0.900 |"), "{text}");
    }
}
