//! `kubectl bluegreen`: what a person or a pipeline does with blue-green apps.
//!
//! Everything that decides or draws is pure. A thin layer around it talks to the cluster and to the terminal:
//!
//! | pure | reads, writes and prints |
//! |---|---|
//! | [`goal`]: whether the goal is reached | [`wait`]: reads the app until it is; [`warning`]: reads the Events of late pods |
//! | [`edit`]: which edit of the spec to make | [`change`]: sends the edit |
//! | [`file`](mod@file): the same edit in the text of a manifest | [`file_release`]: reads and writes the manifest |
//! | [`group`]: whether all apps of a group may switch | [`group_release`]: switches them, or takes them all back |
//! | `bluegreen-view`, [`tree`], [`table`], [`progress`]: objects → lines | [`objects`]: reads the objects |
//! | [`plan`]: the operator's own planner on a simulated cluster | [`output`], [`screen`]: print lines |
//! | [`lint`]: the rules of the API server | [`commands`], [`release`]: the commands |
//! | [`trial`]: what a trial of checks is about, and what it says | [`trial::run`]: runs their Jobs, and deletes them; [`job_pods`], [`checker_image`] |
//! | `bluegreen-view`: objects → rows and pictures | [`dashboard`]: watches, and serves them to a browser |
//!
//! It writes `spec`, and for a trial creates and deletes Jobs of its own, and nothing else. It prints through [`output`] and [`screen`], which let no text act on the terminal.

#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod apps;
pub mod args;
pub mod change;
pub mod checker_image;
pub mod cluster;
pub mod commands;
pub mod dashboard;
pub mod edit;
pub mod exit;
pub mod file;
pub mod file_release;
pub mod gitedit;
pub mod goal;
pub mod group;
pub mod group_release;
pub mod job_pods;
pub mod line;
pub mod lint;
pub mod manifest;
pub mod manual;
pub mod objects;
pub mod output;
pub mod plan;
pub mod progress;
pub mod release;
pub mod screen;
pub mod shape;
pub mod shape_doc;
mod signals;
pub mod table;
pub mod tree;
pub mod trial;
pub mod wait;
pub mod warning;
