//! SEARCH and ESEARCH (RFC 9051 7.3.4, RFC 7162 3.1.5).

use super::Context;
use crate::set::NumberSet;
use crate::value::{Fault, Value};

/// Messages found, as IMAP4rev1 tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Their numbers, or UIDs if that was asked.
    pub found: NumberSet,
    /// The position of the latest change among them.
    pub modseq: Option<u64>,
}

/// Messages found, as ESEARCH tells it; nothing at all means nothing found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Esearch {
    /// The tag of the search.
    pub tag: Option<String>,
    /// Are these UIDs?
    pub uid: bool,
    /// The lowest.
    pub min: Option<u32>,
    /// The highest.
    pub max: Option<u32>,
    /// How many.
    pub count: Option<u32>,
    /// All of them.
    pub all: NumberSet,
    /// The position of the latest change among them.
    pub modseq: Option<u64>,
}

/// Reads the numbers straight from the text: there can be one for every message of a large mailbox.
pub(super) fn read(text: &[u8], context: &Context) -> Result<Search, Fault> {
    let malformed = Fault::Malformed("SEARCH");
    let numbers = text.split(|&c| c == b'(').next().unwrap_or_default();
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    for word in numbers.split(|&c| c == b' ').filter(|word| !word.is_empty()) {
        let number: u32 = Value::Atom(word).number().filter(|&n| n > 0).ok_or(malformed)?;
        let follows = pairs.last().is_some_and(|last| last.1.checked_add(1) == Some(number));
        if let Some(last) = pairs.last_mut().filter(|_| follows) {
            last.1 = number;
        } else if pairs.len() < context.limits.ranges_max {
            pairs.push((number, number));
        } else {
            return Err(Fault::TooMany);
        }
    }
    let mut modseq = None;
    if let Some(rest) = text.get(numbers.len() + 1..) {
        let rest = rest.trim_ascii_end().strip_suffix(b")").ok_or(malformed)?;
        let words: Vec<&[u8]> = rest.split(|&c| c == b' ').collect();
        if let [name, number] = words[..]
            && name.eq_ignore_ascii_case(b"MODSEQ")
        {
            modseq = Value::Atom(number).number();
        }
    }
    Ok(Search { found: NumberSet::from_pairs(pairs), modseq })
}

pub(super) fn read_extended(values: &[Value<'_>], context: &Context) -> Result<Esearch, Fault> {
    let malformed = Fault::Malformed("ESEARCH");
    let mut found = Esearch::default();
    let mut rest = values;
    if let Some((Value::List(correlator), after)) = rest.split_first() {
        found.tag = correlator.get(1).and_then(Value::string);
        rest = after;
    }
    if rest.first().is_some_and(|value| value.is_atom("UID")) {
        found.uid = true;
        rest = &rest[1..];
    }
    let (pairs, odd) = rest.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(malformed);
    }
    for [name, value] in pairs {
        match &name.octets().unwrap_or_default().to_ascii_uppercase()[..] {
            b"MIN" => found.min = Some(value.number().ok_or(malformed)?),
            b"MAX" => found.max = Some(value.number().ok_or(malformed)?),
            b"COUNT" => found.count = Some(value.number().ok_or(malformed)?),
            b"MODSEQ" => found.modseq = Some(value.number().ok_or(malformed)?),
            b"ALL" => {
                let set = value.octets().ok_or(malformed)?;
                found.all = NumberSet::parse(set, context.limits.ranges_max)?;
            }
            _ => {}
        }
    }
    Ok(found)
}
