//! What a controller saw → the planner's facts, as `observe` does it.

use std::time::Duration;

use bluegreen_api::{ActiveUpdatePolicy, Color, PerColor};
use bluegreen_core::drain::{Endpoints, Held};
use bluegreen_core::plan::{
    self, Action, Change, Child, ColorFacts, DeploymentFacts, Elapsed, Fence, Intent, Live, Observed,
    Recorded, Routing, ServiceFacts, Standby, Stored,
};

use crate::objects::{App, Deployment, Kept, Objects, Token, rendering};
use crate::world::Controller;
use crate::{Guards, Idle};

/// Any time that is not zero: durations are compared with it alone.
pub(crate) const DRAIN: Duration = Duration::from_secs(30);

/// As `fence::Token::compare`, without the text (a test compares the two).
pub(crate) fn compare(mine: Token, theirs: Token) -> Fence {
    match theirs.epoch.cmp(&mine.epoch) {
        std::cmp::Ordering::Greater => Fence::Newer,
        std::cmp::Ordering::Equal if theirs.attempt == mine.attempt => Fence::Mine,
        std::cmp::Ordering::Equal | std::cmp::Ordering::Less => Fence::Stale,
    }
}

pub(crate) fn token(controller: &Controller) -> Token {
    Token { epoch: controller.term, attempt: controller.attempt }
}

/// How long the idle color is kept at full size, where it takes time.
const AFTER: Duration = Duration::from_secs(60);

pub(crate) fn intent(app: &App, idle: Idle) -> Intent {
    Intent {
        active: app.active,
        paused: app.paused,
        invalid: false,
        replicas: i32::from(app.replicas),
        standby: match idle {
            Idle::Warm => Standby::Warm,
            Idle::Reduced => Standby::Reduced { replicas: 0, after: Duration::ZERO },
            Idle::Timed => Standby::Reduced { replicas: 0, after: AFTER },
        },
        drain: DRAIN,
        deadline: Duration::from_secs(600),
        policy: if app.rolling { ActiveUpdatePolicy::RollingUpdate } else { ActiveUpdatePolicy::Freeze },
        wanted: app.present,
        // Nothing depends on a preview.
        preview: false,
    }
}

pub(crate) fn recorded(seen: &Objects, guards: &Guards) -> Recorded {
    let status = &seen.app.status;
    Recorded {
        active: status.active,
        // Without the guard the planner never waits for the record. It then finds the drain's end in `active`
        // alone, which is what the guard is for.
        switching: status.switch.is_some() || (!guards.record && wants_switch(seen)),
        settled: status.written && status.observed && status.settled,
    }
}

fn wants_switch(seen: &Objects) -> bool {
    seen.service.is_some_and(|service| service.selects != plan::Selection::Color(seen.app.active))
}

pub(crate) fn service(seen: &Objects, mine: Token, guards: &Guards) -> Child<ServiceFacts> {
    let Some(service) = seen.service else { return Child::Absent };
    let number = |number: u8| (number > 0).then(|| i64::from(number));
    Child::Ours(ServiceFacts {
        selects: service.selects,
        committed: service.committed,
        served: PerColor::from_fn(|color| number(served(seen, color))),
        fence: if guards.service_fence { compare(mine, service.token) } else { Fence::Mine },
        current: true,
        endpoints: seen.slices.live.map_or(0, |(_, ready)| i32::from(ready)),
    })
}

/// Takes the Deployments for stamped if all that is left to do then is to switch the Service.
pub(crate) fn without_stamps(intent: &Intent, facts: Observed) -> Observed {
    let mut stamped = facts.clone();
    for color in Color::ALL {
        if let Child::Ours(deployment) = &mut stamped.colors.get_mut(color).deployment
            && deployment.fence == Fence::Stale
        {
            deployment.fence = Fence::Mine;
        }
    }
    let actions = plan::plan(intent, &stamped).actions;
    let is_of_service = |action: &Action| matches!(action, Action::Fence { .. } | Action::Switch { .. });
    if !actions.is_empty() && actions.iter().all(is_of_service) { stamped } else { facts }
}

