//! The search against trying every set.

use std::cell::RefCell;

use unmask_core::{Draws, FromFn, ModelSpec, Scores};

use super::*;

/// A picture of ten columns and rows in ten regions, whose decision is a function of which regions are replaced: positive is another one.
struct Planted<F> {
    over: F,
    image: Arc<Tensor>,
    fill: Arc<Tensor>,
    labels: Arc<LabelMap>,
}

impl<F: Fn(&[bool]) -> f64> Planted<F> {
    fn new(over: F) -> Self {
        // Regions of different sizes: 3 and 7 rows.
        let numbers: Vec<u32> = (0..100).map(|i| u32::from(i / 10 >= 3) * 5 + (i % 10) / 2).collect();
        Self {
            over,
            image: Arc::new(Tensor::constant(&[1.0; 3], 10, 10)),
            fill: Arc::new(Tensor::constant(&[0.0; 3], 10, 10)),
            labels: Arc::new(LabelMap::new(10, 10, &numbers).unwrap()),
        }
    }

    fn replaced(&self, picture: &[f32]) -> Vec<bool> {
        let mut replaced = vec![false; self.labels.count()];
        self.labels.labels().iter().zip(picture).for_each(|(l, v)| replaced[*l as usize] = *v == 0.0);
        replaced
    }

    fn search(&self, passes: u64, check: &mut dyn FnMut(&[usize]) -> bool) -> Outcome {
        let spec = ModelSpec::plain("planted", 10, 10, &["real", "fake"]);
        let model = FromFn::new(spec, |x| vec![(self.over)(&self.replaced(&x[..100])) as f32, 0.0]);
        let over = |row: &[f32]| f64::from(row[0]);
        let (image, fill, labels) = (&self.image, &self.fill, &self.labels);
        let order: Vec<usize> = (0..labels.count()).collect();
        let scene = Scene { image, fill, labels, over: &over };
        let search = Counterfactual { regions: 16, passes };
        let (outcome, spent) =
            search.search(&scene, &order, &model, &mut |labels| Ok(Some(check(labels)))).unwrap();
        assert!(spent <= passes, "{spent} of {passes}");
        outcome
    }

    /// The set of fewest regions, and of these of least area, by trying all.
    fn exhaustive(&self) -> Option<Vec<usize>> {
        let mut areas = [0; 10];
        self.labels.labels().iter().for_each(|label| areas[*label as usize] += 1);
        let sets = (1..1_u32 << 10).map(|set| (0..10).map(|i| set & (1 << i) != 0).collect::<Vec<_>>());
        sets.filter(|set| (self.over)(set) as f32 > 0.0)
            .map(|set| (0..10).filter(|i| set[*i]).collect::<Vec<usize>>())
            .min_by_key(|set| (set.len(), set.iter().map(|i| areas[*i]).sum::<u32>()))
    }
}

/// The number of regions and the area of a set.
fn size(planted: &Planted<impl Fn(&[bool]) -> f64>, set: &[usize]) -> (usize, usize) {
    let within = planted.labels.labels().iter().filter(|label| set.contains(&(**label as usize)));
    (set.len(), within.count())
}

#[test]
fn it_finds_what_trying_every_set_finds() {
    let mut draws = Draws::new(7, 0);
    let mut found = [0; 11];
    for case in 0..60 {
        // Regions that add up, pairs that act only together or against each other, and a threshold that is harder from case to case.
        let alone: Vec<f64> = (0..10).map(|_| f64::from(draws.unit()) - 0.2).collect();
        let pairs: Vec<(usize, usize, f64)> = (0..6)
            .map(|_| {
                let mut any = || draws.below(10) as usize;
                (any(), any(), f64::from(draws.unit()) * 3.0 - 1.5)
            })
            .collect();
        let threshold = 0.3 + 0.07 * f64::from(case);
        let planted = Planted::new(|replaced: &[bool]| {
            let single: f64 = replaced.iter().zip(&alone).filter(|(r, _)| **r).map(|(_, v)| v).sum();
            let both: f64 = pairs.iter().filter(|(a, b, _)| replaced[*a] && replaced[*b]).map(|p| p.2).sum();
            single + both - threshold
        });
        match (planted.search(2_000, &mut |_| true), planted.exhaustive()) {
            (Outcome::Found(set, smallest), Some(best)) => {
                assert!(smallest, "case {case}");
                assert_eq!(size(&planted, &set), size(&planted, &best), "case {case}: {set:?} and {best:?}");
                found[set.len()] += 1;
            }
            (Outcome::None, None) => found[0] += 1,
            (got, best) => panic!("case {case}: {got:?} where {best:?} is the best"),
        }
    }
    // Sets of several sizes were there to be found.
    assert!(found.iter().filter(|n| **n > 0).count() >= 4, "{found:?}");
}

