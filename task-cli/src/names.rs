//! Lists of names as people type them: `mail, reports`, or `*` for all.

use std::collections::BTreeSet;

use task_core::QueueSelection;

/// What stands for all names.
pub(crate) const ALL: &str = "*";

/// Names between commas, without the blanks around them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Names(Vec<String>);

impl Names {
    /// Reads a list; one that names nothing is a mistake.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let names = Self::parse_optional(text)?;
        if names.0.is_empty() {
            return Err("it names nothing; `*` stands for all".to_owned());
        }
        Ok(names)
    }

    /// Reads a list that may be empty.
    pub(crate) fn parse_optional(text: &str) -> Result<Self, String> {
        let names: Vec<String> = text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        match names.iter().find(|name| name.chars().any(char::is_control)) {
            Some(name) => Err(format!("`{}` has control characters", name.escape_debug())),
            None => Ok(Self(names)),
        }
    }

    /// The names as they were typed, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Other names in their places.
    pub(crate) fn map(&self, other: impl Fn(&str) -> String) -> Self {
        Self(self.iter().map(other).collect())
    }

    /// The names, or none where `*` among them stands for all.
    pub(crate) fn only(&self) -> Option<BTreeSet<String>> {
        if self.0.iter().any(|name| name == ALL) {
            None
        } else {
            Some(self.0.iter().cloned().collect())
        }
    }

    /// The names for a filter, where an empty list selects everything.
    pub(crate) fn filter(names: Option<&Self>) -> Vec<String> {
        names
            .and_then(Self::only)
            .map(|only| only.into_iter().collect())
            .unwrap_or_default()
    }
}

/// The queues a worker takes from.
pub(crate) fn selection(queues: &Names, except: Option<&Names>) -> Result<QueueSelection, String> {
    let only = queues.only();
    let except: BTreeSet<String> = except
        .map(|names| names.0.iter().cloned().collect())
        .unwrap_or_default();
    if except.is_empty() {
        return Ok(QueueSelection { only, except });
    }
    if only.is_some() {
        return Err("--exclude-queues can only be used with all queues, `--queue '*'`".to_owned());
    }
    if except.contains(ALL) {
        return Err("--exclude-queues with `*` leaves no queue to take tasks from".to_owned());
    }
    Ok(QueueSelection { only, except })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Names {
        Names::parse(text).expect("a list")
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn names_are_trimmed_and_blank_ones_left_out() {
        assert_eq!(names(" mail , reports,,").only(), Some(set(&["mail", "reports"])));
        assert!(Names::parse(" , ").is_err());
        assert!(Names::parse("a\u{1b}[31m").is_err());
    }

    #[test]
    fn a_star_anywhere_means_all() {
        assert_eq!(names("mail,*").only(), None);
        assert_eq!(Names::filter(Some(&names("*"))), Vec::<String>::new());
        assert_eq!(Names::filter(None), Vec::<String>::new());
    }

    #[test]
    fn queues_can_be_excluded_only_from_all() {
        let excluded = names("mail");
        let all = selection(&names("*"), Some(&excluded)).expect("all but one");
        assert_eq!((all.only, all.except), (None, set(&["mail"])));
        let message = selection(&names("reports"), Some(&excluded)).expect_err("named ones");
        assert!(message.contains("only be used with all queues"), "{message}");
        selection(&names("*"), Some(&names("*"))).expect_err("nothing is left");
        let nothing = Names::parse_optional("").expect("may be empty");
        assert_eq!(
            selection(&names("mail"), Some(&nothing))
                .expect("nothing excluded")
                .only,
            Some(set(&["mail"]))
        );
    }
}
