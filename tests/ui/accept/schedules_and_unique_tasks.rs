//! Schedules and rules of uniqueness end up in the entry.

use std::time::Duration;

use task_core::{Missed, Task, TaskContext, Timestamp, UniqueBy, UniqueRule, UniqueUntil, task};

#[task(every = "5m", missed = "all")]
pub async fn tidy() {}

#[task(cron = "0 3 * * MON-FRI", timezone = "Europe/Berlin", missed = "skip", unique = "task")]
pub async fn report() {}

#[task(cron = "@daily", takes_context)]
pub async fn with_arguments(context: TaskContext, day: Option<String>, #[task(default)] part: u8) -> Option<String> {
    let _ = part;
    day.or_else(|| context.tick().map(|tick| tick.to_string()))
}

#[task(unique = ["user", "type"], unique_for = "10m")]
pub async fn welcome(user: u64, r#type: String, at: u64) {
    let _ = (user, r#type, at);
}

#[task(unique = "args", unique_until = "started")]
pub async fn index(page: u64) {
    let _ = page;
}

fn main() {
    let at = |text: &str| text.parse::<Timestamp>().expect("a time");
    let tidy = tidy::ENTRY.schedule().expect("every");
    assert_eq!((tidy.text(), tidy.timezone(), tidy.missed_policy()), ("5m", None, Missed::All));
    assert_eq!(tidy.next_after(at("2026-11-20T21:57:00Z")), Some(at("2026-11-20T22:00:00Z")));

    // From Friday to Monday; 03:00 in Berlin is 02:00 UTC in winter.
    let schedule = report::ENTRY.schedule().expect("cron");
    assert_eq!(schedule.text(), "0 3 * * MON-FRI");
    assert_eq!((schedule.timezone(), schedule.missed_policy()), (Some("Europe/Berlin"), Missed::Skip));
    assert_eq!(schedule.next_after(at("2026-11-20T02:00:00Z")), Some(at("2026-11-23T02:00:00Z")));

    let daily = with_arguments::ENTRY.schedule().expect("daily");
    assert_eq!((daily.timezone(), daily.missed_policy()), (Some("UTC"), Missed::Once));
    with_arguments::ENTRY.check_arguments("{}").expect("it runs without arguments");

    let rule = |by, until| Some(UniqueRule { by, until });
    assert_eq!(report::ENTRY.unique_rule(), rule(UniqueBy::Task, UniqueUntil::Ended));
    assert_eq!(index::ENTRY.unique_rule(), rule(UniqueBy::Arguments, UniqueUntil::Started));
    let for_ten_minutes = UniqueUntil::For(Duration::from_secs(600));
    assert_eq!(welcome::ENTRY.unique_rule(), rule(UniqueBy::Fields(&["user", "type"]), for_ten_minutes));
    let key = |arguments| welcome::ENTRY.unique_call("default", arguments).expect("a rule").key;
    assert_eq!(key(r#"{"user":1,"type":"a","at":1}"#), key(r#"{"at":2,"user":1,"type":"a"}"#));
    assert_ne!(key(r#"{"user":1,"type":"a","at":1}"#), key(r#"{"user":1,"type":"b","at":1}"#));
    assert!(welcome::ENTRY.schedule().is_none());
}
