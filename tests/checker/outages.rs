//! Is an outage of Prometheus never taken for one of the app, and is a change of the app seen while the check runs?

use rustix::process::Signal;

use crate::rig::Rig;

const QUERY: &str = "ratio{app=\"hello\"}";
const BAD: &str = "ratio{app=\"hello\"} 0.2\nratio{app=\"other\"} 0.305\n";

#[tokio::test]
async fn does_a_prometheus_that_hangs_or_is_gone_say_nothing_and_pass_once_it_is_back() {
    let mut rig = Rig::start().await;
    let limits = ["--max", "0.01"];
    rig.signal(Signal::STOP);
    rig.check(QUERY, &limits).await.is(75, "no answer within 2 s");
    rig.signal(Signal::CONT);
    rig.check(QUERY, &limits).await.is(0, "answered 0.005");
    rig.kill().await;
    rig.check(QUERY, &limits).await.is(75, "connection refused");
    rig.restart().await;
    rig.check(QUERY, &limits).await.is(0, "answered 0.005");
}

#[tokio::test]
async fn is_a_hanging_prometheus_forgiven_if_most_measurements_say_something() {
    let rig = Rig::start().await;
    rig.signal(Signal::STOP);
    // The first measurement hangs for two seconds; then there is one each second.
    let mut running = rig.begin(QUERY, &["--max", "0.01", "--period-seconds", "1", "--for-seconds", "8"]);
    let line = running.line().await.unwrap();
    assert!(line.starts_with("unknown: Prometheus at http://localhost"), "{line}");
    rig.signal(Signal::CONT);
    let ended = running.end().await;
    ended.is(0, "measurements were good");
}

#[tokio::test]
async fn does_a_prometheus_that_dies_in_the_middle_leave_the_verdict_open() {
    let mut rig = Rig::start().await;
    let mut running = rig.begin(QUERY, &["--max", "0.01", "--period-seconds", "1", "--for-seconds", "8"]);
    assert!(running.line().await.unwrap().starts_with("good: "));
    rig.kill().await;
    running.end().await.is(75, "connection refused");
}

#[tokio::test]
async fn does_an_app_that_turns_bad_fail_before_the_time_ends_and_only_after_what_is_allowed() {
    let rig = Rig::start().await;
    let flags = ["--max", "0.01", "--period-seconds", "1", "--for-seconds", "3600", "--max-failures", "2"];
    let mut running = rig.begin(QUERY, &flags);
    assert!(running.line().await.unwrap().starts_with("good: "));
    rig.set(BAD, QUERY, "0.2").await;
    let ended = running.end().await;
    ended.is(1, "the query answered 0.2, more than max 0.01; 3 of ");
    assert_eq!(ended.printed.matches("bad: ").count(), 3, "{ended:?}");
}

#[tokio::test]
async fn is_an_app_that_recovers_within_what_is_allowed_passed() {
    let rig = Rig::start().await;
    rig.set(BAD, QUERY, "0.2").await;
    let flags = ["--max", "0.01", "--period-seconds", "2", "--for-seconds", "8", "--max-failures", "3"];
    let mut running = rig.begin(QUERY, &flags);
    assert!(running.line().await.unwrap().starts_with("bad: "));
    rig.set("ratio{app=\"hello\"} 0.001\n", QUERY, "0.001").await;
    running.end().await.is(0, "the query answered 0.001, which max 0.01 allows; ");
}
