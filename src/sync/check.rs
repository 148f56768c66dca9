//! What must hold for any plan: a folder, the books and a phone, driven by octets. Fuzzers find the octets, tests replay them.
//!
//! The books keep what [`crate::ledger`] keeps and the plan is made in the order of [`super::Turn`], but in memory and without a
//! transaction, so that a fuzzer sees some ten thousand stories a second.

use std::collections::{BTreeMap, BTreeSet};

use roaring::RoaringBitmap;

use super::plan::{Plan, Planner, View};
use crate::clock::Timestamp;
use crate::ids::{IdentityId, ItemNumber};
use crate::ledger::{Delta as Offered, Position};
use crate::mailbox::{Change, Cursor, Delta, Flag, Item};

/// Tells the story in `octets`; panics where a plan breaks a promise, or where a phone that has caught up does not have what it
/// should.
///
/// # Panics
/// If any of that does not hold.
pub fn plan(octets: &[u8]) {
    let mut world = World::new();
    let mut tape = Tape(octets);
    while let Some(event) = tape.next() {
        if world.mails.len() >= MAILS_MAX && event % EVENTS < 3 {
            continue;
        }
        world.happens(event % EVENTS, &mut tape);
    }
    world.comes_to_rest();
}

/// Mails in a story.
const MAILS_MAX: usize = 200;
/// Kinds of events.
const EVENTS: u8 = 16;
/// Answers in flight ([`crate::ledger`] keeps as many).
const SIBLINGS_MAX: usize = 4;
/// Lines of the log looked at beside those there is room for; few, so that stories meet the end of a piece.
const LINES_BESIDE: usize = 2;
/// Pieces of a log looked at in one turn.
const PIECES_MAX: usize = 5;
/// A unit of the filter.
const DAY: i64 = 10;

struct Tape<'a>(&'a [u8]);

impl Tape<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn octet(&mut self) -> u8 {
        self.next().unwrap_or_default()
    }
}

/// A folder, the books on one phone, and the phone.
struct World {
    now: i64,
    days: Option<i64>,
    seq: u64,
    mails: BTreeMap<u32, (Item, bool)>,
    fenced: RoaringBitmap,
    echoes: BTreeSet<(u32, u64)>,
    books: Books,
    phone: Phone,
}

/// What the ledger keeps.
struct Books {
    position: Position,
    held: RoaringBitmap,
    loose: RoaringBitmap,
    read: RoaringBitmap,
    flagged: RoaringBitmap,
    unsure: RoaringBitmap,
    faded: RoaringBitmap,
    in_flight: Vec<(Position, Offered)>,
}

/// What the phone keeps: an item is there, read, flagged.
#[derive(Default)]
struct Phone {
    cache: BTreeMap<u32, (bool, bool)>,
    has_newest_key: bool,
    /// What it deleted itself and no answer has confirmed: it says so again with every Sync.
    deleted: RoaringBitmap,
    /// Items it was told of in an answer whose key it did not keep: until they are told again, or go, it may show them as they
    /// were, or longer than the filter says.
    torn: RoaringBitmap,
}

/// What becomes of an answer.
enum Fate {
    Taken,
    Lost,
    Part(usize),
}

impl World {
    fn new() -> World {
        World {
            now: 1_000,
            days: None,
            seq: 0,
            mails: BTreeMap::new(),
            fenced: RoaringBitmap::new(),
            echoes: BTreeSet::new(),
            books: Books::new(0),
            phone: Phone::default(),
        }
    }

    fn happens(&mut self, event: u8, tape: &mut Tape<'_>) {
        match event {
            0..=2 => self.arrives(if event == 2 { i64::from(tape.octet()) } else { 0 }),
            3 | 4 => self.changes(tape.octet(), tape.octet(), None),
            5 => self.goes(tape.octet(), false),
            6 => {
                let number = self.pick(tape.octet());
                self.fenced.extend(number);
            }
            7 => self.now += i64::from(tape.octet() % 32),
            8 => self.days = Some(i64::from(tape.octet() % 5)).filter(|days| *days > 0),
            9 => self.phone_begins_again(),
            _ => self.meets(event, tape),
        }
    }

