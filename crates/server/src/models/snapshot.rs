//! Which versions there are at one moment. It never changes: whoever looks at one sees one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use unmask_core::{ModelSpec, Task, Violation};
use unmask_pool::Served;
use unmask_protocol::v1;

use super::version::{Look, Version};
use crate::decode::shown;
use crate::identity::Tenant;

#[derive(Default)]
pub(super) struct Snapshot {
    /// By name, the latest first.
    pub(super) names: BTreeMap<String, Vec<Entry>>,
}

/// What is asked of a model, and by whom.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// What it says of a picture.
    Classes(&'a Tenant),
    /// Where faces are.
    Faces(&'a Tenant),
}

impl Wanted<'_> {
    fn is(self, task: Task) -> bool {
        match self {
            Self::Classes(_) => task == Task::Classes,
            Self::Faces(_) => finds_faces(task),
        }
    }

    /// The field of a request that chooses it.
    pub(super) fn field(self, key: &str) -> String {
        match self {
            Self::Classes(_) => format!("model.{key}"),
            Self::Faces(_) => format!("face_model.{key}"),
        }
    }
}

pub(super) fn finds_faces(task: Task) -> bool {
    matches!(task, Task::Faces { .. })
}

/// A version directory.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) version: String,
    /// What answers.
    pub(super) live: Option<Arc<Version>>,
    /// Why the files that lie there now do not answer.
    pub(super) refused: Option<String>,
}

/// The names that requests without one get.
#[derive(Clone, Copy, Default)]
pub(super) struct Defaults<'a> {
    pub(super) model: Option<&'a str>,
    pub(super) faces: Option<&'a str>,
}

/// A version and its state.
pub(crate) struct Listed<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) state: State<'a>,
    /// Why it was refused, or why what has taken the place of its files was.
    pub(crate) reason: &'a str,
    /// Whether a request without a model gets it.
    pub(crate) is_default: bool,
}

