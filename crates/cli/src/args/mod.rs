//! What can be typed.

mod how;
mod report;

use std::path::PathBuf;

use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use unmask_protocol::v1;

pub(crate) use how::How;
pub(crate) use report::Report;

/// Why a deepfake detector decided what it decided, and how far that explanation can be trusted.
#[derive(Parser)]
#[command(name = "unmask", version, max_term_width = 110)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve gRPC until SIGTERM or SIGINT
    Serve(Serve),
    /// Explain pictures, or all of one folder, in process or through a server
    Explain(Box<Explain>),
    /// Hold explanations of a picture, or of a folder of them, against metrics
    Evaluate(Box<Evaluate>),
    /// Ask again for an explanation that was kept as JSON, and tell what is the same; the exit code is 0 where all is
    Reproduce(Reproduce),
    /// Explain pictures in one page for whoever decides: faces, findings, checks, comparison, and how to make it again
    Report(Box<Report>),
    /// Find the faces in pictures, and what a detector wants to see of each
    Faces(Faces),
    /// Score pictures, one forward pass each
    Predict(Predict),
    /// List model versions, how they run here, and why others are refused
    #[command(args_conflicts_with_subcommands = true)]
    Models(Models),
    /// Look at the configuration: whether it is right, what it comes to, what there is
    Config(ConfigArgs),
    /// Check that this machine can serve the models that are configured
    Doctor(Doctor),
    /// List explanation methods, fills and segmentations with their parameters
    Methods(List),
    /// List metrics of explanations with their figures and parameters
    Metrics(List),
    /// Run a model for the first time, under limits; a server starts it for each
    #[command(hide = true)]
    ProveModel(ProveModel),
}

/// Where the configuration comes from; each line over the one before.
#[derive(Group)]
pub(crate) struct Engine {
    /// Configuration file (TOML); - is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Any configuration value, such as pool.batch=8; also as UNMASK_POOL__BATCH=8 in the environment
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,
    /// Directory of model bundles, NAME/VERSION [config: models.root] [default: models]
    #[arg(long, value_name = "DIR")]
    pub(crate) models: Option<PathBuf>,
    /// ONNX Runtime library [config: onnxruntime.library] [environment: ORT_DYLIB_PATH]
    #[arg(long, value_name = "FILE")]
    pub(crate) onnxruntime: Option<PathBuf>,
}

#[derive(Group)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) engine: Engine,
    /// Address and port [config: server.listen] [default: 127.0.0.1:50051]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Serve without TLS, or to whoever comes, where that is configured [config: server.insecure]
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Serve a page for browsers at the same address [config: server.ui]
    #[arg(long)]
    pub(crate) ui: bool,
}

#[derive(Group)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) action: ConfigAction,
}

#[derive(Subcommand)]
pub(crate) enum ConfigAction {
    /// Say whether a server would start with it; nothing that it names is opened. The exit code is 0 or 78
    Check(Serve),
    /// Print every value that a server would have, as a file would say it, with secrets masked
    Show(Serve),
    /// Print the JSON Schema of the file
    Schema,
}

/// What a server says to the process of a model's first probe.
#[derive(Clone, Group)]
pub(crate) struct ProveModel {
    #[arg(long)]
    pub(crate) bundle: PathBuf,
    #[arg(long)]
    pub(crate) digest: String,
    #[arg(long)]
    pub(crate) library: PathBuf,
    #[arg(long = "operator")]
    pub(crate) operators: Vec<String>,
    #[arg(long = "domain")]
    pub(crate) domains: Vec<String>,
    #[arg(long)]
    pub(crate) batch: usize,
    #[arg(long)]
    pub(crate) memory_bytes: u64,
    #[arg(long)]
    pub(crate) seconds: u64,
}

