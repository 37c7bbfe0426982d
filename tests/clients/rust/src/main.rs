//! Asks an Unmask server why its detector decided what it decided about a picture, and prints one line of JSON.
//!
//! docs/clients.md tells how.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a command line and nothing else")]

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status, TimeoutExpired};
use tonic_types::StatusExt as _;
use unmask_protocol::v1;
use unmask_protocol::v1::explanation_service_client::ExplanationServiceClient;

/// With all its pictures an answer is larger than the 4 MiB that tonic receives where nothing is said.
const LARGEST: usize = 32 << 20;
const TRIES: usize = 10;

#[derive(clap::Parser)]
struct Args {
    /// HOST:PORT
    address: String,
    image: PathBuf,
    /// Authorities of the server's certificate (PEM); plaintext without it
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Own certificate (PEM), where the server wants one
    #[arg(long, requires_all = ["key", "ca"])]
    cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, requires = "cert")]
    key: Option<PathBuf>,
    /// File of a bearer token: whoever is on the way could take it without TLS
    #[arg(long, requires = "ca")]
    token: Option<PathBuf>,
    /// Where to write the map over the picture (PNG)
    #[arg(long)]
    overlay: Option<PathBuf>,
    /// Most forward passes to spend
    #[arg(long, allow_negative_numbers = true)]
    passes: Option<u64>,
    /// How long to wait, all tries together
    #[arg(long, default_value_t = 120.0)]
    seconds: f64,
}

/// What is printed of an answer.
#[derive(Serialize)]
struct Line<'a> {
    label: &'a str,
    probability: f64,
    top_share: f64,
    passes: u64,
    truncated: bool,
    map_sha256: String,
    warnings: &'a [String],
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// What is asked, but for the options: each window hidden, and shown alone, over the same picture changed so that the detector
/// decides otherwise. Over a colour, a map of a detector of manipulation shows above all that a patch looks manipulated.
fn question(image: Vec<u8>) -> v1::ExplainRequest {
    let mode = v1::OcclusionMode::Both.into();
    let occlusion = v1::method::Kind::Occlusion(v1::Occlusion { mode, ..v1::Occlusion::default() });
    let adversarial = v1::fill::Kind::Adversarial(v1::AdversarialFill::default());
    v1::ExplainRequest {
        image,
        method: Some(v1::Method { kind: Some(occlusion), preset: String::new() }),
        fill: Some(v1::Fill { kind: Some(adversarial) }),
        ..v1::ExplainRequest::default()
    }
}

/// A client for each address of the name, such as those of a headless Service, for tries to take turns: `Channel::balance_list`
/// draws one at random, be it one at which nobody answers.
async fn connect(args: &Args) -> anyhow::Result<Vec<ExplanationServiceClient<Channel>>> {
    let host = args.address.rsplit_once(':').map_or(&*args.address, |(host, _)| host);
    let mut tls = ClientTlsConfig::new().domain_name(host.trim_matches(['[', ']']));
    if let Some(file) = &args.ca {
        tls = tls.ca_certificate(Certificate::from_pem(read(file)?));
    }
    if let (Some(cert), Some(key)) = (&args.cert, &args.key) {
        tls = tls.identity(Identity::from_pem(read(cert)?, read(key)?));
    }
    let scheme = if args.ca.is_some() { "https" } else { "http" };
    let mut clients = Vec::new();
    for address in tokio::net::lookup_host(&args.address).await.context("cannot look up the address")? {
        let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))?;
        endpoint = endpoint.origin(format!("{scheme}://{}", args.address).parse()?);
        if args.ca.is_some() {
            endpoint = endpoint.tls_config(tls.clone())?;
        }
        let client = ExplanationServiceClient::new(endpoint.connect_lazy());
        clients.push(client.max_decoding_message_size(LARGEST));
    }
    Ok(clients)
}

