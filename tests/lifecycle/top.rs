//! `worker top`, as text, as JSON and on a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use conformance::executions::{always_fails, gated, record};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use serde_json::Value;
use task_core::queue;

use crate::system::{PATIENCE, Place, Process, Signal, WORKER, eventually, within};

/// Three that ended, one that failed, one that runs, two that wait in a queue of their own.
async fn busy() -> (Place, Process) {
    let place = Place::new().await;
    place.enqueue((0..3).map(record::new)).await;
    place.enqueue([always_fails::new("because")]).await;
    place.all_end_by_a_batch().await;
    place.enqueue([gated::new(0, "end")]).await;
    let worker = place.worker("busy", &["--queue", "default"]);
    place.ledger().reaches(5).await;
    place
        .enqueue((0..2).map(|number| record::new(number).using(queue("mail"))))
        .await;
    (place, worker)
}

impl Place {
    async fn all_end_by_a_batch(&self) {
        let mut worker = self.worker("first", &["--batch"]);
        assert_eq!(worker.exits_within(PATIENCE).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_top_prints_one_page() {
    let (place, _worker) = busy().await;
    for flags in [&["top"][..], &["top", "--once"]] {
        let said = place.run(flags).await.exits_with(0).quietly();
        assert!(
            said.out.starts_with("default: 2 waiting, 1 running, 1 workers;"),
            "{said:?}"
        );
        assert!(!said.out.contains('\x1b'), "{said:?}");
        let words = said.words();
        let line = |first: &str| {
            words
                .iter()
                .find(|line| line.first() == Some(&first))
                .expect(first)
        };
        assert_eq!((line("mail")[1], line("mail")[3]), ("2", "0"), "{said:?}");
        assert!(line("mail")[2].ends_with('s'), "{said:?}");
        assert_eq!(line("default")[1..4], ["0", "-", "1"], "{said:?}");
        assert_eq!(line("(all)")[1], "2");
        assert_eq!(line("busy")[2..5], ["default", "1", "100"], "{said:?}");
        assert_eq!(line("conformance::record")[1..3], ["3", "0"], "{said:?}");
        assert_eq!(line("conformance::always_fails")[1..3], ["1", "1"], "{said:?}");
    }
    let said = place.run(&["top", "--limit", "1"]).await.exits_with(0);
    assert!(
        said.out.contains("page 1 of 2, 2 queues") && !said.out.contains("\ndefault "),
        "{said:?}"
    );
    place.open_gate("end", None);
}

#[tokio::test(flavor = "multi_thread")]
async fn top_as_json_has_the_same_numbers() {
    let (place, _worker) = busy().await;
    let top: Value = place.run(&["top", "--json"]).await.exits_with(0).quietly().json();
    assert_eq!(
        (&top["total"]["waiting"], &top["total"]["running"]),
        (&2.into(), &1.into())
    );
    let queues = top["queues"].as_array().expect("a list");
    assert_eq!(queues[0]["queue"], "mail", "the fullest first");
    assert_eq!(
        (&queues[0]["waiting"], &queues[0]["oldest_is_exact"]),
        (&2.into(), &true.into())
    );
    assert_eq!(queues[0]["per_second"]["enqueued"], 0.0);
    assert_eq!(top["workers"][0]["id"], "busy");
    place.open_gate("end", None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_store_has_an_empty_page() {
    let place = Place::new().await;
    let said = place.run(&["top"]).await.exits_with(0).quietly();
    assert!(said.out.contains("no worker"), "{said:?}");
}

/// `worker top` on a terminal.
struct OnTerminal {
    child: Child,
    keys: File,
    terminal: File,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl OnTerminal {
    fn start(place: &Place) -> Self {
        let main = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&main).expect("it is ours");
        unlockpt(&main).expect("it is ours");
        let name = ptsname(&main, Vec::new()).expect("it has a name");
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let terminal = rustix::fs::open(name.as_c_str(), flags, Mode::empty()).expect("it opens");
        let (mut keys, terminal) = (File::from(main), File::from(terminal));
        let mut command = place.command(WORKER);
        let end = || Stdio::from(terminal.try_clone().expect("a file can be shared"));
        command.arg("top").stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("the program is there");
        let shown = Arc::new(Mutex::new(Vec::new()));
        let mut screen = keys.try_clone().expect("a file can be shared");
        std::thread::spawn({
            let shown = shown.clone();
            move || {
                let mut bytes = [0; 4096];
                while let Ok(length @ 1..) = screen.read(&mut bytes) {
                    shown
                        .lock()
                        .expect("unpoisoned")
                        .extend_from_slice(&bytes[..length]);
                }
            }
        });
        keys.flush().expect("nothing to write");
        Self {
            child,
            keys,
            terminal,
            shown,
        }
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("unpoisoned")).into_owned()
    }

    async fn shows(&self, text: &str) {
        eventually(&format!("{text:?} on the terminal"), async || {
            let shown = self.shown();
            if shown.contains(text) { Ok(()) } else { Err(shown) }
        })
        .await;
    }

    fn hears_single_keys(&self) -> bool {
        let modes = tcgetattr(&self.terminal).expect("a terminal").local_modes;
        !modes.contains(LocalModes::ICANON)
    }

    async fn ends_with_the_screen_as_it_was(mut self) {
        let ended = within(PATIENCE, "the end of top", async || {
            self.child.try_wait().expect("a child").ok_or_else(|| {
                self.shown
                    .lock()
                    .map(|shown| shown.len().to_string())
                    .unwrap_or_default()
            })
        })
        .await;
        assert_eq!(ended.code(), Some(0), "{}", self.shown());
        self.shows("\x1b[?25h\x1b[?1049l").await;
        assert!(!self.hears_single_keys());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_top_draws_each_second_until_q() {
    let (place, _worker) = busy().await;
    let mut top = OnTerminal::start(&place);
    top.shows("default: 2 waiting, 1 running, 1 workers").await;
    assert!(top.hears_single_keys());
    place.enqueue([record::new(9).using(queue("mail"))]).await;
    top.shows("default: 3 waiting, 1 running, 1 workers").await;
    top.keys.write_all(b"xnpq").expect("it hears");
    top.ends_with_the_screen_as_it_was().await;
    place.open_gate("end", None);
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_end_top_and_leave_the_terminal_as_it_was() {
    let place = Place::new().await;
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let top = OnTerminal::start(&place);
        top.shows("no worker").await;
        let pid = i32::try_from(top.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a number"), signal).expect("it runs");
        top.ends_with_the_screen_as_it_was().await;
    }
}
