//! `docs/diagnostics.md` shows every refused program with what the compiler says, word by word.
//!
//! The page is made from the programs in `ui/refuse` and the messages beside them. After a change,
//! `DIAGNOSTICS=overwrite cargo test --package tests --test diagnostics` writes it again.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What the page is divided into: a heading, a sentence, and names of programs.
const SUBJECTS: &[(&str, &str, &[&str])] = &[
    (
        "Keys of `#[task(..)]`",
        "A key that is unknown, there twice or not written as a key.",
        &[
            "misspelt_attribute",
            "attribute_given_twice",
            "attributes_of_another_form",
            "run_after_as_an_attribute",
            "task_written_twice",
            "several_mistakes_at_once",
        ],
    ),
    (
        "Numbers and durations",
        "Literals in a range; durations in quotes, with a unit.",
        &[
            "priority_out_of_range",
            "priority_not_a_literal",
            "priority_of_another_form",
            "attempts_out_of_range",
            "lost_workers_out_of_range",
            "bad_duration",
            "duration_of_another_form",
            "bad_backoff",
        ],
    ),
    (
        "Schedules and unique tasks",
        "When a task enqueues itself, and of which calls the store keeps one at a time.",
        &["bad_schedule", "schedule_of_another_form", "bad_unique"],
    ),
    (
        "Names, aliases, backends, metadata",
        "What is stored with a task must be storable everywhere, and no two tasks of a crate share a name.",
        &[
            "bad_name",
            "name_out_of_range",
            "two_tasks_of_one_name",
            "name_of_a_struct_that_exists",
            "bad_backend_alias",
            "bad_metadata",
        ],
    ),
    (
        "Queues",
        "Compared with `queues!` where the crate has one.",
        &[
            "unknown_queue",
            "unknown_queue_in_nested_module",
            "unknown_queue_unlike_all_others",
            "unknown_queue_of_another_crate",
            "unknown_queue_constant",
            "unknown_queue_at_a_call",
            "queue_constant_of_another_type",
            "bad_queue_name",
            "queues_that_collide",
            "queues_declared_twice",
        ],
    ),
    (
        "The context",
        "The first parameter, by value, and asked for.",
        &[
            "context_missing",
            "context_not_asked_for",
            "context_not_first",
            "context_by_reference",
            "second_context",
        ],
    ),
    (
        "Functions that cannot be tasks",
        "A task is a free function with a body, called by its name.",
        &[
            "generic_function",
            "other_generics",
            "self_receiver",
            "self_in_other_ways",
            "associated_function",
            "const_unsafe_extern_function",
            "variadic_function",
            "on_a_struct",
            "on_a_trait",
            "on_a_declaration",
            "on_other_items",
            "on_a_closure",
        ],
    ),
    (
        "Arguments",
        "Owned values that can be stored, under plain names.",
        &[
            "reference_argument",
            "impl_trait_argument",
            "pattern_argument",
            "unstorable_argument",
            "argument_only_serialize",
            "unstorable_kinds_of_arguments",
            "unsized_argument",
            "placeholder_type",
            "misspelt_type",
            "reserved_argument_name",
            "argument_named_twice",
            "unknown_argument_attribute",
            "attributes_on_arguments",
            "alias_of_an_argument",
            "default_of_a_type_without_one",
            "wrong_argument_at_a_call",
        ],
    ),
    (
        "Results and errors",
        "What can be stored, and errors that can be printed.",
        &[
            "unstorable_result",
            "result_only_serialize",
            "reference_result",
            "result_that_borrows",
            "impl_trait_result",
            "result_by_name_only",
            "result_of_no_type",
            "private_result",
            "unprintable_error",
        ],
    ),
    (
        "The body and its future",
        "A task may be run by any thread. Mistakes of the body are shown as in any other function.",
        &["future_not_send", "mistake_in_the_body"],
    ),
    (
        "Where `task_core` is found",
        "`crate = path` names it when the dependency is renamed.",
        &["wrong_crate_path"],
    ),
    (
        "`worker!`",
        "It names the crates whose tasks it runs.",
        &[
            "worker_without_tasks",
            "worker_with_misspelt_keys",
            "worker_of_another_form",
            "worker_with_an_unknown_crate",
        ],
    ),
];

