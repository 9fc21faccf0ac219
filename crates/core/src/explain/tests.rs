//! Each state of a pod, as the kubelet reports it, and the sentence for it.

use serde_json::{Value, json};

use super::*;

/// A pod of `hello-green` on a node, in which nothing has started.
fn pod(fields: Value) -> Value {
    let mut pod = json!({
        "metadata": { "name": "hello-green-7c9-x2x", "uid": "u-1", "labels": {
            "bluegreen.dev/app": "hello", "bluegreen.dev/color": "green", "bluegreen.dev/revision": "3" } },
        "spec": { "nodeName": "n", "containers": [
            { "name": "app", "readinessProbe": {} , "startupProbe": {} }, { "name": "proxy", "readinessProbe": {} } ] },
        "status": { "phase": "Pending", "conditions": [
            { "type": "PodScheduled", "status": "True" }, { "type": "Ready", "status": "False" } ] },
    });
    merge(&mut pod, fields);
    pod
}

fn merge(into: &mut Value, from: Value) {
    match from {
        Value::Object(fields) if into.is_object() => {
            fields.into_iter().for_each(|(key, value)| merge(&mut into[key.as_str()], value));
        }
        value => *into = value,
    }
}

/// A container's status.
fn container(name: &str, state: Value) -> Value {
    let mut status =
        json!({ "name": name, "image": "team/hello:v9", "imageID": "", "ready": false, "restartCount": 0 });
    merge(&mut status, state);
    status
}

fn waiting(name: &str, reason: &str) -> Value {
    container(name, json!({ "state": { "waiting": { "reason": reason } } }))
}

fn ended(name: &str, code: i32, reason: &str) -> Value {
    container(name, json!({ "state": { "terminated": { "exitCode": code, "reason": reason } } }))
}

fn running(name: &str, fields: Value) -> Value {
    let mut status =
        container(name, json!({ "state": { "running": { "startedAt": "2026-01-01T00:00:00Z" } } }));
    merge(&mut status, fields);
    status
}

/// As it runs between two crashes.
fn crashed(name: &str, code: i32, restarts: i32) -> Value {
    let last = json!({ "terminated": { "exitCode": code, "reason": "Error" } });
    running(name, json!({ "restartCount": restarts, "lastState": last }))
}

fn main(statuses: Value) -> Value {
    pod(json!({ "status": { "containerStatuses": statuses } }))
}

fn ready(name: &str) -> Value {
    running(name, json!({ "ready": true, "started": true }))
}

/// With an init container `migrate` and a sidecar container `mesh`.
fn init(migrate: Value, mesh: Value, app: Value) -> Value {
    pod(json!({
        "spec": { "initContainers": [
            { "name": "migrate" },
            { "name": "mesh", "restartPolicy": "Always", "startupProbe": {}, "readinessProbe": {} } ] },
        "status": { "initContainerStatuses": [migrate, mesh], "containerStatuses": [app] },
    }))
}

fn say_at(minute: u8, pods: &[Value]) -> Option<String> {
    let pods: Vec<Pod> = pods.iter().map(|pod| serde_json::from_value(pod.clone()).unwrap()).collect();
    explain(None, &pods, format!("2026-01-01T00:{minute:02}:00Z").parse().unwrap())
}

fn say(pods: &[Value]) -> String {
    say_at(0, pods).unwrap_or_default()
}

const DESCRIBE: &str = "kubectl describe pods -l bluegreen.dev/app=hello,bluegreen.dev/color=green shows why";

