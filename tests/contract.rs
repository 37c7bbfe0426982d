//! The catalogue, the contract and the decoder tell the same story.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use prost_reflect::{DescriptorPool, Kind};
use tonic::Request;
use unmask_protocol::v1::explanation_service_server::ExplanationService as _;
use unmask_protocol::{DESCRIPTOR_SET, v1};
use unmask_tests::Root;

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_names_every_method_fill_and_parameter_of_the_contract() {
    let service = Root::new(&[]).service(&[]);
    let catalogue = service.list_methods(Request::new(v1::ListMethodsRequest {})).await.unwrap().into_inner();
    let pool = DescriptorPool::decode(DESCRIPTOR_SET).unwrap();
    for (message, entries) in [("Method", &catalogue.methods), ("Fill", &catalogue.fills)] {
        let outer = pool.get_message_by_name(&format!("unmask.v1.{message}")).unwrap();
        let in_contract: Vec<String> = outer.fields().map(|f| f.name().to_owned()).collect();
        let in_catalogue: Vec<String> = entries.iter().map(|e| e.name.clone()).collect();
        assert_eq!(in_catalogue, in_contract, "{message}");
        for entry in entries {
            let Kind::Message(inner) = outer.get_field_by_name(&entry.name).unwrap().kind() else {
                unreachable!()
            };
            // Output-only fields, such as a digest in place of an image, are no parameters.
            let fields: Vec<String> =
                inner.fields().map(|f| f.name().to_owned()).filter(|name| name != "sha256").collect();
            let parameters: Vec<String> = entry.parameters.iter().map(|p| p.name.clone()).collect();
            assert_eq!(parameters, fields, "{}", entry.name);
        }
    }
}

#[test]
fn comments_of_the_contract_state_the_bounds_and_defaults_of_the_catalogue() {
    let text = std::fs::read_to_string(unmask_tests::project("proto/unmask/v1/method.proto")).unwrap();
    let descriptors = unmask_explainer::methods::METHODS.iter().chain(unmask_explainer::fill::FILLS);
    for param in descriptors.flat_map(|d| d.params) {
        let (default, min, max) = match param.kind {
            unmask_core::Kind::Integer { default, min, max } => (default as f64, min as f64, max as f64),
            unmask_core::Kind::Real { default, min, max } => (default, min, max),
            unmask_core::Kind::Choice(_) | unmask_core::Kind::Picture => continue,
        };
        let comment = text.lines().zip(text.lines().skip(1)).find_map(|(comment, field)| {
            let own = field.contains(&format!(" {} = ", param.name));
            (own && comment.contains(&format!("{min} to {max}"))).then_some(comment)
        });
        let comment = comment.unwrap_or_else(|| panic!("{}: no comment says {min} to {max}", param.name));
        assert!(comment.contains(&format!("Default: {default}")), "{}: {comment}", param.name);
    }
}
