//! Looks where a plan has to look: the folder's log, what leaves and re-enters the filter's window, what lies below the floor.
//!
//! Every look is bounded, and what the store says is set beside what the books say of the same items.

use roaring::RoaringBitmap;

use super::plan::{Plan, Planner};
use super::view::{Subject, look};
use super::{Engine, SyncError, window};
use crate::clock::Timestamp;
use crate::database::Tx;
use crate::ids::{FolderId, ItemNumber, MailboxId};
use crate::ledger::holding::{self, Kind};
use crate::ledger::{Collection, Position, Proof};
use crate::mailbox::{Cursor, Floor};

/// Pieces of a change log, or of an enumeration, that one plan reads at most; what is beyond comes with MoreAvailable.
const PIECES_MAX: usize = 40;
/// Lines of the log read beyond the room in the window: lines that say nothing to this device take no place in it.
const LINES_BESIDE: usize = 64;

/// What is asked of a plan, beside the news of the folder.
#[derive(Debug, Default)]
pub(super) struct Asks {
    /// The Deletes a recall asks for.
    pub(super) due: Vec<ItemNumber>,
    /// What the device deleted itself, in the request that is answered.
    pub(super) own_deletes: RoaringBitmap,
    /// What could not be shown before.
    pub(super) again: Vec<ItemNumber>,
    /// How many statements it may make.
    pub(super) room: usize,
}

/// Makes a plan from the position of `collection`, as it stands once `proof` is believed.
pub(super) async fn plan_from(
    engine: &Engine,
    mailbox: MailboxId,
    collection: &Collection,
    proof: Option<&Proof>,
    asks: Asks,
) -> Result<(Plan, Position), SyncError> {
    let mut planner = Planner::new(collection.position, asks.room);
    planner.spare(&asks.own_deletes);
    planner.retract(&asks.due);
    let looker = Looker { engine, mailbox, collection, proof };
    looker.absent(&mut planner).await?;
    looker.changes(&mut planner).await?;
    let cutoff = window::cutoff(collection.filter, engine.clock.now());
    looker.age(&mut planner, cutoff).await?;
    looker.bring_back(&mut planner, cutoff).await?;
    looker.again(&mut planner, &asks.again).await?;
    looker.backfill(&mut planner, cutoff).await?;
    Ok(planner.finish())
}

struct Looker<'a> {
    engine: &'a Engine,
    mailbox: MailboxId,
    collection: &'a Collection,
    proof: Option<&'a Proof>,
}

impl Looker<'_> {
    fn folder(&self) -> FolderId {
        self.collection.place.folder
    }

    async fn view(&self, subject: Subject) -> Result<super::View, SyncError> {
        let (collection, proof) = (self.collection.clone(), self.proof.cloned());
        let now = self.engine.clock.now();
        let job = move |tx: &Tx<'_>| look(tx, &collection, proof.as_ref(), &subject, now);
        self.engine.database.read(job).await.map_err(SyncError::State)
    }

    async fn changes(&self, planner: &mut Planner) -> Result<(), SyncError> {
        for _ in 0..PIECES_MAX {
            let (after, limit) = (Cursor(planner.position().cursor), planner.room() + LINES_BESIDE);
            let delta = self.engine.store.changes_since(self.folder(), after, limit).await?;
            if !delta.changes.is_empty() {
                let view = self
                    .view(Subject::of_changes(self.mailbox, self.collection, &delta.changes))
                    .await?;
                planner.changes(&delta, &view);
            }
            if !delta.more {
                return Ok(());
            }
            if planner.room() == 0 {
                break;
            }
        }
        planner.more();
        Ok(())
    }

    /// Before the first item of an enumeration: what the device filed here while it had no key, and somebody took away since.
    async fn absent(&self, planner: &mut Planner) -> Result<(), SyncError> {
        if planner.position().floor_received != i64::MAX {
            return Ok(());
        }
        let place = self.collection.place;
        let job = move |tx: &Tx<'_>| holding::all(tx, place, Kind::Loose);
        let loose = self.engine.database.read(job).await.map_err(SyncError::State)?;
        let loose: Vec<ItemNumber> = loose.iter().map(ItemNumber).collect();
        for piece in loose.chunks(window::WINDOW_MAX) {
            let live = self.engine.store.items(self.folder(), piece).await?;
            let is_live = |item: &ItemNumber| live.iter().any(|found| found.item == *item);
            let gone: Vec<ItemNumber> = piece.iter().copied().filter(|i| !is_live(i)).collect();
            planner.absent(&gone, &self.view(Subject::of_numbers(&gone)).await?);
        }
        Ok(())
    }

    async fn age(&self, planner: &mut Planner, cutoff: i64) -> Result<(), SyncError> {
        for _ in 0..PIECES_MAX {
            let floor = floor(planner.position());
            if floor >= at(cutoff) {
                return Ok(());
            }
            let limit = planner.room() + 1;
            let leaving =
                self.engine.store.above(self.folder(), floor, Timestamp(cutoff), limit).await?;
            let complete = leaving.len() < limit;
            let view =
                self.view(Subject::of_items(self.mailbox, self.collection, &leaving)).await?;
            planner.age(&leaving, complete, cutoff, &view);
            if complete || planner.room() == 0 {
                return Ok(());
            }
        }
        planner.more();
        Ok(())
    }

    /// What an answer of which nothing is known took out of the window, and the filter reaches again.
    async fn bring_back(&self, planner: &mut Planner, cutoff: i64) -> Result<(), SyncError> {
        let perhaps_gone: Vec<ItemNumber> =
            self.collection.perhaps_gone().iter().map(ItemNumber).collect();
        for piece in perhaps_gone.chunks(window::WINDOW_MAX) {
            let items = self.engine.store.items(self.folder(), piece).await?;
            let view = self.view(Subject::of_items(self.mailbox, self.collection, &items)).await?;
            planner.bring_back(&items, cutoff, &view);
        }
        Ok(())
    }

    async fn again(&self, planner: &mut Planner, items: &[ItemNumber]) -> Result<(), SyncError> {
        if items.is_empty() {
            return Ok(());
        }
        let items = self.engine.store.items(self.folder(), items).await?;
        let view = self.view(Subject::of_items(self.mailbox, self.collection, &items)).await?;
        planner.again(&items, &view);
        Ok(())
    }

    async fn backfill(&self, planner: &mut Planner, cutoff: i64) -> Result<(), SyncError> {
        for _ in 0..PIECES_MAX {
            let floor = floor(planner.position());
            if floor <= at(cutoff) {
                return Ok(());
            }
            let limit = planner.room() + 1;
            let items =
                self.engine.store.below(self.folder(), floor, Timestamp(cutoff), limit).await?;
            let complete = items.len() < limit;
            let view = self.view(Subject::of_items(self.mailbox, self.collection, &items)).await?;
            planner.backfill(&items, complete, cutoff, &view);
            if complete || planner.room() == 0 {
                return Ok(());
            }
        }
        planner.more();
        Ok(())
    }
}

fn floor(position: Position) -> Floor {
    Floor { received: Timestamp(position.floor_received), item: ItemNumber(position.floor_item) }
}

/// The floor at which a filter's window begins.
fn at(cutoff: i64) -> Floor {
    Floor { received: Timestamp(cutoff), item: ItemNumber(0) }
}