#[test]
fn each_state_of_a_pod_has_its_own_words() {
    let (none, creating) = (|| waiting("mesh", "PodInitializing"), || waiting("app", "PodInitializing"));
    let conditions = |type_: &str, status: &str, more: Value| {
        let mut condition = json!({ "type": type_, "status": status });
        merge(&mut condition, more);
        json!({ "conditions": [{ "type": "Ready", "status": "False" }, condition] })
    };
    let volumes = json!([
        { "name": "a", "secret": { "secretName": "tls" } }, { "name": "b", "configMap": { "name": "conf" } },
        { "name": "c", "persistentVolumeClaim": { "claimName": "data" } },
        { "name": "d", "secret": { "secretName": "maybe", "optional": true } },
        { "name": "e", "projected": { "sources": [{ "secret": { "name": "key" } }, { "serviceAccountToken": { "path": "t" } }] } },
        { "name": "kube-api-access-x", "projected": { "sources": [{ "configMap": { "name": "kube-root-ca.crt" } }] } },
    ]);
    let gated = |more: Value| {
        pod(json!({ "spec": { "readinessGates": [{ "conditionType": "example.com/lb" }] },
            "status": { "containerStatuses": [ready("app")], "conditions": more["conditions"] } }))
    };
    let set = |status: &str| {
        conditions("example.com/lb", status, json!({ "reason": "Draining", "message": "7 s" }))
    };
    let message = json!({ "message": "0/3 nodes are available: 3 Insufficient\n cpu\u{1b}[2J" });
    let cannot = conditions("PodScheduled", "False", message);
    let pulling = conditions("PodReadyToStartContainers", "True", json!({}));
    let unset = json!({ "state": { "waiting": { "reason": "CreateContainerConfigError",
        "message": "image runs as root (pod: \"hello-green-7c9-x2x_shop(u-1)\", container: app)" } } });
    let alone = json!({ "status": { "containerStatuses": [running("app", json!({}))] }, "spec": { "containers": [{ "name": "app" }] } });
    let liveness = json!({ "spec": { "containers": [{ "name": "app", "livenessProbe": {} }] },
        "status": { "containerStatuses": [ended("app", 143, "Error")] } });
    let table = [
        // Scheduling.
        (pod(json!({ "status": cannot })), "can't be scheduled: 0/3 nodes are available: 3 Insufficient cpu\\u{1b}[2J".to_owned()),
        (
            pod(json!({ "spec": { "schedulingGates": [{ "name": "example.com/quota" }] }, "status": { "conditions": [] } })),
            "held back by the scheduling gate example.com/quota, until somebody removes it".to_owned(),
        ),
        (
            pod(json!({ "spec": { "nodeName": null, "schedulerName": "mine" }, "status": { "conditions": [] } })),
            "no scheduler has seen it yet (schedulerName: mine)".to_owned(),
        ),
        // Volumes, network, images.
        (
            pod(json!({ "spec": { "volumes": volumes }, "status": { "containerStatuses": [waiting("app", "ContainerCreating")] } })),
            format!(
                "the node has not set up volumes and network yet (ConfigMap conf, PersistentVolumeClaim data, Secret key, \
                 Secret tls must exist); {DESCRIBE}"
            ),
        ),
        (pod(json!({})), format!("the node has not set up volumes and network yet; {DESCRIBE}")),
        (
            pod(json!({ "status": { "conditions": pulling["conditions"], "containerStatuses": [waiting("app", "ContainerCreating")] } })),
            "container app is being created; its image may still be pulled".to_owned(),
        ),
        (main(json!([waiting("app", "ErrImagePull")])), "the image team/hello:v9 can't be pulled".to_owned()),
        // Init containers and sidecar containers.
        (
            init(running("migrate", json!({})), none(), creating()),
            "init container migrate has not finished yet (running since 2026-01-01T00:00:00Z)".to_owned(),
        ),
        (init(ended("migrate", 2, "Error"), none(), creating()), "init container migrate keeps failing (exit code 2)".to_owned()),
        (init(crashed("migrate", 2, 1), none(), creating()), "init container migrate keeps failing (exit code 2)".to_owned()),
        (
            init(ended("migrate", 0, "Completed"), running("mesh", json!({ "started": false })), creating()),
            "the startup probe of sidecar container mesh has not succeeded yet".to_owned(),
        ),
        (
            init(ended("migrate", 0, "Completed"), running("mesh", json!({ "started": true })), ready("app")),
            "the readiness probe of sidecar container mesh does not succeed".to_owned(),
        ),
        (
            init(ended("migrate", 0, "Completed"), ended("mesh", 1, "Error"), creating()),
            "sidecar container mesh keeps crashing (exit code 1)".to_owned(),
        ),
        // Containers.
        (main(json!([container("app", unset)])), "container app does not start: CreateContainerConfigError: image runs as root (pod: \"…_shop(…)\", container: app)".to_owned()),
        (main(json!([waiting("app", "RunContainerError")])), format!("container app can't be started; {DESCRIBE}")),
        (main(json!([ended("app", 128, "StartError")])), format!("container app can't be started; {DESCRIBE}")),
        (main(json!([waiting("app", "PostStartHookError")])), format!("container app does not start: PostStartHookError; {DESCRIBE}")),
        (main(json!([waiting("app", "CrashLoopBackOff")])), "container app keeps crashing".to_owned()),
        (main(json!([crashed("app", 1, 2)])), "container app keeps crashing (exit code 1)".to_owned()),
        (main(json!([crashed("app", 1, 1)])), "the readiness probe does not succeed".to_owned()),
        (main(json!([ended("app", 137, "OOMKilled")])), "container app keeps crashing (exit code 137, OOMKilled)".to_owned()),
        (main(json!([ended("app", 0, "Completed")])), "container app keeps ending (exit code 0); its liveness or startup probe may have failed".to_owned()),
        (pod(liveness), "container app keeps crashing (exit code 143); its liveness or startup probe may have failed".to_owned()),
        (main(json!([running("app", json!({ "started": false })), ready("proxy")])), "the startup probe has not succeeded yet".to_owned()),
        (main(json!([running("app", json!({ "started": true })), ready("proxy")])), "the readiness probe does not succeed".to_owned()),
        (main(json!([ready("app"), running("proxy", json!({}))])), "the readiness probe of container proxy does not succeed".to_owned()),
        (
            main(json!([running("app", json!({})), running("proxy", json!({}))])),
            "the readiness probe does not succeed, and the readiness probe of container proxy does not succeed".to_owned(),
        ),
        (pod(alone), "container app runs and is not ready".to_owned()),
        // What comes after the containers.
        (gated(conditions("ContainersReady", "True", json!({}))), "the readiness gate example.com/lb waits: nobody has set this condition of the pod".to_owned()),
        (gated(set("False")), "the readiness gate example.com/lb waits: this condition of the pod is False (Draining)".to_owned()),
        (gated(set("True")), "the containers are ready, but the pod is not; its node may be down".to_owned()),
    ];
    for (pod, words) in table {
        assert_eq!(say(std::slice::from_ref(&pod)), format!("1 pod: {words}"), "{pod:#}");
    }
}

