//! The catalogue, the contract and the decoder tell the same story.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use prost_reflect::{DescriptorPool, Kind};
use tonic::Request;
use unmask_protocol::v1::evaluation_service_server::EvaluationService as _;
use unmask_protocol::v1::explanation_service_server::ExplanationService as _;
use unmask_protocol::{DESCRIPTOR_SET, v1};
use unmask_tests::Root;

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_names_every_method_fill_segmentation_and_parameter_of_the_contract() {
    let service = Root::new(&[]).service(&[]);
    let catalogue = service.list_methods(Request::new(v1::ListMethodsRequest {})).await.unwrap().into_inner();
    let pool = DescriptorPool::decode(DESCRIPTOR_SET).unwrap();
    let lists = [
        ("Method", &catalogue.methods),
        ("Fill", &catalogue.fills),
        ("Segmentation", &catalogue.segmentations),
    ];
    for (message, entries) in lists {
        let outer = pool.get_message_by_name(&format!("unmask.v1.{message}")).unwrap();
        // Fields beside the oneof, such as a preset, are no entries.
        let kind = outer.oneofs().find(|oneof| oneof.name() == "kind").unwrap();
        let in_contract: Vec<String> = kind.fields().map(|f| f.name().to_owned()).collect();
        let in_catalogue: Vec<String> = entries.iter().map(|e| e.name.clone()).collect();
        assert_eq!(in_catalogue, in_contract, "{message}");
        for entry in entries {
            let Kind::Message(inner) = outer.get_field_by_name(&entry.name).unwrap().kind() else {
                unreachable!()
            };
            // Output-only fields, such as a digest in place of an image, are no parameters; neither is the size of an
            // array, which belongs to its values.
            let size = if entry.name == "labels" { &["height", "width"][..] } else { &[] };
            let fields: Vec<String> = inner
                .fields()
                .map(|f| f.name().to_owned())
                .filter(|name| name != "sha256" && !size.contains(&name.as_str()))
                .collect();
            let parameters: Vec<String> = entry.parameters.iter().map(|p| p.name.clone()).collect();
            assert_eq!(parameters, fields, "{}", entry.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_names_every_metric_and_parameter_of_the_contract() {
    let service = Root::new(&[]).service(&[]);
    let metrics =
        service.list_metrics(Request::new(v1::ListMetricsRequest {})).await.unwrap().into_inner().metrics;
    let pool = DescriptorPool::decode(DESCRIPTOR_SET).unwrap();
    let outer = pool.get_message_by_name("unmask.v1.Metric").unwrap();
    let in_contract: Vec<String> = outer.fields().map(|f| f.name().to_owned()).collect();
    let entries: Vec<_> = metrics.iter().map(|metric| metric.entry.clone().unwrap()).collect();
    assert_eq!(entries.iter().map(|e| e.name.clone()).collect::<Vec<_>>(), in_contract);
    for (metric, entry) in metrics.iter().zip(&entries) {
        let Kind::Message(inner) = outer.get_field_by_name(&entry.name).unwrap().kind() else {
            unreachable!()
        };
        let fields: Vec<String> = inner.fields().map(|f| f.name().to_owned()).collect();
        // Fill, attack and choices of RFxG are messages of their own, and no numbers.
        let own = ["fill", "attack", "score", "as_coded"];
        let numbers: Vec<String> = fields.iter().filter(|f| !own.contains(&f.as_str())).cloned().collect();
        assert_eq!(
            entry.parameters.iter().map(|p| p.name.clone()).collect::<Vec<_>>(),
            numbers,
            "{}",
            entry.name
        );
        assert_eq!(
            metric.needs.contains(&"fill".to_owned()),
            fields.contains(&"fill".to_owned()),
            "{}",
            entry.name
        );
        assert!(!metric.figures.is_empty());
    }
}

/// The text of a message of the contract, each field's comment on one line before it.
fn fields(text: &str, message: &str) -> Vec<(String, String)> {
    let text = text.replace(" {}\n", " {\n}\n");
    let body = text
        .split(&format!("\nmessage {message} {{\n"))
        .nth(1)
        .unwrap_or_else(|| panic!("no message {message}"));
    let (mut comment, mut fields) = (String::new(), Vec::new());
    for line in body.split("\n}").next().unwrap().lines().map(str::trim) {
        match line.strip_prefix("// ") {
            Some(more) => comment = format!("{comment} {more}"),
            None => fields.push((std::mem::take(&mut comment), line.to_owned())),
        }
    }
    fields
}

#[test]
fn comments_of_the_contract_state_the_bounds_defaults_and_paper_values_of_the_catalogue() {
    let read = |file: &str| std::fs::read_to_string(unmask_tests::project(file)).unwrap();
    let text = read("proto/unmask/v1/method.proto") + &read("proto/unmask/v1/metric.proto");
    let pool = DescriptorPool::decode(DESCRIPTOR_SET).unwrap();
    let lists = [
        ("Method", unmask_explainer::methods::METHODS),
        ("Fill", unmask_explainer::fill::FILLS),
        ("Segmentation", unmask_explainer::segment::SEGMENTATIONS),
    ];
    let lists = lists.iter().flat_map(|(outer, list)| list.iter().map(move |d| (*outer, d)));
    let metrics = unmask_explainer::metrics::METRICS.iter().map(|about| ("Metric", &about.entry));
    for (outer, descriptor) in lists.chain(metrics) {
        let outer = pool.get_message_by_name(&format!("unmask.v1.{outer}")).unwrap();
        let Kind::Message(message) = outer.get_field_by_name(descriptor.name).unwrap().kind() else {
            unreachable!()
        };
        let fields = fields(&text, message.name());
        for param in descriptor.params {
            let name = format!("{}.{}", descriptor.name, param.name);
            let own = |(_, field): &&(String, String)| field.contains(&format!(" {} = ", param.name));
            let (comment, _) = fields.iter().find(own).unwrap_or_else(|| panic!("{name} is in the contract"));
            let (default, bounds) = match param.kind {
                unmask_core::Kind::Integer { default, min, max } => {
                    (default.to_string(), format!("{min} to {max}"))
                }
                unmask_core::Kind::Real { default, min, max } => {
                    (default.to_string(), format!("{min} to {max}"))
                }
                unmask_core::Kind::Flag(default) => (default.to_string(), String::new()),
                unmask_core::Kind::Choice(words) => (words[0].to_owned(), String::new()),
                unmask_core::Kind::Picture | unmask_core::Kind::Numbers(_) => continue,
            };
            assert!(comment.contains(&bounds), "{name}: {bounds}: {comment}");
            assert!(comment.contains(&format!("Default: {default}")), "{name}: {default}: {comment}");
            let paper = param.paper.map(|value| match value {
                unmask_core::Value::Integer(value) => value.to_string(),
                unmask_core::Value::Real(value) => value.to_string(),
                unmask_core::Value::Flag(value) => value.to_string(),
            });
            match paper {
                Some(value) => {
                    assert!(comment.contains(&format!("Preset paper: {value}")), "{name}: {value}: {comment}")
                }
                None => assert!(!comment.contains("Preset paper:"), "{name}: {comment}"),
            }
        }
    }
}

#[test]
fn the_readme_and_the_page_of_methods_are_the_catalogue() {
    let read = |path: &str| std::fs::read_to_string(unmask_tests::project(path)).unwrap();
    let readme = read("README.md");
    assert!(readme == unmask_tests::catalogue::readme(&readme), "run `cargo xtask docs`");
    let configuration = read("docs/configuration.md");
    assert!(configuration == unmask_tests::configuration::page(&configuration), "run `cargo xtask docs`");
    assert!(read("docs/methods.md") == unmask_tests::catalogue::page(), "run `cargo xtask docs`");
    assert!(read("docs/metrics.md") == unmask_tests::catalogue::metrics_page(), "run `cargo xtask docs`");
}
