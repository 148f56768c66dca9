//! How is a message taken back?
//!
//! ```text
//! OrderRequest ─► place: audit + order + fence, one commit ─► Order ─► run: expand ─► remove ─► done
//!                   │ refused: OrderRefused                      │        (ledger)   (vault)
//!                   ▼                                            └─► cancel ─► restore ─► restored
//! each copy on each device (state.rs):
//! None ─► Accepted ─► Fenced ─┬─► Prevented
//!                             └─► Queued ─► Sent(n) ─► Acknowledged(n)
//!                                  ▲  │        │ older key
//!                                  └──┴────────┘        beside: Silent, Unsynced, Resynced, Wipe.., Blocked, Unreachable, ..
//! ```
//!
//! Invariants:
//! - The fence is the order's own commit. Devices, bells and the store come after it and cannot hold it up.
//! - A state changes only through the table in `state.rs`, with an audit entry in the same transaction.
//! - *Acknowledged* is earned by a presented key of the branch that carried the `Delete`; never by silence, a Ping, or a clock.
//! - A copy leaves the store only into the vault, and comes back from it once, also when the process dies between.
//! - A copy under two orders stays fenced until both are cancelled.
//! - Whatever a crash interrupts is taken up: the work list is in the database, nowhere else.

mod cover;
mod coverage;
mod enforce;
pub mod gate;
mod order;
mod outside;
mod reason;
pub mod retraction;
mod run;
mod selector;
mod state;
pub mod tables;
mod vault;

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

pub use cover::{arrivals, bind_late, covers};
pub use coverage::{
    CANNOT_KNOW, Coverage, Grade, OrderView, PairView, RecipientResult, RecipientView,
};
pub use enforce::{Policy, Situation, Step, deletes_max, may_nudge, next_step, silent_after};
pub use order::{Actor, OrderRefused, OrderRequest, SecondPerson, normal_message_id};
pub use reason::ReasonCode;
pub use run::SWEEP_PERIOD;
pub use selector::Body;
pub use state::State;
pub use tables::{Verdict, any_fence};

use crate::clock::{Clock, Timestamp};
use crate::database::{Database, Error, Tx};
use crate::directory;
use crate::failpoint;
use crate::ids::UserId;
use crate::ids::{DeviceId, IdentityId, MailboxId, OrderId};
use crate::ledger::{self, Device, Exposure};
use crate::mailbox::MailboxError;
use crate::mailbox::embedded::Embedded;
use crate::push::Bells;
use gate::FenceBoard;
use order::Ask;

/// The rooms this one asks and tells; cheap to clone.
#[derive(Clone)]
pub struct Rooms {
    /// Where copies lie.
    pub store: Embedded,
    /// The fences in memory, for answers that drain.
    pub board: FenceBoard,
    /// Who waits.
    pub bells: Bells,
}

