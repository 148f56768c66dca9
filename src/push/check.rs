//! What must hold for any rings at all: bells, listeners and waits, driven by octets. Fuzzers find the octets, tests replay them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::bell::{Bells, Kind, Listener, Ring};
use super::wait::{Ended, Wait, WaitLimits};
use crate::clock::Timestamp;
use crate::ids::{DeviceId, FolderId};

/// Tells the story in `octets`: one device waits, whatever rings; panics where a wait ends too late, too early, or for what did not
/// ring, and where a ring is lost on its way.
///
/// # Panics
/// If any of that does not hold.
pub fn wait(octets: &[u8]) {
    let Some((&[folders, patience, pause], events)) = octets.split_first_chunk::<3>() else {
        return;
    };
    let mut story = Story::new(folders, i64::from(patience), i64::from(pause % 16));
    for event in events.chunks(2) {
        if story.happens(event[0], event.get(1).copied().unwrap_or_default()) {
            return;
        }
    }
    story.comes_to_its_end();
}

const PHONE: DeviceId = DeviceId(1);
const OTHER: DeviceId = DeviceId(2);

struct Story {
    bells: Bells,
    listener: Listener,
    folders: i64,
    now: i64,
    deadline: i64,
    pause: i64,
    wait: Wait,
    /// What has rung since the phone looked.
    rung: BTreeSet<(u8, i64)>,
    /// Folders with deletions waited for, and until when.
    removed: BTreeSet<i64>,
    removed_until: Option<i64>,
}

impl Story {
    fn new(folders: u8, deadline: i64, pause: i64) -> Story {
        let bells = Bells::new();
        let folders = i64::from(folders);
        let named: Vec<FolderId> = (0..folders).map(FolderId).collect();
        let listener = bells.listen(PHONE, Kind::Ping, &named);
        let limits = WaitLimits { removals_coalesce: Duration::from_millis(pause.unsigned_abs()) };
        Story {
            bells,
            listener,
            folders,
            now: 0,
            deadline,
            pause,
            wait: Wait::until(Timestamp(deadline), limits),
            rung: BTreeSet::new(),
            removed: BTreeSet::new(),
            removed_until: None,
        }
    }

    /// Says whether the wait is over.
    fn happens(&mut self, what: u8, which: u8) -> bool {
        let which = i64::from(which);
        match what % 12 {
            0..=3 => self.rings_folder(what % 4, which),
            4 => self.rings_device(4, Ring::Hierarchy, which),
            5 => self.rings_device(5, Ring::Access, which),
            6 => {
                self.bells.supersede(PHONE, if which % 2 == 0 { Kind::Ping } else { Kind::Sync });
                self.note(which % 2 == 0, 6, 0);
            }
            7 => {
                self.bells.stop();
                self.note(true, 7, 0);
            }
            8 => {
                self.removed.clear();
                self.removed_until = None;
                self.wait.forget_removals();
            }
            9 => return self.time_passes(which),
            _ => return self.looks(),
        }
        false
    }

    /// Kinds 0 to 3: arrival, removal, change, recall.
    fn rings_folder(&mut self, kind: u8, which: i64) {
        let folder = FolderId(which);
        let heard = which < self.folders;
        match kind {
            0 => self.bells.ring(folder, Ring::Arrival(folder)),
            1 => self.bells.ring(folder, Ring::Removal(folder)),
            2 => self.bells.ring(folder, Ring::Change(folder)),
            _ => {
                assert_eq!(self.bells.recall(PHONE, folder), heard);
                assert!(!self.bells.recall(OTHER, folder));
            }
        }
        self.note(heard, kind, which);
    }

    fn rings_device(&mut self, kind: u8, ring: Ring, which: i64) {
        let device = if which % 2 == 0 { PHONE } else { OTHER };
        self.bells.ring_device(device, ring);
        self.note(device == PHONE, kind, 0);
    }

    fn note(&mut self, heard: bool, kind: u8, which: i64) {
        if heard {
            self.rung.insert((kind, which));
        }
    }

