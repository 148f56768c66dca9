//! What a phone does itself: counted once, answered where an answer is wanted.

use activesync::Document;
use activesync::command::CommandName;
use activesync::command::sync::{
    Add, Change, ClientCommand, Collection, Delete, Options, ReplyTo, ServerCommand,
};
use activesync::item::body::{Body, BodyType, Content};
use activesync::item::email::Email;
use activesync::status::sync as status;
use activesync::types::{ClientId, CollectionId, ServerId, SyncKey};
use conformance::conforms;

use super::house::*;
use crate::ids::{DeviceId, FolderId};
use crate::ledger::{DetailKind, Exposure, Place};
use crate::mailbox::{Arrival, FolderKind, Mailbox, StateChange};
use crate::sync::{Upload, Uploaded, Wins};

fn id(item: crate::ids::ItemNumber) -> ServerId {
    ServerId::new(format!("{INBOX}:{item}")).unwrap()
}

fn read(item: crate::ids::ItemNumber, read: bool) -> ClientCommand {
    let data = Email { read: Some(read), ..Email::default() }.into();
    ClientCommand::Change(Change { server_id: id(item), instance_id: None, send: false, data })
}

fn delete(item: crate::ids::ItemNumber) -> ClientCommand {
    ClientCommand::Delete(Delete { server_id: id(item), instance_id: None })
}

fn with(key: &SyncKey, commands: Vec<ClientCommand>) -> Collection {
    Collection { commands, ..inbox(key.as_str()) }
}

#[tokio::test]
async fn a_mark_on_a_recalled_mail_that_left_the_store_is_heard() {
    let house = House::new().await;
    let item = house.mail("secret").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    house.recalls("secret").await;
    let folder = house.inbox_folder().await;
    let marking =
        |key: &str, is_read| Collection { commands: vec![read(item, is_read)], ..inbox(key) };
    let answer = house.sync_one(marking(key.as_str(), true)).await;
    assert_eq!(answer.replies[0].status, status::OBJECT_NOT_FOUND);
    assert!(house.exposure(folder, item).await.contains(Exposure::READ_CLAIMED));
    assert_eq!(house.told(folder, item).await[0].0, DetailKind::ReadClaimed);
    let (key, _) = house.catch_up(answer.sync_key).await;
    assert!(house.owed().await.is_empty());
    house.sync_one(marking(key.as_str(), false)).await;
    assert_eq!(house.owed().await, [folder], "it has it still");
}

