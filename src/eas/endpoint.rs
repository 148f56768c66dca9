//! The phone listener: what it hands to the rest of the room, what it takes back, and the loops that accept.
//!
//! Guarantees: a [`Handler`] sees only whole requests for a path we serve, with a method that path knows and a body within
//! its limit; its work runs in a task of its own, so a panic costs one answer and a closed connection does not undo work
//! that has begun; a [`Waiting`] is dropped as soon as its phone is seen to be gone; [`Draining::finished`] is called exactly
//! once for every answer handed in.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use ipnet::IpNet;
use parking_lot::Mutex;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::budget::Share;
use super::parking::{Door, Entrance, House, listen};
use crate::clock::Clock;
use crate::database::Database;
use crate::ids::UserId;
use crate::recall::gate::Released;

pub use super::parking::{Forwarding, Gauge, Place};

/// A future behind a pointer.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One connection of this process; never used again. Behind a reverse proxy it is the proxy's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// A whole request, for a path we serve.
#[derive(Debug)]
pub struct Incoming {
    /// What the path names.
    pub place: Place,
    /// The method, one of those `place` knows.
    pub method: Method,
    /// The path with single slashes and no slash at its end, in the spelling that was sent.
    pub path: String,
    /// The query as sent, without its question mark; empty when there is none.
    pub query: String,
    /// The header fields as sent.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
    /// Who asks: the peer, or, behind a trusted proxy, the address that proxy names (port 0 where it names none).
    pub peer: SocketAddr,
    /// Whether the phone speaks TLS, to us or to a trusted proxy.
    pub secure: bool,
    /// The connection it came by.
    pub connection: ConnectionId,
}

/// What becomes of a request.
pub enum Outcome {
    /// It is answered now.
    Answer(Answer),
    /// A Ping or Sync that hangs ([MS-ASCMD] 2.2.1.13, 2.2.1.21).
    Wait(Box<dyn Waiting>),
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Outcome {
        Outcome::Answer(answer)
    }
}

/// What a large body is let in with: dropped when the request has been handled.
pub type Pass = Box<dyn Send + Sync>;

/// Whoever answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers, or says that the phone is to wait. Runs in a task of its own and is not stopped when the phone goes.
    fn handle(&self, request: Incoming) -> BoxFuture<'static, Outcome>;

    /// Asked before a body of more than 64 kB is taken in; an answer refuses it. `request.body` is empty. The place to
    /// check credentials, so that strangers cannot fill the memory for bodies, and to count bodies by user.
    fn admits<'a>(&'a self, request: &'a Incoming) -> BoxFuture<'a, Result<Pass, Answer>> {
        let _ = request;
        Box::pin(std::future::ready(Ok(Box::new(()) as Pass)))
    }

    /// The answer to a request whose body is over the limit; `request.body` is empty. SendMail wants a Status in it, or
    /// phones send the same mail again for ever ([MS-ASCMD] 2.2.3.177.16).
    fn too_large(&self, request: Incoming) -> BoxFuture<'static, Answer> {
        drop(request);
        Box::pin(std::future::ready(Answer::empty(StatusCode::PAYLOAD_TOO_LARGE)))
    }
}

/// A request that hangs. Polled while its connection is parked, so it should be small; it must end by itself (the heartbeat)
/// and may be dropped at any point, when the phone is gone.
pub trait Waiting: Send {
    /// What to say to the phone when the gateway stops before the wait ends; `None` closes the connection unanswered.
    fn farewell(&self) -> Option<Answer> {
        None
    }

    /// Waits, then answers.
    fn wait(self: Box<Self>) -> BoxFuture<'static, Answer>;
}

/// An answer. `Content-Length`, `Content-Type`, `Date` and `Connection` are the endpoint's own; a `Content-Type` among
/// `headers` replaces the WBXML one.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Further header fields.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Body,
}

impl Answer {
    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Answer {
        Answer { status, headers: Vec::new(), body: Body::Empty }
    }

    /// An answer with bytes that hold no content of a mailbox.
    pub fn plain(status: StatusCode, bytes: Plain) -> Answer {
        Answer { status, headers: Vec::new(), body: Body::Plain(bytes) }
    }

    /// A 200 with content that the gate released. What does not leave whole is noted in the journal of `database`; `share` is
    /// what its octets take of their budget until it has left.
    pub(in crate::eas) fn released(
        content: Released,
        database: Database,
        share: Share<UserId>,
    ) -> Answer {
        Answer::draining(Box::new(Outbound { content, database, _share: share }))
    }

