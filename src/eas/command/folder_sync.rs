//! FolderSync ([MS-ASCMD] 2.2.1.5): which folders there are. Key 0 asks for all of them and leaves the collections as they are:
//! phones send it whenever somebody pulls the list down.

use activesync::command::folder_sync::{Changes, Folder, FolderType, Request, Response};
use activesync::http::{X_MS_RP, version_list};
use activesync::status::folder_sync as status;
use http::header::HeaderName;

use super::{wire_folder, wire_key};
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::fresh;
use crate::eas::gateway::{VERSIONS, announce, header};
use crate::eas::session::is_fleeting;
use crate::eas::status::Refusal;
use crate::ledger::Claim;
use crate::ledger::hierarchy::Told;
use crate::sync::{FolderChanges, FoldersTold};

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    let request: Request = ask.decode()?;
    let claim = Claim::read(request.sync_key.as_str());
    fresh::folders(ask).await;
    let told = if is_fleeting(&ask.device) {
        ask.desk.engine.folders_unrecorded(&ask.device).await?
    } else {
        ask.desk.engine.folders(&ask.device, claim).await?
    };
    let response = match told {
        FoldersTold::Changes(key, changes) => Response {
            status: status::SUCCESS,
            sync_key: Some(wire_key(key)),
            changes: Some(shown(&changes)),
        },
        FoldersTold::InvalidKey => {
            Response { status: status::INVALID_SYNC_KEY, sync_key: None, changes: None }
        }
    };
    let begins_anew = claim == Claim::First || response.sync_key.is_none();
    let answer = ask.plain(&response);
    if !begins_anew {
        return Ok(answer.into());
    }
    // [MS-ASHTTP] 3.2.5.1: with the first key, or where there has to be one, the versions are told again.
    let versions = header(&version_list(VERSIONS));
    Ok(announce(answer).with(HeaderName::from_static(X_MS_RP), versions).into())
}

fn shown(changes: &FolderChanges) -> Changes {
    Changes {
        updates: changes.updated.iter().map(folder).collect(),
        deletes: changes.deleted.iter().map(|told| wire_folder(told.number)).collect(),
        adds: changes.added.iter().map(folder).collect(),
    }
}

fn folder(told: &Told) -> Folder {
    Folder {
        server_id: wire_folder(told.number),
        parent_id: wire_folder(told.parent),
        display_name: told.name.clone(),
        folder_type: FolderType(told.kind),
    }
}
