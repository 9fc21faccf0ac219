//! Whoever fights the operator is named, and what others add to the pods and the ports goes.

use std::time::Duration;

use bluegreen_api::Color::{Blue, Green};
use bluegreen_apiserver::{Kind, Verb};
use serde_json::{Value, json};

use crate::rig::{APP, Rig, spec, spec_with};

const SECOND: Duration = Duration::from_secs(1);

fn container(deployment: &mut Value) -> &mut Value {
    &mut deployment["spec"]["template"]["spec"]["containers"][0]
}

/// The spec, with this container in its template.
fn with_container(fields: Value) -> Value {
    let mut container = json!({ "name": "app" });
    container.as_object_mut().unwrap().extend(fields.as_object().cloned().unwrap());
    json!({ "spec": { "containers": [container] } })
}

fn edits(rig: &Rig, deployment: &str) -> usize {
    let edits = |request: &bluegreen_apiserver::Request| {
        request.is(Verb::Apply, Kind::Deployment, deployment) && !request.body["spec"].is_null()
    };
    rig.count(edits)
}

/// The variables of a color's pods.
fn variables(rig: &Rig, deployment: &str) -> Vec<String> {
    let mut deployment = rig.server.get(Kind::Deployment, deployment).unwrap();
    let env = container(&mut deployment)["env"].as_array().cloned().unwrap_or_default();
    env.iter().map(|variable| variable["name"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_policy_that_rewrites_a_field_is_named_with_the_field() {
    let requests = json!({ "resources": { "requests": { "cpu": "100m" } } });
    let mut rig = Rig::serving(spec()).await;
    rig.server.plug_in(|kind, _, object| {
        if kind == Kind::Deployment && !container(object)["resources"]["requests"].is_null() {
            container(object)["resources"]["requests"]["cpu"] = json!("250m");
        }
    });
    rig.edit(|spec| spec["template"] = with_container(requests));
    rig.run(SECOND * 60).await;
    let tries = edits(&rig, "hello-green");
    assert!((4..12).contains(&tries), "{tries} writes in a minute");
    assert_eq!(rig.says("StandbyReady"), "False/Contested");
    let words = rig.condition("StandbyReady").message;
    assert!(words.contains("Deployment hello-green: spec.template.spec.containers[app].resources.requests.cpu should be \"100m\", but is \"250m\""), "{words}");
    assert_eq!(rig.says("Ready"), "True/Serving", "blue is not concerned");
    assert!(
        rig.events()
            .await
            .iter()
            .any(|event| event.starts_with("Warning Contested: Deployment hello-green: "))
    );

    rig.activate(Green);
    rig.run(SECOND * 60).await;
    assert_eq!(rig.says("Stalled"), "True/Contested", "{:#}", rig.app()["status"]);
    assert_eq!(rig.world().selects(APP), "blue");

    // The policy goes, and nobody tells: the next try does.
    rig.server.no_faults();
    rig.run(SECOND * 40).await;
    assert!(rig.world().serves(APP, Green), "{:#}", rig.app()["status"]);
    assert_eq!(rig.condition("Stalled").status, "");
    rig.finish();
}

/// `lifecycle.stopSignal` where its feature gate is off.
#[tokio::test]
async fn a_field_that_the_api_server_drops_is_named_after_few_writes() {
    let mut rig = Rig::new(spec_with(
        json!({ "template": with_container(json!({ "lifecycle": { "stopSignal": "SIGUSR1" } })) }),
    ));
    rig.server.plug_in(|kind, _, object| {
        if kind == Kind::Deployment {
            container(object)["lifecycle"].as_object_mut().map(|lifecycle| lifecycle.remove("stopSignal"));
        }
    });
    rig.run(SECOND * 10).await;
    assert_eq!(rig.says("Stalled"), "True/Contested", "{:#}", rig.app()["status"]);
    rig.run(SECOND * 50).await;
    let words = rig.condition("Ready").message;
    assert!(
        words.contains("lifecycle.stopSignal should be \"SIGUSR1\", but the API server does not store it"),
        "{words}"
    );
    let tries = edits(&rig, "");
    assert!(tries < 24, "{tries} writes in a minute");

    rig.edit(|spec| spec["template"] = json!({}));
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue), "{:#}", rig.app()["status"]);
    rig.finish();
}

/// An autoscaler that is still aimed at a Deployment.
#[tokio::test]
async fn an_autoscaler_of_a_deployment_is_noticed_and_answered_less_often() {
    let mut rig = Rig::serving(spec()).await;
    for _ in 0..30 {
        rig.server.patch(Kind::Deployment, "hello-blue", &json!({ "spec": { "replicas": 5 } }));
        rig.run(SECOND * 15).await;
    }
    let tries = edits(&rig, "hello-blue");
    assert!(tries < 12, "{tries} writes in 30 rounds");
    assert_eq!(rig.says("Stalled"), "True/Contested", "{:#}", rig.app()["status"]);
    let words = rig.condition("Stalled").message;
    for part in ["hello-blue: the field manager test keeps changing spec.replicas", "at BlueGreenApp hello"] {
        assert!(words.contains(part), "{words}");
    }
    // It is gone; the operator sets the size once more, and that lasts.
    rig.run(SECOND * 600).await;
    assert!(
        rig.world().serves(APP, Blue) && rig.world().size(APP, Blue) == Some(2),
        "{:#}",
        rig.app()["status"]
    );
    assert_eq!(rig.condition("Stalled").status, "");
    rig.finish();
}

/// Somebody who takes pods away from the live color is answered at once, however long it goes on.
#[tokio::test]
async fn a_live_color_that_is_made_smaller_never_waits() {
    let mut rig = Rig::serving(spec()).await;
    for round in 0..20 {
        rig.server.patch(Kind::Deployment, "hello-blue", &json!({ "spec": { "replicas": 0 } }));
        rig.run(SECOND * 2).await;
        assert_eq!(rig.world().size(APP, Blue), Some(2), "round {round}");
        rig.advance(SECOND * 13);
    }
}

#[tokio::test]
async fn a_deployment_that_somebody_paused_is_rolled_out_all_the_same() {
    let mut rig = Rig::serving(spec()).await;
    rig.server.patch(Kind::Deployment, "hello-green", &json!({ "spec": { "paused": true } }));
    rig.deploy(Green, "v3");
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    let paused = rig.server.get(Kind::Deployment, "hello-green").unwrap()["spec"]["paused"].clone();
    assert_ne!(paused, json!(true));
}

/// What a Deployment is rolled out by is no part of its revision.
#[tokio::test]
async fn a_policy_that_rewrites_how_pods_are_rolled_out_is_named_with_the_field() {
    let mut rig = Rig::serving(spec_with(json!({ "commonMetadata": { "labels": { "team": "a" } } }))).await;
    rig.server.plug_in(|kind, _, object| {
        if kind == Kind::Deployment {
            object["spec"]["strategy"]["rollingUpdate"]["maxSurge"] = json!(3);
        }
    });
    rig.edit(|spec| spec["minReadySeconds"] = json!(1));
    rig.run(SECOND * 60).await;
    let words = rig.condition("Stalled").message;
    let surge = "spec.strategy.rollingUpdate.maxSurge should be";
    assert!(words.contains(surge) && words.contains("but is 3"), "{words}");
    rig.server.no_faults();
    rig.server.plug_in(|kind, _, object| {
        if kind == Kind::Deployment
            && let Some(labels) = object["metadata"]["labels"].as_object_mut()
        {
            labels.remove("team");
        }
    });
    rig.edit(|spec| spec["minReadySeconds"] = json!(0));
    rig.run(SECOND * 60).await;
    let words = rig.condition("Stalled").message;
    assert!(words.contains("metadata.labels.team should be \"a\""), "{words}");
    rig.finish();
}

/// `kubectl edit`: a list without keys belongs as a whole to whoever wrote it last.
#[tokio::test]
async fn what_somebody_adds_to_a_list_without_keys_is_removed_and_told() {
    let tolerations = json!([{ "key": "gpu", "operator": "Exists" }]);
    let mut rig =
        Rig::serving(spec_with(json!({ "template": { "spec": { "tolerations": tolerations } } }))).await;
    for name in ["hello-green", "hello-blue"] {
        rig.server.edit(Kind::Deployment, name, |deployment| {
            deployment["spec"]["template"]["spec"]["tolerations"][0]["effect"] = json!("NoExecute");
        });
        rig.settle().await;
        let deployment = rig.server.get(Kind::Deployment, name).unwrap();
        assert_eq!(deployment["spec"]["template"]["spec"]["tolerations"], tolerations, "{name}");
        let start = format!("Warning EditReverted: Deployment {name}: the field manager test changed ");
        let events = rig.events().await;
        let told = events.iter().find(|event| event.starts_with(&start));
        assert!(told.is_some_and(|event| event.contains("tolerations")), "{events:?}");
    }
    rig.finish();
}

/// An agent for tracing, for example, that was there for a while.
#[tokio::test]
async fn what_a_plug_in_has_added_leaves_with_the_next_revision_after_it() {
    let mut rig = Rig::serving(spec()).await;
    rig.server.plug_in(|kind, name, object| {
        if kind == Kind::Deployment && name == "hello-green" {
            object["spec"]["template"]["spec"]["volumes"] = json!([{ "name": "traces", "emptyDir": {} }]);
        }
    });
    let volumes = |rig: &Rig| {
        let green = rig.server.get(Kind::Deployment, "hello-green").unwrap();
        green["spec"]["template"]["spec"]["volumes"].clone()
    };
    for tag in ["v3", "v4"] {
        rig.edit(|spec| spec["green"]["tag"] = json!(tag));
        rig.run(SECOND * 10).await;
        assert_eq!(volumes(&rig)[0]["name"], "traces", "{tag}");
        assert_eq!(rig.says("StandbyReady"), "True/Warm", "{:?}", rig.condition("StandbyReady"));
    }
    rig.server.no_faults();
    rig.run(SECOND * 60).await;
    assert_eq!(volumes(&rig)[0]["name"], "traces", "no pod is replaced for it");
    rig.edit(|spec| spec["green"]["tag"] = json!("v5"));
    rig.run(SECOND * 10).await;
    assert_eq!(volumes(&rig), Value::Null);
    assert_eq!(rig.says("StandbyReady"), "True/Warm", "{:?}", rig.condition("StandbyReady"));
    rig.finish();
}

/// A webhook that was installed while the app served.
#[tokio::test]
async fn a_plug_in_that_changes_the_pods_with_another_write_is_told_of() {
    let mut rig = Rig::serving(spec()).await;
    rig.server.plug_in(|kind, _, object| {
        if kind == Kind::Deployment {
            object["spec"]["template"]["spec"]["volumes"] = json!([{ "name": "traces", "emptyDir": {} }]);
        }
    });
    let told = async |rig: &Rig| {
        let events = rig.events().await;
        events.into_iter().filter(|event| event.starts_with("Warning PodsMutated: ")).collect::<Vec<_>>()
    };
    rig.edit(|spec| spec["green"]["tag"] = json!("v3"));
    rig.run(SECOND * 10).await;
    assert_eq!(told(&rig).await, [""; 0], "the pods are new anyway");
    rig.edit(|spec| spec["replicas"] = json!(3));
    rig.run(SECOND * 10).await;
    let events = told(&rig).await;
    assert_eq!(events.len(), 1, "{events:?}");
    let words = "Deployment hello-blue: as the operator wrote it, an admission policy or webhook changed spec.template.spec.volumes \
                 from absent to [";
    assert!(events[0].contains(words), "{events:?}");
    // That the live pods were changed is what the guard would say, too.
}

/// An endpoint must mean that its pod is ready.
#[tokio::test]
async fn a_service_never_publishes_pods_that_are_not_ready() {
    let mut rig = Rig::serving(spec()).await;
    for name in [APP, "hello-green"] {
        rig.server.patch(Kind::Service, name, &json!({ "spec": { "publishNotReadyAddresses": true } }));
        rig.settle().await;
        let service = rig.server.get(Kind::Service, name).unwrap();
        assert_ne!(service["spec"]["publishNotReadyAddresses"], json!(true), "{name}");
    }
    rig.finish();
}

/// `kubectl set env`, by hand.
#[tokio::test]
async fn a_variable_that_somebody_adds_to_the_pods_is_removed() {
    let mut rig = Rig::serving(spec_with(
        json!({ "template": with_container(json!({ "env": [{ "name": "A", "value": "1" }] })) }),
    ))
    .await;
    rig.server.edit(Kind::Deployment, "hello-green", |deployment| {
        container(deployment)["env"].as_array_mut().unwrap().push(json!({ "name": "B", "value": "2" }));
    });
    rig.pass().await;
    assert_eq!(variables(&rig, "hello-green"), ["A"]);
    rig.settle().await;
    let _ = rig.server.take_log();
    rig.settle().await;
    assert_eq!(rig.writes(), Vec::<String>::new(), "at rest");
    assert_eq!(rig.says("StandbyReady"), "True/Warm");
    rig.finish();
}

/// `kubectl apply --server-side --force-conflicts`, or a restore: another manager owns all of it, with the defaults.
#[tokio::test]
async fn a_variable_that_leaves_the_template_leaves_pods_that_another_manager_owns_too() {
    let env = |names: &[&str]| {
        let env: Vec<Value> = names.iter().map(|name| json!({ "name": name, "value": "1" })).collect();
        with_container(json!({ "env": env }))
    };
    let mut rig = Rig::serving(spec_with(json!({ "template": env(&["A", "B"]) }))).await;
    let before = rig.world().pods(APP, Green);
    let mut green = rig.server.get(Kind::Deployment, "hello-green").unwrap();
    rig.server.delete(Kind::Deployment, "hello-green");
    for allocated in ["uid", "resourceVersion", "managedFields", "creationTimestamp", "generation"] {
        green["metadata"].as_object_mut().unwrap().remove(allocated);
    }
    rig.server.create(Kind::Deployment, green);
    rig.settle().await;
    assert!(rig.says("StandbyReady") == "True/Warm" && before.len() == rig.world().pods(APP, Green).len());

    rig.edit(|spec| {
        spec["template"] = env(&["A"]);
        spec["green"]["tag"] = json!("v3");
    });
    let generation = |rig: &Rig| {
        rig.server.get(Kind::Deployment, "hello-green").unwrap()["metadata"]["generation"].as_i64()
    };
    let was = generation(&rig);
    rig.settle().await;
    assert_eq!(variables(&rig, "hello-green"), ["A"]);
    assert_eq!(generation(&rig), was.map(|was| was + 1), "its pods are replaced once");
    assert_eq!(rig.says("StandbyReady"), "True/Warm");
    rig.finish();
}

/// `kubectl rollout restart` of the live color.
#[tokio::test]
async fn a_restart_by_hand_is_told_and_lasts_until_the_next_revision() {
    let mut rig = Rig::serving(spec()).await;
    let restart = |rig: &Rig, color: &str| {
        let annotations =
            json!({ "annotations": { "kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z" } });
        let patch = json!({ "spec": { "template": { "metadata": annotations } } });
        rig.server.patch(Kind::Deployment, &format!("hello-{color}"), &patch);
    };
    restart(&rig, "blue");
    restart(&rig, "green");
    rig.settle().await;
    assert_eq!((edits(&rig, "hello-blue"), rig.says("Ready")), (0, "True/Serving".to_owned()));
    assert_eq!(rig.app()["status"]["blue"]["restartedAt"], "2026-01-01T00:00:00Z");
    let events = rig.events().await;
    assert!(
        events
            .iter()
            .any(|event| event.starts_with("Normal Restarted: blue's Deployment was restarted by hand")),
        "{events:?}"
    );
    // Not by a size, but by a revision.
    rig.edit(|spec| spec["replicas"] = json!(3));
    rig.settle().await;
    assert_eq!(rig.app()["status"]["blue"]["restartedAt"], "2026-01-01T00:00:00Z");
    rig.deploy(Green, "v3");
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    assert_eq!(rig.app()["status"]["green"]["restartedAt"], Value::Null);
    rig.finish();
}

/// A Service that `kubectl` made and owns.
fn adopted(rig: &Rig, fields: Value) {
    let mut service = json!({
        "metadata": { "name": APP, "annotations": {
            "bluegreen.dev/adopt": APP, "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
        } },
        "spec": {
            "type": "LoadBalancer", "selector": { "app": "old" },
            "ports": [{ "name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080 }],
        },
    });
    service["spec"].as_object_mut().unwrap().extend(fields.as_object().cloned().unwrap());
    rig.server.create(Kind::Service, service);
    rig.create_app(spec_with(json!({ "service": { "type": "LoadBalancer", "port": 80 } })));
}

#[tokio::test]
async fn the_port_of_an_adopted_service_can_be_changed() {
    let mut rig = Rig::empty();
    adopted(&rig, json!({}));
    rig.settle().await;
    rig.edit(|spec| spec["service"]["port"] = json!(8080));
    rig.settle().await;
    let ports = rig.server.get(Kind::Service, APP).unwrap()["spec"]["ports"].clone();
    assert_eq!((ports.as_array().map(Vec::len), &ports[0]["port"]), (Some(1), &json!(8080)), "{ports}");
    assert_eq!(rig.says("Ready"), "True/Serving");
}

#[tokio::test]
async fn a_port_that_somebody_adds_to_a_service_is_removed() {
    let mut rig = Rig::serving(spec()).await;
    for service in [APP, "hello-green"] {
        rig.server.edit(Kind::Service, service, |service| {
            let extra = json!({ "name": "debug", "port": 9999, "protocol": "TCP", "targetPort": 9999 });
            service["spec"]["ports"].as_array_mut().unwrap().push(extra);
        });
        rig.settle().await;
        let ports = rig.server.get(Kind::Service, service).unwrap()["spec"]["ports"].clone();
        assert_eq!(ports.as_array().map(Vec::len), Some(1), "{service}");
    }
    rig.finish();
}

#[tokio::test]
async fn a_load_balancer_that_was_deleted_comes_back_as_guarded_as_it_was() {
    let mut rig = Rig::empty();
    let guards = json!({ "loadBalancerSourceRanges": ["10.0.0.0/8"], "allocateLoadBalancerNodePorts": false,
        "loadBalancerClass": "example.com/internal" });
    adopted(&rig, guards.clone());
    rig.settle().await;
    rig.server.delete(Kind::Service, APP);
    rig.settle().await;
    // Later applies leave it so.
    rig.edit(|spec| spec["service"]["annotations"] = json!({ "team": "a" }));
    rig.activate(Green);
    rig.settle().await;
    assert!(rig.world().serves(APP, Green), "{:#}", rig.app()["status"]);
    let service = rig.server.get(Kind::Service, APP).unwrap();
    for (field, value) in guards.as_object().unwrap() {
        assert_eq!(&service["spec"][field], value, "{field}");
    }
    let annotations = &service["metadata"]["annotations"];
    assert_eq!(annotations["service.beta.kubernetes.io/aws-load-balancer-scheme"], "internal");
    assert_eq!(annotations["team"], "a");
    // What leaves the spec is not kept.
    for annotations in [json!({ "example.com/load-balancer": "a" }), json!({})] {
        rig.edit(|spec| spec["service"]["annotations"] = annotations.clone());
        rig.settle().await;
        let there = rig.server.get(Kind::Service, APP).unwrap()["metadata"]["annotations"].clone();
        assert_eq!(there["example.com/load-balancer"], annotations["example.com/load-balancer"]);
    }
    rig.edit(|spec| spec["service"] = json!({ "type": "ClusterIP" }));
    rig.settle().await;
    assert_eq!(rig.server.get(Kind::Service, APP).unwrap()["spec"]["loadBalancerSourceRanges"], Value::Null);
}

/// What the spec says is declared, and comes back from there; only what somebody else has set is recorded.
#[tokio::test]
async fn what_the_spec_says_of_a_load_balancer_is_declared_and_not_recorded() {
    let mut rig = Rig::serving(spec()).await;
    rig.edit(|spec| {
        spec["service"] = json!({ "type": "LoadBalancer", "loadBalancerSourceRanges": ["192.0.2.0/24"],
            "allocateLoadBalancerNodePorts": false });
    });
    rig.settle().await;
    let guards = rig.status().service.unwrap().guards;
    assert_eq!(guards, bluegreen_api::ServiceGuards::default());
    let ranges =
        |rig: &Rig| rig.server.get(Kind::Service, APP).unwrap()["spec"]["loadBalancerSourceRanges"].take();
    rig.server.delete(Kind::Service, APP);
    rig.settle().await;
    assert_eq!(ranges(&rig), json!(["192.0.2.0/24"]));
    // So an edit that lifts the limit is not undone by a record.
    rig.edit(|spec| spec["service"] = json!({ "type": "LoadBalancer" }));
    rig.settle().await;
    assert_eq!(ranges(&rig), Value::Null);
    rig.server.delete(Kind::Service, APP);
    rig.settle().await;
    assert_eq!(ranges(&rig), Value::Null);
    rig.finish();
}
