//! A relay for tests: a real SMTP server on loopback that behaves as it is told.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// What a client can be: a socket, or TLS over one.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// How the relay behaves from now on.
#[derive(Clone, Debug, Default)]
pub(super) struct Manners {
    /// Accepts the connection and says nothing.
    pub(super) never_greets: bool,
    /// The reply to MAIL, where it is not 250.
    pub(super) to_mail: Option<&'static str>,
    /// Replies to RCPT by what the address contains.
    pub(super) to_rcpt: Vec<(&'static str, &'static str)>,
    /// The reply after the data, where it is not 250.
    pub(super) to_data: Option<&'static str>,
    /// Takes the data and closes without a reply.
    pub(super) drops_after_data: bool,
    /// Replies to lines that begin so; the first that fits, before anything else.
    pub(super) script: Vec<(&'static str, &'static str)>,
    /// The reply to EHLO after a sign-in, where it is another one.
    pub(super) then_can: Option<&'static str>,
    /// What becomes of the connection instead of a reply, the greeting being the first.
    pub(super) fails_at: Option<(usize, Fault)>,
}

/// How a relay fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It hangs up.
    Cut,
    /// It says nothing more.
    Hang,
    /// It says an octet now and then, and never a whole line.
    Drip,
}

/// A mail the relay has seen, taken or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) data: String,
}

pub(super) struct FakeRelay {
    pub(super) port: u16,
    pub(super) manners: Arc<Mutex<Manners>>,
    pub(super) seen: Arc<Mutex<Vec<Seen>>>,
    pub(super) saw: Arc<Notify>,
    /// Every line that was said to it, the mails themselves not.
    pub(super) heard: Arc<Mutex<Vec<String>>>,
}

impl FakeRelay {
    pub(super) async fn start() -> FakeRelay {
        FakeRelay::listen(None, false).await
    }

    /// A relay that brings TLS up when it is asked to.
    pub(super) async fn start_starttls() -> (FakeRelay, Vec<u8>) {
        let (acceptor, authority) = acceptor();
        (FakeRelay::listen(Some(acceptor), true).await, authority)
    }

    /// A relay that speaks TLS from the first byte, as `localhost`; with the PEM of whoever vouches for it.
    pub(super) async fn start_tls() -> (FakeRelay, Vec<u8>) {
        let (acceptor, authority) = acceptor();
        (FakeRelay::listen(Some(acceptor), false).await, authority)
    }

    async fn listen(tls: Option<TlsAcceptor>, is_upgraded: bool) -> FakeRelay {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = FakeRelay {
            port: listener.local_addr().unwrap().port(),
            manners: Arc::default(),
            seen: Arc::default(),
            saw: Arc::default(),
            heard: Arc::default(),
        };
        let house = House {
            seen: Arc::clone(&relay.seen),
            saw: Arc::clone(&relay.saw),
            heard: Arc::clone(&relay.heard),
            upgrade: tls.clone().filter(|_| is_upgraded),
        };
        let (manners, tls) = (Arc::clone(&relay.manners), tls.filter(|_| !is_upgraded));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let manners = manners.lock().clone();
                let (house, tls) = (house.clone(), tls.clone());
                tokio::spawn(async move {
                    let stream: Box<dyn Stream> = match tls {
                        None => Box::new(stream),
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => Box::new(stream),
                            Err(_) => return,
                        },
                    };
                    // A client that goes away in the middle is part of the story.
                    let _story = house.serve(stream, manners).await;
                });
            }
        });
        relay
    }

    pub(super) fn behaves(&self, manners: Manners) {
        *self.manners.lock() = manners;
    }

    pub(super) fn saw(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }
}

/// Keys for `localhost`, and the PEM of whoever vouches for them.
fn acceptor() -> (TlsAcceptor, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem().into_bytes())
}

/// What the connections of a relay share.
#[derive(Clone)]
struct House {
    seen: Arc<Mutex<Vec<Seen>>>,
    saw: Arc<Notify>,
    heard: Arc<Mutex<Vec<String>>>,
    upgrade: Option<TlsAcceptor>,
}

/// Replies, up to the one at which it fails.
struct Voice {
    replies: usize,
    fails_at: Option<(usize, Fault)>,
}