/// What an installation allows; handed in by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Above this many copies an order wants its count typed and a second person.
    pub copies_unconfirmed_max: u64,
    /// The same above this share of all mailboxes, in thousandths.
    pub mailboxes_unconfirmed_permille: u64,
    /// Up to this many mailboxes the share does not matter, so that small installations are usable.
    pub mailboxes_always_allowed: u64,
    /// Whether senders may recall their own mail.
    pub senders_may_recall: bool,
    /// How old a mail a sender may recall.
    pub sender_age_max: Duration,
    /// For how many days an order binds copies that arrive later, when it does not say.
    pub stands_days: u32,
    /// The most days it may ask for.
    pub stands_days_max: u32,
    /// What is done by itself.
    pub policy: Policy,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            copies_unconfirmed_max: COPIES_UNCONFIRMED_MAX,
            mailboxes_unconfirmed_permille: MAILBOXES_UNCONFIRMED_PERMILLE,
            mailboxes_always_allowed: MAILBOXES_ALWAYS_ALLOWED,
            senders_may_recall: false,
            sender_age_max: SENDER_AGE_MAX,
            stands_days: STANDS_DAYS,
            stands_days_max: STANDS_DAYS_MAX,
            policy: Policy::default(),
        }
    }
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum RecallError {
    /// The order is refused.
    #[error(transparent)]
    Refused(OrderRefused),
    /// There is no such order, or not for this actor.
    #[error("there is no such order")]
    NoSuchOrder,
    /// The database.
    #[error("the database: {0}")]
    Database(#[from] Error),
    /// The mail store.
    #[error("the mail store: {0}")]
    Store(#[from] MailboxError),
}

/// Recall, as the server, the admin pages and the shell use it. Cheap to clone.
#[derive(Clone)]
pub struct Recall {
    db: Database,
    clock: Clock,
    rooms: Rooms,
    limits: Limits,
}

/// What an order would do, before it is given.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DryRun {
    /// The Message-ID, without angle brackets.
    pub message_id: String,
    /// The bodies that go by it; more than one means that somebody rewrote or forged it.
    pub bodies: Vec<Body>,
    /// Copies in the store that would be withdrawn.
    pub copies: u64,
    /// Mailboxes they would be withdrawn from.
    pub mailboxes: u64,
    /// Set when the order would want this count typed and a second person.
    pub confirm_count: Option<u64>,
    /// Nothing is known under this Message-ID: the order would stand for it.
    pub is_unseen: bool,
    /// Devices of those mailboxes.
    pub devices: u64,
    /// Devices that were sent something of it.
    pub devices_exposed: u64,
    /// Devices on which it was marked read.
    pub devices_read: u64,
    /// Devices from which it was replied to or forwarded.
    pub devices_acted: u64,
    /// Recipients not served here.
    pub outside: Vec<String>,
    /// Mailbox by mailbox, at most [`DRY_RUN_ROWS_MAX`].
    pub recipients: Vec<DryRecipient>,
    /// There are more recipients than listed.
    pub is_truncated: bool,
    /// What the gateway cannot know.
    pub cannot_know: &'static str,
}

/// One mailbox of a dry run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DryRecipient {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// Its address.
    pub recipient: String,
    /// The message.
    pub identity: IdentityId,
    /// What the order would do.
    pub verdict: Verdict,
    /// Its devices.
    pub devices: Vec<DryDevice>,
}

/// One device of a dry run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DryDevice {
    /// The device.
    pub device: DeviceId,
    /// What it calls itself.
    pub device_name: String,
    /// Its last authenticated request.
    pub last_seen: Timestamp,
    /// What left for it.
    pub exposure: String,
}

impl Recall {
    /// Ready to work; [`Recall::run`] carries out what is waiting, also from before a crash.
    pub fn new(db: Database, clock: Clock, rooms: Rooms, limits: Limits) -> Recall {
        Recall { db, clock, rooms, limits }
    }

    /// Shows what an order would cover, and what has left already. Not for senders.
    pub async fn dry_run(&self, request: OrderRequest, by: Actor) -> Result<DryRun, RecallError> {
        if matches!(by, Actor::Sender { .. }) {
            return Err(order::refuse(ReasonCode::NotEnabled, "senders get no dry run"));
        }
        let limits = self.limits;
        let ask = Ask { request, by, idempotency_key: None, asked_at: self.clock.now() };
        let mut run = self.db.read(move |tx| dry_run(tx, &limits, &ask)).await?;
        let covered = run.bodies.iter().filter(|body| body.is_covered);
        let identities: Vec<IdentityId> = covered.map(|body| body.identity).collect();
        run.outside = self.outside_of(identities).await?;
        Ok(run)
    }

    /// Gives an order; when this answers, the fence stands. The same idempotency key of the same actor answers the same order.
    pub async fn order(
        &self,
        request: OrderRequest,
        by: Actor,
        idempotency_key: Option<String>,
    ) -> Result<OrderId, RecallError> {
        let ask = Ask { request, by, idempotency_key, asked_at: self.clock.now() };
        let (rooms, limits, clock) = (self.rooms.clone(), self.limits, self.clock.clone());
        let placed = self
            .db
            .write_first(move |tx| order::place(tx, &rooms, &limits, &ask, clock.now()))
            .await?;
        failpoint!("recall.before_answer");
        if placed.is_new {
            tracing::info!(order = placed.id.0, "an order is fenced");
        }
        Ok(placed.id)
    }

