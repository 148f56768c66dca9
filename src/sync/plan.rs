//! What one answer says of one collection: pure, from what the store says, what the device has and what recall asks.
//!
//! Recalled items go first, then what is gone, what left the filter window, what changed, what is new; at most `window` in all.
//! The plan says how far it came, so that the next one goes on there.

use std::collections::BTreeSet;

use roaring::RoaringBitmap;

use crate::ids::{IdentityId, ItemNumber};
use crate::ledger::{Delta as Offered, Position};
use crate::mailbox::{Change, Delta, Item};

/// What the device has of the items a plan looks at, as it is once the presented key has been believed.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Proven to be there.
    pub held: RoaringBitmap,
    /// Perhaps there: also what was offered and never proven.
    pub may: RoaringBitmap,
    /// The device believes these read.
    pub read: RoaringBitmap,
    /// The device believes these flagged.
    pub flagged: RoaringBitmap,
    /// A change of these left in an answer that was never proven: what the device believes of them is not known.
    pub unsure: RoaringBitmap,
    /// Changes the device made itself: (item, position in the log).
    pub echoes: BTreeSet<(u32, u64)>,
    /// Items that an open order covers.
    pub fenced: RoaringBitmap,
}

/// Which properties of an item a Change carries ([MS-ASEMAIL] 3.2.5.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct What {
    /// Read differs from what the device believes.
    pub read: bool,
    /// The flag differs, or may differ in its details.
    pub flag: bool,
    /// Categories may differ.
    pub categories: bool,
    /// Everything: a draft has new octets.
    pub whole: bool,
}

/// What an answer says of a collection.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Deletes that a recall asks for.
    pub retracts: Vec<ItemNumber>,
    /// Deletes of what is gone.
    pub deletes: Vec<ItemNumber>,
    /// Items that left the filter window.
    pub soft_deletes: Vec<ItemNumber>,
    /// Items whose state changed.
    pub changes: Vec<(Item, What)>,
    /// New items.
    pub adds: Vec<Item>,
    /// Whether more is to come.
    pub more: bool,
}

impl Plan {
    /// How many places of the window it takes.
    pub fn len(&self) -> usize {
        self.retracts.len()
            + self.deletes.len()
            + self.soft_deletes.len()
            + self.changes.len()
            + self.adds.len()
    }

    /// Whether it says nothing of any item.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every item whose content the answer would hold: (item, message).
    pub fn contents(&self) -> impl Iterator<Item = (ItemNumber, IdentityId)> + '_ {
        let changed = self.changes.iter().map(|(item, _)| (item.item, item.identity));
        self.adds.iter().map(|item| (item.item, item.identity)).chain(changed)
    }

    /// An item could not be shown to phones: it is left out and not recorded as held.
    pub fn isolate(&mut self, item: ItemNumber) {
        self.adds.retain(|other| other.item != item);
        self.changes.retain(|(other, _)| other.item != item);
    }

    /// What the ledger keeps of it until its key is presented.
    pub fn offered(&self) -> Offered {
        let numbers = |items: &[ItemNumber]| items.iter().map(|i| i.0).collect::<RoaringBitmap>();
        let mut offered = Offered {
            adds: self.adds.iter().map(|item| item.item.0).collect(),
            soft_deletes: numbers(&self.soft_deletes),
            retracts: numbers(&self.retracts),
            deletes: numbers(&self.deletes) | numbers(&self.retracts),
            changes: self.changes.iter().map(|(item, _)| item.item.0).collect(),
            ..Offered::default()
        };
        for item in self.adds.iter().chain(self.changes.iter().map(|(item, _)| item)) {
            if item.read {
                offered.read.insert(item.item.0);
            }
            if item.flag.is_some() {
                offered.flagged.insert(item.item.0);
            }
        }
        offered
    }
}

/// A plan being made.
#[derive(Debug)]
pub struct Planner {
    plan: Plan,
    position: Position,
    window: usize,
    seen: RoaringBitmap,
    own_deletes: RoaringBitmap,
}

impl Planner {
    /// Begins at the position that is proven, with room for `window` statements.
    pub fn new(position: Position, window: usize) -> Planner {
        let (plan, seen, own_deletes) = Default::default();
        Planner { plan, position, window, seen, own_deletes }
    }

    /// The device deleted these itself, in the request that is answered: it is not told to.
    pub fn spare(&mut self, own_deletes: &RoaringBitmap) {
        self.own_deletes |= own_deletes;
    }

