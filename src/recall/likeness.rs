//! What a mail on its way out has to do with messages that were recalled: it answers one, carries one, or carries a file of one.
//!
//! A file is recognised by the SHA-256 of its decoded octets, kept for every message that was ever recalled. Files that many unrelated
//! mails share (pictures in signatures, cards, signatures) are no sign of anything and are passed over on both sides.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::tables;
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::{IdentityId, MailboxId, OrderId};
use crate::message::{self, Attachment, Identity, Message};

/// What becomes of a mail that carries, quotes or answers a recalled message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnSend {
    /// It leaves; the audit says so.
    #[default]
    Note,
    /// It waits until somebody has looked at it.
    Hold,
    /// It is not taken.
    Refuse,
}

/// By what a mail was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// It names the message it answers.
    Reference,
    /// The message itself is attached.
    Message,
    /// A file of the message is attached.
    File,
}

impl Sign {
    /// The word for it in audit entries.
    pub fn text(self) -> &'static str {
        match self {
            Sign::Reference => "reference",
            Sign::Message => "message",
            Sign::File => "file",
        }
    }
}

/// An open order over a message that a mail has to do with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Likeness {
    /// The order.
    pub order: OrderId,
    /// By what.
    pub sign: Sign,
}

/// Everything of a mail by which it can be recognised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carries {
    references: Vec<String>,
    messages: Vec<Identity>,
    files: Vec<[u8; 32]>,
}

impl Carries {
    /// Reads a mail: hashes its files, so not on a thread that others wait for.
    pub fn of(message: &Message) -> Carries {
        let references = message.in_reply_to().into_iter().chain(message.references());
        let attached = message.attachments();
        let messages = attached.iter().filter(|file| is_message(file)).take(MESSAGES_MAX);
        Carries {
            references: references.take(REFERENCES_MAX).collect(),
            messages: messages
                .filter_map(|file| message.attachment_bytes(file.index))
                .map(|octets| Identity::of_raw(&octets))
                .collect(),
            files: files(message),
        }
    }
}

/// The messages that a mail answers or carries, each once with its strongest sign. Files are recognised only where they are of messages
/// that were recalled at some time, since no others are hashed.
pub(super) fn named(tx: &Tx<'_>, carries: &Carries) -> Result<Vec<(IdentityId, Sign)>, Error> {
    let mut found: Vec<(IdentityId, Sign)> = Vec::new();
    for hash in &carries.files {
        found.extend(tables::with_file(tx, hash)?.into_iter().map(|id| (id, Sign::File)));
    }
    for identity in &carries.messages {
        found.extend(message::registered(tx, identity)?.map(|id| (id, Sign::Message)));
    }
    // What it answers stands first, and of its ancestors the nearest stand last.
    let (answers, ancestors) = carries.references.split_at(carries.references.len().min(1));
    for message_id in answers.iter().chain(ancestors.iter().rev().take(ANCESTORS_MAX)) {
        let named = message::with_message_id(tx, message_id, IDENTITIES_MAX)?;
        found.extend(named.into_iter().map(|id| (id, Sign::Reference)));
    }
    found.sort_by_key(|(id, sign)| (*id, std::cmp::Reverse(*sign)));
    found.dedup_by_key(|(id, _)| *id);
    Ok(found)
}

/// The open orders a mail from this mailbox runs against, each once, by its strongest sign. What a sender has to do with an own
/// message that was left in the own mailbox is the sender's business.
pub fn resembles(
    tx: &Tx<'_>,
    carries: &Carries,
    mailbox: MailboxId,
    now: Timestamp,
) -> Result<Vec<Likeness>, Error> {
    let mut found: Vec<(IdentityId, Sign)> = Vec::new();
    for hash in &carries.files {
        found.extend(tables::with_file(tx, hash)?.into_iter().map(|id| (id, Sign::File)));
    }
    for identity in &carries.messages {
        found.extend(message::registered(tx, identity)?.map(|id| (id, Sign::Message)));
    }
    for message_id in &carries.references {
        let named = message::with_message_id(tx, message_id, IDENTITIES_MAX)?;
        found.extend(named.into_iter().map(|id| (id, Sign::Reference)));
    }
    let mut orders: Vec<Likeness> = Vec::new();
    for (identity, sign) in found {
        let mut over = tables::open_orders_over(tx, identity, mailbox)?;
        over.extend(super::covers(tx, identity, mailbox, now)?);
        for order in over {
            if orders.iter().all(|known| known.order != order) {
                orders.push(Likeness { order, sign });
            }
        }
    }
    orders.sort_unstable_by_key(|likeness| likeness.order);
    Ok(orders)
}

