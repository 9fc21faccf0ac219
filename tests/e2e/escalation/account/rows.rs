//! Writes under the name of the operator's account.

use serde_json::{Value, json};

use crate::harness::Kind;

/// A write under the operator's name, and a part of what the policy answers; nothing where it is let through.
pub struct Row {
    pub what: &'static str,
    pub kind: Kind,
    pub namespace: &'static str,
    pub write: Write,
    pub answer: &'static str,
}

pub enum Write {
    Create(Value),
    Merge(&'static str, Value),
    Status(&'static str, Value),
    Delete(&'static str),
}

pub const NAMESPACE: &str = "the operator may write nothing in the namespace";
const CHILD: &str = "the operator may write nothing but the children";
const CREATE: &str = "the operator may create nothing that no BlueGreenApp controls";
const OWNER: &str = "the operator may not take a child from its BlueGreenApp";
const ADDRESS: &str = "the operator may not set externalIPs or externalName";
const JOB: &str = "the operator may create and delete the Jobs of checks, and change none";
const PODS: &str = "the operator may create no Job whose pods carry the labels of an app's pods";
const SELECTOR: &str = "the operator may have a Service select only the pods of its app";

fn owner(kind: &str, version: &str, name: &str) -> Value {
    json!([{"apiVersion": version, "kind": kind, "name": name, "uid": "forged", "controller": true}])
}

pub fn ours(name: &str) -> Value {
    owner("BlueGreenApp", "bluegreen.dev/v1alpha1", name)
}

fn deployment(name: &str, metadata: Value) -> Value {
    let pods = json!({"app": "x"});
    let mut object = json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": 0, "selector": {"matchLabels": pods},
            "template": {"metadata": {"labels": pods}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        },
    });
    merge(&mut object["metadata"], metadata);
    object
}

fn service(name: &str, metadata: Value, spec: Value) -> Value {
    let mut object = json!({"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}});
    merge(&mut object["metadata"], metadata);
    merge(&mut object["spec"], spec);
    object
}

/// A Job of this app's check, as far as its labels say so.
pub fn job(app: &str, metadata: Value) -> Value {
    let labels = json!({"bluegreen.dev/app": app, "bluegreen.dev/check": "smoke"});
    let pods = json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]});
    let mut object = json!({
        "metadata": {"name": format!("{app}-smoke-x"), "labels": labels}, "spec": {"template": {"spec": pods}},
    });
    merge(&mut object["metadata"], metadata);
    object
}

fn revision(name: &str, metadata: Value) -> Value {
    let mut object = json!({"metadata": {"name": name}, "revision": 1, "data": {}});
    merge(&mut object["metadata"], metadata);
    object
}

fn merge(value: &mut Value, more: Value) {
    if let (Some(fields), Value::Object(more)) = (value.as_object_mut(), more) {
        fields.extend(more);
    }
}

/// What somebody else has in the namespace, and what was handed over to an app that is not there.
pub fn others() -> Vec<(Kind, Value)> {
    let adopt = |name: &str| json!({"annotations": {"bluegreen.dev/adopt": name}});
    let label = |name: &str| json!({"labels": {"bluegreen.dev/app": name}});
    let mut controlled = label("old");
    controlled["ownerReferences"] = owner("Rollout", "argoproj.io/v1alpha1", "old");
    let selector = || json!({"selector": {"app": "other"}});
    vec![
        (Kind::Deployment, deployment("other", json!({}))),
        (Kind::Service, service("other", json!({}), selector())),
        (Kind::Revision, revision("other-1", json!({}))),
        (Kind::Deployment, deployment("given-blue", adopt("given"))),
        (Kind::Service, service("given", adopt("given"), selector())),
        (Kind::Deployment, deployment("left-blue", label("left"))),
        (Kind::Revision, revision("left-blue-1", label("left"))),
        (Kind::Service, service("left", label("left"), json!({"externalIPs": ["192.0.2.1"]}))),
        // Another's, whatever its label says; and a name that is no child's.
        (Kind::Deployment, deployment("old-blue", controlled)),
        (Kind::Deployment, deployment("left-red", label("left"))),
        (Kind::Job, job("other", json!({"name": "backup", "labels": {}}))),
        // Nobody hands a Job over, whatever its labels say.
        (Kind::Job, job("left", adopt_job())),
    ]
}

fn adopt_job() -> Value {
    json!({"annotations": {"bluegreen.dev/adopt": "left"}})
}

