//! Folders: making, naming, moving and deleting them, inside a transaction.
//!
//! Every change takes the next position in the log of the hierarchy and tells whoever waits. Standard folders are there from the
//! start and stay what they are.

use super::rows::{folder, kind_word, name_key, read_folder};
use super::{Embedded, tables};
use crate::database::{Error, Tx};
use crate::ids::{CollectionNumber, FolderId, MailboxId, UserId};
use crate::mailbox::{
    FOLDER_DEPTH_MAX, FOLDER_NAME_CHARS_MAX, FOLDERS_MAX, Folder, FolderEvent, FolderEventKind,
    FolderKind, MailboxError,
};
use crate::params;

/// The number of the root, which is no folder.
pub(super) const ROOT: CollectionNumber = CollectionNumber(0);

/// The mailbox of a user; made with its standard folders when there is none.
pub(super) fn mailbox_of(tx: &Tx<'_>, user: UserId) -> Result<MailboxId, MailboxError> {
    let known = tx.one(tables::FIND_MAILBOX, params![user], |row| row.get(0))?;
    if let Some(mailbox) = known {
        return Ok(mailbox);
    }
    tx.execute(tables::INSERT_MAILBOX, params![user])?;
    let mailbox = MailboxId(user.0);
    for (kind, name) in STANDARD_FOLDERS {
        insert(tx, mailbox, ROOT, name, kind)?;
    }
    Ok(mailbox)
}

/// The mailbox of a user who has one: for reading.
pub(super) fn known_mailbox_of(tx: &Tx<'_>, user: UserId) -> Result<Option<MailboxId>, Error> {
    tx.one(tables::FIND_MAILBOX, params![user], |row| row.get(0))
}

/// All folders, by number. A mailbox always has some.
pub(super) fn list(tx: &Tx<'_>, mailbox: MailboxId) -> Result<Vec<Folder>, MailboxError> {
    let folders = tx.all(tables::LIST_FOLDERS, params![mailbox, LIST_MAX], read_folder)?;
    if folders.is_empty() { Err(MailboxError::NoSuchFolder) } else { Ok(folders) }
}

/// The folder with this number.
pub(super) fn by_number(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    number: CollectionNumber,
) -> Result<Folder, MailboxError> {
    let found = tx.one(tables::FOLDER_BY_NUMBER, params![mailbox, number], read_folder)?;
    found.ok_or(MailboxError::NoSuchFolder)
}

/// The standard folder of this kind.
pub(super) fn by_kind(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    kind: FolderKind,
) -> Result<Folder, MailboxError> {
    // Standard folders are made first and never deleted: their numbers are their places in the list.
    let place = STANDARD_FOLDERS.iter().position(|(standard, _)| *standard == kind);
    let number = place.and_then(|place| u32::try_from(place + 1).ok());
    by_number(tx, mailbox, CollectionNumber(number.ok_or(MailboxError::NoSuchFolder)?))
}

/// The position of the latest change of any folder of the mailbox.
pub(super) fn head(tx: &Tx<'_>, mailbox: MailboxId) -> Result<u64, MailboxError> {
    let head = tx.one(tables::HIERARCHY_HEAD, params![mailbox], |row| row.get(0))?;
    head.ok_or(MailboxError::NoSuchFolder)
}

/// Makes a folder.
pub(super) fn create(
    tx: &Tx<'_>,
    store: &Embedded,
    mailbox: MailboxId,
    parent: CollectionNumber,
    name: &str,
) -> Result<Folder, MailboxError> {
    let name = check_create(tx, mailbox, parent, name)?;
    let made = insert(tx, mailbox, parent, name, FolderKind::User)?;
    tell(tx, store, &made);
    Ok(made)
}

/// Whether a folder may be made; gives its name as it would be.
pub(super) fn check_create<'n>(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    parent: CollectionNumber,
    name: &'n str,
) -> Result<&'n str, MailboxError> {
    let name = checked_name(name)?;
    let count = tx.one(tables::COUNT_FOLDERS, params![mailbox], |row| row.get::<usize>(0))?;
    if count.unwrap_or(0) >= FOLDERS_MAX {
        return Err(MailboxError::NotAllowed("too many folders"));
    }
    if depth_of(tx, mailbox, parent)? >= FOLDER_DEPTH_MAX {
        return Err(MailboxError::NotAllowed("folders lie too deep"));
    }
    check_free(tx, mailbox, parent, name, None)?;
    Ok(name)
}

/// Whether a folder may be renamed or moved; gives it as it is, and its name as it would be.
pub(super) fn check_rename<'n>(
    tx: &Tx<'_>,
    id: FolderId,
    parent: CollectionNumber,
    name: &'n str,
) -> Result<(Folder, &'n str), MailboxError> {
    let name = checked_name(name)?;
    let old = folder(tx, id)?;
    if old.kind != FolderKind::User {
        return Err(MailboxError::NotAllowed("a standard folder keeps its name and place"));
    }
    check_not_below(tx, &old, parent)?;
    check_free(tx, old.mailbox, parent, name, Some(id))?;
    Ok((old, name))
}

/// A folder of that name under that parent, made when there is none.
pub(super) fn find_or_create(
    tx: &Tx<'_>,
    store: &Embedded,
    mailbox: MailboxId,
    parent: CollectionNumber,
    name: &str,
) -> Result<Folder, MailboxError> {
    let key = params![mailbox, parent, name_key(name)];
    match tx.one(tables::FOLDER_BY_NAME, key, read_folder)? {
        Some(found) => Ok(found),
        None => create(tx, store, mailbox, parent, name),
    }
}

