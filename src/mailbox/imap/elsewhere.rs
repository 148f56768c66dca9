//! What recall does on the server: finds, removes for good, puts back; see [`Elsewhere`].
//!
//! Before a message is marked deleted the mirror is told to expect that mark, so that a look between the two commands, or after a
//! crash there, takes it for one that is still to be removed and not for one that has gone.

use std::sync::Arc;

use bytes::Bytes;
use imap_sans::{
    Command, DateTime, Flag as Wire, Ids, NumberSet, SearchKey, SelectSync, StoreMode,
};
use tokio::sync::broadcast;

use super::Imap;
use super::change::CANNOT_REMOVE;
use super::flags::Flags;
use super::pool::Lease;
use super::session::{Session, appended, details, found};
use super::tables::{self, Entry, Place};
use crate::database::Tx;
use crate::failpoint;
use crate::ids::{FolderId, ItemNumber, MailboxId, UserId};
use crate::mailbox::embedded::in_tx::{self, RemovedCopy};
use crate::mailbox::embedded::{Embedded, mirrored};
use crate::mailbox::store::Later;
use crate::mailbox::{Arrival, Copy, Elsewhere, FolderKind, MailboxError, Original, StateChange};

/// Folders that are searched by one run of commands sent together.
const SEARCHED_AT_ONCE: usize = 16;

/// Message-IDs in one SEARCH.
const IDS_AT_ONCE: usize = 50;

impl Elsewhere for Imap {
    fn has_access(&self, mailbox: MailboxId) -> bool {
        self.pool().has_access(mailbox)
    }

    fn came(&self) -> broadcast::Receiver<UserId> {
        self.pool().keyring().subscribe()
    }

    fn original(&self, folder: FolderId, item: ItemNumber) -> Later<'_, Original> {
        Box::pin(self.original_of(folder, item))
    }

    fn remove_for_good(&self, folder: FolderId, item: ItemNumber) -> Later<'_, ()> {
        Box::pin(self.take_away(folder, item))
    }

    fn keep_after_all(&self, folder: FolderId, item: ItemNumber, marks: String) -> Later<'_, ()> {
        Box::pin(self.unmark(folder, item, marks))
    }

    fn renumber(
        &self,
        tx: &Tx<'_>,
        store: &Embedded,
        folder: FolderId,
        item: ItemNumber,
    ) -> Result<Copy, MailboxError> {
        let old = mirrored::item(tx, folder, item)?;
        let mailbox = mirrored::folder_by_id(tx, folder)?.mailbox;
        let entry = tables::entry_of(tx, folder, item)?.ok_or(MailboxError::NoSuchItem)?;
        mirrored::bury(tx, store, folder, item)?;
        let new = mirrored::put_moved(tx, store, folder, &old)?;
        tables::put_entry(tx, folder, &Entry { item: Some(new), ..entry })?;
        Ok(Copy { mailbox, folder, item: new, identity: old.identity })
    }

    fn place_for(&self, removed: Arc<RemovedCopy>) -> Later<'_, FolderId> {
        Box::pin(self.place_of_removed(removed))
    }

    fn put_back(
        &self,
        removed: Arc<RemovedCopy>,
        to: FolderId,
        first: ItemNumber,
        octets: Bytes,
    ) -> Later<'_, Copy> {
        Box::pin(self.append_removed(removed, to, first, octets))
    }

    fn look_for(&self, mailbox: MailboxId, message_ids: Arc<[String]>) -> Later<'_, ()> {
        Box::pin(self.look_everywhere(mailbox, message_ids))
    }
}

impl Imap {
    async fn original_of(
        &self,
        folder: FolderId,
        number: ItemNumber,
    ) -> Result<Original, MailboxError> {
        self.look_at(folder).await?;
        let (item, octets) = self.read_message(folder, number).await?;
        let (_, uid) = self.located(folder, number).await?;
        let marks = self.entry(folder, uid).await?.flags.as_str().to_owned();
        Ok(Original { item, octets, marks })
    }

