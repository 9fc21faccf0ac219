//! PURE: which edit of the spec a command is, or why it would be a mistake.

use bluegreen_operator::api::{ActiveUpdatePolicy, BlueGreenApp, BlueGreenAppStatus, Color, ColorSpec};
use bluegreen_operator::status::STANDBY_READY;
use serde_json::{Value, json};

use crate::goal::Goal;

/// An edit of the spec.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// What it does, in words.
    pub what: String,
    /// JSON merge patch of `spec`; `None` when the spec says so already.
    pub patch: Option<Value>,
    /// What a person should know before the effect shows.
    pub note: Option<String>,
    /// What it leads to.
    pub goal: Goal,
}

/// Why the edit would be a mistake, and what to do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// What the colors are used for.
struct Roles {
    /// The color that serves; none before the first activation.
    live: Option<Color>,
    /// The color that shall serve.
    wanted: Color,
}

impl Roles {
    fn of(app: &BlueGreenApp) -> Self {
        Self { live: status(app).active, wanted: app.spec.active }
    }

    /// A switch that is not done: from, to.
    fn switching(&self) -> Option<(Color, Color)> {
        self.live.filter(|live| *live != self.wanted).map(|live| (live, self.wanted))
    }
}

fn status(app: &BlueGreenApp) -> BlueGreenAppStatus {
    app.status.clone().unwrap_or_default()
}

/// Puts a version onto a color; without one, onto the idle one.
///
/// # Errors
/// When that color is live, or it can't be told which is idle, or that version serves already.
pub fn deploy(
    app: &BlueGreenApp,
    explicit: Option<Color>,
    tag: Option<&str>,
    digest: Option<&str>,
) -> Result<Edit, Refusal> {
    let roles = Roles::of(app);
    let color = match (explicit, roles.switching()) {
        (Some(color), _) => color,
        (None, None) => roles.wanted.other(),
        (None, Some((from, to))) => {
            return Err(Refusal(format!(
                "a switch from {from} to {to} is under way, so no color is idle; wait for it (`status \
                 --for=active={to}`), cancel it (`rollback`), or name the color with --to"
            )));
        }
    };
    let rolls = app.spec.active_update_policy == ActiveUpdatePolicy::RollingUpdate;
    if roles.live == Some(color) && !rolls {
        let other = color.other();
        return Err(Refusal(format!(
            "{color} is live, and a live color is not changed; deploy to {other} and switch to it, or set \
             spec.activeUpdatePolicy to RollingUpdate"
        )));
    }
    let version = [tag, digest].into_iter().flatten().collect::<Vec<_>>().join("@");
    let block = app.spec.color(color);
    let is = |block: &ColorSpec| block.tag.as_deref() == tag && block.digest.as_deref() == digest;
    if explicit.is_none() && serves(app, &roles, is) {
        let live = color.other();
        return Err(Refusal(format!(
            "{live} serves {version} already, and {color} is the way back to what served before; to put it onto \
             {color} as well, name it with --to"
        )));
    }
    // A digest that stays would decide what runs.
    let patch = json!({ color.as_str(): { "tag": tag, "digest": digest } });
    let drains = roles.live.is_some_and(|live| live != color)
        && status(app).switch.is_some_and(|switch| switch.from == Some(color));
    Ok(Edit {
        what: format!("{color} is to run {version}"),
        patch: (!block.is_some_and(is)).then_some(patch),
        note: drains.then(|| format!("{color} served until just now; the edit applies after its drain")),
        goal: if color == roles.wanted { Goal::Active(color) } else { Goal::Standby },
    })
}

/// Whether the live color runs a version.
fn serves(app: &BlueGreenApp, roles: &Roles, is: impl Fn(&ColorSpec) -> bool) -> bool {
    let Some(live) = roles.live else { return false };
    // A held edit is in the spec, and does not run.
    let held = status(app).color(live).is_some_and(|pods| pods.held.is_some());
    !held && app.spec.color(live).is_some_and(is)
}

/// Makes a color live; without one, the one that runs the tag; without both, the one that does not serve.
///
/// # Errors
/// When that color has no block or does not run the tag, or it can't be told which one is meant.
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
            let words =
                format!("nothing serves yet, {} is to be the first; name a color with --to", roles.wanted);
            return Err(Refusal(words));
        }
        (None, Some(_), Some((from, to))) => {
            return Err(Refusal(format!(
                "a switch from {from} to {to} is under way; name the color that shall serve with --to"
            )));
        }
    };
    if app.spec.color(to).is_none() {
        return Err(Refusal(format!("spec.{to} is not set: deploy a version to {to} first")));
    }
    Ok(activate(app, &roles, to))
}