/// Renames a folder, moves it below another parent, or both.
pub(super) fn rename(
    tx: &Tx<'_>,
    store: &Embedded,
    id: FolderId,
    parent: CollectionNumber,
    name: &str,
) -> Result<Folder, MailboxError> {
    let (old, name) = check_rename(tx, id, parent, name)?;
    let seq = next_position(tx, old.mailbox)?;
    tx.execute(tables::RENAME_FOLDER, params![id, parent, name, name_key(name), seq])?;
    tell(tx, store, &old);
    Ok(Folder { parent, name: name.to_owned(), ..old })
}

/// Marks a folder and all below it as deleted; their messages are tidied away afterwards, in small steps.
pub(super) fn delete(
    tx: &Tx<'_>,
    store: &Embedded,
    id: FolderId,
) -> Result<Vec<FolderId>, MailboxError> {
    let top = folder(tx, id)?;
    if top.kind != FolderKind::User {
        return Err(MailboxError::NotAllowed("a standard folder stays"));
    }
    let mut going = below(&list(tx, top.mailbox)?, top.number);
    going.insert(0, top);
    let ids: Vec<FolderId> = going.iter().map(|gone| gone.id).collect();
    store.departs(tx, going[0].mailbox, &ids)?;
    for gone in &going {
        let seq = next_position(tx, gone.mailbox)?;
        tx.execute(tables::DELETE_FOLDER, params![gone.id, seq])?;
        tell(tx, store, gone);
    }
    Ok(ids)
}

/// The folders directly below one.
pub(super) fn children(tx: &Tx<'_>, of: &Folder) -> Result<Vec<Folder>, MailboxError> {
    let all = list(tx, of.mailbox)?;
    Ok(all.into_iter().filter(|folder| folder.parent == of.number).collect())
}

fn insert(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    parent: CollectionNumber,
    name: &str,
    kind: FolderKind,
) -> Result<Folder, MailboxError> {
    let number: CollectionNumber = tx
        .one(tables::NEXT_NUMBER, params![mailbox], |row| row.get(0))?
        .ok_or(MailboxError::NoSuchFolder)?;
    let seq = next_position(tx, mailbox)?;
    let row = params![mailbox, number, parent, name, name_key(name), kind_word(kind), seq];
    let id = tx.one(tables::INSERT_FOLDER, row, |row| row.get(0))?;
    let id = id.ok_or_else(|| MailboxError::Ours("a folder without an id".to_owned()))?;
    Ok(Folder { id, mailbox, number, parent, name: name.to_owned(), kind })
}

fn next_position(tx: &Tx<'_>, mailbox: MailboxId) -> Result<u64, MailboxError> {
    let seq = tx.one(tables::NEXT_HIERARCHY, params![mailbox], |row| row.get(0))?;
    seq.ok_or(MailboxError::NoSuchFolder)
}

/// How far below the root a parent lies; the parent must be there.
fn depth_of(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    parent: CollectionNumber,
) -> Result<usize, MailboxError> {
    let mut at = parent;
    let mut depth = 0;
    while at != ROOT && depth <= FOLDER_DEPTH_MAX {
        at = by_number(tx, mailbox, at)?.parent;
        depth += 1;
    }
    Ok(depth)
}

/// A folder cannot come to lie in itself.
fn check_not_below(
    tx: &Tx<'_>,
    moved: &Folder,
    parent: CollectionNumber,
) -> Result<(), MailboxError> {
    let mut at = parent;
    for _ in 0..=FOLDER_DEPTH_MAX {
        if at == ROOT {
            return Ok(());
        }
        if at == moved.number {
            return Err(MailboxError::NotAllowed("a folder cannot lie in itself"));
        }
        at = by_number(tx, moved.mailbox, at)?.parent;
    }
    Err(MailboxError::NotAllowed("folders lie too deep"))
}

fn check_free(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    parent: CollectionNumber,
    name: &str,
    except: Option<FolderId>,
) -> Result<(), MailboxError> {
    let key = params![mailbox, parent, name_key(name)];
    let there = tx.one(tables::FOLDER_BY_NAME, key, read_folder)?;
    match there {
        Some(other) if Some(other.id) != except => Err(MailboxError::NameTaken),
        _ => Ok(()),
    }
}

fn checked_name(name: &str) -> Result<&str, MailboxError> {
    let name = name.trim();
    let fits = !name.is_empty()
        && name.chars().count() <= FOLDER_NAME_CHARS_MAX
        && !name.chars().any(char::is_control);
    if fits { Ok(name) } else { Err(MailboxError::NotAllowed("not a name for a folder")) }
}

/// Everything below a folder, parents before children.
pub(super) fn below(all: &[Folder], top: CollectionNumber) -> Vec<Folder> {
    let mut found: Vec<Folder> = all.iter().filter(|f| f.parent == top).cloned().collect();
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|folder| folder.number) {
        found.extend(all.iter().filter(|folder| folder.parent == parent).cloned());
        next += 1;
    }
    found
}

fn tell(tx: &Tx<'_>, store: &Embedded, folder: &Folder) {
    let event = FolderEvent {
        mailbox: folder.mailbox,
        folder: folder.id,
        kind: FolderEventKind::Hierarchy,
    };
    store.tell(tx, event);
}

const STANDARD_FOLDERS: [(FolderKind, &str); 6] = [
    (FolderKind::Inbox, "Inbox"),
    (FolderKind::Drafts, "Drafts"),
    (FolderKind::DeletedItems, "Deleted Items"),
    (FolderKind::SentItems, "Sent Items"),
    (FolderKind::Outbox, "Outbox"),
    (FolderKind::Junk, "Junk Email"),
];

/// More than [`FOLDERS_MAX`] and the standard ones.
const LIST_MAX: usize = 2 * FOLDERS_MAX;
