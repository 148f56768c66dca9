//! `retract demo`: a whole installation on this machine, with phones that really sync, and a recall told as it happens.
//!
//! Everything is real but the people: mail comes in by LMTP over a socket, phones speak WBXML over TLS and cache what they get. The
//! families differ in behaviour, one loses an answer half-way, one is offline. It keeps running, so that a real phone can join.

mod mails;
mod phones;
mod post;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::Failure;
use crate::admin;
use crate::clock::Clock;
use crate::config::Config;
use crate::directory::NewUser;
use crate::ids::OrderId;
use crate::recall::retraction::State;
use crate::recall::{Actor, Coverage, OrderRequest};
use crate::secret::Secret;
use crate::server::{Opening, Server};
use phones::Phones;

/// `retract demo`
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: retract demo --exit")]
pub(crate) struct Args {
    /// Ends once the recall is told; the exit status says whether every phone that is online let go (0) or not (3).
    #[arg(long)]
    exit: bool,
    /// Where phones are served, over TLS with a self-signed certificate; 0.0.0.0 lets a real phone in.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where the pages are served.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    admin: SocketAddr,
    /// Keeps state here instead of in a temporary folder that is removed at the end.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// How long phones may take to have a mail, and to let go of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the demo.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let temporary = args.data.is_none();
    let dir = args.data.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!("retract-demo-{}", std::process::id()))
    });
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let told = tell(&args, &dir).await;
    if temporary && let Err(error) = std::fs::remove_dir_all(&dir) {
        say(&format!("{} could not be removed: {error}", dir.display()));
    }
    told
}

async fn tell(args: &Args, dir: &Path) -> Result<(), Failure> {
    let server = Server::start(&config(args, dir), Clock::system(), Opening::default()).await?;
    let told = story(args, &server).await;
    if told.is_ok() && !args.exit {
        join_in(&server).await?;
    }
    server.stop().await;
    told
}

fn config(args: &Args, dir: &Path) -> Config {
    let mut config = Config::default();
    config.server.data_dir = dir.to_owned();
    config.server.domains = vec!["example.org".to_owned()];
    config.phones.listen = Some(args.listen);
    config.admin.listen = Some(args.admin);
    config.lmtp.listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    config
}

async fn story(args: &Args, server: &Server) -> Result<(), Failure> {
    say("Retract: a mail gateway that takes mail back from phones.\n");
    for (name, address, display_name) in mails::PEOPLE {
        server.house.directory.add_user(user(name, address, display_name)).await?;
    }
    let lmtp = server.addresses.lmtp.context("LMTP is not served")?;
    let mut post = post::Post::connect(lmtp).await?;
    for n in 0..mails::COUNT {
        post.deliver(&mails::mail(n)).await?;
    }
    say(&format!(
        "{} people have mailboxes; {} mails came in by LMTP on {lmtp}.",
        mails::PEOPLE.len(),
        mails::COUNT
    ));
    let phones = Phones::call(server).await?;
    say(&format!("{} phones are set up over TLS and have synced their mail:", phones.count()));
    for line in phones.introductions() {
        say(&format!("  {line}"));
    }
    phones.go_offline(phones::AWAY_BEFORE).await;
    say(&format!("\n{} goes offline.", phones::AWAY_BEFORE));
    post.deliver(&mails::recalled()).await?;
    say("\nAlice sends everybody \"Salaries 2027 (confidential)\". It was meant for Dave.");
    phones.all_have(mails::RECALLED_SUBJECT, PATIENCE).await?;
    say("Every phone that is online has it by now; some have opened it.");
    phones.go_offline(phones::AWAY_AFTER).await;
    say(&format!("{} goes offline with it.", phones::AWAY_AFTER));
    let (order, coverage) = recall(server, &phones).await?;
    phones.let_go(mails::RECALLED_SUBJECT, PATIENCE).await;
    report(&coverage, &phones);
    if let Some(base_url) = server.base_url() {
        say(&format!("\nThe order's page: {base_url}/orders/{order}"));
    }
    if args.exit {
        return verdict(&coverage, &phones);
    }
    phones.come_back(phones::AWAY_AFTER);
    say(&format!("\n{} comes back online.", phones::AWAY_AFTER));
    let coverage = server.house.recall.wait_settled(order, PATIENCE).await?;
    say(&format!("Covered now: {} of {} devices.", coverage.covered, coverage.pairs));
    Ok(())
}

fn user(name: &str, address: &str, display_name: &str) -> NewUser {
    NewUser {
        name: name.to_owned(),
        address: address.to_owned(),
        display_name: display_name.to_owned(),
        password: Secret::new(mails::PASSWORD.to_owned()),
        is_admin: name == "alice",
        policy_name: None,
    }
}

