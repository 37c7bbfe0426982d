use std::fs;
use std::os::unix::fs::symlink;

use unmask_core::{Activation, Colour, Group, InputSpec, Layout, OutputSpec, PictureKind, Resize, Task};

use super::*;
use crate::testing::{Bundle, npy};

fn refused(bundle: &Bundle) -> String {
    let root = tempfile::tempdir().unwrap();
    open(&bundle.write(root.path()), &Policy::default()).unwrap_err().reason()
}

#[test]
fn a_right_bundle_becomes_a_candidate_word_by_word() {
    let root = tempfile::tempdir().unwrap();
    let bundle = Bundle::new("model", "1");
    let candidate = open(&bundle.write(root.path()), &Policy::default()).unwrap();
    assert_eq!(candidate.model, bundle.model);
    let spec = ModelSpec {
        name: "model".into(),
        version: "1".into(),
        digest: sha256(&bundle.model),
        summary: "tells nothing apart".into(),
        licence: "Apache-2.0".into(),
        task: Task::Classes,
        input: InputSpec {
            name: "picture".into(),
            layout: Layout::Nchw,
            height: 8,
            width: 10,
            colour: Colour::Bgr,
            range: (0.0, 255.0),
            mean: [1.0, 2.0, 3.0],
            std: [4.0, 5.0, 6.0],
            resize: Resize::Bicubic,
            antialias: false,
            picture: PictureKind::Face { factor: 1.35 },
        },
        output: OutputSpec {
            name: "logits".into(),
            activation: Activation::Softmax,
            labels: vec!["blend".into(), "real".into(), "swap".into()],
            real: 1,
            single: None,
        },
        groups: vec![Group { name: "fake".into(), classes: vec![0, 2] }],
    };
    assert_eq!(candidate.spec, spec);
    let golden = Golden {
        input: vec![0.5; 480],
        rows: 2,
        scores: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
        tolerance: 1e-3,
    };
    assert_eq!(candidate.golden, golden);
}

#[test]
fn candidates_of_one_print_are_the_same_in_manifest_model_and_golden_input() {
    let root = tempfile::tempdir().unwrap();
    let print = |bundle: Bundle| open(&bundle.write(root.path()), &Policy::default()).unwrap().print;
    let right = || Bundle::new("model", "1");
    let mut other_model = right();
    // A field that nothing here knows.
    other_model.model.extend([0x7a, 0x01, b'x']);
    let mut other_golden = right();
    other_golden.golden = npy(&[2, 3, 8, 10], &[0.25f32; 480]);
    let first = print(right());
    for other in [other_model, other_golden, right().spoil("tells nothing apart", "tells all apart")] {
        assert_ne!(print(other), first);
    }
    assert_eq!(print(right()), first);
}

#[test]
fn a_model_of_another_digest_is_refused_with_both_digests() {
    let mut bundle = Bundle::new("model", "1");
    let meant = sha256(&bundle.model);
    bundle.manifest = bundle.manifest.replace("DIGEST", &meant);
    bundle.model[0] ^= 1;
    assert_eq!(
        refused(&bundle),
        format!(
            "model.onnx has SHA-256 {}, the manifest says {meant}: put the file that belongs to the manifest, \
             or correct sha256 if this file is meant",
            sha256(&bundle.model)
        )
    );
}

#[test]
fn the_digest_is_looked_at_before_the_protobuf() {
    let mut bundle = Bundle::new("model", "1").spoil("DIGEST", &"0".repeat(64));
    bundle.model = b"no protobuf".into();
    assert!(refused(&bundle).starts_with("model.onnx has SHA-256"), "{}", refused(&bundle));
}

#[test]
fn each_file_that_is_missing_or_linked_is_named() {
    for file in ["model.toml", "model.onnx", "golden.npy"] {
        let root = tempfile::tempdir().unwrap();
        let dir = Bundle::new("model", "1").write(root.path());
        fs::rename(dir.join(file), root.path().join("elsewhere")).unwrap();
        let reason = open(&dir, &Policy::default()).unwrap_err().reason();
        assert!(reason.starts_with(&format!("{file} is missing")), "{reason}");

        symlink("../../elsewhere", dir.join(file)).unwrap();
        let reason = open(&dir, &Policy::default()).unwrap_err().reason();
        assert!(reason.starts_with(&format!("{file} is a symbolic link")), "{reason}");
    }
}

