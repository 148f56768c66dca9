//! The listener over real sockets and real TLS on loopback, spoken to byte by byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
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
use crate::eas::tls::{Identity, self_signed, server_config};
use crate::eas::{
    Answer, BoxFuture, Draining, Endpoint, Handler, Incoming, Limits, Outcome, Plain, Settings,
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
    fn refuses<'a>(&'a self, request: &'a Incoming) -> BoxFuture<'a, Option<Answer>> {
        let refused = request.query == "stranger";
        Box::pin(async move { refused.then(|| Answer::empty(StatusCode::UNAUTHORIZED)) })
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
                "drain" => return Answer::released(Box::new(Handed(desk.drain.clone()))).into(),
                "panic" => panic!("asked for"),
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
        let (certificate, key) = self_signed(&["localhost".to_owned()]).unwrap();
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
        let stream = TcpStream::connect(self.tls).await.unwrap();
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

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let gateway = Gateway::usual().await;
    let (mut plain, mut tls) = (gateway.phone().await, gateway.tls_phone().await);
    for round in 0..3 {
        plain.posts("", &format!("plain {round}")).await;
        tls.posts("", &format!("tls {round}")).await;
        assert_eq!(plain.hears_body().await, format!("plain {round}"));
        assert_eq!(tls.hears_body().await, format!("tls {round}"));
    }
    assert_eq!(gateway.endpoint.gauge().connections(), 2);
}

#[tokio::test]
async fn tls_1_2_and_1_3_speak_only_http_1_1() {
    let gateway = Gateway::usual().await;
    let versions = [&rustls::version::TLS12, &rustls::version::TLS13];
    for version in versions {
        let mut phone = gateway.handshake(version, &[b"h2", b"http/1.1"]).await.unwrap();
        assert_eq!(phone.0.get_ref().1.protocol_version(), Some(version.version));
        assert_eq!(phone.0.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
        phone.posts("", "hello").await;
        assert_eq!(phone.hears_body().await, "hello");
    }
    assert!(gateway.handshake(&rustls::version::TLS13, &[b"h2"]).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_waits_is_woken_and_asks_again() {
    const CROWD: usize = 60;
    let mut gateway = Gateway::usual().await;
    let mut phones = Vec::new();
    for _ in 0..CROWD {
        phones.push(gateway.tls_phone().await);
    }
    for round in 0..3 {
        for phone in &mut phones {
            phone.posts("wait", "").await;
        }
        let mut wakes = Vec::new();
        while wakes.len() < CROWD {
            wakes.push(gateway.parked.recv().await.unwrap());
        }
        for wake in wakes {
            wake.send(round.to_string()).unwrap();
        }
        for phone in &mut phones {
            assert_eq!(phone.hears_body().await, round.to_string());
        }
    }
    drop(phones);
    gateway
        .endpoint
        .stop(Stopping { spread: Duration::ZERO, patience: Duration::from_secs(30) })
        .await;
    assert_eq!(gateway.endpoint.gauge().connections(), 0);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.tls_phone().await;
    phone.says([post("", "", "one"), post("", "", "two"), post("", "", "three")].concat()).await;
    for expected in ["one", "two", "three"] {
        assert_eq!(phone.hears_body().await, expected);
    }
}

#[tokio::test]
async fn an_empty_answer_has_a_type_a_length_and_a_date() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.phone().await;
    phone.posts("empty", "").await;
    let (head, _) = phone.hears().await;
    assert!(head.contains("Content-Length: 0\r\n"), "{head}");
    assert!(head.contains("Content-Type: application/vnd.ms-sync.wbxml\r\n"), "{head}");
    assert!(head.contains("Date: Tue, 24 Nov 2026 08:00:00 GMT\r\n"), "{head}");
}

#[tokio::test]
async fn connection_close_is_honoured() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.tls_phone().await;
    phone.says(post("", "Connection: close\r\n", "bye")).await;
    let (head, body) = phone.hears().await;
    assert_eq!((head.contains("Connection: close\r\n"), body.as_str()), (true, "bye"));
    let mut rest = Vec::new();
    assert_eq!(phone.0.read_to_end(&mut rest).await.unwrap(), 0, "an orderly close_notify");
}

#[tokio::test]
async fn http_1_0_closes_unless_asked_to_stay() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.phone().await;
    let stay = post("", "Connection: keep-alive\r\n", "a").replace("HTTP/1.1", "HTTP/1.0");
    phone.says(stay).await;
    let (head, _) = phone.hears().await;
    assert!(head.contains("Connection: keep-alive\r\n"), "{head}");
    phone.says(post("", "", "b").replace("HTTP/1.1", "HTTP/1.0")).await;
    let (head, body) = phone.hears().await;
    assert_eq!((head.contains("Connection: close\r\n"), body.as_str()), (true, "b"));
    assert!(phone.hears_the_end().await.is_empty());
}

#[tokio::test]
async fn chunked_bodies_are_read() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.phone().await;
    let head = "POST /microsoft-server-activesync/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    phone
        .says([head, "5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n", &post("", "", "next")].concat())
        .await;
    assert_eq!(phone.hears_body().await, "hello, world");
    assert_eq!(phone.hears_body().await, "next");
}

