//! Does the comparison with what is declared know what this API server makes of a zero, of an empty list and of an empty map?
//!
//! Every field of a pod template is declared once with nothing in it, to a dry run. Whatever the API server makes of that, it has
//! to count as what was declared: a difference that is none would keep a color from ever being ready.

use anyhow::{Context, Result, ensure};
use bluegreen_core::desired::{Difference, covers};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use serde_json::{Map, Value, json};

use crate::harness::Sandbox;
use crate::lists::resolved;

/// A field, inside of what it needs to be valid.
struct Case {
    path: String,
    /// With nothing in it.
    empty: Value,
    /// With something in it.
    full: Value,
}

/// Values that make required fields valid, where a plain `a` does not. All others are refused, and asked about no further.
const VALUES: [(&str, &str); 13] = [
    ("mountPath", "/a"),
    ("devicePath", "/a"),
    ("iqn", "iqn.2001-04.com.example:a"),
    ("targetPortal", "10.0.0.1:3260"),
    ("server", "10.0.0.1"),
    ("operator", "Exists"),
    ("topologyKey", "zone"),
    ("whenUnsatisfiable", "ScheduleAnyway"),
    ("driver", "a.example.com"),
    ("gateway", "https://a"),
    ("ip", "10.0.0.1"),
    ("image", "a"),
    ("registry", "a:1"),
];

/// The required fields of a schema, each with a value that is most often valid.
fn least(schemas: &Map<String, Value>, schema: &Value) -> Value {
    let mut fields = Map::new();
    let required: Vec<_> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        // The name of what is referred to has a default, which is refused.
        if required.contains(&name.as_str()) || (name == "name" && field["default"] == "") {
            fields.insert(name.to_owned(), value(schemas, name, resolved(schemas, field)));
        }
    }
    // Required by rules that the schema does not tell.
    for (of, name, value) in [
        ("terminationMessagePath", "image", json!("a")),
        ("tolerationSeconds", "operator", json!("Exists")),
        ("initialDelaySeconds", "httpGet", json!({"port": 1})),
        ("secretName", "secretName", json!("a")),
        ("volumeName", "volumeName", json!("a")),
        ("targetWWNs", "targetWWNs", json!(["a"])),
        ("divisor", "containerName", json!("a")),
        ("storageClassName", "accessModes", json!(["ReadWriteOnce"])),
        ("storageClassName", "resources", json!({"requests": {"storage": 1}})),
        ("datasetName", "datasetName", json!("a")),
    ] {
        if schema["properties"][of].is_object() {
            fields.insert(name.into(), value);
        }
    }
    Value::Object(fields)
}

fn value(schemas: &Map<String, Value>, name: &str, schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("array") => json!([value(schemas, "", resolved(schemas, &schema["items"]))]),
        // Amounts of what Kubernetes knows: of anything else, an amount is refused.
        Some("object") if ["limits", "requests"].contains(&name) => json!({"cpu": 1}),
        Some("object") if schema["additionalProperties"].is_object() => json!({"a": "a"}),
        Some("object") => least(schemas, schema),
        // A quantity, or a number or name.
        _ if schema["oneOf"].is_array() => json!(1),
        _ => {
            let known = VALUES.iter().find(|(field, _)| *field == name);
            json!(known.map_or("a", |(_, value)| *value))
        }
    }
}

