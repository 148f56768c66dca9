//! What a phone changed itself, carried out once.
//!
//! The intent is durable before the store is touched and its result before the phone is answered, so a request repeated after a
//! lost answer finds what became of it. A command on a recalled item is answered as if the item were gone.

use bytes::Bytes;
use roaring::RoaringBitmap;

use super::{Engine, SyncError, Wins};
use crate::clock::Timestamp;
use crate::database::{self, Tx};
use crate::ids::{FolderId, IdentityId, ItemNumber, MailboxId};
use crate::ledger::holding::{self, Kind};
use crate::ledger::uploads::{self, Fingerprint, Intent};
use crate::ledger::{self, Exposure, Place};
use crate::mailbox::{Arrival, Item, MailboxError, StateChange};
use crate::message::{self, Identity};
use crate::recall::retraction;

/// A command of a phone on one collection.
#[derive(Clone, Debug)]
pub enum Upload {
    /// Read, flag, categories ([MS-ASCMD] 2.2.3.24).
    Change {
        /// The item.
        item: ItemNumber,
        /// What to change.
        change: StateChange,
    },
    /// Delete, by way of Deleted Items or for good ([MS-ASCMD] 2.2.3.42.2).
    Delete {
        /// The item.
        item: ItemNumber,
        /// Where it goes; `None` for good.
        trash: Option<FolderId>,
    },
    /// A new draft ([MS-ASEMAIL] 3.1.5; 16.0 and later).
    AddDraft {
        /// The phone's own name for it.
        client_id: String,
        /// Its octets.
        raw: Bytes,
        /// Read, flag and categories it comes with.
        arrival: Arrival,
    },
    /// A draft with new octets.
    ChangeDraft {
        /// The item.
        item: ItemNumber,
        /// Its octets.
        raw: Bytes,
        /// Read, flag and categories.
        change: StateChange,
    },
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uploaded {
    /// Carried out.
    Done,
    /// Carried out, and this is the new item.
    Added(ItemNumber),
    /// No such item, or one that was recalled: Status 8 ([MS-ASCMD] 2.2.3.177.17).
    NoSuchItem,
    /// The store does not take it: Status 6.
    Refused,
    /// Somebody else changed it, and the store's copy wins: Status 7. The next answers bring that copy.
    Conflict,
}

impl Uploaded {
    fn encode(self) -> Vec<u8> {
        match self {
            Uploaded::Done => vec![0],
            Uploaded::Added(item) => [&[1], &item.0.to_be_bytes()[..]].concat(),
            Uploaded::NoSuchItem => vec![2],
            Uploaded::Refused => vec![3],
            Uploaded::Conflict => vec![4],
        }
    }

    fn decode(bytes: &[u8]) -> Result<Uploaded, database::Error> {
        match bytes {
            [0] => Ok(Uploaded::Done),
            [1, a, b, c, d] => {
                Ok(Uploaded::Added(ItemNumber(u32::from_be_bytes([*a, *b, *c, *d]))))
            }
            [2] => Ok(Uploaded::NoSuchItem),
            [3] => Ok(Uploaded::Refused),
            [4] => Ok(Uploaded::Conflict),
            _ => Err(database::Error::Corrupt("a row of uploads has an unknown result".to_owned())),
        }
    }
}

impl Upload {
    /// What a repetition of this command has in common with it.
    fn fingerprint(&self) -> Fingerprint {
        match self {
            Upload::Change { item, change } => {
                let state = format!("{change:?}");
                uploads::fingerprint(&[b"change", &item.0.to_be_bytes(), state.as_bytes()])
            }
            Upload::Delete { item, trash } => {
                let trash = format!("{trash:?}");
                uploads::fingerprint(&[b"delete", &item.0.to_be_bytes(), trash.as_bytes()])
            }
            Upload::AddDraft { client_id, .. } => {
                uploads::fingerprint(&[b"add", client_id.as_bytes()])
            }
            Upload::ChangeDraft { item, raw, change } => {
                let state = format!("{change:?}");
                uploads::fingerprint(&[b"draft", &item.0.to_be_bytes(), raw, state.as_bytes()])
            }
        }
    }

