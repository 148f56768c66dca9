//! The embedded store: mailboxes in our own database, bodies as files beside it.
//!
//! - A message is there for good when its append is answered: body file and its folder fsynced, then the row committed.
//! - A message that left stays as a tombstone row without a body, so that the change log of its folder can say so.
//! - A body's file goes when nobody needs it any more: no message, no sealed copy, no mail on its way out ([`Holder`]).
//! - Deleting a folder is one small transaction; its messages are tidied away afterwards, at the next start if need be.
//!
//! Work that must be atomic with other rooms' rows uses the functions of [`in_tx`].

mod bodies;
mod filing;
mod hierarchy;
pub mod in_tx;
pub mod mirrored;
mod rows;
mod tables;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

pub use bodies::{Body, Holder, Kept};

use super::store::{Later, Mailbox};
use super::types::{
    Arrival, Copy, Cursor, Delta, Floor, Folder, FolderEvent, Item, MailboxError, StateChange,
};
use super::{MAILBOX_QUOTA_BYTES, MESSAGE_BYTES_MAX};
use crate::clock::{Clock, Timestamp};
use crate::database::{self, Bodies, BodyHash, Database, Tx};
use crate::failpoint;
use crate::ids::{CollectionNumber, FolderId, ItemNumber, MailboxId, UserId};
use crate::message::Identity;
use crate::params;

/// Told of every event after its commit, on the writer's thread: it may wake others, never wait.
pub type OnEvent = Arc<dyn Fn(FolderEvent) + Send + Sync>;

