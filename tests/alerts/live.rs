//! A real Prometheus with the rules that are shipped, which scrapes an operator that runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{Cluster, get, patiently};
use serde_json::{Value, json};

/// The rules that are shipped.
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/bluegreen-operator/files/alerts.yaml");

/// How long Prometheus may take to scrape an operator that leads.
const PATIENCE: Duration = Duration::from_secs(60);

/// It ends with the cluster.
pub struct Alerts {
    address: String,
    targets: PathBuf,
}

impl Alerts {
    /// Starts it, and returns once it has scraped the operator at this address, so that an increase counts from there.
    pub async fn watch(cluster: &Cluster, operator: &str) -> Result<Self> {
        let targets = cluster.dir()?.join("operators.json");
        write(&targets, operator)?;
        let config = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [RULES],
            "scrape_configs": [{
                "job_name": "operator", "honor_labels": true,
                "file_sd_configs": [{"files": [&targets], "refresh_interval": "1s"}],
            }],
        });
        let alerts = Self { address: cluster.start_prometheus(&config).await?, targets };
        alerts.has_scraped(operator).await?;
        Ok(alerts)
    }

    /// Scrapes the operator at this address from now on, in place of the one before.
    pub async fn follow(&self, operator: &str) -> Result<()> {
        write(&self.targets, operator)?;
        self.has_scraped(operator).await
    }

    /// The alerts that fire, each as often as it does.
    pub async fn firing(&self) -> Result<Vec<String>> {
        self.names("ALERTS{alertstate=\"firing\"}").await
    }

    /// The alerts whose expression is true, whether they have been so for long enough or not.
    pub async fn active(&self) -> Result<Vec<String>> {
        self.names("ALERTS").await
    }

    /// The alerts that have fired since the start, each once for each namespace of which it tells.
    pub async fn fired(&self) -> Result<Vec<(String, String)>> {
        let text = "count by (alertname, namespace) (count_over_time(ALERTS{alertstate=\"firing\"}[1d]))";
        let word = |labels: &Value, name: &str| labels[name].as_str().unwrap_or_default().to_owned();
        let all = self.query(text).await?;
        Ok(all.iter().map(|labels| (word(labels, "alertname"), word(labels, "namespace"))).collect())
    }

    async fn has_scraped(&self, operator: &str) -> Result<()> {
        let leads = format!("bluegreen_leader{{instance=\"{operator}\"}}==1");
        let attempt = async || {
            ensure!(!self.query(&leads).await?.is_empty(), "Prometheus has not scraped the operator");
            Ok(())
        };
        patiently(PATIENCE, attempt).await
    }

    async fn names(&self, text: &str) -> Result<Vec<String>> {
        let all = self.query(text).await?;
        Ok(all.into_iter().filter_map(|labels| labels["alertname"].as_str().map(str::to_owned)).collect())
    }

    /// The labels of the series that an instant query finds.
    async fn query(&self, text: &str) -> Result<Vec<Value>> {
        let query: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let answer: Value =
            serde_json::from_str(&get(&self.address, &format!("/api/v1/query?query={query}")).await?)?;
        let found = answer["data"]["result"].as_array().context("no result")?;
        Ok(found.iter().map(|series| series["metric"].clone()).collect())
    }
}

fn write(file: &Path, operator: &str) -> Result<()> {
    let targets = json!([{"targets": [operator], "labels": {"namespace": "bluegreen-system"}}]);
    // In one step: half a file is none.
    let unfinished = file.with_extension("unfinished");
    std::fs::write(&unfinished, targets.to_string())?;
    Ok(std::fs::rename(unfinished, file)?)
}
