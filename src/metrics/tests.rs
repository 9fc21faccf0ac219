//! What does a scrape show?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use serde_json::json;

use super::*;
use crate::health::Watch;

fn app(name: &str, status: &serde_json::Value) -> Arc<BlueGreenApp> {
    let app = serde_json::from_value(json!({
        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"active": "green", "image": "hello", "port": 8080},
        "status": status,
    }));
    Arc::new(app.unwrap())
}

fn status(active: &str, conditions: &[(&str, &str)]) -> serde_json::Value {
    let conditions: Vec<_> = conditions
        .iter()
        .map(|(kind, status)| {
            json!({"type": kind, "status": status, "reason": "R", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z"})
        })
        .collect();
    json!({"active": active, "conditions": conditions})
}

fn hello() -> Arc<BlueGreenApp> {
    let mut status = status("blue", &[("Ready", "True"), ("StandbyReady", "False")]);
    status["rejected"] = json!({"color": "green", "revision": 2, "block": "a", "checks": "b", "check": "smoke",
        "when": "Before", "result": "Failed", "at": "2026-01-01T00:00:00Z"});
    app("hello", &status)
}

/// Metrics whose store of apps the test may change.
fn with_store(apps: Vec<Arc<BlueGreenApp>>) -> (Metrics, Arc<Mutex<Vec<Arc<BlueGreenApp>>>>) {
    let (metrics, store) = (Metrics::new("abc").unwrap(), Arc::new(Mutex::new(apps)));
    let source = store.clone();
    metrics.export_apps(move || source.lock().unwrap().clone()).unwrap();
    metrics.set_leader(true);
    (metrics, store)
}

fn filled() -> Metrics {
    let (metrics, _) = with_store(vec![hello()]);
    metrics.record_switch("blue", "green", SwitchResult::Succeeded, Some(Duration::from_millis(40)));
    metrics.record_write("Service", WriteOutcome::Ok);
    metrics.reconcile_timer().finish(ReconcileResult::Success);
    metrics.export_watches(watching).unwrap();
    metrics
}

fn watching() -> watches::Watching {
    let state =
        |watch, errors, millis| watches::WatchState { watch, errors, failing: Duration::from_millis(millis) };
    watches::Watching {
        watches: vec![
            state(Watch::of("Deployment"), 3, 1500),
            state(Watch::within("Service", "shop"), 0, 0),
            state(Watch::within("Service", "web"), 5, 2500),
        ],
        unreadable: vec![("Deployment".to_owned(), 2)],
        oldest_unobserved: Duration::from_secs(7),
    }
}

#[test]
fn the_state_of_the_watches_is_exported() {
    for all in [
        &[
            r#"bluegreen_watch_errors_total{kind="Deployment"} 3"#,
            r#"bluegreen_watch_errors_total{kind="Service",watched_namespace="shop"} 0"#,
            r#"bluegreen_watch_errors_total{kind="Service",watched_namespace="web"} 5"#,
        ][..],
        &[
            r#"bluegreen_watch_failing_seconds{kind="Deployment"} 1.5"#,
            r#"bluegreen_watch_failing_seconds{kind="Service",watched_namespace="shop"} 0"#,
            r#"bluegreen_watch_failing_seconds{kind="Service",watched_namespace="web"} 2.5"#,
        ],
        &[r#"bluegreen_unreadable_objects{kind="Deployment"} 2"#],
        &["bluegreen_oldest_unobserved_generation_seconds 7"],
    ] {
        let name = all[0].split(['{', ' ']).next().unwrap();
        assert_eq!(lines(&filled(), name), all);
    }
}

fn lines(metrics: &Metrics, start: &str) -> Vec<String> {
    metrics.render().unwrap().lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
}

#[test]
fn the_table_lists_exactly_what_is_exported() {
    let exported: BTreeMap<_, _> = filled()
        .inner
        .registry
        .gather()
        .into_iter()
        .filter(|family| !family.name().starts_with("process_"))
        .map(|family| {
            // An empty label is left out of a series.
            let labels = family.get_metric().iter().flat_map(|metric| metric.get_label());
            let labels: BTreeSet<_> = labels.map(|l| l.name().to_owned()).collect();
            let kind = format!("{:?}", family.get_field_type()).to_lowercase();
            (family.name().to_owned(), (kind, labels, family.help().to_owned()))
        })
        .collect();
    let listed: BTreeMap<_, _> = table::ALL
        .into_iter()
        .map(|s| {
            let labels = s.labels.iter().map(|l| (*l).to_owned()).collect();
            (s.name.to_owned(), (s.kind.as_str().to_owned(), labels, s.help.to_owned()))
        })
        .collect();
    assert_eq!(exported, listed);
}

#[test]
fn each_condition_has_one_status_that_is_1() {
    assert_eq!(
        lines(&filled(), "bluegreenapp_condition{"),
        [
            r#"bluegreenapp_condition{name="hello",namespace="shop",status="False",type="Ready"} 0"#,
            r#"bluegreenapp_condition{name="hello",namespace="shop",status="False",type="StandbyReady"} 1"#,
            r#"bluegreenapp_condition{name="hello",namespace="shop",status="True",type="Ready"} 1"#,
            r#"bluegreenapp_condition{name="hello",namespace="shop",status="True",type="StandbyReady"} 0"#,
            r#"bluegreenapp_condition{name="hello",namespace="shop",status="Unknown",type="Ready"} 0"#,
            r#"bluegreenapp_condition{name="hello",namespace="shop",status="Unknown",type="StandbyReady"} 0"#,
        ]
    );
}

#[test]
fn a_new_state_replaces_the_old_one() {
    let (metrics, store) = with_store(vec![hello()]);
    *store.lock().unwrap() = vec![app("hello", &status("green", &[("Ready", "False")]))];
    assert_eq!(
        lines(&metrics, "bluegreenapp_info{"),
        [r#"bluegreenapp_info{active="green",desired="green",name="hello",namespace="shop"} 1"#]
    );
    let conditions = lines(&metrics, "bluegreenapp_condition{");
    assert_eq!(conditions.len(), 3, "StandbyReady is gone: {conditions:#?}");
    assert!(conditions.iter().any(|line| line.contains(r#"status="False""#) && line.ends_with(" 1")));
}

#[test]
fn a_deleted_app_leaves_nothing_behind_and_takes_nothing_with_it() {
    let (metrics, store) = with_store(vec![hello(), app("other", &status("blue", &[("Ready", "True")]))]);
    store.lock().unwrap().retain(|app| app.metadata.name.as_deref() != Some("hello"));
    let text = metrics.render().unwrap();
    assert!(!text.contains(r#"name="hello""#), "{text}");
    assert_eq!(lines(&metrics, "bluegreenapp_condition{").len(), 3);
}

#[test]
fn an_app_that_is_being_deleted_and_one_without_a_status_have_no_series() {
    let mut leaving = hello().as_ref().clone();
    leaving.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
    let (metrics, _) = with_store(vec![Arc::new(leaving), app("new", &serde_json::Value::Null)]);
    assert!(lines(&metrics, "bluegreenapp_info").is_empty());
    assert!(lines(&metrics, "bluegreenapp_condition").is_empty());
}

#[test]
fn only_the_leader_exports_the_apps() {
    let (metrics, _) = with_store(vec![hello()]);
    metrics.set_leader(false);
    assert!(lines(&metrics, "bluegreenapp_condition{").is_empty());
    metrics.set_leader(true);
    assert_eq!(lines(&metrics, "bluegreenapp_condition{").len(), 6);
}

/// The store is still being read in the middle of a scrape: everything that a pass records goes on meanwhile.
#[test]
fn a_pass_does_not_wait_for_a_scrape() {
    let metrics = Metrics::new("abc").unwrap();
    metrics.set_leader(true);
    let (entered, scraping) = std::sync::mpsc::channel();
    let (proceed, recorded) = std::sync::mpsc::channel();
    let (entered, recorded) = (Mutex::new(entered), Mutex::new(recorded));
    metrics
        .export_apps(move || {
            entered.lock().unwrap().send(()).unwrap();
            recorded.lock().unwrap().recv().unwrap();
            vec![hello()]
        })
        .unwrap();
    std::thread::scope(|scope| {
        let scrape = scope.spawn(|| metrics.render().unwrap());
        scraping.recv().unwrap();
        let (done, pass) = std::sync::mpsc::channel();
        let metrics = &metrics;
        scope.spawn(move || {
            metrics.reconcile_timer().finish(ReconcileResult::Success);
            metrics.record_write("Service", WriteOutcome::Ok);
            metrics.record_switch("blue", "green", SwitchResult::Succeeded, Some(Duration::from_millis(40)));
            metrics.set_leader(true);
            done.send(()).unwrap();
        });
        let ended = pass.recv_timeout(Duration::from_secs(30));
        proceed.send(()).unwrap();
        assert_eq!(ended, Ok(()), "the pass waited for the scrape");
        assert!(scrape.join().unwrap().contains(r#"name="hello""#));
    });
}

/// One series twice would make Prometheus refuse the whole scrape.
#[test]
fn a_condition_that_is_there_twice_is_exported_once() {
    let (metrics, _) =
        with_store(vec![app("hello", &status("blue", &[("Ready", "True"), ("Ready", "False")]))]);
    assert_eq!(lines(&metrics, "bluegreenapp_condition{").len(), 3);
}

#[test]
fn switches_are_exported_before_the_first_one() {
    let metrics = Metrics::new("abc").unwrap();
    let line = r#"bluegreenapp_switches_total{from="blue",result="canceled",to="green"} 0"#;
    assert_eq!(lines(&metrics, line), [line]);
}

#[test]
fn only_successful_switches_count_toward_the_duration() {
    let metrics = filled();
    metrics.record_switch("green", "blue", SwitchResult::Canceled, None);
    assert_eq!(
        lines(&metrics, "bluegreenapp_switch_duration_seconds_count"),
        ["bluegreenapp_switch_duration_seconds_count 1"]
    );
}

#[test]
fn a_reconcile_that_is_dropped_is_an_error() {
    let metrics = filled();
    drop(metrics.reconcile_timer());
    let total = |result: &str| {
        lines(
            &metrics,
            &format!(r#"controller_runtime_reconcile_total{{controller="bluegreenapp",result="{result}"}} "#),
        )
        .concat()
    };
    for result in ["success", "error"] {
        assert!(total(result).ends_with(" 1"), "{result}");
    }
    assert_eq!(
        lines(&metrics, "controller_runtime_reconcile_errors_total"),
        [r#"controller_runtime_reconcile_errors_total{controller="bluegreenapp"} 1"#]
    );
}

#[cfg(target_os = "linux")]
#[test]
fn memory_and_cpu_of_the_process_are_exported() {
    let metrics = filled();
    assert_eq!(lines(&metrics, "process_resident_memory_bytes ").len(), 1);
    assert_eq!(lines(&metrics, "process_cpu_seconds_total ").len(), 1);
}
