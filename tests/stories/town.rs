//! The town the stories happen in: a gateway in this process with all its listeners, people with mailboxes, phones with lines.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use activesync_phone::activesync::command::folder_sync::FolderType;
use activesync_phone::activesync::command::{ping, sync};
use activesync_phone::activesync::status::Status;
use activesync_phone::activesync::{ProtocolVersion, code_pages, http, multipart};
use activesync_phone::client::Server as Line;
use activesync_phone::driver::Driver;
use activesync_phone::{Commit, Exchange, HttpAnswer, Outcome, Phone, Profile, SyncAsk, Waits};
use retract::clock::{Clock, Timestamp};
use retract::config::{Config, Security};
use retract::database::Options;
use retract::directory::{self, NewUser};
use retract::ids::OrderId;
use retract::recall::{Actor, Coverage, OrderRequest, PairView, State};
use retract::secret::Secret;
use retract::server::{Opening, Server};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::post;

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse";
/// How long anything may take before a story counts as stuck.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The shortest heartbeat: a Ping that finds nothing ends after one second with Status 1.
pub(crate) const SHORT_S: u32 = 1;
/// A heartbeat nobody waits the end of.
pub(crate) const LONG_S: u32 = 600;
/// What recall has for itself on a full disk: 2 MiB.
const BALLAST_BYTES: u64 = 2 << 20;
/// Status of a Ping that found nothing, and of one that found something ([MS-ASCMD] 2.2.3.177.11).
pub(crate) const NOTHING: Status = Status(1);
pub(crate) const CHANGES: Status = Status(2);

/// A gateway with everything that stands around it.
pub(crate) struct Town {
    pub(crate) server: Server,
    pub(crate) clock: Clock,
    pub(crate) config: Config,
    pages_max: Option<u32>,
    pub(crate) dir: TempDir,
}

impl Town {
    /// Ann, Ben and Cas live here; phones come over TLS or plain; the clock is the machine's.
    pub(crate) async fn open() -> Town {
        Town::with(Clock::system(), None, |_| {}).await
    }

    /// The same, with a world beyond that takes what leaves.
    pub(crate) async fn open_to(world: &post::World) -> Town {
        Town::with(Clock::system(), None, |config| {
            config.relay.host = Some("127.0.0.1".to_owned());
            config.relay.port = Some(world.port);
            config.relay.security = Security::Plain;
        })
        .await
    }

    /// The same on a clock that stands still until it is moved.
    pub(crate) async fn on_a_manual_clock() -> Town {
        Town::with(Clock::manual(Timestamp(1_795_500_000_000)), None, |_| {}).await
    }

    pub(crate) async fn with(
        clock: Clock,
        pages_max: Option<u32>,
        change: impl FnOnce(&mut Config),
    ) -> Town {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(&dir.path().join("data"));
        change(&mut config);
        let server = start(&config, &clock, pages_max).await;
        let town = Town { server, clock, config, pages_max, dir };
        for name in ["ann", "ben", "cas"] {
            town.add_user(name).await;
        }
        town
    }

    /// A town where just these live.
    pub(crate) async fn of(
        people: &[&str],
        clock: Clock,
        change: impl FnOnce(&mut Config),
    ) -> Town {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(&dir.path().join("data"));
        change(&mut config);
        let server = start(&config, &clock, None).await;
        let town = Town { server, clock, config, pages_max: None, dir };
        for name in people {
            town.add_user(name).await;
        }
        town
    }

    /// Stops it, and starts it on the same state with another configuration.
    pub(crate) async fn with_another(mut self, config: Config) -> Town {
        self.config = config;
        self.restart().await
    }

    /// Stops the gateway in order and starts it again on the same state.
    pub(crate) async fn restart(self) -> Town {
        self.restart_after(Duration::ZERO).await
    }

    /// The same, standing still for so long on a clock that is moved by hand.
    pub(crate) async fn restart_after(self, pause: Duration) -> Town {
        let Town { server, clock, config, pages_max, dir } = self;
        server.stop().await;
        clock.advance(pause);
        let server = start(&config, &clock, pages_max).await;
        Town { server, clock, config, pages_max, dir }
    }

    /// Stops it, lets `change` do something to the data directory's path, and starts on what `change` gives.
    pub(crate) async fn reopened_on(self, data_dir: &Path) -> Town {
        let Town { server, clock, mut config, pages_max, dir } = self;
        server.stop().await;
        config.server.data_dir = data_dir.to_owned();
        let server = start(&config, &clock, pages_max).await;
        Town { server, clock, config, pages_max, dir }
    }

