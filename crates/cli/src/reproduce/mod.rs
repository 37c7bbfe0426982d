//! `unmask reproduce`: asks again for an explanation that was kept, and tells what is the same.

mod asked;
mod compare;
mod kept;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use unmask_protocol::v1;

use self::kept::Kept;
use crate::args::Reproduce;
use crate::client::Client;
use crate::files;

pub(crate) async fn run(args: Reproduce) -> anyhow::Result<ExitCode> {
    let kept = Kept::read(&args.response)?;
    let request = asked::request(&kept, &args)?;
    let client = Client::open(&args.place).await?;
    let answer = match (client.explain(request).await, asked::cut_short(&kept.answer)) {
        (Ok(answer), _) => answer,
        (Err(error), None) => return Err(error),
        (Err(error), Some(passes)) => {
            let why = format!(
                "the answer was cut short after {passes} passes, with which as its budget it cannot be asked for again"
            );
            return Err(error.context(why));
        }
    };
    let now = Kept { json: files::summary(&answer)?, map: values(answer.map.as_ref()), answer };
    let comparison = compare::compare(&kept, &now);
    let printed = if args.json {
        serde_json::to_string(&comparison.json())? + "\n"
    } else {
        comparison.text(&args.response.display().to_string())
    };
    std::io::stdout().write_all(printed.as_bytes())?;
    Ok(if comparison.same() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The values of a map, where it has them.
fn values(map: Option<&v1::Map>) -> Option<Vec<f32>> {
    let bytes = &map?.values;
    let values = bytes.chunks_exact(4).map(|v| f32::from_le_bytes([v[0], v[1], v[2], v[3]])).collect();
    (!bytes.is_empty()).then_some(values)
}

/// An array that numpy wrote, with its shape.
fn npy<T: npyz::Deserialize>(path: &Path) -> anyhow::Result<(Vec<u64>, Vec<T>)> {
    let read = || -> anyhow::Result<_> {
        let bytes = std::fs::read(path)?;
        let file = npyz::NpyFile::new(bytes.as_slice())?;
        anyhow::ensure!(file.order() == npyz::Order::C, "is in Fortran order, row-major is needed");
        Ok((file.shape().to_vec(), file.into_vec()?))
    };
    read().with_context(|| format!("cannot read {}", path.display()))
}
