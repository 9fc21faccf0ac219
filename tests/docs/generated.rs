//! Are the generated documents those of this code? `UPDATE_DOCS=1 cargo test --test docs` writes them anew.

use std::fmt::Write as _;

use bluegreen_operator::metrics::table;
use serde_json::Value;

/// Compares, or writes where `UPDATE_DOCS` is set.
pub fn check(name: &str, expected: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} is out of date: UPDATE_DOCS=1 cargo test --test docs");
}

#[test]
fn the_metrics_are_documented_as_they_are_exported() {
    let mut text = String::from(
        "# Metrics\n\nExported on `/metrics`, port 8080 ([how to look](operations.md#monitoring)). \
         Generated from the code: `UPDATE_DOCS=1 cargo test --test docs`.\n\n\
         | series | kind | labels | meaning |\n|---|---|---|---|\n",
    );
    for series in table::ALL {
        let labels: Vec<_> = series.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind) = (series.name, series.kind.as_str());
        writeln!(text, "| `{name}` | {kind} | {} | {} |", labels.join(", "), series.help).unwrap();
    }
    text.push_str(
        "\nOn Linux the `process_*` series of the Prometheus client library are exported as well.\n\n\
         The names `controller_runtime_*` are those of the Go library controller-runtime, so that dashboards made for it fit. \
         Operators written in Go export the same names, and every program exports `process_*`: filter these series by the `job` \
         that scrapes this operator, or `controller_runtime_*` by `controller=\"bluegreenapp\"`, as the alerts and the dashboard \
         do. A plain `sum(controller_runtime_reconcile_total)` adds up all operators of the cluster.\n",
    );
    check("docs/metrics.md", &text);
}

#[test]
fn every_field_of_the_api_is_documented() {
    let crd = serde_json::to_value(bluegreen_api::crd().unwrap()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut text = String::from(
        "# API reference: `BlueGreenApp` (`bluegreen.dev/v1alpha1`)\n\nGenerated from the types, as `kubectl explain \
         bga` prints them: `UPDATE_DOCS=1 cargo test --test docs`.\nFields of Kubernetes' own types are left out; see their \
         documentation.\n",
    );
    for part in ["spec", "status"] {
        write!(text, "\n## {part}\n\n{}\n", words(&schema["properties"][part]["description"])).unwrap();
        text.push_str("\n| field | type | default | meaning |\n|---|---|---|---|\n");
        fields(&mut text, part, &schema["properties"][part]);
    }
    check("docs/api.md", &text);
}

fn words(description: &Value) -> String {
    description
        .as_str()
        .unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

/// One row a field, parents before children. A core type's fields carry no description of ours and are left out.
fn fields(text: &mut String, path: &str, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, field) in properties {
        let described = words(&field["description"]);
        if described.is_empty() {
            continue;
        }
        let here = format!("{path}.{name}");
        let default = field.get("default").map(|value| format!("`{value}`")).unwrap_or_default();
        writeln!(text, "| `{here}` | {} | {default} | {described} |", type_of(field)).unwrap();
        fields(text, &here, field);
        fields(text, &format!("{here}[]"), &field["items"]);
    }
}

fn type_of(field: &Value) -> String {
    if field["x-kubernetes-int-or-string"] == true {
        return "int or string".to_owned();
    }
    if let Some(values) = field["enum"].as_array() {
        return values
            .iter()
            .map(|value| format!("`{}`", value.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(", ");
    }
    field["type"].as_str().unwrap_or("any").to_owned()
}
