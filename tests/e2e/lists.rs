//! Is the table of lists that server-side apply merges by item the one of this API server?

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};

use crate::harness::Sandbox;
use crate::version;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/api/src/lists/table.rs");

const HEAD: &str = "\
//! The table. `UPDATE_LISTS=1 cargo suite e2e lists::` writes this file, from the OpenAPI document of the API server.

use super::KeyedList;

#[rustfmt::skip]
pub(super) const ALL: &[KeyedList] = &[
";

#[tokio::test]
async fn is_the_table_of_lists_that_are_merged_by_item_that_of_the_api_server() -> Result<()> {
    let sandbox = Sandbox::new("lists").await?;
    if !version::is_usual(&sandbox.client).await? {
        return sandbox.finish().await;
    }
    let mut schemas = Map::new();
    for path in ["/openapi/v3/apis/apps/v1", "/openapi/v3/api/v1"] {
        let document: Value = sandbox.client.request(http::Request::get(path).body(Vec::new())?).await?;
        schemas.extend(document["components"]["schemas"].as_object().context(path)?.clone());
    }
    let mut table = HEAD.to_owned();
    for kind in ["apps.v1.Deployment", "core.v1.Service", "apps.v1.ControllerRevision"] {
        let mut lists = BTreeMap::new();
        let root = schemas.get(&format!("io.k8s.api.{kind}")).context(kind)?;
        collect(&schemas, root, "", &mut lists);
        let kind = kind.rsplit('.').next().context(kind)?;
        for (path, keys) in lists {
            table += &format!("    KeyedList {{ kind: {kind:?}, path: {path:?}, keys: &{keys:?} }},\n");
        }
    }
    table += "];\n";
    if std::env::var("UPDATE_LISTS").is_ok_and(|update| update == "1") {
        std::fs::write(TABLE, &table)?;
    }
    ensure!(
        std::fs::read_to_string(TABLE)? == table,
        "{TABLE} is old: UPDATE_LISTS=1 cargo suite e2e lists::"
    );
    sandbox.finish().await
}

/// The lists below a schema, with their keys and the defaults of these.
fn collect(
    schemas: &Map<String, Value>,
    schema: &Value,
    path: &str,
    lists: &mut BTreeMap<String, Vec<(String, String)>>,
) {
    for (name, field) in resolved(schemas, schema)["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let items = resolved(schemas, &field["items"]);
        if let "map" | "set" = field["x-kubernetes-list-type"].as_str().unwrap_or_default() {
            let keys = field["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
            let with_default = |key: &str| {
                let default = items["properties"][key]["default"].as_str().unwrap_or_default();
                (key.to_owned(), default.to_owned())
            };
            lists.insert(path.clone(), keys.filter_map(Value::as_str).map(with_default).collect());
        }
        for inner in [field, items, &field["additionalProperties"]] {
            collect(schemas, inner, &path, lists);
        }
    }
}

/// The schema that a reference leads to, alone or, with a default beside it, in `allOf`.
pub(crate) fn resolved<'a>(schemas: &'a Map<String, Value>, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
    let name = reference.and_then(|reference| reference.rsplit('/').next());
    name.and_then(|name| schemas.get(name)).unwrap_or(schema)
}
