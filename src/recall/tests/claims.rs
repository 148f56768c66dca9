//! What a report may not claim: acknowledgements nobody earned, and copies that waited for nothing.

use super::carried_out::story;
use super::retraction::Evidence;
use super::*;
use crate::database::GAP_PENDING;

/// Cam's phone never had it, as far as the books went; then they lost some of its past. No copy of it has a place.
async fn nowhere() -> (House, DeviceId, OrderId) {
    let (house, _, cams, _) = story().await;
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    house.write(|tx| {
        device::gap_everywhere(tx)?;
        crate::database::set_meta(tx, GAP_PENDING, "2")
    });
    house.recall.work_off().await.unwrap();
    (house, cams, order)
}

impl House {
    async fn shown(&self, order: OrderId, phone: DeviceId) -> (State, Option<ReasonCode>) {
        let coverage = self.recall.coverage(order).await.unwrap();
        let pair = coverage.devices.iter().find(|pair| pair.device == phone).unwrap();
        (pair.state, pair.reason)
    }
}

const CANNOT_SAY: (State, Option<ReasonCode>) =
    (State::NotRetractable, Some(ReasonCode::LedgerGap));

#[tokio::test]
async fn a_phone_with_a_gap_that_is_let_in_again_acknowledges_nothing() {
    let (house, cams, order) = nowhere().await;
    assert_eq!(house.shown(order, cams).await, CANNOT_SAY);
    house.hears(cams, Evidence::AccessBlocked);
    house.write(move |tx| retraction::let_in(tx, cams, START));
    assert_eq!(house.shown(order, cams).await, CANNOT_SAY);
    assert!(house.write(move |tx| retraction::folders_due(tx, cams)).is_empty());
    assert!(house.due(cams, FolderId(0)).is_empty());
    house.write(move |tx| retraction::folder_gone(tx, cams, FolderId(0), 3, START));
    assert_eq!(house.shown(order, cams).await, CANNOT_SAY);
}

#[tokio::test]
async fn a_phone_with_a_gap_whose_wipe_was_called_off_acknowledges_nothing() {
    let (house, cams, order) = nowhere().await;
    house.hears(cams, Evidence::WipeAsked { second_person: true });
    house.hears(cams, Evidence::WipeSignal);
    house.hears(cams, Evidence::WipeCalledOff);
    assert_eq!(house.shown(order, cams).await, CANNOT_SAY);
    house.write(move |tx| retraction::folder_gone(tx, cams, FolderId(0), 3, START));
    assert_eq!(house.shown(order, cams).await, CANNOT_SAY);
}

/// A search copy that a wipe did not erase waits for no Delete: none can name it.
#[tokio::test]
async fn a_search_copy_whose_wipe_failed_does_not_wait_for_a_delete() {
    let (house, bobs, _, at) = story().await;
    house.holds(bobs, 2, at, Exposure::SEARCHED);
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    house.sent(bobs, at, 7);
    house.proven(bobs, at, 7);
    for evidence in [
        Evidence::WipeAsked { second_person: true },
        Evidence::WipeSignal,
        Evidence::WipeDirective,
        Evidence::WipeFailed,
        Evidence::GivenUp,
    ] {
        house.hears(bobs, evidence);
    }
    house.write(move |tx| retraction::heard(tx, bobs, START));
    let search = (State::NotRetractable, Some(ReasonCode::SearchCopy));
    assert_eq!(house.shown(order, bobs).await, search);
}

/// The phone is heard every day, and never asks for the folder: no Delete reaches it, and the report does not say *waiting*.
#[tokio::test]
async fn a_phone_that_no_longer_asks_for_the_folder_is_said_not_to_sync_it() {
    let (house, bobs, _, at) = story().await;
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    let day = Duration::from_hours(24);
    for passed in 1..=4 {
        assert_eq!(house.shown(order, bobs).await.0, State::Queued, "after {passed} days");
        house.clock.advance(day - Duration::from_hours(1));
        let now = house.clock.now();
        house.write(move |tx| {
            let mut row = device::load(tx, bobs)?.unwrap();
            row.last_seen = now;
            device::store(tx, &row)
        });
        house.recall.sweep().await.unwrap();
    }
    assert_eq!(house.shown(order, bobs).await.0, State::Unsynced);
    assert_eq!(house.due(bobs, at.0), [at.1], "still owed");
    house.sent(bobs, at, 7);
    assert_eq!(house.shown(order, bobs).await.0, State::Sent);
}

#[tokio::test]
async fn every_copy_that_a_cancellation_ends_has_its_entry_in_the_audit() {
    let (house, bobs, cams, at) = story().await;
    let order = house.orders("m").await;
    house.recall.work_off().await.unwrap();
    house.sent(bobs, at, 7);
    let before = house.audited(order, "retraction");
    house.recall.cancel(order, admin("root")).await.unwrap();
    house.recall.work_off().await.unwrap();
    let states = house.states(order).await;
    assert_eq!(states, [(bobs, State::Cancelled), (cams, State::Cancelled)]);
    assert_eq!(house.audited(order, "retraction"), before + 2);
}
