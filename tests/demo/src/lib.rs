//! What the demo is made of, for whoever else shows a real app on a real cluster.
//!
//! The files in the order in which things happen: `place` is the cluster, `operator` acts in it, `curl` shows who
//! answers, `switch` patches and watches, `verdict` counts.

pub mod curl;
pub mod kubectl;
pub mod operator;
pub mod place;
pub mod say;
pub mod seen;
pub mod switch;
pub mod verdict;
