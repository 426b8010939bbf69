//! The worker's numbers in the text format of Prometheus (OpenMetrics 1.0).

use std::fmt::Error;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text::encode};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use task_worker::{Histogram, TaskTotals, WorkerSnapshot, WorkerState};

/// What the text is.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The numbers as text.
///
/// # Errors
/// None that is known of: writing to memory.
pub(super) fn text(snapshot: &WorkerSnapshot) -> Result<String, Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Page(snapshot.clone())));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Page(WorkerSnapshot);

impl Collector for Page {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut writer = Writer(encoder);
        let now = &self.0;
        writer.who(now)?;
        writer.gauges(now)?;
        writer.counters(now)?;
        writer.times(
            "task_worker_claim_seconds",
            "How long claims took that the store answered",
            &now.claim_times,
        )?;
        writer.times(
            "task_worker_finish_seconds",
            "How long it took to write down how a batch of tasks ended",
            &now.finish_times,
        )?;
        writer.tasks(&now.tasks)
    }
}

struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn family(&mut self, name: &str, help: &str, kind: MetricType, write: Write<'_>) -> Result<(), Error> {
        // The encoder ends the sentence.
        write(self.0.encode_descriptor(name, help, None, kind)?)
    }

    fn who(&mut self, now: &WorkerSnapshot) -> Result<(), Error> {
        let labels = [
            ("worker", now.worker.as_str()),
            ("backend", now.backend.as_str()),
            ("queues", now.queues.as_str()),
            ("version", env!("CARGO_PKG_VERSION")),
        ];
        let help = "Who this is";
        self.family("task_worker", help, MetricType::Info, &mut |mut family| {
            family.encode_info(&labels)
        })?;
        let help = "1 for what the worker is doing, 0 for what it is not";
        self.family("task_worker_state", help, MetricType::Gauge, &mut |mut family| {
            for state in WorkerState::ALL {
                let labels = [("state", state.as_str())];
                family
                    .encode_family(&labels)?
                    .encode_gauge(&i64::from(state == now.state))?;
            }
            Ok(())
        })
    }

    fn gauges(&mut self, now: &WorkerSnapshot) -> Result<(), Error> {
        for (name, help, value) in [
            ("slots", "How many tasks run at a time", Some(count(now.slots))),
            ("busy_slots", "How many tasks run now", Some(count(now.busy))),
            (
                "backlog_tasks",
                "Claimed tasks that wait in memory",
                Some(count(now.backlog)),
            ),
            (
                "loop_age_seconds",
                "How long ago the worker's loop last went round",
                Some(now.loop_age.as_secs_f64()),
            ),
            (
                "store_age_seconds",
                "How long ago the store last answered; missing when it never did",
                now.store_age.as_ref().map(Duration::as_secs_f64),
            ),
            (
                "lease_left_seconds",
                "How long the lease still runs; missing without a lease",
                now.lease_left.as_ref().map(Duration::as_secs_f64),
            ),
        ] {
            let name = format!("task_worker_{name}");
            self.family(&name, help, MetricType::Gauge, &mut |mut family| match value {
                Some(value) => family.encode_gauge(&value),
                None => Ok(()),
            })?;
        }
        Ok(())
    }

    fn counters(&mut self, now: &WorkerSnapshot) -> Result<(), Error> {
        for (name, help, value) in [
            (
                "claims",
                "Claims that the store answered, also with nothing",
                now.claims,
            ),
            ("claimed_tasks", "Tasks that claims brought", now.claimed),
            ("started_attempts", "Attempts that began", now.totals.started),
            (
                "refused_ends",
                "Ends that the store refused since the lease had been lost",
                now.refused,
            ),
            ("lost_leases", "Leases that were lost", now.lost_leases),
            (
                "store_errors",
                "Calls that the store did not answer, or answered with an error",
                now.store_errors,
            ),
            (
                "store_reconnects",
                "How often the store answered again after an error",
                now.reconnects,
            ),
        ] {
            let name = format!("task_worker_{name}");
            self.family(&name, help, MetricType::Counter, &mut |mut family| {
                family.encode_counter::<NoLabelSet, _, u64>(&value, None)
            })?;
        }
        let totals = now.totals;
        let outcomes = [
            ("succeeded", totals.succeeded),
            ("failed", totals.failed),
            ("retried", totals.retried),
            ("canceled", totals.canceled),
            ("given_back", totals.given_back),
        ];
        let help = "What became of the tasks that were claimed";
        self.family(
            "task_worker_tasks",
            help,
            MetricType::Counter,
            &mut |mut family| {
                for (outcome, value) in outcomes {
                    let labels = [("outcome", outcome)];
                    let mut one = family.encode_family(&labels)?;
                    one.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
                }
                Ok(())
            },
        )
    }

    fn times(&mut self, name: &str, help: &str, times: &Histogram) -> Result<(), Error> {
        self.family(name, help, MetricType::Histogram, &mut |mut family| {
            histogram(&mut family, times)
        })
    }

    fn tasks(&mut self, tasks: &[TaskTotals]) -> Result<(), Error> {
        let help = "What became of attempts, by the name of the task";
        self.family("task_attempts", help, MetricType::Counter, &mut |mut family| {
            for task in tasks {
                for (outcome, value) in [
                    ("succeeded", task.succeeded),
                    ("failed", task.failed),
                    ("retried", task.retried),
                    ("canceled", task.canceled),
                ] {
                    let labels = [("task", task.name), ("outcome", outcome)];
                    let mut one = family.encode_family(&labels)?;
                    one.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
                }
            }
            Ok(())
        })?;
        let help = "How long attempts took, by the name of the task";
        let name = "task_attempt_seconds";
        self.family(name, help, MetricType::Histogram, &mut |mut family| {
            for task in tasks {
                let labels = [("task", task.name)];
                histogram(&mut family.encode_family(&labels)?, &task.times)?;
            }
            Ok(())
        })
    }
}

