//! The network between the machine and its real nodes: a bridge, and a pair of links to each node.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// Addresses of one cluster. Its number `N` makes them its own: the machine is 10.200.N.1, node i is 10.200.N.(i+1), and
/// the pods of node i are in 10.(200+i).N.0/24.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// `N`.
    pub number: u8,
}

impl Network {
    /// The machine, as nodes and pods see it: the API server's address.
    pub fn machine(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 200, self.number, 1)
    }
}
