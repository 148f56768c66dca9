//! Mail that phones send, answer, forward, move and fetch; and what a recall makes of it.

use activesync::Document;
use activesync::command::item_operations::{self, Fetch, Fetched, Operation, Outcome as Done};
use activesync::command::{CommandName, move_items, send_mail, smart_forward, smart_reply};
use activesync::status::Status;
use activesync::types::{ClientId, CollectionId, FileReference, RangeText, ServerId};

use super::house::*;
use crate::ids::{DeviceId, FolderId, ItemNumber};
use crate::ledger::{self, Exposure, Place};
use crate::mailbox::{Arrival, Change, Cursor, FolderKind, Mailbox};

fn client_id(text: &str) -> ClientId {
    ClientId::new(text).unwrap()
}

fn id(item: ItemNumber) -> ServerId {
    ServerId::new(format!("{INBOX}:{item}")).unwrap()
}

const NEW_MAIL: &[u8] = b"To: ann@a.example\r\nSubject: new\r\n\r\nHello.\r\n";

fn send(name: &str) -> Vec<u8> {
    let request = send_mail::Request {
        client_id: client_id(name),
        account_id: None,
        save_in_sent_items: true,
        mime: NEW_MAIL.to_vec(),
        template_id: None,
    };
    request.encode(V)
}

fn source(item: ItemNumber) -> smart_reply::Source {
    let item = smart_reply::SourceItem::Item {
        folder_id: CollectionId::new(INBOX).unwrap(),
        item_id: id(item),
    };
    smart_reply::Source { item, instance_id: None }
}

fn forward(name: &str, item: ItemNumber) -> Vec<u8> {
    let request = smart_forward::Request {
        client_id: client_id(name),
        source: source(item),
        account_id: None,
        save_in_sent_items: true,
        replace_mime: false,
        forwardees: Vec::new(),
        body: None,
        mime: Some(NEW_MAIL.to_vec()),
        template_id: None,
    };
    request.encode(V)
}

fn reply(name: &str, item: ItemNumber) -> Vec<u8> {
    let request = smart_reply::Request {
        client_id: client_id(name),
        source: source(item),
        account_id: None,
        save_in_sent_items: true,
        replace_mime: false,
        mime: NEW_MAIL.to_vec(),
        template_id: None,
    };
    request.encode(V)
}

async fn live(house: &House, folder: FolderId) -> Vec<crate::mailbox::Item> {
    let delta = house.store.changes_since(folder, Cursor(0), 100).await.unwrap();
    let live = |change| match change {
        Change::Live(item) => Some(item),
        Change::Gone { .. } => None,
    };
    delta.changes.into_iter().filter_map(live).collect()
}

async fn move_to(house: &House, item: ItemNumber, to: &str) -> move_items::Moved {
    let request = move_items::Request {
        moves: vec![move_items::Move {
            src_msg_id: id(item),
            src_fld_id: CollectionId::new(INBOX).unwrap(),
            dst_fld_id: CollectionId::new(to).unwrap(),
        }],
    };
    let seen = house.send(CommandName::MoveItems, request.encode(V)).await;
    seen.read::<move_items::Response>().responses.remove(0)
}

async fn fetch(house: &House, fetch: Fetch) -> Fetched {
    let fetch = Fetch { store: Some("Mailbox".to_owned()), ..fetch };
    let request = item_operations::Request { operations: vec![Operation::Fetch(Box::new(fetch))] };
    let seen = house.send(CommandName::ItemOperations, request.encode(V)).await;
    match seen.read::<item_operations::Response>().outcomes.remove(0) {
        Done::Fetch(fetched) => *fetched,
        other => panic!("{other:?}"),
    }
}

fn whole(item: ItemNumber) -> Fetch {
    Fetch {
        collection_id: CollectionId::new(INBOX).ok(),
        server_id: Some(id(item)),
        ..Fetch::default()
    }
}

async fn exposure(house: &House, item: ItemNumber) -> Exposure {
    let place = Place { device: DeviceId(1), folder: house.inbox_folder().await };
    house.engine.database.read(move |tx| ledger::held(tx, place, item)).await.unwrap().exposure
}

#[tokio::test]
async fn a_mail_whose_answer_was_lost_is_sent_once() {
    let house = House::new().await;
    for _ in 0..3 {
        let seen = house.send(CommandName::SendMail, send("one")).await;
        assert!(seen.body.is_empty(), "success has no document");
    }
    house.outbox.run_due().await.unwrap();
    let sent = house.folder_of_kind(FolderKind::SentItems).await;
    assert_eq!(live(&house, sent.id).await.len(), 1, "one copy in Sent Items");
    assert_eq!(live(&house, house.inbox_folder().await).await.len(), 1, "one copy arrived");
    let (_, raw) = house.store.read(sent.id, ItemNumber(1)).await.unwrap();
    let text = String::from_utf8_lossy(&raw).into_owned();
    assert!(text.contains("From: ") && text.contains("ann@a.example"), "{text}");
    assert!(text.contains("Message-ID: <"), "{text}");
}

