//! The shaper: reads a message and makes the item a phone asked for, away from the threads that serve sockets.
//!
//! Guarantee: mail is read on behalf of a phone only with a [`Leave`], taken for as many octets before they are read and kept
//! until the work over them is done, so that the octets of all mails held for conversion stay within one budget. Whoever asks for a
//! leave waits in line; whoever has one waits for nobody but the store and a thread, and never for a second leave. So the line
//! always moves.

use std::sync::Arc;

use activesync::item::email::Email;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ItemOptions;
use super::email::shape;
use crate::ids::{CollectionNumber, FolderId};
use crate::ledger::Exposure;
use crate::mailbox::{Folder, Item, Mailbox, MailboxError};
use crate::message::{Message, Unreadable};

/// Why an item could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Unshapable {
    /// It left the store since it was looked up.
    #[error("the item is gone")]
    Gone,
    /// It is another message than the one that was looked up: a draft was replaced meanwhile. Look again.
    #[error("the item was replaced")]
    Replaced,
    /// Its octets cannot be read. Only this item suffers.
    #[error("the item cannot be read: {0}")]
    Unreadable(String),
    /// The store failed: an error of the whole request.
    #[error(transparent)]
    Mailbox(MailboxError),
}

impl From<MailboxError> for Unshapable {
    fn from(error: MailboxError) -> Unshapable {
        match error {
            MailboxError::NoSuchItem | MailboxError::NoSuchFolder => Unshapable::Gone,
            MailboxError::Unreadable(why) => Unshapable::Unreadable(why),
            MailboxError::TooLarge => Unshapable::Unreadable("too large".to_owned()),
            other => Unshapable::Mailbox(other),
        }
    }
}

impl From<Unreadable> for Unshapable {
    fn from(error: Unreadable) -> Unshapable {
        Unshapable::Unreadable(error.to_string())
    }
}

/// Makes items. Cheap to clone; all clones share one budget of octets, and one limit on large messages being worked on.
#[derive(Clone, Debug)]
pub struct Shaper {
    octets: Arc<Semaphore>,
    units: u32,
    hands: Arc<Semaphore>,
}

/// Leave to hold octets of mails; given back when it, and all work begun under it, is over.
#[derive(Clone, Debug)]
pub struct Leave {
    _held: Arc<Option<OwnedSemaphorePermit>>,
}

/// Octets of a message, and the leave to hold them.
#[derive(Debug)]
pub(in crate::eas) struct Raw {
    octets: Bytes,
    leave: Option<Leave>,
}

/// Octets that a phone brought: the listener bounds them.
impl From<Bytes> for Raw {
    fn from(octets: Bytes) -> Raw {
        Raw { octets, leave: None }
    }
}

impl Raw {
    /// The octets, for as long as this lives.
    pub(in crate::eas) fn octets(&self) -> &Bytes {
        &self.octets
    }
}

impl Shaper {
    /// A shaper with a budget of its own: octets of mails held at a time.
    pub fn new(octets_max: usize) -> Shaper {
        let units = (octets_max / UNIT_OCTETS).clamp(1, Semaphore::MAX_PERMITS);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let octets = Arc::new(Semaphore::new(units as usize));
        Shaper { octets, units, hands: Arc::new(Semaphore::new(LARGE_AT_ONCE)) }
    }

    /// Waits in line until so many octets may be held. Nobody asks for more than there is: what is larger goes alone.
    pub async fn leave(&self, octets: u64) -> Leave {
        let units = octets.div_ceil(UNIT_OCTETS as u64).clamp(1, u64::from(self.units));
        let units = u32::try_from(units).unwrap_or(self.units);
        let held = Arc::clone(&self.octets).acquire_many_owned(units).await;
        Leave { _held: Arc::new(held.ok()) }
    }

    /// The octets of the item that was looked up; `leave` covers its size.
    pub(in crate::eas) async fn read(
        &self,
        leave: &Leave,
        store: &dyn Mailbox,
        folder: FolderId,
        item: &Item,
    ) -> Result<Raw, Unshapable> {
        let (found, octets) = store.read(folder, item.item).await?;
        if found.identity != item.identity || found.size > item.size {
            return Err(Unshapable::Replaced);
        }
        if octets.len() > (item.size as usize).saturating_add(UNIT_OCTETS) {
            return Err(Unshapable::Unreadable("it is larger than its store says".to_owned()));
        }
        Ok(Raw { octets, leave: Some(leave.clone()) })
    }

