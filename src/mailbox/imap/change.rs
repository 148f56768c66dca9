//! What a person does on a phone, done on the server first and then in the mirror.
//!
//! The folder's lock is held from the command to the row, so that no look sees one without the other. Where the server does not
//! say where a message went (UIDPLUS), a look finds it. A message is removed alone or not at all: without UIDPLUS only when no
//! other is marked deleted.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use imap_sans::{Command, DateTime, Flag as Wire, Ids, NumberSet, SearchKey, StoreMode};

use super::Imap;
use super::flags::Flags;
use super::pool::Lease;
use super::session::{Session, appended, bodies, copied, is_bad};
use super::tables::{self, Entry, Place};
use crate::failpoint;
use crate::ids::{FolderId, ItemNumber};
use crate::mailbox::embedded::mirrored;
use crate::mailbox::{Arrival, Copy, FolderKind, MESSAGE_BYTES_MAX, MailboxError, StateChange};
use crate::message::Identity;

/// Messages marked and removed by one pair of commands.
const REMOVED_AT_ONCE: usize = 500;

/// Why a message stays on a server that cannot remove one alone.
pub(super) const CANNOT_REMOVE: &str =
    "other messages are marked deleted, and the mail server cannot remove one alone";

impl Imap {
    pub(super) async fn change_state(
        &self,
        folder: FolderId,
        number: ItemNumber,
        change: StateChange,
    ) -> Result<u64, MailboxError> {
        let lock = self.lock(folder);
        let _alone = lock.lock().await;
        let (item, uid) = self.located(folder, number).await?;
        let entry = self.entry(folder, uid).await?;
        let edit = entry.flags.with(&change);
        if !edit.is_empty() {
            let (mut session, place) = self.open(folder).await?;
            for (mode, flags) in [(StoreMode::Add, &edit.add), (StoreMode::Remove, &edit.remove)] {
                self.store_flags(&mut session, &place, uid, mode, flags).await?;
            }
        }
        let now_flags = entry.flags.after(&edit);
        let item = item.item;
        self.write(move |tx, store| {
            let seq = mirrored::set_state(tx, store, folder, item, &change)?;
            let flags = now_flags.clone();
            tables::put_entry(tx, folder, &Entry { uid, item: Some(item), flags })?;
            Ok(seq)
        })
        .await
    }

    async fn store_flags(
        &self,
        session: &mut Lease,
        place: &Place,
        uid: u32,
        mode: StoreMode,
        flags: &[Wire],
    ) -> Result<(), MailboxError> {
        let keeps = session.opened.as_ref().is_some_and(|opened| opened.keeps_keywords);
        // Keywords that the server does not keep stay with us.
        let flags: Vec<Wire> = flags
            .iter()
            .filter(|flag| keeps || !matches!(flag, Wire::Keyword(_)))
            .cloned()
            .collect();
        if flags.is_empty() {
            return Ok(());
        }
        let ids = Ids::Uids([uid].into_iter().collect());
        let store = Command::Store { ids, unchanged_since: None, mode, silent: true, flags };
        session.link.run(store).await.map(drop).inspect_err(|error| {
            tracing::debug!(folder = %place.folder, %error, "flags were not stored");
        })
    }

