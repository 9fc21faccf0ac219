//! `kubectl bluegreen`: what a person or a pipeline does with blue-green apps.
//!
//! Everything that decides or draws is pure, and a thin shell around it talks to the cluster:
//!
//! | pure | asks and shows |
//! |---|---|
//! | [`goal`]: is what is waited for there? | [`wait`]: looks until it is |
//! | [`edit`]: which edit of the spec? | [`change`]: sends it, shows the same edit for Git |
//! | [`report`], [`tree`], [`table`], [`progress`]: objects → lines | [`look`]: reads them |
//! | [`plan`]: the operator's own planner, played to the end | [`commands`], [`release`]: join both |
//! | [`lint`]: the rules of admission | [`screen`]: redraws lines on a terminal |
//!
//! It writes `spec` and nothing else.

pub mod args;
pub mod change;
pub mod cluster;
pub mod commands;
pub mod edit;
pub mod exit;
pub mod gitedit;
pub mod goal;
pub mod line;
pub mod lint;
pub mod look;
pub mod manifest;
pub mod manual;
pub mod plan;
pub mod progress;
pub mod release;
pub mod report;
pub mod screen;
pub mod table;
pub mod tree;
pub mod wait;
