//! PURE: which edit of the spec a command makes, or why the edit would be a mistake.

use bluegreen_api::{
    ActiveUpdatePolicy, BlueGreenApp, BlueGreenAppStatus, Color, ColorSpec, ColorStatus, Rejection,
};
use bluegreen_core::status::STANDBY_READY;
use serde_json::{Value, json};

use crate::goal::Goal;

/// An edit of the spec.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// What it does, in words.
    pub what: String,
    /// JSON merge patch of `spec`; `None` if the spec already says so.
    pub patch: Option<Value>,
    /// What a person should know before the edit takes effect.
    pub note: Option<String>,
    /// What to wait for after the edit.
    pub goal: Goal,
}

/// Why the edit would be a mistake, and what to do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// Which color is live, and which is asked for.
struct Roles {
    /// The live color; none before the first activation.
    live: Option<Color>,
    /// `spec.active`.
    active: Color,
    /// What a check has refused, while `spec.active` asks for it.
    refused: Option<Rejection>,
}

impl Roles {
    fn of(app: &BlueGreenApp) -> Self {
        let BlueGreenAppStatus { active: live, rejected, .. } = status(app);
        let active = app.spec.active;
        Self { live, active, refused: rejected.filter(|rejected| rejected.color == active) }
    }

    /// The switch that is under way: from, to. What a check has refused is not under way any more.
    fn switching(&self) -> Option<(Color, Color)> {
        let switching = self.live.filter(|live| *live != self.active).map(|live| (live, self.active));
        switching.filter(|_| self.refused.is_none())
    }
}

fn status(app: &BlueGreenApp) -> BlueGreenAppStatus {
    app.status.clone().unwrap_or_default()
}

/// Deploys a version to a color, by default to the idle color.
///
/// # Errors
/// When that color is live, no color is idle, or the live color already runs that version.
pub fn deploy(
    app: &BlueGreenApp,
    explicit: Option<Color>,
    tag: Option<&str>,
    digest: Option<&str>,
) -> Result<Edit, Refusal> {
    let roles = Roles::of(app);
    let color = match (explicit, roles.switching()) {
        (Some(color), _) => color,
        // What was refused is idle, whatever spec.active says.
        (None, None) => roles.live.filter(|_| roles.refused.is_some()).unwrap_or(roles.active).other(),
        (None, Some((from, to))) => {
            return Err(Refusal(format!(
                "a switch from {from} to {to} is under way, so no color is idle; wait for it (`status \
                 --for=active={to}`), cancel it (`rollback`), or choose the color with --to"
            )));
        }
    };
    let rolls = app.spec.active_update_policy == ActiveUpdatePolicy::RollingUpdate;
    if roles.live == Some(color) && !rolls {
        let other = color.other();
        return Err(Refusal(format!(
            "{color} is live, and the live color is not updated in place; deploy to {other} and switch to it, or set \
             spec.activeUpdatePolicy to RollingUpdate"
        )));
    }
    let version = [tag, digest].into_iter().flatten().collect::<Vec<_>>().join("@");
    let block = app.spec.color(color);
    let is = |block: &ColorSpec| block.tag.as_deref() == tag && block.digest.as_deref() == digest;
    if explicit.is_none() && serves(app, &roles, is) {
        let live = color.other();
        return Err(Refusal(format!(
            "{live} is live and already runs {version}, and {color} is what a rollback would switch back to; to deploy \
             to {color} nevertheless, pass --to {color}"
        )));
    }
    // A digest that stayed would override the new tag.
    let mut patch = json!({ color.as_str(): { "tag": tag, "digest": digest } });
    // Otherwise, the new version would go live without anybody asking for it: the spec still asks for that color.
    let refused = roles.refused.as_ref().filter(|refused| refused.color == color);
    let keeps = refused.zip(roles.live.filter(|live| *live != color));
    if let Some((_, live)) = keeps {
        patch["active"] = json!(live);
    }
    let drains = roles.live.is_some_and(|live| live != color)
        && status(app).switch.is_some_and(|switch| switch.from == Some(color));
    Ok(Edit {
        what: format!("deploy {version} to {color}"),
        patch: (!block.is_some_and(is)).then_some(patch),
        note: keeps.map_or_else(
            || drains.then(|| format!("{color} was live until just now; its pods are updated after the drain")),
            |(refused, live)| {
                Some(format!(
                    "check {} has refused {color}, so spec.active is set to {live}, which is live; switch to {color} when \
                     you have tested it",
                    refused.check
                ))
            },
        ),
        goal: if color == roles.active && keeps.is_none() { Goal::Active(color) } else { Goal::Standby },
    })
}

