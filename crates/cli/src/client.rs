//! Whom to ask: a service in this process or a server. Both answer the same messages.

use std::error::Error;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use tokio_stream::StreamExt as _;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;
use unmask_protocol::v1;
use unmask_protocol::v1::evaluation_service_client::EvaluationServiceClient;
use unmask_protocol::v1::evaluation_service_server::EvaluationService as _;
use unmask_protocol::v1::explain_stream_response::Kind;
use unmask_protocol::v1::explanation_service_client::ExplanationServiceClient;
use unmask_protocol::v1::explanation_service_server::ExplanationService;
use unmask_protocol::v1::model_service_client::ModelServiceClient;
use unmask_protocol::v1::model_service_server::ModelService;
use unmask_server::{Answers, Config, Service, init_telemetry, status_of};

use crate::args::{Engine, Where};

/// An answer with a picture map of 1024 x 1024 and two pictures is about 10 MiB.
const MOST_ANSWER_BYTES: usize = 64 << 20;

pub(crate) enum Client {
    InProcess(Service),
    Remote(Box<Remote>),
}

/// The services of a server.
pub(crate) struct Remote {
    explanations: ExplanationServiceClient<Sealed>,
    evaluations: EvaluationServiceClient<Sealed>,
    models: ModelServiceClient<Sealed>,
}

/// A channel that sends the caller's token with every request.
type Sealed = InterceptedService<Channel, Token>;

/// The `authorization` of every request, if there is one.
#[derive(Clone)]
pub(crate) struct Token(Option<AsciiMetadataValue>);

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// The server of that name.
fn endpoint(server: &str) -> anyhow::Result<Endpoint> {
    let url = if server.contains("://") { server.to_owned() } else { format!("http://{server}") };
    let endpoint = Endpoint::from_shared(url).ok();
    endpoint.filter(|endpoint| matches!(endpoint.uri().scheme_str(), Some("http" | "https"))).with_context(
        || format!("--server {server}: a URL with http:// or https://, or HOST:PORT, is needed"),
    )
}

/// Connects to a server, by TLS where the URL says https.
async fn channel(place: &Where, server: &str) -> anyhow::Result<Sealed> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let mut endpoint = endpoint(server)?;
    if endpoint.uri().scheme_str() == Some("https") {
        let mut tls = ClientTlsConfig::new();
        tls = match &place.ca {
            Some(file) => tls.ca_certificate(Certificate::from_pem(read(file)?)),
            None => tls.with_native_roots(),
        };
        if let (Some(cert), Some(key)) = (&place.cert, &place.key) {
            tls = tls.identity(Identity::from_pem(read(cert)?, read(key)?));
        }
        endpoint = endpoint.tls_config(tls).context("cannot use the certificates")?;
    } else if place.ca.is_some() || place.cert.is_some() {
        bail!("--ca, --cert and --key are for a --server with https://");
    }
    let token = place.token_file.as_deref().map(|file| -> anyhow::Result<_> {
        let text = String::from_utf8(read(file)?).ok();
        let value = text.and_then(|text| format!("Bearer {}", text.trim()).parse().ok());
        let mut value: AsciiMetadataValue =
            value.with_context(|| format!("{} holds no token", file.display()))?;
        value.set_sensitive(true);
        Ok(value)
    });
    let token = Token(token.transpose()?);
    let url = endpoint.uri().to_string();
    let channel = endpoint.connect().await;
    let channel =
        channel.map_err(|e| anyhow!("cannot reach {}: {}", url.trim_end_matches('/'), cause(&e)))?;
    Ok(InterceptedService::new(channel, token))
}

/// The configuration from file, environment and flags. What works in process logs errors only, unless told, and sends nothing to a collector.
pub(crate) fn config(engine: &Engine, more: &[(String, String)], in_process: bool) -> anyhow::Result<Config> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut overrides = Vec::new();
    if in_process && std::env::var_os("UNMASK_LOG__FILTER").is_none() {
        overrides.push(("log.filter".to_owned(), "error".to_owned()));
    }
    overrides.extend(engine.models.iter().map(|p| ("models.root".to_owned(), text(p))));
    overrides.extend(engine.onnxruntime.iter().map(|p| ("onnxruntime.library".to_owned(), text(p))));
    overrides.extend(more.iter().cloned());
    overrides.extend(engine.set.iter().cloned());
    let read = if in_process { Config::read_in_process } else { Config::read };
    let mut config = read(engine.config.as_deref(), &overrides)?;
    config.models.program = Some(std::env::current_exe().context("cannot find this program")?);
    init_telemetry(&config.log).map_err(|e| anyhow!(e))?;
    Ok(config)
}

