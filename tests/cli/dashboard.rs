//! `dashboard`: who is let in, and what an edit through it may do, by real HTTP and on a real API server. What the page looks like
//! is asked by the suite `dashboard`.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::e2e::harness::{Kind, Sandbox, app, cluster};
use super::ends;
use super::served::Dashboard;

/// What the browser is told with each answer.
const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", "default-src 'self'"),
    ("content-security-policy", "frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// An answer.
struct Answer {
    code: u16,
    head: String,
    body: String,
}

/// Sends a request to this address as it is, and reads the whole answer.
async fn send(address: &str, head: &[String], body: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    let length = format!("Content-Length: {}", body.len());
    let lines = [head, &[length, "Connection: close".to_owned()]].concat().join("\r\n");
    stream.write_all(format!("{lines}\r\n\r\n{body}").as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let (head, body) = text.split_once("\r\n\r\n").context("not an HTTP response")?;
    let code = head.split(' ').nth(1).context("no status")?.parse()?;
    Ok(Answer { code, head: head.to_lowercase(), body: body.to_owned() })
}

/// A request of the page with some headers different; an empty value leaves one out.
async fn ask(
    dashboard: &Dashboard,
    method: &str,
    path: &str,
    changes: &[(&str, &str)],
    body: &str,
) -> Result<Answer> {
    let host = format!("127.0.0.1:{}", dashboard.port);
    let own = [
        ("Host", host.clone()),
        ("Cookie", dashboard.cookie.clone()),
        ("Origin", format!("http://{host}")),
        ("Content-Type", "application/json".to_owned()),
    ];
    let mut head = vec![format!("{method} {path} HTTP/1.1")];
    for (name, value) in own {
        let changed = changes.iter().find(|(changed, _)| *changed == name);
        let value = changed.map_or(value, |(_, value)| (*value).to_owned());
        if !value.is_empty() {
            head.push(format!("{name}: {value}"));
        }
    }
    let known = ["Host", "Cookie", "Origin", "Content-Type"];
    let more = changes.iter().filter(|(name, _)| !known.contains(name));
    head.extend(more.map(|(name, value)| format!("{name}: {value}")));
    send(&host, &head, body).await
}

fn paths(sandbox: &Sandbox) -> [String; 3] {
    let app = format!("/api/apps/{}/hello", sandbox.namespace);
    [app.clone(), format!("{app}/plan"), format!("{app}/edit")]
}

fn generation(sandbox: &Sandbox) -> Result<i64> {
    sandbox.world().app("hello").and_then(|app| app.metadata.generation).context("generation")
}

fn switch(generation: i64) -> String {
    json!({"action": {"kind": "switch", "to": "green"}, "generation": generation}).to_string()
}

#[tokio::test]
async fn is_nobody_let_in_but_who_has_opened_the_printed_address() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("dash-door", &app("hello")).await?;
    let before = generation(&sandbox)?;
    let dashboard = Dashboard::start(&sandbox, &["--allow-edits"], None).await?;
    let [one, _, edit] = paths(&sandbox);
    let asks =
        [("GET", "/", ""), ("GET", "/app.js", ""), ("GET", &one, ""), ("POST", &edit, &switch(before))];
    let wrong = format!("bluegreen-{}={}", dashboard.port, "0".repeat(64));
    for cookie in ["", wrong.as_str()] {
        for (method, path, body) in asks {
            let answer = ask(&dashboard, method, path, &[("Cookie", cookie)], body).await?;
            assert_eq!(answer.code, 401, "{method} {path} with the cookie {cookie:?}: {}", answer.body);
            assert!(!answer.head.contains("set-cookie"), "{}", answer.head);
        }
    }
    // The token counted once: whoever reads the address later is too late.
    for token in [dashboard.token.clone(), "0".repeat(64)] {
        let answer = ask(&dashboard, "GET", &format!("/?token={token}"), &[("Cookie", "")], "").await?;
        assert_eq!(answer.code, 401, "{}", answer.body);
    }
    // A name that somebody made to resolve to 127.0.0.1, as DNS rebinding does.
    let port = dashboard.port;
    for host in [format!("evil.example:{port}"), "127.0.0.1".to_owned(), format!("127.0.0.1:{}", port ^ 1)] {
        for (method, path, body) in asks {
            let origin = format!("http://{host}");
            let changes = [("Host", host.as_str()), ("Origin", origin.as_str())];
            let answer = ask(&dashboard, method, path, &changes, body).await?;
            assert_eq!(answer.code, 421, "{method} {path} of {host}: {}", answer.body);
        }
    }
    // Another page of the same browser: a script, a form, a page of another port of this machine.
    let others: [&[(&str, &str)]; 6] = [
        &[("Origin", "http://evil.example")],
        &[("Origin", "null")],
        &[("Origin", "")],
        &[("Origin", "http://localhost:1")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Sec-Fetch-Site", "cross-site")],
    ];
    for changes in others {
        let answer = ask(&dashboard, "POST", &edit, changes, &switch(before)).await?;
        assert_eq!(answer.code, 403, "{changes:?}: {}", answer.body);
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let answer = ask(&dashboard, "POST", &edit, &[("Content-Type", kind)], &switch(before)).await?;
        assert_eq!(answer.code, 415, "{kind}: {}", answer.body);
    }
    assert_eq!(generation(&sandbox)?, before, "none of all that has changed anything");
    // The page itself.
    let answer =
        ask(&dashboard, "POST", &edit, &[("Sec-Fetch-Site", "same-origin")], &switch(before)).await?;
    assert_eq!(answer.code, 200, "{}", answer.body);
    sandbox.until("green serves", |world| world.selects("hello") == "green").await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_every_answer_forbid_the_browser_what_the_page_does_not_need() -> Result<()> {
    let sandbox = Sandbox::new("dash-headers").await?;
    let dashboard = Dashboard::start(&sandbox, &[], None).await?;
    for (path, cookie, code) in [
        ("/", dashboard.cookie.as_str(), 200),
        ("/app.js", dashboard.cookie.as_str(), 200),
        ("/style.css", dashboard.cookie.as_str(), 200),
        ("/nothing", dashboard.cookie.as_str(), 404),
        ("/", "", 401),
    ] {
        let answer = ask(&dashboard, "GET", path, &[("Cookie", cookie)], "").await?;
        assert_eq!(answer.code, code, "{path}");
        for (name, value) in HEADERS {
            let line = answer.head.lines().find(|line| line.starts_with(&format!("{name}:")));
            assert!(line.is_some_and(|line| line.contains(value)), "{path}: {name}: {line:?}");
        }
        // Nothing is loaded from anywhere else.
        assert!(!answer.body.contains("https://") && !answer.body.contains("//cdn"), "{path}");
    }
    sandbox.finish().await
}

/// A listener on all interfaces, or on all of loopback, would answer there.
#[tokio::test]
async fn is_no_other_address_of_the_machine_listened_on() -> Result<()> {
    let sandbox = Sandbox::new("dash-address").await?;
    let dashboard = Dashboard::start(&sandbox, &[], None).await?;
    TcpStream::connect(("127.0.0.1", dashboard.port)).await.context("it does not listen at all")?;
    for address in ["127.0.0.2", "::1"] {
        let answer = TcpStream::connect((address, dashboard.port)).await;
        assert!(answer.is_err(), "it listens on {address}");
    }
    // The addresses of network cards too, whatever they are on this machine.
    assert_eq!(listening(dashboard.port)?, ["0100007F"], "127.0.0.1, as the kernel writes it");
    sandbox.finish().await
}

/// The addresses at which something listens on this port, as in `/proc/net/tcp`: IPv4 and IPv6, 0 for all of them.
fn listening(port: u16) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in std::fs::read_to_string(table)?.lines() {
            let mut words = line.split_whitespace().skip(1);
            let (Some(local), _, Some(state)) = (words.next(), words.next(), words.next()) else { continue };
            let at_port = local.split_once(':').filter(|(_, at)| u16::from_str_radix(at, 16) == Ok(port));
            // 0A: it listens.
            found.extend(at_port.filter(|_| state == "0A").map(|(address, _)| address.to_owned()));
        }
    }
    Ok(found)
}

#[tokio::test]
async fn is_an_edit_refused_by_a_dashboard_that_only_shows() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("dash-read", &app("hello")).await?;
    let before = generation(&sandbox)?;
    let dashboard = Dashboard::start(&sandbox, &[], None).await?;
    let [_, plan, edit] = paths(&sandbox);
    let answer = ask(&dashboard, "POST", &edit, &[], &switch(before)).await?;
    assert_eq!(answer.code, 403);
    assert!(answer.body.contains("--allow-edits"), "{}", answer.body);
    // It still says what would happen.
    let answer = ask(&dashboard, "POST", &plan, &[], &switch(before)).await?;
    let told: Value = serde_json::from_str(&answer.body)?;
    assert_eq!(told["edit"]["what"], "switch from blue to green");
    let steps = told["foreseen"]["steps"].to_string();
    assert!(steps.contains("switches Service hello from blue to green"), "{steps}");
    assert_eq!(generation(&sandbox)?, before);
    sandbox.finish().await
}