#[test]
fn an_image_that_never_pulls_is_named_and_the_words_do_not_alternate() {
    let pods = ["ErrImagePull", "ImagePullBackOff"].map(|reason| main(json!([waiting("app", reason)])));
    assert_eq!(say(&pods), "2 pods: the image team/hello:v9 can't be pulled");
}

#[test]
fn a_crash_of_long_ago_is_not_the_reason() {
    let pod = [main(json!([crashed("app", 1, 5)]))];
    assert_eq!(say_at(9, &pod).unwrap(), "1 pod: container app keeps crashing (exit code 1)");
    assert_eq!(say_at(10, &pod).unwrap(), "1 pod: the readiness probe does not succeed");
}

#[test]
fn pods_that_differ_only_in_a_detail_are_told_in_one_sentence_whatever_their_order() {
    let since = |time: &str| {
        let state = json!({ "state": { "running": { "startedAt": time } } });
        init(running("migrate", state), waiting("mesh", ""), waiting("app", ""))
    };
    let mut pods = ["2026-01-01T00:00:07Z", "2026-01-01T00:00:03Z", "2026-01-01T00:00:05Z"].map(since);
    let words = "3 pods: init container migrate has not finished yet (running since 2026-01-01T00:00:03Z)";
    assert_eq!(say(&pods), words);
    pods.reverse();
    assert_eq!(say(&pods), words);
}

