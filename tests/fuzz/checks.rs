//! What must hold of whatever could be decoded.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use bluegreen_api::{ActiveUpdatePolicy, BlueGreenAppStatus, Color, PerColor};
use bluegreen_core::desired::{self, LiveService, Stored, names};
use bluegreen_core::fence::Token;
use bluegreen_core::observe::{self, Held, Snapshot};
use bluegreen_core::plan::{self, Action, Observed, Plan};
use bluegreen_core::status::{self, Material, Problems, READY, RECONCILING, Report, STALLED};
use bluegreen_core::validate;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use serde_json::Value;

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn observe(seen: &Snapshot, held: Held) -> Observed {
    let token =
        Token { operator: "system/operator".to_owned(), lease: "0a1b2c3d".to_owned(), epoch: 3, attempt: 0 };
    observe::observe(seen, observe::routing(seen, &token), &token, held, now())
}

/// The way of every look: facts, plan, status, Events.
pub fn everything(seen: &Snapshot, u: &mut Unstructured<'_>) -> Result<()> {
    let long = u.arbitrary::<Option<u8>>()?.map(|seconds| Duration::from_secs(u64::from(seconds)));
    let held = Held { moved: long.filter(|_| seen.service.is_some()), cleared: long, lost: None };
    let facts = observe(seen, held);
    assert_eq!(facts, observe(seen, held));
    let intent = observe::intent(&seen.app);
    let plan = plan::plan(&intent, &facts);
    assert_eq!(plan, plan::plan(&intent, &facts));
    let invalid = validate::problems(&seen.app.name_any(), &seen.app.spec);
    assert!(invalid.iter().all(|problem| !problem.field.is_empty() && !problem.message.is_empty()));
    if invalid.is_empty() {
        promises(seen, &facts, &plan);
        renders(seen);
    }
    report(seen, &facts, &plan);
    Ok(())
}

/// What no plan may ask for.
fn promises(seen: &Snapshot, facts: &Observed, plan: &Plan) {
    let spec = &seen.app.spec;
    let live = plan.live.color();
    for action in &plan.actions {
        match action {
            Action::Switch { to, .. } => {
                assert_eq!(*to, spec.active);
                assert_eq!(plan::gate(&observe::intent(&seen.app), facts, *to), Ok(()));
            }
            Action::EditDeployment { color, replicas } if live == Some(*color) => {
                assert_eq!(*replicas, spec.replicas);
            }
            Action::RemoveColor(color) => assert!(live != Some(*color) && spec.color(*color).is_none()),
            _ => {}
        }
    }
}

/// Nothing about the children is wrong: then no edit of the spec but of `replicas` and `activeUpdatePolicy` may touch
/// the live color's pods. How its Deployment is rolled out may be edited, and then nothing else is.
pub fn serving_is_left_alone(seen: &Snapshot) {
    let spec = &seen.app.spec;
    let size = seen.deployments.blue.as_ref().and_then(|d| d.spec.as_ref()?.replicas);
    if spec.active_update_policy != ActiveUpdatePolicy::Freeze || size != Some(spec.replicas) {
        return;
    }
    if !validate::problems(&seen.app.name_any(), spec).is_empty() {
        return;
    }
    for held in [None, Some(Duration::from_secs(u64::from(u32::MAX)))] {
        let facts = observe(seen, Held { moved: held, cleared: held, lost: None });
        let plan = plan::plan(&observe::intent(&seen.app), &facts);
        assert_eq!(plan.live.color(), Some(Color::Blue));
        let blue = &facts.colors.blue;
        let sets = |action: &Action| {
            let deployment = blue.deployment.ours().expect("it is as the operator made it");
            let is_current = blue.current.is_some_and(|current| current.number == deployment.revision);
            let is_edit =
                *action == Action::EditDeployment { color: Color::Blue, replicas: deployment.replicas };
            is_edit && !deployment.settings && deployment.matches && is_current
        };
        let touches = |action: &&Action| {
            let is_pods = !matches!(action, Action::ApplyColorService(_)) && !sets(action);
            is_pods && action.color() == Some(Color::Blue)
        };
        let touched: Vec<_> = plan.actions.iter().filter(touches).collect();
        assert!(touched.is_empty(), "{touched:?} for {spec:#?}");
    }
}

/// What the spec renders is something that Kubernetes can read, with pods that can be told apart.
fn renders(seen: &Snapshot) {
    let app = &seen.app;
    for color in Color::ALL {
        let Some(rendered) = desired::render(app, color) else { continue };
        let stored = Stored { number: 7, rendered };
        let body = desired::deployment(app, color, &stored, app.spec.replicas, "t");
        let deployment: Deployment = serde_json::from_value(body.clone()).unwrap();
        let labels = deployment.spec.unwrap().template.metadata.unwrap().labels.unwrap();
        for (key, value) in [
            (names::APP, app.name_any()),
            (names::COLOR, color.to_string()),
            (names::REVISION, "7".to_owned()),
        ] {
            assert_eq!(labels.get(key), Some(&value));
        }
        assert!(desired::covers(&body, &body).is_ok());
        let kept = desired::revision(app, color, 7, &stored.rendered);
        assert_eq!(desired::stored(&serde_json::from_value(kept).unwrap()), Ok(stored));
    }
    let live = LiveService {
        selects: Some(Color::Blue),
        active: Some(Color::Blue),
        served: PerColor::default(),
        fence: "t",
        operator: "o",
        had: bluegreen_api::ServiceStatus::default(),
    };
    let service: Service = serde_json::from_value(desired::live_service(app, &live)).unwrap();
    let selector = service.spec.unwrap().selector.unwrap();
    assert_eq!(selector.get(names::COLOR).map(String::as_str), Some("blue"));
}

/// The status can be written, read back, and says how it is.
fn report(seen: &Snapshot, facts: &Observed, plan: &Plan) {
    let (material, problems) = (Material::of(seen, facts), Problems::default());
    let intent = observe::intent(&seen.app);
    let at = |now| {
        status::status(&Report {
            app: &seen.app,
            intent: &intent,
            plan,
            seen: facts,
            material: material.clone(),
            problems: &problems,
            now,
        })
    };
    let new = at(now());
    let told: Value = serde_json::to_value(&new).unwrap();
    assert_eq!(serde_json::from_value::<BlueGreenAppStatus>(told).unwrap(), new);
    let is = |name: &str| new.conditions.iter().filter(|condition| condition.type_ == name).count();
    assert_eq!(is(READY), 1);
    assert!(is(RECONCILING) + is(STALLED) <= 1);
    assert!(new.conditions.iter().all(|c| !c.reason.is_empty() && !c.message.is_empty()));
    let _ = status::events(&seen.app.status.clone().unwrap_or_default(), &new);
    // A report of the same facts a day later says nothing new, or it would be written for ever.
    let mut app = seen.app.as_ref().clone();
    app.status = Some(new.clone());
    let again = status::status(&Report {
        app: &app,
        intent: &intent,
        plan,
        seen: facts,
        material,
        problems: &problems,
        now: now() + SignedDuration::from_hours(24),
    });
    let settled = plan.actions.is_empty() && again.switch == new.switch;
    assert!(!settled || again.conditions == new.conditions, "{:#?}\n{:#?}", new.conditions, again.conditions);
}
