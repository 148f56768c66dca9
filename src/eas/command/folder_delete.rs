//! FolderDelete ([MS-ASCMD] 2.2.1.3): a folder goes with everything below it.

use activesync::command::folder_delete::{Request, Response};
use activesync::status::{Status, folder_delete as status};

use super::{folder_number, wire_key};
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::status::Refusal;
use crate::ledger::Claim;
use crate::sync::{FolderDone, FolderTask};

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    let request: Request = ask.decode()?;
    let claim = Claim::read(request.sync_key.as_str());
    let refused = |status: Status| Response { status, sync_key: None };
    let Some(folder) = folder_number(&request.server_id) else {
        return Ok(ask.plain(&refused(status::NOT_FOUND)).into());
    };
    let task = FolderTask::Delete { folder };
    let response = match ask.desk.engine.folder_task(&ask.device, claim, task).await? {
        FolderDone::Done(key, _) => {
            Response { status: status::SUCCESS, sync_key: Some(wire_key(key)) }
        }
        FolderDone::InvalidKey => refused(status::INVALID_SYNC_KEY),
        FolderDone::Special => refused(status::SPECIAL_FOLDER),
        FolderDone::NoSuchFolder | FolderDone::NoSuchParent | FolderDone::NameTaken => {
            refused(status::NOT_FOUND)
        }
    };
    Ok(ask.plain(&response).into())
}
