//! Noticing that this program's file was replaced, and running the new one in its place.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use task_core::{Error, ErrorKind, Result};
use tokio::time::MissedTickBehavior;

/// How often to look at the file.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// For how long a file that cannot be run yet is tried: whoever writes it may not be done.
const TRY_FOR: Duration = Duration::from_secs(3);

/// The pause between two tries.
const TRY_EVERY: Duration = Duration::from_millis(100);

/// The file that this process runs, on Linux also when it was removed.
const RUNNING: &str = "/proc/self/exe";

/// What Linux adds to the path of a removed file.
const DELETED: &[u8] = b" (deleted)";

/// The file this process was started from.
#[derive(Debug)]
pub(crate) struct Program {
    path: PathBuf,
    /// What stood there when the process was started.
    running: Stamp,
}

/// What tells two versions of a file apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    is_executable: bool,
}

impl Stamp {
    /// What stands there now; `None` when nothing does.
    fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|file| Self::read(&file))
    }

    fn read(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            length: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
            is_executable: file.is_file() && file.mode() & 0o111 != 0,
        }
    }

    /// Whether both have the same content, even where a file system numbers files anew.
    fn is_like(&self, other: &Self) -> bool {
        (self.length, self.modified) == (other.length, other.modified)
    }
}

impl Program {
    /// The file of this process. To be asked for before the file may be replaced.
    ///
    /// # Errors
    /// [`ErrorKind::State`] when nobody knows where the program came from.
    pub(crate) fn own() -> Result<Self> {
        let unknown = |error: io::Error| {
            Error::new(
                ErrorKind::State,
                "cannot tell which file this program was started from",
            )
            .hint("run it without --reload")
            .because(error)
        };
        let found = without_deleted(std::env::current_exe().map_err(unknown)?);
        let running = match std::fs::metadata(RUNNING).or_else(|_| std::fs::metadata(&found)) {
            Ok(file) => Stamp::read(&file),
            Err(error) => return Err(unknown(error)),
        };
        // As it was typed, if that is it: a link may be pointed to another file.
        let typed = std::env::args_os().next().and_then(|name| typed_path(&name));
        let typed = typed.filter(|path| Stamp::of(path).is_some_and(|stamp| stamp.is_like(&running)));
        let path = typed.unwrap_or(found);
        let running = Stamp::of(&path)
            .filter(|stamp| stamp.is_like(&running))
            .unwrap_or(running);
        Ok(Self { path, running })
    }

    /// Returns when another program stands there whole: it can be run, and did not change
    /// between two looks. A file that is missing meanwhile is waited for.
    pub(crate) fn replaced(&self) -> impl Future<Output = ()> + Send + use<> {
        let (path, mut watch) = (self.path.clone(), Watch::new(self.running));
        async move {
            let mut looks = tokio::time::interval(LOOK_EVERY);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                looks.tick().await;
                if watch.sees(Stamp::of(&path)) {
                    return;
                }
            }
        }
    }

    /// Becomes the program that stands there now, with the arguments and the environment of
    /// this one. Returns only when that is not possible.
    pub(crate) async fn start_again(&self) -> Error {
        let began = Instant::now();
        let mut arguments = std::env::args_os();
        let name = arguments.next();
        let mut command = Command::new(&self.path);
        command
            .arg0(name.as_deref().unwrap_or(self.path.as_os_str()))
            .args(arguments);
        loop {
            let error = command.exec();
            let may_come = matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ExecutableFileBusy | io::ErrorKind::PermissionDenied
            );
            if !may_come || began.elapsed() > TRY_FOR {
                return Error::new(ErrorKind::State, "the new program cannot be started")
                    .at(self.path.display().to_string())
                    .hint("the tasks that ran here were given back; start a worker by hand")
                    .because(error);
            }
            tokio::time::sleep(TRY_EVERY).await;
        }
    }
}

/// Two looks at a file.
#[derive(Debug)]
struct Watch {
    running: Stamp,
    last: Option<Stamp>,
}

impl Watch {
    fn new(running: Stamp) -> Self {
        Self { running, last: None }
    }

    /// Takes one look; says whether a new program stands there whole.
    fn sees(&mut self, now: Option<Stamp>) -> bool {
        let is_new = now.is_some_and(|now| now != self.running && now.is_executable && now.length > 0);
        let is_whole = now == self.last;
        self.last = now;
        is_new && is_whole
    }
}

/// The first argument as a path from the root, if it is a path at all.
fn typed_path(name: &OsStr) -> Option<PathBuf> {
    name.as_bytes()
        .contains(&b'/')
        .then(|| std::path::absolute(name).ok())
        .flatten()
}

/// Where a file was that was removed meanwhile.
fn without_deleted(path: PathBuf) -> PathBuf {
    let mut bytes = path.into_os_string().into_vec();
    if bytes.ends_with(DELETED) {
        bytes.truncate(bytes.len() - DELETED.len());
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(length: u64) -> Stamp {
        Stamp {
            device: 1,
            inode: 2,
            length,
            modified: (3, 4),
            is_executable: true,
        }
    }

    #[test]
    fn a_file_that_grows_is_not_whole_before_it_stands_still() {
        let mut watch = Watch::new(stamp(10));
        for (now, is_whole) in [
            (Some(stamp(10)), false),
            (Some(stamp(10)), false),
            (Some(stamp(4)), false),
            (Some(stamp(8)), false),
            (Some(stamp(8)), true),
        ] {
            assert_eq!(watch.sees(now), is_whole, "{now:?}");
        }
    }

    #[test]
    fn a_file_that_is_missing_empty_or_cannot_be_run_is_waited_for() {
        let not_yet = Stamp {
            is_executable: false,
            ..stamp(8)
        };
        for now in [None, Some(stamp(0)), Some(not_yet)] {
            let mut watch = Watch::new(stamp(10));
            assert!(!watch.sees(now) && !watch.sees(now), "{now:?}");
            assert!(!watch.sees(Some(stamp(8))) && watch.sees(Some(stamp(8))));
        }
        // The old file put back is no new program.
        let mut watch = Watch::new(stamp(10));
        assert!(!watch.sees(None) && !watch.sees(Some(stamp(10))) && !watch.sees(Some(stamp(10))));
    }

    #[test]
    fn another_file_of_the_same_length_is_another_program() {
        let mut watch = Watch::new(stamp(10));
        let other = Stamp {
            inode: 7,
            ..stamp(10)
        };
        assert!(!watch.sees(Some(other)) && watch.sees(Some(other)));
    }

    #[test]
    fn a_removed_file_is_looked_for_where_it_was() {
        let path = without_deleted(PathBuf::from("/app/worker (deleted)"));
        assert_eq!(path, Path::new("/app/worker"));
        assert_eq!(typed_path(OsStr::new("worker")), None);
        assert_eq!(typed_path(OsStr::new("/app/worker")), Some("/app/worker".into()));
    }
}
