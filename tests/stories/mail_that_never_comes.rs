//! "My phone shows ten of my hundred mails." What makes folders stand still with other servers, and not with this one.

use activesync_phone::Profile;
use activesync_phone::activesync::status::Status;
use activesync_phone::driver::Driver;

use super::town::{CHANGES, Handset, LONG_S, Town, adds};

/// SOGo stops at the first window when one answer of the first sync is lost.
#[tokio::test]
async fn the_stalled_folder() {
    let town = Town::open().await;
    for number in 0..25 {
        town.mail(&format!("mail {number:02}").replace(' ', "-")).await;
    }
    let mut phone = town.new_phone("ann", Profile::android());
    phone.driver.set_up().await.unwrap();
    phone.sync().await.expect("the first key");
    phone.sync().await.expect("ten mails");
    assert_eq!(phone.subjects().len(), 10);
    for _ in 0..2 {
        let lost = phone.lose_sync().await.expect("ten more");
        assert_eq!(adds(&lost).len(), 10);
        assert!(lost.more_available);
    }
    phone.catch_up().await;
    assert_eq!(phone.subjects().len(), 25);
}

/// SOGo never syncs a folder that was just migrated: nothing ever changed in it. Here mail was there before the phone was.
#[tokio::test]
async fn the_cold_mailbox() {
    let town = Town::open().await;
    town.mail("migrated").await;
    let town = town.restart().await;
    let phone = town.phone("ann", Profile::ios()).await;
    assert_eq!(phone.subjects(), ["migrated"]);
}

/// The same gateway behind a reverse proxy that ends TLS: plain HTTP on loopback.
#[tokio::test]
async fn behind_a_reverse_proxy() {
    let town = Town::open().await;
    town.mail("one").await;
    let phone = town.new_phone("ann", Profile::ios()).driver.phone;
    let mut phone = Handset::new(Driver::new(phone, town.plain_line()));
    phone.driver.set_up().await.unwrap();
    phone.catch_up().await;
    assert_eq!(phone.subjects(), ["one"]);
}

/// Push is on without anybody asking for it: a Ping waits for minutes and is answered when mail comes.
#[tokio::test]
async fn push_off_by_default() {
    let town = Town::open().await;
    let mut phones = Vec::new();
    // Other servers stop serving anybody at three and five waiting phones.
    for user in ["ann", "ben", "cas"] {
        for profile in [Profile::ios(), Profile::android(), Profile::nine()] {
            phones.push(town.phone(user, profile).await);
        }
    }
    let count = phones.len();
    let waiting: Vec<_> = phones
        .into_iter()
        .map(|mut phone| {
            tokio::spawn(async move {
                let told = phone.ping(LONG_S).await;
                (phone, told)
            })
        })
        .collect();
    town.until_waiting(count).await;
    town.mail_to(&["ann", "ben", "cas"], "news").await;
    for waiting in waiting {
        let (mut phone, told) = waiting.await.unwrap();
        assert_eq!(told.status, CHANGES);
        assert_eq!(told.folders.len(), 1);
        phone.catch_up().await;
        assert_eq!(phone.subjects(), ["news"]);
    }
}

/// A window of one, and mail that comes while the folder is read: everything arrives, once.
#[tokio::test]
async fn mail_comes_in_while_the_folder_is_read() {
    let town = Town::open().await;
    for number in 0..5 {
        town.mail(&format!("old-{number}")).await;
    }
    let mut phone = town.new_phone("ann", Profile { window_size: 1, ..Profile::ios() });
    phone.driver.set_up().await.unwrap();
    phone.sync().await.expect("the first key");
    let mut seen = Vec::new();
    for number in 0..20 {
        if number < 3 {
            town.mail(&format!("new-{number}")).await;
        }
        let Some(answer) = phone.sync().await else { break };
        assert_eq!(answer.status, Status(1));
        seen.extend(adds(&answer));
    }
    seen.sort();
    assert_eq!(seen, ["new-0", "new-1", "new-2", "old-0", "old-1", "old-2", "old-3", "old-4"]);
    assert_eq!(phone.subjects(), seen);
}
