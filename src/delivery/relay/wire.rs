//! One SMTP connection (RFC 5321) as a client: commands, replies, extensions, STARTTLS, AUTH and the octets of a mail.
//!
//! - **Every step has a deadline**, and so has the whole conversation before the mail: a server that never greets, stops in the middle
//!   or drips an octet at a time costs no more than that.
//! - **Replies are bounded**, and what was said before TLS is not believed after it: octets that came early end the connection.
//! - **No command carries a line end** that was not written here.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::{RelaySettings, Security};
use crate::keyring::{Credential, CredentialKind};

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A reply: its code and its text, line by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) lines: Vec<String>,
}

impl Reply {
    /// The text of its first line.
    pub(super) fn words(&self) -> String {
        self.lines.first().cloned().unwrap_or_default()
    }

    /// Code and text in one line.
    pub(super) fn text(&self) -> String {
        format!("{} {}", self.code, self.lines.join(" "))
    }

    /// Never, rather than not now.
    pub(super) fn is_for_good(&self) -> bool {
        self.code / 100 == 5
    }
}

/// Why a step came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server said no: 4xx or 5xx.
    Said(Reply),
    /// No reply, or none that is one.
    Broken(String),
}

impl Failure {
    /// In words, for the sender and the log.
    pub(super) fn text(&self) -> String {
        match self {
            Failure::Said(reply) => reply.text(),
            Failure::Broken(why) => why.clone(),
        }
    }
}

/// What the server says it can do (RFC 5321 4.1.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Features {
    /// SIZE (RFC 1870): it is announced at all.
    pub(super) size: bool,
    /// The most octets of a mail, where there is a limit.
    pub(super) octets_max: Option<u64>,
    /// 8BITMIME (RFC 6152).
    pub(super) eight_bit: bool,
    /// SMTPUTF8 (RFC 6531).
    pub(super) utf8: bool,
    /// STARTTLS (RFC 3207).
    pub(super) start_tls: bool,
    /// AUTH (RFC 4954): the mechanisms, in capitals.
    pub(super) auth: Vec<String>,
}

impl Features {
    fn read(reply: &Reply) -> Features {
        let mut features = Features::default();
        for line in reply.lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            let mut words = line.split_ascii_whitespace();
            match words.next().unwrap_or_default() {
                "SIZE" => {
                    features.size = true;
                    let octets = words.next().and_then(|word| word.parse().ok());
                    features.octets_max = octets.filter(|octets| *octets > 0);
                }
                "8BITMIME" => features.eight_bit = true,
                "SMTPUTF8" => features.utf8 = true,
                "STARTTLS" => features.start_tls = true,
                "AUTH" => features.auth.extend(words.map(str::to_owned)),
                // As servers announced it before RFC 2554.
                old if old.starts_with("AUTH=") => {
                    features.auth.push(old["AUTH=".len()..].to_owned());
                    features.auth.extend(words.map(str::to_owned));
                }
                _ => (),
            }
        }
        features
    }
}

/// A connection that has been greeted.
pub(super) struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    step_max: Duration,
    until: Instant,
    features: Features,
}

impl Connection {
    /// Connects, is greeted, says hello and brings TLS up as the settings want it.
    pub(super) async fn open(
        settings: &RelaySettings,
        tls: Option<&Arc<ClientConfig>>,
    ) -> Result<Connection, Failure> {
        let until = Instant::now() + settings.dialog_timeout;
        let place = (settings.host.as_str(), settings.port);
        let connecting = timeout(settings.command_timeout, TcpStream::connect(place));
        let tcp = connecting.await.map_err(|_| late())?.map_err(|error| broken(&error))?;
        tcp.set_nodelay(true).map_err(|error| broken(&error))?;
        let mut stream: Box<dyn Stream> = Box::new(tcp);
        if let (Security::Tls, Some(tls)) = (settings.security, tls) {
            stream = secured(stream, settings, tls).await?;
        }
        let mut connection = Connection {
            stream: BufReader::new(stream),
            step_max: settings.command_timeout,
            until,
            features: Features::default(),
        };
        connection.reply().await?;
        connection.hello(&settings.hello).await?;
        match (settings.security, tls) {
            (Security::StartTls, Some(tls)) => connection.start_tls(settings, tls).await,
            _ => Ok(connection),
        }
    }

    /// What the server says it can do.
    pub(super) fn features(&self) -> &Features {
        &self.features
    }

