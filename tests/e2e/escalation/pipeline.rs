//! A pipeline: with its role and the policy it releases, and little more.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::BlueGreenApp;
use bluegreen_api::Color::{Blue, Green};
use bluegreen_cluster::{UserAccount, patiently};
use k8s_openapi::DeepMerge;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde::Deserialize;
use serde_json::{Value, json};

use super::attempts::{
    OWNERS, Way, attempt, checks, noted, of_the_metadata, of_the_owners, of_the_spec, releases,
};
use crate::harness::{Kind, Sandbox, World, app, cluster, setup};

const POLICY: &str = include_str!("../../../config/rbac/limited_edits.yaml");
const ROLES: [&str; 2] = [
    include_str!("../../../config/rbac/bluegreenapp_pipeline_role.yaml"),
    include_str!("../../../config/rbac/bluegreenapp_editor_role.yaml"),
];

/// Installs the policy and the roles as shipped.
pub(super) async fn install(client: &kube::Client) -> Result<()> {
    let documents = std::iter::once(POLICY).chain(ROLES).flat_map(serde_yaml_ng::Deserializer::from_str);
    let object = |document| Ok(serde_json::from_value(Value::deserialize(document)?)?);
    apply(client, &documents.map(object).collect::<Result<Vec<_>>>()?).await
}

/// The objects of a kind of the whole cluster.
fn api_of(client: &kube::Client, object: &DynamicObject) -> Result<Api<DynamicObject>> {
    let types = object.types.as_ref().context("kind")?;
    let (group, version) = types.api_version.split_once('/').context("group")?;
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &types.kind));
    Ok(Api::all_with(client.clone(), &resource))
}

/// Creates or changes objects that belong to no namespace.
pub(super) async fn apply(client: &kube::Client, objects: &[DynamicObject]) -> Result<()> {
    for object in objects {
        let params = PatchParams::apply("e2e").force();
        api_of(client, object)?.patch(&object.name_any(), &params, &Patch::Apply(object)).await?;
    }
    Ok(())
}

/// Takes [`apply`] back.
pub(super) async fn remove(client: &kube::Client, objects: &[DynamicObject]) -> Result<()> {
    for object in objects {
        api_of(client, object)?.delete(&object.name_any(), &DeleteParams::default()).await?;
    }
    Ok(())
}

/// A user with a ClusterRole in this namespace.
pub(super) async fn user(sandbox: &Sandbox, who: &str, role: &str) -> Result<UserAccount> {
    let user = cluster().await?.user(&format!("{who}-{}", sandbox.namespace), &[]).await?;
    setup::allow(&sandbox.client, &sandbox.namespace, &user, role).await?;
    Ok(user)
}

/// What is in effect, tried until it is.
async fn in_effect(api: &Api<BlueGreenApp>) -> Result<()> {
    let evil = json!({"spec": {"image": "evil/image"}});
    let tried = async || {
        let answer = attempt(api, &Value::Null, &evil, Way::Merge).await.and_then(Result::err);
        answer.filter(|words| words.contains("who may not create")).context("the policy never takes effect")
    };
    patiently(Duration::from_secs(30), tried).await.map(drop)
}

/// The app as it is, with its owners.
async fn live(sandbox: &Sandbox) -> Result<Value> {
    let api = Kind::App.api(&sandbox.client, &sandbox.namespace);
    Ok(serde_json::to_value(api.get("hello").await?)?)
}

/// Whoever may change apps in every way but create them: the role of the pipeline has no `update`.
async fn updater(sandbox: &Sandbox) -> Result<UserAccount> {
    let user = cluster().await?.user(&format!("updater-{}", sandbox.namespace), &[]).await?;
    let role = json!({
        "metadata": {"name": "updater"},
        "rules": [{
            "apiGroups": ["bluegreen.dev"], "resources": ["bluegreenapps", "bluegreenapps/scale"],
            "verbs": ["get", "list", "patch", "update"],
        }],
    });
    let binding = json!({
        "metadata": {"name": "updater"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "updater"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user.name}],
    });
    let params = PostParams::default();
    let roles: Api<Role> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    roles.create(&params, &serde_json::from_value(role)?).await?;
    let bindings: Api<RoleBinding> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    bindings.create(&params, &serde_json::from_value(binding)?).await?;
    Ok(user)
}

