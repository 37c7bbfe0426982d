//! All fills with their parameters.

use unmask_core::{Kind, Param};

use super::adversarial;
use crate::catalogue::Descriptor;

/// One channel of a constant fill.
const fn channel(name: &'static str, help: &'static str) -> Param {
    Param {
        name,
        unit: "pixel value",
        kind: Kind::Real { default: 127.5, min: 0.0, max: 255.0 },
        paper: None,
        help,
        source: "middle of the range",
    }
}

/// Red of a constant fill.
pub const RED: Param = channel("red", "Red of the fill.");
/// Green of a constant fill.
pub const GREEN: Param = channel("green", "Green of the fill.");
/// Blue of a constant fill.
pub const BLUE: Param = channel("blue", "Blue of the fill.");
/// Width of a blur.
pub const SIGMA: Param = Param {
    name: "sigma",
    unit: "pixels of the model's frame",
    kind: Kind::Real { default: 10.0, min: 0.5, max: 100.0 },
    paper: None,
    help: "Standard deviation of the Gaussian.",
    source: "Fong and Vedaldi, arXiv 1704.03296",
};
/// Width of a box blur.
pub const WIDTH: Param = Param {
    name: "width",
    unit: "pixels of the model's frame",
    kind: Kind::Integer { default: 128, min: 2, max: 256 },
    paper: None,
    help: "Side of the box.",
    source: "arXiv 2502.03957",
};
/// Strength of noise.
pub const STRENGTH: Param = Param {
    name: "strength",
    unit: "",
    kind: Kind::Real { default: 1.0, min: 0.01, max: 10.0 },
    paper: None,
    help: "Factor of the standard deviation of each channel.",
    source: "ours: noise as strong as the picture's own variation",
};
/// The picture of an image fill.
pub const IMAGE: Param = Param {
    name: "image",
    unit: "JPEG, PNG or still WebP",
    kind: Kind::Picture,
    paper: None,
    help: "A picture with the explained picture's displayed size, such as its untouched original.",
    source: "",
};

/// All fills, in the order of the contract.
pub const FILLS: &[Descriptor] = &[
    Descriptor {
        name: "constant",
        summary: "One colour, mid-grey by default.",
        citation: "",
        params: &[RED, GREEN, BLUE],
        passes: "0",
    },
    Descriptor {
        name: "mean",
        summary: "The mean colour of the picture.",
        citation: "",
        params: &[],
        passes: "0",
    },
    Descriptor {
        name: "blur",
        summary: "The picture under a Gaussian blur, edges mirrored.",
        citation: "Fong and Vedaldi, ICCV 2017, arXiv 1704.03296",
        params: &[SIGMA],
        passes: "0",
    },
    Descriptor {
        name: "image",
        summary: "A picture that the caller sends, such as the untouched original.",
        citation: "",
        params: &[IMAGE],
        passes: "0",
    },
    Descriptor {
        name: "segment_mean",
        summary: "The mean colour of each segment.",
        citation: "Ribeiro et al., KDD 2016, arXiv 1602.04938",
        params: &[],
        passes: "0",
    },
    Descriptor {
        name: "box_blur",
        summary: "The picture under a box blur, edges mirrored as OpenCV does.",
        citation: "Lundberg and Lee, NIPS 2017, arXiv 1705.07874",
        params: &[WIDTH],
        passes: "0",
    },
    Descriptor {
        name: "noise",
        summary: "Gaussian noise with the mean and standard deviation of each channel.",
        citation: "",
        params: &[STRENGTH],
        passes: "0",
    },
    Descriptor {
        name: "zero",
        summary: "0 in the model's units: with ImageNet's normalisation, the mean colour of ImageNet.",
        citation: "Petsiuk et al., BMVC 2018, arXiv 1806.07421",
        params: &[],
        passes: "0",
    },
    adversarial::BOUNDED,
    adversarial::PAPER,
];
