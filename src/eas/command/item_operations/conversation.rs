//! Moving a conversation for good ([MS-ASCON] 3.2.5.3): all mail of it that lies anywhere but in Sent Items, and all that will come.
//!
//! Drafts stay what they are. Mail that an order covers is not there: it is neither moved nor does it make a conversation. Of a mailbox
//! the newest mails are looked at, as in a search; what comes later is filed by the store as it arrives.

use std::sync::Arc;

use activesync::status::{Status, item_operations as status};

use crate::eas::dispatch::Ask;
use crate::eas::look::{self, Look, Terms, Wanted};
use crate::eas::status::Refusal;
use crate::ids::CollectionNumber;
use crate::ledger::Place;
use crate::mailbox::{Folder, FolderKind, Item, MailboxError};
use crate::sync::{Moved, SyncError};

/// Moves it, and says how that went ([MS-ASCMD] 2.2.3.177.8).
pub(super) async fn move_always(
    ask: &Ask,
    conversation: &[u8],
    destination: &str,
) -> Result<Status, Refusal> {
    if destination == RECIPIENT_CACHE {
        return Ok(status::INVALID_COMBINATION_OF_IDS);
    }
    let to = super::folder(ask, CollectionNumber::parse(destination)).await?;
    let Some(to) = to else { return Ok(status::NOT_FOUND) };
    if matches!(to.kind, FolderKind::Outbox | FolderKind::Drafts) {
        return Ok(status::DESTINATION_NOT_MAIL);
    }
    let found = mail_of(ask, conversation).await?;
    if found.is_empty() {
        return Ok(status::NOT_FOUND);
    }
    // First what will come: a mail that arrives meanwhile is not left behind.
    let store = &ask.desk.engine.store;
    match store.file_conversation(ask.device.mailbox, conversation, to.id).await {
        Err(MailboxError::NoSuchFolder) => return Ok(status::NOT_FOUND),
        Err(MailboxError::NotAllowed(_)) => return Ok(status::RESOURCE_DENIED),
        filed => filed?,
    }
    let mut is_whole = true;
    for (folder, item) in found.iter().filter(|(folder, _)| is_moved(folder, &to)) {
        let place = Place { device: ask.device.id, folder: folder.id };
        match ask.desk.engine.move_item(place, item.item, &to).await {
            // What has gone meanwhile need not be moved.
            Ok(Moved::To(_) | Moved::NoSuchItem) => {}
            Err(error) => {
                tracing::info!(device = %ask.device.id, %error, "a conversation was moved in part");
                stays(error)?;
                is_whole = false;
            }
        }
    }
    Ok(if is_whole { status::SUCCESS } else { status::PARTIAL_SUCCESS })
}

async fn mail_of(ask: &Ask, conversation: &[u8]) -> Result<Vec<(Folder, Item)>, Refusal> {
    let folders = look::folders(ask, &[], false).await?.unwrap_or_default();
    let wanted = Wanted {
        terms: Terms::read("", ask.desk.engine.clock.now()),
        conversation: Some(conversation.to_vec()),
        after: None,
        before: None,
    };
    let found = Look::begin(ask)?.matching(ask, &folders, &Arc::new(wanted), MOVED_MAX).await?;
    // What takes too long is taken up when the phone comes again.
    found.ok_or(Refusal::Busy)
}

fn is_moved(folder: &Folder, to: &Folder) -> bool {
    let stays = matches!(folder.kind, FolderKind::SentItems | FolderKind::Drafts);
    folder.id != to.id && !stays
}

/// One mail that cannot be moved; trouble behind us is nobody's answer, and the phone comes again.
fn stays(error: SyncError) -> Result<(), Refusal> {
    match error {
        SyncError::Mailbox(
            MailboxError::NotAllowed(_) | MailboxError::TooLarge | MailboxError::NoSuchFolder,
        ) => Ok(()),
        error if error.is_full() => Ok(()),
        error => Err(error.into()),
    }
}

/// The collection of the recipient information cache ([MS-ASCMD] 2.2.3.30.5).
const RECIPIENT_CACHE: &str = "RI";
/// Mails of one conversation that are moved at once.
const MOVED_MAX: usize = 1_000;
