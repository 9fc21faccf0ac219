//! A plan in the table's words.

use bluegreen_api::Color;
use bluegreen_core::plan::{Action, Missing, Plan, Stage};

pub fn in_words(plan: &Plan, a: Color) -> (String, String) {
    let name = |color: Color| if color == a { "a" } else { "b" };
    let actions: Vec<String> = plan.actions.iter().map(|action| action_words(action, &name)).collect();
    let actions = if actions.is_empty() { "-".to_owned() } else { actions.join(", ") };
    let active = |missing: Missing| missing_words(missing);
    let stage = match plan.stage {
        Stage::Yielding => "yielding".to_owned(),
        Stage::Invalid => "invalid".to_owned(),
        Stage::Paused => "paused".to_owned(),
        Stage::Pausing => "pausing".to_owned(),
        Stage::Preparing { target, missing } => format!("preparing {}: {}", name(target), active(missing)),
        Stage::Checking { to } => format!("checking {}", name(to)),
        Stage::Watching { old } => format!("watching {}", name(old.other())),
        Stage::Switching { to } => format!("switching {}", name(to)),
        Stage::Draining { old } => format!("draining {}", name(old)),
        Stage::Serving => "serving".to_owned(),
        Stage::Unready { missing } => format!("unready a: {}", active(missing)),
    };
    (actions, stage)
}

fn action_words(action: &Action, name: &impl Fn(Color) -> &'static str) -> String {
    match action {
        Action::CreateService => "create-service".to_owned(),
        Action::Restore { to } => format!("restore {}", name(*to)),
        Action::UpdateService => "update-service".to_owned(),
        Action::ApplyColorService(color) => format!("color-service {}", name(*color)),
        Action::StoreRevision { color, number } => format!("store {} {number}", name(*color)),
        Action::RecoverRevision { color, number } => format!("recover {} {number}", name(*color)),
        Action::Promote { color, number } => format!("promote {} {number}", name(*color)),
        Action::CreateDeployment { color, replicas } => format!("create {} {replicas}", name(*color)),
        Action::EditDeployment { color, replicas } => format!("edit {} {replicas}", name(*color)),
        Action::Fence { service, colors } => {
            let mut words = vec!["fence"];
            words.extend(service.then_some("service"));
            let mut names: Vec<_> = colors.iter().map(|&color| name(color)).collect();
            names.sort_unstable();
            words.extend(names);
            words.join(" ")
        }
        Action::Switch { to, .. } => format!("switch {}", name(*to)),
        Action::RunCheck { check, attempt } => format!("check {check} {attempt}"),
        Action::DropJob { .. } => "drop-job".to_owned(),
        Action::DropRevision { color, number } => format!("drop {} {number}", name(*color)),
        Action::ApplyPreview(color) => format!("preview {}", name(*color)),
        Action::RemovePreview => "remove preview".to_owned(),
        Action::RemoveColor(color) => format!("remove {}", name(*color)),
    }
}

fn missing_words(missing: Missing) -> &'static str {
    match missing {
        Missing::Block => "block",
        Missing::Revision => "revision",
        Missing::Deployment => "deployment",
        Missing::Rollout => "rollout",
        Missing::Size { .. } => "size",
        Missing::Observed => "observed",
        Missing::Pods { .. } => "pods",
        Missing::Deadline => "deadline",
        Missing::ReplicaSet => "replica set",
        Missing::Endpoints { .. } => "endpoints",
        Missing::Ports { .. } => "ports",
        Missing::Nodes { .. } => "nodes",
        Missing::Unproven => "unproven",
    }
}

/// The actions of both colors come in the order of the colors; the table says a before b.
pub fn sorted(actions: &str) -> Vec<&str> {
    let mut all: Vec<_> = actions.split(", ").collect();
    all.sort_unstable();
    all
}
