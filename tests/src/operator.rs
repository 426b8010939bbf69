//! What a backend does for the operator who looks after it: cases of the face `operator`.
//! They play workers, too, to bring tasks into every state.

pub mod any_order;
pub mod counts;
pub mod list;
pub mod nothing_stored;
pub mod prune;
pub mod prune_beside_workers;
pub mod retry;
pub mod workers;

/// Every case of this face, by family.
#[doc(hidden)]
#[macro_export]
macro_rules! __operator {
    ($fixture:ty) => {
        $crate::__family!($fixture, operator::list:
            every_page_but_the_last_is_full_and_no_task_stands_on_two,
            a_page_that_starts_at_a_task_deleted_since_goes_on_behind_it,
            a_size_out_of_range_or_a_mark_that_is_none_is_invalid,
            the_one_enqueued_last_comes_first,
            each_listed_task_is_the_task_as_it_is_found,
            a_status_selects_its_tasks_and_no_others,
            a_queue_and_a_name_select_together,
            a_filtered_list_has_full_pages_too,
            an_empty_store_has_one_empty_page,
            what_is_enqueued_meanwhile_does_not_shift_the_pages,
        );
        $crate::__family!($fixture, operator::counts:
            every_pair_of_queue_and_state_is_counted,
            a_claimed_task_is_counted_once_whatever_becomes_of_it,
            an_empty_store_counts_nothing,
        );
        $crate::__family!($fixture, operator::retry:
            its_earlier_attempts_and_errors_stay_in_its_history,
            a_task_in_any_other_state_is_refused_and_stays_as_it_is,
            an_unknown_id_is_not_found,
            it_runs_again_now_with_as_many_attempts_as_it_had_at_first,
            a_canceled_task_runs_again_too,
            a_scheduled_task_that_was_canceled_runs_now,
            a_task_that_lost_too_many_workers_runs_again,
            it_ends_the_wait_of_workers,
            it_can_be_canceled_again,
            its_old_batch_does_not_return_it,
        );
        $crate::__family!($fixture, operator::prune:
            waiting_and_running_tasks_are_never_deleted,
            age_is_counted_from_the_end_of_the_task_by_the_stores_clock,
            failed_and_canceled_ones_have_an_age_of_their_own,
            only_the_queues_that_are_named,
            a_dry_run_counts_and_deletes_nothing,
            none_is_found_when_the_task_is_there_no_longer,
            a_task_that_was_retried_meanwhile_stays,
            thousands_are_deleted_and_the_rest_stays,
            an_id_that_was_pruned_is_free_again,
            refreshing_what_was_pruned_is_not_found_and_changes_nothing,
        );
        $crate::__family!($fixture, operator::prune_beside_workers:
            pruning_a_part_of_a_batch_leaves_the_rest_to_be_rescued,
            a_task_enqueued_after_pruning_is_not_taken_for_a_pruned_one,
            the_history_of_what_stays_keeps_its_workers,
            what_a_worker_did_after_its_lease_ran_out_stays_told,
            tasks_that_are_pruned_while_others_are_claimed,
        );
        $crate::__family!($fixture, operator::workers:
            those_that_have_joined_and_neither_left_nor_been_given_up,
            a_worker_is_listed_as_it_introduced_itself,
            what_a_worker_holds_is_counted,
            the_end_of_a_lease_moves_with_each_renewal,
        );
        $crate::__family!($fixture, operator::any_order:
            every_task_stays_in_one_place_and_ends,
        );
        $crate::__family!($fixture, operator::nothing_stored:
            by_arguments_over_the_limit,
            by_many_calls_of_which_one_is_bad,
            by_an_id_that_is_taken,
            by_a_call_that_is_refused,
        );
    };
}