#[tokio::test]
async fn a_waiting_phone_is_answered_by_its_wake() {
    let mut gateway = Gateway::usual().await;
    let mut phone = gateway.tls_phone().await;
    for round in ["first", "second"] {
        phone.posts("wait", "ping").await;
        let wake = gateway.parked.recv().await.unwrap();
        assert_eq!(gateway.endpoint.gauge().waiting(), 1);
        wake.send(round.to_owned()).unwrap();
        assert_eq!(phone.hears_body().await, round);
        assert_eq!(gateway.events.recv().await, Some("answered"));
    }
    phone.posts("", "after").await;
    assert_eq!(phone.hears_body().await, "after");
    assert_eq!(gateway.endpoint.gauge().waiting(), 0);
}

#[tokio::test]
async fn a_wait_on_a_closing_connection_is_answered_and_closed() {
    let mut gateway = Gateway::usual().await;
    let mut phone = gateway.phone().await;
    phone.says(post("wait", "Connection: close\r\n", "")).await;
    gateway.parked.recv().await.unwrap().send("now".to_owned()).unwrap();
    assert_eq!(phone.hears_body().await, "now");
    assert!(phone.hears_the_end().await.is_empty());
}

#[tokio::test]
async fn a_phone_that_goes_while_it_waits_is_noticed() {
    let mut gateway = Gateway::usual().await;
    let mut closes = gateway.phone().await;
    closes.posts("wait", "").await;
    let _wake = gateway.parked.recv().await.unwrap();
    drop(closes);
    assert_eq!(gateway.events.recv().await, Some("gone"));

    let mut resets = gateway.phone().await;
    resets.posts("wait", "").await;
    let _wake = gateway.parked.recv().await.unwrap();
    resets.0.set_zero_linger().unwrap();
    drop(resets);
    assert_eq!(gateway.events.recv().await, Some("gone"));

    let mut notifies = gateway.tls_phone().await;
    notifies.posts("wait", "").await;
    let _wake = gateway.parked.recv().await.unwrap();
    notifies.0.shutdown().await.unwrap();
    assert_eq!(gateway.events.recv().await, Some("gone"));

    let mut vanishes = gateway.tls_phone().await;
    vanishes.posts("wait", "").await;
    let _wake = gateway.parked.recv().await.unwrap();
    drop(vanishes.0.into_inner().0);
    assert_eq!(gateway.events.recv().await, Some("gone"));
}

#[tokio::test]
async fn a_request_begun_while_waiting_is_kept() {
    let mut gateway = Gateway::usual().await;
    let mut phone = gateway.tls_phone().await;
    phone.posts("wait", "").await;
    let wake = gateway.parked.recv().await.unwrap();
    let next = post("", "", "next");
    phone.says(&next[..9]).await;
    // Another phone's exchange: the bytes above have been looked at by then.
    let mut other = gateway.phone().await;
    other.posts("", "other").await;
    assert_eq!(other.hears_body().await, "other");
    wake.send("woken".to_owned()).unwrap();
    assert_eq!(phone.hears_body().await, "woken");
    phone.says(&next[9..]).await;
    assert_eq!(phone.hears_body().await, "next");
}

