//! Find ([MS-ASCMD] 2.2.1.2): mail of the mailbox and people of the address list, page by page; 16.1 only.
//!
//! What a page shows of a mail leaves for good: each hit passes the gate in one transaction and is booked as a search copy. Mail that an
//! order covers is neither shown nor counted. Nothing of a search is kept but its SearchId: every page looks anew.

use std::sync::Arc;

use activesync::command::find::{
    Criterion, Hit, HitProperties, MailSummary, MailboxCriterion, Page, PeopleCriterion, Request,
    Response,
};
use activesync::document::Document as _;
use activesync::status::{Status, find as status};
use activesync::types::{
    ByteRange, ClassName, CollectionId, DateTime, RangeText, SearchId, ServerId,
};
use bytes::Bytes;

use crate::eas::convert::Unshapable;
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::look::{self, Look, People, Terms, Wanted};
use crate::eas::status::Refusal;
use crate::ids;
use crate::ledger::Exposure;
use crate::mailbox::{Folder, Item, MailboxError};
use crate::message::{Message, body};
use crate::recall::gate::Content;

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    let request: Request = ask.decode()?;
    let range = match &request.criterion {
        Criterion::Mailbox(criterion) => criterion.options.as_ref().and_then(|o| o.range.as_ref()),
        Criterion::People(criterion) => criterion.range.as_ref(),
    };
    let Some(asked) = range_of(range) else { return Ok(refused(ask, status::INVALID_REQUEST)) };
    if !may_turn(ask, &request.search_id, asked) {
        return Ok(whole_of(ask, Page::failure(status::START_WITH_RANGE_ZERO)));
    }
    match &request.criterion {
        Criterion::Mailbox(criterion) => mail(ask, criterion, asked).await,
        Criterion::People(criterion) => people(ask, criterion, asked).await,
    }
}

/// Which results are wanted ([MS-ASCMD] 2.2.3.143.1).
fn range_of(range: Option<&RangeText>) -> Option<ByteRange> {
    match range {
        None => Some(ByteRange { first: 0, last: PAGE_DEFAULT - 1 }),
        Some(text) => text.range().filter(|range| range.last < RESULTS_MAX),
    }
}

/// Whether the page is the first of a search, or one of the search the device began last ([MS-ASCMD] 2.2.3.177.2).
fn may_turn(ask: &Ask, search: &SearchId, asked: ByteRange) -> bool {
    let presence = &ask.desk.presence;
    if asked.first == 0 {
        presence.searches(ask.device.id, search.as_str());
        return true;
    }
    presence.is_searching(ask.device.id, search.as_str())
}

/// A status for the whole command.
fn refused(ask: &Ask, status: Status) -> Outcome {
    ask.plain(&Response { status, page: None }).into()
}

fn whole(mut page: Page, store: &str) -> Response {
    page.store = Some(store.to_owned());
    Response { status: status::SUCCESS, page: Some(page) }
}

/// An answer without content of a mailbox.
fn whole_of(ask: &Ask, page: Page) -> Outcome {
    ask.plain(&whole(page, MAILBOX)).into()
}

fn page(asked: ByteRange, results: Vec<Hit>, total: u32) -> Page {
    let count = u32::try_from(results.len()).unwrap_or(0);
    let range = count
        .checked_sub(1)
        .map(|last| ByteRange { first: asked.first, last: asked.first.saturating_add(last) });
    Page { store: None, status: status::SUCCESS, results, range, total: Some(total) }
}

async fn people(
    ask: &Ask,
    criterion: &PeopleCriterion,
    asked: ByteRange,
) -> Result<Outcome, Refusal> {
    if criterion.query.trim().is_empty() {
        return Ok(refused(ask, status::INVALID_REQUEST));
    }
    let with_pictures = criterion.picture.is_some();
    let People { page: found, total } =
        look::people(ask, &criterion.query, asked, with_pictures).await?;
    let hits = found.into_iter().map(|person| Hit {
        class: None,
        server_id: None,
        collection_id: None,
        properties: HitProperties::Person(Box::new(person)),
    });
    Ok(ask.plain(&whole(page(asked, hits.collect(), total), GAL)).into())
}

async fn mail(
    ask: &Ask,
    criterion: &MailboxCriterion,
    asked: ByteRange,
) -> Result<Outcome, Refusal> {
    let query = criterion.query.clone().unwrap_or_default();
    let wanted = Wanted {
        terms: Terms::read(
            query.free_text.as_deref().unwrap_or_default(),
            ask.desk.engine.clock.now(),
        ),
        conversation: None,
        after: None,
        before: None,
    };
    if wanted.is_everything() {
        return Ok(refused(ask, status::INVALID_REQUEST));
    }
    let wanted = Arc::new(wanted);
    let named: Vec<&str> = query.collection_id.iter().map(CollectionId::as_str).collect();
    let deep = criterion.options.as_ref().is_some_and(|options| options.deep_traversal);
    let Some(folders) = look::folders(ask, &named, deep).await? else {
        return Ok(refused(ask, status::FOLDER_SYNC_REQUIRED));
    };
    let look = Look::begin(ask)?;
    for _ in 0..TRIES {
        ask.hold_nothing();
        let found = match query.class.as_ref().is_none_or(ClassName::is_email) {
            true => look.matching(ask, &folders, &wanted, RESULTS_MAX as usize).await?,
            false => Some(Vec::new()),
        };
        // Find has no Status for a search that takes too long, or for too many of them ([MS-ASCMD] 2.2.3.177.2): HTTP has.
        let Some(found) = found else { return Err(Refusal::Busy) };
        let (page, contents) = shown(ask, &look, &found, asked).await?;
        if contents.is_empty() {
            return Ok(whole_of(ask, page));
        }
        let response = whole(page, MAILBOX);
        let bytes = Bytes::from(response.encode(ask.version));
        if let Some(released) = ask.release(&response, bytes, contents, Vec::new()).await? {
            return Ok(ask.send(released).into());
        }
    }
    Err(Refusal::Restless)
}

