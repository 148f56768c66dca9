//! `retract user`: people with an account.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::Failure;
use super::show::{self, Say};
use super::talk::{Gateway, segment};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Makes a user with a mailbox. Without a password one is made up and shown once.
    Add(AddArgs),
    /// Lists users.
    #[command(after_help = "Example: retract user list --json")]
    List,
    /// Gives a user a new password; the old one is worthless at once. Refused while a wipe waits for one of their phones.
    #[command(after_help = "Example: retract user passwd ann --password-file -")]
    Passwd(PasswdArgs),
    /// Shuts a user out; their mail stays. Refused while a wipe waits for one of their phones.
    #[command(after_help = "Example: retract user disable ann")]
    Disable(DisableArgs),
    /// Lets a user in again.
    #[command(after_help = "Example: retract user enable ann")]
    Enable(Name),
    /// Ends a user's absence: automatic replies in their name stop.
    #[command(after_help = "Example: retract user back ann")]
    Back(Name),
    /// Has one more address reach a user, or no longer.
    #[command(after_help = "Example: retract user alias ann sales@example.org")]
    Alias(AliasArgs),
    /// Gives a user a policy, or the default one when none is named.
    #[command(after_help = "Example: retract user policy ann strict")]
    Policy(PolicyArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example: retract user add ann --address ann@example.org --display-name 'Ann Lee'"
)]
pub(super) struct AddArgs {
    /// What they sign in with.
    name: String,
    /// Their own address.
    #[arg(long)]
    address: String,
    /// What others see of them.
    #[arg(long, default_value = "")]
    display_name: String,
    /// May they administer?
    #[arg(long)]
    admin: bool,
    #[command(flatten)]
    password: Password,
}

#[derive(Debug, Args)]
pub(super) struct PasswdArgs {
    /// The user's name or address.
    name: String,
    #[command(flatten)]
    password: Password,
    #[command(flatten)]
    at_once: AtOnce,
}

#[derive(Debug, Args)]
pub(super) struct DisableArgs {
    /// The user's name or address.
    name: String,
    #[command(flatten)]
    at_once: AtOnce,
}

#[derive(Debug, Args)]
pub(super) struct AtOnce {
    /// Although a wipe waits for one of their phones: it cannot sign in to fetch the order any more, and the reports of recalls say so.
    #[arg(long)]
    now: bool,
}

/// Where a password comes from; never from the command line itself, which others can read.
#[derive(Debug, Args)]
pub(super) struct Password {
    /// Reads the password from a file; "-" is standard input.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Name {
    /// The user's name or address.
    name: String,
}

#[derive(Debug, Args)]
pub(super) struct AliasArgs {
    /// The user's name or address.
    name: String,
    /// The address.
    address: String,
    /// Takes it away again.
    #[arg(long)]
    remove: bool,
}

#[derive(Debug, Args)]
pub(super) struct PolicyArgs {
    /// The user's name or address.
    name: String,
    /// The policy's name, as `retract policy list` shows it.
    policy: Option<String>,
}

pub(super) async fn run(command: Command, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    match command {
        Command::Add(args) => add(args, gateway, say).await,
        Command::List => list(gateway, say).await,
        Command::Passwd(args) => {
            let body = json!({ "password": args.password.read()?, "now": args.at_once.now });
            let path = format!("/api/v1/users/{}/password", segment(&args.name));
            say.either(&gateway.post(&path, &body).await?, one)
        }
        Command::Disable(args) => {
            let body = json!({ "now": args.at_once.now });
            access(&args.name, "disable", &body, gateway, say).await
        }
        Command::Enable(Name { name }) => access(&name, "enable", &json!({}), gateway, say).await,
        Command::Back(Name { name }) => access(&name, "back", &json!({}), gateway, say).await,
        Command::Alias(args) => alias(args, gateway, say).await,
        Command::Policy(args) => {
            let path = format!("/api/v1/users/{}/policy", segment(&args.name));
            say.either(&gateway.post(&path, &json!({ "policy": args.policy })).await?, one)
        }
    }
}

async fn add(args: AddArgs, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    let user = json!({
        "name": args.name,
        "address": args.address,
        "display_name": args.display_name,
        "is_admin": args.admin,
        "password": args.password.read()?,
    });
    say.either(&gateway.post("/api/v1/users", &user).await?, one)
}

async fn list(gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    let mut users: Vec<Value> = Vec::new();
    loop {
        let after = users.last().and_then(|user| user.get("id")).and_then(Value::as_i64);
        let path = format!("/api/v1/users?after={}", after.unwrap_or(0));
        let page = gateway.get(&path).await?;
        let before = users.len();
        users.extend(show::rows(&page, "users").cloned());
        if users.len() == before {
            break;
        }
    }
    say.either(&json!({ "users": users }), |all| {
        let rows = show::rows(all, "users").map(|user| {
            let mut row: Vec<String> =
                ["id", "name", "address", "display_name"].map(|n| show::text(user, n)).to_vec();
            row.push(state(user).to_owned());
            row.push(match show::text(user, "origin").as_str() {
                "local" => String::new(),
                origin => origin.to_owned(),
            });
            row.push(if user["is_admin"] == true { "admin" } else { "" }.to_owned());
            row
        });
        show::table(&["ID", "NAME", "ADDRESS", "DISPLAY NAME", "", "", ""], rows.collect())
    })
}

async fn access(
    name: &str,
    what: &str,
    body: &Value,
    gateway: &Gateway,
    say: &Say,
) -> Result<(), Failure> {
    let path = format!("/api/v1/users/{}/{what}", segment(name));
    say.either(&gateway.post(&path, body).await?, one)
}

async fn alias(args: AliasArgs, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    let path = format!("/api/v1/users/{}/aliases", segment(&args.name));
    let user = if args.remove {
        let path = format!("{path}/{}", segment(&args.address));
        gateway.send(Method::DELETE, &path, None, &[]).await?
    } else {
        gateway.post(&path, &json!({ "address": args.address })).await?
    };
    say.either(&user, one)
}

impl Password {
    /// The password, if one is given.
    pub(super) fn read(&self) -> Result<Option<String>, Failure> {
        self.password_file.as_deref().map(password_in).transpose()
    }
}

/// The password in a file, without the end of its line; "-" is standard input.
pub(super) fn password_in(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    }
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Whether a user may sign in.
fn state(user: &Value) -> &'static str {
    match (user["is_gone"] == true, user["disabled"] == true) {
        (true, _) => "gone",
        (false, true) => "disabled",
        (false, false) => "",
    }
}

/// One user, for people.
fn one(user: &Value) -> String {
    let addresses: Vec<String> =
        show::rows(user, "addresses").filter_map(Value::as_str).map(show::printable).collect();
    let mut text = format!("{} ({})", show::text(user, "name"), addresses.join(", "));
    match state(user) {
        "" => {}
        state => text.push_str(&format!(", {state}")),
    }
    match show::text(user, "origin").as_str() {
        "local" => {}
        origin => text.push_str(&format!(", from {origin}")),
    }
    if user["is_away"] == true {
        text.push_str(", away");
    }
    if let Some(policy) = user["policy"].as_str() {
        text.push_str(&format!(", policy {}", show::printable(policy)));
    }
    if let Some(password) = user["password"].as_str() {
        text.push_str(&format!("\npassword, shown only now: {password}"));
    }
    text
}