    async fn add_user(&self, name: &str) {
        let new = NewUser {
            name: name.to_owned(),
            address: format!("{name}@a.example"),
            password: Secret::new(PASSWORD.to_owned()),
            ..NewUser::default()
        };
        self.server.house.directory.add_user(new).await.unwrap();
    }

    pub(crate) fn lmtp(&self) -> SocketAddr {
        self.server.addresses.lmtp.unwrap()
    }

    pub(crate) fn plain(&self) -> SocketAddr {
        self.server.addresses.phones_plain.unwrap()
    }

    /// The line to the TLS listener.
    pub(crate) fn tls_line(&self) -> Line {
        let pem = self.server.certificate_pem.as_deref().unwrap();
        let roots: Vec<Vec<u8>> =
            CertificateDer::pem_slice_iter(pem).map(|der| der.unwrap().to_vec()).collect();
        Line::tls(self.server.addresses.phones.unwrap(), "localhost", &roots).unwrap()
    }

    /// The line to the plain listener.
    pub(crate) fn plain_line(&self) -> Line {
        Line::plain(self.plain())
    }

    /// Mail for Ann arrives over LMTP.
    pub(crate) async fn mail(&self, name: &str) {
        self.mail_to(&["ann"], name).await;
    }

    /// Mail for these people arrives over LMTP.
    pub(crate) async fn mail_to(&self, people: &[&str], name: &str) {
        self.post(people, &raw(name, &format!("The body of {name}.\r\n"))).await;
    }

    pub(crate) async fn post(&self, people: &[&str], raw: &str) {
        let to: Vec<String> = people.iter().map(|name| format!("{name}@a.example")).collect();
        let to: Vec<&str> = to.iter().map(String::as_str).collect();
        for reply in post::deliver(self.lmtp(), &to, raw).await {
            assert!(reply.starts_with("250"), "{reply}");
        }
    }

    /// A phone of this family over TLS, set up and up to date.
    pub(crate) async fn phone(&self, user: &str, profile: Profile) -> Handset {
        let mut handset = self.new_phone(user, profile);
        handset.driver.set_up().await.unwrap();
        handset.catch_up().await;
        handset
    }

    /// The same phone after a restart: it finds the gateway at its new address.
    pub(crate) fn same_phone(&self, handset: Handset) -> Handset {
        Handset::new(Driver::new(handset.driver.phone, self.tls_line()))
    }

    /// A phone fresh out of its box.
    pub(crate) fn new_phone(&self, user: &str, profile: Profile) -> Handset {
        let id: String = profile.name.chars().filter(char::is_ascii_alphanumeric).collect();
        let id = format!("{user}{id}");
        Handset::new(Driver::new(Phone::new(profile, user, PASSWORD, &id), self.tls_line()))
    }

    /// The administrator takes a mail back; when this returns, the fence stands.
    pub(crate) async fn recall(&self, name: &str) -> OrderId {
        self.order(OrderRequest { message_id: message_id(name), ..OrderRequest::default() }).await
    }

    pub(crate) async fn order(&self, request: OrderRequest) -> OrderId {
        let request = OrderRequest { reason: "sent to the wrong people".to_owned(), ..request };
        let order = self.server.house.recall.order(request, admin(), None).await.unwrap();
        // What follows from the order has been done once: the story goes on in a known place however busy the machine is.
        self.server.house.recall.work_off().await.unwrap();
        order
    }

    /// The report once `holds` is true of it.
    pub(crate) async fn until(
        &self,
        order: OrderId,
        holds: impl Fn(&Coverage) -> bool,
    ) -> Coverage {
        let recall = &self.server.house.recall;
        let end = tokio::time::Instant::now() + PATIENCE;
        let mut changes = recall.changes();
        loop {
            changes.mark_unchanged();
            let coverage = recall.coverage(order).await.unwrap();
            if holds(&coverage) {
                return coverage;
            }
            let changed = tokio::time::timeout_at(end, changes.changed()).await;
            assert!(changed.is_ok(), "it never happened; the report says {coverage:#?}");
        }
    }

    /// The report once the pair of this user (the worst of them) is in this state.
    pub(crate) async fn until_state(&self, order: OrderId, user: &str, state: State) -> PairView {
        let is = |pair: &&PairView| pair.recipient.starts_with(user) && pair.state == state;
        let coverage = self.until(order, |coverage| coverage.devices.iter().any(|p| is(&p))).await;
        coverage.devices.iter().find(is).unwrap().clone()
    }

