//! What a backend does that can be asked about a task afterwards: cases of the face `keeper`.

pub mod cancel;
pub mod changed;
pub mod enqueue;
pub mod find;
pub mod results;

/// Every case of this face, by family.
#[doc(hidden)]
#[macro_export]
macro_rules! __keeper {
    ($fixture:ty) => {
        $crate::__family!($fixture, keeper::enqueue:
            when_it_returns_every_task_is_stored,
            all_tasks_of_one_call_are_stored_or_none,
            task_enqueued_is_sent_after_the_task_was_stored,
            a_task_whose_id_is_stored_already_is_an_error_and_nothing_is_stored,
            an_id_twice_in_one_call_is_an_error_and_nothing_is_stored,
            the_mistake_of_one_caller_is_not_anothers,
            tasks_of_many_callers_at_a_time_are_all_stored_once,
        );
        $crate::__family!($fixture, keeper::find:
            none_when_there_is_no_such_task,
            a_task_is_found_as_enqueue_answered,
            every_option_is_found_as_it_was_given,
            metadata_is_found_as_it_was_given,
            text_of_any_kind_is_found_as_it_was_given,
            arguments_of_900_kilobytes_are_found_whole,
            a_due_time_is_found_as_it_was_answered,
        );
        $crate::__family!($fixture, keeper::cancel:
            a_waiting_task_is_canceled_at_once,
            a_scheduled_task_is_canceled_at_once,
            a_finished_task_stays_as_it_is,
            an_unknown_id_is_not_found,
            of_many_who_cancel_at_a_time_one_does,
        );
        $crate::__family!($fixture, keeper::changed:
            it_returns_when_a_task_may_have_changed,
            it_returns_after_the_timeout_when_nothing_changes,
        );
        $crate::__family!($fixture, keeper::results:
            a_result_is_found_again_with_its_type,
            the_id_of_another_task_is_a_mismatch_that_names_it,
            an_id_that_nobody_has_is_not_found,
            a_task_queued_under_an_old_name_is_found_by_its_new_one,
            a_result_without_a_type_reads_its_value_as_json,
            refreshing_what_did_not_change_changes_nothing,
            refreshing_shows_what_changed_and_copies_stay_as_they_were,
            waiting_for_a_task_that_nobody_runs_times_out,
            waiting_ends_when_the_task_does,
            a_task_canceled_before_it_ran_has_no_value_and_says_so,
            a_result_is_readable_where_its_function_is_not_known,
        );
    };
}
