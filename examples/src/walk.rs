//! Finding the files of a folder: sorted, without following links, without what is no source.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The most files that are taken from a folder; the rest is left out, and said to be.
pub const MOST_FILES: usize = 100_000;

/// Folders of version control and of fetched or made things.
const LEFT_OUT: [&str; 7] = [
    ".git",
    ".hg",
    ".jj",
    ".svn",
    ".venv",
    "__pycache__",
    "node_modules",
];

/// A folder with this file in it says of itself that it can be made again; Cargo's `target` does.
const CACHE_TAG: &str = "CACHEDIR.TAG";

/// What was found in a folder.
#[derive(Debug, Default)]
pub struct Found {
    /// Regular files, sorted by path.
    pub files: Vec<FoundFile>,
    /// Folders, the uppermost included.
    pub folders: u64,
    /// What was left out, by reason, sorted by path.
    pub left_out: BTreeMap<Reason, Vec<LeftOut>>,
}

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFile {
    /// Where it is, from the folder that was searched on.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// Something that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it is.
    pub path: PathBuf,
    /// What the system said, where it said something.
    pub error: Option<String>,
}

/// Why something was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The folder of a version control, or of things that can be fetched or made again.
    NotSource,
    /// A symbolic link: it may lead out of the folder.
    Link,
    /// A socket, a pipe, a device.
    NoFile,
    /// A name that is not UTF-8 cannot be an argument: arguments are JSON.
    Name,
    /// The system refused to show it.
    Unreadable,
    /// There were [`MOST_FILES`] before it. The search ends there.
    TooMany,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSource => "version control or a cache",
            Self::Link => "a symbolic link",
            Self::NoFile => "no regular file",
            Self::Name => "its name is not UTF-8, which arguments must be",
            Self::Unreadable => "unreadable",
            Self::TooMany => "the first file beyond the limit; the search ended there",
        })
    }
}

/// All regular files below a folder, without symbolic links, `.git` and its like, and folders
/// that are marked as caches, such as `target`.
///
/// What cannot be read is left out and listed.
///
/// # Errors
/// The folder itself cannot be listed.
pub fn walk(folder: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    // Only their names: a handle for each waiting folder would be too many.
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        match entries(&folder) {
            Ok(entries) => {
                found.folders += 1;
                let below = entries
                    .into_iter()
                    .filter_map(|path| found.take(path))
                    .collect::<Vec<_>>();
                waiting.extend(below.into_iter().rev());
            }
            Err(error) if found.folders == 0 => return Err(error),
            Err(error) => found.leave_out(Reason::Unreadable, folder, Some(&error)),
        }
        if found.left_out.contains_key(&Reason::TooMany) {
            break;
        }
    }
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// The paths of what is in a folder, sorted.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

impl Found {
    /// Takes what has this path if it is a file, leaves it out, or returns it if it is a folder
    /// to be searched.
    fn take(&mut self, path: PathBuf) -> Option<PathBuf> {
        let about = match path.symlink_metadata() {
            Ok(about) => about,
            Err(error) => {
                self.leave_out(Reason::Unreadable, path, Some(&error));
                return None;
            }
        };
        let reason = if about.is_symlink() {
            Reason::Link
        } else if path.to_str().is_none() {
            Reason::Name
        } else if about.is_dir() && is_no_source(&path) {
            Reason::NotSource
        } else if about.is_dir() {
            return Some(path);
        } else if !about.is_file() {
            Reason::NoFile
        } else if self.left_out.contains_key(&Reason::TooMany) {
            return None;
        } else if self.files.len() == MOST_FILES {
            Reason::TooMany
        } else {
            let bytes = about.len();
            self.files.push(FoundFile { path, bytes });
            return None;
        };
        self.leave_out(reason, path, None);
        None
    }

    fn leave_out(&mut self, reason: Reason, path: PathBuf, error: Option<&io::Error>) {
        let error = error.map(ToString::to_string);
        self.left_out
            .entry(reason)
            .or_default()
            .push(LeftOut { path, error });
    }
}

fn is_no_source(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| LEFT_OUT.contains(&name)) || folder.join(CACHE_TAG).exists()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn files_are_found_sorted_and_the_rest_is_left_out_with_its_reason() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["b/c", "b/.git", "target/debug"] {
            fs::create_dir_all(at(name)).expect("a folder");
        }
        for name in [
            "z",
            "b/c/y",
            "b/a b",
            "b/.git/config",
            "target/CACHEDIR.TAG",
            "target/debug/x",
        ] {
            fs::write(at(name), "text").expect("a file");
        }
        symlink("/etc", at("etc")).expect("a link");
        symlink(folder.path(), at("b/round")).expect("a link");
        fs::write(folder.path().join(OsStr::from_bytes(b"caf\xe9")), "").expect("a file");

        let found = walk(folder.path()).expect("a folder");
        let below = |path: &Path| path.strip_prefix(folder.path()).expect("below").to_owned();
        let files: Vec<_> = found.files.iter().map(|file| below(&file.path)).collect();
        assert_eq!(files, ["b/a b", "b/c/y", "z"].map(PathBuf::from));
        assert_eq!((found.folders, found.files[0].bytes), (3, 4));
        let left_out: Vec<_> = found
            .left_out
            .iter()
            .map(|(reason, left_out)| (*reason, left_out.len()))
            .collect();
        assert_eq!(
            left_out,
            [(Reason::NotSource, 2), (Reason::Link, 2), (Reason::Name, 1)]
        );
    }

    #[test]
    fn a_folder_that_cannot_be_listed_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(walk(folder.path()).expect("empty").folders, 1);
        let error = walk(&folder.path().join("gone")).expect_err("not there");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