    fn meets(&mut self, event: u8, tape: &mut Tape<'_>) {
        let mut how = 0;
        if event == 10 {
            let which = tape.octet();
            how = tape.octet();
            self.phone_speaks(which, how);
        }
        let window = usize::from(tape.octet());
        let fate = match (event, how >> 6) {
            (11, _) | (10, 1) => Fate::Lost,
            (12, _) | (10, 2) => Fate::Part(usize::from(tape.octet() % 8)),
            _ => Fate::Taken,
        };
        self.syncs(if event < 13 { window % 8 } else { window }, fate);
    }

    fn pick(&self, octet: u8) -> Option<u32> {
        let count = self.mails.len();
        (count > 0).then(|| usize::from(octet) % count + 1).and_then(|n| u32::try_from(n).ok())
    }

    fn arrives(&mut self, ago: i64) {
        let number = u32::try_from(self.mails.len() + 1).expect("few");
        self.seq += 1;
        let item = Item {
            item: ItemNumber(number),
            seq: self.seq,
            arrived: self.seq,
            received: Timestamp(self.now - ago),
            size: 1,
            read: false,
            flag: None,
            categories: Vec::new(),
            verb: 0,
            verb_at: None,
            draft: false,
            identity: IdentityId(i64::from(number)),
        };
        self.mails.insert(number, (item, true));
    }

    /// Somebody changes a mail; the phone itself, if it is `from` it.
    fn changes(&mut self, which: u8, how: u8, from: Option<u32>) {
        let Some(number) = from.or_else(|| self.pick(which)) else { return };
        let Some((item, true)) = self.mails.get_mut(&number) else { return };
        self.seq += 1;
        item.seq = self.seq;
        item.read ^= how & 1 == 1;
        if how & 2 == 2 {
            item.flag = if item.flag.is_none() { Some(Flag::default()) } else { None };
        }
    }

    /// Somebody deletes a mail; the phone itself, if it is `own`.
    fn goes(&mut self, which: u8, own: bool) {
        let number = if own { Some(u32::from(which)) } else { self.pick(which) };
        let Some((item, live)) = number.and_then(|number| self.mails.get_mut(&number)) else {
            return;
        };
        if std::mem::take(live) {
            self.seq += 1;
            item.seq = self.seq;
        }
    }

    /// The phone forgets everything and presents key 0.
    fn phone_begins_again(&mut self) {
        let perhaps = self.books.may();
        self.books = Books::new(self.seq);
        self.books.loose = perhaps;
        self.phone = Phone::default();
    }

    /// The phone presents its key and changes or deletes a mail it shows.
    fn phone_speaks(&mut self, which: u8, how: u8) {
        self.key_arrives();
        let count = self.phone.cache.len();
        let Some(&number) = self.phone.cache.keys().nth(usize::from(which) % count.max(1)) else {
            return;
        };
        let octet = u8::try_from(number).expect("few");
        let is_there = self.mails.get(&number).is_some_and(|(_, live)| *live);
        if how & 4 == 4 {
            self.phone.cache.remove(&number);
            self.phone.deleted.insert(number);
            self.goes(octet, true);
        } else if is_there && !self.fenced.contains(number) && !self.phone.torn.contains(number) {
            self.changes(octet, how & 3, Some(number));
            self.echoes.insert((number, self.seq));
            let (item, _) = &self.mails[&number];
            let (read, flagged) = (item.read, item.flag.is_some());
            // It sent both properties, so both sides agree on them.
            self.phone.cache.insert(number, (read, flagged));
            self.books.believes(number, read, flagged);
        }
    }

    fn key_arrives(&mut self) {
        if std::mem::take(&mut self.phone.has_newest_key) {
            self.books.settle();
        }
    }

    fn cutoff(&self) -> i64 {
        self.days.map_or(i64::MIN, |days| self.now - days * DAY)
    }

