//! What is read of a service whenever somebody looks.

use std::collections::BTreeMap;
use std::sync::Weak;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};
use unmask_pool::Served;

use crate::models;
use crate::rpc::State;

/// Registers what is read of `service`, for as long as there is one.
pub(super) fn watch(meter: &Meter, service: &Weak<State>) {
    let gauge = |name, unit, what, read: fn(&State, &dyn AsyncInstrument<u64>)| {
        let service = service.clone();
        let gauge = meter.u64_observable_gauge(name).with_unit(unit).with_description(what);
        gauge.with_callback(move |seen| service.upgrade().into_iter().for_each(|s| read(&s, seen))).build();
    };
    gauge("unmask.requests.active", "", "Requests that have a place.", |service, seen| {
        seen.observe(service.places(), &[]);
    });
    gauge("unmask.queue.depth", "", "Passes that wait for a worker.", |service, seen| {
        let depths = by_model(service, |served| served.depth().0 as u64, |a, b| a + b);
        depths.into_iter().for_each(|(model, depth)| seen.observe(depth, &[KeyValue::new("model", model)]));
    });
    gauge("unmask.models", "", "Versions of models.", |service, seen| {
        for (state, count) in versions(service) {
            seen.observe(count, &[KeyValue::new("state", state)]);
        }
    });
    gauge("unmask.workers", "", "Workers of models that are loaded.", |service, seen| {
        let workers = by_model(service, Served::workers, |a, b| (a.0 + b.0, a.1 + b.1));
        for (model, (up, all)) in workers {
            for (state, count) in [("up", up), ("down", all - up)] {
                let labels = [KeyValue::new("model", model.clone()), KeyValue::new("state", state)];
                seen.observe(count as u64, &labels);
            }
        }
    });
    gauge("unmask.build_info", "", "1; what is running.", |service, seen| {
        let version = KeyValue::new("version", env!("CARGO_PKG_VERSION"));
        seen.observe(1, &[version, KeyValue::new("onnxruntime", service.models.runtime().to_owned())]);
    });
    let own = service.clone();
    meter
        .f64_observable_gauge("unmask.queue.age")
        .with_unit("s")
        .with_description("How long the oldest pass that waits has waited.")
        .with_callback(move |seen| {
            let Some(service) = own.upgrade() else { return };
            for (model, age) in by_model(&service, |served| served.depth().1, Ord::max) {
                seen.observe(age.as_secs_f64(), &[KeyValue::new("model", model)]);
            }
        })
        .build();
    let own = service.clone();
    meter
        .u64_observable_counter("unmask.audit.lost")
        .with_description("Audit records that could not be written.")
        .with_callback(move |seen| own.upgrade().iter().for_each(|s| seen.observe(s.audit.lost(), &[])))
        .build();
}

/// What is seen of loaded models, all versions of a name together.
fn by_model<T>(
    service: &State,
    see: impl Fn(&Served) -> T,
    together: impl Fn(T, T) -> T,
) -> BTreeMap<String, T> {
    let mut seen = BTreeMap::new();
    service.models.loaded(|served| {
        let name = &served.spec().name;
        let own = see(served);
        let all = match seen.remove(name) {
            Some(others) => together(others, own),
            None => own,
        };
        seen.insert(name.clone(), all);
    });
    seen
}

/// How many versions there are in each state.
fn versions(service: &State) -> [(&'static str, u64); 3] {
    let mut counts = [("loaded", 0), ("not_loaded", 0), ("refused", 0)];
    let states = service.models.all(|listed| match listed.state {
        models::State::Loaded(_) => 0,
        models::State::NotLoaded(_) => 1,
        models::State::Refused => 2,
    });
    states.into_iter().for_each(|state: usize| counts[state].1 += 1);
    counts
}
