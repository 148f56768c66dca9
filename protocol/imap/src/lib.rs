//! The client's side of IMAP4rev1 and rev2 without any I/O: tolerant in what it reads, bounded in what it keeps.
//!
//! ```text
//!   octets -> frames (literals) -> values (atoms, strings, lists) -> responses -> Connection -> Event
//! ```
//!
//! - **Tolerant.** Whatever real servers send is read: extensions nobody asked for, 8-bit text, `NIL` where a list should be.
//!   A response without a meaning is skipped and reported; an item without one spoils no other.
//! - **Bounded.** [`Limits`] name what is kept; literals over 64 KiB are handed over piece by piece; a set of UIDs stays ranges.
//! - **Never "probably fine".** Every command ends as the server's OK, NO or BAD, or as lost with the reason ([`Outcome`]).
//! - **Untrusted both ways.** Nothing a server sends panics; no text of the caller's can become a command.
//!
//! Editions followed: RFC 9051 (IMAP4rev2, August 2021) and RFC 3501 (IMAP4rev1); RFC 2177 (IDLE), 2971 (ID), 3516 (BINARY),
//! 4315 (UIDPLUS), 4731 (ESEARCH), 4978 (COMPRESS), 5161 (ENABLE), 5258 and 5819 (LIST), 5465 (NOTIFY), 6154 (SPECIAL-USE),
//! 6851 (MOVE), 6855 (UTF8), 7162 (CONDSTORE, QRESYNC), 7628 (OAUTHBEARER), 7888 (LITERAL+), 8474 (OBJECTID), 8514 (SAVEDATE),
//! 8970 (PREVIEW).
//!
//! ```
//! use std::time::Instant;
//! use imap_sans::{Command, Connection, Event, Limits, Outcome, Secret};
//!
//! let now = Instant::now();
//! let mut connection = Connection::new(Limits::DEFAULT, now);
//! let login = Command::Login { user: "anna".into(), password: Secret::new("pass word") };
//! let id = connection.submit(login, now).expect("a password can be spelt");
//! assert!(connection.poll_output(now).is_none(), "the server speaks first");
//!
//! connection.handle_input(b"* OK [CAPABILITY IMAP4rev1 LITERAL+] ready\r\n", now);
//! assert_eq!(**connection.poll_output(now).expect("it may go now"), *b"R1 LOGIN anna \"pass word\"\r\n");
//!
//! connection.handle_input(b"R1 OK signed in\r\n", now);
//! assert!(matches!(connection.poll_event(), Some(Event::Greeting(_))));
//! let Some(Event::Done(done)) = connection.poll_event() else { panic!("the command ended") };
//! assert!(done.id == id && matches!(done.outcome, Outcome::Ok(_)));
//! ```

#![forbid(unsafe_code)]

mod base64;
mod capability;
#[doc(hidden)]
pub mod check;
mod command;
mod connection;
mod date;
mod flag;
mod frame;
mod limits;
mod mailbox;
mod response;
mod set;
mod value;

pub use capability::{Capabilities, LiteralMode};
pub use command::{
    Command, FetchItem, Ids, ListReturn, NotifyEvent, NotifyFilter, Sasl, SearchKey, SearchReturn,
    Secret, SelectSync, StatusItem, StoreMode, Unspeakable,
};
pub use connection::{CommandId, Connection, Done, Event, Lost, Outcome, Output, Refused, Upgrade};
pub use date::{Date, DateTime};
pub use flag::Flag;
pub use limits::{LITERAL_KEPT_BYTES, Limits};
pub use mailbox::{Mailbox, decode_utf7, encode_utf7};
pub use response::{
    Address, Body, BodyKind, Code, Condition, Content, Data, Disposition, Envelope, Esearch, Fetch,
    Listed, MailboxStatus, Namespace, Number, Part, Search, Section, SectionText, Status, Untagged,
};
pub use set::{NumberSet, UidMap};
pub use value::Fault;
