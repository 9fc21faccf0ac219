//! PURE: the configuration of the notifier, a file of a Secret.
//!
//! What is wrong is said with the place of the field and the remedy, and never with a value: it may be a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use http::header::{self, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use crate::filter::Filter;
use crate::format::{Format, GitLab};
use crate::transition::Kind;
use crate::url::Url;

/// The most receivers. Each has a queue and a task.
const RECEIVERS: usize = 50;

/// Whom to tell what.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of this cluster in every message; absent if there is only one.
    pub cluster: Option<String>,
    /// Whom to tell; at least one.
    pub receivers: Vec<Receiver>,
}

/// One that is told.
#[derive(Clone)]
pub struct Receiver {
    /// Its name in the log and in metrics.
    pub name: String,
    /// What it wants to know.
    pub filter: Filter,
    /// Where it is.
    pub url: Url,
    /// Headers of each message.
    pub headers: HeaderMap,
    /// The certificates (PEM) of the CAs to trust, in place of those that Mozilla trusts.
    pub ca: Option<String>,
    /// How a message looks.
    pub format: Format,
}

/// Without anything that may be a secret.
impl fmt::Debug for Receiver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Receiver").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The file, as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw {
    cluster: Option<String>,
    receivers: Vec<RawReceiver>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawReceiver {
    name: String,
    #[serde(rename = "type")]
    type_: Type,
    url: String,
    token: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    ca: Option<String>,
    #[serde(default)]
    namespaces: BTreeSet<String>,
    #[serde(default)]
    apps: BTreeSet<String>,
    #[serde(default)]
    kinds: BTreeSet<Kind>,
    project: Option<String>,
    environment: Option<String>,
    #[serde(rename = "ref")]
    ref_: Option<String>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Type {
    Slack,
    Webhook,
    CloudEvents,
    GitLab,
}

impl Config {
    /// Reads a file in YAML or JSON.
    ///
    /// # Errors
    /// Names the field, and what to write there.
    pub fn parse(text: &str) -> Result<Self, String> {
        let raw: Raw = serde_path_to_error::deserialize(serde_yaml_ng::Deserializer::from_str(text))
            .map_err(|error| told(&error.path().to_string(), &error.inner().to_string()))?;
        let Raw { cluster, receivers } = raw;
        if receivers.is_empty() || receivers.len() > RECEIVERS {
            return Err(format!("receivers: must list between 1 and {RECEIVERS} receivers"));
        }
        let mut names = BTreeSet::new();
        let receiver = |(index, raw): (usize, RawReceiver)| {
            let at = |field: &str, words: &str| format!("receivers[{index}].{field}: {words}");
            if !names.insert(raw.name.clone()) {
                return Err(at("name", "must be the name of no other receiver"));
            }
            raw.checked().map_err(|(field, words)| at(field, &words))
        };
        let receivers = receivers.into_iter().enumerate().map(receiver).collect::<Result<_, _>>()?;
        Ok(Self { cluster: cluster.filter(|name| !name.is_empty()), receivers })
    }
}

/// The words of the YAML library without the values that it quotes.
fn told(path: &str, words: &str) -> String {
    // A field that is not known is a part of the path.
    let unknown = field(words);
    let path = match unknown.and_then(|field| path.strip_suffix(field)) {
        Some("") => ".",
        Some(parent) => parent.trim_end_matches('.'),
        None => path,
    };
    // The key of a map is somebody's own text, too.
    let path = path.find("headers.").map_or(path, |at| path.get(..at + "headers".len()).unwrap_or_default());
    let words = words.strip_prefix(&format!("{path}: ")).unwrap_or(words);
    let wanted = || words.rsplit_once("expected ").map_or("something else", |(_, wanted)| wanted);
    let words = if words.contains("invalid type") || words.contains("invalid value") {
        format!("has a value of the wrong type; must be {}", wanted())
    } else if words.contains("unknown variant") {
        format!("must be {}", wanted())
    } else if unknown.is_some_and(|field| !is_word(field)) {
        // In a map on one line, a value without its key is taken for a field.
        format!("has a field that is not known, expected {}", wanted())
    } else {
        words.to_owned()
    };
    if path == "." { words } else { format!("{path}: {words}") }
}

/// The field of "unknown field `tokn`, expected …".
fn field(words: &str) -> Option<&str> {
    words.split_once("unknown field `")?.1.rsplit_once("`, expected ").map(|(field, _)| field)
}

/// A misspelled field looks like this. A token or an address does not.
fn is_word(text: &str) -> bool {
    text.len() <= 20 && text.chars().all(|c| c.is_ascii_alphabetic())
}

/// Names of fields, with what is wrong with them.
type Wrong = (&'static str, String);

impl RawReceiver {
    fn checked(self) -> Result<Receiver, Wrong> {
        let is_label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || self.name.len() > 63 || !self.name.chars().all(is_label) {
            return Err(("name", "must be 1 to 63 lower case letters, digits and `-`".to_owned()));
        }
        let url = Url::from_str(&self.url).map_err(|words| ("url", words.to_owned()))?;
        let format = self.format(&url)?;
        let headers = self.headers(&format)?;
        if let Some(ca) = &self.ca {
            crate::connect::roots(Some(ca)).map_err(|words| ("ca", words))?;
        }
        let filter = Filter { namespaces: self.namespaces, apps: self.apps, kinds: self.kinds };
        Ok(Receiver { name: self.name, filter, url, headers, ca: self.ca, format })
    }

    fn format(&self, url: &Url) -> Result<Format, Wrong> {
        let of_gitlab = [("project", &self.project), ("environment", &self.environment), ("ref", &self.ref_)];
        let format = match self.type_ {
            Type::Slack => Format::Slack,
            Type::Webhook => Format::Webhook,
            Type::CloudEvents => Format::CloudEvents,
            Type::GitLab => {
                let needed = |field: &'static str, value: &Option<String>, example: &str| {
                    let words = || (field, format!("must be set for the type gitlab, such as {example}"));
                    value.clone().filter(|value| !value.is_empty()).ok_or_else(words)
                };
                if self.token.as_ref().is_none_or(String::is_empty) {
                    let words = "must be set for the type gitlab: a project access token with the scope api";
                    return Err(("token", words.to_owned()));
                }
                let project = needed("project", &self.project, "shop/hello or 42")?;
                let is_path = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
                if !project.chars().all(is_path) {
                    return Err(("project", "must be a path such as shop/hello, or a number".to_owned()));
                }
                let environment = needed("environment", &self.environment, "production")?;
                let ref_ = needed("ref", &self.ref_, "main")?;
                if url.path.path() != "/" || url.path.query().is_some() {
                    let words = "must be the address of GitLab alone, without a path, for the type gitlab";
                    return Err(("url", words.to_owned()));
                }
                Format::GitLab(GitLab { project, environment, ref_ })
            }
        };
        if self.type_ != Type::GitLab
            && let Some((field, _)) = of_gitlab.into_iter().find(|(_, value)| value.is_some())
        {
            return Err((field, "is only for the type gitlab; remove it".to_owned()));
        }
        Ok(format)
    }

    fn headers(&self, format: &Format) -> Result<HeaderMap, Wrong> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::from_str(name)
                .map_err(|_| ("headers", "must have names of headers".to_owned()))?;
            if OWN.contains(&name) {
                return Err(("headers", format!("{name} is set by the notifier; remove it")));
            }
            headers.insert(name, secret(value).ok_or_else(|| ("headers", LINE.to_owned()))?);
        }
        if let Some(token) = &self.token {
            let (name, value) = match format {
                Format::GitLab(_) => (HeaderName::from_static("private-token"), token.clone()),
                Format::Slack | Format::Webhook | Format::CloudEvents => {
                    (AUTHORIZATION, format!("Bearer {token}"))
                }
            };
            if headers.contains_key(&name) {
                return Err((
                    "token",
                    format!("sets the header {name}, which is in `headers`, too; remove one"),
                ));
            }
            headers.insert(name, secret(&value).ok_or_else(|| ("token", LINE.to_owned()))?);
        }
        Ok(headers)
    }
}

/// What a header must be. A line break is what `kubectl create secret --from-file` likes to leave at the end.
const LINE: &str = "must be one line of visible characters; remove line breaks";

/// Headers of the connection and the body.
const OWN: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::EXPECT,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

fn secret(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
