//! The wiring: one configuration in, all rooms opened, joined and listening; one stop, all of them ended in order.
//!
//! Nothing decides here. Every room gets its own limits; what one room tells another goes through a hook that is hung here.

mod elsewhere;
mod imap_sign_in;
mod mail;
mod settings;

pub(crate) use elsewhere::imap_place;
pub use mail::Mail;
pub(crate) use mail::access as imap_access;
pub(crate) use settings::relay_settings;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::settings::{discovery, gateway_limits, lmtp_settings, recall_limits, relay, trust};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::admin;
use crate::clock::{Clock, Timestamp};
use crate::config::{self, Config};
use crate::database::{self, Bodies, Database, GAP_PENDING, SYNC_KEYS, Tx};
use crate::delivery::{Lmtp, Outbox, OutboxSettings, Postman, Relay};
use crate::directory::{self, Directory, DirectoryError};
use crate::eas::{self, Endpoint, Gateway, Stopping};
use crate::ids::{IdentityId, MailboxId};
use crate::keyring::Keyring;
use crate::ledger::{self, Books};
use crate::mailbox::embedded::{Embedded, OnEvent};
use crate::mailbox::{Elsewhere, FolderEvent, FolderEventKind, MailboxError};
use crate::policy::{self, Policies};
use crate::push::{Bells, Ring};
use crate::recall::gate::FenceBoard;
use crate::recall::{self, Recall};
use crate::sync::Engine;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state.
    #[error("the state in {place}: {error}")]
    State {
        /// The data directory.
        place: String,
        /// What is wrong with it.
        error: database::Error,
    },
    /// The directory of users.
    #[error("the directory: {0}")]
    Directory(#[from] DirectoryError),
    /// The mail store.
    #[error("the mail store: {0}")]
    Store(#[from] MailboxError),
    /// A listener, a certificate or a file.
    #[error("{what}: {error}")]
    Io {
        /// What could not be opened.
        what: String,
        /// The system's words.
        error: io::Error,
    },
    /// TLS.
    #[error("TLS: {0}")]
    Tls(String),
    /// Mail lies on an IMAP server that is not named.
    #[error("mailbox: backend = \"imap\" needs [imap] host")]
    NoImapHost,
    /// A name in `phones.quirks_off`.
    #[error("phones: quirks_off: there is no {0:?}; docs/quirks.md has the names")]
    NoSuchQuirk(String),
}

/// All rooms, opened over one data directory and joined. Serves nobody yet: [`Server`] does, and the command line when none runs.
#[derive(Clone)]
pub struct House {
    /// State.
    pub database: Database,
    /// Message bodies.
    pub bodies: Bodies,
    /// Mail.
    pub store: Embedded,
    /// The store that phones are served from: the same, unless mail lies elsewhere.
    pub mail: Mail,
    /// Users.
    pub directory: Directory,
    /// Devices' access, policies and wipes.
    pub policies: Policies,
    /// Recall.
    pub recall: Recall,
    /// Outgoing mail.
    pub outbox: Outbox,
    /// Incoming mail.
    pub postman: Postman,
    /// What users have signed in with.
    pub keyring: Keyring,
    /// Phones.
    pub gateway: Gateway,
    /// How devices catch up.
    pub engine: Engine,
    /// Who waits.
    pub bells: Bells,
    /// The time.
    pub clock: Clock,
    /// Mailboxes whose folders changed, for [`Server`] to tell the devices that wait.
    hierarchies: Arc<watch::Sender<Option<MailboxId>>>,
}

/// What a house may be opened with besides its configuration; tests hand in other values.
#[derive(Clone, Default)]
pub struct Opening {
    /// How the database is opened.
    pub database: database::Options,
    /// How sign-in is set up.
    pub sign_in: directory::Settings,
    /// Where bodies lie; beside the database where none is given.
    pub bodies: Option<Bodies>,
    /// What takes outgoing mail; the relay of the configuration where none is given.
    pub relay: Option<Relay>,
}

impl House {
    /// Opens every room. Only one process can: the data directory is locked until the last clone is dropped.
    pub fn open(config: &Config, clock: &Clock, opening: Opening) -> Result<House, StartError> {
        let place = config.server.data_dir.display().to_string();
        let state = |error| StartError::State { place: place.clone(), error };
        let options = database::Options { clock: clock.clone(), ..opening.database };
        let database = Database::open(&config.server.data_dir, options).map_err(state)?;
        let bodies = match opening.bodies {
            Some(bodies) => bodies,
            None => Bodies::beside(&database).map_err(state)?,
        };
        let books = open_books(&database, clock).map_err(state)?;
        let (bells, board) = (Bells::new(), FenceBoard::new());
        let hierarchies = Arc::new(watch::Sender::new(None));
        let store = Embedded::with_arrivals(
            database.clone(),
            bodies.clone(),
            clock.clone(),
            ringer(&bells, &hierarchies),
            recall::arrivals(board.clone()),
        )
        .with_departures(recall::departures());
        let keyring = Keyring::new(clock.clone(), credentials_kept(config));
        let mail = mail::open(config, &store, &keyring)?;
        let kept = wants_credentials(config).then(|| keyring.clone());
        let outside = elsewhere::outside(config, kept)?;
        let directory = Directory::with(database.clone(), clock.clone(), opening.sign_in, outside)?;
        let postman = Postman::new(store.clone(), directory.clone(), &config.server.hostname)
            .answering(&config.server.domains, is_covered);
        let relay = match opening.relay {
            Some(relay) => Some(relay),
            None => relay(config)?,
        };
        let outbox = Outbox::new(postman.clone(), relay, OutboxSettings::default())
            .withheld_by(recall::withholds)
            .for_users(keyring.clone());
        let outbox = match &mail.imap {
            Some(_) => outbox.in_front_of(mail.store.clone()),
            None => outbox,
        };
        let there = mail.imap.clone();
        let rooms = recall::Rooms {
            store: store.clone(),
            elsewhere: there.map(|imap| Arc::new(imap) as Arc<dyn Elsewhere>),
            board: board.clone(),
            bells: bells.clone(),
        };
        let recall =
            Recall::new(database.clone(), clock.clone(), rooms, recall_limits(&config.recall))
                .barred_by(policy::gets_nothing);
        let ring = bells.clone();
        let ring = Arc::new(move |device| ring.ring_device(device, Ring::Access));
        let policies = Policies::new(database.clone(), clock.clone(), ring);
        let engine = Engine {
            database: database.clone(),
            store: mail.store.clone(),
            books,
            board,
            clock: clock.clone(),
        };
        let gateway = Gateway::new(eas::Rooms {
            engine: engine.clone(),
            bells: bells.clone(),
            directory: directory.clone(),
            admission: Arc::new(policies.clone()),
            policies: Some(policies.clone()),
            outgoing: Some(Arc::new(outbox.clone())),
            trust: trust(&config.certificates)?,
            discovery: Some(discovery(config)),
            limits: gateway_limits(config)?,
        });
        let clock = clock.clone();
        Ok(House {
            database,
            bodies,
            store,
            mail,
            directory,
            policies,
            recall,
            outbox,
            postman,
            keyring,
            gateway,
            engine,
            bells,
            clock,
            hierarchies,
        })
    }

    /// What the operators' side works with; `base_url` is where its pages are reached.
    pub fn admin(&self, base_url: String) -> admin::State {
        admin::State {
            database: self.database.clone(),
            bodies: self.bodies.clone(),
            clock: self.clock.clone(),
            recall: self.recall.clone(),
            directory: self.directory.clone(),
            store: self.mail.store.clone(),
            bells: self.bells.clone(),
            policies: self.policies.clone(),
            outbox: self.outbox.clone(),
            base_url,
        }
    }
}

/// Where a server listens; `None` where it does not.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Addresses {
    /// Phones, over TLS.
    pub phones: Option<SocketAddr>,
    /// Phones, in plain HTTP.
    pub phones_plain: Option<SocketAddr>,
    /// Operators.
    pub admin: Option<SocketAddr>,
    /// Mail.
    pub lmtp: Option<SocketAddr>,
}

