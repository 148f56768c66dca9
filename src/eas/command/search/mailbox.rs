//! Search in the mailbox: which folders, which mails, and what of them leaves.

use std::sync::Arc;

use activesync::command::search::{Hit, HitProperties, MailboxQuery, Options, StoreAnswer};
use activesync::item::ItemData;
use activesync::item::body::MimeSupport;
use activesync::status::search_store as status;
use activesync::types::{ByteRange, ClassName, CollectionId, LongId};

use super::{RESULTS_MAX, SCANNED_MAX, range, release, results};
use crate::clock::Timestamp;
use crate::database::Tx;
use crate::eas::convert::{ItemOptions, Unshapable};
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::status::Refusal;
use crate::ids::{CollectionNumber, ServerId};
use crate::ledger::Exposure;
use crate::mailbox::{Floor, Folder, FolderKind, Item, MailboxError};
use crate::message::{Message, conversation_id};
use crate::recall::gate::{self, Content};

/// Answers it.
pub(super) async fn answer(
    ask: &Ask,
    query: &MailboxQuery,
    options: &Options,
) -> Result<Outcome, Refusal> {
    let failed = |status| Ok(ask.plain(&super::whole(StoreAnswer::failure(status))).into());
    let Some(asked) = range(options) else { return failed(status::INVALID_REQUEST) };
    let wanted = Arc::new(Wanted::of(query));
    if wanted.is_everything() {
        return failed(status::INVALID_REQUEST);
    }
    let Some(folders) = folders(ask, query, options.deep_traversal).await? else {
        return failed(status::FOLDER_SYNC_REQUIRED);
    };
    for _ in 0..TRIES {
        let found = match wants_mail(query) {
            true => matching(ask, &folders, &wanted).await?,
            false => Vec::new(),
        };
        let (store, contents) = shown(ask, &found, asked, options).await?;
        if contents.is_empty() {
            return Ok(ask.plain(&super::whole(store)).into());
        }
        if let Some(outcome) = release(ask, store, contents).await? {
            return Ok(outcome);
        }
    }
    Err(Refusal::Restless)
}

/// Mail is what there is; other classes have no items here.
fn wants_mail(query: &MailboxQuery) -> bool {
    query.classes.is_empty() || query.classes.iter().any(ClassName::is_email)
}

