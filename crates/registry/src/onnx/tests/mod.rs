//! What is checked of a model file before any session sees it.

mod data;

use prost::Message;
use unmask_core::Draws;

use super::proto::{Function, Training};
use super::*;
use crate::manifest;
use crate::testing::{self, DIGEST};

fn spec() -> ModelSpec {
    manifest::read(&testing::manifest("m", "1").replace(DIGEST, &"0".repeat(64)), "m", "1").unwrap().spec
}

fn checked(model: &Model, files: &[External], policy: &Policy) -> Result<(), BundleError> {
    check(model.encode_to_vec().into(), files, &spec(), policy)
}

/// The reason why the right model is refused after `spoil`.
fn refused(spoil: impl FnOnce(&mut Model)) -> String {
    let mut model = testing::model();
    spoil(&mut model);
    checked(&model, &[], &Policy::default()).unwrap_err().reason()
}

fn graph(model: &mut Model) -> &mut Graph {
    model.graph.as_mut().unwrap()
}

fn node(operator: &str, attribute: Vec<Attribute>) -> Node {
    Node { name: "n".into(), op_type: operator.into(), attribute, ..Node::default() }
}

fn custom() -> Node {
    Node { name: "n".into(), op_type: "Magic".into(), domain: "com.example".into(), ..Node::default() }
}

fn outside() -> Tensor {
    let pair = |key: &str, value: &str| Pair { key: key.into(), value: value.into() };
    let external_data = vec![pair("offset", "0"), pair("location", "../secret")];
    Tensor { external_data, data_location: 1, raw_data: Bytes::new(), ..testing::weight("t", &[2]) }
}

fn within(attribute: Attribute) -> Node {
    node("Conv", vec![attribute])
}

#[test]
fn the_right_model_passes() {
    checked(&testing::model(), &[], &Policy::default()).unwrap();
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
                  allowed are ai.onnx, ai.onnx.ml: export the model with standard operators, or add it to models.domains";
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
    assert!(refused(|m| m.functions.push(function)).ends_with(&reason["model.onnx: ".len()..]));
    let training = Training { algorithm: Some(inner()), ..Training::default() };
    assert_eq!(refused(|m| m.training_info.push(training)), reason);
}

#[test]
fn operator_sets_of_other_domains_are_refused() {
    let opset = || Opset { domain: "com.microsoft".into(), version: 1 };
    let words = "imports operator domain \"com.microsoft\", \
                 allowed are ai.onnx, ai.onnx.ml: export the model with standard operators, or add it to models.domains";
    assert_eq!(refused(|m| m.opset_import.push(opset())), format!("model.onnx: the model {words}"));
    let function = Function { name: "f".into(), opset_import: vec![opset()], ..Function::default() };
    assert!(refused(|m| m.functions.push(function)).ends_with(&format!("; function \"f\" {words}")));
}

#[test]
fn operators_that_are_not_always_allowed_can_be_opened() {
    let training = Node { input: ["x", "ratio", "on"].map(Into::into).into(), ..node("Dropout", Vec::new()) };
    let closed = |operator: &str| {
        format!(
            "model.onnx: node \"n\" is operator \"{operator}\", which is not among those that are always allowed: \
             export the model without it, or add it to models.operators"
        )
    };
    let control = ["If", "Loop", "Scan", "SequenceMap"];
    let random = [
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
        "Multinomial",
        "Bernoulli",
    ];
    let mut cases: Vec<(Node, String)> =
        control.into_iter().chain(random).map(|name| (node(name, Vec::new()), closed(name))).collect();
    cases.push((
        training,
        "model.onnx: node \"n\" is operator \"Dropout\" with training_mode, which draws random numbers: export the \
         model for inference, or add it to models.operators"
            .into(),
    ));
    for (node, reason) in cases {
        let policy = Policy { operators: [node.op_type.clone()].into(), ..Policy::default() };
        let mut model = testing::model();
        graph(&mut model).node.push(node);
        assert_eq!(checked(&model, &[], &Policy::default()).unwrap_err().reason(), reason);
        checked(&model, &[], &policy).unwrap();
    }
    let still = Node { input: ["x", "ratio", ""].map(Into::into).into(), ..node("Dropout", Vec::new()) };
    let mut model = testing::model();
    graph(&mut model).node.push(still);
    checked(&model, &[], &Policy::default()).unwrap();
}

#[test]
fn domains_can_be_opened_with_their_operators_and_functions() {
    let policy = Policy { domains: ["com.example".into()].into(), ..Policy::default() };
    let mut model = testing::model();
    graph(&mut model).node.push(custom());
    model.opset_import.push(Opset { domain: "com.example".into(), version: 1 });
    let function = |domain: &str| Function {
        name: "Magic".into(),
        domain: domain.into(),
        node: vec![node("Relu", Vec::new())],
        ..Function::default()
    };
    model.functions.push(function("com.example"));
    checked(&model, &[], &policy).unwrap();

    let defines = "model.onnx: the model defines function \"Magic\" in domain";
    let within =
        "export the model with its functions inlined, or add a domain of the model's own to models.domains";
    for domain in ["", "ai.onnx", "ai.onnx.ml", "com.other"] {
        let mut model = testing::model();
        model.functions.push(function(domain));
        let policy =
            Policy { domains: ["".into(), "ai.onnx".into(), "ai.onnx.ml".into()].into(), ..policy.clone() };
        let reason = checked(&model, &[], &policy).unwrap_err().reason();
        assert_eq!(reason, format!("{defines} \"{domain}\": {within}"));
    }
}

#[test]
fn what_would_take_all_memory_once_decoded_is_not_decoded() {
    let parts = |most: usize| {
        format!("model.onnx has more than {most} nodes, names, sizes and other parts, the limit")
    };
    // A graph of a million nodes without anything in them: two bytes each.
    let nodes = vec![Node::default(); count::MOST];
    assert_eq!(refused(|m| graph(m).node = nodes), parts(count::MOST));
    let sizes = testing::weight("t", &[1; count::MOST]);
    assert_eq!(refused(|m| graph(m).initializer.push(sizes)), parts(count::MOST));
    let training = Training {
        algorithm: Some(Graph { node: vec![Node::default(); count::MOST], ..Graph::default() }),
        ..Training::default()
    };
    assert_eq!(refused(|m| m.training_info.push(training)), parts(count::MOST));
}

#[test]
fn many_findings_are_counted() {
    let reason = refused(|m| graph(m).node = vec![custom(); 100]);
    assert!(reason.ends_with("; and 92 more of the kind"), "{reason}");
}

#[test]
fn what_is_no_model_is_said_to_be_none() {
    let reason = |bytes: &'static [u8]| {
        check(Bytes::from_static(bytes), &[], &spec(), &Policy::default()).unwrap_err().reason()
    };
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
        if let Err(error) = check(bytes.into(), &[], &spec, &Policy::default()) {
            assert!(!error.reason().is_empty());
        }
    }
}
