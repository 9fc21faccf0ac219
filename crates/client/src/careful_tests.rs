//! Objects that Kubernetes accepts and that the types of this program can't hold.

use bluegreen_api::BlueGreenApp;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::ResourceExt;
use kube::core::{ObjectList, WatchEvent};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::*;

/// Go's last time. That of `jiff` is a day earlier.
const FAR: &str = r#""9999-12-31T23:59:59Z""#;

/// JSON that is nested this deep.
fn nested(depth: usize) -> String {
    format!("{}{{}}{}", r#"{"f:a":"#.repeat(depth), "}".repeat(depth))
}

/// One field manager's entry.
fn manager(time: &str, fields: &str) -> String {
    format!(
        r#"{{"manager":"x","operation":"Update","apiVersion":"v1","time":{time},"fieldsType":"FieldsV1","fieldsV1":{fields}}}"#
    )
}

/// An object of this name with more in its metadata and beside it.
fn object(name: &str, metadata: &str, rest: &str) -> String {
    format!(
        r#"{{"metadata":{{"name":"{name}","namespace":"shop","uid":"u-{name}","resourceVersion":"5","labels":{{"bluegreen.dev/app":"hello"}}{metadata}}}{rest}}}"#
    )
}

fn deployment(name: &str, template: &str) -> String {
    let rest = format!(
        r#","spec":{{"selector":{{}},"template":{{"metadata":{{{template}}},"spec":{{"containers":[]}}}}}}"#
    );
    object(name, "", &rest)
}

fn list<K: Readable + Clone + DeserializeOwned>(items: &[String]) -> Vec<Careful<K>> {
    let text =
        format!(r#"{{"kind":"List","metadata":{{"resourceVersion":"9"}},"items":[{}]}}"#, items.join(","));
    serde_json::from_str::<ObjectList<Careful<K>>>(&text).unwrap().items
}

fn watched<K: Readable + DeserializeOwned>(item: &str) -> Careful<K> {
    let text = format!(r#"{{"type":"MODIFIED","object":{item}}}"#);
    match serde_json::from_str::<WatchEvent<Careful<K>>>(&text).unwrap() {
        WatchEvent::Modified(object) => object,
        other => panic!("{other:?}"),
    }
}

/// The names of those that can be decoded, and of those that can't, in a list and, one by one, in a watch.
fn read<K: Readable + Clone + DeserializeOwned>(items: &[String]) -> (Vec<String>, Vec<String>) {
    let names = |all: Vec<Careful<K>>| {
        let (good, bad): (Vec<_>, Vec<_>) = all.into_iter().partition(|object| object.0.is_ok());
        let names = |all: Vec<Careful<K>>| all.iter().map(|o| o.meta().name.clone().unwrap()).collect();
        (names(good), names(bad))
    };
    let listed = names(list(items));
    assert_eq!(listed, names(items.iter().map(|item| watched(item)).collect()));
    listed
}

#[test]
fn field_managers_make_no_object_unreadable_whatever_they_hold() {
    let odd = [
        manager(FAR, "{}"),
        manager(r#""2025-01-01T00:00:00Z""#, &nested(125)),
        manager(r#""2025-01-01T00:00:00Z""#, &nested(9000)),
        manager("null", "null"),
        "{}".to_owned(),
    ];
    let metadata = format!(r#","managedFields":[{}]"#, odd.join(","));
    let spec = r#","spec":{"active":"blue","image":"a/b","blue":{"tag":"v1"},"port":8080}"#;
    for (rest, read) in [
        (spec, read::<BlueGreenApp> as fn(&[String]) -> _),
        ("", read::<Service>),
        ("", read::<Deployment>),
        (r#","revision":1"#, read::<ControllerRevision>),
        (r#","addressType":"IPv4","endpoints":[]"#, read::<EndpointSlice>),
        ("", read::<Pod>),
        ("", read::<PartialObjectMeta<Pod>>),
    ] {
        let items = [object("good", "", rest), object("odd", &metadata, rest)];
        assert_eq!(read(&items), (vec!["good".to_owned(), "odd".to_owned()], vec![]), "{rest}");
    }
}

#[test]
fn field_managers_are_kept_where_they_matter_as_far_as_they_can_be_held() {
    let fields = r#"{"f:spec":{"f:replicas":{}}}"#;
    let entries = [manager(FAR, fields), manager(r#""2025-01-01T00:00:00Z""#, &nested(100))];
    let metadata = format!(r#","managedFields":[{}]"#, entries.join(","));
    let kept =
        list::<Deployment>(&[object("odd", &metadata, "")]).remove(0).0.unwrap().managed_fields().to_vec();
    assert_eq!((kept[0].manager.as_deref(), &kept[0].time), (Some("x"), &None));
    assert_eq!(kept[0].fields_v1.as_ref().unwrap().0, json!({"f:spec": {"f:replicas": {}}}));
    assert!(kept[1].time.is_some());
    let mut depth = 0;
    let mut level = &kept[1].fields_v1.as_ref().unwrap().0;
    while let Some(below) = level.get("f:a") {
        (depth, level) = (depth + 1, below);
    }
    assert_eq!(depth, DEPTH);
    let pod = list::<Pod>(&[object("odd", &metadata, "")]).remove(0).0.unwrap();
    assert_eq!(pod.metadata.managed_fields, None);
    let plain = list::<Deployment>(&[object("good", "", "")]).remove(0).0.unwrap();
    assert_eq!(
        plain.metadata.managed_fields, None,
        "none, and not an empty list: in a write, that would reset them"
    );
}

#[test]
fn an_object_that_cannot_be_decoded_hides_no_other() {
    let template = format!(r#""creationTimestamp":{FAR}"#);
    let items = [deployment("good", ""), deployment("bad", &template), deployment("fine", "")];
    assert_eq!(read::<Deployment>(&items), (vec!["good".into(), "fine".into()], vec!["bad".into()]));
    let revision = |name: &str, data: &str| object(name, "", &format!(r#","revision":1,"data":{data}"#));
    let items = [revision("good", "{}"), revision("bad", &nested(200))];
    assert_eq!(read::<ControllerRevision>(&items), (vec!["good".into()], vec!["bad".into()]));
    let app = |name: &str, active: &str| {
        object(
            name,
            "",
            &format!(r#","spec":{{"active":"{active}","image":"a/b","blue":{{"tag":"v1"}},"port":8080}}"#),
        )
    };
    assert_eq!(read::<BlueGreenApp>(&[app("bad", "purple"), app("good", "blue")]).1, ["bad"]);
}

#[test]
fn a_stand_in_is_marked_and_says_which_object_it_stands_for() {
    let template = format!(r#""creationTimestamp":{FAR}"#);
    let stand_in = list::<Deployment>(&[deployment("bad", &template)]).remove(0).or_stand_in();
    let meta = &stand_in.metadata;
    assert_eq!(
        (
            meta.name.as_deref(),
            meta.namespace.as_deref(),
            meta.uid.as_deref(),
            meta.resource_version.as_deref()
        ),
        (Some("bad"), Some("shop"), Some("u-bad"), Some("5"))
    );
    assert_eq!(stand_in.labels()[names::APP], "hello");
    let why = &stand_in.annotations()[names::UNREADABLE];
    assert!(
        why.starts_with("spec.template.metadata.creationTimestamp: ") && !why.contains(" line "),
        "{why}"
    );
    assert_eq!(stand_in.spec, None);
}

/// A slice without endpoints would look as if its pods got no traffic any more.
#[test]
fn a_stand_in_for_a_slice_is_not_empty() {
    let slice = object("bad", "", r#","addressType":"IPv4","endpoints":"none""#);
    let stand_in = list::<EndpointSlice>(&[slice]).remove(0).or_stand_in();
    assert_eq!(stand_in.endpoints[0].target_ref.as_ref().unwrap().uid.as_deref(), Some("u-bad"));
}
