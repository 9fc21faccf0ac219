//! What a pipeline tries, as merge patches, and each of them in the other ways to change an object.

use bluegreen_api::BlueGreenApp;
use k8s_openapi::DeepMerge;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::core::Request;
use serde_json::{Map, Value, json};

/// The ways to change an object; a strategic merge patch is none of them, since the API server takes no such patch of a custom
/// resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Merge,
    Json,
    /// Server-side apply, forced, of these fields and no others.
    Apply,
    /// Needs the right to `update`, which the pipeline's role does not have.
    Update,
}

impl Way {
    pub const ALL: [Self; 4] = [Self::Merge, Self::Json, Self::Apply, Self::Update];
}

/// What a pipeline must be able to do.
pub fn releases() -> Vec<Value> {
    vec![
        json!({"spec": {"active": "green"}}),
        json!({"spec": {"green": {"tag": "v3"}}}),
        json!({"spec": {"active": "green", "green": {"tag": "v3"}}}),
        json!({"spec": {"blue": {"digest": format!("sha256:{}", "0".repeat(64))}}}),
        json!({"spec": {"replicas": 5}}),
        json!({"metadata": {"labels": {"release": "42"}, "annotations": {"by": "the pipeline"}}}),
        json!({"metadata": {"annotations": {"release.bluegreen.dev/pipeline": "42"}}}),
    ]
}

/// Ways to run something else, to reach somebody else, or to break the app, each with the field that is named.
pub fn of_the_spec() -> Vec<(Value, &'static str)> {
    let template = |spec: Value| json!({"spec": {"template": {"spec": spec}}});
    let app = |container: Value| {
        let mut app = json!({"name": "app"});
        app.as_object_mut()
            .into_iter()
            .for_each(|map| map.extend(container.as_object().cloned().unwrap_or_default()));
        json!({"containers": [app]})
    };
    vec![
        (template(app(json!({"securityContext": {"privileged": true}}))), "spec.template"),
        (template(json!({"volumes": [{"name": "root", "hostPath": {"path": "/"}}]})), "spec.template"),
        (template(json!({"hostNetwork": true})), "spec.template"),
        (template(json!({"hostPID": true})), "spec.template"),
        (template(json!({"serviceAccountName": "admin"})), "spec.template"),
        (
            template(json!({"volumes": [{"name": "s", "secret": {"secretName": "password"}}]})),
            "spec.template",
        ),
        (template(app(json!({"command": ["sh"]}))), "spec.template"),
        (template(json!({"nodeName": "control-plane"})), "spec.template"),
        (json!({"spec": {"template": {"metadata": {"labels": {"app": "another"}}}}}), "spec.template"),
        (json!({"spec": {"image": "evil/image"}}), "spec.image"),
        (json!({"spec": {"green": {"image": "evil/image"}}}), "spec.green"),
        (
            json!({"spec": {"green": {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}}}),
            "spec.green",
        ),
        (json!({"spec": {"blue": {"revision": "2"}}}), "spec.blue"),
        (json!({"spec": {"green": null}}), "spec.green"),
        (json!({"spec": {"service": {"type": "LoadBalancer"}}}), "spec.service"),
        (json!({"spec": {"service": {"extraPorts": [{"name": "debug", "port": 9999}]}}}), "spec.service"),
        // Other controllers act on labels and annotations of the children.
        (json!({"spec": {"commonMetadata": {"labels": {"example.com/x": "y"}}}}), "spec.commonMetadata"),
        (json!({"spec": {"service": {"annotations": {"external-dns": "bank.example.com"}}}}), "spec.service"),
        (json!({"spec": {"port": 22, "service": {"port": 8888}}}), "spec.port"),
        (json!({"spec": {"readinessProbe": {"exec": {"command": ["sh"]}}}}), "spec.readinessProbe"),
        (json!({"spec": {"drainSeconds": 0}}), "spec.drainSeconds"),
        (json!({"spec": {"activeUpdatePolicy": "RollingUpdate"}}), "spec.activeUpdatePolicy"),
        (json!({"spec": {"standby": {"replicas": 0}}}), "spec.standby"),
        (json!({"spec": {"paused": true}}), "spec.paused"),
        (json!({"spec": {"checks": null}}), "spec.checks"),
        (json!({"spec": {"checks": []}}), "spec.checks"),
        (json!({"spec": {"checks": checks("team/check", false)}}), "spec.checks"),
        (json!({"spec": {"checks": checks("evil/image", true)}}), "spec.checks"),
        (json!({"spec": {"checks": [http()]}}), "spec.checks"),
    ]
}