/// In process or remote.
#[derive(Group)]
pub(crate) struct Where {
    /// Ask this server instead of working in process: https://unmask.example:50051, or without TLS http://127.0.0.1:50051, which
    /// 127.0.0.1:50051 stands for as well
    #[arg(long, value_name = "URL|HOST:PORT", conflicts_with_all = ["config", "set", "models", "onnxruntime"])]
    pub(crate) server: Option<String>,
    /// Certificates (PEM) that the server's is believed by; default: the system's
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(crate) ca: Option<PathBuf>,
    /// This client's certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires_all = ["server", "key"])]
    pub(crate) cert: Option<PathBuf>,
    /// This client's private key (PEM)
    #[arg(long, value_name = "FILE", requires_all = ["server", "cert"])]
    pub(crate) key: Option<PathBuf>,
    /// File that holds the bearer token to send
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(crate) token_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) engine: Engine,
}

/// Which picture and which model.
#[derive(Group)]
pub(crate) struct Subject {
    /// Pictures: JPEG, PNG or still WebP
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<PathBuf>,
    /// Model, such as selfblend-mobilenetv2@1; default: the default model's latest version
    #[arg(long, value_name = "NAME[@VERSION]")]
    pub(crate) model: Option<String>,
    /// Part of each picture, in pixels of the picture as displayed; default: all of it
    #[arg(long, value_name = "X,Y,WIDTH,HEIGHT", value_parser = crop)]
    pub(crate) crop: Option<[u32; 4]>,
    /// Look for faces first, and take what the model wants to see of the largest or of each, in place of --crop; of all, the files
    /// are STEM-1.json and so on, the largest face first
    #[arg(long, value_enum, value_name = "WHICH", conflicts_with = "crop")]
    pub(crate) face: Option<Which>,
    /// The model that finds them, such as centerface@1; default: the server's
    #[arg(long, value_name = "NAME[@VERSION]", requires = "face")]
    pub(crate) face_model: Option<String>,
    /// Share beside other requests at a server [default: normal]
    #[arg(long, value_enum, value_name = "CLASS")]
    pub(crate) priority: Option<Priority>,
}

/// Which faces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    /// The largest
    Largest,
    /// Each
    All,
}

#[derive(Group)]
pub(crate) struct Faces {
    /// Pictures: JPEG, PNG or still WebP
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<PathBuf>,
    /// The model that finds faces, such as centerface@1; default: the server's
    #[arg(long, value_name = "NAME[@VERSION]")]
    pub(crate) face_model: Option<String>,
    /// The detector that the crops are for; default: the default model's latest version
    #[arg(long, value_name = "NAME[@VERSION]")]
    pub(crate) model: Option<String>,
    /// Explain why the largest face was seen where it was, or the one of this number in the list; stands behind the pictures
    #[arg(long, value_name = "N|largest", num_args = 0..=1, default_missing_value = "largest", value_parser = why)]
    pub(crate) why: Option<Why>,
    /// Number of random masks, one pass of the face model each [default: 2000]
    #[arg(long, value_name = "N", requires = "why")]
    pub(crate) masks: Option<u32>,
    /// Cells of the masks along the picture's longer side [default: 16]
    #[arg(long, value_name = "CELLS", requires = "why")]
    pub(crate) grid: Option<u32>,
    /// Probability that a cell shows the picture [default: 0.5]
    #[arg(long, value_name = "PROBABILITY", requires = "why")]
    pub(crate) keep_probability: Option<f64>,
    /// Seed of the masks [default: 0]
    #[arg(long, requires = "why")]
    pub(crate) seed: Option<u64>,
    /// Directory for STEM.face.json, STEM.face.npy and STEM.face.overlay.png, of face N STEM.face-N.json and so on; made if missing
    /// [default: out]
    #[arg(long, value_name = "DIR", requires = "why")]
    pub(crate) out: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Share beside other requests at a server [default: normal]
    #[arg(long, value_enum, value_name = "CLASS")]
    pub(crate) priority: Option<Priority>,
    #[command(flatten)]
    pub(crate) place: Where,
}

/// Which face is explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Largest,
    /// By its place in the list, from 1.
    Number(usize),
}

fn why(text: &str) -> Result<Why, String> {
    match (text, text.parse()) {
        ("largest", _) => Ok(Why::Largest),
        (_, Ok(number)) if number > 0 => Ok(Why::Number(number)),
        _ => Err("\"largest\" or a face's number from 1 is needed; pictures stand before --why".into()),
    }
}

