//! MoveItems ([MS-ASCMD] 2.2.1.12): each move counts once, and repeated after a lost answer gets the earlier one. A recalled item
//! is gone.

use activesync::command::move_items::{Move, Moved as Answer, Request, Response};
use activesync::status::Status;
use activesync::status::move_items as status;
use activesync::types::ServerId as WireId;

use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::status::Refusal;
use crate::ids::{CollectionNumber, ServerId};
use crate::ledger::Place;
use crate::mailbox::{Folder, FolderKind, MailboxError};
use crate::sync::{Moved, SyncError};

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    let request: Request = ask.decode()?;
    let mut responses = Vec::with_capacity(request.moves.len());
    for asked in &request.moves {
        let outcome = carry_out(ask, asked).await?;
        let (status, dst_msg_id) = match outcome {
            Ok(id) => (status::SUCCESS, Some(id)),
            Err(status) => (status, None),
        };
        responses.push(Answer { src_msg_id: asked.src_msg_id.clone(), status, dst_msg_id });
    }
    Ok(ask.plain(&Response { status: None, responses }).into())
}

/// The new id, or the status of this move alone ([MS-ASCMD] 2.2.3.177.10).
async fn carry_out(ask: &Ask, asked: &Move) -> Result<Result<WireId, Status>, Refusal> {
    let Some(from) = folder(ask, asked.src_fld_id.as_str()).await? else {
        return Ok(Err(status::INVALID_SOURCE));
    };
    let Some(to) =
        folder(ask, asked.dst_fld_id.as_str()).await?.filter(|f| f.kind != FolderKind::Outbox)
    else {
        return Ok(Err(status::INVALID_DESTINATION));
    };
    if from.id == to.id {
        return Ok(Err(status::SAME_FOLDER));
    }
    let source =
        ServerId::parse(asked.src_msg_id.as_str()).filter(|id| id.collection == from.number);
    let Some(source) = source else { return Ok(Err(status::INVALID_SOURCE)) };
    let place = Place { device: ask.device.id, folder: from.id };
    match ask.desk.engine.move_item(place, source.item, &to).await {
        Ok(Moved::NoSuchItem) => Ok(Err(status::INVALID_SOURCE)),
        Ok(Moved::To(item)) => {
            let id = ServerId { collection: to.number, item }.to_string();
            Ok(WireId::new(id).map_err(|_| status::MOVE_FAILED))
        }
        Err(error) => {
            tracing::info!(device = %ask.device.id, %error, "an item was not moved");
            not_moved(error).map(Err)
        }
    }
}

/// What a place that takes no mail says of this move alone; trouble behind us is nobody's answer, and the phone comes again.
fn not_moved(error: SyncError) -> Result<Status, Refusal> {
    match error {
        SyncError::Mailbox(MailboxError::NoSuchFolder) => Ok(status::INVALID_DESTINATION),
        SyncError::Mailbox(
            MailboxError::NotAllowed(_) | MailboxError::TooLarge | MailboxError::NameTaken,
        ) => Ok(status::MOVE_FAILED),
        error if error.is_full() => Ok(status::MOVE_FAILED),
        error => Err(error.into()),
    }
}

async fn folder(ask: &Ask, number: &str) -> Result<Option<Folder>, Refusal> {
    let Some(number) = CollectionNumber::parse(number) else { return Ok(None) };
    match ask.desk.engine.store.folder(ask.device.mailbox, number).await {
        Ok(folder) => Ok(Some(folder)),
        Err(MailboxError::NoSuchFolder) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_takes_no_mail_fails_one_move_and_a_store_that_is_down_all_of_them() {
        for (error, expected) in [
            (MailboxError::Full, status::MOVE_FAILED),
            (MailboxError::NotAllowed("read only"), status::MOVE_FAILED),
            (MailboxError::TooLarge, status::MOVE_FAILED),
            (MailboxError::NoSuchFolder, status::INVALID_DESTINATION),
        ] {
            assert_eq!(not_moved(error.into()).unwrap(), expected);
        }
        assert_eq!(
            not_moved(SyncError::State(crate::database::Error::Full)).unwrap(),
            status::MOVE_FAILED
        );
        assert!(not_moved(MailboxError::Down("imap".to_owned()).into()).is_err());
    }
}
