//! PURE: a merge patch of a mapping as the replacement of a few bytes.
//!
//! Only what an edit of an app needs: set a text, take a field away, add a block for a color. A value keeps its quotes, a new
//! field is written as its neighbors are. What can't be done without a guess is refused.

use granit_parser::ScalarStyle;
use serde_json::{Map, Value};

use super::nodes::{Content, Node, Place};

/// Bytes to replace, and what to write there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    /// Which bytes.
    pub at: Place,
    /// The new text.
    pub with: String,
}

impl Splice {
    fn insert(at: usize, with: String) -> Self {
        Self { at: at..at, with }
    }
}

/// The text with all splices carried out; none may overlap another one.
#[must_use]
pub fn spliced(text: &str, mut splices: Vec<Splice>) -> Option<String> {
    splices.sort_by_key(|splice| (splice.at.start, splice.at.end));
    let mut result = String::with_capacity(text.len());
    let mut done = 0;
    for Splice { at, with } in splices {
        result.push_str(text.get(done..at.start)?);
        result.push_str(&with);
        done = at.end;
    }
    result.push_str(text.get(done..)?);
    Some(result)
}

/// What it takes to bring a merge patch into a mapping at `path`, which the messages name.
///
/// # Errors
/// Why it can't be done, and what to do.
pub fn splices(
    text: &str,
    mapping: &Node,
    patch: &Map<String, Value>,
    path: &str,
) -> Result<Vec<Splice>, String> {
    let within = Within { text, mapping, path };
    within.editable()?;
    let mut splices = Vec::new();
    let (mut missing, mut unwanted) = (Vec::new(), Vec::new());
    for (key, value) in ordered(patch) {
        let field = format!("{path}.{key}");
        match (mapping.entry(key), value) {
            (None, Value::Null) => {}
            (Some(entry), Value::Null) => unwanted.push(entry),
            (None, value) => missing.push((key.as_str(), value)),
            (Some((name, node)), Value::Object(fields)) if node.is_null() => {
                let json = is_quoted(name);
                splices.push(within.replaced(name, node, flow(fields, json), &field)?);
            }
            (Some((_, node)), Value::Object(fields)) => {
                splices.extend(self::splices(text, node, fields, &field)?)
            }
            (Some((name, node)), value) => {
                let value = scalar(node, value, &field)?;
                splices.push(within.replaced(name, node, value, &field)?);
            }
        }
    }
    // A field that goes and one that comes change places, so that the block is never without a field.
    let mut missing = missing.into_iter();
    for entry in unwanted {
        splices.push(match missing.next() {
            Some((key, value)) => Splice {
                at: entry.0.place.start..entry.1.place.end,
                with: pair(key, value, is_quoted(&entry.0)),
            },
            None => within.removed(entry)?,
        });
    }
    for (key, value) in missing {
        splices.push(within.added(key, value)?);
    }
    Ok(splices)
}

struct Within<'a> {
    text: &'a str,
    mapping: &'a Node,
    path: &'a str,
}

