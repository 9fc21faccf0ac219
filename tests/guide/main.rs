//! Do the commands of the documents work as they stand, and do they print what the documents show? `make docs-test`.
//!
//! A cluster with a real node, a copy of the repository, and for each document one shell in which its commands run in order.
//! `tests/docs/blocks.rs` says which blocks that are; `cargo test --test docs` fails where one is left out without a reason.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../docs/blocks.rs"]
#[allow(dead_code)]
mod blocks;
mod shape;
mod shell;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{Cluster, Node, Options};

use blocks::{Block, Way};
use shell::Shell;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The document that begins with nothing installed. All others take a running operator for granted.
const FIRST: &str = "docs/quickstart.md";

/// The documents that have commands to run, the first one first.
fn documents() -> Vec<(String, Vec<Block>)> {
    let only = std::env::var("DOCUMENT").unwrap_or_default();
    let all = blocks::documents(Path::new(REPOSITORY)).into_iter();
    let all = all.map(|(path, text)| (path.display().to_string(), blocks::blocks(&text)));
    let runs = |blocks: &[Block]| blocks.iter().any(|block| block.way == Some(Way::Commands));
    let mut found: Vec<_> = all.filter(|(path, blocks)| path.contains(&only) && runs(blocks)).collect();
    found.sort_by_key(|(path, _)| path != FIRST);
    found
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the images: `make docs-test`"]
async fn do_the_commands_of_the_documents_work_and_print_what_is_shown() -> Result<()> {
    if !Cluster::real_node_wanted()? {
        return Ok(());
    }
    let cluster = Cluster::start(Options { node: Node::Real { count: 1 }, ..Options::default() }).await?;
    let operator = concat!("bluegreen-operator-", env!("CARGO_PKG_VERSION"));
    cluster.load_images(&["hello-v1.0.0", "hello-v2.0.0", operator]).await?;
    let shell = Shell::new(&cluster, Path::new(REPOSITORY))?;

    let (mut there, mut ran, mut wrong) = (0, 0, Vec::new());
    for (document, blocks) in documents() {
        let start = Instant::now();
        if document != FIRST {
            shell.run(INSTALL).await.context("the operator can't be installed")?;
        }
        let count =
            blocks.iter().filter(|block| matches!(block.way, Some(Way::Commands | Way::File(_)))).count();
        there += count;
        match shell.follow(&document, &blocks).await {
            Ok(()) => {
                ran += count;
                println!("{document}: {count} blocks, {:.0} s", start.elapsed().as_secs_f64());
            }
            Err(error) => {
                println!("{document}: FAILED");
                wrong.push(format!("{error:#}"));
            }
        }
    }
    let all = blocks::documents(Path::new(REPOSITORY));
    let all: Vec<_> = all.values().flat_map(|text| blocks::blocks(text)).collect();
    let marked = all.iter().filter(|block| matches!(block.way, Some(Way::Not(_)))).count();
    println!("{ran} of {there} blocks run, {marked} marked as not run");
    cluster.stop().await?;
    ensure!(there > 0, "no document has commands");
    ensure!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    Ok(())
}

const INSTALL: &str = "kubectl apply --server-side -f dist/install.yaml >/dev/null && \
    kubectl -n bluegreen-system rollout status deployment/bluegreen-operator --timeout=120s >/dev/null";