/// The check that the app has before all this, enforced, or as it must not become.
pub fn checks(image: &str, enforce: bool) -> Value {
    let template = json!({"spec": {"containers": [{"name": "c", "image": image}]}});
    json!([{"name": "smoke", "when": "Before", "enforce": enforce, "job": {"template": template}}])
}

fn http() -> Value {
    json!({"name": "answers", "when": "Before", "http": {"path": "/"}})
}

/// The label and the annotation that the app has before all this; both are another tool's.
pub fn noted() -> Value {
    json!({"metadata": {
        "labels": {"argocd.argoproj.io/instance": "shop"},
        "annotations": {"bluegreen.dev/allow-deletion": "false"},
    }})
}

/// Ways to have a mightier controller do something to the app, each with what is named.
pub fn of_the_metadata() -> Vec<(Value, &'static str)> {
    let annotation =
        |key: &'static str, value: &str| (json!({"metadata": {"annotations": {key: value}}}), key);
    let label = |key: &'static str, value: Value| (json!({"metadata": {"labels": {key: value}}}), key);
    vec![
        (json!({"metadata": {"finalizers": ["example.com/never"]}}), "finalizers"),
        (
            json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "1"}]}}),
            "owners",
        ),
        annotation("bluegreen.dev/adopt", "true"),
        annotation("bluegreen.dev/allow-deletion", "true"),
        // Argo CD: another Application prunes the app; this one leaves it alone.
        annotation("argocd.argoproj.io/tracking-id", "other:bluegreen.dev/BlueGreenApp:shop/hello"),
        label("app.kubernetes.io/instance", json!("other")),
        label("argocd.argoproj.io/instance", json!("other")),
        label("argocd.argoproj.io/instance", Value::Null),
        annotation("argocd.argoproj.io/compare-options", "IgnoreExtraneous"),
        annotation("argocd.argoproj.io/sync-options", "Prune=false"),
        // Flux: Git is not applied to it any more.
        annotation("kustomize.toolkit.fluxcd.io/reconcile", "disabled"),
        annotation("kustomize.toolkit.fluxcd.io/ssa", "Ignore"),
        label("kustomize.toolkit.fluxcd.io/name", json!("other")),
        // Helm: each upgrade fails; the app stays when its release goes.
        annotation("meta.helm.sh/release-name", "other"),
        annotation("helm.sh/resource-policy", "keep"),
        label("app.kubernetes.io/managed-by", json!("other")),
        // kubectl apply: the next one of a person removes what this names.
        annotation("kubectl.kubernetes.io/last-applied-configuration", r#"{"spec":{"paused":false}}"#),
    ]
}

/// What is named where somebody would come to own what he may not change.
pub const OWNERS: &str = "may not change who owns";

