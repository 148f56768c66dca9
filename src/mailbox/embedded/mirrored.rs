//! Rows of messages whose octets lie elsewhere: a mirror of another store keeps its folders, numbers and change log here.
//!
//! They are rows like any other, so that sync, ledger and recall need not know; only their body is not ours. A mirror has no quota.

use super::bodies::{Body, Holder};
use super::in_tx::{self, RemovedCopy, next_change};
use super::rows::{folder, read_folder, read_item};
use super::{Embedded, hierarchy, tables};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::{CollectionNumber, FolderId, IdentityId, ItemNumber, MailboxId, UserId};
use crate::mailbox::{Arrival, Copy, Folder, FolderEventKind, Item, MailboxError, StateChange};
use crate::message::{self, Identity};
use crate::params;

/// Whether the message's octets lie elsewhere; an error if there is no such message.
pub fn is_mirrored(tx: &Tx<'_>, of: FolderId, item: ItemNumber) -> Result<bool, MailboxError> {
    let found = tx.one(tables::IS_MIRRORED, params![of, item], |row| row.get(0))?;
    found.ok_or(MailboxError::NoSuchItem)
}

/// One live message, wherever its octets are.
pub(in crate::mailbox) fn item(
    tx: &Tx<'_>,
    of: FolderId,
    item: ItemNumber,
) -> Result<Item, MailboxError> {
    tx.one(tables::READ_ITEM, params![of, item], read_item)?.ok_or(MailboxError::NoSuchItem)
}

/// The live folder with this id.
pub(in crate::mailbox) fn folder_by_id(tx: &Tx<'_>, id: FolderId) -> Result<Folder, MailboxError> {
    folder(tx, id)
}

/// The mailbox of a user, with the standard folders.
pub(in crate::mailbox) fn mailbox_of(tx: &Tx<'_>, user: UserId) -> Result<MailboxId, MailboxError> {
    hierarchy::mailbox_of(tx, user)
}

/// What a new row says of its message besides its state.
#[derive(Clone, Debug)]
pub(in crate::mailbox) struct Coming<'a> {
    /// Which message it is.
    pub(in crate::mailbox) identity: &'a Identity,
    /// Octets of the raw message.
    pub(in crate::mailbox) size: u32,
    /// Its state.
    pub(in crate::mailbox) arrival: &'a Arrival,
    /// The last verb done to it.
    pub(in crate::mailbox) verb: u8,
}

/// Puts a row in; the store's arrival hook is asked in the same transaction.
pub(in crate::mailbox) fn put(
    tx: &Tx<'_>,
    store: &Embedded,
    to: FolderId,
    coming: &Coming<'_>,
    now: Timestamp,
) -> Result<ItemNumber, MailboxError> {
    let Coming { arrival, .. } = coming;
    let item = Item {
        item: ItemNumber(0),
        seq: 0,
        arrived: 0,
        received: arrival.received,
        size: coming.size,
        read: arrival.read,
        flag: arrival.flag.clone(),
        categories: arrival.categories.clone(),
        verb: coming.verb,
        verb_at: None,
        draft: arrival.draft,
        identity: message::register(tx, coming.identity)?,
    };
    let copy = in_tx::insert(tx, store, to, &item, None)?;
    store.arrived(tx, copy, now)?;
    Ok(copy.item)
}

/// What is sealed of a message that lies elsewhere, before it is removed there: its row stays, and the body is held for the vault.
pub fn keep(
    tx: &Tx<'_>,
    of: FolderId,
    number: ItemNumber,
    body: Body,
    marks: &str,
) -> Result<RemovedCopy, MailboxError> {
    let place = folder(tx, of)?;
    let old = item(tx, of, number)?;
    in_tx::hold(tx, body.hash, Holder::Vault)?;
    Ok(RemovedCopy {
        mailbox: place.mailbox,
        folder: of,
        folder_parent: place.parent,
        folder_name: place.name,
        folder_kind: place.kind,
        item: number,
        body,
        received: old.received,
        read: old.read,
        flag: old.flag,
        categories: old.categories,
        verb: old.verb,
        verb_at: old.verb_at,
        draft: old.draft,
        identity: old.identity,
        marks: Some(marks.to_owned()),
    })
}

/// The message has been read, and this is which it is; its number stays.
pub fn identify(
    tx: &Tx<'_>,
    of: FolderId,
    number: ItemNumber,
    identity: IdentityId,
) -> Result<(), Error> {
    tx.execute(tables::SET_IDENTITY, params![of, number, identity]).map(drop)
}