pub fn rows() -> Vec<Row> {
    [of_children(), of_jobs()].into_iter().flatten().collect()
}

/// The Jobs of checks.
fn of_jobs() -> Vec<Row> {
    use Write::{Create, Delete, Merge, Status};
    let row = |what, write, answer| Row { what, kind: Kind::Job, namespace: "", write, answer };
    let at =
        |namespace, write| Row { what: "a Job there", kind: Kind::Job, namespace, write, answer: NAMESPACE };
    let of_app = || job("new", json!({"ownerReferences": ours("new")}));
    let with = |metadata: Value| {
        let mut object = of_app();
        merge(&mut object["metadata"], metadata);
        object
    };
    let mut selected = of_app();
    selected["spec"]["template"]["metadata"] = json!({"labels": {"bluegreen.dev/app": "other"}});
    vec![
        row("create the Job of a check", Create(of_app()), ""),
        row("delete the Job of a check", Delete("hello-smoke-x"), ""),
        at("kube-system", Create(of_app())),
        at("bluegreen-system", Create(of_app())),
        row("delete somebody else's", Delete("backup"), CHILD),
        row("delete what only looks like an app's", Delete("left-smoke-x"), CHILD),
        row("create one that nobody controls", Create(with(json!({"ownerReferences": null}))), CHILD),
        row(
            "create one that another kind controls",
            Create(with(json!({"ownerReferences": owner("CronJob", "batch/v1", "new")}))),
            CHILD,
        ),
        row("create one of no check", Create(with(json!({"labels": {"bluegreen.dev/app": "new"}}))), CHILD),
        row(
            "create one of another app",
            Create(with(json!({"labels": {"bluegreen.dev/app": "other", "bluegreen.dev/check": "smoke"}}))),
            CHILD,
        ),
        row("let another one run", Merge("hello-smoke-x", json!({"spec": {"suspend": true}})), JOB),
        row("change somebody else's", Merge("backup", json!({"spec": {"suspend": true}})), CHILD),
        row("make up a verdict", Status("hello-smoke-x", json!({"status": {"active": 1}})), JOB),
        row("have its pods selected by an app's Service", Create(selected), PODS),
    ]
}

