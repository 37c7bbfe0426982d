//! Many pictures under one plan: items in, rows out in their order, the summary last.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::{Stream, StreamExt as _};
use opentelemetry::KeyValue;
use tonic::Status;
use tracing::Instrument as _;
use unmask_core::Violation;
use unmask_explainer::metrics::bootstrap::Bootstrap;
use unmask_pool::Cancel;
use unmask_protocol::v1::{self, dataset_row};

use super::items::{self, AT_ONCE, Asker, Name, Names, Sender, Task, Working};
use super::{Answers, Guard, Service, State, refused, spent, who_is, within};
use crate::admission::{Held, Price};
use crate::audit::Draft;
use crate::decode::{self, Class, DatasetJob, Item, Known, Priced as _};
use crate::error::RequestError;
use crate::run::{self, Caller};
use crate::transport::Arrival;
use crate::{encode, error, oversize};

const CALL: &str = "evaluate_dataset";
/// Figures of one stream, which are held for the summary.
const MOST_FIGURES: usize = 4_000_000;
/// Families of one stream, each of which has means of its own.
const MOST_FAMILIES: usize = 256;
/// Answers that wait for a client that is slow to read.
const WAITING: usize = 4;

impl Service {
    /// Evaluates every item under the plan that comes first, in process.
    pub fn dataset<S>(&self, requests: S) -> Answers<v1::EvaluateDatasetResponse>
    where
        S: Stream<Item = Result<v1::EvaluateDatasetRequest, Status>> + Send + Unpin + 'static,
    {
        self.dataset_of(Arrival::default(), requests)
    }

    /// Evaluates every item under the plan that comes first, for whoever has come.
    pub(super) fn dataset_of<S>(&self, arrival: Arrival, requests: S) -> Answers<v1::EvaluateDatasetResponse>
    where
        S: Stream<Item = Result<v1::EvaluateDatasetRequest, Status>> + Send + Unpin + 'static,
    {
        let asker = Asker { state: Arc::clone(&self.state), arrival };
        asker.answers(CALL, WAITING, |asker, answers, span| async move {
            drive(asker, requests, &answers, &span).await
        })
    }
}

async fn drive<S>(
    asker: Asker,
    mut requests: S,
    answers: &Sender<v1::EvaluateDatasetResponse>,
    span: &tracing::Span,
) -> Result<(), Status>
where
    S: Stream<Item = Result<v1::EvaluateDatasetRequest, Status>> + Send + Unpin + 'static,
{
    let Asker { state, arrival } = asker.clone();
    let first = requests.next().await.transpose().map_err(oversize::renamed)?.unwrap_or_default();
    let plan = arrival.message();
    // A full server says so at once.
    state.admission.enter(Class::Bulk).map_err(|e| state.refuse(span, &e, ""))?;
    let turn = state.admission.begin().await;
    let own = asker.clone();
    let job = super::blocking(move || {
        // The model may have to be loaded.
        let _turn = turn;
        begin(first, &own)
    });
    let job = job.await.map_err(|e| state.refuse(span, &e, ""))?;
    let job = Arc::new(job);
    span.record("request_id", &job.request_id);
    arrival.trace.says(|| KeyValue::new("unmask.request_id", job.request_id.clone()));
    let mut names = Names::default();
    let of = Arc::clone(&job);
    let (requests, stopped) = items::until_down(state.drain.clone(), requests);
    let working = Working::default();
    let counted = working.clone();
    let mut rows = Box::pin(
        requests
            .map(move |message| {
                let held = asker.arrival.message();
                // In the order of the items, whichever is worked on first.
                let name = names.add(id(&message));
                let row = one(asker.clone(), Arc::clone(&of), name, message, held);
                // Each goes on while a client is slow to read: what it waits for and holds is not kept from others.
                Task::of(counted.on(row).in_current_span())
            })
            .buffered(AT_ONCE),
    );
    let (mut known, mut failed, mut passes) = (Vec::new(), 0, 0u64);
    let mut size = Size::default();
    loop {
        let next = working.next(state.idle, &mut rows).await;
        let Some(row) = next.map_err(|e| state.refuse(span, &e, &job.request_id))? else { break };
        let row = row.unwrap_or_else(|| Err(RequestError::Panicked.status(&job.request_id)))?;
        let own = decode::known(&row, &job).map_err(|_| RequestError::Panicked.status(&job.request_id))?;
        size.grow(&own).map_err(|message| {
            RequestError::Invalid(vec![Violation::new("item", message)]).status(&job.request_id)
        })?;
        failed += u64::from(own.failed);
        if let Some(dataset_row::Kind::Answer(answer)) = &row.kind {
            passes = passes.saturating_add(answer.cost.as_ref().map_or(0, |cost| cost.run));
        }
        known.push(own);
        for answer in [encode::row(row), encode::progress(known.len() as u64, failed, passes)] {
            // A client that has gone is seen above.
            if within(state.idle, answers.send(Ok(answer))).await.is_none() {
                return Err(state.refuse(span, &RequestError::Silent, &job.request_id));
            }
        }
    }
    let items = known.len() as u64;
    let id = job.request_id.clone();
    if stopped.load(Ordering::Relaxed) {
        return Err(state.refuse(span, &RequestError::Draining, &id));
    }
    let summary = summarise(&state, job, known, failed).await.map_err(|e| state.refuse(span, &e, &id))?;
    drop(plan);
    let _ = within(state.idle, answers.send(Ok(summary))).await;
    tracing::info!(items, failed, "answered");
    Ok(())
}

