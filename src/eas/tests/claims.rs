//! What a phone's keys say about a past that the ledger does not know, and what the report may claim then.

use std::time::Duration;

use activesync::Document;
use activesync::command::CommandName;
use activesync::command::sync::{Collection, CollectionAnswer, Response};
use activesync::status;
use activesync::types::{CollectionId, SyncKey};

use super::house::*;
use crate::ids::{CollectionNumber, DeviceId, UserId};
use crate::ledger::device;
use crate::mailbox::Mailbox;
use crate::policy::{Access, ShutOut, WipeKind, WipeOrder};
use crate::recall::{ReasonCode, State};

const CANNOT_SAY: (State, Option<ReasonCode>) =
    (State::NotRetractable, Some(ReasonCode::LedgerGap));

/// Of the form that Exchange gives them.
const FOREIGN: &str = "1394863429";

impl House {
    async fn has_gap(&self) -> bool {
        let row = self.engine.database.read(|tx| device::load(tx, DeviceId(1))).await.unwrap();
        row.unwrap().gap
    }

    async fn sync_of(&self, folder: &str, key: &str) -> Option<CollectionAnswer> {
        let id = CollectionId::new(folder).unwrap();
        let collection = Collection::new(id, SyncKey::new(key).unwrap());
        let seen = self.send(CommandName::Sync, just(collection).encode(V)).await;
        if seen.body.is_empty() {
            return None;
        }
        seen.read::<Response>().collections.into_iter().next()
    }
}

/// A phone that was paired with another server, or after the backup this one was restored from, may hold what it was given there.
#[tokio::test]
async fn a_phone_with_the_key_of_another_server_is_not_said_to_have_never_had_it() {
    let house = House::new().await;
    let key = house.begin().await;
    house.mail("secret").await;
    let order = house.recalls("secret").await;
    assert_eq!(house.reported(order).await.0, State::Prevented);
    assert!(!house.has_gap().await);
    let told = house.sync_of(INBOX, FOREIGN).await.unwrap();
    assert_eq!(told.status, status::sync::INVALID_SYNC_KEY);
    assert!(house.has_gap().await);
    house.recall.work_off().await.unwrap();
    assert_eq!(house.reported(order).await, CANNOT_SAY);
    assert_eq!(house.audited("device.gap").await, 1);
    // Said once.
    house.sync_of(INBOX, FOREIGN).await.unwrap();
    assert_eq!(house.audited("device.gap").await, 1);
    house.catch_up(key).await;
    assert_eq!(house.reported(order).await, CANNOT_SAY, "no key of ours makes up for it");
}

#[tokio::test]
async fn a_phone_that_brings_the_folders_of_another_server_has_a_gap() {
    let house = House::new().await;
    let told = house.folder_sync(FOREIGN).await;
    assert_eq!(told.status, status::folder_sync::INVALID_SYNC_KEY);
    assert!(house.has_gap().await);
    house.begin().await;
    house.mail("secret").await;
    let order = house.recalls("secret").await;
    assert_ne!(house.reported(order).await.0, State::Prevented);
}

#[tokio::test]
async fn a_phone_that_asks_for_a_folder_of_another_server_has_a_gap() {
    let house = House::new().await;
    house.begin().await;
    assert!(!house.has_gap().await);
    house.sync_of("Inbox-7f3a", FOREIGN).await;
    assert!(house.has_gap().await);
}

/// What an operator's resync made worthless was issued here all the same.
#[tokio::test]
async fn a_resync_does_not_make_the_phones_own_keys_foreign() {
    let house = House::new().await;
    let folders = house.folder_sync("0").await.sync_key.unwrap();
    house.folder_sync(folders.as_str()).await;
    house.mail("one").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    house.policies.resync(DeviceId(1), "root").await.unwrap();
    house.folder_sync(folders.as_str()).await;
    house.sync_of(INBOX, key.as_str()).await;
    let (_, added) = house.catch_up(house.begin().await).await;
    assert_eq!(added, ["one"]);
    house.sync_of(INBOX, key.as_str()).await;
    house.folder_sync("0").await;
    house.folder_sync(folders.as_str()).await;
    assert!(!house.has_gap().await);
}

/// The same by all the roads an operator has; what proves that a folder is gone says nothing of a copy without a place.
#[tokio::test]
async fn a_blocked_phone_with_a_gap_acknowledges_nothing_by_its_folders_when_it_is_allowed() {
    let house = House::new().await;
    house.begin().await;
    house.mail("secret").await;
    let order = house.recalls("secret").await;
    house.sync_of(INBOX, FOREIGN).await;
    house.recall.work_off().await.unwrap();
    assert_eq!(house.reported(order).await, CANNOT_SAY);
    for access in [Access::Block, Access::Quarantine, Access::Allow] {
        house.policies.set_access(DeviceId(1), Some(access), "root").await.unwrap();
    }
    let key = house.folder_sync("0").await.sync_key.unwrap();
    house.folder_sync(key.as_str()).await;
    assert_eq!(house.reported(order).await, CANNOT_SAY);
}

