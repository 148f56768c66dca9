//! Errors: one variant per fact about a document, with the offset of the octet that shows it.

use core::fmt;

use crate::token::Tag;

/// Why a document cannot be read, and where.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Error {
    /// The fact.
    pub kind: ErrorKind,
    /// The offset of the octet that shows it; the length of the input if octets are missing.
    pub offset: usize,
}

/// What is wrong with a document.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input ends inside the header, an element, a string or an opaque value.
    UnexpectedEnd,
    /// The version octet is none of WBXML 1.1 to 1.3.
    UnsupportedVersion(u8),
    /// The character set is not UTF-8 (MIBenum 106).
    UnsupportedCharset(u32),
    /// The public identifier is an index into the string table.
    PublicId,
    /// There is a string table, and the profile has none.
    StringTable,
    /// SWITCH_PAGE names a code page that does not exist.
    UnknownPage(u8),
    /// The tag has no name on its code page.
    UnknownToken(Tag),
    /// The tag carries attributes.
    Attributes,
    /// A multi-octet integer is longer than five octets or exceeds 32 bits.
    BadMbU32,
    /// More elements are open at once than [`crate::Limits::depth_max`].
    TooDeep,
    /// The document holds more elements than [`crate::Limits::elements_max`].
    TooManyElements,
    /// A string or an opaque value is longer than [`crate::Limits::string_bytes_max`].
    StringTooLong,
    /// The document is longer than [`crate::Limits::total_bytes_max`].
    TooLong,
    /// A string that must be text is not UTF-8.
    InvalidUtf8,
    /// A reference into the string table that the profile does not use, or that points outside the table.
    StringTableReference,
    /// A character entity, which the profile does not use.
    Entity,
    /// A character entity whose number is no character.
    NotACharacter(u32),
    /// END without an open element.
    UnbalancedEnd,
    /// A second element at the top level.
    SecondRoot,
    /// A string, opaque value or entity outside the root element.
    TextOutsideRoot,
    /// The document ends without a root element.
    EmptyDocument,
    /// A processing instruction.
    ProcessingInstruction,
    /// A tag whose name is in the string table.
    LiteralTag,
    /// One of the document-type-specific extension tokens.
    Extension(u8),
}

impl Error {
    pub(crate) const fn new(kind: ErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "octet {}: {}", self.offset, self.kind)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnsupportedVersion(version) => {
                write!(f, "version octet {version:#04X} is not WBXML 1.1 to 1.3")
            }
            Self::UnsupportedCharset(charset) => {
                write!(f, "character set {charset} is not UTF-8 (106)")
            }
            Self::UnknownPage(page) => write!(f, "there is no code page {page}"),
            Self::UnknownToken(tag) => {
                write!(f, "token {:#04X} has no name on code page {}", tag.token, tag.page)
            }
            Self::NotACharacter(number) => write!(f, "entity {number:#X} is no character"),
            Self::Extension(token) => write!(f, "extension token {token:#04X} is not used"),
            plain => f.write_str(plain.sentence()),
        }
    }
}

impl ErrorKind {
    fn sentence(&self) -> &'static str {
        match self {
            Self::UnexpectedEnd => "the input ends too early",
            Self::PublicId => "the public identifier points into the string table",
            Self::StringTable => "the string table is not empty",
            Self::Attributes => "the tag carries attributes",
            Self::BadMbU32 => "the integer does not fit 32 bits in five octets",
            Self::TooDeep => "elements are nested too deep",
            Self::TooManyElements => "the document has too many elements",
            Self::StringTooLong => "a string or opaque value is too long",
            Self::TooLong => "the document is too long",
            Self::InvalidUtf8 => "the string is not UTF-8",
            Self::StringTableReference => "the reference into the string table has no meaning",
            Self::Entity => "character entities are not used",
            Self::UnbalancedEnd => "END without an open element",
            Self::SecondRoot => "a second root element",
            Self::TextOutsideRoot => "text outside the root element",
            Self::EmptyDocument => "there is no root element",
            Self::ProcessingInstruction => "processing instructions are not used",
            Self::LiteralTag => "literal tags are not used",
            _ => "the document is malformed",
        }
    }
}

impl core::error::Error for Error {}

#[cfg(feature = "std")]
impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn an_error_names_place_and_fact() {
        let error = Error::new(ErrorKind::UnknownToken(Tag::new(13, 0x3F)), 7);
        assert_eq!(error.to_string(), "octet 7: token 0x3F has no name on code page 13");
        assert_eq!(
            Error::new(ErrorKind::UnbalancedEnd, 13).to_string(),
            "octet 13: END without an open element"
        );
    }
}
