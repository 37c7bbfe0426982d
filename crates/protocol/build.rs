//! Compiles the contract without protoc and keeps its descriptor set for reflection and for generic tools.

use std::path::Path;

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());
    let files = protox::compile(
        [
            "unmask/v1/explanation_service.proto",
            "unmask/v1/model_service.proto",
            "unmask/v1/evaluation_service.proto",
        ]
        .map(|f| root.join(f)),
        [&root],
    )?;
    let out = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&out).join("descriptor.bin"), files.encode_to_vec())?;
    let mut prost = tonic_prost_build::Config::new();
    prost.enable_type_names();
    let services = tonic_prost_build::configure().codec_path("crate::BoundedCodec");
    services.compile_fds_with_config(files, prost)?;
    Ok(())
}
