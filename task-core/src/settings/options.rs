//! `[alias.options]`: what only one kind of backend asks for, passed on to it as it stands.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use toml::de::{DeTable, DeValue};

use super::BackendSettings;
use super::read::{Given, Value, substitute, wrong};
use crate::{Error, ErrorKind, Result, suggest};

/// The key of the table.
pub(super) const OPTIONS: &str = "options";

/// The options of one alias, each with the place it was given at.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    pub(super) values: Map<String, Json>,
    pub(super) places: BTreeMap<String, String>,
}

impl Options {
    /// With each `${NAME}` in a text replaced by that environment variable.
    pub(super) fn substituted(mut self, environment: &BTreeMap<String, String>) -> Result<Self> {
        for (key, value) in &mut self.values {
            fill(value, environment).map_err(|error| match self.places.get(key) {
                Some(place) => error.at(place.clone()),
                None => error,
            })?;
        }
        Ok(self)
    }
}

fn fill(value: &mut Json, environment: &BTreeMap<String, String>) -> Result<()> {
    match value {
        Json::String(text) => *text = substitute(text, environment)?,
        Json::Array(list) => list.iter_mut().try_for_each(|item| fill(item, environment))?,
        Json::Object(table) => table.values_mut().try_for_each(|item| fill(item, environment))?,
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
    Ok(())
}

/// Reads the table; `at` says where a byte of the file is.
pub(super) fn read(
    value: &DeValue<'_>,
    alias: &str,
    place: &str,
    at: &dyn Fn(usize) -> String,
) -> Result<Options> {
    let table = value.as_table().ok_or_else(|| {
        wrong(alias, OPTIONS, "must be a table", place)
            .hint(format!("write the options below a line [{alias}.{OPTIONS}]"))
    })?;
    let mut options = Options::default();
    for (key, value) in table {
        let (name, place) = (key.get_ref().to_string(), at(key.span().start));
        let value = json(value.get_ref())
            .ok_or_else(|| wrong(alias, &name, "has a number that JSON does not have", &place))?;
        options.values.insert(name.clone(), value);
        options.places.insert(name, place);
    }
    Ok(options)
}

/// The same in JSON; `None` for a number that JSON does not have. A date is its text.
fn json(value: &DeValue<'_>) -> Option<Json> {
    Some(match value {
        DeValue::String(text) => Json::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok()?.into(),
        DeValue::Float(number) => Json::Number(serde_json::Number::from_f64(number.as_str().parse().ok()?)?),
        DeValue::Boolean(flag) => Json::Bool(*flag),
        DeValue::Datetime(moment) => Json::String(moment.to_string()),
        DeValue::Array(list) => list
            .iter()
            .map(|item| json(item.get_ref()))
            .collect::<Option<_>>()?,
        DeValue::Table(table) => Json::Object(object(table)?),
    })
}

fn object(table: &DeTable<'_>) -> Option<Map<String, Json>> {
    let pair = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
        let key: &std::borrow::Cow<'_, str> = key.get_ref();
        Some((key.to_string(), json(value.get_ref())?))
    };
    table.iter().map(pair).collect()
}

/// The option that `TASKS_<ALIAS>_<KEY>` is the twin of; `None` when it is another key's.
pub(super) fn of_twin<'k>(key: &'k str, place: &str) -> Result<Option<&'k str>> {
    match key.strip_prefix(OPTIONS) {
        Some("" | "_") => Err(Error::new(
            ErrorKind::Settings,
            "the variable does not say which of the options it is",
        )
        .at(place)
        .hint("TASKS_<ALIAS>_OPTIONS_<KEY>")),
        Some(rest) => Ok(rest.strip_prefix('_')),
        None => Ok(None),
    }
}

/// Puts a text from the environment over the option of that name, or beside the others.
pub(super) fn put(keys: &mut BTreeMap<String, Given>, option: &str, text: &str, place: &str) {
    let given = keys.entry(OPTIONS.to_owned()).or_insert_with(|| Given {
        value: Value::Options(Options::default()),
        place: place.to_owned(),
    });
    let Value::Options(options) = &mut given.value else {
        return;
    };
    // A variable has no case and no dashes: `pool-size` of the file is POOL_SIZE here.
    let spelt = |name: &&String| name.to_ascii_lowercase().replace('-', "_") == option;
    let name = options.values.keys().find(spelt).cloned();
    let name = name.unwrap_or_else(|| option.to_owned());
    options.values.insert(name.clone(), Json::String(text.to_owned()));
    options.places.insert(name, place.to_owned());
}

impl BackendSettings {
    /// Refuses options that this kind of backend does not have. A backend calls it with the
    /// names of those it has, none for one without.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] with the nearest name and the place.
    pub fn check_options(&self, known: &[&str]) -> Result<()> {
        let Some(unknown) = self.options.keys().find(|name| !known.contains(&name.as_str())) else {
            return Ok(());
        };
        let hint = if known.is_empty() {
            format!("a backend of the kind `{}` has no options", self.backend)
        } else {
            suggest::one_of(unknown, known.iter().copied())
        };
        Err(Error::new(
            ErrorKind::Settings,
            format!(
                "unknown option `{unknown}` of a backend of the kind `{}`",
                self.backend
            ),
        )
        .at(self.place_of(unknown))
        .hint(hint))
    }

