//! Ping: what it asks, what ends it, and that it proves nothing.

use std::time::Duration;

use activesync::Document;
use activesync::command::CommandName;
use activesync::command::ping::{Folder, Request, Response};
use activesync::status::ping as status;
use activesync::types::{ClassName, CollectionId};
use conformance::conforms;

use super::house::*;
use crate::eas::{ConnectionId, GatewayLimits};
use crate::mailbox::Mailbox;
use crate::recall::State;

fn watching(ids: &[&str]) -> Request {
    let folder =
        |id: &&str| Folder { id: CollectionId::new(*id).unwrap(), class: ClassName::email() };
    Request { heartbeat_s: Some(480), folders: Some(ids.iter().map(folder).collect()) }
}

fn body() -> Vec<u8> {
    watching(&[INBOX]).encode(V)
}

async fn ping(house: &House, request: Request) -> Response {
    house.send(CommandName::Ping, request.encode(V)).await.read()
}

#[tokio::test]
async fn what_is_missing_is_taken_from_the_ping_before() {
    let house = House::new().await;
    let nothing: Response = house.send(CommandName::Ping, Vec::new()).await.read();
    assert_eq!(nothing.status, status::MISSING_PARAMETERS);
    conforms!("MS-ASCMD_R4240", "MS-ASCMD_R4228");
    house.wait(CommandName::Ping, body()).await;
    house.wait(CommandName::Ping, Vec::new()).await;
    let only_time = Request { heartbeat_s: Some(600), folders: None };
    house.wait(CommandName::Ping, only_time.encode(V)).await;
    conforms!("MS-ASCMD_R4241");
}

#[tokio::test]
async fn bounds_are_told() {
    let house =
        House::with(GatewayLimits { ping_folders_max: 2, ..GatewayLimits::default() }).await;
    let short = ping(&house, Request { heartbeat_s: Some(5), ..watching(&[INBOX]) }).await;
    assert_eq!((short.status, short.heartbeat_s), (status::BAD_INTERVAL, Some(60)));
    conforms!("MS-ASCMD_R5837");
    let long = ping(&house, Request { heartbeat_s: Some(9999), ..watching(&[INBOX]) }).await;
    assert_eq!((long.status, long.heartbeat_s), (status::BAD_INTERVAL, Some(3540)));
    conforms!("MS-ASCMD_R4249");
    let many = ping(&house, watching(&["1", "2", "3"])).await;
    assert_eq!((many.status, many.folders_max), (status::TOO_MANY_FOLDERS, Some(2)));
    conforms!("MS-ASCMD_R4254");
    assert_eq!(ping(&house, watching(&["1", "1"])).await.status, status::SYNTAX_ERROR);
    assert_eq!(ping(&house, watching(&["4711"])).await.status, status::FOLDER_SYNC_REQUIRED);
    conforms!("MS-ASCMD_R4257", "MS-ASCMD_R4258");
}

#[tokio::test]
async fn mail_that_came_before_the_ping_or_during_it_ends_it() {
    let house = House::new().await;
    house.mail("one").await;
    let key = house.begin().await;
    let at_once: Response = house.send(CommandName::Ping, body()).await.read();
    assert_eq!(at_once.status, status::CHANGES);
    assert_eq!(at_once.folders[0].as_str(), INBOX);
    conforms!("MS-ASCMD_R4235", "MS-ASCMD_R4236", "MS-ASHTTP_R504");
    house.catch_up(key).await;
    let waiting = house.wait(CommandName::Ping, body()).await;
    let answer = tokio::spawn(ends(waiting));
    house.mail("two").await;
    assert_eq!(answer.await.unwrap().read::<Response>().status, status::CHANGES);
}

#[tokio::test]
async fn a_phone_that_was_woken_for_a_mail_and_sent_nothing_is_prevented_and_says_woken() {
    let house = House::new().await;
    let (key, _) = house.catch_up(house.begin().await).await;
    house.mail("one").await;
    let woken: Response = house.send(CommandName::Ping, body()).await.read();
    assert_eq!(woken.status, status::CHANGES);
    house.mail("two").await;
    house.recalls("one").await;
    house.recalls("two").await;
    let orders = house.recall.orders(None, 2).await.unwrap();
    let report = async |at: usize| house.recall.coverage(orders[at].id).await.unwrap();
    let [two, one] = [report(0).await, report(1).await];
    assert_eq!((one.devices[0].state, one.devices[0].exposure.as_str()), (State::Prevented, "W"));
    assert_eq!((two.devices[0].state, two.devices[0].exposure.as_str()), (State::Prevented, "N"));
    drop(key);
}

#[tokio::test]
async fn an_ordinary_answer_that_was_written_is_not_asked_for_again() {
    let house = House::new().await;
    let (key, _) = house.catch_up(house.begin().await).await;
    house.mail("one").await;
    house.sync_one(inbox(key.as_str())).await;
    // Not proven, but written whole on this connection: no wake too many.
    house.wait(CommandName::Ping, body()).await;
}

