//! What has to be replaced for another decision.

use maud::{Markup, html};
use unmask_protocol::v1;

use super::figures::png_size;
use super::number::At;
use super::{address, words};

pub(super) fn section(at: &At, answer: &v1::ExplainResponse) -> Markup {
    let Some(found) = &answer.counterfactual else { return html! {} };
    let at = at.field("counterfactual");
    let searched = html! {
        (at.count("candidates", found.candidates)) " regions might be replaced; the search took "
        (at.count("passes", found.passes)) " passes."
    };
    html! {
        h4 { "The smallest change that changes the decision" }
        @match found.end() {
            v1::CounterfactualEnd::Found => { (changed(&at, found, &searched)) }
            v1::CounterfactualEnd::None => {
                p {
                    "There is none: every set of the regions that might be replaced was tried, and none changes the decision. "
                    (searched)
                }
            }
            v1::CounterfactualEnd::Passes => {
                p { "None was found in the passes that there were; not every set of the regions was tried. " (searched) }
            }
            v1::CounterfactualEnd::Deadline => { p { "The deadline came before one was found. " (searched) } }
            v1::CounterfactualEnd::Unspecified => { p { "The search ended in a way that this version does not know." } }
        }
    }
}

fn changed(at: &At, found: &v1::Counterfactual, searched: &Markup) -> Markup {
    let parts = found.parts().map(|part| words::part(part).to_owned());
    let labels = found.labels.iter().map(|label| format!("the region with the label {label}"));
    let replaced = words::list(&parts.chain(labels).collect::<Vec<_>>());
    let prediction = found.prediction.clone().unwrap_or_default();
    let decision = words::decision(&prediction);
    html! {
        div.counterfactual {
            @if let Some((width, height)) = png_size(&found.image_png) {
                figure {
                    img src=(address("image/png", &found.image_png)) width=(width) height=(height)
                        alt=(format!("What the model sees, with {replaced} replaced: the detector calls it {decision}"));
                    figcaption { "What the model sees, with " (replaced) " replaced by the fill." }
                }
            }
            div {
                p {
                    "With " strong { (replaced) } " replaced, " (at.percent("area_share", found.area_share))
                    " of what the model sees, the detector calls it " strong { (decision) } ". Probability of a manipulation: "
                    (at.field("prediction").percent("fake_probability", prediction.fake_probability)) "."
                }
                p {
                    @if found.smallest { "Every set of fewer of the regions that might be replaced was tried, and none of them changes the decision." }
                    @else { "Not every set of fewer regions was tried: there may be a smaller one." }
                }
                p { (searched) }
            }
        }
    }
}