    async fn take_away(&self, folder: FolderId, number: ItemNumber) -> Result<(), MailboxError> {
        let lock = self.lock(folder);
        let _alone = lock.lock().await;
        let uid = match self.located(folder, number).await {
            Ok((_, uid)) => uid,
            Err(MailboxError::NoSuchItem | MailboxError::NoSuchFolder) => return Ok(()),
            Err(error) => return Err(error),
        };
        let (mut session, place) = self.open(folder).await?;
        if !session.can.uidplus {
            // What others have removed meanwhile must not stand in the way, and they may have moved this one.
            self.look_with(&mut session, &place).await?;
            if self.located(folder, number).await.is_err() {
                return Ok(());
            }
        }
        let before = self.entry(folder, uid).await?;
        self.expect_flags(folder, &before, before.flags.deleted(true)).await?;
        failpoint!("imap.marked");
        let uids: NumberSet = [uid].into_iter().collect();
        let removed = match self.remove_uids(&mut session, uids.clone()).await {
            Ok(()) => self.check_gone(&mut session, uids).await,
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            if matches!(error, MailboxError::NotAllowed(_)) {
                self.expect_flags(folder, &before, before.flags.clone()).await?;
            }
            tracing::debug!(folder = %place.folder, %error, "a recalled message stays");
            return Err(error);
        }
        failpoint!("imap.removed");
        self.is_gone(folder, number, uid).await
    }

    /// The server has it no longer.
    async fn is_gone(
        &self,
        folder: FolderId,
        number: ItemNumber,
        uid: u32,
    ) -> Result<(), MailboxError> {
        self.write(move |tx, store| {
            match mirrored::bury(tx, store, folder, number) {
                Ok(_) | Err(MailboxError::NoSuchItem) => {}
                Err(error) => return Err(error),
            }
            Ok(tables::drop_entry(tx, folder, uid)?)
        })
        .await?;
        self.amend_known(folder, None, Some(uid));
        self.forget_bodies(folder, &[number]);
        Ok(())
    }

    /// Whoever says OK and removes nothing does not permit it.
    async fn check_gone(&self, session: &mut Lease, uids: NumberSet) -> Result<(), MailboxError> {
        match session.still_there(&uids).await?.is_empty() {
            true => Ok(()),
            false => Err(MailboxError::NotAllowed(CANNOT_REMOVE)),
        }
    }

    async fn expect_flags(
        &self,
        folder: FolderId,
        entry: &Entry,
        flags: Flags,
    ) -> Result<(), MailboxError> {
        let entry = Entry { flags, ..entry.clone() };
        self.write(move |tx, _| Ok(tables::put_entry(tx, folder, &entry)?)).await
    }

    async fn unmark(
        &self,
        folder: FolderId,
        number: ItemNumber,
        marks: String,
    ) -> Result<(), MailboxError> {
        let lock = self.lock(folder);
        let _alone = lock.lock().await;
        let uid = match self.located(folder, number).await {
            Ok((_, uid)) => uid,
            Err(MailboxError::NoSuchItem | MailboxError::NoSuchFolder) => return Ok(()),
            Err(error) => return Err(error),
        };
        let entry = self.entry(folder, uid).await?;
        if !entry.flags.is_deleted() || Flags::from_column(&marks).is_deleted() {
            return Ok(());
        }
        let (mut session, _) = self.open(folder).await?;
        let ids = Ids::Uids([uid].into_iter().collect());
        let (mode, flags) = (StoreMode::Remove, vec![Wire::Deleted]);
        let unmark = Command::Store { ids, unchanged_since: None, mode, silent: true, flags };
        session.link.run(unmark).await?;
        // The removal may have been under way when we were cut off, and a server says OK to flags of what is gone. Unmarked, it stays.
        session.link.run(Command::Noop).await?;
        if session.still_there(&[uid].into_iter().collect()).await?.is_empty() {
            return self.is_gone(folder, number, uid).await;
        }
        self.expect_flags(folder, &entry, entry.flags.deleted(false)).await
    }