/// A running server.
pub struct Server {
    /// Its rooms.
    pub house: House,
    /// Where it listens.
    pub addresses: Addresses,
    /// The certificate phones see, in PEM; none without TLS.
    pub certificate_pem: Option<Vec<u8>>,
    endpoint: Endpoint,
    config: Config,
    identity: Option<Arc<eas::tls::Identity>>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Server {
    /// Opens every room and every listener.
    pub async fn start(
        config: &Config,
        clock: Clock,
        opening: Opening,
    ) -> Result<Server, StartError> {
        let house = House::open(config, &clock, opening)?;
        house.store.tidy().await?;
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let (recall, outbox) = (house.recall.clone(), house.outbox.clone());
        let stopped = stopping.clone();
        tasks.spawn(async move { recall.run(stopped).await });
        let stopped = stopping.clone();
        tasks.spawn(async move { outbox.run(stopped).await });
        let (policies, stopped) = (house.policies.clone(), stopping.clone());
        tasks.spawn(async move { policies.run(stopped).await });
        tasks.spawn(tell_hierarchies(house.clone(), stopping.clone()));
        if let Some(imap) = house.mail.imap.clone() {
            tasks.spawn(imap.run(stopping.clone()));
        }
        tasks.spawn(house.directory.clone().run(stopping.clone()));
        tasks.spawn(tidy_keyring(house.keyring.clone(), stopping.clone()));
        let mut addresses = Addresses::default();
        let endpoint = endpoint(config, &house);
        let now = house.clock.now();
        let (identity, certificate_pem) =
            listen_phones(config, &endpoint, &mut addresses, now).await?.unzip();
        // Mail for mailboxes that are not ours comes to where they are.
        if let Some(listen) = config.lmtp.listen.filter(|_| house.mail.imap.is_none()) {
            let listener = bind("LMTP", listen).await?;
            addresses.lmtp = listener.local_addr().ok();
            let lmtp = Lmtp::new(house.postman.clone(), lmtp_settings(&config.lmtp));
            tasks.spawn(lmtp.serve(listener));
        }
        listen_admin(config, &house, &stopping, &mut addresses, &mut tasks).await?;
        tell_addresses(config, &addresses)?;
        let config = config.clone();
        Ok(Server { house, addresses, certificate_pem, endpoint, config, identity, stop, tasks })
    }

    /// Reads certificate and key again, for phones that connect from now on; those that wait notice nothing. On an error the old
    /// pair stays.
    pub fn reload_certificate(&mut self) -> Result<(), StartError> {
        let Some(identity) = &self.identity else { return Ok(()) };
        let (certificate, key) = certificate_of(&self.config, self.house.clock.now())?;
        identity.replace(&certificate, &key).map_err(|error| StartError::Tls(error.to_string()))?;
        self.certificate_pem = Some(certificate);
        Ok(())
    }

    /// How many phones are connected, and how many of them wait.
    pub fn gauge(&self) -> Arc<eas::Gauge> {
        self.endpoint.gauge()
    }

    /// The page of the operators' side.
    pub fn base_url(&self) -> Option<String> {
        self.addresses.admin.map(|address| format!("http://{address}"))
    }

    /// Ends everything in order: waiting phones are told, work under way is finished or left where the next start takes it up.
    pub async fn stop(mut self) {
        self.house.bells.stop();
        self.endpoint.stop(STOPPING).await;
        self.stop.send_replace(true);
        let grace = tokio::time::sleep(STOP_PATIENCE);
        tokio::pin!(grace);
        loop {
            tokio::select! {
                ended = self.tasks.join_next() => if ended.is_none() { break },
                () = &mut grace => break,
            }
            if self.tasks.len() <= LISTENERS_THAT_ONLY_END_BY_ABORT {
                break;
            }
        }
        self.tasks.shutdown().await;
        self.house.database.stop();
    }
}

/// How long work under way may take to end.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// How the phones that wait are let go: spread, so that they do not all come back in one moment.
const STOPPING: Stopping =
    Stopping { spread: Duration::from_secs(2), patience: Duration::from_secs(5) };
/// LMTP serves until its task is dropped.
const LISTENERS_THAT_ONLY_END_BY_ABORT: usize = 1;

/// Runs a server until SIGTERM or SIGINT; SIGHUP makes it read its certificate, and the directory's source, again.
pub async fn run(config: Config) -> Result<(), StartError> {
    let mut signals =
        Signals::new().map_err(|error| StartError::Io { what: "signals".to_owned(), error })?;
    let mut server = Server::start(&config, Clock::system(), Opening::default()).await?;
    let Addresses { phones, phones_plain, admin, lmtp } = server.addresses.clone();
    tracing::info!(?phones, ?phones_plain, ?admin, ?lmtp, "ready");
    while signals.next().await == Told::Reload {
        match server.reload_certificate() {
            Ok(()) => tracing::info!("the certificate has been read again"),
            Err(error) => tracing::error!(%error, "the certificate stays the old one"),
        }
        server.house.directory.look_again();
    }
    tracing::info!("stopping");
    server.stop().await;
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Told {
    Stop,
    Reload,
}

/// The signals we hear. Heard from the start on, so that none is lost while another is obeyed.
struct Signals {
    term: Signal,
    int: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.term.recv() => Told::Stop,
            _ = self.int.recv() => Told::Stop,
            _ = self.hangup.recv() => Told::Reload,
        }
    }
}

