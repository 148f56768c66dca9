//! Octets of messages: asked for ahead of a page, kept for a short while, never on the disk.
//!
//! Whoever reads an item that is on its way waits for it instead of asking again. What is kept is bounded, and so is what is on
//! its way for one page; a message too large for that is read when it is wanted.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::Imap;
use super::look::READ_AHEAD_BYTES_MAX;
use super::pool::Lease;
use super::session::{Session, bodies};
use super::tables::{self, Place};
use crate::ids::{FolderId, ItemNumber};
use crate::mailbox::embedded::mirrored;
use crate::mailbox::{Item, MESSAGE_BYTES_MAX, MailboxError};

/// Octets kept at most.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// For how long they are kept.
const KEPT_FOR: Duration = Duration::from_secs(120);

/// Messages asked for in one command when a page is prepared.
const AHEAD_AT_ONCE: usize = 25;

/// Octets on their way for one page at most.
const AHEAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A line that is lost within this is not yet worth anybody's notice.
const AGAIN_WITHIN: Duration = Duration::from_secs(5);

type Key = (FolderId, ItemNumber);

/// What is kept and what is on its way.
#[derive(Default)]
pub(super) struct Kept {
    of: HashMap<Key, Bytes>,
    order: VecDeque<(Key, Instant)>,
    bytes: usize,
    coming: HashMap<Key, watch::Receiver<()>>,
}

impl Kept {
    fn put(&mut self, key: Key, octets: Bytes) {
        self.drop_old();
        self.bytes += octets.len();
        if let Some(old) = self.of.insert(key, octets) {
            self.bytes -= old.len();
        }
        self.order.push_back((key, Instant::now()));
        while self.bytes > KEPT_BYTES_MAX {
            let Some((oldest, _)) = self.order.pop_front() else { break };
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(old) = self.of.remove(key) {
            self.bytes -= old.len();
        }
    }

    fn drop_old(&mut self) {
        while self.order.front().is_some_and(|(_, since)| since.elapsed() > KEPT_FOR) {
            if let Some((key, _)) = self.order.pop_front() {
                self.remove(&key);
            }
        }
    }
}

/// Octets kept and on their way, behind a lock that is never held across a wait.
pub(super) type Shelf = Mutex<Kept>;

impl Imap {
    pub(super) fn keep_body(&self, folder: FolderId, item: ItemNumber, octets: Bytes) {
        self.shelf().lock().put((folder, item), octets);
    }

    /// Keeps octets that were asked for ahead, unless they have been forgotten since.
    fn keep_awaited(&self, folder: FolderId, item: ItemNumber, octets: Bytes) {
        let mut kept = self.shelf().lock();
        if kept.coming.contains_key(&(folder, item)) {
            kept.put((folder, item), octets);
        }
    }

    /// Forgets octets, those on their way too: under its number a draft has others now.
    pub(super) fn forget_bodies(&self, folder: FolderId, items: &[ItemNumber]) {
        let mut kept = self.shelf().lock();
        for item in items {
            kept.remove(&(folder, *item));
            kept.coming.remove(&(folder, *item));
        }
    }

    /// What has been kept too long goes.
    pub(super) fn tidy_bodies(&self) {
        self.shelf().lock().drop_old();
    }

    /// A message and its octets.
    pub(super) async fn read_message(
        &self,
        folder: FolderId,
        number: ItemNumber,
    ) -> Result<(Item, Bytes), MailboxError> {
        let (item, uid) = self.located(folder, number).await?;
        if item.size as usize > MESSAGE_BYTES_MAX {
            return Err(MailboxError::TooLarge);
        }
        let key = (folder, number);
        let kept = loop {
            let mut coming = {
                let kept = self.shelf().lock();
                match (kept.of.get(&key), kept.coming.get(&key)) {
                    (None, Some(coming)) => coming.clone(),
                    (octets, _) => break octets.cloned(),
                }
            };
            if coming.changed().await.is_err() {
                break self.shelf().lock().of.get(&key).cloned();
            }
        };
        if let Some(octets) = kept {
            return self.sized(folder, item, octets).await;
        }
        let place = self.place(folder).await?;
        match self.octets_of(&place, uid).await? {
            Some(octets) => self.sized(folder, item, octets).await,
            None => {
                // The server has it no longer: a look says so, or the server contradicts itself.
                self.look_at(folder).await?;
                self.located(folder, number).await?;
                let why = "the server has the message and does not give it";
                Err(MailboxError::Unreadable(why.to_owned()))
            }
        }
    }