/// Whether a version answers.
pub(crate) enum State<'a> {
    Loaded(&'a Served),
    /// It is loaded when somebody asks for it.
    NotLoaded(&'a ModelSpec),
    Refused,
}

impl Entry {
    /// Whether it answers, at once or after it has been loaded.
    pub(super) fn serves(&self) -> bool {
        self.live.as_ref().is_some_and(|live| !live.has_failed())
    }

    /// Whether it answers for such a task.
    fn answers(&self, is_task: impl Fn(Task) -> bool) -> bool {
        self.serves() && self.live.as_ref().is_some_and(|live| is_task(live.spec.task))
    }

    fn list<T>(&self, name: &str, is_default: bool, see: impl FnOnce(Listed<'_>) -> T) -> T {
        let refused = self.refused.as_deref().unwrap_or_default();
        let Some(live) = &self.live else {
            let (version, state) = (self.version.as_str(), State::Refused);
            return see(Listed { name, version, state, reason: refused, is_default });
        };
        live.look(|look| {
            let (state, reason) = match look {
                Look::Loaded(served) => (State::Loaded(served), refused),
                Look::NotLoaded => (State::NotLoaded(&live.spec), refused),
                Look::Failed(reason) => (State::Refused, reason),
            };
            see(Listed { name, version: &self.version, state, reason, is_default })
        })
    }
}

impl Snapshot {
    pub(super) fn entry(&self, name: &str, version: &str) -> Option<&Entry> {
        self.names.get(name)?.iter().find(|entry| entry.version == version)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.names.values().flatten()
    }

    /// Every version with its state, by name, the latest first.
    pub(super) fn list<T>(&self, defaults: Defaults<'_>, see: impl Fn(Listed<'_>) -> T) -> Vec<T> {
        let mut seen = Vec::new();
        for (name, entries) in &self.names {
            let of = |default: Option<&str>, is_task: fn(Task) -> bool| {
                let first = || entries.iter().position(|entry| entry.answers(is_task));
                (default == Some(name)).then(first).flatten()
            };
            let firsts = [of(defaults.model, |task| task == Task::Classes), of(defaults.faces, finds_faces)];
            for (i, entry) in entries.iter().enumerate() {
                seen.push(entry.list(name, firsts.contains(&Some(i)), &see));
            }
        }
        seen
    }

    /// The versions that a request may get, the one that it means first. A model that its caller may not use is like one that is
    /// not there.
    pub(super) fn meant(
        &self,
        wanted: Wanted<'_>,
        selector: Option<&v1::ModelSelector>,
        default: Option<&str>,
    ) -> Result<Vec<Arc<Version>>, Violation> {
        let sees = |name: &str| match wanted {
            Wanted::Classes(tenant) => tenant.may_use(name),
            Wanted::Faces(tenant) => self.is_seen(name, tenant),
        };
        let default = default.filter(|name| sees(name));
        let (name, version) = selector.map_or(("", ""), |s| (s.name.as_str(), s.version.as_str()));
        let served = || {
            let names = self.names_for(|task| wanted.is(task));
            let names: Vec<_> = names.into_iter().filter(|name| sees(name)).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        let wrong = |key: &str, message: String| Err(Violation::new(wanted.field(key), message));
        let name = match (name, default) {
            ("", Some(default)) => default,
            ("", None) => {
                let message = format!("is empty and the server has no default, choose one of {}", served());
                return wrong("name", message);
            }
            (name, _) => name,
        };
        let Some(entries) = self.names.get(name).filter(|_| sees(name)) else {
            return wrong("name", format!("got \"{}\", served are {}", shown(name), served()));
        };
        let is_other = match wanted {
            Wanted::Classes(_) => "finds faces and says nothing of them",
            Wanted::Faces(_) => "finds no faces",
        };
        let answering = || entries.iter().filter(|entry| entry.answers(|task| wanted.is(task)));
        if answering().next().is_none() && entries.iter().any(Entry::serves) {
            return wrong("name", format!("got \"{name}\", which {is_other}; choose one of {}", served()));
        }
        if version.is_empty() {
            let live: Vec<_> = answering().filter_map(|entry| entry.live.clone()).collect();
            let none = || Violation::new(wanted.field("name"), format!("no version of {name} is served"));
            return if live.is_empty() { Err(none()) } else { Ok(live) };
        }
        match entries.iter().find(|entry| entry.version == version) {
            Some(entry) if entry.answers(|task| wanted.is(task)) => Ok(entry.live.iter().cloned().collect()),
            Some(entry) if entry.serves() => {
                wrong("version", format!("version {version} of {name} {is_other}"))
            }
            Some(_) => wrong(
                "version",
                format!(
                    "version {version} of {name} was refused when it was loaded; ModelService.GetModel has the reason"
                ),
            ),
            None => {
                let served = answering().map(|entry| entry.version.as_str()).collect::<Vec<_>>().join(", ");
                let got = shown(version);
                wrong("version", format!("got \"{got}\", served versions of {name} are {served}"))
            }
        }
    }

    /// Whether a tenant may know of a name: one that it may use, or that finds faces, which says nothing of them.
    pub(super) fn is_seen(&self, name: &str, tenant: &Tenant) -> bool {
        // Whether it answers is not asked: that looks at its sessions, and who looks at them may be asking this.
        let is_one = |entry: &Entry| entry.live.as_ref().is_some_and(|live| finds_faces(live.spec.task));
        tenant.may_use(name) || self.names.get(name).is_some_and(|entries| entries.iter().any(is_one))
    }

    /// Names that answer for a task: the one list of them that anybody is told.
    pub(super) fn names_for(&self, is_task: impl Fn(Task) -> bool) -> Vec<&str> {
        let answers =
            |(_, entries): &(&String, &Vec<Entry>)| entries.iter().any(|entry| entry.answers(&is_task));
        self.names.iter().filter(answers).map(|(name, _)| name.as_str()).collect()
    }

    /// Why nothing answers.
    pub(super) fn reasons(&self) -> String {
        let reasons: Vec<String> = self
            .list(Defaults::default(), |l| {
                (!l.reason.is_empty()).then(|| format!("{}@{}: {}", l.name, l.version, l.reason))
            })
            .into_iter()
            .flatten()
            .collect();
        if reasons.is_empty() {
            "there is no bundle of a detector (NAME/VERSION/model.toml)".into()
        } else {
            reasons.join("; ")
        }
    }
}
