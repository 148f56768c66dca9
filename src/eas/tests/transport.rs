//! What a request may look like, and the HTTP status and type of what is said to it ([MS-ASHTTP] 2.2).

use activesync::command::CommandName;
use activesync::command::{folder_sync, sync};
use activesync::http::{MAIL, Query, WBXML};
use activesync::types::SyncKey;
use activesync::{Document, ProtocolVersion};
use conformance::conforms;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};

use super::house::*;
use crate::eas::{COMMANDS, Incoming, Place};
use crate::ids::UserId;

fn folder_sync(house: &House, version: ProtocolVersion) -> Incoming {
    let request = folder_sync::Request { sync_key: SyncKey::initial() };
    house.incoming(CommandName::FolderSync, version.as_str(), request.encode(version))
}

fn type_of(seen: &Seen) -> Option<&str> {
    let mut types = seen.headers.iter().filter(|(name, _)| name == "content-type");
    types.next().map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn both_spellings_of_a_query_are_read_and_answered_in_the_version_they_name() {
    for version in ProtocolVersion::ALL {
        for is_packed in [false, true] {
            let house = House::new().await;
            house.mail("one").await;
            let mut query = Query::new(CommandName::Sync, "phone1", "Test");
            query.version = Some(version);
            let said = async |key: &str| {
                let body = just(inbox(key)).encode(version);
                let mut request = house.incoming(CommandName::Sync, version.as_str(), body);
                request.query = query.encode_plain();
                if is_packed {
                    request.query = query.encode_base64().unwrap();
                    request.headers.remove("ms-asprotocolversion");
                }
                let seen = house.give(request).await;
                assert_eq!(seen.status, 200);
                conforms!("MS-ASHTTP_R284", "MS-ASHTTP_R476");
                assert!(type_of(&seen).is_none_or(|found| found == WBXML), "{:?}", seen.headers);
                assert!(seen.body.starts_with(b"\x03\x01\x6a\x00"));
                conforms!("MS-ASHTTP_R219", "MS-ASHTTP_R229", "MS-ASWBXML_R1");
                sync::Response::decode(version, &seen.body).unwrap().collections.remove(0)
            };
            let begun = said("0").await;
            // Only 12.1 has a class in the answer.
            assert_eq!(begun.class.is_some(), version == ProtocolVersion::V12_1);
            conforms!("MS-ASHTTP_R283");
            assert_eq!(adds(&said(begun.sync_key.as_str()).await), ["one"]);
            conforms!("MS-ASHTTP_R282");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_understood_is_400_however_often_it_is_sent() {
    let house = House::new().await;
    let good = || folder_sync(&house, ProtocolVersion::V12_1);
    let junk = || Incoming { body: b"\x03\x01\x6a\x00\x00\x07\x56".to_vec().into(), ..good() };
    let asking = |query: &str| Incoming { query: query.to_owned(), ..good() };
    let of_mail = || {
        let mut request = good();
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static(MAIL));
        request
    };
    for _ in 0..2 {
        let queries = ["", "Cmd=FolderSync&DeviceId=a", "jQAJBBB2MTQ"].map(asking);
        for request in [junk(), of_mail()].into_iter().chain(queries) {
            let query = request.query.clone();
            let seen = house.give(request).await;
            assert_eq!((seen.status.as_u16(), seen.body.len()), (400, 0), "{query}");
        }
    }
    conforms!("MS-ASHTTP_R176", "MS-ASHTTP_R177", "MS-ASHTTP_R188");
    assert_eq!(house.give(good()).await.status, 200, "and nothing else was broken");
}

#[tokio::test]
async fn a_wrong_password_is_401_and_a_user_who_may_not_403() {
    let house = House::new().await;
    let mut wrong = folder_sync(&house, V);
    // ann:wrong
    wrong.headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic YW5uOndyb25n"));
    let seen = house.give(wrong).await;
    assert_eq!((seen.status.as_u16(), seen.body.len()), (401, 0));
    conforms!("MS-ASHTTP_R523");
    house.directory.set_disabled(UserId(1), true).await.unwrap();
    for version in ProtocolVersion::ALL {
        let seen = house.give(folder_sync(&house, version)).await;
        assert_eq!((seen.status.as_u16(), seen.body.len()), (403, 0));
    }
    conforms!("MS-ASHTTP_R180");
}

#[tokio::test]
async fn every_answer_of_a_command_is_wbxml_and_autodiscover_answers_in_xml() {
    let house = House::new().await;
    house.folder_sync("0").await;
    for command in COMMANDS.iter().copied().filter(|command| command.exists_in(V)) {
        let seen = house.send(command, Vec::new()).await;
        assert!(type_of(&seen).is_none_or(|found| found == WBXML), "{command}");
        assert!(seen.body.starts_with(b"\x03\x01\x6a\x00"), "{command}");
    }
    let body = activesync::autodiscover::Request::mobile_sync("ann@a.example").encode();
    for given in ["text/xml", "text/html", "text/xml; charset=utf-8"] {
        let mut request = house.incoming(CommandName::Sync, "16.1", body.clone().into());
        (request.place, request.query) = (Place::AutodiscoverXml, String::new());
        request.path = "/autodiscover/autodiscover.xml".to_owned();
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static(given));
        let seen = house.give(request).await;
        assert_eq!(seen.status, 200, "{given}");
        assert!(type_of(&seen).unwrap().starts_with("text/xml"));
        let xml = std::str::from_utf8(&seen.body).unwrap();
        assert!(xml.contains("<Autodiscover"), "{xml}");
    }
    conforms!("MS-ASHTTP_R220", "MS-ASHTTP_R445");
    conforms!("MS-ASHTTP_R144", "MS-ASHTTP_R314", "MS-ASHTTP_R145");
}
