//! A model's first probe, in a process of its own: what eats memory, never ends or crashes in native code takes that process
//! and not the server. Both ends of it: [`Prover`] starts the process and says how it ended, [`Proof::run`] is what it does.
//!
//! The process limits itself before it reads the bundle, and its caller ends it when its time is over. It gets no variable of
//! the environment but the loader's paths, no input, and nothing that it writes is kept but the first few kilobytes.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use unmask_pool::{Runtime, first_probe};
use unmask_registry::{Candidate, Policy};

use crate::config::{Config, ProbeWord};

/// Most bytes of what the process writes that are looked at.
const SAID: u64 = 4 << 10;
/// How often it is looked whether the process has ended.
const LOOK: Duration = Duration::from_millis(10);
/// How long after its end its words are waited for: they are there unless it has left a process of its own.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// What the process may know of this one's environment: where the system's loader looks.
const INHERITED: [&str; 1] = ["LD_LIBRARY_PATH"];

/// What the process is asked to prove, and under which limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The version directory of the bundle.
    pub bundle: PathBuf,
    /// The digest by which the model is known, so that the bytes that are proven are those that will be served.
    pub digest: String,
    /// The library.
    pub library: PathBuf,
    /// Operators that models may use beside those that are always allowed.
    pub operators: Vec<String>,
    /// Operator domains that models may use beside ONNX's own.
    pub domains: Vec<String>,
    /// Most pictures of a batch.
    pub batch: usize,
    /// Bytes of addresses.
    pub memory_bytes: u64,
    /// Seconds of processor time.
    pub seconds: u64,
}

impl Proof {
    /// The arguments after the program's name, as `unmask prove-model` reads them.
    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["prove-model".into()];
        let mut give = |key: &str, value: &dyn AsRef<std::ffi::OsStr>| {
            // In one piece, so that no value is taken for a flag.
            let mut argument = OsString::from(format!("--{key}="));
            argument.push(value);
            arguments.push(argument);
        };
        give("bundle", &self.bundle);
        give("digest", &self.digest);
        give("library", &self.library);
        self.operators.iter().for_each(|operator| give("operator", operator));
        self.domains.iter().for_each(|domain| give("domain", domain));
        give("batch", &self.batch.to_string());
        give("memory-bytes", &self.memory_bytes.to_string());
        give("seconds", &self.seconds.to_string());
        arguments
    }

    /// Limits this process, then opens the bundle and runs it once. For a process that does nothing else: its limits stay.
    ///
    /// # Errors
    /// Why the model is refused, on one line.
    pub fn run(self) -> Result<(), String> {
        // Nobody waits for it once its caller has been killed.
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(unlimited)?;
        limit(Resource::As, self.memory_bytes)?;
        // At the first second over it the system ends the process with a signal, at the next without.
        limit(Resource::Cpu, self.seconds)?;
        limit(Resource::Core, 0)?;
        let policy = Policy {
            operators: self.operators.into_iter().collect(),
            domains: self.domains.into_iter().collect(),
        };
        let candidate = unmask_registry::open(&self.bundle, &policy).map_err(|error| error.reason())?;
        if candidate.spec.digest != self.digest {
            return Err(format!(
                "the model has changed: it had digest {} when it was read first and has {}",
                self.digest, candidate.spec.digest
            ));
        }
        let runtime = Runtime::open(&self.library).map_err(|error| error.to_string())?;
        first_probe(&candidate, &runtime, self.batch).map_err(|error| error.to_string())
    }
}

fn limit(resource: Resource, most: u64) -> Result<(), String> {
    setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }).map_err(unlimited)
}

fn unlimited(error: rustix::io::Errno) -> String {
    format!("the process of the first probe cannot limit itself: {error}")
}

/// Proves models in processes of their own, or takes them as they are.
pub(crate) struct Prover(Option<Means>);

/// What a process needs.
struct Means {
    program: PathBuf,
    library: PathBuf,
    policy: Policy,
    batch: usize,
    memory_bytes: u64,
    seconds: u64,
}

