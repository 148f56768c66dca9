//! What a user saw, or would have seen: one story each.

use super::super::News;
use super::*;

#[tokio::test]
async fn a_delete_whose_answer_was_lost_is_sent_again() {
    // The ghost of other servers: held at one key, its Delete lost with the next answer.
    let mut world = World::new(1).await;
    world.deliver().await;
    for _ in 0..3 {
        world.sync(0, 10, None, Fate::Taken).await;
    }
    assert_eq!(world.phones[0].cache.len(), 1);
    let item = world.some_item().await.unwrap();
    world.store.delete(world.inbox.id, item).await.unwrap();
    world.sync(0, 10, None, Fate::Lost).await;
    world.sync(0, 10, None, Fate::Lost).await;
    world.sync(0, 10, None, Fate::Taken).await;
    assert!(world.phones[0].cache.is_empty());
}

#[tokio::test]
async fn an_add_that_was_lost_and_is_recalled_comes_back_as_a_delete() {
    let mut world = World::new(1).await;
    world.deliver().await;
    world.sync(0, 10, None, Fate::Taken).await;
    world.sync(0, 10, None, Fate::Part(1)).await;
    assert_eq!(world.phones[0].cache.len(), 1, "committed before its key was");
    let request = OrderRequest {
        message_id: "m1@example.org".to_owned(),
        reason: "a test".to_owned(),
        from: None,
        bodies: None,
        include_sender: true,
        stands_days: None,
        confirm_count: None,
        second: None,
    };
    let by = Actor::Admin("test".to_owned());
    let order = world.recall.order(request, by, None).await.unwrap();
    world.recall.work_off().await.unwrap();
    world.sync(0, 10, None, Fate::Taken).await;
    assert!(world.phones[0].cache.is_empty());
    let before = world.recall.coverage(order).await.unwrap();
    assert_eq!(before.states.get("sent"), Some(&1), "{:?}", before.states);
    world.sync(0, 10, None, Fate::Taken).await;
    let after = world.recall.coverage(order).await.unwrap();
    assert_eq!(after.states.get("acknowledged"), Some(&1), "{:?}", after.states);
    assert_eq!(after.states.get("prevented"), Some(&2), "{:?}", after.states);
}

#[tokio::test]
async fn a_flag_set_elsewhere_reaches_the_phone_that_marked_the_mail_read_meanwhile() {
    let mut world = World::new(1).await;
    world.deliver().await;
    for _ in 0..3 {
        world.sync(0, 10, None, Fate::Taken).await;
    }
    let item = world.some_item().await.unwrap();
    let flag = Some(Some(crate::mailbox::Flag { status: 2, ..Default::default() }));
    let flagged =
        StateChange { flag, categories: Some(vec!["Red".to_owned()]), ..Default::default() };
    world.store.set_state(world.inbox.id, item, flagged).await.unwrap();
    let change = StateChange { read: Some(true), ..StateChange::default() };
    world.sync(0, 10, Some(Upload::Change { item, change }), Fate::Taken).await;
    let told = world.log.last().unwrap();
    assert!(told.contains("flagged: RoaringBitmap<[1]>"), "{told}");
}

#[tokio::test]
async fn a_mark_made_with_the_proof_of_an_answer_outlives_that_answer() {
    let mut world = World::new(1).await;
    world.deliver().await;
    for _ in 0..3 {
        world.sync(0, 10, None, Fate::Taken).await;
    }
    let item = world.some_item().await.unwrap();
    let mark = |read| StateChange { read: Some(read), ..StateChange::default() };
    world.store.set_state(world.inbox.id, item, mark(true)).await.unwrap();
    world.sync(0, 10, None, Fate::Taken).await;
    world.phones[0].cache.insert(item.0, false);
    world.sync(0, 10, Some(Upload::Change { item, change: mark(false) }), Fate::Taken).await;
    world.sync(0, 10, None, Fate::Taken).await;
    world.store.set_state(world.inbox.id, item, mark(true)).await.unwrap();
    world.sync(0, 10, None, Fate::Taken).await;
    assert_eq!(world.phones[0].cache.get(&item.0), Some(&true));
}

