//! Sync: keys, windows, lost answers, uploads, waits.

use super::house::*;

#[tokio::test]
async fn a_phone_signs_in_and_gets_its_mail() {
    let house = House::new().await;
    house.mail("one").await;
    house.mail("two").await;
    let folders = house.folder_sync("0").await;
    assert!(folders.changes.unwrap().adds.iter().any(|f| f.server_id.as_str() == INBOX));
    let key = house.begin().await;
    let first = house.sync_one(inbox(key.as_str())).await;
    assert_eq!(adds(&first), ["two", "one"]);
    let (_, rest) = house.catch_up(first.sync_key).await;
    assert!(rest.is_empty());
}
