//! Properties over arbitrary octets, and over octets that look like documents.

use proptest::prelude::*;
use wbxml::{CodePage, CodePages, check, xml};

static PAGES: CodePages = CodePages::new(&[
    CodePage { number: 0, namespace: "A", tags: &[(0x05, "Five"), (0x06, "Six"), (0x3F, "Last")] },
    CodePage { number: 1, namespace: "B", tags: &[(0x05, "Five"), (0x1C, "Other")] },
]);

/// One token or a piece of one; most sequences of these are nearly documents.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => Just(vec![0x01]),
        3 => prop::sample::select(vec![0x05, 0x06, 0x3F, 0x45, 0x46, 0x7F, 0x5C]).prop_map(|tag| vec![tag]),
        2 => (0u8..3).prop_map(|page| vec![0x00, page]),
        2 => "\\PC{0,6}".prop_map(|text| [&[3], text.as_bytes(), &[0]].concat()),
        1 => prop::collection::vec(any::<u8>(), 0..6)
            .prop_map(|bytes| [&[0xC3, bytes.len() as u8], &bytes[..]].concat()),
        1 => prop::collection::vec(1u8.., 0..4).prop_map(|bytes| [&[3], &bytes[..], &[0]].concat()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ]
}

fn document() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(piece(), 0..24)
        .prop_map(|pieces| [&[0x03, 0x01, 0x6A, 0x00, 0x45], &pieces.concat()[..]].concat())
}

/// A document that can be read: pieces put into elements that are all ended.
fn sound() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(vec![0x06]),
        "\\PC{1,8}".prop_map(|text| [&[0x46, 3], text.as_bytes(), &[0, 1]].concat()),
        prop::collection::vec(any::<u8>(), 0..8).prop_map(|bytes| [
            &[0x46, 0xC3, bytes.len() as u8],
            &bytes[..],
            &[1]
        ]
        .concat()),
        Just(vec![0x00, 0x01, 0x5C, 0x03, b'x', 0x00, 0x01, 0x00, 0x00]),
    ];
    let element = leaf.prop_recursive(5, 40, 6, |inner| {
        prop::collection::vec(inner, 0..6)
            .prop_map(|children| [&[0x45], &children.concat()[..], &[1]].concat())
    });
    prop::collection::vec(element, 0..6).prop_map(|children| {
        [&[0x03, 0x01, 0x6A, 0x00, 0x45], &children.concat()[..], &[1]].concat()
    })
}

proptest! {
    #[test]
    fn any_octets_are_read_without_harm(octets in prop::collection::vec(any::<u8>(), 0..64)) {
        check::read(&PAGES, &octets);
    }

    #[test]
    fn anything_like_a_document_is_read_without_harm(octets in document()) {
        check::read(&PAGES, &octets);
        check::round_trip(&PAGES, &octets);
    }

    #[test]
    fn a_sound_document_comes_back(octets in sound()) {
        let reader = wbxml::Reader::new(&octets, &PAGES, wbxml::Limits::default()).unwrap();
        prop_assert!(xml::to_xml(reader).is_ok());
        check::round_trip(&PAGES, &octets);
    }

    #[test]
    fn any_text_is_parsed_as_xml_without_harm(text in "[<>/!?&;#x \"'=:a-cAB\\-]{0,48}|\\PC{0,32}") {
        let _ = xml::from_xml(&text, &PAGES, wbxml::Limits::default());
    }
}