    /// Waits until so many requests hang.
    pub(crate) async fn until_waiting(&self, count: usize) {
        let waiting = async {
            while self.server.house.bells.waiting() < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("nobody waits");
    }
}

pub(crate) fn admin() -> Actor {
    Actor::Admin("root".to_owned())
}

fn config(data_dir: &Path) -> Config {
    let any = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let mut config = Config::default();
    config.server.data_dir = data_dir.to_owned();
    config.server.domains = vec!["a.example".to_owned()];
    config.phones.listen = any;
    config.phones.plain_listen = any;
    config.lmtp.listen = any;
    config.admin.listen = None;
    config.push.heartbeat_s_min = SHORT_S;
    config.push.removals_coalesce_s = 0;
    std::fs::create_dir_all(data_dir).unwrap();
    config
}

async fn start(config: &Config, clock: &Clock, pages_max: Option<u32>) -> Server {
    // Where room is short, recall has some of its own.
    let ballast_bytes = if pages_max.is_some() { BALLAST_BYTES } else { 0 };
    let database = Options { pages_max, ballast_bytes, ..Options::quick(clock) };
    let opening = Opening { database, sign_in: directory::Settings::quick(), ..Opening::default() };
    Server::start(config, clock.clone(), opening).await.unwrap()
}

pub(crate) fn message_id(name: &str) -> String {
    format!("{name}@b.example")
}

/// A plain mail from Bob.
pub(crate) fn raw(name: &str, body: &str) -> String {
    format!(
        "From: Bob <bob@b.example>\r\nTo: ann@a.example\r\nSubject: {name}\r\n\
         Message-ID: <{}>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}",
        message_id(name)
    )
}

/// A phone in somebody's hand.
pub(crate) struct Handset {
    pub(crate) driver: Driver,
}

impl Handset {
    pub(crate) fn new(mut driver: Driver) -> Handset {
        driver.listen_in(keep_response);
        Handset { driver }
    }

    pub(crate) fn phone(&self) -> &Phone {
        &self.driver.phone
    }

    pub(crate) fn inbox(&self) -> String {
        self.driver.inbox()
    }

    /// What lies in the Inbox on the phone, by subject.
    pub(crate) fn subjects(&self) -> Vec<String> {
        self.subjects_in(&self.inbox())
    }

    pub(crate) fn subjects_in(&self, folder: &str) -> Vec<String> {
        let mut subjects: Vec<String> = self
            .phone()
            .cache
            .collections
            .get(folder)
            .into_iter()
            .flat_map(|collection| collection.items.values())
            .map(|item| item.subject().to_owned())
            .collect();
        subjects.sort();
        subjects
    }

    pub(crate) fn holds(&self, subject: &str) -> bool {
        self.phone().cache.find(subject).is_some()
    }

    /// The id under which the phone holds a mail.
    pub(crate) fn id_of(&self, subject: &str) -> String {
        self.phone().cache.find(subject).expect("the phone has it").1.to_owned()
    }

    pub(crate) async fn catch_up(&mut self) {
        let inbox = self.inbox();
        self.driver.catch_up(&inbox).await.unwrap();
    }

    /// A request, taken in.
    pub(crate) async fn ask(&mut self, exchange: Exchange) -> Outcome {
        self.driver.ask(exchange).await.unwrap()
    }

    /// One Sync of the Inbox; none where the answer was empty.
    pub(crate) async fn sync(&mut self) -> Option<sync::CollectionAnswer> {
        self.sync_with(SyncAsk::of(&self.inbox())).await
    }

    pub(crate) async fn sync_with(&mut self, ask: SyncAsk) -> Option<sync::CollectionAnswer> {
        let exchange = self.phone().sync(&[ask], Waits::No);
        just(self.ask(exchange).await)
    }

    /// One Sync of the Inbox whose answer the phone never sees; the story does.
    pub(crate) async fn lose_sync(&mut self) -> Option<sync::CollectionAnswer> {
        let ask = SyncAsk::of(&self.inbox());
        self.lose(ask).await
    }

    pub(crate) async fn lose(&mut self, ask: SyncAsk) -> Option<sync::CollectionAnswer> {
        let exchange = self.phone().sync(&[ask], Waits::No);
        let answer = self.driver.send(&exchange).await.unwrap();
        self.driver.hang_up();
        just(self.driver.phone.clone().take(&exchange, &answer, Commit::All).unwrap())
    }

