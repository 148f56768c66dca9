//! `retract phone`: a device at the command line, against any ActiveSync server: what it is given, as a phone would see it.
//!
//! What it holds is kept in a file ([`state`]), so that several invocations are one device to the server.

mod state;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use activesync_phone::client::Server;
use activesync_phone::driver::{Driver, Waited};
use activesync_phone::{CachedItem, Phone, Profile};
use anyhow::{Context, anyhow};
use clap::ValueEnum;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::BuilderVerifierExt;
use serde_json::{Value, json};

use self::state::{Memory, Owner};
use super::Failure;
use super::show::{self, Say};
use super::user::Password;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Steps are taken in the order given; the default is: sync show. What the device holds, its keys among it, is kept in \
    a file for each account and device, so that one invocation goes on where the last one ended, as a phone does. A device \
    that is used for the first time is set up first. The password is not kept.\n\n\
    Examples:\n  retract phone mail.example.org --user ann --password-file pw\n  \
    retract phone 127.0.0.1:8443 --host localhost --insecure-certificate cert.pem --user ann --password-file pw sync watch --seconds 60\n  \
    retract phone 127.0.0.1:8080 --plain --user ann --password-file - sync ping show --json\n\n\
    One device over several invocations, here to see what a recall does to a phone that was away:\n  \
    retract phone 127.0.0.1:8080 --plain --user ann --password-file pw --state ann.json sync show\n  \
    retract recall --message-id '<m1@example.org>' --reason 'wrong attachment'\n  \
    retract phone 127.0.0.1:8080 --plain --user ann --password-file pw --state ann.json sync\n  \
    retract coverage 1        # acknowledged: the phone presented the key that came with the Delete\n  \
    retract phone 127.0.0.1:8080 --plain --user ann --password-file pw --state ann.json show"
)]
pub(super) struct Args {
    /// The server: a name or address, with a port unless it is 443.
    server: String,
    /// What to do.
    #[arg(value_enum, default_values = ["sync", "show"])]
    steps: Vec<Step>,
    /// The user to sign in as.
    #[arg(long)]
    user: String,
    #[command(flatten)]
    password: Password,
    /// The name the certificate must bear, where it is not the server's.
    #[arg(long)]
    host: Option<String>,
    /// Trusts exactly the certificates in this PEM file, instead of the system's.
    #[arg(long, value_name = "FILE", conflicts_with = "plain")]
    insecure_certificate: Option<PathBuf>,
    /// Speaks plain HTTP.
    #[arg(long)]
    plain: bool,
    /// Behaves like this family of clients.
    #[arg(long, value_enum, default_value = "ios")]
    family: Family,
    /// The DeviceId it tells.
    #[arg(long, default_value = "retractphone", value_name = "ID")]
    device_id: String,
    /// Keeps what the device holds in this file; without it, in the user's folder for state.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Forgets what the file says: the device begins empty, as after a factory reset.
    #[arg(long)]
    fresh: bool,
    /// Folders by name; the Inbox when none is given.
    #[arg(long = "folder", value_name = "NAME")]
    folders: Vec<String>,
    /// For how long ping waits at most and watch goes on.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    /// OPTIONS, Provision and FolderSync; of itself the first time.
    Setup,
    /// Syncs the folders until there is nothing more.
    Sync,
    /// Waits once for news.
    Ping,
    /// Waits and syncs until the time is over, and says what comes and goes.
    Watch,
    /// Shows what it holds.
    Show,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Family {
    Ios,
    Android,
    Samsung,
    Nine,
    Old,
    Oldest,
}

pub(super) async fn run(args: Args, say: &Say) -> Result<(), Failure> {
    let password = args.password.read()?;
    let password =
        password.ok_or_else(|| Failure::Usage("--password-file is needed".to_owned()))?;
    let profile = match args.family {
        Family::Ios => Profile::ios(),
        Family::Android => Profile::android(),
        Family::Samsung => Profile::samsung(),
        Family::Nine => Profile::nine(),
        Family::Old => Profile::old(),
        Family::Oldest => Profile::oldest(),
    };
    let owner = Owner {
        server: args.server.clone(),
        user: args.user.clone(),
        device_id: args.device_id.clone(),
        family: profile.name.to_owned(),
    };
    let memory = Memory::open(args.state.as_deref(), owner)?;
    let mut phone = Phone::new(profile, &args.user, &password, &args.device_id);
    if !args.fresh {
        memory.recall(&mut phone)?;
    }
    let driver = Driver::new(phone, server(&args).await?);
    let mut session = Session { args, memory, driver };
    let steps = session.args.steps.clone();
    for (nth, step) in steps.iter().enumerate() {
        let is_new = session.driver.phone.cache.hierarchy_key.is_none();
        let sets_up = *step == Step::Setup || (nth == 0 && is_new);
        if sets_up {
            session.step(Step::Setup, say).await?;
        }
        if *step != Step::Setup {
            session.step(*step, say).await?;
        }
    }
    Ok(())
}

/// A device, its line and its memory.
struct Session {
    args: Args,
    memory: Memory,
    driver: Driver,
}

impl Session {
    /// Takes a step, and writes down what the device holds after it, however it ended.
    async fn step(&mut self, step: Step, say: &Say) -> Result<(), Failure> {
        let taken = take(step, self, say).await;
        self.memory.keep(&self.driver.phone)?;
        taken
    }
}

async fn take(step: Step, session: &mut Session, say: &Say) -> Result<(), Failure> {
    let Session { args, memory, driver } = session;
    match step {
        Step::Setup => set_up(driver, say).await,
        Step::Sync => {
            let bar = say.progress("syncing");
            let synced = sync(args, driver).await;
            bar.finish_and_clear();
            synced
        }
        Step::Ping => {
            let bar = say.progress("waiting for news");
            let waited = wait(args, driver, args.seconds).await;
            bar.finish_and_clear();
            say.either(&told(&waited?), |told| show::text(told, "waited"))
        }
        Step::Watch => watch(args, memory, driver, say).await,
        Step::Show => say.either(&cache(&driver.phone, memory), held),
    }
}

async fn set_up(driver: &mut Driver, say: &Say) -> Result<(), Failure> {
    let bar = say.progress("setting up");
    driver.phone.wiped = false;
    let done = driver.set_up().await;
    bar.finish_and_clear();
    Ok(done?)
}

async fn sync(args: &Args, driver: &mut Driver) -> Result<(), Failure> {
    for folder in folders(args, driver)? {
        driver.catch_up(&folder).await?;
    }
    Ok(())
}

async fn wait(args: &Args, driver: &mut Driver, seconds: u32) -> Result<Waited, Failure> {
    let folders = folders(args, driver)?;
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    Ok(driver.wait(&folders, seconds).await?)
}

/// Says what comes and what goes, until the time is over.
async fn watch(
    args: &Args,
    memory: &Memory,
    driver: &mut Driver,
    say: &Say,
) -> Result<(), Failure> {
    let begun = Instant::now();
    let end = begun + Duration::from_secs(u64::from(args.seconds));
    let mut before = subjects(&driver.phone);
    loop {
        memory.keep(&driver.phone)?;
        let now = subjects(&driver.phone);
        for (change, subject) in differences(&before, &now) {
            let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            let event = json!({ "after_ms": ms, "change": change, "subject": subject });
            match say.is_json() {
                true => say.line(&event.to_string())?,
                false => say.line(&format!("{ms:>8} ms {change} {}", show::printable(&subject)))?,
            }
        }
        before = now;
        let left = end.saturating_duration_since(Instant::now()).as_secs();
        if left == 0 {
            return Ok(());
        }
        // A server has a shortest heartbeat; when the time is over, the wait is left.
        let patience = Duration::from_secs(left);
        let heartbeat_s = u32::try_from(left).unwrap_or(u32::MAX).max(HEARTBEAT_S_MIN);
        match tokio::time::timeout(patience, wait(args, driver, heartbeat_s)).await {
            Ok(waited) => drop(waited?),
            Err(_) => return Ok(()),
        }
        sync(args, driver).await?;
    }
}

/// Items by folder and id, with their subjects.
type Subjects = std::collections::BTreeMap<(String, String), String>;

fn subjects(phone: &Phone) -> Subjects {
    let items = phone.cache.items();
    items
        .map(|(folder, id, item)| ((folder.into(), id.into()), item.subject().to_owned()))
        .collect()
}

fn differences(before: &Subjects, now: &Subjects) -> Vec<(&'static str, String)> {
    let fresh = now.iter().filter(|(id, _)| !before.contains_key(*id));
    let gone = before.iter().filter(|(id, _)| !now.contains_key(*id));
    let fresh = fresh.map(|(_, subject)| ("came", subject.clone()));
    fresh.chain(gone.map(|(_, subject)| ("went", subject.clone()))).collect()
}

/// The ids of the folders that were named, or of the Inbox.
fn folders(args: &Args, driver: &Driver) -> Result<Vec<String>, Failure> {
    if args.folders.is_empty() {
        return Ok(vec![driver.inbox()]);
    }
    let known = &driver.phone.cache.folders;
    let find = |name: &String| {
        let found = known.values().find(|folder| folder.display_name == *name);
        let found = found.map(|folder| folder.server_id.as_str().to_owned());
        found.ok_or_else(|| Failure::Usage(format!("there is no folder {name:?}")))
    };
    args.folders.iter().map(find).collect()
}

fn told(waited: &Waited) -> Value {
    match waited {
        Waited::Quiet => json!({ "waited": "nothing happened" }),
        Waited::News(folders) => json!({ "waited": "there is news", "folders": folders }),
        Waited::Hierarchy => json!({ "waited": "the folders changed" }),
    }
}

/// What a phone holds.
fn cache(phone: &Phone, memory: &Memory) -> Value {
    let folders: Vec<Value> = phone.cache.folders.values().map(|folder| {
        let id = folder.server_id.as_str();
        let collection = phone.cache.collections.get(id);
        let items: Vec<Value> = collection.into_iter().flat_map(|c| &c.items).map(item).collect();
        let key = collection.and_then(|c| c.key.as_ref()).map(ToString::to_string);
        json!({ "id": id, "name": folder.display_name, "type": folder.folder_type.0, "key": key, "items": items })
    }).collect();
    json!({
        "state": memory.path().display().to_string(),
        "user": phone.user,
        "device_id": phone.device_id,
        "policy_key": phone.policy_key,
        "wiped": phone.wiped,
        "folders": folders,
    })
}

fn item((id, item): (&String, &CachedItem)) -> Value {
    let email = &item.email;
    json!({
        "id": id,
        "subject": item.subject(),
        "from": email.from,
        "to": email.to,
        "received": email.date_received.as_ref().map(ToString::to_string),
        "read": item.is_read(),
        "has_body": email.body.is_some(),
        "attachments": email.attachments.is_some(),
    })
}

/// What a phone holds, for people.
fn held(cache: &Value) -> String {
    let mut rows = Vec::new();
    for folder in show::rows(cache, "folders") {
        for item in show::rows(folder, "items") {
            let text = |name| show::text(item, name);
            let read = if item["read"] == true { "" } else { "unread" }.to_owned();
            rows.push(vec![
                show::text(folder, "name"),
                text("id"),
                read,
                text("received"),
                text("from"),
                text("subject"),
            ]);
        }
    }
    show::table(&["FOLDER", "ID", "", "RECEIVED", "FROM", "SUBJECT"], rows)
}

async fn server(args: &Args) -> Result<Server, Failure> {
    let (name, port) = place(&args.server, if args.plain { 80 } else { 443 })?;
    let mut found =
        tokio::net::lookup_host((name.as_str(), port)).await.with_context(|| name.clone())?;
    let address: SocketAddr = found.next().ok_or_else(|| anyhow!("{name} has no address"))?;
    if args.plain {
        return Ok(Server::plain(address));
    }
    let host = args.host.as_deref().unwrap_or(&name);
    match &args.insecure_certificate {
        Some(path) => Ok(Server::tls(address, host, &certificates(path)?)?),
        None => Ok(Server::tls_with(address, host, Arc::new(usual_trust()?))),
    }
}

/// A name or address, and a port.
pub(super) fn place(text: &str, usual: u16) -> Result<(String, u16), Failure> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok((address.ip().to_string(), address.port()));
    }
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<std::net::IpAddr>().is_ok() {
        return Ok((bare.to_owned(), usual));
    }
    match text.rsplit_once(':') {
        Some((name, port)) => {
            let port = port.parse().map_err(|_| Failure::Usage(format!("{port:?} is no port")))?;
            Ok((name.to_owned(), port))
        }
        None => Ok((text.to_owned(), usual)),
    }
}

