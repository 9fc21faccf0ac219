//! Others who write to the operator's objects, on a real API server with its own rules of who owns which field.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use bluegreen_cluster::patiently;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::guard::Rule;
use crate::harness::record::Event;
use crate::harness::{Kind, Sandbox, World, app};
use crate::version;

/// Longer than the operator takes somebody to be at it after the last time.
const OVER: Duration = Duration::from_secs(180);

/// From an edit to the words about it.
const TOLD: Duration = Duration::from_secs(10);

/// A template whose container `app` has these fields.
fn container(fields: Value) -> Value {
    let mut container = json!({"name": "app"});
    container
        .as_object_mut()
        .into_iter()
        .for_each(|c| c.extend(fields.as_object().cloned().unwrap_or_default()));
    json!({"template": {"spec": {"containers": [container]}}})
}

fn env(names: &[&str]) -> Value {
    container(
        json!({"env": names.iter().map(|name| json!({"name": name, "value": "1"})).collect::<Vec<_>>()}),
    )
}

/// The names of the variables of a color's pods, and its tag.
fn runs(world: &World, color: bluegreen_api::Color) -> Option<(Vec<String>, String)> {
    let pods = world.deployment("hello", color)?.spec?.template.spec?;
    let container = pods.containers.into_iter().next()?;
    let names = container.env.unwrap_or_default().into_iter().map(|variable| variable.name).collect();
    Some((names, container.image?.split_once(':')?.1.to_owned()))
}

fn message(world: &World, type_: &str) -> String {
    let status = world.status("hello");
    let condition = status.as_ref().and_then(|status| status.condition(type_));
    condition.map(|condition| condition.message.clone()).unwrap_or_default()
}

/// `kubectl apply --server-side --force-conflicts` of all that there is, defaults included.
async fn own_all(sandbox: &Sandbox, name: &str) -> Result<()> {
    let api: Api<Deployment> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let mut all = api.get(name).await?;
    (all.metadata.managed_fields, all.metadata.resource_version, all.status) = (None, None, None);
    api.patch(name, &PatchParams::apply("restore").force(), &Patch::Apply(&all)).await?;
    Ok(())
}

#[tokio::test]
async fn do_pods_follow_the_template_when_another_manager_owns_them_too() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("exact-pods", &app("hello").with(env(&["A", "B"]))).await?;
    own_all(&sandbox, "hello-green").await?;
    let warm = |world: &World| world.condition("hello", "StandbyReady", "True", "Warm");
    sandbox.until("green is warm", warm).await?;

    let mut edit = env(&["A"]);
    edit["green"] = json!({"tag": "v3"});
    sandbox.edit("hello", edit).await?;
    let is_exact = |world: &World, tag: &str| runs(world, Green) == Some((vec!["A".into()], tag.into()));
    sandbox.until("green runs v3 without B", |world| warm(world) && is_exact(world, "v3")).await?;

    // `kubectl set env`, `kubectl rollout pause`.
    sandbox.kubectl(&["set", "env", "deployment/hello-green", "C=1"]).await?;
    sandbox.kubectl(&["rollout", "pause", "deployment/hello-green"]).await?;
    sandbox.edit("hello", json!({"active": "green", "green": {"tag": "v4"}})).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green) && is_exact(world, "v4")).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn is_an_adopted_load_balancer_exact_in_its_ports_and_never_less_guarded() -> Result<()> {
    let sandbox = Sandbox::new("exact-ports").await?;
    let service = json!({
        "metadata": {"name": "hello", "annotations": {"bluegreen.dev/adopt": "hello"}},
        "spec": {
            "type": "LoadBalancer", "selector": {"app": "old"}, "loadBalancerClass": "example.com/internal",
            "loadBalancerSourceRanges": ["10.0.0.0/8"], "allocateLoadBalancerNodePorts": false,
            "ports": [{"name": "http", "port": 80}],
        },
    });
    sandbox.create(Kind::Service, service).await?;
    let of_port = |port| json!({"service": {"type": "LoadBalancer", "port": port}});
    let (sandbox, _operator) = sandbox.serve(&app("hello").with(of_port(80))).await?;
    let listens = |world: &World, port: i32| {
        let ports = world.service("hello").and_then(|service| service.spec?.ports).unwrap_or_default();
        ports.iter().map(|port| port.port).eq([port])
    };
    let is_guarded = |world: &World| {
        let spec = world.service("hello").and_then(|service| service.spec).unwrap_or_default();
        spec.load_balancer_source_ranges == Some(vec!["10.0.0.0/8".into()])
            && spec.load_balancer_class.as_deref() == Some("example.com/internal")
            && spec.allocate_load_balancer_node_ports == Some(false)
    };
    sandbox.edit("hello", of_port(8080)).await?;
    sandbox.until("it listens on 8080", |world| listens(world, 8080) && world.ready("hello")).await?;

    let was = sandbox.world().service("hello").and_then(|service| service.metadata.uid).context("a uid")?;
    sandbox.delete(Kind::Service, "hello").await?;
    let is_back = |world: &World| {
        let now = world.service("hello").and_then(|service| service.metadata.uid);
        now.is_some_and(|now| now != was) && is_guarded(world)
    };
    sandbox.until("it is back", |world| is_back(world) && world.serves("hello", Blue)).await?;
    sandbox.edit("hello", json!({"active": "green", "service": {"annotations": {"team": "a"}}})).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green) && is_guarded(world)).await?;
    sandbox.finish().await
}

