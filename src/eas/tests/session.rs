//! Who gets in, and how everybody else is told that they do not.

use activesync::command::CommandName;
use activesync::command::sync::Response;
use activesync::status::common;
use conformance::conforms;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};

use super::house::*;
use crate::ledger::device;

#[tokio::test]
async fn a_stranger_is_asked_for_a_password_before_anything_else() {
    let house = House::new().await;
    for method in [Method::POST, Method::OPTIONS] {
        let mut request = house.incoming(CommandName::Sync, "9.9", Vec::new());
        request.method = method;
        request.query = "Cmd=Nonsense".to_owned();
        request.headers.remove(AUTHORIZATION);
        let seen = house.give(request).await;
        assert_eq!(seen.status, StatusCode::UNAUTHORIZED);
        assert!(seen.headers.iter().any(|(name, _)| name == "www-authenticate"));
        conforms!("MS-ASHTTP_R178");
    }
}

#[tokio::test]
async fn options_say_exactly_what_is_served() {
    let house = House::new().await;
    let mut request = house.incoming(CommandName::Sync, "16.1", Vec::new());
    (request.method, request.query) = (Method::OPTIONS, String::new());
    let seen = house.give(request).await;
    let header = |name: &str| seen.headers.iter().find(|(n, _)| n == name).map(|(_, v)| &v[..]);
    assert_eq!(header("ms-asprotocolversions"), Some("12.1,14.0,14.1,16.0,16.1"));
    conforms!("MS-ASHTTP_R296", "MS-ASHTTP_R297", "MS-ASHTTP_R459");
    conforms!(
        "MS-ASHTTP_R238",
        "MS-ASHTTP_R460",
        "MS-ASHTTP_R461",
        "MS-ASHTTP_R1201",
        "MS-ASHTTP_R12011"
    );
    assert!(header("ms-asprotocolcommands").unwrap().starts_with("Sync,"));
    conforms!("MS-ASHTTP_R1107", "MS-ASHTTP_R244", "MS-ASHTTP_R450");
}

#[tokio::test]
async fn versions_and_commands_we_do_not_serve_are_refused_before_the_body() {
    let house = House::new().await;
    for (version, http) in [("2.5", 400), ("12.0", 400), ("19.1", 400), ("1.0", 505)] {
        let seen = house.give(house.incoming(CommandName::Sync, version, b"junk".to_vec())).await;
        assert_eq!(seen.status.as_u16(), http, "{version}");
    }
    let mut request = house.incoming(CommandName::Sync, "16.1", Vec::new());
    request.query = "Cmd=Nonsense&DeviceId=a&DeviceType=b".to_owned();
    assert_eq!(house.give(request).await.status.as_u16(), 501);
    conforms!("MS-ASHTTP_R186");
    let find = house.incoming(CommandName::CreateCollection, "16.1", Vec::new());
    assert_eq!(house.give(find).await.status.as_u16(), 501);
}

#[tokio::test]
async fn bodies_that_are_none_are_told_so_in_the_commands_own_root() {
    let house = House::new().await;
    let said = async |body: &[u8]| {
        house.send(CommandName::Sync, body.to_vec()).await.read::<Response>().status
    };
    assert_eq!(said(b"\x03\x01\x6a\x00\x45\x5c").await, Some(common::INVALID_WBXML));
    conforms!("MS-ASCMD_R4815");
    let mut wrong = house.incoming(CommandName::Sync, "16.1", b"<Sync/>".to_vec());
    wrong.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    let seen = house.give(wrong).await;
    assert_eq!(seen.read::<Response>().status, Some(common::INVALID_CONTENT));
    let empty = house.send(CommandName::FolderSync, Vec::new()).await;
    let status = empty.read::<activesync::command::folder_sync::Response>().status;
    assert_eq!(status, common::INVALID_CONTENT);
    conforms!("MS-ASCMD_R4811");
}

#[tokio::test]
async fn a_device_that_only_validates_is_answered_and_not_recorded() {
    let house = House::new().await;
    let body = activesync::command::folder_sync::Request {
        sync_key: activesync::types::SyncKey::initial(),
    };
    let bytes = activesync::Document::encode(&body, V);
    let mut request = house.incoming(CommandName::FolderSync, "16.1", bytes);
    request.query = "Cmd=FolderSync&User=ann&DeviceId=validate&DeviceType=SAMSUNG".to_owned();
    let seen = house.give(request).await;
    let response: activesync::command::folder_sync::Response = seen.read();
    assert!(response.changes.unwrap().count() > 0);
    let mailbox = house.mailbox;
    let devices = house.engine.database.read(move |tx| device::of_mailbox(tx, mailbox)).await;
    assert!(devices.unwrap().is_empty());
}

#[tokio::test]
async fn a_device_that_speaks_is_seen() {
    let house = House::new().await;
    house.begin().await;
    house.clock.advance(std::time::Duration::from_secs(3600));
    house.folder_sync("0").await;
    let mailbox = house.mailbox;
    for _ in 0..1000 {
        tokio::task::yield_now().await;
        let devices = house.engine.database.read(move |tx| device::of_mailbox(tx, mailbox)).await;
        let device = devices.unwrap().remove(0);
        if device.last_seen == house.clock.now() {
            assert_eq!(device.gap_p95_ms, 3_600_000);
            return;
        }
    }
    panic!("never written down");
}
