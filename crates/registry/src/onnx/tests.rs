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
fn data_outside_the_file_is_found_wherever_it_hides() {
    let unlisted = "model.onnx: tensor \"t\" keeps its data in \"../secret\", which the manifest does not list: \
                    save the model without external data, or list the file in [[external]]";
    assert_eq!(refused(|m| graph(m).initializer.push(outside())), unlisted);
    let elsewhere =
        "tensor \"t\" keeps its data outside, which is allowed for weights of the model's own graph only";
    for attribute in [
        Attribute { t: Some(outside()), ..Attribute::default() },
        Attribute { tensors: vec![outside()], ..Attribute::default() },
        Attribute {
            g: Some(Graph { initializer: vec![outside()], ..Graph::default() }),
            ..Attribute::default()
        },
    ] {
        let reason = refused(|m| graph(m).node.push(within(attribute.clone())));
        assert_eq!(reason, format!("model.onnx: {elsewhere}"));
        let function = Function { attribute: vec![attribute], ..Function::default() };
        assert!(refused(|m| m.functions.push(function)).ends_with(elsewhere));
    }
}

#[test]
fn sparse_tensors_are_found_wherever_they_hide() {
    let sparse = || SparseTensor { values: Some(testing::weight("s", &[1])) };
    let reason = "model.onnx: tensor \"s\" is sparse, allowed are dense tensors";
    assert_eq!(refused(|m| graph(m).sparse_initializer.push(sparse())), reason);
    for attribute in [
        Attribute { sparse_tensor: Some(sparse()), ..Attribute::default() },
        Attribute { sparse_tensors: vec![sparse()], ..Attribute::default() },
    ] {
        assert_eq!(refused(|m| graph(m).node.push(within(attribute))), reason);
    }
}

#[test]
fn either_sign_of_outside_data_is_enough() {
    let tensor = || testing::weight("t", &[2]);
    for tensor in [
        Tensor { data_location: 1, ..tensor() },
        Tensor { data_location: 7, ..tensor() },
        Tensor { data_location: 0, ..outside() },
    ] {
        let reason = refused(|m| graph(m).initializer.push(tensor));
        assert!(reason.contains("tensor \"t\" keeps its data "), "{reason}");
    }
}

/// The reason why a weight of 24 bytes in `weights.bin`, of 30 bytes, is refused after its place is changed.
fn misplaced(pairs: &[(&str, &str)], spoil: impl FnOnce(&mut Tensor)) -> Option<String> {
    let mut model = testing::model();
    let weight = &mut graph(&mut model).initializer[0];
    weight.raw_data = Bytes::new();
    let pair = |(key, value): &(&str, &str)| Pair { key: (*key).into(), value: (*value).into() };
    weight.external_data = pairs.iter().map(pair).collect();
    weight.data_location = 1;
    spoil(weight);
    let files = [External { name: "weights.bin".into(), data: [0; 30].into() }];
    let reason = checked(&model, &files, &Policy::default()).err()?.reason();
    Some(reason.trim_start_matches("model.onnx: tensor \"w\" ").to_owned())
}

#[test]
fn weights_outside_lie_in_a_listed_file_and_within_it() {
    let at = ("location", "weights.bin");
    for right in [
        &[at][..],
        &[at, ("offset", "6")],
        &[at, ("length", "24")],
        &[at, ("offset", "0"), ("length", "24"), ("checksum", "?")],
    ] {
        assert_eq!(misplaced(right, |_| ()), None, "{right:?}");
    }
    let whole = "allowed is a whole number of bytes";
    for (pairs, reason) in [
        (&[at, ("offset", "7")][..], "has 24 bytes from byte 7 of \"weights.bin\", which has 30"),
        (&[at, ("offset", "18446744073709551615")], "has 24 bytes from byte 18446744073709551615 of"),
        (&[at, ("length", "25")], "has shape [2, 3], which needs 24 bytes, but says that it has 25 in"),
        (&[at, ("offset", "-1")], &format!("says \"-1\" of its external data, {whole}")),
        (&[at, ("offset", "+1")], &format!("says \"+1\" of its external data, {whole}")),
        (&[at, ("offset", "0x1")], &format!("says \"0x1\" of its external data, {whole}")),
        (&[at, ("length", "")], &format!("says \"\" of its external data, {whole}")),
        (&[at, at], "says \"location\" of its external data twice"),
        (
            &[at, ("prepacked_0", "1")],
            "says \"prepacked_0\" of its external data, allowed are location, offset",
        ),
        (&[("offset", "0")], "keeps its data outside, but does not say where"),
        (
            &[("location", "./weights.bin")],
            "keeps its data in \"./weights.bin\", which the manifest does not list",
        ),
        // ONNX Runtime's own word for an address in the process's memory.
        (
            &[("location", "*/_ORT_MEM_ADDR_/*"), ("offset", "4096")],
            "keeps its data in \"*/_ORT_MEM_ADDR_/*\", which the manifest does not list",
        ),
    ] {
        let got = misplaced(pairs, |_| ()).unwrap();
        assert!(got.starts_with(reason), "{pairs:?}: {got}");
    }
    let twice = misplaced(&[at], |weight| weight.raw_data = vec![0; 24].into()).unwrap();
    assert_eq!(twice, "holds its data twice, in the file and outside");
    let texts = misplaced(&[at], |weight| weight.data_type = 8).unwrap();
    assert!(texts.starts_with("has shape [2, 3], which needs 0 bytes"), "{texts}");
}

