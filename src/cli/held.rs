//! `retract held`: mail that waits because it carries or answers a recalled message.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::Failure;
use super::show::{self, Say};
use super::talk::Gateway;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists what is held.
    #[command(after_help = "Example: retract held list")]
    List,
    /// Lets a mail leave.
    #[command(after_help = "Example: retract held release 12")]
    Release(Mail),
    /// Refuses a mail; its sender is told.
    #[command(after_help = "Example: retract held refuse 12")]
    Refuse(Mail),
}

#[derive(Debug, Args)]
pub(super) struct Mail {
    /// Its number, as `retract held list` shows it.
    id: i64,
}

pub(super) async fn run(command: Command, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    match command {
        Command::List => {
            let held = gateway.get("/api/v1/held").await?;
            say.either(&held, |held| {
                let rows = show::rows(held, "held").map(row).collect();
                show::table(&["ID", "SENDER", "TO", "HANDED IN", "ORDER", "BY"], rows)
            })
        }
        Command::Release(Mail { id }) => decide(id, "release", "is sent", gateway, say).await,
        Command::Refuse(Mail { id }) => decide(id, "refuse", "is refused", gateway, say).await,
    }
}

async fn decide(
    id: i64,
    what: &str,
    words: &str,
    gateway: &Gateway,
    say: &Say,
) -> Result<(), Failure> {
    gateway.send(Method::POST, &format!("/api/v1/held/{id}/{what}"), None, &[]).await?;
    let done = json!({ "mail": id, "decision": what });
    say.either(&done, |_| format!("mail {id} {words}"))
}

fn row(mail: &Value) -> Vec<String> {
    let to = show::rows(mail, "recipients").filter_map(Value::as_str).collect::<Vec<_>>();
    vec![
        show::text(mail, "id"),
        show::text(mail, "sender"),
        to.join(", "),
        show::time(mail, "submitted_at"),
        show::text(mail, "order"),
        show::text(mail, "why"),
    ]
}
