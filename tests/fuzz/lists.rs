//! Lists and watch events in which one object is not as the operator's types want it.

use arbitrary::{Result, Unstructured};
use bluegreen_api::BlueGreenApp;
use bluegreen_client::careful::{Careful, Readable};
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Resource;
use kube::core::{ObjectList, WatchEvent};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::objects::{Objects, anything, spoil};

/// Times that Kubernetes takes; the type that holds them here ends a day earlier than the last.
const TIMES: [&str; 4] =
    ["2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-30T22:00:00Z", "9999-12-31T23:59:59Z"];

/// The object under this name, with the metadata that every stored object has.
fn named(object: &Value, name: &str) -> Value {
    let mut named = object.clone();
    let metadata = &mut named["metadata"];
    metadata["name"] = json!(name);
    metadata["namespace"] = json!("shop");
    metadata["uid"] = json!(format!("uid-of-{name}"));
    metadata["resourceVersion"] = json!("7");
    named
}

/// The object with anything anywhere. The API server checks the types of the metadata, and not what field managers hold.
fn spoiled(u: &mut Unstructured<'_>, object: &Value) -> Result<Value> {
    let mut rest = object.clone();
    let mut metadata = rest.as_object_mut().and_then(|rest| rest.remove("metadata")).unwrap_or_default();
    for _ in 0..u.int_in_range(0..=4)? {
        spoil(u, &mut rest, 0)?;
    }
    if u.ratio(1, 2)? {
        let mut fields = json!({ "f:spec": anything(u, 3)? });
        for _ in 0..u.int_in_range(0..=2)? * 70 {
            fields = json!({ "f:a": fields });
        }
        let time = *u.choose(&TIMES)?;
        metadata["managedFields"] = json!([{"manager": "x", "operation": "Update", "apiVersion": "v1", "time": time,
            "fieldsType": "FieldsV1", "fieldsV1": fields}]);
    }
    // Each stored object is one, whatever is in it.
    let mut spoiled = if rest.is_object() { rest } else { json!({}) };
    spoiled["metadata"] = metadata;
    Ok(spoiled)
}

/// [`one_hides_no_other`] with an object of any of the kinds that are watched; `None` where there is none of that kind.
pub fn one_of_some_kind(u: &mut Unstructured<'_>, objects: &Objects) -> Result<Option<bool>> {
    let is_readable = match u.int_in_range(0..=5)? {
        0 => one_hides_no_other::<BlueGreenApp>(u, &objects.app)?,
        1 => one_hides_no_other::<Service>(u, &objects.service)?,
        2 => one_hides_no_other::<Deployment>(u, &objects.deployments.blue)?,
        3 => one_hides_no_other::<ControllerRevision>(u, &objects.revisions[0])?,
        4 => one_hides_no_other::<EndpointSlice>(u, &objects.live_slice)?,
        _ => match objects.jobs.first() {
            Some(job) => one_hides_no_other::<Job>(u, job)?,
            None => return Ok(None),
        },
    };
    Ok(Some(is_readable))
}

/// Puts a spoiled object between two others, into a list and into watch events. Returns whether it could be decoded.
///
/// # Panics
/// If it hides one of the others, or is nameless.
fn one_hides_no_other<K: Readable + Clone + DeserializeOwned>(
    u: &mut Unstructured<'_>,
    object: &Value,
) -> Result<bool> {
    let items = [named(object, "first"), spoiled(u, &named(object, "spoiled"))?, named(object, "last")];
    let list = json!({"kind": "List", "metadata": {"resourceVersion": "9"}, "items": items}).to_string();
    let list: ObjectList<Careful<K>> = serde_json::from_str(&list).unwrap();
    let named = |careful: &Careful<K>| careful.meta().name.clone().unwrap();
    assert_eq!(list.items.iter().map(named).collect::<Vec<_>>(), ["first", "spoiled", "last"]);
    assert!(list.items[0].0.is_ok() && list.items[2].0.is_ok(), "{items:?}");
    let readable = list.items[1].0.is_ok();
    for what in ["ADDED", "MODIFIED", "DELETED"] {
        // In this order, as the API server sends it.
        let event = format!(r#"{{"type":"{what}","object":{}}}"#, items[1]);
        let (WatchEvent::Added(seen) | WatchEvent::Modified(seen) | WatchEvent::Deleted(seen)) =
            serde_json::from_str::<WatchEvent<Careful<K>>>(&event).unwrap()
        else {
            panic!("{event}")
        };
        assert_eq!((named(&seen), seen.0.is_ok()), ("spoiled".to_owned(), readable), "{event}");
    }
    Ok(readable)
}
