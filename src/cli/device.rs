//! `retract device`: phones, what they sync, and orders to them.

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use serde_json::{Value, json};

use super::Failure;
use super::show::{self, Say};
use super::talk::Gateway;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists devices.
    #[command(after_help = "Example: retract device list --json")]
    List,
    /// Shows a device and the folders it syncs.
    #[command(after_help = "Example: retract device show 7")]
    Show(Device),
    /// Orders a wipe. The phone promises it when it fetches the order; a promise is all that can be had.
    #[command(after_help = "Examples:\n  retract device wipe 7 --scope account-only\n  \
        retract device wipe 7 --scope full --device-id androidc1234567890")]
    Wipe(WipeArgs),
    /// Has a device forget and fetch everything again.
    #[command(after_help = "Example: retract device resync 7")]
    Resync(Device),
    /// Answers a device no more. Refused while a wipe waits for it: a blocked phone never fetches the order.
    #[command(after_help = "Example: retract device block 7")]
    Block(Device),
    /// Answers a device again, or at last.
    #[command(after_help = "Example: retract device allow 7")]
    Allow(Device),
    /// Answers a device only once somebody has allowed it. Refused while a wipe waits for it, as blocking is.
    #[command(after_help = "Example: retract device quarantine 7")]
    Quarantine(Device),
    /// Calls a wipe off that has not left, or closes one that the device answered: that it will, or that it cannot.
    #[command(after_help = "Example: retract device clear-wipe 7")]
    ClearWipe(Device),
}

#[derive(Debug, Args)]
pub(super) struct Device {
    /// Its number in `retract device list`.
    device: i64,
}

#[derive(Debug, Args)]
pub(super) struct WipeArgs {
    /// Its number in `retract device list`.
    device: i64,
    /// What is wiped.
    #[arg(long, value_enum)]
    scope: Scope,
    /// For a full wipe: the DeviceId, typed.
    #[arg(long)]
    device_id: Option<String>,
    /// Blocks the device once it has promised.
    #[arg(long)]
    block_after: bool,
    /// Another token that agrees; without one, a recall does not count on the wipe.
    #[arg(long, env = "RETRACT_SECOND_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    second_token: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scope {
    /// The account and its mail (phones that speak 16.1).
    AccountOnly,
    /// Everything on the phone.
    Full,
}

pub(super) async fn run(command: Command, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    match command {
        Command::List => list(gateway, say).await,
        Command::Show(Device { device }) => {
            let shown = gateway.get(&format!("/api/v1/devices/{device}")).await?;
            say.either(&shown, detail)
        }
        Command::Wipe(args) => {
            let scope = match args.scope {
                Scope::AccountOnly => "account_only",
                Scope::Full => "full",
            };
            let body = json!({
                "scope": scope,
                "device_id": args.device_id,
                "block_after": args.block_after,
            });
            let second = args.second_token.map(|token| ("retract-second-token", token));
            let headers: Vec<_> = second.into_iter().collect();
            let path = format!("/api/v1/devices/{}/wipe", args.device);
            let shown = gateway.send(Method::POST, &path, Some(&body), &headers).await?;
            say.either(&shown, |shown| show::table(&HEADINGS, vec![row(shown)]))
        }
        Command::Quarantine(Device { device }) => give(device, "quarantine", gateway, say).await,
        Command::ClearWipe(Device { device }) => {
            let path = format!("/api/v1/devices/{device}/wipe");
            let shown = gateway.send(Method::DELETE, &path, None, &[]).await?;
            say.either(&shown, |shown| show::table(&HEADINGS, vec![row(shown)]))
        }
        Command::Resync(Device { device }) => give(device, "resync", gateway, say).await,
        Command::Block(Device { device }) => give(device, "block", gateway, say).await,
        Command::Allow(Device { device }) => give(device, "allow", gateway, say).await,
    }
}

async fn list(gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    let mut devices: Vec<Value> = Vec::new();
    loop {
        let after = devices.last().and_then(|device| device.get("id")).and_then(Value::as_i64);
        let path = format!("/api/v1/devices?after={}", after.unwrap_or(0));
        let page = gateway.get(&path).await?;
        let before = devices.len();
        devices.extend(show::rows(&page, "devices").cloned());
        if devices.len() == before {
            break;
        }
    }
    say.either(&json!({ "devices": devices }), |all| {
        let rows = show::rows(all, "devices").map(row).collect();
        show::table(&HEADINGS, rows)
    })
}

async fn give(device: i64, what: &str, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    let shown = gateway.post(&format!("/api/v1/devices/{device}/{what}"), &json!({})).await?;
    say.either(&shown, |shown| show::table(&HEADINGS, vec![row(shown)]))
}

const HEADINGS: [&str; 9] =
    ["ID", "USER", "NAME", "MODEL", "VERSION", "DEVICEID", "LAST SEEN", "ACCESS", "WIPE"];

fn row(device: &Value) -> Vec<String> {
    let text = |name| show::text(device, name);
    vec![
        text("id"),
        text("user_name"),
        text("friendly_name"),
        text("model"),
        text("version"),
        text("wire_id"),
        show::time(device, "last_seen"),
        access(device),
        wipe(device),
    ]
}

fn access(device: &Value) -> String {
    match show::text(device, "access") {
        none if none.is_empty() => "default".to_owned(),
        access => access,
    }
}

/// The wipe of a device in a few words.
fn wipe(device: &Value) -> String {
    let wipe = &device["wipe"];
    format!("{} {}", show::text(wipe, "kind"), show::text(wipe, "state")).trim().to_owned()
}

fn detail(device: &Value) -> String {
    let mut lines = Vec::new();
    for name in [
        "id",
        "user_name",
        "wire_id",
        "device_type",
        "user_agent",
        "version",
        "friendly_name",
        "model",
        "os",
        "generation",
        "gap",
        "removed",
        "access",
        "wipe",
    ] {
        lines.push(format!("{name:<14} {}", show::text(device, name)));
    }
    for name in ["first_seen", "last_seen"] {
        lines.push(format!("{name:<14} {}", show::time(device, name)));
    }
    let rows = show::rows(device, "collections").map(|collection| {
        let text = |name| show::text(collection, name);
        let asked = show::time(collection, "last_asked");
        vec![text("name"), text("held"), text("in_flight"), text("key"), asked]
    });
    let table = show::table(&["FOLDER", "HELD", "IN FLIGHT", "KEY", "LAST ASKED"], rows.collect());
    format!("{}\n\n{table}", lines.join("\n"))
}
