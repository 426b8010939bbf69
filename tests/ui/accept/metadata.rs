//! What an application says about its tasks: names and literals, as a JSON object.

use serde_json::{Value, json};
use task_core::{Task, task};

#[task(metadata(
    team = "billing",
    cost = 3,
    urgent = true,
    ratio = 0.5,
    below = -7,
    cold = -1.5e3,
    r#type = "a \"quoted\" \\ and\n\u{1}\u{2028} größe",
    "retention-days" = 90u32,
    large = 18446744073709551615,
    small = -9223372036854775808,
))]
pub async fn charge(sum: u32) -> u32 {
    sum
}

#[task(metadata())]
pub async fn empty() {}

#[task]
pub async fn none() {}

fn main() {
    let text = charge::ENTRY.default_metadata();
    let value: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(
        value,
        json!({
            "team": "billing",
            "cost": 3,
            "urgent": true,
            "ratio": 0.5,
            "below": -7,
            "cold": -1500.0,
            "type": "a \"quoted\" \\ and\n\u{1}\u{2028} größe",
            "retention-days": 90,
            "large": u64::MAX,
            "small": i64::MIN,
        })
    );
    assert!(text.starts_with(r#"{"team":"billing","cost":3,"urgent":true,"#), "{text}");
    assert_eq!(empty::ENTRY.default_metadata(), "");
    assert_eq!(none::ENTRY.default_metadata(), "");
}
