//! A mail is recalled, and every phone lets go of it, wherever it was at that moment.

use activesync_phone::{Outcome, Profile, SyncAsk, Waits};
use retract::recall::{OrderRequest, ReasonCode, State};

use super::town::{CHANGES, LONG_S, NOTHING, SHORT_S, Town, adds, admin, deletes, message_id};

#[tokio::test]
async fn while_offline() {
    let town = Town::open().await;
    town.mail("secret").await;
    town.mail("other").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    phone.driver.hang_up();
    let order = town.recall("secret").await;
    let pair = town.until_state(order, "ann", State::Queued).await;
    assert!(pair.exposure.contains('H'), "{}", pair.exposure);
    // The phone is on again.
    let answer = phone.sync().await.expect("the Delete");
    assert_eq!(deletes(&answer).len(), 1);
    assert_eq!(phone.subjects(), ["other"]);
    let pair = town.until_state(order, "ann", State::Sent).await;
    assert_eq!(pair.acknowledged_at, None);
    phone.sync().await;
    let pair = town.until_state(order, "ann", State::Acknowledged).await;
    assert!(pair.acknowledged_at.is_some());
    let coverage = town.until(order, |coverage| coverage.is_settled).await;
    assert_eq!((coverage.covered, coverage.pairs), (1, 1));
    assert_eq!(coverage.sealed, 1);
}

#[tokio::test]
async fn before_first_sync() {
    let town = Town::open().await;
    town.mail("secret").await;
    town.mail("other").await;
    let mut phone = town.new_phone("ann", Profile::ios());
    phone.driver.set_up().await.unwrap();
    let order = town.recall("secret").await;
    town.until_state(order, "ann", State::Prevented).await;
    phone.catch_up().await;
    assert_eq!(phone.subjects(), ["other"]);
    assert_eq!(phone.ping(SHORT_S).await.status, NOTHING);
    town.until_state(order, "ann", State::Prevented).await;
}

/// The proof is earned by the key that came with the Delete, not by the one before, however often that is presented.
#[tokio::test]
async fn replayed_key() {
    let town = Town::open().await;
    town.mail("secret").await;
    let mut phone = town.phone("ann", Profile::android()).await;
    let order = town.recall("secret").await;
    town.until_state(order, "ann", State::Queued).await;
    let first = phone.lose_sync().await.expect("the Delete");
    let second = phone.lose_sync().await.expect("the Delete again");
    assert_eq!((deletes(&first), first.commands.len()), (deletes(&second), 1));
    let pair = town.until_state(order, "ann", State::Sent).await;
    assert_eq!(pair.acknowledged_at, None);
    assert!(pair.replays >= 1, "{pair:?}");
    phone.sync().await;
    phone.sync().await;
    town.until_state(order, "ann", State::Acknowledged).await;
}

/// The Add was sent and the answer lost; whether the phone has it nobody knows, so it gets the Delete and never the Add.
#[tokio::test]
async fn lost_add_then_recall() {
    let town = Town::open().await;
    let mut phone = town.phone("ann", Profile::android()).await;
    town.mail("secret").await;
    town.mail("other").await;
    // It stored one mail, and no key.
    phone.half(1).await;
    let order = town.recall("secret").await;
    town.until_state(order, "ann", State::Queued).await;
    let answer = phone.sync().await.expect("planned anew");
    assert_eq!(deletes(&answer).len(), 1);
    assert_eq!(adds(&answer), ["other"]);
    town.until_state(order, "ann", State::Sent).await;
    phone.sync().await;
    town.until_state(order, "ann", State::Acknowledged).await;
    assert_eq!(phone.subjects(), ["other"]);
}

#[tokio::test]
async fn recall_while_ping_waits() {
    let town = Town::open().await;
    town.mail("secret").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let waiting = tokio::spawn(async move {
        let told = phone.ping(LONG_S).await;
        (phone, told)
    });
    town.until_waiting(1).await;
    let order = town.recall("secret").await;
    let (mut phone, told) = waiting.await.unwrap();
    assert_eq!(told.status, CHANGES);
    phone.sync().await.expect("the Delete");
    assert!(!phone.holds("secret"));
    // The nudge: the next Ping is answered at once, so that the proof comes, once.
    assert_eq!(phone.ping(LONG_S).await.status, CHANGES);
    phone.sync().await;
    let pair = town.until_state(order, "ann", State::Acknowledged).await;
    assert!(pair.woken_at.is_some());
    assert_eq!(phone.ping(SHORT_S).await.status, NOTHING);
}