#[tokio::test]
async fn a_read_flag_is_taken_silently_and_not_sent_back() {
    let house = House::new().await;
    let item = house.mail("one").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    let answer = house.sync_one(with(&key, vec![read(item, true)])).await;
    assert!(answer.replies.is_empty() && answer.commands.is_empty());
    let folder = house.inbox_folder().await;
    assert!(house.store.items(folder, &[item]).await.unwrap()[0].read);
    let (_, rest) = house.catch_up(answer.sync_key).await;
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_repeated_request_counts_once_and_its_new_commands_count_too() {
    let house = House::new().await;
    let (one, two) = (house.mail("one").await, house.mail("two").await);
    let (key, _) = house.catch_up(house.begin().await).await;
    house.sync_one(with(&key, vec![delete(one)])).await;
    // Lost. The phone repeats it, and has read another mail meanwhile.
    let again = house.sync_one(with(&key, vec![delete(one), read(two, true)])).await;
    assert!(again.replies.is_empty());
    let trash = house.folder_of_kind(FolderKind::DeletedItems).await;
    let deleted = house.store.changes_since(trash.id, crate::mailbox::Cursor(0), 10).await.unwrap();
    assert_eq!(deleted.changes.len(), 1, "one copy in Deleted Items");
    let folder = house.inbox_folder().await;
    assert!(house.store.items(folder, &[two]).await.unwrap()[0].read);
}

#[tokio::test]
async fn a_delete_after_the_mail_was_moved_is_not_refused() {
    let house = House::new().await;
    let item = house.mail("one").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    let (from, to) =
        (house.inbox_folder().await, house.folder_of_kind(FolderKind::DeletedItems).await);
    house.store.move_item(from, item, to.id).await.unwrap();
    let answer = house.sync_one(with(&key, vec![delete(item)])).await;
    assert_eq!((answer.status, answer.replies.len()), (status::SUCCESS, 0));
}

#[tokio::test]
async fn a_mark_that_somebody_else_set_meanwhile_wins_unless_the_phone_asks_otherwise() {
    for (conflict, wins) in [(None, true), (Some(1), true), (Some(0), false)] {
        let house = House::new().await;
        let item = house.mail("one").await;
        let (key, _) = house.catch_up(house.begin().await).await;
        let folder = house.inbox_folder().await;
        let marked = StateChange { read: Some(true), ..StateChange::default() };
        house.store.set_state(folder, item, marked).await.unwrap();
        // The phone has not heard of it, and its user marks the mail unread again.
        let options = vec![Options { conflict, ..Options::default() }];
        let asked = Collection { options, ..with(&key, vec![read(item, false)]) };
        for _ in 0..2 {
            let answer = house.sync_one(asked.clone()).await;
            let told: Vec<_> = answer.replies.iter().map(|r| (r.to, r.status)).collect();
            let expected = if wins { vec![(ReplyTo::Change, status::CONFLICT)] } else { vec![] };
            assert_eq!(told, expected, "also when it is asked again");
            let changed = matches!(&answer.commands[..], [ServerCommand::Change { data, .. }]
                if data.email().unwrap().read == Some(true));
            assert_eq!(changed, wins, "{answer:?}");
            assert_eq!(house.store.items(folder, &[item]).await.unwrap()[0].read, wins);
        }
    }
}

#[tokio::test]
async fn a_phone_may_name_properties_it_keeps_although_mail_has_none_to_keep() {
    let house = House::new().await;
    house.mail("one").await;
    let ghosted = Collection { supported: Some(Vec::new()), ..inbox("0") };
    let begun = house.sync_one(ghosted).await;
    assert_eq!(begun.status, status::SUCCESS);
    let late = Collection { supported: Some(Vec::new()), ..inbox(begun.sync_key.as_str()) };
    assert_eq!(adds(&house.sync_one(late).await), ["one"]);
}

#[tokio::test]
async fn a_change_of_what_is_gone_or_recalled_finds_nothing() {
    let house = House::new().await;
    let item = house.mail("secret").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    house.fences("secret").await;
    let missing = crate::ids::ItemNumber(4711);
    let fetch = ClientCommand::Fetch(id(item));
    let commands = vec![read(item, true), read(missing, true), fetch];
    let answer = house.sync_one(with(&key, commands)).await;
    let statuses: Vec<_> = answer.replies.iter().map(|r| (r.to, r.status)).collect();
    let gone = status::OBJECT_NOT_FOUND;
    assert_eq!(
        statuses,
        [(ReplyTo::Change, gone), (ReplyTo::Change, gone), (ReplyTo::Fetch, gone)]
    );
    conforms!("MS-ASCMD_R4447", "MS-ASCMD_R5846", "MS-ASCMD_R4419");
}

#[tokio::test]
async fn a_recalled_mail_the_phone_deletes_does_not_appear_in_deleted_items() {
    let house = House::new().await;
    let item = house.mail("secret").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    house.fences("secret").await;
    house.sync_one(with(&key, vec![delete(item)])).await;
    let trash = house.folder_of_kind(FolderKind::DeletedItems).await;
    let delta = house.store.changes_since(trash.id, crate::mailbox::Cursor(0), 10).await.unwrap();
    assert!(delta.changes.is_empty());
}

#[tokio::test]
async fn a_fetch_brings_the_item_whole() {
    let house = House::new().await;
    let item = house.mail("one").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    let answer = house.sync_one(with(&key, vec![ClientCommand::Fetch(id(item))])).await;
    let reply = &answer.replies[0];
    assert_eq!((reply.to, reply.status), (ReplyTo::Fetch, status::SUCCESS));
    let body = reply.data.as_ref().unwrap().email().unwrap().body.clone().unwrap();
    assert!(body.data.unwrap().as_bytes().starts_with(b"The body of one."));
}

#[tokio::test]
async fn mail_is_added_only_as_a_draft() {
    let house = House::new().await;
    let body = Body {
        body_type: Some(BodyType::Plain),
        data: Some(Content::Text("text".to_owned())),
        ..Body::default()
    };
    let data = Email { subject: Some("later".to_owned()), body: Some(body), ..Email::default() };
    let add = ClientCommand::Add(Add {
        class: None,
        client_id: ClientId::new("c1").unwrap(),
        send: false,
        data: data.into(),
    });
    let key = house.begin().await;
    let refused = house.sync_one(with(&key, vec![add.clone()])).await;
    assert_eq!(refused.replies[0].status, status::CONVERSION_ERROR);
    let drafts = house.folder_of_kind(FolderKind::Drafts).await;
    let mut collection =
        Collection::new(CollectionId::new(drafts.number.to_string()).unwrap(), SyncKey::initial());
    collection.sync_key = house.sync_one(collection.clone()).await.sync_key;
    collection.commands = vec![add];
    let lost = house.sync_one(collection.clone()).await;
    assert_eq!(lost.replies[0].status, status::SUCCESS);
    let again = house.sync_one(collection.clone()).await;
    assert_eq!(again.replies[0].server_id, lost.replies[0].server_id);
    collection.commands.clear();
    collection.sync_key = again.sync_key;
    let rest = house.send(CommandName::Sync, just(collection).encode(V)).await;
    assert!(rest.body.is_empty(), "a phone is not sent its own draft");
}

/// A draft whose Message-ID somebody may recall, as a phone hands it up.
fn draft_of(name: &str, text: &str) -> bytes::Bytes {
    let head = "From: bob@b.example\r\nTo: ann@a.example\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000";
    bytes::Bytes::from(format!("{head}\r\nMessage-ID: <{name}@b.example>\r\n\r\n{text}\r\n"))
}

/// The Drafts folder, synced by the phone.
async fn drafts(house: &House) -> (FolderId, Collection) {
    let drafts = house.folder_of_kind(FolderKind::Drafts).await;
    let number = CollectionId::new(drafts.number.to_string()).unwrap();
    let mut collection = Collection::new(number, SyncKey::initial());
    collection.sync_key = house.sync_one(collection.clone()).await.sync_key;
    (drafts.id, collection)
}

async fn uploads(house: &House, folder: FolderId, upload: Upload) -> Uploaded {
    let place = Place { device: DeviceId(1), folder };
    house.engine.upload(house.mailbox, place, 1, upload, Wins::Store).await.unwrap()
}

fn add_of(raw: bytes::Bytes) -> Upload {
    let arrival = Arrival { draft: true, ..Arrival::default() };
    Upload::AddDraft { client_id: "c1".to_owned(), raw, arrival }
}

#[tokio::test]
async fn a_draft_a_phone_adds_under_a_standing_order_is_owed_its_delete() {
    let house = House::new().await;
    let (folder, mut collection) = drafts(&house).await;
    house.stands("secret").await;
    let added = uploads(&house, folder, add_of(draft_of("secret", "text"))).await;
    let Uploaded::Added(item) = added else { panic!("{added:?}") };
    house.recall.work_off().await.unwrap();
    assert_eq!(house.owed().await, [folder], "the phone holds it");
    let answer = house.sync_one(collection.clone()).await;
    assert_eq!(deletes(&answer), [format!("{}:{item}", collection.collection_id)]);
    collection.sync_key = answer.sync_key;
    house.send(CommandName::Sync, just(collection).encode(V)).await;
    assert!(house.owed().await.is_empty(), "it acknowledged");
}

#[tokio::test]
async fn a_draft_that_was_recalled_before_its_upload_was_on_the_books_is_owed_its_delete() {
    let house = House::new().await;
    let (folder, _) = drafts(&house).await;
    house.stands("secret").await;
    // What an upload does first, and then the gateway ends; the worker takes the mail out meanwhile.
    let once = Some(format!("draft {} {folder} 1 c1", DeviceId(1)));
    let arrival = Arrival { draft: true, once, ..Arrival::default() };
    let item = house.store.append(folder, draft_of("secret", "text"), arrival).await.unwrap();
    house.recall.work_off().await.unwrap();
    assert!(house.store.items(folder, &[item]).await.unwrap().is_empty());
    assert!(house.owed().await.is_empty(), "nobody is known to hold it");
    let added = uploads(&house, folder, add_of(draft_of("secret", "text"))).await;
    assert_eq!(added, Uploaded::Added(item));
    house.recall.work_off().await.unwrap();
    assert_eq!(house.owed().await, [folder], "the phone was told of it");
}

#[tokio::test]
async fn a_draft_that_becomes_a_recalled_message_is_owed_its_delete() {
    let house = House::new().await;
    let (folder, _) = drafts(&house).await;
    let Uploaded::Added(item) = uploads(&house, folder, add_of(draft_of("plain", "text"))).await
    else {
        panic!("not added")
    };
    house.stands("secret").await;
    let (raw, change) = (draft_of("secret", "more"), StateChange::default());
    let changed = uploads(&house, folder, Upload::ChangeDraft { item, raw, change }).await;
    assert_eq!(changed, Uploaded::Done);
    house.recall.work_off().await.unwrap();
    assert_eq!(house.owed().await, [folder], "the phone holds the new text");
    assert!(house.store.items(folder, &[item]).await.unwrap().is_empty(), "it left the store");
}

#[tokio::test]
async fn a_recalled_draft_that_a_clone_edits_is_open_again() {
    let house = House::new().await;
    let (folder, mut collection) = drafts(&house).await;
    let Uploaded::Added(item) = uploads(&house, folder, add_of(draft_of("secret", "text"))).await
    else {
        panic!("not added")
    };
    house.recalls("secret").await;
    let server_id = ServerId::new(format!("{}:{item}", collection.collection_id)).unwrap();
    let answer = house.sync_one(collection.clone()).await;
    assert_eq!(deletes(&answer).len(), 1);
    collection.sync_key = answer.sync_key;
    house.send(CommandName::Sync, just(collection.clone()).encode(V)).await;
    assert!(house.owed().await.is_empty(), "it acknowledged");
    let text = Some(Content::Text("edited".to_owned()));
    let body = Body { body_type: Some(BodyType::Plain), data: text, ..Body::default() };
    let data = Email { body: Some(body), ..Email::default() }.into();
    let edit = Change { server_id, instance_id: None, send: false, data };
    collection.commands = vec![ClientCommand::Change(edit)];
    let answer = house.sync_one(collection.clone()).await;
    assert_eq!(answer.replies[0].status, status::OBJECT_NOT_FOUND);
    assert_eq!(house.owed().await, [folder], "whoever edits it has it");
}