/// Called for every message that is appended, in the transaction that does it: what it refuses does not arrive.
/// Recall binds standing orders here, before any device can hear of the message.
pub type OnArrival =
    Arc<dyn Fn(&Tx<'_>, Copy, Timestamp) -> Result<(), MailboxError> + Send + Sync>;

/// Sees folders in whose transaction everything in them is about to be deleted for good, in the mailbox they belong to.
pub type OnDeparture = Arc<
    dyn Fn(&Tx<'_>, &Embedded, MailboxId, &[FolderId], Timestamp) -> Result<(), MailboxError>
        + Send
        + Sync,
>;

/// The embedded store. Cheap to clone.
#[derive(Clone)]
pub struct Embedded(Arc<Inner>);

struct Inner {
    database: Database,
    bodies: Bodies,
    clock: Clock,
    on_event: OnEvent,
    on_arrival: Option<OnArrival>,
    on_departure: Option<OnDeparture>,
}

/// How much of its quota a mailbox uses, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The sum of its messages.
    pub used: u64,
    /// The most they may be.
    pub quota: u64,
}

impl Embedded {
    /// A store over a database and its bodies. Call [`Embedded::tidy`] once before mail is accepted.
    pub fn new(database: Database, bodies: Bodies, clock: Clock, on_event: OnEvent) -> Embedded {
        let (on_arrival, on_departure) = (None, None);
        Embedded(Arc::new(Inner { database, bodies, clock, on_event, on_arrival, on_departure }))
    }

    /// As [`Embedded::new`], with a hook that sees every arrival in its transaction.
    pub fn with_arrivals(
        database: Database,
        bodies: Bodies,
        clock: Clock,
        on_event: OnEvent,
        on_arrival: OnArrival,
    ) -> Embedded {
        let (on_arrival, on_departure) = (Some(on_arrival), None);
        Embedded(Arc::new(Inner { database, bodies, clock, on_event, on_arrival, on_departure }))
    }

    /// The same store with a hook that sees folders before they are emptied or deleted.
    pub fn with_departures(self, on_departure: OnDeparture) -> Embedded {
        let Inner { database, bodies, clock, on_event, on_arrival, .. } = &*self.0;
        let (database, bodies, clock) = (database.clone(), bodies.clone(), clock.clone());
        let (on_event, on_arrival) = (Arc::clone(on_event), on_arrival.clone());
        let on_departure = Some(on_departure);
        Embedded(Arc::new(Inner { database, bodies, clock, on_event, on_arrival, on_departure }))
    }

    /// The database the store lives in.
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    /// The bodies of the store.
    pub fn bodies(&self) -> &Bodies {
        &self.0.bodies
    }

    /// The clock the store goes by.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Puts octets on the disk and pins them until the row that names them is committed.
    pub async fn keep(&self, raw: Bytes) -> Result<Kept, MailboxError> {
        let size = u32::try_from(raw.len()).map_err(|_| MailboxError::TooLarge)?;
        if raw.len() > MESSAGE_BYTES_MAX {
            return Err(MailboxError::TooLarge);
        }
        let pin = self.0.bodies.store(raw).await?;
        failpoint!("mailbox.after_body");
        Ok(Kept::new(pin, size))
    }

    /// Runs a job that names a kept body; the body stays pinned until the job has been answered, also when the caller stops
    /// waiting. If nobody needs the body afterwards, it goes.
    pub async fn write_with<T: Send + 'static>(
        &self,
        kept: Kept,
        job: impl Fn(&Tx<'_>, &Embedded, Body) -> Result<T, MailboxError> + Send + 'static,
    ) -> Result<T, MailboxError> {
        let hash = kept.body().hash;
        let result = self.write(move |tx, store| job(tx, store, kept.body())).await;
        self.discard_unneeded(hash).await;
        result
    }

    /// Removes a body that no row names: refused mail must not fill the disk until the next start.
    async fn discard_unneeded(&self, hash: BodyHash) {
        if self.read_job(move |tx| Ok(in_tx::is_held(tx, hash)?)).await.unwrap_or(true) {
            return;
        }
        let removed = self.write(move |tx, store| {
            if !in_tx::is_held(tx, hash)? {
                bodies::remove_after(tx, store, hash);
            }
            Ok(())
        });
        if let Err(error) = removed.await {
            tracing::warn!(%hash, %error, "a body nobody needs stays until the next start");
        }
    }

    /// The octets of a kept body: sealed copies are read here.
    pub async fn octets(&self, hash: BodyHash) -> Result<Bytes, MailboxError> {
        Ok(self.0.bodies.load(hash).await?)
    }

    /// Sets what a mailbox may hold; `None` is the usual [`MAILBOX_QUOTA_BYTES`].
    pub async fn set_quota(
        &self,
        mailbox: MailboxId,
        bytes: Option<u64>,
    ) -> Result<(), MailboxError> {
        self.write(move |tx, _| match tx.execute(tables::SET_QUOTA, params![mailbox, bytes])? {
            0 => Err(MailboxError::NoSuchFolder),
            _ => Ok(()),
        })
        .await
    }

    /// How full a mailbox is.
    pub async fn usage(&self, mailbox: MailboxId) -> Result<Usage, MailboxError> {
        self.read_job(move |tx| {
            let usage = tx.one(tables::READ_USAGE, params![mailbox], |row| {
                let quota: Option<u64> = row.get(1)?;
                Ok(Usage { used: row.get(0)?, quota: quota.unwrap_or(MAILBOX_QUOTA_BYTES) })
            })?;
            usage.ok_or(MailboxError::NoSuchFolder)
        })
        .await
    }

    /// For the start, before mail is accepted: finishes what a crash interrupted. Gives how many bodies nobody needed.
    pub async fn tidy(&self) -> Result<usize, MailboxError> {
        self.tidy_folders().await?;
        let this = self.clone();
        let swept = tokio::task::spawn_blocking(move || {
            this.0.bodies.sweep(|hash| {
                let held = this.0.database.read_blocking(move |tx| in_tx::is_held(tx, hash));
                // What cannot be asked is kept.
                held.unwrap_or(true)
            })
        });
        let swept = swept.await.map_err(|error| MailboxError::Ours(error.to_string()))?;
        Ok(swept?)
    }

    /// Whoever waits is told after the commit.
    fn tell(&self, tx: &Tx<'_>, event: FolderEvent) {
        let on_event = Arc::clone(&self.0.on_event);
        tx.on_commit(move || on_event(event));
    }

    fn arrived(&self, tx: &Tx<'_>, copy: Copy, now: Timestamp) -> Result<(), MailboxError> {
        match &self.0.on_arrival {
            Some(hook) => hook(tx, copy, now),
            None => Ok(()),
        }
    }

    fn departs(
        &self,
        tx: &Tx<'_>,
        mailbox: MailboxId,
        folders: &[FolderId],
    ) -> Result<(), MailboxError> {
        match &self.0.on_departure {
            Some(hook) => hook(tx, self, mailbox, folders, self.0.clock.now()),
            None => Ok(()),
        }
    }

    /// Runs a job that changes things and needs the store's hooks.
    pub(in crate::mailbox) async fn write<T: Send + 'static>(
        &self,
        job: impl Fn(&Tx<'_>, &Embedded) -> Result<T, MailboxError> + Send + 'static,
    ) -> Result<T, MailboxError> {
        let this = self.clone();
        self.0.database.write(move |tx| job(tx, &this)).await
    }

    pub(in crate::mailbox) async fn read_job<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Tx<'_>) -> Result<T, MailboxError> + Send + 'static,
    ) -> Result<T, MailboxError> {
        self.0.database.read(job).await
    }

    async fn read_message(
        &self,
        folder: FolderId,
        item: ItemNumber,
    ) -> Result<(Item, Bytes), MailboxError> {
        let find = move |tx: &Tx<'_>| {
            rows::folder(tx, folder)?;
            rows::stored(tx, folder, item)
        };
        let stored = self.read_job(find).await?;
        match self.0.bodies.load(stored.body.hash).await {
            Ok(raw) => Ok((stored.item, raw)),
            // It may have been deleted between the two; then the row says so. Otherwise the store is damaged.
            Err(database::Error::NoSuchBody(hash)) => match self.read_job(find).await {
                Ok(still) if still.body.hash == hash => {
                    Err(MailboxError::Unreadable(format!("body {hash} is missing")))
                }
                Ok(replaced) => Ok((replaced.item, self.octets(replaced.body.hash).await?)),
                Err(gone) => Err(gone),
            },
            Err(database::Error::Corrupt(what)) => Err(MailboxError::Unreadable(what)),
            Err(other) => Err(other.into()),
        }
    }

    async fn append_message(
        &self,
        folder: FolderId,
        raw: Bytes,
        arrival: Arrival,
    ) -> Result<ItemNumber, MailboxError> {
        let identity = Identity::of_raw(&raw);
        let kept = self.keep(raw).await?;
        let now = self.0.clock.now();
        self.write_with(kept, move |tx, store, body| {
            in_tx::append(tx, store, folder, body, &identity, &arrival, now)
        })
        .await
    }

    async fn replace_body(
        &self,
        folder: FolderId,
        item: ItemNumber,
        raw: Bytes,
    ) -> Result<u64, MailboxError> {
        let identity = Identity::of_raw(&raw);
        let now = self.0.clock.now();
        let kept = self.keep(raw).await?;
        self.write_with(kept, move |tx, store, body| {
            in_tx::replace_draft(tx, store, folder, item, body, (&identity, now))
        })
        .await
    }

    /// Empties a folder in steps small enough for the writer; each step is durable by itself.
    async fn empty_folder(&self, folder: FolderId, subfolders: bool) -> Result<(), MailboxError> {
        if subfolders {
            self.write(move |tx, store| {
                for child in hierarchy::children(tx, &rows::folder(tx, folder)?)? {
                    hierarchy::delete(tx, store, child.id)?;
                }
                Ok(())
            })
            .await?;
        }
        while self.write(move |tx, store| empty_step(tx, store, folder)).await? {}
        self.tidy_folders().await
    }

    /// Drops the rows and bodies of deleted folders, in steps small enough for the writer.
    pub(in crate::mailbox) async fn tidy_folders(&self) -> Result<(), MailboxError> {
        while self.write(tidy_step).await? {}
        Ok(())
    }
}

