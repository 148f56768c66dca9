//! "I deleted it, and it is still there." What makes mail stay on phones with other servers, and not with this one.

use activesync_phone::activesync::command::folder_sync::FolderType;
use activesync_phone::{Phone, Profile, SyncAsk};
use retract::recall::{ReasonCode, State};

use super::town::{Town, adds, deletes, folder};

/// The ghost of Syncroton: the answer with the Delete is lost, and the Delete never comes again.
#[tokio::test]
async fn the_ghost() {
    let town = Town::open().await;
    for name in ["one", "two", "three"] {
        town.mail(name).await;
    }
    let mut phone = town.phone("ann", Profile::android()).await;
    let mut laptop = town.phone("ann", Profile::ios()).await;
    let two = laptop.id_of("two");
    // Ann deletes it on her laptop; the phone is told, and the answer is lost.
    let inbox = laptop.inbox();
    laptop.sync_with(SyncAsk::of(&inbox).with(Phone::delete(&two))).await;
    let lost = phone.lose_sync().await.expect("there is something to say");
    assert_eq!(deletes(&lost), [phone.id_of("two")]);
    // The phone asks with its old key, more than once, and mail has come in between.
    town.mail("four").await;
    let lost = phone.lose_sync().await.expect("the Delete is said again");
    assert_eq!(deletes(&lost), [phone.id_of("two")]);
    phone.catch_up().await;
    assert_eq!(phone.subjects(), ["four", "one", "three"]);
}

/// The same ghost when the Delete is a recall's: it is proven only by the answer that arrived.
#[tokio::test]
async fn the_ghost_of_a_recalled_mail() {
    let town = Town::open().await;
    town.mail("one").await;
    town.mail("secret").await;
    let mut phone = town.phone("ann", Profile::android()).await;
    let order = town.recall("secret").await;
    town.until_state(order, "ann", State::Queued).await;
    for _ in 0..3 {
        let lost = phone.lose_sync().await.expect("the Delete is said each time");
        assert_eq!(deletes(&lost), [phone.id_of("secret")]);
        town.until_state(order, "ann", State::Sent).await;
    }
    phone.sync().await.expect("and once more");
    assert!(!phone.holds("secret"));
    town.until_state(order, "ann", State::Sent).await;
    phone.sync().await;
    town.until_state(order, "ann", State::Acknowledged).await;
}

/// SOGo forgets what left the filter window; a recall must still reach the phone that keeps it.
#[tokio::test]
async fn forgetting_on_soft_delete() {
    let town = Town::on_a_manual_clock().await;
    town.mail("old").await;
    let mut phone = town.phone("ann", Profile::android()).await;
    let inbox = phone.inbox();
    assert!(phone.holds("old"));
    // Three days of mail on the phone, from now on; four days pass.
    phone.driver.phone.cache.collections.get_mut(&inbox).unwrap().filter = Some(2);
    town.clock.advance(std::time::Duration::from_secs(4 * 24 * 60 * 60));
    town.mail("new").await;
    let lost = phone.lose_sync().await.expect("it leaves the window");
    assert_eq!(adds(&lost), ["new"]);
    assert!(deletes(&lost).is_empty());
    // Whether the phone dropped it nobody knows: the answer was lost. So the recall says Delete.
    let order = town.recall("old").await;
    town.until_state(order, "ann", State::Queued).await;
    let answer = phone.sync().await.expect("the Delete");
    assert_eq!(deletes(&answer).len(), 1);
    phone.sync().await;
    town.until_state(order, "ann", State::Acknowledged).await;
    assert_eq!(phone.subjects(), ["new"]);
}

/// The phone stores half an answer and dies; what it stored is deleted all the same.
#[tokio::test]
async fn half_an_answer_was_stored() {
    let town = Town::open().await;
    let mut phone = town.phone("ann", Profile::android()).await;
    town.mail("one").await;
    town.mail("two").await;
    phone.half(1).await;
    let stored = phone.subjects();
    assert_eq!(stored.len(), 1);
    let mut laptop = town.phone("ann", Profile::ios()).await;
    let (inbox, id) = (laptop.inbox(), laptop.id_of(&stored[0]));
    let delete = SyncAsk { deletes_as_moves: Some(false), ..SyncAsk::of(&inbox) };
    laptop.sync_with(delete.with(Phone::delete(&id))).await;
    phone.catch_up().await;
    assert_eq!(phone.subjects().len(), 1);
    assert!(!phone.holds(&stored[0]));
}

/// The phone dropped it when it left the window, and said so by its key: there is nothing left to delete.
#[tokio::test]
async fn a_mail_that_the_phone_dropped_itself() {
    let town = Town::on_a_manual_clock().await;
    town.mail("old").await;
    let mut phone = town.phone("ann", Profile::android()).await;
    let inbox = phone.inbox();
    phone.driver.phone.cache.collections.get_mut(&inbox).unwrap().filter = Some(2);
    town.clock.advance(std::time::Duration::from_secs(4 * 24 * 60 * 60));
    phone.catch_up().await;
    assert!(!phone.holds("old"));
    let order = town.recall("old").await;
    let pair = town.until_state(order, "ann", State::Acknowledged).await;
    assert_eq!(pair.reason, Some(ReasonCode::RemovedEarlier));
    assert!(phone.sync().await.is_none(), "nothing is owed");
}

/// An answer is lost, and the phone asks again with something new to say: both are done, each once.
#[tokio::test]
async fn deleted_while_the_line_was_bad() {
    let town = Town::open().await;
    for name in ["one", "two", "three"] {
        town.mail(name).await;
    }
    let mut phone = town.phone("ann", Profile::android()).await;
    let (inbox, trash) = (phone.inbox(), folder(phone.phone(), FolderType::DELETED_ITEMS));
    let first = SyncAsk::of(&inbox).with(Phone::delete(&phone.id_of("one")));
    phone.lose(first.clone()).await.expect("a new key");
    let both = first.with(Phone::delete(&phone.id_of("two")));
    phone.lose(both.clone()).await.expect("a new key");
    phone.sync_with(both).await.expect("a new key");
    for name in ["one", "two"] {
        let id = phone.id_of(name);
        phone.driver.phone.cache.collections.get_mut(&inbox).unwrap().items.remove(&id);
    }
    phone.catch_up().await;
    assert_eq!(phone.subjects(), ["three"]);
    let mut other = town.phone("ann", Profile::ios()).await;
    assert_eq!(other.subjects(), ["three"]);
    other.driver.catch_up(&trash).await.unwrap();
    assert_eq!(other.subjects_in(&trash), ["one", "two"]);
}
