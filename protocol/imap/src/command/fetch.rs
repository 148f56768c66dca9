//! FETCH, STORE, COPY, MOVE and UID EXPUNGE (RFC 9051 6.4).

use super::Command;
use super::encode::{Encoder, Unspeakable};
use crate::mailbox::Mailbox;
use crate::response::{Section, SectionText};
use crate::set::NumberSet;

/// Which messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ids {
    /// By UID.
    Uids(NumberSet),
    /// By their place in the mailbox; none may be larger than the mailbox.
    Numbers(NumberSet),
    /// All of them by their place, `1:*`.
    AllNumbers,
}

impl Ids {
    /// Is it by UID?
    pub fn is_uid(&self) -> bool {
        matches!(self, Ids::Uids(_))
    }
}

/// How flags change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreMode {
    /// These too.
    Add,
    /// These no longer.
    Remove,
    /// These and no others.
    Replace,
}

/// What of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchItem {
    /// Its UID.
    Uid,
    /// Its flags.
    Flags,
    /// The position of its latest change.
    ModSeq,
    /// When it was received.
    InternalDate,
    /// When it came into this mailbox.
    SaveDate,
    /// Its octets.
    Size,
    /// Its envelope.
    Envelope,
    /// Its parts.
    BodyStructure,
    /// The beginning of its text; `lazy` only if that costs the server nothing.
    Preview {
        /// Only what is to hand?
        lazy: bool,
    },
    /// The id of its octets.
    EmailId,
    /// The id of its conversation.
    ThreadId,
    /// Octets, as they are, without setting \Seen.
    Content {
        /// Of what.
        section: Section,
        /// From which octet, and how many.
        partial: Option<(u32, u32)>,
    },
    /// Octets of a part, decoded (RFC 3516).
    Binary {
        /// Of which part.
        path: Vec<u32>,
        /// From which octet, and how many.
        partial: Option<(u32, u32)>,
    },
    /// How many octets a part has, decoded.
    BinarySize {
        /// Which part.
        path: Vec<u32>,
    },
}

pub(super) fn encode(command: &Command, encoder: &mut Encoder) -> Result<(), Unspeakable> {
    match command {
        Command::Fetch { ids, items, changed_since, vanished } => {
            with_ids(encoder, "FETCH", ids)?;
            encoder.raw(" ");
            encoder.list(items, item)?;
            if let Some(modseq) = changed_since {
                encoder.raw(&format!(" (CHANGEDSINCE {modseq}"));
                encoder.raw(if *vanished { " VANISHED)" } else { ")" });
            }
        }
        Command::Store { ids, unchanged_since, mode, silent, flags } => {
            with_ids(encoder, "STORE", ids)?;
            if let Some(modseq) = unchanged_since {
                encoder.raw(&format!(" (UNCHANGEDSINCE {modseq})"));
            }
            encoder.raw(match mode {
                StoreMode::Add => " +FLAGS",
                StoreMode::Remove => " -FLAGS",
                StoreMode::Replace => " FLAGS",
            });
            encoder.raw(if *silent { ".SILENT " } else { " " });
            encoder.list(flags, |encoder, flag| encoder.flag(&flag.to_string()))?;
        }
        Command::Copy { ids, to } => to_mailbox(encoder, "COPY", ids, to)?,
        Command::Move { ids, to } => to_mailbox(encoder, "MOVE", ids, to)?,
        Command::UidExpunge(uids) => with_ids(encoder, "EXPUNGE", &Ids::Uids(uids.clone()))?,
        _ => return Err(Unspeakable),
    }
    Ok(())
}

/// Writes an item.
pub(super) fn item(encoder: &mut Encoder, item: &FetchItem) -> Result<(), Unspeakable> {
    match item {
        FetchItem::Uid => encoder.raw("UID"),
        FetchItem::Flags => encoder.raw("FLAGS"),
        FetchItem::ModSeq => encoder.raw("MODSEQ"),
        FetchItem::InternalDate => encoder.raw("INTERNALDATE"),
        FetchItem::SaveDate => encoder.raw("SAVEDATE"),
        FetchItem::Size => encoder.raw("RFC822.SIZE"),
        FetchItem::Envelope => encoder.raw("ENVELOPE"),
        FetchItem::BodyStructure => encoder.raw("BODYSTRUCTURE"),
        FetchItem::Preview { lazy: false } => encoder.raw("PREVIEW"),
        FetchItem::Preview { lazy: true } => encoder.raw("PREVIEW (LAZY)"),
        FetchItem::EmailId => encoder.raw("EMAILID"),
        FetchItem::ThreadId => encoder.raw("THREADID"),
        FetchItem::Content { section, partial } => {
            encoder.raw("BODY.PEEK[");
            write_section(encoder, section)?;
            encoder.raw("]");
            write_partial(encoder, *partial);
        }
        FetchItem::Binary { path, partial } => {
            encoder.raw(&format!("BINARY.PEEK[{}]", dotted(path)));
            write_partial(encoder, *partial);
        }
        FetchItem::BinarySize { path } => {
            encoder.raw(&format!("BINARY.SIZE[{}]", dotted(path)));
        }
    }
    Ok(())
}

fn write_section(encoder: &mut Encoder, section: &Section) -> Result<(), Unspeakable> {
    let path = dotted(&section.path);
    encoder.raw(&path);
    let (name, fields): (&str, &[String]) = match &section.text {
        SectionText::All => return Ok(()),
        SectionText::Header => ("HEADER", &[]),
        SectionText::Fields(fields) => ("HEADER.FIELDS", fields),
        SectionText::FieldsNot(fields) => ("HEADER.FIELDS.NOT", fields),
        SectionText::Text => ("TEXT", &[]),
        SectionText::Mime => ("MIME", &[]),
    };
    if !path.is_empty() {
        encoder.raw(".");
    }
    encoder.raw(name);
    if !fields.is_empty() {
        encoder.raw(" ");
        encoder.list(fields, |encoder, field| encoder.astring(field.as_bytes()))?;
    }
    Ok(())
}

fn write_partial(encoder: &mut Encoder, partial: Option<(u32, u32)>) {
    if let Some((from, count)) = partial {
        encoder.raw(&format!("<{from}.{count}>"));
    }
}

fn dotted(path: &[u32]) -> String {
    path.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

fn with_ids(encoder: &mut Encoder, verb: &str, ids: &Ids) -> Result<(), Unspeakable> {
    let (uid, set) = match ids {
        Ids::Uids(set) => ("UID ", Some(set)),
        Ids::Numbers(set) => ("", Some(set)),
        Ids::AllNumbers => ("", None),
    };
    // A command about no message is none that IMAP can spell.
    if set.is_some_and(NumberSet::is_empty) {
        return Err(Unspeakable);
    }
    let set = set.map_or("1:*".to_owned(), NumberSet::to_string);
    encoder.raw(&format!("{uid}{verb} {set}"));
    Ok(())
}

fn to_mailbox(
    encoder: &mut Encoder,
    verb: &str,
    ids: &Ids,
    to: &Mailbox,
) -> Result<(), Unspeakable> {
    with_ids(encoder, verb, ids)?;
    encoder.raw(" ");
    encoder.mailbox(to)
}
