//! How the work grows with the length of what tenants write. One pass over an app holds a worker, and with it everybody's apps.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::EnvVar;
use k8s_openapi::api::core::v1::Pod;
use kube::core::PartialObjectMeta;
use serde_json::{Value, json};

use super::*;
use crate::desired::{Place, addition, covers};

/// Long enough that the time for so many is no noise.
const FEW: usize = 500;

/// How many times as many.
const TIMES: usize = 16;

/// Fails if the work grows with the square of the length. The time is the thread's own, so a busy machine makes no difference.
fn grows_with_the_length<T>(what: &str, prepare: impl Fn(usize) -> T, work: impl Fn(&T)) {
    let (few, many) = (prepare(FEW), prepare(FEW * TIMES));
    let time = |input: &T| {
        let start = used();
        work(input);
        used().saturating_sub(start)
    };
    let mut told = Vec::new();
    for _ in 0..5 {
        let (short, long) = ((0..3).map(|_| time(&few)).min().unwrap_or_default(), time(&many));
        told.push(format!("{FEW}: {short:?}, {}: {long:?}", FEW * TIMES));
        // As long: 16. Squared: 256.
        if long.as_secs_f64() < 64.0 * short.max(Duration::from_micros(20)).as_secs_f64() {
            println!("{what}: {}", told.join("; "));
            return;
        }
    }
    panic!("{what}: {}", told.join("; "));
}

/// How long this thread has run on a CPU; elsewhere than on Linux, the time that has passed.
fn used() -> Duration {
    // The kernel adds up a thread's time when it leaves the CPU.
    std::thread::sleep(Duration::from_micros(50));
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let on_cpu = stat.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    on_cpu.map_or_else(
        || {
            static START: LazyLock<Instant> = LazyLock::new(Instant::now);
            START.elapsed()
        },
        Duration::from_nanos,
    )
}

fn variables(count: usize) -> Vec<Value> {
    (0..count).map(|index| json!({ "name": format!("A{index:05}"), "value": "1" })).collect()
}

fn pods(env: &[Value], more: &Value) -> Value {
    json!({ "spec": { "template": { "spec": { "containers": [{ "name": "app", "env": env }], "volumes": more } } } })
}

fn app(count: usize) -> BlueGreenApp {
    serde_json::from_value(json!({
        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "metadata": { "name": "hello", "uid": "u" },
        "spec": {
            "active": "blue", "image": "example.com/hello", "blue": { "tag": "v1" }, "green": { "tag": "v2" }, "port": 8080,
            "template": { "spec": { "containers": [{ "name": "app", "env": variables(count) }] } },
        },
    }))
    .unwrap()
}

#[test]
fn a_list_is_compared_in_a_time_that_grows_with_its_length() {
    let volumes =
        |count| Value::from((0..count).map(|i| json!({ "name": format!("v{i}") })).collect::<Vec<_>>());
    let same = |count| (pods(&variables(count), &volumes(count)), pods(&variables(count), &volumes(count)));
    grows_with_the_length("in the same order", same, |(declared, live)| covers(declared, live).unwrap());
    let turned = |count| {
        let live: Vec<Value> = variables(count).into_iter().rev().collect();
        (pods(&variables(count), &json!([])), pods(&live, &json!([])))
    };
    grows_with_the_length("in another order", turned, |(declared, live)| covers(declared, live).unwrap());
}

