//! Means as tables: a row for each explanation, a column for each family and, of figures for several K, each K.

use unmask_protocol::v1;

/// The figures of one stem of one metric.
pub(super) struct Table<'a> {
    pub(super) metric: &'a str,
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
    let mut keys: Vec<(&str, String)> = Vec::new();
    for mean in means {
        let key = (mean.metric.as_str(), stem(&mean.figure).0);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys.into_iter().map(|(metric, stem)| table(means, metric, stem)).collect()
}

fn table<'a>(means: &'a [v1::DatasetMean], metric: &'a str, stem: String) -> Table<'a> {
    let own: Vec<&v1::DatasetMean> =
        means.iter().filter(|mean| mean.metric == metric && self::stem(&mean.figure).0 == stem).collect();
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
    let all = |figure: &'a str| {
        let means = names.iter().filter_map(|name| find(name, "", figure)).collect();
        (figure, means)
    };
    Table {
        metric,
        better: own.first().map_or(v1::Better::Unspecified, |mean| mean.better()),
        columns: columns.collect(),
        rows: rows.collect(),
        figures: figures.iter().map(|figure| all(figure)).collect(),
        stem,
    }
}

impl Table<'_> {
    /// What it shows, and which way is better.
    pub(super) fn title(&self) -> String {
        let better = match self.better {
            v1::Better::Higher => "higher is better",
            v1::Better::Lower => "lower is better",
            v1::Better::Zero => "near 0 is better",
            v1::Better::Neither | v1::Better::Unspecified => "it describes",
        };
        if self.metric == self.stem {
            format!("{} ({better})", self.metric)
        } else {
            format!("{}: {} ({better})", self.metric, self.stem)
        }
    }
}

/// A mean with its interval.
pub(super) fn cell(mean: Option<&v1::DatasetMean>) -> String {
    match mean.map(|mean| (mean.mean, mean.low, mean.high)) {
        Some((Some(mean), Some(low), Some(high))) => format!("{mean:.3} [{low:.3}, {high:.3}]"),
        Some((Some(mean), _, _)) => format!("{mean:.3}"),
        Some((None, _, _)) | None => "-".to_owned(),
    }
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

fn distinct<'a>(words: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for word in words {
        if !seen.contains(&word) {
            seen.push(word);
        }
    }
    seen
}