#[test]
fn directories_above_the_files_may_be_links_and_are_called_as_written() {
    let root = tempfile::tempdir().unwrap();
    let mut bundle = Bundle::new("model", "1");
    bundle.name = "stored".into();
    bundle.write(root.path());
    symlink("stored", root.path().join("model")).unwrap();
    assert_eq!(open(&root.path().join("model/1/"), &Policy::default()).unwrap().spec.id(), "model@1");
}

#[test]
fn files_are_read_up_to_their_limits() {
    let mut bundle = Bundle::new("model", "1");
    bundle.golden = vec![0; (64 << 20) + 1];
    assert_eq!(refused(&bundle), "golden.npy has more than 67108864 bytes, the limit");
    bundle.manifest = "#".repeat((1 << 20) + 1);
    assert_eq!(refused(&bundle), "model.toml has more than 1048576 bytes, the limit");

    let root = tempfile::tempdir().unwrap();
    let dir = Bundle::new("model", "1").write(root.path());
    // A sparse file: the size is seen, nothing is stored or read.
    fs::File::options().write(true).open(dir.join("model.onnx")).unwrap().set_len((2 << 30) + 1).unwrap();
    assert_eq!(
        open(&dir, &Policy::default()).unwrap_err().reason(),
        "model.onnx has more than 2147483648 bytes, the limit"
    );
}

#[test]
fn a_manifest_that_is_no_text_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let dir = Bundle::new("model", "1").write(root.path());
    fs::write(dir.join("model.toml"), b"name = \"\xff\"").unwrap();
    assert_eq!(
        open(&dir, &Policy::default()).unwrap_err().reason(),
        "model.toml is not UTF-8, save it as UTF-8: invalid utf-8 sequence of 1 bytes from index 8"
    );
}

#[test]
fn the_layout_of_the_manifest_is_the_layout_of_the_golden_input() {
    let mut bundle = Bundle::new("model", "1").spoil("NCHW", "NHWC");
    assert_eq!(
        refused(&bundle),
        "golden.npy: got shape [2, 3, 8, 10], allowed is [2, 8, 10, 3]: rows of golden.scores and the input's layout"
    );
    bundle.golden = npy(&[2, 8, 10, 3], &[0.0f32; 480]);
    let root = tempfile::tempdir().unwrap();
    assert!(open(&bundle.write(root.path()), &Policy::default()).is_ok());
}

#[test]
fn weights_outside_are_read_beside_the_model_and_are_part_of_what_it_is_known_by() {
    let root = tempfile::tempdir().unwrap();
    let bundle = Bundle::outside("weights.bin");
    let candidate = open(&bundle.write(root.path()), &Policy::default()).unwrap();
    let (name, data) = &bundle.external[0];
    assert_eq!(candidate.external, [External { name: name.clone(), data: data.as_slice().into() }]);
    // What `sha256sum model.onnx weights.bin | sha256sum` prints.
    let sums = format!("{}  model.onnx\n{}  weights.bin\n", sha256(&bundle.model), sha256(data));
    assert_eq!(candidate.spec.digest, sha256(sums.as_bytes()));
    assert_ne!(candidate.spec.digest, sha256(&bundle.model));
}

#[test]
fn a_file_of_weights_is_what_the_manifest_says_of_it() {
    let spoilt = |spoil: &dyn Fn(&mut Vec<u8>)| {
        let mut bundle = Bundle::outside("weights.bin");
        spoil(&mut bundle.external[0].1);
        refused(&bundle)
    };
    let size = |than: &str| {
        format!(
            "weights.bin has {than} than 24 bytes, which the manifest says: \
             put the file that belongs to the manifest, or correct bytes if this file is meant"
        )
    };
    assert_eq!(spoilt(&|data| data.push(0)), size("more"));
    assert_eq!(spoilt(&|data| data.truncate(23)), size("less"));
    assert!(spoilt(&|data| data[0] ^= 1).starts_with("weights.bin has SHA-256 "));
}

#[test]
fn a_file_of_weights_that_is_missing_or_linked_is_named() {
    let root = tempfile::tempdir().unwrap();
    let dir = Bundle::outside("weights.bin").write(root.path());
    fs::rename(dir.join("weights.bin"), root.path().join("elsewhere")).unwrap();
    let reason = || open(&dir, &Policy::default()).unwrap_err().reason();
    assert!(reason().starts_with("weights.bin is missing"), "{}", reason());
    symlink("../../elsewhere", dir.join("weights.bin")).unwrap();
    assert!(reason().starts_with("weights.bin is a symbolic link"), "{}", reason());
}
