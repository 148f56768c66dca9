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

mod acted;
mod cover;
mod coverage;
mod dry_run;
mod elsewhere;
mod enforce;
pub mod gate;
mod likeness;
mod order;
mod outside;
mod profile;
mod reason;
pub mod retraction;
mod run;
mod selector;
mod state;
pub mod tables;
mod vault;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::sync::watch;

pub use acted::{Leaving, note_acted};
pub use cover::{arrivals, bind_late, covers, met_on_a_device, withholds};
pub use coverage::{
    CANNOT_KNOW, Channel, Coverage, Grade, MessageView, OrderView, PairView, RecipientResult,
    RecipientView, StoreWait, Unlooked,
};
pub use dry_run::{DRY_RUN_ROWS_MAX, DryDevice, DryRecipient, DryRun};
pub use elsewhere::LOOK_PERIOD;
pub use enforce::{Policy, Situation, Step, deletes_max, may_nudge, next_step, silent_after};
pub use likeness::{Carries, Likeness, OnSend, Sign, resembles};
pub use order::{Actor, OrderRefused, OrderRequest, SecondPerson, normal_message_id};
pub use profile::{Family, names};
pub use reason::ReasonCode;
pub use run::SWEEP_PERIOD;
pub use selector::Body;
pub use state::State;
pub use tables::{Verdict, any_fence};
pub use vault::tables::sealed_as;
pub use vault::{departures, recalled};

use crate::clock::{Clock, Timestamp};
use crate::database::{Database, Error, Tx};
use crate::directory;
use crate::failpoint;
use crate::ids::{DeviceId, MailboxId, OrderId, UserId};
use crate::ledger;
use crate::mailbox::embedded::Embedded;
use crate::mailbox::{Elsewhere, MailboxError};
use crate::message;
use crate::push::Bells;
use gate::FenceBoard;
use order::Ask;

/// The rooms this one asks and tells; cheap to clone.
#[derive(Clone)]
pub struct Rooms {
    /// Where copies lie.
    pub store: Embedded,
    /// Where their octets lie, if not in there.
    pub elsewhere: Option<Arc<dyn Elsewhere>>,
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
    barred: Barred,
    crew: elsewhere::Crew,
}

