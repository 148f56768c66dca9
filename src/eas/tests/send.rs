//! SendMail, SmartReply, SmartForward: sent once, in the user's name, and never with a recalled mail in them.

use std::sync::Arc;

use activesync::command::sync::Collection;
use activesync::command::{CommandName, send_mail, smart_forward, smart_reply};
use activesync::status::Status;
use activesync::types::{ClientId, CollectionId, LongId, ServerId, SyncKey};
use activesync::{Document, ProtocolVersion};
use conformance::conforms;
use smart_reply::{Source, SourceItem};

use super::house::*;
use crate::delivery::Outbox;
use crate::directory::{Directory, Settings};
use crate::eas::{
    BoxFuture, Everybody, Gateway, GatewayLimits, MailName, NotSubmitted, Outgoing, Rooms,
    Submission,
};
use crate::ids::{CollectionNumber, DeviceId, ItemNumber, UserId};
use crate::ledger::{DetailKind, Exposure};
use crate::mailbox::{FolderKind, Mailbox};
use crate::recall::{Actor, OrderRequest, Recall};

const NEW: &str = "To: bob@b.example\nSubject: Re: one\n\nI agree.\n";

fn mail(client_id: &str, mime: &str) -> send_mail::Request {
    send_mail::Request {
        client_id: ClientId::new(client_id).unwrap(),
        account_id: None,
        save_in_sent_items: true,
        mime: mime.as_bytes().to_vec(),
        template_id: None,
    }
}

fn source(item: ItemNumber) -> Source {
    let item = SourceItem::Item {
        folder_id: CollectionId::new(INBOX).unwrap(),
        item_id: ServerId::new(format!("{INBOX}:{item}")).unwrap(),
    };
    Source { item, instance_id: None }
}

fn reply(client_id: &str, source: Source) -> smart_reply::Request {
    smart_reply::Request {
        client_id: ClientId::new(client_id).unwrap(),
        source,
        account_id: None,
        save_in_sent_items: true,
        replace_mime: false,
        mime: NEW.as_bytes().to_vec(),
        template_id: None,
    }
}

fn forward(client_id: &str, source: Source) -> smart_forward::Request {
    smart_forward::Request {
        client_id: ClientId::new(client_id).unwrap(),
        source,
        account_id: None,
        save_in_sent_items: true,
        replace_mime: false,
        forwardees: Vec::new(),
        body: None,
        mime: Some(NEW.as_bytes().to_vec()),
        template_id: None,
    }
}

/// The Status of the answer; none when it has no document, which is success.
async fn status<D: Document>(house: &House, command: CommandName, request: &D) -> Option<u16> {
    let seen = house.send(command, request.encode(V)).await;
    assert_eq!(seen.status, 200);
    if seen.body.is_empty() {
        return None;
    }
    let Status(status) = match command {
        CommandName::SendMail => seen.read::<send_mail::Response>().status,
        CommandName::SmartReply => seen.read::<smart_reply::Response>().status,
        _ => seen.read::<smart_forward::Response>().status,
    };
    Some(status)
}

async fn send(house: &House, request: &send_mail::Request) -> Option<u16> {
    status(house, CommandName::SendMail, request).await
}

#[tokio::test]
async fn a_mail_is_sent_once_however_often_it_is_asked_for() {
    let house = House::new().await;
    let request =
        mail("1", "From: boss@b.example\nTo: ann@a.example\nBcc: x@b.example\nSubject: s\n\nhi\n");
    assert_eq!(send(&house, &request).await, None);
    assert_eq!(send(&house, &request).await, None, "the answer was lost, and it is told the same");
    let sent = house.lying_in(FolderKind::SentItems).await;
    assert_eq!(sent.len(), 1);
    assert!(sent[0].contains("<ann@a.example>") && !sent[0].contains("boss"), "{}", sent[0]);
    assert!(!sent[0].contains("x@b.example"), "nobody sees a Bcc");
    assert!(sent[0].contains("Message-ID:") && sent[0].contains("Date:"));
    house.outbox.run_due().await.unwrap();
    let arrived = house.lying_in(FolderKind::Inbox).await;
    // A note about x, whom nothing reaches from here, quotes the same subject.
    let is_it = |mail: &&String| mail.contains("Subject: s\r\n") && !mail.contains("x@b.example");
    assert_eq!(arrived.iter().filter(is_it).count(), 1);
    conforms!("MS-ASHTTP_R484");
    let other = send_mail::Request { save_in_sent_items: false, ..mail("2", NEW) };
    assert_eq!(send(&house, &other).await, None);
    assert_eq!(house.lying_in(FolderKind::SentItems).await.len(), 1, "no copy was wanted");
}

