//! One answer: planned within the windows, its items read and shaped, encoded, and committed ([MS-ASCMD] 2.2.3.199).
//!
//! What a recall asks for is planned before anything else of any collection, so that no window starves it. An item that cannot
//! be shown is left out, alone, and the log says so.
//!
//! What is read for an answer is bounded by the shaper's leave, one at a time; what the answer holds is counted before that leave
//! goes, and kept counted until the answer has left. An answer that finds no more room ends there, and the rest comes with the next.

use activesync::command::sync::{CollectionAnswer, Reply, ReplyTo, Response, ServerCommand};
use activesync::item::ItemData;
use activesync::item::email::Email;
use activesync::status::sync as status;
use activesync::types::{ClassName, ServerId as WireId};
use activesync::{Document, ProtocolVersion};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use roaring::RoaringBitmap;

use super::request::Wanted;
use super::upload::Answered;
use super::{Lane, Opening, wire_id};
use crate::database::Tx;
use crate::eas::command::wire_key;
use crate::eas::convert::{self, ItemOptions, Leave, Unshapable};
use crate::eas::dispatch::{Ask, booked};
use crate::eas::endpoint::{Answer, BoxFuture};
use crate::eas::quirks::Behaviour;
use crate::eas::status::Refusal;
use crate::ids::{ItemNumber, ServerId};
use crate::ledger::{self, Exposure};
use crate::mailbox::{Folder, Item, MailboxError};
use crate::recall;
use crate::recall::gate::Content;
use crate::sync::{Committed, Turn, What, window};

/// What came of one attempt.
pub(super) enum Composed {
    /// It is on the books and may leave.
    Answer(Answer),
    /// Somebody wrote, or something was fenced: open the turns again.
    Again,
    /// There is nothing to say.
    Nothing,
}

enum Shape {
    Item(Box<Email>, Exposure),
    Unshapable,
}

/// How far a run of additions came.
enum Ran {
    /// To its end.
    Whole,
    /// The answer is full before its item of this number.
    Short(usize),
    /// The store changed under the plan.
    Changed,
}

/// The answer being made.
struct Draft<'a> {
    ask: &'a Ask,
    /// Octets of content in it so far.
    octets: usize,
    contents: Vec<Content>,
    collections: Vec<CollectionAnswer>,
}

/// Makes the answer, and commits it.
pub(super) async fn compose(
    ask: &Ask,
    wanted: &Wanted,
    opening: &mut Opening,
) -> Result<Composed, Refusal> {
    ask.hold_nothing();
    plan(ask, wanted, opening).await?;
    let mut draft =
        Draft { ask, octets: 0, contents: Vec::new(), collections: opening.failed.clone() };
    for (lane, turn) in opening.lanes.iter().zip(&mut opening.turns) {
        if (opening.speaks || speaks(lane, turn)) && !draft.collection(lane, turn).await? {
            return Ok(Composed::Again);
        }
    }
    if draft.collections.is_empty() {
        return Ok(Composed::Nothing);
    }
    draft.commit(opening).await
}

/// Whether a collection has anything to say. One that had commands always does: its key moves on with them.
fn speaks(lane: &Lane, turn: &Turn) -> bool {
    turn.begins() || !lane.part.commands.is_empty() || !turn.plan().is_empty() || turn.plan().more
}

/// Plans every collection within its own window and what is left of that of the whole answer.
async fn plan(ask: &Ask, wanted: &Wanted, opening: &mut Opening) -> Result<(), Refusal> {
    let asked = |part: &super::Part| window::size(part.window);
    let mut left = wanted.window.map_or(usize::MAX, |size| window::size(Some(size)));
    // What recall asks of the collections that come later stays reserved.
    let mut reserved: usize = opening
        .lanes
        .iter()
        .zip(&opening.turns)
        .map(|(lane, turn)| turn.owed().min(asked(&lane.part)))
        .sum();
    for (lane, turn) in opening.lanes.iter().zip(&mut opening.turns) {
        reserved -= turn.owed().min(asked(&lane.part)).min(reserved);
        if !turn.begins() && !lane.part.wants {
            continue;
        }
        let room = asked(&lane.part).min(left.saturating_sub(reserved)).min(step(ask, turn));
        match opening.only_owed {
            true => ask.desk.engine.plan_owed(turn, room),
            false => ask.desk.engine.plan(turn, room).await?,
        }
        left = left.saturating_sub(turn.plan().len());
    }
    Ok(())
}