    pub(super) fn draining(draining: Box<dyn Draining>) -> Answer {
        let body = Body::Released(Content { draining, over: false });
        Answer { status: StatusCode::OK, headers: Vec::new(), body }
    }

    /// Hands the body over whole, as to a connection that takes it at once: for who calls a [`Handler`] without a socket. `None`
    /// when something in it has become fenced; then it is cut before its first byte.
    pub fn into_bytes(self) -> Option<Bytes> {
        match self.body {
            Body::Empty => Some(Bytes::new()),
            Body::Plain(plain) => Some(plain.0),
            Body::Released(mut content) => {
                if !content.may_continue() {
                    return None;
                }
                let bytes = content.bytes().clone();
                content.wrote(bytes.len());
                content.finish(true);
                Some(bytes)
            }
        }
    }

    /// The same with one more header field.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Answer {
        self.headers.push((name, value));
        self
    }
}

/// The body of an [`Answer`].
#[derive(Debug)]
pub enum Body {
    /// None; the answer still says `Content-Length: 0` and a type.
    Empty,
    /// Bytes without content.
    Plain(Plain),
    /// Content, with the gate's leave.
    Released(Content),
}

/// Content on its way out; dropped before its end, at whatever point, it counts as not written whole.
#[derive(Debug)]
pub struct Content {
    draining: Box<dyn Draining>,
    over: bool,
}

impl Content {
    pub(super) fn finish(&mut self, whole: bool) {
        if !std::mem::replace(&mut self.over, true) {
            self.draining.finished(whole);
        }
    }
}

impl Content {
    /// The octets, to look at: whoever sends them asks [`Content`]'s gate before every chunk.
    pub fn octets(&self) -> &[u8] {
        self.draining.bytes()
    }

    pub(super) fn bytes(&self) -> &Bytes {
        self.draining.bytes()
    }

    pub(super) fn may_continue(&self) -> bool {
        self.draining.may_continue()
    }

    pub(super) fn wrote(&self, total: usize) {
        self.draining.wrote(total);
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        self.finish(false);
    }
}

/// Bytes that hold no content of any mailbox: statuses, keys, policies, discovery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plain(Bytes);

impl Plain {
    /// States that `bytes` hold nothing out of a mailbox; who calls this answers for it.
    pub fn without_content(bytes: impl Into<Bytes>) -> Plain {
        Plain(bytes.into())
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

/// What the gate let out, on its way. Nothing else that holds content can be written to a phone.
struct Outbound {
    content: Released,
    database: Database,
    _share: Share<UserId>,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.content.fmt(f)
    }
}

impl Draining for Outbound {
    fn bytes(&self) -> &Bytes {
        self.content.bytes()
    }

    fn may_continue(&self) -> bool {
        self.content.may_continue()
    }

    fn wrote(&self, total: usize) {
        self.content.wrote(total);
    }

    fn finished(&self, whole: bool) {
        self.content.finished(whole);
        if whole {
            return;
        }
        let (receipt, database) = (self.content.receipt(), self.database.clone());
        let note = async move {
            if let Err(error) = receipt.note(&database).await {
                tracing::warn!(%error, "cannot note how much of an answer left");
            }
        };
        // Without a runtime the process is ending, and what is not noted counts as sent whole.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(note);
        }
    }
}

/// Content on its way out. The endpoint asks before every chunk and reports after it.
pub(super) trait Draining: Send + Sync + fmt::Debug {
    /// The whole body, encoded.
    fn bytes(&self) -> &Bytes;

    /// Whether no item in it has become fenced. Asked before every chunk and while a chunk is stuck; `false` cuts the
    /// connection.
    fn may_continue(&self) -> bool;

    /// At most `total` bytes of the body have left this process; grows with every chunk.
    fn wrote(&self, total: usize);

    /// It is over: `whole` when every byte was handed to the kernel. Called exactly once.
    fn finished(&self, whole: bool);
}

