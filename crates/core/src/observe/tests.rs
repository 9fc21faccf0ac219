//! Tests of how objects become facts.

use std::sync::Arc;

use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::{Value, json};

use super::elapsed::since;
use super::reach::{listed, ready_endpoints, uncovered};
use super::*;
use bluegreen_api::TrafficPolicy;

fn slice(family: &str, pods: &[(&str, Value)]) -> Arc<EndpointSlice> {
    let endpoints: Vec<Value> = pods
        .iter()
        .map(|(uid, conditions)| json!({"addresses": ["x"], "conditions": conditions, "targetRef": {"uid": uid}}))
        .collect();
    let slice = json!({"addressType": family, "metadata": {"labels": {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}}, "endpoints": endpoints});
    Arc::new(serde_json::from_value(slice).unwrap())
}

fn ready() -> Value {
    json!({"ready": true, "serving": true, "terminating": false})
}

pub(super) fn app() -> BlueGreenApp {
    let mut app: BlueGreenApp = serde_json::from_value(json!({
        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
        "metadata": {"name": "hello", "namespace": "n", "uid": "u", "generation": 1},
        "spec": {"active": "blue", "image": "hello", "blue": {"tag": "v1"}, "green": {"tag": "v2"},
                 "replicas": 2, "port": 8888}
    }))
    .unwrap();
    app.status = None;
    app
}

pub(super) fn snapshot() -> Snapshot {
    Snapshot::of(app())
}

pub(super) fn service(metadata: Value) -> Service {
    serde_json::from_value(json!({"metadata": metadata, "spec": {}})).unwrap()
}

pub(super) fn owner(uid: &str, name: &str) -> Value {
    json!([{"apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "name": name, "uid": uid,
            "controller": true}])
}

fn whose(metadata: Value) -> Child<()> {
    owned(&app(), Some(&service(metadata)), |_| ())
}

#[test]
fn a_dual_stack_pod_is_one_pod_and_counts_only_when_both_families_list_it() {
    let v4 = slice("IPv4", &[("a", ready()), ("b", ready())]);
    let v6 = slice("IPv6", &[("a", ready())]);
    assert_eq!(endpoints::ready_pods(std::slice::from_ref(&v4), &[], |_| true), 2);
    assert_eq!(endpoints::ready_pods(&[v4.clone(), v6.clone()], &[], |_| true), 1);
    assert_eq!(endpoints::sparse_families(&[v4.clone(), v6.clone()], &[], |_| true), ["IPv6"]);
    assert!(endpoints::sparse_families(&[v6], &[], |_| true).is_empty());
    // The slice of the second family does not exist yet.
    let both = ["IPv4".to_owned(), "IPv6".to_owned()];
    assert_eq!(endpoints::ready_pods(std::slice::from_ref(&v4), &both, |_| true), 0);
    assert_eq!(endpoints::sparse_families(&[v4], &both, |_| true), ["IPv6"]);
}

#[test]
fn a_pod_in_two_slices_is_counted_once() {
    let slices = [slice("IPv4", &[("a", ready())]), slice("IPv4", &[("a", ready()), ("b", ready())])];
    assert_eq!(endpoints::ready_pods(&slices, &[], |_| true), 2);
}

#[test]
fn only_a_plain_yes_is_ready() {
    let doubtful = [
        json!({}),
        json!({"ready": false}),
        json!({"ready": true, "serving": false}),
        json!({"ready": true, "terminating": true}),
    ];
    for conditions in doubtful {
        assert_eq!(endpoints::ready_pods(&[slice("IPv4", &[("a", conditions)])], &[], |_| true), 0);
    }
}

#[test]
fn empty_live_slices_are_cleared_but_not_moved() {
    assert_eq!(super::endpoints(&snapshot(), Color::Green), Endpoints { moved: false, cleared: true });
}

