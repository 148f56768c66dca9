//! From the fence to the acknowledgement: devices, evidence, silence, the report.

use super::retraction::{Closed, Evidence, Proof};
use super::*;
use crate::database::GAP_PENDING;
use crate::ledger::holding;

/// Ann's mail lies with Bob and Cam; Bob's phone has it, Cam's does not.
pub(super) async fn story() -> (House, DeviceId, DeviceId, (FolderId, ItemNumber)) {
    let house = House::new().await;
    let raw = mail("m", "oops");
    house.delivers(1, FolderKind::SentItems, &raw).await;
    let at = house.delivers(2, FolderKind::Inbox, &raw).await;
    house.delivers(3, FolderKind::Inbox, &raw).await;
    let (bobs, cams) = (house.phone(2, "bobs"), house.phone(3, "cams"));
    house.holds(bobs, 2, at, whole());
    (house, bobs, cams, at)
}

#[tokio::test]
async fn one_phone_never_had_it_and_the_other_lets_go() {
    let (house, bobs, cams, at) = story().await;
    house.clock.advance(Duration::from_secs(1));
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    assert_eq!(house.states(order).await, [(bobs, State::Queued), (cams, State::Prevented)]);
    assert_eq!(house.due(bobs, at.0), [at.1]);
    assert_eq!(house.live("m").await.len(), 1, "out of every mailbox but the sender's");
    house.clock.advance(Duration::from_millis(40));
    house.sent(bobs, at, 7);
    assert_eq!(house.due(bobs, at.0), [at.1], "until it is proven");
    assert!(!house.recall.coverage(order).await.unwrap().is_settled);
    house.clock.advance(Duration::from_millis(60));
    house.proven(bobs, at, 7);
    assert!(house.due(bobs, at.0).is_empty());
    let coverage = house.recall.wait_settled(order, Duration::ZERO).await.unwrap();
    assert!(coverage.is_settled);
    assert_eq!((coverage.pairs, coverage.covered, coverage.percent), (3, 2, Some(66.6)));
    assert_eq!((coverage.sealed, coverage.restored), (2, 0));
    assert_eq!((coverage.to_50_percent_ms, coverage.to_100_percent_ms), (Some(100), None));
    assert_eq!(
        coverage.sender_line,
        "1 of 3 recipients' phones never received it, 1 acknowledged removal, 1 cannot be recalled"
    );
    let pair = &coverage.devices[0];
    assert_eq!((pair.delete_key, pair.acknowledged_key), (Some(7), Some(7)));
    assert_eq!((pair.exposure.as_str(), pair.evidence), ("H B", Grade::ClientClaimed));
    assert_eq!(house.audited(order, "retraction"), 4, "two first states, sent, acknowledged");
    assert_eq!(house.audited(order, "copy.sealed"), 2);
}

#[tokio::test]
async fn acknowledged_is_not_had_for_another_branch_and_is_taken_back() {
    let (house, bobs, _, at) = story().await;
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    house.proven(bobs, at, 9);
    assert_eq!(house.states(order).await[0].1, State::Queued, "no Delete was sent");
    house.sent(bobs, at, 7);
    house.proven(bobs, at, 6);
    assert_eq!(house.states(order).await[0].1, State::Sent, "an older key");
    let now = house.clock.now();
    house.write(move |tx| {
        let unproven = [at.1];
        let proof = Proof { seq: 6, unproven: &unproven, ..Proof::default() };
        retraction::proven(tx, bobs, at.0, proof, now)
    });
    assert_eq!(house.states(order).await[0].1, State::Queued, "a sibling without the Delete");
    house.proven(bobs, at, 8);
    assert_eq!(house.states(order).await[0].1, State::Queued, "what was dropped proves nothing");
    house.sent(bobs, at, 9);
    house.proven(bobs, at, 12);
    assert_eq!(house.states(order).await[0].1, State::Acknowledged, "a key that descends from it");
    house.write(move |tx| retraction::regressed(tx, bobs, at.0, now));
    let pair = house.recall.coverage(order).await.unwrap().devices[0].clone();
    assert_eq!((pair.state, pair.reason), (State::Queued, Some(ReasonCode::StateRestored)));
    assert_eq!(pair.acknowledged_at, None);
}

