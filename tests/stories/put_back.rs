//! The recall was a mistake: what was taken is put back as it was, and phones get it again.

use activesync_phone::activesync::item::email::Email;
use activesync_phone::{Phone, Profile, SyncAsk};
use retract::recall::State;

use super::town::{Handset, Town, admin};

#[tokio::test]
async fn cancel_restores_flags_folder_and_date() {
    let town = Town::on_a_manual_clock().await;
    town.mail("secret").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let (inbox, id) = (phone.inbox(), phone.id_of("secret"));
    let marks = SyncAsk::of(&inbox).with(Phone::read(&id, true)).with(Phone::flag(&id, true));
    phone.sync_with(marks).await.expect("a new key");
    let before = fresh(&town, "before").await;
    town.clock.advance(std::time::Duration::from_secs(24 * 60 * 60));
    let order = town.recall("secret").await;
    town.until_state(order, "ann", State::Queued).await;
    phone.catch_up().await;
    assert!(!phone.holds("secret"));
    town.until(order, |coverage| coverage.sealed == 1).await;
    town.server.house.recall.cancel(order, admin()).await.unwrap();
    town.until(order, |coverage| coverage.restored == 1).await;
    phone.catch_up().await;
    assert_eq!(phone.subjects(), ["secret"]);
    // It is a new item: the old number stays deleted for good.
    assert_ne!(phone.id_of("secret"), id);
    let after = fresh(&town, "after").await;
    assert_eq!(after.read, Some(true));
    assert_eq!(after.flag, before.flag);
    assert_eq!(after.date_received, before.date_received);
    assert_eq!(after.subject, before.subject);
}

/// Cancelled before the phone was told: the phone ends with the mail, once.
#[tokio::test]
async fn cancelled_before_the_phone_was_told() {
    let town = Town::open().await;
    town.mail("secret").await;
    let mut phone = town.phone("ann", Profile::android()).await;
    let order = town.recall("secret").await;
    town.until(order, |coverage| coverage.sealed == 1).await;
    town.server.house.recall.cancel(order, admin()).await.unwrap();
    town.until(order, |coverage| coverage.restored == 1).await;
    phone.catch_up().await;
    assert_eq!(phone.subjects(), ["secret"]);
    // Cancelling again does nothing.
    town.server.house.recall.cancel(order, admin()).await.unwrap();
    town.server.house.recall.work_off().await.unwrap();
    phone.catch_up().await;
    assert_eq!(phone.subjects(), ["secret"]);
}

/// Recalled again after it was put back.
#[tokio::test]
async fn and_taken_back_again() {
    let town = Town::open().await;
    town.mail("secret").await;
    let mut phone = town.phone("ann", Profile::android()).await;
    for _ in 0..2 {
        assert!(phone.holds("secret"));
        let order = town.recall("secret").await;
        town.until_state(order, "ann", State::Queued).await;
        phone.catch_up().await;
        assert!(!phone.holds("secret"));
        town.until_state(order, "ann", State::Acknowledged).await;
        town.until(order, |coverage| coverage.sealed == 1).await;
        town.server.house.recall.cancel(order, admin()).await.unwrap();
        town.until(order, |coverage| coverage.restored == 1).await;
        phone.catch_up().await;
    }
    assert_eq!(phone.subjects(), ["secret"]);
}

/// The mail as a phone sees it that has never been here before.
async fn fresh(town: &Town, name: &'static str) -> Email {
    let phone: Handset = town.phone("ann", Profile { name, ..Profile::android() }).await;
    let (inbox, id) = (phone.inbox(), phone.id_of("secret"));
    phone.phone().cache.collections[&inbox].items[&id].email.clone()
}
