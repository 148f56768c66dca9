//! The words of a mailbox: folders, items, what has changed, and what can go wrong.
//!
//! All of them are plain values; a backend makes them, the sync room reads them.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::database;
use crate::ids::{CollectionNumber, FolderId, IdentityId, ItemNumber, MailboxId};

/// Why a mailbox did not do what it was asked. Never silence, never an empty list.
#[derive(Debug, thiserror::Error)]
pub enum MailboxError {
    /// There is no such folder (any more).
    #[error("no such folder")]
    NoSuchFolder,
    /// There is no such message in that folder (any more).
    #[error("no such item")]
    NoSuchItem,
    /// A folder of that name is there already.
    #[error("a folder of that name exists")]
    NameTaken,
    /// The store does not do that; the text says what.
    #[error("not allowed: {0}")]
    NotAllowed(&'static str),
    /// The message is larger than the store takes.
    #[error("the message is too large")]
    TooLarge,
    /// The mailbox or the disk is full.
    #[error("the mailbox or the disk is full")]
    Full,
    /// The store cannot be reached or does not answer; the same question later may do.
    #[error("the mailbox store is down: {0}")]
    Down(String),
    /// The store has the message but gives nothing that can be read.
    #[error("unreadable: {0}")]
    Unreadable(String),
    /// Our own fault.
    #[error("internal: {0}")]
    Ours(String),
}

/// What a folder is for. [`FolderKind::Junk`] is shown to phones as a user's mail folder (type 12 of [MS-ASCMD] 2.2.3.186.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FolderKind {
    /// Where new mail arrives.
    Inbox,
    /// Mail being written.
    Drafts,
    /// Mail thrown away.
    DeletedItems,
    /// Mail sent.
    SentItems,
    /// Mail on its way; phones expect the folder, we keep our queue elsewhere.
    Outbox,
    /// Mail nobody asked for.
    Junk,
    /// A folder somebody made.
    User,
}

/// A folder of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its id in the whole installation.
    pub id: FolderId,
    /// The mailbox it belongs to.
    pub mailbox: MailboxId,
    /// Its number in the mailbox: what phones know it by.
    pub number: CollectionNumber,
    /// The number of the folder it lies in; 0 is the root.
    pub parent: CollectionNumber,
    /// Its display name.
    pub name: String,
    /// What it is for.
    pub kind: FolderKind,
}

/// A position in the change log of a folder: everything up to it has been told. 0 is before everything.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Cursor(pub u64);

/// What a message is in its folder, without its octets.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its number in the folder.
    pub item: ItemNumber,
    /// The position of its latest change in the folder's log.
    pub seq: u64,
    /// The position at which it came into the folder.
    pub arrived: u64,
    /// When it was received.
    pub received: Timestamp,
    /// Octets of the raw message.
    pub size: u32,
    /// Has it been read?
    pub read: bool,
    /// The flag for follow-up, active or complete.
    pub flag: Option<Flag>,
    /// Its categories, in the order they were given.
    pub categories: Vec<String>,
    /// The last verb ([MS-ASEMAIL] 2.2.2.38): 0 none, 1 reply, 2 reply to all, 3 forward.
    pub verb: u8,
    /// When that verb was done.
    pub verb_at: Option<Timestamp>,
    /// Is it still being written?
    pub draft: bool,
    /// Which message it is a copy of.
    pub identity: IdentityId,
}

/// A follow-up flag ([MS-ASEMAIL] 2.2.2.34); being there at all means flagged, status 1 means complete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flag {
    /// 1 complete, 2 active.
    pub status: u8,
    /// The text of the flag, such as "Follow up".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag_type: Option<String>,
    /// The subject of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it starts, local time of the mailbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// When it is due, local time of the mailbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// When it starts, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utc_start: Option<Timestamp>,
    /// When it is due, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utc_due: Option<Timestamp>,
    /// Is a reminder wanted?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reminder_set: Option<bool>,
    /// When to remind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reminder: Option<Timestamp>,
    /// When it was completed, as the phone that did it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed: Option<Timestamp>,
    /// The day it was completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete_time: Option<Timestamp>,
    /// Where it stands among the tasks of its day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordinal: Option<Timestamp>,
    /// How equal ordinals are told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_ordinal: Option<String>,
}

/// One line of a [`Delta`].
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every line of a delta is a live item")]
pub enum Change {
    /// The message is there and looks like this now.
    Live(Item),
    /// The message has left the folder.
    Gone {
        /// Its number, never to be used again.
        item: ItemNumber,
        /// The position at which it left.
        seq: u64,
    },
}

impl Change {
    /// The position of the change.
    pub fn seq(&self) -> u64 {
        match self {
            Change::Live(item) => item.seq,
            Change::Gone { seq, .. } => *seq,
        }
    }

    /// The item that changed.
    pub fn item(&self) -> ItemNumber {
        match self {
            Change::Live(live) => live.item,
            Change::Gone { item, .. } => *item,
        }
    }
}

/// What has changed in a folder after a [`Cursor`].
#[derive(Clone, Debug, PartialEq)]
pub struct Delta {
    /// Ascending by position, at most one line per item.
    pub changes: Vec<Change>,
    /// The position after the last line given; the head of the log if nothing was left out.
    pub end: Cursor,
    /// Was something left out for the limit's sake?
    pub more: bool,
}

/// How deep into the past a collection has been told: everything at or above it, ordered by (received, item), has been considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Floor {
    /// The received time of the lowest message considered.
    pub received: Timestamp,
    /// Its number, which tells equal times apart.
    pub item: ItemNumber,
}

impl Floor {
    /// Above every message: nothing has been considered yet.
    pub const TOP: Floor = Floor { received: Timestamp(i64::MAX), item: ItemNumber(u32::MAX) };
}

/// One copy of a message in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Copy {
    /// The mailbox that has it.
    pub mailbox: MailboxId,
    /// The folder it lies in.
    pub folder: FolderId,
    /// Its number there.
    pub item: ItemNumber,
    /// Which message it is.
    pub identity: IdentityId,
}

/// What to change of a message's state; what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateChange {
    /// Read or unread.
    pub read: Option<bool>,
    /// Set the flag, or take it off (`Some(None)`).
    pub flag: Option<Option<Flag>>,
    /// Replace all categories.
    pub categories: Option<Vec<String>>,
    /// The last verb and when it was done.
    pub verb: Option<(u8, Timestamp)>,
}

/// What a message brings with it into a folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrival {
    /// When it was received.
    pub received: Timestamp,
    /// Has it been read?
    pub read: bool,
    /// A flag it comes with.
    pub flag: Option<Flag>,
    /// Categories it comes with.
    pub categories: Vec<String>,
    /// Is it still being written?
    pub draft: bool,
    /// A token that makes a repetition harmless: for 14 days the same token in the same mailbox gives the same item.
    pub once: Option<String>,
}

/// Something happened in a folder and is committed; told to whoever waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderEvent {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// The folder; for [`FolderEventKind::Hierarchy`] the one that was made, renamed or deleted.
    pub folder: FolderId,
    /// What happened.
    pub kind: FolderEventKind,
}

/// What happened in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderEventKind {
    /// A message came in.
    Arrived {
        /// Which one.
        identity: IdentityId,
    },
    /// A message left, to another folder or for good.
    Removed,
    /// The state of a message, or the octets of a draft, changed.
    Changed,
    /// The folder itself was made, renamed, moved or deleted.
    Hierarchy,
}

impl From<database::Error> for MailboxError {
    fn from(error: database::Error) -> MailboxError {
        if error.is_full() { MailboxError::Full } else { MailboxError::Ours(error.to_string()) }
    }
}