    async fn hello(&mut self, name: &str) -> Result<(), Failure> {
        let reply = match self.command(&format!("EHLO {name}")).await {
            // RFC 5321 3.2: a server that knows no extensions.
            Err(Failure::Said(reply)) if matches!(reply.code, 500 | 502 | 504) => {
                self.command(&format!("HELO {name}")).await?
            }
            other => other?,
        };
        self.features = Features::read(&reply);
        Ok(())
    }

    async fn start_tls(
        mut self,
        settings: &RelaySettings,
        tls: &Arc<ClientConfig>,
    ) -> Result<Connection, Failure> {
        if !self.features.start_tls {
            return Err(Failure::Broken("the relay offers no STARTTLS".to_owned()));
        }
        self.command("STARTTLS").await?;
        if !self.stream.buffer().is_empty() {
            return Err(Failure::Broken("somebody spoke before TLS was up".to_owned()));
        }
        let stream = secured(self.stream.into_inner(), settings, tls).await?;
        let mut secure = Connection { stream: BufReader::new(stream), ..self };
        secure.hello(&settings.hello).await?;
        Ok(secure)
    }

    /// Signs in, by the best way that both sides know, and says hello once more: a service that passes mail on to another server can do
    /// what that one can, and says so only now.
    pub(super) async fn sign_in(
        &mut self,
        credential: &Credential,
        hello: &str,
    ) -> Result<(), Failure> {
        self.prove(credential).await?;
        self.hello(hello).await
    }

    async fn prove(&mut self, credential: &Credential) -> Result<(), Failure> {
        let known = match credential.kind {
            CredentialKind::Password => ["PLAIN", "LOGIN"],
            CredentialKind::Bearer => ["OAUTHBEARER", "XOAUTH2"],
        };
        let offered = |name: &&&str| self.features.auth.iter().any(|offered| offered == **name);
        let Some(mechanism) = known.iter().find(offered).copied() else {
            return Err(Failure::Said(Reply {
                code: 504,
                lines: vec!["5.7.4 the relay offers no way to sign in that we know".to_owned()],
            }));
        };
        let (login, secret) = (credential.login.as_str(), credential.secret.reveal());
        match mechanism {
            "PLAIN" => {
                let response = Zeroizing::new(format!("\0{login}\0{secret}"));
                self.authenticate(mechanism, &response, "*").await
            }
            "LOGIN" => {
                self.command("AUTH LOGIN").await?;
                self.respond(login).await?;
                self.respond(secret).await.map(drop)
            }
            // RFC 7628 3.1; in a gs2 header, `,` and `=` of a name are written otherwise.
            "OAUTHBEARER" => {
                let name = login.replace('=', "=3D").replace(',', "=2C");
                let response =
                    Zeroizing::new(format!("n,a={name},\x01auth=Bearer {secret}\x01\x01"));
                // The server tells why in a challenge, which is answered with this octet.
                self.authenticate(mechanism, &response, "AQ==").await
            }
            _ => {
                let response =
                    Zeroizing::new(format!("user={login}\x01auth=Bearer {secret}\x01\x01"));
                self.authenticate(mechanism, &response, "").await
            }
        }
    }

    /// AUTH with its first response, in the same line where it fits into one (RFC 4954 4).
    async fn authenticate(
        &mut self,
        mechanism: &str,
        response: &str,
        to_challenge: &str,
    ) -> Result<(), Failure> {
        let coded = Zeroizing::new(BASE64.encode(response));
        let whole = Zeroizing::new(format!("AUTH {mechanism} {}", coded.as_str()));
        let mut reply = if whole.len() <= COMMAND_OCTETS_MAX {
            self.command(&whole).await?
        } else {
            self.command(&format!("AUTH {mechanism}")).await?;
            self.command(&coded).await?
        };
        if reply.code == CHALLENGE {
            reply = self.command(to_challenge).await?;
        }
        match reply.code {
            CHALLENGE => Err(Failure::Broken("the relay asks and asks".to_owned())),
            _ => Ok(()),
        }
    }

    async fn respond(&mut self, response: &str) -> Result<Reply, Failure> {
        let coded = Zeroizing::new(BASE64.encode(response));
        self.command(&coded).await
    }