/// Its feature gate is off. A server from before the field does not drop it, but refuses the Deployment.
#[tokio::test]
async fn is_a_field_that_the_api_server_drops_named() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("dropped", &app("hello")).await?;
    let mut edit = container(json!({"lifecycle": {"stopSignal": "SIGUSR1"}}));
    edit["template"]["spec"]["os"] = json!({"name": "linux"});
    edit["active"] = json!("green");
    sandbox.edit("hello", edit).await?;
    let knows = version::minor(&sandbox.client).await? >= 33;
    sandbox
        .within(TOLD, "it is named", |world| {
            if knows {
                let named =
                    "lifecycle.stopSignal should be \"SIGUSR1\", but the API server does not store it";
                return world.stalled("hello", "Contested") && message(world, "Stalled").contains(named);
            }
            let said = message(world, "Stalled").contains("stopSignal: field not declared in schema");
            world.stalled("hello", "Refused") && said
        })
        .await?;
    sandbox.edit("hello", json!({"template": null})).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}

/// A server from before the field can't read the Deployment at all, and answers 500.
#[tokio::test]
async fn is_a_field_that_this_kubernetes_does_not_know_named_and_a_live_pod_that_fails_meanwhile()
-> Result<()> {
    let sandbox = Sandbox::new("unknown-field").await?;
    if version::minor(&sandbox.client).await? >= 34 {
        eprintln!("skipped: this Kubernetes knows the field");
        return sandbox.finish().await;
    }
    let _operator = sandbox.operator()?;
    let edit = json!({"template": {"spec": {"hostnameOverride": "shop"}}});
    let named = |world: &World, app: &str, condition: &str| {
        let status = world.status(app).unwrap_or_default();
        let found = status.condition(condition);
        found.is_some_and(|found| found.reason == "Refused" && found.message.contains("hostnameOverride"))
    };
    sandbox.apply(&app("fresh").with(edit.clone())).await?;
    sandbox.within(TOLD, "a new app names it", |world| named(world, "fresh", "Stalled")).await?;
    assert!(!sandbox.told("SwitchBlocked").await?.is_empty(), "and so does an Event");

    sandbox.apply(&app("hello")).await?;
    sandbox.until("hello serves", |world| world.ready("hello")).await?;
    sandbox.edit("hello", edit).await?;
    sandbox
        .within(TOLD, "an app that serves names it", |world| named(world, "hello", "StandbyReady"))
        .await?;
    assert!(sandbox.world().ready("hello"));
    are_failing_live_pods_told(&sandbox).await?;
    // The test has broken them all.
    sandbox.finish_allowing(&[Rule::NeverEmpty]).await
}

