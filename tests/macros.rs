//! What the macros accept and what they refuse, word by word.
//!
//! Each program in `ui` is named for what it shows. `TRYBUILD=overwrite cargo test` writes the
//! messages again after a change: read them before they are kept.

#[test]
fn refused_programs() {
    trybuild::TestCases::new().compile_fail("ui/refuse/*.rs");
}

#[test]
fn accepted_programs() {
    trybuild::TestCases::new().pass("ui/accept/*.rs");
}