/// Whether an open order covers a message in a mailbox.
fn is_covered(
    tx: &Tx<'_>,
    identity: IdentityId,
    mailbox: MailboxId,
    now: Timestamp,
) -> Result<bool, database::Error> {
    Ok(recall::covers(tx, identity, mailbox, now)?.is_some())
}

/// The books over the installation's secret; after a restore, every device gets the gap flag first.
fn open_books(database: &Database, clock: &Clock) -> Result<Books, database::Error> {
    let now = clock.now();
    let (secret, epochs) = database.write_blocking(move |tx| {
        if database::meta(tx, GAP_PENDING)?.is_some() {
            ledger::rolled_back(tx)?;
        }
        let secret = database::mac_key(tx, SYNC_KEYS, now)?;
        let epochs = database::epochs(tx)?.into_iter().map(|epoch| epoch.number).collect();
        Ok::<_, database::Error>((*secret.bytes(), epochs))
    })?;
    Ok(Books::new(&secret, epochs))
}

/// What happens in a folder rings its bells; changes of the folders themselves are told by a task of [`Server`].
fn ringer(bells: &Bells, hierarchies: &Arc<watch::Sender<Option<MailboxId>>>) -> OnEvent {
    let (bells, hierarchies) = (bells.clone(), hierarchies.clone());
    Arc::new(move |event: FolderEvent| {
        let ring = match event.kind {
            FolderEventKind::Arrived { .. } => Ring::Arrival(event.folder),
            FolderEventKind::Removed => Ring::Removal(event.folder),
            FolderEventKind::Changed => Ring::Change(event.folder),
            FolderEventKind::Hierarchy => {
                hierarchies.send_replace(Some(event.mailbox));
                return;
            }
        };
        bells.ring(event.folder, ring);
    })
}

