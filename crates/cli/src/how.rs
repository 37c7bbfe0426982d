//! The request for an explanation, but for the picture and the model.

use anyhow::{Context as _, bail};
use unmask_protocol::v1;

use crate::args::How;
use crate::fields;

/// Everything of the request that says how to explain; pictures that it names are read.
pub(crate) fn request(how: &How) -> anyhow::Result<v1::ExplainRequest> {
    let fill = match (&how.fill_image, &how.fill) {
        (Some(path), _) => {
            let image =
                std::fs::read(path).with_context(|| format!("cannot read the fill {}", path.display()))?;
            Some(v1::Fill {
                kind: Some(v1::fill::Kind::Image(v1::ImageFill { image, sha256: String::new() })),
            })
        }
        (None, Some(fill)) => Some(fields::choice("Fill", fill, &how.fill_params)?),
        (None, None) if how.fill_params.is_empty() => None,
        (None, None) => bail!("--fill-param is for the fill that --fill names"),
    };
    let segmentation = how
        .segments
        .as_ref()
        .map(|name| fields::choice::<v1::Segmentation>("Segmentation", name, &how.segments_params));
    let method: v1::Method = match &how.method {
        Some(method) => fields::choice("Method", method, &how.params)?,
        None if how.params.is_empty() => v1::Method::default(),
        None => bail!("--param is for the method that --method names"),
    };
    let method = v1::Method { preset: how.preset.clone(), ..method };
    Ok(v1::ExplainRequest {
        target: target(how)?,
        // Neither named: the server's own choice.
        method: (method != v1::Method::default()).then_some(method),
        fill,
        seed: how.seed,
        budget: Some(v1::Budget { max_passes: how.max_passes, target_error: how.target_error }),
        segmentation: segmentation.transpose()?,
        language: how.language.clone(),
        ..v1::ExplainRequest::default()
    })
}

fn target(how: &How) -> anyhow::Result<Option<v1::Target>> {
    use v1::target::{Against, Kind};
    let kind = how.target.clone().map(Kind::Label).or(how.group.clone().map(Kind::Group));
    let against = how.against.clone().map(Against::AgainstLabel);
    let against = against.or(how.against_group.clone().map(Against::AgainstGroup));
    let scale = fields::scale(how.scale.as_deref())?;
    let said = kind.is_some() || against.is_some() || how.scale.is_some();
    Ok(said.then_some(v1::Target { kind, against, scale: scale.into() }))
}
