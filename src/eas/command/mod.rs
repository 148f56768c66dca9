//! What each command does. The files have the names of `activesync::command`: the shape is there, the behaviour here.

pub(in crate::eas) mod find;
pub(in crate::eas) mod folder_create;
pub(in crate::eas) mod folder_delete;
pub(in crate::eas) mod folder_sync;
pub(in crate::eas) mod folder_update;
pub(in crate::eas) mod get_attachment;
pub(in crate::eas) mod get_hierarchy;
pub(in crate::eas) mod get_item_estimate;
pub(in crate::eas) mod item_operations;
pub(in crate::eas) mod mail;
pub(in crate::eas) mod meeting_response;
pub(in crate::eas) mod move_items;
pub(in crate::eas) mod ping;
pub(in crate::eas) mod provision;
pub(in crate::eas) mod resolve_recipients;
pub(in crate::eas) mod search;
pub(in crate::eas) mod send_mail;
pub(in crate::eas) mod settings;
pub(in crate::eas) mod smart_forward;
pub(in crate::eas) mod smart_reply;
pub(in crate::eas) mod sync;
pub(in crate::eas) mod validate_cert;

use activesync::types::{ServerId, SyncKey};

use crate::ids::CollectionNumber;
use crate::ledger;

/// A key of ours as it travels.
fn wire_key(key: ledger::SyncKey) -> SyncKey {
    SyncKey::new(key.to_string()).expect("a key of ours has at most 43 characters")
}

/// The ServerId of a folder.
fn wire_folder(number: u32) -> ServerId {
    ServerId::new(number.to_string()).expect("a number has at most ten digits")
}

/// The folder a ServerId or ParentId names; 0 is the root.
fn folder_number(id: &ServerId) -> Option<CollectionNumber> {
    CollectionNumber::parse(id.as_str())
}
