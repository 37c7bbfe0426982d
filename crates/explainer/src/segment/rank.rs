//! Regions in the order in which they speak for the target.

use unmask_core::{LabelMap, Map, Reading};

/// A region and its evidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// Label in the label map.
    pub label: usize,
    /// Left, top, right, bottom in pixels of the map's frame; right and bottom are past the last pixel.
    pub bounds: (usize, usize, usize, usize),
    /// Mean of the map inside.
    pub mean: f64,
    /// Share of the positive part of the map that lies inside; 0 where there is none.
    pub evidence_share: f64,
    /// Share of the frame that the region covers.
    pub area_share: f64,
}

/// Least share of the evidence with which a region can carry it, as the search-based verbalisation of Feldhus et al. has its least
/// coverage (arXiv 2210.07222).
const LEAST_SHARE: f64 = 0.1;
/// And how many times as much as its area would have; ours.
const LEAST_DENSITY: f64 = 1.5;

impl Ranked {
    /// How much more of the evidence lies inside than if it lay everywhere alike: -1 to 1.
    pub fn excess(&self) -> f64 {
        self.evidence_share - self.area_share
    }

    /// Whether it carries the evidence: at least a tenth of all, and at least one and a half times as much as its area would have.
    pub fn stands_out(&self) -> bool {
        self.evidence_share >= LEAST_SHARE && self.evidence_share >= LEAST_DENSITY * self.area_share
    }
}

/// All regions, the highest mean first; equal means keep the order of their labels. Of a map that reads as importance, the
/// lowest value counts as none.
pub fn rank(map: &Map, reading: Reading, labels: &LabelMap) -> Vec<Ranked> {
    let floor = match reading {
        Reading::Evidence => 0.0,
        Reading::Importance => f64::from(map.floor()),
    };
    let mut tallies = vec![Tally::default(); labels.count()];
    for (i, (label, value)) in labels.labels().iter().zip(&map.data).enumerate() {
        tallies[*label as usize].add(i % map.width, i / map.width, f64::from(*value), floor);
    }
    let positive: f64 = tallies.iter().map(|t| t.positive).sum();
    let mut ranked: Vec<Ranked> = tallies
        .iter()
        .enumerate()
        .map(|(label, tally)| Ranked {
            label,
            bounds: tally.bounds,
            mean: tally.sum / tally.pixels.max(1) as f64,
            evidence_share: if positive > 0.0 { tally.positive / positive } else { 0.0 },
            area_share: tally.pixels as f64 / map.data.len().max(1) as f64,
        })
        .collect();
    ranked.sort_by(|a, b| b.mean.total_cmp(&a.mean));
    ranked
}

#[derive(Clone)]
struct Tally {
    bounds: (usize, usize, usize, usize),
    pixels: usize,
    sum: f64,
    positive: f64,
}

impl Default for Tally {
    fn default() -> Self {
        Self { bounds: (usize::MAX, usize::MAX, 0, 0), pixels: 0, sum: 0.0, positive: 0.0 }
    }
}

impl Tally {
    fn add(&mut self, x: usize, y: usize, value: f64, floor: f64) {
        let (left, top, right, bottom) = self.bounds;
        self.bounds = (left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1));
        self.pixels += 1;
        self.sum += value;
        self.positive += (value - floor).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::grid;

    #[test]
    fn regions_are_ranked_by_mean_with_shares_of_the_positive_part() {
        let map = Map { height: 2, width: 4, data: vec![1.0, 1.0, -2.0, -2.0, 3.0, 3.0, 0.0, 0.0] };
        let ranked = rank(&map, Reading::Evidence, &grid(2, 4, 2, 2));
        assert_eq!(ranked.iter().map(|r| r.label).collect::<Vec<_>>(), [2, 0, 3, 1]);
        assert_eq!(ranked[0].bounds, (0, 1, 2, 2));
        assert_eq!((ranked[0].mean, ranked[0].evidence_share, ranked[0].area_share), (3.0, 0.75, 0.25));
        assert_eq!(ranked[3].evidence_share, 0.0);
    }

    #[test]
    fn a_region_stands_out_by_its_evidence_and_by_how_dense_it_is() {
        for (evidence_share, area_share, stands_out) in
            [(0.1, 0.05, true), (0.09, 0.01, false), (0.6, 0.41, false), (0.6, 0.4, true), (0.0, 0.0, false)]
        {
            let ranked = Ranked { label: 0, bounds: (0, 0, 1, 1), mean: 1.0, evidence_share, area_share };
            assert_eq!(ranked.stands_out(), stands_out, "{evidence_share} in {area_share}");
            assert_eq!(ranked.excess(), evidence_share - area_share);
        }
    }

    #[test]
    fn of_importance_the_lowest_value_counts_as_none() {
        let map = Map { height: 1, width: 4, data: vec![5.0, 5.0, 6.0, 8.0] };
        let ranked = rank(&map, Reading::Importance, &grid(1, 4, 1, 4));
        assert_eq!(ranked.iter().map(|r| r.evidence_share).collect::<Vec<_>>(), [0.75, 0.25, 0.0, 0.0]);
        assert_eq!(ranked[0].mean, 8.0);
    }

    #[test]
    fn a_flat_map_has_no_evidence_and_keeps_the_order_of_labels() {
        let ranked = rank(&Map::zeros(4, 4), Reading::Evidence, &grid(4, 4, 2, 2));
        assert_eq!(ranked.iter().map(|r| r.label).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert!(ranked.iter().all(|r| r.evidence_share == 0.0));
    }
}