/// Writes the numbers of one name.
type Write<'a> = &'a mut dyn FnMut(MetricEncoder<'_>) -> Result<(), Error>;

fn histogram(encoder: &mut MetricEncoder<'_>, times: &Histogram) -> Result<(), Error> {
    let bounds = Histogram::BOUNDS
        .iter()
        .map(Duration::as_secs_f64)
        .chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(times.counts).collect();
    encoder.encode_histogram::<NoLabelSet>(times.total.as_secs_f64(), times.count(), &buckets, None)
}

#[expect(clippy::cast_precision_loss, reason = "slots and tasks in memory are few")]
fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use task_worker::WorkerStatus;

    use super::*;

    #[test]
    fn every_number_has_its_line_and_a_name_cannot_break_one() {
        let mut times = Histogram::default();
        times.counts[1] = 2;
        times.total = Duration::from_millis(3);
        let mut snapshot = WorkerStatus::new().snapshot();
        snapshot.worker = "we\"b\n1".to_owned();
        snapshot.totals.succeeded = 2;
        snapshot.tasks = vec![TaskTotals {
            name: "app::greet",
            succeeded: 2,
            failed: 0,
            retried: 0,
            canceled: 0,
            times,
        }];
        let text = text(&snapshot).expect("memory");
        for line in [
            "task_worker_info{worker=\"we\\\"b\\n1\",backend=\"\",",
            "task_worker_state{state=\"starting\"} 1\n",
            "task_worker_state{state=\"running\"} 0\n",
            "task_worker_tasks_total{outcome=\"succeeded\"} 2\n",
            "task_worker_store_errors_total 0\n",
            "task_attempts_total{task=\"app::greet\",outcome=\"succeeded\"} 2\n",
            "task_attempt_seconds_bucket{le=\"0.0005\",task=\"app::greet\"} 0\n",
            "task_attempt_seconds_bucket{le=\"0.001\",task=\"app::greet\"} 2\n",
            "task_attempt_seconds_bucket{le=\"+Inf\",task=\"app::greet\"} 2\n",
            "task_attempt_seconds_sum{task=\"app::greet\"} 0.003\n",
            "task_worker_claim_seconds_count 0\n",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        assert!(
            !text.contains("\ntask_worker_store_age_seconds "),
            "the store never answered"
        );
        assert!(text.ends_with("# EOF\n"));
    }
}
