//! Looking at a folder and writing down what was found.
//!
//! One look at a folder at a time, and none while we change something in it: its lock is held. What is found is written in steps
//! small enough for the writer. A step that a crash cuts off is taken again: the position up to which we know moves last.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use imap_sans::{Mailbox, NumberSet};

use super::Imap;
use super::bodies::is_worth_again;
use super::flags::Flags;
use super::hierarchy;
use super::mirror::{self, Doubted, GONE_UNASKED_MAX, Known, Seen, Step, Verdict};
use super::pool::Lease;
use super::session::{Detail, Session, bodies, details};
use super::tables::{self, Entry, Place};
use crate::clock::Timestamp;
use crate::database::Tx;
use crate::ids::{FolderId, ItemNumber};
use crate::mailbox::embedded::{Embedded, mirrored};
use crate::mailbox::{Arrival, MESSAGE_BYTES_MAX, MailboxError};
use crate::message::Identity;

/// Looks in a row that may contradict each other before the server is said to be down.
const LOOKS_MAX: usize = 4;

/// New messages asked for at once.
const DETAILS_AT_ONCE: usize = 500;

/// The most questions by which messages are told apart that the server says nothing of.
const ASKED_APART_MAX: usize = 64;

/// So many messages may be left out because the server says nothing of them.
const LACKING_MAX: u64 = 20;

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
        self.note_unsure(folder);
        self.look_alone(folder).await?;
        self.note_sure(folder);
        Ok(())
    }

    async fn look_alone(&self, folder: FolderId) -> Result<(), MailboxError> {
        let place = self.place(folder).await?;
        if !place.selectable {
            return Ok(());
        }
        let began = Instant::now();
        let mut session = self.pool().session(place.mailbox, Some(&place.wire)).await?;
        match self.look_with(&mut session, &place).await {
            Err(error) if is_worth_again(&session, &error, began) => {
                drop(session);
                let mut session = self.pool().session(place.mailbox, Some(&place.wire)).await?;
                self.look_with(&mut session, &place).await
            }
            looked => looked,
        }
    }

    /// The same by somebody who holds the folder's lock.
    pub(super) async fn look_with(
        &self,
        session: &mut Lease,
        place: &Place,
    ) -> Result<(), MailboxError> {
        let mut doubted = Doubted::default();
        let mut whole = false;
        for _ in 0..LOOKS_MAX {
            let known = self.known(place.folder).await?;
            let look = session.look(&place.wire, &known, whole).await?;
            match mirror::judge(&known, look, &doubted) {
                Verdict::Take(step) if is_gone(session, &step).await? => {
                    return self.take(session, place, &known, step).await;
                }
                Verdict::Take(_) => {
                    tracing::debug!(folder = %place.folder, "messages are gone and found again");
                }
                Verdict::LookAgain(doubt) => {
                    tracing::debug!(folder = %place.folder, ?doubt, "a look that is not believed");
                    doubted.note(&doubt);
                }
            }
            whole = true;
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
        let Step { new_generation, gone, seen, mut next } = step;
        let (uid_validity, modseq) = (next.uid_validity, next.modseq);
        if new_generation || known.uid_validity == 0 {
            // Rows of a step that is cut off must say of which generation they are.
            self.write(move |tx, store| {
                if new_generation {
                    hierarchy::retire(tx, store, folder)?;
                }
                Ok(tables::set_known(tx, folder, uid_validity, 0)?)
            })
            .await?;
            self.forget_folder(folder);
        }
        if !new_generation {
            self.take_gone(folder, &gone).await?;
        }
        let base = if new_generation { NumberSet::default() } else { known.live.clone() };
        let (old, new): (Vec<Seen>, Vec<Seen>) =
            seen.into_iter().partition(|one| base.contains(one.uid));
        let mut uids = self.take_changed(folder, old).await?;
        uids.extend(new.iter().map(|one| one.uid));
        let is_news = known.uid_validity != 0 && !new_generation && uids.len() <= NEWS_READ_MAX;
        let lacking = self.take_new(session, folder, &uids, is_news).await?;
        // What the server has and does not give is not known: the next look asks for it again.
        next.live = next.live.without(&lacking);
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
    /// What is news, and what does not say which message it is, is read whole. Gives the messages the server gave nothing for.
    async fn take_new(
        &self,
        session: &mut Lease,
        folder: FolderId,
        uids: &[u32],
        is_news: bool,
    ) -> Result<NumberSet, MailboxError> {
        let mut asked = None;
        let (mut to_read, mut left) = (Vec::new(), Vec::new());
        for chunk in uids.chunks(DETAILS_AT_ONCE).map(Some).chain([None]) {
            let before = asked.take();
            if let Some(uids) = chunk {
                let ids = uids.iter().copied().collect();
                asked = Some((session.link.submit(Session::ask_details(ids))?, uids));
            }
            if let Some((before, uids)) = before {
                let found = self.told_of(session, before).await?;
                left.extend(without(uids, &found));
                to_read.extend(self.write_small(folder, found, is_news).await?);
            }
        }
        let (found, lacking) = self.ask_apart(session, left).await?;
        to_read.extend(self.write_small(folder, found, is_news).await?);
        for one in to_read {
            self.read_new(session, folder, one).await?;
        }
        self.check_lacking(session, folder, lacking).await
    }

    /// The details an answer tells; none where the server refused it and goes on.
    async fn told_of(
        &self,
        session: &mut Lease,
        id: imap_sans::CommandId,
    ) -> Result<Vec<Detail>, MailboxError> {
        match session.link.ended_in_part(id).await {
            Ok(answer) => Ok(details(&answer, self.now())),
            Err(error) if session.link.is_closed() => Err(error),
            Err(error) => {
                tracing::debug!(%error, "the server does not tell of some messages");
                Ok(Vec::new())
            }
        }
    }

    /// Messages that an answer said nothing of, asked for again in smaller and smaller parts, so that one that cannot be told of
    /// spoils no other. Gives those too that are not told of alone either.
    async fn ask_apart(
        &self,
        session: &mut Lease,
        left: Vec<u32>,
    ) -> Result<(Vec<Detail>, NumberSet), MailboxError> {
        let (mut found, mut lacking) = (Vec::new(), NumberSet::default());
        let mut parts = if left.is_empty() { Vec::new() } else { vec![left] };
        let mut asked = 0;
        while let Some(part) = parts.pop() {
            if asked == ASKED_APART_MAX {
                part.into_iter().for_each(|uid| lacking.insert(uid));
                continue;
            }
            asked += 1;
            let id = session.link.submit(Session::ask_details(part.iter().copied().collect()))?;
            let told = self.told_of(session, id).await?;
            let rest = without(&part, &told);
            found.extend(told);
            match rest.len() {
                0 => {}
                1 if part.len() == 1 => lacking.insert(rest[0]),
                n => {
                    let (one, other) = rest.split_at(n / 2);
                    let halves = [other.to_vec(), one.to_vec()];
                    parts.extend(halves.into_iter().filter(|half| !half.is_empty()));
                }
            }
        }
        Ok((found, lacking))
    }

    /// Writes down what needs no reading and gives the others.
    async fn write_small(
        &self,
        folder: FolderId,
        found: Vec<Detail>,
        is_news: bool,
    ) -> Result<Vec<Detail>, MailboxError> {
        let is_read = |one: &Detail| {
            is_news && one.size <= READ_AHEAD_BYTES_MAX
                || one.size as usize <= MESSAGE_BYTES_MAX && !names_itself(&one.header)
        };
        let (read, rest): (Vec<_>, Vec<_>) = found.into_iter().partition(is_read);
        self.write_new(folder, rest.into_iter().map(|one| (one, None)).collect()).await?;
        Ok(read)
    }

    /// Reads a message that is new and writes it down. One that cannot be read is known by its header.
    async fn read_new(
        &self,
        session: &mut Lease,
        folder: FolderId,
        mut one: Detail,
    ) -> Result<(), MailboxError> {
        let uid = one.uid;
        let id = session.link.submit(Session::ask_bodies([uid].into_iter().collect()))?;
        let octets = match session.link.ended_in_part(id).await {
            Ok(answer) => bodies(&answer).into_iter().find(|(of, _)| *of == uid),
            Err(error) if session.link.is_closed() => {
                if names_itself(&one.header) {
                    self.write_new(folder, vec![(one, None)]).await?;
                }
                return Err(error);
            }
            Err(error) => {
                tracing::warn!(%folder, uid, %error, "a message that cannot be read");
                None
            }
        };
        let octets = octets.map(|(_, octets)| Bytes::from(octets));
        if let Some(octets) = &octets {
            one.size = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        }
        self.write_new(folder, vec![(one, octets)]).await
    }

    /// A few messages that the server has and tells nothing of are left out alone; many are a server that is not well.
    async fn check_lacking(
        &self,
        session: &mut Lease,
        folder: FolderId,
        lacking: NumberSet,
    ) -> Result<NumberSet, MailboxError> {
        if lacking.is_empty() {
            return Ok(lacking);
        }
        let there = session.still_there(&lacking).await?;
        if there.len() > LACKING_MAX {
            return Err(MailboxError::Down(format!(
                "the server tells nothing of {} messages it has",
                there.len()
            )));
        }
        if !there.is_empty() {
            tracing::warn!(%folder, uids = %there, "messages the server has and tells nothing of");
        }
        Ok(lacking)
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

/// Are the messages that a step would bury gone if one asks for just them? Many were looked for twice already.
async fn is_gone(session: &mut Lease, step: &Step) -> Result<bool, MailboxError> {
    if step.new_generation || step.gone.is_empty() || step.gone.len() > GONE_UNASKED_MAX {
        return Ok(true);
    }
    Ok(session.still_there(&step.gone).await?.is_empty())
}

fn without(uids: &[u32], found: &[Detail]) -> Vec<u32> {
    let found: BTreeSet<u32> = found.iter().map(|one| one.uid).collect();
    uids.iter().copied().filter(|uid| !found.contains(uid)).collect()
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