    fn item(&self) -> Option<ItemNumber> {
        match self {
            Upload::Change { item, .. }
            | Upload::Delete { item, .. }
            | Upload::ChangeDraft { item, .. } => Some(*item),
            Upload::AddDraft { .. } => None,
        }
    }
}

/// What the store did: the result, the change's position in the log, and what the phone now believes of the item.
struct Effect {
    result: Uploaded,
    echo: Option<(u32, Option<u64>)>,
    believes: Option<Believes>,
}

#[derive(Clone, Copy)]
struct Believes {
    item: u32,
    read: Option<bool>,
    flagged: Option<bool>,
    wrote: Option<Wrote>,
}

/// A message whose text the phone wrote itself.
#[derive(Clone, Copy)]
enum Wrote {
    /// It lies in the store.
    Stored(IdentityId),
    /// It left the store before it could be looked at: recalled as it came.
    Gone,
}

impl Effect {
    fn nothing(result: Uploaded) -> Effect {
        Effect { result, echo: None, believes: None }
    }
}

impl Engine {
    /// Carries out a command that came with the key numbered `parent`.
    pub async fn upload(
        &self,
        mailbox: MailboxId,
        place: Place,
        parent: u64,
        upload: Upload,
        wins: Wins,
    ) -> Result<Uploaded, SyncError> {
        let (print, now) = (upload.fingerprint(), self.clock.now());
        let intent =
            self.database.write(move |tx| uploads::intend(tx, place, parent, &print, now)).await;
        let intent = intent.map_err(SyncError::State)?;
        if let Intent::Done(result) = intent {
            return Ok(Uploaded::decode(&result)?);
        }
        // What an unfinished one has changed already is not somebody else's doing.
        let may_conflict = wins == Wins::Store && intent == Intent::New;
        crate::failpoint!("upload.after_intent");
        let effect = match upload.item() {
            Some(item) if self.is_recalled(mailbox, place.folder, item).await? => {
                self.heard_of(place, &upload, item).await?;
                recalled(&upload)
            }
            _ if may_conflict && self.conflicts(place, parent, &upload).await? => lost(&upload),
            _ => self.carry_out(mailbox, place, parent, upload).await?,
        };
        crate::failpoint!("upload.after_store");
        self.record(mailbox, place, parent, print, &effect).await?;
        Ok(effect.result)
    }