#[tokio::test]
async fn what_comes_while_waiting_is_kept_up_to_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let mut line = Line::plain(listener.accept().await.unwrap().0);
    peer.write_all(&[b'x'; 3000]).await.unwrap();
    drop(peer);
    line.gone().await;
    line.unread(b"ab");
    let mut kept = Vec::new();
    line.read_to_end(&mut kept).await.unwrap();
    assert_eq!((kept.len(), &kept[..3]), (3002, b"abx".as_slice()));
}

#[tokio::test]
async fn a_waiting_phone_may_change_its_keys() {
    let mut gateway = Gateway::usual().await;
    let mut phone = gateway.tls_phone().await;
    phone.posts("wait", "").await;
    let wake = gateway.parked.recv().await.unwrap();
    phone.0.get_mut().1.refresh_traffic_keys().unwrap();
    phone.0.flush().await.unwrap();
    let next = post("", "", "under new keys");
    phone.says(&next[..1]).await;
    wake.send("woken".to_owned()).unwrap();
    assert_eq!(phone.hears_body().await, "woken");
    phone.says(&next[1..]).await;
    assert_eq!(phone.hears_body().await, "under new keys");
}

#[tokio::test]
async fn a_half_closed_phone_still_gets_its_answer() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.phone().await;
    phone.posts("", "last words").await;
    phone.0.shutdown().await.unwrap();
    assert_eq!(phone.hears_body().await, "last words");
    assert!(phone.hears_the_end().await.is_empty());
    let mut phone = gateway.tls_phone().await;
    phone.posts("", "last words").await;
    phone.0.shutdown().await.unwrap();
    assert_eq!(phone.hears_body().await, "last words");
}

#[tokio::test]
async fn a_slow_head_is_cut_and_an_idle_phone_is_not() {
    let gateway = Gateway::open(limits(|it| it.head = Duration::from_millis(60))).await;
    let (mut idle, mut slow) = (gateway.tls_phone().await, gateway.tls_phone().await);
    idle.posts("", "one").await;
    assert_eq!(idle.hears_body().await, "one");
    slow.says("POST /Microsoft-Serv").await;
    assert_eq!(slow.hears_status().await, 408);
    assert!(slow.hears_the_end().await.is_empty());
    idle.posts("", "two").await;
    assert_eq!(idle.hears_body().await, "two");
}

#[tokio::test]
async fn an_idle_phone_is_let_go_in_the_end() {
    let gateway = Gateway::open(limits(|it| it.idle = Duration::from_millis(60))).await;
    let mut phone = gateway.phone().await;
    phone.posts("", "one").await;
    assert_eq!(phone.hears_body().await, "one");
    assert!(phone.hears_the_end().await.is_empty());
}

#[tokio::test]
async fn a_body_that_stalls_is_given_up() {
    let gateway = Gateway::open(limits(|it| it.body_stall = Duration::from_millis(60))).await;
    let mut phone = gateway.phone().await;
    let whole = post("", "", "0123456789");
    phone.says(&whole[..whole.len() - 1]).await;
    assert_eq!(phone.hears_status().await, 408);
    assert_eq!(gateway.desk.handled.load(Ordering::SeqCst), 0);
    assert_eq!(gateway.endpoint.gauge().body_bytes(), 0);
}