    pub(super) async fn move_message(
        &self,
        from: FolderId,
        number: ItemNumber,
        to: FolderId,
    ) -> Result<ItemNumber, MailboxError> {
        if from == to {
            self.place(from).await?;
            return Err(MailboxError::NotAllowed("it is there already"));
        }
        let locks = [self.lock(from.min(to)), self.lock(from.max(to))];
        let _first = locks[0].lock().await;
        let _second = locks[1].lock().await;
        let (item, uid) = self.located(from, number).await?;
        let (source, target) = (self.place(from).await?, self.place(to).await?);
        if source.mailbox != target.mailbox {
            return Err(MailboxError::NotAllowed("the folders are of different mailboxes"));
        }
        let mut session = self.pool().session(source.mailbox, Some(&source.wire)).await?;
        if self.known(to).await?.uid_validity == 0 {
            self.look_with(&mut session, &target).await?;
        }
        let validity = self.known(from).await?.uid_validity;
        session.open(&source.wire, validity).await?;
        let entry = self.entry(from, uid).await?;
        let claims = self.read(move |tx| Ok(crate::message::identity(tx, item.identity)?)).await?;
        let claims = claims.ok_or(MailboxError::NoSuchItem)?;
        let went_to = self.move_there(&mut session, (&source, &target), uid, &claims).await?;
        failpoint!("imap.moved");
        let known = self.known(to).await?;
        let new_uid = went_to.filter(|(validity, _)| *validity == known.uid_validity);
        let flags = entry.flags;
        let seen_there: BTreeSet<u32> = known.live.numbers().collect();
        let moved = self
            .write(move |tx, store| {
                let old = mirrored::item(tx, from, item.item)?;
                mirrored::bury(tx, store, from, item.item)?;
                tables::drop_entry(tx, from, uid)?;
                let Some((_, new_uid)) = new_uid else { return Ok(None) };
                let moved = mirrored::put_moved(tx, store, to, &old)?;
                let flags = flags.clone();
                tables::put_entry(tx, to, &Entry { uid: new_uid, item: Some(moved), flags })?;
                Ok(Some(moved))
            })
            .await?;
        self.amend_known(from, None, Some(uid));
        self.forget_bodies(from, &[number]);
        match (moved, new_uid) {
            (Some(moved), Some((_, new_uid))) => {
                self.amend_known(to, Some(new_uid), None);
                Ok(moved)
            }
            _ => {
                self.look_with(&mut session, &target).await?;
                self.newcomer(to, &seen_there, item.identity).await
            }
        }
    }

