//! The relay: the one SMTP server that takes our users' mail to the world.
//!
//! Every step has a timeout of ours around it: the client's own do not cover a server that accepts and never greets. Each recipient
//! gets an answer of its own, and "we cannot know" is an answer, given whenever the octets were on their way and no reply came back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;

use super::lines::one_line;
use crate::secret::Secret;

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

/// Where the relay is and how to talk to it.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    /// Its name, which its certificate must carry.
    pub host: String,
    /// Its port; 587 with STARTTLS, 465 with TLS, 25 without.
    pub port: u16,
    /// How the way there is protected.
    pub security: Security,
    /// Name and password, where it wants them; never sent unprotected.
    pub credentials: Option<(String, Secret)>,
    /// A certificate authority in PEM besides those of the system.
    pub authority_pem: Option<Vec<u8>>,
    /// The name we greet with.
    pub hello: String,
    /// How long one command may take.
    pub command_timeout: Duration,
    /// How long the relay may take to accept a whole mail.
    pub data_timeout: Duration,
}

/// The way to the relay. Cheap to make; a connection lasts for one mail.
#[derive(Clone)]
pub struct Relay(Way);

/// Takes an offer in place of a relay: envelope sender, recipients and octets; gives one answer for each recipient.
pub type Hand = Arc<dyn Fn(&str, &[String], &[u8]) -> Vec<Offer> + Send + Sync>;

#[derive(Clone)]
enum Way {
    Smtp(RelaySettings),
    Hand(Hand),
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Way::Smtp(settings) => write!(f, "Relay({}:{})", settings.host, settings.port),
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
    /// Never.
    Refused(String),
    /// The octets were on their way, and no answer came back: it may have the mail or not.
    Unknown(String),
}

impl RelaySettings {
    /// The usual settings for a relay.
    pub fn new(host: &str, port: u16, security: Security) -> RelaySettings {
        RelaySettings {
            host: host.to_owned(),
            port,
            security,
            credentials: None,
            authority_pem: None,
            hello: "localhost".to_owned(),
            command_timeout: Duration::from_secs(60),
            data_timeout: Duration::from_secs(10 * 60),
        }
    }
}

impl Relay {
    /// The way to a relay.
    pub fn new(settings: RelaySettings) -> Relay {
        Relay(Way::Smtp(settings))
    }

    /// A relay that is a function, for who has no network: a simulation.
    pub fn by_hand(hand: Hand) -> Relay {
        Relay(Way::Hand(hand))
    }

    /// Offers a mail; gives one answer for each recipient, in their order.
    pub async fn offer(&self, sender: &str, recipients: &[String], raw: &[u8]) -> Vec<Offer> {
        match &self.0 {
            Way::Smtp(settings) => Smtp(settings).offer(sender, recipients, raw).await,
            Way::Hand(hand) => hand(sender, recipients, raw),
        }
    }
}

/// A relay behind a socket.
struct Smtp<'a>(&'a RelaySettings);