#[tokio::test]
async fn mail_to_nobody_and_mail_that_is_none_have_their_status() {
    let house = House::new().await;
    for (mime, status) in [(&b"Subject: x\r\n\r\nHello\r\n"[..], 119), (&b"no header"[..], 107)] {
        let request = send_mail::Request {
            client_id: client_id("x"),
            account_id: None,
            save_in_sent_items: false,
            mime: mime.to_vec(),
            template_id: None,
        };
        let seen = house.send(CommandName::SendMail, request.encode(V)).await;
        assert_eq!(seen.read::<send_mail::Response>().status, Status(status));
    }
}

#[tokio::test]
async fn a_reply_quotes_its_source_and_marks_it() {
    let house = House::new().await;
    let item = house.mail("one").await;
    let (_, _) = house.catch_up(house.begin().await).await;
    assert!(house.send(CommandName::SmartReply, reply("r", item)).await.body.is_empty());
    let sent = house.folder_of_kind(FolderKind::SentItems).await;
    let (_, raw) = house.store.read(sent.id, ItemNumber(1)).await.unwrap();
    let text = String::from_utf8_lossy(&raw).into_owned();
    assert!(text.contains("The body of one.") && text.contains("<one@b.example>"), "{text}");
    let folder = house.inbox_folder().await;
    assert_eq!(house.store.items(folder, &[item]).await.unwrap()[0].verb, 1);
    assert!(exposure(&house, item).await.contains(Exposure::ACTED));
}

#[tokio::test]
async fn a_recalled_source_is_never_called_missing() {
    let house = House::new().await;
    let item = house.mail("one").await;
    house.catch_up(house.begin().await).await;
    house.fences("one").await;
    for carried_out in [false, true] {
        if carried_out {
            house.recall.work_off().await.unwrap();
        }
        for (command, body) in [
            (CommandName::SmartReply, reply("r", item)),
            (CommandName::SmartForward, forward("f", item)),
        ] {
            // Twice: the retry is refused too.
            for _ in 0..2 {
                let seen = house.send(command, body.clone()).await;
                let status = match command {
                    CommandName::SmartReply => seen.read::<smart_reply::Response>().status,
                    _ => seen.read::<smart_forward::Response>().status,
                };
                assert_eq!(status, Status(117), "{command} after removal: {carried_out}");
            }
        }
    }
    let sent = house.folder_of_kind(FolderKind::SentItems).await;
    assert!(live(&house, sent.id).await.is_empty(), "nothing left");
    let missing = house.send(CommandName::SmartReply, reply("m", ItemNumber(99))).await;
    assert_eq!(missing.read::<smart_reply::Response>().status, Status(150));
}

#[tokio::test]
async fn a_move_whose_answer_was_lost_gets_the_same_answer() {
    let house = House::new().await;
    let item = house.mail("one").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    let trash = house.folder_of_kind(FolderKind::DeletedItems).await;
    let first = move_to(&house, item, &trash.number.to_string()).await;
    assert_eq!(first.status, Status(3));
    let again = move_to(&house, item, &trash.number.to_string()).await;
    assert_eq!((again.status, &again.dst_msg_id), (Status(3), &first.dst_msg_id));
    assert_eq!(live(&house, trash.id).await.len(), 1);
    // The next Sync of the source says that it is gone.
    let answer = house.sync_one(inbox(key.as_str())).await;
    assert_eq!(deletes(&answer), [id(item).to_string()]);
}

#[tokio::test]
async fn moves_that_cannot_be_have_their_status() {
    let house = House::new().await;
    let item = house.mail("one").await;
    assert_eq!(move_to(&house, item, INBOX).await.status, Status(4));
    assert_eq!(move_to(&house, item, "999").await.status, Status(2));
    let trash = house.folder_of_kind(FolderKind::DeletedItems).await.number.to_string();
    assert_eq!(move_to(&house, ItemNumber(99), &trash).await.status, Status(1));
    house.fences("one").await;
    assert_eq!(move_to(&house, item, &trash).await.status, Status(1), "recalled: gone");
}

#[tokio::test]
async fn a_moved_message_is_still_on_the_books_where_it_lies_now() {
    let house = House::new().await;
    let item = house.mail("one").await;
    house.catch_up(house.begin().await).await;
    let trash = house.folder_of_kind(FolderKind::DeletedItems).await;
    let moved = move_to(&house, item, &trash.number.to_string()).await;
    let number = crate::ids::ServerId::parse(moved.dst_msg_id.unwrap().as_str()).unwrap().item;
    let place = Place { device: DeviceId(1), folder: trash.id };
    let held = house.engine.database.read(move |tx| ledger::held(tx, place, number)).await.unwrap();
    assert!(held.open, "the app filed it under its new id");
    assert!(held.exposure.contains(Exposure::HEADER | Exposure::MOVED));
    house.recalls("one").await;
    let (trash, inbox) = (trash.id, house.inbox_folder().await);
    let owed = house.owed().await;
    assert!(owed.contains(&trash) && owed.contains(&inbox), "both copies: {owed:?}");
}

