//! Connections to the API server, and reads of all that belongs to one app.

pub mod careful;
pub mod connection;
pub mod narrow;
pub mod objects;
pub mod read;
