//! Counting tests from the runner's own lines, so that the closing table says what really ran.

use std::fmt;
use std::path::Path;

/// Who runs the tests, and therefore how the lines look.
#[derive(Clone, Copy)]
pub enum Runner {
    /// `cargo nextest run`.
    Nextest,
    /// `cargo test`.
    Libtest,
}

/// How one test ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Passed,
    Failed,
    Ignored,
}

/// One test: the names that lead to it (package, test binary, modules) and how it ended.
struct Test {
    home: Vec<String>,
    ending: Ending,
}

/// How many tests ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    passed: usize,
    failed: usize,
    ignored: usize,
}

/// All tests heard of so far.
pub struct Tally {
    runner: Runner,
    tests: Vec<Test>,
    /// The test binary whose lines follow; only `cargo test` announces it this way.
    binary: String,
    /// Nextest repeats the failures below its summary; what comes there was counted already.
    closed: bool,
}

impl Tally {
    /// Nothing heard yet.
    pub fn new(runner: Runner) -> Self {
        Self {
            runner,
            tests: Vec::new(),
            binary: String::new(),
            closed: false,
        }
    }

    /// Takes note of one line of the runner's output.
    pub fn hear(&mut self, line: &str) {
        match self.runner {
            Runner::Nextest => self.hear_nextest(line),
            Runner::Libtest => self.hear_libtest(line),
        }
    }

    /// `PASS [   0.085s] (1/4) tests::sqlite claims::a_claim`
    fn hear_nextest(&mut self, line: &str) {
        let Some((status, rest)) = line.trim_start().split_once(" [") else {
            return;
        };
        self.closed |= status == "Summary";
        let ending = match status {
            "PASS" | "LEAK" => Ending::Passed,
            _ if status.starts_with("FLAKY") => Ending::Passed,
            "FAIL" | "FAIL + LEAK" | "LEAK-FAIL" | "TIMEOUT" | "ABORT" => Ending::Failed,
            _ if status.starts_with("SIG") => Ending::Failed,
            _ => return,
        };
        let Some((_, names)) = rest.split_once("] ").filter(|_| !self.closed) else {
            return;
        };
        let names = names
            .split_once(") ")
            .filter(|(count, _)| count.starts_with('('))
            .map_or(names, |(_, names)| names);
        if let Some((binary, test)) = names.trim().split_once(' ') {
            self.count(binary, test, ending);
        }
    }

    /// `Running tests/sqlite.rs (target/debug/deps/sqlite-0a1b2c)`, then `test claims::a_claim ... ok`
    fn hear_libtest(&mut self, line: &str) {
        if let Some((_, path)) = line
            .strip_prefix("     Running ")
            .and_then(|line| line.rsplit_once('('))
        {
            let stem = Path::new(path.trim_end_matches(')'))
                .file_stem()
                .and_then(|stem| stem.to_str());
            let stem = stem.unwrap_or_default();
            self.binary = stem
                .rsplit_once('-')
                .map_or(stem, |(name, _hash)| name)
                .to_owned();
        }
        let Some((test, ending)) = line
            .strip_prefix("test ")
            .and_then(|line| line.rsplit_once(" ... "))
        else {
            return;
        };
        let ending = match ending.split([' ', ',']).next() {
            Some("ok") => Ending::Passed,
            Some("FAILED") => Ending::Failed,
            Some("ignored") => Ending::Ignored,
            _ => return,
        };
        self.count(&self.binary.clone(), test, ending);
    }

    fn count(&mut self, binary: &str, test: &str, ending: Ending) {
        let mut home: Vec<String> = binary
            .split("::")
            .flat_map(|part| part.split('/'))
            .map(str::to_owned)
            .collect();
        let modules = test.rsplit_once("::").map_or("", |(modules, _)| modules);
        home.extend(modules.split("::").map(str::to_owned));
        self.tests.push(Test { home, ending });
    }

    /// The tests that belong to one of `backends`.
    pub fn about(&self, backend: &str, backends: &[&str]) -> Counts {
        self.select(|test| test.backend(backends) == Some(backend))
    }

    /// The tests that belong to none of `backends`.
    pub fn about_none(&self, backends: &[&str]) -> Counts {
        self.select(|test| test.backend(backends).is_none())
    }

    /// All tests.
    pub fn total(&self) -> Counts {
        self.select(|_| true)
    }

    fn select(&self, wanted: impl Fn(&Test) -> bool) -> Counts {
        let mut counts = Counts::default();
        for test in self.tests.iter().filter(|test| wanted(test)) {
            match test.ending {
                Ending::Passed => counts.passed += 1,
                Ending::Failed => counts.failed += 1,
                Ending::Ignored => counts.ignored += 1,
            }
        }
        counts
    }
}