#[tokio::test]
async fn what_is_fetched_is_booked_as_sent_for_ever_and_not_found_once_recalled() {
    let house = House::new().await;
    let item = house.mail("one").await;
    house.catch_up(house.begin().await).await;
    let fetched = fetch(&house, whole(item)).await;
    assert_eq!(fetched.status, Some(Status(1)));
    let email = fetched.properties.unwrap().item.unwrap();
    let body = email.email().unwrap().body.clone().unwrap();
    assert!(String::from_utf8_lossy(body.data.unwrap().as_bytes()).contains("The body of one."));
    assert!(exposure(&house, item).await.contains(Exposure::FETCHED | Exposure::BODY));
    house.fences("one").await;
    assert_eq!(fetch(&house, whole(item)).await.status, Some(Status(6)));
    house.recall.work_off().await.unwrap();
    assert_eq!(fetch(&house, whole(item)).await.status, Some(Status(6)));
}

#[tokio::test]
async fn an_attachment_comes_whole_or_in_part() {
    let house = House::new().await;
    let raw = "From: b@b.example\r\nTo: ann@a.example\r\nSubject: file\r\nMessage-ID: <file@b.example>\r\n\
        MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nSee it.\r\n--x\r\n\
        Content-Type: text/csv; name=a.csv\r\nContent-Disposition: attachment; filename=a.csv\r\n\r\n\
        0123456789\r\n--x--\r\n";
    let arrival = Arrival { received: house.clock.now(), ..Arrival::default() };
    let folder = house.inbox_folder().await;
    let item = house.store.append(folder, raw.into(), arrival).await.unwrap();
    let reference = FileReference::new(format!("{INBOX}:{item}:0")).ok();
    let file = Fetch { file_reference: reference.clone(), ..Fetch::default() };
    let properties = fetch(&house, file.clone()).await.properties.unwrap().file;
    assert_eq!(properties.data.unwrap().0, b"0123456789");
    assert_eq!((properties.range, properties.total), (None, None), "only where a range was asked");
    let ranged = |text: &str| Fetch {
        options: Some(item_operations::FetchOptions {
            range: RangeText::new(text).ok(),
            ..item_operations::FetchOptions::default()
        }),
        ..file.clone()
    };
    let part = fetch(&house, ranged("2-4")).await.properties.unwrap().file;
    assert_eq!((part.data.unwrap().0, part.total), (b"234".to_vec(), Some(10)));
    assert_eq!(fetch(&house, ranged("10-12")).await.status, Some(Status(8)));
    assert!(exposure(&house, item).await.contains(Exposure::ATTACHMENT));
    let unknown = Fetch { file_reference: FileReference::new("1:99:0").ok(), ..Fetch::default() };
    assert_eq!(fetch(&house, unknown).await.status, Some(Status(15)));
    house.fences("file").await;
    assert_eq!(fetch(&house, file).await.status, Some(Status(15)), "recalled");
}

#[tokio::test]
async fn the_trash_is_emptied() {
    let house = House::new().await;
    let trash = house.folder_of_kind(FolderKind::DeletedItems).await;
    house.mail_to(trash.id, "one").await;
    house.mail_to(trash.id, "two").await;
    let request = item_operations::Request {
        operations: vec![Operation::EmptyFolderContents {
            collection_id: CollectionId::new(trash.number.to_string()).unwrap(),
            delete_sub_folders: false,
        }],
    };
    let seen = house.send(CommandName::ItemOperations, request.encode(V)).await;
    let response: item_operations::Response = seen.read();
    assert!(matches!(response.outcomes[..], [Done::EmptyFolderContents { status: Status(1), .. }]));
    assert!(live(&house, trash.id).await.is_empty());
}

#[tokio::test]
async fn mail_that_still_waits_in_the_outbox_does_not_leave_once_it_is_recalled() {
    let house = House::new().await;
    assert!(house.send(CommandName::SendMail, send("one")).await.body.is_empty());
    let sent = house.folder_of_kind(FolderKind::SentItems).await;
    let (_, raw) = house.store.read(sent.id, ItemNumber(1)).await.unwrap();
    let message = crate::message::Message::parse(raw).unwrap();
    let request = crate::recall::OrderRequest {
        message_id: message.message_id().unwrap(),
        reason: "test".to_owned(),
        ..Default::default()
    };
    let by = crate::recall::Actor::Admin("root".to_owned());
    house.recall.order(request, by, None).await.unwrap();
    house.outbox.run_due().await.unwrap();
    assert!(live(&house, house.inbox_folder().await).await.is_empty(), "it never arrived");
    assert_eq!(live(&house, sent.id).await.len(), 1, "the sender's own copy stays unless asked");
}
