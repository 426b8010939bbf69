//! Tasks that tell the test that enqueued them what happens to them.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use task_core::{
    Backends, OrFatal as _, TaskContext, TaskError, TaskVerdict, Verdict, enqueue_many_on, task,
};
use tokio::sync::watch;

/// What a test and its tasks share, found by its name among the arguments of the tasks.
#[derive(Debug)]
pub struct Board {
    /// The backends of the test, for tasks that enqueue tasks.
    pub backends: Backends,
    notes: Mutex<Vec<String>>,
    running: AtomicUsize,
    most: AtomicUsize,
    gate: watch::Sender<bool>,
}

fn boards() -> MutexGuard<'static, HashMap<String, Arc<Board>>> {
    static BOARDS: OnceLock<Mutex<HashMap<String, Arc<Board>>>> = OnceLock::new();
    let boards = BOARDS.get_or_init(Mutex::default);
    boards.lock().unwrap_or_else(PoisonError::into_inner)
}

fn board(name: &str) -> io::Result<Arc<Board>> {
    let board = boards().get(name).cloned();
    board.ok_or_else(|| io::Error::other(format!("there is no board {name}")))
}

impl Board {
    /// A board of this name, with its gate closed.
    pub fn put_up(name: &str, backends: Backends) -> Arc<Self> {
        let board = Arc::new(Self {
            backends,
            notes: Mutex::default(),
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            gate: watch::Sender::new(false),
        });
        boards().insert(name.to_owned(), board.clone());
        board
    }

    /// What tasks wrote so far, in order.
    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many tasks that can be counted run now.
    pub fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// The most that ran at the same time.
    pub fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    /// Lets every task pass that waits, now and later.
    pub fn open(&self) {
        self.gate.send_replace(true);
    }

    fn note(&self, text: &str) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push(text.to_owned());
    }

    /// Counts a task as running until it ends or is dropped.
    fn begin(self: &Arc<Self>) -> Running {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        Running(self.clone())
    }
}

struct Running(Arc<Board>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Writes a note.
#[task]
pub async fn note(on: String, text: String) -> io::Result<()> {
    board(&on)?.note(&text);
    Ok(())
}

/// The same under a name that was another one once.
#[task(name = "worker::present", aliases = ["worker::former"])]
pub async fn renamed(on: String, text: String) -> io::Result<()> {
    board(&on)?.note(&text);
    Ok(())
}

/// Runs until the gate is open.
#[task]
pub async fn hold(on: String, text: String) -> io::Result<String> {
    let board = board(&on)?;
    let _running = board.begin();
    board.note(&text);
    let mut gate = board.gate.subscribe();
    gate.wait_for(|open| *open).await.map_err(io::Error::other)?;
    Ok(text)
}

/// The same on a thread, where nothing can end it.
#[task]
#[allow(clippy::needless_pass_by_value, reason = "a task owns its arguments")]
pub fn hold_thread(on: String, text: String) -> io::Result<String> {
    let board = board(&on)?;
    let _running = board.begin();
    board.note(&text);
    while !*board.gate.borrow() {
        std::thread::sleep(Duration::from_millis(5));
    }
    board.note("the thread ended");
    Ok(text)
}

/// Takes longer than it may.
#[task(timeout = "100ms")]
pub async fn oversleep(on: String) -> io::Result<()> {
    let _running = board(&on)?.begin();
    std::future::pending().await
}

/// Computes on a thread until the gate is open.
#[task]
#[allow(clippy::needless_pass_by_value, reason = "a task owns its arguments")]
pub fn burn(on: String) -> io::Result<u64> {
    let board = board(&on)?;
    let _running = board.begin();
    let mut sum = 0_u64;
    while !*board.gate.borrow() {
        sum = std::hint::black_box((0..10_000_u64).fold(sum, u64::wrapping_add));
    }
    Ok(sum)
}

/// Fails so many times.
#[task(takes_context, max_attempts = 5)]
pub async fn fail_at_first(context: TaskContext, times: u32) -> io::Result<u32> {
    if context.attempt() <= times {
        return Err(io::Error::other(format!("failure {}", context.attempt())));
    }
    Ok(context.attempt())
}

/// Says at each attempt what shall become of it: `fatal`, `retry`, `snooze`, or fails as usual.
#[task(takes_context, max_attempts = 3, backoff = "fixed 1h")]
pub async fn decide(context: TaskContext, on: String, words: Vec<String>) -> Result<u32, TaskError> {
    let board = board(&on)?;
    board.note("begins");
    let word = words.get(board.notes().len() - 1).map_or("value", String::as_str);
    let soon = Duration::from_millis(50);
    match word {
        "value" => Ok(context.attempt()),
        "fatal" => Err(io::Error::other("it will never work")).or_fatal()?,
        "retry" => Err(TaskError::retry_in(soon, "not now")),
        "snooze" => Err(TaskError::snooze(soon)),
        other => Err(io::Error::other(other.to_owned()))?,
    }
}

/// An error that knows what it means for the task.
#[derive(Debug)]
pub struct Gone;

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the customer is gone")
    }
}

