//! Drafts on 16.x: written, edited, given attachments, thrown away and sent, each by Sync, with answers lost on the way.

use activesync_phone::activesync::command::folder_sync::FolderType;
use activesync_phone::activesync::command::sync::{ClientCommand, CollectionAnswer, Reply};
use activesync_phone::activesync::item::body::{
    Attachments, Body, BodyType, Content, DeletedAttachment, NewAttachment,
};
use activesync_phone::activesync::item::email::Email;
use activesync_phone::activesync::types::ClientId;
use activesync_phone::{Phone, Profile, SyncAsk};

use super::town::{Handset, Town, deletes, folder};

/// Success, "the data are wrong", "no such object" ([MS-ASCMD] 2.2.3.177.17), and InvalidRecipients ([MS-ASCMD] 2.2.2).
const DONE: u16 = 1;
const WRONG: u16 = 6;
const GONE: u16 = 8;
const INVALID_RECIPIENTS: u16 = 183;

#[tokio::test]
async fn written_on_the_phone_and_finished_on_the_tablet() {
    let town = Town::open().await;
    let (mut phone, drafts) = writer(&town, Profile::ios()).await;
    let (mut tablet, _) = writer(&town, Profile::samsung()).await;
    let reply = did(&mut phone, &drafts, Phone::draft(&name("1"), letter("Plans"))).await;
    assert_eq!(reply.as_ref().unwrap().status.0, DONE);
    let told = reply.unwrap().data.unwrap().email().unwrap().clone();
    assert!(told.conversation_id.is_some() && told.conversation_index.is_some());
    tablet.driver.catch_up(&drafts).await.unwrap();
    let item = tablet.id_of("Plans");
    let shown = &tablet.phone().cache.find("Plans").map(|_| seen(&tablet, &item)).unwrap();
    assert_eq!(shown.to.as_deref(), Some("\"ben@a.example\" <ben@a.example>"));
    assert_eq!(shown.is_draft, Some(true));

    let edited = Email {
        to: Some("cas@a.example".to_owned()),
        cc: Some("ben@a.example".to_owned()),
        body: body(BodyType::Plain, "Other words."),
        ..Email::default()
    };
    assert_eq!(did(&mut tablet, &drafts, Phone::edit_draft(&item, edited)).await, None);
    phone.driver.catch_up(&drafts).await.unwrap();
    let shown = seen(&phone, &item);
    assert_eq!(shown.subject.as_deref(), Some("Plans"), "what was not named stays");
    assert!(shown.to.unwrap().contains("cas@a.example"));
    assert!(shown.cc.unwrap().contains("ben@a.example"));
    let text = shown.body.unwrap().data.unwrap();
    assert!(String::from_utf8_lossy(text.as_bytes()).contains("Other words."));
    // The tablet is not told of its own edit.
    let quiet = tablet.sync_with(SyncAsk::of(&drafts)).await;
    assert!(quiet.is_none_or(|answer| answer.commands.is_empty()));
}

#[tokio::test]
async fn attachments_come_and_go() {
    let town = Town::open().await;
    let (mut phone, drafts) = writer(&town, Profile::ios()).await;
    let with_one = Email { attachments: added(&[("a", "first")]), ..letter("Files") };
    let reply = did(&mut phone, &drafts, Phone::draft(&name("1"), with_one)).await.unwrap();
    let first = reference_of(&reply, "a");
    let item = phone.id_of("Files");
    assert_eq!(fetched(&mut phone, &first).await, Some(b"first".to_vec()));

    let another = Email { attachments: added(&[("b", "second")]), ..Email::default() };
    let reply = did(&mut phone, &drafts, Phone::edit_draft(&item, another)).await.unwrap();
    assert_eq!(reply.status.0, DONE);
    let second = reference_of(&reply, "b");
    assert_eq!(fetched(&mut phone, &second).await, Some(b"second".to_vec()));

    let without = Email { attachments: removed(&first), ..Email::default() };
    assert_eq!(did(&mut phone, &drafts, Phone::edit_draft(&item, without.clone())).await, None);
    let (mut tablet, _) = writer(&town, Profile::samsung()).await;
    tablet.driver.catch_up(&drafts).await.unwrap();
    let left = seen(&tablet, &item).attachments.unwrap().attachments;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].display_name.as_deref(), Some("b.txt"));
    // What is not there cannot be taken out.
    let nothing = Email { attachments: removed(&format!("{item}:7")), ..Email::default() };
    let refused = did(&mut phone, &drafts, Phone::edit_draft(&item, nothing)).await.unwrap();
    assert_eq!(refused.status.0, WRONG);
}

