//! What can be seen of a bundle without reading it: cheap enough to look again and again whether anything has changed.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Names, sizes, times and places on the device of everything in a bundle's directory. Equal stamps are taken for equal bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp(Result<Vec<Seen>, io::ErrorKind>);

/// One file. The device and inode tell a file that was put in the place of another; the time of the last change to the inode
/// tells bytes that were written under an old date.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    name: String,
    device: u64,
    inode: u64,
    bytes: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of `dir` as it is now. A directory that cannot be looked at has one too: that of the reason.
    pub fn of(dir: &Path) -> Self {
        let look = || {
            let mut seen = fs::read_dir(dir)?.map(|entry| look(&entry?)).collect::<io::Result<Vec<_>>>()?;
            seen.sort();
            Ok(seen)
        };
        Self(look().map_err(|error: io::Error| error.kind()))
    }
}

fn look(entry: &fs::DirEntry) -> io::Result<Seen> {
    // A link is looked at itself: the files of a bundle are none.
    let of = entry.metadata()?;
    Ok(Seen {
        name: entry.file_name().to_string_lossy().into_owned(),
        device: of.dev(),
        inode: of.ino(),
        bytes: of.size(),
        written: (of.mtime(), of.mtime_nsec()),
        changed: (of.ctime(), of.ctime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bundle;

    #[test]
    fn a_stamp_stays_while_nothing_changes_and_tells_every_change() {
        let root = tempfile::tempdir().unwrap();
        let dir = Bundle::new("model", "1").write(root.path());
        let model = dir.join("model.onnx");
        let mut last = Stamp::of(&dir);
        assert_eq!(last, Stamp::of(&dir));
        let mut changed = |what: &str| {
            let now = Stamp::of(&dir);
            assert_ne!(now, last, "{what}");
            last = now;
        };

        fs::write(dir.join("card.md"), "").unwrap();
        changed("a file more");
        fs::write(&model, [0; 3]).unwrap();
        changed("another size");
        let date = fs::metadata(&model).unwrap().modified().unwrap();
        let dated = |path: &Path, bytes: &[u8]| {
            fs::write(path, bytes).unwrap();
            fs::File::options().write(true).open(path).unwrap().set_modified(date).unwrap();
        };
        dated(&dir.join("new"), &[1; 3]);
        fs::rename(dir.join("new"), &model).unwrap();
        changed("another file of the same size and date in its place");
        // The clock of a file system may stand still for some milliseconds.
        let before = Stamp::of(&dir);
        while Stamp::of(&dir) == before {
            dated(&model, &[2; 3]);
        }
        changed("other bytes of the same size under the same date");
        fs::remove_file(&model).unwrap();
        changed("a file less");
        fs::remove_dir_all(&dir).unwrap();
        changed("nothing left");
    }
}