    /// A command and its reply; a reply that is no is a [`Failure`].
    pub(super) async fn command(&mut self, line: &str) -> Result<Reply, Failure> {
        if line.bytes().any(|octet| octet.is_ascii_control()) {
            return Err(Failure::Broken("a command with a line end in it".to_owned()));
        }
        let whole = Zeroizing::new(format!("{line}\r\n"));
        let limit = self.limit();
        let written = timeout_at(limit, async {
            self.stream.write_all(whole.as_bytes()).await?;
            self.stream.flush().await
        });
        written.await.map_err(|_| late())?.map_err(|error| broken(&error))?;
        self.reply().await
    }

    /// The octets of a mail, after the reply to DATA, without the line that ends them. A failure here means that the server has not
    /// got all of it, and is not answerable for it.
    pub(super) async fn octets(&mut self, raw: &[u8], until: Instant) -> Result<(), Failure> {
        let writing = timeout_at(until, async {
            let mut stuffed = Vec::with_capacity(CHUNK_OCTETS + CHUNK_OCTETS / 8);
            let mut at_line_start = true;
            for chunk in raw.chunks(CHUNK_OCTETS) {
                stuffed.clear();
                at_line_start = stuff(chunk, at_line_start, &mut stuffed);
                self.stream.write_all(&stuffed).await?;
            }
            if !at_line_start {
                self.stream.write_all(b"\r\n").await?;
            }
            self.stream.flush().await
        });
        match writing.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                // A server that has had enough says so before it hangs up.
                self.until = Instant::now() + LAST_WORDS;
                match self.reply().await {
                    Err(Failure::Said(reply)) => Err(Failure::Said(reply)),
                    _ => Err(broken(&error)),
                }
            }
            Err(_) => Err(late()),
        }
    }

    /// The line that ends a mail, and what the server says to it.
    pub(super) async fn end(&mut self, until: Instant) -> Result<Reply, Failure> {
        (self.until, self.step_max) = (until, until.saturating_duration_since(Instant::now()));
        self.command(".").await
    }

    /// Takes leave; whatever comes of it changes nothing.
    pub(super) async fn quit(&mut self) {
        self.until = Instant::now() + LAST_WORDS;
        let _goodbye = self.command("QUIT").await;
    }

    fn limit(&self) -> Instant {
        (Instant::now() + self.step_max).min(self.until)
    }

    async fn reply(&mut self) -> Result<Reply, Failure> {
        let limit = self.limit();
        let reply = timeout_at(limit, read_reply(&mut self.stream)).await.map_err(|_| late())?;
        let reply = reply.map_err(|error| broken(&error))?;
        if matches!(reply.code / 100, 2 | 3) { Ok(reply) } else { Err(Failure::Said(reply)) }
    }
}

async fn secured(
    stream: Box<dyn Stream>,
    settings: &RelaySettings,
    tls: &Arc<ClientConfig>,
) -> Result<Box<dyn Stream>, Failure> {
    let name = ServerName::try_from(settings.host.clone())
        .map_err(|_| Failure::Broken("the name of the relay is none a certificate has".into()))?;
    let shaking = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
    let shaken = timeout(settings.command_timeout, shaking).await.map_err(|_| late())?;
    Ok(Box::new(shaken.map_err(|error| broken(&error))?))
}

/// Reads lines up to the last of a reply (RFC 5321 4.2), no more than a bound of them.
async fn read_reply(stream: &mut BufReader<Box<dyn Stream>>) -> io::Result<Reply> {
    let mut reply = Reply { code: 0, lines: Vec::new() };
    let mut octets = 0;
    loop {
        let line = read_line(stream, REPLY_OCTETS_MAX - octets).await?;
        octets += line.len();
        let line = String::from_utf8_lossy(&line);
        let code = line.get(..3).and_then(|code| code.parse::<u16>().ok());
        let Some(code) = code.filter(|code| (200..600).contains(code)) else {
            return Err(io::Error::other("the relay said what is no reply"));
        };
        if reply.code != 0 && reply.code != code {
            return Err(io::Error::other("the relay said two things at once"));
        }
        reply.code = code;
        let mut rest = line[3..].chars();
        let mark = rest.next();
        let printable = rest.filter(|c| !c.is_control());
        reply.lines.push(printable.collect());
        if mark != Some('-') {
            return Ok(reply);
        }
    }
}

