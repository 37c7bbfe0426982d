//! Models change under load: nobody loses an answer, every answer is of one model, and nothing of what has gone is left.
//!
//! `TEST_SWAPS` (default 20) and `TEST_BAD_SWAPS` (default 4) make the run as long as one likes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio_stream::StreamExt as _;
use tonic::{Code, Request};
use unmask_protocol::v1;
use unmask_protocol::v1::explanation_service_server::ExplanationService as _;
use unmask_protocol::v1::model_service_server::ModelService as _;
use unmask_server::{Config, Service};
use unmask_tests::{from_set_up, model, png, project, until};

const NAME: &str = "planted-linear";
const CLIENTS: usize = 8;
/// Threads of a model that is loaded: two workers, two of each.
const THREADS: usize = 4;

/// Threads of workers are counted, so that tests that have some take turns.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A root of its own, with the planted linear model in it.
struct Root(TempDir);

impl Root {
    fn new() -> Self {
        let root = Self(tempfile::tempdir().unwrap());
        root.swap("1", 0, None);
        root
    }

    fn config(&self, settings: &[(&str, &str)]) -> Config {
        let own = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        let mut overrides = vec![
            own("models.root", &self.0.path().to_string_lossy()),
            own("onnxruntime.library", &from_set_up("ORT_DYLIB_PATH").to_string_lossy()),
            own("pool.calibration", "off"),
            own("pool.workers", "2"),
            own("models.poll_seconds", "1"),
        ];
        overrides.extend(settings.iter().map(|(k, v)| own(k, v)));
        Config::read(None, &overrides).unwrap()
    }

    /// Puts a bundle with weights of its own digest in the place of a version, as a copy does: file by file where the version is
    /// there, else as a whole. `spoilt` replaces a part of the manifest.
    fn swap(&self, version: &str, number: usize, spoilt: Option<(&str, &str)>) -> String {
        let from = from_set_up("TEST_FIXTURES").join(NAME).join("1");
        let mut onnx = fs::read(from.join("model.onnx")).unwrap();
        // The model's own words about itself, field 6, which change its bytes and no score.
        let words = format!("{number:06}");
        onnx.extend([&[6 << 3 | 2, words.len() as u8], words.as_bytes()].concat());
        let digest = unmask_registry::sha256(&onnx);
        let manifest = fs::read_to_string(from.join("model.toml")).unwrap();
        let replaced = |line: &str| match line.split(" = ").next() {
            Some("version") => format!("version = \"{version}\"\n"),
            Some("sha256") => format!("sha256 = \"{digest}\"\n"),
            Some(_) | None => format!("{line}\n"),
        };
        let mut manifest: String = manifest.lines().map(replaced).collect();
        if let Some((from, to)) = spoilt {
            assert!(manifest.contains(from));
            manifest = manifest.replace(from, to);
        }
        let (staged, dir) = (self.0.path().join(".staged"), self.dir(version));
        fs::create_dir_all(&staged).unwrap();
        fs::write(staged.join("model.toml"), manifest).unwrap();
        fs::write(staged.join("model.onnx"), onnx).unwrap();
        fs::copy(from.join("golden.npy"), staged.join("golden.npy")).unwrap();
        if dir.exists() {
            for file in ["model.toml", "model.onnx", "golden.npy"] {
                fs::copy(staged.join(file), dir.join(file)).unwrap();
            }
            fs::remove_dir_all(&staged).unwrap();
        } else {
            fs::create_dir_all(dir.parent().unwrap()).unwrap();
            fs::rename(&staged, &dir).unwrap();
        }
        digest
    }

    fn dir(&self, version: &str) -> PathBuf {
        Path::new(self.0.path()).join(NAME).join(version)
    }
}

async fn predict(service: &Service) -> Result<v1::PredictResponse, tonic::Status> {
    let image = png(32, 32, |x, y| [x as u8, y as u8, 7]);
    let request = v1::PredictRequest { image, model: model(NAME), ..v1::PredictRequest::default() };
    service.predict(Request::new(request)).await.map(tonic::Response::into_inner)
}

