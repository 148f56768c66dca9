//! The SQL of the mirror: where on the server each folder and message lies, migration 0017.

use imap_sans::{Mailbox, NumberSet};

use super::flags::Flags;
use crate::database::{Error, Row, Tx};
use crate::ids::{FolderId, ItemNumber, MailboxId};
use crate::mailbox::FolderKind;
use crate::mailbox::embedded::mirrored;
use crate::params;

/// A folder as we know it on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) folder: FolderId,
    pub(super) mailbox: MailboxId,
    /// Its name on the server.
    pub(super) wire: Mailbox,
    /// Whether it can be opened.
    pub(super) selectable: bool,
    /// The id that outlives a rename (RFC 8474).
    pub(super) object_id: Option<String>,
    /// The generation of its UIDs; 0 before the first look.
    pub(super) uid_validity: u32,
    /// What our folder is for.
    pub(super) kind: Option<FolderKind>,
}

/// A message as we know it on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) uid: u32,
    /// `None` while it is marked deleted.
    pub(super) item: Option<ItemNumber>,
    /// What the server told last.
    pub(super) flags: Flags,
}

const PLACE: &str = "SELECT p.folder_id, p.mailbox_id, p.wire, p.selectable, p.object_id, p.uid_validity, f.kind \
    FROM imap_folders p JOIN folders f ON f.id = p.folder_id WHERE p.folder_id = ?1 AND f.deleted = 0";
const PLACES: &str = "SELECT p.folder_id, p.mailbox_id, p.wire, p.selectable, p.object_id, p.uid_validity, f.kind \
    FROM imap_folders p JOIN folders f ON f.id = p.folder_id WHERE p.mailbox_id = ?1 AND f.deleted = 0 \
    ORDER BY p.folder_id";
const PUT_PLACE: &str = "INSERT INTO imap_folders (folder_id, mailbox_id, wire, selectable, object_id) \
    VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (folder_id) DO UPDATE SET wire = ?3, selectable = ?4, object_id = ?5";
const DROP_PLACE: &str = "DELETE FROM imap_folders WHERE folder_id = ?1";
const KNOWN: &str = "SELECT uid_validity, modseq FROM imap_folders WHERE folder_id = ?1";
const SET_KNOWN: &str =
    "UPDATE imap_folders SET uid_validity = ?2, modseq = ?3 WHERE folder_id = ?1";
const UIDS: &str = "SELECT uid FROM imap_items WHERE folder_id = ?1 ORDER BY uid";
const ENTRY: &str = "SELECT uid, item, flags FROM imap_items WHERE folder_id = ?1 AND uid = ?2";
const ENTRY_OF_ITEM: &str =
    "SELECT uid, item, flags FROM imap_items WHERE folder_id = ?1 AND item = ?2";
const HAS_HIDDEN: &str = "SELECT 1 FROM imap_items WHERE folder_id = ?1 AND item IS NULL LIMIT 1";
const PUT_ENTRY: &str = "INSERT INTO imap_items (folder_id, uid, item, flags) VALUES (?1, ?2, ?3, ?4) \
    ON CONFLICT (folder_id, uid) DO UPDATE SET item = ?3, flags = ?4";
const DROP_ENTRY: &str = "DELETE FROM imap_items WHERE folder_id = ?1 AND uid = ?2";
const DROP_ENTRIES: &str = "DELETE FROM imap_items WHERE folder_id = ?1";

pub(super) fn place(tx: &Tx<'_>, folder: FolderId) -> Result<Option<Place>, Error> {
    tx.one(PLACE, params![folder], read_place)
}

/// The places of a mailbox's live folders.
pub(super) fn places(tx: &Tx<'_>, mailbox: MailboxId) -> Result<Vec<Place>, Error> {
    tx.all(PLACES, params![mailbox], read_place)
}

/// Says where a folder is; what is known of its messages stays.
pub(super) fn put_place(tx: &Tx<'_>, place: &Place) -> Result<(), Error> {
    let wire = place.wire.to_wire(false);
    let row =
        params![place.folder, place.mailbox, wire, place.selectable, place.object_id.as_deref()];
    tx.execute(PUT_PLACE, row).map(drop)
}

/// Forgets where a folder was, and its messages.
pub(super) fn drop_place(tx: &Tx<'_>, folder: FolderId) -> Result<(), Error> {
    tx.execute(DROP_ENTRIES, params![folder])?;
    tx.execute(DROP_PLACE, params![folder]).map(drop)
}

/// UIDVALIDITY and the position up to which we know.
pub(super) fn known(tx: &Tx<'_>, folder: FolderId) -> Result<Option<(u32, u64)>, Error> {
    tx.one(KNOWN, params![folder], |row| Ok((row.get(0)?, row.get(1)?)))
}

pub(super) fn set_known(
    tx: &Tx<'_>,
    folder: FolderId,
    uid_validity: u32,
    modseq: u64,
) -> Result<(), Error> {
    tx.execute(SET_KNOWN, params![folder, uid_validity, modseq]).map(drop)
}

/// The UIDs of every message in the folder.
pub(super) fn uids(tx: &Tx<'_>, folder: FolderId) -> Result<NumberSet, Error> {
    Ok(tx.all(UIDS, params![folder], |row| row.get::<u32>(0))?.into_iter().collect())
}

pub(super) fn entry(tx: &Tx<'_>, folder: FolderId, uid: u32) -> Result<Option<Entry>, Error> {
    tx.one(ENTRY, params![folder, uid], read_entry)
}

pub(super) fn entry_of(
    tx: &Tx<'_>,
    folder: FolderId,
    item: ItemNumber,
) -> Result<Option<Entry>, Error> {
    tx.one(ENTRY_OF_ITEM, params![folder, item], read_entry)
}

/// Whether any message in the folder is marked deleted, and so shown to no phone.
pub(super) fn has_hidden(tx: &Tx<'_>, folder: FolderId) -> Result<bool, Error> {
    Ok(tx.one(HAS_HIDDEN, params![folder], |_| Ok(()))?.is_some())
}

pub(super) fn put_entry(tx: &Tx<'_>, folder: FolderId, entry: &Entry) -> Result<(), Error> {
    let row = params![folder, entry.uid, entry.item, entry.flags.as_str()];
    tx.execute(PUT_ENTRY, row).map(drop)
}

pub(super) fn drop_entry(tx: &Tx<'_>, folder: FolderId, uid: u32) -> Result<(), Error> {
    tx.execute(DROP_ENTRY, params![folder, uid]).map(drop)
}

fn read_place(row: &Row<'_>) -> Result<Place, Error> {
    Ok(Place {
        folder: row.get(0)?,
        mailbox: row.get(1)?,
        wire: Mailbox::from_wire(&row.get::<Vec<u8>>(2)?, false),
        selectable: row.get(3)?,
        object_id: row.get(4)?,
        uid_validity: row.get(5)?,
        kind: Some(mirrored::kind(&row.get::<String>(6)?)?),
    })
}

fn read_entry(row: &Row<'_>) -> Result<Entry, Error> {
    Ok(Entry {
        uid: row.get(0)?,
        item: row.get(1)?,
        flags: Flags::from_column(&row.get::<String>(2)?),
    })
}
