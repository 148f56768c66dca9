//! ItemOperations ([MS-ASCMD] 2.2.1.10): fetch items and attachments, empty folders, move
//! conversations.
//!
//! Operations are carried out in order and answered one by one, in the same order. Bytes of an
//! attachment travel as base64 text, or as a part of a [`crate::multipart`] answer.

use wbxml::Tag;

use crate::code_pages::{
    air_sync, air_sync_base as base, document_library, item_operations as tags, rights_management,
    search,
};
use crate::document::Document;
use crate::element::Subtree;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::error::Problem;
use crate::fields::{Element, Field, fields};
use crate::item::body::{BodyPreference, MimeSupport, read_preference};
use crate::item::email::Email;
use crate::item::{ItemData, OTHER_CLASSES, OtherClass};
use crate::status::Status;
use crate::types::{
    Base64, ByteRange, ClassName, CollectionId, DateTime, FileReference, LongId, RangeText, Secret,
    ServerId,
};

/// Operations one request may hold ([MS-ASCMD] 3.1.5.10).
pub const OPERATIONS_MAX: usize = 100;

/// An ItemOperations request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// What is to be done, in order.
    pub operations: Vec<Operation>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Fetch an item or an attachment.
    Fetch(Box<Fetch>),
    /// Delete what is in a folder.
    EmptyFolderContents {
        /// Which folder.
        collection_id: CollectionId,
        /// Delete its folders too.
        delete_sub_folders: bool,
    },
    /// Move a conversation, with all mail that will belong to it.
    Move {
        /// Which conversation.
        conversation_id: Vec<u8>,
        /// Where to.
        dst_fld_id: CollectionId,
        /// Has to be there ([MS-ASCMD] 2.2.3.115).
        move_always: bool,
    },
}

fields! {
    /// What to fetch, and how.
    pub struct Fetch {
        /// `Mailbox` or `DocumentLibrary`.
        store: Option<String> = tags::STORE,
        /// The folder of an item.
        collection_id: Option<CollectionId> = air_sync::COLLECTION_ID,
        /// An item of the folder.
        server_id: Option<ServerId> = air_sync::SERVER_ID,
        /// A search result.
        long_id: Option<LongId> = search::LONG_ID,
        /// A document.
        link_id: Option<String> = document_library::LINK_ID,
        /// An attachment.
        file_reference: Option<FileReference> = base::FILE_REFERENCE,
        /// Take the protection off.
        remove_rights_management_protection: bool =
            rights_management::REMOVE_RIGHTS_MANAGEMENT_PROTECTION,
        /// What is wanted of it.
        options: Option<FetchOptions> = tags::OPTIONS,
    }
}

/// The one thing a fetch names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// An item of a folder.
    Item(&'a CollectionId, &'a ServerId),
    /// A search result.
    Result(&'a LongId),
    /// An attachment.
    Attachment(&'a FileReference),
    /// A document.
    Document(&'a str),
}

impl Fetch {
    /// What the fetch names; `None` if it names nothing, or more than one thing.
    pub fn target(&self) -> Option<Target<'_>> {
        let item = self.collection_id.as_ref().zip(self.server_id.as_ref());
        let mut named = [
            item.map(|(collection, item)| Target::Item(collection, item)),
            self.long_id.as_ref().map(Target::Result),
            self.file_reference.as_ref().map(Target::Attachment),
            self.link_id.as_deref().map(Target::Document),
        ]
        .into_iter()
        .flatten();
        named.next().filter(|_| named.next().is_none())
    }
}

/// What is wanted of what is fetched ([MS-ASCMD] 2.2.3.125.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchOptions {
    /// The properties that are wanted; all where absent.
    pub schema: Option<Vec<Tag>>,
    /// The bytes of an attachment that are wanted.
    pub range: Option<RangeText>,
    /// A user a document server knows.
    pub user_name: Option<String>,
    /// That user's password.
    pub password: Option<Secret>,
    /// For which mail whole messages are wanted.
    pub mime_support: Option<MimeSupport>,
    /// Which bodies are wanted.
    pub body_preferences: Vec<BodyPreference>,
    /// Which parts of bodies are wanted.
    pub body_part_preferences: Vec<BodyPreference>,
    /// Whether the client understands rights management.
    pub rights_management_support: Option<bool>,
}