/// The row a removed message has again when it is back: as it was, under the next number.
pub(in crate::mailbox) fn put_removed(
    tx: &Tx<'_>,
    store: &Embedded,
    to: FolderId,
    removed: &RemovedCopy,
) -> Result<ItemNumber, MailboxError> {
    put_moved(tx, store, to, &removed.as_it_was())
}

/// Live messages of a folder with this number or a later one.
pub(in crate::mailbox) fn live_from(
    tx: &Tx<'_>,
    of: FolderId,
    first: ItemNumber,
) -> Result<Vec<Item>, Error> {
    tx.all(tables::LIVE_FROM, params![of, first, LIVE_FROM_MAX], read_item)
}

/// Puts a row that left another folder in here.
pub(in crate::mailbox) fn put_moved(
    tx: &Tx<'_>,
    store: &Embedded,
    to: FolderId,
    old: &Item,
) -> Result<ItemNumber, MailboxError> {
    Ok(in_tx::insert(tx, store, to, old, None)?.item)
}

/// Makes the row a tombstone.
pub(in crate::mailbox) fn bury(
    tx: &Tx<'_>,
    store: &Embedded,
    of: FolderId,
    number: ItemNumber,
) -> Result<u64, MailboxError> {
    let place = folder(tx, of)?;
    let old = item(tx, of, number)?;
    in_tx::bury(tx, store, &place, &old)
}

/// Changes the state of a row.
pub(in crate::mailbox) fn set_state(
    tx: &Tx<'_>,
    store: &Embedded,
    of: FolderId,
    number: ItemNumber,
    change: &StateChange,
) -> Result<u64, MailboxError> {
    let place = folder(tx, of)?;
    let old = item(tx, of, number)?;
    in_tx::change_row(tx, store, &place, &old, change)
}

/// The message has another size than the other store said; nothing of it has changed.
pub(in crate::mailbox) fn set_size(
    tx: &Tx<'_>,
    of: FolderId,
    number: ItemNumber,
    size: u32,
) -> Result<(), MailboxError> {
    Ok(tx.execute(tables::SET_SIZE, params![of, number, size]).map(drop)?)
}

/// A draft has other octets now, under its old number.
pub(in crate::mailbox) fn replace_draft(
    tx: &Tx<'_>,
    store: &Embedded,
    of: FolderId,
    number: ItemNumber,
    (identity, size): (&Identity, u32),
    now: Timestamp,
) -> Result<u64, MailboxError> {
    let place = folder(tx, of)?;
    if !item(tx, of, number)?.draft {
        return Err(MailboxError::NotAllowed("only a draft gets a new body"));
    }
    let identity = message::register(tx, identity)?;
    let seq = next_change(tx, of)?;
    let row = params![of, number, None::<Vec<u8>>, size, identity, seq];
    tx.execute(tables::REPLACE_BODY, row)?;
    let copy = Copy { mailbox: place.mailbox, folder: of, item: number, identity };
    store.arrived(tx, copy, now)?;
    in_tx::tell(tx, store, &place, FolderEventKind::Changed);
    Ok(seq)
}

/// A folder, found on the other store: under its name, or one like it where that is taken.
pub(in crate::mailbox) fn put_folder(
    tx: &Tx<'_>,
    store: &Embedded,
    mailbox: MailboxId,
    parent: CollectionNumber,
    name: &str,
) -> Result<Folder, MailboxError> {
    let name = free_name(tx, mailbox, parent, name, None)?;
    hierarchy::create(tx, store, mailbox, parent, &name)
}

/// Whether a folder may be made; an error says why not.
pub(in crate::mailbox) fn check_new_folder(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    parent: CollectionNumber,
    name: &str,
) -> Result<(), MailboxError> {
    hierarchy::check_create(tx, mailbox, parent, name).map(drop)
}

/// Whether a folder may be renamed or moved; an error says why not.
pub(in crate::mailbox) fn check_rename(
    tx: &Tx<'_>,
    id: FolderId,
    parent: CollectionNumber,
    name: &str,
) -> Result<(), MailboxError> {
    hierarchy::check_rename(tx, id, parent, name).map(drop)
}

/// A folder that a phone made, under exactly this name.
pub(in crate::mailbox) fn create_folder(
    tx: &Tx<'_>,
    store: &Embedded,
    mailbox: MailboxId,
    parent: CollectionNumber,
    name: &str,
) -> Result<Folder, MailboxError> {
    hierarchy::create(tx, store, mailbox, parent, name)
}

