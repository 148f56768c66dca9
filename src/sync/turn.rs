//! Load, plan, commit: one Sync of one collection.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use roaring::RoaringBitmap;

use super::again::Again;
use super::looker::{Asks, plan_from};
use super::plan::{Plan, Planner};
use super::{Engine, SyncError, window};
use crate::audit::{self, Event};
use crate::clock::Timestamp;
use crate::database::{self, Tx};
use crate::ids::ItemNumber;
use crate::ledger::{
    self, Books, Claim, Collection, Delta as Offered, Device, Offer, Place, Position, Proof,
    Standing, SyncKey, Verdict,
};
use crate::mailbox::Folder;
use crate::recall;
use crate::recall::gate::{self, Content, Released, Ruling};
use crate::recall::retraction::{self, Closed};

/// Owed deletes read at once: those the presented key proves are among them, and a window more must be left.
const DUE_READ: usize = 2 * window::WINDOW_MAX + 1;
/// How stale the note of when a device last asked for a collection may be.
const ASKED_NOTED_EVERY: Duration = Duration::from_secs(60 * 60);

/// What a claim opens.
#[derive(Debug)]
pub enum Opened {
    /// A turn to be planned and committed.
    Turn(Box<Turn>),
    /// The key is not one to go on from: Status 3 ([MS-ASCMD] 2.2.3.177.17), and the phone begins again with key 0.
    InvalidKey(Verdict),
    /// Policy orders that the phone begins this collection anew: Status 3 likewise.
    Resync,
}

/// One Sync of one collection in progress.
#[derive(Debug)]
pub struct Turn {
    device: Arc<Device>,
    folder: Folder,
    standing: Standing,
    loaded_version: u64,
    head: u64,
    plan: Plan,
    position: Position,
    next: Option<SyncKey>,
    due: Vec<ItemNumber>,
    own_deletes: RoaringBitmap,
    again: Again,
    room_max: usize,
    stored: Stored,
    now: Timestamp,
}

/// What the row said when the turn began.
#[derive(Debug)]
struct Stored {
    filter: u8,
    options: Option<Vec<u8>>,
    last_asked: Timestamp,
}

/// What recall asks of the whole answer, beside its Deletes.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    /// How often answers with a Delete that is owed were not taken in.
    replays: u32,
    /// Whether the phone is to begin anew: not while it shows progress, and not when it is about it.
    resync: bool,
}

impl Asked {
    fn of(tx: &Tx<'_>, standing: &Standing, due: &[ItemNumber]) -> Result<Asked, database::Error> {
        let Place { device, folder } = standing.collection.place;
        if due.is_empty() || standing.verdict == Verdict::First {
            return Ok(Asked::default());
        }
        let again = u32::from(standing.verdict == Verdict::Replay);
        let is_stuck = standing.proof.is_none() && !standing.collection.resetting;
        Ok(Asked {
            replays: retraction::replays(tx, device, folder)?.saturating_add(again),
            resync: is_stuck && retraction::resync_waits(tx, device, folder)?,
        })
    }
}

/// What came of a commit.
#[derive(Debug)]
pub enum Committed {
    /// On the books: it may leave.
    Released(Released),
    /// Something was fenced, or written by another request: plan again. Nothing was written.
    Again,
}

enum Refused {
    Again,
    State(database::Error),
}

impl database::MaybeFull for Refused {
    fn is_full(&self) -> bool {
        matches!(self, Refused::State(error) if error.is_full())
    }
}

impl From<database::Error> for Refused {
    fn from(error: database::Error) -> Refused {
        Refused::State(error)
    }
}

impl Turn {
    /// The collection as the claim leaves it.
    pub fn collection(&self) -> &Collection {
        &self.standing.collection
    }

    /// The folder it shows.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Which device's, and of which folder.
    pub fn place(&self) -> Place {
        self.standing.collection.place
    }

    /// Whether the phone began with key 0: the answer carries a key and nothing else.
    pub fn begins(&self) -> bool {
        self.standing.verdict == Verdict::First
    }

    /// Whether the key proves that an answer arrived.
    pub fn proves(&self) -> bool {
        self.standing.proof.is_some()
    }