    /// Moves a message of the open mailbox and gives where it went, if the server says so.
    async fn move_there(
        &self,
        session: &mut Lease,
        (source, target): (&Place, &Place),
        uid: u32,
        identity: &Identity,
    ) -> Result<Option<(u32, u32)>, MailboxError> {
        let uids: NumberSet = [uid].into_iter().collect();
        let (ids, to) = (Ids::Uids(uids.clone()), target.wire.clone());
        let went = |answer: &super::link::Answer| {
            copied(answer).and_then(|(validity, map)| Some((validity, map.get(uid)?)))
        };
        if session.can.r#move {
            match session.link.run(Command::Move { ids: ids.clone(), to: to.clone() }).await {
                Ok(answer) => return Ok(went(&answer)),
                Err(error) if session.link.is_closed() => {
                    return self.moved_after_all(session, source, uid, error).await.map(|()| None);
                }
                Err(error) if is_bad(&error) => session.can.r#move = false,
                Err(error) => return Err(error),
            }
        }
        self.check_removable(session, &uids).await?;
        let went = match session.link.run(Command::Copy { ids, to }).await {
            Ok(answer) => went(&answer),
            Err(error) if session.link.is_closed() => {
                let copy = self.arrived_after_all(session, target, (identity, None), error).await?;
                Some((self.known(target.folder).await?.uid_validity, copy))
            }
            Err(error) => return Err(error),
        };
        let removed = self.remove_uids(session, uids.clone()).await;
        if removed.is_err() && session.link.is_closed() {
            // A message that is in both folders is there twice: once more, on another connection.
            self.anew(session, source).await?;
            self.remove_uids(session, uids).await?;
        } else {
            removed?;
        }
        Ok(went)
    }

    /// Another connection with this folder open, after one was lost in the middle of a change.
    async fn anew(&self, session: &mut Lease, place: &Place) -> Result<(), MailboxError> {
        self.pool().renew(place.mailbox, session).await?;
        let known = self.known(place.folder).await?;
        Ok(session.open(&place.wire, known.uid_validity).await?)
    }

    /// Whether a message has left its folder though the answer was lost.
    async fn moved_after_all(
        &self,
        session: &mut Lease,
        source: &Place,
        uid: u32,
        error: MailboxError,
    ) -> Result<(), MailboxError> {
        self.anew(session, source).await?;
        let there = session.still_there(&[uid].into_iter().collect()).await?;
        if there.is_empty() { Ok(()) } else { Err(error) }
    }

    /// The UID of a message that came into a folder though the answer was lost.
    async fn arrived_after_all(
        &self,
        session: &mut Lease,
        place: &Place,
        (identity, raw): (&Identity, Option<&[u8]>),
        error: MailboxError,
    ) -> Result<u32, MailboxError> {
        self.anew(session, place).await?;
        let found = self.left_by_a_crash(session, place, identity, raw).await?;
        found.ok_or(error)
    }

    /// Puts a message into a folder on the server, and gives its UID if that is known.
    async fn append_there(
        &self,
        session: &mut Lease,
        place: &Place,
        append: Command,
        (identity, raw): (&Identity, &[u8]),
    ) -> Result<Option<u32>, MailboxError> {
        let validity = self.known(place.folder).await?.uid_validity;
        match session.link.run(append).await {
            Ok(answer) => Ok(appended(&answer).filter(|(v, _)| *v == validity).map(|(_, uid)| uid)),
            Err(error) if session.link.is_closed() => {
                self.arrived_after_all(session, place, (identity, Some(raw)), error).await.map(Some)
            }
            Err(error) => {
                if is_bad(&error) {
                    // One that did not understand the literal may take it for commands.
                    session.link.abandon();
                }
                Err(error)
            }
        }
    }

    pub(super) async fn remove_message(
        &self,
        folder: FolderId,
        number: ItemNumber,
    ) -> Result<u64, MailboxError> {
        let lock = self.lock(folder);
        let _alone = lock.lock().await;
        let (_, uid) = self.located(folder, number).await?;
        let (mut session, _) = self.open(folder).await?;
        self.remove_uids(&mut session, [uid].into_iter().collect()).await?;
        failpoint!("imap.removed");
        let seq = self
            .write(move |tx, store| {
                let seq = mirrored::bury(tx, store, folder, number)?;
                tables::drop_entry(tx, folder, uid)?;
                Ok(seq)
            })
            .await?;
        self.amend_known(folder, None, Some(uid));
        self.forget_bodies(folder, &[number]);
        Ok(seq)
    }

    /// Whether these messages of the open mailbox can be removed without removing another.
    async fn check_removable(
        &self,
        session: &mut Lease,
        uids: &NumberSet,
    ) -> Result<(), MailboxError> {
        if session.can.uidplus {
            return Ok(());
        }
        let marked = session.search(SearchKey::Has(Wire::Deleted)).await?;
        if marked.without(uids).is_empty() {
            Ok(())
        } else {
            Err(MailboxError::NotAllowed(CANNOT_REMOVE))
        }
    }

    /// Removes messages of the open mailbox for good.
    pub(super) async fn remove_uids(
        &self,
        session: &mut Lease,
        uids: NumberSet,
    ) -> Result<(), MailboxError> {
        self.check_removable(session, &uids).await?;
        let ids = Ids::Uids(uids.clone());
        let (mode, flags) = (StoreMode::Add, vec![Wire::Deleted]);
        let mark = Command::Store { ids, unchanged_since: None, mode, silent: true, flags };
        session.link.run(mark).await?;
        if session.can.uidplus {
            match session.link.run(Command::UidExpunge(uids.clone())).await {
                Err(error) if is_bad(&error) => session.can.uidplus = false,
                removed => return removed.map(drop),
            }
        }
        // Another client may have marked one between our look and our mark.
        let marked = session.search(SearchKey::Has(Wire::Deleted)).await?;
        if !marked.without(&uids).is_empty() {
            let (ids, mode) = (Ids::Uids(uids), StoreMode::Remove);
            let flags = vec![Wire::Deleted];
            let unmark = Command::Store { ids, unchanged_since: None, mode, silent: true, flags };
            session.link.run(unmark).await?;
            return Err(MailboxError::NotAllowed(CANNOT_REMOVE));
        }
        session.link.run(Command::Expunge).await.map(drop)
    }

    pub(super) async fn append_message(
        &self,
        folder: FolderId,
        raw: Bytes,
        arrival: Arrival,
    ) -> Result<ItemNumber, MailboxError> {
        if raw.len() > MESSAGE_BYTES_MAX {
            return Err(MailboxError::TooLarge);
        }
        let lock = self.lock(folder);
        let _alone = lock.lock().await;
        let place = self.place(folder).await?;
        if let Some(token) = arrival.once.clone()
            && let Some(item) = self.appended_before(&place, token).await?
        {
            return Ok(item);
        }
        let mut session = self.pool().session(place.mailbox, Some(&place.wire)).await?;
        if self.known(folder).await?.uid_validity == 0 {
            self.look_with(&mut session, &place).await?;
        }
        let known = self.known(folder).await?;
        let identity = Identity::of_raw(&raw);
        let found = match &arrival.once {
            Some(_) => match self.left_by_a_crash(&mut session, &place, &identity, None).await? {
                Some(uid) => Some(uid),
                // Or one that a look has found since.
                None => self.found_since(&place, &identity).await?,
            },
            None => None,
        };
        let flags = flags_of(&arrival);
        let uid = match found {
            Some(uid) => Some(uid),
            None => {
                let append = Command::Append {
                    mailbox: place.wire.clone(),
                    flags: flags.to_wire(),
                    date: Some(DateTime::utc(arrival.received.seconds())),
                    octets: raw.to_vec(),
                };
                self.append_there(&mut session, &place, append, (&identity, &raw)).await?
            }
        };
        failpoint!("imap.appended");
        let seen: BTreeSet<u32> = known.live.numbers().collect();
        let Some(uid) = uid else {
            self.look_with(&mut session, &place).await?;
            let id = self.registered(&identity).await?;
            let item = self.newcomer(folder, &seen, id).await?;
            self.remember(&place, item, arrival.once).await?;
            return Ok(item);
        };
        let size = u32::try_from(raw.len()).map_err(|_| MailboxError::TooLarge)?;
        let (now, mailbox) = (self.now(), place.mailbox);
        let item = self
            .write(move |tx, store| {
                let known = tables::entry(tx, folder, uid)?.and_then(|entry| entry.item);
                let item = match known {
                    Some(item) => item,
                    None => {
                        let verb = 0;
                        let coming =
                            mirrored::Coming { identity: &identity, size, arrival: &arrival, verb };
                        let item = mirrored::put(tx, store, folder, &coming, now)?;
                        let flags = flags.clone();
                        tables::put_entry(tx, folder, &Entry { uid, item: Some(item), flags })?;
                        item
                    }
                };
                if let Some(token) = &arrival.once {
                    let identity = mirrored::item(tx, folder, item)?.identity;
                    let copy = Copy { mailbox, folder, item, identity };
                    mirrored::remember(tx, &copy, token, now)?;
                }
                Ok(item)
            })
            .await?;
        self.amend_known(folder, Some(uid), None);
        Ok(item)
    }

    async fn appended_before(
        &self,
        place: &Place,
        token: String,
    ) -> Result<Option<ItemNumber>, MailboxError> {
        let (mailbox, now) = (place.mailbox, self.now());
        let before =
            self.read(move |tx| Ok(mirrored::appended_before(tx, mailbox, &token, now)?)).await?;
        Ok(before.map(|(_, item)| item))
    }

    async fn remember(
        &self,
        place: &Place,
        item: ItemNumber,
        token: Option<String>,
    ) -> Result<(), MailboxError> {
        let Some(token) = token else { return Ok(()) };
        let (mailbox, folder, now) = (place.mailbox, place.folder, self.now());
        self.write(move |tx, _| {
            let identity = mirrored::item(tx, folder, item)?.identity;
            let copy = Copy { mailbox, folder, item, identity };
            Ok(mirrored::remember(tx, &copy, &token, now)?)
        })
        .await
    }

    /// The message that an append left on the server before it could be written down: one with the same Message-ID that we do not
    /// know yet.
    async fn left_by_a_crash(
        &self,
        session: &mut Lease,
        place: &Place,
        identity: &Identity,
        raw: Option<&[u8]>,
    ) -> Result<Option<u32>, MailboxError> {
        let Some(message_id) = identity.message_id.clone() else { return Ok(None) };
        let known = self.known(place.folder).await?;
        session.open(&place.wire, known.uid_validity).await?;
        let key = SearchKey::Header("Message-ID".to_owned(), format!("<{message_id}>"));
        let found = session.search(key).await?;
        let Some(uid) = found.without(&known.live).numbers().next() else { return Ok(None) };
        let Some(raw) = raw else { return Ok(Some(uid)) };
        // A draft keeps its Message-ID while its text changes: another text is not ours.
        let answer = session.link.run(Session::ask_bodies([uid].into_iter().collect())).await?;
        Ok(bodies(&answer).iter().any(|(of, octets)| *of == uid && octets == raw).then_some(uid))
    }

    /// The message that an append with a token left, where a look has written it down since: one that says the same of itself and that
    /// no token leads to.
    async fn found_since(
        &self,
        place: &Place,
        identity: &Identity,
    ) -> Result<Option<u32>, MailboxError> {
        let Some(message_id) = identity.message_id.clone() else { return Ok(None) };
        let (mailbox, folder, claimed) = (place.mailbox, place.folder, identity.claimed);
        let copies = crate::mailbox::Mailbox::find(self.rows(), &message_id).await?;
        self.read(move |tx| {
            for copy in copies.iter().filter(|copy| copy.folder == folder) {
                let claims = crate::message::identity(tx, copy.identity)?.map(|one| one.claimed);
                if claims == Some(claimed)
                    && !mirrored::is_remembered(tx, mailbox, folder, copy.item)?
                {
                    return Ok(tables::entry_of(tx, folder, copy.item)?.map(|entry| entry.uid));
                }
            }
            Ok(None)
        })
        .await
    }

    /// The message that came into a folder in the last look and has this identity, or claims it.
    async fn newcomer(
        &self,
        folder: FolderId,
        before: &BTreeSet<u32>,
        identity: crate::ids::IdentityId,
    ) -> Result<ItemNumber, MailboxError> {
        let known = self.known(folder).await?;
        let new: Arc<[u32]> = known.live.numbers().filter(|uid| !before.contains(uid)).collect();
        let found = self
            .read(move |tx| {
                let wanted = crate::message::identity(tx, identity)?.map(|one| one.claimed);
                for uid in new.iter().rev() {
                    let Some(item) = tables::entry(tx, folder, *uid)?.and_then(|e| e.item) else {
                        continue;
                    };
                    let row = mirrored::item(tx, folder, item)?;
                    let claimed =
                        crate::message::identity(tx, row.identity)?.map(|one| one.claimed);
                    if row.identity == identity || claimed == wanted {
                        return Ok(Some(item));
                    }
                }
                Ok(None)
            })
            .await?;
        found.ok_or_else(|| MailboxError::Down("the message is not where it was put".to_owned()))
    }

    async fn registered(
        &self,
        identity: &Identity,
    ) -> Result<crate::ids::IdentityId, MailboxError> {
        let identity = identity.clone();
        self.write(move |tx, _| Ok(crate::message::register(tx, &identity)?)).await
    }

    pub(super) async fn replace_message(
        &self,
        folder: FolderId,
        number: ItemNumber,
        raw: Bytes,
    ) -> Result<u64, MailboxError> {
        if raw.len() > MESSAGE_BYTES_MAX {
            return Err(MailboxError::TooLarge);
        }
        let lock = self.lock(folder);
        let _alone = lock.lock().await;
        let (item, old_uid) = self.located(folder, number).await?;
        if !item.draft {
            return Err(MailboxError::NotAllowed("only a draft gets a new body"));
        }
        let (mut session, place) = self.open(folder).await?;
        let flags = self.entry(folder, old_uid).await?.flags;
        let known = self.known(folder).await?;
        let append = Command::Append {
            mailbox: place.wire.clone(),
            flags: flags.to_wire(),
            date: Some(DateTime::utc(item.received.seconds())),
            octets: raw.to_vec(),
        };
        let identity = Identity::of_raw(&raw);
        // An earlier try may have left it: then it is not put in again.
        let left = self.left_by_a_crash(&mut session, &place, &identity, Some(&raw)).await?;
        let uid = match left {
            Some(uid) => Some(uid),
            None => self.append_there(&mut session, &place, append, (&identity, &raw)).await?,
        };
        let uid = match uid {
            Some(uid) => uid,
            None => {
                // Nobody else may write here while we hold the folder's lock but other clients: the newest is ours unless one did.
                session.select(&place.wire, imap_sans::SelectSync::Plain).await?;
                let there = session.search(SearchKey::All).await?.without(&known.live);
                let newest = there.numbers().last();
                newest.ok_or_else(|| MailboxError::Down("the draft is not there".to_owned()))?
            }
        };
        session.open(&place.wire, known.uid_validity).await?;
        let size = u32::try_from(raw.len()).map_err(|_| MailboxError::TooLarge)?;
        let now = self.now();
        let seq = self
            .write(move |tx, store| {
                let what = (&identity, size);
                let seq = mirrored::replace_draft(tx, store, folder, number, what, now)?;
                // Until it is removed, the old one is there and not shown.
                let old = tables::entry(tx, folder, old_uid)?;
                let old_flags = old.map(|old| old.flags).unwrap_or_default();
                let old = Entry { uid: old_uid, item: None, flags: old_flags };
                tables::put_entry(tx, folder, &old)?;
                let flags = flags.clone();
                tables::put_entry(tx, folder, &Entry { uid, item: Some(number), flags })?;
                Ok(seq)
            })
            .await?;
        self.amend_known(folder, Some(uid), None);
        self.forget_bodies(folder, &[number]);
        failpoint!("imap.replaced");
        match self.remove_uids(&mut session, [old_uid].into_iter().collect()).await {
            Ok(()) => {
                self.write(move |tx, _| Ok(tables::drop_entry(tx, folder, old_uid)?)).await?;
                self.amend_known(folder, None, Some(old_uid));
            }
            // It stays marked, or as it was; phones are not shown it, and the next change of the draft does not need it.
            Err(error) => {
                tracing::warn!(%folder, %error, "the older text of a draft stays on the server")
            }
        }
        Ok(seq)
    }

    /// Removes everything we know of in a folder, but what is being recalled: that is the recall's to keep.
    pub(super) async fn empty_place(
        &self,
        folder: FolderId,
        subfolders: bool,
    ) -> Result<(), MailboxError> {
        if subfolders {
            let below = self
                .read(move |tx| {
                    let top = mirrored::folder_by_id(tx, folder)?;
                    let mut below = mirrored::folders_below(tx, &top)?;
                    below.retain(|one| one.parent == top.number);
                    Ok(below)
                })
                .await?;
            for one in below {
                self.remove_folder(one.id).await?;
            }
        }
        let lock = self.lock(folder);
        let _alone = lock.lock().await;
        let (mut session, place) = self.open(folder).await?;
        self.look_with(&mut session, &place).await?;
        let known = self.known(folder).await?;
        session.open(&place.wire, known.uid_validity).await?;
        let kept = self.recalled_in(&[folder]).await?;
        let going: Vec<u32> = {
            let kept: Vec<ItemNumber> = kept.iter().map(|(_, item)| *item).collect();
            let shown = self
                .read(move |tx| {
                    let mut shown = Vec::new();
                    for uid in known.live.numbers() {
                        let item = tables::entry(tx, folder, uid)?.and_then(|entry| entry.item);
                        shown.extend(item.map(|item| (uid, item)));
                    }
                    Ok(shown)
                })
                .await?;
            shown.into_iter().filter(|(_, item)| !kept.contains(item)).map(|(uid, _)| uid).collect()
        };
        for some in going.chunks(REMOVED_AT_ONCE) {
            let uids: NumberSet = some.iter().copied().collect();
            self.remove_uids(&mut session, uids).await?;
            let some: Arc<[u32]> = some.into();
            let these = Arc::clone(&some);
            self.write(move |tx, store| {
                for uid in these.iter() {
                    if let Some(item) = tables::entry(tx, folder, *uid)?.and_then(|e| e.item) {
                        mirrored::bury(tx, store, folder, item)?;
                    }
                    tables::drop_entry(tx, folder, *uid)?;
                }
                Ok(())
            })
            .await?;
            some.iter().for_each(|uid| self.amend_known(folder, None, Some(*uid)));
        }
        Ok(())
    }

    pub(super) async fn entry(&self, folder: FolderId, uid: u32) -> Result<Entry, MailboxError> {
        let entry = self.read(move |tx| Ok(tables::entry(tx, folder, uid)?)).await?;
        entry.ok_or(MailboxError::NoSuchItem)
    }

    /// A connection with this folder open.
    pub(super) async fn open(&self, folder: FolderId) -> Result<(Lease, Place), MailboxError> {
        let place = self.place(folder).await?;
        let known = self.known(folder).await?;
        let mut session = self.pool().session(place.mailbox, Some(&place.wire)).await?;
        if known.uid_validity == 0 {
            self.look_with(&mut session, &place).await?;
        } else {
            session.open(&place.wire, known.uid_validity).await?;
        }
        Ok((session, place))
    }
}

/// The flags of a message that is put in.
fn flags_of(arrival: &Arrival) -> Flags {
    let change = StateChange {
        read: Some(arrival.read),
        flag: Some(arrival.flag.clone()),
        categories: Some(arrival.categories.clone()),
        verb: None,
    };
    let none = Flags::default();
    let mut flags = none.after(&none.with(&change)).to_wire();
    if arrival.draft {
        flags.push(Wire::Draft);
    }
    Flags::new(&flags)
}

/// Folders that stay what they are.
pub(super) fn is_fixed(kind: FolderKind) -> bool {
    kind != FolderKind::User
}
