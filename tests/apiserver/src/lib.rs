//! An API server in memory, for tests of what the operator does.
//!
//! It answers the requests that the operator makes, as Kubernetes answers them, and nothing else. There is no socket, no
//! process and no timer: [`Server::client`] is a `kube::Client` over a function call, and nothing happens unless the test
//! says so. What Kubernetes itself does is asked of a real API server, in `tests/e2e`.
//!
//! | module | holds |
//! |---|---|
//! | `server` | what a test does with it: read, edit, look into the log, arrange faults |
//! | `transport` | HTTP requests in, HTTP answers out |
//! | `request` | a request, taken apart |
//! | `verbs` | what each verb does |
//! | `store` | the objects and every change of them |
//! | `fields` | who owns which field: server-side apply |
//! | `admission` | defaults and validation |
//! | `watch` | streams of changes |
//! | `selector` | label selectors |
//! | `fault` | what a test may do to a request |
//! | `status` | answers that say no |
//! | `kind` | the kinds that it knows |
//! | `controllers` | Deployments, ReplicaSets, pods, EndpointSlices and garbage collection, one step at a time |

// A test stops at the first surprise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admission;
pub mod controllers;
mod fault;
mod fields;
mod kind;
mod request;
mod selector;
mod server;
mod status;
mod store;
mod transport;
mod verbs;
mod watch;

pub use controllers::Controllers;
pub use fault::{Fate, Fault, Logged};
pub use kind::Kind;
pub use request::{Request, Verb};
pub use server::{Backup, Server};
pub use status::Status;
pub use store::Change;
