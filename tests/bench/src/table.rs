//! The answer, as Markdown.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use bluegreen_cluster::put_between;

use crate::floor::Floor;
use crate::latency::Latency;
use crate::mass::{Mass, Wave};
use crate::work::Requests;

/// One side's results.
pub struct Column {
    /// The side.
    pub name: &'static str,
    /// The machine's load in the minute before.
    pub load: String,
    /// Resident memory without apps, in MiB.
    pub empty: u64,
    /// One app at a time.
    pub latency: Latency,
    /// Many at once.
    pub mass: Mass,
}

/// What was measured, one side's cell, and the cluster's own.
type Row = (String, Box<dyn Fn(&Column) -> String>, String);

/// All results.
pub struct Table {
    /// How many apps.
    pub apps: usize,
    /// How many seconds without anything to do.
    pub idle: u64,
    /// The sides.
    pub columns: Vec<Column>,
    /// The cluster without any of them.
    pub floor: Floor,
    /// When the run began, as a day.
    pub day: String,
    /// The code that was measured.
    pub commit: String,
}

impl Table {
    /// Puts the table into a document, in place of the last one.
    pub fn write(&self, path: &Path) -> Result<()> {
        let Self { day, commit, .. } = self;
        let cores = std::thread::available_parallelism()?;
        let loads: Vec<String> =
            self.columns.iter().map(|column| format!("{} before {}", column.load, column.name)).collect();
        let loads = loads.join(", ");
        let measured = format!(
            "{self}\nMeasured on {day} at commit `{commit}`, on {cores} cores, load of the machine {loads}.\n"
        );
        put_between(path, "measured", &measured)
    }

    fn rows(&self) -> Vec<Row> {
        let apps = self.apps;
        let none = || "–".to_owned();
        let wave = |wave: Wave| {
            let Requests { writes, reads, .. } = wave.requests;
            let (time, cpu) = (seconds(wave.time), seconds(wave.cpu));
            format!("{time}; CPU {cpu}; {writes} writes, {reads} reads")
        };
        let requests =
            |Requests { writes, events, reads }: Requests| format!("{writes} (+ {events}); {reads}");
        vec![
            (
                "deploy a new version, 3 pods: its ReplicaSet available → all requests go to it".into(),
                Box::new(|c| c.latency.available_to_moved.to_string()),
                none(),
            ),
            (
                "… of that: all its pods in the EndpointSlices → all requests go to it".into(),
                Box::new(|c| c.latency.listed_to_moved.to_string()),
                none(),
            ),
            (
                "back to the version that still runs, 3 pods: edit sent → all requests go to it".into(),
                Box::new(|c| c.latency.back_to_moved.to_string()),
                self.floor.patch.to_string(),
            ),
            (
                "writes of a deployment (+ Events); reads".into(),
                Box::new(move |c| requests(c.latency.deploy)),
                none(),
            ),
            (
                "writes of the way back (+ Events); reads".into(),
                Box::new(move |c| requests(c.latency.way_back)),
                "1; 0".into(),
            ),
            (
                format!("{apps} apps of one pod created → all healthy"),
                Box::new(move |c| wave(c.mass.created)),
                format!("{}; the same objects {}", seconds(self.floor.created), seconds(self.floor.same)),
            ),
            (
                format!("a new version in {apps} apps at once → all apps moved"),
                Box::new(move |c| wave(c.mass.deployed)),
                seconds(self.floor.deployed),
            ),
            (
                format!("{apps} apps back at once → all apps moved"),
                Box::new(move |c| wave(c.mass.back)),
                format!(
                    "{}; with a status each {}",
                    seconds(self.floor.patched),
                    seconds(self.floor.reported)
                ),
            ),
            (
                format!("CPU in {} s of quiet, {apps} apps; writes, reads", self.idle),
                Box::new(|c| {
                    let Requests { writes, events, reads } = c.mass.idle_requests;
                    format!("{}; {}, {reads}", seconds(c.mass.idle), writes + events)
                }),
                none(),
            ),
            (
                format!("resident memory with {apps} apps (with none)"),
                Box::new(|c| format!("{} MiB ({} MiB)", c.mass.memory, c.empty)),
                none(),
            ),
        ]
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| what |")?;
        self.columns.iter().try_for_each(|column| write!(f, " {} |", column.name))?;
        writeln!(f, " the cluster alone |")?;
        writeln!(f, "|---|{}---|", "---|".repeat(self.columns.len()))?;
        for (what, cell, floor) in self.rows() {
            write!(f, "| {what} |")?;
            self.columns.iter().try_for_each(|column| write!(f, " {} |", cell(column)))?;
            writeln!(f, " {floor} |")?;
        }
        Ok(())
    }
}