/// Deployments, Services and ControllerRevisions.
fn of_children() -> Vec<Row> {
    use Kind::{Deployment, Revision, Service};
    use Write::{Create, Delete, Merge, Status};
    let note = || json!({"metadata": {"labels": {"bluegreen.dev/fence": "x.1.0"}}});
    let row = |what, kind, write, answer| Row { what, kind, namespace: "", write, answer };
    let at =
        |namespace, kind, write| Row { what: "a child there", kind, namespace, write, answer: NAMESPACE };
    let controlled = |name: &str| json!({"ownerReferences": ours(name)});
    let selects = |app: &str| json!({"selector": {"bluegreen.dev/app": app, "bluegreen.dev/color": "blue"}});
    let of = |app: &str| service("new", controlled("new"), selects(app));
    let with = |more: Value| {
        let mut spec = selects("new");
        merge(&mut spec, more);
        service("new", controlled("new"), spec)
    };
    let free = "";
    vec![
        // What the operator does.
        row("create a Deployment", Deployment, Create(deployment("new-blue", controlled("new"))), free),
        row("create the live Service", Service, Create(of("new")), free),
        row(
            "create the preview",
            Service,
            Create(service("new-preview", controlled("new"), selects("new"))),
            free,
        ),
        row("create a revision", Revision, Create(revision("new-green-3", controlled("new"))), free),
        row("stamp a child", Deployment, Merge("hello-blue", note()), free),
        row("delete a child", Deployment, Delete("hello-green"), free),
        row("stamp what is handed over", Deployment, Merge("given-blue", note()), free),
        row("stamp what is handed over", Service, Merge("given", note()), free),
        row(
            "adopt what is handed over",
            Deployment,
            Merge("given-blue", json!({"metadata": controlled("given")})),
            free,
        ),
        row("stamp what was left", Deployment, Merge("left-blue", note()), free),
        row("stamp a Service with an external address", Service, Merge("left", note()), free),
        row(
            "adopt what was left",
            Service,
            Merge("left", json!({"metadata": controlled("left"), "spec": selects("left")})),
            free,
        ),
        row("delete what was left", Revision, Delete("left-blue-1"), free),
        row("stamp the status of a child", Deployment, Status("hello-blue", note()), free),
        // Where.
        at("kube-system", Deployment, Create(deployment("new-blue", controlled("new")))),
        at("kube-public", Deployment, Create(deployment("new-blue", controlled("new")))),
        at("kube-node-lease", Service, Create(of("new"))),
        at("bluegreen-system", Deployment, Create(deployment("new-blue", controlled("new")))),
        at("kube-system", Revision, Create(revision("new-blue-1", controlled("new")))),
        // What is somebody else's.
        row("edit a Deployment", Deployment, Merge("other", note()), CHILD),
        row("edit a Service", Service, Merge("other", note()), CHILD),
        row("edit a ControllerRevision", Revision, Merge("other-1", note()), CHILD),
        row("delete a Deployment", Deployment, Delete("other"), CHILD),
        row("delete a Service", Service, Delete("other"), CHILD),
        row("delete a ControllerRevision", Revision, Delete("other-1"), CHILD),
        row(
            "write the status of a Deployment",
            Deployment,
            Status("other", json!({"status": {"readyReplicas": 0}})),
            CHILD,
        ),
        row(
            "hand one over to oneself",
            Deployment,
            Merge("other", json!({"metadata": {"annotations": {"bluegreen.dev/adopt": "other"}}})),
            CHILD,
        ),
        row(
            "make oneself the owner",
            Deployment,
            Merge("other", json!({"metadata": controlled("other")})),
            CHILD,
        ),
        row("take another controller's", Deployment, Merge("old-blue", note()), CHILD),
        row("take what has no child's name", Deployment, Merge("left-red", note()), CHILD),
        row(
            "create one with no child's name",
            Deployment,
            Create(deployment("coredns", controlled("new"))),
            CHILD,
        ),
        row(
            "create one for a Service's name",
            Deployment,
            Create(deployment("new", controlled("new"))),
            CHILD,
        ),
        row(
            "create one for the preview's name",
            Deployment,
            Create(deployment("new-preview", controlled("new"))),
            CHILD,
        ),
        row(
            "create one for another kind",
            Deployment,
            Create(deployment(
                "new-blue",
                json!({"ownerReferences": owner("BlueGreenApp", "example.com/v1", "new")}),
            )),
            CHILD,
        ),
        row(
            "create a revision of no color",
            Revision,
            Create(revision("new-red-3", controlled("new"))),
            CHILD,
        ),
        row("create one that nobody controls", Deployment, Create(deployment("new-blue", json!({}))), CHILD),
        row(
            "create one with the label alone",
            Deployment,
            Create(deployment("new-blue", json!({"labels": {"bluegreen.dev/app": "new"}}))),
            CREATE,
        ),
        row(
            "create one that hands itself over",
            Service,
            Create(service("new", json!({"annotations": {"bluegreen.dev/adopt": "new"}}), selects("new"))),
            CREATE,
        ),
        row(
            "give a child to another app",
            Deployment,
            Merge("hello-blue", json!({"metadata": {"ownerReferences": ours("hello")}})),
            OWNER,
        ),
        row(
            "leave a child to nobody",
            Deployment,
            Merge("hello-blue", json!({"metadata": {"ownerReferences": null}})),
            OWNER,
        ),
        // What a Service does for others.
        row("take an address", Service, Create(with(json!({"externalIPs": ["192.0.2.1"]}))), ADDRESS),
        row(
            "lead out of the cluster",
            Service,
            Create(with(json!({"type": "ExternalName", "externalName": "example.com"}))),
            ADDRESS,
        ),
        row(
            "take an address later",
            Service,
            Merge("hello", json!({"spec": {"externalIPs": ["192.0.2.1"]}})),
            ADDRESS,
        ),
        row(
            "take another address",
            Service,
            Merge("left", json!({"spec": {"externalIPs": ["192.0.2.2"]}})),
            ADDRESS,
        ),
        row("select another app's pods", Service, Create(of("other")), SELECTOR),
        row(
            "select everybody's pods",
            Service,
            Merge("hello", json!({"spec": {"selector": {"bluegreen.dev/app": null}}})),
            SELECTOR,
        ),
        row(
            "select anybody's pods",
            Service,
            Merge("given", json!({"spec": {"selector": {"app": "bank"}}})),
            SELECTOR,
        ),
        row("select nothing", Service, Create(service("new", controlled("new"), json!({}))), SELECTOR),
    ]
}
