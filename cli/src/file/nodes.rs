//! PURE: the text of a manifest as a tree whose nodes know where they are in the text.
//!
//! A reader of values, such as serde, forgets comments, quotes and order. This tree keeps of each node only its place, so that
//! an edit can replace a few bytes and leave the others alone.

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StructureStyle};

/// A place in the text, in bytes.
pub type Place = Range<usize>;

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where its content is, without its anchor and its tag.
    pub place: Place,
    /// The number of its anchor; 0 if it has none.
    pub anchor: usize,
    /// It has an explicit tag, such as `!!str`.
    pub tagged: bool,
    /// What it is.
    pub content: Content,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A text, a number, a null.
    Scalar {
        /// The value, without quotes and escapes.
        value: String,
        /// How it is written.
        style: ScalarStyle,
    },
    /// A mapping: keys with their values, in the order of the text.
    Mapping {
        /// It is written as `{…}`.
        flow: bool,
        /// Keys and values.
        entries: Vec<(Node, Node)>,
    },
    /// A sequence.
    Sequence(Vec<Node>),
    /// An alias of the anchor with this number.
    Alias(usize),
}

impl Node {
    /// The text of a scalar; of an alias and of a collection none.
    #[must_use]
    pub fn scalar(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { value, .. } => Some(value),
            Content::Mapping { .. } | Content::Sequence(_) | Content::Alias(_) => None,
        }
    }

    /// Returns true if it is written as nothing, `~` or `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        match &self.content {
            Content::Scalar { value, style: ScalarStyle::Plain } => {
                !self.tagged && ["", "~", "null", "Null", "NULL"].contains(&value.as_str())
            }
            Content::Scalar { .. } | Content::Mapping { .. } | Content::Sequence(_) | Content::Alias(_) => {
                false
            }
        }
    }

    /// The entries of a mapping; of everything else none.
    #[must_use]
    pub fn entries(&self) -> &[(Self, Self)] {
        match &self.content {
            Content::Mapping { entries, .. } => entries,
            Content::Scalar { .. } | Content::Sequence(_) | Content::Alias(_) => &[],
        }
    }

    /// The entry of a mapping with this key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&(Self, Self)> {
        self.entries().iter().find(|(name, _)| name.scalar() == Some(key))
    }

    /// The value of a key of a mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, value)| value)
    }

    /// The node itself and all that are in it.
    #[must_use]
    pub fn all(&self) -> Vec<&Self> {
        let mut found = vec![self];
        let mut next = 0;
        while let Some(node) = found.get(next).copied() {
            match &node.content {
                Content::Mapping { entries, .. } => {
                    found.extend(entries.iter().flat_map(|(key, value)| [key, value]));
                }
                Content::Sequence(items) => found.extend(items),
                Content::Scalar { .. } | Content::Alias(_) => {}
            }
            next += 1;
        }
        found
    }
}

/// Why a text is no YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct NotYaml {
    /// The line, from 1.
    pub line: usize,
    /// What the parser says.
    pub why: String,
}

impl From<ScanError> for NotYaml {
    fn from(error: ScanError) -> Self {
        Self { line: error.marker().line(), why: error.kind().to_string() }
    }
}

/// The documents of a text, one tree for each.
///
/// # Errors
/// When it is no YAML.
pub fn documents(text: &str) -> Result<Vec<Node>, NotYaml> {
    let options = granit_parser::options! { emit_comments: false };
    let mut documents = Vec::new();
    // The collections that are open; of a mapping, keys and values one after the other.
    let mut open: Vec<(Node, Vec<Node>)> = Vec::new();
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next?;
        let line = span.start.line();
        let place = span
            .byte_range()
            .ok_or_else(|| NotYaml { line, why: "the place of a node is unknown".to_owned() })?;
        let tagged = span.tag_start.is_some();
        let node = |place: Place, anchor: usize, content: Content| Node { place, anchor, tagged, content };
        let done = match event {
            Event::Scalar(value, style, anchor, _) => {
                Some(node(place, anchor, Content::Scalar { value: value.into_owned(), style }))
            }
            Event::Alias(anchor) => Some(node(place, 0, Content::Alias(anchor))),
            Event::MappingStart(style, anchor, _) => {
                let flow = style == StructureStyle::Flow;
                let mapping = Content::Mapping { flow, entries: Vec::new() };
                open.push((node(place, anchor, mapping), Vec::new()));
                None
            }
            Event::SequenceStart(_, anchor, _) => {
                open.push((node(place, anchor, Content::Sequence(Vec::new())), Vec::new()));
                None
            }
            Event::MappingEnd | Event::SequenceEnd => open.pop().map(|opened| closed(opened, span)),
            // Comments are not asked for, and anchors come with their nodes.
            _ => None,
        };
        if let Some(done) = done {
            match open.last_mut() {
                Some((_, items)) => items.push(done),
                None => documents.push(done),
            }
        }
    }
    Ok(documents)
}

/// A collection with what is in it, from its start to its end.
fn closed((mut node, items): (Node, Vec<Node>), end: Span) -> Node {
    let last = items.last().map_or(node.place.end, |last| last.place.end);
    match &mut node.content {
        Content::Mapping { flow, entries } => {
            if *flow {
                node.place.end = end.end.byte_offset().unwrap_or(last);
            } else {
                node.place.end = last;
            }
            let mut items = items.into_iter();
            while let (Some(key), Some(value)) = (items.next(), items.next()) {
                entries.push((key, value));
            }
        }
        Content::Sequence(list) => {
            node.place.end = end.end.byte_offset().unwrap_or(last).max(last);
            *list = items;
        }
        Content::Scalar { .. } | Content::Alias(_) => {}
    }
    node
}
