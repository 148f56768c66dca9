//! What a waiting phone costs: the memory of a server process that holds N hanging Pings over TLS.
//!
//! The phones live in another process. `PSS` is the server's own, of `smaps_rollup`, less what it had before the phones
//! came. Run small with `cargo bench --bench parked`, and as the figure in docs/performance.md is measured with
//! `cargo bench --bench parked --features jemalloc -- --phones 10000` (needs some 10,100 descriptors per process).

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use http::StatusCode;
use retract::clock::Clock;
use retract::eas::tls::{Identity, self_signed, server_config};
use retract::eas::{
    Answer, BoxFuture, Endpoint, Handler, Incoming, Limits, Outcome, Plain, Settings, Waiting,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> Result<()> {
    retract::server::give_memory_back_soon();
    let descriptors = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: descriptors, maximum: descriptors })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if std::env::args().any(|argument| argument == "--serve") {
        runtime.block_on(serve())
    } else {
        runtime.block_on(measure(phones_wanted()?))
    }
}

fn phones_wanted() -> Result<usize> {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == "--phones") {
        Some(at) => Ok(arguments.get(at + 1).context("--phones needs a number")?.parse()?),
        None => Ok(PHONES_DEFAULT),
    }
}

/// The server: every request waits until the parent says `wake`; `waiting` asks how many do.
async fn serve() -> Result<()> {
    let bell = Arc::new(Notify::new());
    let limits = Limits {
        connections_max: usize::MAX,
        connections_per_ip_max: usize::MAX,
        ..Limits::default()
    };
    let settings = Settings { limits, ..Settings::default() };
    let handler = Arc::new(Pings(Arc::clone(&bell)));
    let endpoint = Endpoint::new(handler, settings, Clock::system());
    let (certificate, key) = self_signed(&["localhost".to_owned()], Clock::system().now())?;
    let identity = Arc::new(Identity::from_pem(certificate.as_bytes(), key.as_bytes())?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    endpoint.serve_tls(listener, server_config(identity)?)?;
    say(&address.to_string())?;
    say(&certificate.lines().collect::<Vec<_>>().join("|"))?;
    let gauge = endpoint.gauge();
    tokio::task::spawn_blocking(move || {
        for line in std::io::stdin().lock().lines() {
            match line?.as_str() {
                "wake" => bell.notify_waiters(),
                _ => say(&format!("{} {}", gauge.waiting(), gauge.connections()))?,
            }
        }
        Ok(())
    })
    .await?
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

struct Pings(Arc<Notify>);

struct Ping(Arc<Notify>);

impl Handler for Pings {
    fn handle(&self, _request: Incoming) -> BoxFuture<'static, Outcome> {
        let ping = Ping(Arc::clone(&self.0));
        Box::pin(async move { Outcome::Wait(Box::new(ping)) })
    }
}

impl Waiting for Ping {
    fn wait(self: Box<Self>) -> BoxFuture<'static, Answer> {
        Box::pin(async move {
            self.0.notified().await;
            Answer::plain(StatusCode::OK, Plain::without_content("woken"))
        })
    }
}

/// The server as the parent sees it.
struct Server {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    address: SocketAddr,
    certificate: String,
}

