//! One collection of one device: the proven state, and the answers in flight from it.
//!
//! ```text
//!            key 0                    presents an answer's key
//!   (none) ───────► proven = none ◄──────────────┐
//!                     │  offer (up to 4 siblings)│
//!                     ▼                          │
//!                  in flight ── promote ─► proven = that key, its siblings dropped
//! ```
//!
//! **Invariant:** the proven state changes only by [`Collection::promote`] and [`Collection::begin_again`]; an answer that nobody
//! has presented stands beside it, whole.

use roaring::RoaringBitmap;

use super::delta::Delta;
use super::holding::{self, Kind, Place};
use super::sync_key::{Known, SyncKey};
use super::{Exposure, tables};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};

/// Answers in flight from one parent at most; the oldest is given up when one more is issued.
pub const SIBLINGS_MAX: usize = 4;

/// How far a state has come in its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Position in the folder's change log.
    pub cursor: u64,
    /// Arrival time, in milliseconds, of the lowest item considered so far; items are ordered by (arrival, number).
    pub floor_received: i64,
    /// Its number.
    pub floor_item: u32,
}

impl Position {
    /// Where an enumeration begins: the log up to `cursor` needs no replay, and no item has been considered.
    pub fn start(cursor: u64) -> Position {
        Position { cursor, floor_received: i64::MAX, floor_item: u32::MAX }
    }
}

/// An answer in flight.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The key issued with it.
    pub key: SyncKey,
    /// The ledger epoch it was issued in.
    pub epoch: i64,
    /// Where the device stands once it has taken the answer in.
    pub position: Position,
    /// What the answer says.
    pub delta: Delta,
    /// When it was committed.
    pub at: Timestamp,
}

/// The row of a collection with its answers in flight.
#[derive(Clone, Debug)]
pub struct Collection {
    /// Whose, and of which folder.
    pub place: Place,
    /// Grows with every write of the row.
    pub version: u64,
    /// Grows with every key 0.
    pub generation: u64,
    /// The epoch in which the proven key was issued.
    pub epoch: i64,
    /// The highest sequence number ever issued.
    pub seq_max: u64,
    /// The key that is proven; none after a key 0.
    pub proven: Option<SyncKey>,
    /// Where the proven state stands.
    pub position: Position,
    /// The FilterType in force ([MS-ASCMD] 2.2.3.68.2).
    pub filter: u8,
    /// The sticky options, in the words of the phone's edge.
    pub options: Option<Vec<u8>>,
    /// Whether the enumeration after a key 0 of a collection with a history is still to be proven.
    pub resetting: bool,
    /// The key of the last answer for which the device was nudged.
    pub nudged_seq: u64,
    /// When the device last asked for this collection.
    pub last_asked: Timestamp,
    /// Held, and perhaps gone all the same: an answer that was never proven took these out of the filter's window.
    pub faded: RoaringBitmap,
    /// Answers in flight, oldest first.
    pub in_flight: Vec<Offer>,
}

/// What a presented key proves.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The answer that arrived.
    pub arrived: Offer,
    /// Its siblings: what they said may have arrived in part, and proves nothing.
    pub dropped: Vec<Offer>,
    /// Whether this ends an enumeration after a key 0 of a collection with a history: all of it is proven.
    pub after_reset: bool,
}

impl Proof {
    /// Recall deletes that went out only in answers that did not arrive, as far as is proven.
    pub fn unproven_retracts(&self) -> RoaringBitmap {
        let dropped =
            self.dropped.iter().fold(RoaringBitmap::new(), |all, o| all | &o.delta.retracts);
        dropped - &self.arrived.delta.deletes
    }

    /// Items that answers which did not arrive had changed.
    pub fn dropped_changes(&self) -> RoaringBitmap {
        self.dropped.iter().fold(RoaringBitmap::new(), |all, offer| all | &offer.delta.changes)
    }