/// The hashes of the files of a message that say something about it.
pub(super) fn files_of(raw: Bytes) -> Vec<[u8; 32]> {
    Message::parse(raw).map(|message| files(&message)).unwrap_or_default()
}

fn files(message: &Message) -> Vec<[u8; 32]> {
    let telling = message.attachments().iter().filter(|file| is_telling(file)).take(FILES_MAX);
    let octets = telling.filter_map(|file| message.attachment_bytes(file.index));
    let mut hashes: Vec<[u8; 32]> = octets.map(|octets| Sha256::digest(&octets).into()).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

fn is_message(file: &Attachment) -> bool {
    file.content_type.eq_ignore_ascii_case("message/rfc822")
}

/// Whether another mail with the same file has to do with this one.
fn is_telling(file: &Attachment) -> bool {
    !file.inline
        && file.size >= FILE_OCTETS_MIN
        && !is_message(file)
        && !COMMONPLACE.iter().any(|kind| file.content_type.eq_ignore_ascii_case(kind))
}

/// Kinds of files that people send with every mail.
const COMMONPLACE: [&str; 8] = [
    "application/pgp-keys",
    "application/pgp-signature",
    "application/pkcs7-signature",
    "application/x-pkcs7-signature",
    "message/delivery-status",
    "text/rfc822-headers",
    "text/vcard",
    "text/x-vcard",
];
/// Smaller files are alike by chance: empty ones, one-line notes.
const FILE_OCTETS_MIN: usize = 128;
/// Files of one mail that are hashed at most.
const FILES_MAX: usize = 200;
/// Message-IDs of References and In-Reply-To that are looked up at most.
const REFERENCES_MAX: usize = 50;
/// Message-IDs of References that are looked up for every mail that is sent, beside that of In-Reply-To.
const ANCESTORS_MAX: usize = 19;
/// Attached messages that are looked up at most.
const MESSAGES_MAX: usize = 20;
/// Identities of one Message-ID that are looked up at most.
const IDENTITIES_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(kind: &str, disposition: &str, content: &str) -> Bytes {
        Bytes::from(format!(
            "From: a@x.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n\
             --b\r\nContent-Type: {kind}\r\nContent-Disposition: {disposition}; filename=f\r\n\r\n{content}\r\n--b--\r\n"
        ))
    }

    #[test]
    fn a_file_is_known_by_its_octets_however_it_was_encoded() {
        let content = "salary,name\r\n".repeat(20);
        let plain = files_of(mail("text/csv", "attachment", &content));
        let quoted = mail("text/csv", "attachment", &content.replace("salary", "s=61lary"));
        let quoted = String::from_utf8(quoted.to_vec()).unwrap().replace(
            "Content-Type: text/csv",
            "Content-Transfer-Encoding: quoted-printable\r\nContent-Type: application/csv",
        );
        assert_eq!(plain.len(), 1);
        assert_eq!(plain, files_of(quoted.into()));
    }

    #[test]
    fn cards_signatures_and_trifles_are_no_sign() {
        let long = "x".repeat(FILE_OCTETS_MIN);
        assert!(files_of(mail("text/vcard", "attachment", &long)).is_empty());
        assert!(files_of(mail("application/pgp-signature", "attachment", &long)).is_empty());
        assert!(files_of(mail("text/csv", "attachment", "short")).is_empty());
        assert_eq!(files_of(mail("text/csv", "attachment", &long)).len(), 1);
    }
}
