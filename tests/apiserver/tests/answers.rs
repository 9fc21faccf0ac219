//! Does the server answer as Kubernetes does, as far as the operator depends on it?

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use bluegreen_apiserver::{Controllers, Fate, Fault, Kind, Server, Verb};
use futures::StreamExt;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{
    DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions, WatchEvent, WatchParams,
};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

fn services(server: &Server) -> Api<Service> {
    Api::namespaced(server.client(), "n")
}

fn service(version: Option<&str>, labels: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "a", "resourceVersion": version, "labels": labels },
        "spec": { "selector": { "x": "y" }, "ports": [{ "port": 80 }] },
    })
}

async fn apply(api: &Api<Service>, body: &Value) -> Result<Service, u16> {
    let params = PatchParams::apply("tester").force();
    api.patch("a", &params, &Patch::Apply(body)).await.map_err(|error| match error {
        kube::Error::Api(status) => status.code,
        other => panic!("{other}"),
    })
}

#[tokio::test]
async fn a_version_that_no_object_has_creates_only_and_a_stale_one_fails() {
    let server = Server::new("n");
    let api = services(&server);
    let first = apply(&api, &service(Some("1"), json!({}))).await.unwrap();
    assert!(first.spec.unwrap().cluster_ip.is_some(), "it is allocated");
    assert_eq!(apply(&api, &service(Some("1"), json!({}))).await.unwrap_err(), 409);

    let version = first.metadata.resource_version.unwrap();
    let second = apply(&api, &service(Some(&version), json!({ "l": "1" }))).await.unwrap();
    assert_eq!(apply(&api, &service(Some(&version), json!({}))).await.unwrap_err(), 409);
    let mut other = service(None, json!({}));
    other["metadata"]["uid"] = json!("another");
    assert_eq!(apply(&api, &other).await.unwrap_err(), 422);

    // A write that changes nothing leaves the version as it is; a label that is not declared any more goes.
    let same = apply(&api, &service(None, json!({ "l": "1" }))).await.unwrap();
    assert_eq!(same.resource_version(), second.resource_version());
    assert!(apply(&api, &service(None, json!({}))).await.unwrap().labels().is_empty());

    server.delete(Kind::Service, "a");
    assert_eq!(apply(&api, &other).await.unwrap_err(), 409, "a uid names an object that was");
}

#[tokio::test]
async fn a_deletion_names_the_very_object() {
    let server = Server::new("n");
    let api = services(&server);
    let created = apply(&api, &service(None, json!({}))).await.unwrap();
    let wrong = Preconditions { uid: created.uid(), resource_version: Some("1".to_owned()) };
    let params = |only| DeleteParams { preconditions: Some(only), ..DeleteParams::background() };
    assert!(api.delete("a", &params(wrong)).await.is_err());
    let right = Preconditions { uid: created.uid(), resource_version: created.resource_version() };
    api.delete("a", &params(right)).await.unwrap();
    assert!(api.get_opt("a").await.unwrap().is_none());
}

#[tokio::test]
async fn only_changes_of_the_spec_and_a_deployments_annotations_make_a_generation() {
    let server = Server::new("n");
    let template = json!({
        "metadata": { "labels": { "x": "y" } }, "spec": { "containers": [{ "name": "app", "image": "i:1" }] },
    });
    let spec = json!({ "selector": { "matchLabels": { "x": "y" } }, "template": template });
    server.create(Kind::Deployment, json!({ "metadata": { "name": "d" }, "spec": spec }));
    let generation =
        |patch: Value| server.patch(Kind::Deployment, "d", &patch)["metadata"]["generation"].clone();
    assert_eq!(generation(json!({ "metadata": { "labels": { "l": "1" } } })), 1);
    assert_eq!(generation(json!({ "status": { "replicas": 1 } })), 1);
    assert_eq!(generation(json!({ "spec": { "replicas": 3 } })), 2);
    assert_eq!(generation(json!({ "metadata": { "annotations": { "a": "1" } } })), 3);
}

