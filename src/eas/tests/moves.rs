//! MoveItems: carried out once, answered the same again, and no way around a recall.

use activesync::Document;
use activesync::command::CommandName;
use activesync::command::move_items::{Move, Request, Response};
use activesync::command::sync::{ClientCommand, Collection, Delete};
use activesync::types::{CollectionId, ServerId, SyncKey};
use conformance::conforms;

use super::house::*;
use crate::ids::ItemNumber;
use crate::ledger::Exposure;
use crate::mailbox::FolderKind;

fn way(item: ItemNumber, to: impl ToString) -> Move {
    Move {
        src_msg_id: ServerId::new(format!("{INBOX}:{item}")).unwrap(),
        src_fld_id: CollectionId::new(INBOX).unwrap(),
        dst_fld_id: CollectionId::new(to.to_string()).unwrap(),
    }
}

async fn moves(house: &House, moves: Vec<Move>) -> Vec<(u16, Option<String>)> {
    let body = Request { moves }.encode(V);
    let response: Response = house.send(CommandName::MoveItems, body).await.read();
    let said = |moved: activesync::command::move_items::Moved| {
        (moved.status.0, moved.dst_msg_id.map(|id| id.to_string()))
    };
    response.responses.into_iter().map(said).collect()
}

#[tokio::test]
async fn a_repeated_move_has_the_same_answer() {
    let house = House::new().await;
    let item = house.mail("one").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    let trash = house.folder_of_kind(FolderKind::DeletedItems).await;
    let first = moves(&house, vec![way(item, trash.number)]).await;
    assert_eq!(first[0].0, 3);
    assert!(first[0].1.is_some());
    conforms!("MS-ASCMD_R4217", "MS-ASHTTP_R499");
    assert_eq!(moves(&house, vec![way(item, trash.number)]).await, first);
    // Even once the source has caught up.
    let (key, _) = house.catch_up(key).await;
    house.catch_up(key).await;
    assert_eq!(moves(&house, vec![way(item, trash.number)]).await, first);
    assert_eq!(house.lying_in(FolderKind::DeletedItems).await.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_moved_says_why() {
    let house = House::new().await;
    let item = house.mail("one").await;
    let trash = house.folder_of_kind(FolderKind::DeletedItems).await.number;
    let missing = ItemNumber(item.0 + 1);
    let said = moves(&house, vec![way(item, INBOX), way(item, 999), way(missing, trash)]).await;
    assert_eq!(said, [(4, None), (2, None), (1, None)]);
    conforms!("MS-ASCMD_R4219", "MS-ASCMD_R4212", "MS-ASCMD_R4208", "MS-ASCMD_R4201");
}

#[tokio::test]
async fn a_delete_of_the_old_id_is_not_refused_and_the_phone_sees_both_ends() {
    let house = House::new().await;
    let item = house.mail("one").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    let trash = house.folder_of_kind(FolderKind::DeletedItems).await;
    let to = CollectionId::new(trash.number.to_string()).unwrap();
    let there = |key: &SyncKey| Collection::new(to.clone(), key.clone());
    let begun = house.sync_one(there(&SyncKey::initial())).await;
    moves(&house, vec![way(item, trash.number)]).await;
    let arrived = house.sync_one(there(&begun.sync_key)).await;
    assert_eq!(adds(&arrived), ["one"]);
    let server_id = ServerId::new(format!("{INBOX}:{item}")).unwrap();
    let delete = ClientCommand::Delete(Delete { server_id, instance_id: None });
    let answer = house.sync_one(Collection { commands: vec![delete], ..inbox(key.as_str()) }).await;
    assert!(answer.replies.is_empty(), "{:?}", answer.replies);
    assert_eq!(house.lying_in(FolderKind::DeletedItems).await.len(), 1, "the moved one stays");
}

#[tokio::test]
async fn the_moved_copy_is_on_the_books_and_a_recall_finds_it() {
    let house = House::new().await;
    let item = house.mail("one").await;
    house.catch_up(house.begin().await).await;
    let inbox = house.inbox_folder().await;
    let trash = house.folder_of_kind(FolderKind::DeletedItems).await;
    let said = moves(&house, vec![way(item, trash.number)]).await;
    let new = crate::ids::ServerId::parse(said[0].1.as_deref().unwrap()).unwrap().item;
    let exposure = house.exposure(trash.id, new).await;
    assert!(exposure.contains(house.exposure(inbox, item).await | Exposure::MOVED));
    assert!(exposure.any_content());
    house.recalls("one").await;
    assert!(house.lying_in(FolderKind::DeletedItems).await.is_empty());
    assert!(house.owed().await.contains(&trash.id));
}

#[tokio::test]
async fn a_recalled_mail_cannot_be_moved_and_is_deleted_at_the_next_sync() {
    let house = House::new().await;
    let item = house.mail("one").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    house.fences("one").await;
    let trash = house.folder_of_kind(FolderKind::DeletedItems).await;
    assert_eq!(moves(&house, vec![way(item, trash.number)]).await, [(1, None)]);
    house.recall.work_off().await.unwrap();
    assert_eq!(moves(&house, vec![way(item, trash.number)]).await, [(1, None)]);
    assert!(house.lying_in(FolderKind::DeletedItems).await.is_empty());
    let answer = house.sync_one(inbox(key.as_str())).await;
    assert_eq!(deletes(&answer), [format!("{INBOX}:{item}")]);
}