#[tokio::test]
async fn a_silent_phone_is_said_to_be_silent_and_takes_the_work_up_when_it_returns() {
    let (house, bobs, _, at) = story().await;
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    house.sent(bobs, at, 7);
    house.recall.sweep().await.unwrap();
    assert_eq!(house.states(order).await[0].1, State::Sent);
    house.clock.advance(Duration::from_hours(25));
    house.recall.sweep().await.unwrap();
    let pair = house.recall.coverage(order).await.unwrap().devices[0].clone();
    assert_eq!((pair.state, pair.reason), (State::Silent, Some(ReasonCode::ClientSilent)));
    assert_eq!(house.due(bobs, at.0), [at.1], "still owed");
    house.proven(bobs, at, 7);
    let pair = house.recall.coverage(order).await.unwrap().devices[0].clone();
    assert_eq!((pair.state, pair.reason), (State::Acknowledged, None));
}

#[tokio::test]
async fn a_phone_that_never_returns_is_given_up_and_reopens() {
    let (house, bobs, _, at) = story().await;
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    house.clock.advance(Duration::from_hours(24 * 91));
    house.recall.sweep().await.unwrap();
    assert_eq!(house.states(order).await[0].1, State::Unreachable);
    house.sent(bobs, at, 3);
    assert_eq!(house.states(order).await[0].1, State::Sent);
}

#[tokio::test]
async fn what_the_phone_had_deleted_before_counts_and_says_so() {
    let (house, bobs, _, at) = story().await;
    house.write(move |tx| {
        let place = Place { device: bobs, folder: at.0 };
        holding::remove(tx, place, holding::Kind::Held, &RoaringBitmap::from_iter([at.1.0]))
    });
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    let pair = house.recall.coverage(order).await.unwrap().devices[0].clone();
    assert_eq!((pair.state, pair.reason), (State::Acknowledged, Some(ReasonCode::RemovedEarlier)));
}

#[tokio::test]
async fn a_phone_with_a_gap_is_never_called_never_exposed() {
    let (house, bobs, cams, _) = story().await;
    house.write(device::gap_everywhere);
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    assert_eq!(house.states(order).await, [(bobs, State::Queued), (cams, State::Queued)]);
    let pair = house.recall.coverage(order).await.unwrap().devices[1].clone();
    assert_eq!((pair.exposure.as_str(), pair.reason), ("gap", Some(ReasonCode::LedgerGap)));
}

#[tokio::test]
async fn a_phone_with_a_gap_is_not_owed_what_lies_where_no_phone_looks() {
    let house = House::new().await;
    house.delivers(2, FolderKind::Outbox, &mail("m", "x")).await;
    let bobs = house.phone(2, "bob1");
    house.write(device::gap_everywhere);
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    assert!(house.states(order).await.contains(&(bobs, State::NotRetractable)));
}

#[tokio::test]
async fn a_phone_with_a_gap_is_owed_the_copy_its_books_lack_beside_the_one_they_have() {
    let (house, bobs, _, at) = story().await;
    let other = house.delivers(2, FolderKind::DeletedItems, &mail("m", "oops")).await;
    house.write(device::gap_everywhere);
    house.orders("m").await;
    house.recall.work_off().await.unwrap();
    assert_eq!((house.due(bobs, at.0), house.due(bobs, other.0)), (vec![at.1], vec![other.1]));
}

#[tokio::test]
async fn what_the_books_had_found_gone_is_open_again_once_they_have_a_gap() {
    let (house, bobs, _, at) = story().await;
    house.write(move |tx| {
        let place = Place { device: bobs, folder: at.0 };
        holding::remove(tx, place, holding::Kind::Held, &RoaringBitmap::from_iter([at.1.0]))
    });
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    assert!(house.states(order).await.contains(&(bobs, State::Acknowledged)));
    house.write(move |tx| retraction::existed_before(tx, bobs, START));
    assert!(house.states(order).await.contains(&(bobs, State::Queued)));
    assert_eq!(house.due(bobs, at.0), [at.1]);
}

#[tokio::test]
async fn a_phone_that_had_it_forwarded_and_was_never_given_it_acknowledged_nothing() {
    let (house, _, cams, _) = story().await;
    let inbox = house.folder(3, FolderKind::Inbox).await.id;
    house.write(move |tx| {
        let copies = in_tx::copies_by_message_id(tx, "m@a.example")?;
        let copy = copies.into_iter().find(|copy| copy.folder == inbox).unwrap();
        let (place, item) = (Place { device: cams, folder: inbox }, copy.item.0);
        ledger::note_copy(
            tx,
            ledger::Copy {
                identity: copy.identity,
                mailbox: copy.mailbox,
                folder: inbox,
                item: copy.item,
            },
        )?;
        holding::expose(tx, place, Exposure::ACTED, &RoaringBitmap::from_iter([item]))
    });
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    assert!(house.states(order).await.contains(&(cams, State::NotRetractable)));
}

