//! Why a document is not what it should be, and the status that says so.
//!
//! Four kinds are told apart because they are answered differently: not WBXML at all, WBXML that
//! breaks the schema, something the spoken version does not have, and something beyond a limit.
//! Every error names the offset in the document at which it was noticed.

use std::fmt;

use wbxml::Tag;

use crate::code_pages;
use crate::command::CommandName;
use crate::status::{Status, common, item_operations, move_items};
use crate::version::ProtocolVersion;

/// Why a document could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// There is no document where one is needed.
    NoBody,
    /// The octets are not a WBXML document of the subset in use ([MS-ASWBXML] 2.1).
    Wbxml(wbxml::Error),
    /// The document is WBXML, but an element is not what the command's schema says.
    Schema {
        /// Where, in octets from the start of the document.
        offset: usize,
        /// The element in question.
        tag: Tag,
        /// What is wrong with it.
        problem: Problem,
    },
    /// An element or a command that the spoken version does not have.
    Version {
        /// Where, in octets from the start of the document.
        offset: usize,
        /// The element in question.
        tag: Tag,
        /// The version that was spoken.
        version: ProtocolVersion,
    },
    /// More of something than is served.
    Limit {
        /// Where, in octets from the start of the document.
        offset: usize,
        /// What there is too much of, and how much is served.
        limit: &'static str,
    },
}

/// What is wrong with an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The document begins with the element of another command.
    Root,
    /// The element does not belong where it stands.
    Misplaced,
    /// The element may stand once and stands again.
    Duplicate,
    /// The element comes after one it has to come before.
    Order,
    /// A required child, the one named, is not there.
    Missing(Tag),
    /// Text where there should be elements, or elements where there should be text.
    Content,
    /// Octets that are not UTF-8 where text is needed.
    Utf8,
    /// The text is longer than the type allows.
    TooLong,
    /// The text is not a number, boolean or time, or is out of range.
    Value,
    /// The text is not a time ([MS-ASCMD] 2.2.2, status 104).
    DateTime,
    /// Elements that exclude each other.
    Combination,
}

impl Error {
    /// Where the error was noticed, in octets from the start of the document.
    pub fn offset(&self) -> usize {
        match self {
            Self::NoBody => 0,
            Self::Wbxml(error) => error.offset,
            Self::Schema { offset, .. }
            | Self::Version { offset, .. }
            | Self::Limit { offset, .. } => *offset,
        }
    }

    /// The status that tells the client, at the top level of the answer to `command`
    /// ([MS-ASCMD] 2.2.2): 101 for a missing document, 102 for what is no WBXML, else the protocol error of the command,
    /// else 103.
    pub fn status(&self, command: CommandName) -> Status {
        match self {
            Self::NoBody => common::INVALID_CONTENT,
            Self::Wbxml(_) => common::INVALID_WBXML,
            // [MS-ASCMD] 3.1.5.10 has one exception: too many operations are "too large".
            Self::Limit { .. } if command == CommandName::ItemOperations => {
                item_operations::TOO_LARGE
            }
            // [MS-ASCMD] 2.2.3.177.10: a mail cannot be moved to two folders.
            Self::Schema {
                problem: Problem::Duplicate,
                tag: code_pages::move_items::DST_FLD_ID,
                ..
            } if command == CommandName::MoveItems => move_items::MOVE_FAILED,
            // [MS-ASCMD] 2.2.3.92: an InstanceId that is no time has a status of its own.
            Self::Schema { problem: Problem::DateTime, .. } if command.has_instances() => {
                common::INVALID_DATE_TIME
            }
            _ => command.protocol_error(),
        }
    }
}

impl From<wbxml::Error> for Error {
    fn from(error: wbxml::Error) -> Self {
        Self::Wbxml(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |tag: Tag| (code_pages::namespace(tag.page), code_pages::name(tag));
        match self {
            Self::NoBody => f.write_str("no document"),
            Self::Wbxml(error) => error.fmt(f),
            Self::Schema { offset, tag, problem } => {
                let (namespace, name) = name(*tag);
                write!(f, "at {offset}, {namespace}:{name}: {problem}")
            }
            Self::Version { offset, tag, version } => {
                let (namespace, name) = name(*tag);
                write!(f, "at {offset}: version {version} has no {namespace}:{name}")
            }
            Self::Limit { offset, limit } => write!(f, "at {offset}: more than {limit}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "is not the element of this command",
            Self::Misplaced => "does not belong here",
            Self::Duplicate => "stands more than once",
            Self::Order => "stands too late",
            Self::Missing(tag) => return write!(f, "lacks {}", code_pages::name(*tag)),
            Self::Content => "has the wrong kind of content",
            Self::Utf8 => "is not UTF-8",
            Self::TooLong => "is too long",
            Self::Value => "has an impossible value",
            Self::DateTime => "is not a time",
            Self::Combination => "excludes something else that is there",
        })
    }
}

impl std::error::Error for Error {}