impl Test {
    /// The backend this test is about: the one its test binary or one of its modules is named for,
    /// alone (`sqlite`) or with more behind it (`sqlite_crash`).
    fn backend<'a>(&self, backends: &[&'a str]) -> Option<&'a str> {
        let named = |part: &str, backend: &str| {
            let rest = part.strip_prefix(backend.replace('-', "_").as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        let about = |backend: &&&'a str| self.home.iter().any(|part| named(part, backend));
        // `redis_cluster` is about redis-cluster, though it begins like redis.
        backends
            .iter()
            .filter(about)
            .max_by_key(|backend| backend.len())
            .copied()
    }
}

impl Counts {
    /// Whether no test ran at all.
    pub fn is_empty(self) -> bool {
        self.passed + self.failed == 0
    }

    /// How many ran, and how many were passed over.
    pub fn ran(self) -> String {
        let ran = match self.passed + self.failed {
            1 => "1 test".to_owned(),
            many => format!("{many} tests"),
        };
        if self.ignored == 0 {
            ran
        } else {
            format!("{ran}, {} ignored", self.ignored)
        }
    }
}

impl fmt::Display for Counts {
    /// The result in a word or two.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { failed: 1.., .. } => write!(formatter, "{} FAILED", self.failed),
            Self { passed: 1.., .. } => formatter.write_str("passed"),
            _ => formatter.write_str("nothing ran"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKENDS: [&str; 4] = ["dummy", "sqlite", "redis", "redis-cluster"];

    fn tally(runner: Runner, lines: &str) -> Tally {
        let mut tally = Tally::new(runner);
        lines.lines().for_each(|line| tally.hear(line));
        tally
    }

    fn counts(passed: usize, failed: usize, ignored: usize) -> Counts {
        Counts {
            passed,
            failed,
            ignored,
        }
    }

    #[test]
    fn nextest_is_understood_and_its_repeated_failures_count_once() {
        let tally = tally(
            Runner::Nextest,
            "    Starting 4 tests across 3 binaries (1 test skipped)
        PASS [   0.085s] (1/4) tests::sqlite claims::each_task_goes_to_one_worker
        SLOW [> 60.000s] tests::sqlite claims::a_lost_lease_cannot_finish
        PASS [   0.005s] (2/4) tests::dummy it_never_runs_a_task
        FAIL [   0.139s] (3/4) task-backends sqlite::claim::tests::bad
  stdout ───
    test sqlite::claim::tests::bad ... FAILED
     SIGKILL [   0.139s] (4/4) xtask::bin/xtask tally::good
────────────
     Summary [   0.140s] 4 tests run: 2 passed, 2 failed, 1 skipped
        FAIL [   0.139s] (3/4) task-backends sqlite::claim::tests::bad",
        );
        assert_eq!(tally.about("sqlite", &BACKENDS), counts(1, 1, 0));
        assert_eq!(tally.about("dummy", &BACKENDS), counts(1, 0, 0));
        assert_eq!(tally.about_none(&BACKENDS), counts(0, 1, 0));
        assert_eq!(tally.total(), counts(2, 2, 0));
    }

    #[test]
    fn cargo_test_is_understood() {
        let tally = tally(
            Runner::Libtest,
            "     Running unittests src/lib.rs (target/debug/deps/task_backends-72ee6507dc2c5010)
test sqlite::claim::tests::good ... ok
test options::tests::bad - should panic ... FAILED
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.08s
     Running sqlite_crash.rs (target/debug/deps/sqlite_crash-fa82b57fa7029b14)
test a_killed_worker_loses_nothing ... ok
test it_takes_hours ... ignored, run it by hand",
        );
        assert_eq!(tally.about("sqlite", &BACKENDS), counts(2, 0, 1));
        assert_eq!(tally.about_none(&BACKENDS), counts(0, 1, 0));
    }

    #[test]
    fn doc_tests_are_counted() {
        let tally = tally(
            Runner::Libtest,
            "   Doc-tests task_core\ntest task-core/src/lib.rs - options (line 2) ... ok\ntest task-core/src/lib.rs - queue (line 9) - compile fail ... ok",
        );
        assert_eq!(tally.total(), counts(2, 0, 0));
    }

    #[test]
    fn a_test_belongs_to_the_backend_with_the_longest_matching_name() {
        let tally = tally(
            Runner::Nextest,
            "PASS [ 0.1s] (1/2) tests::redis_cluster moves\nPASS [ 0.1s] (2/2) tests::redis redis_cluster_is_not_asked",
        );
        assert_eq!(tally.about("redis-cluster", &BACKENDS), counts(1, 0, 0));
        assert_eq!(tally.about("redis", &BACKENDS), counts(1, 0, 0));
    }

    #[test]
    fn results_read_like_words() {
        assert_eq!(counts(3, 2, 1).to_string(), "2 FAILED");
        assert_eq!(counts(3, 0, 1).to_string(), "passed");
        assert_eq!(counts(0, 0, 4).to_string(), "nothing ran");
        assert_eq!(counts(1, 0, 0).ran(), "1 test");
        assert_eq!(counts(3, 2, 1).ran(), "5 tests, 1 ignored");
    }
}
