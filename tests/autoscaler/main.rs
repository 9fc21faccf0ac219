//! Do real autoscalers and the operator get along, with traffic on?
//!
//! `install.rs` puts metrics-server, KEDA and the VerticalPodAutoscaler onto a cluster with a real node, as pods with the
//! rights that their projects ship; `prometheus.rs` starts a real Prometheus beside it. `rig.rs` is an app under load whose
//! size an autoscaler decides, while it is switched and rolled back. What is applied is what `docs/scaling.md` shows, changed
//! only where a default is too slow for a test; `document.rs` reads it there, and writes the figures back.
//!
//! `make autoscaler-test` runs everything.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod document;
#[path = "../e2e"]
#[allow(dead_code, unused_imports)]
mod e2e {
    pub mod harness;
}
mod hpa;
mod install;
mod keda;
mod prometheus;
mod rig;
mod vertical;