/// The limits of the phone listener; the defaults suit a few thousand phones.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections altogether.
    pub connections_max: usize,
    /// Open connections of one address (of one /64 with IPv6); trusted proxies are exempt.
    pub connections_per_ip_max: usize,
    /// Time for a TLS handshake.
    pub handshake: Duration,
    /// Time for a request's head, from its first byte.
    pub head: Duration,
    /// Period in which a body has to bring its quota of bytes, or its end.
    pub body_stall: Duration,
    /// Slowest body taken, in bytes per second over each period.
    pub body_rate_min: u32,
    /// Largest request body, in bytes.
    pub body_bytes_max: usize,
    /// All request bodies in memory, in bytes; beyond it requests with a body are answered 503. Bodies of more than 64 kB
    /// share three quarters of it, and wait for their part before they are read.
    pub bodies_bytes_max: usize,
    /// Requests that are handled at a time, waits not counted; the others take turns.
    pub requests_max: usize,
    /// How long a request waits for its turn, and a large body for its part of the memory, before the phone is told to come
    /// again.
    pub turn: Duration,
    /// How long a connection may idle between requests.
    pub idle: Duration,
    /// Time for a handler, after which the phone is told to come again; the work goes on.
    pub handle: Duration,
    /// Longest time for one chunk of an answer (16 kB).
    pub write_stall: Duration,
    /// Kernel send buffer of a connection, in bytes: what has left us and can still be on its way when a fence falls.
    pub send_buffer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 20_000,
            connections_per_ip_max: 1_000,
            handshake: Duration::from_secs(15),
            head: Duration::from_secs(20),
            body_stall: Duration::from_secs(30),
            body_rate_min: 512,
            body_bytes_max: 50 * 1024 * 1024,
            bodies_bytes_max: 512 * 1024 * 1024,
            requests_max: REQUESTS_MAX,
            turn: Duration::from_secs(60),
            idle: Duration::from_secs(15 * 60),
            handle: Duration::from_secs(240),
            write_stall: Duration::from_secs(60),
            send_buffer_bytes: 128 * 1024,
        }
    }
}

/// Requests that are handled at a time, unless the configuration says otherwise.
pub const REQUESTS_MAX: usize = 256;

/// What the listener needs to know.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Limits.
    pub limits: Limits,
    /// Proxies whose word about a phone is taken: in a PROXY header where a listener wants one, and in the fields of a request on
    /// the plain listener.
    pub trusted_proxies: Vec<IpNet>,
    /// Which fields they write.
    pub forwarding: Forwarding,
    /// Whether their connections to the TLS listener begin with a PROXY header.
    pub proxy_protocol: bool,
    /// Whether their connections to the plain listener do.
    pub plain_proxy_protocol: bool,
}

/// How a stop goes.
#[derive(Clone, Copy, Debug)]
pub struct Stopping {
    /// Waiting and idle phones are let go spread over this time, so that they do not all come back at once.
    pub spread: Duration,
    /// Requests that are being handled or written may take this much longer; then they are cut.
    pub patience: Duration,
}

/// The phone listener.
pub struct Endpoint {
    house: Arc<House>,
    proxy_protocol: (bool, bool),
    stop: watch::Sender<Option<Stopping>>,
    listeners: Mutex<Vec<JoinHandle<()>>>,
}

impl Endpoint {
    /// A listener that hands requests to `handler`; it accepts nothing before `serve_*`.
    pub fn new(handler: Arc<dyn Handler>, settings: Settings, clock: Clock) -> Endpoint {
        let (stop, told) = watch::channel(None);
        let proxy_protocol = (settings.proxy_protocol, settings.plain_proxy_protocol);
        let house = Arc::new(House::new(handler, settings, clock, told));
        Endpoint { house, proxy_protocol, stop, listeners: Mutex::new(Vec::new()) }
    }

    /// Serves phones over TLS; see [`super::tls::server_config`].
    pub fn serve_tls(&self, listener: TcpListener, config: Arc<ServerConfig>) -> io::Result<()> {
        self.serve(listener, Entrance::Tls(config), self.proxy_protocol.0)
    }

    /// Serves loopback and the trusted proxies without TLS; everyone else is answered 403.
    pub fn serve_plain(&self, listener: TcpListener) -> io::Result<()> {
        self.serve(listener, Entrance::Plain, self.proxy_protocol.1)
    }

    /// The counters.
    pub fn gauge(&self) -> Arc<Gauge> {
        Arc::clone(self.house.gauge())
    }

    /// Accepts no more, lets everyone go as `stopping` says, and returns when the last connection is closed.
    pub async fn stop(&self, stopping: Stopping) {
        self.stop.send_if_modified(|told| told.replace(stopping).is_none());
        let listeners = std::mem::take(&mut *self.listeners.lock());
        for listener in listeners {
            if let Err(error) = listener.await {
                tracing::error!(%error, "a phone listener ended badly");
            }
        }
    }

    fn serve(
        &self,
        listener: TcpListener,
        entrance: Entrance,
        proxy_protocol: bool,
    ) -> io::Result<()> {
        let address = listener.local_addr()?;
        tracing::info!(%address, tls = matches!(entrance, Entrance::Tls(_)), "listening for phones");
        let house = Arc::clone(&self.house);
        self.listeners.lock().push(tokio::spawn(listen(
            listener,
            Door { entrance, proxy_protocol },
            house,
        )));
        Ok(())
    }
}