    /// Places left in the window.
    pub fn room(&self) -> usize {
        self.window.saturating_sub(self.plan.len())
    }

    /// Where the plan has come to.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Takes the Deletes a recall asks for, ahead of everything else.
    pub fn retract(&mut self, due: &[ItemNumber]) {
        for &item in due {
            if self.room() == 0 {
                self.plan.more = true;
                return;
            }
            if self.seen.insert(item.0) {
                self.plan.retracts.push(item);
            }
        }
    }

    /// Takes a piece of the folder's change log; stops before the first change there is no room for.
    pub fn changes(&mut self, delta: &Delta, view: &View) {
        for change in &delta.changes {
            let seq = match change {
                Change::Live(item) => item.seq,
                Change::Gone { seq, .. } => *seq,
            };
            if self.room() == 0 {
                self.plan.more = true;
                return;
            }
            match change {
                Change::Live(item) => self.live(item, view),
                Change::Gone { item, .. } => self.gone(*item, view),
            }
            self.position.cursor = seq;
        }
        self.position.cursor = self.position.cursor.max(delta.end.0);
    }

    /// Takes items that the device may have filed here before it had a key, and that are gone: no line of the log it is told says so.
    pub fn absent(&mut self, items: &[ItemNumber], view: &View) {
        for &item in items {
            if self.room() == 0 {
                self.plan.more = true;
                return;
            }
            self.gone(item, view);
        }
    }

    fn live(&mut self, item: &Item, view: &View) {
        let number = item.item.0;
        if view.fenced.contains(number) || self.seen.contains(number) {
            return;
        }
        let considered =
            (item.received.0, number) >= (self.position.floor_received, self.position.floor_item);
        let own = view.echoes.contains(&(number, item.seq));
        if view.held.contains(number) {
            let flag_differs = item.flag.is_some() != view.flagged.contains(number);
            let wanted = |what: &What| !own || what.read || flag_differs;
            if let Some(what) = difference(item, view).filter(wanted) {
                self.seen.insert(number);
                self.plan.changes.push((item.clone(), what));
            }
        } else if considered && !own {
            self.seen.insert(number);
            self.plan.adds.push(item.clone());
        }
    }

    fn gone(&mut self, item: ItemNumber, view: &View) {
        let own = self.own_deletes.contains(item.0);
        if view.may.contains(item.0) && !own && self.seen.insert(item.0) {
            self.plan.deletes.push(item);
        }
    }

    /// Takes items that left the filter window, oldest first: at or above the floor, received before `cutoff`. `complete` says
    /// that there are no more of them.
    pub fn age(&mut self, leaving: &[Item], complete: bool, cutoff: i64, view: &View) {
        for item in leaving {
            if self.room() == 0 {
                self.plan.more = true;
                return;
            }
            self.leaves(item.item, view);
            // Considered no more: the floor lies above it now.
            self.position.floor_received = item.received.0;
            self.position.floor_item = item.item.0.saturating_add(1);
        }
        if complete {
            self.position.floor_received = cutoff;
            self.position.floor_item = 0;
        } else {
            self.plan.more = true;
        }
    }

    /// It left the filter window: whatever was going to be said of it, but that it is recalled, is not said.
    fn leaves(&mut self, item: ItemNumber, view: &View) {
        if self.seen.contains(item.0) {
            self.plan.isolate(item);
        }
        let is_recalled = view.fenced.contains(item.0) || self.plan.retracts.contains(&item);
        if view.may.contains(item.0) && !is_recalled {
            self.seen.insert(item.0);
            self.plan.soft_deletes.push(item);
        }
    }

    /// Takes items that are held and perhaps gone: an answer that was never proven took them out of the filter's window, which
    /// begins at `cutoff`. Those within it are added again, as everything is that left in an answer of which nothing is known.
    pub fn bring_back(&mut self, items: &[Item], cutoff: i64, view: &View) {
        for item in items {
            let number = item.item.0;
            let is_told = self.plan.changes.iter().any(|(changed, _)| changed.item == item.item);
            let wanted = view.held.contains(number) && !view.fenced.contains(number);
            let free = is_told || !self.seen.contains(number);
            if !wanted || !free || item.received.0 < cutoff {
                continue;
            }
            if self.room() == 0 && !is_told {
                self.plan.more = true;
                return;
            }
            self.plan.isolate(item.item);
            self.seen.insert(number);
            self.plan.adds.push(item.clone());
        }
    }

