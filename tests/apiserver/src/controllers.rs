//! The controllers of Kubernetes that the operator works with, one step at a time: nothing happens between two steps.
//!
//! A step brings everything as far as the test lets it. By default every pod is ready as soon as it is there.

mod endpoints;
mod garbage;
mod pods;
mod rollout;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use crate::server::Server;

/// The field manager of their writes.
const MANAGER: &str = "controllers";

/// The Deployment, ReplicaSet, EndpointSlice and garbage collection controllers, and the nodes.
#[derive(Clone)]
pub struct Controllers {
    server: Server,
    orders: BTreeMap<String, Orders>,
    held: BTreeSet<String>,
    nodes: usize,
    /// The version at which there was nothing left to do, and no deadline to wait for.
    rested: Cell<Option<u64>>,
}

/// How the pods of one Deployment fare.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders {
    /// At most so many of the newest template's pods get ready.
    ready: Option<usize>,
    /// Of the ready ones, at most so many are available: the others have not been ready for `minReadySeconds`.
    available: Option<usize>,
    /// What the containers of pods that are not ready wait for.
    waiting: Option<&'static str>,
    /// Nothing of the Deployment is observed.
    asleep: bool,
}

impl Controllers {
    /// Controllers on this server, with two nodes.
    #[must_use]
    pub fn new(server: &Server) -> Self {
        Self {
            server: server.clone(),
            orders: BTreeMap::new(),
            held: BTreeSet::new(),
            nodes: 2,
            rested: Cell::new(None),
        }
    }

    /// From the next step on, at most `count` pods of this Deployment's newest template are ready.
    pub fn ready(&mut self, deployment: &str, count: usize) {
        self.order(deployment).ready = Some(count);
    }

    /// As [`Controllers::ready`], for pods that were ready for `minReadySeconds`.
    pub fn available(&mut self, deployment: &str, count: usize) {
        self.order(deployment).available = Some(count);
    }

    /// From the next step on, all is well with this Deployment.
    pub fn heal(&mut self, deployment: &str) {
        self.rested.set(None);
        self.orders.remove(deployment);
    }

    /// Containers of this Deployment's pods that are not ready wait for this reason, for example `ImagePullBackOff`.
    pub fn waiting(&mut self, deployment: &str, reason: &'static str) {
        self.order(deployment).waiting = Some(reason);
    }

    /// The Deployment controller does not look at this Deployment, until [`Controllers::heal`].
    pub fn ignore(&mut self, deployment: &str) {
        self.order(deployment).asleep = true;
    }

    /// The EndpointSlices of this Service stay as they are, until [`Controllers::release_endpoints`].
    pub fn hold_endpoints(&mut self, service: &str) {
        self.rested.set(None);
        self.held.insert(service.to_owned());
    }

    /// The EndpointSlices of this Service follow again.
    pub fn release_endpoints(&mut self, service: &str) {
        self.rested.set(None);
        self.held.remove(service);
    }

    /// Each controller looks once, in the order in which one causes work for the next.
    pub fn step(&self) {
        if self.rested.get() == Some(self.server.version()) {
            return;
        }
        let before = self.server.version();
        garbage::collect(&self.server);
        rollout::step(self);
        endpoints::step(self);
        let rests = self.server.version() == before && rollout::all_complete(&self.server);
        self.rested.set(rests.then_some(before));
    }

    fn order(&mut self, deployment: &str) -> &mut Orders {
        self.rested.set(None);
        self.orders.entry(deployment.to_owned()).or_default()
    }
}
