//! What a worker takes: its queues and the tasks it knows, without what is paused.

use std::collections::HashSet;
use std::sync::Arc;

use task_core::{Paused, QueueSelection};

/// What may be claimed.
#[derive(Debug)]
pub(crate) struct Taking {
    all_queues: QueueSelection,
    all_names: Arc<HashSet<String>>,
    paused: Paused,
    queues: QueueSelection,
    names: Arc<HashSet<String>>,
}

impl Taking {
    /// Everything of these queues with these names.
    pub(crate) fn new(queues: QueueSelection, names: Arc<HashSet<String>>) -> Self {
        Self {
            all_queues: queues.clone(),
            all_names: names.clone(),
            paused: Paused::default(),
            queues,
            names,
        }
    }

    /// Whether this is what is left out already.
    pub(crate) fn is_without(&self, paused: &Paused) -> bool {
        self.paused == *paused
    }

    /// Leaves this out, and nothing else.
    pub(crate) fn set_paused(&mut self, paused: Paused) {
        self.queues = self.all_queues.clone();
        self.queues.except.extend(paused.queues.iter().cloned());
        self.names = if self.all_names.iter().any(|name| paused.tasks.contains(name)) {
            let left = self.all_names.iter().filter(|name| !paused.tasks.contains(*name));
            Arc::new(left.cloned().collect())
        } else {
            self.all_names.clone()
        };
        self.paused = paused;
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        let only = self.queues.only.as_ref();
        self.names.is_empty() || only.is_some_and(|only| only.is_subset(&self.queues.except))
    }

    /// From which queues.
    pub(crate) fn queues(&self) -> QueueSelection {
        self.queues.clone()
    }

    /// Which tasks.
    pub(crate) fn names(&self) -> Arc<HashSet<String>> {
        self.names.clone()
    }
}

#[cfg(test)]
mod tests {
    use task_core::Pausable;

    use super::*;

    #[test]
    fn what_is_paused_is_left_out_until_it_goes_on() {
        let names: HashSet<String> = ["a", "b"].map(str::to_owned).into();
        let mut taking = Taking::new(QueueSelection::default(), Arc::new(names.clone()));
        let mut paused = Paused::default();
        paused.queues.insert("mail".to_owned());
        paused.tasks.insert("b".to_owned());
        assert!(!taking.is_without(&paused));
        taking.set_paused(paused.clone());
        assert!(taking.is_without(&paused));
        assert!(!taking.queues().includes("mail") && taking.queues().includes("other"));
        assert_eq!(*taking.names(), ["a".to_owned()].into());
        taking.set_paused(Paused::default());
        assert!(taking.queues().includes("mail"));
        assert_eq!(*taking.names(), names);
    }

    #[test]
    fn what_is_paused_altogether_is_not_asked_for() {
        let names: HashSet<String> = ["a"].map(str::to_owned).into();
        let mail = QueueSelection {
            only: Some(["mail".to_owned()].into()),
            ..QueueSelection::default()
        };
        let mut taking = Taking::new(mail, Arc::new(names));
        assert!(!taking.is_empty());
        for what in [Pausable::Queue("mail".to_owned()), Pausable::Task("a".to_owned())] {
            let mut paused = Paused::default();
            paused.add(what);
            taking.set_paused(paused);
            assert!(taking.is_empty());
        }
    }
}
