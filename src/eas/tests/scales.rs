//! A store on scales: it weighs the octets it has handed out and that nobody has let go of yet. It can keep readers waiting, and take
//! its time by the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::clock::{Clock, Timestamp};
use crate::ids::{CollectionNumber, FolderId, ItemNumber, MailboxId, UserId};
use crate::mailbox::embedded::Embedded;
use crate::mailbox::{
    Arrival, Copy, Cursor, Delta, Floor, Folder, Item, Later, Mailbox, StateChange,
};

/// The store.
pub(super) struct Scales {
    store: Embedded,
    clock: Clock,
    pub(super) weight: Arc<Weight>,
    /// Readers pass one for each permit.
    pub(super) gate: Semaphore,
    /// What a read takes by the clock.
    pub(super) slowness: Duration,
}

/// Octets handed out, now and at the worst.
#[derive(Default)]
pub(super) struct Weight {
    now: AtomicUsize,
    peak: AtomicUsize,
}

impl Weight {
    pub(super) fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }

    pub(super) fn now(&self) -> usize {
        self.now.load(Ordering::SeqCst)
    }
}

/// Octets that are weighed for as long as they live.
struct Weighed(Bytes, Arc<Weight>);

impl Weighed {
    fn new(octets: Bytes, weight: &Arc<Weight>) -> Weighed {
        let now = weight.now.fetch_add(octets.len(), Ordering::SeqCst) + octets.len();
        weight.peak.fetch_max(now, Ordering::SeqCst);
        Weighed(octets, Arc::clone(weight))
    }
}

impl AsRef<[u8]> for Weighed {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Weighed {
    fn drop(&mut self) {
        self.1.now.fetch_sub(self.0.len(), Ordering::SeqCst);
    }
}

impl Scales {
    /// With the gate wide open.
    pub(super) fn new(store: Embedded, clock: Clock) -> Scales {
        let gate = Semaphore::new(Semaphore::MAX_PERMITS);
        Scales { store, clock, weight: Arc::default(), gate, slowness: Duration::ZERO }
    }
}

impl Mailbox for Scales {
    fn read(&self, folder: FolderId, item: ItemNumber) -> Later<'_, (Item, Bytes)> {
        Box::pin(async move {
            self.gate.acquire().await.expect("it is never closed").forget();
            self.clock.advance(self.slowness);
            let (item, octets) = self.store.read(folder, item).await?;
            let octets = Bytes::from_owner(Weighed::new(octets, &self.weight));
            // Whoever else may read does so meanwhile.
            for _ in 0..CROWD {
                tokio::task::yield_now().await;
            }
            Ok((item, octets))
        })
    }

    fn folders(&self, mailbox: MailboxId) -> Later<'_, Vec<Folder>> {
        self.store.folders(mailbox)
    }
    fn folder(&self, mailbox: MailboxId, number: CollectionNumber) -> Later<'_, Folder> {
        self.store.folder(mailbox, number)
    }
    fn head(&self, folder: FolderId) -> Later<'_, Cursor> {
        self.store.head(folder)
    }
    fn changes_since(&self, folder: FolderId, after: Cursor, limit: usize) -> Later<'_, Delta> {
        self.store.changes_since(folder, after, limit)
    }
    fn below(
        &self,
        folder: FolderId,
        floor: Floor,
        down_to: Timestamp,
        limit: usize,
    ) -> Later<'_, Vec<Item>> {
        self.store.below(folder, floor, down_to, limit)
    }
    fn above(
        &self,
        folder: FolderId,
        floor: Floor,
        up_to: Timestamp,
        limit: usize,
    ) -> Later<'_, Vec<Item>> {
        self.store.above(folder, floor, up_to, limit)
    }
    fn items(&self, folder: FolderId, items: &[ItemNumber]) -> Later<'_, Vec<Item>> {
        self.store.items(folder, items)
    }
    fn set_state(&self, folder: FolderId, item: ItemNumber, change: StateChange) -> Later<'_, u64> {
        self.store.set_state(folder, item, change)
    }
    fn move_item(&self, folder: FolderId, item: ItemNumber, to: FolderId) -> Later<'_, ItemNumber> {
        self.store.move_item(folder, item, to)
    }
    fn delete(&self, folder: FolderId, item: ItemNumber) -> Later<'_, u64> {
        self.store.delete(folder, item)
    }
    fn append(&self, folder: FolderId, raw: Bytes, arrival: Arrival) -> Later<'_, ItemNumber> {
        self.store.append(folder, raw, arrival)
    }
    fn replace_draft(&self, folder: FolderId, item: ItemNumber, raw: Bytes) -> Later<'_, u64> {
        self.store.replace_draft(folder, item, raw)
    }
    fn empty(&self, folder: FolderId, subfolders: bool) -> Later<'_, ()> {
        self.store.empty(folder, subfolders)
    }
    fn create_folder(
        &self,
        mailbox: MailboxId,
        parent: CollectionNumber,
        name: &str,
    ) -> Later<'_, Folder> {
        self.store.create_folder(mailbox, parent, name)
    }
    fn rename_folder(
        &self,
        folder: FolderId,
        parent: CollectionNumber,
        name: &str,
    ) -> Later<'_, Folder> {
        self.store.rename_folder(folder, parent, name)
    }
    fn delete_folder(&self, folder: FolderId) -> Later<'_, Vec<FolderId>> {
        self.store.delete_folder(folder)
    }
    fn hierarchy_head(&self, mailbox: MailboxId) -> Later<'_, u64> {
        self.store.hierarchy_head(mailbox)
    }
    fn find(&self, message_id: &str) -> Later<'_, Vec<Copy>> {
        self.store.find(message_id)
    }
    fn mailbox_of(&self, user: UserId) -> Later<'_, MailboxId> {
        self.store.mailbox_of(user)
    }
}

/// How often a reader lets the others go first.
const CROWD: usize = 200;