impl std::error::Error for Gone {}

impl TaskVerdict for Gone {
    fn verdict(&self) -> Verdict {
        Verdict::Fatal
    }
}

/// Fails for good.
#[task(max_attempts = 5)]
pub async fn find_nobody() -> Result<(), Gone> {
    Err(Gone)
}

/// Takes longer than it may, and hears of it.
#[task(takes_context, timeout = "100ms")]
pub async fn save_in_time(context: TaskContext, on: String) -> io::Result<String> {
    let _running = board(&on)?.begin();
    context.canceled().await;
    let reason = context.cancel_reason().map(|reason| reason.to_string());
    Ok(format!("saved, since {}", reason.unwrap_or_default()))
}

/// Takes longer than it may, on a thread, where nothing can end it.
#[task(timeout = "100ms")]
#[allow(clippy::needless_pass_by_value, reason = "a task owns its arguments")]
pub fn oversleep_on_a_thread(on: String) -> io::Result<()> {
    let board = board(&on)?;
    let _running = board.begin();
    board.note("the thread begins");
    while !*board.gate.borrow() {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// An error with a source.
#[derive(Debug)]
pub struct Outer(io::Error);

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the outside of it")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// Fails with an error that has a source.
#[task]
pub async fn fail_deeply() -> Result<(), Outer> {
    Err(Outer(io::Error::other("the inside of it")))
}

/// Panics.
#[task]
pub async fn panic_with(text: String) {
    panic!("{text}");
}

/// Panics on a thread.
#[task]
#[allow(clippy::needless_pass_by_value, reason = "a task owns its arguments")]
pub fn panic_in_a_thread(text: String) {
    panic!("{text}");
}

/// Returns so many letters.
#[task]
pub async fn letters(count: usize) -> String {
    "x".repeat(count)
}

/// Ends when it is told to, with an error.
#[task(takes_context)]
pub async fn end_when_told(context: TaskContext, on: String) -> Result<String, String> {
    let board = board(&on).map_err(|error| error.to_string())?;
    let _running = board.begin();
    context.canceled().await;
    board.note("told");
    Err("told to stop".to_owned())
}

/// Ends when it is told to, with a value.
#[task(takes_context)]
pub async fn save_when_told(context: TaskContext, on: String) -> io::Result<String> {
    let _running = board(&on)?.begin();
    context.canceled().await;
    Ok("saved".to_owned())
}

/// Takes its context and does not look at it.
#[task(takes_context)]
pub async fn never_listen(context: TaskContext, on: String) -> io::Result<String> {
    let _running = board(&on)?.begin();
    let id = context.task_id();
    std::future::pending::<()>().await;
    Ok(id.to_string())
}

/// Enqueues so many notes.
#[task]
pub async fn hand_on(on: String, count: u32) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
    let board = board(&on)?;
    let calls = (0..count)
        .map(|number| note::new(on.as_str(), number.to_string()))
        .collect();
    Ok(enqueue_many_on(calls, &board.backends).await?.len())
}
