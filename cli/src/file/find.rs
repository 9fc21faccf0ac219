//! PURE: which object of a file is meant, and what it says.

use bluegreen_api::{BlueGreenApp, BlueGreenAppSpec};
use kube::Resource;
use serde_json::{Value, json};

use super::nodes::{self, Content, Node, Place};
use crate::edit::Refusal;
use crate::manifest;

/// The app that is meant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Its name; none if the file has only one app.
    pub name: Option<&'a str>,
    /// Its namespace. An object that gives none may be in any.
    pub namespace: Option<&'a str>,
}

/// An app in the text of a file.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Its namespace, if the file gives one.
    pub namespace: Option<String>,
    /// The whole object as it was written.
    pub object: Value,
    /// Where it is among the objects of the file, from 0.
    pub index: usize,
    /// Its spec, with places.
    pub spec: Node,
    /// The file holds a part of the app only: a patch.
    pub is_patch: bool,
    /// The aliases of the document: the place of what each repeats, and the line that it is on.
    aliases: Vec<(Place, usize)>,
}

/// The fields that decide about an edit.
const DECIDING: [&str; 4] = ["active", "activeUpdatePolicy", "blue", "green"];

/// The app that is wanted.
///
/// # Errors
/// When the text is no YAML, or there is no such app, or more than one.
pub fn app(text: &str, wanted: &Wanted<'_>) -> Result<Found, Refusal> {
    let documents = nodes::documents(text).map_err(|error| not_yaml(text, &error.to_string()))?;
    let objects = manifest::documents(text).map_err(|error| not_yaml(text, &format!("{error:#}")))?;
    refuse_other_kinds(&objects)?;
    let places: Vec<(&Node, &Node)> = documents.iter().flat_map(objects_of).collect();
    let apps = places.iter().filter(|(_, object)| is_app(object));
    let meant: Vec<_> = apps.clone().filter(|(_, object)| matches(object, wanted)).collect();
    let [(document, object)] = meant.as_slice() else {
        let names: Vec<String> = apps.map(|(_, object)| full_name(object)).collect();
        return Err(which(&names, meant.len(), wanted));
    };
    let mut values = objects.into_iter().enumerate().filter(|(_, other)| {
        other.is_app()
            && same(other.object["metadata"]["name"].as_str(), text_at(object, "name"))
            && same(other.object["metadata"]["namespace"].as_str(), text_at(object, "namespace"))
    });
    let (Some((index, value)), None) = (values.next(), values.next()) else {
        return Err(Refusal("the app can't be told from the other objects of the file".to_owned()));
    };
    let is_twice =
        |key: &&str| object.entries().iter().filter(|(name, _)| name.scalar() == Some(key)).count() > 1;
    if let Some(key) = ["metadata", "spec"].iter().find(|key| is_twice(key)) {
        return Err(Refusal(format!("{key} is there twice: remove one")));
    }
    let name = text_at(object, "name").unwrap_or_default().to_owned();
    for (field, value) in
        [("metadata.name", Some(name.as_str())), ("metadata.namespace", text_at(object, "namespace"))]
    {
        if value.is_some_and(|value| value.contains("{{")) {
            return Err(template(field));
        }
    }
    let Some(spec) = object.get("spec") else {
        return Err(Refusal(format!("{name} has no spec in this file")));
    };
    let is_patch = serde_json::from_value::<BlueGreenApp>(value.object.clone()).is_err();
    Ok(Found {
        namespace: text_at(object, "namespace").map(ToOwned::to_owned),
        aliases: aliases(text, document),
        spec: spec.clone(),
        object: value.object,
        name,
        index,
        is_patch,
    })
}

impl Found {
    /// The spec with what the file says of the fields that decide. The others are those of the app in the cluster or, without
    /// one, some that are valid: a patch holds only a part of them, and none of them decides.
    ///
    /// # Errors
    /// When these fields can't be read.
    pub fn decided_by(&self, seen: Option<&BlueGreenAppSpec>) -> Result<BlueGreenAppSpec, Refusal> {
        let written = &self.object["spec"];
        let mut spec = match seen {
            Some(seen) => serde_json::to_value(seen).map_err(|error| Refusal(error.to_string()))?,
            None => json!({ "image": "image", "port": 1 }),
        };
        for field in DECIDING {
            let value = &written[field];
            if holds_template(value) {
                return Err(template(&format!("spec.{field}")));
            }
            let Some(fields) = spec.as_object_mut() else { continue };
            // An empty block is none.
            if !value.is_null() && *value != json!({}) {
                fields.insert(field.to_owned(), value.clone());
            } else if !self.is_patch {
                fields.remove(field);
            }
        }
        if written["active"].is_null() {
            return Err(Refusal(format!(
                "spec.active of {} is not set in this file: edit the file that sets it, or set it here first",
                self.name
            )));
        }
        serde_path_to_error::deserialize(&spec)
            .map_err(|error| Refusal(format!("spec.{}: {}", error.path(), error.inner())))
    }

