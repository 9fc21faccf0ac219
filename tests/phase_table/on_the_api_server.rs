//! Which rows also run from end to end, and the tests that run them: on a real API server with real controllers, or on the
//! API server in memory (`driver::…`).

use std::collections::BTreeSet;

use crate::e2e_tests::{driver_tests, e2e_tests};
use crate::table::rows;

/// (phase, event, tests of `tests/e2e` and `tests/driver`).
const SHOWN: &[(&str, &str, &[&str])] = &[
    (
        "new",
        "an earlier app's Deployment is still being collected",
        &["processes::is_everything_collected_when_an_app_is_deleted"],
    ),
    (
        "new",
        "somebody else's Deployment stands in the idle one's place",
        &["driver::conflicts::a_foreign_object_is_left_alone_until_it_goes"],
    ),
    (
        "first",
        "spec.active is flipped",
        &["driver::midway::the_other_color_can_be_asked_for_before_anything_serves"],
    ),
    (
        "first",
        "the pods that it waits for get ready",
        &["activation::does_the_first_activation_wait_until_every_pod_is_ready"],
    ),
    (
        "warm",
        "spec.active is flipped",
        &["switching::does_a_switch_move_the_service_and_keep_the_old_color_warm"],
    ),
    (
        "warm",
        "spec.active and the tag of the color that it names, in one commit",
        &["switching::is_a_new_tag_never_served_on_the_readiness_of_the_old_pods"],
    ),
    (
        "warm",
        "the idle color's tag is edited",
        &["edits::does_an_edit_of_the_idle_color_change_its_pods_alone_and_show_on_its_own_service"],
    ),
    (
        "warm",
        "the live color's tag is edited",
        &["driver::edits::an_edit_of_the_live_color_is_held_and_says_how_to_go_on"],
    ),
    (
        "warm",
        "a shared field is edited",
        &["edits::does_a_shared_edit_reach_only_a_color_that_is_being_prepared"],
    ),
    ("warm", "replicas up", &["edits::does_the_number_of_replicas_reach_both_colors"]),
    ("warm", "replicas down", &["edits::does_the_number_of_replicas_reach_both_colors"]),
    ("warm", "paused", &["edits::does_a_paused_app_stay_as_it_is_and_go_on_later"]),
    (
        "warm",
        "the live Deployment is deleted",
        &["driver::healing::children_that_were_deleted_come_back_as_they_were"],
    ),
    (
        "warm",
        "the idle Deployment is deleted",
        &["driver::healing::children_that_were_deleted_come_back_as_they_were"],
    ),
    (
        "warm",
        "the idle color's Service is deleted",
        &["driver::healing::children_that_were_deleted_come_back_as_they_were"],
    ),
    (
        "warm",
        "the live Service is deleted",
        &["healing::does_a_live_service_that_was_deleted_come_back_with_its_addresses"],
    ),
    (
        "warm",
        "the idle color's revisions are deleted",
        &["driver::healing::a_lost_revision_is_recovered_without_touching_a_pod"],
    ),
    (
        "warm",
        "the live color's revisions are deleted",
        &["driver::healing::a_lost_revision_is_recovered_without_touching_a_pod"],
    ),
    (
        "warm",
        "the live selector is edited to the other color",
        &["healing::is_a_selector_that_somebody_edited_put_back_at_once"],
    ),
    (
        "warm",
        "the live Deployment's image is edited",
        &["driver::healing::an_image_that_was_set_by_hand_is_taken_back"],
    ),
    (
        "warm",
        "the idle Deployment's image is edited",
        &["driver::healing::an_image_that_was_set_by_hand_is_taken_back"],
    ),
    (
        "warm",
        "the live pods turn unready",
        &["driver::health::a_live_color_that_loses_pods_is_called_not_ready_until_it_recovers"],
    ),
    (
        "warm",
        "another installation's operator holds the Service",
        &[
            "driver::operators::an_operator_of_another_installation_changes_nothing_and_says_so_when_it_is_alone",
        ],
    ),
    (
        "warm",
        "this leader has just taken over",
        &["quiet::are_there_no_writes_in_quiet_times_and_none_after_a_restart"],
    ),
    (
        "reduced",
        "spec.active is flipped",
        &["standby::does_the_old_color_stay_warm_for_as_long_as_asked_and_then_go_to_sleep"],
    ),
    (
        "reduced",
        "the idle color's tag is edited",
        &["standby::does_the_old_color_stay_warm_for_as_long_as_asked_and_then_go_to_sleep"],
    ),
    (
        "preparing",
        "spec.active is flipped",
        &["switching::does_canceling_before_the_switch_leave_the_live_color_alone"],
    ),
    (
        "preparing",
        "the idle color's tag is edited",
        &["driver::midway::a_tag_that_is_edited_again_while_it_rolls_is_the_one_that_serves"],
    ),
    (
        "preparing",
        "replicas up",
        &["driver::midway::a_size_that_is_raised_while_the_target_rolls_counts_for_the_switch"],
    ),
    ("preparing", "paused", &["edits::does_a_pause_in_the_middle_of_a_switch_stop_it"]),
    (
        "preparing",
        "the live selector is edited to the other color",
        &["driver::midway::a_selector_edited_while_the_target_rolls_is_put_back_first"],
    ),
    (
        "preparing",
        "the live Service is deleted",
        &["driver::midway::a_service_deleted_while_the_target_rolls_is_back_with_the_committed_color"],
    ),
    (
        "preparing",
        "the idle Deployment is deleted",
        &["driver::midway::a_target_deleted_while_it_rolls_is_made_again_before_the_switch"],
    ),
    (
        "preparing",
        "the live Deployment's image is edited",
        &["driver::midway::the_live_color_is_healed_while_the_target_rolls"],
    ),
    (
        "preparing",
        "progressDeadlineSeconds pass",
        &["driver::stalls::a_switch_without_progress_is_stalled_after_its_deadline_and_not_before"],
    ),
    (
        "preparing",
        "this leader has just taken over",
        &["processes::does_a_switch_go_on_after_the_operator_was_killed_in_its_middle"],
    ),
    ("draining", "spec.active is flipped", &["switching::does_a_switch_back_while_draining_need_no_waiting"]),
    (
        "draining",
        "spec.active and the tag of the color that it names, in one commit",
        &["driver::drains::a_switch_back_to_a_new_tag_waits_for_the_end_of_the_drain"],
    ),
    (
        "draining",
        "the idle color's tag is edited",
        &["processes::does_a_switch_go_on_after_the_operator_was_killed_in_its_middle"],
    ),
    (
        "draining",
        "replicas up",
        &["driver::drains::the_old_color_grows_in_its_drain_and_shrinks_only_after_it"],
    ),
    (
        "draining",
        "replicas down",
        &["driver::drains::the_old_color_grows_in_its_drain_and_shrinks_only_after_it"],
    ),
    (
        "draining",
        "standby: 0 pods at once",
        &["driver::drains::a_pause_keeps_the_old_color_as_it_is_however_long"],
    ),
    ("draining", "paused", &["driver::drains::a_pause_keeps_the_old_color_as_it_is_however_long"]),
    ("draining", "drainSeconds: 0", &["driver::drains::a_drain_that_is_cut_short_ends_at_once"]),
    (
        "draining",
        "the idle color's block is removed",
        &["driver::drains::a_block_that_is_removed_is_kept_until_the_end_of_the_drain"],
    ),
    (
        "draining",
        "the idle Deployment is deleted",
        &["driver::drains::a_deployment_deleted_in_its_drain_is_made_again"],
    ),
    (
        "draining",
        "the idle Deployment's image is edited",
        &["driver::drains::an_image_set_by_hand_is_taken_back_only_after_the_drain"],
    ),
    (
        "draining",
        "the live selector is edited to the other color",
        &["driver::drains::a_selector_edited_in_a_drain_is_put_back_and_the_drain_begins_anew"],
    ),
    (
        "draining",
        "the drain passes",
        &["switching::does_a_switch_move_the_service_and_keep_the_old_color_warm"],
    ),
    ("back", "spec.active is flipped", &["driver::drains::a_switch_back_that_has_to_wait_can_be_taken_back"]),
    ("held", "spec.active is flipped", &["driver::drains::a_switch_lets_an_edit_pass_that_was_held"]),
    (
        "held",
        "the live color's edit is taken back",
        &["driver::edits::an_edit_of_the_live_color_is_held_and_says_how_to_go_on"],
    ),
    (
        "held",
        "activeUpdatePolicy: RollingUpdate",
        &["driver::edits::a_held_edit_rolls_out_when_the_policy_allows_it"],
    ),
    (
        "paused",
        "spec.active and the tag of the color that it names, in one commit",
        &["edits::does_a_paused_app_stay_as_it_is_and_go_on_later"],
    ),
    (
        "paused",
        "the live selector is edited to the other color",
        &["driver::midway::nothing_is_put_back_while_paused"],
    ),
    ("stalled", "spec.active is flipped", &["driver::stalls::giving_up_on_a_broken_target_ends_the_stall"]),
    (
        "stalled",
        "a shared field is edited",
        &["driver::stalls::a_switch_without_progress_is_stalled_after_its_deadline_and_not_before"],
    ),
    (
        "stalled",
        "the idle color's tag is edited",
        &["pull::does_an_image_that_never_pulls_stall_with_its_name_and_recover_when_the_tag_is_fixed"],
    ),
];

/// How many rows that are, and the tests.
pub fn summary() -> (usize, Vec<&'static str>) {
    let tests: BTreeSet<&str> = SHOWN.iter().flat_map(|(_, _, tests)| *tests).copied().collect();
    (SHOWN.len(), tests.into_iter().collect())
}

#[test]
fn do_the_rows_and_the_tests_that_are_named_exist() {
    let (rows, mut tests) = (rows(), e2e_tests());
    tests.extend(driver_tests());
    let mut seen = BTreeSet::new();
    for (phase, event, shown_by) in SHOWN {
        assert!(seen.insert((phase, event)), "{phase} / {event} is there twice");
        assert!(
            rows.iter().any(|row| row.phase.name == *phase && row.event == *event),
            "no row {phase} / {event}"
        );
        assert!(!shown_by.is_empty(), "{phase} / {event} names no test");
        for test in *shown_by {
            assert!(tests.contains(*test), "{phase} / {event}: there is no test {test}");
        }
    }
    assert!(SHOWN.len() >= 20);
}
