//! Where two plans differ, as a person reads it.

use serde_json::Value as Json;

/// Differences that are told; more of them would hide what was typed otherwise.
const MOST: usize = 4;
/// Letters of a value that are told.
const LONGEST: usize = 60;

/// `plan.seed is 0 there and 4 here`, for each place up to a few.
pub(super) fn differences(name: &str, there: &Json, here: &Json) -> String {
    let mut found = Vec::new();
    compare(name, there, here, &mut found);
    let more = found.len().saturating_sub(MOST);
    found.truncate(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    found.join("; ") + &more
}

fn compare(path: &str, there: &Json, here: &Json, found: &mut Vec<String>) {
    match (there, here) {
        (Json::Object(a), Json::Object(b)) => {
            let added = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(added) {
                compare(&format!("{path}.{key}"), &there[key], &here[key], found);
            }
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}[{i}]"), a, b, found);
            }
        }
        (a, b) if a == b => {}
        (a, b) => found.push(format!("{path} is {} there and {} here", short(a), short(b))),
    }
}

fn short(value: &Json) -> String {
    match value {
        Json::Null => "not given".to_owned(),
        Json::Array(values) => format!("{} long", values.len()),
        Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => {
            let text = value.to_string();
            let cut: String = text.chars().take(LONGEST).collect();
            if cut.len() < text.len() { cut + "..." } else { cut }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_place_that_differs_is_told_up_to_a_few() {
        let a = json!({ "seed": 0, "metrics": [{ "deletion": { "step": 9 } }], "same": 1 });
        let b = json!({ "seed": 4, "metrics": [{ "deletion": {} }], "same": 1, "scale": "X" });
        let expected = "plan.seed is 0 there and 4 here; plan.metrics[0].deletion.step is 9 there and not given here; \
                        plan.scale is not given there and \"X\" here";
        assert_eq!(differences("plan", &a, &b), expected);
        assert_eq!(differences("p", &json!([1]), &json!([1, 2])), "p is 1 long there and 2 long here");
        let many = |value: u8| json!({ "a": value, "b": value, "c": value, "d": value, "e": value });
        assert!(differences("p", &many(1), &many(2)).ends_with("p.d is 1 there and 2 here and 1 more"));
        assert_eq!(
            differences("p", &json!("x".repeat(99)), &json!(1)).len(),
            60 + "p is ... there and 1 here".len()
        );
    }
}
