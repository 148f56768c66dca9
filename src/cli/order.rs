//! `retract recall`, `cancel`, `orders`, `coverage`: orders and how far they have come.

use std::time::Duration;

use axum::body::Body;
use clap::Args;
use http::{Method, Response};
use http_body_util::BodyExt;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::Failure;
use super::show::{self, Say};
use super::talk::Gateway;
use crate::admin::NewOrder;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    retract recall --message-id '<m1@example.org>' --reason 'wrong attachment' --dry-run\n  \
    retract recall --message-id '<m1@example.org>' --reason 'wrong attachment' --wait --timeout 120\n\n\
    Exit code 3 with --wait when not every device is covered when the wait ends.")]
pub(super) struct RecallArgs {
    /// The Message-ID, with or without angle brackets.
    #[arg(long)]
    message_id: String,
    /// Why; it is shown and audited.
    #[arg(long, required_unless_present = "dry_run", default_value = "")]
    reason: String,
    /// Only what this address wrote.
    #[arg(long)]
    from: Option<String>,
    /// Only this body, by the hash a dry run shows; may be given again.
    #[arg(long = "body", value_name = "HASH")]
    bodies: Vec<String>,
    /// Also from the sender's own mailbox.
    #[arg(long)]
    include_sender: bool,
    /// For how many days copies that arrive later are withheld.
    #[arg(long, value_name = "DAYS")]
    stands_days: Option<u32>,
    /// Shows what the order would cover and what has left already, and does nothing.
    #[arg(long)]
    dry_run: bool,
    /// The number of copies, typed: wanted for a large order.
    #[arg(long, value_name = "N")]
    confirm_count: Option<u64>,
    /// Another token that agrees: wanted for a large order.
    #[arg(long, env = "RETRACT_SECOND_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    second_token: Option<String>,
    /// The same key gives the same order, however often it is sent.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Waits until nothing is under way any more.
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// For how many seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    timeout: u64,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: retract cancel 1")]
pub(super) struct CancelArgs {
    /// The order's number.
    order: i64,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: retract orders --limit 10 --json")]
pub(super) struct ListArgs {
    /// Orders at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Only orders below this number.
    #[arg(long)]
    before: Option<i64>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: retract coverage 1 --wait --timeout 120\n\n\
    Exit code 3 when not every device is covered.")]
pub(super) struct CoverageArgs {
    /// The order's number.
    order: i64,
    /// Waits until nothing is under way any more.
    #[arg(long)]
    wait: bool,
    /// For how many seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    timeout: u64,
}

pub(super) async fn recall(args: RecallArgs, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    let (dry_run, wait, patience) = (args.dry_run, args.wait, Duration::from_secs(args.timeout));
    let mut headers = Vec::new();
    if let Some(key) = args.idempotency_key {
        headers.push(("idempotency-key", key));
    }
    if let Some(token) = args.second_token {
        headers.push(("retract-second-token", token));
    }
    let order = NewOrder {
        message_id: args.message_id,
        reason: args.reason,
        from: args.from,
        bodies: (!args.bodies.is_empty()).then_some(args.bodies),
        include_sender: args.include_sender,
        stands_days: args.stands_days,
        confirm_count: args.confirm_count,
        dry_run,
    };
    let body = serde_json::to_value(order)?;
    let answer = gateway.send(Method::POST, "/api/v1/orders", Some(&body), &headers).await?;
    if dry_run {
        return say.either(&answer, foreseen);
    }
    let id = answer["id"].as_i64().unwrap_or_default();
    if wait {
        return finish(id, waited(id, patience, gateway, say).await?, say);
    }
    say.either(&answer, |order| {
        format!(
            "order {id}: the fence stands since {}; {} copies in the store\n`retract coverage {id} --wait` follows it",
            show::time(order, "fenced_at"),
            show::text(order, "copies"),
        )
    })
}

pub(super) async fn cancel(args: CancelArgs, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    let path = format!("/api/v1/orders/{}/cancel", args.order);
    let order = gateway.post(&path, &json!({})).await?;
    say.either(&order, |order| {
        format!("order {} is cancelled; its copies are put back", show::text(order, "id"))
    })
}

pub(super) async fn list(args: ListArgs, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    let mut path = format!("/api/v1/orders?limit={}", args.limit);
    if let Some(before) = args.before {
        path.push_str(&format!("&before={before}"));
    }
    let orders = gateway.get(&path).await?;
    say.either(&orders, |orders| {
        let rows = show::rows(orders, "orders").map(|order| {
            let text = |name| show::text(order, name);
            let at = show::time(order, "recalled_at");
            vec![
                text("id"),
                text("state"),
                at,
                text("copies"),
                text("asked_by"),
                text("message_id"),
                text("reason"),
            ]
        });
        let headings = ["ORDER", "STATE", "RECALLED", "COPIES", "BY", "MESSAGE-ID", "REASON"];
        show::table(&headings, rows.collect())
    })
}

pub(super) async fn coverage(
    args: CoverageArgs,
    gateway: &Gateway,
    say: &Say,
) -> Result<(), Failure> {
    let report = match args.wait {
        true => waited(args.order, Duration::from_secs(args.timeout), gateway, say).await?,
        false => gateway.get(&format!("/api/v1/orders/{}/coverage", args.order)).await?,
    };
    finish(args.order, report, say)
}

/// Prints a report; a failure when not everything is covered.
fn finish(id: i64, report: Value, say: &Say) -> Result<(), Failure> {
    say.either(&report, |report| told(id, report))?;
    match report["covered"] == report["pairs"] {
        true => Ok(()),
        false => Err(Failure::NotCovered),
    }
}

/// The report once nothing is under way any more, or when the time is over. Where no server runs no device can answer, so there is
/// nothing to wait for.
async fn waited(
    id: i64,
    patience: Duration,
    gateway: &Gateway,
    say: &Say,
) -> Result<Value, Failure> {
    if gateway.is_server() {
        let bar = say.progress("waiting for devices");
        let followed = gateway.follow(&format!("/api/v1/orders/{id}/events")).await?;
        // Time over, or the server gone: the report below says how it stands, or why there is none.
        let _over = tokio::time::timeout(patience, settled(followed, &bar)).await;
        bar.finish_and_clear();
    }
    gateway.get(&format!("/api/v1/orders/{id}/coverage")).await
}

/// Reads reports until one is settled.
async fn settled(response: Response<Body>, bar: &ProgressBar) -> Result<(), Failure> {
    let mut body = response.into_body();
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            text.extend_from_slice(&data);
        }
        while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = text.drain(..end + 2).collect();
            let Some(report) = report(&event) else { continue };
            bar.set_message(format!("{} of {} covered", report["covered"], report["pairs"]));
            if report["is_settled"] == true {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The report in an event, unless it is a sign of life.
fn report(event: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(event).ok()?;
    let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data:")).collect();
    serde_json::from_str(data.join("\n").trim()).ok()
}

/// A dry run, for people.
fn foreseen(run: &Value) -> String {
    let text = |name| show::text(run, name);
    let mut lines = vec![
        format!(
            "would take back {} in {}",
            counted(&run["copies"], "copy", "copies"),
            counted(&run["mailboxes"], "mailbox", "mailboxes")
        ),
        format!(
            "of {}, {} were sent something of it, {} marked it read, {} answered or forwarded it",
            counted(&run["devices"], "device", "devices"),
            text("devices_exposed"),
            text("devices_read"),
            text("devices_acted"),
        ),
    ];
    if run["is_unseen"] == true {
        lines.push(
            "Nothing is known under this Message-ID: the order would stand for it.".to_owned(),
        );
    }
    if let Some(count) = run["confirm_count"].as_u64() {
        lines.push(format!(
            "This is a large order: it wants --confirm-count {count} and --second-token."
        ));
    }
    let bodies = show::rows(run, "bodies").map(|body| {
        let covered = if body["is_covered"] == true { "yes" } else { "no" }.to_owned();
        vec![
            show::text(body, "body"),
            show::text(body, "from"),
            show::text(body, "copies"),
            covered,
        ]
    });
    lines.push("\nWhat bears this Message-ID".to_owned());
    lines.push(show::table(&["BODY", "FROM", "COPIES", "COVERED"], bodies.collect()));
    let mut rows = Vec::new();
    for recipient in show::rows(run, "recipients") {
        let who = [show::text(recipient, "recipient"), show::text(recipient, "verdict")];
        let devices: Vec<&Value> = show::rows(recipient, "devices").collect();
        if devices.is_empty() {
            rows.push(vec![
                who[0].clone(),
                who[1].clone(),
                String::new(),
                String::new(),
                String::new(),
            ]);
        }
        for device in devices {
            let (name, chips) = (show::text(device, "device_name"), show::text(device, "exposure"));
            let seen = show::time(device, "last_seen");
            rows.push(vec![who[0].clone(), who[1].clone(), name, chips, seen]);
        }
    }
    lines.push("\nWhom it would concern".to_owned());
    let legend = (!rows.is_empty()).then(|| EXPOSURE_LEGEND.to_owned());
    lines.push(show::table(&["RECIPIENT", "VERDICT", "DEVICE", "EXPOSURE", "LAST SEEN"], rows));
    lines.extend(legend);
    for outside in show::rows(run, "outside").filter_map(Value::as_str) {
        lines.push(format!("outside our reach: {}", show::printable(outside)));
    }
    lines.push(String::new());
    lines.push(text("cannot_know"));
    lines.join("\n")
}

/// A report, for people.
fn told(id: i64, report: &Value) -> String {
    let order = &report["order"];
    let mut lines = vec![
        format!(
            "order {id} ({}): {}",
            show::text(order, "state"),
            show::text(report, "sender_line")
        ),
        format!(
            "{} of {} covered ({} %), marked read on {}, answered or forwarded from {}",
            report["covered"],
            report["pairs"],
            report["percent"],
            report["read_claimed"],
            report["acted"]
        ),
        format!("T0 delivered  {}", show::time(order, "delivered_at")),
        format!("T1 recalled   {}", show::time(order, "recalled_at")),
        format!("T2 fence      {}", show::time(order, "fenced_at")),
    ];
    lines.extend(paces(report));
    let rows = show::rows(report, "devices").map(|pair| {
        let text = |name| show::text(pair, name);
        vec![
            text("recipient"),
            text("device_name"),
            text("exposure"),
            text("state"),
            text("evidence"),
            text("reason"),
            show::time(pair, "delete_sent_at"),
            text("delete_key"),
            show::time(pair, "acknowledged_at"),
            text("acknowledged_key"),
        ]
    });
    let headings = [
        "RECIPIENT",
        "DEVICE",
        "EXPOSURE",
        "STATE",
        "EVIDENCE",
        "REASON",
        "DELETE SENT",
        "KEY",
        "ACKNOWLEDGED",
        "KEY",
    ];
    let rows: Vec<Vec<String>> = rows.collect();
    lines.push("\nDevices".to_owned());
    let legend = (!rows.is_empty()).then(|| EXPOSURE_LEGEND.to_owned());
    lines.push(show::table(&headings, rows));
    lines.extend(legend);
    let rows = show::rows(report, "recipients")
        .map(|view| ["recipient", "result", "devices"].map(|name| show::text(view, name)).to_vec());
    lines.push("\nRecipients".to_owned());
    lines.push(show::table(&["RECIPIENT", "RESULT", "DEVICES"], rows.collect()));
    lines.push(String::new());
    lines.push(show::text(report, "cannot_know"));
    lines.join("\n")
}

/// How long it took until so many of the devices were covered; nothing where no device is concerned.
fn paces(report: &Value) -> Vec<String> {
    if report["pairs"] == 0 {
        return Vec::new();
    }
    let pace = |(name, percent): (&str, u32)| {
        let ms =
            report[name].as_u64().map_or_else(|| "not yet".to_owned(), |ms| format!("{ms} ms"));
        format!("{:<13} {ms}", format!("to {percent} %"))
    };
    [("to_50_percent_ms", 50), ("to_90_percent_ms", 90), ("to_100_percent_ms", 100)]
        .map(pace)
        .to_vec()
}

fn counted(number: &Value, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// What the chips mean (`Exposure::chips`).
const EXPOSURE_LEGEND: &str = "exposure: N nothing, H headers, B% part of the body, B body, A attachment, S search result, F fetched, \
     R marked read, M moved, X answered or forwarded, O aged out";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_about_nobody_names_no_pace() {
        let report = json!({
            "order": { "state": "open" }, "sender_line": "Nobody here has received it", "covered": 0, "pairs": 0, "percent": 100.0,
            "read_claimed": 0, "acted": 0, "devices": [], "recipients": [], "cannot_know": "whether a person looked",
        });
        let told = told(1, &report);
        assert!(!told.contains("not yet") && !told.contains("exposure:"), "{told}");
        assert!(told.contains("\nDevices\nnone\n"), "{told}");
    }

    #[test]
    fn a_dry_run_counts_as_people_do() {
        let run = json!({ "copies": 1, "mailboxes": 1, "devices": 2, "devices_exposed": 1, "devices_read": 0, "devices_acted": 0,
            "recipients": [{ "recipient": "ann@example.org", "verdict": "withdraw", "devices": [{ "exposure": "H B" }] }] });
        let told = foreseen(&run);
        assert!(
            told.starts_with("would take back 1 copy in 1 mailbox\nof 2 devices, 1 were sent"),
            "{told}"
        );
        assert!(told.contains("H headers"), "{told}");
    }
}
