//! The SQL of this room: orders, their pairs (the fence and the work list in one), standing claims, retractions, the vault.
//!
//! [`fenced`] and [`standing_for`] are asked for every item that leaves: each is one look-up in a primary key.

use super::facts::{Exposure, Sealed};
use super::reason::ReasonCode;
use super::state::State;
use crate::clock::Timestamp;
use crate::database::{Error, Row, Tx};
use crate::ids::{DeviceId, FolderId, IdentityId, ItemNumber, MailboxId, OrderId};
use crate::params;

/// The order that covers the message as it lies in this mailbox, if one does.
pub fn fenced(
    tx: &Tx<'_>,
    identity: IdentityId,
    mailbox: MailboxId,
) -> Result<Option<OrderId>, Error> {
    tx.one(FENCED, params![identity, mailbox], |row| row.get(0))
}

/// The orders that stand for this Message-ID and sender: the copy is to be bound to them by `bind_late` before it leaves.
pub fn standing_for(
    tx: &Tx<'_>,
    message_id: &str,
    from: Option<&str>,
    now: Timestamp,
) -> Result<Vec<OrderId>, Error> {
    tx.all(STANDING_FOR, params![message_id, from, now, STANDING_MAX], |row| row.get(0))
}

/// Whether any order is open; when none is, nothing needs to be asked per item.
pub fn any_fence(tx: &Tx<'_>) -> Result<bool, Error> {
    Ok(tx.one(ANY_OPEN, params![], |_| Ok(()))?.is_some())
}

/// All pairs under a fence, for the board in memory at start; `after` is the last one of the page before.
pub fn fences(
    tx: &Tx<'_>,
    after: (IdentityId, MailboxId),
    limit: usize,
) -> Result<Vec<(IdentityId, MailboxId)>, Error> {
    tx.all(FENCES, params![after.0, after.1, limit], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// One row of `orders`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OrderRow {
    pub(super) id: OrderId,
    pub(super) asked_by: String,
    pub(super) is_sender: bool,
    pub(super) second: Option<String>,
    pub(super) idempotency_key: Option<String>,
    pub(super) fingerprint: [u8; 32],
    pub(super) message_id: String,
    pub(super) from_address: Option<String>,
    pub(super) sender_mailbox: Option<MailboxId>,
    pub(super) reason: String,
    pub(super) include_sender: bool,
    pub(super) is_exact: bool,
    pub(super) is_open: bool,
    pub(super) delivered_at: Option<Timestamp>,
    pub(super) asked_at: Timestamp,
    pub(super) fenced_at: Timestamp,
    pub(super) stands_until: Timestamp,
    pub(super) copies: u64,
    pub(super) cancelled_at: Option<Timestamp>,
    pub(super) cancelled_by: Option<String>,
}

/// Writes an order with the next free number, whatever `order.id` says.
pub(super) fn insert_order(tx: &Tx<'_>, order: &OrderRow) -> Result<OrderId, Error> {
    let next: i64 = tx.one(NEXT_ORDER, params![], |row| row.get(0))?.unwrap_or(1);
    let values = params![
        next,
        &order.asked_by,
        order.is_sender,
        order.second.as_deref(),
        order.idempotency_key.as_deref(),
        &order.fingerprint,
        &order.message_id,
        order.from_address.as_deref(),
        &order.reason,
        order.include_sender,
        order.is_exact,
        order.delivered_at,
        order.asked_at,
        order.fenced_at,
        order.stands_until,
        order.copies,
        order.sender_mailbox
    ];
    tx.execute(INSERT_ORDER, values)?;
    Ok(OrderId(next))
}

pub(super) fn order(tx: &Tx<'_>, id: OrderId) -> Result<Option<OrderRow>, Error> {
    tx.one(ORDER, params![id], read_order)
}

pub(super) fn order_by_key(tx: &Tx<'_>, by: &str, key: &str) -> Result<Option<OrderRow>, Error> {
    tx.one(ORDER_BY_KEY, params![by, key], read_order)
}

/// Newest first, numbers below `before`.
pub(super) fn orders(tx: &Tx<'_>, before: OrderId, limit: usize) -> Result<Vec<OrderRow>, Error> {
    tx.all(ORDERS, params![before, limit], read_order)
}

/// An open order of the same person for the same Message-ID.
pub(super) fn open_order_of(
    tx: &Tx<'_>,
    by: &str,
    message_id: &str,
) -> Result<Option<OrderId>, Error> {
    tx.one(OPEN_ORDER_OF, params![by, message_id], |row| row.get(0))
}

pub(super) fn cancel_order(
    tx: &Tx<'_>,
    id: OrderId,
    by: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    Ok(tx.execute(CANCEL_ORDER, params![id, now, by])? == 1)
}

pub(super) fn insert_identity(
    tx: &Tx<'_>,
    order: OrderId,
    identity: IdentityId,
) -> Result<(), Error> {
    tx.execute(INSERT_IDENTITY, params![order, identity]).map(drop)
}

pub(super) fn identities(tx: &Tx<'_>, order: OrderId) -> Result<Vec<IdentityId>, Error> {
    tx.all(IDENTITIES, params![order, IDENTITIES_MAX], |row| row.get(0))
}

pub(super) fn insert_standing(tx: &Tx<'_>, order: &OrderRow, id: OrderId) -> Result<(), Error> {
    let from = order.from_address.as_deref();
    tx.execute(INSERT_STANDING, params![&order.message_id, id, from, order.stands_until]).map(drop)
}

pub(super) fn delete_standing(tx: &Tx<'_>, order: OrderId, message_id: &str) -> Result<(), Error> {
    tx.execute(DELETE_STANDING, params![message_id, order]).map(drop)
}

/// What an order does with the message in one mailbox, fixed at the fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Take it back.
    Withdraw,
    /// Leave it: the sender's own mailbox.
    LeaveSender,
}

