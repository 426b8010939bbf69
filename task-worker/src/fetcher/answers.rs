//! What the fetcher makes of an answer of the store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use task_core::{Claim, ClaimRequest, ErrorKind, TaskId, TaskRecord, signals};

use super::Fetcher;
use crate::errand::Report;
use crate::plan::Choice;

impl Fetcher {
    /// Takes the answer to an errand.
    pub(super) fn hear(&mut self, report: Report) {
        let report = self.note(report);
        let claimed_for = match report {
            Report::Claimed { .. } => self.claiming.take(),
            _ => None,
        };
        match report {
            Report::Finished {
                unwritten,
                answer: Ok(refused),
                ..
            } => {
                self.failures = 0;
                self.slots.told(&unwritten.progress.started);
                self.announce(&unwritten.records, &refused);
            }
            Report::Finished {
                unwritten,
                answer: Err(error),
                ..
            } => {
                self.unwritten = Some(unwritten);
                self.failures += 1;
                tracing::error!(%error, "cannot write down how tasks ended, trying again");
            }
            Report::Claimed {
                request,
                answer: Ok(claim),
                ..
            } => {
                self.failures = 0;
                if let Some(choice) = claimed_for {
                    self.receive(choice, &request, claim);
                }
            }
            Report::Claimed {
                answer: Err(error), ..
            } if error.kind() == ErrorKind::State => {
                tracing::warn!(%error, "the store gave this worker up");
                self.lose();
            }
            Report::Claimed {
                answer: Err(error), ..
            } => {
                self.failures += 1;
                tracing::error!(%error, "cannot claim tasks, trying again");
            }
            Report::Joined { answer: Ok(key), .. } => {
                self.failures = 0;
                self.key = key;
                self.is_lost = false;
                self.plan.wake();
                if !self.is_quiet {
                    self.slots.open();
                }
                self.helpers
                    .beat_for(&self.alias, key, self.options.lease, &self.meter);
                tracing::info!(worker = %self.info.id, "joined again");
            }
            Report::Joined {
                answer: Err(error), ..
            } => {
                self.failures += 1;
                tracing::error!(%error, "cannot join again, trying on");
            }
            Report::GaveBack { answer: Ok(()), .. } => self.failures = 0,
            Report::GaveBack {
                tasks,
                answer: Err(error),
            } => {
                self.unreturned = Some(tasks);
                self.failures += 1;
                tracing::error!(%error, "cannot give tasks back, trying again");
            }
            Report::Rested => {}
            Report::Woken(wake) => {
                self.wake = wake;
                self.is_waiting = false;
                self.plan.wake();
            }
        }
    }

    /// Counts what came of an errand.
    fn note(&self, report: Report) -> Report {
        let meter = &self.meter;
        let count = |number: &AtomicU64, more: usize| number.fetch_add(more as u64, Ordering::Relaxed);
        match &report {
            Report::Finished { answer, took, .. } => {
                meter.answered(answer.as_ref().err());
                if let Ok(refused) = answer {
                    meter.finish_times.add(*took);
                    count(&meter.refused, refused.len());
                }
            }
            Report::Claimed { answer, took, .. } => {
                meter.answered(answer.as_ref().err());
                if let Ok(claim) = answer {
                    meter.claim_times.add(*took);
                    count(&meter.claims, 1);
                    count(&meter.claimed, claim.tasks.len() + claim.damaged);
                }
            }
            Report::Joined { answer, asked } => {
                meter.answered(answer.as_ref().err());
                if answer.is_ok() {
                    meter.renewed(*asked, self.options.lease);
                }
            }
            Report::GaveBack { answer, .. } => meter.answered(answer.as_ref().err()),
            Report::Woken(_) | Report::Rested => {}
        }
        report
    }

    /// Takes what a claim brought.
    fn receive(&mut self, choice: Choice, request: &ClaimRequest, claim: Claim) {
        let count = claim.tasks.len() + claim.damaged;
        if self.options.batch && count > 0 {
            // What runs may enqueue what another cell takes: nothing is over before all had nothing.
            self.plan.wake();
        }
        self.plan.brought(choice, count, claim.next_due, Instant::now());
        self.slots.add(claim.tasks, request.starting, choice.cell);
        if self.is_quiet || self.is_lost {
            self.return_backlog();
        }
    }

    /// Sends `task_finished` for what the store has now.
    fn announce(&self, records: &[TaskRecord], refused: &[TaskId]) {
        for id in refused {
            tracing::warn!(task = %id, "the task's lease was lost: its result was refused");
        }
        records
            .iter()
            .filter(|record| !refused.contains(&record.id))
            .for_each(|record| signals::TASK_FINISHED.send(record));
    }
}