/// The folders that are searched; `None` where one is named that is not there. Some phones name folder 0 for all of them.
async fn folders(
    ask: &Ask,
    query: &MailboxQuery,
    deep: bool,
) -> Result<Option<Vec<Folder>>, Refusal> {
    let all = ask.desk.engine.store.folders(ask.device.mailbox).await?;
    let named: Vec<&str> = query.collection_ids.iter().map(CollectionId::as_str).collect();
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
struct Wanted {
    words: Vec<String>,
    conversation: Option<Vec<u8>>,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
}

impl Wanted {
    fn of(query: &MailboxQuery) -> Wanted {
        let text = query.free_text.as_deref().unwrap_or_default().to_lowercase();
        let words = text.split(|c: char| c.is_whitespace() || c == '"' || c == '*');
        let words = words.filter(|word| !word.is_empty()).take(WORDS_MAX);
        let time = |bound: Option<activesync::command::search::Received>| {
            bound.map(|received| Timestamp(received.0.ms()))
        };
        Wanted {
            words: words.map(str::to_owned).collect(),
            conversation: query.conversation_id.clone(),
            after: time(query.received_after),
            before: time(query.received_before),
        }
    }

    /// Whether nothing is asked for in particular.
    fn is_everything(&self) -> bool {
        self.words.is_empty()
            && self.conversation.is_none()
            && self.after.is_none()
            && self.before.is_none()
    }

    fn may_be(&self, item: &Item) -> bool {
        self.after.is_none_or(|after| item.received > after)
            && self.before.is_none_or(|before| item.received < before)
    }

    fn is(&self, message: &Message) -> bool {
        if let Some(wanted) = &self.conversation
            && conversation_id(message)[..] != wanted[..]
        {
            return false;
        }
        if self.words.is_empty() {
            return true;
        }
        let sender = message.header("From").unwrap_or_default();
        let head = [message.subject(), sender, message.to_text(), message.cc_text()].join("\n");
        let head = head.to_lowercase();
        let missing: Vec<&String> =
            self.words.iter().filter(|word| !has_word(&head, word)).collect();
        if missing.is_empty() {
            return true;
        }
        let body = message.plain_text().to_lowercase();
        missing.into_iter().all(|word| has_word(&body, word))
    }
}

/// Whether a word of the text begins so; both in lower case.
fn has_word(text: &str, wanted: &str) -> bool {
    text.match_indices(wanted)
        .any(|(at, _)| !text[..at].chars().next_back().is_some_and(char::is_alphanumeric))
}

/// Mails that match, newest first.
async fn matching(
    ask: &Ask,
    folders: &[Folder],
    wanted: &Arc<Wanted>,
) -> Result<Vec<(Folder, Item)>, Refusal> {
    let store = &ask.desk.engine.store;
    let down_to = wanted.after.unwrap_or(Timestamp(i64::MIN));
    let mut candidates = Vec::new();
    for folder in folders {
        let items = match store.below(folder.id, Floor::TOP, down_to, SCANNED_MAX).await {
            Err(MailboxError::NoSuchFolder) => continue,
            items => items?,
        };
        let items = items.into_iter().filter(|item| wanted.may_be(item));
        candidates.extend(items.map(|item| (folder.clone(), item)));
        // Folder by folder: there may be hundreds of them.
        candidates.sort_by_key(|(_, item)| std::cmp::Reverse((item.received, item.item)));
        candidates.truncate(SCANNED_MAX);
    }
    let mut found = Vec::new();
    for (folder, item) in without_fenced(ask, candidates).await? {
        let raw = match store.read(folder.id, item.item).await {
            Ok((read, raw)) if read.identity == item.identity => raw,
            Ok(_) | Err(MailboxError::NoSuchItem | MailboxError::NoSuchFolder) => continue,
            Err(MailboxError::Unreadable(_) | MailboxError::TooLarge) => continue,
            Err(error) => return Err(error.into()),
        };
        let wanted = Arc::clone(wanted);
        let look = ask.desk.shaper.work(raw, move |raw| Ok(wanted.is(&Message::parse(raw)?)));
        if look.await.is_ok_and(|is_wanted| is_wanted) {
            found.push((folder, item));
        }
        if found.len() >= RESULTS_MAX as usize {
            break;
        }
    }
    Ok(found)
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

fn content(folder: &Folder, item: &Item, exposure: Exposure) -> Content {
    Content {
        mailbox: folder.mailbox,
        folder: folder.id,
        item: item.item,
        identity: item.identity,
        exposure,
    }
}

/// The results of the range as the phone wants them, and what of them leaves.
async fn shown(
    ask: &Ask,
    found: &[(Folder, Item)],
    asked: ByteRange,
    options: &Options,
) -> Result<(StoreAnswer, Vec<Content>), Refusal> {
    let wishes = ItemOptions {
        body_preferences: options.body_preferences.clone(),
        body_part_preferences: options.body_part_preferences.clone(),
        mime_support: options.mime_support.unwrap_or(MimeSupport::Never),
        ..ItemOptions::new(ask.version)
    };
    let (mut hits, mut contents, mut octets) = (Vec::new(), Vec::new(), 0);
    let count = (asked.last - asked.first) as usize + 1;
    for (folder, item) in found.iter().skip(asked.first as usize).take(count) {
        let desk = &ask.desk;
        let (email, exposure) =
            match desk.shaper.shape(&*desk.engine.store, folder, item, &wishes).await {
                Ok(shaped) => shaped,
                Err(Unshapable::Mailbox(error)) => return Err(error.into()),
                Err(_) => continue,
            };
        let body = email.body.as_ref().and_then(|body| body.data.as_ref());
        octets += body.map_or(0, |data| data.as_bytes().len()) + ENVELOPE_OCTETS;
        if octets > desk.limits.answer_bytes_max && !hits.is_empty() {
            break;
        }
        let id = ServerId { collection: folder.number, item: item.item }.to_string();
        hits.push(Hit {
            class: Some(ClassName::email()),
            long_id: LongId::new(id).ok(),
            collection_id: CollectionId::new(folder.number.to_string()).ok(),
            properties: Some(HitProperties::Item(ItemData::from(email))),
        });
        contents.push(content(folder, item, exposure | Exposure::SEARCHED));
    }
    let total = u32::try_from(found.len()).unwrap_or(RESULTS_MAX);
    Ok((results(asked, hits, total), contents))
}

/// The folder that stands for all.
const ROOT: &str = "0";
/// Times an answer is made anew because something in it was fenced meanwhile.
const TRIES: usize = 4;
/// Words of one search that count.
const WORDS_MAX: usize = 32;
/// What an envelope takes, about.
const ENVELOPE_OCTETS: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_by_how_they_begin() {
        assert!(has_word("salaries of march", "sal"));
        assert!(has_word("(march)", "march"));
        assert!(!has_word("unsalted", "salt"));
        assert!(has_word("grüße aus köln", "köl"));
    }
}
