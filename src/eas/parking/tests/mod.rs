//! The listener over real sockets and real TLS on loopback, spoken to byte by byte.

mod draining;
mod refusals;
mod talk;
mod waits;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use conformance::conforms;
use http::StatusCode;
use parking_lot::Mutex;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::client::TlsStream;

use super::answer::CHUNK_BYTES;
use super::line::Line;
use crate::clock::{Clock, Timestamp};
use crate::eas::endpoint::Draining;
use crate::eas::tls::{Identity, self_signed, server_config};
use crate::eas::{
    Answer, BoxFuture, Endpoint, Handler, Incoming, Limits, Outcome, Pass, Plain, Settings,
    Stopping, Waiting,
};

/// A gateway of one listener; requests are answered as their query asks.
struct Gateway {
    endpoint: Endpoint,
    desk: Arc<Desk>,
    plain: std::net::SocketAddr,
    tls: std::net::SocketAddr,
    root: CertificateDer<'static>,
    parked: mpsc::UnboundedReceiver<oneshot::Sender<String>>,
    events: mpsc::UnboundedReceiver<&'static str>,
}

struct Desk {
    parked: mpsc::UnboundedSender<oneshot::Sender<String>>,
    events: mpsc::UnboundedSender<&'static str>,
    drain: Arc<Drain>,
    handled: AtomicUsize,
    last: Mutex<String>,
}

/// Content whose gate closes after a number of questions.
#[derive(Debug)]
struct Drain {
    bytes: Bytes,
    leave: AtomicI64,
    wrote: AtomicUsize,
    begun: AtomicBool,
    events: mpsc::UnboundedSender<&'static str>,
}

#[derive(Debug)]
struct Handed(Arc<Drain>);

impl Draining for Handed {
    fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }
    fn may_continue(&self) -> bool {
        self.0.leave.fetch_sub(1, Ordering::SeqCst) > 0
    }
    fn wrote(&self, total: usize) {
        assert!(self.0.wrote.swap(total, Ordering::SeqCst) <= total);
        if !self.0.begun.swap(true, Ordering::SeqCst) {
            let _ = self.0.events.send("begun");
        }
    }
    fn finished(&self, whole: bool) {
        let _ = self.0.events.send(if whole { "whole" } else { "partial" });
    }
}

/// A wait that ends when the test says so, and reports when it is dropped before.
struct Hang {
    parked: mpsc::UnboundedSender<oneshot::Sender<String>>,
    gone: Gone,
}

struct Gone(mpsc::UnboundedSender<&'static str>, bool);

impl Gone {
    fn was_answered(&mut self) {
        self.1 = true;
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = self.0.send(if self.1 { "answered" } else { "gone" });
    }
}

impl Waiting for Hang {
    fn farewell(&self) -> Option<Answer> {
        Some(Answer::plain(StatusCode::OK, Plain::without_content("farewell")))
    }
    fn wait(self: Box<Self>) -> BoxFuture<'static, Answer> {
        let (wake, woken) = oneshot::channel();
        let Hang { parked, mut gone } = *self;
        Box::pin(async move {
            let _ = parked.send(wake);
            let text = woken.await.expect("the test wakes or drops the connection");
            gone.was_answered();
            Answer::plain(StatusCode::OK, Plain::without_content(text))
        })
    }
}

impl Handler for Arc<Desk> {
    fn admits<'a>(&'a self, request: &'a Incoming) -> BoxFuture<'a, Result<Pass, Answer>> {
        let refused = request.query == "stranger";
        let pass = Gone(self.events.clone(), false);
        Box::pin(async move {
            match refused {
                true => Err(Answer::empty(StatusCode::UNAUTHORIZED)),
                false => Ok(Box::new(pass) as Pass),
            }
        })
    }
    fn handle(&self, request: Incoming) -> BoxFuture<'static, Outcome> {
        let desk = Arc::clone(self);
        Box::pin(async move {
            desk.handled.fetch_add(1, Ordering::SeqCst);
            *desk.last.lock() =
                format!("{} {} {}", request.peer.ip(), request.secure, request.path);
            let text = match request.query.as_str() {
                "wait" => {
                    let gone = Gone(desk.events.clone(), false);
                    return Outcome::Wait(Box::new(Hang { parked: desk.parked.clone(), gone }));
                }
                "drain" => return Answer::draining(Box::new(Handed(desk.drain.clone()))).into(),
                "panic" => panic!("asked for"),
                "stuck" => {
                    let (go, on) = oneshot::channel();
                    let _ = desk.parked.send(go);
                    on.await.expect("the test lets it go on")
                }
                "empty" => return Answer::empty(StatusCode::OK).into(),
                "length" => request.body.len().to_string(),
                _ => String::from_utf8_lossy(&request.body).into_owned(),
            };
            Answer::plain(StatusCode::OK, Plain::without_content(text)).into()
        })
    }
}