#[derive(Group)]
pub(crate) struct Predict {
    #[command(flatten)]
    pub(crate) subject: Subject,
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Where,
}

#[derive(Group)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) subject: Subject,
    #[command(flatten)]
    pub(crate) place: Where,
    #[command(flatten)]
    pub(crate) how: How,
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Explain only pictures whose probability of being fake is at least this, 0 to 1; the others cost one pass and get
    /// STEM.skipped.json. As of a folder, pictures whose files are there are left out
    #[arg(long, value_name = "PROBABILITY")]
    pub(crate) only_if: Option<f64>,
    /// Leave the sentences out, and the up to three passes that they speak of
    #[arg(long)]
    pub(crate) no_sentences: bool,
    /// Look for the least that has to be replaced for another decision, and write the changed picture as STEM.counterfactual.png
    #[arg(long)]
    pub(crate) counterfactual: bool,
    /// Explain once more with the next seed, and tell how much of the explanation stays
    #[arg(long)]
    pub(crate) steadiness: bool,
    /// Write the standard errors of the map's values as STEM.errors.npy too
    #[arg(long)]
    pub(crate) save_errors: bool,
    /// Write the fill as STEM.fill.png too
    #[arg(long)]
    pub(crate) save_fill: bool,
    /// Directory for STEM.json, STEM.npy and STEM.overlay.png; made if missing. Of a folder, pictures whose STEM.json is there are
    /// left out, whatever they were asked with
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub(crate) out: PathBuf,
}

#[derive(Group)]
pub(crate) struct Reproduce {
    /// The answer, as `unmask explain` writes it (STEM.json) or prints it with --json, or as a gRPC client prints it; values of a
    /// map are looked for in STEM.npy beside it
    #[arg(value_name = "RESPONSE.json")]
    pub(crate) response: PathBuf,
    /// The picture that was explained: answers hold no pixels
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: PathBuf,
    /// The picture that was the fill, where it was one
    #[arg(long, value_name = "IMAGE")]
    pub(crate) fill_image: Option<PathBuf>,
    /// The label map that the regions were, where they were one: uint16, row-major
    #[arg(long, value_name = "FILE.npy")]
    pub(crate) labels: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Where,
}

#[derive(Group)]
pub(crate) struct Evaluate {
    /// Folder with items.csv or items.jsonl: id, file, and where known family, label, mask, crop; or one picture, whose
    /// figures are printed
    #[arg(value_name = "DIR|IMAGE")]
    pub(crate) path: PathBuf,
    /// Of one picture: what was manipulated in it, where grey is above 127
    #[arg(long, value_name = "IMAGE")]
    pub(crate) mask: Option<PathBuf>,
    /// Of one picture: the class that it truly belongs to
    #[arg(long, value_name = "LABEL")]
    pub(crate) label: Option<String>,
    /// Part of one picture, in pixels of the picture as displayed; default: all of it
    #[arg(long, value_name = "X,Y,WIDTH,HEIGHT", value_parser = crop)]
    pub(crate) crop: Option<[u32; 4]>,
    /// Print the answer for one picture as JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Another list; files are looked for in the folder
    #[arg(long, value_name = "FILE")]
    pub(crate) list: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Where,
    /// Share beside other requests at a server [default: normal for one picture, bulk for a folder]
    #[arg(long, value_enum, value_name = "CLASS")]
    pub(crate) priority: Option<Priority>,
    /// Model, such as selfblend-mobilenetv2@1; default: the default model's latest version
    #[arg(long, value_name = "NAME[@VERSION]")]
    pub(crate) model: Option<String>,
    /// A method to judge, such as rise:masks=1000, or the preset fast, balanced or thorough; may be given several times
    #[arg(long = "method", value_name = "NAME[:KEY=VALUE,...]", default_value = "balanced")]
    pub(crate) methods: Vec<String>,
    /// A fill for every method, such as adversarial or blur:sigma=5; "default" is a method's own; may be given several times
    #[arg(long = "fill", value_name = "NAME[:KEY=VALUE,...]")]
    pub(crate) fills: Vec<String>,
    /// Values of the methods' parameters that are not given: "paper" for those of arXiv 2502.03957 [default: this service's]
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub(crate) preset: String,
    /// A metric, such as deletion:step=500,fill=adversarial; `unmask metrics` lists them; may be given several times
    #[arg(long = "metric", value_name = "NAME[:KEY=VALUE,...]")]
    pub(crate) metrics: Vec<String>,
    /// The whole plan as JSON of the message EvaluationPlan, in place of methods, fills and metrics
    #[arg(long, value_name = "FILE", conflicts_with_all = ["methods", "fills", "preset", "metrics", "scale", "segments", "seed"])]
    pub(crate) plan: Option<PathBuf>,
    /// How pictures are cut into regions, such as slic:segments=100
    #[arg(long, value_name = "NAME[:KEY=VALUE,...]")]
    pub(crate) segments: Option<String>,
    /// Scale on which removal is read: log_odds, probability or double_softmax [default: probability]
    #[arg(long, value_name = "SCALE")]
    pub(crate) scale: Option<String>,
    /// Seed of every random choice
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Only items of this family; may be given several times
    #[arg(long = "family", value_name = "NAME")]
    pub(crate) families: Vec<String>,
    /// Only the first N items of each family
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) per_family: Option<u32>,
    /// Pass over items that the detector does not call fake
    #[arg(long)]
    pub(crate) called_fake: bool,
    /// Resamples of the bootstrap of means [default: 2000]
    #[arg(long, value_name = "N")]
    pub(crate) resamples: Option<u32>,
    /// Confidence of the intervals [default: 0.95]
    #[arg(long, value_name = "SHARE")]
    pub(crate) confidence: Option<f64>,
    /// Print what it would cost, and run nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Of a folder: where rows.jsonl and summary.json, .md and .html go; made if missing. Rows that are there are not run again
    #[arg(long, value_name = "DIR", default_value = "evaluation")]
    pub(crate) out: PathBuf,
}

