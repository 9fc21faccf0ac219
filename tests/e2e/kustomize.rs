//! Does the real kustomize do with an app what it does with a Deployment, once it is told how?

mod schema;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bluegreen_cluster::{manifests, output};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{Sandbox, cluster};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The objects that kustomize builds in a folder, by kind and name.
async fn built(folder: &Path) -> Result<Vec<Value>> {
    let folder = folder.display().to_string();
    let text = output(cluster().await?.kubectl(&["kustomize", &folder])).await?;
    let objects = serde_yaml_ng::Deserializer::from_str(&text);
    Ok(objects.map(Value::deserialize).collect::<Result<_, _>>()?)
}

/// A folder of its own, with copies of the components, a base of these objects and an overlay.
async fn overlay(name: &str, objects: &[Value], overlay: &Value) -> Result<Vec<Value>> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kustomize-{name}"));
    for inner in ["base", "overlay", "apps", "apps-by-name"] {
        std::fs::create_dir_all(folder.join(inner))?;
    }
    for component in ["apps", "apps-by-name"] {
        for file in std::fs::read_dir(root().join("config").join(component))? {
            let file = file?;
            std::fs::copy(file.path(), folder.join(component).join(file.file_name()))?;
        }
    }
    let text: Vec<String> = objects.iter().map(Value::to_string).collect();
    std::fs::write(folder.join("base/objects.yaml"), text.join("\n---\n"))?;
    let generators = json!([{"name": "config", "literals": ["a=b"]}]);
    let base = json!({"resources": ["objects.yaml"], "configMapGenerator": generators,
        "secretGenerator": [{"name": "secret", "literals": ["a=b"]}]});
    std::fs::write(folder.join("base/kustomization.yaml"), base.to_string())?;
    std::fs::write(folder.join("overlay/kustomization.yaml"), overlay.to_string())?;
    built(&folder.join("overlay")).await
}

fn object(api: &str, kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// The ways of docs/kustomize.md that need no schema.
#[tokio::test]
async fn do_replacements_and_a_tested_json_patch_reach_a_container_without_a_schema() -> Result<()> {
    let documented = manifests(include_str!("../../docs/kustomize.md"), "Patches by name");
    let patch = documented.first().context("the document has no patch")?;
    let patched = |patch: &str| json!({"resources": ["../base"], "patches": [{"target": {"kind": "BlueGreenApp"}, "patch": patch}]});
    let image = "docker.io/library/busybox:1.38";
    let replaced = json!({"resources": ["../base"], "replacements": [{
        "source": {"kind": "ConfigMap", "fieldPath": "data.a"},
        "targets": [{"select": {"kind": "BlueGreenApp"},
            "fieldPaths": ["spec.template.spec.containers.[name=log].image"]}]}]});
    for (name, overlay_, image) in [("json", patched(patch), image), ("replaced", replaced, "b")] {
        let objects = overlay(name, &objects(), &overlay_).await?;
        let containers = &kind(&objects, "BlueGreenApp")?["spec"]["template"]["spec"]["containers"];
        assert_eq!([&containers[0]["name"], &containers[1]["name"]], ["app", "log"]);
        assert_eq!(containers[1]["image"], image);
    }
    let other = patch.replace("/containers/1/", "/containers/0/");
    assert!(other != *patch && overlay("json-order", &objects(), &patched(&other)).await.is_err());
    Ok(())
}

/// Every place where pods name another object that kustomize knows.
fn pod_spec() -> Value {
    let env = json!([{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "config", "key": "a"}}},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "secret", "key": "a"}}}]);
    let from = json!([{"configMapRef": {"name": "config"}}, {"secretRef": {"name": "secret"}}]);
    let container = |name: &str| json!({"name": name, "image": "log:v1", "env": env, "envFrom": from});
    let mut app = container("app");
    app.as_object_mut().map(|app| app.remove("image"));
    json!({
        "serviceAccountName": "account", "priorityClassName": "high", "imagePullSecrets": [{"name": "secret"}],
        "initContainers": [container("first")], "containers": [app, container("log")],
        "volumes": [
            {"name": "a", "configMap": {"name": "config"}}, {"name": "b", "secret": {"secretName": "secret"}},
            {"name": "c", "persistentVolumeClaim": {"claimName": "claim"}},
            {"name": "d", "projected": {"sources": [{"configMap": {"name": "config"}}, {"secret": {"name": "secret"}}]}},
            {"name": "e", "csi": {"driver": "d", "nodePublishSecretRef": {"name": "secret"}}},
        ],
    })
}

