//! A server in a process of its own, told what to do by lines on its standard input, one answer a line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use activesync_phone::client::Server as Line;
use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use retract::clock::Clock;
use retract::config::Config;
use retract::directory::{NewUser, Settings as SignIn};
use retract::ids::{CollectionNumber, FolderId};
use retract::mailbox::embedded::in_tx;
use retract::mailbox::{Arrival, Cursor, Floor, Mailbox as _};
use retract::message::Identity;
use retract::recall::{Actor, OrderRequest};
use retract::secret::Secret;
use retract::server::{Opening, Server};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::runtime::Runtime;

use crate::mails::{PASSWORD, mail};

/// The argument that makes this program the server.
pub(crate) const SERVE: &str = "--serve";

/// The configuration of every measurement: nothing but phones, over TLS and plain, on free ports.
pub(crate) fn config(dir: &Path) -> Config {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = Config::default();
    config.server.data_dir = dir.to_owned();
    config.server.domains = vec!["example.org".to_owned()];
    config.phones.listen = Some(any);
    config.phones.plain_listen = Some(any);
    config.phones.connections_per_ip_max = config.phones.connections_max;
    config.admin.listen = None;
    config.lmtp.listen = None;
    config.recall.brake_copies = u64::MAX;
    config.recall.brake_mailboxes_percent = 100;
    config
}

/// Sign-in without the cost of Argon2id, which is none of these figures.
pub(crate) fn opening() -> Opening {
    Opening { sign_in: SignIn::quick(), ..Opening::default() }
}

/// Serves until the standard input ends.
pub(crate) fn serve(runtime: &Runtime, arguments: &[String]) -> Result<()> {
    let dir = arguments.first().context("--serve needs a directory")?;
    let config = config(Path::new(dir));
    let server = runtime.block_on(Server::start(&config, Clock::system(), opening()))?;
    let tls = server.addresses.phones.context("no TLS")?;
    let plain = server.addresses.phones_plain.context("no plain HTTP")?;
    let pem = String::from_utf8(server.certificate_pem.clone().context("no certificate")?)?;
    say(&format!("{tls} {plain} {}", pem.lines().collect::<Vec<_>>().join("|")))?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        say(&runtime.block_on(obey(&server, &words))?)?;
    }
    runtime.block_on(server.stop());
    Ok(())
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

async fn obey(server: &Server, words: &[&str]) -> Result<String> {
    match *words {
        ["users", count] => add_users(server, count.parse()?).await,
        ["mails", user, count, octets] => {
            fill(server, user.parse()?, count.parse()?, octets.parse()?).await
        }
        ["same", name, user, count] => {
            same(server, name, std::iter::repeat_n(user.parse()?, count.parse()?)).await
        }
        ["everyone", name, count] => same(server, name, 0..count.parse()?).await,
        ["recall", name] => recall(server, name).await,
        ["bare", user] => bare(server, user.parse()?).await,
        ["gauge"] => {
            let gauge = server.gauge();
            Ok(format!("{} {}", gauge.waiting(), gauge.connections()))
        }
        _ => bail!("unknown order {words:?}"),
    }
}

async fn add_users(server: &Server, count: usize) -> Result<String> {
    for number in 0..count {
        let user = NewUser {
            name: format!("u{number}"),
            address: format!("u{number}@example.org"),
            password: Secret::new(PASSWORD.to_owned()),
            ..NewUser::default()
        };
        let id = server.house.directory.add_user(user).await?;
        server.house.store.mailbox_of(id).await?;
    }
    Ok("done".to_owned())
}

async fn inbox(server: &Server, user: usize) -> Result<FolderId> {
    let user = server.house.directory.find(&format!("u{user}")).await?;
    let mailbox = server.house.store.mailbox_of(user.id).await?;
    Ok(server.house.store.folder(mailbox, INBOX).await?.id)
}

/// Different mails in one Inbox.
async fn fill(server: &Server, user: usize, count: usize, octets: usize) -> Result<String> {
    let folder = inbox(server, user).await?;
    let store = &server.house.store;
    let append = |number: usize| {
        let raw = Bytes::from(mail(&format!("mail-{user}-{number}"), octets));
        store.append(folder, raw, arrival(server))
    };
    let appended = stream::iter(0..count).map(append).buffer_unordered(APPENDS_AT_ONCE);
    appended.try_for_each(|_| async { Ok(()) }).await?;
    Ok("done".to_owned())
}

fn arrival(server: &Server) -> Arrival {
    Arrival {
        received: server.house.clock.now(),
        read: false,
        flag: None,
        categories: Vec::new(),
        draft: false,
        once: None,
    }
}

