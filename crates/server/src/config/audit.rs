//! Where decisions are recorded.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Faults;

/// Where decisions are recorded, and what happens where they cannot be.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// The file to which a JSON line per decision is appended; "-" is standard output. Nothing is recorded where none is named.
    pub file: Option<PathBuf>,
    /// Whether a request whose record cannot be written is UNAVAILABLE instead of being answered unrecorded.
    pub required: bool,
    /// Whether a record holds the SHA-256 of the picture's file. Off, because whoever has a picture could then look up that, and
    /// when, it was asked about.
    pub image_sha256: bool,
}

impl Audit {
    pub(super) fn check(&self, faults: &mut Faults) {
        let way = "name one, or \"-\" for standard output";
        match self.file.as_deref() {
            Some(file) if file == Path::new("") => faults.add(format!("audit.file is empty, {way}")),
            None if self.required => {
                faults.add(format!("audit.required is true and audit.file names no file, {way}"));
            }
            Some(_) | None => {}
        }
    }
}
