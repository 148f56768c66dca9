//! The mail people already have, behind IMAP.
//!
//! ```text
//!   phone <- sync <- rows of the embedded store <- look: what changed on the server <- session <- link
//!                    (numbers, change log, hooks)      mirror: is it to be believed?     pool: few, bounded, kept
//!   phone -> trait Mailbox -> change: on the server first, then the row
//! ```
//!
//! - **A mirror, in our own tables.** Folders, numbers, positions and identities are rows like those of the embedded store, so sync,
//!   ledger and recall need not know which store they serve. Octets stay on the server and are read when a phone wants them.
//! - **Nothing a server says or fails to say turns into a deletion unless it adds up** ([`mirror`]); a large one is looked at twice.
//! - **A UID is not an [`ItemNumber`]**: numbers are ours and never used again, and (folder, UIDVALIDITY, UID) maps to one.
//! - **One watcher for a mailbox**, however many phones wait; without one that waits nothing is asked.

mod bodies;
mod change;
mod elsewhere;
mod flags;
mod folders;
mod hierarchy;
pub mod link;
mod look;
pub mod mirror;
mod pool;
mod search;
mod session;
pub mod survey;
mod tables;
mod watch;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use rustls::ClientConfig;

pub use pool::{Access, LoginName, MasterStyle, PoolSettings};

use self::bodies::Shelf;
use self::mirror::Known;
use self::pool::Pool;
use super::embedded::{Embedded, mirrored};
use super::store::{Freshness, Later, Mailbox, Watching, Word};
use super::types::{Arrival, Copy, Cursor, Delta, Floor, Folder, Item, MailboxError, StateChange};
use crate::clock::Timestamp;
use crate::database::Tx;
use crate::ids::{CollectionNumber, FolderId, ItemNumber, MailboxId, UserId};
use crate::keyring::Keyring;

