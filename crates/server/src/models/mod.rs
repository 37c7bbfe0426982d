//! Which model versions answer, which were refused and why, and which one a request means.
//!
//! The directory of models is followed while the server runs ([`Watching`]). A request holds the version that it found until it
//! has been answered; what serves next is put in its place in one step, and only after it has proved itself.

mod load;
mod memory;
mod shelf;
mod snapshot;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod version;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use unmask_core::{Task, Violation};
use unmask_pool::Served;
use unmask_protocol::v1;

use self::load::Loader;
use self::shelf::Shelf;
use self::snapshot::{Defaults, Wanted, finds_faces};
pub(crate) use self::snapshot::{Listed, State};
use self::version::Refusal;
pub(crate) use self::watch::Watching;
use crate::config::Config;
use crate::error::{RequestError, StartError};
use crate::identity::Tenant;
use crate::telemetry::Telemetry;

/// All versions of all models.
pub(crate) struct Models {
    shelf: Arc<Shelf>,
    /// What a request without a name gets: settled at the start, whatever comes later.
    default: Option<String>,
    /// What finds faces where a request names none.
    faces: Option<String>,
}

impl Models {
    /// Reads every bundle, and opens it where there is no budget of memory. One that is refused is kept with its reason and
    /// takes nothing from the others.
    pub(crate) fn load(config: &Config, telemetry: &Telemetry) -> Result<Self, StartError> {
        Self::with(config, Loader::new(config)?.told(telemetry))
    }

    fn with(config: &Config, loader: Loader) -> Result<Self, StartError> {
        let shelf = Arc::new(Shelf::new(&config.models, loader));
        shelf.rescan()?;
        shelf.warn_of_strangers();
        let snapshot = shelf.snapshot();
        let detectors = snapshot.names_for(|task| task == Task::Classes);
        if detectors.is_empty() {
            return Err(StartError::NoModel(snapshot.reasons()));
        }
        let default = settled("models.default", config.models.default.as_ref(), &detectors)?;
        let finders = snapshot.names_for(finds_faces);
        let faces = settled("models.faces", config.models.faces.as_ref(), &finders)?;
        Ok(Self { shelf, default, faces })
    }

