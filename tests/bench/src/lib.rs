//! What else wants to meet the peer: how its controller is had.

pub mod rollouts;
