//! A map that forgets: entries have a time to live, and the oldest go when it is full.
//!
//! Whatever strangers send, it holds no more than its limit.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use crate::clock::Timestamp;

/// At most `limit` entries, each for at most `ttl` after it was first put in.
#[derive(Debug)]
pub(super) struct Memory<K, V> {
    entries: HashMap<K, (V, Timestamp)>,
    order: VecDeque<(K, Timestamp)>,
    limit: usize,
    ttl: Duration,
}

impl<K: Hash + Eq + Clone, V> Memory<K, V> {
    pub(super) fn new(limit: usize, ttl: Duration) -> Memory<K, V> {
        Memory { entries: HashMap::new(), order: VecDeque::new(), limit, ttl }
    }

    pub(super) fn get(&self, key: &K, now: Timestamp) -> Option<&V> {
        let (value, put) = self.entries.get(key)?;
        // A clock that was set back makes an entry old, not young for ever.
        let fresh = *put <= now && now.since(*put) < self.ttl;
        fresh.then_some(value)
    }

    pub(super) fn put(&mut self, key: K, value: V, now: Timestamp) {
        if let Some(entry) = self.entries.get_mut(&key)
            && entry.1 <= now
            && now.since(entry.1) < self.ttl
        {
            entry.0 = value;
            return;
        }
        while self.order.len() >= self.limit {
            self.drop_oldest();
        }
        self.entries.insert(key.clone(), (value, now));
        self.order.push_back((key, now));
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.entries.remove(key);
    }

    fn drop_oldest(&mut self) {
        let Some((key, put)) = self.order.pop_front() else { return };
        // The key may have been put again since.
        if self.entries.get(&key).is_some_and(|(_, at)| *at == put) {
            self.entries.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_by_age_and_by_number() {
        let mut memory = Memory::new(2, Duration::from_millis(10));
        memory.put("a", 1, Timestamp(0));
        assert_eq!(memory.get(&"a", Timestamp(9)), Some(&1));
        assert_eq!(memory.get(&"a", Timestamp(10)), None);
        assert_eq!(memory.get(&"a", Timestamp(-1)), None);
        memory.put("a", 2, Timestamp(20));
        memory.put("b", 3, Timestamp(21));
        memory.put("c", 4, Timestamp(22));
        assert_eq!(memory.get(&"a", Timestamp(22)), None, "the oldest went");
        assert_eq!(memory.get(&"c", Timestamp(22)), Some(&4));
        assert!(memory.order.len() <= 2 && memory.entries.len() <= 2);
    }
}
