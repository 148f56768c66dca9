//! An attachment on its way to a phone, by ItemOperations or by GetAttachment: found, read, and measured against the policy.

use activesync::types::ByteRange;
use bytes::Bytes;

use super::find;
use crate::eas::convert::{AttachmentId, Leave, Unshapable};
use crate::eas::dispatch::Ask;
use crate::eas::status::Refusal;
use crate::ledger::{DetailKind, Exposure};
use crate::mailbox::{Folder, Item};
use crate::message::Message;
use crate::policy::Attachments;
use crate::recall::gate::{Content, Told};

/// An attachment, whole.
pub(in crate::eas::command) struct File {
    folder: Folder,
    item: Item,
    /// Whoever keeps the octets counts them before this goes.
    _leave: Leave,
    /// What people call it.
    name: String,
    /// Its media type.
    pub(in crate::eas::command) content_type: String,
    /// Its octets, decoded.
    pub(in crate::eas::command) octets: Vec<u8>,
}

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::eas::command) enum NoFile {
    /// It is not there; or an order covers the mail it is in, which is told the same.
    NotThere,
    /// The policy of the device lets no attachments out.
    Forbidden,
    /// The policy lets none of that size out.
    TooLarge,
}

impl File {
    /// Takes it out of its mail.
    pub(in crate::eas::command) async fn find(
        ask: &Ask,
        id: AttachmentId,
    ) -> Result<Result<File, NoFile>, Refusal> {
        let Some((folder, item)) = find(ask, Some(id.item)).await? else {
            return Ok(Err(NoFile::NotThere));
        };
        let (shaper, store) = (&ask.desk.shaper, &*ask.desk.engine.store);
        let leave = shaper.leave(u64::from(item.size)).await;
        let raw = match shaper.read(&leave, store, folder.id, &item).await {
            Err(Unshapable::Mailbox(error)) => return Err(error.into()),
            // A draft that was replaced among them: the gate would be asked for another message than the one that leaves.
            Err(_) => return Ok(Err(NoFile::NotThere)),
            Ok(raw) => raw,
        };
        let file = shaper.work(raw, move |raw| Ok(take_out(raw, id.index))).await;
        let Ok(Some((name, content_type, octets))) = file else { return Ok(Err(NoFile::NotThere)) };
        if let Some(policies) = &ask.desk.policies {
            let rules = policies.policy_of(&ask.device).await?.rules;
            match rules.attachment(octets.len() as u64) {
                Attachments::Allowed => {}
                Attachments::Forbidden => return Ok(Err(NoFile::Forbidden)),
                Attachments::TooLarge => return Ok(Err(NoFile::TooLarge)),
            }
        }
        Ok(Ok(File { folder, item, _leave: leave, name, content_type, octets }))
    }

    /// What the report tells of it: all of it left, or a range.
    pub(in crate::eas::command) fn told(&self, range: Option<ByteRange>, total: usize) -> Told {
        let name = &self.name;
        let detail = match range {
            Some(range) => format!("{name}, octets {range} of {total}"),
            None => format!("{name}, whole, {total} octets"),
        };
        Told { identity: self.item.identity, kind: DetailKind::AttachmentSent, detail }
    }

    /// What the gate is asked for before any of it leaves.
    pub(in crate::eas::command) fn content(&self) -> Content {
        Content {
            mailbox: self.folder.mailbox,
            folder: self.folder.id,
            item: self.item.item,
            identity: self.item.identity,
            exposure: Exposure::ATTACHMENT | Exposure::FETCHED,
        }
    }
}

/// An attachment's name, type and octets.
fn take_out(raw: Bytes, index: usize) -> Option<(String, String, Vec<u8>)> {
    let message = Message::parse(raw).ok()?;
    let described = message.attachments().get(index)?;
    let (name, content_type) = (described.display_name.clone(), described.content_type.clone());
    Some((name, content_type, message.attachment_bytes(index)?))
}
