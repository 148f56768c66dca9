//! Looking at a folder and writing down what was found.
//!
//! One look at a folder at a time, and none while we change something in it: its lock is held. What is found is written in steps
//! small enough for the writer. A step that a crash cuts off is taken again: the position up to which we know moves last.

use std::sync::Arc;

use bytes::Bytes;
use imap_sans::{Mailbox, NumberSet};

use super::Imap;
use super::flags::Flags;
use super::hierarchy;
use super::mirror::{self, Doubt, Known, Seen, Step, Verdict};
use super::pool::Lease;
use super::session::{Detail, Session, bodies, details};
use super::tables::{self, Entry, Place};
use crate::clock::Timestamp;
use crate::database::Tx;
use crate::ids::{FolderId, ItemNumber};
use crate::mailbox::embedded::{Embedded, mirrored};
use crate::mailbox::{Arrival, MailboxError};
use crate::message::Identity;

/// Looks in a row that may contradict each other before the server is said to be down.
const LOOKS_MAX: usize = 4;

/// New messages asked for at once.
const DETAILS_AT_ONCE: usize = 500;

/// Rows written in one job of the writer.
const ROWS_AT_ONCE: usize = 250;

/// So many that are new in a look, and no more, are read at once: they are news, and phones will want them.
const NEWS_READ_MAX: usize = 32;

/// The largest message that is read before a phone asks.
pub(super) const READ_AHEAD_BYTES_MAX: u32 = 256 * 1024;

impl Imap {
    /// Looks at a folder and writes down what was found. A folder that cannot be opened has nothing in it.
    pub(super) async fn look_at(&self, folder: FolderId) -> Result<(), MailboxError> {
        let lock = self.lock(folder);
        let _alone = lock.lock().await;
        let place = self.place(folder).await?;
        if !place.selectable {
            return Ok(());
        }
        let mut session = self.pool().session(place.mailbox, Some(&place.wire)).await?;
        self.look_with(&mut session, &place).await
    }

    /// The same by somebody who holds the folder's lock.
    pub(super) async fn look_with(
        &self,
        session: &mut Lease,
        place: &Place,
    ) -> Result<(), MailboxError> {
        let mut doubted: Option<NumberSet> = None;
        let mut whole = false;
        for _ in 0..LOOKS_MAX {
            let known = self.known(place.folder).await?;
            let look = session.look(&place.wire, &known, whole).await?;
            match mirror::judge(&known, look, doubted.as_ref()) {
                Verdict::Take(step) => return self.take(session, place, &known, step).await,
                Verdict::LookAgain(doubt) => {
                    tracing::debug!(folder = %place.folder, ?doubt, "a look that is not believed");
                    whole = true;
                    doubted = match doubt {
                        Doubt::ManyGone(gone) => Some(gone),
                        _ => doubted,
                    };
                }
            }
        }
        Err(MailboxError::Down(format!(
            "what the server says of {} does not add up",
            place.wire.name()
        )))
    }

    /// Writes a step down: first what is gone, then what is new or changed, then how far we know.
    async fn take(
        &self,
        session: &mut Lease,
        place: &Place,
        known: &Known,
        step: Step,
    ) -> Result<(), MailboxError> {
        let folder = place.folder;
        let Step { new_generation, gone, seen, next } = step;
        if new_generation {
            self.write(move |tx, store| hierarchy::retire(tx, store, folder)).await?;
            self.forget_folder(folder);
        } else {
            self.take_gone(folder, &gone).await?;
        }
        let base = if new_generation { NumberSet::default() } else { known.live.clone() };
        let (old, new): (Vec<Seen>, Vec<Seen>) =
            seen.into_iter().partition(|one| base.contains(one.uid));
        let mut uids = self.take_changed(folder, old).await?;
        uids.extend(new.iter().map(|one| one.uid));
        let is_news = known.uid_validity != 0 && !new_generation && uids.len() <= NEWS_READ_MAX;
        self.take_new(session, folder, &uids, is_news).await?;
        let (uid_validity, modseq) = (next.uid_validity, next.modseq);
        self.write(move |tx, _| Ok(tables::set_known(tx, folder, uid_validity, modseq)?)).await?;
        self.set_known(folder, next);
        Ok(())
    }

