//! What may be done with messages inside a transaction of one's own: recall removes and restores, delivery appends, and their own
//! rows change with it or not at all.
//!
//! Every function takes the store for its hooks; whoever waits is told after the commit.

use super::bodies::{self, Body, Holder};
use super::rows::{
    Stored, categories_column, flag_column, folder, read_change, read_copy, read_item, stored,
};
use super::{Embedded, hierarchy, tables};
use crate::clock::Timestamp;
use crate::database::{BodyHash, Error, Tx};
use crate::ids::{CollectionNumber, FolderId, IdentityId, ItemNumber, MailboxId, UserId};
use crate::mailbox::{
    Arrival, CATEGORIES_MAX, Copy, Cursor, Delta, Flag, Floor, Folder, FolderEvent,
    FolderEventKind, FolderKind, Item, MAILBOX_QUOTA_BYTES, MailboxError, ONCE_DAYS, StateChange,
};
use crate::message::{self, Identity};
use crate::params;

pub use super::bodies::{hold, is_held, pass_on, release};

/// A message that was taken out of its folder, with all it takes to put it back. It holds its body for the vault: [`restore`] or
/// [`forget`] it, or the body stays for ever.
#[derive(Clone, Debug, PartialEq)]
pub struct RemovedCopy {
    /// The mailbox it was in.
    pub mailbox: MailboxId,
    /// The folder it was in.
    pub folder: FolderId,
    /// That folder's parent then.
    pub folder_parent: CollectionNumber,
    /// That folder's name then.
    pub folder_name: String,
    /// That folder's kind.
    pub folder_kind: FolderKind,
    /// Its number then; it never comes back under it.
    pub item: ItemNumber,
    /// Its octets.
    pub body: Body,
    /// When it was received.
    pub received: Timestamp,
    /// Had it been read?
    pub read: bool,
    /// Its flag.
    pub flag: Option<Flag>,
    /// Its categories.
    pub categories: Vec<String>,
    /// The last verb done to it.
    pub verb: u8,
    /// When that was.
    pub verb_at: Option<Timestamp>,
    /// Was it being written?
    pub draft: bool,
    /// Which message it is.
    pub identity: IdentityId,
    /// Where it lay elsewhere: what its server said of it besides ([`Original::marks`](crate::mailbox::Original)).
    pub marks: Option<String>,
}

impl RemovedCopy {
    /// The item it was, without a number or a position: those it gets where it goes.
    pub(super) fn as_it_was(&self) -> Item {
        Item {
            item: ItemNumber(0),
            seq: 0,
            arrived: 0,
            received: self.received,
            size: self.body.size,
            read: self.read,
            flag: self.flag.clone(),
            categories: self.categories.clone(),
            verb: self.verb,
            verb_at: self.verb_at,
            draft: self.draft,
            identity: self.identity,
        }
    }
}

/// The mailbox of a user, made when there is none.
pub fn mailbox_of(tx: &Tx<'_>, user: UserId) -> Result<MailboxId, MailboxError> {
    hierarchy::mailbox_of(tx, user)
}

/// The standard folder of a kind.
pub fn standard_folder(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    kind: FolderKind,
) -> Result<Folder, MailboxError> {
    hierarchy::by_kind(tx, mailbox, kind)
}

/// Where mail of a conversation arrives: in the Inbox, unless a phone asked that it always be moved.
pub fn folder_for(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    conversation: &[u8],
) -> Result<Folder, MailboxError> {
    super::filing::folder_for(tx, mailbox, conversation)
}

