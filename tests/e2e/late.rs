//! Pods that do not get ready, on a real node: a real kubelet says what they wait for, and the app says it in words.

use std::time::Duration;

use anyhow::Result;
use bluegreen_api::Color::Green;
use bluegreen_cluster::Cluster;
use serde_json::{Value, json};

use crate::harness::{Sandbox, app, setup};
use bluegreen_cluster::answer_image;

/// Real pods start in their own time.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the pods of each app wait for, and what the app says of it.
fn cases() -> Vec<(&'static str, Value, &'static str)> {
    let beside = |mut container: Value| {
        container["image"] = json!("localhost/beside:v1");
        container["env"] = json!([{"name": "PORT", "value": "8081"}]);
        container
    };
    let mesh = json!({"name": "mesh", "restartPolicy": "Always", "readinessProbe": {"exec": {"command": ["/none"]}}});
    let proxy = json!({"name": "proxy", "readinessProbe": {"exec": {"command": ["/none"]}}});
    vec![
        (
            "mount",
            json!({
                "volumes": [{"name": "tls", "secret": {"secretName": "tls"}}],
                "containers": [{"name": "app", "volumeMounts": [{"name": "tls", "mountPath": "/tls"}]}],
            }),
            "1 pod: the node has not set up volumes and network yet (Secret tls must exist); kubectl describe pods -l",
        ),
        (
            "init",
            json!({"initContainers": [beside(json!({"name": "migrate"}))]}),
            "1 pod: init container migrate has not finished yet (running since ",
        ),
        (
            "sidecar",
            json!({"initContainers": [beside(mesh)]}),
            "1 pod: the readiness probe of sidecar container mesh does not succeed",
        ),
        (
            "second",
            json!({"containers": [{"name": "app"}, beside(proxy)]}),
            "1 pod: the readiness probe of container proxy does not succeed",
        ),
        (
            "gate",
            json!({"readinessGates": [{"conditionType": "example.com/lb"}]}),
            "1 pod: the readiness gate example.com/lb waits: nobody has set this condition of the pod",
        ),
    ]
}

#[tokio::test]
async fn does_each_app_say_what_its_pods_wait_for() -> Result<()> {
    if !Cluster::real_node_wanted()? {
        return Ok(());
    }
    let cluster = setup::real_node().await?;
    for name in ["answer", "beside"] {
        cluster.load_image(&answer_image(cluster.dir()?, name, "v1")?).await?;
    }
    let sandbox = Sandbox::on(cluster, "late").await?;
    let _operator = sandbox.operator()?;
    for (name, pods, _) in cases() {
        let spec = json!({
            "image": "localhost/answer", "port": 8080, "replicas": 1, "template": {"spec": pods},
            "readinessProbe": {"httpGet": {"path": "/"}, "periodSeconds": 1},
        });
        sandbox.apply(&app(name).without(Green).with(spec)).await?;
    }
    for (name, _, words) in cases() {
        let told = |world: &crate::harness::World| {
            world.says(name, "Reconciling").is_some_and(|(_, message)| message.contains(words))
        };
        sandbox.within(PATIENCE, &format!("{name} says {words}"), told).await?;
    }
    sandbox.finish().await
}
