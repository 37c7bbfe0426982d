//! Means over the items of a dataset, by family, with the interval in which they would lie had other items been drawn.

use std::collections::BTreeMap;

use unmask_core::ForwardError;
use unmask_explainer::metrics::Better;
use unmask_explainer::metrics::bootstrap::{Bootstrap, interval};
use unmask_pool::Cancel;

use crate::decode::{FigurePlace, Known};
use crate::error::RequestError;

/// A mean over the items of a family.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mean {
    pub(crate) of: FigurePlace,
    pub(crate) better: Better,
    /// Empty for all items.
    pub(crate) family: String,
    pub(crate) items: u64,
    pub(crate) missing: u64,
    pub(crate) mean: Option<f64>,
    pub(crate) interval: Option<(f64, f64)>,
}

/// The means of `rows`, by explanation, metric, figure and family, in the order of the plan and then of the families' first
/// appearance; all items come last.
///
/// # Errors
/// [`ForwardError::Cancelled`] when nobody waits for them any more.
pub(crate) fn means(
    rows: &[Known],
    bootstrap: &Bootstrap,
    cancel: &Cancel,
) -> Result<Vec<Mean>, RequestError> {
    let whole: Vec<&Known> = rows.iter().filter(|row| !row.failed).collect();
    let (mut families, mut sizes): (Vec<&str>, Vec<u64>) = (Vec::new(), Vec::new());
    // For each figure its direction, and its values in the items' order, each with the item's family.
    let mut columns: BTreeMap<FigurePlace, (Better, Vec<(usize, f64)>)> = BTreeMap::new();
    for row in &whole {
        let at = families.iter().position(|family| *family == row.family).unwrap_or_else(|| {
            families.push(&row.family);
            sizes.push(0);
            families.len() - 1
        });
        sizes[at] += 1;
        for figure in &row.figures {
            let (_, values) = columns.entry(figure.of).or_insert((figure.better, Vec::new()));
            values.extend(figure.value.map(|value| (at, value)));
        }
    }
    let mut means = Vec::new();
    for (of, (better, values)) in &columns {
        let mut by_family = vec![Vec::new(); families.len()];
        values.iter().for_each(|(family, value)| by_family[*family].push(*value));
        let all: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
        let own = families.iter().zip(&sizes).zip(&by_family).map(|((family, size), v)| (*family, *size, v));
        // Items without a family take part in the mean of all items alone, which is the one without a name.
        let own = own.filter(|(family, ..)| !family.is_empty());
        for (family, size, values) in own.chain([("", whole.len() as u64, &all)]) {
            if cancel.is_cancelled() {
                return Err(ForwardError::Cancelled.into());
            }
            means.push(Mean {
                of: *of,
                better: *better,
                family: family.to_owned(),
                items: values.len() as u64,
                missing: size - values.len() as u64,
                mean: (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64),
                interval: interval(values, bootstrap),
            });
        }
    }
    Ok(means)
}
