//! Showing others how the worker does: probes and metrics over HTTP, notices to systemd.
//!
//! All of it runs on a thread of its own, so that tasks which block the worker's threads cannot
//! keep it from saying so, and nobody who asks can keep a task from running.

#[cfg(feature = "http")]
mod http;
#[cfg(feature = "http")]
mod metrics;
#[cfg(feature = "systemd")]
mod systemd;

use std::thread::JoinHandle;

use task_core::{Error, ErrorKind, Result};
use task_worker::{Shutdown, WorkerStatus};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::args::RunArgs;

/// The thread that shows the worker to others. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Observer {
    thread: Option<JoinHandle<()>>,
    end: Option<oneshot::Sender<()>>,
}

impl Observer {
    /// Starts it where somebody wants to look: an address is given, or systemd listens.
    ///
    /// # Errors
    /// [`ErrorKind::State`] when the address cannot be listened on.
    pub(crate) fn start(args: &RunArgs, status: &WorkerStatus, shutdown: &Shutdown) -> Result<Self> {
        #[cfg(feature = "http")]
        let listener = args.http.map(http::listen).transpose()?;
        #[cfg(feature = "systemd")]
        let systemd = systemd::Systemd::of_environment(status, shutdown);
        #[cfg(not(any(feature = "http", feature = "systemd")))]
        let _ = (args, shutdown);

        let mut parts: Vec<Part> = Vec::new();
        #[cfg(feature = "http")]
        if let Some(listener) = listener {
            parts.push(Box::pin(http::serve(listener, status.clone())));
        }
        #[cfg(feature = "systemd")]
        if let Some(systemd) = systemd {
            parts.push(Box::pin(systemd.tell()));
        }
        if parts.is_empty() {
            return Ok(Self {
                thread: None,
                end: None,
            });
        }
        let cannot = |error: std::io::Error| {
            Error::new(ErrorKind::State, "cannot start the thread for probes and metrics").because(error)
        };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(cannot)?;
        let (end, ended) = oneshot::channel();
        let observe = move || {
            let _guard = runtime.enter();
            for part in parts {
                runtime.spawn(part);
            }
            // An error says that the other side is gone, which is the end as well.
            let _ = runtime.block_on(ended);
        };
        let thread = std::thread::Builder::new()
            .name("task-observer".to_owned())
            .spawn(observe)
            .map_err(cannot)?;
        Ok(Self {
            thread: Some(thread),
            end: Some(end),
        })
    }
}

/// Something the thread does until it ends.
type Part = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl Drop for Observer {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // Nothing there panics; if it did, its own message said so.
            let _ = thread.join();
        }
    }
}
