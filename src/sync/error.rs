//! Why a turn did not come to its end, by whose doing.

use crate::database;
use crate::mailbox::MailboxError;

/// What went wrong with a turn.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The mail store: nothing is known, so nothing is said of the folder.
    #[error("mailbox: {0}")]
    Mailbox(#[from] MailboxError),
    /// Our own state.
    #[error("state: {0}")]
    State(#[from] database::Error),
    /// The collection was written, or an item fenced, again and again while the answer was being made.
    #[error("the collection would not stand still")]
    Restless,
}

impl SyncError {
    /// Whether the disk is full: the phone is asked to come back later.
    pub fn is_full(&self) -> bool {
        match self {
            SyncError::Mailbox(MailboxError::Full) => true,
            SyncError::State(error) => error.is_full(),
            _ => false,
        }
    }
}
