//! What the load test sends: `deploy/load/requests.json`, with a sample as the picture, in the bytes that ghz reads.

use anyhow::Context as _;
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, Value};
use unmask_protocol::DESCRIPTOR_SET;

use crate::{project, sample};

/// The messages that `requests.json` holds.
const REQUEST: &str = "unmask.v1.ExplainRequest";

/// Names of binary files, and what stands in them: messages, each behind its length.
///
/// # Errors
/// A request that is none of the contract's.
pub fn data() -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let text = std::fs::read_to_string(project("deploy/load/requests.json"))?;
    let files: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text)?;
    let pool = DescriptorPool::decode(DESCRIPTOR_SET)?;
    let request = pool.get_message_by_name(REQUEST).context("the contract has it")?;
    let picture = sample("astronaut-mouth.png");
    let encoded = files.into_iter().map(|(file, list)| {
        let mut bytes = Vec::new();
        let requests = list.as_array().with_context(|| format!("{file} is not a list"))?;
        for (i, json) in requests.iter().enumerate() {
            let read = DynamicMessage::deserialize(request.clone(), json);
            let mut message = read.with_context(|| format!("{file}: request {i}"))?;
            message.set_field_by_name("image", Value::Bytes(picture.clone().into()));
            message.encode_length_delimited(&mut bytes)?;
        }
        Ok((file, bytes))
    });
    encoded.collect()
}
