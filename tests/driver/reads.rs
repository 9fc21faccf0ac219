//! What is read, and how often.

use std::time::Duration;

use bluegreen_apiserver::{Fault, Kind, Request, Verb};
use serde_json::json;

use crate::rig::{Rig, spec};

fn lists_pods(request: &Request) -> bool {
    request.is(Verb::List, Kind::Pod, "")
}

/// The rights of an earlier release: pods can't be listed, so that nobody can say why a color is late.
#[tokio::test]
async fn pods_that_may_not_be_listed_are_asked_for_as_rarely_as_others() {
    let mut rig = Rig::serving(spec()).await;
    rig.controllers.ready("hello-green", 0);
    rig.edit(|spec| spec["green"]["tag"] = json!("v3"));
    rig.settle().await;
    rig.server.fault(|request| lists_pods(request).then(|| Fault::answer(403, "pods is forbidden")));
    let _ = rig.server.take_log();
    rig.run(Duration::from_secs(60)).await;
    let lists = rig.count(lists_pods);
    assert!((1..=6).contains(&lists), "{lists} lists of pods in a minute");
}