#[tokio::test]
async fn thrown_away() {
    let town = Town::open().await;
    let (mut phone, drafts) = writer(&town, Profile::ios()).await;
    did(&mut phone, &drafts, Phone::draft(&name("1"), letter("Never"))).await;
    let (mut tablet, _) = writer(&town, Profile::samsung()).await;
    tablet.driver.catch_up(&drafts).await.unwrap();
    let item = phone.id_of("Never");
    let ask = SyncAsk { deletes_as_moves: Some(false), ..SyncAsk::of(&drafts) };
    phone.sync_with(ask.with(Phone::delete(&item))).await;
    let told = tablet.sync_with(SyncAsk::of(&drafts)).await.unwrap();
    assert_eq!(deletes(&told), std::slice::from_ref(&item));
    let late = did(&mut tablet, &drafts, Phone::edit_draft(&item, letter("Too late"))).await;
    assert_eq!(late.unwrap().status.0, GONE);
}

#[tokio::test]
async fn sent_once_although_every_answer_is_lost() {
    let town = Town::open().await;
    let (mut phone, drafts) = writer(&town, Profile::ios()).await;
    // The answer to the draft is lost: repeated, it is the same draft.
    let write = SyncAsk::of(&drafts).with(Phone::draft(&name("1"), letter("Once")));
    let lost = phone.lose(write.clone()).await.unwrap();
    let again = phone.sync_with(write).await.unwrap();
    assert_eq!(again.replies[0].server_id, lost.replies[0].server_id);
    // So is the answer to its sending.
    let item = phone.id_of("Once");
    let last_words = Email { subject: Some("Once more".to_owned()), ..Email::default() };
    let send = SyncAsk::of(&drafts).with(Phone::send_draft(&item, last_words));
    let lost = phone.lose(send.clone()).await.unwrap();
    assert!(lost.replies.is_empty(), "{lost:?}");
    let again = phone.sync_with(send).await.unwrap();
    assert!(again.replies.is_empty(), "{again:?}");
    assert_eq!(deletes(&again), [item], "what was sent lies in Drafts no longer");
    assert!(phone.subjects_in(&drafts).is_empty());
    arrived_once(&town, &mut phone, "Once more").await;
}

#[tokio::test]
async fn sent_without_ever_being_a_draft() {
    let town = Town::open().await;
    let (mut phone, drafts) = writer(&town, Profile::samsung()).await;
    let command = Phone::draft_and_send(&name("1"), letter("Straight"));
    let send = SyncAsk::of(&drafts).with(command);
    let lost = phone.lose(send.clone()).await.unwrap();
    assert_eq!(status_of(&lost), DONE);
    let again = phone.sync_with(send).await.unwrap();
    assert_eq!(status_of(&again), DONE);
    assert!(again.commands.is_empty() && phone.subjects_in(&drafts).is_empty());
    arrived_once(&town, &mut phone, "Straight").await;
}

#[tokio::test]
async fn what_cannot_be_sent_stays_a_draft() {
    let town = Town::open().await;
    let (mut phone, drafts) = writer(&town, Profile::ios()).await;
    let nobody = Email { to: None, ..letter("To nobody") };
    did(&mut phone, &drafts, Phone::draft(&name("1"), nobody)).await;
    let item = phone.id_of("To nobody");
    let send = |email| Phone::send_draft(&item, email);
    let refused = did(&mut phone, &drafts, send(Email::default())).await.unwrap();
    assert_eq!(refused.status.0, INVALID_RECIPIENTS);
    let nonsense = Email { to: Some("not an address".to_owned()), ..Email::default() };
    let refused = did(&mut phone, &drafts, send(nonsense)).await.unwrap();
    assert_eq!(refused.status.0, INVALID_RECIPIENTS);
    assert_eq!(phone.subjects_in(&drafts), ["To nobody"]);
    let mended = Email { to: Some("ben@a.example".to_owned()), ..Email::default() };
    assert_eq!(did(&mut phone, &drafts, send(mended)).await, None);
    arrived_once(&town, &mut phone, "To nobody").await;
}

#[tokio::test]
async fn what_no_draft_may_say() {
    let town = Town::open().await;
    let (mut phone, drafts) = writer(&town, Profile::ios()).await;
    let from = Email { from: Some("boss@a.example".to_owned()), ..letter("Forged") };
    let refused = did(&mut phone, &drafts, Phone::draft(&name("1"), from)).await.unwrap();
    assert_eq!(refused.status.0, WRONG);
    let rich = Email { body: body(BodyType::Rtf, "{}"), ..letter("Rich") };
    let refused = did(&mut phone, &drafts, Phone::draft(&name("2"), rich)).await.unwrap();
    assert_eq!(refused.status.0, WRONG);
    // Mail is written in Drafts and nowhere else, and other mail is not edited.
    town.mail("from Bob").await;
    phone.catch_up().await;
    let inbox = phone.inbox();
    let refused = did(&mut phone, &inbox, Phone::draft(&name("3"), letter("Here"))).await.unwrap();
    assert_eq!(refused.status.0, WRONG);
    let item = phone.id_of("from Bob");
    let forged = Email { body: body(BodyType::Plain, "Bob never said so"), ..Email::default() };
    let refused = did(&mut phone, &inbox, Phone::edit_draft(&item, forged)).await.unwrap();
    assert_eq!(refused.status.0, WRONG);
    let refused = did(&mut phone, &inbox, Phone::send_draft(&item, Email::default())).await;
    assert_eq!(refused.unwrap().status.0, WRONG);
}