impl Within<'_> {
    fn editable(&self) -> Result<(), String> {
        let path = self.path;
        match &self.mapping.content {
            Content::Mapping { .. } => {}
            Content::Alias(_) => return Err(format!("{path} is an alias: write its fields out")),
            Content::Scalar { .. } | Content::Sequence(_) => return Err(format!("{path} is no mapping")),
        }
        let mut seen = Vec::new();
        for (key, _) in self.mapping.entries() {
            let Some(name) = key.scalar() else { return Err(format!("{path} has a key that is no text")) };
            if name == "<<" {
                return Err(format!("{path} has the merge key `<<`: write its fields out"));
            }
            if seen.contains(&name) {
                return Err(format!("{path}.{name} is there twice: remove one"));
            }
            seen.push(name);
        }
        Ok(())
    }

    /// Another value for a key.
    fn replaced(&self, key: &Node, value: &Node, with: String, field: &str) -> Result<Splice, String> {
        if !value.place.is_empty() {
            return Ok(Splice { at: value.place.clone(), with });
        }
        // An empty value is somewhere behind the colon, perhaps behind a comment.
        let rest = self.text.get(key.place.end..).unwrap_or_default();
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        if !rest.get(blanks..).is_some_and(|rest| rest.starts_with(':')) || value.anchor != 0 || value.tagged
        {
            return Err(format!(
                "{field} has no value, and it can't be told where to write one: write `{field}: null`"
            ));
        }
        Ok(Splice::insert(key.place.end + blanks + 1, format!(" {with}")))
    }

    fn removed(&self, entry: &(Node, Node)) -> Result<Splice, String> {
        let (key, value) = entry;
        let entries = self.mapping.entries();
        let index = entries.iter().position(|other| other == entry);
        let flow = matches!(self.mapping.content, Content::Mapping { flow: true, .. });
        if flow {
            let neighbors = index
                .map(|index| (entries.get(index + 1), index.checked_sub(1).and_then(|i| entries.get(i))));
            let at = match neighbors {
                Some((Some((next, _)), _)) => key.place.start..next.place.start,
                Some((None, Some((_, before)))) => before.place.end..value.place.end,
                Some((None, None)) | None => key.place.start..value.place.end,
            };
            return Ok(Splice { at, with: String::new() });
        }
        let start = line_start(self.text, key.place.start);
        let is_first = self.text.get(start..key.place.start).is_some_and(|before| before.trim().is_empty());
        let name = key.scalar().unwrap_or_default();
        if !is_first || !is_one_line(self.text, &(key.place.start..value.place.end)) {
            return Err(format!(
                "{}.{name} is not on a line of its own: remove it, and try again",
                self.path
            ));
        }
        let end = line_end(self.text, value.place.end.max(key.place.end));
        let with_break = self.text.get(end..).map_or(end, |rest| {
            end + rest.len() - rest.trim_start_matches('\r').strip_prefix('\n').unwrap_or(rest).len()
        });
        Ok(Splice { at: start..with_break, with: String::new() })
    }

    /// A new field: behind the one that it belongs to, else before the first.
    fn added(&self, key: &str, value: &Value) -> Result<Splice, String> {
        let Content::Mapping { flow, entries } = &self.mapping.content else {
            return Err(format!("{} is no mapping", self.path));
        };
        let sibling = match key {
            "tag" => "digest",
            "digest" => "tag",
            "blue" => "green",
            "green" => "blue",
            _ => "",
        };
        let sibling = entries.iter().find(|(name, _)| name.scalar() == Some(sibling));
        let Some((first, _)) = entries.first() else {
            let inside = self.mapping.place.start + 1;
            // `{}` is JSON as well; what is around it tells.
            let json = self.text.trim_start_matches('\u{feff}').trim_start().starts_with('{');
            return Ok(Splice::insert(inside, pair(key, value, json)));
        };
        let json = is_quoted(first);
        if *flow {
            return Ok(match sibling {
                Some((name, old)) => {
                    let space = self.indent(name).unwrap_or_else(|| " ".to_owned());
                    Splice::insert(old.place.end, format!(",{space}{}", pair(key, value, json)))
                }
                None => {
                    let space = self.indent(first).unwrap_or_else(|| " ".to_owned());
                    Splice::insert(first.place.start, format!("{},{space}", pair(key, value, json)))
                }
            });
        }
        let indent = self.indent(first).ok_or_else(|| {
            format!("the first field of {} is not on a line of its own: put it there", self.path)
        })?;
        Ok(match sibling.filter(|(_, old)| ends_plainly(self.text, old)) {
            Some((_, old)) => {
                let end = line_end(self.text, old.all().iter().map(|node| node.place.end).max().unwrap_or(0));
                Splice::insert(end, format!("{indent}{}", self.lines(key, value, &indent, old)))
            }
            None => Splice::insert(first.place.start, format!("{}{indent}", pair(key, value, json))),
        })
    }

    /// A field of a block: a mapping on lines of its own if its sibling is.
    fn lines(&self, key: &str, value: &Value, indent: &str, sibling: &Node) -> String {
        let inner = match &sibling.content {
            Content::Mapping { flow: false, entries } => {
                entries.first().and_then(|(name, _)| self.indent(name))
            }
            Content::Mapping { flow: true, .. }
            | Content::Scalar { .. }
            | Content::Sequence(_)
            | Content::Alias(_) => None,
        };
        match (value, inner.filter(|inner| inner.len() > indent.len())) {
            (Value::Object(fields), Some(inner)) => {
                let fields: String =
                    wanted(fields).map(|(key, value)| inner.clone() + &pair(key, value, false)).collect();
                format!("{key}:{fields}")
            }
            _ => pair(key, value, false),
        }
    }

    /// The line break and the blanks before a key that is the first on its line.
    fn indent(&self, key: &Node) -> Option<String> {
        let start = line_start(self.text, key.place.start);
        let blanks = self.text.get(start..key.place.start)?;
        let line_break = if self.text.get(..start)?.ends_with("\r\n") { "\r\n" } else { "\n" };
        (start > 0 && blanks.chars().all(|c| c == ' ' || c == '\t')).then(|| format!("{line_break}{blanks}"))
    }
}

