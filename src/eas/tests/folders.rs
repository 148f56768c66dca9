//! FolderSync and the commands that share its keys; estimates.

use activesync::Document;
use activesync::command::CommandName;
use activesync::command::folder_sync::FolderType;
use activesync::command::{folder_create, folder_delete, folder_update, get_item_estimate};
use activesync::status;
use activesync::types::{CollectionId, ServerId, SyncKey};
use conformance::conforms;

use super::house::*;
use crate::mailbox::{FolderKind, Mailbox};

async fn create(house: &House, key: &SyncKey, name: &str) -> folder_create::Response {
    let request = folder_create::Request {
        sync_key: key.clone(),
        parent_id: ServerId::new("0").unwrap(),
        display_name: name.to_owned(),
        folder_type: FolderType::USER_MAIL,
    };
    house.send(CommandName::FolderCreate, request.encode(V)).await.read()
}

#[tokio::test]
async fn key_zero_tells_all_folders_and_the_versions_and_keeps_the_collections() {
    let house = House::new().await;
    house.mail("one").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    let request =
        activesync::command::folder_sync::Request { sync_key: SyncKey::initial() }.encode(V);
    let seen = house.send(CommandName::FolderSync, request).await;
    let header = |name: &str| seen.headers.iter().find(|(n, _)| n == name).map(|(_, v)| &v[..]);
    assert_eq!(header("x-ms-rp"), Some("12.1,14.0,14.1,16.0,16.1"));
    assert!(header("ms-asprotocolcommands").unwrap().contains("Ping"));
    conforms!("MS-ASHTTP_R1104", "MS-ASHTTP_R1202");
    house.mail("two").await;
    assert_eq!(adds(&house.sync_one(inbox(key.as_str())).await), ["two"]);
}

#[tokio::test]
async fn later_only_differences_are_told() {
    let house = House::new().await;
    let first = house.folder_sync("0").await;
    let key = first.sync_key.unwrap();
    let second = house.folder_sync(key.as_str()).await;
    assert_eq!((second.changes.unwrap().count(), second.sync_key.as_ref()), (0, Some(&key)));
    house
        .store
        .create_folder(house.mailbox, crate::ids::CollectionNumber(0), "Projects")
        .await
        .unwrap();
    let third = house.folder_sync(key.as_str()).await;
    let changes = third.changes.unwrap();
    assert_eq!((changes.adds.len(), &changes.adds[0].display_name[..]), (1, "Projects"));
    conforms!("MS-ASHTTP_R491", "MS-ASCMD_R4074");
    // Lost: told again.
    assert_eq!(house.folder_sync(key.as_str()).await.changes.unwrap().adds.len(), 1);
    assert_eq!(house.folder_sync("9.rubbish").await.status, status::folder_sync::INVALID_SYNC_KEY);
    // It has to begin anew, and is told with which versions and commands.
    let stale =
        activesync::command::folder_sync::Request { sync_key: SyncKey::new("9.rubbish").unwrap() };
    let seen = house.send(CommandName::FolderSync, stale.encode(V)).await;
    for name in ["x-ms-rp", "ms-asprotocolcommands", "ms-asprotocolversions"] {
        assert!(seen.headers.iter().any(|(found, _)| found == name), "{name}");
    }
    conforms!("MS-ASHTTP_R1105", "MS-ASHTTP_R478", "MS-ASHTTP_R708", "MS-ASHTTP_R800");
    conforms!("MS-ASCMD_R4083", "MS-ASCMD_R4068");
}

#[tokio::test]
async fn a_folder_is_made_renamed_and_deleted_once_and_not_reported_back() {
    let house = House::new().await;
    let key = house.folder_sync("0").await.sync_key.unwrap();
    let lost = create(&house, &key, "Projects").await;
    let made = create(&house, &key, "Projects").await;
    assert_eq!(made, lost, "the repetition finds what the first one made");
    let (key, id) = (made.sync_key.unwrap(), made.server_id.unwrap());
    assert_eq!(house.folder_sync(key.as_str()).await.changes.unwrap().count(), 0);
    let taken = create(&house, &key, "Projects").await;
    assert_eq!(taken.status, status::folder_create::NAME_EXISTS);
    conforms!("MS-ASCMD_R4013", "MS-ASHTTP_R493");
    let request = folder_update::Request {
        sync_key: key,
        server_id: id.clone(),
        parent_id: ServerId::new("0").unwrap(),
        display_name: "Works".to_owned(),
    };
    let renamed: folder_update::Response =
        house.send(CommandName::FolderUpdate, request.encode(V)).await.read();
    let key = renamed.sync_key.unwrap();
    let request = folder_delete::Request { sync_key: key, server_id: id };
    let gone: folder_delete::Response =
        house.send(CommandName::FolderDelete, request.encode(V)).await.read();
    assert_eq!(gone.status, status::folder_delete::SUCCESS);
    conforms!("MS-ASCMD_R4045", "MS-ASHTTP_R496", "MS-ASHTTP_R431");
    let again: folder_delete::Response =
        house.send(CommandName::FolderDelete, request.encode(V)).await.read();
    assert_eq!(again, gone);
    let key = gone.sync_key.unwrap();
    assert_eq!(house.folder_sync(key.as_str()).await.changes.unwrap().count(), 0);
}

