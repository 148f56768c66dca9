//! What the command line takes and refuses.

use clap::{CommandFactory, Parser};
use http::StatusCode;

use super::{Cli, Failure};

fn takes(line: &str) -> bool {
    Cli::try_parse_from(line.split_whitespace()).is_ok()
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_an_example_in_its_help() {
    let mut without = Vec::new();
    let mut left = vec![Cli::command()];
    while let Some(command) = left.pop() {
        let after = command.get_after_help().map(|help| help.to_string()).unwrap_or_default();
        let is_shown = after.contains("Example") && after.contains(command.get_name());
        if !command.has_subcommands() && !is_shown {
            without.push(command.get_name().to_owned());
        }
        left.extend(command.get_subcommands().cloned());
    }
    assert!(without.is_empty(), "no example: {without:?}");
}

#[test]
fn every_command_is_taken() {
    for line in [
        "retract serve",
        "retract --config x.toml --json user list",
        "retract init --hostname h --domain d --data-dir /d --listen 127.0.0.1:0 --first-user none --yes",
        "retract user add ann --address ann@x.example --password-file -",
        "retract user back ann",
        "retract user policy ann strict",
        "retract user policy ann",
        "retract user alias ann sales@x.example --remove",
        "retract directory check",
        "retract directory sync --confirm --json",
        "retract directory show",
        "retract directory show --group board",
        "retract device wipe 7 --scope full --device-id d --block-after",
        "retract device quarantine 7",
        "retract device clear-wipe 7",
        "retract policy put strict --rule password_length_min=6 --rule camera_allowed=false",
        "retract policy rules",
        "retract policy rules --file rules.toml",
        "retract policy new-devices quarantine",
        "retract recall --message-id <m@x> --dry-run",
        "retract recall --message-id <m@x> --reason r --wait --timeout 5 --include-sender --confirm-count 3 --second-token t",
        "retract coverage 1 --wait --json",
        "retract audit verify --size 3 --root 00",
        "retract token create soc --role viewer --days 3",
        "retract link --name ann",
        "retract phone 127.0.0.1:1 --plain --user ann --password-file - setup sync ping watch show",
        "retract doctor ann@x.example --password-file pw --hold 60 --server mail.x.example:8443",
        "retract doctor --servers --try-user ann --try-password-file pw --try-other bob --patience 3",
        "retract doctor ann@x.example --servers",
        "retract init --imap i.x.example:993 --imap-security tls --smtp s.x.example --smtp-security starttls --try-user ann --anyway",
        "retract init --imap i --master-user m --master-password-file f --master-style authorization_id",
        "retract completions zsh",
        "retract man --dir /m",
        "retract backup /b",
        "retract restore /b",
    ] {
        assert!(takes(line), "{line}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for line in [
        "retract",
        "retract recall --message-id <m@x>",
        "retract recall --reason r",
        "retract recall --message-id <m@x> --dry-run --wait",
        "retract coverage",
        "retract device wipe 7",
        "retract directory show --groups --group board",
        "retract audit verify --size 3",
        "retract init --certificate c.pem",
        "retract init --imap i --imap-security perhaps",
        "retract init --imap i --master-user m",
        "retract doctor",
        "retract doctor --servers --patience 0",
        "retract policy put strict --rule password",
        "retract policy new-devices perhaps",
        "retract phone h --user ann --plain --insecure-certificate c.pem",
    ] {
        assert!(!takes(line), "{line}");
    }
}

#[test]
fn a_refusal_has_its_exit_code() {
    let code = |status| Failure::of(status, String::new()).code();
    assert_eq!(code(StatusCode::NOT_FOUND), 1);
    assert_eq!(code(StatusCode::BAD_REQUEST), 2);
    assert_eq!(Failure::NotCovered.code(), 3);
    assert_eq!(Failure::NothingMet.code(), 5);
    assert_eq!(code(StatusCode::CONFLICT), 4);
    assert_eq!(code(StatusCode::FORBIDDEN), 4);
    assert_eq!(Failure::NotWell.code(), 6);
}
