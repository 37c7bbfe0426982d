//! A GPU that was asked for and is not there is an error that says what to do, and never a silent change of device.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use unmask_pool::{Calibrating, Device, Fallback, Runtime, Served, Settings};
use unmask_registry::Policy;
use unmask_tests::from_set_up;

fn load(device: Device, fallback: Fallback) -> Result<Served, String> {
    let runtime = Runtime::open(&from_set_up("ORT_DYLIB_PATH")).unwrap();
    let candidate =
        unmask_registry::open(&from_set_up("TEST_FIXTURES").join("planted-linear/1"), &Policy::default())
            .unwrap();
    let settings = Settings {
        workers: Some(1),
        threads: Some(1),
        batch: Some(4),
        jobs: 4,
        devices: vec![device],
        fallback,
        calibration: Calibrating::Off,
        cache: None,
    };
    Served::load(candidate, &runtime, &settings).map_err(|e| e.to_string())
}

#[test]
fn a_device_that_is_not_there_refuses_the_model() {
    for (device, feature, built) in [
        (Device::Cuda(0), "cuda", cfg!(feature = "cuda")),
        (Device::TensorRt(0), "tensorrt", cfg!(feature = "tensorrt")),
    ] {
        let error = load(device, Fallback::Refuse).err().expect("this machine's library has no GPU provider");
        let expected = if built {
            format!("device {device} is not available: ")
        } else {
            format!("device {device} needs a binary built with the cargo feature \"{feature}\"")
        };
        assert!(error.starts_with(&expected), "{error}");
        println!("{error}");
    }
}

#[test]
fn the_processor_takes_its_place_only_when_told_to() {
    assert!(load(Device::Cuda(0), Fallback::Cpu).is_ok());
}

#[test]
fn a_library_that_is_missing_is_named() {
    // Only one library can be loaded per process, so the missing one is asked for in a process of its own.
    if std::env::var_os("TEST_MISSING").is_some() {
        let error = Runtime::open(Path::new("/nowhere/libonnxruntime.so")).err().unwrap().to_string();
        assert!(error.starts_with("cannot load ONNX Runtime from /nowhere/libonnxruntime.so: "), "{error}");
        assert!(error.contains("set onnxruntime.library"), "{error}");
        return;
    }
    let test = std::env::current_exe().unwrap();
    let status = std::process::Command::new(test)
        .args(["--exact", "a_library_that_is_missing_is_named"])
        .env("TEST_MISSING", "1")
        .status()
        .unwrap();
    assert!(status.success());
}
