//! Characters: octets in any charset become clean UTF-8, and a charset gets its Windows code page number.
//!
//! Nothing here fails. What cannot be decoded becomes U+FFFD; what a phone's parser could choke on is left out.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Decodes `octets` as `label` says, or by looking at them when the label is missing, unknown or plainly wrong.
///
/// Mail labelled `us-ascii`, or not at all, is UTF-8 if it reads as UTF-8 and windows-1252 otherwise.
pub(crate) fn decode<'a>(octets: &'a [u8], label: Option<&str>) -> Cow<'a, str> {
    let label = label.unwrap_or("").trim().to_ascii_lowercase();
    match label.as_str() {
        "utf-7" | "unicode-1-1-utf-7" => return Cow::Owned(utf7(octets)),
        "utf-16" => return utf16_order(octets).decode(octets).0,
        "utf-8" | "utf8" => return UTF_8.decode(octets).0,
        "" | "us-ascii" | "ascii" | "ansi_x3.4-1968" => return by_looking(octets),
        _ => {}
    }
    match Encoding::for_label_no_replacement(label.as_bytes()) {
        Some(encoding) => encoding.decode(octets).0,
        None => by_looking(octets),
    }
}

/// The code page number of a charset, for InternetCPID ([MS-ASEMAIL] 2.2.2.40).
pub(crate) fn code_page(label: Option<&str>) -> u32 {
    let label = label.unwrap_or("us-ascii").trim().to_ascii_lowercase();
    CODE_PAGES.iter().find(|(name, _)| *name == label).map_or(UTF_8_CODE_PAGE, |(_, page)| *page)
}

/// Text without control characters (tab and line ends stay) and without the two non-characters XML forbids.
pub(crate) fn clean(text: Cow<'_, str>) -> String {
    let suspicious = |b: u8| {
        (b < 0x20 && !matches!(b, b'\t' | b'\r' | b'\n')) || matches!(b, 0x7f | 0xc2 | 0xef)
    };
    if !text.bytes().any(suspicious) {
        return text.into_owned();
    }
    let keep = |c: &char| {
        matches!(c, '\t' | '\r' | '\n') || !(c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'))
    };
    text.chars().filter(keep).collect()
}

/// The longest prefix of `text` of at most `octets` bytes that ends at a character boundary.
pub(crate) fn prefix(text: &str, octets: usize) -> &str {
    let mut end = octets.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn by_looking(octets: &[u8]) -> Cow<'_, str> {
    let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
    match std::str::from_utf8(octets) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(octets).0,
    }
}

/// `utf-16` without a byte order mark is read in the order that puts the zero octets of ASCII text where they belong.
fn utf16_order(octets: &[u8]) -> &'static Encoding {
    if octets.first() == Some(&0) { UTF_16BE } else { UTF_16LE }
}

/// RFC 2152, which encoding_rs leaves out on purpose; old gateways still send it.
fn utf7(octets: &[u8]) -> String {
    let mut out = String::with_capacity(octets.len());
    let mut rest = octets;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'+' {
            out.push(if first.is_ascii() { char::from(first) } else { '\u{fffd}' });
            continue;
        }
        let length = rest.iter().position(|b| !is_base64(*b)).unwrap_or(rest.len());
        let (shifted, tail) = rest.split_at(length);
        rest = tail.strip_prefix(b"-").unwrap_or(tail);
        if shifted.is_empty() {
            out.push('+');
        } else {
            let units = super::transfer::base64(shifted);
            out.push_str(&UTF_16BE.decode_without_bom_handling(&units[..units.len() & !1]).0);
        }
    }
    out
}

fn is_base64(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/')
}

const UTF_8_CODE_PAGE: u32 = 65001;

const CODE_PAGES: [(&str, u32); 44] = [
    ("utf-8", UTF_8_CODE_PAGE),
    ("utf8", UTF_8_CODE_PAGE),
    ("us-ascii", 20127),
    ("ascii", 20127),
    ("iso-8859-1", 28591),
    ("latin1", 28591),
    ("iso-8859-2", 28592),
    ("iso-8859-3", 28593),
    ("iso-8859-4", 28594),
    ("iso-8859-5", 28595),
    ("iso-8859-6", 28596),
    ("iso-8859-7", 28597),
    ("iso-8859-8", 28598),
    ("iso-8859-8-i", 38598),
    ("iso-8859-9", 28599),
    ("iso-8859-13", 28603),
    ("iso-8859-15", 28605),
    ("windows-874", 874),
    ("windows-1250", 1250),
    ("windows-1251", 1251),
    ("windows-1252", 1252),
    ("windows-1253", 1253),
    ("windows-1254", 1254),
    ("windows-1255", 1255),
    ("windows-1256", 1256),
    ("windows-1257", 1257),
    ("windows-1258", 1258),
    ("koi8-r", 20866),
    ("koi8-u", 21866),
    ("shift_jis", 932),
    ("shift-jis", 932),
    ("iso-2022-jp", 50220),
    ("euc-jp", 51932),
    ("gb2312", 936),
    ("gbk", 936),
    ("gb18030", 54936),
    ("big5", 950),
    ("euc-kr", 51949),
    ("ks_c_5601-1987", 949),
    ("iso-2022-kr", 50225),
    ("utf-7", 65000),
    ("utf-16", 1200),
    ("utf-16le", 1200),
    ("utf-16be", 1201),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unlabelled_text_is_utf8_if_it_reads_so() {
        assert_eq!(decode("Grüße".as_bytes(), None), "Grüße");
        assert_eq!(decode(b"Gr\xfc\xdfe", None), "Grüße");
        assert_eq!(decode(b"Gr\xfc\xdfe", Some("x-no-such-charset")), "Grüße");
    }

    #[test]
    fn labelled_text_follows_its_label() {
        assert_eq!(decode(b"\xf0\xd2\xc9\xd7\xc5\xd4", Some("KOI8-R")), "Привет");
        assert_eq!(decode(b"\x1b$B$3$s\x1b(B", Some("iso-2022-jp")), "こん");
        assert_eq!(decode(b"\xc4\xe3\xba\xc3", Some("gb2312")), "你好");
        assert_eq!(decode(b"\x00H\x00i", Some("utf-16")), "Hi");
        assert_eq!(decode(b"\xff\xfeH\x00i\x00", Some("utf-16")), "Hi");
        assert_eq!(decode(b"Hi +AOQ-bc 1+-2", Some("utf-7")), "Hi äbc 1+2");
    }

    #[test]
    fn control_characters_do_not_leave() {
        assert_eq!(clean(Cow::Borrowed("a\0b\u{1b}c\u{85}\td\r\n\u{ffff}é")), "abc\td\r\né");
    }

    #[test]
    fn a_prefix_ends_between_characters() {
        assert_eq!(prefix("aé", 2), "a");
        assert_eq!(prefix("aé", 3), "aé");
        assert_eq!(prefix("é", 0), "");
    }

    #[test]
    fn code_pages_have_their_windows_numbers() {
        assert_eq!(code_page(Some("UTF-8")), 65001);
        assert_eq!(code_page(Some("iso-8859-1")), 28591);
        assert_eq!(code_page(None), 20127);
    }
}