/// Puts a message in, with its octets already kept; registers its identity and tells the store's arrival hook in the same transaction.
pub fn append(
    tx: &Tx<'_>,
    store: &Embedded,
    to: FolderId,
    body: Body,
    identity: &Identity,
    arrival: &Arrival,
    now: Timestamp,
) -> Result<ItemNumber, MailboxError> {
    check_categories(&arrival.categories)?;
    let target = folder(tx, to)?;
    if let Some(token) = &arrival.once
        && let Some((_, item)) = appended_before(tx, target.mailbox, token, now)?
    {
        return Ok(item);
    }
    let item = Item {
        item: ItemNumber(0),
        seq: 0,
        arrived: 0,
        received: arrival.received,
        size: body.size,
        read: arrival.read,
        flag: arrival.flag.clone(),
        categories: arrival.categories.clone(),
        verb: 0,
        verb_at: None,
        draft: arrival.draft,
        identity: message::register(tx, identity)?,
    };
    use_bytes(tx, target.mailbox, i64::from(body.size), true)?;
    bodies::hold(tx, body.hash, Holder::Message)?;
    let copy = insert(tx, store, to, &item, Some(body))?;
    if let Some(token) = &arrival.once {
        remember(tx, &copy, token, now)?;
    }
    store.arrived(tx, copy, now)?;
    Ok(copy.item)
}

/// Takes a message out of its folder and keeps its body for the vault.
pub fn remove(
    tx: &Tx<'_>,
    store: &Embedded,
    from: FolderId,
    item: ItemNumber,
) -> Result<RemovedCopy, MailboxError> {
    let place = folder(tx, from)?;
    let Stored { item: old, body } = stored(tx, from, item)?;
    bury(tx, store, &place, &old)?;
    bodies::pass_on(tx, body.hash, Holder::Message, Holder::Vault)?;
    use_bytes(tx, place.mailbox, -i64::from(body.size), false)?;
    Ok(RemovedCopy {
        mailbox: place.mailbox,
        folder: from,
        folder_parent: place.parent,
        folder_name: place.name,
        folder_kind: place.kind,
        item,
        body,
        received: old.received,
        read: old.read,
        flag: old.flag,
        categories: old.categories,
        verb: old.verb,
        verb_at: old.verb_at,
        draft: old.draft,
        identity: old.identity,
        marks: None,
    })
}

/// Whether the message is in its folder, wherever its octets are.
pub fn is_live(tx: &Tx<'_>, of: FolderId, item: ItemNumber) -> Result<bool, Error> {
    Ok(tx.one(tables::IS_LIVE, params![of, item], |_| Ok(()))?.is_some())
}

/// The number the next message in this folder will have, or a later one.
pub fn next_item(tx: &Tx<'_>, of: FolderId) -> Result<ItemNumber, MailboxError> {
    let next = tx.one(tables::READ_NEXT_ITEM, params![of], |row| row.get(0))?;
    next.ok_or(MailboxError::NoSuchFolder)
}

/// Puts a removed message back under a new number: into its folder; if that is gone, into one of the same name in the same place;
/// if that place is gone too, into the Inbox. No quota stands in the way.
pub fn restore(tx: &Tx<'_>, store: &Embedded, removed: &RemovedCopy) -> Result<Copy, MailboxError> {
    let to = place_for(tx, store, removed)?;
    use_bytes(tx, removed.mailbox, i64::from(removed.body.size), false)?;
    bodies::pass_on(tx, removed.body.hash, Holder::Vault, Holder::Message)?;
    insert(tx, store, to, &removed.as_it_was(), Some(removed.body))
}

/// Lets go of the body of a removed message: it can never be restored.
pub fn forget(tx: &Tx<'_>, store: &Embedded, body: BodyHash) -> Result<(), Error> {
    bodies::release(tx, store, body, Holder::Vault)
}

/// Removes a message for good; gives the position of that change.
pub fn delete(
    tx: &Tx<'_>,
    store: &Embedded,
    from: FolderId,
    item: ItemNumber,
) -> Result<u64, MailboxError> {
    let place = folder(tx, from)?;
    let Stored { item: old, body } = stored(tx, from, item)?;
    let seq = bury(tx, store, &place, &old)?;
    use_bytes(tx, place.mailbox, -i64::from(body.size), false)?;
    bodies::release(tx, store, body.hash, Holder::Message)?;
    Ok(seq)
}

