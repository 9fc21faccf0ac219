//! What the planner decides, one question a file.

mod fixtures;

mod children;
mod drain;
mod edits;
mod fencing;
mod gate;
mod properties;
mod sizes;
mod standby;

use super::*;
use crate::api::{ActiveUpdatePolicy, PerColor};
