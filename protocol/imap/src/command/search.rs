//! SEARCH (RFC 9051 6.4.4).

use super::encode::{Encoder, Unspeakable};
use crate::date::Date;
use crate::flag::Flag;
use crate::set::NumberSet;

/// What a search tells (RFC 4731).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchReturn {
    /// The lowest.
    Min,
    /// The highest.
    Max,
    /// How many.
    Count,
    /// All of them.
    All,
}

/// What a message must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchKey {
    /// Like any.
    All,
    /// With this flag.
    Has(Flag),
    /// Without it.
    HasNot(Flag),
    /// With one of these UIDs.
    Uids(NumberSet),
    /// With this in a field of its header; empty asks for the field itself.
    Header(String, String),
    /// With this in its subject.
    Subject(String),
    /// From an address with this in it.
    From(String),
    /// To an address with this in it.
    To(String),
    /// With this in its body.
    Body(String),
    /// With this anywhere.
    Text(String),
    /// Received on this day or later.
    Since(Date),
    /// Received before this day.
    Before(Date),
    /// With more octets.
    Larger(u32),
    /// With fewer octets.
    Smaller(u32),
    /// Changed at this position or later (RFC 7162 3.1.5).
    ModSeq(u64),
    /// Not like this.
    Not(Box<SearchKey>),
    /// Like one of the two.
    Or(Box<SearchKey>, Box<SearchKey>),
    /// Like all of these.
    And(Vec<SearchKey>),
}

pub(super) fn encode(
    encoder: &mut Encoder,
    uid: bool,
    returns: &[SearchReturn],
    search: &SearchKey,
) -> Result<(), Unspeakable> {
    encoder.raw(if uid { "UID SEARCH" } else { "SEARCH" });
    if !returns.is_empty() {
        encoder.raw(" RETURN ");
        encoder.list(returns, |encoder, one| {
            encoder.raw(match one {
                SearchReturn::Min => "MIN",
                SearchReturn::Max => "MAX",
                SearchReturn::Count => "COUNT",
                SearchReturn::All => "ALL",
            });
            Ok(())
        })?;
    }
    // RFC 6855 3: with UTF8=ACCEPT a charset may not be named.
    if !encoder.is_utf8() && !is_ascii(search) {
        encoder.raw(" CHARSET UTF-8");
    }
    encoder.raw(" ");
    key(encoder, search)
}

fn is_ascii(search: &SearchKey) -> bool {
    match search {
        SearchKey::Header(a, b) => a.is_ascii() && b.is_ascii(),
        SearchKey::Subject(text)
        | SearchKey::From(text)
        | SearchKey::To(text)
        | SearchKey::Body(text)
        | SearchKey::Text(text) => text.is_ascii(),
        SearchKey::Not(inner) => is_ascii(inner),
        SearchKey::Or(a, b) => is_ascii(a) && is_ascii(b),
        SearchKey::And(all) => all.iter().all(is_ascii),
        _ => true,
    }
}

fn key(encoder: &mut Encoder, search: &SearchKey) -> Result<(), Unspeakable> {
    let mut text = |name: &str, text: &str| {
        encoder.raw(name);
        encoder.astring(text.as_bytes())
    };
    match search {
        SearchKey::All => encoder.raw("ALL"),
        SearchKey::Has(flag) => return has(encoder, flag, ""),
        SearchKey::HasNot(flag) => return has(encoder, flag, "UN"),
        SearchKey::Uids(uids) if uids.is_empty() => return Err(Unspeakable),
        SearchKey::Uids(uids) => encoder.raw(&format!("UID {uids}")),
        SearchKey::Header(name, value) => {
            text("HEADER ", name)?;
            text(" ", value)?;
        }
        SearchKey::Subject(value) => text("SUBJECT ", value)?,
        SearchKey::From(value) => text("FROM ", value)?,
        SearchKey::To(value) => text("TO ", value)?,
        SearchKey::Body(value) => text("BODY ", value)?,
        SearchKey::Text(value) => text("TEXT ", value)?,
        SearchKey::Since(date) => encoder.raw(&format!("SINCE {date}")),
        SearchKey::Before(date) => encoder.raw(&format!("BEFORE {date}")),
        SearchKey::Larger(octets) => encoder.raw(&format!("LARGER {octets}")),
        SearchKey::Smaller(octets) => encoder.raw(&format!("SMALLER {octets}")),
        SearchKey::ModSeq(modseq) => encoder.raw(&format!("MODSEQ {modseq}")),
        SearchKey::Not(inner) => {
            encoder.raw("NOT ");
            key(encoder, inner)?;
        }
        SearchKey::Or(one, other) => {
            encoder.raw("OR ");
            key(encoder, one)?;
            encoder.raw(" ");
            key(encoder, other)?;
        }
        SearchKey::And(all) if all.is_empty() => encoder.raw("ALL"),
        SearchKey::And(all) => encoder.list(all, key)?,
    }
    Ok(())
}

fn has(encoder: &mut Encoder, flag: &Flag, un: &str) -> Result<(), Unspeakable> {
    let name = match flag {
        Flag::Seen => "SEEN",
        Flag::Answered => "ANSWERED",
        Flag::Flagged => "FLAGGED",
        Flag::Deleted => "DELETED",
        Flag::Draft => "DRAFT",
        Flag::Keyword(name) => {
            encoder.raw(&format!("{un}KEYWORD "));
            return encoder.flag(name);
        }
        Flag::Recent | Flag::Any => return Err(Unspeakable),
    };
    encoder.raw(un);
    encoder.raw(name);
    Ok(())
}
