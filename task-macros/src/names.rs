//! Which texts may be names: of queues, tasks and backends.

/// The longest queue name, in bytes. Backends keep it in a column of this size.
pub(crate) const QUEUE_BYTES: usize = 100;

/// The longest stored name of a task, in bytes.
pub(crate) const TASK_BYTES: usize = 200;

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
    refuse("backend alias", name, QUEUE_BYTES).or_else(|| {
        name.contains(char::is_whitespace)
            .then(|| format!("backend alias `{name}` contains a blank"))
    })
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
        assert_eq!(
            refuse_backend("").as_deref(),
            Some("a backend alias cannot be empty")
        );
    }
}