    async fn take_gone(&self, folder: FolderId, gone: &NumberSet) -> Result<(), MailboxError> {
        let gone: Vec<u32> = gone.numbers().collect();
        for some in gone.chunks(ROWS_AT_ONCE) {
            let some: Arc<[u32]> = some.into();
            let items = self
                .write(move |tx, store| {
                    let mut items = Vec::new();
                    for uid in some.iter() {
                        items.extend(drop_message(tx, store, folder, *uid)?);
                    }
                    Ok(items)
                })
                .await?;
            self.forget_bodies(folder, &items);
        }
        Ok(())
    }

    /// Gives the messages that are no longer marked deleted: they are new again.
    async fn take_changed(
        &self,
        folder: FolderId,
        seen: Vec<Seen>,
    ) -> Result<Vec<u32>, MailboxError> {
        let mut back = Vec::new();
        for some in seen.chunks(ROWS_AT_ONCE) {
            let some: Arc<[(u32, Flags)]> =
                some.iter().map(|one| (one.uid, Flags::new(&one.flags))).collect();
            let now = self.now();
            let some_back = self
                .write(move |tx, store| {
                    let mut back = Vec::new();
                    for (uid, flags) in some.iter() {
                        if take_flags(tx, store, folder, *uid, flags, now)? {
                            back.push(*uid);
                        }
                    }
                    Ok(back)
                })
                .await?;
            back.extend(some_back);
        }
        Ok(back)
    }

    /// Asks what there is to know of messages that are new and writes it down; the next question is out while an answer is written.
    /// What is news, and what does not say which message it is, is read whole.
    async fn take_new(
        &self,
        session: &mut Lease,
        folder: FolderId,
        uids: &[u32],
        is_news: bool,
    ) -> Result<(), MailboxError> {
        let mut asked = None;
        let mut to_read = Vec::new();
        for chunk in uids.chunks(DETAILS_AT_ONCE).map(Some).chain([None]) {
            let before = asked.take();
            if let Some(uids) = chunk {
                let uids = uids.iter().copied().collect();
                asked = Some(session.link.submit(Session::ask_details(uids))?);
            }
            if let Some(before) = before {
                let found = details(&session.link.ended(before).await?);
                let is_read = |one: &Detail| {
                    is_news && one.size <= READ_AHEAD_BYTES_MAX || !names_itself(&one.header)
                };
                let (read, rest): (Vec<_>, Vec<_>) = found.into_iter().partition(is_read);
                to_read.extend(read);
                self.write_new(folder, rest.into_iter().map(|one| (one, None)).collect()).await?;
            }
        }
        for one in to_read {
            let uids = [one.uid].into_iter().collect();
            let answer = session.link.run(Session::ask_bodies(uids)).await?;
            // One that went meanwhile is the next look's.
            if let Some((_, octets)) = bodies(&answer).pop() {
                self.write_new(folder, vec![(one, Some(octets.into()))]).await?;
            }
        }
        Ok(())
    }

    async fn write_new(
        &self,
        folder: FolderId,
        found: Vec<(Detail, Option<Bytes>)>,
    ) -> Result<(), MailboxError> {
        let now = self.now();
        let identified = found.into_iter().map(|(detail, octets)| {
            let identity = match &octets {
                Some(octets) => Identity::of_raw(octets),
                None => Identity::unread(&detail.header),
            };
            (detail, octets, identity)
        });
        let rows: Vec<(Detail, Option<Bytes>, Identity)> = identified.collect();
        for some in rows.chunks(ROWS_AT_ONCE) {
            let some: Arc<[(Detail, Option<Bytes>, Identity)]> = some.into();
            let put = self
                .write(move |tx, store| {
                    let mut put = Vec::new();
                    for (detail, octets, identity) in some.iter() {
                        let item = put_message(tx, store, folder, detail, identity, now)?;
                        put.extend(item.zip(octets.clone()));
                    }
                    Ok(put)
                })
                .await?;
            for (item, octets) in put {
                if octets.len() <= READ_AHEAD_BYTES_MAX as usize {
                    self.keep_body(folder, item, octets);
                }
            }
        }
        Ok(())
    }

    /// Where a folder is on the server.
    pub(super) async fn place(&self, folder: FolderId) -> Result<Place, MailboxError> {
        let place = self
            .read(move |tx| {
                mirrored::folder_by_id(tx, folder)?;
                Ok(tables::place(tx, folder)?)
            })
            .await?;
        place.ok_or(MailboxError::NotAllowed("the folder is not on the mail server"))
    }

