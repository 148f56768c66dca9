//! What must hold for any request and query at all: the bodies of the fuzz targets, which tests replay over seeds.
//!
//! An input is an octet for the version, an octet for the command, and the body of a request.

mod arbitrary;
mod requests;
mod responses;

use std::fmt::Debug;

use wbxml::{Limits, Reader, Token};

pub(crate) use arbitrary::{Arbitrary, Tape};

use crate::code_pages::PAGES;
use crate::command::sync::ClientCommand;
use crate::command::{CommandName, Request};
use crate::document::Document;
use crate::error::Error;
use crate::http::{QUERY_OCTETS_MAX, Query};
use crate::item::ItemData;
use crate::version::ProtocolVersion;

/// Decoding ends, an error lies within the body, and each error has a status and a sentence.
///
/// # Panics
/// If any of that does not hold.
pub fn request_decode(input: &[u8]) {
    let Some((version, command, body)) = parts(input) else { return };
    if let Err(error) = Request::decode(command, version, body) {
        assert!(error.offset() <= body.len(), "{error}");
        assert!(error.status(command).0 > 1 && !error.to_string().is_empty());
    }
}

/// What was decoded is decoded again from what is encoded, and no version gets what it does not have.
///
/// # Panics
/// If that does not hold.
pub fn request_round_trip(input: &[u8]) {
    let Some((version, command, body)) = parts(input) else { return };
    let Ok(request) = Request::decode(command, version, body) else { return };
    assert_eq!(request.command(), command);
    let octets = request.encode(version);
    if octets.is_empty() || loses_characters(body) {
        return;
    }
    let again = Request::decode(command, version, &octets).expect("what we write can be read");
    assert!(again == request || has_broken_item(&request), "{request:?} {again:?}");
    assert_eq!(again.encode(version), octets);
    for other in ProtocolVersion::ALL {
        let octets = request.encode(other);
        let result = Request::decode(command, other, &octets);
        assert!(!matches!(result, Err(Error::Version { .. })), "{other}: {result:?}");
    }
}

/// Any value that a version can say is decoded, equal, from what is encoded, and no version gets what it does not have.
/// The first octet is the version, the second the type, the others choose the value.
///
/// # Panics
/// If that does not hold.
pub fn typed_round_trip(input: &[u8]) {
    let [version, kind, octets @ ..] = input else { return };
    let versions = ProtocolVersion::ALL.len();
    let version = ProtocolVersion::ALL[usize::from(*version) % versions];
    let kind = DOCUMENTS[usize::from(*kind) % DOCUMENTS.len()];
    kind(&mut Tape::new(octets, version));
}

/// The octets of any response that a version can say; none where the version does not have the command. The input is that
/// of [`typed_round_trip`], but the second octet counts the types of responses.
pub fn any_response(input: &[u8]) -> Option<Vec<u8>> {
    let [version, kind, octets @ ..] = input else { return None };
    let version = ProtocolVersion::ALL[usize::from(*version) % ProtocolVersion::ALL.len()];
    let encode = RESPONSES[usize::from(*kind) % RESPONSES.len()];
    Some(encode(&mut Tape::new(octets, version))).filter(|octets| !octets.is_empty())
}

