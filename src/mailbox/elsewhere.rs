//! What recall asks of a store whose messages lie on another server: to find copies nobody here has seen, to give one's octets, to
//! remove exactly that one for good, and to put a sealed one back.
//!
//! Each call is one conversation with that server and may fail at any point; whoever calls writes down first what it means to do, so
//! that the same call again finishes it. [`Elsewhere::remove_for_good`] of what is gone already is done.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::broadcast;

use super::embedded::Embedded;
use super::embedded::in_tx::RemovedCopy;
use super::store::Later;
use super::types::{Copy, Item, MailboxError};
use crate::database::Tx;
use crate::ids::{FolderId, ItemNumber, MailboxId, UserId};

/// A copy as its server has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Original {
    /// The row that stands for it here, brought up to date.
    pub item: Item,
    /// Its octets.
    pub octets: Bytes,
    /// Everything else there is to put back, in the store's own words.
    pub marks: String,
}

/// A store whose messages lie on another server, beside [`Mailbox`](super::Mailbox).
pub trait Elsewhere: Send + Sync + 'static {
    /// Whether the server lets us in for the owner of this mailbox now, as far as that depends on us.
    fn has_access(&self, mailbox: MailboxId) -> bool;

    /// Tells of owners for whom it lets us in and did not before.
    fn came(&self) -> broadcast::Receiver<UserId>;

    /// A copy as it is there now. [`MailboxError::NoSuchItem`] when it is not there any more.
    fn original(&self, folder: FolderId, item: ItemNumber) -> Later<'_, Original>;

    /// Removes exactly this copy there for good, then its row here. Until it is removed the row stays.
    /// [`MailboxError::NotAllowed`] where the server cannot remove one alone; then nothing is changed.
    fn remove_for_good(&self, folder: FolderId, item: ItemNumber) -> Later<'_, ()>;

    /// Takes back a removal that was begun: the copy lies there as it did, with these marks; or it is found gone, and is no longer live.
    fn keep_after_all(&self, folder: FolderId, item: ItemNumber, marks: String) -> Later<'_, ()>;

    /// Gives a copy that lies there another number here, in this transaction: phones that let go of the old one get it again.
    fn renumber(
        &self,
        tx: &Tx<'_>,
        store: &Embedded,
        folder: FolderId,
        item: ItemNumber,
    ) -> Result<Copy, MailboxError>;

    /// The folder a removed copy goes back to: its own, made again where it is gone, or the Inbox.
    fn place_for(&self, removed: Arc<RemovedCopy>) -> Later<'_, FolderId>;

    /// Puts a removed copy back into this folder, with its state and marks. What came there with the number `first` or a later one and
    /// is the same message is taken for it: an earlier try put it there.
    fn put_back(
        &self,
        removed: Arc<RemovedCopy>,
        to: FolderId,
        first: ItemNumber,
        octets: Bytes,
    ) -> Later<'_, Copy>;

    /// Looks into every folder of a mailbox for messages with these Message-IDs (without angle brackets). When this answers, each that
    /// lies there has a row here, also where it is marked deleted, and the arrival hook has seen it.
    fn look_for(&self, mailbox: MailboxId, message_ids: Arc<[String]>) -> Later<'_, ()>;
}
