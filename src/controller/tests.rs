//! What do the watches keep, and whom do they tell?

use std::future::pending;
use std::time::Duration;

use bluegreen_client::careful::Careful;
use futures::stream;
use kube::ResourceExt;
use kube::client::Body;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};
use tower::service_fn;

use super::lead::forget_if_deleted;
use super::*;
use crate::health::HealthLimits;
use crate::metrics::Metrics;

pub(super) type Guarded = Careful<BlueGreenApp>;

pub(super) fn app(name: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
        "metadata": {"name": name, "namespace": "shop", "uid": uid,
            "managedFields": [{"manager": "kubectl", "operation": "Apply"}]},
        "spec": {"active": "blue", "image": "hello", "blue": {"tag": "v1"}, "port": 8080},
        "status": {"active": "blue", "conditions": [{"type": "Stalled", "status": "True", "reason": "Refused",
            "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
    })
}

pub(super) fn guarded(app: Value) -> Guarded {
    serde_json::from_str(&app.to_string()).unwrap()
}

/// Everything that a complete list of these apps delivers.
pub(super) fn listed(apps: &[Value]) -> Vec<Event<Guarded>> {
    let apps = apps.iter().cloned().map(guarded).map(Event::InitApply);
    [Event::Init].into_iter().chain(apps).chain([Event::InitDone]).collect()
}

/// The watches after these events, and the uids of the apps that they told the driver to forget.
async fn after(events: Vec<Event<Guarded>>) -> (Arc<Watches>, Vec<String>) {
    let (watches, writer) = Watches::new(Health::new(HealthLimits::default()));
    let forgotten: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = forgotten.clone();
    let _queue = watches.subscribe(Box::new(move |what| match what {
        Told::Deleted(app) => told.lock().unwrap().push(app.uid().unwrap()),
        Told::Hidden(_) => {}
    }));
    watches
        .clone()
        .follow_apps(stream::iter(events.into_iter().map(|event| Ok(Seen::Event(event)))), writer)
        .await;
    let forgotten = forgotten.lock().unwrap().clone();
    (watches, forgotten)
}

fn names_of(watches: &Watches) -> Vec<String> {
    watches.apps().iter().map(|app| app.name_any()).collect()
}

#[tokio::test]
async fn an_app_that_was_deleted_while_the_watch_was_down_is_forgotten() {
    let events = [listed(&[app("gone", "1"), app("kept", "2")]), listed(&[app("kept", "2")])].concat();
    let (watches, forgotten) = after(events).await;
    assert_eq!(forgotten, ["1"]);
    assert_eq!(names_of(&watches), ["kept"]);
}

#[tokio::test]
async fn an_app_that_was_created_again_while_the_watch_was_down_is_another_one() {
    let events = [listed(&[app("hello", "1")]), listed(&[app("hello", "2")])].concat();
    assert_eq!(after(events).await.1, ["1"]);
}

#[tokio::test]
async fn a_deleted_app_is_forgotten() {
    let events = [listed(&[app("gone", "1")]), vec![Event::Delete(guarded(app("gone", "1")))]].concat();
    let (watches, forgotten) = after(events).await;
    assert_eq!(forgotten, ["1"]);
    assert!(watches.apps().is_empty());
}

#[tokio::test]
async fn an_app_that_cannot_be_decoded_any_more_is_forgotten_when_it_is_deleted() {
    let mut unreadable = app("gone", "1");
    unreadable["spec"]["active"] = json!("purple");
    let events = [listed(&[app("gone", "1")]), vec![Event::Delete(guarded(unreadable))]].concat();
    let (watches, forgotten) = after(events).await;
    assert_eq!(forgotten, ["1"]);
    assert!(watches.apps().is_empty());
}

#[tokio::test]
async fn an_app_that_was_deleted_while_its_pass_ran_is_forgotten_after_it() {
    let (watches, _) = after(listed(&[app("kept", "2")])).await;
    let is_forgotten = |name: &str, uid: &str| {
        let mut forgotten = false;
        let app = serde_json::from_value(app(name, uid)).unwrap();
        forget_if_deleted(&watches.apps, &app, |_| forgotten = true);
        forgotten
    };
    assert!(!is_forgotten("kept", "2"));
    assert!(is_forgotten("gone", "1"));
    assert!(is_forgotten("kept", "1"), "an earlier app of that name");
}

/// The alert BlueGreenAppStalled would otherwise never end.
#[tokio::test]
async fn an_app_that_was_deleted_while_the_watch_was_down_leaves_no_series() {
    let (watches, writer) = Watches::new(Health::new(HealthLimits::default()));
    let metrics = Metrics::new("abc").unwrap();
    metrics.set_leader(true);
    let source = watches.clone();
    metrics.export_apps(move || source.apps()).unwrap();
    let (sender, events) = futures::channel::mpsc::unbounded();
    let following = tokio::spawn(watches.clone().follow_apps(events, writer));
    let send = |apps: &[Value]| {
        listed(apps).into_iter().for_each(|e| sender.unbounded_send(Ok(Seen::Event(e))).unwrap())
    };
    send(&[app("gone", "1")]);
    while watches.apps().is_empty() {
        tokio::task::yield_now().await;
    }
    let stalled = r#"bluegreenapp_condition{name="gone",namespace="shop",status="True",type="Stalled"} 1"#;
    assert!(metrics.render().unwrap().contains(stalled));
    send(&[]);
    drop(sender);
    following.await.unwrap();
    let text = metrics.render().unwrap();
    assert!(!text.contains(r#"name="gone""#), "{text}");
}

/// An empty list of them in a write resets them; without any, the API server keeps those that it has.
#[tokio::test]
async fn managed_fields_are_dropped_and_not_emptied() {
    let (watches, _) = after(listed(&[app("hello", "1")])).await;
    assert!(watches.apps().iter().all(|app| app.metadata.managed_fields.is_none()));
    let service = json!({"metadata": {
        "name": "hello", "namespace": "shop", "labels": {(names::APP): "hello"},
        "managedFields": [{"manager": "bluegreen-operator", "operation": "Apply"}],
    }});
    let service: Careful<Service> = serde_json::from_str(&service.to_string()).unwrap();
    watches.clone().follow(stream::iter([Ok(Seen::Event(Event::Apply(service)))]), |c| &c.services).await;
    let seen = watches.cache.snapshot(&watches.apps()[0]);
    assert_eq!(seen.service.unwrap().metadata.managed_fields, None);
}

/// Without this, the other watches would go on, the probes stay green, and this store never change again.
#[tokio::test]
async fn a_panic_in_one_watch_ends_the_work_and_names_the_kind() {
    let service = service_fn(|request: http::Request<Body>| async move {
        assert!(!request.uri().path().ends_with("/deployments"), "cannot decode this");
        pending::<Result<http::Response<Body>, std::convert::Infallible>>().await
    });
    let health = Health::new(HealthLimits::default());
    let (_watches, mut tasks) = Watches::start(&Client::new(service, "shop"), &Scope::default(), health);
    let ended = tasks.run_while_watching(tokio::time::sleep(Duration::from_secs(30))).await.unwrap_err();
    assert_eq!(ended.kind, "Deployment");
    assert!(ended.to_string().contains("cannot decode this"), "{ended}");
}
