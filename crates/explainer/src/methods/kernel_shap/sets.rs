//! Which sets of segments Kernel SHAP asks about, in which order, and what each counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use unmask_core::Draws;

use super::{KernelShap, Sampling};

/// How many pairs are drawn at most for each that is still wanted; pairs that come again cost a draw and no pass.
const DRAWS_PER_PAIR: u64 = 8;

/// Pairs of a set and its complement: all of the outermost sizes, then random ones.
///
/// A set of s out of d segments has the Shapley kernel's mass `1 / (s (d - s))` spread over the sets of its size, and the chance to
/// be drawn that [`Sampling`] gives its size. Sizes are listed from the outside in, s with d - s, as long as a size's chance of the
/// passes that are left covers all of its sets; inside a size sets come in lexicographic order. What is left is drawn: a size by its
/// chance, a set of that size evenly; each draw counts its size's mass over its chance. A pair that is drawn again counts once more
/// and is not asked again.
pub(super) struct Sets {
    segments: usize,
    pairs: Vec<Pair>,
    listed: usize,
    rest: f64,
}

/// A set and its complement.
struct Pair {
    /// One of the two, a bit for each segment.
    set: Arc<[u64]>,
    /// What each of the two counts where the pair is drawn once, or listed.
    once: f64,
    /// What each of the two counts.
    weight: f64,
}

impl Sets {
    /// The sets that these parameters ask about: a function of its arguments alone.
    pub(super) fn new(segments: usize, shap: &KernelShap, seed: u64) -> Self {
        let mut sets = Self { segments, pairs: Vec::new(), listed: 0, rest: 0.0 };
        let masses = masses(segments, Sampling::Kernel);
        let chances = self::masses(segments, shap.sampling);
        let most = shap.samples as usize / 2;
        let mut left = most;
        let mut size = 1;
        while size < masses.len() {
            let count = pairs_of(segments, size);
            let part = chances[size] / chances[size..].iter().sum::<f64>();
            if (left as f64) * part < count * (1.0 - 1e-8) {
                break;
            }
            sets.list(size, masses[size] / count / 2.0);
            left = most.saturating_sub(sets.pairs.len());
            size += 1;
        }
        sets.listed = sets.pairs.len();
        if size < masses.len() {
            sets.rest = masses[size..].iter().sum();
            sets.draw(&Lot { first: size, masses, chances }, left, seed);
        }
        sets
    }

    /// Number of sets.
    pub(super) fn len(&self) -> usize {
        2 * self.pairs.len()
    }

    /// Sets before this one are all those of their size; those from here on are drawn.
    pub(super) fn listed(&self) -> usize {
        2 * self.listed
    }

    /// The mass of the sizes that are drawn, out of 1 for all sizes: what the drawn sets count together.
    pub(super) fn rest(&self) -> f64 {
        self.rest
    }

    /// What set number `index` counts: its share of all mass where it is listed, where it is drawn what it counts once times how
    /// often it came.
    pub(super) fn weight(&self, index: usize) -> f64 {
        self.pairs[index / 2].weight
    }

    /// What set number `index` counts for one draw.
    pub(super) fn once(&self, index: usize) -> f64 {
        self.pairs[index / 2].once
    }

    /// The segments of set number `index`; after an even number comes its complement.
    pub(super) fn shown(&self, index: usize) -> Box<[bool]> {
        let set = &self.pairs[index / 2].set;
        (0..self.segments).map(|i| has(set, i) != (index % 2 == 1)).collect()
    }

    /// All pairs of one size, in lexicographic order. In the middle, where a complement has the same size, the set with
    /// segment 0 stands for both, and those come first.
    fn list(&mut self, size: usize, weight: f64) {
        let mut chosen: Vec<usize> = (0..size).collect();
        while 2 * size < self.segments || chosen[0] == 0 {
            self.pairs.push(Pair { set: self.bits(&chosen).into(), once: weight, weight });
            // The last place that can still move on, and everything after it close behind.
            let Some(place) = (0..size).rev().find(|i| chosen[*i] < self.segments - size + i) else {
                return;
            };
            let next = chosen[place] + 1;
            (place..size).for_each(|i| chosen[i] = next + i - place);
        }
    }

