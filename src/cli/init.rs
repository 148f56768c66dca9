//! `retract init`: some questions, or some flags; then there is a configuration, a certificate and a first user.
//!
//! Servers that are named are tried first, and what follows from what they can do is said. Where one cannot be used nothing is written, unless
//! that is wished. Nothing that is there is overwritten: not the configuration, not a certificate, not a database.

mod servers;

use std::fs::{DirBuilder, OpenOptions};
use std::io::{BufRead, IsTerminal, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde_json::{Value, json};

use self::servers::{ServerArgs, Servers};
use super::Failure;
use super::doctor::{self, Finding};
use super::show::{self, Say};
use super::talk::Gateway;
use crate::clock::Clock;
use crate::config::Config;
use crate::eas::tls;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "On a terminal what is not given is asked; elsewhere the defaults are taken.\n\n\
    Example:\n  retract init --hostname mail.example.org --domain example.org --data-dir /var/lib/retract \
    --listen 0.0.0.0:443 --first-user ann@example.org\n\n\
    In front of the mail people have (nothing is sent, and no password goes into the file):\n  \
    retract init --hostname mail.example.org --domain example.org --imap imap.example.org --smtp smtp.example.org \
    --try-user ann --try-password-file pw\n  \
    retract init --imap localhost:143 --imap-security plain --smtp localhost:25 --smtp-security plain --smtp-credentials none \
    --master-user retract --master-password-file /etc/retract/master --try-user ann"
)]
pub(super) struct Args {
    /// The name phones reach this host by.
    #[arg(long)]
    hostname: Option<String>,
    /// The mail domain whose users live here.
    #[arg(long)]
    domain: Option<String>,
    /// Where state lives.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Where phones are served, by TLS.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// The address of a first user, who may administer; "none" for none.
    #[arg(long, value_name = "ADDRESS")]
    first_user: Option<String>,
    /// PEM file of a certificate; a self-signed one is made where none is given.
    #[arg(long, requires = "private_key")]
    certificate: Option<PathBuf>,
    /// PEM file of its key.
    #[arg(long, requires = "certificate")]
    private_key: Option<PathBuf>,
    #[command(flatten)]
    servers: ServerArgs,
    /// Asks nothing: takes the defaults.
    #[arg(long)]
    yes: bool,
}

struct Answers {
    hostname: String,
    domain: String,
    data_dir: PathBuf,
    listen: SocketAddr,
    first_user: Option<String>,
    servers: Servers,
}

pub(super) async fn run(mut args: Args, config: Option<PathBuf>, say: &Say) -> Result<(), Failure> {
    let path = config.unwrap_or_else(|| PathBuf::from("retract.toml"));
    if path.exists() {
        let words = format!("{} is there already; it is not overwritten", path.display());
        return Err(Failure::Refused(words));
    }
    let mut answers = ask(&mut args)?;
    let checks = tried(&args, &answers, &path, say).await?;
    if !doctor::is_well(&checks) && !args.servers.goes_on_anyway(asks(&args))? {
        let words = json!({ "config": null, "well": false, "checks": documents(&checks) });
        say.either(&words, |_| NOT_WRITTEN.to_owned())?;
        return Err(Failure::NotWell);
    }
    make_private(&answers.data_dir)?;
    answers.data_dir = answers.data_dir.canonicalize()?;
    let (certificate, key) = match (&args.certificate, &args.private_key) {
        (Some(certificate), Some(key)) => {
            (std::path::absolute(certificate)?, std::path::absolute(key)?)
        }
        _ => certificate(&answers)?,
    };
    let text = configuration(&answers, Some((&certificate, &key)));
    let parsed = Config::parse(&text, &path.display().to_string(), std::env::vars())?;
    write_new(&path, text.as_bytes(), 0o644)?;
    let gateway = Gateway::open(&parsed)?;
    let user = match &answers.first_user {
        Some(address) => first_user(&gateway, address, answers.servers.is_imap()).await?,
        None => Value::Null,
    };
    let document = json!({
        "config": path,
        "data_dir": answers.data_dir,
        "certificate": certificate,
        "private_key": key,
        "user": user,
        "well": doctor::is_well(&checks),
        "checks": documents(&checks),
    });
    say.either(&document, told)
}

/// Tries the servers that were named, as the configuration would have them, and tells people what was found.
async fn tried(
    args: &Args,
    answers: &Answers,
    path: &Path,
    say: &Say,
) -> Result<Vec<Finding>, Failure> {
    if !answers.servers.is_any() {
        return Ok(Vec::new());
    }
    let text = configuration(answers, None);
    let config = Config::parse(&text, &path.display().to_string(), std::env::vars())
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let bar = say.progress("trying the servers");
    let found = doctor::servers::examine(&config, &args.servers.trial).await;
    bar.finish_and_clear();
    let found = found?;
    if !say.is_json() {
        let report = json!({
            "servers": true,
            "well": doctor::is_well(&found),
            "checks": documents(&found),
        });
        say.line(&doctor::in_words(&report))?;
    }
    Ok(found)
}

fn documents(findings: &[Finding]) -> Vec<Value> {
    findings.iter().map(Finding::document).collect()
}

