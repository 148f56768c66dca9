//! The heart on its own: store, books, gate and recall under phones that lose answers, commit parts of them and begin again.
//!
//! A small simulation from one seed. After every step each device's true cache lies within the books; at its end, once every phone
//! has caught up, caches equal mailboxes, and no phone holds what reads acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::{Committed, Engine, Opened, Upload, Wins};
use crate::clock::{Clock, Timestamp};
use crate::database::{self, Bodies, Database, SYNC_KEYS};
use crate::directory::{Directory, NewUser, Settings};
use crate::ids::{ItemNumber, MailboxId};
use crate::ledger::{self, Books, Claim, Collection, Device, Exposure, Place, device};
use crate::mailbox::embedded::Embedded;
use crate::mailbox::{Arrival, Folder, FolderKind, Mailbox, StateChange};
use crate::push::Bells;
use crate::recall::gate::FenceBoard;
use crate::recall::{Actor, OrderRequest};
use crate::recall::{Limits, Recall, Rooms};
use crate::secret::Secret;
use crate::sync::turn::contents_of;

mod stories;

struct World {
    _dir: tempfile::TempDir,
    engine: Engine,
    store: Embedded,
    recall: Recall,
    clock: Clock,
    random: Random,
    mailbox: MailboxId,
    inbox: Folder,
    phones: Vec<Phone>,
    mails: u32,
    orders: Vec<(crate::ids::OrderId, u32)>,
    cancelled: BTreeSet<u32>,
    /// The FilterType all phones ask for.
    filter: u8,
    log: Vec<String>,
}

struct Phone {
    device: Arc<Device>,
    key: String,
    cache: BTreeMap<u32, bool>,
}

/// SplitMix64: enough for a test, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Taken,
    Lost,
    Part(usize),
}

