//! What happens to the operator itself: it ends in the middle of something, a write's result is unknown, or there are two.

use std::time::Duration;

use bluegreen_api::Color::{Blue, Green};
use bluegreen_apiserver::{Fault, Kind, Request, Verb};
use serde_json::json;

use crate::rig::{APP, Operator, Rig, spec, spec_with};

/// The fencing token of the live Service and of both Deployments.
fn tokens(rig: &Rig) -> Vec<String> {
    [(Kind::Service, "hello"), (Kind::Deployment, "hello-blue"), (Kind::Deployment, "hello-green")]
        .iter()
        .filter_map(|(kind, name)| rig.server.get(*kind, name))
        .map(|object| {
            object["metadata"]["labels"]["bluegreen.dev/fence"].as_str().unwrap_or_default().to_owned()
        })
        .collect()
}

fn is_switch(request: &Request) -> bool {
    request.is(Verb::Apply, Kind::Service, APP)
        && request.body["spec"]["selector"]["bluegreen.dev/color"] == "green"
}

/// The switch was sent, and is still on its way when another leader has begun: it must not arrive.
#[tokio::test]
async fn a_late_switch_of_an_earlier_term_is_refused() {
    let mut rig = Rig::serving(spec()).await;
    rig.activate(Green);
    rig.server.fault(|request| is_switch(request).then_some(Fault::Late));
    rig.pass().await;
    rig.server.no_faults();
    // Nobody asks for green any more.
    rig.activate(Blue);
    rig.restart();
    // Something has to be done before a leader fences: a size that was set by hand.
    rig.server.patch(Kind::Deployment, "hello-green", &json!({ "spec": { "replicas": 1 } }));
    rig.settle().await;
    assert_eq!(rig.server.deliver_late(), [409]);
    assert_eq!(rig.world().selects(APP), "blue");
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue));
    assert_eq!(rig.switches(), [Blue]);
    rig.finish();
}

/// A process that was told to end finished its passes first, and was killed before it released its Lease.
#[tokio::test]
async fn a_pass_that_is_told_to_stop_sends_nothing_after_the_request_that_is_under_way() {
    let mut rig = Rig::serving(spec()).await;
    rig.activate(Green);
    let _ = rig.server.take_log();
    let stop = rig.operator.stop();
    rig.server.fault(move |request| {
        if request.verb.writes() {
            stop.cancel();
        }
        None
    });
    rig.pass().await;
    assert_eq!(rig.writes(), ["Replace BlueGreenApp hello/status"]);
    rig.server.no_faults();
    rig.restart();
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    rig.finish();
}

/// Within one term: a write whose result is unknown is fenced before anything else happens.
#[tokio::test]
async fn a_late_switch_of_the_same_term_is_refused() {
    let mut rig = Rig::serving(spec()).await;
    let before = tokens(&rig);
    rig.activate(Green);
    rig.server.fault(|request| is_switch(request).then_some(Fault::Late));
    rig.pass().await;
    assert_eq!(tokens(&rig), before);
    rig.server.no_faults();
    rig.activate(Blue);
    rig.server.patch(Kind::Deployment, "hello-green", &json!({ "spec": { "replicas": 1 } }));
    rig.settle().await;
    assert!(tokens(&rig).iter().all(|token| token.ends_with(".1.1")), "{:?}", tokens(&rig));
    assert_eq!(rig.server.deliver_late(), [409]);
    assert_eq!(rig.world().selects(APP), "blue");
    rig.finish();
}

#[tokio::test]
async fn a_switch_whose_answer_is_lost_is_fenced_and_counted_once() {
    for fault in [Fault::LoseAnswer, Fault::answer(500, "internal error"), Fault::answer(503, "busy")] {
        let mut rig = Rig::serving(spec()).await;
        rig.activate(Green);
        let mut hit = false;
        let once = fault.clone();
        rig.server.fault(move |request| {
            let first = is_switch(request) && !hit;
            hit |= first;
            first.then(|| once.clone())
        });
        rig.settle().await;
        assert!(rig.world().serves(APP, Green), "{fault:?}: {:#}", rig.app()["status"]);
        assert_eq!(rig.switches(), [Blue, Green], "{fault:?}");
        assert_eq!(rig.status().history.len(), 2, "{fault:?}");
        rig.finish();
    }
}