    /// Cancels an order and has its copies put back. Again: nothing. A sender cancels only own orders.
    pub async fn cancel(&self, id: OrderId, by: Actor) -> Result<(), RecallError> {
        let (rooms, clock) = (self.rooms.clone(), self.clock.clone());
        self.db.write_first(move |tx| order::cancel(tx, &rooms, id, &by, clock.now())).await
    }

    /// Orders, newest first, with numbers below `before`.
    pub async fn orders(
        &self,
        before: Option<OrderId>,
        limit: usize,
    ) -> Result<Vec<OrderView>, RecallError> {
        let before = before.unwrap_or(OrderId(i64::MAX));
        let limit = limit.min(ORDERS_PAGE_MAX);
        let rows = self.db.read(move |tx| tables::orders(tx, before, limit)).await?;
        Ok(rows.iter().map(coverage::view).collect())
    }

    /// One order.
    pub async fn show(&self, id: OrderId) -> Result<OrderView, RecallError> {
        let row = self.db.read(move |tx| tables::order(tx, id)).await?;
        row.as_ref().map(coverage::view).ok_or(RecallError::NoSuchOrder)
    }

    /// The report of an order.
    pub async fn coverage(&self, id: OrderId) -> Result<Coverage, RecallError> {
        self.db.read(move |tx| coverage_of(tx, id)).await
    }

    /// Changes whenever some order may look different; for the live page and for waiting. May also change for nothing.
    pub fn changes(&self) -> watch::Receiver<u64> {
        CHANGED.subscribe()
    }

    /// The report, once nothing of the order is under way any more, or when `patience` is over.
    pub async fn wait_settled(
        &self,
        id: OrderId,
        patience: Duration,
    ) -> Result<Coverage, RecallError> {
        let end = tokio::time::Instant::now() + patience;
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            let coverage = self.coverage(id).await?;
            if coverage.is_settled {
                return Ok(coverage);
            }
            if !matches!(tokio::time::timeout_at(end, changes.changed()).await, Ok(Ok(()))) {
                return self.coverage(id).await;
            }
        }
    }
}

fn dry_run(tx: &Tx<'_>, limits: &Limits, ask: &Ask) -> Result<DryRun, RecallError> {
    let message_id = order::check(ask, limits)?;
    let selection = order::survey(tx, ask, &message_id)?;
    let all = tables::mailboxes(tx)?;
    let mut run = DryRun {
        message_id,
        is_unseen: selection.bodies.is_empty(),
        confirm_count: order::brake(limits, selection.copies, selection.mailboxes, all),
        bodies: selection.bodies,
        copies: selection.copies,
        mailboxes: selection.mailboxes,
        devices: 0,
        devices_exposed: 0,
        devices_read: 0,
        devices_acted: 0,
        outside: Vec::new(),
        recipients: Vec::new(),
        is_truncated: selection.pairs.len() > DRY_RUN_ROWS_MAX,
        cannot_know: CANNOT_KNOW,
    };
    for (identity, mailbox, verdict) in selection.pairs {
        let seen = seen_by(tx, identity, mailbox)?;
        if verdict == Verdict::Withdraw {
            let having = |flag| seen.iter().filter(|(_, seen)| seen.contains(flag)).count() as u64;
            run.devices += seen.len() as u64;
            run.devices_exposed +=
                seen.iter().filter(|(_, seen)| *seen != Exposure::NEVER).count() as u64;
            run.devices_read += having(Exposure::READ_CLAIMED);
            run.devices_acted += having(Exposure::ACTED);
        }
        if run.recipients.len() < DRY_RUN_ROWS_MAX {
            let recipient = address_of(tx, mailbox)?.unwrap_or_default();
            let devices = seen.into_iter().map(dry_device).collect();
            run.recipients.push(DryRecipient { mailbox, recipient, identity, verdict, devices });
        }
    }
    Ok(run)
}

