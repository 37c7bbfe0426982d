//! Fewer regions, where an algorithm makes more than a method can hide one by one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Joins the smallest region to the neighbour with which it shares the longest border until at most `most` are left; of equals
/// the lowest label goes first. The regions that stay are numbered from 0 in the order of their labels, which lie below the
/// number of pixels.
///
/// Two pixels are neighbours across an edge. Regions need not be connected.
pub(super) fn at_most(most: usize, height: usize, width: usize, labels: &[u32]) -> Vec<u32> {
    let (mut labels, count) = dense(labels);
    if count <= most {
        return labels;
    }
    let mut left = count;
    let mut sizes = vec![0u32; count];
    labels.iter().for_each(|label| sizes[*label as usize] += 1);
    let mut borders = borders(height, width, &labels, count);
    let mut into: Vec<u32> = (0..).take(count).collect();
    let mut queue: BinaryHeap<Reverse<(u32, u32)>> =
        sizes.iter().zip(0..).map(|(size, label)| Reverse((*size, label))).collect();
    while left > most.max(1) {
        let Some(Reverse((size, small))) = queue.pop() else { break };
        if sizes[small as usize] != size {
            continue; // It has grown, and waits again further back.
        }
        let around = std::mem::take(&mut borders[small as usize]);
        let Some((kept, _)) = around.iter().max_by_key(|(label, border)| (**border, Reverse(**label))) else {
            break;
        };
        let kept = *kept;
        for (other, border) in around {
            borders[other as usize].remove(&small);
            if other != kept {
                *borders[other as usize].entry(kept).or_default() += border;
                *borders[kept as usize].entry(other).or_default() += border;
            }
        }
        into[small as usize] = kept;
        sizes[small as usize] = 0;
        sizes[kept as usize] += size;
        queue.push(Reverse((sizes[kept as usize], kept)));
        left -= 1;
    }
    for label in &mut labels {
        while into[*label as usize] != *label {
            *label = into[*label as usize];
        }
    }
    dense(&labels).0
}

/// The labels in use become `0..count`, in ascending order.
fn dense(labels: &[u32]) -> (Vec<u32>, usize) {
    let mut numbers = vec![0u32; labels.iter().max().map_or(0, |most| *most as usize + 1)];
    labels.iter().for_each(|label| numbers[*label as usize] = 1);
    let mut count = 0;
    for number in &mut numbers {
        let used = *number;
        *number = count;
        count += used;
    }
    (labels.iter().map(|label| numbers[*label as usize]).collect(), count as usize)
}

/// For each region its neighbours, and how many pairs of pixels meet.
fn borders(height: usize, width: usize, labels: &[u32], count: usize) -> Vec<BTreeMap<u32, u32>> {
    let mut borders = vec![BTreeMap::new(); count];
    let mut meet = |a: u32, b: u32| {
        if a != b {
            *borders[a as usize].entry(b).or_default() += 1;
            *borders[b as usize].entry(a).or_default() += 1;
        }
    };
    for y in 0..height {
        for x in 0..width {
            let i = y * width + x;
            if x + 1 < width {
                meet(labels[i], labels[i + 1]);
            }
            if y + 1 < height {
                meet(labels[i], labels[i + width]);
            }
        }
    }
    borders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_regions_are_only_numbered() {
        assert_eq!(at_most(3, 1, 4, &[5, 0, 1, 1]), [2, 0, 1, 1]);
        assert!(at_most(3, 0, 0, &[]).is_empty());
    }

    #[test]
    fn the_smallest_region_joins_the_neighbour_with_the_longest_border() {
        let labels = [[0, 0, 0, 1, 1, 1], [0, 0, 2, 2, 1, 1], [0, 3, 3, 3, 3, 1]].concat();
        // Region 2 borders on 0 and on 1 twice, and on 3 twice too: of equals the lowest label takes it.
        let merged = [[0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1], [0, 2, 2, 2, 2, 1]].concat();
        assert_eq!(at_most(3, 3, 6, &labels), merged);
        // Then the lowest row is the smallest, and borders longest on 0.
        let merged = [[0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 1]].concat();
        assert_eq!(at_most(2, 3, 6, &labels), merged);
        assert_eq!(at_most(0, 3, 6, &labels), [0; 18]);
    }

    #[test]
    fn a_picture_of_single_pixels_is_brought_to_the_limit() {
        let mut left = at_most(100, 64, 64, &(0..4096).collect::<Vec<_>>());
        left.sort_unstable();
        left.dedup();
        assert_eq!(left, (0..100).collect::<Vec<_>>());
    }
}
