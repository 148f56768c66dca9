//! What a [`Connection`](super::Connection) tells: events, and how commands end.

use crate::response::{Fetch, Status, Untagged};
use crate::value::Fault;

/// A command of this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub(super) u64);

impl CommandId {
    /// The tag on the wire, which ESEARCH answers carry.
    pub fn tag(self) -> String {
        format!("R{}", self.0)
    }
}

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The server greeted.
    Greeting(Status),
    /// Data or news.
    Untagged(Untagged),
    /// A long literal begins; its pieces follow, then the response it belongs to.
    LiteralStart {
        /// Its number on this connection.
        literal: u64,
        /// Its octets.
        length: u64,
        /// The FETCH it stands in, as far as it has come; its last content is the literal.
        fetch: Option<Box<Fetch>>,
    },
    /// A piece of a long literal.
    LiteralPiece {
        /// Its number.
        literal: u64,
        /// The octets.
        octets: Vec<u8>,
        /// Was that the last piece?
        last: bool,
    },
    /// A response could not be read and is left out. The commands that are out count it in [`Done::unread`]: whatever they
    /// answer may not be all.
    Skipped {
        /// Why.
        fault: Fault,
        /// How it began.
        head: String,
    },
    /// The server agreed to an IDLE.
    Idling(CommandId),
    /// A command ended.
    Done(Box<Done>),
    /// The octets that follow are no longer ours: start TLS or compression, then call [`upgraded`](super::Connection::upgraded).
    Upgrade(Upgrade),
    /// The connection is over; nothing follows.
    Closed(Lost),
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// Which command.
    pub id: CommandId,
    /// How.
    pub outcome: Outcome,
    /// Responses that could not be read while it was out.
    pub unread: u32,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The server did it.
    Ok(Status),
    /// The server did not do it.
    No(Status),
    /// The server did not understand it.
    Bad(Status),
    /// Nobody knows whether the server did it.
    Lost(Lost),
    /// It was never sent, so the server did not do it.
    Unsent(Lost),
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The server said BYE.
    Bye,
    /// The server hung up, or the line broke.
    Eof,
    /// The server said nothing for too long, or a command took too long.
    Timeout,
    /// The server said what may not be said there.
    Unexpected(&'static str),
    /// We hung up.
    Abandoned,
}

/// What the octets become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// TLS, from us first.
    Tls,
    /// Raw DEFLATE in both directions (RFC 4978).
    Compression,
}

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The connection is over.
    Closed,
    /// Somebody is signed in already.
    WrongState,
    /// [`Limits::commands_max`](crate::Limits::commands_max) commands have not ended yet.
    TooMany,
    /// It holds text that IMAP cannot carry, or names no message.
    Unspeakable,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Refused::Closed => "the connection is over",
            Refused::WrongState => "somebody is signed in already",
            Refused::TooMany => "too many commands have not ended yet",
            Refused::Unspeakable => "the command holds text that IMAP cannot carry",
        })
    }
}

impl std::error::Error for Refused {}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Lost::Bye => f.write_str("the server said BYE"),
            Lost::Eof => f.write_str("the connection broke"),
            Lost::Timeout => f.write_str("the server did not answer in time"),
            Lost::Unexpected(what) => write!(f, "the server sent no proper {what}"),
            Lost::Abandoned => f.write_str("we hung up"),
        }
    }
}