impl Client {
    /// Connects, or loads the models.
    pub(crate) async fn open(place: &Where) -> anyhow::Result<Self> {
        let Some(server) = &place.server else {
            let config = config(&place.engine, &[], true)?;
            let service = tokio::task::spawn_blocking(move || Service::open(&config)).await??;
            return Ok(Self::InProcess(service));
        };
        let channel = channel(place, server).await?;
        let explanations = ExplanationServiceClient::new(channel.clone())
            .max_decoding_message_size(MOST_ANSWER_BYTES)
            .max_encoding_message_size(usize::MAX);
        let evaluations = EvaluationServiceClient::new(channel.clone())
            .max_decoding_message_size(MOST_ANSWER_BYTES)
            .max_encoding_message_size(usize::MAX);
        let models = ModelServiceClient::new(channel);
        Ok(Self::Remote(Box::new(Remote { explanations, evaluations, models })))
    }

    pub(crate) async fn explain(&self, request: v1::ExplainRequest) -> anyhow::Result<v1::ExplainResponse> {
        read(match self {
            Self::InProcess(service) => service.explain(Request::new(request)).await,
            Self::Remote(clients) => clients.explanations.clone().explain(request).await,
        })
    }

    /// Explains, and shows what happens meanwhile.
    pub(crate) async fn explain_live(
        &self,
        request: v1::ExplainRequest,
        mut show: impl FnMut(Kind),
    ) -> anyhow::Result<v1::ExplainResponse> {
        let request = v1::ExplainStreamRequest { request: Some(request), map_every_ms: None };
        let mut answers: Answers<v1::ExplainStreamResponse> = match self {
            Self::InProcess(service) => read(service.explain_stream(Request::new(request)).await)?,
            Self::Remote(clients) => {
                Box::pin(read(clients.explanations.clone().explain_stream(request).await)?)
            }
        };
        while let Some(answer) = answers.next().await {
            match message(answer)?.kind {
                Some(Kind::Answer(answer)) => return Ok(answer),
                Some(news) => show(news),
                None => {}
            }
        }
        bail!("the stream has ended without an answer")
    }

    /// The answers to many requests, which are asked for as the work goes on.
    pub(crate) async fn many(
        &self,
        requests: impl Iterator<Item = v1::ExplainManyRequest> + Send + 'static,
    ) -> anyhow::Result<Answers<v1::ExplainManyResponse>> {
        Ok(match self {
            Self::InProcess(service) => service.many(tokio_stream::iter(Box::new(requests.map(Ok)))),
            Self::Remote(clients) => {
                let answers = clients.explanations.clone().explain_many(tokio_stream::iter(requests)).await;
                Box::pin(read(answers)?)
            }
        })
    }

    pub(crate) async fn faces(
        &self,
        request: v1::DetectFacesRequest,
    ) -> anyhow::Result<v1::DetectFacesResponse> {
        read(match self {
            Self::InProcess(service) => service.detect_faces(Request::new(request)).await,
            Self::Remote(clients) => clients.explanations.clone().detect_faces(request).await,
        })
    }

    pub(crate) async fn explain_face(
        &self,
        request: v1::ExplainFaceRequest,
    ) -> anyhow::Result<v1::ExplainFaceResponse> {
        read(match self {
            Self::InProcess(service) => service.explain_face(Request::new(request)).await,
            Self::Remote(clients) => clients.explanations.clone().explain_face(request).await,
        })
    }

    pub(crate) async fn predict(&self, request: v1::PredictRequest) -> anyhow::Result<v1::PredictResponse> {
        read(match self {
            Self::InProcess(service) => service.predict(Request::new(request)).await,
            Self::Remote(clients) => clients.explanations.clone().predict(request).await,
        })
    }

    pub(crate) async fn methods(&self) -> anyhow::Result<v1::ListMethodsResponse> {
        let request = v1::ListMethodsRequest {};
        read(match self {
            Self::InProcess(service) => service.list_methods(Request::new(request)).await,
            Self::Remote(clients) => clients.explanations.clone().list_methods(request).await,
        })
    }

