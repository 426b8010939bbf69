//! Medians, and the page that is printed in the end.

use std::collections::BTreeMap;

use crate::Plan;

/// All measurements by what was measured, in the order in which it was first measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    order: Vec<&'static str>,
    values: BTreeMap<&'static str, (&'static str, Vec<f64>)>,
}

impl Report {
    /// Adds one measurement.
    pub(crate) fn add(&mut self, what: &'static str, unit: &'static str, value: f64) {
        eprintln!("  {what}: {value:.2} {unit}");
        if !self.order.contains(&what) {
            self.order.push(what);
        }
        self.values
            .entry(what)
            .or_insert((unit, Vec::new()))
            .1
            .push(value);
    }

    /// Adds the median and the 99th percentile of times in milliseconds.
    pub(crate) fn add_percentiles(&mut self, what: &'static str, mut milliseconds: Vec<f64>) {
        milliseconds.sort_by(f64::total_cmp);
        let at =
            |part: usize| milliseconds.get((milliseconds.len() * part / 100).min(milliseconds.len() - 1));
        let (Some(half), Some(most)) = (at(50), at(99)) else {
            return;
        };
        let (p50, p99) = match what {
            "pick-up inside one process" => (
                "pick-up inside one process, p50",
                "pick-up inside one process, p99",
            ),
            _ => ("pick-up across processes, p50", "pick-up across processes, p99"),
        };
        self.add(p50, "ms", *half);
        self.add(p99, "ms", *most);
    }

    fn median(&self, what: &str) -> Option<f64> {
        let mut values = self.values.get(what)?.1.clone();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }

    /// Prints everything, with the shares of the raw limit.
    pub(crate) fn print(&self, plan: Plan) {
        self.print_for(
            "SQLite (WAL, synchronous=NORMAL: survives the end of any process)",
            plan,
        );
        self.print_share("enqueue_many", "raw enqueue, batches of 1000");
        self.print_share("drain, one worker process", "raw drain, batches of 2000");
    }

    /// Prints everything that was measured on this store.
    pub(crate) fn print_for(&self, store: &str, plan: Plan) {
        println!("\n{store}, results kept,");
        println!(
            "{} no-op tasks of about 100 bytes, {} repeats interleaved, {} cores",
            plan.tasks,
            plan.repeats,
            cores()
        );
        println!("\n| what | median | unit | smallest | largest |\n| --- | ---: | --- | ---: | ---: |");
        for what in &self.order {
            let Some((unit, values)) = self.values.get(what) else {
                continue;
            };
            let (least, most) = values
                .iter()
                .fold((f64::MAX, f64::MIN), |(l, m), v| (l.min(*v), m.max(*v)));
            let digits = if most < 1000.0 { 2 } else { 0 };
            println!(
                "| {what} | {:.digits$} | {unit} | {least:.digits$} | {most:.digits$} |",
                self.median(what).unwrap_or(f64::NAN)
            );
        }
    }

    /// Prints what share of a round's `base` each of the others reached in the same round.
    pub(crate) fn print_rounds(&self, base: &str) {
        let Some((_, bases)) = self.values.get(base) else {
            return;
        };
        println!();
        for what in self.order.iter().filter(|what| **what != base) {
            let Some((_, values)) = self.values.get(what) else {
                continue;
            };
            let mut shares: Vec<f64> = values
                .iter()
                .zip(bases)
                .map(|(one, base)| 100.0 * one / base)
                .collect();
            shares.sort_by(f64::total_cmp);
            if let (Some(half), Some(least), Some(most)) =
                (shares.get(shares.len() / 2), shares.first(), shares.last())
            {
                println!("{what}: {half:.0} % of {base} (rounds {least:.0} to {most:.0})");
            }
        }
    }

    /// Prints which part of the raw limit one of ours is.
    pub(crate) fn print_share(&self, ours: &str, raw: &str) {
        if let (Some(ours_value), Some(raw_value)) = (self.median(ours), self.median(raw)) {
            println!("\n{ours}: {:.0} % of {raw}", 100.0 * ours_value / raw_value);
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, std::num::NonZero::get)
}
