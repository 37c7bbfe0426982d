//! Many explanations over one call: requests in, answers out as they are done, each by its id.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::{Stream, StreamExt as _};
use tokio::sync::Mutex;
use tonic::Status;
use tracing::Instrument as _;
use unmask_pool::Cancel;
use unmask_protocol::v1::{self, explain_many_response::Kind};

use super::items::{self, AT_ONCE, Asker, Name, Names, Sender, Task, Working};
use super::{Answers, Ends, Guard, Service, spent, who_is, within};
use crate::admission::Held;
use crate::decode::{self, Class, ManyItem, Priced as _};
use crate::error::RequestError;
use crate::run::{self, Caller};
use crate::transport::Arrival;
use crate::{encode, error, oversize};

const CALL: &str = "explain_many";
/// Answers that wait for a client that is slow to read, besides those that are worked on: they may be large.
const WAITING: usize = 1;

impl Service {
    /// Explains every request, in process.
    pub fn many<S>(&self, requests: S) -> Answers<v1::ExplainManyResponse>
    where
        S: Stream<Item = Result<v1::ExplainManyRequest, Status>> + Send + Unpin + 'static,
    {
        self.many_of(Arrival::default(), requests)
    }

    /// Explains every request, for whoever has come.
    pub(super) fn many_of<S>(&self, arrival: Arrival, requests: S) -> Answers<v1::ExplainManyResponse>
    where
        S: Stream<Item = Result<v1::ExplainManyRequest, Status>> + Send + Unpin + 'static,
    {
        let asker = Asker { state: Arc::clone(&self.state), arrival };
        asker.answers(CALL, WAITING, |asker, answers, span| async move {
            drive(asker, requests, &answers, &span).await
        })
    }
}

async fn drive<S>(
    asker: Asker,
    requests: S,
    answers: &Sender<v1::ExplainManyResponse>,
    span: &tracing::Span,
) -> Result<(), Status>
where
    S: Stream<Item = Result<v1::ExplainManyRequest, Status>> + Send + Unpin + 'static,
{
    let state = Arc::clone(&asker.state);
    // A full server says so at once.
    state.admission.enter(Class::Bulk).map_err(|e| state.refuse(span, &e, ""))?;
    let (requests, stopped) = items::until_down(state.drain.clone(), requests);
    let (mut names, turn) = (Names::default(), Arc::new(Mutex::new(())));
    let working = Working::default();
    let counted = working.clone();
    let mut done = Box::pin(
        requests
            .map(move |message| {
                let held = asker.arrival.message();
                let id = message.as_ref().ok().and_then(|message| message.request.as_ref());
                let name = names.add(id.map(|request| request.request_id.as_str()));
                let answer = one(asker.clone(), name, message, held, Arc::clone(&turn));
                // Each goes on while a client is slow to read: what it waits for and holds is not kept from others.
                Task::of(counted.on(answer).in_current_span())
            })
            .buffer_unordered(AT_ONCE),
    );
    let mut items = 0u64;
    while let Some(answer) =
        working.next(state.idle, &mut done).await.map_err(|e| state.refuse(span, &e, ""))?
    {
        let answer = answer.unwrap_or_else(|| Err(RequestError::Panicked.status("")))?;
        items += 1;
        // A client that has gone is seen by whoever drives this.
        if within(state.idle, answers.send(Ok(answer))).await.is_none() {
            return Err(state.refuse(span, &RequestError::Silent, ""));
        }
    }
    if stopped.load(Ordering::Relaxed) {
        return Err(state.refuse(span, &RequestError::Draining, ""));
    }
    tracing::info!(items, "answered");
    Ok(())
}

/// What came of one request. A message that cannot be read, and one too many, end everything.
async fn one(
    asker: Asker,
    name: Name,
    message: Result<v1::ExplainManyRequest, Status>,
    held: Option<Held>,
    turn: Arc<Mutex<()>>,
) -> Result<v1::ExplainManyResponse, Status> {
    let message = message.map_err(oversize::renamed)?;
    let is_new = match name {
        Name::TooMany => return Err(items::too_many("request").status("")),
        Name::Twice => false,
        Name::New => true,
    };
    let item = decode::many(message, is_new);
    let (request_id, state) = (item.id.clone(), Arc::clone(&asker.state));
    let kind = match explained(asker, item, held, turn).await {
        Ok(kind) => kind,
        Err(error) => {
            tracing::warn!(request_id, %error, "item failed");
            state.telemetry.refused(&error);
            encode::unexplained(error::code(&error), error.to_string())
        }
    };
    Ok(v1::ExplainManyResponse { request_id, kind: Some(kind) })
}

/// Explains one picture on a blocking thread, until it is done, the time of all is nearly up or the client has gone.
async fn explained(
    asker: Asker,
    item: ManyItem,
    message: Option<Held>,
    turn: Arc<Mutex<()>>,
) -> Result<Kind, RequestError> {
    let Asker { state, arrival } = asker;
    let tenant = Arc::clone(&arrival.identity.tenant);
    let draft = state.audit.draft(CALL, &item.id, &who_is(&arrival));
    let (id, class) = (item.id.clone(), item.class);
    let cancel = Cancel::default();
    let _guard = Guard(cancel.clone());
    // The model may have to be loaded: a stream waits for that on one thread, and few streams do so at the same time.
    let own = turn.lock_owned().await;
    let turn = (own, state.admission.begin().await);
    let (of, reading) = (Arc::clone(&state), Arc::clone(&tenant));
    let decoded = super::blocking(move || {
        let _turn = turn;
        draft.image(item.image());
        let job = super::caught(|| item.job(&of.seen_by(&reading)));
        job.iter().for_each(|(job, _)| draft.explain(job));
        Ok((job, draft))
    });
    let (job, draft) = decoded.await?;
    let bought = async {
        let (job, least) = job?;
        let (charge, paid) = items::buy(&state, &tenant, job.price(&state.limits)).await?;
        Ok((job, least, paid, charge))
    };
    let bought: Result<_, RequestError> = bought.await;
    let soft = arrival.deadline.map(|deadline| state.soft(Ends::InTime, deadline));
    let caller = Caller {
        cancel,
        deadline: soft,
        weight: state.weight(class),
        tenant: tenant.name.clone(),
        trace: arrival.trace.clone(),
        telemetry: state.telemetry.clone(),
        ..Caller::default()
    };
    let (own, ending) = (Arc::clone(&state), caller.cancel.clone());
    let work = super::blocking(move || {
        let done = super::caught(|| {
            let (mut job, least, paid, mut charge) = bought?;
            // Given back when the work has ended, not when the client has gone.
            let _held = (paid, message);
            let ran = match least {
                None => run::explain(&mut job, &state.limits, &state.fills, &caller).map(run::Sifted::from),
                Some(least) => run::sift(&mut job, least, &state.limits, &state.fills, &caller),
            };
            let ran = ran.map_err(|error| caller.why(error));
            charge.iter_mut().for_each(|charge| charge.spend(spent(&ran, run::Sifted::passes)));
            Ok(encode::sifted(id, &job, ran?))
        });
        let done = state.audit.record(&draft, done);
        state.learn(&caller.ended, soft);
        done
    });
    own.hurried(&ending, work).await
}
