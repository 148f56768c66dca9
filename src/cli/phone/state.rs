//! What a phone at the command line remembers between two invocations: a file for each account and device, so that several
//! invocations are one device to the server.
//!
//! Folders and items are kept in the words of the wire, as documents of the version the phone speaks: what was read is what is
//! written. The password is not in it. A file is replaced as a whole and held by one invocation at a time.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use activesync_phone::activesync::Document as _;
use activesync_phone::activesync::command::{folder_sync, sync};
use activesync_phone::activesync::item::ItemData;
use activesync_phone::activesync::status::Status;
use activesync_phone::activesync::types::{CollectionId, ServerId, SyncKey};
use activesync_phone::{CachedItem, Collection, Phone, SearchCopy};
use anyhow::{Context, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::cli::Failure;

/// A state file, held until it is dropped.
pub(super) struct Memory {
    path: PathBuf,
    /// Whose phone it is: another account or device does not belong in the same file.
    owner: Owner,
    _lock: File,
}

/// What tells one phone from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    /// As it was given on the command line.
    pub(super) server: String,
    /// Whom it signs in as.
    pub(super) user: String,
    /// The DeviceId it tells.
    pub(super) device_id: String,
    /// The family it behaves like.
    pub(super) family: String,
}

impl Owner {
    /// Whether both are the same device of the same account; the server may have moved.
    fn is_device_of(&self, other: &Owner) -> bool {
        (&self.user, &self.device_id, &self.family)
            == (&other.user, &other.device_id, &other.family)
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    owner: Owner,
    policy_key: Option<u32>,
    client_ids: u64,
    wiped: bool,
    /// A FolderSync answer: key and folders.
    folders: Option<String>,
    collections: Vec<StoredCollection>,
    copies: Vec<Octets>,
}

#[derive(Serialize, Deserialize)]
struct StoredCollection {
    id: String,
    key: Option<String>,
    more: bool,
    filter: Option<u8>,
    /// A Sync answer that adds the items.
    items: String,
    /// Bodies that were fetched, by ServerId.
    bodies: Vec<Octets>,
}

#[derive(Serialize, Deserialize)]
struct Octets {
    id: String,
    octets: String,
}

impl Memory {
    /// Takes hold of the file, or of the usual one of that phone.
    pub(super) fn open(file: Option<&Path>, owner: Owner) -> Result<Memory, Failure> {
        let path = match file {
            Some(path) => path.to_owned(),
            None => usual(&owner)?,
        };
        let lock = path.with_extension("lock");
        let options =
            || OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock);
        let lock_file = options().with_context(|| lock.display().to_string())?;
        match lock_file.try_lock() {
            Ok(()) => Ok(Memory { path, owner, _lock: lock_file }),
            Err(fs::TryLockError::WouldBlock) => {
                Err(Failure::Refused(format!("{} is in use by another phone", path.display())))
            }
            Err(fs::TryLockError::Error(error)) => {
                Err(anyhow::Error::new(error).context(lock.display().to_string()).into())
            }
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the phone back what it held; `false` where there is nothing yet.
    pub(super) fn recall(&self, phone: &mut Phone) -> Result<bool, Failure> {
        let words = || self.path.display().to_string();
        let text = match fs::read(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            read => read.with_context(words)?,
        };
        let stored: Stored = serde_json::from_slice(&text).with_context(words)?;
        if stored.format != FORMAT {
            let words =
                format!("{} is of another version of this program; --fresh begins anew", words());
            return Err(Failure::Refused(words));
        }
        if !stored.owner.is_device_of(&self.owner) {
            let owner = &stored.owner;
            let words = format!(
                "{} is of device {} ({}) of {} at {}; --state names another file",
                words(),
                owner.device_id,
                owner.family,
                owner.user,
                owner.server
            );
            return Err(Failure::Usage(words));
        }
        restore(&stored, phone).with_context(words)?;
        Ok(true)
    }

    /// Writes down what the phone holds, in place of what was written before.
    pub(super) fn keep(&self, phone: &Phone) -> Result<(), Failure> {
        let stored = store(phone, self.owner.clone());
        let text = serde_json::to_vec_pretty(&stored)?;
        let beside = self.path.with_extension("new");
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new()
                .create(true)
                .truncate(true)
                .write(true)
                .mode(0o600)
                .open(&beside)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)
        };
        Ok(write().with_context(|| self.path.display().to_string())?)
    }
}

