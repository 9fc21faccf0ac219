//! Connections to the API server, and reads of all that belongs to one app. Namespaces take turns.

pub mod careful;
pub mod connection;
pub mod narrow;
pub mod objects;
pub mod read;
pub mod turns;
