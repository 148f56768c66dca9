//! From the MIME a phone hands in to octets a relay takes: the author is the user, nobody sees a Bcc, every line ends in CRLF.

use std::borrow::Cow;

use bytes::Bytes;

use super::super::headers::{Field, text, unfold};
use super::super::mime::Part;
use super::super::view::ids;
use super::super::{Address, Message, Unreadable, date, write};
use crate::clock::Timestamp;

/// The user in whose name mail leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The primary address.
    pub address: String,
    /// The name beside it; may be empty.
    pub display_name: String,
}

/// Mail ready for the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// What is sent, and what goes to Sent Items.
    pub raw: Bytes,
    /// To, Cc and Bcc without duplicates, in this order.
    pub recipients: Vec<String>,
    /// Without angle brackets.
    pub message_id: String,
}

/// Why mail cannot be sent; [MS-ASCMD] 2.2.2 has the status for each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// The octets have no header at all (status 107).
    #[error("this is no mail: it has no header")]
    NotMime,
    /// Nobody to send it to (status 119).
    #[error("the mail names no recipient")]
    NoRecipients,
    /// A recipient that is no address (status 183 from 16.0, else 119).
    #[error("{0:?} is no address")]
    BadRecipient(String),
    /// More than [`RECIPIENTS_MAX`] (status 116).
    #[error("the mail has more than {RECIPIENTS_MAX} recipients")]
    TooManyRecipients,
    /// Too large to be read (status 122).
    #[error(transparent)]
    TooLarge(#[from] Unreadable),
}

