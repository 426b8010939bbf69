//! `tasks.toml` and its environment twins: which backends a program has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use crate::options::check_queue_name;
use crate::{DEFAULT_ALIAS, Error, ErrorKind, Limits, Result};

mod options;
mod read;

use self::options::{OPTIONS, Options};
use read::{CONFIG_VARIABLE, Given, PREFIX, Tables, Value, add_environment, parse, substitute, wrong};

/// Every key of one alias, with what it means. `docs/settings.md` shows this table.
pub const KEYS: [(&str, &str); 7] = [
    (
        "backend",
        "the kind of store: dummy, immediate, sqlite, postgres, mysql, redis or one that a crate registers",
    ),
    (
        "url",
        "where the store is: `sqlite://tasks.db`, from the folder of the settings file, or `postgres://..`, `mysql://..`, `redis://..`",
    ),
    (
        "queues",
        "the queue names it accepts; default [\"default\"], [] accepts any",
    ),
    (
        "synchronous",
        "sqlite: `normal` (default: survives dying processes) or `full` (also power loss)",
    ),
    (
        "max_arguments_bytes",
        "the largest arguments of one task, in bytes of JSON; default 1048576",
    ),
    (
        "max_result_bytes",
        "the largest return value of one task, in bytes of JSON; default 1048576",
    ),
    (
        OPTIONS,
        "a table of whatever else this kind of store asks for; postgres: schema, notify; redis: prefix, allow_eviction; the other built-in ones: nothing",
    ),
];

/// The backends of a program as its settings describe them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// By alias.
    pub backends: BTreeMap<String, BackendSettings>,
    /// The file they came from, if there was one.
    pub file: Option<PathBuf>,
}

/// One alias of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendSettings {
    /// The kind of store.
    pub backend: String,
    /// Where it is.
    pub url: Option<String>,
    /// The queues it accepts; empty accepts any.
    pub queues: Vec<String>,
    /// How durable an SQLite store is.
    pub synchronous: Option<String>,
    /// How large stored values may be.
    pub limits: Limits,
    /// What `[alias.options]` says, as it stands there; for kinds of backend that have
    /// options of their own. Read them with [`BackendSettings::option`].
    pub options: Map<String, Json>,
    /// Where each option is given, for messages.
    pub option_places: BTreeMap<String, String>,
    /// The folder that a relative file name in `url` starts from.
    pub folder: PathBuf,
    /// Where this alias is defined, for messages.
    pub place: String,
}

impl BackendSettings {
    /// Settings of this kind of store that accept any queue.
    pub fn of_kind(backend: impl Into<String>) -> Self {
        Self {
            backend: backend.into(),
            url: None,
            queues: Vec::new(),
            synchronous: None,
            limits: Limits::DEFAULT,
            options: Map::new(),
            option_places: BTreeMap::new(),
            folder: PathBuf::from("."),
            place: "the program".to_owned(),
        }
    }
}

impl Settings {
    /// The settings of this process: the file `TASKS_CONFIG` names, else `tasks.toml` beside
    /// the application's manifest (when cargo runs it) or in the working directory; then
    /// the environment twins. Without any of them: `default` on the immediate backend,
    /// accepting any queue.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] with file, line and a hint; a file that `TASKS_CONFIG` names
    /// must exist.
    pub fn load() -> Result<Self> {
        let mut environment = BTreeMap::new();
        for (key, value) in std::env::vars_os() {
            let Ok(key) = key.into_string() else { continue };
            match value.into_string() {
                Ok(value) => {
                    environment.insert(key, value);
                }
                Err(_) if key.starts_with(PREFIX) => {
                    let message = format!("the environment variable {key} is not UTF-8");
                    return Err(Error::new(ErrorKind::Settings, message).hint("set it anew, or unset it"));
                }
                // Of other programs.
                Err(_) => {}
            }
        }
        Self::load_from(&environment)
    }

