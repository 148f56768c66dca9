//! What a gateway does while nothing happens, and while one mail comes into a large folder: as much as has changed, and no more.

use std::path::Path;
use std::time::Duration;

use activesync_phone::activesync::command::folder_sync::FolderType;
use activesync_phone::{Outcome, Profile};
use retract::mailbox::{Arrival, FolderKind, Mailbox as _};

use super::town::{CHANGES, Handset, LONG_S, Town, folder, raw};

/// Some servers write the list of everything in a folder on each request. Here a mail costs the same in a small and in a large folder.
#[tokio::test]
async fn whole_state_rewrite() {
    let town = Town::open().await;
    let few = pages_for_a_mail(&town, "ann", FEW).await;
    let many = pages_for_a_mail(&town, "ben", MANY).await;
    // A tree may be a level deeper; a list of everything would take tens of pages.
    assert!(many <= few + 8, "{few} pages with {FEW} mails, {many} with {MANY}");
}

/// Some servers look into each folder for each phone every few seconds. Here nobody asks the store anything while phones wait, and one mail
/// wakes those that wait for it.
#[tokio::test]
async fn poll_per_folder() {
    let town = Town::open().await;
    let mut waiting = Vec::new();
    for profile in [Profile::ios(), Profile::android(), Profile::old()] {
        let mut phone = town.phone("ann", profile).await;
        let folders = [FolderType::DRAFTS, FolderType::SENT_ITEMS, FolderType::DELETED_ITEMS];
        let mut folders = folders.map(|kind| folder(phone.phone(), kind)).to_vec();
        folders.push(phone.inbox());
        for folder in &folders {
            phone.driver.catch_up(folder).await.unwrap();
        }
        waiting.push(tokio::spawn(waits(phone, folders)));
    }
    town.until_waiting(waiting.len()).await;
    let database = &town.server.house.database;
    settled(database).await;
    let before = database.jobs();
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(database.jobs(), before, "somebody polls");
    town.mail("one").await;
    for woken in waiting {
        assert_eq!(woken.await.unwrap(), [1], "the Inbox, and nothing else");
    }
}

/// Waits with a Ping of all the folders; gives how many of them have changed.
async fn waits(mut phone: Handset, folders: Vec<String>) -> Vec<usize> {
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    let exchange = phone.phone().ping(&folders, LONG_S);
    match phone.ask(exchange).await {
        Outcome::Ping(response) => {
            assert_eq!(response.status, CHANGES);
            vec![response.folders.len()]
        }
        other => panic!("not a Ping: {other:?}"),
    }
}

/// Waits until nothing more follows from what has happened.
async fn settled(database: &retract::database::Database) {
    let mut jobs = 0;
    while jobs != database.jobs() {
        jobs = database.jobs();
        tokio::time::sleep(A_MOMENT).await;
    }
}

/// How many pages of the database are written when one mail comes to a phone that has `count` in that folder: the least of a few tries.
async fn pages_for_a_mail(town: &Town, user: &str, count: usize) -> u64 {
    fill(town, user, count).await;
    let mut phone = town.phone(user, Profile::ios()).await;
    let mut least = u64::MAX;
    for step in 0..TRIES {
        town.mail_to(&[user], &format!("late{user}{step}")).await;
        settled(&town.server.house.database).await;
        let before = journal(town.server.house.database.dir());
        phone.sync().await.expect("the mail");
        let after = journal(town.server.house.database.dir());
        if before.0 == after.0 {
            least = least.min(after.1 - before.1);
        }
    }
    assert_ne!(least, u64::MAX, "the journal was begun anew each time");
    least
}

/// Mail that was there before any phone.
async fn fill(town: &Town, user: &str, count: usize) {
    let store = &town.server.house.store;
    let found = town.server.house.directory.find(user).await.unwrap();
    let mailbox = store.mailbox_of(found.id).await.unwrap();
    let folders = store.folders(mailbox).await.unwrap();
    let inbox = folders.iter().find(|folder| folder.kind == FolderKind::Inbox).unwrap();
    for number in 0..count {
        let arrival = Arrival { received: town.clock.now(), ..Arrival::default() };
        let mail = raw(&format!("old{user}{number}"), "Old news.\r\n");
        store.append(inbox.id, mail.into_bytes().into(), arrival).await.unwrap();
    }
}

/// The generation of SQLite's write-ahead log and the pages in it.
fn journal(data: &Path) -> ([u8; 8], u64) {
    let log = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
    let log = log.into_iter().find(|path| path.to_string_lossy().ends_with("-wal")).unwrap();
    let bytes = std::fs::read(log).unwrap();
    let page = u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
    let salt: [u8; 8] = bytes[16..24].try_into().unwrap();
    let frames = bytes[LOG_HEADER..].chunks(FRAME_HEADER + page);
    let written = frames.take_while(|frame| frame.len() > FRAME_HEADER && frame[8..16] == salt);
    (salt, written.count() as u64)
}

/// Mails in a small and in a large folder.
const FEW: usize = 20;
const MANY: usize = 1_500;
/// Times a mail is sent to be measured.
const TRIES: usize = 5;
/// How long nothing happens: measured, not waited for.
const A_WHILE: Duration = Duration::from_secs(2);
/// After which two looks at the same number say that nothing goes on.
const A_MOMENT: Duration = Duration::from_millis(50);
/// Octets before the first frame of the log, and before the page in each.
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
