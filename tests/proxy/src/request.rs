//! What a request to the API server is about.

use std::fmt;

use http::Method;
use http::request::Parts;
use serde_json::Value;

/// Kubernetes' verbs, as RBAC knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Read one object.
    Get,
    /// Read many.
    List,
    /// Read many, and go on reading.
    Watch,
    /// Create.
    Create,
    /// Replace.
    Update,
    /// Patch or apply.
    Patch,
    /// Delete one object.
    Delete,
    /// Delete many.
    DeleteCollection,
}

impl Verb {
    /// As RBAC spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it wants to do.
    pub verb: Verb,
    /// API group; empty for the core.
    pub group: String,
    /// Resource in the plural; empty for other URLs.
    pub resource: String,
    /// Namespace; or empty.
    pub namespace: String,
    /// Name; of a create, the one in its body.
    pub name: String,
    /// `status`, `scale`; or empty.
    pub subresource: String,
    /// Who says so in a write (`fieldManager`); or empty.
    pub manager: String,
    /// The client's name for itself.
    pub agent: String,
    /// Path and query.
    pub uri: String,
}

impl Request {
    pub(crate) fn parse(head: &Parts, body: &[u8]) -> Self {
        let path: Vec<&str> = head.uri.path().split('/').filter(|part| !part.is_empty()).collect();
        let (group, rest) = match path.as_slice() {
            ["api", _version, rest @ ..] => ("", rest),
            ["apis", group, _version, rest @ ..] => (*group, rest),
            _ => ("", [].as_slice()),
        };
        let (namespace, rest) = match rest {
            // A namespace's own subresources, not resources in it.
            ["namespaces", _, "status" | "finalize"] => ("", rest),
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let part = |index: usize| (*rest.get(index).unwrap_or(&"")).to_owned();
        let mut name = part(1);
        let query = |key: &str| query(head, key);
        let verb =
            verb(&head.method, !name.is_empty(), matches!(query("watch").as_deref(), Some("true" | "1")));
        if verb == Verb::Create && name.is_empty() {
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            name = body.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        }
        let agent = head.headers.get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        Self {
            verb,
            group: group.to_owned(),
            resource: part(0),
            namespace: namespace.to_owned(),
            name,
            subresource: part(2),
            manager: query("fieldManager").unwrap_or_default(),
            agent: agent.unwrap_or_default().to_owned(),
            uri: head.uri.to_string(),
        }
    }

    /// A watch, whose reply goes on and on.
    pub fn is_watch(&self) -> bool {
        self.verb == Verb::Watch
    }

    /// Whether it is meant to change something.
    pub fn is_write(&self) -> bool {
        match self.verb {
            Verb::Get | Verb::List | Verb::Watch => false,
            Verb::Create | Verb::Update | Verb::Patch | Verb::Delete | Verb::DeleteCollection => true,
        }
    }

    /// A write that changes an app, its status or its children: all but Leases and Events, which come and go as time
    /// passes.
    pub fn is_change(&self) -> bool {
        self.is_write() && !matches!(self.resource.as_str(), "leases" | "events")
    }
}

/// As in `patch services/hello` or `update bluegreenapps/hello/status`.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, resource, name, subresource, .. } = self;
        write!(f, "{} {resource}", verb.as_str())?;
        if !name.is_empty() {
            write!(f, "/{name}")?;
        }
        if !subresource.is_empty() {
            write!(f, "/{subresource}")?;
        }
        if self.manager.is_empty() { Ok(()) } else { write!(f, " by {}", self.manager) }
    }
}

fn verb(method: &Method, named: bool, watch: bool) -> Verb {
    match (method, named) {
        (&Method::POST, _) => Verb::Create,
        (&Method::PUT, _) => Verb::Update,
        (&Method::PATCH, _) => Verb::Patch,
        (&Method::DELETE, true) => Verb::Delete,
        (&Method::DELETE, false) => Verb::DeleteCollection,
        (_, _) if watch => Verb::Watch,
        (_, true) => Verb::Get,
        (_, false) => Verb::List,
    }
}

/// A parameter of the URL, as it stands there: those that matter here need no decoding.
fn query(head: &Parts, key: &str) -> Option<String> {
    let pairs = head.uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(name, _)| *name == key).map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(method: &str, uri: &str, body: &str) -> Request {
        let request =
            http::Request::builder().method(method).uri(uri).header("user-agent", "me").body(()).unwrap();
        Request::parse(&request.into_parts().0, body.as_bytes())
    }

    #[test]
    fn a_request_is_what_rbac_would_call_it() {
        let cases = [
            ("GET", "/api/v1/namespaces/a/services/web", "get services/web"),
            ("GET", "/api/v1/namespaces/a/services?limit=5", "list services"),
            ("GET", "/apis/apps/v1/deployments?labelSelector=x&watch=true", "watch deployments"),
            ("GET", "/apis/apps/v1/deployments?watch=1", "watch deployments"),
            (
                "PATCH",
                "/apis/apps/v1/namespaces/a/deployments/web?fieldManager=me",
                "patch deployments/web by me",
            ),
            (
                "PUT",
                "/apis/bluegreen.dev/v1alpha1/namespaces/a/bluegreenapps/web/status",
                "update bluegreenapps/web/status",
            ),
            ("DELETE", "/api/v1/namespaces/a/pods", "deletecollection pods"),
            ("DELETE", "/api/v1/namespaces/a/pods/p", "delete pods/p"),
            ("GET", "/api/v1/namespaces/a", "get namespaces/a"),
            ("PUT", "/api/v1/namespaces/a/finalize", "update namespaces/a/finalize"),
            ("GET", "/version", "list "),
        ];
        for (method, uri, expected) in cases {
            assert_eq!(parse(method, uri, "").to_string(), expected, "{method} {uri}");
        }
    }

    #[test]
    fn a_request_has_a_group_a_namespace_an_agent_and_a_new_object_its_name() {
        let create =
            parse("POST", "/apis/apps/v1/namespaces/a/deployments", r#"{"metadata": {"name": "web"}}"#);
        assert_eq!((create.verb, create.name.as_str()), (Verb::Create, "web"));
        assert_eq!(
            (create.group.as_str(), create.namespace.as_str(), create.agent.as_str()),
            ("apps", "a", "me")
        );
    }

    #[test]
    fn leases_and_events_are_writes_but_no_changes() {
        let lease = parse("PUT", "/apis/coordination.k8s.io/v1/namespaces/a/leases/l", "");
        assert!(lease.is_write() && !lease.is_change());
        assert!(parse("PATCH", "/api/v1/namespaces/a/services/web", "").is_change());
        assert!(!parse("GET", "/api/v1/namespaces/a/services/web", "").is_write());
    }
}
