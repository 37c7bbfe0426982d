//! Writes the catalogue into README.md and docs. Run by `cargo xtask docs`.

use unmask_tests::{catalogue, configuration, project};

fn main() -> std::io::Result<()> {
    let readme = project("README.md");
    std::fs::write(&readme, catalogue::readme(&std::fs::read_to_string(&readme)?))?;
    let page = project("docs/configuration.md");
    std::fs::write(&page, configuration::page(&std::fs::read_to_string(&page)?))?;
    std::fs::write(project("docs/methods.md"), catalogue::page())?;
    std::fs::write(project("docs/metrics.md"), catalogue::metrics_page())
}
