//! PURE: says whether all apps of a group may switch.

use bluegreen_api::{BlueGreenApp, Color};
use bluegreen_core::status::{STALLED, STANDBY_READY};
use kube::ResourceExt;

use crate::edit::{self, Edit, Refusal};
use crate::exit::End;
use crate::goal::{Goal, Verdict, verdict};
use crate::shape::{GroupMember, MemberState};

/// What the group is asked to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish<'a> {
    /// The color; none: each app to its color that is not live.
    pub color: Option<Color>,
    /// Only to a color that has this tag.
    pub tag: Option<&'a str>,
    /// How many apps there are.
    pub count: Option<usize>,
}

/// The edit of each app, if all of them can switch.
///
/// # Errors
/// Why the group can't switch, and what holds for each app.
pub fn edits(apps: &[BlueGreenApp], wish: Wish<'_>) -> Result<Vec<Edit>, (String, Vec<GroupMember>)> {
    let decided: Vec<Result<Edit, Refusal>> = apps.iter().map(|app| edit(app, wish)).collect();
    let refused = decided.iter().filter(|edit| edit.is_err()).count();
    let why = match wish.count {
        Some(count) if count != apps.len() => Some(format!("{} apps match, not {count}", apps.len())),
        Some(_) | None if apps.is_empty() => Some("no app matches".to_owned()),
        Some(_) | None => (refused > 0).then(|| format!("{refused} of {} apps can't switch", apps.len())),
    };
    match why {
        Some(why) => {
            let members = apps.iter().zip(&decided);
            Err((why + ", so none was touched", members.map(|(app, edit)| untouched(app, edit)).collect()))
        }
        None => Ok(decided.into_iter().flatten().collect()),
    }
}

fn untouched(app: &BlueGreenApp, edit: &Result<Edit, Refusal>) -> GroupMember {
    match edit {
        Ok(edit) => member(app, Some(edit), MemberState::Untouched, edit.what.clone()),
        Err(refusal) => member(app, None, MemberState::Refused, refusal.0.clone()),
    }
}

/// What became of an app.
#[must_use]
pub fn member(app: &BlueGreenApp, edit: Option<&Edit>, state: MemberState, why: String) -> GroupMember {
    let to = edit.and_then(target).map(|color| color.to_string());
    let (name, from) = (app.name_any(), app.spec.active.to_string());
    GroupMember { name, from, to, state, why, notes: Vec::new() }
}

/// The color to which an edit switches.
#[must_use]
pub const fn target(edit: &Edit) -> Option<Color> {
    match edit.goal {
        Goal::Active(color) => Some(color),
        Goal::Ready | Goal::Standby => None,
    }
}

/// The edit of one app of a group, if nothing stands in the way of its switch. One app alone may be switched to a color that gets
/// ready later; of a group, all would wait for that one, and some would have moved.
///
/// # Errors
/// What stands in the way.
pub fn edit(app: &BlueGreenApp, wish: Wish<'_>) -> Result<Edit, Refusal> {
    if app.metadata.deletion_timestamp.is_some() {
        return Err(Refusal("it is being deleted".to_owned()));
    }
    let edit = edit::switch(app, wish.color, wish.tag)?;
    if edit.patch.is_none() {
        // It is there already, or on the way.
        return match verdict(edit.goal, app) {
            Verdict::Failed(why) => Err(Refusal(why)),
            Verdict::Reached(_) | Verdict::Waiting(_) => Ok(edit),
        };
    }
    if app.spec.paused {
        return Err(Refusal("spec.paused is true: set it to false first".to_owned()));
    }
    let status = app.status.clone().unwrap_or_default();
    if Some(status.observed_generation) != app.metadata.generation {
        return Err(Refusal("the operator has not observed its last edit yet: try again".to_owned()));
    }
    let to = target(&edit);
    if to == status.active {
        // Taking back a switch needs nothing but what serves anyway.
        return Ok(edit);
    }
    let said = |type_: &str| status.condition(type_);
    if let Some(stalled) = said(STALLED).filter(|condition| condition.status == "True") {
        return Err(Refusal(format!("it is stalled: {}: {}", stalled.reason, stalled.message)));
    }
    match said(STANDBY_READY) {
        Some(standby) if standby.status == "True" || standby.reason == "ScaledDown" => Ok(edit),
        Some(standby) => Err(Refusal(format!("{}: {}", standby.reason, standby.message))),
        None => Err(Refusal("no color is live yet, so there is nothing to switch from".to_owned())),
    }
}

/// How the command ends: by the first wait that did not succeed.
#[must_use]
pub fn end(ends: &[End]) -> End {
    let failed = ends.iter().copied().find(|end| *end == End::Failed);
    failed.or_else(|| ends.iter().copied().find(|end| *end == End::TimedOut)).unwrap_or(End::Reached)
}