    fn view(&self) -> View {
        View {
            held: self.books.held.clone(),
            may: self.books.may(),
            read: self.books.read.clone(),
            flagged: self.books.flagged.clone(),
            unsure: self.books.unsure(),
            echoes: self.echoes.clone(),
            fenced: self.fenced.clone(),
        }
    }

    /// Says whether anything was told or gone past.
    fn syncs(&mut self, window: usize, fate: Fate) -> bool {
        self.key_arrives();
        let (begin, view) = (self.books.position, self.view());
        let owed = (&view.fenced & &view.may) - &self.phone.deleted;
        let due: Vec<ItemNumber> = owed.iter().map(ItemNumber).collect();
        let (plan, position) = self.planned(window, &due, &view);
        self.holds_its_promises(&plan, &due, &view, window);
        assert!(position.cursor >= begin.cursor && position.cursor <= self.seq, "{position:?}");
        let moved = !plan.is_empty() || position != begin;
        assert!(moved || !plan.more || window == 0, "more of nothing, for ever");
        let more = plan.more;
        let own_deletes = self.phone.deleted.clone();
        self.books.offers(position, Offered { own_deletes, ..plan.offered() });
        self.phone.takes(&plan, &fate);
        if !more && matches!(fate, Fate::Taken) {
            self.phone_has_what_it_should();
        }
        moved || more
    }

    /// The road of a turn: what recall asks, the log, what ages, what lies below the floor.
    fn planned(&self, window: usize, due: &[ItemNumber], view: &View) -> (Plan, Position) {
        let mut planner = Planner::new(self.books.position, window);
        planner.spare(&self.phone.deleted);
        planner.retract(due);
        self.reads_the_log(&mut planner, view);
        let cutoff = self.cutoff();
        self.ages(&mut planner, cutoff, view);
        let perhaps_gone = self.books.perhaps_gone();
        let faded = self.live(|at| perhaps_gone.contains(at.1));
        planner.bring_back(&faded, cutoff, view);
        self.backfills(&mut planner, cutoff, view);
        planner.finish()
    }

    fn reads_the_log(&self, planner: &mut Planner, view: &View) {
        for _ in 0..PIECES_MAX {
            let delta = self.log(planner.position().cursor, planner.room() + LINES_BESIDE);
            planner.changes(&delta, view);
            if !delta.more {
                return;
            }
            if planner.room() == 0 {
                break;
            }
        }
        planner.more();
    }

    fn log(&self, after: u64, limit: usize) -> Delta {
        let mut lines: Vec<_> = self.mails.values().filter(|(item, _)| item.seq > after).collect();
        lines.sort_by_key(|(item, _)| item.seq);
        let more = lines.len() > limit;
        lines.truncate(limit);
        let end = if more { lines.last().map_or(after, |(item, _)| item.seq) } else { self.seq };
        let changes = lines.into_iter().map(|(item, live)| match live {
            true => Change::Live(item.clone()),
            false => Change::Gone { item: item.item, seq: item.seq },
        });
        Delta { changes: changes.collect(), end: Cursor(end), more }
    }

    fn ages(&self, planner: &mut Planner, cutoff: i64, view: &View) {
        for _ in 0..PIECES_MAX {
            let (floor, limit) = (floor(planner.position()), planner.room() + 1);
            if floor >= (cutoff, 0) {
                return;
            }
            let mut leaving = self.live(|at| at >= floor && at.0 < cutoff);
            leaving.truncate(limit);
            let complete = leaving.len() < limit;
            planner.age(&leaving, complete, cutoff, view);
            if complete || planner.room() == 0 {
                return;
            }
        }
        planner.more();
    }

    fn backfills(&self, planner: &mut Planner, cutoff: i64, view: &View) {
        for _ in 0..PIECES_MAX {
            let (floor, limit) = (floor(planner.position()), planner.room() + 1);
            if floor <= (cutoff, 0) {
                return;
            }
            let mut items = self.live(|at| at < floor && at.0 >= cutoff);
            items.reverse();
            items.truncate(limit);
            let complete = items.len() < limit;
            planner.backfill(&items, complete, cutoff, view);
            if complete || planner.room() == 0 {
                return;
            }
        }
        planner.more();
    }

