//! The SQL of what is done on another mail server: whose turn it is, what is sealed and still lies there, which mailboxes are to be
//! looked into.

use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::{FolderId, IdentityId, ItemNumber, MailboxId, OrderId};
use crate::mailbox::embedded::in_tx::RemovedCopy;
use crate::params;
use crate::recall::reason::ReasonCode;

/// Mailboxes in which something of pairs is to be done now.
pub(super) fn mailboxes_due(tx: &Tx<'_>, now: Timestamp) -> Result<Vec<MailboxId>, Error> {
    tx.all(MAILBOXES_DUE, params![now, DUE_MAX], |row| row.get(0))
}

/// Mailboxes to be looked into now, those never looked into first.
pub(super) fn mailboxes_to_look(tx: &Tx<'_>, now: Timestamp) -> Result<Vec<MailboxId>, Error> {
    tx.all(MAILBOXES_TO_LOOK, params![now, DUE_MAX], |row| row.get(0))
}

/// Orders for which nobody has written down yet which mailboxes to look into.
pub(super) fn orders_to_spread(tx: &Tx<'_>) -> Result<Vec<OrderId>, Error> {
    tx.all(ORDERS_TO_SPREAD, params![DUE_MAX], |row| row.get(0))
}

/// Writes down every mailbox to look into for an order: every user's, but the sender's own where the order leaves that alone.
pub(super) fn spread(tx: &Tx<'_>, order: OrderId) -> Result<(), Error> {
    tx.execute(SPREAD, params![order])?;
    tx.execute(SET_SPREAD, params![order]).map(drop)
}

/// An order that is to be looked for in a mailbox, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lookup {
    pub(super) order: OrderId,
    pub(super) message_id: String,
    pub(super) tries: u32,
    pub(super) is_exact: bool,
}

/// What is to be looked for in this mailbox now.
pub(super) fn lookups_due(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    now: Timestamp,
) -> Result<Vec<Lookup>, Error> {
    tx.all(LOOKUPS_DUE, params![mailbox, now, DUE_MAX], |row| {
        Ok(Lookup {
            order: row.get(0)?,
            message_id: row.get(1)?,
            tries: row.get(2)?,
            is_exact: row.get(3)?,
        })
    })
}

/// The mailbox has been looked into for these orders, and is again at that time.
pub(super) fn looked(
    tx: &Tx<'_>,
    order: OrderId,
    mailbox: MailboxId,
    now: Timestamp,
    next: Timestamp,
) -> Result<(), Error> {
    tx.execute(LOOKED, params![order, mailbox, now, next]).map(drop)
}

/// The mailbox could not be looked into.
pub(super) fn look_later(
    tx: &Tx<'_>,
    order: OrderId,
    mailbox: MailboxId,
    next: Timestamp,
    hindrance: ReasonCode,
) -> Result<(), Error> {
    tx.execute(LOOK_LATER, params![order, mailbox, next, hindrance.text()]).map(drop)
}

/// Has a mailbox looked into now for an order that has a look of it written down.
pub(in crate::recall) fn look_now(
    tx: &Tx<'_>,
    order: OrderId,
    mailbox: MailboxId,
) -> Result<(), Error> {
    tx.execute(LOOK_NOW, params![order, mailbox]).map(drop)
}

/// A mailbox that an order has not looked into yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::recall) struct Unlooked {
    pub(in crate::recall) mailbox: MailboxId,
    pub(in crate::recall) tries: u32,
    pub(in crate::recall) next: Timestamp,
    pub(in crate::recall) hindrance: Option<ReasonCode>,
}

/// The mailboxes that an order has not looked into yet.
pub(in crate::recall) fn unlooked(tx: &Tx<'_>, order: OrderId) -> Result<Vec<Unlooked>, Error> {
    tx.all(UNLOOKED, params![order], |row| {
        Ok(Unlooked {
            mailbox: row.get(0)?,
            tries: row.get(1)?,
            next: row.get(2)?,
            hindrance: row.get::<Option<String>>(3)?.as_deref().and_then(ReasonCode::parse),
        })
    })
}

/// The owner has come: what failed in the mailbox is tried at once. `None` is everybody.
pub(super) fn try_again(tx: &Tx<'_>, mailbox: Option<MailboxId>) -> Result<(), Error> {
    tx.execute(PAIRS_AGAIN, params![mailbox])?;
    tx.execute(LOOKUPS_AGAIN, params![mailbox]).map(drop)
}

/// When a mailbox is to be looked into next.
pub(super) fn next_look(tx: &Tx<'_>, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    Ok(tx.one(NEXT_LOOK, params![now], |row| row.get(0))?.flatten())
}

