//! What do the pages of `kubectl bluegreen dashboard` show in a real browser, on a real API server with the operator running?
//!
//! `make dashboard-test` runs this with Chromium and axe-core; with `UPDATE_DOCS=1`, the pictures that it takes go to
//! `docs/dashboard`. Who is let in is asked by the suite `cli`, without a browser.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod accessible;
mod browser;
mod many;
mod tour;
#[path = "../e2e"]
#[allow(dead_code, unused_imports)]
mod e2e {
    pub mod harness;
}
#[path = "../cli/served.rs"]
#[allow(dead_code)]
mod served;

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

use browser::Browser;
use e2e::harness::Sandbox;
use served::Dashboard;

/// A wide window and a phone's.
const SIZES: [(&str, u32, u32); 2] = [("1280", 1280, 860), ("390", 390, 844)];

const SCHEMES: [&str; 2] = ["light", "dark"];

/// The longest name of a namespace, without a place to break it.
const LONGEST: usize = 63;

/// A browser on a dashboard that may edit.
struct Scene {
    browser: Browser,
    /// Ends with the scene.
    _dashboard: Dashboard,
    sandbox: Sandbox,
}

/// Opens a dashboard in a browser of its own.
async fn visit(sandbox: &Sandbox, arguments: &[&str]) -> Result<(Browser, Dashboard)> {
    let dashboard = Dashboard::unopened(sandbox, arguments, None).await?;
    let browser = Browser::start().await?;
    browser.look(1280, 860, "light").await?;
    browser.open(&format!("http://127.0.0.1:{}/?token={}", dashboard.port, dashboard.token)).await?;
    browser.until("!!document.querySelector('#link')?.textContent").await?;
    Ok((browser, dashboard))
}

/// What is shown now, in each size, light and dark: nothing is wider than the window, also with the longest names, and axe finds
/// nothing.
async fn examine(browser: &Browser, namespace: &str, what: &str) -> Result<()> {
    for (label, width, height) in SIZES {
        for scheme in SCHEMES {
            browser.look(width, height, scheme).await?;
            accessible::check(browser, &format!("{what} at {label} px, {scheme}")).await?;
        }
        for (state, namespace_is, app_is) in
            [("as it is", "", ""), ("with the longest names", &"m".repeat(LONGEST), &"w".repeat(LONGEST))]
        {
            let wide = too_wide(browser, &[(namespace, namespace_is), ("hello", app_is)]).await?;
            assert_eq!(wide, Value::Null, "{what}, {state}, is wider than {width} px");
        }
    }
    browser.look(1280, 860, "light").await
}

/// The element that reaches furthest over the right edge, if one does, while these words are replaced on the page.
async fn too_wide(browser: &Browser, replaced: &[(&str, &str)]) -> Result<Value> {
    let replaced: Vec<_> = replaced.iter().filter(|(_, with)| !with.is_empty()).collect();
    let script = format!(
        "(() => {{
            const before = [];
            const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (walk.nextNode()) {{
                const node = walk.currentNode;
                before.push([node, node.data]);
                for (const [word, other] of {}) node.data = node.data.replaceAll(word, other);
            }}
            const over = document.documentElement.scrollWidth - innerWidth;
            const right = (element) => element.getBoundingClientRect().right;
            const furthest = [...document.body.querySelectorAll('*')].reduce((a, b) => (right(b) > right(a) ? b : a));
            const found = over > 0 ? `${{over}} px: ${{furthest.outerHTML.slice(0, 200)}}` : null;
            for (const [node, data] of before) node.data = data;
            return found;
        }})()",
        json!(replaced)
    );
    browser.value(&script).await
}

impl Scene {
    async fn set(sandbox: Sandbox) -> Result<Self> {
        let (browser, dashboard) = visit(&sandbox, &["--allow-edits"]).await?;
        browser.until("document.querySelector('#link')?.textContent === 'live'").await?;
        Ok(Self { browser, _dashboard: dashboard, sandbox })
    }

    /// Shows an app, as somebody does who follows a link.
    async fn show(&self, name: &str) -> Result<()> {
        self.browser.value(&format!("location.hash = '#/{}/{name}'", self.sandbox.namespace)).await?;
        self.browser.until(&format!("document.querySelector('h1')?.textContent === '{name}'")).await
    }

    /// A picture of each size for the documents, light or dark, and then whether anything is wrong with either.
    async fn picture(&self, name: &str, scheme: &str) -> Result<()> {
        for (label, width, height) in SIZES {
            self.browser.look(width, height, scheme).await?;
            // The namespace of a test has a random name, and a picture is to be the same again.
            let rename = format!(
                "(() => {{ const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); \
                 while (walk.nextNode()) walk.currentNode.data = walk.currentNode.data.replaceAll('{}', 'shop'); }})()",
                self.sandbox.namespace
            );
            self.browser.value(&rename).await?;
            self.browser.screenshot(&folder()?.join(format!("{name}-{label}.png"))).await?;
        }
        examine(&self.browser, "shop", name).await
    }

    /// Whether anything is wrong with what is shown, without a picture.
    async fn examine(&self, what: &str) -> Result<()> {
        examine(&self.browser, &self.sandbox.namespace, what).await
    }
}

/// Where pictures go.
fn folder() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = match std::env::var_os("UPDATE_DOCS") {
        Some(_) => root.join("docs/dashboard"),
        None => PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("dashboard"),
    };
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