/// The devices of a mailbox, and what left for each of one message.
fn seen_by(
    tx: &Tx<'_>,
    identity: IdentityId,
    mailbox: MailboxId,
) -> Result<Vec<(Device, Exposure)>, Error> {
    let mut seen: BTreeMap<DeviceId, Exposure> = BTreeMap::new();
    for held in ledger::who_holds(tx, identity, mailbox)? {
        *seen.entry(held.device).or_default() |= held.exposure;
    }
    let devices = ledger::device::of_mailbox(tx, mailbox)?;
    let exposure = |device: &Device| seen.get(&device.id).copied().unwrap_or_default();
    Ok(devices.into_iter().map(|device| (device.clone(), exposure(&device))).collect())
}

fn dry_device((device, exposure): (Device, Exposure)) -> DryDevice {
    DryDevice {
        device: device.id,
        device_name: coverage::device_name(&device),
        last_seen: device.last_seen,
        exposure: coverage::chips(exposure, device.gap),
    }
}

/// The address of a mailbox: that of its user, who has the same number.
fn address_of(tx: &Tx<'_>, mailbox: MailboxId) -> Result<Option<String>, Error> {
    Ok(directory::user(tx, UserId(mailbox.0))?.map(|user| user.address))
}

fn coverage_of(tx: &Tx<'_>, id: OrderId) -> Result<Coverage, RecallError> {
    let order = tables::order(tx, id)?.ok_or(RecallError::NoSuchOrder)?;
    let pairs = tables::pairs(tx, id)?;
    let copies = tables::copies_of_order(tx, id)?;
    let outside = tables::outside(tx, id)?;
    let mut addresses = HashMap::new();
    for pair in &pairs {
        if let Some(address) = address_of(tx, pair.mailbox)? {
            addresses.insert(pair.mailbox, address);
        }
    }
    let mut devices = HashMap::new();
    for copy in &copies {
        if !devices.contains_key(&copy.device)
            && let Some(facts) = ledger::device::load(tx, copy.device)?
        {
            devices.insert(copy.device, facts);
        }
    }
    let vault = tables::vault_counts(tx, id)?;
    Ok(coverage::tally(&coverage::Books {
        order: &order,
        pairs: &pairs,
        copies: &copies,
        outside: &outside,
        addresses: &addresses,
        devices: &devices,
        vault,
    }))
}

/// Tells the watchers that some order may look different.
fn changed() {
    CHANGED.send_modify(|count| *count = count.wrapping_add(1));
}

/// Tells the worker that there is something to carry out, and the watchers with it.
fn work() {
    WORK.send_modify(|count| *count = count.wrapping_add(1));
    changed();
}

fn work_asked() -> watch::Receiver<u64> {
    WORK.subscribe()
}

/// One bell for the whole process: evidence is brought by free functions inside transactions, and a needless look does no harm.
static CHANGED: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));
static WORK: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));

/// Recipients a dry run lists; the totals count all.
pub const DRY_RUN_ROWS_MAX: usize = 1_000;
/// Orders of one page.
const ORDERS_PAGE_MAX: usize = 500;
/// Copies an order may cover without its count typed and a second person.
const COPIES_UNCONFIRMED_MAX: u64 = 1_000;
/// One per cent of all mailboxes, in thousandths.
const MAILBOXES_UNCONFIRMED_PERMILLE: u64 = 10;
/// The floor under that per cent: a mail to a team can always be taken back by one person.
const MAILBOXES_ALWAYS_ALLOWED: u64 = 20;
/// Senders may recall for two weeks.
const SENDER_AGE_MAX: Duration = Duration::from_hours(24 * 14);
/// Copies that arrive within a month are withheld.
const STANDS_DAYS: u32 = 30;
/// A year at most.
const STANDS_DAYS_MAX: u32 = 366;

#[cfg(test)]
mod tests;
