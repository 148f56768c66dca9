//! FolderCreate ([MS-ASCMD] 2.2.1.2). We serve mail: a folder for anything else is not made.

use activesync::command::folder_create::{Request, Response};
use activesync::command::folder_sync::FolderType;
use activesync::status::{Status, folder_create as status};

use super::{folder_number, wire_folder, wire_key};
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::status::Refusal;
use crate::ids::CollectionNumber;
use crate::ledger::Claim;
use crate::sync::{FolderDone, FolderTask};

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    let request: Request = ask.decode()?;
    let claim = Claim::read(request.sync_key.as_str());
    let refused = |status: Status| Response { status, sync_key: None, server_id: None };
    let is_mail = matches!(request.folder_type, FolderType::USER_GENERIC | FolderType::USER_MAIL);
    // BlackBerry leaves the parent empty where there is none.
    let parent = match request.parent_id.as_str() {
        "" => Some(ROOT),
        _ => folder_number(&request.parent_id),
    };
    let Some(parent) = parent else {
        return Ok(ask.plain(&refused(status::PARENT_NOT_FOUND)).into());
    };
    if !is_mail {
        return Ok(ask.plain(&refused(status::UNKNOWN_ERROR)).into());
    }
    let task = FolderTask::Create { parent, name: request.display_name };
    let response = match ask.desk.engine.folder_task(&ask.device, claim, task).await? {
        FolderDone::Done(key, number) => Response {
            status: status::SUCCESS,
            sync_key: Some(wire_key(key)),
            server_id: Some(wire_folder(number.0)),
        },
        FolderDone::InvalidKey => refused(status::INVALID_SYNC_KEY),
        FolderDone::NameTaken => refused(status::NAME_EXISTS),
        FolderDone::NoSuchParent | FolderDone::NoSuchFolder => refused(status::PARENT_NOT_FOUND),
        FolderDone::Special => refused(status::MALFORMED_REQUEST),
    };
    Ok(ask.plain(&response).into())
}

/// What stands for no parent.
const ROOT: CollectionNumber = CollectionNumber(0);