#[test]
fn one_pod_of_the_old_color_keeps_the_endpoints_from_having_moved() {
    let mut seen = snapshot();
    seen.color_slices.green = vec![slice("IPv4", &[("g1", ready()), ("g2", ready())])];
    seen.live_slices = vec![slice("IPv4", &[("g1", ready()), ("g2", ready()), ("b1", ready())])];
    assert_eq!(super::endpoints(&seen, Color::Green), Endpoints { moved: false, cleared: false });
    seen.live_slices = vec![slice("IPv4", &[("g1", ready()), ("g2", ready())])];
    assert_eq!(super::endpoints(&seen, Color::Green), Endpoints { moved: true, cleared: true });
}

/// A slice that somebody else made does not follow a switch, so nothing waits for it, whatever it lists.
#[test]
fn a_foreign_slice_neither_holds_up_a_switch_nor_completes_it() {
    let mut seen = snapshot();
    let mut foreign = slice("FQDN", &[("b1", ready()), ("g1", ready())]);
    Arc::make_mut(&mut foreign).metadata.labels = None;
    seen.live_slices = vec![foreign.clone()];
    seen.color_slices.green = vec![foreign.clone()];
    assert_eq!(super::endpoints(&seen, Color::Green), Endpoints { moved: false, cleared: true });
    assert_eq!(ready_endpoints(&seen, None, Color::Green), 0);
    let green = slice("IPv4", &[("g1", ready())]);
    seen.live_slices = vec![foreign.clone(), green.clone()];
    seen.color_slices.green = vec![foreign, green];
    assert_eq!(super::endpoints(&seen, Color::Green), Endpoints { moved: true, cleared: true });
    assert_eq!(ready_endpoints(&seen, None, Color::Green), 1);
}

/// The drain does not depend on the number of pods of the new color: with a pod that comes and goes it would never
/// end.
#[test]
fn endpoints_have_moved_with_the_first_ready_pod() {
    let mut seen = snapshot();
    let not_ready = json!({"ready": false, "serving": false, "terminating": false});
    seen.color_slices.green = vec![slice("IPv4", &[("g1", ready()), ("g2", not_ready.clone())])];
    seen.live_slices = seen.color_slices.green.clone();
    assert_eq!(super::endpoints(&seen, Color::Green), Endpoints { moved: true, cleared: true });
    seen.live_slices = vec![slice("IPv4", &[("g1", not_ready.clone()), ("g2", not_ready)])];
    assert_eq!(super::endpoints(&seen, Color::Green), Endpoints { moved: false, cleared: true });
}

fn observed(seen: &Snapshot, now: &str) -> Observed {
    let token =
        crate::fence::Token { operator: "n/o".to_owned(), lease: "l".to_owned(), epoch: 1, attempt: 0 };
    observe(seen, routing(seen, &token), &token, Held::default(), now.parse().unwrap())
}

pub(super) fn with_status(status: Value) -> Snapshot {
    let mut app = app();
    app.status = Some(serde_json::from_value(status).unwrap());
    Snapshot { app: Arc::new(app), ..snapshot() }
}

#[test]
fn the_standby_timer_counts_from_the_end_of_the_drain() {
    let left = |drained: Value, switch: Value| {
        let entry = json!({"from": "green", "to": "blue", "startedAt": "2026-01-01T00:00:00Z",
                           "finishedAt": "2026-01-01T00:00:10Z", "drainedAt": drained});
        let status = json!({"active": "blue", "history": [entry], "switch": switch});
        observed(&with_status(status), "2026-01-01T00:01:00Z").elapsed.idle.green
    };
    assert_eq!(left(json!("2026-01-01T00:00:40Z"), Value::Null), Duration::from_secs(20));
    let drains = json!({"from": "green", "to": "blue", "startedAt": "2026-01-01T00:00:00Z"});
    assert_eq!(left(Value::Null, drains), Duration::ZERO, "it drains");
    assert_eq!(
        left(Value::Null, Value::Null),
        Duration::from_secs(50),
        "an earlier release did not record it"
    );
}

