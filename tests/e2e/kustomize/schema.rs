//! The schema that tells kustomize which lists of an app are merged by item.

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use crate::harness::Sandbox;
use crate::version;

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/apps-by-name/schema.json");
const CRD: &str = include_str!("../../../crds/bluegreen.dev_bluegreenapps.yaml");

/// What kustomize reads of a schema.
const KEPT: [&str; 7] = [
    "$ref",
    "type",
    "x-kubernetes-group-version-kind",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-patch-merge-key",
    "x-kubernetes-patch-strategy",
];

/// Definitions, of which only those matter that lead to a list that is merged by item.
struct Definitions(Map<String, Value>);

impl Definitions {
    fn merges(&self, schema: &Value, above: &[&str]) -> bool {
        if !schema["x-kubernetes-patch-merge-key"].is_null()
            || !schema["x-kubernetes-patch-strategy"].is_null()
        {
            return true;
        }
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            let within = [above, &[name]].concat();
            return !above.contains(&name)
                && self.0.get(name).is_some_and(|schema| self.merges(schema, &within));
        }
        let fields = schema["properties"].as_object().into_iter().flat_map(Map::values);
        fields
            .chain([&schema["items"], &schema["additionalProperties"]])
            .any(|inner| inner.is_object() && self.merges(inner, above))
    }

    /// Without what does not matter.
    fn short(&self, schema: &Value) -> Value {
        let mut short = Map::new();
        for key in KEPT.iter().filter(|key| !schema[**key].is_null()) {
            short.insert((*key).to_owned(), schema[*key].clone());
        }
        let fields = schema["properties"].as_object().into_iter().flatten();
        let fields: Map<_, _> = fields
            .filter(|(_, field)| self.merges(field, &[]))
            .map(|(name, field)| (name.clone(), self.short(field)))
            .collect();
        if !fields.is_empty() {
            short.insert("properties".to_owned(), fields.into());
        }
        if schema["items"].is_object() {
            let items = &schema["items"];
            short.insert(
                "items".to_owned(),
                if self.merges(items, &[]) { self.short(items) } else { json!({}) },
            );
        }
        short.into()
    }
}

/// The schema of the CRD, with the words of server-side apply in those of a strategic merge patch.
fn translated(schema: &Value) -> Value {
    let mut schema = schema.clone();
    let keys = schema["x-kubernetes-list-map-keys"].as_array().cloned().unwrap_or_default();
    if let ([key], Some(fields)) = (keys.as_slice(), schema.as_object_mut()) {
        fields.insert("x-kubernetes-patch-merge-key".to_owned(), key.clone());
        fields.insert("x-kubernetes-patch-strategy".to_owned(), json!("merge"));
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            schema[inner] = translated(&schema[inner]);
        }
    }
    for (_, field) in schema["properties"].as_object_mut().into_iter().flatten() {
        *field = translated(field);
    }
    schema
}

/// A schema in a build replaces that of Kubernetes, so that of Kubernetes must be in it.
#[tokio::test]
async fn is_the_schema_for_kustomize_that_of_the_api_server_and_of_the_crd() -> Result<()> {
    let sandbox = Sandbox::new("kustomize-schema").await?;
    if !version::is_usual(&sandbox.client).await? {
        return sandbox.finish().await;
    }
    let request = http::Request::get("/openapi/v2").header("Accept", "application/json").body(Vec::new())?;
    let document: Value = sandbox.client.request(request).await?;
    let mut all = document["definitions"].as_object().context("definitions")?.clone();
    all.retain(|name, _| name.starts_with("io.k8s.") && !name.ends_with("List"));
    let all = Definitions(all);
    let merging = all.0.iter().filter(|(_, schema)| all.merges(schema, &[]));
    let mut wanted: Map<String, Value> =
        merging.map(|(name, schema)| (name.clone(), all.short(schema))).collect();
    let crd: Value = serde_yaml_ng::from_str(CRD)?;
    let version = &crd["spec"]["versions"][0];
    let mut app = translated(&version["schema"]["openAPIV3Schema"]);
    app["x-kubernetes-group-version-kind"] = json!([{"group": crd["spec"]["group"], "kind": crd["spec"]["names"]["kind"], "version": version["name"]}]);
    wanted.insert("dev.bluegreen.BlueGreenApp".to_owned(), Definitions(Map::new()).short(&app));
    let wanted = serde_json::to_string(&json!({"definitions": wanted}))? + "\n";
    if std::env::var("UPDATE_KUSTOMIZE").is_ok_and(|update| update == "1") {
        std::fs::write(SCHEMA, &wanted)?;
    }
    ensure!(
        std::fs::read_to_string(SCHEMA)? == wanted,
        "{SCHEMA} is old: UPDATE_KUSTOMIZE=1 cargo suite e2e kustomize::"
    );
    println!(
        "{} definitions, {} bytes",
        wanted.matches("x-kubernetes-group-version-kind").count(),
        wanted.len()
    );
    sandbox.finish().await
}
