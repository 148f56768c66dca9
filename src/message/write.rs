//! Writing MIME: header fields folded and encoded, text and files as parts. Lines end in CRLF and stay below 78 characters
//! wherever the content allows.

use super::{Address, transfer};

/// Appends `name: value`, encoded where it is not plain ASCII.
pub(crate) fn text_field(name: &str, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    if is_plain(value) {
        out.extend_from_slice(value.trim().as_bytes());
    } else {
        out.extend_from_slice(words(value).as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends `name: "A" <a@b>,` ..., one address a line; nothing at all if there are none.
pub(crate) fn address_field(name: &str, addresses: &[Address], out: &mut Vec<u8>) {
    if addresses.is_empty() {
        return;
    }
    let written: Vec<String> = addresses.iter().map(address).collect();
    out.extend_from_slice(format!("{name}: {}\r\n", written.join(",\r\n ")).as_bytes());
}

fn address(address: &Address) -> String {
    let spec: String =
        address.address.chars().filter(|c| !c.is_control() && !"<>".contains(*c)).collect();
    match address.name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
        None => format!("<{spec}>"),
        Some(name) if is_plain(name) => {
            format!("\"{}\" <{spec}>", name.replace('\\', "\\\\").replace('"', "\\\""))
        }
        Some(name) => format!("{} <{spec}>", words(name)),
    }
}

/// Appends a field of ids, one a line.
pub(crate) fn id_field(name: &str, ids: &[String], out: &mut Vec<u8>) {
    let ids: Vec<String> =
        ids.iter().filter(|id| is_plain(id)).map(|id| format!("<{id}>")).collect();
    if !ids.is_empty() {
        out.extend_from_slice(format!("{name}: {}\r\n", ids.join("\r\n ")).as_bytes());
    }
}

/// Encoded words of UTF-8 in base64, one a line (RFC 2047).
pub(crate) fn words(text: &str) -> String {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let piece = super::charset::prefix(rest, WORD_OCTETS);
        let mut encoded = Vec::new();
        transfer::write_base64(piece.as_bytes(), &mut encoded);
        words.push(format!("=?utf-8?B?{}?=", String::from_utf8_lossy(&encoded).trim_end()));
        rest = &rest[piece.len()..];
    }
    words.join("\r\n ")
}

/// Appends the header and the content of a text part; quoted-printable, in UTF-8.
pub(crate) fn text_part(media: &str, text: &str, out: &mut Vec<u8>) {
    let head = format!(
        "Content-Type: {media}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    );
    out.extend_from_slice(head.as_bytes());
    transfer::write_quoted_printable(text.as_bytes(), out);
}

/// A parameter such as `filename="report.pdf"`, by RFC 2231 where it is not plain ASCII.
pub(crate) fn parameter(name: &str, value: &str) -> String {
    if is_plain(value) && value.len() <= 200 {
        return format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    }
    let mut encoded = String::new();
    for octet in value.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._".contains(&octet) {
            encoded.push(char::from(octet));
        } else {
            encoded.push_str(&format!("%{octet:02X}"));
        }
    }
    format!("{name}*=utf-8''{encoded}")
}

/// Printable ASCII that cannot be taken for an encoded word.
pub(crate) fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| (b' '..=b'~').contains(&b))
        && !text.contains("=?")
        && text.len() <= PLAIN_OCTETS_MAX
}

/// Octets of text in one encoded word: 60 characters of base64 and 12 around them, below the 75 that RFC 2047 allows.
const WORD_OCTETS: usize = 45;
/// Octets of a value that is written on one line as it is; RFC 5322 allows lines of 998.
const PLAIN_OCTETS_MAX: usize = 900;

#[cfg(test)]
mod tests {
    use super::super::headers;
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["plain", "Grüße aus Köln", "=?looks like a word?=", &"日本語".repeat(40)]
        {
            let mut out = Vec::new();
            text_field("Subject", text, &mut out);
            assert!(out.split(|b| *b == b'\n').all(|line| line.len() <= 90), "{text}");
            assert_eq!(headers::text(&out["Subject:".len()..], None), text);
        }
    }

    #[test]
    fn no_line_can_be_smuggled_in() {
        let mut out = Vec::new();
        text_field("Subject", "a\r\nBcc: x@y.example", &mut out);
        let evil = Address { name: Some("a\r\nBcc: b".into()), address: "a@b\r\nBcc: c".into() };
        address_field("To", &[evil], &mut out);
        id_field("References", &["a>\r\nBcc: d".to_owned()], &mut out);
        assert!(!String::from_utf8_lossy(&out).contains("\nBcc"));
    }
}