impl Verdict {
    fn number(self) -> i64 {
        match self {
            Verdict::Withdraw => 1,
            Verdict::LeaveSender => 2,
        }
    }

    fn from_number(number: i64) -> Verdict {
        if number == 2 { Verdict::LeaveSender } else { Verdict::Withdraw }
    }
}

/// What is next to be done for a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Expand = 1,
    Remove = 2,
    Done = 3,
    Restore = 4,
    Restored = 5,
}

/// One row of `pairs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PairRow {
    pub(super) identity: IdentityId,
    pub(super) mailbox: MailboxId,
    pub(super) order: OrderId,
    pub(super) verdict: Verdict,
    pub(super) step: i64,
    pub(super) since: Timestamp,
    pub(super) tries: u32,
}

/// Writes a pair unless it is there; a withdraw fences at once.
pub(super) fn insert_pair(
    tx: &Tx<'_>,
    order: OrderId,
    identity: IdentityId,
    mailbox: MailboxId,
    verdict: Verdict,
    now: Timestamp,
) -> Result<bool, Error> {
    let (is_fenced, step) = match verdict {
        Verdict::Withdraw => (true, Work::Expand),
        Verdict::LeaveSender => (false, Work::Done),
    };
    let values = params![identity, mailbox, order, verdict.number(), is_fenced, step as i64, now];
    Ok(tx.execute(INSERT_PAIR, values)? == 1)
}