    async fn place_of_removed(&self, removed: Arc<RemovedCopy>) -> Result<FolderId, MailboxError> {
        let mailbox = removed.mailbox;
        self.refresh_folders(mailbox).await?;
        if self.place(removed.folder).await.is_ok() {
            return Ok(removed.folder);
        }
        let (parent, wanted) = (removed.folder_parent, Arc::clone(&removed));
        let same = self
            .read(move |tx| {
                let all = mirrored::folders(tx, mailbox)?;
                let is_same = |one: &&crate::mailbox::Folder| {
                    one.parent == wanted.folder_parent && one.name == wanted.folder_name
                };
                Ok(all.iter().find(is_same).map(|one| one.id))
            })
            .await?;
        if let Some(same) = same
            && self.place(same).await.is_ok()
        {
            return Ok(same);
        }
        match self.make_folder(mailbox, parent, removed.folder_name.clone()).await {
            Ok(made) => Ok(made.id),
            Err(
                MailboxError::NoSuchFolder | MailboxError::NameTaken | MailboxError::NotAllowed(_),
            ) => {
                let inbox = FolderKind::Inbox;
                self.read(move |tx| Ok(in_tx::standard_folder(tx, mailbox, inbox)?.id)).await
            }
            Err(error) => Err(error),
        }
    }

    async fn append_removed(
        &self,
        removed: Arc<RemovedCopy>,
        to: FolderId,
        first: ItemNumber,
        octets: Bytes,
    ) -> Result<Copy, MailboxError> {
        let lock = self.lock(to);
        let _alone = lock.lock().await;
        let place = self.place(to).await?;
        let mut session = self.pool().session(place.mailbox, Some(&place.wire)).await?;
        self.look_with(&mut session, &place).await?;
        let copy_of =
            |item| Copy { mailbox: place.mailbox, folder: to, item, identity: removed.identity };
        let marks = Flags::from_column(removed.marks.as_deref().unwrap_or_default());
        let was_deleted = marks.is_deleted();
        let marks = marks.deleted(false);
        if let Some(item) = self.come_back(&removed, to, first).await? {
            self.mark_again(&mut session, to, item, was_deleted).await?;
            return Ok(copy_of(item));
        }
        let keeps = session.opened.as_ref().is_some_and(|opened| opened.keeps_keywords);
        let flags = marks.to_wire().into_iter();
        let flags: Vec<Wire> =
            flags.filter(|flag| keeps || !matches!(flag, Wire::Keyword(_))).collect();
        let append = Command::Append {
            mailbox: place.wire.clone(),
            flags,
            date: Some(DateTime::utc(removed.received.seconds())),
            octets: octets.to_vec(),
        };
        let answer = session.link.run(append).await?;
        failpoint!("imap.appended");
        let validity = self.known(to).await?.uid_validity;
        let uid = appended(&answer).filter(|(v, _)| *v == validity).map(|(_, uid)| uid);
        let Some(uid) = uid else {
            self.look_with(&mut session, &place).await?;
            let back = self.come_back(&removed, to, first).await?;
            let lost = || MailboxError::Down("the message is not where it was put".to_owned());
            let item = back.ok_or_else(lost)?;
            self.mark_again(&mut session, to, item, was_deleted).await?;
            return Ok(copy_of(item));
        };
        let row = Arc::clone(&removed);
        let item = self
            .write(move |tx, store| {
                if let Some(known) = tables::entry(tx, to, uid)?.and_then(|entry| entry.item) {
                    return Ok(known);
                }
                let item = mirrored::put_removed(tx, store, to, &row)?;
                let flags = marks.clone();
                tables::put_entry(tx, to, &Entry { uid, item: Some(item), flags })?;
                Ok(item)
            })
            .await?;
        self.amend_known(to, Some(uid), None);
        self.mark_again(&mut session, to, item, was_deleted).await?;
        Ok(copy_of(item))
    }

