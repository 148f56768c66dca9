//! The plain spelling of a query: an unordered list of names and values ([MS-ASHTTP] 2.2.1.1.1.2).

use crate::http::{Query, QueryError};

/// Reads the plain spelling. Names are compared without regard to case, the first of two equal
/// names counts, and names nobody knows are passed over.
pub(super) fn decode(raw: &str) -> Result<Query, QueryError> {
    let value = |wanted: &str| value(raw, wanted);
    let command = value("Cmd").ok_or(QueryError::NoCommand)?;
    let command = command.parse().map_err(|_| QueryError::UnknownCommand)?;
    let mut query = Query::new(
        command,
        value("DeviceId").unwrap_or_default(),
        value("DeviceType").unwrap_or_default(),
    );
    query.user = value("User");
    query.save_in_sent = value("SaveInSent").is_some_and(|value| value == "T");
    query.attachment_name = value("AttachmentName");
    query.collection_id = value("CollectionId");
    query.item_id = value("ItemId");
    query.long_id = value("LongId");
    query.occurrence = value("Occurrence");
    Ok(query)
}

/// The device a query names, whatever command it is about.
pub(super) fn device_id_in(raw: &str) -> Option<String> {
    value(raw, "DeviceId")
}

fn value(raw: &str, wanted: &str) -> Option<String> {
    raw.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.eq_ignore_ascii_case(wanted).then(|| percent_decode(value))
    })
}

/// Writes the plain spelling, in the order of the specification's grammar.
pub(super) fn encode(query: &Query) -> String {
    let mut raw = format!("Cmd={}", query.command);
    let values = [
        ("User", query.user.as_deref()),
        ("DeviceId", Some(query.device_id.as_str())),
        ("DeviceType", Some(query.device_type.as_str())),
        ("AttachmentName", query.attachment_name.as_deref()),
        ("CollectionId", query.collection_id.as_deref()),
        ("ItemId", query.item_id.as_deref()),
        ("LongId", query.long_id.as_deref()),
        ("Occurrence", query.occurrence.as_deref()),
        ("SaveInSent", query.save_in_sent.then_some("T")),
    ];
    for (name, value) in values {
        if let Some(value) = value {
            raw.push('&');
            raw.push_str(name);
            raw.push('=');
            percent_encode(value, &mut raw);
        }
    }
    raw
}

/// Replaces `%41` by its octet; what is no such escape stays. A plus sign stays a plus sign:
/// addresses have them, and phones do not write blanks that way.
pub(crate) fn percent_decode(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| *first == b'%').and_then(|hex| {
            Some(char::from(hex[0]).to_digit(16)? * 16 + char::from(hex[1]).to_digit(16)?)
        });
        match escaped {
            Some(octet) => {
                octets.push(octet as u8);
                rest = &after[2..];
            }
            None => {
                octets.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// Escapes what is not unreserved in a URI (RFC 3986, section 2.3).
pub(crate) fn percent_encode(text: &str, raw: &mut String) {
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            raw.push(char::from(octet));
        } else {
            raw.push_str(&format!("%{octet:02X}"));
        }
    }
}
