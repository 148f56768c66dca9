//! Looking for mail, as Search and Find do it: in which folders, and which mails.
//!
//! Mail that an open order covers is not there. A look goes through the newest [`SCANNED_MAX`] mails of the folders it is asked about, for a
//! limited time, and only so many look at a time: of one user, and all together.

pub(in crate::eas) mod check;
mod kql;
mod people;

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::database::Tx;
use crate::eas::budget::Share;
use crate::eas::convert::Unshapable;
use crate::eas::dispatch::Ask;
use crate::eas::status::Refusal;
use crate::ids::{CollectionNumber, UserId};
use crate::ledger::Exposure;
use crate::mailbox::{Floor, Folder, FolderKind, Item, Mailbox, MailboxError};
use crate::message::{Message, conversation_id};
use crate::recall::gate::{self, Content};

pub(in crate::eas) use kql::Terms;
pub(in crate::eas) use people::{People, entries, people};

/// The folders that are looked through, of those that are named or of all; `None` where one is named that is not there. Some phones
/// name folder 0 for all of them.
pub(in crate::eas) async fn folders(
    ask: &Ask,
    named: &[&str],
    deep: bool,
) -> Result<Option<Vec<Folder>>, Refusal> {
    let all = ask.desk.engine.store.folders(ask.device.mailbox).await?;
    let mut chosen: Vec<CollectionNumber> = Vec::new();
    for name in named.iter().filter(|name| **name != ROOT) {
        match CollectionNumber::parse(name) {
            Some(number) if all.iter().any(|folder| folder.number == number) => chosen.push(number),
            _ => return Ok(None),
        }
    }
    let is_all = named.is_empty() || named.contains(&ROOT);
    if deep {
        // Folders may stand in any order: as many rounds as they can lie deep.
        for _ in 0..crate::mailbox::FOLDER_DEPTH_MAX {
            let below = all.iter().filter(|folder| {
                chosen.contains(&folder.parent) && !chosen.contains(&folder.number)
            });
            let below: Vec<CollectionNumber> = below.map(|folder| folder.number).collect();
            chosen.extend(below);
        }
    }
    let is_chosen = |folder: &Folder| is_all || chosen.contains(&folder.number);
    let searched = all.into_iter().filter(|folder| folder.kind != FolderKind::Outbox);
    Ok(Some(searched.filter(is_chosen).collect()))
}

/// What a mail has to be.
pub(in crate::eas) struct Wanted {
    /// The words of it.
    pub(in crate::eas) terms: Terms,
    /// The conversation it is of.
    pub(in crate::eas) conversation: Option<Vec<u8>>,
    /// Received after this.
    pub(in crate::eas) after: Option<Timestamp>,
    /// Received before this.
    pub(in crate::eas) before: Option<Timestamp>,
}

impl Wanted {
    /// Whether nothing is asked for in particular.
    pub(in crate::eas) fn is_everything(&self) -> bool {
        self.terms.is_empty()
            && self.conversation.is_none()
            && self.after.is_none()
            && self.before.is_none()
    }

    fn may_be(&self, item: &Item) -> bool {
        self.after.is_none_or(|after| item.received > after)
            && self.before.is_none_or(|before| item.received < before)
    }

    fn is(&self, message: &Message, item: &Item) -> bool {
        let conversation = self.conversation.as_deref();
        conversation.is_none_or(|wanted| conversation_id(message)[..] == *wanted)
            && self.terms.hold(message, item.received, item.read)
    }
}

/// Leave to look, for a limited time.
pub(in crate::eas) struct Look {
    _at_work: Share<UserId>,
    until: Timestamp,
}

impl Look {
    /// Begins; [`Refusal::Busy`] where too many look already.
    pub(in crate::eas) fn begin(ask: &Ask) -> Result<Look, Refusal> {
        let at_work = ask.desk.searches.one(ask.user.id).ok_or(Refusal::Busy)?;
        let until = ask.desk.engine.clock.now().after(ask.desk.limits.search_time_max);
        Ok(Look { _at_work: at_work, until })
    }

    /// Whether the time is over.
    pub(in crate::eas) fn is_over(&self, ask: &Ask) -> bool {
        ask.desk.engine.clock.now() > self.until
    }

