//! One connection to an IMAP server: everything has a deadline, and an answer is whole or an error.
//!
//! TLS is spoken from the first octet or after STARTTLS, with the server's certificate verified by the configuration handed in;
//! a password never goes out before that unless [`Security::None`] was chosen. After an error that leaves it open what the server
//! has done, the link is closed: the caller makes a new one and looks again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use imap_sans::{
    Code, Command, CommandId, Connection, Event, Fetch, Limits, Outcome, Output, Sasl, Status,
    Untagged, Upgrade,
};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;

use crate::mailbox::{MESSAGE_BYTES_MAX, MailboxError};

/// How long a connection, TLS included, may take to stand.
pub const CONNECT_MAX: Duration = Duration::from_secs(20);

/// Octets read at once.
const READ_BYTES: usize = 32 * 1024;

/// How the line is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first octet (port 993).
    Tls,
    /// TLS after STARTTLS (port 143).
    StartTls,
    /// None: for a server on this machine only.
    None,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name, which its certificate must carry.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the line is kept from others.
    pub security: Security,
}

/// What a command brought.
#[derive(Debug)]
pub struct Answer {
    /// The server's OK.
    pub status: Status,
    /// What it said since the command before ended, in order.
    pub data: Vec<Untagged>,
    /// Octets of long literals, by number.
    pub streamed: BTreeMap<u64, Vec<u8>>,
}

impl Answer {
    /// The messages told of.
    pub fn fetches(&self) -> impl Iterator<Item = &Fetch> {
        self.data.iter().filter_map(|one| match one {
            Untagged::Fetch(fetch) => Some(&**fetch),
            _ => None,
        })
    }

    /// The codes told, the last word's at the end.
    pub fn codes(&self) -> impl Iterator<Item = &Code> {
        let untagged = self.data.iter().filter_map(|one| match one {
            Untagged::Status(status) => status.code.as_ref(),
            _ => None,
        });
        untagged.chain(&self.status.code)
    }
}

trait Line: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

/// A connection to a server.
pub struct Link {
    imap: Connection,
    line: Box<dyn Line>,
    events: VecDeque<Event>,
    buffer: Vec<u8>,
    /// What is going out, and how much of it has gone: whoever stops waiting in the middle loses none of it.
    going: Option<(Output, usize)>,
}

impl Link {
    /// Connects, brings TLS up and takes the greeting.
    pub async fn connect(
        place: &Place,
        tls: &Arc<ClientConfig>,
        limits: Limits,
    ) -> Result<Link, MailboxError> {
        let until = tokio::time::Instant::now() + CONNECT_MAX;
        let made = timeout_at(until, Link::make(place, tls, limits)).await;
        made.unwrap_or_else(|_| Err(down("no connection in time")))
    }

    async fn make(
        place: &Place,
        tls: &Arc<ClientConfig>,
        limits: Limits,
    ) -> Result<Link, MailboxError> {
        let tcp = TcpStream::connect((place.host.as_str(), place.port)).await.map_err(down)?;
        tcp.set_nodelay(true).map_err(down)?;
        let line: Box<dyn Line> = match place.security {
            Security::Tls => secured(Box::new(tcp), place, tls).await?,
            Security::StartTls | Security::None => Box::new(tcp),
        };
        let imap = Connection::new(limits, Instant::now());
        let (events, buffer) = (VecDeque::new(), vec![0; READ_BYTES]);
        let mut link = Link { imap, line, events, buffer, going: None };
        match link.next().await? {
            Event::Greeting(_) => {}
            _ => return Err(down("the server did not greet")),
        }
        if place.security == Security::StartTls {
            link.start_tls(place, tls).await?;
        }
        Ok(link)
    }

    /// Signs in and learns what the server can do for this user.
    pub async fn sign_in(&mut self, sasl: Sasl) -> Result<(), MailboxError> {
        self.run(Command::Authenticate(sasl)).await?;
        if self.imap.capabilities().is_none() {
            self.run(Command::Capability).await?;
        }
        Ok(())
    }

    /// Does the server offer this?
    pub fn offers(&self, capability: &str) -> bool {
        self.imap.capabilities().is_some_and(|known| known.offers(capability))
    }

    /// Has every command ended? Then somebody else can go on with it.
    pub fn is_quiet(&self) -> bool {
        self.imap.is_idle() && self.events.is_empty() && self.going.is_none()
    }

