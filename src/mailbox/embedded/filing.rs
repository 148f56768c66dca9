//! Conversations that are always moved ([MS-ASCON] 2.2.2.8): where their mail goes when it arrives.
//!
//! Migration 0015. A mailbox remembers its latest [`FILED_MAX`] of them; one whose folder was deleted arrives in the Inbox again.

use super::{hierarchy, tables};
use crate::clock::Timestamp;
use crate::database::Tx;
use crate::ids::{FolderId, MailboxId};
use crate::mailbox::{Folder, FolderKind, MailboxError};
use crate::params;

/// From now on the conversation's mail goes to that folder; the Inbox is where it goes anyway.
pub(super) fn file(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    conversation: &[u8],
    to: FolderId,
    now: Timestamp,
) -> Result<(), MailboxError> {
    let folder = super::rows::folder(tx, to)?;
    if folder.mailbox != mailbox {
        return Err(MailboxError::NoSuchFolder);
    }
    if folder.kind == FolderKind::Inbox {
        tx.execute(tables::UNFILE_CONVERSATION, params![mailbox, conversation])?;
        return Ok(());
    }
    tx.execute(tables::FILE_CONVERSATION, params![mailbox, conversation, to, now])?;
    tx.execute(tables::FORGET_FILED, params![mailbox, FILED_MAX])?;
    Ok(())
}

/// Where mail of a conversation arrives.
pub(super) fn folder_for(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    conversation: &[u8],
) -> Result<Folder, MailboxError> {
    let row = params![mailbox, conversation];
    let filed = tx.one(tables::FOLDER_OF_CONVERSATION, row, super::rows::read_folder)?;
    match filed {
        Some(folder) => Ok(folder),
        None => hierarchy::by_kind(tx, mailbox, FolderKind::Inbox),
    }
}

/// Conversations one mailbox remembers.
const FILED_MAX: i64 = 1_000;
