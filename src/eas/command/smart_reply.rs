//! SmartReply ([MS-ASCMD] 2.2.1.20), and what SmartForward shares with it: the source, its quotation, and what it leaves on the source.

use activesync::command::plain_mail::Purpose;
use activesync::command::smart_reply::{Request, Source, SourceItem};
use activesync::status::common;
use bytes::Bytes;

use super::mail;
use crate::database::{self, Tx};
use crate::eas::convert::Unshapable;
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::{Answer, Outcome};
use crate::eas::gateway::MailName;
use crate::eas::status::Refusal;
use crate::ids::{CollectionNumber, FolderId, ItemNumber, ServerId};
use crate::ledger::hierarchy::Hierarchy;
use crate::ledger::{DetailKind, Place};
use crate::mailbox::{Folder, Item, MailboxError, StateChange};
use crate::message::compose::{Unsendable, smart_forward, smart_reply};
use crate::message::{Address, Message};

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    if mail::is_plain(ask.version) {
        return plain(ask).await;
    }
    let request: Request = ask.decode()?;
    let name = mail::name(&request.client_id)?;
    as_before(ask, &name, reply(ask, &name, &request).await).await
}

/// SmartReply and SmartForward of 12.1: the mail alone in the body, its source in the query.
pub(super) async fn plain(ask: &Ask) -> Result<Outcome, Refusal> {
    let (name, request) = mail::plain(ask)?;
    let (source, verb) = match &request.purpose {
        Purpose::Send => return Err(Refusal::Command),
        Purpose::Reply(source) => (source, Verb::Reply),
        Purpose::Forward(source) => (source, Verb::Forward),
    };
    let outcome = match Original::find(ask, source).await {
        Ok(source) => {
            let save_in_sent = request.save_in_sent_items;
            let (name, mime) = (&name, &request.mime);
            let smart = Smart { name, source, mime, replace_mime: false, save_in_sent, verb };
            smart.carry_out(ask).await
        }
        Err(why) => Err(why),
    };
    as_before(ask, &name, outcome).await
}

/// A phone that repeats a request whose mail was taken is told so, whatever has become of the source since.
pub(super) async fn as_before(
    ask: &Ask,
    name: &MailName,
    outcome: Result<Outcome, Refusal>,
) -> Result<Outcome, Refusal> {
    match outcome {
        Err(Refusal::Status(_)) if mail::was_taken(ask, name).await? => {
            Ok(Answer::empty(http::StatusCode::OK).into())
        }
        outcome => outcome,
    }
}

async fn reply(ask: &Ask, name: &MailName, request: &Request) -> Result<Outcome, Refusal> {
    let source = Original::find(ask, &request.source).await?;
    mail::check_letter(request.account_id.as_deref(), request.template_id.as_deref())?;
    let smart = Smart {
        name,
        source,
        mime: &request.mime,
        replace_mime: request.replace_mime,
        save_in_sent: request.save_in_sent_items,
        verb: Verb::Reply,
    };
    smart.carry_out(ask).await
}

/// The mail that is answered or forwarded.
pub(super) struct Original {
    folder: Folder,
    item: Item,
}

impl Original {
    /// Finds it. That it is recalled is said before anything else that may be wrong with the request: most other refusals make apps
    /// send the mail whole from their own copy.
    pub(super) async fn find(ask: &Ask, source: &Source) -> Result<Original, Refusal> {
        let id = source_id(source)?;
        let engine = &ask.desk.engine;
        let folder = match engine.store.folder(ask.device.mailbox, id.collection).await {
            Err(MailboxError::NoSuchFolder) => return Err(gone_with_its_folder(ask, id).await),
            folder => folder?,
        };
        must_not_be_recalled(ask, &folder, id.item).await?;
        if source.instance_id.is_some() {
            // [MS-ASCMD] 2.2.2: a mail has no occurrences.
            return Err(Refusal::Status(common::NO_RECURRENCE_IN_CALENDAR));
        }
        let Some(item) = engine.store.items(folder.id, &[id.item]).await?.into_iter().next() else {
            return Err(missing(ask, &folder, id.item).await);
        };
        Ok(Original { folder, item })
    }
}

/// [MS-ASCMD] 2.2.2: InvalidIDs, where no item could ever have that name.
fn source_id(source: &Source) -> Result<ServerId, Refusal> {
    let id = match &source.item {
        SourceItem::Item { folder_id, item_id } => {
            let folder = CollectionNumber::parse(folder_id.as_str());
            ServerId::parse(item_id.as_str()).filter(|id| Some(id.collection) == folder)
        }
        SourceItem::Found(long_id) => ServerId::parse(long_id.as_str()),
    };
    id.ok_or(Refusal::Status(common::INVALID_IDS))
}

async fn must_not_be_recalled(ask: &Ask, folder: &Folder, item: ItemNumber) -> Result<(), Refusal> {
    let place = Place { device: ask.device.id, folder: folder.id };
    let recalled = ask.desk.engine.names_recalled(folder.mailbox, place, item).await?;
    if recalled { Err(Refusal::Status(mail::SOURCE_IS_RECALLED)) } else { Ok(()) }
}

/// A folder that is gone, which the device may not have heard yet: what it knew there may be recalled all the same.
async fn gone_with_its_folder(ask: &Ask, id: ServerId) -> Refusal {
    let device = ask.device.id;
    let told = move |tx: &Tx<'_>| {
        let hierarchy = Hierarchy::load(tx, device)?;
        let mut told = hierarchy.folders.iter().chain(hierarchy.newest().unwrap_or_default());
        let named = told.find(|told| told.number == id.collection.0);
        Ok::<_, database::Error>(named.map(|told| FolderId(told.folder)))
    };
    let place = match ask.desk.engine.database.read(told).await {
        Ok(Some(folder)) => Place { device, folder },
        Ok(None) => return Refusal::Status(common::ITEM_NOT_FOUND),
        Err(error) => return error.into(),
    };
    match ask.desk.engine.names_recalled(ask.device.mailbox, place, id.item).await {
        Ok(true) => Refusal::Status(mail::SOURCE_IS_RECALLED),
        Ok(false) => Refusal::Status(common::ITEM_NOT_FOUND),
        Err(error) => error.into(),
    }
}

