//! What stands in the brackets of `#[task(..)]`.

use proc_macro2::{Ident, TokenStream};
use syn::punctuated::Punctuated;
use syn::{LitStr, Path, Token};

use crate::backoff::Backoff;
use crate::mistakes::Mistakes;
use crate::schedule::ScheduleKeys;
use crate::settings::{self, Setting};
use crate::unique::UniqueKeys;
use crate::{backoff, duration, metadata, names};

const KNOWN: &[&str] = &[
    "priority",
    "queue",
    "backend",
    "takes_context",
    "name",
    "aliases",
    "max_attempts",
    "max_lost",
    "backoff",
    "timeout",
    "every",
    "cron",
    "timezone",
    "missed",
    "unique",
    "unique_for",
    "unique_until",
    "metadata",
    "crate",
];

/// The most attempts, and the most lost workers, a task may be given.
const MAX_ATTEMPTS: i64 = 1_000_000;

/// What the user asked for; what was written wrong is as if it were not there.
pub(crate) struct Attributes {
    /// The crate that generated code names, `::task_core` unless it was renamed.
    pub(crate) krate: Option<Path>,
    pub(crate) name: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) queue: Option<Queue>,
    pub(crate) priority: Option<i64>,
    pub(crate) backend: Option<LitStr>,
    /// The key itself, for its place.
    pub(crate) takes_context: Option<Ident>,
    pub(crate) max_attempts: Option<i64>,
    pub(crate) max_lost: Option<i64>,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) schedule: ScheduleKeys,
    pub(crate) unique: UniqueKeys,
    /// The text of a JSON object.
    pub(crate) metadata: Option<String>,
}

/// The two ways to name a queue.
pub(crate) enum Queue {
    /// By text, compared with the queues the crate declares.
    Literal(LitStr),
    /// By a constant, which the compiler looks up.
    Constant(Path),
}

impl Attributes {
    /// Reads all keys and notes every mistake.
    pub(crate) fn read(list: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut attributes = Self {
            krate: None,
            name: None,
            aliases: Vec::new(),
            queue: None,
            priority: None,
            backend: None,
            takes_context: None,
            max_attempts: None,
            max_lost: None,
            backoff: None,
            timeout_ms: None,
            schedule: ScheduleKeys::default(),
            unique: UniqueKeys::default(),
            metadata: None,
        };
        for setting in settings::read(list, KNOWN, mistakes) {
            let taken = attributes.take(setting, mistakes);
            mistakes.keep(taken);
        }
        for mistake in attributes.repeated_names() {
            mistakes.push(mistake);
        }
        attributes
    }

    fn take(&mut self, setting: Setting, mistakes: &mut Mistakes) -> syn::Result<()> {
        match setting.name().as_str() {
            "priority" => self.priority = Some(setting.integer(-100, 100, 10)?),
            "queue" => self.queue = Some(queue(&setting)?),
            "backend" => {
                let expected = "the alias of a backend, such as `backend = \"reports\"`";
                self.backend = Some(named(&setting, expected, names::refuse_backend)?);
            }
            "takes_context" => {
                setting.flag()?;
                self.takes_context = Some(setting.key);
            }
            "name" => {
                let expected = "a string literal, such as `name = \"billing::charge\"`";
                self.name = Some(named(&setting, expected, names::refuse_task)?);
            }
            "aliases" => self.aliases = aliases(&setting, mistakes)?,
            "max_attempts" => self.max_attempts = Some(setting.integer(1, MAX_ATTEMPTS, 5)?),
            "max_lost" => self.max_lost = Some(setting.integer(0, MAX_ATTEMPTS, 0)?),
            "backoff" => {
                let expected =
                    "how long to wait between attempts, such as `backoff = \"exponential 1s..10m jitter\"`";
                let literal = setting.text(expected)?;
                let read = backoff::read(&literal.value());
                self.backoff = Some(read.map_err(|reason| syn::Error::new_spanned(literal, reason))?);
            }
            "timeout" => self.timeout_ms = Some(timeout(&setting)?),
            "every" | "cron" | "timezone" | "missed" => self.schedule.take(&setting)?,
            "unique" | "unique_for" | "unique_until" => self.unique.take(&setting)?,
            "metadata" => self.metadata = metadata::object(&setting, mistakes)?,
            _ => {
                let expected = "the path of the task crate, such as `crate = my_task_core`";
                self.krate = Some(setting.parse(expected)?);
            }
        }
        Ok(())
    }