/// A folder that a phone renamed, under exactly this name.
pub(in crate::mailbox) fn rename_exactly(
    tx: &Tx<'_>,
    store: &Embedded,
    id: FolderId,
    parent: CollectionNumber,
    name: &str,
) -> Result<Folder, MailboxError> {
    hierarchy::rename(tx, store, id, parent, name)
}

/// The live folder of a mailbox with this number.
pub(in crate::mailbox) fn folder_by_number(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    number: CollectionNumber,
) -> Result<Folder, MailboxError> {
    hierarchy::by_number(tx, mailbox, number)
}

/// A folder under this name, made when there is none.
pub(in crate::mailbox) fn find_or_put_folder(
    tx: &Tx<'_>,
    store: &Embedded,
    mailbox: MailboxId,
    parent: CollectionNumber,
    name: &str,
) -> Result<Folder, MailboxError> {
    hierarchy::find_or_create(tx, store, mailbox, parent, &clean_name(name))
}

/// The live folders of a mailbox.
pub(in crate::mailbox) fn folders(
    tx: &Tx<'_>,
    mailbox: MailboxId,
) -> Result<Vec<Folder>, MailboxError> {
    hierarchy::list(tx, mailbox)
}

/// What a column says a folder is for.
pub(in crate::mailbox) fn kind(word: &str) -> Result<crate::mailbox::FolderKind, Error> {
    super::rows::kind_of(word)
}

/// A folder has another name or place on the other store.
pub(in crate::mailbox) fn rename_folder(
    tx: &Tx<'_>,
    store: &Embedded,
    id: FolderId,
    parent: CollectionNumber,
    name: &str,
) -> Result<Folder, MailboxError> {
    let mailbox = folder(tx, id)?.mailbox;
    let name = free_name(tx, mailbox, parent, name, Some(id))?;
    hierarchy::rename(tx, store, id, parent, &name)
}

/// A name that may be shown: no control characters, not too long, not empty.
fn clean_name(name: &str) -> String {
    let clean: String = name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    match clean.trim() {
        "" => "\u{fffd}".to_owned(),
        clean => clean.chars().take(crate::mailbox::FOLDER_NAME_CHARS_MAX).collect(),
    }
}

/// A name of ours for a name of theirs: no control characters, not too long, and not one that is taken.
fn free_name(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    parent: CollectionNumber,
    name: &str,
    except: Option<FolderId>,
) -> Result<String, MailboxError> {
    let clean = clean_name(name);
    for n in 1..=NAMES_TRIED_MAX {
        let suffix = if n == 1 { String::new() } else { format!(" ({n})") };
        let room = crate::mailbox::FOLDER_NAME_CHARS_MAX - suffix.chars().count();
        let name: String = clean.chars().take(room).chain(suffix.chars()).collect();
        let key = params![mailbox, parent, super::rows::name_key(name.trim())];
        match tx.one(tables::FOLDER_BY_NAME, key, read_folder)? {
            Some(other) if Some(other.id) != except => {}
            _ => return Ok(name),
        }
    }
    Err(MailboxError::NameTaken)
}

/// Before everything in these folders goes for good: what recall covers in them, by hook.
pub(in crate::mailbox) fn delete_folder(
    tx: &Tx<'_>,
    store: &Embedded,
    id: FolderId,
) -> Result<Vec<FolderId>, MailboxError> {
    hierarchy::delete(tx, store, id)
}

/// Everything below a folder, parents before children.
pub(in crate::mailbox) fn folders_below(
    tx: &Tx<'_>,
    of: &Folder,
) -> Result<Vec<Folder>, MailboxError> {
    Ok(hierarchy::below(&hierarchy::list(tx, of.mailbox)?, of.number))
}

/// The item that a token led to before, while it is remembered.
pub(in crate::mailbox) fn appended_before(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    token: &str,
    now: Timestamp,
) -> Result<Option<(FolderId, ItemNumber)>, Error> {
    in_tx::appended_before(tx, mailbox, token, now)
}

/// Does a token lead to this item?
pub(in crate::mailbox) fn is_remembered(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    of: FolderId,
    item: ItemNumber,
) -> Result<bool, Error> {
    Ok(tx.one(tables::IS_ONCE, params![mailbox, of, item], |_| Ok(()))?.is_some())
}

/// Remembers where a token led.
pub(in crate::mailbox) fn remember(
    tx: &Tx<'_>,
    copy: &Copy,
    token: &str,
    now: Timestamp,
) -> Result<(), Error> {
    in_tx::remember(tx, copy, token, now)
}

/// Names tried for a folder whose own is taken.
const NAMES_TRIED_MAX: usize = 100;
/// Messages that are looked through for one that was put back.
const LIVE_FROM_MAX: usize = 10_000;
