//! What does each write say?

use super::*;
use bluegreen_api::ServiceType;

/// The app as it was reported when its Service had an address.
fn reported(address: Option<&str>) -> Snapshot {
    let mut seen = snapshot();
    let mut app = app();
    app.spec.service.type_ = ServiceType::NodePort;
    let port = address.map(|_| 30007);
    app.status = Some(
        serde_json::from_value(json!({ "service": { "clusterIP": address, "nodePort": port } })).unwrap(),
    );
    (seen.app, seen.service) = (Arc::new(app), None);
    seen
}

/// Serving at a new address beats not serving.
#[tokio::test]
async fn an_address_that_is_taken_is_given_up_and_nothing_else_is_asked_for_twice() {
    fn is_taken(request: &Value) -> Value {
        if request["body"]["spec"]["clusterIP"].is_null() { Value::Null } else { refuses(request) }
    }
    let job = Job::Carry(Action::CreateService);
    let address = Some("10.0.0.7");
    let addresses = |sent: &[Value]| -> Vec<Value> {
        sent.iter().map(|request| request["body"]["spec"]["clusterIP"].clone()).collect()
    };

    let (outcome, sent) = carry_out_on(reported(address), agrees, &job, long()).await;
    assert_eq!((outcome, addresses(&sent)), (Outcome::Done, vec![json!(address)]));
    assert_eq!(sent[0]["body"]["spec"]["ports"][0]["nodePort"], 30007);
    let (outcome, sent) = carry_out_on(reported(address), is_taken, &job, long()).await;
    assert_eq!((outcome, addresses(&sent)), (Outcome::Done, vec![json!(address), Value::Null]));
    // Another attempt would be the same request.
    let (outcome, sent) = carry_out_on(reported(None), refuses, &job, long()).await;
    assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    assert_eq!(addresses(&sent), [Value::Null]);
}

/// A Service that a person handed over serves as it does until a color is selected.
#[tokio::test]
async fn whose_selector_does_each_write_declare() {
    let of = |color: &str| json!({ names::APP: "hello", names::COLOR: color });
    let by_hand = json!({ "team": "ours" });
    let handed_over = || {
        let mut service = serde_json::to_value(snapshot().service.as_deref()).unwrap();
        service["metadata"]["annotations"] = json!({});
        service["spec"]["selector"] = by_hand.clone();
        Snapshot { service: Some(Arc::new(serde_json::from_value(service).unwrap())), ..snapshot() }
    };
    for (seen, action, wants) in [
        (handed_over(), Action::UpdateService, by_hand.clone()),
        (handed_over(), Action::Restore { to: Color::Blue }, of("blue")),
        (snapshot(), Action::UpdateService, of("blue")),
        (snapshot(), Action::Switch { from: Some(Color::Blue), to: Color::Green }, of("green")),
    ] {
        let (_, sent) = carry_out_on(seen, agrees, &Job::Carry(action.clone()), long()).await;
        assert_eq!(sent[0]["body"]["spec"]["selector"], wants, "{action:?}");
    }
}

/// The selector and the records of it are one request, or a crash between two would leave them at odds.
#[tokio::test]
async fn what_does_each_write_of_the_service_record() {
    let (blue, green) = (Color::Blue, Color::Green);
    for (action, active, served_blue, served_green) in [
        (Action::CreateService, Value::Null, Value::Null, Value::Null),
        (Action::Restore { to: blue }, json!("blue"), json!("1"), Value::Null),
        (Action::UpdateService, json!("blue"), json!("1"), Value::Null),
        (Action::Promote { color: blue, number: 2 }, json!("blue"), json!("2"), Value::Null),
        (Action::Switch { from: Some(blue), to: green }, json!("green"), json!("1"), json!("1")),
    ] {
        let (_, sent) = carry_out(&Job::Carry(action.clone()), long()).await;
        let metadata = &sent[0]["body"]["metadata"];
        let annotations = &metadata["annotations"];
        let said = [names::ACTIVE, names::SERVED_BLUE, names::SERVED_GREEN].map(|key| &annotations[key]);
        assert_eq!(said, [&active, &served_blue, &served_green], "{action:?}");
        assert_eq!(metadata["labels"][names::FENCE], "0a1b2c3d.7.0", "{action:?}");
    }
}

/// A Service that is created anew selects nothing, and remembers which revisions have served.
#[tokio::test]
async fn a_service_that_was_lost_comes_back_with_its_records_but_without_its_color() {
    let mut seen = snapshot();
    let mut app = app();
    app.status =
        Some(serde_json::from_value(json!({ "active": "blue", "blue": { "servedRevision": 3 } })).unwrap());
    (seen.app, seen.service) = (Arc::new(app), None);
    let (_, sent) = carry_out_on(seen, agrees, &Job::Carry(Action::CreateService), long()).await;
    let body = &sent[0]["body"];
    assert_eq!(body["spec"]["selector"][names::COLOR], names::NO_COLOR);
    let annotations = &body["metadata"]["annotations"];
    assert_eq!((&annotations[names::SERVED_BLUE], &annotations[names::ACTIVE]), (&json!("3"), &Value::Null));
}

#[tokio::test]
async fn a_deployment_is_written_with_its_size_its_stored_rendering_and_the_token() {
    for action in [
        Action::CreateDeployment { color: Color::Green, replicas: 5 },
        Action::EditDeployment { color: Color::Green, replicas: 5 },
    ] {
        let (_, sent) = carry_out(&Job::Carry(action), long()).await;
        let body = &sent[0]["body"];
        assert_eq!(body["spec"]["replicas"], 5);
        assert_eq!(body["spec"]["template"]["metadata"]["labels"][names::REVISION], "1");
        assert_eq!(body["metadata"]["labels"][names::FENCE], "0a1b2c3d.7.0");
    }
    let mut seen = snapshot();
    seen.stored.green.clear();
    let edit = Job::Carry(Action::EditDeployment { color: Color::Green, replicas: 5 });
    let lost = carry_out_on(seen, agrees, &edit, long()).await;
    assert_eq!(lost, (Outcome::Stale, vec![]), "there is nothing to render it from");
}

/// A Deployment's label tells the terms of one Lease apart; the Service also says whose Lease it is.
#[tokio::test]
async fn the_stamp_of_the_service_names_the_operator() {
    let fence = Job::Carry(Action::Fence { service: true, colors: vec![] });
    let (_, sent) = carry_out(&fence, long()).await;
    let metadata = &sent[0]["body"]["metadata"];
    assert_eq!(metadata["annotations"], json!({ names::OPERATOR: "system/operator" }));
    assert_eq!(metadata["labels"], json!({ names::FENCE: "0a1b2c3d.7.0" }));
}
