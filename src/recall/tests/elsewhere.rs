//! Recall of mail on real servers: what is done there, what cannot be, what a crash leaves, and what the report says.

use std::sync::Arc;

use imap_sans::{
    Command, Data, DateTime, Flag as Wire, Ids, Limits as LineLimits, Mailbox as Wired, NumberSet,
    Sasl, SearchKey, SelectSync, StoreMode, Untagged,
};

use super::*;
use crate::keyring::{Credential, CredentialKind, Keyring};
use crate::mailbox::Freshness;
use crate::mailbox::imap::link::{Link, Place as Server, Security};
use crate::mailbox::imap::tests::{ONE_AT_A_TIME, no_tls, rig};
use crate::mailbox::imap::{Access, Imap, PoolSettings};

/// A gateway in front of a server, with Anna (1) and Berta (2).
struct There {
    house: House,
    imap: Imap,
    keyring: Keyring,
    port: u16,
    _server: Box<dyn std::any::Any>,
}

/// 2026-09-21 14:13:20 UTC; servers take no time that is yet to come.
const RECEIVED_S: i64 = 1_790_000_000;
/// Whatever the servers' own clocks say.
const ANY_AGE: Duration = Duration::from_hours(24 * 10_000);

impl There {
    async fn on(server: Option<rig::Server>) -> Option<There> {
        let server = server?;
        let limits =
            Limits { senders_may_recall: true, sender_age_max: ANY_AGE, ..Limits::default() };
        let house = House::with(&[], limits).await;
        let directory =
            Directory::new(house.db.clone(), house.clock.clone(), Settings::quick()).unwrap();
        for name in ["anna", "berta"] {
            let new = NewUser {
                name: name.into(),
                address: format!("{name}@a.example"),
                password: Secret::new("correct horse".into()),
                ..NewUser::default()
            };
            directory.add_user(new).await.unwrap();
        }
        let keyring = Keyring::new(house.clock.clone(), Duration::from_hours(1_000));
        let port = server.port;
        let (house, imap) = front(house, port, &keyring);
        let there = There { house, imap, keyring, port, _server: Box::new(server) };
        there.comes(1);
        there.comes(2);
        Some(there)
    }

    /// A user's phone signs in.
    fn comes(&self, user: i64) {
        let credential = Credential {
            login: ["anna", "berta"][usize::try_from(user).unwrap() - 1].into(),
            kind: CredentialKind::Password,
            secret: Secret::new("pw".into()),
        };
        self.keyring.present(UserId(user), credential);
    }

    async fn crashes(self) -> There {
        let There { house, imap, keyring, port, _server } = self;
        let House { db, clock, dir, limits, store, recall, board } = house;
        db.stop();
        drop((db, store, recall, board, imap));
        // What was cut off lets go of the database when it is next looked at.
        let until = std::time::Instant::now() + PATIENCE;
        while let Err(error) = Database::open(dir.path(), Options::quick(&clock)).map(drop) {
            assert!(std::time::Instant::now() < until, "{error}");
            tokio::task::yield_now().await;
        }
        let house = House::open(dir, clock, limits);
        let (house, imap) = front(house, port, &keyring);
        There { house, imap, keyring, port, _server }
    }

    async fn works(&self) {
        self.house.recall.work_off().await.unwrap();
    }

    async fn report(&self, order: OrderId) -> Coverage {
        self.house.recall.coverage(order).await.unwrap()
    }

    /// Everything here is what the server has.
    async fn looks(&self, user: i64) {
        let mailbox = self.imap.mailbox_of(UserId(user)).await.unwrap();
        self.imap.refresh(mailbox, Freshness::Folders).await.unwrap();
        let folders = self.imap.folders(mailbox).await.unwrap();
        let folders = folders.iter().map(|folder| folder.id).collect();
        self.imap.refresh(mailbox, Freshness::Items(folders)).await.unwrap();
    }