    /// One model that is loaded already and lies nowhere.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn planted(served: Served) -> Result<Self, StartError> {
        let config = Config::default();
        let loader = Loader::through(&config, |_, _| Err("there is but one".to_owned()))?;
        let shelf = Arc::new(Shelf::new(&config.models, loader));
        shelf.plant(served);
        Ok(Self { shelf, default: Some("planted".to_owned()), faces: None })
    }

    /// The version that a request means, loaded where it is not: this may take as long as a model takes to load.
    ///
    /// A request that names no version gets the next one where the latest cannot be loaded.
    pub(crate) fn find(
        &self,
        selector: Option<&v1::ModelSelector>,
        tenant: &Tenant,
    ) -> Result<Arc<Served>, RequestError> {
        self.found(Wanted::Classes(tenant), selector)
    }

    /// The same of a model that finds faces.
    pub(crate) fn find_faces(
        &self,
        selector: Option<&v1::ModelSelector>,
        tenant: &Tenant,
    ) -> Result<Arc<Served>, RequestError> {
        self.found(Wanted::Faces(tenant), selector)
    }

    /// Whether a tenant may know of a model.
    pub(crate) fn is_seen(&self, name: &str, tenant: &Tenant) -> bool {
        self.shelf.snapshot().is_seen(name, tenant)
    }

    fn found(
        &self,
        wanted: Wanted<'_>,
        selector: Option<&v1::ModelSelector>,
    ) -> Result<Arc<Served>, RequestError> {
        let mut faults = Vec::new();
        for _ in 0..LOOKS {
            let versions = self.meant(wanted, selector)?;
            faults.clear();
            for version in versions {
                match self.shelf.served(&version) {
                    Ok(served) => return Ok(served),
                    Err(Refusal::NoRoom) => {
                        return Err(RequestError::NoRoom { model: version.spec.id() });
                    }
                    Err(Refusal::Failed(reason)) => {
                        let reason: String = reason.chars().take(MOST_CHARS).collect();
                        faults
                            .push(format!("{} was refused when it was loaded: {reason}", version.spec.id()));
                    }
                    Err(Refusal::Changed) => {
                        // Its files are new or gone: what is there now is what is meant.
                        faults.clear();
                        break;
                    }
                }
            }
            if !faults.is_empty() {
                break;
            }
            self.rescan();
        }
        if faults.is_empty() {
            faults.push("its files change while they are read; try again later".to_owned());
        }
        Err(RequestError::NoModel(Violation::new(wanted.field("version"), faults.join("; "))))
    }

    /// Name and version of what a request would get, of whatever kind it is. Nothing is loaded.
    pub(crate) fn named(
        &self,
        selector: Option<&v1::ModelSelector>,
        tenant: &Tenant,
    ) -> Result<(String, String), RequestError> {
        let versions = self.meant(Wanted::Classes(tenant), selector).or_else(|refused| match selector {
            Some(v1::ModelSelector { name, .. }) if !name.is_empty() => {
                self.meant(Wanted::Faces(tenant), selector).map_err(|_| refused)
            }
            Some(_) | None => Err(refused),
        })?;
        let first = versions.first().map(|version| (version.spec.name.clone(), version.spec.version.clone()));
        first.ok_or(RequestError::Panicked)
    }

    fn meant(
        &self,
        wanted: Wanted<'_>,
        selector: Option<&v1::ModelSelector>,
    ) -> Result<Vec<Arc<version::Version>>, RequestError> {
        let default = match wanted {
            Wanted::Classes(_) => self.default.as_deref(),
            Wanted::Faces(_) => self.faces.as_deref(),
        };
        self.shelf.snapshot().meant(wanted, selector, default).map_err(RequestError::NoModel)
    }

    /// What is seen of every version, by name, the latest first. What is shown cannot be kept, so that looking holds nothing.
    pub(crate) fn all<T>(&self, see: impl Fn(Listed<'_>) -> T) -> Vec<T> {
        self.shelf
            .snapshot()
            .list(Defaults { model: self.default.as_deref(), faces: self.faces.as_deref() }, see)
    }

    /// Tells of what is loaded, versions that no longer serve and are still in use included.
    pub(crate) fn loaded(&self, see: impl FnMut(&Served)) {
        self.shelf.loaded(see);
    }

    /// Passes of models that have been unloaded.
    pub(crate) fn past_passes(&self) -> u64 {
        self.shelf.past_passes()
    }

    /// The release of the library that runs them.
    pub(crate) fn runtime(&self) -> &str {
        self.shelf.runtime()
    }

    /// Looks at the directory now, and returns when what is there serves. Where that fails it is logged, and nothing changes.
    pub(crate) fn rescan(&self) {
        // The log has the reason.
        let _ = self.shelf.rescan();
    }

    /// Follows the directory until the value is dropped.
    pub(crate) fn watch(&self, config: &Config) -> std::io::Result<Watching> {
        Watching::start(&self.shelf, config.models.poll(), config.models.watch)
    }
}

/// The name that stands where a request has none: the one that is configured, or the only one.
fn settled(
    key: &'static str,
    configured: Option<&String>,
    names: &[&str],
) -> Result<Option<String>, StartError> {
    match (configured, names) {
        (Some(name), names) if !names.contains(&name.as_str()) => {
            Err(StartError::NoDefault { key, name: name.clone(), served: names.join(", ") })
        }
        (None, [only]) => Ok(Some((*only).to_owned())),
        (configured, _) => Ok(configured.cloned()),
    }
}

/// How often a request looks again where files change under it.
const LOOKS: usize = 3;
/// Most of a reason that a request is told; GetModel has all of it.
const MOST_CHARS: usize = 512;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
