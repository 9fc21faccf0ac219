//! Compares each child with its declaration, and says what differs.
//!
//! Two things are asked of each: every declared field has its value, and where the operator alone decides, nobody else has
//! added anything.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde_json::Value;

use crate::desired::{self, Difference, Place, names};
use crate::plan::{Selection, ServiceFacts};
use bluegreen_api::{BlueGreenApp, Color, ServiceStatus};

/// What differs, and the field manager that wrote it, where that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// The field.
    pub difference: Difference,
    /// Who wrote it.
    pub manager: Option<String>,
}

/// An object as it is, to be compared with what is declared of it.
#[derive(Debug)]
pub struct Live<'a> {
    fields: Value,
    owners: &'a [ManagedFieldsEntry],
}

impl<'a> Live<'a> {
    /// The object, written as JSON once for all that is asked of it.
    pub fn of<K: Resource + Serialize>(object: &'a K) -> Self {
        // That can't fail for these types; an object that nobody can read would be as good as none.
        let fields = serde_json::to_value(object).unwrap_or(Value::Null);
        Self { fields, owners: object.managed_fields() }
    }
}

/// How a Deployment differs from this stored revision, with this many pods.
pub fn deployment(
    app: &BlueGreenApp,
    color: Color,
    stored: &desired::Stored,
    replicas: i32,
    live: &Live<'_>,
) -> Option<Deviation> {
    let mut declared = desired::deployment(app, color, stored, replicas, "");
    // The hashes say what the pods were rendered from, not what they are. An earlier release wrote none. Its
    // Deployments get the hashes with their next write, and no switch waits for that.
    for bookkeeping in [names::FENCE, names::BLOCK, names::INPUTS] {
        leave_out(&mut declared, "/metadata/labels", bookkeeping);
    }
    // How it is rolled out, and the common metadata, follow the spec without a revision.
    let declared = desired::without_common(desired::without_rollout(declared, &app.spec), app);
    deviation(&declared, live, Place::Template)
}

/// How the Deployment differs from how the spec says that it is rolled out, and from the common metadata.
pub fn settings(app: &BlueGreenApp, live: &Live<'_>) -> Option<Deviation> {
    let metadata = desired::of_deployment(app);
    let has_no_common = metadata["labels"][names::COMMON].is_null();
    let declared = serde_json::json!({ "metadata": metadata, "spec": desired::rollout(&app.spec) });
    let difference = desired::covers(&declared, &live.fields).err().or_else(|| {
        // Common metadata that has left the spec is told by its hash alone.
        let hash = live.fields.pointer("/metadata/labels")?.get(names::COMMON)?;
        has_no_common.then(|| Difference {
            path: format!("metadata.labels.{}", names::COMMON),
            declared: "absent".to_owned(),
            live: hash.to_string(),
        })
    })?;
    let manager = desired::owner(live.owners, &difference.path);
    Some(Deviation { difference, manager })
}

/// How the pods of a Deployment differ from those before a write that declared the same pods: an admission plug-in has changed
/// them. `None` where they are of another revision.
pub fn mutated(before: &Deployment, after: &Deployment) -> Option<Difference> {
    let [was, is] = [&before.spec.as_ref()?.template, &after.spec.as_ref()?.template];
    if was == is || desired::running_revision(before) != desired::running_revision(after) {
        return None;
    }
    let whole = |template: &_| serde_json::json!({ "spec": { "template": template } });
    let (was, is) = (whole(was), whole(is));
    desired::covers(&was, &is).err().or_else(|| {
        let Difference { path, declared, live } = desired::covers(&is, &was).err()?;
        Some(Difference { path, declared: live, live: declared })
    })
}

/// How a color's own Service differs from its declaration. `selecting` is the live Service, whose address families it
/// follows.
pub fn color_service(
    app: &BlueGreenApp,
    color: Color,
    selecting: Option<&Service>,
    live: &Service,
) -> Option<Deviation> {
    let mut declared = desired::color_service(app, color, desired::is_dual_stack(selecting));
    tolerate_second_family(&mut declared, live);
    deviation(&declared, &Live::of(live), Place::Ports)
}

/// How the Service of the idle color differs from its declaration, if it is to select this color.
pub fn preview(app: &BlueGreenApp, color: Color, live: &Service) -> Option<Deviation> {
    let mut declared = desired::preview_service(app, color);
    tolerate_second_family(&mut declared, live);
    deviation(&declared, &Live::of(live), Place::Ports)
}

/// How the live Service differs from its declaration. The selector and the token are left out, because they have rules of
/// their own.
pub fn live_service(app: &BlueGreenApp, live: &Service, facts: &ServiceFacts) -> Option<Deviation> {
    let declared = desired::LiveService {
        selects: None,
        active: facts.committed,
        served: facts.served,
        fence: "",
        operator: "",
        had: ServiceStatus::default(),
    };
    let mut declared = desired::live_service(app, &declared);
    if facts.selects == Selection::Edited {
        desired::keep_targets(&mut declared, live);
    }
    for (parent, key) in [
        ("/metadata/labels", names::FENCE),
        ("/metadata/annotations", names::OPERATOR),
        ("/spec", "selector"),
    ] {
        leave_out(&mut declared, parent, key);
    }
    tolerate_second_family(&mut declared, live);
    // A hint that Kubernetes 1.30 drops, unless a feature gate is on: nothing waits for it.
    if live.spec.as_ref().is_some_and(|spec| spec.traffic_distribution.is_none()) {
        leave_out(&mut declared, "/spec", "trafficDistribution");
    }
    deviation(&declared, &Live::of(live), Place::Ports)
}

/// What the live Service selects in place of the pods of this color.
pub fn selector(app: &BlueGreenApp, to: Color, live: &Service) -> Option<Deviation> {
    let declared = desired::live_selector(app, to);
    deviation(&serde_json::json!({ "spec": { "selector": declared } }), &Live::of(live), Place::Ports)
}

/// Leaves the address families out of what is declared, where the Service begins with them: with `PreferDualStack`, the API
/// server adds the second one.
fn tolerate_second_family(declared: &mut Value, live: &Service) {
    let families = live.spec.as_ref().and_then(|spec| spec.ip_families.as_deref()).unwrap_or_default();
    let wanted = declared.pointer("/spec/ipFamilies").and_then(Value::as_array);
    let begins = wanted.is_some_and(|wanted| {
        wanted.len() <= families.len() && wanted.iter().zip(families).all(|(wanted, is)| wanted == is)
    });
    if begins {
        leave_out(declared, "/spec", "ipFamilies");
    }
}

fn leave_out(declared: &mut Value, parent: &str, key: &str) {
    if let Some(object) = declared.pointer_mut(parent).and_then(Value::as_object_mut) {
        object.remove(key);
    }
}

fn deviation(declared: &Value, live: &Live<'_>, place: Place) -> Option<Deviation> {
    let Live { fields, owners } = live;
    match desired::covers(declared, fields) {
        Err(difference) => {
            let manager = desired::owner(owners, &difference.path);
            Some(Deviation { difference, manager })
        }
        Ok(()) => desired::addition(owners, place, declared, fields)
            .map(|(difference, manager)| Deviation { difference, manager: Some(manager) }),
    }
}
