//! Version 12.1: mail as it is, attachments by GetAttachment, folders by GetHierarchy, and HTTP statuses for what all commands share.

use activesync::ProtocolVersion;
use activesync::command::{
    CommandName, folder_sync, get_attachment, get_hierarchy, plain_mail, sync,
};
use activesync::document::Document;
use activesync::http::{MAIL, Query};
use activesync::status::Status;
use activesync::types::{CollectionId, FileReference, LongId, ServerId, SyncKey};
use conformance::conforms;
use http::header::{CONTENT_TYPE, HeaderValue};
use plain_mail::Purpose;
use sync::{Collection, Request, Response};

use super::house::*;
use crate::eas::{Body, Incoming, Outcome};
use crate::ids::ItemNumber;
use crate::ledger::Exposure;
use crate::mailbox::{FolderKind, Mailbox};
use crate::policy::{Policy, Rules};
use activesync::command::smart_reply::{Source, SourceItem};

const OLD: ProtocolVersion = ProtocolVersion::V12_1;
const NEW: &str = "To: bob@b.example\nSubject: Re: one\n\nI agree.\n";
const WITH_FILE: &str = "From: bob@b.example\nTo: ann@a.example\nSubject: file\n\
    Message-ID: <file@b.example>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a\n\n\
    --a\nContent-Type: text/plain\n\nSee the plan.\n--a\nContent-Type: application/pdf; name=plan.pdf\n\
    Content-Disposition: attachment; filename=plan.pdf\nContent-Transfer-Encoding: base64\n\n\
    MDEyMzQ1Njc4OQ==\n--a--\n";

fn source(item: ItemNumber) -> Source {
    let item = SourceItem::Item {
        folder_id: CollectionId::new(INBOX).unwrap(),
        item_id: ServerId::new(format!("{INBOX}:{item}")).unwrap(),
    };
    Source { item, instance_id: None }
}

/// A request of 12.1 without a document: what it says stands in the query, in either spelling.
fn asks(house: &House, query: Query, body: &[u8], base64: bool) -> Incoming {
    let mut request = house.incoming(query.command, "12.1", body.to_vec());
    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static(MAIL));
    let query = Query { version: Some(OLD), ..query };
    request.query = match base64 {
        true => {
            request.headers.remove("ms-asprotocolversion");
            query.encode_base64().unwrap()
        }
        false => query.encode_plain(),
    };
    request
}

async fn mails(house: &House, purpose: Purpose, mime: &str, base64: bool) -> u16 {
    let mime = mime.as_bytes().to_vec();
    let request = plain_mail::Request { purpose, save_in_sent_items: true, mime };
    let query = request.query("phone1", "Test");
    let seen = house.give(asks(house, query, &request.mime, base64)).await;
    assert!(seen.body.is_empty(), "there is no document for it");
    seen.status.as_u16()
}

fn wants_file(house: &House, name: &str, base64: bool) -> Incoming {
    let request = get_attachment::Request { attachment: FileReference::new(name).unwrap() };
    asks(house, request.query("phone1", "Test"), b"", base64)
}

async fn file(house: &House, name: &str) -> (u16, Vec<u8>) {
    let seen = house.give(wants_file(house, name, false)).await;
    (seen.status.as_u16(), seen.body)
}

