//! Sync: keys, windows, lost answers, recalls, empty and Partial requests, waits.

use std::time::Duration;

use activesync::Document;
use activesync::command::CommandName;
use activesync::command::sync::{ClientCommand, Options, Request, Response};
use activesync::item::body::{BodyPreference, BodyType};
use activesync::status::sync as status;
use activesync::types::{CollectionId, ServerId};
use conformance::conforms;

use super::house::*;
use crate::ids::ItemNumber;
use crate::ledger::Exposure;

#[tokio::test]
async fn a_phone_signs_in_and_gets_its_mail_newest_first() {
    let house = House::new().await;
    house.mail("one").await;
    house.mail("two").await;
    let key = house.begin().await;
    let first = house.sync_one(inbox(key.as_str())).await;
    assert_eq!(adds(&first), ["two", "one"]);
    assert!(!first.more_available);
    let (_, rest) = house.catch_up(first.sync_key).await;
    assert!(rest.is_empty());
}

#[tokio::test]
async fn options_stay_until_others_are_sent() {
    let house = House::new().await;
    let mut begin = inbox("0");
    let preference =
        BodyPreference { truncation_size: Some(8), ..BodyPreference::new(BodyType::Plain) };
    begin.options = vec![Options { body_preferences: vec![preference], ..Options::default() }];
    let key = house.sync_one(begin).await.sync_key;
    house.mail("one").await;
    let answer = house.sync_one(inbox(key.as_str())).await;
    let activesync::command::sync::ServerCommand::Add { data, .. } = &answer.commands[0] else {
        panic!("{answer:?}")
    };
    let body = data.email().unwrap().body.clone().unwrap();
    assert_eq!(body.data.unwrap().as_bytes(), b"The body");
    assert_eq!(body.truncated, Some(true));
}

#[tokio::test]
async fn windows_are_kept_and_nothing_is_stalled_by_a_lost_answer() {
    let house = House::new().await;
    for n in 0..7 {
        house.mail(&format!("m{n}")).await;
    }
    let key = house.begin().await;
    let mut small = inbox(key.as_str());
    small.window_size = Some(3);
    let lost = house.sync_one(small.clone()).await;
    assert_eq!((adds(&lost).len(), lost.more_available), (3, true));
    // The answer was lost: the same again, under the same key.
    let again = house.sync_one(small).await;
    assert_eq!(again, lost);
    let (_, rest) = house.catch_up(again.sync_key).await;
    assert_eq!(rest, ["m3", "m2", "m1", "m0"]);
}

#[tokio::test]
async fn the_global_window_goes_round_the_collections() {
    let house = House::new().await;
    for n in 0..4 {
        house.mail(&format!("m{n}")).await;
    }
    let key = house.begin().await;
    let drafts = activesync::command::sync::Collection::new(
        CollectionId::new("2").unwrap(),
        activesync::types::SyncKey::initial(),
    );
    let request = Request {
        collections: vec![inbox(key.as_str()), drafts],
        window_size: Some(2),
        ..Request::default()
    };
    let response = house.sync(request).await;
    assert_eq!(response.collections.len(), 2);
    assert_eq!(adds(&response.collections[0]).len(), 2);
    assert!(response.collections[0].more_available);
}

#[tokio::test]
async fn a_delete_that_was_lost_with_its_answer_is_sent_again() {
    let house = House::new().await;
    let item = house.mail("ghost").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    let folder = house.inbox_folder().await;
    house.delete(folder, item).await;
    let lost = house.sync_one(inbox(key.as_str())).await;
    assert_eq!(deletes(&lost), [format!("{INBOX}:{item}")]);
    let again = house.sync_one(inbox(key.as_str())).await;
    assert_eq!(deletes(&again), [format!("{INBOX}:{item}")]);
    let (_, rest) = house.catch_up(again.sync_key).await;
    assert!(rest.is_empty());
}

#[tokio::test]
async fn an_add_that_was_lost_before_a_recall_comes_back_as_a_delete() {
    let house = House::new().await;
    let key = house.begin().await;
    let item = house.mail("secret").await;
    let lost = house.sync_one(inbox(key.as_str())).await;
    assert_eq!(adds(&lost), ["secret"]);
    house.recalls("secret").await;
    let again = house.sync_one(inbox(key.as_str())).await;
    assert!(adds(&again).is_empty());
    assert_eq!(deletes(&again), [format!("{INBOX}:{item}")]);
}

#[tokio::test]
async fn recall_deletes_go_ahead_of_a_full_window_in_another_collection() {
    let house = House::new().await;
    let item = house.mail("secret").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    let sent = house.folder_of_kind(crate::mailbox::FolderKind::SentItems).await;
    for n in 0..5 {
        house.mail_to(sent.id, &format!("s{n}")).await;
    }
    let mut other = activesync::command::sync::Collection::new(
        CollectionId::new(sent.number.to_string()).unwrap(),
        activesync::types::SyncKey::initial(),
    );
    other.sync_key = house.sync_one(other.clone()).await.sync_key;
    house.recalls("secret").await;
    let request = Request {
        collections: vec![other, inbox(key.as_str())],
        window_size: Some(2),
        ..Request::default()
    };
    let response = house.sync(request).await;
    let inbox = response.collections.iter().find(|c| c.collection_id.as_str() == INBOX).unwrap();
    assert_eq!(deletes(inbox), [format!("{INBOX}:{item}")]);
}