    /// Another program of a user, past the gateway.
    async fn other(&self, user: &str) -> Other {
        let place = place(self.port);
        let mut link = Link::connect(&place, &no_tls(), LineLimits::DEFAULT).await.unwrap();
        let password = imap_sans::Secret::new(b"pw");
        link.sign_in(Sasl::Plain { act_as: None, user: user.into(), password }).await.unwrap();
        Other(link)
    }
}

fn place(port: u16) -> Server {
    Server { host: "127.0.0.1".into(), port, security: Security::None }
}

/// The same house with its mail on a server.
fn front(house: House, port: u16, keyring: &Keyring) -> (House, Imap) {
    let settings = PoolSettings::new(place(port), Access::Owner);
    let recalled = Some(recalled());
    let imap = Imap::new(house.store.clone(), settings, no_tls(), keyring.clone(), recalled);
    let rooms = Rooms {
        store: house.store.clone(),
        elsewhere: Some(Arc::new(imap.clone())),
        board: house.board.clone(),
        bells: Bells::new(),
    };
    let recall = Recall::new(house.db.clone(), house.clock.clone(), rooms, house.limits);
    (House { recall, ..house }, imap)
}

/// What a program sees of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lies {
    uid: u32,
    flags: Vec<String>,
    received_s: i64,
    octets: Vec<u8>,
}

struct Other(Link);

impl Other {
    async fn puts(&mut self, folder: &str, raw: &Bytes, flags: &[&str]) {
        let mailbox = Wired::new(folder);
        if folder != "INBOX" && folder != "Sent" {
            let create = Command::Create { mailbox: mailbox.clone(), special_use: None };
            let _there_already = self.0.run(create).await;
        }
        let flags = flags.iter().map(|flag| Wire::new(flag)).collect();
        let (date, octets) = (Some(DateTime::utc(RECEIVED_S)), raw.to_vec());
        self.0.run(Command::Append { mailbox, flags, date, octets }).await.unwrap();
    }

    async fn opens(&mut self, folder: &str) {
        let (mailbox, sync) = (Wired::new(folder), SelectSync::Plain);
        self.0.run(Command::Select { mailbox, read_only: false, sync }).await.unwrap();
    }

    /// Every message of a folder.
    async fn sees(&mut self, folder: &str) -> Vec<Lies> {
        self.opens(folder).await;
        let items = vec![
            imap_sans::FetchItem::Uid,
            imap_sans::FetchItem::Flags,
            imap_sans::FetchItem::InternalDate,
            imap_sans::FetchItem::Content {
                section: imap_sans::Section { path: Vec::new(), text: imap_sans::SectionText::All },
                partial: None,
            },
        ];
        let search = Command::Search { uid: true, returns: Vec::new(), key: SearchKey::All };
        let found = self.0.run(search).await.unwrap();
        let mut all = NumberSet::default();
        for one in &found.data {
            match one {
                Untagged::Search(search) => all = search.found.clone(),
                Untagged::Esearch(search) => all = search.all.clone(),
                _ => {}
            }
        }
        if all.is_empty() {
            return Vec::new();
        }
        let (changed_since, vanished) = (None, false);
        let fetch = Command::Fetch { ids: Ids::Uids(all), items, changed_since, vanished };
        let answer = self.0.run(fetch).await.unwrap();
        let mut lies: Vec<Lies> = answer
            .fetches()
            .filter_map(|fetch| {
                let octets = match &fetch.contents.first()?.data {
                    Data::Octets(octets) => octets.clone(),
                    Data::Streamed { literal, .. } => answer.streamed[literal].clone(),
                    Data::Nil => Vec::new(),
                };
                let flags = fetch.flags.as_ref()?.iter().map(Wire::to_string);
                let mut flags: Vec<String> = flags.filter(|flag| flag != "\\Recent").collect();
                flags.sort();
                let received_s = fetch.internal_date?.unix_s;
                Some(Lies { uid: fetch.uid?, flags, received_s, octets })
            })
            .collect();
        lies.sort_by_key(|one| one.uid);
        lies
    }

