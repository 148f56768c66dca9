//! The relay: the one SMTP server that takes our users' mail to the world, or the submission service in front of their mailboxes.
//!
//! Each recipient gets an answer of its own, and "we cannot know" is an answer, given whenever the last line of a mail was on its way
//! and no reply came back. What the server cannot take as it is (too large, 8-bit, non-ASCII addresses) is not sent to it.

mod survey;
mod wire;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::time::Instant;

pub use self::survey::{NotLetIn, RelaySurvey, survey};
use self::wire::{Connection, Failure, Features};
use super::lines::one_line;
use crate::keyring::Credential;
use crate::message::Address;

/// How the way to the relay is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Not at all: for a relay on this machine.
    Plain,
    /// STARTTLS, without which nothing is sent.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// As whom mail is handed to the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// As nobody: it trusts our address.
    Nobody,
    /// As one name for all.
    Service(Credential),
    /// As the user whose mail it is, with what they signed in with here.
    User,
}

/// Where the relay is and how to talk to it.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    /// Its name, which its certificate must carry.
    pub host: String,
    /// Its port; 587 with STARTTLS, 465 with TLS, 25 without.
    pub port: u16,
    /// How the way there is protected.
    pub security: Security,
    /// As whom mail is handed over.
    pub login: Login,
    /// A certificate authority in PEM besides those of the system.
    pub authority_pem: Option<Vec<u8>>,
    /// The name we greet with.
    pub hello: String,
    /// How long one command may take.
    pub command_timeout: Duration,
    /// How long all of it may take, up to the mail itself.
    pub dialog_timeout: Duration,
    /// How long the relay may take to accept a whole mail.
    pub data_timeout: Duration,
}

/// The way to the relay. Cheap to clone; a connection lasts for one mail.
#[derive(Clone)]
pub struct Relay(Way);

/// Takes an offer in place of a relay: envelope sender, recipients and octets; gives one answer for each recipient.
pub type Hand = Arc<dyn Fn(&str, &[String], &[u8]) -> Vec<Offer> + Send + Sync>;

#[derive(Clone)]
enum Way {
    Smtp(Arc<Smtp>),
    Hand(Hand),
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Way::Smtp(smtp) => write!(f, "Relay({}:{})", smtp.settings.host, smtp.settings.port),
            Way::Hand(_) => f.write_str("Relay(by hand)"),
        }
    }
}

/// What the relay said about one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It has the mail and is answerable for it.
    Taken(String),
    /// Not now.
    Later(String),
    /// Not to somebody with this credential; nothing was offered.
    NotSignedIn(String),
    /// Nobody is there to submit it as: it waits for its user.
    AwaitsUser,
    /// Never.
    Refused(String),
    /// All of the mail was on its way, and no answer came back: it may have it or not.
    Unknown(String),
}

impl RelaySettings {
    /// The usual settings for a relay.
    pub fn new(host: &str, port: u16, security: Security) -> RelaySettings {
        RelaySettings {
            host: host.to_owned(),
            port,
            security,
            login: Login::Nobody,
            authority_pem: None,
            hello: "localhost".to_owned(),
            command_timeout: Duration::from_secs(60),
            dialog_timeout: Duration::from_secs(5 * 60),
            data_timeout: Duration::from_secs(10 * 60),
        }
    }
}

impl Relay {
    /// The way to a relay.
    pub fn new(settings: RelaySettings) -> Relay {
        let octets_max = AtomicU64::new(NOT_ASKED);
        Relay(Way::Smtp(Arc::new(Smtp { settings, tls: OnceLock::new(), octets_max })))
    }

    /// A relay that is a function, for who has no network: a simulation.
    pub fn by_hand(hand: Hand) -> Relay {
        Relay(Way::Hand(hand))
    }

    /// Whether each mail is handed over as the user whose mail it is.
    pub fn is_for_users(&self) -> bool {
        matches!(&self.0, Way::Smtp(smtp) if smtp.settings.login == Login::User)
    }

    /// Offers a mail; gives one answer for each recipient, in their order. `whose` is the credential of its user, where it is wanted.
    pub async fn offer(
        &self,
        whose: Option<&Credential>,
        sender: &str,
        recipients: &[String],
        raw: &[u8],
    ) -> Vec<Offer> {
        match &self.0 {
            Way::Smtp(smtp) => smtp.offer(whose, &Letter { sender, recipients, raw }).await,
            Way::Hand(hand) => hand(sender, recipients, raw),
        }
    }

