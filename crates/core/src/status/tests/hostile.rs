//! What others write must neither act on a terminal nor fill an object.

use super::*;
use crate::desired::Difference;
use crate::harmless::is_harmful;
use crate::observe::{Deviation, Stranger};

/// A sidecar's image, the words of a webhook, an annotation, the name of a field's manager: others write them, and
/// everybody's terminal shows them.
#[test]
fn nothing_that_a_terminal_obeys_gets_into_a_status_or_an_event_and_nothing_is_endless() {
    let hostile = format!("\u{1b}]0;x\u{7}\u{9b}2J\u{202e}\u{2066}{}", "long ".repeat(60_000));
    let mut annotated = seen();
    if let Child::Ours(service) = &mut annotated.service {
        service.fence = Fence::Foreign(hostile.clone());
    }
    let mut foreign = seen();
    foreign.service = Child::Foreign;
    let mut invalid = app("blue");
    invalid.spec.image.clone_from(&hostile);
    let env = |index: usize| json!({ "name": format!("{hostile:.40}{index}"), "value": "1" });
    let twice: Vec<serde_json::Value> = (0..4000).map(|index| env(index / 2)).collect();
    invalid.spec.blue.as_mut().unwrap().env = serde_json::from_value(twice.into()).unwrap();
    let pods =
        Problems { pods: PerColor { blue: None, green: Some(hostile.clone()) }, ..Problems::default() };
    let difference = Difference { path: hostile.clone(), declared: hostile.clone(), live: hostile.clone() };
    let deviation = Some(Deviation { difference, manager: Some(hostile.clone()) });
    let reverted = Reverted { object: "Service hello".into(), color: None, deviation, later: true };
    let fought = Problems { reverted: vec![reverted], ..Problems::default() };
    let by = (String::from("Service hello"), Stranger::Controlled(hostile.clone()));
    let images = PerColor { blue: Some("hello:v1".into()), green: Some("hello:v2".into()) };
    let strange = Material { images, strangers: vec![by], ..Material::default() };
    let conflict = plan::plan(&observe::intent(&app("blue")), &foreign);
    let late = Stage::Preparing { target: Color::Green, missing: Missing::Deadline };
    let statuses = [
        ("an annotation", decided(&app("blue"), &annotated)),
        ("the spec", decided(&invalid, &seen())),
        ("what pods say", told(&app("green"), late, &pods)),
        ("a field", told(&app("blue"), Stage::Serving, &fought)),
        (
            "an owner",
            told_at(Timestamp::UNIX_EPOCH, &app("blue"), &foreign, &conflict, &Problems::default(), strange),
        ),
    ];
    for (what, status) in statuses {
        let conditions = status.conditions.iter().map(|condition| condition.message.clone());
        let events = events(&BlueGreenAppStatus::default(), &status).into_iter().map(|note| note.note);
        let all: Vec<String> = conditions.chain(events).collect();
        assert!(all.iter().any(|text| text.contains("u{1b}")), "{what} is told: {all:#?}");
        assert!(!all.iter().any(|text| text.chars().any(is_harmful)), "{what}: {all:#?}");
        let most = if what == "what pods say" { 33_000 } else { 2_048 };
        assert!(all.iter().all(|text| text.len() <= most), "{what}: {:?}", all.iter().map(String::len).max());
    }
}