pub(crate) fn routing(seen: &Objects, mine: Token, guards: &Guards) -> Routing {
    Routing { service: service(seen, mine, guards), recorded: recorded(seen, guards) }
}

/// As `observe::endpoints`.
pub(crate) fn endpoints(seen: &Objects, color: Color) -> Endpoints {
    let (moved, cleared) = match seen.slices.live {
        Some((of, ready)) if of == color => (ready > 0, true),
        Some(_) => (false, false),
        None => (false, true),
    };
    Endpoints { moved, cleared }
}

/// The revision that served last: the Service's word, else the status's.
pub(crate) fn served(seen: &Objects, color: Color) -> u8 {
    let by_service = seen.service.map_or(0, |service| *service.served.get(color));
    if by_service > 0 { by_service } else { *seen.app.status.served.get(color) }
}

/// The revision with the highest number.
pub(crate) fn last(stored: &[Option<Kept>]) -> Option<u8> {
    stored.iter().rposition(Option::is_some).and_then(|index| u8::try_from(index + 1).ok())
}

/// The revision that counts as the newest, as in `observe`.
pub(crate) fn newest(seen: &Objects, color: Color) -> Option<u8> {
    let last = last(seen.stored.get(color))?;
    let is_taken_back = |running: u8| {
        let both = stored(seen, color, running).zip(stored(seen, color, last));
        let served = served(seen, color) == running;
        both.is_some_and(|(running, last)| plan::is_taken_back(running, last, served))
    };
    let running = seen.deployments.get(color).map(|deployment| deployment.revision);
    running.filter(|&running| is_taken_back(running)).or(Some(last))
}

/// A stored revision.
pub(crate) fn kept(seen: &Objects, color: Color, number: u8) -> Option<Kept> {
    let index = usize::from(number).checked_sub(1)?;
    *seen.stored.get(color).get(index)?
}

/// What it renders.
pub(crate) fn content(seen: &Objects, color: Color, number: u8) -> Option<u8> {
    kept(seen, color, number).map(|kept| kept.content)
}

fn stored(seen: &Objects, color: Color, number: u8) -> Option<Stored> {
    let then = kept(seen, color, number)?.spec;
    let now = rendering(&seen.app, color);
    let change = if then / 2 != now / 2 || !*seen.app.present.get(color) {
        Change::Block
    } else if then != now {
        Change::Shared
    } else {
        Change::None
    };
    Some(Stored { number: i64::from(number), change })
}

pub(crate) fn observe(
    seen: &Objects,
    routing: Routing,
    mine: Token,
    held: Held,
    guards: &Guards,
) -> Observed {
    let live = routing.live();
    let Routing { service, recorded } = routing;
    let colors = PerColor::from_fn(|color| color_facts(seen, mine, live, color, guards));
    let held =
        if guards.drain { held } else { Held { moved: Some(DRAIN), cleared: Some(DRAIN), lost: None } };
    let elapsed = Elapsed {
        moved: held.moved,
        cleared: held.cleared,
        switching: None,
        idle: PerColor::from_fn(|color| idle_for(seen, color)),
    };
    let checks = crate::checks::facts(seen, &colors, live, guards);
    Observed { service, preview: Child::Absent, colors, recorded, elapsed, checks }
}

/// Since the color was last edited or its drain ended: a time that is long over, or has just begun.
fn idle_for(seen: &Objects, color: Color) -> Duration {
    if seen.app.status.switch.is_some_and(|(from, _)| from == Some(color)) {
        return Duration::ZERO;
    }
    let long_ago = *seen.stored_long_ago.get(color) && *seen.app.left_long_ago.get(color);
    if long_ago { AFTER } else { Duration::ZERO }
}

