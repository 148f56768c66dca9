//! The gateway: what the phone listener hands its requests to.
//!
//! It holds the rooms below and the little that is remembered between requests (who is there, who is being served). Each request
//! is signed in, introduced and admitted by [`session`], then served by [`dispatch`]; requests of one device that do not wait are
//! served one after the other, so that a repeated request finds what became of the first.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use activesync::ProtocolVersion;
use activesync::command::CommandName;
use activesync::http as wire;
use bytes::Bytes;
use http::header::{ALLOW, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use parking_lot::Mutex;

use super::autodiscover::Discovery;
use super::basic::Realm;
use super::budget::{Budget, Share};
use super::convert::Shaper;
use super::endpoint::{Answer, BoxFuture, Handler, Incoming, Outcome, Pass, Place, REQUESTS_MAX};
use super::presence::Presence;
use super::quirks::Quirks;
use super::session;
use super::status::Refusal;
use super::trust::Trust;
use super::{autodiscover, basic, dispatch};
use crate::database;
use crate::delivery::{Against, Judge};
use crate::directory::{Directory, User};
use crate::ids::{DeviceId, MailboxId, UserId};
use crate::ledger::{self, Device};
use crate::policy::Policies;
use crate::push::{Bells, Ring};
use crate::recall::OnSend;
use crate::sync::Engine;

/// The versions we announce and serve.
pub const VERSIONS: &[ProtocolVersion] = &ProtocolVersion::ALL;

/// The commands we announce and serve.
pub const COMMANDS: &[CommandName] = dispatch::COMMANDS;

/// What a gateway is built from.
pub struct Rooms {
    /// How devices catch up; with it the database and the store.
    pub engine: Engine,
    /// Who is waiting.
    pub bells: Bells,
    /// Who is who.
    pub directory: Directory,
    /// Whether a device may talk.
    pub admission: Arc<dyn Admission>,
    /// What devices must obey; none where nothing is demanded of them.
    pub policies: Option<Policies>,
    /// How mail leaves; none where no mail can.
    pub outgoing: Option<Arc<dyn Outgoing>>,
    /// Which certificates of mail are trusted.
    pub trust: Trust,
    /// What Autodiscover tells ([MS-ASCMD] 2.2.1.1); none where something else answers it.
    pub discovery: Option<Discovery>,
    /// Limits.
    pub limits: GatewayLimits,
}

/// The limits of the gateway.
#[derive(Clone, Debug)]
pub struct GatewayLimits {
    /// Shortest heartbeat of a Ping or Sync, in seconds.
    pub heartbeat_s_min: u32,
    /// Longest heartbeat, in seconds.
    pub heartbeat_s_max: u32,
    /// Folders a Ping may watch.
    pub ping_folders_max: usize,
    /// Collections in one Sync.
    pub collections_max: usize,
    /// Octets of message content in one answer, beyond which the rest comes with the next.
    pub answer_bytes_max: usize,
    /// Octets of mails read and being converted at a time; a mail larger than all of it is converted alone.
    pub conversion_bytes_max: usize,
    /// Octets of content in answers that are being made or have not left yet, all together.
    pub answers_bytes_max: usize,
    /// The same of one user; more than the largest answer there is.
    pub answers_per_user_bytes_max: usize,
    /// Requests of one user that are served, or wait for their turn to be.
    pub requests_per_user_max: usize,
    /// The same of one device, which are served one after the other.
    pub requests_per_device_max: usize,
    /// Bodies of more than 64 kB that one user may have on their way to us.
    pub uploads_per_user_max: usize,
    /// Searches at a time.
    pub searches_max: usize,
    /// The same of one user.
    pub searches_per_user_max: usize,
    /// How long a search may look; then it has timed out.
    pub search_time_max: Duration,
    /// How long deletions by other clients are collected before they end a wait.
    pub removals_coalesce: Duration,
    /// How often a device may be nudged for the proof of a recall in an hour; 0 never.
    pub nudges_per_hour_max: usize,
    /// What is not done for the clients that need it, because somebody switched it off.
    pub quirks_off: Quirks,
    /// What becomes of a mail that carries or answers a recalled message.
    pub on_send: OnSend,
    /// What a phone without credentials is asked for.
    pub realm: Realm,
}

impl Default for GatewayLimits {
    fn default() -> GatewayLimits {
        GatewayLimits {
            heartbeat_s_min: 60,
            heartbeat_s_max: 3540,
            ping_folders_max: 1_000,
            collections_max: 300,
            answer_bytes_max: 4 * 1024 * 1024,
            conversion_bytes_max: 256 * 1024 * 1024,
            answers_bytes_max: 512 * 1024 * 1024,
            answers_per_user_bytes_max: 128 * 1024 * 1024,
            requests_per_user_max: REQUESTS_MAX / 2,
            requests_per_device_max: 8,
            uploads_per_user_max: 4,
            searches_max: 8,
            searches_per_user_max: 2,
            search_time_max: Duration::from_secs(30),
            removals_coalesce: Duration::from_secs(10),
            nudges_per_hour_max: 4,
            quirks_off: Quirks::default(),
            on_send: OnSend::Note,
            realm: Realm::default(),
        }
    }
}

/// Whether a device may talk: what policy says before a command is served.
pub trait Admission: Send + Sync + 'static {
    /// Rules on one request.
    fn admit<'a>(&'a self, asks: Asks<'a>) -> BoxFuture<'a, Result<Admitted, database::Error>>;
}