#[tokio::test]
async fn mail_is_sent_as_it_is_and_once() {
    for base64 in [false, true] {
        let house = House::new().await;
        let mime = "From: boss@b.example\nTo: ann@a.example\nSubject: s\n\nhi\n";
        assert_eq!(mails(&house, Purpose::Send, mime, base64).await, 200);
        conforms!("MS-ASHTTP_R93", "MS-ASHTTP_R531", "MS-ASHTTP_R92", "MS-ASHTTP_R121");
        assert_eq!(mails(&house, Purpose::Send, mime, base64).await, 200, "the answer was lost");
        let sent = house.lying_in(FolderKind::SentItems).await;
        assert_eq!(sent.len(), 1);
        assert!(sent[0].contains("<ann@a.example>") && !sent[0].contains("boss"), "{}", sent[0]);
        // The same again a day later is meant.
        house.clock.advance(std::time::Duration::from_secs(25 * 60 * 60));
        assert_eq!(mails(&house, Purpose::Send, mime, base64).await, 200);
        assert_eq!(house.lying_in(FolderKind::SentItems).await.len(), 2);
        let mut query = Query::new(CommandName::SendMail, "phone1", "Test");
        query.version = Some(OLD);
        let seen = house.give(asks(&house, query, NEW.as_bytes(), base64)).await;
        assert_eq!(seen.status, 200);
        assert_eq!(house.lying_in(FolderKind::SentItems).await.len(), 2, "no copy was wanted");
        // What has a name of its own is not written twice: a phone that was away for a week repeats it.
        let named = "To: bob@b.example\nMessage-ID: <m@a.example>\nSubject: s\n\nhi\n";
        assert_eq!(mails(&house, Purpose::Send, named, base64).await, 200);
        house.clock.advance(std::time::Duration::from_hours(7 * 24));
        assert_eq!(mails(&house, Purpose::Send, named, base64).await, 200);
        assert_eq!(house.lying_in(FolderKind::SentItems).await.len(), 3);
        conforms!("MS-ASHTTP_R122", "MS-ASHTTP_R437");
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_in_http() {
    let house = House::new().await;
    assert_eq!(mails(&house, Purpose::Send, "no header", false).await, 400);
    assert_eq!(mails(&house, Purpose::Send, "Subject: x\n\nhi\n", false).await, 500);
    let mut wrong = house.incoming(CommandName::SendMail, "12.1", NEW.as_bytes().to_vec());
    assert_eq!(house.give(wrong).await.status, 400, "WBXML is not how mail comes in 12.1");
    wrong = house.incoming(CommandName::SendMail, "12.1", Vec::new());
    assert_eq!(house.give(wrong).await.status, 400);
    assert!(house.lying_in(FolderKind::SentItems).await.is_empty());
}

#[tokio::test]
async fn a_reply_and_a_forward_name_their_source_in_the_query() {
    for base64 in [false, true] {
        let house = House::new().await;
        let item = house.mail("one").await;
        let folder = house.inbox_folder().await;
        for _ in 0..2 {
            assert_eq!(mails(&house, Purpose::Reply(source(item)), NEW, base64).await, 200);
        }
        conforms!("MS-ASHTTP_R525", "MS-ASHTTP_R530");
        let sent = house.lying_in(FolderKind::SentItems).await;
        assert_eq!(sent.len(), 1, "it was repeated");
        assert!(sent[0].contains("> The body of one."), "{}", sent[0]);
        assert!(house.exposure(folder, item).await.contains(Exposure::ACTED));
        // The same few words forward it as well.
        assert_eq!(mails(&house, Purpose::Forward(source(item)), NEW, base64).await, 200);
        conforms!("MS-ASHTTP_R524", "MS-ASHTTP_R120");
        let found = SourceItem::Found(LongId::new(format!("{INBOX}:{item}")).unwrap());
        let found = Source { item: found, instance_id: None };
        assert_eq!(mails(&house, Purpose::Forward(found), NEW, base64).await, 200);
        assert_eq!(house.lying_in(FolderKind::SentItems).await.len(), 3);
        assert_eq!(house.store.items(folder, &[item]).await.unwrap()[0].verb, 3);
    }
}

#[tokio::test]
async fn a_missing_original_is_500_and_a_recalled_one_400_on_a_retry_too() {
    let house = House::new().await;
    let item = house.mail("one").await;
    let gone = source(ItemNumber(item.0 + 1));
    assert_eq!(mails(&house, Purpose::Reply(gone), NEW, false).await, 500);
    assert_eq!(
        mails(&house, Purpose::Reply(source(item)), "To: a@b.example\n\n1\n", false).await,
        200
    );
    house.fences("one").await;
    for _ in 0..2 {
        assert_eq!(mails(&house, Purpose::Reply(source(item)), NEW, false).await, 400);
        assert_eq!(mails(&house, Purpose::Forward(source(item)), NEW, true).await, 400);
        // What was taken before the recall is told so again.
        let taken = "To: a@b.example\n\n1\n";
        assert_eq!(mails(&house, Purpose::Reply(source(item)), taken, false).await, 200);
        house.recall.work_off().await.unwrap();
    }
    assert_eq!(house.lying_in(FolderKind::SentItems).await.len(), 1);
}

#[tokio::test]
async fn an_attachment_is_its_octets_with_its_type_and_on_the_books() {
    let house = House::new().await;
    let number = house.raw(WITH_FILE).await;
    for base64 in [false, true] {
        let seen = house.give(wants_file(&house, &format!("{INBOX}:{number}:0"), base64)).await;
        assert_eq!((seen.status.as_u16(), &seen.body[..]), (200, &b"0123456789"[..]));
        conforms!(
            "MS-ASCMD_R157",
            "MS-ASCMD_R160",
            "MS-ASCMD_R6020",
            "MS-ASHTTP_R115",
            "MS-ASHTTP_R487",
            "MS-ASHTTP_R230",
            "MS-ASHTTP_R490"
        );
        let is_type = |(name, value): &&(String, String)| {
            name == "content-type" && value == "application/pdf"
        };
        assert_eq!(seen.headers.iter().filter(is_type).count(), 1, "{:?}", seen.headers);
    }
    let exposure = house.exposure(house.inbox_folder().await, number).await;
    assert!(exposure.contains(Exposure::ATTACHMENT | Exposure::FETCHED));
    for missing in [format!("{INBOX}:{number}:1"), format!("{INBOX}:999:0"), "nonsense".to_owned()]
    {
        assert_eq!(file(&house, &missing).await, (404, Vec::new()), "{missing}");
    }
    let nameless = Query::new(CommandName::GetAttachment, "phone1", "Test");
    assert_eq!(house.give(asks(&house, nameless, b"", false)).await.status, 400);
}

#[tokio::test]
async fn a_policy_keeps_attachments_back() {
    let house = House::new().await;
    let number = house.raw(WITH_FILE).await;
    let rules = Rules { attachment_octets_max: Some(9), ..Rules::default() };
    let policy = Policy {
        name: "default".to_owned(),
        revision: 0,
        rules,
        exempts_unprovisionable: true,
        accepts_partial: true,
    };
    house.policies.put(policy, "root").await.unwrap();
    assert_eq!(file(&house, &format!("{INBOX}:{number}:0")).await.0, 403);
}

#[tokio::test]
async fn an_attachment_of_a_recalled_mail_is_404_and_one_on_its_way_is_cut() {
    let house = House::new().await;
    let number = house.raw(WITH_FILE).await;
    house.catch_up(house.begin().await).await;
    let name = format!("{INBOX}:{number}:0");
    let Outcome::Answer(answer) =
        crate::eas::Handler::handle(&house.gateway, wants_file(&house, &name, false)).await
    else {
        panic!("it waits")
    };
    let Body::Released(content) = answer.body else { panic!("content") };
    assert!(content.may_continue());
    house.fences("file").await;
    assert!(!content.may_continue(), "the fence cuts it");
    for _ in 0..2 {
        assert_eq!(file(&house, &name).await, (404, Vec::new()));
        house.recall.work_off().await.unwrap();
    }
}

#[tokio::test]
async fn newer_versions_have_neither_of_the_two() {
    let house = House::new().await;
    for version in ["14.0", "14.1", "16.0", "16.1"] {
        for command in [CommandName::GetAttachment, CommandName::GetHierarchy] {
            let request = house.incoming(command, version, Vec::new());
            assert_eq!(house.give(request).await.status, 400, "{command} {version}");
        }
    }
    conforms!("MS-ASCMD_R6021", "MS-ASCMD_R6022", "MS-ASCMD_R6023", "MS-ASCMD_R6023100601");
}

#[tokio::test]
async fn the_folders_of_mail_are_told_without_a_key() {
    let house = House::new().await;
    let query = Query::new(CommandName::GetHierarchy, "phone1", "Test");
    let seen = house.give(asks(&house, query, b"", false)).await;
    let told = get_hierarchy::Response::decode(OLD, &seen.body).unwrap();
    let inbox = told.folders.iter().find(|folder| folder.folder_type.0 == 2).unwrap();
    assert_eq!((inbox.server_id.as_str(), inbox.parent_id.as_str()), (INBOX, "0"));
    assert!(told.folders.iter().all(|folder| (1..=6).contains(&folder.folder_type.0)));
}

#[tokio::test]
async fn a_sync_says_the_class_and_what_all_commands_share_is_said_in_http() {
    let house = House::new().await;
    house.mail("one").await;
    let give = async |collection: Collection| {
        let body = Request { collections: vec![collection], ..Request::default() }.encode(OLD);
        let seen = house.give(house.incoming(CommandName::Sync, "12.1", body)).await;
        assert_eq!(seen.status, 200);
        Response::decode(OLD, &seen.body).unwrap().collections.remove(0)
    };
    let begun = give(inbox("0")).await;
    assert_eq!(begun.class.unwrap().as_str(), "Email");
    let first = give(inbox(begun.sync_key.as_str())).await;
    assert_eq!(adds(&first), ["one"]);
    assert_eq!(give(inbox("1.nonsense")).await.status, Status(3));
    let junk = house.incoming(CommandName::Sync, "12.1", b"\x03\x01\x6a\x00\x45\x5c".to_vec());
    assert_eq!(house.give(junk).await.status, 400);
    let empty = house.incoming(CommandName::FolderSync, "12.1", Vec::new());
    assert_eq!(house.give(empty).await.status, 400);
    let request = folder_sync::Request { sync_key: SyncKey::new("1.nonsense").unwrap() };
    let request = house.incoming(CommandName::FolderSync, "12.1", request.encode(OLD));
    let seen = house.give(request).await;
    let said = folder_sync::Response::decode(OLD, &seen.body).unwrap();
    assert_eq!(said.status, Status(9), "its own words stay in the body");
}
