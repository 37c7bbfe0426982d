//! When two perturbations are the same picture, told from their compact forms.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use crate::{Perturbation, Tensor};

impl Perturbation {
    /// Whether both become the same pixels of the same image and fill. Two that do may be told apart all the same, where
    /// that cannot be seen without expanding them.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Cells(a), Self::Cells(b)) => a == b,
            (Self::Segments { labels: a, shown: x }, Self::Segments { labels: b, shown: y }) => {
                Arc::ptr_eq(a, b) && x == y
            }
            (Self::Blocks(a), Self::Blocks(b)) => a == b,
            (Self::Ranked { ranks: a, top: m, shown: x }, Self::Ranked { ranks: b, top: n, shown: y }) => {
                Arc::ptr_eq(a, b) && m == n && x == y
            }
            (Self::Noise(a), Self::Noise(b)) => {
                let regions = match (&a.region, &b.region) {
                    (None, None) => true,
                    (Some(x), Some(y)) => Arc::ptr_eq(x, y),
                    (None, Some(_)) | (Some(_), None) => false,
                };
                Arc::ptr_eq(&a.direction, &b.direction) && a.scale == b.scale && regions
            }
            (Self::Dense(a), Self::Dense(b)) => Arc::ptr_eq(a, b),
            (
                Self::Cells(_)
                | Self::Segments { .. }
                | Self::Blocks(_)
                | Self::Ranked { .. }
                | Self::Noise(_)
                | Self::Dense(_),
                _,
            ) => false,
        }
    }

    /// A number that is equal for perturbations that are the same.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match self {
            Self::Cells(cells) => {
                cells.offset.hash(&mut hasher);
                // 0 and -0 are equal.
                cells.values.iter().for_each(|v| hasher.write_u32((v + 0.0).to_bits()));
            }
            Self::Segments { shown, .. } => shown.hash(&mut hasher),
            Self::Blocks(blocks) => {
                for block in blocks {
                    (&block.rows, &block.cols, &block.channels).hash(&mut hasher);
                }
            }
            Self::Ranked { top, shown, .. } => (top, shown).hash(&mut hasher),
            Self::Noise(noise) => {
                Arc::as_ptr(&noise.direction).hash(&mut hasher);
                noise.scale.iter().for_each(|v| hasher.write_u32((v + 0.0).to_bits()));
            }
            Self::Dense(picture) => Arc::as_ptr(picture).hash(&mut hasher),
        }
        hasher.finish()
    }

    /// The picture that it is without any part of another: the image where everything shows, the fill where nothing does.
    pub fn whole<'a>(&'a self, image: &'a Arc<Tensor>, fill: &'a Arc<Tensor>) -> Option<&'a Arc<Tensor>> {
        let either = |all: bool, none: bool| match (all, none) {
            (true, _) => Some(image),
            (_, true) => Some(fill),
            (false, false) => None,
        };
        match self {
            Self::Cells(cells) => {
                either(cells.values.iter().all(|v| *v == 1.0), cells.values.iter().all(|v| *v == 0.0))
            }
            Self::Segments { shown, .. } => either(shown.iter().all(|s| *s), !shown.iter().any(|s| *s)),
            Self::Blocks(blocks) => {
                let everything = image.data().len();
                either(blocks.iter().any(|block| block.size() == everything), blocks.is_empty())
            }
            Self::Ranked { ranks, top, shown } => {
                let (none, all) = (*top == 0, *top >= ranks.ranks().len());
                if *shown { either(all, none) } else { either(none, all) }
            }
            Self::Noise(_) => None,
            Self::Dense(picture) => Some(picture),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Basis, Block, Cells, Direction, Filter, LabelMap, Layout, Noise, Ranks};

    fn image() -> Arc<Tensor> {
        Arc::new(Tensor::new(1, 2, 2, vec![1.0, 2.0, 3.0, 4.0]).unwrap())
    }

    /// Perturbations of every kind, no two the same picture.
    fn all() -> Vec<Perturbation> {
        let labels = Arc::new(LabelMap::new(2, 2, &[0, 1, 1, 0]).unwrap());
        let ranks = Arc::new(Ranks::new(&[4.0, 3.0, 2.0, 1.0]));
        let direction = Arc::new(Direction::new(1, 2, Basis::Plane, (1, 2, 2)));
        let cells = |values: [f32; 2]| {
            let (plane, offset, filter) = ((2, 2), (0, 0), Filter::Nearest);
            Perturbation::Cells(Cells { rows: 1, cols: 2, values: values.into(), plane, offset, filter })
        };
        let segments =
            |shown: [bool; 2]| Perturbation::Segments { labels: Arc::clone(&labels), shown: shown.into() };
        let noise = |scale, region| {
            Perturbation::Noise(Noise { direction: Arc::clone(&direction), scale: [scale; 3], region })
        };
        let block = |cols| Perturbation::Blocks([Block { rows: 0..2, cols, channels: 0..1 }].into());
        vec![
            cells([0.5, 1.0]),
            cells([0.25, 1.0]),
            segments([true, false]),
            block(0..1),
            Perturbation::Ranked { ranks: Arc::clone(&ranks), top: 1, shown: false },
            Perturbation::Ranked { ranks, top: 3, shown: false },
            noise(0.5, None),
            noise(-0.5, None),
            noise(0.5, Some([true, false, false, false].into())),
            Perturbation::Dense(image()),
        ]
    }

    #[test]
    fn each_is_the_same_as_itself_alone() {
        let all = all();
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                assert_eq!(a.is_same(b), i == j, "{a:?} {b:?}");
            }
            assert!(a.is_same(&a.clone()) && a.fingerprint() == a.clone().fingerprint(), "{a:?}");
        }
    }

    #[test]
    fn what_shows_everything_is_the_image_and_what_shows_nothing_the_fill() {
        let (image, fill) = (image(), Arc::new(Tensor::constant(&[9.0], 2, 2)));
        let mut seen = [0, 0, 0];
        let pixels = |perturbation: &Perturbation| {
            let mut out = vec![0.0; 4];
            perturbation.expand(&image, &fill, Layout::Nchw, &mut out);
            out
        };
        let labels = Arc::new(LabelMap::new(2, 2, &[0, 1, 1, 0]).unwrap());
        let ranks = Arc::new(Ranks::new(&[4.0, 3.0, 2.0, 1.0]));
        let mut perturbations = all();
        for shows in [true, false] {
            perturbations
                .push(Perturbation::Segments { labels: Arc::clone(&labels), shown: [shows; 2].into() });
            for top in [0, 4] {
                perturbations.push(Perturbation::Ranked { ranks: Arc::clone(&ranks), top, shown: shows });
            }
            let (plane, offset, filter) = ((3, 3), (1, 0), Filter::Bilinear);
            let values = vec![if shows { 1.0 } else { 0.0 }; 4].into();
            perturbations.push(Perturbation::Cells(Cells {
                rows: 2,
                cols: 2,
                values,
                plane,
                offset,
                filter,
            }));
        }
        perturbations.push(Perturbation::Blocks([].into()));
        perturbations.push(Perturbation::Blocks([Block { rows: 0..2, cols: 0..2, channels: 0..1 }].into()));
        for perturbation in &perturbations {
            match perturbation.whole(&image, &fill) {
                Some(whole) => {
                    assert_eq!(pixels(perturbation), whole.data(), "{perturbation:?}");
                    seen[usize::from(Arc::ptr_eq(whole, &fill))] += 1;
                }
                None => seen[2] += 1,
            }
        }
        assert_eq!(seen, [6, 5, 9]);
    }
}