/// A request as policy sees it.
#[derive(Clone, Copy, Debug)]
pub struct Asks<'a> {
    /// The device.
    pub device: &'a Device,
    /// Its user.
    pub user: &'a User,
    /// What it wants.
    pub command: CommandName,
    /// The version it speaks.
    pub version: ProtocolVersion,
    /// The policy key it presents.
    pub policy_key: Option<u32>,
}

/// What policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It may.
    Yes,
    /// It has to fetch and acknowledge its policy first.
    NotProvisioned,
    /// The policy has changed.
    PolicyRefresh,
    /// Its policy key is stale or wrong.
    InvalidPolicyKey,
    /// A wipe waits for it.
    WipeRequested,
    /// It may not.
    Blocked,
    /// It may not yet: somebody has to decide.
    Quarantined,
}

/// Lets every device in.
#[derive(Clone, Copy, Debug)]
pub struct Everybody;

impl Admission for Everybody {
    fn admit<'a>(&'a self, _: Asks<'a>) -> BoxFuture<'a, Result<Admitted, database::Error>> {
        Box::pin(std::future::ready(Ok(Admitted::Yes)))
    }
}

/// What makes a repetition of a mail the same mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailName {
    /// The phone's own name for it (ClientId); the same again within 14 days is the same mail.
    Given(String),
    /// Up to 12.1 a phone gives it none.
    Content {
        /// The SHA-256 of all it asked for.
        sha256: [u8; 32],
        /// Whether the mail has a Message-ID: then nobody writes it again, and the same within 14 days is the same mail. Without
        /// one the same words may be meant anew after a day.
        has_id: bool,
    },
}

/// Mail a phone wants sent, ready to leave.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Whose mail.
    pub user: UserId,
    /// From which device.
    pub device: DeviceId,
    /// What makes a repetition the same mail.
    pub name: MailName,
    /// The octets as they leave.
    pub raw: Bytes,
    /// To whom.
    pub recipients: Vec<String>,
    /// Its Message-ID, without angle brackets.
    pub message_id: String,
    /// Whether a copy goes to Sent Items.
    pub save_in_sent: bool,
    /// Who decides whether it may go, in the transaction that takes it.
    pub judge: Option<Judge>,
}

/// Why mail was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSubmitted {
    /// There is no room.
    #[error("there is no room")]
    Full,
    /// It is larger than what takes it on its way allows.
    #[error("it is too large")]
    TooLarge,
    /// It runs against an open order.
    #[error("it runs against {0:?}")]
    Against(Against),
    /// It may not be sent.
    #[error("refused: {0}")]
    Refused(String),
    /// Our own fault.
    #[error("internal: {0}")]
    Ours(String),
}

