//! One request's view of a model: the server's implementation of [`Forward`].

use std::collections::{HashMap, VecDeque};
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use unmask_core::{Ended, Forward, ForwardError, ModelSpec, Perturbation, ROUND, Round, Scores, Tensor};

use crate::answers::{Answers, Waited};
use crate::cancel::Cancel;
use crate::observer::Origin;
use crate::queue::Place;

/// Rounds that may be asked for before the first of them is folded: workers have the next round while a job folds.
const AHEAD: usize = 2;

/// Called with the number of passes whose scores have been folded.
type Progress = dyn Fn(u64) + Send + Sync;

/// What a job may cost.
#[derive(Clone, Default)]
pub struct Limits {
    /// Most forward passes; no limit where `None`.
    pub passes: Option<u64>,
    /// When to stop waiting; never where `None`.
    pub deadline: Option<Instant>,
    /// Its share beside other jobs; 0 counts as 1.
    pub weight: u32,
    /// Ends the job when nobody waits for its answer any more.
    pub cancel: Cancel,
    /// Told of every folded round.
    pub progress: Option<Arc<Progress>>,
    /// Where it comes from, for whoever is told of batches.
    pub origin: Option<Origin>,
}

/// What a job has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// Passes asked for.
    pub asked: u64,
    /// Passes run by the model.
    pub run: u64,
    /// Passes asked for and not run, because the same had been asked in the same round, or the whole picture before.
    pub duplicate: u64,
    /// Passes whose scores were folded, and those that were charged: as the limit of the same job they end it after the same round.
    pub used: u64,
    /// From the first question to the moment when a worker took it up.
    pub queue: Duration,
    /// The job's share of the time that workers spent on its batches.
    pub forward: Duration,
    /// From the last score of a round to the end of its fold, over all rounds.
    pub fold: Duration,
}

/// One request's place at a model. Dropping it frees the place; work that has not started is taken back.
pub struct Job {
    spec: Arc<ModelSpec>,
    place: Place,
    answers: Arc<Answers>,
    limits: Limits,
    asked: AtomicU64,
    duplicate: AtomicU64,
    rounds: AtomicU64,
    elsewhere: AtomicU64,
    /// Whether the limit of passes holds no longer.
    lifted: AtomicBool,
    clock: Mutex<Clock>,
    /// Whole pictures that have been scored, the request's own first. None is kept alive: one that nobody holds cannot be asked
    /// for again, and its place in memory is not another's while it is remembered here.
    known: Mutex<Vec<(Weak<Tensor>, Vec<f32>)>>,
}

/// Whole pictures whose scores are kept.
const KNOWN: usize = 64;

/// A round that workers have.
struct Flight {
    /// Its number, where anything of it has to be run.
    number: Option<u64>,
    rows: Vec<Row>,
    /// Rows to run that are whole pictures.
    whole: Vec<(usize, Arc<Tensor>)>,
}

/// Where the scores of an item come from.
enum Row {
    /// A row that is run; several items may share it.
    Run(usize),
    /// The score of a whole picture that is known.
    Known(Vec<f32>),
}

#[derive(Default)]
struct Clock {
    first_question: Option<Instant>,
    fold: Duration,
    folded: u64,
    last_fold: Option<Instant>,
}

impl Job {
    pub(crate) fn new(spec: Arc<ModelSpec>, place: Place, answers: Arc<Answers>, limits: Limits) -> Self {
        limits.cancel.watch(answers.clone());
        let (asked, duplicate, rounds, elsewhere, lifted) = Default::default();
        let (clock, known) = Default::default();
        Self { spec, place, answers, limits, asked, duplicate, rounds, elsewhere, lifted, clock, known }
    }

    /// Counts passes that were run by another job, such as a search, against this job's limit and in its progress.
    pub fn charge(&self, passes: u64) {
        self.elsewhere.fetch_add(passes, Ordering::Relaxed);
    }

    /// Ends the limit of passes: what is asked from here on is bounded by whoever asks.
    pub fn lift(&self) {
        self.lifted.store(true, Ordering::Relaxed);
    }

