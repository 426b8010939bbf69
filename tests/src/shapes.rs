//! Tasks whose arguments and return values are at the edge of what can be stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use task_core::task;

/// Lists in a list, as deep as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nest(pub Vec<Nest>);

impl Nest {
    /// So many levels, at least one.
    pub fn of(levels: usize) -> Self {
        (1..levels).fold(Self(Vec::new()), |inner, _| Self(vec![inner]))
    }
}

/// What is paid for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Line by line.
    pub lines: Vec<Line>,
}

/// One thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What it is called.
    pub name: String,
    /// What it costs.
    pub price: f64,
}

impl Order {
    /// Lines at these prices.
    pub fn at(prices: &[f64]) -> Self {
        let line = |price: &f64| Line {
            name: "tea".to_owned(),
            price: *price,
        };
        Self {
            lines: prices.iter().map(line).collect(),
        }
    }
}

/// A variant without data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Unit {
    /// Of length.
    Metre,
    /// Of mass.
    Gram,
}

/// Maps with keys of every kind that can be stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyed {
    /// Integers.
    pub integers: BTreeMap<i128, u8>,
    /// Bools.
    pub bools: BTreeMap<bool, u8>,
    /// Chars.
    pub chars: BTreeMap<char, u8>,
    /// Variants.
    pub units: BTreeMap<Unit, u8>,
    /// Texts.
    pub texts: BTreeMap<String, u8>,
}

/// Integers and floats, as they are.
pub type Numbers = (i128, u128, Vec<f64>, Vec<f32>);

/// Integers at the ends of their types and floats that are hard to write.
pub fn hard_numbers() -> Numbers {
    let floats = vec![
        1.0,
        -0.0,
        0.1,
        5e-324,
        f64::MAX,
        1e23,
        -2.225_073_858_507_201e-308,
    ];
    let singles = vec![1.0, -0.0, 0.1, 1e-45, f32::MAX, 8.589_973e9];
    (i128::MIN, u128::MAX, floats, singles)
}

/// The same numbers to the last bit: `-0.0` is not `0.0`.
pub fn assert_same(numbers: &Numbers) {
    let bits = |(least, most, floats, singles): &Numbers| {
        let floats: Vec<_> = floats.iter().map(|float| float.to_bits()).collect();
        let singles: Vec<_> = singles.iter().map(|float| float.to_bits()).collect();
        (*least, *most, floats, singles)
    };
    assert_eq!(bits(numbers), bits(&hard_numbers()));
}

/// Returns the numbers it was given.
#[task]
pub async fn same_numbers(numbers: Numbers) -> Numbers {
    numbers
}

/// Returns the nest it was given.
#[task]
pub async fn same_nest(nest: Nest) -> Nest {
    nest
}

/// Returns the maps it was given.
#[task]
pub async fn same_keys(maps: Keyed) -> Keyed {
    maps
}

/// Returns the JSON it was given.
#[task]
pub async fn same_json(value: serde_json::Value) -> serde_json::Value {
    value
}

/// Adds up an order.
#[task]
pub async fn total(order: Order, note: Option<String>) -> f64 {
    drop(note);
    order.lines.iter().map(|line| line.price).sum()
}

/// Takes a map that has no texts for its keys.
#[task]
pub async fn distances(by_place: BTreeMap<(u8, u8), u8>) -> usize {
    by_place.len()
}

/// Returns an order at this fraction of its price; of nothing, that is no number.
#[task]
pub async fn order_at(part: f64, of: f64) -> Order {
    Order::at(&[1.0, part / of])
}

/// Returns lists in a list, so many levels deep.
#[task]
pub async fn dig(levels: usize) -> Nest {
    Nest::of(levels)
}

/// Returns a text with U+0000 in a list.
#[task]
pub async fn c_string() -> Vec<String> {
    vec!["a\0".to_owned()]
}

/// Returns a map whose keys are no texts.
#[task]
pub async fn distances_to(place: u8) -> BTreeMap<(u8, u8), u8> {
    BTreeMap::from([((0, place), 1)])
}

/// Fails with U+0000 in what it says.
#[task]
pub async fn fail_in_c() -> Result<(), String> {
    Err("a\0b".to_owned())
}

/// Panics with U+0000 in what it says.
#[task]
pub async fn panic_in_c() {
    panic!("a\0b");
}

/// Fails with this many letters.
#[task]
pub async fn fail_at_length(letters: usize) -> Result<(), String> {
    Err("x".repeat(letters))
}
