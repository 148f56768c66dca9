//! Bodies and attachments ([MS-ASAIRS]): what a client would like, and what it gets.

use wbxml::Tag;

use crate::code_pages::{air_sync_base as base, email2, item_operations};
use crate::element::{Cursor, Order, Result};
use crate::encoder::Encoder;
use crate::error::Problem;
use crate::fields::{Element, Field, fields, number_enum};
use crate::status::Status;
use crate::types::{ClientId, FileReference};

number_enum! {
    /// The format of a body ([MS-ASAIRS] 2.2.2.41).
    pub enum BodyType {
        /// Plain text.
        Plain = 1,
        /// HTML.
        Html = 2,
        /// Rich text, as base64 of its compressed form.
        Rtf = 3,
        /// The whole message.
        Mime = 4,
    }
}

number_enum! {
    /// For which mail a client takes the whole message instead of a body ([MS-ASCMD] 2.2.3.109).
    pub enum MimeSupport {
        /// For none.
        Never = 0,
        /// For signed or encrypted mail.
        SmimeOnly = 1,
        /// For all.
        All = 2,
    }
}

/// How a client would like bodies of one type ([MS-ASAIRS] 2.2.2.12), or parts of bodies
/// ([MS-ASAIRS] 2.2.2.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyPreference {
    /// The type the preference is for.
    pub body_type: BodyType,
    /// At most so many octets; all of them where absent.
    pub truncation_size: Option<u32>,
    /// Nothing at all rather than a part.
    pub all_or_none: Option<bool>,
    /// A preview of so many characters, at most 255.
    pub preview: Option<u8>,
}

impl BodyPreference {
    /// A preference for whole bodies of one type.
    pub fn new(body_type: BodyType) -> Self {
        Self { body_type, truncation_size: None, all_or_none: None, preview: None }
    }
}

impl Element for BodyPreference {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let parent = cursor.element();
        let (mut body_type, mut truncation_size) = (None, None);
        let (mut all_or_none, mut preview) = (None, None);
        let mut order = Order::default();
        while let Some(tag) = cursor.next_child()? {
            match tag {
                base::TYPE => {
                    order.step(cursor, 0)?;
                    Field::read(&mut body_type, cursor)?;
                }
                base::TRUNCATION_SIZE => {
                    order.step(cursor, 1)?;
                    Field::read(&mut truncation_size, cursor)?;
                }
                base::ALL_OR_NONE => {
                    order.step(cursor, 2)?;
                    Field::read(&mut all_or_none, cursor)?;
                }
                base::PREVIEW => {
                    order.step(cursor, 3)?;
                    Field::read(&mut preview, cursor)?;
                }
                _ => return cursor.misplaced(),
            }
        }
        let body_type = cursor.required(body_type, parent, base::TYPE)?;
        Ok(Self { body_type, truncation_size, all_or_none, preview })
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.container(tag, |encoder| {
            self.body_type.write(encoder, base::TYPE);
            encoder.opt_number(base::TRUNCATION_SIZE, self.truncation_size);
            encoder.opt_boolean(base::ALL_OR_NONE, self.all_or_none);
            encoder.opt_number(base::PREVIEW, self.preview);
        });
    }
}

/// Reads a preference into a list that may hold one per type ([MS-ASAIRS] 2.2.2.12).
pub(crate) fn read_preference(
    preferences: &mut Vec<BodyPreference>,
    cursor: &mut Cursor<'_>,
) -> Result<()> {
    let preference = BodyPreference::read(cursor)?;
    if preferences.iter().any(|other| other.body_type == preference.body_type) {
        return Err(cursor.problem(Problem::Duplicate));
    }
    preferences.push(preference);
    Ok(())
}

/// The content of a body: text, or octets that need not be UTF-8, such as a whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Text, sent as an inline string.
    Text(String),
    /// Octets, sent as an opaque value.
    Octets(Vec<u8>),
}

impl Content {
    /// The octets, whichever way they travel.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Octets(octets) => octets,
        }
    }
}

impl Element for Content {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (octets, opaque) = cursor.content()?;
        if opaque {
            return Ok(Self::Octets(octets.into_owned()));
        }
        Ok(match String::from_utf8(octets.into_owned()) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Octets(error.into_bytes()),
        })
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        match self {
            Self::Text(text) => encoder.text(tag, text),
            Self::Octets(octets) => encoder.opaque(tag, octets),
        }
    }
}

