//! The kinds of backend a program can open, by the name they have in `tasks.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;

use crate::{BackendSettings, Error, ErrorKind, Result, TaskBackend, suggest};

/// A backend being opened.
type Opening<'a> = Pin<Box<dyn Future<Output = Result<Arc<dyn TaskBackend>>> + Send + 'a>>;

/// Opens the backend of an alias: every `async fn(&str, &BackendSettings) -> Result<B>` with a
/// `B` that is a [`TaskBackend`]. It is given the alias and what the settings say of it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not open a backend",
    label = "this must be an `async fn(&str, &BackendSettings) -> task_core::Result<B>`, whose `B` is a `TaskBackend`",
    note = "the future must be `Send`"
)]
pub trait OpenBackend<'a>: Send + Sync {
    /// Opens it.
    #[doc(hidden)]
    fn open(&self, alias: &'a str, settings: &'a BackendSettings) -> Opening<'a>;
}

#[diagnostic::do_not_recommend]
impl<'a, F, O, B> OpenBackend<'a> for F
where
    F: Fn(&'a str, &'a BackendSettings) -> O + Send + Sync,
    O: Future<Output = Result<B>> + Send + 'a,
    B: TaskBackend + 'static,
{
    fn open(&self, alias: &'a str, settings: &'a BackendSettings) -> Opening<'a> {
        let opening = self(alias, settings);
        Box::pin(async move { Ok(Arc::new(opening.await?) as Arc<dyn TaskBackend>) })
    }
}

/// One kind of backend: its name in `tasks.toml`, how it is opened, where it is registered.
#[derive(Clone)]
pub struct BackendKind {
    name: &'static str,
    open: Arc<dyn for<'a> OpenBackend<'a>>,
    place: &'static Location<'static>,
}

impl BackendKind {
    /// The kind of this name, opened by this function. [`backend_kind!`](crate::backend_kind)
    /// registers one for every program that links its crate.
    #[track_caller]
    pub fn new(name: &'static str, open: impl for<'a> OpenBackend<'a> + 'static) -> Self {
        Self {
            name,
            open: Arc::new(open),
            place: Location::caller(),
        }
    }

    /// Its name, as `backend = ".."` in `tasks.toml` has it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The source file and line that registers it.
    pub fn place(&self) -> (&'static str, u32) {
        (self.place.file(), self.place.line())
    }

    /// Opens the backend of this alias.
    ///
    /// # Errors
    /// What the function says that opens it, with the alias.
    pub async fn open(&self, alias: &str, settings: &BackendSettings) -> Result<Arc<dyn TaskBackend>> {
        let opened = self.open.open(alias, settings).await;
        opened.map_err(|error| error.at(format!("backend `{alias}`")))
    }
}

impl fmt::Debug for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackendKind({}, {})", self.name, self.place)
    }
}

/// What [`backend_kind!`](crate::backend_kind) submits; collected before `main` runs.
pub struct RegisteredKind(pub fn() -> BackendKind);

inventory::collect!(RegisteredKind);

/// The kinds of backend a program can open: those that crates registered with
/// [`backend_kind!`](crate::backend_kind), or those added by hand.
#[derive(Debug, Clone, Default)]
pub struct BackendKinds {
    by_name: BTreeMap<&'static str, BackendKind>,
}

impl BackendKinds {
    /// None at all. `task_backends::kinds()` has the built-in ones and those registered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds every kind that a crate this program links registered.
    ///
    /// # Errors
    /// As [`BackendKinds::add`].
    pub fn add_registered(&mut self) -> Result<&mut Self> {
        let mut registered: Vec<BackendKind> = inventory::iter::<RegisteredKind>()
            .map(|registered| registered.0())
            .collect();
        // Constructors run in no particular order; errors should.
        registered.sort_by_key(|kind| (kind.name, kind.place()));
        for kind in registered {
            self.add(kind)?;
        }
        Ok(self)
    }

