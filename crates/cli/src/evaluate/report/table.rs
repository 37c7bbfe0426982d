//! Means as tables: a row for each explanation, a column for each family and, of figures for several K, each K.

use unmask_protocol::v1;

/// How a table reads.
pub(super) const CELLS: &str = "Cells are means over the items that have a value, with the interval of the bootstrap \
    where there are two or more. Controls have seen neither picture nor detector; an explanation marked † is no better \
    than the best of them. Of a figure whose name ends in K, the number behind the family is K.";

/// The figures of one stem of one metric.
pub(super) struct Table<'a> {
    pub(super) metric: &'a str,
    /// The metric's place in the plan.
    place: usize,
    pub(super) stem: String,
    pub(super) better: v1::Better,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Row<'a>>,
    /// Figures of the table, with the means of all items: what is plotted.
    pub(super) figures: Vec<(&'a str, Vec<&'a v1::DatasetMean>)>,
}

/// An explanation.
pub(super) struct Row<'a> {
    pub(super) name: &'a str,
    pub(super) control: bool,
    /// A mean for each column, where there is one.
    pub(super) cells: Vec<Option<&'a v1::DatasetMean>>,
}

/// All tables, in the order of the means.
pub(super) fn tables(means: &[v1::DatasetMean]) -> Vec<Table<'_>> {
    let keys = distinct(means.iter().map(|mean| (mean.metric_index, stem(&mean.figure).0)));
    keys.into_iter().map(|(place, stem)| table(means, place, stem)).collect()
}

/// The families of the means, in their order; "" is all items.
pub(super) fn families(means: &[v1::DatasetMean]) -> Vec<&str> {
    distinct(means.iter().map(|mean| mean.family.as_str()))
}

fn table(means: &[v1::DatasetMean], place: u32, stem: String) -> Table<'_> {
    let own = |mean: &&v1::DatasetMean| mean.metric_index == place && self::stem(&mean.figure).0 == stem;
    let own: Vec<&v1::DatasetMean> = means.iter().filter(own).collect();
    let figures = distinct(own.iter().map(|mean| mean.figure.as_str()));
    let families = distinct(own.iter().map(|mean| mean.family.as_str()));
    let names = distinct(own.iter().map(|mean| mean.name.as_str()));
    let find = |name: &str, family: &str, figure: &str| {
        own.iter().copied().find(|m| m.name == name && m.family == family && m.figure == figure)
    };
    let places: Vec<(&str, &str)> =
        families.iter().flat_map(|family| figures.iter().map(move |figure| (*family, *figure))).collect();
    let columns = places.iter().map(|(family, figure)| {
        let family = if family.is_empty() { "all" } else { family };
        match self::stem(figure).1 {
            Some(k) => format!("{family} {k}"),
            None => family.to_owned(),
        }
    });
    let rows = names.iter().map(|name| Row {
        name,
        control: own.iter().any(|mean| mean.name == *name && mean.control),
        cells: places.iter().map(|(family, figure)| find(name, family, figure)).collect(),
    });
    Table {
        metric: own.first().map_or("", |mean| mean.metric.as_str()),
        place: place as usize,
        better: own.first().map_or(v1::Better::Unspecified, |mean| mean.better()),
        columns: columns.collect(),
        rows: rows.collect(),
        figures: figures
            .iter()
            .map(|figure| (*figure, names.iter().filter_map(|name| find(name, "", figure)).collect()))
            .collect(),
        stem,
    }
}

impl Table<'_> {
    /// What it shows, and which way is better. `metrics` are those of the plan, each with its parameters.
    pub(super) fn title(&self, metrics: &[String]) -> String {
        let better = match self.better {
            v1::Better::Higher => "higher is better",
            v1::Better::Lower => "lower is better",
            v1::Better::Neither | v1::Better::Unspecified => "it describes",
        };
        let metric = metrics.get(self.place).map_or(self.metric, String::as_str);
        if self.metric == self.stem {
            format!("{metric} ({better})")
        } else {
            format!("{metric}: {} ({better})", self.stem)
        }
    }
}

impl Table<'_> {
    /// The text of a cell; an explanation that is no better than a control is marked.
    pub(super) fn cell(&self, row: &Row<'_>, column: usize) -> String {
        let text = cell(row.cells[column]);
        let value = |row: &Row<'_>| row.cells[column].and_then(|mean| mean.mean);
        let own = value(row).filter(|_| !row.control);
        let loses = |control: f64| match (own, self.better) {
            (Some(own), v1::Better::Higher) => control >= own,
            (Some(own), v1::Better::Lower) => control <= own,
            (_, v1::Better::Neither | v1::Better::Unspecified) | (None, _) => false,
        };
        let beaten = self.rows.iter().filter(|row| row.control).filter_map(value).any(loses);
        if beaten { text + " †" } else { text }
    }
}

/// A mean with its interval and, where not every item has a value, of how many it is.
fn cell(mean: Option<&v1::DatasetMean>) -> String {
    let Some((mean, value)) = mean.and_then(|mean| Some((mean, mean.mean?))) else { return "-".to_owned() };
    let of = if mean.missing > 0 { format!(" (n = {})", mean.items) } else { String::new() };
    match (mean.low, mean.high) {
        (Some(low), Some(high)) => format!("{} [{}, {}]{of}", three(value), three(low), three(high)),
        (Some(_) | None, _) => three(value) + &of,
    }
}

/// Three decimals; what rounds to 0 has no sign.
pub(in crate::evaluate) fn three(value: f64) -> String {
    let text = format!("{value:.3}");
    if text == "-0.000" { "0.000".to_owned() } else { text }
}

/// `sufficiency_2` is `sufficiency_K` for K = 2.
fn stem(figure: &str) -> (String, Option<&str>) {
    match figure.rsplit_once('_') {
        Some((stem, k)) if !k.is_empty() && k.bytes().all(|b| b.is_ascii_digit()) => {
            (format!("{stem}_K"), Some(k))
        }
        Some(_) | None => (figure.to_owned(), None),
    }
}

fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for one in all {
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    seen
}