    /// What we know of a folder's messages; read once, then kept in step.
    pub(super) async fn known(&self, folder: FolderId) -> Result<Known, MailboxError> {
        if let Some(known) = self.cached_known(folder) {
            return Ok(known);
        }
        let known = self
            .read(move |tx| {
                let (uid_validity, modseq) = tables::known(tx, folder)?.unwrap_or((0, 0));
                Ok(Known { uid_validity, modseq, live: tables::uids(tx, folder)? })
            })
            .await?;
        self.set_known(folder, known.clone());
        Ok(known)
    }

    /// A message of ours is in a folder now, or no longer: so that the next look adds up.
    pub(super) fn amend_known(&self, folder: FolderId, came: Option<u32>, went: Option<u32>) {
        if let Some(mut known) = self.cached_known(folder) {
            if let Some(uid) = came {
                known.live.insert(uid);
            }
            if let Some(uid) = went {
                known.live = known.live.without(&[uid].into_iter().collect());
            }
            self.set_known(folder, known);
        }
    }

    /// The name of a folder on the server, for who selects it.
    pub(super) async fn wire(&self, folder: FolderId) -> Result<Mailbox, MailboxError> {
        Ok(self.place(folder).await?.wire)
    }
}

/// A message that is no longer in its folder.
fn drop_message(
    tx: &Tx<'_>,
    store: &Embedded,
    folder: FolderId,
    uid: u32,
) -> Result<Option<ItemNumber>, MailboxError> {
    let item = tables::entry(tx, folder, uid)?.and_then(|entry| entry.item);
    if let Some(item) = item {
        match mirrored::bury(tx, store, folder, item) {
            Ok(_) | Err(MailboxError::NoSuchItem) => {}
            Err(error) => return Err(error),
        }
    }
    tables::drop_entry(tx, folder, uid)?;
    Ok(item)
}

/// A message that is known has these flags now. Gives whether it was marked deleted and is not any more.
fn take_flags(
    tx: &Tx<'_>,
    store: &Embedded,
    folder: FolderId,
    uid: u32,
    flags: &Flags,
    now: Timestamp,
) -> Result<bool, MailboxError> {
    let Some(entry) = tables::entry(tx, folder, uid)? else { return Ok(true) };
    if entry.flags == *flags {
        return Ok(false);
    }
    let flags = flags.clone();
    match entry.item {
        Some(item) if flags.is_deleted() => {
            mirrored::bury(tx, store, folder, item)?;
            tables::put_entry(tx, folder, &Entry { uid, item: None, flags })?;
        }
        Some(item) => {
            let old = mirrored::item(tx, folder, item)?;
            let change = flags.news(&entry.flags, &old, now);
            mirrored::set_state(tx, store, folder, item, &change)?;
            tables::put_entry(tx, folder, &Entry { flags, ..entry })?;
        }
        None if !flags.is_deleted() => {
            tables::drop_entry(tx, folder, uid)?;
            return Ok(true);
        }
        None => tables::put_entry(tx, folder, &Entry { flags, ..entry })?,
    }
    Ok(false)
}

/// A message that is new to us; known already if a step before was cut off.
fn put_message(
    tx: &Tx<'_>,
    store: &Embedded,
    folder: FolderId,
    detail: &Detail,
    identity: &Identity,
    now: Timestamp,
) -> Result<Option<ItemNumber>, MailboxError> {
    if tables::entry(tx, folder, detail.uid)?.is_some() {
        take_flags(tx, store, folder, detail.uid, &detail.flags, now)?;
        return Ok(None);
    }
    let item = if detail.flags.is_deleted() {
        None
    } else {
        let arrival = Arrival {
            received: detail.received,
            read: detail.flags.is_seen(),
            flag: detail.flags.flag(),
            categories: detail.flags.categories(),
            draft: detail.flags.is_draft(),
            once: None,
        };
        let (size, verb) = (detail.size, detail.flags.verb());
        let coming = mirrored::Coming { identity, size, arrival: &arrival, verb };
        Some(mirrored::put(tx, store, folder, &coming, now)?)
    };
    tables::put_entry(tx, folder, &Entry { uid: detail.uid, item, flags: detail.flags.clone() })?;
    Ok(item)
}

/// Does the header say which message it is?
fn names_itself(header: &[u8]) -> bool {
    let identity = Identity::of_raw(header);
    identity.message_id.is_some() && identity.date.is_some() && identity.from.is_some()
}
