//! A directory of bundles: every NAME/VERSION in it becomes an entry, good or refused. One bad bundle never hides a
//! good one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::bundle::{MANIFEST, MODEL};
use crate::policy::Policy;
use crate::{BundleError, Candidate, RegistryError, latest_first, open};

/// What stands in one version directory.
#[derive(Debug)]
pub struct Entry {
    /// Name of the model, as its directory is called.
    pub name: String,
    /// Version, as its directory is called; empty where the name's directory cannot be listed.
    pub version: String,
    /// Where it lies.
    pub dir: PathBuf,
    /// The bundle, or why it is refused.
    pub candidate: Result<Candidate, BundleError>,
}

/// A directory that is meant as a bundle, before it is read.
#[derive(Debug)]
pub struct Place {
    /// Name of the model, as its directory is called.
    pub name: String,
    /// Version, as its directory is called; empty where the name's directory cannot be listed.
    pub version: String,
    /// Where it lies, or why the name's directory cannot be listed.
    pub dir: Result<PathBuf, BundleError>,
}

/// Where bundles lie under `root`, sorted by name and then with the latest version first. Nothing of them is read.
///
/// A version directory is one that holds a `model.toml` or a `model.onnx`; everything else under `root` is ignored, as
/// is any name that begins with a dot (Kubernetes keeps the files of a volume in such directories and links to them).
/// Directories may be symbolic links, the files of a bundle may not.
///
/// # Errors
/// [`RegistryError::Root`] where `root` itself cannot be listed.
pub fn places(root: &Path) -> Result<Vec<Place>, RegistryError> {
    let names = directories(root).map_err(|source| RegistryError::Root { root: root.into(), source })?;
    let mut places: Vec<Place> = names.iter().flat_map(|(name, path)| versions(name, path)).collect();
    places.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| latest_first(&a.version, &b.version)));
    Ok(places)
}

/// Every bundle under `root`, in the order of [`places`].
///
/// ```no_run
/// use unmask_registry::{Policy, scan};
///
/// for entry in scan("models".as_ref(), &Policy::default())? {
///     match entry.candidate {
///         Ok(candidate) => println!("{}: {}", candidate.spec.id(), candidate.spec.summary),
///         Err(error) => println!("{}@{} is refused: {}", entry.name, entry.version, error.reason()),
///     }
/// }
/// # Ok::<(), unmask_registry::RegistryError>(())
/// ```
///
/// # Errors
/// [`RegistryError::Root`] where `root` itself cannot be listed. A bundle that is refused is an [`Entry`].
pub fn scan(root: &Path, policy: &Policy) -> Result<Vec<Entry>, RegistryError> {
    let read = |Place { name, version, dir }: Place| {
        let lies = dir.as_ref().map_or_else(|_| root.join(&name), PathBuf::clone);
        let candidate = dir.and_then(|dir| open(&dir, policy));
        Entry { name, version, dir: lies, candidate }
    };
    Ok(places(root)?.into_iter().map(read).collect())
}

fn versions(name: &str, path: &Path) -> Vec<Place> {
    match directories(path) {
        Ok(versions) => versions
            .into_iter()
            .filter(|(_, path)| is_bundle(path))
            .map(|(version, path)| Place { name: name.into(), version, dir: Ok(path) })
            .collect(),
        Err(source) => {
            let dir = Err(BundleError::Read { file: path.display().to_string(), source });
            vec![Place { name: name.into(), version: String::new(), dir }]
        }
    }
}

/// Whether a directory is meant as a bundle. A file that cannot be looked at counts as present, so that the bundle is
/// refused with the system's reason and not silently absent.
fn is_bundle(dir: &Path) -> bool {
    [MANIFEST, MODEL].iter().any(|file| match fs::symlink_metadata(dir.join(file)) {
        Ok(_) => true,
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    })
}

/// The directories in `dir`, links to directories included, by name.
fn directories(dir: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && entry.path().is_dir() {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bundle;

    #[test]
    fn good_bundles_are_kept_beside_bad_ones_and_strays_are_ignored() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for version in ["9", "10"] {
            Bundle::new("good", version).write(root.path());
        }
        let mut broken = Bundle::new("broken", "1");
        broken.manifest = "schema = ".into();
        broken.write(root.path());
        Bundle::new("no-manifest", "1").write(root.path());
        fs::remove_file(at("no-manifest/1/model.toml")).unwrap();
        fs::create_dir_all(at("training/samples")).unwrap();
        fs::write(at("training/samples/face.png"), "").unwrap();
        fs::write(at("training/train.py"), "").unwrap();
        fs::write(at("README.md"), "").unwrap();
        fs::create_dir(at("empty")).unwrap();

        let entries = scan(root.path(), &Policy::default()).unwrap();
        let seen: Vec<_> =
            entries.iter().map(|e| (e.name.as_str(), e.version.as_str(), e.candidate.is_ok())).collect();
        assert_eq!(
            seen,
            [("broken", "1", false), ("good", "10", true), ("good", "9", true), ("no-manifest", "1", false)]
        );
    }

    #[test]
    fn a_volume_of_links_as_kubernetes_makes_it_is_read_once() {
        let root = tempfile::tempdir().unwrap();
        Bundle::new("model", "1").write(&root.path().join("..2026_07_01"));
        std::os::unix::fs::symlink("..2026_07_01", root.path().join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/model", root.path().join("model")).unwrap();
        let entries = scan(root.path(), &Policy::default()).unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].candidate.as_ref().unwrap().spec.id(), "model@1");
    }

    #[test]
    fn a_name_that_cannot_be_listed_is_an_entry_with_the_reason() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let found = versions("m", &file);
        assert_eq!((found.len(), &*found[0].name, &*found[0].version), (1, "m", ""));
        let reason = found[0].dir.as_ref().unwrap_err().reason();
        assert!(reason.contains(file.to_str().unwrap()), "{reason}");
    }

    #[test]
    fn a_missing_root_is_named() {
        let error = scan(Path::new("/nonexistent/models"), &Policy::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the directory of models /nonexistent/models cannot be read, give one that holds NAME/VERSION directories"
        );
    }
}
