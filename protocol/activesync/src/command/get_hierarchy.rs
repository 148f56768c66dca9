//! GetHierarchy: a client of 12.1 or older learns the folders of mail, without a key ([MS-ASCMD] 2.2.1.8).
//!
//! The request has no document.

use wbxml::Tag;

use super::folder_sync::FolderType;
use crate::code_pages::folder_hierarchy::*;
use crate::document::Document;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::fields::{Element, Field};
use crate::types::ServerId;

/// The folders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The folders, parents before children.
    pub folders: Vec<Folder>,
}

/// One folder; here its elements stand in another order than in [`super::folder_sync`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its name.
    pub display_name: String,
    /// Its id.
    pub server_id: ServerId,
    /// What it is for: at most 6, the Outbox.
    pub folder_type: FolderType,
    /// The folder it is in; `0` for none.
    pub parent_id: ServerId,
}

impl Document for Response {
    const ROOT: Tag = FOLDERS;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut folders = Vec::new();
        while let Some(tag) = cursor.next_child()? {
            match tag {
                FOLDER => Field::read(&mut folders, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self { folders })
    }

    fn write(&self, encoder: &mut Encoder) {
        Field::write(&self.folders, encoder, FOLDER);
    }
}

impl Element for Folder {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut display_name, mut server_id) = (None, None);
        let (mut folder_type, mut parent_id) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                DISPLAY_NAME => Field::read(&mut display_name, cursor)?,
                SERVER_ID => Field::read(&mut server_id, cursor)?,
                TYPE => Field::read(&mut folder_type, cursor)?,
                PARENT_ID => Field::read(&mut parent_id, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self {
            display_name: cursor.required(display_name, FOLDER, DISPLAY_NAME)?,
            server_id: cursor.required(server_id, FOLDER, SERVER_ID)?,
            folder_type: cursor.required(folder_type, FOLDER, TYPE)?,
            parent_id: cursor.required(parent_id, FOLDER, PARENT_ID)?,
        })
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.container(tag, |encoder| {
            encoder.text(DISPLAY_NAME, &self.display_name);
            encoder.text(SERVER_ID, &self.server_id);
            self.folder_type.write(encoder, TYPE);
            encoder.text(PARENT_ID, &self.parent_id);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::{comes_back, decoded};
    use crate::error::{Error, Problem};
    use crate::version::ProtocolVersion;

    const V12_1: ProtocolVersion = ProtocolVersion::V12_1;

    #[test]
    fn folders_come_back_in_the_order_of_the_schema() {
        let inbox = Folder {
            display_name: "Inbox".into(),
            server_id: ServerId::new("5").unwrap(),
            folder_type: FolderType::INBOX,
            parent_id: ServerId::new("0").unwrap(),
        };
        let octets = comes_back(V12_1, &Response { folders: vec![inbox.clone(), inbox] });
        assert!(octets.starts_with(
            b"\x03\x01\x6A\x00\x00\x07\x45\x46\x47\x03Inbox\x00\x01\x48\x035\x00\x01\x4A\x032"
        ));
    }

    #[test]
    fn newer_versions_have_no_such_document() {
        assert_eq!(Response::default().encode(ProtocolVersion::V14_0), b"");
        let xml = "<Folders xmlns='FolderHierarchy'><Folder/></Folders>";
        let read = decoded::<Response>(ProtocolVersion::V14_0, xml);
        assert!(matches!(read, Err(Error::Version { tag: FOLDERS, .. })));
        let Err(Error::Schema { problem, .. }) = decoded::<Response>(V12_1, xml) else { panic!() };
        assert_eq!(problem, Problem::Missing(DISPLAY_NAME));
    }
}
