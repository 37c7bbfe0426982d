//! Configuration: a file, then the environment, then flags, each over the last; what is typed becomes what is meant.
//!
//! Keys are the same everywhere: `pool.batch` in the file's `[pool]`, `UNMASK_POOL__BATCH` in the environment and
//! `--set pool.batch=8` on the command line. A key that does not exist is refused, so that a slip of the pen is seen.

mod admin;
mod audit;
mod auth;
mod fills;
mod image;
mod keys;
mod log;
mod models;
mod onnxruntime;
mod pool;
mod server;
mod source;
mod telemetry;
mod tls;
mod transport;

use std::collections::BTreeMap;
use std::path::Path;

use ::config::{Environment, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use unmask_pool::{BackendError, Settings};

pub(crate) use self::admin::Admin;
pub(crate) use self::audit::Audit;
pub(crate) use self::auth::{Auth, Tenant};
use self::fills::Fills;
use self::image::Image;
pub use self::keys::{Key, keys, schema};
pub use self::log::{Log, LogFormat};
pub(crate) use self::models::{Models, ProbeWord};
use self::onnxruntime::OnnxRuntime;
pub use self::pool::CalibrationWord;
use self::pool::Pool;
pub(crate) use self::pool::Weights;
pub(crate) use self::server::Server;
use self::source::Text;
pub(crate) use self::telemetry::Telemetry;
pub(crate) use self::telemetry::masked;
pub(crate) use self::tls::Tls;
pub(crate) use self::transport::{Drain, Http2};

/// Everything that can be configured.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The socket and its limits.
    pub server: Server,
    /// HTTP/2 and its connections.
    pub http2: Http2,
    /// TLS, and which clients' certificates are believed.
    pub tls: Tls,
    /// How callers prove who they are.
    pub auth: Auth,
    /// Who may ask, and for what; whoever has proved who they are may ask for all where nobody is named.
    pub tenants: BTreeMap<String, Tenant>,
    /// How a server goes down.
    pub drain: Drain,
    /// Where models lie, which of them serve, and what they may.
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
    /// Where decisions are recorded.
    pub audit: Audit,
    /// The port for whoever watches over the process.
    pub admin: Admin,
    /// Where traces and metrics are sent.
    pub telemetry: Telemetry,
}

