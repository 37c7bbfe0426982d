//! Which model versions answer, which were refused and why, and which one a request means.

use std::collections::BTreeMap;
use std::sync::Arc;

use unmask_core::Violation;
use unmask_pool::{Layout, Runtime, Served, Settings};
use unmask_protocol::v1;
use unmask_registry::{Entry, latest_first};

use crate::config::Config;
use crate::decode::shown;
use crate::error::{RequestError, StartError};
use crate::identity::Tenant;
use crate::prove::Prover;

/// A version that answers, or the reason why it does not.
pub(crate) type State = Result<Arc<Served>, String>;

/// All versions of all models, by name, the latest first.
pub(crate) struct Models {
    versions: BTreeMap<String, Vec<(String, State)>>,
    default: Option<String>,
}

impl Models {
    /// Loads every bundle. One that is refused is kept with its reason and takes nothing from the others.
    pub(crate) fn load(config: &Config) -> Result<Self, StartError> {
        let runtime = Runtime::open(&config.onnxruntime.library)?;
        let settings = config.pool_settings();
        let prover = Prover::new(config).map_err(StartError::Probe)?;
        let mut versions: BTreeMap<String, Vec<(String, State)>> = BTreeMap::new();
        for entry in unmask_registry::scan(&config.models.root, &config.models.policy())? {
            let id = format!("{}@{}", entry.name, entry.version);
            let (name, version, state) = open(entry, &prover, &runtime, &settings);
            match &state {
                Ok(served) => {
                    let Layout { workers, threads, batch } = served.layout();
                    let sha256 = &served.spec().digest;
                    tracing::info!(model = id, sha256, workers, threads, batch, "serving");
                }
                Err(reason) => tracing::error!(model = id, reason, "refused"),
            }
            versions.entry(name).or_default().push((version, state));
        }
        Self::new(versions, config.models.default.clone())
    }

    pub(crate) fn new(
        mut versions: BTreeMap<String, Vec<(String, State)>>,
        default: Option<String>,
    ) -> Result<Self, StartError> {
        for states in versions.values_mut() {
            states.sort_by(|a, b| latest_first(&a.0, &b.0));
        }
        let models = Self { versions, default };
        let names = models.serving_names();
        match (&models.default, names.as_slice()) {
            (_, []) => Err(StartError::NoModel(models.reasons())),
            (Some(name), names) if !names.contains(&name.as_str()) => {
                Err(StartError::NoDefault { name: name.clone(), served: names.join(", ") })
            }
            (None, [only]) => Ok(Self { default: Some((*only).to_owned()), ..models }),
            (Some(_) | None, _) => Ok(models),
        }
    }

    /// The version that a request means. A model that its caller may not use is like one that is not there.
    pub(crate) fn find(
        &self,
        selector: Option<&v1::ModelSelector>,
        tenant: &Tenant,
    ) -> Result<Arc<Served>, RequestError> {
        let (name, version) = selector.map_or(("", ""), |s| (s.name.as_str(), s.version.as_str()));
        let wrong = |field: &str, message: String| Err(RequestError::NoModel(Violation::new(field, message)));
        let default = self.default.as_deref().filter(|name| tenant.may_use(name));
        let name = match (name, default) {
            ("", Some(default)) => default,
            ("", None) => {
                let names = self.names_for(tenant);
                return wrong(
                    "model.name",
                    format!("is empty and the server has no default, choose one of {names}"),
                );
            }
            (name, _) => name,
        };
        let Some(states) = self.versions.get(name).filter(|_| tenant.may_use(name)) else {
            let names = self.names_for(tenant);
            return wrong("model.name", format!("got \"{}\", served are {names}", shown(name)));
        };
        let found = match version {
            "" => states.iter().find(|(_, state)| state.is_ok()),
            version => states.iter().find(|(v, _)| v == version),
        };
        match found {
            Some((_, Ok(served))) => Ok(Arc::clone(served)),
            Some((version, Err(_))) => wrong(
                "model.version",
                format!(
                    "version {version} of {name} was refused when it was loaded; ModelService.GetModel has the reason"
                ),
            ),
            None if version.is_empty() => wrong("model.name", format!("no version of {name} is served")),
            None => {
                let served = self.serving_versions(name).join(", ");
                wrong(
                    "model.version",
                    format!("got \"{}\", served versions of {name} are {served}", shown(version)),
                )
            }
        }
    }

    /// Every version with its state, by name and version, and whether it is what a request without a model gets.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str, &State, bool)> {
        self.versions.iter().flat_map(move |(name, states)| {
            let first = states.iter().position(|(_, state)| state.is_ok());
            states.iter().enumerate().map(move |(i, (version, state))| {
                let default = self.default.as_deref() == Some(name) && first == Some(i);
                (name.as_str(), version.as_str(), state, default)
            })
        })
    }

    /// What a caller is told to choose from.
    fn names_for(&self, tenant: &Tenant) -> String {
        let names: Vec<_> = self.serving_names().into_iter().filter(|name| tenant.may_use(name)).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }

    fn serving_names(&self) -> Vec<&str> {
        let serves = |states: &[(String, State)]| states.iter().any(|(_, state)| state.is_ok());
        self.versions.iter().filter(|(_, states)| serves(states)).map(|(name, _)| name.as_str()).collect()
    }

    fn serving_versions(&self, name: &str) -> Vec<&str> {
        let states = self.versions.get(name).into_iter().flatten();
        states.filter(|(_, state)| state.is_ok()).map(|(version, _)| version.as_str()).collect()
    }

    fn reasons(&self) -> String {
        let reasons: Vec<String> = self
            .all()
            .filter_map(|(name, version, state, _)| {
                state.as_ref().err().map(|reason| format!("{name}@{version}: {reason}"))
            })
            .collect();
        if reasons.is_empty() {
            "there is no bundle (NAME/VERSION/model.toml)".into()
        } else {
            reasons.join("; ")
        }
    }
}

fn open(entry: Entry, prover: &Prover, runtime: &Runtime, settings: &Settings) -> (String, String, State) {
    let Entry { name, version, dir, candidate } = entry;
    let state = candidate.map_err(|e| e.reason()).and_then(|candidate| {
        let candidate = prover.proven(&dir, candidate)?;
        Served::load(candidate, runtime, settings).map(Arc::new).map_err(|e| e.to_string())
    });
    (name, version, state)
}
