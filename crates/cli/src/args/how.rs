//! How a picture is explained.

use std::path::PathBuf;

use clap::Args as Group;

use super::pair;

/// Method, fill, regions, target and cost of an explanation.
#[derive(Clone, Group)]
pub(crate) struct How {
    /// Explanation method; `unmask methods` lists them [default: the preset's, and without one that of "balanced"]
    #[arg(long)]
    pub(crate) method: Option<String>,
    /// A parameter of the method, such as masks=1000
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) params: Vec<(String, String)>,
    /// A method and a fill by what they cost and find: fast, balanced or thorough; or "paper", for the values of
    /// arXiv 2502.03957 where a parameter is not given
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub(crate) preset: String,
    /// What stands where a region is hidden; `unmask methods` lists fills [default: the preset's; else adversarial for reveal, mean
    /// for all others]
    #[arg(long, conflicts_with = "fill_image")]
    pub(crate) fill: Option<String>,
    /// A parameter of the fill, such as sigma=5
    #[arg(long = "fill-param", value_name = "KEY=VALUE", value_parser = pair, conflicts_with = "fill_image")]
    pub(crate) fill_params: Vec<(String, String)>,
    /// A picture as fill, such as the untouched original; same size as the explained one
    #[arg(long, value_name = "IMAGE")]
    pub(crate) fill_image: Option<PathBuf>,
    /// How the picture is cut into regions; `unmask methods` lists segmentations [default: slic where method or fill work
    /// on segments, else grid]
    #[arg(long)]
    pub(crate) segments: Option<String>,
    /// A parameter of the segmentation, such as segments=100
    #[arg(long = "segments-param", value_name = "KEY=VALUE", value_parser = pair, requires = "segments")]
    pub(crate) segments_params: Vec<(String, String)>,
    /// Label of the class to explain; default: the predicted class
    #[arg(long, value_name = "LABEL", conflicts_with = "group")]
    pub(crate) target: Option<String>,
    /// Group of classes to explain, such as fake; `unmask models` lists groups
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// Label of the class against which it is explained; default: all others
    #[arg(long, value_name = "LABEL", conflicts_with = "against_group")]
    pub(crate) against: Option<String>,
    /// Group of classes against which it is explained
    #[arg(long, value_name = "NAME")]
    pub(crate) against_group: Option<String>,
    /// Scale of the score: log_odds, probability or double_softmax [default: log_odds, or the preset's]
    #[arg(long, value_name = "SCALE")]
    pub(crate) scale: Option<String>,
    /// Seed of every random choice
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Most forward passes; default: as many as the method announces
    #[arg(long, value_name = "N")]
    pub(crate) max_passes: Option<u64>,
    /// End as soon as no region's standard error is larger than this share of the regions' range, such as 0.05; for rise, lime and
    /// kernel_shap
    #[arg(long, value_name = "SHARE")]
    pub(crate) target_error: Option<f64>,
    /// Language of the sentences: en or de [default: en]
    #[arg(long, value_name = "TAG", default_value = "", hide_default_value = true)]
    pub(crate) language: String,
}
