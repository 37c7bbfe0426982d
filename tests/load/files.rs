//! The load test asks what the contract has: every configuration of ghz is held against the descriptors and the data that it names.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use unmask_protocol::DESCRIPTOR_SET;
use unmask_tests::{load, project, sample};

/// Keys of ghz 0.120 that are used; it takes a misspelt one for none.
const KEYS: &[&str] = &[
    "name",
    "call",
    "protoset",
    "binary-file",
    "insecure",
    "rps",
    "load-schedule",
    "load-start",
    "load-step",
    "load-end",
    "concurrency",
    "connections",
    "duration",
    "duration-stop",
    "timeout",
];

fn configurations() -> Vec<(String, serde_json::Map<String, serde_json::Value>)> {
    let files = std::fs::read_dir(project("deploy/load")).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.file_name().is_some_and(|name| name != "requests.json"));
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        (stem, serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
    };
    files.map(read).collect()
}

#[test]
fn every_call_of_the_load_test_is_in_the_contract_and_its_data_are_requests_of_it() {
    let pool = DescriptorPool::decode(DESCRIPTOR_SET).unwrap();
    let data = load::data().unwrap();
    let mut used = Vec::new();
    for (name, ghz) in configurations() {
        let (service, method) = ghz["call"].as_str().unwrap().split_once('/').unwrap();
        let service = pool.get_service_by_name(service).unwrap_or_else(|| panic!("{name}: {service}"));
        let method = service.methods().find(|m| m.name() == method).unwrap_or_else(|| panic!("{name}"));
        assert!(!method.is_client_streaming() && !method.is_server_streaming(), "{name}");
        assert_eq!(ghz["protoset"], "unmask.protoset", "{name}");
        let file = ghz["binary-file"].as_str().unwrap();
        let (_, bytes) = data.iter().find(|(own, _)| own == file).unwrap_or_else(|| panic!("{name}: {file}"));
        let (mut rest, mut count) = (&bytes[..], 0);
        while !rest.is_empty() {
            let mut request = DynamicMessage::new(method.input());
            request.merge_length_delimited(&mut rest).unwrap();
            assert_eq!(request.unknown_fields().count(), 0, "{name}");
            let image = request.get_field_by_name("image").unwrap();
            assert_eq!(image.as_bytes().unwrap().as_ref(), sample("astronaut-mouth.png"), "{name}");
            count += 1;
        }
        assert!(count > 0, "{name} sends nothing");
        used.push(file.to_owned());
    }
    assert!(data.iter().all(|(file, _)| used.contains(file)), "{used:?}");
}

#[test]
fn every_load_is_bounded_in_time_and_rate_and_waits_for_its_answers() {
    let mut names: Vec<_> = configurations().into_iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["mixed", "ramp", "saturation", "steady"]);
    for (name, ghz) in configurations() {
        assert_eq!(ghz["name"], name.as_str());
        let strange: Vec<_> = ghz.keys().filter(|key| !KEYS.contains(&key.as_str())).collect();
        assert!(strange.is_empty(), "{name}: {strange:?}");
        let number = |key: &str| ghz.get(key).and_then(serde_json::Value::as_u64).unwrap_or_default();
        assert!(number("rps") > 0 || number("load-end") > 0, "{name} has no end to its rate");
        assert!((1..=number("concurrency")).contains(&number("connections")), "{name}");
        assert_eq!((&ghz["duration"], &ghz["timeout"]), (&"15s".into(), &"60s".into()), "{name}");
        // Otherwise calls that are under way at the end count as failures of the server's.
        assert_eq!(ghz["duration-stop"], "wait", "{name}");
    }
}