/// The plan, where its sender may have it worked on and a picture of it can be paid for.
fn begin(first: v1::EvaluateDatasetRequest, asker: &Asker) -> Result<DatasetJob, RequestError> {
    let Asker { state, arrival } = asker;
    let tenant = &arrival.identity.tenant;
    let job = decode::dataset(first, &state.seen_by(tenant))?;
    tenant.may_ask(job.class)?;
    let passes = job.plan.announced(&job.served.spec().input);
    state.admission.affordable(Class::Bulk, Price { passes, bytes: 0 })?;
    Ok(job)
}

/// What a stream holds until its end.
#[derive(Default)]
struct Size {
    figures: usize,
    families: HashSet<String>,
}

impl Size {
    fn grow(&mut self, row: &Known) -> Result<(), String> {
        self.figures += row.figures.len();
        if self.figures > MOST_FIGURES {
            return Err(format!(
                "there are more than {MOST_FIGURES} figures; send the items in several streams"
            ));
        }
        if !self.families.contains(&row.family) {
            self.families.insert(row.family.clone());
        }
        if self.families.len() > MOST_FAMILIES {
            return Err(format!("there are more than {MOST_FAMILIES} families; name fewer kinds of items"));
        }
        Ok(())
    }
}

/// The summary, on a blocking thread and under a place, until the client has gone.
async fn summarise(
    state: &State,
    job: Arc<DatasetJob>,
    known: Vec<Known>,
    failed: u64,
) -> Result<v1::EvaluateDatasetResponse, RequestError> {
    let place = state.admission.picture().await?;
    let cancel = Cancel::default();
    let _guard = Guard(cancel.clone());
    super::blocking(move || {
        let _place = place;
        let bootstrap =
            Bootstrap { resamples: job.resamples, confidence: job.confidence, seed: job.plan.seed };
        let means = run::means(&known, &bootstrap, &cancel)?;
        Ok(encode::summary(&job, known.len() as u64, failed, means))
    })
    .await
}

/// The name of an item, where a message is one.
fn id(message: &Result<v1::EvaluateDatasetRequest, Status>) -> Option<&str> {
    match message.as_ref().ok()?.kind.as_ref()? {
        v1::evaluate_dataset_request::Kind::Item(item) => Some(&item.id),
        v1::evaluate_dataset_request::Kind::Plan(_) => None,
    }
}

