//! What is known of a model before it runs: the manifest of its bundle, checked.

/// Everything that pixels need to become the model's input and that its output needs to become scores.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// Name, unique in a registry.
    pub name: String,
    /// Version, unique under the name.
    pub version: String,
    /// SHA-256 of the model file, lower-case hexadecimal.
    pub digest: String,
    /// One sentence about the model.
    pub summary: String,
    /// SPDX expression.
    pub licence: String,
    /// What it tells of a picture.
    pub task: Task,
    /// How pixels enter.
    pub input: InputSpec,
    /// How scores leave.
    pub output: OutputSpec,
    /// Named sets of classes.
    pub groups: Vec<Group>,
}

/// What a model tells of a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Task {
    /// A score for each class.
    Classes,
    /// Where faces are: rows of [`FACE_VALUES`] numbers, zeros where there is none.
    Faces {
        /// Faces that there is room for.
        most: usize,
        /// Side of what others mean by a face, brow to chin and ear to ear, over the larger side of this model's box.
        scale: f64,
        /// How far its middle lies below that of the box, over the larger side.
        drop: f64,
    },
}

/// Numbers that tell of a face: how surely it is one, left, top, right and bottom of its box, then x and y of the left eye in the
/// picture, the right eye, the tip of the nose and the corners of the mouth, left and right. Places are parts of the model's frame.
pub const FACE_VALUES: usize = 15;

/// How a picture becomes the model's input.
#[derive(Clone, Debug, PartialEq)]
pub struct InputSpec {
    /// Name of the graph's input.
    pub name: String,
    /// Order of the axes.
    pub layout: Layout,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Order of the channels.
    pub colour: Colour,
    /// What pixel values 0 and 255 become before mean and deviation are applied.
    pub range: (f64, f64),
    /// Per channel, subtracted after scaling.
    pub mean: [f64; 3],
    /// Per channel, divided by after the mean is subtracted.
    pub std: [f64; 3],
    /// Filter that brings a picture to size.
    pub resize: Resize,
    /// Whether the filter widens when it shrinks a picture (as Pillow does and `antialias = false` of torchvision does not).
    pub antialias: bool,
    /// What the picture should show.
    pub picture: PictureKind,
}

/// How the graph's output becomes class scores.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputSpec {
    /// Name of the graph's output.
    pub name: String,
    /// What has still to be applied to the output to get probabilities.
    pub activation: Activation,
    /// Class labels, in the order of the logits.
    pub labels: Vec<String>,
    /// Index of the label that means "not manipulated".
    pub real: usize,
    /// For a graph with one output value: index of the label it speaks for; the other label is its complement.
    pub single: Option<usize>,
}

/// A named set of classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Name, unique in the model.
    pub name: String,
    /// Indices into the labels, ascending.
    pub classes: Vec<usize>,
}

/// Order of the axes of the graph's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Batch, channel, row, column.
    Nchw,
    /// Batch, row, column, channel.
    Nhwc,
}

/// Order of the colour channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// Filter that brings a picture to the model's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    /// The nearest pixel.
    Nearest,
    /// Linear between pixels.
    Bilinear,
    /// Cubic, a = -0.5 with antialias (as Pillow), a = -0.75 without (as OpenCV and torchvision).
    Bicubic,
    /// Windowed sinc of three lobes.
    Lanczos3,
}

/// What the model expects to see.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PictureKind {
    /// The whole image.
    Whole,
    /// A square crop around a face.
    Face {
        /// Side of the crop over the larger side of the face's box.
        factor: f64,
    },
}

/// What has still to be applied to the graph's output to get probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing: the graph ends in probabilities.
    None,
    /// Softmax over the classes.
    Softmax,
    /// Sigmoid of one logit.
    Sigmoid,
}

impl ModelSpec {
    /// A spec for closed-form models: RGB in [0, 1] as `[3, height, width]`, logits out, the first label is "real".
    pub fn plain(name: &str, height: usize, width: usize, labels: &[&str]) -> Self {
        Self {
            name: name.into(),
            version: "1".into(),
            digest: String::new(),
            summary: String::new(),
            licence: String::new(),
            task: Task::Classes,
            input: InputSpec {
                name: "input".into(),
                layout: Layout::Nchw,
                height,
                width,
                colour: Colour::Rgb,
                range: (0.0, 1.0),
                mean: [0.0; 3],
                std: [1.0; 3],
                resize: Resize::Bilinear,
                antialias: true,
                picture: PictureKind::Whole,
            },
            output: OutputSpec {
                name: "logits".into(),
                activation: Activation::Softmax,
                labels: labels.iter().map(|l| (*l).into()).collect(),
                real: 0,
                single: None,
            },
            groups: Vec::new(),
        }
    }

