//! `retract directory`: where users come from besides us: a file, or a directory server.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Failure;
use super::show::{self, Say};
use super::talk::{Gateway, segment};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Asks the source, and says what it has and what taking it would change. Changes nothing.
    #[command(after_help = "Example: retract directory check")]
    Check,
    /// Takes what the source has now. The gateway does so by itself every few minutes.
    #[command(
        after_help = "Example:\n  retract directory sync\n  retract directory sync --confirm"
    )]
    Sync(SyncArgs),
    /// Shows how the source is doing, or a group with everybody in it.
    #[command(
        after_help = "Example:\n  retract directory show\n  retract directory show --groups\n  \
        retract directory show --group board"
    )]
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(super) struct SyncArgs {
    /// Although many users or groups are gone from the source at once: shuts those users out. Their mail and the ledger stay.
    #[arg(long)]
    confirm: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Lists the groups.
    #[arg(long)]
    groups: bool,
    /// Shows this group with everybody in it, also through groups within it.
    #[arg(long, value_name = "NAME", conflicts_with = "groups")]
    group: Option<String>,
}

pub(super) async fn run(command: Command, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    match command {
        Command::Check => {
            let bar = say.progress("asking");
            let report = gateway.post("/api/v1/directory/check", &json!({})).await;
            bar.finish_and_clear();
            say.either(&report?, |report| told(report, "would be"))
        }
        Command::Sync(args) => {
            let bar = say.progress("asking");
            let body = json!({ "confirm": args.confirm });
            let report = gateway.post("/api/v1/directory/sync", &body).await;
            bar.finish_and_clear();
            let report = report?;
            say.either(&report, |report| told(report, "are"))?;
            if waits(&report) { Err(Failure::Refused(CONFIRM.to_owned())) } else { Ok(()) }
        }
        Command::Show(ShowArgs { group: Some(name), .. }) => {
            let path = format!("/api/v1/groups/{}", segment(&name));
            say.either(&gateway.get(&path).await?, |group| {
                let members = show::rows(group, "members");
                let rows =
                    members.map(|m| ["id", "name", "address"].map(|n| show::text(m, n)).to_vec());
                show::table(&["ID", "NAME", "ADDRESS"], rows.collect())
            })
        }
        Command::Show(args) if args.groups => groups(gateway, say).await,
        Command::Show(_) => say.either(&gateway.get("/api/v1/directory").await?, standing),
    }
}

async fn groups(gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    let mut groups: Vec<Value> = Vec::new();
    loop {
        let after = groups.last().and_then(|group| group["id"].as_i64()).unwrap_or(0);
        let page = gateway.get(&format!("/api/v1/groups?after={after}")).await?;
        let before = groups.len();
        groups.extend(show::rows(&page, "groups").cloned());
        if groups.len() == before {
            break;
        }
    }
    say.either(&json!({ "groups": groups }), |all| {
        let rows = show::rows(all, "groups")
            .map(|g| ["name", "address", "display_name"].map(|n| show::text(g, n)).to_vec());
        show::table(&["NAME", "ADDRESS", "DISPLAY NAME"], rows.collect())
    })
}

fn waits(report: &Value) -> bool {
    let count = |name: &str| report[name].as_u64().unwrap_or(0);
    count("gone_unconfirmed") + count("groups_gone_unconfirmed") > 0
}

/// A report, for people.
fn told(report: &Value, are: &str) -> String {
    let count = |name: &str| report[name].as_u64().unwrap_or(0);
    let mut lines = vec![format!(
        "the source has {} users and {} groups; {are} new {}, changed {}, shut out {}; groups changed {}",
        count("people"),
        count("groups"),
        count("added"),
        count("changed"),
        count("gone"),
        count("groups_changed"),
    )];
    if waits(report) {
        lines.push(format!(
            "gone from the source and waiting for a word: {} users, {} groups",
            count("gone_unconfirmed"),
            count("groups_gone_unconfirmed")
        ));
    }
    let problems = show::rows(report, "problems").filter_map(Value::as_str);
    lines.extend(problems.map(|problem| format!("problem: {}", show::printable(problem))));
    lines.join("\n")
}

/// How the source is doing, for people.
fn standing(standing: &Value) -> String {
    let status = &standing["status"];
    let mut lines = vec![format!(
        "users come from: {}; {} of them, {} gone; {} groups",
        show::text(standing, "source"),
        show::text(standing, "users"),
        show::text(standing, "users_gone"),
        show::text(standing, "groups"),
    )];
    if status["taken_at"].is_null() {
        lines.push("never taken yet".to_owned());
    } else {
        lines.push(format!("last taken {}", show::time(status, "taken_at")));
        lines.push(told(&status["report"], "were"));
    }
    if let Some(error) = status["error"].as_str() {
        let at = show::time(status, "looked_at");
        lines.push(format!("the look of {at} failed: {}", show::printable(error)));
    }
    lines.join("\n")
}

/// What to do about many who are gone.
const CONFIRM: &str = "more are gone from the source at once than the gateway believes; if it is true: retract directory sync --confirm";
