//! What can be typed of `unmask report`.

use std::path::PathBuf;

use clap::Args as Group;

use super::{How, Priority, Where, Which, crop};

#[derive(Group)]
pub(crate) struct Report {
    /// Pictures: JPEG, PNG or still WebP
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<PathBuf>,
    /// Model, such as selfblend-mobilenetv2@1; default: the default model's latest version
    #[arg(long, value_name = "NAME[@VERSION]")]
    pub(crate) model: Option<String>,
    /// Part of each picture, in pixels of the picture as displayed, in place of its faces
    #[arg(long, value_name = "X,Y,WIDTH,HEIGHT", value_parser = crop)]
    pub(crate) crop: Option<[u32; 4]>,
    /// Faces to explain [default: all]; where none is found, the whole picture is explained, and the page says so
    #[arg(long, value_enum, value_name = "WHICH", conflicts_with = "crop")]
    pub(crate) face: Option<Which>,
    /// The model that finds them, such as centerface@1; default: the server's
    #[arg(long, value_name = "NAME[@VERSION]", conflicts_with = "crop")]
    pub(crate) face_model: Option<String>,
    #[command(flatten)]
    pub(crate) how: How,
    /// Another method to hold the explanation against, such as rise:masks=500; may be given several times [default: the first two of
    /// rise:masks=1000, lime:samples=1000 and occlusion that are not the method itself]
    #[arg(long = "compare", value_name = "NAME[:KEY=VALUE,...]", conflicts_with = "no_compare")]
    pub(crate) compare: Vec<String>,
    /// Leave the comparison with other methods and with controls out
    #[arg(long)]
    pub(crate) no_compare: bool,
    /// What the comparison measures; `unmask metrics` lists metrics; may be given several times [default: deletion:step=1568,
    /// insertion:step=1568, comprehensiveness and sufficiency]
    #[arg(long = "metric", value_name = "NAME[:KEY=VALUE,...]", conflicts_with = "no_compare")]
    pub(crate) metrics: Vec<String>,
    /// Title of the page
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
    /// The page; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    pub(crate) output: PathBuf,
    /// Share beside other requests at a server [default: normal]
    #[arg(long, value_enum, value_name = "CLASS")]
    pub(crate) priority: Option<Priority>,
    #[command(flatten)]
    pub(crate) place: Where,
}