/// Blue is live. Its pods turn unready, and within ten seconds the app says so.
pub async fn are_failing_live_pods_told(sandbox: &Sandbox) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let live = ListParams::default().labels("bluegreen.dev/app=hello,bluegreen.dev/color=blue");
    let never = json!({"metadata": {"annotations": {"test.bluegreen.dev/ready": "never"}}});
    for pod in pods.list(&live).await? {
        pods.patch(&pod.name_any(), &PatchParams::default(), &Patch::Merge(&never)).await?;
    }
    let fails = |world: &World| {
        let status = world.status("hello").unwrap_or_default();
        status.condition("Ready").is_some_and(|ready| ready.reason == "LiveNotReady")
    };
    sandbox.within(TOLD, "its pods are told to fail", fails).await
}

/// On the live color too, whoever changes what the operator has written is told: in another way than the app's they would lose it.
#[tokio::test]
async fn are_edits_of_the_live_deployment_by_kubectl_taken_back_and_told() -> Result<()> {
    let tolerations = json!({"template": {"spec": {"tolerations": [{"key": "gpu", "operator": "Exists"}]}}});
    let (sandbox, _operator) = Sandbox::serving("kubectl-edits", &app("hello").with(tolerations)).await?;
    // An earlier revision, to which the Deployment could be rolled back.
    for edit in [json!({"active": "green"}), json!({"active": "blue", "blue": {"tag": "v3"}})] {
        let color = if edit["active"] == "green" { Green } else { Blue };
        sandbox.edit("hello", edit).await?;
        sandbox.until(&format!("{color} serves"), |world| world.serves("hello", color)).await?;
    }
    let at_rest = |world: &World| {
        let generation = world.app("hello").and_then(|app| app.metadata.generation);
        let status = world.status("hello");
        // As long as the status is not about the edit, or something is under way, what is undone might be the edit itself.
        let is_settled = status.as_ref().is_some_and(|status| status.is_settled());
        generation == status.map(|status| status.observed_generation)
            && is_settled
            && world.serves("hello", Blue)
    };
    sandbox.until("the drain is over", at_rest).await?;
    let patch =
        json!([{"op": "add", "path": "/spec/template/spec/tolerations/0/effect", "value": "NoExecute"}]);
    let patch = patch.to_string();
    let edits: [(&[&str], &str); 4] = [
        // Before there is a ReplicaSet of another edit.
        (&["rollout", "undo"], "spec.template.metadata.labels.bluegreen.dev/revision"),
        (&["scale", "--replicas=5"], "changed spec.replicas to 5; it is 2 again"),
        (&["set", "image", "app=docker.io/library/hello:other"], "containers[app].image"),
        (&["patch", "--type=json", "--patch", &patch], "spec.template.spec.tolerations"),
    ];
    for (number, (command, words)) in edits.into_iter().enumerate() {
        // More edits of one generation, in so short a time, would be a fight.
        sandbox.edit("hello", json!({"service": {"annotations": {"edit": number.to_string()}}})).await?;
        sandbox.until("the edit is carried out", at_rest).await?;
        let (verb, rest) =
            command.split_at(if command[0] == "rollout" || command[0] == "set" { 2 } else { 1 });
        let mut arguments = verb.to_vec();
        arguments.push("deployment/hello-blue");
        arguments.extend(rest);
        let before = template(&sandbox)?;
        sandbox.kubectl(&arguments).await?;
        let is_told = async || {
            let events = sandbox.told("EditReverted").await?;
            let notes: Vec<_> = events.into_iter().filter_map(|event| event.note).collect();
            let told = notes.iter().any(|note| {
                note.starts_with("Deployment hello-blue: the field manager kubectl") && note.contains(words)
            });
            ensure!(told, "{command:?}: {notes:?}");
            Ok(())
        };
        patiently(TOLD, is_told).await?;
        sandbox.until("blue is as it was", |world| at_rest(world) && world.rolled_out("hello", Blue)).await?;
        assert_eq!(template(&sandbox)?, before, "{command:?}");
    }
    // The test has changed its template, and made it smaller again.
    sandbox.finish_allowing(&[Rule::LiveKeepsItsTemplate, Rule::LiveKeepsItsSize]).await
}

fn template(sandbox: &Sandbox) -> Result<Value> {
    let deployment = sandbox.world().deployment("hello", Blue).and_then(|deployment| deployment.spec);
    Ok(serde_json::to_value(deployment.context("blue's Deployment")?.template)?)
}