/// Whether a server behind us is to see what users sign in with here; otherwise nothing of it is kept.
fn wants_credentials(config: &Config) -> bool {
    let mailbox = &config.mailbox;
    let is_owner = mailbox.access == config::Access::Owner;
    config.relay.credentials() == config::RelayCredentials::User
        || (mailbox.backend != config::Backend::Embedded && is_owner)
}

/// For how long what a phone signed in with stays in memory after its last use.
fn credentials_kept(config: &Config) -> Duration {
    Duration::from_secs(60 * u64::from(config.phones.credentials_kept_min))
}

async fn tidy_keyring(keyring: Keyring, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(TIDY_KEYRING_EVERY) => keyring.tidy(),
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

/// How often credentials that are due to go are looked for; those that are due are not given out before either.
const TIDY_KEYRING_EVERY: Duration = Duration::from_secs(10);

async fn tell_hierarchies(house: House, mut stop: watch::Receiver<bool>) {
    let mut changed = house.hierarchies.subscribe();
    loop {
        tokio::select! {
            news = changed.changed() => if news.is_err() { return },
            _ = stop.changed() => return,
        }
        let mailbox = *changed.borrow_and_update();
        if let Some(mailbox) = mailbox
            && let Err(error) = house.gateway.hierarchy_changed(mailbox).await
        {
            tracing::error!(%error, "devices could not be told that folders changed");
        }
    }
}

fn endpoint(config: &Config, house: &House) -> Endpoint {
    let phones = &config.phones;
    let limits = eas::Limits {
        connections_max: phones.connections_max,
        connections_per_ip_max: phones.connections_per_ip_max,
        body_bytes_max: usize::try_from(phones.body_bytes_max).unwrap_or(usize::MAX),
        requests_max: phones.requests_max,
        ..eas::Limits::default()
    };
    let settings = eas::Settings {
        limits,
        trusted_proxies: phones.trusted_proxies.clone(),
        forwarding: match phones.proxy_fields {
            config::ProxyFields::XForwarded => eas::Forwarding::XForwarded,
            config::ProxyFields::Forwarded => eas::Forwarding::Forwarded,
        },
        proxy_protocol: phones.proxy_protocol,
        plain_proxy_protocol: phones.plain_proxy_protocol,
    };
    Endpoint::new(Arc::new(house.gateway.clone()), settings, house.clock.clone())
}

/// Leaves the addresses where scripts find them: port 0 in the configuration means "any".
fn tell_addresses(config: &Config, addresses: &Addresses) -> Result<(), StartError> {
    let (path, part) = (
        config.server.data_dir.join("addresses.json"),
        config.server.data_dir.join("addresses.json.part"),
    );
    let told = serde_json::to_vec_pretty(addresses)
        .map_err(io::Error::other)
        .and_then(|json| std::fs::write(&part, json))
        .and_then(|()| std::fs::rename(&part, &path));
    told.map_err(|error| StartError::Io { what: path.display().to_string(), error })
}

async fn bind(what: &str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| StartError::Io { what: format!("{what} on {address}"), error })
}

