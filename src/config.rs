//! The configuration: `retract.toml`, every key also as an environment variable, read once by the server, which hands each room its
//! own limits.
//!
//! `RETRACT_PHONES_LISTEN=0.0.0.0:443` stands for `listen` in `[phones]`: section and key in capitals, joined by an underscore. A
//! key that nobody knows is an error, in the file and in the environment. `retract.example.toml` explains every key; a test reads
//! it.

mod directory;
mod mailbox;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::recall::OnSend;
use crate::secret::Secret;

pub use directory::{Directory, Imap, ImapLogin, Ldap, SignIn, Source};
pub use mailbox::{Access, Backend, Mailbox, MasterStyle};

/// What environment variables of ours begin with.
const PREFIX: &str = "RETRACT_";

/// The whole configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where state lives and what the installation is called.
    pub server: Server,
    /// The listener for phones.
    pub phones: Phones,
    /// The listener for operators.
    pub admin: Admin,
    /// Where mail comes in.
    pub lmtp: Lmtp,
    /// Where mail leaves.
    pub relay: Relay,
    /// Where mail lies.
    pub mailbox: Mailbox,
    /// Where users come from, and who verifies their passwords.
    pub directory: Directory,
    /// The directory server.
    pub ldap: Ldap,
    /// The IMAP server.
    pub imap: Imap,
    /// How phones find us.
    pub autodiscover: Autodiscover,
    /// What waiting phones may expect.
    pub push: Push,
    /// How recall goes about its work.
    pub recall: Recall,
    /// Which certificates of mail are trusted.
    pub certificates: Certificates,
    /// What is written to the log.
    pub log: Log,
}

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The directory of the database, the bodies and the socket.
    pub data_dir: PathBuf,
    /// The name phones reach this host by; goes into certificates, Message-IDs and Received lines.
    pub hostname: String,
    /// Mail domains that are served here; mail for other domains goes to the relay.
    pub domains: Vec<String>,
}

impl Default for Server {
    fn default() -> Server {
        Server {
            data_dir: PathBuf::from("/var/lib/retract"),
            hostname: "localhost".to_owned(),
            domains: Vec::new(),
        }
    }
}

/// `[phones]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Phones {
    /// Where TLS is served; empty to serve none.
    pub listen: Option<SocketAddr>,
    /// PEM file of the certificate and its chain; made by `init` when none is given.
    pub certificate: Option<PathBuf>,
    /// PEM file of its key.
    pub private_key: Option<PathBuf>,
    /// Where plain HTTP is served, to loopback and to `trusted_proxies` only.
    pub plain_listen: Option<SocketAddr>,
    /// Networks of proxies whose word about a phone is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// Which fields of a request they write on the plain listener.
    pub proxy_fields: ProxyFields,
    /// Whether their connections to `listen` begin with a PROXY header (version 1 or 2).
    pub proxy_protocol: bool,
    /// Whether their connections to `plain_listen` do.
    pub plain_proxy_protocol: bool,
    /// Octets of a request's body at most.
    pub body_bytes_max: u64,
    /// Connections at most, in all.
    pub connections_max: usize,
    /// Connections of one address at most; proxies are exempt.
    pub connections_per_ip_max: usize,
    /// Requests that are handled at a time, those that wait for news not counted; one user gets half of them at most.
    pub requests_max: usize,
    /// What single clients would need and do not get: names of rows in docs/quirks.md.
    pub quirks_off: Vec<String>,
    /// Minutes that what a phone signed in with stays in memory after its last use, where a server behind us wants to see it.
    pub credentials_kept_min: u32,
}

impl Default for Phones {
    fn default() -> Phones {
        Phones {
            listen: Some(SocketAddr::from(([0, 0, 0, 0], 443))),
            certificate: None,
            private_key: None,
            plain_listen: None,
            trusted_proxies: Vec::new(),
            proxy_fields: ProxyFields::default(),
            proxy_protocol: false,
            plain_proxy_protocol: false,
            body_bytes_max: 50 * 1024 * 1024,
            connections_max: 60_000,
            connections_per_ip_max: 1_000,
            requests_max: 256,
            quirks_off: Vec::new(),
            credentials_kept_min: 15,
        }
    }
}