#[tokio::test]
async fn an_answer_that_may_be_lost_is_asked_for_once() {
    let mut house = House::new().await;
    let (key, _) = house.catch_up(house.begin().await).await;
    house.mail("one").await;
    house.sync_one(inbox(key.as_str())).await;
    house.connection = ConnectionId(2);
    let asked: Response = house.send(CommandName::Ping, body()).await.read();
    assert_eq!(asked.status, status::CHANGES);
    house.connection = ConnectionId(3);
    house.wait(CommandName::Ping, body()).await;
}

#[tokio::test]
async fn after_recall_deletes_the_proof_is_asked_for_once_a_batch() {
    let house = House::new().await;
    house.mail("secret").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    house.recalls("secret").await;
    let answer = house.sync_one(inbox(key.as_str())).await;
    assert_eq!(deletes(&answer).len(), 1);
    let nudge: Response = house.send(CommandName::Ping, body()).await.read();
    assert_eq!(nudge.status, status::CHANGES);
    assert_eq!(house.owed().await.len(), 1, "a Ping proves nothing");
    house.wait(CommandName::Ping, body()).await;
    house.catch_up(answer.sync_key).await;
    assert!(house.owed().await.is_empty());
}

#[tokio::test]
async fn four_nudges_an_hour_are_enough() {
    let house = House::new().await;
    for n in 0..6 {
        house.mail(&format!("s{n}")).await;
    }
    let (mut key, _) = house.catch_up(house.begin().await).await;
    let mut nudged = 0;
    for n in 0..6 {
        house.recalls(&format!("s{n}")).await;
        key = house.sync_one(inbox(key.as_str())).await.sync_key;
        let outcome = house.outcome(CommandName::Ping, body()).await;
        nudged += usize::from(matches!(outcome, crate::eas::Outcome::Answer(_)));
    }
    assert_eq!(nudged, 4);
}

#[tokio::test]
async fn a_recall_ends_a_ping_of_whoever_has_the_mail_and_of_nobody_else() {
    let house = House::new().await;
    house.mail("old").await;
    house.catch_up(house.begin().await).await;
    let waiting = house.wait(CommandName::Ping, body()).await;
    let answer = tokio::spawn(ends(waiting));
    house.recalls("old").await;
    assert_eq!(answer.await.unwrap().read::<Response>().status, status::CHANGES);
}

#[tokio::test]
async fn a_phone_is_not_woken_for_mail_it_never_gets() {
    let house = House::new().await;
    house.catch_up(house.begin().await).await;
    house.stands("coming").await;
    let waiting = house.wait(CommandName::Ping, body()).await;
    let answer = tokio::spawn(ends(waiting));
    house.mail("coming").await;
    tokio::task::yield_now().await;
    house.clock.advance(Duration::from_secs(481));
    house
        .bells
        .ring(house.inbox_folder().await, crate::push::Ring::Change(crate::ids::FolderId(0)));
    assert_eq!(answer.await.unwrap().read::<Response>().status, status::NO_CHANGES);
}

#[tokio::test]
async fn a_new_folder_ends_a_ping_and_the_phones_own_does_not() {
    let house = House::new().await;
    house.catch_up(house.begin().await).await;
    let key = house.folder_sync("0").await.sync_key.unwrap();
    house.folder_sync(key.as_str()).await;
    let waiting = house.wait(CommandName::Ping, body()).await;
    let answer = tokio::spawn(ends(waiting));
    house.bells.ring_device(crate::ids::DeviceId(1), crate::push::Ring::Hierarchy);
    tokio::task::yield_now().await;
    assert!(!answer.is_finished(), "nothing the phone does not know");
    let root = crate::ids::CollectionNumber(0);
    house.store.create_folder(house.mailbox, root, "Projects").await.unwrap();
    let seen: Response = answer.await.unwrap().read();
    assert_eq!(seen.status, status::FOLDER_SYNC_REQUIRED);
    let again: Response = house.send(CommandName::Ping, body()).await.read();
    assert_eq!(again.status, status::FOLDER_SYNC_REQUIRED, "until it was told");
    house.folder_sync(key.as_str()).await;
    house.wait(CommandName::Ping, body()).await;
}

#[tokio::test]
async fn a_newer_ping_ends_the_older_and_a_block_ends_any() {
    let house = House::new().await;
    house.catch_up(house.begin().await).await;
    let older = house.wait(CommandName::Ping, body()).await;
    let newer = house.wait(CommandName::Ping, body()).await;
    // In a body, as [MS-ASCMD] 2.2.3.177.11 has it: phones cannot read an answer without one.
    assert_eq!(ends(older).await.read::<Response>().status, status::NO_CHANGES);
    house.bells.ring_device(crate::ids::DeviceId(1), crate::push::Ring::Access);
    assert_eq!(ends(newer).await.read::<Response>().status, status::FOLDER_SYNC_REQUIRED);
}

#[tokio::test]
async fn a_waiting_phone_is_small() {
    let house = House::new().await;
    house.catch_up(house.begin().await).await;
    let waiting = house.wait(CommandName::Ping, body()).await;
    assert!(size_of_val(&*waiting) < 512, "{}", size_of_val(&*waiting));
    let future = waiting.wait();
    assert!(size_of_val(&*future) < 2048, "{}", size_of_val(&*future));
}
