//! The table "I want to …" of `docs/concepts.md`: a test does what each row says, on the API server in memory
//! (`driver::…`) or on a real one.

use crate::document;
use crate::named_tests::named_tests;

/// What a person wants, and the tests that do just that and look at what happens.
const SHOWN: &[(&str, &[&str])] = &[
    ("start", &["driver::activation::the_first_activation_waits_until_every_pod_is_ready"]),
    (
        "deploy a new version to the idle color",
        &["driver::edits::an_edit_of_the_idle_color_changes_its_pods_alone_and_shows_on_its_own_service"],
    ),
    (
        "show what is not live under one name",
        &["preview::does_the_preview_lead_to_the_idle_color_before_and_after_each_switch"],
    ),
    ("make it live", &["switching::does_a_switch_move_the_service_and_keep_the_old_color_warm"]),
    (
        "do both in one commit",
        &["driver::switching::a_new_tag_is_never_served_on_the_readiness_of_the_old_pods"],
    ),
    (
        "go back",
        &[
            "driver::edits::a_rollback_brings_the_old_configuration_back_without_a_new_pod",
            "driver::switching::a_switch_back_while_draining_needs_no_waiting",
        ],
    ),
    ("cancel a switch", &["driver::switching::canceling_before_the_switch_leaves_the_live_color_alone"]),
    (
        "change configuration",
        &[
            "driver::edits::a_shared_edit_reaches_only_a_color_that_is_being_prepared",
            "driver::edits::a_revision_renders_a_color_anew_with_nothing_else_changed",
        ],
    ),
    (
        "fix the live color in place",
        &["edits::does_the_rolling_update_policy_roll_the_live_color_without_a_gap"],
    ),
    (
        "change size",
        &[
            "driver::sizes::the_number_of_replicas_reaches_both_colors",
            "edits::does_the_scale_subresource_work_as_an_autoscaler_needs_it",
        ],
    ),
    ("let an autoscaler change size", &["hpa::does_an_autoscaler_follow_the_live_color_through_a_switch"]),
    (
        "save the idle color's cost",
        &[
            "driver::sizes::the_old_color_stays_warm_for_as_long_as_asked_and_then_goes_to_sleep",
            "driver::sizes::a_reduced_standby_grows_to_full_size_before_a_switch",
        ],
    ),
    (
        "remove the idle color",
        &["driver::edits::removing_the_idle_color_takes_its_objects_and_it_can_come_back"],
    ),
    (
        "stop everything",
        &[
            "driver::edits::a_paused_app_stays_as_it_is_and_goes_on_later",
            "driver::edits::a_pause_in_the_middle_of_a_switch_stops_it",
        ],
    ),
    ("delete the app", &["processes::is_everything_collected_when_an_app_is_deleted"]),
    (
        "be told at once that an edit would be held",
        &[
            "policy::is_an_edit_of_the_live_color_warned_about_and_nothing_else",
            "policy::is_an_edit_of_the_live_color_refused_where_that_was_chosen",
        ],
    ),
];

/// The first cells of the table.
fn wishes(text: &str) -> Vec<&str> {
    let table = text.split("\n## I want to …\n").nth(1).unwrap_or_default();
    let table = table.split("\n## ").next().unwrap_or_default();
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.filter_map(|row| row.split('|').nth(1)).map(str::trim).collect()
}

#[test]
fn is_every_row_of_i_want_to_run_by_a_test() {
    let (text, tests) = (document("concepts.md"), named_tests());
    let wishes = wishes(&text);
    for wish in &wishes {
        assert!(SHOWN.iter().any(|(shown, _)| shown == wish), "no test shows: I want to {wish}");
    }
    for (wish, shown_by) in SHOWN {
        assert!(wishes.contains(wish), "docs/concepts.md does not say: I want to {wish}");
        assert!(!shown_by.is_empty(), "no test shows: I want to {wish}");
        for test in *shown_by {
            assert!(tests.contains(*test), "I want to {wish}: there is no test {test}");
        }
    }
    println!("{} rows, each run by a test", wishes.len());
}
