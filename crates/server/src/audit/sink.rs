//! Where records go: whole lines, appended, each with one write.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// The name of standard output.
const STDOUT: &str = "-";

/// A place that lines are appended to.
pub(super) enum Sink {
    Stdout { torn: bool },
    File(Appended),
}

/// A file that is followed by its name: where it was moved away, as logrotate does, the next line goes to a new one.
pub(super) struct Appended {
    path: PathBuf,
    file: File,
    identity: Identity,
    torn: bool,
}

/// Device and inode: the same file, whatever it is called.
type Identity = (u64, u64);

impl Sink {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if path == Path::new(STDOUT) {
            return Ok(Self::Stdout { torn: false });
        }
        Ok(Self::File(Appended::open(path)?))
    }

    /// Appends a line, which ends with its newline.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout { torn } => {
                let mut out = io::stdout().lock();
                whole(&mut out, line, torn)?;
                out.flush()
            }
            Self::File(appended) => {
                if appended.moved() {
                    *appended = Appended::open(&appended.path)?;
                }
                whole(&mut appended.file, line, &mut appended.torn)
            }
        }
    }
}

impl Appended {
    fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        // A pipe would take records that nobody reads, and then none.
        let mut file = options.custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
        let metadata = file.metadata()?;
        let kind = metadata.file_type();
        if !kind.is_file() && !kind.is_char_device() {
            return Err(io::Error::other("it is neither a file nor a device"));
        }
        let torn = metadata.is_file() && metadata.len() > 0 && !ends_a_line(&mut file)?;
        Ok(Self { path: path.to_owned(), file, identity: identity(&metadata), torn })
    }

    /// Whether the name means another file by now, or none.
    fn moved(&self) -> bool {
        std::fs::metadata(&self.path).map_or(true, |now| identity(&now) != self.identity)
    }
}

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// Whether the last byte is a newline. A process that was killed may have left half a line.
fn ends_a_line(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Writes a line. One that breaks off in its middle, as on a full disk, is ended before the next one, which so stays whole.
fn whole(out: &mut impl Write, line: &[u8], torn: &mut bool) -> io::Result<()> {
    let ended;
    let mut left = if *torn {
        ended = [b"\n", line].concat();
        ended.as_slice()
    } else {
        line
    };
    while !left.is_empty() {
        match out.write(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                left = &left[written..];
                *torn = !left.is_empty();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn lines_are_appended_to_a_file_that_only_its_owner_reads() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        for line in ["one\n", "two\n"] {
            Sink::open(&path).unwrap().append(line.as_bytes()).unwrap();
        }
        assert_eq!(read(&path), "one\ntwo\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_pipe_that_nobody_reads_takes_no_record_and_holds_nobody_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let mut sink = Sink::open(&path).unwrap();
        let pipe = || {
            std::fs::remove_file(&path).unwrap();
            assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        };
        pipe();
        let error = sink.append(b"one\n").unwrap_err().to_string();
        assert_eq!(error, "it is neither a file nor a device");
        assert!(Sink::open(&path).is_err());
        std::fs::remove_file(&path).unwrap();
        sink.append(b"two\n").unwrap();
        assert_eq!(read(&path), "two\n");
    }

    #[test]
    fn a_file_that_was_moved_away_or_emptied_is_followed_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("audit.jsonl"), dir.path().join("audit.jsonl.1"));
        let mut sink = Sink::open(&path).unwrap();
        sink.append(b"one\n").unwrap();
        std::fs::rename(&path, &old).unwrap();
        sink.append(b"two\n").unwrap();
        assert_eq!((read(&old), read(&path)), ("one\n".into(), "two\n".into()));
        // As logrotate does where it makes the new file itself.
        std::fs::rename(&path, &old).unwrap();
        std::fs::write(&path, "").unwrap();
        sink.append(b"three\n").unwrap();
        assert_eq!(read(&path), "three\n");
        // As logrotate does with copytruncate.
        std::fs::write(&path, "").unwrap();
        sink.append(b"four\n").unwrap();
        assert_eq!(read(&path), "four\n");
    }

    #[test]
    fn half_a_line_of_an_earlier_process_is_ended_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        std::fs::write(&path, "whole\nha").unwrap();
        Sink::open(&path).unwrap().append(b"next\n").unwrap();
        assert_eq!(read(&path), "whole\nha\nnext\n");
    }

    /// Takes so many bytes, then none until it is given more.
    struct Disk {
        written: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.room);
            if taken == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room -= taken;
            self.written.extend(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_disk_that_fills_up_in_the_middle_of_a_line_tears_that_line_alone() {
        let mut disk = Disk { written: Vec::new(), room: 6 };
        let mut torn = false;
        whole(&mut disk, b"one\n", &mut torn).unwrap();
        assert!(whole(&mut disk, b"two\n", &mut torn).is_err());
        // No byte of it is written, so that there is nothing to end twice.
        assert!(whole(&mut disk, b"three\n", &mut torn).is_err());
        disk.room = 100;
        whole(&mut disk, b"four\n", &mut torn).unwrap();
        whole(&mut disk, b"five\n", &mut torn).unwrap();
        assert_eq!(String::from_utf8(disk.written).unwrap(), "one\ntw\nfour\nfive\n");
    }
}
