//! What the device has: folders, and per folder a key and the items that go with it, or nearly.

use std::collections::BTreeMap;

use activesync::command::folder_sync::Folder;
use activesync::item::email::Email;
use activesync::types::SyncKey;

/// One mail in the cache.
#[derive(Clone, Debug, PartialEq)]
pub struct CachedItem {
    /// What the server gave, with later changes applied.
    pub email: Email,
    /// The whole body, where the app fetched it.
    pub fetched_body: Option<Vec<u8>>,
    /// Attachments the app fetched: FileReference and octets.
    pub attachments: Vec<(String, Vec<u8>)>,
}

impl CachedItem {
    /// Its subject, empty where the server gave none.
    pub fn subject(&self) -> &str {
        self.email.subject.as_deref().unwrap_or_default()
    }

    /// Whether it shows as read.
    pub fn is_read(&self) -> bool {
        self.email.read.unwrap_or(false)
    }
}

/// One folder's cache.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collection {
    /// The key it is at; `0` before the first.
    pub key: Option<SyncKey>,
    /// Its items by ServerId.
    pub items: BTreeMap<String, CachedItem>,
    /// Whether the server said that more is to come.
    pub more: bool,
    /// FilterType in force.
    pub filter: Option<u8>,
}

/// Everything the device holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cache {
    /// FolderSync's key.
    pub hierarchy_key: Option<SyncKey>,
    /// Folders by ServerId.
    pub folders: BTreeMap<String, Folder>,
    /// Collections by ServerId of the folder.
    pub collections: BTreeMap<String, Collection>,
}

impl Cache {
    /// The folder of a type, such as `FolderType::INBOX`.
    pub fn folder_of(&self, kind: activesync::command::folder_sync::FolderType) -> Option<&str> {
        let mut folders = self.folders.values();
        folders.find(|folder| folder.folder_type == kind).map(|folder| folder.server_id.as_str())
    }

    /// Every item: (folder, ServerId, item).
    pub fn items(&self) -> impl Iterator<Item = (&str, &str, &CachedItem)> {
        self.collections.iter().flat_map(|(folder, collection)| {
            collection.items.iter().map(move |(id, item)| (folder.as_str(), id.as_str(), item))
        })
    }

    /// Where a mail with this subject lies: (folder, ServerId).
    pub fn find(&self, subject: &str) -> Option<(&str, &str)> {
        self.items().find(|(_, _, item)| item.subject() == subject).map(|(f, id, _)| (f, id))
    }
}
