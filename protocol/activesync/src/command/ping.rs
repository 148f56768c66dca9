//! Ping: a client waits for changes ([MS-ASCMD] 2.2.1.13).
//!
//! A client may send no document at all, or leave a part out: the server remembers both parts.

use wbxml::Tag;

use crate::code_pages::ping::*;
use crate::document::Document;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::error::Problem;
use crate::fields::Field;
use crate::status::Status;
use crate::types::{ClassName, CollectionId};
use crate::version::ProtocolVersion;

/// Asks to be told of changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// How long to wait at most, in seconds; as the time before where absent.
    pub heartbeat_s: Option<u32>,
    /// What to watch; as the time before where absent.
    pub folders: Option<Vec<Folder>>,
}

/// A folder to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its id.
    pub id: CollectionId,
    /// The class of what is in it.
    pub class: ClassName,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What happened: [`crate::status::ping`].
    pub status: Status,
    /// The folders that have changes; with [`crate::status::ping::CHANGES`].
    pub folders: Vec<CollectionId>,
    /// How many folders may be watched; with [`crate::status::ping::TOO_MANY_FOLDERS`].
    pub folders_max: Option<u32>,
    /// The nearest interval that is served; with [`crate::status::ping::BAD_INTERVAL`].
    pub heartbeat_s: Option<u32>,
}

impl Response {
    /// An answer that is nothing but a status.
    pub fn new(status: Status) -> Self {
        Self { status, folders: Vec::new(), folders_max: None, heartbeat_s: None }
    }
}

impl Document for Request {
    const ROOT: Tag = PING;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut request = Self::default();
        while let Some(tag) = cursor.next_child()? {
            match tag {
                HEARTBEAT_INTERVAL => cursor.once(&mut request.heartbeat_s, read_interval)?,
                FOLDERS => cursor.once(&mut request.folders, read_folders)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(request)
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.opt_number(HEARTBEAT_INTERVAL, self.heartbeat_s);
        let Some(folders) = &self.folders else { return };
        let version = encoder.version();
        encoder.container(FOLDERS, |encoder| {
            for folder in folders.iter().filter(|folder| can_be_watched(&folder.class, version)) {
                encoder.container(FOLDER, |encoder| {
                    encoder.text(ID, &folder.id);
                    encoder.text(CLASS, &folder.class);
                });
            }
        });
    }
}

/// Consumes an interval; one below zero or without end is out of bounds, not malformed
/// ([MS-ASCMD] 2.2.3.88.1), so it is read as the nearest there is.
fn read_interval(cursor: &mut Cursor<'_>) -> Result<u32> {
    let seconds = cursor.number::<i64>()?.clamp(0, u32::MAX.into());
    u32::try_from(seconds).map_err(|_| cursor.problem(Problem::Value))
}

fn read_folders(cursor: &mut Cursor<'_>) -> Result<Vec<Folder>> {
    let mut folders = Vec::new();
    while let Some(tag) = cursor.next_child()? {
        match tag {
            FOLDER => folders.push(read_folder(cursor)?),
            _ => return cursor.misplaced(),
        }
    }
    Ok(folders)
}

fn read_folder(cursor: &mut Cursor<'_>) -> Result<Folder> {
    let (mut id, mut class) = (None, None);
    while let Some(tag) = cursor.next_child()? {
        match tag {
            ID => Field::read(&mut id, cursor)?,
            CLASS => cursor.once(&mut class, read_class)?,
            _ => return cursor.misplaced(),
        }
    }
    Ok(Folder {
        id: cursor.required(id, FOLDER, ID)?,
        class: cursor.required(class, FOLDER, CLASS)?,
    })
}

fn read_class(cursor: &mut Cursor<'_>) -> Result<ClassName> {
    let class = cursor.value()?;
    let known = can_be_watched(&class, cursor.version());
    if known { Ok(class) } else { Err(cursor.problem(Problem::Value)) }
}

/// Whether the version has folders of this class to watch ([MS-ASCMD] 2.2.3.27.3).
fn can_be_watched(class: &ClassName, version: ProtocolVersion) -> bool {
    match class.as_str() {
        "Email" | "Calendar" | "Contacts" | "Tasks" => true,
        "Notes" => version >= ProtocolVersion::V14_0,
        _ => false,
    }
}

impl Document for Response {
    const ROOT: Tag = PING;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut status, mut folders) = (None, None);
        let (mut folders_max, mut heartbeat_s) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                STATUS => Field::read(&mut status, cursor)?,
                FOLDERS => cursor.once(&mut folders, read_changed)?,
                MAX_FOLDERS => Field::read(&mut folders_max, cursor)?,
                HEARTBEAT_INTERVAL => Field::read(&mut heartbeat_s, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self {
            status: cursor.required(status, Self::ROOT, STATUS)?,
            folders: folders.unwrap_or_default(),
            folders_max,
            heartbeat_s,
        })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.number(STATUS, self.status.0);
        if !self.folders.is_empty() {
            encoder.container(FOLDERS, |encoder| self.folders.write(encoder, FOLDER));
        }
        encoder.opt_number(MAX_FOLDERS, self.folders_max);
        encoder.opt_number(HEARTBEAT_INTERVAL, self.heartbeat_s);
    }
}

