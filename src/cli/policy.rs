//! `retract policy`: what devices must obey.

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
    /// Lists policies and their rules.
    #[command(after_help = "Example: retract policy list --json")]
    List,
    /// Makes or changes a policy; its devices fetch it at their next request.
    #[command(
        after_help = "Example:\n  retract policy put strict --rule password_required=true --rule password_length_min=6\n  \
        retract user policy ann strict"
    )]
    Put(PutArgs),
    /// Removes a policy; its users fall back to the default one.
    #[command(after_help = "Example: retract policy remove strict")]
    Remove(Name),
    /// Shows the rules that give devices their policies, or puts those of a file in their place.
    #[command(after_help = RULES_HELP)]
    Rules(RulesArgs),
    /// Decides what becomes of devices nobody decided about.
    #[command(after_help = "Example: retract policy new-devices quarantine")]
    NewDevices(NewDevices),
}

#[derive(Debug, Args)]
pub(super) struct PutArgs {
    /// Its name; "default" is for users that have none of their own.
    name: String,
    /// A rule, such as `password_length_min=6`; may be given again. What is not given is not demanded.
    #[arg(long = "rule", value_name = "RULE=VALUE", value_parser = rule)]
    rules: Vec<(String, Value)>,
    /// Reads the rules from a TOML file instead.
    #[arg(long, value_name = "FILE", conflicts_with = "rules")]
    rules_file: Option<PathBuf>,
    /// Lets clients in that cannot be provisioned, such as Outlook for Windows.
    #[arg(long)]
    exempts_unprovisionable: bool,
    /// Lets devices in that apply it only in part, or not at all.
    #[arg(long)]
    accepts_partial: bool,
}

#[derive(Debug, Args)]
pub(super) struct RulesArgs {
    /// A TOML file with all rules and groups; an empty one takes all rules away.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// How a file of rules looks.
const RULES_HELP: &str = "The first rule that matches decides; a policy or access given to a user or device by name counts more.\n\
    What a rule does not name matches everything; * stands for any characters, ? for one.\n\n\
    Example of a file:\n  \
    [groups]\n  \
    board = [\"ann\", \"ben\"]\n\n  \
    [[rule]]\n  \
    group = \"board\"\n  \
    policy = \"strict\"\n\n  \
    [[rule]]\n  \
    device_type = \"SAMSUNG*\"   # or model, os, user_agent\n  \
    os = \"Android 9*\"\n  \
    access = \"quarantine\"\n\n\
    retract policy rules --file rules.toml";

#[derive(Debug, Args)]
pub(super) struct Name {
    /// The policy's name.
    name: String,
}

#[derive(Debug, Args)]
pub(super) struct NewDevices {
    /// What counts for them.
    #[arg(value_parser = ["allow", "quarantine", "block"])]
    access: String,
}

pub(super) async fn run(command: Command, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    match command {
        Command::List => {
            let all = gateway.get("/api/v1/policies").await?;
            say.either(&all, |all| {
                show::table(&HEADINGS, show::rows(all, "policies").map(row).collect())
            })
        }
        Command::Put(args) => put(args, gateway, say).await,
        Command::Remove(Name { name }) => {
            let path = format!("/api/v1/policies/{}", segment(&name));
            gateway.send(Method::DELETE, &path, None, &[]).await?;
            say.either(&json!({ "removed": name }), |done| {
                format!("policy {} is removed", show::text(done, "removed"))
            })
        }
        Command::Rules(args) => rules(&args, gateway, say).await,
        Command::NewDevices(NewDevices { access }) => {
            let body = json!({ "access": access });
            let done =
                gateway.send(Method::PUT, "/api/v1/default-access", Some(&body), &[]).await?;
            say.either(&done, |done| format!("new devices: {}", show::text(done, "access")))
        }
    }
}

async fn rules(args: &RulesArgs, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    let book = match &args.file {
        Some(path) => {
            let book = from_toml(path)?;
            gateway.send(Method::PUT, RULES, Some(&book), &[]).await?
        }
        None => gateway.get(RULES).await?,
    };
    say.either(&book, |book| {
        let numbered = show::rows(book, "rule").zip(1..);
        show::table(&RULE_HEADINGS, numbered.map(|(rule, number)| rule_row(rule, number)).collect())
    })
}

fn rule_row(rule: &Value, number: usize) -> Vec<String> {
    let said = ["device_type", "model", "os", "user_agent", "group"];
    let matches = said.into_iter().filter(|name| rule[*name].is_string());
    let matches: Vec<String> =
        matches.map(|name| format!("{name}={}", show::text(rule, name))).collect();
    let matches = if matches.is_empty() { "every device".to_owned() } else { matches.join(" ") };
    vec![number.to_string(), matches, show::text(rule, "policy"), show::text(rule, "access")]
}

fn from_toml(path: &Path) -> Result<Value, Failure> {
    let words = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(words)?;
    let table: toml::Table = toml::from_str(&text).with_context(words)?;
    Ok(serde_json::to_value(table)?)
}

async fn put(args: PutArgs, gateway: &Gateway, say: &Say) -> Result<(), Failure> {
    let rules = match &args.rules_file {
        Some(path) => from_toml(path)?,
        None => Value::Object(args.rules.into_iter().collect()),
    };
    let body = json!({
        "rules": rules,
        "exempts_unprovisionable": args.exempts_unprovisionable,
        "accepts_partial": args.accepts_partial,
    });
    let path = format!("/api/v1/policies/{}", segment(&args.name));
    let policy = gateway.send(Method::PUT, &path, Some(&body), &[]).await?;
    say.either(&policy, |policy| show::table(&HEADINGS, vec![row(policy)]))
}

const RULES: &str = "/api/v1/policy-rules";
const RULE_HEADINGS: [&str; 4] = ["#", "MATCHES", "POLICY", "ACCESS"];
const HEADINGS: [&str; 3] = ["POLICY", "REVISION", "RULES"];

fn row(policy: &Value) -> Vec<String> {
    let rules = policy.get("rules").and_then(Value::as_object).into_iter().flatten();
    let mut words: Vec<String> = rules.map(|(name, value)| format!("{name}={value}")).collect();
    for name in ["exempts_unprovisionable", "accepts_partial"] {
        if policy[name] == true {
            words.push(name.to_owned());
        }
    }
    vec![show::text(policy, "name"), show::text(policy, "revision"), words.join(" ")]
}

/// `name=value`, where the value is a truth value or a number.
fn rule(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("a rule is name=value")?;
    let value = serde_json::from_str(value).map_err(|_| "the value is true, false or a number")?;
    Ok((name.to_owned(), value))
}
