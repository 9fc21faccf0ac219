//! What every test needs: a namespace ([`Sandbox`]), apps to put there ([`app`]), the operator ([`Operator`]),
//! a record of all that happens ([`World`]) and a guard over it ([`guard`]).

mod fixture;
pub mod guard;
pub mod operator;
pub mod record;
mod sandbox;
pub mod setup;
mod world;

pub use fixture::{App, app, pods};
pub use record::Kind;
pub use sandbox::Sandbox;
pub use setup::cluster;
pub use world::World;