#[test]
fn the_gravest_cause_comes_first_and_ready_pods_have_none() {
    let pods = [main(json!([running("app", json!({}))])), main(json!([ended("app", 1, "Error")]))];
    assert_eq!(say(&pods), "1 pod: container app keeps crashing (exit code 1)");
    let ready = pod(json!({ "status": { "conditions": [{ "type": "Ready", "status": "True" }] } }));
    assert_eq!(say_at(0, &[ready]), None);
}

#[test]
fn only_pods_of_the_newest_revision_that_are_meant_to_run_are_asked() {
    let crashing = |fields: Value| {
        let mut pod = main(json!([ended("app", 1, "Error")]));
        merge(&mut pod, fields);
        pod
    };
    let others = [
        crashing(json!({ "status": { "phase": "Failed", "reason": "Evicted" } })),
        crashing(json!({ "status": { "phase": "Succeeded" } })),
        crashing(json!({ "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z" } })),
        crashing(json!({ "metadata": { "labels": { "bluegreen.dev/revision": "2" } } })),
    ];
    let pods: Vec<Pod> = others.into_iter().map(|pod| serde_json::from_value(pod).unwrap()).collect();
    let deployment = serde_json::from_value(json!({ "metadata": {}, "spec": { "selector": {}, "template": {
        "metadata": { "labels": { "bluegreen.dev/revision": "3" } } } } }));
    assert_eq!(explain(Some(&deployment.unwrap()), &pods, Timestamp::UNIX_EPOCH), None);
}

#[test]
fn a_pod_that_is_ready_and_not_available_yet_is_told() {
    let since = json!([{ "type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z" }]);
    let pod: Pod = serde_json::from_value(pod(json!({ "status": { "conditions": since } }))).unwrap();
    let mut deployment = Deployment::default();
    deployment.spec.get_or_insert_default().min_ready_seconds = Some(60);
    let at = |time: &str| explain(Some(&deployment), std::slice::from_ref(&pod), time.parse().unwrap());
    let words = "1 pod: ready for less than minReadySeconds (60)";
    assert_eq!(at("2026-01-01T00:00:59Z").as_deref(), Some(words));
    assert_eq!(at("2026-01-01T00:01:00Z"), None);
}

#[test]
fn a_quota_is_told_in_the_api_servers_words_without_the_changing_pod_name() {
    let message = "pods \"hello-green-5d-abcde\" is forbidden: exceeded quota: small";
    let deployment: Deployment = serde_json::from_value(json!({ "metadata": {}, "status": { "conditions": [
        { "type": "ReplicaFailure", "status": "True", "message": message }] } }))
    .unwrap();
    let words = explain(Some(&deployment), &[], Timestamp::UNIX_EPOCH);
    assert_eq!(words.as_deref(), Some("pods can't be created: forbidden: exceeded quota: small"));
}

#[test]
fn a_replica_set_that_is_refused_is_told_in_the_api_servers_words() {
    let message = "Failed to create new replica set \"hello-green-5d\": replicasets.apps \"hello-green-5d\" is forbidden: \
                   exceeded quota: few";
    let told = |status: &str, reason: &str| {
        let condition =
            json!({ "type": "Progressing", "status": status, "reason": reason, "message": message });
        let deployment = json!({ "metadata": {}, "status": { "conditions": [condition] } });
        explain(Some(&serde_json::from_value(deployment).unwrap()), &[], Timestamp::UNIX_EPOCH)
    };
    let words = "the ReplicaSet can't be created: replicasets.apps \"hello-green-5d\" is forbidden: exceeded quota: few";
    assert_eq!(told("False", "ReplicaSetCreateError").as_deref(), Some(words));
    assert_eq!(told("False", "ProgressDeadlineExceeded"), None);
    assert_eq!(told("True", "ReplicaSetCreateError"), None);
}

#[test]
fn a_sentence_ends_somewhere() {
    let message = json!({ "message": "x".repeat(2000) });
    let mut state = json!({ "state": { "waiting": { "reason": "CreateContainerConfigError" } } });
    merge(&mut state["state"]["waiting"], message);
    assert_eq!(say(&[main(json!([container("app", state)]))]).len(), MOST);
}