    /// Is it over?
    pub fn is_closed(&self) -> bool {
        self.imap.is_closed()
    }

    /// Carries out a command and gathers what the server says until its end.
    pub async fn run(&mut self, command: Command) -> Result<Answer, MailboxError> {
        let id = self.submit(command)?;
        self.ended(id).await
    }

    /// Sends a command after those before it, without waiting for its end: for pipelines.
    pub fn submit(&mut self, command: Command) -> Result<CommandId, MailboxError> {
        self.imap.submit(command, Instant::now()).map_err(down)
    }

    /// Gathers what the server says until a command ends. Commands are waited for in the order they were submitted.
    pub async fn ended(&mut self, id: CommandId) -> Result<Answer, MailboxError> {
        let mut data = Vec::new();
        let mut streamed: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let mut octets_in_all = 0;
        let mut skipped = None;
        loop {
            match self.next().await? {
                Event::Untagged(untagged) => data.push(untagged),
                Event::LiteralPiece { literal, octets, .. } => {
                    octets_in_all += octets.len();
                    if octets_in_all > MESSAGE_BYTES_MAX {
                        self.imap.abandon();
                        return Err(MailboxError::TooLarge);
                    }
                    streamed.entry(literal).or_default().extend(octets);
                }
                Event::Done(done) if done.id == id => {
                    let status = ok(done.outcome)?;
                    if done.unread > 0 {
                        self.imap.abandon();
                        let what = skipped.unwrap_or_default();
                        return Err(down(format!("an answer could not be read: {what}")));
                    }
                    return Ok(Answer { status, data, streamed });
                }
                Event::Skipped { fault, head } => skipped = Some(format!("{fault:?} in {head:?}")),
                Event::Closed(lost) => return Err(down(lost)),
                _ => {}
            }
        }
    }