/// Digest and reason of each version.
async fn listed(service: &Service) -> Vec<(String, String, String)> {
    let models =
        service.list_models(Request::new(v1::ListModelsRequest {})).await.unwrap().into_inner().models;
    let row = |m: v1::Model| {
        let version = m.version.unwrap_or_default();
        (version.version, version.sha256, m.reason)
    };
    models.into_iter().map(row).collect()
}

/// Waits until the list is so.
async fn until_listed(service: &Service, is: impl Fn(&[(String, String, String)]) -> bool) {
    let waiting = async {
        while !is(&listed(service).await) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    // Only keeps a broken test from hanging.
    if tokio::time::timeout(unmask_tests::PATIENCE, waiting).await.is_err() {
        panic!("it does not happen: {:?}", listed(service).await);
    }
}

/// Threads of workers of all models.
fn workers() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let named = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    named.filter(|name| name.starts_with("worker-") || name.starts_with("compose-")).count()
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn models_change_under_load_and_nobody_loses_an_answer() {
    let _alone = ALONE.lock().await;
    let (swaps, bad) = (number("TEST_SWAPS", 20), number("TEST_BAD_SWAPS", 4));
    let root = Root::new();
    let config = root.config(&[]);
    let service = Service::open(&config).unwrap();
    until(|| workers() == THREADS).await;
    let watching = service.watch(&config).unwrap();
    let digest = listed(&service).await[0].1.clone();
    // Whatever was there is there before it is served.
    let good = Arc::new(Mutex::new(BTreeSet::from([digest.clone()])));
    let (over, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (service, over, answers) = (service.clone(), over.clone(), answers.clone());
            tokio::spawn(async move {
                let mut seen = BTreeSet::new();
                while !over.load(Ordering::Relaxed) {
                    let answer = predict(&service).await.expect("no request fails");
                    seen.insert(answer.model.unwrap().sha256);
                    answers.fetch_add(1, Ordering::Relaxed);
                }
                seen
            })
        })
        .collect();

    let (mut current, mut version, mut refused) = (digest, 1, 0);
    for swap in 1..=swaps {
        let before = answers.load(Ordering::Relaxed);
        if (swap * bad) / swaps > ((swap - 1) * bad) / swaps {
            refused += 1;
            // By turns in the place of what serves and beside it; the session itself finds out.
            let at = if refused % 2 == 0 { version.to_string() } else { format!("{}", version + 1) };
            root.swap(&at, swap, Some(("-0.7197265625", "5.0")));
            let told =
                |(v, _, reason): &(String, String, String)| *v == at && reason.contains("golden score");
            until_listed(&service, |list| list.iter().any(told)).await;
            assert_eq!(predict(&service).await.unwrap().model.unwrap().sha256, current, "the old one serves");
            if refused % 2 == 1 {
                fs::remove_dir_all(root.dir(&at)).unwrap();
            }
        } else {
            version += swap % 2;
            let old = version - 1;
            // A copy over what serves is refused while it is half done, which is not what is waited for.
            current = root.swap(&version.to_string(), swap, None);
            good.lock().unwrap().insert(current.clone());
            let serves = |(v, digest, reason): &(String, String, String)| {
                *v == version.to_string() && *digest == current && reason.is_empty()
            };
            until_listed(&service, |list| list.iter().any(serves)).await;
            if root.dir(&old.to_string()).exists() {
                fs::remove_dir_all(root.dir(&old.to_string())).unwrap();
                until_listed(&service, |list| list.iter().all(|(v, ..)| *v != old.to_string())).await;
            }
        }
        until(|| answers.load(Ordering::Relaxed) > before).await;
    }
    over.store(true, Ordering::Relaxed);
    let mut seen = BTreeSet::new();
    for client in clients {
        seen.extend(client.await.unwrap());
    }
    assert_eq!(refused, bad);
    let good = good.lock().unwrap().clone();
    assert!(seen.is_subset(&good), "an answer of a model that was refused");
    assert!(seen.len() > (swaps - bad) / 2, "{} of {} models have answered", seen.len(), good.len());
    assert_eq!(predict(&service).await.unwrap().model.unwrap().sha256, current);
    until(|| workers() == THREADS).await;
    assert!(service.passes() > answers.load(Ordering::Relaxed), "models that have gone are counted");
    drop(watching);
    drop(service);
    assert_eq!(workers(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pictures_of_a_dataset_are_judged_by_the_model_that_it_began_with() {
    let _alone = ALONE.lock().await;
    let root = Root::new();
    let service = Service::open(&root.config(&[])).unwrap();
    let first = listed(&service).await[0].1.clone();
    let (send, requests) = tokio::sync::mpsc::channel(1);
    let mut answers = service.dataset(tokio_stream::wrappers::ReceiverStream::new(requests));
    let ask = async |kind| send.send(Ok(v1::EvaluateDatasetRequest { kind: Some(kind) })).await.unwrap();
    let method = v1::method::Kind::Occlusion(v1::Occlusion::default());
    let method = v1::Method { kind: Some(method), ..v1::Method::default() };
    let candidate = v1::Candidate {
        kind: Some(v1::candidate::Kind::Method(method)),
        fill: Some(unmask_tests::black_fill()),
        ..v1::Candidate::default()
    };
    let metric = v1::Metric { kind: Some(v1::metric::Kind::Sparseness(v1::Sparseness {})) };
    let plan = v1::EvaluationPlan {
        model: model(NAME),
        candidates: vec![candidate],
        metrics: vec![metric],
        ..v1::EvaluationPlan::default()
    };
    let plan = v1::DatasetPlan { plan: Some(plan), ..v1::DatasetPlan::default() };
    ask(v1::evaluate_dataset_request::Kind::Plan(plan)).await;
    let mut digests = Vec::new();
    for id in ["before", "after"] {
        let image = png(32, 32, |x, y| [x as u8, y as u8, 7]);
        let picture = v1::DatasetPicture { image, ..v1::DatasetPicture::default() };
        let kind = Some(v1::dataset_item::Kind::Picture(picture));
        ask(v1::evaluate_dataset_request::Kind::Item(v1::DatasetItem { id: id.into(), kind })).await;
        let row = loop {
            if let v1::evaluate_dataset_response::Kind::Row(row) =
                answers.next().await.unwrap().unwrap().kind.unwrap()
            {
                break row;
            }
        };
        let Some(v1::dataset_row::Kind::Answer(answer)) = row.kind else { panic!("{row:?}") };
        digests.push(answer.model.unwrap().sha256);
        let next = root.swap("1", digests.len(), None);
        service.rescan();
        assert_eq!(predict(&service).await.unwrap().model.unwrap().sha256, next);
    }
    assert_eq!(digests, [first.clone(), first]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_budget_a_model_is_loaded_for_who_asks_first_and_shown_as_it_is() {
    let _alone = ALONE.lock().await;
    let root = Root::new();
    let service = Service::open(&root.config(&[("models.memory_bytes", "1000000")])).unwrap();
    let get = async || {
        let request = v1::GetModelRequest { model: model(NAME) };
        service.get_model(Request::new(request)).await.unwrap().into_inner().model.unwrap()
    };
    let before = get().await;
    assert_eq!((before.state(), &before.serving), (v1::ModelState::NotLoaded, &None));
    assert_eq!((before.width, before.is_default, workers()), (32, true, 0));
    assert!(service.is_ready(), "it can be loaded");
    assert_eq!(predict(&service).await.unwrap().model, before.version);
    let after = get().await;
    assert_eq!((after.state(), after.serving.unwrap().layout.unwrap().workers), (v1::ModelState::Serving, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_cannot_be_opened_for_who_asks_is_refused_with_the_reason_and_the_server_is_not_ready() {
    let _alone = ALONE.lock().await;
    let root = Root::new();
    root.swap("1", 1, Some(("-0.7197265625", "5.0")));
    // Beside a model that finds faces, which is no reason to be asked.
    let faces = project("models/centerface").canonicalize().unwrap();
    std::os::unix::fs::symlink(faces, root.0.path().join("centerface")).unwrap();
    let service = Service::open(&root.config(&[("models.memory_bytes", "1000000000")])).unwrap();
    let error = predict(&service).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert!(error.message().contains("golden score"), "{error}");
    assert!(listed(&service).await.iter().any(|(_, _, reason)| reason.contains("golden score")));
    assert!(!service.is_ready());
}