#[tokio::test]
async fn may_a_pipeline_release_and_little_more() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("pipeline", &app("hello")).await?;
    install(&sandbox.client).await?;
    let pipeline = user(&sandbox, "pipeline", "bluegreenapp-pipeline").await?;
    let editor = user(&sandbox, "editor", "bluegreenapp-editor").await?;
    let updater = updater(&sandbox).await?;
    let apps = |user: &UserAccount| anyhow::Ok(Api::namespaced(user.client()?, &sandbox.namespace));
    let (api, by_updater, by_editor): (Api<BlueGreenApp>, _, _) =
        (apps(&pipeline)?, apps(&updater)?, apps(&editor)?);
    in_effect(&api).await?;
    in_effect(&by_updater).await?;
    sandbox.patch(Kind::App, "hello", noted()).await?;
    sandbox.edit("hello", json!({"checks": checks("team/check", true)})).await?;
    // An update must name the version that is there, and the status tells of that edit.
    sandbox.until("it is told", |world| world.serves("hello", Blue)).await?;
    let object = live(&sandbox).await?;
    let owners = object["metadata"]["managedFields"].as_array().context("owners")?;

    let (mut wrong, mut right) = (Vec::new(), 0);
    let refused = [of_the_spec(), of_the_metadata(), of_the_owners(owners)].concat();
    for way in Way::ALL {
        let api = if way == Way::Update { &by_updater } else { &api };
        for patch in releases() {
            match attempt(api, &object, &patch, way).await {
                Some(Ok(())) => right += 1,
                Some(Err(error)) => wrong.push(format!("{way:?}: a release is refused: {patch}: {error}")),
                None => {}
            }
        }
        for (patch, named) in &refused {
            match attempt(api, &object, patch, way).await {
                Some(Err(error))
                    if error.contains("who may not create BlueGreenApps") && error.contains(named) =>
                {
                    right += 1
                }
                Some(Err(error)) => {
                    wrong.push(format!("{way:?}: refused for another reason: {patch}: {error}"))
                }
                Some(Ok(())) => wrong.push(format!("{way:?}: nothing stops {patch}")),
                None => {}
            }
        }
    }
    // Whoever may create apps is not limited by it; what else refuses a row does not matter here.
    for (patch, _) in &refused {
        if let Some(Err(error)) = attempt(&by_editor, &object, patch, Way::Merge).await
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

/// To apply all that there is, with the own name, would make the pipeline an owner of it: what a person then takes out of Git
/// would stay.
#[tokio::test]
async fn may_a_pipeline_own_only_what_it_may_change() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("owners", &app("hello")).await?;
    install(&sandbox.client).await?;
    let pipeline = user(&sandbox, "pipeline", "bluegreenapp-pipeline").await?;
    let api: Api<BlueGreenApp> = Api::namespaced(pipeline.client()?, &sandbox.namespace);
    in_effect(&api).await?;
    sandbox.edit("hello", json!({"drainSeconds": 0})).await?;
    let params = PatchParams::apply("pipeline").force();
    let error = api.patch("hello", &params, &Patch::Apply(app("hello").drain(0).object())).await.err();
    ensure!(error.as_ref().is_some_and(|error| error.to_string().contains(OWNERS)), "{error:?}");

    let mut release = json!({"spec": {"active": "green", "green": {"tag": "v3"}}});
    release.merge_from(json!({
        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "metadata": {"name": "hello"},
    }));
    api.patch("hello", &params, &Patch::Apply(&release)).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    // Others are written to managedFields, too, and what this one owns can change hands again.
    let merge = PatchParams { field_manager: Some("another".to_owned()), ..PatchParams::default() };
    api.patch("hello", &merge, &Patch::Merge(json!({"spec": {"active": "blue"}}))).await?;
    sandbox.until("blue serves", |world| world.serves("hello", Blue)).await?;
    // More managers than the API server keeps apart: it merges the oldest, which is a person's.
    for number in 0..14 {
        let merge = PatchParams { field_manager: Some(format!("job-{number}")), ..PatchParams::default() };
        let patch = json!({"metadata": {"annotations": {format!("job-{number}"): "done"}}});
        api.patch("hello", &merge, &Patch::Merge(patch)).await?;
    }
    let owners = live(&sandbox).await?["metadata"]["managedFields"].clone();
    ensure!(owners.to_string().contains("ancient-changes"), "{owners}");
    sandbox.finish().await
}

/// An account in kube-system is a tenant as any other, an autoscaler writes the subresource, and the garbage collector is let
/// through.
#[tokio::test]
async fn is_nobody_spared_but_the_garbage_collector() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("spared", &app("hello")).await?;
    install(&sandbox.client).await?;
    let groups = ["system:serviceaccounts", "system:serviceaccounts:kube-system"];
    let account = format!("system:serviceaccount:kube-system:ci-{}", sandbox.namespace);
    let account = cluster().await?.user(&account, &groups).await?;
    setup::allow(&sandbox.client, &sandbox.namespace, &account, "bluegreenapp-pipeline").await?;
    in_effect(&Api::namespaced(account.client()?, &sandbox.namespace)).await?;

    let scaler = updater(&sandbox).await?;
    let api: Api<BlueGreenApp> = Api::namespaced(scaler.client()?, &sandbox.namespace);
    in_effect(&api).await?;
    let params = PatchParams::default();
    api.patch_scale("hello", &params, &Patch::Merge(json!({"spec": {"replicas": 3}}))).await?;
    sandbox.until("it is scaled", |world| world.size("hello", Blue) == Some(3)).await?;

    // The garbage collector takes its finalizer off, and an owner that is gone.
    let maps: Api<ConfigMap> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let mut owners = Vec::new();
    for name in ["stays", "goes"] {
        let map = serde_json::from_value(json!({"metadata": {"name": name}}))?;
        let uid = maps.create(&PostParams::default(), &map).await?.uid();
        owners.push(json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid}));
    }
    sandbox.patch(Kind::App, "hello", json!({"metadata": {"ownerReferences": owners}})).await?;
    maps.delete("goes", &DeleteParams::background()).await?;
    let of_app = |world: &World| world.raw(Kind::App, "hello").map(|app| app["metadata"].clone());
    let one_owner = |world: &World| {
        of_app(world)
            .is_some_and(|app| app["ownerReferences"].as_array().is_some_and(|owners| owners.len() == 1))
    };
    sandbox.until("the owner that is gone is taken off", one_owner).await?;
    sandbox.kubectl(&["delete", "bga", "hello", "--cascade=orphan", "--wait=false"]).await?;
    sandbox.until("the app is gone", |world| of_app(world).is_none()).await?;
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