impl Prover {
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let models = &config.models;
        match models.probe.unwrap_or(ProbeWord::None) {
            ProbeWord::None => Ok(Self(None)),
            ProbeWord::Child => {
                let program = models.program.clone().ok_or(
                    "models.probe is \"child\", but this program has no command for it, allowed is \"none\"",
                )?;
                let library = config.onnxruntime.library.clone();
                let (memory_bytes, seconds) = (models.probe_memory_bytes, models.probe_seconds);
                let (policy, batch) = (models.policy(), config.pool_settings().most_at_once());
                Ok(Self(Some(Means { program, library, policy, batch, memory_bytes, seconds })))
            }
        }
    }

    /// The candidate of a directory, if its first probe ends well.
    ///
    /// # Errors
    /// How it ended otherwise.
    pub(crate) fn proven(&self, dir: &Path, candidate: Candidate) -> Result<Candidate, String> {
        match &self.0 {
            None => Ok(candidate),
            Some(means) => means.prove(dir, &candidate.spec.digest).map(|()| candidate),
        }
    }
}

impl Means {
    fn prove(&self, dir: &Path, digest: &str) -> Result<(), String> {
        let proof = Proof {
            bundle: dir.to_owned(),
            digest: digest.to_owned(),
            library: self.library.clone(),
            operators: self.policy.operators.iter().cloned().collect(),
            domains: self.policy.domains.iter().cloned().collect(),
            batch: self.batch,
            memory_bytes: self.memory_bytes,
            seconds: self.seconds,
        };
        let failed = |error: io::Error| format!("the process of its first probe cannot be started: {error}");
        let inherited = INHERITED.into_iter().filter_map(|key| Some((key, std::env::var_os(key)?)));
        let mut child = Command::new(&self.program)
            .args(proof.arguments())
            .env_clear()
            .envs(inherited)
            // Each arena of the C library takes addresses that nobody uses, and the limit counts addresses.
            .env("MALLOC_ARENA_MAX", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let words = [child.stdout.take().map(listen), child.stderr.take().map(listen)];
        let ended = self.wait(&mut child).map_err(failed)?;
        let [reason, noise] =
            words.map(|said| said.and_then(|said| said.recv_timeout(LAST_WORDS).ok()).unwrap_or_default());
        self.verdict(ended, &reason, &noise)
    }

    /// How the process ended; nothing where it had to be ended.
    fn wait(&self, child: &mut Child) -> io::Result<Option<ExitStatus>> {
        let due = Instant::now() + Duration::from_secs(self.seconds);
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= due {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            std::thread::sleep(LOOK);
        }
    }

    fn verdict(&self, ended: Option<ExitStatus>, reason: &str, noise: &str) -> Result<(), String> {
        const WHERE: &str = "its first probe, in a process of its own,";
        let slow = || format!("{WHERE} did not end within {} s (models.probe_seconds)", self.seconds);
        let Some(status) = ended else { return Err(slow()) };
        if status.success() {
            return Ok(());
        }
        if [reason, noise].iter().any(|said| is_out_of_memory(said)) {
            return Err(format!(
                "{WHERE} used more than {} of memory (models.probe_memory_bytes)",
                size(self.memory_bytes)
            ));
        }
        match (status.signal(), reason.trim()) {
            // The limit of processor time has no grace, so that the system ends the process with the one or the other.
            (Some(signal), _) if signal == Signal::XCPU.as_raw() || signal == Signal::KILL.as_raw() => {
                Err(slow())
            }
            (Some(signal), _) => Err(format!("{WHERE} crashed with signal {signal}")),
            (None, "") => Err(format!("{WHERE} ended with {status} and said nothing")),
            // What a model made it say goes into logs and answers: one line, and no terminal's commands.
            (None, reason) => Err(reason.lines().next().unwrap_or_default().replace(char::is_control, " ")),
        }
    }
}

/// The first kilobytes that a process writes; the rest is read so that it can write on, and dropped.
fn listen(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut said = Vec::new();
        let heard = pipe
            .by_ref()
            .take(SAID)
            .read_to_end(&mut said)
            .and_then(|_| io::copy(&mut pipe, &mut io::sink()));
        // Whoever asked has gone, or has what there was before the pipe broke.
        drop(heard);
        let _ = sender.send(String::from_utf8_lossy(&said).into_owned());
    });
    receiver
}

