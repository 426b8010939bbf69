//! What a backend does that outlives the process: cases of the face `durable`. Whatever is
//! opened a second time stands for another process. They play workers and operators, too.

pub mod reopen;
pub mod share;

/// Every case of this face, by family.
#[doc(hidden)]
#[macro_export]
macro_rules! __durable {
    ($fixture:ty) => {
        $crate::__family!($fixture, durable::reopen:
            tasks_in_every_state_are_there_again,
            what_was_enqueued_last_is_there_again,
            the_end_of_an_attempt_is_there_again,
            a_lease_outlives_the_process_that_claimed,
            a_dead_process_is_noticed_by_the_next_one,
            a_request_to_cancel_outlives_the_process,
            calls_after_closing_fail,
            closing_finishes_what_was_handed_in,
            closing_twice_is_closing,
        );
        $crate::__family!($fixture, durable::share:
            a_result_is_looked_up_from_another_process,
            each_task_goes_to_one_process,
            a_task_is_canceled_from_another_process,
            a_worker_lost_by_one_process_is_rescued_by_another,
            two_processes_rescue_no_task_twice,
            a_lost_lease_is_refused_by_every_process,
            an_enqueue_of_another_process_ends_the_wait,
            what_another_process_enqueues_between_two_waits_is_not_missed,
            a_change_by_another_process_is_noticed,
            waiting_for_a_result_sees_the_end_another_process_wrote,
            many_processes_enqueue_at_a_time_and_nothing_is_lost,
            one_name_belongs_to_one_living_worker_of_all_processes,
        );
    };
}
