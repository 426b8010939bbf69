//! Numbers nobody foresees, and that can be had again.

use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

/// The environment variable that repeats the numbers of an earlier run.
const SEED: &str = "SYSTEM_TEST_SEED";

/// A small generator of random numbers (SplitMix64). Its seed is printed.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Other numbers in each run, unless [`SEED`] says which.
    pub fn new() -> Self {
        let given = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            since.map_or(1, |since| u64::from(since.subsec_nanos()))
        });
        println!("{SEED}={seed}");
        Self(seed)
    }

    /// One of these numbers.
    pub fn among(&mut self, numbers: Range<usize>) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let width = numbers.len() as u64;
        numbers.start + usize::try_from(mixed % width).expect("less than a usize")
    }
}