#[tokio::test]
async fn a_search_copy_stays_in_the_report_whatever_the_delete_did() {
    let (house, bobs, _, at) = story().await;
    house.holds(bobs, 2, at, Exposure::SEARCHED | Exposure::READ_CLAIMED | Exposure::ACTED);
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    house.sent(bobs, at, 7);
    house.proven(bobs, at, 7);
    let coverage = house.recall.coverage(order).await.unwrap();
    let pair = &coverage.devices[0];
    assert_eq!((pair.state, pair.copies), (State::NotRetractable, 2));
    assert_eq!(pair.reason, Some(ReasonCode::SearchCopy));
    assert_eq!((coverage.read_claimed, coverage.acted), (1, 1), "no percentage hides them");
    assert_eq!(coverage.covered, 1, "only Cam's phone");
}

#[tokio::test]
async fn evidence_of_other_kinds_moves_a_copy_too() {
    let (house, bobs, _, at) = story().await;
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    let now = house.clock.now();
    house.sent(bobs, at, 7);
    for _ in 0..3 {
        house.write(move |tx| retraction::replayed(tx, bobs, at.0, now));
    }
    let pair = house.recall.coverage(order).await.unwrap().devices[0].clone();
    assert_eq!((pair.replays, pair.reason), (3, Some(ReasonCode::ClientReplays)));
    house.write(move |tx| {
        let dropped = retraction::Evidence::CollectionDropped;
        retraction::about_device(tx, bobs, dropped, None, now)
    });
    assert_eq!(house.states(order).await[0].1, State::Unsynced);
    house.write(move |tx| {
        let blocked = retraction::Evidence::AccessBlocked;
        retraction::about_device(tx, bobs, blocked, None, now)
    });
    assert_eq!(house.states(order).await[0].1, State::Blocked);
    let closed = Closed::DeletedByDevice;
    house.write(move |tx| retraction::closed(tx, bobs, at.0, at.1, closed, now));
    assert_eq!(house.states(order).await[0].1, State::Acknowledged);
}

#[tokio::test]
async fn what_a_crash_interrupted_is_taken_up() {
    let (house, bobs, _, at) = story().await;
    let order = house.orders("m").await;
    let house = house.crashes();
    let covered = house.write(move |tx| {
        let identity = message::with_message_id(tx, "m@a.example", 9)?[0];
        covers(tx, identity, MailboxId(2), START)
    });
    assert_eq!(covered, Some(order), "the fence was committed");
    assert_eq!(house.recall.coverage(order).await.unwrap().pending, 2);
    house.recall.work_off().await.unwrap();
    let house = house.crashes();
    house.recall.work_off().await.unwrap();
    assert_eq!(house.due(bobs, at.0), [at.1]);
    assert_eq!(house.audited(order, "copy.sealed"), 2, "once");
    assert_eq!(house.live("m").await.len(), 1);
}

#[tokio::test]
async fn prevented_is_taken_back_when_the_books_were_rolled_back() {
    let (house, bobs, cams, at) = story().await;
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    house.sent(bobs, at, 7);
    house.write(|tx| {
        device::gap_everywhere(tx)?;
        crate::database::set_meta(tx, GAP_PENDING, "2")
    });
    let coverage = house.recall.coverage(order).await.unwrap();
    assert_eq!((coverage.covered, coverage.devices[1].state), (0, State::NotRetractable));
    house.recall.work_off().await.unwrap();
    let states = house.states(order).await;
    assert_eq!(states, [(bobs, State::Sent), (cams, State::NotRetractable)]);
    assert_eq!(house.write(|tx| crate::database::meta(tx, GAP_PENDING)), None);
}

#[tokio::test]
async fn books_with_a_gap_do_not_say_that_a_copy_is_gone() {
    let (house, bobs, _, at) = story().await;
    house.write(move |tx| {
        let place = Place { device: bobs, folder: at.0 };
        holding::remove(tx, place, holding::Kind::Held, &RoaringBitmap::from_iter([at.1.0]))?;
        device::gap_everywhere(tx)
    });
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    assert_eq!(house.states(order).await[0], (bobs, State::Queued));
}

