//! What the phone did itself ([MS-ASCMD] 2.2.3.32): each command carried out once, and answered where an answer is wanted.

use activesync::ProtocolVersion;
use activesync::command::sync::{Add, Change, ClientCommand, Delete, Reply, ReplyTo};
use activesync::item::ItemData;
use activesync::item::email::Email;
use activesync::status::Status;
use activesync::status::sync as status;
use activesync::types::ServerId as WireId;

use super::{Lane, options};
use crate::eas::command::mail;
use crate::eas::convert::{self, Unshapable};
use crate::eas::dispatch::Ask;
use crate::eas::status::Refusal;
use crate::ids::{FolderId, ItemNumber, ServerId};
use crate::mailbox::{Arrival, FolderKind, Item, MailboxError};
use crate::message::Message;
use crate::sync::{Turn, Upload, Uploaded, Wins};

/// An answer to a command.
#[derive(Debug)]
pub(super) enum Answered {
    /// Ready.
    Reply(Reply),
    /// An item the phone wants whole; it is read, and ruled on, with the rest of the answer.
    Fetch(WireId),
}

/// Carries out the commands of one collection, in their order: what is answered, and what the phone has no more.
pub(super) async fn carry_out(
    ask: &Ask,
    turn: &Turn,
    lane: &Lane,
) -> Result<(Vec<Answered>, Vec<ItemNumber>), Refusal> {
    let (mut answered, mut deleted) = (Vec::new(), Vec::new());
    let worker = Worker { ask, turn, wins: options::wins(turn) };
    for command in &lane.part.commands {
        let answer = match command {
            ClientCommand::Add(add) => Some(Answered::Reply(worker.add(add).await?)),
            ClientCommand::Change(change) => worker.change(change).await?.map(Answered::Reply),
            ClientCommand::Delete(delete) => {
                deleted.extend(worker.delete(delete, lane.part.deletes_as_moves).await?);
                None
            }
            ClientCommand::Fetch(id) => Some(Answered::Fetch(id.clone())),
        };
        answered.extend(answer);
    }
    Ok((answered, deleted))
}

struct Worker<'a> {
    ask: &'a Ask,
    turn: &'a Turn,
    wins: Wins,
}

