//! What is written, what is refused, and where.

mod reading;

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::*;

const ROOM: usize = 1 << 20;

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Order {
    lines: Vec<Line>,
    by_name: BTreeMap<String, f64>,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Line {
    name: String,
    price: f64,
}

fn line(price: f64) -> Line {
    Line {
        name: "tea".to_owned(),
        price,
    }
}

/// Where and why the value is refused.
#[track_caller]
fn refused<T: Serialize + ?Sized>(value: &T) -> (String, Reason) {
    let refusal = write(value, ROOM).expect_err("refused");
    (refusal.path.to_string(), refusal.reason)
}

#[track_caller]
fn refused_text(text: &str) -> (String, Reason) {
    let refusal = check(text).expect_err("refused");
    (refusal.path.to_string(), refusal.reason)
}

fn at(path: &str, reason: Reason) -> (String, Reason) {
    (path.to_owned(), reason)
}

#[test]
fn plain_data_is_written_as_serde_json_writes_it() {
    #[derive(Serialize)]
    enum Kind {
        Plain,
        New(u8),
        Pair(u8, i8),
        Named { a: Option<()> },
    }
    #[derive(Serialize)]
    struct Unit;
    let value = (
        (true, 'ü', "a \"quoted\" text\n", [1_u8, 2]),
        (i128::MIN, u128::MAX, 1.0_f64, 0.1_f32, -0.0_f64, 1e300_f64),
        [
            Kind::Plain,
            Kind::New(1),
            Kind::Pair(2, -3),
            Kind::Named { a: Some(()) },
        ],
        (BTreeMap::from([(1, None), (2, Some(Unit))]), (), Vec::<u8>::new()),
        RawValue::from_string("{\"b\": 1.50, \"a\": 1}".to_owned()).expect("JSON"),
    );
    let expected = serde_json::to_string(&value).expect("plain data");
    assert_eq!(write(&value, expected.len()).as_deref(), Ok(expected.as_str()));
}

#[test]
fn nan_and_infinity_are_refused_with_their_place() {
    let mut order = Order {
        lines: vec![line(1.0), line(f64::NAN)],
        ..Order::default()
    };
    assert_eq!(refused(&order), at("lines[1].price", Reason::NotFinite("NaN")));
    order.lines.pop();
    order.by_name.insert("a b".to_owned(), f64::NEG_INFINITY);
    assert_eq!(
        refused(&order),
        at(r#"by_name["a b"]"#, Reason::NotFinite("infinite"))
    );
    assert_eq!(
        refused(&Some(f32::INFINITY)),
        at("", Reason::NotFinite("infinite"))
    );
    assert_eq!(refused(&(1, [f32::NAN])), at("[1][0]", Reason::NotFinite("NaN")));
}

#[test]
fn a_place_inside_of_variants_has_their_names() {
    #[derive(Serialize)]
    enum Shape {
        Dot(f64),
        Line(f64, f64),
        Box { width: f64 },
        Named(Line2),
    }
    #[derive(Serialize)]
    struct Line2(f64, f64);
    let nan = f64::NAN;
    for (shape, path) in [
        (Shape::Dot(nan), "Dot"),
        (Shape::Line(0.0, nan), "Line[1]"),
        (Shape::Box { width: nan }, "Box.width"),
        (Shape::Named(Line2(0.0, nan)), "Named[1]"),
    ] {
        // What was left before is no part of the way.
        let value = [
            Shape::Dot(1.0),
            Shape::Line(1.0, 1.0),
            Shape::Box { width: 1.0 },
            shape,
        ];
        assert_eq!(
            refused(&value),
            at(&format!("[3].{path}"), Reason::NotFinite("NaN"))
        );
    }
}

#[test]
fn u_0000_is_refused_in_texts_and_in_keys() {
    assert_eq!(refused(&[["a", "b\0"]]), at("[0][1]", Reason::Nul));
    assert_eq!(refused(&'\0'), at("", Reason::Nul));
    assert_eq!(refused(&[format_args!("a{}", '\0')]), at("[0]", Reason::Nul));
    assert_eq!(
        refused(&[HashMap::from([("a\0", 1)])]),
        at("[0]", Reason::NulInKey)
    );
    write(&"\u{1}\u{7f}\u{85}\u{2028}\\u0000", ROOM).expect("nothing of it is U+0000");
}

#[test]
fn keys_that_have_a_text_of_their_own_become_it() {
    #[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
    enum Unit {
        Metre,
    }
    let text = |value: Result<String, Refusal>| value.expect("accepted");
    assert_eq!(text(write(&BTreeMap::from([(-5_i128, 1)]), ROOM)), r#"{"-5":1}"#);
    assert_eq!(
        text(write(&BTreeMap::from([(u64::MAX, 1)]), ROOM)),
        r#"{"18446744073709551615":1}"#
    );
    assert_eq!(text(write(&BTreeMap::from([(true, 1)]), ROOM)), r#"{"true":1}"#);
    assert_eq!(text(write(&BTreeMap::from([('"', 1)]), ROOM)), r#"{"\"":1}"#);
    assert_eq!(
        text(write(&BTreeMap::from([(Unit::Metre, 1)]), ROOM)),
        r#"{"Metre":1}"#
    );
    assert_eq!(text(write(&BTreeMap::from([(Some("a"), 1)]), ROOM)), r#"{"a":1}"#);
}

#[test]
fn all_other_keys_are_refused() {
    struct Pairs<K>(Vec<(K, u8)>);
    impl<K: Serialize> Serialize for Pairs<K> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
        }
    }
    fn key<K: Serialize>(key: K) -> (String, Reason) {
        refused(&BTreeMap::from([("map", Pairs(vec![(key, 1)]))]))
    }
    let expected = at("map", Reason::Key);
    assert_eq!(key(1.5_f64), expected);
    assert_eq!(key(f32::NAN), expected);
    assert_eq!(key(Some(0.5)), expected);
    assert_eq!(key(()), expected);
    assert_eq!(key(None::<u8>), expected);
    assert_eq!(key((1, 2)), expected);
    assert_eq!(key(vec!["a"]), expected);
    assert_eq!(key(BTreeMap::from([(1, 2)])), expected);
    assert_eq!(key(line(1.0)), expected);
}

#[test]
fn a_hundred_levels_are_accepted_and_one_more_is_not() {
    #[derive(Serialize)]
    struct Nest(Option<Box<[Nest; 1]>>);
    fn nest(levels: usize) -> Nest {
        (0..levels).fold(Nest(None), |inner, _| Nest(Some(Box::new([inner]))))
    }
    let deepest = write(&nest(MAX_JSON_DEPTH), ROOM).expect("deep enough");
    assert_eq!(deepest.len(), 2 * MAX_JSON_DEPTH + "null".len());
    check(&deepest).expect("the same as text");
    let (path, reason) = refused(&nest(MAX_JSON_DEPTH + 1));
    assert_eq!(reason, Reason::TooDeep);
    assert!(path.starts_with("[0][0][0]"), "{path}");
    // A hundred thousand levels are noticed at the same level.
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert_eq!(refused_text(&deep).1, Reason::TooDeep);
    let raw = RawValue::from_string("[".repeat(99) + &"]".repeat(99)).expect("JSON");
    write(&[&raw], ROOM).expect("a hundred levels, most of them raw");
    assert_eq!(refused(&[[raw]]).1, Reason::TooDeep);
    // Width is not depth.
    write(&vec![[[0_u8; 0]; 3]; 1_000], ROOM).expect("three levels");
}

#[test]
fn a_key_that_is_there_twice_is_refused() {
    #[derive(Serialize)]
    struct Outer {
        name: u8,
        #[serde(flatten)]
        rest: BTreeMap<&'static str, u8>,
    }
    let outer = |key| Outer {
        name: 1,
        rest: BTreeMap::from([(key, 2), ("a", 3)]),
    };
    write(&outer("b"), ROOM).expect("three names");
    assert_eq!(refused(&[outer("name")]), at("[0].name", Reason::Twice));
    assert_eq!(
        refused_text(r#"{"a":{"b":1,"c":2,"\u0062":3}}"#),
        at("a.b", Reason::Twice)
    );
    check(r#"{"b":{"b":1},"a":{"b":1}}"#).expect("each object has its own keys");
}

#[test]
fn raw_json_inside_of_a_value_obeys_the_same_rules() {
    let raw = |text: &str| RawValue::from_string(text.to_owned()).expect("JSON");
    for (text, path, reason) in [
        (r#"{"b":["\u0000"]}"#, "a[1].b[0]", Reason::Nul),
        (r#"{"b\u0000":1}"#, "a[1]", Reason::NulInKey),
        (r#"{"b":1,"b":2}"#, "a[1].b", Reason::Twice),
    ] {
        assert_eq!(
            refused(&BTreeMap::from([("a", (1, raw(text)))])),
            at(path, reason)
        );
    }
    for text in [r#"[1e400]"#, r#"["\ud800"]"#] {
        let (path, reason) = refused(&BTreeMap::from([("a", raw(text))]));
        assert!(
            path == "a[0]" && matches!(reason, Reason::Other(_)),
            "{path}: {reason:?}"
        );
    }
    let kept = r#"{"b": 123456789012345678901234567890.5000}"#;
    assert_eq!(write(&raw(kept), ROOM).as_deref(), Ok(kept));
}

#[test]
fn writing_stops_at_the_limit_and_the_largest_part_is_told() {
    let value = BTreeMap::from([
        ("a", "x".repeat(10)),
        ("b", "x".repeat(90)),
        ("c", "x".repeat(20)),
    ]);
    let length = serde_json::to_string(&value).expect("plain data").len();
    write(&value, length).expect("exactly the limit");
    let refusal = write(&value, length - 1).expect_err("one byte less");
    let reason = Reason::TooLarge(length, Some(("b".to_owned(), 92)));
    assert_eq!((refusal.path.is_empty(), refusal.reason), (true, reason));
    assert_eq!(
        sizes(&serde_json::to_string(&value).expect("plain data")).1,
        Some(("b".to_owned(), 92))
    );

    #[derive(Serialize)]
    struct Parts {
        first: u8,
        second: (String, f64),
    }
    let parts = Parts {
        first: 1,
        second: ("x".repeat(5), 0.5),
    };
    let refusal = write(&parts, 5).expect_err("too large");
    let whole = r#"{"first":1,"second":["xxxxx",0.5]}"#.len();
    let second = r#"["xxxxx",0.5]"#.len();
    assert_eq!(
        refusal.reason,
        Reason::TooLarge(whole, Some(("second".to_owned(), second)))
    );
    let list = write(&["a", "bcd"], 5).expect_err("too large").reason;
    assert_eq!(list, Reason::TooLarge(11, Some(("[1]".to_owned(), 5))));
    assert_eq!(
        write(&"abc", 4).expect_err("too large").reason,
        Reason::TooLarge(5, None)
    );
    // What else is wrong comes before the size.
    assert_eq!(
        write(&("x".repeat(10), f64::NAN), 5)
            .expect_err("both")
            .path
            .to_string(),
        "[1]"
    );
}

#[test]
fn no_more_than_the_limit_is_ever_held() {
    /// Writes so many megabytes without having them.
    struct Endless(usize);
    impl Serialize for Endless {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq((0..self.0).map(|_| MEGABYTE))
        }
    }
    const MEGABYTE: &str = match str::from_utf8(&[b'x'; 1 << 20]) {
        Ok(text) => text,
        Err(_) => unreachable!(),
    };
    for notes in [output::Notes::default(), output::Notes::tracing()] {
        let (mut sink, mut written) = (output::Sink::new(ROOM, &notes), 0);
        while sink.write_all(&[b'x'; 1 << 10]).is_ok() && written < 3 * ROOM {
            written += 1 << 10;
        }
        assert!(sink.into_text().len() <= ROOM);
    }
    let reason = write(&Endless(5), ROOM).expect_err("too large").reason;
    assert!(
        matches!(reason, Reason::TooLarge(bytes, _) if bytes > 5 << 20),
        "{reason:?}"
    );
}

#[test]
fn what_else_cannot_be_written_is_told_in_its_own_words() {
    struct Stubborn;
    impl Serialize for Stubborn {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }
    let value = BTreeMap::from([("a", [Stubborn])]);
    assert_eq!(refused(&value), at("a[0]", Reason::Other("not today".to_owned())));
}
