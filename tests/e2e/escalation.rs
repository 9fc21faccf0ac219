//! What do people and pipelines get through the operator that they would not get without it? One row an attempt, and what
//! stops it.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bluegreen_api::BlueGreenApp;
use bluegreen_api::Color::Blue;
use bluegreen_cluster::{UserAccount, patiently};
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{Sandbox, World, app, cluster, setup};

const POLICY: &str = include_str!("../../config/rbac/limited_edits.yaml");
const ROLES: [&str; 2] = [
    include_str!("../../config/rbac/bluegreenapp_pipeline_role.yaml"),
    include_str!("../../config/rbac/bluegreenapp_editor_role.yaml"),
];

/// Installs the policy and the roles as shipped.
async fn install(client: &kube::Client) -> Result<()> {
    let manifests = std::iter::once(POLICY).chain(ROLES).flat_map(serde_yaml_ng::Deserializer::from_str);
    for manifest in manifests {
        let object: DynamicObject = serde_json::from_value(Value::deserialize(manifest)?)?;
        let types = object.types.as_ref().context("kind")?;
        let (group, version) = types.api_version.split_once('/').context("group")?;
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &types.kind));
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let name = object.metadata.name.clone().context("name")?;
        api.patch(&name, &PatchParams::apply("e2e").force(), &Patch::Apply(&object)).await?;
    }
    Ok(())
}

/// A user with a ClusterRole in this namespace.
async fn user(sandbox: &Sandbox, who: &str, role: &str) -> Result<UserAccount> {
    let user = cluster().await?.user(&format!("{who}-{}", sandbox.namespace), &[]).await?;
    setup::allow(&sandbox.client, &sandbox.namespace, &user, role).await?;
    Ok(user)
}

/// A merge patch without effect, so that the rows do not disturb each other.
async fn try_patch(api: &Api<BlueGreenApp>, patch: &Value) -> Result<(), String> {
    let params = PatchParams { dry_run: true, ..PatchParams::default() };
    api.patch("hello", &params, &Patch::Merge(patch)).await.map(|_| ()).map_err(|error| error.to_string())
}

/// What a pipeline must be able to do.
fn releases() -> Vec<Value> {
    vec![
        json!({"spec": {"active": "green"}}),
        json!({"spec": {"green": {"tag": "v3"}}}),
        json!({"spec": {"active": "green", "green": {"tag": "v3"}}}),
        json!({"spec": {"blue": {"digest": format!("sha256:{}", "0".repeat(64))}}}),
        json!({"spec": {"replicas": 5}}),
        json!({"metadata": {"labels": {"release": "42"}, "annotations": {"by": "the pipeline"}}}),
    ]
}

/// Ways to run something else, to reach somebody else, or to break the app, each with the field that is named.
fn attempts() -> Vec<(Value, &'static str)> {
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
        (json!({"spec": {"service": {"annotations": {"external-dns": "bank.example.com"}}}}), "spec.service"),
        (json!({"spec": {"port": 22, "service": {"port": 8888}}}), "spec.port"),
        (json!({"spec": {"readinessProbe": {"exec": {"command": ["sh"]}}}}), "spec.readinessProbe"),
        (json!({"spec": {"drainSeconds": 0}}), "spec.drainSeconds"),
        (json!({"spec": {"activeUpdatePolicy": "RollingUpdate"}}), "spec.activeUpdatePolicy"),
        (json!({"spec": {"standby": {"replicas": 0}}}), "spec.standby"),
        (json!({"spec": {"paused": true}}), "spec.paused"),
        (json!({"metadata": {"finalizers": ["example.com/never"]}}), "finalizers"),
        (json!({"metadata": {"annotations": {"bluegreen.dev/adopt": "true"}}}), "bluegreen.dev/adopt"),
        (
            json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "1"}]}}),
            "owners",
        ),
    ]
}