/// Departs from [MS-ASCMD] 2.2.3.199: what is asked for in windows that are too large for whoever asks is asked for again and again.
fn step(ask: &Ask, turn: &Turn) -> usize {
    if !ask.quirks.has(Behaviour::StepsDown) {
        return usize::MAX;
    }
    let lost = ask.desk.presence.answered(ask.device.id, turn.folder().id, turn.parent_seq());
    recall::deletes_max(lost).unwrap_or(usize::MAX)
}

/// What of the additions the phone moved there itself since it has the folder: one that it begins anew is
/// added whole.
async fn moved(ask: &Ask, turn: &Turn) -> Result<RoaringBitmap, Refusal> {
    if turn.plan().adds.is_empty() || !ask.quirks.has(Behaviour::HasWhatItMoved) {
        return Ok(RoaringBitmap::new());
    }
    let (place, cursor) = (turn.place(), turn.collection().position.cursor);
    let moved = move |tx: &Tx<'_>| ledger::moves::moved_here(tx, place, cursor);
    Ok(ask.desk.engine.database.read(moved).await?)
}

impl Draft<'_> {
    /// Adds a collection; `false` when the store changed under the plan.
    async fn collection(&mut self, lane: &Lane, turn: &mut Turn) -> Result<bool, Refusal> {
        let moved = moved(self.ask, turn).await?;
        let Some(mut additions) = self.additions(lane, turn).await? else { return Ok(false) };
        for addition in &mut additions {
            change_what_was_moved(addition, &moved);
        }
        let mut answer =
            CollectionAnswer::new(lane.part.id.clone(), Default::default(), status::SUCCESS);
        for item in turn.plan().retracts.iter().chain(&turn.plan().deletes) {
            answer.commands.push(ServerCommand::Delete { server_id: id(turn, *item), class: None });
        }
        for item in &turn.plan().soft_deletes {
            answer.commands.push(ServerCommand::SoftDelete { server_id: id(turn, *item) });
        }
        answer.commands.extend(additions);
        for answered in &lane.answered {
            answer.replies.push(match answered {
                Answered::Reply(reply) => reply.clone(),
                Answered::Fetch(id) => self.fetch(lane, turn, id).await?,
            });
        }
        let told = answer.replies.iter().map(|reply| reply.status);
        self.ask.note_failures(status::NAMES, told.filter(|told| *told != status::SUCCESS));
        answer.more_available = turn.plan().more;
        answer.sync_key = wire_key(turn.next_key(&self.ask.desk.engine)?);
        self.collections.push(answer);
        Ok(true)
    }

    /// Changes and Adds; where they are more than an answer may hold, the turn is planned again with less room.
    async fn additions(
        &mut self,
        lane: &Lane,
        turn: &mut Turn,
    ) -> Result<Option<Vec<ServerCommand>>, Refusal> {
        let mut commands = Vec::new();
        let whole = lane.options.clone();
        for (item, what) in turn.plan().changes.clone() {
            if !what.whole {
                let data = state(&item, what).into();
                commands.push(ServerCommand::Change {
                    server_id: id(turn, item.item),
                    class: None,
                    data,
                });
                self.note(turn, &item, Exposure::NEVER);
                continue;
            }
            let leave = self.ask.desk.shaper.leave(u64::from(item.size)).await;
            match shape(self.ask, &leave, &lane.folder, &item, &whole).await? {
                None => return Ok(None),
                Some(Shape::Unshapable) => turn.isolate(item.item),
                Some(Shape::Item(email, exposure)) => {
                    self.hold(&email)?;
                    self.note(turn, &item, exposure);
                    let server_id = id(turn, item.item);
                    commands.push(ServerCommand::Change {
                        server_id,
                        class: None,
                        data: ItemData::Email(email),
                    });
                }
            }
        }
        let adds = turn.plan().adds.clone();
        let numbers: Vec<ItemNumber> = adds.iter().map(|add| add.item).collect();
        self.ask.desk.engine.store.prepare(lane.folder.id, &numbers);
        let before = turn.plan().len() - adds.len();
        let run_max = RUN_OCTETS_MAX.min(self.ask.desk.limits.conversion_bytes_max);
        let mut at = 0;
        while at < adds.len() {
            let run = run_of(&adds[at..], run_max);
            match self.add(lane, turn, run, at == 0, &mut commands).await? {
                Ran::Whole => at += run.len(),
                Ran::Changed => return Ok(None),
                Ran::Short(taken) => {
                    at += taken;
                    self.ask.desk.engine.plan(turn, before + at).await?;
                    let same = turn
                        .plan()
                        .adds
                        .iter()
                        .map(|add| add.item)
                        .eq(adds[..at].iter().map(|add| add.item));
                    return Ok(same.then_some(commands));
                }
            }
        }
        Ok(Some(commands))
    }

    /// Adds a run of items, read under one leave; the first item of an answer is in it however large it is.
    async fn add(
        &mut self,
        lane: &Lane,
        turn: &mut Turn,
        run: &[Item],
        begins: bool,
        commands: &mut Vec<ServerCommand>,
    ) -> Result<Ran, Refusal> {
        let ask = self.ask;
        if self.octets >= ask.desk.limits.answer_bytes_max && !begins {
            return Ok(Ran::Short(0));
        }
        let leave = ask.desk.shaper.leave(octets_of(run)).await;
        let shaping = run.iter().map(|item| -> BoxFuture<'_, _> {
            Box::pin(shape(ask, &leave, &lane.folder, item, &lane.options))
        });
        let mut shaped = stream::iter(shaping.collect::<Vec<_>>()).buffered(SHAPED_AT_ONCE);
        for (at, item) in run.iter().enumerate() {
            let may_end = at > 0 || !begins;
            if self.octets >= ask.desk.limits.answer_bytes_max && may_end {
                return Ok(Ran::Short(at));
            }
            let Some(next) = shaped.next().await else { break };
            match next? {
                None => return Ok(Ran::Changed),
                Some(Shape::Unshapable) => turn.isolate(item.item),
                Some(Shape::Item(email, exposure)) => {
                    match self.hold(&email) {
                        Err(Refusal::Busy) if may_end => return Ok(Ran::Short(at)),
                        held => held?,
                    }
                    self.note(turn, item, exposure);
                    let server_id = id(turn, item.item);
                    let data = ItemData::Email(email);
                    commands.push(ServerCommand::Add { server_id, class: None, data });
                }
            }
        }
        Ok(Ran::Whole)
    }

    /// Counts an item as part of the answer.
    fn hold(&mut self, email: &Email) -> Result<(), Refusal> {
        let octets = octets(email);
        self.ask.hold(octets)?;
        self.octets += octets;
        Ok(())
    }

    /// An item the phone wants whole ([MS-ASCMD] 2.2.3.63.1); a recalled one is not there.
    async fn fetch(&mut self, lane: &Lane, turn: &Turn, wanted: &WireId) -> Result<Reply, Refusal> {
        let failed = |status| Reply::about(ReplyTo::Fetch, wanted.clone(), status);
        let named = ServerId::parse(wanted.as_str())
            .filter(|id| id.collection == turn.folder().number)
            .map(|id| id.item);
        let Some(number) = named else { return Ok(failed(status::OBJECT_NOT_FOUND)) };
        let (engine, mailbox) = (&self.ask.desk.engine, self.ask.device.mailbox);
        if engine.names_recalled(mailbox, turn.place(), number).await? {
            return Ok(failed(status::OBJECT_NOT_FOUND));
        }
        let items = match engine.store.items(lane.folder.id, &[number]).await {
            Err(MailboxError::NoSuchItem) => Vec::new(),
            items => items?,
        };
        let Some(item) = items.first() else { return Ok(failed(status::OBJECT_NOT_FOUND)) };
        let options = ItemOptions { whole: true, ..untruncated(&lane.options) };
        let desk = &self.ask.desk;
        let leave = desk.shaper.leave(u64::from(item.size)).await;
        match desk.shaper.shape(&leave, &*engine.store, &lane.folder, item, &options).await {
            Ok((email, exposure)) => {
                self.hold(&email)?;
                self.note(turn, item, exposure);
                let data = Some(ItemData::from(email));
                Ok(Reply { data, ..failed(status::SUCCESS) })
            }
            Err(Unshapable::Gone | Unshapable::Replaced) => Ok(failed(status::OBJECT_NOT_FOUND)),
            Err(Unshapable::Unreadable(_)) => Ok(failed(status::CONVERSION_ERROR)),
            Err(Unshapable::Mailbox(error)) => Err(Refusal::Mailbox(error)),
        }
    }

    /// What the answer holds of an item; the gate is asked for it even where it exposes nothing new.
    fn note(&mut self, turn: &Turn, item: &Item, exposure: Exposure) {
        self.contents.push(Content {
            mailbox: self.ask.device.mailbox,
            folder: turn.folder().id,
            item: item.item,
            identity: item.identity,
            exposure,
        });
    }

    async fn commit(self, opening: &Opening) -> Result<Composed, Refusal> {
        let Draft { ask, contents, mut collections, .. } = self;
        if ask.version < ProtocolVersion::V14_0 {
            // [MS-ASCMD] 2.2.3.27.5: up to 12.1 the class is told again.
            for collection in &mut collections {
                collection.class = Some(ClassName::email());
            }
        }
        let response = Response { collections, ..Response::default() };
        if opening.turns.is_empty() {
            return Ok(Composed::Answer(ask.plain(&response)));
        }
        booked(&response, &contents)?;
        let bytes = Bytes::from(response.encode(ask.version));
        drop(response);
        let engine = &ask.desk.engine;
        let committed = engine.commit(&opening.turns, "Sync", ask.request, bytes, contents).await?;
        let Committed::Released(released) = committed else { return Ok(Composed::Again) };
        for turn in &opening.turns {
            if let Some(seq) = turn.answered_seq() {
                let folder = turn.folder().id;
                let keys = (turn.parent_seq(), seq);
                ask.desk.presence.answers(ask.device.id, folder, keys, released.receipt());
            }
        }
        Ok(Composed::Answer(ask.send(released)))
    }
}

