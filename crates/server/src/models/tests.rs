use std::fs;
use std::thread::scope;

use tonic::Code;
use unmask_protocol::v1::ModelSelector;

use super::testing::{Planting, cost, onnx, until, write};
use super::*;
use crate::identity::Identity;

/// Whoever may use every model.
fn anyone() -> Arc<Tenant> {
    Identity::default().tenant
}

/// The digest that answers, or the code and words of the refusal.
fn digest(models: &Models, name: &str, version: &str) -> Result<String, (Code, String)> {
    let selector = ModelSelector { name: name.into(), version: version.into() };
    let found = models.find(Some(&selector), &anyone()).map(|served| served.spec().digest.clone());
    found.map_err(|e| (crate::error::code(&e), e.to_string()))
}

/// Every version as it is listed.
fn listed(models: &Models) -> Vec<String> {
    models.all(|l| {
        let state = match l.state {
            State::Loaded(_) => "loaded",
            State::NotLoaded(_) => "not loaded",
            State::Refused => "refused",
        };
        let default = if l.is_default { " (default)" } else { "" };
        let reason = if l.reason.is_empty() { "" } else { " with a reason" };
        format!("{}@{} {state}{default}{reason}", l.name, l.version)
    })
}

fn reason(models: &Models, version: &str) -> String {
    models.all(|l| (l.version == version).then(|| l.reason.to_owned())).into_iter().flatten().collect()
}

#[test]
fn a_new_version_serves_after_a_look_and_one_that_is_removed_does_not() {
    let planting = Planting::new(&[]);
    let one = planting.write("m", "1", "one");
    let models = planting.models();
    assert_eq!(digest(&models, "", "").unwrap(), one);
    let two = planting.write("m", "2", "two");
    assert_eq!(digest(&models, "", "").unwrap(), one, "nobody has looked yet");
    models.rescan();
    assert_eq!(digest(&models, "", "").unwrap(), two);
    assert_eq!(digest(&models, "m", "1").unwrap(), one);
    assert_eq!(listed(&models), ["m@2 loaded (default)", "m@1 loaded"]);
    fs::remove_dir_all(planting.at("m/2")).unwrap();
    models.rescan();
    assert_eq!(digest(&models, "", "").unwrap(), one);
    let (code, words) = digest(&models, "m", "2").unwrap_err();
    assert_eq!(code, Code::NotFound);
    assert!(words.contains("got \"2\", served versions of m are 1"), "{words}");
}

#[test]
fn what_has_not_changed_is_not_loaded_again_not_even_when_it_was_touched() {
    let planting = Planting::new(&[]);
    planting.write("m", "1", "one");
    let bad = planting.write("n", "1", "bad");
    planting.break_(&bad);
    let models = planting.models();
    assert_eq!(planting.loads().len(), 2);
    models.rescan();
    assert_eq!(planting.loads(), [""; 0]);
    planting.write("m", "1", "one");
    fs::write(planting.at("m/1/card.md"), "a card").unwrap();
    models.rescan();
    assert_eq!(planting.loads(), [""; 0], "the same bytes again");
    planting.write("n", "1", "bad");
    models.rescan();
    assert_eq!(planting.loads(), [bad], "a refusal is tried again when its files were touched");
}

#[test]
fn other_bytes_take_the_place_of_a_version_and_bad_ones_leave_the_old_ones_serving() {
    let planting = Planting::new(&[]);
    let one = planting.write("m", "1", "one");
    let models = planting.models();
    let bad = planting.write("m", "1", "two");
    planting.break_(&bad);
    models.rescan();
    assert_eq!(digest(&models, "m", "1").unwrap(), one);
    assert_eq!(listed(&models), ["m@1 loaded (default) with a reason"]);
    assert_eq!(reason(&models, "1"), "planted to fail");
    fs::write(planting.at("m/1/model.onnx"), b"half a copy").unwrap();
    models.rescan();
    assert_eq!(digest(&models, "m", "1").unwrap(), one);
    assert!(reason(&models, "1").contains("has SHA-256"), "{}", reason(&models, "1"));
    let three = planting.write("m", "1", "three");
    models.rescan();
    assert_eq!(digest(&models, "m", "1").unwrap(), three);
    assert_eq!(listed(&models), ["m@1 loaded (default)"]);
}