/// Whether the live color runs a version.
fn serves(app: &BlueGreenApp, roles: &Roles, is: impl Fn(&ColorSpec) -> bool) -> bool {
    let Some(live) = roles.live else { return false };
    // A held edit is in the spec but does not run.
    let held = status(app).color(live).is_some_and(|pods| pods.held.is_some());
    !held && app.spec.color(live).is_some_and(is)
}

/// Switches to a color; by default to the color with the tag, or without a tag to the color that is not live.
///
/// # Errors
/// When that color has no block or another tag, or it can't be told which color is meant.
pub fn switch(app: &BlueGreenApp, color: Option<Color>, tag: Option<&str>) -> Result<Edit, Refusal> {
    let roles = Roles::of(app);
    let color = match tag {
        Some(tag) => Some(color_with(app, &roles, color, tag)?),
        None => color,
    };
    let to = match (color, roles.live, roles.switching()) {
        (Some(color), _, _) => color,
        (None, Some(live), None) => live.other(),
        (None, None, _) => {
            let words = format!(
                "no color is live yet, and spec.active is {}; choose a color with --to",
                roles.active
            );
            return Err(Refusal(words));
        }
        (None, Some(_), Some((from, to))) => {
            return Err(Refusal(format!(
                "a switch from {from} to {to} is under way; choose the color with --to"
            )));
        }
    };
    if let Some(refused) = roles.refused.as_ref().filter(|refused| refused.color == to) {
        return Err(Refusal(format!(
            "check {} has refused {to}, and spec.active is {to} already: deploy another version, or set a new text in \
             spec.{to}.revision to try the same again",
            refused.check
        )));
    }
    if app.spec.color(to).is_none() {
        return Err(Refusal(format!("spec.{to} is not set; deploy a version to {to} first")));
    }
    Ok(activate(app, &roles, to))
}

/// The color with a tag: a pipeline must not switch to what another pipeline has deployed meanwhile.
fn color_with(app: &BlueGreenApp, roles: &Roles, color: Option<Color>, tag: &str) -> Result<Color, Refusal> {
    let runs = |color: &Color| app.spec.color(*color).and_then(|block| block.tag.as_deref()) == Some(tag);
    // If both have it, the one that spec.active names.
    let either = [roles.active, roles.active.other()];
    let among = color.map_or(either.to_vec(), |color| vec![color]);
    among.iter().copied().find(runs).ok_or_else(|| {
        let has = |color: &Color| {
            let block = app.spec.color(*color);
            let version = block.and_then(|block| block.tag.as_deref().or(block.digest.as_deref()));
            format!("spec.{color} has {}", version.unwrap_or("no version"))
        };
        let found = among.iter().map(has).collect::<Vec<_>>().join(" and ");
        Refusal(format!(
            "{found}, not {tag}: something else was deployed meanwhile; deploy {tag} and test it again"
        ))
    })
}

/// Takes back a switch that failed, unless `spec.active` was changed meanwhile.
#[must_use]
pub fn take_back(app: &BlueGreenApp, to: Color, before: Color) -> Edit {
    let roles = Roles::of(app);
    if roles.active != to {
        let what = format!("spec.active is {}, so there is no switch to {to} to take back", roles.active);
        return Edit { what, patch: None, note: None, goal: Goal::Active(roles.active) };
    }
    Edit {
        what: format!("undo the switch: set spec.active back to {before}"),
        ..activate(app, &roles, before)
    }
}

fn activate(app: &BlueGreenApp, roles: &Roles, to: Color) -> Edit {
    let waits = roles.live.is_some_and(|live| live != to) && !standby_ready(app);
    Edit {
        what: match roles.live {
            Some(live) if live != to => format!("switch from {live} to {to}"),
            Some(_) | None => format!("switch to {to}"),
        },
        patch: (roles.active != to).then(|| json!({ "active": to })),
        note: (waits && roles.active != to)
            .then(|| format!("{to} is not ready yet; the Service switches to it once it is")),
        goal: Goal::Active(to),
    }
}

fn standby_ready(app: &BlueGreenApp) -> bool {
    status(app).condition(STANDBY_READY).is_some_and(|condition| condition.status == "True")
}

/// Switches back to the color that was live before, or cancels a switch that is under way. With `tag`, only if
/// `spec.active` has that tag; with `back_to`, only if the color to go back to has that one.
///
/// # Errors
/// When no color was live before, that color does not run what it ran then, or one of the two has another tag.
pub fn rollback(app: &BlueGreenApp, tag: Option<&str>, back_to: Option<&str>) -> Result<Edit, Refusal> {
    let roles = Roles::of(app);
    leaves(app, &roles, tag)?;
    let edit = to_color_before(app, &roles)?;
    if let (Some(back_to), Goal::Active(color)) = (back_to, edit.goal) {
        has(app, color, back_to)?;
    }
    Ok(edit)
}