/// Makes mail that can leave from what a phone sent. `new_id` gives a Message-ID, without angle brackets, if one is missing.
pub fn prepare(
    raw: &[u8],
    sender: &Sender,
    now: Timestamp,
    new_id: impl FnOnce() -> String,
) -> Result<Outgoing, Unsendable> {
    let message = Message::parse(Bytes::from(with_crlf(raw).into_owned()))?;
    let root = &message.parts()[0];
    if root.header.fields.is_empty() {
        return Err(Unsendable::NotMime);
    }
    let recipients = recipients(&message)?;
    let stated_id = message.raw_header("message-id").and_then(usable_id);
    let message_id = stated_id.clone().unwrap_or_else(new_id);
    let mut out = Vec::with_capacity(message.size() + 512);
    write::address_field("From", &[author(sender)], &mut out);
    if message.date().is_none() {
        write::text_field("Date", &date::format(now), &mut out);
    }
    if stated_id.is_none() {
        write::id_field("Message-ID", std::slice::from_ref(&message_id), &mut out);
    }
    copy_fields(&message, root, stated_id.is_some(), &mut out);
    if message.raw_header("mime-version").is_none() {
        out.extend_from_slice(b"MIME-Version: 1.0\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(message.after_header());
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    Ok(Outgoing { raw: Bytes::from(out), recipients, message_id })
}

/// The user as an author.
pub(super) fn author(sender: &Sender) -> Address {
    let name = Some(sender.display_name.trim().to_owned()).filter(|name| !name.is_empty());
    Address { name, address: sender.address.clone() }
}

fn recipients(message: &Message) -> Result<Vec<String>, Unsendable> {
    let mut recipients: Vec<String> = Vec::new();
    for address in [message.to(), message.cc(), message.bcc()].into_iter().flatten() {
        if !address.is_sendable() {
            return Err(Unsendable::BadRecipient(address.formatted()));
        }
        if !recipients.iter().any(|known| known.eq_ignore_ascii_case(&address.address)) {
            if recipients.len() == RECIPIENTS_MAX {
                return Err(Unsendable::TooManyRecipients);
            }
            recipients.push(address.address);
        }
    }
    if recipients.is_empty() { Err(Unsendable::NoRecipients) } else { Ok(recipients) }
}

/// A Message-ID that is one, and that other systems will keep as it is.
fn usable_id(value: &[u8]) -> Option<String> {
    if !value.is_ascii() || value.contains(&0) {
        return None;
    }
    ids(value).into_iter().next().filter(|id| id.contains('@') && write::is_plain(id))
}

/// Copies the fields that stay, each single one once; lists that relays would not understand are written anew.
fn copy_fields(message: &Message, root: &Part, keep_id: bool, out: &mut Vec<u8>) {
    let raw = message.raw();
    let mut seen: Vec<String> = Vec::new();
    for field in &root.header.fields {
        let name = String::from_utf8_lossy(field.name(raw)).to_ascii_lowercase();
        let dropped = DROPPED.contains(&name.as_str())
            || (name == "date" && message.date().is_none())
            || (name == "message-id" && !keep_id)
            || (SINGLE.contains(&name.as_str()) && seen.contains(&name));
        if dropped {
            continue;
        }
        copy_field(&name, field, raw, out);
        if SINGLE.contains(&name.as_str()) {
            seen.push(name);
        }
    }
}

fn copy_field(name: &str, field: &Field, raw: &[u8], out: &mut Vec<u8>) {
    let value = field.value(raw);
    let is_ascii = value.is_ascii() && !value.contains(&0);
    let is_list = matches!(name, "to" | "cc" | "reply-to");
    let stated_name = String::from_utf8_lossy(field.name(raw));
    if is_list && (!is_ascii || value.contains(&b';')) {
        write::address_field(&stated_name, &Address::parse_list(&unfold(value, None)), out);
    } else if !is_ascii && matches!(name, "in-reply-to" | "references") {
        write::id_field(&stated_name, &ids(value), out);
    } else if !is_ascii && !name.starts_with("content-") {
        write::text_field(&stated_name, &text(value, None), out);
    } else {
        out.extend_from_slice(field.whole(raw));
        out.extend_from_slice(b"\r\n");
    }
}

/// The same octets, every line end a CRLF.
fn with_crlf(raw: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Option<Vec<u8>> = None;
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'\r', b'\n', &raw[at..]).map(|n| at + n) {
        if raw[found..].starts_with(b"\r\n") {
            at = found + 2;
            continue;
        }
        let out = out.get_or_insert_with(|| Vec::with_capacity(raw.len() + raw.len() / 32));
        out.extend_from_slice(&raw[copied..found]);
        out.extend_from_slice(b"\r\n");
        at = found + 1;
        copied = at;
    }
    match out {
        None => Cow::Borrowed(raw),
        Some(mut out) => {
            out.extend_from_slice(&raw[copied..]);
            Cow::Owned(out)
        }
    }
}

/// Recipients of one mail.
pub const RECIPIENTS_MAX: usize = 1_000;

/// Fields a phone has no say in, or that nobody else may see.
const DROPPED: [&str; 5] = ["from", "sender", "bcc", "return-path", "received"];
/// Fields that count once.
const SINGLE: [&str; 10] = [
    "date",
    "message-id",
    "subject",
    "to",
    "cc",
    "reply-to",
    "in-reply-to",
    "references",
    "content-type",
    "mime-version",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> Sender {
        Sender { address: "ann@x.example".into(), display_name: "Ann Ö.".into() }
    }

    fn send(raw: &str) -> Result<Outgoing, Unsendable> {
        prepare(raw.as_bytes(), &ann(), Timestamp(1_795_507_200_000), || "new@x.example".into())
    }

    fn read(outgoing: &Outgoing) -> Message {
        Message::parse(outgoing.raw.clone()).unwrap()
    }

    #[test]
    fn the_author_is_the_user_whatever_the_phone_says() {
        let sent = send("From: Boss <boss@x.example>\nSender: y@x.example\nTo: b@x.example\n\nhi")
            .unwrap();
        let message = read(&sent);
        assert_eq!(message.from(), Some(author(&ann())));
        assert_eq!(message.sender(), None);
        assert!(sent.raw.ends_with(b"\r\n\r\nhi\r\n"));
    }

    #[test]
    fn missing_fields_are_added_and_stated_ones_stay() {
        let message = read(&send("To: b@x.example\r\n\r\n").unwrap());
        assert_eq!(message.message_id().as_deref(), Some("new@x.example"));
        assert_eq!(message.date(), Some(Timestamp(1_795_507_200_000)));
        let stated = send(
            "To: b@x.example\r\nMessage-ID: <own@phone>\r\nDate: Mon, 23 Nov 2026 08:00:00 +0100\r\n\r\n",
        );
        let stated = stated.unwrap();
        assert_eq!(stated.message_id, "own@phone");
        assert_eq!(read(&stated).date(), Some(Timestamp(1_795_417_200_000)));
    }

    #[test]
    fn nobody_sees_a_bcc_but_everybody_gets_the_mail() {
        let sent = send(
            "To: B <b@x.example>; c@x.example\r\nCc: C@X.example\r\nBcc: d@x.example\r\n\r\nhi\r\n",
        );
        let sent = sent.unwrap();
        assert_eq!(sent.recipients, ["b@x.example", "c@x.example", "d@x.example"]);
        let text = String::from_utf8_lossy(&sent.raw).into_owned();
        assert!(!text.contains("d@x.example") && !text.contains(';'), "{text}");
    }

    #[test]
    fn raw_umlauts_are_encoded() {
        let sent = send("To: Jürgen <j@x.example>\r\nSubject: Grüße\r\n\r\nhi\r\n").unwrap();
        assert!(sent.raw.is_ascii());
        assert_eq!(read(&sent).subject(), "Grüße");
        assert_eq!(read(&sent).to()[0].display(), "Jürgen");
    }

    #[test]
    fn an_id_that_is_no_ascii_is_replaced() {
        let sent = send("To: j@x.example\r\nMessage-ID: <ü@x.example>\r\n\r\n").unwrap();
        assert_eq!(read(&sent).message_id().as_deref(), Some("new@x.example"));
    }

    #[test]
    fn what_cannot_be_sent_says_why() {
        assert_eq!(send(""), Err(Unsendable::NotMime));
        assert_eq!(send("no header here"), Err(Unsendable::NotMime));
        assert_eq!(send("Subject: x\r\n\r\n"), Err(Unsendable::NoRecipients));
        assert!(matches!(send("To: Jane\r\n\r\n"), Err(Unsendable::BadRecipient(_))));
        let many: Vec<_> = (0..=RECIPIENTS_MAX).map(|n| format!("u{n}@x.example")).collect();
        assert_eq!(
            send(&format!("To: {}\r\n\r\n", many.join(",\r\n "))),
            Err(Unsendable::TooManyRecipients)
        );
    }

    #[test]
    fn every_line_ends_in_crlf() {
        assert_eq!(with_crlf(b"a\r\nb\nc\rd\n"), &b"a\r\nb\r\nc\r\nd\r\n"[..]);
        assert!(matches!(with_crlf(b"a\r\nb"), Cow::Borrowed(_)));
    }
}
