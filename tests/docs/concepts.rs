//! The table "I want to …" of `docs/concepts.md`: what it promises is run on a real API server.

use crate::document;
use crate::e2e_tests::e2e_tests;

/// What a person wants, and the tests that do just that and look at what happens.
const SHOWN: &[(&str, &[&str])] = &[
    ("start", &["activation::does_the_first_activation_wait_until_every_pod_is_ready"]),
    (
        "deploy a new version to the idle color",
        &["edits::does_an_edit_of_the_idle_color_change_its_pods_alone_and_show_on_its_own_service"],
    ),
    ("make it live", &["switching::does_a_switch_move_the_service_and_keep_the_old_color_warm"]),
    ("do both in one commit", &["switching::is_a_new_tag_never_served_on_the_readiness_of_the_old_pods"]),
    (
        "go back",
        &[
            "edits::does_a_rollback_bring_the_old_configuration_back_without_a_new_pod",
            "switching::does_a_switch_back_while_draining_need_no_waiting",
        ],
    ),
    ("cancel a switch", &["switching::does_canceling_before_the_switch_leave_the_live_color_alone"]),
    (
        "change configuration",
        &[
            "edits::does_a_shared_edit_reach_only_a_color_that_is_being_prepared",
            "edits::does_a_revision_render_a_color_anew_with_nothing_else_changed",
        ],
    ),
    (
        "fix the live color in place",
        &["edits::does_the_rolling_update_policy_roll_the_live_color_without_a_gap"],
    ),
    (
        "change size",
        &[
            "edits::does_the_number_of_replicas_reach_both_colors",
            "edits::does_the_scale_subresource_work_as_an_autoscaler_needs_it",
        ],
    ),
    ("let an autoscaler change size", &["hpa::does_an_autoscaler_follow_the_live_color_through_a_switch"]),
    (
        "save the idle color's cost",
        &[
            "standby::does_the_old_color_stay_warm_for_as_long_as_asked_and_then_go_to_sleep",
            "standby::does_a_reduced_standby_grow_to_full_size_before_a_switch",
        ],
    ),
    ("remove the idle color", &["edits::does_removing_the_idle_color_take_its_objects_after_the_drain"]),
    (
        "stop everything",
        &[
            "edits::does_a_paused_app_stay_as_it_is_and_go_on_later",
            "edits::does_a_pause_in_the_middle_of_a_switch_stop_it",
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
fn is_every_row_of_i_want_to_run_on_a_real_api_server() {
    let (text, tests) = (document("concepts.md"), e2e_tests());
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
