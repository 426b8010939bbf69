//! What came back, in tables.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use examples::{FileFacts, LeftOut, Reason, shown};
use indicatif::{HumanBytes, HumanCount};
use task_core::{TaskResult, Timestamp};

use crate::per_second;
use crate::results::{self, ReadBack, Results, Surveyed};
use crate::table::{Column, table};

/// The most rows of one table; what is beyond is counted.
const MOST_ROWS: usize = 10;

/// The whole report, without the command lines at its end.
pub(crate) fn report(
    folder: &Path,
    left_out: &BTreeMap<Reason, Vec<LeftOut>>,
    results: &Results,
    read: &ReadBack,
) -> String {
    let below = |path: &Path| shown(path.strip_prefix(folder).unwrap_or(path));
    let known: Vec<(&Surveyed, &FileFacts)> = results
        .surveys
        .iter()
        .filter_map(|survey| Some((survey, survey.outcome.as_ref().ok()?)))
        .collect();
    let parts = [
        languages(&known),
        longest(&known, below),
        not_surveyed(results, left_out, below),
        of_their_own_kind(results),
        totals(results, read),
    ];
    parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(|part| format!("\n{part}"))
        .collect()
}

/// A row for each language, the one with the most lines first, and the sum.
fn languages(known: &[(&Surveyed, &FileFacts)]) -> String {
    if known.is_empty() {
        return "No file was surveyed.\n".to_owned();
    }
    let mut languages: BTreeMap<&str, Sum> = BTreeMap::new();
    let mut all = Sum::default();
    for (_, facts) in known {
        languages.entry(&facts.language).or_default().add(facts);
        all.add(facts);
    }
    let mut languages: Vec<(&str, Sum)> = languages.into_iter().collect();
    languages.sort_by_key(|(_, sum)| Reverse(sum.lines));
    let columns = [
        Column::Left("LANGUAGE"),
        Column::Right("FILES"),
        Column::Right("LINES"),
        Column::Right("WORDS"),
        Column::Right("LONGEST LINE"),
    ];
    let rows = languages.into_iter().chain([("(all)", all)]);
    table(
        columns,
        rows.map(|(language, sum)| {
            let [files, lines, words, longest] =
                [sum.files, sum.lines, sum.words, sum.longest_line].map(number);
            [language.to_owned(), files, lines, words, longest]
        }),
    )
}

/// What is known about several files together.
#[derive(Default)]
struct Sum {
    files: u64,
    lines: u64,
    words: u64,
    longest_line: u64,
}

impl Sum {
    fn add(&mut self, facts: &FileFacts) {
        self.files += 1;
        self.lines += facts.lines;
        self.words += facts.words;
        self.longest_line = self.longest_line.max(facts.longest_line);
    }
}

/// The files with the most lines.
fn longest(known: &[(&Surveyed, &FileFacts)], below: impl Fn(&Path) -> String) -> String {
    let mut files = known.to_vec();
    files.sort_by_key(|(_, facts)| Reverse(facts.lines));
    files.truncate(MOST_ROWS);
    if files.is_empty() {
        return String::new();
    }
    let columns = [
        Column::Right("LINES"),
        Column::Right("WORDS"),
        Column::Right("LONGEST LINE"),
        Column::Left("CRC-32"),
        Column::Left("QUEUE"),
        Column::Right("PRIORITY"),
        Column::Left("LONGEST FILES"),
    ];
    let row = |(survey, facts): (&Surveyed, &FileFacts)| {
        let [lines, words, longest] = [facts.lines, facts.words, facts.longest_line].map(number);
        let (checksum, queue) = (facts.checksum.clone(), survey.queue.to_string());
        let (priority, path) = (survey.priority.to_string(), below(&survey.path));
        [lines, words, longest, checksum, queue, priority, path]
    };
    table(columns, files.into_iter().map(row))
}

/// Files whose task failed, and what never became a task.
fn not_surveyed(
    results: &Results,
    left_out: &BTreeMap<Reason, Vec<LeftOut>>,
    below: impl Fn(&Path) -> String,
) -> String {
    let failed = results.surveys.iter().filter_map(|survey| {
        let trouble = survey.outcome.as_ref().err()?;
        let words = trouble.failure.as_ref().map(results::said).unwrap_or_default();
        // What a task says names the whole path.
        let whole = shown(&survey.path);
        let words = words
            .strip_prefix(&*whole)
            .map_or(&*words, str::trim_start)
            .to_owned();
        Some([trouble.status.to_string(), below(&survey.path), words])
    });
    let mut rows: Vec<_> = first_rows(failed.collect(), "FAILED");
    for (reason, left_out) in left_out {
        let row = |left_out: &LeftOut| {
            let error = left_out.error.as_ref().map(|error| format!(": {error}"));
            let reason = format!("{reason}{}", error.unwrap_or_default());
            ["left out".to_owned(), below(&left_out.path), reason]
        };
        rows.extend(first_rows(left_out.iter().map(row).collect(), "left out"));
    }
    if rows.is_empty() {
        return String::new();
    }
    let columns = [
        Column::Left("STATUS"),
        Column::Left("NOT SURVEYED"),
        Column::Left("WHY"),
    ];
    table(columns, rows)
}