/// Variables that others have given a meaning to, each under everything of ours.
const OF_OTHERS: [(&str, &str); 3] = [
    ("ORT_DYLIB_PATH", "onnxruntime.library"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp_endpoint"),
    ("OTEL_SERVICE_NAME", "telemetry.service_name"),
];

/// Why a configuration is refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Its file cannot be read.
    #[error("the configuration {name} cannot be read")]
    Open {
        /// The file, or standard input.
        name: String,
        /// The system's own words.
        source: std::io::Error,
    },
    /// It is not TOML, or a type is wrong.
    #[error("the configuration cannot be read")]
    Read(#[from] ::config::ConfigError),
    /// Keys or values are wrong; all of them.
    #[error("configuration: {}", .0.join("; "))]
    Wrong(Vec<String>),
    /// It cannot be shown.
    #[error("the configuration cannot be shown")]
    Shown(#[from] toml::ser::Error),
}

/// Variables of the environment; one that is not text is none of ours.
fn environment() -> ::config::Map<String, String> {
    let text = |(key, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((key.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// Keys whose values are lists: outside of a file their parts are separated by commas.
const LISTS: [&str; 5] =
    ["pool.devices", "models.operators", "models.domains", "models.pinned", "auth.algorithms"];

impl Config {
    /// Reads the file, if one is named (`-` is standard input), the environment variables `UNMASK_...` and the overrides, in this
    /// order. `ORT_DYLIB_PATH` names the library where nothing else does, and OpenTelemetry's own variables the collector.
    ///
    /// # Errors
    /// [`ConfigError`] names every wrong key or value.
    pub fn read(file: Option<&Path>, overrides: &[(String, String)]) -> Result<Self, ConfigError> {
        Self::read_from(file, environment(), overrides)
    }

    /// As [`Config::read`], for work in process, which sends nothing to a collector: OpenTelemetry's variables, which may be
    /// another program's, are not looked at.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn read_in_process(file: Option<&Path>, overrides: &[(String, String)]) -> Result<Self, ConfigError> {
        let own = environment().into_iter().filter(|(key, _)| !key.starts_with("OTEL_"));
        Self::read_from(file, own.collect(), overrides)
    }

    fn read_from(
        file: Option<&Path>,
        environment: ::config::Map<String, String>,
        overrides: &[(String, String)],
    ) -> Result<Self, ConfigError> {
        let mut builder = ::config::Config::builder();
        let resource = environment.get("OTEL_RESOURCE_ATTRIBUTES").map(|text| telemetry::attributes(text));
        let resource = resource.unwrap_or_default();
        if let Some((_, name)) = resource.iter().find(|(key, name)| key == "service.name" && !name.is_empty())
        {
            builder = builder.set_default("telemetry.service_name", name.as_str())?;
        }
        for (variable, key) in OF_OTHERS {
            if let Some(value) = environment.get(variable).filter(|value| !value.is_empty()) {
                builder = builder.set_default(key, value.as_str())?;
            }
        }
        if let Some(file) = file {
            builder = builder.add_source(Text::read(file)?);
        }
        let mut environment = environment;
        for key in LISTS {
            if let Some(value) =
                environment.remove(&format!("UNMASK_{}", key.to_uppercase().replace('.', "__")))
            {
                builder = builder.set_override(key, value.split(',').collect::<Vec<_>>())?;
            }
        }
        // Words stay as they were said: whoever reads a number or a yes makes one of them.
        let variables = Environment::with_prefix("UNMASK").prefix_separator("_").separator("__");
        builder = builder.add_source(variables.source(Some(environment)));
        for (key, value) in overrides {
            builder = if LISTS.contains(&key.as_str()) {
                builder.set_override(key, value.split(',').collect::<Vec<_>>())?
            } else {
                builder.set_override(key, value.as_str())?
            };
        }
        let given = builder.build()?;
        let faults = keys::faults(&given.cache);
        if !faults.is_empty() {
            return Err(ConfigError::Wrong(faults));
        }
        let mut config: Self = given.cache.clone().try_deserialize()?;
        config.telemetry.resource = resource;
        config.check(&given.cache)?;
        Ok(config)
    }

    /// Checks what has come of what was given.
    fn check(&self, given: &Value) -> Result<(), ConfigError> {
        let mut faults = Faults(keys::out_of_bounds(self, Some(given)));
        self.server.check(&mut faults);
        self.tls.check(&mut faults);
        self.auth.check(&mut faults);
        auth::check(&self.tenants, self.auth.jwks.is_some() || self.tls.client_ca.is_some(), &mut faults);
        self.models.check(&mut faults);
        self.pool.check(&mut faults);
        self.log.check(&mut faults);
        self.audit.check(&mut faults);
        self.admin.check(&mut faults);
        self.telemetry.check(&mut faults);
        for (key, path) in [
            ("tls.certificate", &self.tls.certificate),
            ("tls.key", &self.tls.key),
            ("tls.client_ca", &self.tls.client_ca),
            ("auth.jwks", &self.auth.jwks),
        ] {
            if path.as_deref() == Some(Path::new("")) {
                faults.add(format!("{key} is empty, name a file, or leave it out"));
            }
        }
        if self.admin.listen.as_ref() == Some(&self.server.listen) && !self.server.listen.ends_with(":0") {
            let both = &self.server.listen;
            faults.add(format!("admin.listen is {both}, as server.listen is: each needs a port of its own"));
        }
        if faults.0.is_empty() { Ok(()) } else { Err(ConfigError::Wrong(faults.0)) }
    }

    /// All of it as a file would say it, with what is secret left out.
    ///
    /// # Errors
    /// [`ConfigError::Shown`], which would be a bug.
    pub fn shown(&self) -> Result<String, ConfigError> {
        let mut all = toml::Table::try_from(self)?;
        all.iter_mut().for_each(|(_, value)| mask(value));
        Ok(toml::to_string_pretty(&all)?)
    }

    /// Devices that this binary was not built for. They are no fault, as what is looked at here may be meant to serve elsewhere.
    pub fn not_built(&self) -> impl Iterator<Item = BackendError> {
        self.pool.not_built()
    }

    /// This one with what a server has where nothing is said: it runs long enough to be worth a few seconds of measuring, and
    /// many ask at the same time.
    #[must_use]
    pub fn serving(mut self) -> Self {
        self.pool.calibration.get_or_insert(CalibrationWord::Load);
        // A server has something to lose to a model that crashes.
        self.models.probe.get_or_insert(ProbeWord::Child);
        self.server.max_passes.get_or_insert(Server::PASSES);
        self
    }

    /// What the pool needs to know. A request may wait for a search, which has a place of its own.
    pub(crate) fn pool_settings(&self) -> Settings {
        self.pool.settings(2 * self.server.max_jobs as usize)
    }
}

/// Takes the names and passwords out of addresses. Other secrets are files, of which only the names are here.
fn mask(value: &mut toml::Value) {
    match value {
        toml::Value::String(text) => *text = telemetry::masked(text),
        toml::Value::Array(values) => values.iter_mut().for_each(mask),
        toml::Value::Table(table) => table.iter_mut().for_each(|(_, value)| mask(value)),
        toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_) => {}
    }
}

/// What is wrong with values, each with its key.
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, fault: String) {
        self.0.push(fault);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use unmask_pool::{Calibrating, Device};

    use super::*;
    use crate::fills::Policy;

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
    fn operators_and_domains_of_models_are_opened_by_lists() {
        let config =
            read(&[("UNMASK_MODELS__OPERATORS", "If,Loop")], &[("models.domains", "com.a,com.b")]).unwrap();
        let policy = config.models.policy();
        assert_eq!(policy.operators, ["If".to_owned(), "Loop".to_owned()].into());
        assert_eq!(policy.domains, ["com.a".to_owned(), "com.b".to_owned()].into());
        assert_eq!(read(&[], &[]).unwrap().models.policy(), unmask_registry::Policy::default());
    }

    #[test]
    fn a_file_stands_under_both() {
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        std::fs::write(file.path(), "[pool]\nbatch = 2\nthreads = 4\n[log]\nformat = \"json\"\n").unwrap();
        let over = [("pool.threads".to_owned(), "2".to_owned())];
        let config = Config::read_from(Some(file.path()), ::config::Map::new(), &over).unwrap();
        assert_eq!((config.pool.batch, config.pool.threads), (Some(2), Some(2)));
        assert!(matches!(config.log.format, LogFormat::Json));
    }

    #[test]
    fn an_unknown_key_is_refused_wherever_it_stands() {
        for (environment, overrides, said) in [
            (
                &[("UNMASK_POOL__BATCHES", "3")][..],
                &[][..],
                "pool.batches (in the environment): there is no such key, did you mean pool.batch?",
            ),
            (&[], &[("fills.ttl", "1")], "fills.ttl: there is no such key, there are max_bytes, ttl_seconds"),
            (
                &[("UNMASK_BATCH", "1")],
                &[("server.lsten", "x")],
                "batch (in the environment): there is no such key, did you mean pool.batch?; \
                 server.lsten: there is no such key, did you mean server.listen?",
            ),
        ] {
            assert_eq!(
                read(environment, overrides).unwrap_err().to_string(),
                format!("configuration: {said}")
            );
        }
    }

    #[test]
    fn what_is_shown_is_a_file_that_says_the_same_without_passwords() {
        let given = [("pool.batch", "4"), ("models.workers.a", "2"), ("audit.file", "http://me:word@host/x")];
        let shown = read(&[], &given).unwrap().shown().unwrap();
        assert!(shown.contains("http://***@host/x") && !shown.contains("word@"), "{shown}");
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        std::fs::write(file.path(), &shown).unwrap();
        let again = Config::read_from(Some(file.path()), ::config::Map::new(), &[]).unwrap();
        assert_eq!(again.shown().unwrap(), shown);
    }

    #[test]
    fn a_word_that_is_not_known_is_told_with_its_key_and_those_that_are() {
        for (key, allowed) in [
            ("pool.calibration", "off, cached, load, anew"),
            ("pool.fallback", "refuse, cpu"),
            ("log.format", "pretty, json"),
            ("models.probe", "child, none"),
        ] {
            let error = read(&[], &[(key, "maybe")]).unwrap_err().to_string();
            assert!(error.contains(&format!("got \"maybe\", allowed are {allowed}")), "{error}");
            assert!(error.contains(key), "{error}");
        }
        let config = read(&[("UNMASK_POOL__CALIBRATION", "anew")], &[("log.format", "json")]).unwrap();
        assert_eq!(config.pool_settings().calibration, Calibrating::Anew);
    }

    #[test]
    fn records_that_are_required_have_a_place() {
        let error = |pairs: &[(&str, &str)]| read(&[], pairs).unwrap_err().to_string();
        let way = "name one, or \"-\" for standard output";
        let none = format!("configuration: audit.required is true and audit.file names no file, {way}");
        assert_eq!(error(&[("audit.required", "true")]), none);
        assert_eq!(error(&[("audit.file", "")]), format!("configuration: audit.file is empty, {way}"));
        let config = read(&[], &[("audit.required", "true"), ("audit.file", "-")]).unwrap();
        assert!(config.audit.required && !config.audit.image_sha256);
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
            ("models.probe_memory_bytes", "1"),
            ("models.probe_seconds", "0"),
            ("models.pinned", "a@1,b"),
            ("models.workers.a-b", "0"),
            ("admin.listen", "9464"),
            ("telemetry.otlp_endpoint", "collector:4317"),
            ("telemetry.sample_ratio", "1.5"),
            ("telemetry.metrics_seconds", "99999"),
            ("telemetry.service_name", ""),
        ];
        assert_eq!(
            read(&[], &wrong).unwrap_err().to_string(),
            "configuration: server.max_jobs is 9999, allowed is 1 to 400; \
             models.probe_memory_bytes is 1, allowed is 268435456 to 1099511627776; \
             models.probe_seconds is 0, allowed is 1 to 3600; models.workers.a-b is 0, allowed is 1 to 256; \
             pool.batch is 0, allowed is 1 to 1024; pool.weights.bulk is 0, allowed is 1 to 1000; \
             fills.max_bytes is 99999999999999, allowed is 0 to 68719476736; \
             fills.ttl_seconds is 0, allowed is 1 to 86400; \
             telemetry.sample_ratio is 1.5, allowed is 0.0 to 1.0; \
             telemetry.metrics_seconds is 99999, allowed is 0 to 86400; \
             models.pinned is a@1, b, allowed is NAME@VERSION, each name once; \
             pool.devices: got device \"gpu\", allowed are cpu, cuda:N and tensorrt:N with N from 0; \
             admin.listen is \"9464\", allowed is ADDRESS:PORT such as 0.0.0.0:9464, or no value at all; \
             telemetry.otlp_endpoint is \"collector:4317\", allowed is http://HOST:PORT or https://HOST:PORT, or no \
             value at all; telemetry.service_name is empty, name one, or leave it out"
        );
    }

    #[test]
    fn each_name_is_pinned_to_one_version_in_a_list_of_any_source() {
        let pinned = |environment: &[(&str, &str)], overrides: &[(&str, &str)]| {
            read(environment, overrides).map(|config| config.models.pins().into_iter().collect::<Vec<_>>())
        };
        let expected = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())];
        assert_eq!(pinned(&[("UNMASK_MODELS__PINNED", "b@2,a@1")], &[]).unwrap(), expected);
        assert_eq!(pinned(&[], &[("models.pinned", "a@1,b@2")]).unwrap(), expected);
        for wrong in ["a", "@1", "a@", "a@1@2", "a@1,a@2"] {
            assert!(pinned(&[], &[("models.pinned", wrong)]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_search_may_run_beside_each_request() {
        let config = read(&[], &[("server.max_jobs", "7"), ("fills.max_bytes", "0")]).unwrap();
        assert_eq!(config.pool_settings().jobs, 14);
        assert_eq!(config.fills.policy(), Policy { max_bytes: 0, ttl: Duration::from_secs(600) });
    }

    #[test]
    fn nothing_listens_or_is_sent_unless_it_is_said_in_our_words_or_in_those_of_opentelemetry() {
        let config = read(&[], &[]).unwrap();
        assert_eq!((config.admin.listen, config.telemetry.otlp_endpoint), (None, None));
        assert_eq!((config.telemetry.service_name.as_str(), config.telemetry.sample_ratio), ("unmask", 1.0));
        let environment = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317"),
            ("OTEL_SERVICE_NAME", "mask"),
            ("OTEL_RESOURCE_ATTRIBUTES", "team=a"),
        ];
        let config = read(&environment, &[("telemetry.metrics_seconds", "15")]).unwrap().telemetry;
        assert_eq!(config.otlp_endpoint.as_deref(), Some("http://collector:4317"));
        assert_eq!(config.service_name, "mask");
        assert_eq!(config.resource, [("team".to_owned(), "a".to_owned())]);
        assert_eq!(config.push_every(), Some(Duration::from_secs(15)));
        let named = [("OTEL_RESOURCE_ATTRIBUTES", "service.name=masks,team=a")];
        assert_eq!(read(&named, &[]).unwrap().telemetry.service_name, "masks");
        let both = [named[0], ("OTEL_SERVICE_NAME", "mask")];
        assert_eq!(read(&both, &[]).unwrap().telemetry.service_name, "mask");
        let over = [("telemetry.otlp_endpoint", "http://other:4317")];
        let config = read(&environment, &over).unwrap().telemetry;
        assert_eq!(config.otlp_endpoint.as_deref(), Some("http://other:4317"));
    }

    #[test]
    fn the_library_may_be_named_as_others_name_it() {
        let environment = [("ORT_DYLIB_PATH", "/opt/libonnxruntime.so")];
        assert_eq!(read(&environment, &[]).unwrap().onnxruntime.library, Path::new("/opt/libonnxruntime.so"));
    }
}
