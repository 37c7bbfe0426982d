//! A scrape, read as strictly as Prometheus' text format (version 0.0.4) says.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Asks the admin port, and gives the status, the headers and the body.
pub(crate) async fn ask(address: SocketAddr, method: &str, path: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: admin\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

/// All series of a scrape, by name and labels as they are written.
pub(crate) struct Scrape {
    pub(crate) text: String,
    series: BTreeMap<String, f64>,
    /// Kinds of metrics by their names.
    pub(crate) kinds: BTreeMap<String, String>,
}

impl Scrape {
    pub(crate) async fn of(address: SocketAddr) -> Self {
        let (status, head, text) = ask(address, "GET", "/metrics").await;
        assert_eq!(status, 200);
        assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
        Self::read(text)
    }

    fn read(text: String) -> Self {
        assert!(text.ends_with('\n'));
        let (mut series, mut kinds) = (BTreeMap::new(), BTreeMap::new());
        for line in text.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let words: Vec<_> = comment.splitn(3, ' ').collect();
                match words[0] {
                    "TYPE" => {
                        assert_eq!(kinds.insert(words[1].to_owned(), words[2].to_owned()), None, "{line}")
                    }
                    "HELP" => assert!(words.len() == 3 && !words[2].is_empty(), "{line}"),
                    other => panic!("{other}: {line}"),
                }
                continue;
            }
            let (name, value) = line.rsplit_once(' ').unwrap();
            let value = value.parse::<f64>().unwrap();
            assert!(value.is_finite() && value >= 0.0, "{line}");
            let bare = name.split('{').next().unwrap();
            assert!(bare.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':'), "{line}");
            // Each belongs to the metric whose kind stands above it.
            let of = ["_bucket", "_sum", "_count"].iter().find_map(|end| bare.strip_suffix(end));
            let histogram = of.is_some_and(|of| kinds.get(of).is_some_and(|kind| kind == "histogram"));
            assert!(histogram || kinds.contains_key(bare), "{line}");
            assert_eq!(series.insert(name.to_owned(), value), None, "{line}");
        }
        Self { text, series, kinds }
    }

    /// The value of a series, as it is written.
    pub(crate) fn value(&self, series: &str) -> f64 {
        let got = self.series.get(series);
        *got.unwrap_or_else(|| panic!("{series} is not in\n{}", self.text))
    }

    /// The sum over all series of a metric.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let own = |series: &&String| series.split('{').next() == Some(name);
        self.series.keys().filter(own).map(|series| self.series[series]).sum()
    }

    /// Every label of any series, with its value.
    pub(crate) fn labels(&self) -> Vec<(String, String)> {
        self.series.keys().flat_map(|series| labels(series)).collect()
    }

    /// Names of the labels of a metric.
    pub(crate) fn labels_of(&self, name: &str) -> Vec<String> {
        let ends = ["", "_bucket", "_sum", "_count"];
        let own = |series: &&String| {
            let bare = series.split('{').next().unwrap_or_default();
            ends.iter().any(|end| bare.strip_suffix(end) == Some(name))
        };
        let all = self.series.keys().filter(own).flat_map(|series| labels(series));
        let names: BTreeSet<_> = all.map(|(label, _)| label).filter(|label| label != "le").collect();
        names.into_iter().collect()
    }
}

fn labels(series: &str) -> Vec<(String, String)> {
    let Some((_, inside)) = series.split_once('{') else { return Vec::new() };
    let parts = inside.trim_end_matches('}').split("\",");
    let pair = |part: &str| {
        let (name, value) = part.split_once("=\"").unwrap();
        (name.to_owned(), value.trim_end_matches('"').to_owned())
    };
    parts.map(pair).collect()
}
