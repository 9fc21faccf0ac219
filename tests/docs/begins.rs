//! Does each page begin with what it is for?

use std::path::Path;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::blocks::documents;

/// The first thing behind a document's title: its text, if it is a paragraph.
fn first_paragraph(text: &str) -> Option<String> {
    let mut events = Parser::new_ext(text, Options::ENABLE_TABLES);
    events.find(|event| matches!(event, Event::End(TagEnd::Heading(_))))?;
    let mut events = events.skip_while(|event| {
        matches!(event, Event::Html(_) | Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock))
    });
    if !matches!(events.next()?, Event::Start(Tag::Paragraph)) {
        return None;
    }
    let words = events.take_while(|event| !matches!(event, Event::End(TagEnd::Paragraph)));
    Some(
        words
            .map(|event| match event {
                Event::Text(text) | Event::Code(text) => text.to_string(),
                _ => " ".to_owned(),
            })
            .collect(),
    )
}

/// Whether a page lets its reader do something useful, no test can say. But that it says so first, one can.
#[test]
fn every_page_begins_with_what_its_reader_can_do_there() {
    let pages = documents(Path::new(env!("CARGO_MANIFEST_DIR")));
    let pages: Vec<_> = pages.iter().filter(|(path, _)| path.starts_with("docs")).collect();
    assert!(pages.len() > 30, "{} pages", pages.len());
    let begins = |text: &str| {
        let first = first_paragraph(text).unwrap_or_default();
        let rest = first.strip_prefix("On this page you ");
        rest.is_some_and(|rest| rest.split_whitespace().count() >= 5)
    };
    let wrong: Vec<_> =
        pages.iter().filter(|(_, text)| !begins(text)).map(|(path, _)| path.display()).collect();
    assert!(
        wrong.is_empty(),
        "these pages do not begin with `On this page you …`: {:?}",
        wrong.iter().map(ToString::to_string).collect::<Vec<_>>()
    );
    assert!(begins("# A\n\n<!-- b -->\n\nOn this page you [learn](b.md) one thing or two.\n"));
    for other in [
        "# A\n\n## On this page you see two or three things.",
        "# A\n\n| On this page you |\n|---|\n",
        "# A\n\nOn this page you see.\n",
        "",
    ] {
        assert!(!begins(other), "{other}");
    }
}