/// Pairs that wait for this work, oldest order first.
pub(super) fn pairs_waiting(
    tx: &Tx<'_>,
    work: Work,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<PairRow>, Error> {
    let sql = match work {
        Work::Expand => PAIRS_TO_EXPAND,
        Work::Remove => PAIRS_TO_REMOVE,
        _ => PAIRS_TO_RESTORE,
    };
    tx.all(sql, params![now, limit], read_pair)
}

/// The earliest moment at which a pair that was put off is to be tried again.
pub(super) fn next_try(tx: &Tx<'_>) -> Result<Option<Timestamp>, Error> {
    Ok(tx.one(NEXT_TRY, params![], |row| row.get(0))?.flatten())
}

pub(super) fn set_step(tx: &Tx<'_>, pair: &PairRow, work: Work) -> Result<(), Error> {
    tx.execute(SET_STEP, params![pair.identity, pair.mailbox, pair.order, work as i64]).map(drop)
}

pub(super) fn put_off(tx: &Tx<'_>, pair: &PairRow, until: Timestamp) -> Result<(), Error> {
    tx.execute(PUT_OFF, params![pair.identity, pair.mailbox, pair.order, until]).map(drop)
}

/// A pair that was done meets another copy: what is in the store is to be looked at again.
pub(super) fn reopen_pair(
    tx: &Tx<'_>,
    order: OrderId,
    identity: IdentityId,
    mailbox: MailboxId,
) -> Result<(), Error> {
    tx.execute(REOPEN_PAIR, params![identity, mailbox, order]).map(drop)
}

/// The pairs of an order.
pub(super) fn pairs(tx: &Tx<'_>, order: OrderId) -> Result<Vec<PairRow>, Error> {
    tx.all(PAIRS, params![order, PAIRS_MAX], read_pair)
}

/// Lifts the order's own fences and queues the restoration; the pairs that another order still holds stay fenced by it.
pub(super) fn lift_pairs(tx: &Tx<'_>, order: OrderId) -> Result<usize, Error> {
    tx.execute(LIFT_PAIRS, params![order])
}

/// One row of `retractions`: the process of one copy on one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CopyRow {
    pub(super) device: DeviceId,
    /// 0 when the device has no copy.
    pub(super) folder: FolderId,
    pub(super) item: ItemNumber,
    pub(super) is_search: bool,
    pub(super) order: OrderId,
    pub(super) identity: IdentityId,
    pub(super) mailbox: MailboxId,
    pub(super) state: State,
    pub(super) exposure: Exposure,
    pub(super) first_seq: Option<u64>,
    pub(super) sent_seq: Option<u64>,
    pub(super) sent_at: Option<Timestamp>,
    pub(super) acked_seq: Option<u64>,
    pub(super) acked_at: Option<Timestamp>,
    pub(super) woken_at: Option<Timestamp>,
    pub(super) replays: u32,
    pub(super) reason: Option<ReasonCode>,
    pub(super) updated_at: Timestamp,
}

/// Writes a copy unless it is there.
pub(super) fn insert_copy(tx: &Tx<'_>, copy: &CopyRow) -> Result<bool, Error> {
    let values = params![
        copy.device,
        copy.folder,
        copy.item,
        kind(copy.is_search),
        copy.order,
        copy.identity,
        copy.mailbox,
        copy.state.number(),
        copy.exposure.0,
        copy.acked_at,
        copy.reason.map(ReasonCode::text),
        copy.updated_at
    ];
    Ok(tx.execute(INSERT_COPY, values)? == 1)
}

/// Writes what can change of a copy.
pub(super) fn update_copy(tx: &Tx<'_>, copy: &CopyRow) -> Result<(), Error> {
    let values = params![
        copy.device,
        copy.folder,
        copy.item,
        kind(copy.is_search),
        copy.order,
        copy.identity,
        copy.state.number(),
        copy.exposure.0,
        copy.first_seq,
        copy.sent_seq,
        copy.sent_at,
        copy.acked_seq,
        copy.acked_at,
        copy.woken_at,
        copy.replays,
        copy.reason.map(ReasonCode::text),
        copy.updated_at
    ];
    tx.execute(UPDATE_COPY, values).map(drop)
}

/// The synced copies at one ServerId of a device, one per order.
pub(super) fn copies_at(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
    item: ItemNumber,
) -> Result<Vec<CopyRow>, Error> {
    tx.all(COPIES_AT, params![device, folder, item], read_copy)
}

/// The synced copies of a device in one folder, whatever their state.
pub(super) fn copies_in_folder(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
) -> Result<Vec<CopyRow>, Error> {
    tx.all(COPIES_IN_FOLDER, params![device, folder, COPIES_MAX], read_copy)
}

/// The synced copies of a device in one folder for which a `Delete` is owed.
pub(super) fn owed_in_folder(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
) -> Result<Vec<CopyRow>, Error> {
    tx.all(OWED_IN_FOLDER, params![device, folder, COPIES_MAX], read_copy)
}

/// All copies on a device.
pub(super) fn copies_on(tx: &Tx<'_>, device: DeviceId) -> Result<Vec<CopyRow>, Error> {
    tx.all(COPIES_ON, params![device, COPIES_MAX], read_copy)
}

/// The copies on a device for which a `Delete` is owed.
pub(super) fn owed_on(tx: &Tx<'_>, device: DeviceId) -> Result<Vec<CopyRow>, Error> {
    tx.all(OWED_ON, params![device, COPIES_MAX], read_copy)
}

/// All copies under an order.
pub(super) fn copies_of_order(tx: &Tx<'_>, order: OrderId) -> Result<Vec<CopyRow>, Error> {
    tx.all(COPIES_OF_ORDER, params![order, COPIES_MAX], read_copy)
}

