//! Other vocabularies than ActiveSync, by code pages of the caller: SyncML and WML.

use wbxml::{CodePage, CodePages, ErrorKind, Limits, Profile, Reader, Tag, Token, Writer, xml};

/// A part of SyncML 1.2: what its first message needs, on two pages.
static SYNC_ML: CodePages = CodePages::new(&[
    CodePage {
        number: 0,
        namespace: "SYNCML:SYNCML1.2",
        tags: &[
            (0x12, "Final"),
            (0x17, "LocURI"),
            (0x1A, "Meta"),
            (0x1B, "MsgID"),
            (0x25, "SessionID"),
            (0x27, "Source"),
            (0x2B, "SyncBody"),
            (0x2C, "SyncHdr"),
            (0x2D, "SyncML"),
            (0x2E, "Target"),
            (0x31, "VerDTD"),
            (0x32, "VerProto"),
        ],
    },
    CodePage { number: 1, namespace: "syncml:metinf", tags: &[(0x0C, "MaxMsgSize")] },
]);

/// The public identifier of SyncML 1.2.
const SYNC_ML_1_2: u32 = 0x1201;

/// A part of WML 1.1: cards of text, without attributes.
static WML: CodePages = CodePages::new(&[CodePage {
    number: 0,
    namespace: "wml",
    tags: &[(0x20, "p"), (0x24, "b"), (0x26, "br"), (0x27, "card"), (0x3F, "wml")],
}]);

/// The vocabulary of the first example of WBXML 1.3 (section 8.1).
static XYZ: CodePages = CodePages::new(&[CodePage {
    number: 0,
    namespace: "xyz",
    tags: &[(0x05, "BR"), (0x06, "CARD"), (0x07, "XYZ")],
}]);

fn sync_ml(name: &str) -> Tag {
    SYNC_ML
        .tag("SYNCML:SYNCML1.2", name)
        .or_else(|| SYNC_ML.tag("syncml:metinf", name))
        .expect("a name of the table")
}

/// Writes an element with text.
fn leaf(writer: &mut Writer<'_>, name: &str, text: &str) {
    writer.start(sync_ml(name));
    writer.text(text);
    writer.end();
}

/// The message as octets.
fn message() -> Vec<u8> {
    let mut writer = Writer::with_public_id(&SYNC_ML, Vec::new(), SYNC_ML_1_2);
    writer.start(sync_ml("SyncML"));
    writer.start(sync_ml("SyncHdr"));
    leaf(&mut writer, "VerDTD", "1.2");
    leaf(&mut writer, "VerProto", "SyncML/1.2");
    leaf(&mut writer, "SessionID", "1");
    leaf(&mut writer, "MsgID", "1");
    writer.start(sync_ml("Target"));
    leaf(&mut writer, "LocURI", "http://sync.contoso.example");
    writer.end();
    writer.start(sync_ml("Meta"));
    leaf(&mut writer, "MaxMsgSize", "16384");
    writer.end();
    writer.end();
    writer.start(sync_ml("SyncBody"));
    writer.empty(sync_ml("Final"));
    writer.end();
    writer.end();
    writer.finish()
}

#[test]
fn a_message_of_sync_ml_is_written_and_read() {
    let octets = message();
    // The public identifier takes two octets, and page 1 is switched to and never back, as the text goes on.
    assert!(octets.starts_with(b"\x03\xA4\x01\x6A\x00\x6D\x6C\x71\x031.2\x00\x01"));
    let reader = Reader::new(&octets, &SYNC_ML, Limits::default()).unwrap();
    assert_eq!(
        (reader.header().public_id, reader.header().public_id_in_table),
        (SYNC_ML_1_2, false)
    );
    let shown = xml::to_xml(reader).unwrap();
    assert!(shown.contains("<LocURI>http://sync.contoso.example</LocURI>"), "{shown}");
    let mut elements = Vec::new();
    let mut reader = Reader::new(&octets, &SYNC_ML, Limits::default()).unwrap();
    while let Some(token) = reader.next_token().unwrap() {
        if let Token::Start { name, .. } = token {
            elements.push(name);
        }
    }
    assert_eq!(
        elements,
        [
            "SyncML",
            "SyncHdr",
            "VerDTD",
            "VerProto",
            "SessionID",
            "MsgID",
            "Target",
            "LocURI",
            "Meta",
            "MaxMsgSize",
            "SyncBody",
            "Final"
        ]
    );
}

