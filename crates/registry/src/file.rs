//! Reading one file of a bundle: a regular file, at most as large as its limit, and once.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

use crate::BundleError;

/// The bytes of `name` in the bundle `dir`.
///
/// A symbolic link is refused, because it could lead out of the bundle and change after it was looked at; anything else
/// that is no regular file is refused before it is opened, because opening a pipe waits for its writer.
pub(crate) fn read(dir: &Path, name: &str, limit: u64) -> Result<Vec<u8>, BundleError> {
    let path = dir.join(name);
    let failed = |source: io::Error| {
        if source.kind() == io::ErrorKind::NotFound {
            BundleError::Missing { file: name.into() }
        } else {
            BundleError::Read { file: name.into(), source }
        }
    };
    let kind = fs::symlink_metadata(&path).map_err(failed)?.file_type();
    if !kind.is_file() {
        let kind = if kind.is_symlink() {
            "a symbolic link"
        } else if kind.is_dir() {
            "a directory"
        } else {
            "a device, pipe or socket"
        };
        return Err(BundleError::NotRegular { file: name.into(), kind });
    }
    // What was looked at may have been exchanged: a link is not followed, and a pipe does not wait for its writer.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let file = File::options().read(true).custom_flags(flags).open(&path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(BundleError::NotRegular { file: name.into(), kind: "a device, pipe or socket" });
    }
    let size = file.metadata().map_err(failed)?.len();
    capped(file, size, limit).map_err(failed)?.ok_or(BundleError::TooLarge { file: name.into(), limit })
}

/// All bytes of `source`, or nothing where there are more than `limit`. The announced size only says how much room to
/// make: the file may grow while it is read.
fn capped(source: impl Read, announced: u64, limit: u64) -> io::Result<Option<Vec<u8>>> {
    if announced > limit {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    // Without room the process must refuse the file, not abort.
    let room = usize::try_from(announced).map_err(|_| io::ErrorKind::OutOfMemory)?;
    bytes.try_reserve_exact(room).map_err(|_| io::ErrorKind::OutOfMemory)?;
    source.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_grows_while_it_is_read_stays_under_its_limit() {
        assert_eq!(capped(&[7u8; 10][..], 0, 10).unwrap(), Some(vec![7; 10]));
        assert_eq!(capped(&[7u8; 11][..], 0, 10).unwrap(), None);
        assert_eq!(capped(io::repeat(7), 3, 10).unwrap(), None);
        assert_eq!(capped(io::repeat(7), 11, 10).unwrap(), None);
    }

    #[test]
    fn what_is_no_regular_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("folder")).unwrap();
        fs::write(dir.path().join("large"), [0; 5]).unwrap();
        std::os::unix::fs::symlink("large", dir.path().join("link")).unwrap();
        std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        for (name, reason) in [
            (
                "folder",
                "folder is a directory, allowed is a regular file only: copy the file into the bundle",
            ),
            (
                "link",
                "link is a symbolic link, allowed is a regular file only: copy the file into the bundle",
            ),
            (
                "socket",
                "socket is a device, pipe or socket, allowed is a regular file only: copy the file into the bundle",
            ),
            ("large", "large has more than 4 bytes, the limit"),
            (
                "none",
                "none is missing, a bundle is a directory NAME/VERSION with model.toml, model.onnx and golden.npy",
            ),
        ] {
            assert_eq!(read(dir.path(), name, 4).unwrap_err().reason(), reason);
        }
        assert_eq!(read(dir.path(), "large", 5).unwrap(), [0; 5]);
    }
}
