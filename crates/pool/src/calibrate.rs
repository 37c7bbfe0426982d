//! How many workers, of how many threads, with how large batches: measured on the machine at hand.
//!
//! Every way to divide the processor's cores into sessions is timed over batch sizes, all sessions at once, and the fastest is
//! taken; of ways that are about as fast, the one with the fewest threads a session, because threads that wait for each other lose
//! most when a neighbour takes a core, and then the smallest batches, which let others in sooner. Only
//! ways in which every picture keeps its bits take part, so that a choice never changes a score. What was found is kept in a
//! file for this model, runtime, processor and configuration.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use unmask_core::ModelSpec;
use unmask_registry::{Candidate, Golden, sha256};

use crate::backend::{Backend, BackendError, Device, Runtime};
use crate::probe::{Batching, LoadError, Shown, probe, same};

/// Sessions, threads and batch of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Workers per device, each with a session.
    pub workers: usize,
    /// Threads of each session.
    pub threads: usize,
    /// Most pictures in one batch.
    pub batch: usize,
}

/// A layout and how fast it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The layout.
    pub layout: Layout,
    /// Forward passes a second, over all workers.
    pub passes_per_second: f64,
}

/// What was measured, and what was chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The chosen layout.
    pub chosen: Layout,
    /// Every layout that was timed.
    pub points: Vec<Point>,
}

/// What a calibration holds for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) model: String,
    pub(crate) runtime: String,
    pub(crate) processor: String,
    pub(crate) devices: Vec<String>,
    /// Workers, threads and batch where they are configured.
    pub(crate) pinned: [Option<usize>; 3],
    pub(crate) unmask: String,
}

/// A file of the cache.
#[derive(Serialize, Deserialize)]
struct Kept {
    key: Key,
    calibration: Calibration,
}

/// Batch sizes that are timed, on the processor, where larger ones gain nothing and keep others waiting, and on other devices.
const ON_CPU: [usize; 4] = [1, 2, 4, 8];
const ON_DEVICE: [usize; 8] = [1, 4, 16, 32, 64, 128, 256, 512];
/// How long a layout is timed, and how often: others slow it down and nothing speeds it up, so that the best time counts.
pub(crate) const SPAN: Duration = Duration::from_millis(200);
const TIMES: usize = 3;
/// Layouts within this share of the fastest are about as fast.
const ALIKE: f64 = 0.05;

/// The layouts to time: every division of `cores` into equal sessions that the configuration allows.
pub(crate) fn layouts(device: Device, cores: usize, pinned: [Option<usize>; 3]) -> Vec<Layout> {
    let [workers, threads, batch] = pinned;
    let sizes: &[usize] = match device {
        Device::Cpu => &ON_CPU,
        Device::Cuda(_) | Device::TensorRt(_) => &ON_DEVICE,
    };
    let sizes: Vec<usize> = batch.map_or_else(|| sizes.to_vec(), |batch| vec![batch]);
    let divisions: Vec<(usize, usize)> = match (device, workers, threads) {
        (_, Some(workers), Some(threads)) => vec![(workers, threads)],
        (Device::Cpu, Some(workers), None) => vec![(workers, 1), (workers, cores.div_ceil(workers))],
        (Device::Cpu, None, Some(threads)) => vec![((cores / threads).max(1), threads)],
        (Device::Cpu, None, None) => {
            (1..=cores).filter(|n| cores.is_multiple_of(*n)).map(|n| (cores / n, n)).collect()
        }
        (Device::Cuda(_) | Device::TensorRt(_), workers, threads) => {
            vec![(workers.unwrap_or(1), threads.unwrap_or(1)), (workers.unwrap_or(2), threads.unwrap_or(1))]
        }
    };
    let mut layouts = Vec::new();
    for (workers, threads) in divisions {
        for batch in &sizes {
            let layout = Layout { workers, threads, batch: *batch };
            if !layouts.contains(&layout) {
                layouts.push(layout);
            }
        }
    }
    layouts
}

/// What is timed.
pub(crate) struct Plan<'a> {
    pub(crate) layouts: &'a [Layout],
    /// The largest batch that the model would have without a calibration.
    pub(crate) batch: usize,
    /// How long each layout is timed at a time.
    pub(crate) span: Duration,
}