    /// Whether the key proves that a Delete of a recall arrived.
    pub fn proves_retraction(&self) -> bool {
        self.standing.proof.as_ref().is_some_and(|proof| !proof.arrived.delta.retracts.is_empty())
    }

    /// How many Deletes a recall asks for, as far as the answer may hold them.
    pub fn owed(&self) -> usize {
        self.due.len().min(self.room_max)
    }

    /// The phone deleted these itself, in this request. It has them no more once it presents the key of the answer; presents it
    /// its parent again without deleting them, its state may be one from before.
    pub fn deleted_by_phone(&mut self, items: &[ItemNumber]) {
        self.own_deletes.extend(items.iter().map(|item| item.0));
        self.due.retain(|item| !self.own_deletes.contains(item.0));
    }

    /// Whether the phone presents the parent of an answer again: its commands may be repetitions.
    pub fn is_replay(&self) -> bool {
        self.standing.verdict == Verdict::Replay
    }

    /// Sequence number of the key the request presented: the name under which its commands are recognised.
    pub fn parent_seq(&self) -> u64 {
        self.standing.collection.proven.map_or(0, |key| key.seq)
    }

    /// The FilterType and the sticky options from now on.
    pub fn set_options(&mut self, filter: u8, options: Option<Vec<u8>>) {
        self.standing.collection.filter = filter;
        self.standing.collection.options = options;
    }

    /// What the answer is to say.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// An item could not be shown: it is left out, and not recorded as held. One that may be there goes.
    pub fn isolate(&mut self, item: ItemNumber) {
        self.again.isolate(item);
        self.plan.isolate(item);
        if self.collection().perhaps_gone().contains(item.0) {
            self.plan.soft_deletes.push(item);
        }
    }

    /// The key the phone presented, where it is proven: what an answer without news repeats.
    pub fn current_key(&self) -> Option<SyncKey> {
        self.standing.collection.proven
    }

    /// The sequence number of the answer's key, once it has one.
    pub fn answered_seq(&self) -> Option<u64> {
        self.next.map(|key| key.seq)
    }

    /// The key of the answer; the same on every call. An answer that says what one in flight says has that one's key.
    pub fn next_key(&mut self, engine: &Engine) -> Result<SyncKey, SyncError> {
        if let Some(key) = self.next {
            return Ok(key);
        }
        let (offered, position) = (self.offered(), self.position);
        let same = self
            .standing
            .collection
            .in_flight
            .iter()
            .find(|o| o.delta == offered && o.position == position);
        let key = match same {
            Some(offer) if !self.begins() => offer.key,
            _ => {
                let seq = self.standing.collection.seq_max + 1;
                engine.books.issue(&self.device, self.folder.id.0, seq)?
            }
        };
        self.next = Some(key);
        Ok(key)
    }
}