    /// Whether the relay takes no mail of this size, as far as it has said so; asked for a large one if it never was.
    pub async fn is_too_large(&self, octets: usize) -> bool {
        let Way::Smtp(smtp) = &self.0 else { return false };
        if smtp.octets_max.load(Ordering::Relaxed) == NOT_ASKED && octets >= WORTH_ASKING_OCTETS {
            let _asked = tokio::time::timeout(ASKING_MAX, smtp.ask()).await;
        }
        match smtp.octets_max.load(Ordering::Relaxed) {
            NOT_ASKED => false,
            octets_max => octets as u64 > octets_max,
        }
    }
}

/// A relay behind a socket.
struct Smtp {
    settings: RelaySettings,
    tls: OnceLock<Arc<ClientConfig>>,
    /// What it said it takes at most, when it was last asked.
    octets_max: AtomicU64,
}

/// A mail with its envelope.
struct Letter<'a> {
    sender: &'a str,
    recipients: &'a [String],
    raw: &'a [u8],
}

impl Smtp {
    async fn offer(&self, whose: Option<&Credential>, letter: &Letter<'_>) -> Vec<Offer> {
        let all = |offer: Offer| vec![offer; letter.recipients.len()];
        let credential = match (&self.settings.login, whose) {
            (Login::Nobody, _) => None,
            (Login::Service(credential), _) => Some(credential),
            (Login::User, Some(credential)) => Some(credential),
            (Login::User, None) => return all(Offer::AwaitsUser),
        };
        let mut connection = match self.connect().await {
            Ok(connection) => connection,
            Err(failure) => return all(Offer::Later(words(&failure))),
        };
        let signed_in = match credential {
            Some(credential) => connection.sign_in(credential, &self.settings.hello).await,
            None => Ok(()),
        };
        let offers = match signed_in {
            Ok(()) => letter.hand_over(&mut connection, &self.settings).await,
            Err(Failure::Said(reply)) if reply.is_for_good() => {
                all(Offer::NotSignedIn(words(&Failure::Said(reply))))
            }
            Err(failure) => all(Offer::Later(words(&failure))),
        };
        // It has been answered; a goodbye that hangs changes nothing.
        connection.quit().await;
        offers
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let tls = match self.settings.security {
            Security::Plain => None,
            Security::StartTls | Security::Tls => Some(self.tls()?),
        };
        let connection = Connection::open(&self.settings, tls.as_ref()).await?;
        let octets_max = connection.features().octets_max.unwrap_or(u64::MAX);
        self.octets_max.store(octets_max, Ordering::Relaxed);
        Ok(connection)
    }

    /// Hears what it can do, and no more.
    async fn ask(&self) {
        if let Ok(mut connection) = self.connect().await {
            connection.quit().await;
        }
    }

    fn tls(&self) -> Result<Arc<ClientConfig>, Failure> {
        if let Some(tls) = self.tls.get() {
            return Ok(Arc::clone(tls));
        }
        let made =
            client_config(self.settings.authority_pem.as_deref()).map_err(Failure::Broken)?;
        Ok(Arc::clone(self.tls.get_or_init(|| made)))
    }
}