#[test]
fn the_deadline_of_a_switch_counts_from_the_last_pod_that_became_available() {
    let passed = |progressed: Value| {
        let switch = json!({"from": "green", "to": "blue", "startedAt": "2026-01-01T00:00:00Z", "progressedAt": progressed});
        observed(&with_status(json!({"switch": switch})), "2026-01-01T00:01:00Z").elapsed.switching
    };
    assert_eq!(passed(Value::Null), Some(Duration::from_secs(60)));
    assert_eq!(passed(json!("2026-01-01T00:00:50Z")), Some(Duration::from_secs(10)));
}

/// The clock of a new leader may be ahead of that of the one before, or behind.
#[test]
fn a_clock_that_is_wrong_moves_the_two_timers_and_nothing_else() {
    let entry = json!({"from": "green", "to": "blue", "startedAt": "2026-01-01T00:00:00Z",
                       "finishedAt": "2026-01-01T00:00:10Z", "drainedAt": "2026-01-01T00:00:40Z"});
    let switch = json!({"from": "green", "to": "blue", "startedAt": "2026-01-01T00:00:40Z"});
    let idle = with_status(json!({"active": "blue", "history": [entry]}));
    let switching = with_status(json!({"active": "green", "switch": switch}));
    let timers = |seen: &Observed| seen.elapsed.switching.unwrap_or(seen.elapsed.idle.green);
    for seen in [idle, switching] {
        let right = observed(&seen, "2026-01-01T00:01:00Z");
        for (now, seconds) in [("2026-01-01T01:00:40Z", 3600), ("2025-12-31T23:00:00Z", 0)] {
            let mut wrong = observed(&seen, now);
            assert_eq!(
                (timers(&right), timers(&wrong)),
                (Duration::from_secs(20), Duration::from_secs(seconds))
            );
            (wrong.elapsed.switching, wrong.elapsed.idle) = (right.elapsed.switching, right.elapsed.idle);
            assert_eq!(wrong, right);
        }
    }
}

/// A slice with these pods, all ready, and these ports of name, number and protocol.
fn with_ports(pods: &[&str], ports: &[(&str, i32, &str)]) -> Arc<EndpointSlice> {
    let mut listed = slice("IPv4", &pods.iter().map(|pod| (*pod, ready())).collect::<Vec<_>>());
    let ports =
        ports.iter().map(|(name, port, protocol)| json!({"name": name, "port": port, "protocol": protocol}));
    Arc::make_mut(&mut listed).ports = serde_json::from_value(ports.collect()).unwrap();
    listed
}

#[test]
fn a_pod_counts_for_a_switch_only_if_it_is_listed_with_every_port() {
    let mut app = app();
    let extra = json!([
        {"name": "grpc", "port": 9090, "targetPort": "grpc"},
        {"name": "sip", "port": 5060, "targetPort": 15060, "protocol": "UDP"},
    ]);
    app.spec.service.extra_ports = serde_json::from_value(extra).unwrap();
    let mut seen = Snapshot { app: Arc::new(app), ..snapshot() };
    let mut counted = |slices: Vec<Arc<EndpointSlice>>| {
        seen.color_slices.green = slices;
        let listed = listed(&seen, None, Color::Green);
        (listed.with_all, listed.lacking)
    };
    let (http, grpc, sip) = (("http", 8888, "TCP"), ("grpc", 19090, "TCP"), ("sip", 15060, "UDP"));
    assert_eq!(counted(vec![with_ports(&["a", "b"], &[http, grpc, sip])]), (2, vec![]));
    // A pod without a port of that name is in a slice of its own.
    let lacks = vec![with_ports(&["a"], &[http, grpc, sip]), with_ports(&["b"], &[http, sip])];
    assert_eq!(counted(lacks), (1, vec!["port grpc (targetPort grpc, TCP)".to_owned()]));
    for wrong in [("sip", 5060, "UDP"), ("sip", 15060, "TCP"), ("x", 15060, "UDP")] {
        let (with_all, lacking) = counted(vec![with_ports(&["a"], &[http, grpc, wrong])]);
        assert_eq!(
            (with_all, lacking),
            (0, vec!["port sip (targetPort 15060, UDP)".to_owned()]),
            "{wrong:?}"
        );
    }
    let (with_all, lacking) = counted(vec![with_ports(&["a"], &[])]);
    assert_eq!((with_all, lacking.len()), (0, 3));
}