#[tokio::test]
async fn may_a_pipeline_release_and_do_nothing_else() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("pipeline", &app("hello")).await?;
    install(&sandbox.client).await?;
    let pipeline = user(&sandbox, "pipeline", "bluegreenapp-pipeline").await?;
    let editor = user(&sandbox, "editor", "bluegreenapp-editor").await?;
    let api: Api<BlueGreenApp> = Api::namespaced(pipeline.client()?, &sandbox.namespace);
    // A policy takes effect a moment after it is there.
    let attempt = async || {
        let evil = json!({"spec": {"image": "evil/image"}});
        try_patch(&api, &evil).await.err().context("the policy never takes effect")
    };
    patiently(Duration::from_secs(30), attempt).await?;

    let (mut wrong, mut right) = (Vec::new(), 0);
    for patch in releases() {
        match try_patch(&api, &patch).await {
            Ok(()) => right += 1,
            Err(error) => wrong.push(format!("a release is refused: {patch}: {error}")),
        }
    }
    let by_editor: Api<BlueGreenApp> = Api::namespaced(editor.client()?, &sandbox.namespace);
    for (patch, named) in attempts() {
        match try_patch(&api, &patch).await {
            Err(error) if error.contains("who may not create BlueGreenApps") && error.contains(named) => {
                right += 1
            }
            Err(error) => wrong.push(format!("refused for another reason: {patch}: {error}")),
            Ok(()) => wrong.push(format!("nothing stops {patch}")),
        }
        // Whoever may create apps is not limited by it; what else refuses a row does not matter here.
        if let Err(error) = try_patch(&by_editor, &patch).await
            && error.contains("who may not create")
        {
            wrong.push(format!("an editor is limited: {patch}"));
        }
    }
    for (what, error) in forbidden(&pipeline, &sandbox.namespace).await? {
        match error {
            Some(403) => right += 1,
            other => wrong.push(format!("{what}: {other:?}")),
        }
    }
    println!("{right} of {} as they should be", right + wrong.len());
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    sandbox.finish().await
}

/// What RBAC alone stops, with the status code that each attempt got; `None` where it went through.
async fn forbidden(who: &UserAccount, namespace: &str) -> Result<Vec<(&'static str, Option<u16>)>> {
    fn code<T>(answer: kube::Result<T>) -> Option<u16> {
        match answer {
            Err(kube::Error::Api(status)) => Some(status.code),
            Err(_) | Ok(_) => None,
        }
    }
    let client = who.client()?;
    let apps: Api<BlueGreenApp> = Api::namespaced(client.clone(), namespace);
    let elsewhere: Api<BlueGreenApp> = Api::namespaced(client.clone(), "default");
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let deployments: Api<k8s_openapi::api::apps::v1::Deployment> = Api::namespaced(client.clone(), namespace);
    let services: Api<k8s_openapi::api::core::v1::Service> = Api::namespaced(client.clone(), namespace);
    let bindings: Api<RoleBinding> = Api::namespaced(client.clone(), namespace);
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let merge = PatchParams { dry_run: true, ..PatchParams::default() };
    let object: BlueGreenApp = serde_json::from_value(app("another").object())?;
    let pod: Pod = serde_json::from_value(
        json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}),
    )?;
    let admin: RoleBinding = serde_json::from_value(json!({
        "metadata": {"name": "admin"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": who.name}],
    }))?;
    let none = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    let delete = kube::api::DeleteParams { dry_run: true, ..kube::api::DeleteParams::default() };
    Ok(vec![
        ("create an app", code(apps.create(&dry, &object).await)),
        ("delete the app", code(apps.delete("hello", &delete).await)),
        ("write its status", code(apps.patch_status("hello", &merge, &none).await)),
        ("scale it past the policy", code(apps.patch_scale("hello", &merge, &none).await)),
        ("look at another namespace", code(elsewhere.list(&ListParams::default()).await)),
        ("read secrets", code(secrets.list(&ListParams::default()).await)),
        ("create a pod", code(pods.create(&dry, &pod).await)),
        ("edit a Deployment", code(deployments.patch("hello-blue", &merge, &none).await)),
        ("edit the Service", code(services.patch("hello", &merge, &none).await)),
        ("bind itself to more", code(bindings.create(&dry, &admin).await)),
    ])
}

