//! One connection to an IMAP server: everything has a deadline, and an answer is whole or an error.
//!
//! TLS is spoken from the first octet or after STARTTLS, with the server's certificate verified by the configuration handed in;
//! a password never goes out before that unless [`Security::None`] was chosen. After an error that leaves it open what the server
//! has done, the link is closed: the caller makes a new one and looks again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use imap_sans::{
    Code, Command, CommandId, Connection, Done, Event, Fetch, Limits, Outcome, Output, Sasl,
    Status, Untagged, Upgrade,
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

/// The most an answer may take in memory, in bytes, a whole message in it.
const ANSWER_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX + (28 << 20);

/// The most that is gathered of what a server tells by itself, in responses.
const TOLD_MAX: usize = 1_000;

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
    /// What of it could not be read, where the caller can do without.
    pub unread: Option<String>,
}

/// What a server told of by itself.
#[derive(Debug, Default)]
pub struct Heard {
    /// In order.
    pub told: Vec<Untagged>,
    /// Was something said that could not be read? It may have been anything.
    pub is_garbled: bool,
    /// Did the server end the waiting, though nobody asked it to and it had nothing to tell?
    pub is_unasked: bool,
}

impl Heard {
    /// Is there anything to look at?
    pub fn is_news(&self) -> bool {
        self.is_garbled || self.told.iter().any(is_news)
    }
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
    greeting: String,
    line: Box<dyn Line>,
    events: VecDeque<(usize, Event)>,
    /// What all events fetched so far weighed: what is gathered is bounded by it.
    weighed: usize,
    /// Commands that ended before one that was submitted earlier.
    early: Vec<Done>,
    /// The code of the last NO.
    refusal: Option<String>,
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
        let greeting = String::new();
        let (weighed, early, refusal, going) = (0, Vec::new(), None, None);
        let mut link =
            Link { imap, greeting, line, events, weighed, early, refusal, buffer, going };
        match link.next().await? {
            Event::Greeting(status) => link.greeting = status.text,
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

    /// All the server says it can do, as it spelt it; nothing before it has said so.
    pub fn capabilities(&self) -> &[String] {
        self.imap.capabilities().map_or(&[], |known| known.words())
    }

    /// What it said first.
    pub fn greeting(&self) -> &str {
        &self.greeting
    }

    /// Has every command ended? Then somebody else can go on with it.
    pub fn is_quiet(&self) -> bool {
        let is_settled = self.events.is_empty() && self.early.is_empty();
        self.imap.is_idle() && is_settled && self.going.is_none()
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

    /// Does the code of the last NO say that the same later may do (RFC 5530)?
    pub fn may_pass(&self) -> bool {
        matches!(self.refusal.as_deref(), Some("UNAVAILABLE" | "INUSE" | "LIMIT"))
    }

    /// Hangs up.
    pub fn abandon(&mut self) {
        self.imap.abandon();
    }

    /// The same with room for an answer of so many octets.
    pub async fn run_within(
        &mut self,
        command: Command,
        bytes_max: usize,
    ) -> Result<Answer, MailboxError> {
        let id = self.submit(command)?;
        let answer = self.gathered(id, bytes_max).await?;
        self.whole(answer)
    }

    /// Sends a command after those before it, without waiting for its end: for pipelines.
    pub fn submit(&mut self, command: Command) -> Result<CommandId, MailboxError> {
        self.imap.submit(command, Instant::now()).map_err(down)
    }

    /// Gathers what the server says until a command ends. Commands are waited for in the order they were submitted; where the
    /// server ends them in another, what it said for the later is in the earlier's answer.
    pub async fn ended(&mut self, id: CommandId) -> Result<Answer, MailboxError> {
        let answer = self.gathered(id, ANSWER_BYTES_MAX).await?;
        self.whole(answer)
    }

    /// The same for who can do without what could not be read, and asks for it again.
    pub async fn ended_in_part(&mut self, id: CommandId) -> Result<Answer, MailboxError> {
        self.gathered(id, ANSWER_BYTES_MAX).await
    }

    /// An answer of which something could not be read is none, and nobody knows what follows it.
    fn whole(&mut self, answer: Answer) -> Result<Answer, MailboxError> {
        match answer.unread {
            Some(what) => {
                self.imap.abandon();
                Err(down(format!("an answer could not be read: {what}")))
            }
            None => Ok(answer),
        }
    }

    async fn gathered(&mut self, id: CommandId, bytes_max: usize) -> Result<Answer, MailboxError> {
        let mut data = Vec::new();
        let mut streamed: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let (mut octets_in_all, mut skipped) = (0, None);
        if let Some(at) = self.early.iter().position(|done| done.id == id) {
            return answer(self.early.swap_remove(at), data, streamed, skipped);
        }
        let before = self.weighed;
        loop {
            let event = self.next().await?;
            if self.weighed - before > bytes_max {
                self.imap.abandon();
                return Err(down("the server says more than was asked, without end"));
            }
            match event {
                Event::Untagged(untagged) => data.push(untagged),
                Event::LiteralPiece { literal, octets, .. } => {
                    octets_in_all += octets.len();
                    // What is too much is heard to its end and not kept, so that the connection goes on.
                    if octets_in_all > MESSAGE_BYTES_MAX {
                        streamed.clear();
                    } else {
                        streamed.entry(literal).or_default().extend(octets);
                    }
                }
                Event::Done(done) if done.id == id => {
                    self.refusal = refusal(&done.outcome);
                    if octets_in_all > MESSAGE_BYTES_MAX {
                        return ok(done.outcome).and(Err(MailboxError::TooLarge));
                    }
                    return answer(*done, data, streamed, skipped);
                }
                Event::Done(done) => self.early.push(*done),
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
    pub async fn idle(&mut self, stop: impl Future<Output = ()>) -> Result<Heard, MailboxError> {
        let id = self.submit(Command::Idle)?;
        let mut heard = Heard::default();
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
                Event::Untagged(untagged) if heard.told.len() < TOLD_MAX => {
                    heard.told.push(untagged);
                }
                Event::Untagged(_) | Event::Skipped { .. } => heard.is_garbled = true,
                Event::Done(done) if done.id == id => {
                    heard.is_unasked = !is_stopping;
                    return ok(done.outcome).map(|_| heard);
                }
                Event::Closed(lost) => return Err(down(lost)),
                _ => {}
            }
            if !is_stopping && heard.is_news() {
                is_stopping = true;
                self.imap.done(Instant::now());
            }
        }
    }

    /// Waits, with no command out, until the server tells of something by itself (RFC 5465) or `stop` comes; gives what was told.
    pub async fn told(&mut self, stop: impl Future<Output = ()>) -> Result<Heard, MailboxError> {
        let mut stop = std::pin::pin!(stop);
        let mut heard = Heard::default();
        loop {
            let event = tokio::select! {
                event = self.next() => event?,
                () = &mut stop => return Ok(heard),
            };
            match event {
                Event::Untagged(untagged) => heard.told.push(untagged),
                Event::Skipped { .. } => heard.is_garbled = true,
                Event::Closed(lost) => return Err(down(lost)),
                _ => {}
            }
            let is_full = heard.told.len() >= TOLD_MAX;
            if is_full || self.events.is_empty() && heard.is_news() {
                return Ok(heard);
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
            if let Some((weight, event)) = self.events.pop_front() {
                self.weighed += weight;
                return Ok(event);
            }
            self.events.extend(std::iter::from_fn(|| self.imap.poll_weighed_event()));
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
                Some(Ok(n)) if n > 0 => {
                    *gone += n;
                    self.imap.handle_sent(Instant::now());
                }
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
            self.events.extend(std::iter::from_fn(|| self.imap.poll_weighed_event()));
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

fn answer(
    done: Done,
    data: Vec<Untagged>,
    streamed: BTreeMap<u64, Vec<u8>>,
    skipped: Option<String>,
) -> Result<Answer, MailboxError> {
    let status = ok(done.outcome)?;
    let unread = (done.unread > 0).then(|| skipped.unwrap_or_default());
    Ok(Answer { status, data, streamed, unread })
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

fn refusal(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::No(Status { code: Some(Code::Reason(reason)), .. }) => Some(reason.clone()),
        _ => None,
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

/// Whether an error is the server's NO to who somebody says they are: with a code that says so (RFC 5530), or without any.
pub fn is_wrong_credential(error: &MailboxError) -> bool {
    match error {
        MailboxError::NotAllowed(_) => true,
        MailboxError::Down(why) => {
            let code = why.strip_prefix("NO ").map(|rest| rest.split(' ').next());
            code.flatten().is_some_and(|code| NOT_THEIRS.contains(&code))
        }
        _ => false,
    }
}

/// Codes of a NO that is about the credentials; empty where the server gives none.
const NOT_THEIRS: [&str; 5] =
    ["", "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED"];

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

    #[test]
    fn only_a_no_about_the_credentials_is_one() {
        let down = |why: &str| MailboxError::Down(why.to_owned());
        for no in ["NO AUTHENTICATIONFAILED no", "NO  Login failed.", "NO EXPIRED x"] {
            assert!(is_wrong_credential(&down(no)), "{no}");
        }
        for other in ["NO UNAVAILABLE later", "NO LIMIT x", "BYE NO", "no connection in time"] {
            assert!(!is_wrong_credential(&down(other)), "{other}");
        }
        assert!(!is_wrong_credential(&MailboxError::Ours("BAD: x".to_owned())));
    }
}
