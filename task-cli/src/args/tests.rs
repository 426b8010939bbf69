use super::*;

fn read(line: &str) -> Result<Action, String> {
    let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    parse(&arguments)
        .map(|cli| cli.action)
        .map_err(|error| error.to_string())
}

fn refused(line: &str) -> String {
    read(line).err().unwrap_or_else(|| panic!("`{line}` is accepted"))
}

#[test]
fn the_command_line_is_sound() {
    command().debug_assert();
}

#[test]
fn a_worker_takes_from_all_queues_with_documented_defaults() {
    let Ok(Action::Run(run)) = read("worker run") else {
        panic!("`run` needs nothing");
    };
    assert_eq!(run.queue.only(), None);
    assert_eq!(
        (run.backend.as_str(), run.concurrency, run.prefetch),
        ("default", 100, 5000)
    );
    assert_eq!(
        (run.lease, run.interval),
        (Duration::from_secs(30), Duration::from_secs(1))
    );
    assert_eq!(run.stop_timeout, Duration::from_secs(30));
    assert!(!run.batch && run.max_tasks.is_none() && run.worker_id.is_none());
    assert!(!run.reload());
    assert_eq!(run.startup_delay(), Duration::from_secs(1));
}

#[test]
fn reload_is_off_unless_asked_for_and_no_reload_wins() {
    for (line, expected) in [
        ("worker run", false),
        ("worker run --reload", true),
        ("worker run --no-reload", false),
        ("worker run --reload --no-reload", false),
        ("worker run --no-reload --reload", false),
    ] {
        let Ok(Action::Run(run)) = read(line) else {
            panic!("well-formed: {line}");
        };
        assert_eq!(run.reload(), expected, "{line}");
    }
}

#[test]
fn the_pause_before_the_first_claim_is_at_most_a_second_or_the_interval_and_never_with_batch() {
    for (line, ms) in [
        ("worker run --interval 10m", 1_000),
        ("worker run --interval 20ms", 20),
        ("worker run --no-startup-delay", 0),
        ("worker run --batch", 0),
    ] {
        let Ok(Action::Run(run)) = read(line) else {
            panic!("well-formed: {line}");
        };
        assert_eq!(run.startup_delay(), Duration::from_millis(ms), "{line}");
    }
}

#[test]
fn every_flag_has_the_environment_twin_of_its_name() {
    let mut seen = 0;
    for command in command().get_subcommands() {
        for arg in command.get_arguments() {
            let Some(flag) = arg
                .get_long()
                // `--no-reload` is the other half of `--reload`.
                .filter(|flag| !["help", "verbose", "quiet", "log", "no-reload"].contains(flag))
            else {
                continue;
            };
            let flag = flag.to_ascii_uppercase().replace('-', "_");
            let name = command.get_name().to_ascii_uppercase();
            let shared = flag == "JSON" || (flag == "BACKEND" && name != "ENQUEUE");
            let expected = if shared || name == "RUN" {
                format!("TASK_{flag}")
            } else {
                format!("TASK_{name}_{flag}")
            };
            assert_eq!(
                arg.get_env().and_then(|twin| twin.to_str()),
                Some(expected.as_str())
            );
            seen += 1;
        }
    }
    assert!(seen > 40, "only {seen} flags");
}

#[test]
fn wrong_values_are_told_at_their_flag() {
    for (line, expected) in [
        ("worker run --concurrency 0", "--concurrency"),
        ("worker run --lease 500ms", "at least 1s"),
        ("worker run --interval 0s", "at least 1ms"),
        ("worker run --stop-timeout 30", "`30s` are seconds"),
        ("worker run --max-tasks 0", "--max-tasks"),
        ("worker run --queue ,", "names nothing"),
        (
            "worker run --queue mail --exclude-queues reports",
            "only be used with all queues",
        ),
        ("worker run --conurrency 5", "--concurrency"),
        ("worker enqeue", "'enqueue'"),
        ("worker run -v -q", "cannot be used with"),
        ("worker run -v --log debug", "cannot be used with"),
        ("worker run --log debgu", "debug"),
        ("worker enqueue app::greet {} --priority 101", "--priority"),
        ("worker enqueue app::greet {} --max-attempts 0", "--max-attempts"),
        (
            "worker enqueue app::greet {} --run-after soon",
            "2030-01-31T08:00:00Z",
        ),
        ("worker list --status SUCESSFUL", "did you mean `SUCCESSFUL`"),
        ("worker list --limit 1001", "--limit"),
        ("worker retry", "<ID>"),
        ("worker prune --min-age=-1d", "must not be negative"),
    ] {
        let message = refused(line);
        assert!(message.contains(expected), "{line}: {message}");
    }
}

#[test]
fn a_refused_selection_of_queues_shows_how_run_is_used() {
    let message = refused("worker run --queue mail --exclude-queues reports");
    assert!(message.contains("Usage: worker run"), "{message}");
}

#[test]
fn negative_priorities_and_lists_of_states_are_read() {
    let Ok(Action::Enqueue(enqueue)) = read("worker enqueue app::greet - --priority -5 --run-after 90s")
    else {
        panic!("well-formed");
    };
    assert_eq!((enqueue.priority, enqueue.arguments.as_str()), (Some(-5), "-"));
    let Ok(Action::List(list)) = read("worker list --status ready,FAILED") else {
        panic!("well-formed");
    };
    assert_eq!(list.status, [TaskStatus::Ready, TaskStatus::Failed]);
}

#[test]
fn a_worker_id_has_1_to_64_bytes() {
    assert!(worker_id("").is_err());
    assert!(worker_id(&"w".repeat(65)).is_err());
    assert!(worker_id("a\nb").is_err());
    assert_eq!(worker_id(&"w".repeat(64)), Ok("w".repeat(64)));
}

#[test]
fn switches_in_the_environment_are_yes_or_no() {
    assert_eq!(
        (yes_or_no("1"), yes_or_no("Off"), yes_or_no("")),
        (Ok(true), Ok(false), Ok(false))
    );
    assert!(yes_or_no("maybe").is_err());
}

#[test]
fn only_near_misses_of_a_twin_are_worth_a_word() {
    let twins = twins();
    let warning = misspelt("TASK_CONCURENCY", &twins).expect("a near miss");
    assert!(warning.contains("did you mean TASK_CONCURRENCY?"), "{warning}");
    assert_eq!(misspelt("TASK_CONCURRENCY", &twins), None);
    assert_eq!(misspelt("TASK_SLOT_OF_ANOTHER_PROGRAM", &twins), None);
}

#[test]
fn the_manual_names_every_command_and_flag_with_its_twin() {
    let manual = include_str!("../../../docs/cli.md");
    for command in command()
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
    {
        assert!(
            manual.contains(&format!("$ worker {}", command.get_name())),
            "{}",
            command.get_name()
        );
        for arg in command.get_arguments() {
            let (Some(flag), Some(twin)) = (arg.get_long(), arg.get_env().and_then(|twin| twin.to_str()))
            else {
                continue;
            };
            let row = manual.lines().any(|line| {
                line.starts_with(&format!("| `--{flag}")) && line.contains(&format!("| `{twin}` |"))
            });
            assert!(row, "no row with --{flag} and {twin}");
        }
    }
}
