//! `unmask predict`.

use std::io::Write;
use std::process::ExitCode;

use unmask_protocol::v1;

use crate::args::Predict;
use crate::client::{Client, selector};
use crate::{faces, fields, text};

pub(crate) async fn run(args: Predict) -> anyhow::Result<ExitCode> {
    let client = Client::open(&args.place).await?;
    let (mut out, mut failed) = (std::io::stdout(), false);
    for path in &args.subject.images {
        let name = path.display().to_string();
        let mut fail = |name: &str, error: anyhow::Error| {
            failed = true;
            writeln!(std::io::stderr(), "unmask: {name}: {error:#}")
        };
        match faces::seen(&client, &args.subject, path).await {
            Ok((image, parts)) => {
                for seen in parts {
                    let name = seen.told(&name);
                    match score(&client, &args, image.clone(), seen.crop).await {
                        Ok(answer) => print(&mut out, &name, answer, args.json)?,
                        Err(error) => fail(&name, error)?,
                    }
                }
            }
            Err(error) => fail(&name, error)?,
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print(out: &mut impl Write, name: &str, answer: v1::PredictResponse, json: bool) -> anyhow::Result<()> {
    if json {
        writeln!(out, "{}", fields::json("PredictResponse", &answer)?)?;
        return Ok(());
    }
    let prediction = answer.prediction.unwrap_or_default();
    writeln!(out, "{name}: {}; {}", text::verdict(&prediction), text::scores(&prediction))?;
    for warning in answer.warnings {
        writeln!(out, "  note: {warning}")?;
    }
    Ok(())
}

async fn score(
    client: &Client,
    args: &Predict,
    image: Vec<u8>,
    crop: Option<v1::Box>,
) -> anyhow::Result<v1::PredictResponse> {
    let request = v1::PredictRequest {
        request_id: String::new(),
        image,
        model: selector(args.subject.model.as_deref()),
        crop,
        priority: crate::args::priority(args.subject.priority),
    };
    client.predict(request).await
}
