//! What a stream is told of, and what stays.

use super::*;
use serde_json::json;

fn app(name: &str, phase: &str) -> Careful<BlueGreenApp> {
    Careful(Ok(serde_json::from_value(json!({
        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
        "metadata": {"name": name, "namespace": "shop", "generation": 1},
        "spec": {"active": "green", "image": "hello", "blue": {"tag": "1"}, "green": {"tag": "2"}, "replicas": 1, "port": 80},
        "status": {"phase": phase, "active": "green", "history": [{"from": "blue", "to": "green",
            "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z"}]},
    }))
    .unwrap()))
}

fn pod(name: &str, app: Option<&str>) -> Careful<Pod> {
    let labels = app.map(|app| json!({ (names::APP): app }));
    let pod = json!({"metadata": {"name": name, "namespace": "shop", "labels": labels}});
    Careful(Ok(serde_json::from_value(pod).unwrap()))
}

fn key(name: &str) -> Key {
    ("shop".to_owned(), name.to_owned())
}

fn changed(hub: &Hub, since: u64) -> Vec<String> {
    let mut names: Vec<String> = hub.news(since).apps.into_iter().map(|(_, name)| name).collect();
    names.sort();
    names
}

#[test]
fn a_stream_is_told_of_the_apps_that_have_changed_since_it_looked() {
    let (hub, none) = (Hub::default(), &mut Vec::new());
    for name in ["a", "b"] {
        hub.take(APPS, Event::Apply(app(name, "Stable")), none);
    }
    let seen = hub.news(0).version;
    assert_eq!((changed(&hub, 0), changed(&hub, seen)), (vec!["a".into(), "b".into()], Vec::<String>::new()));
    hub.take("pods", Event::Apply(pod("p", Some("b"))), &mut Vec::new());
    assert_eq!(changed(&hub, seen), ["b"]);
    hub.take(APPS, Event::Delete(app("a", "Stable")), none);
    assert_eq!(changed(&hub, seen), ["a", "b"]);
    assert!(hub.row(&key("a")).is_none() && hub.row(&key("b")).is_some());
}

#[test]
fn an_object_that_changes_its_app_or_is_gone_after_a_list_leaves_the_app() {
    let (hub, listed) = (Hub::default(), &mut Vec::new());
    let pods = |app: &str| hub.inner().held.get(&key(app)).map_or(0, |held| held.pods.len());
    for event in [Event::Init, Event::InitApply(pod("p", Some("a"))), Event::InitApply(pod("q", Some("a")))] {
        hub.take("pods", event, listed);
    }
    assert_eq!(pods("a"), 0, "not before the list is complete");
    hub.take("pods", Event::InitDone, listed);
    assert_eq!(pods("a"), 2);
    hub.take("pods", Event::Apply(pod("p", Some("b"))), listed);
    assert_eq!((pods("a"), pods("b")), (1, 1));
    hub.take("pods", Event::Apply(pod("p", None)), listed);
    assert_eq!(pods("b"), 0);
    for event in [Event::Init, Event::InitDone] {
        hub.take("pods", event, listed);
    }
    assert!(hub.inner().held.is_empty(), "nothing is left behind");
}

#[test]
fn a_drain_has_a_beginning_only_if_it_was_seen_to_begin() {
    let (hub, none) = (Hub::default(), &mut Vec::new());
    let seen = || {
        let picture = hub.picture(&key("a"), Timestamp::now()).unwrap().unwrap();
        picture.drain.map(|drain| drain.seen)
    };
    hub.take(APPS, Event::Apply(app("a", "Draining")), none);
    assert_eq!(seen(), Some(false));
    hub.take(APPS, Event::Apply(app("a", "Stable")), none);
    assert_eq!(seen(), None);
    for phase in ["Switching", "Draining", "Draining"] {
        hub.take(APPS, Event::Apply(app("a", phase)), none);
    }
    assert_eq!(seen(), Some(true));
}

#[test]
fn a_missing_right_is_told_and_taken_back_even_if_there_is_nothing_to_see() {
    let hub = Hub::default();
    let trouble = Trouble { kind: "pods".into(), denied: true, why: "no".into() };
    let before = hub.news(0).version;
    hub.trouble("pods", Some(trouble.clone()));
    let told = hub.news(0);
    assert_eq!(told.troubles, std::slice::from_ref(&trouble));
    assert!(told.version > before);
    hub.trouble("pods", Some(trouble));
    assert_eq!(hub.news(0).version, told.version, "the same again is no news");
    let stream = hub.subscribe();
    hub.take::<Pod>("pods", Event::Init, &mut Vec::new());
    assert!(hub.news(0).troubles.is_empty() && stream.has_changed().unwrap());
}
