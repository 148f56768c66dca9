//! Commands: what a client asks, one value each, and how it is spelt.
//!
//! A command cannot be spelt so that it becomes another one: text goes out as an atom, a quoted string or a literal, whatever it
//! holds, and what fits none of them is [`Unspeakable`].

mod append;
mod encode;
mod fetch;
mod list;
mod notify;
mod sasl;
mod search;

pub use encode::Unspeakable;
pub(crate) use encode::{Encoder, Piece};
pub use fetch::{FetchItem, Ids, StoreMode};
pub use list::{ListReturn, StatusItem};
pub use notify::{NotifyEvent, NotifyFilter};
pub use sasl::{Sasl, Secret};
pub use search::{SearchKey, SearchReturn};

use crate::date::DateTime;
use crate::flag::Flag;
use crate::mailbox::Mailbox;
use crate::set::NumberSet;

/// A command.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// What can the server do?
    Capability,
    /// Anything new?
    Noop,
    /// Good-bye.
    Logout,
    /// Go on in TLS.
    StartTls,
    /// Go on compressed (RFC 4978).
    Compress,
    /// Who we are; an empty list says nothing and asks (RFC 2971).
    Id(Vec<(String, String)>),
    /// Turn extensions on (RFC 5161).
    Enable(Vec<String>),
    /// Sign in with a password in the clear.
    Login {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// Sign in by SASL.
    Authenticate(Sasl),
    /// Which mailboxes are there (RFC 5258)?
    List {
        /// What the patterns start from; empty as a rule.
        reference: String,
        /// Patterns with `*` and `%`.
        patterns: Vec<String>,
        /// What to tell beside the names.
        returns: Vec<ListReturn>,
    },
    /// Where do mailboxes lie (RFC 2342)?
    Namespace,
    /// The state of a mailbox that is not selected.
    Status {
        /// Which.
        mailbox: Mailbox,
        /// What of it.
        items: Vec<StatusItem>,
    },
    /// Open a mailbox.
    Select {
        /// Which.
        mailbox: Mailbox,
        /// Without changing anything (EXAMINE)?
        read_only: bool,
        /// What to be told.
        sync: SelectSync,
    },
    /// Close the mailbox and leave what is marked deleted (RFC 3691).
    Unselect,
    /// Close the mailbox and expunge what is marked deleted.
    Close,
    /// Make a mailbox.
    Create {
        /// Its name.
        mailbox: Mailbox,
        /// What it is for, such as `\Sent` (RFC 6154).
        special_use: Option<String>,
    },
    /// Delete a mailbox.
    Delete(Mailbox),
    /// Give a mailbox, and those in it, another name.
    Rename {
        /// Its name.
        from: Mailbox,
        /// Its new name.
        to: Mailbox,
    },
    /// Count a mailbox among those shown.
    Subscribe(Mailbox),
    /// The opposite.
    Unsubscribe(Mailbox),
    /// Put a message into a mailbox.
    Append {
        /// Which mailbox.
        mailbox: Mailbox,
        /// Flags it comes with.
        flags: Vec<Flag>,
        /// When it was received.
        date: Option<DateTime>,
        /// Its octets; with a NUL in them they go as a literal8 (RFC 3516).
        octets: Vec<u8>,
    },
    /// What is there to know of messages?
    Fetch {
        /// Which.
        ids: Ids,
        /// What of them.
        items: Vec<FetchItem>,
        /// Only those changed after this position (RFC 7162 3.1.4).
        changed_since: Option<u64>,
        /// And which UIDs are gone since (RFC 7162 3.2.6).
        vanished: bool,
    },
    /// Change flags.
    Store {
        /// Of which messages.
        ids: Ids,
        /// Only of those not changed after this position (RFC 7162 3.1.3).
        unchanged_since: Option<u64>,
        /// How.
        mode: StoreMode,
        /// Without telling the outcome?
        silent: bool,
        /// Which flags.
        flags: Vec<Flag>,
    },
    /// Copy messages.
    Copy {
        /// Which.
        ids: Ids,
        /// Where to.
        to: Mailbox,
    },
    /// Move messages (RFC 6851).
    Move {
        /// Which.
        ids: Ids,
        /// Where to.
        to: Mailbox,
    },
    /// Remove for good everything marked deleted, whoever marked it.
    Expunge,
    /// Remove for good those of these that are marked deleted (RFC 4315 2.1).
    UidExpunge(NumberSet),
    /// Which messages are like this?
    Search {
        /// By UID?
        uid: bool,
        /// What to tell (RFC 4731); empty asks the old way.
        returns: Vec<SearchReturn>,
        /// Like what.
        key: SearchKey,
    },
    /// Tell of changes as they come (RFC 5465).
    NotifySet {
        /// Tell the state of every mailbox first?
        status: bool,
        /// Which changes of which mailboxes.
        groups: Vec<(NotifyFilter, Vec<NotifyEvent>)>,
    },
    /// Tell of nothing that was not asked.
    NotifyNone,
    /// Wait for changes of the selected mailbox until [`Connection::done`](crate::Connection::done) (RFC 2177).
    Idle,
}

