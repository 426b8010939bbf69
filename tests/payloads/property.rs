//! Values of any shape: accepted exactly when every store can keep them, and then the same
//! when they are read.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use task_backends::DummyBackend;
use task_core::{BackendAlias, ErrorKind, Limits, MAX_JSON_DEPTH, NewTask, Task as _, task};

/// A value of every shape that Rust has and JSON can tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Any {
    Nothing,
    Flag(bool),
    Integer(i128),
    Natural(u128),
    Float(f64),
    Single(f32),
    Char(char),
    Text(String),
    Bytes(Vec<u8>),
    Maybe(Option<Box<Any>>),
    List(Vec<Any>),
    Pair(Box<Any>, Box<Any>),
    Named { left: Box<Any>, right: Box<Any> },
    Texts(BTreeMap<String, Any>),
    Numbers(BTreeMap<i128, Any>),
    Flags(BTreeMap<bool, Any>),
}

/// Keeps anything.
#[task]
pub async fn keep(any: Any) -> Any {
    any
}

impl Any {
    /// How many objects and lists are within each other. Each variant with data is an object.
    fn depth(&self) -> usize {
        let most = |parts: &mut dyn Iterator<Item = &Self>| parts.map(Self::depth).max().unwrap_or(0);
        match self {
            Self::Nothing => 0,
            Self::Flag(_) | Self::Integer(_) | Self::Natural(_) | Self::Float(_) => 1,
            Self::Single(_) | Self::Char(_) | Self::Text(_) => 1,
            Self::Bytes(_) => 2,
            Self::Maybe(any) => 1 + most(&mut any.iter().map(|any| &**any)),
            Self::List(list) => 2 + most(&mut list.iter()),
            Self::Pair(left, right) | Self::Named { left, right } => {
                2 + most(&mut [&**left, &**right].into_iter())
            }
            Self::Texts(map) => 2 + most(&mut map.values()),
            Self::Numbers(map) => 2 + most(&mut map.values()),
            Self::Flags(map) => 2 + most(&mut map.values()),
        }
    }

    /// Whether this holds for the value and all its parts.
    fn all(&self, holds: &dyn Fn(&Self) -> bool) -> bool {
        holds(self)
            && match self {
                Self::Maybe(Some(any)) => any.all(holds),
                Self::List(list) => list.iter().all(|any| any.all(holds)),
                Self::Pair(left, right) | Self::Named { left, right } => left.all(holds) && right.all(holds),
                Self::Texts(map) => map.values().all(|any| any.all(holds)),
                Self::Numbers(map) => map.values().all(|any| any.all(holds)),
                Self::Flags(map) => map.values().all(|any| any.all(holds)),
                _ => true,
            }
    }

    fn has_no_nul(&self) -> bool {
        self.all(&|any| match any {
            Self::Char(char) => *char != '\0',
            Self::Text(text) => !text.contains('\0'),
            Self::Texts(map) => map.keys().all(|key| !key.contains('\0')),
            _ => true,
        })
    }

    fn has_only_numbers(&self) -> bool {
        self.all(&|any| match any {
            Self::Float(float) => float.is_finite(),
            Self::Single(float) => float.is_finite(),
            _ => true,
        })
    }

    /// Whether it fits below the object of the arguments.
    fn is_flat(&self) -> bool {
        self.depth() < MAX_JSON_DEPTH
    }
}

/// Texts of few letters, so that U+0000, quotes and escapes are among them.
fn text() -> impl Strategy<Value = String> {
    let letter = prop_oneof![
        20 => prop::char::range('a', 'c'),
        1 => Just('\0'),
        2 => prop::sample::select(vec!['"', '\\', '\n', '\u{7f}', '\u{2400}', '\u{1f600}']),
        2 => any::<char>(),
    ];
    vec(letter, 0..6).prop_map(String::from_iter)
}

/// Floats of every bit pattern; few of those are no numbers.
fn leaf() -> impl Strategy<Value = Any> {
    prop_oneof![
        Just(Any::Nothing),
        any::<bool>().prop_map(Any::Flag),
        any::<i128>().prop_map(Any::Integer),
        any::<u128>().prop_map(Any::Natural),
        any::<u64>().prop_map(|bits| Any::Float(f64::from_bits(bits))),
        any::<u32>().prop_map(|bits| Any::Single(f32::from_bits(bits))),
        (-5..5_i8).prop_map(|number| Any::Float(number.into())),
        any::<char>().prop_map(Any::Char),
        text().prop_map(Any::Text),
        vec(any::<u8>(), 0..4).prop_map(Any::Bytes),
        Just(Any::Maybe(None)),
    ]
}

fn anything() -> impl Strategy<Value = Any> {
    let branches = leaf().prop_recursive(4, 24, 3, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            boxed.clone().prop_map(|any| Any::Maybe(Some(any))),
            vec(inner.clone(), 0..3).prop_map(Any::List),
            (boxed.clone(), boxed.clone()).prop_map(|(left, right)| Any::Pair(left, right)),
            (boxed.clone(), boxed).prop_map(|(left, right)| Any::Named { left, right }),
            btree_map(text(), inner.clone(), 0..4).prop_map(Any::Texts),
            btree_map(any::<i128>(), inner.clone(), 0..3).prop_map(Any::Numbers),
            btree_map(any::<bool>(), inner, 0..3).prop_map(Any::Flags),
        ]
    });
    // Some of them so deep that the limit is near.
    let wraps = prop_oneof![3 => Just(0_usize), 1 => 40..52_usize];
    (branches, wraps).prop_map(|(any, wraps)| (0..wraps).fold(any, |inner, _| Any::List(vec![inner])))
}

fn alias() -> BackendAlias {
    BackendAlias::new("default", Arc::new(DummyBackend::new()), [], Limits::DEFAULT)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_is_accepted_exactly_when_every_store_can_keep_it_and_comes_back(any in anything()) {
        let is_storable = any.has_no_nul() && any.has_only_numbers() && any.is_flat();
        match keep::new(any.clone()).prepare(&alias()) {
            Ok(task) => {
                prop_assert!(is_storable, "accepted: {any:?}");
                prop_assert!(!task.arguments.contains("\\u0000") || any.has_no_nul());
                let read: keep = serde_json::from_str(&task.arguments).expect("its own text");
                // As text, because to `==` two zeros are the same.
                prop_assert_eq!(format!("{:?}", read.any), format!("{any:?}"));
                keep::ENTRY.check_arguments(&task.arguments).expect("the text obeys the same rules");
            }
            Err(error) => {
                prop_assert!(!is_storable, "{error}: {any:?}");
                prop_assert_eq!(error.kind(), ErrorKind::Encoding);
                prop_assert!(error.message().starts_with("argument `any"), "{}", error);
            }
        }
    }

    #[test]
    fn the_same_value_as_text_obeys_the_same_rules(any in anything()) {
        // Without our checks: what is no number is `null` there.
        let arguments = format!("{{\"any\":{}}}", serde_json::to_string(&any).expect("plain data"));
        let task = NewTask { arguments: arguments.into(), ..keep::new(Any::Nothing).prepare(&alias()).expect("accepted") };
        let checked = alias().check(&task, keep::ENTRY);
        prop_assert_eq!(checked.is_ok(), any.has_no_nul() && any.is_flat(), "{:?}", checked);
    }
}
