//! Manifests: files of YAML or JSON, with one or more objects in them.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use bluegreen_api::BlueGreenApp;
use kube::Resource;
use serde::Deserialize;
use serde_json::Value;

/// One object of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its place in the file, from 1.
    pub number: usize,
    /// As it was written.
    pub object: Value,
}

impl Document {
    /// Returns true if its kind and apiVersion are those of the `BlueGreenApp` that this program knows.
    #[must_use]
    pub fn is_app(&self) -> bool {
        self.object["kind"] == BlueGreenApp::kind(&()).as_ref()
            && self.object["apiVersion"] == BlueGreenApp::api_version(&()).as_ref()
    }
}

/// The text of a file; `-` is standard input.
///
/// # Errors
/// When it can't be read.
pub fn text(path: &Path) -> Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).context("can't read standard input")?;
    } else {
        text = std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    }
    Ok(text)
}

/// The objects of a file; a `List` is taken apart.
///
/// # Errors
/// When it is not YAML.
pub fn documents(text: &str) -> Result<Vec<Document>> {
    let mut objects = Vec::new();
    // Some editors begin a file with a byte order mark; the parser takes it for a key.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for document in serde_yaml_ng::Deserializer::from_str(text) {
        let object = Value::deserialize(document).context("not YAML")?;
        match object.get("items").and_then(Value::as_array) {
            Some(items) if object["kind"] == "List" => objects.extend(items.iter().cloned()),
            Some(_) | None if object.is_null() => {}
            Some(_) | None => objects.push(object),
        }
    }
    Ok(objects
        .into_iter()
        .enumerate()
        .map(|(index, object)| Document { number: index + 1, object })
        .collect())
}

/// The only app of a file.
///
/// # Errors
/// When there is none, or more than one, or it can't be read.
pub fn app(path: &Path) -> Result<BlueGreenApp> {
    let documents = documents(&text(path)?).with_context(|| path.display().to_string())?;
    let apps: Vec<_> = documents.into_iter().filter(Document::is_app).collect();
    match apps.as_slice() {
        [one] => serde_path_to_error::deserialize(one.object.clone())
            .with_context(|| format!("{} is not a valid BlueGreenApp", path.display())),
        [] => bail!("there is no BlueGreenApp in {}", path.display()),
        [_, ..] => bail!("there is more than one BlueGreenApp in {}", path.display()),
    }
}
