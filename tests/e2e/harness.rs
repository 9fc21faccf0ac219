//! What every test needs: a namespace ([`Sandbox`]), apps to put there ([`app`]), the operator ([`Operator`]),
//! a record of all that happens ([`World`]) and a guard over it ([`guard`]).

mod diagram;
mod fixture;
pub mod operator;
mod phases;
pub mod sandbox;
pub mod setup;

pub use bluegreen_guard::{Kind, World, guard, record};
pub use fixture::{App, app, check, pods};
pub use sandbox::Sandbox;
pub use setup::cluster;