/// Returns slices with two pods, one on each of these nodes.
fn on_nodes(pods: [(&str, &str); 2]) -> Vec<Arc<EndpointSlice>> {
    let endpoints: Vec<Value> = pods
        .iter()
        .map(|(uid, node)| json!({"addresses": ["x"], "conditions": ready(), "nodeName": node, "targetRef": {"uid": uid}}))
        .collect();
    let slice = json!({"addressType": "IPv4", "metadata": {"labels": {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}}, "endpoints": endpoints});
    vec![Arc::new(serde_json::from_value(slice).unwrap())]
}

#[test]
fn which_nodes_that_serve_does_a_color_leave_out() {
    let mut seen = snapshot();
    seen.live_slices = on_nodes([("b1", "node-1"), ("b2", "node-2")]);
    seen.color_slices.green = on_nodes([("g1", "node-1"), ("g2", "node-1")]);
    assert!(uncovered(&seen, None, Color::Green).is_empty(), "any node forwards with the policy Cluster");

    let mut app = app();
    app.spec.service.external_traffic_policy = Some(TrafficPolicy::Local);
    let mut local = Snapshot { app: Arc::new(app), ..seen.clone() };
    assert_eq!(uncovered(&local, None, Color::Green), ["node-2"]);
    local.color_slices.green = on_nodes([("g1", "node-2"), ("g2", "node-1")]);
    assert!(uncovered(&local, None, Color::Green).is_empty());

    let mut app = seen.app.as_ref().clone();
    app.spec.service.internal_traffic_policy = Some(TrafficPolicy::Local);
    let inside = Snapshot { app: Arc::new(app), ..seen.clone() };
    assert_eq!(
        uncovered(&inside, None, Color::Green),
        ["node-2"],
        "clients in the cluster stay on their node"
    );

    // The spec says Cluster again, but the Service does not yet.
    let is_local = json!({"metadata": {}, "spec": {"externalTrafficPolicy": "Local"}});
    seen.service = Some(Arc::new(serde_json::from_value(is_local).unwrap()));
    assert_eq!(uncovered(&seen, None, Color::Green), ["node-2"]);
}

/// What the API server drops or adds by itself must not look like somebody's edit, or it would be written again and again.
#[test]
fn a_dropped_hint_and_an_added_family_are_no_deviation() {
    let mut app = app();
    let service = json!({"type": "ClusterIP", "trafficDistribution": "PreferClose", "ipFamilyPolicy": "PreferDualStack",
                         "ipFamilies": ["IPv6"]});
    app.spec.service = serde_json::from_value(service).unwrap();
    let declared = desired::LiveService {
        selects: Some(Color::Blue),
        active: Some(Color::Blue),
        served: PerColor::default(),
        fence: "f",
        operator: "o",
        had: bluegreen_api::ServiceStatus::default(),
    };
    let body = desired::live_service(&app, &declared);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = body.clone();
        body["metadata"]["ownerReferences"] = owner("u", "hello");
        change(&mut body["spec"]);
        let service: Service = serde_json::from_value(body).unwrap();
        let seen = Snapshot { service: Some(Arc::new(service)), ..Snapshot::of(app.clone()) };
        let token = Token { operator: "o".into(), lease: "l".into(), epoch: 1, attempt: 0 };
        routing(&seen, &token).service.ours().unwrap().current
    };
    assert!(with(&|_| {}));
    assert!(with(&|spec| spec["trafficDistribution"] = Value::Null), "Kubernetes 1.30 drops it");
    assert!(!with(&|spec| spec["trafficDistribution"] = json!("PreferSameNode")));
    assert!(with(&|spec| spec["ipFamilies"] = json!(["IPv6", "IPv4"])));
    assert!(!with(&|spec| spec["ipFamilies"] = json!(["IPv4", "IPv6"])));
    let own = desired::color_service(&app, Color::Green, true);
    let mut own: Service = serde_json::from_value(own).unwrap();
    own.spec.as_mut().unwrap().ip_families = Some(vec!["IPv6".into(), "IPv4".into()]);
    assert_eq!(exact::color_service(&app, Color::Green, None, &own), None);
}

