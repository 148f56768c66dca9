//! FolderSync: how a client learns the folders ([MS-ASCMD] 2.2.1.5).

use wbxml::Tag;

use crate::code_pages::folder_hierarchy::*;
use crate::document::Document;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::error::Problem;
use crate::fields::{Element, Field};
use crate::status::Status;
use crate::types::{ServerId, SyncKey};

/// Asks for the changes of the hierarchy since a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The key of the hierarchy the client has; `0` for none.
    pub sync_key: SyncKey,
}

/// The changes of the hierarchy, or why there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What came of it: [`crate::status::folder_sync`].
    pub status: Status,
    /// The key of the hierarchy with the changes in it; only on success.
    pub sync_key: Option<SyncKey>,
    /// The changes; only on success, and then also if there are none.
    pub changes: Option<Changes>,
}

/// What changed in the hierarchy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Folders renamed or moved.
    pub updates: Vec<Folder>,
    /// Folders that are gone.
    pub deletes: Vec<ServerId>,
    /// Folders that are new, parents before children.
    pub adds: Vec<Folder>,
}

/// One folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its id, which it keeps when it is renamed or moved.
    pub server_id: ServerId,
    /// The folder it is in; `0` for none.
    pub parent_id: ServerId,
    /// Its name.
    pub display_name: String,
    /// What it is for.
    pub folder_type: FolderType,
}

/// What a folder is for ([MS-ASCMD] 2.2.3.186.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FolderType(pub u8);

impl FolderType {
    /// A folder a user made, for nothing in particular.
    pub const USER_GENERIC: Self = Self(1);
    /// The Inbox.
    pub const INBOX: Self = Self(2);
    /// Drafts.
    pub const DRAFTS: Self = Self(3);
    /// Deleted Items.
    pub const DELETED_ITEMS: Self = Self(4);
    /// Sent Items.
    pub const SENT_ITEMS: Self = Self(5);
    /// The Outbox.
    pub const OUTBOX: Self = Self(6);
    /// The default folder of tasks.
    pub const TASKS: Self = Self(7);
    /// The default calendar.
    pub const CALENDAR: Self = Self(8);
    /// The default folder of contacts.
    pub const CONTACTS: Self = Self(9);
    /// The default folder of notes.
    pub const NOTES: Self = Self(10);
    /// The default journal.
    pub const JOURNAL: Self = Self(11);
    /// A folder of mail a user made.
    pub const USER_MAIL: Self = Self(12);
    /// A calendar a user made.
    pub const USER_CALENDAR: Self = Self(13);
    /// A folder of contacts a user made.
    pub const USER_CONTACTS: Self = Self(14);
    /// A folder of tasks a user made.
    pub const USER_TASKS: Self = Self(15);
    /// A journal a user made.
    pub const USER_JOURNAL: Self = Self(16);
    /// A folder of notes a user made.
    pub const USER_NOTES: Self = Self(17);
    /// A folder of unknown use.
    pub const UNKNOWN: Self = Self(18);
    /// The recipient information cache.
    pub const RECIPIENT_CACHE: Self = Self(19);

    /// Whether a client may make folders of this type ([MS-ASCMD] 2.2.3.186.2).
    pub fn is_for_users(self) -> bool {
        matches!(self.0, 1 | 12..=17)
    }
}

impl Element for FolderType {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.number().map(Self)
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.number(tag, self.0);
    }
}

impl Document for Request {
    const ROOT: Tag = FOLDER_SYNC;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut sync_key = None;
        while let Some(tag) = cursor.next_child()? {
            match tag {
                SYNC_KEY => Field::read(&mut sync_key, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self { sync_key: cursor.required(sync_key, Self::ROOT, SYNC_KEY)? })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.text(SYNC_KEY, &self.sync_key);
    }
}

impl Document for Response {
    const ROOT: Tag = FOLDER_SYNC;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut status, mut sync_key, mut changes) = (None, None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                STATUS => Field::read(&mut status, cursor)?,
                SYNC_KEY => Field::read(&mut sync_key, cursor)?,
                CHANGES => cursor.once(&mut changes, Changes::read)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self { status: cursor.required(status, Self::ROOT, STATUS)?, sync_key, changes })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.number(STATUS, self.status.0);
        encoder.opt_text(SYNC_KEY, self.sync_key.as_ref());
        if let Some(changes) = &self.changes {
            encoder.container(CHANGES, |encoder| changes.write(encoder));
        }
    }
}

impl Changes {
    /// How many changes there are.
    pub fn count(&self) -> usize {
        self.updates.len() + self.deletes.len() + self.adds.len()
    }

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut changes = Self::default();
        let mut count: Option<u32> = None;
        while let Some(tag) = cursor.next_child()? {
            match tag {
                // Said once more than needed: what counts is what follows.
                COUNT => Field::read(&mut count, cursor)?,
                UPDATE => changes.updates.push(Folder::read(cursor)?),
                DELETE => changes.deletes.push(read_delete(cursor)?),
                ADD => changes.adds.push(Folder::read(cursor)?),
                _ => return cursor.misplaced(),
            }
        }
        Ok(changes)
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.number(COUNT, self.count() as i64);
        for folder in &self.updates {
            encoder.container(UPDATE, |encoder| folder.write(encoder));
        }
        for server_id in &self.deletes {
            encoder.container(DELETE, |encoder| encoder.text(SERVER_ID, server_id));
        }
        for folder in &self.adds {
            encoder.container(ADD, |encoder| folder.write(encoder));
        }
    }
}