    /// When the last round was folded, if any was.
    pub fn folded_at(&self) -> Option<Instant> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner).last_fold
    }

    /// What the job has cost so far.
    pub fn meter(&self) -> Meter {
        let (run, forward, started) = self.answers.meter();
        let clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = match (clock.first_question, started) {
            (Some(asked), Some(started)) => started.saturating_duration_since(asked),
            _ => Duration::ZERO,
        };
        let (asked, duplicate) = (self.asked.load(Ordering::Relaxed), self.duplicate.load(Ordering::Relaxed));
        let used = clock.folded + self.elsewhere.load(Ordering::Relaxed);
        Meter { asked, run, duplicate, used, queue, forward, fold: clock.fold }
    }

    /// Puts what has to be run of a round in the queue.
    fn submit(&self, round: Round) -> Result<Flight, ForwardError> {
        let Round { image, fill, items } = round;
        self.asked.fetch_add(items.len() as u64, Ordering::Relaxed);
        let (mut unique, mut rows, mut whole) = (Vec::<Perturbation>::new(), Vec::new(), Vec::new());
        let mut prints: HashMap<u64, Vec<usize>> = HashMap::new();
        for item in items {
            let picture = item.whole(&image, &fill).cloned();
            if let Some(logits) = picture.as_ref().and_then(|picture| self.known(picture)) {
                rows.push(Row::Known(logits));
                continue;
            }
            let alike = prints.entry(item.fingerprint()).or_default();
            match alike.iter().find(|at| unique[**at].is_same(&item)) {
                Some(at) => rows.push(Row::Run(*at)),
                None => {
                    alike.push(unique.len());
                    rows.push(Row::Run(unique.len()));
                    whole.extend(picture.map(|picture| (unique.len(), picture)));
                    unique.push(item);
                }
            }
        }
        self.duplicate.fetch_add((rows.len() - unique.len()) as u64, Ordering::Relaxed);
        if unique.is_empty() {
            return Ok(Flight { number: None, rows, whole });
        }
        let number = self.rounds.fetch_add(1, Ordering::Relaxed);
        self.answers.expect(number, unique.len(), self.spec.row_len());
        self.place.submit(number, Round { image, fill, items: unique })?;
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.first_question.get_or_insert_with(Instant::now);
        Ok(Flight { number: Some(number), rows, whole })
    }

    /// The scores of a whole picture that have been asked for before.
    fn known(&self, picture: &Arc<Tensor>) -> Option<Vec<f32>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |(one, _): &&(Weak<Tensor>, _)| std::ptr::eq(one.as_ptr(), Arc::as_ptr(picture));
        known.iter().find(same).map(|(_, logits)| logits.clone())
    }

    /// Waits for what is run of a round, and puts all of it together.
    fn land(&self, flight: Flight) -> Result<Waited, ForwardError> {
        let Flight { number, rows, whole } = flight;
        let run = match number.map(|number| self.answers.wait(number)).transpose()? {
            Some(Waited::Deadline) => return Ok(Waited::Deadline),
            Some(Waited::Scores(scores)) => Some(scores),
            None => None,
        };
        let row = |at: usize| run.as_ref().map(|scores| scores.row(at)).unwrap_or_default();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(picture, _)| picture.strong_count() > 0);
        for (at, picture) in whole {
            if known.len() == KNOWN {
                // The request's own picture stays.
                known.remove(1);
            }
            known.push((Arc::downgrade(&picture), row(at).to_vec()));
        }
        drop(known);
        let mut logits = Vec::with_capacity(rows.len() * self.spec.row_len());
        for source in &rows {
            match source {
                Row::Run(at) => logits.extend_from_slice(row(*at)),
                Row::Known(known) => logits.extend_from_slice(known),
            }
        }
        Ok(Waited::Scores(Scores::new(self.spec.row_len(), logits)))
    }

    fn affords(&self, rows: usize) -> bool {
        if self.lifted.load(Ordering::Relaxed) {
            return true;
        }
        let spent = self.asked.load(Ordering::Relaxed) + self.elsewhere.load(Ordering::Relaxed);
        self.limits.passes.is_none_or(|most| spent + rows as u64 <= most)
    }

    /// A round that no worker could compose is refused here, on the job's own thread.
    fn check(&self, round: &Round) -> Result<(), ForwardError> {
        let input = &self.spec.input;
        let shape =
            |t: &unmask_core::Tensor| (t.channels(), t.height(), t.width()) == (3, input.height, input.width);
        let item = |p: &Perturbation| match p {
            Perturbation::Cells(cells) => {
                let within = cells.offset.0 + input.height <= cells.plane.0
                    && cells.offset.1 + input.width <= cells.plane.1;
                let whole = cells.rows * cells.cols == cells.values.len() && !cells.values.is_empty();
                within && whole && cells.values.iter().all(|v| (0.0..=1.0).contains(v))
            }
            Perturbation::Segments { labels, shown } => {
                (labels.height(), labels.width()) == (input.height, input.width)
                    && labels.count() == shown.len()
            }
            Perturbation::Ranked { ranks, .. } => ranks.ranks().len() == input.height * input.width,
            Perturbation::Blocks(blocks) => blocks.iter().all(|block| {
                let within = |span: &Range<usize>, end: usize| span.start <= span.end && span.end <= end;
                within(&block.rows, input.height)
                    && within(&block.cols, input.width)
                    && within(&block.channels, 3)
            }),
            Perturbation::Noise(noise) => {
                let direction = &noise.direction;
                let whole = noise.region.as_ref().is_none_or(|r| r.len() == input.height * input.width);
                direction.len() == direction.basis().len(3, input.height, input.width)
                    && !direction.is_empty()
                    && whole
            }
            Perturbation::Dense(picture) => shape(picture),
        };
        let fault = if !shape(&round.image) || !shape(&round.fill) {
            "image or fill is not of the model's shape"
        } else if round.items.is_empty() || round.items.len() > ROUND {
            "a round has 1 to 128 perturbations"
        } else if !round.items.iter().all(item) {
            "a perturbation does not fit the model's frame"
        } else {
            return Ok(());
        };
        Err(ForwardError::Malformed(fault.to_owned()))
    }

    /// Folds one answered round and keeps the time it took.
    fn fold(
        &self,
        number: usize,
        scores: Scores,
        fold: &mut dyn FnMut(usize, Scores) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let (started, rows) = (Instant::now(), scores.len() as u64);
        let flow = fold(number, scores);
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.fold += started.elapsed();
        clock.folded += rows;
        clock.last_fold = Some(Instant::now());
        if let Some(progress) = &self.limits.progress {
            progress(clock.folded + self.elsewhere.load(Ordering::Relaxed));
        }
        flow
    }
}

