//! ItemOperations: bodies and attachments through the gate, and folders that are empty afterwards.

use activesync::command::CommandName;
use activesync::command::item_operations::{
    Fetch, FetchOptions, Fetched, Operation, Outcome, Request, Response,
};
use activesync::command::settings;
use activesync::item::body::{BodyPreference, BodyType};
use activesync::status::Status;
use activesync::types::{CollectionId, FileReference, LongId, RangeText, ServerId};
use activesync::{Document, code_pages, multipart};
use conformance::conforms;

use super::house::*;
use crate::ids::{CollectionNumber, ItemNumber};
use crate::ledger::{DetailKind, Exposure};
use crate::mailbox::{Cursor, FolderKind, Mailbox};
use crate::policy::{Policy, Rules};

const WITH_FILE: &str = "From: bob@b.example\nTo: ann@a.example\nSubject: file\n\
    Message-ID: <file@b.example>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a\n\n\
    --a\nContent-Type: text/plain\n\nSee the plan.\n--a\nContent-Type: application/pdf; name=plan.pdf\n\
    Content-Disposition: attachment; filename=plan.pdf\nContent-Transfer-Encoding: base64\n\n\
    MDEyMzQ1Njc4OQ==\n--a--\n";

fn fetch() -> Fetch {
    Fetch { store: Some("Mailbox".into()), ..Fetch::default() }
}

fn item(item: ItemNumber) -> Fetch {
    Fetch {
        collection_id: Some(CollectionId::new(INBOX).unwrap()),
        server_id: Some(ServerId::new(format!("{INBOX}:{item}")).unwrap()),
        ..fetch()
    }
}

fn file(reference: String) -> Fetch {
    Fetch { file_reference: Some(FileReference::new(reference).unwrap()), ..fetch() }
}

fn part(reference: String, range: &str) -> Fetch {
    let range = Some(RangeText::new(range).unwrap());
    Fetch { options: Some(FetchOptions { range, ..FetchOptions::default() }), ..file(reference) }
}

fn request(wishes: Vec<Fetch>) -> Vec<u8> {
    let operations = wishes.into_iter().map(|wish| Operation::Fetch(Box::new(wish))).collect();
    Request { operations }.encode(V)
}

fn fetched(response: Response) -> Vec<Fetched> {
    assert_eq!(response.status.0, 1);
    let one = |outcome| match outcome {
        Outcome::Fetch(fetched) => *fetched,
        other => panic!("{other:?}"),
    };
    response.outcomes.into_iter().map(one).collect()
}

async fn fetches(house: &House, wishes: Vec<Fetch>) -> Vec<Fetched> {
    fetched(house.send(CommandName::ItemOperations, request(wishes)).await.read())
}

fn status(fetched: &Fetched) -> u16 {
    fetched.status.unwrap().0
}

fn data(fetched: &Fetched) -> Vec<u8> {
    fetched.properties.as_ref().unwrap().file.data.as_ref().unwrap().0.clone()
}

#[tokio::test]
async fn an_item_is_fetched_whole_and_on_the_books() {
    let house = House::new().await;
    let number = house.mail("one").await;
    let plain = BodyPreference { body_type: BodyType::Plain, ..preference() };
    let options = FetchOptions { body_preferences: vec![plain], ..FetchOptions::default() };
    let wish = Fetch { options: Some(options), ..item(number) };
    let seen = fetches(&house, vec![wish]).await;
    assert_eq!(status(&seen[0]), 1);
    assert_eq!(seen[0].class.as_ref().unwrap().as_str(), "Email");
    let properties = seen[0].properties.clone().unwrap();
    let email = properties.item.as_ref().unwrap().email().unwrap();
    let body = email.body.as_ref().unwrap().data.as_ref().unwrap();
    assert!(body.as_bytes().starts_with(b"The body of one."));
    let exposure = house.exposure(house.inbox_folder().await, number).await;
    assert!(exposure.contains(Exposure::FETCHED | Exposure::BODY | Exposure::HEADER));
}

fn preference() -> BodyPreference {
    BodyPreference {
        body_type: BodyType::Html,
        truncation_size: None,
        all_or_none: None,
        preview: None,
    }
}

