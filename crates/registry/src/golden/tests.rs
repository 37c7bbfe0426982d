use npyz::Order;
use unmask_core::Draws;

use super::*;
use crate::manifest;
use crate::testing::{self, DIGEST, npy, ordered_npy};

const SHAPE: [u64; 4] = [2, 3, 8, 10];

fn reading(bytes: &[u8]) -> Result<Golden, BundleError> {
    let text = testing::manifest("m", "1").replace(DIGEST, &"0".repeat(64));
    let manifest = manifest::read(&text, "m", "1").unwrap();
    read(bytes, manifest.golden, &manifest.spec)
}

/// A file with a header of one's own.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

#[test]
fn the_values_come_in_the_order_of_the_file() {
    let values: Vec<f32> = (0..480).map(|i| i as f32 - 0.5).collect();
    assert_eq!(reading(&npy(&SHAPE, &values)).unwrap().input, values);
}

#[test]
fn each_way_of_being_wrong_is_said() {
    let mut with_nan = [0.0f32; 480];
    with_nan[17] = f32::NAN;
    let right = npy(&SHAPE, &[0.0f32; 480]);
    for (bytes, reason) in [
        (
            npy(&SHAPE, &[0.0f64; 480]),
            "golden.npy: got elements of type \"<f8\", allowed is float32, \"<f4\"",
        ),
        (
            npy(&[2, 3, 10, 8], &[0.0f32; 480]),
            "golden.npy: got shape [2, 3, 10, 8], allowed is [2, 3, 8, 10]: rows of golden.scores and the input's layout",
        ),
        (
            npy(&[1, 3, 8, 10], &[0.0f32; 240]),
            "golden.npy: got shape [1, 3, 8, 10], allowed is [2, 3, 8, 10]: rows of golden.scores and the input's layout",
        ),
        (
            npy(&[480], &[0.0f32; 480]),
            "golden.npy: got shape [480], allowed is [2, 3, 8, 10]: rows of golden.scores and the input's layout",
        ),
        (
            ordered_npy(Order::Fortran, &SHAPE, &[0.0f32; 480]),
            "golden.npy: got Fortran order, allowed is C order: save numpy.ascontiguousarray of it",
        ),
        (
            ordered_npy(Order::Fortran, &[2], &[0i64; 2]),
            "golden.npy: got elements of type \"<i8\", allowed is float32, \"<f4\"; got Fortran order, allowed is C order: save numpy.ascontiguousarray of it; got shape [2], allowed is [2, 3, 8, 10]: rows of golden.scores and the input's layout",
        ),
        (npy(&SHAPE, &with_nan), "golden.npy: got NaN at element 17, allowed are finite values"),
        (
            right[..right.len() - 1].to_vec(),
            "golden.npy: got 1919 bytes after the header, its shape has 1920: save it again",
        ),
        (
            [&right[..], &[0]].concat(),
            "golden.npy: got 1921 bytes after the header, its shape has 1920: save it again",
        ),
        (right[..9].to_vec(), "golden.npy is not a .npy file: it ends inside its header"),
        (right[..60].to_vec(), "golden.npy is not a .npy file: it ends inside its header"),
        (
            b"PK\x03\x04".to_vec(),
            "golden.npy is not a .npy file: it does not begin as one, save the array with numpy.save",
        ),
        (
            Vec::new(),
            "golden.npy is not a .npy file: it does not begin as one, save the array with numpy.save",
        ),
        (
            b"\x93NUMPY\x09\x00".to_vec(),
            "golden.npy is not a .npy file: its format version is unknown, allowed are 1 to 3",
        ),
        (
            b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(),
            "golden.npy is not a .npy file: its header has more than 4096 bytes, save one plain array",
        ),
        (
            file("{'descr': '<f4'}", &[]),
            "golden.npy is not a .npy file: its header is not the dictionary that numpy.save writes, with descr, fortran_order and shape",
        ),
    ] {
        assert_eq!(reading(&bytes).unwrap_err().reason(), reason);
    }
}

#[test]
fn the_header_is_read_in_any_order_and_spacing() {
    let data = [0; 1920];
    for header in [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 8, 10), }   \n",
        "{\"shape\":(2,3,8,10,),\"fortran_order\":False,\"descr\":\"<f4\"}",
    ] {
        assert!(reading(&file(header, &data)).is_ok(), "{header}");
    }
    let record = file("{'descr': [('a', '<f4'), ('b', '<i2')], 'fortran_order': False, 'shape': ()}", &[]);
    assert!(reading(&record).unwrap_err().reason().starts_with("golden.npy: got elements of type \"\""));
}

// General readers of Python literals take time exponential in the depth of this list.
#[test]
fn a_hostile_header_costs_nothing() {
    for header in [
        format!("{{'descr': {}", "[".repeat(4000)),
        format!("{{'descr': {}{}, 'shape': ()}}", "[".repeat(1500), "]".repeat(1500)),
        format!(
            "{{'descr': '<f4', 'fortran_order': False, 'shape': ({})}}",
            "18446744073709551615,".repeat(100)
        ),
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}1)}}", "9".repeat(3000)),
        "{'é".into(),
        "{'descr': \u{e9}".into(),
        "{}".into(),
        "{".into(),
    ] {
        assert!(reading(&file(&header, &[])).is_err());
    }
}

#[test]
fn no_bytes_panic() {
    let right = npy(&SHAPE, &[0.0f32; 480]);
    for index in 0..20_000 {
        let mut draws = Draws::new(12, index);
        let mut bytes = right.clone();
        for _ in 0..1 + draws.below(4) {
            let at = draws.below(128) as usize;
            bytes[at] = draws.word() as u8;
        }
        if let Err(error) = reading_npy(&bytes) {
            assert!(!error.is_empty());
        }
    }
}

fn reading_npy(bytes: &[u8]) -> Result<(), String> {
    npy::read(bytes).map(|_| ()).map_err(str::to_owned)
}