fields! {
    /// The body of an item ([MS-ASAIRS] 2.2.2.9).
    pub struct Body {
        /// The format of the data.
        body_type: Option<BodyType> = base::TYPE,
        /// How many octets the whole body has, before any cut.
        estimated_data_size: Option<u32> = base::ESTIMATED_DATA_SIZE,
        /// Whether the data is cut.
        truncated: Option<bool> = base::TRUNCATED,
        /// The data.
        data: Option<Content> = base::DATA,
        /// The beginning as plain text, for lists.
        preview: Option<String> = base::PREVIEW,
        /// In a multipart answer, the part that holds the data instead.
        part: Option<u32> = item_operations::PART,
    }
}

fields! {
    /// The part of a body that its conversation does not repeat ([MS-ASAIRS] 2.2.2.10).
    pub struct BodyPart {
        /// Whether the part could be made.
        status: Option<Status> = base::STATUS,
        /// The format of the data.
        body_type: Option<BodyType> = base::TYPE,
        /// How many octets the whole part has, before any cut.
        estimated_data_size: Option<u32> = base::ESTIMATED_DATA_SIZE,
        /// Whether the data is cut.
        truncated: Option<bool> = base::TRUNCATED,
        /// The data.
        data: Option<Content> = base::DATA,
        /// The beginning as plain text, for lists.
        preview: Option<String> = base::PREVIEW,
    }
}

fields! {
    /// The attachments of an item: those it has, in what a server sends; those to be added and
    /// deleted, in what a client sends ([MS-ASAIRS] 2.2.2.8).
    pub struct Attachments {
        /// Attachments the item has.
        attachments: Vec<Attachment> = base::ATTACHMENT,
        /// Attachments a client adds.
        add: Vec<NewAttachment> = base::ADD,
        /// Attachments a client deletes.
        delete: Vec<DeletedAttachment> = base::DELETE,
    }
}

fields! {
    /// An attachment an item has ([MS-ASAIRS] 2.2.2.7).
    pub struct Attachment {
        /// The file name.
        display_name: Option<String> = base::DISPLAY_NAME,
        /// The id the client gave when it added the attachment; only in answers to that.
        client_id: Option<ClientId> = base::CLIENT_ID,
        /// What fetches the attachment.
        file_reference: Option<FileReference> = base::FILE_REFERENCE,
        /// 1 for a file, 5 for an embedded message, 6 for an inline object.
        method: Option<u8> = base::METHOD,
        /// How many octets it has.
        estimated_data_size: Option<u32> = base::ESTIMATED_DATA_SIZE,
        /// What `cid:` links in the HTML name.
        content_id: Option<String> = base::CONTENT_ID,
        /// What relative links in the HTML name.
        content_location: Option<String> = base::CONTENT_LOCATION,
        /// Whether the HTML shows it.
        is_inline: Option<bool> = base::IS_INLINE,
        /// Seconds of voice mail.
        um_att_duration: Option<u32> = email2::UM_ATT_DURATION,
        /// Which of several voice mails; the newest has 1.
        um_att_order: Option<u32> = email2::UM_ATT_ORDER,
    }
}

fields! {
    /// An attachment a client adds to a draft ([MS-ASAIRS] 2.2.2.2).
    pub struct NewAttachment {
        /// An id by which the answer names it.
        client_id: Option<ClientId> = base::CLIENT_ID,
        /// The octets.
        content: Option<Vec<u8>> = base::CONTENT,
        /// What `cid:` links in the HTML name.
        content_id: Option<String> = base::CONTENT_ID,
        /// What relative links in the HTML name.
        content_location: Option<String> = base::CONTENT_LOCATION,
        /// The media type.
        content_type: Option<String> = base::CONTENT_TYPE,
        /// The file name.
        display_name: Option<String> = base::DISPLAY_NAME,
        /// Whether the HTML shows it.
        is_inline: bool = base::IS_INLINE,
        /// 1 for a file, 5 for an embedded message.
        method: Option<u8> = base::METHOD,
    }
}

fields! {
    /// An attachment a client deletes from a draft ([MS-ASAIRS] 2.2.2.19).
    pub struct DeletedAttachment {
        /// Which.
        file_reference: Option<FileReference> = base::FILE_REFERENCE,
    }
}
