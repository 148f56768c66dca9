//! OK, NO, BAD, BYE and PREAUTH, with their codes (RFC 9051 7.1).

use super::{Context, flags, strings};
use crate::capability::Capabilities;
use crate::flag::Flag;
use crate::set::{NumberSet, UidMap};
use crate::value::{Fault, Lexer, Value};

/// The most octets of a text that are kept.
const TEXT_BYTES_MAX: usize = 1024;

/// What a status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Done, or good to know.
    Ok,
    /// Not done, or a warning.
    No,
    /// Not understood.
    Bad,
    /// The server hangs up.
    Bye,
    /// The connection is signed in from the start.
    Preauth,
}

impl Condition {
    pub(crate) fn new(word: &[u8]) -> Option<Condition> {
        let all = [
            ("OK", Condition::Ok),
            ("NO", Condition::No),
            ("BAD", Condition::Bad),
            ("BYE", Condition::Bye),
            ("PREAUTH", Condition::Preauth),
        ];
        let known = all.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
        known.map(|&(_, condition)| condition)
    }

    pub(crate) fn can_be_tagged(self) -> bool {
        matches!(self, Condition::Ok | Condition::No | Condition::Bad)
    }
}

/// A status with its code and its text for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// What it says.
    pub condition: Condition,
    /// The code, if there is one.
    pub code: Option<Code>,
    /// The text for people; at most 1,024 octets of it.
    pub text: String,
}

/// A response code.
#[derive(Clone, Debug, PartialEq)]
pub enum Code {
    /// The text must be shown.
    Alert,
    /// What the server can do.
    Capability(Capabilities),
    /// Flags that can be changed for good.
    PermanentFlags(Vec<Flag>),
    /// The mailbox is open for reading only.
    ReadOnly,
    /// The mailbox is open for reading and writing.
    ReadWrite,
    /// The mailbox is not there, and making it may help.
    TryCreate,
    /// The UID of the next message.
    UidNext(u32),
    /// The generation of the UIDs.
    UidValidity(u32),
    /// UIDs do not last.
    UidNotSticky,
    /// The first unread message.
    Unseen(u32),
    /// The position of the latest change (RFC 7162 3.1.2.1).
    HighestModSeq(u64),
    /// The mailbox keeps no positions of changes.
    NoModSeq,
    /// Messages a conditional STORE left alone (RFC 7162 3.1.3).
    Modified(NumberSet),
    /// The mailbox that was selected before is closed; what follows is about the new one.
    Closed,
    /// Where an appended message is (RFC 4315 3).
    AppendUid {
        /// The generation of the UIDs.
        validity: u32,
        /// The UIDs.
        uids: NumberSet,
    },
    /// Where copied or moved messages are.
    CopyUid {
        /// The generation of the UIDs.
        validity: u32,
        /// From which UID to which.
        map: UidMap,
    },
    /// The server will tell no more (RFC 5465 5.8).
    NotificationOverflow,
    /// The id of the mailbox, which outlives a rename (RFC 8474).
    MailboxId(String),
    /// A code for a reason, with nothing in it, such as AUTHENTICATIONFAILED, NONEXISTENT, OVERQUOTA, INUSE or UNAVAILABLE:
    /// in upper case.
    Reason(String),
    /// A code we have no type for, or one we could not read: its name in upper case.
    Other(String),
}

/// Reads what follows the condition.
pub(super) fn read(
    condition: Condition,
    mut lexer: Lexer<'_>,
    context: &Context,
) -> Result<Status, Fault> {
    lexer.skip_blanks();
    let whole = lexer.rest();
    let mut code = None;
    let mut text = whole;
    if lexer.accept(b'[')
        && let Ok(values) = lexer.code()
    {
        code = read_code(&values, context);
        lexer.skip_blanks();
        text = lexer.rest();
    }
    let text = &text[..text.len().min(TEXT_BYTES_MAX)];
    Ok(Status { condition, code, text: String::from_utf8_lossy(text).into_owned() })
}

fn read_code(values: &[Value<'_>], context: &Context) -> Option<Code> {
    let (name, arguments) = values.split_first()?;
    let name = name.string()?.to_ascii_uppercase();
    let known = match arguments {
        [] => without_arguments(&name),
        _ => with_arguments(&name, arguments, context),
    };
    Some(known.unwrap_or(Code::Other(name)))
}

fn without_arguments(name: &str) -> Option<Code> {
    Some(match name {
        "ALERT" => Code::Alert,
        "READ-ONLY" => Code::ReadOnly,
        "READ-WRITE" => Code::ReadWrite,
        "TRYCREATE" => Code::TryCreate,
        "UIDNOTSTICKY" => Code::UidNotSticky,
        "NOMODSEQ" => Code::NoModSeq,
        "CLOSED" => Code::Closed,
        "NOTIFICATIONOVERFLOW" => Code::NotificationOverflow,
        // Codes whose argument is missing are codes we could not read.
        "UIDNEXT" | "UIDVALIDITY" | "UNSEEN" | "HIGHESTMODSEQ" | "MODIFIED" | "APPENDUID"
        | "COPYUID" | "MAILBOXID" => return None,
        _ => Code::Reason(name.to_owned()),
    })
}

fn with_arguments(name: &str, arguments: &[Value<'_>], context: &Context) -> Option<Code> {
    let first = arguments.first()?;
    let max = context.limits.ranges_max;
    let set = |at: usize| NumberSet::parse(arguments.get(at)?.octets()?, max).ok();
    Some(match name {
        "CAPABILITY" => Code::Capability(Capabilities::from_words(strings(arguments))),
        "PERMANENTFLAGS" => Code::PermanentFlags(flags(Some(first))?),
        "UIDNEXT" => Code::UidNext(first.number()?),
        "UIDVALIDITY" => Code::UidValidity(first.number()?),
        "UNSEEN" => Code::Unseen(first.number()?),
        "HIGHESTMODSEQ" => Code::HighestModSeq(first.number()?),
        "MODIFIED" => Code::Modified(set(0)?),
        "APPENDUID" => Code::AppendUid { validity: first.number()?, uids: set(1)? },
        "COPYUID" => {
            let (from, to) = (arguments.get(1)?.octets()?, arguments.get(2)?.octets()?);
            let map = UidMap::parse(from, to, max).ok()?;
            Code::CopyUid { validity: first.number()?, map }
        }
        "MAILBOXID" => {
            let id = first.list().and_then(<[Value<'_>]>::first).unwrap_or(first);
            Code::MailboxId(id.string()?)
        }
        _ => return None,
    })
}