    /// As [`Settings::load`], with this environment.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn load_from(environment: &BTreeMap<String, String>) -> Result<Self> {
        let named = environment
            .get(CONFIG_VARIABLE)
            .filter(|name| !name.is_empty())
            .map(PathBuf::from);
        let beside = environment
            .get("CARGO_MANIFEST_DIR")
            .map(|folder| Path::new(folder).join("tasks.toml"));
        let file = match named {
            Some(named) => Some(named),
            None => beside
                .into_iter()
                .chain([PathBuf::from("tasks.toml")])
                .find(|path| path.is_file()),
        };
        let Some(file) = file else {
            return Self::build(BTreeMap::new(), None, environment);
        };
        let text = std::fs::read_to_string(&file).map_err(|error| {
            Error::new(ErrorKind::Settings, "cannot read the settings file")
                .at(file.display().to_string())
                .because(error)
        })?;
        let tables = parse(&text, &file.display().to_string())?;
        Self::build(tables, Some(file), environment)
    }

    /// Settings from text, as if it were a file of this name, with this environment.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn from_text(text: &str, file: &Path, environment: &BTreeMap<String, String>) -> Result<Self> {
        Self::build(
            parse(text, &file.display().to_string())?,
            Some(file.to_owned()),
            environment,
        )
    }

    fn build(
        mut tables: Tables,
        file: Option<PathBuf>,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let from_file = !tables.is_empty();
        if !from_file {
            tables.insert(DEFAULT_ALIAS.to_owned(), BTreeMap::new());
        }
        add_environment(&mut tables, environment)?;
        if !from_file && tables.values().all(BTreeMap::is_empty) {
            let backends = [(DEFAULT_ALIAS.to_owned(), BackendSettings::of_kind("immediate"))].into();
            return Ok(Self { backends, file });
        }
        let folder = file
            .as_deref()
            .and_then(Path::parent)
            .unwrap_or(Path::new(""))
            .to_owned();
        let mut backends = BTreeMap::new();
        for (alias, keys) in tables {
            let place = keys
                .values()
                .next()
                .map_or_else(|| alias.clone(), |given| given.place.clone());
            backends.insert(
                alias.clone(),
                read_alias(&alias, keys, &folder, place, environment)?,
            );
        }
        Ok(Self { backends, file })
    }
}