#[tokio::test]
async fn lists_select_by_label_and_may_be_of_metadata_alone() {
    let server = Server::new("n");
    for (name, color) in [("a", "blue"), ("b", "green"), ("c", "red")] {
        let metadata = json!({ "name": name, "labels": { "color": color } });
        server.create(Kind::Pod, json!({ "metadata": metadata, "spec": { "containers": [] } }));
    }
    let api: Api<Pod> = Api::namespaced(server.client(), "n");
    let names = async |selector: &str| -> Vec<String> {
        let pods = api.list_metadata(&ListParams::default().labels(selector)).await.unwrap();
        pods.items.iter().map(ResourceExt::name_any).collect()
    };
    assert_eq!(names("color in (blue,green)").await, ["a", "b"]);
    assert_eq!(names("color=red").await, ["c"]);
    assert_eq!(names("color").await, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_watch_tells_what_enters_and_leaves_its_selection_and_ends_with_410() {
    let server = Server::new("n");
    let api = services(&server);
    let params = WatchParams::default().labels("watched=yes").timeout(60);
    let mut stream = api.watch(&params, "0").await.unwrap().boxed();
    let create = json!({ "metadata": { "name": "a", "labels": { "watched": "yes" } }, "spec": {} });
    server.create(Kind::Service, create);
    server.patch(Kind::Service, "a", &json!({ "metadata": { "annotations": { "a": "1" } } }));
    server.patch(Kind::Service, "a", &json!({ "metadata": { "labels": { "watched": "no" } } }));
    server.bookmark();
    server.expire_watches();
    let mut told = Vec::new();
    while let Some(Ok(event)) = stream.next().await {
        told.push(match event {
            WatchEvent::Added(_) => "added".to_owned(),
            WatchEvent::Modified(_) => "modified".to_owned(),
            WatchEvent::Deleted(_) => "deleted".to_owned(),
            WatchEvent::Bookmark(_) => "bookmark".to_owned(),
            WatchEvent::Error(status) => status.code.to_string(),
        });
    }
    assert_eq!(told, ["added", "modified", "deleted", "bookmark", "410"]);
    // From before the end, a watch can't begin any more.
    let mut stream = api.watch(&params, "100").await.unwrap().boxed();
    assert!(matches!(stream.next().await, Some(Ok(WatchEvent::Error(status))) if status.code == 410));
}

#[tokio::test]
async fn faults_refuse_lose_and_delay() {
    let server = Server::new("n");
    let api = services(&server);
    let faults = [Some(Fault::answer(503, "busy")), Some(Fault::LoseAnswer), Some(Fault::Late), None];
    let mut next = faults.into_iter();
    server.fault(move |request| if request.verb == Verb::Apply { next.next().flatten() } else { None });
    let params = PatchParams::apply("tester").force();
    let attempt = async |label: &str| {
        let body = service(None, json!({ "l": label }));
        api.patch("a", &params, &Patch::Apply(&body)).await.is_ok()
    };
    let label = || server.get(Kind::Service, "a").map(|object| object["metadata"]["labels"]["l"].clone());
    assert!(!attempt("1").await && label().is_none());
    assert!(!attempt("2").await && label() == Some(json!("2")));
    assert!(!attempt("3").await && label() == Some(json!("2")));
    assert_eq!(server.deliver_late(), [200]);
    assert_eq!(label(), Some(json!("3")));
    assert!(attempt("4").await);
    let fates: Vec<Fate> = server.log().iter().map(|logged| logged.fate).collect();
    assert_eq!(fates, [Fate::Answered(503), Fate::Lost(201), Fate::Postponed, Fate::Answered(200)]);
}

#[tokio::test]
async fn a_rollout_takes_the_steps_that_the_test_allows_and_garbage_is_collected() {
    let server = Server::new("n");
    let mut controllers = Controllers::new(&server);
    let template = |image: &str| json!({ "metadata": { "labels": { "x": "y" } }, "spec": { "containers": [{ "name": "app", "image": image }] } });
    let spec = json!({
        "replicas": 2, "selector": { "matchLabels": { "x": "y" } }, "template": template("i:1"),
        "strategy": { "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } },
    });
    server.create(Kind::Deployment, json!({ "metadata": { "name": "d" }, "spec": spec }));
    let counts = || {
        let status = server.get(Kind::Deployment, "d").unwrap()["status"].clone();
        ["replicas", "updatedReplicas", "availableReplicas"].map(|key| status[key].as_u64().unwrap())
    };
    controllers.step();
    assert_eq!(counts(), [2, 2, 2]);
    server.patch(Kind::Deployment, "d", &json!({ "spec": { "template": template("i:2") } }));
    controllers.ready("d", 0);
    controllers.step();
    assert_eq!(counts(), [3, 1, 2], "one more, and none is taken away before it is ready");
    controllers.heal("d");
    for _ in 0..3 {
        controllers.step();
    }
    assert_eq!(counts(), [2, 2, 2]);
    let sets: Api<ReplicaSet> = Api::namespaced(server.client(), "n");
    assert_eq!(sets.list(&ListParams::default()).await.unwrap().items.len(), 2);

    let api: Api<Deployment> = Api::namespaced(server.client(), "n");
    api.delete("d", &DeleteParams::background()).await.unwrap();
    controllers.step();
    assert!(server.all(Kind::ReplicaSet).is_empty() && server.all(Kind::Pod).is_empty());
}

#[tokio::test]
async fn an_event_that_is_too_long_is_refused() {
    let server = Server::new("n");
    let resource = kube::api::ApiResource::erase::<k8s_openapi::api::events::v1::Event>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(server.client(), "n", &resource);
    for (bytes, code) in [(1024, None), (1025, Some(422))] {
        let event = json!({ "metadata": { "name": format!("e-{bytes}") }, "note": "x".repeat(bytes) });
        let event: DynamicObject = serde_json::from_value(event).unwrap();
        let answer = api.create(&Default::default(), &event).await;
        let refused = match answer {
            Ok(_) => None,
            Err(kube::Error::Api(status)) => Some(status.code),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(refused, code, "{bytes} bytes");
    }
}
