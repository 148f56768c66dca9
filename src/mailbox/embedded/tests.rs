//! What only the embedded store promises: bodies come and go with their rows, recall's functions, and questions that do not cost
//! what a folder holds.

use std::sync::Arc;

use parking_lot::Mutex;
use tempfile::TempDir;

use super::in_tx::{self, RemovedCopy};
use super::*;
use crate::database::Options;
use crate::directory::{Directory, NewUser, Settings};
use crate::ids::IdentityId;
use crate::mailbox::suite::{self, Rig, mail};
use crate::mailbox::{FolderEventKind, FolderKind};
use crate::secret::Secret;

/// An embedded store in a directory of its own, with two users.
pub(crate) struct House {
    pub(crate) store: Embedded,
    pub(crate) directory: Directory,
    pub(crate) clock: Clock,
    pub(crate) events: Arc<Mutex<Vec<FolderEvent>>>,
    pub(crate) dir: TempDir,
}

impl House {
    pub(crate) async fn new() -> House {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp(1_000_000));
        let database = Database::open(dir.path(), Options::quick(&clock)).unwrap();
        let directory = Directory::new(database.clone(), clock.clone(), Settings::quick()).unwrap();
        for name in ["ann", "bob"] {
            let user = NewUser {
                name: name.into(),
                address: format!("{name}@a.example"),
                password: Secret::new("correct horse".into()),
                ..NewUser::default()
            };
            directory.add_user(user).await.unwrap();
        }
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&events);
        let on_event: OnEvent = Arc::new(move |event| seen.lock().push(event));
        let bodies = Bodies::simulated();
        let store = Embedded::new(database, bodies, clock.clone(), on_event);
        House { store, directory, clock, events, dir }
    }

    fn write<T: Send + 'static>(
        &self,
        job: impl Fn(&Tx<'_>, &Embedded) -> Result<T, MailboxError> + Send + 'static,
    ) -> Result<T, MailboxError> {
        let store = self.store.clone();
        self.store.database().write_blocking(move |tx| job(tx, &store))
    }

    async fn inbox(&self) -> Folder {
        let mailbox = self.store.mailbox_of(UserId(1)).await.unwrap();
        self.store.folder(mailbox, CollectionNumber(1)).await.unwrap()
    }

    async fn put(&self, folder: &Folder, id: &str) -> ItemNumber {
        let arrival = Arrival { received: Timestamp(7), ..Arrival::default() };
        self.store.append(folder.id, mail(id, "x"), arrival).await.unwrap()
    }

    fn bodies_left(&self) -> usize {
        self.store.bodies().hashes().unwrap().len()
    }
}

async fn rig() -> Option<Rig> {
    let house = House::new().await;
    let store = Arc::new(house.store.clone());
    let (users, keeps) = ([UserId(1), UserId(2)], suite::Octets::AsTheyCame);
    Some(Rig { store, users, keeps, _keep: Box::new(house) })
}

suite::every_test!(rig);

#[tokio::test]
async fn the_last_copy_takes_the_body_along() {
    let house = House::new().await;
    let inbox = house.inbox().await;
    let (first, second) = (house.put(&inbox, "m").await, house.put(&inbox, "m").await);
    assert_eq!(house.bodies_left(), 1);
    house.store.delete(inbox.id, first).await.unwrap();
    assert_eq!(house.bodies_left(), 1);
    house.store.read(inbox.id, second).await.unwrap();
    house.store.delete(inbox.id, second).await.unwrap();
    assert_eq!(house.bodies_left(), 0);
    assert_eq!(house.store.usage(inbox.mailbox).await.unwrap().used, 0);
}

#[tokio::test]
async fn a_deleted_folder_gives_its_bodies_back() {
    let house = House::new().await;
    let inbox = house.inbox().await;
    let made = house.store.create_folder(inbox.mailbox, CollectionNumber(0), "A").await.unwrap();
    for n in 0..150 {
        house.put(&made, &format!("m{n}")).await;
    }
    house.store.delete_folder(made.id).await.unwrap();
    assert_eq!(house.bodies_left(), 0);
    assert_eq!(house.store.usage(inbox.mailbox).await.unwrap().used, 0);
}

