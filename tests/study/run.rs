//! Runs what is not there yet: the controls, the searches and the arms of one picture.

use std::time::Instant;

use anyhow::{Context as _, anyhow};
use unmask_explainer::metrics::controls;
use unmask_protocol::v1;
use unmask_server::Service;
use unmask_tests::{explain, image_fill, values};

use crate::arms::{Arm, searches};
use crate::row::{Row, Rows, Search};
use crate::settings::settings;
use unmask_tests::evalset::Item;

const SEED: u64 = 1;
/// Side of the pictures and of the detector's frame.
const SIDE: usize = 128;

/// A service, which model it has, and where the rows go.
pub(crate) struct Study<'a> {
    pub(crate) service: &'a Service,
    pub(crate) model: String,
    pub(crate) rows: Rows,
}

impl Study<'_> {
    /// Everything about one picture. The searches come first, so that no arm's seconds hold one.
    pub(crate) async fn picture(&mut self, item: &Item, arms: &[Arm]) -> anyhow::Result<()> {
        for (name, map, seed) in [
            ("centred Gaussian", controls::centre(SIDE, SIDE), SEED),
            ("uniform", controls::uniform(SIDE, SIDE), SEED),
            // A map of its own for each picture, so that their mean is that of many draws.
            ("random", controls::random(SIDE, SIDE, item.number), item.number),
        ] {
            let mut row = Row::new(item, name, "none", seed);
            if !self.rows.has(&row) {
                row.measure(&map.data, &item.mask);
                self.rows.push(row)?;
            }
        }
        for arm in searches().iter().chain(arms) {
            self.run(item, arm).await?;
        }
        Ok(())
    }

    /// The bounded search alone.
    pub(crate) async fn flip(&mut self, item: &Item) -> anyhow::Result<()> {
        for arm in searches().iter().filter(|arm| arm.fill == "adversarial") {
            self.run(item, arm).await?;
        }
        Ok(())
    }

    /// Every setting of the bounded search.
    pub(crate) async fn judge(&mut self, item: &Item) -> anyhow::Result<()> {
        for arm in settings() {
            self.run(item, &arm).await?;
        }
        Ok(())
    }

    /// Notes a fake that is passed over.
    pub(crate) fn pass_over(&mut self, item: &Item) -> anyhow::Result<()> {
        let row = Row { model: self.model.clone(), ..Row::new(item, crate::CALLED_REAL, "none", SEED) };
        if self.rows.has(&row) { Ok(()) } else { self.rows.push(row) }
    }

    async fn run(&mut self, item: &Item, arm: &Arm) -> anyhow::Result<()> {
        let (announced, model) = (arm.announced(), self.model.clone());
        let row = Row { announced, model, ..Row::new(item, arm.method, arm.fill, SEED) };
        if self.rows.has(&row) {
            return Ok(());
        }
        let fill = match &arm.over {
            None => Some(image_fill(item.original.clone())),
            // Left to the preset.
            Some(v1::Fill { kind: None }) => None,
            Some(fill) => Some(fill.clone()),
        };
        let request = v1::ExplainRequest {
            image: item.image.clone(),
            method: Some(arm.message.clone()),
            fill,
            seed: SEED,
            top_regions: Some(0),
            ..Default::default()
        };
        let started = Instant::now();
        let answer = explain(self.service, request).await.map_err(|e| anyhow!(e))?;
        let seconds = started.elapsed().as_secs_f64();
        let cost = answer.cost.unwrap_or_default();
        let search = answer.adversarial.map(|a| Search {
            flipped: a.flipped,
            passes: a.passes,
            margin_before: a.margin_before,
            margin_after: a.margin_after,
            largest_change: a.largest_change,
            mean_change: a.mean_change,
        });
        let paid = search.as_ref().map_or(0, |s| s.passes) - others(&cost);
        let mut row = Row { passes: cost.run - paid, seconds, paid: Some(paid), search, ..row };
        row.measure(&values(&answer.map.context("an answer without a map")?), &item.mask);
        self.rows.push(row)
    }
}

/// Passes of the search that an earlier request has paid for.
fn others(cost: &v1::Cost) -> u64 {
    let others = |s: &&v1::Saving| matches!(s.reason(), v1::SavingReason::Cached | v1::SavingReason::Shared);
    cost.saved.iter().filter(others).map(|s| s.passes).sum()
}
