//! Responses: what a server says, typed as far as we know it.
//!
//! [`read`] makes one [`Response`] from one frame. Data we have no type for is [`Untagged::Other`]; a response that should have
//! a meaning and has none is an error, never an empty answer.

mod body;
mod envelope;
mod fetch;
mod list;
mod search;
mod status;

pub use body::{Body, BodyKind, Disposition, Part};
pub use envelope::{Address, Envelope};
pub use fetch::{Content, Data, Fetch, Number, Section, SectionText};
pub use list::{Listed, MailboxStatus, Namespace};
pub use search::{Esearch, Search};
pub use status::{Code, Condition, Status};

use crate::capability::Capabilities;
use crate::flag::Flag;
use crate::frame::Frame;
use crate::limits::Limits;
use crate::set::NumberSet;
use crate::value::{Fault, Lexer, Value};

/// What a response needs to know of its connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) limits: Limits,
    /// Is UTF8=ACCEPT enabled?
    pub(crate) utf8: bool,
}

/// One response.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Response {
    /// The last word on a command.
    Tagged { tag: Vec<u8>, status: Status },
    /// Data, or news.
    Untagged(Untagged),
    /// Go ahead.
    Continue(Vec<u8>),
}

/// Data of a server, asked for or not.
#[derive(Clone, Debug, PartialEq)]
pub enum Untagged {
    /// OK, NO, BAD, BYE or PREAUTH.
    Status(Status),
    /// What the server can do.
    Capability(Capabilities),
    /// Extensions that are on now.
    Enabled(Vec<String>),
    /// The flags of the mailbox.
    Flags(Vec<Flag>),
    /// A mailbox.
    List(Listed),
    /// The state of a mailbox.
    MailboxStatus(MailboxStatus),
    /// Where mailboxes lie.
    Namespace(Namespace),
    /// Messages found, without a word on whose search it was.
    Search(Search),
    /// Messages found, with the tag of the search.
    Esearch(Esearch),
    /// How many messages the mailbox has.
    Exists(u32),
    /// How many are new to this session.
    Recent(u32),
    /// The message with this sequence number is gone, and those after it move up.
    Expunge(u32),
    /// Messages with these UIDs are gone (RFC 7162 3.2.10).
    Vanished {
        /// Is this the past, told on request? Then sequence numbers stay as they are.
        earlier: bool,
        /// The UIDs.
        uids: NumberSet,
    },
    /// What there is to know of one message.
    Fetch(Box<Fetch>),
    /// What the server is.
    Id(Vec<(String, Option<String>)>),
    /// Data we have no type for: its name.
    Other(String),
}

/// Reads a response.
pub(crate) fn read(frame: &Frame, context: &Context) -> Result<Response, Fault> {
    let mut lexer = Lexer::new(frame, &context.limits);
    if lexer.accept(b'+') {
        lexer.skip_blanks();
        return Ok(Response::Continue(lexer.rest().to_vec()));
    }
    let tag = lexer.word();
    if tag == b"*" {
        return untagged(lexer, context).map(Response::Untagged);
    }
    let word = lexer.word();
    let condition = Condition::new(word).filter(|c| c.can_be_tagged());
    let condition = condition.ok_or(Fault::Malformed("tagged response"))?;
    let status = status::read(condition, lexer, context)?;
    Ok(Response::Tagged { tag: tag.to_vec(), status })
}

/// Reads as much of a FETCH as there is when a long literal begins in it, and which content the literal is.
pub(crate) fn read_partial(frame: &Frame, context: &Context) -> Option<Box<Fetch>> {
    let mut lexer = Lexer::partial(frame, &context.limits);
    if lexer.word() != b"*" {
        return None;
    }
    match untagged(lexer, context) {
        Ok(Untagged::Fetch(fetch)) => Some(fetch),
        _ => None,
    }
}

