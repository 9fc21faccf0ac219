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

use browser::Browser;
use e2e::harness::Sandbox;
use served::Dashboard;

/// A wide window and a phone's.
const SIZES: [(&str, u32, u32); 2] = [("1280", 1280, 860), ("390", 390, 844)];

/// A browser on a dashboard that may edit.
struct Scene {
    browser: Browser,
    /// Ends with the scene.
    _dashboard: Dashboard,
    sandbox: Sandbox,
}

impl Scene {
    async fn set(sandbox: Sandbox) -> Result<Self> {
        let dashboard = Dashboard::unopened(&sandbox, &["--allow-edits"], None).await?;
        let browser = Browser::start().await?;
        browser.look(1280, 860, "light").await?;
        browser.open(&format!("http://127.0.0.1:{}/?token={}", dashboard.port, dashboard.token)).await?;
        browser.until("document.querySelector('#link')?.textContent === 'live'").await?;
        Ok(Self { browser, _dashboard: dashboard, sandbox })
    }

    /// Shows an app, as somebody does who follows a link.
    async fn show(&self, name: &str) -> Result<()> {
        self.browser.value(&format!("location.hash = '#/{}/{name}'", self.sandbox.namespace)).await?;
        self.browser.until(&format!("document.querySelector('h1')?.textContent === '{name}'")).await
    }

    /// A picture of each size, light or dark, and what axe says of it.
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
            let overflows = "document.documentElement.scrollWidth > innerWidth";
            assert_eq!(self.browser.value(overflows).await?, false, "{name} is wider than {width} px");
            self.browser.screenshot(&folder()?.join(format!("{name}-{label}.png"))).await?;
            accessible::check(&self.browser, &format!("{name} at {label} px, {scheme}")).await?;
        }
        self.browser.look(1280, 860, "light").await
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