impl World {
    async fn new(seed: u64) -> World {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp(1_795_507_200_000));
        let database = Database::open(dir.path(), database::Options::quick(&clock)).unwrap();
        let bodies = Bodies::simulated();
        let (bells, board) = (Bells::new(), FenceBoard::new());
        let store = Embedded::with_arrivals(
            database.clone(),
            bodies,
            clock.clone(),
            Arc::new(|_| {}),
            crate::recall::arrivals(board.clone()),
        );
        let directory = Directory::new(database.clone(), clock.clone(), Settings::quick()).unwrap();
        let user = directory.add_user(user()).await.unwrap();
        let mailbox = store.mailbox_of(user).await.unwrap();
        let folders = store.folders(mailbox).await.unwrap();
        let inbox = folders.into_iter().find(|f| f.kind == FolderKind::Inbox).unwrap();
        let now = clock.now();
        let secret = database.write(move |tx| database::mac_key(tx, SYNC_KEYS, now)).await.unwrap();
        let engine = Engine {
            database: database.clone(),
            store: Arc::new(store.clone()),
            books: Books::new(secret.bytes(), vec![1]),
            board: board.clone(),
            clock: clock.clone(),
        };
        let rooms = Rooms { store: store.clone(), elsewhere: None, board, bells };
        let recall = Recall::new(database.clone(), clock.clone(), rooms, Limits::default());
        let mut world = World {
            _dir: dir,
            engine,
            store,
            recall,
            clock,
            random: Random(seed),
            mailbox,
            inbox,
            phones: Vec::new(),
            mails: 0,
            orders: Vec::new(),
            cancelled: BTreeSet::new(),
            filter: 0,
            log: Vec::new(),
        };
        for number in 0..3 {
            world.add_phone(user, &format!("PHONE{number}")).await;
        }
        world
    }

    async fn add_phone(&mut self, user: crate::ids::UserId, wire_id: &str) {
        let (mailbox, now, wire_id) = (self.mailbox, self.clock.now(), wire_id.to_owned());
        let job = move |tx: &database::Tx<'_>| {
            let who = device::Introduction {
                user,
                mailbox,
                wire_id: &wire_id,
                device_type: "iPhone",
                user_agent: "test",
                version: "16.1",
            };
            device::meet(tx, &who, now)
        };
        let device = self.engine.database.write(job).await.unwrap().unwrap();
        self.phones.push(Phone {
            device: Arc::new(device),
            key: "0".to_owned(),
            cache: BTreeMap::new(),
        });
    }

    async fn deliver(&mut self) {
        self.mails += 1;
        let raw = format!(
            "From: a@example.org\r\nTo: b@example.org\r\nSubject: mail {n}\r\nMessage-ID: <m{n}@example.org>\r\n\
             Date: Tue, 24 Nov 2026 08:00:00 +0000\r\n\r\nBody {n}\r\n",
            n = self.mails
        );
        let arrival = Arrival { received: self.clock.now(), ..Arrival::default() };
        self.store.append(self.inbox.id, raw.into(), arrival).await.unwrap();
    }

    async fn live(&self) -> BTreeMap<u32, (u32, bool)> {
        let delta = self
            .store
            .changes_since(self.inbox.id, crate::mailbox::Cursor(0), 10_000)
            .await
            .unwrap();
        let mut live = BTreeMap::new();
        for change in delta.changes {
            if let crate::mailbox::Change::Live(item) = change {
                let (_, raw) = self.store.read(self.inbox.id, item.item).await.unwrap();
                let text = String::from_utf8_lossy(&raw).into_owned();
                let number = text.split("Body ").nth(1).unwrap().trim().parse().unwrap();
                live.insert(item.item.0, (number, item.read));
            }
        }
        live
    }

    /// One Sync of a phone; what becomes of the answer, fate says.
    async fn sync(
        &mut self,
        index: usize,
        window: usize,
        upload: Option<Upload>,
        fate: Fate,
    ) -> bool {
        let device = self.phones[index].device.clone();
        let claim = Claim::read(&self.phones[index].key);
        for _ in 0..10 {
            let opened = self.engine.open(&device, &self.inbox, claim).await.unwrap();
            let mut turn = match opened {
                Opened::Turn(turn) => *turn,
                Opened::InvalidKey(verdict) => {
                    self.log.push(format!("{index}: invalid key {verdict:?}"));
                    if fate == Fate::Taken {
                        self.phones[index].key = "0".to_owned();
                        self.phones[index].cache.clear();
                    }
                    return true;
                }
                Opened::Resync => {
                    self.log.push(format!("{index}: told to begin anew"));
                    self.phones[index].key = "0".to_owned();
                    self.phones[index].cache.clear();
                    return true;
                }
            };
            turn.set_options(self.filter, None);
            if let Some(upload) = upload.clone().filter(|_| !turn.begins()) {
                let (parent, deletes) = (turn.parent_seq(), deleted_by(&upload));
                let (place, wins) = (turn.place(), Wins::Store);
                self.engine.upload(self.mailbox, place, parent, upload, wins).await.unwrap();
                turn.deleted_by_phone(&deletes);
            }
            self.engine.plan(&mut turn, window).await.unwrap();
            let silent = turn.plan().is_empty() && !turn.plan().more && !turn.begins();
            if silent && upload.is_none() {
                if self.engine.acknowledge(&turn).await.unwrap() {
                    return false;
                }
                continue;
            }
            let key = turn.next_key(&self.engine).unwrap();
            let contents = contents_of(&turn, |_| Exposure::HEADER | Exposure::BODY);
            let answer = bytes::Bytes::from(format!("{:?}", turn.plan()));
            let turns = [turn];
            match self.engine.commit(&turns, "Sync", 1, answer, contents).await.unwrap() {
                Committed::Again => continue,
                Committed::Released(_) => {}
            }
            let [turn] = turns;
            self.log.push(format!("{index}: {claim:?} -> {key} {:?} {fate:?}", turn.offered()));
            self.take(index, &turn, key.to_string(), fate);
            return true;
        }
        panic!("the collection would not stand still");
    }

    fn take(&mut self, index: usize, turn: &super::Turn, key: String, fate: Fate) {
        let phone = &mut self.phones[index];
        let mut left = match fate {
            Fate::Lost => return,
            Fate::Taken => usize::MAX,
            Fate::Part(count) => count,
        };
        let plan = turn.plan();
        let gone = plan.retracts.iter().chain(&plan.deletes).chain(&plan.soft_deletes);
        for item in gone {
            if left > 0 {
                left -= 1;
                phone.cache.remove(&item.0);
            }
        }
        for (item, what) in &plan.changes {
            if left > 0 {
                left -= 1;
                if what.read {
                    phone.cache.insert(item.item.0, item.read);
                }
            }
        }
        for item in &plan.adds {
            if left > 0 {
                left -= 1;
                phone.cache.insert(item.item.0, item.read);
            }
        }
        if fate == Fate::Taken {
            phone.key = key;
        }
    }

    /// Ledger covers cache.
    async fn check_books(&self) {
        for phone in &self.phones {
            let place = Place { device: phone.device.id, folder: self.inbox.id };
            let items: RoaringBitmap = phone.cache.keys().copied().collect();
            let wanted = items.clone();
            let may = self
                .engine
                .database
                .read(move |tx| match Collection::load(tx, place)? {
                    Some(collection) => ledger::may_hold(tx, &collection, &wanted),
                    None => Ok(RoaringBitmap::new()),
                })
                .await
                .unwrap();
            let missing: Vec<u32> = (items - may).iter().collect();
            assert!(missing.is_empty(), "not on the books: {missing:?}\n{}", self.log.join("\n"));
        }
    }

    async fn step(&mut self) {
        self.clock.advance(std::time::Duration::from_secs(1 + self.random.next(600)));
        let index = usize::try_from(self.random.next(3)).unwrap();
        let window = 1 + usize::try_from(self.random.next(5)).unwrap();
        let fate = match self.random.next(10) {
            0..5 => Fate::Taken,
            5..7 => Fate::Lost,
            _ => Fate::Part(usize::try_from(self.random.next(4)).unwrap()),
        };
        match self.random.next(20) {
            0..4 => self.deliver().await,
            4 => self.remove_by_other_client().await,
            5 => self.read_by_other_client().await,
            6 if self.mails > 0 => self.order().await,
            7 => self.cancel().await,
            8 => self.recall.work_off().await.unwrap(),
            9 if self.random.next(6) == 0 => {
                self.phones[index].key = "0".to_owned();
                self.phones[index].cache.clear();
            }
            10 => {
                let upload = self.some_upload(index);
                self.sync(index, window, upload, fate).await;
            }
            _ => {
                self.sync(index, window, None, fate).await;
            }
        }
        self.check_books().await;
    }

    fn some_upload(&mut self, index: usize) -> Option<Upload> {
        let items: Vec<u32> = self.phones[index].cache.keys().copied().collect();
        if items.is_empty() {
            return None;
        }
        let pick = items[usize::try_from(self.random.next(items.len() as u64)).unwrap()];
        let item = ItemNumber(pick);
        if self.random.next(2) == 0 {
            self.phones[index].cache.remove(&pick);
            return Some(Upload::Delete { item, trash: None });
        }
        let read = self.random.next(2) == 0;
        self.phones[index].cache.insert(pick, read);
        let change = StateChange { read: Some(read), ..StateChange::default() };
        Some(Upload::Change { item, change })
    }

    async fn some_item(&mut self) -> Option<ItemNumber> {
        let live: Vec<u32> = self.live().await.into_keys().collect();
        if live.is_empty() {
            return None;
        }
        Some(ItemNumber(live[usize::try_from(self.random.next(live.len() as u64)).unwrap()]))
    }

    async fn remove_by_other_client(&mut self) {
        if let Some(item) = self.some_item().await {
            self.store.delete(self.inbox.id, item).await.unwrap();
        }
    }

    async fn read_by_other_client(&mut self) {
        if let Some(item) = self.some_item().await {
            let read = Some(self.random.next(2) == 0);
            let change = StateChange { read, ..StateChange::default() };
            self.store.set_state(self.inbox.id, item, change).await.unwrap();
        }
    }

    async fn order(&mut self) {
        let number = 1 + u32::try_from(self.random.next(u64::from(self.mails) + 2)).unwrap();
        let request = OrderRequest {
            message_id: format!("<m{number}@example.org>"),
            reason: "a test".to_owned(),
            from: None,
            bodies: None,
            include_sender: true,
            stands_days: None,
            confirm_count: None,
            second: None,
        };
        if let Ok(id) = self.recall.order(request, Actor::Admin("test".to_owned()), None).await {
            self.log.push(format!("order {id} recalls mail {number}"));
            self.orders.push((id, number));
            self.cancelled.remove(&number);
        }
    }

    /// Recalls one mail and works it off.
    async fn recalls(&self, number: u32) -> crate::ids::OrderId {
        let request = OrderRequest {
            message_id: format!("<m{number}@example.org>"),
            reason: "a test".to_owned(),
            include_sender: true,
            ..OrderRequest::default()
        };
        let by = Actor::Admin("test".to_owned());
        let order = self.recall.order(request, by, None).await.unwrap();
        self.recall.work_off().await.unwrap();
        order
    }

    async fn cancel(&mut self) {
        if self.orders.is_empty() || self.random.next(2) == 0 {
            return;
        }
        let index = usize::try_from(self.random.next(self.orders.len() as u64)).unwrap();
        let (id, number) = self.orders.remove(index);
        self.recall.cancel(id, Actor::Admin("test".to_owned())).await.unwrap();
        self.log.push(format!("order {id} over mail {number} is cancelled"));
    }

    async fn settle(&mut self) {
        for _ in 0..200 {
            self.recall.work_off().await.unwrap();
            let mut busy = false;
            for index in 0..self.phones.len() {
                busy |= self.sync(index, 50, None, Fate::Taken).await;
                self.check_books().await;
            }
            if !busy {
                return;
            }
        }
        panic!("phones never come to rest\n{}", self.log.join("\n"));
    }

    async fn check_the_end(&mut self) {
        self.settle().await;
        let live = self.live().await;
        let recalled: BTreeSet<u32> = self.orders.iter().map(|(_, number)| *number).collect();
        for (item, (number, _)) in &live {
            assert!(!recalled.contains(number), "mail {number} is still in the mailbox as {item}");
        }
        let expected: BTreeMap<u32, bool> =
            live.iter().map(|(item, (_, read))| (*item, *read)).collect();
        for (index, phone) in self.phones.iter().enumerate() {
            assert_eq!(phone.cache, expected, "phone {index}\n{}", self.log.join("\n"));
        }
        for (id, number) in self.orders.clone() {
            let coverage = self.recall.coverage(id).await.unwrap();
            assert!(
                coverage.covered == coverage.pairs,
                "order {id} over mail {number}: {:?}\n{}",
                coverage.states,
                self.log.join("\n")
            );
        }
    }
}

fn deleted_by(upload: &Upload) -> Vec<ItemNumber> {
    match upload {
        Upload::Delete { item, .. } => vec![*item],
        _ => Vec::new(),
    }
}

fn user() -> NewUser {
    NewUser {
        name: "bob".to_owned(),
        address: "b@example.org".to_owned(),
        display_name: String::new(),
        password: Secret::new("correct horse".to_owned()),
        is_admin: false,
        policy_name: None,
    }
}

#[tokio::test]
async fn phones_that_lose_and_cut_answers_end_with_what_the_mailbox_holds() {
    for seed in 0..25 {
        let mut world = World::new(seed).await;
        for _ in 0..120 {
            world.step().await;
        }
        world.check_the_end().await;
    }
}
