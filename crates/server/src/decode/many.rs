//! One of many requests to explain, and its condition.

use unmask_core::Violation;
use unmask_protocol::v1;

use super::{Class, ExplainJob, Sight, below, explain, priority, word};
use crate::error::RequestError;

/// A request of which the name is known.
pub(crate) struct ManyItem {
    /// Its name; empty where that is wrong.
    pub(crate) id: String,
    pub(crate) class: Class,
    /// Whether its priority is one.
    is_known: bool,
    request: v1::ExplainRequest,
    /// Least probability of a fake with which it is explained.
    least: Option<f64>,
    /// What is wrong in the request, and around it.
    wrong: (Vec<Violation>, Vec<Violation>),
}

/// Reads a message of a stream, which is the only one with its name if it `is_new`.
pub(crate) fn many(message: v1::ExplainManyRequest, is_new: bool) -> ManyItem {
    let request = message.request.unwrap_or_default();
    let (mut inside, mut around) = (Vec::new(), Vec::new());
    let named = word(&request.request_id, 1).map_err(|message| Violation::new("request_id", message));
    let id = match named {
        Ok(()) => request.request_id.clone(),
        Err(violation) => {
            inside.push(violation);
            String::new()
        }
    };
    if !is_new {
        inside.push(Violation::new("request_id", "is there twice"));
    }
    let others = inside.len();
    let class = priority(request.priority, Class::Bulk, "priority", &mut inside);
    let is_known = inside.len() == others;
    let least = message.only_if.and_then(|only_if| {
        let given = only_if.fake_probability;
        let least = given.filter(|least| (0.0..=1.0).contains(least));
        if least.is_none() {
            let got = given.map_or_else(|| "is not set".to_owned(), |given| format!("got {given}"));
            around.push(Violation::new("only_if.fake_probability", format!("{got}, allowed is 0 to 1")));
        }
        least
    });
    ManyItem { id, class, is_known, request, least, wrong: (inside, around) }
}

impl ManyItem {
    /// The file of its picture.
    pub(crate) fn image(&self) -> &[u8] {
        &self.request.image
    }

    /// What is meant, where its sender may ask for it, and the least probability of a fake with which it is explained.
    pub(crate) fn job(self, sight: &Sight<'_>) -> Result<(ExplainJob, Option<f64>), RequestError> {
        // A priority that there is not is reported as that.
        if self.is_known {
            sight.tenant.may_ask(self.class)?;
        }
        let (inside, around) = self.wrong;
        let job = below("request", explain(self.request, sight, inside), around)?;
        Ok((job, self.least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(item: &ManyItem) -> Vec<&str> {
        let (inside, around) = &item.wrong;
        inside.iter().chain(around).map(|violation| violation.field.as_str()).collect()
    }

    fn named(id: &str, least: Option<Option<f64>>) -> v1::ExplainManyRequest {
        let request = v1::ExplainRequest { request_id: id.into(), ..Default::default() };
        let only_if = least.map(|fake_probability| v1::OnlyIf { fake_probability });
        v1::ExplainManyRequest { request: Some(request), only_if }
    }

    #[test]
    fn a_name_is_needed_and_stands_once() {
        assert!(wrong(&many(named("a", None), true)).is_empty());
        assert_eq!(wrong(&many(named("a", None), false)), ["request_id"]);
        for nameless in [named("", None), named("a\n", None), v1::ExplainManyRequest::default()] {
            let item = many(nameless, true);
            assert_eq!((wrong(&item), item.id.as_str()), (vec!["request_id"], ""));
        }
    }

    #[test]
    fn a_condition_is_a_probability() {
        for good in [0.0, 0.5, 1.0] {
            assert_eq!(many(named("a", Some(Some(good))), true).least, Some(good));
        }
        for bad in [None, Some(-0.1), Some(1.1), Some(f64::NAN)] {
            let item = many(named("a", Some(bad)), true);
            assert_eq!(wrong(&item), ["only_if.fake_probability"], "{bad:?}");
        }
    }
}
