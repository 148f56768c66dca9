//! Every document of the test data: octets to XML, XML to octets, octets to octets; malformed ones by name and offset.

use std::collections::BTreeMap;

use wbxml::{Error, ErrorKind, Limits, Reader, Tag, Token, check, xml};

use crate::data::{self, PAGES, hex, names};

fn shown(octets: &[u8]) -> Result<String, Error> {
    xml::to_xml(Reader::new(octets, &PAGES, Limits::default())?)
}

#[test]
fn every_pair_shows_as_its_xml_and_comes_back_as_its_octets() {
    let names = names("fixtures");
    assert_eq!(names.len(), 58);
    for name in names {
        let octets = hex(&format!("fixtures/{name}.hex"));
        let expected = data::text(&format!("fixtures/{name}.xml"));
        assert_eq!(shown(&octets).unwrap(), expected, "{name}");
        assert_eq!(xml::from_xml(&expected, &PAGES, Limits::default()).unwrap(), octets, "{name}");
    }
}

#[test]
fn every_variant_shows_as_its_xml() {
    for name in names("fixtures/variants") {
        let octets = hex(&format!("fixtures/variants/{name}.hex"));
        let expected = data::text(&format!("fixtures/variants/{name}.xml"));
        assert_eq!(shown(&octets).unwrap(), expected, "{name}");
    }
}

#[test]
fn every_fixture_and_every_request_of_the_corpus_survives_the_checks() {
    let fixtures = ["fixtures", "fixtures/variants", "fixtures/malformed"];
    let inputs = fixtures.iter().flat_map(|folder| {
        data::files(folder, "hex").into_iter().map(move |name| hex(&format!("{folder}/{name}")))
    });
    let corpus = data::files("corpus", "wbxml");
    assert_eq!(corpus.len(), 188);
    for octets in inputs.chain(corpus.iter().map(|name| data::octets(&format!("corpus/{name}")))) {
        check::read(&PAGES, &octets);
        check::round_trip(&PAGES, &octets);
    }
}

#[test]
fn every_request_of_the_corpus_can_be_read_but_the_one_made_not_to_be() {
    for name in data::files("corpus", "wbxml") {
        let octets = data::octets(&format!("corpus/{name}"));
        let fault = read(&octets).err().map(|error| (error.kind, error.offset));
        // A conformance suite sends 0xFF as a tag to see the server refuse it.
        let refused =
            (name == "ms-interop-FolderSync-a95de260.wbxml").then_some((ErrorKind::Attributes, 7));
        assert_eq!(fault, refused, "{name}");
    }
}

/// Reads to the end, texts included.
fn read(octets: &[u8]) -> Result<(), Error> {
    let mut reader = Reader::new(octets, &PAGES, Limits::default())?;
    while let Some(token) = reader.next_token()? {
        if let Token::Text(text) = token {
            text.to_str()?;
        }
    }
    Ok(())
}

#[test]
fn every_malformed_input_yields_the_named_error_at_the_named_offset() {
    let mut expected = BTreeMap::from(MALFORMED);
    for file in data::files("fixtures/malformed", "hex") {
        let octets = hex(&format!("fixtures/malformed/{file}"));
        let (number, _) = file.split_once('-').unwrap();
        let wanted = expected.remove(number).unwrap_or_else(|| panic!("{file} is not listed"));
        let found = read(&octets).err().map(|error| (error.kind, error.offset));
        assert_eq!(found, wanted, "{file}");
    }
    assert!(expected.is_empty(), "no file for {expected:?}");
}

const MALFORMED: [(&str, Option<(ErrorKind, usize)>); 28] = [
    ("m01", Some((ErrorKind::UnexpectedEnd, 3))),
    ("m02", Some((ErrorKind::EmptyDocument, 4))),
    ("m03", Some((ErrorKind::UnexpectedEnd, 12))),
    ("m04", Some((ErrorKind::UnbalancedEnd, 13))),
    ("m05", Some((ErrorKind::SecondRoot, 13))),
    ("m06", Some((ErrorKind::TextOutsideRoot, 4))),
    ("m07", Some((ErrorKind::UnexpectedEnd, 9))),
    ("m08", Some((ErrorKind::InvalidUtf8, 7))),
    ("m09", Some((ErrorKind::UnexpectedEnd, 14))),
    ("m10", Some((ErrorKind::BadMbU32, 9))),
    ("m11", Some((ErrorKind::UnexpectedEnd, 10))),
    ("m12", Some((ErrorKind::Attributes, 4))),
    ("m13", Some((ErrorKind::UnknownPage(26), 4))),
    ("m14", Some((ErrorKind::UnknownPage(3), 4))),
    ("m15", Some((ErrorKind::UnknownToken(Tag::new(13, 0x3F)), 7))),
    ("m16", Some((ErrorKind::LiteralTag, 5))),
    ("m17", Some((ErrorKind::Entity, 6))),
    ("m18", Some((ErrorKind::StringTableReference, 6))),
    ("m19", Some((ErrorKind::ProcessingInstruction, 4))),
    ("m20", Some((ErrorKind::Extension(0x40), 5))),
    ("m21", Some((ErrorKind::StringTable, 3))),
    ("m22", Some((ErrorKind::UnsupportedCharset(3), 2))),
    ("m23", Some((ErrorKind::PublicId, 1))),
    ("m24", Some((ErrorKind::UnsupportedVersion(b'<'), 0))),
    ("m25", Some((ErrorKind::UnexpectedEnd, 7))),
    // WBXML 1.2 is tolerated, and so is a page switch behind the root.
    ("m26", None),
    ("m27", None),
    ("m28", Some((ErrorKind::TooDeep, 68))),
];
