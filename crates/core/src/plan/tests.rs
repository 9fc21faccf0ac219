//! What the planner decides, one question a file.

pub(crate) mod fixtures;

mod checks;
mod children;
mod drain;
mod edits;
mod fencing;
mod gate;
mod properties;
mod sizes;
mod standby;
mod waits;
mod writes;

use super::*;
use bluegreen_api::{ActiveUpdatePolicy, PerColor};