impl Gateway {
    async fn open(settings: Settings) -> Gateway {
        Gateway::with_drain(settings, 0, 0).await
    }

    async fn usual() -> Gateway {
        Gateway::open(Settings::default()).await
    }

    async fn with_drain(settings: Settings, bytes: usize, leave: i64) -> Gateway {
        let (parking, parked) = mpsc::unbounded_channel();
        let (happening, events) = mpsc::unbounded_channel();
        let drain = Drain {
            bytes: Bytes::from(vec![b'm'; bytes]),
            leave: AtomicI64::new(leave),
            wrote: AtomicUsize::new(0),
            begun: AtomicBool::new(false),
            events: happening.clone(),
        };
        let desk = Arc::new(Desk {
            parked: parking,
            events: happening,
            drain: Arc::new(drain),
            handled: AtomicUsize::new(0),
            last: Mutex::default(),
        });
        let clock = Clock::manual(Timestamp(1_795_507_200_000));
        let endpoint = Endpoint::new(Arc::new(Arc::clone(&desk)), settings, clock);
        let (certificate, key) =
            self_signed(&["localhost".to_owned()], Clock::system().now()).unwrap();
        let identity = Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        let root = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let plain = listener.local_addr().unwrap();
        endpoint.serve_plain(listener).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tls = listener.local_addr().unwrap();
        endpoint.serve_tls(listener, server_config(Arc::new(identity)).unwrap()).unwrap();
        Gateway { endpoint, desk, plain, tls, root, parked, events }
    }

    async fn phone(&self) -> Phone<TcpStream> {
        Phone(TcpStream::connect(self.plain).await.unwrap())
    }

    async fn tls_phone(&self) -> Phone<TlsStream<TcpStream>> {
        self.handshake(&rustls::version::TLS13, &[]).await.unwrap()
    }

    async fn handshake(
        &self,
        version: &'static rustls::SupportedProtocolVersion,
        protocols: &[&[u8]],
    ) -> std::io::Result<Phone<TlsStream<TcpStream>>> {
        let stream = TcpStream::connect(self.tls).await.unwrap();
        self.over(stream, version, protocols).await
    }

    async fn over(
        &self,
        stream: TcpStream,
        version: &'static rustls::SupportedProtocolVersion,
        protocols: &[&[u8]],
    ) -> std::io::Result<Phone<TlsStream<TcpStream>>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("localhost").unwrap();
        Ok(Phone(connector.connect(name, stream).await?))
    }
}

struct Phone<S>(S);

impl<S: AsyncRead + AsyncWrite + Unpin> Phone<S> {
    async fn says(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    async fn posts(&mut self, query: &str, body: &str) {
        self.says(post(query, "", body)).await;
    }

    /// One answer: its head, its body.
    async fn hears(&mut self) -> (String, String) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.expect("an answer"));
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.0.read_exact(&mut body).await.unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    async fn hears_body(&mut self) -> String {
        let (head, body) = self.hears().await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        body
    }

    async fn hears_status(&mut self) -> u16 {
        self.hears().await.0[9..12].parse().unwrap()
    }

    /// What comes until the end of the stream, however it ends.
    async fn hears_the_end(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest).await;
        rest
    }
}

fn post(query: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /Microsoft-Server-ActiveSync?{query} HTTP/1.1\r\nHost: mail\r\n{fields}\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

fn limits(change: impl FnOnce(&mut Limits)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings.limits);
    settings
}