    async fn marks_deleted(&mut self, folder: &str, uid: u32) {
        self.opens(folder).await;
        let (ids, mode) = (Ids::Uids([uid].into_iter().collect()), StoreMode::Add);
        let flags = vec![Wire::Deleted];
        let store = Command::Store { ids, unchanged_since: None, mode, silent: true, flags };
        self.0.run(store).await.unwrap();
    }

    async fn moves(&mut self, from: &str, uid: u32, to: &str) {
        let mailbox = Wired::new(to);
        let create = Command::Create { mailbox: mailbox.clone(), special_use: None };
        let _there_already = self.0.run(create).await;
        self.opens(from).await;
        let ids = Ids::Uids([uid].into_iter().collect());
        self.0.run(Command::Move { ids, to: mailbox }).await.unwrap();
    }
}

/// The same but for the UID, which is always new.
fn without_uid(all: Vec<Lies>) -> Vec<Lies> {
    all.into_iter().map(|one| Lies { uid: 0, ..one }).collect()
}

async fn alone() -> tokio::sync::OwnedMutexGuard<()> {
    ONE_AT_A_TIME.clone().lock_owned().await
}

/// In a folder a phone would ask for, in one no phone ever did, and marked deleted: all of it goes, nothing else, and all comes back.
async fn goes_and_comes_back(there: There) {
    let mut other = there.other("berta").await;
    let (raw, stays) = (mail("m", "oops"), mail("other", "stays"));
    other.puts("INBOX", &stays, &[]).await;
    other.puts("INBOX", &raw, &["\\Seen", "\\Flagged", "\\Answered", "Blue"]).await;
    other.puts("Never asked for", &raw, &[]).await;
    let mailbox = there.imap.mailbox_of(UserId(2)).await.unwrap();
    let inbox = there.house.folder(2, FolderKind::Inbox).await;
    there.imap.refresh(mailbox, Freshness::Items(vec![inbox.id])).await.unwrap();
    other.puts("INBOX", &raw, &[]).await;
    let last = other.sees("INBOX").await[2].uid;
    other.marks_deleted("INBOX", last).await;
    let (inbox, never) = (other.sees("INBOX").await, other.sees("Never asked for").await);
    let order = there.house.orders("m").await;
    there.works().await;
    // Without UIDPLUS the one marked deleted has to go first, and that is found later.
    there.house.clock.advance(Duration::from_hours(2));
    there.works().await;
    assert_eq!(other.sees("INBOX").await, [inbox[0].clone()]);
    assert_eq!(other.sees("Never asked for").await, []);
    let report = there.report(order).await;
    assert_eq!((report.sealed, report.to_remove, report.to_look), (3, 0, 0));
    assert!(report.is_settled, "{report:?}");
    assert!(report.channels[0].read_elsewhere, "it was seen, and no phone has said so");
    assert_eq!(
        report.states.get(State::Outside.name()),
        Some(&4),
        "three without a mailbox here, and that reader"
    );
    there.house.recall.cancel(order, admin("root")).await.unwrap();
    there.works().await;
    assert_eq!(without_uid(other.sees("INBOX").await), without_uid(inbox));
    assert_eq!(without_uid(other.sees("Never asked for").await), without_uid(never));
    let report = there.report(order).await;
    assert_eq!((report.sealed, report.restored, report.is_settled), (3, 3, true));
    there.looks(2).await;
    assert_eq!(there.house.live("m").await.len(), 2, "each is known once, and one is hidden");
}

#[tokio::test]
async fn on_dovecot_it_goes_and_comes_back() {
    let _alone = alone().await;
    let Some(there) = There::on(rig::dovecot(true)).await else { return };
    goes_and_comes_back(there).await;
}

#[tokio::test]
async fn on_a_dovecot_without_extensions_it_goes_and_comes_back() {
    let _alone = alone().await;
    let Some(there) = There::on(rig::dovecot_saying(Some("IMAP4rev1 NAMESPACE"))).await else {
        return;
    };
    goes_and_comes_back(there).await;
}

#[tokio::test]
async fn on_cyrus_it_goes_and_comes_back() {
    let _alone = alone().await;
    let Some(there) = There::on(rig::cyrus()).await else { return };
    goes_and_comes_back(there).await;
}

