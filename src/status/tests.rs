use std::time::Duration;

use serde_json::json;

use super::*;
use crate::api::PerColor;
use crate::plan::{Child, ColorFacts, Elapsed, Missing, Observed, Plan, Recorded};

fn app(active: Color) -> BlueGreenApp {
    serde_json::from_value(json!({
        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp", "metadata": { "name": "hello", "generation": 3 },
        "spec": {
            "active": active, "image": "team/hello", "port": 8080, "blue": { "tag": "v1" }, "green": { "tag": "v2" },
        },
    }))
    .unwrap()
}

fn nothing_seen() -> Observed {
    let color = || ColorFacts {
        service: Child::Absent,
        newest: None,
        current: None,
        served: false,
        obsolete: Vec::new(),
        deployment: Child::Absent,
        endpoints: 0,
    };
    Observed {
        service: Child::Absent,
        colors: PerColor::from_fn(|_| color()),
        recorded: Recorded { active: None, switching: false, settled: false },
        elapsed: Elapsed {
            moved: None,
            cleared: None,
            switching: None,
            idle: PerColor { blue: Duration::ZERO, green: Duration::ZERO },
        },
    }
}

/// The user went to green and back to blue, and blue's pods turned unready in the very moment in which it was
/// committed: without the record, green would be scaled down with its connections open.
#[test]
fn a_switch_back_keeps_its_record_while_its_pods_are_unready() {
    let started_at = Time(Timestamp::UNIX_EPOCH);
    let old = BlueGreenAppStatus {
        active: Some(Color::Blue),
        switch: Some(SwitchStatus { from: Some(Color::Blue), to: Color::Green, started_at }),
        ..BlueGreenAppStatus::default()
    };
    let plan = Plan {
        actions: Vec::new(),
        stage: Stage::Unready { missing: Missing::Pods { have: 0, want: 1 } },
        live: Live::Selected(Color::Blue),
        held: None,
        wake: None,
    };
    let (app, seen, trouble) = (app(Color::Blue), nothing_seen(), Trouble::default());
    let now = Timestamp::UNIX_EPOCH;
    let report = Report {
        app: &app,
        plan: &plan,
        seen: &seen,
        service: None,
        images: PerColor::default(),
        trouble: &trouble,
        now,
    };
    let kept = switch(&report, &old, now).unwrap();
    assert_eq!((kept.from, kept.to), (Some(Color::Green), Color::Blue));
}