/// The annotation is not in the spec, and taking it back would replace the live pods once more.
#[tokio::test]
async fn is_a_restart_of_the_live_color_by_kubectl_told_and_not_taken_back() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("restarted", &app("hello")).await?;
    let generation =
        |world: &World| world.deployment("hello", Blue).and_then(|deployment| deployment.metadata.generation);
    let since = |world: &World, color| world.status("hello")?.color(color)?.restarted_at.clone();
    let (pods, was) = (sandbox.world().pods("hello", Blue), generation(&sandbox.world()).context("blue")?);
    let before = sandbox.events().len();
    sandbox.kubectl_edits(Kind::Deployment, &["rollout", "restart", "deployment/hello-blue"]).await?;
    let is_done = |world: &World| {
        let are_new = world.pods("hello", Blue).iter().all(|pod| !pods.contains(pod));
        world.serves("hello", Blue)
            && world.rolled_out("hello", Blue)
            && are_new
            && since(world, Blue).is_some()
    };
    sandbox.until("its pods are replaced", is_done).await?;
    sandbox.throughout(Duration::from_secs(3), "it is left at that", is_done).await?;
    assert_eq!(generation(&sandbox.world()), Some(was + 1), "nobody but kubectl has edited it");
    let available = |event: &Event| event.object["status"]["availableReplicas"].as_i64();
    let fewest = sandbox.events()[before..]
        .iter()
        .filter(|event| event.kind == Kind::Deployment && event.name == "hello-blue")
        .filter_map(available)
        .min();
    assert_eq!(fewest, Some(2), "as many pods serve as before");

    let events = sandbox.told("Restarted").await?;
    let notes: Vec<_> = events.iter().filter_map(|event| event.note.as_deref()).collect();
    assert_eq!(
        notes,
        ["blue's Deployment was restarted by hand (kubectl rollout restart, which sets the annotation \
          kubectl.kubernetes.io/restartedAt of its pods): its pods are replaced in place, and the annotation is kept until \
          blue's next revision. To have new pods that are ready before they serve, set spec.green.revision to a new \
          value, and switch to green"]
    );
    let about = events[0].regarding.clone().unwrap_or_default();
    assert_eq!((about.kind.as_deref(), about.name.as_deref()), (Some("BlueGreenApp"), Some("hello")));

    // A switch and its way back replace no pod; the next revision of the color ends it.
    let pods = sandbox.world().pods("hello", Blue);
    for color in [Green, Blue, Green] {
        sandbox.activate("hello", color).await?;
        sandbox.until(&format!("{color} serves"), |world| world.serves("hello", color)).await?;
        assert_eq!(sandbox.world().pods("hello", Blue), pods);
        assert!(since(&sandbox.world(), Blue).is_some());
    }
    sandbox.edit("hello", json!({"active": "blue", "blue": {"tag": "v3"}})).await?;
    let is_over = |world: &World| world.serves("hello", Blue) && since(world, Blue).is_none();
    sandbox.until("blue serves v3", is_over).await?;
    sandbox.finish().await
}

/// An autoscaler that is still aimed at the Deployment, and looks every second.
#[tokio::test]
async fn is_whoever_scales_a_deployment_named_and_answered_less_often() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("scaled", &app("hello")).await?;
    let kind = kube::core::ApiResource::erase::<Deployment>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(sandbox.client.clone(), &sandbox.namespace, &kind);
    let scale = json!({"spec": {"replicas": 5}});
    let params = PatchParams { field_manager: Some("autoscaler".into()), ..PatchParams::default() };
    let named = |world: &World| {
        let words = message(world, "Stalled");
        world.stalled("hello", "Contested")
            && words.contains("autoscaler (subresource scale) keeps changing spec.replicas")
            && words.contains("at BlueGreenApp hello")
    };
    let mut is_named = false;
    for _ in 0..20 {
        api.patch_scale("hello-blue", &params, &Patch::Merge(&scale)).await?;
        is_named = is_named || sandbox.reached(Duration::from_secs(1), named).await?;
    }
    assert!(is_named, "{}", message(&sandbox.world(), "Stalled"));
    sandbox.within(OVER, "it is over", |world| world.serves("hello", Blue)).await?;
    assert_eq!(sandbox.world().size("hello", Blue), Some(2));
    sandbox.finish().await
}
