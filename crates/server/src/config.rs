//! Configuration: a file, then the environment, then flags, each over the last; what is typed becomes what is meant.
//!
//! Keys are the same everywhere: `pool.batch` in the file's `[pool]`, `UNMASK_POOL__BATCH` in the environment and
//! `--set pool.batch=8` on the command line. A key that does not exist is refused, so that a slip of the pen is seen.

use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Environment, File, FileFormat};
use serde::Deserialize;
use thiserror::Error;
use unmask_explainer::image;
use unmask_pool::{Calibrating, Device, Fallback, Settings};

use crate::fills::Policy;

/// Everything that can be configured.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The socket and its limits.
    pub server: Server,
    /// Where models lie.
    pub models: Models,
    /// Where the library lies.
    pub onnxruntime: OnnxRuntime,
    /// Workers and batches.
    pub pool: Pool,
    /// Which pictures are read.
    pub image: Image,
    /// Which fills are kept.
    pub fills: Fills,
    /// What is logged.
    pub log: Log,
}

/// The socket and its limits.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port of the gRPC socket, plaintext.
    pub listen: String,
    /// Largest message that is read, in bytes; a larger one is RESOURCE_EXHAUSTED.
    pub max_message_bytes: usize,
    /// Requests that are worked on at the same time; one more is RESOURCE_EXHAUSTED.
    pub max_jobs: usize,
}

/// Where models lie.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Models {
    /// Directory of bundles, NAME/VERSION.
    pub root: PathBuf,
    /// Name that a request without a model gets. Needed when more than one name is served.
    pub default: Option<String>,
}

/// Where the library lies.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OnnxRuntime {
    /// Path of libonnxruntime, or a name for the system's loader.
    pub library: PathBuf,
}

/// Workers and batches.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pool {
    /// Workers per device; where it is not given it is calibrated, or one per processor core, or one per GPU.
    pub workers: Option<usize>,
    /// Threads of each session; where it is not given it is calibrated, or one.
    pub threads: Option<usize>,
    /// Most pictures in one batch; where it is not given it is calibrated, or 8.
    pub batch: Option<usize>,
    /// Where what is not given comes from: "off", "cached", "load" or "anew". Default: "load" for a server, else "cached".
    pub calibration: Option<CalibrationWord>,
    /// Where calibrations are kept. Default: unmask in $XDG_CACHE_HOME or $HOME/.cache, else nowhere.
    pub cache: Option<PathBuf>,
    /// Shares of the classes of requests.
    pub weights: Weights,
    /// cpu, cuda:N, tensorrt:N.
    pub devices: Vec<String>,
    /// What happens when a device is not there: "refuse" or "cpu".
    pub fallback: FallbackWord,
}

/// Shares of passes that requests of a class get beside others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// Somebody waits.
    pub interactive: u32,
    /// Neither.
    pub normal: u32,
    /// It may take its time.
    pub bulk: u32,
}

/// Where workers, threads and batch come from where they are not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum CalibrationWord {
    /// The defaults.
    Off,
    /// What was measured before, else the defaults.
    Cached,
    /// What was measured before, else measured when a model is loaded.
    Load,
    /// Measured whenever a model is loaded.
    Anew,
}

/// What happens when a device is not there.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum FallbackWord {
    /// The model is refused.
    #[default]
    Refuse,
    /// The processor takes its place.
    Cpu,
}

/// Which pictures are read.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Image {
    /// Most pixels, told from the header before anything is decoded.
    pub max_pixels: u64,
    /// Fewest pixels on a side.
    pub min_side: u32,
}

/// Which fills are kept, so that the next explanation of the same picture need not search again.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fills {
    /// Most bytes in memory, over all fills; 0 keeps none.
    pub max_bytes: u64,
    /// Seconds from the moment when a fill was made.
    pub ttl_seconds: u64,
}

