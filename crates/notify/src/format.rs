//! PURE: how a transition looks to a receiver.

mod cloudevents;
mod gitlab;
mod slack;

use http::Uri;
use serde_json::{Value, json};

pub use self::gitlab::GitLab;
use crate::transition::Transition;
use crate::url::Url;

/// How a message looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// One line of text, as Slack and Mattermost take it.
    Slack,
    /// The transition as JSON.
    Webhook,
    /// The same as a CloudEvent in structured JSON.
    CloudEvents,
    /// A deployment of a project in GitLab.
    GitLab(GitLab),
}

/// A message, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Path and query.
    pub path: Uri,
    /// The header `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Format {
    /// The message for a receiver at this URL; none if this format has no word for it. `cluster` is the name of the cluster.
    #[must_use]
    pub fn message(&self, url: &Url, cluster: Option<&str>, transition: &Transition) -> Option<Outgoing> {
        let json = "application/json";
        let (path, content_type, body) = match self {
            Self::Slack => (url.path.clone(), json, slack::body(cluster, transition)),
            Self::Webhook => (url.path.clone(), json, plain(cluster, transition)),
            Self::CloudEvents => {
                let body = cloudevents::body(transition, plain(cluster, transition));
                (url.path.clone(), "application/cloudevents+json", body)
            }
            Self::GitLab(gitlab) => (gitlab.path()?, json, gitlab.body(transition)?),
        };
        Some(Outgoing { path, content_type, body: body.to_string() })
    }
}

/// The transition as JSON, with the name of the cluster.
fn plain(cluster: Option<&str>, transition: &Transition) -> Value {
    let mut body = json!(transition);
    if let (Some(body), Some(cluster)) = (body.as_object_mut(), cluster) {
        body.insert("cluster".to_owned(), cluster.into());
    }
    body
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
