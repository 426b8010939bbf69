//! The cases of the suite as data: for tables of what runs against which backend.

/// The faces and the lists of their cases, in the order of the documents.
const LISTS: [(&str, &str); 6] = [
    ("producer", include_str!("producer.rs")),
    ("keeper", include_str!("keeper.rs")),
    ("forgetful", include_str!("forgetful.rs")),
    ("worker", include_str!("worker.rs")),
    ("operator", include_str!("operator.rs")),
    ("durable", include_str!("durable.rs")),
];

/// One case of the suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// What a backend must have for it to run: `worker`.
    pub face: &'static str,
    /// What it is about: `claim`.
    pub family: &'static str,
    /// What is true when it passes.
    pub name: &'static str,
}

/// Every case, as [`conformance!`](crate::conformance) makes tests of them.
///
/// # Panics
/// Never: the lists are part of this crate, and a test reads them.
pub fn cases() -> Vec<Case> {
    LISTS.iter().flat_map(|(face, list)| listed(face, list)).collect()
}

/// The cases in the source of a list: `__family!($fixture, face::family: case, case, );`.
fn listed(face: &'static str, list: &'static str) -> Vec<Case> {
    let families = list.split("__family!($fixture, ").skip(1).map(move |rest| {
        let (path, rest) = rest
            .split_once(':')
            .and_then(|(_, rest)| rest[1..].split_once(':'))?;
        Some((path, rest.split_once(");")?.0))
    });
    families
        .map(|family| family.expect("a list is written in one form"))
        .flat_map(|(family, names)| {
            let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
            names.map(move |name| Case { face, family, name })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cases_are_those_of_the_lists() {
        let cases = cases();
        for (face, family, name) in [
            ("producer", "enqueue", "the_record_has_what_the_task_had"),
            (
                "worker",
                "order",
                "in_order_of_priority_then_due_time_then_arrival",
            ),
            (
                "durable",
                "share",
                "one_name_belongs_to_one_living_worker_of_all_processes",
            ),
        ] {
            assert!(
                cases.contains(&Case { face, family, name }),
                "{face}::{family}::{name}"
            );
        }
        let is_name = |line: &&str| {
            line.strip_suffix(',')
                .is_some_and(|name| name.bytes().all(is_of_a_name))
        };
        let lines = LISTS.iter().flat_map(|(_, list)| list.lines().map(str::trim));
        assert_eq!(cases.len(), lines.filter(is_name).count());
    }

    fn is_of_a_name(byte: u8) -> bool {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'
    }
}
