//! The operator's own account, should somebody get hold of its token.

use anyhow::{Result, bail, ensure};
use bluegreen_api::BlueGreenApp;
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::harness::{Kind, Sandbox, app, cluster, setup};

/// What RBAC stops.
#[tokio::test]
async fn does_the_operators_account_open_no_other_door() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("account", &app("hello")).await?;
    let client = sandbox.user.client()?;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &sandbox.namespace);
    let apps: Api<BlueGreenApp> = Api::namespaced(client.clone(), &sandbox.namespace);
    let pods: Api<Pod> = Api::namespaced(client.clone(), &sandbox.namespace);
    let bindings: Api<RoleBinding> = Api::namespaced(client, &sandbox.namespace);
    let merge = PatchParams { dry_run: true, ..PatchParams::default() };
    let none = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    let refused = |what: &str, error: Option<kube::Error>| match error {
        Some(kube::Error::Api(status)) if status.code == 403 => Ok(()),
        other => bail!("{what}: {other:?}"),
    };
    refused("read secrets", secrets.list(&ListParams::default()).await.err())?;
    refused("edit an app", apps.patch("hello", &merge, &none).await.err())?;
    refused("edit a pod", pods.patch("x", &merge, &none).await.err())?;
    refused("see bindings", bindings.list(&ListParams::default()).await.err())?;
    // These 403 are the test's own, under the operator's name.
    let finished = sandbox.finish().await;
    ensure!(finished.is_err_and(|error| error.to_string().contains("secrets")), "the guard must notice them");
    Ok(())
}

/// A write under the operator's name, and a part of what the policy answers; nothing where it is let through.
struct Row {
    what: &'static str,
    kind: Kind,
    namespace: &'static str,
    write: Write,
    answer: &'static str,
}

enum Write {
    Create(Value),
    Merge(&'static str, Value),
    Status(&'static str, Value),
    Delete(&'static str),
}

const NAMESPACE: &str = "the operator may write nothing in the namespace";
const CHILD: &str = "the operator may write nothing but the children";
const CREATE: &str = "the operator may create nothing that no BlueGreenApp controls";
const OWNER: &str = "the operator may not take a child from its BlueGreenApp";
const ADDRESS: &str = "the operator may not set externalIPs or externalName";
const SELECTOR: &str = "the operator may have a Service select only the pods of its app";

fn owner(kind: &str, version: &str, name: &str) -> Value {
    json!([{"apiVersion": version, "kind": kind, "name": name, "uid": "forged", "controller": true}])
}

fn ours(name: &str) -> Value {
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
fn others() -> Vec<(Kind, Value)> {
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
    ]
}

fn rows() -> Vec<Row> {
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

/// What the policy about the operator's own writes stops, and what it lets through. With every right that there is, and without an
/// effect.
#[tokio::test]
async fn does_the_operators_account_write_nothing_but_what_is_an_apps() -> Result<()> {
    let (sandbox, operator) = Sandbox::serving("own-writes", &app("hello")).await?;
    operator.terminate().await?;
    for (kind, object) in others() {
        sandbox.create(kind, object).await?;
    }
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bluegreen-system"}});
    let params = PatchParams::apply("e2e");
    let namespaces: Api<Namespace> = Api::all(sandbox.client.clone());
    namespaces.patch("bluegreen-system", &params, &Patch::Apply(namespace)).await?;
    let client = setup::as_operator(cluster().await?, &sandbox.namespace)?;
    let rows = rows();
    let mut wrong = Vec::new();
    for Row { what, kind, namespace, write, answer } in &rows {
        let namespace = if namespace.is_empty() { &sandbox.namespace } else { *namespace };
        let api = kind.api(&client, namespace);
        let patch = PatchParams { dry_run: true, ..PatchParams::default() };
        let result = match write {
            Write::Create(object) => {
                let params = PostParams { dry_run: true, ..PostParams::default() };
                api.create(&params, &serde_json::from_value(object.clone())?).await.map(drop)
            }
            Write::Merge(name, body) => api.patch(name, &patch, &Patch::Merge(body)).await.map(drop),
            Write::Status(name, body) => api.patch_status(name, &patch, &Patch::Merge(body)).await.map(drop),
            Write::Delete(name) => {
                let params = DeleteParams { dry_run: true, ..DeleteParams::default() };
                api.delete(name, &params).await.map(drop)
            }
        };
        match result {
            Ok(()) if answer.is_empty() => {}
            Ok(()) => wrong.push(format!("nothing stops it: {what}, {kind:?} in {namespace}")),
            Err(error) if !answer.is_empty() && error.to_string().contains(answer) => {}
            Err(error) => wrong.push(format!("{what}, {kind:?} in {namespace}: {error}")),
        }
    }
    println!("{} of {} as they should be", rows.len() - wrong.len(), rows.len());
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    sandbox.finish().await
}

/// An administrator closes a namespace to the operator with a label; an app there says why it does not run.
#[tokio::test]
async fn does_a_namespace_that_is_closed_to_the_operator_stay_as_it_is() -> Result<()> {
    let sandbox = Sandbox::new("closed").await?;
    sandbox.kubectl(&["label", "namespace", &sandbox.namespace, "bluegreen.dev/apps=forbidden"]).await?;
    let _operator = sandbox.operator()?;
    sandbox.apply(&app("hello")).await?;
    sandbox
        .until("it says so", |world| {
            world.says("hello", "Stalled").is_some_and(|(_, words)| words.contains(NAMESPACE))
        })
        .await?;
    ensure!(sandbox.world().children("hello").is_empty(), "{:?}", sandbox.world().children("hello"));
    sandbox.kubectl(&["label", "namespace", &sandbox.namespace, "bluegreen.dev/apps-"]).await?;
    sandbox.until("it serves", |world| world.serves("hello", bluegreen_api::Color::Blue)).await?;
    let finished = sandbox.finish().await;
    ensure!(
        finished.is_err_and(|error| error.to_string().contains("no right")),
        "the guard must notice them"
    );
    Ok(())
}
