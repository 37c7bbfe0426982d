#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| unmask_fuzz_targets::onnx(bytes));
