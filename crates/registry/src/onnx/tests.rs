use prost::Message;
use unmask_core::Draws;

use super::proto::{Function, Pair, Training};
use super::*;
use crate::manifest;
use crate::testing::{self, DIGEST};

fn spec() -> ModelSpec {
    manifest::read(&testing::manifest("m", "1").replace(DIGEST, &"0".repeat(64)), "m", "1").unwrap().spec
}

/// The reason why the right model is refused after `spoil`.
fn refused(spoil: impl FnOnce(&mut Model)) -> String {
    let mut model = testing::model();
    spoil(&mut model);
    check(&model.encode_to_vec(), &spec()).unwrap_err().reason()
}

fn graph(model: &mut Model) -> &mut Graph {
    model.graph.as_mut().unwrap()
}

fn custom() -> Node {
    Node { name: "n".into(), op_type: "Magic".into(), domain: "com.example".into(), ..Node::default() }
}

fn outside() -> Tensor {
    let pair = |key: &str, value: &str| Pair { key: key.into(), value: value.into() };
    let external_data = vec![pair("offset", "0"), pair("location", "../secret")];
    Tensor { name: "t".into(), external_data, data_location: 1 }
}

fn within(attribute: Attribute) -> Node {
    Node { attribute: vec![attribute], ..Node::default() }
}

#[test]
fn the_right_model_passes() {
    assert!(check(&testing::model().encode_to_vec(), &spec()).is_ok());
}

#[test]
fn names_that_the_graph_does_not_have_are_answered_with_those_it_has() {
    let reason = refused(|m| graph(m).input[0].name = "x".into());
    assert_eq!(reason, "model.onnx: input.name is \"picture\" in the manifest, the graph's inputs are \"x\"");
    let reason = refused(|m| graph(m).output[0].name = "y".into());
    assert_eq!(
        reason,
        "model.onnx: output.name is \"logits\" in the manifest, the graph's outputs are \"y\""
    );
    let reason = refused(|m| graph(m).input.push(Value { name: "mask".into() }));
    assert_eq!(reason, "model.onnx: the graph also needs \"mask\", allowed is one input, the picture");
    let reason = refused(|m| *graph(m) = Graph::default());
    assert_eq!(
        reason,
        "model.onnx: the graph has no nodes: export the model again; \
         input.name is \"picture\" in the manifest, the graph's inputs are none; \
         output.name is \"logits\" in the manifest, the graph's outputs are none"
    );
}

#[test]
fn a_weight_that_is_listed_as_an_input_is_not_the_input() {
    let reason = refused(|m| graph(m).initializer[0].name = "picture".into());
    assert_eq!(reason, "model.onnx: input.name is \"picture\" in the manifest, the graph's inputs are \"w\"");
}

#[test]
fn operators_of_other_domains_are_found_wherever_they_hide() {
    let reason = "model.onnx: node \"n\" is operator \"Magic\" of domain \"com.example\", \
                  allowed are ai.onnx and ai.onnx.ml: export the model with standard operators";
    let inner = || Graph { node: vec![custom()], ..Graph::default() };
    let deeper = || Graph {
        node: vec![within(Attribute { g: Some(inner()), ..Attribute::default() })],
        ..Graph::default()
    };
    assert_eq!(refused(|m| graph(m).node.push(custom())), reason);
    for attribute in [
        Attribute { g: Some(inner()), ..Attribute::default() },
        Attribute { graphs: vec![Graph::default(), deeper()], ..Attribute::default() },
    ] {
        assert_eq!(refused(|m| graph(m).node.push(within(attribute))), reason);
    }
    let function = Function { node: vec![custom()], ..Function::default() };
    assert_eq!(refused(|m| m.functions.push(function)), reason);
    let training = Training { algorithm: Some(inner()), ..Training::default() };
    assert_eq!(refused(|m| m.training_info.push(training)), reason);
}

