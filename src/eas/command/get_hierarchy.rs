//! GetHierarchy ([MS-ASCMD] 2.2.1.8), up to 12.1: the mail folders, all of them, without a key. Nothing is noted: what a device knows
//! of its folders is what FolderSync told it.

use activesync::command::folder_sync::FolderType;
use activesync::command::get_hierarchy::{Folder, Response};

use super::wire_folder;
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::status::Refusal;
use crate::ledger::hierarchy::Told;
use crate::sync::FoldersTold;

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    let told = match ask.desk.engine.folders_unrecorded(&ask.device).await? {
        FoldersTold::Changes(_, changes) => changes.added,
        FoldersTold::InvalidKey => Vec::new(),
    };
    let folders = told.iter().filter_map(shown).collect();
    Ok(ask.plain(&Response { folders }).into())
}

/// A folder of mail; one that a user made is of the general type here, for there are no types above the Outbox.
fn shown(told: &Told) -> Option<Folder> {
    let folder_type = match FolderType(told.kind) {
        FolderType::USER_MAIL => FolderType::USER_GENERIC,
        standard if (1..=FolderType::OUTBOX.0).contains(&standard.0) => standard,
        _ => return None,
    };
    Some(Folder {
        display_name: told.name.clone(),
        server_id: wire_folder(told.number),
        folder_type,
        parent_id: wire_folder(told.parent),
    })
}
