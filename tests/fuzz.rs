//! Whatever the API server hands over: is it decoded, planned and reported without a panic, twice the same way, and
//! without a touch of the color that serves?
//!
//! A fuzz target that needs no nightly toolchain: bytes become an app and its children, valid ones into which anything
//! may have been put anywhere, and these go the way that they go in the operator. `SECONDS=n` goes on for longer
//! (`make fuzz`). A failure prints a seed: `ARBTEST_SEED=0x…` plays that one case again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "fuzz/checks.rs"]
mod checks;
#[path = "fuzz/lists.rs"]
mod lists;
#[path = "fuzz/objects.rs"]
mod objects;

use std::cell::Cell;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use arbtest::arbtest;
use bluegreen_api::BlueGreenApp;
use bluegreen_core::observe::Snapshot;
use bluegreen_core::validate;
use kube::ResourceExt;
use objects::{Objects, anything};

/// How many there were, how many of them could be decoded, and how many were valid.
#[derive(Default)]
struct Counts([Cell<u64>; 3]);

impl Counts {
    fn count(&self, at: usize) {
        self.0[at].set(self.0[at].get() + 1);
    }

    fn note(&self, snapshot: Option<&Snapshot>) {
        self.count(0);
        if let Some(Snapshot { app, .. }) = snapshot {
            self.count(1);
            if validate::problems(&app.name_any(), &app.spec).is_empty() {
                self.count(2);
            }
        }
    }

    /// A target that throws nearly all away finds nothing. Of specs into which anything was put about one in five is
    /// decoded, and half of those are valid.
    fn are_enough(&self) {
        let [all, decoded, valid] = self.0.each_ref().map(Cell::get);
        println!("{all} apps, {decoded} decoded, {valid} valid");
        assert!(decoded * 10 > all && valid * 20 > all, "{all} apps, {decoded} decoded, {valid} valid");
    }
}

/// How much there is to draw from, in bytes.
const SIZE: (u32, u32) = (1_024, 4_096);

fn budget(seconds: u64) -> Duration {
    let asked = std::env::var("SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(asked.unwrap_or(seconds))
}

/// Makes apps and their children, spoils them, and checks what can still be decoded.
fn try_spoiled(
    spoil: impl Fn(&mut Objects, &mut Unstructured<'_>) -> Result<()>,
    check: impl Fn(&Snapshot, &mut Unstructured<'_>) -> Result<()>,
) {
    let ((least, most), counts) = (SIZE, Counts::default());
    arbtest(|u| {
        let mut objects = Objects::serving(u)?;
        spoil(&mut objects, u)?;
        let snapshot = objects.decode();
        counts.note(snapshot.as_ref());
        snapshot.map_or(Ok(()), |snapshot| check(&snapshot, u))
    })
    .size_min(least)
    .size_max(most)
    .budget(budget(3))
    .run();
    counts.are_enough();
}

/// Anything anywhere: in the app, its status, and every child.
#[test]
fn is_anything_decoded_planned_and_reported_without_a_panic_and_twice_the_same_way() {
    try_spoiled(|objects, u| objects.spoil(u), checks::everything);
}

/// The children are as the operator made them; the spec is whatever somebody made of it.
#[test]
fn does_no_spec_at_all_touch_the_color_that_serves() {
    let check = |snapshot: &Snapshot, u: &mut Unstructured<'_>| {
        checks::serving_is_left_alone(snapshot);
        checks::everything(snapshot, u)
    };
    try_spoiled(|objects, u| objects.spoil_spec(u), check);
}

/// Whoever may write one object must not hide those of others.
#[test]
fn does_one_spoiled_object_hide_no_other_in_a_list_or_a_watch() {
    let counts = [Cell::new(0_u64), Cell::new(0)];
    arbtest(|u| {
        let objects = Objects::serving(u)?;
        let Some(readable) = lists::one_of_some_kind(u, &objects)? else { return Ok(()) };
        let count = &counts[usize::from(readable)];
        count.set(count.get() + 1);
        Ok(())
    })
    .size_min(SIZE.0)
    .size_max(SIZE.1)
    .budget(budget(3))
    .run();
    let [unreadable, readable] = counts.each_ref().map(Cell::get);
    println!("{readable} could be decoded, {unreadable} could not");
    assert!(unreadable * 10 > readable && readable * 10 > unreadable, "{readable} and {unreadable}");
}

/// Text that is no app, or hardly one.
#[test]
fn is_no_text_at_all_too_much_for_the_decoder() {
    arbtest(|u| {
        let value = anything(u, 3)?;
        let _ = serde_json::from_value::<BlueGreenApp>(value.clone());
        let yaml = serde_yaml_ng::to_string(&value).unwrap_or_default();
        let _ = serde_yaml_ng::from_str::<BlueGreenApp>(&yaml);
        text(u)
    })
    .budget(budget(1))
    .run();
}

fn text(u: &mut Unstructured<'_>) -> Result<()> {
    let text: String = u.arbitrary()?;
    let _ = serde_json::from_str::<BlueGreenApp>(&text);
    let _ = serde_yaml_ng::from_str::<BlueGreenApp>(&text);
    Ok(())
}