/// How mail leaves: durable when the answer comes.
pub trait Outgoing: Send + Sync + 'static {
    /// Takes a mail.
    fn submit(&self, mail: Submission) -> BoxFuture<'_, Result<(), NotSubmitted>>;

    /// Whether a mail of this name was taken from the device before.
    fn knows(
        &self,
        user: UserId,
        device: DeviceId,
        name: &MailName,
    ) -> BoxFuture<'_, Result<bool, NotSubmitted>>;
}

/// The gateway. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(Arc<Desk>);

/// The rooms, and what is remembered between requests.
pub(in crate::eas) struct Desk {
    rooms: Rooms,
    /// Who is there.
    pub(in crate::eas) presence: Presence,
    /// How messages become items.
    pub(in crate::eas) shaper: Shaper,
    /// What answers hold until they have left.
    pub(in crate::eas) answers: Budget<UserId>,
    /// Searches at work.
    pub(in crate::eas) searches: Budget<UserId>,
    users_at_work: Budget<UserId>,
    devices_at_work: Budget<DeviceId>,
    uploads: Budget<UserId>,
    queues: Queues,
    requests: AtomicU64,
}

impl Deref for Desk {
    type Target = Rooms;

    fn deref(&self) -> &Rooms {
        &self.rooms
    }
}

impl Desk {
    /// A number for a request that no other request of this database has.
    pub(in crate::eas) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed)
    }

    /// The place of a request among those of its user and its device; `None` where they have too many already. Without it one
    /// user could take every turn there is, with requests that only wait for one another.
    ///
    /// All phones that only try an account have one row, and are in nobody's way: for them `device` is none.
    pub(in crate::eas) fn place_of(
        &self,
        user: UserId,
        device: Option<DeviceId>,
    ) -> Option<AtWork> {
        let of_device = match device {
            Some(device) => Some(self.devices_at_work.one(device)?),
            None => None,
        };
        Some(AtWork { _held: (of_device, self.users_at_work.one(user)?) })
    }

    /// Waits until no other request of this device is being served.
    pub(in crate::eas) async fn turn_of(&self, device: DeviceId) -> Turnstile {
        Turnstile { _held: self.queues.of(device).lock_owned().await }
    }
}

/// Held while a request is served, or waits to be.
pub(in crate::eas) struct AtWork {
    _held: (Option<Share<DeviceId>>, Share<UserId>),
}

/// Held while a request of a device is being served.
pub(in crate::eas) struct Turnstile {
    _held: tokio::sync::OwnedMutexGuard<()>,
}

/// One queue for each device that is being served.
#[derive(Default)]
struct Queues(Mutex<Table>);

#[derive(Default)]
struct Table {
    queues: HashMap<DeviceId, Weak<tokio::sync::Mutex<()>>>,
    tidy_at: usize,
}

impl Queues {
    fn of(&self, device: DeviceId) -> Arc<tokio::sync::Mutex<()>> {
        let mut table = self.0.lock();
        if let Some(queue) = table.queues.get(&device).and_then(Weak::upgrade) {
            return queue;
        }
        if table.queues.len() >= table.tidy_at {
            table.queues.retain(|_, queue| queue.strong_count() > 0);
            table.tidy_at = 2 * table.queues.len() + QUEUES_MIN;
        }
        let queue = Arc::new(tokio::sync::Mutex::new(()));
        table.queues.insert(device, Arc::downgrade(&queue));
        queue
    }
}

impl Gateway {
    /// A gateway over these rooms.
    pub fn new(rooms: Rooms) -> Gateway {
        let seed = u64::try_from(rooms.engine.clock.now().ms()).unwrap_or(0) << REQUEST_BITS;
        let limits = &rooms.limits;
        Gateway(Arc::new(Desk {
            presence: Presence::default(),
            shaper: Shaper::new(limits.conversion_bytes_max),
            answers: Budget::new(limits.answers_bytes_max, limits.answers_per_user_bytes_max),
            searches: Budget::new(limits.searches_max, limits.searches_per_user_max),
            users_at_work: Budget::new(usize::MAX, limits.requests_per_user_max),
            devices_at_work: Budget::new(usize::MAX, limits.requests_per_device_max),
            uploads: Budget::new(usize::MAX, limits.uploads_per_user_max),
            rooms,
            queues: Queues::default(),
            requests: AtomicU64::new(seed),
        }))
    }