/// Switches to the other color if that has the tag `back_to`: a rollback by version, where no status tells which color was
/// live before.
///
/// # Errors
/// When it has another tag, or `spec.active` has another one than `tag`.
pub fn back_to(app: &BlueGreenApp, tag: Option<&str>, back_to: &str) -> Result<Edit, Refusal> {
    let roles = Roles::of(app);
    leaves(app, &roles, tag)?;
    let color = roles.active.other();
    has(app, color, back_to)?;
    Ok(Edit {
        what: format!("roll back to {color} with {back_to}"),
        note: None,
        ..activate(app, &roles, color)
    })
}

/// Checks that `spec.active` has the tag that is to be left: a rollback must not run twice.
fn leaves(app: &BlueGreenApp, roles: &Roles, tag: Option<&str>) -> Result<(), Refusal> {
    let Some(tag) = tag else { return Ok(()) };
    let serves = app.spec.color(roles.active).and_then(|block| block.tag.as_deref());
    if serves == Some(tag) {
        return Ok(());
    }
    let serves = serves.unwrap_or("another version");
    Err(Refusal(format!(
        "spec.active is {} with {serves}, not {tag}, so there is no {tag} to roll back",
        roles.active
    )))
}

/// Checks that the color has that tag or, without a tag, that digest.
fn has(app: &BlueGreenApp, color: Color, version: &str) -> Result<(), Refusal> {
    let block = app.spec.color(color);
    let runs = block.and_then(|block| block.tag.as_deref().or(block.digest.as_deref()));
    if runs == Some(version) {
        return Ok(());
    }
    let runs = runs.unwrap_or("no version");
    Err(Refusal(format!(
        "spec.{color} has {runs}, not {version}, so switching to it would not go back to {version}"
    )))
}

/// The image that a color runs, or will run, if that is not what it ran when it was live. An edit counts at once: the status may be
/// about the time before it.
fn changed(app: &BlueGreenApp, color: Color, pods: &ColorStatus) -> Option<String> {
    let wanted = app.spec.image_of(color).filter(|image| !pods.image.is_empty() && *image != pods.image);
    let is_new = pods.served_revision != Some(pods.revision) && pods.revision != 0;
    wanted.or_else(|| is_new.then(|| pods.image.clone()))
}

/// Returns the edit that goes back to the color that was live before, or that is live while a switch is under way.
fn to_color_before(app: &BlueGreenApp, roles: &Roles) -> Result<Edit, Refusal> {
    if let Some((from, to)) = roles.switching() {
        let edit = activate(app, roles, from);
        return Ok(Edit { what: format!("cancel the switch to {to}; {from} stays live"), ..edit });
    }
    let status = status(app);
    let Some(from) = roles.live.and_then(|_| status.history.first()).and_then(|last| last.from) else {
        return Err(Refusal(
            "no other color has been live before, so there is nothing to roll back to".to_owned(),
        ));
    };
    let pods = status.color(from);
    if app.spec.color(from).is_none() || pods.is_none() {
        return Err(Refusal(format!("{from}, which was live before, is gone: spec.{from} is not set")));
    }
    if let Some(pods) = pods
        && let Some(wanted) = changed(app, from, pods)
    {
        let served = status.history.iter().find(|entry| entry.to == from).map(|entry| entry.image.as_str());
        let ran = served.map(|image| format!(" (it ran {image})")).unwrap_or_default();
        return Err(Refusal(format!(
            "{from} has been changed since it was live{ran}, so switching to it would not be a rollback; if you want \
             {wanted}, use `switch --to {from}`"
        )));
    }
    let edit = activate(app, roles, from);
    Ok(Edit { what: format!("roll back to {from}"), ..edit })
}

/// Sets `spec.paused`, so that the operator changes nothing but the size of the live color, or lets it go on.
#[must_use]
pub fn pause(app: &BlueGreenApp, paused: bool) -> Edit {
    let roles = Roles::of(app);
    let waits = roles.switching().map(|(from, to)| match paused {
        true => format!("a switch from {from} to {to} is under way, and will wait until the app is resumed"),
        false => format!("the switch from {from} to {to} goes on"),
    });
    Edit {
        what: if paused { "pause" } else { "resume" }.to_owned(),
        patch: (app.spec.paused != paused).then(|| json!({ "paused": paused })),
        note: waits.filter(|_| app.spec.paused != paused),
        goal: Goal::Ready,
    }
}