fn read_changed(cursor: &mut Cursor<'_>) -> Result<Vec<CollectionId>> {
    let mut folders = Vec::new();
    while let Some(tag) = cursor.next_child()? {
        match tag {
            FOLDER => Field::read(&mut folders, cursor)?,
            _ => return cursor.misplaced(),
        }
    }
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::{both_ways, comes_back, decoded};
    use crate::error::Error;
    use crate::status::ping;

    const V12_1: ProtocolVersion = ProtocolVersion::V12_1;
    const V14_1: ProtocolVersion = ProtocolVersion::V14_1;

    fn folder(id: &str, class: &str) -> Folder {
        Folder { id: CollectionId::new(id).unwrap(), class: ClassName::new(class).unwrap() }
    }

    #[test]
    fn requests_and_responses_are_known_answers() {
        let folders = vec![folder("1", "Email"), folder("5", "Calendar")];
        both_ways("23", V12_1, Request { heartbeat_s: Some(480), folders: Some(folders) });
        let changed = vec![CollectionId::new("1").unwrap()];
        both_ways("24", V12_1, Response { folders: changed, ..Response::new(ping::CHANGES) });
        let interval = Response { heartbeat_s: Some(60), ..Response::new(ping::BAD_INTERVAL) };
        both_ways("25", V14_1, interval);
        let too_many = Response { folders_max: Some(200), ..Response::new(ping::TOO_MANY_FOLDERS) };
        both_ways("26", V14_1, too_many);
    }

    #[test]
    fn each_part_may_be_left_out() {
        assert_eq!(comes_back(V14_1, &Request::default()), b"\x03\x01\x6A\x00\x00\x0D\x05");
        comes_back(V14_1, &Request { heartbeat_s: Some(60), folders: None });
        comes_back(V14_1, &Request { heartbeat_s: None, folders: Some(vec![]) });
    }

    #[test]
    fn an_impossible_interval_is_out_of_bounds() {
        for (text, seconds) in [("-100", 0), ("0", 0), ("4294967296", u32::MAX)] {
            let xml =
                format!("<Ping xmlns='Ping'><HeartbeatInterval>{text}</HeartbeatInterval></Ping>");
            let request = decoded::<Request>(V14_1, &xml).unwrap();
            assert_eq!(request.heartbeat_s, Some(seconds), "{text}");
        }
    }

    #[test]
    fn notes_can_be_watched_since_14_0() {
        let request = Request { heartbeat_s: None, folders: Some(vec![folder("9", "Notes")]) };
        comes_back(V14_1, &request);
        let written = request.encode(V12_1);
        assert_eq!(written, b"\x03\x01\x6A\x00\x00\x0D\x45\x09\x01");
        let read = Request::decode(V12_1, &request.encode(V14_1));
        let problem = Problem::Value;
        assert_eq!(read, Err(Error::Schema { offset: 14, tag: CLASS, problem }));
    }

    #[test]
    fn a_folder_has_an_id_and_a_class() {
        let xml = "<Ping xmlns='Ping'><Folders><Folder><Id>1</Id></Folder></Folders></Ping>";
        let Err(Error::Schema { problem, .. }) = decoded::<Request>(V14_1, xml) else { panic!() };
        assert_eq!(problem, Problem::Missing(CLASS));
    }
}