/// The operator ends after its first, second, … request of a switch, whatever that was, and another one goes on.
#[tokio::test]
async fn an_end_at_any_request_of_a_switch_breaks_no_promise() {
    let mut ends = 0;
    for end in 1.. {
        let mut rig = Rig::serving(spec()).await;
        rig.deploy(Green, "v3");
        let mut sent = 0;
        rig.server.fault(move |request| {
            sent += usize::from(request.verb.writes() && request.kind != Kind::Event);
            (sent > end).then_some(Fault::Hang)
        });
        let mut cut = false;
        for _ in 0..10 {
            cut |= rig.pass_until_it_hangs().await;
            rig.step();
        }
        rig.server.no_faults();
        rig.restart();
        rig.settle().await;
        assert!(rig.world().serves(APP, Green), "after {end} requests: {:#}", rig.app()["status"]);
        assert_eq!(rig.served(), ["team/hello:v1", "team/hello:v3"], "after {end} requests");
        assert_eq!(rig.status().history.len(), 2, "after {end} requests");
        rig.finish();
        if !cut {
            break;
        }
        ends += 1;
    }
    assert!(ends >= 4, "a switch to a new tag is more than {ends} writes");
}

/// Green has been live for 50 of the 60 seconds of blue's drain.
async fn draining() -> Rig {
    let mut rig = Rig::serving(spec_with(json!({ "drainSeconds": 60 }))).await;
    rig.activate(Green);
    rig.run(Duration::from_secs(50)).await;
    assert_eq!(rig.world().selects(APP), "green");
    rig.edit(|spec| spec["blue"]["tag"] = json!("v4"));
    rig
}

#[tokio::test]
async fn a_drain_goes_on_with_the_next_leader_from_its_last_quarter() {
    let mut rig = draining().await;
    rig.restart();
    rig.run(Duration::from_secs(14)).await;
    assert!(rig.runs(Blue, "v1"), "each leader waits for a quarter itself");
    rig.run(Duration::from_secs(8)).await;
    assert!(rig.runs(Blue, "v4"), "{:#}", rig.app()["status"]);
    assert_eq!(rig.status().history.len(), 2);
    rig.finish();
}

/// It may have selected the old color in between.
#[tokio::test]
async fn a_drain_begins_anew_with_the_next_leader_where_the_service_was_written_meanwhile() {
    let mut rig = draining().await;
    rig.server.patch(Kind::Service, APP, &json!({ "metadata": { "annotations": { "team": "shop" } } }));
    rig.restart();
    rig.run(Duration::from_secs(50)).await;
    assert!(rig.runs(Blue, "v1"), "blue rests for all of the drain");
    rig.run(Duration::from_secs(15)).await;
    assert!(rig.runs(Blue, "v4"));
    rig.finish();
}

#[tokio::test]
async fn a_drain_ends_although_no_leader_lives_as_long_as_it_takes() {
    for (drain, life, lives) in [(400, 120, 4), (30, 20, 2)] {
        let mut rig = Rig::serving(spec_with(json!({ "drainSeconds": drain }))).await;
        rig.activate(Green);
        for _ in 0..lives {
            rig.run(Duration::from_secs(life)).await;
            rig.restart();
        }
        rig.run(Duration::from_secs(5)).await;
        assert_eq!(rig.status().switch, None, "{drain} s: {:#}", rig.app()["status"]);
        rig.finish();
    }
}

