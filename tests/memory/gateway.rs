//! A gateway in a process of its own, told what to do by lines on its standard input, one answer a line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use activesync_phone::client::Server as Line;
use bytes::Bytes;
use retract::clock::Clock;
use retract::config::Config;
use retract::directory::{NewUser, Settings as SignIn};
use retract::ids::CollectionNumber;
use retract::mailbox::{Arrival, Mailbox as _};
use retract::secret::Secret;
use retract::server::{Opening, Server};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::runtime::Runtime;

use crate::{ALLOCATOR, USERS};

/// The argument that makes this program the gateway.
pub(crate) const SERVE: &str = "--serve";
/// The password of every user.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Serves phones over TLS until the standard input ends.
pub(crate) fn serve(runtime: &Runtime, dir: &str) {
    let mut config = Config::default();
    config.server.data_dir = Path::new(dir).to_owned();
    config.server.domains = vec!["example.org".to_owned()];
    config.phones.listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    config.phones.plain_listen = None;
    config.phones.connections_per_ip_max = config.phones.connections_max;
    config.admin.listen = None;
    config.lmtp.listen = None;
    let opening = Opening { sign_in: SignIn::quick(), ..Opening::default() };
    let server = runtime.block_on(Server::start(&config, Clock::system(), opening)).unwrap();
    let pem = String::from_utf8(server.certificate_pem.clone().unwrap()).unwrap();
    say(&format!("{} {}", server.addresses.phones.unwrap(), pem.replace('\n', "|")));
    for line in std::io::stdin().lock().lines() {
        match line.unwrap().as_str() {
            "gauge" => {
                let gauge = server.gauge();
                let (waiting, open) = (gauge.waiting(), gauge.connections());
                say(&format!("{waiting} {open} {}", ALLOCATOR.allocated()));
            }
            "mail" => {
                runtime.block_on(mail(&server));
                say("done");
            }
            _ => {
                runtime.block_on(add_users(&server));
                say("done");
            }
        }
    }
    runtime.block_on(server.stop());
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

async fn add_users(server: &Server) {
    for number in 0..USERS {
        let user = NewUser {
            name: format!("u{number}"),
            address: format!("u{number}@example.org"),
            password: Secret::new(PASSWORD.to_owned()),
            ..NewUser::default()
        };
        let id = server.house.directory.add_user(user).await.unwrap();
        server.house.store.mailbox_of(id).await.unwrap();
    }
}

/// One mail in every Inbox.
async fn mail(server: &Server) {
    let store = &server.house.store;
    for number in 0..USERS {
        let user = server.house.directory.find(&format!("u{number}")).await.unwrap();
        let mailbox = store.mailbox_of(user.id).await.unwrap();
        let folder = store.folder(mailbox, CollectionNumber(1)).await.unwrap().id;
        let arrival = Arrival {
            received: server.house.clock.now(),
            read: false,
            flag: None,
            categories: Vec::new(),
            draft: false,
            once: None,
        };
        store.append(folder, Bytes::from_static(MAIL), arrival).await.unwrap();
    }
}

/// The gateway as the phones' process sees it.
pub(crate) struct Gateway {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// How phones reach it.
    pub(crate) line: Line,
    _dir: tempfile::TempDir,
}

impl Gateway {
    pub(crate) fn start() -> Gateway {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(SERVE)
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let hello = read(&mut answers);
        let (address, pem) = hello.split_once(' ').unwrap();
        let root = CertificateDer::from_pem_slice(pem.replace('|', "\n").as_bytes()).unwrap();
        let line = Line::tls(address.parse().unwrap(), "localhost", &[root.to_vec()]).unwrap();
        Gateway { child, orders, answers, line, _dir: dir }
    }

    /// Says a line, and gives the answer.
    pub(crate) fn order(&mut self, line: &str) -> String {
        writeln!(self.orders, "{line}").unwrap();
        read(&mut self.answers)
    }

    /// Asks until exactly so many phones wait, on as many connections, and no more than `bytes_max` are allocated; gives what is
    /// allocated then, or in the end.
    pub(crate) async fn until_waiting(&mut self, phones: usize, bytes_max: usize) -> usize {
        let began = Instant::now();
        loop {
            let told = self.order("gauge");
            let mut numbers = told.split(' ').map(|number| number.parse::<usize>().unwrap());
            let mut number = || numbers.next().unwrap();
            let (all_wait, bytes) = ([number(), number()] == [phones, phones], number());
            if all_wait && (bytes <= bytes_max || began.elapsed() > SETTLE) {
                return bytes;
            }
            assert!(began.elapsed() < PATIENCE, "not {phones} phones wait: {told}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(from: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    assert!(from.read_line(&mut line).unwrap() > 0, "the gateway has ended");
    line.trim().to_owned()
}

const MAIL: &[u8] = b"From: Ada <ada@example.org>\r\nTo: all@example.org\r\nSubject: News\r\n\
    Date: Tue, 24 Nov 2026 08:00:00 +0000\r\nMessage-ID: <news@example.org>\r\n\r\nThe engine weaves.\r\n";
/// How long the gateway may take until all phones wait.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long it may take to give back what ending requests still hold.
const SETTLE: Duration = Duration::from_secs(10);
