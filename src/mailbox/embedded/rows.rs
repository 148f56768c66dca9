//! Rows as values: folders, items and copies, read from and checked against what this store writes.

use super::bodies::Body;
use super::tables;
use crate::clock::Timestamp;
use crate::database::{BodyHash, Error, Row, Tx};
use crate::ids::{FolderId, ItemNumber};
use crate::mailbox::{Change, Copy, Flag, Folder, FolderKind, Item, MailboxError};
use crate::params;

/// A live message with the body it names.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stored {
    pub(super) item: Item,
    pub(super) body: Body,
}

/// The live message, or [`MailboxError::NoSuchItem`].
pub(super) fn stored(
    tx: &Tx<'_>,
    folder: FolderId,
    item: ItemNumber,
) -> Result<Stored, MailboxError> {
    let found = tx.one(tables::READ_ITEM, params![folder, item], |row| {
        let item = read_item(row)?;
        let hash: BodyHash = row.get(13)?;
        Ok(Stored { body: Body { hash, size: item.size }, item })
    })?;
    found.ok_or(MailboxError::NoSuchItem)
}

/// The live folder, or [`MailboxError::NoSuchFolder`].
pub(super) fn folder(tx: &Tx<'_>, id: FolderId) -> Result<Folder, MailboxError> {
    tx.one(tables::FOLDER_BY_ID, params![id], read_folder)?.ok_or(MailboxError::NoSuchFolder)
}

/// Reads the columns that every list of folders has.
pub(super) fn read_folder(row: &Row<'_>) -> Result<Folder, Error> {
    Ok(Folder {
        id: row.get(0)?,
        mailbox: row.get(1)?,
        number: row.get(2)?,
        parent: row.get(3)?,
        name: row.get(4)?,
        kind: kind_of(&row.get::<String>(5)?)?,
    })
}

/// Reads the columns that every list of messages has.
pub(super) fn read_item(row: &Row<'_>) -> Result<Item, Error> {
    Ok(Item {
        item: row.get(0)?,
        seq: row.get(1)?,
        arrived: row.get(2)?,
        received: row.get(3)?,
        size: row.get(4)?,
        read: row.get(5)?,
        flag: row.get::<Option<String>>(6)?.map(|text| from_json::<Flag>(&text)).transpose()?,
        categories: match row.get::<Option<String>>(7)? {
            Some(text) => from_json(&text)?,
            None => Vec::new(),
        },
        verb: row.get(8)?,
        verb_at: row.get::<Option<Timestamp>>(9)?,
        draft: row.get(10)?,
        identity: row.get(11)?,
    })
}

/// Reads a line of the change log.
pub(super) fn read_change(row: &Row<'_>) -> Result<Change, Error> {
    if row.get(12)? {
        Ok(Change::Gone { item: row.get(0)?, seq: row.get(1)? })
    } else {
        read_item(row).map(Change::Live)
    }
}

/// Reads the columns that every list of copies has.
pub(super) fn read_copy(row: &Row<'_>) -> Result<Copy, Error> {
    Ok(Copy { mailbox: row.get(0)?, folder: row.get(1)?, item: row.get(2)?, identity: row.get(3)? })
}

/// A flag as its column.
pub(super) fn flag_column(flag: Option<&Flag>) -> Option<String> {
    flag.map(|flag| serde_json::to_string(flag).expect("a flag is numbers and text"))
}

/// Categories as their column; none is NULL.
pub(super) fn categories_column(categories: &[String]) -> Option<String> {
    let text = || serde_json::to_string(categories).expect("categories are text");
    (!categories.is_empty()).then(text)
}

/// A kind as its column.
pub(super) fn kind_word(kind: FolderKind) -> &'static str {
    KINDS.iter().find(|(k, _)| *k == kind).map_or("user", |(_, word)| word)
}

/// The spelling under which two folder names of one parent are the same.
pub(super) fn name_key(name: &str) -> String {
    name.to_lowercase()
}

pub(super) fn kind_of(word: &str) -> Result<FolderKind, Error> {
    let known = KINDS.iter().find(|(_, w)| *w == word).map(|(kind, _)| *kind);
    known.ok_or_else(|| Error::Corrupt(format!("a folder of kind {word:?}")))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text)
        .map_err(|error| Error::Corrupt(format!("a message's state: {error}")))
}

const KINDS: [(FolderKind, &str); 7] = [
    (FolderKind::Inbox, "inbox"),
    (FolderKind::Drafts, "drafts"),
    (FolderKind::DeletedItems, "deleted_items"),
    (FolderKind::SentItems, "sent_items"),
    (FolderKind::Outbox, "outbox"),
    (FolderKind::Junk, "junk"),
    (FolderKind::User, "user"),
];