/// An ItemOperations response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Whether the request could be carried out; 1 whatever its operations say.
    pub status: Status,
    /// What came of the operations, in their order.
    pub outcomes: Vec<Outcome>,
}

/// What came of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Of a fetch.
    Fetch(Box<Fetched>),
    /// Of emptying a folder.
    EmptyFolderContents {
        /// How it went.
        status: Status,
        /// Which folder.
        collection_id: CollectionId,
    },
    /// Of moving a conversation.
    Move {
        /// How it went.
        status: Status,
        /// Which conversation.
        conversation_id: Vec<u8>,
    },
}

fields! {
    /// What came of a fetch. What the request named is repeated.
    pub struct Fetched {
        /// How it went.
        status: Option<Status> = tags::STATUS,
        /// The folder of the item.
        collection_id: Option<CollectionId> = air_sync::COLLECTION_ID,
        /// The item.
        server_id: Option<ServerId> = air_sync::SERVER_ID,
        /// The search result.
        long_id: Option<LongId> = search::LONG_ID,
        /// The class of the item.
        class: Option<ClassName> = air_sync::CLASS,
        /// The document.
        link_id: Option<String> = document_library::LINK_ID,
        /// The attachment.
        file_reference: Option<FileReference> = base::FILE_REFERENCE,
        /// What was fetched.
        properties: Option<Properties> = tags::PROPERTIES,
    }
}

/// What was fetched: properties of an item, or bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// The bytes and what is said of them.
    pub file: FileProperties,
    /// The item.
    pub item: Option<ItemData>,
}

fields! {
    /// Bytes of an attachment or document.
    pub struct FileProperties {
        /// The media type.
        content_type: Option<String> = base::CONTENT_TYPE,
        /// Which bytes they are, if a range was asked for.
        range: Option<ByteRange> = tags::RANGE,
        /// How many bytes there are, if a range was asked for.
        total: Option<u32> = tags::TOTAL,
        /// The bytes.
        data: Option<Base64> = tags::DATA,
        /// The part of a multipart answer that holds the bytes instead.
        part: Option<u32> = tags::PART,
        /// When a document was last changed.
        version: Option<DateTime> = tags::VERSION,
    }
}

impl Document for Request {
    const ROOT: Tag = tags::ITEM_OPERATIONS;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut operations = Vec::new();
        while let Some(tag) = cursor.next_child()? {
            if operations.len() == OPERATIONS_MAX {
                return Err(cursor.over_limit("100 operations"));
            }
            operations.push(Operation::read(cursor, tag)?);
        }
        Ok(Self { operations })
    }

    fn write(&self, encoder: &mut Encoder) {
        self.operations.iter().for_each(|operation| operation.write(encoder));
    }
}

impl Operation {
    fn read(cursor: &mut Cursor<'_>, tag: Tag) -> Result<Self> {
        match tag {
            tags::FETCH => {
                let fetch = Fetch::read(cursor)?;
                cursor.required(fetch.store.as_ref(), tag, tags::STORE)?;
                Ok(Self::Fetch(Box::new(fetch)))
            }
            tags::EMPTY_FOLDER_CONTENTS => Self::read_empty(cursor),
            tags::MOVE => Self::read_move(cursor),
            _ => cursor.misplaced(),
        }
    }

