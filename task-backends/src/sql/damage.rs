//! Stored values that are not what was written: told apart from their neighbours, which
//! are not to suffer from them.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use task_core::{Error, Result};

use super::error::corrupt;

/// Stands for bytes that are no text. Nobody writes these characters, which mean nothing.
const MARK: &str = "\u{fdd0}\u{fdd1}\u{fdd0}";

/// A claimed task that cannot be read, as far as it is known.
pub(crate) struct Unreadable {
    pub(crate) seq: i64,
    pub(crate) lane: i64,
    /// Attempts behind it.
    pub(crate) attempt: u32,
    pub(crate) error: Error,
}

/// The text of these bytes, with a mark for each place where they are none.
pub(crate) fn marked(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push_str(MARK);
        }
    }
    text.into()
}

/// Refuses a text that has such a mark.
pub(crate) fn refuse_marked(text: &str, what: &str) -> Result<()> {
    if text.contains(MARK) {
        return Err(corrupt(format!("{what} are not UTF-8")));
    }
    Ok(())
}

/// A text for people: where it is damaged, it has the sign for that.
pub(crate) fn shown(text: Arc<str>) -> Arc<str> {
    if text.contains(MARK) {
        return text.replace(MARK, "\u{fffd}").into();
    }
    text
}

/// The entries of a list that the claiming statement made, each by itself where the list as a
/// whole cannot be read.
pub(crate) fn entries<'t, T: Deserialize<'t>>(list: &'t str) -> Result<Vec<Result<T, Unreadable>>> {
    if let Ok(entries) = serde_json::from_str::<Vec<T>>(list) {
        return Ok(entries.into_iter().map(Ok).collect());
    }
    let raw: Vec<&RawValue> = serde_json::from_str(list)
        .map_err(|error| corrupt("a claim's tasks cannot be read").because(error))?;
    raw.into_iter()
        .map(|entry| match serde_json::from_str(entry.get()) {
            Ok(entry) => Ok(Ok(entry)),
            Err(error) => Ok(Err(unreadable(entry, &error)?)),
        })
        .collect()
}

/// What can be told of an entry `[lane, rank, due, seq, attempt, ..]` that is not what it must be.
fn unreadable(entry: &RawValue, error: &serde_json::Error) -> Result<Unreadable> {
    let values: Vec<Value> = serde_json::from_str(entry.get())
        .map_err(|error| corrupt("a claimed task cannot be read").because(error))?;
    let number = |index: usize| values.get(index).and_then(Value::as_i64);
    let (Some(lane), Some(seq)) = (number(0), number(3)) else {
        return Err(corrupt("a claimed task has no number"));
    };
    Ok(Unreadable {
        seq,
        lane,
        attempt: number(4)
            .and_then(|attempt| u32::try_from(attempt).ok())
            .unwrap_or(0),
        error: corrupt(error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Entry = (i64, i64, Option<i64>, i64, i64, String);

    #[test]
    fn an_entry_that_cannot_be_read_leaves_its_neighbours_alone() {
        let list = r#"[[1,0,null,7,0,"a"],[1,0,null,8,3,null],[2,0,null,9,0,"c"]]"#;
        let entries = entries::<Entry>(list).expect("a list");
        let read: Vec<_> = entries
            .iter()
            .map(|entry| {
                entry
                    .as_ref()
                    .map(|entry| entry.3)
                    .map_err(|bad| (bad.lane, bad.seq, bad.attempt))
            })
            .collect();
        assert_eq!(read, [Ok(7), Err((1, 8, 3)), Ok(9)]);
        assert!(
            super::entries::<Entry>("[[]]").is_err(),
            "nobody knows which task it is"
        );
        assert!(super::entries::<Entry>("[[").is_err());
    }

    #[test]
    fn bytes_that_are_no_text_are_marked_and_the_rest_stays() {
        let text = marked(b"[\"fine\",\"not \xff\"]");
        let [fine, not]: [String; 2] = serde_json::from_str(&text).expect("still a list");
        refuse_marked(&fine, "the arguments").expect("nothing is wrong with it");
        let error = refuse_marked(&not, "the arguments").expect_err("damaged");
        assert_eq!(error.message(), "the arguments are not UTF-8");
    }
}
