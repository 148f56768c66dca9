//! What stands in queries and headers ([MS-ASHTTP]), and the tokens of WBXML that no element has ([MS-ASWBXML]).

use activesync::command::plain_mail::{self, Purpose};
use activesync::command::smart_reply::SourceItem;
use activesync::command::{CommandName, get_attachment};
use activesync::http::{MS_AS_ACCEPT_MULTI_PART, Query, command_list, version_list};
use activesync::types::FileReference;
use activesync::{ProtocolVersion, code_pages};
use conformance::conforms;
use wbxml::{ErrorKind, Limits, Reader, Token};

fn plain(parameters: &str) -> Query {
    Query::decode(&format!("{parameters}&User=anat&DeviceId=dev&DeviceType=phone")).unwrap()
}

/// The same query in the other spelling.
fn packed(query: &Query) -> Query {
    let query = Query { version: Some(ProtocolVersion::V12_1), ..query.clone() };
    Query::decode(&query.encode_base64().unwrap()).unwrap()
}

/// What both spellings of a query ask for.
fn mail(parameters: &str) -> plain_mail::Request {
    let query = plain(parameters);
    let request = plain_mail::Request::from_query(&query, b"mail".to_vec()).unwrap();
    let other = plain_mail::Request::from_query(&packed(&query), b"mail".to_vec());
    assert_eq!(other.as_ref(), Ok(&request));
    request
}

#[test]
fn an_attachment_is_named_in_the_query() {
    let query = plain("Cmd=GetAttachment&AttachmentName=5%3A41%3A2");
    let wanted = get_attachment::Request { attachment: FileReference::new("5:41:2").unwrap() };
    assert_eq!(get_attachment::Request::from_query(&query).as_ref(), Ok(&wanted));
    assert_eq!(get_attachment::Request::from_query(&packed(&query)), Ok(wanted));
    conforms!("MS-ASHTTP_R115", "MS-ASHTTP_R487", "MS-ASHTTP_R490");
}

#[test]
fn mail_is_answered_and_forwarded_by_the_query() {
    let item = |source: &SourceItem| match source {
        SourceItem::Item { folder_id, item_id } => format!("{folder_id} {item_id}"),
        SourceItem::Found(long_id) => long_id.to_string(),
    };
    let reply = mail("Cmd=SmartReply&CollectionId=5&ItemId=5%3A1&SaveInSent=T");
    let Purpose::Reply(source) = &reply.purpose else { panic!("{reply:?}") };
    assert_eq!((item(&source.item).as_str(), reply.save_in_sent_items), ("5 5:1", true));
    conforms!(
        "MS-ASHTTP_R526",
        "MS-ASHTTP_R527",
        "MS-ASHTTP_R530",
        "MS-ASHTTP_R435",
        "MS-ASHTTP_R436"
    );
    let found = mail("Cmd=SmartReply&LongId=Rg1&Occurrence=20260408T080000Z");
    let Purpose::Reply(source) = &found.purpose else { panic!("{found:?}") };
    assert_eq!((item(&source.item).as_str(), source.instance_id.is_some()), ("Rg1", true));
    conforms!("MS-ASHTTP_R528", "MS-ASHTTP_R529", "MS-ASHTTP_R512", "MS-ASHTTP_R513");

    let forward = mail("Cmd=SmartForward&CollectionId=5&ItemId=5%3A1&SaveInSent=T");
    let Purpose::Forward(source) = &forward.purpose else { panic!("{forward:?}") };
    assert_eq!((item(&source.item).as_str(), forward.save_in_sent_items), ("5 5:1", true));
    conforms!(
        "MS-ASHTTP_R116",
        "MS-ASHTTP_R117",
        "MS-ASHTTP_R120",
        "MS-ASHTTP_R511",
        "MS-ASHTTP_R517"
    );
    let found = mail("Cmd=SmartForward&LongId=Rg1&Occurrence=20260408T080000Z");
    let Purpose::Forward(source) = &found.purpose else { panic!("{found:?}") };
    assert_eq!((item(&source.item).as_str(), source.instance_id.is_some()), ("Rg1", true));
    conforms!("MS-ASHTTP_R118", "MS-ASHTTP_R119");
    conforms!("MS-ASCMD_R6094", "MS-ASCMD_R6106", "MS-ASCMD_R6111");
}

#[test]
fn sent_mail_is_kept_if_the_query_says_so() {
    assert!(mail("Cmd=SendMail&SaveInSent=T").save_in_sent_items);
    conforms!("MS-ASHTTP_R531", "MS-ASHTTP_R121", "MS-ASHTTP_R533");
    assert!(!mail("Cmd=SendMail&SaveInSent=F").save_in_sent_items);
    conforms!("MS-ASHTTP_R437");
    assert!(!mail("Cmd=SendMail").save_in_sent_items);
    conforms!("MS-ASHTTP_R122");
}

/// A base64 query of 14.1 with an octet of options.
fn with_options(command: CommandName, options: u8) -> Query {
    let mut query = Query::new(command, "dev", "phone");
    query.version = Some(ProtocolVersion::V14_1);
    query.save_in_sent = options & 0x01 != 0;
    query.accept_multipart = options & 0x02 != 0;
    let raw = query.encode_base64().unwrap();
    let octets = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, &raw).unwrap();
    // Tag 7, one octet, the mask: what the specification says, and nothing else.
    assert!(octets.ends_with(&[7, 1, options]), "{octets:02X?}");
    Query::decode(&raw).unwrap()
}

