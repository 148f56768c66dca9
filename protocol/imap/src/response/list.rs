//! LIST, STATUS and NAMESPACE (RFC 9051 7.3).

use super::{Context, strings};
use crate::mailbox::Mailbox;
use crate::value::{Fault, Value};

/// A mailbox in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub mailbox: Mailbox,
    /// What stands between the levels of its name, if it has levels.
    pub delimiter: Option<char>,
    /// Its attributes as spelt, such as `\HasChildren`, `\NonExistent` and `\Sent`.
    pub attributes: Vec<String>,
    /// The name it had before it was renamed (RFC 9051 6.3.9.7).
    pub old_name: Option<Mailbox>,
}

impl Listed {
    /// Has it the attribute, whatever its case?
    pub fn is(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|one| one.eq_ignore_ascii_case(attribute))
    }

    /// Can it be opened?
    pub fn is_selectable(&self) -> bool {
        !self.is("\\Noselect") && !self.is("\\NonExistent")
    }
}

/// The state of a mailbox; what was not said is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxStatus {
    /// Which mailbox.
    pub mailbox: Mailbox,
    /// How many messages it has.
    pub messages: Option<u32>,
    /// The UID of the next message.
    pub uid_next: Option<u32>,
    /// The generation of its UIDs.
    pub uid_validity: Option<u32>,
    /// How many messages are unread.
    pub unseen: Option<u32>,
    /// How many messages are marked deleted.
    pub deleted: Option<u32>,
    /// Octets of all its messages.
    pub size: Option<u64>,
    /// The position of its latest change; 0 where the server keeps none.
    pub highest_modseq: Option<u64>,
    /// Its id, which outlives a rename.
    pub mailbox_id: Option<String>,
}

/// Where mailboxes lie: prefix and delimiter of each place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    /// One's own.
    pub personal: Vec<(String, Option<char>)>,
    /// Those of other users.
    pub others: Vec<(String, Option<char>)>,
    /// Those meant for many.
    pub shared: Vec<(String, Option<char>)>,
}

pub(super) fn read(values: &[Value<'_>], context: &Context) -> Result<Listed, Fault> {
    let [attributes, delimiter, name, extended @ ..] = values else {
        return Err(Fault::Malformed("LIST"));
    };
    let attributes = attributes.list().ok_or(Fault::Malformed("LIST"))?;
    let mut listed = Listed {
        mailbox: mailbox(name, context).ok_or(Fault::Malformed("mailbox name"))?,
        delimiter: character(delimiter),
        attributes: strings(attributes),
        old_name: None,
    };
    let extended = extended.first().and_then(Value::list).unwrap_or_default();
    let (pairs, _) = extended.as_chunks::<2>();
    for [name, value] in pairs {
        let is_old = name.octets().is_some_and(|name| name.eq_ignore_ascii_case(b"OLDNAME"));
        if let Some([old]) = value.list().filter(|_| is_old) {
            listed.old_name = mailbox(old, context);
        }
    }
    Ok(listed)
}

pub(super) fn read_status(values: &[Value<'_>], context: &Context) -> Result<MailboxStatus, Fault> {
    let [name, items, ..] = values else { return Err(Fault::Malformed("STATUS")) };
    let mut status = MailboxStatus {
        mailbox: mailbox(name, context).ok_or(Fault::Malformed("mailbox name"))?,
        messages: None,
        uid_next: None,
        uid_validity: None,
        unseen: None,
        deleted: None,
        size: None,
        highest_modseq: None,
        mailbox_id: None,
    };
    let items = items.list().ok_or(Fault::Malformed("STATUS"))?;
    let (pairs, _) = items.as_chunks::<2>();
    for [name, value] in pairs {
        match &name.octets().unwrap_or_default().to_ascii_uppercase()[..] {
            b"MESSAGES" => status.messages = value.number(),
            b"UIDNEXT" => status.uid_next = value.number(),
            b"UIDVALIDITY" => status.uid_validity = value.number(),
            b"UNSEEN" => status.unseen = value.number(),
            b"DELETED" => status.deleted = value.number(),
            b"SIZE" => status.size = value.number(),
            b"HIGHESTMODSEQ" => status.highest_modseq = value.number(),
            b"MAILBOXID" => {
                let id = value.list().and_then(<[Value<'_>]>::first);
                status.mailbox_id = id.and_then(Value::string);
            }
            _ => {}
        }
    }
    Ok(status)
}

pub(super) fn read_namespace(values: &[Value<'_>]) -> Result<Namespace, Fault> {
    let [personal, others, shared, ..] = values else { return Err(Fault::Malformed("NAMESPACE")) };
    let places = |value: &Value<'_>| {
        let places = value.list().unwrap_or_default();
        let place = |place: &Value<'_>| match place.list()? {
            [prefix, delimiter, ..] => Some((prefix.string()?, character(delimiter))),
            _ => None,
        };
        places.iter().filter_map(place).collect()
    };
    Ok(Namespace { personal: places(personal), others: places(others), shared: places(shared) })
}

fn mailbox(value: &Value<'_>, context: &Context) -> Option<Mailbox> {
    // A mailbox called NIL is a mailbox: only strings of the other kind can be missing.
    match value {
        Value::Atom(name) => Some(Mailbox::from_wire(name, context.utf8)),
        _ => value.octets().map(|name| Mailbox::from_wire(name, context.utf8)),
    }
}

fn character(value: &Value<'_>) -> Option<char> {
    value.string()?.chars().next()
}