    /// The item as the phone wants it, and what of the message it exposes. The state (read, flag, categories, verb) is that of
    /// `item`, which the plan saw; the octets must still be those of the same message. Whoever keeps the item counts it before the
    /// leave goes.
    pub async fn shape(
        &self,
        leave: &Leave,
        store: &dyn Mailbox,
        folder: &Folder,
        item: &Item,
        options: &ItemOptions,
    ) -> Result<(Email, Exposure), Unshapable> {
        let raw = self.read(leave, store, folder.id, item).await?;
        let (collection, item, options) = (folder.number, item.clone(), options.clone());
        self.work(raw, move |raw| make(raw, collection, &item, &options)).await
    }

    /// Runs work over the octets of a message: small ones at once, large ones on a thread that may block.
    pub(in crate::eas) async fn work<T: Send + 'static>(
        &self,
        raw: impl Into<Raw>,
        job: impl FnOnce(Bytes) -> Result<T, Unshapable> + Send + 'static,
    ) -> Result<T, Unshapable> {
        let Raw { octets, leave } = raw.into();
        if octets.len() <= INLINE_OCTETS_MAX {
            return job(octets);
        }
        let hand = Arc::clone(&self.hands).acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            // Whoever asked may be gone: the leave lasts as long as the work.
            let _held = (hand, leave);
            job(octets)
        });
        done.await.unwrap_or_else(|error| Err(Unshapable::Unreadable(error.to_string())))
    }
}

fn make(
    raw: Bytes,
    collection: CollectionNumber,
    item: &Item,
    options: &ItemOptions,
) -> Result<(Email, Exposure), Unshapable> {
    Ok(shape(&Message::parse(raw)?, collection, item, options))
}

/// Octets of a message that are worked on without leaving the async thread: well under a millisecond.
const INLINE_OCTETS_MAX: usize = 32 * 1024;
/// Large messages worked on at once; each may take a few times its size in memory.
const LARGE_AT_ONCE: usize = 4;
/// What the budget is counted in.
const UNIT_OCTETS: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn large_work_runs_elsewhere_and_a_panic_there_spoils_one_item_only() {
        let shaper = Shaper::new(UNIT_OCTETS);
        let here = std::thread::current().id();
        let small = shaper.work(Bytes::from_static(b"x"), |_| Ok(std::thread::current().id()));
        assert_eq!(small.await.ok(), Some(here));
        let large = Bytes::from(vec![0; INLINE_OCTETS_MAX + 1]);
        let elsewhere = shaper.work(large.clone(), |_| Ok(std::thread::current().id())).await;
        assert_ne!(elsewhere.ok(), Some(here));
        let broken = shaper.work::<()>(large, |_| panic!("a bad message")).await;
        assert!(matches!(broken, Err(Unshapable::Unreadable(_))));
        assert_eq!(shaper.hands.available_permits(), LARGE_AT_ONCE);
    }

    #[tokio::test]
    async fn a_leave_is_never_for_more_than_there_is_and_lasts_as_long_as_the_work() {
        let shaper = Shaper::new(3 * UNIT_OCTETS);
        let leave = shaper.leave(u64::MAX).await;
        assert_eq!(shaper.octets.available_permits(), 0);
        let (begin, begun) = std::sync::mpsc::channel::<()>();
        let octets = Bytes::from(vec![0; INLINE_OCTETS_MAX + 1]);
        let raw = Raw { octets, leave: Some(leave) };
        let job = move |_| begun.recv().map_err(|_| Unshapable::Gone);
        // Whoever asked goes away while the work is going on.
        let mut work = Box::pin(shaper.work(raw, job));
        tokio::select! {
            biased;
            _ = &mut work => panic!("it is not done"),
            () = std::future::ready(()) => {}
        }
        drop(work);
        assert_eq!(shaper.octets.available_permits(), 0);
        begin.send(()).unwrap();
        shaper.leave(u64::MAX).await;
        assert_eq!(shaper.octets.available_permits(), 3);
        drop(shaper.leave(0).await);
    }
}
