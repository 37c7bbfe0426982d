//! Localisation against a mask.
//!
//! `values` and `mask` are row-major and equally long; true marks what was manipulated.

/// Area under the receiver operating characteristic of the pixels' ranking, ties counted half (mid-ranks); 0.5 for a flat map,
/// `None` where the mask is empty or full.
pub fn auroc(values: &[f32], mask: &[bool]) -> Option<f64> {
    let inside = mask.iter().filter(|m| **m).count();
    let outside = mask.len() - inside;
    if inside == 0 || outside == 0 {
        return None;
    }
    let order = ascending(values);
    let mut ranks = 0.0;
    let mut start = 0;
    while start < order.len() {
        let ties = order[start..].iter().take_while(|i| values[**i] == values[order[start]]).count().max(1);
        let middle = start as f64 + (ties as f64 + 1.0) / 2.0;
        ranks += middle * order[start..start + ties].iter().filter(|i| mask[**i]).count() as f64;
        start += ties;
    }
    let inside = inside as f64;
    Some((ranks - inside * (inside + 1.0) / 2.0) / (inside * outside as f64))
}

/// Intersection over union of the mask with as many of the highest pixels as it has; of equal pixels the first. 0 for an empty
/// mask.
pub fn iou(values: &[f32], mask: &[bool]) -> f64 {
    let area = mask.iter().filter(|m| **m).count();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| compare(values[*b], values[*a]));
    let shared = order.iter().take(area).filter(|i| mask[**i]).count();
    let union = 2 * area - shared;
    if union == 0 { 0.0 } else { shared as f64 / union as f64 }
}

/// Share inside the mask of the positive part of the map less its own mean; 0 for a flat map.
pub fn mass(values: &[f32], mask: &[bool]) -> f64 {
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len().max(1) as f64;
    let above = |v: &f32| (f64::from(*v) - mean).max(0.0);
    let all: f64 = values.iter().map(above).sum();
    let inside: f64 = values.iter().zip(mask).filter(|(_, m)| **m).map(|(v, _)| above(v)).sum();
    if all > 0.0 { inside / all } else { 0.0 }
}

/// Whether the highest pixel lies inside the mask (the pointing game of Zhang et al., arXiv 1608.00507, without tolerance); of
/// equal pixels the first.
pub fn pointing(values: &[f32], mask: &[bool]) -> bool {
    let best = (0..values.len()).rev().max_by(|a, b| compare(values[*a], values[*b]));
    best.is_some_and(|i| mask[i])
}

fn ascending(values: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| compare(values[*a], values[*b]));
    order
}

/// A total order in which 0 and -0 are equal, as they are to a reader of the map.
fn compare(a: f32, b: f32) -> std::cmp::Ordering {
    (a + 0.0).total_cmp(&(b + 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [bool; 4] = [true, false, true, false];

    #[test]
    fn auroc_counts_pairs_in_order_and_ties_half() {
        assert_eq!(auroc(&[4.0, 1.0, 3.0, 2.0], &MASK), Some(1.0));
        assert_eq!(auroc(&[1.0, 4.0, 2.0, 3.0], &MASK), Some(0.0));
        // Pairs: 3 over 2, 3 over 1, 2 with 2 (half), 2 over 1.
        assert_eq!(auroc(&[3.0, 2.0, 2.0, 1.0], &MASK), Some(3.5 / 4.0));
        assert_eq!(auroc(&[7.0; 4], &MASK), Some(0.5));
        assert_eq!((auroc(&[1.0; 2], &[true; 2]), auroc(&[1.0; 2], &[false; 2])), (None, None));
    }

    #[test]
    fn iou_takes_as_many_pixels_as_the_mask_has() {
        assert_eq!(iou(&[4.0, 1.0, 3.0, 2.0], &MASK), 1.0);
        // The two highest share one with the mask: one of three.
        assert_eq!(iou(&[4.0, 3.0, 1.0, 2.0], &MASK), 1.0 / 3.0);
        assert_eq!((iou(&[7.0; 4], &MASK), iou(&[1.0; 2], &[false; 2])), (1.0 / 3.0, 0.0));
    }

    #[test]
    fn mass_is_the_share_of_what_rises_above_the_mean() {
        // Mean 1: above it 3 inside and 1 outside.
        assert_eq!(mass(&[4.0, 2.0, -1.0, -1.0], &MASK), 0.75);
        assert_eq!(mass(&[7.0; 4], &MASK), 0.0);
    }

    #[test]
    fn pointing_looks_at_the_first_of_the_highest() {
        assert!(pointing(&[1.0, 0.0, 1.0, 1.0], &MASK));
        assert!(!pointing(&[0.0, 2.0, 1.0, 2.0], &MASK));
        assert!(!pointing(&[], &[]));
    }

    #[test]
    fn zero_and_its_negative_are_equal() {
        let values = [-0.0, 0.0, -0.0, 0.0];
        assert!(pointing(&values, &MASK));
        assert_eq!((auroc(&values, &MASK), iou(&values, &MASK)), (Some(0.5), 1.0 / 3.0));
    }
}
