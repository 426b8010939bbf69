//! What arguments may be: the same in every store, refused with the path of the field.

use std::collections::BTreeMap;

use task_core::signals::TASK_ENQUEUED;
use task_core::{
    BackendAlias, Backends, Error, ErrorKind, Limits, MAX_JSON_DEPTH, NewTask, Task, TaskCall, TaskResult,
    queue,
};

use crate::scene::{new_task, own_queue};
use crate::shapes::{
    Keyed, Nest, Order, Unit, assert_same, distances, hard_numbers, same_json, same_keys, same_nest,
    same_numbers, total,
};
use crate::tasks::echo;
use crate::{Heard, Store};

/// The error of a call that is refused before the backend hears of it.
async fn refused<T: Task>(call: TaskCall<T>, backends: &Backends) -> Error {
    let own = own_queue();
    let heard = Heard::in_queue(&TASK_ENQUEUED, &own);
    let outcome = call.using(queue(own)).enqueue_on(backends).await;
    assert_eq!(heard.records(), [], "nothing is stored");
    outcome.map(|result| result.id()).expect_err("refused")
}

/// Says what was refused, where and what to do.
async fn is_refused<T: Task>(store: &Store, call: TaskCall<T>, says: &str) {
    let error = refused(call, &store.backends()).await;
    assert_eq!(error.kind(), ErrorKind::Encoding, "{error}");
    assert_eq!(error.message(), says);
    assert!(error.advice().is_some(), "{error}");
}

/// The arguments as they are stored, where they can be looked up.
async fn stored<T>(store: &Store, result: &TaskResult<T>) -> String {
    if store.backend().capabilities().get_result {
        store.find(result.id()).await.arguments.to_string()
    } else {
        result.record().arguments.to_string()
    }
}

/// The task's arguments read back from the store.
async fn read_back<T: Task>(store: &Store, call: TaskCall<T>) -> (T, TaskResult<T::Output>) {
    let result = call.enqueue_on(&store.backends()).await.expect("accepted");
    let text = stored(store, &result).await;
    let arguments = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    (arguments, result)
}

/// NaN and infinities are refused with the path of the field.
pub async fn a_number_that_json_cannot_hold_is_refused_with_its_path(store: Store) {
    for (price, name) in [
        (f64::NAN, "NaN"),
        (f64::INFINITY, "infinite"),
        (f64::NEG_INFINITY, "infinite"),
    ] {
        let call = total::new(Order::at(&[1.0, 2.0, 3.0, price]), None);
        let says = format!(
            "argument `order.lines[3].price` of `conformance::total` is {name}, which JSON cannot hold"
        );
        is_refused(&store, call, &says).await;
    }
}

/// U+0000 is refused in texts and in keys, with the path of the field.
pub async fn the_character_u_0000_is_refused_with_its_path(store: Store) {
    let mut order = Order::at(&[1.0]);
    order.lines[0].name.push('\0');
    let says = "argument `order.lines[0].name` of `conformance::total` contains the character U+0000, \
                which not every store can keep";
    is_refused(&store, total::new(order, None), says).await;
    let value = serde_json::json!([{ "a\0": 1 }]);
    let says = "argument `value[0]` of `conformance::same_json` has a key with the character U+0000, \
                which not every store can keep";
    is_refused(&store, same_json::new(value), says).await;
}

/// Integers, bools, chars and variants without data become text as keys, and come back.
pub async fn keys_with_a_text_of_their_own_come_back(store: Store) {
    let maps = Keyed {
        integers: BTreeMap::from([(i128::MIN, 1), (0, 2), (i128::MAX, 3)]),
        bools: BTreeMap::from([(false, 1), (true, 2)]),
        chars: BTreeMap::from([('"', 1), ('\u{1f600}', 2)]),
        units: BTreeMap::from([(Unit::Metre, 1), (Unit::Gram, 2)]),
        texts: BTreeMap::from([(String::new(), 1), ("1".to_owned(), 2)]),
    };
    let (arguments, result) = read_back(&store, same_keys::new(maps.clone())).await;
    assert_eq!(arguments.maps, maps);
    if result.is_finished() {
        assert_eq!(result.return_value().expect("it ran"), maps);
    }
}

/// Every other key is refused with the path of the map.
pub async fn all_other_keys_are_refused_with_the_path_of_the_map(store: Store) {
    let says = "argument `by_place` of `conformance::distances` has a key that is no text, integer, bool, \
                char or plain variant";
    is_refused(&store, distances::new(BTreeMap::from([((1, 2), 3)])), says).await;
}