pub(super) fn certificates(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let words = || path.display().to_string();
    let pem = std::fs::read(path).with_context(words)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|error| anyhow!("{}: {error}", words()))?;
    match found.is_empty() {
        true => Err(anyhow!("{} holds no certificate", words()).into()),
        false => Ok(found.iter().map(|certificate| certificate.to_vec()).collect()),
    }
}

/// What the system trusts.
fn usual_trust() -> Result<ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_platform_verifier()?.with_no_client_auth())
}

/// The shortest heartbeat a watch asks for, in seconds.
const HEARTBEAT_S_MIN: u32 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_name_or_an_address() {
        for (text, name, port) in [
            ("mail.example.org", "mail.example.org", 443),
            ("mail.example.org:8443", "mail.example.org", 8443),
            ("127.0.0.1", "127.0.0.1", 443),
            ("[::1]:8443", "::1", 8443),
            ("[::1]", "::1", 443),
        ] {
            assert_eq!(place(text, 443).unwrap(), (name.to_owned(), port), "{text}");
        }
        assert!(place("mail.example.org:x", 443).is_err());
    }

    #[test]
    fn a_watch_says_what_came_and_went() {
        let of = |ids: &[&str]| -> Subjects {
            ids.iter().map(|id| (("1".to_owned(), (*id).to_owned()), format!("s{id}"))).collect()
        };
        let seen = differences(&of(&["1", "2"]), &of(&["2", "3"]));
        assert_eq!(seen, [("came", "s3".to_owned()), ("went", "s1".to_owned())]);
    }
}
