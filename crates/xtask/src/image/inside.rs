//! Runs the image's programs inside its root: a picture is explained, and a server that is the first process ends on SIGTERM.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::Image;
use crate::tools::{root, run, say, target};

/// How long a server may take to load, and then to end with nothing open.
const LOADING: Duration = Duration::from_secs(180);
const ENDING: Duration = Duration::from_secs(20);

pub(super) fn check(image: &Image, root: &Path) -> anyhow::Result<()> {
    let room = Room::prepare(image, root)?;
    room.confined()?;
    room.explain()?;
    room.serve()
}

/// Where an image's programs run.
struct Room<'a> {
    image: &'a Image,
    root: &'a Path,
    at: PathBuf,
    tmp: PathBuf,
}

impl<'a> Room<'a> {
    fn prepare(image: &'a Image, root: &'a Path) -> anyhow::Result<Self> {
        let (at, tmp) = (target().join("image/root"), target().join("image/tmp"));
        std::fs::create_dir_all(&at)?;
        // What an earlier run has left would be taken for this one's.
        let _ = std::fs::remove_dir_all(&tmp);
        std::fs::create_dir_all(&tmp)?;
        // As a cluster gives it: an empty directory of the pod's group.
        std::fs::set_permissions(&tmp, std::fs::Permissions::from_mode(0o770))?;
        let group = image.user.rsplit(':').next().and_then(|group| group.parse().ok());
        chown(&tmp, None, group)?;
        Ok(Self { image, root, at, tmp })
    }

    /// A program in namespaces of its own, which end with it.
    fn program(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--net", "--fork", "--kill-child", "--"]);
        command.arg(root().join("deploy/image/inside.sh")).arg(self.root).arg(&self.at).arg(&self.tmp);
        command.arg(root().join("models/samples")).arg(&self.image.user);
        command.args(&self.image.environment).arg(program).args(arguments);
        command
    }

    /// The checks below mean something: nobody in particular runs, and can write below /tmp alone.
    fn confined(&self) -> anyhow::Result<()> {
        let script = "test \"$(id -u):$(id -g)\" = \"$0\" && echo x >/tmp/x && rm /tmp/x \
            && for d in / /usr /etc /models /var/tmp /mnt; do if ( echo x >\"$d/x\" ) 2>/dev/null; then exit 9; fi; done";
        run(&mut self.program("/bin/sh", &["-c", script, &self.image.user]))
            .context("the root can be written, or /tmp cannot, or it runs as somebody else")?;
        say(&format!("inside: runs as {}, writes to /tmp alone", self.image.user));
        Ok(())
    }

    fn explain(&self) -> anyhow::Result<()> {
        let picture = [
            "explain",
            "/mnt/astronaut-mouth.png",
            "--method",
            "rise",
            "--param",
            "masks=1000",
            "--out",
            "/tmp/out",
        ];
        run(&mut self.program(&self.image.entrypoint[0], &picture))?;
        for ending in ["json", "npy", "overlay.png"] {
            let file = self.tmp.join("out").join(format!("astronaut-mouth.{ending}"));
            let size = std::fs::metadata(&file).with_context(|| format!("no {}", file.display()))?.len();
            anyhow::ensure!(size > 0, "{} is empty", file.display());
        }
        say("inside: unmask explain wrote its answer below /tmp");
        Ok(())
    }

    /// What the image does where nothing is said, but for `--insecure`, which somebody has to say.
    fn serve(&self) -> anyhow::Result<()> {
        let mut words: Vec<_> = self.image.command.iter().map(String::as_str).collect();
        words.push("--insecure");
        let mut command = self.program(&self.image.entrypoint[0], &words);
        let mut server = Running(command.stdout(Stdio::piped()).spawn().context("cannot start the server")?);
        let output = server.0.stdout.take().context("the server has no output")?;
        let address = listening(output)?;
        let first = server.first_process()?;
        say(&format!("inside: the server is the first process and listens on {address}"));
        let asked = Instant::now();
        run(Command::new("kill").args(["-TERM", &first]))?;
        while asked.elapsed() < ENDING {
            if let Some(status) = server.0.try_wait()? {
                anyhow::ensure!(status.success(), "the server ended with {status} on SIGTERM");
                say(&format!(
                    "inside: SIGTERM ended it in {:.1} s, with exit code 0",
                    asked.elapsed().as_secs_f64()
                ));
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("SIGTERM does not end the first process within {} s", ENDING.as_secs())
    }
}

/// The address that a server says it listens on. Its output is read to its end, so that it never waits for a reader.
fn listening(output: impl std::io::Read + Send + 'static) -> anyhow::Result<String> {
    let (told, address) = mpsc::channel();
    std::thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = String::new();
        while output.read_line(&mut line).is_ok_and(|length| length > 0) {
            if let Some(address) = line.trim().strip_prefix("listening on ") {
                // Whoever waited may have given up.
                let _ = told.send(address.to_owned());
                break;
            }
            line.clear();
        }
        let _ = output.read_to_end(&mut Vec::new());
    });
    address.recv_timeout(LOADING).context("the server did not start; its reason is above")
}

/// Ends the server with the check, however that ends.
struct Running(Child);

impl Running {
    /// The number outside of what is the first process inside: the one child of what made the namespaces.
    fn first_process(&self) -> anyhow::Result<String> {
        let id = self.0.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        let [child] = children.split_whitespace().collect::<Vec<_>>()[..] else {
            bail!("the namespaces have the processes \"{children}\", not one");
        };
        Ok(child.to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended on its own; either way it is gone afterwards.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
