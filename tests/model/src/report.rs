//! The status that follows from a decision, as far as it is read back: the operator's own `status::record` on the model's
//! numbers.

use bluegreen_api::{Color, PerColor};
use bluegreen_core::apply::Failure;
use bluegreen_core::plan::{Intent, Live, Observed, Plan};
use bluegreen_core::status::record::{self, Failed, Record};

use crate::Guards;
use crate::objects::{Objects, Status};

pub(crate) fn report(
    seen: &Objects,
    intent: &Intent,
    facts: &Observed,
    plan: &Plan,
    failure: Option<&Failure>,
    guards: &Guards,
) -> Status {
    let old = &seen.app.status;
    let number = |number: u8| (number > 0).then(|| i64::from(number));
    let old = Record {
        active: old.active,
        switch: old.switch,
        settled: old.settled,
        served: PerColor::from_fn(|color| number(*old.served.get(color))),
        healthy: (old.healthy > 0).then(|| i32::from(old.healthy)),
    };
    let failed = failure.map(Failed::from);
    let Record { active, switch, settled, served, healthy } =
        record::record(&old, intent, facts, plan, failed);
    let number = |number: Option<i64>| number.map_or(0, |number| u8::try_from(number).unwrap_or(u8::MAX));
    let served = PerColor::from_fn(|color| number(*served.get(color)));
    let healthy = number(healthy.map(i64::from));
    let checks = crate::checks::report(seen, facts, plan, switch, guards);
    Status { written: true, observed: true, settled, active, switch, served, healthy, checks }
}

/// The color that the history says was left just now, or whose drain has just ended: the standby timer counts from there.
pub(crate) fn left(seen: &Objects, plan: &Plan, new: &Status) -> Option<Color> {
    let old = &seen.app.status;
    let ends = |color: Color| {
        old.switch.is_some_and(|(from, to)| from.is_some() && to == color) && new.switch.is_none()
    };
    match plan.live {
        Live::Selected(color) if old.active != Some(color) => old.active,
        Live::Selected(color) if ends(color) => Some(color.other()),
        Live::Selected(_) | Live::Lost(_) | Live::Never => None,
    }
}

#[cfg(test)]
mod tests {
    use bluegreen_api::{BlueGreenApp, BlueGreenAppStatus};
    use bluegreen_core::status::{self, Material, Problems};
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::objects::App;
    use bluegreen_core::pass::Basis;

    use crate::driver::decide;
    use crate::sample::looks;
    use crate::{Bounds, Guards, Idle};

    const GENERATION: i64 = 7;

    /// The same app as the operator would read it.
    fn real(app: &App) -> BlueGreenApp {
        let now = Timestamp::UNIX_EPOCH.to_string();
        let color = |served: u8| {
            (served > 0).then(|| json!({ "servedRevision": served, "image": "", "revision": 0, "replicas": 0, "readyReplicas": 0, "endpoints": 0 }))
        };
        let status = app.status.written.then(|| {
            let reconciling = json!({
                "type": "Reconciling", "status": "True", "reason": "Switching", "message": "", "lastTransitionTime": now,
            });
            json!({
                "observedGeneration": if app.status.observed { GENERATION } else { GENERATION - 1 },
                "active": app.status.active,
                "blue": color(app.status.served.blue),
                "green": color(app.status.served.green),
                "switch": app.status.switch.map(|(from, to)| json!({ "from": from, "to": to, "startedAt": now })),
                "conditions": if app.status.settled { vec![] } else { vec![reconciling] },
                "desiredHealthy": (app.status.healthy > 0).then_some(app.status.healthy),
            })
        });
        let block = |color: Color| {
            app.present.get(color).then(|| json!({ "tag": format!("v{}", app.tags.get(color)) }))
        };
        let app = json!({
            "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
            "metadata": { "name": "hello", "generation": GENERATION },
            "spec": {
                "active": app.active, "paused": app.paused, "image": "team/hello", "port": 8080,
                "blue": block(Color::Blue), "green": block(Color::Green), "replicas": app.replicas,
                "activeUpdatePolicy": if app.rolling { "RollingUpdate" } else { "Freeze" },
            },
            "status": status.unwrap_or(Value::Null),
        });
        serde_json::from_value(app).unwrap()
    }

    fn abstracted(status: &BlueGreenAppStatus) -> Status {
        let served = |color| status.color(color).and_then(|color| color.served_revision).unwrap_or(0);
        Status {
            written: true,
            observed: status.observed_generation == GENERATION,
            settled: status.is_settled(),
            active: status.active,
            switch: status.switch.as_ref().map(|switch| (switch.from, switch.to)),
            served: PerColor::from_fn(|color| u8::try_from(served(color)).unwrap()),
            healthy: u8::try_from(status.desired_healthy.unwrap_or(0)).unwrap(),
            // A test of their own compares them.
            checks: crate::checks::Reported::default(),
        }
    }

    /// For every look of an exploration: the report here is the one that the operator writes.
    #[test]
    fn the_report_is_the_one_that_the_operator_writes() {
        let bounds = Bounds {
            edits: 2,
            faults: 1,
            takeovers: 1,
            mishaps: 1,
            idle: Idle::Reduced,
            ..Bounds::default()
        };
        let compared = looks(&bounds, 300, 4000, |controller| {
            let view = &controller.view;
            let (decision, _) = decide(view, controller, Basis::Proven, &bounds, &Guards::ALL);
            let app = real(&view.app);
            let report = status::Report {
                app: &app,
                intent: &bluegreen_core::observe::intent(&app),
                plan: &decision.plan,
                seen: &decision.facts,
                material: Material::default(),
                problems: &Problems::default(),
                now: Timestamp::UNIX_EPOCH,
            };
            let intent = crate::facts::intent(&view.app, bounds.idle);
            let told = {
                let (facts, plan) = (&decision.facts, &decision.plan);
                super::report(view, &intent, facts, plan, None, &Guards::ALL)
            };
            assert_eq!(told, abstracted(&status::status(&report)), "{view:#?}");
        });
        println!("{compared} reports compared");
    }
}
