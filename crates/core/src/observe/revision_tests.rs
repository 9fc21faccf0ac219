//! Which stored revisions are believed.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::ControllerRevision;
use serde_json::{Value, json};

use super::tests::{app, owner, service, snapshot};
use super::*;

/// Whoever may create ControllerRevisions and nothing else must not choose what runs.
#[test]
fn a_revision_without_an_owner_is_believed_only_if_a_deployment_or_the_service_names_its_number() {
    let app = app();
    let rendered = desired::render(&app, Color::Green).unwrap();
    let revision = |number: i64, change: &dyn Fn(&mut Value)| {
        let mut revision = desired::revision(&app, Color::Green, number, &rendered);
        change(&mut revision);
        Arc::new(serde_json::from_value(revision).unwrap())
    };
    let orphan = |revision: &mut Value| revision["metadata"]["ownerReferences"] = json!([]);
    let mut seen = snapshot();
    let annotations = json!({"bluegreen.dev/served-green": "3"});
    seen.service = Some(Arc::new(service(json!({"name": "hello", "annotations": annotations}))));
    let runs = desired::Stored { number: 2, rendered: rendered.clone() };
    let deployment = desired::deployment(&app, Color::Green, &runs, 2, "");
    seen.deployments.green = Some(Arc::new(serde_json::from_value(deployment).unwrap()));
    let mut believed = |revisions: Vec<Arc<ControllerRevision>>| {
        seen.stored = Snapshot::sort_revisions(&app, revisions);
        let numbers: Vec<i64> = seen.revisions(Color::Green).iter().map(|stored| stored.number).collect();
        let by_number =
            (0..9_i64).filter(|number| seen.revision(Color::Green, *number).is_some()).collect::<Vec<_>>();
        assert_eq!(numbers, by_number);
        (numbers, seen.taken(Color::Green))
    };
    let own = |number| revision(number, &|_| ());
    assert_eq!(believed((1..6).map(own).collect()), (vec![1, 2, 3, 4, 5], 0), "the app's own");
    let left_behind = |number| revision(number, &orphan);
    assert_eq!(
        believed((1..6).map(left_behind).collect()),
        (vec![2, 3], 5),
        "of a restore, what runs and what served"
    );

    let other = |revision: &mut Value| revision["metadata"]["ownerReferences"] = owner("other", "another");
    let earlier = |revision: &mut Value| revision["metadata"]["ownerReferences"] = owner("other", "hello");
    let unmanaged = |revision: &mut Value| {
        orphan(revision);
        revision["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("me");
    };
    let unreadable = |revision: &mut Value| revision["data"] = json!("x");
    let misnamed = |revision: &mut Value| revision["revision"] = json!(7);
    assert_eq!(believed(vec![revision(2, &other)]), (vec![], 2));
    assert_eq!(believed(vec![revision(2, &earlier)]), (vec![], 0), "it is about to go");
    assert_eq!(believed(vec![revision(2, &unmanaged)]), (vec![], 2));
    assert_eq!(believed(vec![revision(2, &unreadable)]), (vec![], 2));
    assert_eq!(believed(vec![revision(2, &misnamed)]), (vec![], 0), "its name is in nobody's way");
    for number in [i64::MIN, -1, 0, 1_000_000_001, i64::MAX] {
        assert_eq!(believed(vec![own(number)]), (vec![], 0), "{number}: nothing could come after it");
    }
}

/// After the largest number that there is, no revision could follow.
#[test]
fn a_number_that_nobody_could_count_to_is_no_record() {
    let served = |number: &str| {
        let annotations = json!({"bluegreen.dev/served-green": number});
        let metadata =
            json!({"name": "hello", "annotations": annotations, "ownerReferences": owner("u", "hello")});
        let seen = Snapshot { service: Some(Arc::new(service(metadata))), ..snapshot() };
        let token = Token { operator: String::new(), lease: String::new(), epoch: 1, attempt: 0 };
        let facts = observe(&seen, routing(&seen, &token), &token, Held::default(), Timestamp::UNIX_EPOCH);
        facts.service.ours().unwrap().served.green
    };
    assert_eq!([i64::MAX, 1_000_000_001, 0, -1].map(|number| served(&number.to_string())), [None; 4]);
    assert_eq!(served("1000000000"), Some(1_000_000_000));
}

/// Revision 1 runs. Revision 2 was stored for an edit whose write of the Deployment never succeeded.
#[test]
fn what_runs_is_the_newest_again_once_an_edit_is_taken_back_before_it_has_pods() {
    let tagged = |tag: &str| {
        let mut app = app();
        app.spec.green.as_mut().unwrap().tag = Some(tag.to_owned());
        app
    };
    let shared = |mut app: BlueGreenApp| {
        app.spec.port = 9999;
        app
    };
    let rendered = |app: &BlueGreenApp| desired::render(app, Color::Green).unwrap();
    let (first, second) = (rendered(&tagged("v2")), rendered(&tagged("v3")));
    let facts = |asks: BlueGreenApp, runs: i64, served: &str| {
        let stored = [(1, &first), (2, &second)].map(|(number, rendered)| {
            let revision = desired::revision(&asks, Color::Green, number, rendered);
            Arc::new(serde_json::from_value::<ControllerRevision>(revision).unwrap())
        });
        let mut seen = Snapshot::of(asks.clone());
        seen.stored = Snapshot::sort_revisions(&asks, stored);
        let metadata = json!({
            "name": "hello", "annotations": {"bluegreen.dev/served-green": served},
            "ownerReferences": owner("u", "hello"),
        });
        seen.service = Some(Arc::new(service(metadata)));
        let of = |number| if number == 1 { first.clone() } else { second.clone() };
        let runs = desired::Stored { number: runs, rendered: of(runs) };
        let deployment = desired::deployment(&asks, Color::Green, &runs, 2, "");
        seen.deployments.green = Some(Arc::new(serde_json::from_value(deployment).unwrap()));
        let token = Token { operator: String::new(), lease: String::new(), epoch: 1, attempt: 0 };
        let facts = observe(&seen, routing(&seen, &token), &token, Held::default(), Timestamp::UNIX_EPOCH);
        facts.colors.green
    };
    let newest = |asks: BlueGreenApp, runs: i64, served: &str| {
        let facts = facts(asks, runs, served);
        (facts.newest.unwrap().number, facts.current.unwrap().number)
    };
    let back = facts(tagged("v2"), 1, "0");
    assert_eq!((back.newest.unwrap().number, back.current.unwrap().number), (1, 1));
    assert!(back.deployment.ours().unwrap().matches, "no pod has to be replaced");
    assert_eq!(back.taken, 2, "the next one is revision 3");
    assert_eq!(back.obsolete, [0_i64; 0], "revision 2 keeps its number taken");

    assert_eq!(newest(tagged("v3"), 1, "0"), (2, 2), "the edit stands");
    assert_eq!(newest(tagged("v4"), 1, "0"), (2, 2), "the next edit makes revision 3");
    assert_eq!(newest(tagged("v2"), 2, "0"), (2, 2), "it has pods");
    assert_eq!(newest(shared(tagged("v2")), 1, "1"), (1, 1), "what has served takes no shared edit");
    assert_eq!(newest(shared(tagged("v2")), 1, "0"), (2, 2), "what has not would take it");
}