/// Not there; or taken out by a recall since it was asked for.
async fn missing(ask: &Ask, folder: &Folder, item: ItemNumber) -> Refusal {
    let recalled = must_not_be_recalled(ask, folder, item).await;
    recalled.err().unwrap_or(Refusal::Status(common::ITEM_NOT_FOUND))
}

/// What is done to the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// A reply: LastVerbExecuted 1, or 2 where it goes to several.
    Reply,
    /// A forward: LastVerbExecuted 3.
    Forward,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Verb::Reply => "reply",
            Verb::Forward => "forward",
        }
    }
}

/// A reply or a forward.
pub(super) struct Smart<'a> {
    pub(super) name: &'a MailName,
    pub(super) source: Original,
    pub(super) mime: &'a [u8],
    pub(super) replace_mime: bool,
    pub(super) save_in_sent: bool,
    pub(super) verb: Verb,
}

impl Smart<'_> {
    pub(super) async fn carry_out(&self, ask: &Ask) -> Result<Outcome, Refusal> {
        let Original { folder, item } = &self.source;
        let mime = self.merged(ask, folder, item).await?;
        mail::book_acted(ask, folder, item, self.act()).await?;
        must_not_be_recalled(ask, folder, item.item).await?;
        let source = mail::Source { identity: item.identity, mailbox: folder.mailbox };
        let sent = mail::send_of(ask, self.name, &mime, self.save_in_sent, Some(source)).await?;
        self.mark(ask, folder, item).await?;
        Ok(sent)
    }

    /// The mail with the original in it; as it is where the phone put the original in itself (ReplaceMime).
    async fn merged(&self, ask: &Ask, folder: &Folder, item: &Item) -> Result<Vec<u8>, Refusal> {
        if self.replace_mime {
            return Ok(self.mime.to_vec());
        }
        let failed = Refusal::Status(common::MESSAGE_REPLY_FAILED);
        let (shaper, store) = (&ask.desk.shaper, &*ask.desk.engine.store);
        let leave = shaper.leave(u64::from(item.size)).await;
        let raw = match shaper.read(&leave, store, folder.id, item).await {
            Err(Unshapable::Gone | Unshapable::Replaced) => {
                return Err(missing(ask, folder, item.item).await);
            }
            Err(Unshapable::Unreadable(_)) => return Err(failed),
            Err(Unshapable::Mailbox(error)) => return Err(error.into()),
            Ok(raw) => raw,
        };
        let (verb, mime, now) = (self.verb, self.mime.to_vec(), ask.desk.engine.clock.now());
        let merging = shaper.work(raw, move |raw| {
            let original = Message::parse(raw)?;
            Ok(match verb {
                Verb::Reply => smart_reply(&mime, &original, now),
                Verb::Forward => smart_forward(&mime, &original, now),
            })
        });
        let Ok(merged) = merging.await else { return Err(failed) };
        let merged = merged.map_err(|why| match why {
            Unsendable::NotMime => Refusal::Status(common::INVALID_MIME),
            Unsendable::TooLarge(_) => Refusal::Status(common::ATTACHMENT_IS_TOO_LARGE),
            _ => failed,
        })?;
        // Until it is sent it is held like an answer.
        ask.hold(merged.len())?;
        Ok(merged)
    }

    fn act(&self) -> mail::Act {
        let kind = match self.verb {
            Verb::Reply => DetailKind::Replied,
            Verb::Forward => DetailKind::Forwarded,
        };
        mail::Act { verb: self.verb.name(), kind, recipients: named(self.mime) }
    }

    /// LastVerbExecuted ([MS-ASEMAIL] 2.2.2.42). The mail has left: a source that is gone by now is no failure.
    async fn mark(&self, ask: &Ask, folder: &Folder, item: &Item) -> Result<(), Refusal> {
        let verb = match self.verb {
            Verb::Forward => VERB_FORWARD,
            Verb::Reply if recipients(self.mime).len() > 1 => VERB_REPLY_ALL,
            Verb::Reply => VERB_REPLY,
        };
        let at = ask.desk.engine.clock.now();
        let change = StateChange { verb: Some((verb, at)), ..StateChange::default() };
        match ask.desk.engine.store.set_state(folder.id, item.item, change).await {
            Ok(_) | Err(MailboxError::NoSuchItem | MailboxError::NoSuchFolder) => Ok(()),
            Err(error) => {
                tracing::warn!(device = %ask.device.id, %error, "the source of a sent mail was not marked");
                Ok(())
            }
        }
    }
}

/// Whom a mail of a phone goes to.
fn recipients(mime: &[u8]) -> Vec<Address> {
    let Ok(message) = Message::parse(Bytes::copy_from_slice(mime)) else { return Vec::new() };
    [message.to(), message.cc(), message.bcc()].concat()
}

/// The same as text, for the audit.
fn named(mime: &[u8]) -> String {
    let named = recipients(mime).into_iter().take(mail::RECIPIENTS_NAMED_MAX);
    named.map(|recipient| recipient.address).collect::<Vec<_>>().join(", ")
}

const VERB_REPLY: u8 = 1;
const VERB_REPLY_ALL: u8 = 2;
const VERB_FORWARD: u8 = 3;
