//! SmartReply ([MS-ASCMD] 2.2.1.20), and what SmartForward shares with it: the source, its quotation, and what it leaves on the source.

use activesync::command::smart_reply::{Request, Source, SourceItem};
use activesync::status::common;
use activesync::types::ClientId;
use roaring::RoaringBitmap;

use super::mail;
use crate::database::Tx;
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::status::Refusal;
use crate::ids::ServerId;
use crate::ledger::{Exposure, Place, holding};
use crate::mailbox::{Folder, Item, MailboxError, StateChange};
use crate::message::Message;
use crate::message::compose::{Unsendable, smart_forward, smart_reply};

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    let request: Request = ask.decode()?;
    if request.account_id.is_some() {
        return Err(Refusal::Status(common::INVALID_ACCOUNT_ID));
    }
    if request.template_id.is_some() {
        return Err(Refusal::Status(common::IRM_FEATURE_DISABLED));
    }
    let smart = Smart {
        client_id: &request.client_id,
        source: &request.source,
        mime: &request.mime,
        replace_mime: request.replace_mime,
        save_in_sent: request.save_in_sent_items,
        verb: Verb::Reply,
    };
    smart.carry_out(ask).await
}

/// What is done to the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// A reply: LastVerbExecuted 1, or 2 where it goes to several.
    Reply,
    /// A forward: LastVerbExecuted 3.
    Forward,
}

/// A reply or a forward.
pub(super) struct Smart<'a> {
    pub(super) client_id: &'a ClientId,
    pub(super) source: &'a Source,
    pub(super) mime: &'a [u8],
    pub(super) replace_mime: bool,
    pub(super) save_in_sent: bool,
    pub(super) verb: Verb,
}

impl Smart<'_> {
    pub(super) async fn carry_out(&self, ask: &Ask) -> Result<Outcome, Refusal> {
        if self.source.instance_id.is_some() {
            // [MS-ASCMD] 2.2.2: a mail has no occurrences.
            return Err(Refusal::Status(common::NO_RECURRENCE_IN_CALENDAR));
        }
        let id = self.source_id()?;
        let engine = &ask.desk.engine;
        let folder = match engine.store.folder(ask.device.mailbox, id.collection).await {
            Err(MailboxError::NoSuchFolder) => return Err(Refusal::Status(common::ITEM_NOT_FOUND)),
            folder => folder?,
        };
        // The vault has it: "not found" would make apps send the mail whole from their own copy.
        self.must_not_be_recalled(ask, &folder, id).await?;
        let Some(item) = engine.store.items(folder.id, &[id.item]).await?.into_iter().next() else {
            return Err(Refusal::Status(common::ITEM_NOT_FOUND));
        };
        let mime = self.merged(ask, &folder, &item).await?;
        self.book(ask, &folder, &item).await?;
        self.must_not_be_recalled(ask, &folder, id).await?;
        let sent = mail::send(ask, self.client_id, &mime, self.save_in_sent).await?;
        self.mark(ask, &folder, &item).await?;
        Ok(sent)
    }

    fn source_id(&self) -> Result<ServerId, Refusal> {
        let text = match &self.source.item {
            SourceItem::Item { item_id, .. } => item_id.as_str(),
            SourceItem::Found(long_id) => long_id.as_str(),
        };
        ServerId::parse(text).ok_or(Refusal::Status(common::ITEM_NOT_FOUND))
    }

    async fn must_not_be_recalled(
        &self,
        ask: &Ask,
        folder: &Folder,
        id: ServerId,
    ) -> Result<(), Refusal> {
        let recalled = ask.desk.engine.is_recalled(folder.mailbox, folder.id, id.item).await?;
        if recalled { Err(Refusal::Status(mail::SOURCE_IS_RECALLED)) } else { Ok(()) }
    }

    /// The mail with the original in it; as it is where the phone put the original in itself (ReplaceMime).
    async fn merged(&self, ask: &Ask, folder: &Folder, item: &Item) -> Result<Vec<u8>, Refusal> {
        if self.replace_mime {
            return Ok(self.mime.to_vec());
        }
        let (_, raw) = match ask.desk.engine.store.read(folder.id, item.item).await {
            Err(MailboxError::NoSuchItem) => return Err(Refusal::Status(common::ITEM_NOT_FOUND)),
            read => read?,
        };
        let failed = Refusal::Status(common::MESSAGE_REPLY_FAILED);
        let Ok(original) = Message::parse(raw) else { return Err(failed) };
        let merged = match self.verb {
            Verb::Reply => smart_reply(self.mime, &original),
            Verb::Forward => smart_forward(self.mime, &original),
        };
        merged.map_err(|why| match why {
            Unsendable::NotMime => Refusal::Status(common::INVALID_MIME),
            Unsendable::TooLarge(_) => Refusal::Status(common::ATTACHMENT_IS_TOO_LARGE),
            _ => failed,
        })
    }

    /// That the device acted on the message is on the books before the mail can leave.
    async fn book(&self, ask: &Ask, folder: &Folder, item: &Item) -> Result<(), Refusal> {
        let place = Place { device: ask.device.id, folder: folder.id };
        let items = RoaringBitmap::from_iter([item.item.0]);
        let copy = crate::ledger::Copy {
            identity: item.identity,
            mailbox: folder.mailbox,
            folder: folder.id,
            item: item.item,
        };
        let job = move |tx: &Tx<'_>| {
            crate::ledger::note_copy(tx, copy)?;
            holding::expose(tx, place, Exposure::ACTED, &items)
        };
        Ok(ask.desk.engine.database.write(job).await?)
    }

    /// LastVerbExecuted ([MS-ASEMAIL] 2.2.2.42). The mail has left: a source that is gone by now is no failure.
    async fn mark(&self, ask: &Ask, folder: &Folder, item: &Item) -> Result<(), Refusal> {
        let verb = match self.verb {
            Verb::Forward => VERB_FORWARD,
            Verb::Reply if recipients(self.mime) > 1 => VERB_REPLY_ALL,
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

fn recipients(mime: &[u8]) -> usize {
    let parsed = Message::parse(bytes::Bytes::copy_from_slice(mime));
    parsed.map_or(0, |message| message.to().len() + message.cc().len())
}

const VERB_REPLY: u8 = 1;
const VERB_REPLY_ALL: u8 = 2;
const VERB_FORWARD: u8 = 3;
