//! What every child object should look like, as bodies of server-side applies. Pure.

mod canonical;
mod check;
mod common;
mod covers;
mod env;
mod fields;
mod guards;
mod leftovers;
mod metadata;
pub mod names;
mod own;
mod owners;
mod ports;
mod quantity;
mod revision;
mod service;
mod settings;
mod template;
mod workload;

pub use check::{Asked, CHECK, check_hash, checks_hash, job, job_name, trial_job, trial_name};
pub use common::{of_deployment, without_common};
pub use covers::{Difference, covers};
pub use env::references;
pub use guards::{guards, restored_guards};
pub use owners::{Place, RESTARTED_AT, addition, keep_foreign, owner, take_over, take_over_leftovers};
pub use ports::{Listing, listings};
pub use quantity::is_quantity;
pub use revision::{
    Rendered, RevisionError, Stored, block_hash, inputs_hash, recover, render, revision, stored,
};
pub use service::{
    LiveService, Selection, color_service, is_dual_stack, keep_targets, live_selector, live_service,
    preview_service, selects,
};
pub use settings::{rollout, without_rollout};
pub use workload::{deployment, running_revision};