fn color_facts(seen: &Objects, mine: Token, live: Live, color: Color, guards: &Guards) -> ColorFacts {
    let served = served(seen, color);
    let newest = newest(seen, color);
    let serving = Some(served).filter(|&n| live.color() == Some(color) && content(seen, color, n).is_some());
    let current = serving.or(newest);
    let listed = seen.slices.own.get(color);
    // A live look counts only pods of the current revision's ReplicaSet.
    let proven = current.is_some_and(|number| {
        number == listed.revision && content(seen, color, number) == Some(listed.content)
    });
    let endpoints = match (guards.endpoints, proven) {
        (false, _) => i32::MAX,
        (true, true) => i32::from(listed.pods),
        (true, false) => 0,
    };
    // Its own Service comes and goes with it.
    let exists = newest.is_some() || seen.deployments.get(color).is_some();
    ColorFacts {
        service: if exists || *seen.app.present.get(color) { Child::Ours(true) } else { Child::Absent },
        newest: newest.and_then(|number| stored(seen, color, number)),
        current: current.and_then(|number| stored(seen, color, number)),
        served: current.is_some_and(|number| served == number),
        // Nobody else makes revisions.
        taken: last(seen.stored.get(color)).map_or(0, i64::from),
        obsolete: Vec::new(),
        deployment: seen
            .deployments
            .get(color)
            .map_or(Child::Absent, |d| Child::Ours(deployment(seen, &d, mine, color, current, guards))),
        endpoints,
        // Its Service has one port, which every pod has.
        ported: endpoints,
        sparse: Vec::new(),
        unlisted: Vec::new(),
        // Its Service has the policy `Cluster`.
        uncovered: Vec::new(),
    }
}

fn deployment(
    seen: &Objects,
    deployment: &Deployment,
    mine: Token,
    color: Color,
    current: Option<u8>,
    guards: &Guards,
) -> DeploymentFacts {
    let matches = current.is_some_and(|number| {
        number == deployment.revision && content(seen, color, number) == Some(deployment.content)
    });
    let count = i32::from(deployment.have);
    DeploymentFacts {
        revision: i64::from(deployment.revision),
        stored: content(seen, color, deployment.revision).is_some(),
        matches: matches || !guards.fields,
        // Nobody edits them in the model: a write of them is one of the size, which changes no template either.
        settings: true,
        fence: if guards.deployment_fence { compare(mine, deployment.token) } else { Fence::Mine },
        replicas: i32::from(deployment.replicas),
        observed: deployment.observed || !guards.observed_generation,
        total: count,
        updated: i32::from(updated(deployment)),
        ready: count,
        available: count,
        rolled_out: deployment.rolled,
        deadline_exceeded: false,
        proven: true,
    }
}

/// `status.updatedReplicas`: once a new template was seen, what is counted is of an old one until it has rolled out.
pub(crate) fn updated(deployment: &Deployment) -> u8 {
    if deployment.observed && !deployment.current { 0 } else { deployment.have }
}

/// The revision that a color runs or is to run, as in [`color_facts`].
pub(crate) fn current(seen: &Objects, color: Color) -> Option<u8> {
    let live = routing(seen, Token::default(), &Guards::ALL).live();
    let served = served(seen, color);
    let serving = Some(served).filter(|&n| live.color() == Some(color) && content(seen, color, n).is_some());
    serving.or_else(|| newest(seen, color))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_compare_as_the_operators_do() {
        let real = |token: Token| bluegreen_core::fence::Token {
            operator: "system/operator".to_owned(),
            lease: "0a1b2c3d".to_owned(),
            epoch: i64::from(token.epoch),
            attempt: u32::from(token.attempt),
        };
        let all: Vec<Token> =
            (0..4).flat_map(|epoch| (0..4).map(move |attempt| Token { epoch, attempt })).collect();
        for &mine in &all {
            for &theirs in &all {
                let label = real(theirs).to_string();
                assert_eq!(compare(mine, theirs), real(mine).compare(Some(&label), Some("system/operator")));
            }
        }
    }
}
