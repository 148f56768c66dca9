//! Tokens: what a reader yields, and the tag octets behind them ([MS-ASWBXML] 2.1.2).

use alloc::borrow::Cow;
use alloc::string::String;

use crate::error::{Error, ErrorKind};

/// One element name: a code page and a token on it.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tag {
    /// The code page, 0 to 31.
    pub page: u8,
    /// The token without its content and attribute bits, 0x05 to 0x3F.
    pub token: u8,
}

impl Tag {
    /// The tag `token` of page `page`.
    pub const fn new(page: u8, token: u8) -> Self {
        Self { page, token }
    }
}

/// One step through a document.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Token<'a> {
    /// An element begins. A bare tag is followed by [`Token::End`] like any other.
    Start {
        /// Which element.
        tag: Tag,
        /// Its name in the code pages.
        name: &'static str,
        /// Whether the tag octet announced content; empty elements are spelt both ways.
        has_content: bool,
    },
    /// The innermost open element ends.
    End,
    /// An inline string, or one of the string table.
    Text(Text<'a>),
    /// Octets that stand for themselves.
    Opaque(&'a [u8]),
    /// One character by number; only [`crate::Profile::Wbxml`] lets it through.
    Entity(char),
}

/// The octets of a string, as they stand in the document.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Text<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Text<'a> {
    pub(crate) const fn new(bytes: &'a [u8], offset: usize) -> Self {
        Self { bytes, offset }
    }

    /// The octets, not validated, without the terminator.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where in the document the first octet stands.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The text, or the offset of the first octet that is not UTF-8.
    pub fn to_str(&self) -> Result<&'a str, Error> {
        core::str::from_utf8(self.bytes)
            .map_err(|error| Error::new(ErrorKind::InvalidUtf8, self.offset + error.valid_up_to()))
    }

    /// The text, with replacement characters where octets are not UTF-8; right for what people wrote, wrong for ids.
    pub fn to_str_lossy(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.bytes)
    }
}

pub(crate) const SWITCH_PAGE: u8 = 0x00;
pub(crate) const END: u8 = 0x01;
pub(crate) const ENTITY: u8 = 0x02;
pub(crate) const STR_I: u8 = 0x03;
pub(crate) const LITERAL: u8 = 0x04;
pub(crate) const EXT_I_0: u8 = 0x40;
pub(crate) const EXT_I_2: u8 = 0x42;
pub(crate) const PI: u8 = 0x43;
pub(crate) const LITERAL_C: u8 = 0x44;
pub(crate) const EXT_T_0: u8 = 0x80;
pub(crate) const EXT_T_2: u8 = 0x82;
pub(crate) const STR_T: u8 = 0x83;
pub(crate) const LITERAL_A: u8 = 0x84;
pub(crate) const EXT_0: u8 = 0xC0;
pub(crate) const EXT_2: u8 = 0xC2;
pub(crate) const OPAQUE: u8 = 0xC3;
pub(crate) const LITERAL_AC: u8 = 0xC4;

/// The first octet that is a tag and no global token.
pub(crate) const TOKEN_MIN: u8 = 0x05;
/// The bits of a tag octet that hold the token.
pub(crate) const TOKEN_MASK: u8 = 0x3F;
/// The bit of a tag octet that announces content and an END.
pub(crate) const HAS_CONTENT: u8 = 0x40;
/// The bit of a tag octet that announces attributes.
pub(crate) const HAS_ATTRIBUTES: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_borrowed_when_it_is_utf8_and_mended_when_not() {
        let text = Text::new("Grüße".as_bytes(), 6);
        assert_eq!(text.to_str(), Ok("Grüße"));
        assert!(matches!(text.to_str_lossy(), Cow::Borrowed("Grüße")));

        let broken = Text::new(b"a\xC3(", 6);
        assert_eq!(broken.to_str(), Err(Error::new(ErrorKind::InvalidUtf8, 7)));
        assert_eq!(broken.to_str_lossy(), "a\u{FFFD}(");
    }
}