/// `retract/phones/` in the user's folder for state, one file for each phone.
fn usual(owner: &Owner) -> Result<PathBuf, Failure> {
    let state = std::env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty());
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state"));
    let Some(state) = state.map(PathBuf::from).or_else(home) else {
        return Err(Failure::Usage(
            "there is no HOME to keep state in; --state is needed".to_owned(),
        ));
    };
    let folder = state.join("retract/phones");
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.with_context(|| folder.display().to_string())?;
    Ok(folder.join(name(owner)))
}

/// A name that people recognise and no two phones share.
fn name(owner: &Owner) -> String {
    let Owner { server, user, device_id, family } = owner;
    let mut hash = Sha256::new();
    for part in [server, user, device_id, family] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    let digest = crate::database::hex(&hash.finalize()[..4]);
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-@".contains(c) { c } else { '_' };
    let words: String =
        format!("{user}@{server}-{device_id}").chars().map(plain).take(NAME_CHARS_MAX).collect();
    format!("{}-{digest}.json", words.trim_start_matches('.'))
}

fn store(phone: &Phone, owner: Owner) -> Stored {
    let version = phone.profile.version;
    let folders = phone.cache.hierarchy_key.as_ref().map(|key| {
        let adds = phone.cache.folders.values().cloned().collect();
        let changes = folder_sync::Changes { adds, ..folder_sync::Changes::default() };
        let told = folder_sync::Response {
            status: Status(1),
            sync_key: Some(key.clone()),
            changes: Some(changes),
        };
        STANDARD.encode(told.encode(version))
    });
    let octets =
        |id: &str, octets: &[u8]| Octets { id: id.to_owned(), octets: STANDARD.encode(octets) };
    let collections = phone.cache.collections.iter().map(|(id, collection)| {
        let bodies = collection
            .items
            .iter()
            .filter_map(|(id, item)| Some(octets(id, item.fetched_body.as_deref()?)));
        StoredCollection {
            id: id.clone(),
            key: collection.key.as_ref().map(ToString::to_string),
            more: collection.more,
            filter: collection.filter,
            items: STANDARD.encode(items(id, collection).encode(version)),
            bodies: bodies.collect(),
        }
    });
    Stored {
        format: FORMAT,
        owner,
        policy_key: phone.policy_key,
        client_ids: phone.client_ids(),
        wiped: phone.wiped,
        folders,
        collections: collections.collect(),
        copies: phone.copies.iter().map(|copy| octets(&copy.id, &copy.octets)).collect(),
    }
}

/// An answer that adds what a collection holds.
fn items(id: &str, collection: &Collection) -> sync::Response {
    let id = CollectionId::new(id).unwrap_or_default();
    let mut answer = sync::CollectionAnswer::new(id, SyncKey::initial(), Status(1));
    answer.commands.extend(collection.items.iter().map(|(id, item)| sync::ServerCommand::Add {
        server_id: ServerId::new(id.as_str()).unwrap_or_default(),
        class: None,
        data: ItemData::from(item.email.clone()),
    }));
    sync::Response { collections: vec![answer], ..sync::Response::default() }
}

fn restore(stored: &Stored, phone: &mut Phone) -> anyhow::Result<()> {
    let version = phone.profile.version;
    if let Some(folders) = &stored.folders {
        let told = folder_sync::Response::decode(version, &STANDARD.decode(folders)?);
        let told = told.map_err(|error| anyhow!("folders: {error}"))?;
        phone.cache.hierarchy_key = told.sync_key;
        let folders = told.changes.unwrap_or_default().adds.into_iter();
        phone.cache.folders =
            folders.map(|folder| (folder.server_id.to_string(), folder)).collect();
    }
    for stored in &stored.collections {
        let answer = sync::Response::decode(version, &STANDARD.decode(&stored.items)?);
        let answer = answer.map_err(|error| anyhow!("folder {}: {error}", stored.id))?;
        let mut collection = Collection {
            key: stored
                .key
                .as_deref()
                .map(SyncKey::new)
                .transpose()
                .map_err(|_| anyhow!("a key"))?,
            more: stored.more,
            filter: stored.filter,
            ..Collection::default()
        };
        for command in answer.collections.into_iter().flat_map(|answer| answer.commands) {
            if let sync::ServerCommand::Add { server_id, data: ItemData::Email(email), .. } =
                command
            {
                let item =
                    CachedItem { email: *email, fetched_body: None, attachments: Vec::new() };
                collection.items.insert(server_id.to_string(), item);
            }
        }
        for body in &stored.bodies {
            if let Some(item) = collection.items.get_mut(&body.id) {
                item.fetched_body = Some(STANDARD.decode(&body.octets)?);
            }
        }
        phone.cache.collections.insert(stored.id.clone(), collection);
    }
    for copy in &stored.copies {
        let octets = STANDARD.decode(&copy.octets)?;
        phone.copies.push(SearchCopy { id: copy.id.clone(), octets });
    }
    phone.policy_key = stored.policy_key;
    phone.wiped = stored.wiped;
    phone.set_client_ids(stored.client_ids);
    Ok(())
}

