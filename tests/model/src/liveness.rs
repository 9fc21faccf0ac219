//! Does every state lead to what the spec asks for, once nothing goes wrong any more?
//!
//! From every state that can be reached, with every fault and edit so far, all runs are followed in which no further
//! edit, mishap, fault or takeover happens: what is in flight is answered, commits late or is lost, Kubernetes'
//! controllers do their work, time passes, a deposed leader learns that it is one, and the leader looks whenever
//! fresh caches give it a reason. If these steps form no cycle, every such run ends; if every end is what the spec
//! asks for, then every run converges, and no assumption about fairness is needed beyond "some step is taken".

use bluegreen_operator::plan::Selection;

use crate::Bounds;
use crate::driver::Broken;
use crate::facts;
use crate::world::{FULL, World};

/// Fault-free steps: for each state in order the numbers of the states that they lead to.
#[derive(Default)]
pub(crate) struct Graph {
    ends: Vec<u64>,
    targets: Vec<u32>,
}

impl Graph {
    pub(crate) fn push(&mut self, to: usize) {
        self.targets.push(u32::try_from(to).unwrap_or(u32::MAX));
    }

    pub(crate) fn end_row(&mut self) {
        self.ends.push(self.targets.len() as u64);
    }

    fn row(&self, id: usize) -> &[u32] {
        let end = |id: usize| usize::try_from(self.ends[id]).unwrap_or(usize::MAX);
        let start = if id == 0 { 0 } else { end(id - 1) };
        &self.targets[start..end(id)]
    }

    /// Takes away states that nothing leads to until none is left.
    pub(crate) fn is_acyclic(&self) -> bool {
        let states = self.ends.len();
        let mut arrivals = vec![0_u32; states];
        for &to in &self.targets {
            arrivals[to as usize] += 1;
        }
        let mut ready: Vec<usize> = (0..states).filter(|&id| arrivals[id] == 0).collect();
        let mut taken = 0;
        while let Some(id) = ready.pop() {
            taken += 1;
            for &to in self.row(id) {
                arrivals[to as usize] -= 1;
                if arrivals[to as usize] == 0 {
                    ready.push(to as usize);
                }
            }
        }
        taken == states
    }
}

/// Nothing is left to do here: is that what the spec asks for? Says it in its own words, not the planner's.
pub(crate) fn wrong_end(world: &World, bounds: &Bounds) -> Option<Broken> {
    let objects = &world.objects;
    let (app, status) = (&objects.app, &objects.app.status);
    if !status.written || !status.observed || status.reconciling {
        return Some("the end of a run, and the status does not say so");
    }
    if app.paused {
        return None;
    }
    let active = app.active;
    let selected = objects.service.map(|service| (service.selects, service.committed));
    if selected != Some((Selection::Color(active), Some(active))) {
        return Some("the end of a run, and the Service does not select what the spec asks for");
    }
    let served = objects.service.map_or(0, |service| *service.served.get(active));
    let Some(live) = objects.deployments.get(active) else {
        return Some("the end of a run, and the live color has no Deployment");
    };
    if (live.pods, live.replicas) != (FULL, FULL) || !live.observed {
        return Some("the end of a run, and the live color is not fully ready");
    }
    if facts::content(objects, active, served) != Some(live.content) {
        return Some("the end of a run, and the live color does not run what was committed");
    }
    if objects.slices.live != Some((active, FULL)) {
        return Some("the end of a run, and the endpoints are elsewhere");
    }
    if (status.active, status.switch) != (Some(active), None) {
        return Some("the end of a run, and the status tells of a switch");
    }
    let idle = active.other();
    let Some(other) = objects.deployments.get(idle) else {
        return Some("the end of a run, and the idle color has no Deployment");
    };
    let has_served = objects.service.map_or(0, |service| *service.served.get(idle)) == other.revision;
    let wanted = crate::world::rendering(app, idle);
    if other.content / 2 != wanted / 2 || (!has_served && other.content != wanted) {
        return Some("the end of a run, and the idle color has missed an edit");
    }
    let size = if bounds.reduced && has_served { 0 } else { FULL };
    if (other.replicas, other.pods) != (size, size) {
        return Some("the end of a run, and the idle color has the wrong size");
    }
    None
}