impl Engine {
    /// Judges what a phone claims of a folder, and opens a turn where there is something to go on from.
    pub async fn open(
        &self,
        device: &Arc<Device>,
        folder: &Folder,
        claim: Claim,
    ) -> Result<Opened, SyncError> {
        let now = self.clock.now();
        let head = match claim {
            Claim::First => self.store.head(folder.id).await?.0,
            _ => 0,
        };
        let (books, who, id) = (self.books.clone(), device.clone(), folder.id);
        let job = move |tx: &Tx<'_>| {
            let mut standing = books.stand(tx, &who, id, claim)?;
            let due = retraction::due(tx, who.id, id, DUE_READ)?;
            let again = Again::load(tx, Place { device: who.id, folder: id }, now)?;
            let due = still_due(due, standing.proof.as_ref());
            let asked = Asked::of(tx, &standing, &due)?;
            let collection = &mut standing.collection;
            let stored = Stored {
                filter: collection.filter,
                options: collection.options.clone(),
                last_asked: std::mem::replace(&mut collection.last_asked, now),
            };
            Ok::<_, database::Error>((standing, due, asked, again, stored))
        };
        let (standing, due, asked, again, stored) = self.database.read(job).await?;
        match standing.verdict {
            Verdict::Regressed | Verdict::Ahead | Verdict::Forged => {
                self.refused(device, folder, claim, standing.verdict, now).await?;
                Ok(Opened::InvalidKey(standing.verdict))
            }
            _ if asked.resync => Ok(Opened::Resync),
            _ => Ok(Opened::Turn(Box::new(Turn {
                device: device.clone(),
                folder: folder.clone(),
                loaded_version: standing.collection.version,
                position: standing.collection.position,
                due,
                own_deletes: RoaringBitmap::new(),
                again,
                room_max: recall::deletes_max(asked.replays).unwrap_or(usize::MAX),
                standing,
                head,
                plan: Plan::default(),
                next: None,
                stored,
                now,
            }))),
        }
    }

    /// Makes the plan, for at most `room` statements. A turn that begins with key 0 says nothing.
    pub async fn plan(&self, turn: &mut Turn, room: usize) -> Result<(), SyncError> {
        turn.next = None;
        if turn.begins() {
            turn.plan = Plan::default();
            turn.position = Position::start(turn.head);
            return Ok(());
        }
        turn.again.begin(&*self.store, turn.folder.id).await?;
        let (collection, proof) = (&turn.standing.collection, turn.standing.proof.as_ref());
        let room = room.min(turn.room_max);
        let asks = Asks {
            due: turn.due.clone(),
            own_deletes: turn.own_deletes.clone(),
            again: turn.again.due.clone(),
            room,
        };
        let planned = plan_from(self, turn.folder.mailbox, collection, proof, asks).await?;
        (turn.plan, turn.position) = planned;
        Ok(())
    }

    /// Plans nothing but what recall asks for: all that still has room on a full disk. More is to come, so the phone presents the
    /// key of this answer at once.
    pub fn plan_owed(&self, turn: &mut Turn, room: usize) {
        turn.next = None;
        let mut planner = Planner::new(turn.collection().position, room.min(turn.room_max));
        planner.retract(&turn.due);
        planner.more();
        (turn.plan, turn.position) = planner.finish();
    }

    /// A turn that answers nothing of its own: only what its key proves is written. Acknowledgements commit before any wait, those
    /// of a recall on a full disk too.
    pub async fn acknowledge(&self, turn: &Turn) -> Result<bool, SyncError> {
        if turn.standing.proof.is_none()
            && !turn.is_replay()
            && !turn.begins()
            && !turn.row_is_stale()
        {
            return Ok(true);
        }
        let work = Work::of(turn, None);
        let now = self.clock.now();
        let is_owed = work.is_owed();
        let job = move |tx: &Tx<'_>| work.write(tx, now);
        let written = match is_owed {
            true => self.database.write_owed(job).await,
            false => self.database.write(job).await,
        };
        match written {
            Ok(()) => Ok(true),
            Err(Refused::Again) => Ok(false),
            Err(Refused::State(error)) => Err(error.into()),
        }
    }

    /// Puts an answer over these turns on the books: every claim, every offer, every exposure, or nothing at all.
    pub async fn commit(
        &self,
        turns: &[Turn],
        command: &'static str,
        request: u64,
        bytes: Bytes,
        contents: Vec<Content>,
    ) -> Result<Committed, SyncError> {
        let Some(device) = turns.first().map(|turn| turn.device.id) else {
            return Err(SyncError::Restless);
        };
        let works: Vec<Work> = turns.iter().map(|turn| Work::of(turn, turn.next)).collect();
        let keys = works.iter().filter_map(|work| {
            let offer = work.offer.as_ref()?;
            let (folder, seq) = (work.collection.place.folder, offer.key.seq);
            Some(gate::Keyed { folder, seq, adds: offer.delta.adds.clone() })
        });
        let answer = gate::Answer {
            device,
            command,
            request,
            bytes,
            contents: contents.into(),
            told: Arc::new([]),
            keys: keys.collect(),
        };
        let (board, now) = (self.board.clone(), self.clock.now());
        let is_owed = answer.contents.is_empty() && works.iter().all(Work::is_owed);
        let job = move |tx: &Tx<'_>| {
            for work in &works {
                work.write(tx, now)?;
            }
            crate::failpoint!("sync.after_books");
            match gate::release(tx, &board, &answer, now)? {
                Ruling::Released(released) => Ok(released),
                Ruling::Withheld(_) => Err(Refused::Again),
            }
        };
        let committed = match is_owed {
            true => self.database.write_owed(job).await,
            false => self.database.write(job).await,
        };
        match committed {
            Ok(released) => Ok(Committed::Released(released)),
            Err(Refused::Again) => Ok(Committed::Again),
            Err(Refused::State(error)) => Err(error.into()),
        }
    }

    async fn refused(
        &self,
        device: &Arc<Device>,
        folder: &Folder,
        claim: Claim,
        verdict: Verdict,
        now: Timestamp,
    ) -> Result<(), SyncError> {
        if verdict == Verdict::Forged {
            let is_foreign = self.books.is_foreign(device, folder.id.0, claim);
            return if is_foreign { self.came_from_elsewhere(device).await } else { Ok(()) };
        }
        let (device, folder, books) = (device.id, folder.id, self.books.clone());
        let job = move |tx: &Tx<'_>| {
            let event = match verdict {
                Verdict::Ahead => "ledger_rolled_back",
                _ => "state_restored",
            };
            audit::note(tx, now, &Event::new(event).id("device", device.0).id("folder", folder.0))?;
            if verdict == Verdict::Ahead {
                rolled_back(tx, &books, now)?;
            }
            retraction::regressed(tx, device, folder, now)
        };
        self.database.write(job).await.map_err(SyncError::State)
    }
}

