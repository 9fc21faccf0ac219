//! The rules about the overlay (`spec.template`).

use k8s_openapi::api::core::v1::{Container, PodSpec};
use serde_json::Value;

use super::{Found, lists};
use crate::desired::is_quantity;
use bluegreen_api::{APP_CONTAINER, BlueGreenAppSpec, Template, TemplateMetadata, rules};

pub(super) fn check(found: &mut Found, spec: &BlueGreenAppSpec, template: &Template) {
    let Template { metadata, spec: pods } = template;
    if let Some(TemplateMetadata { labels, annotations }) = metadata {
        found.keys("spec.template.metadata.labels", labels, 64);
        found.keys("spec.template.metadata.annotations", annotations, 64);
    }
    if let Some(pods) = pods {
        pod_spec(found, spec, pods);
    }
}

fn pod_spec(found: &mut Found, spec: &BlueGreenAppSpec, pods: &PodSpec) {
    let at = "spec.template.spec";
    let restarts = pods.restart_policy.as_deref().is_none_or(|policy| policy == "Always");
    found.check(&format!("{at}.restartPolicy"), rules::RESTART_POLICY, restarts);
    found.check(
        &format!("{at}.activeDeadlineSeconds"),
        rules::NO_ACTIVE_DEADLINE,
        pods.active_deadline_seconds.is_none(),
    );
    let ephemeral = pods.ephemeral_containers.iter().flatten().next();
    found.check(&format!("{at}.ephemeralContainers"), rules::NO_EPHEMERAL_CONTAINERS, ephemeral.is_none());

    let init: Vec<&Container> = pods.init_containers.iter().flatten().collect();
    let app_is_init = init.iter().any(|container| container.name == APP_CONTAINER);
    found.check(&format!("{at}.initContainers"), rules::APP_NOT_AN_INIT_CONTAINER, !app_is_init);

    for app in pods.containers.iter().filter(|container| container.name == APP_CONTAINER) {
        let containers = format!("{at}.containers");
        found.check(&containers, rules::APP_IMAGE_NOT_IN_TEMPLATE, app.image.is_none());
        found.check(&containers, rules::APP_PROBE_NOT_IN_TEMPLATE, app.readiness_probe.is_none());
    }
    let taken = pods.containers.iter().flat_map(|container| container.ports.iter().flatten()).any(|port| {
        let tcp = port.protocol.as_deref().is_none_or(|protocol| protocol == "TCP");
        (tcp && port.container_port == spec.port) || port.name.as_ref() == Some(&spec.port_name)
    });
    found.check("spec.template", rules::APP_PORT_NOT_IN_TEMPLATE, !taken);
    found.check_new("spec.template", rules::APP_UNDER_ANOTHER_NAME, !is_app_under_another_name(spec, pods));
    let variables: usize =
        pods.containers.iter().chain(init.iter().copied()).map(|c| c.env.iter().flatten().count()).sum();
    found.check_new("spec.template", rules::VARIABLES_BOUNDED, variables <= rules::VARIABLES_MAX);
    let has_image = |container: &Container| container.image.as_ref().is_some_and(|image| !image.is_empty());
    let named = pods.containers.iter().any(|container| container.name == APP_CONTAINER);
    let complete = named || pods.containers.iter().all(has_image);
    found.check(&format!("{at}.containers"), rules::SIDECAR_IMAGE, complete);

    images(found, &format!("{at}.containers"), &pods.containers.iter().collect::<Vec<_>>());
    images(found, &format!("{at}.initContainers"), &init);
    // A value that came from the API server can be written as JSON.
    if let Ok(json) = serde_json::to_value(pods) {
        lists::check(found, at, "", &json);
        quantities(found, at, &json);
    }
}

/// Returns true if a container runs the application's image, and none is named `app`.
fn is_app_under_another_name(spec: &BlueGreenAppSpec, pods: &PodSpec) -> bool {
    let named = pods.containers.iter().any(|container| container.name == APP_CONTAINER);
    let blocks = [&spec.blue, &spec.green].into_iter().flatten();
    let repositories: Vec<_> = blocks
        .filter_map(|block| block.image.as_ref())
        .chain([&spec.image])
        .map(|image| short_name(image))
        .collect();
    let images = pods.containers.iter().filter_map(|container| container.image.as_deref());
    !named && images.map(short_name).any(|image| repositories.contains(&image))
}

/// Returns the name of an image without registry, folders, tag and digest. The same image has many registries.
fn short_name(image: &str) -> &str {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let name = name.rsplit('/').next().unwrap_or(name);
    name.split_once(':').map_or(name, |(name, _)| name)
}

fn images(found: &mut Found, at: &str, containers: &[&Container]) {
    for container in containers {
        let at = format!("{at}[{}]", container.name);
        found.longest(&format!("{at}.image"), container.image.as_deref().unwrap_or_default(), 1024);
    }
}

/// Checks every quantity of a pod, wherever it is.
fn quantities(found: &mut Found, at: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let at = format!("{at}.{key}");
                match (key.as_str(), value) {
                    ("limits" | "requests" | "overhead", Value::Object(amounts)) => {
                        for (resource, amount) in amounts {
                            quantity(found, &format!("{at}.{resource}"), amount);
                        }
                    }
                    ("sizeLimit" | "divisor", amount) => quantity(found, &at, amount),
                    (_, value) => quantities(found, &at, value),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                quantities(found, &format!("{at}[{index}]"), item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn quantity(found: &mut Found, at: &str, amount: &Value) {
    // An absent divisor is written as an empty string.
    if let Value::String(text) = amount
        && !text.is_empty()
        && !is_quantity(text)
    {
        found.add(at, format!("`{text}` {}", rules::QUANTITY));
    }
}