fn objects() -> Vec<Value> {
    let template = json!({"spec": pod_spec()});
    let color = json!({"tag": "v1", "env": pod_spec()["containers"][0]["env"]});
    let metrics = json!({"address": "http://prometheus.monitoring:9090", "query": "1", "min": "1",
        "tokenSecret": {"name": "secret", "key": "a"}, "ca": {"configMap": "config", "key": "a"}});
    let checks =
        json!([{"name": "job", "job": {"template": template}}, {"name": "metrics", "prometheus": metrics}]);
    let app = json!({"active": "blue", "image": "team/hello", "port": 80, "blue": color, "green": color,
        "template": template, "checks": checks});
    let target = json!({"apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "name": "hello"});
    let class = json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 1});
    let backend = json!({"service": {"name": "hello", "port": {"number": 80}}});
    vec![
        object("bluegreen.dev/v1alpha1", "BlueGreenApp", "hello", app),
        object("apps/v1", "Deployment", "other", json!({"template": template})),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "account"}}),
        object("v1", "PersistentVolumeClaim", "claim", json!({})),
        class,
        object("autoscaling/v2", "HorizontalPodAutoscaler", "hello", json!({"scaleTargetRef": target})),
        object("keda.sh/v1alpha1", "ScaledObject", "hello", json!({"scaleTargetRef": target})),
        object("autoscaling.k8s.io/v1", "VerticalPodAutoscaler", "hello", json!({"targetRef": target})),
        object(
            "policy/v1",
            "PodDisruptionBudget",
            "hello",
            json!({"selector": {"matchLabels": {"bluegreen.dev/app": "hello"}}}),
        ),
        object(
            "networking.k8s.io/v1",
            "Ingress",
            "hello",
            json!({"defaultBackend": backend,
            "rules": [{"http": {"paths": [{"path": "/", "backend": backend}]}}]}),
        ),
        object(
            "gateway.networking.k8s.io/v1",
            "HTTPRoute",
            "hello",
            json!({"rules": [{"backendRefs": [{"name": "hello"}]}]}),
        ),
        object(
            "gateway.networking.k8s.io/v1",
            "GRPCRoute",
            "hello",
            json!({"rules": [{"backendRefs": [{"name": "hello"}]}]}),
        ),
    ]
}

fn kind<'a>(objects: &'a [Value], kind: &str) -> Result<&'a Value> {
    objects.iter().find(|object| object["kind"] == kind).with_context(|| kind.to_owned())
}

/// All texts in an object that are or contain a word.
fn texts<'a>(value: &'a Value, word: &str, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::String(text) if text.contains(word) => {
            found.insert(text);
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, word, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, word, found)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[tokio::test]
async fn does_an_app_follow_the_new_names_of_what_it_uses_as_a_deployment_does() -> Result<()> {
    let overlay_of = |components: Value| json!({"resources": ["../base"], "namePrefix": "test-", "components": components});
    let with = overlay("names", &objects(), &overlay_of(json!(["../apps"]))).await?;
    let (app, deployment) = (kind(&with, "BlueGreenApp")?, kind(&with, "Deployment")?);
    let mut pods = deployment["spec"]["template"]["spec"].clone();
    // kustomize's own configuration leaves this one out.
    let secret = pods["imagePullSecrets"][0]["name"].clone();
    pods["volumes"][4]["csi"]["nodePublishSecretRef"]["name"] = secret;
    assert_eq!(app["spec"]["template"]["spec"], pods);
    let [job, metrics] = [0, 1].map(|index| &app["spec"]["checks"][index]);
    assert_eq!(job["job"]["template"]["spec"], pods);
    assert_eq!(metrics["prometheus"]["tokenSecret"]["name"], pods["volumes"][1]["secret"]["secretName"]);
    assert_eq!(metrics["prometheus"]["ca"]["configMap"], pods["volumes"][0]["configMap"]["name"]);
    for color in ["blue", "green"] {
        assert_eq!(app["spec"][color]["env"], deployment["spec"]["template"]["spec"]["containers"][0]["env"]);
    }
    let mut names = BTreeSet::new();
    texts(&app["spec"]["template"], "test-", &mut names);
    assert_eq!(names.len(), 5, "a ConfigMap, a Secret, an account, a claim, a priority: {names:?}");
    // And those who name the app follow it.
    for other in with.iter().filter(|other| other["metadata"]["name"] == "test-hello") {
        let mut names = BTreeSet::new();
        texts(other, "hello", &mut names);
        names.remove("team/hello");
        assert_eq!(names, BTreeSet::from(["test-hello"]), "{other}");
    }
    // Without the component none of this happens.
    let without = overlay("no-names", &objects(), &overlay_of(json!([]))).await?;
    let app = kind(&without, "BlueGreenApp")?;
    let mut names = BTreeSet::new();
    texts(&app["spec"], "test-", &mut names);
    assert_eq!(names, BTreeSet::new());
    Ok(())
}

