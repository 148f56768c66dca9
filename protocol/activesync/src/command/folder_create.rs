//! FolderCreate: a client makes a folder ([MS-ASCMD] 2.2.1.3).

use wbxml::Tag;

use super::folder_sync::{FolderType, display_name};
use crate::code_pages::folder_hierarchy::*;
use crate::document::Document;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::error::Problem;
use crate::fields::{Element, Field};
use crate::status::Status;
use crate::types::{ServerId, SyncKey};

/// Asks for a new folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The key of the hierarchy the client has.
    pub sync_key: SyncKey,
    /// The folder it is to be in; `0` for none.
    pub parent_id: ServerId,
    /// Its name.
    pub display_name: String,
    /// What it is for: one of the types for users.
    pub folder_type: FolderType,
}

/// The new folder, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What came of it: [`crate::status::folder_create`].
    pub status: Status,
    /// The key of the hierarchy with the new folder in it; only on success.
    pub sync_key: Option<SyncKey>,
    /// The id of the new folder; only on success.
    pub server_id: Option<ServerId>,
}

impl Document for Request {
    const ROOT: Tag = FOLDER_CREATE;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut sync_key, mut parent_id) = (None, None);
        let (mut name, mut folder_type) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                SYNC_KEY => Field::read(&mut sync_key, cursor)?,
                PARENT_ID => Field::read(&mut parent_id, cursor)?,
                DISPLAY_NAME => cursor.once(&mut name, display_name)?,
                TYPE => cursor.once(&mut folder_type, user_type)?,
                // Some clients leave a place for the id that they ask for.
                SERVER_ID if cursor.text()?.is_empty() => {}
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self {
            sync_key: cursor.required(sync_key, Self::ROOT, SYNC_KEY)?,
            parent_id: cursor.required(parent_id, Self::ROOT, PARENT_ID)?,
            display_name: cursor.required(name, Self::ROOT, DISPLAY_NAME)?,
            folder_type: cursor.required(folder_type, Self::ROOT, TYPE)?,
        })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.text(SYNC_KEY, &self.sync_key);
        encoder.text(PARENT_ID, &self.parent_id);
        encoder.text(DISPLAY_NAME, &self.display_name);
        encoder.number(TYPE, self.folder_type.0);
    }
}

/// Consumes a type that clients may make; a default folder cannot be made ([MS-ASCMD] 2.2.3.177.3).
fn user_type(cursor: &mut Cursor<'_>) -> Result<FolderType> {
    let folder_type = FolderType::read(cursor)?;
    if folder_type.is_for_users() { Ok(folder_type) } else { Err(cursor.problem(Problem::Value)) }
}

impl Document for Response {
    const ROOT: Tag = FOLDER_CREATE;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut status, mut sync_key, mut server_id) = (None, None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                STATUS => Field::read(&mut status, cursor)?,
                SYNC_KEY => Field::read(&mut sync_key, cursor)?,
                SERVER_ID => Field::read(&mut server_id, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self { status: cursor.required(status, Self::ROOT, STATUS)?, sync_key, server_id })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.number(STATUS, self.status.0);
        encoder.opt_text(SYNC_KEY, self.sync_key.as_ref());
        encoder.opt_text(SERVER_ID, self.server_id.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::{both_ways, decoded};
    use crate::status::folder_create;
    use crate::version::ProtocolVersion;

    const V16_1: ProtocolVersion = ProtocolVersion::V16_1;

    fn request() -> Request {
        Request {
            sync_key: SyncKey::new("2").unwrap(),
            parent_id: ServerId::new("0").unwrap(),
            display_name: "Receipts".into(),
            folder_type: FolderType::USER_MAIL,
        }
    }

    #[test]
    fn request_and_response_are_known_answers() {
        both_ways("07", V16_1, request());
        let response = Response {
            status: folder_create::SUCCESS,
            sync_key: Some(SyncKey::new("3").unwrap()),
            server_id: Some(ServerId::new("8").unwrap()),
        };
        both_ways("08", V16_1, response);
    }

    #[test]
    fn ids_may_be_there_and_empty() {
        let xml = |id: &str| {
            format!(
                "<FolderCreate xmlns='FolderHierarchy'><SyncKey>2</SyncKey><ServerId>{id}</ServerId>\
                 <ParentId/><DisplayName>Receipts</DisplayName><Type>12</Type></FolderCreate>"
            )
        };
        let read = decoded(V16_1, &xml(""));
        assert_eq!(read, Ok(Request { parent_id: ServerId::default(), ..request() }));
        assert!(decoded::<Request>(V16_1, &xml("5")).is_err());
    }

    fn problem(name: &str, folder_type: &str) -> Option<Problem> {
        let xml = format!(
            "<FolderCreate xmlns='FolderHierarchy'><SyncKey>2</SyncKey><ParentId>0</ParentId>\
             <DisplayName>{name}</DisplayName><Type>{folder_type}</Type></FolderCreate>"
        );
        match decoded::<Request>(V16_1, &xml) {
            Err(crate::Error::Schema { problem, .. }) => Some(problem),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_and_types_are_checked() {
        assert_eq!(problem("", "12"), Some(Problem::Value));
        assert_eq!(problem(&"é".repeat(257), "12"), Some(Problem::TooLong));
        for wrong in ["2", "18", "300", "x", ""] {
            assert_eq!(problem("Receipts", wrong), Some(Problem::Value), "{wrong}");
        }
    }
}
