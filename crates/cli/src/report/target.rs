//! Where the page goes.

use std::path::{Path, PathBuf};

use anyhow::ensure;

use crate::args::Report;

/// Where the page goes; a place to which it cannot go is refused before the work.
pub(super) enum Target {
    Printed,
    File(PathBuf),
}

impl Target {
    pub(super) fn new(args: &Report) -> anyhow::Result<Self> {
        let path = &args.output;
        if path == Path::new("-") {
            return Ok(Self::Printed);
        }
        let name = path.display();
        ensure!(!path.is_dir(), "--output {name} is a folder; name a file, such as report.html");
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        ensure!(
            folder.is_none_or(Path::is_dir),
            "--output {name} is in a folder that does not exist; make it first"
        );
        // What is read must not be written over.
        let own = path.canonicalize().ok();
        let read = args.images.iter().chain(&args.how.fill_image);
        ensure!(
            own.is_none() || read.into_iter().all(|image| image.canonicalize().ok() != own),
            "--output {name} is one of the pictures, and would be written over; name another file"
        );
        Ok(Self::File(path.clone()))
    }
}