impl Smtp<'_> {
    async fn offer(&self, sender: &str, recipients: &[String], raw: &[u8]) -> Vec<Offer> {
        let all = |offer: Offer| vec![offer; recipients.len()];
        let mut connection = match self.connect().await {
            Ok(connection) => connection,
            Err(why) => return all(Offer::Later(why)),
        };
        let offers = match self.begin(&mut connection, sender, raw).await {
            Ok(()) => self.hand_over(&mut connection, recipients, raw).await,
            Err(offer) => all(offer),
        };
        // It has been answered; a goodbye that hangs changes nothing.
        let _goodbye = tokio::time::timeout(GOODBYE, connection.abort()).await;
        offers
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, String> {
        let hello = ClientId::Domain(self.0.hello.clone());
        let tls = match self.0.security {
            Security::Plain => None,
            Security::StartTls | Security::Tls => Some(self.tls()?),
        };
        let wrapped = tls.clone().filter(|_| self.0.security == Security::Tls);
        let server = (self.0.host.as_str(), self.0.port);
        let limit = self.0.command_timeout;
        let connect =
            AsyncSmtpConnection::connect_tokio1(server, Some(limit), &hello, wrapped, None);
        let mut connection = self.within(connect).await?;
        if let (Security::StartTls, Some(tls)) = (self.0.security, tls) {
            self.within(connection.starttls(tls, &hello)).await?;
        }
        if let Some((name, password)) = &self.0.credentials {
            if !connection.is_encrypted() && self.0.security != Security::Plain {
                return Err("the connection to the relay is not protected".to_owned());
            }
            let credentials = Credentials::new(name.clone(), password.reveal().to_owned());
            self.within(connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials))
                .await?;
        }
        Ok(connection)
    }

    fn tls(&self) -> Result<TlsParameters, String> {
        let mut builder = TlsParameters::builder(self.0.host.clone());
        if let Some(pem) = &self.0.authority_pem {
            let authority = Certificate::from_pem(pem).map_err(|error| error.to_string())?;
            builder = builder.add_root_certificate(authority);
        }
        builder.build_rustls().map_err(|error| error.to_string())
    }

    async fn begin(
        &self,
        connection: &mut AsyncSmtpConnection,
        sender: &str,
        raw: &[u8],
    ) -> Result<(), Offer> {
        let from = match sender {
            "" => None,
            given => Some(given.parse::<Address>().map_err(|e| Offer::Refused(e.to_string()))?),
        };
        let server = connection.server_info();
        let mut parameters = Vec::new();
        if !raw.is_ascii() && server.supports_feature(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        if server.supports_feature(Extension::SmtpUtfEight) && !sender.is_ascii() {
            parameters.push(MailParameter::SmtpUtfEight);
        }
        self.step(connection.command(Mail::new(from, parameters))).await.map(drop)
    }

    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        recipients: &[String],
        raw: &[u8],
    ) -> Vec<Offer> {
        let mut offers = Vec::with_capacity(recipients.len());
        for recipient in recipients {
            offers.push(match recipient.parse::<Address>() {
                Ok(to) => self.step(connection.command(Rcpt::new(to, Vec::new()))).await.err(),
                Err(error) => Some(Offer::Refused(error.to_string())),
            });
        }
        if offers.iter().all(Option::is_some) {
            return offers.into_iter().flatten().collect();
        }
        let rest = match self.step(connection.command(Data)).await {
            Ok(_) => self.octets(connection, raw).await,
            Err(offer) => offer,
        };
        offers.into_iter().map(|offer| offer.unwrap_or_else(|| rest.clone())).collect()
    }

    async fn octets(&self, connection: &mut AsyncSmtpConnection, raw: &[u8]) -> Offer {
        // The client writes CR LF . CR LF whatever went before: without this a mail would grow by an empty line, and lose its identity.
        let raw = raw.strip_suffix(b"\r\n").unwrap_or(raw);
        match tokio::time::timeout(self.0.data_timeout, connection.message(raw)).await {
            Ok(Ok(response)) => Offer::Taken(words(&response)),
            Ok(Err(error)) => match refusal(&error) {
                Some(offer) => offer,
                None => Offer::Unknown(one_line(&error.to_string(), REPLY_CHARS_MAX)),
            },
            Err(_) => Offer::Unknown("the relay did not answer in time".to_owned()),
        }
    }

    /// One command before the octets: without a reply nothing has been taken.
    async fn step(
        &self,
        command: impl Future<Output = Result<Response, SmtpError>>,
    ) -> Result<Response, Offer> {
        match tokio::time::timeout(self.0.command_timeout, command).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                let why = one_line(&error.to_string(), REPLY_CHARS_MAX);
                Err(refusal(&error).unwrap_or(Offer::Later(why)))
            }
            Err(_) => Err(Offer::Later("the relay did not answer in time".to_owned())),
        }
    }

    /// A step before any mail is named: whatever goes wrong is the way's fault, not the mail's.
    async fn within<T>(
        &self,
        step: impl Future<Output = Result<T, SmtpError>>,
    ) -> Result<T, String> {
        match tokio::time::timeout(self.0.command_timeout, step).await {
            Ok(result) => result.map_err(|error| one_line(&error.to_string(), REPLY_CHARS_MAX)),
            Err(_) => Err("the relay did not answer in time".to_owned()),
        }
    }
}

/// What a reply that is no means; `None` when there was no reply.
fn refusal(error: &SmtpError) -> Option<Offer> {
    let why = one_line(&error.to_string(), REPLY_CHARS_MAX);
    if error.is_permanent() {
        Some(Offer::Refused(why))
    } else if error.is_transient() {
        Some(Offer::Later(why))
    } else {
        None
    }
}

fn words(response: &Response) -> String {
    one_line(response.first_line().unwrap_or(""), REPLY_CHARS_MAX)
}

const REPLY_CHARS_MAX: usize = 300;
const GOODBYE: Duration = Duration::from_secs(5);