async fn listen_phones(
    config: &Config,
    endpoint: &Endpoint,
    addresses: &mut Addresses,
    now: Timestamp,
) -> Result<Option<(Arc<eas::tls::Identity>, Vec<u8>)>, StartError> {
    let mut served = None;
    if let Some(listen) = config.phones.listen {
        let (cert_pem, key_pem) = certificate_of(config, now)?;
        let tls = |error: &dyn std::fmt::Display| StartError::Tls(error.to_string());
        let identity = eas::tls::Identity::from_pem(&cert_pem, &key_pem).map_err(|e| tls(&e))?;
        let identity = Arc::new(identity);
        let server = eas::tls::server_config(Arc::clone(&identity)).map_err(|e| tls(&e))?;
        let listener = bind("phones", listen).await?;
        addresses.phones = listener.local_addr().ok();
        endpoint
            .serve_tls(listener, server)
            .map_err(|error| StartError::Io { what: "phones".to_owned(), error })?;
        served = Some((identity, cert_pem));
    }
    if let Some(listen) = config.phones.plain_listen {
        let listener = bind("phones, plain", listen).await?;
        addresses.phones_plain = listener.local_addr().ok();
        endpoint
            .serve_plain(listener)
            .map_err(|error| StartError::Io { what: "phones, plain".to_owned(), error })?;
    }
    Ok(served)
}

/// Lets jemalloc, where it is the allocator, give pages back a second after they were freed instead of ten: what a wake of many
/// phones took is gone soon after it. For the first lines of a program.
pub fn give_memory_back_soon() {
    #[cfg(feature = "jemalloc")]
    {
        use tikv_jemalloc_ctl::{Access as _, AsName as _, arenas};
        // For the arenas to come, and for those that are there; not all numbers are in use.
        let _ = "arenas.dirty_decay_ms\0".name().write(PAGES_KEPT_MS);
        for arena in 0..arenas::narenas::read().unwrap_or(1) {
            let _ = format!("arena.{arena}.dirty_decay_ms\0").name().write(PAGES_KEPT_MS);
        }
    }
}

/// How long freed pages are kept for the next who wants them.
#[cfg(feature = "jemalloc")]
const PAGES_KEPT_MS: isize = 1_000;

/// The certificate and key of the configuration, or the self-signed pair in the data directory, made when it is missing.
pub fn certificate_of(config: &Config, now: Timestamp) -> Result<(Vec<u8>, Vec<u8>), StartError> {
    let read = |path: &Path| {
        std::fs::read(path)
            .map_err(|error| StartError::Io { what: path.display().to_string(), error })
    };
    if let (Some(certificate), Some(key)) = (&config.phones.certificate, &config.phones.private_key)
    {
        return Ok((read(certificate)?, read(key)?));
    }
    let dir = &config.server.data_dir;
    let (certificate, key) = (dir.join("self-signed.pem"), dir.join("self-signed-key.pem"));
    if !certificate.exists() || !key.exists() {
        let names =
            [config.server.hostname.clone(), "localhost".to_owned(), "127.0.0.1".to_owned()];
        let (cert_pem, key_pem) =
            eas::tls::self_signed(&names, now).map_err(|e| StartError::Tls(e.to_string()))?;
        write_private(&key, key_pem.as_bytes())?;
        write_private(&certificate, cert_pem.as_bytes())?;
    }
    Ok((read(&certificate)?, read(&key)?))
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<(), StartError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let write = || {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(path)?.write_all(bytes)
    };
    write().map_err(|error| StartError::Io { what: path.display().to_string(), error })
}

async fn listen_admin(
    config: &Config,
    house: &House,
    stop: &watch::Receiver<bool>,
    addresses: &mut Addresses,
    tasks: &mut JoinSet<()>,
) -> Result<(), StartError> {
    let listener = match config.admin.listen {
        Some(listen) => Some(bind("admin", listen).await?),
        None => None,
    };
    addresses.admin = listener.as_ref().and_then(|l| l.local_addr().ok());
    let base_url = addresses.admin.map_or_else(String::new, |address| format!("http://{address}"));
    let router = admin::router(house.admin(base_url));
    if let Some(listener) = listener {
        tasks.spawn(admin::serve(listener, router.clone(), stop.clone()));
    }
    let (socket, stop) = (config.socket(), stop.clone());
    let bound = admin::bind_socket(&socket)
        .map_err(|error| StartError::Io { what: socket.display().to_string(), error })?;
    tasks.spawn(admin::serve_socket(bound, router, stop));
    Ok(())
}
