//! What an evaluation would cost.

use std::io::Write as _;
use std::process::ExitCode;

use unmask_protocol::v1;

use crate::client::Client;

/// Prints the announced passes of a picture, which are those of each item, and runs none.
pub(super) async fn announce(
    client: &Client,
    request: v1::EvaluateRequest,
    items: u64,
) -> anyhow::Result<ExitCode> {
    let answer = client.evaluate(v1::EvaluateRequest { dry_run: true, ..request }).await?;
    let each = answer.cost.unwrap_or_default().announced;
    let mut out = std::io::stdout();
    for evaluated in &answer.evaluated {
        let metrics: u64 = evaluated.results.iter().map(|result| result.announced).sum();
        let (name, own) = (&evaluated.name, evaluated.announced);
        writeln!(out, "{name}: at most {own} passes for the explanation, {metrics} for its figures")?;
    }
    writeln!(out, "at most {each} passes an item, {} for {items} items", each * items)?;
    Ok(ExitCode::SUCCESS)
}
