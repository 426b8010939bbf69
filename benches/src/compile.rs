//! `cargo xtask bench compile`: what `#[task]` costs the compiler.
//!
//! Three crates with the same functions are checked in turn, each time after a change: without the
//! attribute, with a struct of the arguments that serde derives (what somebody writes who passes
//! them on by hand), and with `#[task]`. Then the compiler says in which passes the time goes.

mod source;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use source::Kind;

use crate::Outcome;

const TASKS: usize = 300;
const REPEATS: usize = 9;

/// Passes that are parts of others, or too short to matter, are not listed.
const SHORTEST_PASS_MS: f64 = 5.0;

/// Writes the crates, checks them in turn and prints the page.
pub(crate) fn run() -> Outcome {
    let workspace = Workspace::write()?;
    for kind in Kind::ALL {
        workspace.check(kind, Mode::Whole)?;
        workspace.check(kind, Mode::Incremental)?;
    }
    let mut times: BTreeMap<(Mode, Kind), Vec<Taken>> = BTreeMap::new();
    for round in 1..=REPEATS {
        eprintln!("round {round} of {REPEATS}");
        for mode in [Mode::Whole, Mode::Incremental] {
            for kind in Kind::ALL {
                workspace.change(kind, round)?;
                let taken = workspace.check(kind, mode)?;
                eprintln!(
                    "  {}, {}: {:.0} ms, {:.0} ms of processor time",
                    mode.name(),
                    kind.name(),
                    taken.wall_ms,
                    taken.processor_ms
                );
                times.entry((mode, kind)).or_default().push(taken);
            }
        }
    }
    print_times(&times);
    workspace.print_passes()
}

/// How long one check took.
#[derive(Clone, Copy)]
struct Taken {
    wall_ms: f64,
    processor_ms: f64,
}

/// What the compiler may keep from last time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    /// Nothing, as on a build server.
    Whole,
    /// Everything, and one function changed, as at a desk.
    Incremental,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Whole => "from nothing",
            Self::Incremental => "after an edit",
        }
    }

    fn incremental(self) -> &'static str {
        match self {
            Self::Whole => "0",
            Self::Incremental => "1",
        }
    }
}

/// A folder with one package for each kind, built with the versions this repository is built with.
struct Workspace {
    folder: PathBuf,
}

impl Workspace {
    fn write() -> Outcome<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .ok_or("benches stands in the repository")?;
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let workspace = Self {
            folder: target.join("compile-bench"),
        };
        let members: Vec<_> = Kind::ALL.map(|kind| format!("{:?}", kind.name())).into();
        fs::create_dir_all(&workspace.folder)?;
        fs::write(
            workspace.folder.join("Cargo.toml"),
            format!(
                "[workspace]\nresolver = \"3\"\nmembers = [{}]\n",
                members.join(", ")
            ),
        )?;
        fs::copy(root.join("Cargo.lock"), workspace.folder.join("Cargo.lock"))?;
        for kind in Kind::ALL {
            let package = workspace.folder.join(kind.name());
            fs::create_dir_all(package.join("src"))?;
            fs::write(package.join("Cargo.toml"), manifest(kind, root))?;
            workspace.change(kind, 0)?;
        }
        Ok(workspace)
    }

    /// Writes the source again, with one function changed.
    fn change(&self, kind: Kind, round: usize) -> Outcome {
        let file = self.folder.join(kind.name()).join("src/lib.rs");
        Ok(fs::write(file, source::of(kind, TASKS, round))?)
    }

    /// How long `cargo check` of the crate takes. What it depends on was checked before.
    fn check(&self, kind: Kind, mode: Mode) -> Outcome<Taken> {
        let mut cargo = self.cargo("check", kind, mode.name());
        cargo.env("CARGO_INCREMENTAL", mode.incremental());
        let (began, processor) = (Instant::now(), children_processor_ms()?);
        let output = cargo.output()?;
        let taken = Taken {
            wall_ms: began.elapsed().as_secs_f64() * 1000.0,
            processor_ms: children_processor_ms()? - processor,
        };
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        Ok(taken)
    }

    fn cargo(&self, command: &str, kind: Kind, target: &str) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args([command, "--offline", "--package", kind.name()])
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", self.folder.join(target.replace(' ', "-")))
            // The profile of the checked-out repository is not ours.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        cargo
    }

    /// Asks the compiler how long each pass takes, with and without `#[task]`.
    fn print_passes(&self) -> Outcome {
        let plain = self.passes(Kind::Plain)?;
        let tasks = self.passes(Kind::Tasks)?;
        let mut more: Vec<(f64, &String)> = tasks
            .iter()
            .map(|(pass, taken)| (taken - plain.get(pass).copied().unwrap_or(0.0), pass))
            .filter(|(more, _)| *more >= SHORTEST_PASS_MS)
            .collect();
        more.sort_by(|left, right| right.0.total_cmp(&left.0));
        println!("\nWhere it goes, by `-Ztime-passes` (one contains another, from nothing):\n");
        println!("| pass | ms more than without | per task |\n| --- | ---: | ---: |");
        for (more, pass) in more {
            println!("| {pass} | {more:.0} | {:.2} |", more / TASKS as f64);
        }
        Ok(())
    }

    /// The medians of three runs. The switch is not for stable compilers, so the same one is told to
    /// accept it; what it compiles does not change.
    fn passes(&self, kind: Kind) -> Outcome<BTreeMap<String, f64>> {
        let mut runs: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for round in 1..=3 {
            self.change(kind, 100 + round)?;
            let output = self
                .cargo("rustc", kind, "passes")
                .args(["--profile", "check", "--", "-Ztime-passes"])
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_INCREMENTAL", "0")
                .output()?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            if !output.status.success() {
                return Err(text.into());
            }
            for (pass, taken) in text.lines().filter_map(pass) {
                runs.entry(pass).or_default().push(taken);
            }
        }
        Ok(runs
            .into_iter()
            .map(|(pass, taken)| (pass, median(&taken)))
            .collect())
    }
}