/// The form of the file.
const FORMAT: u32 = 1;
/// Characters of a file's name that people recognise it by.
const NAME_CHARS_MAX: usize = 120;

#[cfg(test)]
mod tests {
    use activesync_phone::Profile;
    use activesync_phone::activesync::command::folder_sync::{Folder, FolderType};
    use activesync_phone::activesync::item::body::{Body, BodyType, Content};
    use activesync_phone::activesync::item::email::Email;

    use super::*;

    fn owner(device_id: &str) -> Owner {
        Owner {
            server: "mail.example.org:8443".to_owned(),
            user: "ann".to_owned(),
            device_id: device_id.to_owned(),
            family: "iOS Mail".to_owned(),
        }
    }

    fn phone() -> Phone {
        Phone::new(Profile::ios(), "ann", "secret", "d1")
    }

    fn full() -> Phone {
        let mut phone = phone();
        phone.policy_key = Some(7);
        phone.next_client_id();
        phone.cache.hierarchy_key = Some(SyncKey::new("1.a").unwrap());
        let inbox = Folder {
            server_id: ServerId::new("1").unwrap(),
            parent_id: ServerId::new("0").unwrap(),
            display_name: "Inbox".to_owned(),
            folder_type: FolderType::INBOX,
        };
        phone.cache.folders.insert("1".to_owned(), inbox);
        let body = Body {
            body_type: Some(BodyType::Html),
            data: Some(Content::Text("<p>Grüße</p>".to_owned())),
            ..Body::default()
        };
        let email = Email {
            subject: Some("Ärger & mehr".to_owned()),
            read: Some(true),
            body: Some(body),
            ..Email::default()
        };
        let item =
            CachedItem { email, fetched_body: Some(b"whole".to_vec()), attachments: Vec::new() };
        let mut collection = Collection {
            key: Some(SyncKey::new("5.b").unwrap()),
            filter: Some(2),
            ..Collection::default()
        };
        collection.items.insert("1:3".to_owned(), item);
        phone.cache.collections.insert("1".to_owned(), collection);
        phone.copies.push(SearchCopy { id: "1:3:0".to_owned(), octets: vec![0, 255] });
        phone
    }

    #[test]
    fn what_a_phone_holds_comes_back_and_its_password_is_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.json");
        let held = full();
        let memory = Memory::open(Some(&file), owner("d1")).unwrap();
        assert!(!memory.recall(&mut phone()).unwrap());
        memory.keep(&held).unwrap();
        let mut again = phone();
        assert!(memory.recall(&mut again).unwrap());
        assert_eq!(again.cache, held.cache);
        assert_eq!((again.policy_key, &again.copies), (held.policy_key, &held.copies));
        assert_eq!(again.client_ids(), 1);
        assert!(!std::fs::read_to_string(&file).unwrap().contains("secret"));
    }

    #[test]
    fn a_file_is_of_one_phone_and_held_by_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.json");
        let memory = Memory::open(Some(&file), owner("d1")).unwrap();
        memory.keep(&full()).unwrap();
        assert!(matches!(Memory::open(Some(&file), owner("d1")), Err(Failure::Refused(_))));
        drop(memory);
        let other = Memory::open(Some(&file), owner("d2")).unwrap();
        assert!(matches!(other.recall(&mut phone()), Err(Failure::Usage(_))));
        assert_ne!(name(&owner("d1")), name(&owner("d2")));
        assert!(!name(&Owner { user: "../../x".to_owned(), ..owner("d1") }).contains('/'));
    }
}