impl Server {
    fn start() -> Result<Server> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take().context("a pipe")?;
        let mut answers = BufReader::new(child.stdout.take().context("a pipe")?);
        let address = line_of(&mut answers)?.parse()?;
        let certificate = line_of(&mut answers)?.replace('|', "\n");
        Ok(Server { child, orders, answers, address, certificate })
    }

    fn wake(&mut self) -> Result<()> {
        Ok(writeln!(self.orders, "wake")?)
    }

    /// Asks until the server has so many waiting and so many connections.
    async fn until(&mut self, waiting: usize, connections: usize) -> Result<()> {
        let wanted = format!("{waiting} {connections}");
        let began = Instant::now();
        let mut seen = String::new();
        while began.elapsed() < PATIENCE {
            writeln!(self.orders, "count")?;
            seen = line_of(&mut self.answers)?;
            if seen == wanted {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the server has {seen}, not {wanted}");
    }

    fn pss_bytes(&self) -> Result<i64> {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss_Anon:"));
        let kilobytes: i64 = line.context("Pss_Anon")?.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line_of(from: &mut BufReader<ChildStdout>) -> Result<String> {
    let mut line = String::new();
    ensure!(from.read_line(&mut line)? > 0, "the server has ended");
    Ok(line.trim().to_owned())
}

type Phone = TlsStream<TcpStream>;

async fn measure(count: usize) -> Result<()> {
    let mut server = Server::start()?;
    let connector = connector(&server.certificate)?;
    let warm = connect(&connector, server.address, 1).await?;
    server.until(1, 1).await?;
    drop(warm);
    server.until(0, 0).await?;
    let empty = server.pss_bytes()?;

    let began = Instant::now();
    let mut phones = connect(&connector, server.address, count).await?;
    server.until(count, count).await?;
    let connected = began.elapsed();
    let first = server.pss_bytes()? - empty;

    let began = Instant::now();
    server.wake()?;
    phones = each(phones, hear).await?;
    let woken = began.elapsed();
    let idle = server.pss_bytes()? - empty;

    phones = each(phones, ask).await?;
    server.until(count, count).await?;
    let second = server.pss_bytes()? - empty;

    drop(phones);
    server.until(0, 0).await?;
    tokio::time::sleep(SETTLE).await;
    let after = server.pss_bytes()? - empty;

    let each_of = |bytes: i64| bytes / i64::try_from(count).unwrap_or(i64::MAX);
    let allocator = if cfg!(feature = "jemalloc") { "jemalloc" } else { "the system's allocator" };
    say(&format!("{count} phones over TLS 1.3, {allocator}, {}", machine()))?;
    say(&format!("waiting, first round    {:>8} bytes each", each_of(first)))?;
    say(&format!("idle between requests   {:>8} bytes each", each_of(idle)))?;
    say(&format!("waiting, second round   {:>8} bytes each", each_of(second)))?;
    say(&format!("left when all are gone  {:>8} kB altogether", after / 1024))?;
    say(&format!("connected and waiting   {:>8} ms", connected.as_millis()))?;
    say(&format!("all woken and answered  {:>8} ms", woken.as_millis()))
}

fn connector(certificate: &str) -> Result<TlsConnector> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// So many phones, each with its first Ping on its way.
async fn connect(
    connector: &TlsConnector,
    address: SocketAddr,
    count: usize,
) -> Result<Vec<Phone>> {
    let turns = Arc::new(Semaphore::new(HANDSHAKES_AT_ONCE));
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let (connector, turns) = (connector.clone(), Arc::clone(&turns));
            tokio::spawn(async move {
                let _turn = turns.acquire().await?;
                let stream = TcpStream::connect(address).await?;
                let name = ServerName::try_from("localhost")?;
                ask(connector.connect(name, stream).await?).await
            })
        })
        .collect();
    let mut phones = Vec::with_capacity(count);
    for task in tasks {
        phones.push(task.await??);
    }
    Ok(phones)
}

async fn each<F: Future<Output = Result<Phone>> + Send + 'static>(
    phones: Vec<Phone>,
    act: fn(Phone) -> F,
) -> Result<Vec<Phone>> {
    let tasks: Vec<_> = phones.into_iter().map(|phone| tokio::spawn(act(phone))).collect();
    let mut phones = Vec::with_capacity(tasks.len());
    for task in tasks {
        phones.push(task.await??);
    }
    Ok(phones)
}

async fn ask(mut phone: Phone) -> Result<Phone> {
    phone.write_all(PING).await?;
    phone.flush().await?;
    Ok(phone)
}

async fn hear(mut phone: Phone) -> Result<Phone> {
    let mut heard = Vec::new();
    while !heard.ends_with(b"woken") {
        ensure!(phone.read_buf(&mut heard).await? > 0, "the server closed");
    }
    Ok(phone)
}

fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name"));
    let model =
        model.map_or("unknown processor", |model| model.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{cores} x {model}")
}

/// Phones without `--phones`: one in a hundred of the documented figure's.
const PHONES_DEFAULT: usize = 100;

/// Handshakes in flight, so that none times out.
const HANDSHAKES_AT_ONCE: usize = 64;

/// How long the server may take to get where it should.
const PATIENCE: Duration = Duration::from_secs(120);

/// Time for the allocator to give memory back.
const SETTLE: Duration = Duration::from_secs(3);

/// A Ping as a phone sends it: some 700 bytes of head and 60 of body.
const PING: &[u8] = b"POST /Microsoft-Server-ActiveSync?User=ada%40example.org&DeviceId=0123456789ABCDEFGHJKMNPQRS&DeviceType=iPhone&Cmd=Ping HTTP/1.1\r\n\
Host: mail.example.org\r\n\
Content-Type: application/vnd.ms-sync.wbxml\r\n\
Content-Length: 60\r\n\
Authorization: Basic YWRhQGV4YW1wbGUub3JnOmNvcnJlY3QgaG9yc2UgYmF0dGVyeSBzdGFwbGU=\r\n\
MS-ASProtocolVersion: 16.1\r\n\
X-MS-PolicyKey: 3141592653\r\n\
User-Agent: Apple-iPhone14C5/2201.5314\r\n\
Accept: */*\r\n\
Accept-Language: en-gb,en;q=0.9,de;q=0.8\r\n\
Accept-Encoding: gzip, deflate, br\r\n\
Connection: keep-alive\r\n\
X-Request-Id: 5f0c0a3e-8a3e-4d52-9f4a-0e5d7b1f1f52\r\n\
\r\n\
............................................................";