    /// Takes items below the floor, newest first; `complete` says that there are no more of them in the filter window, which
    /// begins at `cutoff`.
    pub fn backfill(&mut self, items: &[Item], complete: bool, cutoff: i64, view: &View) {
        for item in items {
            if self.room() == 0 {
                self.plan.more = true;
                return;
            }
            let number = item.item.0;
            let wanted = !view.fenced.contains(number) && !view.held.contains(number);
            if wanted && self.seen.insert(number) {
                self.plan.adds.push(item.clone());
            }
            self.position.floor_received = item.received.0;
            self.position.floor_item = number;
        }
        if complete {
            self.position.floor_received = cutoff;
            self.position.floor_item = 0;
        } else {
            self.plan.more = true;
        }
    }

    /// Takes items that could not be shown before and that the position has gone past.
    pub fn again(&mut self, items: &[Item], view: &View) {
        for item in items {
            let number = item.item.0;
            let considered = (item.received.0, number)
                >= (self.position.floor_received, self.position.floor_item);
            let wanted = !view.fenced.contains(number) && !view.held.contains(number);
            if self.room() > 0 && considered && wanted && self.seen.insert(number) {
                self.plan.adds.push(item.clone());
            }
        }
    }

    /// There is more in the store than was looked at.
    pub fn more(&mut self) {
        self.plan.more = true;
    }

    /// The plan, and where it leaves the device.
    pub fn finish(self) -> (Plan, Position) {
        (self.plan, self.position)
    }
}

