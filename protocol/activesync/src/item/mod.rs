//! Items: the content of `ApplicationData` and of `Properties`, as types.
//!
//! Mail is typed ([`email`]). Data of another class is kept as it came ([`ItemData::Other`]), so
//! that the collection it belongs to can still be answered properly.

pub mod body;
pub mod email;
pub mod gal;
pub mod meeting_request;
pub mod rights_management;

use wbxml::Tag;

use crate::element::{Cursor, Result, Subtree};
use crate::encoder::Encoder;
use crate::error::Error;
use email::Email;

/// What an `ApplicationData` or `Properties` element holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemData {
    /// Mail, SMS included: both use the same elements.
    Email(Box<Email>),
    /// An item of another class, as it came.
    Other(OtherClass),
    /// An item that could not be decoded, and why. Only requests have it: one broken item is
    /// answered with Status 6 and does not spoil the others ([MS-ASCMD] 2.2.3.177.17).
    Broken(Error),
}

/// An item of a class that has no type here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherClass {
    /// The page of the element by which the class was recognised.
    pub page: u8,
    /// The children, as they came.
    pub children: Subtree,
}

impl ItemData {
    /// The mail, if it is one.
    pub fn email(&self) -> Option<&Email> {
        match self {
            Self::Email(email) => Some(email),
            _ => None,
        }
    }

    /// Consumes the element entered last. An error is the item's own and not the document's,
    /// unless the document ends with it.
    pub(crate) fn read_isolated(cursor: &mut Cursor<'_>) -> Result<Self> {
        let depth = cursor.depth();
        match Self::read(cursor) {
            Err(error @ (Error::Schema { .. } | Error::Version { .. } | Error::Limit { .. })) => {
                cursor.leave(depth)?;
                Ok(Self::Broken(error))
            }
            other => other,
        }
    }

    /// Consumes the element entered last.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let begin = cursor.clone();
        let mut email = Email::default();
        while let Some(tag) = cursor.next_child_any_version()? {
            if OTHER_CLASSES.contains(&tag.page) {
                *cursor = begin;
                let children = Subtree::read(cursor)?;
                return Ok(Self::Other(OtherClass { page: tag.page, children }));
            }
            cursor.require_version()?;
            if !email.read_child(cursor, tag)? {
                return cursor.misplaced();
            }
        }
        Ok(Self::Email(Box::new(email)))
    }

    /// Writes the item as `tag`; nothing of a broken one.
    pub(crate) fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.container(tag, |encoder| self.write_children(encoder));
    }

    /// Writes what is in the item; nothing of a broken one.
    pub(crate) fn write_children(&self, encoder: &mut Encoder) {
        match self {
            Self::Email(email) => email.write_children(encoder),
            Self::Other(other) => other.children.write(encoder),
            Self::Broken(_) => {}
        }
    }
}

impl From<Email> for ItemData {
    fn from(email: Email) -> Self {
        Self::Email(Box::new(email))
    }
}

/// Pages of calendar, contact, task and note items, and of documents: no mail has a child of them.
pub(crate) const OTHER_CLASSES: &[u8] = &[1, 4, 9, 12, 19, 23];
