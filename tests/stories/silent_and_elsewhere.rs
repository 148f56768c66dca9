//! Phones that are not heard, that no longer ask for the folder, or that lost the whole folder: what the report says of them, and when.

use std::time::Duration;

use activesync_phone::Profile;
use bytes::Bytes;
use retract::ids::{CollectionNumber, DeviceId, UserId};
use retract::ledger::device;
use retract::mailbox::{Arrival, Mailbox};
use retract::recall::{ReasonCode, State};

use super::town::{PATIENCE, Town, raw};

impl Town {
    /// So much later, when the worker has looked at every device once more.
    async fn later(&self, by: Duration) {
        self.clock.advance(by);
        self.server.house.recall.sweep().await.unwrap();
    }

    /// Waits until it is on the books that the device was heard now.
    async fn until_noted(&self, id: DeviceId) {
        let (now, database) = (self.clock.now(), &self.server.house.database);
        let noted = async {
            while database.read(move |tx| device::load(tx, id)).await.unwrap().unwrap().last_seen
                < now
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, noted).await.expect("nobody noted it");
    }
}

const HOUR: Duration = Duration::from_hours(1);

/// A phone in a drawer is silent, which is no failure; it takes the work up when it is switched on.
#[tokio::test]
async fn a_phone_in_a_drawer() {
    let town = Town::on_a_manual_clock().await;
    town.mail("secret").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let order = town.recall("secret").await;
    town.until_state(order, "ann", State::Queued).await;
    town.later(HOUR * 23).await;
    town.until_state(order, "ann", State::Queued).await;
    town.later(HOUR * 2).await;
    let pair = town.until_state(order, "ann", State::Silent).await;
    assert_eq!(pair.reason, Some(ReasonCode::ClientSilent));
    let coverage = town.until(order, |coverage| coverage.covered == 0).await;
    assert_eq!(coverage.devices.len(), 1);
    phone.driver.hang_up();
    phone.sync().await.expect("the Delete");
    assert!(!phone.holds("secret"));
    let pair = town.until_state(order, "ann", State::Sent).await;
    assert_eq!(pair.reason, None);
    phone.sync().await;
    town.until_state(order, "ann", State::Acknowledged).await;
}

/// Somebody unticked the folder: the phone is heard every day, and a Delete for the folder never reaches it.
#[tokio::test]
async fn a_phone_that_no_longer_syncs_the_folder() {
    let town = Town::on_a_manual_clock().await;
    town.mail("secret").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let order = town.recall("secret").await;
    let pair = town.until_state(order, "ann", State::Queued).await;
    for _ in 0..4 {
        town.until_state(order, "ann", State::Queued).await;
        town.clock.advance(HOUR * 20);
        phone.driver.sync_folders().await.unwrap();
        town.until_noted(pair.device).await;
        town.later(HOUR / 60).await;
    }
    town.until_state(order, "ann", State::Unsynced).await;
    assert!(phone.holds("secret"));
    // Ticked again.
    phone.sync().await.expect("the Delete");
    town.until_state(order, "ann", State::Sent).await;
    phone.sync().await;
    town.until_state(order, "ann", State::Acknowledged).await;
    town.later(HOUR).await;
    town.until_state(order, "ann", State::Acknowledged).await;
}

/// The whole folder is deleted: that the phone took in the list without it is the proof, and an older list takes the proof back.
#[tokio::test]
async fn a_phone_that_lost_the_folder() {
    let town = Town::on_a_manual_clock().await;
    let store = &town.server.house.store;
    let mailbox = store.mailbox_of(UserId(1)).await.unwrap();
    let own = store.create_folder(mailbox, CollectionNumber(0), "Projects").await.unwrap();
    let arrival = Arrival { received: town.clock.now(), ..Arrival::default() };
    store.append(own.id, Bytes::from(raw("secret", "Hello.\r\n")), arrival).await.unwrap();
    let mut phone = town.phone("ann", Profile::android()).await;
    phone.driver.catch_up(&own.number.to_string()).await.unwrap();
    phone.driver.sync_folders().await.unwrap();
    assert!(phone.holds("secret"));
    let order = town.recall("secret").await;
    town.until_state(order, "ann", State::Queued).await;
    let backup = phone.driver.phone.clone();
    store.delete_folder(own.id).await.unwrap();
    phone.driver.sync_folders().await.unwrap();
    town.until_state(order, "ann", State::Queued).await;
    phone.driver.sync_folders().await.unwrap();
    let pair = town.until_state(order, "ann", State::Acknowledged).await;
    assert_eq!(pair.reason, Some(ReasonCode::Hierarchy));
    assert!(!phone.holds("secret"));
    // Last night's backup has the folder, and with it the mail.
    phone.driver.phone = backup;
    phone.driver.hang_up();
    assert!(phone.holds("secret"));
    let folders = phone.phone().folder_sync();
    phone.ask(folders).await;
    let pair = town.until_state(order, "ann", State::Queued).await;
    assert_eq!(pair.reason, Some(ReasonCode::StateRestored));
    for _ in 0..2 {
        phone.driver.sync_folders().await.unwrap();
    }
    assert!(!phone.holds("secret"));
    town.until_state(order, "ann", State::Acknowledged).await;
}