/// Another of its name, while the first one's children may still be there.
#[tokio::test]
async fn an_app_of_the_same_name_takes_nothing_over_from_one_that_was_deleted() {
    let mut rig = Rig::serving(spec()).await;
    let before = rig.world().pods(APP, Blue);
    rig.server.delete(Kind::App, APP);
    rig.create_app(spec_with(json!({ "active": "green" })));
    let pass = rig.server.history().len();
    rig.pass().await;
    let touched = rig.server.history().into_iter().skip(pass).filter(|change| change.kind != Kind::App);
    assert_eq!(
        touched.map(|change| change.name).collect::<Vec<_>>(),
        [""; 0],
        "what is to be collected is left alone"
    );
    rig.settle().await;
    assert!(rig.world().serves(APP, Green));
    assert!(rig.world().pods(APP, Blue).iter().all(|pod| !before.contains(pod)));
}

#[tokio::test]
async fn an_operator_of_another_installation_changes_nothing_and_says_so_when_it_is_alone() {
    let mut rig = Rig::serving(spec()).await;
    let second = Operator::of_term(&rig.server, &rig.clock, "elsewhere/operator", 1);
    let before = rig.server.history().len();
    for _ in 0..5 {
        second.pass(&rig.server).await;
        rig.advance(Duration::from_secs(2));
    }
    assert_eq!(rig.server.history().len(), before, "not even the status, or the two would write it in turns");
    rig.activate(Green);
    second.pass(&rig.server).await;
    rig.settle().await;
    assert!(rig.world().serves(APP, Green), "the first one works on");

    // The first one is removed: now the second says why nothing happens.
    rig.activate(Blue);
    for _ in 0..5 {
        second.pass(&rig.server).await;
        rig.step();
        rig.advance(Duration::from_secs(2));
    }
    assert_eq!(rig.says("Stalled"), "True/TwoOperators");
    let message = rig.condition("Stalled").message;
    assert!(message.contains("system/operator") && message.contains("bluegreen.dev/operator"), "{message}");
    assert_eq!(rig.world().selects(APP), "green", "nothing is changed");

    let take_over = json!({ "metadata": { "annotations": { "bluegreen.dev/operator": null } } });
    rig.server.patch(Kind::Service, APP, &take_over);
    rig.operator = second;
    rig.settle().await;
    assert!(rig.world().serves(APP, Blue));
    rig.finish();
}

/// The status is lost: what is selected stays, and nothing else than fences and the status is written.
#[tokio::test]
async fn a_lost_status_is_written_again_and_nothing_moves() {
    let mut rig = Rig::serving(spec()).await;
    rig.activate(Green);
    rig.settle().await;
    let specs = |rig: &Rig| -> Vec<serde_json::Value> {
        let children = [Kind::Service, Kind::Deployment, Kind::Revision, Kind::Pod];
        let all = children.iter().flat_map(|kind| rig.server.all(*kind));
        all.map(|object| json!([object["metadata"]["name"], object["spec"], object["data"]])).collect()
    };
    let before = specs(&rig);
    rig.server.edit(Kind::App, APP, |app| {
        app.as_object_mut().unwrap().remove("status");
    });
    rig.restart();
    rig.settle().await;
    assert!(rig.world().serves(APP, Green), "{:#}", rig.app()["status"]);
    assert_eq!(specs(&rig), before);
    assert_eq!(rig.switches(), [Blue, Green]);
    rig.finish();
}

/// The cluster was restored from a snapshot of etcd under a running operator, which remembers newer versions than there are.
#[tokio::test]
async fn a_server_that_went_back_in_time_is_served_as_it_is_now() {
    let mut rig = Rig::serving(spec()).await;
    let backup = rig.server.backup();
    for tag in ["v3", "v4"] {
        rig.deploy(Green, tag);
        rig.settle().await;
    }
    rig.server.restore(backup);
    rig.activate(Green);
    rig.run(Duration::from_secs(3)).await;
    assert!(rig.world().serves(APP, Green), "{:#}", rig.app()["status"]);
    assert!(rig.runs(Green, "v2"));
}