fn untagged(mut lexer: Lexer<'_>, context: &Context) -> Result<Untagged, Fault> {
    let first = lexer.word();
    if let Some(condition) = Condition::new(first) {
        return status::read(condition, lexer, context).map(Untagged::Status);
    }
    if first.first().is_some_and(u8::is_ascii_digit) {
        return numbered(first, lexer, context);
    }
    let name = first.to_ascii_uppercase();
    // No text of IMAP has one (RFC 9051 9): octets were changed on the way, and nobody knows what else.
    if lexer.rest().contains(&0) || first.contains(&0) {
        return Err(Fault::Malformed("NUL"));
    }
    // A search can find more messages than a response may have values.
    if name == b"SEARCH" {
        return search::read(lexer.rest(), context).map(Untagged::Search);
    }
    let values = lexer.values()?;
    named(&name, &values, context)
}

fn named(name: &[u8], values: &[Value<'_>], context: &Context) -> Result<Untagged, Fault> {
    Ok(match name {
        b"CAPABILITY" => Untagged::Capability(Capabilities::from_words(strings(values))),
        b"ENABLED" => Untagged::Enabled(strings(values)),
        b"FLAGS" => Untagged::Flags(flags(values.first()).ok_or(Fault::Malformed("FLAGS"))?),
        b"LIST" | b"LSUB" => Untagged::List(list::read(values, context)?),
        b"STATUS" => Untagged::MailboxStatus(list::read_status(values, context)?),
        b"NAMESPACE" => Untagged::Namespace(list::read_namespace(values)?),
        b"ESEARCH" => Untagged::Esearch(search::read_extended(values, context)?),
        b"VANISHED" => vanished(values, context)?,
        b"ID" => Untagged::Id(id(values)),
        b"" => return Err(Fault::Malformed("response")),
        other => Untagged::Other(String::from_utf8_lossy(other).into_owned()),
    })
}

fn numbered(number: &[u8], mut lexer: Lexer<'_>, context: &Context) -> Result<Untagged, Fault> {
    let number = Value::Atom(number).number::<u32>().ok_or(Fault::Malformed("number"))?;
    if lexer.rest().contains(&0) {
        return Err(Fault::Malformed("NUL"));
    }
    let name = lexer.word().to_ascii_uppercase();
    let fetch = |number: Number, mut lexer: Lexer<'_>| {
        let values = lexer.values()?;
        let values = values.first().and_then(Value::list).ok_or(Fault::Malformed("FETCH"))?;
        Ok(Untagged::Fetch(Box::new(fetch::read(number, values, context))))
    };
    match &name[..] {
        b"EXISTS" => Ok(Untagged::Exists(number)),
        b"RECENT" => Ok(Untagged::Recent(number)),
        b"EXPUNGE" if number > 0 => Ok(Untagged::Expunge(number)),
        b"FETCH" if number > 0 => fetch(Number::Sequence(number), lexer),
        b"UIDFETCH" if number > 0 => fetch(Number::Uid(number), lexer),
        b"" | b"EXPUNGE" | b"FETCH" | b"UIDFETCH" => Err(Fault::Malformed("message number")),
        other => Ok(Untagged::Other(String::from_utf8_lossy(other).into_owned())),
    }
}

fn vanished(values: &[Value<'_>], context: &Context) -> Result<Untagged, Fault> {
    let earlier = values.first().and_then(Value::list).is_some();
    let uids = values.last().and_then(Value::octets).ok_or(Fault::Malformed("VANISHED"))?;
    let uids = NumberSet::parse(uids, context.limits.ranges_max)?;
    Ok(Untagged::Vanished { earlier, uids })
}

fn id(values: &[Value<'_>]) -> Vec<(String, Option<String>)> {
    let values = values.first().and_then(Value::list).unwrap_or_default();
    let (pairs, _) = values.as_chunks::<2>();
    pairs.iter().filter_map(|[name, value]| Some((name.string()?, value.string()))).collect()
}

fn strings(values: &[Value<'_>]) -> Vec<String> {
    values.iter().filter_map(Value::string).collect()
}

fn flags(value: Option<&Value<'_>>) -> Option<Vec<Flag>> {
    let values = value?.list()?;
    Some(values.iter().filter_map(Value::string).map(|name| Flag::new(&name)).collect())
}
