//! The text of a configuration, from a file, a pipe or standard input, under the name that messages have for it.

use std::io;
use std::path::Path;

use config::{ConfigError as Refused, FileFormat, Format as _, Map, Source, Value};

use super::ConfigError;

/// What stands for standard input.
const STANDARD_INPUT: &str = "-";

/// A text in TOML and where it is from.
#[derive(Clone, Debug)]
pub(super) struct Text {
    name: String,
    toml: String,
}

impl Text {
    /// Reads all there is. A file may be empty; a pipe that is has a writer that failed.
    ///
    /// # Errors
    /// [`ConfigError::Open`] for what cannot be read as text, [`ConfigError::Wrong`] for an empty pipe.
    pub(super) fn read(file: &Path) -> Result<Self, ConfigError> {
        let (name, read) = if file == Path::new(STANDARD_INPUT) {
            ("standard input".to_owned(), io::read_to_string(io::stdin()))
        } else {
            (file.display().to_string(), std::fs::read_to_string(file))
        };
        match read {
            Ok(toml) if toml.is_empty() && !file.is_file() => Err(ConfigError::Wrong(vec![format!(
                "{name} is empty, see that whatever writes it does, or leave --config out"
            )])),
            Ok(toml) => Ok(Self { name, toml }),
            Err(source) => Err(ConfigError::Open { name, source }),
        }
    }
}

impl Source for Text {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, Refused> {
        let parsed = FileFormat::Toml.parse(Some(&self.name), &self.toml);
        parsed.map_err(|cause| Refused::FileParse { uri: Some(self.name.clone()), cause })
    }
}
