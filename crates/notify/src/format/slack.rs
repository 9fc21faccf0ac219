//! PURE: a line for a chat: `{"text": …}`, which Slack, Mattermost and others take at an incoming webhook.

use bluegreen_core::harmless::harmless;
use serde_json::{Value, json};

use crate::transition::Transition;

/// The longest message, in bytes.
const LONGEST: usize = 1000;

/// The body. Whoever writes an app or a check writes a part of the text, so nothing in it may call people, or look like a link.
pub(super) fn body(cluster: Option<&str>, transition: &Transition) -> Value {
    let Transition { kind, namespace, name, message, .. } = transition;
    let place = cluster.map_or_else(String::new, |cluster| format!("{cluster}: "));
    let text = format!("{place}{namespace}/{name}: {kind}: {message}");
    json!({ "text": escaped(&harmless(&text, LONGEST)) })
}

/// Slack's three characters, and what Mattermost takes for a name or for a link.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (index, c) in text.char_indices() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // A digest, which people copy.
            '@' if text.get(index..).is_some_and(|rest| rest.starts_with("@sha256:")) => escaped.push(c),
            // With a character behind it that has no width.
            '@' | '[' => escaped.extend([c, '\u{2060}']),
            c => escaped.push(c),
        }
    }
    escaped
}
