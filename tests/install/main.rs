//! Does the operator do its work from its image, in a Pod, with its own ServiceAccount, on a real node, and can it be
//! installed, upgraded, killed, rolled back and removed while an app serves without losing a request?
//!
//! The commands are those of `docs/install.md`, taken from the document. `make install-test` runs everything; `make test`
//! the part with kubectl. Both need `make image images` first.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod chart;
mod checks;
mod ingress;
mod kyverno;
mod manifest;
mod migration;
mod observe;
mod place;
mod release;