    /// One that was marked deleted is again, once it is known by its row; the next look hides it from phones as it was.
    async fn mark_again(
        &self,
        session: &mut Lease,
        to: FolderId,
        item: ItemNumber,
        was_deleted: bool,
    ) -> Result<(), MailboxError> {
        if !was_deleted {
            return Ok(());
        }
        let (_, uid) = self.located(to, item).await?;
        let known = self.known(to).await?;
        session.open(&self.wire(to).await?, known.uid_validity).await?;
        let ids = Ids::Uids([uid].into_iter().collect());
        let (mode, flags) = (StoreMode::Add, vec![Wire::Deleted]);
        let mark = Command::Store { ids, unchanged_since: None, mode, silent: true, flags };
        session.link.run(mark).await.map(drop)
    }

    /// The message that an earlier try put back and a look has found; it gets what a server cannot say of it.
    async fn come_back(
        &self,
        removed: &Arc<RemovedCopy>,
        to: FolderId,
        first: ItemNumber,
    ) -> Result<Option<ItemNumber>, MailboxError> {
        let removed = Arc::clone(removed);
        self.write(move |tx, store| {
            let claimed = |id| -> Result<Option<[u8; 32]>, MailboxError> {
                Ok(crate::message::identity(tx, id)?.map(|one| one.claimed))
            };
            let wanted = claimed(removed.identity)?;
            for row in mirrored::live_from(tx, to, first)? {
                if row.identity != removed.identity && claimed(row.identity)? != wanted {
                    continue;
                }
                let change = StateChange {
                    read: Some(removed.read),
                    flag: Some(removed.flag.clone()),
                    categories: Some(removed.categories.clone()),
                    verb: removed.verb_at.map(|at| (removed.verb, at)),
                };
                mirrored::set_state(tx, store, to, row.item, &change)?;
                return Ok(Some(row.item));
            }
            Ok(None)
        })
        .await
    }

    async fn look_everywhere(
        &self,
        mailbox: MailboxId,
        message_ids: Arc<[String]>,
    ) -> Result<(), MailboxError> {
        let mailbox = self.mailbox(UserId(mailbox.0)).await?;
        self.refresh_folders(mailbox).await?;
        let places = self.read(move |tx| Ok(tables::places(tx, mailbox)?)).await?;
        let places: Vec<Place> = places.into_iter().filter(|place| place.selectable).collect();
        for place in places.iter().filter(|place| place.uid_validity != 0) {
            match self.look_at(place.folder).await {
                Ok(()) | Err(MailboxError::NoSuchFolder) => {}
                Err(error) => return Err(error),
            }
        }
        let to_search = self
            .read(move |tx| {
                let mut to_search = Vec::new();
                for place in places {
                    if place.uid_validity == 0 || tables::has_hidden(tx, place.folder)? {
                        to_search.push(place);
                    }
                }
                Ok(to_search)
            })
            .await?;
        for ids in message_ids.chunks(IDS_AT_ONCE) {
            for some in to_search.chunks(SEARCHED_AT_ONCE) {
                let hits = self.search_folders(mailbox, some, ids).await?;
                for (place, uids) in hits {
                    if self.known(place.folder).await?.uid_validity == 0 {
                        self.look_at(place.folder).await?;
                    }
                    self.show_hidden(&place, &uids).await?;
                }
            }
        }
        Ok(())
    }