#[tokio::test]
async fn a_folder_goes_to_another_place_and_no_mail_is_sent_with_the_list() {
    let house = House::new().await;
    let item = house.mail("one").await;
    let key = house.folder_sync("0").await.sync_key.unwrap();
    let folder = house.inbox_folder().await;
    assert_eq!(house.exposure(folder, item).await, crate::ledger::Exposure::default());
    conforms!("MS-ASHTTP_R428");
    let made = create(&house, &key, "Projects").await;
    let request = folder_update::Request {
        sync_key: made.sync_key.unwrap(),
        server_id: made.server_id.clone().unwrap(),
        parent_id: ServerId::new(INBOX).unwrap(),
        display_name: "Projects".to_owned(),
    };
    let moved: folder_update::Response =
        house.send(CommandName::FolderUpdate, request.encode(V)).await.read();
    assert_eq!(moved.status, status::folder_update::SUCCESS);
    let folders = house.folder_sync("0").await.changes.unwrap().adds;
    let found = folders.iter().find(|found| Some(&found.server_id) == made.server_id.as_ref());
    assert_eq!(found.unwrap().parent_id.as_str(), INBOX);
    conforms!("MS-ASHTTP_R68");
}

#[tokio::test]
async fn standard_folders_stay() {
    let house = House::new().await;
    let key = house.folder_sync("0").await.sync_key.unwrap();
    let request =
        folder_delete::Request { sync_key: key, server_id: ServerId::new(INBOX).unwrap() };
    let answer: folder_delete::Response =
        house.send(CommandName::FolderDelete, request.encode(V)).await.read();
    assert_eq!(answer.status, status::folder_delete::SPECIAL_FOLDER);
    conforms!("MS-ASCMD_R4046", "MS-ASCMD_R4047", "MS-ASCMD_R4040");
}

#[tokio::test]
async fn a_recalled_mail_in_a_deleted_folder_is_acknowledged_by_the_hierarchy() {
    let house = House::new().await;
    let key = house.folder_sync("0").await.sync_key.unwrap();
    let made = create(&house, &key, "Projects").await;
    let (key, id) = (made.sync_key.unwrap(), made.server_id.unwrap());
    let folders = house.store.folders(house.mailbox).await.unwrap();
    let folder = folders.iter().find(|f| f.kind == FolderKind::User).unwrap().id;
    house.mail_to(folder, "secret").await;
    let collection = activesync::command::sync::Collection::new(
        CollectionId::new(id.as_str()).unwrap(),
        SyncKey::initial(),
    );
    let begun = house.sync_one(collection.clone()).await.sync_key;
    let next = activesync::command::sync::Collection { sync_key: begun, ..collection };
    assert_eq!(adds(&house.sync_one(next).await), ["secret"]);
    house.recalls("secret").await;
    let request = folder_delete::Request { sync_key: key, server_id: id };
    let gone: folder_delete::Response =
        house.send(CommandName::FolderDelete, request.encode(V)).await.read();
    assert_eq!(house.owed().await.len(), 1, "the answer alone shows nothing");
    house.folder_sync(gone.sync_key.unwrap().as_str()).await;
    assert!(house.owed().await.is_empty());
}

#[tokio::test]
async fn an_estimate_agrees_with_the_next_sync_and_moves_nothing() {
    let house = House::new().await;
    house.mail("one").await;
    house.mail("secret").await;
    house.fences("secret").await;
    let estimate = async |key: &str, id: &str, options: Vec<get_item_estimate::Options>| {
        let request = get_item_estimate::Request {
            collections: vec![get_item_estimate::Collection {
                sync_key: SyncKey::new(key).unwrap(),
                collection_id: CollectionId::new(id).unwrap(),
                conversation_mode: None,
                options,
            }],
        };
        let response: get_item_estimate::Response =
            house.send(CommandName::GetItemEstimate, request.encode(V)).await.read();
        let first = response.responses.into_iter().next().unwrap();
        (first.status.0, first.collection.and_then(|c| c.estimate))
    };
    assert_eq!(estimate("0", INBOX, Vec::new()).await, (3, None));
    conforms!("MS-ASCMD_R4139", "MS-ASCMD_R4130");
    let key = house.begin().await;
    assert_eq!(estimate(key.as_str(), INBOX, Vec::new()).await, (1, Some(1)));
    conforms!("MS-ASHTTP_R500");
    assert_eq!(estimate("5.rubbish", INBOX, Vec::new()).await, (4, None));
    assert_eq!(estimate(key.as_str(), "4711", Vec::new()).await, (2, None));
    // What mail does not have: a limit of the recipient cache, and a filter of other classes.
    let limited = get_item_estimate::Options { max_items: Some(5), ..Default::default() };
    assert_eq!(estimate(key.as_str(), INBOX, vec![limited]).await, (2, None));
    let incomplete = get_item_estimate::Options { filter_type: Some(8), ..Default::default() };
    assert_eq!(estimate(key.as_str(), INBOX, vec![incomplete]).await, (110, None));
    assert_eq!(adds(&house.sync_one(inbox(key.as_str())).await), ["one"]);
}
