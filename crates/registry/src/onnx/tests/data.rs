//! Where a model's data lies, and whether there is as much of it as its shapes say.

use super::*;

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