#[tokio::test]
async fn does_a_patch_by_name_leave_the_other_containers_of_apps_and_deployments() -> Result<()> {
    let patch = |api: &str, kind: &str, name: &str| {
        let containers =
            json!([{"name": "log", "env": [{"name": "A", "value": "patched", "valueFrom": null}]}]);
        object(api, kind, name, json!({"template": {"spec": {"containers": containers}}})).to_string()
    };
    let patches = json!([{"patch": patch("bluegreen.dev/v1alpha1", "BlueGreenApp", "hello")},
        {"patch": patch("apps/v1", "Deployment", "other")}]);
    let all = json!({"resources": ["../base"], "namespace": "shop", "patches": patches,
        "components": ["../apps", "../apps-by-name"]});
    let with = overlay("by-name", &objects(), &all).await?;
    let containers = |objects: &[Value], of: &str| -> Result<Value> {
        Ok(kind(objects, of)?["spec"]["template"]["spec"]["containers"].clone())
    };
    let app = containers(&with, "BlueGreenApp")?;
    let names: BTreeSet<_> =
        app.as_array().context("a list")?.iter().filter_map(|container| container["name"].as_str()).collect();
    assert_eq!(names, BTreeSet::from(["app", "log"]));
    assert_eq!(app, containers(&with, "Deployment")?);
    // The schema changes nothing else in the build.
    let mut plain = all.clone();
    plain["components"] = json!(["../apps"]);
    let without = overlay("not-by-name", &objects(), &plain).await?;
    let others = |objects: &[Value]| -> Vec<Value> {
        objects.iter().filter(|object| object["kind"] != "BlueGreenApp").cloned().collect()
    };
    assert_eq!(others(&with), others(&without));
    // And without it the other container is gone.
    assert_eq!(containers(&without, "BlueGreenApp")?.as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn is_the_example_an_app_that_the_api_server_takes_and_a_new_tag_by_images_one_that_it_refuses()
-> Result<()> {
    let sandbox = Sandbox::new("kustomize-example").await?;
    let objects = built(&root().join("examples/kustomize/test")).await?;
    let mut app = kind(&objects, "BlueGreenApp")?.clone();
    assert_eq!(app["metadata"]["name"], "test-hello");
    assert_eq!(app["spec"]["image"], "registry.example.com/team/hello");
    assert_eq!((&app["spec"]["replicas"], &app["spec"]["green"]["tag"]), (&json!(2), &json!("v1.2.0")));
    app["metadata"]["namespace"] = json!(sandbox.namespace);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kustomize-example.yaml");
    let file = file.display().to_string();
    std::fs::write(&file, app.to_string())?;
    let apply = ["apply", "--dry-run=server", "--validate=strict", "-f", &file];
    sandbox.kubectl(&apply).await?;
    let spec = json!({"active": "blue", "image": "team/hello", "port": 80, "blue": {"tag": "v1"},
        "template": {"spec": {"containers": [{"name": "log", "image": "team/log:v1"}]}}});
    let app = [object("bluegreen.dev/v1alpha1", "BlueGreenApp", "hello", spec)];
    let images = |components: Value| {
        json!({"resources": ["../base"], "components": components,
            "images": [{"name": "team/hello", "newTag": "v9"}, {"name": "team/log", "newTag": "v2"}]})
    };
    let untold = overlay("no-images", &app, &images(json!([]))).await?;
    let untold = &kind(&untold, "BlueGreenApp")?["spec"];
    assert_eq!(untold["image"], "team/hello", "ignored without a word");
    assert_eq!(untold["template"]["spec"]["containers"][0]["image"], "team/log:v2");
    let tagged = overlay("images", &app, &images(json!(["../apps"]))).await?;
    let mut tagged = kind(&tagged, "BlueGreenApp")?.clone();
    tagged["metadata"]["namespace"] = json!(sandbox.namespace);
    std::fs::write(&file, tagged.to_string())?;
    let refused = sandbox.kubectl(&apply).await.err().context("it was taken")?.to_string();
    assert!(refused.contains("spec.image"), "{refused}");
    sandbox.finish().await
}
