//! Cancelling: everything comes back as it was, once.

use std::sync::Arc;

use super::*;
use crate::delivery;

#[tokio::test]
async fn copies_come_back_with_flags_folder_and_date_under_new_numbers_exactly_once() {
    let house = House::new().await;
    let raw = mail("m", "fine after all");
    let inbox = house.delivers(2, FolderKind::Inbox, &raw).await;
    let junk = house.delivers(2, FolderKind::Junk, &raw).await;
    let before = house.store.items(inbox.0, &[inbox.1]).await.unwrap()[0].clone();
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    assert!(house.live("m").await.is_empty());
    house.recall.cancel(order, admin("root")).await.unwrap();
    let house = house.crashes();
    house.recall.work_off().await.unwrap();
    let house = house.crashes();
    house.recall.work_off().await.unwrap();
    house.recall.cancel(order, admin("root")).await.unwrap();
    house.recall.work_off().await.unwrap();
    let live = house.live("m").await;
    assert_eq!(live.len(), 2, "once each");
    assert!(live.iter().any(|(_, folder, item)| *folder == inbox.0.0 && *item > inbox.1.0));
    assert!(live.iter().any(|(_, folder, _)| *folder == junk.0.0));
    let now = live.iter().find(|(_, folder, _)| *folder == inbox.0.0).unwrap();
    let (item, octets) = house.store.read(inbox.0, ItemNumber(now.2)).await.unwrap();
    assert_eq!(octets, raw);
    assert_eq!(
        (item.received, item.read, &item.flag, &item.categories),
        (before.received, before.read, &before.flag, &before.categories)
    );
    let coverage = house.recall.coverage(order).await.unwrap();
    assert_eq!((coverage.sealed, coverage.restored), (2, 2));
    assert_eq!(coverage.order.state, "cancelled");
    assert_eq!(house.audited(order, "copy.restored"), 2);
}

#[tokio::test]
async fn two_orders_over_one_copy_need_two_cancellations() {
    let house = House::new().await;
    house.delivers(2, FolderKind::Inbox, &mail("m", "x")).await;
    let first = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    let second = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    let fenced = |house: &House| {
        house.write(|tx| {
            let identity = message::with_message_id(tx, "m@a.example", 9)?[0];
            covers(tx, identity, MailboxId(2), START)
        })
    };
    house.recall.cancel(first, admin("root")).await.unwrap();
    house.recall.work_off().await.unwrap();
    assert_eq!(fenced(&house), Some(second));
    assert!(house.live("m").await.is_empty());
    house.recall.cancel(second, admin("root")).await.unwrap();
    house.recall.work_off().await.unwrap();
    assert_eq!(fenced(&house), None);
    assert_eq!(house.live("m").await.len(), 1);
}

/// Each order's report counts the copies it covers, whichever of them had the copy sealed.
#[tokio::test]
async fn both_of_two_orders_count_the_copy_that_one_of_them_sealed() {
    let house = House::new().await;
    house.delivers(2, FolderKind::Inbox, &mail("m", "x")).await;
    let first = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    let second = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    house.clock.advance(Duration::from_secs(1));
    for order in [first, second] {
        house.recall.cancel(order, admin("root")).await.unwrap();
        house.recall.work_off().await.unwrap();
    }
    for order in [first, second] {
        let coverage = house.recall.coverage(order).await.unwrap();
        assert_eq!((coverage.sealed, coverage.restored), (1, 1), "{order}");
    }
    let third = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    let coverage = house.recall.coverage(third).await.unwrap();
    assert_eq!((coverage.sealed, coverage.restored), (1, 0), "what others restored is not its own");
}

