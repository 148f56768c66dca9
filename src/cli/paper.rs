//! `retract completions` and `retract man`: what a shell and a reader want of the command line, made from its definition.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use super::show::Say;
use super::{Cli, Failure};

/// `retract completions`
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    retract completions bash > /etc/bash_completion.d/retract\n  \
    retract completions fish > ~/.config/fish/completions/retract.fish")]
pub(super) struct CompletionsArgs {
    /// For which shell.
    shell: Shell,
}

/// `retract man`
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    retract man | man -l -\n  \
    retract man --dir /usr/local/share/man/man1")]
pub(super) struct ManArgs {
    /// Writes retract.1 and a page for each command here, instead of retract(1) to standard output.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionsArgs, say: &Say) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "retract", &mut script);
    say.octets(&script)
}

pub(super) fn man(args: &ManArgs, say: &Say) -> Result<(), Failure> {
    let command = Cli::command();
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        return say.octets(&page);
    };
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    clap_mangen::generate_to(command, dir)
        .with_context(|| format!("cannot write to {}", dir.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let dir = tempfile::tempdir().unwrap();
        man(&ManArgs { dir: Some(dir.path().join("man1")) }, &Say::new(false)).unwrap();
        let page =
            |name: &str| std::fs::read_to_string(dir.path().join("man1").join(name)).unwrap();
        assert!(page("retract.1").contains("retract\\-recall(1)"));
        for command in Cli::command().get_subcommands() {
            let page = page(&format!("retract-{}.1", command.get_name()));
            assert!(page.contains(".SH SYNOPSIS"), "{}", command.get_name());
        }
    }

    #[test]
    fn every_shell_completes_every_command() {
        for shell in [Shell::Bash, Shell::Fish, Shell::Zsh, Shell::PowerShell, Shell::Elvish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "retract", &mut script);
            let script = String::from_utf8(script).unwrap();
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }
}
