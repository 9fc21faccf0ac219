//! In a steady state, nothing is written.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bluegreen_api::Color::Blue;
use bluegreen_cluster::{AuditLog, Offset, patiently};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;

use crate::harness::{Sandbox, app, cluster};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// The operator's write requests since then, Lease aside.
fn writes(audit: &AuditLog, since: Offset, user: &str) -> Result<Vec<String>> {
    let entries = audit.matching(since, |e| e.user == user && e.is_write() && e.resource != "leases")?;
    Ok(entries
        .into_iter()
        .map(|e| format!("{} {} {} {}", e.verb, e.resource, e.subresource, e.name))
        .collect())
}

#[tokio::test]
async fn are_there_no_writes_in_quiet_times_and_none_after_a_restart() -> Result<()> {
    let Ok(audit) = cluster().await?.audit() else {
        eprintln!("skipped: this cluster's audit log can't be read");
        return Ok(());
    };
    let (apps, quiet) = (setting("APPS", 20), Duration::from_secs(setting("QUIET_SECONDS", 10)));
    let sandbox = Sandbox::new("quiet").await?;
    let operator = sandbox.operator()?;
    let names: Vec<String> = (0..apps).map(|number| format!("app-{number}")).collect();
    futures::stream::iter(&names)
        .map(|name| {
            // No two alike: every kind of field must be as quiet as the next.
            let number = name.len() + usize::from(name.as_bytes()[name.len() - 1]);
            let extra = match number % 5 {
                0 => json!({"standby": {"replicas": 0}}),
                1 => json!({"template": {"spec": {"containers": [{"name": "app", "resources": {
                    "limits": {"cpu": "0.5", "memory": "1024Mi"}}}, {"name": "proxy", "image": "proxy:v1"}]}}}),
                2 => json!({"service": {"sessionAffinity": "ClientIP", "annotations": {"a": "b"}}}),
                3 => json!({"readinessProbe": {"tcpSocket": {}}, "blue": {"env": [{"name": "A", "value": "x"}]}}),
                _ => json!({"maxSurge": 1, "minReadySeconds": 1, "green": null}),
            };
            sandbox.apply_owned(app(name).replicas(1).drain(0).with(extra))
        })
        .buffer_unordered(4)
        .try_collect::<()>()
        .await?;
    let limit = Duration::from_secs(60 + 2 * apps);
    sandbox.within(limit, "all serve", |world| names.iter().all(|name| world.settled(name))).await?;

    let rest = calm(&audit, &sandbox.user.name).await?;
    tokio::time::sleep(quiet).await;
    let written = writes(&audit, rest, &sandbox.user.name)?;
    assert!(written.is_empty(), "in {quiet:?} of quiet: {written:#?}");

    operator.terminate().await?;
    let (restart, start) = (audit.end()?, Instant::now());
    let operator = sandbox.operator()?;
    operator.says("leading", Duration::from_secs(40)).await?;
    let leads = start.elapsed();
    // Silence proves something only of an operator that has looked at every app.
    let all_looked_at = async || {
        let passes = operator.metric("controller_runtime_reconcile_total").await?;
        ensure!(passes >= apps, "it does not look at all of them");
        Ok(())
    };
    patiently(limit, all_looked_at).await?;
    let looked = start.elapsed();
    tokio::time::sleep(quiet).await;
    println!(
        "{apps} apps: leads {:.1} s after its start, has looked at all of them after {:.1} s, holds {} MiB",
        leads.as_secs_f64(),
        looked.as_secs_f64(),
        operator.metric("process_resident_memory_bytes").await? >> 20,
    );
    let written = writes(&audit, restart, &sandbox.user.name)?;
    assert!(written.is_empty(), "after a restart: {written:#?}");
    sandbox.finish().await
}

/// Waits until nothing was written for three seconds: what the suite promises is that this comes, soon.
async fn calm(audit: &AuditLog, user: &str) -> Result<Offset> {
    let attempt = async || {
        let since = audit.end()?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let written = writes(audit, since, user)?;
        ensure!(written.is_empty(), "it never comes to rest: {written:#?}");
        Ok(since)
    };
    patiently(Duration::from_secs(60), attempt).await
}

/// `make hostile` found it: declared again and again, since it never came to be what was declared.
#[tokio::test]
async fn is_an_app_content_with_the_defaults_that_replace_its_zeros() -> Result<()> {
    let probe = json!({"httpGet": {"path": "", "port": 8888}});
    let container = json!({
        "name": "app", "imagePullPolicy": "", "terminationMessagePath": "", "terminationMessagePolicy": "",
        "resources": {"requests": {"cpu": "100u"}, "limits": {"cpu": "1.0005"}},
        "livenessProbe": {
            "httpGet": {"path": "", "port": 8888, "scheme": ""},
            "periodSeconds": 0, "timeoutSeconds": 0, "successThreshold": 0, "failureThreshold": 0,
        },
        "ports": [{"containerPort": 9999, "name": "other", "protocol": ""}],
    });
    let pods = json!({"containers": [container], "dnsPolicy": "", "schedulerName": ""});
    let zeros = app("hello").with(json!({"readinessProbe": probe, "template": {"spec": pods}}));
    let (sandbox, operator) = Sandbox::serving("zeros", &zeros).await?;
    sandbox.until("all is well", |world| world.serves("hello", Blue) && world.settled("hello")).await?;
    assert!(!operator.log(10_000).contains("EditDeployment"), "{}", operator.log(10_000));
    sandbox.finish().await
}
