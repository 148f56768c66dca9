//! Phones and gateways come back from backups, and nobody claims what only the lost days knew.

use activesync_phone::Profile;
use activesync_phone::activesync::status::Status;
use retract::database;
use retract::recall::{ReasonCode, State};

use super::town::Town;

#[tokio::test]
async fn restored_backup_of_a_phone() {
    let town = Town::open().await;
    town.mail("secret").await;
    let mut phone = town.phone("ann", Profile::android()).await;
    let backup = phone.driver.phone.clone();
    let order = town.recall("secret").await;
    town.until_state(order, "ann", State::Queued).await;
    phone.catch_up().await;
    town.mail("other").await;
    phone.catch_up().await;
    town.until_state(order, "ann", State::Acknowledged).await;
    // A new phone from last night's backup: it has the mail, and keys that were passed long ago.
    phone.driver.phone = backup;
    phone.driver.hang_up();
    assert!(phone.holds("secret"));
    let told = phone.sync().await.expect("an answer");
    assert_eq!(told.status, Status(3));
    let pair =
        town.until(order, |c| c.devices[0].state != State::Acknowledged).await.devices[0].clone();
    assert_eq!(pair.state, State::Queued);
    assert_eq!(pair.reason, Some(ReasonCode::StateRestored));
    // It begins again, without the mail, and proves it.
    phone.catch_up().await;
    phone.sync().await;
    assert_eq!(phone.subjects(), ["other"]);
    let coverage = town.until(order, |coverage| coverage.covered == 1).await;
    assert_eq!(coverage.devices[0].state, State::Resynced);
}

/// A resync makes a device's keys count for nothing; what it let go of stays so, until a state from before that is back.
#[tokio::test]
async fn backup_of_a_phone_from_before_a_resync() {
    let town = Town::open().await;
    town.mail("secret").await;
    let mut phone = town.phone("ann", Profile::android()).await;
    let backup = phone.driver.phone.clone();
    let order = town.recall("secret").await;
    town.until_state(order, "ann", State::Queued).await;
    phone.catch_up().await;
    let pair = town.until_state(order, "ann", State::Acknowledged).await;
    town.server.house.policies.resync(pair.device, "root").await.unwrap();
    let told = phone.sync().await.expect("an answer");
    assert_eq!(told.status, Status(3));
    town.until_state(order, "ann", State::Acknowledged).await;
    phone.catch_up().await;
    phone.driver.phone = backup;
    phone.driver.hang_up();
    assert!(phone.holds("secret"));
    let told = phone.sync().await.expect("an answer");
    assert_eq!(told.status, Status(3));
    let pair =
        town.until(order, |c| c.devices[0].state != State::Acknowledged).await.devices[0].clone();
    assert_eq!((pair.state, pair.reason), (State::Queued, Some(ReasonCode::StateRestored)));
    phone.catch_up().await;
    phone.sync().await;
    assert!(!phone.holds("secret"));
    town.until(order, |coverage| coverage.covered == 1).await;
}

#[tokio::test]
async fn restored_backup_of_the_gateway() {
    let town = Town::open().await;
    let mut phone = town.phone("ann", Profile::android()).await;
    town.mail("secret").await;
    let (backup, data) = (town.dir.path().join("backup"), town.dir.path().join("restored"));
    let house = &town.server.house;
    database::backup(&house.database, &house.bodies, &backup, town.clock.now()).unwrap();
    // After the backup the phone gets the mail. The gateway is lost and restored: it does not know.
    phone.catch_up().await;
    assert!(phone.holds("secret"));
    phone.driver.hang_up();
    database::restore(&backup, &data, town.clock.now()).unwrap();
    let town = town.reopened_on(&data).await;
    let mut phone = town.same_phone(phone);
    let order = town.recall("secret").await;
    let coverage = town.until(order, |c| !c.devices.is_empty() && c.sealed == 1).await;
    assert_ne!(coverage.devices[0].state, State::Prevented, "{coverage:?}");
    assert_eq!(coverage.covered, 0);
    let told = phone.sync().await.expect("an answer");
    assert_eq!(told.status, Status(3), "a key from a future the gateway does not know");
    phone.catch_up().await;
    phone.sync().await;
    assert!(!phone.holds("secret"));
    let coverage = town.until(order, |coverage| coverage.covered == 1).await;
    assert_eq!(coverage.devices[0].state, State::Resynced);
}

/// Phones that were paired after the backup are strangers to the gateway that was restored from it; what they hold it cannot know.
#[tokio::test]
async fn phones_paired_after_the_backup_of_the_gateway() {
    let town = Town::open().await;
    town.mail_to(&["ann", "ben"], "secret").await;
    let (backup, data) = (town.dir.path().join("backup"), town.dir.path().join("restored"));
    let house = &town.server.house;
    database::backup(&house.database, &house.bodies, &backup, town.clock.now()).unwrap();
    let anns = town.phone("ann", Profile::android()).await;
    let mut bens = town.phone("ben", Profile::ios()).await;
    bens.driver.hang_up();
    drop(anns);
    assert!(bens.holds("secret"));
    database::restore(&backup, &data, town.clock.now()).unwrap();
    let town = town.reopened_on(&data).await;
    // Ben's is the first to come back, and is taken for the first device there ever was.
    let mut bens = town.same_phone(bens);
    bens.driver.provision().await.unwrap();
    let told = bens.sync().await.expect("an answer");
    assert_eq!(told.status, Status(3));
    let order = town.recall("secret").await;
    let coverage = town.until(order, |c| c.devices.len() == 1 && c.sealed == 2).await;
    let pair = &coverage.devices[0];
    assert_eq!((pair.state, pair.reason), (State::Queued, Some(ReasonCode::LedgerGap)));
    assert_eq!(pair.exposure, "gap");
}
