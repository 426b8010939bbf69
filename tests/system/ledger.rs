//! Which task was executed how often, and by which processes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use conformance::executions::{LINE_BYTES, ledger_in};

use super::eventually;

/// The file in which every execution is one line.
#[derive(Debug, Clone)]
pub struct Reader {
    path: PathBuf,
}

impl Reader {
    /// The ledger of this folder, which need not be there yet.
    pub fn new(folder: &Path) -> Self {
        Self {
            path: ledger_in(folder),
        }
    }

    /// How many executions began so far.
    pub fn len(&self) -> usize {
        let bytes = self.path.metadata().map_or(0, |data| data.len());
        usize::try_from(bytes).expect("a file of this machine") / LINE_BYTES
    }

    /// Returns when so many executions have begun.
    pub async fn reaches(&self, executions: usize) {
        eventually(&format!("{executions} executions"), async || match self.len() {
            len if len >= executions => Ok(()),
            len => Err(format!("{len}")),
        })
        .await;
    }

    /// Returns when this process has begun so many.
    pub async fn reaches_by(&self, pid: u32, executions: usize) {
        let (mut read, mut count) = (0, 0);
        eventually(&format!("{executions} executions by {pid}"), async || {
            let (lines, bytes) = self.lines_from(read);
            read += bytes;
            count += lines.iter().filter(|line| line.pid == pid).count();
            if count >= executions {
                Ok(())
            } else {
                Err(format!("{count} of {}", self.len()))
            }
        })
        .await;
    }

    /// How many executions each process has begun: quicker than to [read](Self::read) everything.
    pub fn counts(&self) -> BTreeMap<u32, usize> {
        let mut counts = BTreeMap::new();
        for line in self.lines_from(0).0 {
            *counts.entry(line.pid).or_default() += 1;
        }
        counts
    }

    /// Everything that was written so far.
    pub fn read(&self) -> Ledger {
        let mut ledger = Ledger::default();
        for line in self.lines_from(0).0 {
            ledger.pids.entry(line.id).or_default().push(line.pid);
            ledger.numbers.entry(line.number).or_default().push(line.pid);
        }
        ledger
    }

    /// Every execution, in the order in which they were written down.
    pub fn lines(&self) -> Vec<Line> {
        self.lines_from(0).0
    }

    /// The whole lines from this byte on, and how many bytes they are.
    fn lines_from(&self, start: u64) -> (Vec<Line>, u64) {
        let Ok(mut file) = File::open(&self.path) else {
            return (Vec::new(), 0);
        };
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(start)).expect("the ledger can be read");
        file.read_to_end(&mut bytes).expect("the ledger can be read");
        let text = String::from_utf8(bytes).expect("the ledger is text");
        let whole = text.len() - text.len() % LINE_BYTES;
        let lines = text[..whole].lines().map(Line::parse).collect();
        (lines, u64::try_from(whole).expect("a usize fits"))
    }
}

/// One execution.
#[derive(Debug, Clone)]
pub struct Line {
    pub id: String,
    pub number: u32,
    pub pid: u32,
    /// When it began, in microseconds since 1970.
    pub at: u64,
}

impl Line {
    fn parse(line: &str) -> Self {
        assert_eq!(line.len() + 1, LINE_BYTES, "every line is whole: {line:?}");
        let number = |text: &str| text.trim_start().parse::<u64>().expect("a number");
        let small = |text: &str| u32::try_from(number(text)).expect("a small one");
        Self {
            id: line[..36].to_owned(),
            number: small(&line[37..47]),
            pid: small(&line[48..58]),
            at: number(&line[59..]),
        }
    }
}

/// The processes that executed each task, in the order of the executions.
#[derive(Debug, Default)]
pub struct Ledger {
    pids: BTreeMap<String, Vec<u32>>,
    numbers: BTreeMap<u32, Vec<u32>>,
}

impl Ledger {
    /// How many tasks were executed at least once.
    pub fn tasks(&self) -> usize {
        self.pids.len()
    }

    /// Who executed the task with this id.
    pub fn of(&self, id: &str) -> &[u32] {
        self.pids.get(id).map_or(&[], Vec::as_slice)
    }

    /// Who executed the tasks with this number among their arguments.
    pub fn of_number(&self, number: u32) -> &[u32] {
        self.numbers.get(&number).map_or(&[], Vec::as_slice)
    }

    /// The most executions of one task.
    pub fn most(&self) -> usize {
        self.pids.values().map(Vec::len).max().unwrap_or(0)
    }

    /// How many executions there were by this process.
    pub fn by(&self, pid: u32) -> usize {
        self.pids.values().flatten().filter(|by| **by == pid).count()
    }

    /// How many tasks were executed how often, and who did how much.
    pub fn summary(&self, workers: &[(String, u32)]) -> String {
        let mut tasks_by_times: BTreeMap<usize, usize> = BTreeMap::new();
        for pids in self.pids.values() {
            *tasks_by_times.entry(pids.len()).or_default() += 1;
        }
        let mut text = String::from("executions\n");
        for (times, tasks) in tasks_by_times {
            writeln!(text, "  {times}x  {tasks:>7} tasks").expect("text grows");
        }
        for (worker, pid) in workers {
            writeln!(text, "  {worker:<12} {:>7}", self.by(*pid)).expect("text grows");
        }
        text
    }
}
