//! FolderDelete: a client deletes a folder and what is in it ([MS-ASCMD] 2.2.1.4).

use wbxml::Tag;

use crate::code_pages::folder_hierarchy::*;
use crate::document::Document;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::fields::Field;
use crate::status::Status;
use crate::types::{ServerId, SyncKey};

/// Asks for a folder to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The key of the hierarchy the client has.
    pub sync_key: SyncKey,
    /// The folder.
    pub server_id: ServerId,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What came of it: [`crate::status::folder_delete`].
    pub status: Status,
    /// The key of the hierarchy without the folder; only on success.
    pub sync_key: Option<SyncKey>,
}

impl Document for Request {
    const ROOT: Tag = FOLDER_DELETE;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut sync_key, mut server_id) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                SYNC_KEY => Field::read(&mut sync_key, cursor)?,
                SERVER_ID => Field::read(&mut server_id, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self {
            sync_key: cursor.required(sync_key, Self::ROOT, SYNC_KEY)?,
            server_id: cursor.required(server_id, Self::ROOT, SERVER_ID)?,
        })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.text(SYNC_KEY, &self.sync_key);
        encoder.text(SERVER_ID, &self.server_id);
    }
}

impl Document for Response {
    const ROOT: Tag = FOLDER_DELETE;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (status, sync_key) = read_outcome(cursor)?;
        Ok(Self { status: cursor.required(status, Self::ROOT, STATUS)?, sync_key })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.number(STATUS, self.status.0);
        encoder.opt_text(SYNC_KEY, self.sync_key.as_ref());
    }
}

/// Consumes the children FolderDelete and FolderUpdate answer with.
pub(super) fn read_outcome(cursor: &mut Cursor<'_>) -> Result<(Option<Status>, Option<SyncKey>)> {
    let (mut status, mut sync_key) = (None, None);
    while let Some(tag) = cursor.next_child()? {
        match tag {
            STATUS => Field::read(&mut status, cursor)?,
            SYNC_KEY => Field::read(&mut sync_key, cursor)?,
            _ => return cursor.misplaced(),
        }
    }
    Ok((status, sync_key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::{comes_back, decoded};
    use crate::error::{Error, Problem};
    use crate::status::folder_delete;
    use crate::version::ProtocolVersion;

    const V14_0: ProtocolVersion = ProtocolVersion::V14_0;

    #[test]
    fn both_sides_come_back() {
        let request = Request {
            sync_key: SyncKey::new("3").unwrap(),
            server_id: ServerId::new("8").unwrap(),
        };
        let octets = comes_back(V14_0, &request);
        assert_eq!(octets, b"\x03\x01\x6A\x00\x00\x07\x54\x52\x033\x00\x01\x48\x038\x00\x01\x01");
        let done = Response { status: folder_delete::SUCCESS, sync_key: SyncKey::new("4").ok() };
        comes_back(V14_0, &done);
        comes_back(V14_0, &Response { status: folder_delete::SPECIAL_FOLDER, sync_key: None });
    }

    #[test]
    fn a_request_has_all_its_parts_once() {
        let xml = "<FolderDelete xmlns='FolderHierarchy'><SyncKey>1</SyncKey></FolderDelete>";
        let Err(Error::Schema { problem, .. }) = decoded::<Request>(V14_0, xml) else { panic!() };
        assert_eq!(problem, Problem::Missing(SERVER_ID));

        let xml = "<FolderDelete xmlns='FolderHierarchy'><SyncKey>1</SyncKey><SyncKey>1</SyncKey>\
                   </FolderDelete>";
        let Err(Error::Schema { problem, .. }) = decoded::<Request>(V14_0, xml) else { panic!() };
        assert_eq!(problem, Problem::Duplicate);
    }
}
