//! Watchers and the pool on real servers: news in time, one connection however many wait, a restart, and everybody at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use imap_sans::Mailbox as Wire;
use tokio::sync::mpsc;

use super::faults::{Other, live};
use super::{House, ONE_AT_A_TIME, rig};
use crate::ids::{FolderId, MailboxId};
use crate::mailbox::imap::Imap;
use crate::mailbox::suite::mail;
use crate::mailbox::{
    Arrival, FolderEvent, FolderEventKind, FolderKind, Freshness, Mailbox, MailboxError,
    StateChange,
};

/// News come within this, whatever way the server tells.
const IN_TIME: Duration = Duration::from_secs(10);

/// A watched mailbox and another client of it.
struct Watched {
    house: House,
    mailbox: MailboxId,
    inbox: FolderId,
    events: mpsc::UnboundedReceiver<FolderEvent>,
    other: Other,
}

impl Watched {
    async fn new(server: &rig::Server) -> Watched {
        let (sender, events) = mpsc::unbounded_channel();
        let on_event = Arc::new(move |event| {
            let _unheard = sender.send(event);
        });
        let house = House::with(server.port, on_event, &["anna"], |settings| {
            settings.limits.silence_max = Duration::from_secs(5);
        });
        let house = house.await;
        let mut other = Other::new(server.port, "anna").await;
        other.makes("Archive").await;
        other.appends(&Wire::new("Archive"), mail("old", "x")).await;
        let mailbox = house.store.mailbox_of(house.users[0]).await.unwrap();
        let inbox = house.store.folders(mailbox).await.unwrap()[0].id;
        house.store.refresh(mailbox, Freshness::Items(vec![inbox])).await.unwrap();
        Watched { house, mailbox, inbox, events, other }
    }

