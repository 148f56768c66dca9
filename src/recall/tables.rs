//! The SQL of this room: orders, their pairs (the fence and the work list in one), standing claims. The copies on devices are in
//! `retraction/tables.rs`, those in the vault in `vault/tables.rs`.
//!
//! [`fenced`] and `standing_for` are asked for every item that leaves: each is one look-up in a primary key.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Timestamp;
use crate::database::{Error, Row, Tx};
use crate::ids::{IdentityId, MailboxId, OrderId};
use crate::mailbox::Copy;
use crate::params;

use super::reason::ReasonCode;

/// The order that covers the message as it lies in this mailbox, if one does.
pub fn fenced(
    tx: &Tx<'_>,
    identity: IdentityId,
    mailbox: MailboxId,
) -> Result<Option<OrderId>, Error> {
    tx.one(FENCED, params![identity, mailbox], |row| row.get(0))
}

/// What open orders cover of a mailbox: the first order over each message.
pub(super) fn fenced_in(
    tx: &Tx<'_>,
    mailbox: MailboxId,
) -> Result<Vec<(OrderId, IdentityId)>, Error> {
    tx.all(FENCED_IN, params![mailbox], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// An order that stands for a Message-ID, as far as it decides about a copy met later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stands {
    pub(super) order: OrderId,
    pub(super) include_sender: bool,
    pub(super) sender_mailbox: Option<MailboxId>,
}

/// The orders that stand for this message: by Message-ID and sender, and by body where they named bodies.
pub(super) fn standing_for(
    tx: &Tx<'_>,
    message_id: &str,
    from: Option<&str>,
    identity: IdentityId,
    now: Timestamp,
) -> Result<Vec<Stands>, Error> {
    tx.all(STANDING_FOR, params![message_id, from, now, identity, STANDING_MAX], |row| {
        Ok(Stands { order: row.get(0)?, include_sender: row.get(1)?, sender_mailbox: row.get(2)? })
    })
}

/// Whether any order is open; when none is, nothing needs to be asked per item.
pub fn any_fence(tx: &Tx<'_>) -> Result<bool, Error> {
    Ok(tx.one(ANY_OPEN, params![], |_| Ok(()))?.is_some())
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
    pub(super) is_listed: bool,
    /// Whether the mailboxes on another server that are to be looked into have been written down.
    pub(super) is_spread: bool,
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

/// The messages that had this file, of those that were ever recalled.
pub(super) fn with_file(tx: &Tx<'_>, hash: &[u8; 32]) -> Result<Vec<IdentityId>, Error> {
    tx.all(WITH_FILE, params![hash, IDENTITIES_MAX], |row| row.get(0))
}

/// Keeps by which files a recalled message is known.
pub(super) fn insert_file(tx: &Tx<'_>, identity: IdentityId, hash: &[u8; 32]) -> Result<(), Error> {
    tx.execute(INSERT_FILE, params![hash, identity]).map(drop)
}

/// The open orders over a message, but those that leave it in this mailbox because it is the sender's own.
pub(super) fn open_orders_over(
    tx: &Tx<'_>,
    identity: IdentityId,
    mailbox: MailboxId,
) -> Result<Vec<OrderId>, Error> {
    tx.all(OPEN_ORDERS_OVER, params![identity, mailbox, STANDING_MAX], |row| row.get(0))
}

/// Whether any open order names the message.
pub(super) fn is_recalled(tx: &Tx<'_>, identity: IdentityId) -> Result<bool, Error> {
    Ok(tx.one(IS_RECALLED, params![identity], |_| Ok(()))?.is_some())
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
    /// When what failed is tried again; 0 when it never failed.
    pub(super) not_before: Timestamp,
    /// Why it failed the last time, where that is known.
    pub(super) hindrance: Option<ReasonCode>,
}

impl PairRow {
    /// What is still to be done for it, if anything.
    pub(super) fn work(&self) -> Option<Work> {
        [Work::Expand, Work::Remove, Work::Restore]
            .into_iter()
            .find(|work| *work as i64 == self.step)
    }
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

/// The same, where the pair is still at the step it is said to come from: it may have been cancelled meanwhile.
pub(super) fn step_from(tx: &Tx<'_>, pair: &PairRow, from: Work, to: Work) -> Result<bool, Error> {
    let values = params![pair.identity, pair.mailbox, pair.order, to as i64, from as i64];
    Ok(tx.execute(STEP_FROM, values)? == 1)
}

/// What is to be removed from or put back into one mailbox now.
pub(super) fn pairs_in(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    now: Timestamp,
) -> Result<Vec<PairRow>, Error> {
    tx.all(PAIRS_IN, params![mailbox, now, STANDING_MAX], read_pair)
}

pub(super) fn put_off(
    tx: &Tx<'_>,
    pair: &PairRow,
    until: Timestamp,
    hindrance: Option<ReasonCode>,
) -> Result<(), Error> {
    let hindrance = hindrance.map(ReasonCode::text);
    let values = params![pair.identity, pair.mailbox, pair.order, until, hindrance, pair.step];
    tx.execute(PUT_OFF, values).map(drop)
}

/// Pairs that were done meet another copy: what is in the store is to be looked at again, for every order.
pub(super) fn reopen_pairs(
    tx: &Tx<'_>,
    identity: IdentityId,
    mailbox: MailboxId,
) -> Result<(), Error> {
    tx.execute(REOPEN_PAIRS, params![identity, mailbox]).map(drop)
}

/// Pairs of which a device turned out to have a copy: their devices are looked up again, for every order. Answers how many.
pub(super) fn expand_again(
    tx: &Tx<'_>,
    identity: IdentityId,
    mailbox: MailboxId,
) -> Result<usize, Error> {
    tx.execute(EXPAND_AGAIN, params![identity, mailbox])
}

/// The pairs of an order.
pub(super) fn pairs(tx: &Tx<'_>, order: OrderId) -> Result<Vec<PairRow>, Error> {
    tx.all(PAIRS, params![order, PAIRS_MAX], read_pair)
}

/// Lifts the order's own fences and queues the restoration; the pairs that another order still holds stay fenced by it.
pub(super) fn lift_pairs(tx: &Tx<'_>, order: OrderId) -> Result<usize, Error> {
    tx.execute(LIFT_PAIRS, params![order])
}

/// Orders whose recipients outside have not been listed yet.
pub(super) fn orders_unlisted(tx: &Tx<'_>) -> Result<Vec<OrderId>, Error> {
    tx.all(ORDERS_UNLISTED, params![STANDING_MAX], |row| row.get(0))
}

pub(super) fn set_listed(tx: &Tx<'_>, order: OrderId) -> Result<(), Error> {
    tx.execute(SET_LISTED, params![order]).map(drop)
}

/// The order met a message it has not read the recipients of.
pub(super) fn set_unlisted(tx: &Tx<'_>, order: OrderId) -> Result<(), Error> {
    tx.execute(SET_UNLISTED, params![order]).map(drop)
}

/// The envelope recipients of a message that left through the outbox, in lower case.
pub(super) fn sent_to(tx: &Tx<'_>, identity: IdentityId) -> Result<BTreeSet<String>, Error> {
    let to = tx.all(SENT_TO, params![identity, RECIPIENTS_MAX], |row| row.get::<String>(0))?;
    Ok(to.into_iter().map(|address| address.to_lowercase()).collect())
}

/// How many mailboxes this installation has.
pub(super) fn mailboxes(tx: &Tx<'_>) -> Result<u64, Error> {
    Ok(tx.one(MAILBOXES, params![], |row| row.get(0))?.unwrap_or(0))
}

/// Books that the message came into this mailbox, as the copy just appended there; only the first time counts.
pub(super) fn note_delivery(tx: &Tx<'_>, copy: &Copy) -> Result<(), Error> {
    let values = params![copy.identity, copy.mailbox, copy.folder, copy.item];
    tx.execute(NOTE_DELIVERY, values).map(drop)
}

/// When a message first came into each mailbox it was ever delivered to.
pub(super) fn deliveries(
    tx: &Tx<'_>,
    identity: IdentityId,
) -> Result<BTreeMap<MailboxId, Timestamp>, Error> {
    let rows =
        tx.all(DELIVERIES, params![identity, PAIRS_MAX], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.into_iter().collect())
}

/// The octets of a message, where the store or the vault ever had it.
pub(super) fn size_of(tx: &Tx<'_>, identity: IdentityId) -> Result<Option<u64>, Error> {
    Ok(tx.one(SIZE_OF, params![identity], |row| row.get(0))?.flatten())
}

pub(super) fn insert_outside(
    tx: &Tx<'_>,
    order: OrderId,
    address: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    Ok(tx.execute(INSERT_OUTSIDE, params![order, address, now])? == 1)
}

pub(super) fn outside(tx: &Tx<'_>, order: OrderId) -> Result<Vec<Outside>, Error> {
    tx.all(OUTSIDE, params![order, PAIRS_MAX], |row| {
        let left: Option<bool> = row.get(1)?;
        Ok(Outside {
            address: row.get(0)?,
            never_left: left == Some(true),
            is_elsewhere: left.is_none(),
        })
    })
}

/// A recipient whom this gateway does not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outside {
    pub(super) address: String,
    /// Every mail to them was withdrawn from the outbox, and was never offered without our knowing the answer.
    pub(super) never_left: bool,
    /// The outbox has no record of a mail to them: it took another road than this gateway.
    pub(super) is_elsewhere: bool,
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
        is_listed: row.get(20)?,
        is_spread: row.get(21)?,
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
        not_before: row.get(7)?,
        hindrance: row.get::<Option<String>>(8)?.as_deref().and_then(ReasonCode::parse),
    })
}

