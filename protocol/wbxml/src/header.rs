//! The four fields before the root element, and the profile that says which of them may differ from ActiveSync's.

use alloc::vec::Vec;

use crate::error::{Error, ErrorKind};
use crate::mb_u32;

const VERSION_1_1: u8 = 0x01;
const VERSION_1_3: u8 = 0x03;
pub(crate) const PUBLIC_ID_UNKNOWN: u32 = 1;
const PUBLIC_ID_IN_TABLE: u32 = 0;
const CHARSET_UTF_8: u32 = 106;
/// US-ASCII, every text of which is UTF-8 as well.
const CHARSET_ASCII: u32 = 3;

/// The header every ActiveSync document starts with ([MS-ASWBXML] 2.1.1).
#[cfg(test)]
pub(crate) const ACTIVESYNC: [u8; 4] =
    [VERSION_1_3, PUBLIC_ID_UNKNOWN as u8, CHARSET_UTF_8 as u8, 0];

/// How much of WBXML a reader lets through.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Profile {
    /// What [MS-ASWBXML] 2.1.3 leaves in: no string table, no entities, no attributes.
    #[default]
    ActiveSync,
    /// Any public identifier, US-ASCII, a string table with references into it, and entities as well.
    Wbxml,
}

/// What the header of a document says.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Header<'a> {
    /// The version octet: 0x03 is WBXML 1.3.
    pub version: u8,
    /// The public identifier; 1 is "unknown". An index into the string table if `public_id_in_table`.
    pub public_id: u32,
    /// Whether `public_id` is an index into the string table.
    pub public_id_in_table: bool,
    /// The string table; empty under [`Profile::ActiveSync`].
    pub string_table: &'a [u8],
}

impl<'a> Header<'a> {
    /// Reads the header; gives it and the offset of the body.
    pub(crate) fn decode(input: &'a [u8], profile: Profile) -> Result<(Self, usize), Error> {
        let version = *input.first().ok_or(Error::new(ErrorKind::UnexpectedEnd, 0))?;
        // 1.1 and 1.2 differ from 1.3 in nothing that ActiveSync uses.
        if !(VERSION_1_1..=VERSION_1_3).contains(&version) {
            return Err(Error::new(ErrorKind::UnsupportedVersion(version), 0));
        }
        let (mut public_id, mut at) = mb_u32::decode(input, 1)?;
        let public_id_in_table = public_id == PUBLIC_ID_IN_TABLE;
        if profile == Profile::ActiveSync && public_id_in_table {
            return Err(Error::new(ErrorKind::PublicId, 1));
        }
        if public_id_in_table {
            (public_id, at) = mb_u32::decode(input, at)?;
        }
        let (charset, length_at) = mb_u32::decode(input, at)?;
        let is_utf_8 =
            charset == CHARSET_UTF_8 || (charset == CHARSET_ASCII && profile == Profile::Wbxml);
        if !is_utf_8 {
            return Err(Error::new(ErrorKind::UnsupportedCharset(charset), at));
        }
        let (string_table, body_at) = string_table(input, length_at, profile)?;
        Ok((Self { version, public_id, public_id_in_table, string_table }, body_at))
    }
}

fn string_table(input: &[u8], at: usize, profile: Profile) -> Result<(&[u8], usize), Error> {
    let (length, start) = mb_u32::decode(input, at)?;
    if length > 0 && profile == Profile::ActiveSync {
        return Err(Error::new(ErrorKind::StringTable, at));
    }
    let table = slice(input, start, length)?;
    Ok((table, start + table.len()))
}

/// `length` octets from `start`, if the input has them.
pub(crate) fn slice(input: &[u8], start: usize, length: u32) -> Result<&[u8], Error> {
    usize::try_from(length)
        .ok()
        .and_then(|length| input.get(start..start.checked_add(length)?))
        .ok_or(Error::new(ErrorKind::UnexpectedEnd, input.len()))
}

/// Appends a header with this public identifier and no string table.
pub(crate) fn encode(public_id: u32, to: &mut Vec<u8>) {
    assert!(public_id != PUBLIC_ID_IN_TABLE, "the writer has no string table");
    to.push(VERSION_1_3);
    mb_u32::encode(public_id, to);
    mb_u32::encode(CHARSET_UTF_8, to);
    mb_u32::encode(0, to);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_activesync_header_is_four_octets() {
        let (header, body_at) = Header::decode(&ACTIVESYNC, Profile::ActiveSync).unwrap();
        assert_eq!(
            header,
            Header { version: 3, public_id: 1, public_id_in_table: false, string_table: b"" }
        );
        assert_eq!(body_at, 4);
    }

    #[test]
    fn older_versions_pass_and_others_do_not() {
        assert!(Header::decode(b"\x01\x01\x6A\x00", Profile::ActiveSync).is_ok());
        assert_eq!(
            Header::decode(b"\x04\x01\x6A\x00", Profile::ActiveSync),
            Err(Error::new(ErrorKind::UnsupportedVersion(4), 0))
        );
    }

    #[test]
    fn a_string_table_is_read_where_the_profile_has_one() {
        let input = b"\x03\x00\x02\x6A\x04abc\x00\x05";
        assert_eq!(
            Header::decode(input, Profile::ActiveSync),
            Err(Error::new(ErrorKind::PublicId, 1))
        );
        let (header, body_at) = Header::decode(input, Profile::Wbxml).unwrap();
        assert_eq!((header.public_id, header.public_id_in_table), (2, true));
        assert_eq!(header.string_table, b"abc\0");
        assert_eq!(body_at, 9);
    }

    #[test]
    fn a_string_table_past_the_end_is_an_early_end() {
        let input = b"\x03\x01\x6A\x8F\xFF\xFF\xFF\x7Fab";
        assert_eq!(
            Header::decode(input, Profile::Wbxml),
            Err(Error::new(ErrorKind::UnexpectedEnd, 10))
        );
    }
}
