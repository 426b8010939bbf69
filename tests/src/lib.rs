//! What every backend must do, as tests that any backend can run.
//!
//! A [`Fixture`] makes an empty store for each case. [`conformance!`] lists the faces the
//! backend has and becomes one test for each case of each face, in modules by face and
//! family, so a test's name reads `worker::claim::in_order_of_priority_then_due_time_then_arrival`:
//!
//! ```
//! use conformance::{Fixture, Store, conformance};
//! use task_backends::DummyBackend;
//!
//! struct Dummy;
//!
//! impl Fixture for Dummy {
//!     async fn fresh() -> Store {
//!         Store::new(DummyBackend::new())
//!     }
//! }
//!
//! conformance!(Dummy: producer, keeper);
//! ```
//!
//! | face | for a backend that | needs of the fixture |
//! | --- | --- | --- |
//! | `producer` | accepts tasks: all of them | |
//! | `keeper` | can be asked about a task afterwards | |
//! | `forgetful` | cannot: it keeps no results | |
//! | `worker` | workers can take tasks from | [`Store::with_clock`] or [`Store::moved_by`] |
//! | `operator` | an operator can look after; its cases play workers, too | as `worker` |
//! | `durable` | outlives the process; its cases play workers and operators, too | [`Store::opened_by`] |
//!
//! A face that is listed and not there, or there and not listed, fails a test of its own:
//! no case is passed over in silence. What only some backends can do within a face is
//! decided by their [`Capabilities`](task_core::Capabilities), and tested both ways.
//!
//! Each bullet below a `# Behavior` of the three traits of `task-core` is the documentation
//! of a case here, in the same words; a unit test of this crate compares them.

task_core::queues! { default, sums }

mod cases;
pub mod durable;
pub mod executions;
pub mod faces;
pub mod forgetful;
mod heard;
pub mod keeper;
pub mod operator;
pub mod played_worker;
pub mod producer;
mod scene;
pub mod shapes;
mod store;
pub mod tasks;
pub mod worker;

pub use cases::{Case, cases};
pub use heard::Heard;
pub use store::{Fixture, Store, run};

/// Becomes the tests of the suite for one backend: the fixture, then every face it has.
///
/// See the [crate documentation](crate) for the faces.
#[macro_export]
macro_rules! conformance {
    ($fixture:ty: $($face:ident),+ $(,)?) => {
        #[test]
        fn the_faces_are_exactly_those_listed() {
            $crate::run::<$fixture, _>(|store| {
                $crate::faces::are_exactly(store, &[$(::core::stringify!($face)),+])
            });
        }
        $($crate::__face!($face, $fixture);)+
    };
}

/// The tests of one face.
#[doc(hidden)]
#[macro_export]
macro_rules! __face {
    (producer, $fixture:ty) => {
        mod producer {
            use super::*;
            $crate::__producer!($fixture);
        }
    };
    (keeper, $fixture:ty) => {
        mod keeper {
            use super::*;
            $crate::__keeper!($fixture);
        }
    };
    (forgetful, $fixture:ty) => {
        mod forgetful {
            use super::*;
            $crate::__forgetful!($fixture);
        }
    };
    (worker, $fixture:ty) => {
        mod worker {
            use super::*;
            $crate::__worker!($fixture);
        }
    };
    (operator, $fixture:ty) => {
        mod operator {
            use super::*;
            $crate::__operator!($fixture);
        }
    };
    (durable, $fixture:ty) => {
        mod durable {
            use super::*;
            $crate::__durable!($fixture);
        }
    };
    ($face:ident, $fixture:ty) => {
        ::core::compile_error!(::core::concat!(
            "`",
            ::core::stringify!($face),
            "` is no face; known: producer, keeper, forgetful, worker, operator, durable"
        ));
    };
}

/// The tests of one family of cases.
#[doc(hidden)]
#[macro_export]
macro_rules! __family {
    ($fixture:ty, $face:ident::$family:ident: $($case:ident),+ $(,)?) => {
        mod $family {
            #[allow(unused_imports, reason = "the fixture may be named by a path that needs none")]
            use super::*;
            $(
                #[test]
                fn $case() {
                    $crate::run::<$fixture, _>($crate::$face::$family::$case);
                }
            )+
        }
    };
}

#[cfg(test)]
mod completeness;
