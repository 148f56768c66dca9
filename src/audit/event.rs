//! Events and their canonical encoding.
//!
//! An entry is encoded in one way only, so that its hash can be checked by anybody who has the bytes. Personal fields are in it as
//! commitments, SHA-256 over a random salt and the value: with salt and value the commitment can be opened, without them it tells
//! nothing, so erasing the two never breaks a proof.
//!
//! ```text
//! 01 | number u64 | at_ms i64 | kind str16 | fields u16 | field*        (integers big-endian, str16: length u16, UTF-8)
//! field: name str16, then  01 i64  |  02 length u32, UTF-8  |  03 commitment 32 bytes
//! ```

use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::ids::{
    CollectionNumber, DeviceId, FolderId, IdentityId, ItemNumber, MailboxId, OrderId, UserId,
};

/// Octets of one text or personal field; what is longer is cut at a character's end.
pub const TEXT_BYTES_MAX: usize = 4_096;
/// Fields of one event; more are left out.
pub const FIELDS_MAX: usize = 256;
/// Octets of the salt of a commitment.
pub(super) const SALT_BYTES: usize = 16;

/// Something that happened, to be noted in the transaction that makes it happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub(super) kind: &'static str,
    pub(super) fields: Vec<(&'static str, Said)>,
}

/// What an event says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Number(i64),
    Text(String),
    Personal(String),
}

/// An integer to note: an id, a count, a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub i64);

impl Event {
    /// An event of this kind: room and what is now true, such as `order.fenced`.
    pub fn new(kind: &'static str) -> Event {
        Event { kind, fields: Vec::new() }
    }

    /// Adds an id, a count or a time. The field `order` is also what entries are found by.
    pub fn id(self, name: &'static str, value: impl Into<Number>) -> Event {
        self.with(name, Said::Number(value.into().0))
    }

    /// Adds words that are about no person: a reason code, a state, a hash.
    pub fn text(self, name: &'static str, value: impl Into<String>) -> Event {
        self.with(name, Said::Text(cut(value.into())))
    }

    /// Adds words that are about a person: an address, a subject, a device's name. They can be erased later.
    pub fn personal(self, name: &'static str, value: impl Into<String>) -> Event {
        self.with(name, Said::Personal(cut(value.into())))
    }

    /// The order the event is about.
    pub(super) fn order(&self) -> Option<i64> {
        self.fields.iter().find_map(|(name, said)| match said {
            Said::Number(number) if *name == ORDER => Some(*number),
            _ => None,
        })
    }

    fn with(mut self, name: &'static str, said: Said) -> Event {
        if self.fields.len() < FIELDS_MAX {
            self.fields.push((name, said));
        }
        self
    }
}

/// What an entry says, as it is hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number, from 0: its leaf in the tree.
    pub number: u64,
    /// When it happened.
    pub at: Timestamp,
    /// Of what kind it is.
    pub kind: String,
    /// Names and values, in the order they were noted.
    pub fields: Vec<(String, Value)>,
}

/// The value of a field, as it is hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// An id, a count or a time.
    Number(i64),
    /// Words about no person.
    Text(String),
    /// The commitment to words about a person.
    Personal([u8; 32]),
}

impl Record {
    /// The order the entry is about.
    pub fn order(&self) -> Option<i64> {
        self.fields.iter().find_map(|(name, value)| match value {
            Value::Number(number) if name == ORDER => Some(*number),
            _ => None,
        })
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend(self.number.to_be_bytes());
        out.extend(self.at.ms().to_be_bytes());
        put_name(&mut out, &self.kind);
        out.extend(u16::try_from(self.fields.len()).unwrap_or(u16::MAX).to_be_bytes());
        for (name, value) in &self.fields {
            put_name(&mut out, name);
            put_value(&mut out, value);
        }
        out
    }

    /// Reads a canonical encoding; `None` for anything that [`Record::encode`] would not write.
    pub fn decode(bytes: &[u8]) -> Option<Record> {
        let mut rest = bytes;
        let [VERSION] = take(&mut rest)? else { return None };
        let number = u64::from_be_bytes(take(&mut rest)?);
        let at = Timestamp(i64::from_be_bytes(take(&mut rest)?));
        let kind = take_name(&mut rest)?;
        let count = u16::from_be_bytes(take(&mut rest)?);
        let mut fields = Vec::new();
        for _ in 0..count {
            fields.push((take_name(&mut rest)?, take_value(&mut rest)?));
        }
        rest.is_empty().then_some(Record { number, at, kind, fields })
    }
}