/// Cancels every copy under an order; what was sent and acknowledged stays on the row.
pub(super) fn cancel_copies(tx: &Tx<'_>, order: OrderId, now: Timestamp) -> Result<usize, Error> {
    tx.execute(CANCEL_COPIES, params![order, now])
}

/// Item numbers that are owed a `Delete`, lowest first.
pub(super) fn items_owed(
    tx: &Tx<'_>,
    device: DeviceId,
    folder: FolderId,
    limit: usize,
) -> Result<Vec<ItemNumber>, Error> {
    tx.all(ITEMS_OWED, params![device, folder, limit], |row| row.get(0))
}

/// Folders in which the device is owed a `Delete`.
pub(super) fn folders_owed(tx: &Tx<'_>, device: DeviceId) -> Result<Vec<FolderId>, Error> {
    tx.all(FOLDERS_OWED, params![device, FOLDERS_MAX], |row| row.get(0))
}

/// Devices that are owed a `Delete`, numbers above `after`.
pub(super) fn devices_owed(
    tx: &Tx<'_>,
    after: DeviceId,
    limit: usize,
) -> Result<Vec<DeviceId>, Error> {
    tx.all(DEVICES_OWED, params![after, limit], |row| row.get(0))
}

pub(super) fn insert_outside(
    tx: &Tx<'_>,
    order: OrderId,
    address: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    Ok(tx.execute(INSERT_OUTSIDE, params![order, address, now])? == 1)
}

pub(super) fn outside(tx: &Tx<'_>, order: OrderId) -> Result<Vec<String>, Error> {
    tx.all(OUTSIDE, params![order, PAIRS_MAX], |row| row.get(0))
}

/// Seals a copy; it has to be removed from the store in the same transaction.
pub(super) fn seal(
    tx: &Tx<'_>,
    sealed: &Sealed,
    order: OrderId,
    now: Timestamp,
) -> Result<(), Error> {
    let values = params![
        sealed.folder,
        sealed.item,
        sealed.mailbox,
        sealed.identity,
        order,
        &sealed.body_hash,
        sealed.size,
        sealed.received,
        sealed.is_read,
        sealed.flag.as_ref(),
        &sealed.categories,
        sealed.verb,
        sealed.verb_at,
        sealed.is_draft,
        now
    ];
    tx.execute(SEAL, values).map(drop)
}

/// What is sealed of a message from a mailbox and not restored yet.
pub(super) fn sealed(
    tx: &Tx<'_>,
    identity: IdentityId,
    mailbox: MailboxId,
) -> Result<Vec<Sealed>, Error> {
    tx.all(SEALED, params![identity, mailbox, COPIES_MAX], read_sealed)
}

/// The mailboxes a message was taken out of and not put back.
pub(super) fn sealed_mailboxes(tx: &Tx<'_>, identity: IdentityId) -> Result<Vec<MailboxId>, Error> {
    tx.all(SEALED_MAILBOXES, params![identity, PAIRS_MAX], |row| row.get(0))
}

/// Marks a sealed copy as put back; says whether it was still sealed.
pub(super) fn unseal(
    tx: &Tx<'_>,
    sealed: &Sealed,
    to: (FolderId, ItemNumber),
    now: Timestamp,
) -> Result<bool, Error> {
    let values = params![sealed.folder, sealed.item, now, to.0, to.1];
    Ok(tx.execute(UNSEAL, values)? == 1)
}

/// How many copies are sealed under an order, and how many of them are restored.
pub(super) fn vault_counts(tx: &Tx<'_>, order: OrderId) -> Result<(u64, u64), Error> {
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    Ok(tx.one(VAULT_COUNTS, params![order], read)?.unwrap_or((0, 0)))
}

/// Whether the vault needs this body: it must not be collected.
pub fn body_is_sealed(tx: &Tx<'_>, body_hash: &[u8; 32]) -> Result<bool, Error> {
    Ok(tx.one(BODY_IS_SEALED, params![body_hash], |_| Ok(()))?.is_some())
}

fn kind(is_search: bool) -> i64 {
    if is_search { 2 } else { 1 }
}

