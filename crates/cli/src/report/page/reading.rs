//! How the page is read, and what nothing in it shows.

use maud::{Markup, html};

const LINES: [&str; 5] = [
    "It shows what this detector reacts to. It does not prove that a picture is manipulated, nor that it is not: a detector errs, \
     and a right explanation of an error is still of an error.",
    "A share of the evidence says how much of what speaks for the decision lies in a place. It is no probability that the place was \
     manipulated. A place stands out where its share is much larger than its area would make it.",
    "To replace is to put the fill there. The fill is part of the question: another one may give another map. What the detector says \
     of the fill alone stands in the last line of what was tried.",
    "Controls have seen neither the picture nor the detector. A figure by which a control does as well says nothing for the explanation.",
    "Nothing here is about other pictures, other faces or other detectors.",
];

pub(super) fn section() -> Markup {
    html! {
        section aria-labelledby="reading" {
            h2 id="reading" { "How to read this page, and what it does not show" }
            ul {
                @for line in LINES { li { (line) } }
            }
        }
    }
}