    /// Whether an open order covers the item as the store, or the books, know it.
    pub async fn is_recalled(
        &self,
        mailbox: MailboxId,
        folder: FolderId,
        item: ItemNumber,
    ) -> Result<bool, SyncError> {
        let live = match self.store.items(folder, &[item]).await {
            // A folder that was deleted: what the books say of it counts.
            Err(MailboxError::NoSuchFolder) => Vec::new(),
            live => live?,
        };
        let now = self.clock.now();
        let job = move |tx: &Tx<'_>| {
            let known = live.iter().map(|item| item.identity);
            let booked = ledger::copies_at(tx, folder, item)?.into_iter().map(|copy| copy.identity);
            for identity in known.chain(booked).collect::<Vec<_>>() {
                if crate::recall::covers(tx, identity, mailbox, now)?.is_some() {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        self.database.read(job).await.map_err(SyncError::State)
    }

    /// As [`Engine::is_recalled`], asked because a device names the item. Whoever names what it acknowledged to have removed has it
    /// still: its copy is open again.
    pub async fn names_recalled(
        &self,
        mailbox: MailboxId,
        place: Place,
        item: ItemNumber,
    ) -> Result<bool, SyncError> {
        if !self.is_recalled(mailbox, place.folder, item).await? {
            return Ok(false);
        }
        let now = self.clock.now();
        let job = move |tx: &Tx<'_>| {
            let reopened = retraction::reappeared(tx, place.device, place.folder, item, now)?;
            // Before recall has looked the device up there is nothing to re-open yet.
            let held = ledger::held(tx, place, item)?;
            if reopened || (held.exposure.any_content() && !held.open) {
                holding::add(tx, place, Kind::Loose, &RoaringBitmap::from_iter([item.0]))?;
            }
            Ok::<(), database::Error>(())
        };
        self.database.write(job).await.map_err(SyncError::State)?;
        Ok(true)
    }

    async fn carry_out(
        &self,
        mailbox: MailboxId,
        place: Place,
        parent: u64,
        upload: Upload,
    ) -> Result<Effect, SyncError> {
        let done = match upload {
            Upload::Change { item, change } => self.change(place, parent, item, change).await,
            Upload::Delete { item, trash } => self.delete(place, item, trash).await,
            Upload::AddDraft { client_id, raw, arrival } => {
                let once = format!("draft {} {} {parent} {client_id}", place.device, place.folder);
                self.add(place, raw, Arrival { once: Some(once), ..arrival }).await
            }
            Upload::ChangeDraft { item, raw, change } => {
                self.change_draft(mailbox, place, parent, item, (raw, change)).await
            }
        };
        match done {
            Ok(effect) => Ok(effect),
            Err(MailboxError::NoSuchItem) => Ok(Effect::nothing(Uploaded::NoSuchItem)),
            Err(MailboxError::NotAllowed(_) | MailboxError::TooLarge) => {
                Ok(Effect::nothing(Uploaded::Refused))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A phone that changes what it acknowledged to have removed has it still: its state was restored, or it is a clone. What it
    /// says of having read it counts, although the change does not.
    async fn heard_of(
        &self,
        place: Place,
        upload: &Upload,
        item: ItemNumber,
    ) -> Result<(), SyncError> {
        if matches!(upload, Upload::Delete { .. }) {
            return Ok(());
        }
        let reads = matches!(upload, Upload::Change { change, .. } if change.read == Some(true));
        let now = self.clock.now();
        let job = move |tx: &Tx<'_>| {
            if reads {
                claims_read(tx, place, item, now)?;
            }
            if retraction::reappeared(tx, place.device, place.folder, item, now)? {
                holding::add(tx, place, Kind::Loose, &RoaringBitmap::from_iter([item.0]))?;
            }
            Ok::<(), database::Error>(())
        };
        self.database.write(job).await.map_err(SyncError::State)
    }

    /// How far the phone knows the folder's log, and whether the latest change of `item` at `seq` is its own.
    pub(super) async fn knows(
        &self,
        place: Place,
        parent: u64,
        item: ItemNumber,
        seq: u64,
    ) -> Result<bool, MailboxError> {
        let job = move |tx: &Tx<'_>| {
            let Some(collection) = ledger::Collection::load(tx, place)? else { return Ok(false) };
            let arrived = collection.in_flight.iter().find(|offer| offer.key.seq == parent);
            let position = arrived.map_or(collection.position, |offer| offer.position);
            Ok::<_, database::Error>(
                seq <= position.cursor || uploads::is_echo(tx, place, item.0, seq)?,
            )
        };
        Ok(self.database.read(job).await?)
    }

    /// Changes an item. The change counts as the phone's own echo only if nothing that it has not heard of lies behind it: one line
    /// of the log stands for all changes of an item.
    async fn change(
        &self,
        place: Place,
        parent: u64,
        item: ItemNumber,
        change: StateChange,
    ) -> Result<Effect, MailboxError> {
        let (read, flagged) = (change.read, change.flag.as_ref().map(Option::is_some));
        let head = self.store.head(place.folder).await?.0;
        let before = self.store.items(place.folder, &[item]).await?.first().map(|item| item.seq);
        let seq = self.store.set_state(place.folder, item, change).await?;
        let known = match before {
            Some(before) if seq == before || seq == head + 1 => {
                self.knows(place, parent, item, before).await?
            }
            _ => false,
        };
        let believes = Believes { item: item.0, read, flagged, wrote: None };
        let echo = Some((item.0, known.then_some(seq)));
        Ok(Effect { result: Uploaded::Done, echo, believes: Some(believes) })
    }

    async fn delete(
        &self,
        place: Place,
        item: ItemNumber,
        trash: Option<FolderId>,
    ) -> Result<Effect, MailboxError> {
        let gone = match trash.filter(|trash| *trash != place.folder) {
            Some(trash) => self.store.move_item(place.folder, item, trash).await.map(|_| ()),
            None => self.store.delete(place.folder, item).await.map(|_| ()),
        };
        // Delete of a missing item is a success: it is what the phone wanted ([MS-ASCMD] 2.2.3.42.2).
        match gone {
            Ok(()) | Err(MailboxError::NoSuchItem) => {}
            Err(error) => return Err(error),
        }
        // That the phone has it no more is believed once it presents the key of the answer ([`super::Turn::deleted_by_phone`]).
        Ok(Effect::nothing(Uploaded::Done))
    }

    async fn add(
        &self,
        place: Place,
        raw: Bytes,
        arrival: Arrival,
    ) -> Result<Effect, MailboxError> {
        let item = self.store.append(place.folder, raw, arrival).await?;
        let added = self.store.items(place.folder, &[item]).await?;
        let Some(Item { seq, identity, read, flag, .. }) = added.into_iter().next() else {
            // Whatever became of it meanwhile, the phone has it, under the number it is told now.
            let believes =
                Believes { item: item.0, read: None, flagged: None, wrote: Some(Wrote::Gone) };
            let result = Uploaded::Added(item);
            return Ok(Effect { result, echo: None, believes: Some(believes) });
        };
        let believes = Believes {
            item: item.0,
            read: Some(read),
            flagged: Some(flag.is_some()),
            wrote: Some(Wrote::Stored(identity)),
        };
        Ok(Effect {
            result: Uploaded::Added(item),
            echo: Some((item.0, Some(seq))),
            believes: Some(believes),
        })
    }

    /// Gives a draft the text the phone wrote. The phone has that text already, so the books say so first: an order that stands for
    /// it finds the copy with the arrival of the text in the store.
    async fn change_draft(
        &self,
        mailbox: MailboxId,
        place: Place,
        parent: u64,
        item: ItemNumber,
        (raw, change): (Bytes, StateChange),
    ) -> Result<Effect, MailboxError> {
        let current = self.store.items(place.folder, &[item]).await?;
        if !current.first().ok_or(MailboxError::NoSuchItem)?.draft {
            return Err(MailboxError::NotAllowed("only a draft gets a new body"));
        }
        let identity = Identity::of_raw(&raw);
        let job = move |tx: &Tx<'_>| {
            let identity = message::register(tx, &identity)?;
            wrote(tx, ledger::Copy { identity, mailbox, folder: place.folder, item }, place)
        };
        self.database.write(job).await?;
        self.store.replace_draft(place.folder, item, raw).await?;
        let mut effect = self.change(place, parent, item, change).await?;
        let changed = self.store.items(place.folder, &[item]).await?;
        if let (Some(item), Some(believes)) = (changed.first(), effect.believes.as_mut()) {
            effect.echo = Some((item.item.0, Some(item.seq)));
            believes.wrote = Some(Wrote::Stored(item.identity));
        }
        Ok(effect)
    }

    async fn record(
        &self,
        mailbox: MailboxId,
        place: Place,
        parent: u64,
        print: Fingerprint,
        effect: &Effect,
    ) -> Result<(), SyncError> {
        let (result, echo, believes) = (effect.result.encode(), effect.echo, effect.believes);
        let now = self.clock.now();
        let job = move |tx: &Tx<'_>| {
            uploads::done(tx, place, parent, &print, &result, echo)?;
            match believes {
                Some(believes) => believe(tx, mailbox, place, believes, now),
                None => Ok(()),
            }
        };
        self.database.write(job).await.map_err(SyncError::State)
    }
}

/// A command on a recalled item: a Delete is accepted and nothing appears in Deleted Items; anything else finds it gone.
fn recalled(upload: &Upload) -> Effect {
    match upload {
        Upload::Delete { .. } => Effect::nothing(Uploaded::Done),
        _ => Effect::nothing(Uploaded::NoSuchItem),
    }
}

/// A change that lost a conflict. The phone shows what it sent until it is told otherwise, and that is what the books say.
fn lost(upload: &Upload) -> Effect {
    let believed = |item: ItemNumber, change: &StateChange| {
        let flagged = change.flag.as_ref().map(Option::is_some);
        Believes { item: item.0, read: change.read, flagged, wrote: None }
    };
    let believes = match upload {
        Upload::Change { item, change } | Upload::ChangeDraft { item, change, .. } => {
            Some(believed(*item, change))
        }
        Upload::Delete { .. } | Upload::AddDraft { .. } => None,
    };
    let echo = believes.map(|believes| (believes.item, None));
    Effect { result: Uploaded::Conflict, echo, believes }
}

/// Writes down what the phone now believes of the item.
fn believe(
    tx: &Tx<'_>,
    mailbox: MailboxId,
    place: Place,
    believes: Believes,
    now: Timestamp,
) -> Result<(), database::Error> {
    let item = RoaringBitmap::from_iter([believes.item]);
    let number = ItemNumber(believes.item);
    let identity = match believes.wrote {
        Some(Wrote::Stored(identity)) => Some(identity),
        Some(Wrote::Gone) => crate::recall::sealed_as(tx, place.folder, number)?,
        None => None,
    };
    if believes.wrote.is_some() {
        hold(tx, place, &item)?;
    }
    if let Some(identity) = identity {
        wrote(tx, ledger::Copy { identity, mailbox, folder: place.folder, item: number }, place)?;
    }
    for (kind, says) in [(Kind::Read, believes.read), (Kind::Flagged, believes.flagged)] {
        match says {
            Some(true) => holding::add(tx, place, kind, &item)?,
            Some(false) => holding::remove(tx, place, kind, &item)?,
            None => {}
        }
    }
    if believes.read == Some(true) && believes.wrote.is_none() {
        claims_read(tx, place, number, now)?;
    }
    Ok(())
}

/// The device wrote this copy itself: it holds all of it, and an order over it has another device to look up.
fn wrote(tx: &Tx<'_>, copy: ledger::Copy, place: Place) -> Result<(), database::Error> {
    hold(tx, place, &RoaringBitmap::from_iter([copy.item.0]))?;
    ledger::note_copy(tx, copy)?;
    crate::recall::met_on_a_device(tx, copy.identity, copy.mailbox)
}

fn hold(tx: &Tx<'_>, place: Place, item: &RoaringBitmap) -> Result<(), database::Error> {
    holding::add(tx, place, Kind::Held, item)?;
    holding::expose(tx, place, Exposure::HEADER | Exposure::BODY, item)
}

/// The device says that it was read: on the books, and in the reports of recalls under way. Nobody has read what never left.
fn claims_read(
    tx: &Tx<'_>,
    place: Place,
    item: ItemNumber,
    now: Timestamp,
) -> Result<(), database::Error> {
    if !ledger::held(tx, place, item)?.exposure.any_content() {
        return Ok(());
    }
    holding::expose(tx, place, Exposure::READ_CLAIMED, &RoaringBitmap::from_iter([item.0]))?;
    for copy in ledger::copies_at(tx, place.folder, item)? {
        let kind = ledger::DetailKind::ReadClaimed;
        ledger::note_detail(tx, place.device, copy.identity, kind, "", now)?;
    }
    retraction::exposed(tx, place.device, place.folder, item, Exposure::READ_CLAIMED)
}