/// What is logged.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// A filter such as "info" or "unmask_server=debug,info".
    pub filter: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum LogFormat {
    /// For people.
    #[default]
    Pretty,
    /// For machines.
    Json,
}

/// The meaning of a word, or what was got and what is allowed.
fn meant<T: Copy>(got: &str, words: &[(&str, T)]) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| *word == got).map(|(_, meaning)| *meaning);
    let allowed = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| format!("got \"{got}\", allowed are {}", allowed()))
}

impl TryFrom<String> for CalibrationWord {
    type Error = String;

    fn try_from(got: String) -> Result<Self, String> {
        let words =
            [("off", Self::Off), ("cached", Self::Cached), ("load", Self::Load), ("anew", Self::Anew)];
        meant(&got, &words)
    }
}

impl TryFrom<String> for FallbackWord {
    type Error = String;

    fn try_from(got: String) -> Result<Self, String> {
        meant(&got, &[("refuse", Self::Refuse), ("cpu", Self::Cpu)])
    }
}

impl TryFrom<String> for LogFormat {
    type Error = String;

    fn try_from(got: String) -> Result<Self, String> {
        meant(&got, &[("pretty", Self::Pretty), ("json", Self::Json)])
    }
}

impl Default for Server {
    fn default() -> Self {
        Self { listen: "127.0.0.1:50051".into(), max_message_bytes: 32 << 20, max_jobs: 64 }
    }
}

impl Default for Models {
    fn default() -> Self {
        Self { root: "models".into(), default: None }
    }
}

impl Default for OnnxRuntime {
    fn default() -> Self {
        Self { library: "libonnxruntime.so".into() }
    }
}

impl Default for Pool {
    fn default() -> Self {
        let devices = vec![Device::Cpu.to_string()];
        let (workers, threads, batch, calibration, cache) = Default::default();
        let (fallback, weights) = Default::default();
        Self { workers, threads, batch, calibration, cache, weights, devices, fallback }
    }
}

impl Default for Weights {
    fn default() -> Self {
        Self { interactive: 16, normal: 4, bulk: 1 }
    }
}

impl Default for Image {
    fn default() -> Self {
        let limits = image::Limits::default();
        Self { max_pixels: limits.max_pixels, min_side: limits.min_side }
    }
}

impl Default for Fills {
    fn default() -> Self {
        Self { max_bytes: 256 << 20, ttl_seconds: 600 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".into(), format: LogFormat::default() }
    }
}

/// Why a configuration is refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It cannot be read, or a key or type is wrong.
    #[error("configuration: {0}")]
    Read(#[from] config::ConfigError),
    /// Values are out of bounds; all of them.
    #[error("configuration: {}", .0.join("; "))]
    Bounds(Vec<String>),
}

impl Config {
    /// Reads the file, if one is named, the environment variables `UNMASK_...` and the overrides, in this order.
    /// `ORT_DYLIB_PATH` names the library where nothing else does.
    ///
    /// # Errors
    /// [`ConfigError`] names every wrong key or value.
    pub fn read(file: Option<&Path>, overrides: &[(String, String)]) -> Result<Self, ConfigError> {
        // A variable that is not text is none of ours.
        let text = |(key, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((key.into_string().ok()?, value.into_string().ok()?))
        };
        let environment = std::env::vars_os().filter_map(text).collect();
        Self::read_from(file, environment, overrides)
    }

