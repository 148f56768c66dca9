//! How the shell talks to us: one file per command, over the running server's socket.
//!
//! Where no server runs, the command opens the database itself and asks the same router in-process, so a command does the same and
//! says the same on both roads. A list or report is a table for people and, with `--json`, the API's own document for programs.

mod audit;
mod backup;
mod demo;
mod device;
mod directory;
mod doctor;
mod held;
mod init;
mod order;
mod paper;
mod phone;
mod policy;
mod serve;
mod show;
mod talk;
mod token;
mod user;
mod wbxml;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use http::StatusCode;

use crate::config::Config;

#[doc(hidden)]
pub use self::doctor::check;

/// Takes mail back from phones: an Exchange ActiveSync gateway.
#[derive(Debug, Parser)]
#[command(name = "retract", version, about, after_help = EXIT_CODES, propagate_version = true)]
struct Cli {
    /// The configuration; else ./retract.toml, else /etc/retract/retract.toml, else defaults and RETRACT_.. variables.
    #[arg(long, global = true, env = "RETRACT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints the API's JSON instead of a table.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows it all on this machine: mail, phones, and a recall told as it happens.
    Demo(demo::Args),
    /// Runs the gateway until SIGTERM or SIGINT.
    Serve(serve::Args),
    /// Makes an installation, in front of the mail people have or with a store of its own: tries the servers, writes retract.toml.
    Init(Box<init::Args>),
    /// Users and the addresses that reach them.
    #[command(subcommand)]
    User(user::Command),
    /// Where users come from: a file, or a directory server.
    #[command(subcommand)]
    Directory(directory::Command),
    /// Devices, and orders to them.
    #[command(subcommand)]
    Device(device::Command),
    /// What devices must obey.
    #[command(subcommand)]
    Policy(policy::Command),
    /// Takes a message back, or shows what that would do.
    Recall(order::RecallArgs),
    /// Cancels an order and puts its copies back.
    Cancel(order::CancelArgs),
    /// Lists orders.
    Orders(order::ListArgs),
    /// Shows who let go of a recalled message, device by device.
    Coverage(order::CoverageArgs),
    /// Mail that is held because it carries or answers a recalled message.
    #[command(subcommand)]
    Held(held::Command),
    /// What happened, provably.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Tokens for programs.
    #[command(subcommand)]
    Token(token::Command),
    /// Makes a one-time link to the pages; it works for a quarter of an hour.
    Link(token::LinkArgs),
    /// Copies the state into a new directory while the gateway runs.
    Backup(backup::BackupArgs),
    /// Makes an installation of a backup; devices know that it is an old one.
    Restore(backup::RestoreArgs),
    /// Reads and writes WBXML, as phones speak it.
    #[command(subcommand)]
    Wbxml(wbxml::Command),
    /// Is a phone, against any ActiveSync server: syncs, waits, shows what it holds.
    Phone(phone::Args),
    /// Looks at an installation from outside, as a phone does, or at the servers behind it, and says what to mend.
    Doctor(doctor::Args),
    /// Prints what makes a shell complete these commands.
    Completions(paper::CompletionsArgs),
    /// Prints the manual page, or writes that of every command.
    Man(paper::ManArgs),
}

/// Why a command failed; each kind has its exit code.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The words of whatever went wrong.
    Error(anyhow::Error),
    /// What was asked makes no sense.
    Usage(String),
    /// Not everything was covered, or not in time; the report has been printed.
    NotCovered,
    /// The doctor found something that phones cannot get over; the report has been printed.
    NotWell,
    /// The gateway would not do it.
    Refused(String),
    /// No message with the Message-ID has been met; the report has been printed.
    NothingMet,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Error(error.into())
    }
}

impl Failure {
    /// The failure behind a problem document.
    fn of(status: StatusCode, words: String) -> Failure {
        match status {
            StatusCode::FORBIDDEN
            | StatusCode::CONFLICT
            | StatusCode::UNPROCESSABLE_ENTITY
            | StatusCode::NOT_IMPLEMENTED => Failure::Refused(words),
            StatusCode::BAD_REQUEST => Failure::Usage(words),
            _ => Failure::Error(anyhow::Error::msg(words)),
        }
    }

