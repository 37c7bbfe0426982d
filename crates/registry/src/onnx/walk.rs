//! The way through everything in a model that can hold an operator or a tensor: graphs, the graphs in attributes,
//! functions that the model brings along, and training graphs. It ends because decoding bounds how deep messages nest.

use super::constants::Scope;
use super::external::Files;
use super::proto::{Attribute, Graph, Model, Node, SparseTensor, Tensor};
use super::{operators, tensor};
use crate::External;
use crate::policy::Policy;
use crate::words::{Findings, quoted};

/// What is asked along the way, and what was found.
struct Walk<'a> {
    policy: &'a Policy,
    files: Files<'a>,
    findings: &'a mut Findings,
}

pub(super) fn model(model: &Model, files: &[External], policy: &Policy, findings: &mut Findings) {
    let mut walk = Walk { policy, files: Files::new(files), findings };
    let imported = model.opset_import.iter();
    imported.for_each(|opset| walk.note(operators::import_fault(opset, "the model", policy)));
    if let Some(graph) = &model.graph {
        walk.main(graph);
    }
    for training in &model.training_info {
        training.initialization.iter().chain(&training.algorithm).for_each(|part| walk.graph(part, None));
    }
    for function in &model.functions {
        walk.note(operators::function_fault(&function.name, &function.domain, policy));
        let importer = format!("function {}", quoted(&function.name));
        let imported = function.opset_import.iter();
        imported.for_each(|opset| walk.note(operators::import_fault(opset, &importer, policy)));
        let scope = Scope::nodes(&function.node, None);
        function.node.iter().for_each(|part| walk.node(part, &scope));
        function.attribute.iter().for_each(|part| walk.attribute(part, &scope));
    }
    walk.note(walk.files.unused());
}

impl Walk<'_> {
    fn note(&mut self, fault: Option<String>) {
        if let Some(fault) = fault {
            self.findings.push(|| fault);
        }
    }

    /// The graph whose weights may lie outside: those are what ONNX Runtime replaces by what it is given in memory.
    fn main(&mut self, graph: &Graph) {
        let (outside, inside): (Vec<_>, Vec<_>) =
            graph.initializer.iter().partition(|weight| is_outside(weight));
        for weight in outside {
            let fault = self.files.fault(weight);
            self.about(weight, fault);
        }
        inside.into_iter().for_each(|weight| self.tensor(weight));
        self.rest(graph, None);
    }

    fn graph(&mut self, graph: &Graph, around: Option<&Scope<'_>>) {
        graph.initializer.iter().for_each(|part| self.tensor(part));
        self.rest(graph, around);
    }

    fn rest(&mut self, graph: &Graph, around: Option<&Scope<'_>>) {
        let scope = Scope::graph(graph, around);
        graph.node.iter().for_each(|part| self.node(part, &scope));
        graph.sparse_initializer.iter().for_each(|part| self.sparse(part));
    }

    fn node(&mut self, node: &Node, scope: &Scope<'_>) {
        self.note(operators::fault(node, self.policy));
        self.note(scope.fault(node));
        node.attribute.iter().for_each(|part| self.attribute(part, scope));
    }

    fn attribute(&mut self, attribute: &Attribute, scope: &Scope<'_>) {
        attribute.g.iter().chain(&attribute.graphs).for_each(|part| self.graph(part, Some(scope)));
        attribute.t.iter().chain(&attribute.tensors).for_each(|part| self.tensor(part));
        attribute.sparse_tensor.iter().chain(&attribute.sparse_tensors).for_each(|part| self.sparse(part));
    }

    /// ONNX Runtime makes a sparse tensor whole, however large that is.
    fn sparse(&mut self, sparse: &SparseTensor) {
        let name = sparse.values.as_ref().map_or("", |values| values.name.as_str());
        self.findings.push(|| format!("tensor {} is sparse, allowed are dense tensors", quoted(name)));
    }

    fn tensor(&mut self, tensor: &Tensor) {
        let fault = if is_outside(tensor) {
            Some("keeps its data outside, which is allowed for weights of the model's own graph only".into())
        } else {
            tensor::fault(tensor)
        };
        self.about(tensor, fault);
    }

    fn about(&mut self, tensor: &Tensor, fault: Option<String>) {
        self.note(fault.map(|fault| format!("tensor {} {fault}", quoted(&tensor.name))));
    }
}

/// Either sign of data in another file is enough.
fn is_outside(tensor: &Tensor) -> bool {
    tensor.data_location != 0 || !tensor.external_data.is_empty()
}
