//! Where in a value something is: `order.lines[3].price`.

use std::fmt;

/// The longest path that is shown whole, and of a longer one how much of each end, in characters.
const LONGEST: usize = 160;
const END: usize = 60;

/// The longest key that is shown whole, in characters.
const LONGEST_KEY: usize = 40;

/// One step from a value into a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A field or variant of a type.
    Field(&'static str),
    /// A key of an object.
    Key(String),
    /// A place in a list, from 0.
    Index(usize),
}

/// The way from a value to a part of it; empty for the value itself.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Path(Vec<Step>);

impl Path {
    /// These steps, the outermost at the beginning.
    pub(crate) fn new(steps: Vec<Step>) -> Self {
        Self(steps)
    }

    /// These steps, the innermost at the beginning.
    pub(super) fn reversed(mut steps: Vec<Step>) -> Self {
        steps.reverse();
        Self(steps)
    }

    /// Whether it is the value itself.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn whole(&self) -> String {
        let mut text = String::new();
        for step in &self.0 {
            let key = match step {
                Step::Index(index) => {
                    text.push_str(&format!("[{index}]"));
                    continue;
                }
                Step::Field(name) => *name,
                Step::Key(key) => key,
            };
            let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
            if key.is_empty() || !key.chars().all(is_plain) {
                text.push_str(&format!("[{:?}]", shortened(key, LONGEST_KEY, LONGEST_KEY / 2)));
            } else {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(&shortened(key, LONGEST_KEY, LONGEST_KEY / 2));
            }
        }
        text
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shortened(&self.whole(), LONGEST, END))
    }
}

/// The text, or both ends of it.
fn shortened(text: &str, longest: usize, end: usize) -> String {
    let count = text.chars().count();
    if count <= longest {
        return text.to_owned();
    }
    let head = text.chars().take(end);
    let tail = text.chars().skip(count - end);
    head.chain(['…']).chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_like_the_code_that_goes_there() {
        let path = Path::new(vec![
            Step::Field("order"),
            Step::Key("lines".to_owned()),
            Step::Index(3),
            Step::Key("a b\0".to_owned()),
            Step::Key(String::new()),
            Step::Field("price"),
        ]);
        assert_eq!(path.to_string(), r#"order.lines[3]["a b\0"][""].price"#);
        assert_eq!(Path::default().to_string(), "");
        assert_eq!(Path::new(vec![Step::Index(0)]).to_string(), "[0]");
    }

    #[test]
    fn of_a_long_path_both_ends_are_shown() {
        let mut steps = vec![Step::Field("tree")];
        steps.extend((0..100).map(|_| Step::Field("left")));
        steps.push(Step::Field("price"));
        let text = Path::new(steps).to_string();
        assert!(
            text.starts_with("tree.left.left") && text.ends_with(".left.price"),
            "{text}"
        );
        assert_eq!(text.chars().count(), 2 * END + 1);

        let text = Path::new(vec![Step::Key("x".repeat(1_000_000)), Step::Field("a")]).to_string();
        assert!(text.len() < 60 && text.ends_with("x.a"), "{text}");
    }
}
