//! What a shell and `man` are told: `completions` and `man`.

use std::process::Command;

use crate::system::{Site, WORKER, said_by};

/// Every command, as `--help` lists them.
async fn commands(site: &Site) -> Vec<String> {
    let help = site.run(&["--help"]).await.exits_with(0);
    let lines = help.out.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<String> = lines
        .take_while(|line| !line.is_empty())
        // A description that goes on stands further in.
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect();
    assert!(commands.len() > 12, "{commands:?}");
    commands
}

/// Every long flag of a command, as its `--help` lists them.
async fn flags(site: &Site, command: &str) -> Vec<String> {
    let help = site.run(&[command, "--help"]).await.exits_with(0);
    let words = help.out.split(|c: char| c.is_whitespace() || ",=[]`".contains(c));
    // `--verbose...` may be repeated.
    words
        .filter(|word| word.starts_with("--"))
        .map(|word| word.trim_end_matches(['.', ':', ';']).to_owned())
        .collect()
}

/// A flag as roff writes it.
fn in_roff(flag: &str) -> String {
    flag.replace('-', "\\-")
}

#[tokio::test]
async fn bash_completes_every_command_and_every_flag() {
    let site = Site::new();
    let said = site.run(&["completions", "bash"]).await.exits_with(0).quietly();
    for command in commands(&site).await {
        assert!(said.out.contains(&format!(" {command}")), "{command}");
        for flag in flags(&site, &command).await {
            assert!(said.out.contains(&flag), "{command} {flag}");
        }
    }
    assert!(
        said.out.contains("complete -F _system_worker"),
        "under its own name"
    );
    let mut bash = Command::new("bash");
    bash.arg("-n").current_dir(site.folder());
    said_by(bash, &said.out).await.exits_with(0).quietly();
    // As a shell does it: what follows `run --conc`.
    let ask = "source ./script; COMP_WORDS=(system_worker run --conc); COMP_CWORD=2; \
               _system_worker system_worker --conc run; echo \"${COMPREPLY[@]}\"";
    std::fs::write(site.folder().join("script"), &said.out).expect("the folder can be written to");
    let mut bash = Command::new("bash");
    bash.args(["-c", ask]).current_dir(site.folder());
    assert_eq!(said_by(bash, "").await.exits_with(0).line(), "--concurrency");
}

#[tokio::test]
async fn every_shell_has_its_completions_under_the_name_the_program_was_called_by() {
    let site = Site::new();
    let called = site.folder().join("my-tasks");
    std::os::unix::fs::symlink(WORKER, &called).expect("the folder can be written to");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let mut command = site.command(called.to_str().expect("a plain path"));
        command.args(["completions", shell]);
        let said = said_by(command, "").await.exits_with(0).quietly();
        assert!(
            said.out.contains("my-tasks") && !said.out.contains("system_worker"),
            "{shell}"
        );
        assert!(said.out.contains("exclude-queues"), "{shell}");
    }
    let said = site.run(&["completions", "bsh"]).await.exits_with(2);
    said.complains(&["possible values", "bash", "powershell"]);
    site.run(&["completions"]).await.exits_with(2);
}

#[tokio::test]
async fn the_manual_page_has_every_command_every_flag_and_every_exit_code() {
    let site = Site::with_settings("this is not TOML");
    let page = site.run(&["man"]).await.exits_with(0).quietly().out;
    assert!(page.contains(".TH system_worker 1"), "{page}");
    for command in commands(&site).await {
        let title = format!(".SH \"SYSTEM_WORKER {}\"", command.to_uppercase());
        let section = page.split_once(&title).map(|(_, section)| section);
        let section = section.unwrap_or_else(|| panic!("{title} in {page}"));
        let section = section.split("\n.SH ").next().unwrap_or_default();
        for flag in flags(&site, &command).await {
            assert!(section.contains(&in_roff(&flag)), "{command} {flag} in {section}");
        }
    }
    assert!(page.contains("TASK_CONCURRENCY"), "the environment twins");
    assert!(
        page.contains("the stored data has another schema version"),
        "the exit codes"
    );
    if Command::new("groff").arg("--version").output().is_ok() {
        let mut groff = Command::new("groff");
        groff
            .args(["-man", "-Tutf8", "-ww", "-z"])
            .current_dir(site.folder());
        said_by(groff, &page).await.exits_with(0).quietly();
    }
}

#[tokio::test]
async fn manual_pages_of_each_command_go_into_a_folder() {
    let site = Site::new();
    let folder = site.folder().join("man1");
    std::fs::create_dir(&folder).expect("the folder can be written to");
    let said = site.run(&["man", "--dir", "man1"]).await.exits_with(0).quietly();
    assert_eq!(said.out, "");
    let page = |name: &str| std::fs::read_to_string(folder.join(name)).expect(name);
    assert!(page("system_worker.1").contains("system_worker\\-run(1)"));
    for command in commands(&site).await {
        let page = page(&format!("system_worker-{command}.1"));
        for flag in flags(&site, &command).await {
            assert!(page.contains(&in_roff(&flag)), "{command} {flag}");
        }
    }
    let said = site.run(&["man", "--dir", "not-there"]).await.exits_with(1);
    said.complains(&[
        "the manual pages cannot be written",
        "not-there",
        "is it a folder",
    ]);
}
