//! `retract serve`: the gateway, until it is told to stop.

use tracing_subscriber::EnvFilter;

use super::Failure;
use crate::config::{Config, Log};
use crate::server;

/// `retract serve`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Where it listens is written to addresses.json in the data directory once it is ready.\n\
    SIGHUP makes it read certificate and key again; phones that wait notice nothing.\n\n\
    Example: retract serve --config /etc/retract/retract.toml"
)]
pub(super) struct Args {
    /// Threads that serve; as many as there are cores where nothing is said.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(args: &Args, config: &Config) -> Result<(), Failure> {
    begin_log(&config.log)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = args.threads {
        runtime.worker_threads(threads.max(1));
    }
    let runtime = runtime.enable_all().build()?;
    runtime.block_on(server::run(config.clone())).map_err(Failure::from)
}

fn begin_log(log: &Log) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&log.filter)
        .map_err(|error| Failure::Usage(format!("log.filter: {error}")))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr);
    let begun = if log.json { lines.json().try_init() } else { lines.try_init() };
    begun.map_err(|error| anyhow::anyhow!("the log cannot begin: {error}").into())
}