/// What a Change of a held item has to carry; nothing when the device knows it all.
fn difference(item: &Item, view: &View) -> Option<What> {
    if item.draft {
        let what = What { read: true, flag: true, categories: true, whole: true };
        return (item.seq != item.arrived).then_some(what);
    }
    let number = item.item.0;
    let read = item.read != view.read.contains(number) || view.unsure.contains(number);
    let flag = item.flag.is_some() != view.flagged.contains(number);
    // The flag's details and the categories may have been written with it or without it: nobody keeps them per device.
    let written = item.seq != item.arrived;
    (read || flag || written).then_some(What { read, flag: true, categories: true, whole: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::mailbox::Cursor;

    fn item(number: u32, seq: u64) -> Item {
        Item {
            item: ItemNumber(number),
            seq,
            arrived: u64::from(number),
            received: Timestamp(i64::from(number) * 1000),
            size: 10,
            read: false,
            flag: None,
            categories: Vec::new(),
            verb: 0,
            verb_at: None,
            draft: false,
            identity: IdentityId(i64::from(number)),
        }
    }

    fn delta(changes: Vec<Change>, end: u64) -> Delta {
        Delta { changes, end: Cursor(end), more: false }
    }

    fn settled() -> Position {
        Position { cursor: 10, floor_received: 0, floor_item: 0 }
    }

    fn numbers(items: &[Item]) -> Vec<u32> {
        items.iter().map(|i| i.item.0).collect()
    }

    #[test]
    fn a_first_enumeration_goes_newest_first_and_continues_where_it_stopped() {
        let mut planner = Planner::new(Position::start(10), 2);
        let view = View::default();
        planner.backfill(&[item(9, 9), item(8, 8), item(7, 7)], true, i64::MIN, &view);
        let (plan, position) = planner.finish();
        assert_eq!(numbers(&plan.adds), [9, 8]);
        assert!(plan.more);
        assert_eq!((position.floor_received, position.floor_item), (8000, 8));
        let mut planner = Planner::new(position, 2);
        planner.backfill(&[item(7, 7)], true, i64::MIN, &view);
        let (plan, position) = planner.finish();
        assert_eq!(numbers(&plan.adds), [7]);
        assert!(!plan.more);
        assert_eq!(position.floor_received, i64::MIN);
    }

    #[test]
    fn a_recalled_item_goes_first_and_is_never_added() {
        let mut planner = Planner::new(settled(), 2);
        planner.retract(&[ItemNumber(4)]);
        let view = View { fenced: [4, 11].into_iter().collect(), ..View::default() };
        let news = delta(
            vec![Change::Live(item(4, 11)), Change::Live(item(11, 12)), Change::Live(item(12, 13))],
            13,
        );
        planner.changes(&news, &view);
        let (plan, position) = planner.finish();
        assert_eq!(plan.retracts, [ItemNumber(4)]);
        assert_eq!(numbers(&plan.adds), [12]);
        assert_eq!(position.cursor, 13);
        assert!(plan.offered().deletes.contains(4) && plan.offered().retracts.contains(4));
    }

    #[test]
    fn a_message_that_was_offered_and_is_gone_is_deleted_although_its_add_was_never_proven() {
        let mut planner = Planner::new(settled(), 100);
        let view = View { may: [3].into_iter().collect(), ..View::default() };
        planner.changes(
            &delta(
                vec![
                    Change::Gone { item: ItemNumber(3), seq: 11 },
                    Change::Gone { item: ItemNumber(5), seq: 12 },
                ],
                12,
            ),
            &view,
        );
        assert_eq!(planner.finish().0.deletes, [ItemNumber(3)], "5 never left for this device");
    }

    #[test]
    fn a_device_is_not_told_what_it_did_itself() {
        let mut planner = Planner::new(settled(), 100);
        let held: RoaringBitmap = [3, 4].into_iter().collect();
        let view = View {
            held: held.clone(),
            may: held.clone(),
            read: held,
            echoes: [(3, 11)].into_iter().collect(),
            ..View::default()
        };
        planner.spare(&[4].into_iter().collect());
        let read = Item { read: true, ..item(3, 11) };
        planner.changes(
            &delta(vec![Change::Live(read), Change::Gone { item: ItemNumber(4), seq: 12 }], 12),
            &view,
        );
        let (plan, position) = planner.finish();
        assert!(plan.is_empty());
        assert_eq!(position.cursor, 12);
    }

    #[test]
    fn categories_written_with_the_read_mark_are_not_lost() {
        let mut planner = Planner::new(settled(), 100);
        let held: RoaringBitmap = [3].into_iter().collect();
        let view = View { held: held.clone(), may: held, ..View::default() };
        planner.changes(&delta(vec![Change::Live(Item { read: true, ..item(3, 11) })], 11), &view);
        let (plan, _) = planner.finish();
        let all = What { read: true, flag: true, categories: true, whole: false };
        assert_eq!(plan.changes[0].1, all);
    }

    #[test]
    fn the_window_is_never_passed_and_the_log_is_taken_up_where_it_was_left() {
        let mut planner = Planner::new(settled(), 1);
        let news = delta(vec![Change::Live(item(11, 11)), Change::Live(item(12, 12))], 12);
        planner.changes(&news, &View::default());
        let (plan, position) = planner.finish();
        assert_eq!(plan.len(), 1);
        assert!(plan.more);
        assert_eq!(position.cursor, 11);
    }

    #[test]
    fn what_leaves_the_filter_window_is_soft_deleted_once() {
        let mut planner = Planner::new(settled(), 100);
        let may: RoaringBitmap = [1, 2].into_iter().collect();
        let view = View { held: may.clone(), may, ..View::default() };
        planner.age(&[item(1, 1), item(2, 2)], true, 2500, &view);
        let (plan, position) = planner.finish();
        assert_eq!(plan.soft_deletes, [ItemNumber(1), ItemNumber(2)]);
        assert_eq!((position.floor_received, position.floor_item), (2500, 0));
    }

    #[test]
    fn what_changes_while_it_leaves_the_filter_window_leaves() {
        let mut planner = Planner::new(settled(), 2);
        let may: RoaringBitmap = [1].into_iter().collect();
        let view = View { held: may.clone(), may, ..View::default() };
        let changed = Item { read: true, ..item(1, 11) };
        let moved_here = item(2, 12);
        let news = delta(vec![Change::Live(changed.clone()), Change::Live(moved_here.clone())], 12);
        planner.changes(&news, &view);
        assert_eq!(planner.room(), 0);
        planner.age(&[changed, moved_here], true, 2500, &view);
        let (plan, position) = planner.finish();
        assert!(plan.more, "there was no room to look at them");
        assert_eq!((position.cursor, position.floor_received), (12, 0));
        let mut planner = Planner::new(settled(), 3);
        planner.changes(&news, &view);
        planner.age(&[item(1, 11), item(2, 12)], true, 2500, &view);
        let (plan, _) = planner.finish();
        assert_eq!(plan.soft_deletes, [ItemNumber(1)]);
        assert!(plan.changes.is_empty() && plan.adds.is_empty());
    }
}