/// The folder left the phone with a list that it proved; then an older list is back, and with it, perhaps, the folder.
#[tokio::test]
async fn a_phone_with_an_old_list_of_folders_no_longer_acknowledges_by_the_new_one() {
    let house = House::new().await;
    let root = CollectionNumber(0);
    let own = house.store.create_folder(house.mailbox, root, "Projects").await.unwrap();
    house.mail_to(own.id, "secret").await;
    let old = house.folder_sync("0").await.sync_key.unwrap();
    house.folder_sync(old.as_str()).await;
    let number = own.number.to_string();
    let mut key = "0".to_owned();
    while let Some(told) = house.sync_of(&number, &key).await {
        key = told.sync_key.as_str().to_owned();
    }
    let order = house.recalls("secret").await;
    assert_eq!(house.reported(order).await.0, State::Queued);
    house.store.delete_folder(own.id).await.unwrap();
    let new = house.folder_sync(old.as_str()).await.sync_key.unwrap();
    assert_eq!(house.reported(order).await.0, State::Queued, "told, and not proven");
    house.folder_sync(new.as_str()).await;
    let by_folders = (State::Acknowledged, Some(ReasonCode::Hierarchy));
    assert_eq!(house.reported(order).await, by_folders);
    let restored = house.folder_sync(old.as_str()).await;
    assert_eq!(restored.status, status::folder_sync::INVALID_SYNC_KEY);
    assert_eq!(house.reported(order).await, (State::Queued, Some(ReasonCode::StateRestored)));
    assert_eq!(house.audited("state_restored").await, 2, "the phone's, and the copy's");
    // It begins again, without the folder, and says so.
    let again = house.folder_sync("0").await.sync_key.unwrap();
    house.folder_sync(again.as_str()).await;
    assert_eq!(house.reported(order).await, by_folders);
}

/// A change to a folder under an old key is the same testimony.
#[tokio::test]
async fn an_old_key_of_folders_is_heard_from_every_command_that_carries_one() {
    let house = House::new().await;
    let request = activesync::command::folder_create::Request {
        sync_key: SyncKey::new(FOREIGN).unwrap(),
        parent_id: activesync::types::ServerId::new("0").unwrap(),
        display_name: "Own".to_owned(),
        folder_type: activesync::command::folder_sync::FolderType::USER_MAIL,
    };
    house.folder_sync("0").await;
    house.send(CommandName::FolderCreate, request.encode(V)).await;
    assert!(house.has_gap().await);
}

/// Two people asked for the account to be erased.
fn agreed() -> WipeOrder {
    WipeOrder {
        device: DeviceId(1),
        kind: WipeKind::Account,
        typed_id: None,
        by: "root".to_owned(),
        second: Some("other".to_owned()),
        block_after: false,
    }
}

#[tokio::test]
async fn a_wiped_phone_that_is_not_heard_for_two_weeks_is_shown_as_borne_out() {
    let house = House::new().await;
    house.mail("secret").await;
    house.catch_up(house.begin().await).await;
    let order = house.recalls("secret").await;
    house.policies.wipe(agreed()).await.unwrap();
    house.policies.directive(DeviceId(1)).await.unwrap();
    house.policies.wipe_answered(DeviceId(1), WipeKind::Account, true).await.unwrap();
    assert_eq!(house.reported(order).await.0, State::WipeAcked);
    house.clock.advance(Duration::from_hours(24 * 15));
    house.policies.sweep().await.unwrap();
    assert_eq!(house.reported(order).await.0, State::WipeCorroborated);
    assert_eq!(house.audited("device.stayed_away").await, 1);
}

/// A phone whose user cannot sign in never fetches the order to wipe itself.
#[tokio::test]
async fn a_user_is_not_shut_out_before_the_wipe_unless_somebody_insists_and_the_report_says_so() {
    let house = House::new().await;
    house.mail("secret").await;
    house.catch_up(house.begin().await).await;
    let order = house.recalls("secret").await;
    house.policies.wipe(agreed()).await.unwrap();
    let disable = async |at_once| {
        house.policies.shut_out(UserId(1), ShutOut::Disabled, at_once, "root").await
    };
    assert_eq!(disable(false).await.unwrap_err().code(), "blocked_before_wipe");
    assert!(!house.directory.user(UserId(1)).await.unwrap().disabled);
    disable(true).await.unwrap();
    assert!(house.directory.user(UserId(1)).await.unwrap().disabled);
    let waits = (State::WipeRequested, Some(ReasonCode::BlockedBeforeWipe));
    assert_eq!(house.reported(order).await, waits);
    assert_eq!(house.audited("device.shut_out_before_wipe").await, 1);
    // Let in again, the phone fetches it after all.
    house.directory.set_disabled(UserId(1), false).await.unwrap();
    house.policies.directive(DeviceId(1)).await.unwrap();
    assert_eq!(house.reported(order).await, (State::WipeSent, None));
    house.policies.wipe_answered(DeviceId(1), WipeKind::Account, true).await.unwrap();
    disable(false).await.unwrap();
}
