//! Mail that people file elsewhere, delete right after, or move twice because an answer was lost.

use activesync_phone::activesync::command::folder_sync::FolderType;
use activesync_phone::activesync::command::move_items;
use activesync_phone::activesync::status::Status;
use activesync_phone::{Commit, Outcome, Phone, Profile, SyncAsk, Waits};
use retract::recall::State;

use super::town::{Handset, Town, deletes, folder};

/// [MS-ASCMD] 2.2.3.177.10: success, and a source that is not there.
const MOVED: Status = Status(3);
const NO_SOURCE: Status = Status(1);

/// Z-Push refuses a Delete in the first Sync after a move out of that folder, and so the mail stays.
#[tokio::test]
async fn delete_after_a_move_refused() {
    let town = Town::open().await;
    town.mail("goes").await;
    town.mail("stays").await;
    town.mail("moves").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let (inbox, trash) = (phone.inbox(), folder(phone.phone(), FolderType::DELETED_ITEMS));
    phone.driver.catch_up(&trash).await.unwrap();
    let moves = phone.id_of("moves");
    let exchange = phone.phone().move_items(&inbox, &[&moves], &trash);
    let Outcome::MoveItems(moved) = phone.ask(exchange).await else { panic!("not MoveItems") };
    assert_eq!(moved.responses[0].status, Status(3));
    let delete = Phone::delete(&phone.id_of("goes"));
    let answer = phone.sync_with(SyncAsk::of(&inbox).with(delete)).await.expect("a new key");
    assert!(answer.replies.iter().all(|reply| reply.status != Status(8)), "{answer:?}");
    phone.catch_up().await;
    let mut other = town.phone("ann", Profile::android()).await;
    assert_eq!(other.subjects(), ["stays"]);
    other.driver.catch_up(&trash).await.unwrap();
    assert_eq!(other.subjects_in(&trash), ["goes", "moves"]);
}

/// The answer to a move is lost and the phone moves again: it is told the number the mail got, and there is one copy.
#[tokio::test]
async fn guessed_uid_after_a_move() {
    let town = Town::open().await;
    town.mail("moves").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let (inbox, trash) = (phone.inbox(), folder(phone.phone(), FolderType::DELETED_ITEMS));
    phone.driver.catch_up(&trash).await.unwrap();
    let moves = phone.id_of("moves");
    let exchange = phone.phone().move_items(&inbox, &[&moves], &trash);
    let lost = phone.driver.send(&exchange).await.unwrap();
    let lost = phone.driver.phone.clone().take(&exchange, &lost, Commit::All).unwrap();
    let Outcome::MoveItems(lost) = lost else { panic!("not MoveItems") };
    let again = moved(&mut phone, &inbox, &moves, &trash).await;
    assert_eq!((again.status, &again.dst_msg_id), (MOVED, &lost.responses[0].dst_msg_id));
    let mut other = town.phone("ann", Profile::android()).await;
    other.driver.catch_up(&trash).await.unwrap();
    assert_eq!(other.subjects_in(&trash), ["moves"]);
    assert!(other.subjects().is_empty());
}

/// The recall follows a mail into the folder its reader has filed it in.
#[tokio::test]
async fn message_moved_by_the_user_before_recall() {
    let town = Town::open().await;
    town.mail("secret").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let (inbox, trash) = (phone.inbox(), folder(phone.phone(), FolderType::DELETED_ITEMS));
    phone.driver.catch_up(&trash).await.unwrap();
    let id = phone.id_of("secret");
    moved(&mut phone, &inbox, &id, &trash).await;
    assert_eq!(phone.subjects_in(&trash), ["secret"]);
    let order = town.recall("secret").await;
    town.until_state(order, "ann", State::Queued).await;
    let answer = phone.sync_with(SyncAsk::of(&trash)).await.expect("the Delete");
    assert_eq!(deletes(&answer).len(), 1);
    assert!(!phone.holds("secret"));
    phone.sync_with(SyncAsk::of(&trash)).await;
    phone.catch_up().await;
    let coverage = town.until(order, |coverage| coverage.covered == coverage.pairs).await;
    assert_eq!(coverage.pairs, 1);
}

/// The app files a mail in a folder it never synced, and learns the folder's first key only at the second try.
async fn filed_where_no_key_is(town: &Town) -> (Handset, String) {
    let mut phone = town.phone("ann", Profile::ios()).await;
    let (inbox, trash) = (phone.inbox(), folder(phone.phone(), FolderType::DELETED_ITEMS));
    let exchange = phone.phone().sync(&[SyncAsk::of(&trash)], Waits::No);
    let answer = phone.driver.send(&exchange).await.unwrap();
    phone.driver.phone.take(&exchange, &answer, Commit::Items(0)).unwrap();
    let id = phone.id_of("secret");
    moved(&mut phone, &inbox, &id, &trash).await;
    assert_eq!(phone.subjects_in(&trash), ["secret"]);
    (phone, trash)
}