/// Ways to take fields from their owners, or to become one of them; `owners` is `metadata.managedFields` as it is.
pub fn of_the_owners(owners: &[Value]) -> Vec<(Value, &'static str)> {
    let entry = |operation: &str, time: &str, fields: Value| {
        json!({
            "manager": "pipeline", "operation": operation, "apiVersion": "bluegreen.dev/v1alpha1",
            "time": time, "fieldsType": "FieldsV1", "fieldsV1": fields,
        })
    };
    let all = |entries: Vec<Value>| json!({"metadata": {"managedFields": entries}});
    let and = |fields: Value| {
        let one = |operation| entry(operation, "2026-01-01T00:00:00Z", fields.clone());
        ["Update", "Apply"].map(|operation| all(owners.iter().cloned().chain([one(operation)]).collect()))
    };
    let late = entry("Update", "9999-12-31T23:59:59Z", json!({"f:spec": {"f:active": {}}}));
    let mut renamed = owners.to_vec();
    renamed.iter_mut().for_each(|owner| owner["manager"] = json!("pipeline"));
    let less = |path: &str| {
        let mut less = owners.to_vec();
        for owner in &mut less {
            if let Some(fields) = owner["fieldsV1"]["f:spec"].as_object_mut() {
                fields.remove(path);
            }
        }
        less
    };
    let block = json!({"f:spec": {"f:green": {"f:env": {}}}});
    let tools = json!({"f:metadata": {"f:annotations": {"f:argocd.argoproj.io/tracking-id": {}}}});
    let finalizers = json!({"f:metadata": {"f:finalizers": {}}});
    [vec![json!({})], renamed, less("f:image"), less("f:service")]
        .map(all)
        .into_iter()
        .chain(and(json!({"f:spec": {"f:paused": {}}})))
        .chain(and(block))
        .chain(and(tools))
        .chain(and(finalizers))
        .map(|patch| (patch, OWNERS))
        .chain([(all(owners.iter().cloned().chain([late]).collect()), "year 2200")])
        .collect()
}

/// Tries an edit in one way, without an effect, so that the rows do not disturb each other. `None` where this way can't express it.
pub async fn attempt(
    api: &Api<BlueGreenApp>,
    live: &Value,
    patch: &Value,
    way: Way,
) -> Option<Result<(), String>> {
    let params = PatchParams { dry_run: true, ..PatchParams::default() };
    let answer = match way {
        Way::Merge => api.patch("hello", &params, &Patch::Merge(patch)).await,
        Way::Json => {
            let operations = serde_json::from_value(json!(operations(live, patch))).ok()?;
            api.patch("hello", &params, &Patch::Json::<()>(operations)).await
        }
        Way::Apply => {
            let params = PatchParams { dry_run: true, ..PatchParams::apply("pipeline").force() };
            api.patch("hello", &params, &Patch::Apply(applied(patch)?)).await
        }
        Way::Update => {
            // As it stands: what others write may be more than our types can hold.
            let body = edited(live, patch).to_string().into_bytes();
            let params = PostParams { dry_run: true, ..PostParams::default() };
            let request = Request::new(api.resource_url()).replace("hello", &params, body);
            let client = api.clone().into_client();
            client.request(request.ok()?).await
        }
    };
    Some(answer.map(|_| ()).map_err(|error| error.to_string()))
}

/// Server-side apply declares: it can't say that something shall go, and the API server refuses `managedFields` in it.
fn applied(patch: &Value) -> Option<Value> {
    let words = patch.to_string();
    if words.contains(":null") || words.contains(":[]") || !patch["metadata"]["managedFields"].is_null() {
        return None;
    }
    let mut body = json!({"apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp"});
    body.merge_from(patch.clone());
    body["metadata"]["name"] = json!("hello");
    Some(body)
}

/// The object after a merge patch.
fn edited(live: &Value, patch: &Value) -> Value {
    let mut object = live.clone();
    merge(&mut object, patch);
    object
}

fn merge(value: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *value = patch.clone();
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    for (key, new) in patch {
        match (new, value.as_object_mut()) {
            (Value::Null, Some(map)) => drop(map.remove(key)),
            (_, _) => merge(&mut value[key], new),
        }
    }
}

/// The same as a JSON patch: what a merge patch touches, replaced by what it makes of it.
fn operations(live: &Value, patch: &Value) -> Vec<Value> {
    let edited = edited(live, patch);
    let touched = |field: &'static str| {
        patch[field].as_object().into_iter().flatten().map(move |(key, _)| (field, key))
    };
    touched("metadata")
        .chain(touched("spec"))
        .map(|(field, key)| match &edited[field][key] {
            Value::Null => json!({"op": "remove", "path": format!("/{field}/{key}")}),
            value => json!({"op": "add", "path": format!("/{field}/{key}"), "value": value}),
        })
        .collect()
}
