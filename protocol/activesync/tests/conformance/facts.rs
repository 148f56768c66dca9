//! The facts of the tables, one by one.

use std::fs;
use std::path::PathBuf;

use activesync::code_pages::PAGES;
use activesync::element::Cursor;
use activesync::encoder::Encoder;
use activesync::{Error, ProtocolVersion};
use conformance::shown;
use wbxml::{Limits, Reader, Tag, Token, Writer};

/// The rows of a table, with as many columns as there are.
pub(crate) fn rows<const COLUMNS: usize>(name: &str) -> Vec<[String; COLUMNS]> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/conformance").join(name);
    let table = fs::read_to_string(path).unwrap();
    let row = |line: &str| line.split('\t').map(str::to_owned).collect::<Vec<_>>();
    table.lines().skip(1).map(|line| row(line).try_into().unwrap()).collect()
}

/// The tag of two columns; none where they are empty.
fn tag(page: &str, token: &str) -> Option<Tag> {
    let token = u8::from_str_radix(token.strip_prefix("0x")?, 16).unwrap();
    Some(Tag::new(page.parse().unwrap(), token))
}

/// A document that is one empty element.
fn document(tag: Tag) -> Vec<u8> {
    let mut writer = Writer::new(&PAGES);
    writer.empty(tag);
    writer.finish()
}

/// Whether a version has a tag: it is taken, and written. Both or neither.
pub(crate) fn has(version: ProtocolVersion, tag: Tag) -> bool {
    let octets = document(tag);
    let taken = match Cursor::new(&octets, version).unwrap().any_root() {
        Ok(root) => root == tag,
        Err(Error::Version { .. }) => false,
        Err(error) => panic!("{error}"),
    };
    let mut encoder = Encoder::new(version);
    encoder.empty(tag);
    assert_eq!(encoder.finish() == octets, taken);
    taken
}

#[test]
fn code_pages_are_the_namespaces_of_the_specification() {
    for [id, page, namespace] in rows("pages.tsv") {
        let page = page.parse().unwrap();
        // The page of the address list is spelt in two ways.
        let found = PAGES.namespace(page).unwrap();
        assert!(found.eq_ignore_ascii_case(&namespace), "{id}");
        let mut writer = Writer::new(&PAGES);
        let first = PAGES.pages().iter().find(|known| known.number == page).unwrap().tags[0].0;
        writer.empty(Tag::new(page, first));
        let octets = writer.finish();
        assert!(page == 0 || octets[4..6] == [0, page], "{id}");
        shown(&id, file!());
    }
}

#[test]
fn tokens_have_the_names_and_versions_of_the_specification() {
    for [id, page, token, name, versions] in rows("tokens.tsv") {
        let tag = tag(&page, &token).unwrap();
        let octets = document(tag);
        let mut reader = Reader::new(&octets, &PAGES, Limits::default()).unwrap();
        let Some(Token::Start { tag: read, name: found, .. }) = reader.next_token().unwrap() else {
            panic!("{id}")
        };
        assert_eq!((read, found), (tag, name.as_str()), "{id}");
        let newest = versions.rsplit(',').next().unwrap();
        for version in ProtocolVersion::ALL {
            let listed =
                versions == "all" || versions.split(',').any(|one| one == version.as_str());
            // A list that was made before 16.1 says nothing about it.
            let is_newer = newest == "16.0" && version == ProtocolVersion::V16_1;
            assert!(is_newer || has(version, tag) == listed, "{id} {version}");
        }
        shown(&id, file!());
    }
}

#[test]
fn each_version_has_the_elements_of_the_specification() {
    for [id, page, token, within_page, within_token, version, expected] in rows("versions.tsv") {
        let version = version.parse().unwrap();
        let within = tag(&within_page, &within_token);
        let found = has(version, tag(&page, &token).unwrap());
        let found = found && within.is_none_or(|within| has(version, within));
        assert_eq!(found, expected == "1", "{id}");
        shown(&id, file!());
    }
}
