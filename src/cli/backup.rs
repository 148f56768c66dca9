//! `retract backup` and `retract restore`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Failure;
use super::show::{self, Say};
use super::talk::Gateway;
use crate::clock::Clock;
use crate::config::Config;
use crate::database;

#[derive(Debug, Args)]
#[command(after_help = "Example: retract backup /var/backups/retract/2026-11-24")]
pub(super) struct BackupArgs {
    /// A directory, new or empty, on the gateway's machine.
    directory: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The server must not run, and the data directory must be new or empty. What devices were given after the \
    backup is not in it: every device is marked, and no pair is called never exposed again.\n\n\
    Example: retract restore /var/backups/retract/2026-11-24 --config /etc/retract/retract.toml"
)]
pub(super) struct RestoreArgs {
    /// A directory that `retract backup` wrote.
    from: PathBuf,
}

pub(super) async fn backup(args: BackupArgs, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    let to = std::path::absolute(&args.directory)?;
    let bar = say.progress("copying");
    let taken = gateway.post("/api/v1/backup", &json!({ "to": to })).await;
    bar.finish_and_clear();
    say.either(&taken?, |taken| {
        let at = show::time(taken, "taken_at");
        format!("{}: as of {at}, {} bodies", show::text(taken, "to"), show::text(taken, "bodies"))
    })
}

pub(super) fn restore(args: RestoreArgs, config: &Config, say: &Say) -> Result<(), Failure> {
    let bar = say.progress("restoring");
    let dir = &config.server.data_dir;
    let restored = database::restore(&args.from, dir, Clock::system().now());
    bar.finish_and_clear();
    let manifest = restored?;
    let document = json!({
        "data_dir": dir,
        "taken_at": manifest.taken_at,
        "installation": manifest.installation,
        "bodies": manifest.bodies.len(),
    });
    say.either(&document, |document| {
        let at = show::time(document, "taken_at");
        let dir = show::text(document, "data_dir");
        format!("{dir}: restored as of {at}, {} bodies", show::text(document, "bodies"))
    })
}