fn read_order(row: &Row<'_>) -> Result<OrderRow, Error> {
    Ok(OrderRow {
        id: row.get(0)?,
        asked_by: row.get(1)?,
        is_sender: row.get(2)?,
        second: row.get(3)?,
        idempotency_key: row.get(4)?,
        fingerprint: row.get(5)?,
        message_id: row.get(6)?,
        from_address: row.get(7)?,
        reason: row.get(8)?,
        include_sender: row.get(9)?,
        is_exact: row.get(10)?,
        is_open: row.get::<i64>(11)? == 1,
        delivered_at: row.get(12)?,
        asked_at: row.get(13)?,
        fenced_at: row.get(14)?,
        stands_until: row.get(15)?,
        copies: row.get(16)?,
        cancelled_at: row.get(17)?,
        cancelled_by: row.get(18)?,
        sender_mailbox: row.get(19)?,
    })
}

fn read_pair(row: &Row<'_>) -> Result<PairRow, Error> {
    Ok(PairRow {
        identity: row.get(0)?,
        mailbox: row.get(1)?,
        order: row.get(2)?,
        verdict: Verdict::from_number(row.get(3)?),
        step: row.get(4)?,
        since: row.get(5)?,
        tries: row.get(6)?,
    })
}

fn read_copy(row: &Row<'_>) -> Result<CopyRow, Error> {
    let state =
        State::from_number(row.get(7)?).ok_or(Error::Column { index: 7, wanted: "state" })?;
    Ok(CopyRow {
        device: row.get(0)?,
        folder: row.get(1)?,
        item: row.get(2)?,
        is_search: row.get::<i64>(3)? == 2,
        order: row.get(4)?,
        identity: row.get(5)?,
        mailbox: row.get(6)?,
        state,
        exposure: Exposure(row.get(8)?),
        first_seq: row.get(9)?,
        sent_seq: row.get(10)?,
        sent_at: row.get(11)?,
        acked_seq: row.get(12)?,
        acked_at: row.get(13)?,
        woken_at: row.get(14)?,
        replays: row.get(15)?,
        reason: row.get::<Option<String>>(16)?.as_deref().and_then(ReasonCode::parse),
        updated_at: row.get(17)?,
    })
}

fn read_sealed(row: &Row<'_>) -> Result<Sealed, Error> {
    Ok(Sealed {
        folder: row.get(0)?,
        item: row.get(1)?,
        mailbox: row.get(2)?,
        identity: row.get(3)?,
        body_hash: row.get(4)?,
        size: row.get(5)?,
        received: row.get(6)?,
        is_read: row.get(7)?,
        flag: row.get(8)?,
        categories: row.get(9)?,
        verb: row.get(10)?,
        verb_at: row.get(11)?,
        is_draft: row.get(12)?,
    })
}

/// Orders that stand for one Message-ID at a time.
const STANDING_MAX: usize = 100;
/// Bodies that may differ under one Message-ID in one order.
const IDENTITIES_MAX: usize = 1_000;
/// Pairs of one order that a report reads.
const PAIRS_MAX: usize = 1_000_000;
/// Copies of one order, device or folder that are read at once.
const COPIES_MAX: usize = 1_000_000;
/// Folders of one device with something owed.
const FOLDERS_MAX: usize = 10_000;

const FENCED: &str = "SELECT order_id FROM pairs WHERE identity_id = ?1 AND mailbox_id = ?2 AND is_fenced = 1 \
    ORDER BY order_id LIMIT 1";
const FENCES: &str = "SELECT DISTINCT identity_id, mailbox_id FROM pairs \
    WHERE (identity_id > ?1 OR (identity_id = ?1 AND mailbox_id > ?2)) AND is_fenced = 1 \
    ORDER BY identity_id, mailbox_id LIMIT ?3";
const STANDING_FOR: &str = "SELECT order_id FROM standing WHERE message_id = ?1 \
    AND (from_address IS NULL OR from_address = ?2) AND stands_until > ?3 ORDER BY order_id LIMIT ?4";
const ANY_OPEN: &str = "SELECT id FROM orders WHERE state = 1 LIMIT 1";

const NEXT_ORDER: &str = "SELECT COALESCE(MAX(id), 0) + 1 FROM orders";
const INSERT_ORDER: &str = "INSERT INTO orders (id, asked_by, is_sender, second, idempotency_key, fingerprint, message_id, \
    from_address, reason, include_sender, is_exact, state, delivered_at, asked_at, fenced_at, stands_until, copies, sender_mailbox) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 1, ?12, ?13, ?14, ?15, ?16, ?17)";