#[tokio::test]
async fn an_attachment_is_fetched_whole_and_in_ranges() {
    let house = House::new().await;
    let number = house.raw(WITH_FILE).await;
    let reference = format!("{INBOX}:{number}:0");
    let wishes = vec![
        file(reference.clone()),
        part(reference.clone(), "2-4"),
        part(reference.clone(), "8-99"),
        part(reference.clone(), "10-12"),
        file(format!("{INBOX}:{number}:1")),
        file("nonsense".into()),
    ];
    let seen = fetches(&house, wishes).await;
    let said: Vec<u16> = seen.iter().map(status).collect();
    assert_eq!(said, [1, 1, 1, 8, 15, 15]);
    conforms!("MS-ASCMD_R4153", "MS-ASCMD_R4160", "MS-ASCMD_R4166");
    assert_eq!(data(&seen[0]), b"0123456789");
    let whole = &seen[0].properties.as_ref().unwrap().file;
    assert!(whole.range.is_none() && whole.total.is_none(), "nobody asked for a range");
    assert_eq!(whole.content_type.as_deref(), Some("application/pdf"));
    assert_eq!(data(&seen[1]), b"234");
    let tail = &seen[2].properties.as_ref().unwrap().file;
    assert_eq!((tail.range.unwrap().to_string(), tail.total), ("8-9".to_owned(), Some(10)));
    let exposure = house.exposure(house.inbox_folder().await, number).await;
    assert!(exposure.contains(Exposure::ATTACHMENT | Exposure::FETCHED));
    assert!(!exposure.intersects(Exposure::BODY | Exposure::PART));
    let told = house.told(house.inbox_folder().await, number).await;
    for words in ["plan.pdf, whole, 10 octets", "plan.pdf, octets 2-4 of 10"] {
        assert!(told.contains(&(DetailKind::AttachmentSent, words.to_owned())), "{told:?}");
    }
}

#[tokio::test]
async fn how_much_of_a_body_was_fetched_is_told() {
    let house = House::new().await;
    let number = house.raw(WITH_FILE).await;
    fetches(&house, vec![item(number)]).await;
    let told = house.told(house.inbox_folder().await, number).await;
    assert_eq!(told[0].0, DetailKind::BodySent);
    assert!(told[0].1.contains("whole"), "{told:?}");
}

#[tokio::test]
async fn policy_holds_back_attachments() {
    let house = House::new().await;
    let number = house.raw(WITH_FILE).await;
    house.folder_sync("0").await;
    let reference = format!("{INBOX}:{number}:0");
    for (rules, said) in [
        (Rules { attachment_octets_max: Some(9), ..Rules::default() }, 11),
        (Rules { attachments_allowed: Some(false), ..Rules::default() }, 16),
    ] {
        let policy = Policy {
            name: "default".into(),
            revision: 0,
            rules,
            exempts_unprovisionable: false,
            accepts_partial: true,
        };
        house.policies.put(policy, "root").await.unwrap();
        let seen = fetches(&house, vec![file(reference.clone())]).await;
        assert_eq!(status(&seen[0]), said);
    }
    conforms!("MS-ASPROV_R206");
    let rules = Rules { attachments_allowed: Some(true), ..Rules::default() };
    let policy = Policy {
        name: "default".into(),
        revision: 0,
        rules,
        exempts_unprovisionable: false,
        accepts_partial: true,
    };
    house.policies.put(policy, "root").await.unwrap();
    assert_eq!(status(&fetches(&house, vec![file(reference)]).await[0]), 1);
    conforms!("MS-ASPROV_R207");
}

#[tokio::test]
async fn a_recalled_item_is_not_found_and_the_others_are() {
    let house = House::new().await;
    let (number, other) = (house.raw(WITH_FILE).await, house.mail("one").await);
    house.catch_up(house.begin().await).await;
    house.fences("file").await;
    for _ in 0..2 {
        let long_id = Some(LongId::new(format!("{INBOX}:{number}")).unwrap());
        let wishes = vec![
            item(number),
            file(format!("{INBOX}:{number}:0")),
            Fetch { long_id, ..fetch() },
            item(other),
        ];
        let seen = fetches(&house, wishes).await;
        let said: Vec<u16> = seen.iter().map(status).collect();
        assert_eq!(said, [6, 15, 6, 1]);
        house.recall.work_off().await.unwrap();
    }
    let exposure = house.exposure(house.inbox_folder().await, number).await;
    assert!(!exposure.intersects(Exposure::FETCHED | Exposure::ATTACHMENT));
}

#[tokio::test]
async fn odd_fetches_fail_alone() {
    let house = House::new().await;
    let number = house.mail("one").await;
    let both = Fetch { file_reference: file("1:1:0".into()).file_reference, ..item(number) };
    let elsewhere = Fetch { store: Some("Attic".into()), ..item(number) };
    let seen = fetches(&house, vec![both, elsewhere, item(ItemNumber(99)), item(number)]).await;
    assert_eq!(seen.iter().map(status).collect::<Vec<_>>(), [2, 9, 6, 1]);
    conforms!("MS-ASCMD_R4154", "MS-ASCMD_R4161");
    assert_eq!(seen[2].server_id.as_ref().unwrap().as_str(), "1:99", "what it was about");
}