    /// Adds one kind.
    ///
    /// # Errors
    /// [`ErrorKind::Registry`] when the name is taken, naming both places, or is none that
    /// settings could have: 1 to 64 lower-case ASCII letters, digits, `-` or `_`.
    pub fn add(&mut self, kind: BackendKind) -> Result<&mut Self> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        if kind.name.is_empty() || kind.name.len() > 64 || !kind.name.bytes().all(fits) {
            let message = format!("`{}` cannot be the name of a kind of backend", kind.name);
            return Err(Error::new(ErrorKind::Registry, message)
                .at(kind.place.to_string())
                .hint("a kind has 1 to 64 lower-case ASCII letters, digits, `-` or `_`"));
        }
        if let Some(other) = self.by_name.get(kind.name) {
            let (name, one, two) = (kind.name, at(other), at(&kind));
            let message = format!("two kinds of backend are called `{name}`: {one} and {two}");
            return Err(Error::new(ErrorKind::Registry, message).hint("give one of them another name"));
        }
        self.by_name.insert(kind.name, kind);
        Ok(self)
    }

    /// The kind of this name.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidBackend`] with the nearest name.
    pub fn require(&self, name: &str) -> Result<&BackendKind> {
        self.by_name.get(name).ok_or_else(|| {
            let nearest = suggest::one_of(name, self.by_name.keys().copied());
            let message = format!("this program has no backend of the kind `{name}`");
            Error::new(ErrorKind::InvalidBackend, message).hint(format!(
                "{nearest}. A kind of another crate is there when the program links that crate: `use that_crate as _;`"
            ))
        })
    }

    /// All kinds, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &BackendKind> {
        self.by_name.values()
    }
}

fn at(kind: &BackendKind) -> String {
    let (file, line) = kind.place();
    format!("{file}:{line}")
}

