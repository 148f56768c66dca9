//! Known answers for the tests of this folder: documents of the shared test data.

use std::path::Path;

use crate::document::Document;
use crate::version::ProtocolVersion;

/// The octets of the fixture that begins with `number`.
pub(super) fn octets(number: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fixtures");
    let mut files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let wanted = files.find(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(&format!("{number}-")) && name.ends_with(".hex")
    });
    let hex = std::fs::read_to_string(wanted.unwrap()).unwrap();
    let digits: Vec<u8> = hex.bytes().filter(|octet| !octet.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// Checks that a fixture decodes to `value`, and `value` encodes to the fixture.
pub(super) fn both_ways<D>(number: &str, version: ProtocolVersion, value: D)
where
    D: Document + PartialEq + std::fmt::Debug,
{
    let octets = octets(number);
    assert_eq!(D::decode(version, &octets).as_ref(), Ok(&value), "{number}");
    assert_eq!(value.encode(version), octets, "{number}");
}

/// Checks that `value` comes back from its octets, and gives them.
pub(super) fn comes_back<D>(version: ProtocolVersion, value: &D) -> Vec<u8>
where
    D: Document + PartialEq + std::fmt::Debug,
{
    let octets = value.encode(version);
    assert_eq!(D::decode(version, &octets).as_ref(), Ok(value));
    octets
}

/// What decoding says about a document shown as XML.
pub(super) fn decoded<D: Document>(
    version: ProtocolVersion,
    xml: &str,
) -> crate::element::Result<D> {
    let pages = &crate::code_pages::PAGES;
    let octets = wbxml::xml::from_xml(xml, pages, wbxml::Limits::default()).unwrap();
    D::decode(version, &octets)
}