/// Deletes some messages of a folder; tells whether there may be more.
fn empty_step(tx: &Tx<'_>, store: &Embedded, folder: FolderId) -> Result<bool, MailboxError> {
    in_tx::head(tx, folder)?;
    store.departs(tx, rows::folder(tx, folder)?.mailbox, &[folder])?;
    let items: Vec<ItemNumber> =
        tx.all(tables::LIVE_ITEMS, params![folder, STEP_MESSAGES], |row| row.get(0))?;
    for item in &items {
        in_tx::delete(tx, store, folder, *item)?;
    }
    Ok(items.len() == STEP_MESSAGES)
}

/// Drops some rows of a deleted folder; tells whether there may be more.
fn tidy_step(tx: &Tx<'_>, store: &Embedded) -> Result<bool, MailboxError> {
    let folder = tx.one(tables::DELETED_FOLDER_WITH_MAIL, params![], |row| row.get(0))?;
    let Some(folder): Option<FolderId> = folder else { return Ok(false) };
    let mailbox: Option<MailboxId> =
        tx.one(tables::MAILBOX_OF_FOLDER, params![folder], |row| row.get(0))?;
    let mailbox = mailbox.ok_or(MailboxError::NoSuchFolder)?;
    let rows = tx.all(tables::ANY_ROWS, params![folder, STEP_MESSAGES], |row| {
        Ok((row.get::<ItemNumber>(0)?, row.get::<u32>(1)?, row.get::<Option<BodyHash>>(2)?))
    })?;
    for (item, size, body) in rows {
        tx.execute(tables::DROP_ROW, params![folder, item])?;
        if let Some(hash) = body {
            in_tx::use_bytes(tx, mailbox, -i64::from(size), false)?;
            bodies::release(tx, store, hash, Holder::Message)?;
        }
    }
    Ok(true)
}