impl Engine {
    /// The device speaks of a key or a folder that these books never gave it: it existed before them.
    pub async fn came_from_elsewhere(&self, device: &Device) -> Result<(), SyncError> {
        let (device, now) = (device.id, self.clock.now());
        let job = move |tx: &Tx<'_>| retraction::existed_before(tx, device, now);
        self.database.write(job).await.map_err(SyncError::State)
    }
}

/// A key beyond the books was presented: a new epoch begins, and no device that exists can be vouched for.
pub(super) fn rolled_back(
    tx: &Tx<'_>,
    books: &Books,
    now: Timestamp,
) -> Result<(), database::Error> {
    let epoch = database::begin_epoch(tx, now, "a device presented a key beyond the ledger")?;
    ledger::rolled_back(tx)?;
    let books = books.clone();
    tx.on_commit(move || {
        books.began(epoch.number);
        crate::recall::work();
    });
    Ok(())
}

impl Turn {
    /// Whether the row says something else than this request: other options, or that the device has not asked for long.
    fn row_is_stale(&self) -> bool {
        let collection = self.collection();
        collection.filter != self.stored.filter
            || collection.options != self.stored.options
            || self.asks_after_long()
    }

    /// Whether the note of when the device last asked for the collection is older than it may be.
    fn asks_after_long(&self) -> bool {
        self.now.since(self.stored.last_asked) > ASKED_NOTED_EVERY
    }
}

/// What a transaction writes for one turn; pure, so that it can run again.
struct Work {
    collection: Collection,
    loaded_version: u64,
    head: u64,
    begins: bool,
    replay: bool,
    proof: Option<Proof>,
    offer: Option<Offer>,
    again: Again,
    /// The device did not ask for long: what was said of that is taken back.
    asks_again: bool,
}

impl Work {
    fn of(turn: &Turn, next: Option<SyncKey>) -> Work {
        let offer = next.map(|key| Offer {
            key,
            epoch: 0,
            position: turn.position,
            delta: turn.offered(),
            at: turn.now,
        });
        Work {
            collection: turn.standing.collection.clone(),
            loaded_version: turn.loaded_version,
            head: turn.head,
            begins: turn.begins(),
            replay: turn.is_replay(),
            proof: turn.standing.proof.clone(),
            offer,
            again: turn.again.clone(),
            asks_again: turn.begins() || turn.asks_after_long(),
        }
    }

    /// Whether it does nothing but take messages back, or write down that this was acknowledged: what may use recall's own room.
    fn is_owed(&self) -> bool {
        let proves =
            self.proof.as_ref().is_some_and(|proof| !proof.arrived.delta.retracts.is_empty());
        let delta = self.offer.as_ref().map(|offer| &offer.delta);
        let carries = delta.is_some_and(|delta| !delta.retracts.is_empty());
        let is_all = delta.is_none_or(Offered::only_retracts);
        !self.begins && is_all && (carries || proves)
    }