#[derive(Group)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) place: Where,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Group)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) engine: Engine,
    /// Check the first GPU as well, through CUDA and TensorRT: scores against the processor's, speed, memory
    #[arg(long)]
    pub(crate) gpu: bool,
}

#[derive(Group)]
pub(crate) struct Models {
    #[command(subcommand)]
    pub(crate) action: Option<ModelsAction>,
    #[command(flatten)]
    pub(crate) list: List,
}

#[derive(Subcommand)]
pub(crate) enum ModelsAction {
    /// Time every model over sessions, threads and batch sizes on this machine, print the speeds, and keep the best for servers
    /// to come
    Calibrate(Calibrate),
}

#[derive(Group)]
pub(crate) struct Calibrate {
    #[command(flatten)]
    pub(crate) engine: Engine,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// How urgent a request is beside others at a server.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Priority {
    /// Somebody waits for it
    Interactive,
    /// Neither
    Normal,
    /// It may take its time
    Bulk,
}

/// The field of a request, where none is named the server's own default.
pub(crate) fn priority(given: Option<Priority>) -> i32 {
    let priority = match given {
        None => v1::Priority::Unspecified,
        Some(Priority::Interactive) => v1::Priority::Interactive,
        Some(Priority::Normal) => v1::Priority::Normal,
        Some(Priority::Bulk) => v1::Priority::Bulk,
    };
    priority.into()
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For machines
    Json,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("KEY=VALUE is needed, such as masks=1000".into()),
    }
}

pub(crate) fn crop(text: &str) -> Result<[u32; 4], String> {
    let numbers: Result<Vec<u32>, _> = text.split(',').map(|n| n.trim().parse()).collect();
    let wrong = "four whole numbers X,Y,WIDTH,HEIGHT are needed, such as 40,20,200,200";
    numbers.ok().and_then(|n| n.try_into().ok()).ok_or_else(|| wrong.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn pairs_and_crops_are_read_or_refused() {
        assert_eq!(pair("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(pair("=1").is_err() && pair("a").is_err());
        assert_eq!(crop("1, 2,3,4"), Ok([1, 2, 3, 4]));
        assert!(crop("1,2,3").is_err() && crop("1,2,3,-4").is_err());
    }
}
