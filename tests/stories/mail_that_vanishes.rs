//! "All my mail was gone, and then it all came again." What empties phones with other servers, and not with this one.

use activesync_phone::activesync::command::folder_sync::FolderType;
use activesync_phone::activesync::status::Status;
use activesync_phone::{Outcome, Phone, Profile, SyncAsk, Waits};
use retract::recall::State;

use super::town::{NOTHING, SHORT_S, Town, folder};

/// Gmail sends FolderSync with key 0 on pull-to-refresh; nothing that was synced is forgotten for it.
#[tokio::test]
async fn folder_sync_key_0_drops_collections() {
    let town = Town::open().await;
    town.mail("one").await;
    let mut phone = town.phone("ann", Profile::android()).await;
    for _ in 0..3 {
        phone.driver.phone.cache.hierarchy_key = None;
        phone.driver.sync_folders().await.unwrap();
        assert!(phone.sync().await.is_none(), "there is nothing to say");
        assert_eq!(phone.subjects(), ["one"]);
    }
    // And a recall finds the phone where it was.
    phone.driver.phone.cache.hierarchy_key = None;
    phone.driver.sync_folders().await.unwrap();
    let order = town.recall("one").await;
    town.until_state(order, "ann", State::Queued).await;
    phone.sync().await.expect("the Delete");
    phone.sync().await;
    town.until_state(order, "ann", State::Acknowledged).await;
}

/// Z-Push takes an error of the mail store for an empty folder. Here the phone hears that the server is in trouble.
#[tokio::test]
async fn mass_delete_on_a_backend_error() {
    let town = Town::open().await;
    town.mail("one").await;
    town.mail("two").await;
    let mut phone = town.phone("ann", Profile::android()).await;
    town.server.house.database.stop();
    let exchange = phone.phone().sync(&[SyncAsk::of(&phone.inbox())], Waits::No);
    let answer = phone.driver.send(&exchange).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (503, 0));
    assert!(answer.header("retry-after").is_some());
    phone.driver.hang_up();
    let town = town.restart().await;
    let mut phone = town.same_phone(phone);
    assert!(phone.sync().await.is_none(), "there is nothing to say");
    assert_eq!(phone.subjects(), ["one", "two"]);
}

/// Z-Push mistakes the mail of a folder that was made anew for that of the old one. Here it is another folder.
#[tokio::test]
async fn no_uidvalidity() {
    let town = Town::open().await;
    town.mail("one").await;
    town.mail("two").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let inbox = phone.inbox();
    let first = made(&mut phone, "Projects").await;
    phone.driver.catch_up(&first).await.unwrap();
    let one = phone.id_of("one");
    let exchange = phone.phone().move_items(&inbox, &[&one], &first);
    phone.ask(exchange).await;
    let mut other = town.phone("ann", Profile::android()).await;
    other.driver.catch_up(&first).await.unwrap();
    assert_eq!(other.subjects_in(&first), ["one"]);
    let exchange = phone.phone().folder_delete(&first);
    phone.ask(exchange).await;
    let second = made(&mut phone, "Projects").await;
    assert_ne!(first, second);
    phone.driver.catch_up(&second).await.unwrap();
    let two = phone.id_of("two");
    let exchange = phone.phone().move_items(&inbox, &[&two], &second);
    phone.ask(exchange).await;
    // The other phone still knows the old folder only.
    other.driver.sync_folders().await.unwrap();
    assert!(!other.holds("one"));
    other.driver.catch_up(&second).await.unwrap();
    assert_eq!(other.subjects_in(&second), ["two"]);
}

/// A forced resync downloads everything again and notifies again; replays of a recall's Delete never end in one by themselves.
#[tokio::test]
async fn resync_renotifies() {
    let town = Town::open().await;
    for name in ["secret", "one", "two"] {
        town.mail(name).await;
    }
    let mut phone = town.phone("ann", Profile::android()).await;
    let order = town.recall("secret").await;
    town.until_state(order, "ann", State::Queued).await;
    for _ in 0..12 {
        let lost = phone.lose_sync().await.expect("the Delete, again");
        assert_eq!((lost.status, lost.commands.len()), (Status(1), 1));
    }
    phone.sync().await.expect("the Delete, again");
    phone.sync().await;
    town.until_state(order, "ann", State::Acknowledged).await;
    assert_eq!(phone.subjects(), ["one", "two"]);
    assert_eq!(phone.ping(SHORT_S).await.status, NOTHING);
}

/// The trash is emptied on one phone: nothing but the trash is empty on the other.
#[tokio::test]
async fn the_trash_is_emptied() {
    let town = Town::open().await;
    town.mail("one").await;
    town.mail("two").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let (inbox, trash) = (phone.inbox(), folder(phone.phone(), FolderType::DELETED_ITEMS));
    let delete = Phone::delete(&phone.id_of("one"));
    phone.sync_with(SyncAsk::of(&inbox).with(delete)).await;
    phone.driver.catch_up(&trash).await.unwrap();
    let mut other = town.phone("ann", Profile::android()).await;
    other.driver.catch_up(&trash).await.unwrap();
    assert_eq!(other.subjects_in(&trash), ["one"]);
    let exchange = phone.phone().empty_folder(&trash, false);
    assert!(matches!(phone.ask(exchange).await, Outcome::ItemOperations(_)));
    other.driver.catch_up(&trash).await.unwrap();
    other.catch_up().await;
    assert!(other.subjects_in(&trash).is_empty());
    assert_eq!(other.subjects(), ["two"]);
}

async fn made(phone: &mut super::town::Handset, name: &str) -> String {
    let exchange = phone.phone().folder_create("0", name);
    let Outcome::FolderCreate(response) = phone.ask(exchange).await else {
        panic!("not FolderCreate")
    };
    assert_eq!(response.status, Status(1));
    response.server_id.expect("it has an id").to_string()
}
