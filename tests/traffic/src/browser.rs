//! What a browser sees before and after a switch, through the NodePort of a real node.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color;
use tokio::process::Command;
use tokio::time::timeout;

use crate::rows::{Row, version};
use crate::scene::Scene;
use crate::stage::Stage;
use crate::switch;

/// Programs that a machine may have, the first one first.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// How long a page may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Keeps `blue.png` and `green.png` in this folder, and checks that each shows its color.
pub async fn screenshots(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let row = Row::named("plain").context("the row `plain`")?;
    let mut stage = Stage::set(row.shape).await?;
    stage.install().await?;
    let scene = Scene::set(&mut stage, row).await?;
    let address = *scene.addresses.first().context("a node")?;
    look(address, Color::Blue, folder).await?;
    switch::turn(&scene, 0, Color::Blue, &mut Vec::new()).await?;
    look(address, Color::Green, folder).await?;
    scene.strike().await?;
    stage.leave().await
}

async fn look(address: SocketAddr, color: Color, folder: &Path) -> Result<()> {
    let picture = folder.join(format!("{color}.png"));
    let screenshot = format!("--screenshot={}", std::path::absolute(&picture)?.display());
    open(address, &[&screenshot, "--window-size=560,360"]).await?;
    ensure!(picture.is_file(), "the browser has left no {}", picture.display());
    // The picture is for people; what is in it is asked of the browser itself.
    let page = open(address, &["--dump-dom"]).await?;
    ensure!(
        page.contains(version(color.as_str())),
        "the page does not say {}: {page}",
        version(color.as_str())
    );
    ensure!(page.contains(&format!("hello-{color}-")), "the page does not name a pod of {color}: {page}");
    println!("{}", picture.display());
    Ok(())
}

/// Opens the page without a window; returns what the browser prints.
async fn open(address: SocketAddr, arguments: &[&str]) -> Result<String> {
    let profile = std::env::temp_dir().join(format!("bluegreen-browser-{}", std::process::id()));
    let browser = BROWSERS
        .into_iter()
        .find(|name| installed(name))
        .context("no browser: `apt-get install chromium`, or leave the screenshots as they are")?;
    let run = Command::new(browser)
        // Root may not use the browser's own sandbox, and the page is our own.
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"])
        .args(["--no-first-run", "--no-proxy-server"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(arguments)
        .arg(format!("http://{address}/"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE, run).await.context("the browser does not end");
    let _ = std::fs::remove_dir_all(&profile);
    let output = output??;
    ensure!(output.status.success(), "{browser}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
