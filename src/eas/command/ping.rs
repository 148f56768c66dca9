//! Ping ([MS-ASCMD] 2.2.1.13): tell me when there is something in these folders.
//!
//! **A Ping proves nothing** about the answers the phone was given. It is answered at once where there is something it was not
//! given yet, where the proof of a recall is wanted (the nudge), and where the last answer may be lost; else it waits.

use std::sync::Arc;
use std::time::Duration;

use activesync::command::ping::{Folder as Watched, Request, Response};
use activesync::status::{Status, ping as status};
use activesync::types::CollectionId;
use activesync::{Document, ProtocolVersion};

use super::sync::nudge;
use crate::database::Tx;
use crate::eas::dispatch::{Ask, Voice};
use crate::eas::endpoint::{Answer, BoxFuture, Outcome, Waiting};
use crate::eas::fresh;
use crate::eas::gateway::GatewayLimits;
use crate::eas::hang::{Vigil, wakes, watches, woken};
use crate::eas::quirks::Behaviour;
use crate::eas::status::Refusal;
use crate::ids::{CollectionNumber, FolderId};
use crate::ledger::{self, Cached, Collection, Place};
use crate::mailbox::Folder;
use crate::push::{Ended, Kind, Ring};
use crate::recall::retraction;
use crate::sync::News;

/// Answers it, or lets it wait.
pub(in crate::eas) async fn answer(ask: &Arc<Ask>) -> Result<Outcome, Refusal> {
    let (heartbeat, watched, is_new) = match read(ask).await? {
        Ok(wanted) => wanted,
        Err(response) => return Ok(ask.plain(&response).into()),
    };
    let folders = ask.desk.engine.store.folders(ask.device.mailbox).await?;
    let pairs = resolve(&watched, &folders);
    // [MS-ASCMD] 2.2.3.177.11: a folder that is not there any more. Some phones name folders that never were, and would ask for ever:
    // they are told once, and whoever asks for the same again waits for the others.
    if pairs.is_empty() || (is_new && pairs.len() < watched.len()) {
        return Ok(ask.plain(&Response::new(status::FOLDER_SYNC_REQUIRED)).into());
    }
    // Listen first, look then: nothing that happens in between is missed.
    let ids: Vec<FolderId> = pairs.iter().map(|(id, _)| *id).collect();
    let listener = ask.desk.bells.listen(ask.device.id, Kind::Ping, &ids);
    let watching = ask.desk.engine.store.watch(ask.device.mailbox);
    fresh::watched(ask, ids.clone()).await;
    if is_new || pairs.len() < watched.len() {
        watches(&ask.desk, ask.device.id, Cached::Ping, ids.clone()).await;
    }
    if ask.desk.engine.folders_changed(ask.device.id, &folders).await? {
        return Ok(ask.plain(&Response::new(status::FOLDER_SYNC_REQUIRED)).into());
    }
    let (changed, removals) = look(ask, &ids).await?;
    if !changed.is_empty() {
        return Ok(changes(&ask.voice(), &pairs, &changed).into());
    }
    let patience = Duration::from_secs(u64::from(heartbeat));
    let mut vigil = Vigil::new(&ask.desk, &ask.device, (listener, watching), patience);
    vigil.begin(&removals);
    Ok(Outcome::Wait(Box::new(Hanging { voice: ask.voice(), pairs: pairs.into(), vigil })))
}

/// What a phone watches: the folder, and its number on the wire.
type Pair = (FolderId, CollectionNumber);