#[test]
fn operator_sets_of_other_domains_are_refused() {
    let opset = || Opset { domain: "com.microsoft".into(), version: 1 };
    let words = "imports operator domain \"com.microsoft\", \
                 allowed are ai.onnx and ai.onnx.ml: export the model with standard operators";
    assert_eq!(refused(|m| m.opset_import.push(opset())), format!("model.onnx: the model {words}"));
    let function = Function { name: "f".into(), opset_import: vec![opset()], ..Function::default() };
    assert_eq!(refused(|m| m.functions.push(function)), format!("model.onnx: function \"f\" {words}"));
}

#[test]
fn data_outside_the_file_is_found_wherever_it_hides() {
    let reason = "model.onnx: tensor \"t\" keeps its data in \"../secret\", allowed is data inside model.onnx: \
                  save it without external data";
    let sparse = || SparseTensor { values: Some(Tensor::default()), indices: Some(outside()) };
    assert_eq!(refused(|m| graph(m).initializer.push(outside())), reason);
    assert_eq!(refused(|m| graph(m).sparse_initializer.push(sparse())), reason);
    for attribute in [
        Attribute { t: Some(outside()), ..Attribute::default() },
        Attribute { tensors: vec![outside()], ..Attribute::default() },
        Attribute { sparse_tensor: Some(sparse()), ..Attribute::default() },
        Attribute { sparse_tensors: vec![sparse()], ..Attribute::default() },
        Attribute {
            g: Some(Graph { initializer: vec![outside()], ..Graph::default() }),
            ..Attribute::default()
        },
    ] {
        assert_eq!(refused(|m| graph(m).node.push(within(attribute.clone()))), reason);
        let function = Function { attribute: vec![attribute], ..Function::default() };
        assert_eq!(refused(|m| m.functions.push(function)), reason);
    }
}

#[test]
fn either_sign_of_outside_data_is_enough() {
    for tensor in [
        Tensor { data_location: 1, ..Tensor::default() },
        Tensor { data_location: 7, ..Tensor::default() },
        Tensor { data_location: 0, ..outside() },
    ] {
        let reason = refused(|m| graph(m).initializer.push(tensor));
        assert!(
            reason.ends_with("allowed is data inside model.onnx: save it without external data"),
            "{reason}"
        );
    }
}

#[test]
fn many_findings_are_counted() {
    let reason = refused(|m| graph(m).node = vec![custom(); 100]);
    assert!(reason.ends_with("; and 92 more of the kind"), "{reason}");
}

#[test]
fn what_is_no_model_is_said_to_be_none() {
    let reason = |bytes: &[u8]| check(bytes, &spec()).unwrap_err().reason();
    assert_eq!(reason(b""), "model.onnx is empty, export the model again");
    let text = reason(b"<html>not found</html>");
    assert!(
        text.starts_with("model.onnx is not an ONNX model: its 22 bytes do not decode: failed to decode"),
        "{text}"
    );
    assert_eq!(refused(|m| m.graph = None), "model.onnx: holds no graph: export the model again");
}

#[test]
fn graphs_within_graphs_end_before_the_stack_does() {
    let mut node = custom();
    for _ in 0..200 {
        let graph = Graph { node: vec![node], ..Graph::default() };
        node = within(Attribute { g: Some(graph), ..Attribute::default() });
    }
    let reason = refused(|m| graph(m).node = vec![node]);
    assert!(reason.ends_with("recursion limit reached"), "{reason}");
}

#[test]
fn no_bytes_panic() {
    let right = testing::model().encode_to_vec();
    let spec = spec();
    for index in 0..20_000 {
        let mut draws = Draws::new(11, index);
        let mut bytes = match index % 2 {
            0 => right.clone(),
            _ => (0..draws.below(300)).map(|_| draws.word() as u8).collect(),
        };
        for _ in 0..1 + draws.below(8) {
            let at = draws.below(bytes.len() as u32) as usize;
            match (draws.below(3), bytes.is_empty()) {
                (_, true) => {}
                (0, _) => bytes.truncate(at),
                (1, _) => bytes.insert(at, draws.word() as u8),
                (_, _) => bytes[at] = draws.word() as u8,
            }
        }
        if let Err(error) = check(&bytes, &spec) {
            assert!(!error.reason().is_empty());
        }
    }
}
