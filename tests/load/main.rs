//! Writes what ghz needs beside its configuration into a directory: the contract's descriptors and the requests. For
//! `cargo xtask load`.

use std::path::PathBuf;

use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let dir: PathBuf = std::env::args_os().nth(1).context("say where to write: load DIR")?.into();
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("unmask.protoset"), unmask_protocol::DESCRIPTOR_SET)?;
    for (file, bytes) in unmask_tests::load::data()? {
        std::fs::write(dir.join(file), bytes)?;
    }
    Ok(())
}
