//! `retract audit`: what happened, and whether the record of it is whole.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::Failure;
use super::show::{self, Say};
use super::talk::Gateway;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists entries, newest first.
    #[command(after_help = "Example: retract audit list --order 1 --json")]
    List(ListArgs),
    /// Computes every hash again from the stored bytes; exit code 1 when something is wrong.
    #[command(
        after_help = "Example: keep size and root elsewhere, and verify against them later:\n  \
        retract audit verify --size 1042 --root 9f86d0.."
    )]
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only entries about this order.
    #[arg(long)]
    order: Option<i64>,
    /// Entries at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Only entries before this number.
    #[arg(long)]
    before: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The size of a tree that was kept elsewhere.
    #[arg(long, requires = "root")]
    size: Option<u64>,
    /// Its root.
    #[arg(long, requires = "size")]
    root: Option<String>,
}

pub(super) async fn run(command: Command, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    match command {
        Command::List(args) => list(args, gateway, say).await,
        Command::Verify(args) => verify(args, gateway, say).await,
    }
}

async fn list(args: ListArgs, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    let mut path = format!("/api/v1/audit?limit={}", args.limit);
    if let Some(order) = args.order {
        path.push_str(&format!("&order={order}"));
    }
    if let Some(before) = args.before {
        path.push_str(&format!("&before={before}"));
    }
    let entries = gateway.get(&path).await?;
    say.either(&entries, |entries| {
        let rows = show::rows(entries, "entries").map(|entry| {
            let fields = entry.get("fields").and_then(Value::as_object).into_iter().flatten();
            let fields: Vec<String> = fields
                .map(|(name, value)| {
                    let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    format!("{name}={}", show::printable(&plain))
                })
                .collect();
            let kind = show::text(entry, "kind");
            vec![show::text(entry, "number"), show::time(entry, "at"), kind, fields.join(" ")]
        });
        show::table(&["NUMBER", "AT", "KIND", "FIELDS"], rows.collect())
    })
}

async fn verify(args: VerifyArgs, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    let mut path = "/api/v1/audit/verify".to_owned();
    if let (Some(size), Some(root)) = (args.size, args.root) {
        path.push_str(&format!("?size={size}&root={}", super::talk::segment(&root)));
    }
    let bar = say.progress("verifying the audit");
    let report = gateway.get(&path).await;
    bar.finish_and_clear();
    let report = report?;
    say.either(&report, |report| {
        let verdict = match report["ok"] == true {
            true => "the audit is whole".to_owned(),
            false => format!("NOT WHOLE: {}", show::text(report, "first_bad")),
        };
        format!(
            "{verdict}\nsize {}\nroot {}",
            show::text(report, "size"),
            show::text(report, "root")
        )
    })?;
    match report["ok"] == true {
        true => Ok(()),
        false => Err(anyhow::anyhow!("the audit is not whole").into()),
    }
}