/// Reads and shapes an item. `None` when it is not any more what the plan saw.
async fn shape(
    ask: &Ask,
    leave: &Leave,
    folder: &Folder,
    item: &Item,
    options: &ItemOptions,
) -> Result<Option<Shape>, Refusal> {
    let (shaper, store) = (&ask.desk.shaper, &*ask.desk.engine.store);
    match shaper.shape(leave, store, folder, item, options).await {
        Ok((email, exposure)) => Ok(Some(Shape::Item(Box::new(email), exposure))),
        Err(Unshapable::Gone | Unshapable::Replaced) => Ok(None),
        Err(Unshapable::Unreadable(why)) => {
            tracing::warn!(
                device = %ask.device.id, folder = %folder.id, item = %item.item, why,
                "an item cannot be shown and is left out"
            );
            Ok(Some(Shape::Unshapable))
        }
        Err(Unshapable::Mailbox(error)) => Err(Refusal::Mailbox(error)),
    }
}

/// Departs from [MS-ASCMD] 2.2.1.12: Outlook shows a mail twice that it moved and that is then added.
fn change_what_was_moved(command: &mut ServerCommand, moved: &RoaringBitmap) {
    let ServerCommand::Add { server_id, class, data } = command else { return };
    let id = ServerId::parse(server_id.as_str());
    if id.is_some_and(|id| moved.contains(id.item.0)) {
        *command = ServerCommand::Change {
            server_id: server_id.clone(),
            class: class.take(),
            data: data.clone(),
        };
    }
}

