//! What one user or device, and what all together, may hold at a time: octets of answers, requests at work, searches.
//!
//! Nobody waits here. Who finds no room is told to come again, so whoever holds a share can never wait for another's, and nothing
//! locks up. A share is given back when it is dropped.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;

/// A budget that all share, of which each has a part at most. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::eas) struct Budget<K>(Arc<Inner<K>>);

#[derive(Debug)]
struct Inner<K> {
    all_max: usize,
    each_max: usize,
    held: Mutex<Held<K>>,
}

#[derive(Debug)]
struct Held<K> {
    all: usize,
    /// Who holds nothing has no entry.
    each: HashMap<K, usize>,
}

impl<K: Copy + Eq + Hash + Debug> Budget<K> {
    /// So much for all together, and so much for each.
    pub(in crate::eas) fn new(all_max: usize, each_max: usize) -> Budget<K> {
        let held = Mutex::new(Held { all: 0, each: HashMap::new() });
        Budget(Arc::new(Inner { all_max, each_max, held }))
    }

    /// A share that holds nothing yet.
    pub(in crate::eas) fn share(&self, who: K) -> Share<K> {
        Share { budget: self.clone(), who, held: 0 }
    }

    /// A share that holds one; `None` where there is no room for it.
    pub(in crate::eas) fn one(&self, who: K) -> Option<Share<K>> {
        let mut share = self.share(who);
        share.grow(1).then_some(share)
    }
}

/// What somebody holds of a budget.
#[derive(Debug)]
pub(in crate::eas) struct Share<K: Copy + Eq + Hash + Debug> {
    budget: Budget<K>,
    who: K,
    held: usize,
}

impl<K: Copy + Eq + Hash + Debug> Share<K> {
    /// Takes so much more; `false`, and nothing taken, where all or this one would hold too much.
    pub(in crate::eas) fn grow(&mut self, more: usize) -> bool {
        let Inner { all_max, each_max, held } = &*self.budget.0;
        let mut held = held.lock();
        let all = held.all.saturating_add(more);
        let each = held.each.get(&self.who).copied().unwrap_or(0).saturating_add(more);
        if all > *all_max || each > *each_max {
            return false;
        }
        self.held += more;
        held.set(self.who, all, each);
        true
    }

    /// Holds exactly so much from now on, whether there is room for it or not: for what is there already.
    pub(in crate::eas) fn settle(&mut self, exactly: usize) {
        let mut held = self.budget.0.held.lock();
        let each = held.each.get(&self.who).copied().unwrap_or(0);
        let settled = |before: usize| (before - self.held).saturating_add(exactly);
        let (all, each) = (settled(held.all), settled(each));
        held.set(self.who, all, each);
        self.held = exactly;
    }

    /// The same in the hands of somebody else; what stays behind holds nothing.
    pub(in crate::eas) fn take(&mut self) -> Share<K> {
        let held = std::mem::take(&mut self.held);
        Share { budget: self.budget.clone(), who: self.who, held }
    }
}

impl<K: Copy + Eq + Hash> Held<K> {
    fn set(&mut self, who: K, all: usize, each: usize) {
        self.all = all;
        match each {
            0 => self.each.remove(&who),
            each => self.each.insert(who, each),
        };
    }
}

impl<K: Copy + Eq + Hash + Debug> Drop for Share<K> {
    fn drop(&mut self) {
        if self.held > 0 {
            self.settle(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_holds_more_than_a_part_and_all_not_more_than_there_is() {
        let budget = Budget::new(10, 6);
        let (mut ann, mut again, mut ben) = (budget.share(1), budget.share(1), budget.share(2));
        assert!(ann.grow(5) && !again.grow(2) && again.grow(1));
        assert!(!ben.grow(5) && ben.grow(4));
        drop(ann);
        assert!(!ben.grow(3) && ben.grow(2), "a part, though there is room");
        assert!(!again.grow(usize::MAX));
    }

    #[test]
    fn what_is_given_back_leaves_nothing_behind() {
        let budget = Budget::new(10, 10);
        let mut share = budget.share(1);
        assert!(share.grow(3));
        share.settle(12);
        assert!(budget.one(2).is_none(), "what is there already counts");
        let taken = share.take();
        drop(share);
        assert!(budget.one(2).is_none());
        drop(taken);
        assert!(budget.one(2).is_some());
        let held = budget.0.held.lock();
        assert_eq!((held.all, held.each.len()), (0, 0));
    }
}
