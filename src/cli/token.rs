//! `retract token`: what programs and browsers are let in by.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::Failure;
use super::show::{self, Say};
use super::talk::{Gateway, segment};
use crate::admin::Role;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Makes a token for the API; it is shown once and only its hash is kept.
    #[command(after_help = "Example: retract token create soc --role operator --days 90")]
    Create(CreateArgs),
    /// Lists tokens.
    #[command(after_help = "Example: retract token list")]
    List,
    /// Ends a token at once.
    #[command(after_help = "Example: retract token revoke soc")]
    Revoke(Name),
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// A name, also in orders and in the audit; it can never be used again.
    name: String,
    /// What it may do.
    #[arg(long, value_enum, default_value = "operator")]
    role: Role,
    /// For how many days it works; until revoked when not given.
    #[arg(long)]
    days: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct Name {
    /// The token's name.
    name: String,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: retract link --name ann --role viewer")]
pub(super) struct LinkArgs {
    /// Who signs in; the name goes into orders and the audit.
    #[arg(long, default_value = "admin")]
    name: String,
    /// What they may do.
    #[arg(long, value_enum, default_value = "admin")]
    role: Role,
}

pub(super) async fn run(command: Command, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    match command {
        Command::Create(args) => {
            let body =
                json!({ "name": args.name, "role": args.role, "expires_in_days": args.days });
            let made = gateway.post("/api/v1/tokens", &body).await?;
            say.either(&made, |made| show::text(made, "token"))
        }
        Command::List => {
            let tokens = gateway.get("/api/v1/tokens").await?;
            say.either(&tokens, |tokens| {
                let rows = show::rows(tokens, "tokens").map(row).collect();
                show::table(&["NAME", "ROLE", "CREATED", "BY", "EXPIRES", "REVOKED"], rows)
            })
        }
        Command::Revoke(Name { name }) => {
            let path = format!("/api/v1/tokens/{}", segment(&name));
            gateway.send(Method::DELETE, &path, None, &[]).await?;
            let done = json!({ "revoked": name });
            say.either(&done, |done| format!("{} is revoked", show::text(done, "revoked")))
        }
    }
}

/// `retract link`
pub(super) async fn link(args: LinkArgs, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    let body = json!({ "name": args.name, "role": args.role });
    let link = gateway.post("/api/v1/sign-in-links", &body).await?;
    say.either(&link, |link| show::text(link, "url"))
}

fn row(token: &Value) -> Vec<String> {
    vec![
        show::text(token, "name"),
        show::text(token, "role"),
        show::time(token, "created_at"),
        show::text(token, "created_by"),
        show::time(token, "expires_at"),
        show::time(token, "revoked_at"),
    ]
}