fn id(turn: &Turn, item: ItemNumber) -> WireId {
    wire_id(ServerId { collection: turn.folder().number, item })
}

/// A Change of what changed and nothing else ([MS-ASEMAIL] 3.2.5.4.1).
fn state(item: &Item, what: What) -> Email {
    let whole = convert::state_of(item);
    Email {
        read: whole.read.filter(|_| what.read),
        flag: whole.flag.filter(|_| what.flag),
        categories: whole.categories.filter(|_| what.categories),
        ..Email::default()
    }
}

/// The same wishes without their limits of size.
fn untruncated(options: &ItemOptions) -> ItemOptions {
    let mut options = options.clone();
    for preference in &mut options.body_preferences {
        preference.truncation_size = None;
        preference.all_or_none = None;
    }
    options.mime_truncation = None;
    options
}

/// Octets of content in an item, roughly: what an answer is cut by.
fn octets(email: &Email) -> usize {
    let body = email.body.as_ref().and_then(|body| body.data.as_ref());
    let parts = email.body_parts.iter().filter_map(|part| part.data.as_ref());
    body.map_or(0, |data| data.as_bytes().len())
        + parts.map(|data| data.as_bytes().len()).sum::<usize>()
        + ENVELOPE_OCTETS
}

/// The items that are read under one leave: the small ones among the next together, a large one by itself.
fn run_of(items: &[Item], octets_max: usize) -> &[Item] {
    let mut octets = 0usize;
    let fits = |item: &&Item| {
        octets = octets.saturating_add(item.size as usize);
        octets <= octets_max
    };
    let count = items.iter().take_while(fits).count();
    &items[..count.clamp(1, items.len())]
}

fn octets_of(items: &[Item]) -> u64 {
    items.iter().map(|item| u64::from(item.size)).sum()
}

/// Octets of mails that are read under one leave, if they are several.
const RUN_OCTETS_MAX: usize = 1024 * 1024;
/// Items of one answer that are read and shaped at a time: the disk, the hashing and the shaping overlap.
const SHAPED_AT_ONCE: usize = 8;
/// What an envelope takes, about.
const ENVELOPE_OCTETS: usize = 512;