/// Which fields of a request a proxy writes; the others it passes on as they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyFields {
    /// X-Forwarded-For and X-Forwarded-Proto.
    #[default]
    XForwarded,
    /// Forwarded (RFC 7239).
    Forwarded,
}

/// `[admin]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Where the API and the pages are served, in plain HTTP; loopback unless a proxy stands in front.
    pub listen: Option<SocketAddr>,
    /// The Unix socket of the command line, of mode 0600; `retract.sock` in the data directory where none is given.
    pub socket: Option<PathBuf>,
}

impl Default for Admin {
    fn default() -> Admin {
        Admin { listen: Some(SocketAddr::from(([127, 0, 0, 1], 8025))), socket: None }
    }
}

/// `[lmtp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lmtp {
    /// Where LMTP (RFC 2033) is served; empty to serve none.
    pub listen: Option<SocketAddr>,
    /// Octets of a message at most.
    pub message_bytes_max: usize,
    /// Connections at most.
    pub connections_max: usize,
}

impl Default for Lmtp {
    fn default() -> Lmtp {
        Lmtp {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 2424))),
            message_bytes_max: 50 * 1024 * 1024,
            connections_max: 100,
        }
    }
}

/// `[relay]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Relay {
    /// The SMTP host that takes mail for other domains; without one such mail is refused.
    pub host: Option<String>,
    /// Its port; 587 with STARTTLS, 465 with TLS, 25 in plain where none is given.
    pub port: Option<u16>,
    /// How the connection is secured.
    pub security: Security,
    /// The user to sign in as.
    pub user: Option<String>,
    /// The password; better a file.
    pub password: Option<Secret>,
    /// A file that holds the password.
    pub password_file: Option<PathBuf>,
    /// As whom mail is handed over; where nothing is said, as `user` if there is one, else as nobody.
    pub credentials: Option<RelayCredentials>,
    /// PEM file of a certificate authority to believe besides those of the system.
    pub authority: Option<PathBuf>,
}

/// As whom mail is handed to the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RelayCredentials {
    /// As `user`, whosever mail it is.
    Service,
    /// As the user whose mail it is, with what they signed in with here.
    User,
    /// As nobody: it trusts this host.
    None,
}

impl Relay {
    /// As whom mail is handed over.
    pub fn credentials(&self) -> RelayCredentials {
        let usual = match self.user {
            Some(_) => RelayCredentials::Service,
            None => RelayCredentials::None,
        };
        self.credentials.unwrap_or(usual)
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.password.is_some() && self.password_file.is_some() {
            return Err("relay: either password or password_file");
        }
        let is_named = self.user.is_some();
        let has_password = self.password.is_some() || self.password_file.is_some();
        match self.credentials() {
            RelayCredentials::Service if !is_named || !has_password => {
                Err("relay: credentials = \"service\" wants a user and a password")
            }
            RelayCredentials::User | RelayCredentials::None if is_named => {
                Err("relay: user goes with credentials = \"service\"")
            }
            RelayCredentials::User if self.security == Security::Plain && !self.is_here() => {
                Err("relay: users' passwords go over TLS, or to a relay on this host")
            }
            _ => Ok(()),
        }
    }

    /// Whether the relay is reached without leaving this host.
    fn is_here(&self) -> bool {
        let host = self.host.as_deref().unwrap_or("localhost");
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// How a connection to the relay is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// STARTTLS, and no mail without it.
    #[default]
    Starttls,
    /// TLS from the first octet.
    Tls,
    /// None: for a relay on this host.
    Plain,
}

/// `[autodiscover]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Autodiscover {
    /// How phones reach this host, without a path; `https://` and the hostname where none is given.
    pub url: Option<String>,
    /// Mail domains whose mailboxes live elsewhere, and the mail domain that phones are to begin again with.
    pub moved: BTreeMap<String, String>,
    /// Where a GET of autodiscover.xml is sent; one that comes without TLS is sent to `url` in any case.
    pub get_redirect: Option<String>,
}