#[test]
fn a_bad_new_version_is_listed_with_its_reason_and_the_last_good_one_goes_on() {
    let planting = Planting::new(&[]);
    let one = planting.write("m", "1", "one");
    let models = planting.models();
    let two = planting.write("m", "2", "two");
    planting.break_(&two);
    models.rescan();
    assert_eq!(digest(&models, "m", "").unwrap(), one);
    assert_eq!(listed(&models), ["m@2 refused with a reason", "m@1 loaded (default)"]);
    assert_eq!(digest(&models, "m", "2").unwrap_err().0, Code::NotFound);
}

#[test]
fn a_half_copied_bundle_is_tried_again_when_more_of_it_is_there() {
    let planting = Planting::new(&[]);
    let one = planting.write("m", "1", "one");
    let models = planting.models();
    let two = write(&planting.at(".copy"), "m", "2", "two");
    fs::create_dir(planting.at("m/2")).unwrap();
    for file in ["model.toml", "golden.npy"] {
        fs::copy(planting.at(".copy/m/2").join(file), planting.at("m/2").join(file)).unwrap();
        models.rescan();
        assert!(reason(&models, "2").contains("model.onnx is missing"), "{}", reason(&models, "2"));
        assert_eq!(digest(&models, "m", "").unwrap(), one);
    }
    let whole = onnx("two");
    fs::write(planting.at("m/2/model.onnx"), &whole[..20]).unwrap();
    models.rescan();
    assert!(reason(&models, "2").contains("has SHA-256"), "{}", reason(&models, "2"));
    fs::write(planting.at("m/2/model.onnx"), whole).unwrap();
    models.rescan();
    assert_eq!(digest(&models, "m", "").unwrap(), two);
}

#[test]
fn whoever_holds_a_version_keeps_it_and_it_is_closed_when_the_last_has_let_go() {
    let planting = Planting::new(&[]);
    planting.write("m", "1", "one");
    let models = planting.models();
    let watching = planting.watched(&models);
    let held = models.find(None, &anyone()).unwrap();
    let two = planting.write("m", "1", "two");
    models.rescan();
    assert_eq!(digest(&models, "m", "").unwrap(), two);
    assert!(held.is_ready() && Arc::strong_count(&held) == 2, "the shelf holds it too, so that it closes it");
    let gone = Arc::downgrade(&held);
    drop(held);
    until(|| gone.strong_count() == 0);
    drop(watching);
}

#[test]
fn the_names_default_is_settled_at_the_start_and_may_vanish() {
    let planting = Planting::new(&[]);
    let one = planting.write("m", "1", "one");
    let models = planting.models();
    planting.write("n", "1", "two");
    models.rescan();
    assert_eq!(digest(&models, "", "").unwrap(), one, "a second name takes nothing away");
    fs::remove_dir_all(planting.at("m")).unwrap();
    models.rescan();
    let (code, words) = digest(&models, "", "").unwrap_err();
    assert_eq!((code, words.as_str()), (Code::NotFound, "model.name: got \"m\", served are n"));
}

#[test]
fn a_directory_that_cannot_be_read_changes_nothing() {
    let planting = Planting::new(&[]);
    let one = planting.write("m", "1", "one");
    let models = planting.models();
    planting.write("n", "1", "two");
    fs::rename(planting.at("m"), planting.at(".m")).unwrap();
    let (root, away) = (planting.root.path().to_owned(), planting.root.path().with_extension("away"));
    fs::rename(&root, &away).unwrap();
    models.rescan();
    assert_eq!(digest(&models, "m", "").unwrap(), one);
    fs::rename(&away, &root).unwrap();
    models.rescan();
    assert_eq!(digest(&models, "m", "").unwrap_err().0, Code::NotFound);
}

#[test]
fn a_directory_without_any_bundle_left_changes_nothing() {
    let planting = Planting::new(&[]);
    let one = planting.write("m", "1", "one");
    let models = planting.models();
    fs::rename(planting.at("m"), planting.at(".m")).unwrap();
    models.rescan();
    assert_eq!(digest(&models, "m", "").unwrap(), one);
    // It is back as it was, and nothing is loaded for that.
    fs::rename(planting.at(".m"), planting.at("m")).unwrap();
    models.rescan();
    assert_eq!((digest(&models, "m", "").unwrap(), planting.loads().len()), (one, 1));
}

