//! Sync ([MS-ASCMD] 2.2.1.21), from the request to the committed answer.
//!
//! ```text
//! read ─► open turns ─► carry out the phone's commands ─► compose, commit ─► answer
//!              ▲                                              │   │
//!              └────────────── somebody wrote, or fenced ─────┘   └─► nothing to say: acknowledge, then wait or say nothing
//! ```

mod compose;
mod hang;
mod options;
mod request;
mod upload;

use std::sync::Arc;

use activesync::command::sync::{CollectionAnswer, Response};
use activesync::status::Status;
use activesync::status::sync as status;
use activesync::types::{ServerId as WireId, SyncKey};
use http::StatusCode;

use crate::database::Tx;
use crate::eas::convert::ItemOptions;
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::{Answer, Outcome};
use crate::eas::fresh;
use crate::eas::gateway::Desk;
use crate::eas::hang::watches;
use crate::eas::quirks::Behaviour;
use crate::eas::session::is_fleeting;
use crate::eas::status::Refusal;
use crate::ids::{CollectionNumber, FolderId, ItemNumber, ServerId};
use crate::ledger::{self, Cached, Claim, Collection, Device, Place};
use crate::mailbox::{Folder, MailboxError};
use crate::push::Kind;
use crate::sync::{News, Opened, Turn};

use compose::Composed;
use hang::Hanging;
use request::{Part, Wanted};
use upload::Answered;

/// A collection that goes on from a key of ours.
struct Lane {
    part: Part,
    claim: Claim,
    folder: Folder,
    options: ItemOptions,
    answered: Vec<Answered>,
    /// What the phone deleted in this request.
    deleted: Vec<ItemNumber>,
}

/// What the collections of a request came to, before anything is said.
#[derive(Default)]
struct Opening {
    lanes: Vec<Lane>,
    turns: Vec<Turn>,
    /// Collections that fail as a whole.
    failed: Vec<CollectionAnswer>,
    /// Folders that are watched and not answered: their newest answer is unproven, and the phone did not name them.
    silent: Vec<Folder>,
    /// Collections that do not exist.
    unknown: usize,
    /// Whether the phone has to send its keys itself.
    incomplete: bool,
    /// The disk is full: only what a recall asks for has room.
    only_owed: bool,
    /// Every collection is answered, whether there is anything to say or not.
    speaks: bool,
}

impl Opening {
    /// Whether any of it concerns a recall.
    fn is_owed(&self) -> bool {
        self.turns.iter().any(|turn| turn.owed() > 0 || turn.proves_retraction())
    }

    /// Every folder it is about.
    fn folders(&self) -> Vec<FolderId> {
        let lanes = self.lanes.iter().map(|lane| lane.folder.id);
        lanes.chain(self.silent.iter().map(|folder| folder.id)).collect()
    }

    /// Leaves the collections for which a recall asks something.
    fn keep_owed(&mut self) {
        let both = std::mem::take(&mut self.lanes).into_iter().zip(std::mem::take(&mut self.turns));
        (self.lanes, self.turns) = both.filter(|(_, turn)| turn.owed() > 0).unzip();
        self.only_owed = true;
    }
}

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Arc<Ask>) -> Result<Outcome, Refusal> {
    // A newer Sync ends the one that hangs.
    ask.desk.bells.supersede(ask.device.id, Kind::Sync);
    let mut wanted = match request::read(ask).await? {
        Ok(wanted) => wanted,
        Err(response) => return Ok(ask.plain(&response).into()),
    };
    let mut opening = open(ask, &wanted.parts).await?;
    if opening.incomplete && !wanted.has_commands {
        return Ok(ask.plain(&Response::failure(status::INCOMPLETE_REQUEST)).into());
    }
    if opening.unknown > 0 && opening.unknown == wanted.parts.len() {
        // Nothing of it is there any more ([MS-ASCMD] 2.2.3.177.17).
        return Ok(ask.plain(&Response::failure(status::FOLDER_HIERARCHY_CHANGED)).into());
    }
    carry_out(ask, &mut opening).await?;
    if let Some(blob) = wanted.remember.take() {
        request::keep(ask, blob, opening.is_owed()).await?;
        if wanted.wait.is_some() {
            watches(&ask.desk, ask.device.id, Cached::Sync, opening.folders()).await;
        }
    }
    respond(ask, wanted, opening).await
}