/// Once per batch: a phone that ignores the nudge is not called again for the same Delete.
#[tokio::test]
async fn the_nudge_comes_once() {
    let town = Town::open().await;
    town.mail("secret").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let order = town.recall("secret").await;
    town.until_state(order, "ann", State::Queued).await;
    phone.sync().await.expect("the Delete");
    assert_eq!(phone.ping(LONG_S).await.status, CHANGES);
    assert_eq!(phone.ping(SHORT_S).await.status, NOTHING);
    town.until_state(order, "ann", State::Sent).await;
}

#[tokio::test]
async fn recall_while_sync_hangs() {
    let town = Town::open().await;
    town.mail("secret").await;
    let mut phone = town.phone("ann", Profile::samsung()).await;
    let waiting = tokio::spawn(async move {
        let exchange = phone.phone().sync(&[SyncAsk::of(&phone.inbox())], Waits::Seconds(LONG_S));
        let told = phone.ask(exchange).await;
        (phone, told)
    });
    town.until_waiting(1).await;
    let order = town.recall("secret").await;
    let (mut phone, told) = waiting.await.unwrap();
    let Outcome::Sync(Some(response)) = told else { panic!("nothing was said") };
    assert_eq!(deletes(&response.collections[0]).len(), 1);
    assert!(!phone.holds("secret"));
    phone.sync().await;
    town.until_state(order, "ann", State::Acknowledged).await;
}

#[tokio::test]
async fn two_devices_one_silent() {
    let town = Town::on_a_manual_clock().await;
    town.mail("secret").await;
    let mut speaks = town.phone("ann", Profile::ios()).await;
    let silent = town.phone("ann", Profile::android()).await;
    let order = town.recall("secret").await;
    town.until(order, |c| c.devices.iter().all(|d| d.state == State::Queued)).await;
    speaks.sync().await.expect("the Delete");
    speaks.sync().await;
    town.until_state(order, "ann", State::Acknowledged).await;
    town.clock.advance(std::time::Duration::from_secs(30 * 24 * 60 * 60));
    town.server.house.recall.sweep().await.unwrap();
    let coverage = town.server.house.recall.coverage(order).await.unwrap();
    let state = |name: &str| {
        coverage.devices.iter().find(|d| d.device_name.contains(name)).map(|d| d.state)
    };
    assert_eq!(state("iOS"), Some(State::Acknowledged));
    assert_eq!(state("Android"), Some(State::Silent));
    assert_eq!((coverage.covered, coverage.pairs), (1, 2));
    assert!(silent.holds("secret"));
    // It comes back after a month: Silent is not a verdict.
    let mut late = silent;
    late.sync().await.expect("the Delete");
    late.sync().await;
    town.until(order, |coverage| coverage.covered == 2).await;
    assert!(!late.holds("secret"));
}

/// Deletes of a recall come first in the window, and MoreAvailable does not starve them.
#[tokio::test]
async fn first_in_the_window() {
    let town = Town::open().await;
    town.mail("secret").await;
    let mut phone = town.phone("ann", Profile { window_size: 1, ..Profile::ios() }).await;
    for number in 0..4 {
        town.mail(&format!("other-{number}")).await;
    }
    let order = town.recall("secret").await;
    town.until_state(order, "ann", State::Queued).await;
    let answer = phone.sync().await.expect("the Delete");
    assert_eq!(deletes(&answer).len(), 1);
    assert_eq!(answer.commands.len(), 1);
    assert!(answer.more_available);
    assert!(!phone.holds("secret"));
    phone.catch_up().await;
    assert_eq!(phone.subjects().len(), 4);
    town.until_state(order, "ann", State::Acknowledged).await;
}