    /// A message as it is: where the server said another size, the right one is noted, so that whoever asks again makes room for it.
    async fn sized(
        &self,
        folder: FolderId,
        item: Item,
        octets: Bytes,
    ) -> Result<(Item, Bytes), MailboxError> {
        let size = u32::try_from(octets.len()).map_err(|_| MailboxError::TooLarge)?;
        if size == item.size {
            return Ok((item, octets));
        }
        tracing::debug!(%folder, item = %item.item, said = item.size, size, "the server said a wrong size");
        let number = item.item;
        self.write(move |tx, _| mirrored::set_size(tx, folder, number, size)).await?;
        Ok((Item { size, ..item }, octets))
    }

    /// The octets of a message, on another connection if the first was lost.
    async fn octets_of(&self, place: &Place, uid: u32) -> Result<Option<Bytes>, MailboxError> {
        let began = Instant::now();
        let mut session = self.pool().session(place.mailbox, Some(&place.wire)).await?;
        match self.fetch_one(&mut session, place, uid).await {
            Err(error) if is_worth_again(&session, &error, began) => {
                drop(session);
                let mut session = self.pool().session(place.mailbox, Some(&place.wire)).await?;
                self.fetch_one(&mut session, place, uid).await
            }
            told => told,
        }
    }

    /// The octets of one message; `None` if the server has none for it. What it refuses to give, or gives so that it cannot be read
    /// twice in a row, is unreadable alone.
    pub(super) async fn fetch_one(
        &self,
        session: &mut Lease,
        place: &Place,
        uid: u32,
    ) -> Result<Option<Bytes>, MailboxError> {
        let known = self.known(place.folder).await?;
        session.open(&place.wire, known.uid_validity).await?;
        for is_last in [false, true] {
            let id = session.link.submit(Session::ask_bodies([uid].into_iter().collect()))?;
            let answer = match session.link.ended_in_part(id).await {
                Ok(answer) => answer,
                Err(MailboxError::Down(why))
                    if !session.link.is_closed() && !session.link.may_pass() =>
                {
                    return Err(MailboxError::Unreadable(why));
                }
                Err(error) => return Err(error),
            };
            let found = bodies(&answer).into_iter().find(|(one, _)| *one == uid);
            match (answer.unread, found) {
                (None, found) => return Ok(found.map(|(_, octets)| Bytes::from(octets))),
                (Some(_), Some((_, octets))) if is_last => return Ok(Some(Bytes::from(octets))),
                (Some(why), None) if is_last => return Err(MailboxError::Unreadable(why)),
                _ => {}
            }
        }
        Ok(None)
    }

    /// A live item and its UID.
    pub(super) async fn located(
        &self,
        folder: FolderId,
        number: ItemNumber,
    ) -> Result<(Item, u32), MailboxError> {
        self.read(move |tx| {
            mirrored::folder_by_id(tx, folder)?;
            let item = mirrored::item(tx, folder, number)?;
            let entry = tables::entry_of(tx, folder, number)?;
            Ok((item, entry.ok_or(MailboxError::NoSuchItem)?.uid))
        })
        .await
    }

    /// A page is about to be composed of these: their octets are asked for now, in few commands, and come while it is.
    pub(super) fn prepare_page(&self, folder: FolderId, items: &[ItemNumber]) {
        let (done, coming) = watch::channel(());
        let wanted: Vec<ItemNumber> = {
            let mut kept = self.shelf().lock();
            let is_new = |item: &&ItemNumber| {
                let key = (folder, **item);
                !kept.of.contains_key(&key) && !kept.coming.contains_key(&key)
            };
            let wanted: Vec<ItemNumber> = items.iter().filter(is_new).copied().collect();
            for item in &wanted {
                kept.coming.insert((folder, *item), coming.clone());
            }
            wanted
        };
        if wanted.is_empty() {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            let coming = Coming { imap: this.clone(), folder, left: wanted.clone(), _done: done };
            if let Err(error) = this.fetch_page(folder, coming).await {
                // Whoever wants one of them asks for it alone, and hears why.
                tracing::debug!(%folder, %error, "a page could not be read ahead");
            }
        });
    }