impl Folder {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let parent = cursor.element();
        let (mut server_id, mut parent_id) = (None, None);
        let (mut name, mut folder_type) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                SERVER_ID => Field::read(&mut server_id, cursor)?,
                PARENT_ID => Field::read(&mut parent_id, cursor)?,
                DISPLAY_NAME => cursor.once(&mut name, display_name)?,
                TYPE => Field::read(&mut folder_type, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self {
            server_id: cursor.required(server_id, parent, SERVER_ID)?,
            parent_id: cursor.required(parent_id, parent, PARENT_ID)?,
            display_name: cursor.required(name, parent, DISPLAY_NAME)?,
            folder_type: cursor.required(folder_type, parent, TYPE)?,
        })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.text(SERVER_ID, &self.server_id);
        encoder.text(PARENT_ID, &self.parent_id);
        encoder.text(DISPLAY_NAME, &self.display_name);
        encoder.number(TYPE, self.folder_type.0);
    }
}

fn read_delete(cursor: &mut Cursor<'_>) -> Result<ServerId> {
    let parent = cursor.element();
    let mut server_id = None;
    while let Some(tag) = cursor.next_child()? {
        match tag {
            SERVER_ID => Field::read(&mut server_id, cursor)?,
            _ => return cursor.misplaced(),
        }
    }
    cursor.required(server_id, parent, SERVER_ID)
}

/// Consumes the name of a folder: 1 to 256 characters ([MS-ASCMD] 2.2.3.47.2).
pub(super) fn display_name(cursor: &mut Cursor<'_>) -> Result<String> {
    let name = cursor.text_lossy()?;
    match name.chars().count() {
        0 => Err(cursor.problem(Problem::Value)),
        1..=DISPLAY_NAME_CHARS_MAX => Ok(name),
        _ => Err(cursor.problem(Problem::TooLong)),
    }
}

const DISPLAY_NAME_CHARS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::{both_ways, comes_back, decoded};
    use crate::error::Error;
    use crate::status::folder_sync;
    use crate::version::ProtocolVersion;

    const V14_1: ProtocolVersion = ProtocolVersion::V14_1;

    fn folder(server_id: &str, parent_id: &str, name: &str, folder_type: FolderType) -> Folder {
        Folder {
            server_id: ServerId::new(server_id).unwrap(),
            parent_id: ServerId::new(parent_id).unwrap(),
            display_name: name.into(),
            folder_type,
        }
    }

    #[test]
    fn the_whole_hierarchy_is_a_known_answer() {
        let adds = vec![
            folder("1", "0", "Inbox", FolderType::INBOX),
            folder("2", "0", "Drafts", FolderType::DRAFTS),
            folder("3", "0", "Deleted Items", FolderType::DELETED_ITEMS),
            folder("4", "0", "Sent Items", FolderType::SENT_ITEMS),
            folder("5", "0", "Calendar", FolderType::CALENDAR),
            folder("6", "1", "Projekte & Ähnliches", FolderType::USER_MAIL),
        ];
        let response = Response {
            status: folder_sync::SUCCESS,
            sync_key: Some(SyncKey::new("1").unwrap()),
            changes: Some(Changes { adds, ..Changes::default() }),
        };
        both_ways("04", V14_1, response);
    }

    #[test]
    fn updates_and_deletes_are_a_known_answer() {
        let changes = Changes {
            updates: vec![folder("6", "0", "Projects", FolderType::USER_MAIL)],
            deletes: vec![ServerId::new("7").unwrap()],
            adds: vec![],
        };
        let response = Response {
            status: folder_sync::SUCCESS,
            sync_key: Some(SyncKey::new("2").unwrap()),
            changes: Some(changes),
        };
        both_ways("05", V14_1, response);
    }

    #[test]
    fn a_refusal_has_nothing_but_its_status() {
        let status = folder_sync::INVALID_SYNC_KEY;
        both_ways("06", V14_1, Response { status, sync_key: None, changes: None });
    }

    #[test]
    fn a_request_is_a_key() {
        let octets = comes_back(V14_1, &Request { sync_key: SyncKey::initial() });
        assert_eq!(octets, b"\x03\x01\x6A\x00\x00\x07\x56\x52\x030\x00\x01\x01");
    }

    #[test]
    fn a_request_without_its_key_is_malformed() {
        let error = decoded::<Request>(V14_1, "<FolderSync xmlns='FolderHierarchy'/>");
        let problem = Problem::Missing(SYNC_KEY);
        assert_eq!(error, Err(Error::Schema { offset: 6, tag: FOLDER_SYNC, problem }));
    }
}