#[tokio::test]
async fn a_message_recalled_before_any_sync_never_leaves() {
    let house = House::new().await;
    house.mail("secret").await;
    house.mail("plain").await;
    house.recalls("secret").await;
    let (_, added) = house.catch_up(house.begin().await).await;
    assert_eq!(added, ["plain"]);
}

#[tokio::test]
async fn whoever_fetches_what_it_acknowledged_to_have_removed_is_owed_a_delete_again() {
    let house = House::new().await;
    let item = house.mail("secret").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    house.recalls("secret").await;
    let (key, _) = house.catch_up(key).await;
    assert!(house.owed().await.is_empty());
    let answer = house.sync_one(fetching(key.as_str(), item)).await;
    assert_eq!(answer.replies[0].status, status::OBJECT_NOT_FOUND);
    assert_eq!(house.owed().await, [house.inbox_folder().await]);
}

#[tokio::test]
async fn what_was_fetched_without_being_in_the_collection_is_a_copy_beside_it() {
    let house = House::new().await;
    let key = house.begin().await;
    let (beside, within) = (house.mail("beside").await, house.mail("within").await);
    let folder = house.inbox_folder().await;
    let mut unseen = fetching(key.as_str(), beside);
    unseen.get_changes = Some(false);
    let answer = house.sync_one(unseen).await;
    assert_eq!(answer.replies[0].status, status::SUCCESS);
    assert!(house.exposure(folder, beside).await.contains(Exposure::SEARCHED));
    let (key, _) = house.catch_up(answer.sync_key).await;
    house.sync_one(fetching(key.as_str(), within)).await;
    let exposure = house.exposure(folder, within).await;
    assert!(exposure.contains(Exposure::BODY) && !exposure.contains(Exposure::SEARCHED));
}

fn fetching(key: &str, item: ItemNumber) -> activesync::command::sync::Collection {
    let id = ServerId::new(format!("{INBOX}:{item}")).unwrap();
    let commands = vec![ClientCommand::Fetch(id)];
    activesync::command::sync::Collection { commands, ..inbox(key) }
}

#[tokio::test]
async fn keys_that_lead_nowhere_are_told_so_on_the_collection() {
    let house = House::new().await;
    let key = house.begin().await;
    for wrong in ["7", "1.AAAAAAAAAAAAAAAAAAAAAA", "rubbish"] {
        let answer = house.sync_one(inbox(wrong)).await;
        assert_eq!(answer.status, status::INVALID_SYNC_KEY, "{wrong}");
    }
    let (key, _) = house.catch_up(key).await;
    house.mail("one").await;
    let newer = house.sync_one(inbox(key.as_str())).await.sync_key;
    house.mail("two").await;
    house.sync_one(inbox(newer.as_str())).await;
    let old = house.sync_one(inbox(key.as_str())).await;
    assert_eq!(old.status, status::INVALID_SYNC_KEY, "the proven branch has left it behind");
    conforms!("MS-ASCMD_R4425", "MS-ASCMD_R4417");
}

#[tokio::test]
async fn the_first_key_takes_no_changes_and_no_commands() {
    let house = House::new().await;
    let mut insisting = inbox("0");
    insisting.get_changes = Some(true);
    assert_eq!(house.sync_one(insisting).await.status, status::PROTOCOL_ERROR);
    conforms!("MS-ASCMD_R5779");
    let mut commanding = inbox("0");
    commanding.commands = vec![ClientCommand::Fetch(ServerId::new("1:1").unwrap())];
    let answer = house.sync_one(commanding).await;
    assert_eq!((answer.status, answer.replies.len()), (status::SUCCESS, 0));
}

#[tokio::test]
async fn no_collection_that_exists_asks_for_the_folders() {
    let house = House::new().await;
    let gone = |id: &str| {
        activesync::command::sync::Collection::new(
            CollectionId::new(id).unwrap(),
            activesync::types::SyncKey::initial(),
        )
    };
    let response = house.sync(just(gone("4711"))).await;
    assert_eq!(response.status, Some(status::FOLDER_HIERARCHY_CHANGED));
    conforms!("MS-ASCMD_R4453", "MS-ASCMD_R4415");
    let both = Request { collections: vec![gone("4711"), inbox("0")], ..Request::default() };
    let response = house.sync(both).await;
    assert_eq!((response.status, response.collections.len()), (None, 1));
}

#[tokio::test]
async fn get_changes_zero_keeps_ours_back() {
    let house = House::new().await;
    let (key, _) = house.catch_up(house.begin().await).await;
    house.mail("one").await;
    let mut quiet = inbox(key.as_str());
    quiet.get_changes = Some(false);
    assert!(house.send(CommandName::Sync, just(quiet).encode(V)).await.body.is_empty());
    assert_eq!(adds(&house.sync_one(inbox(key.as_str())).await), ["one"]);
}