#[test]
fn the_owners_of_a_long_list_are_looked_up_in_a_time_that_grows_with_it() {
    let owned = |count| {
        let items: serde_json::Map<String, Value> =
            (0..count).map(|i| (format!(r#"k:{{"name":"A{i:05}"}}"#), json!({ "f:name": {} }))).collect();
        let fields = json!({ "f:spec": { "f:template": { "f:spec": {
            "f:containers": { r#"k:{"name":"app"}"#: { "f:env": items } } } } } });
        let entries = json!([{ "manager": "other", "operation": "Update", "fieldsV1": fields }]);
        (serde_json::from_value::<Vec<_>>(entries).unwrap(), pods(&variables(count), &json!([])))
    };
    grows_with_the_length("as many owned", owned, |(entries, live)| {
        assert_eq!(addition(entries, Place::Template, live, live), None);
    });
    // Each owns one item of a list that is as long as there are owners.
    let owners = |count| {
        let entry = |i: usize| {
            let step = format!(r#"k:{{"name":"A{i:05}"}}"#);
            let fields = json!({ "f:spec": { "f:template": { "f:spec": {
                "f:containers": { r#"k:{"name":"app"}"#: { "f:env": { (step): { "f:name": {} } } } } } } } });
            json!({ "manager": format!("m{i}"), "operation": "Update", "fieldsV1": fields })
        };
        let entries: Vec<Value> = (0..count).map(entry).collect();
        (serde_json::from_value::<Vec<_>>(entries.into()).unwrap(), pods(&variables(count), &json!([])))
    };
    grows_with_the_length("as many owners", owners, |(entries, live)| {
        assert_eq!(addition(entries, Place::Template, live, live), None);
    });
}

#[test]
fn the_variables_of_a_color_are_added_in_a_time_that_grows_with_them() {
    let both = |count| {
        let mut app = app(count);
        let own = |i| EnvVar { name: format!("B{i}"), value: Some("1".into()), value_from: None };
        app.spec.blue.as_mut().unwrap().env = (0..count).map(own).collect();
        app
    };
    grows_with_the_length("rendered", both, |app| assert!(desired::render(app, Color::Blue).is_some()));
    grows_with_the_length("checked", app, |app| _ = validate::problems("hello", &app.spec));
}

/// All of one read: both Deployments as declared, and as many pods as variables.
#[test]
fn a_read_is_observed_in_a_time_that_grows_with_the_app() {
    let read = |count| {
        let mut seen = Snapshot::of(app(count));
        let slice = json!({
            "metadata": { "name": "s", "labels": {
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io" } },
            "addressType": "IPv4",
            "endpoints": (0..count).map(|i| json!({ "addresses": ["192.0.2.1"], "conditions": { "ready": true },
                "targetRef": { "kind": "Pod", "uid": format!("pod-{i}") } })).collect::<Vec<_>>(),
        });
        let slices = vec![Arc::new(serde_json::from_value(slice).unwrap())];
        let owner = |uid: &str| json!([{ "apiVersion": "v1", "kind": "x", "name": "x", "uid": uid, "controller": true }]);
        let pod = |i: usize| -> PartialObjectMeta<Pod> {
            let meta = json!({ "uid": format!("pod-{i}"), "ownerReferences": owner("set") });
            serde_json::from_value(json!({ "metadata": meta })).unwrap()
        };
        for color in Color::ALL {
            let rendered = desired::render(&seen.app, color).unwrap();
            let stored = desired::Stored { number: 1, rendered };
            let mut deployment = desired::deployment(&seen.app, color, &stored, 1, "x");
            deployment["metadata"]["uid"] = json!(color.as_str());
            *seen.deployments.get_mut(color) = Some(Arc::new(serde_json::from_value(deployment).unwrap()));
            let revision = desired::revision(&seen.app, color, 1, &stored.rendered);
            let revision: ControllerRevision = serde_json::from_value(revision).unwrap();
            seen.stored
                .get_mut(color)
                .extend(Snapshot::sort_revisions(&seen.app, [Arc::new(revision)]).get(color).iter().cloned());
            seen.color_slices.get_mut(color).clone_from(&slices);
            let set = json!({ "metadata": { "uid": "set", "ownerReferences": owner(color.as_str()),
                "labels": { (names::REVISION): "1" } } });
            *seen.proof.get_mut(color) = Some(Proof {
                replica_sets: vec![serde_json::from_value(set).unwrap()],
                pods: (0..count).map(pod).collect(),
            });
        }
        seen.live_slices = slices;
        seen
    };
    let token = Token { operator: "n/l".to_owned(), lease: "l".to_owned(), epoch: 1, attempt: 0 };
    grows_with_the_length("one read", read, |seen| {
        let facts = observe(seen, routing(seen, &token), &token, Held::default(), Timestamp::UNIX_EPOCH);
        assert!(facts.colors.blue.deployment.ours().is_some_and(|deployment| deployment.matches));
        assert!(endpoints(seen, Color::Blue).moved);
        _ = intent(&seen.app);
    });
}