/// TLS that believes the system's authorities, and one more where it is given.
fn client_config(authority_pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut authorities = Vec::new();
    for authority in authority_pem.map(CertificateDer::pem_slice_iter).into_iter().flatten() {
        authorities.push(authority.map_err(|error| error.to_string())?);
    }
    let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(
        authorities,
        Arc::clone(&provider),
    );
    let verifier = verifier.map_err(|error| error.to_string())?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

impl Letter<'_> {
    async fn hand_over(&self, connection: &mut Connection, settings: &RelaySettings) -> Vec<Offer> {
        let features = connection.features().clone();
        let all = |offer: Offer| vec![offer; self.recipients.len()];
        let mail = match self.mail_command(&features) {
            Ok(mail) => mail,
            Err(why) => return all(Offer::Refused(why)),
        };
        if let Err(failure) = connection.command(&mail).await {
            return all(before_the_mail(&failure));
        }
        let mut offers = Vec::with_capacity(self.recipients.len());
        for recipient in self.recipients {
            offers.push(match rcpt_command(recipient, &features) {
                Ok(rcpt) => connection.command(&rcpt).await.err().map(|no| before_the_mail(&no)),
                Err(why) => Some(Offer::Refused(why)),
            });
        }
        if offers.iter().all(Option::is_some) {
            return offers.into_iter().flatten().collect();
        }
        let rest = match connection.command("DATA").await {
            Ok(_) => self.octets(connection, settings.data_timeout).await,
            Err(failure) => before_the_mail(&failure),
        };
        offers.into_iter().map(|offer| offer.unwrap_or_else(|| rest.clone())).collect()
    }

    /// MAIL with what the mail needs, or why this server cannot take it.
    fn mail_command(&self, features: &Features) -> Result<String, String> {
        let end = self.raw.windows(4).position(|four| four == b"\r\n\r\n");
        let header = &self.raw[..end.unwrap_or(self.raw.len())];
        let is_international = !self.sender.is_ascii() || !header.is_ascii();
        let needs_utf8 = is_international || self.recipients.iter().any(|to| !to.is_ascii());
        if is_international && !features.utf8 {
            return Err(NO_UTF8.to_owned());
        }
        if !self.raw.is_ascii() && !features.eight_bit {
            return Err("5.6.3 the mail has 8-bit text, which the relay does not take".to_owned());
        }
        if features.octets_max.is_some_and(|octets_max| self.raw.len() as u64 > octets_max) {
            return Err("5.3.4 the mail is larger than the relay takes".to_owned());
        }
        let mut command = format!("MAIL FROM:<{}>", sendable(self.sender, true)?);
        if features.size {
            command += &format!(" SIZE={}", self.raw.len());
        }
        if !self.raw.is_ascii() {
            command += " BODY=8BITMIME";
        }
        if needs_utf8 && features.utf8 {
            command += " SMTPUTF8";
        }
        Ok(command)
    }

    async fn octets(&self, connection: &mut Connection, limit: Duration) -> Offer {
        let until = Instant::now() + limit;
        if let Err(failure) = connection.octets(self.raw, until).await {
            // Without its last line nobody is answerable for it (RFC 5321 4.1.1.4).
            return before_the_mail(&failure);
        }
        match connection.end(until).await {
            Ok(reply) => Offer::Taken(one_line(&reply.words(), REPLY_CHARS_MAX)),
            Err(failure @ Failure::Said(_)) => before_the_mail(&failure),
            Err(failure) => Offer::Unknown(words(&failure)),
        }
    }
}

fn rcpt_command(recipient: &str, features: &Features) -> Result<String, String> {
    if !recipient.is_ascii() && !features.utf8 {
        return Err(NO_UTF8.to_owned());
    }
    Ok(format!("RCPT TO:<{}>", sendable(recipient, false)?))
}

/// An address that may stand in a command; the null sender is one where it is asked for.
fn sendable(address: &str, or_null: bool) -> Result<&str, String> {
    let is_sendable = Address::new(address).is_sendable() || (or_null && address.is_empty());
    is_sendable.then_some(address).ok_or_else(|| "5.1.3 this is no address".to_owned())
}

/// A failure at a point where the relay has not taken the mail.
fn before_the_mail(failure: &Failure) -> Offer {
    match failure {
        Failure::Said(reply) if reply.is_for_good() => Offer::Refused(words(failure)),
        _ => Offer::Later(words(failure)),
    }
}

fn words(failure: &Failure) -> String {
    one_line(&failure.text(), REPLY_CHARS_MAX)
}

const REPLY_CHARS_MAX: usize = 300;
/// RFC 6531, 3.2.
const NO_UTF8: &str =
    "5.6.7 an address or a header is not ASCII, and the relay does not take that (SMTPUTF8)";
/// The relay has not said yet what it takes at most.
const NOT_ASKED: u64 = 0;
/// Smaller mail is taken by every relay (RFC 5321 4.5.3.1.7 has 64 kB; none in use has less than this).
const WORTH_ASKING_OCTETS: usize = 4 * 1024 * 1024;
/// How long a phone waits for that question.
const ASKING_MAX: Duration = Duration::from_secs(5);
