//! Both reports side by side.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::scenario::{Scenario, Step, scenario};
use super::{ours, theirs};

/// Something that is not the same on both sides, and is meant to be so. Explained in
/// `docs/django-tasks.md` under the same name.
struct Difference {
    /// The label of the task, and what of it.
    what: &'static str,
    /// A part of what django-tasks says, as JSON.
    there: &'static str,
    /// A part of what ours says, as JSON.
    here: &'static str,
}

/// Every difference but that of the order.
const DIFFERENCES: [Difference; 5] = [
    Difference {
        what: "overdue/run_after",
        there: "-3600",
        here: "null",
    },
    Difference {
        what: "longer_overdue/run_after",
        there: "-7200",
        here: "null",
    },
    Difference {
        what: "urgent_overdue/run_after",
        there: "-3600",
        here: "null",
    },
    Difference {
        what: "unstorable/errors/0/0",
        there: "Object of type set is not JSON serializable",
        here: "the return value has a key that is no text",
    },
    Difference {
        what: "too_few_arguments/errors/0/0",
        there: "missing 1 required positional argument: 'right'",
        here: "the arguments do not fit the task: missing field `right`",
    },
];

/// What is compared as a whole, by its rule.
const ORDERS: [&str; 2] = ["order", "ended"];

/// Every value of a document by its path.
fn flatten(value: &Value, path: &str, into: &mut BTreeMap<String, Value>) {
    let below = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}/{name}")
        }
    };
    match value {
        Value::Object(object) if !object.is_empty() => {
            for (name, value) in object {
                flatten(value, &below(name), into);
            }
        }
        Value::Array(array) if !array.is_empty() => {
            for (index, value) in array.iter().enumerate() {
                flatten(value, &below(&index.to_string()), into);
            }
        }
        value => {
            into.insert(path.to_owned(), value.clone());
        }
    }
}

fn flat(mut report: Value) -> BTreeMap<String, Value> {
    let object = report.as_object_mut().expect("a report is an object");
    object.retain(|name, _| !ORDERS.contains(&name.as_str()));
    let mut values = BTreeMap::new();
    flatten(&report, "", &mut values);
    values
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "(absent)".to_owned(), Value::to_string)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scenario_ends_the_same_but_for_the_differences_that_are_named() {
    let scenario = scenario();
    let there = flat(theirs::report());
    let here = flat(ours::report(&scenario).await);
    assert!(
        there.len() > 40 * scenario.tasks.len(),
        "little was compared: {} values",
        there.len()
    );
    let mut unexplained = Vec::new();
    let mut seen = BTreeSet::new();
    let paths: BTreeSet<_> = there.keys().chain(here.keys()).collect();
    for path in paths {
        let (theirs, ours) = (there.get(path), here.get(path));
        if theirs == ours {
            continue;
        }
        let (theirs, ours) = (shown(theirs), shown(ours));
        let named = DIFFERENCES.iter().find(|difference| {
            path.split_once('/')
                .is_some_and(|(_, what)| what == difference.what)
                && theirs.contains(difference.there)
                && ours.contains(difference.here)
        });
        match named {
            Some(difference) => {
                seen.insert(difference.what);
            }
            None => unexplained.push(format!("{path}: there {theirs}, here {ours}")),
        }
    }
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    let named: BTreeSet<_> = DIFFERENCES.iter().map(|difference| difference.what).collect();
    assert_eq!(seen, named, "a difference that is named is not there");
}

/// The labels of a report under this name.
fn labels<'a>(report: &'a Value, name: &str) -> Vec<&'a str> {
    let labels = report[name].as_array().expect("a list");
    labels.iter().filter_map(Value::as_str).collect()
}

/// The steps that are drained, with their number, in the order of a key.
fn ordered<K: Ord>(scenario: &Scenario, key: impl Fn(usize, &Step) -> K) -> Vec<&str> {
    let mut steps: Vec<_> = scenario.tasks.iter().enumerate().collect();
    steps.retain(|(_, step)| {
        let queue = step.queue.as_ref();
        queue.is_none_or(|queue| scenario.drained_queues.contains(queue))
            && step.run_after.is_none_or(|due| due < scenario.drained_after)
    });
    steps.sort_by_key(|(number, step)| key(*number, step));
    steps.iter().map(|(_, step)| step.label.as_str()).collect()
}

fn priority(step: &Step) -> i32 {
    let own = if step.task == "add" { 7 } else { 0 };
    step.priority.unwrap_or(own)
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_run_in_the_same_order_but_for_those_with_a_due_time() {
    let scenario = scenario();
    let reports = [theirs::report(), ours::report(&scenario).await];
    let [there, here] = reports.each_ref().map(|report| labels(report, "order"));
    for (report, order) in reports.iter().zip([&there, &here]) {
        assert_eq!(labels(report, "ended"), *order, "one task at a time");
    }

    // There, whatever has a due time goes before what has none, however long that has waited.
    let rule = ordered(&scenario, |number, step| {
        (-priority(step), step.run_after.unwrap_or(i64::MAX), number)
    });
    assert_eq!(there, rule);
    // Here, what has none is due when it arrives, and a time in the past is the time of arrival.
    let rule = ordered(&scenario, |number, step| {
        (-priority(step), step.run_after.unwrap_or(0).max(0), number)
    });
    assert_eq!(here, rule);

    assert_ne!(there, here);
    let has_due_time = |label: &str| {
        let step = scenario.tasks.iter().find(|step| step.label == label);
        step.is_some_and(|step| step.run_after.is_some())
    };
    let [there, here] = [there, here].map(|mut order| {
        order.retain(|label| !has_due_time(label));
        order
    });
    assert_eq!(there, here);
}

#[test]
fn every_difference_is_explained_in_the_guide() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/django-tasks.md");
    let guide = std::fs::read_to_string(path).expect("the guide is there");
    let rows = guide
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let told: BTreeSet<_> = rows
        .map(|(what, _)| what)
        .filter(|what| what.contains('/'))
        .collect();
    let named: BTreeSet<_> = DIFFERENCES.iter().map(|difference| difference.what).collect();
    assert_eq!(told, named);
    assert!(guide.contains("| the order of tasks with a due time | "));
    assert!(guide.contains(&format!("has {} tasks", scenario().tasks.len())));
}
