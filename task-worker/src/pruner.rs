//! Deleting tasks that finished long ago.

use std::sync::Arc;
use std::time::Duration;

use task_core::{BackendAlias, PruneRule};

/// The shortest and the longest time between two looks.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));

/// Deletes tasks that finished so long ago, for as long as the worker lives. A store without an
/// operator's face keeps everything.
///
/// Every worker does: what one has deleted is gone for the others, and a store deletes in
/// transactions of bounded size.
pub(crate) async fn prune(alias: Arc<BackendAlias>, keep: Duration) {
    let Some(admin) = alias.backend().admin() else {
        return;
    };
    let rule = PruneRule {
        min_age: keep,
        failed_min_age: None,
        queues: Vec::new(),
        dry_run: false,
    };
    loop {
        tokio::time::sleep(pause(keep)).await;
        match admin.prune(&rule).await {
            Ok(0) => {}
            Ok(deleted) => tracing::debug!(deleted, "finished tasks that were old enough are deleted"),
            Err(error) => tracing::warn!(%error, "cannot delete finished tasks, trying again later"),
        }
    }
}

/// How long to wait between two looks: a twentieth of the time tasks are kept, so that none stays
/// much longer.
fn pause(keep: Duration) -> Duration {
    (keep / 20).clamp(LOOK_EVERY.0, LOOK_EVERY.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_stay_hardly_longer_than_they_are_kept() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        assert_eq!(pause(Duration::ZERO), Duration::from_secs(1));
        assert_eq!(pause(minutes(60)), minutes(3));
        assert_eq!(pause(minutes(60 * 24 * 14)), minutes(60));
        assert_eq!(pause(Duration::MAX), minutes(60));
    }
}