/// Registers a kind of backend: its name in `tasks.toml`, and the function that opens it.
///
/// Every program that links the crate can then say `backend = "memory"` in its settings, with
/// options of the kind below `[alias.options]`. A crate that the program's source never mentions
/// is not linked: `use that_crate as _;` mentions it. Two kinds of one name are refused when
/// backends are opened, naming both places.
///
/// ```
/// use task_core::{BackendSettings, Result};
/// # use task_core::*;
/// # use std::{any::Any, time::Duration};
/// # #[derive(Debug)]
/// # struct MemoryBackend;
/// # impl MemoryBackend { fn with_capacity(_: usize) -> Self { Self } }
/// # #[async_trait::async_trait]
/// # impl TaskBackend for MemoryBackend {
/// #     fn kind(&self) -> &'static str { "memory" }
/// #     fn capabilities(&self) -> Capabilities { Capabilities::NONE }
/// #     async fn enqueue(&self, _: Vec<NewTask>) -> Result<Vec<TaskRecord>> { Ok(Vec::new()) }
/// #     async fn find(&self, _: TaskId) -> Result<Option<TaskRecord>> { Ok(None) }
/// #     async fn cancel(&self, _: TaskId, _: &CancelRequest) -> Result<Cancellation> { Ok(Cancellation::Canceled) }
/// #     async fn changed(&self, _: Duration) {}
/// #     fn queue(&self) -> Option<&dyn TaskQueue> { None }
/// #     fn admin(&self) -> Option<&dyn TaskAdmin> { None }
/// #     fn as_any(&self) -> &dyn Any { self }
/// #     async fn close(&self) {}
/// # }
///
/// task_core::backend_kind! { "memory" => open }
///
/// async fn open(_alias: &str, settings: &BackendSettings) -> Result<MemoryBackend> {
///     settings.check_options(&["capacity"])?;
///     Ok(MemoryBackend::with_capacity(settings.option("capacity")?.unwrap_or(1000)))
/// }
/// # let mut kinds = BackendKinds::new();
/// # let names: Vec<_> = kinds.add_registered()?.iter().map(BackendKind::name).collect();
/// # assert_eq!(names, ["memory"]);
/// # Ok::<(), Error>(())
/// ```
#[macro_export]
macro_rules! backend_kind {
    ($name:literal => $open:path) => {
        $crate::__private::inventory::submit! {
            $crate::__private::RegisteredKind(|| $crate::BackendKind::new($name, $open))
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        CancelRequest, Cancellation, Capabilities, NewTask, TaskAdmin, TaskId, TaskQueue, TaskRecord,
    };

    #[derive(Debug)]
    struct Nothing;

    #[async_trait::async_trait]
    impl TaskBackend for Nothing {
        fn kind(&self) -> &'static str {
            "nothing"
        }
        fn capabilities(&self) -> Capabilities {
            Capabilities::NONE
        }
        async fn enqueue(&self, _: Vec<NewTask>) -> Result<Vec<TaskRecord>> {
            Ok(Vec::new())
        }
        async fn find(&self, _: TaskId) -> Result<Option<TaskRecord>> {
            Ok(None)
        }
        async fn cancel(&self, _: TaskId, _: &CancelRequest) -> Result<Cancellation> {
            Ok(Cancellation::AlreadyFinished)
        }
        async fn changed(&self, _: std::time::Duration) {}
        fn queue(&self) -> Option<&dyn TaskQueue> {
            None
        }
        fn admin(&self) -> Option<&dyn TaskAdmin> {
            None
        }
        fn as_any(&self) -> &dyn std::any::Any {
            self
        }
        async fn close(&self) {}
    }

    async fn open(alias: &str, settings: &BackendSettings) -> Result<Nothing> {
        settings.check_options(&["size"])?;
        assert_eq!(alias, "default");
        Ok(Nothing)
    }

    crate::backend_kind! { "nothing" => open }

    #[tokio::test]
    async fn a_registered_kind_is_there_with_its_place_and_opens() {
        let mut kinds = BackendKinds::new();
        kinds.add_registered().expect("no name twice");
        let kind = kinds.require("nothing").expect("registered above");
        assert!(kind.place().0.ends_with("kinds.rs"), "{kind:?}");
        let mut settings = BackendSettings::of_kind("nothing");
        let opened = kind.open("default", &settings).await.expect("it opens");
        assert_eq!(opened.kind(), "nothing");
        settings.options.insert("sise".into(), 1.into());
        let error = kind.open("default", &settings).await.expect_err("misspelt");
        assert!(error.to_string().contains("backend `default`"), "{error}");
    }

    #[test]
    fn two_kinds_of_one_name_are_refused_naming_both_places() {
        let mut kinds = BackendKinds::new();
        kinds.add(BackendKind::new("twice", open)).expect("free");
        let line = line!() + 1;
        let error = kinds.add(BackendKind::new("twice", open)).expect_err("taken");
        assert_eq!(error.kind(), ErrorKind::Registry);
        assert!(
            error.message().contains(&format!("kinds.rs:{}", line - 2)),
            "{error}"
        );
        assert!(error.message().contains(&format!("kinds.rs:{line}")), "{error}");
    }

    #[test]
    fn a_name_that_settings_could_not_have_is_refused() {
        for name in ["", "Memory", "a b", "ä"] {
            let error = BackendKinds::new().add(BackendKind::new(name, open)).map(drop);
            let error = error.expect_err(name);
            assert!(error.to_string().contains("lower-case"), "{error}");
        }
    }

    #[test]
    fn an_unknown_kind_is_told_with_the_nearest() {
        let mut kinds = BackendKinds::new();
        kinds.add_registered().expect("no name twice");
        let error = kinds.require("nothin").expect_err("unknown");
        assert_eq!(error.kind(), ErrorKind::InvalidBackend);
        assert!(error.to_string().contains("did you mean `nothing`?"), "{error}");
    }
}