    /// The app stores so many items of an answer and dies before it stores the key.
    pub(crate) async fn half(&mut self, items: usize) {
        let exchange = self.phone().sync(&[SyncAsk::of(&self.inbox())], Waits::No);
        let answer = self.driver.send(&exchange).await.unwrap();
        self.driver.phone.take(&exchange, &answer, Commit::Items(items)).unwrap();
        self.driver.hang_up();
    }

    /// A Ping of the Inbox.
    pub(crate) async fn ping(&mut self, heartbeat_s: u32) -> ping::Response {
        let exchange = self.phone().ping(&[&self.inbox()], heartbeat_s);
        let answer = tokio::time::timeout(PATIENCE, self.ask(exchange)).await;
        match answer.expect("the Ping hangs for ever") {
            Outcome::Ping(response) => response,
            other => panic!("not a Ping: {other:?}"),
        }
    }
}

fn just(outcome: Outcome) -> Option<sync::CollectionAnswer> {
    match outcome {
        Outcome::Sync(None) => None,
        Outcome::Sync(Some(response)) => {
            assert_eq!(response.status, None, "{response:?}");
            response.collections.into_iter().next()
        }
        other => panic!("not a Sync: {other:?}"),
    }
}

/// The phone's folder of this kind.
pub(crate) fn folder(phone: &Phone, kind: FolderType) -> String {
    phone.cache.folder_of(kind).expect("it has that folder").to_owned()
}

/// ServerIds an answer deletes.
pub(crate) fn deletes(answer: &sync::CollectionAnswer) -> Vec<String> {
    let id = |command: &sync::ServerCommand| match command {
        sync::ServerCommand::Delete { server_id, .. } => Some(server_id.to_string()),
        _ => None,
    };
    answer.commands.iter().filter_map(id).collect()
}

/// Subjects an answer adds.
pub(crate) fn adds(answer: &sync::CollectionAnswer) -> Vec<String> {
    let subject = |command: &sync::ServerCommand| match command {
        sync::ServerCommand::Add { data, .. } => data.email().and_then(|mail| mail.subject.clone()),
        _ => None,
    };
    answer.commands.iter().filter_map(subject).collect()
}

/// With `RETRACT_KEEP_RESPONSES`, writes a response as XML into that folder: one file for each command and shape.
fn keep_response(exchange: &Exchange, answer: &HttpAnswer) {
    let Some(folder) = std::env::var_os("RETRACT_KEEP_RESPONSES") else { return };
    let Some(command) =
        exchange.command.filter(|_| answer.status == 200 && !answer.body.is_empty())
    else {
        return;
    };
    // The published schemas are those of later versions.
    if version_of(exchange) == Some(ProtocolVersion::V12_1) {
        return;
    }
    let mut body = answer.body.clone();
    if answer.header("content-encoding") == Some("gzip") {
        let mut unpacked = Vec::new();
        std::io::copy(&mut flate2::read::GzDecoder::new(&body[..]), &mut unpacked).unwrap();
        body = unpacked;
    }
    let parts = match answer.header("content-type") {
        Some(http::WBXML) => vec![&body[..]],
        Some(http::MULTIPART) => multipart::decode(&body).expect("parts of ours"),
        _ => return,
    };
    let reader = wbxml::Reader::new(parts[0], &code_pages::PAGES, wbxml::Limits::default());
    let xml = reader.and_then(wbxml::xml::to_xml).expect("a response of ours is WBXML");
    let name = format!("story-{}-{}.xml", command.as_str(), shape(&xml));
    let path = Path::new(&folder).join(name);
    if !path.exists() {
        // A folder that is not there is the caller's mistake, and `tests/schemas.sh` says so.
        let _kept = std::fs::write(path, xml);
    }
}

/// The version a request is of.
fn version_of(exchange: &Exchange) -> Option<ProtocolVersion> {
    let mut headers = exchange.headers.iter();
    let header = headers.find(|(name, _)| name.eq_ignore_ascii_case("ms-asprotocolversion"));
    match header {
        Some((_, version)) => version.parse().ok(),
        None => http::Query::decode(exchange.target.split_once('?')?.1).ok()?.version,
    }
}

/// A hash of the document without its texts and repetitions of a line.
fn shape(xml: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in xml.lines().skip(2) {
        let tag = line.trim().split(['>', ' ']).next().unwrap_or_default().to_owned();
        if tag.starts_with('<') && !lines.contains(&tag) {
            lines.push(tag);
        }
    }
    let hash = Sha256::digest(lines.concat());
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