#[tokio::test]
async fn a_mark_toggled_back_under_one_key_counts_each_time() {
    let mut world = World::new(1).await;
    world.deliver().await;
    for _ in 0..3 {
        world.sync(0, 10, None, Fate::Taken).await;
    }
    let item = world.some_item().await.unwrap();
    for read in [true, false, true] {
        let change = StateChange { read: Some(read), ..StateChange::default() };
        world.sync(0, 10, Some(Upload::Change { item, change }), Fate::Lost).await;
    }
    assert!(world.live().await[&item.0].1, "the phone was told that it is read");
}

#[tokio::test]
async fn a_second_recall_wakes_a_phone_that_has_not_proven_the_first() {
    let mut world = World::new(1).await;
    for _ in 0..2 {
        world.deliver().await;
    }
    for _ in 0..3 {
        world.sync(0, 10, None, Fate::Taken).await;
    }
    let place = Place { device: world.phones[0].device.id, folder: world.inbox.id };
    world.recalls(1).await;
    world.sync(0, 10, None, Fate::Taken).await;
    let news = world.engine.news(world.mailbox, place).await.unwrap();
    assert_ne!(news, News::Recall, "the Delete is out");
    world.recalls(2).await;
    let news = world.engine.news(world.mailbox, place).await.unwrap();
    assert_eq!(news, News::Recall);
}

#[tokio::test]
async fn a_phone_that_changes_what_it_acknowledged_is_open_again() {
    let mut world = World::new(1).await;
    world.deliver().await;
    for _ in 0..3 {
        world.sync(0, 10, None, Fate::Taken).await;
    }
    let order = world.recalls(1).await;
    for _ in 0..2 {
        world.sync(0, 10, None, Fate::Taken).await;
    }
    let coverage = world.recall.coverage(order).await.unwrap();
    assert_eq!(coverage.states.get("acknowledged"), Some(&1), "{:?}", coverage.states);
    let change = StateChange { read: Some(true), ..StateChange::default() };
    world.sync(0, 10, Some(Upload::Change { item: ItemNumber(1), change }), Fate::Taken).await;
    let coverage = world.recall.coverage(order).await.unwrap();
    assert_eq!(coverage.states.get("acknowledged"), None, "{:?}", coverage.states);
}

#[tokio::test]
async fn what_was_fetched_beside_the_collection_never_reads_acknowledged() {
    use crate::recall::gate::{self, Answer, Content};
    let mut world = World::new(1).await;
    world.deliver().await;
    let item = world.some_item().await.unwrap();
    let (live, _) = world.store.read(world.inbox.id, item).await.unwrap();
    let content = Content {
        mailbox: world.mailbox,
        folder: world.inbox.id,
        item,
        identity: live.identity,
        exposure: Exposure::BODY | Exposure::FETCHED,
    };
    let answer = Answer {
        device: world.phones[0].device.id,
        command: "ItemOperations",
        request: 1,
        bytes: bytes::Bytes::from_static(b"body"),
        contents: [content].into(),
        told: [].into(),
        keys: [].into(),
    };
    let (board, now) = (world.engine.board.clone(), world.clock.now());
    let job = move |tx: &database::Tx<'_>| gate::release(tx, &board, &answer, now).map(drop);
    world.engine.database.write(job).await.unwrap();
    let order = world.recalls(1).await;
    let coverage = world.recall.coverage(order).await.unwrap();
    assert_eq!(coverage.states.get("not_retractable"), Some(&1), "{:?}", coverage.states);
    assert_eq!(coverage.covered, 2);
}

