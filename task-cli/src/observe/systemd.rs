//! Telling systemd, as a unit with `Type=notify` wants it: ready, what it does, that it lives, that
//! it stops.

use std::time::Duration;

use sd_notify::NotifyState;
use task_worker::{Shutdown, WorkerSnapshot, WorkerState, WorkerStatus};

/// Where systemd says that it listens.
const SOCKET: &str = "NOTIFY_SOCKET";

/// How often to look at the worker.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Who tells.
#[derive(Debug)]
pub(super) struct Systemd {
    status: WorkerStatus,
    shutdown: Shutdown,
    /// How often it wants to hear that the worker lives.
    watchdog: Option<Duration>,
}

impl Systemd {
    /// Who tells where systemd listens; `None` where it does not.
    pub(super) fn of_environment(status: &WorkerStatus, shutdown: &Shutdown) -> Option<Self> {
        std::env::var_os(SOCKET).filter(|socket| !socket.is_empty())?;
        Some(Self {
            status: status.clone(),
            shutdown: shutdown.clone(),
            // Twice as often as asked for, so that one that comes late does no harm.
            watchdog: sd_notify::watchdog_enabled().map(|every| every / 2),
        })
    }

    /// Tells for as long as it is polled.
    pub(super) async fn tell(self) {
        let every = self
            .watchdog
            .map_or(LOOK_EVERY, |watchdog| watchdog.min(LOOK_EVERY))
            .max(Duration::from_millis(1));
        let mut looks = tokio::time::interval(every);
        let mut told = Told::default();
        let mut last_life = None;
        let mut is_asked = false;
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                () = self.shutdown.requested(), if !is_asked => is_asked = true,
            }
            // A worker that starts again as a new program goes on under the same number.
            let stops = is_asked && !self.shutdown.is_making_way();
            send(&told.news(&self.status.snapshot(), stops));
            let is_due =
                |watchdog| last_life.is_none_or(|last: tokio::time::Instant| last.elapsed() >= watchdog);
            if self.watchdog.is_some_and(is_due) && self.status.live().is_ok() {
                send(&["WATCHDOG=1".to_owned()]);
                last_life = Some(tokio::time::Instant::now());
            }
        }
    }
}

/// What systemd knows already.
#[derive(Debug, Default)]
struct Told {
    is_ready: bool,
    stops: bool,
    status: String,
}

impl Told {
    /// What it does not know yet.
    fn news(&mut self, now: &WorkerSnapshot, stops: bool) -> Vec<String> {
        let mut news = Vec::new();
        let has_joined = matches!(now.state, WorkerState::Running | WorkerState::Quiet);
        if has_joined && !std::mem::replace(&mut self.is_ready, true) {
            news.push("READY=1".to_owned());
        }
        if stops && !std::mem::replace(&mut self.stops, true) {
            news.push("STOPPING=1".to_owned());
        }
        let status = format!(
            "{}: {} of {} slots run tasks, {} wait in memory, {} ended",
            now.state.as_str(),
            now.busy,
            now.slots,
            now.backlog,
            now.totals.succeeded + now.totals.failed + now.totals.canceled
        );
        if status != self.status {
            news.push(format!("STATUS={status}"));
            self.status = status;
        }
        news
    }
}

fn send(news: &[String]) {
    if news.is_empty() {
        return;
    }
    let states: Vec<NotifyState<'_>> = news.iter().map(|line| NotifyState::Custom(line)).collect();
    if let Err(error) = sd_notify::notify(&states) {
        tracing::debug!(%error, "systemd does not listen");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_hears_ready_and_stopping_once_and_every_change_of_what_it_does() {
        let mut now = WorkerStatus::new().snapshot();
        let mut told = Told::default();
        let starting = told.news(&now, false);
        assert!(
            starting.len() == 1 && starting[0].starts_with("STATUS=starting"),
            "{starting:?}"
        );
        now.state = WorkerState::Running;
        assert_eq!(told.news(&now, false)[0], "READY=1");
        assert_eq!(told.news(&now, false), Vec::<String>::new());
        now.state = WorkerState::Stopping;
        assert_eq!(told.news(&now, true)[0], "STOPPING=1");
        now.busy = 3;
        assert_eq!(
            told.news(&now, true),
            ["STATUS=stopping: 3 of 0 slots run tasks, 0 wait in memory, 0 ended"]
        );
    }
}