impl Forward for Job {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn run(
        &self,
        rounds: &mut dyn Iterator<Item = Round>,
        fold: &mut dyn FnMut(usize, Scores) -> ControlFlow<()>,
    ) -> Result<Ended, ForwardError> {
        let mut flying = VecDeque::new();
        let mut ended = None;
        let mut folded = 0;
        loop {
            while ended.is_none() && flying.len() < AHEAD {
                // Looked at before a round is made, which may take its time.
                let is_late = self.limits.deadline.is_some_and(|deadline| Instant::now() >= deadline);
                if is_late || self.limits.cancel.is_hurried() {
                    ended = Some(Ended::Deadline);
                    break;
                }
                match rounds.next() {
                    None => ended = Some(Ended::All),
                    Some(round) if !self.affords(round.items.len()) => ended = Some(Ended::Budget),
                    Some(round) => {
                        self.check(&round)?;
                        flying.push_back(self.submit(round)?);
                    }
                }
            }
            let Some(flight) = flying.pop_front() else { return Ok(ended.unwrap_or(Ended::All)) };
            let flow = match self.land(flight)? {
                Waited::Scores(scores) => self.fold(folded, scores, fold).map_break(|()| Ended::Stopped),
                Waited::Deadline => ControlFlow::Break(Ended::Deadline),
            };
            if let ControlFlow::Break(early) = flow {
                self.place.withdraw();
                return Ok(early);
            }
            folded += 1;
        }
    }
}