/// Whether a device may not talk, so that no `Delete` can reach it.
pub type Barred = fn(&Tx<'_>, DeviceId) -> Result<bool, Error>;

impl Recall {
    /// Ready to work; [`Recall::run`] carries out what is waiting, also from before a crash.
    pub fn new(db: Database, clock: Clock, rooms: Rooms, limits: Limits) -> Recall {
        let crew = elsewhere::Crew::default();
        Recall { db, clock, rooms, limits, barred: |_, _| Ok(false), crew }
    }

    /// The same, told by the room of access which devices may not talk.
    #[must_use]
    pub fn barred_by(mut self, barred: Barred) -> Recall {
        self.barred = barred;
        self
    }

    /// Gives an order; when this answers, the fence stands. The same idempotency key of the same actor answers the same order.
    pub async fn order(
        &self,
        request: OrderRequest,
        by: Actor,
        idempotency_key: Option<String>,
    ) -> Result<OrderId, RecallError> {
        if let (Actor::Sender { address, .. }, Some(message_id)) =
            (&by, normal_message_id(&request.message_id))
        {
            self.read_own(address.clone(), message_id).await;
        }
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
        let has_elsewhere = self.rooms.elsewhere.is_some();
        self.db.read(move |tx| coverage_of(tx, id, has_elsewhere)).await
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

/// The address of a mailbox: that of its user, who has the same number.
fn address_of(tx: &Tx<'_>, mailbox: MailboxId) -> Result<Option<String>, Error> {
    Ok(directory::user(tx, UserId(mailbox.0))?.map(|user| user.address))
}

fn coverage_of(tx: &Tx<'_>, id: OrderId, has_elsewhere: bool) -> Result<Coverage, RecallError> {
    let order = tables::order(tx, id)?.ok_or(RecallError::NoSuchOrder)?;
    let pairs = tables::pairs(tx, id)?;
    let mut copies = retraction::tables::copies_of_order(tx, id)?;
    let outside = tables::outside(tx, id)?;
    let there = match has_elsewhere {
        true => elsewhere_of(tx, &order, &pairs, &copies)?,
        false => coverage::There::default(),
    };
    let mut addresses = HashMap::new();
    let unlooked = there.unlooked.iter().map(|one| one.mailbox);
    for mailbox in pairs.iter().map(|pair| pair.mailbox).chain(unlooked) {
        if let Some(address) = address_of(tx, mailbox)? {
            addresses.insert(mailbox, address);
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
    // What rests on books with a gap is claimed no more, even before the worker has written so.
    for copy in &mut copies {
        let has_gap = devices.get(&copy.device).is_some_and(|device| device.gap);
        if has_gap && copy.state == State::Prevented {
            (copy.state, copy.reason) = (State::NotRetractable, Some(ReasonCode::LedgerGap));
        }
    }
    let mut watched = HashMap::new();
    for device in devices.keys() {
        if let Some(folders) = ledger::watched(tx, *device)? {
            watched.insert(*device, folders);
        }
    }
    let vault = vault::tables::vault_counts(tx, id)?;
    let (messages, delivered) = messages_of(tx, id)?;
    let mut details: HashMap<_, Vec<ledger::Detail>> = HashMap::new();
    for message in &messages {
        for (device, detail) in ledger::details_of(tx, message.identity)? {
            details.entry((message.identity, device)).or_default().push(detail);
        }
    }
    Ok(coverage::tally(coverage::Books {
        order: &order,
        pairs: &pairs,
        copies: &copies,
        outside: &outside,
        watched: &watched,
        addresses: &addresses,
        devices: &devices,
        vault,
        messages,
        delivered,
        details,
        there,
    }))
}

/// What is to be said of mailboxes on another server: which have not been looked into, and who else reads in them.
fn elsewhere_of(
    tx: &Tx<'_>,
    order: &tables::OrderRow,
    pairs: &[tables::PairRow],
    copies: &[retraction::tables::CopyRow],
) -> Result<coverage::There, Error> {
    let mut there = coverage::There {
        is_unspread: order.is_open && !order.is_spread,
        unlooked: elsewhere::tables::unlooked(tx, order.id)?,
        channels: Default::default(),
    };
    for pair in pairs.iter().filter(|pair| pair.verdict == Verdict::Withdraw) {
        let is_foreign = there.channels.contains_key(&pair.mailbox)
            || elsewhere::tables::lies_elsewhere(tx, pair.mailbox)?;
        if is_foreign {
            there.channels.entry(pair.mailbox).or_insert(false);
        }
    }
    for (mailbox, identity) in elsewhere::tables::read_copies(tx, order.id)? {
        let of_it =
            copies.iter().filter(|copy| (copy.mailbox, copy.identity) == (mailbox, identity));
        let is_ours =
            of_it.into_iter().any(|copy| copy.exposure.contains(ledger::Exposure::READ_CLAIMED));
        // What a sender has of the own mail is read from the beginning.
        if let Some(read) = there.channels.get_mut(&mailbox)
            && !is_ours
            && order.sender_mailbox != Some(mailbox)
        {
            *read = true;
        }
    }
    Ok(there)
}

/// What an order covers, and when each mailbox got any of it first.
fn messages_of(
    tx: &Tx<'_>,
    id: OrderId,
) -> Result<(Vec<MessageView>, HashMap<MailboxId, Timestamp>), Error> {
    let (mut messages, mut delivered) = (Vec::new(), HashMap::new());
    for identity in tables::identities(tx, id)? {
        for (mailbox, at) in tables::deliveries(tx, identity)? {
            let first = delivered.entry(mailbox).or_insert(at);
            *first = at.min(*first);
        }
        if let Some(known) = message::identity(tx, identity)? {
            messages.push(MessageView {
                identity,
                hash: selector::hex(&known.verified),
                from: known.from,
                size: tables::size_of(tx, identity)?,
            });
        }
    }
    Ok((messages, delivered))
}

/// Tells the watchers that some order may look different.
fn changed() {
    CHANGED.send_modify(|count| *count = count.wrapping_add(1));
}

/// Tells the worker that there is something to carry out, and the watchers with it.
pub(crate) fn work() {
    WORK.send_modify(|count| *count = count.wrapping_add(1));
    changed();
}

fn work_asked() -> watch::Receiver<u64> {
    WORK.subscribe()
}

/// One bell for the whole process: evidence is brought by free functions inside transactions, and a needless look does no harm.
static CHANGED: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));
static WORK: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));

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