#[test]
fn a_name_that_cannot_be_listed_for_once_loses_nothing() {
    let planting = Planting::new(&[]);
    let one = planting.write("m", "1", "one");
    let models = planting.models();
    // A directory that not even root can list: the network of a process that has ended and was not waited for.
    let mut ended = std::process::Command::new("true").spawn().unwrap();
    let unlisted = format!("/proc/{}/net", ended.id());
    until(|| fs::read_dir(&unlisted).and_then(Iterator::collect::<Result<Vec<_>, _>>).is_err());
    fs::rename(planting.at("m"), planting.at(".m")).unwrap();
    std::os::unix::fs::symlink(&unlisted, planting.at("m")).unwrap();
    for _ in 0..2 {
        models.rescan();
        assert_eq!(digest(&models, "m", "").unwrap(), one);
        assert_eq!(listed(&models), ["m@1 loaded (default)", "m@ refused with a reason"]);
    }
    fs::remove_file(planting.at("m")).unwrap();
    fs::rename(planting.at(".m"), planting.at("m")).unwrap();
    models.rescan();
    assert_eq!(listed(&models), ["m@1 loaded (default)"]);
    ended.wait().unwrap();
}

#[test]
fn of_a_pinned_name_nothing_else_is_loaded() {
    let planting = Planting::new(&[("models.pinned", "m@1")]);
    let one = planting.write("m", "1", "one");
    planting.write("m", "2", "two");
    let models = planting.models();
    assert_eq!(planting.loads(), [one.as_str()]);
    assert_eq!(digest(&models, "", "").unwrap(), one);
    let (code, words) = digest(&models, "m", "2").unwrap_err();
    assert_eq!(code, Code::NotFound);
    assert!(words.ends_with("served versions of m are 1"), "{words}");
}

#[test]
fn a_model_has_the_workers_that_it_is_given() {
    let planting = Planting::new(&[("models.workers.m-n", "5")]);
    planting.write("m-n", "1", "one");
    planting.write("n", "1", "two");
    let models = planting.models();
    let workers = |name: &str| {
        models
            .find(Some(&ModelSelector { name: name.into(), version: String::new() }), &anyone())
            .unwrap()
            .workers()
            .1
    };
    assert_eq!((workers("m-n"), workers("n")), (5, 2));
}

/// Three models of one size, of which so many fit, all known and none loaded.
fn budget(models: u64) -> Planting {
    let planting =
        Planting::new(&[("models.memory_bytes", &(models * cost("a")).to_string()), ("models.default", "a")]);
    for name in ["a", "b", "c"] {
        planting.write(name, "1", name);
    }
    planting
}

#[test]
fn with_a_budget_nothing_is_loaded_before_it_is_asked_for() {
    let planting = budget(2);
    let models = planting.models();
    assert_eq!(planting.loads(), [""; 0]);
    assert_eq!(listed(&models), ["a@1 not loaded (default)", "b@1 not loaded", "c@1 not loaded"]);
    let a = digest(&models, "", "").unwrap();
    assert_eq!(planting.loads(), [a]);
    assert_eq!(listed(&models)[0], "a@1 loaded (default)");
}

#[test]
fn the_one_that_was_used_least_recently_makes_room() {
    let planting = budget(2);
    let models = planting.models();
    for name in ["a", "b", "a", "c"] {
        digest(&models, name, "").unwrap();
    }
    assert_eq!(listed(&models), ["a@1 loaded (default)", "b@1 not loaded", "c@1 loaded"]);
    digest(&models, "b", "").unwrap();
    assert_eq!(listed(&models), ["a@1 not loaded (default)", "b@1 loaded", "c@1 loaded"]);
}

