//! File systems of a test's own, which nobody else sees and which are gone when it ends, however
//! it ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Set where a test runs that may mount.
const INSIDE: &str = "SYSTEM_TEST_MOUNTS";

/// How to get mounts of one's own: as root, or as somebody who is root only there.
const WAYS: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];

/// Runs the test of this name again where it may mount, and returns true when it has passed
/// there; false to the one that runs there.
#[track_caller]
pub fn passes_with_mounts_of_its_own(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let works = |way: &&&[&str]| {
        let mut command = Command::new("unshare");
        command
            .args(**way)
            .args(["mount", "-t", "tmpfs", "-o", "size=64k", "none", "/mnt"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let way = WAYS.iter().find(works).unwrap_or_else(|| {
        panic!(
            "this test mounts small file systems: it needs the programs `unshare` and `mount` and either root with \
             CAP_SYS_ADMIN or user namespaces (sysctl kernel.unprivileged_userns_clone=1)"
        )
    });
    let output = Command::new("unshare")
        .args(*way)
        .arg(std::env::current_exe().expect("this program has a file"))
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "yes")
        .output()
        .expect("`unshare` was there a moment ago");
    let said = shown(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "no test is called `{test}`: {said}");
    true
}

fn shown(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .join("\n")
}

fn mount(arguments: &[&str], folder: &Path) {
    let output = Command::new("mount").args(arguments).arg(folder).output();
    let output = output.expect("there is `mount`");
    assert!(output.status.success(), "{}", shown(&output));
}

/// A file system in memory. It is unmounted when this is dropped.
#[derive(Debug)]
pub struct Disk(PathBuf);

impl Disk {
    /// A disk of this size, as in `8m`, in this folder.
    pub fn mount(folder: &Path, size: &str) -> Self {
        mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "none"], folder);
        Self(folder.to_owned())
    }

    /// Whether it can be written to, from now on. Nobody may have a file on it open for writing.
    pub fn set_writable(&self, is_writable: bool) {
        let option = if is_writable { "remount,rw" } else { "remount,ro" };
        mount(&["-o", option], &self.0);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: what a failing test has open does not keep it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        // Whoever removed the folder while this was in it had to leave these two; they are empty.
        for folder in self.0.ancestors().take(2) {
            let _ = std::fs::remove_dir(folder);
        }
    }
}