#[tokio::test]
async fn what_cannot_be_sent_has_its_status() {
    let house = House::new().await;
    assert_eq!(send(&house, &mail("1", "no header")).await, Some(107));
    conforms!("MS-ASCMD_R4826", "MS-ASCMD_R4380");
    assert_eq!(send(&house, &mail("2", "Subject: x\n\nhi\n")).await, Some(119));
    conforms!("MS-ASCMD_R4853");
    assert_eq!(send(&house, &mail("3", "To: Jane\n\nhi\n")).await, Some(183));
    let account = send_mail::Request { account_id: Some("9".into()), ..mail("4", NEW) };
    assert_eq!(send(&house, &account).await, Some(166));
    conforms!("MS-ASCMD_R4956", "MS-ASCMD_R724");
    let template = send_mail::Request { template_id: Some("t".into()), ..mail("5", NEW) };
    assert_eq!(send(&house, &template).await, Some(168));
    conforms!("MS-ASCMD_R4960");
    assert!(house.lying_in(FolderKind::SentItems).await.is_empty());
}

#[tokio::test]
async fn a_mail_that_answers_one_the_phone_was_sent_counts_as_acted_on_before_anybody_recalls() {
    let house = House::new().await;
    let item = house.mail("one").await;
    house.catch_up(house.begin().await).await;
    let unseen = house.mail("two").await;
    let folder = house.inbox_folder().await;
    let answer =
        |id: &str| mail(id, &format!("To: eve@c.example\nIn-Reply-To: <{id}@b.example>\n\nwell\n"));
    assert_eq!(send(&house, &answer("one")).await, None);
    assert_eq!(send(&house, &answer("two")).await, None);
    assert!(house.exposure(folder, item).await.contains(Exposure::ACTED));
    assert!(!house.exposure(folder, unseen).await.contains(Exposure::ACTED), "never sent to it");
    assert_eq!(house.audited("mail.acted").await, 1);
    let words = "by its reference, circumstantial; to eve@c.example".to_owned();
    assert_eq!(house.told(folder, item).await, [(DetailKind::Referred, words)]);
    house.recalls("one").await;
    let orders = house.recall.orders(None, 1).await.unwrap();
    assert_eq!(house.recall.coverage(orders[0].id).await.unwrap().acted, 1);
}

#[tokio::test]
async fn an_answer_sent_after_the_recall_is_in_its_report() {
    let house = House::new().await;
    house.mail("one").await;
    house.catch_up(house.begin().await).await;
    house.recalls("one").await;
    let id = house.recall.orders(None, 1).await.unwrap()[0].id;
    assert_eq!(house.recall.coverage(id).await.unwrap().acted, 0);
    let late = mail("1", "To: eve@c.example\nReferences: <x@y.example> <one@b.example>\n\nwell\n");
    send(&house, &late).await;
    let coverage = house.recall.coverage(id).await.unwrap();
    assert_eq!(coverage.acted, 1);
    assert_eq!(coverage.devices[0].details[0].kind, DetailKind::Referred);
}

/// A mail with a file, with these lines at its head.
fn with_file(head: &str) -> String {
    let rows = "name,salary\n".repeat(20);
    format!(
        "{head}MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/plain\n\nSee.\n--a\n\
         Content-Type: text/csv; name=pay.csv\nContent-Disposition: attachment; filename=pay.csv\n\n{rows}\n--a--\n"
    )
}

#[tokio::test]
async fn a_file_of_a_recalled_mail_that_is_sent_on_is_in_its_report() {
    let house = House::new().await;
    let head =
        "From: bob@b.example\nTo: ann@a.example\nSubject: pay\nMessage-ID: <pay@b.example>\n";
    house.raw(&with_file(head)).await;
    house.catch_up(house.begin().await).await;
    house.recalls("pay").await;
    let id = house.recall.orders(None, 1).await.unwrap()[0].id;
    send(&house, &mail("1", &with_file("To: eve@c.example\nSubject: new\n"))).await;
    let coverage = house.recall.coverage(id).await.unwrap();
    assert_eq!(coverage.acted, 1);
    let told = &coverage.devices[0].details[0];
    assert_eq!(told.detail, "by its file, circumstantial; to eve@c.example");
}