/// `[push]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Push {
    /// The shortest heartbeat a phone may ask for, in seconds.
    pub heartbeat_s_min: u32,
    /// The longest, in seconds; proxies and firewalls must wait longer than this.
    pub heartbeat_s_max: u32,
    /// Deletions by other clients end a wait after this pause, in seconds.
    pub removals_coalesce_s: u32,
    /// Folders in a Ping at most.
    pub folders_max: usize,
}

impl Default for Push {
    fn default() -> Push {
        Push {
            heartbeat_s_min: 60,
            heartbeat_s_max: 3540,
            removals_coalesce_s: 10,
            folders_max: 1_000,
        }
    }
}

/// `[recall]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recall {
    /// For how many days an order catches copies that arrive late.
    pub stands_days: u32,
    /// A device is silent after this many hours without a request, or three times its own usual pause if that is longer.
    pub silent_after_h: u32,
    /// A folder that a device has not asked for in this many hours, while it was heard, is one it no longer syncs; at least 1.
    pub unsynced_after_h: u32,
    /// A device that was sent a Delete this often and never took the answer in is told to begin the folder anew; 0: never.
    pub resync_after_replays: u32,
    /// Above this many copies an order wants its count typed and a second person or token.
    pub brake_copies: u64,
    /// Above this share of all mailboxes, in percent, likewise.
    pub brake_mailboxes_percent: u8,
    /// What becomes of a mail from a phone that answers a recalled message or carries it or a file of it.
    pub on_send: OnSend,
}

impl Default for Recall {
    fn default() -> Recall {
        Recall {
            stands_days: 30,
            silent_after_h: 24,
            unsynced_after_h: 72,
            resync_after_replays: 0,
            brake_copies: 1_000,
            brake_mailboxes_percent: 1,
            on_send: OnSend::Note,
        }
    }
}

/// `[certificates]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Certificates {
    /// PEM file of the authorities whose certificates of mail are trusted (ValidateCert); without one, none is.
    pub roots: Option<PathBuf>,
    /// PEM file of their revocation lists; nothing is fetched from the network.
    pub revocation_lists: Option<PathBuf>,
}

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// A filter as `tracing-subscriber` reads it, such as `info` or `retract::sync=debug`.
    pub filter: String,
    /// One JSON object a line instead of text.
    pub json: bool,
}

impl Default for Log {
    fn default() -> Log {
        Log { filter: "info".to_owned(), json: false }
    }
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: std::io::Error,
    },
    /// It is not TOML, or says what is not known.
    #[error("{place}: {what}")]
    Wrong {
        /// The file, and where in it.
        place: String,
        /// What is wrong there.
        what: String,
    },
}

