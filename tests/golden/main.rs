//! Is what the operator writes, accepts and publishes exactly what is kept in files?
//!
//! | module | compares |
//! |---|---|
//! | `checker` | the short forms of checks that are accepted with what the checker can run |
//! | `children` | the objects of a spec with `snapshots/` (`INSTA_UPDATE=always cargo test --test golden` writes them) |
//! | `crd` | the CustomResourceDefinition with `crds/` (`make crd` writes it) |
//! | `overlay` | overlays of the pod template with what Kubernetes accepts |
//! | `rules` | inputs with `tests/golden_rules.yaml` and `tests/golden_accepted.yaml` |

#![allow(clippy::unwrap_used, clippy::panic)]

mod checker;
mod children;
mod crd;
mod overlay;
mod rules;
mod smallest;