#[tokio::test]
async fn a_folder_is_emptied() {
    let house = House::new().await;
    let trash = house.folder_of_kind(FolderKind::DeletedItems).await;
    house.mail_to(trash.id, "one").await;
    house.store.create_folder(house.mailbox, trash.number, "below").await.unwrap();
    let empty = |collection: &str, delete_sub_folders| Operation::EmptyFolderContents {
        collection_id: CollectionId::new(collection).unwrap(),
        delete_sub_folders,
    };
    let said = |response: Response| match response.outcomes[0] {
        Outcome::EmptyFolderContents { status, .. } => status.0,
        _ => 0,
    };
    let number = trash.number.to_string();
    for (collection, subfolders, status, folders) in
        [("999", false, 6, 1), (number.as_str(), false, 1, 1), (number.as_str(), true, 1, 0)]
    {
        let body = Request { operations: vec![empty(collection, subfolders)] }.encode(V);
        let response: Response = house.send(CommandName::ItemOperations, body).await.read();
        assert_eq!(said(response), status);
        let all = house.store.folders(house.mailbox).await.unwrap();
        assert_eq!(all.iter().filter(|folder| folder.parent == trash.number).count(), folders);
    }
    assert!(house.lying_in(FolderKind::DeletedItems).await.is_empty());
}

#[tokio::test]
async fn a_schema_limits_what_leaves_and_what_counts() {
    let house = House::new().await;
    let number = house.mail("one").await;
    let schema = Some(vec![code_pages::email::SUBJECT]);
    let options = Some(FetchOptions { schema, ..FetchOptions::default() });
    let seen = fetches(&house, vec![Fetch { options, ..item(number) }]).await;
    let properties = seen[0].properties.clone().unwrap();
    let email = properties.item.as_ref().unwrap().email().unwrap();
    assert_eq!(email.subject.as_deref(), Some("one"));
    assert!(email.body.is_none() && email.from.is_none());
    let exposure = house.exposure(house.inbox_folder().await, number).await;
    assert!(exposure.contains(Exposure::HEADER | Exposure::FETCHED));
    assert!(!exposure.intersects(Exposure::BODY | Exposure::PART));
}

#[tokio::test]
async fn a_multipart_answer_carries_octets_beside_the_document() {
    let house = House::new().await;
    let number = house.raw(WITH_FILE).await;
    let body = request(vec![file(format!("{INBOX}:{number}:0")), file("x".into()), item(number)]);
    let mut incoming = house.incoming(CommandName::ItemOperations, "16.1", body);
    incoming.headers.insert("ms-asacceptmultipart", "T".parse().unwrap());
    let seen = house.give(incoming).await;
    let kind = seen.headers.iter().find(|(name, _)| name == "content-type").unwrap();
    assert_eq!(kind.1, "application/vnd.ms-sync.multipart");
    let parts = multipart::decode(&seen.body).unwrap();
    assert_eq!(parts.len(), 3);
    assert_eq!(parts[1], b"0123456789");
    assert!(parts[2].starts_with(b"See the plan."));
    let answers = fetched(Response::decode(V, parts[0]).unwrap());
    assert_eq!(answers[0].properties.as_ref().unwrap().file.part, Some(1));
    assert_eq!(status(&answers[1]), 15);
    let last = answers[2].properties.as_ref().unwrap().item.as_ref().unwrap().email().unwrap();
    assert_eq!(last.body.as_ref().unwrap().part, Some(2));
}

/// A mail of the conversation that began with `root`.
async fn reply_to(house: &House, root: &str, name: &str) -> ItemNumber {
    let raw = format!(
        "From: bob@b.example\nTo: ann@a.example\nSubject: Re: {root}\nMessage-ID: <{name}@b.example>\n\
         References: <{root}@b.example>\n\nAnd {name}.\n"
    );
    house.raw(&raw).await
}

fn conversation_of(root: &str) -> Vec<u8> {
    let raw = format!("Message-ID: <{root}@b.example>\r\n\r\n");
    crate::message::conversation_of_raw(raw.as_bytes()).unwrap().to_vec()
}

