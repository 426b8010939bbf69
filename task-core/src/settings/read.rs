//! Reading settings from their file and from the environment, key by key, each value with
//! the place it was given at.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::KEYS;
use super::options::{self, OPTIONS, Options};
use crate::{DEFAULT_ALIAS, Error, ErrorKind, Result, suggest};

/// Names the settings file when it is not beside the application's manifest.
pub(super) const CONFIG_VARIABLE: &str = "TASKS_CONFIG";

/// What all environment twins begin with: `TASKS_DEFAULT_URL`.
pub(super) const PREFIX: &str = "TASKS_";

/// A value with the place it was given at.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) value: Value,
    pub(super) place: String,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    List(Vec<String>),
    Options(Options),
}

pub(super) type Tables = BTreeMap<String, BTreeMap<String, Given>>;

pub(super) fn wrong(alias: &str, key: &str, what: &str, place: &str) -> Error {
    Error::new(ErrorKind::Settings, format!("`{key}` of `{alias}` {what}")).at(place)
}

/// Reads the file into tables; unknown keys and wrong types are errors with their line.
pub(super) fn parse(text: &str, file: &str) -> Result<Tables> {
    let document = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        Error::new(ErrorKind::Settings, format!("not TOML: {}", error.message())).at(format!("{file}:{line}"))
    })?;
    let mut tables = Tables::new();
    for (alias, table) in document.get_ref() {
        let place = |offset: usize| format!("{file}:{}", line_of(text, offset));
        let name = alias.get_ref().to_string();
        let Some(table) = table.get_ref().as_table() else {
            return Err(Error::new(
                ErrorKind::Settings,
                format!("`{name}` stands outside of an alias"),
            )
            .at(place(alias.span().start))
            .hint(format!(
                "write it below a line with the alias, such as [{DEFAULT_ALIAS}]"
            )));
        };
        check_alias(&name, &place(alias.span().start))?;
        let mut keys = BTreeMap::new();
        for (key, value) in table {
            let at = place(key.span().start);
            check_key(key.get_ref(), &name, &at)?;
            let (place, value) = if key.get_ref() == OPTIONS {
                let read = options::read(value.get_ref(), &name, &at, &place)?;
                (at, Value::Options(read))
            } else {
                let value = read_value(value.get_ref()).ok_or_else(|| {
                    let kinds = "must be a text, a whole number or a list of texts";
                    wrong(&name, key.get_ref(), kinds, &at)
                })?;
                (at, value)
            };
            keys.insert(key.get_ref().to_string(), Given { value, place });
        }
        tables.insert(name, keys);
    }
    Ok(tables)
}

fn read_value(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Some(Value::Text(text.to_string())),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(Value::Number),
        DeValue::Array(list) => list
            .iter()
            .map(|item| item.get_ref().as_str().map(ToOwned::to_owned))
            .collect::<Option<_>>()
            .map(Value::List),
        _ => None,
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()
        .iter()
        .take(offset)
        .filter(|byte| **byte == b'\n')
        .count()
        + 1
}

/// An alias must be usable in the name of an environment twin.
fn check_alias(alias: &str, place: &str) -> Result<()> {
    let fits = !alias.is_empty()
        && alias.len() <= 64
        && alias
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if fits {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Settings,
        format!("`{alias}` cannot be the alias of a backend"),
    )
    .at(place)
    .hint("an alias has 1 to 64 ASCII letters, digits, `-` or `_`"))
}

fn check_key(key: &str, alias: &str, place: &str) -> Result<()> {
    if KEYS.iter().any(|(known, _)| *known == key) {
        return Ok(());
    }
    Err(
        Error::new(ErrorKind::Settings, format!("unknown key `{key}` of `{alias}`"))
            .at(place)
            .hint(suggest::one_of(key, KEYS.iter().map(|(known, _)| *known))),
    )
}

/// Puts `TASKS_<ALIAS>_<KEY>` over what the file says.
pub(super) fn add_environment(tables: &mut Tables, environment: &BTreeMap<String, String>) -> Result<()> {
    let twins: Vec<(String, String)> = tables
        .keys()
        .map(|alias| (format!("{PREFIX}{}_", twin(alias)), alias.clone()))
        .collect();
    for (variable, text) in environment {
        if !variable.starts_with(PREFIX) || variable == CONFIG_VARIABLE {
            continue;
        }
        let place = format!("environment variable {variable}");
        // The longest alias that fits: of `a` and `a-b`, TASKS_A_B_URL belongs to `a-b`.
        let owner = twins
            .iter()
            .filter(|(start, _)| variable.starts_with(start))
            .max_by_key(|(start, _)| start.len());
        let Some((start, alias)) = owner else {
            let known: Vec<&str> = tables.keys().map(String::as_str).collect();
            let wrong = variable[PREFIX.len()..].split('_').next().unwrap_or("");
            return Err(
                Error::new(ErrorKind::Settings, "the variable belongs to no alias")
                    .at(place)
                    .hint(suggest::one_of(wrong, known)),
            );
        };
        let key = variable[start.len()..].to_ascii_lowercase();
        if let Some(option) = options::of_twin(&key, &place)? {
            if let Some(keys) = tables.get_mut(alias) {
                options::put(keys, option, text, &place);
            }
            continue;
        }
        check_key(&key, alias, &place)?;
        let value = if key == "queues" {
            Value::List(
                text.split(',')
                    .map(|queue| queue.trim().to_owned())
                    .filter(|queue| !queue.is_empty())
                    .collect(),
            )
        } else {
            Value::Text(text.clone())
        };
        if let Some(keys) = tables.get_mut(alias) {
            keys.insert(key, Given { value, place });
        }
    }
    Ok(())
}

fn twin(alias: &str) -> String {
    alias.to_ascii_uppercase().replace('-', "_")
}

/// Replaces each `${NAME}` by that environment variable.
pub(super) fn substitute(text: &str, environment: &BTreeMap<String, String>) -> Result<String> {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else {
            return Err(Error::new(
                ErrorKind::Settings,
                format!("`${{` without `}}` in `{text}`"),
            ));
        };
        let value = environment.get(name).ok_or_else(|| {
            Error::new(
                ErrorKind::Settings,
                format!("the environment variable `{name}` is not set"),
            )
        })?;
        whole.push_str(before);
        whole.push_str(value);
        rest = after;
    }
    whole.push_str(rest);
    Ok(whole)
}