/// Makes the list of checks, one for each type of document, and the list of responses.
macro_rules! documents {
    ($($module:ident)*) => {
        /// The check of each request and each response.
        const DOCUMENTS: &[fn(&mut Tape<'_>)] = &[$(
            comes_back::<crate::command::$module::Request>,
            comes_back::<crate::command::$module::Response>,
        )*];

        /// The octets of each response.
        const RESPONSES: &[fn(&mut Tape<'_>) -> Vec<u8>] =
            &[$(encoded::<crate::command::$module::Response>,)*];
    };
}

documents! {
    find folder_create folder_delete folder_sync folder_update get_item_estimate item_operations meeting_response
    move_items ping provision resolve_recipients search send_mail settings smart_forward smart_reply sync
    validate_cert
}

/// A value that the tape chooses, as it is written.
fn encoded<D: Document + Arbitrary>(tape: &mut Tape<'_>) -> Vec<u8> {
    if tape.has(D::ROOT) { tape.any::<D>().encode(tape.version()) } else { Vec::new() }
}

/// A value that the tape chooses comes back.
fn comes_back<D: Document + Arbitrary + PartialEq + Debug>(tape: &mut Tape<'_>) {
    let version = tape.version();
    if !tape.has(D::ROOT) {
        return;
    }
    let value: D = tape.any();
    let octets = value.encode(version);
    assert_eq!(D::decode(version, &octets).as_ref(), Ok(&value), "in {version}");
    for other in ProtocolVersion::ALL {
        let result = D::decode(other, &value.encode(other));
        assert!(!matches!(result, Err(Error::Version { .. })), "{other}: {result:?}");
    }
}

/// Any query is read or refused; what was read comes back from both spellings, as far as they can
/// say it: escaped, the plain one may become longer than a query may be.
///
/// # Panics
/// If that does not hold.
pub fn http_query(octets: &[u8]) {
    let Ok(raw) = std::str::from_utf8(octets) else { return };
    let Ok(query) = Query::decode(raw) else { return };
    let plain = Query {
        version: None,
        policy_key: None,
        locale: None,
        accept_multipart: false,
        ..query.clone()
    };
    let spelt = query.encode_plain();
    if spelt.len() <= QUERY_OCTETS_MAX {
        assert_eq!(Query::decode(&spelt), Ok(plain));
    }
    let version = Some(query.version.unwrap_or(ProtocolVersion::V16_1));
    let locale = Some(query.locale.unwrap_or(LOCALE));
    let full = Query { version, locale, ..query };
    let id = full.device_id.as_bytes();
    if id.len() == GUID_OCTETS && !id.iter().all(u8::is_ascii_alphanumeric) {
        return;
    }
    if let Some(base64) = full.encode_base64() {
        assert_eq!(Query::decode(&base64), Ok(full));
    }
}

/// The input for a request, as the fuzz targets take it.
pub fn input(version: ProtocolVersion, command: CommandName, body: &[u8]) -> Vec<u8> {
    let version = ProtocolVersion::ALL.iter().position(|known| *known == version);
    let command = CommandName::ALL.iter().position(|known| *known == command);
    let octet = |position: Option<usize>| position.unwrap_or_default() as u8;
    [&[octet(version), octet(command)], body].concat()
}

fn parts(input: &[u8]) -> Option<(ProtocolVersion, CommandName, &[u8])> {
    let (version, rest) = input.split_first()?;
    let (command, body) = rest.split_first()?;
    let version = ProtocolVersion::ALL.get(usize::from(*version))?;
    let command = CommandName::ALL.get(usize::from(*command))?;
    Some((*version, *command, body))
}

/// Whether an item could not be decoded; nothing is left of it in what is encoded.
fn has_broken_item(request: &Request) -> bool {
    let Request::Sync(Some(request)) = request else { return false };
    request.collections.iter().flat_map(|collection| &collection.commands).any(|command| {
        let data = match command {
            ClientCommand::Add(add) => &add.data,
            ClientCommand::Change(change) => &change.data,
            ClientCommand::Delete(_) | ClientCommand::Fetch(_) => return false,
        };
        matches!(data, ItemData::Broken(_))
    })
}

/// Whether a text may hold characters that are not written: controls, and what begins with 0xEF.
fn loses_characters(body: &[u8]) -> bool {
    let lost = |octet: &u8| (*octet < b' ' && !b"\t\n\r".contains(octet)) || *octet == 0xEF;
    let Ok(mut reader) = Reader::new(body, &PAGES, Limits::DEFAULT) else { return false };
    while let Ok(Some(token)) = reader.next_token() {
        let octets = match &token {
            Token::Text(text) => text.bytes(),
            Token::Opaque(octets) => octets,
            _ => &[],
        };
        if octets.iter().any(lost) {
            return true;
        }
    }
    false
}

/// A locale other than the default.
const LOCALE: u16 = 0x0407;

/// A device id of this length reads as octets unless it is letters and digits.
const GUID_OCTETS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn replay(target: &str, check: impl Fn(&[u8])) {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
        let mut count = 0;
        for seed in std::fs::read_dir(seeds).unwrap() {
            check(&std::fs::read(seed.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count > 0, "{target} has no seeds");
    }

    #[test]
    fn seeds_of_request_decode() {
        replay("request_decode", request_decode);
        replay("request_round_trip", request_decode);
    }

    #[test]
    fn seeds_of_request_round_trip() {
        replay("request_round_trip", request_round_trip);
    }

    #[test]
    fn seeds_of_typed_round_trip() {
        replay("typed_round_trip", typed_round_trip);
    }

    /// Values of each type and each version, from a fixed seed.
    #[test]
    fn some_values_of_every_type_come_back() {
        let mut state = 1_u64;
        for round in 0..VALUES_OF_EACH {
            for version in 0..5 {
                for kind in 0..DOCUMENTS.len() {
                    let octets = (0..3 * round).map(|_| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        (state >> 56) as u8
                    });
                    let input: Vec<u8> = [version, kind as u8].into_iter().chain(octets).collect();
                    typed_round_trip(&input);
                }
            }
        }
    }

    const VALUES_OF_EACH: usize = 60;

    #[test]
    fn seeds_of_http_query() {
        replay("http_query", http_query);
    }

    #[test]
    fn a_query_that_escaping_makes_too_long_is_no_finding() {
        let user = "\u{1}".repeat(QUERY_OCTETS_MAX / 2);
        let raw = format!("Cmd=Ping&User={user}&DeviceId=a&DeviceType=b");
        assert!(
            Query::decode(&raw).is_ok_and(|query| query.encode_plain().len() > QUERY_OCTETS_MAX)
        );
        http_query(raw.as_bytes());
    }

    #[test]
    fn an_input_names_version_and_command() {
        let octets = input(ProtocolVersion::V14_1, CommandName::Ping, b"body");
        assert_eq!(parts(&octets), Some((ProtocolVersion::V14_1, CommandName::Ping, &b"body"[..])));
        assert_eq!(parts(b"\xFF\x00"), None);
        assert_eq!(parts(b"\x00"), None);
    }
}