#[tokio::test]
async fn before_16_0_there_are_none() {
    let town = Town::open().await;
    for profile in [Profile::old(), Profile::android()] {
        let (mut phone, drafts) = writer(&town, profile).await;
        let refused = did(&mut phone, &drafts, Phone::draft(&name("1"), letter("Early"))).await;
        assert_eq!(refused.unwrap().status.0, WRONG);
    }
}

/// A phone of Ann's that syncs Drafts.
async fn writer(town: &Town, profile: Profile) -> (Handset, String) {
    let mut phone = town.phone("ann", profile).await;
    let drafts = folder(phone.phone(), FolderType::DRAFTS);
    phone.driver.catch_up(&drafts).await.unwrap();
    (phone, drafts)
}

fn name(text: &str) -> ClientId {
    ClientId::new(text).unwrap()
}

fn letter(subject: &str) -> Email {
    Email {
        to: Some("ben@a.example".to_owned()),
        subject: Some(subject.to_owned()),
        body: body(BodyType::Plain, "Words."),
        ..Email::default()
    }
}

fn body(kind: BodyType, text: &str) -> Option<Body> {
    let data = Some(Content::Text(text.to_owned()));
    Some(Body { body_type: Some(kind), data, ..Body::default() })
}

fn added(files: &[(&str, &str)]) -> Option<Attachments> {
    let file = |(id, octets): &(&str, &str)| NewAttachment {
        client_id: Some(name(id)),
        content: Some(octets.as_bytes().to_vec()),
        content_type: Some("text/plain".to_owned()),
        display_name: Some(format!("{id}.txt")),
        method: Some(1),
        ..NewAttachment::default()
    };
    Some(Attachments { add: files.iter().map(file).collect(), ..Attachments::default() })
}

fn removed(reference: &str) -> Option<Attachments> {
    let delete = DeletedAttachment { file_reference: Some(reference.parse().unwrap()) };
    Some(Attachments { delete: vec![delete], ..Attachments::default() })
}

/// Sends one command; gives the reply to it, if there is one.
async fn did(phone: &mut Handset, folder: &str, command: ClientCommand) -> Option<Reply> {
    let answer = phone.sync_with(SyncAsk::of(folder).with(command)).await.unwrap();
    assert!(answer.replies.len() < 2, "{answer:?}");
    answer.replies.into_iter().next()
}

fn status_of(answer: &CollectionAnswer) -> u16 {
    answer.replies[0].status.0
}

fn seen(phone: &Handset, item: &str) -> Email {
    let mut items = phone.phone().cache.items();
    items.find(|(_, id, _)| *id == item).map(|(_, _, item)| item.email.clone()).unwrap()
}

/// Under what name the server keeps the attachment the phone called `id`.
fn reference_of(reply: &Reply, id: &str) -> String {
    let email = reply.data.as_ref().unwrap().email().unwrap();
    let files = &email.attachments.as_ref().unwrap().attachments;
    let file = files.iter().find(|file| file.client_id == Some(name(id))).unwrap();
    file.file_reference.as_ref().unwrap().to_string()
}

async fn fetched(phone: &mut Handset, reference: &str) -> Option<Vec<u8>> {
    let exchange = phone.phone().fetch_attachment(reference, None);
    phone.ask(exchange).await;
    let copies = &phone.phone().copies;
    copies.iter().rev().find(|copy| copy.id == reference).map(|copy| copy.octets.clone())
}

/// Ben has it once, and so has Ann's Sent Items.
async fn arrived_once(town: &Town, phone: &mut Handset, subject: &str) {
    let mut ben = town.phone("ben", Profile::ios()).await;
    let end = tokio::time::Instant::now() + super::town::PATIENCE;
    while !ben.holds(subject) {
        assert!(tokio::time::Instant::now() < end, "it never arrives");
        ben.catch_up().await;
        tokio::task::yield_now().await;
    }
    // A second copy would be on its way by now: what waits in the outbox is carried out in its order.
    ben.catch_up().await;
    assert_eq!(ben.subjects(), [subject]);
    let sent = folder(phone.phone(), FolderType::SENT_ITEMS);
    phone.driver.catch_up(&sent).await.unwrap();
    assert_eq!(phone.subjects_in(&sent), [subject]);
}