    fn draw(&mut self, lot: &Lot, wanted: usize, seed: u64) {
        let mut seen: BTreeMap<Arc<[u64]>, usize> = BTreeMap::new();
        let enough = self.pairs.len() + wanted;
        for index in 0..DRAWS_PER_PAIR * wanted as u64 {
            if self.pairs.len() == enough {
                break;
            }
            let mut draws = Draws::new(seed, index);
            let size = lot.size(&mut draws);
            let set: Arc<[u64]> = self.drawn(size, &mut draws).into();
            let place = *seen.entry(Arc::clone(&set)).or_insert(self.pairs.len());
            let once = lot.masses[size] / lot.chances[size];
            match self.pairs.get_mut(place) {
                Some(pair) => pair.weight += once,
                None => self.pairs.push(Pair { set, once, weight: once }),
            }
        }
    }

    fn drawn(&self, size: usize, draws: &mut Draws) -> Vec<u64> {
        // The first `size` cards of a shuffled deck.
        let mut deck: Vec<usize> = (0..self.segments).collect();
        for i in 0..size {
            deck.swap(i, i + draws.below((self.segments - i) as u32) as usize);
        }
        let middle = 2 * size == self.segments;
        let (set, complement) = deck.split_at(size);
        self.bits(if middle && !set.contains(&0) { complement } else { set })
    }

    fn bits(&self, set: &[usize]) -> Vec<u64> {
        let mut bits = vec![0; self.segments.div_ceil(64)];
        set.iter().for_each(|i| bits[i / 64] |= 1 << (i % 64));
        bits
    }
}

/// What sizes are drawn from.
struct Lot {
    /// The smallest size that is drawn.
    first: usize,
    masses: Vec<f64>,
    chances: Vec<f64>,
}

impl Lot {
    fn size(&self, draws: &mut Draws) -> usize {
        let mut size = self.first;
        let all: f64 = self.chances[size..].iter().sum();
        let mut above = f64::from(draws.unit()) * all - self.chances[size];
        while above >= 0.0 && size + 1 < self.chances.len() {
            size += 1;
            above -= self.chances[size];
        }
        size
    }
}

fn has(set: &[u64], i: usize) -> bool {
    set[i / 64] >> (i % 64) & 1 == 1
}

/// What each size up to half of the segments has of the kernel's mass or of the leverage, its complements included; all together 1.
/// Size 0 has none: its sets, nothing and everything, are the constraint.
fn masses(segments: usize, sampling: Sampling) -> Vec<f64> {
    let one = |size: usize| match sampling {
        Sampling::Kernel => 1.0 / (size * (segments - size)) as f64,
        Sampling::Leverage => 1.0,
    };
    let mass = |size: usize| match size {
        0 => 0.0,
        _ if 2 * size == segments => one(size),
        _ => 2.0 * one(size),
    };
    let masses: Vec<f64> = (0..=segments / 2).map(mass).collect();
    let total: f64 = masses.iter().sum();
    masses.iter().map(|mass| mass / total).collect()
}

