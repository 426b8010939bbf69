//! What every backend does for the application that enqueues: cases of the face `producer`.

pub mod calls;
pub mod capabilities;
pub mod enqueue;
pub mod limits;
pub mod many;
pub mod payloads;
pub mod results;

/// Every case of this face, by family.
#[doc(hidden)]
#[macro_export]
macro_rules! __producer {
    ($fixture:ty) => {
        $crate::__family!($fixture, producer::enqueue:
            the_records_come_back_in_the_order_of_the_tasks_with_the_tasks_ids,
            a_stored_task_is_ready_with_no_attempts_or_already_finished,
            task_enqueued_is_sent_once_for_each_task,
            the_record_has_what_the_task_had,
            a_call_with_no_tasks_is_answered_with_none,
            many_callers_at_a_time_each_get_their_own_tasks_back,
            text_of_any_kind_stays_as_it_is,
        );
        $crate::__family!($fixture, producer::calls:
            a_queue_that_is_not_listed_is_invalid_and_the_nearest_one_is_told,
            an_empty_list_of_queues_accepts_any_name,
            an_alias_that_does_not_exist_is_told_with_the_nearest_one,
            a_priority_beyond_a_hundred_is_invalid,
            a_queue_name_has_at_most_a_hundred_bytes,
            a_task_has_at_least_one_attempt_and_a_millisecond,
            a_call_without_options_has_those_of_the_definition,
            the_options_of_a_call_win_and_leave_the_definition_alone,
            the_metadata_of_a_call_is_in_its_result,
            later_options_of_a_call_win_and_the_earlier_ones_stay,
            a_call_goes_to_the_backend_of_its_alias,
            options_are_checked_against_the_backend_of_the_call,
            a_refused_call_reaches_no_backend,
        );
        $crate::__family!($fixture, producer::capabilities:
            a_due_time_is_accepted_exactly_where_defer_is_declared,
            a_priority_is_accepted_exactly_where_it_is_declared,
            an_async_task_is_accepted_exactly_where_it_is_declared,
            a_task_that_blocks_is_accepted_everywhere,
            the_kind_is_a_word_for_settings,
            the_backend_can_be_asked_for_its_own_type,
        );
        $crate::__family!($fixture, producer::limits:
            arguments_of_exactly_the_limit_are_accepted,
            arguments_over_the_limit_are_too_large_and_reach_no_backend,
            arguments_of_900_kilobytes_fit_the_default_limit,
        );
        $crate::__family!($fixture, producer::many:
            many_calls_are_answered_in_order_over_several_chunks,
            one_bad_call_refuses_all_before_anything_is_stored,
            many_calls_go_to_the_backend_of_each_alias,
            no_calls_at_all_are_answered_with_nothing,
            each_of_many_calls_keeps_its_own_options,
        );
        $crate::__family!($fixture, producer::payloads:
            a_number_that_json_cannot_hold_is_refused_with_its_path,
            the_character_u_0000_is_refused_with_its_path,
            keys_with_a_text_of_their_own_come_back,
            all_other_keys_are_refused_with_the_path_of_the_map,
            numbers_come_back_exactly,
            a_hundred_levels_are_accepted_and_one_more_is_refused,
            of_arguments_that_are_too_large_the_largest_is_told,
            arguments_written_by_hand_obey_the_same_rules,
        );
        $crate::__family!($fixture, producer::results:
            a_result_reads_like_its_record,
            a_result_has_a_value_exactly_when_the_task_was_successful,
            copies_of_a_result_are_equal_and_other_tasks_are_not,
        );
    };
}