/// Orders that stand for one Message-ID at a time.
const STANDING_MAX: usize = 100;
/// Bodies that may differ under one Message-ID in one order.
const IDENTITIES_MAX: usize = 1_000;
/// Pairs of one order that a report reads.
const PAIRS_MAX: usize = 1_000_000;
/// Recipients of one message.
const RECIPIENTS_MAX: usize = 100_000;

const FENCED: &str = "SELECT order_id FROM pairs WHERE identity_id = ?1 AND mailbox_id = ?2 AND is_fenced = 1 \
    ORDER BY order_id LIMIT 1";
const FENCED_IN: &str = "SELECT MIN(order_id), identity_id FROM pairs WHERE mailbox_id = ?1 AND is_fenced = 1 \
    GROUP BY identity_id";
const STANDING_FOR: &str = "SELECT standing.order_id, orders.include_sender, orders.sender_mailbox FROM standing \
    JOIN orders ON orders.id = standing.order_id WHERE standing.message_id = ?1 \
    AND (standing.from_address IS NULL OR standing.from_address = ?2) AND standing.stands_until > ?3 \
    AND (orders.is_exact = 0 OR EXISTS (SELECT 1 FROM order_identities \
        WHERE order_identities.order_id = orders.id AND order_identities.identity_id = ?4)) \
    ORDER BY standing.order_id LIMIT ?5";
