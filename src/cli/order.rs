//! `retract recall`, `cancel`, `orders`, `coverage`: orders and how far they have come.

use std::collections::BTreeMap;
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
    Exit code 3 with --wait when not every device is covered, or the mail still lies in a mailbox, when the wait ends; 5 when no message \
    with this Message-ID has been met.")]
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
#[command(after_help = "Example: retract cancel 1 --wait\n\n\
    Exit code 3 with --wait when not every copy is back when the wait ends.")]
pub(super) struct CancelArgs {
    /// The order's number.
    order: i64,
    /// Waits until every copy is put back.
    #[arg(long)]
    wait: bool,
    /// For how many seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    timeout: u64,
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
    Exit code 3 when not every device is covered, or the mail still lies in a mailbox; 5 when no message with the order's Message-ID \
    has been met.")]
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
        let report = waited(id, patience, "waiting for devices", gateway, say).await?;
        return finish(id, report, say);
    }
    say.either(&answer, |order| fenced(id, order))
}

/// That an order was given; it does not say that anything was found.
fn fenced(id: i64, order: &Value) -> String {
    let found = match order["copies"].as_u64() {
        Some(0) => {
            let until = show::time(order, "stands_until");
            format!("no mailbox has a copy now; one that comes until {until} is withheld")
        }
        _ => format!("{} in the store", counted(&order["copies"], "copy", "copies")),
    };
    let since = show::time(order, "fenced_at");
    format!(
        "order {id}: the fence stands since {since}; {found}\n`retract coverage {id} --wait` follows it"
    )
}

pub(super) async fn cancel(args: CancelArgs, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    let path = format!("/api/v1/orders/{}/cancel", args.order);
    let order = gateway.post(&path, &json!({})).await?;
    if !args.wait {
        return say.either(&order, |order| {
            let id = show::text(order, "id");
            format!("order {id} is cancelled; its copies are being put back\n`retract cancel {id} --wait` waits for that")
        });
    }
    let patience = Duration::from_secs(args.timeout);
    let report = waited(args.order, patience, "waiting for the mail store", gateway, say).await?;
    say.either(&report, |report| restored(args.order, report))?;
    match report["to_restore"] == 0 {
        true => Ok(()),
        false => Err(Failure::NotCovered),
    }
}

/// How far a cancellation has come.
fn restored(id: i64, report: &Value) -> String {
    let mut lines = vec![format!(
        "order {id} is cancelled; {} of {} put back",
        report["restored"],
        counted(&report["sealed"], "copy", "copies"),
    )];
    lines.extend(store_lines(report));
    lines.join("\n")
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
        true => {
            let patience = Duration::from_secs(args.timeout);
            waited(args.order, patience, "waiting for devices", gateway, say).await?
        }
        false => gateway.get(&format!("/api/v1/orders/{}/coverage", args.order)).await?,
    };
    finish(args.order, report, say)
}

/// Prints a report; a failure when not everything is covered.
fn finish(id: i64, report: Value, say: &Say) -> Result<(), Failure> {
    say.either(&report, |report| told(id, report))?;
    judged(&report)
}

/// Success is that every device is covered, who is outside is known, and the mail lies in no mailbox any more. A Message-ID that nobody
/// has met is none.
fn judged(report: &Value) -> Result<(), Failure> {
    // Where nobody has looked it may lie.
    let is_looked = report["to_look"].as_u64().unwrap_or(0) == 0;
    let is_out = report["pending"] == 0 && report["to_remove"] == 0 && is_looked;
    let is_covered = match report["percent"].as_f64() {
        Some(percent) => percent >= 100.0,
        None => report["is_settled"] == true,
    };
    match is_covered && is_out {
        _ if report["is_met"] == false => Err(Failure::NothingMet),
        true => Ok(()),
        false => Err(Failure::NotCovered),
    }
}