/// The processor time of all children that ended, which other programs on the machine change
/// less than the time on the wall. Zero where there is no `/proc`.
fn children_processor_ms() -> Outcome<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let Ok(stat) = fs::read_to_string("/proc/self/stat") else {
        return Ok(0.0);
    };
    // After the name, which may contain anything: user and system time of children are 14 and 15.
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .ok_or("/proc/self/stat has another form")?
        .1
        .split_whitespace()
        .collect();
    let ticks = |index: usize| -> Outcome<f64> { Ok(fields.get(index).ok_or("short stat")?.parse()?) };
    Ok((ticks(13)? + ticks(14)?) * 1000.0 / TICKS_PER_SECOND)
}

/// `time:   0.123; rss:  40MB ->  50MB (  +10MB)  macro_expand_crate`
fn pass(line: &str) -> Option<(String, f64)> {
    let rest = line.trim_start().strip_prefix("time:")?;
    let (seconds, rest) = rest.split_once(';')?;
    let name = rest.split('\t').next_back()?.trim();
    Some((name.to_owned(), seconds.trim().parse::<f64>().ok()? * 1000.0))
}

fn manifest(kind: Kind, root: &Path) -> String {
    format!(
        "[package]\nname = \"{}\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n\
         [dependencies]\nserde = {{ version = \"1\", features = [\"derive\"] }}\ntask-core = {{ path = {:?} }}\n",
        kind.name(),
        root.join("task-core"),
    )
}

fn print_times(times: &BTreeMap<(Mode, Kind), Vec<Taken>>) {
    println!(
        "\n`cargo check` of {TASKS} functions, {REPEATS} repeats interleaved, medians; {} cores",
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    println!("\n| what | ms | smallest | largest | processor ms | per task more than plain |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for ((mode, kind), taken) in times {
        let wall: Vec<f64> = taken.iter().map(|taken| taken.wall_ms).collect();
        let plain = times
            .get(&(*mode, Kind::Plain))
            .map_or(0.0, |plain| processor(plain));
        let (least, most) = wall
            .iter()
            .fold((f64::MAX, f64::MIN), |(l, m), v| (l.min(*v), m.max(*v)));
        println!(
            "| {}, {} | {:.0} | {least:.0} | {most:.0} | {:.0} | {:.2} |",
            mode.name(),
            kind.name(),
            median(&wall),
            processor(taken),
            (processor(taken) - plain) / TASKS as f64
        );
    }
}

fn processor(taken: &[Taken]) -> f64 {
    median(&taken.iter().map(|taken| taken.processor_ms).collect::<Vec<_>>())
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
