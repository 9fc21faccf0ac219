//! PURE: a line for a chat: `{"text": …}`, which Slack, Mattermost and others take at an incoming webhook.

use bluegreen_core::harmless::harmless;
use serde_json::{Value, json};

use crate::transition::Transition;

/// The longest message, in bytes.
const LONGEST: usize = 1000;

/// The body. Whoever writes an app or a check writes a part of the text, so nothing in it may call people, or become a link.
pub(super) fn body(cluster: Option<&str>, transition: &Transition) -> Value {
    let Transition { kind, namespace, name, message, .. } = transition;
    let place = cluster.map_or_else(String::new, |cluster| format!("{cluster}: "));
    let text = format!("{place}{namespace}/{name}: {kind}: {message}");
    json!({ "text": escaped(&harmless(&text, LONGEST)) })
}

/// A character without a width, which no chat takes for a part of a name or of an address.
const JOINER: char = '\u{2060}';

/// Schemes of links that need no `//`. The texts of an app are full of other colons, such as the one before a tag.
const SCHEMES: [&str; 2] = ["mailto", "tel"];

/// Slack's three characters, and what Slack or Mattermost takes for a name or for a link. Both make links of addresses that stand
/// there without any markup.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (index, c) in text.char_indices() {
        let (before, rest) = text.split_at(index);
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // A digest, which people copy.
            '@' if rest.starts_with("@sha256:") => escaped.push(c),
            '@' | '[' => escaped.extend([c, JOINER]),
            ':' if rest.starts_with(":/") || SCHEMES.iter().any(|scheme| ends_with(before, scheme)) => {
                escaped.extend([c, JOINER]);
            }
            '.' if ends_with(before.trim_end_matches(|c: char| c.is_ascii_digit()), "www") => {
                escaped.extend([JOINER, c]);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// In capitals, too.
fn ends_with(text: &str, word: &str) -> bool {
    let start = text.len().checked_sub(word.len());
    start.and_then(|start| text.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(word))
}