    /// Waits until news of INBOX are told as they come.
    async fn is_watched(&self) {
        let until = Instant::now() + IN_TIME;
        let store = &self.house.store;
        while !store.is_watched(&store.place(self.inbox).await.unwrap()) {
            assert!(Instant::now() < until, "nobody watches");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn arrives(&mut self) {
        let arrived = async {
            while let Some(event) = self.events.recv().await {
                let is_it = matches!(event.kind, FolderEventKind::Arrived { .. });
                if is_it && event.folder == self.inbox {
                    return;
                }
            }
        };
        tokio::time::timeout(IN_TIME, arrived).await.expect("news come in time");
    }
}

async fn news_come_to_many_who_wait_over_one_connection(server: Option<rig::Server>) {
    let Some(server) = server else { return };
    let mut watched = Watched::new(&server).await;
    let store = watched.house.store.clone();
    let waiting: Vec<_> = (0..50).map(|_| store.watch(watched.mailbox)).collect();
    watched.is_watched().await;
    for id in ["a", "b", "c"] {
        watched.other.appends(&Wire::inbox(), mail(id, "x")).await;
        watched.arrives().await;
    }
    assert!(store.connections() <= 3, "{}", store.connections());
    // A folder nobody has looked at is not empty because somebody waits for INBOX.
    let folders = store.folders(watched.mailbox).await.unwrap();
    let archive = folders.iter().find(|folder| folder.name == "Archive").unwrap().id;
    store.refresh(watched.mailbox, Freshness::Watched(vec![archive])).await.unwrap();
    assert_eq!(live(&store, archive).await.len(), 1);
    drop(waiting);
    store.stop_watching();
    let until = Instant::now() + IN_TIME;
    while watchers(&store) > 0 {
        assert!(Instant::now() < until, "a watcher goes on after all is over");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let _late = store.watch(watched.mailbox);
    assert_eq!(watchers(&store), 0, "nobody begins to watch any more");
}

#[tokio::test]
async fn news_come_from_dovecot_to_many_who_wait() {
    let _alone = ONE_AT_A_TIME.clone().lock_owned().await;
    news_come_to_many_who_wait_over_one_connection(rig::dovecot(true)).await;
}

#[tokio::test]
async fn news_come_from_cyrus_to_many_who_wait() {
    let _alone = ONE_AT_A_TIME.clone().lock_owned().await;
    news_come_to_many_who_wait_over_one_connection(rig::cyrus()).await;
}

#[tokio::test]
async fn a_restart_of_the_server_is_a_delay_to_who_waits() {
    let _alone = ONE_AT_A_TIME.clone().lock_owned().await;
    let Some(server) = rig::dovecot(true) else { return };
    let mut watched = Watched::new(&server).await;
    let _waiting = watched.house.store.watch(watched.mailbox);
    watched.is_watched().await;
    let before = live(&watched.house.store, watched.inbox).await;
    let _again = restarted(&server).await;
    watched.other = Other::new(server.port, "anna").await;
    watched.other.appends(&Wire::inbox(), mail("after", "x")).await;
    watched.arrives().await;
    let after = live(&watched.house.store, watched.inbox).await;
    assert!(before.iter().all(|item| after.iter().any(|other| other.item == item.item)));
    assert_eq!(after.len(), before.len() + 1);
}

fn watchers(store: &Imap) -> usize {
    store.0.watchers.of.lock().len()
}

/// Dovecot stopped and started again, on the same port; it goes with the server.
async fn restarted(server: &rig::Server) -> std::process::Child {
    let (program, config) = server.stop.clone().unwrap();
    let stop = std::process::Command::new(&program).arg("-c").arg(&config).arg("stop").status();
    assert!(stop.unwrap().success());
    let reached = || std::net::TcpStream::connect(("127.0.0.1", server.port)).is_ok();
    while reached() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let again = std::process::Command::new(&program).args(["-F", "-c"]).arg(&config).spawn();
    while !reached() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    again.unwrap()
}

/// What one of many callers does; it may be left in the middle.
async fn turn(
    store: &Imap,
    mailbox: MailboxId,
    folders: &[FolderId],
    nth: usize,
) -> Result<(), MailboxError> {
    let (from, to) = (folders[nth % folders.len()], folders[(nth + 1) % folders.len()]);
    store.refresh(mailbox, Freshness::Items(vec![from])).await?;
    let items = live(store, from).await;
    let numbers: Vec<_> = items.iter().map(|item| item.item).collect();
    store.prepare(from, &numbers);
    let Some(item) = numbers.get(nth % numbers.len().max(1)).copied() else {
        let raw = mail(&format!("s{nth}"), "x");
        return store.append(from, raw, Arrival::default()).await.map(drop);
    };
    match nth % 5 {
        0 => store.move_item(from, item, to).await.map(drop),
        1 => {
            let change =
                StateChange { read: Some(nth.is_multiple_of(2)), ..StateChange::default() };
            store.set_state(from, item, change).await.map(drop)
        }
        2 => store.append(to, mail(&format!("t{nth}"), "x"), Arrival::default()).await.map(drop),
        3 => store.refresh(mailbox, Freshness::Folders).await,
        _ => store.read_message(from, item).await.map(drop),
    }
}

#[tokio::test]
async fn many_callers_some_of_whom_leave_in_the_middle_never_block_each_other() {
    let _alone = ONE_AT_A_TIME.clone().lock_owned().await;
    let Some(server) = rig::dovecot(true) else { return };
    let watched = Watched::new(&server).await;
    let store = watched.house.store.clone();
    for nth in 0..10 {
        store
            .append(watched.inbox, mail(&format!("m{nth}"), "x"), Arrival::default())
            .await
            .unwrap();
    }
    let _waiting = store.watch(watched.mailbox);
    let all = store.folders(watched.mailbox).await.unwrap();
    let of = |kind| all.iter().find(|folder| folder.kind == kind).unwrap().id;
    let folders = [FolderKind::Inbox, FolderKind::DeletedItems, FolderKind::Junk].map(of);
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..20_usize {
        let (store, mailbox) = (store.clone(), watched.mailbox);
        callers.spawn(async move {
            for step in 0..12_usize {
                let nth = caller * 7 + step;
                let work = turn(&store, mailbox, &folders, nth);
                if nth.is_multiple_of(3) {
                    // The caller leaves, each time at another moment.
                    let patience = Duration::from_millis(1 + (nth as u64 * 13) % 90);
                    let _left = tokio::time::timeout(patience, work).await;
                } else if let Err(error) = work.await {
                    let is_busy = error.to_string().contains("busy");
                    assert!(!is_busy, "{error}");
                }
            }
        });
    }
    let all_done = async {
        while let Some(done) = callers.join_next().await {
            done.unwrap()
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all_done).await.expect("nobody is blocked");
    for folder in folders {
        store.refresh(watched.mailbox, Freshness::Items(vec![folder])).await.unwrap();
    }
    store.stop_watching();
    let until = Instant::now() + IN_TIME;
    while watchers(&store) > 0 {
        assert!(Instant::now() < until, "a watcher goes on after all is over");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut held = Vec::new();
    for nth in 0..5 {
        let got = tokio::time::timeout(IN_TIME, store.pool().session(watched.mailbox, None)).await;
        held.push(got.unwrap_or_else(|_| panic!("place {nth} is lost")).unwrap());
    }
    assert!(store.connections() <= 5);
}

#[tokio::test]
async fn who_waits_for_a_connection_gets_the_one_that_is_given_back() {
    let _alone = ONE_AT_A_TIME.clone().lock_owned().await;
    let Some(server) = rig::dovecot(true) else { return };
    let house = House::with(server.port, Arc::new(|_| ()), &["anna", "berta"], |settings| {
        settings.in_all_max = 2;
    });
    let house = house.await;
    let [anna, berta] = [0, 1].map(|nth| MailboxId(house.users[nth].0));
    let pool = house.store.pool();
    let held = [pool.session(anna, None).await.unwrap(), pool.session(anna, None).await.unwrap()];
    let given_back = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(held);
    };
    let began = Instant::now();
    let (got, ()) = tokio::join!(pool.session(berta, None), given_back);
    assert!(got.is_ok() && began.elapsed() < Duration::from_secs(5));
}