    /// Aliases that say what another alias or the name says already.
    fn repeated_names(&self) -> Vec<syn::Error> {
        let mut before: Vec<String> = self.name.iter().map(LitStr::value).collect();
        let mut mistakes = Vec::new();
        for alias in &self.aliases {
            let text = alias.value();
            if before.contains(&text) {
                mistakes.push(syn::Error::new_spanned(
                    alias,
                    format!("this task is called `{text}` already"),
                ));
            }
            before.push(text);
        }
        mistakes
    }
}

fn queue(setting: &Setting) -> syn::Result<Queue> {
    let expected = "a string literal or the path of a constant, such as `queue = \"special\"` or \
                    `queue = queues::SPECIAL`";
    if let Ok(constant) = setting.parse::<Path>(expected) {
        return Ok(Queue::Constant(constant));
    }
    named(setting, expected, names::refuse_queue).map(Queue::Literal)
}

fn named(setting: &Setting, expected: &str, refuse: impl Fn(&str) -> Option<String>) -> syn::Result<LitStr> {
    accepted(setting.text(expected)?, refuse)
}

fn accepted(literal: LitStr, refuse: impl Fn(&str) -> Option<String>) -> syn::Result<LitStr> {
    match refuse(&literal.value()) {
        Some(reason) => Err(syn::Error::new_spanned(literal, reason)),
        None => Ok(literal),
    }
}

fn aliases(setting: &Setting, mistakes: &mut Mistakes) -> syn::Result<Vec<LitStr>> {
    let list: Bracketed = setting.parse("a list of string literals, such as `aliases = [\"old::name\"]`")?;
    let accepted = |alias| mistakes.keep(accepted(alias, names::refuse_task));
    Ok(list.0.into_iter().filter_map(accepted).collect())
}

/// The older names of an argument: one, or a list of them.
pub(crate) fn argument_aliases(setting: &Setting, mistakes: &mut Mistakes) -> Vec<LitStr> {
    let expected = "a string literal or a list of them, such as `alias = \"old_name\"`";
    let written = match setting.parse::<Bracketed>(expected) {
        Ok(list) => list.0.into_iter().collect(),
        Err(_) => Vec::from_iter(mistakes.keep(setting.text(expected))),
    };
    let accepted = |alias| mistakes.keep(accepted(alias, names::refuse_argument));
    written.into_iter().filter_map(accepted).collect()
}

fn timeout(setting: &Setting) -> syn::Result<u64> {
    let literal = setting.text("a duration in quotes, such as `timeout = \"30s\"`")?;
    duration::milliseconds(&literal.value()).map_err(|reason| syn::Error::new_spanned(literal, reason))
}

/// `["a", "b"]`
pub(crate) struct Bracketed(pub(crate) Punctuated<LitStr, Token![,]>);