#[test]
fn a_listed_file_that_no_weight_lies_in_is_refused() {
    let files = [External { name: "weights.bin".into(), data: [0; 30].into() }];
    assert_eq!(
        checked(&testing::model(), &files, &Policy::default()).unwrap_err().reason(),
        "model.onnx: no tensor keeps its data in \"weights.bin\": remove it from [[external]]"
    );
}

#[test]
fn a_tensor_holds_the_data_that_its_shape_needs() {
    let none = Tensor { raw_data: Bytes::new(), ..testing::weight("t", &[2, 3]) };
    let typed = |data_type: i32| Tensor { data_type, ..none.clone() };
    let bytes = |bytes: &[u8]| vec![Bytes::copy_from_slice(bytes)];
    let six = bytes(&[1, 2, 3, 4, 5, 6]);
    for right in [
        Tensor { float_data: bytes(&[0; 24]), ..typed(1) },
        Tensor { float_data: [bytes(&[0; 8]), bytes(&[0; 16])].concat(), ..typed(1) },
        Tensor { int32_data: six.clone(), ..typed(9) },
        // Six values of two bytes each.
        Tensor { int32_data: bytes(&[0x80, 1].repeat(6)), ..typed(6) },
        Tensor { int32_data: six[..1].to_vec(), ..typed(16) },
        // Two elements of four bits share a byte.
        Tensor { raw_data: vec![0; 3].into(), ..typed(22) },
        Tensor { int32_data: bytes(&[1, 2, 3]), ..typed(22) },
        Tensor { int64_data: six.clone(), ..typed(7) },
        Tensor { double_data: bytes(&[0; 48]), ..typed(11) },
        Tensor { uint64_data: six.clone(), ..typed(12) },
        Tensor { string_data: vec![Bytes::new(); 6], ..typed(8) },
        Tensor { float_data: bytes(&[0; 48]), ..typed(14) },
        Tensor { dims: vec![0, i64::MAX], ..none.clone() },
        Tensor { dims: Vec::new(), raw_data: vec![0; 4].into(), ..none.clone() },
    ] {
        let mut model = testing::model();
        graph(&mut model).initializer.push(right.clone());
        checked(&model, &[], &Policy::default()).unwrap_or_else(|error| panic!("{right:?}: {error}"));
    }
    let needs =
        |needs: &str, holds: usize| format!("has shape [2, 3], which needs {needs}, but holds {holds}");
    for (wrong, reason) in [
        (none.clone(), needs("24 bytes", 0)),
        (Tensor { raw_data: vec![0; 23].into(), ..none.clone() }, needs("24 bytes", 23)),
        (Tensor { float_data: bytes(&[0; 20]), ..typed(1) }, needs("6 values", 5)),
        (Tensor { int64_data: bytes(&[0x80, 1].repeat(5)), ..typed(7) }, needs("6 values", 5)),
        (Tensor { string_data: vec![Bytes::new(); 5], ..typed(8) }, needs("6 texts", 5)),
        (Tensor { int64_data: six.clone(), ..typed(1) }, "holds numbers of another type than its own".into()),
        (
            Tensor { raw_data: vec![0; 24].into(), float_data: bytes(&[0; 24]), ..typed(1) },
            "holds its data twice, raw and as numbers".into(),
        ),
        (
            Tensor { float_data: bytes(&[0; 24]), int64_data: six.clone(), ..typed(1) },
            "holds its data twice, as numbers of two types".into(),
        ),
        (
            Tensor { raw_data: vec![0; 24].into(), ..typed(0) },
            "has element type 0, which ONNX does not know".into(),
        ),
        (
            Tensor { raw_data: vec![0; 24].into(), ..typed(99) },
            "has element type 99, which ONNX does not know".into(),
        ),
        (Tensor { dims: vec![-1, 3], ..none.clone() }, "has shape [-1, 3], allowed are sizes from 0".into()),
        (
            Tensor { dims: vec![1 << 40, 1 << 40], ..none.clone() },
            "has shape [1099511627776, 1099511627776], which has more elements than can be counted".into(),
        ),
        (
            Tensor { dims: vec![1 << 62], ..none.clone() },
            "has shape [4611686018427387904], which has more elements than can be counted".into(),
        ),
        (
            Tensor { dims: vec![1 << 40], ..none.clone() },
            "has shape [1099511627776], which needs 4398046511104 bytes, but holds 0".into(),
        ),
    ] {
        let found = refused(|m| graph(m).initializer.push(wrong.clone()));
        assert_eq!(found, format!("model.onnx: tensor \"t\" {reason}"));
        let found =
            refused(|m| graph(m).node.push(within(Attribute { t: Some(wrong), ..Attribute::default() })));
        assert_eq!(found, format!("model.onnx: tensor \"t\" {reason}"));
    }
}