impl Voice {
    async fn say(&mut self, stream: &mut BufReader<Box<dyn Stream>>, line: &str) -> io::Result<()> {
        self.replies += 1;
        let fault = self.fails_at.filter(|(at, _)| *at == self.replies);
        match fault.map(|(_, fault)| fault) {
            None => {
                stream.write_all(format!("{line}\r\n").as_bytes()).await?;
                stream.flush().await
            }
            Some(Fault::Cut) => Err(io::Error::other("cut")),
            // Until the client has had enough.
            Some(Fault::Hang) => loop {
                if stream.read_line(&mut String::new()).await? == 0 {
                    return Err(io::Error::other("left"));
                }
            },
            Some(Fault::Drip) => loop {
                stream.write_all(b"2").await?;
                stream.flush().await?;
                tokio::time::sleep(DRIP).await;
            },
        }
    }
}

impl House {
    async fn serve(self, stream: Box<dyn Stream>, manners: Manners) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        if manners.never_greets {
            let mut nothing = String::new();
            stream.read_line(&mut nothing).await?;
            return Ok(());
        }
        let mut voice = Voice { replies: 0, fails_at: manners.fails_at };
        voice.say(&mut stream, "220 relay").await?;
        let mut is_signed_in = false;
        let mut mail = Seen { from: String::new(), to: Vec::new(), data: String::new() };
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_owned();
            self.heard.lock().push(line.clone());
            let scripted = manners.script.iter().find(|(start, _)| line.starts_with(start));
            let reply = match line.get(..4).unwrap_or("") {
                "EHLO" if is_signed_in && manners.then_can.is_some() => {
                    manners.then_can.unwrap_or("")
                }
                _ if scripted.is_some() => scripted.map_or("", |(_, reply)| *reply),
                "EHLO" if self.upgrade.is_some() => "250-relay\r\n250-STARTTLS\r\n250 8BITMIME",
                "EHLO" => "250-relay\r\n250-AUTH PLAIN\r\n250 8BITMIME",
                "STAR" if self.upgrade.is_some() => {
                    voice.say(&mut stream, "220 go").await?;
                    let acceptor = self.upgrade.clone().expect("looked at above");
                    let secured: Box<dyn Stream> =
                        Box::new(acceptor.accept(stream.into_inner()).await?);
                    stream = BufReader::new(secured);
                    continue;
                }
                // \0ann\0secret word
                "AUTH" if line == "AUTH PLAIN AGFubgBzZWNyZXQgd29yZA==" => "235 2.7.0 welcome",
                "AUTH" => "535 5.7.8 wrong",
                "MAIL" => manners.to_mail.unwrap_or("250 ok"),
                "RCPT" => {
                    let answer = manners.to_rcpt.iter().find(|(part, _)| line.contains(part));
                    answer.map_or("250 ok", |(_, reply)| *reply)
                }
                "DATA" => {
                    voice.say(&mut stream, "354 go").await?;
                    mail.data = data(&mut stream).await?;
                    self.seen.lock().push(mail.clone());
                    self.saw.notify_one();
                    if manners.drops_after_data {
                        return Ok(());
                    }
                    manners.to_data.unwrap_or("250 2.0.0 taken")
                }
                _ => "221 bye",
            };
            is_signed_in |= reply.starts_with("235");
            if reply.starts_with('2') && line.starts_with("MAIL") {
                mail = Seen { from: line, to: Vec::new(), data: String::new() };
            } else if reply.starts_with('2') && line.starts_with("RCPT") {
                mail.to.push(line);
            }
            voice.say(&mut stream, reply).await?;
        }
    }
}

/// The octets of a mail, each a char.
async fn data(stream: &mut BufReader<Box<dyn Stream>>) -> io::Result<String> {
    let mut data = String::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(io::Error::other("left in the middle"));
        }
        if line == b".\r\n" {
            return Ok(data);
        }
        let line = line.strip_prefix(b".").unwrap_or(&line);
        data.extend(line.iter().map(|octet| char::from(*octet)));
    }
}

/// The pause between octets that drip.
const DRIP: std::time::Duration = std::time::Duration::from_millis(20);
