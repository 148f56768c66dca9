//! The numbers of a policy, which may be empty ([MS-ASPROV] 2.2.3), and tags that one page has in place of another's ([MS-ASWBXML]).

use activesync::code_pages::{PAGES, air_sync, air_sync_base, calendar, email, get_item_estimate};
use activesync::command::get_item_estimate as estimate;
use activesync::command::provision::{
    Applications, Hashes, POLICY_TYPE_WBXML, PolicyDocument, PolicyResponse, Quantity, Request,
    Response,
};
use activesync::status::Status;
use activesync::types::{ClassName, CollectionId, SyncKey};
use activesync::{Document, ProtocolVersion};
use conformance::conforms;
use wbxml::{Limits, Reader, Token};

use crate::facts::has;

/// Each element of a document, the names of those it stands in before it, and its text.
fn elements(octets: &[u8]) -> Vec<(String, String)> {
    let mut reader = Reader::new(octets, &PAGES, Limits::default()).unwrap();
    let (mut open, mut found) = (Vec::new(), Vec::new());
    while let Some(token) = reader.next_token().unwrap() {
        match token {
            Token::Start { name, .. } => {
                open.push((name, found.len()));
                let path: Vec<_> = open.iter().map(|(name, _)| *name).collect();
                found.push((path.join("/"), String::new()));
            }
            Token::Text(text) => found[open.last().unwrap().1].1 += text.to_str().unwrap(),
            Token::End => drop(open.pop().unwrap()),
            other => panic!("{other:?}"),
        }
    }
    found
}

fn answer(document: PolicyDocument) -> Response {
    let policy = PolicyResponse {
        policy_type: POLICY_TYPE_WBXML.to_owned(),
        status: Status(1),
        policy_key: Some("1".to_owned()),
        document: Some(document),
    };
    Response { policy: Some(policy), ..Response::new(Status(1)) }
}

/// What stands in the policy on the wire.
fn written(document: PolicyDocument) -> Vec<(String, String)> {
    let octets = answer(document.clone()).encode(ProtocolVersion::V14_1);
    let again = Response::decode(ProtocolVersion::V14_1, &octets);
    assert_eq!(again.unwrap().policy.unwrap().document, Some(document));
    let within = "Provision/Policies/Policy/Data/EASProvisionDoc/";
    let elements = elements(&octets).into_iter();
    elements
        .filter_map(|(path, text)| Some((path.strip_prefix(within)?.to_owned(), text)))
        .collect()
}

