//! Which commands may be out at once (RFC 9051 5.5).
//!
//! Two commands may be out together only if every answer tells which of them it belongs to, whatever order the server chooses,
//! and no sequence number can move under a command that uses it. Commands go out in the order they were submitted.

use crate::command::Command;

/// What matters about a command once it is spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// LOGIN and AUTHENTICATE: the meaning of everything after it depends on it.
    SignIn,
    /// STARTTLS.
    StartTls,
    /// COMPRESS.
    Compress,
    /// ENABLE.
    Enable,
    /// SELECT and EXAMINE.
    Select,
    /// UNSELECT and CLOSE.
    Unselect,
    /// LOGOUT.
    Logout,
    /// IDLE.
    Idle,
    /// NOTIFY, which brings data of its own.
    Notify,
    /// It changes something.
    Write(Write),
    /// It asks something.
    Read(Read),
}

/// What a command changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Write {
    /// APPEND: its answer carries the UID.
    Append,
    /// UID COPY: its answer carries the UIDs.
    Copy,
    /// UID STORE.
    Store,
    /// STORE by sequence number.
    StoreByNumber,
    /// Anything that uses sequence numbers otherwise.
    ByNumber,
    /// Anything else.
    Other,
}

/// What a command asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// UID FETCH: its answers carry UIDs.
    Fetch,
    /// FETCH by sequence number.
    FetchByNumber,
    /// SEARCH whose answer carries its tag.
    Esearch,
    /// SEARCH whose answer does not, by UID.
    Search,
    /// SEARCH by sequence number.
    SearchByNumber,
    /// LIST and STATUS, whose answers look alike.
    Boxes,
    /// CAPABILITY, ID, NAMESPACE, NOOP: one at a time.
    Server,
}

impl Kind {
    pub(super) fn of(command: &Command) -> Kind {
        match command {
            Command::Login { .. } | Command::Authenticate(_) => Kind::SignIn,
            Command::StartTls => Kind::StartTls,
            Command::Compress => Kind::Compress,
            Command::Enable(_) => Kind::Enable,
            Command::Select { .. } => Kind::Select,
            Command::Unselect | Command::Close => Kind::Unselect,
            Command::Logout => Kind::Logout,
            Command::Idle => Kind::Idle,
            Command::NotifySet { .. } | Command::NotifyNone => Kind::Notify,
            Command::Append { .. } => Kind::Write(Write::Append),
            Command::Copy { ids, .. } if ids.is_uid() => Kind::Write(Write::Copy),
            Command::Store { ids, .. } if ids.is_uid() => Kind::Write(Write::Store),
            Command::Store { .. } => Kind::Write(Write::StoreByNumber),
            Command::Copy { .. } => Kind::Write(Write::ByNumber),
            Command::Move { ids, .. } if !ids.is_uid() => Kind::Write(Write::ByNumber),
            Command::Fetch { ids, .. } if ids.is_uid() => Kind::Read(Read::Fetch),
            Command::Fetch { .. } => Kind::Read(Read::FetchByNumber),
            Command::Search { uid: false, .. } => Kind::Read(Read::SearchByNumber),
            Command::Search { returns, .. } if returns.is_empty() => Kind::Read(Read::Search),
            Command::Search { .. } => Kind::Read(Read::Esearch),
            Command::List { .. } | Command::Status { .. } => Kind::Read(Read::Boxes),
            Command::Capability | Command::Id(_) | Command::Namespace | Command::Noop => {
                Kind::Read(Read::Server)
            }
            Command::Move { .. }
            | Command::Expunge
            | Command::UidExpunge(_)
            | Command::Create { .. }
            | Command::Delete(_)
            | Command::Rename { .. }
            | Command::Subscribe(_)
            | Command::Unsubscribe(_) => Kind::Write(Write::Other),
        }
    }

    /// May this command go out while the other is out?
    pub(super) fn may_join(self, out: Kind) -> bool {
        match (self, out) {
            (Kind::Read(next), Kind::Read(out)) => read_may_join(next, out),
            // The answers of these carry what they are about, and each is carried out whole.
            (Kind::Write(next), Kind::Write(out)) => {
                next == out && matches!(next, Write::Append | Write::Copy | Write::Store)
            }
            _ => false,
        }
    }
}

fn read_may_join(next: Read, out: Read) -> bool {
    match next {
        // Sequence numbers stay as they are only during commands that use them themselves.
        Read::FetchByNumber | Read::SearchByNumber => {
            matches!(out, Read::FetchByNumber | Read::SearchByNumber) && next != out
        }
        Read::Fetch | Read::Esearch => {
            !matches!(out, Read::FetchByNumber | Read::SearchByNumber | Read::Server)
        }
        Read::Search | Read::Boxes => {
            next != out && !matches!(out, Read::FetchByNumber | Read::SearchByNumber | Read::Server)
        }
        Read::Server => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_never_move_under_a_command() {
        let by_number = [Read::FetchByNumber, Read::SearchByNumber];
        for out in [Read::Fetch, Read::Esearch, Read::Search, Read::Boxes, Read::Server] {
            for next in by_number {
                assert!(!Kind::Read(next).may_join(Kind::Read(out)));
                assert!(!Kind::Read(out).may_join(Kind::Read(next)));
            }
        }
        assert!(Kind::Read(Read::Fetch).may_join(Kind::Read(Read::Fetch)));
        assert!(!Kind::Read(Read::Search).may_join(Kind::Read(Read::Search)));
        assert!(!Kind::Read(Read::Fetch).may_join(Kind::Write(Write::Store)));
        assert!(!Kind::Select.may_join(Kind::Read(Read::Fetch)));
        assert!(Kind::Write(Write::Append).may_join(Kind::Write(Write::Append)));
    }
}