    /// Asks every one of these folders for any of these Message-IDs, all questions at once.
    async fn search_folders(
        &self,
        mailbox: MailboxId,
        places: &[Place],
        ids: &[String],
    ) -> Result<Vec<(Place, NumberSet)>, MailboxError> {
        let Some(key) = any_of(ids) else { return Ok(Vec::new()) };
        let mut session = self.pool().session(mailbox, None).await?;
        session.opened = None;
        let mut asked = Vec::with_capacity(places.len());
        for place in places {
            let (mailbox, sync) = (place.wire.clone(), SelectSync::Plain);
            let open = session.link.submit(Command::Select { mailbox, read_only: true, sync })?;
            let search = Command::Search { uid: true, returns: Vec::new(), key: key.clone() };
            asked.push((place, open, session.link.submit(search)?));
        }
        let (mut hits, mut failed) = (Vec::new(), None);
        for (place, open, search) in asked {
            let opened = session.link.ended(open).await;
            if session.link.is_closed() {
                return Err(opened.err().unwrap_or_else(unanswered));
            }
            // Where the folder did not open, the search in it means nothing.
            let answer = session.link.ended(search).await;
            match (opened, answer) {
                (Ok(_), Ok(answer)) => match found(&answer) {
                    Some(uids) if uids.is_empty() => {}
                    Some(uids) => hits.push((place.clone(), uids)),
                    None => failed = Some(unanswered()),
                },
                // It went meanwhile.
                (Err(MailboxError::NoSuchFolder), _) => {}
                (Err(error), _) | (Ok(_), Err(error)) => failed = Some(error),
            }
            if session.link.is_closed() {
                return Err(failed.unwrap_or_else(unanswered));
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(hits),
        }
    }

    /// Messages that are marked deleted lie there all the same: those an order covers get a row, so that they are sealed and removed.
    async fn show_hidden(&self, place: &Place, uids: &NumberSet) -> Result<(), MailboxError> {
        let Some(recalled) = self.recalled() else { return Ok(()) };
        let folder = place.folder;
        let lock = self.lock(folder);
        let _alone = lock.lock().await;
        let wanted = uids.clone();
        let hidden = self
            .read(move |tx| {
                let mut hidden = NumberSet::default();
                for uid in wanted.numbers() {
                    if tables::entry(tx, folder, uid)?.is_some_and(|entry| entry.item.is_none()) {
                        hidden.insert(uid);
                    }
                }
                Ok(hidden)
            })
            .await?;
        if hidden.is_empty() {
            return Ok(());
        }
        let (mut session, _) = self.open(folder).await?;
        let answer = session.link.run(Session::ask_details(hidden)).await?;
        for detail in details(&answer, self.now()) {
            let (recalled, now) = (Arc::clone(&recalled), self.now());
            let identity = crate::message::Identity::unread(&detail.header);
            let shown = self.write(move |tx, store| {
                let arrival = Arrival {
                    received: detail.received,
                    read: detail.flags.is_seen(),
                    flag: detail.flags.flag(),
                    categories: detail.flags.categories(),
                    draft: detail.flags.is_draft(),
                    once: None,
                };
                let (size, verb) = (detail.size, detail.flags.verb());
                let coming =
                    mirrored::Coming { identity: &identity, size, arrival: &arrival, verb };
                let item = mirrored::put(tx, store, folder, &coming, now)?;
                let (uid, flags) = (detail.uid, detail.flags.clone());
                tables::put_entry(tx, folder, &Entry { uid, item: Some(item), flags })?;
                match recalled(tx, &[folder])?.contains(&(folder, item)) {
                    true => Ok(()),
                    // Nothing of this is committed.
                    false => Err(MailboxError::NoSuchItem),
                }
            });
            match shown.await {
                Ok(()) | Err(MailboxError::NoSuchItem) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn unanswered() -> MailboxError {
    MailboxError::Down("a search without an answer".to_owned())
}

/// A search for any of these Message-IDs.
fn any_of(ids: &[String]) -> Option<SearchKey> {
    let keys = ids.iter().map(|id| SearchKey::Header("Message-ID".to_owned(), id.clone()));
    keys.reduce(|all, one| SearchKey::Or(Box::new(all), Box::new(one)))
}