#[tokio::test]
async fn a_huge_body_is_refused_and_never_held() {
    const HUGE: usize = 100 * 1024 * 1024;
    let gateway = Gateway::open(limits(|it| it.body_bytes_max = 1024 * 1024)).await;
    let declared = format!("Content-Length: {HUGE}\r\n\r\n");
    let chunked = format!("Transfer-Encoding: chunked\r\n\r\n{HUGE:x}\r\n");
    for framing in [declared, chunked] {
        let phone = TcpStream::connect(gateway.plain).await.unwrap();
        let (read, mut write) = tokio::io::split(phone);
        let head = format!("POST /Microsoft-Server-ActiveSync?length HTTP/1.1\r\n{framing}");
        let sending = tokio::spawn(async move {
            write.write_all(head.as_bytes()).await.unwrap();
            let piece = vec![b'x'; 1024 * 1024];
            for _ in 0..HUGE / piece.len() {
                if write.write_all(&piece).await.is_err() {
                    break;
                }
            }
        });
        let mut phone = Phone(tokio::io::join(read, tokio::io::sink()));
        assert_eq!(phone.hears_status().await, 413);
        assert!(gateway.endpoint.gauge().body_bytes() <= 1024 * 1024);
        sending.await.unwrap();
    }
    assert_eq!(gateway.desk.handled.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_strangers_large_body_is_refused_before_it_is_taken_in() {
    let gateway = Gateway::usual().await;
    let body = "x".repeat(100_000);
    let head = "POST /Microsoft-Server-ActiveSync?stranger HTTP/1.1\r\n";
    for framing in ["Content-Length: 100000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n186a0\r\n"]
    {
        let mut phone = gateway.phone().await;
        phone.says([head, framing, &body].concat()).await;
        assert_eq!(phone.hears_status().await, 401);
    }
    assert_eq!(gateway.desk.handled.load(Ordering::SeqCst), 0);
    let mut phone = gateway.phone().await;
    phone.posts("length", &body).await;
    assert_eq!(phone.hears_body().await, "100000");
}

#[tokio::test]
async fn bodies_share_a_bounded_memory() {
    let gateway = Gateway::open(limits(|it| it.bodies_bytes_max = 1000)).await;
    let mut first = gateway.phone().await;
    let body = "x".repeat(900);
    let whole = post("length", "", &body);
    first.says(&whole[..whole.len() - 1]).await;
    while gateway.endpoint.gauge().body_bytes() < 899 {
        tokio::task::yield_now().await;
    }
    let mut second = gateway.phone().await;
    second.posts("length", &body).await;
    let (head, _) = second.hears().await;
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: 60\r\n"), "{head}");
    first.says("x").await;
    assert_eq!(first.hears_body().await, "900");
    assert_eq!(gateway.endpoint.gauge().body_bytes(), 0);
}

#[tokio::test]
async fn expect_100_continue_is_answered_before_the_body() {
    let gateway = Gateway::open(limits(|it| it.body_bytes_max = 100)).await;
    let mut phone = gateway.tls_phone().await;
    let whole = post("", "Expect: 100-continue\r\n", "invited");
    phone.says(&whole[..whole.len() - 7]).await;
    assert_eq!(phone.hears().await.0, "HTTP/1.1 100 Continue\r\n\r\n");
    phone.says("invited").await;
    assert_eq!(phone.hears_body().await, "invited");

    phone.says("POST /Microsoft-Server-ActiveSync HTTP/1.1\r\nExpect: 100-continue\r\n").await;
    phone.says("Content-Length: 101\r\n\r\n").await;
    assert_eq!(phone.hears_status().await, 413, "not invited");
}

#[tokio::test]
async fn an_answer_is_cut_when_its_gate_closes() {
    let chunks = 5;
    let mut gateway = Gateway::with_drain(Settings::default(), 8 * 1024 * 1024, chunks).await;
    let mut phone = gateway.tls_phone().await;
    phone.posts("drain", "").await;
    let heard = phone.hears_the_end().await;
    assert_eq!(gateway.events.recv().await, Some("begun"));
    assert_eq!(gateway.events.recv().await, Some("partial"));
    let wrote = gateway.desk.drain.wrote.load(Ordering::SeqCst);
    let chunks = usize::try_from(chunks).unwrap();
    assert!(wrote < chunks * CHUNK_BYTES && wrote > (chunks - 1) * CHUNK_BYTES, "{wrote}");
    let body = heard.iter().filter(|&&byte| byte == b'm').count();
    assert!(body <= wrote + 20, "{body} heard, {wrote} written");
    assert_eq!(gateway.endpoint.gauge().cut(), 1);
}

#[tokio::test]
async fn a_stuck_answer_is_cut_when_its_gate_closes() {
    let mut gateway = Gateway::with_drain(Settings::default(), 64 * 1024 * 1024, i64::MAX).await;
    let mut phone = gateway.phone().await;
    phone.posts("drain", "").await;
    assert_eq!(gateway.events.recv().await, Some("begun"));
    gateway.desk.drain.leave.store(0, Ordering::SeqCst);
    assert_eq!(gateway.events.recv().await, Some("partial"));
    assert!(gateway.desk.drain.wrote.load(Ordering::SeqCst) < 64 * 1024 * 1024);
}

#[tokio::test]
async fn nothing_leaves_of_an_answer_fenced_before_it_begins() {
    let mut gateway = Gateway::with_drain(Settings::default(), 1000, 0).await;
    let mut phone = gateway.phone().await;
    phone.posts("drain", "").await;
    assert!(phone.hears_the_end().await.is_empty());
    assert_eq!(gateway.events.recv().await, Some("partial"));
    assert_eq!(gateway.desk.drain.wrote.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_that_went_out_whole_says_so() {
    let mut gateway = Gateway::with_drain(Settings::default(), 3_000_000, i64::MAX).await;
    let mut phone = gateway.tls_phone().await;
    phone.posts("drain", "").await;
    assert_eq!(phone.hears_body().await.len(), 3_000_000);
    assert_eq!(gateway.events.recv().await, Some("begun"));
    assert_eq!(gateway.events.recv().await, Some("whole"));
    assert_eq!(gateway.desk.drain.wrote.load(Ordering::SeqCst), 3_000_000);
}

#[tokio::test]
async fn an_answer_whose_phone_is_gone_was_not_written() {
    let mut gateway = Gateway::with_drain(Settings::default(), 64 * 1024 * 1024, i64::MAX).await;
    let mut phone = gateway.phone().await;
    phone.posts("drain", "").await;
    assert_eq!(gateway.events.recv().await, Some("begun"));
    drop(phone);
    assert_eq!(gateway.events.recv().await, Some("partial"));
}

#[tokio::test]
async fn garbage_is_refused_and_harms_nobody() {
    let gateway = Gateway::usual().await;
    for garbage in [b"\x16\x03\x01\x00\x05hello\r\n\r\n".as_slice(), b"GET\r\n\r\n", b"\0\0\0\0"] {
        let mut phone = gateway.phone().await;
        phone.says(garbage).await;
        phone.0.shutdown().await.unwrap();
        let answer = phone.hears_the_end().await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400 "), "{answer:?}");
        let mut phone = Phone(TcpStream::connect(gateway.tls).await.unwrap());
        phone.says(garbage).await;
        phone.0.shutdown().await.unwrap();
        assert!(!phone.hears_the_end().await.starts_with(b"HTTP"));
    }
    let mut phone = gateway.phone().await;
    let bad_chunk =
        "POST /Microsoft-Server-ActiveSync HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    phone.says(bad_chunk).await;
    assert_eq!(phone.hears_status().await, 400);
    let mut phone = gateway.tls_phone().await;
    phone.posts("", "fine").await;
    assert_eq!(phone.hears_body().await, "fine");
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.phone().await;
    let head = format!("POST /?{} HTTP/1.1\r\n", "a".repeat(60_000));
    let _ = phone.0.write_all(head.as_bytes()).await;
    let status = phone.hears_status().await;
    assert!(matches!(status, 414 | 431), "{status}");
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_given_up() {
    let gateway = Gateway::open(limits(|it| it.handshake = Duration::from_millis(60))).await;
    let mut phone = Phone(TcpStream::connect(gateway.tls).await.unwrap());
    assert!(phone.hears_the_end().await.is_empty());
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_so() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.phone().await;
    phone.says("GET /Microsoft-Server-ActiveSync HTTP/1.1\r\n\r\n").await;
    let (head, _) = phone.hears().await;
    assert!(
        head.starts_with("HTTP/1.1 405 ") && head.contains("allow: OPTIONS,POST\r\n"),
        "{head}"
    );
    phone.says("BREW /Microsoft-Server-ActiveSync HTTP/1.1\r\n\r\n").await;
    assert_eq!(phone.hears_status().await, 405);
    phone.says("GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(phone.hears_status().await, 404);
    phone.says("OPTIONS //Microsoft-server-activesync/ HTTP/1.1\r\n\r\n").await;
    assert_eq!(phone.hears_status().await, 200, "still the same connection");
}

#[tokio::test]
async fn a_panic_costs_one_answer() {
    let gateway = Gateway::usual().await;
    let mut phone = gateway.phone().await;
    phone.posts("panic", "").await;
    assert_eq!(phone.hears_status().await, 503);
    phone.posts("", "well").await;
    assert_eq!(phone.hears_body().await, "well");
}

#[tokio::test]
async fn connections_too_many_are_refused_clearly() {
    let gateway = Gateway::open(limits(|it| it.connections_per_ip_max = 1)).await;
    let mut first = gateway.phone().await;
    first.posts("", "in").await;
    assert_eq!(first.hears_body().await, "in");
    let mut second = gateway.phone().await;
    assert_eq!(second.hears_status().await, 503);
    let mut third = Phone(TcpStream::connect(gateway.tls).await.unwrap());
    assert_eq!(third.hears_the_end().await, [21, 3, 3, 0, 2, 2, 80]);
    assert_eq!(gateway.endpoint.gauge().refused(), 2);
    drop(first);
    while gateway.endpoint.gauge().connections() > 0 {
        tokio::task::yield_now().await;
    }
    let mut fourth = gateway.phone().await;
    fourth.posts("", "in").await;
    assert_eq!(fourth.hears_body().await, "in");
}

#[tokio::test]
async fn a_proxy_speaks_for_its_phones() {
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let gateway = Gateway::open(Settings { trusted_proxies, ..Settings::default() }).await;
    let mut proxy = gateway.phone().await;
    let fields = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n";
    proxy.says(post("", fields, "")).await;
    proxy.hears_body().await;
    let path = "/Microsoft-Server-ActiveSync";
    assert_eq!(*gateway.desk.last.lock(), format!("192.0.2.7 true {path}"));
    let mut phone = gateway.tls_phone().await;
    phone.says(post("", "X-Forwarded-For: 192.0.2.7\r\n", "")).await;
    phone.hears_body().await;
    assert_eq!(*gateway.desk.last.lock(), format!("127.0.0.1 true {path}"));
}

#[tokio::test]
async fn a_stop_lets_everyone_go() {
    let mut gateway = Gateway::usual().await;
    let (mut waits, mut idles) = (gateway.tls_phone().await, gateway.phone().await);
    idles.posts("", "hello").await;
    assert_eq!(idles.hears_body().await, "hello");
    waits.posts("wait", "").await;
    let _wake = gateway.parked.recv().await.unwrap();
    let spread = Duration::from_millis(80);
    gateway.endpoint.stop(Stopping { spread, patience: Duration::from_secs(30) }).await;
    let (head, body) = waits.hears().await;
    assert_eq!((head.contains("Connection: close\r\n"), body.as_str()), (true, "farewell"));
    assert!(idles.hears_the_end().await.is_empty());
    assert_eq!(gateway.endpoint.gauge().connections(), 0);
    assert!(TcpStream::connect(gateway.plain).await.is_err(), "no longer accepting");
}

#[tokio::test]
async fn a_stop_cuts_what_does_not_end_in_time() {
    let mut gateway = Gateway::with_drain(Settings::default(), 64 * 1024 * 1024, i64::MAX).await;
    let mut phone = gateway.phone().await;
    phone.posts("drain", "").await;
    assert_eq!(gateway.events.recv().await, Some("begun"));
    gateway.endpoint.stop(Stopping { spread: Duration::ZERO, patience: Duration::ZERO }).await;
    assert_eq!(gateway.events.recv().await, Some("partial"));
    assert_eq!(gateway.endpoint.gauge().connections(), 0);
}