/// A line without its end. Bounded whatever comes.
async fn read_line(
    stream: &mut BufReader<Box<dyn Stream>>,
    octets_max: usize,
) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    loop {
        let buffer = stream.fill_buf().await?;
        if buffer.is_empty() {
            return Err(io::Error::other("the relay hung up"));
        }
        let end = memchr::memchr(b'\n', buffer);
        let taken = end.map_or(buffer.len(), |end| end + 1);
        if line.len() + taken > octets_max {
            return Err(io::Error::other("the relay says too much"));
        }
        line.extend_from_slice(&buffer[..taken]);
        stream.consume(taken);
        if end.is_some() {
            line.truncate(line.trim_ascii_end().len());
            return Ok(line);
        }
    }
}

/// Doubles a dot at the start of a line (RFC 5321 4.5.2). Says whether what follows starts a line.
fn stuff(chunk: &[u8], mut at_line_start: bool, out: &mut Vec<u8>) -> bool {
    let mut rest = chunk;
    while !rest.is_empty() {
        if at_line_start && rest[0] == b'.' {
            out.push(b'.');
        }
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        out.extend_from_slice(&rest[..end]);
        at_line_start = rest[end - 1] == b'\n';
        rest = &rest[end..];
    }
    at_line_start
}

fn late() -> Failure {
    Failure::Broken("the relay did not answer in time".to_owned())
}

fn broken(error: &io::Error) -> Failure {
    Failure::Broken(error.to_string())
}

/// The server wants to hear more (RFC 4954 4).
const CHALLENGE: u16 = 334;
/// A command line without its end (RFC 5321 4.5.3.1.4).
const COMMAND_OCTETS_MAX: usize = 510;
/// A reply with all its lines, in octets.
const REPLY_OCTETS_MAX: usize = 64 * 1024;
/// Octets of a mail written at once.
const CHUNK_OCTETS: usize = 64 * 1024;
/// What is still listened to when everything has been said.
const LAST_WORDS: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(lines: &[&str]) -> Reply {
        Reply { code: 250, lines: lines.iter().map(|line| (*line).to_owned()).collect() }
    }

    #[test]
    fn keywords_are_read_in_any_case_and_the_greeting_is_none() {
        let said =
            ["SIZE 8BITMIME", "size 1000", "8bitmime", "smtputf8", "StartTLS", "Auth plain Login"];
        let features = Features::read(&reply(&said));
        assert_eq!(features.octets_max, Some(1000));
        assert!(features.size && features.eight_bit && features.utf8 && features.start_tls);
        assert_eq!(features.auth, ["PLAIN", "LOGIN"]);
        let without = Features::read(&reply(&["x", "SIZE", "AUTH=PLAIN", "XYZ"]));
        assert!(without.size && without.octets_max.is_none() && without.auth == ["PLAIN"]);
        assert_eq!(Features::read(&reply(&["x", "SIZE 0"])).octets_max, None, "no limit");
    }

    #[test]
    fn dots_are_doubled_across_chunks_and_only_at_the_start_of_lines() {
        let mail = b".a\r\n..b\r\nc.\r\n.\r\n";
        for cut in 0..=mail.len() {
            let mut out = Vec::new();
            let start = stuff(&mail[..cut], true, &mut out);
            let start = stuff(&mail[cut..], start, &mut out);
            assert_eq!(out, b"..a\r\n...b\r\nc.\r\n..\r\n", "cut at {cut}");
            assert!(start);
        }
        assert!(!stuff(b"x", true, &mut Vec::new()));
    }

    #[tokio::test]
    async fn replies_are_read_whole_bounded_and_of_one_code() {
        let read = async |said: &[u8]| {
            let stream: Box<dyn Stream> =
                Box::new(tokio::io::join(io::Cursor::new(said.to_vec()), tokio::io::sink()));
            read_reply(&mut BufReader::new(stream)).await
        };
        let whole = read(b"250-one\r\n250-\r\n250 t\x07wo\r\n").await.unwrap();
        assert_eq!(whole, reply(&["one", "", "two"]));
        assert_eq!(read(b"354\n").await.unwrap(), Reply { code: 354, lines: vec![String::new()] });
        let long = [b"250-".to_vec(), vec![b'x'; REPLY_OCTETS_MAX]].concat();
        let endless = b"250-x\r\n".repeat(REPLY_OCTETS_MAX / 7 + 1);
        let wrong =
            [&b"250-a\r\n550 b\r\n"[..], b"hello\r\n", b"99 x\r\n", b"", b"250", &long, &endless];
        for said in wrong {
            assert!(read(said).await.is_err(), "{:?}", &said[..said.len().min(20)]);
        }
    }
}