    /// Live items by (arrival, number), oldest first.
    fn live(&self, wanted: impl Fn((i64, u32)) -> bool) -> Vec<Item> {
        let live = self.mails.values().filter(|(_, live)| *live).map(|(item, _)| item);
        let mut items: Vec<Item> = live.filter(|item| wanted(place(item))).cloned().collect();
        items.sort_by_key(place);
        items
    }

    fn holds_its_promises(&self, plan: &Plan, due: &[ItemNumber], view: &View, window: usize) {
        assert!(plan.len() <= window, "the window is passed");
        let first = due.len().min(window);
        assert_eq!(plan.retracts, due[..first], "what recall asks goes first");
        assert!(due.len() <= window || plan.more);
        let cutoff = self.cutoff();
        let is = |number: ItemNumber, live: bool| self.mails[&number.0].1 == live;
        for item in &plan.adds {
            let number = item.item.0;
            assert!(!view.fenced.contains(number), "a fenced item is added");
            let is_there =
                view.held.contains(number) && !self.books.perhaps_gone().contains(number);
            assert!(!is_there, "an item is added that is there");
            assert!(is(item.item, true), "an item is added that is gone");
            // What is too old already may be added where there was no room to look at what ages: it goes with the next answer.
            assert!(item.received.0 >= cutoff || plan.more, "{item:?}");
        }
        for (item, _) in &plan.changes {
            let number = item.item.0;
            assert!(view.held.contains(number) && !view.fenced.contains(number), "{item:?}");
            assert!(is(item.item, true), "a change of what is gone");
        }
        for number in &plan.deletes {
            assert!(view.may.contains(number.0) && is(*number, false), "{number:?}");
            assert!(!self.phone.deleted.contains(number.0), "{number:?} is echoed");
        }
        for number in &plan.soft_deletes {
            assert!(view.may.contains(number.0) && is(*number, true), "{number:?}");
            assert!(!view.fenced.contains(number.0), "a fenced item is aged");
            assert!(self.mails[&number.0].0.received.0 < cutoff);
        }
        said_once(plan);
        let offered = plan.offered();
        assert_eq!(Offered::decode(&offered.encode()).ok(), Some(offered));
    }

    /// No more is to come and the answer arrived: the cache is the folder within the filter, but for what is recalled.
    fn phone_has_what_it_should(&self) {
        let cutoff = self.cutoff();
        for (number, (item, live)) in &self.mails {
            let wanted = *live && item.received.0 >= cutoff && !self.fenced.contains(*number);
            let cached = self.phone.cache.get(number);
            let may_stay = *live && !self.fenced.contains(*number);
            if self.phone.torn.contains(*number) && may_stay && !wanted {
                continue;
            }
            let state = wanted.then_some((item.read, item.flag.is_some()));
            assert_eq!(cached.copied(), state, "item {number}");
        }
    }

    /// Nothing happens any more: the phone catches up, in steps of one, and stays there.
    fn comes_to_rest(&mut self) {
        let mut rounds = 0;
        while self.syncs(1, Fate::Taken) {
            rounds += 1;
            assert!(rounds <= 4 * MAILS_MAX + 8, "it never catches up");
        }
        self.phone_has_what_it_should();
    }
}

impl Books {
    fn new(head: u64) -> Books {
        Books {
            position: Position::start(head),
            held: RoaringBitmap::new(),
            loose: RoaringBitmap::new(),
            read: RoaringBitmap::new(),
            flagged: RoaringBitmap::new(),
            unsure: RoaringBitmap::new(),
            faded: RoaringBitmap::new(),
            in_flight: Vec::new(),
        }
    }

    fn may(&self) -> RoaringBitmap {
        let perhaps = &self.held | &self.loose;
        self.in_flight.iter().fold(perhaps, |all, (_, offered)| all | &offered.adds)
    }

    fn perhaps_gone(&self) -> RoaringBitmap {
        self.in_flight.iter().fold(self.faded.clone(), |all, (_, o)| all | &o.soft_deletes)
    }

