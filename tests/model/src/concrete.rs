//! The objects of the model as Kubernetes would show them: what `observe` makes of those must be the facts that the
//! model plans on. So the model's idea of an object can't drift from what the operator reads in it.

use std::sync::Arc;
use std::time::Duration;

use bluegreen_api::{BlueGreenApp, Color, PerColor};
use bluegreen_core::desired::{self, LiveService, Rendered, names};
use bluegreen_core::fence;
use bluegreen_core::observe::{self, Held, Proof, Snapshot};
use bluegreen_core::plan::{Child, Observed, Selection};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::objects::{App, FOREIGN, Kept, Listed, Objects, Token};
use crate::sample::looks;
use crate::world::Controller;
use crate::{Bounds, Guards, Idle, facts};

const GENERATION: i64 = 7;
const LEASE: &str = "0a1b2c3d";

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_000_000)
}

/// When something began that is long over, or has just begun.
fn began(long_ago: bool) -> String {
    let time = if long_ago { now() - SignedDuration::from_secs(60) } else { now() };
    time.to_string()
}

fn object<T: DeserializeOwned>(mut body: Value, metadata: Value) -> T {
    for (key, value) in metadata.as_object().unwrap() {
        body["metadata"][key] = value.clone();
    }
    serde_json::from_value(body).unwrap()
}

fn token(token: Token) -> String {
    format!("{LEASE}.{}.{}", token.epoch, token.attempt)
}

fn app(app: &App) -> BlueGreenApp {
    let color = |served: u8| {
        (served > 0).then(|| json!({ "servedRevision": served, "image": "", "revision": 0, "replicas": 0, "readyReplicas": 0, "endpoints": 0 }))
    };
    let condition = json!({
        "type": "Reconciling", "status": "True", "reason": "Switching", "message": "", "lastTransitionTime": began(true),
    });
    let left = |color: Color| {
        (!app.left_long_ago.get(color)).then(|| {
            json!({ "from": color, "to": color.other(), "image": "", "revision": 1, "generation": 1,
                    "startedAt": began(false), "finishedAt": began(false) })
        })
    };
    let status = app.status.written.then(|| {
        json!({
            "observedGeneration": if app.status.observed { GENERATION } else { GENERATION - 1 },
            "active": app.status.active,
            "blue": color(app.status.served.blue), "green": color(app.status.served.green),
            "switch": app.status.switch.map(|(from, to)| json!({ "from": from, "to": to, "startedAt": began(true) })),
            "history": Color::ALL.into_iter().filter_map(left).collect::<Vec<_>>(),
            "conditions": if app.status.settled { vec![] } else { vec![condition] },
            "desiredHealthy": (app.status.healthy > 0).then_some(app.status.healthy),
        })
    });
    let block =
        |color: Color| app.present.get(color).then(|| json!({ "tag": format!("v{}", app.tags.get(color)) }));
    let object = json!({
        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
        "metadata": { "name": "hello", "namespace": "n", "uid": "app", "generation": GENERATION },
        "spec": {
            "active": app.active, "paused": app.paused, "image": "team/hello", "port": 8080,
            "blue": block(Color::Blue), "green": block(Color::Green), "replicas": app.replicas,
            "activeUpdatePolicy": if app.rolling { "RollingUpdate" } else { "Freeze" },
            "template": { "metadata": { "annotations": { "shared": app.shared.to_string() } } },
        },
        "status": status.unwrap_or(Value::Null),
    });
    serde_json::from_value(object).unwrap()
}

/// What was rendered for a color when the spec said so.
fn rendered(now: &App, color: Color, kept: Kept) -> Rendered {
    let then = |content: u8| {
        let mut then = App { shared: content % 2, ..*now };
        *then.tags.get_mut(color) = content / 2;
        *then.present.get_mut(color) = true;
        desired::render(&app(&then), color).unwrap()
    };
    if kept.content == FOREIGN {
        let mut foreign = then(kept.spec);
        foreign.deployment["template"]["spec"]["containers"][0]["image"] = json!("somebody/else:v1");
        return foreign;
    }
    let by = then(kept.spec);
    Rendered { deployment: then(kept.content).deployment, ..by }
}

fn slice(pods: impl Iterator<Item = String>) -> Value {
    let endpoint = |uid: String| {
        json!({ "addresses": ["10.0.0.1"], "conditions": { "ready": true },
                "targetRef": { "kind": "Pod", "name": uid, "uid": uid } })
    };
    json!({ "addressType": "IPv4", "metadata": {"labels": {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}}, "endpoints": pods.map(endpoint).collect::<Vec<_>>(),
            "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }] })
}

/// The pods of one template.
fn pods(color: Color, listed: Listed) -> impl Iterator<Item = String> {
    (0..listed.pods).map(move |number| format!("{color}-{}-{}-{number}", listed.revision, listed.content))
}

/// The listed pods and their ReplicaSet, which belongs to the Deployment that is there.
fn proof(objects: &Objects, color: Color) -> Proof {
    let listed = *objects.slices.own.get(color);
    let owned = |uid: &str, by: &str| {
        json!({ "apiVersion": "v1", "kind": "x", "metadata": {
            "name": uid, "uid": uid, "labels": { (names::REVISION): listed.revision.to_string() },
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "x", "name": by, "uid": by, "controller": true }],
        } })
    };
    let pod = |uid: String| serde_json::from_value(owned(&uid, "set")).unwrap();
    Proof {
        replica_sets: vec![serde_json::from_value(owned("set", color.as_str())).unwrap()],
        pods: pods(color, listed).map(pod).collect(),
    }
}

