//! What a backend does for the workers that take tasks from it: cases of the face `worker`.

pub mod cancel;
pub mod claim;
pub mod defer;
pub mod finish;
pub mod give_back;
pub mod lease;
pub mod order;
pub mod pause;
pub mod payloads;
pub mod rescue;
pub mod results;
pub mod retry;
pub mod schedules;
pub mod unique;
pub mod wake;

/// Every case of this face, by family.
#[doc(hidden)]
#[macro_export]
macro_rules! __worker {
    ($fixture:ty) => {
        $crate::__family!($fixture, worker::claim:
            only_tasks_that_are_due_of_the_selected_queues_with_a_known_name,
            no_task_is_ever_claimed_by_two_workers_at_a_time,
            a_worker_that_left_or_was_lost_claims_nothing,
            only_these_queues_and_never_those,
            a_claimed_task_brings_its_metadata,
            a_task_with_an_unknown_name_waits_for_a_worker_that_knows_it,
            a_task_under_an_old_name_goes_to_a_worker_that_knows_the_alias,
            at_most_as_many_as_were_asked_for,
            nothing_to_claim_is_an_empty_answer,
            what_is_claimed_is_the_task_as_it_was_found_before,
            each_claim_has_a_batch_of_its_own_with_positions_from_0,
            a_claimed_task_is_running_under_its_workers_name,
            thousands_of_tasks_are_claimed_without_loss,
        );
        $crate::__family!($fixture, worker::order:
            in_order_of_priority_then_due_time_then_arrival,
            one_order_over_all_queues_and_names_whatever_the_limit,
            a_crowded_queue_is_served_in_order_beside_sparse_ones,
            one_order_for_each_of_several_workers_that_take_differently,
            a_worker_gets_what_stands_behind_thousands_that_are_not_for_it,
            what_was_scheduled_takes_its_place_when_it_is_due,
            a_task_that_comes_back_unstarted_keeps_its_place,
            the_order_of_one_call_is_the_order_of_arrival,
        );
        $crate::__family!($fixture, worker::defer:
            a_scheduled_task_is_claimed_once_it_is_due_and_not_before,
            a_due_time_in_the_past_means_now,
            next_due_says_how_long_until_the_next_scheduled_task,
            next_due_is_none_when_none_is_scheduled,
            a_task_of_the_far_future_is_kept_and_slows_nothing,
            scheduled_and_ready_tasks_of_one_call_are_told_apart,
        );
        $crate::__family!($fixture, worker::finish:
            the_end_of_an_attempt_is_there_when_it_returns,
            a_task_whose_lease_is_no_longer_valid_is_refused_and_nothing_is_written_for_it,
            a_task_with_a_retry_is_ready_again_and_due_after_the_given_time,
            every_attempt_that_failed_is_kept_with_its_failure,
            a_value_ends_it_successful,
            null_is_a_value,
            a_failure_ends_it_failed,
            valid_and_refused_leases_in_one_call_are_told_apart,
            the_ends_of_several_batches_fit_in_one_call,
            finishing_and_claiming_at_the_same_time_do_both,
            the_mistake_of_one_worker_is_not_anothers,
            with_nothing_to_tell_nothing_happens,
            a_thousand_ends_fit_in_one_call,
            text_of_any_kind_comes_back_in_values_and_failures,
            a_value_of_900_kilobytes_comes_back_whole,
            the_same_progress_handed_in_again_changes_nothing,
            progress_handed_in_late_leaves_the_next_attempt_alone,
        );
        $crate::__family!($fixture, worker::retry:
            attempts_workers_times_and_errors_add_up,
            the_failure_of_the_last_attempt_is_final,
            a_retry_is_claimed_once_it_is_due_and_not_before,
            a_retry_may_go_to_another_worker_while_its_batch_goes_on,
            what_is_claimed_again_is_the_task_as_it_was_found_before,
            a_retried_task_can_be_canceled_while_it_waits,
            a_retry_after_ages_stays_readable,
        );
        $crate::__family!($fixture, worker::lease:
            the_lease_runs_again_from_now_by_the_stores_clock,
            a_worker_that_was_given_up_is_told_so_and_stays_given_up,
            a_lease_that_runs_is_not_taken,
            a_worker_that_left_is_told_so,
            a_worker_nobody_knows_is_told_so,
            the_tasks_of_a_worker_that_left_wait_for_a_rescuer,
            one_name_belongs_to_one_living_worker,
            a_name_is_free_again_after_leaving_or_the_end_of_the_lease,
            a_name_has_1_to_64_bytes,
        );
        $crate::__family!($fixture, worker::unique:
            a_task_whose_key_is_held_is_not_stored_and_the_one_that_holds_it_comes_back,
            of_two_in_one_call_the_second_finds_the_first_and_the_rest_is_stored,
            until_it_has_ended_it_keeps_others_out,
            until_it_has_started_it_keeps_others_out,
            for_a_time_it_keeps_others_out_whatever_becomes_of_it,
            of_many_callers_at_a_time_one_task_is_stored,
            a_task_that_was_pruned_keeps_nobody_out,
            a_task_that_lost_its_worker_keeps_others_out,
            calls_of_one_key_are_one_task,
            a_thousand_keys_are_held_at_a_time,
        );
        $crate::__family!($fixture, worker::pause:
            workers_hear_of_it_with_the_next_renewal_of_their_lease,
            doing_it_twice_changes_nothing,
            tasks_may_be_enqueued_while_their_queue_is_paused,
            pausing_is_a_change,
        );
        $crate::__family!($fixture, worker::schedules:
            a_schedule_that_was_not_known_begins_now,
            the_last_tick_never_goes_back,
            a_renewal_tells_the_stores_time,
        );
        $crate::__family!($fixture, worker::give_back:
            one_that_was_not_started_returns_as_it_was,
            one_that_snoozes_returns_as_it_was_due_after_that_time,
            one_that_snoozes_and_is_canceled_ends_canceled,
            after_an_error_the_same_tasks_may_be_handed_in_again,
            one_that_was_interrupted_keeps_the_attempt_in_its_history,
            an_interrupted_at_most_once_task_is_failed,
            an_at_most_once_task_that_was_not_started_returns,
            a_task_whose_lease_is_no_longer_valid_is_left_alone,
            what_is_given_back_can_be_claimed_at_once,
            the_rest_of_the_batch_goes_on,
            an_interruption_is_not_counted_as_a_loss,
        );
        $crate::__family!($fixture, worker::rescue:
            at_most_so_many_tasks_in_one_call,
            a_task_that_was_not_started_returns_as_it_was,
            a_started_one_keeps_the_attempt_in_its_history_as_lost,
            two_rescuers_at_a_time_return_no_task_twice,
            a_task_that_lost_too_many_workers_is_failed_with_that_reason,
            an_at_most_once_task_is_failed_after_one_loss,
            an_at_most_once_task_that_was_not_started_runs,
            what_was_told_as_started_counts_as_started,
            the_finished_part_of_a_batch_is_not_returned,
            the_retried_part_of_a_batch_is_not_returned,
            the_part_of_a_batch_that_was_given_back_is_not_returned,
            a_loss_is_not_the_tasks_own_failure,
            many_batches_are_rescued_page_by_page,
            with_nobody_lost_nothing_happens,
        );
        $crate::__family!($fixture, worker::cancel:
            a_waiting_task_that_was_canceled_is_never_run,
            a_running_one_is_asked_to_stop_and_ends_canceled,
            a_value_that_was_returned_first_counts,
            a_canceled_task_that_fails_for_now_is_not_tried_again,
            a_canceled_task_that_fails_for_good_ends_canceled,
            a_canceled_task_of_a_lost_worker_ends_canceled,
            a_canceled_task_that_is_given_back_ends_canceled,
            a_worker_is_asked_about_its_own_tasks_only,
            a_request_to_cancel_stands_until_the_task_has_ended,
            a_finished_one_stays_as_it_is_however_it_ended,
            who_asked_first_and_why_is_in_the_record,
        );
        $crate::__family!($fixture, worker::payloads:
            numbers_come_back_exactly,
            a_value_of_a_hundred_levels_comes_back_and_a_deeper_one_fails,
            a_value_that_cannot_be_stored_fails_with_its_path,
            the_text_of_a_failure_has_a_picture_of_u_0000,
            a_long_text_of_a_failure_is_cut_with_a_note,
        );
        $crate::__family!($fixture, worker::results:
            waiting_returns_the_value_once_there_is_one,
            waiting_for_a_task_that_fails_tells_why,
            a_running_task_has_no_value_yet,
            a_value_of_another_type_is_told,
            a_task_canceled_while_it_ran_has_no_value,
            value_and_errors_are_readable_where_the_function_is_not_known,
        );
        $crate::__family!($fixture, worker::wake:
            it_returns_when_something_was_enqueued_meanwhile,
            what_comes_between_two_waits_is_not_missed,
            it_returns_after_the_timeout_when_nothing_comes,
            a_waiter_that_has_seen_nothing_does_not_wait_for_what_is_there,
            a_task_that_comes_back_ends_the_wait,
            everybody_who_waits_is_woken,
        );
    };
}
