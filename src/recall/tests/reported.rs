//! What an admin reads in the report, and that it is true.

use super::*;
use crate::ids::IdentityId;
use crate::ledger::holding;
use crate::params;

const DELIVERED: Timestamp = Timestamp(START.0 - 60_000);

async fn report(house: &House, order: OrderId) -> Coverage {
    house.recall.coverage(order).await.unwrap()
}

#[tokio::test]
async fn t0_of_a_mail_that_was_deleted_for_good_is_when_it_came_and_not_never() {
    let house = House::new().await;
    let raw = mail("m", "oops");
    let at = house.delivers(2, FolderKind::Inbox, &raw).await;
    let bobs = house.phone(2, "bobs");
    house.holds(bobs, 2, at, whole());
    house.store.empty(at.0, false).await.unwrap();
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    let coverage = report(&house, order).await;
    assert_eq!(coverage.order.delivered_at, Some(DELIVERED));
    let bob = &coverage.recipients[0];
    assert_eq!((bob.recipient.as_str(), bob.delivered_at), ("bob@a.example", Some(DELIVERED)));
}

#[tokio::test]
async fn t0_is_not_the_time_of_the_senders_own_copy_unless_that_is_recalled_too() {
    let house = House::new().await;
    let raw = mail("m", "oops");
    house.delivers(1, FolderKind::SentItems, &raw).await;
    let order = house.orders("m").await;
    let with_own = OrderRequest { include_sender: true, ..asks("m") };
    let wide = house.recall.order(with_own, admin("root"), None).await.unwrap();
    assert_eq!(report(&house, order).await.order.delivered_at, None);
    assert_eq!(report(&house, wide).await.order.delivered_at, Some(DELIVERED));
}

#[tokio::test]
async fn t0_is_not_the_senders_own_copy_of_a_mail_that_was_recalled_before_it_was_sent() {
    let house = House::new().await;
    let order = house.orders("m").await;
    let sent = house.folder(1, FolderKind::SentItems).await;
    let inbox = house.folder(2, FolderKind::Inbox).await;
    for (folder, at) in [(sent.id, START.0 + 1_000), (inbox.id, START.0 + 2_000)] {
        let arrival = Arrival { received: Timestamp(at), ..Arrival::default() };
        house.store.append(folder, mail("m", "x"), arrival).await.unwrap();
    }
    house.recall.work_off().await.unwrap();
    let coverage = report(&house, order).await;
    assert_eq!(coverage.order.delivered_at, Some(Timestamp(START.0 + 2_000)));
}

#[tokio::test]
async fn a_sender_is_not_said_to_have_been_delivered_the_own_copy() {
    let house = House::new().await;
    let raw = mail("m", "x");
    house.delivers(1, FolderKind::SentItems, &raw).await;
    house.delivers(2, FolderKind::Inbox, &raw).await;
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    let coverage = report(&house, order).await;
    let of = |who: &str| coverage.recipients.iter().find(|view| view.recipient == who).unwrap();
    assert_eq!(of("ann@a.example").delivered_at, None);
    assert_eq!(of("bob@a.example").delivered_at, Some(DELIVERED));
}

#[tokio::test]
async fn t0_of_a_mail_that_arrives_after_the_order_is_its_arrival() {
    let house = House::new().await;
    let order = house.orders("m").await;
    house.delivers(2, FolderKind::Inbox, &mail("m", "x")).await;
    house.recall.work_off().await.unwrap();
    assert_eq!(report(&house, order).await.order.delivered_at, Some(DELIVERED));
    assert_eq!(house.recall.show(order).await.unwrap().delivered_at, Some(DELIVERED));
}

#[tokio::test]
async fn a_message_id_that_nobody_has_met_has_no_percentage() {
    let house = House::new().await;
    let order = house.orders("mistyped").await;
    house.recall.work_off().await.unwrap();
    let coverage = report(&house, order).await;
    assert_eq!((coverage.pairs, coverage.percent, coverage.is_met), (0, None, false));
    let words = "No message with this Message-ID has been met; the order stands until ";
    assert!(coverage.sender_line.starts_with(words), "{}", coverage.sender_line);
}

#[tokio::test]
async fn a_removal_that_fails_is_shown_and_the_order_is_not_settled() {
    let house = House::new().await;
    let at = house.delivers(2, FolderKind::Inbox, &mail("m", "x")).await;
    let order = house.orders("m").await;
    // The vault has something else at that place: the copy cannot be sealed, so it is not removed.
    block_the_vault(&house, at, order);
    house.recall.work_off().await.unwrap();
    let coverage = report(&house, order).await;
    assert_eq!((coverage.to_remove, coverage.is_settled), (1, false));
    let wait = &coverage.store_waits[0];
    assert_eq!((wait.recipient.as_str(), wait.work, wait.tries), ("bob@a.example", "remove", 1));
    assert_eq!(wait.reason, Some(ReasonCode::StoreCannotRemove));
    assert!(wait.next_try_at > house.clock.now());
    assert_eq!(coverage.recipients[0].reasons, [ReasonCode::StoreCannotRemove]);
    assert_eq!(house.live("m").await.len(), 1);
    house.write(|tx| tx.execute("DELETE FROM vault", params![]));
    house.clock.advance(Duration::from_secs(10));
    house.recall.work_off().await.unwrap();
    let coverage = report(&house, order).await;
    assert!(coverage.is_settled && coverage.store_waits.is_empty() && coverage.to_remove == 0);
    assert!(house.live("m").await.is_empty());
}

