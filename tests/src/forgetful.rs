//! What a backend does that keeps no results: cases of the face `forgetful`.

pub mod lookups;

/// Every case of this face, by family.
#[doc(hidden)]
#[macro_export]
macro_rules! __forgetful {
    ($fixture:ty) => {
        $crate::__family!($fixture, forgetful::lookups:
            looking_up_is_unsupported_when_the_backend_keeps_no_results,
            canceling_is_unsupported_too,
            refreshing_and_waiting_are_unsupported_too,
            a_typed_lookup_is_unsupported_too,
            it_does_not_declare_that_results_can_be_looked_up,
        );
    };
}