/// A copy that comes by another road after the order is withheld from everybody, and nobody is woken for it.
#[tokio::test]
async fn late_copy_by_lmtp_after_the_order() {
    let town = Town::open().await;
    town.mail("secret").await;
    let mut ann = town.phone("ann", Profile::ios()).await;
    let mut ben = town.phone("ben", Profile::android()).await;
    let order = town.recall("secret").await;
    town.until_state(order, "ann", State::Queued).await;
    town.mail_to(&["ann", "ben"], "secret").await;
    town.until_state(order, "ben", State::Prevented).await;
    assert_eq!(ben.ping(SHORT_S).await.status, NOTHING);
    ben.catch_up().await;
    assert!(!ben.holds("secret"));
    ann.catch_up().await;
    assert!(!ann.holds("secret"));
    town.until(order, |coverage| coverage.sealed == 3).await;
}

/// A Message-ID that nobody has met yet: the order stands for what is still to come.
#[tokio::test]
async fn never_seen_message_id() {
    let town = Town::open().await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let order = town.recall("secret").await;
    town.mail("secret").await;
    town.mail("other").await;
    phone.catch_up().await;
    assert_eq!(phone.subjects(), ["other"]);
    town.until_state(order, "ann", State::Prevented).await;
}

/// A folder the phone does not wait on: nothing wakes it for the Delete, and the report says so.
#[tokio::test]
async fn in_a_folder_the_phone_does_not_watch() {
    let town = Town::open().await;
    town.mail("secret").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let drafts = super::town::folder(
        phone.phone(),
        activesync_phone::activesync::command::folder_sync::FolderType::DRAFTS,
    );
    let exchange = phone.phone().ping(&[&drafts], SHORT_S);
    phone.ask(exchange).await;
    let order = town.recall("secret").await;
    let pair = town.until_state(order, "ann", State::Queued).await;
    assert_eq!(pair.reason, Some(ReasonCode::FolderNotWatched));
    assert_eq!(pair.woken_at, None);
    assert_eq!(phone.ping(SHORT_S).await.status, CHANGES);
    let pair = town.until_state(order, "ann", State::Queued).await;
    assert_eq!(pair.reason, None, "now it does");
    assert!(pair.woken_at.is_some());
}

/// Two orders for the same mail: one Delete serves both, and cancelling one does not lift the other's fence.
#[tokio::test]
async fn overlapping_orders() {
    let town = Town::open().await;
    town.mail("secret").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let first = town.recall("secret").await;
    let second = town.recall("secret").await;
    town.until_state(first, "ann", State::Queued).await;
    let answer = phone.sync().await.expect("one Delete");
    assert_eq!(deletes(&answer).len(), 1);
    phone.sync().await;
    town.until_state(first, "ann", State::Acknowledged).await;
    town.until_state(second, "ann", State::Acknowledged).await;
    town.server.house.recall.cancel(first, admin()).await.unwrap();
    town.server.house.recall.work_off().await.unwrap();
    phone.catch_up().await;
    assert!(!phone.holds("secret"));
    town.server.house.recall.cancel(second, admin()).await.unwrap();
    town.until(first, |coverage| coverage.restored == 1).await;
    phone.catch_up().await;
    assert_eq!(phone.subjects(), ["secret"]);
}

/// A dry run tells what an order would do and does nothing.
#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let town = Town::open().await;
    town.mail_to(&["ann", "ben"], "secret").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let request = OrderRequest {
        message_id: message_id("secret"),
        reason: "only asking".to_owned(),
        ..OrderRequest::default()
    };
    let told = town.server.house.recall.dry_run(request, admin()).await.unwrap();
    assert_eq!((told.copies, told.mailboxes), (2, 2));
    assert_eq!((told.devices, told.devices_exposed), (1, 1));
    assert!(phone.sync().await.is_none());
    assert_eq!(phone.ping(SHORT_S).await.status, NOTHING);
    assert!(phone.holds("secret"));
    let ben = town.phone("ben", Profile::android()).await;
    assert!(ben.holds("secret"));
    assert!(town.server.house.recall.orders(None, 10).await.unwrap().is_empty());
}
