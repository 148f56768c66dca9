//! FolderUpdate ([MS-ASCMD] 2.2.1.6): a folder gets another name or another place, and keeps its number.

use activesync::command::folder_update::{Request, Response};
use activesync::status::{Status, folder_update as status};

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
    let Some(parent) = folder_number(&request.parent_id) else {
        return Ok(ask.plain(&refused(status::PARENT_NOT_FOUND)).into());
    };
    let task = FolderTask::Update { folder, parent, name: request.display_name };
    let response = match ask.desk.engine.folder_task(&ask.device, claim, task).await? {
        FolderDone::Done(key, _) => {
            Response { status: status::SUCCESS, sync_key: Some(wire_key(key)) }
        }
        FolderDone::InvalidKey => refused(status::INVALID_SYNC_KEY),
        FolderDone::NameTaken | FolderDone::Special => refused(status::NAME_EXISTS_OR_SPECIAL),
        FolderDone::NoSuchParent => refused(status::PARENT_NOT_FOUND),
        FolderDone::NoSuchFolder => refused(status::NOT_FOUND),
    };
    Ok(ask.plain(&response).into())
}
