//! Does every state lead to what the spec asks for, once nothing goes wrong any more?
//!
//! From every state that can be reached, with every fault and edit so far, all runs are followed in which no further
//! edit, mishap, fault or takeover happens: what is in flight is answered, commits late or is lost, Kubernetes'
//! controllers do their work, time passes, a deposed leader learns that it is one, and the leader looks whenever
//! fresh caches give it a reason. If these steps form no cycle, every such run ends; if every end is what the spec
//! asks for, then every run converges, and no assumption about fairness is needed beyond "some step is taken".

use bluegreen_api::Color;
use bluegreen_core::plan::Selection;

use crate::checks;
use crate::driver::Broken;
use crate::facts;
use crate::found::{SHARDS, Shard};
use crate::objects::{Objects, rendering};
use crate::world::World;
use crate::{Bounds, Idle};

/// Fault-free steps from the states of a shard: for each in order the numbers of the states that they lead to.
#[derive(Default)]
pub(crate) struct Graph {
    ends: Vec<u64>,
    targets: Vec<u32>,
}

impl Graph {
    pub(crate) fn push(&mut self, to: u32) {
        self.targets.push(to);
    }

    pub(crate) fn end_row(&mut self) {
        self.ends.push(self.targets.len() as u64);
    }

    fn row(&self, place: usize) -> &[u32] {
        let end = |place: usize| usize::try_from(self.ends[place]).unwrap_or(usize::MAX);
        let start = if place == 0 { 0 } else { end(place - 1) };
        &self.targets[start..end(place)]
    }
}

/// Takes away states that nothing leads to until none is left.
pub(crate) fn is_acyclic(shards: &[Shard; SHARDS]) -> bool {
    let states: usize = shards.iter().map(Shard::len).sum();
    let mut arrivals = shards.each_ref().map(|shard| vec![0_u32; shard.len()]);
    for &to in shards.iter().flat_map(|shard| &shard.graph.targets) {
        arrivals[to as usize % SHARDS][to as usize / SHARDS] += 1;
    }
    let ids = shards.iter().flat_map(|shard| (0..shard.len()).map(|place| shard.id(place)));
    let mut ready: Vec<u32> =
        ids.filter(|&id| arrivals[id as usize % SHARDS][id as usize / SHARDS] == 0).collect();
    let mut taken = 0;
    while let Some(id) = ready.pop() {
        taken += 1;
        for &to in shards[id as usize % SHARDS].graph.row(id as usize / SHARDS) {
            let left = &mut arrivals[to as usize % SHARDS][to as usize / SHARDS];
            *left -= 1;
            if *left == 0 {
                ready.push(to);
            }
        }
    }
    taken == states
}

/// Nothing is left to do here: is that what the spec asks for?
pub(crate) fn wrong_end(world: &World, bounds: &Bounds) -> Option<Broken> {
    let objects = &world.objects;
    let (app, status) = (&objects.app, &objects.app.status);
    // What a check has refused waits for a person.
    let is_settled = status.settled || checks::is_refused(objects);
    if !status.written || !status.observed || !is_settled {
        return Some("the end of a run, and the status does not say so");
    }
    if app.paused {
        let selected = objects.service.map(|service| (service.selects, service.committed));
        let live = status.active.filter(|&color| selected == Some((Selection::Color(color), Some(color))));
        let deployment = live.and_then(|color| Some((color, (*objects.deployments.get(color))?)));
        let is_own =
            |color, content| facts::content(objects, color, facts::served(objects, color)) == Some(content);
        return deployment
            .is_some_and(|(color, d)| is_own(color, d.content) && d.replicas != app.replicas)
            .then_some("the end of a run, and the live color's size does not follow the spec while paused");
    }
    if checks::misses_way_back(world) {
        return Some("the end of a run, and what nothing has found to be bad is not live again");
    }
    if let Some(broken) = unconverged(objects, bounds.idle) {
        return Some(broken);
    }
    let live = checks::wanted(objects);
    if (checks::is_refused(objects) && status.active.is_none()) || checks::has_no_way_back(objects) {
        return None;
    }
    if (status.active, status.switch) != (Some(live), None) {
        return Some("the end of a run, and the status tells of a switch");
    }
    if objects.slices.live != Some((live, app.replicas)) {
        return Some("the end of a run, and the endpoints are elsewhere");
    }
    let rolled = |color| objects.deployments.get(color).is_none_or(|d| d.observed && d.pods == d.replicas);
    (!Color::ALL.into_iter().all(rolled)).then_some("the end of a run, and pods are missing")
}

/// Is this what the spec asks for, as far as the operator declares it? Says so in its own words, not the planner's.
pub(crate) fn unconverged(objects: &Objects, standby: Idle) -> Option<Broken> {
    // Nothing was ever live, and what was to be has been refused.
    let is_first = objects.service.is_some_and(|service| service.committed.is_none());
    if (checks::is_refused(objects) && is_first) || checks::has_no_way_back(objects) {
        return None;
    }
    let (app, active) = (&objects.app, checks::wanted(objects));
    let selected = objects.service.map(|service| (service.selects, service.committed));
    if selected != Some((Selection::Color(active), Some(active))) {
        return Some("nothing left to do, and the Service does not select what the spec asks for");
    }
    let Some(live) = objects.deployments.get(active) else {
        return Some("nothing left to do, and the live color has no Deployment");
    };
    // A color without a block is live only until the other may be: nothing is asked of it.
    if checks::is_refused(objects) && !*app.present.get(active) {
        return None;
    }
    let ready = live.observed && live.current;
    if (live.have, live.replicas) != (app.replicas, app.replicas) || !ready {
        return Some("nothing left to do, and the live color is not fully ready");
    }
    if facts::content(objects, active, facts::served(objects, active)) != Some(live.content) {
        return Some("nothing left to do, and the live color does not run what was committed");
    }
    if app.rolling && live.content / 2 != rendering(app, active) / 2 {
        return Some("nothing left to do, and the live color has missed an edit that rolls");
    }
    let idle = active.other();
    let other = objects.deployments.get(idle);
    if !*app.present.get(idle) {
        let gone = other.is_none() && facts::last(objects.stored.get(idle)).is_none();
        return (!gone).then_some("nothing left to do, and the color without a block is still there");
    }
    let Some(other) = other else {
        return Some("nothing left to do, and the idle color has no Deployment");
    };
    let has_served = facts::served(objects, idle) == other.revision;
    let wanted = rendering(app, idle);
    if other.content / 2 != wanted / 2 || (!has_served && other.content != wanted) {
        return Some("nothing left to do, and the idle color has missed an edit");
    }
    // The timer begins when the status tells that the drain is over: a report that was lost has not told it.
    let told = app.status.switch.is_none_or(|(from, _)| from != Some(idle));
    let long_ago = told && *objects.app.left_long_ago.get(idle) && *objects.stored_long_ago.get(idle);
    let size = match standby {
        Idle::Warm => app.replicas,
        Idle::Reduced if has_served => 0,
        Idle::Timed if long_ago => 0,
        Idle::Timed if has_served => app.replicas,
        Idle::Reduced | Idle::Timed => 1,
    };
    (other.replicas != size).then_some("nothing left to do, and the idle color has the wrong size")
}