/// The mail waited in the outbox: nobody abroad was sent anything, and the report does not say they have it.
#[tokio::test]
async fn a_mail_withdrawn_from_the_outbox_never_reached_anybody_abroad() {
    let house = House::new().await;
    let directory =
        Directory::new(house.db.clone(), house.clock.clone(), Settings::quick()).unwrap();
    let postman = delivery::Postman::new(house.store.clone(), directory, "mx.a.example");
    let outbox = delivery::Outbox::new(postman, None, delivery::OutboxSettings::default());
    let submission = delivery::Submission {
        user: UserId(1),
        client: None,
        sender: "ann@a.example".to_owned(),
        raw: mail("m", "x"),
        recipients: vec!["Far@elsewhere.example".to_owned(), "blind@elsewhere.example".to_owned()],
        save_in_sent: true,
        judge: None,
    };
    let sent = outbox.submit(submission).await.unwrap().outbox;
    let order = house.orders("m").await;
    let before = house.recall.coverage(order).await.unwrap();
    assert!(before.percent < Some(100.0), "who is outside has not been listed: {before:?}");
    house.recall.work_off().await.unwrap();
    let coverage = house.recall.coverage(order).await.unwrap();
    assert_eq!((coverage.covered, coverage.pairs), (2, 2), "{coverage:?}");
    let results = coverage.recipients.iter().filter(|r| r.verdict.is_none());
    assert!(results.clone().all(|r| r.result == RecipientResult::NotReached));
    assert_eq!(results.count(), 2, "the blind copy too");
    house.recall.cancel(order, admin("root")).await.unwrap();
    let states = outbox.states(sent).await.unwrap();
    assert!(states.iter().all(|to| to.state == "waiting"), "{states:?}");
    assert_eq!(house.audited(order, "order.resumed_outgoing"), 1);
}

/// It was sent after the order, which stood for its Message-ID: it does not leave, and is not lost.
#[tokio::test]
async fn a_mail_that_came_after_its_recall_leaves_when_the_order_is_cancelled() {
    let house = House::new().await;
    house.delivers(2, FolderKind::Inbox, &mail("m", "x")).await;
    let order = house.orders("m").await;
    let directory =
        Directory::new(house.db.clone(), house.clock.clone(), Settings::quick()).unwrap();
    let postman = delivery::Postman::new(house.store.clone(), directory, "mx.a.example");
    let relay = delivery::Relay::by_hand(Arc::new(|_, recipients, _| {
        vec![delivery::Offer::Taken("250 2.0.0 ok".to_owned()); recipients.len()]
    }));
    let outbox = delivery::Outbox::new(postman, Some(relay), delivery::OutboxSettings::default())
        .withheld_by(withholds);
    let submission = delivery::Submission {
        user: UserId(1),
        client: None,
        sender: "ann@a.example".to_owned(),
        raw: mail("m", "other words"),
        recipients: vec!["far@elsewhere.example".to_owned()],
        save_in_sent: false,
        judge: None,
    };
    let sent = outbox.submit(submission).await.unwrap().outbox;
    let state = async || outbox.states(sent).await.unwrap()[0].state.clone();
    outbox.run_due().await.unwrap();
    assert_eq!(state().await, "withdrawn");
    house.recall.work_off().await.unwrap();
    house.recall.cancel(order, admin("root")).await.unwrap();
    outbox.run_due().await.unwrap();
    assert_eq!(state().await, "relayed");
}

#[tokio::test]
async fn a_cancellation_before_the_worker_came_gives_phones_a_new_item() {
    let house = House::new().await;
    let at = house.delivers(2, FolderKind::Inbox, &mail("m", "x")).await;
    let order = house.orders("m").await;
    house.recall.cancel(order, admin("root")).await.unwrap();
    house.recall.work_off().await.unwrap();
    let live = house.live("m").await;
    assert_eq!(live.len(), 1);
    assert!(live[0].2 > at.1.0, "phones have passed over the old one");
}

#[tokio::test]
async fn a_cancelled_copy_is_owed_no_delete_and_does_not_stand() {
    let house = House::new().await;
    let at = house.delivers(2, FolderKind::Inbox, &mail("m", "x")).await;
    let phone = house.phone(2, "p");
    house.holds(phone, 2, at, whole());
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    house.recall.cancel(order, admin("root")).await.unwrap();
    house.recall.work_off().await.unwrap();
    assert!(house.due(phone, at.0).is_empty());
    assert_eq!(house.states(order).await, [(phone, State::Cancelled)]);
    house.delivers(3, FolderKind::Inbox, &mail("m", "x")).await;
    house.recall.work_off().await.unwrap();
    assert_eq!(house.live("m").await.len(), 2);
}

#[tokio::test]
async fn a_late_copy_under_two_orders_goes_though_the_first_is_cancelled_before_the_worker_comes() {
    let house = House::new().await;
    let raw = mail("m", "x");
    house.delivers(2, FolderKind::Inbox, &raw).await;
    let first = house.orders("m").await;
    house.orders("m").await;
    house.recall.work_off().await.unwrap();
    assert!(house.live("m").await.is_empty());
    house.delivers(2, FolderKind::Inbox, &raw).await;
    house.recall.cancel(first, admin("root")).await.unwrap();
    house.recall.work_off().await.unwrap();
    assert!(house.live("m").await.is_empty(), "the second order covers it");
}