#[tokio::test]
async fn a_reply_quotes_and_a_forward_carries_the_original() {
    let house = House::new().await;
    let item = house.mail("one").await;
    let folder = house.inbox_folder().await;
    let request = reply("r", source(item));
    assert_eq!(status(&house, CommandName::SmartReply, &request).await, None);
    assert_eq!(house.store.items(folder, &[item]).await.unwrap()[0].verb, 1);
    assert!(house.exposure(folder, item).await.contains(Exposure::ACTED));
    let sent = house.lying_in(FolderKind::SentItems).await;
    assert!(sent[0].contains("> The body of one."), "{}", sent[0]);
    conforms!("MS-ASHTTP_R489");
    assert!(sent[0].contains("In-Reply-To: <one@b.example>"));
    assert_eq!(house.audited("mail.acted").await, 1);
    let words = "to bob@b.example".to_owned();
    assert_eq!(house.told(folder, item).await, [(DetailKind::Replied, words)]);
    let request = forward("f", source(item));
    assert_eq!(status(&house, CommandName::SmartForward, &request).await, None);
    assert_eq!(house.store.items(folder, &[item]).await.unwrap()[0].verb, 3);
    assert!(house.lying_in(FolderKind::SentItems).await[1].contains("The body of one."));
    conforms!("MS-ASHTTP_R488");
    let all = smart_reply::Request {
        mime: b"To: bob@b.example, eve@b.example\nSubject: x\n\nhi\n".to_vec(),
        replace_mime: true,
        ..reply("a", source(item))
    };
    assert_eq!(status(&house, CommandName::SmartReply, &all).await, None);
    assert_eq!(house.store.items(folder, &[item]).await.unwrap()[0].verb, 2);
    assert!(!house.lying_in(FolderKind::SentItems).await[2].contains("The body of one."));
}

#[tokio::test]
async fn a_missing_original_is_150_and_an_impossible_one_106() {
    let house = House::new().await;
    let item = house.mail("one").await;
    let gone = reply("1", source(ItemNumber(item.0 + 1)));
    assert_eq!(status(&house, CommandName::SmartReply, &gone).await, Some(150));
    conforms!("MS-ASCMD_R4930");
    let odd = SourceItem::Found(LongId::new("x").unwrap());
    let odd = forward("2", Source { item: odd, instance_id: None });
    assert_eq!(status(&house, CommandName::SmartForward, &odd).await, Some(106));
    conforms!("MS-ASCMD_R4823");
    let found = SourceItem::Found(LongId::new(format!("{INBOX}:{item}")).unwrap());
    let found = forward("3", Source { item: found, instance_id: None });
    assert_eq!(status(&house, CommandName::SmartForward, &found).await, None);
    let series =
        Source { instance_id: Some(activesync::types::DateTime::from_ms(0)), ..source(item) };
    assert_eq!(status(&house, CommandName::SmartReply, &reply("4", series)).await, Some(146));
    conforms!("MS-ASCMD_R4919");
}

#[tokio::test]
async fn a_recalled_original_is_117_before_and_after_it_is_taken_out_and_on_a_retry() {
    let house = House::new().await;
    let item = house.mail("one").await;
    house.catch_up(house.begin().await).await;
    house.fences("one").await;
    for _ in 0..2 {
        let request = reply("r", source(item));
        assert_eq!(status(&house, CommandName::SmartReply, &request).await, Some(117));
        let request = forward("f", source(item));
        assert_eq!(status(&house, CommandName::SmartForward, &request).await, Some(117));
        // Whatever else is wrong with the request.
        let odd = smart_forward::Request { account_id: Some("9".into()), ..request };
        assert_eq!(status(&house, CommandName::SmartForward, &odd).await, Some(117));
        let instance_id = Some(activesync::types::DateTime::from_ms(0));
        let odd = reply("i", Source { instance_id, ..source(item) });
        assert_eq!(status(&house, CommandName::SmartReply, &odd).await, Some(117));
        house.recall.work_off().await.unwrap();
    }
    let folder = house.inbox_folder().await;
    assert!(house.store.items(folder, &[item]).await.unwrap().is_empty(), "it was taken out");
    assert!(house.lying_in(FolderKind::SentItems).await.is_empty());
    let old = reply("r", source(item)).encode(ProtocolVersion::V14_0);
    let seen = house.give(house.incoming(CommandName::SmartReply, "14.0", old)).await;
    assert_eq!(seen.status, 200);
    assert!(seen.body.windows(3).any(|octets| octets == b"117"));
}