/// Integers of 128 bits come back to the last digit, floats to the last bit.
pub async fn numbers_come_back_exactly(store: Store) {
    let (arguments, result) = read_back(&store, same_numbers::new(hard_numbers())).await;
    assert_same(&arguments.numbers);
    if result.is_finished() {
        assert_same(&result.return_value().expect("it ran"));
    }
    let text = result.record().to_json().to_string();
    assert!(
        text.contains(&format!("[{},{},[1.0,-0.0,", i128::MIN, u128::MAX)),
        "{text}"
    );
}

/// A hundred levels are accepted, the object of the arguments counted, and one more is refused.
pub async fn a_hundred_levels_are_accepted_and_one_more_is_refused(store: Store) {
    assert_eq!(MAX_JSON_DEPTH, 100);
    let (arguments, result) = read_back(&store, same_nest::new(Nest::of(99))).await;
    assert_eq!(arguments.nest, Nest::of(99));
    if result.is_finished() {
        assert_eq!(result.return_value().expect("it ran"), Nest::of(99));
    }
    let error = refused(same_nest::new(Nest::of(100)), &store.backends()).await;
    assert_eq!(error.kind(), ErrorKind::Encoding);
    let text = error.message();
    assert!(text.starts_with("argument `nest[0][0][0]"), "{text}");
    assert!(
        text.ends_with("of `conformance::same_nest` is more than 100 levels deep"),
        "{text}"
    );
}

/// Of arguments that are too large, the largest is told with its size.
pub async fn of_arguments_that_are_too_large_the_largest_is_told(store: Store) {
    let limits = Limits {
        arguments_bytes: 500,
        ..Limits::DEFAULT
    };
    let alias = BackendAlias::new("default", store.backend().clone(), [], limits);
    let call = total::new(Order::at(&[1.0; 3]), "x".repeat(600));
    let size = serde_json::to_string(call.arguments()).expect("plain data").len();
    let error = refused(call, &Backends::new([alias])).await;
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(
        error.message(),
        format!(
            "the arguments of `conformance::total` are {size} bytes of JSON, the limit is 500; the largest is \
             `note` with 602"
        )
    );
    assert!(
        error
            .advice()
            .is_some_and(|advice| advice.contains("max_arguments_bytes"))
    );
}

/// A task made by hand is checked by the same rules.
pub async fn arguments_written_by_hand_obey_the_same_rules(store: Store) {
    let backends = store.backends();
    let alias = backends.get("default").expect("the only one");
    let by_hand = |arguments: &str| NewTask {
        arguments: arguments.into(),
        ..new_task()
    };
    let large = r#"{"text": "x", "sum": 123456789012345678901234567890}"#;
    alias
        .check(&by_hand(large), echo::ENTRY)
        .expect("it can be stored");
    let deep = format!(r#"{{"text":{}{}}}"#, "[".repeat(100), "]".repeat(100));
    for (arguments, says) in [
        (
            r#"{"text":["a","b\u0000"]}"#,
            "argument `text[1]` of `conformance::echo` contains the character U+0000",
        ),
        (
            r#"{"text":{"a":1,"a":2}}"#,
            "argument `text.a` of `conformance::echo` is there twice",
        ),
        (
            r#"{"text":"a","text":"b"}"#,
            "argument `text` of `conformance::echo` is there twice",
        ),
        (
            r#"{"text":[1e999]}"#,
            "argument `text[0]` of `conformance::echo` cannot be stored as JSON: number out of range",
        ),
        (
            r#"{"text":"\ud800"}"#,
            "argument `text` of `conformance::echo` cannot be stored as JSON",
        ),
        (deep.as_str(), "is more than 100 levels deep"),
        (
            r#"["text"]"#,
            "the arguments of `conformance::echo` are JSON, but not an object",
        ),
        (
            "{",
            "the object passed to `conformance::echo` cannot be stored as JSON: EOF",
        ),
    ] {
        let error = alias
            .check(&by_hand(arguments), echo::ENTRY)
            .expect_err(arguments);
        assert_eq!(error.kind(), ErrorKind::Encoding, "{error}");
        assert!(error.message().contains(says), "{arguments}: {error}");
        echo::ENTRY
            .check_arguments(arguments)
            .expect_err("the task says the same");
    }
}
