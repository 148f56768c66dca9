//! A story on a real server through a line that fails once, at each of the server's response lines and in each way.
//!
//! Whatever fails, a call says so or succeeds; and when all is well again, one look shows what the server has: nothing less, nothing
//! twice. A few lines are tried each time; `RETRACT_IMAP_FAULTS=all` tries all of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use imap_sans::{
    Command, Flag, Ids, Mailbox as Wire, NumberSet, Sasl, SearchKey, SelectSync, StoreMode,
};

use super::proxy::{AWAY, Fault, Proxy};
use super::{House, ONE_AT_A_TIME, PASSWORD, no_tls, rig};
use crate::clock::Timestamp;
use crate::ids::{FolderId, MailboxId};
use crate::mailbox::imap::flags::Flags;
use crate::mailbox::imap::link::{Link, Place, Security};
use crate::mailbox::imap::session::{Session, bodies};
use crate::mailbox::imap::tables;
use crate::mailbox::suite::mail;
use crate::mailbox::{
    Arrival, Folder, FolderKind, Freshness, Item, Mailbox, MailboxError, StateChange,
};

/// How long the server may be silent.
const SILENCE_MAX: Duration = Duration::from_millis(600);

/// Stories that run at a time: each has a user of its own.
const AT_A_TIME: usize = 9;

/// Lines tried of each fault, unless all are.
const SAMPLE: usize = 2;

const FAULTS: [Fault; 9] = [
    Fault::Cut,
    Fault::Refuse,
    Fault::Delay(Duration::from_millis(150)),
    Fault::Delay(Duration::from_millis(900)),
    Fault::Truncate,
    Fault::Garble,
    Fault::No,
    Fault::Bad,
    Fault::Bye,
];

/// Another client of the mailbox, which talks to the server itself.
pub(super) struct Other(Session);

impl Other {
    pub(super) async fn new(port: u16, user: &str) -> Other {
        let place = Place { host: "127.0.0.1".into(), port, security: Security::None };
        let mut link = Link::connect(&place, &no_tls(), imap_sans::Limits::DEFAULT).await.unwrap();
        let (user, password) = (user.to_owned(), imap_sans::Secret::new(PASSWORD.as_bytes()));
        link.sign_in(Sasl::Plain { act_as: None, user, password }).await.unwrap();
        Other(Session::begin(link).await.unwrap())
    }

    pub(super) async fn appends(&mut self, to: &Wire, octets: Bytes) {
        let (mailbox, octets) = (to.clone(), octets.to_vec());
        let append = Command::Append { mailbox, flags: Vec::new(), date: None, octets };
        self.0.link.run(append).await.unwrap();
    }

    pub(super) async fn makes(&mut self, folder: &str) {
        let create = Command::Create { mailbox: Wire::new(folder), special_use: None };
        self.0.link.run(create).await.unwrap();
    }

    pub(super) async fn sets(&mut self, folder: &Wire, uid: u32, flag: Flag) {
        self.0.select(folder, SelectSync::Plain).await.unwrap();
        let ids = Ids::Uids([uid].into_iter().collect());
        let (mode, flags) = (StoreMode::Add, vec![flag]);
        let store = Command::Store { ids, unchanged_since: None, mode, silent: true, flags };
        self.0.link.run(store).await.unwrap();
    }

    pub(super) async fn removes(&mut self, folder: &Wire, uid: u32) {
        self.sets(folder, uid, Flag::Deleted).await;
        self.0.link.run(Command::Expunge).await.unwrap();
    }

    pub(super) async fn uids(&mut self, folder: &Wire) -> Vec<u32> {
        self.0.select(folder, SelectSync::Plain).await.unwrap();
        self.0.search(SearchKey::All).await.unwrap().numbers().collect()
    }