#[tokio::test]
async fn what_a_crash_left_behind_is_tidied_at_the_start() {
    let house = House::new().await;
    let inbox = house.inbox().await;
    let made = house.store.create_folder(inbox.mailbox, CollectionNumber(0), "A").await.unwrap();
    house.put(&made, "in a folder whose deletion was cut short").await;
    house.write(move |tx, store| hierarchy::delete(tx, store, made.id)).unwrap();
    let _dropped = house.store.keep(mail("without a row", "x")).await.unwrap();
    drop(_dropped);
    house.put(&inbox, "m").await;
    assert_eq!(house.bodies_left(), 3);
    assert_eq!(house.store.tidy().await.unwrap(), 1);
    assert_eq!(house.bodies_left(), 1);
}

#[tokio::test]
async fn a_recalled_copy_comes_back_under_a_new_number() {
    let house = House::new().await;
    let inbox = house.inbox().await;
    let number = house.put(&inbox, "m").await;
    let state = StateChange {
        read: Some(true),
        categories: Some(vec!["c".into()]),
        ..StateChange::default()
    };
    house.store.set_state(inbox.id, number, state).await.unwrap();
    let before = house.store.items(inbox.id, &[number]).await.unwrap().remove(0);
    let removed = house.write(move |tx, s| in_tx::remove(tx, s, inbox.id, number)).unwrap();
    assert!(house.store.find("m@a.example").await.unwrap().is_empty());
    assert_eq!(house.bodies_left(), 1, "the vault holds it");
    assert_eq!(house.store.octets(removed.body.hash).await.unwrap(), mail("m", "x"));
    let copy = house.write(move |tx, s| in_tx::restore(tx, s, &removed)).unwrap();
    assert!(copy.folder == inbox.id && copy.item > number);
    let (after, raw) = house.store.read(inbox.id, copy.item).await.unwrap();
    assert_eq!(raw, mail("m", "x"));
    let moved = Item { item: after.item, seq: after.seq, arrived: after.arrived, ..before };
    assert_eq!(after, moved);
}

#[tokio::test]
async fn a_restored_copy_finds_its_place() {
    let house = House::new().await;
    let inbox = house.inbox().await;
    let store = &house.store;
    let above = store.create_folder(inbox.mailbox, CollectionNumber(0), "Above").await.unwrap();
    let place = store.create_folder(inbox.mailbox, above.number, "Place").await.unwrap();
    let removed = remove_from(&house, &place, "m").await;
    store.delete_folder(place.id).await.unwrap();
    let copy = house.write(move |tx, s| in_tx::restore(tx, s, &removed)).unwrap();
    let folders = store.folders(inbox.mailbox).await.unwrap();
    let again = folders.iter().find(|folder| folder.id == copy.folder).unwrap();
    assert_eq!((again.name.as_str(), again.parent), ("Place", above.number));
    let removed = remove_from(&house, again, "n").await;
    store.delete_folder(above.id).await.unwrap();
    let copy = house.write(move |tx, s| in_tx::restore(tx, s, &removed)).unwrap();
    assert_eq!(copy.folder, inbox.id, "its place is gone with all above it");
}

async fn remove_from(house: &House, folder: &Folder, id: &str) -> RemovedCopy {
    let (from, number) = (folder.id, house.put(folder, id).await);
    house.write(move |tx, store| in_tx::remove(tx, store, from, number)).unwrap()
}

#[tokio::test]
async fn a_forgotten_copy_is_gone_for_good() {
    let house = House::new().await;
    let inbox = house.inbox().await;
    let removed = remove_from(&house, &inbox, "m").await;
    let hash = removed.body.hash;
    house.write(move |tx, store| Ok(in_tx::forget(tx, store, hash)?)).unwrap();
    assert_eq!(house.bodies_left(), 0);
    let lost = house.write(move |tx, store| in_tx::restore(tx, store, &removed));
    assert!(matches!(lost, Err(MailboxError::Ours(_))));
}

