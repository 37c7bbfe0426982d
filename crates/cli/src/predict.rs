//! `unmask predict`.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use unmask_protocol::v1;

use crate::args::Predict;
use crate::client::{Client, crop, selector};
use crate::{fields, text};

pub(crate) async fn run(args: Predict) -> anyhow::Result<ExitCode> {
    let client = Client::open(&args.place).await?;
    let (mut out, mut failed) = (std::io::stdout(), false);
    for path in &args.subject.images {
        let name = path.display().to_string();
        match score(&client, &args, path).await {
            Ok(answer) if args.subject.json => {
                writeln!(out, "{}", fields::json("PredictResponse", &answer)?)?
            }
            Ok(answer) => {
                let prediction = answer.prediction.unwrap_or_default();
                writeln!(out, "{name}: {}; {}", text::verdict(&prediction), text::scores(&prediction))?;
                for warning in answer.warnings {
                    writeln!(out, "  note: {warning}")?;
                }
            }
            Err(error) => {
                failed = true;
                writeln!(std::io::stderr(), "unmask: {name}: {error:#}")?;
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn score(
    client: &Client,
    args: &Predict,
    path: &std::path::Path,
) -> anyhow::Result<v1::PredictResponse> {
    let request = v1::PredictRequest {
        request_id: String::new(),
        image: std::fs::read(path).context("cannot read the picture")?,
        model: selector(args.subject.model.as_deref()),
        crop: crop(args.subject.crop),
        priority: crate::args::priority(args.subject.priority),
    };
    client.predict(request).await
}