/// Whether there is somebody to be asked.
fn asks(args: &Args) -> bool {
    !args.yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn ask(args: &mut Args) -> Result<Answers, Failure> {
    let asks = asks(args);
    let answer = |given: Option<String>, question: &str, default: &str| match given {
        Some(given) => Ok(given),
        None if asks => question_on_terminal(question, default),
        None => Ok(default.to_owned()),
    };
    let hostname =
        answer(args.hostname.clone(), "The name phones reach this host by", "localhost")?;
    let domain = hostname.split_once('.').map_or(hostname.as_str(), |(_, domain)| domain);
    let domain = answer(args.domain.clone(), "The mail domain whose users live here", domain)?;
    let data_dir = args.data_dir.as_ref().map(|dir| dir.display().to_string());
    let data_dir = answer(data_dir, "Where state lives", "/var/lib/retract")?;
    let listen = args.listen.map(|listen| listen.to_string());
    let listen = answer(listen, "Where phones are served, by TLS", "0.0.0.0:443")?;
    let first_user = answer(args.first_user.clone(), "The address of a first user", "none")?;
    if asks {
        args.servers.ask()?;
    }
    Ok(Answers {
        listen: listen
            .parse()
            .map_err(|_| Failure::Usage(format!("{listen} is no address with a port")))?,
        first_user: (first_user != "none").then_some(first_user),
        data_dir: PathBuf::from(data_dir),
        hostname,
        domain,
        servers: args.servers.settled()?,
    })
}

fn question_on_terminal(question: &str, default: &str) -> Result<String, Failure> {
    let mut err = std::io::stderr().lock();
    write!(err, "{question} [{default}]: ")?;
    err.flush()?;
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line)? == 0 {
        return Err(anyhow!("no answer").into());
    }
    Ok(match line.trim() {
        "" => default.to_owned(),
        answer => answer.to_owned(),
    })
}

/// A self-signed certificate in the data directory, unless one is there.
fn certificate(answers: &Answers) -> Result<(PathBuf, PathBuf), Failure> {
    let (certificate, key) = (answers.data_dir.join("cert.pem"), answers.data_dir.join("key.pem"));
    if certificate.exists() && key.exists() {
        return Ok((certificate, key));
    }
    let mut names = vec![answers.hostname.clone()];
    if answers.hostname != "localhost" {
        names.push("localhost".to_owned());
    }
    let (certificate_pem, key_pem) = tls::self_signed(&names, Clock::system().now())?;
    write_new(&key, key_pem.as_bytes(), 0o600)?;
    write_new(&certificate, certificate_pem.as_bytes(), 0o644)?;
    Ok((certificate, key))
}

/// Makes the user; where an IMAP server verifies passwords, one of ours would be of no use and is not told.
async fn first_user(gateway: &Gateway, address: &str, is_imap: bool) -> Result<Value, Failure> {
    let name = address.split_once('@').map_or(address, |(name, _)| name);
    let user = json!({ "name": name, "address": address, "is_admin": true });
    let mut made = gateway.post("/api/v1/users", &user).await?;
    if is_imap && let Some(made) = made.as_object_mut() {
        made.remove("password");
    }
    Ok(made)
}

/// The file; without a certificate as long as the servers are only tried.
fn configuration(answers: &Answers, identity: Option<(&Path, &Path)>) -> String {
    let text = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let path = |path: &Path| text(&path.display().to_string());
    format!(
        "# Written by `retract init`; retract.example.toml explains every key.\n\n\
        [server]\ndata_dir = {}\nhostname = {}\ndomains = [{}]\n\n\
        [phones]\nlisten = {}\n{}{}",
        path(&answers.data_dir),
        text(&answers.hostname),
        text(&answers.domain),
        text(&answers.listen.to_string()),
        identity.map_or_else(String::new, |(certificate, key)| {
            format!("certificate = {}\nprivate_key = {}\n", path(certificate), path(key))
        }),
        answers.servers.sections(),
    )
}

fn make_private(dir: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    Ok(made.with_context(|| dir.display().to_string())?)
}

/// Writes a file that must not be there yet, and has it on the disk.
fn write_new(path: &Path, octets: &[u8], mode: u32) -> Result<(), Failure> {
    let words = || path.display().to_string();
    let mut options = OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(mode).open(path).with_context(words)?;
    file.write_all(octets).and_then(|()| file.sync_all()).with_context(words)?;
    Ok(())
}

fn told(document: &Value) -> String {
    let text = |name| show::text(document, name);
    let mut lines = vec![
        format!("{} is written; state lives in {}", text("config"), text("data_dir")),
        format!("certificate {}", text("certificate")),
    ];
    let user = &document["user"];
    if let Some(password) = user["password"].as_str() {
        let name = show::text(user, "name");
        lines.push(format!("user {name}, password, shown only now: {password}"));
    } else if user.is_object() {
        let name = show::text(user, "name");
        lines.push(format!("user {name}, who signs in with the password of the IMAP server"));
    }
    lines.push(format!("next: retract --config {} serve", text("config")));
    lines.join("\n")
}

/// What is said when servers cannot be used.
const NOT_WRITTEN: &str =
    "Nothing is written. Mend it and begin again, or have the file all the same with --anyway.";
