//! A real Prometheus scrapes the operator's pods; every expression of dashboard, alerts and docs/metrics.md is asked of it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::patiently;
use serde_json::Value;

use crate::place::Place;

/// The expressions of the dashboard, with Grafana's variables filled in.
fn dashboard() -> Result<Vec<String>> {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/grafana/dashboard.json"))?;
    let dashboard: Value = serde_json::from_str(&text)?;
    let panels = dashboard["panels"].as_array().context("panels")?;
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let fill = |text: &str| text.replace("$namespace", ".*").replace("$__rate_interval", "30s");
    Ok(targets.filter_map(|target| target["expr"].as_str()).map(fill).collect())
}

/// The expressions of the alerts.
fn alerts() -> Result<Vec<String>> {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/prometheus/alerts.yaml"))?;
    let rule: Value = serde_yaml_ng::from_str(&text)?;
    let rules = rule["spec"]["groups"][0]["rules"].as_array().context("rules")?;
    Ok(rules.iter().filter_map(|rule| rule["expr"].as_str()).map(str::to_owned).collect())
}

/// The expressions of docs/metrics.md.
fn documented() -> Result<Vec<String>> {
    let (_, section) =
        include_str!("../../docs/metrics.md").split_once("\n## Three queries\n").context("section")?;
    let blocks = section.split("```promql\n").skip(1).filter_map(|rest| rest.split("```").next());
    let found: Vec<_> = blocks.map(str::to_owned).collect();
    ensure!(found.len() == 3, "{found:?}");
    Ok(found)
}

/// The names of series in an expression.
fn series(expression: &str) -> Vec<&str> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let known = ["bluegreen_", "bluegreenapp_", "controller_runtime_", "process_"];
    words.filter(|word| known.iter().any(|start| word.starts_with(start))).collect()
}

struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub async fn does_prometheus_see_everything(place: &Place) -> Result<()> {
    // As in docs/operations.md.
    place.run(
        "kubectl -n bluegreen-system set env deployment/bluegreen-operator BLUEGREEN_METRICS_ADDR=0.0.0.0:8080 && \
         kubectl -n bluegreen-system rollout status deployment/bluegreen-operator --timeout=120s",
    )?;
    // The pods from before the rollout may take a moment to go.
    let attempt = async || {
        let pods = place.run(
            "kubectl -n bluegreen-system get pods -l app.kubernetes.io/component=operator -o jsonpath='{.items[*].status.podIP}'",
        )?;
        let targets: Vec<_> = pods.split_whitespace().map(|address| format!("'{address}:8080'")).collect();
        ensure!(targets.len() == 2, "{targets:?}");
        Ok(targets)
    };
    let targets = patiently(Duration::from_secs(60), attempt).await?;
    let folder = place.cluster.dir()?.join("prometheus");
    std::fs::create_dir_all(&folder)?;
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: bluegreen-operator\n  honor_labels: true\n  \
         static_configs:\n  - targets: [{}]\n    labels: {{namespace: bluegreen-system}}\n",
        targets.join(", ")
    );
    std::fs::write(folder.join("prometheus.yml"), config)?;
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let url = format!("http://127.0.0.1:{port}");
    let path = folder.display();
    let _prometheus = Ended(place.start(&format!(
        "exec prometheus --config.file={path}/prometheus.yml --storage.tsdb.path={path}/data \
         --web.listen-address=127.0.0.1:{port} --log.level=error"
    ))?);
    let ask = |expression: &str| {
        place.run(&format!("promtool query instant {url} '{}'", expression.replace('\n', " ")))
    };
    // Rates need a few scrapes of both replicas.
    let attempt = async || {
        let scraped = ask("sum(count_over_time(bluegreen_leader[30s])) > 8")?;
        ensure!(!scraped.trim().is_empty(), "Prometheus sees nothing");
        Ok(())
    };
    patiently(Duration::from_secs(60), attempt).await?;
    let (mut right, mut wrong) = (0, Vec::new());
    let all = dashboard()?.into_iter().chain(alerts()?).chain(documented()?);
    for expression in all {
        // Of a healthy cluster some comparisons select nothing: what they compare must be there.
        let unfiltered = unfiltered(&expression);
        let mut empty: Vec<_> = Vec::new();
        for name in series(&expression) {
            if ask(&format!("count({name})"))?.trim().is_empty() {
                empty.push(name);
            }
        }
        let answered = ask(&expression).is_ok();
        // An alert about a switch or a stalled app has nothing to select while there is none.
        let about_trouble = expression.contains("active!=") || expression.contains("\"Stalled\"");
        if empty.is_empty() && answered && (about_trouble || !ask(&unfiltered)?.trim().is_empty()) {
            right += 1;
        } else {
            wrong.push(format!("{expression}: no series {empty:?}"));
        }
    }
    println!("{right} of {} expressions find their series", right + wrong.len());
    println!("{}", ask("process_resident_memory_bytes")?);
    println!("{}", ask("bluegreenapp_build_info")?);
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// The same expression without the thresholds of its comparisons, and without what it leaves out.
fn unfiltered(expression: &str) -> String {
    let mut words: Vec<&str> = expression.split_whitespace().take_while(|word| *word != "unless").collect();
    for at in 1..words.len() {
        let is_threshold = words[at].chars().all(|letter| letter.is_ascii_digit());
        if is_threshold && matches!(words[at - 1], "==" | ">") {
            (words[at - 1], words[at]) = (">=", "0");
        }
    }
    words.join(" ")
}