#[test]
fn a_public_identifier_may_stand_in_the_string_table() {
    let id = b"-//SYNCML//DTD SyncML 1.2//EN\0";
    let mut octets = vec![0x03, 0x00, 0x00, 0x6A, id.len() as u8];
    octets.extend_from_slice(id);
    octets.extend_from_slice(&message()[5..]);
    let fault = Reader::new(&octets, &SYNC_ML, Limits::default()).unwrap_err();
    assert_eq!(fault.kind, ErrorKind::PublicId);
    let reader =
        Reader::with_profile(&octets, &SYNC_ML, Limits::default(), Profile::Wbxml).unwrap();
    assert!(reader.header().public_id_in_table);
    assert_eq!(reader.header().string_table, id);
    assert!(xml::to_xml(reader).unwrap().contains("<VerProto>SyncML/1.2</VerProto>"));
}

/// What a reader of everything in WBXML yields, texts joined with a bar, elements by name.
fn read(octets: &[u8], pages: &CodePages) -> Vec<String> {
    let mut reader = Reader::with_profile(octets, pages, Limits::default(), Profile::Wbxml)
        .expect("a sound document");
    let mut steps = Vec::new();
    while let Some(token) = reader.next_token().expect("a sound document") {
        steps.push(match token {
            Token::Start { name, .. } => format!("<{name}>"),
            Token::End => "</>".to_owned(),
            Token::Text(text) => text.to_str().expect("a sound document").to_owned(),
            Token::Opaque(octets) => format!("{octets:?}"),
            Token::Entity(character) => format!("&#{};", u32::from(character)),
        });
    }
    steps
}

#[test]
fn a_deck_of_wml_has_string_table_and_entities() {
    // WML 1.1, UTF-8, the table "bold"; <wml><card><p>Hi <b>bold</b>&nbsp;<br/></p></card></wml>
    let octets = b"\x03\x04\x6A\x05bold\x00\x7F\x67\x60\x03Hi \x00\x64\x83\x00\x01\x02\x81\x20\x26\x01\x01\x01";
    let steps = read(octets, &WML);
    let expected = [
        "<wml>", "<card>", "<p>", "Hi ", "<b>", "bold", "</>", "&#160;", "<br>", "</>", "</>",
        "</>", "</>",
    ];
    assert_eq!(steps, expected);
}

#[test]
fn the_first_example_of_the_specification_is_read() {
    // WBXML 1.3, section 8.1, in US-ASCII: <XYZ><CARD> X &amp; Y<BR/> X&nbsp;=&nbsp;1 </CARD></XYZ>
    let octets = b"\x01\x01\x03\x00\x47\x46\x03 X & Y\x00\x05\x03 X\x00\x02\x81\x20\x03=\x00\x02\x81\x20\x031 \x00\x01\x01";
    let steps = read(octets, &XYZ);
    let expected = [
        "<XYZ>", "<CARD>", " X & Y", "<BR>", "</>", " X", "&#160;", "=", "&#160;", "1 ", "</>",
        "</>",
    ];
    assert_eq!(steps, expected);
}

#[test]
fn attributes_are_refused_by_name() {
    let octets = b"\x03\x04\x6A\x00\x7F\xE7\x55\x03a\x00\x01\x01\x01";
    let mut reader = Reader::with_profile(octets, &WML, Limits::default(), Profile::Wbxml).unwrap();
    reader.next_token().unwrap();
    let fault = reader.next_token().unwrap_err();
    assert_eq!((fault.kind, fault.offset), (ErrorKind::Attributes, 5));
}