    fn unsure(&self) -> RoaringBitmap {
        self.in_flight.iter().fold(self.unsure.clone(), |all, (_, offered)| all | &offered.changes)
    }

    fn offers(&mut self, position: Position, offered: Offered) {
        self.in_flight.push((position, offered));
        if self.in_flight.len() > SIBLINGS_MAX {
            let (_, given_up) = self.in_flight.remove(0);
            self.loose |= given_up.adds;
            self.unsure |= given_up.changes;
            self.faded |= given_up.soft_deletes;
        }
    }

    /// The newest answer's key is presented.
    fn settle(&mut self) {
        self.faded = self.perhaps_gone();
        let Some((position, offered)) = self.in_flight.pop() else { return };
        let (gone, touched) = (offered.gone(), &offered.adds | &offered.changes);
        self.position = position;
        self.held = (&self.held | &offered.adds) - &gone;
        let dropped = std::mem::take(&mut self.in_flight);
        for (_, other) in dropped {
            self.loose |= other.adds;
            self.unsure |= other.changes;
        }
        self.unsure -= &touched | &gone;
        self.loose -= &offered.adds | &gone;
        self.faded -= &offered.adds | &gone;
        self.read = ((&self.read - &touched) | &offered.read) - &gone;
        self.flagged = ((&self.flagged - &touched) | &offered.flagged) - &gone;
    }

    fn believes(&mut self, number: u32, read: bool, flagged: bool) {
        for (set, says) in [(&mut self.read, read), (&mut self.flagged, flagged)] {
            if says {
                set.insert(number);
            } else {
                set.remove(number);
            }
        }
    }
}

impl Phone {
    fn takes(&mut self, plan: &Plan, fate: &Fate) {
        let statements = match fate {
            Fate::Lost => return,
            Fate::Part(some) => *some,
            Fate::Taken => usize::MAX,
        };
        self.has_newest_key = matches!(fate, Fate::Taken);
        if self.has_newest_key {
            self.deleted.clear();
        }
        let removals = plan.retracts.iter().chain(&plan.deletes).chain(&plan.soft_deletes);
        let removed = removals.clone().count();
        for number in removals.take(statements) {
            self.cache.remove(&number.0);
        }
        let changed = plan.changes.iter().take(statements.saturating_sub(removed));
        for (item, what) in changed {
            if let Some((read, flagged)) = self.cache.get_mut(&item.item.0) {
                *read = if what.read { item.read } else { *read };
                *flagged = if what.flag { item.flag.is_some() } else { *flagged };
            }
        }
        let before = removed + plan.changes.len();
        for item in plan.adds.iter().take(statements.saturating_sub(before)) {
            self.cache.insert(item.item.0, (item.read, item.flag.is_some()));
            self.torn.remove(item.item.0);
        }
        if !self.has_newest_key {
            self.torn.extend(plan.soft_deletes.iter().map(|number| number.0));
            self.torn.extend(plan.adds.iter().map(|item| item.item.0));
        }
    }
}

fn said_once(plan: &Plan) {
    let removals = plan.retracts.iter().chain(&plan.deletes).chain(&plan.soft_deletes);
    let changes = plan.changes.iter().map(|(item, _)| item.item.0);
    let adds = plan.adds.iter().map(|item| item.item.0);
    let mut said = RoaringBitmap::new();
    for number in removals.map(|number| number.0).chain(changes).chain(adds) {
        assert!(said.insert(number), "{number} is said twice");
    }
}

fn place(item: &Item) -> (i64, u32) {
    (item.received.0, item.item.0)
}

fn floor(position: Position) -> (i64, u32) {
    (position.floor_received, position.floor_item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stories_from_a_seed_hold() {
        let mut state = 0x5eed_u64;
        let mut octet = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        for length in (0..STORIES).map(|story| story % 200) {
            let story: Vec<u8> = (0..length).map(|_| octet()).collect();
            plan(&story);
        }
    }

    const STORIES: usize = 3_000;
}
