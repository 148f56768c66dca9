//! Flags and keywords (RFC 9051 2.3.2).

use std::fmt;

/// A flag of a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flag {
    /// It has been read.
    Seen,
    /// It has been answered.
    Answered,
    /// It is marked.
    Flagged,
    /// It goes with the next EXPUNGE.
    Deleted,
    /// It is still being written.
    Draft,
    /// It is new to this session (IMAP4rev1).
    Recent,
    /// Among permanent flags: new keywords may be made.
    Any,
    /// A word of users or programs, or a flag unknown to us with its backslash.
    Keyword(String),
}

const SYSTEM: [(&str, Flag); 7] = [
    ("\\Seen", Flag::Seen),
    ("\\Answered", Flag::Answered),
    ("\\Flagged", Flag::Flagged),
    ("\\Deleted", Flag::Deleted),
    ("\\Draft", Flag::Draft),
    ("\\Recent", Flag::Recent),
    ("\\*", Flag::Any),
];

impl Flag {
    /// A flag by its name.
    pub fn new(name: &str) -> Flag {
        match SYSTEM.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, flag)) => flag.clone(),
            None => Flag::Keyword(name.to_owned()),
        }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flag::Keyword(name) => f.write_str(name),
            flag => {
                let known = SYSTEM.iter().find(|(_, known)| known == flag);
                f.write_str(known.map_or("", |(name, _)| name))
            }
        }
    }
}