/// Times the layouts and takes the best; `None` where none of them stands. `open` opens a session of so many threads.
///
/// How pictures stand together, and with which bits, is settled by the plan's batch alone: where scores depend on the size of a batch,
/// a calibration chooses sessions and threads, and the size stays. A layout that cannot be opened or run is left out.
///
/// # Errors
/// What opening and probing the first session answers.
pub(crate) fn calibrate(
    spec: &ModelSpec,
    golden: &Golden,
    plan: &Plan<'_>,
    open: &mut dyn FnMut(usize) -> Result<Box<dyn Backend>, BackendError>,
) -> Result<Option<Calibration>, LoadError> {
    let first = plan.layouts.first().map_or(1, |layout| layout.threads);
    let reference = probe(spec, golden, open(first)?.as_mut(), plan.batch)?;
    let fits = |layout: &&Layout| match reference.batching {
        Batching::Any(_) => true,
        Batching::Fixed(size) => layout.batch == size,
        Batching::Single => layout.batch == 1,
    };
    let layouts: Vec<Layout> = plan.layouts.iter().filter(fits).copied().collect();
    let mut points: Vec<Point> = Vec::new();
    let mut fallen: Vec<Layout> = Vec::new();
    let mut sessions = Sessions { division: None, open: Vec::new() };
    for turn in 0..TIMES {
        for layout in &layouts {
            if fallen.contains(layout) {
                continue;
            }
            let timed = sessions.of(*layout, open).and_then(|sessions| {
                if turn == 0 && !keeps_bits(spec, golden, sessions, *layout, &reference)? {
                    return Ok(None);
                }
                speed(spec, golden, sessions, layout.batch, plan.span).map(Some)
            });
            match timed {
                Ok(Some(rate)) => match points.iter_mut().find(|point| point.layout == *layout) {
                    Some(known) => known.passes_per_second = known.passes_per_second.max(rate),
                    None => points.push(Point { layout: *layout, passes_per_second: rate }),
                },
                Ok(None) => fallen.push(*layout),
                Err(error) => {
                    tracing::warn!(?layout, %error, "a layout is left out");
                    points.retain(|point| point.layout != *layout);
                    fallen.push(*layout);
                    // A session that has failed is not used again.
                    sessions = Sessions { division: None, open: Vec::new() };
                }
            }
        }
    }
    Ok(choose(&points).map(|chosen| Calibration { chosen, points }))
}

/// The sessions of one division of the cores.
struct Sessions {
    division: Option<(usize, usize)>,
    open: Vec<Box<dyn Backend>>,
}

impl Sessions {
    /// Those of a layout, opened where the last one had others.
    fn of(
        &mut self,
        layout: Layout,
        open: &mut dyn FnMut(usize) -> Result<Box<dyn Backend>, BackendError>,
    ) -> Result<&mut [Box<dyn Backend>], BackendError> {
        let division = Some((layout.workers, layout.threads));
        if self.division != division {
            (self.division, self.open) = (None, Vec::new());
            for _ in 0..layout.workers {
                self.open.push(open(layout.threads)?);
            }
            self.division = division;
        }
        Ok(&mut self.open)
    }
}