/// An int64 tensor of one axis.
fn shape(name: &str, dims: &[i64]) -> Tensor {
    let bytes: Vec<u8> = dims.iter().flat_map(|dim| dim.to_le_bytes()).collect();
    Tensor {
        name: name.into(),
        dims: vec![dims.len() as i64],
        data_type: 7,
        raw_data: bytes.into(),
        ..Tensor::default()
    }
}

fn making(operator: &str, inputs: &[&str]) -> Node {
    let input = inputs.iter().map(|name| (*name).into()).collect();
    Node { input, output: vec!["big".into()], ..node(operator, Vec::new()) }
}

#[test]
fn tensors_that_are_made_from_a_huge_shape_are_refused_by_name() {
    let reason = |operator: &str, shape: &str| {
        format!(
            "model.onnx: tensor \"big\" is made by {operator} with shape {shape}, allowed are at most 268435456 elements"
        )
    };
    for (operator, inputs) in [("ConstantOfShape", &["s"][..]), ("Expand", &["x", "s"])] {
        for (dims, words) in [
            (&[1 << 40][..], "[1099511627776]"),
            (&[1 << 14, (1 << 14) + 1], "[16384, 16385]"),
            (&[i64::MAX, i64::MAX], "[9223372036854775807, 9223372036854775807]"),
            (&[-1], "[-1]"),
        ] {
            let initialised = refused(|m| {
                graph(m).initializer.push(shape("s", dims));
                graph(m).node.push(making(operator, inputs));
            });
            assert_eq!(initialised, reason(operator, words));
        }
    }
    let huge = 1 << 40;
    let constant =
        |attribute: Attribute| Node { output: vec!["s".into()], ..node("Constant", vec![attribute]) };
    for attribute in [
        Attribute { t: Some(shape("", &[huge])), ..Attribute::default() },
        Attribute { ints: vec![huge], ..Attribute::default() },
    ] {
        let said = refused(|m| graph(m).node = vec![constant(attribute), making("ConstantOfShape", &["s"])]);
        assert_eq!(said, reason("ConstantOfShape", "[1099511627776]"));
    }
    let packed = Tensor {
        raw_data: Bytes::new(),
        int64_data: vec![Bytes::from_static(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x20])],
        ..shape("s", &[0])
    };
    let said = refused(|m| {
        graph(m).initializer.push(packed);
        let inner = Graph { node: vec![making("ConstantOfShape", &["s"])], ..Graph::default() };
        graph(m).node.push(within(Attribute { g: Some(inner), ..Attribute::default() }));
    });
    assert_eq!(said, reason("ConstantOfShape", "[1099511627776]"));

    let mut model = testing::model();
    graph(&mut model).initializer.push(shape("s", &[1 << 14, 1 << 14]));
    graph(&mut model).node.push(making("ConstantOfShape", &["s"]));
    checked(&model, &[], &Policy::default()).unwrap();
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