impl Config {
    /// Reads a file, then the environment.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
        Config::parse(&text, &path.display().to_string(), std::env::vars())
    }

    /// The defaults, and the environment.
    pub fn from_environment() -> Result<Config, ConfigError> {
        Config::parse("", "the environment", std::env::vars())
    }

    /// Reads the text of a file called `name`, then variables.
    pub fn parse(
        text: &str,
        name: &str,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        let wrong = |what: String| ConfigError::Wrong { place: name.to_owned(), what };
        let mut table: toml::Table = toml::from_str(text).map_err(|e| wrong(e.to_string()))?;
        for (variable, value) in variables {
            overlay(&mut table, &variable, &value);
        }
        let config: Config =
            serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|e| {
                ConfigError::Wrong {
                    place: format!("{name}: {}", e.path()),
                    what: e.inner().to_string(),
                }
            })?;
        config.check().map_err(wrong)?;
        Ok(config)
    }

    /// How phones reach this host, without a path and without a slash at its end.
    pub fn base_url(&self) -> String {
        if let Some(url) = &self.autodiscover.url {
            return url.trim_end_matches('/').to_owned();
        }
        let port = self.phones.listen.map(|listen| listen.port());
        match port.filter(|port| ![0, HTTPS_PORT].contains(port)) {
            Some(port) => format!("https://{}:{port}", self.server.hostname),
            None => format!("https://{}", self.server.hostname),
        }
    }

    /// The Unix socket of the command line.
    pub fn socket(&self) -> PathBuf {
        self.admin.socket.clone().unwrap_or_else(|| self.server.data_dir.join("retract.sock"))
    }

    fn check(&self) -> Result<(), String> {
        let push = &self.push;
        if push.heartbeat_s_min == 0 || push.heartbeat_s_min > push.heartbeat_s_max {
            return Err(
                "push: heartbeat_s_min must be at least 1 and at most heartbeat_s_max".to_owned()
            );
        }
        let phones = &self.phones;
        if (phones.proxy_protocol || phones.plain_proxy_protocol)
            && phones.trusted_proxies.is_empty()
        {
            return Err(
                "phones: proxy_protocol is for the proxies that trusted_proxies names".to_owned()
            );
        }
        let urls = [&self.autodiscover.url, &self.autodiscover.get_redirect];
        if urls.into_iter().flatten().any(|url| !is_url(url)) {
            return Err("autodiscover: url and get_redirect begin with https://".to_owned());
        }
        if self.phones.certificate.is_some() != self.phones.private_key.is_some() {
            return Err("phones: certificate and private_key go together".to_owned());
        }
        if self.phones.requests_max < REQUESTS_MIN {
            return Err(format!("phones: requests_max must be at least {REQUESTS_MIN}"));
        }
        self.relay.check()?;
        self.mailbox.check(&self.imap)?;
        directory::check(&self.directory, &self.ldap, &self.imap)
    }
}

/// Requests handled at a time at the least: strangers whose passwords are being checked may take 192 of them
/// (`directory::Settings::checks_waiting_max`), and phones that are known must find others.
const REQUESTS_MIN: usize = 224;

/// An address that a phone can be sent to, and that a header can hold.
fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty()) && text.bytes().all(|octet| octet.is_ascii_graphic())
}

/// The port that need not be said.
const HTTPS_PORT: u16 = 443;

/// Sections a variable may name.
const SECTIONS: [&str; 14] = [
    "SERVER",
    "PHONES",
    "ADMIN",
    "LMTP",
    "RELAY",
    "MAILBOX",
    "DIRECTORY",
    "LDAP",
    "IMAP",
    "AUTODISCOVER",
    "PUSH",
    "RECALL",
    "CERTIFICATES",
    "LOG",
];

/// Lays one variable over the table, if it names a section of ours.
fn overlay(table: &mut toml::Table, variable: &str, text: &str) {
    let Some(rest) = variable.strip_prefix(PREFIX) else { return };
    let Some((section, key)) = rest.split_once('_') else { return };
    if !SECTIONS.contains(&section) {
        return;
    }
    let section = table
        .entry(section.to_ascii_lowercase())
        .or_insert_with(|| toml::Value::Table(toml::Table::new()));
    if let toml::Value::Table(section) = section {
        section.insert(key.to_ascii_lowercase(), value(text));
    }
}