/// The report once nothing is under way any more, or when the time is over. Where no server runs no device can answer, so there is
/// nothing to wait for.
async fn waited(
    id: i64,
    patience: Duration,
    words: &str,
    gateway: &Gateway,
    say: &Say,
) -> Result<Value, Failure> {
    if gateway.is_server() {
        let bar = say.progress(words);
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
    let state = show::text(&report["order"], "state");
    let mut lines = vec![format!("order {id} ({state}): {}", show::text(report, "sender_line"))];
    lines.push(covered(report));
    lines.push(in_mailboxes(report));
    lines.extend(store_lines(report));
    lines.extend(there_lines(report));
    lines.extend(header(report));
    lines.extend(paces(report));
    lines.extend(devices(report));
    let rows = show::rows(report, "recipients").map(|view| {
        let text = |name| show::text(view, name);
        let delivered = show::time(view, "delivered_at");
        vec![text("recipient"), text("result"), text("devices"), delivered, words(view, "reasons")]
    });
    lines.push("\nRecipients".to_owned());
    let headings = ["RECIPIENT", "RESULT", "DEVICES", "DELIVERED", "REASONS"];
    lines.push(show::table(&headings, rows.collect()));
    lines.push(String::new());
    lines.push(show::text(report, "cannot_know"));
    lines.join("\n")
}

/// How much is covered; no share of nothing.
fn covered(report: &Value) -> String {
    if report["is_met"] == false {
        let until = show::time(&report["order"], "stands_until");
        return format!(
            "no message with this Message-ID has been met; the order stands until {until}"
        );
    }
    if report["percent"].is_null() {
        return "no device here is concerned".to_owned();
    }
    format!(
        "{} of {} covered ({} %), marked read on {}, answered or forwarded from {}",
        report["covered"],
        report["pairs"],
        report["percent"],
        report["read_claimed"],
        report["acted"]
    )
}

/// What the vault has, and what the store still owes.
fn in_mailboxes(report: &Value) -> String {
    let mut line = format!(
        "{} taken out of mailboxes and sealed, {} put back",
        counted(&report["sealed"], "copy", "copies"),
        report["restored"]
    );
    for (name, words) in
        [("to_remove", "still to be emptied"), ("to_restore", "still to be put back into")]
    {
        if report[name].as_u64().is_some_and(|count| count > 0) {
            line.push_str(&format!("; {} {words}", counted(&report[name], "mailbox", "mailboxes")));
        }
    }
    line
}

/// What the mail store could not do yet.
fn store_lines(report: &Value) -> Vec<String> {
    let line = |wait: &Value| {
        let text = |name| show::text(wait, name);
        let words = match wait["work"].as_str() {
            Some("remove") if wait["reason"] == "waits_for_owner" => {
                "the mail still lies in the mailbox, fenced, until its owner connects"
            }
            Some("remove") => "the mail still lies in the mailbox",
            Some("restore") => "the mail could not be put back yet",
            _ => "the devices could not be looked up yet",
        };
        let code = wait["reason"].as_str().map(|code| format!(" ({code})")).unwrap_or_default();
        format!(
            "{}: {words}{code}; tried {}, next at {}",
            text("recipient"),
            counted(&wait["tries"], "time", "times"),
            show::time(wait, "next_try_at")
        )
    };
    show::rows(report, "store_waits").map(line).collect()
}

/// What is to be known of mailboxes on another mail server: where nobody could look, and who else reads there.
fn there_lines(report: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let to_look = report["to_look"].as_u64().unwrap_or(0);
    if to_look > 0 {
        let count = counted(&report["to_look"], "mailbox", "mailboxes");
        lines.push(format!("{count} still to be looked into: it may lie there"));
    }
    for one in show::rows(report, "unlooked").take(UNLOOKED_SHOWN) {
        let text = |name| show::text(one, name);
        let tried = counted(&one["tries"], "time", "times");
        lines.push(format!(
            "{}: not looked into ({}); tried {tried}",
            text("recipient"),
            text("reason")
        ));
    }
    let read: Vec<String> = show::rows(report, "channels")
        .filter(|one| one["read_elsewhere"] == true)
        .map(|one| show::text(one, "recipient"))
        .collect();
    if !read.is_empty() {
        lines.push(format!("read past this gateway, with another program: {}", read.join(", ")));
    }
    if show::rows(report, "channels").next().is_some() {
        lines.push("other programs reach these mailboxes past this gateway".to_owned());
    }
    lines
}

/// Who, what, why, and when.
fn header(report: &Value) -> Vec<String> {
    let order = &report["order"];
    let text = |name| show::text(order, name);
    let mut by = format!("ordered by    {}", text("asked_by"));
    for (name, words) in [("signed_in", "signed in by"), ("second", "agreed by")] {
        if !text(name).is_empty() {
            by.push_str(&format!(", {words} {}", text(name)));
        }
    }
    let mut lines = vec![
        by,
        format!("reason        {}", text("reason")),
        format!("Message-ID    {}", text("message_id")),
    ];
    lines.extend(show::rows(report, "messages").map(|message| {
        let size = message["size"].as_u64().map(|size| format!(", {size} octets"));
        format!("message       {}{}", show::text(message, "hash"), size.unwrap_or_default())
    }));
    let delivered = match order["delivered_at"].is_null() {
        true => "to nobody here so far".to_owned(),
        false => show::time(order, "delivered_at"),
    };
    lines.push(format!("T0 delivered  {delivered}"));
    lines.push(format!("T1 recalled   {}", show::time(order, "recalled_at")));
    lines.push(format!("T2 fence      {}", show::time(order, "fenced_at")));
    lines
}

/// The matrix, its legend, and what is known about each client's Delete.
fn devices(report: &Value) -> Vec<String> {
    let rows = show::rows(report, "devices").map(|pair| {
        let text = |name| show::text(pair, name);
        vec![
            text("recipient"),
            text("device_name"),
            text("exposure"),
            text("state"),
            text("evidence"),
            words(pair, "reasons"),
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
        "REASONS",
        "DELETE SENT",
        "KEY",
        "ACKNOWLEDGED",
        "KEY",
    ];
    let rows: Vec<Vec<String>> = rows.collect();
    let is_any = !rows.is_empty();
    let mut lines = vec!["\nDevices".to_owned(), show::table(&headings, rows)];
    if is_any {
        lines.extend([EXPOSURE_LEGEND, ACKNOWLEDGED_LEGEND].map(str::to_owned));
    }
    let told: Vec<String> = show::rows(report, "devices").flat_map(told_of).collect();
    if !told.is_empty() {
        lines.push("\nWhat was fetched, read and acted on, event by event".to_owned());
        lines.extend(told);
    }
    let mut profiles: BTreeMap<String, String> = BTreeMap::new();
    for pair in show::rows(report, "devices").filter(|pair| !pair["client_profile"].is_null()) {
        let client = [show::text(pair, "client"), "no User-Agent".to_owned()];
        let client = client.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        profiles.insert(client, show::text(pair, "client_profile"));
    }
    if !profiles.is_empty() {
        lines.push("\nWhat is known of these clients' Delete".to_owned());
        lines.extend(profiles.iter().map(|(client, profile)| format!("{client}: {profile}")));
    }
    lines
}

/// What is told of one pair, event by event.
fn told_of(pair: &Value) -> Vec<String> {
    let who = format!("{}, {}", show::text(pair, "recipient"), show::text(pair, "device_name"));
    let line = |told: &Value| {
        let detail = show::text(told, "detail");
        let detail = if detail.is_empty() { detail } else { format!(" {detail};") };
        let mut line = format!("{who}: {}{detail}", show::text(told, "kind"));
        line.push_str(&format!(" at {}", show::time(told, "first_at")));
        if told["times"].as_u64().is_some_and(|times| times > 1) {
            let until = show::time(told, "last_at");
            line.push_str(&format!(", {} times until {until}", told["times"]));
        }
        line
    };
    show::rows(pair, "details").map(line).collect()
}

/// A list of words, in one cell.
fn words(value: &Value, name: &str) -> String {
    let words = show::rows(value, name).filter_map(Value::as_str);
    words.map(show::printable).collect::<Vec<_>>().join(", ")
}

/// How long it took until so many of the devices were covered; nothing where no device is concerned.
fn paces(report: &Value) -> Vec<String> {
    if report["percent"].is_null() {
        return Vec::new();
    }
    let is_all = report["percent"].as_f64().is_some_and(|percent| percent >= 100.0);
    let pace = |(name, percent): (&str, u32)| {
        let ms = match report[name].as_u64() {
            Some(ms) => format!("{ms} ms"),
            // Whatever was to be done had been done before anybody asked.
            None if is_all => "before the order".to_owned(),
            None => "not yet".to_owned(),
        };
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
const EXPOSURE_LEGEND: &str = "exposure: N nothing, W woken and nothing sent, H headers, B% part of the body, B body, A attachment, S search result, F fetched, \
     R marked read, M moved, X answered or forwarded, O aged out";

/// What an acknowledgement is.
const ACKNOWLEDGED_LEGEND: &str = "acknowledged: the app presented the key of the answer that carried the Delete; with removed_earlier \
     it had let go of the mail itself (deleted for good, or aged out and proven), without a time where that was before the order; with \
     hierarchy it presented a key of the folder list in which the folder was gone";

/// Mailboxes named one by one in a report for people; the JSON has all of them.
const UNLOOKED_SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Value {
        json!({
            "order": { "state": "open", "stands_until": 0 }, "sender_line": "Nobody here has received it", "covered": 0, "pairs": 0,
            "percent": null, "is_met": true, "is_settled": true, "read_claimed": 0, "acted": 0, "pending": 0, "to_remove": 0, "to_restore": 0,
            "sealed": 2, "restored": 0, "devices": [], "recipients": [], "cannot_know": "whether a person looked",
        })
    }

    #[test]
    fn a_report_about_nobody_names_no_pace() {
        let told = told(1, &nothing());
        assert!(!told.contains("not yet") && !told.contains("exposure:"), "{told}");
        assert!(told.contains("\nDevices\nnone\n"), "{told}");
        assert!(!told.contains("100"), "{told}");
    }

    #[test]
    fn a_mistyped_message_id_is_no_success() {
        let mut report = nothing();
        report["is_met"] = json!(false);
        let told = told(1, &report);
        let words = "no message with this Message-ID has been met; the order stands until 1970-";
        assert!(told.contains(words), "{told}");
        assert!(!told.contains(" %"), "{told}");
        assert_eq!(judged(&report).unwrap_err().code(), 5);
    }

    #[test]
    fn an_order_that_found_nothing_says_so_at_once() {
        let words = "no mailbox has a copy now; one that comes until 1970-";
        assert!(fenced(1, &json!({ "copies": 0, "stands_until": 0 })).contains(words));
        let told = fenced(1, &json!({ "copies": 1, "stands_until": 0 }));
        assert!(told.contains("; 1 copy in the store"), "{told}");
    }

    #[test]
    fn mail_that_still_lies_in_a_mailbox_is_no_success_and_says_why() {
        let mut report = nothing();
        assert!(judged(&report).is_ok());
        report["is_settled"] = json!(false);
        assert_eq!(judged(&report).unwrap_err().code(), 3, "who is outside is not known yet");
        report["to_remove"] = json!(1);
        report["store_waits"] = json!([{ "recipient": "bob@example.org", "work": "remove", "tries": 2, "next_try_at": 4_000,
            "reason": "store_cannot_remove" }]);
        assert_eq!(judged(&report).unwrap_err().code(), 3);
        let told = told(1, &report);
        let words = "bob@example.org: the mail still lies in the mailbox (store_cannot_remove); tried 2 times, next at 1970-";
        assert!(told.contains(words), "{told}");
        assert!(told.contains("2 copies taken out of mailboxes and sealed, 0 put back; 1 mailbox still to be emptied"), "{told}");
    }

    #[test]
    fn an_acknowledgement_stands_beside_what_is_known_of_the_client() {
        let mut report = nothing();
        report["percent"] = json!(100.0);
        report["devices"] = json!([{ "recipient": "bob@example.org", "state": "acknowledged", "client": "Phone/1",
            "client_profile": "untested", "reasons": ["removed_earlier", "attachment_saved_possible"],
            "details": [{ "kind": "attachment_sent", "detail": "plan.csv, octets 0-1023 of 5000", "first_at": 0, "last_at": 9,
                "times": 2 }] }]);
        let told = told(1, &report);
        assert!(told.contains("Phone/1: untested"), "{told}");
        assert!(told.contains("removed_earlier, attachment_saved_possible"), "{told}");
        assert!(told.contains("with hierarchy it presented"), "{told}");
        let words = "attachment_sent plan.csv, octets 0-1023 of 5000; at 1970-01-01T00:00:00.000Z, 2 times until";
        assert!(told.contains(words), "{told}");
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