/// Number of pairs of a size; as a real number, because it may be beyond any whole one.
fn pairs_of(segments: usize, size: usize) -> f64 {
    let sets = (1..=size).fold(1.0, |sets, i| sets * (segments - size + i) as f64 / i as f64);
    if 2 * size == segments { sets / 2.0 } else { sets }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn plan(segments: usize, samples: u64, seed: u64) -> Sets {
        Sets::new(segments, &KernelShap { samples, sampling: Sampling::Kernel }, seed)
    }

    fn all(sets: &Sets) -> Vec<Box<[bool]>> {
        (0..sets.len()).map(|i| sets.shown(i)).collect()
    }

    fn size(set: &[bool]) -> usize {
        set.iter().filter(|shown| **shown).count()
    }

    #[test]
    fn every_set_is_listed_once_where_all_fit() {
        for segments in 2..=12 {
            let every = (1 << segments) - 2;
            let sets = plan(segments, every as u64, 1);
            let different: BTreeSet<_> = all(&sets).into_iter().collect();
            assert_eq!((sets.len(), sets.listed(), different.len()), (every, every, every), "{segments}");
            let mass: f64 = (0..every).map(|i| sets.weight(i)).sum();
            assert!((mass - 1.0).abs() < 1e-12 && sets.rest() == 0.0, "{segments}: {mass}");
            assert_eq!(plan(segments, 100_000, 2).len(), every, "{segments}");
        }
    }

    #[test]
    fn one_segment_has_no_sets() {
        assert_eq!((plan(1, 128, 0).len(), plan(1, 128, 0).rest()), (0, 0.0));
    }

    #[test]
    fn sets_come_in_pairs_from_the_outside_in() {
        let sets = plan(16, 2000, 1);
        assert_eq!(sets.len(), 2000);
        let rows = all(&sets);
        for pair in rows.chunks(2) {
            assert!(pair[0].iter().zip(&pair[1]).all(|(a, b)| a != b));
        }
        // 16 sets of one segment, 120 of two, and their complements.
        assert_eq!(sets.listed(), 2 * (16 + 120));
        let sizes: Vec<usize> = rows.iter().step_by(2).map(|set| size(set)).collect();
        assert!(sizes[..16].iter().all(|s| *s == 1) && sizes[16..136].iter().all(|s| *s == 2));
        assert!(sizes[136..].iter().all(|s| (3..=8).contains(s)));
        let different: BTreeSet<_> = rows.into_iter().collect();
        assert_eq!(different.len(), 2000);
    }

    #[test]
    fn sizes_are_drawn_in_proportion_to_the_kernel() {
        // Nothing is listed: 2 * 300 sets of one segment are more than their fair part.
        let sets = plan(300, 3000, 5);
        assert_eq!(sets.listed(), 0);
        let draws: f64 = (0..sets.len()).map(|i| sets.weight(i)).sum();
        for (range, masses) in [(1..=1, 0.159_5), (2..=10, 0.310_9), (11..=150, 0.529_6)] {
            let drawn: f64 = (0..sets.len())
                .filter(|i| range.contains(&size(&sets.shown(*i)).min(300 - size(&sets.shown(*i)))))
                .map(|i| sets.weight(i))
                .sum();
            assert!((drawn / draws - masses).abs() < 0.03, "{range:?}: {}", drawn / draws);
        }
    }

    #[test]
    fn by_leverage_every_size_comes_as_often_and_counts_together_its_mass() {
        let sets = Sets::new(300, &KernelShap { samples: 3000, sampling: Sampling::Leverage }, 5);
        assert_eq!(sets.listed(), 0);
        let often = |index: usize| sets.weight(index) / sets.once(index);
        let draws: f64 = (0..sets.len()).map(often).sum();
        let all: f64 = (0..sets.len()).map(|i| sets.weight(i)).sum();
        for (range, chance, mass) in [(1..=10, 10.0 / 149.5, 0.470_4), (11..=75, 65.0 / 149.5, 0.330_6)] {
            let inside = |i: &usize| range.contains(&size(&sets.shown(*i)).min(300 - size(&sets.shown(*i))));
            let drawn: f64 = (0..sets.len()).filter(inside).map(often).sum();
            assert!((drawn / draws - chance).abs() < 0.03, "{range:?}: {}", drawn / draws);
            let counts: f64 = (0..sets.len()).filter(inside).map(|i| sets.weight(i)).sum();
            assert!((counts / all - mass).abs() < 0.05, "{range:?}: {}", counts / all);
        }
    }

    #[test]
    fn segments_are_drawn_evenly() {
        let sets = plan(100, 20_000, 3);
        let mut counts = [0usize; 100];
        for index in sets.listed()..sets.len() {
            let set = sets.shown(index);
            if size(&set) < 50 {
                counts.iter_mut().zip(&set).for_each(|(count, shown)| *count += usize::from(*shown));
            }
        }
        let mean = counts.iter().sum::<usize>() as f64 / 100.0;
        assert!(counts.iter().all(|c| (*c as f64 / mean - 1.0).abs() < 0.1), "{mean} {counts:?}");
    }

    #[test]
    fn nearly_all_sets_are_reached_where_nearly_all_fit() {
        // Of the 2046 sets of 11 segments, 2000.
        let sets = plan(11, 2000, 1);
        assert_eq!(sets.len(), 2000);
        assert!(sets.weight(sets.len() - 1) >= 1.0);
    }

    #[test]
    fn the_largest_plans_are_made() {
        for (segments, samples) in [(1024, 128), (1024, 100_000), (18, 100_000), (2, 128), (3, 128)] {
            let sets = plan(segments, samples, 1);
            assert!(sets.len() <= samples as usize && !sets.pairs.is_empty(), "{segments} {samples}");
        }
    }
}