/// An outbox that mail reaches only after its source was recalled.
struct RecallsFirst {
    recall: Recall,
    outbox: Outbox,
}

impl Outgoing for RecallsFirst {
    fn submit(&self, mail: Submission) -> BoxFuture<'_, Result<(), NotSubmitted>> {
        Box::pin(async move {
            let request = OrderRequest {
                message_id: "one@b.example".to_owned(),
                reason: "test".to_owned(),
                ..OrderRequest::default()
            };
            self.recall.order(request, Actor::Admin("root".to_owned()), None).await.unwrap();
            Outgoing::submit(&self.outbox, mail).await
        })
    }

    fn knows(
        &self,
        user: UserId,
        device: DeviceId,
        name: &MailName,
    ) -> BoxFuture<'_, Result<bool, NotSubmitted>> {
        Outgoing::knows(&self.outbox, user, device, name)
    }
}

#[tokio::test]
async fn a_forward_whose_source_is_recalled_while_it_is_made_does_not_leave() {
    let mut house = House::new().await;
    let item = house.mail("one").await;
    house.catch_up(house.begin().await).await;
    let (recall, outbox) = (house.recall.clone(), house.outbox.clone());
    house.gateway = Gateway::new(Rooms {
        engine: house.engine.clone(),
        bells: house.bells.clone(),
        directory: Directory::new(
            house.engine.database.clone(),
            house.clock.clone(),
            Settings::quick(),
        )
        .unwrap(),
        admission: Arc::new(Everybody),
        policies: Some(house.policies.clone()),
        outgoing: Some(Arc::new(RecallsFirst { recall, outbox })),
        discovery: None,
        trust: trust(),
        limits: GatewayLimits::default(),
    });
    let request = forward("f", source(item));
    assert_eq!(status(&house, CommandName::SmartForward, &request).await, Some(117));
    assert!(house.lying_in(FolderKind::SentItems).await.is_empty());
    assert_eq!(house.outbox.counts().await.unwrap().waiting, 0);
}

#[tokio::test]
async fn a_forward_from_a_folder_deleted_under_its_order_is_117() {
    let house = House::new().await;
    let folder = house.store.create_folder(house.mailbox, CollectionNumber(0), "Plans").await;
    let folder = folder.unwrap();
    let item = house.mail_to(folder.id, "one").await;
    let told = house.folder_sync("0").await;
    house.folder_sync(told.sync_key.unwrap().as_str()).await;
    let number = CollectionId::new(folder.number.to_string()).unwrap();
    let mut collection = Collection::new(number.clone(), SyncKey::initial());
    collection.sync_key = house.sync_one(collection.clone()).await.sync_key;
    assert_eq!(adds(&house.sync_one(collection).await), ["one"]);
    house.fences("one").await;
    house.store.delete_folder(folder.id).await.unwrap();
    let item_id = ServerId::new(format!("{number}:{item}")).unwrap();
    let item = SourceItem::Item { folder_id: number, item_id };
    let request = forward("f", Source { item, instance_id: None });
    assert_eq!(status(&house, CommandName::SmartForward, &request).await, Some(117));
}

#[tokio::test]
async fn a_mail_that_refers_to_a_recalled_one_is_sent_and_noted() {
    let house = House::new().await;
    house.mail("one").await;
    house.catch_up(house.begin().await).await;
    house.recalls("one").await;
    let request = mail("1", "To: bob@b.example\nReferences: <one@b.example>\nSubject: x\n\nhi\n");
    assert_eq!(send(&house, &request).await, None);
    assert_eq!(house.lying_in(FolderKind::SentItems).await.len(), 1);
    assert_eq!(house.audited("mail.refers_to_recalled").await, 1);
}