/// One mail in the Inbox of each of these users, many in one transaction.
async fn same(server: &Server, name: &str, users: impl Iterator<Item = usize>) -> Result<String> {
    let raw = mail(name, 1_500);
    let mut folders = Vec::new();
    let mut last = None;
    for user in users {
        let folder = match last {
            Some((known, folder)) if known == user => folder,
            _ => inbox(server, user).await?,
        };
        last = Some((user, folder));
        folders.push(folder);
    }
    let store = &server.house.store;
    for some in folders.chunks(APPENDS_IN_ONE) {
        let kept = store.keep(Bytes::from(raw.clone())).await?;
        let (some, identity) = (some.to_vec(), Identity::of_raw(&raw));
        let (arrival, now) = (arrival(server), server.house.clock.now());
        let job = move |tx: &retract::database::Tx<'_>, store: &_, body| {
            for folder in &some {
                in_tx::append(tx, store, *folder, body, &identity, &arrival, now)?;
            }
            Ok(())
        };
        store.write_with(kept, job).await?;
    }
    Ok("done".to_owned())
}

/// Gives an order; answers when it was given and when its commit was told, in nanoseconds of the machine's clock.
async fn recall(server: &Server, name: &str) -> Result<String> {
    let request = OrderRequest {
        message_id: format!("{name}@bench.example.org"),
        reason: "measured".to_owned(),
        ..OrderRequest::default()
    };
    let given = now_ns();
    server.house.recall.order(request, Actor::Shell("bench".to_owned()), None).await?;
    Ok(format!("{given} {}", now_ns()))
}

/// Reads all of an Inbox's mail, one after the other and nothing else: octets and microseconds.
async fn bare(server: &Server, user: usize) -> Result<String> {
    let folder = inbox(server, user).await?;
    let store = &server.house.store;
    let items = store.below(folder, Floor::TOP, retract::clock::Timestamp::ZERO, usize::MAX >> 1);
    let items = items.await?;
    ensure!(store.head(folder).await? > Cursor(0), "the folder is empty");
    let (began, mut octets) = (Instant::now(), 0);
    for item in &items {
        octets += store.read(folder, item.item).await?.1.len();
    }
    Ok(format!("{octets} {}", began.elapsed().as_micros()))
}

/// Nanoseconds since 1970, the same in every process of the machine.
pub(crate) fn now_ns() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}

/// The server as the phones' process sees it.
pub(crate) struct Gateway {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// Phones over TLS.
    pub(crate) tls: Line,
    /// Phones in plain HTTP.
    pub(crate) plain: Line,
    /// Where its state is.
    pub(crate) dir: tempfile::TempDir,
}

impl Gateway {
    /// Starts one over an empty directory.
    pub(crate) fn start() -> Result<Gateway> {
        let dir = tempfile::Builder::new().prefix("retract-bench").tempdir_in(".")?;
        let mut child = Command::new(std::env::current_exe()?)
            .arg(SERVE)
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().context("a pipe")?);
        let hello = read(&mut answers)?;
        let mut words = hello.splitn(3, ' ');
        let mut word = || words.next().context("the server said too little");
        let (tls, plain): (SocketAddr, SocketAddr) = (word()?.parse()?, word()?.parse()?);
        let pem = word()?.replace('|', "\n");
        let root = CertificateDer::from_pem_slice(pem.as_bytes())?.to_vec();
        let tls = Line::tls(tls, "localhost", &[root])?;
        Ok(Gateway { child, orders, answers, tls, plain: Line::plain(plain), dir })
    }

    /// Says a line, and gives the answer.
    pub(crate) fn order(&mut self, line: &str) -> Result<String> {
        writeln!(self.orders.as_mut().context("it was stopped")?, "{line}")?;
        read(&mut self.answers)
    }

    /// Asks until so many phones wait, on so many connections.
    pub(crate) async fn until_waiting(&mut self, waiting: usize) -> Result<()> {
        let wanted = format!("{waiting} {waiting}");
        let began = Instant::now();
        loop {
            let seen = self.order("gauge")?;
            if seen == wanted {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "the server has {seen}, not {wanted}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Its proportional set size, all of it and the anonymous part, in octets.
    pub(crate) fn pss(&self) -> Result<(i64, i64)> {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let octets = |name: &str| -> Result<i64> {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name)).context("smaps")?;
            Ok(line.trim().trim_end_matches(" kB").parse::<i64>()? * 1024)
        };
        Ok((octets("Pss:")?, octets("Pss_Anon:")?))
    }

    /// The processor time it has taken, in user and system mode.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let after = stat.rsplit_once(')').context("stat")?.1;
        let ticks = |at: usize| -> Result<u64> {
            Ok(after.split_whitespace().nth(at).context("stat")?.parse()?)
        };
        Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 1000 / TICKS_PER_S))
    }

    /// Stops it in order; its state stays until this value goes.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.orders = None;
        ensure!(self.child.wait()?.success(), "the server ended badly");
        Ok(())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(from: &mut BufReader<ChildStdout>) -> Result<String> {
    let mut line = String::new();
    ensure!(from.read_line(&mut line)? > 0, "the server has ended");
    Ok(line.trim().to_owned())
}

/// The Inbox of every mailbox.
const INBOX: CollectionNumber = CollectionNumber(1);
/// Mails appended at a time, so that commits are shared.
const APPENDS_AT_ONCE: usize = 64;
/// Appends in one transaction.
const APPENDS_IN_ONE: usize = 500;
/// How long the server may take to get where it should.
const PATIENCE: Duration = Duration::from_secs(180);
/// What /proc counts time in: USER_HZ.
const TICKS_PER_S: u64 = 100;