    fn code(&self) -> u8 {
        match self {
            Failure::Error(_) => 1,
            Failure::Usage(_) => 2,
            Failure::NotCovered => 3,
            Failure::Refused(_) => 4,
            Failure::NothingMet => 5,
            Failure::NotWell => 6,
        }
    }
}

/// Reads the command line, does what it says, and answers the exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            match &failure {
                Failure::Error(error) if is_broken_pipe(error) => return ExitCode::SUCCESS,
                Failure::Error(error) => show::complain(&format!("{error:#}")),
                Failure::Usage(words) | Failure::Refused(words) => show::complain(words),
                Failure::NotCovered | Failure::NothingMet | Failure::NotWell => {}
            }
            ExitCode::from(failure.code())
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let say = show::Say::new(cli.json);
    match cli.command {
        Command::Wbxml(command) => return wbxml::run(command, &say),
        Command::Init(args) => return block_on(init::run(*args, cli.config, &say)),
        Command::Demo(args) => return block_on(demo::run(args)),
        Command::Phone(args) => return block_on(phone::run(args, &say)),
        Command::Doctor(args) => return block_on(doctor::run(args, cli.config, &say)),
        Command::Completions(args) => return paper::completions(&args, &say),
        Command::Man(args) => return paper::man(&args, &say),
        _ => {}
    }
    let config = config(cli.config)?;
    if let Command::Serve(args) = cli.command {
        return serve::run(&args, &config);
    }
    if let Command::Restore(args) = cli.command {
        return backup::restore(args, &config, &say);
    }
    block_on(async {
        let gateway = talk::Gateway::reach(&config).await?;
        match cli.command {
            Command::User(command) => user::run(command, &gateway, &say).await,
            Command::Directory(command) => directory::run(command, &gateway, &say).await,
            Command::Device(command) => device::run(command, &gateway, &say).await,
            Command::Policy(command) => policy::run(command, &gateway, &say).await,
            Command::Recall(args) => order::recall(args, &gateway, &say).await,
            Command::Cancel(args) => order::cancel(args, &gateway, &say).await,
            Command::Orders(args) => order::list(args, &gateway, &say).await,
            Command::Coverage(args) => order::coverage(args, &gateway, &say).await,
            Command::Held(command) => held::run(command, &gateway, &say).await,
            Command::Audit(command) => audit::run(command, &gateway, &say).await,
            Command::Token(command) => token::run(command, &gateway, &say).await,
            Command::Link(args) => token::link(args, &gateway, &say).await,
            Command::Backup(args) => backup::backup(args, &gateway, &say).await,
            Command::Wbxml(_)
            | Command::Init(_)
            | Command::Phone(_)
            | Command::Doctor(_)
            | Command::Completions(_)
            | Command::Man(_)
            | Command::Restore(_)
            | Command::Demo(_)
            | Command::Serve(_) => Ok(()),
        }
    })
}

/// The configuration a command goes by.
fn config(given: Option<PathBuf>) -> Result<Config, Failure> {
    let usual = ["retract.toml", "/etc/retract/retract.toml"].map(PathBuf::from);
    match given.or_else(|| usual.into_iter().find(|path| path.exists())) {
        Some(path) => Ok(Config::load(&path)?),
        None => Ok(Config::from_environment()?),
    }
}

fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(work)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Printed below the help.
const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 an error; 2 the command line makes no sense; 3 not every device is covered, or the mail
still lies in a mailbox, or not in time; 4 refused; 5 no message with the Message-ID has been met; 6 the doctor found
what phones cannot get over, or a server that cannot be used.

Examples:
  retract init --hostname mail.example.org --domain example.org
  retract user add ann --address ann@example.org
  retract recall --message-id '<m1@example.org>' --reason 'wrong attachment' --dry-run
  retract recall --message-id '<m1@example.org>' --reason 'wrong attachment' --wait
  retract coverage 1 --json";

#[cfg(test)]
mod tests;