/// Nothing is looked for any more on behalf of this order.
pub(in crate::recall) fn drop_lookups(tx: &Tx<'_>, order: OrderId) -> Result<(), Error> {
    tx.execute(SET_SPREAD, params![order])?;
    tx.execute(DROP_LOOKUPS, params![order]).map(drop)
}

/// Whether a copy is sealed and not put back.
pub(super) fn is_sealed(tx: &Tx<'_>, folder: FolderId, item: ItemNumber) -> Result<bool, Error> {
    Ok(tx.one(IS_SEALED, params![folder, item], |_| Ok(()))?.is_some())
}

/// A sealed copy is about to be removed where it lies, or (`None`) lies there for now.
pub(super) fn set_removing(
    tx: &Tx<'_>,
    (folder, item): (FolderId, ItemNumber),
    since: Option<Timestamp>,
) -> Result<(), Error> {
    tx.execute(SET_REMOVING, params![folder, item, since]).map(drop)
}

/// Whether we have begun to remove a sealed copy where it lies.
pub(super) fn is_removing(tx: &Tx<'_>, sealed: &RemovedCopy) -> Result<bool, Error> {
    let key = params![sealed.folder, sealed.item];
    Ok(tx.one(IS_REMOVING, key, |_| Ok(()))?.is_some())
}

/// A sealed copy that left its place by somebody else's doing: the vault has nothing to put back.
pub(super) fn drop_seal(tx: &Tx<'_>, sealed: &RemovedCopy) -> Result<(), Error> {
    tx.execute(DROP_SEAL, params![sealed.folder, sealed.item]).map(drop)
}

/// Where a sealed copy is being put back, and the first number it can have there.
pub(super) fn returning(
    tx: &Tx<'_>,
    sealed: &RemovedCopy,
) -> Result<Option<(FolderId, ItemNumber)>, Error> {
    let key = params![sealed.folder, sealed.item];
    let read = |row: &crate::database::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found: Option<(Option<FolderId>, Option<ItemNumber>)> = tx.one(RETURNING_TO, key, read)?;
    Ok(found.and_then(|(folder, item)| folder.zip(item)))
}

/// From now on the copy may be there; `None`: it is not, and goes somewhere else.
pub(super) fn set_returning(
    tx: &Tx<'_>,
    sealed: &RemovedCopy,
    to: Option<(FolderId, ItemNumber)>,
) -> Result<(), Error> {
    let (folder, first) = to.unzip();
    tx.execute(SET_RETURNING, params![sealed.folder, sealed.item, folder, first]).map(drop)
}