#[tokio::test]
async fn a_mail_the_phone_deleted_is_there_again_after_a_backup_and_is_deleted_again() {
    let mut world = World::new(1).await;
    world.deliver().await;
    for _ in 0..3 {
        world.sync(0, 10, None, Fate::Taken).await;
    }
    let (key, cache) = (world.phones[0].key.clone(), world.phones[0].cache.clone());
    let delete = Upload::Delete { item: ItemNumber(1), trash: None };
    world.sync(0, 10, Some(delete), Fate::Lost).await;
    (world.phones[0].key, world.phones[0].cache) = (key, cache);
    let order = world.recalls(1).await;
    let covered = |world: &World| {
        let recall = world.recall.clone();
        async move { recall.coverage(order).await.unwrap().covered }
    };
    assert_eq!(covered(&world).await, 2, "the phone has it");
    world.sync(0, 10, None, Fate::Taken).await;
    assert!(world.phones[0].cache.is_empty());
    assert_eq!(covered(&world).await, 2, "the key is not presented yet");
    world.sync(0, 10, None, Fate::Taken).await;
    assert_eq!(covered(&world).await, 3);
}

#[tokio::test]
async fn a_phone_is_not_told_to_delete_what_it_deleted_itself() {
    let mut world = World::new(1).await;
    for _ in 0..2 {
        world.deliver().await;
    }
    for _ in 0..3 {
        world.sync(0, 10, None, Fate::Taken).await;
    }
    let order = world.recalls(1).await;
    for item in [1, 2] {
        let delete = Upload::Delete { item: ItemNumber(item), trash: None };
        for fate in [Fate::Lost, Fate::Taken] {
            world.sync(0, 10, Some(delete.clone()), fate).await;
            let told = world.log.last().unwrap();
            assert!(told.contains(" deletes: RoaringBitmap<[]>"), "{told}");
        }
        world.phones[0].cache.remove(&item);
    }
    assert!(!world.sync(0, 10, None, Fate::Taken).await, "nothing is left to say");
    world.check_books().await;
    let coverage = world.recall.coverage(order).await.unwrap();
    assert_eq!(coverage.covered, 3, "{:?}", coverage.states);
}

#[tokio::test]
async fn a_mail_taken_away_with_an_answer_that_was_lost_returns_with_a_wider_filter() {
    let mut world = World::new(1).await;
    world.deliver().await;
    for _ in 0..3 {
        world.sync(0, 10, None, Fate::Taken).await;
    }
    world.clock.advance(std::time::Duration::from_secs(2 * 24 * 60 * 60));
    world.filter = 1;
    // As many lost answers as make the books give the first one up, and one that arrives in part.
    for _ in 0..5 {
        world.sync(0, 10, None, Fate::Lost).await;
        world.deliver().await;
    }
    world.sync(0, 10, None, Fate::Part(1)).await;
    assert_eq!(world.phones[0].cache.len(), 0, "the key is still the old one");
    world.filter = 0;
    world.sync(0, 10, None, Fate::Taken).await;
    assert_eq!(world.phones[0].cache.len(), 6);
    world.sync(0, 10, None, Fate::Taken).await;
    assert!(!world.sync(0, 10, None, Fate::Taken).await, "it is said once");
}

#[tokio::test]
async fn what_a_phone_held_before_it_began_again_is_no_longer_on_the_books() {
    let mut world = World::new(1).await;
    world.deliver().await;
    for _ in 0..3 {
        world.sync(0, 10, None, Fate::Taken).await;
    }
    let place = Place { device: world.phones[0].device.id, folder: world.inbox.id };
    world.store.delete(world.inbox.id, ItemNumber(1)).await.unwrap();
    world.phones[0].key = "0".to_owned();
    world.phones[0].cache.clear();
    world.deliver().await;
    let mut open = Vec::new();
    for _ in 0..3 {
        world.sync(0, 10, None, Fate::Taken).await;
        let look = move |tx: &database::Tx<'_>| ledger::held(tx, place, ItemNumber(1));
        open.push(world.engine.database.read(look).await.unwrap().open);
    }
    assert_eq!(open, [true, true, false], "until a key of the enumeration is presented");
    assert_eq!(world.phones[0].cache.len(), 1);
}