    /// `name@version`.
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.output.labels.len()
    }

    /// Values in one picture of the input.
    pub fn picture_len(&self) -> usize {
        3 * self.input.height * self.input.width
    }

    /// Values in one row of the graph's own output.
    pub fn output_len(&self) -> usize {
        if self.output.single.is_some() { 1 } else { self.row_len() }
    }

    /// Values in one row of [`Scores`](crate::Scores).
    pub fn row_len(&self) -> usize {
        match self.task {
            Task::Classes => self.classes(),
            Task::Faces { most, .. } => most * FACE_VALUES,
        }
    }

    /// Rows of scores from rows of the graph's own output: logits of every class, or faces as they are.
    pub fn scores(&self, raw: &[f32]) -> Vec<f32> {
        match self.task {
            Task::Classes => self.output.logits(raw),
            Task::Faces { .. } => raw.to_vec(),
        }
    }
}

impl InputSpec {
    /// A pixel value of 0 to 255 in the units of the model's channel `channel` (0 to 2, in the model's order).
    pub fn units(&self, channel: usize, value: f64) -> f32 {
        let scaled = value / 255.0 * (self.range.1 - self.range.0) + self.range.0;
        ((scaled - self.mean[channel]) / self.std[channel]) as f32
    }

    /// How much one step of a pixel value (of 255) is in the units of channel `channel`, as a positive number.
    pub fn level(&self, channel: usize) -> f32 {
        ((self.range.1 - self.range.0) / (255.0 * self.std[channel])).abs() as f32
    }

    /// Which of red (0), green (1) and blue (2) the model's channel `channel` holds.
    pub fn source(&self, channel: usize) -> usize {
        match self.colour {
            Colour::Rgb => channel,
            Colour::Bgr => 2 - channel,
        }
    }
}

impl OutputSpec {
    /// Logits of every class from rows of the graph's own output; a softmax over them gives the model's probabilities.
    pub fn logits(&self, raw: &[f32]) -> Vec<f32> {
        match (self.single, self.activation) {
            (Some(class), activation) => raw.iter().flat_map(|v| pair(class, *v, activation)).collect(),
            (None, Activation::None) => raw.iter().map(|p| log_probability(*p)).collect(),
            (None, Activation::Softmax | Activation::Sigmoid) => raw.to_vec(),
        }
    }
}

fn pair(class: usize, value: f32, activation: Activation) -> [f32; 2] {
    let (own, other) = match activation {
        Activation::None => (log_probability(value), log_probability(1.0 - value)),
        Activation::Softmax | Activation::Sigmoid => (value, 0.0),
    };
    if class == 1 { [other, own] } else { [own, other] }
}

/// The logarithm of a probability; one that has underflowed to 0 counts as the smallest normal float32, so that the result is finite.
fn log_probability(p: f32) -> f32 {
    p.max(f32::MIN_POSITIVE).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::softmax;

    fn output(activation: Activation, single: Option<usize>) -> OutputSpec {
        let labels = vec!["real".into(), "fake".into()];
        OutputSpec { name: "out".into(), activation, labels, real: 0, single }
    }

    #[test]
    fn a_graph_that_ends_in_softmax_is_read_through_logarithms() {
        let logits = output(Activation::None, None).logits(&[0.25, 0.75, 1.0, 0.0]);
        assert_eq!(softmax(&logits[..2]), [0.25, 0.75]);
        assert!(logits.iter().all(|v| v.is_finite()));
    }

    #[test]
    fn one_logit_becomes_two_classes() {
        let logits = output(Activation::Sigmoid, Some(1)).logits(&[2.0]);
        assert_eq!(logits, [0.0, 2.0]);
        assert!((softmax(&logits)[1] - 1.0 / (1.0 + (-2.0f32).exp())).abs() < 1e-6);
    }

    #[test]
    fn one_probability_of_the_first_class_becomes_two_classes() {
        let logits = output(Activation::None, Some(0)).logits(&[0.8]);
        let p = softmax(&logits);
        assert!((p[0] - 0.8).abs() < 1e-6 && (p[1] - 0.2).abs() < 1e-6, "{p:?}");
    }
}