/// Gives the order and tells what happens until nothing more does by itself.
async fn recall(server: &Server, phones: &Phones) -> anyhow::Result<(OrderId, Coverage)> {
    let recall = &server.house.recall;
    let request = OrderRequest {
        message_id: mails::RECALLED.to_owned(),
        reason: "sent to the wrong people".to_owned(),
        ..OrderRequest::default()
    };
    let mut changes = recall.changes();
    let began = Instant::now();
    say(
        "\nAlice recalls it: retract recall --message-id '<salaries-2027@example.org>' --reason '...'",
    );
    let order = recall.order(request, Actor::Shell("demo".to_owned()), None).await?;
    say(&format!(
        "  {:>6} ms  order {order} is committed: from now on no answer contains the message",
        began.elapsed().as_millis()
    ));
    let end = tokio::time::Instant::now() + PATIENCE;
    let mut told = std::collections::BTreeMap::new();
    loop {
        changes.mark_unchanged();
        let coverage = recall.coverage(order).await?;
        for device in &coverage.devices {
            let line = (device.recipient.clone(), device.device_name.clone());
            if told.insert(line, device.state) != Some(device.state) {
                tell_step(began.elapsed(), device);
            }
        }
        if coverage.covered + phones.offline_with(mails::RECALLED_SUBJECT) >= coverage.pairs
            && coverage.pending == 0
        {
            return Ok((order, coverage));
        }
        if !matches!(tokio::time::timeout_at(end, changes.changed()).await, Ok(Ok(()))) {
            return Ok((order, recall.coverage(order).await?));
        }
    }
}

fn tell_step(after: Duration, device: &crate::recall::PairView) {
    let what = match device.state {
        State::Prevented => "never received it, and never will",
        State::Queued => "is owed a Delete",
        State::Sent => "was sent the Delete",
        State::Acknowledged | State::Resynced => "acknowledged the Delete",
        other => other.name(),
    };
    say(&format!(
        "  {:>6} ms  {} on {}: {what}",
        after.as_millis(),
        device.recipient,
        device.device_name
    ));
}

fn report(coverage: &Coverage, phones: &Phones) {
    say(&format!(
        "\n{} of {} devices are covered ({} %). {}",
        coverage.covered,
        coverage.pairs,
        coverage.percent.unwrap_or_default(),
        coverage.sender_line
    ));
    say(&format!("{} copies were taken out of mailboxes into the vault.", coverage.sealed));
    for device in &coverage.devices {
        let acked = device.acknowledged_at.map_or_else(String::new, |acked| {
            format!("after {} ms", acked.since(coverage.order.fenced_at).as_millis())
        });
        say(&format!(
            "  {:<18} {:<28} {:<14} {:<12} {acked}",
            device.recipient,
            device.device_name,
            device.state.name(),
            device.exposure
        ));
    }
    let holders = phones.holders(mails::RECALLED_SUBJECT);
    match holders.len() {
        0 => say("Looked into the phones themselves: no phone that is online holds it."),
        n => say(&format!(
            "Looked into the phones themselves: {n} still hold it: {}",
            holders.join(", ")
        )),
    }
    say(&format!("\n{}", coverage.cannot_know));
}

/// Whether every phone that is online let go: by its own cache, and by the books.
fn verdict(coverage: &Coverage, phones: &Phones) -> Result<(), Failure> {
    let unclear = coverage.pairs - coverage.covered;
    let let_go = phones.holders(mails::RECALLED_SUBJECT).is_empty()
        && unclear <= phones.offline_with(mails::RECALLED_SUBJECT);
    if let_go { Ok(()) } else { Err(Failure::NotCovered) }
}

/// Says how a real phone can join, and waits until somebody ends it.
async fn join_in(server: &Server) -> anyhow::Result<()> {
    let state = server.house.admin(server.base_url().unwrap_or_default());
    let link = admin::sign_in_link(&state, "demo", admin::Role::Admin)
        .await
        .map_err(|problem| anyhow::anyhow!("{problem:?}"))?;
    say("\nIt keeps running. Point a phone at it: add an Exchange account with");
    if let Some(phones) = server.addresses.phones {
        say(&format!("  server {phones}, domain empty, user alice, password {}", mails::PASSWORD));
    }
    say(
        "  (the certificate is self-signed; start with --listen 0.0.0.0:443 to let another machine in)",
    );
    say(&format!("Sign in to the pages once with: {}", link.reveal()));
    say("End it with Ctrl-C.");
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// A line for the person at the terminal. A closed terminal is no reason to fail.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