#[test]
fn ownership_is_by_uid() {
    assert_eq!(whose(json!({"ownerReferences": owner("u", "hello")})), Child::Ours(()));
    assert_eq!(whose(json!({"ownerReferences": owner("earlier", "hello")})), Child::Collecting);
    assert_eq!(whose(json!({"ownerReferences": owner("other", "other")})), Child::Foreign);
    assert_eq!(whose(json!({})), Child::Foreign);
}

#[test]
fn an_object_that_is_being_deleted_is_waited_for() {
    let deleted =
        json!({"ownerReferences": owner("u", "hello"), "deletionTimestamp": "2026-01-01T00:00:00Z"});
    assert_eq!(whose(deleted), Child::Collecting);
}

#[test]
fn only_what_nobody_owns_can_be_handed_over_and_only_to_the_app_that_is_named() {
    assert_eq!(whose(json!({"annotations": {"bluegreen.dev/adopt": "hello"}})), Child::Ours(()));
    assert_eq!(whose(json!({"annotations": {"bluegreen.dev/adopt": "other"}})), Child::Foreign);
    let owned_by_another =
        json!({"annotations": {"bluegreen.dev/adopt": "hello"}, "ownerReferences": owner("other", "other")});
    assert_eq!(whose(owned_by_another), Child::Foreign);
}

/// The annotation on the app hands over what an earlier app left behind, and nothing that is somebody else's.
#[test]
fn an_app_takes_over_only_what_carries_its_label_and_has_no_controller() {
    let mut app = app();
    let whose = |app: &BlueGreenApp, metadata: &Value| owned(app, Some(&service(metadata.clone())), |_| ());
    let labeled = |app: &str| json!({"labels": {"bluegreen.dev/app": app}});
    let mut controlled = labeled("hello");
    controlled["ownerReferences"] = owner("other", "other");
    let objects = [labeled("hello"), labeled("other"), json!({}), controlled];
    for value in [None, Some("hello"), Some("false")] {
        app.metadata.annotations = value.map(|value| [(names::ADOPT.to_owned(), value.to_owned())].into());
        assert_eq!(objects.each_ref().map(|object| whose(&app, object)), [const { Child::Foreign }; 4]);
    }
    app.metadata.annotations = Some([(names::ADOPT.to_owned(), "true".to_owned())].into());
    assert_eq!(
        objects.each_ref().map(|object| whose(&app, object)),
        [Child::Ours(()), Child::Foreign, Child::Foreign, Child::Foreign]
    );
}

#[test]
fn a_clock_that_runs_behind_makes_a_timer_longer_never_shorter() {
    let now = Timestamp::UNIX_EPOCH;
    let later = now + jiff::SignedDuration::from_secs(60);
    assert_eq!(since(later, now), Duration::ZERO);
    assert_eq!(since(now, later), Duration::from_secs(60));
}