/// The first rows, and one that counts the rest.
fn first_rows(mut rows: Vec<[String; 3]>, status: &str) -> Vec<[String; 3]> {
    let more = rows.len().saturating_sub(MOST_ROWS) as u64;
    rows.truncate(MOST_ROWS);
    if more > 0 {
        rows.push([
            status.to_owned(),
            format!("and {} more", number(more)),
            String::new(),
        ]);
    }
    rows
}

/// The four tasks that are no survey of a file of the folder.
fn of_their_own_kind(results: &Results) -> String {
    let size = results.measure.return_value();
    let measure = size.map(|size| amount(size.files, size.folders, size.bytes));
    let flaky = results.flaky.return_value().map(|_| {
        let errors = results.flaky.errors.iter();
        let errors = errors.map(|error| results::said(&error.failure) + ", ");
        errors.collect::<String>() + "succeeded"
    });
    let remind = results.remind.return_value().map(|_| {
        let [due, started] = [results.remind.run_after, results.remind.started_at].map(time);
        format!("due {due}, started {started}")
    });
    let (path, not_utf8) = &results.not_utf8;
    let facts = not_utf8
        .return_value()
        .map(|facts| format!("{} lines", facts.lines));
    let folder_of_run = path.with_file_name("");
    let rows = [
        row(&results.measure, measure),
        row(&results.flaky, flaky),
        row(&results.remind, remind),
        row(not_utf8, facts).map(|cell| cell.replace(&shown(&folder_of_run), "")),
    ];
    let columns = [
        Column::Left("TASK"),
        Column::Left("QUEUE"),
        Column::Right("PRIORITY"),
        Column::Left("STATUS"),
        Column::Right("ATTEMPTS"),
        Column::Left("WHAT CAME OF IT"),
    ];
    table(columns, rows)
}

fn row<T>(result: &TaskResult<T>, value: task_core::Result<String>) -> [String; 6] {
    let outcome = value.unwrap_or_else(|error| match results::last_failure(result) {
        Some(failure) => results::said(&failure),
        None => error.to_string(),
    });
    [
        result.name.to_string(),
        result.queue.to_string(),
        result.priority.to_string(),
        result.status().to_string(),
        result.attempts.to_string(),
        outcome,
    ]
}

fn time(moment: Option<Timestamp>) -> String {
    moment.map_or_else(
        || "-".to_owned(),
        |moment| moment.strftime("%H:%M:%S%.3f").to_string(),
    )
}

/// How much was done and how fast.
fn totals(results: &Results, read: &ReadBack) -> String {
    let starts = results
        .surveys
        .iter()
        .filter_map(|survey| survey.times.map(|times| times.0));
    let ends = results
        .surveys
        .iter()
        .filter_map(|survey| survey.times.map(|times| times.1));
    let surveys = results.surveys.len() as u64;
    let mut text = String::new();
    if let (Some(first), Some(last)) = (starts.min(), ends.max()) {
        let seconds = last.duration_since(first).as_secs_f64();
        let rate = per_second(surveys, seconds);
        let surveys = several(surveys, "survey");
        text.push_str(&format!("{surveys} run in {seconds:.2} s: {rate} per second\n"));
    }
    let seconds = read.took.as_secs_f64();
    let rate = per_second(read.tasks, seconds);
    let read = several(read.tasks, "result");
    text.push_str(&format!(
        "{read} read back by id in {seconds:.2} s: {rate} per second\n"
    ));
    text
}

/// So many files in so many folders.
pub(crate) fn amount(files: u64, folders: u64, bytes: u64) -> String {
    let (files, folders) = (several(files, "file"), several(folders, "folder"));
    format!("{files} in {folders}, {}", HumanBytes(bytes))
}

fn several(count: u64, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {what}{s}", number(count))
}

fn number(number: u64) -> String {
    HumanCount(number).to_string()
}