    fn read_from(
        file: Option<&Path>,
        environment: config::Map<String, String>,
        overrides: &[(String, String)],
    ) -> Result<Self, ConfigError> {
        let mut builder = config::Config::builder();
        if let Some(library) = environment.get("ORT_DYLIB_PATH").filter(|v| !v.is_empty()) {
            builder = builder.set_default("onnxruntime.library", library.as_str())?;
        }
        if let Some(file) = file {
            builder = builder.add_source(File::from(file).format(FileFormat::Toml));
        }
        let variables = Environment::with_prefix("UNMASK")
            .prefix_separator("_")
            .separator("__")
            .try_parsing(true)
            .list_separator(",")
            .with_list_parse_key("pool.devices")
            .source(Some(environment));
        builder = builder.add_source(variables);
        for (key, value) in overrides {
            builder = match key.as_str() {
                "pool.devices" => builder.set_override(key, value.split(',').collect::<Vec<_>>())?,
                _ => builder.set_override(key, value.as_str())?,
            };
        }
        let config: Self = builder.build()?.try_deserialize()?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let mut faults = Vec::new();
        let mut within = |key: &str, value: u64, min: u64, max: u64| {
            if !(min..=max).contains(&value) {
                faults.push(format!("{key} is {value}, allowed is {min} to {max}"));
            }
        };
        within("server.max_message_bytes", self.server.max_message_bytes as u64, 1 << 10, 1 << 30);
        within("server.max_jobs", self.server.max_jobs as u64, 1, 400);
        within("pool.workers", self.pool.workers.unwrap_or(1) as u64, 1, 256);
        within("pool.threads", self.pool.threads.unwrap_or(1) as u64, 1, 256);
        within("pool.batch", self.pool.batch.unwrap_or(1) as u64, 1, 1024);
        let Weights { interactive, normal, bulk } = self.pool.weights;
        for (class, weight) in [("interactive", interactive), ("normal", normal), ("bulk", bulk)] {
            within(&format!("pool.weights.{class}"), weight.into(), 1, 1000);
        }
        within("pool.devices (how many)", self.pool.devices.len() as u64, 1, 64);
        within("image.max_pixels", self.image.max_pixels, 1 << 8, 1 << 30);
        within("image.min_side", u64::from(self.image.min_side), 1, 1024);
        within("fills.max_bytes", self.fills.max_bytes, 0, 1 << 36);
        within("fills.ttl_seconds", self.fills.ttl_seconds, 1, 86_400);
        for device in &self.pool.devices {
            if let Err(error) = device.parse::<Device>() {
                faults.push(format!("pool.devices: {error}"));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(ConfigError::Bounds(faults)) }
    }

    /// What the pool needs to know.
    pub(crate) fn pool_settings(&self) -> Settings {
        let devices: Vec<Device> = self.pool.devices.iter().filter_map(|d| d.parse().ok()).collect();
        let fallback = match self.pool.fallback {
            FallbackWord::Refuse => Fallback::Refuse,
            FallbackWord::Cpu => Fallback::Cpu,
        };
        // A request may wait for a search, which has a place of its own.
        let jobs = 2 * self.server.max_jobs;
        let Pool { workers, threads, batch, .. } = self.pool;
        let calibration = match self.pool.calibration {
            Some(CalibrationWord::Off) => Calibrating::Off,
            Some(CalibrationWord::Cached) | None => Calibrating::Cached,
            Some(CalibrationWord::Load) => Calibrating::Load,
            Some(CalibrationWord::Anew) => Calibrating::Anew,
        };
        let cache = self.pool.cache.clone().or_else(usual_cache);
        Settings { workers, threads, batch, jobs, devices, fallback, calibration, cache }
    }

    pub(crate) fn fills_policy(&self) -> Policy {
        Policy { max_bytes: self.fills.max_bytes, ttl: Duration::from_secs(self.fills.ttl_seconds) }
    }

    pub(crate) fn image_limits(&self) -> image::Limits {
        image::Limits { max_pixels: self.image.max_pixels, min_side: self.image.min_side }
    }
}

/// Where programs of this user keep what they can make again.
fn usual_cache() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")))?;
    Some(base.join("unmask"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(environment: &[(&str, &str)], overrides: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let own = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect::<Vec<_>>()
        };
        Config::read_from(None, own(environment).into_iter().collect(), &own(overrides))
    }

    #[test]
    fn defaults_stand_where_nothing_is_said() {
        let config = read(&[("PATH", "/bin")], &[]).unwrap();
        assert_eq!(config.server.listen, "127.0.0.1:50051");
        assert_eq!(config.pool.devices, ["cpu"]);
    }

    #[test]
    fn flags_stand_over_the_environment() {
        let environment = [("UNMASK_POOL__BATCH", "3"), ("UNMASK_POOL__DEVICES", "cpu,cuda:1")];
        let config = read(&environment, &[("pool.batch", "5")]).unwrap();
        assert_eq!(config.pool.batch, Some(5));
        assert_eq!(config.pool.devices, ["cpu", "cuda:1"]);
        assert_eq!(config.pool_settings().devices, [Device::Cpu, Device::Cuda(1)]);
    }

    #[test]
    fn a_file_stands_under_both() {
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        std::fs::write(file.path(), "[pool]\nbatch = 2\nthreads = 4\n[log]\nformat = \"json\"\n").unwrap();
        let over = [("pool.threads".to_owned(), "2".to_owned())];
        let config = Config::read_from(Some(file.path()), config::Map::new(), &over).unwrap();
        assert_eq!((config.pool.batch, config.pool.threads), (Some(2), Some(2)));
        assert!(matches!(config.log.format, LogFormat::Json));
    }

    #[test]
    fn an_unknown_key_is_refused_wherever_it_stands() {
        for (environment, overrides) in [
            (&[("UNMASK_POOL__BATCHES", "3")][..], &[][..]),
            (&[], &[("server.port", "1")]),
            (&[("UNMASK_PORT", "1")], &[]),
        ] {
            let error = read(environment, overrides).unwrap_err().to_string();
            assert!(error.contains("unknown field"), "{error}");
        }
    }

    #[test]
    fn a_word_that_is_not_known_is_told_with_its_key_and_those_that_are() {
        for (key, allowed) in [
            ("pool.calibration", "off, cached, load, anew"),
            ("pool.fallback", "refuse, cpu"),
            ("log.format", "pretty, json"),
        ] {
            let error = read(&[], &[(key, "maybe")]).unwrap_err().to_string();
            assert!(error.contains(&format!("got \"maybe\", allowed are {allowed}")), "{error}");
            assert!(error.contains(key), "{error}");
        }
        let config = read(&[("UNMASK_POOL__CALIBRATION", "anew")], &[("log.format", "json")]).unwrap();
        assert_eq!(config.pool_settings().calibration, Calibrating::Anew);
    }

    #[test]
    fn every_value_out_of_bounds_is_named() {
        let wrong = [
            ("pool.batch", "0"),
            ("pool.devices", "gpu"),
            ("pool.weights.bulk", "0"),
            ("server.max_jobs", "9999"),
            ("fills.max_bytes", "99999999999999"),
            ("fills.ttl_seconds", "0"),
        ];
        assert_eq!(
            read(&[], &wrong).unwrap_err().to_string(),
            "configuration: server.max_jobs is 9999, allowed is 1 to 400; pool.batch is 0, allowed is 1 to 1024; \
             pool.weights.bulk is 0, allowed is 1 to 1000; fills.max_bytes is 99999999999999, allowed is 0 to 68719476736; fills.ttl_seconds is 0, allowed is 1 to \
             86400; pool.devices: got device \"gpu\", allowed are cpu, cuda:N and tensorrt:N with N from 0"
        );
    }

    #[test]
    fn a_search_may_run_beside_each_request() {
        let config = read(&[], &[("server.max_jobs", "7"), ("fills.max_bytes", "0")]).unwrap();
        assert_eq!(config.pool_settings().jobs, 14);
        assert_eq!(config.fills_policy(), Policy { max_bytes: 0, ttl: Duration::from_secs(600) });
    }

    #[test]
    fn the_library_may_be_named_as_others_name_it() {
        let environment = [("ORT_DYLIB_PATH", "/opt/libonnxruntime.so")];
        assert_eq!(read(&environment, &[]).unwrap().onnxruntime.library, Path::new("/opt/libonnxruntime.so"));
    }
}