#[tokio::test]
async fn an_empty_sync_repeats_the_last_and_is_no_testimony() {
    let house = House::new().await;
    let nothing_known: Response = house.send(CommandName::Sync, Vec::new()).await.read();
    assert_eq!(nothing_known.status, Some(status::INCOMPLETE_REQUEST));
    conforms!("MS-ASCMD_R4456");
    let (key, _) = house.catch_up(house.begin().await).await;
    assert!(house.send(CommandName::Sync, Vec::new()).await.body.is_empty());
    conforms!("MS-ASHTTP_R482");
    house.mail("one").await;
    let answer: Response = house.send(CommandName::Sync, Vec::new()).await.read();
    assert_eq!(adds(&answer.collections[0]), ["one"], "nothing was in flight: it goes on");
    house.mail("two").await;
    // Whether the answer with "one" arrived, only the phone can say.
    let asks: Response = house.send(CommandName::Sync, Vec::new()).await.read();
    assert_eq!(asks.status, Some(status::INCOMPLETE_REQUEST));
    let again = house.sync_one(inbox(key.as_str())).await;
    assert_eq!(adds(&again), ["two", "one"], "it did not: the parent is presented again");
}

#[tokio::test]
async fn an_empty_sync_after_recall_deletes_is_asked_for_its_keys_once() {
    let house = House::new().await;
    house.mail("secret").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    house.recalls("secret").await;
    house.sync_one(inbox(key.as_str())).await;
    let asks: Response = house.send(CommandName::Sync, Vec::new()).await.read();
    assert_eq!(asks.status, Some(status::INCOMPLETE_REQUEST));
    assert!(house.send(CommandName::Sync, Vec::new()).await.body.is_empty(), "once");
}

#[tokio::test]
async fn a_partial_sync_completes_itself_from_the_one_before() {
    let house = House::new().await;
    let (key, _) = house.catch_up(house.begin().await).await;
    house.mail("one").await;
    let partial = Request { partial: true, window_size: Some(10), ..Request::default() };
    let response = house.sync(partial).await;
    assert_eq!(adds(&response.collections[0]), ["one"]);
    assert_ne!(response.collections[0].sync_key, key);
}

#[tokio::test]
async fn waits_beyond_the_bounds_are_refused_with_the_nearest() {
    let house = House::new().await;
    let key = house.begin().await;
    let asked = Request { heartbeat_interval_s: Some(5000), ..just(inbox(key.as_str())) };
    let response = house.sync(asked).await;
    assert_eq!(response.status, Some(status::INVALID_WAIT_OR_HEARTBEAT));
    assert_eq!(response.limit, Some(3540));
    conforms!("MS-ASCMD_R4460", "MS-ASCMD_R5780");
    let both =
        Request { wait_min: Some(5), heartbeat_interval_s: Some(300), ..just(inbox(key.as_str())) };
    assert_eq!(house.sync(both).await.status, Some(status::PROTOCOL_ERROR));
    conforms!("MS-ASCMD_R5778");
}

async fn hanging(house: &House) -> (activesync::types::SyncKey, Box<dyn crate::eas::Waiting>) {
    let (key, _) = house.catch_up(house.begin().await).await;
    let request = Request { wait_min: Some(5), ..just(inbox(key.as_str())) };
    (key, house.wait(CommandName::Sync, request.encode(V)).await)
}

#[tokio::test]
async fn a_hanging_sync_brings_the_mail_that_wakes_it() {
    let house = House::new().await;
    let (_, waiting) = hanging(&house).await;
    assert_eq!(house.bells.waiting(), 1);
    let answer = tokio::spawn(ends(waiting));
    house.mail("one").await;
    let response: Response = answer.await.unwrap().read();
    assert_eq!(adds(&response.collections[0]), ["one"]);
    assert_eq!(house.bells.waiting(), 0);
}

#[tokio::test]
async fn a_hanging_sync_brings_a_recall_at_once_and_says_nothing_of_what_it_never_had() {
    let house = House::new().await;
    let item = house.mail("secret").await;
    let (_, waiting) = hanging(&house).await;
    let answer = tokio::spawn(ends(waiting));
    house.recalls("secret").await;
    let response: Response = answer.await.unwrap().read();
    assert_eq!(deletes(&response.collections[0]), [format!("{INBOX}:{item}")]);
}

#[tokio::test]
async fn a_newer_sync_ends_the_one_that_hangs() {
    let house = House::new().await;
    let (key, waiting) = hanging(&house).await;
    let request = Request { wait_min: Some(5), ..just(inbox(key.as_str())) };
    let newer = house.wait(CommandName::Sync, request.encode(V)).await;
    assert!(ends(waiting).await.body.is_empty());
    drop(newer);
}

#[tokio::test]
async fn a_hanging_sync_ends_with_nothing_when_its_time_is_over() {
    let house = House::new().await;
    let (_, waiting) = hanging(&house).await;
    house.clock.advance(Duration::from_secs(300));
    assert!(ends(waiting).await.body.is_empty());
}
