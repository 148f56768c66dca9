//! LIST, STATUS, SELECT and EXAMINE (RFC 9051 6.3).

use super::encode::{Encoder, Unspeakable};
use super::{Command, SelectSync};
use crate::mailbox;

/// What a list tells beside the names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListReturn {
    /// What a mailbox is for (RFC 6154).
    SpecialUse,
    /// Whether it is among those shown.
    Subscribed,
    /// Whether it has others in it.
    Children,
    /// Its state, in a STATUS of its own (RFC 5819).
    Status(Vec<StatusItem>),
}

/// What of the state of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusItem {
    /// How many messages it has.
    Messages,
    /// The UID of the next message.
    UidNext,
    /// The generation of its UIDs.
    UidValidity,
    /// How many messages are unread.
    Unseen,
    /// How many are marked deleted (IMAP4rev2).
    Deleted,
    /// Octets of all its messages (RFC 8438).
    Size,
    /// The position of its latest change (RFC 7162).
    HighestModSeq,
    /// Its id (RFC 8474).
    MailboxId,
}

impl StatusItem {
    fn name(self) -> &'static str {
        match self {
            StatusItem::Messages => "MESSAGES",
            StatusItem::UidNext => "UIDNEXT",
            StatusItem::UidValidity => "UIDVALIDITY",
            StatusItem::Unseen => "UNSEEN",
            StatusItem::Deleted => "DELETED",
            StatusItem::Size => "SIZE",
            StatusItem::HighestModSeq => "HIGHESTMODSEQ",
            StatusItem::MailboxId => "MAILBOXID",
        }
    }
}

pub(super) fn encode(command: &Command, encoder: &mut Encoder) -> Result<(), Unspeakable> {
    match command {
        Command::List { reference, patterns, returns } => {
            list(encoder, reference, patterns, returns)
        }
        Command::Status { mailbox, items } => {
            encoder.raw("STATUS ");
            encoder.mailbox(mailbox)?;
            encoder.raw(" ");
            status_items(encoder, items)
        }
        Command::Select { mailbox, read_only, sync } => {
            encoder.raw(if *read_only { "EXAMINE " } else { "SELECT " });
            encoder.mailbox(mailbox)?;
            select_sync(encoder, sync);
            Ok(())
        }
        _ => Err(Unspeakable),
    }
}

fn list(
    encoder: &mut Encoder,
    reference: &str,
    patterns: &[String],
    returns: &[ListReturn],
) -> Result<(), Unspeakable> {
    let pattern = |encoder: &mut Encoder, pattern: &String| {
        let wire = if encoder.is_utf8() {
            pattern.clone().into_bytes()
        } else {
            mailbox::encode_utf7(pattern)
        };
        encoder.string(&wire)
    };
    encoder.raw("LIST ");
    pattern(encoder, &reference.to_owned())?;
    encoder.raw(" ");
    match patterns {
        [] => return Err(Unspeakable),
        [one] => pattern(encoder, one)?,
        many => encoder.list(many, pattern)?,
    }
    if !returns.is_empty() {
        encoder.raw(" RETURN ");
        encoder.list(returns, |encoder, one| {
            match one {
                ListReturn::SpecialUse => encoder.raw("SPECIAL-USE"),
                ListReturn::Subscribed => encoder.raw("SUBSCRIBED"),
                ListReturn::Children => encoder.raw("CHILDREN"),
                ListReturn::Status(items) => {
                    encoder.raw("STATUS ");
                    status_items(encoder, items)?;
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn status_items(encoder: &mut Encoder, items: &[StatusItem]) -> Result<(), Unspeakable> {
    encoder.list(items, |encoder, item| {
        encoder.raw(item.name());
        Ok(())
    })
}

fn select_sync(encoder: &mut Encoder, sync: &SelectSync) {
    match sync {
        SelectSync::Plain => {}
        SelectSync::CondStore => encoder.raw(" (CONDSTORE)"),
        SelectSync::QResync { uid_validity, modseq, known } => {
            encoder.raw(&format!(" (QRESYNC ({uid_validity} {modseq}"));
            if let Some(known) = known.as_ref().filter(|known| !known.is_empty()) {
                encoder.raw(&format!(" {known}"));
            }
            encoder.raw("))");
        }
    }
}
