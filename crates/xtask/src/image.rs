//! `cargo xtask image`.
pub(crate) fn run() -> anyhow::Result<()> {
    Ok(())
}