#[tokio::test]
async fn is_what_the_command_refuses_refused_and_a_plan_for_another_spec_too() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("dash-refuse", &app("hello")).await?;
    let labels = json!({"metadata": {"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}}});
    sandbox.patch(Kind::App, "hello", labels).await?;
    let before = generation(&sandbox)?;
    let dashboard = Dashboard::start(&sandbox, &["--allow-edits"], None).await?;
    let [_, plan, edit] = paths(&sandbox);
    let deploy =
        json!({"action": {"kind": "deploy", "to": "blue", "tag": "v9"}, "generation": before}).to_string();
    let paused = ends(&sandbox, 0, &["pause", "hello", "--dry-run=server"]).await?;
    assert!(paused.out.contains("warning: Flux (Kustomization shop) applies this app"), "{}", paused.all);
    for path in [&plan, &edit] {
        let told: Value = serde_json::from_str(&ask(&dashboard, "POST", path, &[], &deploy).await?.body)?;
        let refused = told["refused"].as_str().context("it is not refused")?;
        assert!(refused.contains("blue is live, and the live color is not updated in place"), "{refused}");
    }
    let told: Value =
        serde_json::from_str(&ask(&dashboard, "POST", &plan, &[], &switch(before)).await?.body)?;
    assert!(told["warning"].as_str().is_some_and(|it| it.contains("Flux (Kustomization shop)")), "{told}");
    let unspecific = json!({"action": {"kind": "switch", "to": "green"}}).to_string();
    for body in [switch(before - 1), unspecific] {
        let answer = ask(&dashboard, "POST", &edit, &[], &body).await?;
        assert_eq!(answer.code, 409, "{body}: {}", answer.body);
    }
    let answer = ask(&dashboard, "POST", "/api/apps/kube-system/hello/edit", &[], &switch(before)).await?;
    assert_eq!(answer.code, 404, "another namespace than the one that it shows: {}", answer.body);
    assert_eq!(generation(&sandbox)?, before);
    sandbox.finish().await
}

/// The first message of a stream for which this holds.
async fn message(dashboard: &Dashboard, path: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
    let host = format!("127.0.0.1:{}", dashboard.port);
    let mut stream = TcpStream::connect(&host).await?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {}\r\n\r\n", dashboard.cookie);
    stream.write_all(head.as_bytes()).await?;
    let mut lines = BufReader::new(stream).lines();
    let mut seen = Vec::new();
    let read = async {
        while let Some(line) = lines.next_line().await? {
            let Some(data) = line.strip_prefix("data: ") else { continue };
            let value: Value = serde_json::from_str(data)?;
            if holds(&value) {
                return Ok(value);
            }
            seen.push(value.to_string());
        }
        anyhow::bail!("the stream has ended")
    };
    let read = tokio::time::timeout(Duration::from_secs(45), read).await;
    read.unwrap_or_else(|_| Err(anyhow::anyhow!("nothing like it in time"))).with_context(|| seen.join("\n"))
}

/// Somebody who may see apps and nothing else, and then some more.
#[tokio::test]
async fn does_a_user_who_may_only_view_see_what_may_be_seen_and_which_right_is_missing() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("dash-view", &app("hello")).await?;
    let user = cluster().await?.user(&format!("viewer-{}", sandbox.namespace), &[]).await?;
    let kubectl = async |arguments: &[&str]| sandbox.kubectl(arguments).await;
    let user_flag = format!("--user={}", user.name);
    let may = [
        "--verb=get,list,watch",
        "--resource=bluegreenapps.bluegreen.dev,services,endpointslices.discovery.k8s.io",
    ];
    kubectl(&[&["create", "role", "see"], &may[..]].concat()).await?;
    kubectl(&["create", "rolebinding", "see", "--role=see", &user_flag]).await?;
    let dashboard = Dashboard::start(&sandbox, &["--allow-edits"], Some(&user.kubeconfig)).await?;
    let [one, plan, edit] = paths(&sandbox);

    let lacks = |message: &Value, kind: &str| {
        let words = format!(
            "{kind} are not shown: you lack the right to list them in namespace {}",
            sandbox.namespace
        );
        message["troubles"].to_string().contains(&words)
    };
    let seen = message(&dashboard, &one, |seen| {
        ["pods", "replicasets", "deployments"].into_iter().all(|kind| lacks(seen, kind))
            && seen["app"]["endpoints"].as_array().is_some_and(|all| all.len() == 2)
            && !seen["app"]["service"]["selects"].is_null()
    });
    let seen = seen.await?["app"].take();
    assert_eq!((&seen["live"], &seen["service"]["selects"]), (&json!("blue"), &json!("blue")));
    let colors: Vec<&Value> =
        seen["endpoints"].as_array().context("endpoints")?.iter().map(|it| &it["color"]).collect();
    assert_eq!(colors, ["blue", "blue"], "also without pods");

    let before = generation(&sandbox)?;
    let told: Value =
        serde_json::from_str(&ask(&dashboard, "POST", &plan, &[], &switch(before)).await?.body)?;
    assert_eq!(told["edit"]["what"], "switch from blue to green", "{told}");
    // It reads several kinds side by side, and names the first that is refused.
    let refused = ["deployments", "replicasets", "pods", "controllerrevisions"]
        .map(|kind| format!("User \"{}\" cannot list resource \"{kind}\"", user.name));
    let names_one = |why: &str| {
        let gets = why.contains("cannot get resource \"deployments\"");
        gets || refused.iter().any(|words| why.contains(words))
    };
    assert!(told["unforeseen"].as_str().is_some_and(names_one), "{told}");
    let answer = ask(&dashboard, "POST", &edit, &[], &switch(before)).await?;
    assert_eq!(answer.code, 409, "{}", answer.body);
    assert!(
        answer.body.contains("cannot patch resource") && answer.body.contains(&user.name),
        "{}",
        answer.body
    );
    assert_eq!(generation(&sandbox)?, before);

    // A right that is given meanwhile takes effect by itself.
    let more = ["--verb=get,list,watch", "--resource=pods,replicasets.apps,deployments.apps"];
    kubectl(&[&["create", "role", "more"], &more[..]].concat()).await?;
    kubectl(&["create", "rolebinding", "more", "--role=more", &user_flag]).await?;
    let pods =
        |seen: &Value| seen["app"]["colors"][0]["replicaSets"][0]["pods"].as_array().map_or(0, Vec::len);
    message(&dashboard, &one, |seen| pods(seen) == 2 && seen["troubles"] == json!([])).await?;
    sandbox.finish().await
}

#[tokio::test]
async fn does_the_list_show_an_app_and_the_dashboard_what_it_is_of() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("dash-list", &app("hello")).await?;
    let dashboard = Dashboard::start(&sandbox, &[], None).await?;
    let row =
        |seen: &Value| seen["rows"].as_array().and_then(|rows| rows.first().cloned()).unwrap_or_default();
    let seen = message(&dashboard, "/api/apps", |seen| row(seen)["live"] == "blue").await?;
    assert_eq!((&row(&seen)["state"], &row(&seen)["blue"]["tag"]), (&json!("ready"), &json!("v1")));
    let about: Value = serde_json::from_str(&ask(&dashboard, "GET", "/api/dashboard", &[], "").await?.body)?;
    assert_eq!(about, json!({"namespace": sandbox.namespace, "edits": false}));
    sandbox.finish().await
}