/// Wherever the work is cut off, on the way out and on the way back, it is there or in the vault, and comes back once.
#[tokio::test]
async fn cut_off_anywhere_it_is_taken_up_and_comes_back_once() {
    let _alone = alone().await;
    let Some(mut there) = There::on(rig::dovecot(true)).await else { return };
    let mut other = there.other("berta").await;
    other.puts("INBOX", &mail("m", "oops"), &["\\Flagged", "Blue"]).await;
    let before = without_uid(other.sees("INBOX").await);
    for cut in 0..CUTS {
        let order = there.house.orders("m").await;
        let after = Duration::from_millis(3 * cut);
        let _cut_off = tokio::time::timeout(after, there.house.recall.work_off()).await;
        there = there.crashes().await;
        there.house.clock.advance(Duration::from_hours(2));
        // Half of the time it is cancelled half way.
        if cut % 2 == 0 {
            there.looks(2).await;
            there.works().await;
            assert_eq!(other.sees("INBOX").await, [], "cut off after {after:?}");
        }
        there.house.recall.cancel(order, admin("root")).await.unwrap();
        let _cut_off = tokio::time::timeout(after, there.house.recall.work_off()).await;
        there = there.crashes().await;
        there.house.clock.advance(Duration::from_hours(2));
        there.works().await;
        let now = without_uid(other.sees("INBOX").await);
        assert_eq!(now, before, "cut off after {after:?}");
        there.looks(2).await;
        assert_eq!(there.house.live("m").await.len(), 1, "cut off after {after:?}");
    }
}

/// A server that cannot remove one message alone, and another one marked deleted by its owner.
#[tokio::test]
async fn what_the_server_cannot_remove_alone_stays_and_is_said() {
    let _alone = alone().await;
    let Some(there) = There::on(rig::dovecot_saying(Some("IMAP4rev1 NAMESPACE"))).await else {
        return;
    };
    let mut other = there.other("berta").await;
    other.puts("INBOX", &mail("other", "bin me"), &["\\Deleted"]).await;
    other.puts("INBOX", &mail("m", "oops"), &[]).await;
    let before = other.sees("INBOX").await;
    let order = there.house.orders("m").await;
    there.works().await;
    assert_eq!(other.sees("INBOX").await, before, "nothing is changed");
    let report = there.report(order).await;
    assert_eq!((report.to_remove, report.is_settled), (1, false));
    assert_eq!(report.store_waits[0].reason, Some(ReasonCode::StoreCannotRemove));
    other.opens("INBOX").await;
    other.0.run(Command::Expunge).await.unwrap();
    there.house.clock.advance(Duration::from_hours(2));
    there.works().await;
    assert_eq!(other.sees("INBOX").await, []);
    assert!(there.report(order).await.is_settled);
}

/// Without the owner's password nothing can be done in the mailbox: it is said, the fence holds, and goes on when they come.
#[tokio::test]
async fn what_waits_for_its_owner_is_said_and_goes_on_when_they_come() {
    let _alone = alone().await;
    let Some(there) = There::on(rig::dovecot(true)).await else { return };
    let mut other = there.other("berta").await;
    other.puts("INBOX", &mail("m", "oops"), &[]).await;
    there.looks(2).await;
    there.keyring.forget(UserId(2));
    // No connection is left that was made with it.
    let there = there.crashes().await;
    let order = there.house.orders("m").await;
    there.works().await;
    let report = there.report(order).await;
    assert_eq!((report.to_remove, report.sealed, report.is_settled), (1, 0, false));
    assert_eq!(report.store_waits[0].reason, Some(ReasonCode::WaitsForOwner));
    let berta = report.recipients.iter().find(|view| view.recipient == "berta@a.example").unwrap();
    assert!(berta.reasons.contains(&ReasonCode::WaitsForOwner), "{berta:?}");
    assert_eq!(report.unlooked[0].reason, ReasonCode::WaitsForOwner);
    assert!(report.percent.is_none_or(|percent| percent < 100.0));
    assert_eq!(other.sees("INBOX").await.len(), 1);
    // Meanwhile the owner moves it, with another program.
    other.moves("INBOX", 1, "Archive").await;
    let (stop, stopped) = watch::channel(false);
    let (recall, mut changes) = (there.house.recall.clone(), there.house.recall.changes());
    let worker = tokio::spawn(async move { recall.run(stopped).await });
    there.comes(2);
    while !there.report(order).await.is_settled {
        tokio::time::timeout(PATIENCE, changes.changed()).await.unwrap().unwrap();
    }
    stop.send_replace(true);
    worker.await.unwrap();
    assert_eq!((other.sees("INBOX").await, other.sees("Archive").await), (vec![], vec![]));
    there.house.recall.cancel(order, admin("root")).await.unwrap();
    there.works().await;
    assert_eq!(other.sees("INBOX").await, []);
    assert_eq!(other.sees("Archive").await.len(), 1, "where its owner had put it");
}

