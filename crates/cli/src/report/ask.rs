//! The questions of a report: where the faces are, why each was called what it was, and how the explanation compares.

use std::path::Path;
use std::time::Duration;

use indicatif::ProgressBar;
use tonic::Code;
use unmask_protocol::v1;

use super::compare::{Plan, is_parts};
use super::{Picture, Subject, answers};
use crate::args::{Report, Which, priority};
use crate::client::{Client, Refused, crop, selector};
use crate::explain;

/// How often the bar shows that work goes on whose passes nobody tells of.
const TICK: Duration = Duration::from_millis(200);

/// Asks for everything that a report shows.
pub(super) struct Asker<'a> {
    pub(super) client: &'a Client,
    pub(super) args: &'a Report,
    /// How to explain, without picture and model.
    pub(super) template: v1::ExplainRequest,
    /// Nothing where nothing is compared.
    pub(super) plan: Option<&'a Plan>,
    pub(super) bar: &'a ProgressBar,
}

/// What is explained of a picture.
struct Part {
    number: Option<usize>,
    face: Option<v1::Face>,
    crop: Option<v1::Box>,
}

impl Asker<'_> {
    /// All of a picture. What fails is told in it, and the rest goes on.
    pub(super) async fn picture(&self, path: &Path) -> Picture {
        let mut picture = Picture {
            name: path.to_string_lossy().into_owned(),
            file: Vec::new(),
            found: None,
            note: None,
            subjects: Vec::new(),
            failure: None,
        };
        match std::fs::read(path) {
            Ok(file) => picture.file = file,
            Err(error) => {
                picture.failure = Some(format!("cannot read the picture: {error}"));
                return picture;
            }
        }
        let whole = |crop| Part { number: None, face: None, crop };
        let parts = match self.args.crop {
            Some(typed) => vec![whole(crop(Some(typed)))],
            None => match self.faces(&mut picture).await {
                Ok(parts) if parts.is_empty() => vec![whole(None)],
                Ok(parts) => parts,
                Err(error) => {
                    picture.failure = Some(format!("{error:#}"));
                    return picture;
                }
            },
        };
        for part in parts {
            let name = match part.number {
                Some(number) => format!("{}, face {number}", picture.name),
                None => picture.name.clone(),
            };
            self.bar.set_prefix(name);
            let subject = self.subject(&picture.file, part).await;
            picture.subjects.push(subject);
        }
        picture
    }

    /// The faces that are explained; none where there is none, or nobody to look for them.
    async fn faces(&self, picture: &mut Picture) -> anyhow::Result<Vec<Part>> {
        let request = v1::DetectFacesRequest {
            image: picture.file.clone(),
            model: selector(self.args.model.as_deref()),
            face_model: selector(self.args.face_model.as_deref()),
            priority: priority(self.args.priority),
            ..v1::DetectFacesRequest::default()
        };
        let found = match self.client.faces(request).await {
            Ok(found) => answers::faces(found),
            Err(error) if self.may_go_without(&error) => {
                picture.note = Some(format!(
                    "Faces were not looked for ({error:#}): the whole picture is explained as if it were one face."
                ));
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        let part = |(face, number): (v1::Face, usize)| Part {
            number: Some(number),
            crop: face.crop,
            face: Some(face),
        };
        let most = match self.args.face {
            Some(Which::Largest) => 1,
            Some(Which::All) | None => found.faces.len(),
        };
        let parts: Vec<_> = found.faces.iter().cloned().zip(1..).take(most).map(part).collect();
        picture.note = match found.faces.len() {
            0 => Some(
                "No face was found: the whole picture is explained. A detector that was made for faces may say anything of it."
                    .to_owned(),
            ),
            all if all > parts.len() => Some("Only the largest face is explained.".to_owned()),
            _ => None,
        };
        picture.found = Some(found);
        Ok(parts)
    }

    /// Whether faces were not asked for, and the server has no model that finds them.
    fn may_go_without(&self, error: &anyhow::Error) -> bool {
        let refused = error.downcast_ref::<Refused>();
        self.args.face.is_none()
            && self.args.face_model.is_none()
            && refused.is_some_and(|refused| refused.code == Code::NotFound)
    }

    async fn subject(&self, file: &[u8], part: Part) -> Subject {
        let landmarks = part.face.as_ref().and_then(|face| face.landmarks);
        let request = v1::ExplainRequest {
            image: file.to_vec(),
            model: selector(self.args.model.as_deref()),
            crop: part.crop,
            priority: priority(self.args.priority),
            outputs: [v1::Output::HeatMap, v1::Output::Sentences, v1::Output::Steadiness]
                .into_iter()
                .chain(is_parts(self.template.segmentation.as_ref()).then_some(v1::Output::Labels))
                .map(i32::from)
                .collect(),
            face: landmarks
                .map(|found| v1::FaceChoice { kind: Some(v1::face_choice::Kind::Landmarks(found)) }),
            counterfactual: Some(v1::CounterfactualSearch::default()),
            ..self.template.clone()
        };
        self.bar.reset();
        self.bar.set_message("");
        let explained = self.client.explain_live(request, |news| explain::show(self.bar, news)).await;
        let explained = explained.map(answers::explanation).map_err(|error| format!("{error:#}"));
        let evaluated = match (&explained, self.plan) {
            (Ok(answer), Some(plan)) => Some(self.evaluated(plan, file, answer).await),
            (Ok(_) | Err(_), _) => None,
        };
        Subject { number: part.number, face: part.face, explained, evaluated }
    }

    async fn evaluated(
        &self,
        plan: &Plan,
        file: &[u8],
        answer: &v1::ExplainResponse,
    ) -> Result<v1::EvaluateResponse, String> {
        self.bar.set_message(", comparing");
        self.bar.enable_steady_tick(TICK);
        let asked = match plan.request(file.to_vec(), answer) {
            Ok(request) => self.client.evaluate(request).await,
            Err(error) => Err(error),
        };
        self.bar.disable_steady_tick();
        asked.map(answers::evaluation).map_err(|error| format!("{error:#}"))
    }
}
