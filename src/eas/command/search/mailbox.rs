//! Search in the mailbox: what of the mails that match leaves.

use std::sync::Arc;

use activesync::command::search::{
    Hit, HitProperties, MailboxQuery, Options, Received, StoreAnswer,
};
use activesync::item::ItemData;
use activesync::item::body::{BodyType, MimeSupport};
use activesync::status::{common, search_store as status};
use activesync::types::{ByteRange, ClassName, CollectionId, LongId};

use super::{RESULTS_MAX, range, release, results};
use crate::clock::Timestamp;
use crate::eas::convert::{ItemOptions, Unshapable};
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::look::{self, Look, Terms, Wanted};
use crate::eas::status::Refusal;
use crate::ids::ServerId;
use crate::ledger::Exposure;
use crate::mailbox::{Folder, Item};
use crate::recall::gate::Content;

/// Answers it.
pub(super) async fn answer(
    ask: &Ask,
    query: &MailboxQuery,
    options: &Options,
) -> Result<Outcome, Refusal> {
    let failed = |status| Ok(ask.plain(&super::whole(StoreAnswer::failure(status))).into());
    let Some(asked) = range(options) else { return failed(status::INVALID_REQUEST) };
    let wanted = Arc::new(wanted(query, ask.desk.engine.clock.now()));
    if wanted.is_everything() {
        return failed(status::INVALID_REQUEST);
    }
    // [MS-ASCON] 3.2.5.7: parts are made of HTML alone.
    if options.body_part_preferences.iter().any(|wish| wish.body_type != BodyType::Html) {
        return failed(common::BODY_PART_PREFERENCE_TYPE_NOT_SUPPORTED);
    }
    let named: Vec<&str> = query.collection_ids.iter().map(CollectionId::as_str).collect();
    let Some(folders) = look::folders(ask, &named, options.deep_traversal).await? else {
        return failed(status::FOLDER_SYNC_REQUIRED);
    };
    let look = Look::begin(ask)?;
    for _ in 0..TRIES {
        ask.hold_nothing();
        let found = match wants_mail(query) {
            true => look.matching(ask, &folders, &wanted, RESULTS_MAX as usize).await?,
            false => Some(Vec::new()),
        };
        // [MS-ASCMD] 2.2.3.177.14: TimedOut, and nothing of what was found so far.
        let Some(found) = found else { return failed(status::TIMED_OUT) };
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

/// What a mail has to be.
fn wanted(query: &MailboxQuery, now: Timestamp) -> Wanted {
    let time = |bound: Option<Received>| bound.map(|received| Timestamp(received.0.ms()));
    Wanted {
        terms: Terms::read(query.free_text.as_deref().unwrap_or_default(), now),
        conversation: query.conversation_id.clone(),
        after: time(query.received_after),
        before: time(query.received_before),
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
        let (shaper, store) = (&desk.shaper, &*desk.engine.store);
        let leave = shaper.leave(u64::from(item.size)).await;
        let (email, exposure) = match shaper.shape(&leave, store, folder, item, &wishes).await {
            Ok(shaped) => shaped,
            Err(Unshapable::Mailbox(error)) => return Err(error.into()),
            Err(_) => continue,
        };
        let parts = email.body_parts.iter().filter_map(|part| part.data.as_ref());
        let bodies = email.body.iter().filter_map(|body| body.data.as_ref()).chain(parts);
        let more = bodies.map(|data| data.as_bytes().len()).sum::<usize>() + ENVELOPE_OCTETS;
        octets += more;
        if octets > desk.limits.answer_bytes_max && !hits.is_empty() {
            break;
        }
        match ask.hold(more) {
            Err(Refusal::Busy) if !hits.is_empty() => break,
            held => held?,
        }
        let id = ServerId { collection: folder.number, item: item.item }.to_string();
        hits.push(Hit {
            class: Some(ClassName::email()),
            long_id: LongId::new(id).ok(),
            collection_id: CollectionId::new(folder.number.to_string()).ok(),
            properties: Some(HitProperties::Item(ItemData::from(email))),
        });
        contents.push(look::content(folder, item, exposure | Exposure::SEARCHED));
    }
    let total = u32::try_from(found.len()).unwrap_or(RESULTS_MAX);
    Ok((results(asked, hits, total), contents))
}

/// Times an answer is made anew because something in it was fenced meanwhile.
const TRIES: usize = 4;
/// What an envelope takes, about.
const ENVELOPE_OCTETS: usize = 512;