    async fn fetch_page(&self, folder: FolderId, mut coming: Coming) -> Result<(), MailboxError> {
        let wanted: Arc<[ItemNumber]> = coming.left.clone().into();
        let found = self
            .read(move |tx| {
                let mut found = Vec::new();
                for item in wanted.iter() {
                    let (Ok(row), Some(entry)) =
                        (mirrored::item(tx, folder, *item), tables::entry_of(tx, folder, *item)?)
                    else {
                        continue;
                    };
                    found.push((entry.uid, *item, row.size));
                }
                Ok(found)
            })
            .await?;
        let mut bytes = 0;
        let small = found.into_iter().filter(|(_, _, size)| {
            bytes += *size as usize;
            *size <= READ_AHEAD_BYTES_MAX && bytes <= AHEAD_BYTES_MAX
        });
        let small: Vec<(u32, ItemNumber)> = small.map(|(uid, item, _)| (uid, item)).collect();
        coming.keep_only(&small);
        let place = self.place(folder).await?;
        let known = self.known(folder).await?;
        let mut session = self.pool().session(place.mailbox, Some(&place.wire)).await?;
        session.open(&place.wire, known.uid_validity).await?;
        let mut asked = std::collections::VecDeque::new();
        let mut chunks = small.chunks(AHEAD_AT_ONCE);
        loop {
            // Two questions are out at a time: the server works on one while we take the other's answer in.
            while asked.len() < 2 {
                let Some(chunk) = chunks.next() else { break };
                let uids = chunk.iter().map(|(uid, _)| *uid).collect();
                asked.push_back((session.link.submit(Session::ask_bodies(uids))?, chunk));
            }
            let Some((id, chunk)) = asked.pop_front() else { return Ok(()) };
            let answer = session.link.ended(id).await?;
            for (uid, octets) in bodies(&answer) {
                if let Some((_, item)) = chunk.iter().find(|(one, _)| *one == uid) {
                    self.keep_awaited(folder, *item, octets.into());
                }
            }
            coming.came(chunk);
        }
    }
}

/// Is it worth asking again on another connection? Where this one broke at once, not where it kept everybody waiting.
pub(super) fn is_worth_again(session: &Lease, error: &MailboxError, began: Instant) -> bool {
    let is_lost = matches!(error, MailboxError::Down(_)) && session.link.is_closed();
    is_lost && began.elapsed() < AGAIN_WITHIN
}

/// Items on their way; whoever waits for one goes on when it is dropped.
struct Coming {
    imap: Imap,
    folder: FolderId,
    left: Vec<ItemNumber>,
    _done: watch::Sender<()>,
}

impl Coming {
    fn keep_only(&mut self, kept: &[(u32, ItemNumber)]) {
        let is_kept = |item: &ItemNumber| kept.iter().any(|(_, one)| one == item);
        let gone: Vec<ItemNumber> = self.left.iter().filter(|i| !is_kept(i)).copied().collect();
        self.drop_these(&gone);
    }

    /// These are there now, or were not given.
    fn came(&mut self, chunk: &[(u32, ItemNumber)]) {
        let items: Vec<ItemNumber> = chunk.iter().map(|(_, item)| *item).collect();
        self.drop_these(&items);
        self._done.send_replace(());
    }

    fn drop_these(&mut self, items: &[ItemNumber]) {
        let mut kept = self.imap.shelf().lock();
        for item in items {
            kept.coming.remove(&(self.folder, *item));
        }
        self.left.retain(|item| !items.contains(item));
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        let mut kept = self.imap.shelf().lock();
        for item in &self.left {
            kept.coming.remove(&(self.folder, *item));
        }
    }
}