    /// Items that answers which did not arrive had added, and that may be there. What the arrived one took away is not, but for
    /// what a later one gave: that may have come in after it.
    pub fn perhaps_there(&self) -> RoaringBitmap {
        let (arrived, gone) = (&self.arrived, self.arrived.delta.gone());
        let perhaps = self.dropped.iter().fold(RoaringBitmap::new(), |all, offer| {
            let is_later = offer.key.seq > arrived.key.seq;
            all | if is_later { offer.delta.adds.clone() } else { &offer.delta.adds - &gone }
        });
        perhaps - &arrived.delta.adds
    }
}

impl Offer {
    /// Whether the enumeration has come to its end with it. The answer to key 0 does not begin one, and a page of it says nothing of
    /// what it has not come to: a device may tidy up what it had before only once it has everything anew.
    fn completes(&self) -> bool {
        self.position.floor_received != i64::MAX && self.position.floor_item == 0
    }
}

impl Collection {
    /// A collection the device has never asked for.
    pub fn new(place: Place, epoch: i64) -> Collection {
        Collection {
            place,
            version: 0,
            generation: 0,
            epoch,
            seq_max: 0,
            proven: None,
            position: Position::start(0),
            filter: 0,
            options: None,
            resetting: false,
            nudged_seq: 0,
            last_asked: Timestamp::ZERO,
            faded: RoaringBitmap::new(),
            in_flight: Vec::new(),
        }
    }

    /// Loads the row and its answers in flight.
    pub fn load(tx: &Tx<'_>, place: Place) -> Result<Option<Collection>, Error> {
        let Some(mut collection) = tables::collection(tx, place)? else { return Ok(None) };
        collection.in_flight = tables::answers(tx, place)?;
        Ok(Some(collection))
    }

    /// The version of the row as it stands; 0 while there is none.
    pub fn stored_version(tx: &Tx<'_>, place: Place) -> Result<u64, Error> {
        Ok(tables::collection_version(tx, place)?.unwrap_or(0))
    }

    /// What the judge of keys needs.
    pub fn known(&self) -> Known {
        Known {
            proven: self.proven,
            siblings: self.in_flight.iter().map(|offer| offer.key).collect(),
            seq_max: self.seq_max,
        }
    }

    /// Everything in flight that may have been added on the device.
    pub fn offered(&self) -> RoaringBitmap {
        self.in_flight.iter().fold(RoaringBitmap::new(), |all, offer| all | &offer.delta.adds)
    }

    /// Everything in flight that may have been changed on the device.
    pub fn offered_changes(&self) -> RoaringBitmap {
        self.in_flight.iter().fold(RoaringBitmap::new(), |all, offer| all | &offer.delta.changes)
    }

    /// Everything held that may be gone from the device: see [`Collection::faded`].
    pub fn perhaps_gone(&self) -> RoaringBitmap {
        self.in_flight.iter().fold(self.faded.clone(), |all, o| all | &o.delta.soft_deletes)
    }

    /// The answer with this index arrived: it becomes the proven state and its siblings are dropped. In memory only;
    /// [`settle`] writes what it means and [`Collection::store`] the row.
    pub fn promote(&mut self, index: usize) -> Proof {
        self.faded = self.perhaps_gone();
        let mut dropped = std::mem::take(&mut self.in_flight);
        let arrived = dropped.remove(index);
        self.proven = Some(arrived.key);
        self.epoch = arrived.epoch;
        self.position = arrived.position;
        self.faded -= &arrived.delta.adds | arrived.delta.gone();
        let after_reset = self.resetting && arrived.completes();
        self.resetting &= !after_reset;
        Proof { arrived, dropped, after_reset }
    }