macro_rules! select_order {
    ($rest:literal) => {
        concat!(
            "SELECT id, asked_by, is_sender, second, idempotency_key, fingerprint, message_id, from_address, reason, ",
            "include_sender, is_exact, state, delivered_at, asked_at, fenced_at, stands_until, copies, cancelled_at, ",
            "cancelled_by, sender_mailbox FROM orders ",
            $rest
        )
    };
}
const ORDER: &str = select_order!("WHERE id = ?1");
const ORDER_BY_KEY: &str = select_order!("WHERE asked_by = ?1 AND idempotency_key = ?2");
const ORDERS: &str = select_order!("WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
const OPEN_ORDER_OF: &str = "SELECT standing.order_id FROM standing JOIN orders ON orders.id = standing.order_id \
    WHERE standing.message_id = ?2 AND orders.asked_by = ?1 AND orders.state = 1 LIMIT 1";
const CANCEL_ORDER: &str =
    "UPDATE orders SET state = 2, cancelled_at = ?2, cancelled_by = ?3 WHERE id = ?1 AND state = 1";
const INSERT_IDENTITY: &str = "INSERT INTO order_identities (order_id, identity_id) VALUES (?1, ?2) \
    ON CONFLICT (order_id, identity_id) DO NOTHING";
const IDENTITIES: &str =
    "SELECT identity_id FROM order_identities WHERE order_id = ?1 ORDER BY identity_id LIMIT ?2";
const INSERT_STANDING: &str = "INSERT INTO standing (message_id, order_id, from_address, stands_until) VALUES (?1, ?2, ?3, ?4)";
const DELETE_STANDING: &str = "DELETE FROM standing WHERE message_id = ?1 AND order_id = ?2";

const INSERT_PAIR: &str = "INSERT INTO pairs (identity_id, mailbox_id, order_id, verdict, is_fenced, step, since, \
    not_before, tries) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0) \
    ON CONFLICT (identity_id, mailbox_id, order_id) DO NOTHING";
macro_rules! select_pair {
    ($rest:literal) => {
        concat!(
            "SELECT identity_id, mailbox_id, order_id, verdict, step, since, tries FROM pairs ",
            $rest
        )
    };
}
const PAIRS_TO_EXPAND: &str = select_pair!(
    "WHERE step IN (1, 2, 4) AND step = 1 AND not_before <= ?1 ORDER BY not_before LIMIT ?2"
);
const PAIRS_TO_REMOVE: &str = select_pair!(
    "WHERE step IN (1, 2, 4) AND step = 2 AND not_before <= ?1 ORDER BY not_before LIMIT ?2"
);
const PAIRS_TO_RESTORE: &str = select_pair!(
    "WHERE step IN (1, 2, 4) AND step = 4 AND not_before <= ?1 ORDER BY not_before LIMIT ?2"
);
const NEXT_TRY: &str = "SELECT MIN(not_before) FROM pairs WHERE step IN (1, 2, 4)";
const SET_STEP: &str = "UPDATE pairs SET step = ?4, not_before = 0, tries = 0 \
    WHERE identity_id = ?1 AND mailbox_id = ?2 AND order_id = ?3";
const PUT_OFF: &str = "UPDATE pairs SET not_before = ?4, tries = tries + 1 \
    WHERE identity_id = ?1 AND mailbox_id = ?2 AND order_id = ?3";
const REOPEN_PAIR: &str = "UPDATE pairs SET step = 2, not_before = 0, tries = 0 \
    WHERE identity_id = ?1 AND mailbox_id = ?2 AND order_id = ?3 AND step = 3";
const PAIRS: &str = select_pair!("WHERE order_id = ?1 ORDER BY mailbox_id, identity_id LIMIT ?2");
const LIFT_PAIRS: &str = "UPDATE pairs SET is_fenced = 0, step = 4, not_before = 0, tries = 0 \
    WHERE order_id = ?1 AND is_fenced = 1";

const INSERT_COPY: &str = "INSERT INTO retractions (device_id, folder_id, item, kind, order_id, identity_id, mailbox_id, \
    state, exposure, acked_at, replays, reason, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, ?11, ?12) \
    ON CONFLICT (device_id, folder_id, item, kind, order_id, identity_id) DO NOTHING";
const UPDATE_COPY: &str = "UPDATE retractions SET state = ?7, exposure = ?8, first_seq = ?9, sent_seq = ?10, sent_at = ?11, \
    acked_seq = ?12, acked_at = ?13, woken_at = ?14, replays = ?15, reason = ?16, updated_at = ?17 \
    WHERE device_id = ?1 AND folder_id = ?2 AND item = ?3 AND kind = ?4 AND order_id = ?5 AND identity_id = ?6";
macro_rules! select_copy {
    ($rest:literal) => {
        concat!(
            "SELECT device_id, folder_id, item, kind, order_id, identity_id, mailbox_id, state, exposure, first_seq, ",
            "sent_seq, sent_at, acked_seq, acked_at, woken_at, replays, reason, updated_at FROM retractions ",
            $rest
        )
    };
}
const COPIES_AT: &str =
    select_copy!("WHERE device_id = ?1 AND folder_id = ?2 AND item = ?3 AND kind = 1 LIMIT 10000");
const COPIES_IN_FOLDER: &str =
    select_copy!("WHERE device_id = ?1 AND folder_id = ?2 AND kind = 1 LIMIT ?3");
const OWED_IN_FOLDER: &str = select_copy!(
    "WHERE device_id = ?1 AND folder_id = ?2 AND state IN (4, 5, 7, 8, 9, 15, 17, 18) AND kind = 1 LIMIT ?3"
);
const COPIES_ON: &str = select_copy!("WHERE device_id = ?1 LIMIT ?2");
const OWED_ON: &str =
    select_copy!("WHERE device_id = ?1 AND state IN (4, 5, 7, 8, 9, 15, 17, 18) LIMIT ?2");
const COPIES_OF_ORDER: &str =
    select_copy!("WHERE order_id = ?1 ORDER BY mailbox_id, device_id LIMIT ?2");
const CANCEL_COPIES: &str =
    "UPDATE retractions SET state = 21, updated_at = ?2 WHERE order_id = ?1 AND state <> 21";
const ITEMS_OWED: &str = "SELECT DISTINCT item FROM retractions WHERE device_id = ?1 AND folder_id = ?2 \
    AND state IN (4, 5, 7, 8, 9, 15, 17, 18) AND kind = 1 ORDER BY item LIMIT ?3";
const FOLDERS_OWED: &str = "SELECT DISTINCT folder_id FROM retractions WHERE device_id = ?1 \
    AND state IN (4, 5, 7, 8, 9, 15, 17, 18) AND kind = 1 ORDER BY folder_id LIMIT ?2";
const DEVICES_OWED: &str = "SELECT DISTINCT device_id FROM retractions WHERE device_id > ?1 \
    AND state IN (4, 5, 7, 8, 9, 15, 17, 18) ORDER BY device_id LIMIT ?2";

const INSERT_OUTSIDE: &str = "INSERT INTO outside (order_id, address, since) VALUES (?1, ?2, ?3) \
    ON CONFLICT (order_id, address) DO NOTHING";
const OUTSIDE: &str = "SELECT address FROM outside WHERE order_id = ?1 ORDER BY address LIMIT ?2";

const SEAL: &str = "INSERT INTO vault (folder_id, item, mailbox_id, identity_id, order_id, body_hash, size, received_at, \
    is_read, flag, categories, verb, verb_at, is_draft, sealed_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
const SEALED: &str = "SELECT folder_id, item, mailbox_id, identity_id, body_hash, size, received_at, is_read, flag, \
    categories, verb, verb_at, is_draft FROM vault \
    WHERE identity_id = ?1 AND mailbox_id = ?2 AND restored_at IS NULL ORDER BY folder_id, item LIMIT ?3";
const SEALED_MAILBOXES: &str =
    "SELECT DISTINCT mailbox_id FROM vault WHERE identity_id = ?1 AND restored_at IS NULL LIMIT ?2";
const UNSEAL: &str = "UPDATE vault SET restored_at = ?3, restored_folder = ?4, restored_item = ?5 \
    WHERE folder_id = ?1 AND item = ?2 AND restored_at IS NULL";
const VAULT_COUNTS: &str = "SELECT COUNT(*), COUNT(restored_at) FROM vault WHERE order_id = ?1";
const BODY_IS_SEALED: &str =
    "SELECT 1 FROM vault WHERE body_hash = ?1 AND restored_at IS NULL LIMIT 1";
