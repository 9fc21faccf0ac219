//! The fields of `spec.service`: does the API server take each, and what does it make of a field that is removed?

use anyhow::{Context, Result};
use bluegreen_api::Color::{Blue, Green};
use k8s_openapi::api::core::v1::ServiceSpec;
use serde_json::{Value, json};

use crate::harness::{Kind, Sandbox, World, app};
use crate::version;

fn spec(world: &World, service: &str) -> ServiceSpec {
    world.service(service).and_then(|service| service.spec).unwrap_or_default()
}

/// The app serves blue, and nobody fights over the Service.
fn at_rest(world: &World) -> bool {
    world.serves("hello", Blue) && world.settled("hello")
}

#[tokio::test]
async fn is_every_field_of_the_service_taken_and_gone_with_the_spec() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("service-fields", &app("hello")).await?;
    let fields = json!({"service": {
        "type": "LoadBalancer", "labels": {"team": "shop"},
        "sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}},
        "internalTrafficPolicy": "Local", "trafficDistribution": "PreferClose", "ipFamilyPolicy": "PreferDualStack",
        "loadBalancerSourceRanges": ["192.0.2.0/24", "198.51.100.0/24"], "allocateLoadBalancerNodePorts": false,
        "loadBalancerClass": "example.com/none",
    }});
    sandbox.edit("hello", fields).await?;
    // Behind a feature gate before.
    let distributes = version::minor(&sandbox.client).await? >= 31;
    let all = |world: &World| {
        let live = spec(world, "hello");
        let config = live.session_affinity_config.and_then(|config| config.client_ip?.timeout_seconds);
        let labels = world.service("hello").and_then(|service| service.metadata.labels).unwrap_or_default();
        at_rest(world)
            && live.type_.as_deref() == Some("LoadBalancer")
            && config == Some(60)
            && live.internal_traffic_policy.as_deref() == Some("Local")
            && (live.traffic_distribution.as_deref() == Some("PreferClose") || !distributes)
            && live.ip_family_policy.as_deref() == Some("PreferDualStack")
            && live.load_balancer_source_ranges.is_some_and(|ranges| ranges.len() == 2)
            && live.allocate_load_balancer_node_ports == Some(false)
            && labels.get("team").map(String::as_str) == Some("shop")
            && spec(world, "hello-green").ip_family_policy.as_deref() == Some("PreferDualStack")
    };
    sandbox.until("they are there", all).await?;
    // All pods are on all simulated nodes, or not: the switch is not what this asks about.
    let gone = json!({"service": {
        "type": "ClusterIP", "labels": null, "sessionAffinity": null, "sessionAffinityConfig": null,
        "internalTrafficPolicy": null, "trafficDistribution": null, "ipFamilyPolicy": null,
        "loadBalancerSourceRanges": null, "allocateLoadBalancerNodePorts": null, "loadBalancerClass": null,
    }});
    sandbox.edit("hello", gone).await?;
    let none = |world: &World| {
        let live = spec(world, "hello");
        let labels = world.service("hello").and_then(|service| service.metadata.labels).unwrap_or_default();
        at_rest(world)
            && live.type_.as_deref() == Some("ClusterIP")
            && live.session_affinity_config.is_none()
            && live.internal_traffic_policy.as_deref() == Some("Cluster")
            && live.traffic_distribution.is_none()
            && live.load_balancer_source_ranges.is_none()
            && !labels.contains_key("team")
    };
    sandbox.until("they are gone", none).await?;
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}

/// The families are those of the colors' own Services, too, by which a color is proven.
#[tokio::test]
async fn do_all_services_have_the_address_families_of_the_spec_and_is_a_later_change_refused() -> Result<()> {
    let families = json!({"service": {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}});
    let (sandbox, _operator) = Sandbox::serving("families", &app("hello").with(families)).await?;
    for service in ["hello", "hello-blue", "hello-green"] {
        assert_eq!(spec(&sandbox.world(), service).ip_families, Some(vec!["IPv4".to_owned()]), "{service}");
    }
    for edit in [json!(null), json!(["IPv6"]), json!(["IPv6", "IPv4"])] {
        let edit = json!({"service": {"ipFamilies": edit, "ipFamilyPolicy": "PreferDualStack"}});
        let refused =
            sandbox.edit("hello", edit.clone()).await.err().with_context(|| format!("{edit} was taken"))?;
        let message = format!("{refused:#}");
        assert!(message.contains("can be given only when the app is created"), "{message}");
    }
    sandbox.edit("hello", json!({"service": {"ipFamilyPolicy": "PreferDualStack"}})).await?;
    let prefers = |world: &World| {
        ["hello", "hello-blue", "hello-green"]
            .iter()
            .all(|service| spec(world, service).ip_family_policy.as_deref() == Some("PreferDualStack"))
    };
    sandbox.until("they prefer two", |world| prefers(world) && at_rest(world)).await?;
    sandbox.activate("hello", Green).await?;
    sandbox.until("green serves", |world| world.serves("hello", Green)).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_a_load_balancer_that_was_deleted_come_back_with_the_port_of_its_health_check() -> Result<()> {
    let local = json!({"service": {
        "type": "LoadBalancer", "loadBalancerClass": "example.com/none", "externalTrafficPolicy": "Local",
    }});
    let (sandbox, _operator) = Sandbox::serving("health-port", &app("hello").with(local)).await?;
    let before = spec(&sandbox.world(), "hello").health_check_node_port.context("a port")?;
    let recorded = sandbox.world().raw(Kind::App, "hello").map(|app| app["status"]["service"].clone());
    assert_eq!(recorded.context("app")?["healthCheckNodePort"], json!(before));
    sandbox.delete(Kind::Service, "hello").await?;
    sandbox.until("it is back", at_rest).await?;
    assert_eq!(spec(&sandbox.world(), "hello").health_check_node_port, Some(before));
    // The next apply does not declare it, and leaves it so.
    sandbox.edit("hello", json!({"service": {"annotations": {"example.com/x": "y"}}})).await?;
    let has = |world: &World| {
        let service = world.raw(Kind::Service, "hello").cloned().unwrap_or(Value::Null);
        service["metadata"]["annotations"]["example.com/x"] == "y"
    };
    sandbox.until("it is annotated", |world| has(world) && at_rest(world)).await?;
    assert_eq!(spec(&sandbox.world(), "hello").health_check_node_port, Some(before));
    sandbox.finish().await
}
