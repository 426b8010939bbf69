//! Compares the name of a queue with the declared ones while the program compiles.
//!
//! Everything here runs in the compiler and is `const`, which leaves `while` loops,
//! bytes and arrays of fixed size.

/// The longest message. Longer ones lose queues at the end of the list.
const MESSAGE_BYTES: usize = 1024;

/// The longest name that gets a suggestion: the longest that `queues!` accepts.
const NAME_BYTES: usize = crate::options::MAX_QUEUE_BYTES;

/// Stops the compiler with a sentence when this queue is not among the declared ones.
/// Without a declaration there is nothing to compare.
///
/// # Panics
/// That is how a constant refuses to be: the message is the compile error.
#[track_caller]
pub const fn check_queue(declared: Option<&[&str]>, name: &str) {
    let Some(declared) = declared else { return };
    if !contains(declared, name) {
        let message = unknown_queue(declared, name);
        panic!("{}", message.text());
    }
}

const fn contains(declared: &[&str], name: &str) -> bool {
    let mut index = 0;
    while index < declared.len() {
        if is_same(declared[index].as_bytes(), name.as_bytes()) {
            return true;
        }
        index += 1;
    }
    false
}

const fn is_same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut index = 0;
    while index < left.len() {
        if left[index] != right[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// ``unknown queue `a`, did you mean `b`? Declared queues: b, c``
const fn unknown_queue(declared: &[&str], name: &str) -> Message {
    let mut message = Message::new().with("unknown queue `").with(name);
    if declared.is_empty() {
        return message.with("`: this crate declares no queues");
    }
    message = match nearest(declared, name) {
        Some(near) => message.with("`, did you mean `").with(near).with("`? "),
        None => message.with("`. "),
    };
    message = message.with("Declared queues: ").with(declared[0]);
    let mut index = 1;
    while index < declared.len() {
        message = message.with(", ").with(declared[index]);
        index += 1;
    }
    message
}

/// The declared name nearest to this one, unless more than a third of it differs.
const fn nearest<'a>(declared: &[&'a str], name: &str) -> Option<&'a str> {
    let mut best = None;
    let mut least = at_least_one(name.len() / 3) + 1;
    let mut index = 0;
    while index < declared.len() {
        let distance = distance(declared[index].as_bytes(), name.as_bytes());
        if distance < least {
            least = distance;
            best = Some(declared[index]);
        }
        index += 1;
    }
    best
}

/// How many bytes to insert, delete, replace or swap with the next one (optimal string
/// alignment) to make one name of the other. Case does not count.
const fn distance(left: &[u8], right: &[u8]) -> usize {
    if left.len() > NAME_BYTES || right.len() > NAME_BYTES {
        return usize::MAX;
    }
    let mut before = [0; NAME_BYTES + 1];
    let mut above = [0; NAME_BYTES + 1];
    let mut j = 0;
    while j <= right.len() {
        above[j] = j;
        j += 1;
    }
    let mut i = 1;
    while i <= left.len() {
        let mut row = [0; NAME_BYTES + 1];
        row[0] = i;
        j = 1;
        while j <= right.len() {
            let replaced = above[j - 1] + differs(left[i - 1], right[j - 1]);
            row[j] = smaller(replaced, smaller(above[j], row[j - 1]) + 1);
            let is_swapped = i > 1
                && j > 1
                && differs(left[i - 1], right[j - 2]) == 0
                && differs(left[i - 2], right[j - 1]) == 0;
            if is_swapped {
                row[j] = smaller(row[j], before[j - 2] + 1);
            }
            j += 1;
        }
        before = above;
        above = row;
        i += 1;
    }
    above[right.len()]
}

const fn differs(left: u8, right: u8) -> usize {
    if left.eq_ignore_ascii_case(&right) { 0 } else { 1 }
}

const fn smaller(left: usize, right: usize) -> usize {
    if left < right { left } else { right }
}

const fn at_least_one(number: usize) -> usize {
    if number == 0 { 1 } else { number }
}

/// A text put together by the compiler.
struct Message {
    bytes: [u8; MESSAGE_BYTES],
    length: usize,
}

impl Message {
    const fn new() -> Self {
        Self {
            bytes: [0; MESSAGE_BYTES],
            length: 0,
        }
    }

    /// The message and this text, or as many whole characters of it as there is room for.
    const fn with(mut self, text: &str) -> Self {
        let room = MESSAGE_BYTES - self.length;
        let taken = if text.len() <= room {
            text.len()
        } else {
            text.floor_char_boundary(room)
        };
        let mut index = 0;
        while index < taken {
            self.bytes[self.length] = text.as_bytes()[index];
            self.length += 1;
            index += 1;
        }
        self
    }

    const fn text(&self) -> &str {
        match str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            Err(_) => "unknown queue",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARED: &[&str] = &["default", "special", "high-priority"];

    // Compiles, therefore both are accepted.
    const _: () = check_queue(Some(DECLARED), "high-priority");
    const _: () = check_queue(None, "anything");

    #[test]
    fn a_misspelt_queue_is_told_with_the_nearest_and_all_others() {
        assert_eq!(
            unknown_queue(DECLARED, "specail").text(),
            "unknown queue `specail`, did you mean `special`? Declared queues: default, special, high-priority"
        );
    }

    #[test]
    fn a_queue_unlike_all_gets_no_suggestion() {
        assert_eq!(
            unknown_queue(&["default"], "reports").text(),
            "unknown queue `reports`. Declared queues: default"
        );
    }

    #[test]
    fn an_empty_declaration_accepts_nothing() {
        assert_eq!(
            unknown_queue(&[], "a").text(),
            "unknown queue `a`: this crate declares no queues"
        );
    }

    #[test]
    #[should_panic(expected = "unknown queue `defaul`, did you mean `default`?")]
    fn the_check_ends_in_a_panic() {
        check_queue(Some(DECLARED), "defaul");
    }

    #[test]
    fn a_long_list_is_cut_at_a_whole_character() {
        let long = "ü".repeat(50);
        let message = unknown_queue(&[long.as_str(); 30], "a");
        assert!(message.length > MESSAGE_BYTES - 4);
        assert!(message.text().ends_with('ü'));
    }

    #[test]
    fn distance_counts_edits_and_ignores_case() {
        for (left, right, expected) in [
            ("", "abc", 3),
            ("default", "Default", 0),
            ("specail", "special", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(
                distance(left.as_bytes(), right.as_bytes()),
                expected,
                "{left} {right}"
            );
            assert_eq!(
                distance(right.as_bytes(), left.as_bytes()),
                expected,
                "{right} {left}"
            );
        }
        assert_eq!(distance(&[b'a'; NAME_BYTES + 1], b"a"), usize::MAX);
    }
}
