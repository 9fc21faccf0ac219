//! PURE: references to a color's variables from containers that do not have them.
//!
//! A color's `env` belongs to the container `app`. Elsewhere the kubelet leaves `$(NAME)` as it stands, without a word.

use std::collections::BTreeSet;

use bluegreen_api::BlueGreenApp;
use bluegreen_core::desired::references;
use bluegreen_core::validate::Problem;
use serde_json::Value;

/// Returns a warning for each field of another container that refers to a variable of a color's block.
pub fn warnings(app: &BlueGreenApp) -> Vec<Problem> {
    let Ok(spec) = serde_json::to_value(&app.spec) else { return Vec::new() };
    let of_colors: BTreeSet<&str> =
        ["blue", "green"].iter().flat_map(|color| names(&spec[color]["env"])).collect();
    let mut found = Vec::new();
    for list in ["initContainers", "containers"] {
        let containers = spec["template"]["spec"][list].as_array().into_iter().flatten();
        for (index, container) in containers.enumerate().filter(|(_, container)| container["name"] != "app") {
            let own: BTreeSet<&str> = names(&container["env"]).collect();
            let path = format!("spec.template.spec.{list}[{index}]");
            for (field, text) in texts(container) {
                let missing = references(text).find(|name| of_colors.contains(name) && !own.contains(name));
                found.extend(missing.map(|name| Problem {
                    field: format!("{path}.{field}"),
                    message: format!(
                        "$({name}) stays as it stands here, since a color's env belongs to the container app: refer to \
                         $(BLUEGREEN_COLOR) or $(BLUEGREEN_TAG), which every container has, or define {name} in this container"
                    ),
                }));
            }
        }
    }
    found
}

fn names(env: &Value) -> impl Iterator<Item = &str> {
    env.as_array().into_iter().flatten().filter_map(|variable| variable["name"].as_str())
}

/// The texts of a container in which the kubelet resolves references, each with its field.
fn texts(container: &Value) -> Vec<(String, &str)> {
    let list = |field: &'static str| container[field].as_array().into_iter().flatten().enumerate();
    let env = list("env").map(|(index, variable)| (format!("env[{index}].value"), &variable["value"]));
    let words = ["command", "args"]
        .into_iter()
        .flat_map(|field| list(field).map(move |(index, word)| (format!("{field}[{index}]"), word)));
    env.chain(words).filter_map(|(field, text)| Some((field, text.as_str()?))).collect()
}