#[test]
fn one_that_is_held_is_not_unloaded_and_a_server_without_room_says_when_to_come_again() {
    let planting = budget(1);
    let models = planting.models();
    let held = models.find(None, &anyone()).unwrap();
    let selector = ModelSelector { name: "b".into(), version: String::new() };
    let status = models.find(Some(&selector), &anyone()).err().unwrap().status("");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(tonic_types::StatusExt::get_error_details(&status).retry_info().is_some());
    assert!(held.is_ready());
    drop(held);
    assert!(models.find(Some(&selector), &anyone()).is_ok());
    assert_eq!(listed(&models), ["a@1 not loaded (default)", "b@1 loaded", "c@1 not loaded"]);
}

#[test]
fn nothing_is_unloaded_where_that_would_not_be_enough() {
    let large = "l".repeat(60);
    let planting = Planting::new(&[
        ("models.memory_bytes", &(2 * cost("a")).to_string()),
        ("models.workers.l", "4"),
        ("models.default", "a"),
    ]);
    for name in ["a", "b"] {
        planting.write(name, "1", name);
    }
    let models = planting.models();
    planting.write("l", "1", "l");
    models.rescan();
    let held = models.find(None, &anyone()).unwrap();
    digest(&models, "b", "").unwrap();
    assert_eq!(digest(&models, "l", "").unwrap_err().0, Code::ResourceExhausted);
    assert_eq!(listed(&models)[1], "b@1 loaded");
    drop(held);
    digest(&models, "l", "").unwrap();
    // A file that no budget can hold is refused before anybody asks for it.
    planting.write("l", "2", &large);
    models.rescan();
    assert!(reason(&models, "2").contains("models.memory_bytes is"), "{:?}", listed(&models));
}

#[test]
fn a_budget_too_small_for_any_model_does_not_start() {
    let planting = Planting::new(&[("models.memory_bytes", &(cost("one") - 1).to_string())]);
    planting.write("m", "1", "one");
    let error = planting.open().err().unwrap().to_string();
    assert!(error.contains(&format!("it needs about {} bytes", cost("one"))), "{error}");
}

#[test]
fn who_asks_for_a_model_while_it_is_loaded_gets_the_same_one() {
    let planting = budget(1);
    let models = planting.models();
    scope(|scope| {
        let gate = planting.shut();
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(|| models.find(None, &anyone()).unwrap())).collect();
        until(|| planting.begun() == 1);
        drop(gate);
        let found: Vec<_> = asking.into_iter().map(|one| one.join().unwrap()).collect();
        assert!(found.iter().all(|one| Arc::ptr_eq(one, &found[0])));
    });
    assert_eq!(planting.begun(), 1);
}

#[test]
fn a_load_that_fails_is_told_to_all_who_wait_and_not_tried_again() {
    let planting = budget(1);
    let a = unmask_registry::sha256(&onnx("a"));
    planting.break_(&a);
    let models = planting.models();
    scope(|scope| {
        let gate = planting.shut();
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(|| digest(&models, "a", "1"))).collect();
        until(|| planting.begun() == 1);
        drop(gate);
        for one in asking {
            let (code, words) = one.join().unwrap().unwrap_err();
            assert_eq!(code, Code::NotFound);
            assert!(
                words.contains("planted to fail") || words.contains("GetModel has the reason"),
                "{words}"
            );
        }
    });
    assert_eq!(planting.begun(), 1);
    assert_eq!(listed(&models)[0], "a@1 refused with a reason");
    // It may have been the machine's fault: the same files are tried again when they were touched.
    planting.mend(&a);
    planting.write("a", "1", "a");
    models.rescan();
    assert_eq!(digest(&models, "a", "").unwrap(), a);
}

#[test]
fn a_request_without_a_version_gets_the_next_one_where_the_latest_cannot_be_loaded() {
    let planting = budget(2);
    let two = planting.write("a", "2", "z");
    planting.break_(&two);
    let models = planting.models();
    assert_eq!(digest(&models, "a", "").unwrap(), unmask_registry::sha256(&onnx("a")));
    assert_eq!(planting.begun(), 2);
    digest(&models, "a", "").unwrap();
    assert_eq!(planting.begun(), 2);
}

#[test]
fn files_that_changed_since_they_were_verified_are_verified_before_they_are_loaded() {
    let planting = budget(2);
    let models = planting.models();
    let other = planting.write("a", "1", "z");
    assert_eq!(digest(&models, "a", "").unwrap(), other, "no look came between");
    assert_eq!(planting.loads(), [other]);
    models.rescan();
    assert_eq!(planting.loads(), [""; 0], "what was loaded is what is known");
    fs::remove_dir_all(planting.at("b")).unwrap();
    assert_eq!(digest(&models, "b", "").unwrap_err().0, Code::NotFound);
}

