//! Every answer to every command, on facts in words and with a clock that the test turns.

mod begins;
#[allow(dead_code)] // Other tests use the rest.
#[path = "../plan/tests/fixtures.rs"]
mod fixtures;
mod reports;
mod rig;
mod switches;
mod writes;

// What the fixtures need.
use super::*;
use crate::api::{ActiveUpdatePolicy, PerColor};
use crate::plan::{
    Change, Child, ColorFacts, DeploymentFacts, Elapsed, Fence, Intent, Observed, Plan, Recorded, Selection,
    ServiceFacts, Stage, Standby, Stored, plan,
};
