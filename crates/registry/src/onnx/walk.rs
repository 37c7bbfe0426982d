//! The way through everything in a model that can hold an operator or a tensor: graphs, the graphs in attributes,
//! functions that the model brings along, and training graphs. It ends because decoding bounds how deep messages nest.

use super::proto::{Attribute, Graph, Model, Node, Opset, SparseTensor, Tensor};
use crate::words::{Findings, quoted};

/// The operator sets that ONNX itself defines; the empty name means `ai.onnx`. An operator of any other domain is code
/// that the server does not have.
const DOMAINS: [&str; 3] = ["", "ai.onnx", "ai.onnx.ml"];

pub(super) fn model(model: &Model, findings: &mut Findings) {
    opsets(&model.opset_import, "the model", findings);
    model.graph.iter().for_each(|part| graph(part, findings));
    for training in &model.training_info {
        training.initialization.iter().chain(&training.algorithm).for_each(|part| graph(part, findings));
    }
    for function in &model.functions {
        opsets(&function.opset_import, &format!("function {}", quoted(&function.name)), findings);
        function.node.iter().for_each(|part| node(part, findings));
        function.attribute.iter().for_each(|part| attribute(part, findings));
    }
}

fn opsets(opsets: &[Opset], importer: &str, findings: &mut Findings) {
    for opset in opsets.iter().filter(|opset| !allowed(&opset.domain)) {
        findings
            .push(|| format!("{importer} imports operator domain {}, {}", quoted(&opset.domain), advice()));
    }
}

fn graph(graph: &Graph, findings: &mut Findings) {
    graph.node.iter().for_each(|part| node(part, findings));
    graph.initializer.iter().for_each(|part| tensor(part, findings));
    graph.sparse_initializer.iter().for_each(|part| sparse(part, findings));
}

fn node(node: &Node, findings: &mut Findings) {
    if !allowed(&node.domain) {
        findings.push(|| {
            format!(
                "node {} is operator {} of domain {}, {}",
                quoted(&node.name),
                quoted(&node.op_type),
                quoted(&node.domain),
                advice()
            )
        });
    }
    node.attribute.iter().for_each(|part| attribute(part, findings));
}

fn attribute(attribute: &Attribute, findings: &mut Findings) {
    attribute.g.iter().chain(&attribute.graphs).for_each(|part| graph(part, findings));
    attribute.t.iter().chain(&attribute.tensors).for_each(|part| tensor(part, findings));
    attribute.sparse_tensor.iter().chain(&attribute.sparse_tensors).for_each(|part| sparse(part, findings));
}

fn sparse(sparse: &SparseTensor, findings: &mut Findings) {
    sparse.values.iter().chain(&sparse.indices).for_each(|part| tensor(part, findings));
}

fn tensor(tensor: &Tensor, findings: &mut Findings) {
    if tensor.data_location != 0 || !tensor.external_data.is_empty() {
        let location = tensor.external_data.iter().find(|pair| pair.key == "location");
        let place = location.map_or_else(|| "another file".into(), |pair| quoted(&pair.value));
        findings.push(|| {
            format!(
                "tensor {} keeps its data in {place}, allowed is data inside model.onnx: save it without external data",
                quoted(&tensor.name)
            )
        });
    }
}

fn allowed(domain: &str) -> bool {
    DOMAINS.contains(&domain)
}

fn advice() -> String {
    let [_, onnx, ml] = DOMAINS;
    format!("allowed are {onnx} and {ml}: export the model with standard operators")
}