    /// Every message of a folder that is not marked deleted: flags and octets.
    async fn all(&mut self, folder: &Wire) -> BTreeMap<u32, (Flags, Bytes)> {
        let uids: NumberSet = self.uids(folder).await.into_iter().collect();
        if uids.is_empty() {
            return BTreeMap::new();
        }
        let details = self.0.link.run(Session::ask_details(uids.clone())).await.unwrap();
        let details = crate::mailbox::imap::session::details(&details, Timestamp(0));
        let octets = self.0.link.run(Session::ask_bodies(uids)).await.unwrap();
        let octets: BTreeMap<u32, Vec<u8>> = bodies(&octets).into_iter().collect();
        let shown = details.into_iter().filter(|one| !one.flags.is_deleted());
        shown.map(|one| (one.uid, (one.flags, octets[&one.uid].clone().into()))).collect()
    }
}

/// One story: a mirror behind a line that fails, and another client that talks to the server itself.
struct Story {
    house: House,
    proxy: Proxy,
    other: Other,
    what: String,
}

impl Story {
    async fn new(server: u16, user: &str, what: String) -> Story {
        let proxy = Proxy::new(server).await;
        let users = [user];
        let house = House::with(proxy.port, Arc::new(|_| ()), &users, |settings| {
            settings.limits.silence_max = SILENCE_MAX;
        });
        let mut other = Other::new(server, user).await;
        other.makes("Projects").await;
        for id in ["one", "two", "three", "four"] {
            other.appends(&Wire::inbox(), mail(id, "x")).await;
        }
        Story { house: house.await, proxy, other, what }
    }

    /// A call that may fail, if it says why; like a phone, it is made once more then.
    async fn call<T>(&self, call: impl AsyncFn() -> Result<T, MailboxError>) -> Option<T> {
        for _ in 0..2 {
            match call().await {
                Ok(done) => return Some(done),
                Err(error) => assert!(error.to_string().len() > 5, "{}: {error}", self.what),
            }
            tokio::time::sleep(if self.proxy.is_away() { AWAY } else { Duration::ZERO }).await;
            self.house.store.pool().forgive(MailboxId(self.house.users[0].0));
        }
        None
    }

    async fn told(&mut self) -> Option<()> {
        let store = self.house.store.clone();
        let user = self.house.users[0];
        let mailbox = self.call(|| store.mailbox_of(user)).await?;
        let folders = self.call(|| store.folders(mailbox)).await?;
        let of = |kind| folders.iter().find(|f: &&Folder| f.kind == kind).unwrap().id;
        let [inbox, drafts, sent] =
            [FolderKind::Inbox, FolderKind::Drafts, FolderKind::SentItems].map(of);
        let projects = folders.iter().find(|folder| folder.name == "Projects")?.id;
        let look = |id: FolderId| {
            let store = store.clone();
            async move || store.refresh(mailbox, Freshness::Items(vec![id])).await
        };
        self.call(look(inbox)).await;
        let items = live(&store, inbox).await;
        for item in &items {
            self.call(|| store.read_message(inbox, item.item)).await;
        }
        self.other.appends(&Wire::inbox(), mail("new", "y")).await;
        self.call(look(inbox)).await;
        let [one, two, three, ..] = &items[..] else { return None };
        let read = StateChange { read: Some(true), ..StateChange::default() };
        self.call(|| store.set_state(inbox, one.item, read.clone())).await;
        self.call(|| store.move_item(inbox, two.item, projects)).await;
        self.call(|| store.delete(inbox, three.item)).await;
        let once = |token: &str, draft| Arrival {
            once: Some(token.into()),
            draft,
            received: Timestamp(1_000),
            ..Arrival::default()
        };
        self.call(|| store.append(sent, mail("sent", "s"), once("s", false))).await;
        let draft = self.call(|| store.append(drafts, mail("draft", "a"), once("d", true))).await;
        if let Some(draft) = draft {
            self.call(|| store.replace_draft(drafts, draft, mail("draft", "b"))).await;
        }
        let last = self.other.uids(&Wire::inbox()).await.pop()?;
        self.other.removes(&Wire::inbox(), last).await;
        self.call(look(inbox)).await;
        Some(())
    }