#[test]
fn standby_sizes_say_what_the_api_says() {
    let with = |standby: Value| {
        let mut app = app();
        app.spec.standby = serde_json::from_value(standby).unwrap();
        intent(&app).standby
    };
    assert_eq!(with(json!(null)), Standby::Warm);
    assert_eq!(with(json!({})), Standby::Warm);
    let (reduced, minute) = (|replicas, after| Standby::Reduced { replicas, after }, Duration::from_secs(60));
    assert_eq!(with(json!({"replicas": 1})), reduced(1, Duration::ZERO));
    assert_eq!(with(json!({"scaleDownAfterSeconds": 60})), reduced(0, minute));
    assert_eq!(with(json!({"replicas": 1, "scaleDownAfterSeconds": 60})), reduced(1, minute));
}

/// A Service that is deleted right after a switch is created again from a status that does not contain the switch
/// yet.
#[test]
fn a_service_that_forgot_what_served_is_reminded_by_the_status() {
    let mut app = app();
    app.status = Some(
        serde_json::from_value(json!({"green": {
            "servedRevision": 4, "image": "", "revision": 4, "replicas": 0, "readyReplicas": 0, "endpoints": 0
        }}))
        .unwrap(),
    );
    let annotations = json!({"bluegreen.dev/served-blue": "2"});
    let metadata =
        json!({"name": "hello", "annotations": annotations, "ownerReferences": owner("u", "hello")});
    let seen = Snapshot { app: Arc::new(app), service: Some(Arc::new(service(metadata))), ..snapshot() };
    let token = Token { operator: String::new(), lease: String::new(), epoch: 1, attempt: 0 };
    let facts = observe(&seen, routing(&seen, &token), &token, Held::default(), Timestamp::UNIX_EPOCH);
    assert_eq!(facts.service.ours().unwrap().served, PerColor { blue: Some(2), green: Some(4) });
}

/// Kubernetes may keep its verdict on the version before for a new version.
#[test]
fn a_deadline_that_passed_before_a_revision_was_stored_is_not_that_revisions() {
    let (app, stored_at) = (app(), Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(1));
    let rendered = desired::render(&app, Color::Green).unwrap();
    let mut revision = desired::revision(&app, Color::Green, 2, &rendered);
    revision["metadata"]["creationTimestamp"] = json!(stored_at.to_string());
    let revision = Arc::new(serde_json::from_value(revision).unwrap());
    let later = |seconds| stored_at + jiff::SignedDuration::from_secs(seconds);
    let exceeded = |(after, now): (i64, i64)| {
        let stored = desired::Stored { number: 2, rendered: rendered.clone() };
        let mut deployment = desired::deployment(&app, Color::Green, &stored, 2, "");
        let written = later(after).to_string();
        deployment["spec"]["progressDeadlineSeconds"] = json!(30);
        deployment["status"] = json!({"conditions": [
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "lastUpdateTime": written},
        ]});
        let mut seen = snapshot();
        seen.stored = Snapshot::sort_revisions(&app, [Arc::clone(&revision)]);
        seen.deployments.green = Some(Arc::new(serde_json::from_value(deployment).unwrap()));
        let token = Token { operator: String::new(), lease: String::new(), epoch: 1, attempt: 0 };
        let facts = observe(&seen, routing(&seen, &token), &token, Held::default(), later(now));
        facts.colors.green.deployment.ours().unwrap().deadline_exceeded
    };
    assert_eq!([-60, 0, 14].map(|at| exceeded((at, 30))), [false; 3], "the verdict on the version before");
    assert_eq!([15, 30, 600].map(|at| exceeded((at, 30))), [true; 3], "this version's own");
    assert!(!exceeded((15, 29)), "the deadline has been extended since");
}