#[test]
fn a_set_that_only_acts_whole_is_found_though_no_part_of_it_leads_there() {
    let planted = Planted::new(|r: &[bool]| if r[1] && r[4] && r[8] && !r[0] { 1.0 } else { -1.0 });
    assert_eq!(planted.search(2_000, &mut |_| true), Outcome::Found(vec![1, 4, 8], true));
}

#[test]
fn of_sets_of_one_size_the_smaller_is_taken() {
    // Region 0 has 6 pixels, region 5 has 14.
    let planted = Planted::new(|r: &[bool]| if r[0] || r[5] { 1.0 } else { -1.0 });
    assert_eq!(planted.search(100, &mut |_| true), Outcome::Found(vec![0], true));
}

#[test]
fn a_search_that_runs_out_of_passes_does_not_say_that_it_tried_all() {
    // Five regions together; greedily they come one after the other.
    let planted = Planted::new(|r: &[bool]| r.iter().take(5).filter(|r| **r).count() as f64 - 4.5);
    let Outcome::Found(set, smallest) = planted.search(60, &mut |_| true) else {
        panic!("it is found greedily")
    };
    assert_eq!((set, smallest), (vec![0, 1, 2, 3, 4], false));
    let asked = RefCell::new(0);
    let counted = Planted::new(|_: &[bool]| {
        *asked.borrow_mut() += 1;
        -1.0
    });
    assert_eq!(counted.search(60, &mut |_| true), Outcome::Passes);
    assert!(*asked.borrow() <= 60, "{asked:?}");
}

#[test]
fn a_set_that_does_not_stand_the_check_is_no_answer() {
    let planted = Planted::new(|r: &[bool]| if r[2] || r[3] { 1.0 } else { -1.0 });
    assert_eq!(planted.search(500, &mut |set| set != [2]), Outcome::Found(vec![3], true));
    assert_eq!(planted.search(2_000, &mut |_| false), Outcome::None);
}

#[test]
fn what_nobody_could_check_is_not_told_as_tried() {
    let alone = |r: &[bool]| r[2] && r.iter().filter(|r| **r).count() == 1;
    let planted = Planted::new(move |r: &[bool]| if alone(r) || (r[3] && r[4]) { 1.0 } else { -1.0 });
    let spec = ModelSpec::plain("planted", 10, 10, &["real", "fake"]);
    let model = FromFn::new(spec, |x| vec![(planted.over)(&planted.replaced(&x[..100])) as f32, 0.0]);
    let over = |row: &[f32]| f64::from(row[0]);
    let (image, fill, labels) = (&planted.image, &planted.fill, &planted.labels);
    let scene = Scene { image, fill, labels, over: &over };
    let order: Vec<usize> = (0..10).collect();
    let search = Counterfactual::default();
    let (outcome, _) = search.search(&scene, &order, &model, &mut |_| Ok(None)).unwrap();
    assert_eq!(outcome, Outcome::Deadline);
    // However few passes there are, what is called the smallest is.
    let mut found = 0;
    for passes in 2..120 {
        match planted.search(passes, &mut |set| set != [2]) {
            Outcome::Found(set, smallest) => {
                assert!(!smallest || set == [3, 4], "{passes}: {set:?}");
                found += usize::from(smallest);
            }
            Outcome::Passes => {}
            other @ (Outcome::None | Outcome::Deadline) => panic!("{passes}: {other:?}"),
        }
    }
    assert!(found > 20, "{found}");
}

/// A model whose time is up after so many rounds.
struct Late(RefCell<usize>);

impl Forward for Late {
    fn spec(&self) -> &ModelSpec {
        unreachable!("nobody asks for it")
    }

    fn run(
        &self,
        rounds: &mut dyn Iterator<Item = Round>,
        fold: &mut dyn FnMut(usize, Scores) -> std::ops::ControlFlow<()>,
    ) -> Result<Ended, ForwardError> {
        for round in rounds {
            if *self.0.borrow() == 0 {
                return Ok(Ended::Deadline);
            }
            *self.0.borrow_mut() -= 1;
            let _ = fold(0, Scores::new(1, vec![-1.0; round.items.len()]));
        }
        Ok(Ended::All)
    }
}

#[test]
fn a_deadline_ends_it_with_that_word() {
    let planted = Planted::new(|_: &[bool]| -1.0);
    let (image, fill, labels) = (&planted.image, &planted.fill, &planted.labels);
    let scene = Scene { image, fill, labels, over: &|row| f64::from(row[0]) };
    let order: Vec<usize> = (0..10).collect();
    for rounds in [0, 1, 3] {
        let late = Late(RefCell::new(rounds));
        let outcome = Counterfactual::default().search(&scene, &order, &late, &mut |_| Ok(Some(true)));
        assert_eq!(outcome.unwrap().0, Outcome::Deadline);
    }
}