    /// One option, read as a `T`; `None` when it is not given. A text that is no `T` may be the
    /// JSON of one: what comes from the environment always is a text.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] with the place, when it is no `T`.
    ///
    /// ```
    /// # use task_core::{BackendSettings, ErrorKind};
    /// let mut settings = BackendSettings::of_kind("memory");
    /// settings.options.insert("capacity".into(), 100.into());
    /// settings.options.insert("from_environment".into(), "100".into());
    ///
    /// assert_eq!(settings.option::<usize>("capacity")?, Some(100));
    /// assert_eq!(settings.option::<usize>("from_environment")?, Some(100));
    /// assert_eq!(settings.option::<usize>("absent")?, None);
    /// assert_eq!(settings.option::<bool>("capacity").unwrap_err().kind(), ErrorKind::Settings);
    /// # Ok::<(), task_core::Error>(())
    /// ```
    pub fn option<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let Some(value) = self.options.get(name) else {
            return Ok(None);
        };
        let read = T::deserialize(value).or_else(|error| match value {
            Json::String(text) => serde_json::from_str(text.trim()).map_err(|_| error),
            _ => Err(error),
        });
        read.map(Some).map_err(|error| {
            let message = format!("the option `{name}` cannot be read: {error}");
            Error::new(ErrorKind::Settings, message).at(self.place_of(name))
        })
    }

    fn place_of(&self, option: &str) -> String {
        self.option_places.get(option).unwrap_or(&self.place).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::super::Settings;
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<BackendSettings> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let environment = environment.iter().map(owned).collect();
        let mut settings = Settings::from_text(text, Path::new("app/tasks.toml"), &environment)?;
        Ok(settings.backends.remove("default").expect("it is in the file"))
    }

    const FILE: &str = "[default]\nbackend = \"x\"\n[default.options]\n";

    #[test]
    fn options_are_kept_as_they_stand_in_the_file() {
        let text = format!(
            "{FILE}capacity = 10\nratio = 0.5\nsince = 2024-01-02\nis_on = true\nhosts = [\"a\", 2]\n\
             [default.options.deep]\nName = \"${{WHO}}\"\n"
        );
        let settings = load(&text, &[("WHO", "Ada")]).expect("well-formed");
        let expected = json!({
            "capacity": 10, "ratio": 0.5, "since": "2024-01-02", "is_on": true, "hosts": ["a", 2],
            "deep": { "Name": "Ada" },
        });
        assert_eq!(Json::Object(settings.options), expected);
        assert_eq!(settings.option_places["capacity"], "app/tasks.toml:4");
    }

    #[test]
    fn each_option_has_an_environment_twin_that_wins() {
        let environment = [
            ("TASKS_DEFAULT_OPTIONS_POOL_SIZE", "7"),
            ("TASKS_DEFAULT_OPTIONS_NEW", "yes"),
        ];
        let settings = load(&format!("{FILE}pool-size = 3\n"), &environment).expect("well-formed");
        assert_eq!(
            Json::Object(settings.options.clone()),
            json!({ "pool-size": "7", "new": "yes" })
        );
        assert_eq!(settings.option("pool-size").expect("a number"), Some(7));
    }

    #[test]
    fn every_mistake_names_its_place() {
        for (text, environment, expected) in [
            (
                "[default]\nbackend = \"x\"\noptions = 5",
                &[][..],
                "must be a table (at app/tasks.toml:3)",
            ),
            (
                &format!("{FILE}n = nan"),
                &[],
                "a number that JSON does not have (at app/tasks.toml:4)",
            ),
            (
                &format!("{FILE}n = \"${{NOPE}}\""),
                &[],
                "`NOPE` is not set (at app/tasks.toml:4)",
            ),
            (
                FILE,
                &[("TASKS_DEFAULT_OPTIONS", "x")],
                "does not say which of the options",
            ),
            (FILE, &[("TASKS_DEFAULT_OPTIONSX", "x")], "unknown key `optionsx`"),
        ] {
            let error = load(text, environment).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Settings);
            assert!(error.to_string().contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn an_option_that_a_backend_does_not_have_is_refused_with_the_nearest_name() {
        let settings = load(&format!("{FILE}capcity = 10\n"), &[]).expect("well-formed");
        let error = settings
            .check_options(&["capacity", "name"])
            .expect_err("misspelt");
        assert!(error.to_string().contains("did you mean `capacity`?"), "{error}");
        assert!(error.to_string().contains("app/tasks.toml:4"), "{error}");
        let error = settings.check_options(&[]).expect_err("it has none");
        assert!(error.to_string().contains("`x` has no options"), "{error}");
        settings.check_options(&["capcity"]).expect("it has this one");
    }

    #[test]
    fn an_option_of_another_type_is_refused_with_its_place() {
        let settings = load(&format!("{FILE}capacity = \"ten\"\n"), &[]).expect("well-formed");
        let error = settings.option::<usize>("capacity").expect_err("a text");
        assert!(error.to_string().contains("`capacity` cannot be read"), "{error}");
        assert!(error.to_string().contains("app/tasks.toml:4"), "{error}");
        assert_eq!(
            settings.option("capacity").expect("a text"),
            Some("ten".to_owned())
        );
    }
}
