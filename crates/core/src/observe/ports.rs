//! With which ports the EndpointSlices of a color list its pods.
//!
//! A slice lists its ports once, for all of its endpoints. A pod that has no port of the name that a Service's port targets is
//! in a slice without that port, so it gets no traffic of that port.

use std::sync::Arc;

use k8s_openapi::api::discovery::v1::{EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::endpoints::ready_pods;
use crate::desired::Listing;

/// The ready pods of a color, by the ports with which they are listed.
pub(super) struct Listed {
    /// The number of pods that are listed with every port.
    pub with_all: usize,
    /// The ports without which a pod is listed, in words.
    pub lacking: Vec<String>,
}

/// Returns what these slices list of the pods that `counts` accepts.
pub(super) fn listed(
    slices: &[Arc<EndpointSlice>],
    families: &[String],
    ports: &[Listing],
    counts: impl Fn(&str) -> bool,
) -> Listed {
    let count = |has: &dyn Fn(&EndpointSlice) -> bool| {
        let slices: Vec<_> = slices.iter().filter(|slice| has(slice)).cloned().collect();
        ready_pods(&slices, families, &counts)
    };
    let all = count(&|_| true);
    let lacks = |port: &&Listing| count(&|slice| lists(slice, port)) < all;
    Listed {
        with_all: count(&|slice| ports.iter().all(|port| lists(slice, port))),
        lacking: ports.iter().filter(lacks).map(words).collect(),
    }
}

fn lists(slice: &EndpointSlice, port: &Listing) -> bool {
    slice.ports.iter().flatten().any(|listed| is_of(listed, port))
}

/// Returns true if a slice lists this port. A number must be the very one: right after an edit, a slice still lists the one
/// before.
fn is_of(listed: &EndpointPort, port: &Listing) -> bool {
    let number = match port.target {
        IntOrString::Int(number) => Some(number),
        IntOrString::String(_) => None,
    };
    listed.name.as_ref() == Some(&port.name)
        && listed.protocol.as_deref().unwrap_or("TCP") == port.protocol
        && number.is_none_or(|number| listed.port == Some(number))
}

fn words(port: &Listing) -> String {
    let target = match &port.target {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(name) => name.clone(),
    };
    format!("port {} (targetPort {target}, {})", port.name, port.protocol)
}
