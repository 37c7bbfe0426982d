//! A picture: what was found in it, and each face of it.

use maud::{Markup, html};
use unmask_protocol::v1;

use super::figures::Shown;
use super::number::At;
use super::{Page, figures, subject, tables};
use crate::report::Picture;

pub(super) fn section(page: &Page<'_>, i: usize, picture: &Picture) -> anyhow::Result<Markup> {
    let (at, id) = (At::picture(i), format!("picture-{}", i + 1));
    let shown = Shown::new(i, picture);
    let subjects = picture.subjects.iter().enumerate();
    let subjects: Vec<_> = subjects
        .map(|(j, subject)| {
            subject::section(page, picture, subject, &subject::Place::new(i, j), shown.as_ref())
        })
        .collect::<Result<_, _>>()?;
    Ok(html! {
        section.picture aria-labelledby=(id) {
            h2 id=(id) { (picture.name) }
            @if let Some(why) = &picture.failure {
                p.failure { strong { "Nothing is known of this picture: " } (why) }
            }
            @if let Some(note) = &picture.note { p.note { (note) } }
            @if let Some(shown) = &shown {
                (shown.store())
                (figures::whole(shown, picture))
            }
            @if let Some(found) = &picture.found {
                @if !found.faces.is_empty() { (faces(&at.field("faces"), found)) }
            }
            @for subject in &subjects { (subject) }
        }
    })
}

/// Where the faces are.
fn faces(at: &At, found: &v1::DetectFacesResponse) -> Markup {
    tables::scroll(
        "Faces",
        html! {
            table {
                caption { span { "Faces that were found, the largest first; edges in pixels of the picture as displayed, score: how surely it is a face" } }
                thead { tr {
                    th scope="col" { "face" } th.n scope="col" { "left" } th.n scope="col" { "top" }
                    th.n scope="col" { "right" } th.n scope="col" { "bottom" } th.n scope="col" { "score" }
                    th scope="col" { "to be known" }
                } }
                tbody {
                    @for (i, face) in found.faces.iter().enumerate() {
                        @let at = at.item("faces", i);
                        tr {
                            th scope="row" { (i + 1) }
                            @for (edge, value) in [("left", face.left), ("top", face.top), ("right", face.right), ("bottom", face.bottom)] {
                                td.n { (at.number(edge, value, format!("{value:.0}"))) }
                            }
                            td.n { (at.three("score", face.score)) }
                            td {
                                @if face.warnings.is_empty() { "nothing" }
                                @else { ul { @for warning in &face.warnings { li { (warning) } } } }
                            }
                        }
                    }
                }
            }
        },
    )
}