/// The operator's own account, should somebody get hold of its token.
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

/// In a namespace with the restricted Pod Security Standard: nothing that it forbids runs, the app says why, and what
/// serves is left alone.
#[tokio::test]
async fn does_a_restricted_namespace_stay_restricted() -> Result<()> {
    let decent = json!({"template": {"spec": {
        "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "app", "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}],
    }}});
    let sandbox = Sandbox::new("restricted").await?;
    let labels = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    let namespaces: Api<Namespace> = Api::all(sandbox.client.clone());
    namespaces.patch(&sandbox.namespace, &PatchParams::default(), &Patch::Merge(labels)).await?;
    let (sandbox, _operator) = sandbox.serve(&app("hello").with(decent.clone())).await?;
    let security = |context: Value| json!({"containers": [{"name": "app", "securityContext": context}]});
    let attempts = [
        ("privileged", security(json!({"privileged": true}))),
        ("hostPath", json!({"volumes": [{"name": "root", "hostPath": {"path": "/"}}]})),
        ("hostNetwork", json!({"hostNetwork": true})),
        ("hostPID", json!({"hostPID": true})),
        ("runAsNonRoot", json!({"securityContext": {"runAsNonRoot": false}})),
        ("capabilities", security(json!({"capabilities": {"add": ["NET_ADMIN"]}}))),
    ];
    let count = attempts.len();
    for (number, (what, spec)) in attempts.into_iter().enumerate() {
        // The whole template anew, without what the last row added.
        let wanted = app("hello").with(decent.clone()).with(json!({
            "active": "green", "green": {"tag": format!("v3{number}")}, "progressDeadlineSeconds": 2,
            "template": {"spec": spec},
        }));
        sandbox.apply(&wanted).await?;
        let says = |world: &World| {
            world.says("hello", "Stalled").is_some_and(|(_, words)| words.contains("violates PodSecurity"))
        };
        sandbox.until(&format!("{what}: it says what forbids it"), says).await?;
        let world = sandbox.world();
        assert_eq!(world.selects("hello"), "blue", "{what}");
        assert!(world.pods("hello", Blue).len() == 2, "{what}: blue is left alone");
        sandbox.apply(&app("hello").with(decent.clone())).await?;
        sandbox.until(&format!("{what}: undone"), |world| world.serves("hello", Blue)).await?;
    }
    println!("{count} of {count} stopped by Pod Security");
    sandbox.finish().await
}

/// An app can't be told to put its objects anywhere else.
#[tokio::test]
async fn can_an_app_name_another_namespace() -> Result<()> {
    let sandbox = Sandbox::new("elsewhere").await?;
    let apps: Api<DynamicObject> = crate::harness::Kind::App.api(&sandbox.client, &sandbox.namespace);
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let mut elsewhere = app("hello").object();
    elsewhere["metadata"]["namespace"] = json!("kube-system");
    let error =
        apps.create(&params, &serde_json::from_value(elsewhere)?).await.err().context("it is taken")?;
    ensure!(error.to_string().contains("namespace"), "{error}");
    // No field of the spec names one: the strict schema refuses what it does not know.
    for spec in [
        json!({"namespace": "kube-system"}),
        json!({"service": {"namespace": "kube-system"}}),
        json!({"template": {"metadata": {"namespace": "kube-system"}}}),
    ] {
        let error = sandbox.apply(&app("hello").with(spec.clone())).await.err().context("it is taken")?;
        ensure!(format!("{error:#}").contains("field not declared in schema"), "{spec}: {error:#}");
    }
    sandbox.finish().await
}