/// The words of ONNX Runtime, of C++ and of Rust for an allocation that failed.
fn is_out_of_memory(said: &str) -> bool {
    [
        "Failed to allocate memory",
        "bad_alloc",
        "bad allocation",
        "memory allocation of",
        "cannot allocate memory",
        "Cannot allocate memory",
    ]
    .iter()
    .any(|words| said.contains(words))
}

/// Bytes as people say them.
fn size(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 30) {
        format!("{} GiB", bytes >> 30)
    } else {
        format!("{} MiB", bytes >> 20)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// How a proof by a shell script ends.
    fn proved_by(script: &str, seconds: u64) -> Result<(), String> {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("program");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let policy = Policy { operators: ["If".into()].into(), domains: ["com.example".into()].into() };
        let means = Means {
            program,
            library: "libonnxruntime.so".into(),
            policy,
            batch: 8,
            memory_bytes: 4 << 30,
            seconds,
        };
        means.prove("/models/m/1".as_ref(), "00ff")
    }

    #[test]
    fn every_end_of_the_process_is_a_plain_reason() {
        let probe = "its first probe, in a process of its own,";
        for (script, reason) in [
            ("echo its scores differ; exit 1", "its scores differ".to_owned()),
            ("printf 'red: \\033[31m\\nmore\\n'; exit 1", "red:  [31m".into()),
            ("exit 7", format!("{probe} ended with exit status: 7 and said nothing")),
            ("kill -SEGV $$", format!("{probe} crashed with signal 11")),
            ("kill -XCPU $$", format!("{probe} did not end within 50 s (models.probe_seconds)")),
            ("kill -KILL $$", format!("{probe} did not end within 50 s (models.probe_seconds)")),
            (
                "echo Failed to allocate memory for requested buffer of size 9; exit 1",
                format!("{probe} used more than 4 GiB of memory (models.probe_memory_bytes)"),
            ),
            (
                "echo memory allocation of 9 bytes failed >&2; kill -ABRT $$",
                format!("{probe} used more than 4 GiB of memory (models.probe_memory_bytes)"),
            ),
        ] {
            assert_eq!(proved_by(script, 50), Err(reason), "{script}");
        }
        assert_eq!(proved_by("exit 0", 50), Ok(()));
    }

    #[test]
    fn a_process_that_does_not_end_is_ended() {
        let started = Instant::now();
        let reason = proved_by("exec sleep 600", 1).unwrap_err();
        assert_eq!(
            reason,
            "its first probe, in a process of its own, did not end within 1 s (models.probe_seconds)"
        );
        assert!(started.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn what_it_writes_is_capped_and_does_not_hold_it_up() {
        let reason = proved_by("head -c 1000000 /dev/zero | tr '\\0' x; exit 1", 50).unwrap_err();
        assert_eq!(reason.len() as u64, SAID);
        assert_eq!(proved_by("head -c 1000000 /dev/zero || exit 1", 50), Ok(()));
    }

    #[test]
    fn nothing_of_the_environment_is_inherited_but_the_loaders_paths() {
        // Cargo sets many variables for a test.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let said = proved_by(
            "/usr/bin/env | /usr/bin/cut -d= -f1 | /usr/bin/sort | /usr/bin/tr '\\n' ' '; exit 1",
            50,
        );
        let said = said.unwrap_err();
        // The last three are the shell's own.
        let allowed = ["LD_LIBRARY_PATH", "MALLOC_ARENA_MAX", "PWD", "SHLVL", "_"];
        assert!(said.contains("MALLOC_ARENA_MAX"), "{said}");
        assert!(said.split_whitespace().all(|name| allowed.contains(&name)), "{said}");
    }

    #[test]
    fn a_process_is_told_all_that_it_needs_in_whole_arguments() {
        let said = proved_by("echo \"$@\"; exit 1", 50).unwrap_err();
        assert_eq!(
            said,
            "prove-model --bundle=/models/m/1 --digest=00ff --library=libonnxruntime.so --operator=If \
             --domain=com.example --batch=8 --memory-bytes=4294967296 --seconds=50"
        );
    }

    #[test]
    fn a_program_that_cannot_prove_says_so() {
        let mut config = Config::default();
        assert!(Prover::new(&config).is_ok());
        config.models.probe = Some(ProbeWord::Child);
        assert_eq!(
            Prover::new(&config).err().unwrap(),
            "models.probe is \"child\", but this program has no command for it, allowed is \"none\""
        );
    }
}