/// Whether the line in which a node ends has nothing behind it but a comment, and the node no text that goes on.
fn ends_plainly(text: &str, node: &Node) -> bool {
    let parts = node.all();
    let Some(last) = parts.iter().max_by_key(|part| part.place.end) else { return false };
    let block =
        matches!(&last.content, Content::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, .. });
    let end = last.place.end;
    let rest = text.get(end..line_end(text, end)).unwrap_or_default().trim();
    !block && !last.place.is_empty() && (rest.is_empty() || rest.starts_with('#'))
}

/// A value in place of another one, in its style.
fn scalar(node: &Node, value: &Value, field: &str) -> Result<String, String> {
    let Content::Scalar { style, .. } = &node.content else {
        return Err(match node.content {
            Content::Alias(_) => format!("{field} is an alias: write the value out"),
            Content::Scalar { .. } | Content::Mapping { .. } | Content::Sequence(_) => {
                format!("{field} is no text")
            }
        });
    };
    let text = value.as_str().unwrap_or_default();
    match style {
        ScalarStyle::SingleQuoted => Ok(format!("'{}'", text.replace('\'', "''"))),
        ScalarStyle::DoubleQuoted => Ok(value.to_string()),
        ScalarStyle::Plain => Ok(plain(text)),
        _ => Err(format!("{field} is written as a block (`|` or `>`): write it on one line")),
    }
}

/// A text without quotes if every reader takes it for a text: not a number such as `1.10` or `12e4567`, nor `on`.
fn plain(text: &str) -> String {
    const WORDS: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"];
    let is_word = WORDS.contains(&text.to_ascii_lowercase().as_str());
    let harmless = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    let is_digest = text.strip_prefix("sha256:").is_some_and(|hash| hash.chars().all(harmless));
    let is_text = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(harmless);
    if (is_text && !is_word) || is_digest { text.to_owned() } else { Value::from(text).to_string() }
}

/// A key with its value on one line; in JSON with quotes.
fn pair(key: &str, value: &Value, json: bool) -> String {
    let value = match value {
        Value::Object(fields) => flow(fields, json),
        value if json => value.to_string(),
        value => plain(value.as_str().unwrap_or_default()),
    };
    if json { format!("{}: {value}", Value::from(key)) } else { format!("{key}: {value}") }
}

fn flow(fields: &Map<String, Value>, json: bool) -> String {
    let pairs: Vec<String> = wanted(fields).map(|(key, value)| pair(key, value, json)).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// Returns the fields in the order in which people write them: the tag before the digest.
fn ordered(fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(key, _)| key.as_str() == "digest");
    fields
}

/// Returns the fields without those that are to be away.
fn wanted(fields: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    ordered(fields).into_iter().filter(|(_, value)| !value.is_null())
}

fn is_quoted(key: &Node) -> bool {
    matches!(&key.content, Content::Scalar { style: ScalarStyle::DoubleQuoted, .. })
}

fn is_one_line(text: &str, place: &Place) -> bool {
    text.get(place.clone()).is_some_and(|part| !part.contains('\n'))
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |found| found + 1)
}

/// Where the line ends, before its line break.
fn line_end(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let line = rest.split('\n').next().unwrap_or_default();
    at + line.trim_end_matches('\r').len()
}
