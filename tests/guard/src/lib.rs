//! An outside view of what the operator does, for every test that needs one: `record` keeps each write in a namespace
//! in its true order, `world` is what there is at one moment, `guard` replays the record and says which promise was
//! broken at which instant.

mod checks;
mod enough;
pub mod guard;
mod lately;
pub mod record;
mod track;
mod world;

pub use record::{Event, Kind, Record};
pub use world::{Endpoint, World, selection};