#[tokio::test]
async fn a_phone_that_tidies_up_when_it_has_everything_anew_is_not_covered_by_the_first_page() {
    let mut world = World::new(1).await;
    for _ in 0..3 {
        world.clock.advance(std::time::Duration::from_secs(1));
        world.deliver().await;
    }
    for _ in 0..3 {
        world.sync(0, 10, None, Fate::Taken).await;
    }
    // It begins again and keeps what it has until the enumeration is whole; the newest mail comes first.
    world.phones[0].key = "0".to_owned();
    for _ in 0..3 {
        world.sync(0, 1, None, Fate::Taken).await;
    }
    assert!(world.phones[0].cache.contains_key(&1));
    let order = world.recalls(1).await;
    let coverage = world.recall.coverage(order).await.unwrap();
    assert_eq!(coverage.covered, 2, "no page has come to it: {:?}", coverage.states);
    for _ in 0..3 {
        world.sync(0, 1, None, Fate::Taken).await;
    }
    assert!(!world.phones[0].cache.contains_key(&1), "it got its Delete");
    assert_eq!(world.recall.coverage(order).await.unwrap().covered, 3);
}

#[tokio::test]
async fn a_mail_marked_read_while_its_recall_is_under_way_is_reported_as_read() {
    let mut world = World::new(1).await;
    world.deliver().await;
    for _ in 0..3 {
        world.sync(0, 10, None, Fate::Taken).await;
    }
    let order = world.recalls(1).await;
    let change = StateChange { read: Some(true), ..StateChange::default() };
    for index in [0, 1] {
        let upload = Upload::Change { item: ItemNumber(1), change: change.clone() };
        world.sync(index, 10, Some(upload), Fate::Lost).await;
    }
    let coverage = world.recall.coverage(order).await.unwrap();
    assert_eq!(coverage.read_claimed, 1, "and not where it never was");
}

#[tokio::test]
async fn an_answer_that_a_phone_never_takes_in_grows_shorter() {
    let mut world = World::new(1).await;
    world.deliver().await;
    for _ in 0..3 {
        world.sync(0, 100, None, Fate::Taken).await;
    }
    for _ in 0..40 {
        world.deliver().await;
    }
    let order = world.recalls(1).await;
    let place = Place { device: world.phones[0].device.id, folder: world.inbox.id };
    let mut said = Vec::new();
    for _ in 0..6 {
        world.sync(0, 100, None, Fate::Lost).await;
        let load = move |tx: &database::Tx<'_>| Collection::load(tx, place);
        let collection = world.engine.database.read(load).await.unwrap().unwrap();
        let delta = &collection.in_flight.last().unwrap().delta;
        assert!(delta.retracts.contains(1));
        said.push(delta.deletes.len() + delta.adds.len());
    }
    assert_eq!(said, [41, 41, 25, 25, 25, 1]);
    for _ in 0..3 {
        world.sync(0, 100, None, Fate::Taken).await;
    }
    assert_eq!(world.phones[0].cache.len(), 40, "and as long as ever once it is through");
    assert_eq!(world.recall.coverage(order).await.unwrap().covered, 3);
}

#[tokio::test]
async fn a_phone_that_policy_resyncs_is_told_once_and_covered_when_it_has_begun_anew() {
    let mut world = World::new(1).await;
    for _ in 0..2 {
        world.deliver().await;
    }
    for _ in 0..3 {
        world.sync(0, 10, None, Fate::Taken).await;
    }
    let order = world.recalls(1).await;
    for _ in 0..2 {
        world.sync(0, 10, None, Fate::Lost).await;
    }
    let (device, folder, now) = (world.phones[0].device.id, world.inbox.id, world.clock.now());
    let job = move |tx: &database::Tx<'_>| {
        crate::recall::retraction::resync_ordered(tx, device, folder, now)
    };
    world.engine.database.write(job).await.unwrap();
    let news = world.engine.news(world.mailbox, Place { device, folder }).await.unwrap();
    assert_eq!(news, News::Recall, "it is woken for it");
    for _ in 0..4 {
        world.sync(0, 10, None, Fate::Taken).await;
    }
    let told = world.log.iter().filter(|line| line.contains("anew")).count();
    assert_eq!((told, world.phones[0].cache.len()), (1, 1));
    let coverage = world.recall.coverage(order).await.unwrap();
    assert_eq!(coverage.states.get("resynced"), Some(&1), "{:?}", coverage.states);
}
