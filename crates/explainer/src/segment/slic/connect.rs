//! Clusters made into connected regions of a sensible size, as scikit-image's `enforce_connectivity` does.

use std::ops::Range;

const UNSEEN: u32 = u32::MAX;

/// Numbers the 4-connected parts of `clusters` in raster order of their first pixel. A part is cut at `sizes.end` pixels; one
/// of less than `sizes.start` joins the numbered region that the search met last, or, when it is the very first, the next part.
///
/// Each region of the result is 4-connected: a part that joins touches what it joins, and the part after a small first one
/// starts beside it.
pub(super) fn connect(clusters: &[u32], height: usize, width: usize, sizes: Range<usize>) -> Vec<u32> {
    let mut regions = vec![UNSEEN; clusters.len()];
    let mut part = Vec::new();
    let mut next = 0;
    for start in 0..clusters.len() {
        if regions[start] != UNSEEN {
            continue;
        }
        let mut adjacent = next;
        regions[start] = next;
        part.clear();
        part.push(start);
        let mut visited = 0;
        while visited < part.len() && part.len() < sizes.end {
            for neighbour in neighbours(part[visited], height, width) {
                if regions[neighbour] == UNSEEN && clusters[neighbour] == clusters[start] {
                    regions[neighbour] = next;
                    part.push(neighbour);
                    if part.len() >= sizes.end {
                        break;
                    }
                } else if regions[neighbour] != UNSEEN && regions[neighbour] != next {
                    adjacent = regions[neighbour];
                }
            }
            visited += 1;
        }
        if part.len() < sizes.start {
            part.iter().for_each(|pixel| regions[*pixel] = adjacent);
        } else {
            next += 1;
        }
    }
    regions
}

/// Right, left, below, above: the order in which a search meets them decides which region a small part joins.
fn neighbours(pixel: usize, height: usize, width: usize) -> impl Iterator<Item = usize> {
    let (y, x) = (pixel / width, pixel % width);
    let right = (x + 1 < width).then(|| pixel + 1);
    let left = (x > 0).then(|| pixel - 1);
    let below = (y + 1 < height).then(|| pixel + width);
    let above = (y > 0).then(|| pixel - width);
    [right, left, below, above].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_one_cluster_become_regions_of_their_own() {
        assert_eq!(connect(&[0, 1, 0, 0, 1, 0], 2, 3, 1..9), [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn a_small_part_joins_the_region_met_last() {
        let clusters = [0, 0, 1, 1, 0, 2, 1, 1, 0, 0, 1, 1];
        assert_eq!(connect(&clusters, 3, 4, 2..99), [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1]);
    }

    #[test]
    fn a_small_first_part_shares_the_number_of_the_next() {
        assert_eq!(connect(&[0, 1, 1, 2, 2, 2], 1, 6, 2..99), [0, 0, 0, 1, 1, 1]);
    }

    #[test]
    fn a_large_part_is_cut() {
        assert_eq!(connect(&[0; 7], 1, 7, 1..3), [0, 0, 0, 1, 1, 1, 2]);
    }
}
