//! Shapes that stand in the file, and the operators that make tensors of such a shape: a file of a hundred bytes can ask
//! for a terabyte. A shape that is computed, or kept outside, is not seen here; the first probe runs into its own limit.

use std::collections::BTreeMap;

use super::proto::{Graph, Node};
use super::tensor;
use crate::words::quoted;

/// Most elements of a tensor that is made from a shape: 1 GiB of float32.
const MOST: u64 = 1 << 28;

/// Constants of a graph that can be shapes, and those of the graphs around it.
pub(super) struct Scope<'a> {
    own: BTreeMap<&'a str, Vec<i64>>,
    around: Option<&'a Scope<'a>>,
}

impl<'a> Scope<'a> {
    pub(super) fn graph(graph: &'a Graph, around: Option<&'a Scope<'a>>) -> Self {
        let mut scope = Self::nodes(&graph.node, around);
        let weights = graph.initializer.iter();
        scope
            .own
            .extend(weights.filter_map(|weight| Some((weight.name.as_str(), tensor::integers(weight)?))));
        scope
    }

    pub(super) fn nodes(nodes: &'a [Node], around: Option<&'a Scope<'a>>) -> Self {
        let constants = nodes.iter().filter(|node| node.op_type == "Constant");
        let own = constants.filter_map(|node| {
            let attribute = node.attribute.first()?;
            let value =
                attribute.t.as_ref().map_or_else(|| Some(attribute.ints.clone()), tensor::integers)?;
            Some((node.output.first()?.as_str(), value))
        });
        Self { own: own.collect(), around }
    }

    fn find(&self, name: &str) -> Option<&[i64]> {
        self.own.get(name).map(Vec::as_slice).or_else(|| self.around?.find(name))
    }

    /// What is wrong with the shape that a node makes a tensor of, if anything.
    pub(super) fn fault(&self, node: &Node) -> Option<String> {
        let input = match node.op_type.as_str() {
            "ConstantOfShape" => 0,
            "Expand" => 1,
            _ => return None,
        };
        let dims = self.find(node.input.get(input)?)?;
        let fits = tensor::elements(dims).flatten().is_some_and(|elements| elements <= MOST);
        (!fits).then(|| {
            format!(
                "tensor {} is made by {} with shape {}, allowed are at most {MOST} elements",
                node.output.first().map_or_else(|| quoted(&node.name), |name| quoted(name)),
                node.op_type,
                tensor::shape(dims)
            )
        })
    }
}