/// After what time to ask again; none where the answer would be the same.
fn pause(status: &Status, tries: usize) -> Option<Duration> {
    let told = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let wait = match (status.code(), told) {
        (Code::ResourceExhausted | Code::Unavailable, Some(told)) => told,
        (Code::Unavailable, None) => Duration::from_millis(250 << tries.min(5)),
        // Among others a message that is too large, which is RESOURCE_EXHAUSTED as well, and stays too large.
        _ => return None,
    };
    // Those who were turned away together shall not come back together.
    Some(wait.mul_f64(1.0 + fastrand::f64() / 4.0))
}

/// Asks until there is an answer, an error that stays, or no time. The deadline is that of all tries together.
async fn explain(
    clients: &mut [ExplanationServiceClient<Channel>],
    message: &v1::ExplainRequest,
    token: Option<&AsciiMetadataValue>,
    time: Duration,
) -> Result<v1::ExplainResponse, Status> {
    let end = Instant::now() + time;
    let mut tries = 0;
    loop {
        let mut request = Request::new(message.clone());
        request.set_timeout(end - Instant::now());
        if let Some(token) = token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        let turn = tries % clients.len();
        let status = match clients[turn].explain(request).await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => named(status),
        };
        let wait = pause(&status, tries);
        tries += 1;
        match wait {
            Some(wait) if tries < TRIES && Instant::now() + wait < end => {
                eprintln!("{}; asking again in {:.1} s", said(&status), wait.as_secs_f64());
                tokio::time::sleep(wait).await;
            }
            Some(_) | None => return Err(status),
        }
    }
}

/// An error as other clients call it. tonic's own words are cancelled for a time that is up, and cancelled or unknown for a connection
/// that broke.
fn named(status: Status) -> Status {
    let mut causes = std::iter::successors(status.source(), |cause| (*cause).source());
    if causes.any(|cause| cause.is::<TimeoutExpired>()) {
        Status::deadline_exceeded(status.message())
    } else if matches!(status.code(), Code::Cancelled | Code::Unknown) && status.source().is_some() {
        Status::unavailable(status.message())
    } else {
        status
    }
}

fn said(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

fn told(answer: &v1::ExplainResponse) -> anyhow::Result<String> {
    let (prediction, cost) = (answer.prediction.as_ref(), answer.cost.as_ref());
    let (prediction, cost) = prediction.zip(cost).context("the answer is not whole")?;
    let score = prediction.scores.iter().find(|score| score.label == prediction.label);
    let cut = [v1::SavingReason::Budget, v1::SavingReason::Deadline];
    let map = answer.map.as_ref().map_or(&[][..], |map| &map.values);
    let line = Line {
        label: &prediction.label,
        probability: score.map_or(0.0, |score| score.probability),
        top_share: answer.regions.first().map_or(0.0, |region| region.evidence_share),
        passes: cost.run,
        truncated: cost.saved.iter().any(|saving| cut.contains(&saving.reason())),
        map_sha256: Sha256::digest(map).iter().map(|byte| format!("{byte:02x}")).collect(),
        warnings: &answer.warnings,
    };
    Ok(serde_json::to_string(&line)?)
}

#[tokio::main]
async fn main() -> ExitCode {
    run(Args::parse()).await.unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::FAILURE
    })
}

async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let message = v1::ExplainRequest {
        outputs: args.overlay.iter().map(|_| v1::Output::Overlay.into()).collect(),
        budget: args.passes.map(|passes| v1::Budget { max_passes: Some(passes), ..Default::default() }),
        ..question(read(&args.image)?)
    };
    let token = match &args.token {
        Some(file) => Some(format!("Bearer {}", String::from_utf8(read(file)?)?.trim()).parse()?),
        None => None,
    };
    let mut clients = connect(&args).await?;
    let time = Duration::try_from_secs_f64(args.seconds)?;
    let answer = match explain(&mut clients, &message, token.as_ref(), time).await {
        Ok(answer) => answer,
        Err(status) => {
            eprintln!("{}", said(&status));
            for wrong in status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default()
            {
                eprintln!("  {}: {}", wrong.field, wrong.description);
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    if let Some(file) = &args.overlay {
        let written = std::fs::write(file, &answer.overlay_png);
        written.with_context(|| format!("cannot write {}", file.display()))?;
    }
    println!("{}", told(&answer)?);
    Ok(ExitCode::SUCCESS)
}