    /// Key 0: nothing is proven any more. What was there may still be in the cache until the device has taken in an enumeration, so
    /// it moves to [`Kind::Former`]; exposure stays. What the device filed here itself before it had a key was not given by any, and
    /// begins no cache anew: it stays loose.
    pub fn begin_again(&mut self, tx: &Tx<'_>, head: u64) -> Result<(), Error> {
        let there = holding::all(tx, self.place, Kind::Held)?;
        let perhaps = holding::all(tx, self.place, Kind::Loose)? | self.offered();
        let filed = match self.proven {
            None => holding::among(tx, self.place, Kind::Exposed(Exposure::MOVED), &perhaps)?,
            Some(_) => RoaringBitmap::new(),
        };
        holding::add(tx, self.place, Kind::Former, &((there | perhaps) - &filed))?;
        for kind in [Kind::Held, Kind::Loose, Kind::Read, Kind::Flagged, Kind::Unsure] {
            holding::clear(tx, self.place, kind)?;
        }
        holding::add(tx, self.place, Kind::Loose, &filed)?;
        tables::delete_answers(tx, self.place)?;
        self.resetting = self.generation > 0;
        self.generation += 1;
        self.proven = None;
        self.position = Position::start(head);
        self.in_flight.clear();
        self.faded.clear();
        self.options = None;
        self.filter = 0;
        Ok(())
    }

    /// Puts an answer on the books, before a byte of it leaves. When a fifth sibling is issued the oldest is given up: what it
    /// added may be on the device all the same.
    pub fn offer(&mut self, tx: &Tx<'_>, offer: Offer) -> Result<Vec<Offer>, Error> {
        tables::put_answer(tx, self.place, &offer)?;
        self.seq_max = self.seq_max.max(offer.key.seq);
        self.in_flight.push(offer);
        let mut given_up = Vec::new();
        while self.in_flight.len() > SIBLINGS_MAX {
            let oldest = self.in_flight.remove(0);
            holding::add(tx, self.place, Kind::Loose, &oldest.delta.adds)?;
            self.faded |= &oldest.delta.soft_deletes;
            holding::add(tx, self.place, Kind::Unsure, &oldest.delta.changes)?;
            tables::delete_answer(tx, self.place, oldest.key.seq)?;
            given_up.push(oldest);
        }
        Ok(given_up)
    }

    /// Writes the row if nobody has written it since it was loaded; says whether it did.
    pub fn store(&mut self, tx: &Tx<'_>) -> Result<bool, Error> {
        let written = if self.version == 0 {
            tables::insert_collection(tx, self)?
        } else {
            tables::update_collection(tx, self)?
        };
        if written {
            self.version += 1;
        }
        Ok(written)
    }
}

/// Writes what a proof means: its adds are held, what it took away is not, and what its dropped siblings added may be there.
pub fn settle(tx: &Tx<'_>, place: Place, proof: &Proof) -> Result<(), Error> {
    let delta = &proof.arrived.delta;
    let gone = delta.gone();
    let touched = &delta.adds | &delta.changes;
    holding::add(tx, place, Kind::Held, &(&delta.adds - &gone))?;
    holding::remove(tx, place, Kind::Held, &gone)?;
    for kind in [Kind::Loose, Kind::Former] {
        holding::remove(tx, place, kind, &(&delta.adds | &gone))?;
    }
    if proof.after_reset {
        holding::clear(tx, place, Kind::Former)?;
    }
    holding::add(tx, place, Kind::Loose, &proof.perhaps_there())?;
    // What the phone changed in the request that presented this key came after the answer: its word stands.
    let own = super::uploads::changed_with(tx, place, proof.arrived.key.seq)?;
    let sure = &touched - &own;
    for (kind, set) in [(Kind::Read, &delta.read), (Kind::Flagged, &delta.flagged)] {
        holding::add(tx, place, kind, &(set & &sure))?;
        holding::remove(tx, place, kind, &((&sure - set) | &gone))?;
    }
    holding::remove(tx, place, Kind::Unsure, &(&sure | &gone))?;
    let unsure = ((proof.dropped_changes() - &sure) | (&touched & &own)) - &gone;
    holding::add(tx, place, Kind::Unsure, &unsure)?;
    holding::expose(tx, place, super::Exposure::AGED_OUT, &delta.soft_deletes)?;
    tables::delete_answers(tx, place)?;
    tables::delete_uploads_before(tx, place, proof.arrived.key.seq)
}