impl syn::parse::Parse for Bracketed {
    fn parse(input: syn::parse::ParseStream<'_>) -> syn::Result<Self> {
        let list;
        syn::bracketed!(list in input);
        Punctuated::parse_terminated(&list).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use quote::{ToTokens, quote};

    use super::*;

    fn read(list: TokenStream) -> (Attributes, Vec<String>) {
        let mut mistakes = Mistakes::default();
        let attributes = Attributes::read(list, &mut mistakes);
        (attributes, mistakes.messages())
    }

    #[test]
    fn nothing_is_fine() {
        let (attributes, mistakes) = read(quote!());
        assert!(mistakes.is_empty());
        assert!(attributes.krate.is_none());
        assert!(attributes.queue.is_none() && attributes.takes_context.is_none());
    }

    #[test]
    fn every_key_is_read() {
        let (attributes, mistakes) = read(quote!(
            priority = -10,
            queue = "special",
            backend = "reports",
            takes_context,
            name = "billing::charge",
            aliases = ["billing::pay", "pay"],
            max_attempts = 5,
            max_lost = 0,
            backoff = "linear 5s..1m",
            timeout = "1m 30s",
            metadata(team = "billing"),
            crate = crate::renamed,
        ));
        assert_eq!(mistakes, [""; 0]);
        assert_eq!(attributes.priority, Some(-10));
        assert!(matches!(attributes.queue, Some(Queue::Literal(name)) if name.value() == "special"));
        assert_eq!(
            attributes.backend.map(|alias| alias.value()).as_deref(),
            Some("reports")
        );
        assert!(attributes.takes_context.is_some());
        assert_eq!(
            attributes.name.map(|name| name.value()).as_deref(),
            Some("billing::charge")
        );
        assert_eq!(attributes.aliases.len(), 2);
        assert_eq!(attributes.max_attempts, Some(5));
        assert_eq!(attributes.max_lost, Some(0));
        assert_eq!(
            attributes
                .backoff
                .map(|backoff| (backoff.first_ms, backoff.limit_ms)),
            Some((5_000, 60_000))
        );
        assert_eq!(attributes.timeout_ms, Some(90_000));
        assert_eq!(attributes.metadata.as_deref(), Some(r#"{"team":"billing"}"#));
        assert_eq!(attributes.krate.to_token_stream().to_string(), "crate :: renamed");
    }

    #[test]
    fn a_queue_may_be_a_constant() {
        let (attributes, mistakes) = read(quote!(queue = queues::SPECIAL));
        assert!(mistakes.is_empty());
        assert!(matches!(attributes.queue, Some(Queue::Constant(_))));
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let (attributes, mistakes) = read(quote!(
            priority = 101,
            qeue = "special",
            backend = "",
            takes_context = true,
            name = "two words",
            aliases = "old",
            max_attempts = 0,
            max_lost = -1,
            backoff = "sometimes",
            timeout = "soon",
            timeout = "30s",
            crate = 5,
        ));
        let expected = [
            "unknown attribute `qeue`, did you mean `queue`?",
            "`timeout` is given twice",
            "`priority` must be from -100 to 100, this is 101",
            "`` cannot be the alias of a backend",
            "`takes_context` takes no value",
            "task name `two words` contains a blank",
            "`aliases` takes a list of string literals",
            "`max_attempts` must be from 1 to 1000000, this is 0",
            "`max_lost` must be from 0 to 1000000, this is -1",
            "a backoff begins with",
            "`soon` is not a duration",
            "`crate` takes the path of the task crate",
        ];
        assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
        for (mistake, beginning) in mistakes.iter().zip(expected) {
            assert!(mistake.starts_with(beginning), "{mistake}");
        }
        assert!(attributes.priority.is_none() && attributes.timeout_ms.is_none());
    }

    #[test]
    fn a_task_cannot_have_one_name_twice() {
        let (_, mistakes) = read(quote!(name = "a", aliases = ["b", "a", "b"]));
        assert_eq!(
            mistakes,
            [
                "this task is called `a` already",
                "this task is called `b` already"
            ]
        );
    }

    #[test]
    fn a_queue_that_is_no_literal_and_no_path_is_refused() {
        for list in [
            quote!(queue = 5),
            quote!(queue = concat!("a", "b")),
            quote!(queue),
            quote!(queue =),
        ] {
            let (_, mistakes) = read(list);
            assert_eq!(mistakes.len(), 1);
            assert!(
                mistakes[0].starts_with("`queue` takes a string literal or the path"),
                "{}",
                mistakes[0]
            );
        }
    }
}