/// Every field below a schema, with nothing in it. `within` puts such a value where it belongs.
fn collect(
    schemas: &Map<String, Value>,
    schema: &Value,
    path: &str,
    within: &dyn Fn(Value) -> Value,
    cases: &mut Vec<Case>,
) {
    let base = least(schemas, schema);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let within = |value: Value| {
            let mut object = base.clone();
            object[name.as_str()] = value;
            within(object)
        };
        let field = resolved(schemas, field);
        // Nobody can declare these here, and nothing else in the metadata of pods is used.
        if path.starts_with(".spec.ephemeralContainers")
            || [".metadata", ".volumeClaimTemplate.metadata"].iter().any(|at| {
                path.rsplit_once('.').is_some_and(|(parent, name)| {
                    parent.ends_with(at) && !["labels", "annotations"].contains(&name)
                })
            })
        {
            continue;
        }
        let full = within(value(schemas, name, field));
        let mut case = |value: Value| {
            cases.push(Case { path: path.clone(), empty: within(value), full: full.clone() });
        };
        match field["type"].as_str() {
            Some("integer" | "number") => case(json!(0)),
            Some("boolean") => case(json!(false)),
            Some("array") => {
                case(json!([]));
                let items = resolved(schemas, &field["items"]);
                collect(schemas, items, &path, &|item| within(json!([item])), cases);
            }
            Some("object") if field["additionalProperties"].is_object() => {
                case(json!({}));
                case(json!({"a": ""}));
            }
            Some("object") => {
                case(json!({}));
                collect(schemas, field, &path, &within, cases);
            }
            Some("string") => case(json!("")),
            _ => {
                case(json!(0));
                case(json!(""));
            }
        }
    }
}

/// What the API server makes of this template: `Some(None)` where it counts as what was declared, and `None` where it is refused.
async fn answer(api: &Api<DynamicObject>, template: &Value) -> Result<Option<Option<Difference>>> {
    let mut declared = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "covers"},
        "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template},
    });
    let template = &mut declared["spec"]["template"];
    template["metadata"]["labels"]["app"] = json!("a");
    for (list, item) in [
        ("containers", json!({"name": "a", "image": "a"})),
        ("volumes", json!({"name": "a", "emptyDir": {}})),
    ] {
        if template["spec"][list].as_array().is_none_or(Vec::is_empty) {
            template["spec"][list] = json!([item]);
        }
    }
    // What an init container may have depends on whether it is a sidecar.
    if let Some(container) = template["spec"]["initContainers"].get_mut(0) {
        container["name"] = json!("b");
        if container["restartPolicy"].is_null() {
            container["restartPolicy"] = json!("Always");
        }
    }
    let params = PatchParams { dry_run: true, ..PatchParams::apply("covers") };
    match api.patch("covers", &params, &Patch::Apply(&declared)).await {
        Ok(stored) => {
            let stored = serde_json::to_value(stored)?;
            Ok(Some(covers(&declared["spec"], &stored["spec"]).err()))
        }
        // Nobody runs such a template. With 500, it does not fit the type.
        Err(kube::Error::Api(refused)) if [400, 422, 500].contains(&refused.code) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[tokio::test]
async fn is_nothing_in_a_field_what_the_api_server_makes_of_it() -> Result<()> {
    let sandbox = Sandbox::new("covers").await?;
    let document = http::Request::get("/openapi/v3/apis/apps/v1").body(Vec::new())?;
    let document: Value = sandbox.client.request(document).await?;
    let schemas = document["components"]["schemas"].as_object().context("schemas")?;
    let template = schemas.get("io.k8s.api.core.v1.PodTemplateSpec").context("the pod template")?;
    let mut cases = Vec::new();
    collect(schemas, template, "", &|template| template, &mut cases);

    let kind = ApiResource::erase::<Deployment>(&());
    let api: &Api<DynamicObject> = &Api::namespaced_with(sandbox.client.clone(), &sandbox.namespace, &kind);
    let asked = cases.iter().map(|case| async move {
        let Some(differs) = answer(api, &case.empty).await? else { return Ok(None) };
        // It drops the field, whatever is in it: its feature gate is off.
        let is_dropped =
            differs.is_some() && answer(api, &case.full).await?.is_some_and(|full| full.is_some());
        anyhow::Ok(Some(differs.filter(|_| !is_dropped).map(|differs| format!("{}: {differs}", case.path))))
    });
    let answers: Vec<_> = futures::stream::iter(asked).buffered(8).try_collect().await?;
    let accepted: Vec<_> = answers.into_iter().flatten().collect();
    println!("{} fields of {} are accepted with nothing in them", accepted.len(), cases.len());
    ensure!(accepted.len() >= 400, "{} fields of {}", accepted.len(), cases.len());
    let different: Vec<_> = accepted.into_iter().flatten().collect();
    ensure!(different.is_empty(), "not as it was declared:\n{}", different.join("\n"));
    sandbox.finish().await
}