/// Moves a message to another folder of its mailbox; gives its number there.
pub fn move_item(
    tx: &Tx<'_>,
    store: &Embedded,
    from: FolderId,
    item: ItemNumber,
    to: FolderId,
) -> Result<ItemNumber, MailboxError> {
    if from == to {
        return Err(MailboxError::NotAllowed("it is there already"));
    }
    let (place, target) = (folder(tx, from)?, folder(tx, to)?);
    if place.mailbox != target.mailbox {
        return Err(MailboxError::NotAllowed("the folders are of different mailboxes"));
    }
    let Stored { item: old, body } = stored(tx, from, item)?;
    bury(tx, store, &place, &old)?;
    Ok(insert(tx, store, to, &old, Some(body))?.item)
}

/// Changes the state of a message; gives the position of the change, or of the latest one when nothing is different.
pub fn set_state(
    tx: &Tx<'_>,
    store: &Embedded,
    of: FolderId,
    item: ItemNumber,
    change: &StateChange,
) -> Result<u64, MailboxError> {
    let place = folder(tx, of)?;
    let old = stored(tx, of, item)?.item;
    change_row(tx, store, &place, &old, change)
}

/// Changes the state of a message's row, wherever its octets are.
pub(super) fn change_row(
    tx: &Tx<'_>,
    store: &Embedded,
    place: &Folder,
    old: &Item,
    change: &StateChange,
) -> Result<u64, MailboxError> {
    let mut new = old.clone();
    if let Some(read) = change.read {
        new.read = read;
    }
    if let Some(flag) = &change.flag {
        new.flag.clone_from(flag);
    }
    if let Some(categories) = &change.categories {
        check_categories(categories)?;
        new.categories.clone_from(categories);
    }
    if let Some((verb, at)) = change.verb {
        (new.verb, new.verb_at) = (verb, Some(at));
    }
    if new == *old {
        return Ok(old.seq);
    }
    let seq = next_change(tx, place.id)?;
    let flag = flag_column(new.flag.as_ref());
    let categories = categories_column(&new.categories);
    let row = params![place.id, old.item, new.read, flag, categories, new.verb, new.verb_at, seq];
    tx.execute(tables::SET_STATE, row)?;
    tell(tx, store, place, FolderEventKind::Changed);
    Ok(seq)
}

/// Gives a draft new octets under its old number; gives the position of the change.
pub fn replace_draft(
    tx: &Tx<'_>,
    store: &Embedded,
    of: FolderId,
    item: ItemNumber,
    body: Body,
    (identity, now): (&Identity, Timestamp),
) -> Result<u64, MailboxError> {
    let place = folder(tx, of)?;
    let Stored { item: old, body: old_body } = stored(tx, of, item)?;
    if !old.draft {
        return Err(MailboxError::NotAllowed("only a draft gets a new body"));
    }
    let identity = message::register(tx, identity)?;
    use_bytes(tx, place.mailbox, i64::from(body.size) - i64::from(old_body.size), true)?;
    bodies::hold(tx, body.hash, Holder::Message)?;
    bodies::release(tx, store, old_body.hash, Holder::Message)?;
    let seq = next_change(tx, of)?;
    tx.execute(tables::REPLACE_BODY, params![of, item, body.hash, body.size, identity, seq])?;
    // It is another message now, and arrives as one: an order may stand for it.
    let copy = Copy { mailbox: place.mailbox, folder: of, item, identity };
    store.arrived(tx, copy, now)?;
    tell(tx, store, &place, FolderEventKind::Changed);
    Ok(seq)
}

/// The position of the latest change in a folder.
pub fn head(tx: &Tx<'_>, of: FolderId) -> Result<Cursor, MailboxError> {
    let head = tx.one(tables::HEAD, params![of], |row| row.get(0).map(Cursor))?;
    head.ok_or(MailboxError::NoSuchFolder)
}

