//! FolderUpdate: a client renames or moves a folder ([MS-ASCMD] 2.2.1.6).

use wbxml::Tag;

use super::folder_delete::read_outcome;
use super::folder_sync::display_name;
use crate::code_pages::folder_hierarchy::*;
use crate::document::Document;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::fields::Field;
use crate::status::Status;
use crate::types::{ServerId, SyncKey};

/// Asks for a folder to have this name and parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The key of the hierarchy the client has.
    pub sync_key: SyncKey,
    /// The folder.
    pub server_id: ServerId,
    /// The folder it is to be in; `0` for none.
    pub parent_id: ServerId,
    /// Its name from now on.
    pub display_name: String,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What came of it: [`crate::status::folder_update`].
    pub status: Status,
    /// The key of the hierarchy with the change in it; only on success.
    pub sync_key: Option<SyncKey>,
}

impl Document for Request {
    const ROOT: Tag = FOLDER_UPDATE;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut sync_key, mut server_id) = (None, None);
        let (mut parent_id, mut name) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                SYNC_KEY => Field::read(&mut sync_key, cursor)?,
                SERVER_ID => Field::read(&mut server_id, cursor)?,
                PARENT_ID => Field::read(&mut parent_id, cursor)?,
                DISPLAY_NAME => cursor.once(&mut name, display_name)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self {
            sync_key: cursor.required(sync_key, Self::ROOT, SYNC_KEY)?,
            server_id: cursor.required(server_id, Self::ROOT, SERVER_ID)?,
            parent_id: cursor.required(parent_id, Self::ROOT, PARENT_ID)?,
            display_name: cursor.required(name, Self::ROOT, DISPLAY_NAME)?,
        })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.text(SYNC_KEY, &self.sync_key);
        encoder.text(SERVER_ID, &self.server_id);
        encoder.text(PARENT_ID, &self.parent_id);
        encoder.text(DISPLAY_NAME, &self.display_name);
    }
}

impl Document for Response {
    const ROOT: Tag = FOLDER_UPDATE;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (status, sync_key) = read_outcome(cursor)?;
        Ok(Self { status: cursor.required(status, Self::ROOT, STATUS)?, sync_key })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.number(STATUS, self.status.0);
        encoder.opt_text(SYNC_KEY, self.sync_key.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::{comes_back, decoded};
    use crate::error::{Error, Problem};
    use crate::status::folder_update;
    use crate::version::ProtocolVersion;

    const V14_0: ProtocolVersion = ProtocolVersion::V14_0;

    #[test]
    fn both_sides_come_back() {
        let request = Request {
            sync_key: SyncKey::new("3").unwrap(),
            server_id: ServerId::new("8").unwrap(),
            parent_id: ServerId::new("0").unwrap(),
            display_name: "Belege".into(),
        };
        let octets = comes_back(V14_0, &request);
        let body =
            b"\x55\x52\x033\x00\x01\x48\x038\x00\x01\x49\x030\x00\x01\x47\x03Belege\x00\x01\x01";
        assert_eq!(octets[6..], body[..]);
        let done = Response { status: folder_update::SUCCESS, sync_key: SyncKey::new("4").ok() };
        comes_back(V14_0, &done);
        comes_back(V14_0, &Response { status: folder_update::NOT_FOUND, sync_key: None });
    }

    #[test]
    fn a_status_in_the_request_is_refused() {
        let xml = "<FolderUpdate xmlns='FolderHierarchy'><Status>1</Status></FolderUpdate>";
        let Err(Error::Schema { problem, tag, .. }) = decoded::<Request>(V14_0, xml) else {
            panic!()
        };
        assert_eq!((problem, tag), (Problem::Misplaced, STATUS));
    }
}
