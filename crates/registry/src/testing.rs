//! A small right bundle for tests, each part of which a test can spoil.

use std::fs;
use std::path::{Path, PathBuf};

use npyz::WriterBuilder as _;
use prost::Message;

use crate::bundle::sha256;
use crate::onnx::{Graph, Model, Node, Opset, Pair, Tensor, Value};

/// What the right manifest says instead of the digest.
pub(crate) const DIGEST: &str = "DIGEST";

/// A bundle before it is written.
pub(crate) struct Bundle {
    pub(crate) name: String,
    pub(crate) version: String,
    /// `DIGEST` in it becomes the digest of the model.
    pub(crate) manifest: String,
    pub(crate) model: Vec<u8>,
    pub(crate) golden: Vec<u8>,
    /// Files of external data, which the manifest lists.
    pub(crate) external: Vec<(String, Vec<u8>)>,
}

impl Bundle {
    /// A bundle without fault: three classes, 8 x 10 pixels, two golden pictures.
    pub(crate) fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            manifest: manifest(name, version),
            model: model().encode_to_vec(),
            golden: npy(&[2, 3, 8, 10], &[0.5f32; 480]),
            external: Vec::new(),
        }
    }

    /// The manifest with `from` replaced, which must be in it.
    pub(crate) fn spoil(mut self, from: &str, to: &str) -> Self {
        assert!(self.manifest.contains(from), "the right manifest has no {from:?}");
        self.manifest = self.manifest.replacen(from, to, 1);
        self
    }

    /// A bundle whose weight lies in a file of this name.
    pub(crate) fn outside(name: &str) -> Self {
        let mut model = model();
        let weight = &mut model.graph.as_mut().unwrap().initializer[0];
        let data = std::mem::take(&mut weight.raw_data);
        weight.data_location = 1;
        weight.external_data = vec![Pair { key: "location".into(), value: name.into() }];
        let listed = format!(
            "[[external]]\nfile = \"{name}\"\nsha256 = \"{}\"\nbytes = {}\n\n[input]",
            sha256(&data),
            data.len()
        );
        let external = vec![(name.into(), data.to_vec())];
        Self { model: model.encode_to_vec(), external, ..Self::new("model", "1") }.spoil("[input]", &listed)
    }

    /// Writes the bundle under `root` and returns its directory.
    pub(crate) fn write(&self, root: &Path) -> PathBuf {
        let dir = root.join(&self.name).join(&self.version);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("model.toml"), self.manifest.replace(DIGEST, &sha256(&self.model))).unwrap();
        fs::write(dir.join("model.onnx"), &self.model).unwrap();
        fs::write(dir.join("golden.npy"), &self.golden).unwrap();
        for (name, data) in &self.external {
            fs::write(dir.join(name), data).unwrap();
        }
        dir
    }
}

/// The right manifest.
pub(crate) fn manifest(name: &str, version: &str) -> String {
    format!(
        r#"schema = 1
name = "{name}"
version = "{version}"
summary = "tells nothing apart"
licence = "Apache-2.0"
sha256 = "{DIGEST}"

[input]
name = "picture"
layout = "NCHW"
width = 10
height = 8
colour = "BGR"
range = [0, 255]
mean = [1.0, 2.0, 3.0]
std = [4.0, 5.0, 6.0]
resize = "bicubic"
antialias = false
picture = "face"
face_factor = 1.35

[output]
name = "logits"
activation = "softmax"
labels = ["blend", "real", "swap"]
real = "real"

[groups]
fake = ["swap", "blend"]

[golden]
input = "golden.npy"
scores = [[0.0, 1.0, 2.0], [3, 4, 5]]
tolerance = 1e-3
"#
    )
}

/// A float32 tensor whose data is as long as its shape says.
pub(crate) fn weight(name: &str, dims: &[i64]) -> Tensor {
    let bytes = 4 * usize::try_from(dims.iter().product::<i64>()).unwrap();
    Tensor {
        name: name.into(),
        dims: dims.into(),
        data_type: 1,
        raw_data: vec![1; bytes].into(),
        ..Tensor::default()
    }
}

/// The right model: one node, one weight, which is also listed as an input as old exporters do.
pub(crate) fn model() -> Model {
    let value = |name: &str| Value { name: name.into() };
    let node = Node { name: "sum".into(), op_type: "Gemm".into(), ..Node::default() };
    let weight = weight("w", &[2, 3]);
    let graph = Graph {
        node: vec![node],
        initializer: vec![weight],
        input: vec![value("picture"), value("w")],
        output: vec![value("logits")],
        ..Graph::default()
    };
    let opset = |domain: &str| Opset { domain: domain.into(), version: 17 };
    Model {
        ir_version: 8,
        graph: Some(graph),
        opset_import: vec![opset(""), opset("ai.onnx.ml")],
        ..Model::default()
    }
}

/// A `.npy` file as another program writes it.
pub(crate) fn npy<T: npyz::AutoSerialize>(shape: &[u64], values: &[T]) -> Vec<u8> {
    ordered_npy(npyz::Order::C, shape, values)
}

/// The same in a given order of the axes.
pub(crate) fn ordered_npy<T: npyz::AutoSerialize>(
    order: npyz::Order,
    shape: &[u64],
    values: &[T],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().order(order).shape(shape).writer(&mut bytes);
    let mut writer = options.begin_nd().unwrap();
    values.iter().for_each(|value| writer.push(value).unwrap());
    writer.finish().unwrap();
    bytes
}