const HEAD: &str = "# What the compiler tells you

Every mistake that the macros know, the lines it is about, and the message. Programs and messages are
those of the macros' own tests (`tests/ui/refuse`), so they are what the compiler prints; line numbers are of
the whole programs. All mistakes of one `#[task]` are told at once, each where it was made, and the function
stays: nothing else in the program breaks because of it.

The texts are of the current stable compiler. Where a message begins with `error[E....]`, its frame is the
compiler's own and another version may word it differently.
";

#[test]
fn every_refused_program_is_on_the_page_once() {
    let mut listed = BTreeSet::new();
    for name in SUBJECTS.iter().flat_map(|(_, _, names)| names.iter()) {
        assert!(listed.insert((*name).to_owned()), "{name} is listed twice");
    }
    let mut present = BTreeSet::new();
    for entry in fs::read_dir(refused()).expect("the programs are there") {
        let path = entry.expect("a readable folder").path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            present.insert(path.file_stem().expect("a name").to_string_lossy().into_owned());
        }
    }
    assert_eq!(present, listed, "ui/refuse and the list of subjects differ");
}

#[test]
fn the_page_shows_what_the_compiler_says() {
    let page = root().join("docs/diagnostics.md");
    let expected = page_text();
    if std::env::var_os("DIAGNOSTICS").is_some_and(|value| value == "overwrite") {
        fs::write(&page, &expected).expect("the page can be written");
    }
    let actual = fs::read_to_string(&page).unwrap_or_default();
    let difference = actual
        .lines()
        .zip(expected.lines())
        .enumerate()
        .find(|(_, (actual, expected))| actual != expected);
    assert!(
        actual == expected,
        "docs/diagnostics.md is not what ui/refuse says, first at {difference:?}; \
         DIAGNOSTICS=overwrite cargo test --package tests --test diagnostics writes it again"
    );
}

fn page_text() -> String {
    let mut page = HEAD.to_owned();
    for (heading, sentence, names) in SUBJECTS {
        write!(page, "\n## {heading}\n\n{sentence}\n").expect("a text grows");
        for name in *names {
            let program = read(name, "rs");
            let message = read(name, "stderr");
            write!(
                page,
                "\n### {}\n\n```rust\n{}\n```\n\n```text\n{}\n```\n",
                title(name),
                essential(&program, &message, name),
                message.trim_end()
            )
            .expect("a text grows");
        }
    }
    page
}

/// `on_a_struct` is "On a struct".
fn title(name: &str) -> String {
    let words = name.replace('_', " ");
    let (first, rest) = words.split_at(1);
    first.to_uppercase() + rest
}

/// The paragraphs of the program that the message points to.
fn essential(program: &str, message: &str, name: &str) -> String {
    let place = format!("ui/refuse/{name}.rs:");
    let told: BTreeSet<usize> = message
        .lines()
        .filter_map(|line| line.split_once(&place)?.1.split(':').next()?.parse().ok())
        .collect();
    assert!(!told.is_empty(), "{name}: the message points nowhere");
    let mut paragraphs = Vec::new();
    let mut number = 0;
    let mut has_told = false;
    let mut paragraph = Vec::new();
    for line in program.lines().chain([""]) {
        number += 1;
        if line.trim().is_empty() {
            if has_told {
                paragraphs.push(paragraph.join("\n"));
            }
            paragraph.clear();
            has_told = false;
        } else {
            paragraph.push(line);
            has_told |= told.contains(&number);
        }
    }
    paragraphs.join("\n\n")
}

fn read(name: &str, extension: &str) -> String {
    let path = refused().join(name).with_extension(extension);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn refused() -> PathBuf {
    root().join("tests/ui/refuse")
}

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("the package lies in the repository")
        .to_owned()
}