/// What has changed in a folder after a position, at most `limit` lines.
pub fn changes_since(
    tx: &Tx<'_>,
    of: FolderId,
    after: Cursor,
    limit: usize,
) -> Result<Delta, MailboxError> {
    let head = head(tx, of)?;
    let window = params![of, after.0, limit.saturating_add(1)];
    let mut changes = tx.all(tables::CHANGES_SINCE, window, read_change)?;
    let more = changes.len() > limit;
    changes.truncate(limit);
    let end = match (more, changes.last()) {
        (true, Some(last)) => Cursor(last.seq()),
        (true, None) => after,
        (false, _) => head,
    };
    Ok(Delta { changes, end, more })
}

/// Live messages below the floor and not older than `down_to`, newest first.
pub fn below(
    tx: &Tx<'_>,
    of: FolderId,
    floor: Floor,
    down_to: Timestamp,
    limit: usize,
) -> Result<Vec<Item>, MailboxError> {
    head(tx, of)?;
    let window = params![of, floor.received, floor.item, down_to, limit];
    Ok(tx.all(tables::BELOW, window, read_item)?)
}

/// Live messages at or above the floor and older than `up_to`, oldest first.
pub fn above(
    tx: &Tx<'_>,
    of: FolderId,
    floor: Floor,
    up_to: Timestamp,
    limit: usize,
) -> Result<Vec<Item>, MailboxError> {
    head(tx, of)?;
    let window = params![of, floor.received, floor.item, up_to, limit];
    Ok(tx.all(tables::ABOVE, window, read_item)?)
}

/// One live message.
pub fn item(tx: &Tx<'_>, of: FolderId, item: ItemNumber) -> Result<Item, MailboxError> {
    folder(tx, of)?;
    Ok(stored(tx, of, item)?.item)
}

/// The mailbox a folder belongs to, deleted or not.
pub fn mailbox_of_folder(tx: &Tx<'_>, folder: FolderId) -> Result<Option<MailboxId>, Error> {
    tx.one(tables::MAILBOX_OF_FOLDER, params![folder], |row| row.get(0))
}

/// Every copy that says it has this Message-ID (without angle brackets), in all mailboxes.
pub fn copies_by_message_id(tx: &Tx<'_>, message_id: &str) -> Result<Vec<Copy>, Error> {
    tx.all(tables::COPIES_BY_MESSAGE_ID, params![message_id], read_copy)
}

/// Every copy of exactly this message, in all mailboxes.
pub fn copies_of(tx: &Tx<'_>, identity: IdentityId) -> Result<Vec<Copy>, Error> {
    tx.all(tables::COPIES_BY_IDENTITY, params![identity], read_copy)
}

/// Every copy of exactly this message in one mailbox; the cost does not grow with the other mailboxes that have it.
pub fn copies_in(
    tx: &Tx<'_>,
    identity: IdentityId,
    mailbox: MailboxId,
) -> Result<Vec<Copy>, Error> {
    tx.all(tables::COPIES_IN_MAILBOX, params![identity, mailbox], read_copy)
}

/// The folder and item a token led to before, while it is remembered.
pub(super) fn appended_before(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    token: &str,
    now: Timestamp,
) -> Result<Option<(FolderId, ItemNumber)>, Error> {
    let since = now.before(ONCE);
    tx.one(tables::FIND_ONCE, params![mailbox, token, since], |row| Ok((row.get(0)?, row.get(1)?)))
}

pub(super) fn remember(tx: &Tx<'_>, copy: &Copy, token: &str, now: Timestamp) -> Result<(), Error> {
    tx.execute(tables::FORGET_ONCE, params![now.before(ONCE), FORGET_ROWS])?;
    let row = params![copy.mailbox, token, copy.folder, copy.item, now];
    tx.execute(tables::REMEMBER_ONCE, row).map(drop)
}

