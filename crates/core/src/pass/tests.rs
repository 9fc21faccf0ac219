//! Every answer to every command, on facts in words and with a clock that the test turns.

mod begins;
mod creates;
mod goes_on;
mod reports;
mod rig;
mod switches;
mod writes;

use crate::plan::tests::fixtures;