fn snapshot(objects: &Objects) -> Snapshot {
    let real = app(&objects.app);
    let number = |number: u8| (number > 0).then(|| i64::from(number));
    let service = objects.service.map(|service| {
        let fence = token(service.token);
        let mut body = desired::live_service(
            &real,
            &LiveService {
                selects: match service.selects {
                    Selection::Color(color) => Some(color),
                    Selection::Nothing | Selection::Edited => None,
                },
                active: service.committed,
                served: PerColor::from_fn(|color| number(*service.served.get(color))),
                fence: &fence,
                operator: "system/operator",
                had: bluegreen_api::ServiceStatus::default(),
            },
        );
        if service.selects == Selection::Edited {
            body["spec"]["selector"] = json!({ "app": "somebody-elses" });
        }
        Arc::new(object(body, json!({ "uid": "service" })))
    });
    let deployments = PerColor::from_fn(|color| {
        let d = (*objects.deployments.get(color))?;
        let rendered = rendered(&objects.app, color, Kept { content: d.content, spec: d.spec });
        let stored = desired::Stored { number: i64::from(d.revision), rendered };
        let fence = token(d.token);
        let mut body = desired::deployment(&real, color, &stored, i32::from(d.replicas), &fence);
        let condition =
            json!({ "type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable" });
        body["status"] = json!({
            "observedGeneration": if d.observed { 2 } else { 1 }, "replicas": d.have, "updatedReplicas": facts::updated(&d),
            "readyReplicas": d.have, "availableReplicas": d.have,
            "conditions": if d.rolled { vec![condition] } else { vec![] },
        });
        Some(Arc::new(object::<Deployment>(body, json!({ "uid": color.to_string(), "generation": 2 }))))
    });
    let mut revisions = Vec::new();
    for color in Color::ALL {
        let stored = objects.stored.get(color);
        for (number, kept) in (1_u8..).zip(stored).filter_map(|(number, kept)| Some((number, (*kept)?))) {
            let last = facts::last(stored) == Some(number);
            let long_ago = !last || *objects.stored_long_ago.get(color);
            let rendered = rendered(&objects.app, color, kept);
            let body = desired::revision(&real, color, i64::from(number), &rendered);
            let metadata =
                json!({ "uid": format!("{color}-{number}"), "creationTimestamp": began(long_ago) });
            revisions.push(Arc::new(object::<ControllerRevision>(body, metadata)));
        }
    }
    let own = |color: Color| {
        vec![Arc::new(serde_json::from_value(slice(pods(color, *objects.slices.own.get(color)))).unwrap())]
    };
    let live = objects.slices.live.map_or(0, |(_, ready)| ready);
    let live = (0..live).map(|number| format!("live-{number}"));
    Snapshot {
        service,
        preview: None,
        color_services: PerColor::default(),
        deployments,
        stored: Snapshot::sort_revisions(&real, revisions),
        live_slices: vec![Arc::new(serde_json::from_value(slice(live)).unwrap())],
        color_slices: PerColor::from_fn(own),
        jobs: None,
        proof: PerColor::from_fn(|color| Some(proof(objects, color))),
        app: Arc::new(real),
    }
}

/// What the model leaves out, or tells more exactly: the color's own Service, revisions that are obsolete, declared fields
/// of the Service beside those that it has, and (as a live look does not have to) pods of another template that carry
/// the number of the one that is asked for.
fn comparable(mut facts: Observed, objects: &Objects) -> Observed {
    if let Child::Ours(service) = &mut facts.service {
        service.current = true;
    }
    facts.elapsed.switching = None;
    for color in Color::ALL {
        let listed = objects.slices.own.get(color);
        let one = facts.colors.get_mut(color);
        one.service = Child::Absent;
        one.obsolete.clear();
        if facts::content(objects, color, listed.revision) != Some(listed.content) {
            (one.endpoints, one.ported) = (0, 0);
        }
        if let Child::Ours(deployment) = &mut one.deployment {
            deployment.proven = true;
        }
        // Without a rendering there is nothing to keep at any size.
        if one.newest.is_none() {
            *facts.elapsed.idle.get_mut(color) = Duration::ZERO;
        }
    }
    facts
}

fn compare(controller: &Controller, objects: &Objects) {
    let mine = fence::Token {
        operator: "system/operator".to_owned(),
        lease: LEASE.to_owned(),
        epoch: i64::from(controller.term),
        attempt: u32::from(controller.attempt),
    };
    let seen = snapshot(objects);
    let real = observe::observe(&seen, observe::routing(&seen, &mine), &mine, Held::default(), now());
    let token = facts::token(controller);
    let routing = facts::routing(objects, token, &Guards::ALL);
    let model = facts::observe(objects, routing, token, Held::default(), &Guards::ALL);
    assert_eq!(comparable(model, objects), comparable(real, objects), "{objects:#?}");
    assert_eq!(facts::intent(&objects.app, Idle::Warm), observe::intent(&app(&objects.app)));
}

/// For a sample of all looks, each part of the walk with other edits, faults and mishaps.
#[test]
fn does_the_operator_see_in_the_objects_what_the_model_says() {
    let bounds =
        Bounds { edits: 3, faults: 1, takeovers: 1, mishaps: 1, idle: Idle::Timed, ..Bounds::default() };
    let compared = looks(&bounds, 300, 1500, |controller| compare(controller, &controller.view));
    assert!(compared >= 3000, "{compared}");
    println!("{compared} looks compared");
}