/// Writes the row of a message under the next number, and tells of it. Without a body its octets lie elsewhere.
pub(super) fn insert(
    tx: &Tx<'_>,
    store: &Embedded,
    to: FolderId,
    item: &Item,
    body: Option<Body>,
) -> Result<Copy, MailboxError> {
    let next = tx.one(tables::NEXT_ITEM, params![to], |row| {
        Ok((row.get::<ItemNumber>(0)?, row.get::<u64>(1)?, row.get::<MailboxId>(2)?))
    })?;
    let (number, seq, mailbox) = next.ok_or(MailboxError::NoSuchFolder)?;
    let row = params![
        to,
        number,
        body.map(|body| body.hash),
        body.map_or(item.size, |body| body.size),
        item.received,
        item.read,
        flag_column(item.flag.as_ref()),
        categories_column(&item.categories),
        item.verb,
        item.verb_at,
        item.draft,
        item.identity,
        seq
    ];
    tx.execute(tables::INSERT_MESSAGE, row)?;
    let kind = FolderEventKind::Arrived { identity: item.identity };
    store.tell(tx, FolderEvent { mailbox, folder: to, kind });
    Ok(Copy { mailbox, folder: to, item: number, identity: item.identity })
}

/// Makes a message's row a tombstone; what becomes of its body is the caller's.
pub(super) fn bury(
    tx: &Tx<'_>,
    store: &Embedded,
    place: &Folder,
    old: &Item,
) -> Result<u64, MailboxError> {
    let seq = next_change(tx, place.id)?;
    tx.execute(tables::MAKE_TOMBSTONE, params![place.id, old.item, seq])?;
    tell(tx, store, place, FolderEventKind::Removed);
    Ok(seq)
}

fn place_for(
    tx: &Tx<'_>,
    store: &Embedded,
    removed: &RemovedCopy,
) -> Result<FolderId, MailboxError> {
    match folder(tx, removed.folder) {
        Ok(place) => return Ok(place.id),
        Err(MailboxError::NoSuchFolder) => (),
        Err(other) => return Err(other),
    }
    let (mailbox, parent) = (removed.mailbox, removed.folder_parent);
    match hierarchy::find_or_create(tx, store, mailbox, parent, &removed.folder_name) {
        Ok(place) => Ok(place.id),
        Err(MailboxError::NoSuchFolder | MailboxError::NotAllowed(_)) => {
            Ok(hierarchy::by_kind(tx, mailbox, FolderKind::Inbox)?.id)
        }
        Err(other) => Err(other),
    }
}

pub(super) fn next_change(tx: &Tx<'_>, folder: FolderId) -> Result<u64, MailboxError> {
    let seq = tx.one(tables::NEXT_CHANGE, params![folder], |row| row.get(0))?;
    seq.ok_or(MailboxError::NoSuchFolder)
}

/// Keeps the books of a mailbox's size; with `within_quota` it refuses what does not fit.
pub(super) fn use_bytes(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    bytes: i64,
    within_quota: bool,
) -> Result<(), MailboxError> {
    let usage = tx.one(tables::USE_BYTES, params![mailbox, bytes], |row| {
        Ok((row.get::<u64>(0)?, row.get::<Option<u64>>(1)?))
    })?;
    let (used, quota) = usage.ok_or(MailboxError::NoSuchFolder)?;
    if within_quota && bytes > 0 && used > quota.unwrap_or(MAILBOX_QUOTA_BYTES) {
        return Err(MailboxError::Full);
    }
    Ok(())
}

fn check_categories(categories: &[String]) -> Result<(), MailboxError> {
    let fits = categories.len() <= CATEGORIES_MAX
        && categories.iter().all(|category| category.len() <= CATEGORY_BYTES_MAX);
    if fits { Ok(()) } else { Err(MailboxError::NotAllowed("too many or too long categories")) }
}

pub(super) fn tell(tx: &Tx<'_>, store: &Embedded, place: &Folder, kind: FolderEventKind) {
    store.tell(tx, FolderEvent { mailbox: place.mailbox, folder: place.id, kind });
}

const ONCE: std::time::Duration = std::time::Duration::from_secs(ONCE_DAYS * 24 * 60 * 60);
/// Old tokens removed for each new one: more than come in, so that the table does not grow.
const FORGET_ROWS: usize = 8;
const CATEGORY_BYTES_MAX: usize = 1024;
