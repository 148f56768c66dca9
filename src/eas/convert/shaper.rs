//! The shaper: reads a message and makes the item a phone asked for, away from the threads that serve sockets.

use std::sync::Arc;

use activesync::item::email::Email;
use bytes::Bytes;
use tokio::sync::Semaphore;

use super::ItemOptions;
use super::email::shape;
use crate::ids::CollectionNumber;
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

/// Makes items. Cheap to clone; all clones share one limit on large messages being worked on.
#[derive(Clone, Debug)]
pub struct Shaper {
    large: Arc<Semaphore>,
}

impl Default for Shaper {
    fn default() -> Shaper {
        Shaper::new()
    }
}

impl Shaper {
    /// A shaper with its own limit.
    pub fn new() -> Shaper {
        Shaper { large: Arc::new(Semaphore::new(LARGE_AT_ONCE)) }
    }

    /// The item as the phone wants it, and what of the message it exposes. The state (read, flag, categories, verb) is that of
    /// `item`, which the plan saw; the octets must still be those of the same message.
    pub async fn shape(
        &self,
        store: &dyn Mailbox,
        folder: &Folder,
        item: &Item,
        options: &ItemOptions,
    ) -> Result<(Email, Exposure), Unshapable> {
        let (found, raw) = store.read(folder.id, item.item).await?;
        if found.identity != item.identity {
            return Err(Unshapable::Replaced);
        }
        let (collection, item, options) = (folder.number, item.clone(), options.clone());
        self.work(raw, move |raw| make(raw, collection, &item, &options)).await
    }

    /// Runs work over the octets of a message: small ones at once, large ones on a thread that may block.
    pub(in crate::eas) async fn work<T: Send + 'static>(
        &self,
        raw: Bytes,
        job: impl FnOnce(Bytes) -> Result<T, Unshapable> + Send + 'static,
    ) -> Result<T, Unshapable> {
        if raw.len() <= INLINE_OCTETS_MAX {
            return job(raw);
        }
        let permit = self.large.clone().acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            job(raw)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn large_work_runs_elsewhere_and_a_panic_there_spoils_one_item_only() {
        let shaper = Shaper::new();
        let here = std::thread::current().id();
        let small = shaper.work(Bytes::from_static(b"x"), |_| Ok(std::thread::current().id()));
        assert_eq!(small.await.ok(), Some(here));
        let large = Bytes::from(vec![0; INLINE_OCTETS_MAX + 1]);
        let elsewhere = shaper.work(large.clone(), |_| Ok(std::thread::current().id())).await;
        assert_ne!(elsewhere.ok(), Some(here));
        let broken = shaper.work::<()>(large, |_| panic!("a bad message")).await;
        assert!(matches!(broken, Err(Unshapable::Unreadable(_))));
        assert_eq!(shaper.large.available_permits(), LARGE_AT_ONCE);
    }
}