const ANY_OPEN: &str = "SELECT id FROM orders WHERE state = 1 LIMIT 1";

const NEXT_ORDER: &str = "SELECT COALESCE(MAX(id), 0) + 1 FROM orders";
const INSERT_ORDER: &str = "INSERT INTO orders (id, asked_by, is_sender, second, idempotency_key, fingerprint, message_id, \
    from_address, reason, include_sender, is_exact, state, asked_at, fenced_at, stands_until, copies, sender_mailbox, is_listed, \
    is_spread) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 1, ?12, ?13, ?14, ?15, ?16, 0, 0)";
macro_rules! select_order {
    ($rest:literal) => {
        concat!(
            "SELECT id, asked_by, is_sender, second, idempotency_key, fingerprint, message_id, from_address, reason, ",
            "include_sender, is_exact, state, (SELECT MIN(received_at) FROM order_identities ",
            "JOIN first_deliveries ON first_deliveries.identity_id = order_identities.identity_id ",
            "WHERE order_identities.order_id = orders.id AND (orders.include_sender = 1 OR NOT EXISTS (SELECT 1 FROM pairs ",
            "WHERE pairs.identity_id = first_deliveries.identity_id AND pairs.mailbox_id = first_deliveries.mailbox_id ",
            "AND pairs.order_id = orders.id AND pairs.verdict = 2) ",
            "AND first_deliveries.mailbox_id <> COALESCE(orders.sender_mailbox, -1) AND NOT EXISTS (SELECT 1 FROM identities ",
            "JOIN aliases ON aliases.address = identities.from_address WHERE identities.id = first_deliveries.identity_id ",
            "AND aliases.user_id = first_deliveries.mailbox_id))), ",
            "asked_at, fenced_at, stands_until, copies, cancelled_at, ",
            "cancelled_by, sender_mailbox, is_listed, is_spread FROM orders ",
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
const WITH_FILE: &str = "SELECT identity_id FROM recalled_files WHERE hash = ?1 LIMIT ?2";
const INSERT_FILE: &str = "INSERT INTO recalled_files (hash, identity_id) VALUES (?1, ?2) \
    ON CONFLICT (hash, identity_id) DO NOTHING";
const OPEN_ORDERS_OVER: &str = "SELECT orders.id FROM order_identities \
    JOIN orders ON orders.id = order_identities.order_id WHERE order_identities.identity_id = ?1 AND orders.state = 1 \
    AND (orders.include_sender = 1 OR orders.sender_mailbox IS NULL OR orders.sender_mailbox <> ?2) \
    ORDER BY orders.id LIMIT ?3";
const IS_RECALLED: &str = "SELECT 1 FROM order_identities JOIN orders ON orders.id = order_identities.order_id \
    WHERE order_identities.identity_id = ?1 AND orders.state = 1 LIMIT 1";
const INSERT_STANDING: &str = "INSERT INTO standing (message_id, order_id, from_address, stands_until) VALUES (?1, ?2, ?3, ?4)";
const DELETE_STANDING: &str = "DELETE FROM standing WHERE message_id = ?1 AND order_id = ?2";

const INSERT_PAIR: &str = "INSERT INTO pairs (identity_id, mailbox_id, order_id, verdict, is_fenced, step, since, \
    not_before, tries) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0) \
    ON CONFLICT (identity_id, mailbox_id, order_id) DO NOTHING";
macro_rules! select_pair {
    ($rest:literal) => {
        concat!(
            "SELECT identity_id, mailbox_id, order_id, verdict, step, since, tries, not_before, hindrance FROM pairs ",
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
const SET_STEP: &str = "UPDATE pairs SET step = ?4, not_before = 0, tries = 0, hindrance = NULL \
    WHERE identity_id = ?1 AND mailbox_id = ?2 AND order_id = ?3";
const PUT_OFF: &str = "UPDATE pairs SET not_before = ?4, tries = tries + 1, hindrance = ?5 \
    WHERE identity_id = ?1 AND mailbox_id = ?2 AND order_id = ?3 AND step = ?6";
const STEP_FROM: &str = "UPDATE pairs SET step = ?4, not_before = 0, tries = 0, hindrance = NULL \
    WHERE identity_id = ?1 AND mailbox_id = ?2 AND order_id = ?3 AND step = ?5";
const PAIRS_IN: &str = select_pair!(
    "WHERE step IN (1, 2, 4) AND mailbox_id = ?1 AND step IN (2, 4) AND not_before <= ?2 ORDER BY not_before LIMIT ?3"
);
const REOPEN_PAIRS: &str = "UPDATE pairs SET step = 2, not_before = 0, tries = 0 \
    WHERE identity_id = ?1 AND mailbox_id = ?2 AND is_fenced = 1 AND step = 3";
const EXPAND_AGAIN: &str = "UPDATE pairs SET step = 1, not_before = 0, tries = 0 \
    WHERE identity_id = ?1 AND mailbox_id = ?2 AND is_fenced = 1 AND step IN (2, 3)";
const PAIRS: &str = select_pair!("WHERE order_id = ?1 ORDER BY mailbox_id, identity_id LIMIT ?2");
const LIFT_PAIRS: &str = "UPDATE pairs SET is_fenced = 0, step = 4, not_before = 0, tries = 0, hindrance = NULL \
    WHERE order_id = ?1 AND is_fenced = 1";

const ORDERS_UNLISTED: &str = "SELECT id FROM orders WHERE is_listed = 0 ORDER BY id LIMIT ?1";
const SET_UNLISTED: &str = "UPDATE orders SET is_listed = 0 WHERE id = ?1";
const SET_LISTED: &str = "UPDATE orders SET is_listed = 1 WHERE id = ?1";
const INSERT_OUTSIDE: &str = "INSERT INTO outside (order_id, address, since) VALUES (?1, ?2, ?3) \
    ON CONFLICT (order_id, address) DO NOTHING";
/// Of the outbox's tables: whether anything left for them through here. NULL where the outbox has no record.
const OUTSIDE: &str = "SELECT address, (SELECT MIN(CASE WHEN outbox_recipients.state = 'withdrawn' \
    AND outbox_recipients.maybe_twice = 0 THEN 1 ELSE 0 END) FROM order_identities \
    JOIN outbox ON outbox.identity_id = order_identities.identity_id \
    JOIN outbox_recipients ON outbox_recipients.outbox_id = outbox.id \
    WHERE order_identities.order_id = ?1 AND LOWER(outbox_recipients.recipient) = outside.address) \
    FROM outside WHERE order_id = ?1 ORDER BY address LIMIT ?2";

/// Of the outbox's tables: to whom a message was sent.
const SENT_TO: &str = "SELECT DISTINCT recipient FROM outbox_recipients WHERE outbox_id IN \
    (SELECT id FROM outbox WHERE identity_id = ?1) LIMIT ?2";
/// Of the store's tables: how large the installation is, when a message arrived, how large it is.
const MAILBOXES: &str = "SELECT COUNT(*) FROM mailboxes";
const NOTE_DELIVERY: &str = "INSERT INTO first_deliveries (identity_id, mailbox_id, received_at) \
    SELECT ?1, ?2, received_at FROM messages WHERE folder_id = ?3 AND item = ?4 \
    ON CONFLICT (identity_id, mailbox_id) DO NOTHING";
const DELIVERIES: &str =
    "SELECT mailbox_id, received_at FROM first_deliveries WHERE identity_id = ?1 LIMIT ?2";
const SIZE_OF: &str = "SELECT MAX(size) FROM (SELECT size FROM messages WHERE identity_id = ?1 AND deleted = 0 \
    UNION ALL SELECT size FROM vault WHERE identity_id = ?1) AS sizes";