    /// All is well again: after one look the mirror is the server, and nothing is there twice.
    async fn ends_well(&mut self) {
        let (store, user) = (self.house.store.clone(), self.house.users[0]);
        store.pool().forgive(MailboxId(user.0));
        let mailbox = store.mailbox_of(user).await.unwrap_or_else(|e| panic!("{}: {e}", self.what));
        store.refresh(mailbox, Freshness::Folders).await.unwrap();
        let places = store.read(move |tx| Ok(tables::places(tx, mailbox)?)).await.unwrap();
        let mut seen = BTreeMap::<Bytes, usize>::new();
        for place in places {
            let folder = place.folder;
            let looked = store.refresh(mailbox, Freshness::Items(vec![folder])).await;
            looked.unwrap_or_else(|error| panic!("{}: {error}", self.what));
            let there = self.other.all(&place.wire).await;
            let mut here = BTreeMap::new();
            for item in live(&store, folder).await {
                let entry = move |tx: &crate::database::Tx<'_>| {
                    Ok(tables::entry_of(tx, folder, item.item)?.unwrap())
                };
                let entry = store.read(entry).await.unwrap();
                let (_, octets) = store.read_message(folder, item.item).await.unwrap();
                *seen.entry(octets.clone()).or_default() += 1;
                here.insert(entry.uid, (entry.flags, octets));
            }
            let (here_uids, there_uids): (Vec<_>, Vec<_>) =
                (here.keys().collect(), there.keys().collect());
            assert_eq!(here_uids, there_uids, "{} in {}", self.what, place.wire);
            assert!(here == there, "{} in {}: {here:?} {there:?}", self.what, place.wire);
        }
        let twice: Vec<_> = seen.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "{}: there twice: {twice:?}", self.what);
    }
}

pub(super) async fn live(store: &crate::mailbox::imap::Imap, folder: FolderId) -> Vec<Item> {
    let delta = store.changes_since(folder, crate::mailbox::Cursor(0), 10_000).await.unwrap();
    let live = |change| match change {
        crate::mailbox::Change::Live(item) => Some(item),
        crate::mailbox::Change::Gone { .. } => None,
    };
    delta.changes.into_iter().filter_map(live).collect()
}

/// How many lines the server says in the whole story.
async fn length(port: u16) -> usize {
    let mut story = Story::new(port, "whole", "the story".into()).await;
    story.proxy.arm(usize::MAX, Fault::Cut);
    story.told().await.expect("nothing fails");
    let length = story.proxy.lines();
    story.ends_well().await;
    length
}

async fn whatever_fails(server: Option<rig::Server>, faults: &[Fault], seed: usize) {
    let Some(server) = server else { return };
    let length = length(server.port).await;
    let is_all = std::env::var("RETRACT_IMAP_FAULTS").is_ok_and(|all| all == "all");
    let step = if is_all { 1 } else { length.div_ceil(SAMPLE) };
    let mut running = tokio::task::JoinSet::new();
    for (nth, fault) in faults.iter().copied().enumerate() {
        for k in (1..=length).skip(if is_all { 0 } else { (seed + nth * 5) % step }).step_by(step) {
            if running.len() == AT_A_TIME {
                running.join_next().await.unwrap().unwrap();
            }
            let (user, port) = (format!("u{nth}x{k}"), server.port);
            running.spawn_local(async move {
                let what = format!("{fault:?} at line {k} of {length}");
                let mut story = Story::new(port, &user, what).await;
                story.proxy.arm(k, fault);
                story.told().await;
                story.proxy.disarm();
                story.ends_well().await;
            });
        }
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test]
async fn whatever_fails_on_the_line_no_message_is_lost_or_doubled() {
    let _alone = ONE_AT_A_TIME.clone().lock_owned().await;
    let stories = whatever_fails(rig::dovecot(true), &FAULTS, 7);
    tokio::task::LocalSet::new().run_until(stories).await;
}

/// Without extensions a server that says NO to what it has done leaves a copy; the others leave none.
#[tokio::test]
async fn whatever_fails_without_extensions_no_message_is_lost_or_doubled() {
    let _alone = ONE_AT_A_TIME.clone().lock_owned().await;
    let faults: Vec<Fault> =
        FAULTS.into_iter().filter(|fault| !matches!(fault, Fault::No | Fault::Bad)).collect();
    let stories = whatever_fails(rig::dovecot(false), &faults, 3);
    tokio::task::LocalSet::new().run_until(stories).await;
}