/// Whether pictures have the reference's bits in all sessions of a layout: another would change scores with the machine's mood.
fn keeps_bits(
    spec: &ModelSpec,
    golden: &Golden,
    sessions: &mut [Box<dyn Backend>],
    layout: Layout,
    reference: &Shown,
) -> Result<bool, BackendError> {
    let batching = match reference.batching {
        Batching::Any(_) => Batching::Any(layout.batch),
        other @ (Batching::Fixed(_) | Batching::Single) => other,
    };
    let shown = Shown { batching, ..reference.clone() };
    for session in sessions {
        if !same(spec, golden, session.as_mut(), &shown).map_err(|e| BackendError::Run(e.to_string()))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The fastest, or of those about as fast the one with the fewest threads and then the smallest batch.
fn choose(points: &[Point]) -> Option<Layout> {
    let best = points.iter().map(|point| point.passes_per_second).fold(0.0, f64::max);
    let alike = points.iter().filter(|point| point.passes_per_second >= (1.0 - ALIKE) * best);
    alike.map(|point| point.layout).min_by_key(|layout| (layout.threads, layout.batch))
}

/// Passes a second of all sessions at once.
fn speed(
    spec: &ModelSpec,
    golden: &Golden,
    sessions: &mut [Box<dyn Backend>],
    batch: usize,
    span: Duration,
) -> Result<f64, BackendError> {
    let input: Vec<f32> = golden.input.iter().copied().cycle().take(batch * spec.picture_len()).collect();
    let input = &input;
    let started = Instant::now();
    let counts = std::thread::scope(|scope| {
        let timed = sessions.iter_mut().map(|session| {
            scope.spawn(move || {
                session.run(batch, input)?;
                let (began, mut passes) = (Instant::now(), 0);
                while began.elapsed() < span {
                    session.run(batch, input)?;
                    passes += batch;
                }
                Ok::<f64, BackendError>(passes as f64 / began.elapsed().as_secs_f64())
            })
        });
        let timed: Vec<_> = timed.collect();
        let panicked = |_| Err(BackendError::Run("a session panicked".into()));
        timed.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect::<Result<Vec<_>, _>>()
    })?;
    tracing::debug!(batch, sessions = counts.len(), took = ?started.elapsed(), "timed");
    Ok(counts.iter().sum())
}

/// Passes a second of ONNX Runtime alone on the processor, in sessions of this layout: what nothing built on it can exceed.
///
/// # Errors
/// What opening a session and running it answers.
pub fn bare_speed(
    candidate: &Candidate,
    runtime: &Runtime,
    layout: Layout,
    span: Duration,
) -> Result<f64, LoadError> {
    let session = |_| {
        runtime.session(&candidate.spec, &candidate.model, &candidate.external, Device::Cpu, layout.threads)
    };
    let mut sessions = (0..layout.workers).map(session).collect::<Result<Vec<_>, _>>()?;
    Ok(speed(&candidate.spec, &candidate.golden, &mut sessions, layout.batch, span)?)
}

/// What the cache has for this key, if it is one of the layouts that would be timed. A file that cannot be read, or is of another
/// key, is none.
pub(crate) fn kept(cache: &Path, key: &Key, possible: &[Layout]) -> Option<Calibration> {
    let bytes = std::fs::read(file(cache, key)).ok()?;
    let kept: Kept = serde_json::from_slice(&bytes).ok()?;
    // Only what could have been measured here is believed: a file may have been written by anybody.
    let Calibration { chosen, points } = &kept.calibration;
    let measured = points.iter().any(|point| point.layout == *chosen);
    (kept.key == *key && measured && possible.contains(chosen)).then_some(kept.calibration)
}

/// Keeps a calibration, where there can be files; it is measured again otherwise.
pub(crate) fn keep(cache: &Path, key: &Key, calibration: &Calibration) {
    let write = || -> std::io::Result<()> {
        let path = file(cache, key);
        std::fs::create_dir_all(cache)?;
        let kept = Kept { key: key.clone(), calibration: calibration.clone() };
        let half = path.with_extension(format!("part-{}", std::process::id()));
        std::fs::write(&half, serde_json::to_vec_pretty(&kept)?)?;
        std::fs::rename(&half, &path)
    };
    if let Err(error) = write() {
        tracing::warn!(path = %cache.display(), %error, "a calibration could not be kept");
    }
}

fn file(cache: &Path, key: &Key) -> PathBuf {
    let name = sha256(format!("{key:?}").as_bytes());
    cache.join(format!("{}.json", &name[..24]))
}

/// The kind of processor, as far as it tells itself, and how many cores may be used.
pub(crate) fn processor(cores: usize) -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let name = name.map_or(std::env::consts::ARCH, |(_, name)| name);
    format!("{name}, {cores} cores")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(workers: usize, threads: usize, batch: usize, passes_per_second: f64) -> Point {
        Point { layout: Layout { workers, threads, batch }, passes_per_second }
    }

    #[test]
    fn cores_are_divided_into_equal_sessions() {
        let divisions = |cores, pinned| {
            let mut seen: Vec<(usize, usize)> =
                layouts(Device::Cpu, cores, pinned).iter().map(|l| (l.workers, l.threads)).collect();
            seen.dedup();
            seen
        };
        assert_eq!(divisions(4, [None; 3]), [(4, 1), (2, 2), (1, 4)]);
        assert_eq!(divisions(1, [None; 3]), [(1, 1)]);
        assert_eq!(divisions(8, [Some(2), None, None]), [(2, 1), (2, 4)]);
        assert_eq!(divisions(8, [None, Some(2), None]), [(4, 2)]);
        let batches: Vec<usize> =
            layouts(Device::Cpu, 2, [None, Some(1), Some(5)]).iter().map(|l| l.batch).collect();
        assert_eq!(batches, [5]);
    }

    #[test]
    fn of_layouts_that_are_about_as_fast_the_one_with_few_threads_and_small_batches_is_taken() {
        let points =
            [point(1, 2, 1, 1010.0), point(2, 1, 4, 1000.0), point(2, 1, 2, 980.0), point(2, 1, 1, 700.0)];
        assert_eq!(choose(&points), Some(points[2].layout));
        let clear = [point(2, 1, 1, 500.0), point(2, 1, 8, 1000.0)];
        assert_eq!(choose(&clear), Some(clear[1].layout));
        assert_eq!(choose(&[]), None);
    }

    #[test]
    fn a_calibration_is_kept_for_its_own_key_and_a_broken_file_is_none() {
        let dir = std::env::temp_dir().join(format!("unmask-calibration-{}", std::process::id()));
        let key = |model: &str| Key {
            model: model.into(),
            runtime: "1".into(),
            processor: processor(2),
            devices: vec!["cpu".into()],
            pinned: [None, Some(1), None],
            unmask: "0".into(),
        };
        let found = Calibration { chosen: point(2, 1, 4, 0.0).layout, points: vec![point(2, 1, 4, 812.5)] };
        let possible = layouts(Device::Cpu, 2, [None, Some(1), None]);
        let kept = |_: &Path, key: &Key| kept(&dir, key, &possible);
        assert_eq!(kept(&dir, &key("a")), None);
        keep(&dir, &key("a"), &found);
        assert_eq!(kept(&dir, &key("a")), Some(found.clone()));
        assert_eq!(kept(&dir, &key("b")), None);
        // Renamed, it is still of its own key.
        std::fs::copy(file(&dir, &key("a")), file(&dir, &key("b"))).unwrap();
        assert_eq!(kept(&dir, &key("b")), None);
        std::fs::write(file(&dir, &key("a")), b"{").unwrap();
        assert_eq!(kept(&dir, &key("a")), None);
        for (workers, batch) in [(0, 1), (500, 4), (2, 3), (2, 8)] {
            // The last is possible and was not measured.
            let mad = Calibration { chosen: Layout { workers, threads: 1, batch }, ..found.clone() };
            keep(&dir, &key("a"), &mad);
            assert_eq!(kept(&dir, &key("a")), None, "{workers} {batch}");
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }

    /// A model of the sum of a picture and of what a batch adds to it, which fails in batches of 8.
    struct Batched(fn(usize) -> f32);

    impl Backend for Batched {
        fn run(&mut self, batch: usize, input: &[f32]) -> Result<Vec<f32>, BackendError> {
            if batch == 8 {
                return Err(BackendError::Run("out of memory".into()));
            }
            let added = (self.0)(batch);
            Ok(input.chunks_exact(12).flat_map(|x| [0.0, x.iter().sum::<f32>() + added]).collect())
        }
    }

    fn found(added: fn(usize) -> f32) -> Calibration {
        let spec = ModelSpec::plain("m", 2, 2, &["real", "fake"]);
        let input: Vec<f32> = (0..24).map(|i| i as f32 / 50.0).collect();
        let scores = input.chunks_exact(12).flat_map(|x| [0.0, x.iter().sum::<f32>()]).collect();
        let golden = Golden { input, scores, rows: 2, tolerance: 0.1 };
        let layouts = layouts(Device::Cpu, 2, [None; 3]);
        let open = &mut |_| Ok(Box::new(Batched(added)) as Box<dyn Backend>);
        let plan = Plan { layouts: &layouts, batch: 4, span: Duration::from_millis(5) };
        calibrate(&spec, &golden, &plan, open).unwrap().unwrap()
    }

    #[test]
    fn a_layout_that_fails_is_left_out_and_takes_nothing_from_the_others() {
        let batches: Vec<usize> = found(|_| 0.0).points.iter().map(|point| point.layout.batch).collect();
        assert_eq!(batches, [1, 2, 4, 1, 2, 4]);
    }

    #[test]
    fn where_scores_depend_on_the_size_of_a_batch_the_size_stays() {
        let sized = found(|batch| batch as f32 * 1e-3);
        assert!(sized.points.iter().all(|point| point.layout.batch == 4), "{sized:?}");
        assert_eq!(sized.chosen.batch, 4);
    }
}