fn is(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

#[test]
fn a_number_of_a_policy_may_be_empty() {
    let both = |small, large| PolicyDocument {
        min_device_password_length: Some(small),
        device_password_expiration: Some(large),
        ..PolicyDocument::default()
    };
    let empty = [is("MinDevicePasswordLength", ""), is("DevicePasswordExpiration", "")];
    assert_eq!(written(both(Quantity::Unset, Quantity::Unset)), empty);
    conforms!("MS-ASPROV_R672", "MS-ASPROV_R673", "MS-ASPROV_R674");
    let largest = both(Quantity::Is(255), Quantity::Is(4_294_967_295));
    let numbers =
        [is("MinDevicePasswordLength", "255"), is("DevicePasswordExpiration", "4294967295")];
    assert_eq!(written(largest), numbers);
    conforms!("MS-ASPROV_R676", "MS-ASPROV_R677");
}

#[test]
fn yes_and_no_are_one_and_zero() {
    for (is_wanted, text) in [(true, "1"), (false, "0")] {
        let document = PolicyDocument {
            attachments_enabled: Some(is_wanted),
            allow_html_email: Some(is_wanted),
            require_signed_smime_messages: Some(is_wanted),
            require_encrypted_smime_messages: Some(is_wanted),
            ..PolicyDocument::default()
        };
        let expected = [
            is("AttachmentsEnabled", text),
            is("AllowHTMLEmail", text),
            is("RequireSignedSMIMEMessages", text),
            is("RequireEncryptedSMIMEMessages", text),
        ];
        assert_eq!(written(document), expected);
    }
    conforms!("MS-ASPROV_R205", "MS-ASPROV_R106", "MS-ASPROV_R356", "MS-ASPROV_R333");
}

#[test]
fn lists_of_applications_have_any_number() {
    for count in [0, 1, 100] {
        let names: Vec<String> = (0..count).map(|number| format!("app{number}.exe")).collect();
        let document = PolicyDocument {
            unapproved_in_rom_application_list: Some(Applications { names: names.clone() }),
            approved_application_list: Some(Hashes { hashes: names }),
            ..PolicyDocument::default()
        };
        let lists = written(document);
        let in_list = |list: &str| lists.iter().filter(|(path, _)| path.starts_with(list)).count();
        assert_eq!(in_list("UnapprovedInROMApplicationList/ApplicationName"), count);
        assert_eq!(in_list("ApprovedApplicationList/Hash"), count);
    }
    conforms!("MS-ASPROV_R193", "MS-ASPROV_R239");
}

#[test]
fn what_came_of_a_wipe_stands_in_it() {
    let wiped = Request { remote_wipe: Some(Status(1)), ..Request::default() };
    let octets = wiped.encode(ProtocolVersion::V16_1);
    let expected = [
        is("Provision", ""),
        is("Provision/RemoteWipe", ""),
        is("Provision/RemoteWipe/Status", "1"),
    ];
    assert_eq!(elements(&octets), expected);
    assert_eq!(Request::decode(ProtocolVersion::V16_1, &octets), Ok(wiped));
    conforms!("MS-ASPROV_R760");
}

#[test]
fn one_page_has_the_tag_in_place_of_another_s() {
    for version in ProtocolVersion::ALL {
        let is_new = version >= ProtocolVersion::V16_0;
        assert_eq!(
            (has(version, air_sync_base::LOCATION), has(version, email::LOCATION)),
            (is_new, !is_new)
        );
        conforms!("MS-ASWBXML_R821");
        assert!(has(version, calendar::UID));
        assert_eq!(has(version, email::GLOBAL_OBJ_ID), !is_new);
        conforms!("MS-ASWBXML_R822");
        let of_notes =
            [activesync::code_pages::notes::SUBJECT, activesync::code_pages::notes::CATEGORY];
        assert_eq!(of_notes.map(|tag| has(version, tag)), [version > ProtocolVersion::V12_1; 2]);
        conforms!("MS-ASWBXML_R652");
        let parts = [air_sync_base::BODY_PART, air_sync_base::BODY_PART_PREFERENCE];
        assert_eq!(parts.map(|tag| has(version, tag)), [version >= ProtocolVersion::V14_1; 2]);
        conforms!("MS-ASCON_R504", "MS-ASCON_R505");
    }
}

#[test]
fn from_14_0_on_an_estimate_is_asked_for_by_the_class_of_sync() {
    for version in ProtocolVersion::ALL.into_iter().filter(|v| *v >= ProtocolVersion::V14_0) {
        let options =
            estimate::Options { class: ClassName::new("Email").ok(), ..Default::default() };
        let collection = estimate::Collection {
            sync_key: SyncKey::new("1").unwrap(),
            collection_id: CollectionId::new("1").unwrap(),
            conversation_mode: None,
            options: vec![options],
        };
        let octets = estimate::Request { collections: vec![collection] }.encode(version);
        let mut reader = Reader::new(&octets, &PAGES, Limits::default()).unwrap();
        let mut classes = Vec::new();
        while let Some(token) = reader.next_token().unwrap() {
            if let Token::Start { tag, name: "Class", .. } = token {
                classes.push(tag);
            }
        }
        assert_eq!(classes, [air_sync::CLASS], "{version}");
        assert!(!has(version, get_item_estimate::CLASS), "{version}");
        conforms!("MS-ASWBXML_R825");
    }
}
