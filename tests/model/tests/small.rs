//! Bounds that are small enough for every test run, explored to the end. `make model` explores larger ones.

use bluegreen_model::explore::explore;
use bluegreen_model::{Bounds, Deposed, Gates, Guards, Idle, Scope};

fn holds(bounds: Bounds) {
    let explored = explore(&bounds, &Guards::ALL, usize::MAX, |_, _, _| ());
    let story = explored.counterexample.map(|counterexample| counterexample.to_string());
    assert!(story.is_none(), "{bounds:?}\n{}", story.unwrap_or_default());
    assert!(explored.exhausted);
    assert_eq!(explored.settles, Some(true), "{bounds:?}: a run goes in a circle");
    println!("{bounds:?}: {} states, depth {}, {} ends", explored.states, explored.depth, explored.ends);
}

const REDUCED: Bounds = Bounds {
    edits: 0,
    scope: Scope::All,
    mishaps: 0,
    faults: 0,
    takeovers: 0,
    idle: Idle::Reduced,
    prompted: false,
    narrow: false,
    deposed: Deposed::Sends,
    checks: Gates::None,
    from_nothing: false,
};

#[test]
fn two_edits() {
    holds(Bounds { edits: 2, ..REDUCED });
    holds(Bounds { edits: 2, idle: Idle::Warm, ..REDUCED });
}

#[test]
fn sizes_of_one_two_and_three_and_a_switch() {
    let sizes = Bounds { edits: 2, scope: Scope::Sizes, ..REDUCED };
    holds(sizes);
    holds(Bounds { idle: Idle::Warm, ..sizes });
}

#[test]
fn an_edit_and_a_crash_or_a_delayed_request() {
    holds(Bounds { edits: 1, faults: 1, ..REDUCED });
    holds(Bounds { edits: 1, faults: 1, idle: Idle::Warm, ..REDUCED });
}

#[test]
fn an_edit_while_two_controllers_act() {
    holds(Bounds { edits: 1, takeovers: 1, ..REDUCED });
    holds(Bounds { edits: 1, takeovers: 1, deposed: Deposed::Finishes, ..REDUCED });
}

#[test]
fn an_edit_and_a_mishap() {
    holds(Bounds { edits: 1, mishaps: 1, ..REDUCED });
}

#[test]
fn a_switch_that_is_confirmed_by_name() {
    let narrow = Bounds { narrow: true, ..REDUCED };
    holds(Bounds { edits: 1, faults: 1, ..narrow });
    holds(Bounds { edits: 1, faults: 1, idle: Idle::Warm, ..narrow });
    holds(Bounds { edits: 3, scope: Scope::Flips, ..narrow });
}

/// With a check before a switch and one after it, which end as they like.
#[test]
fn two_edits_with_checks() {
    let checked = Bounds { edits: 2, scope: Scope::Checked, ..REDUCED };
    for checks in [Gates::Before, Gates::After, Gates::Both] {
        holds(Bounds { checks, ..checked });
        holds(Bounds { checks, edits: 1, from_nothing: true, ..checked });
    }
}

#[test]
fn an_edit_with_checks_and_a_crash() {
    holds(Bounds { edits: 1, faults: 1, scope: Scope::Checked, checks: Gates::Both, ..REDUCED });
}

#[test]
fn a_new_app() {
    holds(Bounds { from_nothing: true, ..REDUCED });
    holds(Bounds { edits: 1, from_nothing: true, ..REDUCED });
}

#[test]
fn each_guard_is_needed() {
    for (name, guards, bounds) in
        Guards::each_removed().into_iter().filter(|(_, _, bounds)| bounds.takeovers == 0)
    {
        let explored = explore(&bounds, &guards, usize::MAX, |_, _, _| ());
        let story =
            explored.counterexample.unwrap_or_else(|| panic!("nothing notices that the {name} is gone"));
        println!("\nwithout the {name}:\n{story}");
    }
}
