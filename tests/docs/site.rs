//! The documents as a site (`make site`): is every document in it, and in the list of README, is each version complete, and does
//! every link lead somewhere?

use std::collections::{BTreeMap, BTreeSet};
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

/// All files in a folder whose names have this extension.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
    found
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

/// The folder of the site, and the pages of each version that `versions.json` lists.
fn site() -> (PathBuf, BTreeMap<String, Vec<String>>) {
    let folder = PathBuf::from(std::env::var("SITE").unwrap());
    let versions = std::fs::read_to_string(folder.join("versions.json")).unwrap();
    (folder, serde_json::from_str(&versions).unwrap())
}

#[test]
#[ignore = "needs the site: `make site`"]
fn is_each_version_of_the_site_complete() {
    let (folder, versions) = site();
    let forwards = std::fs::read_to_string(folder.join("index.html")).unwrap();
    assert!(forwards.contains("url=latest/index.html") && versions.contains_key("latest"), "{forwards}");
    let index = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("searchindex"))
    };
    for (version, pages) in &versions {
        let own = folder.join(version);
        assert!(pages.contains(&"index.html".to_owned()), "{version}: {pages:?}");
        let missing: Vec<_> = pages.iter().filter(|page| !own.join(page).is_file()).collect();
        assert!(missing.is_empty(), "{version} lacks {missing:?}");
        assert!(files(&own, "js").iter().any(index), "{version} has no index to search");
        for page in pages {
            let html = std::fs::read_to_string(own.join(page)).unwrap();
            let scripts = attributes(&html, "src").join(" ");
            assert!(scripts.contains("versions"), "{version}: {page} has no menu of versions: {scripts}");
        }
    }
    assert!(versions["latest"].len() > 20, "{versions:?}");
}

#[test]
#[ignore = "needs the site: `make site`"]
fn does_every_link_of_the_site_lead_somewhere() {
    let (folder, versions) = site();
    for version in versions.keys() {
        let all = files(&folder.join(version), "html");
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
        println!("{version}: {} pages, {links} links, {} of them dead", all.len(), dead.len());
        assert!(!all.is_empty() && links > 500, "{version}: {} pages, {links} links", all.len());
        assert!(dead.is_empty(), "{dead:#?}");
    }
}