/// An in-place update is taken back only to a revision that is still stored. Otherwise, the record would name a
/// revision that does not exist, and would be written again and again.
#[test]
fn what_a_deployment_runs_is_stored_or_is_lost() {
    let app = app();
    let rendered = desired::render(&app, Color::Green).unwrap();
    let stored = |number| {
        let revision = desired::revision(&app, Color::Green, number, &rendered);
        Arc::new(serde_json::from_value(revision).unwrap())
    };
    let runs = desired::Stored { number: 2, rendered: rendered.clone() };
    let deployment = desired::deployment(&app, Color::Green, &runs, 2, "");
    for (numbers, is_stored) in [(vec![], false), (vec![2], true), (vec![3], false), (vec![2, 3], true)] {
        let mut seen = snapshot();
        seen.stored = Snapshot::sort_revisions(&app, numbers.iter().copied().map(stored));
        seen.deployments.green = Some(Arc::new(serde_json::from_value(deployment.clone()).unwrap()));
        let token = Token { operator: String::new(), lease: String::new(), epoch: 1, attempt: 0 };
        let facts = observe(&seen, routing(&seen, &token), &token, Held::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(facts.colors.green.deployment.ours().unwrap().stored, is_stored, "{numbers:?}");
    }
}

/// A target may use up its whole deadline to get ready. The endpoints have a deadline of their own after the switch.
#[test]
fn the_deadline_of_a_switch_begins_anew_when_the_service_selects_the_target() {
    let at = |seconds: i64| Timestamp::from_second(seconds).unwrap();
    let since = |active: &str, selects: &str, finished: Option<i64>, now: i64| {
        let mut seen = snapshot();
        let app = Arc::make_mut(&mut seen.app);
        app.spec.active = Color::Green;
        let history = finished.map(|finished| {
            json!({"from": "blue", "to": "green", "startedAt": at(0).to_string(), "finishedAt": at(finished).to_string()})
        });
        app.status = serde_json::from_value(json!({
            "active": active, "history": history.into_iter().collect::<Vec<_>>(),
            "switch": {"from": "blue", "to": "green", "startedAt": at(0).to_string()},
        }))
        .unwrap();
        let service = json!({
            "metadata": {"ownerReferences": owner("u", "hello"), "annotations": {"bluegreen.dev/active": selects}},
            "spec": {"selector": {"bluegreen.dev/app": "hello", "bluegreen.dev/color": selects}},
        });
        seen.service = Some(Arc::new(serde_json::from_value(service).unwrap()));
        let token = Token { operator: "o".into(), lease: "l".into(), epoch: 1, attempt: 0 };
        let facts = observe(&seen, routing(&seen, &token), &token, Held::default(), at(now));
        facts.elapsed.switching.map(|passed| passed.as_secs())
    };
    assert_eq!(since("blue", "blue", None, 700), Some(700), "the target is prepared");
    assert_eq!(since("blue", "green", None, 700), Some(0), "the switch that the status does not tell of yet");
    assert_eq!(since("green", "green", Some(700), 705), Some(5), "the endpoints follow");
    assert_eq!(since("green", "green", Some(700), 1400), Some(700), "they do not");
}

/// A worker of the app's own image beside a container that the operator adds: admission refuses that now, and what was
/// stored before must not lose its way back.
#[test]
fn a_rule_about_new_templates_does_not_make_a_stored_app_invalid() {
    let spec = json!({
        "active": "blue", "image": "team/hello", "blue": {"tag": "v1"}, "replicas": 1, "port": 8080,
        "template": {"spec": {"containers": [{"name": "worker", "image": "team/hello:v1"}]}},
    });
    let mut long = spec.clone();
    let aliases: Vec<Value> = (0..1025).map(|i| json!({"ip": format!("192.0.2.{i}")})).collect();
    long["template"] = json!({"spec": {"hostAliases": aliases}});
    for (spec, says) in [(spec, "has no container `app`"), (long, "must have at most 1024 items")] {
        let app = json!({"apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "metadata": {"name": "hello"}, "spec": spec});
        let app: BlueGreenApp = serde_json::from_value(app).unwrap();
        let problems = validate::problems("hello", &app.spec);
        assert!(problems.len() == 1 && problems[0].message.contains(says), "{problems:?}");
        assert!(!intent(&app).invalid);
    }
}