/// Mailboxes of an order's pairs in which a sealed or a live copy was marked read, by message.
pub(in crate::recall) fn read_copies(
    tx: &Tx<'_>,
    order: OrderId,
) -> Result<Vec<(MailboxId, IdentityId)>, Error> {
    tx.all(READ_COPIES, params![order], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Whether the mailbox has folders on another server.
pub(in crate::recall) fn lies_elsewhere(tx: &Tx<'_>, mailbox: MailboxId) -> Result<bool, Error> {
    Ok(tx.one(LIES_ELSEWHERE, params![mailbox], |_| Ok(()))?.is_some())
}

/// Open orders for single bodies that stand for this Message-ID: order, and the sender's mailbox where it is left alone.
pub(in crate::recall) fn standing_exactly(
    tx: &Tx<'_>,
    message_id: &str,
    from: Option<&str>,
    now: Timestamp,
) -> Result<Vec<(OrderId, Option<MailboxId>)>, Error> {
    tx.all(STANDING_EXACTLY, params![message_id, from, now], |row| {
        let (order, include_sender): (OrderId, bool) = (row.get(0)?, row.get(1)?);
        let sender: Option<MailboxId> = row.get(2)?;
        Ok((order, sender.filter(|_| !include_sender)))
    })
}

/// Mailboxes begun in one round.
const DUE_MAX: usize = 100_000;

const MAILBOXES_DUE: &str = "SELECT mailbox_id FROM pairs WHERE step IN (1, 2, 4) AND step IN (2, 4) \
    AND not_before <= ?1 GROUP BY mailbox_id ORDER BY MIN(not_before) LIMIT ?2";
const MAILBOXES_TO_LOOK: &str = "SELECT mailbox_id FROM lookups JOIN orders ON orders.id = lookups.order_id \
    WHERE lookups.not_before <= ?1 AND orders.state = 1 AND orders.stands_until > ?1 \
    GROUP BY mailbox_id ORDER BY MIN(lookups.not_before) LIMIT ?2";
const ORDERS_TO_SPREAD: &str =
    "SELECT id FROM orders WHERE state = 1 AND is_spread = 0 ORDER BY id LIMIT ?1";
const SPREAD: &str = "INSERT INTO lookups (order_id, mailbox_id, not_before, tries) \
    SELECT orders.id, users.id, 0, 0 FROM orders JOIN users WHERE orders.id = ?1 \
    AND (orders.include_sender = 1 OR orders.sender_mailbox IS NULL OR orders.sender_mailbox <> users.id) \
    ON CONFLICT (order_id, mailbox_id) DO NOTHING";
const SET_SPREAD: &str = "UPDATE orders SET is_spread = 1 WHERE id = ?1";
const LOOKUPS_DUE: &str = "SELECT lookups.order_id, orders.message_id, lookups.tries, orders.is_exact FROM lookups \
    JOIN orders ON orders.id = lookups.order_id WHERE lookups.mailbox_id = ?1 AND lookups.not_before <= ?2 \
    AND orders.state = 1 AND orders.stands_until > ?2 ORDER BY lookups.order_id LIMIT ?3";
const LOOKED: &str = "UPDATE lookups SET looked_at = ?3, not_before = ?4, tries = 0, hindrance = NULL \
    WHERE order_id = ?1 AND mailbox_id = ?2";
const LOOK_LATER: &str = "UPDATE lookups SET not_before = ?3, tries = tries + 1, hindrance = ?4 \
    WHERE order_id = ?1 AND mailbox_id = ?2";
const LOOK_NOW: &str = "UPDATE lookups SET not_before = 0 WHERE order_id = ?1 AND mailbox_id = ?2";
const UNLOOKED: &str = "SELECT mailbox_id, tries, not_before, hindrance FROM lookups \
    WHERE order_id = ?1 AND looked_at IS NULL ORDER BY mailbox_id";
const PAIRS_AGAIN: &str = "UPDATE pairs SET not_before = 0, tries = 1 \
    WHERE step IN (1, 2, 4) AND (?1 IS NULL OR mailbox_id = ?1) AND hindrance IS NOT NULL";
const LOOKUPS_AGAIN: &str = "UPDATE lookups SET not_before = 0, tries = 1, hindrance = NULL \
    WHERE (?1 IS NULL OR mailbox_id = ?1) AND hindrance IS NOT NULL";
const NEXT_LOOK: &str = "SELECT MIN(lookups.not_before) FROM lookups JOIN orders ON orders.id = lookups.order_id \
    WHERE orders.state = 1 AND orders.stands_until > ?1";
const DROP_LOOKUPS: &str = "DELETE FROM lookups WHERE order_id = ?1";
const IS_SEALED: &str =
    "SELECT 1 FROM vault WHERE folder_id = ?1 AND item = ?2 AND restored_at IS NULL";
const SET_REMOVING: &str =
    "UPDATE vault SET removing_at = ?3 WHERE folder_id = ?1 AND item = ?2 AND restored_at IS NULL";
const IS_REMOVING: &str =
    "SELECT 1 FROM vault WHERE folder_id = ?1 AND item = ?2 AND removing_at IS NOT NULL";
const DROP_SEAL: &str =
    "DELETE FROM vault WHERE folder_id = ?1 AND item = ?2 AND restored_at IS NULL";
const RETURNING_TO: &str =
    "SELECT restoring_folder, restoring_item FROM vault WHERE folder_id = ?1 AND item = ?2";
const SET_RETURNING: &str = "UPDATE vault SET restoring_folder = ?3, restoring_item = ?4 \
    WHERE folder_id = ?1 AND item = ?2 AND restored_at IS NULL";
const READ_COPIES: &str = "SELECT pairs.mailbox_id, pairs.identity_id FROM pairs WHERE pairs.order_id = ?1 \
    AND pairs.verdict = 1 AND (EXISTS (SELECT 1 FROM vault WHERE vault.identity_id = pairs.identity_id \
        AND vault.mailbox_id = pairs.mailbox_id AND vault.kept LIKE '%\"read\":true%') \
    OR EXISTS (SELECT 1 FROM messages JOIN folders ON folders.id = messages.folder_id \
        WHERE messages.identity_id = pairs.identity_id AND folders.mailbox_id = pairs.mailbox_id \
        AND messages.deleted = 0 AND messages.is_read = 1))";
const LIES_ELSEWHERE: &str = "SELECT 1 FROM imap_folders WHERE mailbox_id = ?1 LIMIT 1";
const STANDING_EXACTLY: &str = "SELECT orders.id, orders.include_sender, orders.sender_mailbox FROM standing \
    JOIN orders ON orders.id = standing.order_id WHERE standing.message_id = ?1 \
    AND (standing.from_address IS NULL OR standing.from_address = ?2) AND standing.stands_until > ?3 \
    AND orders.is_exact = 1 ORDER BY orders.id";