/// The commitment to a personal value.
pub fn commitment(salt: &[u8], value: &str) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(value).finalize().into()
}

fn put_name(out: &mut Vec<u8>, text: &str) {
    // Names and kinds are literals of ours, far shorter than this.
    out.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Number(number) => {
            out.push(NUMBER);
            out.extend(number.to_be_bytes());
        }
        Value::Text(text) => {
            out.push(TEXT);
            out.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        Value::Personal(commitment) => {
            out.push(PERSONAL);
            out.extend(commitment);
        }
    }
}

fn take_value(rest: &mut &[u8]) -> Option<Value> {
    let [tag] = take(rest)?;
    match tag {
        NUMBER => Some(Value::Number(i64::from_be_bytes(take(rest)?))),
        TEXT => {
            let length = u32::from_be_bytes(take(rest)?);
            take_text(rest, usize::try_from(length).ok()?).map(Value::Text)
        }
        PERSONAL => take(rest).map(Value::Personal),
        _ => None,
    }
}

fn take_name(rest: &mut &[u8]) -> Option<String> {
    let length = u16::from_be_bytes(take(rest)?);
    take_text(rest, usize::from(length))
}

fn take_text(rest: &mut &[u8], length: usize) -> Option<String> {
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(std::str::from_utf8(text).ok()?.to_owned())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*bytes)
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text
}

macro_rules! numbers {
    ($($type:ident),*) => {$(
        impl From<$type> for Number {
            fn from(id: $type) -> Number {
                Number(i64::from(id.0))
            }
        }
    )*};
}
numbers!(
    UserId,
    MailboxId,
    FolderId,
    DeviceId,
    OrderId,
    IdentityId,
    CollectionNumber,
    ItemNumber,
    Timestamp
);

impl From<i64> for Number {
    fn from(value: i64) -> Number {
        Number(value)
    }
}

impl From<u32> for Number {
    fn from(value: u32) -> Number {
        Number(i64::from(value))
    }
}

impl From<i32> for Number {
    fn from(value: i32) -> Number {
        Number(i64::from(value))
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Number {
        Number(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Number {
        Number(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

/// The field that entries are found by.
const ORDER: &str = "order";
const VERSION: u8 = 1;
const NUMBER: u8 = 1;
const TEXT: u8 = 2;
const PERSONAL: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            number: 2,
            at: Timestamp(258),
            kind: "order.fenced".to_owned(),
            fields: vec![
                ("order".to_owned(), Value::Number(5)),
                ("reason".to_owned(), Value::Text("é".to_owned())),
                ("by".to_owned(), Value::Personal(commitment(b"salt", "ada@example.org"))),
            ],
        }
    }

    #[test]
    fn the_encoding_is_the_documented_one() {
        let short = Record { fields: record().fields[..2].to_vec(), ..record() };
        let mut expected = vec![1];
        expected.extend([0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 2, 0, 12]);
        expected.extend(b"order.fenced");
        expected.extend([0, 2, 0, 5]);
        expected.extend(b"order");
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 6]);
        expected.extend(b"reason");
        expected.extend([2, 0, 0, 0, 2, 0xc3, 0xa9]);
        assert_eq!(short.encode(), expected);
    }

    #[test]
    fn what_was_encoded_comes_back_and_nothing_else_does() {
        let bytes = record().encode();
        assert_eq!(Record::decode(&bytes), Some(record()));
        for end in 0..bytes.len() {
            assert_eq!(Record::decode(&bytes[..end]), None, "{end}");
        }
        assert_eq!(Record::decode(&[&bytes[..], &[0]].concat()), None);
    }

    #[test]
    fn long_words_are_cut_at_a_character() {
        let event = Event::new("test").text("long", "é".repeat(TEXT_BYTES_MAX));
        let Said::Text(text) = &event.fields[0].1 else { panic!("not a text") };
        assert_eq!(text.len(), TEXT_BYTES_MAX);
        let odd = Event::new("test").text("long", format!("x{}", "é".repeat(TEXT_BYTES_MAX)));
        let Said::Text(text) = &odd.fields[0].1 else { panic!("not a text") };
        assert_eq!(text.len(), TEXT_BYTES_MAX - 1);
    }
}
