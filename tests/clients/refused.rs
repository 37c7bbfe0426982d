//! What a client makes of an error: some are for its user, and some go away.

use std::io::{BufRead as _, BufReader, Lines, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::block_in_place;
use unmask_protocol::v1;
use unmask_tests::started::Started;
use unmask_tests::{explain, project, request, rise, until};

use super::{AGAIN, ANSWERED, Client, FEW, FORGETFUL, Line, OPTIONS, expected, line, output, words};

/// A client under way; it ends with the value.
struct Asking {
    child: Child,
    told: Lines<BufReader<ChildStderr>>,
}

impl Drop for Asking {
    fn drop(&mut self) {
        // One that has ended already cannot be ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Asking {
    fn begin(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let told = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, told }
    }

    /// Waits until it says that it will ask again, and gives the line and the seconds.
    fn again(&mut self) -> (String, f64) {
        let (mut told, mut line) = (String::new(), String::new());
        while !line.contains(AGAIN) {
            told += &line;
            line = block_in_place(|| self.told.next())
                .unwrap_or_else(|| panic!("it has given up: {told}"))
                .unwrap();
        }
        let (_, seconds) = line.split_once(AGAIN).unwrap();
        let seconds = seconds.trim_end_matches(" s").parse().unwrap();
        (line, seconds)
    }

    /// What it prints in the end.
    fn end(mut self) -> Line {
        let mut printed = String::new();
        let mut stdout = self.child.stdout.take().unwrap();
        block_in_place(|| {
            // So that it finds room for what it says.
            self.told.by_ref().for_each(drop);
            stdout.read_to_string(&mut printed).unwrap();
            assert!(self.child.wait().unwrap().success(), "{printed}");
        });
        line(&printed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_by_its_field_and_not_asked_about_again() {
    let server = Started::with(&[]).await;
    let address = server.address.to_string();
    for client in Client::all() {
        let no_picture = client.about(&project("LICENSE"), &address, &[]);
        let no_passes = client.command(&address, &["--passes", "0"]);
        for (command, field) in [(no_picture, "image"), (no_passes, "budget.max_passes")] {
            let told = client.fails(command, ANSWERED);
            let told_of = |line: &str| line.starts_with(&format!("  {field}: "));
            assert!(told.lines().any(told_of), "{}: {told}", client.language);
        }
    }
    assert_eq!(server.service.passes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_is_not_there_is_one_line() {
    for client in Client::all() {
        // Nobody listens there, and nobody is asked.
        let told = client.fails(client.about(Path::new("nowhere.jpg"), "127.0.0.1:1", &[]), ANSWERED);
        assert!(told.contains("nowhere.jpg") && told.lines().count() == 1, "{}: {told}", client.language);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_that_no_message_can_say_are_a_wrong_option() {
    for client in Client::all() {
        for passes in ["-1", "18446744073709551616", "many"] {
            let told = client.fails(client.command("127.0.0.1:1", &["--passes", passes]), OPTIONS);
            assert!(told.contains(passes) && told.contains("-passes"), "{}: {told}", client.language);
            assert!(!told.contains("Traceback"), "{}: {told}", client.language);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_is_not_sent_again() {
    let server = Started::with(&[("server.max_message_bytes", "1024")]).await;
    for client in Client::all() {
        let told = client.fails(client.command(&server.address.to_string(), &[]), ANSWERED);
        let code = told.replace('_', "").to_lowercase();
        assert!(code.starts_with("resourceexhausted: "), "{}: {told}", client.language);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_is_asked_again_after_the_time_that_it_names_and_not_past_the_deadline() {
    let server = Started::with(&[("server.max_jobs", "1"), ("pool.workers", "1"), FORGETFUL]).await;
    let address = server.address.to_string();
    let (_, line) = expected(&server.service, Some(FEW)).await;
    for client in Client::all() {
        let passes = server.service.passes();
        let endless = v1::ExplainRequest { method: Some(rise(100_000)), ..request() };
        let service = server.service.clone();
        let busy = tokio::spawn(async move { explain(&service, endless).await });
        until(|| server.service.passes() > passes).await;
        // There is less time than the server wants to be left alone for.
        let hurried = output(client.command(&address, &["--seconds", "1.5"]));
        let (_, told) = words(&hurried);
        assert!(!hurried.status.success() && !told.contains(AGAIN), "{}: {told}", client.language);

        let mut patient = Asking::begin(client.command(&address, &["--passes", &FEW.to_string()]));
        let (told, seconds) = patient.again();
        assert!(told.contains("are being worked on; try again later"), "{}: {told}", client.language);
        assert!((2.0..=2.5).contains(&seconds), "{}: {told}", client.language);
        busy.abort();
        assert_eq!(patient.end(), line, "{}", client.language);
    }
}

/// A way to the server that closes every connection at once, until it is opened.
async fn gate(server: SocketAddr) -> (SocketAddr, Arc<AtomicBool>) {
    let (listener, open) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), Arc::new(AtomicBool::new(false)));
    let (address, opened) = (listener.local_addr().unwrap(), Arc::clone(&open));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            if opened.load(Ordering::Relaxed) {
                let mut server = TcpStream::connect(server).await.unwrap();
                // Whichever side goes, the other notices.
                tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
            }
        }
    });
    (address, open)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_yet_is_asked_again() {
    let server = Started::with(&[FORGETFUL]).await;
    let (_, line) = expected(&server.service, Some(FEW)).await;
    for client in Client::all() {
        let (address, open) = gate(server.address).await;
        let command = client.command(&address.to_string(), &["--passes", &FEW.to_string()]);
        let mut asking = Asking::begin(command);
        // More than once: where a connection breaks, and with what error, is chance.
        for _ in 0..3 {
            let (told, _) = asking.again();
            assert!(told.to_lowercase().starts_with("unavailable: "), "{}: {told}", client.language);
        }
        open.store(true, Ordering::Relaxed);
        assert_eq!(asking.end(), line, "{}", client.language);
    }
}