/// A number, truth value or list as TOML writes it; anything else is text.
fn value(text: &str) -> toml::Value {
    let parsed: Result<toml::Table, _> = toml::from_str(&format!("v = {text}"));
    match parsed.ok().and_then(|mut table| table.remove("v")) {
        Some(value) if !matches!(value, toml::Value::Datetime(_)) => value,
        _ => toml::Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Config::parse(text, "retract.toml", variables)
    }

    #[test]
    fn the_example_is_a_configuration_and_says_the_defaults() {
        let example = include_str!("../retract.example.toml");
        let config = parse(example, &[]).unwrap();
        assert_eq!(config.push.heartbeat_s_max, Push::default().heartbeat_s_max);
        assert!(example.contains(&format!("requests_max = {}", Phones::default().requests_max)));
        let uncommented: String = example
            .lines()
            .map(|l| l.strip_prefix("#: ").unwrap_or(l))
            .collect::<Vec<_>>()
            .join("\n");
        parse(&uncommented, &[]).expect("every key that is shown in a comment exists");
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let config = parse(
            "[phones]\nlisten = \"127.0.0.1:1\"",
            &[
                ("RETRACT_PHONES_LISTEN", "127.0.0.1:2"),
                ("RETRACT_PUSH_HEARTBEAT_S_MIN", "5"),
                ("RETRACT_SERVER_DOMAINS", "[\"example.org\"]"),
                ("RETRACT_FAILPOINT", "not.ours"),
            ],
        )
        .unwrap();
        assert_eq!(config.phones.listen.unwrap().port(), 2);
        assert_eq!(config.push.heartbeat_s_min, 5);
        assert_eq!(config.server.domains, ["example.org"]);
    }

    #[test]
    fn what_nobody_knows_is_named() {
        let error = parse("[phones]\nlisten_on = 1", &[]).unwrap_err().to_string();
        assert!(error.contains("phones") && error.contains("listen_on"), "{error}");
        assert!(parse("", &[("RETRACT_PUSH_HEARTBEATS", "1")]).is_err());
        assert!(parse("[push]\nheartbeat_s_min = 0", &[]).is_err());
        assert!(parse("[phones]\ncertificate = \"a.pem\"", &[]).is_err());
        assert!(parse("[phones]\nrequests_max = 8", &[]).is_err());
    }

    #[test]
    fn phones_reach_us_by_our_name_or_by_what_is_said() {
        let base = |text: &str| parse(text, &[]).unwrap().base_url();
        let named = "[server]\nhostname = \"mail.example.org\"\n";
        assert_eq!(base(named), "https://mail.example.org");
        let other = format!("{named}[phones]\nlisten = \"0.0.0.0:8443\"");
        assert_eq!(base(&other), "https://mail.example.org:8443");
        let said = format!("{other}\n[autodiscover]\nurl = \"https://eas.example.org/\"");
        assert_eq!(base(&said), "https://eas.example.org");
        assert!(parse("[autodiscover]\nurl = \"eas.example.org\"", &[]).is_err());
        let moved = [("RETRACT_AUTODISCOVER_MOVED", "{ \"a.example\" = \"b.example\" }")];
        assert_eq!(parse("", &moved).unwrap().autodiscover.moved["a.example"], "b.example");
    }

    #[test]
    fn users_that_come_from_elsewhere_need_to_be_told_from_where() {
        let ldap = "[ldap]\nhost = \"l\"\nbase = \"dc=a\"\n";
        for wrong in [
            "[directory]\nsource = \"csv\"",
            "[directory]\nsource = \"ldap\"",
            "[directory]\nsign_in = \"imap\"",
            "[directory]\nbearer = true",
            "[directory]\nrefresh_min = 0",
            &format!("{ldap}[directory]\nsource = \"ldap\""),
            &format!("{ldap}bind_dn = \"cn=x\"\n[directory]\nsign_in = \"ldap\""),
            &format!("{ldap}name_attributes = [\"a)(b\"]\n[directory]\nsign_in = \"ldap\""),
        ] {
            assert!(parse(wrong, &[]).is_err(), "{wrong}");
        }
        let right = format!("{ldap}[directory]\nsource = \"ldap\"\nsign_in = \"ldap\"");
        let config = parse(&right, &[("RETRACT_LDAP_PORT", "3890")]).unwrap();
        assert_eq!((config.ldap.port, config.directory.sign_in), (Some(3890), SignIn::Ldap));
    }

    #[test]
    fn a_password_is_not_printed() {
        let ldap = "[ldap]\nbind_password = \"hunter2\"";
        let config = parse(&format!("[relay]\npassword = \"hunter2\"\n{ldap}"), &[]).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