/// The color that runs a tag: a pipeline must not make live what another one has put there since.
fn color_with(app: &BlueGreenApp, roles: &Roles, color: Option<Color>, tag: &str) -> Result<Color, Refusal> {
    let runs = |color: &Color| app.spec.color(*color).and_then(|block| block.tag.as_deref()) == Some(tag);
    // Where both run it, the one that is asked for already.
    let either = [roles.wanted, roles.wanted.other()];
    let among = color.map_or(either.to_vec(), |color| vec![color]);
    among.iter().copied().find(runs).ok_or_else(|| {
        let has = |color: &Color| {
            let block = app.spec.color(*color);
            let version = block.and_then(|block| block.tag.as_deref().or(block.digest.as_deref()));
            format!("{color} is to run {}", version.unwrap_or("nothing"))
        };
        let found = among.iter().map(has).collect::<Vec<_>>().join(" and ");
        Refusal(format!(
            "{found}, not {tag}: something else was deployed since; deploy {tag} and test it again"
        ))
    })
}

/// Takes a switch back that did not come about, unless somebody has asked for something else since.
#[must_use]
pub fn take_back(app: &BlueGreenApp, to: Color, before: Color) -> Edit {
    let roles = Roles::of(app);
    if roles.wanted != to {
        let what = format!("{} was asked for meanwhile, the switch to {to} is off", roles.wanted);
        return Edit { what, patch: None, note: None, goal: Goal::Active(roles.wanted) };
    }
    Edit {
        what: format!("the switch to {to} is taken back, {before} serves"),
        ..activate(app, &roles, before)
    }
}

fn activate(app: &BlueGreenApp, roles: &Roles, to: Color) -> Edit {
    let waits = roles.live.is_some_and(|live| live != to) && !standby_ready(app);
    Edit {
        what: format!("{to} is to serve"),
        patch: (roles.wanted != to).then(|| json!({ "active": to })),
        note: (waits && roles.wanted != to)
            .then(|| format!("{to} is not ready yet; the Service moves once it is")),
        goal: Goal::Active(to),
    }
}

fn standby_ready(app: &BlueGreenApp) -> bool {
    status(app).condition(STANDBY_READY).is_some_and(|condition| condition.status == "True")
}

/// Goes back to the color that served before; cancels a switch that is under way. With a tag, only away from that one.
///
/// # Errors
/// When nothing served before, or that color does not run what it ran then, or another tag serves.
pub fn rollback(app: &BlueGreenApp, tag: Option<&str>) -> Result<Edit, Refusal> {
    let roles = Roles::of(app);
    if let Some(tag) = tag {
        let serves = app.spec.color(roles.wanted).and_then(|block| block.tag.as_deref());
        if serves != Some(tag) {
            let serves = serves.unwrap_or("another version");
            return Err(Refusal(format!(
                "{serves} is to serve, not {tag}: there is nothing of it to roll back"
            )));
        }
    }
    if let Some((from, to)) = roles.switching() {
        let edit = activate(app, &roles, from);
        return Ok(Edit { what: format!("{from} goes on serving, the switch to {to} is canceled"), ..edit });
    }
    let status = status(app);
    let Some(from) = roles.live.and_then(|_| status.history.first()).and_then(|last| last.from) else {
        return Err(Refusal("no other color has served yet, so there is nothing to go back to".to_owned()));
    };
    let pods = status.color(from);
    if app.spec.color(from).is_none() || pods.is_none() {
        return Err(Refusal(format!("{from}, which served before, is gone: spec.{from} is not set")));
    }
    if let Some(pods) = pods
        && pods.served_revision != Some(pods.revision)
        && pods.revision != 0
    {
        let served = status.history.iter().find(|entry| entry.to == from).map(|entry| entry.image.as_str());
        let ran = served.map(|image| format!(" (it ran {image})")).unwrap_or_default();
        return Err(Refusal(format!(
            "{from} was deployed anew since it served{ran}, so switching to it would be no way back; if {} is what you \
             want, `switch --to {from}`",
            pods.image
        )));
    }
    let edit = activate(app, &roles, from);
    Ok(Edit { what: format!("{from} is to serve again"), ..edit })
}
