//! Where a server's programs are: on the path, where the distribution puts them, or, when they are
//! nowhere, in a package that is installed.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};
use crate::process;

/// A program, the package of Debian and Ubuntu that has it, and where that puts it.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The file name.
    pub program: &'static str,
    /// The package to install when it is nowhere.
    pub package: &'static str,
    /// Folders beside the path; in `/usr/lib/postgresql/*/bin` the star stands for any one name.
    pub folders: &'static [&'static str],
}

/// The program, installed if it must and may be.
pub fn find_or_install(wanted: Wanted) -> Result<PathBuf> {
    if let Some(found) = find(wanted) {
        return Ok(found);
    }
    install(wanted)?;
    find(wanted).ok_or_else(|| {
        Failure::new(
            format!(
                "`{}` is not there after installing `{}`",
                wanted.program, wanted.package
            ),
            "Install it by hand, or leave the server out with `--without`.",
        )
    })
}

fn find(wanted: Wanted) -> Option<PathBuf> {
    let distribution = wanted.folders.iter().flat_map(|folder| expanded(folder));
    let path = std::env::var_os("PATH").unwrap_or_default();
    // The distribution's own folder first: what lies on the path may be a wrapper without its siblings.
    distribution
        .chain(std::env::split_paths(&path))
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(wanted.program))
        .find(|file| file.is_file())
}

/// The folders a pattern names, the last by name first: that is the newest version.
fn expanded(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once("/*/") else {
        return vec![PathBuf::from(pattern)];
    };
    let mut versions: Vec<_> = std::fs::read_dir(before)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    versions.sort_by_key(|folder| std::cmp::Reverse(version_in(folder)));
    versions.into_iter().map(|folder| folder.join(after)).collect()
}

fn version_in(folder: &Path) -> u32 {
    let name = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    name.parse().unwrap_or(0)
}

/// Installs the package from the distribution, as root or with `sudo` that asks for nothing.
pub fn install(wanted: Wanted) -> Result<()> {
    let advice = format!(
        "Install it with `sudo apt-get install {}`, or leave the server out with `--without`.",
        wanted.package
    );
    let is_root = process::read(process::program("id").arg("-u"), &advice)?.trim() == "0";
    if !is_root && !process::succeeds(process::program("sudo").args(["-n", "true"])) {
        return Err(Failure::new(
            format!(
                "`{}` is not installed, and only root may install it",
                wanted.program
            ),
            advice,
        ));
    }
    let apt = |arguments: &[&str]| {
        let mut command = process::program(if is_root { "env" } else { "sudo" });
        if !is_root {
            command.args(["-n", "env"]);
        }
        // At run level 1 the package starts no service of its own.
        command.args(["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get"]);
        command.args(arguments);
        command
    };
    let install = ["install", "--yes", "--no-install-recommends", wanted.package];
    if process::succeeds(&mut apt(&install)) {
        return Ok(());
    }
    // The list of packages may be old or empty.
    process::run(&mut apt(&["update"]), &advice)?;
    process::run(&mut apt(&install), &advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_comes_first() {
        let folder = tempfile::tempdir().expect("a folder");
        for version in ["9", "15", "13"] {
            std::fs::create_dir_all(folder.path().join(version).join("bin")).expect("a folder");
        }
        let pattern = format!("{}/*/bin", folder.path().display());
        let found = expanded(&pattern);
        let names: Vec<_> = found
            .iter()
            .map(|path| version_in(path.parent().expect("its version")))
            .collect();
        assert_eq!(names, [15, 13, 9]);
    }

    #[test]
    fn what_is_on_the_path_is_found() {
        let wanted = |program| Wanted {
            program,
            package: "none",
            folders: &[],
        };
        assert!(find(wanted("sh")).is_some());
        assert!(find(wanted("no-such-program-anywhere")).is_none());
    }
}
