//! Which texts may be names: of queues, tasks, backends and arguments.

/// The longest queue name, in bytes. Backends keep it in a column of this size.
pub(crate) const QUEUE_BYTES: usize = 100;

/// The longest stored name of a task, in bytes.
pub(crate) const TASK_BYTES: usize = 200;

/// The longest alias of a backend, in bytes; the same limit as in the settings.
const ALIAS_BYTES: usize = 64;

/// Names that begin with this are for what the macros write, and for what may one day be
/// stored beside the arguments.
const RESERVED: &str = "__";

/// Why this cannot be the name of a task function or of an argument.
pub(crate) fn refuse_identifier(name: &str) -> Option<String> {
    name.starts_with(RESERVED).then(|| {
        format!("names that begin with `{RESERVED}` are reserved for generated code: write another one")
    })
}

/// Why this cannot name a queue.
pub(crate) fn refuse_queue(name: &str) -> Option<String> {
    refuse("queue name", name, QUEUE_BYTES)
        .or_else(|| (name.trim() != name).then(|| format!("queue name `{name}` begins or ends with a blank")))
}

/// Why this cannot be the stored name of a task.
pub(crate) fn refuse_task(name: &str) -> Option<String> {
    refuse("task name", name, TASK_BYTES).or_else(|| {
        name.contains(char::is_whitespace)
            .then(|| format!("task name `{name}` contains a blank"))
    })
}

/// Why this cannot be the alias of a backend.
pub(crate) fn refuse_backend(name: &str) -> Option<String> {
    let fits = (1..=ALIAS_BYTES).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    (!fits).then(|| {
        format!(
            "`{}` cannot be the alias of a backend: an alias has 1 to {ALIAS_BYTES} ASCII letters, digits, `-` or `_`",
            name.escape_debug()
        )
    })
}

/// Why this cannot have been the name of an argument.
pub(crate) fn refuse_argument(name: &str) -> Option<String> {
    refuse("name of an argument", name, TASK_BYTES)
}

fn refuse(what: &str, name: &str, limit: usize) -> Option<String> {
    if name.is_empty() {
        return Some(format!("a {what} cannot be empty"));
    }
    if name.len() > limit {
        return Some(format!(
            "this {what} is {} bytes long, at most {limit} are stored",
            name.len()
        ));
    }
    if name.contains(char::is_control) {
        return Some(format!("a {what} cannot contain control characters"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_accepted() {
        for name in ["default", "high-priority", "for the boss", "größe"] {
            assert_eq!(refuse_queue(name), None, "{name}");
        }
        assert_eq!(refuse_task("billing::charge"), None);
        assert_eq!(refuse_backend("reports"), None);
    }

    #[test]
    fn the_limit_is_in_bytes_and_inclusive() {
        assert_eq!(refuse_task(&"a".repeat(200)), None);
        assert!(refuse_task(&"a".repeat(201)).is_some_and(|reason| reason.contains("201 bytes")));
        assert!(refuse_queue(&"ü".repeat(51)).is_some_and(|reason| reason.contains("102 bytes")));
    }

    #[test]
    fn an_alias_is_what_settings_accept() {
        assert_eq!(refuse_backend("reports_EU-2"), None);
        assert_eq!(refuse_backend(&"a".repeat(64)), None);
        for alias in ["", "two words", "a.b", "größe", "a\n", &"a".repeat(65)] {
            assert!(
                refuse_backend(alias).is_some_and(|reason| reason.contains("1 to 64 ASCII letters")),
                "{alias}"
            );
        }
    }

    #[test]
    fn two_underscores_are_not_for_users() {
        assert!(refuse_identifier("__version").is_some());
        assert_eq!(refuse_identifier("_version"), None);
    }

    #[test]
    fn empty_blank_and_control_are_refused() {
        assert_eq!(refuse_queue("").as_deref(), Some("a queue name cannot be empty"));
        assert_eq!(
            refuse_queue(" a").as_deref(),
            Some("queue name ` a` begins or ends with a blank")
        );
        assert_eq!(
            refuse_task("a b").as_deref(),
            Some("task name `a b` contains a blank")
        );
        assert_eq!(
            refuse_task("a\n").as_deref(),
            Some("a task name cannot contain control characters")
        );
    }
}