    pub(crate) async fn evaluate(
        &self,
        request: v1::EvaluateRequest,
    ) -> anyhow::Result<v1::EvaluateResponse> {
        read(match self {
            Self::InProcess(service) => service.evaluate(Request::new(request)).await,
            Self::Remote(clients) => clients.evaluations.clone().evaluate(request).await,
        })
    }

    /// The answers to a plan and its items, which are asked for as the work goes on.
    pub(crate) async fn dataset(
        &self,
        requests: impl Iterator<Item = v1::EvaluateDatasetRequest> + Send + 'static,
    ) -> anyhow::Result<Answers<v1::EvaluateDatasetResponse>> {
        Ok(match self {
            Self::InProcess(service) => service.dataset(tokio_stream::iter(Box::new(requests.map(Ok)))),
            Self::Remote(clients) => {
                let answers =
                    clients.evaluations.clone().evaluate_dataset(tokio_stream::iter(requests)).await;
                Box::pin(read(answers)?)
            }
        })
    }

    pub(crate) async fn metrics(&self) -> anyhow::Result<v1::ListMetricsResponse> {
        let request = v1::ListMetricsRequest {};
        read(match self {
            Self::InProcess(service) => service.list_metrics(Request::new(request)).await,
            Self::Remote(clients) => clients.evaluations.clone().list_metrics(request).await,
        })
    }

    /// The model that a request with this selector gets, or the version that it names.
    pub(crate) async fn model(&self, model: Option<v1::ModelSelector>) -> anyhow::Result<v1::Model> {
        let request = v1::GetModelRequest { model };
        let answer = read(match self {
            Self::InProcess(service) => service.get_model(Request::new(request)).await,
            Self::Remote(clients) => clients.models.clone().get_model(request).await,
        })?;
        answer.model.context("the answer has no model")
    }

    pub(crate) async fn models(&self) -> anyhow::Result<v1::ListModelsResponse> {
        let request = v1::ListModelsRequest {};
        read(match self {
            Self::InProcess(service) => service.list_models(Request::new(request)).await,
            Self::Remote(clients) => clients.models.clone().list_models(request).await,
        })
    }
}

/// The message of an answer.
fn read<T>(answer: Result<Response<T>, Status>) -> anyhow::Result<T> {
    message(answer.map(Response::into_inner))
}

/// The message, or [`Refused`].
pub(crate) fn message<T>(answer: Result<T, Status>) -> anyhow::Result<T> {
    answer.map_err(|status| {
        let says_when = status.get_details_retry_info().is_some();
        if is_lost(&status) {
            let text =
                format!("the connection to the server was lost: {}; it is safe to ask again", cause(&status));
            return Refused { code: Code::Unavailable, text, says_when }.into();
        }
        let (code, message, fields) = status_of(&status);
        let text = match fields.as_slice() {
            [] => format!("{message} ({code:?})"),
            fields => fields.iter().map(|(f, m)| format!("{f}: {m}")).collect::<Vec<_>>().join("; "),
        };
        Refused { code, text, says_when }.into()
    })
}

/// Whether a status is no server's, but stands for a connection that broke or could not be had.
fn is_lost(status: &Status) -> bool {
    let of_connections = matches!(status.code(), Code::Unknown | Code::Cancelled | Code::Unavailable);
    of_connections && status.source().is_some()
}

/// What is under an error: those above it say the same, or that it is an error of transport.
fn cause<'a>(mut error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

/// A status as a person reads it: the wrong fields, else the message with its code.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) code: Code,
    text: String,
    /// Whether it says when to ask again.
    pub(crate) says_when: bool,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refused {}

/// `NAME[@VERSION]`.
pub(crate) fn selector(model: Option<&str>) -> Option<v1::ModelSelector> {
    let (name, version) = model?.split_once('@').unwrap_or((model?, ""));
    Some(v1::ModelSelector { name: name.into(), version: version.into() })
}

/// A crop as the message has it.
pub(crate) fn crop(crop: Option<[u32; 4]>) -> Option<v1::Box> {
    crop.map(|[x, y, width, height]| v1::Box { x, y, width, height })
}
