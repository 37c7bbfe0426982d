//! One request's view of a model: the server's implementation of [`Forward`].

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use unmask_core::{Ended, Forward, ForwardError, ModelSpec, Perturbation, ROUND, Round, Scores};

use crate::answers::{Answers, Waited};
use crate::cancel::Cancel;
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
    /// Ends the job when nobody waits for its answer any more.
    pub cancel: Cancel,
    /// Told of every folded round.
    pub progress: Option<Arc<Progress>>,
}

/// What a job has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// Passes asked for.
    pub asked: u64,
    /// Passes run by the model.
    pub run: u64,
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
    rounds: AtomicU64,
    elsewhere: AtomicU64,
    clock: Mutex<Clock>,
}

#[derive(Default)]
struct Clock {
    first_question: Option<Instant>,
    fold: Duration,
    folded: u64,
}

impl Job {
    pub(crate) fn new(spec: Arc<ModelSpec>, place: Place, answers: Arc<Answers>, limits: Limits) -> Self {
        limits.cancel.watch(answers.clone());
        let (asked, rounds, elsewhere, clock) = Default::default();
        Self { spec, place, answers, limits, asked, rounds, elsewhere, clock }
    }

    /// Counts passes that were run by another job, such as a search, against this job's limit and in its progress.
    pub fn charge(&self, passes: u64) {
        self.elsewhere.fetch_add(passes, Ordering::Relaxed);
    }

    /// What the job has cost so far.
    pub fn meter(&self) -> Meter {
        let (run, forward, started) = self.answers.meter();
        let clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = match (clock.first_question, started) {
            (Some(asked), Some(started)) => started.saturating_duration_since(asked),
            _ => Duration::ZERO,
        };
        Meter { asked: self.asked.load(Ordering::Relaxed), run, queue, forward, fold: clock.fold }
    }

    /// Puts a round in the queue and gives its number within the job.
    fn submit(&self, round: Round) -> Result<u64, ForwardError> {
        let (number, rows) = (self.rounds.fetch_add(1, Ordering::Relaxed), round.items.len());
        self.asked.fetch_add(rows as u64, Ordering::Relaxed);
        self.answers.expect(number, rows, self.spec.classes());
        self.place.submit(number, round)?;
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.first_question.get_or_insert_with(Instant::now);
        Ok(number)
    }

    fn affords(&self, rows: usize) -> bool {
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
                if self.limits.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
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
            let Some(number) = flying.pop_front() else { return Ok(ended.unwrap_or(Ended::All)) };
            let flow = match self.answers.wait(number, self.limits.deadline)? {
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