impl Worker<'_> {
    async fn upload(&self, upload: Upload) -> Result<Uploaded, Refusal> {
        let (engine, mailbox) = (&self.ask.desk.engine, self.ask.device.mailbox);
        let (place, parent) = (self.turn.place(), self.turn.parent_seq());
        Ok(engine.upload(mailbox, place, parent, upload, self.wins).await?)
    }

    fn folder(&self) -> FolderId {
        self.turn.folder().id
    }

    /// The item a ServerId names, where it is one of this collection.
    fn item(&self, id: &WireId) -> Option<ItemNumber> {
        let id = ServerId::parse(id.as_str())?;
        (id.collection == self.turn.folder().number).then_some(id.item)
    }

    async fn change(&self, change: &Change) -> Result<Option<Reply>, Refusal> {
        let failed = |status| Some(Reply::about(ReplyTo::Change, change.server_id.clone(), status));
        let Some(item) = self.item(&change.server_id) else {
            return Ok(failed(status::OBJECT_NOT_FOUND));
        };
        let ItemData::Email(email) = &change.data else {
            return Ok(failed(status::CONVERSION_ERROR));
        };
        let items = self.ask.desk.engine.store.items(self.folder(), &[item]).await?;
        let Some(current) = items.into_iter().next() else {
            // A recalled mail has left the store: what the phone says of it counts all the same.
            match convert::state_change(email, None) {
                Ok(state) if !change.send => {
                    self.upload(Upload::Change { item, change: state }).await?;
                }
                _ => {
                    let (mailbox, place) = (self.ask.device.mailbox, self.turn.place());
                    self.ask.desk.engine.names_recalled(mailbox, place, item).await?;
                }
            }
            // A draft that was sent is gone; whoever repeats a lost request is told so again.
            let was_sent = change.send && self.turn.is_replay();
            return Ok(if was_sent { None } else { failed(status::OBJECT_NOT_FOUND) });
        };
        if change.send || (current.draft && !email.is_state_only()) {
            return self.change_draft(change, email, current).await;
        }
        let state = match convert::state_change(email, current.flag.as_ref()) {
            Ok(state) => state,
            Err(status) => return Ok(failed(status)),
        };
        Ok(match self.upload(Upload::Change { item, change: state }).await? {
            Uploaded::Done | Uploaded::Added(_) => None,
            Uploaded::NoSuchItem => failed(status::OBJECT_NOT_FOUND),
            Uploaded::Refused => failed(status::CONVERSION_ERROR),
            Uploaded::Conflict => failed(status::CONFLICT),
        })
    }

    /// A draft that was edited, or that is to be sent ([MS-ASEMAIL] 3.1.5.3).
    async fn change_draft(
        &self,
        change: &Change,
        email: &Email,
        current: Item,
    ) -> Result<Option<Reply>, Refusal> {
        let failed = |status| Some(Reply::about(ReplyTo::Change, change.server_id.clone(), status));
        if !self.keeps_drafts() || !current.draft {
            return Ok(failed(status::CONVERSION_ERROR));
        }
        let engine = &self.ask.desk.engine;
        let (mailbox, place) = (self.ask.device.mailbox, self.turn.place());
        if engine.names_recalled(mailbox, place, current.item).await? {
            return Ok(failed(status::OBJECT_NOT_FOUND));
        }
        let drafted = match self.edited(email, &current).await? {
            Ok(drafted) => drafted,
            Err(status) => return Ok(failed(status)),
        };
        if change.send {
            let name = format!("draft {}", change.server_id);
            if let Err(status) = self.send(&drafted.raw, &name).await? {
                return Ok(failed(status));
            }
            // Not as an upload of the phone: it is told of the Delete like of any other.
            match engine.store.delete(self.folder(), current.item).await {
                Ok(_) | Err(MailboxError::NoSuchItem) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        let upload = Upload::ChangeDraft {
            item: current.item,
            raw: drafted.raw.clone(),
            change: drafted.change.clone(),
        };
        Ok(match self.upload(upload).await? {
            Uploaded::NoSuchItem => failed(status::OBJECT_NOT_FOUND),
            Uploaded::Refused => failed(status::CONVERSION_ERROR),
            Uploaded::Conflict => failed(status::CONFLICT),
            Uploaded::Done | Uploaded::Added(_) if drafted.added.is_empty() => None,
            Uploaded::Done | Uploaded::Added(_) => {
                let data = self.described(&drafted, current.item).await?;
                Some(Reply {
                    data,
                    ..Reply::about(ReplyTo::Change, change.server_id.clone(), status::SUCCESS)
                })
            }
        })
    }

    /// The draft as it is after an edit.
    async fn edited(
        &self,
        email: &Email,
        current: &Item,
    ) -> Result<Result<convert::Drafted, Status>, Refusal> {
        let (shaper, engine) = (&self.ask.desk.shaper, &self.ask.desk.engine);
        let leave = shaper.leave(u64::from(current.size)).await;
        let raw = match shaper.read(&leave, &*engine.store, self.folder(), current).await {
            Err(Unshapable::Gone) => return Ok(Err(status::OBJECT_NOT_FOUND)),
            // Somebody else has edited it just now.
            Err(Unshapable::Replaced) => return Ok(Err(status::CONFLICT)),
            Err(Unshapable::Unreadable(_)) => return Ok(Err(status::CONVERSION_ERROR)),
            Err(Unshapable::Mailbox(error)) => return Err(error.into()),
            Ok(raw) => raw,
        };
        let Ok(message) = Message::parse(raw.octets().clone()) else {
            return Ok(Err(status::CONVERSION_ERROR));
        };
        let existing = Some((&message, current.flag.as_ref()));
        let now = engine.clock.now();
        let drafted = convert::draft(email, existing, mail::sender(self.ask), now, || {
            mail::new_message_id(self.ask)
        });
        if let Ok(drafted) = &drafted {
            // Until it is stored or sent it is held like an answer.
            self.ask.hold(drafted.raw.len())?;
        }
        Ok(drafted)
    }

    /// A new item: mail is only taken as a draft, from 16.0 on ([MS-ASEMAIL] 3.1.5.3).
    async fn add(&self, add: &Add) -> Result<Reply, Refusal> {
        let failed = |status| Reply::added(add.client_id.clone(), None, status);
        let is_draft = self.keeps_drafts() && self.turn.folder().kind == FolderKind::Drafts;
        let ItemData::Email(email) = &add.data else { return Ok(failed(status::CONVERSION_ERROR)) };
        if !is_draft {
            return Ok(failed(status::CONVERSION_ERROR));
        }
        let now = self.ask.desk.engine.clock.now();
        let drafted = match convert::draft(email, None, mail::sender(self.ask), now, || {
            mail::new_message_id(self.ask)
        }) {
            Ok(drafted) => drafted,
            Err(status) => return Ok(failed(status)),
        };
        if add.send {
            let name = format!("add {}", add.client_id);
            return Ok(match self.send(&drafted.raw, &name).await? {
                Ok(()) => failed(status::SUCCESS),
                Err(status) => failed(status),
            });
        }
        let arrival = Arrival {
            received: now,
            read: drafted.change.read.unwrap_or(true),
            flag: drafted.change.flag.clone().flatten(),
            categories: drafted.change.categories.clone().unwrap_or_default(),
            draft: true,
            once: None,
        };
        let client_id = add.client_id.as_str().to_owned();
        let upload = Upload::AddDraft { client_id, raw: drafted.raw.clone(), arrival };
        match self.upload(upload).await {
            Ok(Uploaded::Added(item)) => {
                let id = ServerId { collection: self.turn.folder().number, item };
                let id = super::wire_id(id);
                let data = self.described(&drafted, item).await?;
                Ok(Reply { data, ..Reply::added(add.client_id.clone(), Some(id), status::SUCCESS) })
            }
            Ok(_) => Ok(failed(status::CONVERSION_ERROR)),
            Err(Refusal::Mailbox(MailboxError::Full)) => Ok(failed(status::OUT_OF_SPACE)),
            Err(error) => Err(error),
        }
    }

    /// Delete of what is not there is what the phone wanted ([MS-ASCMD] 2.2.3.42.2).
    async fn delete(&self, delete: &Delete, as_move: bool) -> Result<Option<ItemNumber>, Refusal> {
        let Some(item) = self.item(&delete.server_id) else { return Ok(None) };
        let trash = if as_move { self.trash().await? } else { None };
        let done = self.upload(Upload::Delete { item, trash }).await?;
        Ok((done == Uploaded::Done).then_some(item))
    }

    /// Deleted Items, unless this is it.
    async fn trash(&self) -> Result<Option<FolderId>, Refusal> {
        if self.turn.folder().kind == FolderKind::DeletedItems {
            return Ok(None);
        }
        let folders = self.ask.desk.engine.store.folders(self.ask.device.mailbox).await?;
        let trash = folders.into_iter().find(|folder| folder.kind == FolderKind::DeletedItems);
        Ok(trash.map(|folder| folder.id))
    }

    fn keeps_drafts(&self) -> bool {
        self.ask.version >= ProtocolVersion::V16_0
    }

    /// What the phone is told of a draft it wrote.
    async fn described(
        &self,
        drafted: &convert::Drafted,
        item: ItemNumber,
    ) -> Result<Option<ItemData>, Refusal> {
        let Ok(message) = Message::parse(drafted.raw.clone()) else { return Ok(None) };
        let items = self.ask.desk.engine.store.items(self.folder(), &[item]).await?;
        let Some(item) = items.first() else { return Ok(None) };
        let number = self.turn.folder().number;
        Ok(Some(convert::drafted_answer(&message, number, item, &drafted.added).into()))
    }

    /// Hands a draft over to be sent, once for each name under one key.
    async fn send(&self, raw: &[u8], name: &str) -> Result<Result<(), Status>, Refusal> {
        let name = format!("sync {} {} {name}", self.folder(), self.turn.parent_seq());
        mail::send_made(self.ask, name, raw, None).await
    }
}