/// The row of an item. A message that is no item, and a broken stream, end everything.
async fn one(
    asker: Asker,
    job: Arc<DatasetJob>,
    name: Name,
    message: Result<v1::EvaluateDatasetRequest, Status>,
    held: Option<Held>,
) -> Result<v1::DatasetRow, Status> {
    let (id, item) =
        decode::item(message.map_err(oversize::renamed)?, &job).map_err(|e| e.status(&job.request_id))?;
    let invalid = |field: &str, message: String| RequestError::Invalid(vec![Violation::new(field, message)]);
    let picture = match (name, item) {
        (Name::TooMany, _) => {
            return Err(items::too_many("item").status(&job.request_id));
        }
        (Name::Twice, _) => Err(invalid("item.id", "is there twice".into())),
        (Name::New, Ok(Item::Known(known))) => return Ok(known.0),
        (Name::New, Ok(Item::Picture(picture))) => Ok(picture),
        (Name::New, Err(error)) => Err(error),
    };
    let Asker { state, arrival } = &asker;
    let draft = state.audit.draft(CALL, &job.request_id, &who_is(arrival)).item(&id);
    let (family, label, done) = match picture {
        Err(error) => (String::new(), String::new(), Err(refused(state, draft, error).await)),
        Ok(picture) => {
            let label = picture.label.clone();
            let family = if picture.family.is_empty() { label.clone() } else { picture.family.clone() };
            (family, label, evaluate(asker.clone(), job, *picture, held, draft).await)
        }
    };
    Ok(match done {
        Ok(answer) => v1::DatasetRow { id, family, label, kind: Some(dataset_row::Kind::Answer(answer)) },
        Err(error) => {
            tracing::warn!(item = id, %error, "item failed");
            asker.state.telemetry.refused(&error);
            let (code, message) = (error::code(&error), error.to_string());
            encode::failure(&id, &family, &label, code, message)
        }
    })
}

/// Evaluates one picture on a blocking thread, until it is done or the client has gone.
async fn evaluate(
    asker: Asker,
    job: Arc<DatasetJob>,
    picture: v1::DatasetPicture,
    message: Option<Held>,
    draft: Draft,
) -> Result<v1::EvaluateResponse, RequestError> {
    let Asker { state, arrival } = asker;
    let tenant = arrival.identity.tenant;
    // The stream's deadline is the client's; a row that it cut short would pass for a whole one.
    let caller = Caller {
        cancel: Cancel::default(),
        weight: state.weight(job.class),
        tenant: tenant.name.clone(),
        trace: arrival.trace.clone(),
        telemetry: state.telemetry.clone(),
        ..Caller::default()
    };
    let _guard = Guard(caller.cancel.clone());
    let request = v1::EvaluateRequest {
        request_id: String::new(),
        image: picture.image,
        crop: picture.crop,
        plan: Some(job.message.clone()),
        mask: picture.mask,
        label: picture.label,
        dry_run: false,
        priority: 0,
    };
    let own = Arc::clone(&state);
    let decoded = super::blocking(move || {
        draft.image(&request.image);
        // All pictures of a dataset are judged by one model, whatever has taken its place meanwhile.
        let job = super::caught(|| decode::evaluate_item(request, &job.served, &own.limits));
        job.iter().for_each(|job| draft.evaluate(job));
        Ok((job, draft))
    });
    let (job, draft) = decoded.await?;
    let bought = async {
        let job = job?;
        let price = job.price(&state.limits);
        let (charge, paid) = items::buy(&state, &tenant, price).await?;
        Ok((job, paid, charge))
    };
    let bought: Result<_, RequestError> = bought.await;
    super::blocking(move || {
        let done = super::caught(|| {
            let (job, paid, mut charge) = bought?;
            // Given back when the work has ended, not when the client has gone.
            let _held = (paid, message);
            let ran = run::evaluate(&job, &state.limits, &state.fills, &caller);
            charge.iter_mut().for_each(|charge| charge.spend(spent(&ran, |answer| answer.bill.meter.run)));
            let answer = ran?;
            let answer = encode::evaluated(String::new(), &job, answer);
            Ok(v1::EvaluateResponse { resolved: None, ..answer })
        });
        state.audit.record(&draft, done)
    })
    .await
}

#[cfg(test)]
mod tests {
    use unmask_explainer::metrics::Better;

    use super::*;
    use crate::decode::{FigurePlace, KnownFigure};

    #[test]
    fn what_a_stream_holds_until_its_end_is_bounded() {
        let of = FigurePlace { explanation: 0, metric: 0, figure: 0, k: 0 };
        let figure = KnownFigure { of, better: Better::Neither, value: None };
        let row = |family: &str, figures: usize| Known {
            family: family.into(),
            failed: false,
            figures: vec![figure; figures],
        };
        let mut size = Size::default();
        let half = row("", MOST_FIGURES / 2);
        assert!([&half, &half].into_iter().all(|row| size.grow(row).is_ok()));
        assert!(size.grow(&row("", 1)).unwrap_err().contains("more than 4000000 figures"));
        let mut size = Size::default();
        assert!((0..2 * MOST_FAMILIES).all(|i| size.grow(&row(&(i % MOST_FAMILIES).to_string(), 0)).is_ok()));
        assert!(size.grow(&row("one more", 0)).unwrap_err().contains("more than 256 families"));
    }
}
