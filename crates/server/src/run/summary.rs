//! Means over the items of a dataset, by family, with the interval in which they would lie had other items been drawn.

use unmask_explainer::metrics::Better;
use unmask_explainer::metrics::bootstrap::{Bootstrap, interval};

use crate::decode::{Known, Plan};

/// A mean over the items of a family.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mean {
    /// Places of the explanation and of the metric in the plan.
    pub(crate) place: (usize, usize),
    pub(crate) figure: String,
    pub(crate) better: Better,
    /// Empty for all items.
    pub(crate) family: String,
    pub(crate) items: u64,
    pub(crate) missing: u64,
    pub(crate) mean: Option<f64>,
    pub(crate) interval: Option<(f64, f64)>,
}

/// A figure of every item that has it, in the items' order.
struct Column<'a> {
    name: &'a str,
    better: Better,
    values: Vec<(usize, f64)>,
}

/// The means of `rows`, by explanation, metric, figure and family, in the order of the plan and then of first appearance; all
/// items come last.
pub(crate) fn means(plan: &Plan, rows: &[Known], bootstrap: &Bootstrap) -> Vec<Mean> {
    let mut families: Vec<&str> = Vec::new();
    let mut sizes: Vec<u64> = Vec::new();
    let mut family_of = Vec::new();
    let whole: Vec<&Known> = rows.iter().filter(|row| !row.failed).collect();
    for row in &whole {
        let at = families.iter().position(|family| *family == row.family).unwrap_or_else(|| {
            families.push(&row.family);
            sizes.push(0);
            families.len() - 1
        });
        sizes[at] += 1;
        family_of.push(at);
    }
    let metrics = plan.measures.len();
    let mut columns: Vec<Vec<Column<'_>>> = Vec::new();
    columns.resize_with(plan.names().len() * metrics, Vec::new);
    for (row, family) in whole.iter().zip(&family_of) {
        for figure in &row.figures {
            let own = &mut columns[figure.place.0 * metrics + figure.place.1];
            let at = own.iter().position(|column| column.name == figure.name).unwrap_or_else(|| {
                own.push(Column { name: &figure.name, better: figure.better, values: Vec::new() });
                own.len() - 1
            });
            own[at].values.extend(figure.value.map(|value| (*family, value)));
        }
    }
    let mut means = Vec::new();
    for (i, own) in columns.iter().enumerate() {
        for column in own {
            let mean = |family: &str, size: u64, values: Vec<f64>| Mean {
                place: (i / metrics, i % metrics),
                figure: column.name.to_owned(),
                better: column.better,
                family: family.to_owned(),
                items: values.len() as u64,
                missing: size - values.len() as u64,
                mean: (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64),
                interval: interval(&values, bootstrap),
            };
            for (at, family) in families.iter().enumerate() {
                let values = column.values.iter().filter(|(of, _)| *of == at).map(|(_, value)| *value);
                // Items without a family take part in the mean of all items alone, which is the one without a name.
                if !family.is_empty() {
                    means.push(mean(family, sizes[at], values.collect()));
                }
            }
            let all = column.values.iter().map(|(_, value)| *value).collect();
            means.push(mean("", whole.len() as u64, all));
        }
    }
    means
}