    /// Takes in what the server has said while nobody listened, without waiting for more; a line that is gone is found closed.
    pub async fn settle(&mut self) {
        while !self.imap.is_closed() {
            match tokio::time::timeout(Duration::ZERO, self.next()).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) => self.imap.abandon(),
                Err(_) => return,
            }
        }
    }

    /// Waits in IDLE (RFC 2177) until the server tells of something, `stop` comes, or it is time to ask anew; gives what was told.
    pub async fn idle(
        &mut self,
        stop: impl Future<Output = ()>,
    ) -> Result<Vec<Untagged>, MailboxError> {
        let id = self.submit(Command::Idle)?;
        let mut told = Vec::new();
        let mut stop = std::pin::pin!(stop);
        let mut is_stopping = false;
        loop {
            let event = tokio::select! {
                event = self.next() => event?,
                () = &mut stop, if !is_stopping => {
                    is_stopping = true;
                    self.imap.done(Instant::now());
                    continue;
                }
            };
            match event {
                Event::Untagged(untagged) => {
                    if !is_stopping && is_news(&untagged) {
                        is_stopping = true;
                        self.imap.done(Instant::now());
                    }
                    told.push(untagged);
                }
                Event::Done(done) if done.id == id => return ok(done.outcome).map(|_| told),
                Event::Closed(lost) => return Err(down(lost)),
                _ => {}
            }
        }
    }

    /// Waits, with no command out, until the server tells of something by itself (RFC 5465) or `stop` comes; gives what was told.
    pub async fn told(
        &mut self,
        stop: impl Future<Output = ()>,
    ) -> Result<Vec<Untagged>, MailboxError> {
        let mut stop = std::pin::pin!(stop);
        let mut told = Vec::new();
        loop {
            let event = tokio::select! {
                event = self.next() => event?,
                () = &mut stop => return Ok(told),
            };
            match event {
                Event::Untagged(untagged) => {
                    let is_news = is_news(&untagged);
                    told.push(untagged);
                    if is_news && self.events.is_empty() {
                        return Ok(told);
                    }
                }
                Event::Closed(lost) => return Err(down(lost)),
                _ => {}
            }
        }
    }

    async fn start_tls(
        &mut self,
        place: &Place,
        tls: &Arc<ClientConfig>,
    ) -> Result<(), MailboxError> {
        // Signed in before TLS, whoever sits between could have done it (RFC 9051 11.2).
        if self.imap.is_signed_in() {
            return Err(down("the server signs in without TLS"));
        }
        self.run(Command::StartTls).await?;
        match self.next().await? {
            Event::Upgrade(Upgrade::Tls) => {}
            _ => return Err(down("STARTTLS went wrong")),
        }
        let line = std::mem::replace(&mut self.line, Box::new(tokio::io::empty()));
        self.line = secured(line, place, tls).await?;
        self.imap.upgraded(Instant::now());
        Ok(())
    }

    async fn next(&mut self) -> Result<Event, MailboxError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            self.events.extend(std::iter::from_fn(|| self.imap.poll_event()));
            if self.events.is_empty() {
                self.turn().await?;
            }
        }
    }

    /// Writes what is to be written, then reads once or lets time pass.
    async fn turn(&mut self) -> Result<(), MailboxError> {
        if self.imap.is_closed() {
            return Err(down("the connection is over"));
        }
        loop {
            if self.going.is_none() {
                self.going = self.imap.poll_output(Instant::now()).map(|output| (output, 0));
            }
            let Some((output, gone)) = &mut self.going else { break };
            let written = until(self.imap.poll_timeout(), self.line.write(&output[*gone..])).await;
            match written {
                Some(Ok(n)) if n > 0 => *gone += n,
                Some(_) => return self.lost(),
                None => return self.late(),
            }
            if *gone == output.len() {
                self.going = None;
            }
        }
        if until(self.imap.poll_timeout(), self.line.flush()).await.is_none() {
            return self.late();
        }
        match until(self.imap.poll_timeout(), self.line.read(&mut self.buffer)).await {
            Some(Ok(n)) if n > 0 => self.take(n),
            Some(_) => self.lost(),
            None => self.late(),
        }
    }

    fn take(&mut self, n: usize) -> Result<(), MailboxError> {
        let mut taken = 0;
        while taken < n {
            let more = self.imap.handle_input(&self.buffer[taken..n], Instant::now());
            let before = self.events.len();
            self.events.extend(std::iter::from_fn(|| self.imap.poll_event()));
            if more == 0 && self.events.len() == before {
                // Octets in the clear after the server agreed to TLS: somebody put them there.
                self.imap.abandon();
                return Err(down("octets between STARTTLS and TLS"));
            }
            taken += more;
        }
        Ok(())
    }

    fn lost(&mut self) -> Result<(), MailboxError> {
        self.imap.handle_eof();
        Ok(())
    }

    fn late(&mut self) -> Result<(), MailboxError> {
        self.imap.handle_timeout(Instant::now());
        Ok(())
    }
}

/// Is it about messages or mailboxes, and not "still here"?
fn is_news(untagged: &Untagged) -> bool {
    !matches!(untagged, Untagged::Status(status) if status.code != Some(Code::NotificationOverflow))
}

async fn secured(
    line: Box<dyn Line>,
    place: &Place,
    tls: &Arc<ClientConfig>,
) -> Result<Box<dyn Line>, MailboxError> {
    let name = ServerName::try_from(place.host.clone()).map_err(down)?;
    let stream = TlsConnector::from(tls.clone()).connect(name, line).await.map_err(down)?;
    Ok(Box::new(stream))
}

async fn until<F: Future>(due: Option<Instant>, future: F) -> Option<F::Output> {
    match due {
        Some(due) => timeout_at(due.into(), future).await.ok(),
        None => Some(future.await),
    }
}

fn ok(outcome: Outcome) -> Result<Status, MailboxError> {
    match outcome {
        Outcome::Ok(status) => Ok(status),
        Outcome::No(status) => Err(refused(&status)),
        Outcome::Bad(status) => Err(MailboxError::Ours(format!("BAD: {}", status.text))),
        Outcome::Lost(lost) | Outcome::Unsent(lost) => Err(down(lost)),
    }
}

/// What a NO means; without a code that says more, the same later may do.
fn refused(status: &Status) -> MailboxError {
    let reason = match &status.code {
        Some(Code::Reason(reason)) => reason.as_str(),
        Some(Code::TryCreate) => "NONEXISTENT",
        _ => "",
    };
    match reason {
        "NONEXISTENT" => MailboxError::NoSuchFolder,
        "ALREADYEXISTS" => MailboxError::NameTaken,
        "OVERQUOTA" => MailboxError::Full,
        "TOOBIG" => MailboxError::TooLarge,
        "NOPERM" => MailboxError::NotAllowed("the mail server does not permit it"),
        "CANNOT" => MailboxError::NotAllowed("the mail server cannot do it"),
        _ => down(format!("NO {reason} {}", status.text)),
    }
}