#[tokio::test]
async fn every_change_of_state_of_a_silent_phone_is_audited() {
    let (house, bobs, _, at) = story().await;
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    house.sent(bobs, at, 7);
    house.clock.advance(Duration::from_hours(25));
    house.recall.sweep().await.unwrap();
    let before = house.audited(order, "retraction");
    house.sent(bobs, at, 8);
    assert_eq!(house.states(order).await[0], (bobs, State::Sent));
    assert_eq!(house.audited(order, "retraction"), before + 1, "silent to sent");
}

#[tokio::test]
async fn the_report_of_a_blocked_phone_does_not_say_waiting() {
    let (mut house, bob, _, _) = story().await;
    let earlier = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    house.recall = house.recall.clone().barred_by(|_, _| Ok(true));
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    assert!(house.states(order).await.contains(&(bob, State::Blocked)));
    let before = house.states(earlier).await;
    assert!(
        before.contains(&(bob, State::Queued)),
        "what the block itself has not moved: {before:?}"
    );
    house.write(move |tx| retraction::let_in(tx, bob, START));
    assert!(house.states(order).await.contains(&(bob, State::Queued)));
}

#[tokio::test]
async fn a_wipe_that_was_called_off_leaves_the_delete_owed() {
    let (house, bob, _, at) = story().await;
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    house.hears(bob, Evidence::WipeAsked { second_person: true });
    house.hears(bob, Evidence::WipeSignal);
    assert!(house.due(bob, at.0).is_empty());
    house.hears(bob, Evidence::WipeCalledOff);
    assert_eq!(house.due(bob, at.0), [at.1]);
    assert!(house.states(order).await.contains(&(bob, State::Queued)));
}

/// A phone that says that it cannot wipe itself is sent the directive again at once; whoever gives up then has the Delete sent.
#[tokio::test]
async fn a_wipe_that_a_phone_cannot_do_is_called_off_and_the_delete_is_owed() {
    let (house, bob, _, at) = story().await;
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    house.hears(bob, Evidence::WipeAsked { second_person: true });
    house.hears(bob, Evidence::WipeSignal);
    house.hears(bob, Evidence::WipeDirective);
    house.hears(bob, Evidence::WipeFailed);
    house.hears(bob, Evidence::WipeDirective);
    assert!(house.due(bob, at.0).is_empty());
    house.hears(bob, Evidence::WipeCalledOff);
    assert_eq!(house.due(bob, at.0), [at.1]);
    assert!(house.states(order).await.contains(&(bob, State::Queued)));
}

#[tokio::test]
async fn a_blocked_phone_that_knocks_is_still_blocked() {
    let (house, bob, _, _) = story().await;
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    let state = async || house.states(order).await[0].1;
    house.hears(bob, Evidence::NoContact);
    house.write(move |tx| retraction::heard(tx, bob, START));
    assert_eq!(state().await, State::Queued);
    house.hears(bob, Evidence::AccessBlocked);
    house.write(move |tx| retraction::heard(tx, bob, START));
    assert_eq!(state().await, State::Blocked);
}

/// The person empties the folder between the fence and the vault: a cancelled order has the message to put back all the same.
#[tokio::test]
async fn a_folder_emptied_or_deleted_under_an_order_keeps_what_it_covers() {
    let house = House::new().await;
    let raw = mail("m", "oops");
    let (inbox, _) = house.delivers(2, FolderKind::Inbox, &raw).await;
    house.delivers(2, FolderKind::Inbox, &mail("other", "fine")).await;
    let root = crate::ids::CollectionNumber(0);
    let own = house.store.create_folder(MailboxId(2), root, "Own").await.unwrap();
    let arrival = Arrival { received: house.clock.now(), ..Arrival::default() };
    house.store.append(own.id, raw.clone(), arrival).await.unwrap();
    let order = house.orders("m").await;
    // Nothing was carried out yet.
    house.store.empty(inbox, false).await.unwrap();
    house.store.delete_folder(own.id).await.unwrap();
    assert!(house.live("m").await.is_empty() && house.live("other").await.is_empty());
    assert_eq!(house.audited(order, "copy.sealed"), 2);
    house.recall.work_off().await.unwrap();
    house.recall.cancel(order, admin("root")).await.unwrap();
    house.recall.work_off().await.unwrap();
    assert_eq!(house.live("m").await.len(), 2, "both copies are back");
    assert!(house.live("other").await.is_empty(), "and nothing else");
}
