//! What must hold for any request at all: the bodies of the fuzz targets, which tests replay over seeds.
//!
//! An input is an octet for the version, an octet for the command, and the body of a request.

use wbxml::{Limits, Reader, Token};

use crate::code_pages::PAGES;
use crate::command::{CommandName, Request};
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

/// What was decoded is decoded again from what is encoded.
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
    assert_eq!(Request::decode(command, version, &octets).as_ref(), Ok(&request));
    assert_eq!(request.encode(version), octets);
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

/// Whether a text may hold characters that are not written: controls, and what begins with 0xEF.
fn loses_characters(body: &[u8]) -> bool {
    let lost = |octet: &u8| (*octet < b' ' && !octet.is_ascii_whitespace()) || *octet == 0xEF;
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
    }

    #[test]
    fn seeds_of_request_round_trip() {
        replay("request_round_trip", request_round_trip);
    }

    #[test]
    fn an_input_names_version_and_command() {
        let octets = input(ProtocolVersion::V14_1, CommandName::Ping, b"body");
        assert_eq!(parts(&octets), Some((ProtocolVersion::V14_1, CommandName::Ping, &b"body"[..])));
        assert_eq!(parts(b"\xFF\x00"), None);
        assert_eq!(parts(b"\x00"), None);
    }
}