/// Composes and commits until the collections stand still for it.
async fn respond(ask: &Arc<Ask>, wanted: Wanted, mut opening: Opening) -> Result<Outcome, Refusal> {
    for _ in 0..TRIES_MAX {
        let composed = match compose::compose(ask, &wanted, &mut opening).await {
            Err(why) if why.is_full() || why.is_down() => {
                full(ask, &mut opening, why).await?;
                Composed::Again
            }
            composed => composed?,
        };
        match composed {
            Composed::Answer(answer) => return Ok(answer.into()),
            Composed::Again => {}
            Composed::Nothing if !acknowledge(ask, &opening.turns).await? => {}
            Composed::Nothing => {
                if let Some(wait) = wanted.wait.filter(|_| !wanted.has_commands) {
                    let hanging = Hanging::new(ask, wanted, &opening, wait);
                    return Ok(Outcome::Wait(Box::new(hanging)));
                }
                if !ask.quirks.has(Behaviour::SaysNothingInABody) {
                    return Ok(Answer::empty(StatusCode::OK).into());
                }
                if opening.speaks {
                    return Ok(ask.plain(&Response::failure(status::INCOMPLETE_REQUEST)).into());
                }
                opening.speaks = true;
            }
        }
        reopen(ask, &mut opening).await?;
    }
    Err(Refusal::Restless)
}

/// The disk is full, or the store is down: that a recalled mail is gone is written down in recall's own room, and what is left of the answer is what a
/// recall asks for. Where it asks for nothing more, the phone is told to come again.
async fn full(ask: &Ask, opening: &mut Opening, why: Refusal) -> Result<(), Refusal> {
    if opening.only_owed {
        return Err(why);
    }
    for turn in opening.turns.iter().filter(|turn| turn.proves_retraction()) {
        ask.desk.engine.acknowledge(turn).await?;
    }
    opening.keep_owed();
    if opening.turns.is_empty() { Err(why) } else { Ok(()) }
}

