//! The SQL of the vault: copies as they were when they were sealed.

use crate::clock::Timestamp;
use crate::database::{BodyHash, Error, Row, Tx};
use crate::ids::{CollectionNumber, FolderId, IdentityId, ItemNumber, MailboxId, OrderId};
use crate::mailbox::embedded::Body;
use crate::mailbox::embedded::in_tx::RemovedCopy;
use crate::mailbox::{Flag, FolderKind};
use crate::params;

/// What of a sealed copy is only needed to put it back.
#[derive(serde::Serialize, serde::Deserialize)]
struct KeptState {
    folder_parent: CollectionNumber,
    folder_name: String,
    folder_kind: FolderKind,
    read: bool,
    flag: Option<Flag>,
    categories: Vec<String>,
    verb: u8,
    verb_at: Option<Timestamp>,
    draft: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    marks: Option<String>,
}

/// Seals a copy that was removed from the store in this transaction, or is removed elsewhere from now on.
pub(in crate::recall) fn seal(
    tx: &Tx<'_>,
    removed: &RemovedCopy,
    order: OrderId,
    now: Timestamp,
) -> Result<(), Error> {
    let kept = KeptState {
        folder_parent: removed.folder_parent,
        folder_name: removed.folder_name.clone(),
        folder_kind: removed.folder_kind,
        read: removed.read,
        flag: removed.flag.clone(),
        categories: removed.categories.clone(),
        verb: removed.verb,
        verb_at: removed.verb_at,
        draft: removed.draft,
        marks: removed.marks.clone(),
    };
    let kept = serde_json::to_string(&kept).map_err(|error| Error::Corrupt(error.to_string()))?;
    let values = params![
        removed.folder,
        removed.item,
        removed.mailbox,
        removed.identity,
        order,
        removed.body.hash,
        removed.body.size,
        removed.received,
        kept,
        now
    ];
    tx.execute(SEAL, values).map(drop)
}

/// What is sealed of a message from a mailbox and not restored yet.
pub(in crate::recall) fn sealed(
    tx: &Tx<'_>,
    identity: IdentityId,
    mailbox: MailboxId,
) -> Result<Vec<RemovedCopy>, Error> {
    tx.all(SEALED, params![identity, mailbox, COPIES_MAX], read_sealed)
}

/// The mailboxes a message was taken out of and not put back.
pub(in crate::recall) fn sealed_mailboxes(
    tx: &Tx<'_>,
    identity: IdentityId,
) -> Result<Vec<MailboxId>, Error> {
    tx.all(SEALED_MAILBOXES, params![identity, MAILBOXES_MAX], |row| row.get(0))
}

/// Marks a sealed copy as put back; says whether it was still sealed.
pub(in crate::recall) fn unseal(
    tx: &Tx<'_>,
    sealed: &RemovedCopy,
    to: (FolderId, ItemNumber),
    now: Timestamp,
) -> Result<bool, Error> {
    let values = params![sealed.folder, sealed.item, now, to.0, to.1];
    Ok(tx.execute(UNSEAL, values)? == 1)
}

/// How many copies an order covers are or were in the vault, and how many of them are restored.
pub(in crate::recall) fn vault_counts(tx: &Tx<'_>, order: OrderId) -> Result<(u64, u64), Error> {
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    Ok(tx.one(VAULT_COUNTS, params![order], read)?.unwrap_or((0, 0)))
}

/// The message that was taken out of the store from this place.
pub fn sealed_as(
    tx: &Tx<'_>,
    folder: FolderId,
    item: ItemNumber,
) -> Result<Option<IdentityId>, Error> {
    tx.one(SEALED_AS, params![folder, item], |row| row.get(0))
}

/// Any copy of a message that the vault ever sealed.
pub(in crate::recall) fn sealed_somewhere(
    tx: &Tx<'_>,
    identity: IdentityId,
) -> Result<Option<RemovedCopy>, Error> {
    tx.one(SEALED_SOMEWHERE, params![identity], read_sealed)
}

fn read_sealed(row: &Row<'_>) -> Result<RemovedCopy, Error> {
    let kept: String = row.get(7)?;
    let kept: KeptState =
        serde_json::from_str(&kept).map_err(|error| Error::Corrupt(error.to_string()))?;
    Ok(RemovedCopy {
        folder: row.get(0)?,
        item: row.get(1)?,
        mailbox: row.get(2)?,
        identity: row.get(3)?,
        body: Body { hash: row.get::<BodyHash>(4)?, size: row.get(5)? },
        received: row.get(6)?,
        folder_parent: kept.folder_parent,
        folder_name: kept.folder_name,
        folder_kind: kept.folder_kind,
        read: kept.read,
        flag: kept.flag,
        categories: kept.categories,
        verb: kept.verb,
        verb_at: kept.verb_at,
        draft: kept.draft,
        marks: kept.marks,
    })
}

/// Copies of one message that one mailbox lost to the vault.
const COPIES_MAX: usize = 100_000;
/// Mailboxes that lost a message to it.
const MAILBOXES_MAX: usize = 1_000_000;

const SEAL: &str = "INSERT INTO vault (folder_id, item, mailbox_id, identity_id, order_id, body_hash, size, received_at, \
    kept, sealed_at, removing_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)";
const SEALED: &str = "SELECT folder_id, item, mailbox_id, identity_id, body_hash, size, received_at, kept FROM vault \
    WHERE identity_id = ?1 AND mailbox_id = ?2 AND restored_at IS NULL ORDER BY folder_id, item LIMIT ?3";
const SEALED_SOMEWHERE: &str = "SELECT folder_id, item, mailbox_id, identity_id, body_hash, size, received_at, kept FROM vault \
    WHERE identity_id = ?1 ORDER BY sealed_at DESC LIMIT 1";
const SEALED_AS: &str = "SELECT identity_id FROM vault WHERE folder_id = ?1 AND item = ?2 LIMIT 1";
const SEALED_MAILBOXES: &str =
    "SELECT DISTINCT mailbox_id FROM vault WHERE identity_id = ?1 AND restored_at IS NULL LIMIT ?2";
const UNSEAL: &str = "UPDATE vault SET restored_at = ?3, restored_folder = ?4, restored_item = ?5 \
    WHERE folder_id = ?1 AND item = ?2 AND restored_at IS NULL";
/// Whichever order sealed a copy: it counts for every order that covered it while it lay in the vault.
const VAULT_COUNTS: &str = "SELECT COUNT(*), COUNT(vault.restored_at) FROM pairs \
    JOIN orders ON orders.id = pairs.order_id \
    JOIN vault ON vault.identity_id = pairs.identity_id AND vault.mailbox_id = pairs.mailbox_id \
    WHERE pairs.order_id = ?1 AND pairs.verdict = 1 \
    AND (vault.order_id = ?1 OR ((vault.restored_at IS NULL OR vault.restored_at > pairs.since) \
    AND (orders.cancelled_at IS NULL OR vault.sealed_at <= orders.cancelled_at)))";
