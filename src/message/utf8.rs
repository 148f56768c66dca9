//! The MIME of a message as text: phones get it inside a string, so it must be UTF-8 without a NUL.
//!
//! Almost all mail is so already and goes out untouched. What is not (raw 8-bit text in an old charset, binary parts) is
//! written anew in base64, part by part, the rest of the message staying as it is.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::headers::text;
use super::mime::Part;
use super::transfer::write_base64;
use super::{Message, write};

/// The raw octets where they are UTF-8 without a NUL, else an equal message that is.
pub(crate) fn octets(message: &Message) -> Cow<'_, [u8]> {
    if is_text(message.raw()) {
        return Cow::Borrowed(message.raw());
    }
    Cow::Owned(rewritten(message, NESTED_MAX))
}

fn rewritten(message: &Message, nested_max: u32) -> Vec<u8> {
    let raw = message.raw();
    let mut edits = Vec::new();
    for part in message.parts() {
        for field in part.header.fields.iter().filter(|field| !is_text(field.value(raw))) {
            let value = format!(" {}", write::words(&text(field.value(raw), None)));
            edits.push((field.value.clone(), value.into_bytes()));
        }
        if part.children.is_empty() && !is_text(part.body(raw)) {
            edit_body(message, part, nested_max, &mut edits);
        }
    }
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let out = apply(raw, edits);
    // Preambles, epilogues and lines that are no fields.
    if is_text(&out) { out } else { String::from_utf8_lossy(&out).replace('\0', " ").into_bytes() }
}

fn edit_body(
    message: &Message,
    part: &Part,
    nested_max: u32,
    edits: &mut Vec<(Range<usize>, Vec<u8>)>,
) {
    let raw = message.raw();
    if part.is("message/rfc822") {
        let nested = Message::parse(Bytes::copy_from_slice(part.body(raw)));
        if let (Ok(nested), true) = (nested, nested_max > 0) {
            edits.push((part.body.clone(), rewritten(&nested, nested_max - 1)));
        }
        return;
    }
    let mut body = Vec::new();
    write_base64(&part.decoded(raw), &mut body);
    edits.push((part.body.clone(), body));
    let stated = part.header.fields.iter().find(|field| field.is(raw, "content-transfer-encoding"));
    match stated {
        Some(field) => edits.push((field.value.clone(), b" base64".to_vec())),
        None => {
            let start = part.header.start;
            let mut field = b"Content-Transfer-Encoding: base64\r\n".to_vec();
            if part.header.body_start == start {
                field.extend_from_slice(b"\r\n");
            }
            edits.push((start..start, field));
        }
    }
}

/// Replaces each range; ranges that overlap an earlier one are left out.
fn apply(raw: &[u8], edits: Vec<(Range<usize>, Vec<u8>)>) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + raw.len() / 2);
    let mut at = 0;
    for (range, replacement) in edits {
        if range.start >= at {
            out.extend_from_slice(&raw[at..range.start]);
            out.extend_from_slice(&replacement);
            at = range.end;
        }
    }
    out.extend_from_slice(&raw[at..]);
    out
}

fn is_text(octets: &[u8]) -> bool {
    std::str::from_utf8(octets).is_ok() && memchr::memchr(0, octets).is_none()
}

/// Messages within messages that are rewritten one by one; deeper ones are cleaned as a whole.
const NESTED_MAX: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &[u8]) -> Message {
        Message::parse(Bytes::copy_from_slice(raw)).unwrap()
    }

    #[test]
    fn text_stays_as_it_is() {
        let message = parse("Subject: é\r\n\r\nGrüße\r\n".as_bytes());
        assert!(matches!(octets(&message), Cow::Borrowed(_)));
    }

    #[test]
    fn raw_octets_are_written_anew_and_mean_the_same() {
        let raw = b"Subject: Gr\xfc\xdfe\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\npre\xe4mble\r\n--a\r\n\
                    Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xfc\xdfe\r\n\
                    --a\r\nContent-Type: application/x; name=a.bin\r\n\r\n\x00\x01\xff\r\n--a\r\n\r\nnaked \xe4\r\n--a--\r\n";
        let message = parse(raw);
        let written = octets(&message).into_owned();
        assert!(is_text(&written));
        let again = parse(&written);
        assert_eq!(again.subject(), "Grüße");
        assert_eq!(again.plain_text(), message.plain_text());
        assert_eq!(again.attachment_bytes(0), Some(vec![0, 1, 255]));
    }
}