fn read_alias(
    alias: &str,
    mut keys: BTreeMap<String, Given>,
    folder: &Path,
    place: String,
    environment: &BTreeMap<String, String>,
) -> Result<BackendSettings> {
    let mut text = |key: &str| -> Result<Option<String>> {
        let Some(given) = keys.remove(key) else {
            return Ok(None);
        };
        let Value::Text(text) = given.value else {
            return Err(wrong(alias, key, "must be a text", &given.place));
        };
        substitute(&text, environment)
            .map(Some)
            .map_err(|error| error.at(given.place))
    };
    let backend = text("backend")?.ok_or_else(|| {
        Error::new(
            ErrorKind::Settings,
            format!("the alias `{alias}` does not say which `backend` it is"),
        )
        .at(place.clone())
        .hint("backend = \"sqlite\"")
    })?;
    let url = text("url")?;
    let synchronous = text("synchronous")?;
    let mut number = |key: &str, default: usize| -> Result<usize> {
        let Some(given) = keys.remove(key) else {
            return Ok(default);
        };
        let number = match &given.value {
            Value::Number(number) => usize::try_from(*number).ok(),
            Value::Text(text) => text.trim().parse().ok(),
            Value::List(_) | Value::Options(_) => None,
        };
        number
            .filter(|bytes| *bytes > 0)
            .ok_or_else(|| wrong(alias, key, "must be a whole number above 0", &given.place))
    };
    let limits = Limits {
        arguments_bytes: number("max_arguments_bytes", Limits::DEFAULT.arguments_bytes)?,
        result_bytes: number("max_result_bytes", Limits::DEFAULT.result_bytes)?,
    };
    let queues = match keys.remove("queues") {
        None => vec![DEFAULT_ALIAS.to_owned()],
        Some(Given {
            value: Value::List(queues),
            place,
        }) => {
            for queue in &queues {
                check_queue_name(queue).map_err(|error| wrong(alias, "queues", error.message(), &place))?;
            }
            queues
        }
        Some(given) => return Err(wrong(alias, "queues", "must be a list of texts", &given.place)),
    };
    let Options { values, places } = match keys.remove(OPTIONS).map(|given| given.value) {
        Some(Value::Options(options)) => options.substituted(environment)?,
        _ => Options::default(),
    };
    Ok(BackendSettings {
        backend,
        url,
        queues,
        synchronous,
        limits,
        options: values,
        option_places: places,
        folder: folder.to_owned(),
        place,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<Settings> {
        let environment = environment
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Settings::from_text(text, Path::new("app/tasks.toml"), &environment)
    }

    #[test]
    fn without_a_file_there_is_one_immediate_backend() {
        let settings = Settings::build(Tables::new(), None, &BTreeMap::new()).expect("defaults");
        assert_eq!(settings.backends["default"].backend, "immediate");
        assert!(settings.backends["default"].queues.is_empty());
    }

    #[test]
    fn the_file_says_what_each_alias_is() {
        let settings = load(
            "[default]\nbackend = \"sqlite\"\nurl = \"sqlite://tasks.db\"\nqueues = [\"default\", \"special\"]\n\
             max_result_bytes = 99\n[mail]\nbackend = \"dummy\"\nqueues = []",
            &[],
        )
        .expect("well-formed");
        let default = &settings.backends["default"];
        assert_eq!(
            (default.backend.as_str(), default.url.as_deref()),
            ("sqlite", Some("sqlite://tasks.db"))
        );
        assert_eq!(default.queues, ["default", "special"]);
        assert_eq!(default.limits.result_bytes, 99);
        assert_eq!(default.folder, Path::new("app"));
        assert!(settings.backends["mail"].queues.is_empty());
    }

    #[test]
    fn each_key_has_an_environment_twin_that_wins() {
        let settings = load(
            "[default]\nbackend = \"dummy\"\n[my-mail]\nbackend = \"dummy\"",
            &[
                ("TASKS_DEFAULT_BACKEND", "sqlite"),
                ("TASKS_DEFAULT_URL", "${WHERE}/x.db"),
                ("WHERE", "sqlite:///tmp"),
                ("TASKS_MY_MAIL_QUEUES", "a, b"),
                ("TASKS_DEFAULT_MAX_ARGUMENTS_BYTES", "7"),
            ],
        )
        .expect("well-formed");
        assert_eq!(settings.backends["default"].backend, "sqlite");
        assert_eq!(
            settings.backends["default"].url.as_deref(),
            Some("sqlite:///tmp/x.db")
        );
        assert_eq!(settings.backends["default"].limits.arguments_bytes, 7);
        assert_eq!(settings.backends["my-mail"].queues, ["a", "b"]);
    }

    #[test]
    fn the_environment_alone_is_enough() {
        let environment = [("TASKS_DEFAULT_BACKEND".to_owned(), "dummy".to_owned())].into();
        let settings = Settings::build(Tables::new(), None, &environment).expect("well-formed");
        assert_eq!(settings.backends["default"].queues, ["default"]);
    }

    #[test]
    fn every_mistake_names_its_place_and_the_cure() {
        for (text, environment, expected) in [
            (
                "[default]\nbackend = \"dummy\"\nqeues = []",
                &[][..],
                "app/tasks.toml:3)\n  hint: did you mean `queues`?",
            ),
            (
                "[default]\nbackend = 5",
                &[],
                "`backend` of `default` must be a text (at app/tasks.toml:2)",
            ),
            (
                "[default]\nqueues = []",
                &[],
                "does not say which `backend` it is",
            ),
            (
                "backend = \"dummy\"",
                &[],
                "stands outside of an alias (at app/tasks.toml:1)",
            ),
            ("[default]\nbackend = ", &[], "(at app/tasks.toml:2)"),
            (
                "[default]\nbackend = \"dummy\"\nqueues = [\"a,b\"]",
                &[],
                "has a comma",
            ),
            (
                "[default]\nbackend = \"dummy\"\nmax_result_bytes = -1",
                &[],
                "whole number above 0",
            ),
            (
                "[default]\nbackend = \"dummy\"\nurl = \"${NOPE}\"",
                &[],
                "`NOPE` is not set (at app/tasks.toml:3)",
            ),
            (
                "[default]\nbackend = \"dummy\"",
                &[("TASKS_DEFAULT_ULR", "x")],
                "did you mean `url`?",
            ),
            (
                "[default]\nbackend = \"dummy\"",
                &[("TASKS_DEFALT_URL", "x")],
                "did you mean `default`?",
            ),
            ("[\"a b\"]\nbackend = \"dummy\"", &[], "cannot be the alias"),
        ] {
            let error = load(text, environment).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Settings);
            assert!(error.to_string().contains(expected), "{text}: {error}");
        }
    }
}
