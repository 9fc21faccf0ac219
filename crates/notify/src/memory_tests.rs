use serde_json::{Value, json};

use super::*;
use crate::samples::{app, condition, entry};

fn kinds(found: &[Transition]) -> Vec<&str> {
    found.iter().map(|transition| transition.kind.as_str()).collect()
}

fn stalled(second: u32) -> Value {
    json!({"conditions": [condition("Stalled", "True", "InvalidSpec", second)]})
}

#[test]
fn of_what_was_before_the_start_nothing_is_told() {
    let mut memory = Memory::default();
    memory.list_begins();
    assert_eq!(memory.see(app(&json!({"history": [entry()]}))), []);
    memory.list_ends();
    assert_eq!(memory.see(app(&json!({"history": [entry()]}))), []);
    assert_eq!(kinds(&memory.see(app(&stalled(1)))), ["Stalled"]);
}

#[test]
fn an_app_that_is_created_later_is_told_from_its_first_status_on() {
    let mut memory = Memory::default();
    memory.list_begins();
    memory.list_ends();
    assert!(memory.is_empty());
    memory.see(app(&Value::Null));
    assert_eq!(kinds(&memory.see(app(&json!({"history": [entry()]})))), ["Switched"]);
}

#[test]
fn what_is_seen_again_in_an_older_version_is_not_told_again() {
    let mut memory = Memory::default();
    memory.see(app(&json!({})));
    let switched = json!({"history": [entry()]});
    assert_eq!(kinds(&memory.see(app(&switched))), ["Switched"]);
    // The API server was restored from a backup, or a list came from an old cache.
    memory.list_begins();
    assert_eq!(memory.see(app(&json!({}))), []);
    memory.list_ends();
    assert_eq!(memory.see(app(&switched)), []);
}

#[test]
fn another_app_of_the_same_name_has_a_baseline_of_its_own() {
    let mut memory = Memory::default();
    memory.see(app(&json!({})));
    let mut other = app(&json!({"history": [entry()]}));
    other.metadata.uid = Some("u-2".to_owned());
    assert_eq!(memory.see(other.clone()), []);
    memory.forget(other.metadata.namespace.as_deref(), other.metadata.name.as_deref());
    assert!(memory.is_empty());
}

#[test]
fn an_app_that_a_list_lacks_is_forgotten_and_one_that_cannot_be_read_is_not() {
    let mut memory = Memory::default();
    memory.see(app(&json!({})));
    memory.list_begins();
    memory.see_unreadable(Some("shop"), Some("hello"));
    memory.list_ends();
    assert_eq!(memory.len(), 1);
    assert_eq!(kinds(&memory.see(app(&stalled(1)))), ["Stalled"]);
    memory.list_begins();
    memory.list_ends();
    assert!(memory.is_empty());
}

#[test]
fn the_ids_that_are_remembered_are_bounded() {
    let mut memory = Memory::default();
    memory.see(app(&json!({})));
    for number in 0..IDS {
        let mut status = stalled(1);
        status["conditions"][0]["observedGeneration"] = json!(number);
        memory.see(app(&status));
        memory.see(app(&json!({})));
    }
    let known = memory.apps.values().next().unwrap();
    assert_eq!(known.told.len(), IDS);
}
