//! One line per decision: who asked what of which model, and what came of it. Never pixels, nor what a caller sent in place of
//! them.
//!
//! A request has a [`Draft`], which learns what is known while the work goes on; [`Audit::record`] finishes and writes it, on the
//! blocking thread that did the work, before anybody is answered.

mod draft;
mod json;
mod record;
mod sink;

use std::convert::Infallible;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

pub(crate) use self::draft::{Draft, Who};
pub(crate) use self::record::Decision;
use self::sink::Sink;
use crate::alarm::Alarm;
use crate::config;
use crate::error::{self, RequestError, StartError};

/// Where decisions are recorded, if anywhere.
pub(crate) struct Audit {
    log: Option<Mutex<Log>>,
    required: bool,
    image_sha256: bool,
    lost: AtomicU64,
}

/// The place that is written to, and what is still to be told of lines that it did not take.
struct Log {
    sink: Sink,
    alarm: Alarm,
}

impl Log {
    fn open(path: &Path) -> Result<Self, StartError> {
        let sink = Sink::open(path)
            .map_err(|error| StartError::Audit { path: path.to_owned(), reason: error.to_string() })?;
        Ok(Self { sink, alarm: Alarm::default() })
    }
}

impl Audit {
    /// Opens what is configured.
    ///
    /// # Errors
    /// [`StartError::Audit`] where it cannot be opened.
    pub(crate) fn open(config: &config::Audit) -> Result<Self, StartError> {
        Ok(Self {
            log: config.file.as_deref().map(Log::open).transpose()?.map(Mutex::new),
            required: config.required,
            image_sha256: config.image_sha256,
            lost: AtomicU64::new(0),
        })
    }

    /// The record of a request that begins now.
    pub(crate) fn draft(&self, call: &'static str, request_id: &str, who: &Who) -> Draft {
        match self.log {
            None => Draft::none(),
            Some(_) => Draft::new(call, request_id, who, self.image_sha256),
        }
    }

    /// Records what came of a request, and gives it back. Writes to a file, so that it belongs on a blocking thread.
    ///
    /// # Errors
    /// What was given, or [`RequestError::Unrecorded`] where that is required and could not be done.
    pub(crate) fn record<T: Decision>(
        &self,
        draft: &Draft,
        done: Result<T, RequestError>,
    ) -> Result<T, RequestError> {
        let (code, message) = match &done {
            Ok(_) => (Code::Ok, String::new()),
            Err(error) => (error::code(error), error.to_string()),
        };
        let said = done.as_ref().ok().map(Decision::said);
        if self.write(draft.line(code, &message, said)) || !self.required {
            return done;
        }
        Err(RequestError::Unrecorded)
    }

    /// Records a request that was refused before its work began.
    ///
    /// # Errors
    /// Always: the error, or [`RequestError::Unrecorded`].
    pub(crate) fn refused(&self, draft: &Draft, error: RequestError) -> RequestError {
        let Err(error) = self.record::<Infallible>(draft, Err(error));
        error
    }

    /// Records a stream that has ended early.
    pub(crate) fn broken(&self, call: &'static str, who: &Who, status: Status) -> Status {
        let id = status.get_error_details().request_info().map(|info| info.request_id.clone());
        let id = id.unwrap_or_default();
        let line = self.draft(call, &id, who).line(status.code(), status.message(), None);
        if self.write(line) || !self.required { status } else { RequestError::Unrecorded.status(&id) }
    }

    /// Whether anything is recorded.
    pub(crate) fn is_on(&self) -> bool {
        self.log.is_some()
    }

    /// Records that could not be written since the service opened.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Whether there was nothing to write, or it was written.
    fn write(&self, line: Option<String>) -> bool {
        let (Some(log), Some(line)) = (&self.log, line) else { return true };
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        let Err(error) = log.sink.append(line.as_bytes()) else { return true };
        self.lost.fetch_add(1, Ordering::Relaxed);
        if let Some(lost) = log.alarm.ring(Instant::now()) {
            tracing::error!(%error, lost, required = self.required, "audit records could not be written");
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_file_nothing_is_recorded_and_everything_is_answered() {
        let audit = Audit::open(&config::Audit::default()).unwrap();
        let error = audit.refused(&audit.draft("predict", "r", &Who::default()), RequestError::Draining);
        assert_eq!((error, audit.lost()), (RequestError::Draining, 0));
    }

    #[test]
    fn what_is_required_and_cannot_be_written_is_an_error_and_is_counted_either_way() {
        for (required, expected) in [(false, RequestError::Panicked), (true, RequestError::Unrecorded)] {
            let file = Some("/dev/full".into());
            let audit = Audit::open(&config::Audit { file, required, image_sha256: false }).unwrap();
            assert_eq!(
                audit.refused(&audit.draft("predict", "r", &Who::default()), RequestError::Panicked),
                expected
            );
            let status =
                audit.broken("evaluate_dataset", &Who::default(), RequestError::Panicked.status("r"));
            assert_eq!(status.code(), error::code(&expected));
            assert_eq!(status.get_error_details().request_info().unwrap().request_id, "r");
            assert_eq!(audit.lost(), 2);
        }
    }
}
