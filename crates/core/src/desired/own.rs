//! What the containers of a pod have of their color without saying it in full: its image, and variables of the operator.
//!
//! Neither changes a pod of a template that does not ask for it: Kubernetes refuses a container without an image, and a variable
//! is added only to a container that refers to it.

use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec};

use super::env::references;

/// The values that containers can refer to, by the names of the variables.
pub(super) struct Values<'a> {
    /// The app's name.
    pub app: &'a str,
    /// The color.
    pub color: &'a str,
    /// The complete reference of the color's image.
    pub image: &'a str,
    /// The color's tag, or else its digest.
    pub tag: &'a str,
}

/// Completes every container and init container.
pub(super) fn complete(pods: &mut PodSpec, values: &Values<'_>) {
    for container in pods.containers.iter_mut().chain(pods.init_containers.iter_mut().flatten()) {
        if container.image.as_deref().is_none_or(str::is_empty) {
            container.image = Some(values.image.to_owned());
        }
        add_variables(container, values);
    }
}

/// Puts those variables first that the container refers to and does not define itself: the kubelet resolves a reference only to
/// what comes before it.
fn add_variables(container: &mut Container, values: &Values<'_>) {
    let Values { app, color, image, tag } = values;
    let known = [
        ("BLUEGREEN_APP", app),
        ("BLUEGREEN_COLOR", color),
        ("BLUEGREEN_IMAGE", image),
        ("BLUEGREEN_TAG", tag),
    ];
    let wanted = known.into_iter().filter(|(name, _)| refers(container, name)).map(|(name, value)| EnvVar {
        name: name.to_owned(),
        value: Some((*value).to_owned()),
        value_from: None,
    });
    let wanted: Vec<EnvVar> = wanted.collect();
    if !wanted.is_empty() {
        let env = container.env.get_or_insert_default();
        *env = wanted.into_iter().chain(std::mem::take(env)).collect();
    }
}

/// Returns true if the container refers to the variable and does not define it.
fn refers(container: &Container, name: &str) -> bool {
    let env = || container.env.iter().flatten();
    let values = env().filter_map(|variable| variable.value.as_deref());
    let words = container.command.iter().chain(&container.args).flatten().map(String::as_str);
    let mut texts = values.chain(words);
    texts.any(|text| references(text).any(|found| found == name))
        && env().all(|variable| variable.name != name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn completed(container: Value) -> Value {
        let mut pods: PodSpec = serde_json::from_value(json!({"containers": [container]})).unwrap();
        complete(&mut pods, &Values { app: "hello", color: "green", image: "team/hello:v2", tag: "v2" });
        serde_json::to_value(pods).unwrap()["containers"][0].take()
    }

    #[test]
    fn a_container_without_an_image_gets_that_of_the_color() {
        for given in [json!(null), json!("")] {
            assert_eq!(completed(json!({"name": "x", "image": given}))["image"], "team/hello:v2");
        }
        assert_eq!(completed(json!({"name": "x", "image": "envoy:1"}))["image"], "envoy:1");
    }

    #[test]
    fn a_variable_is_added_first_and_only_where_it_is_referred_to() {
        let env = completed(json!({"name": "x", "image": "i", "args": ["--tag=$(BLUEGREEN_TAG)"], "env": [
            {"name": "URL", "value": "http://$(BLUEGREEN_APP)-$(BLUEGREEN_COLOR)"}, {"name": "A", "value": "1"}]}))["env"]
            .take();
        assert_eq!(
            env,
            json!([{"name": "BLUEGREEN_APP", "value": "hello"}, {"name": "BLUEGREEN_COLOR", "value": "green"},
                   {"name": "BLUEGREEN_TAG", "value": "v2"},
                   {"name": "URL", "value": "http://$(BLUEGREEN_APP)-$(BLUEGREEN_COLOR)"}, {"name": "A", "value": "1"}])
        );
        let image = completed(json!({"name": "x", "image": "i", "command": ["run", "$(BLUEGREEN_IMAGE)"]}));
        assert_eq!(image["env"], json!([{"name": "BLUEGREEN_IMAGE", "value": "team/hello:v2"}]));
    }

    #[test]
    fn without_a_reference_or_with_a_definition_of_its_own_a_container_stays_as_it_is() {
        for container in [
            json!({"name": "x", "image": "i"}),
            json!({"name": "x", "image": "i", "args": ["$BLUEGREEN_COLOR", "$$(BLUEGREEN_COLOR)", "$(COLOR)"]}),
            json!({"name": "x", "image": "i", "env": [{"name": "BLUEGREEN_COLOR", "value": "red"},
                {"name": "A", "value": "$(BLUEGREEN_COLOR)"}]}),
        ] {
            assert_eq!(completed(container.clone()), container);
        }
    }
}
