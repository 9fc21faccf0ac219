//! What one pod waits for.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodCondition};

use super::container::{Contained, Role};
use super::{Cause, Severity, describe, volumes};

fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.as_ref()?.iter().find(|condition| condition.type_ == type_)
}

/// Returns true if this condition of the pod is True.
pub(super) fn is_true(pod: &Pod, type_: &str) -> bool {
    condition(pod, type_).is_some_and(|condition| condition.status == "True")
}

/// The most severe cause that a pod which is not ready shows.
pub(super) fn cause(pod: &Pod, now: Timestamp) -> Option<Cause> {
    let containers = started(pod);
    let causes: BTreeSet<Cause> =
        containers.iter().filter_map(|container| blame(pod, container, now)).collect();
    if let Some(cause) = together(causes) {
        return Some(cause);
    }
    if !containers.is_empty() {
        return Some(gate(pod).unwrap_or_else(|| {
            let words = "the containers are ready, but the pod is not; its node may be down";
            Cause::new(Severity::Node, words)
        }));
    }
    let status = pod.status.as_ref()?;
    unscheduled(pod).or_else(|| status.conditions.is_some().then(|| setup(pod)))
}

/// The containers that the kubelet has begun with: each init container waits for the one before it, and the others for all
/// of them.
fn started(pod: &Pod) -> Vec<Contained<'_>> {
    let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
    let init_spec = spec.and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
    let init = status.and_then(|status| status.init_container_statuses.as_deref()).unwrap_or_default();
    let mut all = Vec::new();
    for status in init {
        let container = Contained::new(pod, Role::Init, by_name(init_spec, status), status);
        let blocks = container.blocks();
        all.push(container);
        if blocks {
            return all;
        }
    }
    let main_spec = spec.map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let main = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    all.extend(main.iter().map(|status| Contained::new(pod, Role::Main, by_name(main_spec, status), status)));
    all
}

fn by_name<'a>(spec: &'a [Container], status: &ContainerStatus) -> Option<&'a Container> {
    spec.iter().find(|container| container.name == status.name)
}

fn blame(pod: &Pod, container: &Contained, now: Timestamp) -> Option<Cause> {
    if !container.is_being_created() {
        return container.cause(now);
    }
    // True once volumes and network are there; images are pulled after that.
    if is_true(pod, "PodReadyToStartContainers") {
        let words = format!("{container} is being created; its image may still be pulled");
        return Some(Cause::new(Severity::Setup, words));
    }
    Some(setup(pod))
}

/// The gravest of a pod's causes; several of the same severity are told together.
fn together(causes: BTreeSet<Cause>) -> Option<Cause> {
    causes.into_iter().reduce(|gravest, next| {
        if next.severity > gravest.severity {
            return gravest;
        }
        let words = format!("{}, and {}", gravest.words, next.words);
        Cause { words, detail: gravest.detail.min(next.detail), ..gravest }
    })
}

fn unscheduled(pod: &Pod) -> Option<Cause> {
    let spec = pod.spec.clone().unwrap_or_default();
    let gates: Vec<String> = spec.scheduling_gates.into_iter().flatten().map(|gate| gate.name).collect();
    if !gates.is_empty() {
        let words =
            format!("held back by the scheduling gate {}, until somebody removes it", gates.join(", "));
        return Some(Cause::new(Severity::Scheduling, words));
    }
    match condition(pod, "PodScheduled") {
        Some(scheduled) if scheduled.status == "False" => {
            let words = scheduled.message.clone().unwrap_or_default();
            Some(Cause::new(Severity::Scheduling, "can't be scheduled: ").with(words))
        }
        None if spec.node_name.is_none() => {
            let name = spec.scheduler_name.unwrap_or_else(|| "default-scheduler".to_owned());
            let words = format!("no scheduler has seen it yet (schedulerName: {name})");
            Some(Cause::new(Severity::Scheduling, words))
        }
        Some(_) | None => None,
    }
}

/// Returns the cause of a pod of which no container was begun: volumes or network. The kubelet makes them first, and says why it
/// can't in an Event only.
fn setup(pod: &Pod) -> Cause {
    let needs = volumes::needs(pod);
    let needs = if needs.is_empty() { needs } else { format!(" ({needs} must exist)") };
    let words =
        format!("the node has not set up volumes and network yet{needs}; {} shows why", describe(pod));
    Cause::new(Severity::Setup, words)
}

/// Returns the readiness gate that the pod waits for: a condition that somebody other than the kubelet sets.
fn gate(pod: &Pod) -> Option<Cause> {
    let gates = pod.spec.as_ref().and_then(|spec| spec.readiness_gates.as_ref());
    let type_ = &gates?.iter().find(|gate| !is_true(pod, &gate.condition_type))?.condition_type;
    let words = match condition(pod, type_) {
        None => format!("the readiness gate {type_} waits: nobody has set this condition of the pod"),
        Some(set) => {
            let reason = set.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            format!("the readiness gate {type_} waits: this condition of the pod is {}{reason}", set.status)
        }
    };
    Some(Cause::new(Severity::Gate, words))
}

/// Returns the cause of a pod that is ready and not available: that is so until `minReadySeconds` are over, and for ever if it does
/// not stay ready for so long.
pub(super) fn age(pod: &Pod, min_ready_seconds: i32, now: Timestamp) -> Option<Cause> {
    let since = condition(pod, "Ready")?.last_transition_time.as_ref()?.0;
    let is_young = now.duration_since(since) < SignedDuration::from_secs(min_ready_seconds.into());
    let words = format!("ready for less than minReadySeconds ({min_ready_seconds})");
    is_young.then(|| Cause::new(Severity::Age, words))
}