/// The results of the range, and what of them leaves.
async fn shown(
    ask: &Ask,
    look: &Look,
    found: &[(Folder, Item)],
    asked: ByteRange,
) -> Result<(Page, Vec<Content>), Refusal> {
    let (mut hits, mut contents, mut octets) = (Vec::new(), Vec::new(), 0);
    let count = (asked.last - asked.first) as usize + 1;
    for (folder, item) in found.iter().skip(asked.first as usize).take(count) {
        if look.is_over(ask) {
            return Err(Refusal::Busy);
        }
        let Some((summary, exposure)) = summary(ask, folder, item).await? else { continue };
        octets += octets_of(&summary);
        if octets > ask.desk.limits.answer_bytes_max && !hits.is_empty() {
            break;
        }
        ask.hold(octets_of(&summary))?;
        let id = ids::ServerId { collection: folder.number, item: item.item };
        hits.push(Hit {
            class: Some(ClassName::email()),
            server_id: ServerId::new(id.to_string()).ok(),
            collection_id: CollectionId::new(folder.number.to_string()).ok(),
            properties: HitProperties::Mail(Box::new(summary)),
        });
        contents.push(look::content(folder, item, exposure | Exposure::SEARCHED));
    }
    let total = u32::try_from(found.len()).unwrap_or(RESULTS_MAX);
    Ok((page(asked, hits, total), contents))
}

/// What a list shows of a mail, and what that exposes; `None` for one that is gone or cannot be read.
async fn summary(
    ask: &Ask,
    folder: &Folder,
    item: &Item,
) -> Result<Option<(MailSummary, Exposure)>, Refusal> {
    let (shaper, store) = (&ask.desk.shaper, &*ask.desk.engine.store);
    let leave = shaper.leave(u64::from(item.size)).await;
    let raw = match shaper.read(&leave, store, folder.id, item).await {
        Err(Unshapable::Mailbox(error)) => return Err(error.into()),
        Err(_) => return Ok(None),
        Ok(raw) => raw,
    };
    let seen = item.clone();
    let made = shaper.work(raw, move |raw| Ok(summarised(&Message::parse(raw)?, &seen)));
    match made.await {
        Ok(made) => Ok(Some(made)),
        Err(Unshapable::Mailbox(MailboxError::Down(why))) => Err(MailboxError::Down(why).into()),
        Err(_) => Ok(None),
    }
}

fn summarised(message: &Message, item: &Item) -> (MailSummary, Exposure) {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let names = |list: Vec<crate::message::Address>| {
        let names: Vec<&str> = list.iter().map(|address| address.display()).collect();
        some(names.join("; ").chars().take(NAMES_CHARS_MAX).collect())
    };
    let preview = some(body::preview(message, PREVIEW_CHARS_MAX));
    let exposure = match &preview {
        Some(_) => Exposure::HEADER | Exposure::PART,
        None => Exposure::HEADER,
    };
    let summary = MailSummary {
        subject: Some(message.subject()),
        date_received: Some(DateTime::from_ms(item.received.ms())),
        display_to: some(message.display_to()),
        display_cc: names(message.cc()),
        // Whom else the author told is the author's to know.
        display_bcc: if item.draft { names(message.bcc()) } else { None },
        importance: Some(message.importance()),
        read: Some(item.read),
        is_draft: Some(item.draft),
        preview,
        has_attachments: Some(message.attachments().iter().any(|file| !file.inline)),
        from: message.from().map(|from| from.formatted()).and_then(some),
    };
    (summary, exposure)
}

fn octets_of(summary: &MailSummary) -> usize {
    let texts = [&summary.subject, &summary.display_to, &summary.display_cc, &summary.preview];
    texts.into_iter().flatten().map(String::len).sum::<usize>() + ENVELOPE_OCTETS
}

/// The stores as answers name them ([MS-ASCMD] 2.2.3.178.1).
const MAILBOX: &str = "Mailbox";
const GAL: &str = "GAL";
/// Results one search has at most: Range goes up to 999 ([MS-ASCMD] 2.2.3.143.1).
const RESULTS_MAX: u32 = 1000;
/// Results of a page where no range is asked for.
const PAGE_DEFAULT: u32 = 100;
/// Characters of a preview ([MS-ASCMD] 2.2.3.137).
const PREVIEW_CHARS_MAX: u32 = 255;
/// Characters of a list of names.
const NAMES_CHARS_MAX: usize = 1024;
/// What the rest of a hit takes, about, in octets.
const ENVELOPE_OCTETS: usize = 512;
/// Times an answer is made anew because something in it was fenced meanwhile.
const TRIES: usize = 4;