async fn moves(house: &House, conversation: &[u8], to: &str, always: bool) -> u16 {
    let operations = vec![Operation::Move {
        conversation_id: conversation.to_vec(),
        dst_fld_id: CollectionId::new(to).unwrap(),
        move_always: always,
    }];
    let body = Request { operations }.encode(V);
    let response: Response = house.send(CommandName::ItemOperations, body).await.read();
    assert_eq!(response.status.0, 1);
    match &response.outcomes[..] {
        [Outcome::Move { status, conversation_id }] => {
            assert_eq!(conversation_id, conversation);
            conforms!("MS-ASCON_R69", "MS-ASCON_R139", "MS-ASCON_R126", "MS-ASCON_R216");
            status.0
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_conversation_is_moved_from_everywhere_but_sent_items() {
    let house = House::new().await;
    house.mail("plan").await;
    reply_to(&house, "plan", "second").await;
    house.mail("other").await;
    let sent = house.folder_of_kind(FolderKind::SentItems).await;
    house.mail_to(sent.id, "plan").await;
    let attic = house.store.create_folder(house.mailbox, CollectionNumber(0), "Attic").await;
    let attic = attic.unwrap();
    let (conversation, to) = (conversation_of("plan"), attic.number.to_string());
    assert_eq!(moves(&house, &conversation, &to, true).await, 1);
    conforms!("MS-ASCON_R130", "MS-ASCON_R172", "MS-ASCON_R215", "MS-ASCMD_R3465");
    let there = house.store.changes_since(attic.id, Cursor(0), 9).await.unwrap();
    assert_eq!(there.changes.len(), 2);
    let stays = house.lying_in(FolderKind::Inbox).await;
    assert!(stays.len() == 1 && stays[0].contains("Subject: other"));
    assert_eq!(house.lying_in(FolderKind::SentItems).await.len(), 1);
    // Said again, after a lost answer.
    assert_eq!(moves(&house, &conversation, &to, true).await, 1);
    let trash = house.folder_of_kind(FolderKind::DeletedItems).await.number.to_string();
    assert_eq!(moves(&house, &conversation, &trash, true).await, 1);
    assert_eq!(house.lying_in(FolderKind::DeletedItems).await.len(), 2);
    conforms!("MS-ASCON_R166", "MS-ASCON_R213", "MS-ASCON_R214");
}

#[tokio::test]
async fn moves_of_conversations_that_cannot_be_have_their_status() {
    let house = House::new().await;
    house.mail("plan").await;
    let conversation = conversation_of("plan");
    let number = |folder: crate::mailbox::Folder| folder.number.to_string();
    let trash = number(house.folder_of_kind(FolderKind::DeletedItems).await);
    let drafts = number(house.folder_of_kind(FolderKind::Drafts).await);
    assert_eq!(moves(&house, &conversation, &trash, false).await, 155);
    conforms!("MS-ASCMD_R3475", "MS-ASCMD_R4940");
    assert_eq!(moves(&house, &conversation_of("none"), &trash, true).await, 6);
    assert_eq!(moves(&house, &conversation, "999", true).await, 6);
    assert_eq!(moves(&house, &conversation, &drafts, true).await, 156);
    assert_eq!(moves(&house, &conversation, "RI", true).await, 105);
    assert_eq!(house.lying_in(FolderKind::Inbox).await.len(), 1);
    // What an order covers makes no conversation.
    house.fences("plan").await;
    assert_eq!(moves(&house, &conversation, &trash, true).await, 6);
}

#[tokio::test]
async fn there_is_no_rights_management() {
    let house = House::new().await;
    let number = house.mail("plan").await;
    let protected = Fetch { remove_rights_management_protection: true, ..item(number) };
    let options = FetchOptions { rights_management_support: Some(true), ..FetchOptions::default() };
    let willing = Fetch { options: Some(options), ..item(number) };
    let seen = fetches(&house, vec![protected, willing]).await;
    assert_eq!(seen.iter().map(status).collect::<Vec<_>>(), [168, 1]);
    let willing = seen[1].properties.as_ref().unwrap().item.as_ref().unwrap().email().unwrap();
    assert!(willing.rights_management_license.is_none());
    let request =
        settings::Request { properties: vec![settings::Property::RightsManagementInformation] };
    let seen = house.send(CommandName::Settings, request.encode(V)).await;
    let response: settings::Response = seen.read();
    let told = settings::Answer::RightsManagementInformation {
        status: Status(168),
        get: Some(settings::RightsManagementTemplates::default()),
    };
    assert_eq!(response.answers, [told]);
    conforms!("MS-ASRM_R196");
}

#[tokio::test]
async fn what_an_order_covers_outlives_an_emptied_folder() {
    let house = House::new().await;
    house.mail("secret").await;
    house.mail("other").await;
    house.fences("secret").await;
    let operations = vec![Operation::EmptyFolderContents {
        collection_id: CollectionId::new(INBOX).unwrap(),
        delete_sub_folders: false,
    }];
    let body = Request { operations }.encode(V);
    let _: Response = house.send(CommandName::ItemOperations, body).await.read();
    assert!(house.lying_in(FolderKind::Inbox).await.is_empty());
    house.recall.work_off().await.unwrap();
    house.cancels().await;
    let back = house.lying_in(FolderKind::Inbox).await;
    assert!(back.len() == 1 && back[0].contains("Subject: secret"), "{back:?}");
}