    /// The folders of a mailbox changed: whoever syncs it and waits is told.
    pub async fn hierarchy_changed(&self, mailbox: MailboxId) -> Result<(), database::Error> {
        let devices =
            self.0.engine.database.read(move |tx| ledger::device::of_mailbox(tx, mailbox)).await?;
        for device in devices {
            self.0.bells.ring_device(device.id, Ring::Hierarchy);
        }
        Ok(())
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.0.bells.waiting()
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gateway({:?})", self.0.bells)
    }
}

impl Handler for Gateway {
    fn handle(&self, request: Incoming) -> BoxFuture<'static, Outcome> {
        let desk = self.0.clone();
        Box::pin(async move {
            match request.place {
                Place::ActiveSync if request.method == Method::OPTIONS => {
                    options(&desk, &request).await.into()
                }
                Place::ActiveSync => dispatch::serve(desk, request).await,
                Place::AutodiscoverXml | Place::AutodiscoverJson => match &desk.discovery {
                    None => Answer::empty(StatusCode::NOT_FOUND).into(),
                    Some(found) if request.place == Place::AutodiscoverJson => {
                        autodiscover::json(found, &request).into()
                    }
                    Some(found) => autodiscover::xml(&desk, found, &request).await.into(),
                },
            }
        })
    }

    fn admits<'a>(&'a self, request: &'a Incoming) -> BoxFuture<'a, Result<Pass, Answer>> {
        Box::pin(async move {
            let admitted = match session::sign_in(&self.0, request).await {
                Ok(user) => self.0.uploads.one(user.id).ok_or(Refusal::Busy),
                Err(refusal) => Err(refusal),
            };
            let share = admitted.map_err(|refusal| {
                session::note_refusal(request.peer.ip(), &request.query, None, &refusal);
                refusal.answer(None, None, &self.0.limits.realm)
            })?;
            Ok(Box::new(share) as Pass)
        })
    }

    fn too_large(&self, request: Incoming) -> BoxFuture<'static, Answer> {
        let desk = self.0.clone();
        Box::pin(async move { dispatch::too_large(&desk, &request).await })
    }
}

/// OPTIONS: what is served ([MS-ASHTTP] 2.2.4).
async fn options(desk: &Desk, request: &Incoming) -> Answer {
    if basic::authorization(&request.headers).is_none() {
        return basic::challenge(&desk.limits.realm);
    }
    if let Err(refusal) = session::sign_in(desk, request).await {
        session::note_refusal(request.peer.ip(), &request.query, None, &refusal);
        return refusal.answer(None, None, &desk.limits.realm);
    }
    announce(Answer::empty(StatusCode::OK))
        .with(ALLOW, HeaderValue::from_static("OPTIONS,POST"))
        .with(HeaderName::from_static("public"), HeaderValue::from_static("OPTIONS,POST"))
}

/// Says which versions and commands are served ([MS-ASHTTP] 2.2.1.2.1.4, 2.2.1.2.1.5).
pub(in crate::eas) fn announce(answer: Answer) -> Answer {
    answer
        .with(
            HeaderName::from_static(wire::MS_AS_PROTOCOL_VERSIONS),
            header(&wire::version_list(VERSIONS)),
        )
        .with(
            HeaderName::from_static(wire::MS_AS_PROTOCOL_COMMANDS),
            header(&wire::command_list(COMMANDS)),
        )
}

/// A header value of our own words.
pub(in crate::eas) fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("names of versions and commands are plain ASCII")
}

/// Bits of a request's number below its seed: 65,536 requests a millisecond before a restart could repeat one.
const REQUEST_BITS: u32 = 16;
/// Queues kept before the idle ones are swept.
const QUEUES_MIN: usize = 64;