/// Acknowledgements commit before any wait; `false` when somebody else wrote meanwhile.
async fn acknowledge(ask: &Ask, turns: &[Turn]) -> Result<bool, Refusal> {
    for turn in turns {
        if !ask.desk.engine.acknowledge(turn).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn open(ask: &Ask, parts: &[Part]) -> Result<Opening, Refusal> {
    let mut opening = Opening::default();
    freshen(ask, parts).await?;
    for part in parts {
        let Some(folder) = folder(ask, part).await? else {
            tracing::info!(device = %ask.device.id, collection = %part.id, "no such collection");
            if is_from_elsewhere(part) && !is_fleeting(&ask.device) {
                ask.desk.engine.came_from_elsewhere(&ask.device).await?;
            }
            opening.unknown += 1;
            continue;
        };
        match part.claim {
            Some(claim) => open_named(ask, part, claim, folder, &mut opening).await?,
            None => open_remembered(ask, part, folder, &mut opening).await?,
        }
    }
    Ok(opening)
}

/// Where a phone goes on from a key, it is told what there is now; a first key comes with nothing.
async fn freshen(ask: &Ask, parts: &[Part]) -> Result<(), Refusal> {
    let mut folders = Vec::with_capacity(parts.len());
    for part in parts.iter().filter(|part| part.claim != Some(Claim::First)) {
        folders.extend(folder(ask, part).await?.map(|folder| folder.id));
    }
    fresh::items(ask, folders).await;
    Ok(())
}

/// Whether the phone has a key for a folder and neither can be ours: a folder of ours has a number, and a key of ours can be read.
fn is_from_elsewhere(part: &Part) -> bool {
    let has_number = CollectionNumber::parse(part.id.as_str()).is_some();
    match part.claim {
        Some(Claim::Unreadable) => true,
        Some(Claim::Key(_)) => !has_number,
        Some(Claim::First) | None => false,
    }
}

async fn folder(ask: &Ask, part: &Part) -> Result<Option<Folder>, Refusal> {
    let Some(number) = CollectionNumber::parse(part.id.as_str()) else { return Ok(None) };
    match ask.desk.engine.store.folder(ask.device.mailbox, number).await {
        Ok(folder) => Ok(Some(folder)),
        Err(MailboxError::NoSuchFolder) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn open_named(
    ask: &Ask,
    part: &Part,
    claim: Claim,
    folder: Folder,
    opening: &mut Opening,
) -> Result<(), Refusal> {
    // [MS-ASCMD] 2.2.3.84: there are no changes before there is a key.
    if claim == Claim::First && part.insists {
        opening.failed.push(failed(part, status::PROTOCOL_ERROR));
        return Ok(());
    }
    match ask.desk.engine.open(&ask.device, &folder, claim).await? {
        Opened::Turn(turn) => take(ask, part, claim, folder, *turn, opening),
        Opened::InvalidKey(verdict) => {
            tracing::info!(device = %ask.device.id, folder = %folder.id, ?verdict, "invalid sync key");
            opening.failed.push(failed(part, status::INVALID_SYNC_KEY));
        }
        Opened::Resync => {
            tracing::info!(device = %ask.device.id, folder = %folder.id, "told to begin anew");
            opening.failed.push(failed(part, status::INVALID_SYNC_KEY));
        }
    }
    Ok(())
}

fn take(
    ask: &Ask,
    part: &Part,
    claim: Claim,
    folder: Folder,
    mut turn: Turn,
    opening: &mut Opening,
) {
    match options::settle(&mut turn, &part.options, ask.version) {
        Ok(options) => {
            let part = part.clone();
            let (answered, deleted) = Default::default();
            opening.lanes.push(Lane { part, claim, folder, options, answered, deleted });
            opening.turns.push(turn);
        }
        Err(status) => opening.failed.push(failed(part, status)),
    }
}

/// A collection the phone did not name goes on from what is proven. Where an answer is in flight, only the phone can say whether
/// it arrived.
async fn open_remembered(
    ask: &Ask,
    part: &Part,
    folder: Folder,
    opening: &mut Opening,
) -> Result<(), Refusal> {
    let place = Place { device: ask.device.id, folder: folder.id };
    let stored = ask.desk.engine.database.read(move |tx| Collection::load(tx, place)).await?;
    let Some(stored) = stored else { return Ok(()) };
    match (stored.in_flight.last(), stored.proven) {
        (None, Some(key)) => {
            let claim = Claim::Key(key);
            open_named(ask, part, claim, folder, opening).await?;
        }
        (None, None) => {}
        (Some(newest), _) => {
            let nudges = !newest.delta.retracts.is_empty()
                && nudge(&ask.desk, &ask.device, place, &stored).await?;
            let news = ask.desk.engine.news(ask.device.mailbox, place).await?;
            opening.incomplete |= nudges || news >= News::Changes;
            opening.silent.push(folder);
        }
    }
    Ok(())
}

/// Takes the nudge for the newest answer of a collection, once for each answer and so many in an hour.
pub(in crate::eas) async fn nudge(
    desk: &Arc<Desk>,
    device: &Device,
    place: Place,
    stored: &Collection,
) -> Result<bool, Refusal> {
    let Some(seq) = stored.in_flight.last().map(|offer| offer.key.seq) else { return Ok(false) };
    let (max, now) = (desk.limits.nudges_per_hour_max, desk.engine.clock.now());
    if stored.nudged_seq >= seq || !desk.presence.may_nudge(device.id, max, now) {
        return Ok(false);
    }
    desk.engine.database.write_owed(move |tx: &Tx<'_>| ledger::nudged(tx, place, seq)).await?;
    Ok(true)
}

/// What the phone did is carried out once, whatever becomes of the answer. What its key proves is written first, so that the
/// books know what the phone holds before it changes it.
async fn carry_out(ask: &Ask, opening: &mut Opening) -> Result<(), Refusal> {
    for (lane, turn) in opening.lanes.iter_mut().zip(&mut opening.turns) {
        // [MS-ASCMD] 3.1.5.10: with key 0 there is nothing to command; some phones do.
        if lane.part.commands.is_empty() || turn.begins() {
            continue;
        }
        if turn.proves() {
            if !ask.desk.engine.acknowledge(turn).await? {
                return Err(Refusal::Restless);
            }
            *turn = reopened(ask, lane).await?;
        }
        (lane.answered, lane.deleted) = upload::carry_out(ask, turn, lane).await?;
        turn.deleted_by_phone(&lane.deleted);
    }
    Ok(())
}

async fn reopen(ask: &Ask, opening: &mut Opening) -> Result<(), Refusal> {
    for (lane, turn) in opening.lanes.iter_mut().zip(&mut opening.turns) {
        *turn = reopened(ask, lane).await?;
    }
    Ok(())
}

async fn reopened(ask: &Ask, lane: &mut Lane) -> Result<Turn, Refusal> {
    match ask.desk.engine.open(&ask.device, &lane.folder, lane.claim).await? {
        Opened::Turn(mut turn) => {
            lane.options = options::settle(&mut turn, &lane.part.options, ask.version)?;
            turn.deleted_by_phone(&lane.deleted);
            Ok(*turn)
        }
        // A request that overtook this one has proven more: the phone asks again.
        Opened::InvalidKey(_) | Opened::Resync => Err(Refusal::Restless),
    }
}

/// A collection that fails as a whole; its key stays what it was, or is none.
fn failed(part: &Part, status: Status) -> CollectionAnswer {
    CollectionAnswer::new(part.id.clone(), SyncKey::initial(), status)
}

/// The ServerId of an item as it travels.
fn wire_id(id: ServerId) -> WireId {
    WireId::new(id.to_string()).expect("two numbers and a colon have at most 21 characters")
}

/// How often a request is composed anew when somebody else wrote, or something was fenced, meanwhile.
const TRIES_MAX: usize = 6;