    fn write(&self, tx: &Tx<'_>, now: Timestamp) -> Result<(), Refused> {
        let mut collection = self.collection.clone();
        let place = collection.place;
        let version = Collection::stored_version(tx, place)?;
        if version != self.loaded_version {
            return Err(Refused::Again);
        }
        if self.begins {
            let (filter, options) = (collection.filter, collection.options.clone());
            collection.begin_again(tx, self.head)?;
            (collection.filter, collection.options) = (filter, options);
            retraction::key_zero(tx, place.device, place.folder, now)?;
        }
        if self.asks_again {
            retraction::asked_again(tx, place.device, place.folder, now)?;
        }
        if let Some(proof) = &self.proof {
            prove(tx, place, proof, now)?;
        }
        if self.replay {
            retraction::replayed(tx, place.device, place.folder, now)?;
        }
        if let Some(offer) = &self.offer {
            put(tx, &mut collection, offer, now)?;
        }
        self.again.write(tx, place, now)?;
        if collection.store(tx)? { Ok(()) } else { Err(Refused::Again) }
    }
}

fn prove(tx: &Tx<'_>, place: Place, proof: &Proof, now: Timestamp) -> Result<(), database::Error> {
    ledger::settle(tx, place, proof)?;
    let (seq, after_reset) = (proof.arrived.key.seq, proof.after_reset);
    let deleted = numbers(&proof.arrived.delta.deletes);
    let unproven = numbers(&proof.unproven_retracts());
    let shown = retraction::Proof { seq, deleted: &deleted, unproven: &unproven, after_reset };
    retraction::proven(tx, place.device, place.folder, shown, now)?;
    let delta = &proof.arrived.delta;
    let removed =
        [(&delta.own_deletes, Closed::DeletedByDevice), (&delta.soft_deletes, Closed::AgedOut)];
    for (items, why) in removed {
        for item in numbers(items) {
            retraction::closed(tx, place.device, place.folder, item, why, now)?;
        }
    }
    Ok(())
}

fn put(
    tx: &Tx<'_>,
    collection: &mut Collection,
    offer: &Offer,
    now: Timestamp,
) -> Result<(), database::Error> {
    let place = collection.place;
    if collection.in_flight.iter().all(|known| known.key != offer.key) {
        let epoch = database::epoch(tx)?.number;
        let given_up = collection.offer(tx, Offer { epoch, ..offer.clone() })?;
        for lost in given_up {
            let unproven = numbers(&(&lost.delta.retracts - &offer.delta.retracts));
            let lost =
                retraction::Proof { seq: lost.key.seq, unproven: &unproven, ..Default::default() };
            retraction::proven(tx, place.device, place.folder, lost, now)?;
        }
    }
    let retracts = numbers(&offer.delta.retracts);
    retraction::sent(tx, place.device, place.folder, &retracts, offer.key.seq, now)
}

fn numbers(items: &RoaringBitmap) -> Vec<ItemNumber> {
    items.iter().map(ItemNumber).collect()
}

/// What recall still asks for once the proof is believed: what arrived with it is not asked again.
pub(super) fn still_due(due: Vec<ItemNumber>, proof: Option<&Proof>) -> Vec<ItemNumber> {
    match proof {
        None => due,
        Some(proof) => {
            let arrived = &proof.arrived.delta;
            let done = &arrived.retracts | &arrived.own_deletes;
            due.into_iter().filter(|item| !done.contains(item.0)).collect()
        }
    }
}

/// What an answer would hold of the items of a plan; the caller fills in how much of each it shows.
#[cfg(test)]
pub(crate) fn contents_of(
    turn: &Turn,
    exposure: impl Fn(ItemNumber) -> ledger::Exposure,
) -> Vec<Content> {
    let (mailbox, folder) = (turn.folder.mailbox, turn.folder.id);
    let content =
        |(item, identity)| Content { mailbox, folder, item, identity, exposure: exposure(item) };
    turn.plan.contents().map(content).collect()
}

impl Turn {
    /// What the ledger would keep of the answer.
    pub fn offered(&self) -> Offered {
        Offered { own_deletes: self.own_deletes.clone(), ..self.plan.offered() }
    }
}