/// Late mail and mail that another program moves, in a mailbox that nobody watches.
#[tokio::test]
async fn what_comes_late_is_found_while_the_order_stands() {
    let _alone = alone().await;
    let Some(there) = There::on(rig::dovecot(true)).await else { return };
    let order = there.house.orders("m").await;
    there.works().await;
    assert!(!there.report(order).await.is_met);
    let mut other = there.other("berta").await;
    other.puts("INBOX", &mail("m", "late"), &[]).await;
    other.puts("Rules put it here", &mail("m", "late"), &[]).await;
    there.house.clock.advance(LOOK_PERIOD);
    there.works().await;
    assert_eq!(other.sees("INBOX").await, []);
    assert_eq!(other.sees("Rules put it here").await, []);
    let report = there.report(order).await;
    assert_eq!((report.sealed, report.is_met, report.is_settled), (2, true, true));
}

/// A sender's order takes back what the sender wrote, and not what somebody else wrote under its Message-ID.
#[tokio::test]
async fn a_forged_message_is_not_covered_by_a_senders_order() {
    let _alone = alone().await;
    let Some(there) = There::on(rig::dovecot(true)).await else { return };
    let write = |text: &str| {
        let raw = String::from_utf8(mail("m", text).to_vec()).unwrap();
        Bytes::from(raw.replace("Ann <Ann@a.example>", "Anna <anna@a.example>"))
    };
    let (genuine, forged) = (write("the real one"), write("forged"));
    let (mut anna, mut berta) = (there.other("anna").await, there.other("berta").await);
    anna.puts("Sent", &genuine, &["\\Seen"]).await;
    berta.puts("INBOX", &genuine, &[]).await;
    berta.puts("INBOX", &forged, &[]).await;
    // Nobody has read any of them: to the mirror they are one.
    there.looks(1).await;
    there.looks(2).await;
    let by = Actor::Sender { user: UserId(1), address: "anna@a.example".into() };
    let order = there.house.recall.order(asks("m"), by, None).await.unwrap();
    there.works().await;
    let left = berta.sees("INBOX").await;
    assert_eq!(left.iter().map(|one| &one.octets[..]).collect::<Vec<_>>(), [&forged[..]]);
    assert_eq!(anna.sees("Sent").await.len(), 1, "the sender's own is left alone");
    let report = there.report(order).await;
    assert_eq!((report.sealed, report.is_settled), (1, true));
    let inbox = there.house.folder(2, FolderKind::Inbox).await;
    let live = there.house.live("m").await;
    let (_, folder, item) = *live.iter().find(|(_, folder, _)| *folder == inbox.id.0).unwrap();
    let is_covered = there.house.write(move |tx| {
        let identity = in_tx::copies_by_message_id(tx, "m@a.example")?;
        let is_it = |copy: &&crate::mailbox::Copy| (copy.folder.0, copy.item.0) == (folder, item);
        let copy = *identity.iter().find(is_it).unwrap();
        Ok(covers(tx, copy.identity, copy.mailbox, START)?.is_some())
    });
    assert!(!is_covered, "phones are shown the other one again");
}

/// How often the work is cut off.
const CUTS: u64 = 16;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);
