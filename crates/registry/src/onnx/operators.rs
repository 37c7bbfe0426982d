//! Which operators a model may use.
//!
//! What is allowed is listed, not what is refused. ONNX grows with every release, the server's ONNX Runtime is replaced by
//! whoever runs it, and a list of refused names lets through whatever was invented after it: `SequenceMap` hides a loop
//! under a name that no list of loops of its time had. The list holds what computes tensors of numbers from tensors of
//! numbers in a time that follows from their shapes. Left out are control flow (`If`, `Loop`, `Scan`, `SequenceMap`),
//! random numbers (`RandomNormal`, `RandomUniform`, `Multinomial`, `Bernoulli`, `Dropout` in training), text
//! (`RegexFullMatch` can take exponential time), decoders of files (`ImageDecoder`), and sequences, optionals and maps,
//! which a detector that ends in one row of scores has no need for. The price is that a new operator has to be opened or
//! added here; a refusal names it and says how.

use super::proto::{Node, Opset};
use crate::policy::Policy;
use crate::words::quoted;

/// Operators of ai.onnx, sorted.
#[rustfmt::skip]
const ONNX: &[&str] = &[
    "Abs", "Acos", "Acosh", "Add", "AffineGrid", "And", "ArgMax", "ArgMin", "Asin", "Asinh", "Atan", "Atanh",
    "Attention", "AveragePool", "BatchNormalization", "BitCast", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr",
    "BitwiseXor", "BlackmanWindow", "Cast", "CastLike", "Ceil", "Celu", "CenterCropPad", "Clip", "Col2Im", "Compress",
    "Concat", "Constant", "ConstantOfShape", "Conv", "ConvInteger", "ConvTranspose", "Cos", "Cosh", "CumProd", "CumSum",
    "DFT", "DeformConv", "DepthToSpace", "DequantizeLinear", "Det", "Div", "Dropout", "DynamicQuantizeLinear", "Einsum",
    "Elu", "Equal", "Erf", "Exp", "Expand", "EyeLike", "Flatten", "Floor", "GRU", "Gather", "GatherElements", "GatherND",
    "Gelu", "Gemm", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "Greater", "GreaterOrEqual", "GridSample",
    "GroupNormalization", "HammingWindow", "HannWindow", "HardSigmoid", "HardSwish", "Hardmax", "Identity",
    "InstanceNormalization", "IsInf", "IsNaN", "LRN", "LSTM", "LayerNormalization", "LeakyRelu", "Less", "LessOrEqual",
    "Log", "LogSoftmax", "LpNormalization", "LpPool", "MatMul", "MatMulInteger", "Max", "MaxPool", "MaxRoiPool",
    "MaxUnpool", "Mean", "MeanVarianceNormalization", "MelWeightMatrix", "Min", "Mish", "Mod", "Mul", "Neg",
    "NonMaxSuppression", "NonZero", "Not", "OneHot", "Or", "PRelu", "Pad", "Pow", "QLinearConv", "QLinearMatMul",
    "QuantizeLinear", "RMSNormalization", "RNN", "Range", "Reciprocal", "ReduceL1", "ReduceL2", "ReduceLogSum",
    "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu",
    "Reshape", "Resize", "ReverseSequence", "RoiAlign", "RotaryEmbedding", "Round", "STFT", "Scatter", "ScatterElements",
    "ScatterND", "Selu", "Shape", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Size", "Slice", "Softmax", "Softplus",
    "Softsign", "SpaceToDepth", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "SwiGLU", "Swish", "Tan", "Tanh",
    "TensorScatter", "ThresholdedRelu", "Tile", "TopK", "Transpose", "Trilu", "Unique", "Unsqueeze", "Upsample", "Where",
    "Xor",
];

/// Operators of ai.onnx.ml, sorted.
#[rustfmt::skip]
const ML: &[&str] = &[
    "ArrayFeatureExtractor", "Binarizer", "FeatureVectorizer", "Imputer", "LinearClassifier", "LinearRegressor",
    "Normalizer", "OneHotEncoder", "SVMClassifier", "SVMRegressor", "Scaler", "TreeEnsemble", "TreeEnsembleClassifier",
    "TreeEnsembleRegressor",
];

/// The operators that a domain always has; the empty name means `ai.onnx`.
fn always(domain: &str) -> Option<&'static [&'static str]> {
    match domain {
        "" | "ai.onnx" => Some(ONNX),
        "ai.onnx.ml" => Some(ML),
        _ => None,
    }
}

/// Why a node may not be used, if it may not.
pub(super) fn fault(node: &Node, policy: &Policy) -> Option<String> {
    let (operator, domain) = (node.op_type.as_str(), node.domain.as_str());
    let name = quoted(&node.name);
    let Some(standard) = always(domain) else {
        return (!policy.domains.contains(domain)).then(|| {
            format!(
                "node {name} is operator {} of domain {}, {}",
                quoted(operator),
                quoted(domain),
                advice(policy)
            )
        });
    };
    if policy.operators.contains(operator) {
        return None;
    }
    if standard.binary_search(&operator).is_err() {
        return Some(format!(
            "node {name} is operator {}, which is not among those that are always allowed: export the model without \
             it, or add it to models.operators",
            quoted(operator)
        ));
    }
    // Whether a given switch is a constant false is not looked at: exporters leave it out.
    let trains = operator == "Dropout" && node.input.get(2).is_some_and(|switch| !switch.is_empty());
    trains.then(|| {
        format!(
            "node {name} is operator \"Dropout\" with training_mode, which draws random numbers: export the model for \
             inference, or add it to models.operators"
        )
    })
}

/// Why a set of operators may not be imported, if it may not.
pub(super) fn import_fault(opset: &Opset, importer: &str, policy: &Policy) -> Option<String> {
    let known = always(&opset.domain).is_some() || policy.domains.contains(&opset.domain);
    (!known)
        .then(|| format!("{importer} imports operator domain {}, {}", quoted(&opset.domain), advice(policy)))
}

/// Why a function that the model defines may not be there, if it may not. In a domain of ONNX it would take the place of
/// an operator, and what an operator's name means would be the model's to say.
pub(super) fn function_fault(name: &str, domain: &str, policy: &Policy) -> Option<String> {
    let opened = always(domain).is_none() && policy.domains.contains(domain);
    (!opened).then(|| {
        format!(
            "the model defines function {} in domain {}: export the model with its functions inlined, or add a domain \
             of the model's own to models.domains",
            quoted(name),
            quoted(domain)
        )
    })
}

fn advice(policy: &Policy) -> String {
    let opened: String = policy.domains.iter().map(|domain| format!(", {}", quoted(domain))).collect();
    format!(
        "allowed are ai.onnx, ai.onnx.ml{opened}: export the model with standard operators, or add it to models.domains"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_as_their_search_needs() {
        assert!(ONNX.is_sorted() && ML.is_sorted());
    }
}