fn down(why: impl std::fmt::Display) -> MailboxError {
    MailboxError::Down(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use imap_sans::{Mailbox, StatusItem};
    use tokio::net::TcpListener;

    const HASTY: Limits = Limits { silence_max: Duration::from_millis(200), ..Limits::DEFAULT };

    fn tls() -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let roots = rustls::RootCertStore::empty();
        Arc::new(config.unwrap().with_root_certificates(roots).with_no_client_auth())
    }

    /// A server that greets, then says its lines one after each thing it reads, then hangs up or keeps silent.
    async fn server(lines: &'static [&'static str], hang_up: bool) -> Place {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            for (nth, line) in lines.iter().enumerate() {
                if nth > 0 && !matches!(stream.read(&mut buffer).await, Ok(n) if n > 0) {
                    return;
                }
                stream.write_all(line.as_bytes()).await.unwrap();
            }
            while !hang_up && matches!(stream.read(&mut buffer).await, Ok(n) if n > 0) {}
        });
        Place { host: "127.0.0.1".into(), port, security: Security::None }
    }

    async fn asked(lines: &'static [&'static str], hang_up: bool) -> Result<Answer, MailboxError> {
        let place = server(lines, hang_up).await;
        let mut link = Link::connect(&place, &tls(), HASTY).await?;
        let status =
            Command::Status { mailbox: Mailbox::inbox(), items: vec![StatusItem::Messages] };
        link.run(status).await
    }

    #[tokio::test]
    async fn an_answer_is_whole_or_an_error() {
        let answer =
            asked(&["* PREAUTH hi\r\n", "* STATUS INBOX (MESSAGES 3)\r\nR1 OK\r\n"], false);
        assert_eq!(answer.await.unwrap().data.len(), 1);
        for (lines, hang_up) in [
            (&["* PREAUTH hi\r\n", "* STATUS INBOX (MESSAGES 3)\r\n"][..], true),
            (&["* PREAUTH hi\r\n", "* STATUS INBOX (MESSAGES 3)\r\n"], false),
            (&["* PREAUTH hi\r\n", "* BYE restarting\r\n"], false),
            (&["* PREAUTH hi\r\n", "* STATUS garbled\r\nR1 OK\r\n"], false),
            (&["* PREAUTH hi\r\n", "R1 NO [UNAVAILABLE] later\r\n"], false),
            (&["* BYE too many connections\r\n"], false),
            (&["HTTP/1.1 400 Bad Request\r\n"], false),
            (&[], false),
            (&[], true),
        ] {
            let answer = asked(lines, hang_up).await;
            assert!(
                matches!(answer, Err(MailboxError::Down(_))),
                "{lines:?} {hang_up}: {answer:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_no_says_what_it_is() {
        let said = asked(&["* PREAUTH hi\r\n", "R1 NO [NONEXISTENT] none\r\n"], false).await;
        assert!(matches!(said, Err(MailboxError::NoSuchFolder)));
        let said = asked(&["* PREAUTH hi\r\n", "R1 NO [OVERQUOTA] full\r\n"], false).await;
        assert!(matches!(said, Err(MailboxError::Full)));
        let said = asked(&["* PREAUTH hi\r\n", "R1 BAD what?\r\n"], false).await;
        assert!(matches!(said, Err(MailboxError::Ours(_))));
    }

    #[tokio::test]
    async fn nothing_in_the_clear_is_taken_for_tls() {
        for lines in [
            &["* PREAUTH hi\r\n"][..],
            &["* OK hi\r\n", "R1 OK go\r\n* CAPABILITY injected\r\n"],
            &["* OK hi\r\n", "R1 BAD no TLS here\r\n"],
            &["* OK hi\r\n", "R1 OK go\r\n", "not TLS\r\n"],
        ] {
            let place = Place { security: Security::StartTls, ..server(lines, true).await };
            assert!(Link::connect(&place, &tls(), HASTY).await.is_err(), "{lines:?}");
        }
    }
}