    /// The line of an alias that repeats what is at a place.
    #[must_use]
    pub fn shared_by_alias(&self, at: &Place) -> Option<usize> {
        let touches = |shared: &Place| at.start <= shared.end && shared.start <= at.end;
        self.aliases.iter().find(|(shared, _)| touches(shared)).map(|(_, line)| *line)
    }
}

fn not_yaml(text: &str, why: &str) -> Refusal {
    if text.contains("{{") {
        return Refusal(format!(
            "this looks like a Helm template ({why}): edit the values that it is made from"
        ));
    }
    Refusal(format!("this is no YAML: {why}"))
}

fn template(field: &str) -> Refusal {
    Refusal(format!("{field} is written as a template (`{{{{`): edit the values that it is made from"))
}

fn holds_template(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("{{"),
        // Variables belong to the app, which may use braces for what it likes.
        Value::Object(fields) => {
            ["tag", "digest"].iter().any(|key| fields.get(*key).is_some_and(holds_template))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
    }
}

/// Refuses files that name an app without holding it.
fn refuse_other_kinds(objects: &[manifest::Document]) -> Result<(), Refusal> {
    let api = |object: &Value| object["apiVersion"].as_str().unwrap_or_default().to_owned();
    if objects.iter().any(manifest::Document::is_app) {
        return Ok(());
    }
    let kind = BlueGreenApp::kind(&());
    let other = objects.iter().find(|document| document.object["kind"] == kind.as_ref());
    if let Some(other) = other {
        let known = BlueGreenApp::api_version(&());
        return Err(Refusal(format!(
            "the BlueGreenApp is of {:?}; this program knows {known}",
            api(&other.object)
        )));
    }
    if objects.iter().any(|document| {
        api(&document.object).starts_with("kustomize.config.k8s.io/") || is_kustomization(&document.object)
    }) {
        return Err(Refusal(
            "this is a kustomization: edit the manifest, or the patch file, that sets spec.active".to_owned(),
        ));
    }
    if objects.iter().any(|document| document.object.is_array()) {
        return Err(Refusal(
            "this is a JSON patch: write it as a patch with apiVersion, kind and metadata.name".to_owned(),
        ));
    }
    Ok(())
}

fn is_kustomization(object: &Value) -> bool {
    object["kind"].is_null() && (object["resources"].is_array() || object["patches"].is_array())
}

/// The objects of a document, each with the document: those of a `List` one by one.
fn objects_of(document: &Node) -> Vec<(&Node, &Node)> {
    let is_list = document.get("kind").and_then(Node::scalar) == Some("List");
    match document.get("items").filter(|_| is_list).map(|items| &items.content) {
        Some(Content::Sequence(items)) => items.iter().map(|item| (document, item)).collect(),
        Some(Content::Scalar { .. } | Content::Mapping { .. } | Content::Alias(_)) | None => {
            vec![(document, document)]
        }
    }
}

fn is_app(object: &Node) -> bool {
    let is = |key: &str, value: &str| object.get(key).and_then(Node::scalar) == Some(value);
    is("kind", &BlueGreenApp::kind(&())) && is("apiVersion", &BlueGreenApp::api_version(&()))
}

fn text_at<'a>(object: &'a Node, field: &str) -> Option<&'a str> {
    object.get("metadata")?.get(field)?.scalar().filter(|text| !text.is_empty())
}

fn same(value: Option<&str>, written: Option<&str>) -> bool {
    value.filter(|text| !text.is_empty()) == written
}

fn matches(object: &Node, wanted: &Wanted<'_>) -> bool {
    let namespace = text_at(object, "namespace");
    wanted.name.is_none_or(|name| text_at(object, "name") == Some(name))
        && wanted.namespace.is_none_or(|wanted| namespace.is_none_or(|namespace| namespace == wanted))
}

fn full_name(object: &Node) -> String {
    let name = text_at(object, "name").unwrap_or("?");
    text_at(object, "namespace").map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

fn which(names: &[String], matching: usize, wanted: &Wanted<'_>) -> Refusal {
    let list = names.join(", ");
    Refusal(match (names.len(), matching, wanted.name) {
        (0, _, _) => "there is no BlueGreenApp in this file".to_owned(),
        (_, 0, Some(name)) => format!("there is no BlueGreenApp {name} in this file; there is {list}"),
        (_, 0, None) => format!("there is no BlueGreenApp of this namespace in this file; there is {list}"),
        (_, _, None) => format!("there is more than one BlueGreenApp in this file ({list}): name one"),
        (_, _, Some(name)) => {
            format!("there is more than one BlueGreenApp {name} in this file ({list}): choose one with -n")
        }
    })
}

/// What the aliases of a document repeat.
fn aliases(text: &str, document: &Node) -> Vec<(Place, usize)> {
    let nodes = document.all();
    let of = |alias: &Node| match alias.content {
        Content::Alias(anchor) => nodes.iter().find(|node| node.anchor == anchor).map(|node| {
            let before = text.get(..alias.place.start).unwrap_or_default();
            (node.place.clone(), before.matches('\n').count() + 1)
        }),
        Content::Scalar { .. } | Content::Mapping { .. } | Content::Sequence(_) => None,
    };
    nodes.iter().filter_map(|node| of(node)).collect()
}
