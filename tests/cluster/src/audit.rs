//! What was asked of the API server, and by whom.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

/// What is logged: everything but what Kubernetes' own components read all the time.
pub const POLICY: &str = r#"apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  verbs: [get, list, watch]
  userGroups: ["system:nodes", "system:serviceaccounts:kube-system"]
- level: None
  verbs: [get, list, watch]
  users: ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy", "kwok"]
- level: None
  resources: [{group: coordination.k8s.io, resources: [leases]}]
  users: ["system:apiserver"]
- level: None
  nonResourceURLs: ["/readyz*", "/livez*", "/healthz*", "/version"]
- level: Metadata
"#;

/// The audit log of a cluster.
///
/// An entry is written when its request is complete, which can be a moment after the client has its answer: wait for
/// an entry that must come, and make a later request of your own before counting ones that must not.
#[derive(Clone, Debug)]
pub struct AuditLog {
    path: PathBuf,
}

/// A position in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offset(u64);

/// One completed request. A watch has two: at its start (`stage` is `ResponseStarted`) and at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `ResponseComplete`, or `ResponseStarted` for a watch that has begun.
    pub stage: String,
    /// User name; empty where the request ended before it was known.
    pub user: String,
    /// The user's groups.
    pub groups: Vec<String>,
    /// The client's name for itself, with which several controllers of one user are told apart.
    pub agent: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` …
    pub verb: String,
    /// API group; empty for the core.
    pub group: String,
    /// Resource in the plural; empty for other URLs.
    pub resource: String,
    /// Subresource: `status`, `scale`; or empty.
    pub subresource: String,
    /// Namespace; or empty.
    pub namespace: String,
    /// Name; empty where the request names none, as a create does with `generateName`.
    pub name: String,
    /// HTTP status code.
    pub code: u16,
    /// Whether the user had a right to it; what was refused then, admission refused.
    pub authorized: bool,
    /// Path and query.
    pub uri: String,
    /// When the request came in.
    pub received: jiff::Timestamp,
}

impl Entry {
    /// Whether the request was meant to change something.
    pub fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }
}

/// How much of the log's end is searched at once for the end of a line.
const BLOCK: usize = 16 * 1024;

impl AuditLog {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The log's present end: entries that come later are those [`AuditLog::since`] it.
    ///
    /// A line that is being written right now belongs to what comes later: its end would be no entry.
    pub fn end(&self) -> Result<Offset> {
        let mut file = File::open(&self.path).context("this cluster keeps no audit log")?;
        let mut before = file.metadata()?.len();
        let mut block = vec![0; BLOCK];
        while before > 0 {
            let start = before.saturating_sub(BLOCK as u64);
            let part = &mut block[..usize::try_from(before - start)?];
            file.seek(SeekFrom::Start(start))?;
            file.read_exact(part)?;
            if let Some(newline) = part.iter().rposition(|byte| *byte == b'\n') {
                return Ok(Offset(start + newline as u64 + 1));
            }
            before = start;
        }
        Ok(Offset(0))
    }

    /// All entries since an offset, `Offset::default()` for all there are, in the order of their completion; and where
    /// to go on.
    pub fn since(&self, offset: Offset) -> Result<(Vec<Entry>, Offset)> {
        let mut file = File::open(&self.path).context("this cluster keeps no audit log")?;
        file.seek(SeekFrom::Start(offset.0))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        // The last line may be half written.
        let complete = text.rfind('\n').map_or(0, |end| end + 1);
        let entries = text[..complete].lines().map(parse).collect::<Result<_>>()?;
        Ok((entries, Offset(offset.0 + complete as u64)))
    }

    /// The entries since an offset that a predicate selects.
    pub fn matching(&self, offset: Offset, wanted: impl Fn(&Entry) -> bool) -> Result<Vec<Entry>> {
        Ok(self.since(offset)?.0.into_iter().filter(wanted).collect())
    }
}

fn parse(line: &str) -> Result<Entry> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Event {
        stage: String,
        verb: String,
        #[serde(rename = "requestURI")]
        request_uri: String,
        user: User,
        #[serde(default)]
        user_agent: String,
        #[serde(default)]
        object_ref: Object,
        #[serde(default)]
        response_status: Status,
        request_received_timestamp: String,
        #[serde(default)]
        annotations: std::collections::BTreeMap<String, String>,
    }
    #[derive(Deserialize)]
    struct User {
        // None where the client was gone before it was known.
        #[serde(default)]
        username: String,
        #[serde(default)]
        groups: Vec<String>,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Object {
        api_group: String,
        resource: String,
        subresource: String,
        namespace: String,
        name: String,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Status {
        code: u16,
    }
    let event: Event = serde_json::from_str(line).with_context(|| format!("not an audit entry: {line}"))?;
    let Event {
        stage,
        verb,
        request_uri,
        user,
        user_agent,
        object_ref,
        response_status,
        request_received_timestamp,
        annotations,
    } = event;
    let decision = annotations.get("authorization.k8s.io/decision");
    Ok(Entry {
        stage,
        user: user.username,
        groups: user.groups,
        agent: user_agent,
        verb,
        group: object_ref.api_group,
        resource: object_ref.resource,
        subresource: object_ref.subresource,
        namespace: object_ref.namespace,
        name: object_ref.name,
        code: response_status.code,
        authorized: decision.is_some_and(|decision| decision == "allow"),
        uri: request_uri,
        received: request_received_timestamp.parse()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_whose_client_was_killed_has_no_user() {
        let line = r#"{"stage":"ResponseStarted","requestURI":"/x","verb":"update","user":{},"requestReceivedTimestamp":"2026-01-01T00:00:00Z"}"#;
        assert_eq!(parse(line).unwrap().user, "");
    }

    #[test]
    fn a_half_written_line_belongs_to_what_comes_later() {
        let path = std::env::temp_dir().join(format!("audit-{}.log", std::process::id()));
        let log = AuditLog::new(path.clone());
        for (text, end) in [("", 0), ("half", 0), ("one\n", 4), ("one\nhal", 4), ("one\ntwo\n", 8)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(log.end().unwrap().0, end, "{text:?}");
        }
        let long = format!("one\n{}", "x".repeat(3 * BLOCK));
        std::fs::write(&path, long).unwrap();
        assert_eq!(log.end().unwrap().0, 4);
        std::fs::remove_file(&path).unwrap();
    }
}
