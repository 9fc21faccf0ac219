//! The documents as a site (`make site`): is every document in it, and in the list of README, and does every link in the
//! site lead somewhere?

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::{root, text};

/// What a text links to.
fn linked(text: &str) -> BTreeSet<PathBuf> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(PathBuf::from).collect()
}

#[test]
fn is_every_document_in_the_table_of_contents_of_the_site() {
    let listed = linked(&text("book/SUMMARY.md"));
    let documents: BTreeSet<PathBuf> = crate::blocks::documents(root()).into_keys().collect();
    assert!(documents.len() > 20, "{documents:?}");
    let missing: Vec<_> = documents.difference(&listed).collect();
    assert!(missing.is_empty(), "book/SUMMARY.md lacks {missing:?}");
    let gone: Vec<_> = listed.difference(&documents).collect();
    assert!(gone.is_empty(), "book/SUMMARY.md lists what is not there: {gone:?}");
}

/// Not every reader builds the site. A link in the text above the list is found by chance alone.
#[test]
fn is_every_document_in_the_list_of_readme() {
    let readme = text("README.md");
    let (_, list) = readme.split_once("\n## Documents\n").unwrap();
    let documents: BTreeSet<PathBuf> = crate::blocks::documents(root()).into_keys().collect();
    let linked = linked(list);
    let missing: Vec<_> =
        documents.iter().filter(|path| path.starts_with("docs") && !linked.contains(*path)).collect();
    assert!(missing.is_empty(), "the list in README lacks {missing:?}");
}

/// The values of an attribute in a page.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    html.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "html") {
            found.push(path);
        }
    }
}

/// The file that a link on a page leads to, and the place in it.
fn target(page: &Path, link: &str) -> (PathBuf, Option<String>) {
    let (file, place) =
        link.split_once('#').map_or((link, None), |(file, place)| (file, Some(place.to_owned())));
    let file = file.split('?').next().unwrap_or_default().replace("%20", " ");
    let mut path = if file.is_empty() { page.to_owned() } else { page.parent().unwrap().join(file) };
    if path.is_dir() {
        path = path.join("index.html");
    }
    (path, place.filter(|place| !place.is_empty()))
}

#[test]
#[ignore = "needs the site: `make site`"]
fn does_every_link_of_the_site_lead_somewhere() {
    let folder = PathBuf::from(std::env::var("SITE").unwrap());
    let mut all = Vec::new();
    pages(&folder, &mut all);
    let (mut links, mut dead) = (0, BTreeSet::new());
    for page in &all {
        // All pages in one, for a printer: the links in it are those of the pages.
        if page.ends_with("print.html") || page.ends_with("404.html") {
            continue;
        }
        let html = std::fs::read_to_string(page).unwrap();
        let own = [attributes(&html, "href"), attributes(&html, "src")].concat();
        for link in own.into_iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            links += 1;
            let (path, place) = target(page, link);
            let is_there = path.exists()
                && place.is_none_or(|place| {
                    let html = std::fs::read_to_string(&path).unwrap_or_default();
                    attributes(&html, "id").contains(&place.as_str())
                });
            if !is_there {
                dead.insert(format!("{}: {link}", page.strip_prefix(&folder).unwrap().display()));
            }
        }
    }
    println!("{} pages, {links} links, {} of them dead", all.len(), dead.len());
    assert!(all.len() > 20 && links > 500, "{} pages, {links} links", all.len());
    assert!(dead.is_empty(), "{dead:#?}");
}