impl Mailbox for Embedded {
    fn folders(&self, mailbox: MailboxId) -> Later<'_, Vec<Folder>> {
        Box::pin(self.read_job(move |tx| hierarchy::list(tx, mailbox)))
    }

    fn folder(&self, mailbox: MailboxId, number: CollectionNumber) -> Later<'_, Folder> {
        Box::pin(self.read_job(move |tx| hierarchy::by_number(tx, mailbox, number)))
    }

    fn head(&self, folder: FolderId) -> Later<'_, Cursor> {
        Box::pin(self.read_job(move |tx| in_tx::head(tx, folder)))
    }

    fn changes_since(&self, folder: FolderId, after: Cursor, limit: usize) -> Later<'_, Delta> {
        Box::pin(self.read_job(move |tx| in_tx::changes_since(tx, folder, after, limit)))
    }

    fn below(
        &self,
        folder: FolderId,
        floor: Floor,
        down_to: Timestamp,
        limit: usize,
    ) -> Later<'_, Vec<Item>> {
        Box::pin(self.read_job(move |tx| in_tx::below(tx, folder, floor, down_to, limit)))
    }

    fn above(
        &self,
        folder: FolderId,
        floor: Floor,
        up_to: Timestamp,
        limit: usize,
    ) -> Later<'_, Vec<Item>> {
        Box::pin(self.read_job(move |tx| in_tx::above(tx, folder, floor, up_to, limit)))
    }

    fn items(&self, folder: FolderId, items: &[ItemNumber]) -> Later<'_, Vec<Item>> {
        let mut items = items.to_vec();
        items.sort_unstable();
        items.dedup();
        Box::pin(self.read_job(move |tx| {
            in_tx::head(tx, folder)?;
            let mut found = Vec::with_capacity(items.len());
            for item in items {
                match rows::stored(tx, folder, item) {
                    Ok(stored) => found.push(stored.item),
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
        Box::pin(self.write(move |tx, store| in_tx::set_state(tx, store, folder, item, &change)))
    }

    fn move_item(&self, folder: FolderId, item: ItemNumber, to: FolderId) -> Later<'_, ItemNumber> {
        Box::pin(self.write(move |tx, store| in_tx::move_item(tx, store, folder, item, to)))
    }

    fn delete(&self, folder: FolderId, item: ItemNumber) -> Later<'_, u64> {
        Box::pin(self.write(move |tx, store| in_tx::delete(tx, store, folder, item)))
    }

    fn append(&self, folder: FolderId, raw: Bytes, arrival: Arrival) -> Later<'_, ItemNumber> {
        Box::pin(self.append_message(folder, raw, arrival))
    }

    fn replace_draft(&self, folder: FolderId, item: ItemNumber, raw: Bytes) -> Later<'_, u64> {
        Box::pin(self.replace_body(folder, item, raw))
    }

    fn empty(&self, folder: FolderId, subfolders: bool) -> Later<'_, ()> {
        Box::pin(self.empty_folder(folder, subfolders))
    }

    fn file_conversation(
        &self,
        mailbox: MailboxId,
        conversation: &[u8],
        to: FolderId,
    ) -> Later<'_, ()> {
        let (conversation, now) = (conversation.to_vec(), self.0.clock.now());
        Box::pin(self.write(move |tx, _| filing::file(tx, mailbox, &conversation, to, now)))
    }

    fn create_folder(
        &self,
        mailbox: MailboxId,
        parent: CollectionNumber,
        name: &str,
    ) -> Later<'_, Folder> {
        let name = name.to_owned();
        Box::pin(self.write(move |tx, store| hierarchy::create(tx, store, mailbox, parent, &name)))
    }

    fn rename_folder(
        &self,
        folder: FolderId,
        parent: CollectionNumber,
        name: &str,
    ) -> Later<'_, Folder> {
        let name = name.to_owned();
        Box::pin(self.write(move |tx, store| hierarchy::rename(tx, store, folder, parent, &name)))
    }

    fn delete_folder(&self, folder: FolderId) -> Later<'_, Vec<FolderId>> {
        Box::pin(async move {
            let gone = self.write(move |tx, store| hierarchy::delete(tx, store, folder)).await?;
            self.tidy_folders().await?;
            Ok(gone)
        })
    }

    fn hierarchy_head(&self, mailbox: MailboxId) -> Later<'_, u64> {
        Box::pin(self.read_job(move |tx| hierarchy::head(tx, mailbox)))
    }

    fn find(&self, message_id: &str) -> Later<'_, Vec<Copy>> {
        let message_id = message_id.trim().trim_start_matches('<').trim_end_matches('>').to_owned();
        Box::pin(self.read_job(move |tx| Ok(in_tx::copies_by_message_id(tx, message_id.trim())?)))
    }

    fn mailbox_of(&self, user: UserId) -> Later<'_, MailboxId> {
        Box::pin(async move {
            let known = self.read_job(move |tx| Ok(hierarchy::known_mailbox_of(tx, user)?)).await?;
            match known {
                Some(mailbox) => Ok(mailbox),
                None => self.write(move |tx, _| hierarchy::mailbox_of(tx, user)).await,
            }
        })
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Embedded")
    }
}

/// Messages handled in one job of the writer: some milliseconds.
const STEP_MESSAGES: usize = 100;

#[cfg(test)]
pub(crate) mod tests;