    /// The phone's request looks at what has rung; nothing of it is lost and nothing invented.
    fn looks(&mut self) -> bool {
        let rings = self.listener.take();
        let heard: BTreeSet<(u8, i64)> = rings.iter().map(name).collect();
        assert_eq!(heard, std::mem::take(&mut self.rung));
        assert_eq!(heard.len(), rings.len(), "a ring is kept once");
        let ended = self.wait.handle_rings(Timestamp(self.now), &rings);
        if heard.iter().any(|(kind, _)| *kind >= 4) {
            let kinds: BTreeSet<u8> = heard.iter().map(|(kind, _)| *kind).collect();
            assert!(ended.is_some_and(|ended| kinds.contains(&reason(&ended))));
            return true;
        }
        for (_, folder) in heard.iter().filter(|(kind, _)| *kind == 1) {
            self.removed.insert(*folder);
            self.removed_until.get_or_insert(self.now + self.pause);
        }
        let at_once: BTreeSet<i64> =
            heard.iter().filter(|(kind, _)| matches!(kind, 0 | 3)).map(|(_, at)| *at).collect();
        if at_once.is_empty() {
            return self.is_over_in_time(ended);
        }
        let all: BTreeSet<i64> = at_once.union(&self.removed).copied().collect();
        assert_eq!(ended.map(folders), Some(all), "mail and recalls end a wait at once");
        true
    }

    fn time_passes(&mut self, by: i64) -> bool {
        let promised = self.wait.poll_timeout().0;
        assert!(promised <= self.deadline, "a wait is promised beyond its deadline");
        // A timer wakes at what was promised, or something else before it.
        self.now = (self.now + by).min(promised.max(self.now));
        let ended = self.wait.handle_time(Timestamp(self.now));
        assert!(ended.is_some() || self.now < promised, "a timer that rings for nothing");
        self.is_over_in_time(ended)
    }

    fn is_over_in_time(&mut self, ended: Option<Ended>) -> bool {
        let coalesced = self.removed_until.is_some_and(|until| until <= self.now);
        match ended {
            None => assert!(!coalesced && self.now < self.deadline, "it should be over"),
            Some(Ended::Heartbeat) => assert!(!coalesced && self.now >= self.deadline),
            Some(Ended::Folders(named)) => {
                assert!(coalesced, "deletions wait for each other");
                assert_eq!(folders(Ended::Folders(named)), self.removed);
            }
            Some(other) => panic!("{other:?} did not ring"),
        }
        self.wait.poll_timeout() <= Timestamp(self.now) || coalesced || self.now >= self.deadline
    }

    /// Only time passes: the wait is over at its deadline at the latest, and its bells are taken down.
    fn comes_to_its_end(mut self) {
        let mut steps = 0;
        while !self.looks() && !self.time_passes(i64::from(u8::MAX)) {
            steps += 1;
            assert!(steps < 4, "the deadline has passed");
        }
        assert!(self.now <= self.deadline.max(0));
        assert_eq!(self.bells.waiting(), 1);
        let bells = self.bells.clone();
        drop(self);
        assert_eq!(bells.waiting(), 0);
    }
}

fn name(ring: &Ring) -> (u8, i64) {
    match ring {
        Ring::Arrival(folder) => (0, folder.0),
        Ring::Removal(folder) => (1, folder.0),
        Ring::Change(folder) => (2, folder.0),
        Ring::Recall(folder) => (3, folder.0),
        Ring::Hierarchy => (4, 0),
        Ring::Access => (5, 0),
        Ring::Superseded => (6, 0),
        Ring::Stop => (7, 0),
    }
}

fn reason(ended: &Ended) -> u8 {
    match ended {
        Ended::Heartbeat => u8::MAX,
        Ended::Folders(_) => 0,
        Ended::Hierarchy => 4,
        Ended::Access => 5,
        Ended::Superseded => 6,
        Ended::Stop => 7,
    }
}

/// The folders a wait ended for, each named once.
fn folders(ended: Ended) -> BTreeSet<i64> {
    let Ended::Folders(named) = ended else { panic!("{ended:?} names no folders") };
    let set: BTreeSet<i64> = named.iter().map(|folder| folder.0).collect();
    assert_eq!(set.len(), named.len(), "a folder is named once");
    set
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
            wait(&story);
        }
    }

    const STORIES: usize = 3_000;
}