    /// Mails that match, newest first, at most so many; `None` when the time is over.
    pub(in crate::eas) async fn matching(
        &self,
        ask: &Ask,
        folders: &[Folder],
        wanted: &Arc<Wanted>,
        count_max: usize,
    ) -> Result<Option<Vec<(Folder, Item)>>, Refusal> {
        let mut found = Vec::new();
        for (folder, item) in candidates(ask, folders, wanted).await? {
            if self.is_over(ask) {
                return Ok(None);
            }
            if is_wanted(ask, &folder, &item, wanted).await? {
                found.push((folder, item));
            }
            if found.len() >= count_max {
                break;
            }
        }
        Ok(Some(found))
    }
}

/// What is looked at, newest first.
async fn candidates(
    ask: &Ask,
    folders: &[Folder],
    wanted: &Wanted,
) -> Result<Vec<(Folder, Item)>, Refusal> {
    let store = &ask.desk.engine.store;
    let down_to = wanted.after.unwrap_or(Timestamp(i64::MIN));
    let mut candidates = Vec::new();
    for folder in folders {
        let items = match newest(&**store, folder, wanted, down_to).await {
            Err(MailboxError::NoSuchFolder) => continue,
            items => items?,
        };
        let items = items.into_iter().filter(|item| wanted.may_be(item));
        candidates.extend(items.map(|item| (folder.clone(), item)));
        // Folder by folder: there may be hundreds of them.
        candidates.sort_by_key(|(_, item)| std::cmp::Reverse((item.received, item.item)));
        candidates.truncate(SCANNED_MAX);
    }
    without_fenced(ask, candidates).await
}

/// The newest of a folder that may match: those in which the store finds the words, or all where it does not search.
async fn newest(
    store: &dyn Mailbox,
    folder: &Folder,
    wanted: &Wanted,
    down_to: Timestamp,
) -> Result<Vec<Item>, MailboxError> {
    let found = match store.holding(folder.id, wanted.terms.necessary()).await {
        // A folder that is not on the server is looked through here.
        Err(MailboxError::NotAllowed(_)) => None,
        found => found?,
    };
    let Some(found) = found else {
        return store.below(folder.id, Floor::TOP, down_to, SCANNED_MAX).await;
    };
    let latest = found.len().saturating_sub(SCANNED_MAX);
    store.items(folder.id, &found[latest..]).await
}

/// Reads a mail and says whether it matches; one that is gone or cannot be read does not.
async fn is_wanted(
    ask: &Ask,
    folder: &Folder,
    item: &Item,
    wanted: &Arc<Wanted>,
) -> Result<bool, Refusal> {
    let (shaper, store) = (&ask.desk.shaper, &*ask.desk.engine.store);
    let leave = shaper.leave(u64::from(item.size)).await;
    let raw = match shaper.read(&leave, store, folder.id, item).await {
        Err(Unshapable::Mailbox(error)) => return Err(error.into()),
        Err(_) => return Ok(false),
        Ok(raw) => raw,
    };
    let (wanted, seen) = (Arc::clone(wanted), item.clone());
    let look = shaper.work(raw, move |raw| Ok(wanted.is(&Message::parse(raw)?, &seen)));
    Ok(look.await.is_ok_and(|is_wanted| is_wanted))
}

/// Those that no open order covers.
async fn without_fenced(
    ask: &Ask,
    candidates: Vec<(Folder, Item)>,
) -> Result<Vec<(Folder, Item)>, Refusal> {
    let contents: Vec<Content> =
        candidates.iter().map(|(folder, item)| content(folder, item, Exposure::NEVER)).collect();
    let now = ask.desk.engine.clock.now();
    let job = move |tx: &Tx<'_>| gate::fenced_among(tx, &contents, now);
    let fenced = ask.desk.engine.database.read(job).await?;
    let is_open = |(folder, item): &(Folder, Item)| !fenced.contains(&(folder.id, item.item));
    Ok(candidates.into_iter().filter(is_open).collect())
}

/// An item as the gate sees it.
pub(in crate::eas) fn content(folder: &Folder, item: &Item, exposure: Exposure) -> Content {
    Content {
        mailbox: folder.mailbox,
        folder: folder.id,
        item: item.item,
        identity: item.identity,
        exposure,
    }
}

/// The folder that stands for all.
const ROOT: &str = "0";
/// Mails that one look goes through.
const SCANNED_MAX: usize = 2_000;
