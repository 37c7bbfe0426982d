//! The model file as a protobuf, before any session sees it: it has no more parts than can be held, decodes, has all its
//! weights in the bundle, each as large as its shape says, uses operators that are allowed, and has the input and output
//! that the manifest names.

mod constants;
mod count;
mod external;
mod operators;
mod proto;
mod tensor;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeSet;

use prost::Message;
use prost::bytes::Bytes;
use unmask_core::ModelSpec;

use crate::policy::Policy;
use crate::words::{Findings, listed};
use crate::{BundleError, External};

#[cfg(test)]
pub(crate) use proto::{Attribute, Graph, Model, Node, Opset, Pair, SparseTensor, Tensor, Value};

/// Checks the bytes of a model file against its manifest and the files that the manifest lists beside it.
pub(crate) fn check(
    bytes: Bytes,
    files: &[External],
    spec: &ModelSpec,
    policy: &Policy,
) -> Result<(), BundleError> {
    if bytes.is_empty() {
        return Err(BundleError::ModelEmpty);
    }
    if count::too_many(&bytes) {
        return Err(BundleError::ModelParts { most: count::MOST });
    }
    let size = bytes.len();
    let model =
        proto::Model::decode(bytes).map_err(|source| BundleError::ModelDecode { bytes: size, source })?;
    let mut findings = Findings::default();
    match &model.graph {
        Some(graph) => names(graph, spec, &mut findings),
        None => findings.push(|| "holds no graph: export the model again".into()),
    }
    walk::model(&model, files, policy, &mut findings);
    let problems = findings.finish();
    if problems.is_empty() { Ok(()) } else { Err(BundleError::Model { problems }) }
}

fn names(graph: &proto::Graph, spec: &ModelSpec, findings: &mut Findings) {
    if graph.node.is_empty() {
        findings.push(|| "the graph has no nodes: export the model again".into());
    }
    // Up to IR version 3 a weight is also listed as an input; it has a value and is not fed.
    let weights: BTreeSet<&str> = graph.initializer.iter().map(|weight| weight.name.as_str()).collect();
    let inputs: Vec<&str> =
        graph.input.iter().map(|v| v.name.as_str()).filter(|name| !weights.contains(name)).collect();
    let outputs: Vec<&str> = graph.output.iter().map(|v| v.name.as_str()).collect();
    let (input, output) = (spec.input.name.as_str(), spec.output.name.as_str());
    if !inputs.contains(&input) {
        findings.push(|| {
            format!("input.name is {input:?} in the manifest, the graph's inputs are {}", listed(&inputs))
        });
    } else if inputs.len() > 1 {
        let others = inputs.iter().filter(|name| **name != input);
        findings
            .push(|| format!("the graph also needs {}, allowed is one input, the picture", listed(others)));
    }
    if !outputs.contains(&output) {
        findings.push(|| {
            format!("output.name is {output:?} in the manifest, the graph's outputs are {}", listed(&outputs))
        });
    }
}