#[test]
fn options_are_a_mask_of_one_octet() {
    for command in [CommandName::SendMail, CommandName::SmartReply, CommandName::SmartForward] {
        let query = with_options(command, 0x01);
        assert!(query.save_in_sent && !query.accept_multipart);
    }
    conforms!(
        "MS-ASHTTP_R486",
        "MS-ASHTTP_R92",
        "MS-ASHTTP_R93",
        "MS-ASHTTP_R524",
        "MS-ASHTTP_R525",
        "MS-ASHTTP_R88",
        "MS-ASHTTP_R532",
    );
    let query = with_options(CommandName::ItemOperations, 0x02);
    assert!(query.accept_multipart && !query.save_in_sent);
    conforms!("MS-ASHTTP_R94", "MS-ASHTTP_R95", "MS-ASHTTP_R534");
}

#[test]
fn a_header_asks_for_multipart() {
    let asked = |value: Option<&'static str>| {
        let mut query = plain("Cmd=ItemOperations");
        query.version = Some(ProtocolVersion::V14_1);
        query.complete(|name| value.filter(|_| name == MS_AS_ACCEPT_MULTI_PART)).unwrap();
        query.accept_multipart
    };
    assert!(asked(Some("T")));
    conforms!("MS-ASHTTP_R154");
    assert!(!asked(None));
    conforms!("MS-ASHTTP_R155");
    assert!(!asked(Some("F")));
    conforms!("MS-ASHTTP_R440");
}

#[test]
fn lists_are_comma_delimited_and_name_every_version() {
    assert_eq!(version_list(&ProtocolVersion::ALL), "12.1,14.0,14.1,16.0,16.1");
    conforms!("MS-ASHTTP_R249", "MS-ASHTTP_R2491");
    let commands = [CommandName::Sync, CommandName::SendMail, CommandName::Find];
    assert_eq!(command_list(&commands), "Sync,SendMail,Find");
    conforms!("MS-ASHTTP_R247");
}

/// What reading a body says, behind a header and the start of an element.
fn fault(body: &[u8]) -> Option<ErrorKind> {
    let octets = [&b"\x03\x01\x6A\x00\x45"[..], body].concat();
    let mut reader = Reader::new(&octets, &code_pages::PAGES, Limits::default()).unwrap();
    loop {
        match reader.next_token() {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(error) => return Some(error.kind),
        }
    }
}

#[test]
fn global_tokens_are_those_of_wbxml() {
    assert_eq!(fault(b"\x00\x02\x00\x00\x01"), None);
    conforms!("MS-ASWBXML_R801");
    assert_eq!(fault(b"\x01"), None);
    conforms!("MS-ASWBXML_R802");
    assert_eq!(fault(b"\x02\x20\x01"), Some(ErrorKind::Entity));
    conforms!("MS-ASWBXML_R803");
    assert_eq!(fault(b"\x03text\x00\x01"), None);
    conforms!("MS-ASWBXML_R804");
    assert_eq!(fault(b"\x04"), Some(ErrorKind::LiteralTag));
    conforms!("MS-ASWBXML_R805");
    assert_eq!(fault(b"\x40"), Some(ErrorKind::Extension(0x40)));
    conforms!("MS-ASWBXML_R806");
    assert_eq!(fault(b"\x41"), Some(ErrorKind::Extension(0x41)));
    conforms!("MS-ASWBXML_R807");
    assert_eq!(fault(b"\x42"), Some(ErrorKind::Extension(0x42)));
    conforms!("MS-ASWBXML_R808");
    assert_eq!(fault(b"\x43"), Some(ErrorKind::ProcessingInstruction));
    conforms!("MS-ASWBXML_R809");
    assert_eq!(fault(b"\x44"), Some(ErrorKind::LiteralTag));
    conforms!("MS-ASWBXML_R810");
    assert_eq!(fault(b"\x80"), Some(ErrorKind::Extension(0x80)));
    conforms!("MS-ASWBXML_R811");
    assert_eq!(fault(b"\x81"), Some(ErrorKind::Extension(0x81)));
    conforms!("MS-ASWBXML_R812");
    assert_eq!(fault(b"\x82"), Some(ErrorKind::Extension(0x82)));
    conforms!("MS-ASWBXML_R813");
    assert_eq!(fault(b"\x83\x00"), Some(ErrorKind::StringTableReference));
    conforms!("MS-ASWBXML_R814");
    assert_eq!(fault(b"\x84"), Some(ErrorKind::LiteralTag));
    conforms!("MS-ASWBXML_R815");
    assert_eq!(fault(b"\xC0"), Some(ErrorKind::Extension(0xC0)));
    conforms!("MS-ASWBXML_R816");
    assert_eq!(fault(b"\xC1"), Some(ErrorKind::Extension(0xC1)));
    conforms!("MS-ASWBXML_R817");
    assert_eq!(fault(b"\xC2"), Some(ErrorKind::Extension(0xC2)));
    conforms!("MS-ASWBXML_R818");
    assert_eq!(fault(b"\xC3\x02ab\x01"), None);
    conforms!("MS-ASWBXML_R819");
    assert_eq!(fault(b"\xC4"), Some(ErrorKind::LiteralTag));
    conforms!("MS-ASWBXML_R820");
}

#[test]
fn documents_use_tokens_pages_inline_strings_and_opaque_data() {
    let octets = b"\x03\x01\x6A\x00\x45\x03a\x00\xC3\x01b\x00\x02\x14\x01";
    let mut reader = Reader::new(octets, &code_pages::PAGES, Limits::default()).unwrap();
    let mut kinds = Vec::new();
    while let Some(token) = reader.next_token().unwrap() {
        kinds.push(match token {
            Token::Start { tag, .. } => tag.page,
            Token::Text(_) => 100,
            Token::Opaque(_) => 101,
            _ => 102,
        });
    }
    assert_eq!(kinds, [0, 100, 101, 2, 102, 102]);
    conforms!("MS-ASWBXML_R6", "MS-ASWBXML_R8", "MS-ASWBXML_R655");
}
