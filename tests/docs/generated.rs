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
        "# Metrics\n\nOn this page you find every series that the operator exports, and three queries to begin with.\n\nExported on `/metrics`, port 8080 ([how to look](operations.md#monitoring)). \
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
    text.push_str(QUERIES);
    check("docs/metrics.md", &text);
}

/// `tests/install/observe.rs` asks a real Prometheus for them.
const QUERIES: &str = "
## Three queries

<!-- below: run by tests/install/observe.rs -->

Which apps are not live in the color that was asked for, or not fully ready:

```promql
max by (namespace, name) (bluegreenapp_condition{type=\"Ready\", status=\"False\"}) == 1
```

Which part of the switches of the last day took longer than a minute (Prometheus 2 says `60`, Prometheus 3 says `60.0`):

```promql
1 - sum(increase(bluegreenapp_switch_duration_seconds_bucket{le=~\"60(.0)?\"}[1d])) / sum(increase(bluegreenapp_switch_duration_seconds_count[1d]))
```

How many switches ended well in a week, and how many were canceled:

```promql
sum by (result) (increase(bluegreenapp_switches_total[7d]))
```

A series that begins with `bluegreenapp_` is about an app or its switches, or names the version that is installed. One that begins with `bluegreen_` is a sum over all
apps or is about the operator itself: its checks, its writes and its watches.
";

#[test]
fn every_field_of_the_api_is_documented() {
    let crd = serde_json::to_value(bluegreen_api::crd().unwrap()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut text = String::from(
        "# API reference: `BlueGreenApp` (`bluegreen.dev/v1alpha1`)\n\nOn this page you find every field of an app, what it must be, and what it means.\n\nGenerated from the types, as `kubectl explain \
         bga` prints them: `UPDATE_DOCS=1 cargo test --test docs`.\nFields of Kubernetes' own types are left out; see their \
         documentation.\n",
    );
    for part in ["spec", "status"] {
        write!(text, "\n## {part}\n\n{}\n", words(&schema["properties"][part]["description"])).unwrap();
        if part == "spec" {
            text.push_str(&required(&schema["properties"][part]));
        }
        text.push_str(TABLE);
        fields(&mut text, part, &schema["properties"][part]);
    }
    check("docs/api.md", &text);
}

const TABLE: &str = "\n| field | type | default | meaning |\n|---|---|---|---|\n";

/// What no app can be without.
fn required(spec: &Value) -> String {
    let names = spec["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    format!(
        "\nRequired: {}, and the block of the color in `active`. **Required** in the table is said of a field within an object that is \
         there. Bounds stand beside the type.\n",
        names.join(", ")
    )
}

/// The type, with what the schema allows of it.
fn bounded(field: &Value) -> String {
    let of = |name: &str| field[name].as_f64().map(|number| format!("{number}"));
    let range = |least: Option<String>, most: Option<String>, unit: &str| match (least, most) {
        (Some(least), Some(most)) if least == most => Some(format!("{least}{unit}")),
        (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
        (Some(least), None) => Some(format!("at least {least}{unit}")),
        (None, Some(most)) => Some(format!("at most {most}{unit}")),
        (None, None) => None,
    };
    let bounds = [
        range(of("minimum"), of("maximum"), ""),
        range(of("minLength"), of("maxLength"), " characters"),
        range(of("minItems"), of("maxItems"), " items"),
        range(of("minProperties"), of("maxProperties"), " entries"),
    ];
    [Some(type_of(field))].into_iter().chain(bounds).flatten().collect::<Vec<_>>().join(", ")
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
        let is_required = schema["required"].as_array().is_some_and(|all| all.iter().any(|own| own == name));
        let default =
            if is_required && path.starts_with("spec") { "**required**".to_owned() } else { default };
        writeln!(text, "| `{here}` | {} | {default} | {described} |", bounded(field)).unwrap();
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