/// Reads the request and completes it from the one before; says whether it asks for something else than that.
async fn read(ask: &Ask) -> Result<Result<(u32, Vec<Watched>, bool), Response>, Refusal> {
    let request: Request =
        if ask.body.is_empty() { Request::default() } else { ask.decode::<Request>()? };
    let device = ask.device.id;
    let database = &ask.desk.engine.database;
    let blob = database.read(move |tx: &Tx<'_>| ledger::cached(tx, device, Cached::Ping)).await?;
    let memory = blob
        .as_ref()
        .and_then(|blob| Request::decode(ProtocolVersion::V16_1, blob).ok())
        .unwrap_or_default();
    let wanted = Request {
        heartbeat_s: request.heartbeat_s.or(memory.heartbeat_s),
        folders: request.folders.or(memory.folders),
    };
    let (heartbeat, folders) = match check(&wanted, &ask.desk.limits) {
        Ok(checked) => checked,
        Err(response) => return Ok(Err(response)),
    };
    let new = wanted.encode(ProtocolVersion::V16_1);
    let is_new = blob.as_ref() != Some(&new);
    if is_new {
        let owed = database.read(move |tx: &Tx<'_>| retraction::folders_due(tx, device)).await?;
        let job = move |tx: &Tx<'_>| ledger::cache(tx, device, Cached::Ping, Some(&new));
        // A full disk does not stand in the way of a recall.
        match owed.is_empty() {
            true => database.write(job).await?,
            false => database.write_owed(job).await?,
        }
    }
    Ok(Ok((heartbeat, folders, is_new)))
}

fn check(wanted: &Request, limits: &GatewayLimits) -> Result<(u32, Vec<Watched>), Response> {
    let folders = wanted.folders.clone().filter(|folders| !folders.is_empty());
    let (Some(heartbeat), Some(folders)) = (wanted.heartbeat_s, folders) else {
        return Err(Response::new(status::MISSING_PARAMETERS));
    };
    let (min, max) = (limits.heartbeat_s_min, limits.heartbeat_s_max);
    if heartbeat < min || heartbeat > max {
        let heartbeat_s = Some(heartbeat.clamp(min, max));
        return Err(Response { heartbeat_s, ..Response::new(status::BAD_INTERVAL) });
    }
    if folders.len() > limits.ping_folders_max {
        let folders_max = u32::try_from(limits.ping_folders_max).ok();
        return Err(Response { folders_max, ..Response::new(status::TOO_MANY_FOLDERS) });
    }
    let twice = folders
        .iter()
        .enumerate()
        .any(|(at, folder)| folders[..at].iter().any(|other| other.id == folder.id));
    if twice { Err(Response::new(status::SYNTAX_ERROR)) } else { Ok((heartbeat, folders)) }
}

/// Those of the folders that there are.
fn resolve(watched: &[Watched], folders: &[Folder]) -> Vec<Pair> {
    let find = |watched: &Watched| {
        let number = CollectionNumber::parse(watched.id.as_str())?;
        let folder = folders.iter().find(|folder| folder.number == number)?;
        Some((folder.id, number))
    };
    watched.iter().filter_map(find).collect()
}

/// Which of the folders a phone is to sync at once; and deletions by others that are waited for a little.
async fn look(ask: &Ask, folders: &[FolderId]) -> Result<(Vec<FolderId>, Vec<Ring>), Refusal> {
    let (mut changed, mut removals) = (Vec::new(), Vec::new());
    let engine = &ask.desk.engine;
    for folder in folders {
        let place = Place { device: ask.device.id, folder: *folder };
        match engine.news(ask.device.mailbox, place).await? {
            News::Recall => {
                woken(&ask.desk, place).await?;
                changed.push(*folder);
            }
            News::Arrivals => {
                wakes(&ask.desk, place).await;
                changed.push(*folder);
            }
            news => {
                if news == News::Removals {
                    removals.push(Ring::Removal(*folder));
                }
                if wants_proof(ask, place).await? {
                    changed.push(*folder);
                }
            }
        }
    }
    Ok((changed, removals))
}

/// Whether the newest answer for a folder is to be asked for again: once, after deletes that a recall wanted, or when the answer
/// may be lost. Ordinary answers that were written whole are waited for.
async fn wants_proof(ask: &Ask, place: Place) -> Result<bool, Refusal> {
    let stored =
        ask.desk.engine.database.read(move |tx: &Tx<'_>| Collection::load(tx, place)).await?;
    let Some(stored) = stored else { return Ok(false) };
    let Some(newest) = stored.in_flight.last() else { return Ok(false) };
    let (seq, device) = (newest.key.seq, ask.device.id);
    if newest.delta.is_empty() || stored.nudged_seq >= seq {
        return Ok(false);
    }
    if !newest.delta.retracts.is_empty() {
        if ask.quirks.has(Behaviour::IsNotNudged) {
            return Ok(false);
        }
        let nudged = nudge(&ask.desk, &ask.device, place, &stored).await?;
        if nudged {
            woken(&ask.desk, place).await?;
        }
        return Ok(nudged);
    }
    let presence = &ask.desk.presence;
    if !presence.may_be_lost(device, place.folder, seq, ask.is_new_connection) {
        return Ok(false);
    }
    let job = move |tx: &Tx<'_>| ledger::nudged(tx, place, seq);
    ask.desk.engine.database.write(job).await?;
    Ok(true)
}

fn changes(voice: &Voice, pairs: &[Pair], changed: &[FolderId]) -> Answer {
    let folders = pairs
        .iter()
        .filter(|(id, _)| changed.contains(id))
        .filter_map(|(_, number)| CollectionId::new(number.to_string()).ok());
    let response = Response { folders: folders.collect(), ..Response::new(status::CHANGES) };
    voice.plain(&response)
}

/// A Ping that hangs: of the request nothing is kept but how to answer it.
struct Hanging {
    voice: Voice,
    pairs: Box<[Pair]>,
    vigil: Vigil,
}

impl Hanging {
    async fn answer(&mut self) -> Result<Answer, Refusal> {
        Ok(match self.vigil.ended().await? {
            Ended::Folders(changed) => changes(&self.voice, &self.pairs, &changed),
            // Status is never left out ([MS-ASCMD] 2.2.3.177.11), not even for an answer that nobody waits for any more.
            Ended::Heartbeat | Ended::Superseded | Ended::Stop => self.say(status::NO_CHANGES),
            // A wipe or a block waits at FolderSync, which policy does not exempt.
            Ended::Hierarchy | Ended::Access => self.say(status::FOLDER_SYNC_REQUIRED),
        })
    }

    fn say(&self, status: Status) -> Answer {
        self.voice.plain(&Response::new(status))
    }
}

impl Waiting for Hanging {
    fn farewell(&self) -> Option<Answer> {
        Some(self.say(status::NO_CHANGES))
    }

    fn wait(mut self: Box<Self>) -> BoxFuture<'static, Answer> {
        Box::pin(async move {
            match self.answer().await {
                Ok(answer) => answer,
                Err(why) => self.voice.refuse(&why),
            }
        })
    }
}
