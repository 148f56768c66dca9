//! Identity: whether two copies are the same message, whatever mailbox, folder or number each has.
//!
//! All three headers are written by whoever sent the mail. So a *claimed* identity finds copies, and only a *verified* one,
//! which also covers the octets after the header, lets a sender's own order bind to them.

use sha2::{Digest, Sha256};

use super::headers::{Header, text, unfold};
use super::view::ids;
use super::{Address, Message, date};
use crate::clock::Timestamp;

/// What a message says it is, and what it is made of.
///
/// Normalisation: the Message-ID without angle brackets and blanks, its case kept; the Date as the second it names, whatever
/// zone it was written in; the first From address with its ASCII letters in lower case. If one of the three is missing or
/// unreadable, the whole message stands for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The Message-ID without angle brackets.
    pub message_id: Option<String>,
    /// When it says it was written.
    pub date: Option<Timestamp>,
    /// The first author's address in lower case.
    pub from: Option<String>,
    /// SHA-256 over Message-ID, Date and From, or over the whole message where one of them is missing.
    pub claimed: [u8; 32],
    /// SHA-256 of the octets after the header.
    pub verified: [u8; 32],
}

impl Identity {
    /// The identity of a parsed message.
    pub fn of(message: &Message) -> Identity {
        Identity::from_header(message.raw(), &message.parts()[0].header)
    }

    /// The identity of raw octets, of any size and kind.
    pub fn of_raw(raw: &[u8]) -> Identity {
        Identity::from_header(raw, &Header::parse(raw, 0, |_| false))
    }

    /// The identity of a message of which only the header's fields are known: it claims and is not verified. All copies that claim the
    /// same and have not been read are one.
    pub fn unread(fields: &[u8]) -> Identity {
        let claims = Identity::of_raw(fields);
        let verified = Sha256::new().chain_update(UNREAD).chain_update(claims.claimed).finalize();
        Identity { verified: verified.into(), ..claims }
    }

    /// Whether the octets after the header have never been seen.
    pub fn is_unread(&self) -> bool {
        let unread = Sha256::new().chain_update(UNREAD).chain_update(self.claimed).finalize();
        self.verified == <[u8; 32]>::from(unread)
    }

    /// Whether `other` is the same message down to the octets after the header.
    pub fn is_verified_copy_of(&self, other: &Identity) -> bool {
        self.claimed == other.claimed && self.verified == other.verified
    }

    fn from_header(raw: &[u8], header: &Header) -> Identity {
        let message_id =
            header.find(raw, "message-id").and_then(|value| ids(value).into_iter().next());
        let date = header.find(raw, "date").and_then(|value| date::parse(&text(value, None)));
        let authors =
            header.find(raw, "from").map(|value| Address::parse_list(&unfold(value, None)));
        let from = authors.and_then(|list| list.into_iter().next()).map(|from| from.address);
        let from = from.filter(|from| !from.is_empty()).map(|from| from.to_ascii_lowercase());
        let claimed = match (&message_id, date, &from) {
            (Some(id), Some(date), Some(from)) => claim(id, date, from),
            _ => Sha256::new().chain_update(WHOLE).chain_update(raw).finalize().into(),
        };
        let verified = Sha256::digest(&raw[header.body_start..]).into();
        Identity { message_id, date, from, claimed, verified }
    }
}

/// Each piece is preceded by its length, so that no two triples give the same octets.
fn claim(id: &str, date: Timestamp, from: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(CLAIM);
    for piece in [id.as_bytes(), &date.seconds().to_be_bytes(), from.as_bytes()] {
        hash.update((piece.len() as u64).to_be_bytes());
        hash.update(piece);
    }
    hash.finalize().into()
}

const CLAIM: &[u8] = b"retract identity 1: message-id, date, from\0";
const UNREAD: &[u8] = b"retract identity 1: not read\0";
const WHOLE: &[u8] = b"retract identity 1: whole message\0";

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(raw: &str) -> Identity {
        let message = Message::parse(raw.to_owned().into_bytes().into()).unwrap();
        let identity = Identity::of(&message);
        assert_eq!(identity, Identity::of_raw(raw.as_bytes()));
        identity
    }

    const MAIL: &str = "Received: by a\r\nMessage-ID: <1@x.example>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n\
                        From: Ann <ann@x.example>\r\n\r\nHello\r\n";

    #[test]
    fn a_copy_keeps_its_identity_on_other_roads() {
        let first = identity(MAIL);
        let other = identity(
            "Received: by b\r\nFrom: ANN <Ann@X.example>\r\nMessage-Id:\r\n <1@x.example>\r\n\
             Date: Tue, 24 Nov 2026 09:00:00 +0100\r\n\r\nHello\r\n",
        );
        assert!(first.is_verified_copy_of(&other));
    }

    #[test]
    fn a_forged_copy_claims_but_does_not_verify() {
        let first = identity(MAIL);
        let forged = identity(&MAIL.replace("Hello", "Other"));
        assert_eq!(first.claimed, forged.claimed);
        assert!(!first.is_verified_copy_of(&forged));
    }

    #[test]
    fn without_one_header_the_whole_message_stands_for_them() {
        let without_date = MAIL.replace("Date: Tue, 24 Nov 2026 08:00:00 +0000\r\n", "");
        let changed = without_date.replace("Hello", "Other");
        assert_ne!(identity(&without_date).claimed, identity(&changed).claimed);
        assert_ne!(identity(&MAIL.replace("<1@", "<2@")).claimed, identity(MAIL).claimed);
        assert_eq!(identity(&MAIL.replace("Ann <ann@x.example>", "")).from, None);
        assert_eq!(identity("").message_id, None);
    }
}
