//! The chart's README, from its values.

use std::fmt::Write as _;

use serde_json::Value;

use crate::generated::check;

/// One documented value.
struct Row {
    path: String,
    default: String,
    words: String,
}

/// Every key with a comment that starts with `# --`, in the order of the file.
///
/// # Panics
/// Where a key of the file is neither documented nor part of one that is.
fn rows(text: &str) -> Vec<Row> {
    let values: Value = serde_yaml_ng::from_str(text).unwrap();
    let (mut rows, mut path, mut words) = (Vec::<Row>::new(), Vec::<(usize, String)>::new(), None::<String>);
    for line in text.lines() {
        let content = line.trim_start();
        if let Some(first) = content.strip_prefix("# -- ") {
            words = Some(first.to_owned());
        } else if let Some(more) = content.strip_prefix("# ") {
            if let Some(words) = &mut words {
                write!(words, " {more}").unwrap();
            }
        } else if let Some((key, _)) = content.split_once(':') {
            let indent = line.len() - content.len();
            path.retain(|(depth, _)| *depth < indent);
            path.push((indent, key.to_owned()));
            let dotted = path.iter().map(|(_, key)| key.as_str()).collect::<Vec<_>>().join(".");
            let pointer = format!("/{}", dotted.replace('.', "/"));
            let value = values.pointer(&pointer);
            match (words.take(), value) {
                (Some(words), Some(value)) => {
                    rows.push(Row { path: dotted, default: value.to_string(), words })
                }
                (None, Some(Value::Object(map))) if !map.is_empty() => {}
                (None, Some(_)) => {
                    let part = rows.iter().any(|row| dotted.starts_with(&format!("{}.", row.path)));
                    assert!(part, "values.yaml says nothing about {dotted}");
                }
                (_, None) => panic!("values.yaml has {dotted}, which is no plain key"),
            }
        }
    }
    rows
}

#[test]
fn the_charts_readme_names_every_value() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let values = std::fs::read_to_string(root.join("charts/bluegreen-operator/values.yaml")).unwrap();
    let mut text = String::from(
        "# Chart of bluegreen-operator\n\nGenerated from `values.yaml`: `UPDATE_DOCS=1 cargo test --test docs`.\n\n\
         <!-- not run: the same as in docs/install.md, which tests/install/chart.rs runs -->\n```console\n$ helm install bluegreen-operator charts/bluegreen-operator -n bluegreen-system --create-namespace --wait\n\
         ```\n\nHow to install, upgrade and remove it: [docs/install.md](../../docs/install.md). What it may do and what \
         people may do with it: [docs/security.md](../../docs/security.md).\n\n## Values\n\n\
         | value | default | meaning |\n|---|---|---|\n",
    );
    for Row { path, default, words } in rows(&values) {
        writeln!(text, "| `{path}` | `{default}` | {} |", words.replace('|', "\\|")).unwrap();
    }
    check("charts/bluegreen-operator/README.md", &text);
}
