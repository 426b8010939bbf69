//! A file that is not what it was: noise, cut off, written over, or a folder. Files of no
//! database, of another program and of a newer version are in `cli/store.rs`.

use std::fs;
use std::path::PathBuf;

use crate::system::{PATIENCE, Signal, Site};
use crate::{COMMANDS, accepted, all_run};

/// The size of a page of the file.
const PAGE: usize = 4096;

/// Bytes without a pattern, the same in each run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(next).collect()
}

/// Does this to the bytes of a file with accepted tasks, lets `look` see what comes of it, and
/// puts the file back as it was: then everything runs.
async fn while_it_is(damaged: impl FnOnce(&mut Vec<u8>), look: impl AsyncFnOnce(&Site)) {
    let (site, ids) = accepted(2_000).await;
    let whole = fs::read(site.file()).expect("it is there");
    let mut bytes = whole.clone();
    damaged(&mut bytes);
    fs::write(site.file(), bytes).expect("the folder can be written to");
    look(&site).await;
    remove_companions(&site);
    fs::write(site.file(), whole).expect("the folder can be written to");
    all_run(site, &ids).await;
}

/// Removes what SQLite keeps beside a file, as somebody does who restores it from a copy.
fn remove_companions(site: &Site) {
    for end in ["-wal", "-shm"] {
        let mut path = site.file().into_os_string();
        path.push(end);
        let _ = fs::remove_file(PathBuf::from(path));
    }
}

#[tokio::test]
async fn a_file_of_noise_is_1_for_every_command_and_stays_as_it_is() {
    while_it_is(
        |bytes| *bytes = noise(bytes.len()),
        async |site| {
            let before = fs::read(site.file()).expect("it is there");
            for command in COMMANDS {
                let said = site.run(command).await.exits_with(1);
                said.complains(&[
                    "corrupt data",
                    "tasks.db",
                    "no SQLite database",
                    "restore it from a copy",
                ]);
            }
            assert!(before == fs::read(site.file()).expect("it is there"));
        },
    )
    .await;
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_1() {
    while_it_is(
        |bytes| bytes.truncate(bytes.len() / PAGE / 2 * PAGE),
        async |site| {
            for command in [&["list"][..], &["counts"], &["enqueue", "conformance::nothing"]] {
                let said = site.run(command).await.exits_with(1);
                said.complains(&["corrupt data", "damaged", "restore it from a copy"]);
            }
        },
    )
    .await;
}

#[tokio::test]
async fn pages_that_were_written_over_are_1_and_a_worker_on_them_says_so_and_stays() {
    while_it_is(
        |bytes| {
            // All but the first pages, which say what tables there are.
            let from = 40 * PAGE;
            let noise = noise(bytes.len() - from);
            bytes[from..].copy_from_slice(&noise);
        },
        async |site| {
            let said = site.run(&["list"]).await.exits_with(1);
            said.complains(&["corrupt data", "damaged", "restore it from a copy"]);
            let mut worker = site.worker("worker", &[]);
            worker.says("corrupt data").await;
            assert!(worker.is_alive());
            worker.send(Signal::TERM);
            worker.exits_within(PATIENCE).await;
        },
    )
    .await;
}

#[tokio::test]
async fn a_folder_in_place_of_the_file_is_1() {
    let (site, ids) = accepted(10).await;
    let aside = site.folder().join("aside");
    fs::rename(site.store(), &aside).expect("a folder can be renamed");
    fs::create_dir_all(site.file()).expect("the folder can be written to");
    for command in COMMANDS {
        let said = site.run(command).await.exits_with(1);
        said.complains(&["tasks.db", "this is a folder", "name a file in that folder"]);
    }
    fs::remove_dir_all(site.store()).expect("the folder can be written to");
    fs::rename(&aside, site.store()).expect("a folder can be renamed");
    all_run(site, &ids).await;
}