#[tokio::test]
async fn those_who_wait_are_told_after_the_commit() {
    let house = House::new().await;
    let inbox = house.inbox().await;
    let number = house.put(&inbox, "m").await;
    let failed = house.write(move |tx, store| {
        in_tx::delete(tx, store, inbox.id, number)?;
        Err::<(), _>(MailboxError::NotAllowed("changed my mind"))
    });
    assert!(failed.is_err());
    house.store.delete(inbox.id, number).await.unwrap();
    let kinds: Vec<FolderEventKind> = house.events.lock().iter().map(|event| event.kind).collect();
    let arrived = FolderEventKind::Arrived { identity: IdentityId(1) };
    assert_eq!(kinds, [arrived, FolderEventKind::Removed]);
}

#[tokio::test]
async fn a_full_mailbox_or_disk_says_so() {
    let house = House::new().await;
    let inbox = house.inbox().await;
    house.store.set_quota(inbox.mailbox, Some(200)).await.unwrap();
    house.put(&inbox, "m").await;
    let full = house.store.append(inbox.id, mail("n", "x"), Arrival::default()).await;
    assert!(matches!(full, Err(MailboxError::Full)));
    assert_eq!(house.bodies_left(), 1, "refused mail does not stay on the disk");
    house.store.set_quota(inbox.mailbox, None).await.unwrap();
    house.store.bodies().set_full(true);
    let full = house.store.append(inbox.id, mail("o", "x"), Arrival::default()).await;
    assert!(matches!(full, Err(MailboxError::Full)));
    assert_eq!(house.store.find("m@a.example").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_token_is_forgotten_after_a_fortnight() {
    let house = House::new().await;
    let inbox = house.inbox().await;
    let arrival = Arrival { once: Some("t".into()), ..Arrival::default() };
    let first = house.store.append(inbox.id, mail("m", "x"), arrival.clone()).await.unwrap();
    house.clock.advance(std::time::Duration::from_secs(13 * 86_400));
    let again = house.store.append(inbox.id, mail("m", "x"), arrival.clone()).await.unwrap();
    house.clock.advance(std::time::Duration::from_secs(2 * 86_400));
    let new = house.store.append(inbox.id, mail("m", "x"), arrival).await.unwrap();
    assert!(first == again && new != first);
}

#[tokio::test]
async fn an_arrival_the_hook_refuses_does_not_arrive() {
    let house = House::new().await;
    let inbox = house.inbox().await;
    let deny: OnArrival = Arc::new(|_, _, _| Err(MailboxError::NotAllowed("fenced")));
    let (store, quiet) = (&house.store, Arc::new(|_| ()));
    let strict = Embedded::with_arrivals(
        store.database().clone(),
        store.bodies().clone(),
        house.clock.clone(),
        quiet,
        deny,
    );
    let refused = strict.append(inbox.id, mail("m", "x"), Arrival::default()).await;
    assert!(matches!(refused, Err(MailboxError::NotAllowed("fenced"))));
    assert!(store.find("m@a.example").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_damaged_body_is_an_error_and_stays_listed() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::new().await;
    let bodies = Bodies::open(dir.path(), false).unwrap();
    let database = house.store.database().clone();
    let store = Embedded::new(database, bodies, house.clock.clone(), Arc::new(|_| ()));
    let mailbox = store.mailbox_of(UserId(1)).await.unwrap();
    let inbox = store.folder(mailbox, CollectionNumber(1)).await.unwrap();
    let number = store.append(inbox.id, mail("m", "x"), Arrival::default()).await.unwrap();
    let hash = BodyHash::of(&mail("m", "x"));
    let file = dir.path().join("bodies").join(&hash.to_string()[..2]).join(hash.to_string());
    std::fs::write(&file, b"other").unwrap();
    assert!(matches!(store.read(inbox.id, number).await, Err(MailboxError::Unreadable(_))));
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(store.read(inbox.id, number).await, Err(MailboxError::Unreadable(_))));
    assert_eq!(store.items(inbox.id, &[number]).await.unwrap().len(), 1);
}

/// Every question that is asked at each sync goes down an index and sorts nothing.
#[tokio::test]
async fn no_question_costs_what_the_folder_holds() {
    let house = House::new().await;
    let plans = [
        (tables::CHANGES_SINCE, "messages_by_change (folder_id=? AND change_seq>?)"),
        (tables::BELOW, "messages_by_time (folder_id=? AND received_at>? AND (received_at,item)<"),
        (tables::ABOVE, "messages_by_time (folder_id=? AND (received_at,item)>"),
        (tables::READ_ITEM, "(folder_id=? AND item=?)"),
        (tables::COPIES_BY_MESSAGE_ID, "identities_by_message_id (message_id=?)"),
        (tables::COPIES_BY_IDENTITY, "messages_by_identity (identity_id=?)"),
        (tables::FOLDER_BY_NUMBER, "(mailbox_id=? AND number=?)"),
        (tables::FIND_ONCE, "(mailbox_id=? AND token=?)"),
    ];
    for (sql, wanted) in plans {
        let plan = plan_of(&house, sql);
        assert!(plan.iter().any(|step| step.contains(wanted)), "{sql}\n{plan:#?}");
        let costs = plan.iter().any(|step| step.contains("SCAN") || step.contains("B-TREE"));
        let sorts_few = sql.contains("JOIN");
        assert!(!costs || sorts_few, "{sql}\n{plan:#?}");
    }
}

fn plan_of(house: &House, sql: &'static str) -> Vec<String> {
    let file = house.dir.path().read_dir().unwrap().flatten().map(|entry| entry.path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|e| e == "db")).unwrap();
    let connection = rusqlite::Connection::open(file).unwrap();
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let wanted = statement.parameter_count();
    let nothing = vec![0_i64; wanted];
    let rows = statement.query_map(rusqlite::params_from_iter(nothing), |row| row.get(3)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[tokio::test]
async fn the_inbox_is_number_one() {
    let house = House::new().await;
    let mailbox = house.store.mailbox_of(UserId(2)).await.unwrap();
    assert_eq!(mailbox, MailboxId(2));
    let inbox = house.store.folder(mailbox, CollectionNumber(1)).await.unwrap();
    assert_eq!(inbox.kind, FolderKind::Inbox);
}

#[tokio::test]
async fn a_conversation_is_filed_until_its_folder_goes_or_the_inbox_is_named() {
    let house = House::new().await;
    let (store, inbox) = (&house.store, house.inbox().await);
    let attic = store.create_folder(inbox.mailbox, CollectionNumber(0), "Attic").await.unwrap();
    let goes_to = |conversation: &'static [u8]| {
        let mailbox = inbox.mailbox;
        store.read_job(move |tx| in_tx::folder_for(tx, mailbox, conversation))
    };
    assert_eq!(goes_to(b"a").await.unwrap().id, inbox.id);
    store.file_conversation(inbox.mailbox, b"a", attic.id).await.unwrap();
    assert_eq!(goes_to(b"a").await.unwrap().id, attic.id);
    assert_eq!(goes_to(b"b").await.unwrap().id, inbox.id);
    store.file_conversation(inbox.mailbox, b"a", inbox.id).await.unwrap();
    assert_eq!(goes_to(b"a").await.unwrap().id, inbox.id);
    store.file_conversation(inbox.mailbox, b"a", attic.id).await.unwrap();
    store.delete_folder(attic.id).await.unwrap();
    assert_eq!(goes_to(b"a").await.unwrap().id, inbox.id);
    let gone = store.file_conversation(inbox.mailbox, b"a", attic.id).await;
    assert!(matches!(gone, Err(MailboxError::NoSuchFolder)), "{gone:?}");
}
