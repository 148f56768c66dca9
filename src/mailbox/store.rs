//! The trait every mail store implements, [`Mailbox`].
//!
//! Object-safe on purpose (futures are boxed): the server picks the backend at start and the rooms above hold `Arc<dyn Mailbox>`.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use super::types::{Arrival, Copy, Cursor, Delta, Floor, Folder, Item, MailboxError, StateChange};
use crate::clock::Timestamp;
use crate::ids::{CollectionNumber, FolderId, ItemNumber, MailboxId, UserId};

/// An answer that comes later; it borrows the store and nothing else.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, MailboxError>> + Send + 'a>>;

/// What of a mailbox is to be as the store has it now, where we keep a mirror of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The folders themselves.
    Folders,
    /// What lies in these.
    Items(Vec<FolderId>),
    /// What lies in these, for who waits for news of them with [`Mailbox::watch`]: where news is told by itself already, nothing is asked.
    Watched(Vec<FolderId>),
}

/// A word that a message must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// It, in any case.
    pub text: String,
    /// Where.
    pub place: SearchIn,
}

/// Where a word is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchIn {
    /// Anywhere in the message.
    Anywhere,
    /// In its subject.
    Subject,
    /// In the names and addresses of its authors.
    From,
    /// In those of its To.
    To,
    /// In its text.
    Body,
}

/// As long as this lives, the store tells of news in a mailbox by itself.
#[must_use = "nothing is watched once this is dropped"]
pub struct Watching(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Watching {
    /// Of a store that tells of everything in any case.
    pub fn always() -> Watching {
        Watching(None)
    }

    /// Calls `ended` when it is dropped.
    pub fn new(ended: impl FnOnce() + Send + Sync + 'static) -> Watching {
        Watching(Some(Box::new(ended)))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(ended) = self.0.take() {
            ended();
        }
    }
}

impl std::fmt::Debug for Watching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watching")
    }
}

/// A store of mail. All errors are errors, never an empty list; every change is durable when its answer comes.
pub trait Mailbox: Send + Sync + 'static {
    /// Every folder of a mailbox, by number.
    fn folders(&self, mailbox: MailboxId) -> Later<'_, Vec<Folder>>;

    /// One folder by the number phones know.
    fn folder(&self, mailbox: MailboxId, number: CollectionNumber) -> Later<'_, Folder>;

    /// The position of the latest change in a folder.
    fn head(&self, folder: FolderId) -> Later<'_, Cursor>;

    /// What has changed after `after`, at most `limit` lines.
    fn changes_since(&self, folder: FolderId, after: Cursor, limit: usize) -> Later<'_, Delta>;

    /// Live items with (received, item) below the floor and received at or after `down_to`, newest first.
    fn below(
        &self,
        folder: FolderId,
        floor: Floor,
        down_to: Timestamp,
        limit: usize,
    ) -> Later<'_, Vec<Item>>;

    /// Live items with (received, item) at or above the floor and received before `up_to`, oldest first: they leave the filter window.
    fn above(
        &self,
        folder: FolderId,
        floor: Floor,
        up_to: Timestamp,
        limit: usize,
    ) -> Later<'_, Vec<Item>>;

    /// Those of the items that are live, by number.
    fn items(&self, folder: FolderId, items: &[ItemNumber]) -> Later<'_, Vec<Item>>;

    /// A message and its raw octets (RFC 5322).
    fn read(&self, folder: FolderId, item: ItemNumber) -> Later<'_, (Item, Bytes)>;

    /// Changes the state of a message and gives the position of the change. A change that changes nothing gives the latest one.
    fn set_state(&self, folder: FolderId, item: ItemNumber, change: StateChange) -> Later<'_, u64>;

    /// Moves a message to another folder of the same mailbox and gives its number there.
    fn move_item(&self, folder: FolderId, item: ItemNumber, to: FolderId) -> Later<'_, ItemNumber>;

    /// Removes a message for good and gives the position of that change.
    fn delete(&self, folder: FolderId, item: ItemNumber) -> Later<'_, u64>;

    /// Puts a message in and gives its number.
    fn append(&self, folder: FolderId, raw: Bytes, arrival: Arrival) -> Later<'_, ItemNumber>;

    /// Gives a draft new octets under its old number, and the position of that change.
    fn replace_draft(&self, folder: FolderId, item: ItemNumber, raw: Bytes) -> Later<'_, u64>;

    /// Removes everything in a folder for good, with the folders in it where asked.
    fn empty(&self, folder: FolderId, subfolders: bool) -> Later<'_, ()>;

    /// From now on mail of a conversation goes to that folder when it arrives, or to the Inbox as before.
    fn file_conversation(
        &self,
        mailbox: MailboxId,
        conversation: &[u8],
        to: FolderId,
    ) -> Later<'_, ()> {
        let _ = (mailbox, conversation, to);
        Box::pin(async { Err(MailboxError::NotAllowed("this store does not sort what arrives")) })
    }

    /// Makes a folder.
    fn create_folder(
        &self,
        mailbox: MailboxId,
        parent: CollectionNumber,
        name: &str,
    ) -> Later<'_, Folder>;

    /// Gives a folder a new name, a new place, or both.
    fn rename_folder(
        &self,
        folder: FolderId,
        parent: CollectionNumber,
        name: &str,
    ) -> Later<'_, Folder>;

    /// Deletes a folder with everything below it; gives every folder that went.
    fn delete_folder(&self, folder: FolderId) -> Later<'_, Vec<FolderId>>;

    /// The position of the latest change of the folders themselves.
    fn hierarchy_head(&self, mailbox: MailboxId) -> Later<'_, u64>;

    /// Every copy of a message in every mailbox and folder.
    fn find(&self, message_id: &str) -> Later<'_, Vec<Copy>>;

    /// The mailbox of a user, made with its standard folders if there was none.
    fn mailbox_of(&self, user: UserId) -> Later<'_, MailboxId>;

    /// Brings what we know up to what the store has now. A store that is ours knows everything already.
    fn refresh(&self, mailbox: MailboxId, what: Freshness) -> Later<'_, ()> {
        let _ = (mailbox, what);
        Box::pin(async { Ok(()) })
    }

    /// These are about to be read, in this order: a store that is far away may send for them now.
    fn prepare(&self, folder: FolderId, items: &[ItemNumber]) {
        let _ = (folder, items);
    }

    /// The items of a folder that may hold all of these words, found without reading each of them; `None` from a store that cannot say.
    fn holding(&self, folder: FolderId, words: Vec<Word>) -> Later<'_, Option<Vec<ItemNumber>>> {
        let _ = (folder, words);
        Box::pin(async { Ok(None) })
    }

    /// Somebody waits for news of a mailbox.
    fn watch(&self, mailbox: MailboxId) -> Watching {
        let _ = mailbox;
        Watching::always()
    }
}