/// The recall follows it there: nothing reads acknowledged while the app shows the mail.
#[tokio::test]
async fn recalled_after_it_was_filed_in_a_folder_never_synced() {
    let town = Town::open().await;
    town.mail("secret").await;
    let (mut phone, trash) = filed_where_no_key_is(&town).await;
    phone.catch_up().await;
    let order = town.recall("secret").await;
    let coverage = town.until(order, |coverage| coverage.pairs == 1).await;
    assert_eq!(coverage.covered, 0);
    for _ in 0..4 {
        phone.sync_with(SyncAsk::of(&trash)).await;
        let coverage = town.until(order, |_| true).await;
        assert!(coverage.covered == 0 || !phone.holds("secret"), "{coverage:#?}");
    }
    town.until(order, |coverage| coverage.covered == coverage.pairs).await;
    assert!(!phone.holds("secret"));
}

/// As above, and somebody else deletes it before the phone has a key: it does not stay on the phone for ever.
#[tokio::test]
async fn deleted_elsewhere_after_it_was_filed_in_a_folder_never_synced() {
    let town = Town::open().await;
    town.mail("secret").await;
    let (mut phone, trash) = filed_where_no_key_is(&town).await;
    let mut other = town.phone("ann", Profile::android()).await;
    other.driver.catch_up(&trash).await.unwrap();
    let delete = Phone::delete(&other.id_of("secret"));
    other.sync_with(SyncAsk::of(&trash).with(delete)).await.expect("a new key");
    phone.driver.catch_up(&trash).await.unwrap();
    assert!(phone.subjects_in(&trash).is_empty());
}

/// Ann ignores a conversation: what there is of it goes to the trash, and what still comes goes there too, and is recalled from there.
#[tokio::test]
async fn an_ignored_conversation_stays_in_the_trash() {
    let town = Town::open().await;
    town.mail("chatter").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let trash = folder(phone.phone(), FolderType::DELETED_ITEMS);
    phone.driver.catch_up(&trash).await.unwrap();
    let conversation = {
        let (folder, id) = phone.phone().cache.find("chatter").unwrap();
        let item = &phone.phone().cache.collections[folder].items[id];
        item.email.conversation_id.clone().unwrap()
    };
    let exchange = phone.phone().move_conversation(&conversation, &trash);
    let Outcome::ItemOperations(response) = phone.ask(exchange).await else { panic!("not it") };
    assert!(format!("{response:?}").contains("Move { status: Status(1)"), "{response:?}");
    let reply = "From: Bob <bob@b.example>\r\nTo: ann@a.example\r\nSubject: more\r\n\
        Message-ID: <more@b.example>\r\nReferences: <chatter@b.example>\r\n\r\nMore of it.\r\n";
    town.post(&["ann"], reply).await;
    town.mail("news").await;
    phone.catch_up().await;
    phone.driver.catch_up(&trash).await.unwrap();
    assert_eq!(phone.subjects(), ["news"]);
    assert_eq!(phone.subjects_in(&trash), ["chatter", "more"]);
    let order = town.recall("more").await;
    phone.driver.catch_up(&trash).await.unwrap();
    phone.driver.catch_up(&trash).await.unwrap();
    town.until_state(order, "ann", State::Acknowledged).await;
    assert_eq!(phone.subjects_in(&trash), ["chatter"]);
}

/// A recalled mail cannot be carried to another folder.
#[tokio::test]
async fn a_recalled_mail_does_not_move() {
    let town = Town::open().await;
    town.mail("secret").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let (inbox, trash) = (phone.inbox(), folder(phone.phone(), FolderType::DELETED_ITEMS));
    phone.driver.catch_up(&trash).await.unwrap();
    let id = phone.id_of("secret");
    let order = town.recall("secret").await;
    assert_eq!(moved(&mut phone, &inbox, &id, &trash).await.status, NO_SOURCE);
    town.until_state(order, "ann", State::Queued).await;
    phone.catch_up().await;
    phone.driver.catch_up(&trash).await.unwrap();
    assert!(!phone.holds("secret"));
    town.until_state(order, "ann", State::Acknowledged).await;
}

async fn moved(phone: &mut Handset, from: &str, item: &str, to: &str) -> move_items::Moved {
    let exchange = phone.phone().move_items(from, &[item], to);
    let Outcome::MoveItems(response) = phone.ask(exchange).await else { panic!("not MoveItems") };
    response.responses.into_iter().next().expect("one move, one answer")
}
