//! A request, taken apart.

use std::collections::BTreeMap;

use http::Method;
use http::request::Parts;
use serde_json::Value;

use crate::kind::Kind;
use crate::status::Status;

/// What a request asks for, in the words of Kubernetes' authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// One object.
    Get,
    /// Objects of a kind.
    List,
    /// Their changes.
    Watch,
    /// A new object.
    Create,
    /// A server-side apply.
    Apply,
    /// A merge patch.
    Merge,
    /// An object in place of another.
    Replace,
    /// One object's end.
    Delete,
}

impl Verb {
    /// Whether it changes anything.
    #[must_use]
    pub const fn writes(self) -> bool {
        match self {
            Self::Get | Self::List | Self::Watch => false,
            Self::Create | Self::Apply | Self::Merge | Self::Replace | Self::Delete => true,
        }
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// What it asks for.
    pub verb: Verb,
    /// The kind of object.
    pub kind: Kind,
    /// The namespace; `None` for all.
    pub namespace: Option<String>,
    /// The object; empty for all.
    pub name: String,
    /// The part of the object: empty, or `status`.
    pub subresource: String,
    /// The parameters.
    pub query: BTreeMap<String, String>,
    /// Only metadata is asked for.
    pub metadata_only: bool,
    /// The body.
    pub body: Value,
}

impl Request {
    /// Takes an HTTP request apart.
    ///
    /// # Errors
    /// 404 for a path, and 405 for a method, that this server does not know.
    pub(crate) fn parse(parts: &Parts, body: Value) -> Result<Self, Status> {
        let path = parts.uri.path();
        let query: BTreeMap<String, String> =
            form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let unknown =
            || Status::new(404, format!("the server could not find the requested resource: {path}"));
        let Resource { kind, namespace, name, subresource } = resource(path).ok_or_else(unknown)?;
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let watches = query.get("watch").is_some_and(|value| value == "true" || value == "1");
        let verb = match (parts.method.clone(), name.is_empty()) {
            (Method::GET, false) => Verb::Get,
            (Method::GET, true) if watches => Verb::Watch,
            (Method::GET, true) => Verb::List,
            (Method::POST, true) => Verb::Create,
            (Method::PUT, false) => Verb::Replace,
            (Method::DELETE, false) => Verb::Delete,
            (Method::PATCH, false) if header("content-type").contains("apply-patch") => Verb::Apply,
            (Method::PATCH, false) if header("content-type").contains("merge-patch") => Verb::Merge,
            (method, _) => return Err(Status::new(405, format!("{method} {path} is not known here"))),
        };
        let metadata_only = header("accept").contains("PartialObjectMetadata");
        Ok(Self { verb, kind, namespace, name, subresource, query, metadata_only, body })
    }

    /// Whether it is this verb on this object (or, for an empty name, on any of the kind).
    #[must_use]
    pub fn is(&self, verb: Verb, kind: Kind, name: &str) -> bool {
        self.verb == verb && self.kind == kind && (name.is_empty() || self.name == name)
    }

    /// Whether it writes the status of an app.
    #[must_use]
    pub fn writes_status(&self) -> bool {
        self.verb == Verb::Replace && self.kind == Kind::App && self.subresource == "status"
    }

    /// The field manager that it names.
    #[must_use]
    pub fn manager(&self) -> &str {
        self.query.get("fieldManager").map_or("unknown", String::as_str)
    }

    pub(crate) fn label_selector(&self) -> &str {
        self.query.get("labelSelector").map_or("", String::as_str)
    }
}

struct Resource {
    kind: Kind,
    namespace: Option<String>,
    name: String,
    subresource: String,
}

/// `/api/v1/…` and `/apis/GROUP/VERSION/…`, with a namespace or without.
fn resource(path: &str) -> Option<Resource> {
    let mut parts = path.trim_matches('/').split('/');
    let api_version = match parts.next()? {
        "api" => parts.next()?.to_owned(),
        "apis" => format!("{}/{}", parts.next()?, parts.next()?),
        _ => return None,
    };
    let mut plural = parts.next()?;
    let mut namespace = None;
    if plural == "namespaces" {
        namespace = Some(parts.next()?.to_owned());
        plural = parts.next()?;
    }
    let kind = Kind::of_path(&api_version, plural)?;
    let mut rest = || parts.next().unwrap_or_default().to_owned();
    Some(Resource { kind, namespace, name: rest(), subresource: rest() })
}