/// What open orders cover in these folders; asked before anything in them is removed for good.
pub type Recalled = Arc<
    dyn Fn(&Tx<'_>, &[FolderId]) -> Result<Vec<(FolderId, ItemNumber)>, MailboxError> + Send + Sync,
>;

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Imap(Arc<Inner>);

struct Inner {
    rows: Embedded,
    pool: Pool,
    recalled: Option<Recalled>,
    shelf: Shelf,
    known: Mutex<HashMap<FolderId, Known>>,
    locks: Mutex<HashMap<FolderId, Arc<tokio::sync::Mutex<()>>>>,
    hierarchies: Mutex<HashMap<MailboxId, Arc<tokio::sync::Mutex<()>>>>,
    /// Folders whose last look did not end well.
    unsure: Mutex<HashSet<FolderId>>,
    watchers: watch::Watchers,
}

/// Folders whose UIDs are kept in memory; more begin anew.
const KNOWN_MAX: usize = 50_000;

impl Imap {
    /// A mirror that keeps its rows in `rows`.
    pub fn new(
        rows: Embedded,
        settings: PoolSettings,
        tls: Arc<ClientConfig>,
        keyring: Keyring,
        recalled: Option<Recalled>,
    ) -> Imap {
        let pool = Pool::new(settings, tls, rows.database().clone(), keyring);
        Imap(Arc::new(Inner {
            rows,
            pool,
            recalled,
            shelf: Shelf::default(),
            known: Mutex::default(),
            locks: Mutex::default(),
            hierarchies: Mutex::default(),
            unsure: Mutex::default(),
            watchers: watch::Watchers::default(),
        }))
    }

    /// Works until `stop` says so: closes connections nobody uses, forgets what has been kept long enough, and tries again at once
    /// for who has signed in anew.
    pub async fn run(self, mut stop: tokio::sync::watch::Receiver<bool>) {
        let mut came = self.pool().keyring().subscribe();
        while !*stop.borrow_and_update() {
            self.tidy();
            tokio::select! {
                () = tokio::time::sleep(TIDY_PERIOD) => {}
                user = came.recv() => if let Ok(user) = user {
                    self.pool().forgive(MailboxId(user.0));
                },
                changed = stop.changed() => if changed.is_err() { break },
            }
        }
        self.stop_watching();
    }

    /// Closes connections nobody uses and forgets what has been kept long enough.
    pub fn tidy(&self) {
        self.pool().tidy();
        self.tidy_bodies();
        self.0.locks.lock().retain(|_, lock| Arc::strong_count(lock) > 1);
        self.0.hierarchies.lock().retain(|_, lock| Arc::strong_count(lock) > 1);
    }

    /// How many connections to the server there are.
    pub fn connections(&self) -> usize {
        self.pool().tidy()
    }

    /// Whether the gateway can sign in for the owner of a mailbox now.
    pub fn has_access(&self, mailbox: MailboxId) -> bool {
        self.pool().has_access(mailbox)
    }

    fn rows(&self) -> &Embedded {
        &self.0.rows
    }

    fn pool(&self) -> &Pool {
        &self.0.pool
    }

    fn shelf(&self) -> &Shelf {
        &self.0.shelf
    }

    fn recalled(&self) -> Option<Recalled> {
        self.0.recalled.clone()
    }

    fn now(&self) -> Timestamp {
        self.rows().clock().now()
    }

    async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Tx<'_>) -> Result<T, MailboxError> + Send + 'static,
    ) -> Result<T, MailboxError> {
        self.rows().read_job(job).await
    }

    async fn write<T: Send + 'static>(
        &self,
        job: impl Fn(&Tx<'_>, &Embedded) -> Result<T, MailboxError> + Send + 'static,
    ) -> Result<T, MailboxError> {
        self.rows().write(job).await
    }

    /// Held while a folder is looked at or something in it is changed; of two, the lower id first.
    fn lock(&self, folder: FolderId) -> Arc<tokio::sync::Mutex<()>> {
        self.0.locks.lock().entry(folder).or_default().clone()
    }

    /// Held while the folders of a mailbox are listed or changed.
    fn lock_hierarchy(&self, mailbox: MailboxId) -> Arc<tokio::sync::Mutex<()>> {
        self.0.hierarchies.lock().entry(mailbox).or_default().clone()
    }

    fn cached_known(&self, folder: FolderId) -> Option<Known> {
        self.0.known.lock().get(&folder).cloned()
    }

    fn set_known(&self, folder: FolderId, known: Known) {
        let mut all = self.0.known.lock();
        if all.len() >= KNOWN_MAX {
            all.clear();
        }
        all.insert(folder, known);
    }

    /// What was known of a folder is not true any more.
    fn forget_folder(&self, folder: FolderId) {
        self.0.known.lock().remove(&folder);
    }

    /// The mailbox of a user with its folders; the server is asked when it has none here yet.
    async fn mailbox(&self, user: UserId) -> Result<MailboxId, MailboxError> {
        let mailbox = self.write(move |tx, _| mirrored::mailbox_of(tx, user)).await?;
        let is_listed = self.read(move |tx| Ok(!tables::places(tx, mailbox)?.is_empty())).await?;
        if !is_listed {
            self.refresh_folders(mailbox).await?;
        }
        Ok(mailbox)
    }

    async fn refreshed(&self, mailbox: MailboxId, what: Freshness) -> Result<(), MailboxError> {
        let is_watch_enough = matches!(what, Freshness::Watched(_));
        match what {
            Freshness::Folders => self.refresh_folders(mailbox).await,
            Freshness::Items(folders) | Freshness::Watched(folders) => {
                for folder in folders {
                    let looked = match is_watch_enough {
                        true => self.look_at_unwatched(folder).await,
                        false => self.look_at(folder).await,
                    };
                    match looked {
                        // A folder of ours alone, such as the Outbox, is as fresh as can be.
                        Ok(()) | Err(MailboxError::NotAllowed(_) | MailboxError::NoSuchFolder) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(())
            }
        }
    }
}

impl Imap {
    /// Looks at a folder, unless a watcher has looked and will be told of news. What was never looked at is looked at in any case.
    async fn look_at_unwatched(&self, folder: FolderId) -> Result<(), MailboxError> {
        let place = self.place(folder).await?;
        if self.is_watched(&place) { Ok(()) } else { self.look_at(folder).await }
    }

    /// A look at the folder has begun; until it ends well nobody relies on what we know of it.
    fn note_unsure(&self, folder: FolderId) {
        self.0.unsure.lock().insert(folder);
    }

    fn note_sure(&self, folder: FolderId) {
        self.0.unsure.lock().remove(&folder);
    }

    fn is_unsure(&self, folder: FolderId) -> bool {
        self.0.unsure.lock().contains(&folder)
    }
}

impl Mailbox for Imap {
    fn folders(&self, mailbox: MailboxId) -> Later<'_, Vec<Folder>> {
        self.rows().folders(mailbox)
    }

    fn folder(&self, mailbox: MailboxId, number: CollectionNumber) -> Later<'_, Folder> {
        self.rows().folder(mailbox, number)
    }

    fn head(&self, folder: FolderId) -> Later<'_, Cursor> {
        self.rows().head(folder)
    }

    fn changes_since(&self, folder: FolderId, after: Cursor, limit: usize) -> Later<'_, Delta> {
        self.rows().changes_since(folder, after, limit)
    }

    fn below(
        &self,
        folder: FolderId,
        floor: Floor,
        down_to: Timestamp,
        limit: usize,
    ) -> Later<'_, Vec<Item>> {
        self.rows().below(folder, floor, down_to, limit)
    }

    fn above(
        &self,
        folder: FolderId,
        floor: Floor,
        up_to: Timestamp,
        limit: usize,
    ) -> Later<'_, Vec<Item>> {
        self.rows().above(folder, floor, up_to, limit)
    }

    fn items(&self, folder: FolderId, items: &[ItemNumber]) -> Later<'_, Vec<Item>> {
        let mut items = items.to_vec();
        items.sort_unstable();
        items.dedup();
        Box::pin(self.read(move |tx| {
            mirrored::folder_by_id(tx, folder)?;
            let mut found = Vec::with_capacity(items.len());
            for item in items {
                match mirrored::item(tx, folder, item) {
                    Ok(item) => found.push(item),
                    Err(MailboxError::NoSuchItem) => (),
                    Err(other) => return Err(other),
                }
            }
            Ok(found)
        }))
    }

    fn read(&self, folder: FolderId, item: ItemNumber) -> Later<'_, (Item, Bytes)> {
        Box::pin(self.read_message(folder, item))
    }

    fn set_state(&self, folder: FolderId, item: ItemNumber, change: StateChange) -> Later<'_, u64> {
        Box::pin(self.change_state(folder, item, change))
    }

    fn move_item(&self, folder: FolderId, item: ItemNumber, to: FolderId) -> Later<'_, ItemNumber> {
        Box::pin(self.move_message(folder, item, to))
    }

    fn delete(&self, folder: FolderId, item: ItemNumber) -> Later<'_, u64> {
        Box::pin(self.remove_message(folder, item))
    }

    fn append(&self, folder: FolderId, raw: Bytes, arrival: Arrival) -> Later<'_, ItemNumber> {
        Box::pin(self.append_message(folder, raw, arrival))
    }

    fn replace_draft(&self, folder: FolderId, item: ItemNumber, raw: Bytes) -> Later<'_, u64> {
        Box::pin(self.replace_message(folder, item, raw))
    }

    fn empty(&self, folder: FolderId, subfolders: bool) -> Later<'_, ()> {
        Box::pin(self.empty_place(folder, subfolders))
    }

    fn create_folder(
        &self,
        mailbox: MailboxId,
        parent: CollectionNumber,
        name: &str,
    ) -> Later<'_, Folder> {
        Box::pin(self.make_folder(mailbox, parent, name.to_owned()))
    }

    fn rename_folder(
        &self,
        folder: FolderId,
        parent: CollectionNumber,
        name: &str,
    ) -> Later<'_, Folder> {
        Box::pin(self.rename(folder, parent, name.to_owned()))
    }

    fn delete_folder(&self, folder: FolderId) -> Later<'_, Vec<FolderId>> {
        Box::pin(self.remove_folder(folder))
    }

    fn hierarchy_head(&self, mailbox: MailboxId) -> Later<'_, u64> {
        self.rows().hierarchy_head(mailbox)
    }

    fn find(&self, message_id: &str) -> Later<'_, Vec<Copy>> {
        self.rows().find(message_id)
    }

    fn mailbox_of(&self, user: UserId) -> Later<'_, MailboxId> {
        Box::pin(self.mailbox(user))
    }

    fn refresh(&self, mailbox: MailboxId, what: Freshness) -> Later<'_, ()> {
        Box::pin(self.refreshed(mailbox, what))
    }

    fn holding(&self, folder: FolderId, words: Vec<Word>) -> Later<'_, Option<Vec<ItemNumber>>> {
        Box::pin(self.search_words(folder, words))
    }

    fn prepare(&self, folder: FolderId, items: &[ItemNumber]) {
        self.prepare_page(folder, items);
    }

    fn watch(&self, mailbox: MailboxId) -> Watching {
        self.watched(mailbox)
    }
}

impl fmt::Debug for Imap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Imap")
    }
}

/// How often connections and octets nobody uses are looked for.
const TIDY_PERIOD: std::time::Duration = std::time::Duration::from_secs(15);

#[cfg(test)]
pub(crate) mod tests;
