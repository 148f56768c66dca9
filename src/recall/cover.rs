//! Whether an open order covers a message in a mailbox: by its pair, or by the Message-ID an order stands for.
//!
//! A copy met later is bound in the transaction of its arrival, so that no device can hear of it before. [`covers`] asks the standing
//! orders too, and so holds for a copy that nothing has bound yet.

use std::sync::Arc;

use super::elsewhere;
use super::gate::FenceBoard;
use super::tables::{self, Verdict};
use crate::audit::{self, Event};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::directory;
use crate::ids::{IdentityId, MailboxId, OrderId};
use crate::mailbox::embedded::OnArrival;
use crate::message;

/// The order that covers the message in this mailbox. A copy that nobody had met when its Message-ID was recalled is covered by
/// the standing claim, before anything has bound it.
pub fn covers(
    tx: &Tx<'_>,
    identity: IdentityId,
    mailbox: MailboxId,
    now: Timestamp,
) -> Result<Option<OrderId>, Error> {
    if let Some(order) = tables::fenced(tx, identity, mailbox)? {
        return Ok(Some(order));
    }
    if let Some(order) = standing_over(tx, identity, mailbox, now)?.first() {
        return Ok(Some(*order));
    }
    Ok(until_read(tx, identity, mailbox, now)?.first().copied())
}

/// Binds a copy to every order that stands for its Message-ID, before it reaches any device, and has it taken out of the store where its
/// mailbox is fenced already. Answers whether an order covers it.
pub fn bind_late(
    tx: &Tx<'_>,
    board: &FenceBoard,
    identity: IdentityId,
    mailbox: MailboxId,
    now: Timestamp,
) -> Result<bool, Error> {
    let fenced = tables::fenced(tx, identity, mailbox)?;
    if fenced.is_some() {
        // Every order over it, not the first alone: that one may be cancelled before the worker comes.
        tables::reopen_pairs(tx, identity, mailbox)?;
    }
    let orders = standing_over(tx, identity, mailbox, now)?;
    for order in &orders {
        tables::insert_identity(tx, *order, identity)?;
        if !tables::insert_pair(tx, *order, identity, mailbox, Verdict::Withdraw, now)? {
            continue;
        }
        // What it names outside is in the denominator too.
        tables::set_unlisted(tx, *order)?;
        let event = Event::new("order.bound").id("order", *order).id("identity", identity);
        audit::note(tx, now, &event.id("mailbox", mailbox))?;
        let (board, order) = (board.clone(), *order);
        tx.on_commit(move || board.fence(order, [(identity, mailbox)]));
    }
    for order in until_read(tx, identity, mailbox, now)? {
        elsewhere::tables::look_now(tx, order, mailbox)?;
        tx.on_commit(super::work);
    }
    let is_covered = fenced.is_some() || !orders.is_empty();
    if is_covered {
        tx.on_commit(super::work);
    }
    Ok(is_covered)
}

/// The books learn that a device has a copy of what may be fenced already: every order over it looks the devices up again, since it
/// may have called this one `Prevented`.
pub fn met_on_a_device(tx: &Tx<'_>, identity: IdentityId, mailbox: MailboxId) -> Result<(), Error> {
    if tables::expand_again(tx, identity, mailbox)? > 0 {
        tx.on_commit(super::work);
    }
    Ok(())
}

/// Whether an order stands for a message that is on its way out: whatever mailbox it was sent from, it does not leave. The outbox
/// asks, in the transaction in which it would let it go.
pub fn withholds(tx: &Tx<'_>, identity: IdentityId, now: Timestamp) -> Result<bool, Error> {
    if !tables::any_fence(tx)? {
        return Ok(false);
    }
    let Some(claimed) = message::identity(tx, identity)? else { return Ok(false) };
    let Some(message_id) = &claimed.message_id else { return Ok(false) };
    let standing = tables::standing_for(tx, message_id, claimed.from.as_deref(), identity, now)?;
    for stands in &standing {
        // So that its cancellation finds what goes on its way then.
        tables::insert_identity(tx, stands.order, identity)?;
        let event = Event::new("order.withdrew_outgoing").id("order", stands.order);
        audit::note(tx, now, &event.id("identity", identity))?;
    }
    Ok(!standing.is_empty())
}

/// The store's hook: every arrival is booked for reports, and bound in its own transaction.
pub fn arrivals(board: FenceBoard) -> OnArrival {
    Arc::new(move |tx, copy, now| {
        tables::note_delivery(tx, &copy)?;
        if tables::any_fence(tx)? {
            bind_late(tx, &board, copy.identity, copy.mailbox, now)?;
        }
        Ok(())
    })
}

/// The open orders that stand for this message and take it from this mailbox.
fn standing_over(
    tx: &Tx<'_>,
    identity: IdentityId,
    mailbox: MailboxId,
    now: Timestamp,
) -> Result<Vec<OrderId>, Error> {
    let Some(claimed) = message::identity(tx, identity)? else { return Ok(Vec::new()) };
    let Some(message_id) = &claimed.message_id else { return Ok(Vec::new()) };
    let from = claimed.from.as_deref();
    let standing = tables::standing_for(tx, message_id, from, identity, now)?;
    let mut over = Vec::new();
    for stands in standing {
        let sender = match (stands.sender_mailbox, from) {
            (None, Some(from)) => mailbox_of(tx, from)?,
            (known, _) => known,
        };
        if stands.include_sender || sender != Some(mailbox) {
            over.push(stands.order);
        }
    }
    Ok(over)
}

/// Open orders for single bodies over a message that bears their Message-ID and has not been read: it may be one of them, so it is
/// withheld until it has been, and then is covered or not.
fn until_read(
    tx: &Tx<'_>,
    identity: IdentityId,
    mailbox: MailboxId,
    now: Timestamp,
) -> Result<Vec<OrderId>, Error> {
    let Some(claimed) = message::identity(tx, identity)? else { return Ok(Vec::new()) };
    let Some(message_id) = claimed.message_id.as_deref().filter(|_| claimed.is_unread()) else {
        return Ok(Vec::new());
    };
    let standing =
        elsewhere::tables::standing_exactly(tx, message_id, claimed.from.as_deref(), now)?;
    let elsewhere = standing.into_iter().filter(|(_, sender)| *sender != Some(mailbox));
    Ok(elsewhere.map(|(order, _)| order).collect())
}

/// The mailbox an address reaches; a user's mailbox has the user's id.
pub(super) fn mailbox_of(tx: &Tx<'_>, address: &str) -> Result<Option<MailboxId>, Error> {
    Ok(directory::resolve(tx, address)?.map(|user| MailboxId(user.id.0)))
}