    fn read_empty(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut collection_id, mut options) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                air_sync::COLLECTION_ID => Field::read(&mut collection_id, cursor)?,
                tags::OPTIONS => {
                    cursor.once(&mut options, |c| read_flag(c, tags::DELETE_SUB_FOLDERS))?;
                }
                _ => return cursor.misplaced(),
            }
        }
        let (parent, child) = (tags::EMPTY_FOLDER_CONTENTS, air_sync::COLLECTION_ID);
        let collection_id = cursor.required(collection_id, parent, child)?;
        let delete_sub_folders = options.unwrap_or(false);
        Ok(Self::EmptyFolderContents { collection_id, delete_sub_folders })
    }

    fn read_move(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut conversation_id, mut dst_fld_id, mut options) = (None, None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                tags::CONVERSATION_ID => Field::read(&mut conversation_id, cursor)?,
                tags::DST_FLD_ID => Field::read(&mut dst_fld_id, cursor)?,
                tags::OPTIONS => cursor.once(&mut options, |c| read_flag(c, tags::MOVE_ALWAYS))?,
                _ => return cursor.misplaced(),
            }
        }
        let conversation_id: Option<Vec<u8>> = conversation_id;
        Ok(Self::Move {
            conversation_id: cursor.required(conversation_id, tags::MOVE, tags::CONVERSATION_ID)?,
            dst_fld_id: cursor.required(dst_fld_id, tags::MOVE, tags::DST_FLD_ID)?,
            move_always: options.unwrap_or(false),
        })
    }

    fn write(&self, encoder: &mut Encoder) {
        match self {
            Self::Fetch(fetch) => fetch.write(encoder, tags::FETCH),
            Self::EmptyFolderContents { collection_id, delete_sub_folders } => {
                encoder.container(tags::EMPTY_FOLDER_CONTENTS, |encoder| {
                    encoder.text(air_sync::COLLECTION_ID, collection_id);
                    write_flag(encoder, tags::DELETE_SUB_FOLDERS, *delete_sub_folders);
                });
            }
            Self::Move { conversation_id, dst_fld_id, move_always } => {
                encoder.container(tags::MOVE, |encoder| {
                    encoder.opaque(tags::CONVERSATION_ID, conversation_id);
                    encoder.text(tags::DST_FLD_ID, dst_fld_id);
                    write_flag(encoder, tags::MOVE_ALWAYS, *move_always);
                });
            }
        }
    }
}

/// Reads options whose only member is a flag.
fn read_flag(cursor: &mut Cursor<'_>, flag: Tag) -> Result<bool> {
    let mut value = false;
    while let Some(tag) = cursor.next_child()? {
        if tag != flag {
            return cursor.misplaced();
        }
        cursor.flag(&mut value)?;
    }
    Ok(value)
}

/// Writes options whose only member is a flag.
fn write_flag(encoder: &mut Encoder, flag: Tag, value: bool) {
    if value {
        encoder.container(tags::OPTIONS, |encoder| encoder.empty(flag));
    }
}

impl Element for FetchOptions {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut options = Self::default();
        while let Some(tag) = cursor.next_child()? {
            match tag {
                tags::SCHEMA => options.read_schema(cursor)?,
                tags::RANGE => Field::read(&mut options.range, cursor)?,
                tags::USER_NAME => Field::read(&mut options.user_name, cursor)?,
                tags::PASSWORD => Field::read(&mut options.password, cursor)?,
                air_sync::MIME_SUPPORT => Field::read(&mut options.mime_support, cursor)?,
                base::BODY_PREFERENCE => read_preference(&mut options.body_preferences, cursor)?,
                base::BODY_PART_PREFERENCE => {
                    read_preference(&mut options.body_part_preferences, cursor)?;
                }
                rights_management::RIGHTS_MANAGEMENT_SUPPORT => {
                    Field::read(&mut options.rights_management_support, cursor)?;
                }
                _ => return cursor.misplaced(),
            }
        }
        Ok(options)
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.container(tag, |encoder| {
            if let Some(schema) = &self.schema {
                encoder.container(tags::SCHEMA, |encoder| {
                    schema.iter().for_each(|tag| encoder.empty(*tag));
                });
            }
            Field::write(&self.range, encoder, tags::RANGE);
            encoder.opt_text(tags::USER_NAME, self.user_name.as_ref());
            Field::write(&self.password, encoder, tags::PASSWORD);
            Field::write(&self.mime_support, encoder, air_sync::MIME_SUPPORT);
            Field::write(&self.body_preferences, encoder, base::BODY_PREFERENCE);
            Field::write(&self.body_part_preferences, encoder, base::BODY_PART_PREFERENCE);
            let rights = self.rights_management_support;
            encoder.opt_boolean(rights_management::RIGHTS_MANAGEMENT_SUPPORT, rights);
        });
    }
}

impl FetchOptions {
    /// Adds the bare tags of a `Schema` to the properties that are wanted.
    fn read_schema(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        let schema = self.schema.get_or_insert_default();
        while let Some(tag) = cursor.next_child()? {
            schema.push(tag);
            cursor.skip()?;
        }
        Ok(())
    }
}

