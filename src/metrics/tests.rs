//! What does a scrape show?

use std::collections::{BTreeMap, BTreeSet};

use super::*;

fn filled() -> Metrics {
    let metrics = Metrics::new().unwrap();
    metrics.set_app("shop", "hello", "blue", "green", &[("Ready", "True"), ("StandbyReady", "False")]);
    metrics.record_switch("blue", "green", SwitchResult::Succeeded, Some(Duration::from_millis(40)));
    metrics.record_write("Service", WriteOutcome::Ok);
    metrics.set_leader(true);
    metrics.reconcile_timer().finish(ReconcileResult::Success);
    metrics
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
            let metric = &family.get_metric()[0];
            let labels: BTreeSet<_> = metric.get_label().iter().map(|l| l.name().to_owned()).collect();
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
    let metrics = filled();
    metrics.set_app("shop", "hello", "green", "green", &[("Ready", "False")]);
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
    let metrics = filled();
    metrics.set_app("shop", "other", "blue", "blue", &[("Ready", "True")]);
    metrics.forget_app("shop", "hello");
    metrics.forget_app("shop", "never-seen");
    let text = metrics.render().unwrap();
    assert!(!text.contains(r#"name="hello""#), "{text}");
    assert_eq!(lines(&metrics, "bluegreenapp_condition{").len(), 3);
}

#[test]
fn switches_are_exported_before_the_first_one() {
    let metrics = Metrics::new().unwrap();
    let line = r#"bluegreenapp_switches_total{from="blue",result="failed",to="green"} 0"#;
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
    metrics.reconcile_timer().finish(ReconcileResult::RequeueAfter);
    let total = |result: &str| {
        lines(
            &metrics,
            &format!(r#"controller_runtime_reconcile_total{{controller="bluegreenapp",result="{result}"}} "#),
        )
        .concat()
    };
    for result in ["success", "requeue_after", "error"] {
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
