//! Which model answers, and which items of the list are evaluated.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use tonic::Code;
use unmask_protocol::v1;

use super::items::Item;
use crate::args::Evaluate;
use crate::client::{Client, Refused};

/// The model that the plan means.
pub(super) async fn model(client: &Client, wanted: Option<v1::ModelSelector>) -> anyhow::Result<v1::Model> {
    let model = client.model(wanted).await?;
    ensure!(model.state() != v1::ModelState::Refused, "the model is refused: {}", model.reason);
    Ok(model)
}

/// Gives each item its label where its family says it, leaves out what the detector does not call fake, where that was asked
/// for, and what is over the number of a family. Gives the names of those that were passed over.
pub(super) async fn select(
    client: &Client,
    args: &Evaluate,
    wanted: Option<&v1::ModelSelector>,
    model: &v1::Model,
    list: &mut Vec<Item>,
) -> anyhow::Result<Vec<String>> {
    let (mut kept, mut passed_over) = (Vec::new(), Vec::new());
    let mut taken: BTreeMap<String, u32> = BTreeMap::new();
    let bar = ProgressBar::new(list.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} items looked at, {eta} left")?);
    for mut item in std::mem::take(list) {
        bar.inc(1);
        if item.label.is_empty() && model.labels.contains(&item.family) {
            item.label.clone_from(&item.family);
        }
        let count = taken.entry(item.family.clone()).or_default();
        if args.per_family.is_some_and(|most| *count >= most) {
            continue;
        }
        // A dry run runs nothing, so that it is of all that could be called fake.
        if args.called_fake && !args.dry_run && !is_called_fake(client, wanted, &item).await? {
            passed_over.push(item.id);
            continue;
        }
        *count += 1;
        kept.push(item);
    }
    bar.finish_and_clear();
    ensure!(
        !kept.is_empty(),
        "nothing is left to evaluate, {} items were passed over because the detector does not call them fake",
        passed_over.len()
    );
    *list = kept;
    Ok(passed_over)
}

/// Whether the detector calls a picture fake. One that cannot be read counts as such: its row says what is wrong with it.
async fn is_called_fake(
    client: &Client,
    wanted: Option<&v1::ModelSelector>,
    item: &Item,
) -> anyhow::Result<bool> {
    let v1::DatasetPicture { image, crop, .. } = item.picture();
    let request = v1::PredictRequest { image, crop, model: wanted.cloned(), ..Default::default() };
    match client.predict(request).await {
        Ok(answer) => Ok(answer.prediction.is_some_and(|prediction| prediction.fake)),
        Err(error) if error.downcast_ref().is_some_and(|Refused { code, .. }| is_of_item(*code)) => Ok(true),
        Err(error) => Err(error).with_context(|| item.id.clone()),
    }
}

/// Whether a refusal is for what the item is, and not for the state of the server.
fn is_of_item(code: Code) -> bool {
    code == Code::InvalidArgument
}
