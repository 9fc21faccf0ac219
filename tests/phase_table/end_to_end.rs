//! Which rows also run from end to end, and the tests that run them: on a real API server with real controllers, or on the
//! API server in memory (`driver::…`).

use std::collections::BTreeSet;

use crate::named_tests::named_tests;
use crate::table::rows;

/// A test of `tests/e2e` or `tests/driver`, and below it the rows that it runs.
const SHOWN: &str = "\
processes::is_everything_collected_when_an_app_is_deleted
    new / an earlier app's Deployment is still being collected
driver::conflicts::a_foreign_object_is_left_alone_until_it_goes
    new / somebody else's Deployment stands in the idle one's place
driver::midway::the_other_color_can_be_asked_for_before_anything_serves
    first / spec.active is flipped
driver::activation::the_first_activation_waits_until_every_pod_is_ready
    first / the pods that it waits for get ready
switching::does_a_switch_move_the_service_and_keep_the_old_color_warm
    warm / spec.active is flipped
    draining / the drain passes
driver::switching::a_new_tag_is_never_served_on_the_readiness_of_the_old_pods
    warm / spec.active and the tag of the color that it names, in one commit
driver::edits::an_edit_of_the_idle_color_changes_its_pods_alone_and_shows_on_its_own_service
    warm / the idle color's tag is edited
driver::edits::an_edit_of_the_live_color_is_held_and_says_how_to_go_on
    warm / the live color's tag is edited
    held / the live color's edit is taken back
driver::edits::a_shared_edit_reaches_only_a_color_that_is_being_prepared
    warm / a shared field is edited
driver::sizes::the_number_of_replicas_reaches_both_colors
    warm / replicas up
    warm / replicas down
driver::edits::a_paused_app_stays_as_it_is_and_goes_on_later
    warm / paused
    paused / spec.active and the tag of the color that it names, in one commit
driver::healing::children_that_were_deleted_come_back_as_they_were
    warm / the live Deployment is deleted
    warm / the idle Deployment is deleted
    warm / the idle color's Service is deleted
healing::does_a_live_service_that_was_deleted_come_back_with_its_addresses
    warm / the live Service is deleted
driver::healing::a_lost_revision_is_recovered_without_touching_a_pod
    warm / the idle color's revisions are deleted
    warm / the live color's revisions are deleted
healing::is_a_selector_that_somebody_edited_put_back_at_once
    warm / the live selector is edited to the other color
driver::healing::an_image_that_was_set_by_hand_is_taken_back
    warm / the live Deployment's image is edited
    warm / the idle Deployment's image is edited
driver::health::a_live_color_that_loses_pods_is_called_not_ready_until_it_recovers
    warm / the live pods turn unready
driver::operators::an_operator_of_another_installation_changes_nothing_and_says_so_when_it_is_alone
    warm / another installation's operator holds the Service
at_rest::are_there_no_writes_in_quiet_times_and_none_after_a_restart
    warm / this leader has just taken over
driver::sizes::the_old_color_stays_warm_for_as_long_as_asked_and_then_goes_to_sleep
    reduced / spec.active is flipped
    reduced / the idle color's tag is edited
driver::switching::canceling_before_the_switch_leaves_the_live_color_alone
    preparing / spec.active is flipped
driver::midway::a_tag_that_is_edited_again_while_it_rolls_is_the_one_that_serves
    preparing / the idle color's tag is edited
driver::midway::a_size_that_is_raised_while_the_target_rolls_counts_for_the_switch
    preparing / replicas up
driver::edits::a_pause_in_the_middle_of_a_switch_stops_it
    preparing / paused
driver::midway::a_selector_edited_while_the_target_rolls_is_put_back_first
    preparing / the live selector is edited to the other color
driver::midway::a_service_deleted_while_the_target_rolls_is_back_with_the_committed_color
    preparing / the live Service is deleted
driver::midway::a_target_deleted_while_it_rolls_is_made_again_before_the_switch
    preparing / the idle Deployment is deleted
driver::midway::the_live_color_is_healed_while_the_target_rolls
    preparing / the live Deployment's image is edited
driver::stalls::a_switch_without_progress_is_stalled_after_its_deadline_and_not_before
    preparing / progressDeadlineSeconds pass
    stalled / a shared field is edited
processes::does_a_switch_go_on_after_the_operator_was_killed_in_its_middle
    preparing / this leader has just taken over
    draining / the idle color's tag is edited
driver::switching::a_switch_back_while_draining_needs_no_waiting
    draining / spec.active is flipped
driver::drains::a_switch_back_to_a_new_tag_waits_for_the_end_of_the_drain
    draining / spec.active and the tag of the color that it names, in one commit
driver::drains::the_old_color_grows_in_its_drain_and_shrinks_only_after_it
    draining / replicas up
    draining / replicas down
driver::drains::a_pause_keeps_the_old_color_as_it_is_however_long
    draining / standby: 0 pods at once
    draining / paused
driver::drains::a_drain_that_is_cut_short_ends_at_once
    draining / drainSeconds: 0
driver::drains::a_block_that_is_removed_is_kept_until_the_end_of_the_drain
    draining / the idle color's block is removed
driver::drains::a_deployment_deleted_in_its_drain_is_made_again
    draining / the idle Deployment is deleted
driver::drains::an_image_set_by_hand_is_taken_back_only_after_the_drain
    draining / the idle Deployment's image is edited
driver::drains::a_selector_edited_in_a_drain_is_put_back_and_the_drain_begins_anew
    draining / the live selector is edited to the other color
driver::drains::a_switch_back_that_has_to_wait_can_be_taken_back
    back / spec.active is flipped
driver::drains::a_switch_lets_an_edit_pass_that_was_held
    held / spec.active is flipped
driver::edits::a_held_edit_rolls_out_when_the_policy_allows_it
    held / activeUpdatePolicy: RollingUpdate
driver::midway::nothing_is_put_back_while_paused
    paused / the live selector is edited to the other color
driver::stalls::giving_up_on_a_broken_target_ends_the_stall
    stalled / spec.active is flipped
pull::does_an_image_that_never_pulls_stall_with_its_name_and_recover_when_the_tag_is_fixed
    stalled / the idle color's tag is edited";

/// The rows, each with its test.
pub fn shown() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut test = "";
    SHOWN.lines().filter_map(move |line| {
        let row = line.strip_prefix("    ");
        test = row.map_or(line, |_| test);
        row.map(|row| (row, test))
    })
}

#[test]
fn do_the_rows_and_the_tests_that_are_named_exist() {
    let (rows, tests) = (rows(), named_tests());
    let mut seen = BTreeSet::new();
    for (row, test) in shown() {
        assert!(seen.insert(row), "{row} is there twice");
        assert!(rows.iter().any(|known| known.name() == row), "there is no row {row}");
        assert!(tests.contains(test), "{row}: there is no test {test}");
    }
}
