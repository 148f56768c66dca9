//! A relay for tests: a real SMTP server on loopback that behaves as it is told.

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
}

impl FakeRelay {
    pub(super) async fn start() -> FakeRelay {
        FakeRelay::listen(None).await
    }

    /// A relay that speaks TLS from the first byte, as `localhost`; with the PEM of whoever vouches for it.
    pub(super) async fn start_tls() -> (FakeRelay, Vec<u8>) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        (FakeRelay::listen(Some(acceptor)).await, made.cert.pem().into_bytes())
    }

    async fn listen(tls: Option<TlsAcceptor>) -> FakeRelay {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = FakeRelay {
            port: listener.local_addr().unwrap().port(),
            manners: Arc::default(),
            seen: Arc::default(),
            saw: Arc::default(),
        };
        let (manners, seen) = (Arc::clone(&relay.manners), Arc::clone(&relay.seen));
        let saw = Arc::clone(&relay.saw);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let manners = manners.lock().clone();
                let (seen, saw, tls) = (Arc::clone(&seen), Arc::clone(&saw), tls.clone());
                tokio::spawn(async move {
                    let stream: Box<dyn Stream> = match tls {
                        None => Box::new(stream),
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => Box::new(stream),
                            Err(_) => return,
                        },
                    };
                    // A client that goes away in the middle is part of the story.
                    let _story = serve(stream, manners, &seen, &saw).await;
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

async fn serve(
    stream: Box<dyn Stream>,
    manners: Manners,
    seen: &Mutex<Vec<Seen>>,
    saw: &Notify,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    if manners.never_greets {
        let mut nothing = String::new();
        stream.read_line(&mut nothing).await?;
        return Ok(());
    }
    say(&mut stream, "220 relay").await?;
    let mut mail = Seen { from: String::new(), to: Vec::new(), data: String::new() };
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_owned();
        let reply = match line.get(..4).unwrap_or("") {
            "EHLO" => "250-relay\r\n250-AUTH PLAIN\r\n250 8BITMIME",
            // \0ann\0secret word
            "AUTH" if line == "AUTH PLAIN AGFubgBzZWNyZXQgd29yZA==" => "235 2.7.0 welcome",
            "AUTH" => "535 5.7.8 wrong",
            "MAIL" => {
                mail.from = line;
                manners.to_mail.unwrap_or("250 ok")
            }
            "RCPT" => {
                let answer = manners.to_rcpt.iter().find(|(part, _)| line.contains(part));
                let reply = answer.map_or("250 ok", |(_, reply)| *reply);
                if reply.starts_with('2') {
                    mail.to.push(line);
                }
                reply
            }
            "DATA" => {
                say(&mut stream, "354 go").await?;
                mail.data = data(&mut stream).await?;
                seen.lock().push(mail.clone());
                saw.notify_one();
                if manners.drops_after_data {
                    return Ok(());
                }
                manners.to_data.unwrap_or("250 2.0.0 taken")
            }
            _ => "221 bye",
        };
        say(&mut stream, reply).await?;
    }
}

async fn data(stream: &mut BufReader<Box<dyn Stream>>) -> std::io::Result<String> {
    let mut data = String::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        if line == ".\r\n" {
            return Ok(data);
        }
        data += line.strip_prefix('.').unwrap_or(&line);
    }
}

async fn say(stream: &mut BufReader<Box<dyn Stream>>, line: &str) -> std::io::Result<()> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    stream.flush().await
}
