//! In front of mailboxes that are not ours: everybody is reached through the relay, and copies go into the store exactly once.

use std::time::Duration;

use super::relay::{FakeRelay, Manners};
use super::*;
use crate::clock::Timestamp;
use crate::database::Tx;
use crate::delivery::tables;
use crate::ids::{DeviceId, MailboxId};
use crate::keyring::Keyring;
use crate::mailbox::{Arrival, FolderKind};
use crate::params;

/// The store behind is the embedded one, used through the trait alone.
struct Rig {
    house: House,
    relay: FakeRelay,
    outbox: Outbox,
    ring: Keyring,
}

const SENT: u32 = 4;

async fn rig() -> Rig {
    let (house, relay) = (House::new().await, FakeRelay::start().await);
    let way = Relay::new(RelaySettings::new("127.0.0.1", relay.port, Security::Plain));
    house.store.mailbox_of(ANN).await.unwrap();
    let ring = Keyring::new(house.clock.clone(), Duration::from_secs(600));
    let outbox = Outbox::new(postman(&house), Some(way), OutboxSettings::default())
        .in_front_of(Arc::new(house.store.clone()))
        .for_users(ring.clone());
    Rig { house, relay, outbox, ring }
}

impl Rig {
    async fn submits(&self, id: &str) -> Submitted {
        let wanted = submission(id, &["bob@a.example", "eve@x.example"]);
        let client = Some(ClientKey::new(DeviceId(7), id));
        self.outbox.submit(Submission { client, ..wanted }).await.unwrap()
    }

    async fn files(&self) -> Option<Timestamp> {
        self.outbox.file_due().await.unwrap()
    }

    async fn sent(&self) -> usize {
        lying_in(&self.house, ANN, SENT).await.len()
    }

    async fn quota(&self, bytes: Option<u64>) {
        self.house.store.set_quota(MailboxId(1), bytes).await.unwrap();
    }

    async fn owed(&self) -> u64 {
        self.outbox.filings_owed().await.unwrap()
    }
}

#[tokio::test]
async fn everybody_is_reached_through_the_relay_and_sent_items_by_the_store() {
    let rig = rig().await;
    let submitted = rig.submits("m").await;
    assert_eq!((submitted.sent, rig.sent().await, rig.owed().await), (None, 0, 1));
    rig.outbox.run_due().await.unwrap();
    let seen = rig.relay.saw();
    assert_eq!(seen[0].to, ["RCPT TO:<bob@a.example>", "RCPT TO:<eve@x.example>"]);
    assert!(inbox(&rig.house, BOB).await.is_empty());
    assert_eq!(rig.files().await, None);
    assert_eq!(
        lying_in(&rig.house, ANN, SENT).await,
        [String::from_utf8(mail("m").to_vec()).unwrap()]
    );
    let store: &dyn Mailbox = &rig.house.store;
    let copy = store.find("m@a.example").await.unwrap().remove(0);
    let item = store.items(copy.folder, &[copy.item]).await.unwrap().remove(0);
    assert!(item.read, "what one has written oneself");
    assert!(rig.submits("m").await.repeated);
    assert_eq!((rig.files().await, rig.sent().await, rig.owed().await), (None, 1, 0));
    assert_eq!(rig.house.store.bodies().hashes().unwrap().len(), 1, "nobody else needs the body");
}

#[tokio::test]
async fn a_store_that_does_not_take_it_is_asked_again_with_growing_patience() {
    let rig = rig().await;
    rig.quota(Some(10)).await;
    rig.submits("m").await;
    let begun = rig.house.clock.now();
    assert_eq!(rig.files().await, Some(begun.after(Duration::from_secs(10))));
    rig.house.clock.advance(Duration::from_secs(10));
    assert_eq!(rig.files().await, Some(begun.after(Duration::from_secs(70))));
    rig.quota(None).await;
    rig.files().await;
    assert_eq!(rig.sent().await, 0, "not before its time");
    rig.ring.present(ANN, word("secret word"));
    rig.outbox.welcome_one(ANN).await.unwrap();
    assert_eq!(
        (rig.files().await, rig.sent().await, rig.owed().await),
        (None, 1, 0),
        "or its user"
    );
}

/// We died between the store's answer and our commit, and the store has forgotten the token.
#[tokio::test]
async fn an_attempt_that_had_begun_looks_whether_the_copy_is_there() {
    let rig = rig().await;
    let submitted = rig.submits("m").await;
    let store: &dyn Mailbox = &rig.house.store;
    let mailbox = store.mailbox_of(ANN).await.unwrap();
    let folders = store.folders(mailbox).await.unwrap();
    let of = |kind| folders.iter().find(|folder| folder.kind == kind).unwrap().id;
    let now = rig.house.clock.now();
    let begin =
        move |tx: &Tx<'_>| tx.execute(tables::BEGIN_FILING, params![submitted.outbox.0, now]);
    let begun: Result<usize, crate::database::Error> =
        rig.house.store.database().write(begin).await;
    assert_eq!(begun, Ok(1));
    store.append(of(FolderKind::SentItems), mail("m"), Arrival::default()).await.unwrap();
    assert_eq!((rig.files().await, rig.sent().await, rig.owed().await), (None, 1, 0));
}

/// A copy elsewhere, in a folder one sends oneself mail to for instance, is another one.
#[tokio::test]
async fn a_copy_elsewhere_is_not_taken_for_it() {
    let rig = rig().await;
    rig.quota(Some(10)).await;
    rig.submits("m").await;
    rig.files().await;
    rig.quota(None).await;
    let store: &dyn Mailbox = &rig.house.store;
    let mailbox = store.mailbox_of(ANN).await.unwrap();
    let inbox = store.folder(mailbox, CollectionNumber(1)).await.unwrap();
    store.append(inbox.id, mail("m"), Arrival::default()).await.unwrap();
    rig.house.clock.advance(Duration::from_secs(10));
    assert_eq!((rig.files().await, rig.sent().await), (None, 1));
}

#[tokio::test]
async fn what_fails_later_comes_back_into_the_inbox_by_the_same_way() {
    let rig = rig().await;
    let to_rcpt = vec![("eve", "550 5.1.1 no such user here")];
    rig.relay.behaves(Manners { to_rcpt, ..Manners::default() });
    rig.submits("m").await;
    rig.outbox.run_due().await.unwrap();
    assert!(inbox(&rig.house, ANN).await.is_empty());
    assert_eq!(rig.owed().await, 2);
    assert_eq!(rig.files().await, None);
    let notes = inbox(&rig.house, ANN).await;
    assert!(notes.len() == 1 && notes[0].contains("Final-Recipient: rfc822; eve@x.example\r\n"));
    let store: &dyn Mailbox = &rig.house.store;
    let mailbox = store.mailbox_of(ANN).await.unwrap();
    let folder = store.folder(mailbox, CollectionNumber(1)).await.unwrap().id;
    let news = store.changes_since(folder, Cursor(0), 9).await.unwrap();
    let item = store.items(folder, &[news.changes[0].item()]).await.unwrap().remove(0);
    assert!(!item.read, "it is news");
    assert_eq!(rig.house.store.bodies().hashes().unwrap().len(), 2);
}

#[tokio::test]
async fn the_worker_pays_what_is_owed() {
    let rig = rig().await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let worker = tokio::spawn(rig.outbox.clone().run(stopped));
    rig.submits("m").await;
    let paid = async {
        while rig.owed().await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), paid).await.unwrap();
    stop.send(true).unwrap();
    worker.await.unwrap();
    assert_eq!(rig.sent().await, 1);
}