#[test]
fn with_a_budget_loaded_files_are_replaced_by_ones_that_have_proved_themselves() {
    let planting = budget(2);
    let models = planting.models();
    let a = digest(&models, "a", "").unwrap();
    let bad = planting.write("a", "1", "y");
    planting.break_(&bad);
    models.rescan();
    assert_eq!(digest(&models, "a", "").unwrap(), a);
    // What could not be loaded again is not unloaded for others.
    for name in ["b", "c", "b"] {
        digest(&models, name, "").unwrap();
    }
    assert_eq!(listed(&models)[0], "a@1 loaded (default) with a reason");
    let good = planting.write("a", "1", "z");
    models.rescan();
    assert_eq!(digest(&models, "a", "").unwrap(), good);
}

#[test]
fn where_there_is_never_room_for_both_new_files_stand_without_a_proof() {
    let planting = budget(1);
    let models = planting.models();
    let held = models.find(None, &anyone()).unwrap();
    let other = planting.write("a", "1", "z");
    models.rescan();
    assert_eq!(listed(&models)[0], "a@1 not loaded (default)");
    assert_eq!(digest(&models, "a", "").unwrap_err().0, Code::ResourceExhausted, "the old ones are in use");
    drop(held);
    assert_eq!(digest(&models, "a", "").unwrap(), other);
}

#[test]
fn a_panic_while_a_model_is_loaded_is_its_refusal_and_leaves_nobody_waiting() {
    let planting = budget(1);
    planting.panic_at(&unmask_registry::sha256(&onnx("a")));
    let models = planting.models();
    let (_, words) = digest(&models, "a", "1").unwrap_err();
    assert!(words.contains("loading it panicked"), "{words}");
    assert!(digest(&models, "a", "1").is_err());
    digest(&models, "b", "").unwrap();
}

#[test]
fn a_replacement_that_finds_no_room_for_its_proof_is_tried_at_the_next_look() {
    let planting = budget(2);
    let models = planting.models();
    let a = digest(&models, "a", "").unwrap();
    let held =
        models.find(Some(&ModelSelector { name: "b".into(), version: String::new() }), &anyone()).unwrap();
    let other = planting.write("a", "1", "z");
    models.rescan();
    assert_eq!(digest(&models, "a", "").unwrap(), a);
    assert!(reason(&models, "1").contains("no room to try"), "{:?}", listed(&models));
    drop(held);
    models.rescan();
    assert_eq!(digest(&models, "a", "").unwrap(), other);
}

#[test]
fn a_volume_whose_link_is_put_in_anothers_place_is_seen_by_looking_now_and_then() {
    let planting = Planting::new(&[("models.watch", "false"), ("models.poll_seconds", "1")]);
    let link = |of: &str| {
        std::os::unix::fs::symlink(of, planting.at("..new")).unwrap();
        fs::rename(planting.at("..new"), planting.at("..data")).unwrap();
    };
    let one = write(&planting.at("..1"), "m", "1", "one");
    let two = write(&planting.at("..2"), "m", "1", "two");
    link("..1");
    std::os::unix::fs::symlink("..data/m", planting.at("m")).unwrap();
    let models = planting.models();
    let _watching = planting.watched(&models);
    assert_eq!(digest(&models, "m", "").unwrap(), one);
    link("..2");
    until(|| digest(&models, "m", "").unwrap() == two);
}

#[test]
fn a_change_that_the_file_system_tells_of_is_seen_without_looking_now_and_then() {
    let planting = Planting::new(&[("models.poll_seconds", "0")]);
    planting.write("m", "1", "one");
    let models = planting.models();
    let _watching = planting.watched(&models);
    let two = planting.write("m", "2", "two");
    until(|| digest(&models, "m", "").unwrap() == two);
    // A bundle in a directory that is new itself.
    let three = planting.write("m", "3", "three");
    until(|| digest(&models, "m", "").unwrap() == three);
}