/// What to be told when a mailbox is opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum SelectSync {
    /// Nothing but what is there.
    #[default]
    Plain,
    /// Positions of changes too.
    CondStore,
    /// What has changed and what is gone since (RFC 7162 3.2.5); QRESYNC must be enabled.
    QResync {
        /// The generation of UIDs we know.
        uid_validity: u32,
        /// The position up to which we know.
        modseq: u64,
        /// The UIDs we know; all below the next one if this is `None`.
        known: Option<NumberSet>,
    },
}

impl Command {
    /// Spells the command, without its tag and the end of its line.
    pub(crate) fn encode(&self, encoder: &mut Encoder) -> Result<(), Unspeakable> {
        match self {
            Command::Capability => encoder.raw("CAPABILITY"),
            Command::Noop => encoder.raw("NOOP"),
            Command::Logout => encoder.raw("LOGOUT"),
            Command::StartTls => encoder.raw("STARTTLS"),
            Command::Compress => encoder.raw("COMPRESS DEFLATE"),
            Command::Namespace => encoder.raw("NAMESPACE"),
            Command::Unselect => encoder.raw("UNSELECT"),
            Command::Close => encoder.raw("CLOSE"),
            Command::Expunge => encoder.raw("EXPUNGE"),
            Command::NotifyNone => encoder.raw("NOTIFY NONE"),
            Command::Idle => encoder.raw("IDLE"),
            Command::Id(fields) => id(encoder, fields)?,
            Command::Enable(names) => {
                encoder.raw("ENABLE");
                for name in names {
                    encoder.raw(" ");
                    encoder.atom(name)?;
                }
            }
            Command::Login { user, password } => {
                encoder.raw("LOGIN ");
                encoder.astring(user.as_bytes())?;
                encoder.raw(" ");
                encoder.astring(password.octets())?;
            }
            Command::Authenticate(sasl) => {
                encoder.raw("AUTHENTICATE ");
                encoder.raw(sasl.mechanism());
            }
            Command::List { .. } | Command::Status { .. } | Command::Select { .. } => {
                list::encode(self, encoder)?;
            }
            Command::Create { mailbox, special_use } => {
                encoder.raw("CREATE ");
                encoder.mailbox(mailbox)?;
                if let Some(special_use) = special_use {
                    encoder.raw(" (USE (");
                    encoder.flag(special_use)?;
                    encoder.raw("))");
                }
            }
            Command::Delete(mailbox) => on_mailbox(encoder, "DELETE ", mailbox)?,
            Command::Subscribe(mailbox) => on_mailbox(encoder, "SUBSCRIBE ", mailbox)?,
            Command::Unsubscribe(mailbox) => on_mailbox(encoder, "UNSUBSCRIBE ", mailbox)?,
            Command::Rename { from, to } => {
                on_mailbox(encoder, "RENAME ", from)?;
                on_mailbox(encoder, " ", to)?;
            }
            Command::Append { mailbox, flags, date, octets } => {
                append::encode(encoder, mailbox, flags, *date, octets)?;
            }
            Command::Fetch { .. }
            | Command::Store { .. }
            | Command::Copy { .. }
            | Command::Move { .. }
            | Command::UidExpunge(_) => fetch::encode(self, encoder)?,
            Command::Search { uid, returns, key } => search::encode(encoder, *uid, returns, key)?,
            Command::NotifySet { status, groups } => notify::encode(encoder, *status, groups)?,
        }
        Ok(())
    }
}

fn on_mailbox(encoder: &mut Encoder, verb: &str, mailbox: &Mailbox) -> Result<(), Unspeakable> {
    encoder.raw(verb);
    encoder.mailbox(mailbox)
}

fn id(encoder: &mut Encoder, fields: &[(String, String)]) -> Result<(), Unspeakable> {
    if fields.is_empty() {
        encoder.raw("ID NIL");
        return Ok(());
    }
    encoder.raw("ID ");
    encoder.list(fields, |encoder, (name, value)| {
        encoder.string(name.as_bytes())?;
        encoder.raw(" ");
        encoder.string(value.as_bytes())
    })
}