fn block_the_vault(house: &House, at: (FolderId, ItemNumber), order: OrderId) {
    house.write(move |tx| {
        let sql = "INSERT INTO vault (folder_id, item, mailbox_id, identity_id, order_id, body_hash, size, received_at, kept, \
            sealed_at) VALUES (?1, ?2, 9, 9, ?3, x'00', 0, 0, '', 0)";
        tx.execute(sql, params![at.0, at.1, order])
    });
}

#[tokio::test]
async fn a_cancelled_order_is_settled_once_its_copies_are_back() {
    let house = House::new().await;
    house.delivers(2, FolderKind::Inbox, &mail("m", "x")).await;
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    house.recall.cancel(order, admin("root")).await.unwrap();
    let coverage = report(&house, order).await;
    assert_eq!((coverage.to_restore, coverage.restored, coverage.is_settled), (1, 0, false));
    house.recall.work_off().await.unwrap();
    let coverage = report(&house, order).await;
    assert_eq!((coverage.to_restore, coverage.restored, coverage.is_settled), (0, 1, true));
}

#[tokio::test]
async fn that_a_file_may_have_been_saved_stands_beside_whatever_became_of_the_mail() {
    let house = House::new().await;
    let at = house.delivers(2, FolderKind::Inbox, &mail("m", "x")).await;
    let bobs = house.phone(2, "bobs");
    house.holds(bobs, 2, at, whole() | Exposure::ATTACHMENT);
    house.write(move |tx| {
        let place = Place { device: bobs, folder: at.0 };
        holding::remove(tx, place, Kind::Held, &RoaringBitmap::from_iter([at.1.0]))
    });
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    let pair = report(&house, order).await.devices[0].clone();
    let both = [ReasonCode::RemovedEarlier, ReasonCode::AttachmentSavedPossible];
    assert_eq!((pair.reason, pair.reasons.as_slice()), (Some(both[0]), both.as_slice()));
    // What was on the books before the order cannot be lost by a state that came back.
    let now = house.clock.now();
    house.write(move |tx| retraction::regressed(tx, bobs, at.0, now));
    let pair = report(&house, order).await.devices[0].clone();
    let both = [ReasonCode::StateRestored, ReasonCode::AttachmentSavedPossible];
    assert_eq!(pair.reasons, both);
}

#[tokio::test]
async fn what_a_phone_had_let_go_of_before_does_not_make_the_recall_look_fast() {
    let house = House::new().await;
    let raw = mail("m", "x");
    let (bob, cam) = (
        house.delivers(2, FolderKind::Inbox, &raw).await,
        house.delivers(3, FolderKind::Inbox, &raw).await,
    );
    let (bobs, cams) = (house.phone(2, "bobs"), house.phone(3, "cams"));
    house.holds(bobs, 2, bob, whole());
    house.holds(cams, 3, cam, whole());
    house.write(move |tx| {
        let place = Place { device: bobs, folder: bob.0 };
        holding::remove(tx, place, Kind::Held, &RoaringBitmap::from_iter([bob.1.0]))
    });
    let order = house.orders("m").await;
    house.clock.advance(Duration::from_secs(5));
    house.recall.work_off().await.unwrap();
    let coverage = report(&house, order).await;
    assert_eq!((coverage.covered, coverage.removed_earlier), (1, 1));
    assert_eq!(coverage.devices[0].acknowledged_at, None, "not the time we looked");
    assert_eq!(coverage.to_50_percent_ms, None, "Cam's phone and Far are still to come");
    house.sent(cams, cam, 7);
    house.clock.advance(Duration::from_secs(5));
    house.proven(cams, cam, 7);
    assert_eq!(report(&house, order).await.to_50_percent_ms, Some(10_000));
}

#[tokio::test]
async fn a_recipient_outside_says_why() {
    let house = House::new().await;
    house.delivers(2, FolderKind::Inbox, &mail("m", "x")).await;
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    let coverage = report(&house, order).await;
    let far = coverage.recipients.iter().find(|view| view.recipient == "far@elsewhere.example");
    let both = [ReasonCode::External, ReasonCode::NotViaGateway];
    assert_eq!(far.unwrap().reasons, both, "it took another road");
}

#[tokio::test]
async fn the_header_names_message_size_and_how_the_orderer_had_signed_in() {
    let house = House::new().await;
    let raw = mail("m", "x");
    house.delivers(2, FolderKind::Inbox, &raw).await;
    let by = Actor::Token("ci".to_owned());
    let order = house.recall.order(asks("m"), by, None).await.unwrap();
    house.recall.work_off().await.unwrap();
    let coverage = report(&house, order).await;
    assert_eq!(coverage.order.signed_in, "the bearer token ci");
    let message = &coverage.messages[0];
    assert_eq!(message.size, Some(raw.len() as u64), "of the sealed copy");
    let run = house.recall.dry_run(asks("m"), admin("root")).await.unwrap();
    assert_eq!(message.hash, run.bodies[0].body, "by which an order can name it");
    assert_ne!(message.identity, IdentityId(0));
}

#[tokio::test]
async fn a_wipe_that_failed_says_so() {
    let house = House::new().await;
    let at = house.delivers(2, FolderKind::Inbox, &mail("m", "x")).await;
    let bobs = house.phone(2, "bobs");
    house.holds(bobs, 2, at, whole());
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    use retraction::Evidence::{WipeAsked, WipeDirective, WipeFailed, WipeSignal};
    for evidence in [WipeAsked { second_person: true }, WipeSignal, WipeDirective, WipeFailed] {
        house.write(move |tx| retraction::about_device(tx, bobs, evidence, None, START));
    }
    assert_eq!(report(&house, order).await.devices[0].reasons, [ReasonCode::WipeRefused]);
}
