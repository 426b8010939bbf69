//! The list of tasks in a claim's row: `12,13,15:1:4`, numbers in the order of starting.

use task_core::Result;

use super::error::corrupt;

/// A task in a claim's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The task's number; 0 for one that was given back and keeps its position empty.
    pub(crate) seq: i64,
    /// Attempts when it was claimed.
    pub(crate) attempt: u32,
    /// The attempt whose failure is final.
    pub(crate) last_attempt: u32,
}

/// Reads a list.
pub(crate) fn read(list: &str) -> Result<Vec<Listed>> {
    list.split(',')
        .map(|entry| read_entry(entry).ok_or_else(|| corrupt(format!("a claim lists `{entry}`"))))
        .collect()
}

fn read_entry(entry: &str) -> Option<Listed> {
    let mut parts = entry.split(':');
    let seq = parts.next()?.parse().ok()?;
    let Some(attempt) = parts.next() else {
        return Some(Listed {
            seq,
            attempt: 0,
            last_attempt: 1,
        });
    };
    Some(Listed {
        seq,
        attempt: attempt.parse().ok()?,
        last_attempt: parts.next()?.parse().ok()?,
    })
}

/// Writes a list.
pub(crate) fn write(list: &[Listed]) -> String {
    let mut text = String::with_capacity(8 * list.len());
    for task in list {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&task.seq.to_string());
        if (task.attempt, task.last_attempt) != (0, 1) {
            text.push_str(&format!(":{}:{}", task.attempt, task.last_attempt));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_back_and_what_is_none_is_corrupt() {
        let text = "12,0,15:1:4";
        let list = read(text).expect("a list");
        assert_eq!(
            list[2],
            Listed {
                seq: 15,
                attempt: 1,
                last_attempt: 4
            }
        );
        assert_eq!(write(&list), text);
        for wrong in ["", "x", "1,,2", "1:2", "1:2:x"] {
            read(wrong).expect_err(wrong);
        }
    }
}
