//! ENVELOPE: the header fields as the server took them apart (RFC 9051 7.5.2).

use crate::value::Value;

/// The envelope of a message; octets as the message has them, 8-bit text and encoded words included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Date.
    pub date: Option<Vec<u8>>,
    /// Subject.
    pub subject: Option<Vec<u8>>,
    /// From.
    pub from: Vec<Address>,
    /// Sender, or From again.
    pub sender: Vec<Address>,
    /// Reply-To, or From again.
    pub reply_to: Vec<Address>,
    /// To.
    pub to: Vec<Address>,
    /// Cc.
    pub cc: Vec<Address>,
    /// Bcc.
    pub bcc: Vec<Address>,
    /// In-Reply-To.
    pub in_reply_to: Option<Vec<u8>>,
    /// Message-ID.
    pub message_id: Option<Vec<u8>>,
}

/// An address; without a host it opens a group (with a mailbox) or closes one (without).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The name people read.
    pub name: Option<Vec<u8>>,
    /// What stands before the @.
    pub mailbox: Option<Vec<u8>>,
    /// What stands after it.
    pub host: Option<Vec<u8>>,
}

/// Reads an envelope; nothing if it has not ten fields that are strings or lists as they should be.
pub(super) fn read(value: &Value<'_>) -> Option<Envelope> {
    let [date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id, ..] =
        value.list()?
    else {
        return None;
    };
    Some(Envelope {
        date: text(date)?,
        subject: text(subject)?,
        from: addresses(from)?,
        sender: addresses(sender)?,
        reply_to: addresses(reply_to)?,
        to: addresses(to)?,
        cc: addresses(cc)?,
        bcc: addresses(bcc)?,
        in_reply_to: text(in_reply_to)?,
        message_id: text(message_id)?,
    })
}

/// A string or NIL; nothing for anything else.
pub(super) fn text(value: &Value<'_>) -> Option<Option<Vec<u8>>> {
    match value {
        Value::Atom(_) | Value::Text(_) => Some(value.octets().map(<[u8]>::to_vec)),
        _ => None,
    }
}

fn addresses(value: &Value<'_>) -> Option<Vec<Address>> {
    if value.is_atom("NIL") {
        return Some(Vec::new());
    }
    value.list()?.iter().map(address).collect()
}

fn address(value: &Value<'_>) -> Option<Address> {
    let [name, _route, mailbox, host, ..] = value.list()? else { return None };
    Some(Address { name: text(name)?, mailbox: text(mailbox)?, host: text(host)? })
}
