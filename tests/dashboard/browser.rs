//! A real browser without a window, driven through two pipes by the Chrome DevTools Protocol: no library, no driver, no port.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bluegreen_cluster::patiently;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{OpenOptions, Receiver, Sender};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

/// Programs that a machine may have, the first one first.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// How long the browser may take for anything on a busy machine. Of all that it is asked, axe's look at 500 lines takes longest.
const PATIENCE: Duration = Duration::from_secs(240);

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;

/// A browser with one page. Dropping it ends it.
pub struct Browser {
    folder: PathBuf,
    pipe: tokio::sync::Mutex<Sender>,
    waiting: Waiting,
    next: AtomicU64,
    session: String,
    _child: Child,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Browser {
    /// Starts it with an empty page.
    pub async fn start() -> Result<Self> {
        let program = BROWSERS.into_iter().find(|name| installed(name));
        let program = program.context("no browser: apt-get install chromium")?;
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let number = STARTED.fetch_add(1, Ordering::SeqCst);
        let folder =
            std::env::temp_dir().join(format!("bluegreen-dashboard-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        let [to, from] = ["to", "from"].map(|name| folder.join(name));
        let made = Command::new("mkfifo").args([&to, &from]).status().await?;
        ensure!(made.success(), "mkfifo: {made}");
        let mut both = OpenOptions::new();
        both.read_write(true);
        let (pipe, answers) = (both.open_sender(&to)?, both.open_receiver(&from)?);
        // The browser reads its commands from descriptor 3 and answers on 4.
        let child = Command::new("sh")
            .args(["-c", "to=$1; from=$2; shift 2; exec \"$@\" 3<\"$to\" 4>\"$from\"", "sh"])
            .args([&to, &from])
            .arg(program)
            // Root may not use the browser's own sandbox, and the page is our own.
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
            ])
            .args(["--no-first-run", "--no-proxy-server", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", folder.join("profile").display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let waiting = Waiting::default();
        tokio::spawn(listen(answers, waiting.clone()));
        let mut browser = Self {
            folder,
            pipe: pipe.into(),
            waiting,
            next: AtomicU64::new(1),
            session: String::new(),
            _child: child,
        };
        let target = browser.command("Target.createTarget", json!({"url": "about:blank"})).await?;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.command("Target.attachToTarget", attach).await?;
        browser.session = attached["sessionId"].as_str().context("no session")?.to_owned();
        browser.command("Page.enable", json!({})).await?;
        Ok(browser)
    }

    /// A command of the protocol, and its answer.
    async fn command(&self, method: &str, parameters: Value) -> Result<Value> {
        let id = self.next.fetch_add(1, Ordering::SeqCst);
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id, sender);
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.pipe.lock().await.write_all(&bytes).await?;
        let answer = tokio::time::timeout(PATIENCE, receiver).await;
        let mut answer = answer.with_context(|| format!("the browser does not answer {method}"))??;
        ensure!(answer.get("error").is_none(), "{method}: {}", answer["error"]);
        Ok(answer["result"].take())
    }

    /// Opens an address.
    pub async fn open(&self, address: &str) -> Result<()> {
        let opened = self.command("Page.navigate", json!({"url": address})).await?;
        ensure!(opened.get("errorText").is_none(), "{address}: {opened}");
        Ok(())
    }

    /// What an expression gives in the page; a promise is waited for.
    pub async fn value(&self, expression: &str) -> Result<Value> {
        let ask = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.command("Runtime.evaluate", ask).await?;
        if let Some(wrong) = answer.get("exceptionDetails") {
            bail!("{expression}: {}", wrong["exception"]["description"]);
        }
        Ok(answer["result"]["value"].take())
    }

    /// Waits until an expression is true; the page's text, if it is not in time.
    pub async fn until(&self, expression: &str) -> Result<()> {
        let attempt = async || {
            let holds = self.value(expression).await.unwrap_or_default();
            ensure!(holds == true, "{expression} is {holds}");
            Ok(())
        };
        match patiently(PATIENCE, attempt).await {
            Ok(()) => Ok(()),
            Err(why) => {
                let text = self.value("document.body.innerText").await.unwrap_or_default();
                Err(why.context(text.as_str().unwrap_or_default().to_owned()))
            }
        }
    }

    /// Waits until the page says these words somewhere.
    pub async fn says(&self, words: &str) -> Result<()> {
        self.until(&format!("document.body.innerText.includes({})", json!(words))).await
    }

    /// Puts the focus on the element, as somebody does who uses the keyboard, and presses Enter.
    pub async fn press(&self, selector: &str) -> Result<()> {
        let element = format!("document.querySelector({})", json!(selector));
        self.until(&format!("!!{element} && !{element}.disabled")).await?;
        self.value(&format!("{element}.focus()")).await?;
        self.until(&format!("document.activeElement === {element}")).await?;
        self.key("Enter", 13, "\r").await
    }

    /// Presses and releases a key.
    pub async fn key(&self, key: &str, code: u32, text: &str) -> Result<()> {
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.command("Input.dispatchKeyEvent", event).await?;
        }
        Ok(())
    }

    /// Types into the element.
    pub async fn type_into(&self, selector: &str, text: &str) -> Result<()> {
        self.until(&format!("!!document.querySelector({})", json!(selector))).await?;
        self.value(&format!("document.querySelector({}).focus()", json!(selector))).await?;
        self.command("Input.insertText", json!({"text": text})).await?;
        Ok(())
    }

    /// A window of this size, light or dark.
    pub async fn look(&self, width: u32, height: u32, scheme: &str) -> Result<()> {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.command("Emulation.setDeviceMetricsOverride", size).await?;
        let features = json!([{"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"}]);
        self.command("Emulation.setEmulatedMedia", json!({ "features": features })).await?;
        Ok(())
    }

    /// A picture of what is in the window.
    pub async fn screenshot(&self, file: &Path) -> Result<()> {
        let shot = self.command("Page.captureScreenshot", json!({"format": "png"})).await?;
        std::fs::write(file, STANDARD.decode(shot["data"].as_str().context("no picture")?)?)?;
        Ok(())
    }
}

/// Hands each answer to whoever waits for it. Events of the browser are of no interest.
async fn listen(mut answers: Receiver, waiting: Waiting) {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    while let Ok(count) = answers.read(&mut chunk).await {
        bytes.extend_from_slice(&chunk[..count]);
        while let Some(end) = bytes.iter().position(|byte| *byte == 0) {
            let message: Vec<u8> = bytes.drain(..=end).collect();
            let Ok(value) = serde_json::from_slice::<Value>(&message[..end]) else { continue };
            let waiting = value["id"].as_u64().and_then(|id| waiting.lock().unwrap().remove(&id));
            if let Some(waiting) = waiting {
                let _ = waiting.send(value);
            }
        }
    }
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