impl Document for Response {
    const ROOT: Tag = tags::ITEM_OPERATIONS;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut status, mut outcomes) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                tags::STATUS => Field::read(&mut status, cursor)?,
                tags::RESPONSE => cursor.once(&mut outcomes, read_outcomes)?,
                _ => return cursor.misplaced(),
            }
        }
        let status = cursor.required(status, tags::ITEM_OPERATIONS, tags::STATUS)?;
        Ok(Self { status, outcomes: outcomes.unwrap_or_default() })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.number(tags::STATUS, self.status.0);
        if !self.outcomes.is_empty() {
            encoder.container(tags::RESPONSE, |encoder| {
                self.outcomes.iter().for_each(|outcome| outcome.write(encoder));
            });
        }
    }
}

fn read_outcomes(cursor: &mut Cursor<'_>) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    while let Some(tag) = cursor.next_child()? {
        outcomes.push(Outcome::read(cursor, tag)?);
    }
    Ok(outcomes)
}

impl Outcome {
    fn read(cursor: &mut Cursor<'_>, outcome: Tag) -> Result<Self> {
        match outcome {
            tags::FETCH => {
                let fetched = Fetched::read(cursor)?;
                cursor.required(fetched.status, outcome, tags::STATUS)?;
                return Ok(Self::Fetch(Box::new(fetched)));
            }
            tags::EMPTY_FOLDER_CONTENTS | tags::MOVE => {}
            _ => return cursor.misplaced(),
        }
        let (mut status, mut collection_id) = (None, None);
        let mut conversation_id: Option<Vec<u8>> = None;
        while let Some(tag) = cursor.next_child()? {
            match tag {
                tags::STATUS => Field::read(&mut status, cursor)?,
                air_sync::COLLECTION_ID => Field::read(&mut collection_id, cursor)?,
                tags::CONVERSATION_ID => Field::read(&mut conversation_id, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        let status = cursor.required(status, outcome, tags::STATUS)?;
        if outcome == tags::MOVE {
            let conversation_id = conversation_id.unwrap_or_default();
            return Ok(Self::Move { status, conversation_id });
        }
        let collection_id = cursor.required(collection_id, outcome, air_sync::COLLECTION_ID)?;
        Ok(Self::EmptyFolderContents { status, collection_id })
    }

    fn write(&self, encoder: &mut Encoder) {
        match self {
            Self::Fetch(fetched) => fetched.write(encoder, tags::FETCH),
            Self::EmptyFolderContents { status, collection_id } => {
                encoder.container(tags::EMPTY_FOLDER_CONTENTS, |encoder| {
                    encoder.number(tags::STATUS, status.0);
                    encoder.text(air_sync::COLLECTION_ID, collection_id);
                });
            }
            Self::Move { status, conversation_id } => encoder.container(tags::MOVE, |encoder| {
                encoder.number(tags::STATUS, status.0);
                encoder.opaque(tags::CONVERSATION_ID, conversation_id);
            }),
        }
    }
}

impl Element for Properties {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let begin = cursor.clone();
        let mut properties = Self::default();
        let mut email = Email::default();
        while let Some(tag) = cursor.next_child_any_version()? {
            if OTHER_CLASSES.contains(&tag.page) {
                *cursor = begin;
                let children = Subtree::read(cursor)?;
                let item = ItemData::Other(OtherClass { page: tag.page, children });
                return Ok(Self { item: Some(item), ..Self::default() });
            }
            cursor.require_version()?;
            if !properties.file.read_child(cursor, tag)? && !email.read_child(cursor, tag)? {
                return Err(cursor.problem(Problem::Misplaced));
            }
        }
        if email != Email::default() {
            properties.item = Some(email.into());
        }
        Ok(properties)
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.container(tag, |encoder| {
            self.file.write_children(encoder);
            if let Some(item) = &self.item {
                item.write_children(encoder);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_names_one_thing() {
        let mut fetch = Fetch::default();
        assert_eq!(fetch.target(), None);
        fetch.file_reference = FileReference::new("1:41:2").ok();
        assert!(matches!(fetch.target(), Some(Target::Attachment(_))));
        fetch.long_id = LongId::new("search-1").ok();
        assert_eq!(fetch.target(), None);
    }

    #[test]
    fn passwords_are_not_shown() {
        let options =
            FetchOptions { password: Some(Secret::new("hunter2")), ..FetchOptions::default() };
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
