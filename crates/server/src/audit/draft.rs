//! A record in the making, which the work on a request and whoever waits for it share. It costs nothing where nothing is
//! recorded.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value as Json;
use tonic::Code;
use unmask_core::ModelSpec;
use unmask_protocol::v1;
use unmask_registry::sha256;

use super::json::{ascii, json};
use super::record::{ANONYMOUS, Model, Passes, Record, SCHEMA, Said};
use crate::decode::{EvaluateJob, ExplainJob, FaceBoxJob, FacesJob, Subject};
use crate::encode;

/// Whoever asks, as far as that is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Who {
    pub(crate) tenant: Option<String>,
    pub(crate) subject: Option<String>,
}

/// What is known of a request so far. Clones are of the same record.
#[derive(Clone)]
pub(crate) struct Draft(Option<Arc<Mutex<Known>>>);

struct Known {
    began: Instant,
    call: &'static str,
    request_id: String,
    who: Who,
    item: Option<String>,
    model: Option<Model>,
    wants_image: bool,
    image_sha256: Option<String>,
    resolved: Json,
}

impl Draft {
    pub(super) fn none() -> Self {
        Self(None)
    }

    pub(super) fn new(call: &'static str, request_id: &str, who: &Who, wants_image: bool) -> Self {
        Self(Some(Arc::new(Mutex::new(Known {
            began: Instant::now(),
            call,
            request_id: request_id.to_owned(),
            who: who.clone(),
            item: None,
            model: None,
            wants_image,
            image_sha256: None,
            resolved: Json::Null,
        }))))
    }

    fn known(&self) -> Option<MutexGuard<'_, Known>> {
        Some(self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same of an item of a dataset.
    pub(crate) fn item(self, id: &str) -> Self {
        if let Some(mut known) = self.known() {
            known.item = Some(id.to_owned());
        }
        self
    }

    /// Learns the picture's digest, where that is wanted.
    pub(crate) fn image(&self, bytes: &[u8]) {
        if let Some(mut known) = self.known()
            && known.wants_image
        {
            known.image_sha256 = Some(sha256(bytes));
        }
    }

    pub(crate) fn predict(&self, subject: &Subject) {
        let crop = Some(encode::rect(subject.crop));
        self.learn(subject, || json("Resolved", &v1::Resolved { crop, ..v1::Resolved::default() }));
    }

    pub(crate) fn faces(&self, job: &FacesJob) {
        self.learn_of(job.finder.spec(), || json("Resolved", &v1::Resolved::default()));
    }

    pub(crate) fn face(&self, job: &FaceBoxJob) {
        self.learn_of(job.finder.spec(), || json("ResolvedFace", &encode::resolved_face(job)));
    }

    pub(crate) fn explain(&self, job: &ExplainJob) {
        self.learn(&job.subject, || json("Resolved", &encode::resolved(job)));
    }

    pub(crate) fn evaluate(&self, job: &EvaluateJob) {
        self.learn(&job.subject, || {
            json("EvaluationPlan", &encode::plan(&job.plan, job.subject.served.spec()))
        });
    }

    fn learn(&self, subject: &Subject, resolved: impl FnOnce() -> Json) {
        self.learn_of(subject.served.spec(), resolved);
    }

    fn learn_of(&self, spec: &ModelSpec, resolved: impl FnOnce() -> Json) {
        if let Some(mut known) = self.known() {
            let ModelSpec { name, version, digest, .. } = spec;
            let (name, version, sha256) = (name.clone(), version.clone(), digest.clone());
            known.model = Some(Model { name, version, sha256 });
            known.resolved = resolved();
        }
    }

    /// The finished line with its newline; none where nothing is recorded.
    pub(super) fn line(&self, code: Code, message: &str, said: Option<Said<'_>>) -> Option<String> {
        let known = self.known()?;
        let said = said.unwrap_or_default();
        let resolved = said.resolved.map(|resolved| json("Resolved", resolved));
        let version = |model: &v1::ModelVersion| Model {
            name: model.name.clone(),
            version: model.version.clone(),
            sha256: model.sha256.clone(),
        };
        let record = Record {
            schema: SCHEMA,
            time: &format!("{:.3}", Timestamp::now()),
            tenant: known.who.tenant.as_deref(),
            subject: known.who.subject.as_deref().unwrap_or(ANONYMOUS),
            call: known.call,
            request_id: &known.request_id,
            item: known.item.as_deref(),
            model: known.model.as_ref(),
            image_sha256: known.image_sha256.as_deref(),
            resolved: resolved.as_ref().unwrap_or(&known.resolved),
            face_model: said.face_model.map(version),
            prediction: said.prediction.map(|prediction| json("Prediction", prediction)),
            target: said.target.map(|target| json("ExplainedTarget", target)),
            map_sha256: said.map.map(|map| sha256(&map.values)),
            code: &encode::code_name(code),
            message,
            passes: said.cost.map(|cost| Passes { announced: cost.announced, run: cost.run }),
            warnings: said.warnings,
            duration_ms: known.began.elapsed().as_micros() as f64 / 1e3,
        };
        let text = serde_json::to_string(&record)
            .unwrap_or_else(|error| Json::String(format!("cannot be told: {error}")).to_string());
        Some(ascii(&text) + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_hostile_words_is_one_line_that_reads_as_they_were() {
        let evil = "a\"}\n{\"code\":\"OK\"}\r\u{2028}\u{0}";
        let who = Who { tenant: Some(evil.into()), subject: Some(evil.into()) };
        let draft = Draft::new("predict", evil, &who, false).item(evil);
        let warnings = [evil.to_owned()];
        let prediction = v1::Prediction { label: evil.into(), ..v1::Prediction::default() };
        let said = Said { prediction: Some(&prediction), warnings: &warnings, ..Said::default() };
        let line = draft.line(Code::Internal, evil, Some(said)).unwrap();
        assert!(line.strip_suffix('\n').unwrap().bytes().all(|b| (b' '..=b'~').contains(&b)), "{line}");
        let read: Json = serde_json::from_str(&line).unwrap();
        for field in ["request_id", "item", "tenant", "subject", "message"] {
            assert_eq!(read[field], evil, "{field}");
        }
        assert_eq!((&read["warnings"][0], &read["prediction"]["label"]), (&evil.into(), &evil.into()));
        assert_eq!(read["code"], "INTERNAL");
    }

    #[test]
    fn a_record_has_every_field_whatever_is_known() {
        let line = Draft::new("explain", "r", &Who::default(), false)
            .line(Code::ResourceExhausted, "full", None)
            .unwrap();
        let read: Json = serde_json::from_str(&line).unwrap();
        let names: Vec<_> = read.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = "schema time tenant subject call request_id item model image_sha256 resolved face_model prediction target \
                        map_sha256 code message passes warnings duration_ms";
        assert_eq!(names.join(" "), expected);
        assert_eq!((&read["schema"], &read["subject"]), (&1.into(), &ANONYMOUS.into()));
        assert_eq!(read["model"], Json::Null);
        let time = read["time"].as_str().unwrap();
        assert!(time.len() == "2026-11-24T12:00:00.000Z".len() && time.ends_with('Z'), "{time}");
    }

    #[test]
    fn a_digest_of_the_picture_is_made_only_where_it_is_wanted() {
        for (wanted, expected) in [(false, Json::Null), (true, sha256(b"picture").into())] {
            let draft = Draft::new("predict", "r", &Who::default(), wanted);
            draft.image(b"picture");
            let read: Json = serde_json::from_str(&draft.line(Code::Ok, "", None).unwrap()).unwrap();
            assert_eq!(read["image_sha256"], expected);
        }
    }
}
